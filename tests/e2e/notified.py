#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
notified.py SOCKET FILE ADDRESS NAME: stands in for systemd at the other end of NOTIFY_SOCKET.

Appends to FILE a line for every assignment of every message: seconds since 1970, process, assignment. At each
READY=1 it asks the server at ADDRESS for NAME's TXT records at once, over UDP from many ports, so that every worker has its
turn, and over TCP; the line behind READY=1 says how many of how many were answered. Ends with SIGTERM.
"""
import os
import socket
import struct
import sys
import time

import dns.message
import dns.query

PATH, LOG, ADDRESS, NAME = sys.argv[1:]
PORTS = 48


def is_answered(ask):
    try:
        return len(ask(dns.message.make_query(NAME, "TXT"), ADDRESS, timeout=1).answer) == 1
    except (OSError, dns.exception.DNSException):
        return False


def ask_all():
    asked = [is_answered(dns.query.udp) for _ in range(PORTS)] + [is_answered(dns.query.tcp)]
    return f"ANSWERED={sum(asked)}/{len(asked)}"


listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind(PATH)
os.chmod(PATH, 0o777)   # as systemd's own: any user may notify
with open(LOG, "a", buffering=1) as to:
    while True:
        message, control, _, _ = listener.recvmsg(8192, 1024)
        pid = struct.unpack("iii", control[0][2][:12])[0] if control else 0
        for assignment in message.decode().splitlines():
            to.write(f"{time.time():.6f} {pid} {assignment}\n")
            if assignment == "READY=1":
                to.write(f"{time.time():.6f} {pid} {ask_all()}\n")
