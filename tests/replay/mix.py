#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
mix.py FOLDER [SERVICES]: the configuration that the mix asks about, in FOLDER/mix.yaml and files beside it.

10,000 services in 40 zones, of every kind that a configuration can have: each method with and without weights, one
family alone, CNAMEs, up to 64 addresses of a family; at every apex; some beside zone data. Two topologies like routing
tables (tests/load/routes.py) of eight regions. Always the same.
"""
import os
import random
import subprocess
import sys

ZONES, REGIONS, PREFIXES = 40, 8, 4000
BESIDE = 21     # one service in so many has zone data at its name, too
TTLS = (5, 30, 60, 300)

# kind -> share of the services, options of its pools, members of each family
KINDS = {
    "plain": (50, "", 2, 2),
    "four": (10, "", 3, 0),
    "six": (3, "", 0, 3),
    "weighted": (10, "method: weighted, ", 4, 4),
    "hashed": (5, "method: hash, ", 4, 4),
    "failover": (5, "method: failover, ", 2, 2),
    "window": (4, "max_answers: 4, ", 12, 12),
    "twenty": (3, "max_answers: 20, ", 20, 20),
    "many": (2, "max_answers: 64, ", 64, 64),
    "alias": (8, None, 0, 0),
}


def pool(number, kind, region):
    _, options, fours, sixes = KINDS[kind]
    if options is None:
        return f"{{cname: r{region}.cdn.example.net.}}"
    addresses = [f"10.{number}.{region}.{i + 1}" for i in range(fours)]
    addresses += [f'"2001:db8:{number:x}:{region}::{i + 1:x}"' for i in range(sixes)]
    weighted = "weight" in options
    members = [f"{{name: m{i}, address: {address}{f', weight: {1 + i % 5}' if weighted else ''}}}"
               for i, address in enumerate(addresses)]
    return f"{{{options}members: [{', '.join(members)}]}}"


def names(dice, count):
    """Of the zones by turns; one in ten below a label that no other record has."""
    found = [f"mix{zone}.example" for zone in range(ZONES)]
    for i in range(count - ZONES):
        middle = "" if dice.randrange(10) else "eu."
        found.append(f"{dice.choice(('www', 'api', 'img', 'cdn'))}{i}.{middle}mix{i % ZONES}.example")
    return found


def services(dice, found):
    kinds = dice.choices(list(KINDS), [share for share, *_ in KINDS.values()], k=len(found))
    for i, (name, kind) in enumerate(zip(found, kinds)):
        kind = "plain" if kind == "alias" and (i < ZONES or i % BESIDE == 0) else kind
        yield (f"  - {{name: {name}, topology: {dice.choice(('world', 'other'))}, ttl: {dice.choice(TTLS)}, "
               f"regions: *{kind}}}")


def write_zones(folder, found):
    for zone in range(ZONES):
        origin = f"mix{zone}.example"
        with open(os.path.join(folder, f"{origin}.zone"), "w", encoding="ascii") as file:
            file.write(f"{origin}. 3600 IN SOA ns.nic.example. hostmaster.{origin}. 1 7200 900 1209600 60\n"
                       f"{origin}. 3600 IN NS ns.nic.example.\n{origin}. 300 IN TXT \"apex\"\n"
                       f"still.{origin}. 300 IN A 192.0.2.{zone + 1}\nstill.{origin}. 300 IN AAAA 2001:db8::{zone + 1}\n")
            for i in range(ZONES, len(found)):
                if i % BESIDE == 0 and found[i].endswith("." + origin):
                    file.write(f"{found[i]}. 300 IN TXT \"beside\"\n")


def write_topology(path, seed):
    routes = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "load", "routes.py")
    with open(path, "w", encoding="ascii") as file:
        subprocess.run([routes, str(seed), str(PREFIXES), *(f"r{region}" for region in range(1, REGIONS + 1)),
                        "--near", "198.18.0.128", "fd00:ec5::"], stdout=file, check=True)


def main():
    folder, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    dice = random.Random(53)
    found = names(dice, count)
    write_zones(folder, found)
    write_topology(os.path.join(folder, "world.csv"), 1)
    write_topology(os.path.join(folder, "other.csv"), 2)
    with open(os.path.join(folder, "mix.yaml"), "w", encoding="ascii") as file:
        file.write('server:\n  addresses: [198.18.0.1, "fd00:ec5::1"]\nzones:\n')
        for zone in range(ZONES):
            file.write(f"  - {{name: mix{zone}.example, file: mix{zone}.example.zone}}\n")
        file.write("pools:\n")
        for number, kind in enumerate(KINDS):
            for region in range(REGIONS + 1):
                file.write(f"  {kind}{region}: {pool(number, kind, region)}\n")
        file.write("topologies:\n  world: {default: r0, file: world.csv}\n  other: {default: r0, file: other.csv}\nservices:\n")
        anchors = {kind: ", ".join(f"r{region}: [{kind}{region}]" for region in range(REGIONS + 1)) for kind in KINDS}
        for line in services(dice, found):
            kind = line[line.index("*") + 1:-1]
            if kind in anchors:     # where it is first needed
                line = line.replace(f"*{kind}", f"&{kind} {{{anchors.pop(kind)}}}")
            file.write(line + "\n")


if __name__ == "__main__":
    main()
