# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries to servers, and replies reduced to what they say: rcode, AA and the records of the three sections.

Names are compared without case, records without order. What two replies to one query must agree in, is all of it, but
for the minimal response, which is this and no more:

    An authoritative reply (AA) whose answer section has records, and whose authority section has nothing but the NS
    records of the zone that the answer is from, may leave out these, and in the additional section the addresses of
    their targets, unless the answer section names the same hosts. RFC 1034 4.3.2 has no such NS records either: step
    3.a goes from the answer to step 6, the additional section, and that holds what is useful with what is there.
"""
import socket
import typing

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

IN = dns.rdataclass.IN
ADDRESSES = ("A", "AAAA")
SERVERS_TRIES = 3
SECONDS = 2


class Record(typing.NamedTuple):
    owner: str
    type: str
    ttl: int
    data: bytes     # canonical form (RFC 4034 6.2)

    def rdata(self):
        return dns.rdata.from_wire(IN, dns.rdatatype.from_text(self.type), self.data, 0, len(self.data))

    def __str__(self):
        return f"{self.owner} {self.ttl} {self.type} {self.rdata().to_text()}"


class Reply(typing.NamedTuple):
    rcode: str
    aa: bool
    answer: tuple
    authority: tuple
    additional: tuple

    def __str__(self):
        lines = [self.rcode + (" aa" if self.aa else "")]
        for title in ("answer", "authority", "additional"):
            lines += [f"    {title:10} {record}" for record in getattr(self, title)]
        return "\n".join(lines)


def record(owner, ttl, rdata):
    return Record(owner.to_text().lower(), dns.rdatatype.to_text(rdata.rdtype), ttl, rdata.to_digestable())


def parse_records(lines):
    """Records in presentation form: owner, TTL, class, type, data."""
    records = []
    for line in lines:
        owner, ttl, _, rdtype, data = line.split(None, 4)
        records.append(record(dns.name.from_text(owner), int(ttl), dns.rdata.from_text(IN, rdtype, data)))
    return tuple(sorted(records))


def parse(message):
    sections = (tuple(sorted(record(rrset.name, rrset.ttl, rrset[0]) for rrset in section))
                for section in (message.answer, message.authority, message.additional))
    return Reply(dns.rcode.to_text(message.rcode()), bool(message.flags & dns.flags.AA), *sections)


def unique(reply):
    """Without what is there twice: no record set has a record twice (RFC 2181 5), but some servers send one."""
    return reply._replace(**{section: tuple(sorted(set(getattr(reply, section))))
                             for section in ("answer", "authority", "additional")})


def minimal(reply, origin):
    """The reply as a minimal response (see above); `origin` is its zone's."""
    if not reply.aa or not reply.answer or any(r.type != "NS" or r.owner != origin for r in reply.authority):
        return reply
    hosts = targets(reply.authority) - targets(reply.answer)
    return reply._replace(authority=(), additional=tuple(r for r in reply.additional
                                                         if r.type not in ADDRESSES or r.owner not in hosts))


def targets(records):
    """Names of the hosts that records name: where they are, their addresses are useful, too."""
    hosts = set()
    for one in records:
        rdata = one.rdata()
        target = getattr(rdata, "target", getattr(rdata, "exchange", None))
        if one.type in ("SVCB", "HTTPS") and target == dns.name.root and rdata.priority:
            hosts.add(one.owner)
        elif target is not None and one.type in ("NS", "MX", "SRV", "SVCB", "HTTPS"):
            hosts.add(target.to_text().lower())
    return hosts


class Server:
    """One server on one port. Asks over UDP, and over TCP what comes back truncated, or all of it."""

    def __init__(self, address, port=53, size=1232):
        self.address, self.port, self.size = address, port, size
        self.asked = self.truncated = 0
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, port))
        self.socket.settimeout(SECONDS)

    def ask(self, name, rdtype, tcp=False):
        """A dns.message.Message, one record a set."""
        query = dns.message.make_query(name, rdtype, use_edns=0 if self.size else False, payload=self.size or 0)
        query.flags = 0
        self.asked += 1
        reply = None if tcp else self.ask_udp(query)
        if reply and reply.flags & dns.flags.TC:
            self.truncated += 1
        if not reply or reply.flags & dns.flags.TC:
            reply = dns.query.tcp(query, self.address, SECONDS, self.port, one_rr_per_rrset=True)
        return reply

    def ask_udp(self, query):
        wire = query.to_wire()
        for _ in range(SERVERS_TRIES):
            self.socket.send(wire)
            try:
                while True:
                    reply = dns.message.from_wire(self.socket.recv(65535), one_rr_per_rrset=True)
                    if query.is_response(reply):
                        return reply
            except TimeoutError:
                continue
        raise TimeoutError(f"{self.address} port {self.port}: no reply to {query.question[0]}")
