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

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

IN = dns.rdataclass.IN
ADDRESSES = ("A", "AAAA")
TRIES = 3
SECONDS = 2
SIZE = 1232     # of UDP messages that we say we take


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


def minimal(reply, origins):
    """The reply as a minimal response (see above); `origins` are those of the server's zones."""
    if not reply.aa or not reply.answer or any(r.type != "NS" or r.owner not in origins for r in reply.authority):
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

    def __init__(self, address, port=53, tries=TRIES, seconds=SECONDS):
        self.address, self.port, self.tries, self.seconds = address, port, tries, seconds
        self.truncated = 0
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, port))
        self.socket.settimeout(seconds)

    def ask(self, name, rdtype, tcp=False):
        """A dns.message.Message, one record a set."""
        return dns.message.from_wire(self.ask_wire(name, rdtype, tcp), one_rr_per_rrset=True)

    def ask_wire(self, name, rdtype, tcp=False):
        """The reply's octets."""
        query = dns.message.make_query(name, rdtype, use_edns=0, payload=SIZE)
        query.flags = 0
        query = query.to_wire()
        reply = None if tcp else self.ask_udp(query)
        if reply and reply[2] & 2:
            self.truncated += 1
            reply = None
        return reply or self.ask_tcp(query)

    def ask_udp(self, query):
        for _ in range(self.tries):
            self.socket.send(query)
            try:
                while True:
                    reply = self.socket.recv(65535)
                    if reply[:2] == query[:2]:
                        return reply
            except TimeoutError:
                continue
        raise TimeoutError(f"{self.address} port {self.port}: no reply to {query.hex()}")

    def ask_tcp(self, query):
        with socket.create_connection((self.address, self.port), self.seconds) as connection:
            connection.sendall(len(query).to_bytes(2, "big") + query)
            with connection.makefile("rb") as replies:
                return replies.read(int.from_bytes(replies.read(2), "big"))


# Types of RFC 1035, whose names may be compressed (RFC 3597 4): octets before the names, and how many there are.
COMPRESSED = {2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1),
              14: (0, 2), 15: (2, 1)}


def raw_records(wire):
    """(owner, type, TTL, data) of all records but OPT, as they are; but names that may be compressed are not."""
    counts = [int.from_bytes(wire[at:at + 2], "big") for at in (4, 6, 8, 10)]
    at, records = 12, []
    for _ in range(counts[0]):
        at += dns.name.from_wire(wire, at)[1] + 4
    for _ in range(sum(counts[1:])):
        owner, length = dns.name.from_wire(wire, at)
        at += length
        rdtype, ttl = int.from_bytes(wire[at:at + 2], "big"), int.from_bytes(wire[at + 4:at + 8], "big")
        end = at + 10 + int.from_bytes(wire[at + 8:at + 10], "big")
        before, names = COMPRESSED.get(rdtype, (0, 0))
        at += 10
        data = wire[at:at + before]
        at += before
        for _ in range(names):
            name, length = dns.name.from_wire(wire, at)
            data += name.to_wire()
            at += length
        if rdtype != dns.rdatatype.OPT:
            records.append((owner.to_text(), rdtype, ttl, data + wire[at:end]))
        at = end
    return records
