#!/usr/bin/env bats
# ev-why and ev-bisect: from a document back to its events.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p my home && export HOME=$PWD/home EV_PROJECTIONS=$PWD/my
	cat >my/state.yaml <<'END'
projection: state
catalog: rig
key: "{$.streamId}"
start: { state: null, attempt: 0 }
on:
  ISSUE_APPROVED: { set: { state: queued } }
  ISSUE_ASSIGNED: { set: { state: assigned, by: { agent: .agentId } }, count: { attempt: 1 } }
  CI_FAILED: { set: { state: ci_failed } }
  WORK_STARTED: { when: { $doc.state: assigned }, set: { state: working } }
derive:
  half: { ratio: [attempt, [attempt, attempt]], places: 2 }
END
	cat >my/spent.yaml <<'END'
projection: spent
catalog: rig
key: "{.agentId|agent}"
on:
  TOKEN_USAGE: { add: { usd: .costUsd } }
END
	cat >my/tries.yaml <<'END'
projection: tries
from: state
key: "{.attempt}"
on:
  document: { count: { issues: 1 }, tally: { states: .state } }
END
	cat >my/all-tries.yaml <<'END'
projection: all-tries
from: tries
key: all
on:
  document: { add: { issues: .issues } }
END
	ev-append -q <<'END'
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":1}
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":2}
{"type":"WORK_STARTED","repo":"a/b","issueNumber":1}
{"type":"ISSUE_ASSIGNED","repo":"a/b","issueNumber":1,"agentId":"dev-1"}
{"type":"TOKEN_USAGE","repo":"a/b","issueNumber":1,"agentId":"dev-1/x","costUsd":0.10}
{"type":"WORK_STARTED","repo":"a/b","issueNumber":1}
{"type":"HEARTBEAT","agentId":"dev-1"}
{"type":"CI_FAILED","repo":"a/b","issueNumber":1}
{"type":"TOKEN_USAGE","repo":"a/b","issueNumber":1,"agentId":"dev-2","costUsd":"0.20"}
{"type":"ISSUE_ASSIGNED","repo":"a/b","issueNumber":1,"agentId":"dev-1"}
{"type":"TOKEN_USAGE","repo":"a/b","issueNumber":1,"agentId":"dev-1","costUsd":0}
{"type":"ISSUE_ASSIGNED","repo":"a/b","issueNumber":2,"agentId":"dev-2"}
END
}

# why ARGUMENT...: the positions that ev-why prints.
why() {
	ev-why "$@" | jq -r .position | paste -s -d ' '
}

bisect() {
	ev-bisect "$@" | jq -r .position
}

@test "the events of a document, in order, as the log has them" {
	[ "$(why state 'a/b#1')" = '1 4 6 8 10' ]
	[ "$(why state 'a/b#2')" = '2 12' ]
	[ "$(why spent dev-1)" = '5 11' ]
	ev-why state 'a/b#2' | cmp - <(ev-cat -s 'a/b#2')
}

@test "of a member, those only that changed it" {
	[ "$(why state 'a/b#1' attempt)" = '4 10' ]
	[ "$(why state 'a/b#1' state)" = '1 4 6 8 10' ]
	[ "$(why state 'a/b#1' by)" = 4 ]
	[ "$(why state 'a/b#1' by.agent)" = 4 ]
	# 0.10 and 0 more is the same, and so says 0.10
	[ "$(why spent dev-1 usd)" = 5 ]
	[ "$(why state 'a/b#1' half)" = 4 ]
	run -1 --separate-stderr ev-why state 'a/b#1' by.nothing
	[ -z "$output$stderr" ]
}

@test "what is not there is status 1 or 64" {
	run -1 --separate-stderr ev-why state none
	[ -z "$output$stderr" ]
	run -64 --separate-stderr ev-why state 'a/b#1' atempt
	[ "$stderr" = "ev-why: documents of 'state' have no member 'atempt'" ]
	run -64 --separate-stderr ev-why stats 'a/b#1'
	[[ $stderr == "ev-why: no projection 'stats'"* ]]
	run -64 ev-why state
	run -64 ev-why state 'a/b#1' state x
	run -69 ev-why -l none.db state 'a/b#1'
	[ ! -e none.db ]
	run -64 ev-bisect state 'a/b#1'
	run -64 --separate-stderr ev-bisect state 'a/b#1' atempt=1
	[ "$stderr" = "ev-bisect: documents of 'state' have no member 'atempt'" ]
	run -64 ev-bisect state 'a/b#1' attempt
	run -69 ev-bisect -l none.db state 'a/b#1' attempt=1
}

@test "-f prints them as ev-cat does" {
	ev-why -f table state 'a/b#2' | cmp - <(ev-cat -f table -s 'a/b#2')
	ev-why -f native state 'a/b#2' | cmp - <(ev-cat -f native -s 'a/b#2')
	run -0 ev-bisect -f cloudevents state 'a/b#1' state=queued
	[ "$(jq -r .specversion <<<"$output")" = 1.0 ]
	run -64 ev-why -f xml state 'a/b#2'
}

@test "a file, or a definition that the log keeps" {
	ev-project state
	sed 's/CI_FAILED/CI_PASSED/' my/state.yaml >other.yaml
	cp other.yaml my/state.yaml
	# the log's definition counts, and the difference is said
	run -0 --separate-stderr ev-why state 'a/b#1' state
	[ "$(jq -r .position <<<"$output" | paste -s -d ' ')" = '1 4 6 8 10' ]
	[ -n "$stderr" ]
	rm my/state.yaml
	[ "$(why state 'a/b#1' state)" = '1 4 6 8 10' ]
	sed 's/projection: state/projection: other/' other.yaml >other2.yaml
	[ "$(why ./other2.yaml 'a/b#1' state)" = '1 4 6 10' ]
}

@test "nothing is written" {
	before=$(ev-verify --head)
	ev-project state
	chmod a-w log.db
	sum=$(cksum <log.db)
	ev-why tries 2 >out
	run -0 ev-bisect tries 2 issues=1
	[ "$(cksum <log.db)" = "$sum" ]
	[ "$(ev-verify --head)" = "$before" ]
}

@test "the events behind a document that is made from documents" {
	[ "$(why tries 2)" = '1 4 6 8 10' ]
	[ "$(why tries 1)" = '2 12' ]
	[ "$(why tries 2 issues)" = '1 4 6 8 10' ]
	[ "$(why all-tries all)" = '1 2 4 6 8 10 12' ]
	run -1 ev-why tries 3
}

@test "the first event after which something held" {
	[ "$(bisect state 'a/b#1' attempt=1)" = 4 ]
	[ "$(bisect state 'a/b#1' 'attempt>1')" = 10 ]
	[ "$(bisect state 'a/b#1' state=assigned 'attempt>=2')" = 10 ]
	[ "$(bisect state 'a/b#1' by.agent=dev-1)" = 4 ]
	[ "$(bisect state 'a/b#1' half=0.5)" = 4 ]
	# it held for a while only
	[ "$(bisect state 'a/b#1' state=working)" = 6 ]
	[ "$(bisect spent dev-2 usd=0.2)" = 9 ]
	run -1 --separate-stderr ev-bisect state 'a/b#1' 'attempt>2'
	[ -z "$output$stderr" ]
	run -1 ev-bisect state none state=queued
}

@test "and of a document that is made from documents" {
	[ "$(bisect tries 1 issues=1)" = 4 ]
	[ "$(bisect tries 2 issues=1)" = 10 ]
	[ "$(bisect tries 1 states.working=1)" = 6 ]
	[ "$(bisect all-tries all issues=2)" = 2 ]
	run -1 ev-bisect tries 1 issues=2
	# whose rules look at the document itself
	sed 's/tries/seen/; s/document: {/& when: { $doc.issues: { not: 1 } },/' \
		my/tries.yaml >my/seen.yaml
	[ "$(bisect seen 0 issues=1)" = 1 ]
	run -1 ev-bisect seen 0 issues=2
}

@test "events that could not be folded are told" {
	cat >my/bad.yaml <<'END'
projection: bad
catalog: rig
key: "{.repo}"
on: { "*": { set: { type: $.type } } }
END
	run -0 --separate-stderr ev-why bad a/b type
	[ "${#lines[@]}" -eq 10 ]
	[[ $stderr == "ev-why: 1 of the events could not be folded and changed nothing, the first at position 7: "* ]]
}

# What a member was after each event, by folding all events up to there.
changes() { # KEY MEMBER START
	local n before=$3 now
	for ((n = 1; n <= ${#stream[@]}; n++)); do
		now=$(printf '%s\n' "${stream[@]:0:n}" | ev-fold -p state -k "$1" |
			jq -c --arg m "$2" '.[$m]')
		[ "$now" = "$before" ] || jq .position <<<"${stream[n - 1]}"
		before=$now
	done | paste -s -d ' '
}

@test "what ev-why and ev-bisect say is what ev-fold shows, step by step" {
	local issue key stream attempts
	seq 300 | awk 'BEGIN {
		srand(7)
		split("ISSUE_APPROVED ISSUE_ASSIGNED WORK_STARTED CI_FAILED", types)
	} {
		printf "{\"type\":\"%s\",\"repo\":\"r\",\"issueNumber\":%d," \
			"\"agentId\":\"a%d\"}\n", types[1 + int(rand() * 4)],
			1 + int(rand() * 9), int(rand() * 3)
	}' | ev-append -q -l many.db
	for issue in 1 5 9; do
		key="r#$issue"
		mapfile -t stream < <(ev-cat -l many.db -s "$key")
		[ "${#stream[@]}" -gt 20 ]
		attempts=$(changes "$key" attempt 0)
		[ "$(why -l many.db state "$key" attempt)" = "$attempts" ]
		[ "$(why -l many.db state "$key" state)" = \
			"$(changes "$key" state null)" ]
		[ "$(why -l many.db state "$key" by)" = \
			"$(changes "$key" by null)" ]
		[ "$(bisect -l many.db state "$key" attempt=3)" = \
			"$(cut -d ' ' -f 3 <<<"$attempts")" ]
	done
}
