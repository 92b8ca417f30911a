#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of ferret (github.com/dns-groot/ferret): small zones with a query each, and what four servers replied.

    ferret.py write CORPUS FOLDER        the zones, and FOLDER/main.yaml which names them all
    ferret.py ask CORPUS ADDRESS         ask everything; says what is not so, and counts

rcode, AA and answer section must be those of at least one of the four, the rest as well, but for a minimal response
(replies.py). There is no list of exceptions.
"""
import collections
import gzip
import json
import os
import sys

import replies


def tests(corpus):
    with gzip.open(os.path.join(corpus, "tests.jsonl.gz"), "rt", encoding="ascii") as lines:
        return [json.loads(line) for line in lines]


def write(corpus, folder):
    os.makedirs(folder)
    with open(os.path.join(folder, "main.yaml"), "w", encoding="ascii") as main:
        main.write('server: {addresses: [198.18.0.1, "fd00:ec5::1"]}\nzones:\n')
        for test in tests(corpus):
            with open(os.path.join(folder, f"{test['id']}.zone"), "w", encoding="ascii") as zone:
                zone.write(test["zone"])
            main.write(f"  - {{name: {json.dumps(test['origin'])}, file: {test['id']}.zone}}\n")


def expected(group):
    """What some of the four replied: {"servers", "header": ["opcode X", "rcode X", "flags X Y"], "answer", ...}"""
    header = dict(line.split(" ", 1) for line in group["header"])
    return replies.Reply(header["rcode"], "AA" in header["flags"].split(), *(
        replies.parse_records(group[section]) for section in ("answer", "authority", "additional")))


def judge(test, got, matched):
    """Counts the servers whose reply this is; False if there is none."""
    found = False
    for group in test["expected"]:
        whole = replies.unique(expected(group))
        for kind, reply in (("whole", whole), ("minimal", replies.minimal(whole, [test["origin"]]))):
            if got == reply:
                matched.update((server, kind) for server in group["servers"])
                found = True
                break
    return found


def explain(test, got):
    print(f"# {test['id']}: {test['qname']} {test['qtype']}, zone {test['origin']}:")
    for line in test["zone"].splitlines():
        print("#     " + " ".join(line.split()))
    print("#   ours: " + str(got).replace("\n", "\n# "))
    for group in test["expected"]:
        print(f"#   {', '.join(group['servers'])}: " + str(expected(group)).replace("\n", "\n# "))


def ask(corpus, address):
    server, matched, failed = replies.Server(address), collections.Counter(), 0
    all_tests = tests(corpus)
    for test in all_tests:
        got = replies.parse(server.ask(test["qname"], test["qtype"]))
        if not judge(test, got, matched):
            failed += 1
            explain(test, got)
    print(f"# ! {len(all_tests) - failed} of {len(all_tests)} replies are one of the four servers': " + ", ".join(
        f"{name} {matched[name, 'whole']} + {matched[name, 'minimal']} minimal"
        for name in ("bind", "nsd", "knot", "powerdns")) + f"; {server.truncated} over TCP")
    return 1 if failed or not all_tests else 0


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "write":
        return write(*arguments[1:])
    if len(arguments) == 3 and arguments[0] == "ask":
        return ask(*arguments[1:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
