#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The main job, shown: a lab, a configuration, every row of the acceptance table asked with kdig, the driver's own
# counters, and the same rows again with every daemon stopped. Ends 0 only if every row was right. Cleans up.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export LAB=${LAB:-demo}
lab=tests/lab.sh
server=fd00:ec5::1
rows=tests/e2e/scenario.tsv
wrong=0

main()
{
	trap '$lab down' EXIT
	title "A lab of two network namespaces, with examples/japan.yaml, which is warned of what it does on purpose"
	$lab up examples/japan.yaml
	$lab show
	title "Every row of the table, asked with kdig @$server"
	ask_all
	title "What the driver counted (bpftool map dump pinned $(pins)/counters, service_hits, region_hits)"
	show_counters
	local before
	before=$(answered)
	title "Every daemon stopped, the same rows again"
	$lab stop
	pgrep_lab
	ask_all
	printf '\nanswered by the driver meanwhile: %d\n' $(($(answered) - before))
	verdict $(($(answered) - before))
}

title()
{
	printf '\n== %s\n\n' "$*"
}

pins()
{
	echo "/run/ecsdns-lab/$LAB/bpf/ecsdns/v1"
}

dump()
{
	$lab server bpftool -j map dump pinned "$(pins)/$1"
}

answered()
{
	dump counters | jq '[.[0].formatted.values[].value.ANSWERED] | add'
}

pgrep_lab()
{
	local left

	left=$(ip netns pids "ecsdns-$LAB-server" | wc -l)
	printf 'processes left on the server: %d\n\n' "$left"
	[ "$left" -eq 0 ]
}

ask_all()
{
	local row name type subnet answer scope why

	printf '%-4s %-16s %-5s %-26s %-37s %-37s\n' row name type "client subnet" "expected: answer, source/scope" "received"
	while IFS=$'\t' read -r row name type subnet answer scope why; do
		[[ $row == \#* ]] || ask_one "$row" "$name" "$type" "$subnet" "$answer" "$scope"
	done <$rows
}

ask_one()
{
	local row=$1 name=$2 type=$3 subnet=$4 expected="$5 $6" option=() reply received mark=right

	[ "$subnet" = - ] || option=("+subnet=$subnet")
	reply=$($lab client kdig @$server "$name" "$type" "${option[@]}" +retry=0 +timeout=2 2>&1) || true
	received="$(answer_of "$reply") $(scope_of "$reply")"
	[ "$received" = "$expected" ] || { mark=WRONG; wrong=$((wrong + 1)); }
	printf '%-4s %-16s %-5s %-26s %-37s %-37s %s\n' "$row" "$name" "$type" "$subnet" "$expected" "$received" $mark
}

# The records' data, sorted, or the status where there are none.
answer_of()
{
	local data

	data=$(sed -n '/^;; ANSWER SECTION/,/^$/p' <<<"$1" | awk '!/^;/ && NF { print $5 }' | sort | paste -sd,)
	[ -n "$data" ] || data=$(sed -n 's/.*status: \([A-Z]*\);.*/\1/p' <<<"$1")
	echo "${data:-none}"
}

scope_of()
{
	local scope

	scope=$(sed -n 's/^;; CLIENT-SUBNET: .*\/\([0-9]*\/[0-9]*\)$/\1/p' <<<"$1")
	echo "${scope:--}"
}

# id -> name maps beside the counters, as an operator would join them.
show_counters()
{
	dump counters | jq -r '[.[0].formatted.values[].value | to_entries[]] | group_by(.key)[] |
		{key: .[0].key, sum: (map(.value) | add)} | select(.sum > 0) | "  reason   \(.key): \(.sum)"'
	join_hits service_hits service_names '.name' service
	join_hits region_hits region_names '"\(.topology)/\(.region)"' region
}

join_hits()
{
	local names

	names=$(dump "$2" | jq -c "[.[].formatted | {(.key | tostring): (.value | $3)}] | add")
	dump "$1" | jq -r --argjson names "$names" '.[].formatted | {key, sum: ([.values[].value.packets] | add)} |
		select(.sum > 0) | "  '"$4"' '"$([ "$4" = service ] && echo ' ' || echo '  ')"'\($names[.key | tostring]): \(.sum)"'
}

verdict()
{
	title Result
	if [ "$wrong" -gt 0 ]; then
		echo "$wrong rows were wrong"
		exit 1
	fi
	if [ "$1" -eq 0 ]; then
		echo "the driver answered nothing while the daemons were stopped"
		exit 1
	fi
	echo "Every row was right, twice: with the daemons and without them."
}

main "$@"
