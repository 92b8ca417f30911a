#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# gdnsd as an oracle: it runs beside ecsdns in the lab with the same random topologies of every shape
# (tests/e2e/oracle/shapes.py), and both are asked for 200 clients of each, of both families, with source lengths from 0 to full,
# over IPv4 and IPv6, through the driver and (with NSID) the fallback. Answer and scope must be equal but for the
# differences that are listed (tests/e2e/oracle/compare.py). Then the acceptance table and the golden scopes.
#
# ECSDNS_SEED=N: the same topologies and clients again. ECSDNS_LONG=1: ten times as many.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=oracle
export PYTHONDONTWRITEBYTECODE=1	# modules, beside their sources
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
# shellcheck source=tests/counters.sh
. tests/counters.sh

topologies=204 clients=200 rounds=1
[ -z "$long" ] || rounds=10
# Not addresses of ecsdns: the driver passes what is sent to them.
gdnsd4=198.18.0.9 gdnsd6=fd00:ec5::9
gdnsd_pid=

main()
{
	local seed=${ECSDNS_SEED:-$RANDOM} i

	load_begin ""
	"$lab" server ip addr add $gdnsd4/24 dev ecs0
	"$lab" server ip addr add $gdnsd6/64 dev ecs0 nodad
	for ((i = 0; i < rounds; i++)); do
		round $((seed + i))
	done
	finish
}

# SEED: what it made is kept where a difference was found.
round()
{
	local seed=$1 folder=$root/build/logs/oracle-$1 failed=$tap_failed

	note "seed $seed: ECSDNS_SEED=$seed tests/e2e/oracle.sh asks the same again"
	rm -rf "$folder"
	mkdir -p "$folder"
	if start_both "$folder"; then
		compare "$folder"
	fi
	stop_gdnsd
	if [ "$tap_failed" -eq "$failed" ]; then
		rm -rf "$folder"
	else
		note "configurations of both servers and all differences: $folder"
	fi
}

start_both()
{
	local output

	if ! output=$(tests/e2e/oracle/shapes.py "$seed" $topologies "$1" 2>&1) ||
		! output=$(tests/e2e/oracle/gdnsd.py "$1" "$run/gdnsd" $gdnsd4 $gdnsd6 2>&1); then
		tap_not_ok "seed $seed: configurations"
		note "$output"
		return 1
	fi
	if ! output=$(ecsctl push "$1/main.yaml" 2>&1); then
		tap_not_ok "seed $seed: ecsdns has the configuration"
		note "$output"
		return 1
	fi
	if ! start_gdnsd "$1"; then
		tap_not_ok "seed $seed: gdnsd has the configuration"
		note "$(tail -n 20 "$1/gdnsd.log")"
		return 1
	fi
	same "seed $seed: no network has two regions for gdnsd" "" "$(grep conflicting "$1/gdnsd.log")"
}

# FOLDER. It ends with this shell, even if that is killed.
start_gdnsd()
{
	mkdir -p "$run/gdnsd"
	"$lab" server setpriv --pdeathsig KILL gdnsd -c "$1/gdnsd" start >"$1/gdnsd.log" 2>&1 </dev/null &
	gdnsd_pid=$!
	for _ in $(seq 200); do
		gdnsdctl -c "$1/gdnsd" status >/dev/null 2>&1 && return
		kill -0 $gdnsd_pid 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}

stop_gdnsd()
{
	[ -n "$gdnsd_pid" ] || return 0
	kill "$gdnsd_pid" 2>/dev/null
	wait "$gdnsd_pid" 2>/dev/null
	gdnsd_pid=
}

# FOLDER
compare()
{
	local status=0 before after

	before=$(path_counters)
	"$lab" client tests/e2e/oracle/compare.py "$1" "$seed" $clients $gdnsd4 $gdnsd6 tests/e2e/scenario.tsv \
		tests/e2e/oracle/golden.tsv >"$1/results" 2>"$1/errors" || status=$?
	after=$(path_counters)
	same "seed $seed: every question was asked" 0 $status
	[ $status -eq 0 ] || note "$(tail -n 20 "$1/errors")"
	judge_batches "$1"
	# shellcheck disable=SC2086
	judge_figures "$1" $before $after
}

# FOLDER: a test each
judge_batches()
{
	local name asked differences

	while IFS=$'\t' read -r name asked differences; do
		same "seed $seed, $name: $asked questions" "0 differences" "$differences differences"
		[ "$differences" = 0 ] || note "$(head -n 50 "$1/differences-$name")"
	done < <(sed -n 's/^batch\t//p' "$1/results")
}

# How many queries the driver passed to another address, answered, and passed to the fallback for their NSID
path_counters()
{
	echo "$(counter OTHER_ADDRESS) $(counter ANSWERED NODATA) $(counter NSID)"
}

# FOLDER, path_counters before and after
judge_figures()
{
	local folder=$1 with without compared others=0 name

	with=$(figure "$folder" "asked with NSID") without=$(figure "$folder" "asked without NSID")
	check "seed $seed: the driver passed gdnsd's queries up" test $(($5 - $2)) -ge $((with + without))
	check "seed $seed: the driver answered ours" test $(($6 - $3)) -ge "$without"
	check "seed $seed: the fallback answered ours with NSID" test $(($7 - $4)) -ge "$with"
	compared=$(($(figure "$folder" "compared, equal") + $(figure "$folder" "compared, one")))
	for name in "compared, apart" "not asked, inside a block of requirement 8" \
		"not asked, inside a block that gdnsd keeps apart" "not asked, reaching over a block that gdnsd keeps apart"; do
		others=$((others + $(figure "$folder" "$name")))
	done
	check "seed $seed: at least 200 topologies" test "$(figure "$folder" topologies)" -ge 200
	check "seed $seed: nine of ten clients were compared" test $compared -ge $((topologies * clients * 9 / 10))
	check "seed $seed: at most one of ten was drawn in vain" test $((others * 10)) -le $((others + compared))
	note "! seed $seed: $(sed -n 's/^figure\t\(.*\)\t\(.*\)/\1: \2/p' "$folder/results" | paste -sd ';' | sed 's/;/; /g')"
}

# FOLDER NAME
figure()
{
	local number

	number=$(grep -P "^figure\t$2\t" "$1/results" | cut -f 3)
	echo "${number:-0}"
}

main
