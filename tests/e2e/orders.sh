#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Under load, whatever dies: the controller and the fallback killed and started again in every order, between pushes and in
# the midst of them, while members go down and come back; a web server killed that answers point to; and a reboot. The driver
# loses no query and gives no wrong answer, the fallback loses those alone that come while it is not there, and saved states
# of health and settings hold from the first answer on.
#
# ECSDNS_LONG=1: more rounds, and a reboot with a million prefixes. tests/e2e/ecsctl.sh has the second controller, which is
# refused, and tests/e2e/push.sh the controller killed in mid-push alone.
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
	start_clock || exit 1
	quiet_orders
	stormy_orders
	unsaved_verdict
	finish
}

# -- configurations ----------------------------------------------------------------------------------------------------

# Members are up while there is a flag of their name. Of a, n3 and of b, e2 come and go; c2 is down, but each push of the other
# configuration makes it a member that is not known yet; c5 is drained in both.
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
		tests/load/model.py table --may-fall n3 --may-fall e2 --may-fall c2 "$scratch/a/drained.yaml" "$scratch/b/drained.yaml" \
			>"$scratch/storm"
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

# SECONDS QUESTION...: asked without a pause until asking_end
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

# TRIES COMMAND...: every 20 ms
await()
{
	local tries=$1
	shift

	for _ in $(seq "$tries"); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.02
	done
	return 1
}

# -- the events --------------------------------------------------------------------------------------------------------

# What the fallback tells systemd has the time of the monotonic clock.
start_clock()
{
	export NOTIFY_SOCKET=$scratch/notify
	: >"$scratch/told"
	"$lab" client tests/e2e/notified.py "$NOTIFY_SOCKET" "$scratch/told" 198.18.0.1 text.example.com &
	since_boot=$(python3 -c 'import time; print(time.time() - time.monotonic())')
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
		awk -v boot="$since_boot" '/READY=1/ { printf "%.6f\n", $1 + boot }' "$scratch/told" >>"$scratch/gone"
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

	bad=$(awk 'FNR == NR { from[NR] = $1; until[NR] = $2; count = NR; next }
		/ lost: / {
			excused = 0
			for (i = 1; i <= count; i++)
				excused += $3 >= from[i] && $4 <= until[i]
			if (!excused)
				print
		}' "$scratch/gone" "$scratch/asked")
	same "$1: the fallback lost nothing but while it was gone" "" "$bad"
	note "! $1, fallback: $(awk '/ lost: / { lost += $2; next } { answered += $2 } END { print answered " replies, " lost + 0 " lost" }' \
		"$scratch/asked") while it was gone for $(awk '{ sum += $2 - $1 } END { printf "%.1f", sum }' "$scratch/gone") s"
	: >"$scratch/gone"
}

# What was answered, by question
answered()
{
	awk '$5 != "lost:" { outcome = $1; for (i = 5; i <= NF; i++) outcome = outcome " " $i; print outcome }' "$scratch/asked" | sort -u
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
		"tcp:many.example.com:A:$crowd 192.0.2.11 192.0.2.13 192.0.2.14,tcp:still.example.com:A 192.0.2.31,udp:still.example.com:A 192.0.2.31" \
		"$(answered | paste -sd,)"
	same "restarts in every order: states and settings are the same" "$before" \
		"$(ecsctl --json health | jq -c '[.settings, [.pools[].members[]? | [.member, .state]]]')"
}

# MEMBER STATE
is_known()
{
	[ "$(ecsctl --json health | jq -r --arg member "$1" '[.pools[].members[]? | select(.member == $member)][0].state')" = "$2" ]
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
		"$(printf '%s\n' {tcp,udp}:text.example.com:TXT\ \"{configuration\"\ \"A,B\"\ \"is\"\ \"longer\"\ \"than\"\ \"the\"\ \"other}\" |
			sort)" "$(answered)"
	note "! killed in pushes and verdicts: $(grep -c good "$scratch/pushes") pushes done, $(grep -c cut "$scratch/pushes") cut short"
	check "the next push" push a
	all_there
	same "then all is as it was: the state of one member, the setting of another" a "$(whose quiet)"
}

# -- killed between a verdict and its saving ---------------------------------------------------------------------------

# Its answers have followed and what is saved has not; and before the next start the member is again what was saved. Without
# any setting: those move answers at the start. c5 is down instead.
unsaved_verdict()
{
	local saved=$scratch/health.json

	rm "$scratch/flags/c5"
	await 200 is_known c5 drained && ecsctl enable crowd/c5 >/dev/null
	unsaved "a member that went down" down
	unsaved "a member that came up" up
}

# NAME STATE: n3's unsaved one
unsaved()
{
	local table=quiet other=without

	rm -f "$scratch/flags/n3"
	[ "$2" = up ] || touch "$scratch/flags/n3"
	await 200 is_known n3 "$([ "$2" = up ] && echo down || echo up)"
	sleep 0.3
	cp "$state/health.json" "$saved"
	if [ "$2" = up ]; then touch "$scratch/flags/n3"; else rm "$scratch/flags/n3"; fi
	await 200 is_known n3 "$2"
	stop_daemon KILL controller
	cp "$saved" "$state/health.json"
	rm -f "$state/admin.json"
	if [ "$2" = up ]; then rm "$scratch/flags/n3"; table=without other=quiet; else touch "$scratch/flags/n3"; fi
	same "$1, unsaved: its answers" a "$(whose $other --kind service)"
	event KILL +c
	check "$1, unsaved: the answers are soon as it is" await 100 answers_are $table
}

answers_are()
{
	[ "$(whose "$1" --kind service)" = a ]
}

main
