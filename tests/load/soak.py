#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Random clients of a random topology: every reply is parsed by dnspython and compared with the naive model's (model.py).

usage: soak.py MAIN.yaml SEED COUNT RESOLVER...

Run beside the clients of a lab with that configuration, where the resolvers' addresses are. The queries are asked by
one process a transport; each must get one reply: none is repeated, and no more are on their way than the sockets can
hold. The last line has the figures; exit status 1 if there was a fault. The same seed draws the same queries again.

Family 0, which dnspython does not parse, is left to tests/e2e/subnet.sh.
"""
import collections
import functools
import ipaddress
import itertools
import multiprocessing
import random
import select
import socket
import sys
import time

import dns.message

import model
import spans

SERVERS = {4: "198.18.0.1", 6: "fd00:ec5::1"}
WINDOW = 64         # queries on their way, from one socket
SO_RCVBUFFORCE = 33 # socket(7); the module does not have it
PATIENCE = 5        # seconds; a reply that is later is lost
LOST_MAX = 20       # enough to know that something is wrong
SHOWN_MAX = 5
FAULTS = ("wrong", "lost", "malformed", "unasked")
FIGURES = ("queries", "service", "zone", "replies") + FAULTS

QR, AA, TC, RD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0010
QUERY_FLAGS = 0x07ff    # everything but QR and the opcode: no query is refused for these
DO = 0x8000
OPT_SIZE = 1232
# Types by number, and how often: those of services, and some that no service has.
KINDS = {"A": 30, "AAAA": 40, "CNAME": 5, "TXT": 3, "HTTPS": 5, "TYPE15": 1, "TYPE33": 1, "TYPE1000": 1}
ZONE_NAMES = ["still.example.com", "text.example.com", "no.example.com", "a.b.c.example.com"]

wire_name = functools.lru_cache(model.wire_name)    # of a few names, again and again


def network_of(version, address, length):
    return (ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network)((address, length))


def compare_with_slow(topology, dice, count):
    """The fast way against the model's own, which tries every block."""
    for version in model.BITS:
        for _ in range(count):
            address = draw_address(dice, version, topology.edges[version])
            assert topology.look(version, address) == topology.slow.look(version, address), (version, address)


# -- queries -----------------------------------------------------------------------------------------------------------

class Query:
    """A query, and what its reply is judged by."""
    __slots__ = ("octets", "name", "kind", "client", "has_opt", "size", "do")


def draw_address(dice, version, edges):
    """On one side or the other of a prefix's edge, inside of one, or anywhere."""
    bits = model.BITS[version]
    if dice.random() < 0.8:
        first, length = dice.choice(edges)
        size = 1 << (bits - length)
        return (first + dice.choice((0, -1, size, size - 1, dice.randrange(size)))) % (1 << bits)
    address = dice.getrandbits(bits)
    return 1 << 125 | address >> 3 if version == 6 and dice.random() < 0.8 else address


def draw_special(dice, bits):
    """Inside of a special block, as long as it is, or a little wider."""
    block = dice.choice([block for block in spans.SPECIAL if block.max_prefixlen == bits])
    length = dice.choice((block.prefixlen, block.prefixlen - 1, dice.randint(0, bits)))
    return int(block.network_address) + dice.randrange(block.num_addresses), length


def draw_client(dice, edges):
    version = dice.choice((4, 6))
    bits = model.BITS[version]
    if dice.random() < 0.03:
        address, length = draw_special(dice, bits)
    else:
        address = draw_address(dice, version, edges[version])
        around = dice.choice(edges[version])[1]
        length = dice.choice((bits, dice.randint(0, bits), dice.randint(0, bits), bits * 3 // 4, around,
                              min(around + 1, bits), around - 1))
    return version, spans.start_of(version, address, length), length


def subnet_option(client, scope):
    """RFC 7871 6"""
    version, address, length = client
    octets = (length + 7) // 8
    return (b"\0\1" if version == 4 else b"\0\2") + bytes((length, scope)) + \
        address.to_bytes(model.BITS[version] // 8, "big")[:octets]


def option(code, data):
    return code.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


def opt_record(size, flags, options):
    """RFC 6891 6.1.2"""
    return b"\0\0\x29" + size.to_bytes(2, "big") + b"\0\0" + flags.to_bytes(2, "big") + \
        len(options).to_bytes(2, "big") + options


def any_case(dice, name):
    letters = dice.getrandbits(len(name))
    return bytes(octet ^ 0x20 if 97 <= octet <= 122 and letters >> i & 1 else octet for i, octet in enumerate(name))


def draw_options(dice, edges):
    """The options as octets, and the client of the first subnet."""
    clients = [draw_client(dice, edges) for _ in range(dice.choices((0, 1, 2), (10, 87, 3))[0])]
    options = [option(8, subnet_option(client, 0)) for client in clients]
    for _ in range(dice.choices((0, 1, 2), (85, 10, 5))[0]):
        options.insert(dice.randint(0, len(options)),
                       option(dice.choice((12, 100, 65001)), dice.randbytes(dice.randint(0, 20))))
    return b"".join(options), clients[0] if clients else None


def draw_query(dice, identity, names, edges):
    query = Query()
    query.name = dice.choice(ZONE_NAMES) if dice.random() < 0.02 else dice.choice(names)
    query.kind = dice.choices(list(KINDS), KINDS.values())[0]
    number = model.TYPES.get(query.kind) or int(query.kind[4:])
    question = any_case(dice, wire_name(query.name)) + number.to_bytes(2, "big") + b"\0\1"
    flags = dice.choice((0, RD, RD, RD | CD, dice.getrandbits(16) & QUERY_FLAGS))
    query.has_opt = dice.random() < 0.93
    query.client, query.size, query.do, opt = None, 512, 0, b""
    if query.has_opt:
        options, query.client = draw_options(dice, edges)
        query.size = dice.choice((512, 1232, 1232, 1232, 4096, dice.randint(500, 800), dice.getrandbits(16)))
        edns_flags = dice.choice((0, 0, 0, DO, DO, dice.getrandbits(16)))
        query.do = edns_flags & DO
        opt = opt_record(query.size, edns_flags, options)
    query.octets = identity.to_bytes(2, "big") + flags.to_bytes(2, "big") + b"\0\1\0\0\0\0" + \
        (b"\0\1" if query.has_opt else b"\0\0") + question + opt
    return query


# -- replies -----------------------------------------------------------------------------------------------------------

def record_octets(rrset):
    """As model.wire_record() writes it."""
    data = rrset[0].to_digestable()     # names may point into the question, and have its case then
    return rrset.name.to_digestable() + rrset.rdtype.to_bytes(2, "big") + rrset.rdclass.to_bytes(2, "big") + \
        rrset.ttl.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data


def is_too_long(query, form, question_end, opt, limit):
    """Is the reply with these answers longer than may be sent? Their owners are pointers to the question's name."""
    records = int.from_bytes(form[1:3], "big")
    octets = len(form) - 7 - records * (len(wire_name(query.name)) - 2)
    return records > 0 and question_end + octets + len(opt) > limit


def judge(query, reply, message, prescribed):
    """What is wrong with the reply, which dnspython read as the message: [], or what is and what was expected."""
    forms, scope = prescribed
    end = 12 + len(wire_name(query.name)) + 4
    limit = min(max(query.size, 512), OPT_SIZE)
    subnet = option(8, subnet_option(query.client, scope)) if query.client else b""
    opt = opt_record(OPT_SIZE, query.do, subnet) if query.has_opt else b""
    truncated = is_too_long(query, forms[0], end, opt, limit)
    if truncated:
        forms = [model.form()]
    flags = QR | AA | (TC if truncated else 0) | int.from_bytes(query.octets[2:4], "big") & (RD | CD) | forms[0][0]
    form = model.form(reply[3] & 15, [record_octets(each) for each in message.answer],
                      [record_octets(each) for each in message.authority])
    faults = []
    if reply[2:4] != flags.to_bytes(2, "big"):
        faults.append(f"flags and rcode {reply[2:4].hex()}, expected {flags:04x}")
    if reply[4:6] != b"\0\1" or reply[12:end] != query.octets[12:end]:
        faults.append(f"question {reply[12:end].hex()}, expected {query.octets[12:end].hex()}")
    if not reply.endswith(opt) or (message.edns >= 0) != query.has_opt or message.additional:
        faults.append(f"additional section {message.opt} {message.additional}, expected {opt.hex()}, scope {scope}")
    if form not in forms:
        faults.append(f"records {text_of(form)}, expected {' or '.join(text_of(form) for form in forms)}")
    if len(reply) > limit:
        faults.append(f"{len(reply)} octets, expected at most {limit}")
    return faults


def text_of(form):
    """A form of model.form() for the reader."""
    message = dns.message.from_wire(bytes(4) + b"\0\0" + form[1:], one_rr_per_rrset=True)
    return "; ".join(str(each) for each in message.answer + message.authority) or "none"


# -- asking ------------------------------------------------------------------------------------------------------------

class Asker:
    """One process's part: all of it over one transport, from each of its resolvers in turn."""

    def __init__(self, configuration, transport, resolvers, seed):
        self.configuration, self.transport = configuration, transport
        self.dice = random.Random(f"{seed} ask {transport}")
        self.edges = next(iter(configuration.topologies.values())).edges
        self.names = list(configuration.services)
        self.identities = self.dice.sample(range(1 << 16), 1 << 16)     # none comes again for 65536 queries
        self.figures = collections.Counter()
        self.faults = []
        self.resolvers = [(resolver, self.open(resolver)) for resolver in resolvers if resolver.version == transport]

    def open(self, resolver):
        opened = socket.socket(socket.AF_INET if self.transport == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)   # room for many windows
        opened.bind((str(resolver), 0))
        opened.connect((SERVERS[self.transport], 53))
        return opened

    def run(self, count):
        for resolver, opened in itertools.cycle(self.resolvers):
            left = count - self.figures["queries"]
            if left == 0 or self.figures["lost"] > LOST_MAX:
                break
            self.ask_window(opened, resolver, min(WINDOW, left))
        self.drain()
        return self.figures, self.faults

    def ask_window(self, opened, resolver, count):
        waiting, replies = {}, []
        for _ in range(count):
            identity = self.identities[self.figures["queries"] % (1 << 16)]
            waiting[identity] = query = draw_query(self.dice, identity, self.names, self.edges)
            self.figures["queries"] += 1
            self.figures["service" if query.name in self.configuration.services else "zone"] += 1
        for query in waiting.values():
            opened.send(query.octets)
        deadline = time.monotonic() + PATIENCE
        while waiting and time.monotonic() < deadline:
            self.receive(opened, deadline, waiting, replies)
        for query in waiting.values():
            self.fault("lost", query, resolver, ["no reply"], b"")
        for query, reply in replies:
            self.look_at(query, reply, resolver)

    def receive(self, opened, deadline, waiting, replies):
        if not select.select([opened], [], [], max(0, deadline - time.monotonic()))[0]:
            return
        reply = opened.recv(65535)
        query = waiting.pop(int.from_bytes(reply[:2], "big"), None)
        if query:
            replies.append((query, reply))
        else:
            self.fault("unasked", None, None, ["the second reply to a query, or one that came too late"], reply)

    def look_at(self, query, reply, resolver):
        self.figures["replies"] += 1
        try:
            message = dns.message.from_wire(reply, one_rr_per_rrset=True)
        except Exception as error:  # whatever it stumbled over
            self.fault("malformed", query, resolver, [f"dnspython: {error!r}"], reply)
            return
        prescribed = self.configuration.reply(query.name, query.kind, query.client, (resolver.version, int(resolver)))
        faults = judge(query, reply, message, prescribed)
        if faults:
            self.fault("wrong", query, resolver, faults, reply)

    def fault(self, kind, query, resolver, faults, reply):
        self.figures[kind] += 1
        if self.figures[kind] > SHOWN_MAX:
            return
        lines = [f"{kind}:"]
        if query:
            client = network_of(*query.client) if query.client else "none"
            lines = [f"{kind}: {query.name} {query.kind}, client subnet {client}, from {resolver}, size {query.size}",
                     f"  query {query.octets.hex()}"]
        self.faults += lines + [f"  reply {reply.hex()}"] + [f"  {fault}" for fault in faults]

    def drain(self):
        """Whatever comes now was not asked for."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            for _, opened in self.resolvers:
                self.receive(opened, time.monotonic(), {}, [])
            time.sleep(0.01)


def run_part(configuration, transport, resolvers, seed, count):
    return Asker(configuration, transport, resolvers, seed).run(count)


def main():
    path, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    resolvers = [ipaddress.ip_address(text) for text in sys.argv[4:]]
    configuration = spans.Configuration(path)
    for topology in configuration.topologies.values():
        compare_with_slow(topology, random.Random(seed), 100)
    began = time.monotonic()
    with multiprocessing.Pool(2) as pool:
        parts = pool.starmap(run_part, [(configuration, 4, resolvers, seed, count // 2),
                                        (configuration, 6, resolvers, seed, count - count // 2)])
    seconds = time.monotonic() - began
    figures = sum((part[0] for part in parts), collections.Counter())
    for line in itertools.chain(*(part[1] for part in parts)):
        print(line)
    print(", ".join(f"{figures[each]} {each}" for each in FIGURES) + f", {figures['queries'] / seconds:.0f} a second")
    sys.exit(any(figures[each] for each in FAULTS) or figures["replies"] != count)


if __name__ == "__main__":
    main()
