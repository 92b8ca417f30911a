#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds everything with gcc, clang 14 and clang 19, warnings as errors, each below build/lint/; and what the project
# asks of every source file.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh

build_with()
{
	make --no-print-directory -s -j"$(nproc)" CC="$1" CLANG="$2" BUILD="build/lint/$1" CFLAGS=-O1 WERROR=-Werror all
}

without_licence()
{
	git ls-files -co --exclude-standard '*.c' '*.h' '*.sh' '*.py' '*.def' Makefile | while read -r file; do
		head -n 3 "$file" | grep -q SPDX-License-Identifier || echo "$file"
	done
}

check "gcc, no warnings" build_with gcc clang
check "clang 14, no warnings, with its BPF" build_with clang-14 clang-14
check "clang 19, no warnings, with its BPF" build_with clang-19 clang-19
same "every source names its licence" "" "$(without_licence)"
same "bpf/ and user/ never include each other" "" "$(grep -rn 'include "user/' bpf maps; grep -rn 'include "bpf/' user)"
same "maps/ includes nobody" "" "$(grep -rnE 'include "(bpf|user|tools)/' maps)"
finish
