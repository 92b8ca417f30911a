#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Random topologies of every shape, as one ecsdns configuration with a service each.

usage: shapes.py SEED COUNT FOLDER

Writes FOLDER/main.yaml: examples/japan.yaml, RFC 7871's own example and another (golden.tsv asks for all three), and COUNT
random topologies, whose prefixes lie beside it (FOLDER/NAME.csv). A service has the name of its topology, which is
its shape and a number: nested-3.example.com.
"""
import ipaddress
import os
import random
import shutil
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "load"))
import model  # noqa: E402
import gdnsd  # noqa: E402

POOLS = 254  # gdnsd has at most so many datacenters in a map
RESOLVERS = {version: int(ipaddress.ip_address(text)) for version, text in model.RESOLVER.items()}
# topology and the pools of its regions
FIXED = {
    "rfc": ({"default": "A", "prefixes": {"1.2.0.0/20": "A", "1.2.3.0/24": "B"}}, {"A": ["p9"], "B": ["p18"]}),
    "tens": ({"default": "Z", "prefixes": {"10.0.0.0/8": "X", "10.1.0.0/16": "Y"}},
             {"X": ["p27"], "Y": ["p36"], "Z": ["p45"]}),
}


class Draft:
    """One family of a topology on the drawing board: prefixes are put in, chance and regions are at hand."""

    def __init__(self, dice, version, regions):
        self.dice, self.version, self.regions = dice, version, regions
        self.bits = model.BITS[version]
        self.of = {}  # (first address, length) -> region

    def region(self):
        return self.dice.choice(self.regions)

    def put(self, address, length, region=None):
        """The block of this length around the address, unless it is there already, or is one that gdnsd takes for IPv4."""
        address %= 1 << self.bits
        first = address >> (self.bits - length) << (self.bits - length)
        if self.version == 4 or not gdnsd.is_apart(first, length):
            self.of.setdefault((first, length), region or self.region())

    def address(self):
        """Anywhere, but for IPv6 mostly where the addresses of the world are."""
        if self.version == 4 or self.dice.random() < 0.3:
            return self.dice.getrandbits(self.bits)
        return 1 << 125 | self.dice.getrandbits(125)

    def length(self, least, most):
        """Lengths as shares of the family's: 8 and 24 for IPv4 are 32 and 96 for IPv6."""
        return self.dice.randint(least * self.bits // 32, most * self.bits // 32)

    def inside(self, first, length):
        return first >> (self.bits - length) << (self.bits - length) | self.dice.getrandbits(self.bits - length)

    def size(self, length):
        return 1 << (self.bits - length)

    def block(self, least, most):
        length = self.length(least, most)
        return self.address() >> (self.bits - length) << (self.bits - length), length


# -- shapes: what each draws into one family ---------------------------------------------------------------------------

def anywhere(draft):
    for _ in range(draft.dice.randint(1, 40)):
        draft.put(draft.address(), draft.length(1, 32))


def nested(draft):
    """Trees of blocks inside blocks."""
    for _ in range(draft.dice.randint(1, 3)):
        below = [draft.block(2, 12)]
        while below and len(draft.of) < 60:
            first, length = below.pop()
            draft.put(first, length)
            for _ in range(draft.dice.randint(0, 3)):
                longer = min(draft.bits, length + draft.dice.randint(1, draft.bits // 6))
                if longer > length:
                    below.append((draft.inside(first, length) >> (draft.bits - longer) << (draft.bits - longer), longer))


def adjacent(draft):
    """Runs of neighbours of the same length."""
    for _ in range(draft.dice.randint(1, 4)):
        first, length = draft.block(6, 32)
        for i in range(draft.dice.randint(2, 30)):
            draft.put(first + i * draft.size(length), length)


def merging(draft):
    """Blocks cut into equal pieces of one region, some of them into pieces again, and here and there a piece that differs."""
    for _ in range(draft.dice.randint(1, 4)):
        first, length = draft.block(2, 26)
        cut, region, odd = length + draft.dice.randint(1, 5), draft.region(), draft.dice.choice((0, 0, 0.1))
        for i in range(1 << (cut - length)):
            piece = first + i * draft.size(cut)
            if draft.dice.random() < 0.2 and cut < draft.bits:
                draft.put(piece, cut + 1, region)
                draft.put(piece + draft.size(cut + 1), cut + 1, region)
            else:
                draft.put(piece, cut, draft.region() if draft.dice.random() < odd else region)


def alternating(draft):
    """Neighbours of two regions in turn: nothing may merge."""
    for _ in range(draft.dice.randint(1, 3)):
        pair = draft.region(), draft.region()
        first, length = draft.block(6, 32)
        for i in range(draft.dice.randint(8, 48)):
            draft.put(first + i * draft.size(length), length, pair[i % 2])


def zero(draft):
    """A prefix that covers everything, and some more."""
    draft.put(0, 0)
    if draft.dice.random() < 0.7:
        anywhere(draft)


def hosts(draft):
    """Single addresses, alone, in pairs and in rows."""
    for _ in range(draft.dice.randint(1, 12)):
        address, length = draft.address(), draft.bits - draft.dice.choice((0, 0, 0, 1, 2))
        for i in range(draft.dice.choice((1, 1, 2, 3, 8))):
            draft.put(address + i * draft.size(length), length)


def whole(draft):
    """A family of one region: nothing, everything, or everything in pieces."""
    way, region = draft.dice.choice(("none", "zero", "pieces", "zero and pieces")), draft.region()
    if "zero" in way:
        draft.put(0, 0, region)
    if "pieces" in way:
        length = draft.dice.randint(1, 4)
        for i in range(1 << length):
            draft.put(i * draft.size(length), length, region)


def cluster(draft):
    """Many prefixes close together."""
    first, length = draft.block(6, 24)
    for _ in range(draft.dice.randint(20, 80)):
        draft.put(draft.inside(first, length), draft.dice.randint(length, min(draft.bits, length + 12)))


def chain(draft):
    """One address in blocks of (nearly) every length, or the blocks beside its path."""
    address, beside = draft.address(), draft.dice.random() < 0.5
    for length in range(1, draft.bits + 1):
        if draft.dice.random() < 0.9:
            draft.put(address ^ beside << (draft.bits - length), length)


def table(draft):
    """Like a routing table: sizes as they are announced, many inside others of the same holder."""
    sizes = ((24,) * 12 + (23, 22, 22, 21, 20, 20, 19, 18, 17, 16, 16, 15, 14, 12, 8) if draft.version == 4 else
             (48,) * 10 + (47, 46, 44, 44, 42, 40, 40, 36, 33, 32, 32, 32, 32, 29, 28, 24, 20))
    for _ in range(draft.dice.randint(50, 250)):
        length, region = draft.dice.choice(sizes), draft.region()
        address = draft.address()
        if draft.of and draft.dice.random() < 0.6:
            first, shorter = draft.dice.choice(list(draft.of))
            length = max(length, shorter)
            address = draft.inside(first, shorter)
            region = draft.of[(first, shorter)] if draft.dice.random() < 0.4 else region
        draft.put(address, length, region)


def hidden(draft):
    """Prefixes that no address matches, since longer ones cover all of them."""
    for _ in range(draft.dice.randint(1, 6)):
        first, length = draft.block(2, 28)
        draft.put(first, length)
        halves, cut = [(first, length + 1), (first + draft.size(length + 1), length + 1)], draft.region()
        while halves:
            half, longer = halves.pop()
            if longer < draft.bits and longer < length + 4 and draft.dice.random() < 0.4:
                halves += [(half, longer + 1), (half + draft.size(longer + 1), longer + 1)]
                if draft.dice.random() < 0.5:
                    continue
            draft.put(half, longer, cut if draft.dice.random() < 0.7 else None)


def ends(draft):
    """The first and the last addresses of the family, and the blocks beside those of requirement 8."""
    last = (1 << draft.bits) - 1
    for _ in range(draft.dice.randint(1, 4)):
        draft.put(0, draft.length(0, 16))
        draft.put(last, draft.length(0, 32))
        draft.put(last - draft.dice.randint(1, 8), draft.bits)
    for block in model.SPECIAL:
        if block.version == draft.version:
            beside = draft.dice.randint(1, block.prefixlen)
            draft.put(int(block.network_address) ^ 1 << (draft.bits - beside), max(beside, draft.length(0, 24)))


def neighbours(draft):
    """IPv6 close to the blocks that gdnsd keeps apart; IPv4 around private addresses."""
    blocks = gdnsd.APART if draft.version == 6 else [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "192.168.0.0/16")]
    for block in blocks:
        for _ in range(draft.dice.randint(0, 4)):
            beside = draft.dice.randint(1, block.prefixlen)
            address = int(block.network_address) ^ 1 << (draft.bits - beside)
            draft.put(draft.inside(address, beside), draft.dice.randint(beside, min(draft.bits, beside + 8)))


def resolver(draft):
    """Around the address that the lab's own queries come from, which decides where no client subnet does."""
    address = RESOLVERS[draft.version]
    for _ in range(draft.dice.randint(1, 6)):
        length = draft.dice.choice((draft.bits, draft.length(4, 32)))
        draft.put(address ^ draft.dice.choice((0, 0, 1)) << (draft.bits - length), length)
    anywhere(draft)


def many(draft):
    """As many regions as there can be."""
    for _ in range(300):
        draft.put(draft.address(), draft.length(4, 20))


def empty(_):
    """No prefix at all: the default's."""


# What is drawn into IPv4 and into IPv6. Where a shape has several pairs, its topologies take them in turn.
SHAPES = {
    "anywhere": [(anywhere, anywhere)],
    "nested": [(nested, nested)],
    "adjacent": [(adjacent, adjacent)],
    "merging": [(merging, merging)],
    "alternating": [(alternating, alternating)],
    "zero": [(zero, zero)],
    "hosts": [(hosts, hosts)],
    "whole": [(whole, whole), (whole, nested), (anywhere, whole)],
    "empty": [(empty, cluster), (table, empty)],
    "cluster": [(cluster, cluster)],
    "chain": [(chain, chain)],
    "table": [(table, table)],
    "hidden": [(hidden, hidden)],
    "ends": [(ends, ends)],
    "neighbours": [(neighbours, neighbours)],
    "resolver": [(resolver, resolver)],
    "many": [(many, many)],
}


# -- the configuration -------------------------------------------------------------------------------------------------

def pools():
    """Every one with other addresses, one to three of each family; and as many aliases."""
    found = {}
    for number in range(POOLS):
        members = [f"192.0.2.{number}", f"198.51.100.{number}", f"203.0.113.{number}"][:1 + number % 3]
        members += [f"2001:db8:{number:x}::{i}" for i in range(1, 2 + number // 3 % 3)]
        found[f"p{number}"] = {"members": [{"name": f"p{number}-{i}", "address": address}
                                           for i, address in enumerate(members)]}
        found[f"a{number}"] = {"cname": f"p{number}.cdn.example.net."}
    return found


def draw_topology(dice, shape, turn):
    """Default and prefixes, {network: region}. Every topology has regions of the same names, so that the ids stay few."""
    regions = [f"r{i}" for i in range(POOLS if shape == "many" else dice.randint(2, 7))]
    pair, found = SHAPES[shape][turn % len(SHAPES[shape])], {}
    for version, draw in zip(model.BITS, pair):
        draft = Draft(dice, version, regions)
        draw(draft)
        found.update({str(gdnsd.network(draft.bits, *block)): region for block, region in draft.of.items()})
    return dice.choice(regions), found


def draw_service(dice, name, regions, number):
    """Regions take pools by chance, so that another topology's answer is a wrong one; every tenth service is an alias."""
    kind = "a" if number % 10 == 9 else "p"
    chosen = dice.sample(range(POOLS), len(regions))
    return {"name": f"{name}.example.com", "topology": name, "ttl": dice.randint(5, 3600),
            "regions": {region: [f"{kind}{pool}"] for region, pool in zip(regions, chosen)}}


def main():
    seed, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    dice = random.Random(seed)
    with open(os.path.join(ROOT, "examples", "japan.yaml"), encoding="utf-8") as text:
        value = yaml.safe_load(text)
    # A zone of the kind that the model reads, in place of the example's.
    shutil.copy(os.path.join(ROOT, "tests", "load", "a", "example.com.zone"), folder)
    value["pools"].update(pools())
    for name, (topology, regions) in FIXED.items():
        value["topologies"][name] = topology
        value["services"].append({"name": f"{name}.example.com", "topology": name, "regions": regions})
    names = list(SHAPES)
    for number in range(count):
        shape, turn = names[number % len(names)], number // len(names)
        name = f"{shape}-{turn}"
        default, prefixes = draw_topology(dice, shape, turn)
        with open(os.path.join(folder, name + ".csv"), "w", encoding="ascii") as out:
            out.write("".join(f"{prefix},{region}\n" for prefix, region in prefixes.items()))
        value["topologies"][name] = {"default": default, "file": name + ".csv"}
        value["services"].append(draw_service(dice, name, sorted({default, *prefixes.values()}), number))
    with open(os.path.join(folder, "main.yaml"), "w", encoding="utf-8") as out:
        yaml.safe_dump(value, out, sort_keys=False)


if __name__ == "__main__":
    main()
