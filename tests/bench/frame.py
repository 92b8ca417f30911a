#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
frame.py SERVER-MAC SERVER-ADDRESS NAME TYPE PREFIX: the query's frame as arguments of build/load.

Over IPv4 without a UDP checksum, since the generator changes what it sums. PREFIX is a block in which clients are drawn,
then how long their subnets are: 2000::/3:48 are /48 of 2000::/3, 0.0.0.0/0:24 are /24 of anywhere. "none": no client
subnet.
"""
import ipaddress
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors"))
import make


def main():
    mac, server, name, rrtype, prefix = sys.argv[1:]
    is_ipv4 = ipaddress.ip_address(server).version == 4
    row = make.Row("bench", 0)
    row.values = {"ask": [f"{name} {rrtype} edns"], "from": ["4" if is_ipv4 else "6"], "to": [server],
                  "link": [f"mac={mac}" + (" udpsum=0" if is_ipv4 else "")]}
    if prefix == "none":
        print(make.query_frame(row, make.Ask(row).wire()).hex(), 64, "00" * 8)
        return
    block, source = prefix.rsplit(":", 1)
    block, source = ipaddress.ip_network(block), int(source)
    row.values["ask"][0] += f" ecs={block.network_address}/{source}"
    frame = make.query_frame(row, make.Ask(row).wire())
    octets = (source + 7) // 8
    free = ((1 << source) - 1) >> block.prefixlen << (8 * octets - source)
    mask = free.to_bytes(octets, "big")[:8].ljust(8, b"\0")
    print(frame.hex(), len(frame) - octets, mask.hex())


if __name__ == "__main__":
    main()
