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
scratch=$(mktemp -d)
# shellcheck source=tests/zones/peers.sh
. tests/zones/peers.sh

if [ ! -r "$corpus/tests.jsonl.gz" ]; then
	rm -rf "$scratch"
	skip "the zones of ferret" "no $corpus/tests.jsonl.gz; make FERRET=FOLDER check takes it from elsewhere"
	finish
	exit
fi
trap '$lab down; rm -rf "$scratch"' EXIT

tests/zones/ferret.py write "$corpus" "$scratch/zones" || exit 1
check "all zones are pushed" $lab up "$scratch/zones/main.yaml"
check "all zones are served" zones_served "$(sed -n '$s/.*name: "\([^"]*\)".*/\1/p' "$scratch/zones/main.yaml")"
zones_ask "every reply is one of the four servers'" tests/zones/ferret.py ask "$corpus" 198.18.0.1
finish
