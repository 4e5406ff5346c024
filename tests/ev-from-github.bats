#!/usr/bin/env bats
# What GitHub says, as rig events: one rule of the mapping a test, then the
# shapes that payloads come in, then what is wrong with them, then every payload
# of a public collection.

load helper

setup() {
	fixtures=$BATS_TEST_DIRNAME/fixtures/github
	examples=$BATS_TEST_DIRNAME/npm/node_modules/@octokit/webhooks-examples
}

# hook EVENT JQ: a delivery of EVENT, its payload made by a jq expression.
hook() {
	jq -nc --arg event "$1" '{event: $event, delivery: "d-1", payload: ({
		repository: {id: 1, full_name: "acme/app",
			html_url: "https://github.com/acme/app"},
		sender: {login: "ann"}} + ('"$2"'))}'
}

issue() { # ACTION JQ
	hook issues '{action: "'"$1"'", issue: ({id: 420, number: 42,
		title: "Totals are a cent off", state: "open", body: null, labels: [],
		html_url: "https://github.com/acme/app/issues/42",
		created_at: "2026-04-21T09:00:00Z",
		updated_at: "2026-04-21T10:00:00Z"} + '"${2:-{\}}"')}'
}

pull() { # ACTION [JQ of the pull request [JQ of the payload]]
	hook pull_request '{action: "'"$1"'", number: 7, pull_request: ({id: 70, number: 7,
		html_url: "https://github.com/acme/app/pull/7", body: "Closes #42",
		user: {login: "dev-e-1"}, head: {ref: "round", sha: "c0ffee"},
		merged: false, created_at: "2026-04-21T10:15:00Z",
		updated_at: "2026-04-21T10:20:00Z"} + '"${2:-{\}}"')} + '"${3:-{\}}"
}

suite() { # CONCLUSION [JQ of the suite]
	hook check_suite '{action: "completed", check_suite: ({id: 5,
		conclusion: '"$1"', head_branch: "issue-42", head_sha: "c0ffee",
		app: {name: "CI"}, updated_at: "2026-04-21T10:22:00Z",
		pull_requests: [{number: 7, head: {ref: "issue-42"},
			base: {repo: {id: 1}}}]} + '"${2:-{\}}"')}'
}

convert() { # [OPTION...] with payloads on stdin
	run --separate-stderr ev-from-github "$@"
}

# is JQ: the events that came out, as one array, are so.
is() {
	jq -es "$1" <<<"$output" >/dev/null && return
	printf 'not so: %s\nstdout: %s\nstderr: %s\n' "$1" "$output" "$stderr"
	return 1
}

# unmapped WORDS: nothing came out, and one line says why.
unmapped() {
	[ "$status" -eq 0 ] && [ -z "$output" ] &&
		[ "${#stderr_lines[@]}" -eq 1 ] &&
		[[ $stderr == "ev-from-github: not mapped: "*"$1"* ]] && return
	printf '%s\nstdout: %s\nstderr: %s\n' "$status" "$output" "$stderr"
	return 1
}

# ---- issues

@test "an issue labelled as approved is ISSUE_APPROVED" {
	convert < <(issue labeled '{labels: [{name: "approved"}, {name: "bug"}]}' |
		jq -c '.payload.label = {name: "Approved"}')
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	is '. == [{type: "ISSUE_APPROVED", repo: "acme/app", issueNumber: 42,
		title: "Totals are a cent off", priority: "normal", dependsOn: [],
		id: "github/acme/app#42/approved/2026-04-21T10:00:00Z/normal/ann",
		timestamp: "2026-04-21T10:00:00Z", actor: "github:ann",
		meta: {github: {event: "issues",
			url: "https://github.com/acme/app/issues/42"}}}]'
}

@test "another label approves nothing" {
	convert < <(issue labeled '{labels: [{name: "approved"}, {name: "bug"}]}' |
		jq -c '.payload.label = {name: "bug"}')
	unmapped "issues.labeled (delivery d-1): label 'bug' does not approve"
}

@test "--label names the labels that approve, instead of approved" {
	issue opened '{labels: [{name: "ready to go"}]}' >"$BATS_TEST_TMPDIR/a"
	issue opened '{labels: [{name: "approved"}]}' >"$BATS_TEST_TMPDIR/b"
	convert --label go --label 'ready to go' "$BATS_TEST_TMPDIR/a"
	is 'length == 1 and .[0].type == "ISSUE_APPROVED"'
	convert --label go --label 'ready to go' "$BATS_TEST_TMPDIR/b"
	unmapped "the issue does not carry label 'go' or 'ready to go'"
}

@test "an issue opened with its label and the labelling of it are one event" {
	local labels='{labels: [{name: "approved"}, {name: "P1"}],
		updated_at: "2026-04-21T09:00:02Z"}'
	issue opened "$labels" | jq -c '.payload.issue.updated_at = "2026-04-21T09:00:00Z"' >"$BATS_TEST_TMPDIR/hooks"
	issue labeled "$labels" |
		jq -c '.delivery = "d-2" | .payload.label = {name: "approved"}' >>"$BATS_TEST_TMPDIR/hooks"
	convert "$BATS_TEST_TMPDIR/hooks"
	is 'length == 2 and .[0] == .[1] and .[0].timestamp == "2026-04-21T09:00:00Z"'
}

@test "a closed issue cannot be approved" {
	convert < <(issue labeled '{state: "closed"}' |
		jq -c '.payload.label = {name: "approved"}')
	unmapped 'the issue is closed'
}

@test "labels tell the priority, the highest wins" {
	convert < <(while read -r want labels; do
		issue opened "{title: \"$want\", labels: ([{name: \"approved\"}] + $labels)}"
	done <<-'E'
	normal []
	critical [{name: "priority:critical"}]
	high [{name: "Priority: High"}]
	normal [{name: "priority/normal"}, {name: "priority-low"}]
	low [{name: "priority: low"}]
	critical [{name: "P3"}, {name: "p0"}]
	high [{name: "P1"}]
	normal [{name: "P2"}]
	low [{name: "P3"}]
	high [{name: "high-priority"}]
	normal [{name: "highlight"}, {name: "P10"}]
	E
	)
	is 'length == 11 and all(.[]; .priority == .title)'
}

@test "lines of the issue's text tell what it depends on" {
	convert < <(issue opened '{labels: [{name: "approved"}], body: (
		"Depends on #12, acme/lib#3 and #14.\r\n- [ ] blocked by: https://github.com/acme/x/issues/9\r\n" +
		"<!-- depends on #1 --> `depends on #2`\n```\ndepends on #3\n```\nsee #4, does not depend on #5")}')
	is '.[0].dependsOn == ["acme/lib#3", "acme/x#9", "acme/app#12", "acme/app#14"]'
}

@test "an issue closed as completed is ISSUE_DONE" {
	convert < <(issue closed '{state: "closed", state_reason: "completed",
		closed_at: "2026-04-21T11:31:59Z"}')
	is 'length == 1 and (.[0] | .type == "ISSUE_DONE" and .issueNumber == 42
		and .durationMinutes == 151 and .id == "github/d-1"
		and .timestamp == "2026-04-21T11:31:59Z")'
	convert < <(issue closed '{state_reason: null, created_at: "2026-04-21T11:00:00+02:00",
		closed_at: "2026-04-21T08:30:00.5-01:30"}')
	is 'map(.durationMinutes) == [60]'
}

@test "an issue closed as not planned or as a duplicate is not done" {
	convert < <(issue closed '{state: "closed", state_reason: "not_planned"}')
	unmapped "closed as 'not_planned', not as completed"
	convert < <(issue closed '{state: "closed", state_reason: "duplicate"}')
	unmapped "closed as 'duplicate'"
}

@test "an assignment is no claim" {
	convert < <(issue assigned)
	unmapped 'issues.assigned (delivery d-1): an agent holds an issue by claiming it'
	convert < <(issue unassigned)
	unmapped 'issues.unassigned'
}

# ---- pull requests

@test "a pull request opened is PR_CREATED" {
	convert < <(pull opened)
	[ -z "$stderr" ]
	is '. == [{type: "PR_CREATED", repo: "acme/app", issueNumber: 42,
		agentId: "dev-e-1", prNumber: 7,
		prUrl: "https://github.com/acme/app/pull/7", branch: "round",
		commit: "c0ffee", id: "github/d-1",
		timestamp: "2026-04-21T10:15:00Z", actor: "github:ann",
		meta: {github: {event: "pull_request", action: "opened", delivery: "d-1",
			url: "https://github.com/acme/app/pull/7"}}}]'
}

@test "each closing keyword links an issue, one event for each" {
	convert < <(while IFS='|' read -r body want; do
		pull opened "{body: $body, head: {ref: \"$((n += 1)) $want\"}}"
	done <<-'E'
	"close #1 closes #2 closed #3"|app 1 app 2 app 3
	"FIX #1, fixes: #2. Fixed #3"|app 1 app 2 app 3
	"resolve #1\nresolves #2\nresolved #3"|app 1 app 2 app 3
	"Closes acme/lib.js#9"|lib.js 9
	"Fixes https://github.com/acme/x/issues/4 fixes https://elsewhere.example/acme/x/issues/5"|x 4
	"fixes #5 and again fixes #5"|app 5
	"fixes #1 <!-- fixes #2 --> `fixes #3` ~ ` fixes #4"|app 1 app 4
	"fixes #1\n```\nfixes #2\n```\nfixes #3"|app 1 app 3
	"hotfix #1, prefixes #2, fixes #3x, fixes #0, see #4, fixes 5, fixes #6"|app 6
	E
	)
	is 'group_by(.branch) | length == 9 and all(.[]; (.[0].branch | sub("^[0-9]+ "; "")) ==
		(map("\(.repo | ltrimstr("acme/")) \(.issueNumber)") | join(" ")))'
}

@test "several events of one delivery have ids of their own" {
	convert < <(pull opened '{body: "fixes #1, fixes #2, fixes #3"}')
	is 'map(.id) == ["github/d-1", "github/d-1/2", "github/d-1/3"]'
}

@test "without a keyword the branch names the issue" {
	local list=$BATS_TEST_DIRNAME/fixtures/issue-branches
	convert < <(pull opened '{body: null}' | jq -c --rawfile list "$list" '. as $hook
		| $list | split("\n")[] | select(. != "") | [splits(" (?=[^ ]*$)")][0] as $branch
		| $hook | .payload.pull_request.head.ref = $branch')
	[ "$status" -eq 0 ]
	diff <(sed '/ -$/d' "$list") <(jq -r '"\(.branch) \(.issueNumber)"' <<<"$output")
	local why='no closing keyword in its text, and none in the name of branch'
	diff <(sed -n 's/ -$//p' "$list") <(sed -n "s/^.*$why '\(.*\)'\$/\1/p" <<<"$stderr")
}

@test "--pr-as-issue files a pull request without issue under its own number" {
	convert < <(pull opened '{body: null}')
	unmapped "none in the name of branch 'round'"
	convert --pr-as-issue < <(pull opened '{body: null}')
	is 'map([.issueNumber, .prNumber]) == [[7, 7]]'
	convert --pr-as-issue < <(pull opened)
	is 'map([.issueNumber, .prNumber]) == [[42, 7]]'
}

@test "a link that is written later makes PR_CREATED then, once" {
	convert < <(pull edited '{body: "Closes #42, closes #43"}' '{changes: {body: {from: "Closes #42"}}}')
	is 'map([.type, .issueNumber, .timestamp]) == [["PR_CREATED", 43, "2026-04-21T10:20:00Z"]]'
	convert < <(pull edited '{}' '{changes: {body: {from: "closes  #42!"}}}')
	unmapped 'pull_request.edited (delivery d-1): no issue was newly linked'
	convert < <(pull edited '{}' '{changes: {title: {from: "x"}}}')
	unmapped 'no rig event says this'
}

@test "a merged pull request is MERGED" {
	convert "$fixtures/pull_request.closed.merged.json"
	[ -z "$stderr" ]
	is '. == [{type: "MERGED", repo: "acme/app", issueNumber: 42, prNumber: 7,
		mergeSha: "9f8c2b7d41aa03e5b6c7d8e9f00112233445566a",
		id: "github/acme/app/pull_request/1900000007/closed/2026-04-21T10:32:00Z",
		timestamp: "2026-04-21T10:32:00Z", actor: "github:ann",
		meta: {github: {event: "pull_request", action: "closed",
			url: "https://github.com/acme/app/pull/7"}}}]'
}

@test "a pull request closed without merging is not mapped" {
	convert < <(pull closed)
	unmapped 'pull_request.closed (delivery d-1): closed without merging'
}

@test "new commits are a sign of life in the issue's stream" {
	convert < <(pull synchronize '{}' '{before: "c0ffee", after: "decade"}')
	is 'length == 1 and (.[0] | .type == "HEARTBEAT" and .streamId == "acme/app#42"
		and .agentId == "ann" and .status == "working" and .activity == "push"
		and .currentIssue == 42 and .currentRepo == "acme/app"
		and .commit == "decade" and (has("issueNumber") | not))'
}

@test "a review asked of somebody is REVIEW_ASSIGNED, of a team it is not" {
	convert < <(pull review_requested '{}' '{requested_reviewer: {login: "review-e"}}')
	is 'map([.type, .prNumber, .agentId]) == [["REVIEW_ASSIGNED", 7, "review-e"]]'
	convert < <(pull review_requested '{}' '{requested_team: {slug: "core"}}')
	unmapped "asked of team 'core'"
}

@test "an approving review is REVIEW_PASSED, one that wants changes REVIEW_DISPUTED" {
	local pr
	pr=$(pull x | jq -c .payload.pull_request)
	review() {
		hook pull_request_review "{action: \"$1\", pull_request: $pr, review: ({id: 3, state: \"$2\",
			body: null, submitted_at: \"2026-04-21T10:31:00Z\"} + ${3:-{\}})}"
	}
	convert < <(review submitted approved)
	is 'map([.type, .issueNumber, .prNumber, .timestamp]) == [["REVIEW_PASSED", 42, 7, "2026-04-21T10:31:00Z"]]'
	convert < <(review submitted changes_requested '{body: "Rounds twice"}')
	is 'map([.type, .reason]) == [["REVIEW_DISPUTED", "Rounds twice"]]'
	convert < <(review submitted changes_requested)
	is 'map(.reason) == ["changes requested"]'
	convert < <(review submitted commented)
	unmapped "review state 'commented' decides nothing"
	convert < <(review dismissed dismissed)
	unmapped 'pull_request_review.dismissed'
	convert < <(review created approved)
	unmapped 'pull_request_review.created'
}

# ---- CI

@test "a check suite that succeeds is CI_PASSED, one that fails CI_FAILED" {
	convert < <(suite '"success"')
	is 'length == 1 and (.[0] | .type == "CI_PASSED" and .issueNumber == 42 and .prNumber == 7
		and .check == "CI" and .commit == "c0ffee" and .timestamp == "2026-04-21T10:22:00Z"
		and (has("failedChecks") | not))'
	for conclusion in failure timed_out startup_failure; do
		convert < <(suite "\"$conclusion\"")
		is 'map([.type, .failedChecks, .logs]) == [["CI_FAILED", ["CI"],
			"https://github.com/acme/app/commit/c0ffee/checks"]]'
	done
}

@test "what neither passed nor failed is not mapped" {
	while read -r conclusion why; do
		convert < <(suite "$conclusion")
		unmapped "check_suite.completed (delivery d-1): $why"
	done <<-'E'
	null not finished
	"neutral" conclusion 'neutral' decides nothing
	"skipped" conclusion 'skipped' decides nothing
	"stale" conclusion 'stale' decides nothing
	"cancelled" cancelled, which decides nothing
	"action_required" waits for a person
	E
	convert < <(suite '"success"' | jq -c '.payload.action = "requested"')
	unmapped 'check_suite.requested (delivery d-1): not finished'
}

@test "each linked pull request gets its result, those of forks do not" {
	convert < <(suite '"success"' '{pull_requests: [
		{number: 7, head: {ref: "issue-42"}, base: {repo: {id: 1}}},
		{number: 8, head: {ref: "43-other"}, base: {repo: {id: 1}}},
		{number: 9, head: {ref: "issue-44"}, base: {repo: {id: 2}}}]}')
	is 'map([.issueNumber, .prNumber, .id]) == [[42, 7, "github/d-1"], [43, 8, "github/d-1/2"]]'
}

@test "without a pull request the branch tells the issue, and no number is made up" {
	convert < <(suite '"success"' '{pull_requests: []}')
	is 'length == 1 and (.[0] | .issueNumber == 42 and (has("prNumber") | not))'
	convert < <(suite '"success"' '{pull_requests: [], head_branch: null}')
	unmapped "no issue: no pull request listed, and none in the name of branch ''"
	convert < <(suite '"success"' '{pull_requests: [{number: 7, head: {ref: "round"}}]}')
	unmapped "no issue: none in the name of branch 'round'"
}

@test "a check run is a result with its name and its log" {
	run_of() {
		hook check_run "{action: \"completed\", check_run: ({id: 6, name: \"unit tests\",
			conclusion: \"$1\", head_sha: \"c0ffee\", details_url: \"https://ci.example/6\",
			html_url: \"https://github.com/acme/app/runs/6\",
			completed_at: \"2026-04-21T10:22:00Z\", check_suite: {head_branch: \"issue-42\", conclusion: null},
			pull_requests: [{number: 7, head: {ref: \"issue-42\"}}]} + ${2:-{\}})}"
	}
	convert < <(run_of failure)
	is 'map([.type, .prNumber, .failedChecks, .logs]) ==
		[["CI_FAILED", 7, ["unit tests"], "https://ci.example/6"]]'
	convert < <(run_of success)
	is 'map([.type, .check]) == [["CI_PASSED", "unit tests"]]'
	convert < <(run_of success '{check_suite: {head_branch: "issue-42", conclusion: "failure"}}')
	unmapped 'passed, but its check suite has failed'
	convert < <(run_of failure '{details_url: ""}')
	is 'map(.logs) == ["https://github.com/acme/app/runs/6"]'
}

@test "a workflow run is a result" {
	workflow() {
		hook workflow_run "{action: \"completed\", workflow: {name: \"Build\"}, workflow_run: ({id: 8, name: \"\",
			conclusion: \"$1\", head_sha: \"c0ffee\", head_branch: \"fix/issue-42\", run_attempt: 2,
			html_url: \"https://github.com/acme/app/actions/runs/8\", updated_at: \"2026-04-21T10:22:00Z\",
			pull_requests: [{number: 7, head: {ref: \"fix/issue-42\"}}]} + ${2:-{\}})}"
	}
	convert < <(workflow failure)
	is 'map([.type, .issueNumber, .prNumber, .failedChecks, .logs]) == [["CI_FAILED", 42, 7, ["Build"],
		"https://github.com/acme/app/actions/runs/8"]]'
	convert < <(workflow success '{name: "Test"}')
	is 'map([.type, .check]) == [["CI_PASSED", "Test"]]'
	convert < <(hook workflow_job '{action: "completed", workflow_job: {conclusion: "success", head_branch: "issue-42"}}')
	unmapped 'its workflow_run decides'
}

@test "a status judges the branches whose head it is" {
	status_of() {
		hook status "{id: 9, sha: \"c0ffee\", state: \"$1\", context: \"ci/build\",
			target_url: \"https://ci.example/9\", updated_at: \"2026-04-21T10:22:00+00:00\",
			branches: [{name: \"main\", commit: {sha: \"c0ffee\"}},
				{name: \"issue-42\", commit: {sha: \"c0ffee\"}},
				{name: \"issue-43\", commit: {sha: \"decade\"}}]}"
	}
	convert < <(status_of success)
	is 'map([.type, .issueNumber, .check, .timestamp]) ==
		[["CI_PASSED", 42, "ci/build", "2026-04-21T10:22:00+00:00"]]'
	for state in failure error; do
		convert < <(status_of "$state")
		is 'map([.type, .failedChecks, .logs]) == [["CI_FAILED", ["ci/build"], "https://ci.example/9"]]'
	done
	convert < <(status_of pending)
	unmapped 'status (delivery d-1): not finished'
	convert < <(status_of success | jq -c '.payload.branches = []')
	unmapped 'status (delivery d-1): no issue'
}

# ---- deployments, branches, milestones

deployment() { # JQ of the deployment, JQ of its status
	hook deployment_status "{action: \"created\", deployment: ({id: 10, ref: \"issue-42\", payload: {},
		environment: \"staging\"} + ${1:-{\}}), deployment_status: ({id: 11, state: \"success\",
		created_at: \"2026-04-21T10:40:00Z\"} + ${2:-{\}})}"
}

@test "a deployment that succeeded is told by its environment" {
	while read -r environment want; do
		convert < <(deployment "{environment: $environment}")
		is "map([.type, .environment]) == [[\"$want\", $environment]]"
	done <<-'E'
	"staging" DEPLOYED_STAGING
	"Staging" DEPLOYED_STAGING
	"stg" DEPLOYED_STAGING
	"production" DEPLOYED_PRODUCTION
	"prod" DEPLOYED_PRODUCTION
	E
	convert < <(deployment '{environment: "live", production_environment: true}')
	is 'map(.type) == ["DEPLOYED_PRODUCTION"]'
	convert < <(deployment '{environment: "github-pages"}')
	unmapped "environment 'github-pages' is neither staging nor production"
	deployment '{environment: "live"}' >"$BATS_TEST_TMPDIR/d"
	deployment '{environment: "pre live"}' >>"$BATS_TEST_TMPDIR/d"
	convert --production live --staging='pre live' "$BATS_TEST_TMPDIR/d"
	is 'map(.type) == ["DEPLOYED_PRODUCTION", "DEPLOYED_STAGING"]'
}

@test "only a deployment's success is an event" {
	for state in failure error in_progress queued pending inactive; do
		convert < <(deployment '{}' "{state: \"$state\"}")
		unmapped "deployment state '$state': only success is an event"
	done
}

@test "a deployment's payload may name its issues" {
	convert < <(deployment '{ref: "main", payload: {issueNumber: 42}}')
	is 'map(.issueNumber) == [42]'
	convert < <(deployment '{ref: "main", payload: "{\"issues\":[43,44]}"}')
	is 'map(.issueNumber) == [43, 44]'
	convert < <(deployment '{ref: "main", payload: "v1.2"}')
	unmapped "no issue: no issueNumber in the payload of the deployment, and none in the name of branch 'main'"
}

@test "a branch that names an issue is BRANCH_CREATED" {
	convert < <(hook create '{ref: "42-round", ref_type: "branch", master_branch: "main"}' |
		jq -c '.payload.repository.pushed_at = "2026-04-21T09:51:30Z"')
	is 'map([.type, .issueNumber, .agentId, .branch, .timestamp]) ==
		[["BRANCH_CREATED", 42, "ann", "42-round", "2026-04-21T09:51:30Z"]]'
	convert < <(hook create '{ref: "v42", ref_type: "tag", master_branch: "main"}')
	unmapped 'create (delivery d-1): a tag is no branch'
}

@test "a milestone closed with nothing open is MILESTONE_COMPLETE" {
	milestone() {
		hook milestone "{action: \"$1\", milestone: {id: 12, number: 3, title: \"v1.0\", open_issues: $2,
			closed_issues: 5, closed_at: \"2026-04-30T12:00:00Z\"}}"
	}
	convert < <(milestone closed 0)
	is 'map([.type, .repo, .milestone, .issueCount, has("issueNumber")]) ==
		[["MILESTONE_COMPLETE", "acme/app", "v1.0", 5, false]]'
	convert < <(milestone closed 1)
	unmapped 'closed with issues that are still open'
	convert < <(milestone opened 0)
	unmapped 'milestone.opened'
}

# ---- shapes of the input

@test "the event is named by option, by header, around the payload, or by its shape" {
	local bare=$BATS_TEST_TMPDIR/bare.json
	pull opened | jq .payload >"$bare"
	convert "$bare"
	is 'map(.type) == ["PR_CREATED"]'
	for option in '-epull_request' '--event=pull_request' '-e pull_request' '-qe pull_request' \
		'-e pull_request_target'; do
		# shellcheck disable=SC2086 # two words
		convert $option "$bare"
		is 'map(.type) == ["PR_CREATED"]'
	done
	convert -H 'Host: hooks.example' -H 'x-GitHub-EVENT:  pull_request ' -H 'X-Github-Delivery: abc' "$bare"
	is 'map([.type, .id]) == [["PR_CREATED", "github/abc"]]'
	for wrapper in '{event: "pull_request", delivery: "abc", payload: .}' \
		'{name: "pull_request", id: "abc", payload: .}' \
		'{"x-github-event": "pull_request", "x-github-delivery": "abc", body: .}' \
		'{"X-GitHub-Event": "pull_request", Delivery: "abc", Body: .}' \
		'{headers: {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": ["abc"]}, body: tojson}' \
		'{id: 12345678, guid: "abc", event: "pull_request", action: "opened", status: "OK",
			request: {headers: {"X-GitHub-Event": "pull_request"}, payload: .}}'; do
		convert < <(jq "$wrapper" "$bare")
		is 'map([.type, .id]) == [["PR_CREATED", "github/abc"]]' || { echo "$wrapper"; false; }
	done
}

@test "payloads come in any layout, and from several files" {
	{ pull opened | jq -j .; pull review_requested '{}' '{requested_reviewer: {login: "r"}}' | jq -j -c .; } \
		>"$BATS_TEST_TMPDIR/a b.json"
	{ pull synchronize; echo; echo; issue closed | jq -c '[., .]'; } >"$BATS_TEST_TMPDIR/-c.json"
	cd "$BATS_TEST_TMPDIR"
	convert -- 'a b.json' - -c.json < <(suite '"success"')
	[ "$status" -eq 0 ]
	is 'map(.type) == ["PR_CREATED", "REVIEW_ASSIGNED", "CI_PASSED", "HEARTBEAT", "ISSUE_DONE", "ISSUE_DONE"]'
}

@test "a page of the Events API is converted" {
	item() { # ID TYPE PAYLOAD
		jq -nc --arg id "$1" --arg type "$2" --argjson payload "$3" '{id: $id, type: $type,
			actor: {id: 9, login: "ann"}, repo: {id: 1, name: "acme/app"}, payload: $payload,
			public: true, created_at: "2026-04-21T12:00:00Z"}'
	}
	local pr
	pr=$(pull x | jq -c .payload.pull_request)
	{
		item 10680625419 PullRequestEvent "{\"action\":\"opened\",\"number\":7,\"pull_request\":$pr}"
		item 10680625420 PullRequestReviewEvent \
			"{\"action\":\"created\",\"pull_request\":$pr,\"review\":{\"id\":1,\"state\":\"APPROVED\",\"submitted_at\":\"2026-04-21T11:00:00Z\"}}"
		item 10680625421 CreateEvent '{"ref":"issue-9","ref_type":"branch","master_branch":"main"}'
		item 10680625422 WatchEvent '{"action":"started"}'
		item 10680625423 PushEvent '{"ref":"refs/heads/main","before":"1","head":"2","commits":[]}'
	} | jq -s . >"$BATS_TEST_TMPDIR/page.json"
	convert "$BATS_TEST_TMPDIR/page.json"
	[ "$status" -eq 0 ]
	is 'map([.type, .repo, .issueNumber, .actor, .timestamp, .id]) == [
		["PR_CREATED", "acme/app", 42, "github:ann", "2026-04-21T10:15:00Z", "github/events-api/10680625419"],
		["REVIEW_PASSED", "acme/app", 42, "github:ann", "2026-04-21T11:00:00Z", "github/events-api/10680625420"],
		["BRANCH_CREATED", "acme/app", 9, "github:ann", "2026-04-21T12:00:00Z", "github/events-api/10680625421"]]'
	[ "${#stderr_lines[@]}" -eq 2 ]
	[[ ${stderr_lines[0]} == *"not mapped: watch.started ('$BATS_TEST_TMPDIR/page.json': line "*", item 4): "* ]]
	[[ ${stderr_lines[1]} == *"not mapped: push ("*", item 5): "* ]]
}

@test "a page whose pull requests are cut short names what is missing" {
	convert < <(jq -nc '[{id: "1", type: "PullRequestEvent", actor: {login: "ann"}, repo: {id: 1, name: "acme/app"},
		payload: {action: "merged", number: 7, pull_request: {id: 70, number: 7, head: {ref: "issue-42"}}},
		created_at: "2026-04-21T12:00:00Z"}]')
	unmapped "pull_request.merged (standard input: line 1, item 1): the payload lacks what MERGED needs as 'mergeSha'"
}

@test "events come out while more input is awaited" {
	coproc ev-from-github 2>&1
	pull opened >&"${COPROC[1]}"
	IFS= read -r -t 20 line <&"${COPROC[0]}"
	[[ $line == '{"type":"PR_CREATED",'* ]]
	pull closed >&"${COPROC[1]}"
	IFS= read -r -t 20 line <&"${COPROC[0]}"
	[[ $line == 'ev-from-github: not mapped: pull_request.closed (delivery d-1): '* ]]
}

@test "no input is no event and no error" {
	convert </dev/null
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
}

@test "-q silences what is not mapped, not what is wrong" {
	{ pull closed; echo '{"a":1}'; } >"$BATS_TEST_TMPDIR/in"
	convert -q "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"line 2: no event name"* ]]
}

# ---- ids

@test "the same payload again is the same event, with and without a delivery id" {
	{ pull opened; pull closed '{merged: true, merged_at: "2026-04-21T10:32:00Z", merge_commit_sha: "abc"}'
	suite '"failure"'; issue closed; deployment; } >"$BATS_TEST_TMPDIR/told"
	jq -c .payload "$BATS_TEST_TMPDIR/told" >"$BATS_TEST_TMPDIR/bare"
	for file in told bare; do
		convert "$BATS_TEST_TMPDIR/$file"
		is 'length == 5'
		first=$output
		convert "$BATS_TEST_TMPDIR/$file"
		[ "$output" = "$first" ]
	done
	is '[.[].id] | length == (unique | length)'
	is 'map(.id) == [
		"github/acme/app/pull_request/70/opened/2026-04-21T10:15:00Z",
		"github/acme/app/pull_request/70/closed/2026-04-21T10:32:00Z",
		"github/acme/app/check_suite/5/completed/2026-04-21T10:22:00Z",
		"github/acme/app/issues/420/closed/2026-04-21T10:00:00Z",
		"github/acme/app/deployment_status/11/created/2026-04-21T10:40:00Z"]'
}

@test "large ids keep every digit" {
	convert < <(pull opened '{id: 9007199254740991}' | jq -c .payload)
	is 'map(.id) == ["github/acme/app/pull_request/9007199254740991/opened/2026-04-21T10:15:00Z"]'
}

@test "one delivery id is one payload's" {
	{ pull opened; pull opened; } | jq -c .payload >"$BATS_TEST_TMPDIR/in"
	convert -H 'X-GitHub-Delivery: abc' "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	is 'map(.id) == ["github/abc"]'
	[ "$stderr" = "ev-from-github: '$BATS_TEST_TMPDIR/in': line 2: a second payload, but delivery 'abc' is one" ]
}

# ---- hostile text

@test "hostile text passes unharmed and runs nothing" {
	cd "$BATS_TEST_TMPDIR"
	local title
	# shellcheck disable=SC2016 # not to be expanded, that is the point
	title=$'-rf "q" \'s\' $(touch pwned) `touch pwned` ; touch pwned\n\t\\n \e]0;t\a \u202e 💥 %s \x7f'
	title=$title convert < <(title=$title issue opened '{title: $ENV.title, labels: [{name: "approved"}]}')
	[ "$status" -eq 0 ]
	[ "$(jq -j .title <<<"$output"; echo x)" = "${title}x" ]
	# shellcheck disable=SC2016
	export branch='--help/$(touch pwned)`touch pwned`;"'\''|&/42-💥'
	convert < <(pull opened '{body: null, head: {ref: $ENV.branch, sha: "c"}}')
	[ "$(jq -r .branch <<<"$output")" = "$branch" ]
	is 'map(.issueNumber) == [42]'
	[ ! -e pwned ]
}

@test "what is said on stderr stays on its line and drives no terminal" {
	export text=$'a\nb\e[2J\u009b31m\u202e\u2028"c" \\d 💥'
	convert < <(pull opened '{body: null, head: {ref: $ENV.text}}' | jq -c '.delivery = $ENV.text')
	unmapped 'a\u000ab\u001b[2J\u009b31m\u202e\u2028"c" \d 💥'
	[ "$(grep -c '[[:cntrl:]]' <<<"$stderr")" -eq 0 ]
	convert < <(hook "$text" '{}')
	unmapped ': no rig event says this'
}

@test "a label, an environment and a delivery from the command line are only data" {
	convert --label '"; error("x") | "\(1)' --staging $'\\u0041' -H 'X-GitHub-Delivery: \(1)"$(id)' \
		< <(issue opened '{labels: [{name: "\"; error(\"x\") | \"\\(1)"}]}' | jq -c .payload)
	is 'map(.type) == ["ISSUE_APPROVED"]'
}

# ---- what is wrong with the input

@test "broken JSON is named with its line, and the rest is converted" {
	{ pull opened; echo '{"action": nope}'; pull synchronize; } >"$BATS_TEST_TMPDIR/in"
	convert "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	is 'map(.type) == ["PR_CREATED", "HEARTBEAT"]'
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "ev-from-github: '$BATS_TEST_TMPDIR/in': line 2: not JSON: "*", column "* ]]
}

@test "broken pretty-printed JSON is named once" {
	pull opened | jq --tab . | sed '6s/:/=/' >"$BATS_TEST_TMPDIR/in"
	pull synchronize >>"$BATS_TEST_TMPDIR/in"
	convert "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	is 'map(.type) == ["HEARTBEAT"]'
	[ "$(grep -c 'not JSON' <<<"$stderr")" -eq 1 ]
	[[ ${stderr_lines[0]} == *": line 6: not JSON: "* ]]
	[[ ${stderr_lines[1]} == *": nothing understood up to line "* ]]
	[ "${#stderr_lines[@]}" -eq 2 ]
}

@test "JSON that ends too early is named" {
	pull opened >"$BATS_TEST_TMPDIR/in"
	pull synchronize | head -c 100 >>"$BATS_TEST_TMPDIR/in"
	convert "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	is 'map(.type) == ["PR_CREATED"]'
	[[ $stderr == *"not JSON: Unfinished "* ]]
}

@test "an event that is not named and not plain is refused, the rest is done" {
	{ echo '{"action":"created","discussion":{}}'; pull opened; echo 3; echo '[[]]'; } >"$BATS_TEST_TMPDIR/in"
	convert "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	is 'map(.type) == ["PR_CREATED"]'
	[[ ${stderr_lines[0]} == *"line 1: no event name, and its shape does not tell: give -e EVENT"* ]]
	[[ ${stderr_lines[1]} == *"line 3: a payload is an object, this is of type 'number'" ]]
	[[ ${stderr_lines[2]} == *"line 4, item 1: a payload is an object, this is of type 'array'" ]]
}

@test "a wrong event name is noticed instead of losing the payload" {
	pull opened | jq -c .payload >"$BATS_TEST_TMPDIR/in"
	convert -e pullrequest "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	[[ $stderr == *"named 'pullrequest', but has the shape of 'pull_request'" ]]
	convert -e issues < <(echo '{"action":"opened"}')
	[ "$status" -eq 65 ]
	[[ $stderr == *"named 'issues', but has no member 'issue'" ]]
}

@test "members of the wrong type are refused, not converted and not lost" {
	issue labeled '{labels: [{name: "approved"}]}' | jq -c '.payload | .label = {name: "approved"} | (
		(.issue = "x"), (.issue.labels = 3), (.issue.labels = ["approved"]), (.issue.pull_request = 1),
		(.repository = "acme/app"), (.repository.full_name = null), (.sender = [1]), (.label = "approved"),
		(.issue.title = null), (.issue.title = 7), (.issue.number = "42"), (.issue.number = 0),
		(.issue.number = 1.5), (.action = 1),
		(.issue.body = {}), (.issue.updated_at = {} | .issue.created_at = "yesterday"))' >"$BATS_TEST_TMPDIR/in"
	convert "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 65 ]
	is 'map([.type, .dependsOn, .timestamp]) == [["ISSUE_APPROVED", [], "2026-04-21T10:00:00Z"], ["ISSUE_APPROVED", [], null]]'
	# each of the others is named, with its line
	for line in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
		[ "$(grep -c "'$BATS_TEST_TMPDIR/in': line $line)\?: " <<<"$stderr")" -eq 1 ] || { echo "$line"; false; }
	done
	[ "${#stderr_lines[@]}" -eq 14 ]
}

@test "bad usage exits 64, an unreadable file 74" {
	while read -r status words; do
		# shellcheck disable=SC2086 # words
		run "-$status" --separate-stderr ev-from-github $words </dev/null
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done <<-'E'
	64 -e
	64 --label=
	64 --label
	64 -x
	64 --quiet=yes
	64 -qz
	64 -H nocolon
	64 -e issues -e push
	64 -e issues -H X-GitHub-Event:push
	74 /nonexistent/payload.json
	74 /
	E
	run -64 ev-from-github -H "X-GitHub-Delivery: $(printf '%0201d' 0)" </dev/null
	run -64 ev-from-github --label $'two\nlines' </dev/null
}

@test "standard input that is a terminal is refused, not waited for" {
	run script -qec ev-from-github /dev/null </dev/null
	[ "$status" -eq 64 ]
	[[ $output == *"standard input is a terminal"* ]]
}

@test "output that cannot be written exits 74, a reader that goes away is no message" {
	for _ in 1 2 3 4 5 6 7 8; do pull opened; done >"$BATS_TEST_TMPDIR/in"
	run -74 --separate-stderr sh -c 'exec ev-from-github "$1" >/dev/full' sh "$BATS_TEST_TMPDIR/in"
	[[ $stderr == "ev-from-github: "*"No space left"* ]]
	run --separate-stderr sh -c 'ev-from-github "$1" | :' sh "$BATS_TEST_TMPDIR/in"
	[ -z "$stderr" ]
}

@test "-h tells the options, --version the versions" {
	run --separate-stderr -0 ev-from-github -h
	[[ ${lines[0]} == 'usage: ev-from-github '* ]]
	[ -z "$stderr" ]
	run --separate-stderr -0 ev-from-github --version
	[[ $output == "ev-from-github "*" (jq-1."* ]]
	[[ $output == "ev-from-github $(sed -n 's/^VERSION = //p' "$BATS_TEST_DIRNAME/../Makefile") ("* ]]
}

# ---- a public collection of payloads

# deliveries FOLDER: each payload of the collection, with its name around it.
deliveries() {
	jq -c '.[] | .name as $name | .examples | to_entries[]
		| {event: $name, delivery: "\($name)-\(.key)", payload: .value}' "$examples/$1/index.json"
}

# What each rig type must have, whatever else it has.
check_members() {
	jq -es 'def lifecycle: ["repo", "issueNumber"];
	{
		ISSUE_APPROVED: (lifecycle + ["title", "priority", "dependsOn"]),
		BRANCH_CREATED: (lifecycle + ["agentId", "branch"]),
		PR_CREATED: (lifecycle + ["agentId", "prNumber", "prUrl", "branch"]),
		CI_PASSED: (lifecycle + ["prNumber"]),
		CI_FAILED: (lifecycle + ["prNumber", "failedChecks", "logs"]),
		REVIEW_ASSIGNED: (lifecycle + ["prNumber", "agentId"]),
		REVIEW_PASSED: (lifecycle + ["prNumber"]),
		REVIEW_DISPUTED: (lifecycle + ["prNumber", "reason"]),
		MERGED: (lifecycle + ["prNumber", "mergeSha"]),
		DEPLOYED_STAGING: (lifecycle + ["environment"]),
		DEPLOYED_PRODUCTION: (lifecycle + ["environment"]),
		ISSUE_DONE: (lifecycle + ["durationMinutes"]),
		HEARTBEAT: ["agentId", "status", "currentIssue", "currentRepo"],
		MILESTONE_COMPLETE: ["milestone", "issueCount"]
	} as $needs
	| [.[] | . as $e | (["id", "timestamp", "actor"] + $needs[.type])[] | select($e[.] == null)
	  | [$e.id, .]]
	| if length == 0 then true else error(tostring) end' <<<"$output"
}

@test "every payload of the collection is converted or named" {
	local folder
	for folder in api.github.com ghes-31 ghes-32 ghes-33 ghes-34 ghes-35; do
		deliveries "$folder" >"$BATS_TEST_TMPDIR/all"
		for options in '' '--pr-as-issue --label bug'; do
			# shellcheck disable=SC2086 # words
			convert $options "$BATS_TEST_TMPDIR/all"
			[ "$status" -eq 0 ]
			[ "$(grep -vc '^ev-from-github: not mapped: ' <<<"$stderr")" -eq 0 ]
			check_members
			# each is there once: these payloads make one event at most
			told=$(jq -c . <<<"$output" | wc -l)
			[ $((told + ${#stderr_lines[@]})) -eq "$(wc -l <"$BATS_TEST_TMPDIR/all")" ]
			first=$output
			# shellcheck disable=SC2086
			convert $options "$BATS_TEST_TMPDIR/all"
			[ "$output" = "$first" ]
		done
	done
}

# counts: how many events of each type came out, as "TYPE=N TYPE=N"
counts() {
	jq -rs 'group_by(.type) | map("\(.[0].type)=\(length)") | join(" ")' <<<"$output"
}

@test "the collection makes exactly these events" {
	[ "$(deliveries api.github.com | wc -l)" -eq 329 ]
	convert < <(deliveries api.github.com)
	[ "$(counts)" = 'MILESTONE_COMPLETE=2' ]
	convert --pr-as-issue --label bug < <(deliveries api.github.com)
	[ "$(counts)" = "CI_FAILED=1 CI_PASSED=5 HEARTBEAT=1 ISSUE_APPROVED=6 \
MILESTONE_COMPLETE=2 PR_CREATED=4 REVIEW_ASSIGNED=1" ]
	# Nobody merges, approves or deploys an issue there, so let somebody.
	convert --pr-as-issue < <(deliveries api.github.com | jq -c '.payload |=
		if .action == "closed" and .pull_request then .pull_request.merged = true
			| .pull_request.merge_commit_sha = "c0ffee"
		elif .action == "submitted" then .review.state = "changes_requested"
		elif .deployment_status then .deployment.payload = {issueNumber: 1}
		elif .ref_type then .ref_type = "branch" | .ref = "issue-1"
		elif .issue then .action = "closed" else . end')
	# of 29 issues 4 are pull requests
	[ "$(counts)" = "BRANCH_CREATED=5 CI_FAILED=1 CI_PASSED=5 DEPLOYED_PRODUCTION=3 \
HEARTBEAT=1 ISSUE_DONE=25 MERGED=2 MILESTONE_COMPLETE=2 PR_CREATED=4 \
REVIEW_ASSIGNED=1 REVIEW_DISPUTED=3" ]
}

@test "the shape of a payload never contradicts its name" {
	convert -q < <(for folder in api.github.com ghes-31 ghes-35; do deliveries "$folder"; done |
		jq -c 'select(.event | IN("issues", "issue_comment", "pull_request", "pull_request_review",
			"pull_request_review_comment", "pull_request_review_thread", "check_run", "check_suite",
			"workflow_run", "workflow_job", "status", "deployment_status", "create", "delete", "push",
			"milestone", "ping")) | .payload')
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}

# ---- with the log

@test "into a log: the second time everything is a duplicate" {
	export EV_LOG=$BATS_TEST_TMPDIR/log.db
	{ deliveries api.github.com; cat "$fixtures/pull_request.closed.merged.json"; } >"$BATS_TEST_TMPDIR/all"
	ev-from-github -q --pr-as-issue --label bug "$BATS_TEST_TMPDIR/all" >"$BATS_TEST_TMPDIR/events"
	run --separate-stderr -0 ev-append "$BATS_TEST_TMPDIR/events"
	# the six payloads that approve the same issue at the same moment are one
	is 'length == 21 and (map(select(.duplicate)) | length) == 5'
	ev-from-github -q --pr-as-issue --label bug "$BATS_TEST_TMPDIR/all" >"$BATS_TEST_TMPDIR/again"
	run --separate-stderr -0 ev-append "$BATS_TEST_TMPDIR/again"
	is 'length == 21 and all(.[]; .duplicate)'
	run --separate-stderr -0 ev-cat -s acme/app#42
	is 'map([.type, .data.mergeSha, .actor, .timestamp]) ==
		[["MERGED", "9f8c2b7d41aa03e5b6c7d8e9f00112233445566a", "github:ann", "2026-04-21T10:32:00.000000Z"]]'
}
