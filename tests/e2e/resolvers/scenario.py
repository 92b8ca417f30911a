#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Who asks, in which orders, for which names; and what each must get, by the naive model (tests/load/model.py).

  scenario.py services INSTANCE...            the services that these instances ask for, as lines of a configuration
  scenario.py knot CONFIG FOLDER INSTANCE...  the same names and sites as Knot reads them: FOLDER/geoip.conf, and
                                              FOLDER/example.com.zone with the default, which Knot answers with scope 0
"""
import ipaddress
import itertools
import os
import sys

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../load"))
import model  # noqa: E402

TTL = 10
LONG_TTL = 300  # of names that are asked for as long as it takes
CUT4 = 24  # both resolvers' default
# As the resolvers hear from them. Rows are those of tests/e2e/scenario.tsv.
CLIENTS = {word: ipaddress.ip_network(text) for word, text in {
    "tokyo": "240b:10:0:1::/64",  # row 1, the default
    "osaka1": "240b:10:200:1::/64",  # row 2
    "osaka2": "240b:10:280:1::/64",  # row 3, where clients are cut at /40
    "osaka3": "240b:10:300:1::/64",  # row 4
    "kyushu": "240b:10:400:1::/64",  # row 5
    "ipv4": "192.0.2.0/24",  # row 12
    "source0": "::/0",  # wants nobody to know: answered by the resolver's own address
}.items()}
OWN = ("osaka1", "osaka2", "osaka3", "kyushu")  # those with a prefix of their own
# A client, another one of the same leaf, one of the leaf beside it.
LEAVES = {leaf: [ipaddress.ip_network(text) for text in texts] for leaf, texts in {
    "kyushu": ("240b:10:400:1::/64", "240b:10:5ff:1::/64", "240b:10:600:1::/64"),  # rows 5, 6, 8
    "tokyo": ("240b:10:0:1::/64", "240b:10:1ff:1::/64", "240b:10:200:1::/64"),  # rows 1, 2
    "afar": ("240b:11:0:1::/64", "240b:11:ffff:1::/64", "240b:12:0:1::/64"),  # row 13
    "ipv4": ("192.0.2.0/24", "198.51.100.0/24", "100.64.0.0/24"),
}.items()}
OTHER_NAMES = ["leaf-" + leaf for leaf in LEAVES] + ["own-address", "nodata", "two-lengths"]


def orders(source0):
    """Every order of the default's client, one with its own prefix, and an IPv4 client; with source 0 first and last."""
    for own in OWN:
        yield from itertools.permutations(("tokyo", own, "ipv4"))
        if source0:
            yield ("source0", own, "tokyo", "ipv4")
            yield ("ipv4", "tokyo", own, "source0")


def name_of(instance, *words):
    # One label, or QNAME minimisation would ask for those between, too.
    return "-".join((instance,) + words) + ".example.com"


class Topology:
    """What clients get from a resolver that cuts IPv6 clients at this length, and what it may keep."""

    def __init__(self, config, name, cut):
        with open(config, encoding="utf-8") as text:
            value = yaml.safe_load(text)
        self.model = model.Topology(value["topologies"][name], os.path.dirname(config))
        self.sites = {region: value["pools"][region]["members"][0]["address"] for region in self.model.regions}
        self.default = self.sites[value["topologies"][name]["default"]]
        self.cut = {4: CUT4, 6: cut}

    def sent(self, client):
        return client.supernet(new_prefix=min(client.prefixlen, self.cut[client.version]))

    def look(self, client):
        sent = self.sent(client)
        return self.model.look(sent.version, int(sent.network_address))

    def site(self, client):
        """Who says nothing of itself is answered by the resolver's address, which is the default's."""
        return self.sites[self.look(client)[0]] if client and client.prefixlen else self.default

    def block(self, client):
        """What an answer to this client may be kept for: source or scope, whichever is shorter."""
        sent = self.sent(client)
        return sent.supernet(new_prefix=min(self.look(client)[1], sent.prefixlen))

    def entries(self, clients):
        return {f"{self.block(client)} {self.site(client)}" for client in clients if client.prefixlen}


# -- configurations ----------------------------------------------------------------------------------------------------

def print_services(instances):
    def service(name, topology, ttl):
        print(f"  - {{name: {name}, topology: {topology}, ttl: {ttl}}}")

    for instance in instances:
        for words in orders(source0=True):
            service(name_of(instance, *words), "japan", TTL)
        for word in OTHER_NAMES:
            service(name_of(instance, word), "japan", LONG_TTL)
        service(name_of(instance, "crowd"), "crowd", LONG_TTL)


def write_knot(config, folder, instances):
    names = [name_of(instance, *words) for instance in instances for words in orders(source0=False)]
    japan = Topology(config, "japan", 128)
    with open(os.path.join(folder, "example.com.zone"), "w", encoding="ascii") as zone:
        print(f"$TTL {TTL}\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 AAAA ::1", file=zone)
        for name in names:
            print(f"{name}. AAAA {japan.default}", file=zone)
    prefixes = yaml.safe_load(open(config, encoding="utf-8"))["topologies"]["japan"]["prefixes"]
    with open(os.path.join(folder, "geoip.conf"), "w", encoding="ascii") as table:
        for name in names:
            print(f"{name}:", file=table)
            for prefix, region in prefixes.items():
                print(f"  - net: {prefix}\n    AAAA: {japan.sites[region]}", file=table)


if __name__ == "__main__":
    if sys.argv[1] == "services":
        print_services(sys.argv[2:])
    else:
        write_knot(*sys.argv[2:4], sys.argv[4:])
