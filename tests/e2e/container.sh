# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A clean Debian 12 in a folder, and its own systemd as process 1 of namespaces around it, in a network namespace that is
# there already. Source it, set container (a folder) and container_network (a namespace's name), and call
#
#   container_make              the least of a Debian, from where this host has its own, in memory
#   container_fetch PACKAGE     into its /root, and whatever apt needs to install it there without a network
#   container_boot              until every unit has started
#   container_run CMD...        in it
#   container_halt              as an operator does; container_cut: as when the power fails
#   container_remove            all of it
container_init=			# the process that keeps its namespaces

container_cgroup()
{
	echo "$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/ecsdns-${container_network}"
}

# This host's own lines for Debian, and how it gets there.
container_sources()
{
	local signed=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg

	apt-get indextargets --format "deb [$signed] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' | sort -u
}

container_make()
{
	mkdir -p "$container"
	mount -t tmpfs -o mode=755 "$container_network" "$container"
	container_sources >"$container.list"
	apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)' >"$container.conf"
	mmdebstrap --quiet --mode=root --variant=minbase --include=systemd-sysv,iproute2 --aptopt="$container.conf" \
		--skip=cleanup/apt --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='force-unsafe-io' \
		bookworm "$container" "$container.list"
}

container_fetch()
{
	cp "$1" "$container/root/" &&
		chroot "$container" apt-get install -qq --download-only --no-install-recommends "/root/${1##*/}"
}

# Runs in the namespaces: its file systems, and then systemd instead of this shell. /proc/sys is the host's.
# shellcheck disable=SC2016
container_enter='
	set -e
	root=$1
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount --bind "$root/proc/sys" "$root/proc/sys"
	mount -o remount,ro,bind "$root/proc/sys"
	mount -t sysfs sysfs "$root/sys"
	mount -t bpf -o mode=700 bpf "$root/sys/fs/bpf"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	for device in null zero full random urandom tty; do
		touch "$root/dev/$device"
		mount --bind "/dev/$device" "$root/dev/$device"
	done
	mkdir "$root/dev/pts" "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	cd "$root"
	pivot_root . mnt
	umount -l /mnt
	exec env -i container=ecsdns PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target'

container_start()
{
	local cgroup

	cgroup=$(container_cgroup)
	mkdir -p "$cgroup"
	setsid bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$cgroup" \
		ip netns exec "$container_network" \
		unshare --cgroup --mount --uts --ipc --pid --fork --kill-child=KILL --propagation private \
		bash -c "$container_enter" - "$container" >"$container.console" 2>&1 </dev/null &
	container_init=$!
}

container_boot()
{
	container_start
	for _ in $(seq 200); do
		container_run systemctl is-system-running --wait >/dev/null 2>&1 && return
		[[ $(container_run systemctl is-system-running 2>/dev/null) != degraded ]] || return 0
		kill -0 "$container_init" 2>/dev/null || break
		sleep 0.1
	done
	sed 's/^/# /' "$container.console"
	return 1
}

container_run()
{
	local first

	first=$(pgrep -P "$container_init") || return
	nsenter -t "$first" --mount --pid --net --uts --ipc --cgroup env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive "$@"
}

container_halt()
{
	container_run systemctl poweroff >/dev/null 2>&1
	for _ in $(seq 200); do
		kill -0 "$container_init" 2>/dev/null || break
		sleep 0.1
	done
	container_cut
}

container_cut()
{
	local cgroup

	[ -n "$container_init" ] || return 0
	kill -9 "$container_init" 2>/dev/null
	wait "$container_init" 2>/dev/null
	container_init=
	cgroup=$(container_cgroup)
	for _ in $(seq 50); do
		find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$cgroup" ] || return 0
		sleep 0.1
	done
}

container_remove()
{
	container_cut
	! mountpoint -q "$container" || umount "$container"
	rm -rf --one-file-system "$container" "$container".*
}
