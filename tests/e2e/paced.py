#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Asks at known rates over UDP, until SIGTERM or the time is over.

usage: paced.py SERVER SECONDS LOG RATE,NAME,TYPE,BLOCK...    BLOCK is a client subnet or "-"

Prints, for each, how many queries were sent, and at the end how many replies came. LOG gets lines of the monotonic clock
in nanoseconds and how many of each were sent by then: a busy host keeps no pace.
"""
import signal
import socket
import sys
import time

import dns.edns
import dns.message

TICK = 0.01


def query(name, rdtype, block):
    options = []
    if block != "-":
        address, length = block.split("/")
        options.append(dns.edns.ECSOption(address, int(length)))
    return bytearray(dns.message.make_query(name, rdtype, use_edns=0, options=options).to_wire())


def main():
    server, seconds, groups = sys.argv[1], float(sys.argv[2]), [group.split(",") for group in sys.argv[4:]]
    log = open(sys.argv[3], "w", encoding="ascii", buffering=1)
    wires = [query(name, rdtype, block) for _, name, rdtype, block in groups]
    sent = [0] * len(groups)
    received = number = 0
    is_over = []
    signal.signal(signal.SIGTERM, lambda *_: is_over.append(1))
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    peer.connect((server, 53))
    peer.setblocking(False)
    began = time.monotonic()
    while not is_over and time.monotonic() - began < seconds:
        for i, group in enumerate(groups):
            while sent[i] < (time.monotonic() - began) * float(group[0]):
                number = (number + 1) & 0xffff
                wires[i][0:2] = number.to_bytes(2, "big")
                peer.send(wires[i])
                sent[i] += 1
        print(time.monotonic_ns(), *sent, file=log)
        time.sleep(TICK)
        try:
            while peer.recv(4096):
                received += 1
        except BlockingIOError:
            pass
    time.sleep(0.1)
    try:
        while peer.recv(4096):
            received += 1
    except BlockingIOError:
        pass
    for group, count in zip(groups, sent):
        print(*group, count)
    print("received", received)


main()
