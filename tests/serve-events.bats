#!/usr/bin/env bats
# ev-serve: events as pages and as streams. Nobody misses one, nobody gets one
# twice, and both ways choose as ev-cat does.

load helper
load serve

teardown() {
	serve_stop
}

# Asks for JSON: PATH [CURL-OPTION...]; "-d NAME=VALUE" is a parameter.
api() {
	curl -sSG --max-time 60 "${@:2}" "$url/api/$1"
}

# The same, with the status on a line of its own behind the body.
ask() {
	api "$@" -w '\n%{http_code}\n'
}

# A stream as it comes, until it ends: [CURL-OPTION...]. In a pipe, a
# substitution or the background only: killing it is killing curl.
stream() {
	exec curl -sSNG --max-time 60 -H 'Accept: text/event-stream' "$@" \
		"$url/api/v1/events"
}

# Its events' lines; what the server itself says has a small letter.
events() {
	awk '/^event: / { event = substr($0, 8) }
		/^data: / && event ~ /^[A-Z]/ { print substr($0, 7) }'
}

# What it said last, and of which position.
farewell() {
	awk '/^event: / { event = substr($0, 8) }
		/^data: / { data = substr($0, 7) }
		END { print event, data }' "$1" |
		sed 's/{"position":\([0-9]*\),"head":.*/\1/'
}

# Every page of a question: LIMIT [CURL-OPTION...]
pages() {
	local limit=$1 more="" page next
	shift
	while :; do
		# shellcheck disable=SC2086 # nothing, or one option
		page=$(api v1/events -d "limit=$limit" "$@" $more) || return
		jq -c '.events[]' <<<"$page"
		next=$(jq -r .next <<<"$page")
		[ "$next" != null ] || return 0
		case " $* " in
		*' reverse='*) more="-d to=$next" ;;
		*) more="-d after=$next" ;;
		esac
	done
}

# Waits until a condition holds, which is a command.
await() {
	timeout 60 bash -c 'until eval "$1"; do sleep 0.02; done' await "$1"
}

# $1 events with a number each, from $2 on.
beats() {
	seq -f '{"type":"HEARTBEAT","agentId":"a","n":%.0f}' \
		"$((${2:-0} + 1))" "$((${2:-0} + $1))"
}

# A log with everything that can be chosen by, $total events of it.
variety() {
	for n in 1 2 3 4 5 6 7 8 9 10; do
		cat <<-END
		{"type":"HEARTBEAT","agentId":"agent-$((n % 3))","n":$n}
		{"type":"PR_CREATED","repo":"acme/app","issueNumber":$n,"prNumber":$n,"branch":"b","agentId":"a-$n","actor":"carol"}
		{"type":"CI_FAILED","repo":"acme/app","issueNumber":$n,"prNumber":$n,"correlationId":"c-$((n % 4))","causationId":"e-$((n % 2))"}
		{"type":"CI_PASSED","repo":"acme/lib","issueNumber":$n,"prNumber":$n,"actor":"bob \"b\" é"}
		{"specversion":"1.0","id":"s-$n","source":"urn:x","type":"ev.rig.HEARTBEAT","subject":"agent-x","data":{"agentId":"agent-x"},"priority":"urgent"}
		END
	done | ev-append -q
	total=$(ev-cat --count)
}

# The same question to ev-cat, page by page and as a stream.
same() { # [NAME VALUE]...
	local options=() parameters=()
	while [ $# -gt 0 ]; do
		options+=("--$1" "$2")
		parameters+=(--data-urlencode "$1=$2")
		shift 2
	done
	run ev-cat "${options[@]}"
	[ "$status" -le 1 ]
	[ "$(pages 17 "${parameters[@]}")" = "$output" ] || {
		echo "page: ${options[*]}"
		return 1
	}
	case " ${options[*]} " in
	*' --to '*) ;;
	*) parameters+=(-d to="$total") ;;
	esac
	case " ${options[*]} " in
	*' --from '* | *' --since '*) ;;
	*) parameters+=(-d after=0) ;;
	esac
	[ "$(stream "${parameters[@]}" | events)" = "$output" ] || {
		echo "stream: ${options[*]}"
		return 1
	}
}

# ---- pages

@test "every way to choose events is ev-cat's" {
	variety
	serve_start
	same
	same stream acme/app#3
	same stream acme/app#3 stream acme/lib#4
	same stream nobody
	same stream-prefix acme/
	same stream-prefix agent- stream-prefix acme/l
	same type CI_FAILED
	same type ci-passed type heartbeat
	same catalog rig
	same category ci
	same category health category ci
	same topic 'rig.ci.>'
	same topic 'rig.*.acme_2Flib.>'
	same actor 'bob "b" é'
	same actor carol actor nobody
	same correlation c-2
	same causation e-1
	same min-priority urgent
	same min-priority action
	same since 1h
	same until 1h
	same until 2999-01-01
	same from 7
	same to 9
	same from 11 to 13
	same from 0
	same from-version 2
	same to-version 0
}

@test "conditions may be combined" {
	variety
	serve_start
	local ways=(stream-prefix acme type CI_FAILED category ci from 5 to 40
		correlation c-1 min-priority action from-version 1)
	for ((a = 0; a < ${#ways[@]}; a += 2)); do
		for ((b = a + 2; b < ${#ways[@]}; b += 2)); do
			same "${ways[@]:a:2}" "${ways[@]:b:2}"
		done
	done
	same "${ways[@]}"
	same stream acme/app#3 type CI_FAILED type PR_CREATED actor carol
}

@test "pages of any size are the whole, forwards and backwards" {
	variety
	serve_start
	for limit in 4 25 1000; do
		[ "$(pages "$limit")" = "$(ev-cat)" ]
		[ "$(pages "$limit" -d reverse=)" = "$(ev-cat --reverse)" ]
	done
	[ "$(pages 1 -d reverse=1 -d type=CI_FAILED)" = \
		"$(ev-cat --reverse --type CI_FAILED)" ]
	[ "$(api v1/events | jq -c '[.next, .head, (.events | length)]')" = \
		"[null,$total,$total]" ]
	[ "$(api v1/events -d limit=10 | jq -c '[.next, .head]')" = \
		"[10,$total]" ]
	[ "$(api v1/events -d after="$total" | jq -c .)" = \
		"{\"events\":[],\"next\":null,\"head\":$total}" ]
	[ "$(api v1/events -d after=9223372036854775806 | jq -c .next)" = null ]
}

@test "forms are ev-cat's" {
	variety
	serve_start
	for form in canonical native cloudevents; do
		[ "$(pages 20 -d format=$form)" = "$(ev-cat -f $form)" ]
		[ "$(pages 20 -d format=$form -d raw=)" = \
			"$(ev-cat -f $form --raw)" ]
		[ "$(stream -d after=0 -d to="$total" -d format=$form | events)" = \
			"$(ev-cat -f $form)" ]
		[ "$(api v1/events/3 -d format=$form)" = \
			"$(ev-cat -f $form --from 3 --to 3)" ]
	done
}

# A catalog of which events have version $1.
shop() {
	mkdir -p "$BATS_TEST_TMPDIR/schemas"
	export EV_SCHEMAS=$BATS_TEST_TMPDIR/schemas
	{
		cat <<-'END'
		catalog: shop
		stream: "order-{order}"
		types:
		  ORDERED:
		END
		if [ "$1" = 1 ]; then
			cat <<-'END'
			    payload:
			      required: [order, cents]
			      properties:
			        order: {type: integer}
			        cents: {type: integer}
			END
		else
			cat <<-'END'
			    version: 2
			    payload:
			      required: [order, amount]
			      properties:
			        order: {type: integer}
			        amount: {type: integer}
			    upcast:
			      1:
			        - rename: {cents: amount}
			END
		fi
	} >"$EV_SCHEMAS/shop.yaml"
}

@test "what is stored in an older version is brought up to date unless raw" {
	shop 1
	ev-append -q ORDERED order:=1 cents:=5
	ev-append -q ORDERED order:=2 cents:=6
	shop 2
	[ "$(ev-cat | jq -c .data | head -n 1)" = '{"order":1,"amount":5}' ]
	serve_start
	[ "$(pages 1)" = "$(ev-cat)" ]
	[ "$(pages 1 -d raw=1)" = "$(ev-cat --raw)" ]
	[ "$(api v1/events/2)" = "$(ev-cat --from 2)" ]
	[ "$(api events/stream -d id=order-1 | jq -c '.[]')" = \
		"$(ev-cat -s order-1)" ]
	for after in 0 1; do
		[ "$(stream -d after=$after -d to=2 | events)" = \
			"$(ev-cat --from $((after + 1)))" ]
		[ "$(stream -d after=$after -d to=2 -d raw= | events)" = \
			"$(ev-cat --from $((after + 1)) --raw)" ]
	done
}

@test "streams learn of a new version while they run" {
	shop 1
	serve_start
	stream -d to=2 >"$BATS_TEST_TMPDIR/out" &
	await "grep -q '^: after' '$BATS_TEST_TMPDIR/out'"
	ev-append -q ORDERED order:=1 cents:=5
	await "grep -q '^id: 1' '$BATS_TEST_TMPDIR/out'"
	shop 2
	ev-append -q ORDERED order:=2 amount:=6
	wait $!
	[ "$(events <"$BATS_TEST_TMPDIR/out" | jq -c .data | tr '\n' ' ')" = \
		'{"order":1,"cents":5} {"order":2,"amount":6} ' ]
	[ "$(stream -d after=0 -d to=2 | events)" = "$(ev-cat)" ]
}

@test "an empty log, and none at all" {
	serve_start
	[ "$(api v1/events)" = '{"events":[],"next":null,"head":0}' ]
	[ "$(api v1/head)" = '{"position":0,"recordedAt":null}' ]
	[ "$(ask v1/events/1 | tail -n 1)" = 404 ]
	[ "$(ask events/stream -d id=a | tail -n 1)" = 404 ]
	stream -d after=0 -d to=1 >"$BATS_TEST_TMPDIR/out" &
	ev-append -q HEARTBEAT agentId=a
	wait $!
	[ "$(events <"$BATS_TEST_TMPDIR/out")" = "$(ev-cat)" ]
	[ "$(api v1/events | jq .head)" = 1 ]
}

@test "what is misspelt or wrong is refused in one line" {
	variety
	serve_start
	for query in strem=a limit=0 limit=1001 limit=x after=-1 after=x from=x \
		format=table format=x raw=maybe type=NOPE category=nope \
		catalog=nope topic=a..b since=yesterday min-priority=loud \
		stream= stream=%00 reverse=2; do
		run -0 curl -sS -w '\n%{http_code}' \
			"$url/api/v1/events?$query"
		[ "${lines[-1]}" = 400 ]
		[ "$(jq -r .error <<<"${lines[0]}" | wc -l)" = 1 ]
		[ "$(jq -r .code <<<"${lines[0]}")" = bad-request ]
	done
	for query in limit=5 reverse= after=x nope=1 type=NOPE; do
		run -0 stream -w '\n%{http_code}' -d "$query"
		[ "${lines[-1]}" = 400 ]
	done
	run -0 stream -w '\n%{http_code}' -H 'Last-Event-ID: x'
	[ "${lines[-1]}" = 400 ]
}

@test "one event by its position" {
	variety
	serve_start
	[ "$(api v1/events/4)" = "$(ev-cat --from 4 --to 4)" ]
	[ "$(ask v1/events/999 | tail -n 1)" = 404 ]
	[ "$(ask v1/events/0 | tail -n 1)" = 404 ]
	[ "$(ask v1/events/x | tail -n 1)" = 400 ]
	[ "$(ask v1/events/4 -d x= | tail -n 1)" = 400 ]
}

@test "the head, now and at a time" {
	variety
	serve_start
	[ "$(api v1/head)" = "$(ev-cat --reverse -n 1 |
		jq -c '{position, recordedAt}')" ]
	time=$(ev-cat --from 7 --to 7 | jq -r .recordedAt)
	[ "$(api v1/head -d time="$time")" = \
		"$(ev-cat --reverse --until "$time" -n 1 |
			jq -c '{position, recordedAt}')" ]
	[ "$(api v1/head -d time=2000-01-01)" = \
		'{"position":0,"recordedAt":null}' ]
	[ "$(ask v1/head -d time=soon | tail -n 1)" = 400 ]
}

@test "a stream's events, and what its version is" {
	beats 25 | ev-append -q
	serve_start
	local head=$BATS_TEST_TMPDIR/head
	[ "$(api events/stream -d id=a -D "$head" | jq -c '.[]')" = \
		"$(ev-cat -s a)" ]
	grep -qi '^etag: "24"' "$head"
	run ! grep -i '^link:' "$head"
	[ "$(api events/stream -d id=a -d limit=10 -d from-version=3 -D "$head" |
		jq -c '[.[].version]')" = '[3,4,5,6,7,8,9,10,11,12]' ]
	grep -qi '^link: </api/events/stream?id=a&from-version=13&limit=10>; rel="next"' "$head"
	[ "$(api events/stream -d id=a -d from-version=30)" = '[]' ]
	[ "$(ask events/stream -d id=b | tail -n 1)" = 404 ]
	[ "$(ask events/stream | tail -n 1)" = 400 ]
	[ "$(ask events/stream -d id=a -d limit=10001 | tail -n 1)" = 400 ]
	# the same again costs nothing
	[ "$(ask events/stream -d id=a -H 'If-None-Match: "24"' |
		tail -n 1)" = 304 ]
}

# ---- streams

@test "from the beginning, from a place, and from now on" {
	variety
	serve_start
	[ "$(stream -d after=0 -d to="$total" | events)" = "$(ev-cat)" ]
	[ "$(stream -d after=20 -d to="$total" | events)" = "$(ev-cat --from 21)" ]
	[ "$(stream -d from=21 -d to="$total" | events)" = "$(ev-cat --from 21)" ]
	[ "$(stream -H 'Last-Event-ID: 30' -d after=5 -d to="$total" | events)" = \
		"$(ev-cat --from 31)" ]
	stream -d to=$((total + 1)) >"$BATS_TEST_TMPDIR/out" &
	await "grep -q '^: after position $total' '$BATS_TEST_TMPDIR/out'"
	ev-append -q HEARTBEAT agentId=z
	wait $!
	[ "$(events <"$BATS_TEST_TMPDIR/out")" = "$(ev-cat --from $((total + 1)))" ]
	[ "$(farewell "$BATS_TEST_TMPDIR/out")" = "end $((total + 1))" ]
}

@test "the first event is out at once, not with the next" {
	serve_start --heartbeat 60
	stream >"$BATS_TEST_TMPDIR/out" &
	reader=$!
	await "grep -q '^: after' '$BATS_TEST_TMPDIR/out'"
	for n in 1 2 3; do
		ev-append -q HEARTBEAT agentId=a
		await "grep -q '^id: $n' '$BATS_TEST_TMPDIR/out'"
	done
	kill $reader
	wait $reader || true
}

@test "a stream resumes across a restart and beyond what is in memory" {
	export EV_LIVE_EVENTS=8
	beats 100 | ev-append -q
	serve_start
	stream -d after=0 -d to=60 | events >"$BATS_TEST_TMPDIR/out"
	serve_stop
	beats 100 100 | ev-append -q
	serve_start
	stream -H 'Last-Event-ID: 60' -d to=150 | events >>"$BATS_TEST_TMPDIR/out"
	beats 100 200 | ev-append -q
	# the newest are in memory, those before are not
	stream -H 'Last-Event-ID: 150' -d to=300 | events >>"$BATS_TEST_TMPDIR/out"
	ev-cat | cmp - "$BATS_TEST_TMPDIR/out"
}

@test "at the server's end every reader is told, and loses nothing" {
	beats 10 | ev-append -q
	serve_start
	local readers=()
	for i in 1 2 3; do
		stream -d after=0 >"$BATS_TEST_TMPDIR/out$i" &
		readers+=($!)
	done
	await "[ \$(cat '$BATS_TEST_TMPDIR'/out? | grep -c '^id: 10') = 3 ]"
	serve_stop
	wait "${readers[@]}"
	for i in 1 2 3; do
		[ "$(farewell "$BATS_TEST_TMPDIR/out$i")" = 'bye 10' ]
		[ "$(events <"$BATS_TEST_TMPDIR/out$i")" = "$(ev-cat)" ]
	done
}

# 4 ev-appends and 4 clients write 4 × 250 and 4 × 50 events.
storm() {
	local writers=()
	for w in 1 2 3 4; do
		seq -f '{"type":"HEARTBEAT","agentId":"w'$w'","n":%.0f}' 250 |
			while read -r line; do
				printf '%s\n' "$line"
			done | ev-append -q &
		writers+=($!)
		for n in $(seq 50); do
			curl -sSf -o "$BATS_TEST_TMPDIR/receipt$w" \
				-H 'Content-Type: application/json' -d \
				"{\"type\":\"HEARTBEAT\",\"agentId\":\"p$w\",\"n\":$n}" \
				"$url/api/events" || exit 1
		done &
		writers+=($!)
	done
	wait "${writers[@]}"
}

@test "twenty readers of a storm: each gets exactly the log" {
	serve_start
	local readers=()
	for i in $(seq 20); do
		if [ $((i % 2)) = 0 ]; then
			stream -d after=0 -d to=1200 | events
		else
			stream -d after=0 -d to=1200 -d stream-prefix=w | events
		fi >"$BATS_TEST_TMPDIR/out$i" &
		readers+=($!)
	done
	storm
	wait "${readers[@]}"
	[ "$(ev-cat --count)" = 1200 ]
	for i in $(seq 20); do
		if [ $((i % 2)) = 0 ]; then
			ev-cat
		else
			ev-cat --stream-prefix w
		fi | cmp - "$BATS_TEST_TMPDIR/out$i"
	done
}

@test "a storm beyond what is in memory: each gets exactly the log" {
	export EV_LIVE_EVENTS=4
	serve_start
	local readers=()
	for i in $(seq 20); do
		stream -d after=0 -d to=1200 | events >"$BATS_TEST_TMPDIR/out$i" &
		readers+=($!)
	done
	storm
	wait "${readers[@]}"
	for i in $(seq 20); do
		ev-cat | cmp - "$BATS_TEST_TMPDIR/out$i"
	done
}

# Opens a stream by hand, as descriptor 7, and takes its beginning: PATH
open_slowly() {
	local line
	exec 7<>"/dev/tcp/127.0.0.1/${url##*:}"
	printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n%s\r\n\r\n' "$1" \
		'Accept: text/event-stream' >&7
	while read -r line <&7; do
		[[ $line != ': after'* ]] || return 0
	done
	return 1
}

# 16 MB of events, more than the kernel keeps for a reader that takes none.
flood() {
	local pad
	pad=$(printf '%01000d' 0)
	seq -f '{"type":"HEARTBEAT","agentId":"f","n":%.0f,"pad":"'"$pad"'"}' \
		16000 | ev-append -q
}

@test "a slow reader is told and cut, and resumes without loss" {
	export EV_LIVE_EVENTS=64 EV_LIVE_MS=0
	serve_start
	open_slowly /api/v1/events
	ev-append -q HEARTBEAT agentId=a
	local line
	while read -r line <&7 && [[ $line != 'id: 1' ]]; do :; done
	flood
	{
		echo 'id: 1'
		cat <&7
	} >"$BATS_TEST_TMPDIR/out"
	exec 7>&-
	events <"$BATS_TEST_TMPDIR/out" >"$BATS_TEST_TMPDIR/events"
	local got
	got=$(wc -l <"$BATS_TEST_TMPDIR/events")
	[ "$got" -lt 16001 ]
	[ "$(farewell "$BATS_TEST_TMPDIR/out")" = "lagging $got" ]
	stream -H "Last-Event-ID: $got" -d to=16001 | events \
		>>"$BATS_TEST_TMPDIR/events"
	ev-cat | cmp - "$BATS_TEST_TMPDIR/events"
}

@test "a reader that stops reading holds nobody up" {
	export EV_LIVE_EVENTS=64
	ev-append -q HEARTBEAT agentId=a
	serve_start
	open_slowly '/api/v1/events?after=0'
	local readers=()
	for i in 1 2 3; do
		stream -d after=0 -d to=16001 | events \
			>"$BATS_TEST_TMPDIR/out$i" &
		readers+=($!)
	done
	flood
	wait "${readers[@]}"
	for i in 1 2 3; do
		ev-cat | cmp - "$BATS_TEST_TMPDIR/out$i"
	done
	exec 7>&-
}

@test "who is quick is not cut when much comes at once" {
	export EV_LIVE_EVENTS=64
	serve_start
	stream -d to=16000 >"$BATS_TEST_TMPDIR/out" &
	await "grep -q '^: after' '$BATS_TEST_TMPDIR/out'"
	flood
	wait $!
	[ "$(farewell "$BATS_TEST_TMPDIR/out")" = 'end 16000' ]
	events <"$BATS_TEST_TMPDIR/out" | cmp - <(ev-cat)
}

@test "heartbeats come when nothing else does, and say how far it is" {
	beats 3 | ev-append -q
	serve_start --heartbeat 1
	stream -d type=CI_FAILED -d after=0 >"$BATS_TEST_TMPDIR/out" &
	reader=$!
	await "[ \$(grep -c '^: heartbeat 3' '$BATS_TEST_TMPDIR/out') -ge 2 ]"
	[ -z "$(events <"$BATS_TEST_TMPDIR/out")" ]
	beats 2 3 | ev-append -q
	await "grep -q '^: heartbeat 5' '$BATS_TEST_TMPDIR/out'"
	kill $reader
	wait $reader || true
}

@test "hostile texts come through as they are" {
	jq -nc --arg text $'a\ndata: x\r\n\r\nevent: y\u2028\u2029\u0085\u0000<script>\u202e\t\\"\U1F600' '
		range(3) | {type: "HEARTBEAT", agentId: "a", text: $text,
			("data: " + $text): [$text]}' | ev-append -q
	ev-append -q -s $'evil\nid: 99\n\ndata: z' HEARTBEAT agentId=b \
		--actor $'\u2028\ndata: q'
	serve_start
	(stream -d after=0 -d to=4 >"$BATS_TEST_TMPDIR/out")
	events <"$BATS_TEST_TMPDIR/out" | cmp - <(ev-cat)
	# nothing but what the format has
	run ! grep -vE '^(|id: [1-4]|event: HEARTBEAT|event: end|data: \{.*\}|retry: [0-9]+|: .*)$' \
		"$BATS_TEST_TMPDIR/out"
	[ "$(pages 2)" = "$(ev-cat)" ]
}

@test "HTTP/1.0 has streams, too" {
	variety
	serve_start
	[ "$(stream --http1.0 -d after=0 -d to="$total" | events)" = "$(ev-cat)" ]
}

@test "so many streams and no more" {
	beats 1 | ev-append -q
	serve_start --max-streams 2 --heartbeat 1
	for i in 1 2; do
		stream -d after=0 >"$BATS_TEST_TMPDIR/out$i" &
		pids[i]=$!
		await "grep -q '^id: 1' '$BATS_TEST_TMPDIR/out$i'"
	done
	run -0 stream -w '\n%{http_code}' -D "$BATS_TEST_TMPDIR/head"
	[ "${lines[-1]}" = 503 ]
	[ "$(jq -r .code <<<"${lines[0]}")" = busy ]
	grep -qi '^retry-after: 1' "$BATS_TEST_TMPDIR/head"
	# one that leaves makes room, once its heartbeat finds that out
	kill "${pids[1]}"
	export -f stream
	export url
	await "stream -d after=0 -d to=1 | grep -q '^id: 1'"
	kill "${pids[2]}"
	wait "${pids[@]}" || true
}
