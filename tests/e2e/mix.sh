#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: sudo tests/e2e/mix.sh     (`sudo make mix` with the larger count)
#
# The mix of a busy server (tests/replay/mix.c) about 10,000 services of every kind (tests/replay/mix.py): the driver
# answers at least 98 % of the well-formed queries for services; a table says what it left to the fallback and why. Its
# replies are the fallback's, octet for octet; libknot and the naive model judge every one. That share is by BPF_PROG_RUN,
# which has room behind a frame as a network card has; what the lab's wire makes of it is printed, too.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/counters.sh
. tests/counters.sh
export LAB=mix
export PYTHONDONTWRITEBYTECODE=1
# shellcheck source=tests/replay/common.sh
. tests/replay/common.sh

count=10000
[ -z "$long" ] || count=200000
count=${ECSDNS_COUNT:-$count}
config=$scratch/mix.yaml
kinds=(ANSWERED NODATA ANY TRUNCATED)

# What every mix must have: percent and name, as mix_judge.py prints them. By Zipf's law the first of 10,000 names is asked by
# log 2 / log 10,001 of the 97 % that are for services, the first ten by log 11 / log 10,001.
wanted='
	40 type A
	30 type AAAA
	20 type HTTPS
	10 type of others
	50 DNS cookie
	50 client subnet
	60 DO
	20 mixed case
	33.33 size 512
	33.33 size 1232
	33.33 size 4096
	7.3 the name most asked
	25.25 the ten most asked
	1 malformed'

main()
{
	note "! mix: ECSDNS_SEED=$seed repeats it"
	tests/replay/mix.py "$scratch" || exit 1
	tests/replay/targets.py "$config" >"$scratch/targets" || exit 1
	same "10,000 services" 10000 "$(grep -c ^service "$scratch/targets")"
	replay_begin "$config"
	through_driver
	over_wire
	check "detach" "$lab" server ecsdns-loader detach ecs0
	ask "the driver detached"
	by_model
	finish
}

through_driver()
{
	local status=0

	driven=$(replay_at_server driver --mix 1 --targets "$scratch/targets" --count "$count" --answers "$scratch/answers" 2>&1) ||
		status=$?
	replay_test "$count queries through the driver, every frame right" $status "$driven"
	shares "$driven" >"$scratch/shares"
	note "$(sed 's/^/! mix: /' "$scratch/shares")"
	[ -n "${ECSDNS_COUNT:-}" ] || check "at least 98 % of the queries for services are the driver's" \
		test "$(awk '/ in the driver$/ { print int($1) }' "$scratch/shares")" -ge 98
}

# Of the well-formed queries for services, types of zone data at their names among them: percent, and what became of them
shares()
{
	awk '
	/^answered as / { sub(":", "", $3); answered[++kinds] = $3; times[kinds] = $4 }
	/^passed as / { sub(":", "", $3); passed[$3] = $4 + ($3 == "STATIC" ? $5 : 0); left += passed[$3] }
	/^asked / { for (i = 1; i < NF; i++) if ($i == "answered") mine = $(i + 1) }
	END {
		all = mine + left
		if (!all)
			exit 1
		printf "%7.3f %% of %d well-formed queries for services answered in the driver\n", 100 * mine / all, all
		for (reason in passed)
			if (passed[reason])
				printf "%7.3f %% passed up as %s\n", 100 * passed[reason] / all, reason
		for (i = 1; i <= kinds; i++)
			printf "%7d answered as %s, some of them damaged and well-formed still\n", times[i], answered[i]
	}' <<<"$1"
}

# veth leaves no room behind frames from a socket, and some 200 octets before them: longer replies are the fallback's here
# (NO_ROOM), where a network card's buffer has room for all.
over_wire()
{
	local before moved mine

	before=$(counters)
	mine=$(counter "${kinds[@]}" NO_ROOM)
	ask "driver and fallback together"
	moved=$(counters_moved "$before" "$(counters)")
	same "the driver answers the same queries on the wire, but those with no room in the lab's frames" \
		"$(awk '/^answered as / { all += $4 } END { print all }' <<<"$driven")" \
		$(($(counter "${kinds[@]}" NO_ROOM) - mine))
	note "! mix: on the lab's wire $moved"
}

# WHO: the same queries over the wire
ask()
{
	local status=0 output

	output=$(replay_at_client fallback --mix 1 --targets "$scratch/targets" --count "$count" --answers "$scratch/answers" --ecs 1 \
		--sample "$scratch/sample" --sample-one-in 1 2>&1) || status=$?
	replay_test "$1: every reply the same as the driver's, and such as libknot and the query want it" $status "$output"
	[ -n "${ECSDNS_COUNT:-}" ] || check "$1: nine in ten were compared" \
		test "$(replay_figure compared "$output")" -gt $((count * 9 / 10))
	note "! mix: $1: $(tail -n 1 <<<"$output")"
}

by_model()
{
	local status=0 output share name drawn

	output=$(tests/replay/mix_judge.py "$config" "$scratch/sample" 2>&1) || status=$?
	replay_test "records, truncation and scope of every well-formed query are the naive model's" $status "$output"
	note "! mix: $(tail -n 1 <<<"$output")"
	[ -z "${ECSDNS_COUNT:-}" ] || return 0
	check "which are nearly all" test "$(replay_figure judged "$output")" -gt $((count * 9 / 10))
	while read -r share name; do
		[ -n "$name" ] || continue
		drawn=$(sed -n "s/^drawn \([0-9.]*\) $name$/\1/p" <<<"$output")
		check "$name: ${drawn:-nothing} of $share %, within five standard deviations" \
			awk "BEGIN { off = ${drawn:-999} - $share; exit !(off * off < 25 * $share * (100 - $share) / $count) }"
	done <<<"$wanted"
}

main
