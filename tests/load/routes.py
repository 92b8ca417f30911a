#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A topology like a routing table, in shapes that a trie must get right: "prefix,region" lines on standard output.

usage: routes.py SEED COUNT REGION... [--near ADDRESS...]

COUNT prefixes of each family: lengths as the world's tables have them, with the rare ones from /4 and /16 to whole
addresses, nested, adjacent, halved, in rows and ladders of alternating regions, at both ends of the address space. Some
are around each ADDRESS. The same seed draws the same again.
"""
import argparse
import ipaddress
import random

# How often each length occurs in the world's tables, roughly. RARE is the share of every other one up to USUAL.
LENGTHS = {4: {24: 60, 22: 12, 23: 9, 20: 5, 21: 5, 19: 3, 16: 3, 18: 2, 17: 1},
           6: {48: 45, 32: 12, 40: 8, 44: 8, 36: 4, 33: 3, 46: 3, 29: 2, 64: 2, 56: 2, 128: 1}}
RARE, RARER = 0.3, 0.02
USUAL = 64
BITS = {4: 32, 6: 128}
SHORTEST = {4: 4, 6: 16}
NETWORKS = {4: ipaddress.IPv4Network, 6: ipaddress.IPv6Network}


class Table:
    """The prefixes of one family."""

    def __init__(self, dice, version, regions):
        self.dice, self.version, self.regions = dice, version, regions
        self.bits = BITS[version]
        self.lengths = range(SHORTEST[version], self.bits + 1)
        self.weights = [LENGTHS[version].get(length, RARE if length <= USUAL else RARER) for length in self.lengths]
        self.of = {}        # (first address, length) -> region
        self.blocks = []    # the same keys, in the order of their coming

    def put(self, address, length, region=None):
        length = min(max(length, SHORTEST[self.version]), self.bits)
        shift = self.bits - length
        block = (address % (1 << self.bits) >> shift << shift, length)
        if block not in self.of:
            self.of[block] = region or self.dice.choice(self.regions)
            self.blocks.append(block)

    def any_block(self):
        block = self.dice.choice(self.blocks)
        return (*block, 1 << (self.bits - block[1]), self.of[block])

    def anywhere(self):
        address = self.dice.getrandbits(self.bits)
        if self.version == 6 and self.dice.random() < 0.8:
            address = 1 << 125 | address >> 3   # 2000::/3, where the world is
        self.put(address, self.dice.choices(self.lengths, self.weights)[0])

    def inside(self):
        first, length, size, _ = self.any_block()
        self.put(first + self.dice.randrange(size), length + self.dice.randint(1, 10))

    def inside_at_its_edge(self):
        first, length, size, _ = self.any_block()
        self.put(first + self.dice.choice((0, size - 1)), length + self.dice.randint(1, 10))

    def inside_of_the_same_region(self):
        first, length, size, region = self.any_block()
        self.put(first + self.dice.randrange(size), length + self.dice.randint(1, 10), region)

    def around(self):
        first, length, _, _ = self.any_block()
        self.put(first, length - self.dice.randint(1, 6))

    def beside(self):
        first, length, size, region = self.any_block()
        self.put(first + self.dice.choice((-size, size)), length, self.dice.choice((region, None)))

    def both_halves(self):
        first, length, size, _ = self.any_block()
        region = self.dice.choice(self.regions)
        self.put(first, length + 1, region)
        self.put(first + size // 2, length + 1, self.dice.choice((region, None)))

    def row(self):
        first, length, size, _ = self.any_block()
        pair = self.dice.sample(self.regions, 2)
        for i in range(self.dice.randint(2, 24)):
            self.put(first + i * size, length, pair[i % 2])

    def ladder(self):
        address = self.dice.getrandbits(self.bits)
        pair = self.dice.sample(self.regions, 2)
        last = self.dice.choice((24, 32, 64, 64, 128))
        for i, length in enumerate(range(self.dice.randint(8, 24), min(last, self.bits) + 1, self.dice.randint(1, 4))):
            self.put(address, length, pair[i % 2])

    def ends(self):
        self.put(self.dice.choice((0, -1)), self.dice.choices(self.lengths, self.weights)[0])

    def near(self, address):
        for _ in range(3):
            self.put(address, self.dice.randint(self.bits - 24, self.bits))

    def fill(self, count):
        beside_others = [self.inside, self.inside_at_its_edge, self.inside_of_the_same_region, self.around, self.beside,
                         self.both_halves, self.row]
        shapes = [self.anywhere] * 14 + beside_others * 2 + [self.ladder, self.ends]
        self.anywhere()
        while len(self.blocks) < count:
            self.dice.choice(shapes)()
        for block in self.blocks[:count]:
            yield NETWORKS[self.version](block), self.of[block]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seed")
    parser.add_argument("count", type=int)
    parser.add_argument("region", nargs="+")
    parser.add_argument("--near", nargs="*", type=ipaddress.ip_address, default=[])
    arguments = parser.parse_args()
    for version in BITS:
        table = Table(random.Random(f"{arguments.seed} {version}"), version, arguments.region)
        for address in arguments.near:
            if address.version == version:
                table.near(int(address))
        for network, region in table.fill(arguments.count):
            print(f"{network},{region}")


if __name__ == "__main__":
    main()
