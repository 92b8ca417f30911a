#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `ecsctl capture`: what the driver was asked and answered, read by tcpdump and dnspython and compared with what real
# clients sent and received, octet for octet. How much is copied, of whom and until when; and that nothing is when whoever
# wanted it is gone, however that came.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-capture}
# shellcheck source=tests/counters.sh
. tests/counters.sh
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
py=tests/e2e/capture.py

main()
{
	trap load_end EXIT
	$lab up examples/japan.yaml >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
	off_at_first
	octet_for_octet
	lines
	samples
	bounds
	filters
	ends
	two_at_once
	files
	requests
	upgrade
	reader_killed
	reader_stalled
	controller_ends
	finish
}

# -- helpers --

# How many exchanges the driver has copied, or did not although they were drawn: copied, over, full
copies()
{
	bpftool -j map dump pinned "$ECSDNS_PINS/capture_counts" | jq "[.[0].formatted.values[].value.$1] | add"
}

is_on()
{
	[ "$(bpftool -j map dump pinned "$ECSDNS_PINS/control" | jq '.[0].formatted.value.capture_until')" != 0 ]
}

is_off()
{
	! is_on
}

# SECONDS COMMAND...: until it succeeds
within()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift

	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# OPTION...: a capture in the background, $capture, and on when this returns
begin()
{
	ecsctl capture "$@" >"$scratch/out" 2>"$scratch/err" &
	capture=$!
	within 3 is_on || note "the capture did not begin: $(<"$scratch/err")"
}

# Waits for it; its exit status
ended()
{
	local status=0

	wait "$capture" || status=$?
	return $status
}

# NAME: it ends well
well()
{
	ended
	same "$1" 0 $?
}

# COUNT: queries of all kinds; what clients sent and received is added to $scratch/seen
ask()
{
	$lab client $py ask "$scratch/seen" "$1"
}

# NAME EXPECTED: of the file
compared()
{
	same "$1" "$2" "$($py compare "$scratch/pcap" "$scratch/seen" 2>&1)"
}

# -- the tests --

off_at_first()
{
	check "off after the start" is_off
	ask 100
	same "and nothing is copied" 0 "$(copies copied)"
}

octet_for_octet()
{
	begin --count 302 --seconds 20 -w "$scratch/pcap"
	ask 300
	$lab client $py tagged "$scratch/seen" "$($lab server cat /sys/class/net/ecs0/address)" "$($lab client cat /sys/class/net/ecs1/address)"
	well "captured, and ended by --count"
	same "says how many" "302 exchanges" "$(<"$scratch/err")"
	compared "as the clients saw it, octet for octet, tags and both families" "302 exchanges, families [4, 6], 3 tags"
	same "tcpdump reads every packet" 604 "$(tcpdump -nr "$scratch/pcap" 2>/dev/null | wc -l)"
	same "and finds no wrong checksum in what was sent" 0 \
		"$(tcpdump -nvr "$scratch/pcap" 'src port 53 or (vlan and src port 53) or (vlan and vlan and src port 53)' 2>/dev/null |
			grep -c 'bad .*cksum')"
	same "only its owner reads the file" 600 "$(stat -c %a "$scratch/pcap")"
	check "switched off" is_off
	begin --count 5 --seconds 10 -w -
	ask 5
	ended
	same "on standard output for tcpdump" 10 "$(tcpdump -nr - <"$scratch/out" 2>/dev/null | wc -l)"
}

lines()
{
	local time='[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9]\{6\}'

	begin --count 7 --seconds 10
	ask 7
	well "lines for people"
	same "lines: who asked, client subnet, question, rcode, scope, answers" "$(cat <<-'END'
		198.18.0.2  240b:10:200::/40  www.example.com. AAAA  NOERROR  /41  2001:db8:10::1
		198.18.0.2  198.51.100.0/24  v4.example.com. A  NOERROR  /25  TWO ADDRESSES
		198.18.0.2  -  www.example.com. A  NOERROR  -  no data
		198.18.0.2  -  v4.example.com. A  NOERROR  -  192.0.2.1, 192.0.2.2, 192.0.2.3
		198.18.0.2  -  WWW.Example.Com. ANY  NOERROR  -  HINFO "RFC8482" ""
		198.18.0.2  240b:11:200::/48  cdn.example.com. AAAA  NOERROR  /32  CNAME east.cdn.example.net.
		198.18.0.2  203.0.113.0/24  v4.example.com. A  NOERROR  /24  ONE ADDRESS
	END
	)" "$(sed "s/^$time  //; s/198\.51\.100\.[0-9], 198\.51\.100\.[0-9]$/TWO ADDRESSES/; s/203\.0\.113\.[0-9]$/ONE ADDRESS/" "$scratch/out")"
	begin --count 64 --seconds 10 --json
	ask 64
	ended
	same "--json: an object a line" '[64,["198.18.0.2","fd00:ec5::2"],[],"240b:10:200::/40",41,["2001:db8:10::1"]]' "$(jq -sc \
		'[length, (map(.client) | unique), (.[0] | .vlans, .client_subnet, .scope, .answers)]' "$scratch/out")"
}

# 20,000 at one in a hundred: 200 with a deviation of 14
samples()
{
	local count

	begin --count 100000 --seconds 60 --sample 1/100 -w "$scratch/pcap"
	ask 20000
	kill -INT "$capture"
	well "interrupted, a capture ends well"
	check "and is off at once" within 1 is_off
	count=$($py list "$scratch/pcap" | wc -l)
	note "! one in a hundred of 20,000: $count"
	check "--sample 1/100 of 20,000: $count, between 130 and 270" [ "$count" -ge 130 -a "$count" -le 270 ]
	check "a sample is what clients saw" $py compare "$scratch/pcap" "$scratch/seen"
}

# What was answered meanwhile is copied or counted.
bounds()
{
	local copied over full answered began

	copied=$(copies copied) over=$(copies over) full=$(copies full)
	begin --count 100000 --seconds 2 -w "$scratch/pcap"
	answered=$(counter ANSWERED NODATA ANY TRUNCATED)
	began=${EPOCHREALTIME/./}
	ask 6000
	well "captured until --seconds"
	began=$(((${EPOCHREALTIME/./} - began) / 1000))
	check "--seconds 2: ended after $began ms" [ $began -ge 1500 -a $began -le 4000 ]
	answered=$(($(counter ANSWERED NODATA ANY TRUNCATED) - answered))
	copied=$(($(copies copied) - copied)) over=$(($(copies over) - over)) full=$(($(copies full) - full))
	note "! all of 6,000 in a burst: $copied copied, $over over the rate, $full not read in time"
	check "not more than 1000 a second and CPU" [ $copied -le $((4000 * $(nproc))) -a $over -gt 0 ]
	same "every answer is copied or counted" "$answered" $((copied + over + full))
	same "what was copied is in the file" $copied "$($py list "$scratch/pcap" | wc -l)"
	contains "and the rest is told" "$(<"$scratch/err")" "$over more were drawn, but a CPU copies 1000 a second at most"
}

# EXPECTED OPTION...: which clients and questions the file has
filtered()
{
	local expected=$1
	shift

	begin --count 6 --seconds 10 "$@" -w "$scratch/pcap"
	ask 64
	ended
	same "filter: $*" "$expected" "$($py list "$scratch/pcap" | sort -u | tr '\n' ' ' | sed 's/ $//')"
}

filters()
{
	filtered "198.51.100.0/24 v4.example.com. A" --service v4.example.com --client 198.51.100.0/24
	filtered "198.18.0.2 v4.example.com. A 198.51.100.0/24 v4.example.com. A 203.0.113.0/24 v4.example.com. A" \
		--service V4.Example.Com. --client 192.0.0.0/4
	filtered "240b:10:200::/40 www.example.com. AAAA" --client 240b:10::/32
	filtered "240b:11:200::/48 cdn.example.com. AAAA" --service cdn.example.com
	filtered "fd00:ec5::2 v4.example.com. A fd00:ec5::2 www.example.com. A fd00:ec5::2 www.example.com. ANY" --client fd00:ec5::2
	filtered "198.18.0.2 www.example.com. A 198.18.0.2 www.example.com. ANY" --service www.example.com --client 198.18.0.0/15
}

ends()
{
	begin --seconds 1 --client 192.0.2.77
	ask 20
	well "nothing seen, ended by --seconds"
	same "and says so" "0 exchanges" "$(<"$scratch/err")"
	check "off" is_off
}

two_at_once()
{
	begin --count 5 --seconds 10 -w "$scratch/pcap"
	refuse "a second capture" "another capture runs" ecsctl capture --count 1
	ask 5
	well "the first one goes on"
	same "to its count" 5 "$($py list "$scratch/pcap" | wc -l)"
}

files()
{
	refuse "a file that cannot be made" "$scratch/none/pcap: No such file or directory" ecsctl capture -w "$scratch/none/pcap"
	check "asks for nothing" is_off
	refuse "a full disk" "/dev/full: No space left on device" ecsctl capture -w /dev/full
	check "ends it" within 1 is_off
	refuse "--sample 5" "expected 1/N" ecsctl capture --sample 5
	refuse "--json and -w" "either -w or --json" ecsctl capture --json -w "$scratch/pcap"
}

# Not one begins a capture.
requests()
{
	local output

	output=$($py hostile "$ECSDNS_SOCKET")
	same "requests that nobody means are refused" "400 404 405" "$(awk '{ print $NF }' <<<"$output" | sort -u | xargs)"
	same "all of them" 28 "$(wc -l <<<"$output")"
	check "and nothing is on" is_off
}

upgrade()
{
	begin --count 80 --seconds 20 -w "$scratch/pcap"
	ask 40
	check "upgraded during a capture" $lab server ecsdns-loader upgrade ecs0
	ask 40
	well "which goes on in the next program"
	compared "and misses nothing" "80 exchanges, families [4, 6], 0 tags"
}

reader_killed()
{
	local before

	begin --count 100000 -w "$scratch/pcap"
	ask 50
	kill -KILL "$capture"
	ended 2>/dev/null
	check "its reader killed, a capture is off within a second" within 1 is_off
	before=$(copies copied)
	ask 200
	same "and nothing is copied any more" "$before" "$(copies copied)"
	same "nor would anything read it" false "$(ecsctl --json stats | jq .capture.running)"
}

# The controller's buffer fills, then the ring, which takes seconds; then it is counted. Everything else goes on.
reader_stalled()
{
	local before stalled

	mkfifo "$scratch/hold"
	$py stalled "$ECSDNS_SOCKET" <"$scratch/hold" >"$scratch/stalled" &
	stalled=$!
	exec 7>"$scratch/hold"
	within 3 grep -qs stalled "$scratch/stalled"
	before=$(copies full)
	check "beside a reader that does not read the controller answers" timeout 3 ecsctl status
	check "and the driver goes on" ask 3000
	if [ -n "$long" ]; then
		for _ in $(seq 10); do
			ask 3000
			sleep 0.7
		done
		check "what the reader missed is counted: $(($(copies full) - before))" [ "$(copies full)" -gt "$before" ]
	fi
	exec 7>&-
	wait "$stalled"
	check "it goes, and the capture with it" within 1 is_off
	sleep 1		# of this second all has been copied that may be
	begin --count 3 --seconds 10 -w "$scratch/pcap"
	ask 3
	ended
	compared "the next capture has nothing of what was left" "3 exchanges, families [4], 0 tags"
}

controller_ends()
{
	local before

	begin --count 100000 -w "$scratch/pcap"
	load_stop_controller TERM
	ended
	contains "a controller that is stopped ends the capture" "$(<"$scratch/err")" "the controller was stopped"
	check "off" is_off
	$lab start >/dev/null && load_wait_ready
	begin --count 100000 -w "$scratch/pcap"
	load_stop_controller KILL
	ended
	same "a controller that is killed: the reader is told" 1 $?
	contains "what happened" "$(<"$scratch/err")" "ended in the middle"
	check "nobody switched off" is_on
	sleep 2
	before=$(copies copied)
	ask 100
	same "after two seconds the driver copies nothing" "$before" "$(copies copied)"
	check "and has switched itself off" is_off
	$lab start >/dev/null && load_wait_ready
	begin --count 100000 -w "$scratch/pcap"
	load_stop_controller KILL
	ended
	$lab start >/dev/null && load_wait_ready
	check "a controller that starts switches off what it finds" is_off
}

main "$@"
