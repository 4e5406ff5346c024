#!/usr/bin/env bats
# ev-watch: never skips, never repeats, ends when it should.

load helper

beat() {
	ev-append -q HEARTBEAT agentId="${1:-a}"
}

# Runs ev-watch in the background.
start_watch() { # FILE OPTION...
	local file=$1
	shift
	ev-watch "$@" >"$file" &
	watcher=$!
}

# Waits until FILE has N lines.
await() {
	timeout 20 sh -c 'until [ "$(wc -l <"$1")" -ge "$2" ]; do sleep 0.02; done' \
		sh "$1" "$2"
}

teardown() {
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true
}

@test "from a position: what is there, then what comes" {
	beat; beat; beat
	start_watch "$BATS_TEST_TMPDIR/out" --from 2 -n 4
	await "$BATS_TEST_TMPDIR/out" 2
	beat; beat
	wait "$watcher"
	[ "$(jq -r .position "$BATS_TEST_TMPDIR/out" | tr '\n' ' ')" = '2 3 4 5 ' ]
}

@test "from now on" {
	beat; beat
	start_watch "$BATS_TEST_TMPDIR/out" --heartbeat 0.02 -n 1
	await "$BATS_TEST_TMPDIR/out" 1 # an empty line: it is watching
	beat
	wait "$watcher"
	[ "$(grep -v '^$' "$BATS_TEST_TMPDIR/out" | jq -r .position)" = 3 ]
}

@test "the log need not exist, nor its folder" {
	export EV_LOG=$BATS_TEST_TMPDIR/later/deep/log.db
	start_watch "$BATS_TEST_TMPDIR/out" --from 1 -n 2
	mkdir "$BATS_TEST_TMPDIR/later"
	mkdir "$BATS_TEST_TMPDIR/later/deep"
	beat; beat
	wait "$watcher"
	[ "$(jq -r .position "$BATS_TEST_TMPDIR/out" | tr '\n' ' ')" = '1 2 ' ]
}

@test "a watcher that starts during a storm misses nothing" {
	for w in 1 2 3; do
		for n in $(seq 500); do
			echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"w$w\",\"n\":$n}"
		done | ev-append -q &
	done
	for i in 1 2 3 4; do
		ev-watch --from 1 --until-position 1500 >"$BATS_TEST_TMPDIR/out$i" &
	done
	wait
	for i in 1 2 3 4; do
		ev-cat | cmp - "$BATS_TEST_TMPDIR/out$i"
	done
	ev-watch --since 1h -n 1500 | cmp - <(ev-cat)
}

@test "filters and forms are those of ev-cat" {
	beat a; beat b
	ev-append -q CI_PASSED repo=a/b issueNumber:=1 prNumber:=2
	run -0 ev-watch --from 1 --until-position 3 -t CI_PASSED -f native
	[ "$(jq -r .type <<<"$output")" = CI_PASSED ]
	[ "${#lines[@]}" = 1 ]
	run -0 ev-watch --from 1 --until-position 3 -s b
	[ "${#lines[@]}" = 1 ]
}

@test "--until-position ends even if nothing there is chosen" {
	beat; beat
	run -0 ev-watch --from 1 --until-position 2 -s nobody
	[ -z "$output" ]
}

@test "--idle-exit ends: 1 when nothing came, 0 after events" {
	beat
	run -1 ev-watch --idle-exit 0.1
	[ -z "$output" ]
	run -0 ev-watch --from 1 --idle-exit 0.1
	[ "${#lines[@]}" = 1 ]
}

@test "a slow reader gets every event" {
	for n in $(seq 3000); do
		echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"a\",\"n\":$n,\"pad\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"
	done >"$BATS_TEST_TMPDIR/in"
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	start_watch "$BATS_TEST_TMPDIR/pipe" --from 1 -n 3000
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	ev-append -q "$BATS_TEST_TMPDIR/in" # more than a pipe holds, unread
	[ "$(jq -r .data.n <&7 | awk '$1 != NR { exit 1 } END { print NR }')" = 3000 ]
	wait "$watcher"
}

@test "it notices a reader that went away although nothing is printed" {
	beat
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	start_watch "$BATS_TEST_TMPDIR/pipe"
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	exec 7<&-
	timeout 10 tail --pid="$watcher" -f /dev/null
	wait "$watcher"
}

@test "SIGTERM ends it at a record's end" {
	beat
	start_watch "$BATS_TEST_TMPDIR/out" --from 1
	await "$BATS_TEST_TMPDIR/out" 1
	kill -TERM "$watcher"
	status=0
	wait "$watcher" || status=$?
	[ "$status" = 143 ]
	[ "$(ev-cat)" = "$(cat "$BATS_TEST_TMPDIR/out")" ]
}

@test "wrong usage is one line and 64" {
	for args in '--idle-exit x' '-n -1' '--until-position x' 'operand' '-r'; do
		# shellcheck disable=SC2086
		run -64 --separate-stderr ev-watch $args
		[ "${#stderr_lines[@]}" = 1 ]
	done
}
