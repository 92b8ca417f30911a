#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The operator's side: every verb of ecsctl with its texts, JSON and exit codes; the control API as curl and as an enemy
# use it; what explain says against what the driver answers; and the controller across crashes, reboots, full disks and
# tables that were unloaded under it.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=ecsctl
build=${BUILD:-$root/build}
run=/run/ecsdns-lab/$LAB
lab=tests/lab.sh
state=$run/state
scratch=$(mktemp -d)
export ECSDNS_SOCKET=$run/control.sock
export ECSDNS_PINS=$run/bpf/ecsdns/v1
export PATH=$build:$PATH
verbs=(push check diff rollback history dump status stats top capture explain health watch drain disable enable force-up force-down)
table_question=(240b:10:200::/40 www.example.com AAAA)

main()
{
	trap end EXIT
	make_files
	$lab up >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
	usage
	nothing_published
	push_and_check
	warnings
	status_and_stats
	explain
	history_and_rollback
	http
	hostile_http
	endless
	socket
	second_controller
	crash
	reboot
	tables_unloaded
	state_directory
	full_table
	no_controller
	finish
}

end()
{
	local status=$?

	jobs -p | xargs -r kill 2>/dev/null
	umount "$state" 2>/dev/null
	$lab down
	rm -rf "$scratch"
	exit $status
}

# a.yaml and b.yaml differ in one address; bad.yaml has a fault of each stage that is reached.
make_files()
{
	cp examples/japan.yaml "$scratch/a.yaml"
	cp examples/example.com.zone "$scratch/"
	sed 's/"2001:db8:10::1"/"2001:db8:10::77"/' "$scratch/a.yaml" >"$scratch/b.yaml"
	sed 's/ttl: 10/tll: 10/; s/osaka1-a, address: "2001:db8:10::1"/osaka1-a, address: nowhere/' "$scratch/a.yaml" >"$scratch/bad.yaml"
	address_line=$(line_of nowhere "$scratch/bad.yaml") key_line=$(line_of tll "$scratch/bad.yaml")
}

# TEXT FILE: the first line with it
line_of()
{
	grep -n -m 1 -F "$1" "$2" | cut -d : -f 1
}

# -- helpers --

generation()
{
	ecsctl --json status | jq .generation
}

answer()
{
	$lab client kdig +short +subnet="${table_question[0]}" @198.18.0.1 "${table_question[1]}" "${table_question[2]}"
}

# COUNT: the last lines, but what the configuration is warned of
log()
{
	grep -v ' warning: ' "$run/controller.log" | tail -n "$1"
}

# The socket may be there before anybody listens, or be left from a controller that was killed.
ready()
{
	for _ in $(seq 200); do
		ecsctl --json status 2>/dev/null | jq -e '.doing == ""' >/dev/null && return
		sleep 0.03
	done
	log 20
	return 1
}

# SIGNAL: to the controller, and wait for its end
stop()
{
	local pid status

	pid=$(<"$run/controller.pid")
	kill "-$1" "$pid"
	while status=$(ps -o stat= -p "$pid") && [[ $status != Z* ]]; do
		sleep 0.03
	done
}

start()
{
	$lab start >/dev/null && ready
}

# The controller as somebody else might start it: ends by itself, or is stopped after five seconds.
controller()
{
	$lab server timeout 5 ecsdns-controller --pins "$ECSDNS_PINS" --state "$state" "$@" 2>&1
}

# OPTION...: of the loader, for the new tables
reload_tables()
{
	$lab server ecsdns-loader unload && $lab server ecsdns-loader attach "$@" ecs0
}

# -- the command line --

usage()
{
	local verb

	for verb in "${verbs[@]}"; do
		exits "$verb --help" 0 ecsctl "$verb" --help
		contains "$verb --help shows its usage" "$output" "Usage: ecsctl $verb "
		exits "$verb with an unknown option" 2 ecsctl "$verb" --bogus
		contains "$verb names it" "$errors" "unknown option --bogus"
	done
	exits "--help" 0 ecsctl --help
	for verb in "${verbs[@]}"; do
		contains "--help lists $verb" "$output" "  $verb "
	done
	exits "no verb" 2 ecsctl
	exits "an unknown verb" 2 ecsctl publish
	exits "push without a file" 2 ecsctl push
	exits "two files" 2 ecsctl check a b
	for verb in 24,56 /24 /24,/129 /0,/56 "/24,/56,"; do
		exits "check --resolver-prefixes $verb" 2 ecsctl check --resolver-prefixes "$verb" examples/japan.yaml
	done
	contains "it says what was expected" "$errors" "such as /24,/56, not /24,/56,"
	exits "explain without a type" 2 ecsctl explain 192.0.2.1 www.example.com
	exits "explain with options that exclude each other" 2 ecsctl explain --no-ecs --prefix 3 192.0.2.1 a.example A
	exits "drain without an object" 2 ecsctl drain --reason why
	exits "health of two objects" 2 ecsctl health a b
	exits "a socket's path that is too long" 1 ecsctl --socket "/$(printf 'x%.0s' {1..200})" status
	contains "and says so" "$errors" "at most 107 octets"
}

nothing_published()
{
	ready || exit 1
	exits "status before the first push" 0 ecsctl status
	contains "says what to do" "$output" "ecsctl push FILE"
	exits "status --ready before the first push" 1 ecsctl status --ready
	exits "rollback before the first push" 1 ecsctl rollback
	exits "explain before the first push" 1 ecsctl explain 192.0.2.1 www.example.com A
	exits "health before the first push" 1 ecsctl health
	contains "says what to do, too" "$errors" "ecsctl push FILE"
	exits "watch before the first push" 1 ecsctl watch
	exits "drain before the first push" 1 ecsctl drain tokyo
	exits "history before the first push" 0 ecsctl history --json
	field "and it is empty" '.generations | length' 0
}

push_and_check()
{
	exits "check" 0 ecsctl check "$scratch/a.yaml"
	contains "check counts" "$output" "3 services, 1 zones, 10 pools, 3 topologies"
	exits "check --json" 0 ecsctl check --json "$scratch/a.yaml"
	field "check --json counts" '"\(.services) \(.zones) \(.topologies)"' "3 1 3"
	exits "push --dry-run" 0 ecsctl push --dry-run "$scratch/a.yaml"
	contains "a dry run says that it was one" "$output" "nothing was published"
	same "and nothing was" 0 "$(generation)"
	exits "push" 0 ecsctl push "$scratch/a.yaml"
	contains "push names the generation" "$output" "generation 1 is live"
	exits "push --json" 0 ecsctl --json push "$scratch/a.yaml"
	field "push --json names it too" '"\(.generation) \(.dry_run) \(.summary.services)"' "2 false 3"
	field "push --json: no errors" '[.faults[] | select(.severity != "warning")] | length' 0
	for verb in check push; do
		exits "$verb of a bad file" 1 ecsctl $verb "$scratch/bad.yaml"
		contains "$verb names file, line and column" "$errors" "bad.yaml:$key_line:5: error: unknown key \"tll\""
		contains "$verb finds the second fault as well" "$errors" "bad.yaml:$address_line:35: error: expected an address"
		exits "$verb --json of a bad file" 1 ecsctl $verb --json "$scratch/bad.yaml"
		field "$verb --json names them" '[.faults[] | select(.severity == "error") | .line] | sort | map(tostring) | join(" ")' "$address_line $key_line"
	done
	exits "push of a file that is not there" 1 ecsctl push "$scratch/none.yaml"
	contains "it is named" "$errors" "none.yaml"
	same "nothing of all that was published" 2 "$(generation)"
	four_at_once
}

# The scenario's resolvers send /40: osaka2 is out of their reach, and its clients get osaka1.
warnings()
{
	local unsaid=$scratch/unsaid.yaml one="240b:10:200::/41" two="240b:10:280::/41" whole="240b:10:200::/40"

	sed 's/, resolver_prefixes: [^}]*//' examples/japan.yaml >"$unsaid"
	exits "check with the default lengths" 0 ecsctl check "$unsaid"
	same "resolvers that send /56 reach osaka2" "" "$(grep osaka "$scratch/errors")"
	exits "check --resolver-prefixes" 0 ecsctl check --resolver-prefixes /24,/40 "$unsaid"
	contains "osaka2 is out of reach: prefix, place, reason" "$errors" "unsaid.yaml:$(line_of $two "$unsaid"):7: warning: region osaka2\
 can be reached only by resolvers that send more than /40, or by their own address: clients of $two come as $whole and get region osaka1"
	contains "osaka1 is given to its clients, too" "$errors" "unsaid.yaml:$(line_of $one "$unsaid"):7: warning: prefix $one is longer\
 than the /40 that resolvers send: all clients of $whole get its region osaka1, also those of region osaka2"
	exits "check of the example, whose resolver_prefixes are /40" 0 ecsctl check examples/japan.yaml
	same "the configuration's lengths say the same" "$(grep -c osaka2 "$scratch/errors")" 2
	exits "the option goes before the configuration" 0 ecsctl check --resolver-prefixes /24,/41 examples/japan.yaml
	same "resolvers that send /41 reach osaka2" "" "$(grep osaka "$scratch/errors")"
	exits "check of the example again" 0 ecsctl check examples/japan.yaml
	cp "$scratch/errors" "$scratch/warnings"
	exits "push --dry-run of it" 0 ecsctl push --dry-run examples/japan.yaml
	same "push warns of the same" "$(<"$scratch/warnings")" "$errors"
	exits "check --json of it" 0 ecsctl check --json examples/japan.yaml
	field "and so does --json" '.faults[] | "\(.file):\(.line):\(.column): \(.severity): \(.text)"' "$(<"$scratch/warnings")"
}

four_at_once()
{
	local pids=() pid failed=0

	for which in a b a b; do
		ecsctl push "$scratch/$which.yaml" >/dev/null 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=$((failed + 1))
	done
	same "four pushes at once: all were good" 0 $failed
	same "four pushes at once: one after the other" 6 "$(generation)"
	exits "push again" 0 ecsctl push "$scratch/a.yaml"
}

status_and_stats()
{
	answer >/dev/null
	exits "status --ready" 0 ecsctl status --ready
	contains "status: generation" "$output" "generation   7, published 2"
	contains "status: interface" "$output" "interface    ecs0 ("
	contains "status: address" "$output" "address      198.18.0.1: the fallback listens"
	exits "status --json" 0 ecsctl status --json
	field "status --json says the same" '"\(.ready) \(.generation) \(.interfaces[0].interface) \(.addresses[0].fallback_listens)"' \
		"true 7 ecs0 true"
	exits "stats" 0 ecsctl stats
	contains "stats: a reason that occurred" "$output" "ANSWERED"
	same "stats: reasons that did not are left out" "" "$(grep -E '^[A-Z_0-9]+ +[A-Z]+ +0 +0 ' <<<"$output")"
	exits "stats --all" 0 ecsctl stats --all
	check "stats --all has them" grep -qE '^[A-Z_0-9]+ +[A-Z]+ +0 +0 ' <<<"$output"
	same "stats --all has every reason" "$(grep -c '^REASON(' maps/counters.def)" \
		"$(sed '/^$/q' <<<"$output" | grep -cE '^[A-Z_0-9]+ +(TX|PASS|DROP)')"
	exits "stats --json" 0 ecsctl stats --json
	same "stats --json has every reason" "$(grep -c '^REASON(' maps/counters.def)" "$(jq '.reasons | length' <<<"$output")"
	field "stats: services are sorted" '[.services[].service] | . == sort and length == 3' true
	field "stats: regions are sorted" '[.regions[] | [.topology, .region]] | . == sort and length == 11' true
	field "stats: a hit was counted" '[.services[] | select(.service == "www.example.com") | .packets > 0] | all' true
}

explain()
{
	local family

	exits "explain" 0 ecsctl explain "${table_question[@]}"
	for line in "answered by  driver" "matched      240b:10:200::/41 is osaka1 (a.yaml:$(line_of "240b:10:200::/41" "$scratch/a.yaml"))" "region       osaka1" \
		"block        240b:10:200::/41" "scope        41" "pool         osaka1: the region's preferred pool"; do
		contains "explain: $line" "$output" "$line"
	done
	exits "explain --json" 0 ecsctl explain --json "${table_question[@]}"
	field "explain --json says the same" '"\(.answered_by) \(.matched.prefix) \(.region) \(.block) \(.scope) \(.choice.pool)"' \
		"driver 240b:10:200::/41 osaka1 240b:10:200::/41 41 osaka1"
	field "explain --json has the record" '.answer[0] | split(" ") | last' "2001:db8:10::1"
	exits "explain --no-ecs" 0 ecsctl explain --json --no-ecs 240b:10:280::1 www.example.com AAAA
	field "the resolver's own address decides" '"\(.region) \(.scope) \(.client_subnet)"' "osaka2 null null"
	exits "explain --resolver" 0 ecsctl explain --json --resolver 240b:10:280::1 127.0.0.1 www.example.com AAAA
	field "for a special block, too" '"\(.region) \(.scope)"' "osaka2 8"
	exits "explain of zone data" 0 ecsctl explain --json 192.0.2.1 static.example.com A
	field "it is the fallback's" '"\(.answered_by) \(.zone)"' "fallback example.com"
	exits "explain of no address" 1 ecsctl explain nobody www.example.com A
	exits "explain of no type" 1 ecsctl explain 192.0.2.1 www.example.com WHAT
	exits "explain of no name" 1 ecsctl explain 192.0.2.1 a..b A
	for family in "198.18.0.1 198.18.0.2" "fd00:ec5::1 fd00:ec5::2"; do
		# shellcheck disable=SC2086
		output=$($lab client tests/e2e/explain_agrees.py "$ECSDNS_SOCKET" $family 500 2>&1)
		same "explain and driver agree, over ${family% *}" "500 questions, 0 differences" "$output"
	done
}

history_and_rollback()
{
	exits "push B" 0 ecsctl push "$scratch/b.yaml"
	same "B answers" 2001:db8:10::77 "$(answer)"
	exits "rollback" 0 ecsctl rollback
	contains "it says of what to what" "$output" "generation 9 is live: the configuration of generation 7"
	same "A answers again" 2001:db8:10::1 "$(answer)"
	exits "rollback --json 8" 0 ecsctl rollback --json 8
	field "it says so" '"\(.generation) \(.rollback_to)"' "10 8"
	same "B answers again" 2001:db8:10::77 "$(answer)"
	exits "push after a rollback" 0 ecsctl push "$scratch/a.yaml"
	same "A answers" 2001:db8:10::1 "$(answer)"
	exits "history" 0 ecsctl history
	same "history has a line for each" 11 "$(wc -l <<<"$output")"
	contains "the live one is marked" "$(tail -n 1 <<<"$output")" live
	exits "history --json" 0 ecsctl history --json
	field "history --json: one is live" '[.generations[] | select(.live) | .generation] | join(" ")' 11
	refuse "rollback to a generation that is not kept" "ecsctl history" ecsctl rollback 99
	refuse "rollback to 0" "a number from 1" ecsctl rollback 0
	refuse "rollback to a word" "a number from 1" ecsctl rollback yesterday
	echo rubbish >"$state/generations/2.tar"
	refuse "rollback to a broken bundle names the file" "generations/2.tar" ecsctl rollback 2
	rm "$state/generations/2.tar" && mkfifo "$state/generations/2.tar"
	refuse "rollback to a FIFO does not wait" "generations/2.tar" timeout 5 ecsctl rollback 2
	rm "$state/generations/2.tar"
	same "all these changed nothing" "11 2001:db8:10::1" "$(generation) $(answer)"
}

# -- the API --

# PATH [OPTION...]: status, and the body in $scratch/body
request()
{
	local path=$1
	shift

	curl -s -m 20 --unix-socket "$ECSDNS_SOCKET" -o "$scratch/body" -w '%{http_code}' "$@" "http://ecsdns$path"
}

http()
{
	same "curl: status" 200 "$(request /v1/status)"
	same "curl: the body is JSON" 11 "$(jq .generation "$scratch/body")"
	same "curl: stats" 200 "$(request /v1/stats)"
	same "curl: history" 200 "$(request /v1/history)"
	same "curl: explain" 200 "$(request '/v1/explain?name=www.example.com&type=AAAA&client=240b:10:200::&prefix=40')"
	same "curl: explain's scope" 41 "$(jq .scope "$scratch/body")"
	same "curl: dump" 200 "$(request /v1/dump)"
	same "curl: dump is the bundle" "$(sha256sum <"$state/generations/11.tar")" "$(sha256sum <"$scratch/body")"
	tar -C "$scratch" --format=ustar -cf "$scratch/b.tar" b.yaml example.com.zone
	same "curl: a bundle made by tar, tried" 200 "$(request '/v1/push?dry_run=1' --data-binary "@$scratch/b.tar")"
	same "curl: it was not published" "true 11" "$(jq .dry_run "$scratch/body") $(generation)"
	same "curl: in chunks, pushed" 200 "$(request /v1/push -X POST -H 'Transfer-Encoding: chunked' --data-binary "@$scratch/b.tar")"
	same "curl: it was published" "12 2001:db8:10::77" "$(generation) $(answer)"
	tar -C "$scratch" --format=ustar -cf "$scratch/bad.tar" bad.yaml example.com.zone
	same "curl: a bad one" 400 "$(request /v1/push --data-binary "@$scratch/bad.tar")"
	same "curl: its faults have places" "bad.yaml $address_line" "$(jq -r '.faults[0] | "\(.file) \(.line)"' "$scratch/body")"
	same "curl: rollback" 200 "$(request '/v1/rollback?generation=11' -X POST)"
	same "curl: more than a push may hold" 413 "$(head -c 600000000 /dev/zero |
		request /v1/push -X POST -H 'Transfer-Encoding: chunked' -H 'Expect:' -T -)"
}

# What listens there is not the controller, and its reply has no end.
endless()
{
	python3 - "$scratch/endless" <<-'END' &
		import socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[1])
		listener.listen()
		try:
		    with listener.accept()[0] as peer:
		        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
		        while True:
		            peer.sendall(b"x" * 1048576)
		except ConnectionError:
		    pass
	END
	for _ in $(seq 100); do
		[ ! -S "$scratch/endless" ] || break
		sleep 0.05
	done
	exits "a reply without end" 1 ecsctl --socket "$scratch/endless" status
	contains "a reply without end: is told" "$errors" "the reply is longer than 256 MiB"
	wait $!
}

# Refused with a status, or cut off; and none of it holds up anybody else.
hostile_http()
{
	local name status started waiting=""

	mkfifo "$scratch/hold"
	coproc hostile { tests/e2e/hostile_http.py "$ECSDNS_SOCKET" <"$scratch/hold"; }
	exec 9>"$scratch/hold"
	while read -r name status <&"${hostile[0]}"; do
		[ "$name" != waiting ] || { waiting=1; break; }
		case $status in
		4* | 505 | closed) tap_ok "hostile: $name ($status)" ;;
		*) tap_not_ok "hostile: $name ($status)" ;;
		esac
	done
	same "hostile: as many as there are" "1 41" "$waiting $(grep -cE '^    "[a-z0-9-]+": ' tests/e2e/hostile_http.py)"
	started=$SECONDS
	exits "hostile: status beside 32 uploads that stand still" 0 ecsctl status
	exits "hostile: push beside them" 0 ecsctl push "$scratch/a.yaml"
	check "hostile: neither had to wait" test $((SECONDS - started)) -le 3
	exec 9>&-
	same "hostile: nothing was drained" 0 "$(ecsctl --json status | jq '.settings | length')"
	check "hostile: no name of a bundle reached the disk" test ! -e /tmp/ecsdns-climbed
	same "hostile: nothing was published" 14 "$(generation)"
}

socket()
{
	same "socket: owner and group only" "660 root" "$(stat -c '%a %G' "$ECSDNS_SOCKET")"
	chmod 755 "$run"
	exits "socket: somebody else" 1 setpriv --reuid 65534 --regid 65534 --clear-groups "$build/ecsctl" status
	contains "socket: is told what it takes" "$errors" "--socket-group"
	stop TERM
	check "socket: gone with the controller" test ! -e "$ECSDNS_SOCKET"
	echo precious >"$scratch/file"
	contains "socket: a plain file of that name" "$(controller --socket "$scratch/file")" "it is no socket"
	same "socket: is left alone" precious "$(cat "$scratch/file")"
	$lab server ecsdns-controller --pins "$ECSDNS_PINS" --state "$state" --socket "$scratch/run/group" --socket-group 65534 \
		2>/dev/null &
	for _ in $(seq 100); do
		[ -S "$scratch/run/group" ] && break
		sleep 0.03
	done
	sleep 0.1
	same "socket: a directory that is missing is made" "755" "$(stat -c %a "$scratch/run")"
	same "socket: --socket-group" "660 65534" "$(stat -c '%a %g' "$scratch/run/group")"
	chmod 711 "$scratch"
	exits "socket: a member of the group" 0 setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$build/ecsctl" --socket "$scratch/run/group" history
	kill %% && wait %% 2>/dev/null
	contains "a group that is not there" "$(controller --socket-group none-such)" "no such group"
	contains "--socket in no directory" "$(controller --socket /nonexistent/run/socket)" "above its own must exist"
	start || exit 1
}

second_controller()
{
	contains "a second controller on these tables" "$(controller --state "$scratch/other" --socket "$scratch/2")" \
		"another ecsdns-controller runs on the tables"
	check "the first one goes on" ecsctl status --ready
}

# -- what may happen to a controller --

# CALLS answers are served and explained as before: GENERATION ADDRESS
as_before()
{
	same "$1: the same generation answers the same" "$2 $3" "$(generation) $(answer)"
	same "$1: explained as it is" "$3" "$(ecsctl explain --json "${table_question[@]}" | jq -r '.answer[0] | split(" ") | last')"
}

crash()
{
	local before

	stop KILL
	same "killed: the driver answers" 2001:db8:10::1 "$(answer)"
	before=$(bpftool map dump pinned "$ECSDNS_PINS/topology6" | sha256sum)
	start || exit 1
	contains "killed: adopted" "$(log 1)" "generation 14 adopted"
	as_before "killed" 14 2001:db8:10::1
	same "killed: no table was written" "$before" "$(bpftool map dump pinned "$ECSDNS_PINS/topology6" | sha256sum)"
	stop KILL
	rm "$state/generations/live"
	echo rubbish >"$state/generations/99.tar"
	start || exit 1
	as_before "killed, link lost, a bundle never published" 14 2001:db8:10::1
	check "that bundle is gone" test ! -e "$state/generations/99.tar"
	stop KILL
	mv "$state/generations/14.tar" "$scratch/14.tar"
	start || exit 1
	same "killed, bundle lost: the driver answers" "14 2001:db8:10::1" "$(generation) $(answer)"
	refuse "killed, bundle lost: explain says what to do" "push it again" ecsctl explain "${table_question[@]}"
	stop KILL
	echo rubbish >"$state/generations/14.tar"
	start || exit 1
	same "killed, bundle broken: the driver answers" "14 2001:db8:10::1" "$(generation) $(answer)"
	contains "killed, bundle broken: the log names it" "$(log 3)" "generations/14.tar: error"
	exits "killed, bundle broken: a push mends it" 0 ecsctl push "$scratch/b.yaml"
	as_before "a push mended it" 15 2001:db8:10::77
	stop TERM
	cp "$state/ids.json" "$scratch/ids.json"
	echo '{"services": {' >"$state/ids.json"
	contains "ids.json is broken" "$(controller)" "$state/ids.json: error: not the ids"
	cp "$scratch/ids.json" "$state/ids.json"
	cp "$state/draw.key" "$scratch/draw.key"
	echo short >"$state/draw.key"
	contains "draw.key is broken" "$(controller)" "not 16 octets"
	cp "$scratch/draw.key" "$state/draw.key"
	same "neither changed an answer" 2001:db8:10::77 "$(answer)"
	start || exit 1
	as_before "both restored" 15 2001:db8:10::77
}

# The tables are gone, the state is kept.
reboot()
{
	local ids

	ids=$(ecsctl stats --json | jq -c '[.services[] | [.id, .service]]')
	stop KILL
	check "reboot: tables gone" reload_tables
	start || exit 1
	contains "reboot: published again" "$(log 1)" "generation 15 published again"
	as_before "reboot" 15 2001:db8:10::77
	same "reboot: services keep their ids" "$ids" "$(ecsctl stats --json | jq -c '[.services[] | [.id, .service]]')"
	exits "reboot: the next push" 0 ecsctl push "$scratch/a.yaml"
	same "reboot: counts on" 16 "$(generation)"
	stop KILL
	echo rubbish >"$state/generations/16.tar"
	check "reboot: tables gone again" reload_tables
	start || exit 1
	contains "reboot with a broken bundle: the log names it" "$(log 3)" "generations/16.tar: error"
	as_before "reboot with a broken bundle, the one before" 15 2001:db8:10::77
}

tables_unloaded()
{
	check "unload under the controller" reload_tables
	refuse "unloaded: a push says so" "restart ecsdns-controller" ecsctl push "$scratch/a.yaml"
	refuse "unloaded: a rollback, too" "restart ecsdns-controller" ecsctl rollback
	exits "unloaded: status --ready" 1 ecsctl status --ready
	contains "unloaded: status says why" "$output" "restart ecsdns-controller"
	contains "unloaded: and that the fallback has the old ones as well" "$output" "ecsdns-fallback, which"
	$lab stop
	start || exit 1
	as_before "unloaded, and the daemons restarted" 15 2001:db8:10::77
	exits "ready again" 0 ecsctl status --ready
}

state_directory()
{
	local before

	$lab stop
	cp -a "$state" "$scratch/state"
	mount -t tmpfs -o size=256k,mode=750 "ecsdns-$LAB" "$state"
	cp -a "$scratch/state/." "$state/"
	start || exit 1
	before="$(generation) $(answer)"
	head -c 1M /dev/zero >"$state/fill" 2>/dev/null
	refuse "disk full: a push says so" "No space left on device (make room on its disk" ecsctl push "$scratch/a.yaml"
	same "disk full: nothing changed" "$before" "$(generation) $(answer)"
	stop KILL
	start || exit 1
	same "disk full: adopted" "$before" "$(generation) $(answer)"
	rm "$state/fill"
	exits "disk with room again: push" 0 ecsctl push "$scratch/a.yaml"
	same "disk with room again" "16 2001:db8:10::1" "$(generation) $(answer)"
	$lab stop
	umount "$state"
	start || exit 1
	rm -rf "$state"
	refuse "state removed: a push says what to do" "restart ecsdns-controller" ecsctl push "$scratch/b.yaml"
	same "state removed: nothing changed" "16 2001:db8:10::1" "$(generation) $(answer)"
	stop TERM
	start || exit 1
	exits "state removed, restarted: push" 0 ecsctl push "$scratch/b.yaml"
	as_before "state removed, restarted, pushed" 17 2001:db8:10::77
}

# What a refusal tells the operator to do is enough, for this push and for the one after it.
full_table()
{
	local advice

	{
		sed '/^topologies:/,$d' "$scratch/b.yaml"
		printf 'topologies:\n  wide:\n    default: tokyo\n    prefixes:\n'
		for i in {0..40}; do
			echo "      10.$((i * 2)).0.0/16: osaka1"
		done
		printf 'services:\n  - {name: www.example.com, topology: wide}\n'
	} >"$scratch/wide.yaml"
	stop TERM
	exits "full: ecsdns-loader --json detach" 0 $lab server ecsdns-loader --json detach ecs0
	field "full: nothing is attached" '.interfaces | length' 0
	exits "full: ecsdns-loader --json unload" 0 $lab server ecsdns-loader --json unload
	field "full: the tables are removed" '.removed' true
	exits "full: attach" 0 $lab server ecsdns-loader attach ecs0
	check "full: small tables" reload_tables --topology4 64
	start || exit 1
	refuse "full: a push says which" "table topology4 is too small" ecsctl push "$scratch/wide.yaml"
	refuse "full: a dry run, too" "table topology4 is too small" ecsctl push --dry-run "$scratch/wide.yaml"
	same "full: nothing changed" "17 2001:db8:10::77" "$(generation) $(answer)"
	advice=$(ecsctl push "$scratch/wide.yaml" 2>&1 | grep -o -- '--topology4 [0-9]*')
	stop TERM
	# shellcheck disable=SC2086
	check "full: the advice is taken ($advice)" reload_tables $advice
	start || exit 1
	exits "full: and the push fits" 0 ecsctl push "$scratch/wide.yaml"
	exits "full: beside itself, too" 0 ecsctl push "$scratch/wide.yaml"
	exits "full: and back" 0 ecsctl push "$scratch/b.yaml"
}

no_controller()
{
	$lab stop
	refuse "no controller" "no controller listens" ecsctl status
	exits "no controller, --json" 1 ecsctl --json status
	field "says so in JSON" '.error | startswith("no controller listens")' true
	same "the driver answers" 2001:db8:10::77 "$(answer)"
	contains "a controller without tables" "$(controller --pins /nonexistent)" "ecsdns-loader attach IFACE"
}

main "$@"
