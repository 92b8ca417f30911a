#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What zone data mean, beside Knot and NSD with the same zones: random small zones of everything that can stand in each
# other's way, services among it (tests/zones/random_zones.py), and a record of every type (tests/zones/every_type.py).
# ECSDNS_SEED repeats a run. With ECSDNS_LONG=1 it is a hundred thousand questions.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-semantics}
scratch=$(mktemp -d)
# shellcheck source=tests/zones/peers.sh
. tests/zones/peers.sh

trap '$lab down; rm -rf "$scratch"' EXIT

rounds=1 zones=30 each=160
[ -z "${ECSDNS_LONG:-}" ] || { rounds=10; zones=100; each=100; }
seed=${ECSDNS_SEED:-$RANDOM}

# NAME ZONE FOLDER CMD...: the three with the zones of the folder, and what CMD says of their replies
compare()
{
	local name=$1 zone=$2 folder=$3
	shift 3

	check "$name: pushed" $lab server ecsctl push "$folder/main.yaml"
	check "$name: Knot and NSD have it, too" peers_start "$folder/peers" "$zone"
	check "$name: served" zones_served "$zone"
	zones_ask "$name: every reply is right" "$@"
	peers_stop "$folder/peers"
}

$lab up >&2 || exit 1
tests/zones/every_type.py write "$scratch/types" || exit 1
compare "every type" types.test. "$scratch/types" tests/zones/every_type.py ask
for ((round = 0; round < rounds; round++)); do
	tests/zones/random_zones.py write $((seed + round)) $zones "$scratch/$round" || exit 1
	compare "random zones, seed $((seed + round))" z0.seed$((seed + round)).test. "$scratch/$round" \
		tests/zones/random_zones.py ask $((seed + round)) $zones $each
done
finish
