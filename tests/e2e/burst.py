#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
burst.py NAME STEPS ADDRESS...: many queries at once for NAME's TXT records, none of which is waited for before all are sent.

For each ADDRESS, at first a TCP connection that asks until the server takes no more, and reads nothing; then it makes the
file STEPS.full and waits for STEPS.go. Then 20 UDP sockets with 20 queries each, 5 TCP connections with 300 pipelined queries
each, and one with a query and a half; the file STEPS.sent when all are on their way. Then all replies are read, and
"udp N/N tcp N/N ended N/N" says how many came of the queries that were sent, each counted once (but for the connections that
asked too much), and how many TCP connections ended behind their replies without a reset. Exit 0 if that was all.
"""
import os
import select
import socket
import struct
import sys
import time

import dns.message

NAME, STEPS, ADDRESSES = sys.argv[1], sys.argv[2], sys.argv[3:]
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
    client.close()
    identities, at = set(), 0
    while at + 2 <= len(data):
        length = struct.unpack("!H", data[at:at + 2])[0]
        if at + 2 + length > len(data):
            print("a connection ended in mid-reply")
            return len(identities), False
        identities.add(dns.message.from_wire(data[at + 2:at + 2 + length]).id)
        at += 2 + length
    return len(identities), ended


def gorged(address):
    client, queries = tcp(address, 0), framed(1) * 100
    client.settimeout(0.3)
    try:
        while True:
            client.sendall(queries)
    except TimeoutError:
        client.settimeout(SECONDS)
        return client


def step(name):
    open(f"{STEPS}.{name}", "w").close()


gluttons = [gorged(each) for each in ADDRESSES]
step("full")
while not os.path.exists(f"{STEPS}.go"):
    time.sleep(0.01)
datagrams, streams, expected = [], [], 0
for each in ADDRESSES:
    datagrams += [udp(each) for _ in range(SOCKETS)]
    streams += [tcp(each, PIPELINED) for _ in range(CONNECTIONS)] + [tcp(each, 1, framed(9)[:20])]
    expected += CONNECTIONS * PIPELINED + 1
step("sent")
answered = replies_of_udp(datagrams)
results = [replies_of_tcp(client) for client in streams]
in_time, ended = sum(count for count, _ in results), sum(good for _, good in results)
ended += sum(count > 0 and good for count, good in map(replies_of_tcp, gluttons))
clients = len(streams) + len(gluttons)
print(f"udp {answered}/{len(datagrams) * QUERIES} tcp {in_time}/{expected} ended {ended}/{clients}")
sys.exit(0 if answered == len(datagrams) * QUERIES and in_time == expected and ended == clients else 1)
