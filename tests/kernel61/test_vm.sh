#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Smoke test of vm.sh: that the guest is what the other tests take it for, and
# that vm.sh says truthfully how a script ended. Two boots end by themselves,
# one is killed.
#
# usage: tests/kernel61/test_vm.sh [--help]
#
# The environment may name the kernel's folder: KERNEL61_BUILD.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here

build=${KERNEL61_BUILD:-$here/../../build/kernel61}
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"

main()
{
	[ $# -eq 0 ] || usage "$@"

	scratch=$(mktemp -d "${TMPDIR:-/tmp}/test_vm.XXXXXX")
	trap 'rm -rf "$scratch"' EXIT

	test_guest
	test_exit_code
	test_timeout
	test_wrong_usage

	finish
}

usage()
{
	sed -n '/^# usage:/,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
	[ "$1" = --help ] && exit 0
	exit 2
}

test_guest()
{
	echo 'a file of the host' >"$scratch/file"
	cat >"$scratch/script" <<'SCRIPT'
set -eu

case $(uname -r) in
6.1.*) echo "kernel yes" ;;
esac
[ "$(id -u)" -eq 0 ] && echo "root yes"
[ "$(nproc)" -ge 2 ] && echo "processors yes"
[ -s /sys/kernel/btf/vmlinux ] && [ -s /sys/kernel/btf/veth ] && echo "btf yes"
[ "$(cat /proc/sys/net/core/bpf_jit_enable)" -ge 1 ] && echo "jit yes"
grep -q ' /sys/fs/bpf bpf ' /proc/mounts && echo "bpffs yes"
[ -s /usr/lib/x86_64-linux-gnu/bpf/xdp-dispatcher.o ] && echo "dispatcher yes"
ping -c 1 -W 5 127.0.0.1 >/dev/null && echo "loopback yes"
[ "$(cat /a/place/of/its/own)" = 'a file of the host' ] && echo "file yes"

ip netns add server
ip netns add client
ip link add ecs0 netns server type veth peer name ecs1 netns client
ip -n server address add 198.18.0.1/24 dev ecs0
ip -n client address add 198.18.0.2/24 dev ecs1
ip -n server link set ecs0 up
ip -n client link set ecs1 up
ip netns exec client ping -c 1 -W 5 198.18.0.1 >/dev/null && echo "namespaces yes"

seq 1 5000
SCRIPT

	run_vm --program ip --file "$scratch/file:/a/place/of/its/own" "$scratch/script"
	expect_status "a script that succeeds" 0
	for fact in kernel root processors btf jit bpffs dispatcher loopback file \
		namespaces; do
		expect_line "$fact yes"
	done
	expect_output_to_the_end
}

# A script may die of -e, of a signal, or print what looks like an exit code.
test_exit_code()
{
	printf '%s\n' '#!/bin/bash' 'set -euo pipefail' \
		'[[ $BASH_VERSION ]] && echo "exit 0"' '(exit 37) | cat' >"$scratch/script"
	run_vm "$scratch/script"
	expect_status "a bash script that fails" 37
	expect_line "exit 0"
}

test_timeout()
{
	printf 'echo started\nsleep 1000\n' >"$scratch/script"
	run_vm --timeout 15 "$scratch/script"
	expect_status "a script that hangs" 124
	expect_line "started"
	expect_line "kernel61: not done after 15 seconds, the guest was killed"
}

test_wrong_usage()
{
	run_vm
	expect_status "no script" 2
	run_vm --timeout soon "$scratch/script"
	expect_status "a timeout that is none" 2
	run_vm --program /nonexistent "$scratch/script"
	expect_status "a program that is not there" 125
	run_vm --module nonexistent "$scratch/script"
	expect_status "a module that is not there" 125
}

run_vm()
{
	status=0
	TMPDIR=$scratch "$here/vm.sh" --build "$build" "$@" \
		>"$scratch/output" 2>&1 || status=$?
	expect_nothing_left
}

expect_status()
{
	judge "$1 ends with $2, ended with $status" [ "$status" -eq "$2" ]
}

expect_line()
{
	judge "the console shows: $1" grep -qxF "$1" "$scratch/output"
}

expect_output_to_the_end()
{
	judge "nothing of a long output is lost" \
		cmp -s <(seq 1 5000) <(grep -x '[0-9]*' "$scratch/output")
}

expect_nothing_left()
{
	judge "no scratch folder is left behind" \
		test -z "$(find "$scratch" -name 'kernel61.*')"
}

# Prints what the guest said when it was not what we wanted.
judge()
{
	local what=$1

	shift
	if "$@"; then
		tap_ok "$what"
		return
	fi
	tap_not_ok "$what"
	note "$(tail -n 20 "$scratch/output")"
}

main "$@"
