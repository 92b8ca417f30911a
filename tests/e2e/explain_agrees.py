#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Asks the server on the wire and `explain` over the control socket the same questions of random clients, and compares:
records, scope, who answered, and the driver's counters of the reasons that explain gave.

usage: explain_agrees.py SOCKET SERVER RESOLVER COUNT [SEED]

Run beside the clients of a lab with examples/japan.yaml; RESOLVER is the address that the queries come from. Prints a line
for each difference and, last, the number of questions and of differences.
"""
import collections
import http.client
import ipaddress
import json
import random
import socket
import sys
import urllib.parse

import dns.edns
import dns.message
import dns.query

NEAR = ["240b:10:200::/41", "240b:10:280::/41", "240b:10:300::/40", "240b:10:400::/39", "240b:10::/32", "2000::/3",
        "192.0.2.0/24", "198.51.100.0/24", "198.51.100.128/25", "203.0.113.0/24", "10.0.0.0/8", "0.0.0.0/0", "::/0"]
# A weighted pool or a window draws by query id and port, which explain chooses for itself: there, scopes alone.
QUESTIONS = [("www.example.com", "AAAA", True), ("www.example.com", "A", True), ("WWW.example.com", "HTTPS", True),
             ("www.example.com", "ANY", True), ("v4.example.com", "A", False), ("v4.example.com", "AAAA", True),
             ("cdn.example.com", "A", True), ("cdn.example.com", "AAAA", True), ("cdn.example.com", "CNAME", True),
             ("cdn.example.com", "MX", True), ("static.example.com", "A", True), ("none.example.com", "A", True),
             ("www.example.org", "A", True)]


class Control(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("ecsdns")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def get(self, path, **arguments):
        self.request("GET", path + "?" + urllib.parse.urlencode(arguments))
        return json.loads(self.getresponse().read())

    def counters(self):
        return collections.Counter({each["reason"]: each["driver"] for each in self.get("/v1/stats")["reasons"]})


def random_client(chance):
    around = ipaddress.ip_network(chance.choice(NEAR))
    bits = around.max_prefixlen
    address = int(around.network_address) | chance.getrandbits(bits) & int(around.hostmask)
    length = chance.choice([bits, 0, chance.randint(1, bits), chance.randint(bits // 4, bits // 2)])
    return ipaddress.ip_network((address, length), strict=False)


def asked(server, client, name, kind):
    """What came back: (records, scope)."""
    subnet = dns.edns.ECSOption(str(client.network_address), client.prefixlen)
    query = dns.message.make_query(name, kind, use_edns=0, options=[subnet], payload=1232)
    query.flags = 0
    reply = dns.query.udp(query, server, timeout=3)
    records = sorted(each.to_text() for rrset in reply.answer for each in rrset)
    return records, [option.scopelen for option in reply.options if option.otype == dns.edns.ECS][0]


def main():
    path, server, resolver, count = sys.argv[1:5]
    chance = random.Random(sys.argv[5] if len(sys.argv) > 5 else None)
    control = Control(path)
    before, expected, differences = control.counters(), collections.Counter(), 0
    for _ in range(int(count)):
        client = random_client(chance)
        name, kind, is_certain = chance.choice(QUESTIONS)
        reply = control.get("/v1/explain", name=name, type=kind, client=client, resolver=resolver)
        expected[reply["reason"]] += 1
        records, scope = asked(server, client, name, kind)
        said = sorted(each.split(None, 3)[-1] for each in reply.get("answer", []))
        if reply["answered_by"] != "driver":
            continue
        if reply["scope"] != scope or (is_certain and said != records) or len(said) != len(records):
            differences += 1
            print(f"{client} {name} {kind}: /{scope} {records}, explained as /{reply['scope']} {said}")
    counted = control.counters() - before
    for reason in expected:
        if counted[reason] != expected[reason]:
            differences += 1
            print(f"{reason}: counted {counted[reason]} times, explained {expected[reason]} times")
    print(f"{count} questions, {differences} differences")


if __name__ == "__main__":
    main()
