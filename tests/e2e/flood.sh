#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# 100,000 queries at a time, and not one answer missing: from kxdpgun, a client that is not ours and counts, and from
# build/flood, which looks into every reply.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/counters.sh
. tests/counters.sh
export LAB=flood
# shellcheck source=tests/load/common.sh
. tests/load/common.sh

count=100000
[ -z "$long" ] || count=1000000

cp -r tests/load/a "$scratch/a"
tests/load/model.py prefixes 1 400 400 north south rest --lengths4 20 22 24 --lengths6 32 44 48 >"$scratch/a/large.csv"
tests/load/model.py table --all-scopes "$scratch/a/main.yaml" "$scratch/a/main.yaml" >"$scratch/table" || exit 1
load_begin "$scratch/a/main.yaml"

# TRANSPORT: the driver answers `count` queries, each of them looked at
flood()
{
	local output status=0 rate seen

	seen=$(seen)
	output=$(load_flood --table "$scratch/table" --kind service --count "$count" --seconds 120 --transport "$1" 2>&1) ||
		status=$?
	seen=$(($(seen) - seen))
	rate=$(load_figure rate "$output")
	same "flood over IPv$1: $count queries, every reply came and is right" 0 $status
	[ $status -eq 0 ] || note "$output"
	same "flood over IPv$1: the driver answered every one for which its packet had the room" "$count" $seen
	note "! flood over IPv$1: $count replies checked, $rate a second"
}

# How many packets the driver answered, whatever with.
answered()
{
	counter ANSWERED NODATA ANY TRUNCATED
}

# And those it would have answered, had the frame not been too small to grow, as veth's are at times.
seen()
{
	counter ANSWERED NODATA ANY TRUNCATED NO_ROOM
}

# ADDRESS: kxdpgun sends and receives past the kernel's stack, through an XDP program of its own in place of the lab's
kxdpgun_at()
{
	local output before after sent received
	local rate=51000	# for the time that 50,000 a second would take: it ends by the clock, a few queries early or late

	before=$(answered)
	output=$("$lab" client timeout 60 kxdpgun -t $((count / 50000)) -Q $rate -i "$scratch/queries" "$1" 2>&1)
	after=$(answered)
	sent=$(sed -n 's/^total queries: *\([0-9]*\).*/\1/p' <<<"$output")
	received=$(sed -n 's/^total replies: *\([0-9]*\).*/\1/p' <<<"$output")
	check "kxdpgun to $1: at least $count queries were sent" test "${sent:-0}" -ge $count
	same "kxdpgun to $1: every answer was received" "${sent:-none sent}" "${received:-none received}"
	same "kxdpgun to $1: all are NOERROR" "${sent:-none sent}" "$(sed -n 's/^responded NOERROR: *\([0-9]*\).*/\1/p' <<<"$output")"
	same "kxdpgun to $1: the driver answered them" "${sent:-none sent}" $((after - before))
	[ "${sent:-0}" = "${received:-none}" ] || note "$output"
	note "! kxdpgun to $1: ${sent:-0} queries, ${received:-0} replies"
}

flood 4
flood 6
printf '%s\n' 'www.example.com AAAA' 'www.example.com A' 'many.example.com A' 'alias.example.com AAAA' \
	'dice.example.com A' 'www.example.com TXT' 'www.example.com TYPE65' >"$scratch/queries"
"$lab" client ip link set dev ecs1 xdpdrv off
kxdpgun_at 198.18.0.1
kxdpgun_at fd00:ec5::1
finish
