#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: tests/run.sh TEST...
#
# Runs test programs that print TAP, one after the other, with a line for each and the whole output of those that
# failed. Everything they print is kept in build/logs/. Last line: "N passed, N failed, N skipped".
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
	local test=$1 name log status ok not_ok skips started=$SECONDS

	name=$(name_of "$test")
	log=$logs/$name.log
	CMOCKA_MESSAGE_OUTPUT=TAP timeout "${TEST_TIMEOUT:-600}" "$test" >"$log" 2>&1 </dev/null
	status=$?
	skips=$(grep -cE '^(not )?ok .*# SKIP' "$log")	# cmocka says "not ok" to a skipped one
	ok=$(grep -E '^ok ' "$log" | grep -vc '# SKIP')
	not_ok=$(grep -E '^not ok ' "$log" | grep -vc '# SKIP')
	if [ $((ok + not_ok + skips)) -eq 0 ] || { [ $status -ne 0 ] && [ "$not_ok" -eq 0 ]; }; then
		not_ok=$((not_ok + 1))
		echo "not ok - $test ended with status $status" >>"$log"
	fi
	passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skips))
	printf '%-28s %5d passed %3d failed %3d skipped %4d s\n' "$name" "$ok" "$not_ok" "$skips" \
		$((SECONDS - started))
	grep -E '^(not )?ok .*# SKIP|^# !' "$log" | sed 's/^/    /'
	[ "$not_ok" -eq 0 ] || { echo "    --- the whole of $log:"; tail -n 200 "$log" | sed 's/^/    /'; }
}

mkdir -p "$logs"
for test in "$@"; do
	run_one "$test"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
