#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Queries from real clients and from frames made by hand, through the lab's wire, and who answered them: the driver's
# counters say what it did with each.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/counters.sh
. tests/counters.sh
export LAB=answers
lab=tests/lab.sh
osaka='2001:db8:10::1'
subnet=240b:10:200::/40

trap '$lab down' EXIT
$lab up tests/e2e/answers.yaml >&2 || exit 1
server_mac=$($lab server cat /sys/class/net/ecs0/address)
client_mac=$($lab client cat /sys/class/net/ecs1/address)
$lab server ip addr add 198.18.0.53/24 dev ecs0
$lab server ip addr add fd00:ec5::53/64 dev ecs0 nodad

# NAME REASON CMD...: the command's output in $output; the driver counts one packet more under REASON.
counted()
{
	local name=$1 reason=$2 before after
	shift 2

	before=$(counter "$reason")
	output=$("$@" 2>&1)
	after=$(counter "$reason")
	if [ "$after" -gt "$before" ]; then
		tap_ok "$name: counted as $reason"
	else
		tap_not_ok "$name: counted as $reason"
		note "$output"
	fi
}

frame()
{
	$lab client tests/e2e/frames.py --to-mac "$server_mac" --from-mac "$client_mac" "$@"
}

# NAME REASON OPTIONS...: a frame that the driver answers, rightly, and whose reply is right as a frame.
answered()
{
	local name=$1
	shift

	counted "$name" ANSWERED frame --subnet $subnet "$@"
	same "$name: answer, scope, checksums" "$osaka 40/41 true true 64" \
		"$(jq -r '"\(.answer) \(.scope) \(.checksum_ok) \(.is_response) \(.ttl)"' <<<"$output")"
}

unanswered()
{
	local name=$1 reason=$2
	shift 2

	counted "$name" "$reason" frame --subnet $subnet --timeout 0.2 "$@"
	same "$name: no answer" false "$(jq -r .reply <<<"$output")"
}

clients()
{
	local at

	for at in 198.18.0.1 fd00:ec5::1 198.18.0.53 fd00:ec5::53; do
		counted "kdig @$at" ANSWERED $lab client kdig @$at www.example.com AAAA +subnet=$subnet +noall +answer
		contains "kdig @$at: the site of that subnet" "$output" $osaka
		counted "dig @$at, with a cookie" ANSWERED $lab client dig @$at www.example.com AAAA +subnet=$subnet
		contains "dig @$at: a cookie in return" "$output" "(good)"
		counted "dig @$at, with NSID" NSID $lab client dig @$at +nsid www.example.com AAAA +subnet=$subnet
		contains "dig @$at: the fallback's answer" "$output" $osaka
		contains "dig @$at: the fallback's scope" "$output" "240b:10:200::/40/41"
		counted "dig @$at without a cookie" ANSWERED $lab client dig @$at +nocookie www.example.com AAAA +subnet=$subnet
		contains "dig @$at: the driver's scope" "$output" "240b:10:200::/40/41"
		contains "dig @$at over TCP" "$($lab client dig @$at +tcp www.example.com AAAA +subnet=$subnet)" \
			"240b:10:200::/40/41"
	done
	counted "HTTPS of a service" NODATA $lab client kdig @198.18.0.1 www.example.com HTTPS
	contains "HTTPS of a service: NODATA" "$output" "status: NOERROR"
	counted "mixed case" ANSWERED $lab client dig +nocookie @198.18.0.1 wWw.ExAmPlE.cOm AAAA
	contains "mixed case comes back" "$output" "wWw.ExAmPlE.cOm.	10	IN	AAAA"
}

# Two queries in one connection, then a response, which no client sends: the connection ends, but not before both replies.
pipelined()
{
	local rest='\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\x1c\0\1' octets

	# shellcheck disable=SC2016
	octets=$($lab client bash -c 'exec 3<>/dev/tcp/198.18.0.1/53; printf "$1" >&3; timeout 2 wc -c <&3' - \
		"\\0\\x21\\0\\1$rest\\0\\x21\\0\\2$rest\\0\\x21\\0\\3${rest/#\\1/\\x81}")
	same "pipelined queries before a response: octets of two replies" $((2 * (2 + 33 + 28))) "$octets"
}

long_name()
{
	local name

	name=$(sed -n 's/.*{name: \(a\{63\}[^,]*\),.*/\1/p' tests/e2e/answers.yaml)
	same "the long name has 253 characters, 255 octets on the wire" 253 ${#name}
	counted "a name of 255 octets" ANSWERED $lab client dig +nocookie @fd00:ec5::1 "$name" AAAA +subnet=$subnet
	contains "a name of 255 octets: the answer" "$output" $osaka
}

offload()
{
	local state

	for state in off on; do
		$lab client ethtool -K ecs1 tx $state >/dev/null 2>&1
		counted "checksum offload $state, IPv4" ANSWERED $lab client dig +nocookie +tries=1 +time=1 @198.18.0.1 www.example.com AAAA
		contains "checksum offload $state, IPv4: answered" "$output" "2001:db8::1"
		counted "checksum offload $state, IPv6" ANSWERED $lab client dig +nocookie +tries=1 +time=1 @fd00:ec5::1 www.example.com AAAA
		contains "checksum offload $state, IPv6: answered" "$output" "2001:db8::1"
	done
}

frames()
{
	local output

	answered "plain frame, IPv4"
	answered "plain frame, IPv6" --source fd00:ec5::2 --server fd00:ec5::1
	answered "arriving TTL 1" --ttl 1
	answered "arriving hop limit 1" --ttl 1 --source fd00:ec5::2 --server fd00:ec5::1
	answered "a padded frame" --padding 30
	answered "IPv4 without UDP checksum" --udp-checksum zero
	answered "one VLAN tag" --vlan 10
	same "one VLAN tag comes back" "[10]" "$(jq -c .vlan <<<"$output")"
	answered "two VLAN tags, IPv6" --vlan 10 --vlan 20 --source fd00:ec5::2 --server fd00:ec5::1
	same "both VLAN tags come back" "[10,20]" "$(jq -c .vlan <<<"$output")"
	answered "ECN and flow label" --tos 0xff --flow 12345 --source fd00:ec5::2 --server fd00:ec5::1
	same "ECN is cleared" 0 "$(jq -r .ecn <<<"$output")"
	answered "DSCP and ECN, IPv4" --tos 3
	same "DF, id 0, ECN cleared" "true 0 0" "$(jq -r '"\(.df) \(.id) \(.ecn)"' <<<"$output")"
	same "the answer goes back from MAC to MAC" "$server_mac $client_mac" "$(jq -r '"\(.from_mac) \(.to_mac)"' <<<"$output")"
}

frames_that_pass()
{
	unanswered "another host's MAC" OTHER_MAC --to-mac 02:00:00:00:00:77
	unanswered "a fragment" FRAGMENT --fragment 0x2000
	unanswered "a response" RESPONSE --response
	unanswered "source port 0" SOURCE --sport 0
	unanswered "its own address as source" SOURCE --source 198.18.0.53
	unanswered "a multicast source" SOURCE --source 224.0.0.1
	unanswered "a loopback source" SOURCE --source 127.0.0.1
	unanswered "IPv6 with UDP checksum zero" NO_CHECKSUM --udp-checksum zero --source fd00:ec5::2 --server fd00:ec5::1
	unanswered "an address that is not the server's" OTHER_ADDRESS --server 198.18.0.77
	unanswered "another port" NOT_DNS --dport 5353
	unanswered "three VLAN tags" NOT_DNS --vlan 10 --vlan 20 --vlan 30
}

second_interface()
{
	$lab server ip link add ecs2 type veth peer name ecs3 netns "ecsdns-$LAB-client"
	$lab server ip addr add 198.18.1.1/24 dev ecs2
	$lab server ip link set dev ecs2 up
	$lab client ip addr add 198.18.1.2/24 dev ecs3
	$lab client ip link set dev ecs3 up
	$lab client ip link set dev ecs3 xdpdrv obj build/pass.bpf.o sec xdp
	$lab client ip route add 198.18.0.53/32 via 198.18.1.1 dev ecs3 src 198.18.1.2
	check "a second interface" $lab server ecsdns-loader attach ecs2
	counted "a query through the second interface" ANSWERED $lab client dig +nocookie @198.18.0.53 www.example.com AAAA +subnet=$subnet
	contains "a query through the second interface: answered" "$output" $osaka
	check "detaching the second" $lab server ecsdns-loader detach ecs2
	counted "the first goes on" ANSWERED $lab client dig +nocookie @198.18.0.1 www.example.com AAAA +subnet=$subnet
}

clients
long_name
pipelined
offload
frames
frames_that_pass
second_interface
finish
