# SPDX-License-Identifier: GPL-3.0-or-later
"""
usage: keys.py PAGE WHAT, where WHAT is keys, types, limits or examples

Holds the configuration's page to the parser, by asking `ecsctl check`: every key is in the page, and none that the parser
does not know; every limit that the page gives is where the parser has it; every example is good. Prints what differs.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import page

SERVER = "server: {addresses: [192.0.2.53]}\n"
MEMBERS = ", ".join(f"{{name: m{i}, address: 192.0.2.{i}}}" for i in range(1, 65))
POOLED = SERVER + "pools: {p: {members: [{name: a, address: 192.0.2.1}]}}\ntopologies: {t: {default: p}}\n"

# What the parser calls a map -> a configuration with KEY in such a map, and what this map needs besides.
CONTEXTS = {
    "a configuration": (SERVER + "KEY\n", {}),
    "`server`": ("server: {KEY}\n", {"addresses": "[192.0.2.53]"}),
    "`ecs`": ("server: {addresses: [192.0.2.53], ecs: {KEY}}\n", {}),
    "`health`": ("server: {addresses: [192.0.2.53], health: {KEY}}\n", {}),
    "`synthetic`": ("server: {addresses: [192.0.2.53], synthetic: {KEY}}\n", {}),
    "a zone": (SERVER + "zones: [{KEY}]\n", {"name": "example.com", "file": "none"}),
    "a check": (SERVER + "checks: {c: {KEY}}\n", {"type": "tcp", "port": "1", "interval": "1h"}),
    "a pool": (SERVER + "pools: {p: {KEY}}\n", {"members": f"[{MEMBERS}]"}),
    "a member": (SERVER + "pools: {p: {members: [{KEY}]}}\n", {"name": "a", "address": "192.0.2.1"}),
    "a topology": (SERVER + "topologies: {t: {KEY}}\n", {"default": "a"}),
    "a service": (POOLED + "services: [{KEY}]\n", {"name": "a.example", "topology": "t"}),
}
TYPES_NEED = {"tcp": {"port": "1"}, "dns": {"query": "a.example"}, "exec": {"command": "[/bin/true]"},
              "file": {"path": "/run/a"}}
TYPE = "a check of type "
UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000}
ITEMS = {
    "addresses": lambda i: f"10.0.{i // 256}.{i % 256 + 1}",
    "nameservers": lambda i: f"ns{i:02}.example",
    "command": lambda i: "/bin/true",
}


def check(text):
    """The exit code of `ecsctl check`, and what it printed."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(["ecsctl", "check", file.name], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def with_key(context, key, value):
    """A configuration with this key there, good but for it."""
    if context.startswith(TYPE):
        kind = context.removeprefix(TYPE)
        text, needs = CONTEXTS["a check"][0], {"type": kind, **TYPES_NEED.get(kind, {})}
    else:
        text, needs = CONTEXTS[context]
    needs = {**needs, key: value} if key else needs
    return text.replace("KEY", ", ".join(f"{k}: {v}" for k, v in needs.items()) if "{KEY}" in text else f"{key}: {value}")


def paged(path):
    return page.marked(path, "keys of:", r"\.It Cm ([a-z_]+) No \(")


def known(context):
    """The keys that the parser says it knows in such a map."""
    found = re.search(rf'unknown key "zzz" in {context}: expected one of (.*)', check(with_key(context, "zzz", "1"))[1])
    if not found:
        print(f"{context}: `ecsctl check` did not say which keys it knows there")
    return set(found[1].split(", ")) if found else set()


def differ(context, parser, in_page):
    for key in sorted(parser - in_page):
        print(f"{context}: the page lacks {key}")
    for key in sorted(in_page - parser):
        print(f"{context}: the page has {key}, which the parser does not know")


def keys(path):
    pages = paged(path)
    source = " ".join(text.read_text() for text in pathlib.Path("user/controller").glob("config*.c"))
    contexts = set(re.findall(r'tree_fields\([^,"]+, "([^"]+)"', source))
    differ("the maps of the parser", contexts, set(CONTEXTS))
    for context in CONTEXTS:
        mine = set(pages.get(context, {}))
        if context == "a check":
            mine = mine.union(*(pages[other] for other in pages if other.startswith(TYPE)))
        differ(context, known(context), mine)


def types(path):
    pages = paged(path)
    expected = re.search(r"`type`: (.*)", check(SERVER + "checks: {c: {}}\n")[1])[1]
    names = set(re.split(r", | or ", expected))
    differ("types of checks", names, {context.removeprefix(TYPE) for context in pages if context.startswith(TYPE)})
    all_keys = known("a check")
    for name in names:
        # All keys at once: those that do not fit are told first, and fewer than the errors that are shown.
        said = check(SERVER + f"checks: {{c: {{type: {name}, {', '.join(f'{key}: 1' for key in all_keys - {'type'})}}}}}\n")[1]
        taken = all_keys - set(re.findall(rf"a check of type {name} has no `(\w+)`", said))
        mine = set(pages["a check"]) | set(pages.get(TYPE + name, {}))
        if name == "https":
            mine |= set(pages[TYPE + "http"])
        differ(TYPE + name, taken, mine)


def milliseconds(text):
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", text).groups()
    return int(number) * UNITS[unit]


def trials(key, words):
    """[(value, is it taken?)] at both sides of every limit in an item's parentheses."""
    number = re.match(r"number, (\d+) to (\d+)", words)
    time = re.match(r"time, (\w+) to (\w+)", words)
    text = re.match(r"text of up to (\d+) octets", words)
    items = re.match(r"list of .*?(\d+) to (\d+)|list of (\d+) to (\d+)", words)
    if number:
        least, most = int(number[1]), int(number[2])
        return [(least, True), (most, True), (most + 1, False)] + ([(least - 1, False)] if least else [])
    if time:
        least, most = milliseconds(time[1]), milliseconds(time[2])
        return ([(f"{least}ms", True), (f"{most}ms", True), (f"{most + 1}ms", False)] +
                ([(f"{least - 1}ms", False)] if least else []))
    if text:
        return [("a" * int(text[1]), True), ("a" * (int(text[1]) + 1), False)]
    if items and key in ITEMS:
        least, most = [int(limit) for limit in items.groups() if limit]
        return [(f"[{', '.join(ITEMS[key](i) for i in range(count))}]", good)
                for count, good in ((least, True), (most, True), (least - 1, False), (most + 1, False))]
    return []


def limits(path):
    tried = 0
    for context, items in paged(path).items():
        for key, text in items.items():
            words = re.search(r"No \((.*)\)$", text.splitlines()[0])
            if not words or not re.search(r"(; )(default|needed)", words[1]):
                print(f"{context}: {key}: the parentheses name no default, nor that it is needed")
                continue
            for value, good in trials(key, words[1]):
                tried += 1
                code, said = check(with_key(context, key, value))
                if (code == 0) != good:
                    print(f"{context}: {key}: {str(value)[:40]} is {'refused' if good else 'taken'}: {said[:300]}")
    if tried < 60:
        print(f"only {tried} values were tried: are limits in the page still written as they are read here?")


def examples(path):
    with tempfile.TemporaryDirectory() as directory:
        files = page.examples(path)
        for name, _, text in files:
            if not name:
                print(f"an example without a name: {text[:60]}...")
            else:
                pathlib.Path(directory, name).write_text(text, encoding="ascii")
        for name, words, _ in files:
            if not name.endswith(".yaml") or "part" in words:
                continue
            done = subprocess.run(["ecsctl", "check", name], capture_output=True, text=True, cwd=directory, check=False)
            if done.returncode:
                print(f"{name}: {done.stderr}")


{"keys": keys, "types": types, "limits": limits, "examples": examples}[sys.argv[2]](sys.argv[1])
