#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the driver (UDP) and the fallback (TCP) without a pause while a file exists, and prints every different answer.
FILE.begun is there after the first ones.

usage: steady.py SERVER NAME SUBNET FILE [TYPE [nsid]]     records of NAME for SUBNET, such as 10.0.0.0/24; TYPE is A

With "nsid", the fallback is asked over UDP, too, by queries with NSID, which the driver passes up.
"""
import collections
import os
import sys

import dns.edns
import dns.message
import dns.query

server, name, subnet, path = sys.argv[1:5]
kind = sys.argv[5] if len(sys.argv) > 5 else "A"
subnets = [dns.edns.ECSOption.from_text(subnet)]
nsid = [dns.edns.GenericOption(dns.edns.NSID, b"")]
WAYS = [("driver", dns.query.udp, []), ("fallback", dns.query.tcp, [])]
if sys.argv[6:] == ["nsid"]:
    WAYS.append(("fallback-udp", dns.query.udp, nsid))
seen = collections.Counter()
while os.path.exists(path):
    for transport, ask, options in WAYS:
        query = dns.message.make_query(name, kind, use_edns=0, options=subnets + options)
        try:
            reply = ask(query, server, timeout=2)
            answer = " ".join(sorted(str(record) for rrset in reply.answer for record in rrset))
        except Exception as problem:
            answer = f"{type(problem).__name__}"
        seen[transport, answer] += 1
    if sum(seen.values()) == len(WAYS):
        open(path + ".begun", "w").close()
for (transport, answer), count in sorted(seen.items()):
    print(transport, count, answer)
