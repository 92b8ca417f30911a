#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The naive model: what two configurations prescribe, worked out from their YAML files without any of the project's code.

  model.py prefixes SEED COUNT4 COUNT6 REGION...  a random prefix table ("prefix,region" lines) on standard output
  model.py table A.yaml B.yaml [--clients N] [--seed N] [--all-scopes] [--may-fall MEMBER]...
                                                  the table that build/flood reads (tests/load/expect.h); a member that
                                                  may fall is in the answers, or it is not

Scope is worked out by the rule's own words: the shortest block around the client in which no other region occurs.
Of a topology's clients only those are asked for which A and B prescribe different scopes (unless --all-scopes), so that a
reply with the records of one and the scope of the other cannot look right.
"""
import argparse
import bisect
import ipaddress
import os
import random
import sys

import yaml

BITS = {4: 32, 6: 128}
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "TXT": 16, "AAAA": 28, "HTTPS": 65}
NXDOMAIN = 3
RESOLVER = {4: "198.18.0.2", 6: "fd00:ec5::2"}  # the lab's client end
# ECS.md requirement 8: prefixes inside these are answered by the resolver's address.
SPECIAL = [ipaddress.ip_network(text) for text in
           ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/64", "fe80::/10")]


# -- topologies --------------------------------------------------------------------------------------------------------

class Family:
    """One family of a topology: every prefix in order, and the longest match by trying every length."""

    def __init__(self, version, default):
        self.bits = BITS[version]
        self.default = default
        self.of = {}  # (length, leading bits) -> region
        self.lengths = []
        self.order = []  # (first address, length)
        self.known = {}  # region_of_block() of blocks with prefixes inside

    def add(self, network, region):
        self.of[(network.prefixlen, int(network.network_address) >> (self.bits - network.prefixlen))] = region
        self.order.append((int(network.network_address), network.prefixlen))

    def finish(self):
        self.order.sort()
        self.lengths = sorted({length for _, length in self.order}, reverse=True)

    def match(self, address, longest=None):
        for length in self.lengths:
            if longest is not None and length > longest:
                continue
            region = self.of.get((length, address >> (self.bits - length)))
            if region is not None:
                return region
        return self.default

    def has_inside(self, first, length):
        """Is there a prefix inside the block, longer than it?"""
        at = bisect.bisect_left(self.order, (first, length + 1))
        return at < len(self.order) and self.order[at][0] < first + (1 << (self.bits - length))

    def region_of_block(self, first, length):
        """The one region that occurs in the block, or None if there are several."""
        if not self.has_inside(first, length):
            return self.match(first, length)
        if (first, length) not in self.known:
            half = 1 << (self.bits - length - 1)
            left = self.region_of_block(first, length + 1)
            is_one = left is not None and left == self.region_of_block(first + half, length + 1)
            self.known[(first, length)] = left if is_one else None
        return self.known[(first, length)]

    def whole(self):
        return self.region_of_block(0, 0)

    def leaf(self, address):
        """Length of the largest block around the address that lies in one region."""
        for length in range(self.bits + 1):
            first = address >> (self.bits - length) << (self.bits - length)
            if self.region_of_block(first, length) is not None:
                return length
        raise AssertionError("a block of one address has one region")


class Topology:
    def __init__(self, value, folder):
        self.families = {version: Family(version, value["default"]) for version in BITS}
        lines = list(value.get("prefixes", {}).items())
        if "file" in value:
            with open(os.path.join(folder, value["file"]), encoding="ascii") as table:
                lines += [line.strip().split(",") for line in table if line.strip() and line[0] != "#"]
        for text, region in lines:
            network = ipaddress.ip_network(text)
            self.families[network.version].add(network, region)
        for family in self.families.values():
            family.finish()
        # Scope 0 only when both families together are one region.
        whole = {family.whole() for family in self.families.values()}
        self.least = 0 if len(whole) == 1 and None not in whole else 1
        self.regions = sorted({value["default"]} | {region for _, region in lines})

    def look(self, version, address):
        family = self.families[version]
        return family.match(address), max(family.leaf(address), self.least)


# -- wire format -------------------------------------------------------------------------------------------------------

def wire_name(text):
    labels = [label for label in text.lower().rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels) + b"\0"


def wire_record(owner, rrtype, ttl, data):
    return (wire_name(owner) + TYPES[rrtype].to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big")
            + len(data).to_bytes(2, "big") + data)


def wire_data(rrtype, words):
    if rrtype in ("A", "AAAA"):
        return ipaddress.ip_address(words[0]).packed
    if rrtype in ("NS", "CNAME"):
        return wire_name(words[0])
    if rrtype == "TXT":
        return b"".join(bytes([len(word)]) + word.encode("ascii") for word in (word.strip('"') for word in words))
    if rrtype == "SOA":
        return wire_name(words[0]) + wire_name(words[1]) + b"".join(int(word).to_bytes(4, "big") for word in words[2:7])
    raise ValueError(rrtype)


def form(rcode=0, answer=(), authority=()):
    counts = b"".join(len(section).to_bytes(2, "big") for section in (answer, authority, ()))
    return bytes([rcode]) + counts + b"".join(sorted(answer)) + b"".join(sorted(authority))


# -- a configuration ---------------------------------------------------------------------------------------------------

class Zone:
    """Master files of the plainest kind: owner, TTL, IN, type, data on one line, every name with its final dot."""

    def __init__(self, name, path):
        self.name = name
        self.path = path
        self.sets = {}
        with open(path, encoding="ascii") as lines:
            for line in lines:
                words = line.split(";")[0].split()
                if words:
                    owner, ttl, _, rrtype = words[:4]
                    data = wire_data(rrtype, words[4:])
                    self.sets.setdefault((owner.rstrip(".").lower(), rrtype), []).append(
                        wire_record(owner, rrtype, int(ttl), data))
                    if rrtype == "SOA":
                        self.soa = wire_record(owner, "SOA", min(int(ttl), int(words[10])), data)

    def reply(self, name, rrtype):
        if (name, rrtype) in self.sets:
            return form(0, self.sets[(name, rrtype)])
        exists = any(owner == name or owner.endswith("." + name) for owner, _ in self.sets)
        return form(0 if exists else NXDOMAIN, (), [self.soa])


class Configuration:
    def __init__(self, path, may_fall=()):
        with open(path, encoding="utf-8") as text:
            value = yaml.load(text, yaml.CSafeLoader)
        self.may_fall = may_fall
        self.data = {}  # of pools
        folder = os.path.dirname(path)
        self.zones = [Zone(zone["name"], os.path.join(folder, zone["file"])) for zone in value.get("zones", [])]
        self.pools = value.get("pools", {})
        self.topologies = {name: Topology(topology, folder) for name, topology in value.get("topologies", {}).items()}
        self.services = {service["name"]: service for service in value.get("services", [])}
        self.aliases = {name for name, service in self.services.items()
                        if any("cname" in self.pools[pool] for region in self.regions(service)
                               for pool in self.preferred(service, region))}
        # Existence is the same for every client: only if every region can give it.
        self.types = {(name, rrtype) for name, service in self.services.items() for rrtype in ("A", "AAAA")
                      if all(any(self.pool_data(pool, rrtype) for pool in self.preferred(service, region))
                             for region in self.regions(service))}

    def zone_of(self, name):
        return next((zone for zone in self.zones if name == zone.name or name.endswith("." + zone.name)), None)

    def pool_data(self, pool, rrtype):
        version = {"A": 4, "AAAA": 6}.get(rrtype)
        if (pool, version) not in self.data:
            self.data[(pool, version)] = [member for member in self.pools[pool].get("members", [])
                                          if ipaddress.ip_address(member["address"]).version == version]
        return self.data[(pool, version)]

    def preferred(self, service, region):
        return service.get("regions", {}).get(region, [region])

    def regions(self, service):
        return self.topologies[service["topology"]].regions

    def is_alias(self, service):
        return service["name"] in self.aliases

    def has(self, service, rrtype):
        return (service["name"], rrtype) in self.types

    def pool_of(self, service, rrtype, region):
        """The region's first pool that has the type."""
        return next(pool for pool in self.preferred(service, region) if self.pool_data(pool, rrtype))

    def service_forms(self, service, rrtype, region):
        forms = self.forms_without((), service, rrtype, region)
        for member in self.may_fall:
            forms += [each for each in self.forms_without((member,), service, rrtype, region) if each not in forms]
        return forms

    def forms_without(self, down, service, rrtype, region):
        name, ttl = service["name"], service.get("ttl", 30)
        if self.is_alias(service):
            if rrtype not in ("A", "AAAA", "CNAME"):
                return [form(0, (), [self.zone_of(name).soa])]
            target = self.pools[self.preferred(service, region)[0]]["cname"]
            return [form(0, [wire_record(name, "CNAME", ttl, wire_name(target))])]
        if not self.has(service, rrtype):
            return [form(0, (), [self.zone_of(name).soa])]
        pool = self.pool_of(service, rrtype, region)
        members = [member for member in self.pool_data(pool, rrtype) if member["name"] not in down]
        records = [wire_record(name, rrtype, ttl, wire_data(rrtype, [member["address"]])) for member in members]
        method = self.pools[pool].get("method", "all")
        if method == "failover":
            return [form(0, records[:1])]
        if method in ("weighted", "hash"):
            return [form(0, [record]) for record, member in zip(records, members) if member.get("weight", 1)]
        most = self.pools[pool].get("max_answers", 8)
        if most >= len(records):
            return [form(0, records)]
        return [form(0, [records[(first + i) % len(records)] for i in range(most)]) for first in range(len(records))]

    def is_tailored(self, service, rrtype):
        return self.has(service, rrtype) or (self.is_alias(service) and rrtype in ("A", "AAAA", "CNAME"))

    def reply(self, name, rrtype, client, resolver):
        """Forms and scope. Client and resolver are (version, address); the client may be None."""
        service = self.services.get(name)
        if not service:
            return [self.zone_of(name).reply(name, rrtype)], 0
        topology = self.topologies[service["topology"]]
        used = client if client and service.get("ecs", True) else None
        region, scope = topology.look(*(used or resolver))
        return (self.service_forms(service, rrtype, region),
                scope if used and self.is_tailored(service, rrtype) else 0)


# -- the table ---------------------------------------------------------------------------------------------------------

class Table:
    def __init__(self):
        self.forms = {}
        self.rows = []

    def number(self, octets):
        return str(self.forms.setdefault(octets, len(self.forms)))

    def add(self, kind, transport, name, rrtype, subnet, sides):
        """subnet: (family, base, length, least, most), or None."""
        family, base, length, least, most = subnet or (0, b"", 0, 0, 0)
        fields = [kind, transport, wire_name(name).hex(), TYPES[rrtype], family, base.hex() or "00", length, least, most]
        for forms, scope in sides:
            fields += [scope, ",".join(self.number(octets) for octets in forms)]
        self.rows.append("ask " + " ".join(str(field) for field in fields))

    def write(self, dice, out):
        for octets, number in self.forms.items():
            out.write(f"form {number} {octets.hex()}\n")
        dice.shuffle(self.rows)
        out.write("".join(row + "\n" for row in self.rows))


def clients(topologies, version, count, dice, all_scopes):
    """Blocks (base, length) on which every topology is constant: around every edge of a prefix, and anywhere."""
    bits, seen, tries = BITS[version], set(), 0
    edges = [edge for topology in topologies for edge in topology.families[version].order]
    while len(seen) < count and tries < count * 50:
        tries += 1
        address = dice.getrandbits(bits)
        if edges and tries % 4:
            first, length = dice.choice(edges)
            size = 1 << (bits - length)
            address = (first + dice.choice((0, -1, size, size - 1, dice.randrange(size)))) % (1 << bits)
        leaves = [topology.look(version, address)[1] for topology in topologies]
        if not all_scopes and len(set(leaves)) == 1:
            continue
        length = max(leaves + [16])
        base = address >> (bits - length) << (bits - length)
        block = ipaddress.ip_network((base, length))
        if block.version == version and not any(special.version == version and special.overlaps(block)
                                                for special in SPECIAL):
            seen.add((base, length))
    return sorted(seen)


def subnet_of(version, base, length):
    """Every source length that still means this block; the zero-extended address decides."""
    bits = BITS[version]
    least = length
    while least > 8 and not base & ((1 << (bits - least + 1)) - 1):
        least -= 1
    return (1 if version == 4 else 2, base.to_bytes(bits // 8, "big"), length, least, bits)


def add_service(table, pair, name, rrtype, blocks):
    kind = "service" if all(name in one.services for one in pair) else "zone"
    for version, address in RESOLVER.items():
        resolver = (version, int(ipaddress.ip_address(address)))
        sides = [one.reply(name, rrtype, None, resolver) for one in pair]
        table.add(kind, version, name, rrtype, None, sides)
        for family in (1, 2):  # source 0 is answered like a query without client subnet
            table.add(kind, version, name, rrtype, (family, b"\0", 0, 0, 0), sides)
    ignored = [one for one in pair if name in one.services and not one.services[name].get("ecs", True)]
    for version in BITS:
        for base, length in blocks[version]:
            for transport in (4, 6) if ignored else (0,):
                resolver = (transport, int(ipaddress.ip_address(RESOLVER[transport]))) if transport else None
                sides = [one.reply(name, rrtype, (version, base), resolver) for one in pair]
                table.add(kind, transport, name, rrtype, subnet_of(version, base, length), sides)


def make_table(arguments):
    dice = random.Random(arguments.seed)
    pair = [Configuration(path, arguments.may_fall) for path in (arguments.a, arguments.b)]
    table, cache = Table(), {}
    for name in sorted({name for one in pair for name in one.services}):
        used = [one.topologies[one.services[name]["topology"]] for one in pair if name in one.services]
        key = tuple(id(topology) for topology in used)
        if key not in cache:
            all_scopes = arguments.all_scopes or len(used) == 1
            cache[key] = {version: clients(used, version, arguments.clients, dice, all_scopes) for version in BITS}
        for rrtype in ("A", "AAAA", "CNAME", "TXT", "HTTPS"):
            if name in pair[0].services and name in pair[1].services or rrtype in ("A", "AAAA"):
                add_service(table, pair, name, rrtype, cache[key])
    for name, rrtype in sorted({key for one in pair for zone in one.zones for key in zone.sets} |
                               {("no." + zone.name, "A") for zone in pair[0].zones}):
        if rrtype in ("TXT", "A", "SOA") and not any(name in one.services for one in pair):
            for version, address in RESOLVER.items():
                resolver = (version, int(ipaddress.ip_address(address)))
                table.add("zone", version, name, rrtype, None, [one.reply(name, rrtype, None, resolver) for one in pair])
                table.add("zone", version, name, rrtype, (2, ipaddress.ip_address("2001:db8::").packed, 32, 32, 56),
                          [one.reply(name, rrtype, None, resolver) for one in pair])
    table.write(dice, sys.stdout)


def random_prefix(dice, version, lengths):
    bits = BITS[version]
    while True:
        length = dice.choice(lengths)
        # IPv6: 2000::/3, which is where the addresses of the world are
        address = dice.getrandbits(bits) if version == 4 else 1 << 125 | dice.getrandbits(125)
        network = ipaddress.ip_network((address >> (bits - length) << (bits - length), length))
        if not any(special.version == version and special.overlaps(network) for special in SPECIAL):
            return network


def make_prefixes(arguments):
    dice = random.Random(arguments.seed)
    seen = set()
    for version, count, lengths in ((4, arguments.count4, arguments.lengths4), (6, arguments.count6, arguments.lengths6)):
        goal = len(seen) + count
        while len(seen) < goal:
            network = random_prefix(dice, version, lengths)
            if network not in seen:
                seen.add(network)
                print(f"{network},{dice.choice(arguments.region)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    table = verbs.add_parser("table")
    table.add_argument("a")
    table.add_argument("b")
    table.add_argument("--clients", type=int, default=60, help="client blocks of a topology and family")
    table.add_argument("--seed", type=int, default=1)
    table.add_argument("--all-scopes", action="store_true")
    table.add_argument("--may-fall", metavar="MEMBER", action="append", default=[], help="never the last of its pool")
    table.set_defaults(run=make_table)
    prefixes = verbs.add_parser("prefixes")
    prefixes.add_argument("seed", type=int)
    prefixes.add_argument("count4", type=int)
    prefixes.add_argument("count6", type=int)
    prefixes.add_argument("region", nargs="+")
    prefixes.add_argument("--lengths4", type=int, nargs="+", default=[24])
    prefixes.add_argument("--lengths6", type=int, nargs="+", default=[48])
    prefixes.set_defaults(run=make_prefixes)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
