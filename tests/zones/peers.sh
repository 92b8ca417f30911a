# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# For tests with other servers' zones. Set LAB, source it.
#
#   peers_start FOLDER ZONE    start Knot and NSD with the configurations that tests/zones/peers.py wrote there; they are
#                              ready when they answer for ZONE, and end with the lab, or by:
#   peers_stop FOLDER
#   zones_served ZONE [PORT]   whether the server answers for ZONE, within 10 seconds
#   zones_ask NAME CMD...      CMD, run beside the clients, must find every reply right; what it says becomes notes
lab=tests/lab.sh

peers_start()
{
	$lab server knotd -c "$1/knot.conf" >"$1/knot.log" 2>&1 &
	echo $! >"$1/pids"
	$lab server nsd -d -c "$1/nsd.conf" >"$1/nsd.log" 2>&1 &
	echo $! >>"$1/pids"
	if ! zones_served "$2" 5301 || ! zones_served "$2" 5302; then
		cat "$1/knot.log" "$1/nsd.log"
		return 1
	fi
}

peers_stop()
{
	local pid

	while read -r pid; do
		kill "$pid" 2>/dev/null
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.05
		done
	done <"$1/pids"
}

zones_served()
{
	local port=${2:-53}

	for _ in $(seq 100); do
		[ -z "$($lab client kdig @198.18.0.1 -p "$port" "$1" SOA +short +timeout=1 +retry=0 2>/dev/null)" ] || return 0
		sleep 0.1
	done
	return 1
}

zones_ask()
{
	local name=$1 output status=0
	shift

	output=$($lab client "$@" 2>&1) || status=$?
	same "$name" 0 $status
	# What it finds wrong, or its last line alone.
	[ $status -eq 0 ] && output=$(tail -n 1 <<<"$output")
	printf '%s\n' "$output" | sed 's/^\(# \)\?/# /'
}
