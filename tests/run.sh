#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: tests/run.sh [-j COUNT] TEST... [--alone TEST...]
#
# Runs test programs that print TAP, COUNT at once, then those that measure one after the other; with a line for each and
# the whole output of those that failed. Everything they print is kept in build/logs/. Last line: "N passed, N failed, N skipped".
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
passed=0 failed=0 skipped=0

# tests/vectors/run.sh is "vectors", build/sanitize/test_zone is "test_zone-sanitized"
name_of()
{
	case $1 in
	*/run.sh) basename "$(dirname "$1")" ;;
	*/sanitize/*) echo "$(basename "$1")-sanitized" ;;
	*) basename "$1" .sh ;;
	esac
}

run_one()
{
	local test=$1 name log status ok not_ok skips started
	started=$(date +%s)

	name=$(name_of "$test")
	log=$logs/$name.log
	CMOCKA_MESSAGE_OUTPUT=TAP timeout "${TEST_TIMEOUT:-600}" "$test" >"$log" 2>&1 </dev/null &
	trap 'kill $!; wait; exit 1' TERM	# it has a process group of its own
	wait $!
	status=$?
	skips=$(grep -cE '^(not )?ok .*# SKIP' "$log")	# cmocka says "not ok" to a skipped one
	ok=$(grep -E '^ok ' "$log" | grep -vc '# SKIP')
	not_ok=$(grep -E '^not ok ' "$log" | grep -vc '# SKIP')
	if [ $((ok + not_ok + skips)) -eq 0 ] || { [ $status -ne 0 ] && [ "$not_ok" -eq 0 ]; }; then
		not_ok=$((not_ok + 1))
		echo "not ok - $test ended with status $status" >>"$log"
	fi
	echo "$ok $not_ok $skips" >"$own/$name.counts"
	report "$(($(date +%s) - started))" >"$own/$name.report"
	cat "$own/$name.report"	# in one piece, whatever runs beside it
}

# SECONDS: of the test that run_one() is about
report()
{
	printf '%-28s %5d passed %3d failed %3d skipped %4d s\n' "$name" "$ok" "$not_ok" "$skips" "$1"
	grep -E '^(not )?ok .*# SKIP|^# !' "$log" | sed 's/^/    /'
	[ "$not_ok" -eq 0 ] || { echo "    --- the whole of $log:"; tail -n 200 "$log" | sed 's/^/    /'; }
}

count_up()
{
	local ok not_ok skips

	for test in "$@"; do
		read -r ok not_ok skips <"$own/$(name_of "$test").counts" || ok=0 not_ok=1 skips=0
		passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skips))
	done
}

at_once=1 together=() alone=()
if [ "${1-}" = -j ]; then
	at_once=$2
	shift 2
fi
while [ $# -gt 0 ] && [ "$1" != --alone ]; do
	together+=("$1")
	shift
done
[ $# -eq 0 ] || shift
alone=("$@")

mkdir -p "$logs"
trap 'kill $(jobs -p) 2>/dev/null; wait; exit 130' INT TERM	# each test cleans up behind itself
own=$(mktemp -d)
trap 'rm -rf "$own"' EXIT
for test in "${together[@]}"; do
	while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do
		wait -n
	done
	run_one "$test" &
done
wait
for test in "${alone[@]}"; do
	run_one "$test" &
	wait
done
count_up "${together[@]}" "${alone[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
