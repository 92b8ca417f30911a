#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# examples/anycast: BIRD takes its configuration; and with a BIRD at each end of the lab, the addresses are announced while the
# host is ready, and withdrawn when the program is taken off, for maintenance, and when the watcher ends. A controller that is
# dead withdraws nothing before its time is over.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-anycast}
lab=tests/lab.sh
scratch=$(mktemp -d)

end()
{
	local status=$?

	jobs -p | xargs -r kill 2>/dev/null
	for side in server client; do
		birdc -s "$scratch/$side.ctl" down >/dev/null 2>&1
	done
	$lab down
	wait
	rm -rf "$scratch"
	exit $status
}

# The example with the lab's addresses: the router is the client's end. Quick, so that the test is.
make_files()
{
	sed 's/router id 192.0.2.10/router id 198.18.0.1/; s/neighbor 192.0.2.1 /neighbor 198.18.0.2 /
		s/neighbor 2001:db8:1::1 /neighbor fd00:ec5::2 /; s/log syntax all/log stderr all/; s/log syslog all/log stderr all/
		s/hold time 9;/hold time 9; connect delay time 1; connect retry time 1;/' examples/anycast/bird.conf >"$scratch/server.conf"
	cat >"$scratch/client.conf" <<-END
		router id 198.18.0.2;
		log stderr all;
		protocol device {}
		template bgp host { local as 65000; passive; }
		protocol bgp host4 from host { neighbor 198.18.0.1 as 65010; ipv4 { import all; export none; }; }
		protocol bgp host6 from host { neighbor fd00:ec5::1 as 65010; ipv6 { import all; export none; }; }
	END
}

bird_start()
{
	$lab "$1" bird -f -c "$scratch/$1.conf" -s "$scratch/$1.ctl" 2>"$scratch/$1.log" &
}

routes()
{
	birdc -s "$scratch/client.ctl" show route 2>/dev/null | grep -cE '^(198\.18\.0\.1/32|fd00:ec5::1/128) '
}

# COUNT: how many of the two the router has, within 8 seconds
routes_become()
{
	for _ in $(seq 80); do
		[ "$(routes)" -eq "$1" ] && return
		sleep 0.1
	done
	birdc -s "$scratch/client.ctl" show route
	tail -n 5 "$scratch/watcher.log"
	return 1
}

watcher_start()
{
	INTERVAL=0.1 HOLD=0 RISE=2 FALL=2 MAX_AGE=2 MAINTENANCE=$scratch/maintenance BIRDC="birdc -s $scratch/server.ctl" \
		QUESTION="@198.18.0.1 example.com SOA" exec $lab server examples/anycast/ecsdns-anycast 2>>"$scratch/watcher.log"
}

trap end EXIT
check "BIRD takes the example" bird -p -c examples/anycast/bird.conf
make_files
$lab up examples/japan.yaml >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
bird_start client
bird_start server
watcher_start &
watcher=$!
check "announced, since the host is ready" routes_become 2
$lab server ecsdns-loader detach ecs0 >/dev/null
check "withdrawn, since the program is off" routes_become 0
$lab server ecsdns-loader attach ecs0 >/dev/null 2>&1
check "announced again" routes_become 2
touch "$scratch/maintenance"
check "withdrawn for maintenance" routes_become 0
rm "$scratch/maintenance"
check "announced after it" routes_become 2
kill -9 "$(<"/run/ecsdns-lab/$LAB/controller.pid")"
sleep 0.5
same "a dead controller alone withdraws nothing at once" 2 "$(routes)"
check "but the age of what it knew of members does" routes_become 0
$lab start
check "announced when it is back" routes_become 2
kill "$watcher"
check "withdrawn when the watcher ends" routes_become 0
contains "the log says why" "$(<"$scratch/watcher.log")" "withdrawn: the program is attached to no interface"
finish
