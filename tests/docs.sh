#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The documents against the source: every reason of the counters and every limit, with its number; the loader's sizes; every
# file that is named, every link. tests/man.sh has the manual pages.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export PATH=${BUILD:-$root/build}:$PATH
export PYTHONDONTWRITEBYTECODE=1

# In the order of counters.def, which is that of `ecsctl stats`
reasons_of_source()
{
	sed -n 's/^REASON(\([A-Z0-9_]*\),.*/\1/p' maps/counters.def
}

# Rows whose second cell says something
reasons_of_guide()
{
	sed -n '/^## Counters/,$s/^| \([A-Z][A-Z0-9_]*\) | [^|]\{5,\} | \(yes\|no\|few\|mostly\) | [^|]*|$/\1/p' docs/operating.md
}

# "--names 131072"
sizes_of_loader()
{
	ecsdns-loader --help | sed -n 's/^  \(--[a-z0-9-]*\) *N  .*(\([0-9]*\))$/\1 \2/p'
}

sizes_of_guide()
{
	# shellcheck disable=SC2016
	sed -n 's/^| `\(--[a-z0-9-]*\)` | \([0-9,]*\) |.*/\1 \2/p' docs/operating.md | tr -d ,
}

same "every reason of counters.def is in docs/operating.md" "$(reasons_of_source)" "$(reasons_of_guide)"
check "which are some" test "$(reasons_of_guide | wc -l)" -gt 30
same "every size of the loader is in docs/operating.md" "$(sizes_of_loader)" "$(sizes_of_guide)"
check "which are some" test "$(sizes_of_guide | wc -l)" -ge 8
same "every limit is in docs/limits.md, with its number" "" "$(python3 tests/docs/limits.py 2>&1)"
same "every file and link that a document names is there" "" "$(python3 tests/docs/links.py README.md CHANGELOG.md docs/*.md docs/man/* 2>&1)"
finish
