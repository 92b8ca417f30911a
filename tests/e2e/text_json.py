#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Does a verb of ecsctl show for people what it shows for programs? Runs it both ways and looks for every value of the JSON in
the text: numbers and texts as they are, times as local time, users by name. Truth and falsehood are words there, and left out.
Prints the values that are missing, and at the end how many there were.

usage: text_json.py [--except FIELD,...] VERB [ARGUMENT...]
"""
import json
import pwd
import re
import subprocess
import sys
import time

TIMES = ("published", "since", "started")


def run(arguments):
    done = subprocess.run(["ecsctl"] + arguments, capture_output=True, text=True, check=False)
    return done.stdout, done.stdout + done.stderr


def leaves(value, path=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif value is not None and not isinstance(value, bool) and value != "":
        yield path, value


def user(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def forms(path, value):
    """How the value may stand in a text."""
    name = path.rsplit(".", 1)[-1]
    if name in TIMES and isinstance(value, int):
        return [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value)) if value else "never"]
    if name == "uid":
        return [user(value)]
    if isinstance(value, float):
        return [f"{value:.4g}", f"{value:.3f}"]
    return [str(value)]


def stands_in(form, text):
    """A number as a whole one."""
    if re.fullmatch(r"[0-9]+", form):
        return re.search(rf"(?<![0-9]){form}(?![0-9])", text)
    return form in text


def main():
    arguments = sys.argv[1:]
    left_out = []
    if arguments[0] == "--except":
        left_out = arguments[1].split(",")
        arguments = arguments[2:]
    stdout, _ = run(["--json"] + arguments)
    _, text = run(arguments)
    count = 0
    for path, value in leaves(json.loads(stdout)):
        if any(re.fullmatch(name, path) for name in left_out):
            continue
        count += 1
        if not any(stands_in(form, text) for form in forms(path, value)):
            print(f"{path}: {value} is missing")
    print(f"{count} values" if count else "no value at all")


if __name__ == "__main__":
    main()
