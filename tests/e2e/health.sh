#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Checks and answers together: a web server's members fail and come back, and the answers of the driver and of the
# fallback follow, under questions none of which is lost; over a killed controller, a push, a disabled member, and the
# loss of all at once.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-health}
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
state=$run/state
all="198.18.4.1 198.18.4.2 198.18.4.3"

main()
{
	make_files
	trap end EXIT
	$lab up >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
	start_web
	check "pushed" ecsctl push "$scratch/a.yaml"
	begins
	one_fails
	restarts
	pushes
	disabled
	age
	unsaved
	all_fail
	finish
}

end()
{
	local status=$?

	[ ! -e "$scratch/nginx.pid" ] || kill "$(<"$scratch/nginx.pid")"
	(exit $status)
	load_end
}

# A member is well while there is no file of its address; the log says who was checked.
make_files()
{
	cat >"$scratch/a.yaml" <<-'END'
		server: {addresses: [198.18.0.1, "fd00:ec5::1"]}
		checks:
		  web: {type: http, port: 8080, path: /health, interval: 100ms, timeout: 90ms, rise: 2, fall: 2}
		pools:
		  tokyo:
		    check: web
		    members:
		    - {name: a, address: 198.18.4.1}
		    - {name: b, address: 198.18.4.2}
		    - {name: c, address: 198.18.4.3}
		  osaka: {check: web, members: [{name: a, address: 198.18.4.11}]}
		topologies:
		  japan: {default: tokyo, prefixes: {10.0.0.0/8: osaka}}
		services:
		- {name: www.example.com, topology: japan, regions: {tokyo: [tokyo, osaka], osaka: [osaka, tokyo]}}
	END
	sed 's/ttl: 30/ttl: 7/; s/name: www.example.com,/name: www.example.com, ttl: 7,/' "$scratch/a.yaml" >"$scratch/b.yaml"
	mkdir "$scratch/bad"
	cat >"$scratch/nginx.conf" <<-END
		daemon off; worker_processes 1; pid $scratch/nginx.pid; error_log $scratch/nginx.log;
		events { worker_connections 1024; }
		http {
			log_format who '\$server_addr'; access_log $scratch/access who;
			client_body_temp_path $scratch/t1; proxy_temp_path $scratch/t2; fastcgi_temp_path $scratch/t3;
			uwsgi_temp_path $scratch/t4; scgi_temp_path $scratch/t5;
			server {
				listen 8080;
				location = /health {
					if (-f $scratch/bad/\$server_addr) { return 503; }
					return 200;
				}
			}
		}
	END
}

start_web()
{
	for address in $all 198.18.4.11; do
		$lab server ip addr add "$address/32" dev lo
	done
	chmod 755 "$scratch" "$scratch/bad"
	$lab server nginx -c "$scratch/nginx.conf" -p "$scratch" >>"$scratch/nginx.log" 2>&1 &
	disown
	check "a web server" await 50 $lab server curl -s -o "$scratch/body" http://198.18.4.1:8080/health
}

# -- helpers --

answers()
{
	load_answers www.example.com "${1:-192.0.2.0/24}"
}

are()
{
	[ "$(answers "${@:2}")" = "$1" ]
}

# NAME EXPECTED [BLOCK]: soon
becomes()
{
	await 100 are "${@:2}"
	same "$1" "$2" "$(answers "${@:3}")"
}

well()
{
	rm -f "$scratch/bad/$1"
}

ill()
{
	touch "$scratch/bad/$1"
}

# NAME EXPECTED FILTER [OBJECT]: of GET health
health()
{
	same "$1" "$2" "$(ecsctl --json health ${4:+"$4"} | jq -r "$3" 2>&1)"
}

# STATE REASON ADDRESS: of the member with this address
is_known()
{
	[ "$(ecsctl --json health | jq -r --arg address "$3" \
		'.pools[].members[] | select(.address == $address) | "\(.state) \(.why)"')" = "$1 $2" ]
}

# Checks of an address since now, in half a second
checked()
{
	local before

	before=$(grep -c "^$1\$" "$scratch/access")
	sleep 0.5
	echo $(($(grep -c "^$1\$" "$scratch/access") - before))
}

# -- the answers --

begins()
{
	becomes "all are answered" "$all"
	becomes "and in the other region its own" 198.18.4.11 10.0.0.0/24
	check "each is known to be up, and why" await 100 is_known up "status 200" 198.18.4.1
	check "every member is checked" test "$(checked 198.18.4.2)" -gt 2
}

one_fails()
{
	local steady

	touch "$scratch/steady"
	$lab client tests/e2e/steady.py 198.18.0.1 www.example.com 192.0.2.0/24 "$scratch/steady" >"$scratch/seen" &
	steady=$!
	await 100 test -e "$scratch/steady.begun"
	ill 198.18.4.2
	becomes "a member whose check fails is no longer answered" "198.18.4.1 198.18.4.3"
	check "and health says why" await 50 is_known down "status 503" 198.18.4.2
	well 198.18.4.2
	becomes "when it is well again it is" "$all"
	ill 198.18.4.11
	becomes "a region whose pool is down gets the next" "$all" 10.0.0.0/24
	well 198.18.4.11
	becomes "and its own again" 198.18.4.11 10.0.0.0/24
	rm "$scratch/steady"
	wait $steady
	same "meanwhile every question was answered, by both, with one of the two" \
		"driver: $all, driver: 198.18.4.1 198.18.4.3, fallback: $all, fallback: 198.18.4.1 198.18.4.3" \
		"$(awk '{ line = $1 ":"; for (i = 3; i <= NF; i++) line = line " " $i; print line }' "$scratch/seen" | sort |
			paste -sd, | sed 's/,/, /g')"
	note "! $(tr '\n' ';' <"$scratch/seen")"
	health "a member's history is told" "down status 503, up status 200" \
		'[.pools[0].members[0].history[-2:][] | "\(.state) \(.reason)"] | join(", ")' "tokyo/b"
	health "and those who ask for all are spared it" null '.pools[0].members[0].history'
	health "since when" true '.pools[0].members[0].since > now - 60' "tokyo/b"
}

restarts()
{
	local signal steady

	for signal in KILL TERM; do
		ill 198.18.4.1
		becomes "SIG$signal: a member is down" "198.18.4.2 198.18.4.3"
		load_stop_controller $signal
		same "SIG$signal: without a controller the answers stay" "198.18.4.2 198.18.4.3" "$(answers)"
		printf '{"pool": "to' >>"$state/health.journal"
		touch "$scratch/steady"
		$lab client tests/e2e/steady.py 198.18.0.1 www.example.com 192.0.2.0/24 "$scratch/steady" >"$scratch/seen" &
		steady=$!
		$lab start >/dev/null
		check "SIG$signal: half a line at the journal's end is left to itself" test -z "$(tail -c 1 "$state/health.journal")"
		load_wait_ready
		check "SIG$signal: it checks again" await 100 is_known down "status 503" 198.18.4.1
		rm "$scratch/steady"
		wait $steady
		same "SIG$signal: and nobody was sent to the member meanwhile" 0 "$(grep -c '198\.18\.4\.1 ' "$scratch/seen")"
		well 198.18.4.1
		becomes "SIG$signal: it is well again" "$all"
	done
}

pushes()
{
	local steady

	ill 198.18.4.3
	becomes "before a push a member is down" "198.18.4.1 198.18.4.2"
	touch "$scratch/steady"
	$lab client tests/e2e/steady.py 198.18.0.1 www.example.com 192.0.2.0/24 "$scratch/steady" >"$scratch/seen" &
	steady=$!
	await 100 test -e "$scratch/steady.begun"
	check "a push" ecsctl push "$scratch/b.yaml"
	sleep 0.3
	rm "$scratch/steady"
	wait $steady
	same "over which the member stays down" 0 "$(grep -c '198\.18\.4\.3' "$scratch/seen")"
	check "the push is in force" test "$($lab client kdig +noall +answer @198.18.0.1 www.example.com A | awk 'NR == 1 {print $2}')" = 7
	well 198.18.4.3
	becomes "and its checks go on" "$all"
	sed '/address: 198.18.4.1}/d' "$scratch/b.yaml" >"$scratch/c.yaml"
	check "a push without a member that was down at the last start" ecsctl push "$scratch/c.yaml"
	same "  is in force" "198.18.4.2 198.18.4.3" "$(answers)"
	check "and one that brings it back" ecsctl push "$scratch/b.yaml"
	same "  which is not down again for that" "$all" "$(answers)"
}

disabled()
{
	check "disable" ecsctl disable tokyo/a --reason "new disks"
	same "a disabled member is not answered" "198.18.4.2 198.18.4.3" "$(answers)"
	sleep 0.2
	same "nor checked" 0 "$(checked 198.18.4.1)"
	check "others are" test "$(checked 198.18.4.2)" -gt 2
	check "enable" ecsctl enable tokyo/a
	becomes "then it is again" "$all"
	check "and checked" test "$(checked 198.18.4.1)" -gt 2
}

# JQ-FILTER: of the table's only entry
table()
{
	bpftool -j map dump pinned "$ECSDNS_PINS/health" | jq -r ".[0].formatted.value | $1"
}

# In the lab's namespace, where the interfaces are.
server()
{
	$lab server "$@"
}

is_older()
{
	server ecsctl --json status --ready --max-age 1000 | jq -e ".health.age > $1"
}

# The controller's word stands in a table, for who looks when it is dead; an operator's limit decides whether it is too old.
age()
{
	local error

	same "the table tells how many members are checked, and are down" "4 0 0" "$(table '"\(.checked) \(.down) \(.holding)"')"
	check "and for which generation" test "$(table .generation)" = "$(ecsctl --json status | jq .generation)"
	check "and when that was" test $(($(date +%s) - $(table .written_date))) -le 3
	ill 198.18.4.1
	becomes "a member fails" "198.18.4.2 198.18.4.3"
	check "which the table knows a second later" await 100 eval '[ "$(table .down)" = 1 ]'
	well 198.18.4.1
	becomes "and is well again" "$all"
	check "status says how old that is" grep -qE "^health +[0-2]\.[0-9] s old: 4 members checked, [01] of them down$" \
		<(ecsctl status)
	load_stop_controller KILL
	check "without a controller a host is ready, while the states are young" server ecsctl status --ready
	check "which root is told by the tables" grep -q "^controller   does not answer" <(server ecsctl status --ready)
	check "they get older" await 200 is_older 2.5
	check "until they are too old" refused server ecsctl status --ready --max-age 2
	error=$(server ecsctl status --ready --max-age 2 2>&1)
	contains "and why, is said" "$error" "s old, more than 2 s: the controller does not run"
	error=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$build/ecsctl" status --ready 2>&1)
	contains "who may ask neither is told so" "$error" "and the tables cannot be asked: "
	$lab start >/dev/null
	load_wait_ready
	check "a new controller makes them young again" await 150 server ecsctl status --ready --max-age 1
	kill -STOP "$(<"$run/controller.pid")"
	check "one that hangs is done without" grep -q "does not answer" <(server ecsctl status --ready)
	kill -CONT "$(<"$run/controller.pid")"
	check "curl: a limit" test "$(api_ready 0)" = false
	check "curl: a limit that is none" grep -q "a number of seconds was expected" \
		<(curl -s --unix-socket "$ECSDNS_SOCKET" "http://x/v1/status?max_age=-1")
}

refused()
{
	! "$@" >/dev/null 2>&1
}

# SECONDS
api_ready()
{
	sleep 0.1
	curl -s --unix-socket "$ECSDNS_SOCKET" "http://x/v1/status?max_age=$1" | jq .ready
}

# A verdict that is in the answers, and was never saved: the answers stay until every check has told, and then follow.
unsaved()
{
	ill 198.18.4.3
	becomes "a member fails" "198.18.4.1 198.18.4.2"
	load_stop_controller KILL
	rm -f "$state/health.json" "$state/health.journal" "$state/admin.json"
	well 198.18.4.3
	$lab start >/dev/null
	load_wait_ready
	becomes "whose state was lost: when its checks have told, the answers follow" "$all"
	spoilt
}

# The first of many checks is known to fail at once, the last one of all seconds later: until then nobody comes back.
spoilt()
{
	local pid

	{ cat "$scratch/b.yaml"; echo; } | awk '/^  osaka:/ { print "  many: {check: slow, members: ["
		for (i = 1; i <= 500; i++) print "    {name: m" i ", address: 198.18." 5 + int(i / 250) "." i % 250 "},"
		print "    ]}" } { print } /^checks:/ { print "  slow: {type: file, path: /dev/null/none, interval: 5s}" }' \
		>"$scratch/many.yaml"
	ill 198.18.4.3
	becomes "a member fails" "198.18.4.1 198.18.4.2"
	check "a push of many members" ecsctl push "$scratch/many.yaml"
	load_stop_controller KILL
	rm -f "$state/health.journal"
	echo '{"version": 1, "members": [' >"$state/health.json"
	for _ in 1 2; do
		ill 198.18.4.1
		$lab start >/dev/null
		load_wait_ready
		check "states are spoilt, and a check fails" await 100 is_known down "status 503" 198.18.4.1
		same "  the answers stay" "198.18.4.1 198.18.4.2" "$(answers)"
		load_stop_controller TERM
	done
	well 198.18.4.1
	$lab start >/dev/null
	load_wait_ready
	await 200 is_known down "status 503" 198.18.4.3
	becomes "until all have told" "198.18.4.1 198.18.4.2"
	well 198.18.4.3
	await 400 are "$all"	# the first round takes five seconds
	becomes "and then follow" "$all"
}

# As if this host's own network had gone: the last states stay.
all_fail()
{
	local master

	master=$(<"$scratch/nginx.pid")
	# shellcheck disable=SC2046 # its workers
	kill -9 "$master" $(pgrep -P "$master")
	rm "$scratch/nginx.pid"
	check "every check fails: the log says that states are held" await 100 grep -q "verdicts stay as they are" "$run/controller.log"
	sleep 0.5
	same "and the answers stay" "$all" "$(answers)"
}

main
