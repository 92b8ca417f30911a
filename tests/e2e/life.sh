#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The life of the fallback: how it starts, what it may do, whom it tells, how it stops, and how another takes its place
# without a query lost. Queries reach it because they ask for NSID, ask for zone data, or come over TCP.
#
# ECSDNS_LONG=1: more take-overs.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=life
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
export ECSDNS_FALLBACK_SOCKET=$run/fallback.sock

takeovers=20
[ -z "$long" ] || takeovers=100
addresses=(198.18.0.1 fd00:ec5::1)
text=text.example.com
options=(--pins "$ECSDNS_PINS" --state "$run/state")

main()
{
	make_configurations || exit 1
	load_begin "$scratch/a/main.yaml"
	starts
	second_instance
	confined
	follows_addresses
	notifies
	stops
	counts
	takes_over
	interrupted
	hostile_takers
	hostile_givers
	finish
}

make_configurations()
{
	local which

	for which in a b; do
		cp -r tests/load/$which "$scratch/$which" || return
	done
	tests/load/model.py prefixes 1 200 200 north south rest --lengths4 20 22 24 --lengths6 32 44 48 >"$scratch/a/large.csv" &&
		tests/load/model.py prefixes 2 200 200 east west south --lengths4 19 21 24 --lengths6 33 45 48 >"$scratch/b/large.csv" &&
		tests/load/model.py table "$scratch/a/main.yaml" "$scratch/b/main.yaml" >"$scratch/table"
}

# -- processes ---------------------------------------------------------------------------------------------------------

# LOG OPTION...: a fallback in the server's namespace, in the background; its process is $pid. It is what the lab stops.
start()
{
	local log=$1
	shift

	: >"$log"
	ip netns exec "ecsdns-$LAB-server" setsid ecsdns-fallback "${options[@]}" "$@" >>"$log" 2>&1 </dev/null &
	pid=$!
}

# The same, ready to answer; this one is the lab's from now on.
start_ready()
{
	start "$scratch/log" "$@"
	echo "$pid" >"$run/fallback.pid"
	await "answers with" "$scratch/log" && await_answer
}

# TEXT FILE: until it is there
await()
{
	for _ in $(seq 500); do
		grep -q -e "$1" "$2" 2>/dev/null && return
		sleep 0.02
	done
	note "not in 10 seconds: $1, in $2:" "$(cat "$2" 2>&1)"
	return 1
}

await_file()
{
	for _ in $(seq 500); do
		[ -e "$1" ] && return
		sleep 0.02
	done
	note "not in 10 seconds: $1"
}

answers()
{
	"$lab" client kdig +short +time=1 +retry=0 "@${1:-198.18.0.1}" -p "${2:-53}" $text TXT 2>/dev/null | grep -q configuration
}

await_answer()
{
	for _ in $(seq 100); do
		answers "$@" && return
		sleep 0.02
	done
	return 1
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null || grep -q '^State:	Z' "/proc/$1/status" 2>/dev/null
}

# PROCESS [TENTHS]: until it has ended
await_end()
{
	for _ in $(seq "${2:-100}"); do
		is_gone "$1" && return
		sleep 0.1
	done
	return 1
}

# NAME STATUS: of $pid, when it has ended
ended()
{
	local status=0

	await_end "$pid" || { tap_not_ok "$1: it ends"; return; }
	wait "$pid" || status=$?
	same "$1: exit status" "$2" $status
}

# -- the start ---------------------------------------------------------------------------------------------------------

starts()
{
	"$lab" stop
	start_ready
	check "without a controller it answers from the pinned tables" load_flood --table "$scratch/table" --nsid \
		--kind service --only a --count 2000
	check "and from the zones kept below --state" answers
	kill "$pid"
	ended "SIGTERM" 0
	start "$scratch/log" --pins /sys/fs/bpf/none
	ended "no tables" 1
	contains "no tables: what makes them" "$(cat "$scratch/log")" "ecsdns-loader attach"
	start "$scratch/log" --user nobody-at-all
	ended "no such user" 1
	contains "no such user: is told" "$(cat "$scratch/log")" "no such user"
	unpublished
}

# Tables as the loader makes them, in which nobody has published anything.
unpublished()
{
	local pins=$run/bpf/unpublished

	"$lab" server ip link add ecs8 type veth peer name ecs9
	"$lab" server ecsdns-loader attach --pins "$pins" --mode generic ecs8 >"$scratch/attach" 2>&1 ||
		note "$(cat "$scratch/attach")"
	NOTIFY_SOCKET=$scratch/nobody start "$scratch/log" --pins "$pins" --port 5399
	check "before anything has been published it starts, and waits" await "answers with" "$scratch/log"
	contains "and says so" "$(cat "$scratch/log")" "nothing has been published yet; \`ecsctl push FILE\`"
	kill "$pid"
	ended "before anything has been published: SIGTERM" 0
	"$lab" server ip link del ecs8
	rm -rf "$pins"
}

second_instance()
{
	local first

	start_ready
	first=$pid
	start "$scratch/second"
	ended "a second one" 1
	contains "a second one: is told which runs" "$(cat "$scratch/second")" "runs already as process $first"
	check "a second one: the first answers" answers
	start "$scratch/second" --port 5399 --control "$run/second.sock"
	check "one of its own port and control socket runs beside it" await_answer 198.18.0.1 5399
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	start "$scratch/second" --port 5399 --control "$run/second.sock"
	check "a control socket left from one that was killed is no hindrance" await_answer 198.18.0.1 5399
	kill "$pid"
	wait "$pid"
	touch "$run/file"
	start "$scratch/second" --port 5399 --control "$run/file"
	ended "a file where the control socket should be" 1
	contains "a file where the control socket should be: is told" "$(cat "$scratch/second")" "something else is there"
	kill "$first"
	await_end "$first"
}

# -- what it may do ----------------------------------------------------------------------------------------------------

# Of each thread: name and value, all alike
statuses()
{
	sed -n "s/^$1:[[:space:]]*//p" /proc/"$pid"/task/*/status | tr -s '\t' ' ' | sort -u
}

# Tables that are open for writing, and mappings of tables that are.
writable_tables()
{
	local each

	for each in /proc/"$pid"/fdinfo/*; do
		grep -q ^map_id: "$each" || continue
		[ $((8#$(sed -n 's/^flags:\t//p' "$each") & 3)) -eq 0 ] ||
			bpftool -j map show id "$(sed -n 's/^map_id:\t//p' "$each")" | jq -r .name
	done
	grep -c 'w.*bpf-map' "/proc/$pid/maps"
}

writable_files()
{
	local each

	for each in /proc/"$pid"/fd/*; do
		[[ $(readlink "$each") == /* ]] && [ $((8#$(sed -n 's/^flags:\t//p' "${each/\/fd\//\/fdinfo\/}") & 3)) -ne 0 ] &&
			readlink "$each"
	done
}

confined()
{
	# The state directory belongs to a group that the user is in, and what is made in it, too.
	chgrp -R nogroup "$run/state"
	chmod g+s "$run/state/generations"
	start_ready --user nobody --workers 3
	same "--user: every thread runs as it" "65534 65534 65534 65534" "$(statuses Uid)"
	same "--user: and as its group" "65534 65534 65534 65534" "$(statuses Gid)"
	same "rights: CAP_NET_BIND_SERVICE alone, effective" 0000000000000400 "$(statuses CapEff)"
	same "rights: permitted" 0000000000000400 "$(statuses CapPrm)"
	same "rights: inherited" 0000000000000000 "$(statuses CapInh)"
	same "rights: ambient" 0000000000000000 "$(statuses CapAmb)"
	same "no new ones" 1 "$(statuses NoNewPrivs)"
	same "system calls are filtered in every thread" 2 "$(statuses Seccomp)"
	same "of the tables it can write its own statistics alone, by descriptor and by mapping" "fallback_counte
1" "$(writable_tables)"
	same "and no file" "$scratch/log" "$(writable_files | sort -u)"
	check "it answers" answers
	kill -HUP "$pid"
	check "SIGHUP: there is nothing to read again" await "nothing to read again" "$scratch/log"
	contains "more connections than files may be open: is told" "$(few_for_connections)" "1000 files may be open, but 1024"
	unfiltered
	confined_take_over
	other_users
}

# From one that has no rights any more, and once more from the one that took over.
confined_take_over()
{
	local round before

	for round in 1 2; do
		before=$pid
		start "$scratch/new.$round" --take-over --user nobody --workers $round
		check "--take-over, $round: from one unprivileged process to the next" \
			await "^<5>taken over from process $before" "$scratch/new.$round"
		echo "$pid" >"$run/fallback.pid"
		check "--take-over, $round: the old one ends" await_end "$before"
		same "--take-over, $round: rights of the new one" "0000000000000400 65534 65534 65534 65534 2" \
			"$(statuses CapEff) $(statuses Uid) $(statuses Seccomp)"
		check "--take-over, $round: it answers" answers
	done
}

# Sockets of two users cannot share an address, and nobody trusts a lesser one's.
other_users()
{
	local old=$pid

	start "$scratch/new" --take-over --workers 2
	ended "--take-over by root from an unprivileged process" 1
	contains "--take-over by root from an unprivileged process: is told" "$(cat "$scratch/new")" "not to be trusted; say its --user"
	kill "$old"
	await_end "$old"
	start_ready --workers 2
	old=$pid
	start "$scratch/new" --take-over --user nobody --workers 3
	ended "--take-over from root, with more workers than it has sockets" 1
	contains "--take-over from root, with more workers than it has sockets: is told" "$(cat "$scratch/new")" "say --workers 2"
	check "--take-over from root, with more workers than it has sockets: the old one answers" answers
	contains "--take-over by one that may open too few files: is told" "$(few_files "$old")" "may have files open"
	start "$scratch/new" --take-over --user nobody --workers 2
	check "--take-over from root by an unprivileged process" await "^<5>taken over from process $old" "$scratch/new"
	echo "$pid" >"$run/fallback.pid"
	await_end "$old"
	same "--take-over from root by an unprivileged process: every worker has its sockets" 4 \
		"$("$lab" server ss -Hlnu "sport = 53" | wc -l)"
}

# PROCESS: has 8 sockets besides those descriptors that a new one has, too, and those of its workers
few_files()
{
	local files

	files=$(find "/proc/$1/fd" -type l | wc -l)
	ulimit -n $((files - 8))
	timeout 5 ip netns exec "ecsdns-$LAB-server" ecsdns-fallback "${options[@]}" --take-over 2>&1
}

# 1,024 connections, the default, need more than 1,000 files.
few_for_connections()
{
	ulimit -n 1000
	timeout 2 ip netns exec "ecsdns-$LAB-server" ecsdns-fallback "${options[@]}" --port 5399 --control "$run/second.sock" 2>&1
}

# The flag for sanitizers and debuggers.
unfiltered()
{
	local confined=$pid

	start "$scratch/second" --no-seccomp --port 5399 --control "$run/second.sock"
	await_answer 198.18.0.1 5399
	same "--no-seccomp: no filter" 0 "$(statuses Seccomp)"
	contains "--no-seccomp: a warning" "$(cat "$scratch/second")" "every system call is allowed"
	kill "$pid"
	wait "$pid"
	pid=$confined
}

# The controller pushes again; the fallback runs as nobody, filtered.
follows_addresses()
{
	"$lab" start
	load_wait_ready
	"$lab" server ip addr add 198.18.0.54/24 dev ecs0
	sed 's/addresses: \[198.18.0.1, /addresses: [198.18.0.54, 198.18.0.77, /' "$scratch/a/main.yaml" >"$scratch/a/moved.yaml"
	check "a push of other addresses, one of which no interface has" ecsctl push "$scratch/a/moved.yaml"
	check "the new address is answered" await_answer 198.18.0.54
	check "over TCP, too" "$lab" client kdig +tcp +time=1 +retry=0 @198.18.0.54 $text TXT
	refuse "the old one is not" "" answers 198.18.0.1
	check "the one that stays is" answers fd00:ec5::1
	"$lab" server ip addr add 198.18.0.77/24 dev ecs0
	check "the one that came later is" await_answer 198.18.0.77
	check "a push back" ecsctl push "$scratch/a/main.yaml"
	check "is followed" await_answer 198.18.0.1
	"$lab" stop
}

# -- whom it tells -----------------------------------------------------------------------------------------------------

# What was told, without the time
told()
{
	cut -d ' ' -f 2- "$scratch/told"
}

notifies()
{
	local notified

	"$lab" server tests/e2e/notified.py "$scratch/notify" "$scratch/told" 198.18.0.1 $text &
	notified=$!
	await_file "$scratch/notify"
	held_addresses
	same "READY=1 comes when every worker answers" "$pid ANSWERED=49/49" "$(told | grep ANSWERED)"
	contains "STATUS= says what is answered" "$(told)" \
		"$pid STATUS=generation $(generation) with 1 zones, on 2 of 2 addresses, by 4 workers"
	frozen_worker
	kill -HUP "$pid"
	await RELOADING "$scratch/told"
	sleep 0.2
	same "SIGHUP: reloading, then ready" "RELOADING=1 READY=1" \
		"$(told | sed -n '/RELOADING/,$p' | grep -oE '(RELOADING|READY)=1' | xargs)"
	kill "$pid"
	ended "the end" 0
	contains "STOPPING=1 at the end" "$(told)" "$pid STOPPING=1"
	kill $notified
	wait $notified 2>/dev/null
}

# Another program has the addresses. What is there to be ready for comes when it has gone.
held_addresses()
{
	local holder

	"$lab" server python3 -c '
import socket, sys, time
held = [socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) for address in sys.argv[2:]]
for each, address in zip(held, sys.argv[2:]):
    each.bind((address, 53))
open(sys.argv[1], "w")
time.sleep(20)' "$scratch/held" "${addresses[@]}" &
	holder=$!
	await_file "$scratch/held"
	NOTIFY_SOCKET=$scratch/notify WATCHDOG_USEC=800000 start "$scratch/log" --workers 4
	echo "$pid" >"$run/fallback.pid"
	check "addresses that another program has: STATUS= says so" await "$pid STATUS=.* on 0 of 2 addresses" "$scratch/told"
	contains "and the log" "$(cat "$scratch/log")" "cannot listen on 198.18.0.1:53: Address already in use; another program is there"
	kill -HUP "$pid"
	sleep 0.5
	same "and it is not READY=1, nor by a SIGHUP" "" "$(told | grep -E 'READY=1|RELOADING=1')"
	kill $holder
	wait $holder 2>/dev/null
	await ANSWERED "$scratch/told"
}

generation()
{
	bpftool -j map dump pinned "$ECSDNS_PINS/control" | jq '.[0].formatted.value.generation'
}

watchdogs()
{
	grep -c WATCHDOG=1 "$scratch/told"
}

# One worker of four stands still in mid-work, under load.
frozen_worker()
{
	local flooder before after status=0

	sleep 0.5
	before=$(watchdogs)
	check "the watchdog is kept quiet by workers with nothing to do" test "$before" -ge 1
	load_flood --table "$scratch/table" --nsid --rate 4000 --seconds 20 >"$scratch/flood" 2>&1 &
	flooder=$!
	sleep 0.5
	# shellcheck disable=SC2016
	freeze "$(busiest)" sh -c 'sleep 0.5; grep -c WATCHDOG "$0"; sleep 1.5; grep -c WATCHDOG "$0"' "$scratch/told" >"$scratch/frozen"
	same "a worker that stands still: no WATCHDOG=1 in 1.5 s" "$(sed -n 2p "$scratch/frozen")" "$(sed -n 3p "$scratch/frozen")"
	after=$(watchdogs)
	sleep 1
	check "and again when it moves" test "$(watchdogs)" -gt "$after"
	end_load $flooder flood || status=$?
	same "no query was lost by it" 0 $status
	[ $status -eq 0 ] || note "$(<"$scratch/flood")"
}

busiest()
{
	local thread

	for thread in /proc/"$pid"/task/*; do
		echo "$(awk '{print $14 + $15}' "$thread/stat") ${thread##*/}"
	done | sort -rn | head -n 1 | cut -d ' ' -f 2
}

# JOB PROGRAM: asks for its report, and returns its status
end_load()
{
	pkill -TERM -P "$1" -f "$2" 2>/dev/null || kill -TERM "$1"
	wait "$1"
}

# -- how it stops ------------------------------------------------------------------------------------------------------

# While it stands still the kernel takes what clients send. It goes on with the signal before its eyes.
stops()
{
	local burst workers

	for workers in 1 3; do
		start_ready --workers $workers
		rm -f "$scratch"/burst.*
		"$lab" client tests/e2e/burst.py $text "$scratch/burst" "${addresses[@]}" >"$scratch/bursts" 2>&1 &
		burst=$!
		await_file "$scratch/burst.full"
		kill -STOP "$pid"
		touch "$scratch/burst.go"
		await_file "$scratch/burst.sent"
		kill -TERM "$pid"
		kill -CONT "$pid"
		wait $burst
		same "SIGTERM, $workers workers: what has arrived is answered, and connections end behind their replies" \
			"udp 800/800 tcp 3002/3002 ended 14/14" "$(<"$scratch/bursts")"
		ended "SIGTERM, $workers workers" 0
	done
	stops_in_time
}

# A client that neither reads nor closes holds nobody up.
stops_in_time()
{
	local idle began

	start_ready
	"$lab" client bash -c 'exec 3<>/dev/tcp/198.18.0.1/53; sleep 15' &
	idle=$!
	sleep 0.3
	began=$(date +%s%N)
	kill "$pid"
	ended "SIGTERM with a connection that stays open" 0
	check "within three seconds" test $(($(date +%s%N) - began)) -lt 3000000000
	kill $idle 2>/dev/null
	wait $idle 2>/dev/null
}

# -- statistics --------------------------------------------------------------------------------------------------------

# REASON: of the fallback, as ecsctl stats says
counted()
{
	ecsctl --json stats | jq --arg reason "$1" '.reasons[] | select(.reason == $reason) | .fallback'
}

# COUNT OPTION...: so many queries, each from a port of its own, so that every worker gets some
ask()
{
	local count=$1 _
	shift

	for _ in $(seq "$count"); do
		"$lab" client kdig +time=1 +retry=0 @198.18.0.1 "$@" >/dev/null
	done
}

counts()
{
	local nsid names opcode busy

	"$lab" start
	load_wait_ready
	nsid=$(counted NSID) names=$(counted NAME) opcode=$(counted OPCODE)
	ask 12 +nsid www.example.com AAAA
	ask 9 $text TXT
	ask 7 +tcp $text TXT
	for _ in 1 2 3 4 5; do
		"$lab" client dig +opcode=5 +tries=1 +time=1 @198.18.0.1 $text SOA >/dev/null
	done
	same "ecsctl stats: queries with NSID" $((nsid + 12)) "$(counted NSID)"
	same "ecsctl stats: names that are no services, over UDP and TCP" $((names + 16)) "$(counted NAME)"
	same "ecsctl stats: other opcodes" $((opcode + 5)) "$(counted OPCODE)"
	contains "ecsctl stats: a line of text has both columns" "$(ecsctl stats | tr -s ' ' | grep '^NSID ')" \
		" $((nsid + 12)) asks for the server's identity"
	busy=$(bpftool -j map dump pinned "$ECSDNS_PINS/fallback_counters" | jq '[.[].formatted.value | select(.NAME > 0)] | length')
	check "they are the sum of several workers" test "$busy" -ge 2
	kill "$(<"$run/fallback.pid")"
	await_end "$(<"$run/fallback.pid")"
	"$lab" start
	await_answer
	names=$(counted NAME)
	ask 3 $text TXT
	same "after a restart they go on" $((names + 3)) "$(counted NAME)"
	"$lab" stop
}

# -- one behind the other ----------------------------------------------------------------------------------------------

# WORKERS: a new process takes the place of the one that runs, which ends; its log is $log
take_over()
{
	local before=$pid

	log=$scratch/new.$RANDOM
	start "$log" --take-over --workers "$1"
	if ! await "^<5>taken over from process $before" "$log"; then
		pid=$before
		return 1
	fi
	echo "$pid" >"$run/fallback.pid"
	olds+=("$before")
}

# NAME WORKERS
next_takes_over()
{
	if take_over "$2"; then
		tap_ok "$1"
	else
		tap_not_ok "$1"
	fi
}

takes_over()
{
	local round flooder clients status=0 failed=0 pushed began replies before
	olds=()

	log=$scratch/log
	start "$log" --take-over --workers 2
	echo "$pid" >"$run/fallback.pid"
	check "--take-over where nobody runs: it starts" await_answer
	contains "and says that it is alone" "$(cat "$scratch/log")" "nobody to take over from"
	"$lab" start
	load_wait_ready
	before=$(bpftool -j map dump pinned "$ECSDNS_PINS/fallback_counters" | jq '[.[].formatted.value[]] | add')
	load_flood --table "$scratch/table" --nsid --rate 5000 --seconds 300 >"$scratch/flood" 2>&1 &
	flooder=$!
	"$lab" client tests/e2e/connections.py www.example.com "${addresses[@]}" >"$scratch/connections" 2>&1 &
	clients=$!
	sleep 1
	began=$SECONDS
	for round in $(seq $takeovers); do
		take_over $((round * 7 % 4 + 1)) || failed=$((failed + 1))
		if [ $((round % 5)) -eq 0 ]; then
			[ $((round % 2)) -eq 0 ] && pushed=a || pushed=b
			ecsctl push "$scratch/$pushed/main.yaml" >/dev/null 2>&1 || failed=$((failed + 1))
		fi
	done
	same "$takeovers processes, one behind the other, with other numbers of workers and pushes in between" 0 $failed
	note "! $takeovers take-overs in $((SECONDS - began)) s"
	killed_taker
	sleep 0.3
	end_load $flooder flood || status=$?
	replies=$(load_figure received "$(<"$scratch/flood")")
	same "over UDP every query was answered once and rightly" 0 $status
	[ $status -eq 0 ] || note "$(<"$scratch/flood")"
	note "! $(tail -n 1 "$scratch/flood")"
	status=0
	end_load $clients connections.py || status=$?
	same "over TCP every query was answered, and no connection refused or reset" 0 $status
	[ $status -eq 0 ] || note "$(<"$scratch/connections")"
	note "! over TCP: $(tail -n 1 "$scratch/connections")"
	old_ones_end
	same "the statistics of all processes together count every query" \
		$((before + replies + $(sed -n 's/^queries \([0-9]*\) .*/\1/p' "$scratch/connections"))) \
		"$(bpftool -j map dump pinned "$ECSDNS_PINS/fallback_counters" | jq '[.[].formatted.value[]] | add')"
}

# Those who keep connections are served by the process that took them, until they close.
old_ones_end()
{
	local each status bad=0

	check "clients that keep a connection were asked to close it, and did" test \
		"$(sed -n 's/.*asked_to_close \([0-9]*\).*/\1/p' "$scratch/connections")" -ge $((takeovers / 2))
	for each in "${olds[@]}"; do
		status=0
		await_end "$each" 50 || status=still-there
		[ "$status" != 0 ] || wait "$each" || status=$?
		[ "$status" = 0 ] || { bad=$((bad + 1)); note "process $each: $status"; }
	done
	same "when their connections have ended, so have all ${#olds[@]} old processes, with status 0" 0 $bad
}

# kill -9 while the old one, which stands still, has not answered it. Then it goes on.
killed_taker()
{
	local old=$pid

	kill -STOP "$old"
	start "$scratch/new" --take-over
	sleep 0.3
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	kill -CONT "$old"
	pid=$old
	sleep 0.3
	check "a new process killed in the midst of it: the old one goes on" test -e "/proc/$old/fd"
	next_takes_over "a new process killed in the midst of it: the next one succeeds" 2
}

# -- when it goes wrong ------------------------------------------------------------------------------------------------

descriptors()
{
	find "/proc/$pid/fd" -type l | wc -l
}

# NAME ACT TEXT: a new process that acts so; the old one goes on and says TEXT
bad_taker()
{
	local lines

	lines=$(wc -l <"$log")
	{ tests/e2e/handover.py taker "$ECSDNS_FALLBACK_SOCKET" "$2" >"$scratch/taker"; } 2>/dev/null
	for _ in $(seq 100); do
		tail -n +$((lines + 1)) "$log" | grep -q "going on" && break
		sleep 0.02
	done
	contains "$1: the old one goes on" "$(tail -n +$((lines + 1)) "$log")" "$3; going on"
}

interrupted()
{
	local flooder status=0 before

	before=$(descriptors)
	load_flood --table "$scratch/table" --nsid --rate 5000 --seconds 100 >"$scratch/flood" 2>&1 &
	flooder=$!
	bad_taker "a new process that dies behind its first word" hello "it is gone"
	bad_taker "a new process that dies with the sockets in its hands" offered "it is gone"
	bad_taker "a new process that dies when only it would read them" released "it is gone"
	bad_taker "a new process that hangs when only it would read them" hangs "it did not go on in time"
	stopped_taker
	end_load $flooder flood || status=$?
	same "no query was lost by any" 0 $status
	[ $status -eq 0 ] || note "$(<"$scratch/flood")"
	same "no descriptor stays behind" "$before" "$(descriptors)"
	two_at_once
	old_one_killed
}

# SIGTERM while it serves on trial
stopped_taker()
{
	local old=$pid lines

	lines=$(wc -l <"$log")
	start "$scratch/new" --take-over --workers 3
	await "answers with" "$scratch/new"
	kill "$pid"
	ended "a new process that is told to stop while on trial" 0
	contains "a new process that is told to stop while on trial: gives back" "$(cat "$scratch/new")" "process $old goes on"
	contains "a new process that is told to stop while on trial: the old one goes on" "$(tail -n +$((lines + 1)) "$log")" \
		"process $pid does not take over: it is gone; going on"
	pid=$old
	check "a new process that is told to stop while on trial: the old one answers" answers
}

two_at_once()
{
	local old=$pid first second

	start "$scratch/first" --take-over --workers 2
	first=$pid
	start "$scratch/second" --take-over --workers 1
	second=$pid
	check "two at once: one takes over" await "^<5>taken over from" "$scratch/first"
	check "two at once: and the other" await "^<5>taken over from" "$scratch/second"
	check "two at once: from the old one and from each other" test \
		"$(grep -ho 'taken over from process [0-9]*$' "$scratch/first" "$scratch/second" | sort -u | wc -l)" -eq 2
	pid=$second log=$scratch/second
	if grep -q "^<5>taken over from process $second$" "$scratch/first"; then
		pid=$first log=$scratch/first first=$second
	fi
	check "two at once: the old one ends" await_end "$old"
	check "two at once: and one of the two" await_end "$first"
	echo "$pid" >"$run/fallback.pid"
	check "two at once: which answers" answers
}

# The new one has nothing yet; and what the old one had is free.
old_one_killed()
{
	local old=$pid

	kill -STOP "$old"
	start "$scratch/new" --take-over
	sleep 0.3
	kill -9 "$old"
	ended "an old process that is killed before it gives anything" 1
	contains "is told" "$(cat "$scratch/new")" "process $old has ended"
	start_ready --take-over --workers 2
	log=$scratch/log
	check "and the next start takes its place" answers
}

hostile_takers()
{
	local before

	sleep 0.2
	before=$(descriptors)
	tests/e2e/handover.py taker "$ECSDNS_FALLBACK_SOCKET" hostile >"$scratch/hostile" 2>&1
	same "hostile messages: each connection ends" "$(grep -c '^a message' "$scratch/hostile")" "$(grep -c '^END' "$scratch/hostile")"
	contains "another version is told ours" "$(grep -A 1 'of another version:' "$scratch/hostile")" "REFUSED version 1"
	sleep 0.2
	same "hostile messages: no descriptor stays behind" "$before" "$(descriptors)"
	check "hostile messages: it answers" answers
	chmod 0666 "$ECSDNS_FALLBACK_SOCKET"
	setpriv --reuid 65534 --regid 65534 --clear-groups tests/e2e/handover.py taker "$ECSDNS_FALLBACK_SOCKET" silent \
		>"$scratch/hostile" 2>&1
	check "another user cannot take over" await "neither ours nor root's" "$log"
	contains "another user is told" "$(cat "$scratch/hostile")" "REFUSED version 1 count 0 only root and its own user may"
	chmod 0600 "$ECSDNS_FALLBACK_SOCKET"
	next_takes_over "it is there for the next" 3
}

# NAME ACT STATUS TEXT: an old process that acts so, on a port of its own; the new one ends so and says TEXT
bad_giver()
{
	local giver

	rm -f "$run/giver.sock"
	"$lab" server ${as[@]+"${as[@]}"} tests/e2e/handover.py giver "$run/giver.sock" "$2" 5399 >"$scratch/giver" 2>&1 &
	giver=$!
	await_file "$run/giver.sock"
	start "$scratch/new" --take-over --control "$run/giver.sock" --port 5399
	ended "$1" "$3"
	contains "$1: is told" "$(cat "$scratch/new")" "$4"
	kill -9 $giver 2>/dev/null
	wait $giver 2>/dev/null
}

# And what systemd hears meanwhile.
never_settled()
{
	local notified

	rm -f "$scratch/notify" "$scratch/told"
	"$lab" server tests/e2e/notified.py "$scratch/notify" "$scratch/told" 198.18.0.1 $text &
	notified=$!
	await_file "$scratch/notify"
	NOTIFY_SOCKET=$scratch/notify bad_giver "an old process that takes its sockets back" takes_back 1 \
		"takes its sockets back: too slow; ending"
	same "an old process that takes its sockets back: the new one never was READY=1" STOPPING=1 \
		"$(told | grep -oE '(READY|STOPPING)=1' | xargs)"
	: >"$scratch/told"
	log=$scratch/log
	NOTIFY_SOCKET=$scratch/notify start "$scratch/log" --take-over
	check "READY=1 when the take-over is settled" await READY=1 "$scratch/told"
	contains "READY=1 when the take-over is settled: not before" "$(cat "$scratch/log")" "taken over from process $old"
	check "READY=1 when the take-over is settled: with MAINPID" await "$pid MAINPID=$pid" "$scratch/told"
	await_end "$old"
	old=$pid
	echo "$pid" >"$run/fallback.pid"
	kill $notified
	wait $notified 2>/dev/null
}

hostile_givers()
{
	local old=$pid giver as=()

	bad_giver "an old process that refuses" refuses 1 "refuses and goes on: it is Sunday"
	bad_giver "an old process of another version" newer 1 "speaks version 2 of the hand-over, this program version 1"
	bad_giver "an old process that talks nonsense" garbage 1 "Protocol error"
	bad_giver "an old process that offers a file" file 1 "offers what is no socket of a server"
	bad_giver "an old process that sends more than there is room for" crowd 1 "Protocol error"
	bad_giver "an old process that sends fewer sockets than it says" fewer 1 "2 of 4 sockets arrived"
	bad_giver "an old process on another port" other_port 1 "say --port 5400"
	bad_giver "an old process that dies early" early 1 "has ended"
	never_settled
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	chmod 0777 "$run"
	bad_giver "an old process of another user" refuses 1 "whose sockets are not to be trusted"
	chmod 0755 "$run"
	as=()
	rm -f "$run/giver.sock"
	tests/lab.sh server tests/e2e/handover.py giver "$run/giver.sock" late 5399 >"$scratch/giver" 2>&1 &
	giver=$!
	sleep 0.5
	start "$scratch/new" --take-over --control "$run/giver.sock" --port 5399
	wait $giver 2>/dev/null
	check "an old process that dies when it has given everything: the new one answers" await_answer 198.18.0.1 5399
	check "and over IPv6" await_answer fd00:ec5::1 5399
	start "$scratch/second" --take-over --control "$run/giver.sock" --port 5399
	check "and the next one takes over from it" await "taken over from process" "$scratch/second"
	kill "$pid"
	ended "the end" 0
	pid=$old
}

main
