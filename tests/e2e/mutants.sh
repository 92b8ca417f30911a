#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Bad packets to the fallback under ASan and UBSan: queries spoilt in many ways over UDP, with the driver in front of it and
# without, then hostile TCP streams. It must not crash, leak, or be silent where a reply is owed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=mutants
# shellcheck source=tests/counters.sh
. tests/counters.sh
# shellcheck source=tests/replay/common.sh
. tests/replay/common.sh

count=300000 streams=2000
[ -z "$long" ] || count=10000000 streams=100000
count=${ECSDNS_COUNT:-$count}
fallback=$build/sanitize/ecsdns-fallback
idle=4 connections=400

main()
{
	note "! mutants: ECSDNS_SEED=$seed repeats it"
	tests/replay/targets.py tests/vectors/vectors.yaml >"$scratch/targets" || exit 1
	replay_begin tests/vectors/vectors.yaml
	start
	with_driver
	check "detach" "$lab" server ecsdns-loader detach ecs0
	udp "the fallback" "$count"
	[ -n "${ECSDNS_COUNT:-}" ] || tcp
	stop
	finish
}

# In the place of the lab's own, on its port: the driver passes up to it. LeakSanitizer makes system calls of its own.
start()
{
	contains "the fallback is built with its sanitizers" "$(ldd "$fallback")" libasan
	"$lab" stop
	"$lab" server "$fallback" --pins "$ECSDNS_PINS" --state "$run/state" --workers 2 --no-seccomp --tcp-idle $idle \
		--tcp-connections $connections --tcp-per-network $connections 2>"$scratch/log" &
	pid=$!
	for _ in $(seq 100); do
		grep -q "answers with 2 workers" "$scratch/log" && break
		sleep 0.1
	done
	check "it answers" "$lab" client dig +tries=1 +time=5 +tcp @198.18.0.1 www.example.com AAAA
}

# WHOM COUNT
udp()
{
	local status=0 output

	output=$(replay_at_client mutants --targets "$scratch/targets" --count "$2" 2>&1) || status=$?
	replay_test "$1: to every mutant of $2 that a reply is owed to, one comes" $status "$output"
	note "! mutants, $1: $(tail -n 1 <<<"$output")"
	[ -n "${ECSDNS_COUNT:-}" ] || check "$1: to most" test "$(replay_figure owed "$output")" -gt $(($2 / 2))
}

# A third as many, of which the driver answers those that are still well-formed.
with_driver()
{
	local before after

	before=$(counter ANSWERED NODATA ANY TRUNCATED)
	udp "the driver and the fallback" $(((count + 2) / 3))
	after=$(counter ANSWERED NODATA ANY TRUNCATED)
	note "! mutants: the driver answered $((after - before))"
	[ -n "${ECSDNS_COUNT:-}" ] || check "the driver answers some" test $((after - before)) -gt $((count / 1000))
}

descriptors()
{
	find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l
}

tcp()
{
	local status=0 output before

	"$lab" client ip route add local 198.18.64.0/20 dev lo
	"$lab" client ip -6 route add local fd00:ec5:64::/48 dev lo
	"$lab" server ip route add 198.18.64.0/20 via 198.18.0.2
	"$lab" server ip -6 route add fd00:ec5:64::/48 via fd00:ec5::2
	before=$(descriptors)
	"$build/replay" queries --targets "$scratch/targets" --seed "$seed" --count 5000 >"$scratch/queries"
	output=$("$lab" client timeout $((60 + streams / 100)) tests/replay/streams.py "$scratch/queries" $streams "$seed" \
		$idle $connections 2>&1) || status=$?
	replay_test "TCP: of $streams hostile streams, each that listens gets its replies" $status "$output"
	check "TCP: hardly one was late" test "$(replay_figure late "$output")" -le $((streams / 100))
	check "TCP: replies, more than twice as many" test "$(replay_figure replies "$output")" -gt $((streams * 2))
	note "! mutants, TCP: $(tail -n 1 <<<"$output")"
	sleep $((idle + 3))
	same "TCP: no connection is left" "$before" "$(descriptors)"
}

# Exit status 0: LeakSanitizer has looked, and found nothing.
stop()
{
	local status=0

	check "the fallback is alive" kill -0 "$pid"
	kill "$pid"
	wait "$pid" || status=$?
	same "it ends in peace, and nothing has leaked" 0 $status
	same "no sanitizer has anything to say" "" "$(grep -E "ERROR: |WARNING: |SUMMARY: |runtime error" "$scratch/log")"
	contains "and it was asked to end" "$(<"$scratch/log")" "stopping: Terminated"
	[ $tap_failed -eq 0 ] || note "$(tail -n 60 "$scratch/log")"
}

main
