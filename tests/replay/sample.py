#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
sample.py CONFIG.yaml FILE: the queries and replies that `replay fallback` put into FILE, read by dnspython.

A line is NUMBER FORM TRANSPORT CLIENT QUERY DRIVER FALLBACK, address and messages in hex or "-". What a query is (well-formed, a service's, or
not: FORM) is worked out here once more, from the configuration. Last line: figures; exit 1 if anything is wrong.
"""
import collections
import os
import sys

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import yaml

import targets

OUR_SIZE, LEAST_SIZE = 1232, 512
COPIED = dns.flags.RD | dns.flags.CD
CLEAR = dns.flags.RA | dns.flags.AD | 0x40
SHOWN = 10


class Wrong(Exception):
    pass


class Subnet(dns.edns.ECSOption):
    """As dnspython reads it, and what `dig +subnet=0` sends, which has no family."""

    @classmethod
    def from_wire_parser(cls, otype, parser):
        if parser.remaining() == 4 and parser.wire[parser.current:parser.end] == bytes(4):
            return dns.edns.GenericOption(otype, parser.get_remaining())
        return super().from_wire_parser(otype, parser)


class Info(dns.edns.GenericOption):
    """Octets: nobody reads what a client says in an extended error, and it need not be text; servers' are two."""


dns.edns.register_type(Subnet, dns.edns.ECS)
dns.edns.register_type(Info, dns.edns.EDE)


def need(condition, why):
    if not condition:
        raise Wrong(why)


def opcode(wire):
    return wire[2] >> 3 & 15


def parse(wire):
    """As if it had opcode QUERY: dnspython knows but a few, and reads updates in another way."""
    return dns.message.from_wire(wire[:2] + bytes([wire[2] & 0x87]) + wire[3:], one_rr_per_rrset=True)


def parse_query(wire):
    """None if it is not one that must be understood."""
    try:
        query = parse(wire)
    except (dns.exception.DNSException, ValueError, IndexError):
        return None
    return query if len(query.question) == 1 and not query.answer and not query.authority else None


class Judge:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
        zones = targets.read_zones(config, os.path.dirname(path))
        self.services = targets.services(config, zones)
        self.ecs = config["server"]["ecs"]["enabled"]

    def is_meta(self, kind):
        return kind == dns.rdatatype.OPT or 128 <= kind < dns.rdatatype.ANY

    def is_service(self, query, asked):
        """Is it the service's own to answer?"""
        question = query.question[0]
        if opcode(asked) or query.edns > 0 or question.rdclass != dns.rdataclass.IN:
            return False
        if self.is_meta(question.rdtype) or question.name not in self.services:
            return False
        own = self.services[question.name]
        return own is None or question.rdtype in own

    def form(self, form, query, asked):
        """The generator's word against ours; of damaged ones it gives none."""
        if form == "d":
            return
        need(query is not None, "dnspython cannot read a query that is well-formed")
        need(self.is_service(query, asked) == (form == "s"), f"form {form} of {query.question[0]}")

    def subnet(self, query, wire, reply, is_error):
        """RFC 7871 7.2.1: the first of the query, unchanged but for the scope."""
        asked = [option for option in query.options if option.otype == dns.edns.ECS] if self.ecs else []
        got = [option for option in reply.options if option.otype == dns.edns.ECS]
        need(len(got) == (1 if asked and not is_error else 0), f"{len(got)} client subnets to {len(asked)}")
        if got:
            octets = got[0].to_wire()
            need(octets[:3] + octets[4:] == asked[0].to_wire()[:3] + asked[0].to_wire()[4:], "the client subnet has changed")
            need(bytes(octets) in wire, "the client subnet is not of these octets")

    def info(self, query, reply, is_error):
        """RFC 8914: why there is an error, last of the options."""
        question = query.question[0]
        owed = []
        if reply.edns >= 0 and not is_error and reply.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTIMP):
            transfer = question.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
            unsupported = reply.rcode() == dns.rcode.NOTIMP or question.rdclass != dns.rdataclass.IN
            owed = [dns.edns.EDECode.NOT_SUPPORTED if unsupported else dns.edns.EDECode.PROHIBITED if transfer else
                    dns.edns.EDECode.NOT_AUTHORITATIVE]
        got = [option.to_wire() for option in reply.options if option.otype == dns.edns.EDE]
        need(got == [code.to_bytes(2, "big") for code in owed], f"extended errors {got}, owed {owed}")
        need(not owed or reply.options[-1].otype == dns.edns.EDE, "an option behind the extended error")

    def reply(self, form, transport, query, asked, wire):
        reply = parse(wire)
        need(wire[:2] == asked[:2], "id")
        need(reply.flags & dns.flags.QR and opcode(wire) == opcode(asked), "QR or opcode")
        need(reply.flags & COPIED == int.from_bytes(asked[2:4], "big") & COPIED and not reply.flags & CLEAR, "flags")
        if transport == "udp":
            need(len(wire) <= (OUR_SIZE if reply.edns >= 0 else LEAST_SIZE), "size")
        if reply.edns >= 0:
            need(reply.edns == 0 and reply.payload == OUR_SIZE and not reply.ednsflags & 0x7fff, "OPT")
        if form == "d":
            return
        is_error = opcode(wire) or reply.rcode() in (dns.rcode.FORMERR, dns.rcode.BADVERS)
        question = 12 + len(query.question[0].name.to_wire()) + 4
        need(wire[12:question] == asked[12:question], "question")
        need((reply.edns >= 0) == (query.edns >= 0), "OPT in, OPT out")
        need(reply.ednsflags & dns.flags.DO == query.ednsflags & dns.flags.DO, "DO")
        self.subnet(query, wire, reply, is_error)
        self.info(query, reply, is_error)
        if transport == "udp":
            need(len(wire) <= max(LEAST_SIZE, min(query.payload, OUR_SIZE)), "size asked for")
        if form == "s":
            self.service(query, reply)

    def service(self, query, reply):
        name, kind = query.question[0].name, query.question[0].rdtype
        need(reply.rcode() == dns.rcode.NOERROR and reply.flags & dns.flags.AA, "rcode or AA")
        types = {kind, dns.rdatatype.CNAME} | ({dns.rdatatype.HINFO} if kind == dns.rdatatype.ANY else set())
        need(all(record.name == name and record.rdtype in types for record in reply.answer), "answer")
        need(len({record.ttl for record in reply.answer}) <= 1, "TTLs")
        if reply.flags & dns.flags.TC:
            need(not reply.answer and not reply.authority, "TC with records")
        elif not reply.answer:
            need([record.rdtype for record in reply.authority] == [dns.rdatatype.SOA], "no SOA with no data")


def is_owed(wire):
    return len(wire) >= 12 and not wire[2] & 0x80


def judge_line(judge, line):
    """-> how many messages were read"""
    _, form, transport, _, *messages = line.split()
    asked, driver, fallback = (b"" if text == "-" else bytes.fromhex(text) for text in messages)
    query = parse_query(asked)
    judge.form(form, query, asked)
    need(is_owed(asked) == bool(fallback), "a reply that is not owed, or none that is")
    if driver:
        judge.reply(form, "udp", query, asked, driver)
    if fallback:
        judge.reply(form, transport, query, asked, fallback)
    return bool(driver) + bool(fallback)


def main():
    judge, counts = Judge(sys.argv[1]), collections.Counter()
    with open(sys.argv[2], encoding="ascii") as file:
        for line in file:
            counts["queries"] += 1
            counts["services"] += line.split()[1] == "s"
            try:
                counts["replies"] += judge_line(judge, line)
            except Exception as fault:
                counts["wrong"] += 1
                if counts["wrong"] <= SHOWN:
                    print(f"# wrong: {type(fault).__name__}: {fault}\n#   {line.strip()}")
    print(*(f"{name} {counts[name]}" for name in ("queries", "services", "replies", "wrong")))
    return 1 if counts["wrong"] or not counts["replies"] else 0


if __name__ == "__main__":
    sys.exit(main())
