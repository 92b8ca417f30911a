#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
connections.py NAME ADDRESS...: steady TCP clients, of which every single query must be answered, whoever serves.

For each ADDRESS one client that connects, asks three times in one write and closes; one that keeps its connection for as
long as the server does not ask it to close (RFC 7828 3.2.2) and one that keeps it until the server closes. NAME has an AAAA
record. Until SIGTERM; then a line for what went wrong, and last "queries N answered N kept N asked_to_close N closed N".
Exit 0 if every query was answered and no connection was refused or reset.
"""
import signal
import socket
import struct
import sys
import threading
import time

import dns.edns
import dns.message
import dns.rcode

NAME, ADDRESSES = sys.argv[1], sys.argv[2:]
TIMEOUT = 5
counts = {"queries": 0, "answered": 0, "kept": 0, "asked_to_close": 0, "closed": 0}
wrong = []
lock = threading.Lock()
stopping = threading.Event()


def count(what, number=1):
    with lock:
        counts[what] += number


def fail(what):
    with lock:
        wrong.append(f"{time.monotonic():.3f} {what}")


def framed(identity, options=()):
    message = dns.message.make_query(NAME, "AAAA", use_edns=0, options=list(options))
    message.id = identity
    wire = message.to_wire()
    return struct.pack("!H", len(wire)) + wire


class Closed(Exception):
    pass


class Connection:
    def __init__(self, address):
        self.socket = socket.create_connection((address, 53), timeout=TIMEOUT)
        self.data = b""

    def octets(self, wanted):
        while len(self.data) < wanted:
            more = self.socket.recv(65536)
            if not more:
                raise Closed("the connection ended" + (" in mid-reply" if self.data else ""))
            self.data += more
        taken, self.data = self.data[:wanted], self.data[wanted:]
        return taken

    def ask(self, identities, options=()):
        """The replies, each of which must be right and in its turn."""
        count("queries", len(identities))
        self.socket.sendall(b"".join(framed(identity, options) for identity in identities))
        replies = []
        for identity in identities:
            reply = dns.message.from_wire(self.octets(struct.unpack("!H", self.octets(2))[0]))
            if reply.id != identity or reply.rcode() != dns.rcode.NOERROR or len(reply.answer) != 1:
                raise Closed(f"a wrong reply: {reply}")
            count("answered")
            replies.append(reply)
        return replies

    def is_closed(self):
        """Has the server closed, with nothing of ours under way?"""
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(TIMEOUT)


def forever(work, address):
    while not stopping.is_set():
        try:
            work(address)
        except (OSError, Closed, ValueError) as error:
            fail(f"{work.__name__} {address}: {error!r}")
            time.sleep(0.1)


def hasty(address):
    connection = Connection(address)
    connection.ask([1, 2, 3])
    connection.socket.close()
    time.sleep(0.005)


def polite(address):
    keepalive = [dns.edns.GenericOption(11, b"")]
    connection = Connection(address)
    while not stopping.is_set():
        reply = connection.ask([4], keepalive)[0]
        if [option.to_wire() for option in reply.options if option.otype == 11] == [b"\0\0"]:
            count("asked_to_close")
            break
        time.sleep(0.02)
    connection.socket.close()


def stubborn(address):
    connection = Connection(address)
    count("kept")
    while not stopping.is_set():
        connection.ask([5])
        time.sleep(0.05)
        if connection.is_closed():
            count("closed")
            break
    connection.socket.close()


signal.signal(signal.SIGTERM, lambda *_: stopping.set())
threads = [threading.Thread(target=forever, args=(work, address)) for address in ADDRESSES
           for work in (hasty, polite, stubborn)]
for thread in threads:
    thread.start()
while not stopping.wait(0.2):
    pass
for thread in threads:
    thread.join()
for line in wrong[:20]:
    print(line)
print(" ".join(f"{name} {value}" for name, value in counts.items()))
sys.exit(1 if wrong or counts["queries"] != counts["answered"] else 0)
