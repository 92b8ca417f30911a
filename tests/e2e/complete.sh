#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Asks the completion of ecsctl as bash would, with examples/japan.yaml live. Prints "ok" or "missing" and what was typed, and at
# the end how many there were.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=packaging/completion/ecsctl
. packaging/completion/ecsctl
asked=0

# EXPECTED WORD...: the last word is completed; EXPECTED is one of the results, or "" for none at all
completes()
{
	local expected=$1
	shift

	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_ecsctl
	asked=$((asked + 1))
	if [[ " ${COMPREPLY[*]} " == *" $expected "* || ( -z $expected && ${#COMPREPLY[@]} -eq 0 ) ]]; then
		echo "ok $* -> ${expected:-nothing}"
	else
		echo "missing $* -> $expected, got: ${COMPREPLY[*]}"
	fi
}

completes rollback ecsctl ro
completes "force-down" ecsctl --json force-
completes "" ecsctl nonsense
completes --socket ecsctl --so
completes --dry-run ecsctl push --d
completes --compiled ecsctl dump --
completes README.md ecsctl push READ
completes v4-main ecsctl drain v4-
completes v4-main/v4-main-b ecsctl enable v4-main/
completes japan/osaka1 ecsctl health japan/o
completes 1 ecsctl rollback ""
completes "" ecsctl --socket /nonexistent drain v4
echo "completion: $asked asked"
