#!/usr/bin/env bats
# What ev-serve shows of the log's models is what the commands say.
#
# shellcheck disable=SC2016,SC2154 # jq has variables, too; serve_start sets $url

load helper
load serve

setup() {
	export HOME=$BATS_TEST_TMPDIR/home XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/home
	mkdir "$HOME"
	cd "$BATS_TEST_TMPDIR" || return
	# one time for all days of a test, though midnight come
	now=$(date +%s)
}

teardown() {
	serve_stop
}

# at DAYS TIME TYPE ISSUE [MEMBERS]: an event of acme/app, so many days ago
at() {
	printf '{"timestamp":"%sT%sZ","type":"%s","repo":"acme/app",' \
		"$(date -u -d "@$((now - 86400 * $1))" +%F)" "$2" "$3"
	printf '"issueNumber":%s%s}\n' "$4" "${5:+,$5}"
}

spent() { # DAYS AGENT ISSUE MODEL USD
	at "$1" 10:00:00.25 TOKEN_USAGE "$3" "\"agentId\":\"$2\",\"model\":\"$4\",
		\"costUsd\":$5,\"inputTokens\":120000,\"outputTokens\":800" |
		tr -d '\n\t'
	echo
}

# Three days of a rig: an issue that is done, one each that is escalated, gated,
# stuck and abandoned, and a queue with dependencies and a circle.
lively() {
	at 3 09:00:00 ISSUE_APPROVED 1 '"title":"Über alles","priority":"high"'
	at 3 09:20:00 ISSUE_ASSIGNED 1 '"agentId":"dev-1/x7k2p"'
	at 3 09:24:00 WORK_STARTED 1 '"agentId":"dev-1/x7k2p","branch":"issue-1"'
	at 3 10:30:00 PR_CREATED 1 '"agentId":"dev-1","prNumber":11'
	at 3 10:42:00 CI_FAILED 1 '"prNumber":11,"failedChecks":["unit","lint"]'
	at 3 11:10:00 CI_PASSED 1 '"prNumber":11'
	at 3 11:12:00 MERGED 1 '"prNumber":11,"mergeSha":"0123456"'
	at 3 11:30:00 ISSUE_DONE 1
	spent 3 dev-1 1 large 12.10
	spent 3 dev-1/x7k2p 1 small '"0.05"'
	at 2 09:00:00 ISSUE_APPROVED 2 '"title":"Take cents"'
	at 2 09:10:00 ISSUE_ASSIGNED 2 '"agentId":"dev-2"'
	at 2 10:05:00 ESCALATED 2 '"reason":"the smoke test <b>failed</b>"'
	spent 2 dev-2 2 large 1.000000000000000000001
	at 2 12:00:00 ISSUE_APPROVED 3
	at 2 12:00:00 ISSUE_ASSIGNED 3 '"agentId":"dev-3"'
	at 2 13:00:00 PR_CREATED 3 '"agentId":"dev-3","prNumber":14'
	at 2 13:30:00 HUMAN_GATE_TRIGGERED 3 '"prNumber":14,"reason":"it changes the bill"'
	at 2 14:00:00 ISSUE_APPROVED 4
	at 2 14:30:00 ISSUE_ASSIGNED 4 '"agentId":"dev-1"'
	at 2 15:40:00 AGENT_STUCK 4 '"agentId":"dev-1","reason":"no sign of life"'
	at 3 10:00:00 ISSUE_APPROVED 5
	at 3 10:10:00 ISSUE_ASSIGNED 5 '"agentId":"dev-4"'
	at 1 10:11:00 ISSUE_NEEDS_HUMAN 5
	at 1 09:00:00.5 ISSUE_APPROVED 7 '"title":"Print it","priority":"low","dependsOn":[1]'
	at 1 10:00:00 ISSUE_APPROVED 8 '"priority":"critical","dependsOn":[7,"acme/lib#9"]'
	at 1 11:58:00 ISSUE_APPROVED 9 '"title":"Sort the lines","priority":"high"'
	at 1 10:00:00 ISSUE_APPROVED 10 '"dependsOn":[11]'
	at 1 10:01:00 ISSUE_APPROVED 11 '"dependsOn":["#10"]'
	at 1 10:02:00 ISSUE_APPROVED 12 '"dependsOn":[11]'
	at 1 11:00:00 ISSUE_APPROVED 6
	at 1 11:10:00 ISSUE_ASSIGNED 6 '"agentId":"dev-2"'
	spent 1 dev-2 0 large 0.3
	at 1 11:12:00 ISSUE_ASSIGNED 9007199254740993 '"agentId":"dev-2"'
	echo '{"type":"HEARTBEAT","agentId":"dev-2","status":"working"}'
}

# The rest of it by the rig's own commands, and sessions.
fill() {
	lively | ev-append -q
	rig-approve -q -R acme/app 20 'By hand'
	rig-claim -q acme/app#9 dev-5/pod-1
	ev-append -q "$ROOT"/tests/fixtures/projections/session-status.events
}

get() { # PATH [CURL OPTION...]
	local path=$1
	shift
	curl -sS "$@" "$url$path"
}

# is PATH STATUS [CODE]: the answer has this status, and is such a problem
is() {
	run -0 get "$1" -o body -w '%{http_code}'
	[ "$output" = "$2" ] || { cat body; return 1; }
	[ -z "${3-}" ] || jq -e --arg code "$3" --argjson status "$2" \
		'.code == $code and .status == $status
		and .type == "urn:ev:problem:" + $code
		and .error == .detail and (.detail | contains("\n") | not)' body
}

# same NAME FILE FILE: as text, so that numbers are what they were
same() {
	diff -u --label "$1" --label 'the command' "$2" "$3"
}

# Lines of JSON as an array, each as it is: a number must not pass through jq.
array() {
	printf '[%s]' "$(paste -s -d , -)"
}

# documents PATH FILE KEY: the array has the lines of the file, whose member
# "key" is called KEY
documents() {
	get "$1" >served
	sed "s/^{\"key\":/{\"$3\":/" "$2" | array | cmp served -
}

@test "documents are as ev-get prints them, with their key by its own name" {
	fill
	for name in issue-status token-usage session-status agent-status; do
		ev-get "$name" >"$name.said"
	done
	serve_start
	documents /api/issues issue-status.said streamId
	documents /api/usage token-usage.said key
	documents /api/v1/sessions session-status.said sessionId
	documents /api/models/agent-status agent-status.said key
	get /api/issues/acme%2Fapp%239007199254740993 >one
	grep '"issueNumber":9007199254740993,' one
	ev-get issue-status acme/app#9007199254740993 |
		sed 's/^{"key"/{"streamId"/' | tr -d '\n' | cmp one -
	key=$(head -n 1 session-status.said | jq -r .key)
	get "/api/v1/sessions/$key" | sed 's/"sessionId"/"key"/' |
		cmp - <(head -n 1 session-status.said | tr -d '\n')
	get /api/models/issue-status/acme%2Fapp%231 |
		cmp - <(ev-get issue-status acme/app#1 | tr -d '\n')
}

@test "issues are chosen, sorted and cut" {
	fill
	serve_start
	chosen() { # QUERY KEYS
		run -0 pipe "curl -sS '$url/api/issues?$1' |
		    jq -r '[.[].streamId | ltrimstr(\"acme/app#\")] | join(\" \")'"
		[ "$output" = "$2" ] || { echo "$1: $output"; return 1; }
	}
	chosen state=done 1
	chosen 'state=done&state=gated' '1 3'
	chosen 'state=open&agent=dev-2' '2 6 9007199254740993'
	chosen repo=acme/lib ''
	chosen search=%C3%BCBER 1
	chosen search=ISSUE-1 1
	chosen 'search=dev-3' 3
	chosen 'search=app%2311' 11
	chosen 'state=queued&sort=approvedAt&limit=2' '7 10'
	chosen 'state=queued&sort=approvedAt&reverse&limit=1' 20
	chosen 'sort=issueNumber&reverse=true&limit=2' '9007199254740993 20'
	chosen 'reverse&limit=1' 9007199254740993
	chosen 'limit=0' ''
	chosen 'sort=streamId&limit=2' '1 10'
}

@test "the queue is what rig-queue prints" {
	fill
	serve_start
	get /api/queue | jq -c '.[] | .ageSeconds |= (. / 10 | round)' >served
	rig-queue --json | jq -c '.ageSeconds |= (. / 10 | round)' >said
	# between the two the clock goes on
	same queue <(jq -cS 'del(.ageSeconds)' served) \
		<(jq -cS 'del(.ageSeconds)' said)
	jq -s -e --slurpfile said said '[., $said] | transpose
		| all(.[]; .[0].ageSeconds - .[1].ageSeconds | fabs <= 1)' served
	get /api/queue | jq -e 'map(select(.circle)) | length > 0'
}

@test "the status is what rig-status prints" {
	fill
	ev-each -q somebody -- true
	ev-project
	serve_start
	members='{needs, issues, queue, agents, unheard,
		consumers: [.consumers[] | {name, position, lag, parked, failing}],
		models: [.models[] | {name, lagEvents, parked, error}]}'
	same status <(get /api/status | jq -S "$members") \
		<(rig-status --json | jq -S "$members")
	# with something in each
	get /api/status | jq -e '(.needs | length == 4) and (.consumers != [])
		and .queue.waiting > 0 and .unheard != [] and .models != []'
	get '/api/status?at=3' | jq -e '.consumers == null and .models == null'
}

@test "agents: in the report's order, and online while they are heard of" {
	fill
	cat >rig.yaml <<-'END'
		stuck: { after: 1h, agents: { dev-3: 30d, dev-4: false } }
	END
	at 1 12:00:00 HEARTBEAT 3 '"agentId":"dev-3"' | ev-append -q
	at 1 12:00:00 HEARTBEAT 4 '"agentId":"dev-4"' | ev-append -q
	serve_start --rig rig.yaml
	same order <(get /api/agents | jq -c 'map(.agentId)') \
		<(rig-status --json | jq -c '[.agents[].agentId]')
	get /api/agents | jq -c 'map({agentId, online}) | sort' >found
	same online found - <<-'END'
		[{"agentId":"dev-1","online":false},{"agentId":"dev-2","online":true},{"agentId":"dev-3","online":true},{"agentId":"dev-4","online":false},{"agentId":"dev-5","online":false}]
	END
	get /api/agents | jq -e '.[] | select(.agentId == "dev-1")
		| .heartbeatAgeSeconds == null and .status == "stuck"
		and .completed == 1 and .stuck == 1'
	get /api/agents | jq -e '.[] | select(.agentId == "dev-2")
		| .heartbeatAgeSeconds >= 0 and .heartbeatAgeSeconds < 600'
	same one <(get /api/agents/dev-5%2Fpod-1 | jq 'del(.heartbeatAgeSeconds)') \
		<(get /api/agents | jq '.[] | select(.agentId == "dev-5")
		    | del(.heartbeatAgeSeconds)')
	get /api/agents/dev-5 | jq -e '.instances == ["dev-5/pod-1"]'
	is /api/agents/nobody 404 not-found
}

@test "queues of agents: how deep, and what waits, newest first" {
	for i in $(seq 1 21); do
		at 2 "10:00:$((10 + i))" ISSUE_APPROVED "$i"
		at 1 "10:00:$((60 - i))" ISSUE_ASSIGNED "$i" '"agentId":"busy"'
	done | ev-append -q
	at 1 11:00:00 WORK_STARTED 5 '"agentId":"busy"' >begun
	echo '{"type":"HEARTBEAT","agentId":"idle","status":"idle"}' | ev-append -q
	serve_start
	get /api/streams/status | jq -e '.[0] | .agentId == "busy"
		and .depth == 21 and .over == true
		and .lastAssigned.streamId == "acme/app#21"'
	get /api/streams/busy | jq -e '.depth == 21 and (.items | length == 10)
		and [.items[].issueNumber] == [range(1; 11)]
		and .items[0] == {streamId: "acme/app#1", repo: "acme/app",
		    issueNumber: 1, assignedAt: .items[0].assignedAt,
		    url: "https://github.com/acme/app/issues/1"}'
	get '/api/streams/busy?limit=30' | jq -e '.items | length == 21'
	get /api/streams/idle | jq -e '. == {agentId: "idle", depth: 0, items: []}'
	is /api/streams/nobody 404 not-found
	ev-append -q ./begun
	get /api/streams/status | jq -e '.[0] | .depth == 20 and .over == false'
}

@test "costs are exact, and those of rig-cost" {
	fill
	serve_start
	for days in 1 2 3 30; do
		get "/api/costs/summary?days=$days" >summary
		# of amounts jq sees texts only
		sed 's/"cost":\([0-9.]*\)/"cost":"\1"/g' summary |
			jq -c '.agents[] | [.agentId, .cost, .calls, .tokens]' |
			sort >served
		rig-cost -q --json --days "$days" >said || [ "$?" -eq 1 ]
		sed 's/"costUsd":\([0-9.]*\)/"cost":"\1"/' said | jq -c \
			'[.agent, .cost, .calls, .inputTokens + .outputTokens]' |
			sort | cmp served -
	done
	grep -F '"cost":13.450000000000000000001,"calls":4,' summary
	grep -F '{"agentId":"dev-2","cost":1.300000000000000000001,' summary
	jq -e '.days == 30 and .agents[0].agentId == "dev-1"' summary

	get '/api/costs/issue?id=acme/app%231' | cmp - <(printf %s \
		'{"streamId":"acme/app#1","cost":12.15,"calls":2,' \
		'"input":240000,"output":1600,"agents":[{"agentId":"dev-1",' \
		'"cost":12.15,"calls":2,"input":240000,"output":1600}]}')
	get /api/costs/issue | jq -e 'map(.streamId) == ["acme/app#1", "acme/app#2"]'
	is '/api/costs/issue?id=acme/app%239' 404 not-found

	get '/api/costs/daily?days=4' | jq -c '.[] | del(.cost)' >served
	ev-get daily-cost | jq -c '{date, agentId: .agent, repo, calls,
		inputTokens, outputTokens, tokens}' | cmp served -
	get '/api/costs/daily?agent=dev-2&days=2' | jq -e 'length == 1'
	get '/api/costs/daily?repo=acme/other' | jq -e '. == []'
	get '/api/usage?agent=dev-2' | jq -e 'length == 2'
	get '/api/usage?issue=acme/app%232' | jq -e '.[0].agent == "dev-2"'
}

@test "models: their list, their documents by conditions, and why" {
	fill
	ev-project
	serve_start
	members='{name, mode, checkpoint, lagEvents, documents, parked, hash, error}'
	same models <(get /api/models | jq -c ".[] | $members") \
		<(ev-project --list -f ndjson | jq -c "$members")
	get '/api/models/issue-status?where=stuckCount%3E0&where=state!=done' \
		>served
	ev-get issue-status --where 'stuckCount>0' --where 'state!=done' |
		array | cmp served -
	jq -e '. != []' served
	get '/api/models/issue-status?sort=attempt&reverse=1&limit=3' >served
	ev-get issue-status --sort attempt -r -n 3 | array | cmp served -
	# one that nobody keeps
	get /api/models/audit >served
	ev-get audit | array | cmp served -
	get '/api/why?model=issue-status&key=acme/app%231' >served
	ev-why issue-status acme/app#1 | array | cmp served -
	get '/api/why?model=issue-status&key=acme/app%231&member=failedChecks' \
		>served
	ev-why issue-status acme/app#1 failedChecks | array | cmp served -
	jq -e 'length == 2' served
	get '/api/why?model=issue-status&key=acme/app%231&at=4' |
		jq -e 'length == 4'
	get '/api/why?model=issue-status&key=none' | jq -e '. == []'
	# who misspells one is told which there are
	curl -s "$url/api/models/issue-statu" | jq -e '.status == 404 and
		(.error | test("issue-statu.*agent-queue.*issue-status"))'
}

@test "at a position everything is as it was when the log ended there" {
	fill
	ev-project
	for position in 5 21 33; do
		ev-cat --to "$position" | ev-append -q -l "cut-$position.db"
	done
	serve_start
	for position in 5 21 33; do
		cut=cut-$position.db
		documents "/api/issues?at=$position" \
			<(ev-get -l "$cut" issue-status) streamId
		documents "/api/usage?at=$position" \
			<(ev-get -l "$cut" token-usage || :) key
		documents "/api/models/agent-queue?at=$position" \
			<(ev-get -l "$cut" agent-queue) key
		# the clock is that of the event
		then=$(get "/api/v1/events/$position" | jq -r .recordedAt)
		same agents <(get "/api/status?at=$position" |
			jq -S '{needs, issues, queue, agents}') \
			<(rig-status -l "$cut" --json --now "$then" |
			jq -S '{needs, issues, queue, agents}')
		same queue <(get "/api/queue?at=$position" |
			jq -cS '.[] | .ageSeconds |= round') \
			<(rig-queue -q -l "$cut" --json --now "${then%.*}Z" |
			jq -cS '.ageSeconds |= round')
		same time <(get "/api/issues?at=$then") \
			<(get "/api/issues?at=$(ev-cat -r -n 1 --until "$then" |
			jq .position)")
	done
	same end <(get "/api/issues?at=1000000") <(get /api/issues)
	for path in issues queue agents streams/status usage costs/daily \
		costs/issue v1/sessions models/audit; do
		[ "$(get "/api/$path?at=0")" = '[]' ] || { echo "$path"; return 1; }
	done
}

@test "flow: how long issues were in each state" {
	fill
	serve_start
	get '/api/flow?days=30' >flow
	state() { jq -c --arg state "$1" '.states[] | select(.state == $state)' flow; }
	# 1 was failing for 28 minutes; 2 and 4 were assigned for 55 and, for ever
	same ci_failed <(state ci_failed) - <<-'END'
		{"state":"ci_failed","issues":1,"visits":1,"totalSeconds":1680,"medianSeconds":1680,"p90Seconds":1680,"now":0}
	END
	# 1: 4 min, 2: 55 min, 3: 60 min; each of 4, 5, 6, 9 and one more is
	# still there
	same assigned <(state assigned) - <<-'END'
		{"state":"assigned","issues":3,"visits":3,"totalSeconds":7140,"medianSeconds":3300,"p90Seconds":3600,"now":5}
	END
	state 'done' | jq -e '.now == 1 and .visits == 0 and .medianSeconds == null'
	jq -e '[.states[].state] | index("queued") < index("assigned")
		and index("assigned") < index("escalated") and .[-1] == "done"' flow
	# how many are in it is what their documents say
	same now <(jq -cS '[.states[] | select(.now > 0)
		| {key: .state, value: .now}] | from_entries' flow) \
		<(get /api/status | jq -cS .issues)
	# it goes on from there, also where an event is told late
	at 5 09:00:00 WORK_STARTED 4 '"agentId":"dev-1"' | ev-append -q
	get /api/flow >flow
	state assigned | jq -e '.visits == 4 and .totalSeconds == 7140
		and .now == 4'
	# what ended before these days counts no more, and what is now, does
	get '/api/flow?days=1' | jq -e '.states[] | select(.state == "ci_failed")
		| .visits == 0'
	get '/api/flow?at=6' >flow
	state in_review | jq -e '.now == 1 or .visits == 1'
	state ci_failed | jq -e '.now == 0 and .visits == 1'
	get '/api/flow?at=0' | jq -e '.states == []'
}

@test "a log that is not there yet is empty" {
	serve_start
	for path in issues queue agents streams/status usage costs/daily \
		costs/issue v1/sessions models models/issue-status \
		'why?model=issue-status&key=x'; do
		[ "$(get "/api/$path")" = '[]' ] || { echo "$path"; return 1; }
	done
	get /api/costs/summary | jq -e '.cost == 0 and .agents == []'
	get /api/status | jq -e '.needs == [] and .agents == [] and
		.queue == {ready: 0, waiting: 0}'
	get /api/flow | jq -e '.states == []'
	get /health | jq -e '.status == "ok" and .position == 0'
	get /api/v1/health | jq -e '.sessions == 0'
	is /api/issues/acme%2Fapp%231 404 not-found
	is /api/models/issue-status/x 404 not-found
	is /api/v1/sessions/x 404 not-found
	is '/api/costs/issue?id=x' 404 not-found
	# and then it is
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=1
	get /api/issues | jq -e '.[0].state == "queued"'
	get /api/queue | jq -e '.[0].place == 1'
	get /api/flow | jq -e '.states[0].now == 1'
	get /health | jq -e '.position == 1'
}

@test "what has been appended is seen at once, however often it was asked for" {
	fill
	serve_start
	for i in $(seq 100 120); do
		get /api/queue >/dev/null
		get /api/queue | jq -e --argjson i "$i" \
			'all(.[]; .issueNumber != $i)'
		ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:="$i"
		get /api/queue | jq -e --argjson i "$i" \
			'any(.[]; .issueNumber == $i)'
		get /api/issues/acme%2Fapp%23"$i" | jq -e '.state == "queued"'
	done
	# another definition is another answer, at the same position
	mkdir models
	sed 's/^  repo: null$/  repo: null\n  extra: 7/' \
		"$ROOT/share/projections/issue-status.yaml" >models/issue-status.yaml
	EV_PROJECTIONS=$PWD/models ev-project --rebuild issue-status
	get /api/issues/acme%2Fapp%231 | jq -e '.extra == 7'
	get /api/flow | jq -e '.states != []'
}

@test "a model that the log does not keep is as its file says, for every thread" {
	mkdir models
	mine() { # COUNT: the file adds so much for each event
		printf '%s\n' 'projection: mine' 'summary: How often' \
			'catalog: rig' 'key: "{$.streamId}"' 'mode: demand' \
			'on:' "  '*': { add: { n: $1 } }" >models/mine.yaml
	}
	ask() { # of all threads, and of what they have kept
		local limit pids=()
		for limit in 1 2 3 4 5 6 7 8; do
			get "/api/models/mine?limit=$limit" >"asked.$limit" &
			pids+=($!)
			get "/api/models/mine/acme%2Fapp%231" >"asked.0$limit" &
			pids+=($!)
		done
		wait "${pids[@]}"
		jq -c 'if type == "array" then .[] else . end | .n' asked.* |
			sort -u
	}
	export EV_PROJECTIONS=$PWD/models:
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=1
	mine 1
	serve_start
	[ "$(ask)" = 1 ]
	mine 5
	[ "$(ask)" = 5 ]
	[ "$(ev-get mine | jq .n)" = 5 ]
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=1
	mine 3
	[ "$(ask)" = 6 ]
	get '/api/why?model=mine&key=acme/app%231&member=n' |
		jq -e 'map(.position) == [1, 2]'
}

@test "after SIGHUP, types that are new may be asked for, of every thread" {
	mkdir schemas
	export EV_SCHEMAS=$PWD/schemas:
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=1
	serve_start
	printf '%s\n' 'catalog: shop' 'stream: "{shop}"' 'types:' '  SOLD:' \
		'    payload: { properties: { shop: { type: string } } }' \
		>schemas/shop.yaml
	ev-append -q SOLD shop=a
	sold='/api/v1/events?type=SOLD'
	kill -HUP "$serve_pid"
	until get "$sold" | jq -e '.events | length == 1'; do
		[ $((tries += 1)) -lt 250 ]
		sleep 0.02
	done
	pids=()
	for i in 1 2 3 4 5 6 7 8; do
		get "$sold" >"sold.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	jq -se 'length == 8 and all(.[]; .events | length == 1)' sold.*
}

@test "odd names are only names" {
	for name in 'a/b' 'x"y' "it's" 'q\r' '🙂 #1' '<img src=x>' '%41' '..' "$(printf 'a\tb')"; do
		jq -cn --arg name "$name" '{type: "ISSUE_ASSIGNED",
		    repo: ($name + "/r"), issueNumber: 1, agentId: "dev",
		    streamId: $name}'
		jq -cn --arg name "$name" '{type: "ISSUE_APPROVED",
		    repo: ($name + "/r"), issueNumber: 2, title: $name,
		    streamId: ($name + "#2"), dependsOn: [$name]}'
	done >events
	ev-append -q ./events
	serve_start
	while IFS= read -r name; do
		name=$(jq -r . <<<"$name")
		path=$(jq -rn --arg name "$name" '$name | @uri')
		get "/api/issues/$path" --path-as-is | jq -e --arg name "$name" \
			'.streamId == $name'
		get "/api/issues?search=$path&state=queued" |
			jq -e --arg name "$name" 'map(.title) | index($name) != null'
		get "/api/why?model=issue-status&key=$path" | jq -e 'length == 1'
		get "/api/models/issue-status/$path" --path-as-is |
			jq -e --arg name "$name" '.key == $name'
	done < <(jq -c 'select(.type == "ISSUE_ASSIGNED").streamId' events)
	get /api/streams/dev | jq -e '.depth == 9 and (.items | length == 9)'
	get /api/queue | jq -cS '.[] | del(.ageSeconds)' >served
	rig-queue --json | jq -cS 'del(.ageSeconds)' | cmp served -
	# no name is a file's
	is /api/models/..%2F..%2Fetc%2Fpasswd 404 not-found
	is "/api/models/$(jq -rn --arg f "$ROOT/share/projections/issue-status.yaml" \
		'$f | @uri')" 404 not-found
	is /api/models/issue-status.yaml 404 not-found
	is /api/issues/a%00b 400
}

@test "what is misspelt is refused" {
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=1
	serve_start
	for path in 'issues?stat=done' 'issues?limit=x' 'issues?limit=-1' \
		'issues?at=never' 'issues?at=-1' 'issues?at=' 'issues?sort=colour' \
		'issues?reverse=maybe' 'queue?limit=1' 'agents?x=1' \
		'costs/daily?days=0' 'costs/summary?days=1e3' 'flow?days=none' \
		'models?at=1' 'models/issue-status?where=nothing' \
		'models/issue-status?where=colour=red' 'why' 'why?model=issue-status' \
		'why?model=issue-status&key=x&member=colour' 'usage?days=3' \
		'v1/sessions?state=x' 'streams/x?limit=y'; do
		is "/api/$path" 400 bad-request || { echo "$path"; return 1; }
	done
	for path in issues/x models/none models/none/x 'why?model=none&key=x' \
		models/issue-status/x; do
		is "/api/$path" 404 not-found || { echo "$path"; return 1; }
	done
}

@test "what has not changed is not sent again" {
	fill
	serve_start
	for path in issues models/issue-status 'costs/issue' 'queue?at=20'; do
		tag=$(get "/api/$path" -o body -D - |
			sed -n 's/^[Ee][Tt]ag: \(.*\)\r$/\1/p')
		[ "$tag" ]
		run -0 get "/api/$path" -H "If-None-Match: $tag" -o again \
			-w '%{http_code}'
		[ "$output" = 304 ]
		[ ! -s again ]
	done
	get /api/issues -o body -D headers
	tag=$(sed -n 's/^[Ee][Tt]ag: \(.*\)\r$/\1/p' headers)
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=77
	run -0 get /api/issues -H "If-None-Match: $tag" -o again -w '%{http_code}'
	[ "$output" = 200 ]
	grep -F 'acme/app#77' again
}

@test "a rig.yaml that is wrong is told at once" {
	echo 'stuck: { after: soon }' >rig.yaml
	run -65 --separate-stderr serve_start --rig rig.yaml
	[[ $stderr == *"rig.yaml: 'stuck.after'"* ]]
	echo 'stuck: [' >rig.yaml
	run -65 --separate-stderr serve_start --rig rig.yaml
	[[ $stderr == *rig.yaml:* ]]
}

@test "many who ask at once get one and the same" {
	fill
	serve_start
	for path in status queue issues flow; do
		for i in $(seq 40); do
			printf 'url = "%s/api/%s?at=30"\noutput = "%s.%s"\n' \
				"$url" "$path" "$path" "$i"
		done | curl -sS --parallel --parallel-max 40 -K -
		jq -e . "$path.1"
		for i in $(seq 2 40); do
			cmp "$path.1" "$path.$i"
		done
	done
}
