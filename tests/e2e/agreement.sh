#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# For every query that the driver answers, the fallback's reply is the same, octet for octet: queries generated from a seed
# (tests/replay/query.h) through BPF_PROG_RUN, then, with the driver detached, over the wire from the same addresses and
# ports. libknot judges every reply of both, dnspython one in eight.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=agreement
# shellcheck source=tests/replay/common.sh
. tests/replay/common.sh

count=100000
[ -z "$long" ] || count=1000000
count=${ECSDNS_COUNT:-$count}
vectors=tests/vectors

main()
{
	note "! agreement: ECSDNS_SEED=$seed repeats it"
	tests/replay/targets.py $vectors/vectors.yaml >"$scratch/on.targets" || exit 1
	tests/replay/targets.py $vectors/ecs-off.yaml >"$scratch/off.targets" || exit 1
	replay_begin $vectors/ecs-off.yaml
	drive off $(((count + 9) / 10))
	push vectors.yaml
	drive on "$count"
	[ -n "${ECSDNS_COUNT:-}" ] || everything "$driven"
	check "detach" "$lab" server ecsdns-loader detach ecs0
	ask on "$count" 1 vectors.yaml
	push ecs-off.yaml
	ask off $(((count + 9) / 10)) 0 ecs-off.yaml
	finish
}

# The fallback has loaded the zones of the new generation when it has followed the tables for a second.
push()
{
	check "push $1" "$lab" server ecsctl push "$vectors/$1"
	sleep 1
}

# NAME COUNT: through the driver
drive()
{
	local status=0

	driven=$(replay_at_server driver --targets "$scratch/$1.targets" --count "$2" --answers "$scratch/$1.answers" 2>&1) ||
		status=$?
	replay_test "client subnets $1: $2 queries through the driver, every frame right" $status "$driven"
}

# What the driver answered is nearly all that it should, and of every kind.
everything()
{
	local line reason service answered

	while read -r line; do
		[[ $line =~ ^covered\ ([0-9]+)\ of\ ([0-9]+)\ ([a-zA-Z0-9 ]+)(.*)$ ]] || continue
		if [ "${BASH_REMATCH[3]}" = sizes ] && [ -z "$long" ]; then
			check "EDNS sizes: half of all there are" test "${BASH_REMATCH[1]}" -gt 32768
		else
			same "all ${BASH_REMATCH[3]}${BASH_REMATCH[4]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}"
		fi
	done <<<"$1"
	for reason in ANSWERED NODATA ANY TRUNCATED; do
		# of those that are drawn, which are 14 of 15 (query.c)
		check "more than one in a hundred is $reason" \
			test "$(sed -n "s/^answered as $reason: //p" <<<"$1")" -gt $((count * 14 / 15 / 100))
	done
	service=$(replay_figure service "$1")
	answered=$(replay_figure answered "$1")
	check "most queries are well-formed and a service's" test "$service" -gt $((count / 2))
	check "the driver answered at least 95 % of these: $answered of $service" \
		test $((answered * 100)) -ge $((service * 95))
	check "one in five of these with a cookie" test $(($(replay_figure with_cookie "$1") * 5)) -ge "$answered"
	note "! agreement: the driver answered $answered of $service well-formed service queries"
	note "$(grep '^left to' <<<"$1")"
}

# NAME COUNT ECS CONFIG: the same of the fallback
ask()
{
	local status=0 output figure

	output=$(replay_at_client fallback --targets "$scratch/$1.targets" --count "$2" --answers "$scratch/$1.answers" \
		--ecs "$3" --sample "$scratch/$1.sample" 2>&1) || status=$?
	replay_test "client subnets $1: every reply the same from both, and such as libknot and the query want it" $status "$output"
	[ -z "${ECSDNS_COUNT:-}" ] || return 0
	for figure in replies compared; do
		check "client subnets $1: $figure" test "$(replay_figure $figure "$output")" -gt $(($2 / 2))
	done
	note "! agreement, client subnets $1: $(tail -n 1 <<<"$output")"
	status=0
	output=$(tests/replay/sample.py "$vectors/$4" "$scratch/$1.sample" 2>&1) || status=$?
	replay_test "client subnets $1: and as dnspython wants it, who reads one in eight" $status "$output"
	check "client subnets $1: one in ten at least" test "$(replay_figure queries "$output")" -ge $(($2 / 10))
}

main
