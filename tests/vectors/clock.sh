#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: clock.sh SECONDS COMMAND...
#
# Becomes COMMAND, for which the time of day stands still at SECONDS since 1970 while CLOCK_MONOTONIC goes on. The faketime
# program would stay in between; and the shared memory that its library leaves behind ends with a mount of our own.
set -eu

if [ "$1" != --mounted ]; then
	exec unshare --mount "$0" --mounted "$@"
fi
shift
mount -t tmpfs tmpfs /dev/shm
export FAKETIME="$1" FAKETIME_FMT=%s FAKETIME_DONT_FAKE_MONOTONIC=1
LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1)
shift
export LD_PRELOAD
exec "$@"
