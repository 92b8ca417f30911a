#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# TCP as clients of every kind use it, with a fallback of its own whose idle time is short and whose places are few.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
export LAB=tcp
lab=tests/lab.sh
pins=/run/ecsdns-lab/$LAB/bpf/ecsdns/v1

trap '$lab down' EXIT
$lab up examples/japan.yaml >&2 || exit 1
$lab server ecsdns-fallback --pins "$pins" --state "/run/ecsdns-lab/$LAB/state" --workers 1 --port 5300 \
	--control "/run/ecsdns-lab/$LAB/fallback-5300.sock" \
	--tcp-idle 2 --tcp-connections 25 --tcp-per-network 10 2>&1 | sed 's/^/# /' >&2 &
sources=(198.18.0.2 198.18.1.2 198.18.2.2)
for source in "${sources[@]:1}"; do
	$lab client ip addr add "$source/32" dev ecs1
done
$lab server ip route replace 198.18.0.0/16 dev ecs0
for _ in $(seq 100); do
	$lab client bash -c 'exec 3<>/dev/tcp/198.18.0.1/5300' 2>/dev/null && break
	sleep 0.05
done
$lab client tests/e2e/tcp.py 198.18.0.1 5300 2 www.example.com 25 10 "${sources[@]}"
