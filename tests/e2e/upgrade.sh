#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything that docs/upgrade.md has, under load: another controller, larger tables, another layout of the tables and the way
# back, with every process killed on the way. Every query over UDP, to the driver and to the fallback, and over TCP has to be
# answered rightly all the time; checks change their verdicts meanwhile.
#
# The other layout is this source with the structs changed in a copy, built there, and all programs of that version.
#
# ECSDNS_LONG=1: more of everything.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-upgrade}
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
build=$(realpath "$build")
export ECSDNS_FALLBACK_SOCKET=$run/fallback.sock

takeovers=5 kills=3 rounds=1
[ -z "$long" ] || takeovers=50 kills=30 rounds=5
names=10000
base=$run/bpf/ecsdns
small=$base/v1 large=$base/v1-large other=$base/v2
scratch_build=$scratch/other/build
pid=

main()
{
	build_other >"$scratch/make" 2>&1 &
	builder=$!
	make_configurations || exit 1
	LOADER_OPTIONS="--names 64 --answers 256" load_begin "$scratch/a/main.yaml"
	second_interface
	load_starts
	controllers
	larger_tables
	push_is_finished
	wait $builder || { note "$(tail -n 20 "$scratch/make")"; echo "Bail out! the other layout was not built"; exit 1; }
	other_layout
	load_ends
	[ -z "$long" ] || a_million_prefixes
	without_tables
	no_room_for_the_newest
	finish
}

# A second version of the tables: service and answer begin otherwise, so that neither version can read the other's.
build_other()
{
	mkdir "$scratch/other" && cp -r Makefile bpf maps packaging tools user "$scratch/other" && cd "$scratch/other" || return
	sed -i 's/ECSDNS_ABI_VERSION 1$/ECSDNS_ABI_VERSION 2/; s,ecsdns/v1",ecsdns/v2",' maps/limits.h
	sed -i 's/^struct service {/&\n\t__u64 since;/; s/^struct answer {/&\n\t__u64 owner;/
		s/sizeof(struct service) == 20/sizeof(struct service) == 32/
		s/sizeof(struct answer) == 2080/sizeof(struct answer) == 2088/' maps/abi.h
	make -s -j2 CFLAGS=-O0 BUILD=build build/ecsdns-loader build/ecsdns-controller build/ecsdns-fallback
}

# A is as it is pushed; B is what is right while north is down. North has one member of a family: it moves at once.
make_configurations()
{
	cp -r tests/load/a "$scratch/a" || return
	sed -i 's/^pools:/checks:\n  flip: {type: file, path: '"${scratch//\//\\/}"'\/north, interval: 100ms, timeout: 50ms, rise: 1, fall: 1}\n&/
		s/^  north:$/&\n    check: flip/; /name: n3/d
		s/\(topology: world, ttl: 1[0168].*\)}$/\1, regions: {north: [north, south]}}/
		s/\(topology: large, ttl: 17\)}$/\1, regions: {north: [north, south]}}/' "$scratch/a/main.yaml"
	tests/load/model.py prefixes 1 200 200 north south rest --lengths4 20 22 24 --lengths6 32 44 48 >"$scratch/a/large.csv" &&
	cp -r "$scratch/a" "$scratch/b" &&
	sed -i 's/north: \[north, south\]/north: [south, north]/; s/south: \[north, crowd\]/south: [crowd, north]/' "$scratch/b/main.yaml" &&
	tests/load/model.py table --all-scopes "$scratch/a/main.yaml" "$scratch/b/main.yaml" >"$scratch/table" &&
	{ cat "$scratch/a/main.yaml"; seq -f '- {name: s%05g.example.com, topology: world}' $names | sed 's/^/  /'; } >"$scratch/a/many.yaml"
	set_north up
}

set_north()
{
	echo "$1" >"$scratch/north.new" && mv "$scratch/north.new" "$scratch/north"
}

# An interface more, which nobody asks: all of them move together.
second_interface()
{
	"$lab" server ip link add ecs8 type veth peer name ecs9
	"$lab" server ip link set ecs8 up
	check "the same tables serve a second interface" "$lab" server ecsdns-loader attach --mode generic \
		--mac 00:00:5e:00:01:0a ecs8
}

# -- load --------------------------------------------------------------------------------------------------------------

load_starts()
{
	load_flood --table "$scratch/table" --rate 3000 --seconds 900 >"$scratch/driver" 2>&1 &
	driver_load=$!
	load_flood --table "$scratch/table" --nsid --kind service --rate 1500 --seconds 900 >"$scratch/fallback" 2>&1 &
	fallback_load=$!
	"$lab" client tests/e2e/connections.py www.example.com 198.18.0.1 fd00:ec5::1 >"$scratch/connections" 2>&1 &
	tcp_load=$!
}

end_load()
{
	pkill -TERM -P "$1" -f "$2" 2>/dev/null || kill -TERM "$1"
	wait "$1"
}

# NAME LOG PROCESS PROGRAM
load_end_one()
{
	local status=0

	end_load "$3" "$4" || status=$?
	same "$1: every query was answered, and rightly" 0 $status
	[ $status -eq 0 ] || note "$(cat "$2")"
	note "! $1: $(tail -n 1 "$2")"
}

load_ends()
{
	sleep 0.3
	load_end_one "the driver" "$scratch/driver" $driver_load flood
	load_end_one "the fallback, UDP" "$scratch/fallback" $fallback_load flood
	load_end_one "the fallback, TCP" "$scratch/connections" $tcp_load connections.py
	check "there was load" [ "$(load_figure received "$(<"$scratch/driver")")" -gt 10000 ]
}

# While a command runs, north goes down and up.
flipping()
{
	local status=0 flipper

	touch "$scratch/flipping"
	while [ -e "$scratch/flipping" ]; do
		set_north down
		sleep 0.13
		set_north up
		sleep 0.17
	done &
	flipper=$!
	"$@" || status=$?
	rm "$scratch/flipping"
	wait $flipper
	return $status
}

# -- processes ---------------------------------------------------------------------------------------------------------

# TEXT FILE [FIFTIETHS]: until it is there
await()
{
	for _ in $(seq "${3:-500}"); do
		grep -q -e "$1" "$2" 2>/dev/null && return
		sleep 0.02
	done
	note "not in time: $1, in $2:" "$(cat "$2" 2>&1)"
	return 1
}

gone()
{
	! kill -0 "$1" 2>/dev/null || grep -q '^State:	Z' "/proc/$1/status" 2>/dev/null
}

await_gone()
{
	for _ in $(seq 500); do
		gone "$1" && return
		sleep 0.02
	done
	return 1
}

# BUILD PROGRAM LOG OPTION...: in the server's namespace and the background; its process is $pid.
start()
{
	local program=$1/$2 log=$3
	shift 3

	: >"$log"
	ip netns exec "ecsdns-$LAB-server" setsid "$program" --state "$run/state" "$@" >>"$log" 2>&1 </dev/null &
	pid=$!
}

loader()
{
	local from=$1
	shift

	"$lab" server "$from/ecsdns-loader" "$@"
}

# BUILD PINS: the next controller, until it says that it has taken over. What the lab stops, is this one.
next_controller()
{
	local old

	old=$(<"$run/controller.pid")
	start "$1" ecsdns-controller "$scratch/controller" --pins "$2" --take-over
	await "took over from process" "$scratch/controller" 3000 || return
	echo "$pid" >"$run/controller.pid"
	await_gone "$old"
}

# BUILD PINS. The one before goes when its connections have ended.
next_fallback()
{
	start "$1" ecsdns-fallback "$scratch/fallback.log" --pins "$2" --workers 2 --take-over
	echo "$pid" >"$run/fallback.pid"
	await "^<5>taken over from" "$scratch/fallback.log"
}

fill()
{
	"$lab" server "$1/ecsdns-controller" --fill --pins "$2" --state "$run/state"
}

# COMMAND...: killed at some moments of its life, and each time done again
killed()
{
	local took began victim round bad=0

	began=$(date +%s%N)
	("$@") >/dev/null 2>&1
	took=$((($(date +%s%N) - began) / 1000))
	for round in $(seq $kills); do
		undo
		"$@" >/dev/null 2>&1 &
		victim=$!
		sleep "$(printf '%d.%06d' $((took * round / kills / 1000000)) $((took * round / kills % 1000000)))"
		kill -9 $victim 2>/dev/null
		wait $victim 2>/dev/null
		("$@") >"$scratch/again" 2>&1 || { bad=$((bad + 1)); note "$(cat "$scratch/again")"; }
	done
	return $bad
}

# Becomes the command, which is what `killed` kills.
in_server()
{
	exec ip netns exec "ecsdns-$LAB-server" env LIBXDP_BPFFS="$run/bpf" "$@"
}

undo()
{
	:
}

# Both follow the file: down, and up again.
follows()
{
	local state expected

	for state in down up; do
		set_north $state
		[ $state = up ] && expected=192.0.2.1 || expected="192.0.2.2 192.0.2.3"
		for _ in $(seq 50); do
			[ "$(load_answers www.example.com 10.0.0.0/24)" = "$expected" ] && continue 2
			sleep 0.05
		done
		note "$state: expected $expected, got $(load_answers www.example.com 10.0.0.0/24)"
		return 1
	done
}

served_from()
{
	loader "$1" status --pins "$2" --json | jq -r '[.interfaces[].interface] | sort | join(" ")'
}

# -- the next controller, on the same tables ---------------------------------------------------------------------------

controllers()
{
	local bad=0 longest

	: >"$scratch/gaps"
	flipping take_turns || bad=$?
	same "$takeovers controllers, one behind the other, while verdicts change" 0 $bad
	longest=$(sort -n "$scratch/gaps" | tail -n 1)
	note "! nobody followed checks for $(sort -n "$scratch/gaps" | head -n 1) to $longest s"
	check "nobody followed checks for less than three seconds" awk -v gap="$longest" 'BEGIN { exit !(gap != "" && gap < 3) }'
	contains "it finds what the one before left" "$(<"$scratch/controller")" "generation 1 adopted"
	check "the last one follows checks" follows
	controller_killed
	controller_refused
}

take_turns()
{
	local bad=0

	for _ in $(seq $takeovers); do
		next_controller "$build" "$small" || bad=$((bad + 1))
		sed -n 's/.*health was not followed for \([0-9.]*\) s.*/\1/p' "$scratch/controller" >>"$scratch/gaps"
		sleep 0.2
	done
	return $bad
}

controller_killed()
{
	local old

	old=$(<"$run/controller.pid")
	start "$build" ecsdns-controller "$scratch/killed" --pins "$small" --take-over
	await_gone "$old"
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	start "$build" ecsdns-controller "$scratch/controller" --pins "$small" --take-over
	echo "$pid" >"$run/controller.pid"
	check "killed when the old one has ended: the same command again" await "generation 1 adopted" "$scratch/controller"
	contains "it finds nobody to take over from" "$(<"$scratch/controller")" "nobody to take over from"
	check "and follows checks" follows
}

# What listens there is something else.
controller_refused()
{
	python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(60)' "$scratch/socket" &
	local stranger=$!

	for _ in $(seq 100); do
		[ -S "$scratch/socket" ] && break
		sleep 0.02
	done
	refuse "a stranger on the control socket is not ended" "is no ecsdns-controller" "$lab" server \
		"$build/ecsdns-controller" --pins "$small" --state "$scratch/none" --socket "$scratch/socket" --take-over
	check "and lives" kill -0 $stranger
	kill $stranger
}

# -- larger tables of the same layout ----------------------------------------------------------------------------------

larger_tables()
{
	refuse "$names names do not fit" "--names" ecsctl push "$scratch/a/many.yaml"
	refuse "attach does not change the sizes of tables that stand" "docs/upgrade.md" \
		loader "$build" attach --names 65536 ecs0
	check "prepare makes larger ones beside them" loader "$build" prepare --pins "$large" --names 65536
	refuse "nobody is moved to empty tables" "hold generation 0" loader "$build" upgrade --pins "$large" --from "$small"
	check "--fill fills them beside the controller that runs" fill "$build" "$large"
	check "a fallback of its own shows what they answer, before anybody is moved" shows_answers "$build" "$large"
	check "the next controller takes over on them" flipping next_controller "$build" "$large"
	contains "it finds them filled" "$(<"$scratch/controller")" "generation 1 found in these tables"
	check "all interfaces move" loader "$build" upgrade --pins "$large" --from "$small"
	same "both are on the new tables" "ecs0 ecs8" "$(served_from "$build" "$large")"
	same "none on the old" "" "$(served_from "$build" "$small")"
	check "the fallback follows" next_fallback "$build" "$large"
	check "checks are followed in both" follows
	contains "MACs given with --mac came along" "$("$lab" server bpftool -j map dump pinned "$large/interfaces" |
		jq -c '[.[].formatted.value | select(.count == 2).macs[1]]')" "[[0,0,94,0,1,10]]"
	check "the old tables are removed" loader "$build" unload --pins "$small"
	check "$names names fit now" ecsctl push "$scratch/a/many.yaml"
}

# BUILD PINS: on another port
shows_answers()
{
	local status=0

	start "$1" ecsdns-fallback "$scratch/probe" --pins "$2" --workers 1 --port 5399 --control "$scratch/probe.sock"
	await "answers with" "$scratch/probe" && sleep 0.2 &&
		load_flood --table "$scratch/table" --kind service --only a --port 5399 --count 2000 || status=$?
	kill "$pid"
	wait "$pid"
	return $status
}

# A push that runs when the next controller comes is finished, and found.
push_is_finished()
{
	local old push status=0 met=

	for _ in $(seq 5); do
		old=$scratch/old
		ecsctl push "$scratch/a/main.yaml" >/dev/null 2>&1
		ecsctl push "$scratch/a/many.yaml" >"$scratch/push" 2>&1 &
		push=$!
		until gone $push || [ -n "$(ecsctl --json status | jq -r .doing)" ]; do
			:
		done
		mv "$scratch/controller" "$old"
		next_controller "$build" "$large" || status=1
		wait $push || status=1
		grep -q "stopping when the running push is done" "$old" && met=yes && break
	done
	same "a push runs while the next controller comes: it is finished" "yes 0" "$met $status"
	[ $status -eq 0 ] || note "$(cat "$scratch/push")"
	note "! $names services: $(grep 'took over from process' "$scratch/controller")"
	contains "and found by the next" "$(<"$scratch/controller")" \
		"generation $(sed -n 's/^generation \([0-9]*\) is live.*/\1/p' "$scratch/push") adopted"
}

# -- another layout ----------------------------------------------------------------------------------------------------

other_layout()
{
	local i

	versions_apart
	for i in $(seq $rounds); do
		forth
		back
	done
	forth_once
	check "the tables of version 1 are removed" loader "$build" unload --pins "$large"
	check "checks are followed" follows
}

versions_apart()
{
	contains "the other version" "$("$scratch_build/ecsdns-loader" --version)" "ABI 2"
	refuse "its controller refuses the tables of version 1" "use programs and tables of one version" \
		"$lab" server "$scratch_build/ecsdns-controller" --pins "$large" --state "$scratch/none" --take-over
	refuse "its loader, too" "not whole or not of this version" loader "$scratch_build" upgrade --pins "$large" ecs0
	check "and the controller of version 1 runs on" ecsctl status
}

undo_prepare()
{
	loader "$scratch_build" unload --pins "$other" >/dev/null 2>&1
}

killed_prepare()
{
	undo() { undo_prepare; }
	killed in_server "$scratch_build/ecsdns-loader" prepare --pins "$other"
}

killed_fill()
{
	undo() { undo_prepare; loader "$scratch_build" prepare --pins "$other" >/dev/null; }
	undo
	killed in_server "$scratch_build/ecsdns-controller" --fill --pins "$other" --state "$run/state"
}

forth()
{
	check "version 2: prepare, killed at $kills moments, and again" killed_prepare
	check "version 2: --fill, killed at $kills moments, and again" killed_fill
	check "version 2: its fallback, beside, shows what they answer" shows_answers "$scratch_build" "$other"
	check "version 2: the controller, killed on its way, and again" killed_controller "$scratch_build" "$other"
	check "version 2: the interfaces" flipping loader "$scratch_build" upgrade --pins "$other" --from "$large"
	same "version 2: all of them" "ecs0 ecs8" "$(served_from "$scratch_build" "$other")"
	moved_half "$scratch_build" "$other" "$large" "$build"
	check "version 2: the fallback" next_fallback "$scratch_build" "$other"
	check "version 2: checks are followed in both" follows
	same "version 2: numbers of services are the same" "$(number_of "$large")" "$(number_of "$other")"
	contains "version 2: a push" "$(ecsctl push "$scratch/a/main.yaml" 2>&1)" "is live"
}

# As docs/upgrade.md has it, and nobody dies.
forth_once()
{
	[ $((($(generation_of "$large") - $(generation_of "$other")) % 2)) -eq 0 ] || ecsctl push "$scratch/a/main.yaml" >/dev/null 2>&1
	check "once more: prepare" loader "$scratch_build" prepare --pins "$other"
	refuse "once more: --fill leaves tables alone whose slot it would need" "brings it up to date" fill "$scratch_build" "$other"
	check "once more: the controller" next_controller "$scratch_build" "$other"
	check "once more: the interfaces" loader "$scratch_build" upgrade --pins "$other" --from "$large"
	check "once more: the fallback" next_fallback "$scratch_build" "$other"
}

number_of()
{
	"$lab" server bpftool -j map dump pinned "$1/service_names" | jq '.[].formatted | select(.value.name == "www.example.com").key'
}

# The tables of version 1 are one or more pushes behind by now.
back()
{
	local ahead

	ecsctl push "$scratch/a/main.yaml" >/dev/null 2>&1
	ahead=$(generation_of "$other")
	refuse "back: nobody is moved to what is behind" "which are served, generation $ahead" \
		loader "$build" upgrade --pins "$large" --from "$other"
	check "back: the controller, killed on its way, and again" killed_controller "$build" "$large"
	check "back: what was published meanwhile is in the old tables, under a higher number" [ "$(generation_of "$large")" -ge "$ahead" ]
	check "back: the interfaces, killed at $kills moments" flipping killed_moves
	check "back: the interfaces" loader "$build" upgrade --pins "$large" --from "$other"
	moved_half "$build" "$large" "$other" "$scratch_build"
	check "back: the fallback" next_fallback "$build" "$large"
	check "back: checks are followed in both" follows
}

generation_of()
{
	"$lab" server bpftool -j map dump pinned "$1/control" | jq '.[0].formatted.value.generation'
}

# The first one dies when the one before has ended, at some moment of its start.
killed_controller()
{
	local old i

	old=$(<"$run/controller.pid")
	for i in $(seq $kills); do
		start "$1" ecsdns-controller "$scratch/killed" --pins "$2" --take-over
		await_gone "$old"
		sleep "0.$(printf %03d $((i * 120 / kills)))"
		kill -9 "$pid"
		wait "$pid" 2>/dev/null
	done
	start "$1" ecsdns-controller "$scratch/controller" --pins "$2" --take-over
	echo "$pid" >"$run/controller.pid"
	await "^<5>generation .*: .* services" "$scratch/controller"
}

# Forth and back, killed now and then; whoever comes next completes it, in either direction.
killed_moves()
{
	undo() { :; }
	killed in_server "$build/ecsdns-loader" upgrade --pins "$large" --from "$other"
}

# BUILD NEW OLD OLD_BUILD: the states that a loader can leave which is killed in a move, made by hand
moved_half()
{
	local link=$2/link_ecs0

	if [ ! -e "$link" ]; then
		skip "a move, ended half-way" "attached behind the dispatcher here"
		return
	fi
	in_both "$link" "$3/link_ecs0"
	same "the program moved, the old pin is still there: the old tables carry nothing" "" "$(served_from "$4" "$3")"
	check "the same move again completes it" loader "$1" upgrade --pins "$2" --from "$3"
	check "and the old pin is gone" [ ! -e "$3/link_ecs0" ]
	in_both "$link" "$3/link_ecs0"
	same "the program has not moved, but has a pin: it is not there yet" "ecs0 ecs8" "$(served_from "$1" "$2")"
	loader "$4" detach --pins "$3" ecs0 >/dev/null 2>&1
	same "detach there lets go of the pin alone" "ecs0 ecs8" "$(served_from "$1" "$2")"
	check "which is gone" [ ! -e "$3/link_ecs0" ]
}

in_both()
{
	"$lab" server bpftool link pin id "$("$lab" server bpftool -j link show pinned "$1" | jq .id)" "$2"
}

# How long nobody follows checks if what is live is large.
a_million_prefixes()
{
	tests/load/model.py prefixes 3 0 1000000 north south rest --lengths6 48 >"$scratch/a/large.csv"
	check "a million prefixes" ecsctl push "$scratch/a/main.yaml"
	check "a million prefixes: the next controller" next_controller "$scratch_build" "$other"
	note "! a million prefixes: $(grep 'took over from process' "$scratch/controller")"
}

without_tables()
{
	load_stop_controller TERM
	start "$build" ecsdns-controller "$scratch/log" --pins "$small" --take-over
	await_gone "$pid"
	contains "without tables a controller says what makes them" "$(<"$scratch/log")" "ecsdns-loader attach"
	refuse "--fill goes alone" "without --take-over" "$build/ecsdns-controller" --fill --take-over
	refuse "--from is for upgrade" "--from is for upgrade" "$build/ecsdns-loader" detach --from "$small" ecs0
}

# OPTION...: a controller with state and configuration of its own, until its start and its file are through.
aside()
{
	start "$build" ecsdns-controller "$scratch/aside" --state "$scratch/aside.state" --socket "$scratch/aside.socket" \
		--config "$scratch/aside.yaml" "$@"
	echo "$pid" >"$scratch/aside.pid"
	await "aside.yaml was refused\|aside.yaml is what\|aside.yaml was pushed already\|generation . published" "$scratch/aside"
}

aside_ends()
{
	local process

	process=$(<"$scratch/aside.pid")
	kill "$process"
	await_gone "$process"
}

# COUNT: of pools and regions, on whom the answers depend.
aside_configuration()
{
	local i

	printf 'server: {addresses: [198.18.0.1]}\npools:\n'
	for i in $(seq "$1"); do
		printf '  p%s: {members: [{name: m, address: 192.0.2.%s}]}\n' "$i" "$i"
	done
	printf 'topologies: {t: {default: p1, prefixes: {'
	for i in $(seq "$1"); do
		printf '198.51.%s.0/24: p%s, ' "$i" "$i"
	done
	printf '}}}\nservices: [{name: www.example.com, topology: t, ttl: 10}]\n'
}

# Filled long ago, and too small for what is live by now: a start with them must not make what they hold the newest.
no_room_for_the_newest()
{
	local wide=$base/wide narrow=$base/narrow home

	loader "$build" prepare --pins "$wide" --names 64 --answers 256 >/dev/null
	loader "$build" prepare --pins "$narrow" --names 64 --answers 16 >/dev/null
	aside_configuration 2 >"$scratch/aside.yaml"
	check "a file is pushed" aside --pins "$wide"
	check "other tables are filled" "$lab" server "$build/ecsdns-controller" --state "$scratch/aside.state" --pins "$narrow" --fill
	aside_ends
	aside_configuration 30 >"$scratch/aside.yaml"
	check "a larger file is pushed" aside --pins "$wide"
	aside_ends
	home=$(<"$scratch/aside.state/home.json")
	check "the other tables have no room for it" aside --pins "$narrow"
	contains "which the file does not hide" "$(<"$scratch/aside")" "aside.yaml was refused"
	aside_ends
	same "they are not those of this state" "$home" "$(<"$scratch/aside.state/home.json")"
	check "the next start with them" aside --pins "$narrow"
	same "does not go back to what they hold" "" "$(grep adopted "$scratch/aside")"
	aside_ends
	loader "$build" unload --pins "$wide" >/dev/null
	loader "$build" unload --pins "$narrow" >/dev/null
}

main
