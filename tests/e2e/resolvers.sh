#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Real resolvers in front of the driver: Unbound and PowerDNS Recursor, as examples/resolvers/ configures them, each in a
# namespace of its own, over either family. Clients of the default, clients with a prefix of their own and IPv4 clients
# ask in every order, within one TTL and after it: each must get its own site, and the caches, which are read, must hold
# exactly what scope and source allow. The same questions to the same resolvers in front of a server that answers its
# default with scope 0 (Knot's geoip) must show the wrong site, or this test could not fail.
#
# SEED=N repeats a run's random clients.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-resolvers}
build=${BUILD:-$root/build}
run=/run/ecsdns-lab/$LAB
lab=tests/lab.sh
scratch=$(mktemp -d)
seed=${SEED:-$RANDOM}
export ECSDNS_SOCKET=$run/control.sock
export PATH=$build:$PATH
export PYTHONDONTWRITEBYTECODE=1

# Instances: what runs, where IPv6 clients are cut, the server's addresses. Number N has 198.18.N.2 and fd00:ec5:N::2.
instances=(unbound-40 recursor-40 unbound-56 recursor-56 unbound-scope0 recursor-scope0)
knot=20

main()
{
	trap end EXIT
	remove_namespaces
	make_configuration || exit 1
	$lab up "$scratch/main.yaml" >"$scratch/up" 2>&1 || bail_out "the lab did not come up" "$scratch/up"
	make_namespaces
	start_servers
	note "! random clients of seed $seed"
	quoted
	replay
	families
	driver_answered
	finish
}

# WHY LOG
bail_out()
{
	echo "Bail out! $1"
	sed 's/^/# /' "$2"
	exit 1
}

end()
{
	local status=$?

	remove_namespaces
	$lab down
	rm -rf "$scratch"
	exit $status
}

namespace()
{
	echo "ecsdns-$LAB-$1"
}

# INSTANCE CMD...
inside()
{
	local instance=$1
	shift

	ip netns exec "$(namespace "$instance")" "$@"
}

# Also those that an earlier run left, which was killed.
remove_namespaces()
{
	local instance

	for instance in "${instances[@]}" knot; do
		[ -e "/run/netns/$(namespace "$instance")" ] || continue
		ip netns pids "$(namespace "$instance")" | xargs -r kill -9 2>/dev/null
		ip netns del "$(namespace "$instance")"
	done
}

# examples/japan.yaml with a service for every order and instance, and a topology of random prefixes.
make_configuration()
{
	cp examples/example.com.zone "$scratch/" &&
		tests/load/model.py prefixes "$seed" 60 60 tokyo osaka1 osaka3 kyushu --lengths4 8 16 20 24 28 \
			--lengths6 20 28 32 36 40 44 48 >"$scratch/crowd.csv" &&
		sed '/^topologies:/a\  crowd: {default: tokyo, file: crowd.csv}' examples/japan.yaml >"$scratch/main.yaml" &&
		tests/e2e/resolvers/scenario.py services "${instances[@]:0:4}" >>"$scratch/main.yaml" &&
		mkdir "$scratch/knot" "${instances[@]/#/$scratch/}" &&
		tests/e2e/resolvers/scenario.py knot "$scratch/main.yaml" "$scratch/knot" "${instances[@]:4}"
}

# Spokes around the client's namespace, which routes.
make_namespaces()
{
	local number=0 instance

	$lab client sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.dad_transmits=0
	$lab server ip route add 198.18.0.0/15 via 198.18.0.2
	$lab server ip route add fd00:ec5::/32 via fd00:ec5::2
	for instance in "${instances[@]}"; do
		number=$((number + 1))
		make_spoke "$instance" $number
	done
	make_spoke knot $knot
}

# INSTANCE NUMBER
make_spoke()
{
	ip netns add "$(namespace "$1")"
	# Duplicate address detection of link-local addresses would keep neighbour discovery silent for the first second.
	inside "$1" sysctl -qw net.ipv6.conf.default.dad_transmits=0
	ip link add hub netns "$(namespace "$1")" type veth peer name "spoke$2" netns "$(namespace client)"
	inside "$1" ip addr add "198.18.$2.2/24" dev hub
	inside "$1" ip addr add "fd00:ec5:$2::2/64" dev hub nodad
	$lab client ip addr add "198.18.$2.1/24" dev "spoke$2"
	$lab client ip addr add "fd00:ec5:$2::1/64" dev "spoke$2" nodad
	inside "$1" ip link set dev lo up
	inside "$1" ip link set dev hub up
	$lab client ip link set dev "spoke$2" up
	inside "$1" ip route add 198.18.0.0/15 via "198.18.$2.1"
	inside "$1" ip route add fd00:ec5::/32 via "fd00:ec5:$2::1"
}

# -- servers -----------------------------------------------------------------------------------------------------------

start_servers()
{
	local number=0 instance

	start_knot
	start_unbound unbound-40 '/stub-addr: 198/d'
	start_unbound unbound-56 '/stub-addr: fd00/d; s/ipv6: 40/ipv6: 56/; s/subnetcache iterator/subnetcache validator iterator/'
	start_unbound unbound-scope0 "s/: 198.18.0.1/: 198.18.$knot.2/; s/: fd00:ec5::1/: fd00:ec5:$knot::2/"
	start_recursor recursor-40 's/198.18.0.1;fd00:ec5::1/198.18.0.1/'
	start_recursor recursor-56 's/198.18.0.1;fd00:ec5::1/fd00:ec5::1/; s/ipv6-bits=40/ipv6-bits=56/'
	start_recursor recursor-scope0 "s/198.18.0.1;fd00:ec5::1/198.18.$knot.2;fd00:ec5:$knot::2/"
	for instance in "${instances[@]:0:4}"; do
		number=$((number + 1))
		wait_for_answer "$instance" "198.18.$number.2" www.example.com
	done
	wait_for_answer knot "198.18.$knot.2" ns1.example.com
}

# INSTANCE CMD...: in the foreground, and gone when this test is, however that ends
start()
{
	local instance=$1
	shift

	{ exec ip netns exec "$(namespace "$instance")" setpriv --pdeathsig KILL "$@" >"$scratch/$instance/log" 2>&1 </dev/null; } &
	disown	# or bash reports its end
}

# INSTANCE EDIT: the example, as this instance has it, and what only a test wants
start_unbound()
{
	local folder=$scratch/$1

	sed "$2" examples/resolvers/unbound.conf >"$folder/example.conf"
	cat >"$folder/unbound.conf" <<-END
		include: "$folder/example.conf"
		server:
		  interface: 0.0.0.0
		  interface: ::0
		  access-control: 198.18.0.0/15 allow_snoop
		  access-control: fd00:ec5::/32 allow_snoop
		  directory: "$folder"
		  pidfile: "$folder/pid"
		  chroot: ""
		  username: ""
		  use-syslog: no
		  extended-statistics: yes
		remote-control:
		  control-enable: yes
		  control-interface: "$folder/control"
	END
	start "$1" unbound -d -c "$folder/unbound.conf"
}

# INSTANCE EDIT. There is no root to begin at, and so neither hints nor DNSSEC.
start_recursor()
{
	sed "$2" examples/resolvers/recursor.conf >"$scratch/$1/recursor.conf"
	start "$1" pdns_recursor --config-dir="$scratch/$1" --socket-dir="$scratch/$1" --write-pid=no --disable-syslog \
		--local-address=0.0.0.0,:: --allow-from=198.18.0.0/15,fd00:ec5::/32 --hint-file=no --dnssec=off --security-poll-suffix=
}

start_knot()
{
	local folder=$scratch/knot

	cat >"$folder/knot.conf" <<-END
		server:
		  listen: [198.18.$knot.2, fd00:ec5:$knot::2]
		  rundir: $folder
		  edns-client-subnet: on
		log:
		  - target: stderr
		    any: info
		database:
		  storage: $folder
		mod-geoip:
		  - id: japan
		    mode: subnet
		    config-file: $folder/geoip.conf
		    ttl: 10
		template:
		  - id: default
		    storage: $folder
		    journal-content: none
		    zonefile-sync: -1
		zone:
		  - domain: example.com
		    module: mod-geoip/japan
	END
	start knot knotd -c "$folder/knot.conf"
}

# INSTANCE ADDRESS NAME
wait_for_answer()
{
	for _ in $(seq 50); do
		$lab client kdig "@$2" "$3" AAAA +short +timeout=1 +retry=0 2>/dev/null | grep -q : && return
		sleep 0.1
	done
	bail_out "$1 does not answer" "$scratch/$1/log"
}

# docs/resolvers.md has the files that are run here, without their comments.
quoted()
{
	local file

	for file in examples/resolvers/{unbound,recursor}.conf; do
		# shellcheck disable=SC2016
		same "docs/resolvers.md quotes $file" "$(grep -v '^[[:space:]]*#' "$file" | grep .)" \
			"$(awk -v file="\`$file\`" 'index($0, file) == 1 { here = 1 } here && /^```/ { if (quote++) exit; next } quote' \
				docs/resolvers.md)"
	done
}

# -- what is asked -----------------------------------------------------------------------------------------------------

# All at once, for each of them waits for the TTL to end.
replay()
{
	local number=0 instance option status players=()

	for instance in "${instances[@]}"; do
		number=$((number + 1)) option=()
		[[ $instance != *-scope0 ]] || option=(--control "198.18.$knot.2")
		$lab client tests/e2e/resolvers/replay.py "${instance%-*}" "$(cut_of "$instance")" "198.18.$number.2" \
			"$scratch/main.yaml" "$scratch/$instance" "$seed" "${option[@]}" >"$scratch/$instance/tap" 2>&1 &
		players+=($!)
	done
	for instance in "${instances[@]}"; do
		status=0
		wait "${players[0]}" || status=$?
		players=("${players[@]:1}")
		tap_of "$scratch/$instance/tap"
		same "$instance: played to the end" 0 $status
	done
}

# The examples' /40 is what the instances in front of Knot have, too.
cut_of()
{
	local cut=${1##*-}

	[ "$cut" = scope0 ] && echo 40 || echo "$cut"
}

# FILE: its lines, numbered like ours
tap_of()
{
	local line

	while IFS= read -r line; do
		case $line in
		"ok "*) tap_ok "${line#ok }" ;;
		"not ok "*) tap_not_ok "${line#not ok }" ;;
		*) note "${line#\# }" ;;
		esac
	done <"$1"
}

# Of the server's two addresses, those that INSTANCE has asked.
asked()
{
	local folder=$scratch/$1

	case $1 in
	unbound-*) unbound-control -c "$folder/unbound.conf" dump_infra ;;
	recursor-*) rec_control --socket-dir="$folder" dump-nsspeeds "$folder/speeds" >/dev/null; cat "$folder/speeds" ;;
	esac | grep -oE '198\.18\.0\.1|fd00:ec5::1' | sort -u
}

# Sum of the reasons that this jq condition selects.
sum_of()
{
	ecsctl stats --json | jq "[.reasons[] | select($1) | .driver] | add"
}

families()
{
	same "unbound-40 asked over IPv6" fd00:ec5::1 "$(asked unbound-40)"
	same "unbound-56 asked over IPv4" 198.18.0.1 "$(asked unbound-56)"
	same "recursor-40 asked over IPv4" 198.18.0.1 "$(asked recursor-40)"
	same "recursor-56 asked over IPv6" fd00:ec5::1 "$(asked recursor-56)"
}

driver_answered()
{
	local answered passed

	answered=$(sum_of '.outcome == "TX"')
	passed=$(sum_of '.outcome == "PASS" and .reason != "NOT_DNS" and .reason != "IP_EXTENSIONS"')
	note "! the driver answered $answered of $((answered + passed)) queries"
	check "the driver answered the resolvers" test "$answered" -gt 0
	same "it passed up no query but those for zone data" "$(sum_of '.reason == "NAME"')" "$passed"
}

main "$@"
