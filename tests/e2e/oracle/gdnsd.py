#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
gdnsd as an oracle for client subnets: the same configuration for it, and where it is known to differ.

usage: gdnsd.py FOLDER RUN ADDRESS...

Reads FOLDER/main.yaml, an ecsdns configuration, and writes gdnsd's into FOLDER/gdnsd: plugin geoip with a map for each topology
(a datacenter is a region) and a resource for each service, and the zones with a DYNA or DYNC record for each service. The
daemon keeps its own files in the folder RUN.
"""
import ipaddress
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "load"))
import model  # noqa: E402

# What gdnsd takes for IPv4 in disguise. It has one tree for both families, with IPv4 at ::/96. Addresses in the other blocks
# are looked up as the IPv4 address in them, and each is a leaf of its own, so that no scope reaches over it: see
# gdnsd-plugin-geoip(8), "IPv4 Compatible Addresses", and libgdmaps/nets.c, nets_make_list(), which has ::ffff:0:0:0/96, too.
APART = [ipaddress.ip_network(text) for text in
         ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "2001::/32", "2002::/16")]


def network(bits, first, length):
    return (ipaddress.IPv4Network if bits == 32 else ipaddress.IPv6Network)((first, length))


def reaches_apart(address, length):
    """Does the IPv6 block of this length around the address hold one of them, or the other way round?"""
    return any((address ^ int(block.network_address)) >> (128 - min(length, block.prefixlen)) == 0 for block in APART)


def is_apart(address, length):
    """Is the IPv6 block of this length around the address inside one of them?"""
    return any((address ^ int(block.network_address)) >> (128 - block.prefixlen) == 0
               for block in APART if block.prefixlen <= length)


def cut_family(topology):
    """The IPv6 family as gdnsd cuts it."""
    family, ipv4 = topology.families[6], topology.families[4].whole()
    cut = model.Family(6, family.default)
    for (length, leading), region in family.of.items():
        cut.add(network(128, leading << (128 - length), length), region)
    for block in APART:
        cut.add(block, ipv4 if block == APART[0] and ipv4 else f"apart {block}")
    cut.finish()
    return cut


# -- its configuration -------------------------------------------------------------------------------------------------

def is_hidden(family, first, length):
    """Do longer prefixes cover all of the block, so that no address matches it?"""
    if length == family.bits:
        return False
    half = 1 << (family.bits - length - 1)
    return all((length + 1, start >> (family.bits - length - 1)) in family.of or
               family.has_inside(start, length + 1) and is_hidden(family, start, length + 1)
               for start in (first, first + half))


def nets(topology):
    """
    Prefix and region, for both families together. Each begins with its default, since gdnsd's own default is the list of
    all datacenters, which is not the region of that name; and since ::/0 holds IPv4, too. Hidden prefixes are left out:
    gdnsd first merges equal neighbours, and whether those or a prefix of the same block behind them wins is
    arbitrary then, as its manual says ("an effective one, after merging smaller subnets"), and for the user to prevent.
    """
    for family in topology.families.values():
        for first, length in sorted({(0, 0), *family.order}):
            if not is_hidden(family, first, length):
                yield (network(family.bits, first, length),
                       family.of.get((length, first >> (family.bits - length)), family.default))


def write_map(out, name, topology):
    datacenters = [topology.families[4].default] + [region for region in topology.regions
                                                    if region != topology.families[4].default]
    out.write(f"  {name} => {{\n    datacenters => [ {', '.join(datacenters)} ]\n    nets => {{\n")
    out.write("".join(f"      {prefix} => {region}\n" for prefix, region in nets(topology)))
    out.write("    }\n  }\n")


def write_resource(out, configuration, service):
    out.write(f"  {label(service)} => {{\n    map => {service['topology']}\n    service_types => up\n    dcmap => {{\n")
    for region in configuration.regions(service):
        if configuration.is_alias(service):
            data = configuration.pools[configuration.preferred(service, region)[0]]["cname"]
        else:
            data = "{ "
            for rrtype, key in (("A", "addrs_v4"), ("AAAA", "addrs_v6")):
                if configuration.has(service, rrtype):
                    members = configuration.pool_data(configuration.pool_of(service, rrtype, region), rrtype)
                    data += f"{key} => [ {', '.join(member['address'] for member in members)} ] "
            data += "}"
        out.write(f"      {region} => {data}\n")
    out.write("    }\n  }\n")


def label(service):
    return service["name"].split(".")[0]


def write_zone(path, zone, configuration):
    with open(zone.path, encoding="ascii") as text, open(path, "w", encoding="ascii") as out:
        out.write(text.read())
        for service in configuration.services.values():
            if configuration.zone_of(service["name"]) is zone:
                ttl, kind = service.get("ttl", 30), "DYNC" if configuration.is_alias(service) else "DYNA"
                out.write(f"{service['name']}. {ttl}/{ttl} {kind} geoip!{label(service)}\n")


def main():
    folder, run, addresses = sys.argv[1], sys.argv[2], sys.argv[3:]
    configuration = model.Configuration(os.path.join(folder, "main.yaml"))
    home = os.path.join(folder, "gdnsd")
    os.makedirs(os.path.join(home, "zones"))
    with open(os.path.join(home, "config"), "w", encoding="ascii") as out:
        out.write(f"options => {{\n  listen => [ {', '.join(addresses)} ]\n  run_dir => {run}/run\n"
                  f"  state_dir => {run}/state\n  udp_threads => 1\n  tcp_threads => 1\n}}\n")
        out.write("plugins => { geoip => {\nmaps => {\n")
        for name, topology in configuration.topologies.items():
            write_map(out, name, topology)
        out.write("}\nresources => {\n")
        for service in configuration.services.values():
            write_resource(out, configuration, service)
        out.write("}\n} }\n")
    for zone in configuration.zones:
        write_zone(os.path.join(home, "zones", zone.name), zone, configuration)


if __name__ == "__main__":
    main()
