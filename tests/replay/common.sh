# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests with build/replay share. Set LAB, source tests/tap.sh and it, call replay_begin.
#
# ECSDNS_SEED makes the same queries as a run before. With ECSDNS_COUNT too, only that many from number ECSDNS_FIRST on:
# what a failure prints to be seen again.
# shellcheck source=tests/load/common.sh
. tests/load/common.sh

seed=${ECSDNS_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
first=${ECSDNS_FIRST:-0}

# CONFIG: the lab, and clients of 198.18.0.128/25, .7 and .8 and their like behind its wire, who are nobody there
replay_begin()
{
	local network

	# COOKIE_SECRET(1) and (2) of query.h
	printf '%s\n' 11111111111111111111111111111111 22222222222222222222222222222222 >"$scratch/cookie.secrets"
	chmod 600 "$scratch/cookie.secrets"
	CONTROLLER_OPTIONS="--cookie-secrets $scratch/cookie.secrets" load_begin "$1"
	"$build/vectors-run" clock --pins "$ECSDNS_PINS" "$(sed -n 's/^#define COOKIE_CLOCK //p' tests/replay/query.h)" || exit 1
	for network in 198.18.0.128/25 198.18.7.0/24 198.18.8.0/24; do
		"$lab" server ip route add $network via 198.18.0.2
	done
	for network in fd00:ec5:0:0:8000::/65 fd00:ec5:7::/48 fd00:ec5:8::/48; do
		"$lab" server ip -6 route add $network via fd00:ec5::2
	done
	server_mac=$("$lab" server cat /sys/class/net/ecs0/address)
	ifindex=$("$lab" server cat /sys/class/net/ecs0/ifindex)
}

# VERB OPTION...: replay beside the server, beside the clients
replay_at_server()
{
	"$lab" server "$build/replay" "$@" --seed "$seed" --first "$first" --pins "$ECSDNS_PINS" --ifindex "$ifindex"
}

replay_at_client()
{
	"$lab" client "$build/replay" "$@" --seed "$seed" --first "$first" --interface ecs1 --server-mac "$server_mac"
}

# A figure of replay's last line: NAME TEXT
replay_figure()
{
	tail -n 1 <<<"$2" | grep -oP "\\b$1 \\K[0-9]+" || echo 0
}

# NAME STATUS TEXT: the test that a run of replay is; what is wrong stands in TEXT
replay_test()
{
	same "$1" 0 "$2"
	[ "$2" -eq 0 ] || note "$3"
}
