#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
targets.py CONFIG.yaml: what can be asked there, for build/replay (query.h).

    service NAME TYPES    a service; zone data stand at its name, too, and only TYPES are the service's own ("-": it has all)
    zone NAME             anything else: records, names that do not exist, zones that are not served
    prefix FAMILY ADDRESS LENGTH    where topologies change

Names are lowered wire form in hex, types numbers parted by commas. Nothing of the server's own code has a part in it.
"""
import ipaddress
import os
import sys

import dns.name
import dns.rdatatype
import dns.zone
import yaml

SPECIAL = ["127.0.0.0/8", "0.0.0.0/8", "169.254.0.0/16", "fe80::/10", "::/127", "::ffff:0:0/96", "0.0.0.0/0", "::/0"]


def read_zones(config, directory):
    zones = {}
    for entry in config.get("zones", []):
        origin = dns.name.from_text(entry["name"])
        zones[origin] = dns.zone.from_file(os.path.join(directory, entry["file"]), origin, relativize=False,
                                           check_origin=False)
    return zones


def has_data(zones, name):
    """Does the zone have more at this name than the SOA and NS that every apex has?"""
    return any(rdataset.rdtype not in (dns.rdatatype.SOA, dns.rdatatype.NS)
               for zone in zones.values() for rdataset in zone.get_node(name) or [])


def pool_types(pool):
    if "cname" in pool:
        return {dns.rdatatype.CNAME, dns.rdatatype.A, dns.rdatatype.AAAA}
    addresses = [ipaddress.ip_address(member["address"]) for member in pool["members"]]
    return {dns.rdatatype.A if address.version == 4 else dns.rdatatype.AAAA for address in addresses}


def own_types(config, entry):
    """What a service's pools have, and ANY."""
    topology = config["topologies"][entry["topology"]]
    regions = {topology["default"], *topology.get("prefixes", {}).values()}
    pools = [pool for region in regions for pool in entry.get("regions", {}).get(region, [region])]
    return {dns.rdatatype.ANY}.union(*(pool_types(config["pools"][pool]) for pool in pools))


def services(config, zones):
    """Name -> its own types, or None for all there are."""
    found = {dns.name.from_text(entry["name"]): entry for entry in config["services"]}
    return {name: own_types(config, entry) if has_data(zones, name) else None for name, entry in found.items()}


def others(zones, names):
    """Zone data, and what is beside, above and below of it and of services."""
    found = {dns.name.root, dns.name.from_text("com"), dns.name.from_text("served.by.nobody.test")}
    for name in [name for zone in zones.values() for name in zone.keys()] + list(names):
        found.add(name)
        found.add(name.parent())
        for label in ("none", "two.none"):
            try:
                found.add(dns.name.from_text(label, name))
            except dns.name.NameTooLong:
                pass
    return found - set(names)


def prefixes(config, directory):
    found = {prefix for topology in config["topologies"].values() for prefix in topology.get("prefixes", {})}
    for topology in config["topologies"].values():
        if "file" in topology:
            with open(os.path.join(directory, topology["file"]), encoding="ascii") as table:
                found.update(line.split(",")[0] for line in table if line[0] != "#")
    return sorted(found) + SPECIAL


def wire(name):
    return name.canonicalize().to_wire().hex()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        config = yaml.load(file, yaml.CSafeLoader)
    zones = read_zones(config, os.path.dirname(sys.argv[1]))
    names = services(config, zones)
    for name, types in sorted(names.items()):
        print("service", wire(name), ",".join(str(int(kind)) for kind in sorted(types)) if types else "-")
    for name in sorted(others(zones, names)):
        print("zone", wire(name))
    for prefix in prefixes(config, os.path.dirname(sys.argv[1])):
        network = ipaddress.ip_network(prefix)
        print("prefix", 1 if network.version == 4 else 2, network.network_address.packed.hex(), network.prefixlen)


if __name__ == "__main__":
    main()
