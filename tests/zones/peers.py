# SPDX-License-Identifier: GPL-3.0-or-later
"""Knot and NSD beside ecsdns in a lab, on other ports of the server's address. tests/zones/peers.sh starts them."""
import os

import replies

SERVER = "198.18.0.1"
KNOT_PORT, NSD_PORT = 5301, 5302

KNOT = """\
server:
  rundir: {folder}/knot
  listen: {server}@{port}
database:
  storage: {folder}/knot
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: {folder}
    file: "%s.zone"
    zonefile-sync: -1
    journal-content: none
zone:
"""

NSD = """\
server:
  ip-address: {server}@{port}
  username: ""
  database: ""
  zonesdir: {folder}
  zonelistfile: {folder}/nsd/zone.list
  xfrdfile: {folder}/nsd/xfrd.state
  xfrdir: {folder}/nsd
  pidfile: {folder}/nsd/nsd.pid
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""


def write(folder, origins):
    """Configurations of both for zones whose files are FOLDER/ORIGIN.zone, the origin without the final dot."""
    folder = os.path.abspath(folder)
    for server in ("knot", "nsd"):
        os.mkdir(os.path.join(folder, server))
    with open(os.path.join(folder, "knot.conf"), "w", encoding="ascii") as out:
        out.write(KNOT.format(folder=folder, server=SERVER, port=KNOT_PORT))
        for origin in origins:
            out.write(f'  - domain: "{origin}"\n')
    with open(os.path.join(folder, "nsd.conf"), "w", encoding="ascii") as out:
        out.write(NSD.format(folder=folder, server=SERVER, port=NSD_PORT))
        for origin in origins:
            out.write(f'zone:\n  name: "{origin}"\n  zonefile: "{origin.rstrip(".")}.zone"\n')


def servers():
    """ecsdns, and the two by name."""
    return replies.Server(SERVER), {"knot": replies.Server(SERVER, KNOT_PORT), "nsd": replies.Server(SERVER, NSD_PORT)}
