#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
mix_judge.py CONFIG.yaml FILE: every well-formed query of the mix and its reply, from `replay fallback --sample-one-in 1`.

dnspython reads them; records, rcode, truncation and scope must be those of the naive model (tests/load/model.py), which
looks at prefixes one by one. Then a line "drawn PERCENT NAME" for each share of the mix, as they are in what was sent. Last
line: figures; exit 1 if anything is wrong.
"""
import collections
import ipaddress
import os
import sys

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "load"))
import model

LEAST_SIZE, OUR_SIZE, OPT, OPTION, RECORD = 512, 1232, 11, 4, 12
# docs/client-subnet.md, requirement 8; no source of the mix is long enough for ::1 and ::
SPECIAL = [ipaddress.ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "fe80::/10")]
NETWORKS = {4: ipaddress.IPv4Network, 6: ipaddress.IPv6Network}
SHOWN = 10


def parse(octets):
    return dns.message.from_wire(octets, one_rr_per_rrset=True)


def subnet(message):
    return next((option for option in message.options if option.otype == dns.edns.ECS), None)


def octets_of(records):
    """As in model.form(): lowered, uncompressed, sorted."""
    return [model.wire_name(record.name.to_text()) + record.rdtype.to_bytes(2, "big") + b"\0\1"
            + record.ttl.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
            for record in records for data in [record[0].to_digestable()]]


class Judge:
    def __init__(self, path):
        self.config = model.Configuration(path)
        self.forms, self.places = {}, {}
        self.above = {name.split(".", 1)[1] for name in self.config.services}

    def place(self, topology, version, address):
        key = (topology, version, address)
        if key not in self.places:
            self.places[key] = self.config.topologies[topology].look(version, address)
        return self.places[key]

    def service_forms(self, service, rrtype, region):
        key = (service["name"], rrtype, region)
        if key not in self.forms:
            self.forms[key] = set(self.config.service_forms(service, rrtype, region))
        return self.forms[key]

    def zone_form(self, zone, name, rrtype):
        reply = zone.reply(name, rrtype)
        return model.form(0, (), [zone.soa]) if reply[0] == model.NXDOMAIN and name in self.above else reply

    def look(self, service, client, resolver):
        """Region and scope."""
        if client is None:
            return self.place(service["topology"], *resolver)[0], 0
        version, address, source = client
        block = NETWORKS[version]((address, source))
        for special in SPECIAL:
            if special.version == version and block.subnet_of(special):
                return self.place(service["topology"], *resolver)[0], special.prefixlen
        return self.place(service["topology"], version, address)

    def expected(self, name, rrtype, client, resolver):
        """The forms that a reply may have (none: refused), and its scope."""
        service, zone = self.config.services.get(name), self.config.zone_of(name)
        if not zone:
            return None, 0
        if not service or (name, rrtype) in zone.sets:
            return {self.zone_form(zone, name, rrtype)}, 0
        region, scope = self.look(service, client, resolver)
        return (self.service_forms(service, rrtype, region), scope if self.config.is_tailored(service, rrtype) else 0)

    def judge(self, query, reply, octets, resolver):
        question = query.question[0]
        name, rrtype = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        asked, got = subnet(query), subnet(reply)
        address = ipaddress.ip_address(asked.address) if asked else None
        client = (address.version, int(address), asked.srclen) if asked else None
        if rrtype == "ANY" and name in self.config.services:
            data = [record[0].to_text() for record in reply.answer]
            return None if data == ['"RFC8482" ""'] and (not got or not got.scopelen) else f"ANY with {data}"
        forms, scope = self.expected(name, rrtype, client, resolver)
        if forms is None:
            return None if reply.rcode() == dns.rcode.REFUSED else "a name of nobody is not refused"
        if asked and (not got or got.scopelen != scope):
            return f"scope {got and got.scopelen}, by the model {scope}"
        if reply.flags & dns.flags.TC:
            return self.judge_truncated(query, octets, forms)
        found = model.form(reply.rcode(), octets_of(reply.answer), octets_of(reply.authority))
        return None if found in forms and not reply.additional else "the records are not the model's"

    @staticmethod
    def judge_truncated(query, octets, forms):
        """Only what does not fit; of services all answers have one size: an owner is a pointer."""
        form = next(iter(forms))
        count, name = int.from_bytes(form[1:3], "big"), len(query.question[0].name.to_wire())
        whole = len(octets) + (len(form) - 7) - count * (name - 2)
        limit = LEAST_SIZE if query.edns < 0 else max(LEAST_SIZE, min(query.payload, OUR_SIZE))
        return None if count and whole > limit else f"truncated, but {whole} octets are no more than {limit}"


def count_shares(counts, names, query):
    question = query.question[0]
    rrtype, name = dns.rdatatype.to_text(question.rdtype), question.name.to_text()
    counts["type " + (rrtype if rrtype in ("A", "AAAA", "HTTPS") else "of others")] += 1
    counts["mixed case"] += name != name.lower()
    names[name.lower()] += 1
    counts["DNS cookie"] += any(option.otype == dns.edns.OptionType.COOKIE for option in query.options)
    counts["client subnet"] += subnet(query) is not None
    counts["DO"] += bool(query.ednsflags & dns.flags.DO)
    counts[f"size {query.payload if query.edns >= 0 else LEAST_SIZE}"] += 1


def main():
    judge, counts, shares, names = Judge(sys.argv[1]), *(collections.Counter() for _ in range(3))
    with open(sys.argv[2], encoding="ascii") as file:
        for line in file:
            _, form, _, client, *messages = line.split()
            counts["queries"] += 1
            if form == "d":
                shares["malformed"] += 1
                continue
            asked, _, reply = (bytes.fromhex(text.strip("-")) for text in messages)
            resolver = (4 if len(client) == 8 else 6, int(client, 16))
            query = parse(asked)
            count_shares(shares, names, query)
            try:
                why = judge.judge(query, parse(reply), reply, resolver) if reply else "no reply"
            except Exception as fault:      # a reply that dnspython cannot read, above all
                why = f"{type(fault).__name__}: {fault}"
            counts["judged"] += 1
            counts["wrong"] += why is not None
            if why and counts["wrong"] <= SHOWN:
                print(f"# wrong: {why}\n#   {line.strip()}")
    most = [count for _, count in names.most_common(10)]
    shares.update({"the name most asked": sum(most[:1]), "the ten most asked": sum(most)})
    for name, count in sorted(shares.items()):
        print(f"drawn {100 * count / (counts['queries'] if name == 'malformed' else counts['judged']):.2f} {name}")
    print(*(f"{name} {counts[name]}" for name in ("queries", "judged", "wrong")))
    return 1 if counts["wrong"] or not counts["judged"] else 0


if __name__ == "__main__":
    sys.exit(main())
