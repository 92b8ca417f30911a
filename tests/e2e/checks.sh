#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every type of check against real servers, each of which is right or wrong in one way; holding, pushes while checks
# run, restarts; and ten thousand checks every five seconds, with what they cost.
#
# All of it in namespaces of its own, for network and processes: nothing is left of it whenever it ends, or how.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
if [ "${1-}" != inside ]; then
	scratch=$(mktemp -d)
	trap 'kill -KILL $inside 2>/dev/null; wait $inside 2>/dev/null; rm -rf "$scratch"' EXIT
	trap 'exit 1' INT TERM
	unshare --net --pid --fork --kill-child --mount-proc "$0" inside "$scratch" &
	inside=$!
	wait $inside
	exit
fi
scratch=$2
sanitized=build/sanitize/checks-run
plain=build/checks-run
[ -x $sanitized ] || { note "$sanitized is not built: the plain one in its place"; sanitized=$plain; }

# -- the namespace and its servers --

# Every address of 198.18.0.0/15 is this host's.
network()
{
	ip link set lo up
	ip route add local 198.18.0.0/15 dev lo
	ip address add fd00:ec5::1/128 dev lo nodad
	# as most hosts have it: no ping sockets for anybody
	echo "1 0" >/proc/sys/net/ipv4/ping_group_range
}

# NAME SUBJECT-ALTERNATIVE-NAME [WRAPPER...]: signed by our own authority
certificate()
{
	local name=$1 alternative=$2
	shift 2

	openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$scratch/$name.key" -out "$scratch/$name.csr"
	"$@" openssl x509 -req -in "$scratch/$name.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -days 30 \
		-set_serial "$RANDOM" -extfile <(echo "subjectAltName=$alternative") -out "$scratch/$name.pem"
}

certificates()
{
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=authority -days 3650 -keyout "$scratch/ca.key" -out "$scratch/ca.pem"
	certificate valid "DNS:www.example.com,IP:198.18.2.1"
	certificate expired DNS:www.example.com faketime "2001-01-01 00:00:00"
	certificate future DNS:www.example.com faketime "2061-01-01 00:00:00"
	certificate other DNS:other.example.com
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=self -addext subjectAltName=DNS:www.example.com -days 30 \
		-keyout "$scratch/self.key" -out "$scratch/self.pem"
} >"$scratch/openssl.log" 2>&1

# ADDRESS CERTIFICATE [NAME]
https_server()
{
	printf 'server { listen %s:443 ssl; server_name %s; ssl_certificate %s.pem; ssl_certificate_key %s.key;\n' \
		"$1" "${3:-_}" "$scratch/$2" "$scratch/$2"
	printf 'location / { return 200 %s; } }\n' "$2"
}

nginx_start()
{
	cat >"$scratch/nginx.conf" <<-END
	daemon off; worker_processes 1; pid $scratch/nginx.pid; error_log $scratch/nginx.log;
	events { worker_connections 8192; }
	http {
		access_log off; client_body_temp_path $scratch/t1; proxy_temp_path $scratch/t2; fastcgi_temp_path $scratch/t3;
		uwsgi_temp_path $scratch/t4; scgi_temp_path $scratch/t5;
		server {
			listen 80 backlog=8192; listen [::]:80; default_type text/plain;
			location = / { return 200 "all is well\nno fault found\n"; }
			location = /204 { return 204; }
			location = /302 { return 302 /; }
			location = /503 { return 503; }
		}
		$(https_server 198.18.2.1 valid)
		$(https_server 198.18.2.2 expired)
		$(https_server 198.18.2.3 other)
		$(https_server 198.18.2.4 self)
		$(https_server 198.18.2.5 future)
		$(https_server 198.18.2.6 expired)
		$(https_server 198.18.2.6 valid www.example.com)
		$(https_server 0.0.0.0 valid)
	}
	END
	nginx -c "$scratch/nginx.conf" -p "$scratch" >>"$scratch/nginx.log" 2>&1 &
	echo $! >"$scratch/nginx.id"
}

knot_start()
{
	mkdir "$scratch/knot"
	printf '%s\n' '@ 60 SOA ns a 1 60 60 60 60' '@ 60 NS ns' 'ns 60 A 198.18.3.1' 'www 60 A 192.0.2.1' \
		'www 60 A 192.0.2.2' 'mail 60 MX 10 www' >"$scratch/knot/example.com.zone"
	cat >"$scratch/knot/knot.conf" <<-END
	server:
	    listen: [198.18.3.1@53, "fd00:ec5::1@53"]
	    rundir: $scratch/knot
	database:
	    storage: $scratch/knot
	zone:
	  - domain: example.com
	    storage: $scratch/knot
	    file: example.com.zone
	    zonefile-load: whole
	    journal-content: none
	END
	knotd -c "$scratch/knot/knot.conf" >"$scratch/knot/log" 2>&1 &
}

# CMD...: until it succeeds, for at most 10 s
await()
{
	for _ in $(seq 100); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	return 1
}

servers_start()
{
	network && certificates
	nginx_start
	knot_start
	/usr/bin/python3 tests/checks/servers.py >"$scratch/servers.log" 2>&1 &
	await curl -s http://198.18.2.1/ && await kdig +short @198.18.3.1 www.example.com A && await grep -q ready "$scratch/servers.log"
}

# -- one member, one check: NAME, ADDRESS, the check, and what must become of it --

names=() expected=()
row()
{
	local name=$1 address=$2 check=$3

	[[ $check == *timeout:* ]] || check="timeout: 400ms, $check"
	names+=("$name")
	expected+=("$4")
	checks+="  $name: {interval: 1s, rise: 1, fall: 1, $check}"$'\n'
	pools+="  $name: {check: $name, members: [{name: m, address: \"$address\"}]}"$'\n'
}

checks='' pools=''
config()
{
	printf 'server: {addresses: [198.18.0.1]%s}\nchecks:\n%spools:\n  cdn: {cname: cdn.example.net.}\n%s  spare: {cname: spare.example.net.}\n' \
		"${1-}" "$checks" "$pools"
}

rows_tcp()
{
	row tcp-open 198.18.2.1 "type: tcp, port: 80" "up ok"
	row tcp-open-6 fd00:ec5::1 "type: tcp, port: 80" "up ok"
	row tcp-refused 198.18.1.1 "type: tcp, port: 1" "down connection refused"
	row tcp-refused-6 fd00:ec5::1 "type: tcp, port: 1" "down connection refused"
	row tcp-no-route 203.0.113.1 "type: tcp, port: 80" "down Network is unreachable"
	row tcp-silent 198.18.1.1 "type: tcp, port: 1000" "up ok"
	row tcp-silent-expect 198.18.1.1 "type: tcp, port: 1000, expect: x" "down timed out after 400 ms"
	row tcp-closes 198.18.1.1 "type: tcp, port: 1001, expect: x" "down closed without a reply"
	row tcp-expect 198.18.1.1 "type: tcp, port: 1002, expect: \"220 ready\"" "up ok"
	row tcp-expect-else 198.18.1.1 "type: tcp, port: 1002, send: \"HELO\\r\\n\", expect: bye" \
		"down reply does not have what was expected"
	row tcp-send 198.18.1.1 "type: tcp, port: 1002, send: \"QUIT\\r\\n\", expect: \"221 bye\"" "up ok"
	row tcp-source 198.18.2.1 "type: tcp, port: 80, source: [198.18.9.9, \"fd00:ec5::1\"]" "up ok"
	row tcp-source-not-ours 198.18.2.1 "type: tcp, port: 80, source: 192.0.2.77" \
		"unknown source 192.0.2.77: Cannot assign requested address"
	row tcp-source-other-family 198.18.2.1 "type: tcp, port: 80, source: \"2001:db8::77\"" "up ok"
}

rows_http()
{
	row http-ok 198.18.2.1 "type: http" "up status 200"
	row http-ok-6 fd00:ec5::1 "type: http" "up status 200"
	row http-503 198.18.2.1 "type: http, path: /503" "down status 503"
	row http-204 198.18.2.1 "type: http, path: /204" "down status 204"
	row http-204-wanted 198.18.2.1 "type: http, path: /204, status: 200-299" "up status 204"
	row http-redirect 198.18.2.1 "type: http, path: /302" "down status 302"
	row http-redirect-wanted 198.18.2.1 "type: http, path: /302, status: [200, 300-399]" "up status 302"
	row http-body 198.18.2.1 "type: http, body: is well" "up status 200"
	row http-body-else 198.18.2.1 "type: http, body: Is well" "down body does not match"
	row http-regex 198.18.2.1 "type: http, body_regex: \"(no|one) f[a-z]+t\"" "up status 200"
	row http-regex-else 198.18.2.1 "type: http, body_regex: \"^no\$\"" "down body does not match"
	row http-refused 198.18.1.1 "type: http, port: 1" "down connection refused"
	row http-no-route 203.0.113.1 "type: http" "down Network is unreachable"
	row http-silent 198.18.1.1 "type: http, port: 1000" "down timed out after 400 ms"
	row http-closes 198.18.1.1 "type: http, port: 1001" "down connection reset"
	row http-half 198.18.1.1 "type: http, port: 1003" "down timed out after 400 ms"
	row http-endless 198.18.1.1 "type: http, port: 1004" "up status 200"
	row http-none 198.18.1.1 "type: http, port: 1006" "down not HTTP: Received HTTP/0.9 when not allowed"
	row http-host 198.18.1.1 "type: http, port: 1007, host: www.example.com, body: \"Host: www.example.com:1007\"" \
		"up status 200"
	row http-path 198.18.1.1 "type: http, port: 1007, path: \"/../a?b=%20\", body: \"GET /../a?b=%20 HTTP/1.1\"" "up status 200"
	row http-source 198.18.1.1 "type: http, port: 1007, source: 198.18.9.9, body: client 198.18.9.9" "up status 200"
	row http-source-not-ours 198.18.1.1 "type: http, port: 1007, source: 192.0.2.77" \
		"unknown source: Cannot assign requested address"
	row http-late-marker 198.18.1.1 "type: http, port: 1008, body: marker" "down body does not match"
	row http-late-marker-regex 198.18.1.1 "type: http, port: 1008, body_regex: x+marker" "down body does not match"
	row http-to-tls 198.18.2.1 "type: http, port: 443" "down status 400"
}

rows_https()
{
	local ours="ca_file: $scratch/ca.pem"

	row https-valid 198.18.2.1 "type: https, host: www.example.com, $ours, body: valid" "up status 200"
	row https-address 198.18.2.1 "type: https, $ours" "up status 200"
	row https-expired 198.18.2.2 "type: https, host: www.example.com, $ours" "down certificate expired"
	row https-future 198.18.2.5 "type: https, host: www.example.com, $ours" "down certificate is not yet valid"
	row https-other-name 198.18.2.3 "type: https, host: www.example.com, $ours" "down certificate is for another name"
	row https-self-signed 198.18.2.4 "type: https, host: www.example.com, $ours" "down certificate: self-signed certificate"
	row https-unknown-authority 198.18.2.1 "type: https, host: www.example.com" \
		"down certificate: unable to get local issuer certificate"
	row https-unverified 198.18.2.2 "type: https, host: www.example.com, verify: false, body: expired" "up status 200"
	row https-sni 198.18.2.6 "type: https, host: www.example.com, $ours, body: valid" "up status 200"
	row https-no-ca-file 198.18.2.1 "type: https, host: www.example.com, ca_file: /none" "unknown ca_file: /none"
	row https-plain 198.18.2.1 "type: https, port: 80, host: www.example.com, $ours" "down TLS: wrong version number"
	row https-silent 198.18.1.1 "type: https, port: 1000, host: www.example.com, $ours" "down timed out after 400 ms"
}

rows_dns()
{
	row dns-ok 198.18.3.1 "type: dns, query: www.example.com" "up ok"
	row dns-ok-6 fd00:ec5::1 "type: dns, query: www.example.com" "up ok"
	row dns-answer 198.18.3.1 "type: dns, query: www.example.com, answer: 192.0.2.2" "up ok"
	row dns-answer-else 198.18.3.1 "type: dns, query: www.example.com, answer: 192.0.2.3" \
		"down answer does not have what was expected"
	row dns-answer-name 198.18.3.1 "type: dns, query: mail.example.com, query_type: MX, answer: 10 WWW.example.com." "up ok"
	row dns-nodata 198.18.3.1 "type: dns, query: www.example.com, query_type: AAAA" "up ok"
	row dns-nxdomain 198.18.3.1 "type: dns, query: none.example.com" "down rcode NXDOMAIN"
	row dns-nxdomain-wanted 198.18.3.1 "type: dns, query: none.example.com, rcode: NXDOMAIN" "up ok"
	row dns-refused 198.18.1.1 "type: dns, port: 1053, query: www.example.com" "down rcode REFUSED"
	row dns-slow 198.18.1.1 "type: dns, port: 1054, query: www.example.com" "down timed out after 400 ms"
	row dns-slow-in-time 198.18.1.1 "type: dns, port: 1054, query: www.example.com, timeout: 1s" "up ok"
	row dns-decoys 198.18.1.1 "type: dns, port: 1055, query: www.example.com" "up ok"
	row dns-silent 198.18.1.1 "type: dns, port: 1056, query: www.example.com" "down timed out after 400 ms"
	row dns-garbage 198.18.1.1 "type: dns, port: 1057, query: www.example.com" "down reply makes no sense: malformed data"
	row dns-closed 198.18.1.1 "type: dns, port: 1, query: www.example.com" "down connection refused"
}

rows_others()
{
	row icmp-ok 198.18.4.4 "type: icmp" "up ok"
	row icmp-ok-6 fd00:ec5::1 "type: icmp, source: \"fd00:ec5::1\"" "up ok"
	row icmp-no-route 203.0.113.1 "type: icmp" "down Network is unreachable"
	row exec-ok 198.18.4.4 "type: exec, command: [/bin/true]" "up ok"
	row exec-told 198.18.4.4 "type: exec, command: [/bin/sh, -c, 'echo \$ECSDNS_POOL \$ECSDNS_MEMBER \$ECSDNS_ADDRESS']" \
		"up exec-told m 198.18.4.4"
	row exec-fails 198.18.4.4 "type: exec, command: [/bin/sh, -c, 'echo disk full >&2; exit 3']" "down exit status 3: disk full"
	row exec-killed 198.18.4.4 "type: exec, command: [/bin/sh, -c, 'kill -9 \$\$']" "down killed by signal 9"
	row exec-hangs 198.18.4.4 "type: exec, command: [/bin/sh, -c, 'sleep 1000 & sleep 1000']" "down timed out after 400 ms"
	row exec-talks 198.18.4.4 "type: exec, command: [/bin/sh, -c, 'echo one; head -c 3000000 /dev/zero']" "up one"
	row exec-closes 198.18.4.4 "type: exec, command: [/bin/sh, -c, 'exec >&- 2>&-; sleep 0.2; exit 4']" "down exit status 4"
	row exec-missing 198.18.4.4 "type: exec, command: [/bin/none]" "unknown /bin/none: no such file or directory"
	row file-empty 198.18.4.4 "type: file, path: \"$scratch/{pool}-{member}-{address}\"" "up ok"
	row file-up 198.18.4.4 "type: file, path: $scratch/file-up" "up up since noon"
	row file-down 198.18.4.4 "type: file, path: $scratch/file-down" "down down: maintenance"
	row file-else 198.18.4.4 "type: file, path: $scratch/file-else" "down neither up nor down: \"downstairs\""
	row file-missing 198.18.4.4 "type: file, path: $scratch/none" "down No such file or directory"
	row file-directory 198.18.4.4 "type: file, path: $scratch" "unknown not a regular file"
	: >"$scratch/file-empty-m-198.18.4.4"
	echo "up since noon" >"$scratch/file-up"
	printf 'down: maintenance\nsecond line\n' >"$scratch/file-down"
	echo downstairs >"$scratch/file-else"
}

rows_judge()
{
	for i in "${!names[@]}"; do
		same "${names[i]}: ${expected[i]}" "${expected[i]}" "$(sed -n "s|^member ${names[i]}/m ||p" "$1")"
	done
}

table()
{
	local status=0

	rows_tcp
	rows_http
	rows_https
	rows_dns
	rows_others
	config >"$scratch/table.yaml"
	$sanitized "$scratch/table.yaml" 3.5 >"$scratch/table.out" 2>"$scratch/table.log" || status=$?
	same "the table of checks ran to its end" 0 $status
	[ $status -eq 0 ] || note "$(grep -v '^<' "$scratch/table.log" | tail -n 40)"
	rows_judge "$scratch/table.out"
	contains "what cannot be checked is said once" "$(grep -c 'exec-missing.*could not be run' "$scratch/table.log")" 1
	same "no program of a check that timed out is left" "" "$(pgrep -a sleep)"
}

# -- ICMP by the other rights --

icmp_once()
{
	checks='' pools='' names=() expected=()
	row ping 198.18.4.4 "type: icmp" ''
	row ping-6 fd00:ec5::1 "type: icmp" ''
	config >"$scratch/icmp.yaml"
	"$@" $sanitized "$scratch/icmp.yaml" 1 2>&1 | sed -n 's/^member //p'
}

icmp()
{
	local without=(setpriv --bounding-set=-net_raw) why

	why="unknown no ICMP: give CAP_NET_RAW, or the group in net.ipv4.ping_group_range"
	same "no rights: ICMP cannot be, and says what it needs" "ping/m $why"$'\n'"ping-6/m $why" "$(icmp_once "${without[@]}")"
	echo "0 0" >/proc/sys/net/ipv4/ping_group_range
	same "ping sockets do without CAP_NET_RAW" "ping/m up ok"$'\n'"ping-6/m up ok" "$(icmp_once "${without[@]}")"
	echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all
	contains "a host that answers no echo is down" "$(icmp_once)" "ping/m down timed out after 400 ms"
	echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_all
}

# -- stories --

# OPTIONS-OF-SERVER SECONDS: three members of one server and one that flaps, in the background
story_begin()
{
	checks="  web: {type: http, interval: 300ms, timeout: 200ms, rise: 2, fall: 2}"$'\n'
	pools="  web: {check: web, members: [{name: a, address: 198.18.2.1}, {name: b, address: 198.18.2.2},"$'\n'
	pools+="                             {name: c, address: 198.18.2.3}]}"$'\n'
	config "$1" >"$scratch/story.yaml"
	$sanitized "$scratch/story.yaml" "$2" >"$scratch/story.out" 2>"$scratch/story.log" &
	story=$!
}

story_said()
{
	await grep -qE "$1" "$scratch/story.out"
}

outage()
{
	kill "$(<"$scratch/nginx.id")"
	wait "$(<"$scratch/nginx.id")"
}

holding()
{
	story_begin "" 8
	sleep 1
	outage
	check "every check fails: it holds, and says so" story_said "^held [0-9]* yes"
	contains "  in the log, too" "$(<"$scratch/story.log")" "every check fails, as if this host's own network were gone"
	sleep 2
	nginx_start
	check "  until one succeeds" story_said "^held [0-9]* no"
	wait $story
	same "  and no verdict has changed" "" "$(grep ^change "$scratch/story.out")"

	story_begin ", health: {hold_when_all_fail: false}" 5
	sleep 1
	outage
	await grep -q "c down" "$scratch/story.out"
	nginx_start
	wait $story
	same "told otherwise, all fall and rise again" "web/a down web/a up web/b down web/b up web/c down web/c up" \
		"$(sed -n 's/^change [0-9]* \([^ ]* [^ ]*\).*/\1/p' "$scratch/story.out" | sort | xargs)"
}

flapping()
{
	local flips

	checks="  damped: {type: http, port: 1005, interval: 200ms, rise: 2, fall: 2}"$'\n'
	pools="  damped: {check: damped, members: [{name: m, address: 198.18.1.1}]}"$'\n'
	config >"$scratch/flap.yaml"
	$sanitized "$scratch/flap.yaml" 3 >"$scratch/flap.out" 2>/dev/null
	flips=$(grep -c ^change "$scratch/flap.out")
	check "a flapping server does not flap with rise 2 and fall 2: $flips changes" [ "$flips" -le 1 ]
	sed -i 's/rise: 2, fall: 2/rise: 1, fall: 1/' "$scratch/flap.yaml"
	$sanitized "$scratch/flap.yaml" 3 >"$scratch/flap.out" 2>/dev/null
	flips=$(grep -c ^change "$scratch/flap.out")
	check "  and does with 1 and 1: $flips changes" [ "$flips" -ge 8 ]
}

# A hundred members, each twice a second, for five seconds.
rhythm()
{
	local started

	checks="  web: {type: tcp, port: 80, interval: 500ms}"$'\n'
	pools="  web:"$'\n'"    check: web"$'\n'"    members:"$'\n'
	for i in $(seq 100); do
		pools+="    - {name: m$i, address: 198.18.7.$i}"$'\n'
	done
	config >"$scratch/rhythm.yaml"
	$sanitized --quiet "$scratch/rhythm.yaml" 5 >"$scratch/rhythm.out" 2>&1
	started=$(grep -o "started=[0-9]*" "$scratch/rhythm.out" | cut -d= -f2)
	check "a check is run once an interval: 100 of 500 ms ran $started times in 5 s" \
		[ "$started" -ge 900 -a "$started" -le 1100 ]
	check "  and they are spread: $(grep -o "running_most=[0-9]*" "$scratch/rhythm.out") of 100" \
		[ "$(grep -o "running_most=[0-9]*" "$scratch/rhythm.out" | cut -d= -f2)" -le 25 ]
}

# Pushes come faster than a check takes: a member that hangs falls all the same.
pushes()
{
	local pid status=0

	checks="  slow: {type: http, port: 1000, interval: 1s, timeout: 900ms, rise: 1, fall: 2}"$'\n'
	checks+="  quick: {type: tcp, port: 80, interval: 300ms, fall: 1}"$'\n'
	pools="  slow: {check: slow, members: [{name: m, address: 198.18.1.1}]}"$'\n'
	pools+="  quick: {check: quick, members: [{name: m, address: 198.18.2.1}]}"$'\n'
	config >"$scratch/push.yaml"
	$sanitized "$scratch/push.yaml" 5 >"$scratch/push.out" 2>"$scratch/push.log" &
	pid=$!
	for i in $(seq 20); do
		sleep 0.2
		# members come and go beside, so that numbers change
		[ $((i % 2)) -eq 0 ] ||
			sed -i '/^pools/a\  p'"$i"': {check: quick, members: [{name: m, address: 198.18.5.1}]}' "$scratch/push.yaml"
		kill -HUP $pid
	done
	wait $pid || status=$?
	same "twenty pushes in four seconds, under sanitizers" "0 20" "$status $(grep -c ^loaded "$scratch/push.out")"
	contains "a check that takes longer than from push to push ends all the same" "$(<"$scratch/push.out")" \
		"member slow/m down timed out after 900 ms"
	same "  and its member changed once" 1 "$(grep -c "^change.*slow/m" "$scratch/push.out")"
	contains "members that were added are checked" "$(<"$scratch/push.out")" "member p19/m up ok"
}

# The process stands still for three seconds: what its checks waited for has long come.
standstill()
{
	local pid

	checks="  slow: {type: dns, port: 1054, query: www.example.com, interval: 1s, timeout: 1s, rise: 1, fall: 1}"$'\n'
	checks+="  web: {type: http, interval: 300ms, timeout: 200ms, rise: 1, fall: 1}"$'\n'
	pools="  slow: {check: slow, members: [{name: m, address: 198.18.1.1}]}"$'\n'
	pools+="  web: {check: web, members: [{name: m, address: 198.18.2.1}]}"$'\n'
	config ", health: {hold_when_all_fail: false}" >"$scratch/still.yaml"
	$sanitized "$scratch/still.yaml" 8 >"$scratch/still.out" 2>"$scratch/still.log" &
	pid=$!
	sleep 2.1
	kill -STOP $pid
	sleep 3
	kill -CONT $pid
	wait $pid
	same "a controller that stood still blames nobody" "" "$(grep ^change "$scratch/still.out")"
	contains "  and goes on" "$(<"$scratch/still.out")" " timeout=0 "
}

restart()
{
	checks="  web: {type: tcp, port: 81, interval: 300ms, rise: 2, fall: 1}"$'\n'
	pools="  web: {check: web, members: [{name: m, address: 198.18.2.1}]}"$'\n'
	config >"$scratch/restart.yaml"
	$sanitized --state "$scratch/state" "$scratch/restart.yaml" 1 >"$scratch/restart.out" 2>&1
	contains "a member is down" "$(<"$scratch/restart.out")" "member web/m down connection refused"
	$sanitized --state "$scratch/state" "$scratch/restart.yaml" 0 >"$scratch/restart.out" 2>&1
	contains "after a restart it is, before any check" "$(<"$scratch/restart.out")" "member web/m down connection refused"
	sed -i 's/port: 81/port: 80/' "$scratch/restart.yaml"
	$sanitized --state "$scratch/state" "$scratch/restart.yaml" 1 >"$scratch/restart.out" 2>&1
	same "  and a restart is no reason to judge by fewer results: the second of \`rise: 2\` decides" 1 \
		"$(awk '/^change .*web\/m up ok/ && $2 >= 140' "$scratch/restart.out" | wc -l)"
	same "  of which the file tells, and of what was before" "down up" \
		"$(jq -r '.members[0].changes[].state' "$scratch/state/health.json" | xargs)"
	sed -i 's/port: 80/port: 81/; s/fall: 1/fall: 4/' "$scratch/restart.yaml"
	$sanitized --state "$scratch/state" "$scratch/restart.yaml" 0.4 >"$scratch/restart.out" 2>&1
	contains "  nor is one failure after the next" "$(<"$scratch/restart.out")" "member web/m up connection refused"
	echo '{"version": 1, "members": [{}]}' >"$scratch/state/health.json"
	refuse "a spoilt file is refused by name" "health.json: error: member 0: expected its pool, member" \
		$sanitized --state "$scratch/state" "$scratch/restart.yaml" 0
}

# A new member may fail while it starts up; one whose time is over may not.
graces()
{
	checks="  starts: {type: tcp, port: 81, interval: 200ms, fall: 2, grace: 700ms}"$'\n'
	checks+="  at_once: {type: tcp, port: 81, interval: 200ms, fall: 2}"$'\n'
	pools="  starts: {check: starts, members: [{name: m, address: 198.18.2.1}]}"$'\n'
	pools+="  at_once: {check: at_once, members: [{name: m, address: 198.18.2.1}]}"$'\n'
	checks+="  stops: {type: file, path: $scratch/stops, interval: 200ms, fall: 2, grace: 1h}"$'\n'
	pools+="  stops: {check: stops, members: [{name: m, address: 198.18.2.1}]}"$'\n'
	config ", health: {hold_when_all_fail: false}" >"$scratch/grace.yaml"
	touch "$scratch/stops"
	{ sleep 0.5; rm "$scratch/stops"; } &
	$sanitized "$scratch/grace.yaml" 1.5 >"$scratch/grace.out" 2>&1
	wait $!
	same "without grace the first failure takes a new member down" 1 \
		"$(awk '/^change .*at_once\/m down/ && $2 < 150' "$scratch/grace.out" | wc -l)"
	same "in its grace it does not, after it the next one does" 1 \
		"$(awk '/^change .*starts\/m down connection refused/ && $2 >= 700 && $2 < 1200' "$scratch/grace.out" | wc -l)"
	contains "which ends with the first success" "$(<"$scratch/grace.out")" "member stops/m down"
	sed -i 's/port: 81/port: 80/' "$scratch/grace.yaml"
	$sanitized "$scratch/grace.yaml" 0.4 >"$scratch/grace.out" 2>&1
	contains "and a success counts at once" "$(<"$scratch/grace.out")" "member starts/m up ok"
}

# -- load --

# NAME SECONDS CHECK [OPTIONS-OF-SERVER]: ten thousand members, each with an address of its own; every 5 s, if not said
load()
{
	local name=$1 seconds=$2
	checks="  many: {timeout: 2s, $3}"$'\n'

	pools="$(seq 0 9999 | awk '{ if ($1 % 100 == 0) printf "  p%d:\n    check: many\n    members:\n", $1
		printf "    - {name: m%d, address: 198.19.%d.%d}\n", $1, $1 / 250, $1 % 250 + 1 }')"$'\n'
	config "${4-}" >"$scratch/load.yaml"
	$plain --quiet "$scratch/load.yaml" "$seconds" >"$scratch/load.out" 2>"$scratch/load.log"
	note "$name: $(grep ^figures "$scratch/load.out")"
}

figure()
{
	grep -o " $1=[0-9.]*" "$scratch/load.out" | cut -d= -f2
}

# NAME LEAST: so many ended, on less than a core
load_judge()
{
	check "$1: $(figure ended) ended, at least $2" [ "$(figure ended)" -ge "$2" ]
	check "$1: on less than one core: $(figure cpu_per_second) s a second" \
		awk "BEGIN { exit !($(figure cpu_per_second) < 1) }"
	check "$1: $(figure files_most) files were open at most, allowed are 2 for each of $(figure max_running)" \
		[ "$(figure files_most)" -le $(($(figure max_running) * 2 + 64)) ]
	check "$1: $(figure running_most) ran at once, of $(figure max_running) allowed" \
		[ "$(figure running_most)" -le "$(figure max_running)" ]
}

# 2,000 a second from the first round on.
loads()
{
	load "10,000 TCP checks every 5 s" 12 "type: tcp, port: 80"
	load_judge tcp 20000
	same "tcp: every one succeeded" "$(figure ended)" "$(figure ok)"
	if [ -n "${ECSDNS_LONG:-}" ]; then
		other_loads
	else
		note "10,000 checks of other types, and of silent servers: make check-long"
	fi
}

other_loads()
{
	load "10,000 HTTP checks every 5 s" 12 "type: http, body: well"
	load_judge http 20000
	same "http: every one succeeded" "$(figure ended)" "$(figure ok)"
	load "10,000 HTTPS checks every 20 s" 25 "type: https, host: www.example.com, ca_file: $scratch/ca.pem, interval: 20s" \
		", health: {max_running: 100}"
	load_judge https 10000
	same "https: every one succeeded" "$(figure ended)" "$(figure ok)"
	load "10,000 DNS checks of which none is answered" 12 "type: dns, port: 1999, query: a.example"
	load_judge dns 19000
	load "10,000 checks, at most 200 at once, that all time out" 8 "type: dns, port: 1998, query: a.example" \
		", health: {max_running: 200}"
	load_judge bounded 600
	same "bounded: no more than 200 ran at once" 200 "$(figure running_most)"
	check "bounded: the others waited, $(figure queued_most) at most" [ "$(figure queued_most)" -gt 5000 ]
}

# Programs that hang, of which twelve are due at once and two may run; a socket does not wait for them.
programs()
{
	local most=0 now pid

	checks="  hang: {type: exec, command: [/bin/sleep, 1001], interval: 1s, timeout: 900ms}"$'\n'
	checks+="  web: {type: tcp, port: 80, interval: 300ms}"$'\n'
	pools="  web: {check: web, members: [{name: m, address: 198.18.2.1}]}"$'\n'
	pools+="  hang:"$'\n'"    check: hang"$'\n'"    members:"$'\n'
	for i in $(seq 12); do
		pools+="    - {name: m$i, address: 198.18.6.$i}"$'\n'
	done
	config ", health: {max_programs: 2}" >"$scratch/programs.yaml"
	$sanitized "$scratch/programs.yaml" 4 >"$scratch/programs.out" 2>/dev/null &
	pid=$!
	for i in $(seq 30); do
		now=$(pgrep -cf "^/bin/sleep 1001")
		[ "$now" -le "$most" ] || most=$now
		sleep 0.1
	done
	wait $pid
	same "no more programs run at once than may" 2 "$most"
	check "  and others go on beside them" [ "$(grep -o " ok=[0-9]*" "$scratch/programs.out" | cut -d= -f2)" -ge 11 ]
	same "  and none is left" "" "$(pgrep -f "^/bin/sleep 1001")"
}

# A name server that says nothing, on every address.
silent_everywhere()
{
	/usr/bin/python3 -c '
import socket, time
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("0.0.0.0", 1999))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.bind(("0.0.0.0", 1998))
time.sleep(3600)' &
	await ss -lnuH "sport = 1999"
}

servers_start
same "the servers start" 0 $?
[ $tap_failed -eq 0 ] || { note "$(tail -n 5 "$scratch"/*.log "$scratch"/knot/log)"; finish; exit 1; }
table
icmp
holding
flapping
rhythm
pushes
standstill
restart
graces
programs
silent_everywhere
loads
finish
