#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What tests/e2e/kernel61.sh runs on the 6.1 kernel, in the project's folder: the lab with the example configuration,
# behind libxdp's dispatcher, which newer kernels refuse us.
set -uo pipefail

# shellcheck disable=SC1091
source /etc/ecsdns-test
# shellcheck source=tests/tap.sh
source tests/tap.sh
export BUILD LAB=k61
export PATH=$BUILD:$PATH
tools=$BUILD/tests
bpffs=/run/ecsdns-lab/$LAB/bpf
pins=$bpffs/ecsdns/v1
export ECSDNS_PINS=$pins LIBXDP_BPFFS=$bpffs
readonly instructions_max=100000

main()
{
	contains "the kernel is Debian's 6.1" "$(uname -r)" "6.1."
	test_objects
	lab up examples/japan.yaml || { tap_not_ok "the lab comes up"; finish; exit; }
	test_dispatcher
	test_scenario "native, behind the dispatcher"
	test_driver_answered
	test_capture
	test_fallback
	lab stop
	test_upgrade
	test_moved
	test_chained
	test_vlan
	test_generic
	test_alone
	test_nothing_left
	finish
}

lab()
{
	tests/lab.sh "$@"
}

# What "lab server" and "lab client" do, without a script in between: this processor is an emulated one.
on_server()
{
	ip netns exec ecsdns-$LAB-server "$@"
}

on_client()
{
	ip netns exec ecsdns-$LAB-client "$@"
}

# The object of each compiler, as it is in the loader.
test_objects()
{
	local object name verified

	mkdir -p /run/objects
	mount -t bpf objects /run/objects
	for object in "$BUILD/ecsdns.bpf.o" "$tools"/clang-*/ecsdns.bpf.o; do
		[ -f "$object" ] || continue
		name=${object#"$BUILD/"}
		check "$name: the verifier takes it" bpftool prog load "$object" /run/objects/program
		verified=$("$tools/pin" program /run/objects/program | sed -n 's/^verified //p')
		note "! verified instructions: ${verified:-none} on $(uname -r), $name"
		check "$name: in fewer than $instructions_max instructions" [ "${verified:-$instructions_max}" -lt $instructions_max ]
		rm -f /run/objects/program
	done
	umount /run/objects
}

status()
{
	on_server ecsdns-loader status --json | jq -r ".interfaces[0].$1"
}

test_dispatcher()
{
	same "attached behind libxdp's dispatcher" dispatcher "$(status attached)"
	same "in native mode" native "$(status mode)"
	contains "which is the kernel's view too" "$(on_server ip -d link show dev ecs0)" "name xdp_dispatcher"
	same "libxdp's pins are on the bpffs of ours" 1 "$(find $bpffs/xdp/ -name 'dispatch-*' | wc -l)"
}

# One query as scenario.tsv writes answers: the addresses, or the status if there is none, and source/scope.
ask()
{
	local server=$1 name=$2 type=$3 subnet=$4 options=()

	[ "$subnet" = - ] || options=("+subnet=$subnet")
	on_client kdig "@$server" "$name" "$type" +retry=0 +timeout=3 "${options[@]}" 2>&1 | awk -v type="$type" '
		/^;; ->>HEADER<<-/ { sub(/.*status: /, ""); sub(/;.*/, ""); status = $0 }
		/^;; CLIENT-SUBNET: / { n = split($3, part, "/"); scope = part[n - 1] "/" part[n] }
		!/^;/ && ($4 == type || $4 == "CNAME") { answer = answer sep $5; sep = "," }
		END { print answer ? answer : status ? status : "-", scope ? scope : "-" }'
}

# The rows of the acceptance table over both transports: all, or every third.
test_scenario()
{
	local row name type subnet answer scope _ server

	asked=0
	while IFS=$'\t' read -r row name type subnet answer scope _; do
		[[ $row =~ ^[0-9]+$ ]] || continue
		[ $((row % ${2:-1})) -eq 0 ] || continue
		for server in fd00:ec5::1 198.18.0.1; do
			same "$1: row $row at $server" "$answer $scope" "$(ask $server "$name" "$type" "$subnet")"
			asked=$((asked + 1))
		done
	done <tests/e2e/scenario.tsv
	check "$1: there were rows to ask" [ $asked -ge 12 ]
}

answered_by_driver()
{
	on_server bpftool -j map dump pinned "$pins/counters" |
		jq '[.[0].formatted.values[].value | .ANSWERED + .NODATA] | add'
}

answers()
{
	same "$1: IPv6" "2001:db8:10::5 40/40" "$(ask fd00:ec5::1 www.example.com AAAA 240b:10:300::/40)"
	same "$1: IPv4" "2001:db8:10::5 40/40" "$(ask 198.18.0.1 www.example.com AAAA 240b:10:300::/40)"
}

test_driver_answered()
{
	same "the driver gave every one of these $asked answers" $asked "$(answered_by_driver)"
	same "and the fallback none" 0 "$(on_server bpftool -j map dump pinned "$pins/fallback_counters" |
		jq '[.[].formatted.value | .ANSWERED + .NODATA] | add')"
}

# From the program behind the dispatcher through the ring buffer to lines.
test_capture()
{
	local socket=/run/ecsdns-lab/$LAB/control.sock capture

	on_server ecsctl --socket "$socket" capture --count 2 --seconds 60 >/tmp/captured 2>&1 &
	capture=$!
	while kill -0 $capture && ! on_server ecsctl --socket "$socket" --json stats | jq -e .capture.running >/dev/null; do
		sleep 0.1
	done
	answers "beside a capture"
	wait $capture
	same "both exchanges were captured" "fd00:ec5::2 198.18.0.2 2" "$(awk '
		$3 == "240b:10:300::/40" && $4 == "www.example.com." && $7 == "/40" && $8 == "2001:db8:10::5" { print $2 }
		END { print $1 }' /tmp/captured | xargs)"
	note "$(cat /tmp/captured)"
}

# Without rights, filtered, and with the sockets of the one that the lab started.
test_fallback()
{
	local run=/run/ecsdns-lab/$LAB pid

	echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
	chgrp -R 65534 "$run/state"
	ip netns exec ecsdns-$LAB-server ecsdns-fallback --pins "$pins" --state "$run/state" --control "$run/fallback.sock" \
		--workers 1 --user nobody --take-over >/tmp/fallback 2>&1 &
	pid=$!
	for _ in $(seq 200); do
		grep -q '>taken over from' /tmp/fallback && break
		sleep 0.1
	done
	contains "another fallback takes over" "$(cat /tmp/fallback)" ">taken over from process $(<"$run/fallback.pid")"
	echo $pid >"$run/fallback.pid"
	same "its rights and its filter" "65534 0000000000000400 2" \
		"$(awk '/^Uid|^CapEff|^Seccomp:/ { printf "%s%s", sep, $2; sep = " " }' /proc/$pid/status)"
	contains "it answers" "$(on_client kdig @fd00:ec5::1 +nsid +retry=0 +timeout=3 www.example.com AAAA \
		+subnet=240b:10:300::/40)" 2001:db8:10::5
	contains "over TCP, too" "$(on_client kdig @198.18.0.1 +tcp +retry=0 +timeout=3 www.example.com AAAA \
		+subnet=240b:10:300::/40)" 2001:db8:10::5
}

# The second digits of a server cookie are the time, by the driver's own clock.
cookies()
{
	local at cookie

	for at in 198.18.0.1 fd00:ec5::1; do
		cookie=$(on_client kdig "@$at" +cookie=0123456789abcdef +retry=0 +timeout=3 www.example.com AAAA |
			sed -n 's/.*COOKIE: //p' | tr A-F a-f | tr -d ' ')
		contains "a cookie from the driver, $at" "$cookie" 0123456789abcdef01000000
		check "of now" test $(($(date +%s) - 0x0${cookie:24:8})) -le 5 -a $(($(date +%s) - 0x0${cookie:24:8})) -ge 0
	done
}

# The daemons are stopped from here on: what the driver does not answer stays without an answer.
test_upgrade()
{
	local before stream count=0

	answers "without the daemons"
	cookies
	before=$(status program)
	# Not through a function, whose shell would take the signal.
	ip netns exec ecsdns-$LAB-client "$tools/stream" fd00:ec5::1 www.example.com 400 60 >/tmp/stream &
	stream=$!
	sleep 1
	for _ in 1 2 3; do
		on_server ecsdns-loader upgrade ecs0 >/dev/null && count=$((count + 1))
	done
	sleep 0.5
	kill -TERM $stream
	wait $stream
	same "three upgrades through the dispatcher lose no query" 0 $?
	note "! upgrades under load: $(cat /tmp/stream)"
	check "there was a stream to lose from" [ "$(awk '{ print $2 }' /tmp/stream)" -gt 200 ]
	same "every upgrade succeeded" 3 $count
	check "another program runs" [ "$(status program)" -ne "$before" ]
	same "still behind the dispatcher" dispatcher "$(status attached)"
	same "one program, not one for every upgrade" ecsdns "$(chain list ecs0 | xargs)"
}

# To other tables, filled from what is kept, and back; ended half-way, both programs are behind the dispatcher.
test_moved()
{
	local other=$bpffs/ecsdns/v1-other stream

	check "tables beside the others" on_server ecsdns-loader prepare --pins "$other" --names 1024
	check "filled with what is live" on_server ecsdns-controller --fill --pins "$other" --state /run/ecsdns-lab/$LAB/state
	ip netns exec ecsdns-$LAB-client "$tools/stream" fd00:ec5::1 www.example.com 400 60 >/tmp/stream &
	stream=$!
	sleep 0.5
	check "the interface moves there" on_server ecsdns-loader upgrade --pins "$other" --from "$pins"
	sleep 0.3
	kill -TERM $stream
	wait $stream
	same "and no query is lost" 0 $?
	same "alone behind the dispatcher" ecsdns "$(chain list ecs0 | xargs)"
	check "detach there" on_server ecsdns-loader detach --pins "$other" ecs0
	on_server ecsdns-loader attach ecs0 >/dev/null 2>&1
	on_server ecsdns-loader attach --pins "$other" ecs0 >/dev/null 2>&1
	same "both behind the dispatcher, as a move leaves them that was killed" "ecsdns ecsdns" "$(chain list ecs0 | xargs)"
	check "the same move again" on_server ecsdns-loader upgrade --pins "$other" --from "$pins"
	same "completes it" ecsdns "$(chain list ecs0 | xargs)"
	answers "from the other tables"
	check "and back" on_server ecsdns-loader upgrade --pins "$pins" --from "$other"
	check "the others are removed" on_server ecsdns-loader unload --pins "$other"
	answers "from the first ones again"
}

chain()
{
	on_server "$tools/chain" "$@"
}

seen()
{
	bpftool -j map dump name chained_seen | jq '.[0].formatted.value // .[0].value'
}

# A neighbour in front of us sees every query; one behind us sees what we pass, and no query.
test_chained()
{
	check "a second program, in front of ours" chain attach ecs0 "$BUILD/chained.bpf.o" 10
	same "both are there" "chained ecsdns" "$(chain list ecs0 | xargs)"
	answers "behind a second program"
	check "the second program has seen the queries" [ "$(seen)" -ge 2 ]
	check "upgrade beside the second program" on_server ecsdns-loader upgrade ecs0
	answers "upgraded beside a second program"
	same "both are there after the upgrade" "chained ecsdns" "$(chain list ecs0 | xargs)"
	check "ours detaches" on_server ecsdns-loader detach ecs0
	same "the second one stays" chained "$(chain list ecs0 | xargs)"
	check "ours attaches beside it" on_server ecsdns-loader attach ecs0
	answers "attached beside a second program"
	check "the second one detaches" chain detach ecs0 chained

	check "a second program, behind ours" chain attach ecs0 "$BUILD/chained.bpf.o" 90
	same "in that order" "ecsdns chained" "$(chain list ecs0 | xargs)"
	answers "in front of a second program"
	same "which sees no query" 0 "$(seen)"
	check "what we pass goes on" on_client ping -c 1 -W 5 198.18.0.1
	# The daemons are stopped: a query that we pass is seen by the neighbour, and answered by nobody.
	on_client kdig @198.18.0.1 +nsid +retry=0 +timeout=1 www.example.com AAAA >/dev/null 2>&1 || true
	check "through the second program" [ "$(seen)" -ge 1 ]
	check "the second one detaches again" chain detach ecs0 chained
	answers "alone again"
}

# Tags by a real VLAN device of the client. veth carries them beside the frame, as network cards with VLAN offload do,
# unless it is told not to. The server has no VLAN device: nobody but the driver can answer.
test_vlan()
{
	local mac

	mac=$(on_server cat /sys/class/net/ecs0/address)
	on_client ethtool -K ecs1 txvlan off tx-vlan-stag-hw-insert off >/dev/null
	on_client ip link add link ecs1 name ecs1.100 type vlan id 100
	vlan_answers "one tag" ecs1.100 "$mac"
	on_client ip link del ecs1.100
	on_client ip link add link ecs1 name outer type vlan proto 802.1ad id 200
	on_client ip link set dev outer up
	on_client ip link add link outer name inner type vlan id 100
	vlan_answers "two tags" inner "$mac"
	on_client ip link del outer
	answers "no tags"
}

vlan_answers()
{
	local name=$1 device=$2 mac=$3

	on_client ip link set dev "$device" up
	on_client ip addr add 198.18.7.2/24 dev "$device"
	on_client ip addr add fd00:ec5:0:7::2/64 dev "$device" nodad
	on_client ip route add 198.18.0.1/32 dev "$device" src 198.18.7.2
	on_client ip -6 route add fd00:ec5::1/128 dev "$device" src fd00:ec5:0:7::2
	on_client ip neigh replace 198.18.0.1 lladdr "$mac" dev "$device"
	on_client ip neigh replace fd00:ec5::1 lladdr "$mac" dev "$device"
	answers "$name"
	check "$name: the answers came in through the VLAN device" \
		[ "$(on_client cat "/sys/class/net/$device/statistics/rx_packets")" -ge 2 ]
}

test_generic()
{
	check "detach" on_server ecsdns-loader detach ecs0
	same "detached: no answers" "- -" "$(ask 198.18.0.1 www.example.com AAAA -)"
	check "--mode generic" on_server ecsdns-loader attach --mode generic ecs0
	same "status says generic" "generic dispatcher" "$(status mode) $(status attached)"
	test_scenario "generic" 3
	check "upgrade in generic mode" on_server ecsdns-loader upgrade ecs0
	same "stays generic" "generic dispatcher" "$(status mode) $(status attached)"
	answers "upgraded in generic mode"
	check "detach from generic mode" on_server ecsdns-loader detach ecs0
}

# As on kernels that refuse the dispatcher.
test_alone()
{
	check "--dispatcher no" on_server ecsdns-loader attach --dispatcher no ecs0
	same "attached alone" "native link" "$(status mode) $(status attached)"
	answers "alone"
	check "upgrade" on_server ecsdns-loader upgrade ecs0
	answers "alone, upgraded"
	check "detach" on_server ecsdns-loader detach ecs0
	on_server ip link set dev ecs0 xdpdrv obj "$BUILD/pass.bpf.o" sec xdp
	refuse "a program without dispatcher is in the way" "carries another XDP program already" \
		on_server ecsdns-loader attach ecs0
	on_server ip link set dev ecs0 xdpdrv off
	check "--dispatcher yes" on_server ecsdns-loader attach --dispatcher yes ecs0
	same "behind the dispatcher" "native dispatcher" "$(status mode) $(status attached)"
	answers "behind the dispatcher again"
}

# The kernel frees programs in its own time.
test_nothing_left()
{
	check "unload" on_server ecsdns-loader unload
	on_client ip link set dev ecs1 xdpdrv off
	for _ in $(seq 40); do
		[ "$(bpftool -j prog show | jq 'map(select(.type == "xdp" or .type == "ext")) | length')" -eq 0 ] && break
		sleep 0.1
	done
	same "no program is left in the kernel" 0 \
		"$(bpftool -j prog show | jq 'map(select(.type == "xdp" or .type == "ext")) | length')"
	same "no pin is left" "" "$(find $bpffs -type f ! -name '*.debug')"
	refuse "the interface carries none" "" sh -c "ip -n ecsdns-$LAB-server link show dev ecs0 | grep xdp"
	check "the lab goes down" lab down
}

main
