#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
How long the controller takes for the operator's word while nobody, and then while somebody reads its metrics all the time:
each word moves an answer of every service. Prints "quiet MEDIAN MOST" and "read MEDIAN MOST", in milliseconds, and "pages N".

usage: metrics_pace.py SOCKET MEMBER COUNT
"""
import http.client
import socket
import statistics
import sys
import threading
import time
import urllib.parse


class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("ecsdns")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def word(path, member, action):
    connection = Local(path)
    began = time.monotonic()
    connection.request("POST", "/v1/admin?" + urllib.parse.urlencode({"object": member, "action": action}))
    reply = connection.getresponse()
    reply.read()
    took = time.monotonic() - began
    assert reply.status == 200, reply.status
    return took * 1000


def words(path, member, count):
    return [word(path, member, "enable" if i % 2 else "drain") for i in range(count)]


def read_pages(path, is_over, pages):
    while not is_over.is_set():
        connection = Local(path)
        connection.request("GET", "/metrics")
        pages.append(len(connection.getresponse().read()))


def main():
    path, member, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    is_over, pages = threading.Event(), []
    words(path, member, 4)
    quiet = words(path, member, count)
    reader = threading.Thread(target=read_pages, args=(path, is_over, pages))
    reader.start()
    read = words(path, member, count)
    is_over.set()
    reader.join()
    print("quiet %.1f %.1f" % (statistics.median(quiet), max(quiet)))
    print("read %.1f %.1f" % (statistics.median(read), max(read)))
    print("pages", len(pages))


main()
