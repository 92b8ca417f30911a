#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""stamped.py FILE: every line appended to FILE from now on, behind the time when it came (seconds since 1970)."""
import sys
import time

with open(sys.argv[1], encoding="utf-8") as log:
    log.seek(0, 2)
    print("begun", flush=True)
    line = ""
    while True:
        line += log.readline()
        if line.endswith("\n"):
            print(f"{time.time():.6f} {line}", end="", flush=True)
            line = ""
        elif not line:
            time.sleep(0.0005)
