#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Loading zones: 10,000 of them, and with ECSDNS_LONG=1 a zone of a million records. How long it takes and how much memory;
# that every question is answered while the next generation loads; that one bad zone refuses the push and says where.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-zones}
# shellcheck source=tests/zones/peers.sh
. tests/zones/peers.sh
run=/run/ecsdns-lab/$LAB
scratch=$(mktemp -d)

# Who asks in the background ends by its file at the latest when the lab does.
trap 'touch "$scratch/stop"; $lab down; rm -rf "$scratch"' EXIT

# A daemon's memory in MB, now or at most: DAEMON VmRSS|VmHWM
memory()
{
	awk -v field="$2:" '$1 == field { print int($2 / 1024) }' "/proc/$(<"$run/$1.pid")/status"
}

# KIND VERSION
push()
{
	$lab server ecsctl push "$scratch/$1-$2/main.yaml"
}

# The fallback says in its log which generation's zones it has.
loaded()
{
	for _ in $(seq 600); do
		! grep -q "generation $1: [0-9]* zones" "$run/fallback.log" || return 0
		sleep 0.05
	done
	return 1
}

generation()
{
	$lab server ecsctl --json status | jq .generation
}

# NAME KIND COUNT VERSIONS: questions for half a second, all answered
asked()
{
	local sleeper

	(sleep 0.5; touch "$scratch/stop") &
	sleeper=$!
	zones_ask "$1" tests/zones/large.py ask "$2" "$3" "$4" "$scratch/stop"
	wait $sleeper
	rm "$scratch/stop"
}

# KIND COUNT: version 2 in the place of version 1, under questions
replaced()
{
	local status=0 pid

	$lab client tests/zones/large.py ask "$1" "$2" 1,2 "$scratch/stop" >"$scratch/asked" 2>&1 &
	pid=$!
	sleep 0.5
	check "$2 $1: the next generation is pushed" push "$1" 2
	check "$2 $1: the next generation is loaded" loaded "$(generation)"
	sleep 0.5
	touch "$scratch/stop"
	wait $pid || status=$?
	rm "$scratch/stop"
	same "$2 $1: every question is answered while the next generation loads" 0 $status
	sed 's/^\(# \)\?/# /' "$scratch/asked"
	check "$2 $1: from the old zones before" grep -q 'version 1: [1-9]' "$scratch/asked"
	check "$2 $1: from the new ones after" grep -q 'version 2: [1-9]' "$scratch/asked"
	asked "$2 $1: then from the new ones alone" "$1" "$2" 2
}

# KIND COUNT SECONDS MB PEAK: how long push and loading may take, what the zones may, and what a daemon ever may
measured()
{
	local empty began took zones

	$lab up >&2 || exit 1
	empty=$(memory fallback VmRSS)
	tests/zones/large.py write "$1" "$2" 1 "$scratch/$1-1" || exit 1
	tests/zones/large.py write "$1" "$2" 2 "$scratch/$1-2" || exit 1
	began=$(date +%s.%N)
	check "$2 $1: pushed" push "$1" 1
	check "$2 $1: loaded" loaded 1
	took=$(awk "BEGIN {printf \"%.1f\", $(date +%s.%N) - $began}")
	sleep 0.2
	zones=$(($(memory fallback VmRSS) - empty))
	check "$2 $1: served $took s after the push began, less than $3" awk "BEGIN {exit !($took < $3)}"
	check "$2 $1: $zones MB of zones in the fallback, less than $4" test $zones -lt "$4"
	note "! $2 $1: served after $took s; $zones MB of zones in the fallback, which needed $(memory fallback VmHWM) MB at" \
		"most, the controller $(memory controller VmHWM)"
	asked "$2 $1: answered" "$1" "$2" 1
	replaced "$1" "$2"
	zones=$(($(memory fallback VmRSS) - empty))
	check "$2 $1: $zones MB after the old generation's were given back, less than $4" test $zones -lt "$4"
	note "! $2 $1: with both generations the fallback had $(memory fallback VmHWM) MB, the controller" \
		"$(memory controller VmHWM)"
	check "$2 $1: the fallback never had $5 MB" test "$(memory fallback VmHWM)" -lt "$5"
	check "$2 $1: nor had the controller" test "$(memory controller VmHWM)" -lt "$5"
}

# One zone of the 10,000 in two files, a fault in the second
refused()
{
	local before

	before=$(generation)
	mkdir "$scratch/zones-2/parts"
	echo "\$INCLUDE parts/more" >>"$scratch/zones-2/z7654.test.zone"
	printf 'good A 192.0.2.1\nbad A 192.0.2.256\n' >"$scratch/zones-2/parts/more"
	refuse "a bad zone refuses the push and says where" "parts/more:2: " push zones 2
	printf 'www A 192.0.2.1\n' >"$scratch/zones-2/parts/more"
	refuse "a zone that contradicts itself, likewise" "z7654.test.zone:6: " push zones 2
	# past ecsctl, which looks into everything before it sends it
	(cd "$scratch/zones-2" && tar -cf "$scratch/bundle" main.yaml ./*.zone parts/more)
	contains "the controller refuses it by itself, too" \
		"$($lab server curl -s --unix-socket "$run/control.sock" --data-binary @"$scratch/bundle" http://localhost/v1/push |
			jq -r '.faults[] | "\(.file):\(.line): \(.severity)"')" "z7654.test.zone:6: error"
	same "the generation is the one before" "$before" "$(generation)"
	asked "and all its zones are answered" zones 10000 2
}

measured zones 10000 15 40 150
refused
if [ -n "${ECSDNS_LONG:-}" ]; then
	measured records 1000000 30 160 450
else
	note "a zone of a million records: make check-long"
fi
finish
