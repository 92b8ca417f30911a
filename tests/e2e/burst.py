#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
burst.py NAME SENT ADDRESS...: many queries at once for NAME's TXT records, none of which is waited for before all are sent.

For each ADDRESS 20 UDP sockets with 20 queries each, 5 TCP connections with 300 pipelined queries each, and one with a
query and a half. Makes the file SENT when all are on their way. Then "udp N/N tcp N/N ended N/N": replies that came of
queries that were sent, each counted once, and TCP connections that ended behind them without a reset. Exit 0 if that was all.
"""
import select
import socket
import struct
import sys
import time

import dns.message

NAME, SENT, ADDRESSES = sys.argv[1], sys.argv[2], sys.argv[3:]
SOCKETS, QUERIES, CONNECTIONS, PIPELINED, SECONDS = 20, 20, 5, 300, 8


def query(identity):
    message = dns.message.make_query(NAME, "TXT")
    message.id = identity
    return message.to_wire()


def framed(identity):
    return struct.pack("!H", len(query(identity))) + query(identity)


def udp(address):
    client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((address, 53))
    for identity in range(QUERIES):
        client.send(query(identity))
    return client


def tcp(address, count, more=b""):
    client = socket.create_connection((address, 53), timeout=SECONDS)
    client.sendall(b"".join(framed(identity) for identity in range(count)) + more)
    return client


def replies_of_udp(clients):
    answered, end = {client: set() for client in clients}, time.monotonic() + SECONDS
    while sum(map(len, answered.values())) < len(clients) * QUERIES and time.monotonic() < end:
        for client in select.select(clients, [], [], 0.1)[0]:
            try:
                reply = dns.message.from_wire(client.recv(4096))
            except ConnectionRefusedError:
                continue    # a query that came too late; there is none
            if len(reply.answer) == 1:
                answered[client].add(reply.id)
    return sum(map(len, answered.values()))


def replies_of_tcp(client):
    """How many, and whether the server closed without a reset."""
    data, ended = b"", True
    try:
        while more := client.recv(65536):
            data += more
    except OSError as error:
        print(f"a connection ended by {error!r}")
        ended = False
    identities, at = set(), 0
    while at + 2 <= len(data):
        length = struct.unpack("!H", data[at:at + 2])[0]
        if at + 2 + length > len(data):
            print("a connection ended in mid-reply")
            return len(identities), False
        identities.add(dns.message.from_wire(data[at + 2:at + 2 + length]).id)
        at += 2 + length
    return len(identities), ended


datagrams, streams, expected = [], [], 0
for each in ADDRESSES:
    datagrams += [udp(each) for _ in range(SOCKETS)]
    streams += [tcp(each, PIPELINED) for _ in range(CONNECTIONS)] + [tcp(each, 1, framed(9)[:20])]
    expected += CONNECTIONS * PIPELINED + 1
open(SENT, "w").close()
answered = replies_of_udp(datagrams)
results = [replies_of_tcp(client) for client in streams]
in_time, ended = sum(count for count, _ in results), sum(good for _, good in results)
print(f"udp {answered}/{len(datagrams) * QUERIES} tcp {in_time}/{expected} ended {ended}/{len(streams)}")
sys.exit(0 if answered == len(datagrams) * QUERIES and in_time == expected and ended == len(streams) else 1)
