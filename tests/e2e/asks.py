#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
asks.py SERVER FILE SECONDS[:FIRST] QUESTION...: each question again and again while FILE exists, and what came.

A question is TRANSPORT:NAME:TYPE or TRANSPORT:NAME:TYPE:SUBNET (udp:www.example.com:A:192.0.2.0/24). SECONDS is how
long an answer is waited for; until a question had its first one, FIRST. FILE.begun is there when all have been asked.

Then for every run of equal outcomes of a question a line, parted by tabs: question, count, from, until, outcome. "From"
is when the first of the run came, "until" when the last of it was asked, in seconds since 1970: that outcome was there
all the time between. An outcome is the data of the answer, the rcode if there is none, or "lost: WHY".
"""
import os
import socket
import struct
import sys
import threading
import time

import dns.edns
import dns.message
import dns.rcode

PAUSE = 0.002   # behind what was lost: a port where nobody listens answers at once


class Question:
    def __init__(self, server, text, seconds):
        self.text, self.server, self.seconds, self.answered = text, server, seconds, False
        self.transport, name, kind, *subnet = text.split(":", 3)
        options = [dns.edns.ECSOption.from_text(subnet[0])] if subnet else []
        self.octets = dns.message.make_query(name, kind, use_edns=0, options=options).to_wire()
        self.runs = []

    def exchange(self):
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as client:
            client.settimeout(self.seconds[0 if self.answered else -1])
            if self.transport == "tcp":  # no TIME_WAIT: there are not enough ports for a minute's connections
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.connect((self.server, 53))
            if self.transport == "udp":
                client.send(self.octets)
                return client.recv(4096)
            client.sendall(struct.pack("!H", len(self.octets)) + self.octets)
            length = struct.unpack("!H", receive(client, 2))[0]
            return receive(client, length)

    def ask(self):
        begun = time.time()
        try:
            outcome = outcome_of(dns.message.from_wire(self.exchange()))
            self.answered = True
        except OSError as error:
            outcome = f"lost: {type(error).__name__}"
        ended = time.time()
        if not self.runs or self.runs[-1][3] != outcome:
            self.runs.append([0, ended, begun, outcome])
        self.runs[-1][0] += 1
        self.runs[-1][2] = begun
        if outcome.startswith("lost"):
            time.sleep(PAUSE)

    def ask_on(self, path):
        while os.path.exists(path):
            self.ask()


def receive(client, length):
    octets = b""
    while len(octets) < length:
        more = client.recv(length - len(octets))
        if not more:
            raise ConnectionResetError
        octets += more
    return octets


def outcome_of(reply):
    data = sorted(str(record) for rrset in reply.answer for record in rrset)
    return " ".join(data) if data else dns.rcode.to_text(reply.rcode())


def main():
    server, path, seconds, *texts = sys.argv[1:]
    questions = [Question(server, text, [float(each) for each in seconds.split(":")]) for text in texts]
    threads = [threading.Thread(target=question.ask_on, args=(path,)) for question in questions]
    for thread in threads:
        thread.start()
    while not all(question.runs for question in questions):
        time.sleep(0.01)
    open(path + ".begun", "w", encoding="ascii").close()
    for thread in threads:
        thread.join()
    for question in questions:
        for count, came, asked, outcome in question.runs:
            print(question.text, count, f"{came:.6f}", f"{asked:.6f}", outcome, sep="\t")


if __name__ == "__main__":
    main()
