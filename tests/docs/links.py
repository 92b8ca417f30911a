# SPDX-License-Identifier: GPL-3.0-or-later
"""
Every link of a document leads somewhere, and every file of ours that one names is there. Prints what does not; nothing is
good.
"""
import pathlib
import re
import sys

# First components of paths of ours; what is in build/ is made.
OURS = "bpf|docs|examples|maps|packaging|tests|tools|user"


def anchors(path):
    """As they are made of headings: lower case, without what is no word, dashes for blanks."""
    headings = re.findall(r"^#+ (.*)", path.read_text(), re.M)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        if not path.exists():
            print(f"{document}: {target} leads nowhere")
        elif anchor and anchor not in anchors(path):
            print(f"{document}: {target}: no such heading")


def paths(document, text):
    for name in re.findall(rf"(?<![\w/.-])((?:{OURS})/[\w./*-]*\w)", text):
        if "*" not in name and not pathlib.Path(name).exists():
            print(f"{document}: there is no {name}")


for argument in sys.argv[1:]:
    content = pathlib.Path(argument).read_text()
    links(pathlib.Path(argument), content)
    paths(argument, content)
