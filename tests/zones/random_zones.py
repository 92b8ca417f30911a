#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random small zones, asked for every name over their few labels, beside Knot and NSD with the same data.

    random_zones.py write SEED COUNT FOLDER    FOLDER/main.yaml and its zones; FOLDER/peers/ for Knot and NSD, where
                                               services are plain records
    random_zones.py ask SEED COUNT EACH        ask all three EACH random questions about each zone, 0 for every one

Our reply must be that of one of the two, but for a minimal response (replies.py) and what these rules say:

    ANY      Where the others give all records of a name, or some, there is one HINFO record (RFC 8482 4.2).
    services An alias to a service ends the answer: what the service has depends on the client (RFC 7871 7.2.1), which
             asks for it next. For the same reason no additional section has its addresses.
    HTTPS    The additional section is that of additional() below, written from RFC 9460 4.1: NSD 4.6 has none, and
             Knot 3.2 goes neither to the owner, for the target ".", nor past the first alias.
    aliases  No more than 12 in a reply, here and there another number: resolvers ask on (RFC 1034 5.2.2).
    MX, SRV  Knot also gives addresses that a delegation hides; like NSD's, our additional section has none.
    zones    An alias into another zone of ours goes on there (RFC 1034 4.3.2 step 3.a: "go back to step 1"). Knot and
             NSD do not leave the zone: their answer goes on with their reply for that name.
"""
import collections
import itertools
import os
import random
import sys

import peers
import replies

LABELS = ("a", "b", "*")
DEPTH = 3
TYPES = ("A", "AAAA", "TXT", "NS", "DS", "CNAME", "DNAME", "MX", "SRV", "HTTPS", "SOA", "ANY")
TTL = {rdtype: 100 + number for number, rdtype in enumerate(TYPES)}
SERVICE_TTL = 77
POOLS = {"p4": ["A"], "p46": ["A", "AAAA"]}
MEMBERS = {"A": "198.51.100.1", "AAAA": "2001:db8:5::1"}
ALIASES = 12
FAILURES_SHOWN = 5


def all_names(labels):
    """Tuples of labels below an origin, () for itself."""
    return [name for length in range(DEPTH + 1) for name in itertools.product(labels, repeat=length)]


def is_below(name, ancestor):
    return len(name) > len(ancestor) and name[len(name) - len(ancestor):] == ancestor


# -- zones --

class Zone:
    """records: name -> type -> data; services: name -> pool; children: further zones, served as well."""

    def __init__(self, origin, generator, is_child=False):
        self.origin, self.random, self.is_child = origin, generator, is_child
        self.records, self.services, self.children = {}, {}, []
        self.make()

    def text(self, name):
        return ".".join(name + (self.origin,))

    def name_of(self, text):
        """The tuple, or None for what is not in the zone."""
        if text == self.origin:
            return ()
        return tuple(text[:-len(self.origin) - 1].split(".")) if text.endswith("." + self.origin) else None

    def names(self):
        return itertools.chain(self.records, self.services)

    def add(self, name, rdtype, data):
        known = self.records.setdefault(name, {}).setdefault(rdtype, [])
        if data not in known:
            known.append(data)

    def has(self, name, rdtype):
        return rdtype in self.records.get(name, {})

    def is_cut(self, name):
        return bool(name) and self.has(name, "NS")

    def is_hidden(self, name):
        return any(is_below(name, other) for other in self.records if self.is_cut(other))

    def is_redirected(self, name):
        return any(is_below(name, other) for other in self.records if self.has(other, "DNAME"))

    # What may stand where: CNAME alone, nothing below DNAME, no NS beside it, neither of them at a wildcard; a service
    # where the zone has authority, and not beside its own types. NSD, for which all zones are one tree, takes no zone
    # with names below another zone's DNAME: zones with children and these have none near each other.

    def make(self):
        self.add((), "SOA", f"ns.outside.invalid. host.outside.invalid. 1 7200 900 1209600 "
                            f"{self.random.choice((30, 300))}")
        for _ in range(self.random.randint(1, 2)):
            self.add((), "NS", self.target())
        makers = [self.make_data] * 3 + [self.make_alias] * 2 + [self.make_delegation] * 2 + [self.make_dname] + \
            [self.make_service]
        for _ in range(self.random.randint(3, 12)):
            name = self.random.choice(all_names(LABELS)) if self.random.random() < 0.9 else ()
            if not self.has(name, "CNAME") and not self.is_redirected(name):
                self.random.choice(makers)(name)

    def target(self):
        chance = self.random.random()
        if chance < 0.08:
            return "host.outside.invalid."
        if chance < 0.5 and self.records:
            return self.text(self.random.choice(list(self.records)))
        return self.text(self.random.choice(all_names(LABELS)))

    def data(self, rdtype):
        number = self.random.randint(1, 9)
        if rdtype == "HTTPS":
            return self.random.choice((f"0 {self.target()}", f"1 {self.target()}", f"2 {self.target()} port=8443",
                                       "1 . alpn=h2", "0 ."))
        return {"A": f"192.0.2.{number}", "AAAA": f"2001:db8::{number}", "TXT": f'"t{number}"',
                "DS": f"{number} 8 2 " + f"{number:02x}" * 32}.get(rdtype) or \
            (f"{number} {self.target()}" if rdtype == "MX" else f"{number} 0 53 {self.target()}")

    def make_data(self, name):
        for rdtype in self.random.sample(("A", "AAAA", "TXT", "MX", "SRV", "HTTPS"), self.random.randint(1, 3)):
            if rdtype not in POOLS.get(self.services.get(name), ()):
                for _ in range(self.random.choice((1, 1, 2))):
                    self.add(name, rdtype, self.data(rdtype))

    def make_alias(self, name):
        if name and name not in self.names():
            self.add(name, "CNAME", self.target())

    def make_dname(self, name):
        if name[:1] != ("*",) and not self.is_cut(name) and not self.has(name, "DNAME") and \
           not self.is_child and not (self.children and self.is_hidden(name)) and \
           not any(is_below(other, name) for other in self.names()):
            self.add(name, "DNAME", self.target())

    def make_delegation(self, name):
        if name[:1] in ((), ("*",)) or self.has(name, "DNAME") or \
           any(other == name or is_below(other, name) for other in self.services):
            return
        for _ in range(self.random.randint(1, 3)):
            inside = (self.random.choice(LABELS),) + name
            self.add(name, "NS", self.random.choice((self.target(), self.text(inside))))
            if self.random.random() < 0.6 and not self.has(inside, "CNAME") and not self.is_redirected(inside):
                rdtype = self.random.choice(("A", "AAAA"))
                self.add(inside, rdtype, self.data(rdtype))
        if self.random.random() < 0.3 and not self.has(name, "DS"):
            self.add(name, "DS", self.data("DS"))
        if self.random.random() < 0.3 and not self.is_child and not self.children and not self.is_hidden(name) and \
           not any(is_below(other, name) and self.has(other, "DNAME") for other in self.records):
            self.children.append(Zone(self.text(name), self.random, True))

    def make_service(self, name):
        pool = self.random.choice(sorted(POOLS))
        if name[:1] != ("*",) and not self.is_cut(name) and not self.is_hidden(name) and \
           not any(self.has(name, rdtype) for rdtype in POOLS[pool]):
            self.services[name] = pool

    # as a file

    def lines(self, with_services):
        for name in dict.fromkeys(self.names()):
            for rdtype, data in self.records.get(name, {}).items():
                yield from (f"{self.text(name)} {TTL[rdtype]} {rdtype} {one}" for one in data)
            if with_services and name in self.services:
                yield from (f"{self.text(name)} {SERVICE_TTL} {rdtype} {MEMBERS[rdtype]}"
                            for rdtype in POOLS[self.services[name]])

    # as a model

    def exists(self, name):
        return any(other == name or is_below(other, name) for other in self.names())

    def find(self, text):
        """Records by type of a name, if the zone has authority for it; services have none (RFC 1034 4.3.2, RFC 4592)."""
        name = self.name_of(text)
        if name is None or self.is_cut(name) or self.is_hidden(name) or self.is_redirected(name):
            return {}
        if not self.exists(name):
            while not self.exists(name):
                name = name[1:]
            name = ("*",) + name
        return self.records.get(name, {})


def generate(seed, count):
    generator = random.Random(seed)
    return [Zone(f"z{number}.seed{seed}.test.", generator) for number in range(count)]


def with_children(zones):
    return [one for zone in zones for one in [zone] + zone.children]


def write(seed, count, folder):
    zones = with_children(generate(seed, count))
    os.makedirs(os.path.join(folder, "peers"))
    for zone in zones:
        for where in ("", "peers"):
            with open(os.path.join(folder, where, zone.origin + "zone"), "w", encoding="ascii") as out:
                out.write("".join(f"{line}\n" for line in zone.lines(where == "peers")))
    with open(os.path.join(folder, "main.yaml"), "w", encoding="ascii") as out:
        out.write('server: {addresses: [198.18.0.1, "fd00:ec5::1"]}\nzones:\n')
        for zone in zones:
            out.write(f'  - {{name: "{zone.origin}", file: "{zone.origin}zone"}}\n')
        out.write("pools:\n")
        for pool, types in POOLS.items():
            members = ", ".join(f'{{name: "{rdtype}", address: "{MEMBERS[rdtype]}"}}' for rdtype in types)
            out.write(f"  {pool}: {{members: [{members}]}}\n")
        out.write("topologies: {%s}\nservices:\n" % ", ".join(f"{pool}: {{default: {pool}}}" for pool in POOLS))
        for zone in zones:
            for name, pool in zone.services.items():
                out.write(f'  - {{name: "{zone.text(name)}", topology: {pool}, ttl: {SERVICE_TTL}}}\n')
    peers.write(os.path.join(folder, "peers"), [zone.origin for zone in zones])
    return 0


# -- what a reply must be --

HINFO = replies.parse_records(['. 3600 IN HINFO "RFC8482" ""'])[0]


def alias_chain(reply, qname):
    """The names that CNAME records lead to, from the question's on."""
    aliases = {record.owner: record.rdata().target.to_text().lower() for record in reply.answer if record.type == "CNAME"}
    names = [qname]
    while names[-1] in aliases and aliases[names[-1]] not in names:
        names.append(aliases[names[-1]])
    return names


def is_own_alias(reply, name):
    """Whether a CNAME record of the reply stands in the zone, and is not made of a DNAME record."""
    return not any(record.type == "DNAME" and name.endswith("." + record.owner) for record in reply.answer)


class Judge:
    """Whether a reply is that of one server, to a question that `ask(name, type)` asks it."""

    def __init__(self, zones):
        self.zones = zones
        self.origins = {zone.origin for zone in zones}
        self.services = {zone.text(name): POOLS[pool] for zone in zones for name, pool in zone.services.items()}

    def is_right(self, ours, ask, qname, qtype):
        theirs = self.rule_aliases(self.rule_zones(ask, qname, qtype), qname)
        if qtype == "ANY":
            theirs = self.rule_any(theirs, qname)
        theirs = self.rule_services(theirs, qname, qtype)
        alternatives = [theirs, replies.minimal(theirs, self.origins)]
        alternatives.append(self.rule_hidden(alternatives[1]))
        if any(record.type == "HTTPS" for record in theirs.answer):
            alternatives = [alternatives[1]._replace(additional=self.additional(theirs.answer))]
        return ours in alternatives

    def closest(self, name):
        """The zone that has authority for a name, or None."""
        return max((zone for zone in self.zones if zone.name_of(name) is not None), key=lambda zone: len(zone.origin),
                   default=None)

    def rule_zones(self, ask, qname, qtype):
        theirs = replies.unique(ask(qname, qtype))
        names = alias_chain(theirs, qname)
        for at in range(1, len(names)):
            if qtype == "CNAME" or qtype == "ANY" and is_own_alias(theirs, names[at - 1]):
                break       # what was asked for
            if self.closest(names[at]) not in (None, self.closest(qname)):
                before = [record for record in theirs.answer if record.owner in names[:at] or record.type == "DNAME"]
                rest = self.rule_zones(ask, names[at], qtype)
                return rest._replace(aa=True, answer=tuple(sorted({*before, *rest.answer})))
        return theirs

    def rule_aliases(self, theirs, qname):
        names = alias_chain(theirs, qname)[:ALIASES + 1]
        if len(names) <= ALIASES:
            return theirs
        answer = tuple(record for record in theirs.answer if record.owner in names[:-1] or
                       record.type == "DNAME" and any(name.endswith("." + record.owner) for name in names[:-1]))
        return theirs if answer == theirs.answer else theirs._replace(rcode="NOERROR", answer=answer, authority=(),
                                                                      additional=())

    def rule_any(self, theirs, qname):
        names = alias_chain(theirs, qname)
        there = [record for record in theirs.answer if record.owner == names[-1] and record.type != "CNAME"]
        if not there or any(is_own_alias(theirs, name) for name in names[:-1]):
            return theirs
        rest = [record for record in theirs.answer if record not in there or
                record.type == "DNAME" and any(name.endswith("." + record.owner) for name in names)]
        hinfo = HINFO._replace(owner=names[-1], ttl=SERVICE_TTL if names[-1] in self.services else HINFO.ttl)
        return theirs._replace(answer=tuple(sorted(rest + [hinfo])), authority=(), additional=())

    def rule_services(self, theirs, qname, qtype):
        theirs = theirs._replace(additional=tuple(
            record for record in theirs.additional
            if record.type not in self.services.get(record.owner, ()) or record.ttl != SERVICE_TTL))
        end = alias_chain(theirs, qname)[-1]
        if end == qname or end not in self.services:
            return theirs
        rest = tuple(record for record in theirs.answer if record.owner != end or record.type == "DNAME")
        if qtype in self.services[end] or qtype == "ANY" or len(rest) == len(theirs.answer):
            return theirs._replace(answer=rest, authority=(), additional=())
        return theirs

    def rule_hidden(self, theirs):
        hosts = {record.owner for record in theirs.answer if record.type in ("MX", "SRV")}
        if not hosts:
            return theirs
        zone = self.closest(hosts.pop())
        return theirs._replace(additional=tuple(record for record in theirs.additional if zone.find(record.owner)))

    def additional(self, answer):
        """Addresses and records of the targets, from the zone of the answer, AliasMode followed (RFC 9460 4.1)."""
        own = next(record.owner for record in answer if record.type == "HTTPS")
        zone = self.closest(own)
        found, followed = set(), {own}
        todo = [(own, record.rdata()) for record in answer if record.type == "HTTPS"]
        while todo:
            owner, rdata = todo.pop()
            target = rdata.target.to_text().lower()
            target = owner if target == "." and rdata.priority else target
            sets = zone.find(target)
            for rdtype in ("A", "AAAA", "HTTPS"):
                records = replies.parse_records(f"{target} {TTL[rdtype]} IN {rdtype} {data}"
                                                for data in sets.get(rdtype, ()))
                if rdtype != "HTTPS" or target != own:
                    found.update(records)
                if rdtype == "HTTPS" and not rdata.priority and target not in followed:
                    followed.add(target)
                    todo += [(target, record.rdata()) for record in records]
        return tuple(sorted(found))


# -- asking --

def explain(zone, qname, qtype, ours, theirs):
    print(f"# {qname} {qtype}:")
    for one in [zone] + zone.children:
        for line in one.lines(True):
            name = one.name_of(line.split()[0])
            print(f"#     {line}" + (" ; service" if f" {SERVICE_TTL} " in line and name in one.services else ""))
    for server, reply in (("ours", ours), *theirs.items()):
        print(f"#   {server}: " + str(reply).replace("\n", "\n# "))


def ask_zone(zone, each, generator, counts):
    ecsdns, others = peers.servers()
    asks = {server: lambda qname, qtype, other=other: replies.parse(other.ask(qname, qtype))
            for server, other in others.items()}
    judge = Judge([zone] + zone.children)
    questions = list(itertools.product(all_names(LABELS + ("c",)), TYPES))
    failed = 0
    for name, qtype in generator.sample(questions, each) if each else questions:
        qname = zone.text(name)
        ours = replies.parse(ecsdns.ask(qname, qtype, tcp=generator.random() < 0.05))
        right = [server for server, ask in asks.items() if judge.is_right(ours, ask, qname, qtype)]
        counts.update(right + ["asked", ours.rcode])
        if not right:
            failed += 1
            if failed + counts["failed"] <= FAILURES_SHOWN:
                explain(zone, qname, qtype, ours, {server: ask(qname, qtype) for server, ask in asks.items()})
    counts["failed"] += failed


def ask(seed, count, each):
    counts, generator = collections.Counter(), random.Random(seed)
    for zone in generate(seed, count):
        ask_zone(zone, each, generator, counts)
    print(f"# ! seed {seed}: {counts['asked']} questions about {count} zones, {counts['failed']} failed; the same as "
          f"Knot {counts['knot']}, as NSD {counts['nsd']}; " +
          ", ".join(f"{rcode} {counts[rcode]}" for rcode in ("NOERROR", "NXDOMAIN", "YXDOMAIN")))
    return 1 if counts['failed'] or not counts["asked"] else 0


def main(arguments):
    if len(arguments) == 4 and arguments[0] == "write":
        return write(int(arguments[1]), int(arguments[2]), arguments[3])
    if len(arguments) == 4 and arguments[0] == "ask":
        return ask(*map(int, arguments[1:]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
