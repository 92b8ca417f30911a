#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: packaging/changelog.sh VERSION <CHANGELOG.md >debian/changelog
#
# Each section of CHANGELOG.md as Debian's tools want it: "## VERSION, DATE" or "## [VERSION] - DATE". VERSION is the
# package's: the first section's is taken to be that. A section without a date is of SOURCE_DATE_EPOCH. DEBFULLNAME and
# DEBEMAIL say who packages.
set -euo pipefail

maintainer="${DEBFULLNAME:-ecsdns maintainers} <${DEBEMAIL:-ecsdns@example.com}>"
unreleased=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")

# An entry, in lines of its own length.
item=
flush()
{
	[ -z "$item" ] || fmt -w 74 <<<"$item" | sed '1s/^/  * /; 1!s/^/    /'
	item=
}

begin()
{
	printf 'ecsdns (%s) bookworm; urgency=medium\n\n' "$1"
}

end()
{
	flush
	printf '\n -- %s  %s\n' "$maintainer" "$1"
}

open= date=
while IFS= read -r line; do
	case $line in
	'## '*)
		[ -z "$open" ] || { end "$date"; echo; }
		read -r version at <<<"$(tr -d '[],' <<<"${line#'## '}" | sed 's/ - / /')"
		date=$(LC_ALL=C date -u -R -d "${at:-none}" 2>/dev/null) || date=$unreleased
		begin "$([ -n "$open" ] && echo "$version" || echo "$1")"
		open=1
		;;
	'['*': '*) ;;	# a link's target
	'- '*) flush; [ -z "$open" ] || item=${line#- } ;;
	'  '*) [ -z "$item" ] || item+=" ${line#  }" ;;
	esac
done
[ -n "$open" ] || { echo "CHANGELOG.md: no section \"## VERSION, DATE\"" >&2; exit 1; }
end "$date"
