#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that no package has: wrong in one way each. All in one process, on addresses of this namespace.

  198.18.1.1:1000  TCP: accepts and stays silent
  198.18.1.1:1001  TCP: closes at once
  198.18.1.1:1002  TCP: says "220 ready", answers "QUIT" with "221 bye"
  198.18.1.1:1003  HTTP: headers of 200, half a body, then silence
  198.18.1.1:1004  HTTP: 200, a body without end
  198.18.1.1:1005  HTTP: 200 and 503 in turn
  198.18.1.1:1006  no HTTP at all
  198.18.1.1:1007  HTTP: tells whom it was asked by, and for what: the request's head, and the client's address
  198.18.1.1:1008  HTTP: a body of which "marker" are octets 70,000 and following
  198.18.1.1:1053  DNS: REFUSED
  198.18.1.1:1054  DNS: answers after 700 ms
  198.18.1.1:1055  DNS: another id, another question and half a message before the reply
  198.18.1.1:1056  DNS: silent
  198.18.1.1:1057  DNS: the reply's bytes after the header are 0xff

Says "ready" when all listen.
"""
import socket
import struct
import threading
import time

HOST = "198.18.1.1"
turns = [0]


def head(connection):
    octets = b""
    while b"\r\n\r\n" not in octets:
        more = connection.recv(4096)
        if not more:
            break
        octets += more
    return octets


def reply(connection, status, body):
    connection.sendall(b"HTTP/1.1 %d Some\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))


def silent(connection, _):
    time.sleep(30)


def closes(connection, _):
    pass


def greets(connection, _):
    connection.sendall(b"220 ready\r\n")
    if connection.recv(100) == b"QUIT\r\n":
        connection.sendall(b"221 bye\r\n")


def half(connection, _):
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    time.sleep(30)


def endless(connection, _):
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 8192)


def flaps(connection, _):
    head(connection)
    turns[0] += 1
    reply(connection, 200 if turns[0] % 2 else 503, b"")


def no_http(connection, _):
    head(connection)
    connection.sendall(b"SSH-2.0-nothing\r\n")


def echo(connection, client):
    reply(connection, 200, head(connection) + b"client " + client[0].encode())


def late_marker(connection, _):
    head(connection)
    reply(connection, 200, b"x" * 70000 + b"marker")


def serve(connection, client, handler):
    try:
        with connection:
            handler(connection, client)
    except OSError:
        pass


def listen(port, handler):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(1000)

    def accept():
        while True:
            connection, client = listener.accept()
            threading.Thread(target=serve, args=(connection, client, handler), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def answer(query, rcode=0):
    """The question again, and an A record 192.0.2.1."""
    ident, = struct.unpack("!H", query[:2])
    record = b"" if rcode else b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
    return struct.pack("!HHHHHH", ident, 0x8400 | rcode, 1, 0 if rcode else 1, 0, 0) + query[12:] + record


def refused(server, query, client):
    server.sendto(answer(query, 5), client)


def slow(server, query, client):
    threading.Timer(0.7, lambda: server.sendto(answer(query), client)).start()


def decoys(server, query, client):
    right = answer(query, 0)
    server.sendto(bytes([right[0] ^ 1]) + answer(query, 3)[1:], client)
    server.sendto(answer(query, 3).replace(b"\x03www", b"\x03wwx"), client)
    server.sendto(bytes([right[0] ^ 1]) + right[1:20], client)
    server.sendto(right[:5], client)
    server.sendto(right, client)


def mute(server, query, client):
    pass


def garbage(server, query, client):
    server.sendto(query[:2] + b"\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00" + b"\xff" * 20, client)


def datagrams(port, handler):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    server.bind((HOST, port))

    def receive():
        while True:
            query, client = server.recvfrom(4096)
            handler(server, query, client)
    threading.Thread(target=receive, daemon=True).start()


for number, function in enumerate((silent, closes, greets, half, endless, flaps, no_http, echo, late_marker)):
    listen(1000 + number, function)
for number, function in enumerate((refused, slow, decoys, mute, garbage)):
    datagrams(1053 + number, function)
print("ready", flush=True)
while True:
    time.sleep(3600)
