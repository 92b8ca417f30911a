#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tables take, in the lab: of a million random prefixes a family and of 100,000 names, after one push each, as the
# kernel counts it (bpftool's bytes_memlock, which leaves out what a trie's inner nodes and the allocator take), and what the
# kernel's unmovable memory grew by, which leaves out nothing. No part of check; it takes a minute. docs/operating.md has its figures.
#
#   sudo tests/bench/memory.sh [PREFIXES [NAMES]]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export LAB=${LAB:-memory}
pins=/run/ecsdns-lab/$LAB/bpf/ecsdns/v1
prefixes=${1:-1000000} names=${2:-100000}
scratch=$(mktemp -d)
trap 'tests/lab.sh down; rm -rf "$scratch"' EXIT

# TABLE: octets that it takes now
octets()
{
	bpftool -j map show pinned "$pins/$1" | jq .bytes_memlock
}

kernel()
{
	awk '/^(SUnreclaim|VmallocUsed|Percpu):/ {sum += $2} END {print int(sum / 1024)}' /proc/meminfo
}

# FIELD of its status, in MB
controller()
{
	awk -v field="$1:" '$1 == field {print int($2 / 1024)}' "/proc/$(<"/run/ecsdns-lab/$LAB/controller.pid")/status"
}

pools()
{
	cat <<-END
		server: {addresses: [198.18.0.1, "fd00:ec5::1"]}
		pools:
		$(for region in 0 1 2 3; do
			echo "  r$region: {members: [{name: a, address: 192.0.2.$region}, {name: b, address: \"2001:db8::$region\"}]}"
		done)
	END
}

# FILE TABLE...: pushes it, and says what the tables grew by for each of their new entries
push()
{
	local file=$1 table before after used held began
	declare -A was
	shift

	for table; do was[$table]=$(octets "$table"); done
	held=$(kernel) began=$(date +%s)
	tests/lab.sh server ecsctl push "$file" 2>"$scratch/errors" || { cat "$scratch/errors" >&2; exit 1; }
	for table; do
		used=$(tests/lab.sh server ecsctl --json status | jq --arg t "$table" '.tables[] | select(.table == $t) | .used')
		before=${was[$table]} after=$(octets "$table")
		awk -v t="$table" -v n="$used" -v grown=$((after - before)) -v all="$after" 'BEGIN {
			printf "  %-12s %9d entries, %7.1f MB", t, n, all / 1e6
			print n && grown ? sprintf(", %d octets for each that is new", grown / n) : ", whatever it holds" }'
	done
	printf '  the push took %d s; the kernel took %d MB more, the controller has %d MB, and had %d at most\n' \
		$(($(date +%s) - began)) $(($(kernel) - held)) "$(controller VmRSS)" "$(controller VmHWM)"
}

fresh()
{
	LOADER_OPTIONS="--names $((names * 4)) --services $((names * 4)) --indices $((names * 40))" tests/lab.sh up >/dev/null 2>&1
}

pools >"$scratch/prefixes.yaml"
tests/load/model.py prefixes 1 "$prefixes" "$prefixes" r1 r2 r3 >"$scratch/prefixes.csv"
cat >>"$scratch/prefixes.yaml" <<-END
	topologies: {world: {default: r0, file: prefixes.csv}}
	services: [{name: www.example.com, topology: world}]
END
pools >"$scratch/names.yaml"
{
	echo "zones: [{name: example.com, file: example.com.zone}]"
	echo "topologies: {world: {default: r0, prefixes: {192.0.2.0/24: r1}}}"
	echo "services:"
	for ((i = 0; i < names; i++)); do echo "- {name: name$i.example.com, topology: world}"; done
} >>"$scratch/names.yaml"
cp examples/example.com.zone "$scratch/"

fresh
echo "$prefixes prefixes a family:"
push "$scratch/prefixes.yaml" topology4 topology6
fresh
echo "$names names:"
push "$scratch/names.yaml" names_short indices answers
fresh
echo "whatever they hold:"
for table in indices answers service_hits region_hits; do
	bpftool -j map show pinned "$pins/$table" | jq -r '"  \(.name)  \(.max_entries) entries, \(.bytes_memlock / .max_entries | floor) octets each"'
done
printf '  (counters on %d CPUs)\n' "$(nproc --all)"
