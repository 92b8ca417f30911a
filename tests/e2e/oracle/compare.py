#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Asks ecsdns and gdnsd the same questions and compares answers, client subnet options and scopes with each other, and with
what the naive model says; dnspython reads the replies.

usage: compare.py FOLDER SEED CLIENTS GDNSD4 GDNSD6 TABLE.tsv...

Run beside the clients of a lab; FOLDER holds the configuration that both servers run. Every random topology is asked for
CLIENTS clients; then the rows of the tables, whose answers are written down. Prints, tab-separated, a line for each batch (a
shape or a table): "batch", its name, questions, differences; and of figures: "figure", its name, the number. Differences are
explained in FOLDER/differences-BATCH.

Two differences are listed in ECS.md section 2. Where one is due, each server must do exactly what is written there:
  one     one family is one region, the two together are not: scope 1, and 0 from gdnsd
  apart   the block reaches over an address block that gdnsd keeps apart: gdnsd cuts it there
Clients inside such a block, or inside those of requirement 8, are not asked for.
"""
import collections
import contextlib
import ipaddress
import multiprocessing
import os
import random
import socket
import struct
import sys
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

import gdnsd
import model

SERVERS = {4: "198.18.0.1", 6: "fd00:ec5::1"}
WINDOW = 100  # queries under way at a time
TRIES = 4
PATIENCE = 1.0, 0.05  # seconds to wait for replies: at first, and at least for a server that left queries unanswered
APART_SHARE = 20  # one client in so many may be of a block that gdnsd cuts
# Requirement 8, but for :: and ::1, which are among what gdnsd keeps apart.
SPECIAL = [ipaddress.ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "fe80::/10")]
NSID = struct.pack("!HH", dns.edns.NSID, 0)   # who asks for it is answered by the fallback

Client = collections.namedtuple("Client", "name rrtype transport subnet nsid")  # subnet: (version, address, source)
Expected = collections.namedtuple("Expected", "kind forms scope gdnsd_scope")
Reply = collections.namedtuple("Reply", "text form subnet aa data", defaults=[None] * 4)


# -- clients -----------------------------------------------------------------------------------------------------------

def any_address(dice, family, edges):
    """Around the edges of prefixes, or anywhere; for IPv6 half of that where the addresses of the world are."""
    if edges and dice.random() < 0.75:
        first, length = dice.choice(edges)
        size = 1 << (family.bits - length)
        return (first + dice.choice((0, -1, size, size - 1, dice.randrange(size)))) % (1 << family.bits)
    if family.bits == 128 and dice.random() < 0.5:
        return 1 << 125 | dice.getrandbits(125)
    return dice.getrandbits(family.bits)


def any_source(dice, family, edges, address):
    """Any length; or close to the block's or a prefix's; or the whole address."""
    way = dice.random()
    if way < 0.6:
        return dice.randint(0, family.bits)
    if way < 0.9:
        near = family.leaf(address) if way < 0.8 or not edges else dice.choice(edges)[1]
        return min(max(near + dice.randint(-1, 1), 0), family.bits)
    return family.bits


def any_subnet(dice, topology):
    if dice.random() < 0.02:
        return None
    version = dice.choice((4, 6))
    family = topology.families[version]
    if version == 6 and family.whole() and dice.random() < 0.9:
        version, family = 4, topology.families[4]  # that one block reaches over all that gdnsd keeps apart
    edges = [edge for edge in family.order if edge[1]]  # ::/0 has none
    address = any_address(dice, family, edges)
    source = any_source(dice, family, edges, address)
    return version, address >> (family.bits - source) << (family.bits - source), source


def is_special(version, address, source):
    return any(block.version == version and block.prefixlen <= source and
               (address ^ int(block.network_address)) >> (block.max_prefixlen - block.prefixlen) == 0
               for block in SPECIAL)


# -- what to expect ----------------------------------------------------------------------------------------------------

class Oracle:
    """The model, and where gdnsd differs from it."""

    def __init__(self, folder):
        self.configuration = model.Configuration(os.path.join(folder, "main.yaml"))
        self.cuts = {}

    def topology(self, name):
        return self.configuration.topologies[self.configuration.services[name]["topology"]]

    def cut(self, topology):
        if id(topology) not in self.cuts:
            self.cuts[id(topology)] = gdnsd.cut_family(topology)
        return self.cuts[id(topology)]

    def expect(self, client):
        version, address, source = client.subnet or (None, None, 0)
        resolver = int(ipaddress.ip_address(model.RESOLVER[client.transport]))
        forms, scope = self.configuration.reply(client.name, client.rrtype, (version, address) if source else None,
                                                (client.transport, resolver))
        service = self.configuration.services[client.name]
        if not source or not self.configuration.is_tailored(service, client.rrtype):
            return Expected("equal", forms, scope, scope)
        topology = self.topology(client.name)
        leaf = topology.families[version].leaf(address)
        if version == 6 and gdnsd.reaches_apart(address, leaf):
            return Expected("apart", forms, scope, self.cut(topology).leaf(address))
        if scope != leaf:
            return Expected("one", forms, scope, 0)
        return Expected("equal", forms, scope, scope)

    def draw(self, dice, name, count, figures):
        """That many clients of a service, and what to expect for each."""
        topology, questions, aparts = self.topology(name), [], 0
        rrtypes = ("A", "AAAA", "CNAME") if name in self.configuration.aliases else ("A", "AAAA")
        while len(questions) < count:
            client = Client(name, dice.choice(rrtypes), dice.choice((4, 6)), any_subnet(dice, topology),
                            dice.choice((None, None, None, None, None, None, "before", "behind")))
            if client.subnet and is_special(*client.subnet):
                figures["not asked, inside a block of requirement 8"] += 1
                continue
            if client.subnet and client.subnet[0] == 6 and gdnsd.is_apart(client.subnet[1], 128):
                figures["not asked, inside a block that gdnsd keeps apart"] += 1
                continue
            expected = self.expect(client)
            if expected.kind == "apart" and aparts == count // APART_SHARE:
                figures["not asked, reaching over a block that gdnsd keeps apart"] += 1
                continue
            aparts += expected.kind == "apart"
            questions.append((client, expected))
        return questions


# -- on the wire -------------------------------------------------------------------------------------------------------

def subnet_text(subnet):
    version, address, source = subnet
    return f"{(ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address)(address)}/{source}"


def query(client):
    """Without its id."""
    options = b""
    if client.subnet:
        version, address, source = client.subnet
        octets = address.to_bytes(model.BITS[version] // 8, "big")[:(source + 7) // 8]
        options = struct.pack("!HHHBB", dns.edns.ECS, 4 + len(octets), 1 if version == 4 else 2, source, 0) + octets
    if client.nsid:
        options = NSID + options if client.nsid == "before" else options + NSID
    return (struct.pack("!HHHHH", 0, 1, 0, 0, 1) + model.wire_name(client.name) +
            struct.pack("!HH", model.TYPES[client.rrtype], 1) + struct.pack("!BHHIH", 0, 41, 1232, 0, len(options)) + options)


class Server:
    """Asked over one family, many queries at a time; what is lost on the way is asked for again."""

    def __init__(self, version, address):
        self.socket = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.connect((address, 53))
        self.id = 0
        self.waiting = {}  # id -> number, octets
        self.patience = PATIENCE[0]
        self.again = 0

    def ask(self, queries):
        """Queries by number."""
        for number, octets in queries.items():
            self.id = (self.id + 1) % 65536
            self.waiting[self.id] = number, octets
        self.send()

    def send(self):
        for number, (_, octets) in self.waiting.items():
            with contextlib.suppress(ConnectionRefusedError):  # the server is gone: there will be no replies
                self.socket.send(number.to_bytes(2, "big") + octets)

    def replies(self):
        """Replies by number, all of them but those that never came."""
        found = {}
        for attempt in range(TRIES):
            if attempt and self.waiting:
                self.again += len(self.waiting)
                self.send()
            self.receive(found)
        if self.waiting:
            self.patience = max(self.patience / 2, PATIENCE[1])
            self.waiting.clear()
        return found

    def receive(self, found):
        until = time.monotonic() + self.patience
        while self.waiting and time.monotonic() < until:
            self.socket.settimeout(max(until - time.monotonic(), 0.001))
            with contextlib.suppress(ConnectionRefusedError, socket.timeout):
                octets = self.socket.recv(65535)
                number, _ = self.waiting.pop(int.from_bytes(octets[:2], "big"), (None, None))
                if number is not None:
                    found[number] = octets


def read(octets, client):
    if octets is None:
        return Reply("no reply")
    try:
        message = dns.message.from_wire(octets)
        question = message.question[0]
        if question.name.to_text() != client.name + "." or dns.rdatatype.to_text(question.rdtype) != client.rrtype:
            return Reply(f"the reply to another question: {question}")
        sections = [[model.wire_record(rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, each.to_wire())
                     for rrset in section for each in rrset] for section in (message.answer, message.authority)]
        subnets = [f"{option.address}/{option.srclen}/{option.scopelen}"
                   for option in message.options if option.otype == dns.edns.ECS]
        rcode = dns.rcode.to_text(message.rcode())
        answer = sorted(f"{dns.rdatatype.to_text(rrset.rdtype)} {each}" for rrset in message.answer for each in rrset)
        ttls = sorted({rrset.ttl for rrset in message.answer})
        text = (f"{rcode}, {dns.flags.to_text(message.flags)}, {', '.join(answer) or 'no data'}, "
                f"TTL {' '.join(map(str, ttls)) or '-'}, subnet {', '.join(subnets) or '-'}")
        return Reply(text, model.form(message.rcode(), *sections), ", ".join(subnets) or None,
                     bool(message.flags & dns.flags.AA), [each.split()[1] for each in answer] or [rcode])
    except Exception as fault:  # whatever a broken reply makes of dnspython
        return Reply(f"not to be read: {fault!r}: {octets.hex()}")


# -- comparing ---------------------------------------------------------------------------------------------------------

def is_right(reply, client, forms, scope):
    subnet = f"{subnet_text(client.subnet)}/{scope}" if client.subnet else None
    return reply.form in forms and reply.aa and reply.subnet == subnet


def prefixes_near(family, address):
    """Those that the address lies in, and those beside its block; the longest first, and not too many."""
    around = max(family.leaf(address) - 1, 0)
    near = [(first, length) for first, length in family.order
            if (first ^ address) >> (family.bits - min(length, around)) == 0]
    return [f"{gdnsd.network(family.bits, *block)},{family.of[(block[1], block[0] >> (family.bits - block[1]))]}"
            for block in sorted(near, key=lambda block: -block[1])[:12]]


def explain(oracle, client, expected, ours, theirs):
    """Lines for the reader: the question, both replies, what the model says, and what it says so by."""
    configuration, service = oracle.configuration, oracle.configuration.services[client.name]
    version, address = client.transport, int(ipaddress.ip_address(model.RESOLVER[client.transport]))
    if client.subnet and client.subnet[2]:
        version, address = client.subnet[:2]
    family = oracle.topology(client.name).families[version]
    region = family.match(address)
    pools = configuration.preferred(service, region)
    data = "no data"
    if configuration.is_alias(service):
        data = configuration.pools[pools[0]]["cname"]
    elif configuration.has(service, client.rrtype):
        pool = configuration.pool_of(service, client.rrtype, region)
        data = ", ".join(member["address"] for member in configuration.pool_data(pool, client.rrtype))
    return [f"{client.name} {client.rrtype}, client subnet {subnet_text(client.subnet) if client.subnet else '-'}, from "
            f"{model.RESOLVER[client.transport]}" + (f", with NSID {client.nsid} it" if client.nsid else ""),
            f"  ecsdns {ours.text}",
            f"  gdnsd  {theirs.text}",
            f"  model  region {region}: {data}; TTL {service.get('ttl', 30)}, scope {expected.scope}"
            + (f", gdnsd's {expected.gdnsd_scope} ({expected.kind})" if expected.kind != "equal" else ""),
            f"  topology {service['topology']}: default {family.default}, "
            + (" ".join(prefixes_near(family, address)) or "no prefix near")]


class Comparison:
    def __init__(self, oracle, addresses):
        self.oracle = oracle
        self.sides = [{version: Server(version, address) for version, address in side.items()}
                      for side in (SERVERS, addresses)]
        self.figures = collections.Counter()

    def exchange(self, clients):
        """Both servers' replies to each."""
        replies = [[None, None] for _ in clients]
        for start in range(0, len(clients), WINDOW):
            window = range(start, min(start + WINDOW, len(clients)))
            for version in (4, 6):
                queries = {number: query(clients[number]) for number in window if clients[number].transport == version}
                for servers in self.sides:
                    servers[version].ask(queries)
            for version in (4, 6):
                for side, servers in enumerate(self.sides):
                    for number, octets in servers[version].replies().items():
                        replies[number][side] = octets
        return replies

    def compare(self, questions):
        """[(client, expected)] -> the replies of ecsdns, and the differences"""
        received, differences = [], []
        clients = [client for client, _ in questions]
        for (client, expected), pair in zip(questions, self.exchange(clients)):
            ours, theirs = (read(octets, client) for octets in pair)
            received.append(ours)
            self.figures[f"compared, {expected.kind}"] += 1
            self.figures["asked with NSID" if client.nsid else "asked without NSID"] += 1
            if not (ours.form == theirs.form and is_right(ours, client, expected.forms, expected.scope)
                    and is_right(theirs, client, expected.forms, expected.gdnsd_scope)):
                differences.append(explain(self.oracle, client, expected, ours, theirs))
        return received, differences

    def random_service(self, seed, name, count):
        questions = self.oracle.draw(random.Random(f"{seed} {name}"), name, count, self.figures)
        return len(questions), self.compare(questions)[1]

    def table(self, path):
        """Every row over both families and on both paths; our answers also as they are written down."""
        with open(path, encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("\t") for line in lines if line[0] != "#"]
        questions = [(row, Client(row[1], row[2], transport, parse_subnet(row[3]), nsid))
                     for row in rows for transport in (4, 6) for nsid in (None, "behind")]
        received, differences = self.compare([(client, self.oracle.expect(client)) for _, client in questions])
        for (row, client), reply in zip(questions, received):
            scopes = reply.subnet.split("/", 1)[1] if reply.subnet else "-"
            if reply.data != sorted(row[4].split(",")) or scopes != row[5]:
                differences.append([f"row {row[0]}, from {model.RESOLVER[client.transport]}: {' '.join(row[1:4])}",
                                    f"  written {row[4]}, {row[5]}", f"  ecsdns  {reply.text}"])
        return len(questions), differences

    def finish(self):
        self.figures["asked again"] += sum(server.again for servers in self.sides for server in servers.values())
        return self.figures


def parse_subnet(text):
    if text == "-":
        return None
    network = ipaddress.ip_network(text)
    return network.version, int(network.network_address), network.prefixlen


# -- all of it ---------------------------------------------------------------------------------------------------------

def shape_of(name):
    """nested-3.example.com -> nested; None for a service of the tables"""
    shape, _, number = name.split(".")[0].rpartition("-")
    return shape if number.isdigit() else None


WORKER = {}


def start_worker(oracle, addresses, seed, count):
    WORKER.update(oracle=oracle, addresses=addresses, seed=seed, count=count)


def compare_some(names):
    """In a process of the pool, over sockets of its own."""
    comparison = Comparison(WORKER["oracle"], WORKER["addresses"])
    results = [(shape_of(name), *comparison.random_service(WORKER["seed"], name, WORKER["count"])) for name in names]
    return results, comparison.finish()


def main():
    folder, seed, count, four, six = sys.argv[1:6]
    addresses, oracle = {4: four, 6: six}, Oracle(folder)
    names = [name for name in oracle.configuration.services if shape_of(name)]
    figures, batches = collections.Counter(topologies=len(names)), {}
    # Forked, so that all of them have the oracle without a word.
    with multiprocessing.get_context("fork").Pool(None, start_worker, (oracle, addresses, seed, int(count))) as pool:
        for results, part in pool.imap(compare_some, [names[i::8] for i in range(8)]):
            figures.update(part)
            for shape, asked, differences in results:
                before = batches.get(shape, (0, []))
                batches[shape] = before[0] + asked, before[1] + differences
    comparison = Comparison(oracle, addresses)
    for path in sys.argv[6:]:
        batches[os.path.basename(path)] = comparison.table(path)
    figures.update(comparison.finish())
    for name, (asked, differences) in batches.items():
        print("batch", name, asked, len(differences), sep="\t")
        with open(os.path.join(folder, f"differences-{name}"), "w", encoding="utf-8") as out:
            out.write("".join("\n".join(lines) + "\n" for lines in differences))
    for name, number in sorted(figures.items()):
        print("figure", name, number, sep="\t")


if __name__ == "__main__":
    main()
