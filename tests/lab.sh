#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The lab: two network namespaces joined by a veth pair, with ecsdns running in one of them.
#
#   sudo tests/lab.sh up [CONFIG.yaml]   make it, attach, start both daemons, push the configuration
#   sudo tests/lab.sh client CMD...      run a command beside the clients (198.18.0.2, fd00:ec5::2 on ecs1)
#   sudo tests/lab.sh server CMD...      run a command beside the server (198.18.0.1, fd00:ec5::1 on ecs0);
#                                        ecsctl, ecsdns-loader and bpftool find this lab's socket and pins
#   sudo tests/lab.sh stop | start       stop or start both daemons; the driver does not care. start controller | fallback
#                                        starts one alone
#   sudo tests/lab.sh show               where things are
#   sudo tests/lab.sh down               remove every trace
#
# LAB=name gives a lab of its own beside the others. BUILD=dir takes the programs from there (default build/).
# LOADER_OPTIONS are given to `ecsdns-loader attach`, CONTROLLER_OPTIONS and FALLBACK_OPTIONS to those two.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$root/build}
lab=${LAB:-lab}
server=ecsdns-$lab-server
client=ecsdns-$lab-client
run=/run/ecsdns-lab/$lab

export ECSDNS_PINS=$run/bpf/ecsdns/v1
export ECSDNS_SOCKET=$run/control.sock
export ECSDNS_FALLBACK_SOCKET=$run/fallback.sock
export ECSDNS_STATE=$run/state
export LIBXDP_BPFFS=$run/bpf
export PATH=$build:$PATH

main()
{
	local verb=${1:-}

	[[ $lab =~ ^[a-z0-9-]{1,20}$ ]] || fail "LAB=$lab: lower-case letters, digits and dashes, please"
	[ $# -gt 0 ] && shift
	case $verb in
	up) need_root; up "$@" ;;
	client) need_lab; exec ip netns exec "$client" "$@" ;;
	server) need_lab; exec ip netns exec "$server" "$@" ;;
	stop) need_lab; stop_daemons ;;
	start) need_lab; start "${1:-}" ;;
	show) need_lab; show ;;
	down) need_root; down ;;
	--help | -h | help) usage ;;
	*) usage >&2; exit 2 ;;
	esac
}

usage()
{
	sed -n '3,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

fail()
{
	echo "lab: $*" >&2
	exit 1
}

need_root()
{
	[ "$(id -u)" -eq 0 ] || fail "namespaces and XDP need root; use sudo"
}

need_lab()
{
	need_root
	ip netns list | grep -q "^$server\b" || fail "no lab '$lab' is up; sudo tests/lab.sh up"
}

in_server()
{
	ip netns exec "$server" "$@"
}

in_client()
{
	ip netns exec "$client" "$@"
}

# Also after a crash: what an earlier lab of this name left is removed first.
up()
{
	local config=${1:-}

	[ -x "$build/ecsdns-loader" ] || fail "$build/ecsdns-loader is missing; run make"
	[ -z "$config" ] || [ -r "$config" ] || fail "$config: cannot be read"
	down
	trap 'echo "lab: up failed" >&2; down; exit 1' ERR
	make_namespaces
	make_bpffs
	in_client ip link set dev ecs1 xdpdrv obj "$build/pass.bpf.o" sec xdp
	# shellcheck disable=SC2086
	in_server ecsdns-loader attach ${LOADER_OPTIONS:-} ecs0
	start_daemons
	[ -z "$config" ] || in_server ecsctl push "$config"
	trap - ERR
}

make_namespaces()
{
	ip netns add "$server"
	ip netns add "$client"
	ip link add ecs0 netns "$server" type veth peer name ecs1 netns "$client"
	in_server ip link set dev lo up
	in_client ip link set dev lo up
	# Duplicate address detection would keep IPv6 silent for the first seconds.
	in_server ip addr add 198.18.0.1/24 dev ecs0
	in_server ip addr add fd00:ec5::1/64 dev ecs0 nodad
	in_client ip addr add 198.18.0.2/24 dev ecs1
	in_client ip addr add fd00:ec5::2/64 dev ecs1 nodad
	in_server ip link set dev ecs0 up
	in_client ip link set dev ecs1 up
}

# Not at /sys/fs/bpf: `ip netns exec` mounts a fresh /sys. Private to this lab, as libxdp's pins are keyed by ifindex.
make_bpffs()
{
	mkdir -p "$run/bpf" "$run/state"
	mount -t bpf "ecsdns-$lab" "$run/bpf"
}

start()
{
	case $1 in
	"") start_daemons ;;
	controller) start_controller ;;
	fallback) start_fallback ;;
	*) usage >&2; exit 2 ;;
	esac
}

start_daemons()
{
	start_controller
	start_fallback
}

# Where a test stands in for systemd, it is to hear of the fallback.
start_controller()
{
	# shellcheck disable=SC2086
	start_one controller env -u NOTIFY_SOCKET ecsdns-controller --pins "$ECSDNS_PINS" --socket "$ECSDNS_SOCKET" --state "$ECSDNS_STATE" \
		${CONTROLLER_OPTIONS:-}
	wait_for "the controller's socket" test -S "$ECSDNS_SOCKET"
}

start_fallback()
{
	# shellcheck disable=SC2086
	start_one fallback ecsdns-fallback --pins "$ECSDNS_PINS" --state "$ECSDNS_STATE" --workers 2 \
		${FALLBACK_OPTIONS:-}
}

start_one()
{
	local name=$1
	shift

	alive "$name" && return
	ip netns exec "$server" setsid "$@" >>"$run/$name.log" 2>&1 </dev/null &
	echo $! >"$run/$name.pid"
	sleep 0.1
	alive "$name" || { cat "$run/$name.log" >&2; fail "the $name did not start; its log is above"; }
}

alive()
{
	[ -s "$run/$1.pid" ] && runs "$(<"$run/$1.pid")"
}

# A zombie has ended, however late it is reaped.
runs()
{
	local status

	status=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) && [[ $status != Z* ]]
}

wait_for()
{
	local what=$1
	shift

	for _ in $(seq 100); do
		"$@" && return
		sleep 0.05
	done
	fail "$what did not appear within 5 seconds"
}

stop_daemons()
{
	local name pid

	for name in fallback controller; do
		alive "$name" || continue
		pid=$(<"$run/$name.pid")
		kill "$pid" 2>/dev/null || true
		for _ in $(seq 100); do
			runs "$pid" || break
			sleep 0.05
		done
		kill -9 "$pid" 2>/dev/null || true
		rm -f "$run/$name.pid"
	done
	rm -f "$ECSDNS_SOCKET"
}

show()
{
	printf 'namespaces  %s (ecs0: 198.18.0.1, fd00:ec5::1), %s (ecs1: 198.18.0.2, fd00:ec5::2)\n' "$server" "$client"
	printf 'pins        %s\nsocket      %s\nstate       %s\nlogs        %s\n' \
		"$ECSDNS_PINS" "$ECSDNS_SOCKET" "$ECSDNS_STATE" "$run/controller.log, $run/fallback.log"
}

down()
{
	local namespace

	stop_daemons
	for namespace in "$server" "$client"; do
		ip netns list | grep -q "^$namespace\b" || continue
		ip netns pids "$namespace" | xargs -r kill -9 2>/dev/null || true
		ip netns del "$namespace"
	done
	while mountpoint -q "$run/bpf" 2>/dev/null; do
		umount "$run/bpf"
	done
	rm -rf "$run"
	rmdir /run/ecsdns-lab 2>/dev/null || true
}

main "$@"
