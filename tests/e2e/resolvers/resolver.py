# SPDX-License-Identifier: GPL-3.0-or-later
"""The resolvers: asked as a client asks, counted by their own statistics, and their caches read."""
import ipaddress
import os
import re
import subprocess

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode


class Reply:
    def __init__(self, message):
        self.rcode = dns.rcode.to_text(message.rcode())
        self.ttl = message.answer[0].ttl if message.answer else None
        self.site = ",".join(str(record) for rrset in message.answer for record in rrset) or self.rcode
        scopes = [option.scopelen for option in message.options if isinstance(option, dns.edns.ECSOption)]
        self.scope = scopes[0] if scopes else None

    def __str__(self):
        return f"{self.site}, TTL {self.ttl}, scope {self.scope}"


class Server:
    def __init__(self, address):
        self.address = address

    def ask(self, name, client, rrtype="AAAA", recurse=True):
        """The client is a network, or None for a query without client subnet."""
        options = [dns.edns.ECSOption(str(client.network_address), client.prefixlen)] if client else []
        query = dns.message.make_query(name, rrtype, use_edns=0, options=options)
        if not recurse:
            query.flags &= ~dns.flags.RD
        return Reply(dns.query.udp(query, self.address, timeout=5))


class Resolver(Server):
    """Files of the resolver, and the sockets that control it, are in the folder."""

    def __init__(self, address, folder):
        super().__init__(address)
        self.folder = folder


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Unbound(Resolver):
    queries_a_question = 2  # QNAME minimisation asks for A before any other type
    returns_scope = True
    mixes_sources = False
    everyone = "::/0"

    def control(self, *words):
        return run("unbound-control", "-c", os.path.join(self.folder, "unbound.conf"), *words)

    def questions(self):
        """How many questions it could not answer from cache. Those of source 0 are not counted."""
        stats = dict(line.split("=") for line in self.control("stats_noreset").split())
        return int(stats["num.query.subnet"]) - int(stats["num.query.subnet_cache"])

    @staticmethod
    def is_counted(client):
        return client.prefixlen > 0

    def kept_for_all(self, names):
        """Lines of the regular cache with these names. That one is what unbound-control can dump."""
        return [line for line in self.control("dump_cache").splitlines() if any(name in line for name in names)]

    def caches(self, wanted):
        """
        {name: blocks} -> {name: entries}. No command shows the client subnet cache, but queries without RD read it, from
        where access-control says allow_snoop; the reply's scope is the entry's length. What is not there must not be
        fetched by looking: a query without RD would go on to the servers of a stub-zone, but fails where the zone is
        forwarded. So it is for that while.
        """
        self.control("forward_add", "example.com", "fd00:ec5::1")
        try:
            return {name: self.cache(name, blocks) for name, blocks in wanted.items()}
        finally:
            self.control("forward_remove", "example.com")

    def cache(self, name, blocks):
        """Looks at both ends of every block, and at the addresses just outside."""
        found = {probe: None for block in blocks for probe in ends(block)}
        for probe in found:
            reply = self.ask(name, probe, recurse=False)
            if reply.rcode == "NOERROR":
                found[probe] = (probe.supernet(new_prefix=reply.scope), reply.site)
        return {f"{block} {site}" if all(found[probe] == (block, site) for probe in found if inside(probe, block))
                else f"a part of {block} {site}" for block, site in filter(None, found.values())}

    @staticmethod
    def source0_entries(_):
        return set()  # kept for source 0 alone: no other client is answered from it

    @staticmethod
    def misled(own, words):
        """Is the own prefix's client sent to the default's site, in this order? Scope 0 is for its family."""
        return words.index("tokyo") < words.index(own)


def ends(block):
    first, last = int(block[0]), int(block[-1])
    for number in (first - 1, first, last, last + 1):
        if 0 <= number < 1 << block.max_prefixlen:
            address = ipaddress.IPv4Address(number) if block.version == 4 else ipaddress.IPv6Address(number)
            yield ipaddress.ip_network(address)


def inside(probe, block):
    return probe.version == block.version and probe.subnet_of(block)


class Recursor(Resolver):
    queries_a_question = 1
    returns_scope = False  # no option at all in an answer that is not for everyone
    mixes_sources = True
    everyone = "everyone"

    def control(self, *words):
        return run("rec_control", "--socket-dir=" + self.folder, *words)

    def questions(self):
        return int(self.control("get", "ecs-queries"))

    @staticmethod
    def is_counted(_):
        return True

    def dump(self):
        path = os.path.join(self.folder, "dump")
        if os.path.exists(path):
            os.unlink(path)  # the recursor will not write over it
        self.control("dump-cache", path)
        with open(path, encoding="ascii") as lines:
            return lines.readlines()

    def kept_for_all(self, names):
        """Records without netmask; and whole packets, which are for everyone."""
        return [line for line in self.dump() if any(name in line for name in names) and not re.search(r" nm=\S", line)]

    def caches(self, wanted):
        caches = {name: set() for name in wanted}
        for line in self.dump():
            entry = re.match(r"(\S+)\. \d+ (-?\d+) IN AAAA (\S+) ;.* nm=(\S*) ", line)
            if entry and entry[1] in caches and int(entry[2]) > 0:
                caches[entry[1]].add(f"{entry[4] or self.everyone} {entry[3]}")
        return caches

    @staticmethod
    def source0_entries(topology):
        return {f"127.0.0.0/8 {topology.default}"}  # sent as 127.0.0.1/32; its scope is the special block's length

    @staticmethod
    def misled(own, words):
        """Scope 0 is for both families."""
        return words[0] != own


KINDS = {"unbound": Unbound, "recursor": Recursor}
