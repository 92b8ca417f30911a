#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Random clients of a random topology, 10,000 prefixes a family, both families over both transports, services of every
# kind: every reply is parsed by dnspython and is what the naive model prescribes, to the last octet of its OPT record;
# none is lost, none comes twice. 50,000 queries; ECSDNS_LONG=1: a million. ECSDNS_SEED=N draws the same as N did before.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/counters.sh
. tests/counters.sh
export LAB=soak
# shellcheck source=tests/load/common.sh
. tests/load/common.sh

seed=${ECSDNS_SEED:-$SRANDOM}
prefixes=10000 count=50000
[ -z "$long" ] || count=1000000
regions=(r0 r1 r2 r3 r4 r5)	# of soak.yaml
resolvers=(198.18.0.{2..9} fd00:ec5::{2..9})

main()
{
	note "! ECSDNS_SEED=$seed draws this soak again"
	make_configuration || exit 1
	load_begin "$scratch/soak.yaml"
	note "$(grep live "$scratch/up")"
	give_addresses
	soak
	finish
}

make_configuration()
{
	cp tests/e2e/soak.yaml tests/load/a/example.com.zone "$scratch/" &&
		tests/load/routes.py "$seed" $prefixes "${regions[@]}" --near "${resolvers[@]}" >"$scratch/prefixes.csv"
}

# The lab's own is the first of each family.
give_addresses()
{
	local address

	for address in "${resolvers[@]}"; do
		case $address in
		*:*) "$lab" client ip addr replace "$address/64" dev ecs1 nodad ;;
		*) "$lab" client ip addr replace "$address/24" dev ecs1 ;;
		esac
	done
}

soak()
{
	local before output status=0 answered no_room moved

	before=$(counters)
	answered=$(counter ANSWERED NODATA ANY TRUNCATED)
	no_room=$(counter NO_ROOM)
	output=$("$lab" client tests/load/soak.py "$scratch/soak.yaml" "$seed" $count "${resolvers[@]}" 2>&1) || status=$?
	moved=$(counters_moved "$before" "$(counters)")
	answered=$(($(counter ANSWERED NODATA ANY TRUNCATED) - answered))
	no_room=$(($(counter NO_ROOM) - no_room))
	same "$count queries: every reply came, once, and is the model's" 0 $status
	[ $status -eq 0 ] || note "$output"
	same "every query was asked" $count "$(figure queries "$output")"
	# Those that found no room in their packet are the fallback's, and nothing but those.
	same "the driver answered every query for a service" "$(figure service "$output")" $((answered + no_room))
	same "the driver passed up every query for zone data" "$(figure zone "$output")" "$(counter NAME)"
	same "nothing was missing from the tables, nothing could not be written" 0 \
		"$(counter NO_REGION NO_ANSWER WRITE_FAILED)"
	note "! soak: $(tail -n 1 <<<"$output")"
	note "! soak: the driver answered $(awk "BEGIN {printf \"%.2f\", 100 * $answered / $count}")%: $moved"
}

# A figure of the last line: NAME TEXT
figure()
{
	tail -n 1 <<<"$2" | grep -oE "[0-9]+ $1\b" | cut -d ' ' -f 1
}

main
