#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write and check the vectors: the symbolic lines of a row -> its literal octets.

    make.py FILE...            fill in the lines query, reply, query-frame and reply-frame
    make.py --check FILE...    change nothing; every literal must be what the row says, and dnspython must read it so
    make.py --table DOC FILE...    change nothing; the table of requirements in DOC and the rows must know each other

README.md describes the rows. Nothing here is shared with the server: names, records and messages are dnspython's,
checksums, SipHash and server cookies are written again.
"""
import fnmatch
import ipaddress
import os
import re
import struct
import sys
import zlib

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

SERVERS = {4: "198.18.0.1", 6: "fd00:ec5::1"}
CLIENTS = {4: "198.18.0.2", 6: "fd00:ec5::2"}
PORT = 40000
SERVER_MAC = bytes.fromhex("02ec5d000001")   # run.c puts the interface's in its place
CLIENT_MAC = bytes.fromhex("02ec5d000002")
OPT_SIZE = 1232
ECS, COOKIE, KEEPALIVE, EDE = 8, 10, 11, 15  # option codes
IDLE = 100                                   # of the server's TCP connections, in tenths of a second
HERE = os.path.dirname(os.path.abspath(__file__))
KEY = open(os.path.join(HERE, "draw.key"), "rb").read()
SECRETS = [bytes.fromhex(line) for line in open(os.path.join(HERE, "cookie.secrets"), encoding="ascii") if line[0] != "#"]
CLOCK = int(open(os.path.join(HERE, "cookie.clock"), encoding="ascii").read())
LITERALS = ("query", "reply", "query-frame", "reply-frame")


class Bad(Exception):
    pass


# -- rows --

class Row:
    """One vector: its lines in order, keys -> list of values."""

    def __init__(self, name, line):
        self.name, self.line, self.values = name, line, {}

    def all(self, key):
        return self.values.get(key, [])

    def get(self, key, default=None):
        found = self.all(key)
        if len(found) > 1:
            raise Bad(f"{key} stands twice")
        return found[0] if found else default


def read_rows(path):
    rows = []
    for number, line in enumerate(open(path, encoding="ascii"), 1):
        words = line.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        value = words[1].strip() if len(words) > 1 else ""
        if words[0] == "vector":
            rows.append(Row(value, number))
        elif not rows:
            raise Bad(f"{path}:{number}: a line before the first vector")
        else:
            rows[-1].values.setdefault(words[0], []).append(value)
    return rows


def requirements(row):
    """The line `req`: requirements with commas between them; behind a semicolon, words."""
    return [word.strip() for word in row.get("req", "").partition(";")[0].split(",") if word.strip()]


# -- SipHash-2-4, after the paper --

def siphash(key, data):
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rotate(x, by):
        return (x << by | x >> (64 - by)) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[2] = (v[2] + v[3]) & mask
            v[1] = rotate(v[1], 13) ^ v[0]
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[1]) & mask
            v[0] = (v[0] + v[3]) & mask
            v[1] = rotate(v[1], 17) ^ v[2]
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = rotate(v[2], 32)

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 255])
    for at in range(0, len(padded), 8):
        word = struct.unpack_from("<Q", padded, at)[0]
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


assert siphash(bytes(range(16)), bytes(range(15))) == 0xa129ca6149be45e5    # the paper's own vector


# -- who asks whom --

def addresses(words, own):
    """Addresses, 4 and 6 for the lab's own -> {IP version: address}"""
    found = {}
    for word in words:
        address = ipaddress.ip_address(own[int(word)] if word in ("4", "6") else word)
        if address.version in found:
            raise Bad(f"two addresses of IPv{address.version}")
        found[address.version] = address
    return found


def transports(row):
    """from ADDRESS..., to ADDRESS... -> {IP version: (client, server)} for those that the row is asked over"""
    clients = addresses(row.get("from", "4 6").split(), CLIENTS)
    servers = {**addresses("46", SERVERS), **addresses(row.get("to", "").split(), SERVERS)}
    return {version: (client, servers[version]) for version, client in clients.items()}


def endpoints(row):
    """-> (client, port, server) of a row whose octets depend on who asks"""
    both = list(transports(row).values())
    if len(both) != 1:
        raise Bad("its octets depend on who asks: `from` has to name one")
    return both[0][0], int(row.get("port", PORT)), both[0][1]


def is_pinned(row):
    """Do the row's octets depend on who asks? Only then may it be asked over one transport alone."""
    drawn = any(text.split()[0] in ("rotate", "weighted") for text in row.all("an"))
    cookie = "secret=" in row.get("ask") or "cookie=" in row.get("opt", "")
    return drawn or cookie or row.get("link") is not None


def check_transports(row):
    if len(transports(row)) == 1 and not is_pinned(row):
        raise Bad("asked over one transport, though the reply is the same over the other")


def draw(row, query):
    """The 32-bit draw of selection for this query."""
    client, port, _ = endpoints(row)
    family = 1 if client.version == 4 else 2
    packed = client.packed + b"\0" * (16 - len(client.packed))
    word = family << 32 | port << 16 | struct.unpack("!H", query[:2])[0]
    return siphash(KEY, packed + struct.pack("<Q", word)) & 0xffffffff


def draw_block(row, text):
    """The draw of a hash pool for a block, ADDRESS/LENGTH."""
    address, length = text.split("/")
    packed = bytearray(ipaddress.ip_address(address).packed)
    family = 1 if len(packed) == 4 else 2
    packed += b"\0" * (16 - len(packed))
    for bit in range(int(length), 128):
        packed[bit // 8] &= ~(0x80 >> bit % 8)
    return siphash(KEY, bytes(packed) + struct.pack("<Q", family << 8 | int(length))) & 0xffffffff


def hash_score(member, slot):
    """Rendezvous hashing by the member's name (FNV-1a), weight 1: the highest score has the slot."""
    name = 0xcbf29ce484222325
    for octet in member.encode():
        name = (name ^ octet) * 0x100000001b3 & (1 << 64) - 1
    return siphash(bytes(16), struct.pack("<QQQ", name, slot, 0)) >> 12


# -- cookies (RFC 9018) --

def server_cookie(row, client_cookie, **given):
    """
    secret: which of SECRETS, from 1; age: seconds ago, in the future if negative; address, client (hex): made for another
    address or client cookie; version, reserved (hex): other than RFC 9018 4 has them
    """
    secret, age = int(given.pop("secret", 1)), int(given.pop("age", 0))
    address = ipaddress.ip_address(given.pop("address")) if "address" in given else endpoints(row)[0]
    head = struct.pack("!B", int(given.pop("version", 1))) + bytes.fromhex(given.pop("reserved", "000000"))
    head += struct.pack("!I", CLOCK - age)
    client_cookie = bytes.fromhex(given.pop("client", client_cookie.hex()))
    if given:
        raise Bad(f"unknown words in a cookie: {given}")
    return head + struct.pack("<Q", siphash(SECRETS[secret - 1], client_cookie + head + address.packed))


def words_of(text):
    """key=value,key=value"""
    return dict(word.split("=") for word in text.split(",")) if text else {}


def cookie_option(row, text):
    """CLIENT: a client cookie alone; CLIENT,secret=1,...: with a server cookie"""
    client, *given = text.split(",", 1)
    client = bytes.fromhex(client)
    return client + server_cookie(row, client, **words_of(given[0])) if given else client


RFC_9018_A = (      # two of its examples: secret, client cookie, head of the server cookie, address, hash
    ("e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "010000005cf79f11", "198.51.100.100", "1f8130c3eee29480"),
    ("dd3bdf9344b678b185a6f5cb60fca715", "22681ab97d52c298", "010000005cf7c579", "2001:db8:220:1:59de:d0f4:8769:82b8",
     "26556bd0934c72f8"))


def check_rfc_9018():
    for secret, client, head, address, digest in RFC_9018_A:
        octets = bytes.fromhex(client + head) + ipaddress.ip_address(address).packed
        assert struct.pack("<Q", siphash(bytes.fromhex(secret), octets)).hex() == digest


check_rfc_9018()


# -- queries --

def number(text):
    return int(text, 0)


def ecs_option(text):
    """ADDRESS/LENGTH, or 0/0 for the family that does not exist"""
    address, length = text.rsplit("/", 1)
    length = int(length)
    if address == "0":
        return struct.pack("!HBB", 0, length, 0)
    packed = ipaddress.ip_address(address).packed
    return struct.pack("!HBB", 1 if len(packed) == 4 else 2, length, 0) + packed[:(length + 7) // 8]


def parse_name(text):
    return dns.name.root if text == "." else dns.name.from_text(text)


class Ask:
    """The line `ask`, parsed."""

    def __init__(self, row):
        words = row.get("ask").split()
        self.row = row
        self.id = zlib.crc32(row.name.encode()) & 0xffff
        self.name, self.type, self.qclass = parse_name(words[0]), dns.rdatatype.from_text(words[1]), 1
        self.flags = self.opcode = 0
        self.question = True
        self.edns, self.version, self.edns_flags = None, 0, 0
        self.options, self.edits = [], []
        for word in words[2:]:
            self.take(word)

    def take(self, word):
        key, _, value = word.partition("=")
        names = {"aa": 0x400, "tc": 0x200, "rd": 0x100, "ra": 0x80, "z": 0x40, "ad": 0x20, "cd": 0x10, "qr": 0x8000}
        if key in names:
            self.flags |= names[key]
        elif key == "do":
            self.edns_flags |= 0x8000
            self.edns = self.edns if self.edns is not None else OPT_SIZE
        elif key == "id":
            self.id = number(value)
        elif key == "opcode":
            self.opcode = number(value)
        elif key == "class":
            self.qclass = dns.rdataclass.from_text(value)
        elif key in ("edns", "version", "flags"):
            self.edns = self.edns if self.edns is not None else OPT_SIZE
            if key == "edns":
                self.edns = number(value) if value else OPT_SIZE
            elif key == "version":
                self.version = number(value)
            else:
                self.edns_flags = number(value)
        elif key == "noquestion":
            self.question = False
        elif key in ("ecs", "cookie", "opt"):
            self.edns = self.edns if self.edns is not None else OPT_SIZE
            self.options.append(self.option(key, value))
        elif key in ("set", "cut", "append", "counts", "insert"):
            self.edits.append((key, value))
        else:
            raise Bad(f"unknown word in ask: {word}")

    def option(self, key, value):
        if key == "ecs":
            return ECS, ecs_option(value)
        if key == "cookie":
            return COOKIE, cookie_option(self.row, value)
        code, _, data = value.partition(":")
        return int(code), bytes.fromhex(data)

    def wire(self):
        """The octets; the edits are made last, in order, on the finished message."""
        counts = [int(self.question), 0, 0, int(self.edns is not None)]
        for key, value in self.edits:
            if key == "counts":
                counts = [int(one) for one in value.split(",")]
        out = struct.pack("!HHHHHH", self.id, self.flags | self.opcode << 11, *counts)
        if self.question:
            out += self.name.to_wire() + struct.pack("!HH", self.type, self.qclass)
        if self.edns is not None:
            data = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in self.options)
            out += struct.pack("!BHHBBHH", 0, 41, self.edns, 0, self.version, self.edns_flags, len(data)) + data
        for key, value in self.edits:
            if key == "append":
                out += bytes.fromhex(value)
            elif key == "cut":
                out = out[:-int(value)]
            elif key in ("set", "insert"):
                at, _, octets = value.partition(":")
                at, octets = int(at), bytes.fromhex(octets)
                at = at if at >= 0 else len(out) + at
                out = out[:at] + octets + out[at + len(octets) if key == "set" else at:]
        return out

    def first(self, wanted):
        """The first option of this code, of the words or of octets appended."""
        for code, data in self.options:
            if code == wanted:
                return data
        appended = bytes.fromhex(dict(self.edits)["append"])
        return appended[appended.index(struct.pack("!H", wanted)) + 4:]

    def is_edited(self):
        return bool(self.edits)

    def check(self, wire):
        """dnspython must read the query as the row says, if it is one that can be read."""
        if self.is_edited() or self.qclass != 1 or self.opcode or not self.question:
            return
        try:
            message = dns.message.from_wire(wire)
        except Exception as fault:
            if any(code == ECS for code, _ in self.options):
                return      # a malformed client subnet is what the row wants
            raise Bad(f"dnspython cannot read the query: {fault}") from fault
        question = message.question[0]
        if question.name != self.name or question.rdtype != self.type or message.id != self.id:
            raise Bad("dnspython reads another question")
        if (message.edns < 0) != (self.edns is None) or len(message.options) != len(self.options):
            raise Bad("dnspython reads other EDNS data")


# -- replies --

class Writer:
    """A message under way. Owner names are compressed against the question and the names behind it."""

    def __init__(self, out):
        self.out, self.names = out, {}

    def remember(self, name, at):
        for i in range(len(name.labels) - 1):
            self.names.setdefault(dns.name.Name(name.labels[i:]).canonicalize(), at)
            at += 1 + len(name.labels[i])

    def name(self, name, compress):
        for i in range(len(name.labels)):
            rest = dns.name.Name(name.labels[i:]).canonicalize()
            if compress and rest in self.names:
                self.out += struct.pack("!H", 0xc000 | self.names[rest])
                return
            if len(name.labels) - i == 1:
                break
            if compress and len(self.out) < 0x4000:
                self.names[rest] = len(self.out)
            self.out += bytes([len(name.labels[i])]) + name.labels[i]
        self.out += b"\0"

    def rdata(self, rdata):
        """Names in record data are compressed where RFC 3597 4 lets them be, and only if the row's style says so."""
        kind = rdata.rdtype
        if kind in (dns.rdatatype.NS, dns.rdatatype.CNAME, dns.rdatatype.PTR):
            self.name(rdata.target, self.compress)
        elif kind == dns.rdatatype.MX:
            self.out += struct.pack("!H", rdata.preference)
            self.name(rdata.exchange, self.compress)
        elif kind == dns.rdatatype.SOA:
            self.name(rdata.mname, self.compress)
            self.name(rdata.rname, self.compress)
            self.out += struct.pack("!IIIII", rdata.serial, rdata.refresh, rdata.retry, rdata.expire, rdata.minimum)
        else:
            self.out += rdata.to_wire()

    def record(self, text, compress):
        name, ttl, kind, data = split_record(text)
        self.compress = compress
        self.name(name, True)
        self.out += struct.pack("!HHI", kind, 1, ttl)
        at = len(self.out)
        self.out += b"\0\0"
        self.rdata(data)
        self.out = self.out[:at] + struct.pack("!H", len(self.out) - at - 2) + self.out[at + 2:]


def split_record(text):
    name, ttl, kind, data = text.split(None, 3)
    kind = dns.rdatatype.from_text(kind)
    return parse_name(name), int(ttl), kind, dns.rdata.from_text("IN", kind, data)


def case(record):
    """To dnspython names are the same in any case; as text they are not."""
    return record[0].to_text(), record[3].to_text()


def expand(row, query):
    """The lines `an`, with rotate, weighted and hash drawn."""
    records = []
    for text in row.all("an"):
        words = text.split()
        if words[0] not in ("rotate", "weighted", "hash"):
            records.append(text)
            continue
        owner, members = " ".join(words[2:5]), words[5].split(",")
        if words[0] == "rotate":
            first = draw(row, query) * len(members) >> 32
            records += [f"{owner} {members[(first + i) % len(members)]}" for i in range(int(words[1]))]
        elif words[0] == "weighted":
            weights = [int(one) for one in words[1].split(",")]
            drawn, total, sum_ = draw(row, query), sum(weights), 0
            for weight, member in zip(weights, members):
                sum_ += weight
                if drawn * total < sum_ << 32:
                    records.append(f"{owner} {member}")
                    break
        else:
            slot = draw_block(row, words[1]) & 255
            best = max((member.split("=") for member in members), key=lambda member: hash_score(member[0], slot))
            records.append(f"{owner} {best[1]}")
    return records


class Want:
    """The lines want, an, au, ad and opt."""

    def __init__(self, row, ask, query):
        words = row.get("want").split()
        self.drop = words == ["drop"]
        if self.drop:
            return
        self.ask, self.query = ask, query
        self.rcode = dns.rcode.from_text(words[0])
        self.flags = 0x8000 | ask.opcode << 11
        self.question = ask.question
        for word in words[1:]:
            if word == "noquestion":
                self.question = False
            else:
                self.flags |= {"aa": 0x400, "tc": 0x200, "rd": 0x100, "cd": 0x10}[word]
        self.sections = [expand(row, query), row.all("au"), row.all("ad")]
        self.compress = row.get("compress", "no" if row.get("driver").startswith("tx") else "yes") == "yes"
        self.opt = row.get("opt")

    def options(self):
        """-> [(code, octets)], in the order of the words"""
        found = []
        for word in self.opt.split():
            if word.startswith("ecs/"):
                echo = self.ask.first(ECS)
                found.append((ECS, echo[:3] + bytes([int(word[4:])]) + echo[4:]))
            elif word == "cookie=same":
                found.append((COOKIE, self.ask.first(COOKIE)))
            elif word.startswith("cookie=new"):
                client = self.ask.first(COOKIE)[:8]
                found.append((COOKIE, client + server_cookie(self.ask.row, client, **words_of(word[11:]))))
            elif word == "keepalive":
                found.append((KEEPALIVE, struct.pack("!H", IDLE)))
            elif word.startswith("ede="):
                found.append((EDE, struct.pack("!H", int(word[4:]))))
            elif word not in ("do", "bare"):
                raise Bad(f"unknown word in opt: {word}")
        return found

    def wire(self):
        counts = [int(self.question)] + [len(section) for section in self.sections]
        counts[3] += self.opt is not None
        writer = Writer(struct.pack("!HHHHHH", self.ask.id, self.flags | self.rcode & 15, *counts))
        if self.question:
            octets = self.ask.name.to_wire()
            writer.out += self.query[12:12 + len(octets) + 4]
            writer.remember(self.ask.name, 12)
        for text in sum(self.sections, []):
            writer.record(text, self.compress)
        if self.opt is not None:
            flags = 0x8000 if "do" in self.opt.split() else 0
            data = b"".join(struct.pack("!HH", code, len(octets)) + octets for code, octets in self.options())
            writer.out += struct.pack("!BHHBBHH", 0, 41, OPT_SIZE, self.rcode >> 4, 0, flags, len(data)) + data
        return writer.out

    def check(self, wire):
        """
        What dnspython reads from the octets, against the symbolic lines. It refuses opcodes it does not know and the
        family 0 of requirement 7: it gets a QUERY, and an option of another number with the same octets.
        """
        flags = struct.unpack("!H", wire[2:4])[0]
        if flags & 0xfff0 != self.flags:
            raise Bad(f"flags are {flags:04x}, not {self.flags:04x}")
        wire = wire[:2] + bytes([wire[2] & 0x87]) + wire[3:]
        wire = wire.replace(bytes.fromhex("0008000400000000"), bytes.fromhex("fde9000400000000"))
        message = dns.message.from_wire(wire, one_rr_per_rrset=True)
        if message.id != self.ask.id or message.rcode() != self.rcode:
            raise Bad(f"id or rcode is {message.id:04x} {dns.rcode.to_text(message.rcode())}")
        if self.question:
            question = message.question[0]
            if len(message.question) != 1 or question.name.labels != self.ask.name.labels or \
               question.rdtype != self.ask.type or question.rdclass != self.ask.qclass:
                raise Bad(f"question is {message.question}")
        elif message.question:
            raise Bad("there is a question")
        for name, texts, found in zip(("an", "au", "ad"), self.sections,
                                      (message.answer, message.authority, message.additional)):
            said = [split_record(text) for text in texts]
            read = [(rrset.name, rrset.ttl, rrset.rdtype, rrset[0]) for rrset in found]
            if said != read or [case(record) for record in said] != [case(record) for record in read]:
                raise Bad(f"section {name} is {[rrset.to_text() for rrset in found]}")
        self.check_opt(message)

    def check_opt(self, message):
        if self.opt is None:
            if message.edns >= 0:
                raise Bad("there is an OPT")
            return
        if message.edns != 0 or message.payload != OPT_SIZE:
            raise Bad("no OPT, or of another version or size")
        if message.ednsflags & 0xffff != (0x8000 if "do" in self.opt.split() else 0):
            raise Bad(f"EDNS flags are {message.ednsflags:08x}")
        said = [(65001 if code == ECS and octets[:2] == b"\0\0" else code, octets) for code, octets in self.options()]
        read = [(int(option.otype), option.to_wire()) for option in message.options]
        if said != read:
            raise Bad(f"options are {read}")


# -- frames --

def ones_sum(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def udp_packet(source, port, to, to_port, payload, link):
    length = int(link.get("udplen", 8 + len(payload)))
    header = struct.pack("!HHHH", port, to_port, length, 0)
    pseudo = source.packed + to.packed + struct.pack("!IHBB", 8 + len(payload), 0, 0, 17)
    check = 0xffff ^ ones_sum(pseudo + header + payload) or 0xffff
    if "udpsum" in link:
        check = number(link["udpsum"])
    return header[:6] + struct.pack("!H", check) + payload


def ip_packet(source, to, transport, link):
    """The words of `link` that change a header: tos ttl frag id proto total ihl options sum ext version"""
    proto, ttl = int(link.get("proto", 17)), int(link.get("ttl", 64))
    if source.version == 6:
        ext = bytes.fromhex(link.get("ext", ""))
        total = int(link.get("total", len(ext) + len(transport)))
        word = int(link.get("version", 6)) << 28 | number(link.get("tos", "0")) << 20 | number(link.get("flow", "0"))
        return struct.pack("!IHBB", word, total, proto, ttl) + source.packed + to.packed + ext + transport
    options = bytes.fromhex(link.get("options", ""))
    total = int(link.get("total", 20 + len(options) + len(transport)))
    ihl = int(link.get("ihl", 5 + len(options) // 4))
    version = int(link.get("version", 4))
    header = struct.pack("!BBHHHBBH", version << 4 | ihl, number(link.get("tos", "0")), total,
                         number(link.get("id", "0x1234")), number(link.get("frag", "0")), ttl, proto, 0)
    header += source.packed + to.packed + options
    check = 0xffff ^ ones_sum(header)
    if "sum" in link:
        check = number(link["sum"])
    return header[:10] + struct.pack("!H", check) + header[12:] + transport


def ethernet(to, source, tags, kind, packet):
    out = to + source
    for tag in tags:
        out += tag
    return out + struct.pack("!H", kind) + packet


def link_of(row):
    return dict((word.partition("=")[0], word.partition("=")[2]) for word in row.get("link", "").split())


def tags_of(link):
    """vlan=TYPE:TCI,..."""
    return [bytes.fromhex(one.replace(":", "")) for one in link.get("vlan", "").split(",") if one]


def query_frame(row, query):
    link = link_of(row)
    client, port, server = endpoints(row)
    port, to_port = int(link.get("sport", port)), int(link.get("dport", 53))
    transport = udp_packet(client, port, server, to_port, query, link)
    kind = number(link.get("ethertype", "0x0800" if client.version == 4 else "0x86dd"))
    to = bytes.fromhex(link["mac"].replace(":", "")) if "mac" in link else SERVER_MAC
    frame = ethernet(to, CLIENT_MAC, tags_of(link), kind, ip_packet(client, server, transport, link))
    frame += bytes.fromhex(link.get("pad", ""))
    return frame[:int(link["frame"])] if "frame" in link else frame


def reply_frame(row, reply):
    """DESIGN.md, Reply frame: TTL 64, DF, id 0, DSCP kept and ECN cleared, tags as they came, back to the sender's MAC."""
    link = link_of(row)
    client, port, server = endpoints(row)
    transport = udp_packet(server, 53, client, int(link.get("sport", port)), reply, {})
    answer = {"id": "0", "frag": "0x4000", "ttl": "64", "tos": str(number(link.get("tos", "0")) & 0xfc)}
    kind = 0x0800 if client.version == 4 else 0x86dd
    return ethernet(CLIENT_MAC, SERVER_MAC, tags_of(link), kind, ip_packet(server, client, transport, answer))


# -- files --

def literals(row, checking):
    """-> the row's literal lines, keys to hex; with `checking`, dnspython reads them first."""
    check_transports(row)
    ask = Ask(row)
    query = ask.wire()
    want = Want(row, ask, query)
    reply = None if want.drop else want.wire()
    if checking:
        ask.check(query)
        if reply is not None:
            want.check(reply)
    verdict = row.get("driver").split()
    if verdict[0] not in ("tx", "pass", "none"):
        raise Bad(f"driver is {verdict}")
    if not requirements(row):
        raise Bad("no requirement is named")
    if row.get("link") is None:
        return {"query": query.hex(), "reply": reply.hex() if reply is not None else "drop"}
    made = {"query-frame": query_frame(row, query).hex()}
    if verdict[0] == "tx":
        made["reply-frame"] = reply_frame(row, reply).hex()
    return made


def check_file(path):
    faults = 0
    for row in read_rows(path):
        try:
            for key, octets in literals(row, True).items():
                if row.get(key) != octets:
                    raise Bad(f"{key} is not what the row says: run make.py")
        except (Bad, KeyError, ValueError, dns.exception.DNSException, StopIteration) as fault:
            print(f"{path}:{row.line}: {row.name}: {type(fault).__name__}: {fault}")
            faults += 1
    return faults


def fill_file(path):
    """Rewrites the literal lines behind each row's last symbolic line."""
    rows = {row.line: row for row in read_rows(path)}
    out, row, faults = [], None, 0

    def flush():
        nonlocal faults
        if row is None:
            return
        blank = []
        while out and (not out[-1].strip() or out[-1].startswith("#")):
            blank.insert(0, out.pop())
        try:
            for key, octets in literals(row, True).items():
                out.append(f"  {key:<7} {octets}\n")
        except (Bad, KeyError, ValueError, dns.exception.DNSException, StopIteration) as fault:
            print(f"{path}:{row.line}: {row.name}: {type(fault).__name__}: {fault}")
            faults += 1
        out.extend(blank)

    for number_, line in enumerate(open(path, encoding="ascii"), 1):
        if line.split() and line.split()[0] == "vector":
            flush()
            row = rows[number_]
        if line.split() and line.split()[0] in LITERALS:
            continue
        out.append(line)
    flush()
    with open(path, "w", encoding="ascii") as file:
        file.writelines(out)
    return faults


# -- the table of requirements --

NUMBERED = 24       # requirements, besides those that have words for names


def read_table(path):
    """-> [(line, requirement, patterns of vectors, other tests)] of every table with five columns"""
    rows = []
    for line, text in enumerate(open(path, encoding="utf-8"), 1):
        cells = [cell.strip() for cell in text.strip().split("|")[1:-1]]
        if text.startswith("| ") and len(cells) == 5 and cells[0] != "no.":
            rows.append((line, cells[0], *(re.findall("`([^`]+)`", cell) for cell in cells[3:])))
    return rows


def check_other(test):
    """FILE or FILE:WORD, below the project's root; what has no slash is a word of the row"""
    path, _, word = test.partition(":")
    path = os.path.join(HERE, "../..", path)
    if not os.path.isfile(path):
        return f"there is no {test}"
    return "" if word in open(path, encoding="utf-8").read() else f"{word} is not in {test}"


def check_table(path, files):
    """Prints what is wrong. -> how many"""
    named = {row.name: requirements(row) for file in files for row in read_rows(file)}
    faults, covered, known = [], set(), set()
    for line, requirement, patterns, others in read_table(path):
        known.add(requirement)
        if not patterns and not others:
            faults.append(f"{line}: {requirement}: no test")
        for pattern in patterns:
            found = [name for name in named if fnmatch.fnmatchcase(name, pattern) and requirement in named[name]]
            covered.update((name, requirement) for name in found)
            if not found:
                faults.append(f"{line}: no vector {pattern} names requirement {requirement}")
        faults += [f"{line}: {fault}" for fault in map(check_other, (other for other in others if "/" in other)) if fault]
    faults += [f"requirement {number} has no row" for number in range(1, NUMBERED + 1) if str(number) not in known]
    faults += [f"no row of requirement {wanted} has the vector {name}"
               for name, all_wanted in named.items() for wanted in all_wanted if (name, wanted) not in covered]
    for fault in faults:
        print(f"{path}:{fault}" if fault[0].isdigit() else f"{path}: {fault}")
    print(f"{len(covered)} passed, {len(faults)} failed")
    return len(faults)


# -- the command line --

def main(arguments):
    if arguments[:1] == ["--table"] and len(arguments) > 2:
        return 1 if check_table(arguments[1], arguments[2:]) else 0
    checking = arguments[:1] == ["--check"]
    files = arguments[1:] if checking else arguments
    if not files or files[0].startswith("-"):
        print(__doc__)
        return 2
    faults = sum((check_file if checking else fill_file)(path) for path in files)
    names = [row.name for path in files for row in read_rows(path)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        print(f"{name}: two vectors of this name")
        faults += 1
    print(f"{len(names) - min(faults, len(names))} passed, {faults} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
