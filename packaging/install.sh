#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: packaging/install.sh LIST...
#
# Installs the Debian packages of these lists that are missing. Silent and fast when none is. Servers among them are for
# tests, which run them by themselves: no service is started by this, nor enabled for the next boot.
set -euo pipefail

policy=/usr/sbin/policy-rc.d	# invoke-rc.d(8) asks it whether a service may start
our_policy=
log=$(mktemp)
trap 'rm -f "$log" $our_policy' EXIT

missing=()
while read -r package; do
	dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done < <(grep -hv '^#' "$@")
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	printf 'These Debian packages are missing, and installing them needs root (sudo make packages):\n  %s\n' "${missing[*]}" >&2
	exit 1
fi

start_nothing()
{
	[ ! -e $policy ] || return 0
	our_policy=$policy
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
}

# The units of the packages just installed. Dependencies' services are none of ours; these lists name every server.
enable_nothing()
{
	local units

	command -v systemctl >/dev/null || return 0
	units=$(dpkg-query -L "${missing[@]}" | grep -E '^(/usr)?/lib/systemd/system/[^@/]+\.(service|socket|timer)$' | sort -u) || return 0
	# shellcheck disable=SC2086
	systemctl --quiet disable $(basename -a $units) >>"$log" 2>&1 || true
}

echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
start_nothing
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	echo "installing packages failed; the lines above are apt-get's" >&2
	exit 1
fi
enable_nothing
