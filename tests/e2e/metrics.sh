#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# GET /metrics and `ecsctl top`: what they say against what was done and against bpftool, promtool and a Prometheus server;
# that the documents, the alerts and the dashboard speak of the same metrics; who may ask for what over TCP; and that
# 10,000 services and 1,000 regions hold up nobody who reads them.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/counters.sh
. tests/counters.sh
export LAB=${LAB:-metrics}
# shellcheck source=tests/load/common.sh
. tests/load/common.sh
page=$scratch/page
address=198.18.0.1:9530

main()
{
	make_files
	trap end EXIT
	wrong_usage
	CONTROLLER_OPTIONS="--metrics $address" bring_up "$scratch/small.yaml"
	"$lab" server tests/e2e/metrics_tcp.py 198.18.0.1 9530 >"$scratch/tcp" 2>&1 &
	hostile=$!
	prometheus_starts
	valid
	queries
	health
	pushes
	documents
	top_shows
	prometheus_reads	# after the five seconds that it waits for more targets
	wait $hostile
	over_tcp
	stops
	large
	finish
}

end()
{
	local status=$?

	[ -z "${prometheus:-}" ] || kill "$prometheus" 2>/dev/null
	(exit $status)
	load_end
}

bring_up()
{
	$lab up "$1" >"$scratch/up" 2>&1 || { sed 's/^/# /' "$scratch/up"; echo "Bail out! the lab did not come up"; exit 1; }
}

make_files()
{
	printf '%s\n' "\$TTL 300" '@ SOA ns hostmaster 7 3600 600 604800 100' '@ NS ns' 'ns A 198.18.0.1' >"$scratch/zone"
	cat >"$scratch/small.yaml" <<-END
		server: {addresses: [198.18.0.1, "fd00:ec5::1"]}
		zones: [{name: example.com, file: zone}]
		checks:
		  written: {type: file, path: "$scratch/state-{member}", interval: 100ms, timeout: 90ms, rise: 1, fall: 1}
		  dead: {type: tcp, port: 9, interval: 200ms, timeout: 100ms, rise: 1, fall: 1}
		pools:
		  tokyo: {check: written, members: [{name: a, address: 198.18.4.1}, {name: b, address: 198.18.4.2}]}
		  osaka: {check: dead, members: [{name: a, address: 127.0.0.1}]}
		  spare: {members: [{name: a, address: 198.18.5.1}]}
		  elsewhere: {cname: www.example.net.}
		topologies:
		  japan: {default: tokyo, prefixes: {10.0.0.0/8: osaka}}
		  one: {default: spare}
		services:
		- {name: www.example.com, topology: japan, regions: {osaka: [osaka, tokyo]}}
		- {name: api.example.com, topology: one}
		- {name: "sla\\\\\\\\sh.example.com", topology: one, regions: {spare: [elsewhere]}}
	END
	touch "$scratch/state-a" "$scratch/state-b"
	sed 's/interval: 200ms/interval: 300ms/' "$scratch/small.yaml" >"$scratch/next.yaml"
	sed 's/japan: {default: tokyo/japan: {default: nowhere/' "$scratch/small.yaml" >"$scratch/bad.yaml"
	cat >"$scratch/prometheus.yml" <<-END
		global: {scrape_interval: 250ms}
		rule_files: [$root/examples/prometheus/alerts.yml]
		scrape_configs: [{job_name: ecsdns, static_configs: [{targets: ["$address"]}]}]
	END
}

# -- helpers --

read_page()
{
	"$lab" server curl -sf --unix-socket "$ECSDNS_SOCKET" http://ecsdns/metrics -o "$page"
}

# SERIES: its value on the page
value()
{
	series=$1 awk 'index($0, ENVIRON["series"] " ") == 1 { print $NF }' "$page"
}

# NAME SERIES EXPECTED: of a fresh page
says()
{
	read_page
	same "$1" "$3" "$(value "$2")"
}

# NAME SERIES EXPECTED: soon
becomes()
{
	for _ in $(seq 50); do
		read_page
		[ "$(value "$2")" != "$3" ] || break
		sleep 0.05
	done
	same "$1" "$3" "$(value "$2")"
}

# COUNT NAME TYPE BLOCK [OPTION]: so many questions
ask()
{
	local i

	for ((i = 0; i < $1; i++)); do
		$lab client kdig +short +nocookie +subnet="$4" ${5:-} @198.18.0.1 "$2" "$3" >>"$scratch/asked" 2>&1
	done
}

# QUERY: what the Prometheus server says, one value a line
prometheus_says()
{
	"$lab" server curl -sf --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query | jq -r '.data.result[].value[1]'
}

# -- the page --

wrong_usage()
{
	local wrong status

	for wrong in 9530 :9530 localhost:9530 127.0.0.1:0 127.0.0.1:99999 127.0.0.1: ::1:9530 '[127.0.0.1]:9530' '[::1:9530' '[]:9530'; do
		status=0
		ecsdns-controller --metrics "$wrong" >"$scratch/out" 2>&1 || status=$?
		same "--metrics $wrong: exit 2" 2 $status
	done
	contains "and what was expected" "$(<"$scratch/out")" "as in 127.0.0.1:9530 or [::1]:9530"
	refuse "--metrics-services some" "all, answered or none was expected" ecsdns-controller --metrics-services some
}

valid()
{
	check "a page" read_page
	same "promtool has nothing to say" "" "$(promtool check metrics <"$page" 2>&1)"
	says "version" "ecsdns_build_info{version=\"$(ecsctl --json status | jq -r .version)\",abi=\"1\"}" 1
	says "a name with what has to be escaped" 'ecsdns_service_answers_total{service="sla\\\\sh.example.com"}' 0
	same "/metrics of the control socket takes GET alone" 405 \
		"$("$lab" server curl -s -o "$scratch/out" -w '%{http_code}' -d x --unix-socket "$ECSDNS_SOCKET" http://ecsdns/metrics)"
}

queries()
{
	local reason

	ask 7 www.example.com A 10.1.2.0/24
	ask 3 www.example.com A 192.0.2.0/24
	ask 2 api.example.com A 192.0.2.0/24
	ask 4 www.example.com A 10.1.2.0/24 +tcp
	ask 1 nobody.example.com A 192.0.2.0/24
	says "answers by service" 'ecsdns_service_answers_total{service="www.example.com"}' 10
	says "and of another" 'ecsdns_service_answers_total{service="api.example.com"}' 2
	says "by region" 'ecsdns_region_answers_total{topology="japan",region="osaka"}' 7
	says "and of another" 'ecsdns_region_answers_total{topology="japan",region="tokyo"}' 3
	says "the driver's" 'ecsdns_queries_total{path="driver",reason="ANSWERED"}' 12
	says "what it passed up" 'ecsdns_queries_total{path="driver",reason="NAME"}' 1
	says "the fallback's" 'ecsdns_queries_total{path="fallback",reason="ANSWERED"}' 4
	says "and what was passed up to it" 'ecsdns_queries_total{path="fallback",reason="NAME"}' 1
	for reason in ANSWERED NODATA NAME OTHER_ADDRESS; do
		same "bpftool says the same of $reason" "$(counter $reason)" "$(value "ecsdns_queries_total{path=\"driver\",reason=\"$reason\"}")"
	done
}

health()
{
	becomes "a pool without members that are well is down" 'ecsdns_pool_up{pool="osaka"}' 0
	says "its member, too" 'ecsdns_member_up{pool="osaka",member="a"}' 0
	says "and why" 'ecsdns_member_last_result{pool="osaka",member="a",reason="refused"}' 1
	says "a pool without checks is up" 'ecsdns_pool_up{pool="spare"}' 1
	says "a CNAME is" 'ecsdns_pool_up{pool="elsewhere"}' 1
	same "and has no members" "" "$(value 'ecsdns_pool_members{pool="elsewhere"}')"
	becomes "what is well" 'ecsdns_member_last_result{pool="tokyo",member="b",reason="ok"}' 1
	rm "$scratch/state-b"
	becomes "a member falls" 'ecsdns_member_up{pool="tokyo",member="b"}' 0
	says "why" 'ecsdns_member_last_result{pool="tokyo",member="b",reason="file"}' 1
	same "one result at a time" "" "$(value 'ecsdns_member_last_result{pool="tokyo",member="b",reason="ok"}')"
	says "its pool stays up" 'ecsdns_pool_up{pool="tokyo"}' 1
	says "with one of two" 'ecsdns_pool_members_up{pool="tokyo"}' 1
	says "of" 'ecsdns_pool_members{pool="tokyo"}' 2
	touch "$scratch/state-b"
	becomes "and is well again" 'ecsdns_member_up{pool="tokyo",member="b"}' 1
	check "reactions are counted" test "$(value ecsdns_reaction_duration_seconds_count)" -ge 3
	same "each of them in some bucket" "$(value ecsdns_reaction_duration_seconds_count)" \
		"$(value 'ecsdns_reaction_duration_seconds_bucket{le="+Inf"}')"
	check "health is not old" awk -v age="$(value ecsdns_health_age_seconds)" 'BEGIN { exit !(age != "" && age < 5) }'
	says "the host is ready" ecsdns_ready 1
	says "and how it is attached" 'ecsdns_interface_info{interface="ecs0",mode="native"}' 1
	check "drain" ecsctl drain tokyo
	says "a setting of the pool is its members'" 'ecsdns_member_setting{pool="tokyo",member="a",action="drain"}' 1
	says "which are down" 'ecsdns_member_up{pool="tokyo",member="a"}' 0
	check "enable" ecsctl enable tokyo
	says "and up" 'ecsdns_member_up{pool="tokyo",member="a"}' 1
	same "without a setting" "" "$(value 'ecsdns_member_setting{pool="tokyo",member="a",action="drain"}')"
}

pushes()
{
	tar -cf "$scratch/bad.tar" -C "$scratch" bad.yaml zone
	same "a bad push" 400 "$("$lab" server curl -s -o "$scratch/out" -w '%{http_code}' --data-binary "@$scratch/bad.tar" \
		--unix-socket "$ECSDNS_SOCKET" http://ecsdns/v1/push)"
	says "is counted" 'ecsdns_pushes_total{result="refused"}' 1
	says "as the last one" ecsdns_last_push_success 0
	says "and not live" ecsdns_generation 1
	check "a dry run" ecsctl push --dry-run "$scratch/next.yaml"
	says "is none" 'ecsdns_pushes_total{result="done"}' 1
	check "a good one" ecsctl push "$scratch/next.yaml"
	says "is counted" 'ecsdns_pushes_total{result="done"}' 2
	says "as the last one" ecsdns_last_push_success 1
	says "and live" ecsdns_generation 2
	says "with its time" ecsdns_push_duration_seconds_count 2
	check "and when" test $(($(date +%s) - $(value ecsdns_last_push_timestamp_seconds))) -le 2
	refuse "a rollback to nothing" "" ecsctl rollback 77
	says "is refused, too" 'ecsdns_pushes_total{result="refused"}' 2
	says "a service keeps its count over pushes" 'ecsdns_service_answers_total{service="www.example.com"}' 10
	same "used as status says" "$(ecsctl --json status | jq -r '.tables[] | "\(.table) \(.used) \(.entries)"')" \
		"$(for table in addresses names_short names_long topology4 topology6 indices answers; do
			echo "$table $(value "ecsdns_table_entries{table=\"$table\"}") $(value "ecsdns_table_capacity{table=\"$table\"}")"
		done)"
}

# -- what is written about it --

documents()
{
	check "drain, so that every metric has a sample" ecsctl drain spare
	read_page
	check "the documents and the page agree" tests/e2e/metrics_agree.py documents "$page" docs/metrics.md docs/man/ecsdns-metrics.7
	sed 's/ecsdns_generation /ecsdns_generations /' "$page" >"$scratch/other"
	refuse "of another page they do not" "ecsdns_generations is not in" \
		tests/e2e/metrics_agree.py documents "$scratch/other" docs/metrics.md docs/man/ecsdns-metrics.7
	same "the manual page is well-formed" "" "$(groff -man -Tutf8 -ww -z docs/man/ecsdns-metrics.7 2>&1)"
	check "the alerts are well-formed" promtool check rules examples/prometheus/alerts.yml
	sed "s|RULES\]|$root/examples/prometheus/alerts.yml]|" tests/e2e/alerts.test.yml >"$scratch/alerts.test.yml"
	check "they speak when they should" promtool test rules "$scratch/alerts.test.yml"
	check "and are of metrics that are there" tests/e2e/metrics_agree.py rules "$page" examples/prometheus/alerts.yml
	check "the configuration, too" promtool check config examples/prometheus/prometheus.yml
	check "the dashboard is of metrics that are there, and of all" \
		tests/e2e/metrics_agree.py dashboard "$page" examples/grafana/ecsdns.json
	check "enable" ecsctl enable spare
}

# -- Prometheus itself --

prometheus_starts()
{
	"$lab" server prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/tsdb" \
		--web.listen-address=127.0.0.1:9090 --log.level=warn >"$scratch/prometheus.log" 2>&1 &
	prometheus=$!
}

prometheus_reads()
{
	local answers

	read_page
	answers=$(value 'ecsdns_service_answers_total{service="api.example.com"}')
	for _ in $(seq 60); do
		[ "$(prometheus_says 'ecsdns_service_answers_total{service="api.example.com"}')" != "$answers" ] || break
		sleep 0.05
	done
	same "a Prometheus server has read the page" 1 "$(prometheus_says 'up{job="ecsdns"}')"
	same "and knows what is on it" "$answers" "$(prometheus_says 'ecsdns_service_answers_total{service="api.example.com"}')"
	same "with the names as they are" 'sla\\sh.example.com' "$("$lab" server curl -sf http://127.0.0.1:9090/api/v1/label/service/values |
		jq -r '.data[] | select(startswith("sla"))')"
	tests/e2e/metrics_agree.py dashboard "$page" examples/grafana/ecsdns.json 2>/dev/null |
		jq -rR '@uri "url = \"http://127.0.0.1:9090/api/v1/query?query=\(.)\""' >"$scratch/expressions"
	check "the dashboard has expressions" test "$(wc -l <"$scratch/expressions")" -ge 40
	same "and every one can be evaluated" "" "$("$lab" server curl -s --config "$scratch/expressions" | jq -r '.error // empty')"
	check "alerts are, too" test "$("$lab" server curl -sf http://127.0.0.1:9090/api/v1/rules | jq '[.data.groups[].rules[] |
		select(.health == "err")] | length')" = 0
	kill -KILL $prometheus	# its data are scratch
	wait $prometheus 2>/dev/null
	prometheus=
}

# -- over TCP --

over_tcp()
{
	same "who asks for what over TCP" "get 200, get-1.0 200, head 200, argument 200, post 405, post-body 413, get-body 413, delete 405, \
push 404, status 404, root 404, below 404, climbing 404, long-path 414" \
		"$(sed '/^silent/,$d; s/ *$//' "$scratch/tcp" | paste -sd, | sed 's/,/, /g')"
	check "of 40 connections that say nothing few are served" test "$(sed -n 's/^silent //p' "$scratch/tcp")" -le 4
	check "and not for long" awk -v seconds="$(sed -n 's/^seconds //p' "$scratch/tcp")" 'BEGIN { exit !(seconds != "" && seconds < 9) }'
	same "the page over TCP is that of the socket" "$(grep -c '^# TYPE' "$page")" \
		"$("$lab" server curl -s "http://$address/metrics" | grep -c '^# TYPE')"
}

# A page, and a capture, may be asked for at any moment: also on kept connections while the last ones are refused.
stops()
{
	local asks

	"$lab" server tests/e2e/keeps_asking.py "$ECSDNS_SOCKET" 1.5 /metrics /v1/stats "/v1/capture?seconds=1" >"$scratch/asks" &
	asks=$!
	sleep 0.7
	check "the controller stops while pages are made" load_stop_controller TERM
	wait $asks
	check "for those who ask on and on" test "$(<"$scratch/asks")" -gt 20
	same "it takes its socket with it" "" "$(ls "$ECSDNS_SOCKET" 2>/dev/null)"
	same "and says nothing bad" "" "$(grep -E '^<[0-3]>|Sanitizer|Fatal error' "$run/controller.log" | grep -v -e 'push was refused' -e '77.tar' -e 'region nowhere')"
	address_is_taken
	CONTROLLER_OPTIONS="--metrics-services answered" $lab start
	load_wait_ready
	read_page
	same "--metrics-services answered" 2 "$(grep -c '^ecsdns_service_answers_total{' "$page")"
	check "stop" load_stop_controller TERM
	CONTROLLER_OPTIONS="--metrics-services none" $lab start
	load_wait_ready
	read_page
	same "--metrics-services none" "" "$(grep '^ecsdns_service_answers_total{' "$page")"
	check "regions are there all the same" test "$(value 'ecsdns_region_answers_total{topology="japan",region="osaka"}')" -ge 7
}

address_is_taken()
{
	local holder

	"$lab" server tests/e2e/metrics_tcp.py hold 198.18.0.1 9530 >"$scratch/holds" &
	holder=$!
	for _ in $(seq 100); do
		[ ! -s "$scratch/holds" ] || break
		sleep 0.05
	done
	refuse "where another program listens, the controller does not start" "another program listens there" \
		"$lab" server timeout 5 ecsdns-controller --pins "$ECSDNS_PINS" --state "$run/state" --metrics "$address"
	kill $holder
	wait $holder 2>/dev/null
	refuse "nor at an address that is nobody's here" "no interface of this host has that address" \
		"$lab" server timeout 5 ecsdns-controller --pins "$ECSDNS_PINS" --state "$run/state" --metrics 198.18.77.77:9530
}

# -- top --

# NAME EXPECTED GOT [PERCENT]
near()
{
	check "$1: $3 is near $2" awk -v expected="$2" -v got="$3" -v part="${4:-5}" \
		'BEGIN { exit !(got > expected * (1 - part / 100) && got < expected * (1 + part / 100)) }'
}

# COLUMN...: how many of these were sent a second in the time that $json is of
sent()
{
	awk -v to="$(jq .nanoseconds <<<"$json")" -v seconds="$(jq .seconds <<<"$json")" -v columns="$*" '
		function sum(i, n, which, all) { n = split(columns, which, " "); for (i = 1; i <= n; i++) all += $which[i]; return all }
		$1 <= to - seconds * 1e9 { first = sum() }
		$1 <= to { last = sum() }
		END { printf "%.1f", (last - first) / seconds }' "$scratch/sent"
}

top_shows()
{
	local json

	"$lab" client tests/e2e/paced.py 198.18.0.1 20 "$scratch/sent" 400,www.example.com,A,10.1.0.0/24 200,www.example.com,A,192.0.2.0/24 \
		100,api.example.com,A,- 50,nobody.example.com,A,- >"$scratch/paced" 2>&1 &
	paced=$!
	sleep 0.3
	"$lab" server ecsctl --json top --once --interval 1.5 >"$scratch/json" &
	json=$!
	on_terminal q ecsctl top
	near "on a terminal" 600 "$(sed -n 's/^large *\([0-9.]*\)  www.example.com$/\1/p' <<<"$shown")" 25
	wait $json
	json=$(<"$scratch/json")
	near "a service's rate" "$(sent 2 3)" "$(jq '.services[] | select(.service == "www.example.com").rate' <<<"$json")"
	near "another's" "$(sent 4)" "$(jq '.services[] | select(.service == "api.example.com").rate' <<<"$json")"
	near "a region's" "$(sent 2)" "$(jq '.regions[] | select(.region == "osaka").rate' <<<"$json")"
	near "the driver's" "$(sent 2 3 4)" "$(jq .answered <<<"$json")"
	near "by reason" "$(sent 2 3 4)" "$(jq '.reasons[] | select(.reason == "ANSWERED").driver' <<<"$json")"
	near "the fallback's" "$(sent 5)" "$(jq .fallback <<<"$json")"
	same "the highest first" "www.example.com api.example.com" "$(jq -r '[.services[].service] | join(" ")' <<<"$json")"
	same "--count" 2 "$("$lab" server ecsctl --json top --count 2 --interval 0.1 | jq -s length)"
	contains "text has the same" "$("$lab" server ecsctl top --once --interval 0.2)" "one/spare"
	on_terminal ctrl-c ecsctl top --interval 0.3
	kill $paced
	wait $paced
	same "every question was answered" "$(awk '$1 != "received" { sum += $NF } END { print sum }' "$scratch/paced")" \
		"$(sed -n 's/^received //p' "$scratch/paced")"
	for wrong in "--interval 0" "--interval x" "--count 0" "--count 1.5" "more"; do
		# shellcheck disable=SC2086
		refuse "top $wrong" "Usage: ecsctl top" ecsctl top $wrong
	done
}

# KEY COMMAND...: what stands on a terminal ($shown), and what is left of it
on_terminal()
{
	shown=$("$lab" server tests/e2e/top_on_terminal.py "$@" 2>&1)
	contains "on a terminal: both paths" "$shown" "passed, 0.0 dropped a second; fallback: "
	same "on a smaller one: its lines" 9 "$(grep -c '^small' <<<"$shown")"
	contains "on a smaller one: what is left out" "$shown" "SERVICE (1 of 2)"
	same "$1 ends it, and the terminal is as it was" "enters True, leaves True, status 0, restored True, fault" \
		"$(grep -Ev '^(large|small)' <<<"$shown" | sed 's/ *$//' | paste -sd, | sed 's/,/, /g')"
}

# -- many --

make_large()
{
	local i

	echo "server: {addresses: [198.18.0.1]}"
	echo "zones: [{name: example.com, file: zone}]"
	printf 'pools:\n  many: {members: ['
	for i in {1..8}; do
		echo "    {name: m$i, address: 198.18.4.$i},"
	done
	echo "  ]}"
	seq -f '  r%g: {members: [{name: a, address: 192.0.2.1}]}' 0 999
	printf 'topologies:\n  one: {default: many}\n  world:\n    default: r0\n    prefixes:\n'
	for i in {1..999}; do
		echo "      10.$((i / 256)).$((i % 256)).0/24: r$i"
	done
	echo "services:"
	seq -f '- {name: s%05g.example.com, topology: one}' 0 9989
	seq -f '- {name: w%05g.example.com, topology: world}' 0 9
}

large()
{
	local pace

	$lab down
	make_large >"$scratch/large.yaml"
	LOADER_OPTIONS="--indices 400000" bring_up "$scratch/large.yaml"
	read_page
	same "10,000 services" 10000 "$(grep -c '^ecsdns_service_answers_total{' "$page")"
	same "1,001 regions" 1001 "$(grep -c '^ecsdns_region_answers_total{' "$page")"
	same "promtool has nothing to say of that either" "" "$(promtool check metrics <"$page" 2>&1)"
	check "made in less than half a second, beside the loop" awk -v took="$(value ecsdns_page_duration_seconds)" \
		'BEGIN { exit !(took != "" && took < 0.5) }'
	pace=$("$lab" server tests/e2e/metrics_pace.py "$ECSDNS_SOCKET" many/m1 40 2>&1)
	note "! 10,000 services, 1,000 regions: page of $(stat -c %s "$page") octets in $(value ecsdns_page_duration_seconds) s;" \
		"word to answers in ms (median, most): $(paste -sd, <<<"$pace" | sed 's/,/, /g')"
	check "meanwhile pages were read" test "$(sed -n 's/^pages //p' <<<"$pace")" -ge 3
	check "and a word took no longer than a page and itself would" \
		awk '/^quiet/ { quiet = $2 } /^read/ { read = $2 } END { exit !(read != "" && read < quiet * 3 + 20) }' <<<"$pace"
}

main
