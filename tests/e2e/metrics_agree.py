#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What is written about the metrics against a page of them, on which every one has a sample. What does not agree, is an error.

usage: metrics_agree.py documents PAGE MARKDOWN MAN     names, types and labels
       metrics_agree.py rules PAGE ALERTS.yml           every name in them is on the page
       metrics_agree.py dashboard PAGE JSON             likewise; on standard output its expressions, one a line
"""
import json
import re
import sys

import yaml

PAGE_SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? \S+$')
PAGE_LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')
MARKDOWN = re.compile(r'\| `(ecsdns_\w+)` \| (\w+) \|([^|]*)\|')
MAN = re.compile(r'\.BR (ecsdns_\w+) (?:\{ ([\w ,]+) "\} |" )\((\w+)\)"$')
NAME = re.compile(r'\becsdns_\w+')
VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$instance": ".*", "$top": "10"}


def fault(*text):
    print(*text, file=sys.stderr)
    fault.count += 1


fault.count = 0


def read_page(path):
    """name -> (type, labels); of a histogram also the names of its samples"""
    types, labels, helps = {}, {}, {}
    for line in open(path, encoding="utf-8"):
        if line.startswith("# TYPE "):
            types[line.split()[2]] = line.split()[3]
        elif line.startswith("# HELP "):
            helps[line.split()[2]] = line.split(None, 3)[3]
        else:
            name, of = PAGE_SAMPLE.match(line).groups()
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            name = base if types.get(base) == "histogram" else name
            labels.setdefault(name, set()).update(PAGE_LABEL.findall(of or ""))
    for name in types:
        if name not in helps or name not in labels:
            fault(name, "has no help or no sample")
    return {name: (types[name], labels.get(name, set())) for name in types}


def names_of(page):
    names = set(page)
    for name, (kind, _) in page.items():
        if kind == "histogram":
            names |= {name + "_bucket", name + "_sum", name + "_count"}
    return names


def compare(page, document, path):
    for name in sorted(set(page) | set(document)):
        if name not in document:
            fault(name, "is not in", path)
        elif name not in page:
            fault(name, "of", path, "is not on the page")
        elif page[name] != document[name]:
            fault(name, "on the page:", page[name], "in", path + ":", document[name])


def documents(page, markdown, man):
    rows = MARKDOWN.findall(open(markdown, encoding="utf-8").read())
    compare(page, {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}, markdown)
    entries = [MAN.match(line) for line in open(man, encoding="utf-8")]
    compare(page, {entry[1]: (entry[3], set((entry[2] or "").replace(",", " ").split())) for entry in entries if entry}, man)


def known(page, expression, where):
    for name in NAME.findall(expression):
        if name not in names_of(page):
            fault(where, "uses", name, "which is not on the page")


def rules(page, path):
    for group in yaml.safe_load(open(path, encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            known(page, rule["expr"], rule["alert"])


def dashboard(page, path):
    board = json.load(open(path, encoding="utf-8"))
    used, ids = set(), set()
    titles = {panel["title"].split()[0] for panel in board["panels"] if panel["type"] == "row"}
    for title in ("Queries", "Reasons", "Services", "Health", "Pushes", "Tables"):
        if title not in titles:
            fault("no row of", title)
    for panel in board["panels"]:
        if panel["id"] in ids:
            fault("two panels of id", panel["id"])
        ids.add(panel["id"])
        if panel["type"] != "row" and panel["datasource"]["uid"] != "${datasource}":
            fault(panel["title"], "has a data source of its own")
        for target in panel.get("targets", []):
            known(page, target["expr"], panel["title"])
            used.update(NAME.findall(target["expr"]))
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            print(expression)
    for name in page:
        if name not in used and not any(part in used for part in (name + "_bucket", name + "_sum")):
            fault(name, "is on no panel")


def main():
    what, page = sys.argv[1], read_page(sys.argv[2])
    {"documents": documents, "rules": rules, "dashboard": dashboard}[what](page, *sys.argv[3:])
    sys.exit(fault.count > 0)


main()
