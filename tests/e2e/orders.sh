#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Under load, whatever dies: the controller and the fallback killed and started again in every order, between pushes
# and in the midst of them, while members go down and come back; a web server killed that answers point to; a reboot.
# The driver loses no query and gives no wrong answer, the fallback loses those alone that come while it is not there,
# and saved states of health and settings hold from the first answer on.
#
# ECSDNS_LONG=1: more rounds, and a reboot with a million prefixes. tests/e2e/ecsctl.sh has the second controller, which
# is refused, and tests/e2e/push.sh the controller killed in mid-push alone.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-orders}
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
state=$run/state

rounds=1
[ -z "$long" ] || rounds=10
# c the controller, f the fallback; - kills, + starts
orders=("-c -f +c +f" "-c -f +f +c" "-f -c +c +f" "-f -c +f +c" "-c +c -f +f" "-f +f -c +c")

main()
{
	make_configurations || exit 1
	load_begin "$scratch/a/main.yaml"
	start_systemd || exit 1
	quiet_orders
	stormy_orders
	sudden_end
	member_dies
	reboots
	finish
}

# -- configurations ----------------------------------------------------------------------------------------------------

# Members are up while there is a flag of their name. Of a, n3 and of b, e2 come and go; c2 is down, but each push of
# the other configuration makes it a member that is not known yet; c5 is drained in both.
make_configurations()
{
	local which pool

	mkdir "$scratch/flags" && chmod 755 "$scratch" || return
	for which in a b; do
		cp -r tests/load/$which "$scratch/$which" || return
		tests/load/model.py prefixes 1 200 200 south >"$scratch/$which/large.csv" || return
		cat >>"$scratch/$which/main.yaml" <<-END
			checks:
			  flag: {type: file, path: "$scratch/flags/{member}", interval: 100ms, rise: 1, fall: 1}
		END
		for pool in north east crowd; do
			sed -i "s/^  $pool:\$/&\n    check: flag/" "$scratch/$which/main.yaml"
		done
		sed '/name: c5,/d' "$scratch/$which/main.yaml" >"$scratch/$which/drained.yaml"
		sed '/name: c2,/d' "$scratch/$which/drained.yaml" >"$scratch/$which/quiet.yaml"
	done
	touch "$scratch"/flags/{n,e}{1,2,3} "$scratch"/flags/c{1,3,4,5,6,7,8,9}
	tests/load/model.py table --all-scopes "$scratch/a/quiet.yaml" "$scratch/a/quiet.yaml" >"$scratch/quiet" &&
		sed '/name: n3,/d' "$scratch/a/quiet.yaml" >"$scratch/a/without.yaml" &&
		tests/load/model.py table --all-scopes "$scratch/a/without.yaml" "$scratch/a/without.yaml" >"$scratch/without" &&
		tests/load/model.py table --may-fall n3 --may-fall e2 --may-fall c2 \
			"$scratch/a/drained.yaml" "$scratch/b/drained.yaml" >"$scratch/storm"
}

push()
{
	ecsctl push "$scratch/$1/main.yaml"
}

# -- load --------------------------------------------------------------------------------------------------------------

# OPTION...: on the driver, until load_off
driver_load()
{
	load_flood --kind service --rate 5000 --seconds 600 "$@" >"$scratch/flood" 2>&1 &
	flooder=$!
}

# NAME: every reply came and was right
driver_load_end()
{
	local status=0

	pkill -TERM -P "$flooder" -x flood 2>/dev/null || kill -TERM "$flooder"
	wait "$flooder" || status=$?
	same "$1: the driver lost no query and gave no wrong answer" 0 $status
	[ $status -eq 0 ] || note "$(<"$scratch/flood")"
	note "! $1, driver: $(load_figure received "$(<"$scratch/flood")") replies, slowest" \
		"$(load_figure slowest_ms "$(<"$scratch/flood")") ms"
}

# SECONDS[:FIRST] QUESTION...: asked without a pause until asking_end
asking()
{
	touch "$scratch/asking"
	"$lab" client tests/e2e/asks.py 198.18.0.1 "$scratch/asking" "$@" >"$scratch/asked" &
	asker=$!
	await 200 test -e "$scratch/asking.begun" || note "nothing was asked"
	rm -f "$scratch/asking.begun"
}

asking_end()
{
	rm -f "$scratch/asking"
	wait "$asker"
}

# -- the events --------------------------------------------------------------------------------------------------------

# When the fallback is ready, it tells systemd; it alone, for the controller would, too.
start_systemd()
{
	export NOTIFY_SOCKET=$scratch/notify
	: >"$scratch/told"
	"$lab" client tests/e2e/notified.py "$NOTIFY_SOCKET" "$scratch/told" 198.18.0.1 text.example.com &
	await 200 test -S "$NOTIFY_SOCKET"
}

# SIGNAL DAEMON: and wait for its end
stop_daemon()
{
	local pid

	pid=$(<"$run/$2.pid")
	kill "-$1" "$pid"
	await 300 has_ended "$pid"
	rm -f "$run/$2.pid"
}

has_ended()
{
	[[ $(ps -o stat= -p "$1") != [!Z]* ]]
}

is_settled()
{
	ecsctl --json status | jq -e '.doing == "" and .generation > 0'
}

# The fallback is gone from the first word of a line of `gone` to the second.
event()
{
	case $2 in
	-c) stop_daemon "$1" controller ;;
	-f)
		printf '%s ' "$EPOCHREALTIME" >>"$scratch/gone"
		: >"$scratch/told"
		stop_daemon "$1" fallback
		;;
	+c) "$lab" start controller && await 300 is_settled ;;
	+f)
		"$lab" start fallback && await 300 grep -q READY=1 "$scratch/told"
		awk '/READY=1/ { print $1 }' "$scratch/told" >>"$scratch/gone"
		;;
	esac
}

# Both are there again, whatever has been killed, and the fallback has the zones of the live generation.
all_there()
{
	await 300 is_settled && sleep 0.3
}

# NAME: each loss of the fallback overlaps a time at which it was gone
only_lost_while_gone()
{
	local bad

	bad=$(awk -F '[\t ]' 'FNR == NR { from[NR] = $1; until[NR] = $2; count = NR; next }
		/\tlost: / {
			excused = 0
			for (i = 1; i <= count; i++)
				excused += $3 >= from[i] && $4 <= until[i]
			if (!excused)
				print
		}' "$scratch/gone" "$scratch/asked")
	same "$1: the fallback lost nothing but while it was gone" "" "$bad"
	[ -z "$bad" ] || note "it was gone:" "$(<"$scratch/gone")"
	note "! $1, fallback: $(awk '/\tlost: / { lost += $2; next } { got += $2 }
		END { print got " replies, " lost + 0 " lost" }' "$scratch/asked")" \
		"while it was gone for $(awk '{ sum += $2 - $1 } END { printf "%.1f", sum }' "$scratch/gone") s"
	: >"$scratch/gone"
}

# What was answered, by question
answered()
{
	awk -F '\t' '$5 !~ /^lost/ { print $1 " " $5 }' "$scratch/asked" | sort -u
}

# -- nothing but restarts ----------------------------------------------------------------------------------------------

crowd=203.0.112.0/24	# clients of pool crowd in both

quiet_orders()
{
	local order event signal before

	check "a member is down" await 200 is_known c2 down
	check "another is drained" ecsctl drain crowd/c5 --reason "new disks"
	check "the first one's state is saved" await 100 grep -q '"state": *"down"' "$state/health.json"
	before=$(ecsctl --json health | jq -c '[.settings, [.pools[].members[]? | [.member, .state]]]')
	driver_load --table "$scratch/quiet"
	asking 2 udp:still.example.com:A tcp:still.example.com:A tcp:many.example.com:A:$crowd
	for _ in $(seq $rounds); do
		for order in "${orders[@]}" "TERM ${orders[RANDOM % 6]}"; do
			signal=KILL
			[ "$order" = "${order#TERM }" ] || signal=TERM
			for event in ${order#TERM }; do
				event $signal "$event" || note "$event of $order failed"
			done
		done
	done
	asking_end
	driver_load_end "$((rounds * 7)) restarts in every order"
	only_lost_while_gone "restarts in every order"
	same "restarts in every order: no other answer was given by the fallback" \
		"$(printf '%s\n' "tcp:many.example.com:A:$crowd 192.0.2.11 192.0.2.13 192.0.2.14" \
			{tcp,udp}":still.example.com:A 192.0.2.31")" "$(answered)"
	same "restarts in every order: states and settings are the same" "$before" \
		"$(ecsctl --json health | jq -c '[.settings, [.pools[].members[]? | [.member, .state]]]')"
}

# MEMBER STATE
is_known()
{
	[ "$(ecsctl --json health |
		jq -r --arg member "$1" '[.pools[].members[]? | select(.member == $member)][0].state')" = "$2" ]
}

# -- restarts in the midst of pushes and verdicts ----------------------------------------------------------------------

# Each follows itself and the other, so that both slots are rewritten while the other one is live.
push_alternately()
{
	local which

	while [ -e "$scratch/storming" ]; do
		for which in a b b a; do
			if push $which >/dev/null 2>&1; then echo good; else echo cut; fi >>"$scratch/pushes"
			sleep 0.02	# where there is no controller
		done
	done
}

flip_members()
{
	while [ -e "$scratch/storming" ]; do
		rm -f "$scratch"/flags/{n3,e2}
		sleep 0.$((RANDOM % 200 + 100))
		touch "$scratch"/flags/{n3,e2}
		sleep 0.$((RANDOM % 200 + 100))
	done
}

# TABLE [OPTION...]: which configuration both paths answer from: a, b, or what is wrong
whose()
{
	local output

	if ! output=$(load_flood --table "$scratch/$1" --count 4000 "${@:2}" 2>&1); then
		echo "$output"
	elif [ "$(load_figure b "$output")" -eq 0 ]; then
		echo a
	elif [ "$(load_figure a "$output")" -eq 0 ]; then
		echo b
	else
		echo "both: $output"
	fi
}

stormy_orders()
{
	local order event pusher flipper got odd=0

	: >"$scratch/pushes"
	driver_load --table "$scratch/storm" --need-both
	asking 2 udp:text.example.com:TXT tcp:text.example.com:TXT
	for _ in $(seq $rounds); do
		for order in "${orders[@]}"; do
			touch "$scratch/storming"
			push_alternately &
			pusher=$!
			flip_members &
			flipper=$!
			for event in $order; do
				sleep 0.0$((RANDOM % 100))
				event KILL "$event" || note "$event of $order failed"
			done
			rm "$scratch/storming"
			wait $pusher $flipper
			all_there || odd=$((odd + 1))
			got=$(whose storm)
			[[ $got == [ab] ]] || { odd=$((odd + 1)); note "after $order: $got"; }
		done
	done
	asking_end
	driver_load_end "killed in pushes and verdicts"
	only_lost_while_gone "killed in pushes and verdicts"
	same "killed in pushes and verdicts: after each order the generation was whole, on both paths" 0 $odd
	same "killed in pushes and verdicts: the fallback gave no other answers than the two" \
		"$(for transport in tcp udp; do
			echo "$transport:text.example.com:TXT \"B\" \"is\" \"longer\" \"than\" \"the\" \"other\""
			echo "$transport:text.example.com:TXT \"configuration\" \"A\""
		done)" "$(answered)"
	note "! killed in pushes and verdicts: $(grep -c good "$scratch/pushes") pushes done," \
		"$(grep -c cut "$scratch/pushes") cut short"
	check "the next push" push a
	all_there
	same "then all is as it was: the state of one member, the setting of another" a "$(whose quiet)"
}

# -- killed in the moment of a verdict ---------------------------------------------------------------------------------

# Its answers have just followed. They stay over the restart, and follow the checks from there.
sudden_end()
{
	ends_suddenly "killed when a member went down" down without quiet
	ends_suddenly "killed when a member came up" up quiet without
}

# NAME STATE TABLE OTHER: of n3, of whom all else is known, and what prescribes the answers then, and before
ends_suddenly()
{
	local name=$1

	await 200 answers_are "$4"
	set_flag n3 "$2"
	await 200 is_known n3 "$2"
	stop_daemon KILL controller
	driver_load --table "$scratch/$3"
	event KILL +c
	sleep 0.3
	driver_load_end "$name, and started"
	stop_daemon KILL controller
	set_flag n3 "$([ "$2" = up ] && echo down || echo up)"
	event KILL +c
	check "$name, and it changed before the start: the answers are soon as it is" await 100 answers_are "$4"
	set_flag n3 "$2"
}

set_flag()
{
	if [ "$2" = up ]; then touch "$scratch/flags/$1"; else rm -f "$scratch/flags/$1"; fi
}

answers_are()
{
	[ "$(whose "$1" --kind service)" = a ]
}

# -- a member dies -----------------------------------------------------------------------------------------------------

interval=0.2 timeout=0.1 fall=2	# seconds, of checks

make_web()
{
	local name

	mkdir "$scratch/web" && cp tests/load/a/example.com.zone "$scratch/web/" || return
	cat >"$scratch/web/main.yaml" <<-END
		server: {addresses: [198.18.0.1, "fd00:ec5::1"]}
		zones: [{name: example.com, file: example.com.zone}]
		checks:
		  web: {type: http, port: 8080, path: /, interval: 200ms, timeout: 100ms, rise: 2, fall: $fall}
		pools:
		  web:
		    check: web
		    members:
		    - {name: web1, address: 198.18.4.1}
		    - {name: web2, address: 198.18.4.2}
		    - {name: web3, address: 198.18.4.3}
		topologies: {one: {default: web}}
		services: [{name: www.example.com, topology: one}]
	END
	sed '/web2/d' "$scratch/web/main.yaml" >"$scratch/web/killed.yaml"
	sed '/web3/d' "$scratch/web/killed.yaml" >"$scratch/web/stopped.yaml"
	for name in 1 2 3; do
		start_web $name
	done
}

# A server at 198.18.4.N of its own.
start_web()
{
	local folder=$scratch/web/$1

	mkdir "$folder"
	cat >"$folder/nginx.conf" <<-END
		daemon off; worker_processes 1; pid $folder/pid; error_log $folder/log;
		events { worker_connections 64; }
		http {
			access_log off; client_body_temp_path $folder/t1; proxy_temp_path $folder/t2; fastcgi_temp_path $folder/t3;
			uwsgi_temp_path $folder/t4; scgi_temp_path $folder/t5;
			server { listen 198.18.4.$1:8080; location / { return 200; } }
		}
	END
	"$lab" server ip addr add "198.18.4.$1/32" dev lo
	"$lab" server nginx -c "$folder/nginx.conf" -p "$folder" >>"$folder/log" 2>&1 &
	disown
	await 200 "$lab" server curl -s -o "$folder/body" "http://198.18.4.$1:8080/"
}

# SIGNAL N: to that server and its worker
signal_web()
{
	local master

	master=$(<"$scratch/web/$2/pid")
	# shellcheck disable=SC2046
	kill "-$1" "$master" $(pgrep -P "$master")
}

member_dies()
{
	make_web
	check "three web servers in one pool" push web
	await 200 is_known web3 up
	dies "a web server is killed" KILL 2 main killed "198.18.4.1 198.18.4.3"
	dies "a web server hangs" STOP 3 killed stopped 198.18.4.1
	signal_web KILL 3
	signal_web KILL 1
}

# NAME SIGNAL N BEFORE AFTER ANSWER
dies()
{
	local name=$1 died changed follower verdict moved last

	tests/load/model.py table --all-scopes "$scratch/web/$4.yaml" "$scratch/web/$5.yaml" >"$scratch/dies"
	tests/e2e/stamped.py "$run/controller.log" >"$scratch/stamped" &
	follower=$!
	driver_load --table "$scratch/dies" --need-both --rate 10000
	asking 2 tcp:www.example.com:A
	died=$EPOCHREALTIME
	signal_web "$2" "$3"
	await 200 grep -q "member web$3 of pool web is down" "$scratch/stamped"
	sleep 0.2
	asking_end
	driver_load_end "$name"
	kill $follower
	wait $follower 2>/dev/null
	verdict=$(awk '/is down/ { print $1 }' "$scratch/stamped")
	moved=$(awk '/answers of .* changed/ { print $1 }' "$scratch/stamped")
	changed=$(load_figure b_from "$(<"$scratch/flood")")
	last=$(load_figure a_until "$(<"$scratch/flood")")
	check "$name: answers change within interval * fall + timeout" \
		awk "BEGIN { exit !($changed > $died && $changed - $died < $interval * 1.05 * $fall + $timeout + 0.3) }"
	check "$name: when they have, none points to it" awk "BEGIN { exit !($last > 0 && $last <= $moved) }"
	same "$name: the fallback changes once, and loses none" "2 $6" \
		"$(awk -F '\t' 'END { print NR " " $5 }' "$scratch/asked")"
	note "! $name: $(awk "BEGIN { printf \"verdict in the log %.0f ms later, the first changed reply %+.1f ms from it\",
		($verdict - $died) * 1000, ($changed - $verdict) * 1000 }")"
}

# -- a reboot ----------------------------------------------------------------------------------------------------------

at_rest=203.0.112.0/24 at_work=203.0.113.0/24	# clients of pool r0, and of r1

# COUNT: prefixes a family. Checks take a while, so that the first answers cannot be of their making.
make_reboot()
{
	local i

	mkdir -p "$scratch/reboot" && cp tests/load/a/example.com.zone "$scratch/reboot/" || return
	{
		tests/load/model.py prefixes 3 "$1" "$1" r1 r2 r3 r4 r5 r6 r7 r8 | grep -v '^203\.0\.11[23]\.'
		printf '%s\n' $at_rest,r0 $at_work,r1
	} >"$scratch/reboot/prefixes.csv"
	printf '%s\n' '#!/bin/sh' 'sleep 0.8' "[ -e $scratch/flags/\$ECSDNS_MEMBER ]" >"$scratch/reboot/probe"
	chmod 755 "$scratch/reboot/probe"
	touch "$scratch/flags/well" "$scratch/flags/resting"
	{
		cat <<-END
			server: {addresses: [198.18.0.1, "fd00:ec5::1"]}
			zones: [{name: example.com, file: example.com.zone}]
			checks:
			  slow: {type: exec, command: [$scratch/reboot/probe], interval: 2s, timeout: 1500ms, rise: 1, fall: 1}
			pools:
			  r0: {members: [{name: idle, address: 192.0.2.90}]}
			  r1:
			    check: slow
			    members:
			    - {name: well, address: 192.0.2.101}
			    - {name: sick, address: 192.0.2.102}
			    - {name: resting, address: 192.0.2.103}
		END
		for i in {2..8}; do
			echo "  r$i: {members: [{name: m$i, address: 192.0.2.$i}]}"
		done
		printf '%s\n' "topologies: {world: {default: r8, file: prefixes.csv}}" services:
		printf -- '- {name: s%02d.example.com, topology: world, regions: {r0: [r0, r1]}}\n' {0..49}
	} >"$scratch/reboot/main.yaml"
}

reboots()
{
	reboot_with "10,000 prefixes a family" 10000 5
	[ -z "$long" ] || reboot_with "a million prefixes a family" 1000000 30
}

# NAME COUNT SECONDS
reboot_with()
{
	local name=$1 driver fallback took

	make_reboot "$2"
	check "$name: push" push reboot
	check "$name: one member is down" await 400 is_known sick down
	check "$name: another is drained" ecsctl drain r1/resting
	check "$name: a pool is drained" ecsctl drain r0
	check "$name: all that is saved" await 100 grep -q '"member": "sick"' "$state/health.json"
	reboot "$name, a reboot" "$3" start_controller start_fallback
	took=$driver
	reboot "$name, a reboot, the fallback first" "$3" start_fallback "sleep 0.3" start_controller
	for _ in $(seq $(((rounds + 1) / 2))); do
		reboot "$name, a reboot, the controller killed meanwhile" "$(($3 * 2))" start_controller start_fallback \
			"sleep $(awk "BEGIN { print $took * $RANDOM / 32768 }")" "stop_daemon KILL controller" start_controller
	done
	ecsctl enable r0 >/dev/null
}

# What systemd would start, and nothing waits for anything.
start_controller()
{
	NOTIFY_SOCKET='' start_daemon controller --socket "$ECSDNS_SOCKET"
}

start_fallback()
{
	start_daemon fallback --workers 2 --control "$run/fallback.sock"
}

# NAME OPTION...
start_daemon()
{
	ip netns exec "ecsdns-$LAB-server" setsid "ecsdns-$1" --pins "$ECSDNS_PINS" --state "$state" "${@:2}" \
		>>"$run/$1.log" 2>&1 </dev/null &
	echo $! >"$run/$1.pid"
	disown
}

# Neither daemons nor tables nor what was in /run
switch_off()
{
	stop_daemon KILL controller
	stop_daemon KILL fallback
	"$lab" server ecsdns-loader unload >/dev/null && rm -f "$run"/*.sock
}

# NAME SECONDS COMMAND...: these after the loader; and the first right answers within so many seconds, with no others
# before them. $driver and $fallback are how long they took.
reboot()
{
	local name=$1 most=$2 begun command
	shift 2

	switch_off
	same "$name: no table is left" "" "$(find "$run/bpf" -type f ! -name '*.debug')"	# those are the kernel's
	asking 2:0.05 {udp,tcp}:s07.example.com:A:{$at_rest,$at_work} tcp:still.example.com:A
	: >"$scratch/told"
	begun=$EPOCHREALTIME
	"$lab" server ecsdns-loader attach ecs0 >/dev/null 2>&1
	for command in "$@"; do
		$command
	done
	await $((most * 50)) grep -q READY=1 "$scratch/told"
	await $((most * 50)) is_settled
	sleep 1.2	# and the first checks
	asking_end
	same "$name: every answer is right from the first one on" "" "$(not_right)"
	driver=$(first_answer udp "$begun")
	fallback=$(first_answer tcp "$begun")
	check "$name: the driver's first answer comes within $most s" awk "BEGIN { exit !(0 < $driver && $driver < $most) }"
	check "$name: so does the fallback's" awk "BEGIN { exit !(0 < $fallback && $fallback < $most) }"
	note "! $name: from the loader's start to the first answer, driver $driver s, fallback $fallback s"
}

# Outcomes that should not have been: wrong ones, and losses behind an answer
not_right()
{
	awk -F '\t' '{
			right = $1 ~ /still/ ? "192.0.2.31" : "192.0.2.101"
			if ($5 == right)
				answered[$1] = 1
			else if ($5 !~ /^lost/ || answered[$1])
				print
			asked[$1] = 1
		}
		END { for (each in asked) if (!answered[each]) print each " never answered" }' "$scratch/asked"
}

# TRANSPORT BEGUN: seconds until every question of it had its answer
first_answer()
{
	awk -F '\t' -v transport="$1" -v begun="$2" 'index($1, transport) == 1 && $5 ~ /^192/ && $3 > last { last = $3 }
		END { printf "%.2f", last - begun }' "$scratch/asked"
}

main
