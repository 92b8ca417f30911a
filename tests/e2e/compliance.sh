#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The probes of RFC 8906 section 8, as dig sends them and with the fields that are expected there: of a service, whose
# replies come from the driver, and of a zone, whose come from the fallback; each over UDP and TCP, IPv4 and IPv6. Then the
# extended errors of RFC 8914, as dig names them, and a reply, and which, to every opcode, flag, type and class.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=compliance
# shellcheck source=tests/counters.sh
. tests/counters.sh
# shellcheck source=tests/replay/common.sh
. tests/replay/common.sh

vectors=tests/vectors
service=alone.example.org	# outside every zone: it has an SOA record of its own
zone=example.com
plain="+noedns +noad +norec"
edns="+nocookie +noad +norec"

main()
{
	replay_begin $vectors/vectors.yaml
	probes
	explanations
	every_combination
	finish
}

probes()
{
	# basic DNS
	probe 8.1.1 "is the zone there" ANSWERED "$plain soa ~" NOERROR soa aa -rd -ad -opt
	probe 8.1.2 "an unknown type" NODATA "$plain type1000 ~" NOERROR none aa -rd -ad -opt
	probe 8.1.3.1 "CD=1" ANSWERED "$plain +cd soa ~" NOERROR soa aa -rd -ad -opt
	probe 8.1.3.2 "AD=1" ANSWERED "+noedns +norec +ad soa ~" NOERROR soa aa -rd -ad -opt
	probe 8.1.3.3 "the reserved bit" ANSWERED "$plain +zflag soa ~" NOERROR soa aa -rd -ad -mbz -opt
	probe 8.1.3.4 "RD=1" ANSWERED "+noedns +noad +rec soa ~" NOERROR soa aa rd -ad -opt
	probe 8.1.4 "an unknown opcode" OPCODE "$plain +opcode=15 +header-only" NOTIMP opcode15 empty -aa -rd -ad -opt
	probe 8.1.4 "an unknown opcode with a question" OPCODE "$plain +opcode=15 soa ~" NOTIMP opcode15 empty -aa -rd -ad -opt
	probe 8.1.5 "over TCP" - "$plain +tcp soa ~" NOERROR soa aa -rd -ad -opt
	# extended DNS
	probe 8.2.1 "minimal EDNS" ANSWERED "$edns +edns=0 soa ~" NOERROR soa aa opt v0 -rd -ad
	probe 8.2.2 "EDNS version 1" VERSION "$edns +edns=1 +noednsneg soa ~" BADVERS empty -aa opt v0 -rd -ad
	probe 8.2.3 "an unknown option" ANSWERED "$edns +edns=0 +ednsopt=100 soa ~" NOERROR soa aa opt v0 -opt100 -rd -ad
	probe 8.2.4 "an unknown flag" ANSWERED "$edns +edns=0 +ednsflags=0x40 soa ~" NOERROR soa aa opt v0 -mbz -rd -ad
	probe 8.2.5 "version 1 and an unknown flag" VERSION "$edns +edns=1 +noednsneg +ednsflags=0x40 soa ~" \
		BADVERS empty -aa opt v0 -mbz -rd -ad
	probe 8.2.6 "version 1 and an unknown option" VERSION "$edns +edns=1 +noednsneg +ednsopt=100 soa ~" \
		BADVERS empty -aa opt v0 -opt100 -rd -ad
	probe 8.2.7 "a small size" NODATA "$edns +dnssec +bufsize=512 +ignore dnskey ~" NOERROR none aa opt v0 DO -rd -ad -tc
	probe 8.2.7 "a truncated reply" TRUNCATED "$edns +dnssec +ignore = +bufsize=512" NOERROR aa opt v0 DO -rd -ad tc-over-udp
	probe 8.2.8 "DO=1" ANSWERED "$edns +edns=0 +dnssec soa ~" NOERROR soa aa opt v0 DO -rd -ad
	probe 8.2.9 "version 1 and DO=1" VERSION "$edns +edns=1 +noednsneg +dnssec soa ~" BADVERS empty -aa opt v0 DO -rd -ad
	probe 8.2.10 "many options" NSID "+noad +norec +edns=0 +cookie +nsid +expire +subnet=0.0.0.0/0 soa ~" \
		NOERROR soa aa opt v0 -rd -ad
}

# SECTION WHAT REASON OPTIONS EXPECTATION...: everywhere. In the options ~ is the zone, = what is truncated there. REASON
# is the driver's for a service's reply over UDP, - where the probe is not over UDP.
probe()
{
	local name="RFC 8906 $1, $2" reason=$3 options=$4 server
	shift 4

	for server in 198.18.0.1 fd00:ec5::1; do
		if [ "$reason" != - ]; then
			driver_asked "$name" "$reason" $server "$options" "$@"
			asked "$name: zone, UDP" $server $zone "$options" "$@"
		fi
		asked "$name: service, TCP" $server $service "$options +tcp" "$@"
		asked "$name: zone, TCP" $server $zone "$options +tcp" "$@"
	done
}

# RFC 8914, which the driver leaves alone
explanations()
{
	local server how

	for server in 198.18.0.1 fd00:ec5::1; do
		for how in +notcp +tcp; do
			explained "outside every zone" nobody.test "+edns=0 soa ~" REFUSED not-authoritative
			explained "a type that is not data" $zone "+edns=0 type200 ~" NOTIMP not-supported
			explained "another class" $zone "+edns=0 -c CH -t soa ~" REFUSED not-supported
			explained "without EDNS" nobody.test "+noedns soa ~" REFUSED -ede -opt
			explained "an opcode" $zone "+edns=0 +opcode=15 soa ~" NOTIMP opt -ede
			explained "another EDNS version" nobody.test "+edns=1 +noednsneg soa ~" BADVERS opt -ede
			explained "no such name" none.$zone "+edns=0 soa ~" NXDOMAIN opt -ede
			explained "no such type, of a service" $service "+edns=0 txt ~" NOERROR opt -ede
		done
	done
}

# WHAT ZONE OPTIONS EXPECTATION...: of $server, over UDP or TCP as $how says
explained()
{
	local what=$1 of=$2 options=$3
	shift 3

	asked "extended error, $what, $how" "$server" "$of" "+nocookie +noad +norec $how $options" "$@"
}

# NAME REASON SERVER OPTIONS EXPECTATION...: of the service, over UDP, and the driver counts it under REASON alone
driver_asked()
{
	local name=$1 reason=$2 server=$3 options=$4 before
	shift 4

	before=$(counters)
	asked "$name: service, UDP" "$server" $service "$options" "$@"
	same "$name, @$server: counted" "$reason 1" "$(counters_moved "$before" "$(counters)")"
}

# NAME SERVER ZONE OPTIONS EXPECTATION...
asked()
{
	local name=$1 server=$2 options=${4//\~/$3} reply unmet

	options=${options/ = / $(long_one "$3") }
	shift 4
	# shellcheck disable=SC2086 # the options are words
	reply=$("$lab" client dig +tries=1 +time=5 "@$server" $options 2>&1)
	unmet=$(for one in "$@"; do meets "$one" "$reply" "$options" || printf '%s ' "$one"; done)
	same "$name, @$server" "" "$unmet"
	[ -z "$unmet" ] || note "dig @$server $options" "$reply"
}

# What does not fit 512 octets
long_one()
{
	[ "$1" = $zone ] && echo "longer.example.com txt" || echo "big.example.com aaaa"
}

# EXPECTATION REPLY OPTIONS: is it so? -WORD: WORD is not so.
meets()
{
	local flags

	flags=" $(sed -n 's/^;; flags: \([a-z ]*\);.*/\1/p' <<<"$2") "
	case $1 in
	-*) ! meets "${1#-}" "$2" "${3:-}" ;;
	NOERROR | NXDOMAIN | NOTIMP | REFUSED | BADVERS) [[ $2 == *"status: $1,"* ]] ;;
	opcode15) [[ $2 == *"opcode: RESERVED15,"* ]] ;;
	aa | rd | ad) [[ $flags == *" $1 "* ]] ;;
	tc) [[ $flags == *" tc "* ]] ;;
	tc-over-udp) meets "$([[ $3 == *+tcp* ]] && echo -)tc" "$2" ;;
	soa) grep -A1 "ANSWER SECTION" <<<"$2" | grep -q "\sIN\sSOA\s" ;;
	none) [[ $2 == *"ANSWER: 0,"* ]] ;;
	empty) [[ $2 == *"ANSWER: 0, AUTHORITY: 0,"* ]] ;;
	opt) [[ $2 == *"OPT PSEUDOSECTION"* ]] ;;
	v0) [[ $2 == *"EDNS: version: 0,"* ]] ;;
	DO) [[ $2 == *"EDNS: version: 0, flags: do;"* ]] ;;
	mbz) [[ $2 == *MBZ* ]] ;;
	opt100) [[ $2 == *"OPT=100"* ]] ;;
	ede) [[ $2 == *"; EDE"* ]] ;;
	not-authoritative) grep -qx "; EDE: 20 (Not Authoritative)" <<<"$2" ;;
	not-supported) grep -qx "; EDE: 21 (Not Supported)" <<<"$2" ;;
	*) printf 'unknown:%s ' "$1"; return 1 ;;
	esac
}

# Two names that exist, a service and one of a zone.
every_combination()
{
	local status=0 output before after tx=(ANSWERED NODATA ANY TRUNCATED)

	tests/replay/targets.py $vectors/vectors.yaml >"$scratch/all" || exit 1
	{
		grep "^prefix" "$scratch/all"
		grep "^service $(wire www example com)" "$scratch/all"
		grep "^zone $(wire static example com)" "$scratch/all"
	} >"$scratch/targets"
	before=$(counter "${tx[@]}")
	output=$(replay_at_client matrix --targets "$scratch/targets" 2>&1) || status=$?
	after=$(counter "${tx[@]}")
	replay_test "every opcode, flag, type and class gets a reply, and the right one" $status "$output"
	check "they are more than a million" test "$(replay_figure asked "$output")" -gt 1000000
	same "the driver answered those that are the service's" "$(replay_figure services "$output")" $((after - before))
	note "! compliance: $(tail -n 1 <<<"$output")"
}

# A name of these labels, in hex
wire()
{
	local label

	for label in "$@"; do
		printf '%02x' ${#label}
		printf '%s' "$label" | od -An -v -tx1 | tr -d ' \n'
	done
	printf 00
}

main
