#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many zones, or one large one, in versions that every TTL tells apart.

    large.py write zones|records COUNT VERSION FOLDER     FOLDER/main.yaml and its zones
    large.py ask zones|records COUNT VERSIONS STOP        ask at random until the file STOP exists

Every question must be answered, within a second and without being asked twice, rightly and from one of the VERSIONS
("1" or "1,2"). The last line says how many replies there were of each.
"""
import collections
import os
import random
import sys
import time

import replies

SERVER = "198.18.0.1"
TTL = 1000          # of version 0
TCP_EVERY = 50
MISSING_EVERY = 10
FAILURES_SHOWN = 5
APEX = "@ SOA ns host 1 7200 900 1209600 100000\n@ NS ns\nns A 192.0.2.1\n"
REST = '@ MX 10 host\n@ TXT "v=spf1 mx -all"\n_dmarc TXT "v=DMARC1; p=none"\n'


def address(number):
    return 10, number >> 16 & 255, number >> 8 & 255, number & 255


def write(kind, count, version, folder):
    os.makedirs(folder)
    origins = [f"z{number}.test" for number in range(count)] if kind == "zones" else ["large.test"]
    with open(os.path.join(folder, "main.yaml"), "w", encoding="ascii") as out:
        out.write("server: {addresses: [198.18.0.1]}\nzones:\n")
        out.writelines(f"  - {{name: {origin}, file: {origin}.zone}}\n" for origin in origins)
    for number, origin in enumerate(origins):
        with open(os.path.join(folder, origin + ".zone"), "w", encoding="ascii") as out:
            out.write(f"$TTL {TTL + version}\n{APEX}")
            if kind == "zones":
                out.write("host A %d.%d.%d.%d\nwww CNAME host\n" % address(number) + REST)
            else:
                out.writelines("h%d A %d.%d.%d.%d\n" % (host, *address(host)) for host in range(count))
    return 0


def fault(reply, number, exists, versions, counts):
    """What is wrong with a reply, or None; counts its version."""
    records = replies.raw_records(reply)
    if reply[3] & 15 != (0 if exists else 3) or not reply[2] & 4 or reply[2] & 2:
        return f"flags {reply[2:4].hex()}"
    ttls = {ttl - TTL for _, _, ttl, _ in records}
    if len(ttls) != 1 or not ttls <= versions:
        return f"TTLs {sorted(ttls)} above {TTL}, expected those of one version"
    counts[ttls.pop()] += 1
    if exists and bytes(address(number)) not in [data for _, rdtype, _, data in records if rdtype == 1]:
        return f"without {address(number)}"
    return None


def ask(kind, count, versions, stop):
    server, counts, faults = replies.Server(SERVER, tries=1, seconds=1), collections.Counter(), []
    longest, asked = 0.0, 0
    while not os.path.exists(stop) or not asked:
        number = random.randrange(count)
        exists = random.randrange(MISSING_EVERY) > 0
        host = ("www." if exists else "none.") + f"z{number}.test." if kind == "zones" else \
            (f"h{number}" if exists else f"none{number}") + ".large.test."
        asked += 1
        began = time.monotonic()
        try:
            what = fault(server.ask_wire(host, "A", asked % TCP_EVERY == 0), number, exists, versions, counts)
        except OSError as error:
            what = str(error) or type(error).__name__
        longest = max(longest, time.monotonic() - began)
        if what:
            faults.append(f"{host}: {what}")
    for line in faults[:FAILURES_SHOWN]:
        print(f"# {line}")
    print(f"# {asked} questions, {len(faults)} failed, the longest wait {longest * 1000:.0f} ms; " +
          ", ".join(f"version {version}: {counts[version]}" for version in sorted(versions)))
    return 1 if faults else 0


def main(arguments):
    if len(arguments) == 5 and arguments[0] == "write":
        return write(arguments[1], int(arguments[2]), int(arguments[3]), arguments[4])
    if len(arguments) == 5 and arguments[0] == "ask":
        return ask(arguments[1], int(arguments[2]), set(map(int, arguments[3].split(","))), arguments[4])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
