#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Seeing what would change, changing it, and undoing it: diff, dry runs, rollback, history and dump; the file of --config at
# start, at SIGHUP and when it changes; what ecsctl shows for people against its JSON; and completion.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
export LAB=operate
build=${BUILD:-$root/build}
run=/run/ecsdns-lab/$LAB
lab=tests/lab.sh
state=$run/state
scratch=$(mktemp -d)
export ECSDNS_SOCKET=$run/control.sock
export ECSDNS_PINS=$run/bpf/ecsdns/v1
export PATH=$build:$PATH

main()
{
	trap end EXIT
	make_files
	CONTROLLER_OPTIONS="" $lab up >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
	first_diff
	diff_and_dry_run
	states_of_both
	notes_and_rollback
	progress
	dump
	dump_hostile
	lost_bundle
	fields
	documented
	completion
	config_at_start
	config_hangup
	config_watch
	finish
}

end()
{
	local status=$?

	$lab down
	rm -rf "$scratch"
	exit $status
}

# a.yaml; b.yaml has an address, a TTL, a weight, a region of a prefix and a record of its zone otherwise.
make_files()
{
	mkdir "$scratch/a" "$scratch/b"
	cp examples/japan.yaml examples/example.com.zone "$scratch/a/"
	cp examples/example.com.zone "$scratch/b/"
	echo 'new A 192.0.2.77' >>"$scratch/b/example.com.zone"
	sed 's/ttl: 10/ttl: 15/; s/"240b:10:280::\/41": osaka2/"240b:10:280::\/41": osaka1/; s/weight: 3/weight: 2/
		s/"2001:db8:20::1"/"2001:db8:20::2"/' examples/japan.yaml >"$scratch/b/japan.yaml"
	a=$scratch/a/japan.yaml b=$scratch/b/japan.yaml
}

generation()
{
	ecsctl --json status | jq .generation
}

# SUBNET NAME TYPE
answer()
{
	$lab client kdig +short +subnet="$1" @198.18.0.1 "$2" "$3"
}

# CMD...: until it succeeds, for at most six seconds
wait_for()
{
	for _ in $(seq 120); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	return 1
}

# What the controller has logged since the last `log_mark`.
log_mark()
{
	marked=$(wc -l <"$run/controller.log")
}

log()
{
	tail -n +$((marked + 1)) "$run/controller.log"
}

log_has()
{
	log | grep -qF -- "$1"
}

# -- what would change --

first_diff()
{
	exits "diff before anything is live" 1 ecsctl diff "$a"
	contains "all of it is new" "$output" "services: 3 added, 0 removed, 0 changed"
	exits "push" 0 ecsctl push --reason "first of all" "$a"
	exits "diff of what is live" 0 ecsctl diff "$a"
	same "and it says so" "nothing would change: generation 1 is live" "$output"
	exits "diff of what is live, --json" 0 ecsctl diff --json "$a"
	field "and so does that" '"\(.changed) \(.generation)"' "false 1"
}

diff_and_dry_run()
{
	local part

	exits "diff" 1 ecsctl diff "$b"
	for part in "against generation 1:" "member kyushu-a: 2001:db8:20::1 weight 1 -> 2001:db8:20::2 weight 1" \
		"~ 240b:10:280::/41: osaka2 -> osaka1" "ttl: 10 -> 15" "answers: 0 added, 1 removed, 6 changed" \
		"(154742504910672534362390528 addresses, 1 blocks)" \
		"www.example.com AAAA, kyushu: ttl 10: 2001:db8:20::1 -> ttl 15: 2001:db8:20::2" \
		"v4.example.com A, south: ttl 20: 203.0.113.1 (75 %), 203.0.113.2 (25 %) -> ttl 20: 203.0.113.1 (66.67 %), 203.0.113.2 (33.33 %)" \
		"+ new.example.com. 3600 A 192.0.2.77" "which has not grown"; do
		contains "diff: $part" "$output" "$part"
	done
	same "diff shows no warnings" "" "$errors"
	cp "$scratch/errors" "$scratch/none"
	exits "push --dry-run" 0 ecsctl push --dry-run "$b"
	contains "a dry run says the same in brief" "$output" "answers: 0 added, 1 removed, 6 changed"
	same "without the lists" "" "$(grep -F '192.0.2.77' <<<"$output")"
	contains "and with the warnings" "$errors" "warning: topology japan has prefixes of IPv6 only"
	same "neither changed anything" "1 2001:db8:20::1" "$(generation) $(answer 240b:10:400::/40 www.example.com AAAA)"
	sed 's/ttl: 10/tll: 10/' "$a" >"$scratch/a/bad.yaml"
	exits "diff of a bad file" 1 ecsctl diff "$scratch/a/bad.yaml"
	contains "it is refused by place" "$errors" "bad.yaml:$(grep -n tll "$scratch/a/bad.yaml" | cut -d : -f 1):5: error: unknown key"
	same "with nothing on standard output" "" "$output"
	exits "diff of a bad file, --json" 1 ecsctl diff --json "$scratch/a/bad.yaml"
	field "which tells it from a difference" 'has("error") and (has("changed") | not)' true
	exits "diff without a file" 2 ecsctl diff
	long_lists
}

# 300 prefixes: 20 are shown, --all shows all.
long_lists()
{
	{
		cat "$a"
		echo "  - {name: many.example.com, topology: many}"
	} | sed '/^topologies:/a\  many: {default: tokyo, file: many.csv}' >"$scratch/a/many.yaml"
	for i in {0..299}; do
		echo "10.$((i / 256)).$((i % 256)).0/24,osaka1"
	done >"$scratch/a/many.csv"
	ecsctl push "$scratch/a/many.yaml" >/dev/null 2>&1
	sed -i 's/,osaka1/,kyushu/' "$scratch/a/many.csv"
	exits "diff of 300 prefixes" 1 ecsctl diff "$scratch/a/many.yaml"
	same "20 of them are shown" 20 "$(grep -c '~ 10\.' <<<"$output")"
	contains "and how many there are" "$output" "0 added, 0 removed, 300 moved to another region"
	contains "and how many more" "$output" "... and 280 more"
	contains "the addresses are counted whole" "$output" "IPv4: 0.001788 % of all addresses change their region (76800 addresses, 4 blocks)"
	exits "diff --all" 1 ecsctl diff --all "$scratch/a/many.yaml"
	same "all of them are shown" 300 "$(grep -c '~ 10\.' <<<"$output")"
	ecsctl push "$a" >/dev/null 2>&1
}

# Whatever members' states are, both configurations have the same.
states_of_both()
{
	ecsctl drain v4-main/v4-main-a >/dev/null 2>&1
	exits "diff of what is live, with a member drained" 0 ecsctl diff "$a"
	sed 's/ttl: 20/ttl: 25/' "$a" >"$scratch/a/ttl.yaml"
	exits "diff of another TTL" 1 ecsctl diff "$scratch/a/ttl.yaml"
	contains "neither answer has the drained member" "$output" "A, main: ttl 20: 192.0.2.2, 192.0.2.3 -> ttl 25: 192.0.2.2, 192.0.2.3"
	ecsctl enable v4-main/v4-main-a >/dev/null
}

# -- undoing --

notes_and_rollback()
{
	same "A is live" 3 "$(generation)"
	exits "push with a reason" 0 ecsctl push --reason "rack 4 moves" "$b"
	exits "a reason of two lines" 1 ecsctl push --reason $'a\nb' "$b"
	contains "is refused" "$errors" "reason: one line"
	same "B answers" 2001:db8:20::2 "$(answer 240b:10:400::/40 www.example.com AAAA)"
	exits "rollback --dry-run" 0 ecsctl rollback --dry-run
	contains "says what it would change" "$output" "member kyushu-a: 2001:db8:20::2 weight 1 -> 2001:db8:20::1 weight 1"
	same "and changes nothing" "4 2001:db8:20::2" "$(generation) $(answer 240b:10:400::/40 www.example.com AAAA)"
	exits "rollback" 0 ecsctl rollback --reason "rack 4 burns"
	contains "says what it did" "$output" "generation 5 is live: the configuration of generation 3"
	contains "and what it changed" "$output" "answers: 1 added, 0 removed, 6 changed"
	same "A answers again" 2001:db8:20::1 "$(answer 240b:10:400::/40 www.example.com AAAA)"
	exits "a second rollback" 0 ecsctl rollback
	contains "undoes the first" "$output" "the configuration of generation 4"
	exits "rollback --json" 0 ecsctl rollback --json 5
	field "has what changed" '"\(.rollback_to) \(.changes.generation) \(.changes.changed) \(.changes.answers.changed)"' "5 6 true 6"
	exits "history" 0 ecsctl history
	contains "history: the push, by whom and why" "$output" "push by root: rack 4 moves"
	contains "history: the rollback" "$output" "rollback to 3 by root: rack 4 burns"
	exits "history --json" 0 ecsctl history --json
	field "history --json has the same" '.generations[] | select(.generation == 5) | "\(.how) \(.rollback_to) \(.uid) \(.reason) \(.live)"' \
		"rollback 3 0 rack 4 burns false"
	rm "$state/generations/4.json"
	exits "history with a note that is lost" 0 ecsctl history --json
	field "leaves it out" '.generations[] | select(.generation == 4) | "\(.how) \(.uid) \(.reason)"' " null "
}

# A controller that does not get to it for two seconds.
progress()
{
	local pid

	pid=$(<"$run/controller.pid")
	kill -STOP "$pid"
	{ sleep 2.2; kill -CONT "$pid"; } &
	exits "push --progress" 0 ecsctl push --progress "$a"
	contains "says what it waits for" "$errors" "compiling and publishing: 1 s"
	wait
}

# -- what is live --

dump()
{
	exits "dump" 0 ecsctl dump
	same "dump is the file, to the octet" "$(sha256sum <"$a")" "$(ecsctl dump 2>/dev/null | sha256sum)"
	contains "and tells of the other one" "$errors" "example.com.zone (541 octets)"
	exits "dump --output" 0 ecsctl dump --output "$scratch/out" 4
	same "all files are there" "" "$(diff -r "$scratch/out" "$scratch/b" 2>&1)"
	exits "a push of them" 0 ecsctl push "$scratch/out/japan.yaml"
	exits "is B" 0 ecsctl diff "$b"
	exits "dump over files" 1 ecsctl dump --output "$scratch/out"
	contains "writes over nothing" "$errors" "makes a new folder"
	exits "dump of a generation that is not kept" 1 ecsctl dump 99
	contains "names those that are" "$errors" "ecsctl history"
	exits "dump of no number" 1 ecsctl dump yesterday
	exits "dump --json" 0 ecsctl dump --json
	field "has the text" '.text' "$(<"$b")"
	exits "dump --compiled" 0 ecsctl dump --compiled 1
	contains "compiled: an entry of a topology" "$output" "topology japan 240b:10:200::/40: osaka1, scope 40, below it 240b:10:280::/41"
	contains "compiled: a setting" "$output" "service www.example.com ttl: 10"
	contains "compiled: an answer" "$output" "answer www.example.com AAAA, osaka2: ttl 10: 2001:db8:10::2"
	printf '%s\n' "$output" >"$scratch/compiled"
	exits "dump --compiled --json" 0 ecsctl dump --compiled --json 1
	same "compiled: JSON has as many lines" "$(wc -l <"$scratch/compiled")" "$(jq -c . <<<"$output" | wc -l)"
	same "compiled: and the same values" "" "$(compiled_missing)"
	shuffled
}

# Every value of each line of JSON stands in its line of text.
compiled_missing()
{
	python3 -c '
import json, sys
for values, line in zip(sys.stdin, open(sys.argv[1])):
    for value in json.loads(values).values():
        if value is not None and str(value) not in line:
            print(value, "is not in:", line)
' "$scratch/compiled" <<<"$output"
}

# The same in another order compiles to the same lines.
shuffled()
{
	python3 - "$a" >"$scratch/a/shuffled.yaml" <<-'PYTHON'
		import sys, yaml
		config = yaml.safe_load(open(sys.argv[1]))
		for name in ("pools", "topologies"):
		    config[name] = dict(reversed(config[name].items()))
		for topology in config["topologies"].values():
		    topology["prefixes"] = dict(reversed(topology["prefixes"].items()))
		config["services"].reverse()
		print(yaml.safe_dump(dict(reversed(config.items())), sort_keys=False))
	PYTHON
	exits "push of A in another order" 0 ecsctl push "$scratch/a/shuffled.yaml"
	same "compiled: nothing depends on the order" "" "$(diff "$scratch/compiled" <(ecsctl dump --compiled))"
	exits "nor does diff" 0 ecsctl diff "$a"
}

# Names that lead out of the folder are written below it, and nowhere else.
dump_hostile()
{
	mkdir -p "$scratch/c/sub"
	{
		sed "s|file: example.com.zone|file: $scratch/a/example.com.zone|" "$a"
		echo 'include: [../outside.yaml, sub/inside.yaml]'
	} >"$scratch/c/japan.yaml"
	echo 'checks: {}' | tee "$scratch/outside.yaml" >"$scratch/c/sub/inside.yaml"
	exits "push of files from elsewhere" 0 ecsctl push "$scratch/c/japan.yaml"
	exits "dump of them" 0 ecsctl dump --output "$scratch/d/"
	same "all are below the folder" "japan.yaml outside/1-outside.yaml outside/3-example.com.zone sub/inside.yaml" \
		"$(cd "$scratch/d" && find . -type f -printf '%P\n' | sort | xargs)"
	contains "and what the configuration names them is told" "$output" "which the configuration names ../outside.yaml"
}

# At three in the morning a rollback has to work without it.
lost_bundle()
{
	local live

	live=$(generation)
	mv "$state/generations/$live.tar" "$scratch/live.tar"
	exits "diff without the live bundle" 1 ecsctl diff "$a"
	contains "says why" "$errors" "what would change is not known: the bundle of generation $live"
	exits "rollback without it" 0 ecsctl rollback --json 1
	field "works, and what it changed is null" '"\(.rollback_to) \(.changes)"' "1 null"
	field "with the reason as a warning" '[.faults[] | select(.text | startswith("what would change is not known"))] | length' 1
}

# -- text and JSON --

fields()
{
	ecsctl drain --reason "rack 9" v4-main/v4-main-a >/dev/null
	fields_of '.*_seconds' check "$a"
	fields_of '.*_seconds,.*left_out' push --dry-run "$b"
	fields_of none diff --all "$b"
	fields_of '.*_seconds' rollback --dry-run 5
	fields_of none history
	fields_of none dump
	fields_of '.health.age' status
	fields_of '.nanoseconds' stats --all
	fields_of none explain 240b:10:200::/40 www.example.com AAAA
	fields_of none explain 192.0.2.1 v4.example.com A
	fields_of none explain 192.0.2.1 static.example.com A
	# What decides where nobody has said anything is left out for people, and the version is for those who ask again.
	fields_of '.version,.*decided_by,.*verdict,.*since,.settings.*,.*setting.text' health
	fields_of '.*changed,.*since' drain --reason "rack 9" v4-main/v4-main-a
	ecsctl enable v4-main/v4-main-a >/dev/null
	fields_of none enable v4-main/v4-main-a
}

# EXCEPT VERB...
fields_of()
{
	local except=$1 got
	shift

	got=$(tests/e2e/text_json.py --except "$except" "$@" 2>&1)
	same "text has what JSON has: ${*/$scratch/}" "" "$(grep -v '^[1-9][0-9]* values$' <<<"$got")"
}

# docs/api.md has a section for each path, with its method.
documented()
{
	same "docs/api.md has every path, and no other" "$(sed -nE 's/^\t\{"(\/v1\/[a-z]+)", "([A-Z]+)", .*/\2 \1/p' user/controller/api.c | sort)" \
		"$(sed -nE 's/^## ((GET|POST) \/v1\/[a-z]+)$/\1/p' docs/api.md | sort)"
}

completion()
{
	output=$(bash tests/e2e/complete.sh 2>&1)
	while read -r result name; do
		if [ "$result" = ok ]; then tap_ok "completion: $name"; else tap_not_ok "completion: $name"; fi
	done < <(grep -E '^(ok|missing) ' <<<"$output")
	contains "completion: all were asked" "$output" "completion: 12 asked"
}

# -- the file of --config --

# Stops the controller, and starts it with these options.
restart()
{
	local pid

	pid=$(<"$run/controller.pid")
	kill -TERM "$pid"
	wait_for gone "$pid"
	log_mark
	CONTROLLER_OPTIONS="$*" $lab start >/dev/null
	wait_for settled
}

# PID: ended, and maybe not waited for
gone()
{
	[[ $(ps -o stat= -p "$1") == Z* ]] || ! kill -0 "$1"
}

settled()
{
	ecsctl --json status 2>/dev/null | jq -e '.doing == ""'
}

# "NAME..." TTL: a file with a check that says at once, and then not for an hour, that one of two members is down.
config_file()
{
	local name

	cat <<-YAML
		server: {addresses: [198.18.0.1]}
		checks: {there: {type: file, path: "$scratch/health/{member}", interval: 1h, fall: 1, rise: 1}}
		pools: {main: {check: there, members: [{name: one, address: 192.0.2.1}, {name: two, address: 192.0.2.2}]}}
		topologies: {all: {default: main, file: table.csv}}
		services:
	YAML
	for name in $1 www.example.com; do
		echo "  - {name: $name, topology: all, ttl: $2}"
	done
}

config_at_start()
{
	local before

	mkdir "$scratch/health" "$scratch/site"
	echo up >"$scratch/health/one"
	echo down >"$scratch/health/two"
	echo "# nothing yet" >"$scratch/site/table.csv"
	config_file first.example.com 10 >"$scratch/site/site.yaml"
	before=$(generation)
	restart --config "$scratch/site/site.yaml"
	wait_for generation_is $((before + 1))
	same "--config is pushed at start" $((before + 1)) "$(generation)"
	same "and answers" 192.0.2.1 "$(answer 192.0.2.0/24 first.example.com A)"
	contains "history says where it came from" "$(ecsctl history | tail -n 1)" "config $scratch/site/site.yaml"
	restart --config "$scratch/site/site.yaml"
	wait_for log_has "is what generation $((before + 1)) was made of"
	same "a restart pushes nothing" $((before + 1)) "$(generation)"
	ecsctl rollback >/dev/null 2>&1
	restart --config "$scratch/site/site.yaml"
	wait_for log_has "was pushed already, as generation $((before + 1))"
	same "nor does it undo a rollback" "$((before + 2))" "$(generation)"
	refuse "--watch without --config" "--watch needs --config" ecsdns-controller --watch
}

config_hangup()
{
	local before id since

	before=$(generation)
	hangup "published"
	same "SIGHUP pushes the file" $((before + 1)) "$(generation)"
	wait_for down_is_known
	since=$(member_since)
	id=$(service_id www.example.com)
	config_file "more.example.com second.example.com" 20 >"$scratch/site/site.yaml"
	hangup "published"
	same "SIGHUP: the change is live" "192.0.2.1" "$(answer 192.0.2.0/24 second.example.com A)"
	same "SIGHUP: a service keeps its number behind others that come and go" "$id" "$(service_id www.example.com)"
	same "SIGHUP: and the answers that were counted" 1 "$(counted www.example.com)"
	same "SIGHUP: a pool that has not changed keeps its health" "$since down" "$(member_since) $(member_state)"
	hangup "is what generation $(generation) was made of"
	check "SIGHUP without a change pushes nothing" test "$(generation)" -eq $((before + 2))
	echo "192.0.2.0/33,main" >"$scratch/site/table.csv"
	hangup "refused; nothing changed"
	contains "SIGHUP with a fault: file, line and column" "$(log)" "table.csv:1:1: error:"
	same "SIGHUP with a fault: the old answers" "$((before + 2)) 192.0.2.1" "$(generation) $(answer 192.0.2.0/24 second.example.com A)"
	rm "$scratch/site/site.yaml"
	hangup "refused; nothing changed"
	contains "SIGHUP without the file" "$(log)" "site.yaml: No such file"
	restart
	log_mark
	kill -HUP "$(<"$run/controller.pid")"
	check "SIGHUP without --config says so" wait_for log_has "no --config FILE to read again"
	check "and nobody dies of it" settled
}

# TEXT: that the log has when it is over
hangup()
{
	log_mark
	kill -HUP "$(<"$run/controller.pid")"
	wait_for log_has "$1" || { tap_not_ok "SIGHUP: $1"; note "$(log)"; }
	wait_for settled
}

member()
{
	ecsctl --json health main/two | jq -r "[.. | objects | select(.member? == \"two\")][0].$1"
}

member_since()
{
	member since
}

member_state()
{
	member state
}

down_is_known()
{
	[ "$(member_state)" = down ] && [ "$(answer 192.0.2.0/24 www.example.com A)" = 192.0.2.1 ]
}

service_id()
{
	ecsctl --json stats | jq ".services[] | select(.service == \"$1\") | .id"
}

# Were any?
counted()
{
	ecsctl --json stats | jq "[.services[] | select(.service == \"$1\") | .packets > 0] | length"
}

# Both ways in which files change: in their place, and by renaming.
config_watch()
{
	local before

	echo "# nothing" >"$scratch/site/table.csv"
	config_file third.example.com 10 >"$scratch/site/site.yaml"
	restart --config "$scratch/site/site.yaml" --watch
	wait_for live_is third.example.com
	before=$(generation)
	config_file fourth.example.com 10 >"$scratch/site/site.yaml.new"
	mv "$scratch/site/site.yaml.new" "$scratch/site/site.yaml"
	check "--watch: a new file in the old one's place" wait_for live_is fourth.example.com
	config_file fifth.example.com 10 >"$scratch/site/site.yaml"
	check "--watch: a file written over" wait_for live_is fifth.example.com
	log_mark
	echo "192.0.2.0/33,main" >"$scratch/site/table.csv"
	check "--watch: a fault in a file that it names" wait_for log_has "table.csv:1:1: error:"
	check "--watch: the old answers stay" live_is fifth.example.com
	echo "192.0.2.0/24,main" >"$scratch/site/table.csv.new"
	mv "$scratch/site/table.csv.new" "$scratch/site/table.csv"
	check "--watch: and the fault mended" wait_for generation_is $((before + 3))
	log_mark
	echo "not ours" >"$scratch/site/other"
	for i in 1 2 3 4 5; do
		config_file "burst$i.example.com" 10 >"$scratch/site/site.yaml"
		sleep 0.05
	done
	check "--watch: a burst of changes" wait_for live_is burst5.example.com
	same "--watch: is one push" $((before + 4)) "$(generation)"
	restart --config "$scratch/site/site.yaml" --watch
	check "--watch: ends with the controller, and begins again" settled
}

live_is()
{
	[ "$(answer 192.0.2.0/24 "$1" A)" = 192.0.2.1 ]
}

generation_is()
{
	[ "$(generation)" -eq "$1" ]
}

main "$@"
