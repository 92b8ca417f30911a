# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests with build/flood share. Set LAB, source it, call load_begin.
build=${BUILD:-$root/build}
run=/run/ecsdns-lab/$LAB
lab=tests/lab.sh
scratch=$(mktemp -d)
# shellcheck disable=SC2034 # for those who source it
long=${ECSDNS_LONG:-}

export ECSDNS_SOCKET=$run/control.sock
export ECSDNS_PINS=$run/bpf/ecsdns/v1
export PATH=$build:$PATH

# What was started in the background ends with the test, whatever happens.
load_end()
{
	local status=$?

	jobs -p | xargs -r kill 2>/dev/null || true
	"$lab" down || true
	rm -rf "$scratch"
	exit $status
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

# NAME BLOCK: addresses of the name for the block, as the driver says by UDP and the fallback by TCP; one line if they agree
load_answers()
{
	local udp tcp

	udp=$($lab client kdig +short +nocookie +subnet="$2" @198.18.0.1 "$1" A | sort | tr '\n' ' ')
	tcp=$($lab client kdig +short +nocookie +tcp +subnet="$2" @198.18.0.1 "$1" A | sort | tr '\n' ' ')
	if [ "$udp" = "$tcp" ]; then
		echo "${udp% }"
	else
		echo "driver: $udp; fallback: $tcp"
	fi
}

# SIGNAL: to the controller, and wait for its end
load_stop_controller()
{
	local pid

	pid=$(<"$run/controller.pid")
	kill "-$1" "$pid"
	for _ in $(seq 300); do
		[[ $(ps -o stat= -p "$pid") == [!Z]* ]] || return 0
		sleep 0.02
	done
	return 1
}

# CONFIG: the lab, whose driver runs on both CPUs at once: two receive queues at the server's end, fed by two of the
# client's. The client's end keeps one: with two, veth of Linux 6.18 lets frames sent by XDP_TX from the second CPU lie in
# its ring now and then. A queue that veth gets later has no program until one is put in again.
load_begin()
{
	trap load_end EXIT
	"$lab" up "$1" >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
	"$lab" server ethtool -L ecs0 rx 2 || exit 1
	"$lab" client ethtool -L ecs1 tx 2 || exit 1
	"$lab" server ecsdns-loader upgrade ecs0 >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; exit 1; }
}

# flood with these options, as the clients run it
load_flood()
{
	"$lab" client "$build/flood" "$@"
}

# A figure of flood's last line: NAME TEXT
load_figure()
{
	sed -n "s/^sent .*\\b$1 \\([0-9.]*\\).*/\\1/p;s/^$1 \\([0-9.]*\\) .*/\\1/p" <<<"$2" | tail -n 1
}

load_generation()
{
	ecsctl --json status | jq .generation
}

# The controller's socket may be there before anybody listens, or be left from one that was killed.
load_wait_ready()
{
	for _ in $(seq 200); do
		ecsctl status >/dev/null 2>&1 && return
		sleep 0.05
	done
	return 1
}
