#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of every type, every_type.zone, compared octet for octet with what Knot answers.

    every_type.py write FOLDER    FOLDER/main.yaml with every_type.zone, FOLDER/peers/ for Knot and NSD
    every_type.py ask             ask all three for each record set, over UDP and over TCP

Owner, TTL and data, in their case, as they are on the wire: but for the types of RFC 1035 there is nothing in them that
could be compressed. The name of an NSEC3 record is no name of the zone (RFC 5155 7.2.8).
"""
import ctypes
import itertools
import os
import shutil
import sys

import dns.rdatatype

import peers
import replies

HERE = os.path.dirname(os.path.abspath(__file__))
ZONE = os.path.join(HERE, "every_type.zone")
ORIGIN = "types.test."
QUERY_TYPES = ("OPT", "TKEY", "TSIG", "IXFR", "AXFR", "ANY")


def write(folder):
    os.makedirs(os.path.join(folder, "peers"))
    for to in (folder, os.path.join(folder, "peers")):
        shutil.copy(ZONE, os.path.join(to, ORIGIN + "zone"))
    with open(os.path.join(folder, "main.yaml"), "w", encoding="ascii") as out:
        out.write(f"server: {{addresses: [{peers.SERVER}]}}\nzones: [{{name: {ORIGIN}, file: {ORIGIN}zone}}]\n")
    peers.write(os.path.join(folder, "peers"), [ORIGIN])
    return 0


def record_sets():
    """(owner, type number, records) of the file: every record is a line, its type the second or third word."""
    sets = {}
    with open(ZONE, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if words and words[0][0] not in ";$":
                owner = ORIGIN if words[0] == "@" else f"{words[0]}.{ORIGIN}"
                key = owner, dns.rdatatype.from_text(words[1])
                sets[key] = sets.get(key, 0) + 1
    return [(*key, count) for key, count in sets.items()]


def types_of_libknot():
    """Numbers of all types that libknot has a name for, but those of queries."""
    libknot, text = ctypes.CDLL("libknot.so.13"), ctypes.create_string_buffer(32)
    known = set()
    for number in range(65536):
        libknot.knot_rrtype_to_string(ctypes.c_uint16(number), text, ctypes.c_size_t(len(text)))
        if not text.value.startswith(b"TYPE") and text.value.decode() not in QUERY_TYPES:
            known.add(number)
    return known


def answers(server, owner, number, tcp):
    """The records of this type in the reply, also those of a referral; not in any order."""
    return sorted(record for record in replies.raw_records(server.ask_wire(owner, number, tcp)) if record[1] == number)


def ask():
    ecsdns, others = peers.servers()
    sets, failed = record_sets(), 0
    missing = types_of_libknot() - {number for _, number, _ in sets}
    for number in sorted(missing):
        print(f"# {ZONE} has no {dns.rdatatype.to_text(number)} record, but libknot knows the type")
    for (owner, number, count), tcp in itertools.product(sets, (False, True)):
        ours, knots = answers(ecsdns, owner, number, tcp), answers(others["knot"], owner, number, tcp)
        if ours == knots and len(ours) == (0 if number == dns.rdatatype.NSEC3 else count):
            continue
        failed += 1
        print(f"# {owner} {dns.rdatatype.to_text(number)}{' over TCP' if tcp else ''}, {count} records:\n"
              f"#   ours: {ours}\n#   Knot: {knots}\n#   NSD:  {answers(others['nsd'], owner, number, tcp)}")
    print(f"# ! {len(sets)} record sets of {len({number for _, number, _ in sets})} types, {failed} failed")
    return 1 if failed or missing or not sets else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "write":
        return write(arguments[1])
    if arguments == ["ask"]:
        return ask()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
