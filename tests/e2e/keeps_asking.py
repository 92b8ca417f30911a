#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
keeps_asking.py SOCKET SECONDS PATH...: two clients a PATH ask for it again and again, many requests at once on a connection
that is kept, until time is over; a connection that ends is made anew. Prints how many had octets in reply.
"""
import socket
import sys
import threading
import time

SOCKET, SECONDS, PATHS = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
end = time.monotonic() + SECONDS
served = []


def ask(request):
    while time.monotonic() < end:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(0.5)
                connection.connect(SOCKET)
                connection.sendall(request * 20)
                while time.monotonic() < end and connection.recv(65536):
                    served.append(1)
                    connection.sendall(request)
        except OSError:
            time.sleep(0.001)


threads = [threading.Thread(target=ask, args=(f"GET {path} HTTP/1.1\r\nHost: ecsdns\r\n\r\n".encode(),))
           for path in PATHS * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(served))
