#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The manual pages against the programs: every option and verb of a --help is in its page and the reverse; every key of the
# configuration is in ecsdns.yaml(5), with limits that are tried and examples that are checked; and the pages are sound mdoc.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export PATH=${BUILD:-$root/build}:$PATH
export PYTHONDONTWRITEBYTECODE=1
configuration=docs/man/ecsdns.yaml.5

# mandoc wants references to what it finds installed: ours are here, and others' are other packages' business.
sound()
{
	mandoc -T lint -W warning "$1" 2>&1
	{ groff -mandoc -Tutf8 -ww "$1" >/dev/null; } 2>&1
}

# Every page of ours that is referred to is there.
references_missing()
{
	sed -n 's/^\.Xr \(ec[a-z.-]*\) \([0-9]\).*/\1.\2/p' docs/man/*.[0-9] | sort -u | while read -r page; do
		[ -e "docs/man/$page" ] || echo "$page"
	done
}

for page in docs/man/*.[0-9]; do
	same "$page is sound" "" "$(sound "$page")"
done
same "pages referred to are there" "" "$(references_missing)"
for program in ecsdns-loader ecsdns-controller ecsdns-fallback ecsctl; do
	same "$program.8 and --help" "" "$(python3 tests/man/options.py "docs/man/$program.8" $program 2>&1)"
done
same "every key of the configuration, and no other" "" "$(python3 tests/man/keys.py $configuration keys 2>&1)"
same "every type of check with its keys" "" "$(python3 tests/man/keys.py $configuration types 2>&1)"
same "limits are where the page says" "" "$(python3 tests/man/keys.py $configuration limits 2>&1)"
same "examples are good" "" "$(python3 tests/man/keys.py $configuration examples 2>&1)"
finish
