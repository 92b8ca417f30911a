#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: packaging/deb.sh DIR
#
# Builds the Debian package of the working tree in DIR; the tree itself stays as it is. DEB_VERSION=V names another
# version than user/common/version.h, DEBFULLNAME and DEBEMAIL who packages. Needs what
# packaging/packages.txt lists, debhelper and dpkg-dev.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=${DEB_VERSION:-$(sed -n 's/^#define ECSDNS_VERSION "\(.*\)"$/\1/p' "$root/user/common/version.h")}
directory=$(mkdir -p "$1" && cd "$1" && pwd)
tree=$directory/ecsdns-$version
log=$directory/build.log

# What git knows, as it stands here; a tree without git is a released one, and whole.
copy()
{
	cd "$root"
	if [ -e .git ]; then
		git ls-files -z -co --exclude-standard
	else
		find . -path ./build -prune -o -type f -print0
	fi | tar --create --null --files-from=- --ignore-failed-read 2>/dev/null | tar --extract --directory "$tree"
	cp -r packaging/debian "$tree/debian"
}

# The time of what is packaged: everything that dpkg writes carries it.
source_time()
{
	git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/CHANGELOG.md"
}

rm -rf "$tree"
mkdir -p "$tree"
copy
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(source_time)}
"$root/packaging/changelog.sh" "$version" <"$root/CHANGELOG.md" >"$tree/debian/changelog"
sed -i "s/^Maintainer: .*/Maintainer: ${DEBFULLNAME:-ecsdns maintainers} <${DEBEMAIL:-ecsdns@example.com}>/" "$tree/debian/control"
cd "$tree"
# Of the caller's make nothing is meant for this one.
if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS="nocheck parallel=$(nproc) ${DEB_BUILD_OPTIONS:-}" \
	dpkg-buildpackage --build=binary --unsigned-changes --no-pre-clean >"$log" 2>&1 </dev/null; then
	tail -n 40 "$log" >&2
	echo "building the package failed; the lines above are the end of $log" >&2
	exit 1
fi
rm -rf "$tree"
ls "$directory"/ecsdns_"$version"_*.deb
