# SPDX-License-Identifier: GPL-3.0-or-later
"""
What model.py prescribes, without its slowness and with the special blocks: for as many random clients as one likes.
"""
import bisect
import ipaddress

import model

# ECS.md requirement 8: inside these the resolver's address decides, and their length is the scope.
SPECIAL = [ipaddress.ip_network(text) for text in
           ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/128", "::1/128", "fe80::/10")]


def start_of(version, address, length):
    shift = model.BITS[version] - length
    return address >> shift << shift


class Spans:
    """
    One family as spans of one region. Between two neighbouring ends of prefixes the longest match is the same, so the
    model's is asked once for each; then the largest block around an address is the largest that its span holds.
    """

    def __init__(self, family):
        self.bits = family.bits
        ends = {0}
        for first, length in family.order:
            ends |= {first, first + (1 << (self.bits - length))}
        self.firsts, self.regions = [], []
        for first in sorted(ends - {1 << self.bits}):
            region = family.match(first)
            if not self.regions or self.regions[-1] != region:
                self.firsts.append(first)
                self.regions.append(region)
        self.firsts.append(1 << self.bits)

    def look(self, address):
        at = bisect.bisect_right(self.firsts, address) - 1
        low, past = self.firsts[at], self.firsts[at + 1]
        for length in range(self.bits + 1):
            first = address >> (self.bits - length) << (self.bits - length)
            if low <= first and first + (1 << (self.bits - length)) <= past:
                return self.regions[at], length
        raise AssertionError("a block of one address lies in its span")


class Topology:
    def __init__(self, slow):
        self.slow, self.least, self.regions = slow, slow.least, slow.regions
        self.spans = {version: Spans(family) for version, family in slow.families.items()}
        self.edges = {version: family.order for version, family in slow.families.items()}

    def look(self, version, address):
        region, length = self.spans[version].look(address)
        return region, max(length, self.least)


class Configuration(model.Configuration):
    """Gives what the model gives, and knows the special blocks."""

    def __init__(self, path):
        super().__init__(path)
        self.topologies = {name: Topology(topology) for name, topology in self.topologies.items()}
        self.kept = {}

    def keep(self, key, work, *arguments):
        if key not in self.kept:
            self.kept[key] = work(*arguments)
        return self.kept[key]

    def service_forms(self, service, rrtype, region):
        return self.keep((service["name"], rrtype, region), super().service_forms, service, rrtype, region)

    def is_tailored(self, service, rrtype):
        return self.keep((service["name"], rrtype), super().is_tailored, service, rrtype)

    def reply(self, name, rrtype, client, resolver):
        """The client with its source length: (version, address, length)."""
        service = self.services.get(name)
        block = special(*client) if client else None
        if block is None or not service or not service.get("ecs", True):
            return super().reply(name, rrtype, client[:2] if client and client[2] else None, resolver)
        forms, _ = super().reply(name, rrtype, None, resolver)
        return forms, block if self.is_tailored(service, rrtype) else 0


def special(version, address, length):
    for block in SPECIAL:
        if block.version == version and block.prefixlen <= length and \
                start_of(version, address, block.prefixlen) == int(block.network_address):
            return block.prefixlen
    return None
