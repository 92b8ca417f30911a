#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The TCP address of the metrics, as those use it who mean no good. Prints "NAME STATUS" for each request, "closed" where no
status came; "silent N" of the connections that say nothing are served at once, and "seconds S" is when all were closed.

usage: metrics_tcp.py ADDRESS PORT
       metrics_tcp.py hold ADDRESS PORT     listens there in the controller's place for 20 seconds, and says so
"""
import socket
import sys
import time

HOST = b" HTTP/1.1\r\nHost: x\r\n"
REQUESTS = {
    "get": b"GET /metrics" + HOST + b"\r\n",
    "get-1.0": b"GET /metrics HTTP/1.0\r\n\r\n",
    "head": b"HEAD /metrics" + HOST + b"\r\n",
    "argument": b"GET /metrics?a=b" + HOST + b"\r\n",
    "post": b"POST /metrics" + HOST + b"Content-Length: 0\r\n\r\n",
    "post-body": b"POST /metrics" + HOST + b"Content-Length: 3\r\n\r\nabc",
    "get-body": b"GET /metrics" + HOST + b"Content-Length: 100000\r\n\r\n" + b"a" * 100000,
    "delete": b"DELETE /metrics" + HOST + b"\r\n",
    "push": b"POST /v1/push" + HOST + b"Content-Length: 0\r\n\r\n",
    "status": b"GET /v1/status" + HOST + b"\r\n",
    "root": b"GET /" + HOST + b"\r\n",
    "below": b"GET /metrics/" + HOST + b"\r\n",
    "climbing": b"GET /metrics/../v1/status" + HOST + b"\r\n",
    "long-path": b"GET /" + b"a" * 100000 + HOST + b"\r\n",
}


def exchange(address, octets):
    peer = socket.create_connection(address, timeout=5)
    reply = b""
    try:
        peer.sendall(octets)
        while piece := peer.recv(65536):
            reply += piece
    except ConnectionError:
        pass
    peer.close()
    return reply


def hold(address):
    while True:  # threads of a controller that has ended may hold it for a moment
        try:
            listener = socket.create_server(address)
            break
        except OSError:
            time.sleep(0.05)
    print("holds", flush=True)
    time.sleep(20)
    listener.close()


def main():
    if sys.argv[1] == "hold":
        return hold((sys.argv[2], int(sys.argv[3])))
    address = (sys.argv[1], int(sys.argv[2]))
    for name, octets in REQUESTS.items():
        reply = exchange(address, octets)
        words = reply.split(b"\r\n", 1)[0].split()
        print(name, words[1].decode() if len(words) > 1 else "closed",
              "with a body" if name == "head" and not reply.endswith(b"\r\n\r\n") else "")
    # Half a request each, of one address. Whoever is above the limit is closed at once.
    began = time.monotonic()
    silent = [socket.create_connection(address, timeout=15) for _ in range(40)]
    for peer in silent:
        try:
            peer.sendall(b"GET /metrics HTTP/1.1\r\n")
        except ConnectionError:
            pass
    time.sleep(0.5)
    served = 0
    for peer in silent:
        peer.setblocking(False)
        try:
            peer.recv(1)
        except BlockingIOError:
            served += 1
        except ConnectionError:
            pass
        peer.settimeout(15)
    print("silent", served)
    for peer in silent:
        try:
            while peer.recv(4096):
                pass
        except ConnectionError:
            pass
    print("seconds %.1f" % (time.monotonic() - began))


main()
