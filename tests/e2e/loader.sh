#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: sudo tests/e2e/loader.sh
#
# ecsdns-loader, verb by verb: first in a lab whose daemons are stopped, so that every answer is the driver's; then
# in a bench of bare interfaces, for everything that goes wrong. BUILD=dir takes the programs from there.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath "${BUILD:-$root/build}")
config=${CONFIG:-$root/examples/japan.yaml}
export LAB=loader-e2e BUILD=$build
export PATH=$build:$PATH
# shellcheck source=tests/tap.sh
source "$root/tests/tap.sh"

tools=$build/tests
server=ecsdns-$LAB-server
lab_pins=/run/ecsdns-lab/$LAB/bpf/ecsdns/v1
bench=ecsdns-loader-bench
scratch=
readonly instructions_max=100000
readonly tables=21

main()
{
	[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
	build_tools || exit 1
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/loader.XXXXXX")
	trap 'clean_up >/dev/null 2>&1' EXIT
	trap 'exit 130' INT TERM

	lab up "$config" >/dev/null || { tap_not_ok "the lab comes up"; finish; exit 1; }
	lab stop
	test_status
	test_program
	test_dumps
	test_rights
	test_upgrade
	test_macs
	test_detach
	test_modes
	test_link_pin
	test_new_interface
	test_unload
	lab down

	bench_up
	test_clang_19
	test_usage
	test_refusals
	test_fallback_to_generic
	test_several
	test_taken
	test_sizes
	test_other_layouts
	test_names_with_dots
	test_preflight
	test_two_at_once
	test_killed
	finish
}

build_tools()
{
	mkdir -p "$tools"
	${CC:-cc} -std=gnu11 -O2 -Wall -o "$tools/stream" "$root/tests/e2e/stream.c" &&
		${CC:-cc} -std=gnu11 -O2 -Wall -o "$tools/pin" "$root/tests/e2e/pin.c" -lbpf
}

clean_up()
{
	lab down
	bench_down
}

lab()
{
	"$root/tests/lab.sh" "$@"
}

# -- the lab: answers come from the driver alone ----------------------------------------------------------------------

on_server()
{
	lab server "$@"
}

ask()
{
	lab client kdig +short +retry=0 +timeout=1 "@${1:-198.18.0.1}" www.example.com AAAA +subnet=240b:10:200::/40
}

answers()
{
	same "$1: IPv4" 2001:db8:10::1 "$(ask 198.18.0.1)"
	same "$1: IPv6" 2001:db8:10::1 "$(ask fd00:ec5::1)"
}

# Nobody but the driver is there to answer, so the answer must be missing.
no_answers()
{
	local output

	output=$(ask 2>&1)
	if [[ $output == *2001:db8* ]]; then
		tap_not_ok "$1"
	else
		tap_ok "$1"
	fi
}

program_id()
{
	on_server ecsdns-loader status --json | jq '.interfaces[] | select(.interface == "ecs0").program'
}

test_status()
{
	local text json

	answers "attached"
	text=$(on_server ecsdns-loader status)
	same "status ends 0 where the program runs" 0 $?
	contains "status says where the tables are" "$text" "$lab_pins, ABI 1, generation 1"
	contains "status says how it is attached" "$text" "native mode, "
	json=$(on_server ecsdns-loader status --json)
	same "status --json has the same fields" "$lab_pins 1 1 ecs0 native" "$(jq -r \
		'"\(.pins) \(.abi) \(.generation) \(.interfaces[0].interface) \(.interfaces[0].mode)"' <<<"$json")"
	same "status names the program that the interface carries" "$(jq '.interfaces[0].program' <<<"$json")" \
		"$(on_server bpftool -j prog show pinned "$lab_pins/program" | jq .id)"
	refuse "status of an interface without the program ends 1" "attached to no interface" \
		on_server ecsdns-loader status lo
}

test_program()
{
	local verified

	verified=$("$tools/pin" program "$lab_pins/program" | sed -n 's/^verified //p')
	note "! verified instructions: $verified on $(uname -r)"
	check "the verifier has fewer than $instructions_max instructions to go through" \
		[ "${verified:-$instructions_max}" -lt $instructions_max -a "${verified:-0}" -gt 1000 ]
	same "the program is compiled to machine code" true \
		"$(on_server bpftool -j prog show pinned "$lab_pins/program" | jq .jited)"
}

# One of each kind of table; what is looked for are names of fields and of things, not octets.
test_dumps()
{
	dumps counters '"ANSWERED":'
	dumps control '"generation": 1'
	dumps settings '"own_addresses":'
	dumps addresses '"slot":'
	dumps interfaces '"macs":'
	dumps names_short '"regions":'
	dumps topology4 '"region_id":'
	dumps topology6 '"target_length":'
	dumps service_hits '"packets":'
	dumps region_hits '"packets":'
	dumps fallback_counters '"ANSWERED":'
	dumps service_names '"name": "www.example.com'
	dumps region_names '"region": "osaka1"'
	dumps health '"written_date": 1'
	dumps capture '"draw":'
	dumps capture_counts '"copied":'
	dumps cookies '"tai_offset":'
	check "every pin that stands is one that we know" \
		[ "$(on_server ls "$lab_pins" | grep -cv -e '^program$' -e '^link_ecs0$')" -eq $tables ]
}

# Standard error is kept apart, and nothing is cut off: grep reads all of a large dump.
dumps()
{
	if on_server bpftool map dump pinned "$lab_pins/$1" | grep -F -- "$2" >/dev/null; then
		tap_ok "bpftool map dump pinned $1 shows $2"
	else
		tap_not_ok "bpftool map dump pinned $1 shows $2"
		note "$(on_server bpftool map dump pinned "$lab_pins/$1" 2>&1 | head -n 20)"
	fi
}

# PIN_MODE: members of the pins' group may read, others nothing; nobody but the owner may write. Secrets are the owner's.
test_rights()
{
	local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps +bpf --ambient-caps +bpf)

	same "tables are pinned with mode 0640, that of secrets with 0600" "1 600 $((tables - 1)) 640" \
		"$(on_server find "$lab_pins" -type f ! -name program ! -name 'link_*' -printf '%m\n' | sort | uniq -c |
			awk '{ print $1, $2 }' | xargs)"
	refuse "someone else does not read a table" "Permission denied" \
		on_server "${nobody[@]}" "$tools/pin" map "$lab_pins/counters"
	on_server chgrp 65534 "$lab_pins/counters"
	same "the pin's group reads it and cannot write" readable \
		"$(on_server "${nobody[@]}" "$tools/pin" map "$lab_pins/counters" 2>&1)"
	on_server chgrp 0 "$lab_pins/counters"
	refuse "status needs root" "needs root" on_server setpriv --reuid 65534 --clear-groups ecsdns-loader status
}

test_upgrade()
{
	local before after stream v4 v6 count=0

	before=$(program_id)
	"$root/tests/lab.sh" client "$tools/stream" fd00:ec5::1 www.example.com 4000 20 >"$scratch/v6" &
	v6=$!
	"$root/tests/lab.sh" client "$tools/stream" 198.18.0.1 www.example.com 4000 20 >"$scratch/v4" &
	v4=$!
	sleep 0.3
	for _ in 1 2 3 4 5; do
		on_server ecsdns-loader upgrade ecs0 >/dev/null && count=$((count + 1))
	done
	sleep 0.2
	kill -TERM "$v4" "$v6"
	wait "$v4"
	same "five upgrades under queries lose none over IPv4" 0 $?
	wait "$v6"
	same "five upgrades under queries lose none over IPv6" 0 $?
	stream=$(cat "$scratch/v4" "$scratch/v6")
	note "! upgrades under load: $(paste -sd' ' <<<"$stream")"
	check "there was a stream to lose from" [ "$(awk '{ n += $2 } END { print n + 0 }' <<<"$stream")" -gt 1000 ]
	same "every upgrade succeeded" 5 $count
	after=$(program_id)
	check "another program runs: $after, not $before" [ "$after" -ne "$before" ]
	check "the replaced program is gone" eventually "! bpftool prog show id $before"
	contains "upgrade says what it did" "$(on_server ecsdns-loader upgrade ecs0)" "ecs0: program $after replaced by "
}

# A frame to a MAC that is not the interface's own is answered only if the loader was told of it.
test_macs()
{
	local virtual=00:00:5e:00:01:0a own

	own=$(on_server cat /sys/class/net/ecs0/address)
	lab client ip neigh replace 198.18.0.1 lladdr $virtual dev ecs1
	no_answers "a frame to another MAC is not answered"
	check "attached anew with --mac" \
		on_server sh -c "ecsdns-loader detach ecs0 && ecsdns-loader attach --mac $virtual --mac 02:00:00:00:00:07 ecs0"
	same "a frame to the MAC given with --mac is answered" 2001:db8:10::1 "$(ask)"
	on_server ecsdns-loader upgrade ecs0 >/dev/null
	same "and still after an upgrade that names no MAC" 2001:db8:10::1 "$(ask)"
	on_server ecsdns-loader upgrade --mac 02:00:00:00:00:09 ecs0 >/dev/null
	no_answers "an upgrade with another --mac replaces it"
	lab client ip neigh replace 198.18.0.1 lladdr "$own" dev ecs1
	same "the interface's own MAC stays" 2001:db8:10::1 "$(ask)"
	lab client ip neigh del 198.18.0.1 dev ecs1
}

test_detach()
{
	check "detach" on_server ecsdns-loader detach ecs0
	no_answers "detached: no answers"
	refuse "status says so and ends 1" "attached to no interface" on_server ecsdns-loader status
	refuse "a second detach is refused" "does not carry the program" on_server ecsdns-loader detach ecs0
	refuse "upgrade of a detached interface is refused" "ecsdns-loader attach ecs0" \
		on_server ecsdns-loader upgrade ecs0
	check "attach" on_server ecsdns-loader attach ecs0
	answers "attached again, nothing pushed"
	refuse "attaching twice is refused" "carries the program already" on_server ecsdns-loader attach ecs0
	refuse "naming an interface twice is refused" "carries the program already" on_server \
		sh -c "ecsdns-loader detach ecs0 >/dev/null; ecsdns-loader attach ecs0 ecs0"
	no_answers "and the whole attach undone"
}

test_modes()
{
	contains "--mode generic" "$(on_server ecsdns-loader attach --mode generic ecs0 2>&1)" "attached in generic mode"
	contains "status says generic" "$(on_server ecsdns-loader status)" "generic mode"
	check "so does the kernel" eventually "on_server ip link show dev ecs0 | grep -q xdpgeneric"
	answers "generic mode"
	check "upgrade in generic mode" on_server ecsdns-loader upgrade ecs0
	contains "stays generic" "$(on_server ecsdns-loader status)" "generic mode"
	answers "upgraded in generic mode"
	on_server ecsdns-loader detach ecs0 >/dev/null
	contains "--mode native, as JSON" "$(on_server ecsdns-loader attach --mode native --json ecs0 2>/dev/null |
		jq -r '.interfaces[0].mode')" native
	answers "native mode"
}

# Alone on the interface, nothing but the pin holds the program there.
test_link_pin()
{
	if ! on_server ecsdns-loader status | grep -q ' link, '; then
		skip "a removed link pin detaches" "attached behind the dispatcher here"
		return
	fi
	on_server rm "$lab_pins/link_ecs0"
	check "a removed link pin detaches" eventually "! on_server ip link show dev ecs0 | grep -q xdp"
	no_answers "and answers nothing"
	check "attach works as before" on_server ecsdns-loader attach ecs0
	answers "attached after the pin was removed"
}

test_new_interface()
{
	on_server ip link del ecs0
	refuse "the interface is gone: status" "attached to no interface" on_server ecsdns-loader status
	refuse "the interface is gone: detach" "no such interface" on_server ecsdns-loader detach ecs0
	ip link add ecs0 netns "$server" type veth peer name ecs1 netns "ecsdns-$LAB-client"
	on_server ip addr add 198.18.0.1/24 dev ecs0
	on_server ip addr add fd00:ec5::1/64 dev ecs0 nodad
	lab client ip addr add 198.18.0.2/24 dev ecs1
	lab client ip addr add fd00:ec5::2/64 dev ecs1 nodad
	on_server ip link set dev ecs0 up
	lab client ip link set dev ecs1 up
	lab client ip link set dev ecs1 xdpdrv obj "$build/pass.bpf.o" sec xdp
	no_answers "made again with the same name, it does not carry the program"
	check "attach to the new one" on_server ecsdns-loader attach ecs0
	answers "the new interface"
}

# Beside our pins stands one that is not ours, in the same directory and above it.
test_unload()
{
	local program

	program=$(program_id)
	on_server bpftool map create "$lab_pins/someone_elses" type array key 4 value 4 entries 1 name other
	on_server bpftool map create "$lab_pins/../beside" type array key 4 value 4 entries 1 name other
	check "unload" on_server ecsdns-loader unload
	same "every pin of ours is gone, and no other" "beside v1 someone_elses" "$(on_server sh -c \
		"cd $lab_pins/.. && find . -mindepth 1 | sort | sed 's|.*/||' | xargs")"
	check "the interface carries no program" eventually "! on_server ip link show dev ecs0 | grep -q xdp"
	check "no program of ours is left in the kernel" eventually "! bpftool prog show id $program"
	on_server rm "$lab_pins/someone_elses" "$lab_pins/../beside"
	check "what was left by others goes with them" on_server ecsdns-loader unload
	refuse "a second unload has nothing to do" "nothing to unload" on_server ecsdns-loader unload
	refuse "status without tables" "ecsdns-loader attach" on_server ecsdns-loader status
	refuse "upgrade without tables" "ecsdns-loader attach" on_server ecsdns-loader upgrade ecs0
}

# The kernel frees programs and links in its own time.
eventually()
{
	for _ in $(seq 40); do
		eval "$1" >/dev/null 2>&1 && return
		sleep 0.05
	done
	echo "not within two seconds: $1"
	return 1
}

# -- the bench: interfaces without addresses or daemons, small tables -------------------------------------------------

bench_up()
{
	ip netns list | grep -q "^$bench\b" && ip netns del "$bench"
	ip netns add "$bench"
	mkdir "$scratch/bpf"
	mount -t bpf ecsdns-bench "$scratch/bpf"
	export ECSDNS_PINS=$scratch/bpf/ecsdns/v1
	unset LIBXDP_BPFFS
	for name in a b c; do
		bench_interface "$name"
	done
	on_bench ip link set dev lo up
}

bench_interface()
{
	on_bench ip link add name "$1" type veth peer name "${1}peer"
	on_bench ip link set dev "$1" up
	on_bench ip link set dev "${1}peer" up
}

bench_down()
{
	ip netns list | grep -q "^$bench\b" && ip netns del "$bench"
	mountpoint -q "$scratch/bpf" && umount "$scratch/bpf"
	rm -rf "$scratch"
}

on_bench()
{
	ip netns exec "$bench" "$@"
}

small=(--names 16 --long-names 16 --topology4 16 --topology6 16 --indices 16 --answers 16 --services 16 --regions 16)

loader()
{
	on_bench ecsdns-loader "$@"
}

attach()
{
	loader attach "${small[@]}" "$@"
}

ends()
{
	local name=$1 expected=$2
	shift 2

	"$@" >/dev/null 2>&1
	same "$name" "$expected" $?
}

# The default compiler's program has been loaded already.
test_clang_19()
{
	local object=$tools/clang-19/ecsdns.bpf.o verified

	if ! command -v clang-19 >/dev/null; then
		skip "the program as clang 19 compiles it" "clang-19 is not installed"
		return
	fi
	check "clang 19 compiles the program" make -s -C "$root" CLANG=clang-19 BUILD="$tools/clang-19" "$object"
	check "the verifier takes it" bpftool prog load "$object" "$scratch/bpf/clang_19"
	verified=$("$tools/pin" program "$scratch/bpf/clang_19" | sed -n 's/^verified //p')
	note "! verified instructions: ${verified:-none} on $(uname -r), compiled by clang 19"
	check "in fewer than $instructions_max instructions" [ "${verified:-$instructions_max}" -lt $instructions_max ]
	rm -f "$scratch/bpf/clang_19"
}

test_usage()
{
	ends "no verb: exit 2" 2 loader
	ends "unknown verb: exit 2" 2 loader replace a
	ends "unknown option: exit 2" 2 loader attach --fast a
	ends "no interface: exit 2" 2 loader attach
	ends "unload takes no interface: exit 2" 2 loader unload a
	ends "--help: exit 0" 0 loader --help
	ends "--version: exit 0" 0 loader --version
	refuse "a mode that is none" "expected auto, native, generic" loader attach --mode fast a
	refuse "a dispatcher that is none" "expected auto, yes, no" loader attach --dispatcher maybe a
	for mac in 00:00:5e:00:01 00:00:5e:00:01:0g 01:00:5e:00:00:01 ff:ff:ff:ff:ff:ff 00:00:5e:00:01:0a:0b -1:0:0:0:0:1 ''; do
		refuse "--mac '$mac'" "expected a unicast address" loader attach --mac "$mac" a
	done
	refuse "an owner who is none" "--owner nobody-at-all: no such user" loader attach --owner nobody-at-all a
	# shellcheck disable=SC2046
	refuse "more MACs than an entry holds" "at most 7" loader attach $(printf -- '--mac 02:00:00:00:00:%02x ' 1 2 3 4 5 6 7 8) a
	for size in 15 17 0 -16 1e6 '' 268435458 99999999999999999999; do
		refuse "--names '$size'" "expected an even number from 16 to" loader attach --names "$size" a
	done
	check "wrong usage made nothing" [ ! -e "$ECSDNS_PINS" ]
}

test_refusals()
{
	refuse "no such interface" "no such interface: nosuch" attach nosuch
	refuse "not root" "needs root" on_bench setpriv --reuid 65534 --clear-groups ecsdns-loader attach a
	mkdir "$scratch/plain"
	refuse "no bpffs" "is not on a BPF file system" attach --pins "$scratch/plain/v1" a
	refuse "no bpffs: status" "is not on a BPF file system" loader status --pins "$scratch/plain/v1"
	refuse "pins that are a file" "" attach --pins "$scratch/bpf/maps.debug" a
	refuse "an interface among good ones that is not there" "no such interface: nosuch" attach a b nosuch
	refuse "nothing is left attached" "ecsdns-loader attach" loader status
	check "refusals made nothing" [ ! -e "$ECSDNS_PINS" ]
	check "pins right below the mount point" attach --pins "$scratch/bpf/v1" a
	check "and off again" loader unload --pins "$scratch/bpf/v1"
	check "pins by a relative path" on_bench sh -c \
		"cd $scratch/bpf && ecsdns-loader attach --pins here ${small[*]} a && ecsdns-loader unload --pins here"
}

# veth refuses native mode when its peer sends larger frames than fit; the loopback device has none.
test_fallback_to_generic()
{
	local output

	on_bench ip link set dev apeer mtu 9000
	on_bench ip link set dev a mtu 9000
	refuse "--mode native on an MTU of 9000" "ecsdns-loader preflight a" attach --mode native a
	check "which left no tables" [ ! -e "$ECSDNS_PINS" ]
	output=$(attach a lo 2>&1)
	same "attach on an MTU of 9000" 0 $?
	contains "says why it is generic" "$output" "a: native mode refused ("
	contains "an interface without native mode" "$output" "lo: attached in generic mode"
	same "status shows both as generic" "generic generic" \
		"$(loader status --json | jq -r '[.interfaces[].mode] | join(" ")')"
	loader unload >/dev/null
	on_bench ip link set dev a mtu 1500
	on_bench ip link set dev apeer mtu 1500
}

test_several()
{
	check "three interfaces in one call" attach a b c
	same "status lists all three" "a b c" "$(loader status --json | jq -r '[.interfaces[].interface] | sort | join(" ")')"
	same "status of one lists one" "b" "$(loader status --json b | jq -r '[.interfaces[].interface] | join(" ")')"
	check "two detached in one call" loader detach a b
	refuse "a set that holds an attached interface" "c carries the program already" attach a b c
	same "is undone but for what was attached before" c "$(loader status --json | jq -r '[.interfaces[].interface] | join(" ")')"
	same "the interfaces of the others are forgotten" 1 \
		"$(on_bench bpftool -j map dump pinned "$ECSDNS_PINS/interfaces" | jq length)"
	check "upgrade of one" loader upgrade c
	refuse "upgrade of several, one not attached" "a does not carry the program" loader upgrade a c
	refuse "detach of several, one not attached" "a does not carry the program" loader detach a c
	refuse "detached the others" "attached to no interface" loader status
	check "unload" loader unload
}

test_taken()
{
	local mode

	for mode in xdpdrv xdpgeneric; do
		on_bench ip link set dev a $mode obj "$build/pass.bpf.o" sec xdp
		refuse "another program in $mode mode" "a carries another XDP program already" attach a
		refuse "another program in $mode mode, --mode generic" "a carries another XDP program already" \
			attach --mode generic a
		refuse "and all or nothing" "b: detached again" attach b a
		check "the other program stays" sh -c "ip -n $bench link show dev a | grep -q xdp"
		check "no tables are left" [ ! -e "$ECSDNS_PINS" ]
		on_bench ip link set dev a $mode off
	done
}

entries()
{
	on_bench bpftool -j map show pinned "$ECSDNS_PINS/$1" | jq .max_entries
}

test_sizes()
{
	refuse "tables beyond all memory" "very large tables need memory" loader attach --answers 268435456 a
	check "which left no tables" [ ! -e "$ECSDNS_PINS" ]
	check "sizes by option" loader attach --names 100 --long-names 102 --topology4 104 --topology6 106 --indices 108 \
		--answers 110 --services 112 --regions 114 a
	same "every table has its size" "100 102 104 106 108 110 112 112 114 114" "$(for table in names_short names_long \
		topology4 topology6 indices answers service_hits service_names region_hits region_names; do
			entries $table
		done | xargs)"
	refuse "another size on tables that stand" "table names_short stands with 100 entries, not 102" \
		loader attach --names 102 b
	check "the same size on tables that stand" loader attach --names 100 b
	loader unload >/dev/null
}

# Tables made by someone else, or by another version.
test_other_layouts()
{
	on_bench mkdir -p "$ECSDNS_PINS"
	on_bench bpftool map create "$ECSDNS_PINS/control" type array key 4 value 8 entries 1 name control
	refuse "a table of another size" "values of 8 octets" attach a
	contains "says how to go on" "$(attach a 2>&1)" "ecsdns-loader unload"
	check "leaves it alone" [ -e "$ECSDNS_PINS/control" ]
	refuse "status of it" "values of 8 octets" loader status
	check "unload removes it" loader unload
	attach a >/dev/null 2>&1
	loader detach a >/dev/null
	on_bench rm "$ECSDNS_PINS/names_short"
	refuse "a table that is missing" "these tables are not whole" attach a
	on_bench bpftool map create "$ECSDNS_PINS/names_short" type lru_hash key 64 value 20 entries 16 name names_short
	refuse "a table of another kind" "names_short is not the kind of table" attach a
	refuse "upgrade says the same" "" loader upgrade a
	check "unload" loader unload
	check "and all is well again" attach a
	loader unload >/dev/null
}

# VLAN devices are commonly named eth0.100, and bpffs takes no dots.
test_names_with_dots()
{
	bench_interface a.100
	check "an interface with a dot in its name: attach" attach a.100
	same "status" a.100 "$(loader status --json | jq -r '.interfaces[0].interface')"
	check "upgrade" loader upgrade a.100
	check "detach" loader detach a.100
	check "unload" loader unload
	on_bench ip link del a.100
}

findings()
{
	loader preflight --json "$1" | jq -r '[.[].finding] | join("\n")'
}

# Each finding follows the interface, and what it tells to do makes it go away.
test_preflight()
{
	local mend

	on_bench ip link add name p numrxqueues 2 numtxqueues 2 type veth peer name ppeer
	on_bench ip link set dev p mtu 4000
	on_bench ethtool -K p rxvlan on
	on_bench ethtool -L p rx 1 2>/dev/null
	contains "preflight: MTU" "$(findings p)" "MTU 4000 is beyond"
	contains "preflight: VLAN offload" "$(findings p)" "receive VLAN offload strips tags"
	contains "preflight: down" "$(findings p)" "is down"
	if [ "$(nproc)" -gt 1 ]; then
		contains "preflight: queues" "$(findings p)" "1 receive queues for $(nproc) CPUs"
	else
		skip "preflight: queues" "one CPU needs one queue"
	fi
	ends "preflight with findings: exit 1" 1 loader preflight p
	contains "preflight as text" "$(loader preflight p)" "mend: ip link set dev p mtu"
	while read -r mend; do
		# shellcheck disable=SC2086
		on_bench ${mend%%,*}
	done < <(loader preflight --json p | jq -r '.[].mend')
	same "all mended: nothing left to say" "nothing stands in the way" "$(loader preflight p)"
	ends "preflight without findings: exit 0" 0 loader preflight p
	ends "preflight without root" 0 on_bench setpriv --reuid 65534 --clear-groups ecsdns-loader preflight p
	refuse "preflight of no interface" "no such interface: nosuch" loader preflight nosuch
	on_bench ip link del p
}

test_two_at_once()
{
	local one two first second

	for round in 1 2 3; do
		attach a >"$scratch/first" 2>&1 &
		one=$!
		attach b >"$scratch/second" 2>&1 &
		two=$!
		wait $one
		first=$?
		wait $two
		second=$?
		same "two loaders, two interfaces, round $round" "0 0" "$first $second"
		same "both are attached" "a b" "$(loader status --json | jq -r '[.interfaces[].interface] | sort | join(" ")')"
		loader unload >/dev/null

		attach a >"$scratch/first" 2>&1 &
		one=$!
		attach a >"$scratch/second" 2>&1 &
		two=$!
		wait $one
		first=$?
		wait $two
		second=$?
		same "two loaders, one interface, round $round: one of them wins" 1 $((first + second))
		contains "and the other hears why" "$(cat "$scratch/first" "$scratch/second")" "carries the program already"
		check "it is attached" loader status a
		loader unload >/dev/null
	done
}

# Whatever was there when it died, the next loader finishes it.
test_killed()
{
	local started took delay victim bad=0 partial=0

	started=$(date +%s%N)
	attach a b >/dev/null 2>&1
	took=$((($(date +%s%N) - started) / 1000))
	loader unload >/dev/null
	for round in $(seq 24); do
		ip netns exec "$bench" ecsdns-loader attach "${small[@]}" a b >/dev/null 2>&1 &
		victim=$!	# no function in between, whose shell would die in the loader's place
		delay=$((took * round / 24))
		sleep "0.$(printf %06d $delay)"
		kill -9 $victim 2>/dev/null
		wait $victim 2>/dev/null
		[ -e "$ECSDNS_PINS" ] && ! loader status a b >/dev/null 2>&1 && partial=$((partial + 1))
		after_death || { bad=$((bad + 1)); note "killed after $delay us: $(cat "$scratch/after")"; }
	done
	same "attach killed at 24 moments, done again each time" 0 $bad
	note "killed with tables made and nothing attached: $partial of 24"
	half_made
}

after_death()
{
	local name

	for name in a b; do
		loader status $name >/dev/null 2>&1 || attach $name >"$scratch/after" 2>&1 || return 1
	done
	loader status --json 2>&1 | jq -e '.interfaces | length == 2' >"$scratch/after" || return 1
	loader upgrade a b >"$scratch/after" 2>&1 && loader unload >"$scratch/after" 2>&1 && [ ! -e "$ECSDNS_PINS" ]
}

# The exact states that the death of a loader can leave, made by hand: they are too short to be met by chance.
half_made()
{
	attach a >/dev/null 2>&1
	loader detach a >/dev/null
	on_bench rm "$ECSDNS_PINS/control" "$ECSDNS_PINS/answers"
	check "tables half made are made anew" attach a
	loader detach a >/dev/null
	on_bench rm "$ECSDNS_PINS/control"
	check "tables half removed are removed" loader unload
	check "every one of them" [ ! -e "$ECSDNS_PINS" ]
}

main "$@"
