# SPDX-License-Identifier: GPL-3.0-or-later
"""Manual pages (mdoc) as far as the tests read them: what stands behind their marks, and their examples."""
import re
import sys


def lines(path):
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


def plain(line):
    """An input line as its text: macros go, their arguments stay."""
    if line.startswith('.\\"'):
        return ""
    if line.startswith("."):
        line = line.partition(" ")[2]
    return line.replace("\\e", "\\").replace("\\(dq", '"').replace("\\&", "")


def marked(path, mark, item):
    """
    {THING: {NAME: text}}: behind a comment `mark` THING, until the next one or the next section, the items that the
    pattern `item` finds, each with its own line and those below it as text.
    """
    things, names, name = {}, None, None
    for line in lines(path):
        found = re.match(rf'\.\\" {mark} (.*)', line)
        if found:
            if found[1] in things:
                sys.exit(f"{path}: two marks of {found[1]}")
            things[found[1]] = names = {}
            name = None
        elif re.match(r"\.S[hs] ", line):
            names = None
        elif names is not None:
            found = re.match(item, line)
            if found:
                name = found[1]
                if name in names:
                    sys.exit(f"{path}: {name} is there twice")
                names[name] = plain(line)
            elif name:
                names[name] += "\n" + plain(line)
    return things


def examples(path):
    """[(NAME, WORDS, text)] of every literal block; NAME and WORDS from the comment `file:` above it, or empty."""
    found, above, block = [], "", None
    for line in lines(path):
        if line.startswith(".Bd -literal"):
            block = []
        elif line == ".Ed" and block is not None:
            name, _, words = above.partition(" ")
            found.append((name, words.split(), "\n".join(block) + "\n"))
            block, above = None, ""
        elif block is not None:
            block.append(plain(line) if not line.startswith(".") else line)
        else:
            mark = re.match(r'\.\\" file: (.*)', line)
            above = mark[1] if mark else ""
    return found
