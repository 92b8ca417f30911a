#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# 3,169 zones at once, each with the query that ferret (github.com/dns-groot/ferret) made up for it, and the replies of
# four other servers: see tests/zones/ferret.py. FERRET names the folder with tests.jsonl.gz.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-ferret}
corpus=${FERRET:-../shared/corpora/ferret}
lab=tests/lab.sh
scratch=$(mktemp -d)

if [ ! -r "$corpus/tests.jsonl.gz" ]; then
	rm -rf "$scratch"
	skip "the zones of ferret" "no $corpus/tests.jsonl.gz; make FERRET=FOLDER check takes it from elsewhere"
	finish
	exit
fi
trap '$lab down; rm -rf "$scratch"' EXIT

# The fallback has loaded everything when it answers the zone that was written last.
loaded()
{
	local last

	last=$(sed -n '$s/.*name: "\([^"]*\)".*/\1/p' "$scratch/zones/main.yaml")
	for _ in $(seq 100); do
		[ -z "$($lab client kdig @198.18.0.1 "$last" SOA +short +timeout=1 +retry=0 2>/dev/null)" ] || return 0
		sleep 0.1
	done
	return 1
}

ask()
{
	local output status=0

	output=$($lab client tests/zones/ferret.py ask "$corpus" 198.18.0.1 2>&1) || status=$?
	same "every reply is one of the four servers'" 0 $status
	# Notes already, but for its own result.
	[ $status -eq 0 ] && output=$(grep '^# !' <<<"$output")
	printf '%s\n' "$output" | sed 's/^\(# \)\?/# /'
}

tests/zones/ferret.py write "$corpus" "$scratch/zones" || exit 1
check "all zones are pushed" $lab up "$scratch/zones/main.yaml"
check "all zones are served" loaded
ask
finish
