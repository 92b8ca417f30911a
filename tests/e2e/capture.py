#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The client's end of tests/e2e/capture.sh, and its judge: what a client really sent and received, beside what the file of
`ecsctl capture -w` says. The file is read here and by dnspython, by nothing of ecsdns.

usage: capture.py ask FILE COUNT      from the client: both families; "PORT VLANS QUERY REPLY" lines are added to FILE
       capture.py tagged FILE SERVER-MAC CLIENT-MAC     the same in frames with one VLAN tag and two
       capture.py compare PCAP FILE   fails unless each exchange of PCAP is one of FILE, octet for octet
       capture.py list PCAP           "CLIENT NAME TYPE" of every exchange: the subnet, or who asked
       capture.py hostile SOCKET      requests that nobody means; "NAME STATUS" lines
       capture.py stalled SOCKET      asks for all there is and reads none of it, until standard input ends
"""
import argparse
import ipaddress
import os
import socket
import struct
import sys
import time

import dns.edns
import dns.message
import dns.rdatatype

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames

QUESTIONS = [
    ("www.example.com", "AAAA", "240b:10:200::/40"), ("v4.example.com", "A", "198.51.100.0/24"),
    ("www.example.com", "A", None), ("v4.example.com", "A", None), ("WWW.Example.Com", "ANY", None),
    ("cdn.example.com", "AAAA", "240b:11:200::/48"), ("v4.example.com", "A", "203.0.113.0/24"),
]
SERVERS = ["198.18.0.1", "fd00:ec5::1"]
TAGGED = [([100], "198.18.0.2", SERVERS[0]), ([100, 200], "fd00:ec5::2", SERVERS[1])]
WINDOW = 32


def query(number):
    name, rrtype, subnet = QUESTIONS[number % len(QUESTIONS)]
    return frames.question(argparse.Namespace(name=name, type=rrtype, subnet=subnet, response=False))


def connect(server):
    found = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    found.settimeout(2)
    found.connect((server, 53))
    return found


def ask(path, count):
    """Wires are made once and get ids of their own, WINDOW of them at a time."""
    wires = [query(i).to_wire()[2:] for i in range(len(QUESTIONS))]
    connections = [connect(server) for server in SERVERS]
    with open(path, "a", encoding="ascii") as out:
        for start in range(0, count, WINDOW):
            link = connections[start // WINDOW % 2]
            sent = {}
            for i in range(start, min(start + WINDOW, count)):
                identity = struct.pack("!H", i & 0xFFFF)
                sent[identity] = identity + wires[i % len(wires)]
                link.send(sent[identity])
            for _ in range(len(sent)):
                reply = link.recv(4096)
                print(link.getsockname()[1], "-", sent.pop(reply[:2]).hex(), reply.hex(), file=out)


def tagged(path, server_mac, client_mac):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    link.setsockopt(frames.SOL_PACKET, frames.PACKET_AUXDATA, 1)
    link.bind(("ecs1", 0))
    with open(path, "a", encoding="ascii") as out:
        for number, (vlans, source, server) in enumerate(TAGGED):
            args = argparse.Namespace(sport=40100 + number, dport=53, udp_checksum="right", tos=0, flow=0, ttl=64,
                                      fragment=0)
            source, server = ipaddress.ip_address(source), ipaddress.ip_address(server)
            message = query(number)
            frame = frames.mac(server_mac) + frames.mac(client_mac) \
                + b"".join(b"\x81\x00" + struct.pack("!H", tag) for tag in vlans) \
                + (b"\x08\x00" if server.version == 4 else b"\x86\xdd") \
                + frames.packet(args, source, server, message.to_wire())
            link.send(frame + b"\xee" * 700 * number)
            found = frames.wait(link, args, message, time.monotonic() + 2)
            if not found or found["vlan"] != vlans:
                sys.exit(f"no reply with the tags {vlans}")
            print(args.sport, ",".join(map(str, vlans)), message.to_wire().hex(), found["message"].hex(), file=out)


def packets(path):
    with open(path, "rb") as file:
        octets = file.read()
    if struct.unpack("=IHHIIII", octets[:24])[:3] != (0xA1B2C3D4, 2, 4):
        sys.exit(f"{path}: not in pcap format")
    at = 24
    while at < len(octets):
        seconds, micros, count, length = struct.unpack("=IIII", octets[at:at + 16])
        yield seconds + micros / 1e6, octets[at + 16:at + 16 + count], length
        at += 16 + count
    if at != len(octets):
        sys.exit(f"{path}: ends within a packet")


def exchanges(path):
    one = list(packets(path))
    if len(one) % 2:
        sys.exit(f"{path}: a query without its reply")
    for (asked, query_frame, length), (answered, reply_frame, reply_length) in zip(one[::2], one[1::2]):
        if not time.time() - 60 < asked <= answered < time.time() + 1:
            sys.exit(f"{path}: times {asked} {answered}")
        if len(reply_frame) != reply_length or len(query_frame) > length:
            sys.exit(f"{path}: lengths")
        yield frames.parse(query_frame), frames.parse(reply_frame)


def compare(path, seen_path):
    with open(seen_path, encoding="ascii") as file:
        seen = {tuple(line.split()) for line in file}
    count = vlans = 0
    families = set()
    for asked, reply in exchanges(path):
        tags = ",".join(map(str, asked["vlan"])) or "-"
        if (str(asked["sport"]), tags, asked["message"].hex(), reply["message"].hex()) not in seen:
            sys.exit(f"no client saw this: {asked} {reply}")
        if not reply["checksum_ok"] or reply["vlan"] != asked["vlan"] or \
                [reply[end] for end in ("from", "to", "source", "destination")] != \
                [asked[end] for end in ("to", "from", "destination", "source")]:
            sys.exit(f"the reply's frame is not the query's: {asked} {reply}")
        if not dns.message.from_wire(asked["message"]).is_response(dns.message.from_wire(reply["message"])):
            sys.exit("dnspython: no reply to this query")
        count, vlans = count + 1, vlans + len(asked["vlan"])
        families.add(asked["source"].version)
    print(f"{count} exchanges, families {sorted(families)}, {vlans} tags")


def listed(path):
    for asked, _ in exchanges(path):
        message = dns.message.from_wire(asked["message"])
        subnet = [f"{option.address}/{option.srclen}" for option in message.options
                  if isinstance(option, dns.edns.ECSOption)]
        question = message.question[0]
        print(subnet[0] if subnet else asked["source"], question.name.to_text().lower(),
              dns.rdatatype.to_text(question.rdtype))


HOSTILE = [
    "count=0", "count=-1", "count=1000001", "count=99999999999999999999", "count=1e3", "count=+5", "count=",
    "seconds=0", "seconds=3601", "seconds=1.5", "sample=0", "sample=1/100", "sample=4294967297",
    "service=", "service=..", "service=" + "a" * 300, "service=%00%ff", "service=nosuch.example.com",
    "client=", "client=203.0.113.1/24", "client=203.0.113.0/33", "client=::/129", "client=::/999",
    "client=" + "1" * 5000, "client=%0d%0a",
]


def status(path, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        connection.sendall(request)
        return connection.recv(4096).split(b" ")[1].decode()


def hostile(path):
    for arguments in HOSTILE:
        print(arguments[:30], status(path, f"GET /v1/capture?{arguments} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
    for method in ("POST", "HEAD", "DELETE"):
        print(method, status(path, f"{method} /v1/capture HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()))


def stalled(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(path)
        connection.sendall(b"GET /v1/capture?count=1000000&seconds=600 HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(16)
        print("stalled", flush=True)
        sys.stdin.read()


def main():
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "ask":
        ask(arguments[0], int(arguments[1]))
    else:
        {"tagged": tagged, "compare": compare, "list": listed, "hostile": hostile, "stalled": stalled}[verb](*arguments)


if __name__ == "__main__":
    main()
