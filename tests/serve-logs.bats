#!/usr/bin/env bats
load helper
load serve

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	readers=()
}

teardown() {
	local reader
	for reader in "${readers[@]}"; do
		kill "$reader" 2>/dev/null || :
		wait "$reader" 2>/dev/null || :
	done
	serve_stop
}

# The status goes to $code, the body to $body.
call() { # CURL-ARGUMENT...
	: >body
	code=$(curl -sS -o body -w '%{http_code}' "$@") || return
	body=$(tr -d '\0' <body)
}

post() { # JSON
	call -H 'Content-Type: application/json' --data-binary @- \
		"$url/api/agent-logs" <<<"$1"
}

list() { # QUERY
	call "$url/api/agent-logs?$1"
}

# Server-sent events to a file.
listen() { # FILE QUERY [CURL-ARGUMENT...]
	local file=$1 query=$2
	shift 2
	curl -sSN -H 'Accept: text/event-stream' "$@" \
		"$url/api/agent-logs?$query" >"$file" 2>"$file.err" 3>&- &
	readers+=("$!")
	wait_for "$file" '^: agents'
}

wait_for() { # FILE PATTERN
	local tries=0
	until grep -q -- "$2" "$1"; do
		tries=$((tries + 1))
		[ "$tries" -lt 1000 ] || { cat "$1"; return 1; }
		sleep 0.02
	done
}

messages() { # FILE
	sed -n 's/^data: //p' "$1" | jq -r 'select(.message) | .message'
}

@test "entries come back as they were sent, with what they lacked" {
	serve_start
	post '{"agentId":"flux-1/0","entries":["plain",
		{"message":"whole","level":"warn",
		 "timestamp":"2026-04-21T12:22:00+02:00","tool":"git","n":1.50},
		{"message":"given","data":[1,{"a":null}]},
		{"message":"","level":null,"timestamp":null,"data":null}]}'
	[ "$code" = 200 ]
	[ "$body" = '{"agentId":"flux-1/0","accepted":4,"last":4}' ]
	list agentId=flux-1/0
	[ "$code" = 200 ]
	grep -qF '"n":1.50' body
	jq -e '.next == 4 and ([.entries[].id] == [1,2,3,4])
		and all(.entries[]; .agentId == "flux-1/0")' body
	jq -e '.entries[0] | .message == "plain" and .level == "info"
		and (has("data") | not)
		and (.timestamp | .[:19] + "Z" | fromdate) > now - 600' body
	jq -e '.entries[1] | .level == "warn"
		and .timestamp == "2026-04-21T10:22:00.000000Z"
		and .data == {tool: "git", n: 1.5}' body
	jq -e '.entries[2].data == [1, {a: null}]' body
	jq -e '.entries[3] | .message == "" and .level == "info"
		and (has("data") | not)' body
}

@test "a log is read page by page, by agent and by level" {
	serve_start
	post '{"agentId":"a","entries":["1",{"message":"2","level":"error"},"3"]}'
	post '{"agentId":"b","entries":[{"message":"4","level":"warn"},"5",
		{"message":"6","level":"debug"}]}'
	list ''
	[ "$(jq -r '[.entries[].message] | join("")' body)" = 123456 ]
	list limit=2
	[ "$(jq -c '[[.entries[].message], .next]' body)" = '[["5","6"],6]' ]
	list 'after=0&limit=2'
	[ "$(jq -c '[[.entries[].message], .next]' body)" = '[["1","2"],2]' ]
	list 'after=2&limit=2'
	[ "$(jq -c '[[.entries[].message], .next]' body)" = '[["3","4"],4]' ]
	list 'after=6'
	[ "$body" = '{"entries":[],"next":6}' ]
	list 'agentId=b&after=0&limit=1'
	[ "$(jq -c '[[.entries[].message], .next]' body)" = '[["4"],4]' ]
	list 'level=warn'
	[ "$(jq -c '[[.entries[].message], .next]' body)" = '[["2","4"],6]' ]
	list 'agentId=nobody'
	[ "$body" = '{"entries":[],"next":6}' ]
}

@test "what is wrong is told with its place, and nothing of it is kept" {
	serve_start
	while IFS='|' read -r text path; do
		post "$text"
		[ "$code" = 422 ] || { echo "$text: $code $body"; return 1; }
		jq -e --arg path "$path" '.code == "invalid" and .path == $path
			and .status == 422 and .error == .detail' body ||
			{ echo "$text: $body"; return 1; }
	done <<-'END'
		[]|
		"x"|
		{}|/agentId
		{"agentId":7,"entries":[]}|/agentId
		{"agentId":"","entries":[]}|/agentId
		{"agentId":"a"}|/entries
		{"agentId":"a","entries":"x"}|/entries
		{"agentId":"a","entries":["fine",7]}|/entries/1
		{"agentId":"a","entries":["fine",null]}|/entries/1
		{"agentId":"a","entries":[{}]}|/entries/0/message
		{"agentId":"a","entries":[{"message":null}]}|/entries/0/message
		{"agentId":"a","entries":["fine","fine",{"message":"m","level":"fatal"}]}|/entries/2/level
		{"agentId":"a","entries":[{"message":"m","level":1}]}|/entries/0/level
		{"agentId":"a","entries":[{"message":"m","timestamp":"yesterday"}]}|/entries/0/timestamp
		{"agentId":"a","entries":[{"message":"m","timestamp":1776767000}]}|/entries/0/timestamp
	END
	post '{"agentId":"a","entries":['
	[ "$code" = 400 ]
	jq -e '.code == "not-json"' body
	call -H 'Content-Type: text/plain' -d x "$url/api/agent-logs"
	[ "$code" = 415 ]
	list ''
	[ "$body" = '{"entries":[],"next":0}' ]
}

@test "misspelt and wrong parameters are refused" {
	serve_start
	for query in agent=x limit=0 limit=1001 limit=x after=-1 level=loud; do
		list "$query"
		[ "$code" = 400 ] || { echo "$query: $code"; return 1; }
		jq -e '.code == "bad-request"' body
	done
	call -H 'Accept: text/event-stream' "$url/api/agent-logs?limit=3"
	[ "$code" = 400 ]
	call -H 'Accept: text/event-stream' -H 'Last-Event-ID: x' \
		"$url/api/agent-logs"
	[ "$code" = 400 ]
}

@test "a request may have 1000 entries, a message 64 KiB" {
	serve_start
	post "$(jq -nc '{agentId: "a", entries: [range(1000) | "m\(.)"]}')"
	[ "$code" = 200 ]
	post "$(jq -nc '{agentId: "a", entries: [range(1001) | "m\(.)"]}')"
	[ "$code" = 422 ]
	jq -e '.path == "/entries"' body
	post "$(jq -nc '{agentId: "a", entries: ["x" * 65536]}')"
	[ "$code" = 200 ]
	post "$(jq -nc '{agentId: "a", entries: ["x" * 65537]}')"
	[ "$code" = 422 ]
	jq -e '.path == "/entries/0"' body
	post "$(jq -nc '{agentId: "a", entries: [{message: "", a: ("x" * 65537)}]}')"
	[ "$code" = 422 ]
	list 'limit=1'
	jq -e '.entries[0].id == 1001 and (.entries[0].message | length) == 65536' body
}

@test "a text that means something elsewhere is only a text here" {
	serve_start
	jq -nc '["a\u0000b", "\u0000", "\n\r\nid: 7\ndata: x\n\n", "\"\\",
		"</script><script>alert(1)</script>", "\u001b]52;c;eA==\u0007",
		"‮evil", "\u2028", "😀", "'"'"'; DROP TABLE entry; --"]' >texts
	listen events 'after=0'
	jq -c '{agentId: .[2], entries: .}' texts >sent
	call -H 'Content-Type: application/json' --data-binary @sent \
		"$url/api/agent-logs"
	[ "$code" = 200 ]
	call -G --data-urlencode "agentId=$(jq -j '.[2]' texts; echo x)" \
		"$url/api/agent-logs"
	[ "$(jq '.entries | length' body)" = 0 ]
	jq -j '.[2]' texts >agent
	call -G --data-urlencode agentId@agent "$url/api/agent-logs"
	[ "$(jq -c '[.entries[].message]' body)" = "$(jq -c . texts)" ]
	wait_for events '^id: 10$'
	[ "$(sed -n 's/^data: //p' events | jq -c .message | jq -sc .)" = \
		"$(jq -c . texts)" ]
	[ "$(grep -c '^id: ' events)" = 10 ]
	[ "$(grep -vcE '^(id: [0-9]+|data: \{.*\}|retry: 2000|: .*|)$' events)" = 0 ]
}

@test "a stream gets what is new, as it comes" {
	serve_start
	post '{"agentId":"a","entries":["before"]}'
	listen all ''
	listen some 'agentId=a&level=warn'
	[ "$(head -n 1 all)" = 'retry: 2000' ]
	post '{"agentId":"a","entries":[{"message":"one","level":"error"},"two"]}'
	post '{"agentId":"b","entries":[{"message":"three","level":"error"}]}'
	post '{"agentId":"a","entries":[{"message":"four","level":"warn"}]}'
	wait_for all '^id: 5$'
	wait_for some '^id: 5$'
	[ "$(messages some | tail -n 2 | xargs)" = 'one four' ]
	[ "$(messages all | tail -n 4 | xargs)" = 'one two three four' ]
	run ! grep -q before all
	call -I -H 'Accept: text/event-stream' "$url/api/agent-logs"
	[ "$code" = 200 ]
	call -D headers -m 1 -H 'Accept: text/event-stream' \
		"$url/api/agent-logs" || :
	grep -qi '^content-type: text/event-stream' headers
	grep -qi '^cache-control: no-store' headers
}

@test "who comes back gets what was missed, once, and then what is new" {
	serve_start
	post "$(jq -nc '{agentId: "a", entries: [range(1; 901) | tostring]}')"
	listen first 'after=0'
	wait_for first '^id: 900$'
	listen second 'after=3' -H 'Last-Event-ID: 650'
	wait_for second '^id: 900$'
	post "$(jq -nc '{agentId: "a", entries: [range(901; 1001) | tostring]}')"
	wait_for first '^id: 1000$'
	wait_for second '^id: 1000$'
	cmp <(messages first) <(seq 1000)
	cmp <(messages second) <(seq 651 1000)
	listen third '' -H 'Last-Event-ID: 999999'
	post '{"agentId":"a","entries":["1001"]}'
	wait_for third '^id: 1001$'
	[ "$(messages third)" = 1001 ]
}

@test "many agents at once: each entry is kept once, in one order for all" {
	serve_start
	listen events 'after=0'
	for agent in 1 2 3 4 5 6 7 8; do
		for i in $(seq 1 20); do
			printf '{"agentId":"%s","entries":["%s"]}\n' "$agent" "$i"
		done >"agent$agent"
		while read -r line; do
			curl -sS -o /dev/null -d "$line" \
				-H 'Content-Type: application/json' \
				"$url/api/agent-logs" || exit
		done <"agent$agent" 3>&- &
		pids[agent]=$!
	done
	wait "${pids[@]}"
	wait_for events '^id: 160$'
	list 'after=0&limit=1000'
	cmp <(sed -n 's/^data: //p' events | jq -c .) <(jq -c '.entries[]' body)
	jq -e '[.entries[].id] == [range(1; 161)]' body
	jq -e '[.entries | group_by(.agentId)[] | map(.message | tonumber)]
		| all(. == [range(1; 21)])' body
}

@test "a reader that is too slow is told, and goes on where it was" {
	serve_start
	local port=${url##*:}
	exec 7<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /api/agent-logs?after=0 HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n' >&7
	until call "$url/metrics" && grep -q '^ev_sse_clients 1$' body; do
		sleep 0.02
	done
	jq -nc '{agentId: "a", entries: [range(15) | "x" * 60000]}' >big
	for _ in $(seq 1 40); do
		call -H 'Content-Type: application/json' --data-binary @big \
			"$url/api/agent-logs"
		[ "$code" = 200 ]
	done
	cat <&7 >events
	exec 7>&-
	grep -a -A 1 '^event: lagging' events | tail -n 1 | sed 's/^data: //' >lag
	[ "$(jq .id lag)" = "$(sed -n 's/^id: //p' events | tail -n 1)" ]
	jq -e '.id < .last' lag
	call "$url/metrics"
	grep -q '^ev_sse_cut_total 1$' body
	listen rest '' -H "Last-Event-ID: $(jq .id lag)"
	wait_for rest '^id: 600$'
	cmp <(sed -n 's/^id: //p' events rest) <(seq 600)
}

@test "a quiet stream has a heartbeat, and is told when the server stops" {
	serve_start --heartbeat 1
	post '{"agentId":"a","entries":["one"]}'
	listen events 'after=0'
	wait_for events '^: heartbeat 1$'
	serve_stop
	wait "${readers[0]}"
	readers=()
	[ "$(tail -n 3 events | head -n 2)" = 'event: bye
data: {"id":1}' ]
}

@test "they are no events: the log stays as it is, and they survive a restart" {
	serve_start
	post '{"agentId":"a","entries":["one","two"]}'
	ev-append ISSUE_APPROVED repo=acme/app issueNumber:=1 priority=normal
	run -0 ev-cat
	[ "${#lines[@]}" -eq 1 ]
	[ -f "$EV_LOG-agents" ]
	serve_stop
	serve_start
	list ''
	[ "$(jq -c '[.entries[].message]' body)" = '["one","two"]' ]
	post '{"agentId":"a","entries":["three"]}'
	[ "$body" = '{"agentId":"a","accepted":1,"last":3}' ]
}

@test "a kill loses nothing that was taken" {
	serve_start
	post '{"agentId":"a","entries":["one"]}'
	kill -9 "$serve_pid"
	wait "$serve_pid" || :
	serve_pid=
	serve_start
	list ''
	[ "$(jq -c '[.entries[].message]' body)" = '["one"]' ]
}

@test "what is too much goes, the oldest first" {
	serve_start --keep-logs-size 1048576
	jq -nc '{agentId: "a", entries: [range(60) | "x" * 15000]}' >big
	for _ in 1 2 3 4 5 6; do
		call -H 'Content-Type: application/json' --data-binary @big \
			"$url/api/agent-logs"
		[ "$code" = 200 ]
	done
	until call "$url/metrics" &&
		[ "$(sed -n 's/^ev_agent_log_expired_total //p' body)" -ge 290 ]; do
		sleep 0.02
	done
	list 'after=0&limit=1000'
	jq -e '(.entries | length) <= 70 and .entries[-1].id == 360' body
	serve_stop
	[ "$(stat -c %s "$EV_LOG-agents")" -le 1048576 ]
}

@test "what is too old goes" {
	serve_start
	post '{"agentId":"a","entries":["old"]}'
	serve_stop
	sqlite3 "$EV_LOG-agents" "UPDATE entry SET received = received - 172800000000"
	serve_start --keep-logs 3d
	post '{"agentId":"a","entries":["new"]}'
	list ''
	[ "$(jq -c '[.entries[].message]' body)" = '["old","new"]' ]
	serve_stop
	serve_start --keep-logs 1d
	until list '' && [ "$(jq '.entries | length' body)" = 1 ]; do
		sleep 0.02
	done
	[ "$(jq -c '[.entries[].message]' body)" = '["new"]' ]
}

@test "where they cannot be kept the rest works, and it is told why" {
	mkdir "$EV_LOG-agents"
	serve_start
	grep -q 'agents.: it is no plain file' "$serve_err"
	post '{"agentId":"a","entries":["one"]}'
	[ "$code" = 503 ]
	jq -e '.code == "unreachable" and (.detail | test("plain file"))' body
	list ''
	[ "$code" = 503 ]
	call "$url/health"
	[ "$code" = 200 ]
	rmdir "$EV_LOG-agents"
	post '{"agentId":"a","entries":["one"]}'
	[ "$code" = 200 ]
}

@test "of two servers of one log the second says that the first has them" {
	serve_start
	post '{"agentId":"a","entries":["one"]}'
	first=$serve_pid
	serve_start
	list ''
	[ "$code" = 503 ]
	jq -e '.code == "busy"' body
	call "$url/health"
	[ "$code" = 200 ]
	kill "$first"
	wait "$first"
	list ''
	[ "$(jq -c '[.entries[].message]' body)" = '["one"]' ]
}

@test "there are as many streams as --max-streams allows" {
	serve_start --max-streams 1 --heartbeat 1
	listen events ''
	call -D headers -H 'Accept: text/event-stream' "$url/api/agent-logs"
	[ "$code" = 503 ]
	grep -qi '^retry-after: 1' headers
	jq -e '.code == "busy"' body
	list ''
	[ "$code" = 200 ]
	# who has left is missed when something is to be sent
	kill "${readers[0]}"
	for _ in $(seq 500); do
		sleep 0.02
		call -m 0.2 -H 'Accept: text/event-stream' \
			"$url/api/agent-logs" || :
		[ "$code" != 200 ] || break
	done
	[ "$code" = 200 ]
}
