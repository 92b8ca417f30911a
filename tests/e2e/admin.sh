#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Administration: drain, disable, force-up, force-down and enable of members, pools and regions. The answers of the driver
# and of the fallback follow before the verb returns, and stay so over a killed controller, a reboot, pushes, a full disk
# and whoever else administers at the same time. What health, status, explain and watch say about it.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=${LAB:-admin}
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
state=$run/state

main()
{
	make_files
	trap end EXIT
	$lab up "$scratch/a.yaml" >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
	driver_answers
	members_pools_regions
	all_down
	what_is_shown
	restarts
	pushes
	watching
	two_at_once
	killed_meanwhile
	full_disk
	broken_file
	saved_and_not_applied
	lost_bundle
	interface
	finish
}

end()
{
	local status=$?

	umount "$state" 2>/dev/null
	(exit $status)
	load_end
}

# b.yaml has no pool osaka, as if it had been renamed.
make_files()
{
	# shellcheck disable=SC2016 # the zone file's own
	printf '%s\n' '$TTL 300' '@ SOA ns hostmaster 7 3600 600 604800 100' '@ NS ns' 'ns A 198.18.0.1' >"$scratch/zone"
	cat >"$scratch/a.yaml" <<-'END'
		server: {addresses: [198.18.0.1, "fd00:ec5::1"]}
		zones: [{name: example.com, file: zone}]
		pools:
		  tokyo: {members: [{name: tokyo-a, address: 192.0.2.1}, {name: tokyo-b, address: 192.0.2.2}]}
		  osaka: {members: [{name: osaka-a, address: 192.0.2.11}, {name: osaka-b, address: 192.0.2.12}]}
		  sorry: {members: [{name: sorry-a, address: 192.0.2.99}]}
		  cdn: {cname: cdn.example.net}
		topologies:
		  japan: {default: tokyo, prefixes: {10.0.0.0/8: osaka}}
		services:
		- {name: www.example.com, topology: japan, regions: {tokyo: [tokyo, osaka], osaka: [osaka, tokyo]}}
		- {name: only.example.com, topology: japan, regions: {osaka: [osaka]}}
		- {name: sorry.example.com, topology: japan, regions: {osaka: [osaka]}, when_all_down: sorry}
		- {name: none.example.com, topology: japan, regions: {tokyo: [osaka], osaka: [osaka]}, when_all_down: nodata}
		- {name: cdn.example.com, topology: japan, regions: {tokyo: [cdn, tokyo], osaka: [cdn, osaka]}}
	END
	sed 's/osaka: {members/kobe: {members/; s/: \[osaka/: [kobe/g; s/tokyo: \[tokyo, osaka\]/tokyo: [tokyo, kobe]/; s/cdn, osaka/cdn, kobe/' \
		"$scratch/a.yaml" >"$scratch/b.yaml"
}

# -- helpers --

# NAME EXPECTED QUESTION [BLOCK]
answered()
{
	same "$1" "$2" "$(load_answers "$3" "${4:-10.0.0.0/24}")"
}

start()
{
	$lab start >/dev/null && load_wait_ready
	for _ in $(seq 200); do
		ecsctl --json status | jq -e '.doing == ""' >/dev/null && return
		sleep 0.02
	done
}

# The whole of admin.json but the times: OBJECT ACTION REASON lines
settings()
{
	jq -r '.settings[] | "\(.object) \(.action) \(.reason)"' "$state/admin.json"
}

# NAME EXPECTED FILTER [OBJECT]: of GET health
health()
{
	same "$1" "$2" "$(ecsctl --json health ${4:+"$4"} | jq -r "$3" 2>&1)"
}

# PATH [OPTION...]: the reply's status; its body is left in $scratch/body
request()
{
	curl -s -o "$scratch/body" -w '%{http_code}' --unix-socket "$ECSDNS_SOCKET" "http://ecsdns$1" "${@:2}"
}

# -- the answers --

# Else all that follows would speak of the fallback alone.
driver_answers()
{
	local before after

	before=$(ecsctl --json stats | jq '.reasons[] | select(.reason == "ANSWERED").driver')
	load_answers www.example.com 10.0.0.0/24 >/dev/null
	after=$(ecsctl --json stats | jq '.reasons[] | select(.reason == "ANSWERED").driver')
	same "the driver answers UDP, and the fallback TCP" 1 $((after - before))
}

members_pools_regions()
{
	answered "all are up" "192.0.2.11 192.0.2.12" www.example.com
	check "drain a member" ecsctl drain osaka/osaka-a --reason "new kernel"
	answered "a drained member is out of the answers at once" 192.0.2.12 www.example.com
	check "force the other one down" ecsctl force-down osaka/osaka-b
	answered "the next pool answers" "192.0.2.1 192.0.2.2" www.example.com
	check "disable a pool over it" ecsctl disable tokyo
	check "a member's setting goes before its pool's" ecsctl force-up tokyo/tokyo-b
	answered "one member of the pool is up" 192.0.2.2 www.example.com
	check "enable a member" ecsctl enable osaka/osaka-b
	answered "it is back at once" 192.0.2.12 www.example.com
	check "force a pool up" ecsctl force-up osaka
	answered "the drained member stays out" 192.0.2.12 www.example.com
	for object in osaka/osaka-a osaka tokyo/tokyo-b tokyo; do
		check "enable $object" ecsctl enable $object
	done
	answered "all are up again" "192.0.2.11 192.0.2.12" www.example.com
	check "drain a region" ecsctl drain japan/osaka
	answered "its clients get the next pool" "192.0.2.1 192.0.2.2" www.example.com
	answered "so do clients of others who were sent there" "192.0.2.11 192.0.2.12" only.example.com
	check "a pool's setting goes before its regions'" ecsctl force-up osaka
	answered "forced up, the pool answers" "192.0.2.11 192.0.2.12" www.example.com
	check "enable the pool" ecsctl enable osaka
	answered "then the region's setting decides again" "192.0.2.1 192.0.2.2" www.example.com
	check "enable the region" ecsctl enable japan/osaka
	answered "a CNAME pool" "cdn.example.net." cdn.example.com
	check "drain it" ecsctl drain cdn
	answered "the pool after it answers" "192.0.2.11 192.0.2.12" cdn.example.com
	answered "in the other region, too" "192.0.2.1 192.0.2.2" cdn.example.com 192.168.0.0/24
	check "enable it" ecsctl enable cdn
	answered "the CNAME again" "cdn.example.net." cdn.example.com
	same "nothing is set any more" "" "$(settings)"
}

all_down()
{
	local said

	said=$(ecsctl drain osaka --reason "rack 4" 2>&1)
	contains "serve-all is told" "$said" "this takes the last member of only.example.com in region japan/osaka down (A): serve-all serves pool osaka all the same"
	answered "and so it is" "192.0.2.11 192.0.2.12" only.example.com
	contains "the pool of when_all_down is told" "$said" "this takes the last member of sorry.example.com in region japan/osaka down (A): pool sorry answers"
	answered "and it answers" 192.0.2.99 sorry.example.com
	contains "nodata is told" "$said" "this takes the last member of none.example.com in region japan/osaka down (A): nodata"
	answered "and there is no data" "" none.example.com
	same "of a service with another pool nothing is said" "" "$(grep 'www.example' <<<"$said")"
	said=$(ecsctl drain osaka/osaka-a 2>&1)
	same "from down to down nothing more is lost" "" "$(grep warning <<<"$said")"
	ecsctl enable osaka/osaka-a >/dev/null 2>&1
	said=$(ecsctl enable osaka/osaka-a 2>&1)
	contains "enable without a setting says so" "$said" "member osaka/osaka-a had no setting of its own"
	contains "and what decides instead" "$said" "of member osaka/osaka-a another setting decides: pool osaka is drained: rack 4"
}

# osaka is drained: "rack 4"
what_is_shown()
{
	contains "health shows who and why" "$(ecsctl health)" "pool osaka is drained: rack 4 (by root since "
	contains "health of a member shows its pool's setting" "$(ecsctl health osaka/osaka-a)" "pool osaka is drained: rack 4"
	same "and no other member" "" "$(ecsctl health osaka/osaka-a | grep -o 'osaka-b\|tokyo-a')"
	health "states" "tokyo true up osaka false down sorry true up cdn true up" \
		'[.pools[] | "\(.pool) \(.up) \(.state)"] | join(" ")'
	health "of one pool" "osaka-a drained false osaka-b drained false" \
		'[.pools[] | .members[] | "\(.member) \(.state) \(.up)"] | join(" ")' osaka
	health "of one region" "japan/osaka up osaka cdn" '.regions[] | "\(.region) \(.state) \(.pools | join(" "))"' japan/osaka
	health "the setting" "pool osaka drain rack 4 0 true" '.settings[] | "\(.object) \(.action) \(.reason) \(.uid) \(.known)"'
	contains "status shows it" "$(ecsctl status)" "setting      pool osaka is drained: rack 4 (by root since "
	contains "explain shows it" "$(ecsctl explain 10.0.0.0/24 www.example.com A)" "setting      pool osaka is drained: rack 4"
	contains "and that the next pool answers" "$(ecsctl explain 10.0.0.0/24 www.example.com A)" "every pool that the region prefers to it is down"
	contains "also where the pool is the region's second" "$(ecsctl explain 192.168.0.0/24 www.example.com A)" "pool osaka is drained"
	same "and nowhere else" "" "$(ecsctl explain 192.168.0.0/24 only.example.com A | grep drained)"
}

# -- what it outlasts --

steady_begin()
{
	touch "$scratch/asking"
	$lab client tests/e2e/steady.py 198.18.0.1 www.example.com 10.0.0.0/24 "$scratch/asking" >"$scratch/steady" &
	steady=$!
	for _ in $(seq 200); do
		[ ! -e "$scratch/asking.begun" ] || break
		sleep 0.02
	done
	rm "$scratch/asking.begun"
}

# NAME EXPECTED: every answer meanwhile
steady_end()
{
	rm "$scratch/asking"
	wait "$steady"
	same "$1: no other answer was given meanwhile" "driver $2;fallback $2;" "$(sed 's/ [0-9]* / /' "$scratch/steady" | tr '\n' ';')"
	note "! $1: $(tr '\n' ';' <"$scratch/steady")"
}

reboot()
{
	$lab stop && $lab server ecsdns-loader unload && $lab server ecsdns-loader attach ecs0 && start
}

restarts()
{
	local before

	before=$(ecsctl --json health | jq -c '[.settings, .pools]')
	steady_begin
	load_stop_controller KILL
	start
	load_stop_controller TERM
	start
	sleep 0.3
	steady_end "killed, started, stopped, started" "192.0.2.1 192.0.2.2"
	same "the settings are the same" "$before" "$(ecsctl --json health | jq -c '[.settings, .pools]')"
	same "nothing was told to differ" "" "$(grep 'other states of health\|something else' "$run/controller.log")"
	check "other settings can follow" ecsctl force-down tokyo/tokyo-a
	answered "and do" 192.0.2.2 www.example.com
	ecsctl enable tokyo/tokyo-a >/dev/null
	check "reboot: tables and daemons are gone, and come again" reboot
	answered "reboot: the drained pool stays drained" "192.0.2.1 192.0.2.2" www.example.com
	answered "reboot: in other services, too" 192.0.2.99 sorry.example.com
}

pushes()
{
	local said

	steady_begin
	check "push the same" ecsctl push "$scratch/a.yaml"
	steady_end "push" "192.0.2.1 192.0.2.2"
	said=$(ecsctl push "$scratch/b.yaml" 2>&1)
	contains "a push without the pool warns" "$said" "warning: pool osaka is drained: rack 4, but this configuration does not have it"
	contains "a dry run, too" "$(ecsctl push --dry-run "$scratch/b.yaml" 2>&1)" "pool osaka is drained: rack 4, but"
	answered "its name alone is drained" "192.0.2.11 192.0.2.12" www.example.com
	contains "health lists the unknown object" "$(ecsctl health)" "pool osaka is drained: rack 4 (by root since "
	contains "as such" "$(ecsctl health)" "unknown object"
	health "and so in JSON" "pool osaka false" '.settings[] | "\(.object) \(.known)"'
	load_stop_controller KILL
	start
	contains "status keeps it over a restart" "$(ecsctl status)" "pool osaka is drained: rack 4"
	check "rollback" ecsctl rollback
	answered "a rollback finds it drained" "192.0.2.1 192.0.2.2" www.example.com
	ecsctl push "$scratch/b.yaml" >/dev/null 2>&1
	check "an unknown object can be enabled" ecsctl enable pool:osaka
	same "and is gone" "" "$(settings)"
	refuse "and cannot be drained" "there is no osaka; " ecsctl drain osaka
	check "push the first one again" ecsctl push "$scratch/a.yaml"
	answered "where it is enabled" "192.0.2.11 192.0.2.12" www.example.com
}

# -- live --

# TEXT FILE: until it is there, for three seconds
wait_for_text()
{
	for _ in $(seq 150); do
		grep -qF -- "$1" "$2" && return
		sleep 0.02
	done
	note "$(<"$2")"
	return 1
}

watching()
{
	local plain json one status=0

	ecsctl watch >"$scratch/watch" 2>"$scratch/watch.errors" &
	plain=$!
	ecsctl watch --json >"$scratch/watch.json" &
	json=$!
	ecsctl watch tokyo >"$scratch/watch.tokyo" 2>&1 &
	one=$!
	check "watch says that it is ready" wait_for_text "6 of 6 members up" "$scratch/watch.errors"
	wait_for_text "of 6 members up" "$scratch/watch.tokyo"
	sleep 0.3
	ecsctl drain osaka/osaka-b --reason "new disk" >/dev/null
	check "watch shows a change" wait_for_text "member osaka/osaka-b: up -> drained  new disk" "$scratch/watch"
	same "and nothing else but its pool" 2 "$(wc -l <"$scratch/watch")"
	check "as a line of JSON" wait_for_text '"object":"member osaka/osaka-b","from":"up","to":"drained","why":"new disk"' "$scratch/watch.json"
	load_stop_controller KILL
	check "watch tells that the controller is gone" wait_for_text "controller: answers -> silent" "$scratch/watch"
	start
	check "waits for the next one" wait_for_text "controller: answers again" "$scratch/watch"
	ecsctl enable osaka/osaka-b >/dev/null
	check "and goes on" wait_for_text "member osaka/osaka-b: drained -> up" "$scratch/watch"
	kill -INT $plain && wait $plain || status=$?
	same "SIGINT ends it well" 0 $status
	kill -INT $json $one
	wait $json $one
	check "every line is JSON" jq -es 'length > 2 and all(.object != null)' "$scratch/watch.json"
	same "one pool alone is watched" "" "$(grep osaka "$scratch/watch.tokyo")"
}

# -- at the same time --

# OBJECT WHO: drains and enables it, 10 times, and drains it at last
administer()
{
	for i in $(seq 10); do
		ecsctl drain "$1" --reason "$2 $i" >/dev/null 2>>"$scratch/admins" && ecsctl enable "$1" >/dev/null 2>>"$scratch/admins" ||
			echo "failed: $1" >>"$scratch/admins"
	done
	ecsctl drain "$1" --reason last >/dev/null 2>>"$scratch/admins" || echo "failed: $1" >>"$scratch/admins"
}

two_at_once()
{
	: >"$scratch/admins"
	administer tokyo/tokyo-a one &
	administer osaka/osaka-a two &
	administer sorry three &
	administer sorry four &
	for i in 1 2; do
		ecsctl push "$scratch/a.yaml" >/dev/null 2>&1 || echo "push failed" >>"$scratch/admins"
	done
	wait
	same "four admins and pushes: nothing failed" "" "$(grep -v '^warning: ' "$scratch/admins")"
	same "the file has all of it" "member osaka/osaka-a drain last;member tokyo/tokyo-a drain last;pool sorry drain last;" \
		"$(settings | tr '\n' ';')"
	answered "and the answers follow" 192.0.2.12 www.example.com
	answered "all of them" 192.0.2.2 www.example.com 192.168.0.0/24
	contains "who replaces a setting is told" "$(ecsctl force-down sorry 2>&1)" "so far: pool sorry is drained: last (by root since "
	for object in tokyo/tokyo-a osaka/osaka-a sorry; do
		ecsctl enable $object >/dev/null
	done
}

# Whatever was saved when the controller was killed, answers follow after the next start.
killed_meanwhile()
{
	local expected

	for round in 1 2 3; do
		administer osaka/osaka-a $round &
		administer tokyo $round &
		sleep 0.$((RANDOM % 4 + 1))
		load_stop_controller KILL
		wait
		start
		expected="192.0.2.11 192.0.2.12"
		! settings | grep -q osaka-a || expected=192.0.2.12
		answered "killed meanwhile, $round: answers are as saved" "$expected" www.example.com
		settings | grep -q tokyo || expected="192.0.2.1 192.0.2.2"
		answered "killed meanwhile, $round: in the other region, too" "$expected" www.example.com 192.168.0.0/24
	done
	ecsctl enable osaka/osaka-a >/dev/null 2>&1
	ecsctl enable tokyo >/dev/null 2>&1
}

# -- disks --

full_disk()
{
	ecsctl drain osaka/osaka-a >/dev/null
	$lab stop
	cp -a "$state" "$scratch/state"
	mount -t tmpfs -o size=256k,mode=750 "ecsdns-$LAB" "$state"
	cp -a "$scratch/state/." "$state/"
	start
	head -c 1M /dev/zero >"$state/fill" 2>/dev/null
	refuse "disk full: drain says so" "No space left on device; nothing was changed" ecsctl drain osaka/osaka-b
	refuse "disk full: enable, too" "No space left on device; nothing was changed" ecsctl enable osaka/osaka-a
	answered "disk full: no answer changes" 192.0.2.12 www.example.com
	same "disk full: nor the settings" "member osaka/osaka-a drain " "$(settings)"
	health "disk full: nor what is shown" "member osaka/osaka-a" '.settings[].object'
	load_stop_controller KILL
	start
	answered "disk full: a restart changes nothing" 192.0.2.12 www.example.com
	rm "$state/fill"
	check "room again: drain" ecsctl drain osaka/osaka-b
	answered "room again: it is drained" "192.0.2.1 192.0.2.2" www.example.com
	$lab stop
	cp -a "$state/." "$scratch/state/"
	umount "$state"
	cp -a "$scratch/state/." "$state/"
	start
	answered "and stays so" "192.0.2.1 192.0.2.2" www.example.com
}

# osaka/osaka-a and osaka-b are drained.
broken_file()
{
	local said

	steady_begin
	load_stop_controller TERM
	cp "$state/admin.json" "$scratch/admin.json"
	head -c 100 "$scratch/admin.json" >"$state/admin.json"
	said=$($lab server timeout 5 ecsdns-controller --pins "$ECSDNS_PINS" --state "$state" --socket "$ECSDNS_SOCKET" 2>&1)
	same "broken: the controller does not start" 1 $?
	contains "broken: it names the file" "$said" "$state/admin.json:"
	contains "broken: and says what to do" "$said" "mend or restore the file, or remove it to go on without any setting"
	cp "$scratch/admin.json" "$state/admin.json"
	start
	steady_end "broken and mended" "192.0.2.1 192.0.2.2"
}

# As if the controller had been killed between saving and moving the answers.
saved_and_not_applied()
{
	load_stop_controller TERM
	jq '.settings += [{object: "member tokyo/tokyo-a", action: "drain", reason: "", uid: 0, since: 1}]' \
		"$scratch/admin.json" >"$state/admin.json"
	answered "saved by a controller that ended" "192.0.2.1 192.0.2.2" www.example.com
	start
	answered "the next one moves the answers" 192.0.2.2 www.example.com
	load_stop_controller TERM
	jq '.settings = []' "$scratch/admin.json" >"$state/admin.json"
	start
	answered "also where the last setting was removed" "192.0.2.11 192.0.2.12" www.example.com
}

# The controller knows no configuration, the tables go on, and the setting waits for the next push.
lost_bundle()
{
	local generation

	ecsctl drain osaka/osaka-a >/dev/null
	generation=$(load_generation)
	load_stop_controller TERM
	rm "$state/generations/$generation.tar"
	start
	refuse "without the bundle: drain says what to do" "push it again" ecsctl drain osaka
	refuse "without the bundle: health, too" "push it again" ecsctl health
	answered "without the bundle: no answer changes" 192.0.2.12 www.example.com
	check "without the bundle: push" ecsctl push "$scratch/a.yaml"
	answered "without the bundle: the setting holds after the push" 192.0.2.12 www.example.com
	check "without the bundle: enable" ecsctl enable osaka/osaka-a
	answered "without the bundle: all is well" "192.0.2.11 192.0.2.12" www.example.com
}

# -- the control API --

interface()
{
	same "no object" 400 "$(request '/v1/admin?action=drain' -X POST)"
	same "no action" 400 "$(request '/v1/admin?object=osaka' -X POST)"
	same "another action" 400 "$(request '/v1/admin?object=osaka&action=explode' -X POST)"
	same "an unknown object" 404 "$(request '/v1/admin?object=osaka/osaka-c&action=drain' -X POST)"
	contains "the nearest names" "$(jq -r .error "$scratch/body")" "did you mean member osaka/osaka-a or member osaka/osaka-b?"
	same "an object that is no text" 400 "$(request '/v1/admin?object=%ff%fe&action=drain' -X POST)"
	same "a reason of two lines" 400 "$(request '/v1/admin?object=osaka&action=drain&reason=a%0ab' -X POST)"
	same "a reason that is no text" 400 "$(request '/v1/admin?object=osaka&action=drain&reason=%ff' -X POST)"
	same "a reason that is too long" 400 "$(request "/v1/admin?object=osaka&action=drain&reason=$(printf 'x%.0s' {1..256})" -X POST)"
	same "GET admin" 405 "$(request '/v1/admin?object=osaka&action=drain')"
	same "POST health" 405 "$(request /v1/health -X POST)"
	same "nothing came of all this" "" "$(settings)"
	same "a reason as long as may be" 200 "$(request "/v1/admin?object=osaka&action=drain&reason=$(printf 'x%.0s' {1..255})" -X POST)"
	same "health" 200 "$(request /v1/health)"
	same "health, unless it is as known" 200 "$(request "/v1/health?unless=$(jq -r .version "$scratch/body")")"
	same "says no more than that" "true null" "$(jq -r '"\(.unchanged) \(.pools)"' "$scratch/body")"
	chmod o+rwx "$run" && chmod o+rw "$ECSDNS_SOCKET"
	check "another user who may use the socket" setpriv --reuid 65534 --regid 65534 --clear-groups \
		curl -sf --unix-socket "$ECSDNS_SOCKET" -X POST 'http://ecsdns/v1/admin?object=tokyo/tokyo-a&action=disable&reason=mine'
	contains "is who did it" "$(ecsctl health tokyo/tokyo-a)" "disabled     mine  (member tokyo/tokyo-a, by nobody)"
	contains "and in the log" "$(<"$run/controller.log")" "uid 65534: member tokyo/tokyo-a is disabled: mine"
}

main
