#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
ecsctl top on a terminal (pty): what is on the screen, in two sizes, and what it leaves behind. Prints "NAME VALUE" lines.

usage: top_on_terminal.py KEY COMMAND...    KEY, "q" or "ctrl-c", ends it
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

KEYS = {"q": b"q", "ctrl-c": b"\x03"}


class Screen:
    """As much of a terminal as it takes: a cursor, two ways to clear, and what runs off the edge is an error."""

    def __init__(self):
        self.fault = ""
        self.resize(24, 80)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.lines, self.row, self.column = [""] * rows, 0, 0

    def take(self, text):
        for part in re.findall(r"\x1b\[\??[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\x1b[H":
                self.row = self.column = 0
            elif part in ("\x1b[2J", "\x1b[J"):
                if part == "\x1b[2J":
                    self.row = self.column = 0
                    self.lines[0] = ""
                del self.lines[self.row + 1:]
                self.lines += [""] * (self.rows - len(self.lines))
            elif part == "\x1b[K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif part == "\r":
                self.column = 0
            elif part == "\n":
                self.row += 1
            elif part[0] != "\x1b":
                line = self.lines[self.row] if self.row < self.rows else ""
                if self.row >= self.rows or self.column + len(part) > self.columns:
                    self.fault = "over the edge: " + part
                    continue
                self.lines[self.row] = line[:self.column] + part + line[self.column + len(part):]
                self.column += len(part)


def resize(terminal, screen, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen.resize(rows, columns)


def follow(terminal, screen, seconds):
    """Everything that is written in so much time, or until the end."""
    until, octets = time.monotonic() + seconds, b""
    while time.monotonic() < until:
        ready, _, _ = select.select([terminal], [], [], max(0, until - time.monotonic()))
        if not ready:
            break
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        octets += piece
        screen.take(piece.decode())
    return octets


def main():
    key, command = sys.argv[1], sys.argv[2:]
    terminal, other = pty.openpty()
    before = termios.tcgetattr(other)
    screen = Screen()
    resize(terminal, screen, 24, 80)
    child = os.fork()
    if not child:
        os.setsid()
        fcntl.ioctl(other, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(other, number)
        os.execvp(command[0], command)
    os.close(other)
    first = follow(terminal, screen, 1.6)
    print("enters", first.startswith(b"\x1b[?1049h\x1b[?25l"))
    for line in screen.lines:
        print("large", line)
    resize(terminal, screen, 9, 40)
    follow(terminal, screen, 0.3)
    for line in screen.lines:
        print("small", line)
    os.write(terminal, KEYS[key])
    last = follow(terminal, screen, 5)
    _, status = os.waitpid(child, 0)
    print("leaves", last.endswith(b"\x1b[?25h\x1b[?1049l"))
    print("status", os.waitstatus_to_exitcode(status))
    print("restored", termios.tcgetattr(terminal) == before)
    print("fault", screen.fault)


main()
