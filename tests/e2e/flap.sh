#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Health flaps as fast as it can, answers of eight records, in tables that are large enough and in such as are nearly full:
# the driver on the other CPU and the fallback give nothing but what was published. And how long one verdict takes
# until both answer by it, with 10,000 services on one pool.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-flap}
# shellcheck source=tests/load/common.sh
. tests/load/common.sh

seconds=5
[ -z "$long" ] || seconds=120

main()
{
	race "many free entries" 96 2000
	takes_over_what_flapped
	race "few free entries" 24 100
	latency
	finish
}

# The names are of one length, so that they share their negative answers.
write_configuration()
{
	local services=$1 i

	printf '%s\n' "\$TTL 300" '@ SOA ns hostmaster 7 3600 600 604800 100' '@ NS ns' 'ns A 198.18.0.1' >"$scratch/zone"
	{
		echo "server: {addresses: [198.18.0.1]}"
		echo "zones: [{name: example.com, file: zone}]"
		echo "checks: {web: {type: tcp, port: 80}}"
		echo "pools:"
		printf '  many:\n    check: web\n    members:\n'
		for i in {0..63}; do
			echo "    - {name: m$i, address: 192.0.2.$i}"
		done
		echo "topologies: {one: {default: many}}"
		echo "services:"
		seq -f '- {name: s%05g.example.com, topology: one}' 0 $((services - 1))
	} >"$scratch/flap.yaml"
}

# ANSWERS SERVICES: the lab, whose controller is killed; its generation is left to build/flap.
bring_up()
{
	write_configuration "$2"
	export LOADER_OPTIONS="--answers $1"
	load_begin "$scratch/flap.yaml"
	kill -9 "$(<"$run/controller.pid")"
	wait_for_end "$(<"$run/controller.pid")"
	rm -f "$run/controller.pid" "$ECSDNS_SOCKET"
}

wait_for_end()
{
	for _ in $(seq 100); do
		[ -d "/proc/$1" ] || return
		sleep 0.05
	done
}

flap()
{
	"$lab" server "$build/flap" "$ECSDNS_PINS" "$run/state" ecs0 "$@"
}

figure()
{
	sed -n "s/.*\\b$1 \\([0-9.]*\\).*/\\1/p" <<<"$2"
}

# NAME ANSWERS LEAST: so many verdicts a second at least, each for 50 services
race()
{
	local name=$1 output status=0 figure

	bring_up "$2" 50
	output=$(flap 50 $seconds 2>&1) || status=$?
	note "! $name: $(tail -n 1 <<<"$output")"
	same "$name: exit" 0 $status
	for figure in driver_bad driver_lost fallback_bad fallback_lost missing; do
		same "$name: $figure" 0 "$(figure $figure "$output")"
	done
	[ $status -eq 0 ] || note "$output"
	check "$name: at least $3 verdicts a second" [ "$(figure verdicts "$output")" -ge $(($3 * seconds)) ]
	check "$name: entries were written again" [ "$(figure graces "$output")" -ge $((5 * seconds)) ]
	check "$name: the driver was asked" [ "$(figure driver_replies "$output")" -ge $((10000 * seconds)) ]
	check "$name: the fallback was asked" [ "$(figure fallback_replies "$output")" -ge $((1000 * seconds)) ]
}

# The next controller knows no states yet: it leaves the answers as they are, and a push makes all well.
takes_over_what_flapped()
{
	local before

	before=$(answers)
	rm -f "$run"/state/health.{json,journal}
	"$lab" start
	load_wait_ready
	contains "a start takes over what health made" "$(<"$run/controller.log")" "50 answers are of states of health that nobody has saved"
	same "and no answer changes" "$before" "$(answers)"
	check "a push" "$lab" server ecsctl push "$scratch/flap.yaml"
	same "all members are up again" 64 "$(for _ in {1..200}; do answers; done | tr ' ' '\n' | sort -u | grep -c 192.0.2)"
}

answers()
{
	"$lab" client dig +short +timeout=2 @198.18.0.1 s00007.example.com A | sort | tr '\n' ' '
}

latency()
{
	local output status=0

	bring_up 16384 10000
	output=$(flap 10000 0 2>&1) || status=$?
	note "! 10,000 services, median of 20 verdicts: $(tail -n 1 <<<"$output")"
	same "10,000 services: both answer by the verdict at once" 0 $status
	[ $status -eq 0 ] || note "$output"
	check "10,000 services: in the tables in under 10 ms" below_ten "$(figure tables_ms "$output")"
	check "10,000 services: from the verdict to the driver's answer in under 10 ms" below_ten "$(figure driver_ms "$output")"
}

below_ten()
{
	awk -v took="$1" 'BEGIN { exit !(took != "" && took < 10) }'
}

main
