#!/usr/bin/env bats
# The catalogs that come with ev: every type is accepted in its system's own
# form and goes to the stream, the topic and the priority that it should.

load helper

setup_file() {
	events=$BATS_FILE_TMPDIR/events.tsv
	grep -v '^#' "$BATS_TEST_DIRNAME/fixtures/catalog-events.tsv" >"$events"
	cut -f 4 "$events" | EV_LOG=$BATS_FILE_TMPDIR/log.db ev-append -q
	export events
}

setup() {
	export EV_LOG=$BATS_FILE_TMPDIR/log.db
}

@test "there is an event of every type" {
	ev-cat | jq -r '"\(.catalog) \(.type)"' | sort -u |
		cut -d ' ' -f 1 | uniq -c | tr -s ' ' \
		>"$BATS_TEST_TMPDIR/types"
	# but for Temporal's placeholder, which no history holds
	diff - "$BATS_TEST_TMPDIR/types" <<-'END'
	 30 rig
	 30 session
	 60 temporal
	 8 workflow
	END
}

@test "events go to their streams, with their priorities" {
	diff <(cut -f 1,2 "$events") \
		<(ev-cat | jq -r '"\(.streamId)\t\(.priority)"')
}

@test "events have their topics" {
	local topic
	while read -r topic; do
		[ "$(ev-cat --topic "$topic" --count)" = \
			"$(cut -f 3 "$events" | grep -cxF "$topic")" ] || {
			echo "$topic"
			return 1
		}
	done < <(cut -f 3 "$events" | sort -u)
}

@test "payloads come back as they came, but for envelope, aliases, defaults" {
	run -0 ev-cat -t ISSUE_APPROVED
	[ "$(jq -c .data <<<"$output")" = '{"repo":"acme/app","issueNumber":42,"title":"Login fails","dependsOn":["acme/app#7",8],"priority":"normal"}' ]
	run -0 ev-cat -t SMOKE_FAILED
	[ "$(jq -c .data <<<"$output")" = '{"repo":"acme/app","issueNumber":42,"reason":"external_dependency","retryCount":1,"maxRetries":3}' ]
	run -0 ev-cat -t DEPLOYED_STAGING
	[ "$(jq -c .data <<<"$output")" = '{"repo":"acme/app","issueNumber":42,"environment":"staging-2"}' ]
	run -0 ev-cat -t MILESTONE_COMPLETE
	[ "$(jq -c .data <<<"$output")" = '{"repo":"acme/app","milestone":"v1.0","issueCount":12}' ]
	run -0 ev-cat -t HUMAN_GATE_REMINDER
	[ "$(jq -c .data.waitMinutes <<<"$output")" = 30 ]
	run -0 ev-cat -t REVIEW_DISPUTED
	[ "$(jq -c .data.iteration <<<"$output")" = 2 ]
	run -0 ev-cat -t HEARTBEAT
	[ "$(jq -c '.data|[.memoryMB,.degraded]' <<<"$output")" = '[90,false]' ]
}

@test "both names of an aliased member are accepted" {
	EV_LOG=$BATS_TEST_TMPDIR/log.db
	ev-append -q -s a/b#1 DEPLOYED_PRODUCTION environment=eu
	ev-append -q -s a/b#1 DEPLOYED_PRODUCTION reason=eu
	run -0 ev-cat
	[ "$(jq -r .data.environment <<<"$output" | tr '\n' ' ')" = 'eu eu ' ]
}

@test "an amount of money is a number or the text of one" {
	local amount
	EV_LOG=$BATS_TEST_TMPDIR/log.db
	for amount in 12.10 '"12.10"' 1e-7 0 '"-3"'; do
		ev-append -q -s a TOKEN_USAGE agentId=a costUsd:="$amount"
	done
	run -0 ev-cat
	[ "$(sed 's/.*"costUsd":\([^,}]*\).*/\1/' <<<"$output")" = \
		$'12.10\n"12.10"\n1e-7\n0\n"-3"' ]
	for amount in '"much"' '"1,5"' null true '""' '"0x1"'; do
		run -65 ev-append -q -s a TOKEN_USAGE agentId=a \
			costUsd:="$amount"
	done
}

@test "what a session's topic cannot hold is refused" {
	EV_LOG=$BATS_TEST_TMPDIR/log.db run -65 --separate-stderr ev-append -q \
		<<<'{"event_type":"PrCreated","session_id":"s","project_id":"my.app"}'
	[[ $stderr == *"'project_id'"*"my.app"* ]]
}
