#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Sends one DNS query as an Ethernet frame made by hand and prints what came back as one JSON object. The frame's
headers, checksums and the message are built and judged here and by dnspython, by nothing of ecsdns.

"reply": false after the time-out; otherwise the records, the scope, the reply's VLAN tags, TTL, MAC addresses and
whether its checksums are right.
"""
import argparse
import ipaddress
import json
import socket
import struct
import sys
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode

PORT = 40053
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 0x10


def checksum(octets):
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def pseudo(source, destination, length):
    if source.version == 4:
        return source.packed + destination.packed + struct.pack("!BBH", 0, 17, length)
    return source.packed + destination.packed + struct.pack("!II", length, 17)


def udp(args, source, destination, message):
    header = struct.pack("!HHHH", args.sport, args.dport, 8 + len(message), 0)
    if args.udp_checksum == "zero":
        return header + message
    check = checksum(pseudo(source, destination, 8 + len(message)) + header + message) or 0xFFFF
    return header[:6] + struct.pack("!H", check) + message


def packet(args, source, destination, message):
    payload = udp(args, source, destination, message)
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28 | args.tos << 20 | args.flow, len(payload), 17, args.ttl) \
            + source.packed + destination.packed + payload
    header = struct.pack("!BBHHHBBH", 0x45, args.tos, 20 + len(payload), 0x1234, args.fragment, args.ttl, 17, 0) \
        + source.packed + destination.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def question(args):
    message = dns.message.make_query(args.name, args.type, use_edns=0, payload=1232)
    if args.subnet:
        address, length = args.subnet.split("/")
        message.use_edns(0, 0, 1232, options=[dns.edns.ECSOption(address, int(length), 0)])
    if args.response:
        message.flags |= dns.flags.QR
    return message


def parse(frame):
    """Ethernet frame -> dict of its headers, or None if it is not UDP."""
    found = {"to": frame[0:6], "from": frame[6:12], "vlan": []}
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        found["vlan"].append(struct.unpack("!H", frame[at + 2:at + 4])[0] & 0xFFF)
        at += 4
    kind, at = frame[at:at + 2], at + 2
    if kind == b"\x08\x00" and frame[at + 9] == 17:
        total = struct.unpack("!H", frame[at + 2:at + 4])[0]
        header, body = frame[at:at + 20], frame[at + 20:at + total]
        found.update(ttl=header[8], source=ipaddress.ip_address(header[12:16]),
                     destination=ipaddress.ip_address(header[16:20]), header_ok=checksum(header) == 0,
                     id=struct.unpack("!H", header[4:6])[0], df=header[6] == 0x40, ecn=header[1] & 3)
    elif kind == b"\x86\xdd" and frame[at + 6] == 17:
        length = struct.unpack("!H", frame[at + 4:at + 6])[0]
        header, body = frame[at:at + 40], frame[at + 40:at + 40 + length]
        found.update(ttl=header[7], source=ipaddress.ip_address(header[8:24]),
                     destination=ipaddress.ip_address(header[24:40]), header_ok=True, ecn=header[1] >> 4 & 3)
    else:
        return None
    if len(body) < 8:
        return None
    found["sport"], found["dport"], length, check = struct.unpack("!HHHH", body[:8])
    found["message"] = body[8:length]
    found["checksum_ok"] = found["header_ok"] and length == len(body) and check != 0 and \
        checksum(pseudo(found["source"], found["destination"], length) + body) == 0
    return found


def with_outer_tag(frame, ancillary):
    """The kernel takes the outer VLAN tag out of a received frame and tells it apart (packet(7), PACKET_AUXDATA)."""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tag, protocol = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                return frame[:12] + struct.pack("!HH", protocol or 0x8100, tag) + frame[12:]
    return frame


def wait(receiver, args, query, deadline):
    while (left := deadline - time.monotonic()) > 0:
        receiver.settimeout(left)
        try:
            frame, ancillary, _, where = receiver.recvmsg(65535, 256)
        except socket.timeout:
            return None
        if where[2] == socket.PACKET_OUTGOING:
            continue
        found = parse(with_outer_tag(frame, ancillary))
        if found and found["sport"] == args.dport and found["dport"] == args.sport \
                and found["message"][:2] == struct.pack("!H", query.id):
            return found
    return None


def report(found, query):
    if not found:
        return {"reply": False}
    answer = dns.message.from_wire(found["message"])
    scope = [f"{option.srclen}/{option.scopelen}" for option in answer.options if isinstance(option, dns.edns.ECSOption)]
    return {
        "reply": True, "is_response": query.is_response(answer), "rcode": dns.rcode.to_text(answer.rcode()),
        "answer": " ".join(sorted(item.to_text() for rrset in answer.answer for item in rrset)),
        "scope": scope[0] if scope else "-", "vlan": found["vlan"], "ttl": found["ttl"],
        "checksum_ok": found["checksum_ok"], "ecn": found["ecn"], "id": found.get("id", 0), "df": found.get("df", True),
        "from_mac": found["from"].hex(":"), "to_mac": found["to"].hex(":"), "from": str(found["source"]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interface", default="ecs1")
    parser.add_argument("--to-mac", required=True)
    parser.add_argument("--from-mac", required=True)
    parser.add_argument("--source", default="198.18.0.2")
    parser.add_argument("--server", default="198.18.0.1")
    parser.add_argument("--name", default="www.example.com")
    parser.add_argument("--type", default="AAAA")
    parser.add_argument("--subnet")
    parser.add_argument("--vlan", type=int, action="append", default=[])
    parser.add_argument("--ttl", type=int, default=64)
    parser.add_argument("--tos", type=lambda text: int(text, 0), default=0)
    parser.add_argument("--flow", type=int, default=0)
    parser.add_argument("--fragment", type=lambda text: int(text, 0), default=0)
    parser.add_argument("--sport", type=int, default=PORT)
    parser.add_argument("--dport", type=int, default=53)
    parser.add_argument("--udp-checksum", choices=["right", "zero"], default="right")
    parser.add_argument("--response", action="store_true", help="with QR set")
    parser.add_argument("--padding", type=int, default=0, help="octets behind the packet, as short frames have")
    parser.add_argument("--timeout", type=float, default=0.5)
    args = parser.parse_args()

    source, server = ipaddress.ip_address(args.source), ipaddress.ip_address(args.server)
    query = question(args)
    kind = b"\x08\x00" if source.version == 4 else b"\x86\xdd"
    tags = b"".join(b"\x81\x00" + struct.pack("!H", tag) for tag in args.vlan)
    frame = mac(args.to_mac) + mac(args.from_mac) + tags + kind + packet(args, source, server, query.to_wire()) \
        + b"\xee" * args.padding
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    link.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    link.bind((args.interface, 0))
    link.send(frame)
    json.dump(report(wait(link, args, query, time.monotonic() + args.timeout), query), sys.stdout)
    print()


if __name__ == "__main__":
    main()
