#!/usr/bin/env bats
# ev-cat: which events, in which order and form.

load helper

setup() {
	ev-append -q --correlation c1 <<'EOF'
{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":1,"title":"one"}
{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":2,"title":"two"}
{"type":"HEARTBEAT","agentId":"dev-1","status":"working"}
EOF
	ev-append -q --actor ci --causation cause <<'EOF'
{"type":"CI_FAILED","repo":"acme/app","issueNumber":1,"prNumber":3,"failedChecks":["lint"]}
{"type":"CI_PASSED","repo":"acme/my.lib_x","issueNumber":1,"prNumber":3}
{"type":"AGENT_STUCK","agentId":"dev-1","repo":"acme/app","issueNumber":2,"reason":"silent"}
{"event_type":"SessionSpawned","session_id":"s","project_id":"my-project"}
{"event_type":"CiFixSent","session_id":"s","project_id":"my-project"}
EOF
}

# positions OPTION...: of the events chosen.
positions() {
	ev-cat "$@" | jq -r .position | tr '\n' ' '
}

@test "all events, in order of position" {
	[ "$(positions)" = '1 2 3 4 5 6 7 8 ' ]
	[ "$(positions -r)" = '8 7 6 5 4 3 2 1 ' ]
}

@test "filters choose; repeated ones are alternatives, different ones all hold" {
	[ "$(positions -s acme/app#1)" = '1 4 ' ]
	[ "$(positions -s acme/app#1 -s dev-1)" = '1 3 4 ' ]
	[ "$(positions --stream-prefix acme/app)" = '1 2 4 6 ' ]
	[ "$(positions -t CI_FAILED -t CI_PASSED)" = '4 5 ' ]
	[ "$(positions -t ci_failed)" = '4 ' ]
	[ "$(positions -c session)" = '7 8 ' ]
	[ "$(positions --category health)" = '3 6 ' ]
	[ "$(positions --actor ci)" = '4 5 6 7 8 ' ]
	[ "$(positions --correlation c1)" = '1 2 3 ' ]
	[ "$(positions --causation cause -c rig)" = '4 5 6 ' ]
	[ "$(positions --min-priority urgent)" = '6 ' ]
	[ "$(positions -s acme/app#1 -t CI_FAILED --actor ci)" = '4 ' ]
	[ "$(positions --from 3 --to 5)" = '3 4 5 ' ]
	[ "$(positions -s acme/app#1 --from-version 1)" = '4 ' ]
	[ "$(positions -s acme/app#1 --to-version 0)" = '1 ' ]
	[ "$(positions -n 2 -r)" = '8 7 ' ]
	[ "$(positions -r -s acme/app#1)" = '4 1 ' ]
}

@test "topics match as NATS subjects do" {
	[ "$(positions --topic 'ennio.sessions.my-project.*')" = '7 ' ]
	[ "$(positions --topic 'ennio.>')" = '7 8 ' ]
	[ "$(positions --topic 'ennio.*.my-project.fix_sent')" = '8 ' ]
	[ "$(positions --topic 'rig.*.acme_2Fmy_2Elib_5Fx.>')" = '5 ' ]
	run -1 ev-cat --topic 'ennio.ci'
	for bad in 'a..b' 'a.>.b' 'a*b' ''; do
		run -64 ev-cat --topic "$bad"
	done
}

@test "times choose by when it was recorded" {
	[ "$(positions --since 1h)" = '1 2 3 4 5 6 7 8 ' ]
	run -1 ev-cat --until 2020-01-01
	mid=$(ev-cat --from 4 -n 1 | jq -r .recordedAt)
	[ "$(positions --since "$mid" | cut -d' ' -f1)" -le 4 ]
	[ "$(positions --until "$mid" | wc -w)" -ge 4 ]
	before=$(ev-cat --from 3 -n 1 | jq -r .recordedAt)
	[ "$(positions --until "$before")" = '1 2 3 ' ]
	run -64 --separate-stderr ev-cat --since 'two hours'
	[[ $stderr == *"--since 'two hours'"* ]]
}

@test "indexes and scans choose the same events" {
	for i in $(seq 3000); do
		echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"a$((i % 7))\",\"correlationId\":\"k$((i % 11))\"}"
	done | ev-append -q
	for filter in '-s a3' '-t HEARTBEAT' '--correlation k5' '-s a1 -s a2' \
		'--correlation k5 -s a3' '-t CI_PASSED' '--actor ci'; do
		# shellcheck disable=SC2086
		ev-cat $filter >"$BATS_TEST_TMPDIR/index"
		case $filter in
		'-s a3') jq='.streamId=="a3"' ;;
		'-t HEARTBEAT') jq='.type=="HEARTBEAT"' ;;
		'--correlation k5') jq='.correlationId=="k5"' ;;
		'-s a1 -s a2') jq='.streamId=="a1" or .streamId=="a2"' ;;
		'--correlation k5 -s a3') jq='.correlationId=="k5" and .streamId=="a3"' ;;
		'-t CI_PASSED') jq='.type=="CI_PASSED"' ;;
		*) jq='.actor=="ci"' ;;
		esac
		ev-cat | jq -c "select($jq) | .position" >"$BATS_TEST_TMPDIR/scan"
		[ -s "$BATS_TEST_TMPDIR/scan" ]
		jq -c .position "$BATS_TEST_TMPDIR/index" |
			cmp - "$BATS_TEST_TMPDIR/scan"
	done
	[ "$(positions -t HEARTBEAT --from 1500 --to 1502)" = '1500 1501 1502 ' ]
	[ "$(ev-cat --correlation k5 --from 2000 --count)" = \
		"$(ev-cat --from 2000 | jq -c 'select(.correlationId=="k5")' | wc -l)" ]
}

@test "--count counts; nothing chosen is an honest no" {
	run -0 ev-cat --count
	[ "$output" = 8 ]
	run -0 ev-cat --count -c session
	[ "$output" = 2 ]
	run -1 ev-cat --count -s nothing
	[ "$output" = 0 ]
	run -1 ev-cat -s nothing
	[ -z "$output" ]
}

@test "names that no catalog has are refused, not silently empty" {
	run -64 --separate-stderr ev-cat -t NOPE
	[[ $stderr == *'unknown event type: NOPE'* ]]
	run -64 --separate-stderr ev-cat --category nope
	[[ $stderr == *'unknown category: nope'* ]]
	run -64 ev-cat -f yaml
	run -64 ev-cat -n many
	run -64 ev-cat operand
	run -64 ev-cat --min-priority loud
}

@test "no log is 69 and says who makes one" {
	run -69 --separate-stderr ev-cat -l "$BATS_TEST_TMPDIR/none.db"
	[[ $stderr == *"'$BATS_TEST_TMPDIR/none.db'"*ev-append* ]]
	[ ! -e "$BATS_TEST_TMPDIR/none.db" ]
}

@test "an empty file is an empty log" {
	: >"$BATS_TEST_TMPDIR/empty.db"
	run -1 ev-cat -l "$BATS_TEST_TMPDIR/empty.db"
	[ -z "$output" ]
}

@test "streams with quotes, wildcards and emoji are found as they are" {
	for stream in 'a"b' 'a\b' "it's" '%_*' '🚀' $'tab\there' '-x' 'x y'; do
		ev-append -q -s "$stream" HEARTBEAT agentId=a
		run -0 ev-cat -s "$stream"
		[ "$(jq -r .streamId <<<"$output")" = "$stream" ]
	done
	[ "$(ev-cat --stream-prefix 'a"' --count)" = 1 ]
	ev-verify
}

@test "a reader that goes away ends it quietly" {
	for i in $(seq 2000); do
		echo '{"type":"HEARTBEAT","agentId":"a","x":"'"$i"' xxxxxxxxxxxxxxxxxxx"}'
	done | ev-append -q
	run -0 bash -c 'set -o pipefail; { ev-cat 2>"$0" || [ $? = 141 ]; } | head -n 1 >/dev/null' "$BATS_TEST_TMPDIR/err"
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "a full standard output is 74" {
	run -74 --separate-stderr bash -c 'ev-cat >/dev/full'
	[[ $stderr == *'cannot write to standard output'* ]]
	run -74 bash -c 'ev-cat --count >/dev/full'
}

@test "a log in a folder that cannot be written can be read" {
	[ "$(id -u)" = 0 ] || chmod 500 "$BATS_TEST_TMPDIR"
	mkdir "$BATS_TEST_TMPDIR/ro"
	cp "$EV_LOG" "$BATS_TEST_TMPDIR/ro/log.db"
	cp "$EV_LOG-wal" "$BATS_TEST_TMPDIR/ro/log.db-wal"
	[ "$(ev-cat -l "$BATS_TEST_TMPDIR/ro/log.db" --count)" = 8 ]
}

@test "positions stay contiguous while others append" {
	for i in 1 2 3; do
		for n in $(seq 400); do
			echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"w$i\",\"n\":$n}"
		done | ev-append -q &
	done
	for i in 1 2 3 4 5 6 7 8; do
		ev-cat | jq -r .position |
			awk '$1 != NR { print "hole at", NR; exit 1 }'
	done
	wait
	[ "$(ev-cat --count)" = 1208 ]
	ev-verify
}
