#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
notified.py SOCKET FILE: stands in for systemd at the other end of NOTIFY_SOCKET.

Appends to FILE a line for every assignment of every message: seconds of the monotonic clock, process, assignment. Ends
with SIGTERM.
"""
import os
import socket
import struct
import sys
import time

path, log = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind(path)
os.chmod(path, 0o777)   # as systemd's own: any user may notify
with open(log, "a", buffering=1) as to:
    while True:
        message, control, _, _ = listener.recvmsg(8192, 1024)
        pid = struct.unpack("iii", control[0][2][:12])[0] if control else 0
        for assignment in message.decode().splitlines():
            to.write(f"{time.monotonic():.3f} {pid} {assignment}\n")
