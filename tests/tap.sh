# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# For tests written in shell: source it, call these, end with `finish`. Output is TAP, which tests/run.sh counts.
#
#   check NAME CMD...            CMD must succeed
#   refuse NAME TEXT CMD...      CMD must fail, and its output must contain TEXT
#   same NAME EXPECTED GOT       the two strings must be equal
#   contains NAME TEXT PART      PART must be in TEXT
#   exits NAME CODE CMD...       CMD's exit code; what it printed is left in $output and $errors (through $scratch)
#   field NAME FILTER EXPECTED   of the JSON in $output
#   skip NAME WHY                not run, and why
#   note TEXT...                 for the reader
tap_number=0
tap_failed=0

tap_ok()
{
	tap_number=$((tap_number + 1))
	echo "ok $tap_number - $*"
}

tap_not_ok()
{
	tap_number=$((tap_number + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_number - $*"
}

note()
{
	printf '%s\n' "$*" | sed 's/^/# /'
}

check()
{
	local name=$1 output status=0
	shift

	output=$("$@" 2>&1) || status=$?
	if [ $status -eq 0 ]; then
		tap_ok "$name"
	else
		tap_not_ok "$name"
		note "exit $status: $*"
		note "$output"
	fi
}

refuse()
{
	local name=$1 text=$2 output status=0
	shift 2

	output=$("$@" 2>&1) || status=$?
	if [ $status -eq 0 ]; then
		tap_not_ok "$name"
		note "succeeded, but should not: $*"
	elif [[ $output != *"$text"* ]]; then
		tap_not_ok "$name"
		note "expected an error with: $text"
		note "got: $output"
	else
		tap_ok "$name"
	fi
}

same()
{
	if [ "$2" = "$3" ]; then
		tap_ok "$1"
	else
		tap_not_ok "$1"
		note "expected: $2"
		note "got:      $3"
	fi
}

contains()
{
	if [[ $2 == *"$3"* ]]; then
		tap_ok "$1"
	else
		tap_not_ok "$1"
		note "expected to find: $3"
		note "in: $2"
	fi
}

exits()
{
	local name=$1 code=$2 status=0
	shift 2

	# shellcheck disable=SC2154 # the folder of the test
	output=$("$@" 2>"$scratch/errors") || status=$?
	errors=$(<"$scratch/errors")
	same "$name: exit $code" "$code" "$status"
	[ "$code" -eq $status ] || note "$output$errors"
}

field()
{
	same "$1" "$3" "$(jq -r "$2" <<<"$output" 2>&1)"
}

skip()
{
	tap_number=$((tap_number + 1))
	echo "ok $tap_number - $1 # SKIP $2"
}

finish()
{
	echo "1..$tap_number"
	[ $tap_failed -eq 0 ]
}
