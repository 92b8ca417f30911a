# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The driver's counters of a lab, as bpftool reads them. Set LAB and source it.

# The whole dump
counters()
{
	bpftool -j map dump pinned "/run/ecsdns-lab/$LAB/bpf/ecsdns/v1/counters"
}

# REASON...: how often, summed over the reasons and the CPUs
counter()
{
	counters | jq '[.[0].formatted.values[].value | .[$ARGS.positional[]]] | add' --args "$@"
}

# BEFORE AFTER: what moved between two dumps, as "ANSWERED 2, COOKIE 1". What comes of itself is left out: neighbour
# discovery and multicast listener reports.
counters_moved()
{
	jq -rs 'def sums: [.[0].formatted.values[].value | to_entries[]] | group_by(.key) |
			map({key: .[0].key, value: map(.value) | add}) | from_entries;
		(.[0] | sums) as $before | .[1] | sums | to_entries | map(.value -= $before[.key]) |
		map(select(.value != 0 and (.key | IN("NOT_DNS", "IP_EXTENSIONS") | not)) | "\(.key) \(.value)") |
		join(", ")' <<<"$1 $2"
}
