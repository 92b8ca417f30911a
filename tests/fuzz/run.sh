#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every fuzzer for a while, under ASan and UBSan: a few seconds each, minutes with ECSDNS_LONG=1.
# What it finds stays in build/fuzz/NAME-*; what it learns in build/fuzz/NAME.corpus/.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh

seconds=8
[ -z "${ECSDNS_LONG:-}" ] || seconds=120

fuzz()
{
	local name=$1 dictionary=()

	mkdir -p "build/fuzz/$name.corpus"
	[ ! -f "tests/fuzz/${name#fuzz_}.dict" ] || dictionary=("-dict=tests/fuzz/${name#fuzz_}.dict")
	check "$name, $seconds seconds" "build/fuzz/$name" -max_total_time=$seconds -rss_limit_mb=4096 -timeout=20 -print_final_stats=1 \
		"-artifact_prefix=build/fuzz/$name-" "${dictionary[@]}" "build/fuzz/$name.corpus"
}

check "the fuzzers build" make --no-print-directory -s -j"$(nproc)" fuzzers
for source in tests/fuzz/fuzz_*.c; do
	fuzz "$(basename "$source" .c)"
done
finish
