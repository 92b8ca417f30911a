#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs a shell script as root on Debian 12's stock 6.1 kernel, the oldest that
# ecsdns supports and the one most of its users run: a verifier of 6.18 takes
# programs that one of 6.1 refuses, and libxdp's dispatcher works on 6.1 only.
#
# usage: tests/kernel61/vm.sh [OPTION]... SCRIPT
#
#   --program PATH[:GUEST_PATH]   pack a program and the shared libraries that
#                                 it needs; a bare name is looked up in PATH
#   --file PATH[:GUEST_PATH]      pack a file or a folder as it is
#   --module NAME                 pack and load one more kernel module
#                                 (8021q, dummy, ...); veth is always there
#   --timeout S                   give up after S seconds (default 120)
#   --memory MB                   the guest's memory (default 1024)
#   --build DIR                   where the unpacked kernel is kept
#                                 (default build/kernel61 of this project)
#   --help                        this text
#
# What is packed keeps its absolute path unless GUEST_PATH is given, and SCRIPT
# starts in a folder of the caller's name, so relative paths hold too. SCRIPT is
# run by the interpreter of its first line (sh and bash are fit for it), with no
# input. /proc, /sys (with BTF and bpffs), /dev and an empty /run are there,
# loopback is up, and busybox stands in for every command that was not packed.
#
# Shows the guest's console and ends with SCRIPT's exit code, or with 2 for
# wrong usage, 124 when the time is up, 125 when the guest could not be made,
# died, or never said how SCRIPT ended. Nothing of the guest survives.
#
# Needs no KVM and no network but for the first run, which fetches the kernel
# with apt-get; it is unpacked below DIR, never installed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly meta_package=linux-image-cloud-amd64

timeout=120
memory=1024
build=$here/../../build/kernel61
programs=()
files=()
modules=(veth)
script=
runner=
shower=

main()
{
	parse_arguments "$@"
	need_tools

	scratch=$(mktemp -d "${TMPDIR:-/tmp}/kernel61.XXXXXX")
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	fetch_kernel
	pack_guest
	run_guest
	report_result
}

parse_arguments()
{
	while [ $# -gt 0 ]; do
		case $1 in
		--help)
			usage
			exit 0
			;;
		--timeout | --memory | --build | --program | --file | --module)
			[ $# -ge 2 ] || wrong_usage "$1 needs a value"
			set_option "$1" "$2"
			shift 2
			;;
		-*)
			wrong_usage "unknown option $1"
			;;
		*)
			[ -z "$script" ] || wrong_usage "one script only, '$1' is the second"
			script=$1
			shift
			;;
		esac
	done

	[ -n "$script" ] || wrong_usage "no script given"
	[ -f "$script" ] || wrong_usage "no such script: $script"
}

set_option()
{
	case $1 in
	--timeout)
		[[ $2 =~ ^[1-9][0-9]*$ ]] || wrong_usage "--timeout takes seconds, not '$2'"
		timeout=$2
		;;
	--memory)
		[[ $2 =~ ^[1-9][0-9]*$ ]] || wrong_usage "--memory takes megabytes, not '$2'"
		memory=$2
		;;
	--build) build=$2 ;;
	--program) programs+=("$2") ;;
	--file) files+=("$2") ;;
	--module) modules+=("$2") ;;
	esac
}

usage()
{
	sed -n '/^# usage:/,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

need_tools()
{
	local tool

	for tool in qemu-system-x86_64 busybox cpio dash ldd dpkg-deb flock; do
		command -v "$tool" >/dev/null ||
			fail "$tool is missing; `make test-packages` installs it"
	done

	# The guest has no libraries of its own, and init is busybox's shell.
	if ldd "$(command -v busybox)" >/dev/null 2>&1; then
		fail "busybox is linked dynamically; install busybox-static"
	fi
}

# ---- the kernel -------------------------------------------------------------

# Leaves the package's files in $kernel and the kernel's version in $release.
# The lock keeps two runs in a fresh clone from unpacking over each other; the
# rename makes a folder named "root" a complete one.
fetch_kernel()
{
	local images

	mkdir -p "$build"
	build=$(realpath "$build")
	kernel=$build/root

	exec {lock}>"$build/lock"
	flock "$lock"
	if [ ! -d "$kernel" ]; then
		download_kernel
		unpack_kernel
	fi
	exec {lock}>&-

	images=("$kernel"/boot/vmlinuz-6.1.*)
	[ -f "${images[0]}" ] || fail "no 6.1 kernel in $kernel; remove it to fetch anew"
	release=${images[0]##*/vmlinuz-}
}

# A stale package index knows a version that the mirror has dropped, and a fresh
# container has no index at all, so both failures are worth one update.
download_kernel()
{
	try_download && return
	echo "kernel61: updating the package index" >&2
	apt-get -q update >"$scratch/apt.log" 2>&1 || true
	try_download || fail "cannot download $meta_package: $(tail -n 3 "$scratch/apt.log")"
}

# The download runs as whoever we are: apt's own user cannot write to $scratch.
try_download()
{
	local package

	package=$(apt-cache depends "$meta_package" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-6\.1\.[^ ]*\)$/\1/p' | head -n 1)
	[ -n "$package" ] || return 1

	echo "kernel61: downloading $package" >&2
	(cd "$scratch" && apt-get -q -o APT::Sandbox::User=root download "$package") \
		>"$scratch/apt.log" 2>&1
}

# modules.dep is made on installation, which never happens here.
unpack_kernel()
{
	local packages=("$scratch"/linux-image-*.deb) unpacked version

	rm -rf "$build"/unpack.*
	unpacked=$(mktemp -d "$build/unpack.XXXXXX")
	dpkg-deb -x "${packages[0]}" "$unpacked" || fail "cannot unpack ${packages[0]}"
	version=$(ls "$unpacked/lib/modules")
	busybox depmod -b "$unpacked" "$version" || fail "depmod failed"
	mv "$unpacked" "$kernel"
	rm -f "${packages[@]}"
}

# ---- the initramfs ----------------------------------------------------------

pack_guest()
{
	local item

	root=$scratch/root
	make_folders
	cp "$(command -v busybox)" "$root/usr/bin/busybox"
	ln -s ../bin/busybox "$root/usr/sbin/modprobe"
	ln -s busybox "$root/usr/bin/env"
	cp "$here/init" "$root/init"

	# Busybox's own shell prefers its applets to programs in PATH, and its ip
	# knows no namespaces.
	pack_program "$(command -v dash):/bin/sh"
	pack_interpreter
	for item in "${programs[@]}"; do
		pack_program "$item"
	done
	for item in "${files[@]}"; do
		pack_file "$item"
	done
	for item in "${modules[@]}"; do
		pack_module "$item"
	done
	pack_dispatcher
	pack_script

	# Uncompressed: the guest's processor is emulated, our memory is not.
	(cd "$root" && find . -print0 | cpio --quiet -0 -o -H newc -R 0:0) \
		>"$scratch/initramfs" || fail "cpio failed"
}

# Merged like the host's /usr: a path in either form finds its file.
make_folders()
{
	local name

	for name in bin sbin lib lib32 lib64 libx32; do
		mkdir -p "$root/usr/$name"
		ln -s "usr/$name" "$root/$name"
	done
	mkdir -p "$root"/{proc,sys,dev,run,tmp,root,etc,var,applets}
	ln -s /run "$root/var/run"
	mkdir -p "$root$PWD"
}

pack_interpreter()
{
	local line words

	read -r line <"$script" || true
	[[ $line == '#!'* ]] || return 0
	read -r -a words <<<"${line#'#!'}"

	case ${words[0]:-} in
	/bin/sh | /usr/bin/sh) ;;
	*/env)
		[ "${words[1]:-sh}" = sh ] || pack_program "${words[1]}"
		;;
	*) pack_program "${words[0]:-}" ;;
	esac
}

pack_program()
{
	local from=${1%%:*} to='' library

	[[ $1 != *:* ]] || to=${1#*:}
	[[ $from == */* ]] || from=$(command -v "$from") || fail "no program named ${1%%:*}"
	[ -f "$from" ] || fail "no such program: $from"

	copy_to_guest "$from" "${to:-$from}"
	chmod 755 "$root$(guest_path "${to:-$from}")"
	list_libraries "$from" >"$scratch/libraries"
	while read -r library; do
		[ -e "$root$library" ] || copy_to_guest "$library" "$library"
	done <"$scratch/libraries"
}

# Prints the paths of the libraries and the loader of program $1, none for a
# static program or a script.
list_libraries()
{
	local output

	output=$(ldd "$1" 2>/dev/null) || return 0
	if grep -q 'not found' <<<"$output"; then
		fail "$1 lacks a library: $(grep 'not found' <<<"$output" | head -n 1)"
	fi
	sed -n 's/^[[:space:]]*\(.* => \)\{0,1\}\(\/[^ ]*\) (0x[0-9a-f]*)$/\2/p' <<<"$output"
}

pack_file()
{
	local from=${1%%:*} to=''

	[[ $1 != *:* ]] || to=${1#*:}
	[ -e "$from" ] || fail "no such file: $from"
	copy_to_guest "$from" "${to:-$from}"
}

# Links are followed: what they point at may not be in the guest. Folders keep
# theirs inside, merging with what is already there.
copy_to_guest()
{
	local from=$1 to

	to=$(guest_path "$2")
	case $to in
	/proc/* | /sys/* | /dev/* | /run/*)
		fail "the guest mounts something over $to; give $from another GUEST_PATH"
		;;
	esac
	to=$root$to
	mkdir -p "$(dirname "$to")"
	if [ -d "$from" ]; then
		mkdir -p "$to"
		cp -RP "$from/." "$to"
	else
		cp -L "$from" "$to"
	fi || fail "cannot pack $from"
}

guest_path()
{
	realpath -m -s "$1"
}

# modules.dep lists every dependency, direct or not; the guest's modprobe reads
# the whole file, so a script may load what it packed.
pack_module()
{
	local name=$1 folder=lib/modules/$release line module

	line=$(grep -E "^[^:]*/${name//-/_}\.ko:" "$kernel/$folder/modules.dep") ||
		fail "kernel $release has no module $name"
	for module in ${line/:/ }; do
		mkdir -p "$root/$folder/$(dirname "$module")"
		cp "$kernel/$folder/$module" "$root/$folder/$module"
	done
	cp "$kernel/$folder"/modules.{dep,alias,symbols,builtin} "$root/$folder"
	echo "$name" >>"$root/etc/modules"
}

# libxdp opens these by name when it attaches; no library names them.
pack_dispatcher()
{
	local object

	for object in /usr/lib/x86_64-linux-gnu/bpf/*.o; do
		[ ! -f "$object" ] || copy_to_guest "$object" "$object"
	done
}

pack_script()
{
	local interpreter=

	# The kernel runs nothing that does not name its interpreter.
	[[ $(head -c 2 "$script" | tr -d '\0') == '#!' ]] || interpreter='#!/bin/sh'
	{
		[ -z "$interpreter" ] || echo "$interpreter"
		cat "$script"
	} >"$root/script"
	chmod 755 "$root/script"
	printf '%s\n' "$PWD" >"$root/etc/directory"
}

# ---- the run ----------------------------------------------------------------

# The first serial port is the console. The second one carries the exit code
# only, so that no output of the script can be taken for it. The pipe keeps
# qemu's non-blocking mode off our own output and takes off the console's
# carriage returns. Everything runs beside us, since bash answers signals only
# while it waits for something in the background.
run_guest()
{
	local status=0

	: >"$scratch/result"
	mkfifo "$scratch/console"
	sed -u 's/\r*$//' <"$scratch/console" &
	shower=$!
	timeout --kill-after=5 "$timeout" qemu-system-x86_64 \
		-accel tcg,thread=multi -cpu max -smp 2 -m "$memory" \
		-nodefaults -no-user-config -display none -no-reboot \
		-chardev stdio,id=console,signal=off -serial chardev:console \
		-serial file:"$scratch/result" \
		-kernel "$kernel/boot/vmlinuz-$release" -initrd "$scratch/initramfs" \
		-append 'console=ttyS0 rdinit=/init quiet loglevel=4 panic=-1' \
		</dev/null >"$scratch/console" 2>"$scratch/qemu.log" &
	runner=$!

	wait "$runner" || status=$?
	runner=
	wait "$shower"
	shower=

	case $status in
	0) ;;
	124 | 137)
		echo "kernel61: not done after $timeout seconds, the guest was killed" >&2
		exit 124
		;;
	*)
		fail "qemu ended with $status: $(tail -n 3 "$scratch/qemu.log")"
		;;
	esac
}

report_result()
{
	local result

	result=$(tr -d '\r' <"$scratch/result")
	[[ $result =~ ^exit\ ([0-9]+)$ ]] ||
		fail "the guest ended without an exit code; its last words are above"
	exit "${BASH_REMATCH[1]}"
}

clean_up()
{
	# timeout hands the signal on to qemu, and the console then ends by itself.
	if [ -n "$runner" ]; then
		kill "$runner" 2>/dev/null || true
		wait "$runner" 2>/dev/null || true
	fi
	[ -z "$shower" ] || kill "$shower" 2>/dev/null || true
	rm -rf "$scratch"
}

wrong_usage()
{
	echo "kernel61: $1; --help tells more" >&2
	exit 2
}

fail()
{
	echo "kernel61: $1" >&2
	exit 125
}

main "$@"
