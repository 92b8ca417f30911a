#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# DNS cookies of a running server: driver and fallback make the same of the same secrets and clock, the controller puts
# secrets into their table and rolls them over, and nobody else gets to see them. What a single cookie is worth, to the octet,
# is for tests/vectors and tests/unit/test_cookies.c.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=cookies-e2e
# shellcheck source=tests/load/common.sh
. tests/load/common.sh

client=0123456789abcdef
secrets=$scratch/secrets
one=$(openssl rand -hex 16) other=$(openssl rand -hex 16)
export CONTROLLER_OPTIONS="--cookie-secrets $secrets"

main()
{
	give "$one"
	load_begin examples/japan.yaml
	load_wait_ready
	alike
	roll_over
	faulty
	without_controller
	given_none
	kept_to_ourselves
	finish
}

# SECRET...: in a file of its own, put in the old one's place
give()
{
	(umask 077 && printf '%s\n' "$@" >"$secrets.new" && mv "$secrets.new" "$secrets")
}

# SECRET...: and read
roll()
{
	local before

	before=$(grep -c 'has been read again' "$run/controller.log")
	give "$@"
	kill -HUP "$(<"$run/controller.pid")"
	for _ in $(seq 100); do
		[ "$(grep -c 'has been read again' "$run/controller.log")" -eq "$before" ] || return 0
		sleep 0.05
	done
	return 1
}

# ADDRESS COOKIE [OPTION...]: the cookie of the reply
cookie()
{
	"$lab" client kdig "@$1" "+cookie=$2" +retry=0 +timeout=3 "${@:3}" www.example.com AAAA |
		sed -n 's/.*COOKIE: //p' | tr A-F a-f | tr -d ' '
}

# ADDRESS COOKIE: what the fallback thinks of it: NOERROR, or BADCOOKIE (RFC 7873 5.4)
thinks()
{
	"$lab" client /usr/bin/python3 -c '
import sys, dns.edns, dns.message, dns.query, dns.rcode
query = dns.message.Message()
query.use_edns(0, options=[dns.edns.GenericOption(10, bytes.fromhex(sys.argv[2]))])
print(dns.rcode.to_text(dns.query.udp(query, sys.argv[1], 3).rcode()))' "$1" "$2"
}

counter()
{
	bpftool -j map dump pinned "$ECSDNS_PINS/counters" | jq "[.[0].formatted.values[].value.$1] | add"
}

alike()
{
	local at made again before

	for at in 198.18.0.1 fd00:ec5::1; do
		before=$(counter ANSWERED)
		made=$(cookie $at $client)
		same "$at: the driver answers, with a cookie" $((before + 1)) "$(counter ANSWERED)"
		contains "$at: of version 1 for this client" "$made" "${client}01000000"
		check "$at: of now" test $(($(date +%s) - 0x0${made:24:8})) -le 5 -a $(($(date +%s) - 0x0${made:24:8})) -ge -1
		same "$at: the driver gives it back" "$made" "$(cookie $at "$made")"
		same "$at: so does the fallback, over TCP" "$made" "$(cookie $at "$made" +tcp)"
		same "$at: and believes it" NOERROR "$(thinks $at "$made")"
		again=$(cookie $at $client +tcp)
		same "$at: the driver gives the fallback's back" "$again" "$(cookie $at "$again")"
	done
}

# RFC 9018 5: what a client got before a step is believed behind it, at every step.
roll_over()
{
	local at=fd00:ec5::1 old new

	old=$(cookie $at $client)
	check "rollover: the new secret second" roll "$one" "$other"
	same "rollover: the old one signs" "$old" "$(cookie $at "$old")"
	check "rollover: the new secret first" roll "$other" "$one"
	same "rollover: the old one's cookie is believed" NOERROR "$(thinks $at "$old")"
	new=$(cookie $at "$old")
	check "rollover: and replaced by the driver" [ "$new" != "$old" ]
	same "rollover: by one that the fallback signs, too" "$new" "$(cookie $at "$new" +tcp)"
	check "rollover: the old secret goes" roll "$other"
	same "rollover: its cookie is not believed any more" BADCOOKIE "$(thinks $at "$old")"
	same "rollover: the new one's is" NOERROR "$(thinks $at "$new")"
	same "rollover: and given back by the driver" "$new" "$(cookie $at "$new")"
}

faulty()
{
	local made

	made=$(cookie 198.18.0.1 $client)
	give "$one" "${other}0"
	kill -HUP "$(<"$run/controller.pid")"
	check "a faulty file: the place is told" await_log "$secrets:2:1: error: expected a secret of 32 hexadecimal digits"
	same "a faulty file: the secrets stay" "$made" "$(cookie 198.18.0.1 "$made")"
	"$lab" stop
	refuse "a faulty file: no start with it" "expected a secret of 32" \
		"$lab" server ecsdns-controller --pins "$ECSDNS_PINS" --socket "$ECSDNS_SOCKET" --state "$run/state" \
		--cookie-secrets "$secrets"
	same "a faulty file: the secrets stay, after all" "$made" "$(cookie 198.18.0.1 "$made")"
}

await_log()
{
	for _ in $(seq 100); do
		! grep -qF "$1" "$run/controller.log" || return 0
		sleep 0.05
	done
	return 1
}

# The daemons are stopped.
without_controller()
{
	local made

	made=$(cookie fd00:ec5::1 $client)
	contains "without daemons: a cookie from the driver" "$made" "${client}01000000"
	check "without daemons: of now" test $(($(date +%s) - 0x0${made:24:8})) -le 5
	same "without daemons: it is given back" "$made" "$(cookie fd00:ec5::1 "$made")"
}

# A controller that is given no file leaves those that are there; only an empty table, as the loader makes it, gets the
# state directory's. Until then nobody speaks cookies, and the driver leaves such queries to the fallback.
given_none()
{
	local made before again

	made=$(cookie 198.18.0.1 $client)
	CONTROLLER_OPTIONS='' "$lab" start
	load_wait_ready
	same "no file given: the tables keep their secrets" "$made" "$(cookie 198.18.0.1 "$made")"
	kill -HUP "$(<"$run/controller.pid")"
	check "no file given: SIGHUP says so" await_log "to read again, and no --cookie-secrets"
	empty
	before=$(counter COOKIE)
	same "no secrets: no cookie" "" "$(cookie 198.18.0.1 $client)"
	same "no secrets: the driver leaves it to the fallback" $((before + 1)) "$(counter COOKIE)"
	restart_without_file
	again=$(cookie 198.18.0.1 $client)
	contains "empty tables and no file: a random secret" "$again" "${client}01000000"
	same "which is none of those before" BADCOOKIE "$(thinks 198.18.0.1 "$made")"
	same "which both paths believe" "$again" "$(cookie 198.18.0.1 "$again" +tcp)"
	empty
	restart_without_file
	same "which is believed when the tables are empty again, as after a boot" "$again" "$(cookie 198.18.0.1 "$again")"
	same "which is in a file for its owner alone" "600 16" "$(stat -c '%a %s' "$run/state/cookie.key")"
}

empty()
{
	# shellcheck disable=SC2046 # octets
	bpftool map update pinned "$ECSDNS_PINS/cookies" key 0 0 0 0 value $(printf '0 %.0s' $(seq 128))
}

restart_without_file()
{
	"$lab" stop
	CONTROLLER_OPTIONS='' "$lab" start
	load_wait_ready
}

kept_to_ourselves()
{
	local told=$scratch/told secret

	same "the table is for its owner alone" "600 0" "$("$lab" server stat -c '%a %u' "$ECSDNS_PINS/cookies")"
	{
		ecsctl status; ecsctl status --json; ecsctl stats --all; ecsctl health --json
		ecsdns-loader status --pins "$ECSDNS_PINS" --json
		cat "$run"/*.log
		find "$run/state" -type f -exec cat {} +
	} >"$told" 2>&1
	check "there was something to look at" [ "$(wc -c <"$told")" -gt 5000 ]
	for secret in "$one" "$other"; do
		check "no secret in status, stats, health, logs or the state directory: ${secret:0:2}..." \
			not grep -qaiE "$secret|$(xxd -r -p <<<"$secret" | xxd -p -c1 | tac | tr -d '\n')" "$told"
	done
	same "nor the octets themselves" 0 "$(/usr/bin/python3 -c '
import sys
told = open(sys.argv[1], "rb").read()
print(sum(bytes.fromhex(secret) in told for secret in sys.argv[2:]))' "$told" "$one" "$other")"
}

not()
{
	! "$@"
}

main
