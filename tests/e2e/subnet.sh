#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Special cases of the client subnet, asked by real clients: the rows of subnet.tsv, each of the driver, of the fallback
# over TCP, and of the fallback over UDP with the driver detached. Every reply must be what its row says, and the three
# must be the same. Between them a push switches client subnets off and on again.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/counters.sh
. tests/counters.sh
export LAB=subnet
export ECSDNS_SOCKET=/run/ecsdns-lab/$LAB/control.sock
export PATH=${BUILD:-$root/build}:$PATH
lab=tests/lab.sh
rows=tests/e2e/subnet.tsv
scratch=$(mktemp -d)

# Who asks: the server's address of that family and the client's own.
declare -A servers=([4]=198.18.0.1 [6]=fd00:ec5::1 [far4]=198.18.0.1 [far6]=fd00:ec5::1)
declare -A resolvers=([4]=198.18.0.2 [6]=fd00:ec5::2 [far4]=198.18.0.130 [far6]=fd00:ec5::1:2)
declare -A driver_replies	# by row

main()
{
	trap '$lab down; rm -rf "$scratch"' EXIT
	make_configurations
	$lab up "$scratch/on.yaml" >&2 || exit 1
	$lab client ip addr add "${resolvers[far4]}/24" dev ecs1
	$lab client ip addr add "${resolvers[far6]}/64" dev ecs1 nodad
	with_driver on
	push off
	with_driver off
	push on
	check "detach" $lab server ecsdns-loader detach ecs0
	each_row on ask_fallback
	push off
	each_row off ask_fallback
	check "attach" $lab server ecsdns-loader attach ecs0
	push on
	each_row on ask_again
	finish
}

make_configurations()
{
	cp tests/e2e/subnet.zone "$scratch/"
	cp tests/e2e/subnet.yaml "$scratch/on.yaml"
	sed 's/enabled: true/enabled: false/' "$scratch/on.yaml" >"$scratch/off.yaml"
}

push()
{
	check "push: client subnets $1" ecsctl push "$scratch/$1.yaml"
}

# on|off FUNCTION: for each row with this state of the switch
each_row()
{
	local switch name from words reason status answer subnets decided expected count=0

	while IFS=$'\t' read -r switch name from words reason status answer subnets decided; do
		[ "$switch" = "$1" ] || continue
		expected="$status | $answer | $subnets"
		"$2"
		count=$((count + 1))
	done <$rows
	check "$1: there were rows to ask" test $count -ge 20
}

with_driver()
{
	local counted=

	each_row "$1" ask_driver
	each_row "$1" ask_tcp
	each_row "$1" explain
}

# -- of each row -------------------------------------------------------------------------------------------------------

# Nobody else asks meanwhile: the driver counts this one packet, and under the row's reason.
ask_driver()
{
	local before=${counted:-$(counters)}

	driver_replies[$name]=$(ask)
	counted=$(counters)
	same "$name" "$expected" "$(summary "${driver_replies[$name]}")"
	same "$name: counted" "$reason 1" "$(counters_moved "$before" "$counted")"
}

ask_again()
{
	same "$name: after off and on again" "$expected" "$(summary "$(ask)")"
}

ask_tcp()
{
	local reply

	reply=$(ask +tcp)
	same "$name: over TCP" "$expected" "$(summary "$reply")"
	same "$name: over TCP, the whole reply" "${driver_replies[$name]}" "$reply"
}

ask_fallback()
{
	local reply

	reply=$(ask)
	same "$name: the driver detached" "$expected" "$(summary "$reply")"
	same "$name: the driver detached, the whole reply" "${driver_replies[$name]}" "$reply"
}

# The row's client, asking once. Stands for the whole reply, without its id and what a cookie adds. [OPTION...]
ask()
{
	local once=(+tries=1 +time=2 +nocmd +nostats)

	[[ $words == kdig* ]] && once=(+retry=0 +timeout=2 +nostats)
	# shellcheck disable=SC2086
	ip netns exec "ecsdns-$LAB-client" ${words%% *} "@${servers[$from]}" -b "${resolvers[$from]}" ${words#* } \
		"${once[@]}" "$@" 2>&1 | sed -e 's/, id: .*//;s/; id: .*//' -e '/COOKIE:/d'
}

# "NOERROR qr aa rd | 10 A 192.0.2.1 | 192.0.2.0/24/24": status and flags, the answer section, every client subnet.
summary()
{
	awk '/^;; ->>HEADER<<-/ { sub(/.*status: /, ""); sub(/[,;].*/, ""); status = $0 }
		/^;; [Ff]lags:/ { sub(/^[^:]*: */, ""); sub(/;.*/, ""); status = status " " $0 }
		/CLIENT-SUBNET:/ { sub(/.*CLIENT-SUBNET: */, ""); subnets = subnets (subnets ? ", " : "") $0 }
		/^;; .* SECTION:/ { section = $2 }
		section == "ANSWER" && !/^;/ && NF {
			sub(/^[^\t ]+[\t ]+/, ""); sub(/IN[\t ]+/, ""); gsub(/[\t ]+/, " ")
			answer = answer (answer ? ", " : "") $0 }
		END { printf "%s | %s | %s\n", status, answer ? answer : "-", subnets ? subnets : "-" }' <<<"$1"
}

# The same of `ecsctl explain`, where it can be asked: what decided, the answer and the scope.
explain()
{
	local options=(--no-ecs) client=${resolvers[$from]} owner type output said

	[ "$decided" != - ] || return 0
	if [[ $words =~ \+subnet=([^ ]+) ]]; then
		client=${BASH_REMATCH[1]}
		options=(--resolver "${resolvers[$from]}")
	fi
	read -r _ owner type _ <<<"$words"
	output=$(ecsctl explain --json "${options[@]}" "$client" "$owner" "$type" 2>&1)
	said=$(jq -r '(.answer | map(split(" +"; null)[1:] | join(" ")) | join(", ")) +
		" /\(.scope // "-"), by \(.decided_by)"' <<<"$output" 2>&1)
	same "$name: answer and scope, by explain" "$answer /${subnets##*/}" "${said%, by *}"
	contains "$name: what decided, by explain" "${said##*, by }" "$decided"
}

main
