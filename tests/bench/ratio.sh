#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: sudo tests/bench/ratio.sh [ROUNDS [SECONDS [CONFIG NAME TYPE PREFIX]]]
#
# The driver's answers a second, received by the client, as a ratio to what reflects every frame and does nothing else:
# measured by turns in one run (default 7 rounds of 2 seconds), medians. Run it before and after a change to the query path:
# BUILD=dir takes programs from there; CAPTURE=1/N measures beside a running `ecsctl capture --sample 1/N`. PREFIX is where clients are drawn, see frame.py; the default configuration is
# examples/japan.yaml, its clients /48 of 240b:10::/36. Absolute figures are this machine's of the moment; ratios hold.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export LAB=bench
lab=tests/lab.sh
export BUILD=${BUILD:-$root/build}
build=$BUILD
rounds=${1:-7} seconds=${2:-2}
config=${3:-examples/japan.yaml} name=${4:-www.example.com} type=${5:-AAAA} prefix=${6:-240b:10::/36:48}

trap 'jobs -p | xargs -r kill 2>/dev/null; $lab down' EXIT
$lab up "$config" >/dev/null
server=ecsdns-$LAB-server
ip link add ecs2 netns "$server" type veth peer name ecs3 netns "ecsdns-$LAB-client"
$lab server ip link set dev ecs2 up
$lab client ip link set dev ecs3 up
$lab client ip link set dev ecs1 xdp off	# the counter takes its place

if [ -n "${CAPTURE:-}" ]; then
	$lab server ecsctl capture --sample "$CAPTURE" --count 1000000 --seconds 3600 -w /dev/null 2>/dev/null &
fi

reflector()
{
	$lab server "$build/load" "$1" ecs2
}

# SERVER-INTERFACE CLIENT-INTERFACE
measure()
{
	local mac

	mac=$($lab server cat "/sys/class/net/$1/address")
	# shellcheck disable=SC2046
	$lab client "$build/load" send "$2" "$seconds" $(tests/bench/frame.py "$mac" fd00:ec5::1 "$name" "$type" "$prefix")
}

for round in $(seq "$rounds"); do
	reflector reflect
	measure ecs2 ecs3 | jq -c '. + {what: "reflect"}'
	reflector reflect-grow
	measure ecs2 ecs3 | jq -c '. + {what: "reflect, grown by 28"}'
	measure ecs0 ecs1 | jq -c '. + {what: "answers"}'
	[ ! -t 2 ] || printf '\rround %d of %d' "$round" "$rounds" >&2
done >"$build/ratio.json"
[ ! -t 2 ] || echo >&2

jq -rs '
	def median: sort | .[length / 2 | floor];
	group_by(.what) | map({key: .[0].what, value: (map((if .what == "answers" then .answers else .back end) / .seconds) | median)})
	| from_entries as $rate
	| ($rate | to_entries[] | "\(.key): \(.value / 1000 | round) k/s, \(.value / $rate.reflect * 1000 | round / 1000) of the reflector"),
	  "answers / grown reflector: \($rate.answers / $rate["reflect, grown by 28"] * 1000 | round / 1000)"
' "$build/ratio.json"
