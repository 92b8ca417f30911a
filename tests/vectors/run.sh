#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The vectors in a lab of their own: what the literals say by dnspython, then through the driver by BPF_PROG_RUN, then,
# with the driver detached, through the fallback over UDP and TCP. The clock of cookies stands still, and their secrets are
# known. Prints TAP.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/vectors
runner=${BUILD:-$root/build}/vectors-run
export LAB=vectors
run=/run/ecsdns-lab/$LAB
# shellcheck source=tests/tap.sh
. "$root/tests/tap.sh"

lab()
{
	"$root/tests/lab.sh" "$@"
}

on=("$here"/scenario.txt "$here"/ecs.txt "$here"/malformed.txt "$here"/dns.txt "$here"/services.txt "$here"/cookies.txt)

main()
{
	trap 'lab down' EXIT
	check "dnspython reads every vector as its row says" "$here/make.py" --check "$here"/*.txt
	check "requirements and vectors know each other" "$here/make.py" --table "$root/docs/client-subnet.md" "$here"/*.txt
	lab up
	give_secrets
	give_addresses
	push ecs-off.yaml
	drive "$here/ecs-off.txt"
	push vectors.yaml
	drive "${on[@]}" "$here/frames.txt"
	roll_over
	drive "$here/cookies-rolled.txt"
	check "detach" lab server ecsdns-loader detach ecs0
	ask "$here/cookies-rolled.txt"
	roll_over
	ask "${on[@]}"
	push ecs-off.yaml
	ask "$here/ecs-off.txt"
	finish
}

# The draw of rotation and weights is of this key: with another, other records come first. Cookies are of the clock, too.
give_secrets()
{
	lab stop
	install -m 0600 "$here/draw.key" "$run/state/draw.key"
	install -m 0600 "$here/cookie.secrets" "$run/cookie.secrets"
	export CONTROLLER_OPTIONS="--cookie-secrets $run/cookie.secrets"
	check "the clock of cookies stands still" "$runner" clock --pins "$run/bpf/ecsdns/v1" "$(<"$here/cookie.clock")"
	lab start
}

# The second secret becomes the first (RFC 9018 5), and the first the second.
roll_over()
{
	local before

	before=$(rolled)
	sed -i '/^#/d; 1!G; h; $!d' "$run/cookie.secrets"
	check "SIGHUP: the secrets again" kill -HUP "$(<"$run/controller.pid")"
	for _ in $(seq 100); do
		[ "$(rolled)" -eq "$before" ] || return 0
		sleep 0.05
	done
}

rolled()
{
	grep -c 'has been read again' "$run/controller.log" || true
}

# The resolvers that the vectors are asked by.
give_addresses()
{
	local address

	while read -r address; do
		case $address in
		*:*) lab client ip addr replace "$address/128" dev ecs1 nodad ;;
		*) lab client ip addr replace "$address/32" dev ecs1 ;;
		esac
	done < <("$runner" addresses "$here"/*.txt | grep -vxE '198\.18\.0\.2|fd00:ec5::2')
	lab server ip addr add 198.18.0.53/24 dev ecs0
	lab server ip addr add fd00:ec5::53/64 dev ecs0 nodad
	lab server ip route replace 198.18.0.0/16 dev ecs0
	lab server ip -6 route replace fd00:ec5::/32 dev ecs0
}

# The fallback has loaded the zones of the new generation when it has followed the tables for a second.
push()
{
	check "push $1" lab server ecsctl push "$here/$1"
	sleep 1
}

drive()
{
	count < <(lab server "$runner" driver --pins "$run/bpf/ecsdns/v1" \
		--ifindex "$(lab server cat /sys/class/net/ecs0/ifindex)" "$@" 2>&1)
}

ask()
{
	count < <(lab client "$runner" server "$@" 2>&1)
}

# The runner's last line is not TAP; its "ok" and "not ok" count, and a run that prints neither has failed.
count()
{
	local output ok not_ok

	output=$(cat)
	ok=$(grep -c '^ok ' <<<"$output") || true
	not_ok=$(grep -c '^not ok ' <<<"$output") || true
	sed -E 's/^([0-9]+ passed, )/# \1/' <<<"$output"
	tap_number=$((tap_number + ok + not_ok))
	tap_failed=$((tap_failed + not_ok))
	[ $((ok + not_ok)) -gt 0 ] || tap_not_ok "the runner ran nothing"
}

main "$@"
