#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
tcp.py ADDRESS PORT IDLE NAME IN-ALL OF-NETWORK SOURCE...: queries over TCP as clients of every kind make them (RFC 7766,
RFC 7828, RFC 9210).

IDLE is the server's idle time in seconds; NAME has an AAAA record. IN-ALL and OF-NETWORK are how many connections it
holds; the SOURCEs are addresses of ours in networks of their own, enough to fill it. Prints TAP.
"""
import socket
import struct
import sys
import time

import dns.edns
import dns.message
import dns.rcode

ADDRESS, PORT, IDLE, NAME = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
IN_ALL, OF_NETWORK, SOURCES = int(sys.argv[5]), int(sys.argv[6]), sys.argv[7:]
SLACK = 1.5     # the server looks for idle connections once a second
number = failed = 0


def check(name, good, why=""):
    global number, failed
    number += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {number} - {name}")
    if not good:
        print(f"# {why}")


def query(identity=1, options=(), pad=0):
    message = dns.message.make_query(NAME, "AAAA", use_edns=0, options=list(options))
    message.id = identity
    if pad:
        message.use_edns(0, options=[dns.edns.GenericOption(12, bytes(pad - len(message.to_wire()) - 4))])
    return message.to_wire(max_size=65535)


def framed(wire):
    return struct.pack("!H", len(wire)) + wire


class Client:
    def __init__(self, source=""):
        self.socket = socket.create_connection((ADDRESS, PORT), timeout=IDLE + 5, source_address=(source, 0))
        self.data = b""

    def send(self, octets):
        self.socket.sendall(octets)

    def reply(self):
        """The next reply, parsed to its end; None when the server has closed."""
        while len(self.data) < 2 or len(self.data) < 2 + struct.unpack("!H", self.data[:2])[0]:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.data += more
        length = struct.unpack("!H", self.data[:2])[0]
        message, self.data = self.data[2:2 + length], self.data[2 + length:]
        return dns.message.from_wire(message)

    def replies(self, count):
        got = []
        while len(got) < count:
            reply = self.reply()
            if reply is None:
                break
            got.append(reply)
        return got

    def closed_after(self):
        began = time.monotonic()
        while self.reply() is not None:
            pass
        return time.monotonic() - began


    def asks(self):
        """Is there an answer for it, still?"""
        try:
            self.send(framed(query()))
        except OSError:
            return False
        return is_good(self.reply())


def is_good(reply):
    return reply is not None and reply.rcode() == dns.rcode.NOERROR and len(reply.answer) == 1


def all_answered(replies, identities):
    return sorted(reply.id for reply in replies) == sorted(identities) and all(map(is_good, replies))


def keepalive():
    client = Client()
    client.send(framed(query(options=[dns.edns.GenericOption(11, b"")])))
    data = [option.to_wire() for option in client.reply().options if option.otype == 11]
    check("keepalive tells the idle time in tenths of seconds", data == [struct.pack("!H", int(IDLE * 10))], data)
    client.send(framed(query()))
    check("and is not sent unasked", not client.reply().options)


def idle():
    client = Client()
    for _ in range(int(IDLE * 3 / 0.5)):
        client.send(framed(query()))
        if not is_good(client.reply()):
            break
        time.sleep(0.5)
    client.send(framed(query()))
    check("a connection that asks now and then stays open beyond the idle time", is_good(client.reply()))
    after = client.closed_after()
    check("an idle connection is closed, and not too early", IDLE - 0.1 <= after <= IDLE + SLACK, f"after {after:.2f} s")


def slow_writer():
    client, wire = Client(), framed(query())
    began = time.monotonic()
    try:
        for octet in wire[:-1]:
            client.send(bytes([octet]))
            time.sleep(0.2)
            if time.monotonic() - began > IDLE + 3:
                break
    except OSError:
        pass
    after = time.monotonic() - began
    check("a client that sends an octet now and then, and never a message, is not waited for",
          IDLE - 0.1 <= after <= IDLE + SLACK + 0.5, f"after {after:.2f} s")


def pieces():
    client = Client()
    wire = framed(query(7))
    for octet in wire:
        client.send(bytes([octet]))
        time.sleep(0.002)
    check("a message that comes octet by octet, its length too", is_good(client.reply()))
    client.send(wire[:2])
    time.sleep(0.1)
    client.send(wire[2:] + wire[:1])
    good = is_good(client.reply())
    client.send(wire[1:])
    check("a length without its message, then both and half the next length", good and is_good(client.reply()))


def pipelined():
    client = Client()
    client.send(b"".join(framed(query(identity)) for identity in range(500)))
    check("500 queries in one write: each answered once", all_answered(client.replies(500), range(500)))
    client.send(b"".join(framed(query(identity)) for identity in range(100)))
    client.socket.shutdown(socket.SHUT_WR)
    check("a client that closes its side behind its queries gets all replies",
          all_answered(client.replies(100), range(100)) and client.reply() is None)


def slow_reader():
    client = Client()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.socket.settimeout(0.3)
    sent = 0
    try:
        while sent < 60000:
            client.send(framed(query(sent)))
            sent += 1
    except socket.timeout:
        pass
    check("a client that does not read is not read from for ever", sent < 60000, f"{sent} queries were taken")
    client.socket.close()
    client = Client()
    client.send(framed(query()))
    check("and others are served meanwhile", is_good(client.reply()))


def long_messages():
    client = Client()
    client.send(framed(query(pad=65535)) + framed(query(2)))
    check("a message of 65,535 octets, and one behind it", all_answered(client.replies(2), [1, 2]))


def bad_ends():
    client = Client()
    client.send(framed(query(1)) + framed(b"short"))
    check("what is no message ends the connection, behind the reply owed",
          all_answered(client.replies(1), [1]) and client.reply() is None)
    client = Client()
    client.send(b"".join(framed(query(identity)) for identity in range(1000)) + framed(b"short") + bytes(100000))
    check("behind every reply owed, however much else was sent",
          all_answered(client.replies(1000), range(1000)) and client.reply() is None)
    client = Client()
    client.send(b"\0\0" + framed(query(1)))
    check("a message without octets ends the connection", client.reply() is None)


def limits():
    time.sleep(IDLE + SLACK)    # for those of the tests before
    full = [Client(SOURCES[0]) for _ in range(OF_NETWORK)]
    good = all(client.asks() for client in full)
    check("as many connections of one network as there may be", good)
    check("a stranger is served beside them", Client(SOURCES[1]).asks())
    check("one more of that network is served", Client(SOURCES[0]).asks())
    check("in the place of the one that was idle longest, and of no other",
          [client.asks() for client in full] == [False] + [True] * (OF_NETWORK - 1))
    time.sleep(IDLE + SLACK)
    full = [Client(SOURCES[i // OF_NETWORK]) for i in range(IN_ALL)]
    check("as many connections as there may be in all", all(client.asks() for client in full))
    check("one more is served", Client(SOURCES[-1]).asks())
    check("in the place of the one that was idle longest of all, and of no other",
          [client.asks() for client in full] == [False] + [True] * (IN_ALL - 1))


for test in (keepalive, idle, slow_writer, pieces, pipelined, slow_reader, long_messages, bad_ends, limits):
    test()
print(f"1..{number}")
sys.exit(1 if failed else 0)
