# SPDX-License-Identifier: GPL-3.0-or-later
"""
Holds docs/limits.md to the source: every value is that of the macro named beside it, and every limit of the source has a row,
unless it is named here as inner. Prints what differs; nothing is good.
"""
import pathlib
import re

DOCUMENT = "docs/limits.md"
# Limits that nobody outside can reach or see: rooms of buffers, and what others above bound already.
INNER = {
    "tools/ecsctl/main.c:VERB_OPTIONS_MAX": "options of one verb of ours",
    "tools/ecsctl/exchange.c:VLAN_TAGS_MAX": "as many as the driver takes",
    "tools/ecsctl/exchange.h:PACKET_OCTETS_MAX": "more than a frame of a capture has",
    "user/controller/rows.c:ROW_OCTETS_MAX": "keys and values of our tables",
    "user/controller/admin_effects.c:NAMED_MAX": "names in one warning",
    "user/controller/admin_names.c:HINT_DISTANCE_MAX": "letters between a name and one that may be meant",
    "user/controller/note.c:NOTE_OCTETS_MAX": "files that we write",
    "user/fallback/response.c:POINTER_MAX": "RFC 1035",
    "maps/wire.h:COOKIE_SERVER_OCTETS_MAX": "RFC 7873",
    "user/fallback/options.h:OPTIONS_OCTETS_MAX": "what our own options may need",
    "user/controller/home.c:FILE_OCTETS_MAX": "a file of our own with two words",
    "maps/limits.h:ECSDNS_ABI_VERSION": "no limit",
}
UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def sources():
    return [path for folder in ("maps", "user", "tools") for path in sorted(pathlib.Path(folder).rglob("*.[ch]"))]


def macros():
    """{FILE: {NAME: text}} of all that look like numbers."""
    found = {}
    for path in sources():
        for name, text in re.findall(r"^#define ([A-Z0-9_]+)[ \t]+(.+)", path.read_text(), re.M):
            text = re.sub(r"/\*.*|//.*", "", text).strip()
            if re.fullmatch(r"[A-Za-z0-9_() +*/<-]+", text):
                found.setdefault(str(path), {})[name] = text
    return found


def value(all_macros, file, name, depth=0):
    """A macro's number; names in it are looked for in its file first, then in maps/limits.h."""
    text = all_macros.get(file, {}).get(name) or all_macros["maps/limits.h"].get(name)
    if text is None or depth > 5:
        return None
    text = re.sub(r"(?<![A-Za-z_])(\d+)[uUlL]+\b", r"\1", text)
    text = re.sub(r"\b[A-Z][A-Z0-9_]*[A-Z0-9]\b", lambda m: str(value(all_macros, file, m[0], depth + 1)), text)
    text = text.replace("/", "//")
    if not re.fullmatch(r"[0-9a-fx() +*/<-]+", text):
        return None
    return eval(text)  # nothing but digits and operators


def rows():
    """[(FILE:NAME, value as written)]"""
    found = []
    for line in pathlib.Path(DOCUMENT).read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        place = re.fullmatch(r"`([a-z0-9_/.]+:[A-Z0-9_]+)`", cells[-1]) if cells else None
        if place:
            found.append((place[1], cells[1]))
        elif len(cells) > 1 and cells[0] != "what" and not set(cells[0]) <= set("-"):
            print(f"a row without a place in the source: {line}")
    return found


def written(text):
    number = re.fullmatch(r"([\d,]+)(?: (KiB|MiB))?", text)
    return int(number[1].replace(",", "")) * UNITS[number[2] or ""] if number else None


def main():
    known, seen = macros(), set()
    for place, text in rows():
        file, _, name = place.partition(":")
        number = value(known, file, name) if name in known.get(file, {}) else None
        if place in seen:
            print(f"{place} has two rows")
        seen.add(place)
        if number is None:
            print(f"{place} is not in the source")
        elif number != written(text):
            print(f"{place} is {number} in the source, {text} in {DOCUMENT}")
    for file, names in known.items():
        for name in names:
            place = f"{file}:{name}"
            is_limit = re.search(r"_(MAX|KEPT|ENTRIES)$", name) or file == "maps/limits.h"
            if is_limit and value(known, file, name) is not None and place not in seen and place not in INNER:
                print(f"{place} is missing in {DOCUMENT}: give it a row there, or name it in tests/docs/limits.py as inner")
    for place in set(INNER) - {f"{file}:{name}" for file in known for name in known[file]}:
        print(f"{place} is named as inner, but not in the source")


main()
