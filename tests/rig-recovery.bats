#!/usr/bin/env bats
# What a rig does by itself, at a controlled time: who is stuck (rig-stuck),
# what follows (rig-recover), which issues are forgotten (rig-orphans) and which
# wait for a person (rig-remind). All of it to the exact events, and once,
# however often and by however many it is done.
#
# shellcheck disable=SC2016 # hostile text is not to be expanded

load helper

setup() {
	export HOME=$BATS_TEST_TMPDIR/home
	export XDG_CONFIG_HOME=$HOME/.config
	mkdir "$HOME"
	cd "$BATS_TEST_TMPDIR" || return
	at 10:00
}

# ---- a day in April

# at TIME [DAY]: it is that time from now on
at() {
	export EV_NOW="2026-04-${2:-21}T$1Z"
	case $1 in
	*:*:*) ;;
	*) EV_NOW=2026-04-${2:-21}T$1:00Z ;;
	esac
}

tell() { # STREAM TYPE [MEMBER]...
	ev-append -q --timestamp "$EV_NOW" -s "$@"
}

beat() { # AGENT [STATUS]
	tell "${1%%/*}" HEARTBEAT "agentId=$1" "status=${2:-working}"
}

# approved at the present time, and given to an agent
begin() { # ISSUE AGENT
	tell "$1" ISSUE_APPROVED
	tell "$1" ISSUE_ASSIGNED "agentId=$2" attempt:=1
	tell "$1" WORK_STARTED "agentId=$2"
}

recover() {
	rig-recover -q --once
}

# steps ISSUE [N]: types of its events and what matters in them, behind the N-th
steps() {
	ev-cat -s "$1" --from-version "${2:-0}" | jq -r '
		[.type, (.data | .agentId, .reason, .attempt, .attempts,
			.waitMinutes, .elapsed) | values] | join(" ")'
}

# state ISSUE MEMBER...
state() {
	ev-get issue-status "$1" | jq -c "[.$2]"
}

events() {
	ev-cat --count
}

# ---- CI

@test "CI_FAILED: the agent fixes, commits, CI runs again" {
	begin acme/app#1 dev-1
	tell acme/app#1 PR_CREATED agentId=dev-1 prNumber:=7
	at 10:10
	tell acme/app#1 CI_FAILED prNumber:=7 failedChecks:='["test"]'
	recover
	# it is offered what it has to mend
	[ "$(rig-next dev-1)" = acme/app#1 ]
	run -1 rig-next dev-2
	at 10:20
	tell acme/app#1 HEARTBEAT agentId=dev-1 activity=commit commit=c0ffee
	tell acme/app#1 CI_PASSED prNumber:=7
	recover
	diff - <(steps acme/app#1) <<-'END'
		ISSUE_APPROVED
		ISSUE_ASSIGNED dev-1 1
		WORK_STARTED dev-1
		PR_CREATED dev-1
		CI_FAILED
		HEARTBEAT dev-1
		CI_PASSED
	END
	[ "$(state acme/app#1 state)" = '["in_review"]' ]
}

@test "CI_FAILED that nobody holds goes back to the queue" {
	tell acme/app#1 ISSUE_APPROVED
	tell acme/app#1 PR_CREATED prNumber:=7
	tell acme/app#1 CI_FAILED prNumber:=7
	# this one is somebody's own: nobody approved that agents work on it
	tell acme/app#2 PR_CREATED prNumber:=8
	tell acme/app#2 CI_FAILED prNumber:=8
	recover
	[ "$(rig-next dev-1)" = acme/app#1 ]
	diff - <(steps acme/app#1 3) <<-'END'
		ISSUE_UNASSIGNED CI failed, and nobody holds the issue
	END
	[ "$(state acme/app#2 state)" = '["ci_failed"]' ]
	[ "$(events)" = 6 ]
}

# ---- the smoke test

@test "SMOKE_FAILED by its code: fixed and tried again, escalated the third time" {
	begin acme/app#1 dev-1
	local i
	for i in 1 2 3; do
		[ "$(state acme/app#1 state)" != '["escalated"]' ]
		tell acme/app#1 DEPLOYED_STAGING
		tell acme/app#1 SMOKE_FAILED reason=code "retryCount:=$i"
		recover
		[ "$i" -eq 3 ] || [ "$(rig-next dev-1)" = acme/app#1 ]
	done
	diff - <(steps acme/app#1 3) <<-'END'
		DEPLOYED_STAGING
		SMOKE_FAILED code
		DEPLOYED_STAGING
		SMOKE_FAILED code
		DEPLOYED_STAGING
		SMOKE_FAILED code
		ESCALATED the smoke test failed 3 times: code 3
	END
	[ "$(state acme/app#1 'state, .smokeRetries')" = '["escalated",3]' ]
	recover
	[ "$(events)" = 10 ]
}

@test "free text is a reason of the code's; without a count failures are counted" {
	begin acme/app#1 dev-1
	tell acme/app#1 SMOKE_FAILED 'reason=502 from /login'
	tell acme/app#1 SMOKE_FAILED
	recover
	[ "$(state acme/app#1 state)" = '["smoke_failed"]' ]
	tell acme/app#1 SMOKE_FAILED 'reason=502 from /login'
	recover
	diff - <(steps acme/app#1 6) <<-'END'
		ESCALATED the smoke test failed 3 times: 502 from /login 3
	END
}

@test "how often a smoke test may fail: the event says it, else the configuration" {
	echo 'smoke: { retries: 2 }' >rig.yaml
	begin acme/app#1 dev-1
	begin acme/app#2 dev-2
	tell acme/app#1 SMOKE_FAILED retryCount:=2
	tell acme/app#2 SMOKE_FAILED retryCount:=4 maxRetries:=5
	recover
	[ "$(state acme/app#1 state)" = '["escalated"]' ]
	[ "$(state acme/app#2 state)" = '["smoke_failed"]' ]
	tell acme/app#2 SMOKE_FAILED retryCount:=5 maxRetries:=5
	recover
	[ "$(state acme/app#2 state)" = '["escalated"]' ]
}

@test "SMOKE_FAILED by what it depends on is escalated at once" {
	begin acme/app#1 dev-1
	tell acme/app#1 SMOKE_FAILED reason=external_dependency
	recover
	diff - <(steps acme/app#1 4) <<-'END'
		ESCALATED the smoke test failed: external_dependency 1
	END
}

@test "a failure that was overcome before anybody looked needs nothing" {
	begin acme/app#1 dev-1
	tell acme/app#1 SMOKE_FAILED reason=external_dependency
	tell acme/app#1 SMOKE_PASSED
	begin acme/app#2 dev-2
	tell acme/app#2 SMOKE_FAILED retryCount:=3
	tell acme/app#2 ISSUE_DONE
	recover
	[ "$(events)" = 10 ]
}

# ---- stuck agents

@test "AGENT_STUCK: to another agent the first time, escalated the second" {
	begin acme/app#1 dev-1/x7k2p
	beat dev-1/x7k2p
	at 10:30
	beat dev-2
	beat dev-3 waiting_input
	rig-stuck -q
	recover
	at 11:00
	rig-stuck -q
	recover
	rig-stuck -q
	recover
	diff - <(steps acme/app#1) <<-'END'
		ISSUE_APPROVED
		ISSUE_ASSIGNED dev-1/x7k2p 1
		WORK_STARTED dev-1/x7k2p
		AGENT_STUCK dev-1 no sign of life for 30 min 1 30
		ISSUE_UNASSIGNED dev-1 dev-1 is stuck
		ISSUE_ASSIGNED dev-2 2
		AGENT_STUCK dev-2 no sign of life for 30 min 2 30
		ESCALATED dev-2 is stuck: no sign of life for 30 min 2
	END
	# each follows from what caused it, and is part of the same story
	ev-cat -s acme/app#1 | jq -es '
		.[3].id as $first | .[6].id as $second
		| map([.actor, .causationId, .correlationId]) | .[3:] == [
		["rig-stuck", null, null],
		["rig-recover", $first, $first],
		["rig-recover", $first, $first],
		["rig-stuck", null, null],
		["rig-recover", $second, $second]]'
}

@test "no other agent is free: the issue goes back to the queue" {
	begin acme/app#1 dev-1
	beat dev-1
	at 10:30
	rig-stuck -q
	recover
	diff - <(steps acme/app#1 4) <<-'END'
		ISSUE_UNASSIGNED dev-1 dev-1 is stuck
	END
	[ "$(rig-next dev-2)" = acme/app#1 ]
}

@test "attempts before a stuck agent is escalated are configured" {
	echo 'stuck: { attempts: 1 }' >rig.yaml
	begin acme/app#1 dev-1
	at 10:30
	beat dev-2
	rig-stuck -q
	recover
	diff - <(steps acme/app#1 4) <<-'END'
		ESCALATED dev-1 is stuck: no sign of life for 30 min 1
	END
}

@test "who gave a sign of life after all keeps its issue" {
	begin acme/app#1 dev-1
	begin acme/app#2 dev-2
	begin acme/app#3 dev-3
	at 10:30
	rig-stuck -q
	at 10:31
	beat dev-1
	tell acme/app#2 BRANCH_CREATED agentId=dev-2/pod branch=issue-2
	# it gave it back itself, and another took it
	tell acme/app#3 ISSUE_UNASSIGNED agentId=dev-3
	tell acme/app#3 ISSUE_ASSIGNED agentId=dev-1 attempt:=2
	at 10:32
	recover
	[ "$(ev-cat --count --actor rig-recover || true)" = 0 ]
	# later it falls silent again
	at 11:01
	rig-stuck
	recover
	[ "$(steps acme/app#1 4)" = 'AGENT_STUCK dev-1 no sign of life for 30 min 2 30
ESCALATED dev-1 is stuck: no sign of life for 30 min 2' ]
}

@test "a sign of life that was told late counts" {
	begin acme/app#1 dev-1
	at 10:40
	rig-stuck -q
	at 10:20
	tell acme/app#1 HEARTBEAT agentId=dev-1 activity=commit
	at 10:41
	recover
	[ "$(ev-cat --count --actor rig-recover || true)" = 0 ]
	at 10:49:59
	rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 1 ]
	at 10:50
	rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 2 ]
}

@test "an agent that says itself that it is stuck is believed" {
	begin acme/app#1 dev-1
	at 10:05
	beat dev-2
	tell acme/app#1 AGENT_STUCK agentId=dev-1 'reason=the tests never end'
	# without an issue there is nothing to give to another
	tell dev-1 AGENT_STUCK agentId=dev-1
	recover
	diff - <(steps acme/app#1 4) <<-'END'
		ISSUE_UNASSIGNED dev-1 dev-1 is stuck
		ISSUE_ASSIGNED dev-2 2
	END
}

# ---- milestones

@test "the last issue of a milestone completes it, once" {
	tell acme/app#1 ISSUE_APPROVED milestone=v1
	tell acme/app#2 ISSUE_APPROVED milestone=v1
	tell acme/app#3 ISSUE_APPROVED
	tell acme/app#1 ISSUE_DONE
	tell acme/app#3 ISSUE_DONE
	recover
	run -1 ev-cat -t MILESTONE_COMPLETE
	tell acme/app#2 ISSUE_DONE
	recover
	tell acme/app#2 ISSUE_DONE
	recover
	ev-cat -t MILESTONE_COMPLETE | jq -es 'map(.data) ==
		[{repo: "acme/app", milestone: "v1", issueCount: 2}]'
}

# ---- once

@test "events that run again change nothing" {
	begin acme/app#1 dev-1
	begin acme/app#2 dev-2
	tell acme/app#2 SMOKE_FAILED reason=external_dependency
	tell acme/app#3 ISSUE_APPROVED milestone=v1
	tell acme/app#3 ISSUE_DONE
	at 10:30
	beat dev-4
	rig-stuck -q
	recover
	before=$(events)
	ev-each --forget rig-recover
	recover
	[ "$(events)" = "$before" ]
	# and neither do they when they are run by hand
	for type in AGENT_STUCK SMOKE_FAILED ISSUE_DONE; do
		ev-cat -t "$type" -n 1 | rig-recover --event
	done
	[ "$(events)" = "$before" ]
}

@test "killed between the effect and the checkpoint, it is done once" {
	begin acme/app#1 dev-1
	at 10:30
	beat dev-2
	rig-stuck -q
	local event i
	event=$(ev-cat -t AGENT_STUCK)
	EV_IDEMPOTENCY_KEY=rig-recover/$(jq -r .id <<<"$event")
	export EV_IDEMPOTENCY_KEY
	rig-recover -q --event <<<"$event"
	# what it would have seen without its first effect
	for i in 1 2 3; do
		rig-recover -q --event <<<"$event"
	done
	[ "$(steps acme/app#1 4 | wc -l)" = 2 ]
	ev-cat -t ISSUE_ASSIGNED -r -n 1 | jq -e --arg key "$EV_IDEMPOTENCY_KEY" \
		'.id == $key + "/ISSUE_ASSIGNED"'
}

@test "eight at once declare, recover, remind and tell of orphans once" {
	local i
	for i in 1 2 3; do
		begin "acme/app#$i" "dev-$i"
	done
	tell acme/app#4 HUMAN_GATE_TRIGGERED prNumber:=4
	tell acme/app#5 SMOKE_FAILED reason=external_dependency
	at 10:31
	beat dev-9
	all() { # COMMAND...
		local i pids=()
		for i in 1 2 3 4 5 6 7 8; do
			"$@" 3>&- &
			pids+=("$!")
		done
		for i in "${pids[@]}"; do
			wait "$i" || return
		done
	}
	all rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 3 ]
	ev-cat -t AGENT_STUCK -n 1 >event
	recover_event() {
		rig-recover -q --event <event
	}
	all recover_event
	[ "$(steps "$(jq -r .streamId event)" 4 | wc -l)" = 2 ]
	ev-cat -t SMOKE_FAILED >event
	all recover_event
	[ "$(ev-cat --count -t ESCALATED)" = 1 ]
	all rig-remind -q
	[ "$(ev-cat --count -t HUMAN_GATE_REMINDER)" = 1 ]
	at 10:31 22
	all rig-orphans -q
	[ "$(ev-cat --count -t ISSUE_ORPHANED)" = 3 ]
}

# ---- who is stuck

# stuck [OPTION...]: whom rig-stuck finds now, without saying so in the log
stuck() {
	rig-stuck -n --json "$@" 2>/dev/null |
		jq -r '"\(.agentId) \(.streamId) \(.elapsed)"'
}

@test "stuck after 30 minutes, not a second before" {
	at 09:00
	begin acme/app#1 dev-1
	at 10:00
	beat dev-1
	at 10:29:59
	[ -z "$(stuck)" ]
	at 10:30
	[ "$(stuck)" = 'dev-1 acme/app#1 30' ]
	at 10:37
	run -0 --separate-stderr rig-stuck
	[ -z "$stderr" ]
	[ "$output" = 'acme/app#1: dev-1 is stuck (attempt 1): no sign of life for 37 min' ]
	ev-cat -t AGENT_STUCK | jq -e '[.streamId, .actor, .timestamp, .data] ==
		["acme/app#1", "rig-stuck", "2026-04-21T10:37:00.000000Z", {
			repo: "acme/app", issueNumber: 1, agentId: "dev-1",
			reason: "no sign of life for 37 min", attempt: 1,
			elapsed: 37, since: "2026-04-21T10:00:00.000000Z"}]'
	[ "$(ev-get agent-status dev-1 | jq -r .status)" = stuck ]
}

@test "an agent that never gave a sign is stuck 30 minutes after it was given something" {
	tell acme/app#1 ISSUE_APPROVED
	at 12:00
	tell acme/app#1 ISSUE_ASSIGNED agentId=dev-1 attempt:=1
	at 12:29:59
	[ -z "$(stuck)" ]
	at 12:30
	[ "$(stuck)" = 'dev-1 acme/app#1 30' ]
}

@test "any event of the agent is a sign of life, wherever it is; those of others are none" {
	begin acme/app#1 dev-1
	at 10:20
	tell acme/app#1 HEARTBEAT agentId=dev-1/pod activity=commit
	at 10:40
	[ -z "$(stuck)" ]
	tell acme/app#1 BRANCH_CREATED agentId=dev-1/pod2 branch=issue-1
	at 11:00
	[ -z "$(stuck)" ]
	tell acme/app#2 HEARTBEAT agentId=dev-1
	at 11:20
	[ -z "$(stuck)" ]
	beat dev-10
	tell acme/app#1 HEARTBEAT agentId=dev-2
	tell acme/app#1 REVIEW_ASSIGNED agentId=dev-2 prNumber:=1
	tell acme/app#1 CI_FAILED agentId=dev-2 prNumber:=1
	at 11:50
	[ "$(stuck)" = 'dev-1 acme/app#1 30' ]
}

@test "who waits for review, approval or a deployment is not stuck" {
	local i=0 types
	for types in PR_CREATED HUMAN_GATE_TRIGGERED MERGED DEPLOYED_STAGING \
		SMOKE_PASSED DEPLOYED_PRODUCTION VERIFIED ISSUE_DONE ESCALATED; do
		begin "acme/app#$((++i))" "dev-$i"
		tell "acme/app#$i" "$types" prNumber:="$i"
	done
	at 22:00
	run -0 stuck
	# staging that works is nothing by itself
	[ "$output" = 'dev-5 acme/app#5 720' ]
}

@test "what comes back to an agent is begun within 30 minutes" {
	begin acme/app#1 dev-1
	tell acme/app#1 PR_CREATED agentId=dev-1 prNumber:=7
	at 18:00
	tell acme/app#1 CI_FAILED prNumber:=7
	at 18:20
	# once more is not once more half an hour
	tell acme/app#1 CI_FAILED prNumber:=7
	at 18:29:59
	[ -z "$(stuck)" ]
	at 18:30
	[ "$(stuck)" = 'dev-1 acme/app#1 30' ]
	tell acme/app#1 CI_PASSED prNumber:=7
	at 23:00
	tell acme/app#1 REVIEW_DISPUTED prNumber:=7
	at 23:29:59
	[ -z "$(stuck)" ]
	at 23:30
	[ "$(stuck)" = 'dev-1 acme/app#1 30' ]
}

@test "an agent is stuck with every issue that it holds" {
	begin acme/app#1 dev-1
	begin acme/app#2 dev-1/pod
	begin acme/other#3 dev-1
	begin acme/app#4 dev-2
	at 10:30
	beat dev-2
	[ "$(stuck)" = 'dev-1 acme/app#1 30
dev-1 acme/app#2 30
dev-1 acme/other#3 30' ]
	[ "$(stuck -R acme/other)" = 'dev-1 acme/other#3 30' ]
	at 11:30
	[ "$(stuck dev-2 dev-3)" = 'dev-2 acme/app#4 60' ]
	[ "$(stuck dev-2/pod)" = 'dev-2 acme/app#4 60' ]
}

@test "a silence is declared once, the next one again" {
	begin acme/app#1 dev-1
	at 10:30
	rig-stuck -q
	at 10:40
	rig-stuck -q
	at 23:00
	tell acme/app#1 CI_FAILED
	rig-stuck -q
	at 23:59
	rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 1 ]
	beat dev-1
	at 00:28:59 22
	rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 1 ]
	at 00:29 22
	rig-stuck -q
	[ "$(ev-cat -t AGENT_STUCK -r -n 1 | jq .data.attempt)" = 2 ]
}

@test "given back and given again, it is a new silence" {
	begin acme/app#1 dev-1
	at 10:30
	rig-stuck -q
	tell acme/app#1 ISSUE_UNASSIGNED agentId=dev-1
	tell acme/app#1 ISSUE_ASSIGNED agentId=dev-1 attempt:=2
	at 10:59
	rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 1 ]
	at 11:00
	rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 2 ]
}

@test "waiting is not being stuck, until the agent does something again" {
	echo 'stuck: { waiting: [lunch, "on hold"] }' >other.yaml
	local status i=0
	for status in waiting_input waiting blocked paused lunch; do
		begin "acme/app#$((++i))" "dev-$i"
		beat "dev-$i" "$status"
	done
	at 22:00
	[ "$(stuck)" = 'dev-5 acme/app#5 720' ]
	[ "$(stuck --config other.yaml | cut -c 1-5 | tr -d '\n')" = dev-1dev-2dev-3dev-4 ]
	# it got what it waited for, and says nothing more
	tell acme/app#1 BRANCH_CREATED agentId=dev-1 branch=issue-1
	beat dev-2
	at 22:30
	[ "$(stuck dev-1 dev-2 dev-3)" = 'dev-1 acme/app#1 30
dev-2 acme/app#2 30' ]
}

@test "limits: for all, for an agent, for this time, and none" {
	local i
	for i in 1 2 3 4 5 6; do
		begin "acme/app#$i" "dev-$i"
	done
	cat >rig.yaml <<-'END'
		stuck:
		  after: 1h
		  agents:
		    dev-1: 10m
		    dev-2: { after: 2h }
		    dev-3: false
		    dev-4: { enabled: false, after: 1m }
		    dev-5: true
	END
	names() {
		stuck "$@" | cut -d ' ' -f 1 | tr '\n' ' '
	}
	at 10:09:59
	[ -z "$(names)" ]
	at 10:10
	[ "$(names)" = 'dev-1 ' ]
	at 10:59:59
	[ "$(names)" = 'dev-1 ' ]
	at 11:00
	[ "$(names)" = 'dev-1 dev-5 dev-6 ' ]
	at 12:00
	[ "$(names)" = 'dev-1 dev-2 dev-5 dev-6 ' ]
	[ "$(names --after 3h)" = '' ]
	[ "$(names --after 90s dev-2 dev-3)" = 'dev-2 ' ]
	echo 'stuck: { enabled: false }' >off.yaml
	[ -z "$(names --config off.yaml)" ]
	[ -z "$(names --config off.yaml --after 1s)" ]
	[ -z "$(EV_RIG=off.yaml names)" ]
}

@test "a clock that goes back makes nobody stuck, and hides nobody for good" {
	at 12:00
	begin acme/app#1 dev-1
	beat dev-1
	at 12:30
	rig-stuck -q
	[ "$(ev-cat --count -t AGENT_STUCK)" = 1 ]
	at 09:00
	[ -z "$(stuck)" ]
	# what it says by the right clock is overtaken, but it is in the stream
	at 12:10
	tell acme/app#1 HEARTBEAT agentId=dev-1
	at 12:39
	[ -z "$(stuck)" ]
	at 12:40
	[ "$(stuck)" = 'dev-1 acme/app#1 30' ]
}

# ---- orphans

orphans() {
	rig-orphans -n --json "$@" 2>/dev/null |
		jq -r '"\(.type) \(.streamId)"'
}

@test "an issue is orphaned after a day, and needs a human after two" {
	tell acme/app#1 ISSUE_APPROVED
	at 09:59:59 22
	[ -z "$(orphans)" ]
	at 10:00 22
	run -0 --separate-stderr rig-orphans
	[ -z "$stderr" ]
	[ "$output" = 'acme/app#1: orphaned: queued, and no event for 24 h 0 min' ]
	rig-orphans -q
	at 09:59:59 23
	[ -z "$(orphans)" ]
	at 10:00 23
	run -0 rig-orphans
	[ "$output" = 'acme/app#1: needs a human: queued, and no event for 2 d 0 h' ]
	at 10:00 29
	rig-orphans -q
	diff - <(steps acme/app#1) <<-'END'
		ISSUE_APPROVED
		ISSUE_ORPHANED
		ISSUE_NEEDS_HUMAN
	END
	ev-cat -t ISSUE_ORPHANED | jq -e '[.actor, .data] == ["rig-orphans",
		{repo: "acme/app", issueNumber: 1,
		since: "2026-04-21T10:00:00.000000Z"}]'
}

@test "any event of the issue begins a new silence" {
	tell acme/app#1 ISSUE_APPROVED
	at 10:00 22
	rig-orphans -q
	at 11:00 22
	tell acme/app#1 ISSUE_ASSIGNED agentId=dev-1 attempt:=1
	at 10:00 23
	[ -z "$(orphans)" ]
	at 11:00 23
	rig-orphans -q
	at 11:00 24
	rig-orphans -q
	[ "$(steps acme/app#1 3 | tr '\n' ' ')" = 'ISSUE_ORPHANED ISSUE_NEEDS_HUMAN ' ]
	# but not what it costs, nor what is only said of it
	tell acme/app#1 TOKEN_USAGE agentId=dev-1 costUsd=1
	at 11:00 25
	[ -z "$(orphans)" ]
}

@test "found late, both are said" {
	tell acme/app#1 ISSUE_APPROVED
	at 10:00 25
	rig-orphans -q
	rig-orphans -q
	[ "$(steps acme/app#1 1 | tr '\n' ' ')" = 'ISSUE_ORPHANED ISSUE_NEEDS_HUMAN ' ]
}

@test "who waits for a person, or is done, is no orphan" {
	tell acme/app#1 ISSUE_DONE
	tell acme/app#2 ESCALATED reason=x
	tell acme/app#3 HUMAN_GATE_TRIGGERED prNumber:=1
	tell acme/app#4 MERGED prNumber:=4
	tell acme/app#5 VERIFIED
	at 10:00 22
	[ "$(orphans)" = 'ISSUE_ORPHANED acme/app#4
ISSUE_ORPHANED acme/app#5' ]
}

@test "who waits for other issues is an orphan only if those never come" {
	tell acme/app#1 ISSUE_APPROVED
	tell acme/app#2 ISSUE_APPROVED dependsOn:='[1]'
	tell acme/app#3 ISSUE_APPROVED dependsOn:='["acme/app#2", 1]'
	# done
	tell acme/app#4 ISSUE_DONE
	tell acme/app#5 ISSUE_APPROVED dependsOn:='[4]'
	# unknown
	tell acme/app#6 ISSUE_APPROVED dependsOn:='[99]'
	# in a circle
	tell acme/app#7 ISSUE_APPROVED dependsOn:='[8]'
	tell acme/app#8 ISSUE_APPROVED dependsOn:='["#7"]'
	tell acme/app#9 ISSUE_APPROVED dependsOn:='[9]'
	# not any more: it was begun all the same
	tell acme/app#10 ISSUE_APPROVED dependsOn:='[1]'
	tell acme/app#10 ISSUE_ASSIGNED agentId=dev-1 attempt:=1
	at 11:00 22
	[ "$(orphans | grep -o '[0-9]*$' | sort -n | tr '\n' ' ')" = '1 5 6 7 8 9 10 ' ]
	[ -z "$(orphans -R acme/other)" ]
	tell acme/app#1 ISSUE_ASSIGNED agentId=dev-1 attempt:=1
	[ "$(orphans | grep -o '[0-9]*$' | sort -n | tr '\n' ' ')" = '5 6 7 8 9 10 ' ]
}

@test "the times of orphans are configured, and can be switched off" {
	tell acme/app#1 ISSUE_APPROVED
	echo 'orphans: { after: 2h, human: 1d }' >rig.yaml
	at 11:59
	[ -z "$(orphans)" ]
	at 12:00
	[ "$(orphans)" = 'ISSUE_ORPHANED acme/app#1' ]
	echo 'orphans: { enabled: false }' >rig.yaml
	[ -z "$(orphans)" ]
}

@test "a part of the configuration without a value is by default" {
	begin acme/app#1 dev-1
	tell acme/app#2 ISSUE_APPROVED
	begin acme/app#3 dev-3
	tell acme/app#3 HUMAN_GATE_TRIGGERED prNumber:=3
	begin acme/app#4 dev-4
	tell acme/app#4 SMOKE_FAILED reason=code
	cat >rig.yaml <<-'END'
		stuck:
		  # after: 1h
		orphans: { after: , human: }
		remind:
		smoke:
		gate: { labels: ~ }
	END
	recover
	[ "$(state acme/app#4 state)" = '["smoke_failed"]' ]
	at 10:30
	run -0 rig-stuck -R acme/app
	[ "$(ev-cat -t AGENT_STUCK | jq -r .streamId)" = $'acme/app#1\nacme/app#4' ]
	echo 'stuck: { after: , attempts: , waiting: }' >rig.yaml
	recover
	[ "$(state acme/app#1 state)" = '["queued"]' ]
	[ "$(state acme/app#4 state)" = '["queued"]' ]
	echo 'remind:' >rig.yaml
	rig-remind -q
	[ "$(ev-cat -t HUMAN_GATE_REMINDER --count)" = 1 ]
	echo 'orphans:' >rig.yaml
	at 10:30 22
	rig-orphans -q
	[ "$(ev-cat -s acme/app#2 -t ISSUE_ORPHANED --count)" = 1 ]
}

@test "a configuration that is no mapping is named" {
	echo 'stuck' >rig.yaml
	run -65 rig-stuck
	[[ $output == 'rig-stuck: ./rig.yaml: expected members (repo, stuck, '* ]]
}

# ---- reminders

@test "a gate is reminded of every 30 minutes, until the change is merged" {
	begin acme/app#1 dev-1
	tell acme/app#1 PR_CREATED agentId=dev-1 prNumber:=7
	tell acme/app#1 HUMAN_GATE_TRIGGERED prNumber:=7 'reason=touches payment'
	local time
	for time in 10:05 10:29:59 10:30 10:34 10:59 11:01 11:29 11:30 11:30; do
		at "$time"
		rig-remind -q
	done
	# cron slept
	at 13:10
	rig-remind -q
	at 13:29
	rig-remind -q
	at 13:30
	rig-remind -q
	tell acme/app#1 MERGED prNumber:=7
	at 18:00
	rig-remind -q
	diff - <(steps acme/app#1 5) <<-'END'
		HUMAN_GATE_REMINDER 30
		HUMAN_GATE_REMINDER 61
		HUMAN_GATE_REMINDER 90
		HUMAN_GATE_REMINDER 190
		HUMAN_GATE_REMINDER 210
		MERGED
	END
	ev-cat -t HUMAN_GATE_REMINDER -n 1 | jq -e '[.actor, .data] ==
		["rig-remind", {repo: "acme/app", issueNumber: 1, prNumber: 7,
		waitMinutes: 30}]'
}

@test "an escalated change is not reminded of" {
	tell acme/app#1 HUMAN_GATE_TRIGGERED prNumber:=7
	tell acme/app#1 ESCALATED reason=x
	at 12:00
	rig-remind -q
	[ "$(events)" = 2 ]
}

@test "approval opens the gate; the next one counts anew" {
	tell acme/app#1 ISSUE_APPROVED
	tell acme/app#1 PR_CREATED prNumber:=7 agentId=dev-1
	tell acme/app#1 HUMAN_GATE_TRIGGERED prNumber:=7
	at 10:20
	# the same gate, told by somebody else
	tell acme/app#1 HUMAN_GATE_TRIGGERED prNumber:=7
	at 10:30
	run -0 rig-remind
	[ "$output" = "acme/app#1: waits for a person's approval for 30 min" ]
	tell acme/app#1 ISSUE_APPROVED
	at 12:00
	rig-remind -q
	[ "$(ev-cat --count -t HUMAN_GATE_REMINDER)" = 1 ]
	tell acme/app#1 HUMAN_GATE_TRIGGERED prNumber:=7
	at 12:29
	rig-remind -q
	[ "$(ev-cat --count -t HUMAN_GATE_REMINDER)" = 1 ]
	at 12:30
	rig-remind -q
	[ "$(ev-cat -t HUMAN_GATE_REMINDER -r -n 1 | jq .data.waitMinutes)" = 30 ]
}

@test "reminders are configured, can be switched off, and survive a clock that goes back" {
	tell acme/app#1 HUMAN_GATE_TRIGGERED prNumber:=7
	tell acme/other#1 HUMAN_GATE_TRIGGERED prNumber:=8
	echo 'remind: { every: 90s }' >rig.yaml
	remind() {
		rig-remind -R acme/app "$@"
	}
	for time in 10:01:29 10:01:30 10:01:50 10:02:59 10:03:00 09:00:00 10:03:10; do
		at "$time"
		remind -q
	done
	[ "$(ev-cat --count -t HUMAN_GATE_REMINDER)" = 2 ]
	at 12:00
	echo 'remind: { enabled: false }' >rig.yaml
	remind -q
	[ "$(ev-cat --count -t HUMAN_GATE_REMINDER)" = 2 ]
}

# ---- the commands themselves

@test "text of events is text: nothing of it is run, lost, or drives a terminal" {
	cat >hostile <<-'END'
		$(touch ran) `touch ran` '; touch ran; ' " \ -n --help %s *
	END
	printf '\033]0;title\a\nsecond line' >>hostile
	text=$(cat hostile)
	repo=$'-x $(touch ran)\e[2J'
	head -c 1048576 /dev/zero | tr '\0' 'x' >long
	jq -nc --arg repo "$repo" --arg agent "$text" --rawfile long long '
		{repo: $repo, issueNumber: 1} as $issue
		| ($issue + {type: "ISSUE_APPROVED", title: $long,
			milestone: $agent}),
		($issue + {type: "ISSUE_ASSIGNED", agentId: $agent, attempt: 1}),
		($issue + {type: "HUMAN_GATE_TRIGGERED", issueNumber: 2,
			reason: $long}),
		($issue + {type: "ISSUE_ASSIGNED", issueNumber: 3, agentId: "a"}),
		($issue + {type: "SMOKE_FAILED", issueNumber: 3,
			reason: ($agent + $long), retryCount: 3})' |
		ev-append -q --timestamp "$EV_NOW"
	at 10:30
	for command in rig-stuck rig-remind 'rig-recover --once'; do
		# shellcheck disable=SC2086 # a word or two
		run -0 $command
		[[ $output != *[$'\e\a']* ]]
		[[ $command == rig-remind || ${#lines[@]} -eq 2 ]]
	done
	at 10:30 22
	run -0 rig-orphans
	[[ $output != *[$'\e\a']* ]]
	[ "${#lines[@]}" -eq 1 ]
	[ ! -e ran ]
	diff - <(ev-cat | jq -r .type | tail -n +6) <<-'END'
		AGENT_STUCK
		AGENT_STUCK
		HUMAN_GATE_REMINDER
		ESCALATED
		ISSUE_UNASSIGNED
		ISSUE_ORPHANED
	END
	ev-cat -t AGENT_STUCK -n 1 | jq -e --arg repo "$repo" --arg agent "$text" \
		'.data | .repo == $repo and .agentId == ($agent / "/")[0]'
	ev-cat -t ESCALATED | jq -e --arg text "$text" --rawfile long long \
		'.data.reason == "the smoke test failed 3 times: " + $text + $long'
}

@test "--dry-run appends nothing" {
	begin acme/app#1 dev-1
	tell acme/app#2 HUMAN_GATE_TRIGGERED prNumber:=7
	begin acme/app#3 dev-2
	tell acme/app#3 SMOKE_FAILED reason=external_dependency
	at 10:30
	rig-stuck -q
	before=$(events)
	run -0 rig-stuck -n --after 1s
	run -0 rig-remind -n
	[ "${lines[-1]}" = "acme/app#2: waits for a person's approval for 30 min" ]
	for type in AGENT_STUCK SMOKE_FAILED; do
		ev-cat -t "$type" -n 1 | rig-recover -n --event
	done
	at 10:30 24
	run -0 rig-orphans -n
	[ "$(events)" = "$before" ]
	run -64 rig-recover -n --once
}

@test "--json prints the events, and -q nothing" {
	begin acme/app#1 dev-1
	tell acme/app#2 HUMAN_GATE_TRIGGERED prNumber:=7
	at 10:30
	for command in rig-stuck rig-remind; do
		run -0 --separate-stderr "$command" -n -q
		[ -z "$output$stderr" ]
		run -0 --separate-stderr "$command" --json
		[ -z "$stderr" ]
		[ "$(jq -c '[.type, .streamId]' <<<"$output" | wc -l)" = 1 ]
	done
	at 10:30 24
	run -0 --separate-stderr rig-orphans --json
	[ "$(jq -c '[.type, .streamId]' <<<"$output")" = '["ISSUE_ORPHANED","acme/app#1"]
["ISSUE_NEEDS_HUMAN","acme/app#1"]' ]
}

@test "a model without documents, or a log without events, is no failure" {
	tell x HEARTBEAT agentId=x
	for command in rig-stuck rig-orphans rig-remind 'rig-recover --once'; do
		# shellcheck disable=SC2086 # a word or two
		run -0 --separate-stderr $command
		[ -z "$output$stderr" ]
	done
}

@test "wrong usage exits 64, a wrong configuration 65, no log 69" {
	for command in rig-stuck rig-orphans rig-remind 'rig-recover --event'; do
		# shellcheck disable=SC2086 # a word or two
		{
			run -64 --separate-stderr $command --nonsense
			[ "${#stderr_lines[@]}" -eq 1 ]
			run -64 --separate-stderr $command --config none.yaml
			[[ $stderr == *"'none.yaml': there is no such file" ]]
		}
	done
	run -64 rig-orphans x
	run -64 rig-remind x
	run -64 rig-recover x
	run -64 --separate-stderr rig-stuck --after 0m
	[[ $stderr == *"'0m': expected a span above 0"* ]]
	run -64 rig-stuck --after ''
	run -64 rig-stuck --now nonsense
	for command in rig-stuck rig-orphans rig-remind; do
		run -69 --separate-stderr "$command" -l /dev/null/log
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
	echo 'stuck: { after: -1 }' >rig.yaml
	for command in rig-stuck rig-orphans rig-remind rig-recover; do
		run -65 --separate-stderr "$command"
		[[ $stderr == "$command: ./rig.yaml: 'stuck.after': "* ]]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
}

@test "what is no event is refused by rig-recover" {
	for text in '' null '{}' 'no JSON' '[1]' '{"type":1}' '{} {}'; do
		run -65 --separate-stderr rig-recover --event <<<"$text"
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
	tell acme/app#1 ISSUE_APPROVED
	ev-cat | rig-recover --event
	[ "$(events)" = 1 ]
}
