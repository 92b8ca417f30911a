#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A push loses nothing and mixes nothing: two configurations that differ in every record, TTL, scope and region boundary
# are pushed at full speed while both CPUs answer, and every single reply is wholly of one or of the other. Then
# everything that can go wrong with a push, after which answers are still wholly of one configuration.
#
# ECSDNS_LONG=1: for minutes instead of seconds.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=push
# shellcheck source=tests/load/common.sh
. tests/load/common.sh

seconds=4 freezes=20 kills=5
[ -z "$long" ] || { seconds=60 freezes=200 kills=40; }

main()
{
	make_configurations || exit 1
	# Tables small enough to be dumped and compared as a whole.
	LOADER_OPTIONS="--names 1024 --long-names 64 --topology4 200000 --topology6 200000 --indices 4096 --answers 256" \
		load_begin "$scratch/a/main.yaml"
	under_load
	frozen_worker
	two_at_once
	killed_client
	killed_controller
	bad_pushes
	rollback
	restarts
	finish
}

# Pairs a, b and (for long publishing) large-a, large-b, with what they prescribe in table and large-table.
make_configurations()
{
	local prefix count

	for prefix in "" large-; do
		count=400
		[ -z "$prefix" ] || count=20000
		cp -r tests/load/a "$scratch/${prefix}a" && cp -r tests/load/b "$scratch/${prefix}b" || return
		tests/load/model.py prefixes 1 $count $count north south rest --lengths4 20 22 24 --lengths6 32 44 48 \
			>"$scratch/${prefix}a/large.csv" || return
		tests/load/model.py prefixes 2 $count $count east west south --lengths4 19 21 24 --lengths6 33 45 48 \
			>"$scratch/${prefix}b/large.csv" || return
		tests/load/model.py table --seed "$RANDOM" "$scratch/${prefix}a/main.yaml" "$scratch/${prefix}b/main.yaml" \
			>"$scratch/${prefix}table" || return
	done
}

push()
{
	ecsctl push "$scratch/$1/main.yaml"
}

# Pushes until it is told to stop. Each configuration follows itself and the other, so that both slots are rewritten
# while the other one is live: a b b a ...
push_alternately()
{
	local which pushes=0 failed=0

	while [ -e "$scratch/pushing" ]; do
		for which in a b b a; do
			push $which >"$scratch/push.out" 2>&1 || { failed=$((failed + 1)); cat "$scratch/push.out" >>"$scratch/push.failed"; }
			pushes=$((pushes + 1))
		done
	done
	echo "$pushes $failed" >"$scratch/pushed"
}

start_pushing()
{
	touch "$scratch/pushing"
	rm -f "$scratch/push.failed"
	push_alternately &
	pusher=$!
}

# NAME: and say how it went
stop_pushing()
{
	local pushes failed

	rm -f "$scratch/pushing"
	wait "$pusher"
	read -r pushes failed <"$scratch/pushed"
	same "$1: no push failed" 0 "$failed"
	[ "$failed" -eq 0 ] || note "$(tail -n 5 "$scratch/push.failed")"
	check "$1: there were at least $seconds pushes" test "$pushes" -ge "$seconds"
	note "! $1: $pushes pushes meanwhile"
}

# NAME OPTION...: flood must end well
flood()
{
	local name=$1 output status=0
	shift

	output=$(load_flood --table "$scratch/table" "$@" 2>&1) || status=$?
	same "$name: every reply came and is wholly of one configuration" 0 $status
	[ $status -eq 0 ] || note "$output"
	note "! $name: $(load_figure received "$output") replies ($(load_figure a "$output") of A, $(load_figure b "$output")" \
		"of B), slowest $(load_figure slowest_ms "$output") ms"
}

# Which configuration the answers are of, over the driver and the fallback: a, b, or what is wrong. [PREFIX OPTION...]
whose()
{
	local output prefix=${1:-}
	shift $(($# > 0 ? 1 : 0))

	if ! output=$(load_flood --table "$scratch/${prefix}table" --count 4000 "$@" 2>&1); then
		echo "$output"
	elif [ "$(load_figure b "$output")" -eq 0 ]; then
		echo a
	elif [ "$(load_figure a "$output")" -eq 0 ]; then
		echo b
	else
		echo "both: $output"
	fi
}

# The same, but what zone data answers is looked at once the fallback has had the time to load it.
whose_settled()
{
	sleep 0.3
	whose "$@"
}

cpus_at_work()
{
	bpftool -j map dump pinned "$ECSDNS_PINS/counters" |
		jq '[.[0].formatted.values[].value | select(.ANSWERED > 1000)] | length'
}

# What the fallback's workers have answered from the tables.
fallback_answered()
{
	bpftool -j map dump pinned "$ECSDNS_PINS/fallback_counters" | jq '[.[].formatted.value.NSID] | add'
}

# -- at full speed -----------------------------------------------------------------------------------------------------

under_load()
{
	start_pushing
	flood "driver, over both families" --kind service --seconds $seconds --need-both
	same "the driver answered on both CPUs" 2 "$(cpus_at_work)"
	flood "driver and fallback beside each other" --seconds $seconds --need-both
	flood "fallback, queries with NSID" --nsid --seconds $seconds --need-both
	flood "fallback, names between zone and service" --nsid --kind zone --seconds $seconds --need-both
	check "the fallback answered those with NSID" test "$(fallback_answered)" -gt 1000
	"$lab" server ecsdns-loader detach ecs0 >/dev/null 2>&1
	flood "fallback, driver detached" --seconds $seconds --need-both
	stop_pushing "at full speed"
	check "attached again" "$lab" server ecsdns-loader attach ecs0
}

# -- a worker of the fallback that stands still ------------------------------------------------------------------------

# The threads of the fallback that have worked most, which are its workers.
workers()
{
	local thread

	for thread in /proc/"$(<"$run/fallback.pid")"/task/*; do
		echo "$(awk '{print $14 + $15}' "$thread/stat") ${thread##*/}"
	done | sort -rn | head -n 2 | cut -d ' ' -f 2
}

# Stopped in mid-work, two pushes pass over it, and it goes on with what it had in its hands. Both pushes are of the
# other configuration, so that the slot it was reading is rewritten under it. Every other time it stands between two
# looks into the tables.
frozen_worker()
{
	local round worker where stopped=0 output flooder status=0 before other

	push b >/dev/null 2>&1
	load_flood --table "$scratch/table" --nsid --kind service --seconds 600 --timeout 20000 >"$scratch/frozen" 2>&1 &
	flooder=$!
	sleep 0.5
	for round in $(seq $freezes); do
		worker=$(workers | shuf -n 1)
		before=$(load_generation)
		other=a where=
		if [ $((round % 2)) -eq 0 ]; then
			other=b where=--lookup
		fi
		# shellcheck disable=SC2016,SC2086
		if output=$(freeze $where "$worker" sh -c 'ecsctl push "$0" && ecsctl push "$0"' "$scratch/$other/main.yaml" 2>&1) &&
			[ "$(load_generation)" -eq $((before + 2)) ]; then
			stopped=$((stopped + 1))
		else
			note "$output"
		fi
	done
	pkill -TERM -P $flooder -x flood 2>/dev/null || kill -TERM $flooder
	wait $flooder || status=$?
	same "a worker was stopped in mid-work across two pushes, $freezes times" $freezes $stopped
	same "a stopped worker: every reply came and is wholly of one configuration" 0 $status
	[ $status -eq 0 ] || note "$(<"$scratch/frozen")"
	note "! a stopped worker: $(tail -n 1 "$scratch/frozen")"
}

# -- two pushes at once ------------------------------------------------------------------------------------------------

two_at_once()
{
	local round before first second bad=0 got

	for round in 1 2 3 4 5; do
		before=$(load_generation)
		push a >"$scratch/first" 2>&1 &
		first=$!
		push b >"$scratch/second" 2>&1 &
		second=$!
		wait $first || bad=$((bad + 1))
		wait $second || bad=$((bad + 1))
		[ "$(load_generation)" -eq $((before + 2)) ] || bad=$((bad + 1))
		got=$(whose_settled)
		[[ $got == [ab] ]] || { bad=$((bad + 1)); note "$got"; }
	done
	same "two pushes at once: both are done, and the result is one of them" 0 $bad
}

# -- who is killed in the midst of it ----------------------------------------------------------------------------------

# Half a bundle, and then the client is gone.
half_an_upload()
{
	python3 - "$ECSDNS_SOCKET" <<-'END'
		import socket, sys
		with socket.socket(socket.AF_UNIX) as client:
		    client.connect(sys.argv[1])
		    client.sendall(b"POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 1000000)
	END
}

killed_client()
{
	local before round pid

	push a >/dev/null 2>&1
	before=$(load_generation)
	check "half an upload" half_an_upload
	same "half an upload: the generation stays" "$before" "$(load_generation)"
	for round in $(seq $kills); do
		push a >/dev/null 2>&1 &
		pid=$!
		sleep "0.0$((RANDOM % 50 + 10))"
		kill -9 $pid 2>/dev/null
		wait $pid 2>/dev/null
	done
	same "ecsctl killed in mid-push, $kills times: answers" a "$(whose_settled)"
	check "ecsctl killed in mid-push: the next push works" push b
	same "ecsctl killed in mid-push: answers after the next push" b "$(whose_settled)"
}

daemon_kill()
{
	kill -9 "$(<"$run/$1.pid")" 2>/dev/null
	while kill -0 "$(<"$run/$1.pid")" 2>/dev/null; do sleep 0.01; done
	rm -f "$run/$1.pid"
}

# A push takes about `took` seconds; the controller is killed at a random moment of one, while queries run.
killed_controller()
{
	local round took before after odd=0 survived=0 flooder status=0 next=a published

	push large-a >/dev/null 2>&1
	took=$(date +%s%N)
	push large-b >/dev/null 2>&1
	took=$((($(date +%s%N) - took) / 1000000))
	load_flood --table "$scratch/large-table" --kind service --seconds 600 --rate 20000 >"$scratch/killed" 2>&1 &
	flooder=$!
	for round in $(seq $kills); do
		before=$(whose large-)
		published=$(load_generation)
		push large-$next >/dev/null 2>&1 &
		sleep "$(awk "BEGIN {print $((RANDOM % (took + 1))) / 1000}")"
		daemon_kill controller
		wait $! 2>/dev/null
		after=$(whose large- --kind service)
		[[ $after == [ab] ]] || { odd=$((odd + 1)); note "after the kill: $after"; }
		[ "$after" = "$before" ] && survived=$((survived + 1))
		if ! "$lab" start >/dev/null 2>&1 || ! load_wait_ready; then
			odd=$((odd + 1))
			note "it did not start again"
		fi
		[ "$(load_generation)" -ge "$published" ] || { odd=$((odd + 1)); note "the generation went back"; }
		same "controller killed, round $round: its restart changes no answer" "$after" "$(whose_settled large-)"
		[ "$after" = a ] && next=b || next=a
		push large-$next >"$scratch/out" 2>&1 || { odd=$((odd + 1)); note "$(<"$scratch/out")"; }
		same "controller killed, round $round: the next push works" $next "$(whose_settled large-)"
		[ $next = a ] && next=b || next=a
	done
	pkill -TERM -P $flooder -x flood 2>/dev/null || kill -TERM $flooder
	wait $flooder || status=$?
	same "controller killed in mid-push, $kills times: the live generation was whole" 0 $odd
	same "controller killed in mid-push: no query lost, no answer mixed" 0 $status
	[ $status -eq 0 ] || note "$(<"$scratch/killed")"
	note "! controller killed at random moments of a push of $took ms: before the flip $survived times of $kills"
	push b >/dev/null 2>&1
}

# -- what is refused ---------------------------------------------------------------------------------------------------

# What all tables hold, but for what counts.
tables()
{
	local table

	for table in control settings addresses names_short names_long topology4 topology6 indices answers service_names \
		region_names; do
		bpftool -j map dump pinned "$ECSDNS_PINS/$table" | jq -c '.[] | .formatted // .' | sort | sha256sum
	done
}

# NAME PLACE EDIT...: configuration a, changed by an editing command, is refused with this place in the text
bad_push()
{
	local name=$1 place=$2 output status=0 folder=$scratch/bad
	shift 2

	rm -rf "$folder"
	cp -r "$scratch/a" "$folder"
	(cd "$folder" && "$@") || { tap_not_ok "bad input, $name: could not be made"; return; }
	output=$(ecsctl push "$folder/main.yaml" 2>&1) || status=$?
	output=$(grep -v ' warning: ' <<<"$output")
	same "bad input, $name: exit status" 1 $status
	if [[ $output =~ $place ]]; then
		tap_ok "bad input, $name: $(grep -m 1 -oE "$place.*" <<<"$output" | cut -c 1-150)"
	else
		tap_not_ok "bad input, $name: the place is named"
		note "expected to find: $place"
		note "$output"
	fi
}

write_large()
{
	head -c 100000000 /dev/zero | tr '\0' '#' >main.yaml
}

write_binary()
{
	head -c 100000 /bin/bash >main.yaml
}

bad_pushes()
{
	local before after generation

	before=$(tables)
	generation=$(load_generation)
	bad_push "unknown key" 'main\.yaml:3:1: error.*sorver' sed -i '3s/server:/sorver:/' main.yaml
	bad_push "unknown key in a service" 'main\.yaml:[0-9]+:[0-9]+: error.*colour' \
		sed -i 's/www.example.com, topology: world, ttl: 10/www.example.com, colour: red/' main.yaml
	bad_push "wrong type" 'main\.yaml:[0-9]+:[0-9]+: error' sed -i 's/ttl: 10}/ttl: [ten]}/' main.yaml
	bad_push "not a number" 'main\.yaml:[0-9]+:[0-9]+: error' sed -i 's/ttl: 10}/ttl: soon}/' main.yaml
	bad_push "duplicate prefix" 'main\.yaml:[0-9]+:[0-9]+: error.*240b:10:200::/41' \
		sed -i 's|"240b:10:280::/41": south|"240b:10:200::/41": south|' main.yaml
	bad_push "duplicate prefix in a table" 'large\.csv:[0-9]+:[0-9]+: error' sed -i '1{h;p;x;s/,.*/,south/}' large.csv
	bad_push "host bits" 'main\.yaml:[0-9]+:[0-9]+: error' sed -i 's|"240b:10:200::/41"|"240b:10:201::/41"|' main.yaml
	bad_push "unknown region" 'main\.yaml:[0-9]+:[0-9]+: error.*wost' \
		sed -i 's/regions: {north: \[near\]/regions: {wost: [near]/' main.yaml
	bad_push "unknown pool" 'main\.yaml:[0-9]+:[0-9]+: error.*neer' \
		sed -i 's/regions: {north: \[near\]/regions: {north: [neer]/' main.yaml
	bad_push "type that a region cannot give" 'main\.yaml:[0-9]+:[0-9]+: error.*AAAA' \
		sed -i '/{name: r2, address/d' main.yaml
	bad_push "CNAME at an apex" 'main\.yaml:[0-9]+:[0-9]+: error' sed -i 's/name: alias.example.com/name: example.com/' main.yaml
	bad_push "empty file" 'main\.yaml:1:1: error' cp /dev/null main.yaml
	bad_push "100 MB file" 'main\.yaml: error: main\.yaml is 100000000 octets long, at most' write_large
	bad_push "binary file" 'main\.yaml:[0-9]+:[0-9]+: error' write_binary
	bad_push "missing zone file" 'main\.yaml:[0-9]+:[0-9]+: error.*example\.com\.zone' rm example.com.zone
	bad_push "missing prefix table" 'main\.yaml:[0-9]+:[0-9]+: error.*large\.csv' rm large.csv
	bad_push "broken zone file" 'example\.com\.zone:5:' sed -i '5s/41 IN TXT/41 IN TXTX/' example.com.zone
	after=$(tables)
	same "bad input: not a row of the tables changed" "$before" "$after"
	same "bad input: the generation stays" "$generation" "$(load_generation)"
	same "bad input: the answers stay" b "$(whose)"
}

# -- back, and again ---------------------------------------------------------------------------------------------------

rollback()
{
	push a >/dev/null 2>&1
	push b >/dev/null 2>&1
	check "rollback" ecsctl rollback
	same "rollback: answers of the configuration before" a "$(whose_settled)"
	refuse "rollback to a generation that never was" 4000000000 ecsctl rollback 4000000000
	same "rollback refused: the answers stay" a "$(whose)"
}

restarts()
{
	local generation

	generation=$(load_generation)
	"$lab" stop
	same "both daemons stopped: the driver answers as before" a "$(whose "" --kind service)"
	check "both daemons started" "$lab" start
	check "both daemons started: the controller is ready" load_wait_ready
	same "restart: the generation stays" "$generation" "$(load_generation)"
	same "restart: the answers stay, on both paths" a "$(whose_settled)"
	daemon_kill controller
	daemon_kill fallback
	same "both daemons killed: the driver answers as before" a "$(whose "" --kind service)"
	check "both daemons started after a kill" "$lab" start
	check "both daemons started after a kill: the controller is ready" load_wait_ready
	same "kill: the generation stays" "$generation" "$(load_generation)"
	same "kill: the answers stay, on both paths" a "$(whose_settled)"
	check "the next push works" push b
	same "the next push: answers" b "$(whose_settled)"
}

main
