#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: tests/e2e/kernel61.sh
#
# The programs that were built, the very files, on Debian 12's stock 6.1 kernel: tests/kernel61/guest.sh runs there.
# BUILD=dir takes the programs from there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath "${BUILD:-$root/build}")
tools=$build/tests

cd "$root"
mkdir -p "$tools"
${CC:-cc} -std=gnu11 -O2 -Wall -o "$tools/stream" tests/e2e/stream.c
${CC:-cc} -std=gnu11 -O2 -Wall -o "$tools/pin" tests/e2e/pin.c -lbpf
${CC:-cc} -std=gnu11 -O2 -Wall -o "$tools/chain" tests/kernel61/chain.c -lxdp -lbpf
make -s "$root/build/chained.bpf.o" BUILD="$root/build" >&2

objects=(--file "$build/ecsdns.bpf.o")
if command -v clang-19 >/dev/null; then
	make -s CLANG=clang-19 BUILD="$tools/clang-19" "$tools/clang-19/ecsdns.bpf.o" >&2
	objects+=(--file "$tools/clang-19/ecsdns.bpf.o")
fi

programs=()
for program in "$build"/{ecsdns-loader,ecsdns-controller,ecsdns-fallback,ecsctl} "$tools"/{stream,pin,chain} \
	bash ip bpftool jq kdig ethtool mountpoint; do
	programs+=(--program "$program")
done

# The guest has the project at the same place; BUILD is told through a file, as vm.sh passes no environment.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kernel61.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
echo "BUILD=$build" >"$scratch/settings"

tests/kernel61/vm.sh --timeout 240 --module 8021q "${programs[@]}" "${objects[@]}" \
	--file "$scratch/settings:/etc/ecsdns-test" --file "$build/pass.bpf.o" --file "$root/build/chained.bpf.o:$build/chained.bpf.o" \
	--file tests/lab.sh --file tests/tap.sh --file tests/e2e/scenario.tsv --file examples tests/kernel61/guest.sh
