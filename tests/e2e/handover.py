#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Either side of a take-over of ecsdns-fallback (user/fallback/handover.h), played badly.

  handover.py taker SOCKET ACT           a new process that connects to a running one, and then ...
  handover.py giver SOCKET ACT [PORT]    an old process that a new one connects to, once, and then ...

The ACTs are the functions below. Messages that come are printed, one a line.
"""
import array
import os
import signal
import socket
import struct
import sys
import time

MAGIC, VERSION = 0x46534345, 1
HELLO, OFFER, SOCKETS, READY, RELEASED, SETTLED, REFUSED = range(1, 8)
KINDS = ["", "HELLO", "OFFER", "SOCKETS", "READY", "RELEASED", "SETTLED", "REFUSED"]
LAYOUT = "<IIIII236s"


class Peer:
    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(10)
        self.fds = []

    def say(self, kind, count=0, why=b"", fds=(), magic=MAGIC, version=VERSION, cut=None, more=b""):
        message = struct.pack(LAYOUT, magic, version, kind, os.getpid(), count, why)[:cut] + more
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([message], rights)

    def hear(self):
        """The kind of the next message, or 0 at the end."""
        try:
            octets, control, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(253 * 4))
        except ConnectionResetError:
            return self.hear()
        if not octets:
            print("END", flush=True)
            return 0
        for _, _, data in control:
            self.fds += array.array("i", data[:len(data) - len(data) % 4])
        _, version, kind, _, count, why = struct.unpack(LAYOUT, octets)
        print(f"{KINDS[kind]} version {version} count {count} {why.rstrip(bytes(1)).decode()}".rstrip(), flush=True)
        self.count = count
        return kind

    def until(self, kind):
        heard = self.hear()
        while heard and heard != kind:
            heard = self.hear()
        return heard


def die():
    os.kill(os.getpid(), signal.SIGKILL)


# -- new processes -----------------------------------------------------------------------------------------------------

def hello(peer):
    """... dies behind its HELLO."""
    peer.say(HELLO)
    die()


def offered(peer):
    """... dies with the sockets in its hands."""
    peer.say(HELLO)
    peer.until(OFFER)
    expected = peer.count
    while len(peer.fds) < expected + 1:
        peer.hear()
    die()


def released(peer):
    """... dies when nobody but itself would read the sockets."""
    peer.say(HELLO)
    peer.until(OFFER)
    peer.say(READY)
    peer.until(RELEASED)
    die()


def hangs(peer):
    """... says no more when nobody but itself would read the sockets."""
    peer.say(HELLO)
    peer.until(OFFER)
    peer.say(READY)
    peer.until(REFUSED)


def silent(peer):
    """... says nothing."""
    peer.until(REFUSED)


# What say() is given, in the connection's first message and its second.
HOSTILE = {
    "of no octet": [{"kind": 0, "cut": 0}],
    "of one octet": [{"kind": HELLO, "cut": 1}],
    "that is cut": [{"kind": HELLO, "cut": 255}],
    "that is too long": [{"kind": HELLO, "more": bytes(60000)}],
    "of another protocol": [{"kind": HELLO, "magic": 0x20544547}],
    "of another version": [{"kind": HELLO, "version": 2}],
    "of another version, shorter": [{"kind": HELLO, "version": 7, "cut": 12}],
    "of no kind": [{"kind": 0}],
    "of an unknown kind": [{"kind": 4711}],
    "with descriptors": [{"kind": HELLO, "fds": [0] * 100}],
    "READY first": [{"kind": READY}],
    "SETTLED first": [{"kind": SETTLED}],
    "of no kind behind HELLO": [{"kind": HELLO}, {"kind": 0}, {"kind": 0}],
    "HELLO twice": [{"kind": HELLO}, {"kind": HELLO}],
    "SETTLED behind HELLO": [{"kind": HELLO}, {"kind": SETTLED}],
    "with a count": [{"kind": HELLO, "count": 0xffffffff}, {"kind": REFUSED, "why": b"x" * 240}],
}


def hostile(_):
    """... is many, each of which sends what it should not. Says for each how the connection ended."""
    for name, messages in HOSTILE.items():
        print(f"a message {name}:", flush=True)
        each = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        each.connect(path)
        peer = Peer(each)
        try:
            for message in messages:
                peer.say(**message)
        except BrokenPipeError:
            pass
        peer.until(0)
        each.close()
        for fd in peer.fds:
            os.close(fd)


# -- old processes -----------------------------------------------------------------------------------------------------

def listeners(port):
    fds = []
    for family, address in ((socket.AF_INET, "198.18.0.1"), (socket.AF_INET6, "fd00:ec5::1")):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            each = socket.socket(family, kind)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((address, port))
            each.setblocking(False)
            if kind == socket.SOCK_STREAM:
                each.listen(16)
            fds.append(each.detach())
    return fds


def refuses(peer):
    """... refuses."""
    peer.until(HELLO)
    peer.say(REFUSED, why=b"it is Sunday")


def newer(peer):
    """... is of another version."""
    peer.until(HELLO)
    peer.say(REFUSED, version=2, more=b"and longer")


def garbage(peer):
    """... sends garbage."""
    peer.until(HELLO)
    peer.socket.send(os.urandom(256))


def file(peer):
    """... offers a file for a socket."""
    peer.until(HELLO)
    peer.say(OFFER, count=1, fds=[listener.fileno()])
    peer.say(SOCKETS, count=1, fds=[os.open("/etc/passwd", os.O_RDONLY)])
    peer.until(0)


def crowd(peer):
    """... sends more descriptors than there is room for."""
    peer.until(HELLO)
    peer.say(OFFER, count=0, fds=[listener.fileno()] * 3)
    peer.until(0)


def fewer(peer):
    """... sends fewer sockets than it says."""
    peer.until(HELLO)
    fds = listeners(PORT)
    peer.say(OFFER, count=len(fds), fds=[listener.fileno()])
    peer.say(SOCKETS, count=len(fds), fds=fds[:2])
    peer.until(0)


def other_port(peer):
    """... listens on another port."""
    peer.until(HELLO)
    fds = listeners(PORT + 1)
    peer.say(OFFER, count=len(fds), fds=[listener.fileno()])
    peer.say(SOCKETS, count=len(fds), fds=fds)
    peer.until(0)


def early(peer):
    """... dies before it offers anything."""
    peer.until(HELLO)
    die()


def late(peer):
    """... dies when it has offered everything."""
    peer.until(HELLO)
    fds = listeners(PORT)
    peer.say(OFFER, count=len(fds), fds=[listener.fileno()])
    peer.say(SOCKETS, count=len(fds), fds=fds)
    peer.until(READY)
    die()


def takes_back(peer):
    """... takes back what it has released."""
    peer.until(HELLO)
    fds = listeners(PORT)
    peer.say(OFFER, count=len(fds), fds=[listener.fileno()])
    peer.say(SOCKETS, count=len(fds), fds=fds)
    peer.until(READY)
    peer.say(RELEASED)
    time.sleep(0.3)
    peer.say(REFUSED, why=b"too slow")
    peer.until(0)


side, path, act = sys.argv[1:4]
PORT = int(sys.argv[4]) if len(sys.argv) > 4 else 53
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if side == "taker":
    listener.connect(path)
    globals()[act](Peer(listener))
else:
    listener.bind(path)
    listener.listen(4)
    globals()[act](Peer(listener.accept()[0]))
