#!/usr/bin/env bats
# rig-gate: every thing that a merge needs, there and missing, from the log
# alone and with what GitHub (tests/peers/github.mjs) knows.
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

# commit SHA [MEMBER...]: what the hook post-commit tells, or, with another
# $activity, another one
commit() {
	local sha=$1
	shift
	ev-append -q -s 'acme/app#42' HEARTBEAT agentId=ada status=working \
		activity="${activity:-commit}" currentIssue:=42 currentRepo=acme/app \
		commit="$sha" "$@"
}

# An issue whose pull request may be merged: 5 events.
ready() {
	tell ISSUE_APPROVED
	tell ISSUE_ASSIGNED agentId=ada
	tell PR_CREATED prNumber:=7 agentId=ada branch=issue-42
	tell CI_PASSED prNumber:=7
	tell REVIEW_PASSED prNumber:=7
}

# may, may_not NEED...: is that so, and are these all the reasons?
may() {
	run -0 --separate-stderr rig-gate --json 'acme/app#42' "$@"
	[ "$(jq -c '[.mayMerge, any(.needs[]; .ok == false)]' <<<"$output")" = \
		'[true,false]' ]
}

may_not() {
	run -1 --separate-stderr rig-gate --json 'acme/app#42'
	[ "$(jq -r '[.mayMerge, (.needs[] | select(.ok == false).need)]
	    | join(" ")' <<<"$output")" = "false $*" ] || {
		jq -c '.needs[]' <<<"$output"
		return 1
	}
}

# why NEED: its reason and the event behind it, of the last answer
why() {
	jq -r --arg need "$1" '.needs[] | select(.need == $need)
	    | "\(.reason) (\(.position) \(.type))"' <<<"$output"
}

# ---- what the log knows

@test "reviewed, green and wanted, it may be merged" {
	ready
	may
	[ "$(jq -c '[.streamId, .prNumber, .commit]' <<<"$output")" = \
		'["acme/app#42",7,null]' ]
	run -0 --separate-stderr rig-gate 'acme/app#42'
	sed -E 's/[0-9-]+T[0-9:]+Z/TIME/' <<<"$output" >answer
	diff answer - <<-'END'
		acme/app#42: #7 may be merged
		ok  linked  #7 is for this issue (3 PR_CREATED TIME)
		ok  wanted  the issue is not done
		ok  ci      passed (4 CI_PASSED TIME)
		ok  review  passed (5 REVIEW_PASSED TIME)
		ok  human   no approval is asked for
		--  github  not asked: there is neither a token nor a URL
	END
	[ -z "$stderr" ]
}

@test "an issue without a pull request has nothing to merge" {
	tell ISSUE_APPROVED
	may_not linked ci review
	[ "$(why linked)" = 'the issue has no pull request (null null)' ]
	run -1 rig-gate 'acme/app#42'
	[ "${lines[0]}" = 'acme/app#42: there is nothing to merge' ]
	run -1 rig-gate 'acme/app#99'
}

@test "a pull request that the log does not know for the issue is not merged" {
	ready
	run -1 rig-gate --json --pr 8 'acme/app#42'
	[ "$(why linked)" = 'the log knows no #8 for this issue (null null)' ]
	[ "$(why ci)" = 'nothing has passed since the last commit (null null)' ]
	may --pr 7
	may --pr '#7'
}

@test "without a result of CI it is not merged" {
	tell PR_CREATED prNumber:=7 agentId=ada
	tell REVIEW_PASSED prNumber:=7
	may_not ci
	[ "$(why ci)" = 'nothing has passed since the last commit (1 PR_CREATED)' ]
}

@test "a commit makes CI and review begin anew" {
	ready
	commit "$one"
	may_not ci review
	[ "$(why ci)" = 'nothing has passed since the last commit, 1111111111 (6 HEARTBEAT)' ]
	[ "$(why review)" = 'older than the last commit (6 HEARTBEAT)' ]
	tell CI_PASSED prNumber:=7
	may_not review
	tell REVIEW_PASSED prNumber:=7
	may
	commit "$two"
	may_not ci review
}

@test "pushes, rebases and merges are commits, signs of life are not" {
	ready
	ev-append -q -s 'acme/app#42' HEARTBEAT agentId=ada status=working
	activity=look commit "$one"
	may
	local activity
	for activity in push rebase merge; do
		ready
		commit "$two"
		may_not ci review
		commit "$one"
		tell CI_PASSED prNumber:=7
		tell REVIEW_PASSED prNumber:=7
		may
	done
}

@test "a commit that is told again, by a push and by the forge, is no new one" {
	tell PR_CREATED prNumber:=7 agentId=ada branch=issue-42
	commit "$one" branch=issue-42
	tell CI_PASSED prNumber:=7
	tell REVIEW_PASSED prNumber:=7
	activity=push commit "$one" branch=issue-42
	tell PR_CREATED prNumber:=7 agentId=octocat branch=issue-42 commit="$one"
	tell PR_CREATED prNumber:=7 agentId=ada branch=issue-42
	may
	# back to what it was before is not what was looked at last
	commit "$two" branch=issue-42
	commit "$one" branch=issue-42
	may_not ci review
}

@test "commits to other branches and other pull requests do not count" {
	ready
	commit "$one" branch=issue-42-mine
	commit "$one" prNumber:=8
	may
	commit "$one" branch=issue-42
	may_not ci review
}

@test "a commit whose name is none makes what was before it old" {
	local name
	for name in '=HEAD' '=' ':=12' ':=["x"]' "=${one}zz"; do
		ready
		ev-append -q -s 'acme/app#42' HEARTBEAT agentId=ada activity=commit \
			"commit$name"
		may_not ci review
	done
}

@test "a result that names its commit counts for that one, whenever it comes" {
	tell CI_PASSED prNumber:=7 commit="$one"
	tell PR_CREATED prNumber:=7 agentId=ada
	commit "$one"
	tell REVIEW_PASSED prNumber:=7
	may
	[ "$(why ci)" = 'passed for 1111111111 (1 CI_PASSED)' ]
	commit "$two"
	tell REVIEW_PASSED prNumber:=7
	tell CI_PASSED prNumber:=7 commit="$one"
	may_not ci
	# of a push, before the pull request was there
	tell CI_PASSED commit="${two:0:12}"
	may
	tell CI_FAILED commit="$one" prNumber:=7
	may
	tell CI_FAILED commit="$two"
	may_not ci
}

@test "a result of another pull request, or of none, does not count" {
	tell PR_CREATED prNumber:=7 agentId=ada
	tell REVIEW_PASSED prNumber:=7
	tell CI_PASSED prNumber:=8
	tell CI_PASSED
	may_not ci
	tell CI_PASSED prNumber:=7
	tell CI_FAILED prNumber:=8
	may
}

@test "a failed check stays failed until it passes, or all do" {
	ready
	tell CI_FAILED prNumber:=7 check=unit failedChecks:='["unit"]'
	tell CI_PASSED prNumber:=7 check=lint
	may_not ci
	[ "$(why ci)" = 'failed: unit (6 CI_FAILED)' ]
	tell CI_PASSED prNumber:=7 check=unit
	may
	tell CI_FAILED prNumber:=7 failedChecks:='["unit","lint"]'
	tell CI_PASSED prNumber:=7 check=unit
	may_not ci
	[ "$(why ci)" = 'failed: lint (9 CI_FAILED)' ]
	tell CI_PASSED prNumber:=7
	may
	tell CI_FAILED prNumber:=7
	tell CI_PASSED prNumber:=7 check=unit
	may_not ci
	[ "$(why ci)" = 'failed (12 CI_FAILED)' ]
}

@test "a review that is disputed afterwards did not pass" {
	ready
	tell REVIEW_DISPUTED prNumber:=7 reason='rounds down'
	may_not review
	[ "$(why review)" = 'the reviewer disputes it (6 REVIEW_DISPUTED)' ]
	tell REVIEW_PASSED prNumber:=8
	may_not review
	tell REVIEW_PASSED prNumber:=7
	may
	tell REVIEW_DISPUTED prNumber:=8
	may
}

@test "an open human gate keeps it back until a person approves" {
	ready
	tell HUMAN_GATE_TRIGGERED reason='touches the schema'
	may_not human
	[ "$(why human)" = 'a person has to approve it (6 HUMAN_GATE_TRIGGERED)' ]
	tell HUMAN_GATE_REMINDER waitMinutes:=30
	may_not human
	tell ISSUE_APPROVED
	may
	[ "$(why human)" = 'a person has approved it (8 ISSUE_APPROVED)' ]
	tell HUMAN_GATE_TRIGGERED
	may_not human
}

@test "what is escalated, merged or done is not merged" {
	ready
	tell ESCALATED reason='stuck twice'
	may_not wanted
	[ "$(why wanted)" = 'the issue is escalated (6 ESCALATED)' ]
	tell ISSUE_APPROVED
	may
	tell MERGED prNumber:=7 mergeSha=abc
	may_not wanted
	[ "$(why wanted)" = '#7 is merged already (8 MERGED)' ]
	run -1 rig-gate --json --pr 9 'acme/app#42'
	[ "$(why wanted)" = 'another pull request was merged (8 MERGED)' ]
	tell ISSUE_DONE
	run -1 rig-gate --json --pr 9 'acme/app#42'
	[ "$(why wanted)" = 'the issue is done (9 ISSUE_DONE)' ]
}

@test "after a failed smoke test another pull request may be merged" {
	ready
	tell MERGED prNumber:=7 mergeSha=abc
	tell DEPLOYED_STAGING
	tell SMOKE_FAILED reason=code
	tell PR_CREATED prNumber:=8 agentId=ada
	tell CI_PASSED prNumber:=8
	tell REVIEW_PASSED prNumber:=8
	may
	[ "$(jq .prNumber <<<"$output")" = 8 ]
}

@test "a closed duplicate is not merged" {
	ready
	tell DUPLICATE_PR_CLOSED mergedPrNumber:=9 closedPrNumber:=7
	run -1 rig-gate --json --pr 7 'acme/app#42'
	[ "$(why linked)" = '#7 is a duplicate (6 DUPLICATE_PR_CLOSED)' ]
}

@test "it tells the log nothing" {
	ready
	rig-gate -q 'acme/app#42'
	[ "$(ev-cat | wc -l)" = 5 ]
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "-q prints nothing" {
	tell ISSUE_APPROVED
	run -1 rig-gate -q 'acme/app#42'
	[ -z "$output" ]
	ready
	run -0 rig-gate -q 'acme/app#42'
	[ -z "$output" ]
}

@test "an issue may be a number of a repository" {
	ready
	rig-gate -q -R acme/app 42
	EV_REPO=acme/app rig-gate -q '#42'
}

# ---- what GitHub knows

# github JQ: the server, with pull request 7 as it is to be, changed by JQ
github() {
	start_peer github < <(jq -n --arg one "$one" '{token: "t0k", repos:
	    {"acme/app": ({id: 5, issues: {"42": {}},
	     pulls: {"7": {body: "Fixes #42", sha: $one}}} | '"${1-.}"')}}')
	export GITHUB_API_URL=$peer GITHUB_TOKEN=t0k
}

@test "GitHub is asked where it is configured" {
	github
	ready
	may
	[ "$(jq -r .commit <<<"$output")" = "$one" ]
	[ "$(jq -c '.needs[5:] | map(.need)' <<<"$output")" = \
		'["open","commit","text","labels"]' ]
	[ "$(requests 'map("\(.method) \(.url) \(.status)")')" = '["GET /repos/acme/app/pulls/7 200","GET /repos/acme/app/issues/42 200"]' ]
	# a URL alone is enough for what everybody may read
	unset GITHUB_TOKEN
	may
	[ "$(requests 'last.headers.authorization')" = null ]
}

@test "a draft, a conflict, a closed or unknown one is not merged" {
	ready
	github '.pulls["7"].draft = true'
	may_not open
	[ "$(why open)" = '#7 is a draft (null null)' ]
	change_peer '.repos["acme/app"].pulls["7"] += {draft: false, mergeable: false}'
	may_not open
	[ "$(why open)" = '#7 is in conflict with its base (null null)' ]
	change_peer '.repos["acme/app"].pulls["7"] += {mergeable: null}'
	may
	change_peer '.repos["acme/app"].pulls["7"] += {state: "closed"}'
	may_not open
	[ "$(why open)" = '#7 is closed (null null)' ]
	change_peer 'del(.repos["acme/app"].pulls["7"])'
	may_not open
	[ "$(why open)" = 'GitHub has no pull request #7 (null null)' ]
}

@test "its text has to close the issue" {
	ready
	github '.pulls["7"].body = "See #42, fixes #43"'
	may_not text
	local body
	for body in null '""' '"`Fixes #42`"' '"Fixes other/app#42"'; do
		change_peer '.repos["acme/app"].pulls["7"].body = '"$body"
		may_not text
	done
	change_peer '.repos["acme/app"].pulls["7"].body = "Fix. CLOSES Acme/App#42"'
	may
}

@test "a label that blocks, on pull request or issue, keeps it back" {
	ready
	github '.pulls["7"].labels = ["bug", "WIP"] | .issues["42"].labels = ["hold"]'
	may_not labels
	[ "$(why labels)" = "blocked by 'WIP', 'hold' (null null)" ]
	echo 'gate: { labels: [later] }' >rig.yaml
	may
	change_peer '.repos["acme/app"].issues["42"].labels = ["Later"]'
	may_not labels
}

@test "GitHub's last commit is the one that counts" {
	ready
	github
	commit "$two"
	tell CI_PASSED prNumber:=7 commit="$two"
	tell REVIEW_PASSED prNumber:=7
	may_not ci commit
	[ "$(why commit)" = 'the last one at GitHub is 1111111111, and in the log 2222222222 (6 HEARTBEAT)' ]
	activity=push commit "$one"
	tell CI_PASSED prNumber:=7 commit="$one"
	tell REVIEW_PASSED prNumber:=7
	may
}

@test "a pull request in another repository is looked up there" {
	tell PR_CREATED prNumber:=7 agentId=ada \
		prUrl=https://github.com/acme/lib/pull/7
	tell CI_PASSED prNumber:=7
	tell REVIEW_PASSED prNumber:=7
	github
	change_peer '.repos["acme/lib"] = {id: 6,
	    pulls: {"7": {body: "Fixes acme/app#42"}}}'
	may
	change_peer '.repos["acme/lib"].pulls["7"].body = "Fixes #42"'
	may_not text
}

@test "what cannot be asked is not decided" {
	ready
	github
	change_peer '.trouble = [{when: "GET", status: 500, times: 99}]'
	run -69 rig-gate 'acme/app#42'
	[[ $output == *': it answers 500; repeat this later' ]]
	change_peer '.trouble = [{when: "issues", status: 403, times: 99,
	    body: {message: "Forbidden"}}]'
	run -69 rig-gate 'acme/app#42'
	[ "$output" = 'rig-gate: cannot read /repos/acme/app/issues/42: GitHub says: Forbidden' ]
	GITHUB_TOKEN=wrong run -69 rig-gate 'acme/app#42'
	stop_peer
	run -69 rig-gate 'acme/app#42'
}

@test "what others than GitHub answer opens no gate" {
	ready
	github
	for body in '""' '"<html>Log in first</html>"' '"{} {}"' 5; do
		change_peer --argjson body "$body" \
			'.trouble = [{when: "GET", status: 200, times: 99, body: $body}]'
		run -69 --separate-stderr rig-gate 'acme/app#42'
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == *': this is no answer of GitHub: see GITHUB_API_URL'* ]]
	done
	change_peer '.trouble = [{when: "GET", status: 403, times: 99, body: {}}]'
	run -69 rig-gate 'acme/app#42'
	[ "$output" = 'rig-gate: cannot read /repos/acme/app/pulls/7: GitHub says 403' ]
	# a label may be a name alone
	change_peer '.trouble = [{when: "issues/42", status: 200, times: 99,
	    body: {number: 42, labels: ["wip", null, 5]}}]'
	may_not labels
}

# ---- hostile text

@test "texts are texts, on a terminal and for programs" {
	local evil=$'"\'$(touch pwned)`touch pwned`\n-n\e[31m\u202e'
	tell ISSUE_APPROVED title="$evil"
	tell PR_CREATED prNumber:=7 agentId="$evil" prUrl="$evil" branch="$evil"
	tell REVIEW_PASSED prNumber:=7
	head -c 1048576 /dev/zero | tr '\0' x | jq -Rc --arg evil "$evil" '{
	    type: "CI_FAILED", repo: "acme/app", issueNumber: 42, prNumber: 7,
	    check: $evil, failedChecks: [$evil], logs: .}' | ev-append -q
	run -1 rig-gate 'acme/app#42'
	[[ $output == *'ci      failed: "'"'"'$(touch pwned)`touch pwned`\u000a-n\u001b[31m\u202e (4 CI_FAILED '* ]]
	[ "${#lines[@]}" = 7 ]
	may_not ci
	[[ $(why ci) == "failed: $evil"* ]]
	github '.pulls["7"] += {labels: ["wip", "\u001b[31mhold"]}'
	echo '{"gate": {"labels": ["\u001b[31mHOLD"]}}' >rig.yaml
	run -1 rig-gate 'acme/app#42'
	[[ $output == *"blocked by '\\u001b[31mhold'"* ]]
	[ ! -e pwned ]
}

@test "usage errors exit 64, an unreachable log 69" {
	run -64 rig-gate
	run -64 rig-gate 'acme/app#42' 7
	run -64 rig-gate 'acme/app'
	run -64 rig-gate --pr x 'acme/app#42'
	run -64 rig-gate --pr 0 'acme/app#42'
	run -69 rig-gate 'acme/app#42'
	[[ $output == *"no log at '$EV_LOG'"* ]]
}
