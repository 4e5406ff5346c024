#!/usr/bin/env bats
# rig-merge: what may be merged is merged at GitHub (tests/peers/github.mjs) and
# told to the log, once, wherever it is ended and whoever else does the same.
#
# shellcheck disable=SC2016 # hostile text is not to be expanded

load helper
load peers/peer

setup() {
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR
	export TMPDIR=$BATS_TEST_TMPDIR/tmp EV_HTTP_BACKOFF=0.01
	unset GITHUB_TOKEN GH_TOKEN GITHUB_TOKEN_FILE GITHUB_API_URL
	unset http_proxy HTTP_PROXY
	mkdir "$TMPDIR"
	cd "$TMPDIR" || return
	one=1111111111111111111111111111111111111111
	two=2222222222222222222222222222222222222222
}

teardown() {
	stop_peer
}

# tell TYPE MEMBER...: an event of issue 42
tell() {
	local type=$1
	shift
	ev-append -q "$type" repo=acme/app issueNumber:=42 "$@"
}

# An issue whose pull request may be merged: 5 events, and at GitHub, changed
# by JQ.
ready() { # [JQ]
	tell ISSUE_APPROVED
	tell ISSUE_ASSIGNED agentId=ada
	tell PR_CREATED prNumber:=7 agentId=ada commit="$one"
	tell CI_PASSED prNumber:=7
	tell REVIEW_PASSED prNumber:=7
	start_peer github < <(jq -n --arg one "$one" '{token: "t0k", repos:
	    {"acme/app": ({id: 5, issues: {"42": {}},
	     pulls: {"7": {body: "Fixes #42", sha: $one}}} | '"${1-.}"')}}')
	export GITHUB_API_URL=$peer GITHUB_TOKEN=t0k
}

merges() { # requests that were to merge, as GitHub answered them
	requests 'map(select(.method == "PUT") | .status)'
}

sha() {
	jq -r '.repos["acme/app"].pulls["7"].merge_commit_sha' "$peer_state"
}

merged_events() {
	ev-cat -t MERGED | jq -c '[.streamId, .data.prNumber, .data.mergeSha]'
}

@test "what may be merged is merged, and the log knows it" {
	ready
	run -0 --separate-stderr rig-merge --json 'acme/app#42'
	[ -z "$stderr" ]
	[ "$(jq -c 'keys_unsorted, [.streamId, .prNumber, .mergeSha],
	    [.event.type, .event.position]' <<<"$output" | tr '\n' ' ')" = \
		'["streamId","prNumber","mergeSha","event"] ["acme/app#42",7,"'"$(sha)"'"] ["MERGED",6] ' ]
	[ "$(merged_events)" = '["acme/app#42",7,"'"$(sha)"'"]' ]
	[ "$(ev-cat -t MERGED | jq -r .actor)" = rig-merge ]
	[ "$(requests 'map(select(.method == "PUT"))[0] | [.url, .body | fromjson? // .]')" = \
		'["/repos/acme/app/pulls/7/merge",{"sha":"'"$one"'","merge_method":"merge"}]' ]
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "for people it is a line, with -q none" {
	ready
	run -0 --separate-stderr rig-merge -R acme/app 42
	[ "$output" = "acme/app#42: #7 is merged as $(sha)" ]
	run -0 rig-merge -q 'acme/app#42'
	[ -z "$output" ]
}

@test "run again it merges and tells nothing" {
	ready
	rig-merge -q 'acme/app#42'
	run -0 --separate-stderr rig-merge --json 'acme/app#42'
	[ "$(jq -c '[.prNumber, .mergeSha, .event]' <<<"$output")" = \
		'[7,"'"$(sha)"'",null]' ]
	[ "$(merges)" = '[200]' ]
	[ "$(ev-cat -t MERGED | wc -l)" -eq 1 ]
}

@test "what may not be merged is not, and it says why" {
	ready
	tell HEARTBEAT -s 'acme/app#42' agentId=ada activity=commit commit="$two"
	run -1 --separate-stderr rig-merge 'acme/app#42'
	[ -z "$output" ]
	[ "$stderr" = "rig-merge: cannot merge #7 for 'acme/app#42': ci: nothing has passed since the last commit, 1111111111; review: older than the last commit; commit: the last one at GitHub is 1111111111, and in the log 2222222222" ] ||
		{ echo "$stderr"; return 1; }
	run -1 --separate-stderr rig-merge --json 'acme/app#42'
	[ "$output" = "$(rig-gate --json 'acme/app#42')" ]
	[ "$(merges)" = '[]' ]
	[ -z "$(merged_events)" ]
	run -1 rig-merge 'acme/app#43'
	[[ $output == *"cannot merge 'acme/app#43': linked: the issue has no pull request"* ]]
}

@test "--dry-run changes nothing" {
	ready
	run -0 rig-merge --dry-run 'acme/app#42'
	[ "$output" = "rig-merge: would merge #7 of acme/app, $one" ]
	[ "$(merges)" = '[]' ]
	[ -z "$(merged_events)" ]
}

@test "what was merged already is told, at the time that it was" {
	ready '.pulls["7"] += {merged_at: "2026-04-21T12:00:00Z",
	    merge_commit_sha: "abcdefabcdefabcdefabcdefabcdefabcdefabcd"}'
	run -0 rig-merge --json 'acme/app#42'
	[ "$(jq -r .event.timestamp <<<"$output")" = 2026-04-21T12:00:00.000000Z ]
	[ "$(merged_events)" = '["acme/app#42",7,"abcdefabcdefabcdefabcdefabcdefabcdefabcd"]' ]
	[ "$(merges)" = '[]' ]
}

@test "what was merged for another issue is not told here" {
	ready '.pulls["8"] = {merged_at: "2026-04-21T12:00:00Z", merge_commit_sha: "abc"}'
	run -1 rig-merge --pr 8 'acme/app#42'
	[[ $output == *'linked: the log knows no #8 for this issue'* ]]
	[ -z "$(merged_events)" ]
}

@test "a commit that comes in between is not merged" {
	ready
	change_peer --arg two "$two" '.trouble = [{when: "PUT", status: 409,
	    body: {message: "Head branch was modified. Review and try the merge again."}}]'
	run -0 rig-merge -q 'acme/app#42'
	[ "$(merges)" = '[409,200]' ]
	# and when it always does
	stop_peer
	rm "$EV_LOG"*
	ready
	change_peer '.trouble = [{when: "PUT", status: 409, times: 99,
	    body: {message: "Head branch was modified."}}]'
	run -75 rig-merge 'acme/app#42'
	[ "$output" = "rig-merge: cannot merge #7 of acme/app: GitHub says: Head branch was modified." ]
	[ "$(merges)" = '[409,409,409]' ]
	[ -z "$(merged_events)" ]
}

@test "the commit that the gate saw is the one that is merged" {
	ready
	# the head moves after the gate has asked
	change_peer '.trouble = [{when: "issues/42", status: 200, body: {labels: []}}]'
	cat >rig-gate <<-END
		#!/bin/sh
		"$ROOT/bin/rig-gate" "\$@"
		status=\$?
		jq --arg two $two '.repos["acme/app"].pulls["7"].sha = \$two' \
		    "$peer_state" >"$peer_state.changed"
		mv "$peer_state.changed" "$peer_state"
		exit \$status
	END
	chmod +x rig-gate
	PATH=$PWD:$PATH run -1 --separate-stderr rig-merge 'acme/app#42'
	[[ $stderr == *'commit: the last one at GitHub is 2222222222'* ]]
	[ "$(merges)" = '[409]' ]
	[ -z "$(merged_events)" ]
}

@test "an answer that was lost does not hide that it is merged" {
	ready
	change_peer '.trouble = [{when: "PUT", drop: true, after: true}]'
	run -0 rig-merge --json 'acme/app#42'
	[ "$(jq -r .mergeSha <<<"$output")" = "$(sha)" ]
	[ "$(merges)" = '[null,405]' ]
	[ "$(ev-cat -t MERGED | wc -l)" -eq 1 ]
}

@test "ended between merge and log, the next run tells the log" {
	ready
	curl -sf -X PUT -H "Authorization: Bearer t0k" -H 'User-Agent: x' \
		-H 'Accept: application/vnd.github+json' \
		-H 'X-GitHub-Api-Version: 2022-11-28' \
		-H 'Content-Type: application/json' \
		-d '{"merge_method":"merge"}' "$peer/repos/acme/app/pulls/7/merge"
	[ -z "$(merged_events)" ]
	rig-merge -q 'acme/app#42'
	[ "$(merged_events)" = '["acme/app#42",7,"'"$(sha)"'"]' ]
}

@test "several at once: one merge, one event, and each is content" {
	ready
	local i pids=()
	for i in 1 2 3 4; do
		rig-merge --json 'acme/app#42' >"out.$i" 2>"err.$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	[ "$(requests 'map(select(.method == "PUT" and .status == 200)) | length')" -eq 1 ]
	[ "$(ev-cat -t MERGED | wc -l)" -eq 1 ]
	[ "$(jq -s 'map(select(.event)) | length' out.*)" -eq 1 ]
	[ "$(jq -r .mergeSha out.* | sort -u)" = "$(sha)" ]
}

@test "a merge that a webhook has told is not told again" {
	ready
	rig-merge -q 'acme/app#42'
	stop_peer
	rm "$EV_LOG"*
	ready '.pulls["7"] += {merged_at: "2026-04-21T12:00:00Z",
	    merge_commit_sha: "abcdefabcdefabcdefabcdefabcdefabcdefabcd"}'
	tell MERGED prNumber:=7 mergeSha=abcdefabcdefabcdefabcdefabcdefabcdefabcd \
		--id github/1
	run -0 rig-merge --json 'acme/app#42'
	[ "$(jq -c .event <<<"$output")" = null ]
	[ "$(ev-cat -t MERGED | wc -l)" -eq 1 ]
}

@test "what GitHub refuses is not merged, in its words" {
	ready '.methods = ["squash"]'
	run -1 --separate-stderr rig-merge --json 'acme/app#42'
	[ -z "$output" ]
	[ "$stderr" = 'rig-merge: cannot merge #7 of acme/app: GitHub says: Merge method merge is not allowed on this repository.' ]
	rig-merge -q --method squash 'acme/app#42'
	[ "$(ev-cat -t MERGED | wc -l)" -eq 1 ]
}

@test "without GitHub there is nothing to merge with" {
	ready
	unset GITHUB_TOKEN GITHUB_API_URL
	run -69 rig-merge 'acme/app#42'
	[[ $output == 'rig-merge: there is no token for GitHub: set GITHUB_TOKEN'* ]]
	export GITHUB_API_URL=$peer GITHUB_TOKEN=wrong
	run -69 rig-merge 'acme/app#42'
	[[ $output == *'refuses the token: GitHub says: Bad credentials' ]]
	GITHUB_TOKEN=t0k
	change_peer '.trouble = [{when: "PUT", status: 502, times: 99}]'
	run -69 rig-merge 'acme/app#42'
	[[ $output == *': it answers 502; repeat this later' ]]
	[ -z "$(merged_events)" ]
}

@test "one in another repository is merged there" {
	tell ISSUE_APPROVED
	tell PR_CREATED prNumber:=7 agentId=ada \
		prUrl=https://github.com/acme/lib/pull/7
	tell CI_PASSED prNumber:=7
	tell REVIEW_PASSED prNumber:=7
	start_peer github <<<'{"token": "t0k", "repos": {
	    "acme/app": {"id": 5, "issues": {"42": {}}},
	    "acme/lib": {"id": 6, "pulls": {"7": {"body": "Fixes acme/app#42"}}}}}'
	export GITHUB_API_URL=$peer GITHUB_TOKEN=t0k
	rig-merge -q 'acme/app#42'
	[ "$(requests 'map(select(.method == "PUT").url)')" = \
		'["/repos/acme/lib/pulls/7/merge"]' ]
	[ "$(ev-cat -t MERGED | jq -r .streamId)" = 'acme/app#42' ]
}

@test "a wrong command line" {
	run -64 rig-merge
	run -64 rig-merge 'acme/app#42' 7
	run -64 rig-merge --pr 0 'acme/app#42'
	run -64 rig-merge --method fold 'acme/app#42'
	run -64 rig-merge --no-such 'acme/app#42'
	run -64 rig-merge '$(touch x)'
	[ ! -e x ]
}
