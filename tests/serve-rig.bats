#!/usr/bin/env bats
# ev-serve: what the rig's scripts decide, asked for by HTTP: what an agent does
# next, what a reviewer looks at, whether something may be merged, how it went;
# and the process that runs the scripts.

load helper
load serve
load peers/peer

setup() {
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR
	export TMPDIR=$BATS_TEST_TMPDIR/tmp EV_HTTP_BACKOFF=0.01
	unset GH_TOKEN GITHUB_TOKEN_FILE http_proxy HTTP_PROXY
	mkdir "$TMPDIR"
	cd "$TMPDIR" || return
	one=1111111111111111111111111111111111111111
}

teardown() {
	serve_stop
	stop_peer
}

# tell NUMBER TYPE MEMBER...: an event of that issue
tell() {
	local number=$1 type=$2
	shift 2
	ev-append -q "$type" repo=acme/app issueNumber:="$number" "$@"
}

# ask PATH [OPTION...]: sets $status_code and $answer
ask() {
	local path=$1
	shift
	status_code=$(curl -s -o answer -w '%{http_code}' "$@" "$url$path")
	answer=$(cat answer)
}

# it_is STATUS JQ: the last answer is so
it_is() {
	[ "$status_code" = "$1" ] && jq -e "$2" answer >/dev/null && return
	echo "not so: $1 $2; but $status_code $answer"
	return 1
}

approve() { # NUMBER...
	local number
	for number; do
		rig-approve -q -R acme/app "$number" "Issue $number"
	done
}

# in_review NUMBER AGENT: an issue whose pull request, NUMBER + 100, waits
in_review() {
	tell "$1" ISSUE_APPROVED title="Issue $1"
	tell "$1" ISSUE_ASSIGNED agentId="$2"
	tell "$1" PR_CREATED agentId="$2" prNumber:=$(($1 + 100)) \
		branch="issue-$1" prUrl="https://github.com/acme/app/pull/$(($1 + 100))"
}

# ---- assignments

@test "an agent gets the next issue, and it is told" {
	approve 1 2
	rig-approve -q -R acme/app 3 'At once' -p critical
	serve_start
	ask '/api/assignments/next?agentId=ada'
	it_is 200 'keys_unsorted == ["streamId", "repo", "issueNumber", "title",
	    "priority", "state", "agentId", "attempt", "reason",
	    "failedChecks", "why", "event"]'
	it_is 200 '[.streamId, .repo, .issueNumber, .title, .priority, .state,
	    .agentId, .attempt, .why] == ["acme/app#3", "acme/app", 3, "At once",
	    "critical", "assigned", "ada", 1, "claim"]'
	it_is 200 '[.event.streamId, .event.type, .event.version] ==
	    ["acme/app#3", "ISSUE_ASSIGNED", 1]'
	[ "$(ev-get issue-status -m state -m agentId 'acme/app#3')" = \
		'{"key":"acme/app#3","state":"assigned","agentId":"ada"}' ]
	[ "$(ev-cat -t ISSUE_ASSIGNED | jq -r .actor)" = ada ]
}

@test "asked again, before it has begun, an agent gets the same" {
	approve 1 2
	serve_start
	ask '/api/assignments/next?agentId=ada' -X POST
	it_is 200 '.issueNumber == 1 and .event.type == "ISSUE_ASSIGNED"'
	ask '/api/assignments/next?agentId=ada'
	it_is 200 '.issueNumber == 1 and .event == null and .attempt == 1'
	tell 1 WORK_STARTED agentId=ada
	ask '/api/assignments/next?agentId=ada'
	it_is 200 '.issueNumber == 2'
}

@test "what it was given is begun, what it has to mend comes first" {
	approve 1 2
	rig-assign -q -R acme/app 2 ada
	serve_start
	ask '/api/assignments/next?agentId=ada/x7'
	it_is 200 '[.issueNumber, .state, .agentId, .why, .event.type] ==
	    [2, "in_progress", "ada", "begin", "WORK_STARTED"]'
	tell 2 CI_FAILED prNumber:=7 failedChecks:='["lint"]'
	ask '/api/assignments/next?agentId=ada'
	it_is 200 '[.issueNumber, .state, .why, .failedChecks, .event] ==
	    [2, "ci_failed", "mend", ["lint"], null]'
}

@test "nothing to do is 204, also in another repository or behind others" {
	serve_start
	ask '/api/assignments/next?agentId=ada'
	[ "$status_code" = 204 ]
	[ -z "$answer" ]
	approve 1
	rig-approve -q -R acme/app 2 'Later' -d 1
	ask '/api/assignments/next?agentId=ada&repo=acme/lib'
	[ "$status_code" = 204 ]
	ask '/api/assignments/next?agentId=ada&repo=acme/app'
	it_is 200 '.issueNumber == 1'
	ask '/api/assignments/next?agentId=ben'
	[ "$status_code" = 204 ]
}

@test "who asks for nothing that can be is refused" {
	serve_start
	ask '/api/assignments/next'
	it_is 400 '.code == "bad-request" and (.detail | startswith("agentId"))'
	ask '/api/assignments/next?agentId=/x'
	it_is 400 '.code == "bad-request"'
	ask '/api/assignments/next?agentId=a%00b'
	it_is 400 '.code == "bad-request"'
	ask '/api/assignments/next?agentId=a%0Ab'
	it_is 400 '.code == "bad-request"'
	ask '/api/assignments/next?agentId=ada&reop=acme/app'
	it_is 400 '.detail | contains("reop")'
	[ ! -e "$EV_LOG" ] || [ -z "$(ev-cat)" ]
}

@test "what is no text is a bad request, whatever it asks for" {
	local path
	serve_start
	for path in 'api/assignments/next?agentId=%ff' \
		'api/reviews/next?agentId=%c3' 'api/issues/%ff' \
		'api/agents?%80=1'; do
		run -0 curl -s -o answer -w '%{http_code}' "$url/$path"
		[ "$output" = 400 ]
		jq -e '.code == "bad-request"' answer
	done
}

@test "names are never options, commands or files" {
	approve 1 2 3
	serve_start
	# shellcheck disable=SC2016 # not to be expanded
	for name in '--help' '-R' '$(touch x)' ';touch x' '*' "'" '"' '`touch x`'; do
		ask "/api/assignments/next" -G --data-urlencode "agentId=$name"
		[ "$status_code" = 200 ] || [ "$status_code" = 204 ]
		ask "/api/assignments/next" -G --data-urlencode "agentId=zoe" \
			--data-urlencode "repo=$name"
		[ "$status_code" = 204 ]
	done
	[ ! -e x ]
	[ "$(ev-cat -t ISSUE_ASSIGNED | jq -r .data.agentId | head -n 2)" = '--help
-R' ]
}

@test "32 requests at once of 8 agents: each issue goes to one, each agent has one" {
	local i pids=()
	for i in {1..20}; do
		echo '{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":'"$i"'}'
	done | ev-append -q -
	serve_start
	for i in {0..31}; do
		curl -s -o "got.$i" -w '%{http_code}\n' \
			"$url/api/assignments/next?agentId=agent-$((i % 8))" \
			>"code.$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat code.* | sort -u)" = 200 ]
	# to nobody what another one has; asked again it is the same, not more
	[ "$(jq -r '"\(.issueNumber) \(.agentId)"' got.* | sort -u | wc -l)" -eq 8 ]
	[ "$(jq -r .issueNumber got.* | sort -u | wc -l)" -eq 8 ]
	for i in {0..31}; do
		[ "$(jq -r .agentId "got.$i")" = "agent-$((i % 8))" ]
	done
	[ "$(ev-cat -t ISSUE_ASSIGNED | jq -r .streamId | sort | uniq -d)" = '' ]
	[ "$(ev-cat -t ISSUE_ASSIGNED | wc -l)" -eq 8 ]
	# and all 20 in the end
	for i in {1..12}; do
		ask "/api/assignments/next?agentId=late-$i"
		it_is 200 '.event.type == "ISSUE_ASSIGNED"'
	done
	ask '/api/assignments/next?agentId=later'
	[ "$status_code" = 204 ]
	[ "$(ev-cat -t ISSUE_ASSIGNED | jq -r .streamId | sort -u | wc -l)" -eq 20 ]
}

@test "more than can wait are told to come back" {
	local i pids=()
	approve 1
	serve_start
	for i in {1..120}; do
		curl -s -o "got.$i" -D "head.$i" -w '%{http_code}\n' \
			"$url/api/issues/acme%2Fapp%231/timeline" >"code.$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat code.* | sort -u | tr '\n' ' ')" = '200 503 ' ]
	# 4 at work, 64 that wait
	[ "$(cat code.* | grep -c 200)" -ge 68 ]
	i=$(grep -l 503 code.* | head -n 1)
	grep -i '^retry-after: 1' "head.${i#code.}"
	[ "$(jq -r .code "got.${i#code.}")" = busy ]
	ask '/api/issues/acme%2Fapp%231/timeline'
	it_is 200 'length == 1'
}

# ---- reviews

@test "a reviewer gets the first pull request that waits, and it is told" {
	in_review 1 ada
	in_review 2 ben
	tell 3 ISSUE_APPROVED priority=critical title=Now
	tell 3 PR_CREATED agentId=cy prNumber:=103 branch=now
	serve_start
	ask '/api/reviews/next?agentId=rev'
	it_is 200 'keys_unsorted == ["streamId", "repo", "issueNumber", "title",
	    "priority", "prNumber", "prUrl", "branch", "author", "reviewer", "event"]'
	it_is 200 '[.streamId, .title, .priority, .prNumber, .prUrl, .branch,
	    .author, .reviewer, .event.type] == ["acme/app#3", "Now", "critical",
	    103, null, "now", "cy", "rev", "REVIEW_ASSIGNED"]'
	[ "$(ev-cat -t REVIEW_ASSIGNED | jq -c '[.actor, .data]')" = \
		'["rev",{"repo":"acme/app","issueNumber":3,"prNumber":103,"agentId":"rev"}]' ]
	# the same as long as it is not done
	ask '/api/reviews/next?agentId=rev/pod-2' -X POST
	it_is 200 '[.issueNumber, .reviewer, .event] == [3, "rev", null]'
	ask '/api/reviews/next?agentId=zoe'
	it_is 200 '[.issueNumber, .prUrl] ==
	    [1, "https://github.com/acme/app/pull/101"]'
	# nobody reviews what is their own
	ask '/api/reviews/next?agentId=ben'
	[ "$status_code" = 204 ]
	tell 3 REVIEW_PASSED prNumber:=103
	ask '/api/reviews/next?agentId=rev'
	it_is 200 '.issueNumber == 2'
	ask '/api/reviews/next?agentId=max'
	[ "$status_code" = 204 ]
}

@test "what is pushed is to be reviewed again, what is told twice is not" {
	in_review 1 ada
	serve_start
	ask '/api/reviews/next?agentId=rev'
	it_is 200 '.event.type == "REVIEW_ASSIGNED"'
	tell 1 REVIEW_PASSED prNumber:=101
	tell 1 PR_CREATED agentId=octocat prNumber:=101 branch=issue-1
	ask '/api/reviews/next?agentId=zoe'
	[ "$status_code" = 204 ]
	tell 1 PR_CREATED agentId=ada prNumber:=101 branch=issue-1
	ev-append -q -s 'acme/app#1' HEARTBEAT agentId=ada activity=push \
		branch=other commit="$one"
	ask '/api/reviews/next?agentId=zoe'
	[ "$status_code" = 204 ]
	ev-append -q -s 'acme/app#1' HEARTBEAT agentId=ada activity=push commit="$one"
	ask '/api/reviews/next?agentId=zoe'
	it_is 200 '.event.type == "REVIEW_ASSIGNED"'
	ev-append -q -s 'acme/app#1' HEARTBEAT agentId=ada activity=push commit="$one"
	ask '/api/reviews/next?agentId=rev'
	[ "$status_code" = 204 ]
}

@test "what CI refused, or is not in review, nobody is to look at" {
	in_review 1 ada
	tell 1 CI_FAILED prNumber:=101 failedChecks:='["lint"]'
	approve 2
	in_review 3 ada
	tell 3 MERGED prNumber:=103 mergeSha=abc
	serve_start
	ask '/api/reviews/next?agentId=rev'
	[ "$status_code" = 204 ]
	tell 1 CI_PASSED prNumber:=101
	ask '/api/reviews/next?agentId=rev'
	it_is 200 '.issueNumber == 1'
}

@test "24 reviewers at once: each pull request goes to one" {
	local i pids=()
	for i in {1..12}; do
		in_review "$i" ada
	done
	serve_start
	for i in {1..24}; do
		curl -s -o "got.$i" -w '%{http_code}\n' \
			"$url/api/reviews/next?agentId=rev-$i" >"code.$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat code.* | sort | uniq -c | tr -s ' \n' ' ')" = ' 12 200 12 204 ' ]
	[ "$(cat got.* | jq -r .issueNumber | sort -u | wc -l)" -eq 12 ]
	[ "$(ev-cat -t REVIEW_ASSIGNED | jq -r .streamId | sort | uniq -d)" = '' ]
}

# ---- the gate, merging

# with_github: tokens for the callers, and GitHub with pull request 101
with_github() {
	start_peer github < <(jq -n --arg one "$one" '{token: "t0k", repos:
	    {"acme/app": {id: 5, issues: {"1": {}},
	     pulls: {"101": {body: "Fixes #1", sha: $one}}}}}')
	export GITHUB_API_URL=$peer GITHUB_TOKEN=t0k
	admin=$(ev-serve --tokens tokens --new-token boss=admin)
	agent=$(ev-serve --tokens tokens --new-token ada=read,append)
	serve_start --tokens tokens
}

merge() { # BODY
	ask /api/merge -H "Authorization: Bearer $admin" \
		-H 'Content-Type: application/json' --data-binary "$1"
}

@test "what may be merged is merged, once" {
	in_review 1 ada
	tell 1 CI_PASSED prNumber:=101
	with_github
	merge '{"streamId":"acme/app#1"}'
	it_is 409 '.code == "gate" and .streamId == "acme/app#1" and .prNumber == 101'
	it_is 409 '[.needs[] | select(.ok == false).need] == ["review"]'
	it_is 409 '.detail | contains("nobody has passed it")'
	tell 1 REVIEW_PASSED prNumber:=101
	merge '{"repo":"acme/app","issueNumber":1,"prNumber":101}'
	it_is 200 'keys_unsorted == ["streamId", "prNumber", "mergeSha", "event"]'
	it_is 200 '.prNumber == 101 and .event.type == "MERGED"'
	[ "$(ev-cat -t MERGED | jq -r .data.mergeSha)" = "$(jq -r .mergeSha answer)" ]
	merge '{"streamId":"acme/app#1"}'
	it_is 200 '.event == null'
	[ "$(ev-cat -t MERGED | wc -l)" -eq 1 ]
	[ "$(requests 'map(select(.method == "PUT")) | length')" -eq 1 ]
}

@test "what GitHub does not do is no success" {
	in_review 1 ada
	tell 1 CI_PASSED prNumber:=101
	tell 1 REVIEW_PASSED prNumber:=101
	with_github
	change_peer '.trouble = [{when: "PUT", status: 405,
	    body: {message: "Merge conflict"}}]'
	merge '{"streamId":"acme/app#1"}'
	it_is 502 '.code == "github" and .detail ==
	    "cannot merge #101 of acme/app: GitHub says: Merge conflict"'
	change_peer '.trouble = [{when: "GET", status: 503, times: 99}]'
	merge '{"streamId":"acme/app#1"}'
	it_is 502 '.code == "github"'
	[ -z "$(ev-cat -t MERGED)" ]
}

@test "only an administrator merges" {
	in_review 1 ada
	with_github
	ask /api/merge -H 'Content-Type: application/json' -d '{"streamId":"acme/app#1"}'
	it_is 401 '.code == "unauthorized"'
	ask /api/merge -H "Authorization: Bearer $agent" \
		-H 'Content-Type: application/json' -d '{"streamId":"acme/app#1"}'
	it_is 403 '.code == "scope"'
	[ "$(requests length)" -eq 0 ]
}

@test "what names no issue is not merged" {
	with_github
	merge '{'
	it_is 400 '.code == "not-json"'
	merge '[]'
	it_is 422 '.code == "invalid" and .path == ""'
	merge '{}'
	it_is 422 '.path == "/streamId"'
	merge '{"streamId":"acme/app#1","repo":"acme/app"}'
	it_is 422 '.path == "/streamId"'
	merge '{"streamId":7}'
	it_is 422 '.path == "/streamId"'
	merge '{"streamId":"acme/app#1","prNumber":"7"}'
	it_is 422 '.path == "/prNumber"'
	merge '{"repo":"acme/app","issueNumber":0}'
	it_is 422 '.path == "/issueNumber"'
	merge '{"streamId":"acme/app#1","force":true}'
	it_is 422 '.path == "/force"'
	merge '{"streamId":"--help"}'
	it_is 400 '.code == "bad-request"'
	merge '{"streamId":"a\u0000b#1"}'
	it_is 422 '.path == "/streamId"'
}

@test "the gate and the timeline are those of the scripts" {
	in_review 1 ada
	tell 1 CI_PASSED prNumber:=101
	tell 1 REVIEW_PASSED prNumber:=101
	tell 1 MERGED prNumber:=101 mergeSha=abc
	tell 1 DEPLOYED_STAGING
	tell 1 SMOKE_PASSED
	tell 1 DEPLOYED_PRODUCTION
	tell 1 VERIFIED
	tell 1 ISSUE_DONE
	serve_start
	ask '/api/issues/acme%2Fapp%231/timeline'
	[ "$status_code" = 200 ]
	rig-timeline --json 'acme/app#1' | jq -cs . >wanted
	diff <(jq -c . answer) wanted
	ask '/api/issues/acme%2Fapp%231/gate'
	[ "$status_code" = 200 ]
	[ "$answer" = "$(rig-gate --json 'acme/app#1')" ]
	it_is 200 '.mayMerge == false and .prNumber == 101'
	ask '/api/issues/acme%2Fapp%231/gate?pr=9'
	it_is 200 '.prNumber == 9'
	ask '/api/issues/acme%2Fapp%231/gate?pr=x'
	it_is 400 '.code == "bad-request"'
	ask '/api/issues/acme%2Fapp%231/gate?pr=009'
	it_is 200 '.prNumber == 9'
	ask '/api/issues/acme%2Fapp%239/timeline'
	it_is 404 '.code == "not-found"'
	ask '/api/issues/--help/timeline'
	it_is 400 '.code == "bad-request"'
}

# ---- the process that runs them

# children PID: of that process
children() {
	cat /proc/"$1"/task/*/children
}

# until_true COMMAND...: it will be, within 20 s
until_true() {
	local left=1000
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return
		sleep 0.02
	done
}

follower() {
	local runner
	runner=$(children "$serve_pid")
	for pid in $(children "${runner% }"); do
		grep -q ev-project "/proc/$pid/cmdline" && return
	done
	return 1
}

is_gone() { # PID: ended, or only not waited for by whoever inherited it
	! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null
}

kept() { # NAME: the log has a model of it, up to its end
	[ "$(ev-project --list | jq -r --arg name "$1" \
		'select(.name == $name).checkpoint')" = "$(ev-cat -r -n 1 | jq .position)" ]
}

@test "it keeps the models that are read, from the first event on" {
	serve_start
	approve 1
	ev-append -q HEARTBEAT agentId=ada status=idle
	until_true kept agent-status
	until_true kept token-usage
	ev-append -q HEARTBEAT agentId=ada status=working
	until_true kept agent-status
}

@test "what keeps the models is started again when it ends" {
	approve 1
	serve_start
	until_true follower
	first=$pid
	kill -9 "$first"
	another() { follower && [ "$pid" != "$first" ]; }
	until_true another
}

@test "nothing outlives the server, even if it is killed" {
	approve 1
	# a command that does not end
	cat >rig-timeline <<-'END'
		#!/bin/sh
		sleep 1000 & echo $! >sleeper
		echo $$ >leader
		wait
	END
	chmod +x rig-timeline
	mkdir beside
	cp "$(command -v ev-serve)" beside/
	mv rig-timeline beside/
	ln -s "$ROOT/share" share
	ln -s "$ROOT/schemas" schemas
	PATH=$PWD/beside:$PATH serve_start
	until_true follower
	curl -s "$url/api/issues/acme%2Fapp%231/timeline" >/dev/null 3>&- &
	until_true test -s leader -a -s sleeper
	runner=$(children "$serve_pid")
	kill -9 "$serve_pid"
	wait "$serve_pid" || :
	serve_pid=
	for pid in $runner "$pid" "$(cat leader)" "$(cat sleeper)"; do
		until_true is_gone "$pid"
	done
}

@test "a stop waits for what is being done" {
	approve 1
	serve_start
	curl -s "$url/api/assignments/next?agentId=ada" >got 3>&- &
	local curl=$!
	another() { [ -n "$(children "$serve_pid")" ]; }
	until_true another
	until_true follower
	serve_stop
	wait "$curl"
	[ "$(jq -r .event.type got)" = ISSUE_ASSIGNED ]
}

@test "GitHub's token is for those that need it" {
	approve 1
	mkdir beside
	cp "$(command -v ev-serve)" beside/
	ln -s "$ROOT/share" share
	ln -s "$ROOT/schemas" schemas
	for name in rig-timeline rig-gate; do
		printf '#!/bin/sh\nenv >%s.env\nexec "%s" "$@"\n' "$PWD/$name" \
			"$ROOT/bin/$name" >"beside/$name"
		chmod +x "beside/$name"
	done
	export GITHUB_TOKEN=t0k GITHUB_API_URL=http://127.0.0.1:9 EV_ERRORS=json
	PATH=$PWD/beside:$PATH serve_start
	ask '/api/issues/acme%2Fapp%231/timeline'
	it_is 200 'length == 1'
	ask '/api/issues/acme%2Fapp%231/gate'
	grep -qx GITHUB_TOKEN=t0k rig-gate.env
	grep -qx "EV_LOG=$EV_LOG" rig-gate.env
	run ! grep -q '^GITHUB_TOKEN=' rig-timeline.env
	run ! grep -q '^EV_ERRORS=' rig-timeline.env
	grep -q "^PATH=$PWD/beside:" rig-timeline.env
}
