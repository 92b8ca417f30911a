#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
streams.py QUERIES COUNT SEED IDLE LIMIT: hostile TCP streams to the server, COUNT of them, of random octets and of the
messages in QUERIES (hex, one a line; `replay queries` makes them).

Frames are split anywhere, their lengths lie, garbage stands between them; clients close one side or both, reset, send an
octet now and then, or nothing more. Whoever listens gets a reply to each whole message before the first that is none, as
the ids tell: a message is whole by its length, and a response or less than a header is none. IDLE is the server's idle
time in seconds, LIMIT how many connections it holds. Who needed nearly so long to send, as happens on a busy machine, may
have been left by the server: those are counted as late. Clients are of 198.18.64.0/20 and fd00:ec5:64::/48, which have to
be local here: more ports than 100,000 connections leave behind. Last line: figures; exit 1 if anything is wrong.
"""
import asyncio
import collections
import random
import socket
import struct
import sys
import time

SERVER_4, SERVER_6 = ("198.18.0.1", 53), ("fd00:ec5::1", 53)
SOURCE_4, SOURCE_6 = "198.18.{}.{}", "fd00:ec5:64::{:x}:{:x}"
IP_FREEBIND, IP_BIND_ADDRESS_NO_PORT, IPV6_FREEBIND = 15, 24, 78     # linux/in.h
AT_ONCE = 48
PATIENCE = 20       # seconds for everything that a stream waits for
SLACK = 3           # behind the idle time; the server looks once a second
UNREAD_MOST = 20000     # octets of queries whose replies fit the buffers on their way
SHOWN = 5

counts = collections.Counter()


class Wrong(Exception):
    pass


# -- what is sent --

def is_query(message):
    """One that gets a reply."""
    return len(message) >= 12 and not message[2] & 0x80


def framed(message, length=None):
    return struct.pack("!H", len(message) if length is None else length) + message


def no_message(dice, queries):
    """A length that lies, octets between frames, messages that end the connection, noise, a long message."""
    query = dice.choice(queries)
    return dice.choice((
        lambda: framed(query, dice.randrange(65536)),
        lambda: dice.randbytes(dice.choice((1, 2, 3, 11, 12, 13, 100, 1000))),
        lambda: framed(dice.randbytes(dice.randrange(12))),
        lambda: framed(query[:2] + b"\x80" + query[3:]),
        lambda: framed(dice.randbytes(dice.randrange(12, 600))),
        lambda: framed(query + dice.randbytes(dice.randrange(60000))),
    ))()


def octets(dice, queries):
    """Many streams are in order to their end, others for a while."""
    trouble = dice.choice((0, 0, 0.01, 0.1, 0.5))
    count = dice.choice((1, 1, 2, 3, 5, 8, 13, 30)) if dice.random() < 0.97 else dice.choice((200, 1000))
    return b"".join(no_message(dice, queries) if dice.random() < trouble else framed(dice.choice(queries))
                    for _ in range(count))


def frames(stream):
    """The whole ones."""
    at = 0
    while len(stream) - at >= 2:
        length = struct.unpack_from("!H", stream, at)[0]
        if len(stream) - at - 2 < length:
            return
        yield stream[at + 2:at + 2 + length]
        at += 2 + length


def owed(stream):
    """The ids of the replies, and whether the server ends the connection by itself."""
    ids = []
    for message in frames(stream):
        if not is_query(message):
            return ids, True
        ids.append(message[:2])
    return ids, False


# -- connections --

class Connection:
    def __init__(self, dice):
        self.dice, self.loop = dice, asyncio.get_running_loop()
        self.received, self.sending = bytearray(), 0.0
        is_ipv6, source = dice.random() < 0.5, (dice.randrange(16), dice.randrange(256))
        self.server = SERVER_6 if is_ipv6 else SERVER_4
        self.socket = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.setsockopt(*((socket.IPPROTO_IPV6, IPV6_FREEBIND, 1) if is_ipv6 else (socket.SOL_IP, IP_FREEBIND, 1)))
        self.socket.bind((SOURCE_6.format(*source) if is_ipv6 else SOURCE_4.format(64 + source[0], source[1]), 0))

    async def __aenter__(self):
        await self.loop.sock_connect(self.socket, self.server)
        return self

    async def __aexit__(self, *_):
        self.socket.close()

    async def send(self, stream, pause=0.0):
        """In pieces of any length. The server may have ended the connection."""
        at, began = 0, time.monotonic()
        try:
            while at < len(stream):
                length = 1 if pause else self.dice.choice((1, 2, 3, 14, 100, 1400, 70000))
                await self.loop.sock_sendall(self.socket, stream[at:at + length])
                at += length
                await asyncio.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.sending = time.monotonic() - began

    def end(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    async def read(self):
        """False at the end."""
        try:
            more = await self.loop.sock_recv(self.socket, 65536)
        except ConnectionResetError:
            return False
        self.received += more
        return bool(more)

    async def read_all(self):
        while await self.read():
            pass

    async def read_replies(self, count):
        while sum(1 for _ in frames(self.received)) < count and await self.read():
            pass

    def check(self, ids):
        replies = list(frames(self.received))
        if any(len(reply) < 12 or not reply[2] & 0x80 for reply in replies):
            raise Wrong("what came is no reply")
        missing = collections.Counter(ids) - collections.Counter(bytes(reply[:2]) for reply in replies)
        if missing and self.sending > IDLE - 1:
            counts["late"] += 1
        elif missing:
            raise Wrong(f"{missing.total()} of {len(ids)} replies are missing")
        if len(replies) > len(ids):
            raise Wrong(f"{len(replies)} replies to {len(ids)} messages")
        counts["replies"] += len(replies)


# -- clients --

async def closes_one_side(connection, stream):
    reading = asyncio.create_task(connection.read_all())
    await connection.send(stream)
    connection.end()
    await reading
    connection.check(owed(stream)[0])


async def stays(connection, stream):
    ids, ends = owed(stream)
    reading = asyncio.create_task(connection.read_all() if ends else connection.read_replies(len(ids)))
    await connection.send(stream)
    await reading
    connection.check(ids)


async def is_slow(connection, stream):
    stream = stream[:60]
    await connection.send(stream, 0.004)
    connection.end()
    await connection.read_all()
    connection.check(owed(stream)[0])


async def reads_late(connection, stream):
    stream = stream[:UNREAD_MOST]
    await connection.send(stream)
    connection.end()
    await asyncio.sleep(0.05)
    await connection.read_all()
    connection.check(owed(stream)[0])


async def resets(connection, stream):
    await connection.send(stream[:connection.dice.randrange(UNREAD_MOST)])
    connection.reset()


async def goes(connection, stream):
    await connection.send(stream[:UNREAD_MOST])


async def never_reads(connection, stream):
    """The server's replies back up behind it, and then it is gone."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    query = next(filter(is_query, frames(stream)), bytes(12))
    try:
        await asyncio.wait_for(connection.send(framed(query) * 20000), 0.2)
    except asyncio.TimeoutError:
        pass
    if connection.dice.random() < 0.5:
        connection.reset()


async def falls_silent(connection, stream):
    stream = stream[:connection.dice.randrange(len(stream))]
    reading = asyncio.create_task(connection.read_all())
    await connection.send(stream)
    sent = time.monotonic()
    await reading
    if time.monotonic() - sent > IDLE + SLACK:
        raise Wrong(f"an idle connection ended after {time.monotonic() - sent:.1f} s")
    connection.check(owed(stream)[0])


CLIENTS = {closes_one_side: 40, stays: 25, is_slow: 3, reads_late: 5, resets: 14, goes: 10, never_reads: 2, falls_silent: 1}


async def one(number, queries):
    dice = random.Random(f"{SEED}/{number}")
    client = dice.choices(list(CLIENTS), CLIENTS.values())[0]
    stream = octets(dice, queries)
    counts["streams"] += 1
    try:
        async with Connection(dice) as connection:
            await asyncio.wait_for(client(connection, stream), PATIENCE)
    except Exception as fault:      # ours, too: whatever ends a stream in another way than it should
        counts["wrong"] += 1
        if counts["wrong"] <= SHOWN:
            print(f"# wrong: stream {number} of seed {SEED}, who {client.__name__}: {type(fault).__name__} {fault}")
            print(f"#   {len(stream)} octets, {len(owed(stream)[0])} replies owed: {stream[:2000].hex()}")


async def worker(numbers, queries):
    for number in numbers:
        if counts["wrong"] < SHOWN:     # no use going on
            await one(number, queries)


async def many(queries):
    """More connections than the server holds: those that come last are served."""
    connections = [Connection(random.Random(f"{SEED}/many/{number}")) for number in range(LIMIT + LIMIT // 4)]
    for connection in connections:
        await connection.loop.sock_connect(connection.socket, connection.server)
    for connection in connections[-LIMIT // 2:]:
        await connection.send(framed(queries[0]))
        await asyncio.wait_for(connection.read_replies(1), PATIENCE)
        connection.check([queries[0][:2]])
        counts["many"] += 1
    for connection in connections:
        connection.socket.close()


async def main():
    with open(sys.argv[1], encoding="ascii") as file:
        queries = [message for message in map(bytes.fromhex, file) if is_query(message)]
    numbers = iter(range(COUNT))
    await asyncio.gather(*(worker(numbers, queries) for _ in range(AT_ONCE)))
    try:
        await many(queries)
    except (Wrong, OSError, asyncio.TimeoutError) as fault:
        counts["wrong"] += 1
        print(f"# wrong: {LIMIT + LIMIT // 4} connections at once: {type(fault).__name__} {fault}")
    print(*(f"{name} {counts[name]}" for name in ("streams", "replies", "late", "many", "wrong")))
    return 1 if counts["wrong"] else 0


COUNT, SEED, IDLE, LIMIT = int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
sys.exit(asyncio.run(main()))
