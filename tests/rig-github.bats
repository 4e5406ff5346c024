#!/usr/bin/env bats
# rig-close-duplicates, and what the rig scripts know of HTTP and GitHub, put to
# a server that plays GitHub (tests/peers/github.mjs).
#
# shellcheck disable=SC2016 # hostile text is not to be expanded

load helper
load peers/peer

setup() {
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	export GITHUB_TOKEN=ghp_secret0123 EV_HTTP_BACKOFF=0.01
	unset GH_TOKEN GITHUB_TOKEN_FILE http_proxy HTTP_PROXY
	mkdir "$TMPDIR"
	cd "$TMPDIR" || return
	start_peer github <<-'END'
		{"token": "ghp_secret0123", "repos": {"acme/app": {"id": 5,
		  "issues": {"42": {"title": "Round half to even"}},
		  "pulls": {
		    "7": {"body": "Fixes #42", "merged_at": "2026-04-21T10:22:00Z"},
		    "9": {"body": "Closes #42, I hope", "login": "ben"},
		    "12": {"body": "Closes #43"}}}}}
	END
	export GITHUB_API_URL=$peer
	ev-append -q <<-'END'
		{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":42,"timestamp":"2026-04-21T08:00:00Z"}
		{"type":"ISSUE_ASSIGNED","repo":"acme/app","issueNumber":42,"agentId":"ada","timestamp":"2026-04-21T08:01:00Z"}
		{"type":"PR_CREATED","repo":"acme/app","issueNumber":42,"agentId":"ada","prNumber":7,"prUrl":"https://github.com/acme/app/pull/7","timestamp":"2026-04-21T09:01:00Z"}
		{"type":"ISSUE_ASSIGNED","repo":"acme/app","issueNumber":42,"agentId":"ben/x7k2p","timestamp":"2026-04-21T09:02:00Z"}
		{"type":"PR_CREATED","repo":"acme/app","issueNumber":42,"agentId":"ben/x7k2p","prNumber":9,"timestamp":"2026-04-21T09:03:00Z"}
		{"type":"MERGED","repo":"acme/app","issueNumber":42,"prNumber":7,"mergeSha":"abc","timestamp":"2026-04-21T10:22:01Z"}
	END
}

teardown() {
	stop_peer
}

close_duplicates() {
	rig-close-duplicates "$@" 'acme/app#42' 7
}

# Pull requests are numbers, but strange ones are bodies too:
# pulls NUMBER=BODY...
pulls() {
	local pair
	for pair; do
		change_peer --arg n "${pair%%=*}" --arg body "${pair#*=}" \
			'.repos["acme/app"].pulls[$n] += {$body}'
	done
}

# trouble JSON...: what goes wrong, see http.mjs
trouble() {
	change_peer --argjson list "[$1]" '.trouble = $list'
}

# What has become of a pull request: "open 0" or "closed 1", with the number of
# its comments.
fate() {
	jq -r --arg n "$1" '.repos["acme/app"] | "\(.pulls[$n].state // "open") " +
	    "\(.comments[$n] // [] | length)"' "$peer_state"
}

# Events from the seventh on, as TYPE or as JQ says.
news() {
	ev-cat --from 7 | jq -cs "map(${1:-.type})"
}

all_done() {
	local found
	found="$(fate 9), $(fate 12), $(news)"
	[ "$found" = \
		'closed 1, open 0, ["ISSUE_UNASSIGNED","DUPLICATE_PR_CLOSED"]' ] || {
		echo "$found"
		requests 'map([.method, .url, .status])[]'
		return 1
	}
}

# script < TEXT: a script as those of the rig, with the library of HTTP
script() {
	mkdir -p "$TMPDIR/bin"
	ln -sfn "$ROOT/share" "$TMPDIR/share"
	{
		cat <<-'END'
			#!/bin/sh
			usage=none
			. "$(dirname -- "$(readlink -f -- "$0")")/../share/rig/common.sh"
			. "$rig_share/http.sh"
			. "$rig_share/github.sh"
		END
		cat
	} >"$TMPDIR/bin/rig-try"
	chmod +x "$TMPDIR/bin/rig-try"
}

# ---- closing duplicates

@test "a duplicate is commented on and closed, its claim released, the log told" {
	run -0 --separate-stderr close_duplicates
	[ "$output" = 'acme/app#42: #9 closed, a duplicate of #7' ]
	[ -z "$stderr" ]
	all_done
	jq -r '.repos["acme/app"].comments["9"][0].body' "$peer_state" >comment
	diff comment - <<-'END'
		**Duplicate of #7** — closed automatically by Conductor-E.
		PR #7 covered the same issue #42 and merged at 2026-04-21T10:22:00Z.
		Two agents claimed the same issue; this one lost the race.
		END
}

@test "what it tells is the issue's, by this command" {
	close_duplicates -q
	[ "$(news '[.streamId, .actor, .data]')" = '[["acme/app#42","rig-close-duplicates",{"repo":"acme/app","issueNumber":42,"agentId":"ben","reason":"#7 was merged, #9 was closed"}],["acme/app#42","rig-close-duplicates",{"repo":"acme/app","issueNumber":42,"mergedPrNumber":7,"closedPrNumber":9}]]' ]
	[ "$(ev-get issue-status 'acme/app#42' | jq -c '[.state, .prNumber]')" = \
		'["merged",7]' ]
	[ "$(ev-get agent-status ben | jq -r .status)" = idle ]
}

@test "GitHub is asked for as little as it takes" {
	close_duplicates -q
	[ "$(requests 'map("\(.method) \(.url | split("?")[0])")')" = '["GET /repos/acme/app/pulls/7","GET /repos/acme/app/pulls","GET /repos/acme/app/issues","GET /repos/acme/app/issues/9/comments","POST /repos/acme/app/issues/9/comments","PATCH /repos/acme/app/pulls/9"]' ]
	[ "$(requests 'map(.headers["user-agent"]) | unique')" = '["ev-rig"]' ]
}

@test "twice changes nothing twice" {
	close_duplicates -q
	: >"$peer_journal"
	run -0 close_duplicates
	[ -z "$output" ]
	all_done
	[ "$(requests 'map(.method) | unique')" = '["GET"]' ]
}

@test "--dry-run says what would be done, and does nothing" {
	run -0 close_duplicates -n
	[ "$output" = 'acme/app#42: #9 would be closed, a duplicate of #7' ]
	[ "$(fate 9)" = 'open 0' ]
	[ "$(news)" = '[]' ]
}

@test "--json prints an object for each" {
	run -0 close_duplicates --json
	[ "$output" = '{"streamId":"acme/app#42","mergedPrNumber":7,"closedPrNumber":9,"released":"ben"}' ]
}

@test "a text closes an issue as on GitHub: keyword, number, word by word" {
	pulls 21='close #42' 22='CLOSED #42' 23='fix: #42' 24='fixed acme/app#42' \
		25='resolve #42' 26='Resolves ACME/App#42.' 27='resolved #42' \
		28='fixes https://github.com/acme/app/issues/42' \
		29=$'A title\r\n\r\nFixes #42\r\n' \
		41='fixes #421' 42='see #42' 43='discloses #42' 44='fixes other/app#42' \
		45='fixes#42' 46='`fixes #42`' 47=$'```\nfixes #42\n```' \
		48='<!-- fixes #42 -->' 49='fixing #42' 50='prefix #42' 51='' \
		52='fixes https://github.com/other/app/issues/42'
	close_duplicates -q
	for n in 9 21 22 23 24 25 26 27 28 29; do
		[ "$(fate $n)" = 'closed 1' ] || { echo "$n: $(fate $n)"; return 1; }
	done
	for n in 12 41 42 43 44 45 46 47 48 49 50 51 52; do
		[ "$(fate $n)" = 'open 0' ] || { echo "$n: $(fate $n)"; return 1; }
	done
	[ "$(news .data.closedPrNumber)" = '[null,9,21,22,23,24,25,26,27,28,29]' ]
}

@test "a pull request that came after the merge is left alone" {
	pulls 20='Fixes #42'
	change_peer '.repos["acme/app"].pulls["20"].created_at = "2026-04-21T10:22:01Z"'
	close_duplicates -q
	[ "$(fate 20)" = 'open 0' ]
	all_done
}

@test "what is not merged has no duplicates" {
	change_peer 'del(.repos["acme/app"].pulls["7"].merged_at)'
	run -1 close_duplicates
	[ "$output" = 'rig-close-duplicates: pull request #7 of acme/app is not merged' ]
	run -1 rig-close-duplicates 'acme/app#42' 99
	[[ $output == *"cannot read pull request #99 of acme/app: GitHub says: Not Found" ]]
	[ "$(fate 9)" = 'open 0' ]
}

@test "a duplicate beyond the second page is found" {
	change_peer '.repos["acme/app"].pulls += ([range(1000; 1250)
	    | {key: "\(.)", value: {body: "nothing"}}] | from_entries)'
	close_duplicates -q
	all_done
	[ "$(requests 'map(select(.url | test("/pulls\\?"))) | length')" = 3 ]
}

@test "the pull request may be in another repository than the issue" {
	change_peer '.repos["acme/lib"] = {id: 6, pulls: {
	    "7": {body: "Fixes acme/app#50", merged_at: "2026-04-21T10:22:00Z"},
	    "8": {body: "Fixes acme/app#50"}, "9": {body: "Fixes #50"}}}'
	ev-append -q PR_CREATED repo=acme/app issueNumber:=50 prNumber:=7 \
		prUrl=https://github.com/acme/lib/pull/7 agentId=ada
	rig-close-duplicates -q 'acme/app#50' 7
	[ "$(jq -c '.repos["acme/lib"].pulls | map(.state)' "$peer_state")" = \
		'[null,"closed",null]' ]
	[ "$(news .data.closedPrNumber)" = '[null,8]' ]
}

# ---- whose claim

@test "the claim of the agent that won stays" {
	ev-append -q ISSUE_ASSIGNED repo=acme/app issueNumber:=42 agentId=ada \
		--timestamp 2026-04-21T10:00:00Z
	close_duplicates -q
	[ "$(news)" = '["ISSUE_ASSIGNED","DUPLICATE_PR_CLOSED"]' ]
}

@test "a claim that is newer than the merge stays" {
	ev-append -q ISSUE_ASSIGNED repo=acme/app issueNumber:=42 agentId=ben \
		--timestamp 2026-04-21T10:22:00.5Z
	close_duplicates -q
	[ "$(news)" = '["ISSUE_ASSIGNED","DUPLICATE_PR_CLOSED"]' ]
}

@test "an agent that is both winner and loser keeps its claim" {
	ev-append -q PR_CREATED repo=acme/app issueNumber:=42 agentId=ben prNumber:=7
	close_duplicates -q
	[ "$(news)" = '["PR_CREATED","DUPLICATE_PR_CLOSED"]' ]
}

@test "of an issue that the log does not know the duplicate is told all the same" {
	EV_LOG=$TMPDIR/new.db
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=1
	close_duplicates -q
	run -0 ev-cat -s 'acme/app#42'
	[ "$(jq -c '[.type, .version]' <<<"$output")" = '["DUPLICATE_PR_CLOSED",0]' ]
}

# ---- again, after all that can happen

@test "what a person opens again stays open" {
	close_duplicates -q
	change_peer '.repos["acme/app"].pulls["9"].state = "open"'
	close_duplicates -q
	[ "$(fate 9)" = 'open 1' ]
}

@test "what somebody else closed is not told as closed by us" {
	change_peer '.repos["acme/app"].pulls["9"] += {state: "closed",
	    closed_at: "2026-04-21T11:00:00Z"}'
	close_duplicates -q
	[ "$(fate 9)" = 'closed 0' ]
	[ "$(news)" = '[]' ]
}

# A command on PATH that stands in for another: it does its work, and at its Nth
# call kills the script then.
killer() { # COMMAND N
	mkdir -p "$TMPDIR/killer"
	local real
	real=$(command -v "$1")
	cat >"$TMPDIR/killer/$1" <<-END
		#!/bin/bash
		echo >>'$TMPDIR/calls.$1'
		[ "\$(wc -l <'$TMPDIR/calls.$1')" = $2 ] || exec '$real' "\$@"
		'$real' "\$@"
		touch '$TMPDIR/killed'
		kill -9 "\$(cat '$TMPDIR/pid')"
	END
	chmod +x "$TMPDIR/killer/$1"
}

# The log and GitHub as they were, and nobody was killed yet.
begin_anew() { # LOG
	cp state.json state.new
	mv state.new "$peer_state"
	export EV_LOG=$TMPDIR/$1
	ev-append -q ./events
	rm -rf killer calls.* killed
}

@test "killed after any request or append, and run again: all is done once" {
	local what call name
	cp "$peer_state" state.json
	ev-cat >events
	for what in curl:6 ev-append:2; do
		name=${what%:*}
		for ((call = 1; call <= ${what#*:}; call++)); do
			begin_anew "log.$what.$call"
			killer "$name" "$call"
			run bash -c 'echo $$ >pid; PATH=$PWD/killer:$PATH exec "$@"' - \
				rig-close-duplicates 'acme/app#42' 7
			[ "$status" -eq 137 ]
			[ -e killed ]
			close_duplicates -q
			all_done || { echo "$name $call"; return 1; }
		done
	done
	# there are no more requests and appends than were tried
	begin_anew log.whole
	killer curl 99
	killer ev-append 99
	PATH=$TMPDIR/killer:$PATH close_duplicates -q
	[ "$(wc -l <calls.curl) $(wc -l <calls.ev-append)" = '6 2' ]
}

@test "two at once tell the log once" {
	close_duplicates -q &
	close_duplicates -q
	wait $!
	[ "$(news)" = '["ISSUE_UNASSIGNED","DUPLICATE_PR_CLOSED"]' ]
}

# ---- what GitHub refuses

@test "a locked conversation gets no comment, and is closed" {
	change_peer '.repos["acme/app"].locked = [9]'
	run -0 --separate-stderr close_duplicates
	[ "$stderr" = 'rig-close-duplicates: cannot comment on #9: GitHub says: Unable to create comment because issue is locked.' ]
	[ "$(fate 9)" = 'closed 0' ]
	[ "$(news)" = '["ISSUE_UNASSIGNED","DUPLICATE_PR_CLOSED"]' ]
}

@test "one that cannot be closed does not hold up the others" {
	pulls 10='fixes #42'
	trouble '{"when": "PATCH .*/9$", "times": 9, "status": 403,
	    "body": {"message": "Resource not accessible \u001b[31mby token"}}'
	run -1 --separate-stderr close_duplicates
	[ "$output" = 'acme/app#42: #10 closed, a duplicate of #7' ]
	[ "$stderr" = 'rig-close-duplicates: cannot close #9 of acme/app: GitHub says: Resource not accessible \u001b[31mby token' ]
	[ "$(news .data.closedPrNumber)" = '[10]' ]
	trouble ''
	close_duplicates -q
	[ "$(fate 9)" = 'closed 1' ]
}

@test "a wrong token ends it, and is in no message" {
	GITHUB_TOKEN=ghp_wrong4567 run -69 close_duplicates
	[ "$output" = "rig-close-duplicates: ${peer#http://} refuses the token: GitHub says: Bad credentials" ]
	unset GITHUB_TOKEN
	run -69 close_duplicates
	[[ $output == *'there is no token for GitHub: set GITHUB_TOKEN, or'* ]]
}

@test "nobody else can see the token: no argument and no file has it" {
	mkdir spy
	printf '#!/bin/sh\nprintf "%%s\\n" "$@" >>%s/seen\nexec %s "$@"\n' \
		"$TMPDIR" "$(command -v curl)" >spy/curl
	chmod +x spy/curl
	PATH=$TMPDIR/spy:$PATH close_duplicates -q
	[ -s seen ]
	run ! grep -F ghp_ seen
	all_done
}

@test "what it needed is removed again" {
	close_duplicates -q
	[ -z "$(ls -A "$TMPDIR")" ]
	GITHUB_TOKEN=wrong run -69 close_duplicates
	[ -z "$(ls -A "$TMPDIR")" ]
}

# ---- the way there

@test "a comment of which nobody knows whether it came is not made twice" {
	trouble '{"when": "POST", "drop": true, "after": true}'
	close_duplicates -q
	all_done
}

@test "a comment that did not come is made again" {
	trouble '{"when": "POST", "drop": true}'
	close_duplicates -q
	all_done
	trouble '{"when": "POST", "status": 502, "times": 3}'
	pulls 10='fixes #42'
	run -69 close_duplicates -q
	[[ $output == *': it answers 502; repeat this later' ]]
	[ "$(fate 10)" = 'open 0' ]
}

@test "a server that fails once or twice is asked again" {
	trouble '{"when": "GET .*/pulls/7", "status": 500, "body": "oops"},
	    {"when": "GET .*/pulls/7", "drop": true},
	    {"when": "GET .*state=open", "half": true},
	    {"when": "PATCH", "status": 503, "after": true}'
	close_duplicates -q
	all_done
	[ "$(requests length)" = 10 ]
}

@test "a server that keeps failing is unreachable" {
	trouble '{"when": "GET", "status": 500, "times": 9}'
	run -69 close_duplicates
	[ "$output" = "rig-close-duplicates: cannot reach ${peer#http://}: it answers 500; repeat this later" ]
	[ "$(requests length)" = 3 ]
	stop_peer
	run -69 close_duplicates
	[ "$output" = "rig-close-duplicates: cannot reach ${peer#http://}: nobody listens there; repeat this later" ]
}

@test "a server that does not answer is not waited for longer than told" {
	trouble '{"when": "GET", "hang": true, "times": 9}'
	EV_HTTP_TIMEOUT=0.2 run -69 close_duplicates
	[ "$output" = "rig-close-duplicates: cannot reach ${peer#http://}: no answer within 0.2 s; repeat this later" ]
	trouble '{"when": "GET", "half": true, "times": 9}'
	run -69 close_duplicates
	[ "$output" = "rig-close-duplicates: cannot reach ${peer#http://}: the connection broke off; repeat this later" ]
}

@test "an answer without end is not taken" {
	trouble '{"when": "GET", "bytes": 20000000, "times": 9}'
	run -69 close_duplicates
	[[ $output == *': the answer is larger than 16 MiB, or the disk full; repeat this later' ]]
}

@test "a rate limit is waited for, if that is not too long" {
	trouble '{"when": "GET .*/pulls/7", "status": 429,
	    "headers": {"Retry-After": "1"}},
	    {"when": "PATCH", "status": 403, "headers": {"Retry-After": "0"}}'
	run -0 --separate-stderr close_duplicates
	[ "$stderr" = "rig-close-duplicates: GitHub's rate limit: waiting 1 s
rig-close-duplicates: GitHub's rate limit: waiting 1 s" ]
	all_done
}

@test "whoever waits for a rate limit can be told to end" {
	trouble '{"when": "GET", "status": 429, "headers": {"Retry-After": "99"}}'
	status=0
	rig-close-duplicates 'acme/app#42' 7 2>messages 3>&- &
	until [ -s messages ]; do
		sleep 0.01
	done
	kill $!
	wait $! || status=$?
	[ "$status" -eq 143 ]
	rm messages
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "a rate limit that is over in an hour is told, and not waited for" {
	trouble '{"when": "GET", "times": 9, "status": 403, "headers":
	    {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}}'
	run -75 close_duplicates
	[[ $output == "rig-close-duplicates: GitHub's rate limit: repeat this in "*' s' ]]
	trouble '{"when": "GET", "times": 9, "status": 403, "body":
	    {"message": "You have exceeded a secondary rate limit."}}'
	EV_HTTP_WAIT=59 run -75 close_duplicates
	[ "$output" = "rig-close-duplicates: GitHub's rate limit: repeat this in 60 s" ]
}

@test "a repository that was renamed is followed, to the same server only" {
	change_peer '.repos["acme/new"] = .repos["acme/app"]
	    | .repos["acme/app"] = {movedTo: "acme/new"}'
	close_duplicates -q
	[ "$(jq -r '.repos["acme/new"].pulls["9"].state' "$peer_state")" = closed ]
	trouble '{"when": "GET", "times": 9, "status": 302,
	    "headers": {"Location": "http://localhost:1/x"}}'
	: >"$peer_journal"
	run -1 close_duplicates
	[[ $output == *'cannot read pull request #7 of acme/app: GitHub says 302' ]]
	[ "$(requests length)" = 1 ]
}

@test "a next page on another server is not read" {
	trouble '{"when": "state=open", "status": 200, "body": [],
	    "headers": {"Link": "<http://localhost:1/x?page=2>; rel=\"next\""}}'
	run -69 close_duplicates
	[[ $output == *': its next page is on another server' ]]
}

# ---- where GitHub is

@test "the configuration names GitHub and the file of the token" {
	unset GITHUB_TOKEN GITHUB_API_URL
	mkdir conf
	printf '  ghp_secret0123 \r\nmore\n' >conf/token
	printf 'github: { api: "%s/", token-file: token }\n' "$peer" >conf/rig.yaml
	close_duplicates -q --config conf/rig.yaml
	all_done
}

@test "GITHUB_TOKEN_FILE is the file of the token" {
	unset GITHUB_TOKEN
	export GITHUB_TOKEN_FILE=$TMPDIR/none
	run -64 close_duplicates
	[ "$output" = "rig-close-duplicates: cannot read '$TMPDIR/none': a secret is to be in it" ]
	: >"$GITHUB_TOKEN_FILE"
	run -65 close_duplicates
	printf 'two words\n' >"$GITHUB_TOKEN_FILE"
	run -65 close_duplicates
	printf 'ghp_secret0123' >"$GITHUB_TOKEN_FILE"
	close_duplicates -q
	all_done
}

@test "a token goes nowhere in the clear but to this machine" {
	GITHUB_API_URL=http://github.example/api/v3 run -64 close_duplicates
	[ "$output" = "rig-close-duplicates: 'http://github.example/api/v3': a token is sent by https only" ]
	GITHUB_API_URL=ftp://github.example run -64 close_duplicates
	GITHUB_API_URL=http://127.0.0.1.example run -64 close_duplicates
	GITHUB_API_URL=http://localhost@github.example run -64 close_duplicates
}

# ---- hostile text

@test "texts from GitHub and from events are texts" {
	local evil=$'"\'$(touch pwned)`touch pwned`\n-n\e[31m;touch pwned'
	pulls 10="$evil fixes #42 $evil" 11="fixes #42 $(printf 'x%.0s' {1..60000})"
	change_peer --arg evil "$evil" '.repos["acme/app"].pulls["10"] += {
	    login: null, title: $evil}'
	ev-append -q PR_CREATED repo=acme/app issueNumber:=42 prNumber:=10 \
		prUrl="$evil" agentId="$evil" branch=@/etc/passwd
	ev-append -q ISSUE_ASSIGNED repo=acme/app issueNumber:=42 \
		agentId="$evil" --timestamp 2026-04-21T10:00:00Z
	head -c 1048576 /dev/zero | tr '\0' x | jq -Rc '{type: "PR_CREATED",
	    repo: "acme/app", issueNumber: 42, prNumber: 11, agentId: "big",
	    text: .}' | ev-append -q
	run -0 close_duplicates --json
	[ "$(jq -cs 'map(.closedPrNumber)' <<<"$output")" = '[9,10,11]' ]
	[ "$(jq -s --arg evil "$evil" '.[1].released == $evil' <<<"$output")" = true ]
	[ ! -e pwned ]
	[ "$(fate 10)" = 'closed 1' ]
}

@test "what is no repository of GitHub becomes no path" {
	local repo
	for repo in 'acme/../etc' 'acme' 'a/b/c' '../app' 'acme/a b' 'acme/a?x' \
		'acme/..'; do
		run -65 rig-close-duplicates "$repo#42" 7
		[[ $output == *": no repository of GitHub" ]]
	done
	[ "$(requests length)" = 0 ]
}

# ---- by events

@test "--event takes the event on standard input" {
	ev-cat -t MERGED | rig-close-duplicates -q --event
	all_done
	run -65 rig-close-duplicates --event <<<'{"type":"CI_PASSED"}'
	run -65 rig-close-duplicates --event <<<'no JSON'
	run -65 rig-close-duplicates --event </dev/null
	[ "$output" = 'rig-close-duplicates: standard input: expected an event MERGED' ]
}

@test "--once does what was merged since the last time" {
	rig-close-duplicates -q --once
	[ "$(fate 9)" = 'open 0' ]
	ev-append -q MERGED repo=acme/app issueNumber:=42 prNumber:=7 mergeSha=def
	trouble '{"when": "PATCH", "drop": true, "after": true, "times": 1}'
	run -0 rig-close-duplicates --once
	[ "$output" = 'acme/app#42: #9 closed, a duplicate of #7' ]
	: >"$peer_journal"
	rig-close-duplicates --once
	[ "$(requests length)" = 0 ]
	[ "$(news '[.type, (.causationId != null)]')" = '[["MERGED",false],["ISSUE_UNASSIGNED",true],["DUPLICATE_PR_CLOSED",true]]' ]
}

@test "usage errors exit 64" {
	run -64 rig-close-duplicates
	run -64 rig-close-duplicates 'acme/app#42'
	run -64 rig-close-duplicates 'acme/app#42' x
	run -64 rig-close-duplicates 'acme/app#42' 0
	run -64 rig-close-duplicates --event 'acme/app#42' 7
	run -64 rig-close-duplicates -n --once
	EV_HTTP_TIMEOUT=soon run -64 close_duplicates
	EV_HTTP_TIMEOUT=0 run -64 close_duplicates
	EV_HTTP_WAIT=soon run -64 close_duplicates
	[ "$(requests length)" = 0 ]
}

# ---- the library

@test "github_issue prints an issue, or fails" {
	script <<-'END'
		github_begin
		github_issue "$1" "$2" || exit
	END
	run -0 bin/rig-try acme/app 42
	[ "$(jq -c '[.number, .title]' <<<"$output")" = '[42,"Round half to even"]' ]
	run -1 bin/rig-try acme/app 43
	[ "$output" = 'rig-try: cannot read acme/app#43: GitHub says: Not Found' ]
	run -64 bin/rig-try acme/../x 42
}

@test "how long to wait is what the answer says, by the server's clock" {
	script <<-'END'
		http_begin
		http_status=$1
		printf '%b' "$2" >"$http_answer.headers"
		printf '%s' "$3" >"$http_answer"
		http_wait && echo "$wait_seconds"
	END
	local date='Date: Tue, 21 Apr 2026 10:00:00 GMT\r\n'
	says() { # SECONDS STATUS HEADERS BODY
		run -0 bin/rig-try "$2" "HTTP/1.1 $2\\r\\n$3" "${4-}"
		[ "$output" = "$1" ] || { echo "$3 ${4-}: $output"; return 1; }
	}
	says 7 429 'Retry-After: 7\r\n'
	says 7 503 'retry-after:   7  \r\n'
	says 2 429 'Retry-After: 1.1\r\n'
	says 90 429 "${date}Retry-After: Tue, 21 Apr 2026 10:01:30 GMT\\r\\n"
	says 0 429 "${date}Retry-After: Tue, 21 Apr 2026 09:01:30 GMT\\r\\n"
	says 60 403 "${date}x-ratelimit-remaining: 0\\r\\nx-ratelimit-reset: 1776765660\\r\\n"
	says 1 429 '' '{"message": "slow", "retry_after": 0.573, "global": false}'
	# the answer of a proxy comes first, with headers of its own
	says 3 429 'Retry-After: 9\r\n\r\nHTTP/1.1 429\r\nRetry-After: 3\r\n'
	says_nothing() {
		run -1 bin/rig-try "$1" "HTTP/1.1 $1\\r\\n$2" "${3-}"
		[ -z "$output" ] || { echo "$2: $output"; return 1; }
	}
	says_nothing 429 ''
	says_nothing 200 '' '{"retry_after": 5}'
	says_nothing 403 'x-ratelimit-remaining: 7\r\nx-ratelimit-reset: 1776765660\r\n'
	says_nothing 429 'Retry-After: $(touch pwned)\r\n'
	says_nothing 429 'Retry-After: -5\r\n'
	says_nothing 429 '' '{"retry_after": "soon"}'
	[ ! -e pwned ]
}

@test "urls and headers that are none are not sent" {
	script <<-'END'
		http_begin
		http_headers=$2
		http GET "$1" || echo "$http_status $http_error"
	END
	run -0 bin/rig-try "$peer/a b" ''
	[ "$output" = '000 the url has characters that no url has' ]
	run -0 bin/rig-try "$peer/"$'a\nuser = x' ''
	[ "$output" = '000 the url has characters that no url has' ]
	run -0 bin/rig-try file:///etc/passwd ''
	[ "$output" = '000 expected a url with http:// or https://' ]
	run -0 bin/rig-try "$peer/" $'Accept: x\n@/etc/passwd'
	[ "$output" = '000 a header has no name' ]
	[ "$(requests length)" = 0 ]
	run -0 bin/rig-try "$peer/[1-3]?{a,b}=\"\\x" 'X-It: "\$(id)\"'
	[ "$(requests 'map([.url, .headers["x-it"]])')" = \
		'[["/[1-3]?{a,b}=\"\\x","\"\\$(id)\\\""]]' ]
}
