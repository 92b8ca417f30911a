# SPDX-License-Identifier: GPL-3.0-or-later
"""
usage: options.py PAGE PROGRAM

Holds a program's page to its --help, and to that of every verb: the same options, the same verbs, and no number in the
help that the page does not have. Prints what differs; nothing is good.
"""
import re
import subprocess
import sys

import page

OPTION = r"(?<![\w-])--?[a-z][a-z0-9-]*"


def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def options_of(text):
    """{OPTION: its text}: what stands at the beginning of a line, with the lines below that begin farther right."""
    found, name = {}, None
    for line in text.splitlines():
        begins = re.match(rf"  ({OPTION})((?:, {OPTION})*)(.*)", line)
        if begins:
            name = begins[1]
            found[name] = begins[3]
            for more in re.findall(OPTION, begins[2]):
                found[more] = ""
        elif name and line.startswith("      "):
            found[name] += " " + line
        else:
            name = None
    return found


def usage_options(text):
    return set(re.findall(OPTION, text.splitlines()[0])) - {"--json", "--socket"}


def numbers(text):
    return set(re.findall(r"(?<![A-Za-z0-9/.-])\d+(?:\.\d+)?", text.replace(",", " ")))


def differ(what, said, has):
    for name in sorted(set(said) - set(has)):
        print(f"{what}: the page lacks {name}")
    for name in sorted(set(has) - set(said)):
        print(f"{what}: the page has {name}, which the program does not have")


def compare(what, said, paged):
    paged = {"-" + name: text for name, text in paged.items()}
    differ(what, said, paged)
    for name in set(said) & set(paged):
        for number in sorted(numbers(said[name]) - numbers(paged[name])):
            print(f"{what} {name}: the help says {number}, the page does not")


def verbs_of(text):
    block = re.search(r"^Verbs:\n((?:  .*\n)+)", text, re.M)
    return re.findall(r"^  ([a-z-]+)", block[1], re.M) if block else []


def verbs_paged(path):
    section, found = "", []
    for line in page.lines(path):
        if line.startswith(".Sh "):
            section = line
        verb = re.match(r"\.(?:Ss|It Cm) ([a-z-]+)(?: |$)", line)
        if section == ".Sh VERBS" and verb:
            found.append(verb[1])
    return found


def main(path, program):
    name = program.rpartition("/")[2]
    text = help_of(program)
    marked = page.marked(path, "options of:", r"\.It Fl (-?[a-z][a-z0-9-]*)")
    verbs = verbs_of(text)
    differ(name, verbs, verbs_paged(path))
    compare(name, options_of(text), marked.pop(name, {}))
    for verb, paged in marked.items():
        if verb not in verbs:
            print(f"{name}: options of {verb}, which is no verb")
            continue
        text = help_of(program, verb)
        said = options_of(text)
        for option in usage_options(text) - set(said):
            print(f"{name} {verb}: the help's first line has {option}, and nothing below says what it is")
        compare(f"{name} {verb}", said, paged)
    if marked:
        differ(f"{name}'s options", verbs, marked)


main(*sys.argv[1:])
