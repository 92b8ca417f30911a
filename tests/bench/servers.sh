#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: sudo tests/bench/servers.sh [ROUNDS [SECONDS]]
#
# The fallback beside gdnsd and NSD (Debian packages): answers a second that the client receives under one flood, by turns
# in one run (default 7 rounds of 2 seconds each), medians. A static name for all three; a name by client subnet for
# those who have it. The driver is detached, so that every query goes through the network stack. All have two
# threads or processes. BUILD=dir takes the programs from there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export LAB=bench BUILD=${BUILD:-$root/build}
lab=tests/lab.sh
rounds=${1:-7} seconds=${2:-2}
scratch=$(mktemp -d)
declare -A address=([fallback]=198.18.0.1 [gdnsd]=198.18.0.9 [nsd]=198.18.0.10)

trap '$lab down; rm -rf "$scratch"' EXIT

main()
{
	$lab up examples/japan.yaml >/dev/null 2>&1
	$lab server ecsdns-loader detach ecs0 >/dev/null
	# What the generator sends arrives only where a program is.
	$lab server ip link set dev ecs0 xdpdrv obj "$BUILD/pass.bpf.o" sec xdp
	$lab client ip link set dev ecs1 xdp off
	start_gdnsd
	start_nsd
	check_answers
	for round in $(seq "$rounds"); do
		for server in $(in_turn "$round" fallback gdnsd nsd); do
			measure "$server" static static.example.com A none
		done
		for server in $(in_turn "$round" fallback gdnsd); do
			measure "$server" "client subnet" www.example.com AAAA 240b:10::/36:48
		done
		[ ! -t 2 ] || printf '\rround %d of %d' "$round" "$rounds" >&2
	done >"$BUILD/servers.json"
	[ ! -t 2 ] || echo >&2
	show
}

# NUMBER WORD...: who begins changes, as what one server leaves behind is the next one's
in_turn()
{
	local number=$1
	shift

	number=$((number % $#))
	echo "${@:number + 1}" "${@:1:number}"
}

in_server()
{
	$lab server setpriv --pdeathsig KILL "$@" >>"$scratch/log" 2>&1 </dev/null &
	disown
}

# The scenario of examples/japan.yaml.
start_gdnsd()
{
	$lab server ip addr add ${address[gdnsd]}/24 dev ecs0
	mkdir -p "$scratch/gdnsd/zones"
	cat >"$scratch/gdnsd/config" <<-END
		options => { listen => { ${address[gdnsd]} => { udp_threads = 2 } }
			run_dir = $scratch/gdnsd/run, state_dir = $scratch/gdnsd/state }
		plugins => { geoip => {
			maps => { japan => { datacenters => [tokyo, osaka1, osaka2, osaka3, kyushu], nets => {
				240b:10:200::/41 => [osaka1], 240b:10:280::/41 => [osaka2],
				240b:10:300::/40 => [osaka3], 240b:10:400::/39 => [kyushu] } } }
			resources => { www => { map => japan, dcmap => { tokyo => 2001:db8::1, osaka1 => 2001:db8:10::1,
				osaka2 => 2001:db8:10::2, osaka3 => 2001:db8:10::5, kyushu => 2001:db8:20::1 } } } } }
	END
	cat >"$scratch/gdnsd/zones/example.com" <<-END
		@ SOA ns1 hostmaster 1 7200 900 1209600 300
		@ NS ns1
		ns1 A 198.18.0.1
		static A 192.0.2.80
		www 10 DYNA geoip!www
	END
	in_server gdnsd -c "$scratch/gdnsd" start
}

start_nsd()
{
	$lab server ip addr add ${address[nsd]}/24 dev ecs0
	mkdir -p "$scratch/nsd"
	cat >"$scratch/nsd/nsd.conf" <<-END
		server:
		  ip-address: ${address[nsd]}
		  server-count: 2
		  reuseport: yes
		  rrl-ratelimit: 0
		  username: ""
		  chroot: ""
		  database: ""
		  zonesdir: "$scratch/nsd"
		  pidfile: "$scratch/nsd/pid"
		  xfrdfile: "$scratch/nsd/xfrd"
		  xfrdir: "$scratch/nsd"
		  zonelistfile: "$scratch/nsd/zones"
		remote-control:
		  control-enable: no
		zone:
		  name: example.com
		  zonefile: example.com.zone
	END
	cp examples/example.com.zone "$scratch/nsd/"
	in_server nsd -d -c "$scratch/nsd/nsd.conf"
}

# Everybody answers what is asked below, and the same.
check_answers()
{
	local server answer

	for server in "${!address[@]}"; do
		for _ in $(seq 50); do
			answer=$($lab client kdig @"${address[$server]}" +short +retry=0 +time=1 static.example.com A 2>/dev/null) || true
			[ "$answer" != "$(static_address)" ] || break
			sleep 0.1
		done
		[ "$answer" = "$(static_address)" ] || { cat "$scratch/log" >&2; echo "$server answers: $answer" >&2; exit 1; }
	done
}

static_address()
{
	awk '$1 == "static" {print $4}' examples/example.com.zone
}

# SERVER WHAT NAME TYPE PREFIX
measure()
{
	local mac

	mac=$($lab server cat /sys/class/net/ecs0/address)
	# shellcheck disable=SC2046
	$lab client "$BUILD/load" send ecs1 "$seconds" $(tests/bench/frame.py "$mac" "${address[$1]}" "$3" "$4" "$5") |
		jq -c --arg server "$1" --arg what "$2" '. + {server: $server, what: $what}'
}

show()
{
	jq -rs '
		def median: sort | .[length / 2 | floor];
		group_by(.what)[] | .[0].what as $what
		| (group_by(.server) | map({key: .[0].server, value: (map(.answers / .seconds) | median)}) | from_entries) as $rate
		| $rate | to_entries[]
		| "\($what), \(.key): \(.value / 1000 | round) k/s; the fallback is \($rate.fallback / .value * 100 | round / 100) of it"
	' "$BUILD/servers.json"
}

main
