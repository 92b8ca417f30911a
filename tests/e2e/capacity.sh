#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Large topologies, pushed through the controller and asked through the driver: 10,000 random prefixes a family, and
# with ECSDNS_LONG=1 a million, in both generations. Region and scope of random clients are compared with the naive
# model's, which knows nothing of tries.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=capacity
# shellcheck source=tests/load/common.sh
. tests/load/common.sh

clients=1000	# blocks a family

# FOLDER SEED COUNT4 COUNT6
make_configuration()
{
	mkdir -p "$scratch/$1"
	tests/load/model.py prefixes "$2" "$3" "$4" r1 r2 r3 r4 r5 r6 r7 r8 >"$scratch/$1/prefixes.csv" || return
	cat >"$scratch/$1/main.yaml" <<-END
		server:
		  addresses: [198.18.0.1, "fd00:ec5::1"]
		zones:
		  - {name: example.com, file: example.com.zone}
		pools:
		  r0: {members: [{name: a, address: 192.0.2.$2}, {name: b, address: "2001:db8:$2::"}]}
		$(for region in 1 2 3 4 5 6 7 8; do
			echo "  r$region: {members: [{name: a, address: 192.0.2.$2$region}, {name: b, address: \"2001:db8:$2::$region\"}]}"
		done)
		topologies:
		  world: {default: r0, file: prefixes.csv}
		services:
		  - {name: www.example.com, topology: world, ttl: 2$2}
	END
	cp tests/load/a/example.com.zone "$scratch/$1/"
}

memory()
{
	awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo
}

resident()
{
	awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$(<"$run/controller.pid")/status"
}

# FOLDER TEXT [SECONDS]: pushed within these, and every client's answer is the model's
push_and_ask()
{
	local output status=0 began before seconds families

	before=$(memory)
	began=$(date +%s.%N)
	output=$(ecsctl push "$scratch/$1/main.yaml" 2>&1) || status=$?
	same "$2: pushed" 0 $status
	[ $status -eq 0 ] || note "$output"
	seconds=$(awk "BEGIN {printf \"%.1f\", $(date +%s.%N) - $began}")
	check "$2: $seconds s are less than ${3:-60}" awk "BEGIN {exit !($seconds < ${3:-60})}"
	note "! $2: $seconds s for the whole push;" \
		"$(grep -v warning <<<"$output" | tail -n 1);" \
		"$((before - $(memory))) MB less available, the controller's peak $(resident) MB"
	tests/load/model.py table --all-scopes --clients "$clients" --seed "$RANDOM" "$scratch/$1/main.yaml" \
		"$scratch/$1/main.yaml" >"$scratch/table"
	families=$(cut -d, -f1 "$scratch/$1/prefixes.csv" | sed 's/.*:.*/6/; s/.*\..*/4/' | sort -u | wc -l)
	check "$2: the model has $((families * clients)) clients to ask for" \
		test "$(grep -c '^ask service 0 .* 28 [12] ' "$scratch/table")" -ge $((families * clients))
	status=0
	output=$(load_flood --table "$scratch/table" --kind service --count 60000 --seconds 60 2>&1) || status=$?
	same "$2: region and scope of every client are the model's" 0 $status
	[ $status -eq 0 ] || note "$output"
}

make_configuration small 1 10000 10000 || exit 1
load_begin "$scratch/small/main.yaml"
push_and_ask small "10,000 prefixes a family"
if [ -n "$long" ]; then
	make_configuration one 4 0 1000000
	make_configuration first 2 1000000 1000000
	make_configuration second 3 1000000 1000000
	push_and_ask one "a million random /48" 10
	push_and_ask first "a million prefixes a family"
	push_and_ask second "another million in the other generation"
	used=$(ecsctl --json status | jq -c '.tables')
	note "! tables: $used"
	check "rolled back to the first million" ecsctl rollback
else
	note "a million prefixes a family, twice: make check-long"
fi
finish
