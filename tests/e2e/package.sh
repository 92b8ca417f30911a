#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The Debian package in a clean Debian 12 with its own systemd: built, judged by lintian, installed by apt, started in the
# wrong order and in the right one, restarted, upgraded under queries, rebooted, removed and purged.
#
# ECSDNS_LONG=1: also a daemon that hangs, kills, a power cut, and more upgrades.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=package
lab=tests/lab.sh
scratch=$(mktemp -d)
container=$scratch/debian
container_network=ecsdns-$LAB-server
# shellcheck source=tests/e2e/container.sh
. tests/e2e/container.sh
long=${ECSDNS_LONG:-}
examples=/usr/share/doc/ecsdns/examples
upgrades=1
[ -z "$long" ] || upgrades=5

main()
{
	trap finally EXIT
	container_make >"$scratch/made" 2>&1 &
	making=$!
	builds
	prepare
	installs
	units
	wrong_order
	publishes
	rights
	checks_run
	restarts
	for number in $(seq $upgrades); do
		upgrade "$number"
	done
	if [ -n "$long" ]; then
		upgrade_fails
		hangs
	fi
	reboots
	takes_off
	removes
	finish
}

finally()
{
	local status=$?

	jobs -p | xargs -r kill 2>/dev/null
	container_remove
	"$lab" down
	rm -rf "$scratch"
	exit $status
}

# -- the package -------------------------------------------------------------------------------------------------------

tree()
{
	git status --short 2>/dev/null || find . -path ./build -prune -o -type f -newer "$scratch" -print
}

builds()
{
	local before found

	before=$(tree)
	check "make deb" env DEB_BUILD_OPTIONS=noddebs make --no-print-directory -s deb BUILD="$scratch/build"
	same "which leaves the source tree as it was" "$before" "$(tree)"
	deb=$(echo "$scratch"/build/deb/ecsdns_*[0-9]_*.deb)
	[ -s "$deb" ] || { echo "Bail out! no package"; exit 1; }
	found=$(lintian --allow-root --fail-on none "$deb" 2>&1)
	[ -n "$(echo docs/man/*.8)" ] && [ -e docs/man ] || found=$(grep -v no-manual-page <<<"$found")
	same "lintian has neither errors nor warnings" "" "$found"
	packaged
}

# What make install would put there, with another prefix, and what make uninstall leaves.
packaged()
{
	local to=$scratch/to units=$scratch/to/usr/local/lib/systemd/system

	make --no-print-directory -s install DESTDIR="$to" >/dev/null 2>&1
	same "make install takes PREFIX from units' programs, too" 4 \
		"$(grep -l '=/usr/local/sbin/ecsdns-' "$units"/*.service | wc -l)"
	make --no-print-directory -s uninstall DESTDIR="$to" >/dev/null 2>&1
	same "make uninstall leaves the options alone" "$to/etc/default/ecsdns" "$(find "$to" -type f)"
}

# The lab's namespaces, without its daemons and tables; and a container in the server's.
prepare()
{
	wait $making || { sed 's/^/# /' "$scratch/made"; echo "Bail out! no Debian was made"; exit 1; }
	check "in a clean Debian 12 there is what the package needs" container_fetch "$deb"
	"$lab" up >"$scratch/up" 2>&1 && "$lab" stop && "$lab" server ecsdns-loader unload >>"$scratch/up" 2>&1 ||
		{ sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
	container_boot || { echo "Bail out! the container did not boot"; exit 1; }
}

# Every file of the container that somebody might have to remove.
files()
{
	container_run find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp \
		-o -path /var/log -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/lib/systemd \) \
		-prune -o -print | sort
	container_run cat /etc/passwd /etc/group
}

installs()
{
	files >"$scratch/files"
	check "apt installs it" container_run apt-get install -y -qq --no-install-recommends "/root/${deb##*/}"
	same "nothing is started by that, nor enabled" "" \
		"$(container_run systemctl list-units --plain --no-legend --all 'ecsdns*'
		container_run find /etc/systemd -name '*ecsdns*')"
	same "its users have no shell" 2 "$(container_run grep -c '^ecsdns.*/usr/sbin/nologin$' /etc/passwd)"
	check "each program runs" container_run bash -c \
		'ecsctl --version && for each in loader controller fallback; do ecsdns-$each --version || exit; done'
}

units()
{
	local unit

	same "systemd-analyze verify finds nothing in the units" "" \
		"$(container_run systemd-analyze verify --man=no ecsdns.target ecsdns-loader@ecs0.service \
		ecsdns-fallback-bridge.service 2>&1)"
	for unit in controller:17 fallback:25 fallback-bridge:25 loader@ecs0:39; do
		exposure "ecsdns-${unit%:*}.service" "${unit#*:}"
	done
}

# UNIT TENTHS: systemd's own measure, from 0 to 10
exposure()
{
	local figure

	figure=$(container_run systemd-analyze security --no-pager "$1" 2>/dev/null |
		sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
	note "! systemd-analyze security $1: $figure"
	check "$1 is exposed by at most $2 tenths: $figure" \
		awk -v is="$figure" -v most="$2" 'BEGIN {exit !(is != "" && is * 10 <= most)}'
}

# -- the start ---------------------------------------------------------------------------------------------------------

# COUNT CMD...: until it succeeds, for so many tenths of a second
await()
{
	local count=$1
	shift

	for _ in $(seq "$count"); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	note "not in $count tenths of a second: $*"
	return 1
}

active()
{
	container_run systemctl -q is-active "$@"
}

property()
{
	container_run systemctl show -P "$2" "ecsdns-$1"
}

journal()
{
	container_run journalctl --no-pager -q -b -o cat "$@"
}

said()
{
	journal -u "$1" | grep -q -e "$2"
}

# What is started before what it needs says so, and comes up by itself when that is there.
wrong_order()
{
	container_run systemctl start ecsdns-fallback >/dev/null 2>&1
	container_run systemctl start ecsdns.target
	check "the fallback without tables says what makes them" await 50 said ecsdns-fallback 'ecsdns-loader attach IFACE'
	check "the controller without tables says what makes them" await 50 said ecsdns-controller 'ecsdns-loader attach IFACE'
	container_run systemctl start ecsdns-loader@nowhere >/dev/null 2>&1
	check "the loader without its interface names it" await 50 said ecsdns-loader@nowhere 'no such interface: nowhere'
	container_run systemctl stop ecsdns-loader@nowhere
	same "none of them gives up" "" "$(await 50 eval '[ "$(property controller SubState)" = auto-restart ]')"
	check "the loader attaches" container_run systemctl start ecsdns-loader@ecs0
	check "then the controller comes up" await 100 active ecsdns-controller
	check "and the fallback" await 100 active ecsdns-fallback
	contains "the controller's status" "$(property controller StatusText)" "waiting for"
	same "for the next boot" "" "$(container_run systemctl enable -q ecsdns-loader@ecs0 ecsdns.target 2>&1)"
}

# TEXT...: what the client's kdig says
ask()
{
	"$lab" client kdig +short +time=1 +retry=0 @198.18.0.1 "$@" 2>/dev/null
}

osaka()
{
	ask www.example.com AAAA +subnet=240b:10:200::/40 "$@"
}

# COUNT of replies that the driver has sent
driver_answered()
{
	container_run ecsctl --json stats | jq '[.reasons[] | select(.reason == "ANSWERED" or .reason == "NODATA") | .driver] | add'
}

answers_as_ever()
{
	same "$1: the driver" 2001:db8:10::1 "$(osaka)"
	same "$1: the fallback, over TCP" 2001:db8:10::1 "$(osaka +tcp)"
	same "$1: zone data" ns1.example.com. "$(ask example.com SOA | cut -d ' ' -f 1)"
}

publishes()
{
	check "ecsctl push" container_run ecsctl push $examples/japan.yaml
	await 50 eval '[ -n "$(ask example.com SOA)" ]'
	answers_as_ever "published"
	contains "the controller's status names the generation" "$(property controller StatusText)" "generation 1: "
	await 20 said ecsdns-fallback 'generation 1'
	contains "the fallback's, too" "$(property fallback StatusText)" "generation 1 with 1 zones"
	check "ecsctl status" container_run ecsctl status
}

# -- rights ------------------------------------------------------------------------------------------------------------

# UNIT FIELD: of its main process
proc_field()
{
	container_run sed -n "s/^$2:[[:space:]]*//p" "/proc/$(property "$1" MainPID)/status"
}

# NAME...: as /proc has capabilities
mask()
{
	local name value=0

	for name in "$@"; do
		case $name in
		net_bind_service) value=$((value | 1 << 10)) ;;
		net_raw) value=$((value | 1 << 13)) ;;
		bpf) value=$((value | 1 << 39)) ;;
		esac
	done
	printf '%016x\n' $value
}

rights()
{
	local user

	user=$(container_run id -u ecsdns)
	same "the controller is its own user" "$user $user $user $user" "$(proc_field controller Uid | xargs)"
	same "with CAP_BPF and CAP_NET_RAW" "$(mask bpf net_raw)" "$(proc_field controller CapPrm)"
	same "which it does not leave to programs" "$(mask)" "$(proc_field controller CapAmb)"
	same "behind a filter of system calls" 2 "$(proc_field controller Seccomp)"
	user=$(container_run id -u ecsdns-fallback)
	same "the fallback is another user" "$user $user $user $user" "$(proc_field fallback Uid | xargs)"
	same "with CAP_NET_BIND_SERVICE" "$(mask net_bind_service)" "$(proc_field fallback CapPrm)"
	same "which reads bundles by its group" "640 ecsdns ecsdns-fallback" \
		"$(container_run stat -c '%a %U %G' /var/lib/ecsdns/generations/1.tar)"
	refuse "but may not use the control socket" "ermission denied" container_run setpriv --reuid ecsdns-fallback --regid \
		ecsdns-fallback --init-groups ecsctl status
	check "whoever is in group ecsdns may" container_run setpriv --reuid nobody --regid ecsdns --clear-groups ecsctl status
}

# Checks that need rights or programs, from within the unit.
checks_run()
{
	cat >"$scratch/checks.yaml" <<-'EOF'
		server: {addresses: [198.18.0.1, "fd00:ec5::1"]}
		checks:
		  ping: {type: icmp, interval: 1s, timeout: 500ms, rise: 1, fall: 1}
		  ping6: {type: icmp, interval: 1s, timeout: 500ms, rise: 1, fall: 1}
		  own: {type: exec, command: [/usr/bin/grep, CapPrm, /proc/self/status], interval: 1s, timeout: 500ms, rise: 1, fall: 1}
		pools:
		  a: {check: ping, members: [{name: a, address: 198.18.0.2}]}
		  b: {check: own, members: [{name: b, address: 198.18.0.2}]}
		  c: {check: ping6, members: [{name: c, address: "fd00:ec5::2"}]}
		topologies:
		  both: {default: a, prefixes: {10.1.0.0/16: b}}
		  one: {default: c}
		services:
		  - {name: www.example.com, topology: both}
		  - {name: six.example.com, topology: one}
	EOF
	container_run tee /root/checks.yaml <"$scratch/checks.yaml" >/dev/null
	check "a configuration with checks is pushed" container_run ecsctl push /root/checks.yaml
	await 50 eval '[ "$(container_run ecsctl health | grep -c " up .* since ")" = 3 ]'
	container_run ecsctl health | tr -s ' ' | grep since >"$scratch/health"
	contains "ICMP is sent" "$(<"$scratch/health")" "a 198.18.0.2 up ok"
	contains "and ICMPv6" "$(<"$scratch/health")" "c fd00:ec5::2 up ok"
	contains "a program that a check runs has no rights" "$(<"$scratch/health")" "CapPrm:?$(mask)"
	check "the configuration before is published again" container_run ecsctl rollback
}

# -- restarts ----------------------------------------------------------------------------------------------------------

# Queries to the driver, and to the fallback over both transports, until asked_steadily
ask_steadily()
{
	touch "$scratch/asking"
	rm -f "$scratch/asking.begun"
	"$lab" client tests/e2e/steady.py 198.18.0.1 www.example.com 240b:10:200::/40 "$scratch/asking" AAAA nsid >"$scratch/asked" &
	asking=$!
	await 50 test -e "$scratch/asking.begun"
}

# NAME WAY...: every query was answered, and rightly, those ways
asked_steadily()
{
	local name=$1 way
	shift

	rm -f "$scratch/asking"
	wait $asking
	note "$(<"$scratch/asked")"
	for way in "$@"; do
		same "$name: every query was answered ($way)" "$way 2001:db8:10::1" \
			"$(sed -n "s/^$way [0-9]* /$way /p" "$scratch/asked")"
	done
}

restarts()
{
	ask_steadily
	check "the controller is restarted" container_run systemctl restart ecsdns-controller
	contains "and ready when it has adopted what is live" \
		"$(journal -u ecsdns-controller | grep 'adopted\|^Started' | tail -n 2 | head -n 1)" adopted
	container_run systemctl kill -s KILL ecsdns-controller
	await 50 eval '[ "$(property controller NRestarts)" -ge 1 ]'
	check "killed, it comes again" await 100 active ecsdns-controller
	check "one command takes over" container_run systemctl start ecsdns-fallback-bridge
	check "and the next gives back" container_run systemctl start ecsdns-fallback
	check "the bridge ends" await 100 eval '! active ecsdns-fallback-bridge'
	asked_steadily "restarts and take-overs" driver fallback fallback-udp
	ask_steadily
	check "the fallback is restarted" container_run systemctl restart ecsdns-fallback
	asked_steadily "a restart of the fallback" driver
	reloads
	check "the socket survives both" container_run test -S /run/ecsdns/control.sock -a -S /run/ecsdns/fallback.sock
}

# Options of /etc/default, and a file of the controller's that is read again.
reloads()
{
	local pid

	container_run bash -c 'umask 077; echo 000102030405060708090a0b0c0d0e0f >/etc/cookies; chown ecsdns /etc/cookies
		printf "%s\n" FALLBACK_OPTIONS="--workers 1" CONTROLLER_OPTIONS="--cookie-secrets /etc/cookies" >>/etc/default/ecsdns
		systemctl restart ecsdns-controller ecsdns-fallback'
	contains "options are those of /etc/default/ecsdns" "$(property fallback StatusText)" "by 1 workers"
	pid=$(property controller MainPID)
	container_run bash -c 'echo nonsense >/etc/cookies'
	check "the fallback reloads, though there is nothing to read" container_run systemctl reload ecsdns-fallback
	check "the controller reloads" container_run systemctl reload ecsdns-controller
	check "which reads the secrets again" await 50 said ecsdns-controller '/etc/cookies'
	same "in the same process" "$pid" "$(property controller MainPID)"
	container_run bash -c 'rm /etc/cookies && sed -i "/^FALLBACK/d; /^CONTROLLER/d" /etc/default/ecsdns &&
		systemctl restart ecsdns-controller ecsdns-fallback'
}

# SUFFIX [COMMAND]: the same package under a higher version, $version, and changed in its tree by COMMAND
next_package()
{
	local tree=$scratch/next

	rm -rf "$tree"
	dpkg-deb --raw-extract "$deb" "$tree"
	version=$(sed -n 's/^Version: //p' "$tree/DEBIAN/control")$1
	sed -i "s/^Version: .*/Version: $version/" "$tree/DEBIAN/control"
	(cd "$tree" && eval "${2:-:}")
	dpkg-deb --root-owner-group -Znone --build "$tree" "$container/root/next.deb" >/dev/null
}

# NUMBER
upgrade()
{
	local version program before

	next_package "+$1"
	program=$(program_id)
	before=($(property controller MainPID) $(property fallback MainPID))
	ask_steadily
	check "upgrade to $version" container_run apt-get install -y -qq /root/next.deb
	asked_steadily "upgrade to $version" driver fallback fallback-udp
	same "upgrade to $version: the program stays" "$program" "$(program_id)"
	check "upgrade to $version: the controller is another" test "${before[0]}" != "$(property controller MainPID)"
	check "upgrade to $version: the fallback is another" test "${before[1]}" != "$(property fallback MainPID)"
	check "upgrade to $version: both run" active ecsdns-controller ecsdns-fallback
	check "upgrade to $version: reload of the unit puts the new program in place" container_run systemctl reload 'ecsdns-loader@*'
	check "upgrade to $version: which is another" test "$program" != "$(program_id)"
}

program_id()
{
	container_run ecsdns-loader --json status ecs0 | jq -r '.. | .program? // .program_id? // empty' | head -n 1
}

# A version whose daemons do not run.
upgrade_fails()
{
	local version before said

	next_package "+b" 'cp /bin/false usr/sbin/ecsdns-fallback; cp /bin/false usr/sbin/ecsdns-controller'
	before=$(property fallback MainPID)
	ask_steadily
	said=$(container_run apt-get install -y -qq /root/next.deb 2>&1)
	asked_steadily "upgrade to what does not run" driver fallback fallback-udp
	same "upgrade to what does not run: the fallback stays" "$before" "$(property fallback MainPID)"
	contains "upgrade to what does not run: is told of the fallback" "$said" "the new fallback did not take over"
	contains "upgrade to what does not run: is told of the controller" "$said" "the controller did not start"
	upgrade c
	answers_as_ever "the upgrade behind it"
}

# A daemon that stands still is ended by systemd, and started again.
hangs()
{
	local unit pid

	for unit in controller fallback; do
		container_run mkdir -p "/run/systemd/system/ecsdns-$unit.service.d"
		printf '[Service]\nWatchdogSec=2\n' | container_run tee "/run/systemd/system/ecsdns-$unit.service.d/test.conf" >/dev/null
	done
	container_run systemctl daemon-reload
	container_run systemctl restart ecsdns-controller ecsdns-fallback
	for unit in controller fallback; do
		pid=$(property $unit MainPID)
		sleep 3
		same "$unit: the watchdog hears it" "$pid" "$(property $unit MainPID)"
		container_run bash -c "kill -STOP $pid"
		check "$unit: standing still it is replaced" await 100 eval "[ \$(property $unit MainPID) -gt $pid ]"
		check "$unit: by one that is ready" await 100 active "ecsdns-$unit"
	done
	answers_as_ever "after that"
}

# -- boots -------------------------------------------------------------------------------------------------------------

# Seconds since boot when a unit was ready
ready_at()
{
	property "$1" ActiveEnterTimestampMonotonic
}

reboots()
{
	container_halt
	same "switched off, nobody answers" "" "$(osaka)"
	boots "a reboot"
	if [ -n "$long" ]; then
		container_cut
		boots "a power cut"
	fi
}

boots()
{
	container_boot
	check "$1: everything comes up" await 100 active ecsdns.target ecsdns-loader@ecs0 ecsdns-controller ecsdns-fallback
	await 50 eval '[ -n "$(ask example.com SOA)" ]'
	answers_as_ever "$1"
	check "$1: the loader before the controller" test "$(ready_at loader@ecs0)" -lt "$(ready_at controller)"
	check "$1: the controller before the fallback" test "$(ready_at controller)" -lt "$(ready_at fallback)"
	same "$1: nobody had to try twice" "0 0 0" \
		"$(property loader@ecs0 NRestarts) $(property controller NRestarts) $(property fallback NRestarts)"
	same "$1: systemd has no failed unit" "" "$(container_run systemctl list-units --failed --plain --no-legend)"
}

attached()
{
	"$lab" server ip -d link show dev ecs0 | grep -q 'prog/xdp'
}

takes_off()
{
	container_run systemctl stop ecsdns.target
	same "the target stops both daemons" "inactive inactive" "$(property controller ActiveState) $(property fallback ActiveState)"
	same "without daemons the driver answers" 2001:db8:10::1 "$(osaka)"
	container_run systemctl start ecsdns.target
	check "the target starts them again" await 100 active ecsdns-controller ecsdns-fallback
	check "the loader's unit stops" container_run systemctl stop ecsdns-loader@ecs0
	refuse "which takes the program off" "" attached
	check "and daemons stay" active ecsdns-controller ecsdns-fallback
	same "the fallback answers all of it" 2001:db8:10::1 "$(osaka)"
	check "and starts" container_run systemctl start ecsdns-loader@ecs0
	check "which puts it on again" attached
}

removes()
{
	check "removing" container_run apt-get remove -y -qq ecsdns
	refuse "removed: no program on the interface" "" attached
	same "removed: no process, table or socket" "" "$(container_run bash -c 'cd /proc; grep -l "^ecsdns" [0-9]*/comm
		find /sys/fs/bpf /run -name "*ecsdns*" -not -path "/run/systemd/*"')"
	check "removed: state and options stay" container_run test -d /var/lib/ecsdns/generations -a -e /etc/default/ecsdns
	check "purging" container_run apt-get purge -y -qq ecsdns
	check "and what it needed" container_run apt-get autoremove -y -qq --purge
	container_run rm -f /root/next.deb /root/checks.yaml
	same "purged: the system is as it was" "" "$(files | diff "$scratch/files" - | grep '^[<>]')"
}

main
