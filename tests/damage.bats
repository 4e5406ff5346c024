#!/usr/bin/env bats
# ev-verify: what has been done to a log is named, line for line, and nothing
# that readers can see changes without a word from it.

load helper

setup_file() {
	cc -O2 -Wall -Wextra -o "$BATS_FILE_TMPDIR/bitflip" \
		"$ROOT/tests/fault/bitflip.c" -lsqlite3
	make_small >"$BATS_FILE_TMPDIR/small.head"
	make_large
}

setup() {
	[ ! -e "$BATS_FILE_TMPDIR/small.db" ] ||
		cp "$BATS_FILE_TMPDIR/small.db" "$EV_LOG"
}

# One file, without a WAL.
fold() {
	sqlite3 "$1" 'PRAGMA wal_checkpoint(TRUNCATE)' >"$BATS_FILE_TMPDIR/fold"
	rm -f "$1-wal" "$1-shm"
}

# issue NUMBER TYPE ID: an event on its line.
issue() {
	printf '{"type":"%s","repo":"acme/app","issueNumber":%s,"prNumber":7,"title":"t","id":"%s"}\n' \
		"$2" "$1" "$3"
}

# Six events of two streams in two commits; prints the head between them.
make_small() {
	local -x EV_LOG=$BATS_FILE_TMPDIR/small.db

	# at once, for what comes slowly is committed bit by bit
	ev-append -q --actor ci --correlation c --causation why <<<"$(
		issue 1 ISSUE_APPROVED e1
		issue 2 ISSUE_APPROVED e2
		issue 1 CI_FAILED e3
	)"
	ev-verify --head
	ev-append -q --actor ci --correlation c <<<"$(
		issue 1 CI_PASSED e4
		issue 2 CI_PASSED e5
		issue 1 CI_FAILED e6
	)"
	fold "$EV_LOG"
}

# 200 events of all catalogs in five commits.
make_large() {
	local -x EV_LOG=$BATS_FILE_TMPDIR/large.db
	local commit

	for commit in 1 2 3 4 5; do
		jq -nc --argjson c "$commit" 'range(10) as $i | ($c * 10 + $i) as $n |
			{type: ["ISSUE_APPROVED", "WORK_STARTED", "CI_FAILED",
				"CI_PASSED"][$i % 4], repo: "acme/app",
				issueNumber: ($n % 7 + 1), prNumber: $n, title: "a b"},
			{event_id: "w\($n)", event_type: "CostIncurred",
				workflow_id: "wf\($n % 3)", timestamp:
				"2026-01-02T03:04:05Z", payload: {kind:
				"cost_incurred", tier: "direct", amount_usd: 12.10,
				source: "llm"}, correlation_id: "run-\($n % 4)"},
			{event_type: "SessionSpawned", session_id: "s\($n % 5)",
				project_id: "p", timestamp: "2026-01-02T03:04:05Z",
				message: "hello", data: {x: $n}},
			{eventId: "\($n)", eventTime:
				"2026-01-02T03:04:05.123456789Z", eventType:
				"EVENT_TYPE_TIMER_FIRED", workflowId: "w", runId: "r",
				timerFiredEventAttributes: {timerId: "5"}}' |
			ev-append -q --actor "agent-$((commit % 3))" \
				--causation "cause-$commit"
	done
	fold "$EV_LOG"
}

# after SQL LINE...: the log is damaged like this, and ev-verify says each LINE.
after() {
	local line

	sqlite3 "$EV_LOG" "$1"
	run -1 --separate-stderr ev-verify -q
	[ -z "$stderr" ]
	for line in "${@:2}"; do
		grep -Fxq -- "$line" <<<"$output" || {
			printf 'no line: %s\nafter: %s\n%s\n' "$line" "$1" "$output"
			return 1
		}
	done
}

# The same, and it says nothing else.
after_only() {
	after "$@"
	[ "$output" = "$(printf '%s\n' "${@:2}")" ] || {
		printf 'after: %s\n%s\n' "$1" "$output"
		return 1
	}
}

retitle() { # POSITION
	sqlite3 "$EV_LOG" "UPDATE event SET line = replace(line,
		'\"title\":\"t\"', '\"title\":\"u\"') WHERE position = $1"
}

@test "no flipped bit changes what readers see without a word from ev-verify" {
	flips=10000
	[ -z "${EV_SANITIZED-}" ] || flips=600
	seed=$((RANDOM * 32768 + RANDOM))
	parts=$(nproc)
	echo "# $flips flips, seed $seed" >&3
	# what a sanitizer finds must not look like a damaged log
	export ASAN_OPTIONS=${ASAN_OPTIONS-}:exitcode=99
	export UBSAN_OPTIONS=${UBSAN_OPTIONS-}:exitcode=99
	cd "$BATS_TEST_TMPDIR"
	for ((part = 0; part < parts; part++)); do
		"$BATS_FILE_TMPDIR/bitflip" "$BATS_FILE_TMPDIR/large.db" "$seed" \
			"$flips" "$parts" "$part" ev-verify >"part.$part" 2>&1 3>&- &
	done
	wait
	cat part.*
	read -r tried changed reported missed < <(awk '/^flips / {
		a += $2; b += $4; c += $6; d += $8
	} END { print a, b, c, d }' part.*)
	[ "$tried" -eq "$flips" ]
	[ "$missed" -eq 0 ]
	[ "$changed" -gt $((flips / 10)) ]
	[ "$reported" -ge "$changed" ]
}

@test "a whole log says so, and its head" {
	run -0 --separate-stderr ev-verify
	[[ $output =~ ^whole:\ 6:[0-9a-f]{64}$ ]]
	[ -z "$stderr" ]
	[ "$output" = "whole: $(ev-verify --head)" ]
}

@test "-q leaves only damage, of a whole log nothing" {
	run -0 ev-verify -q
	[ -z "$output" ]
	retitle 2
	run -1 ev-verify -q
	[ "$output" = 'event 2: altered, its hash does not fit' ]
	run -1 ev-verify
	[ "${lines[0]}" = 'event 2: altered, its hash does not fit' ]
	[ "${lines[1]}" = "damaged: $(ev-verify --head)" ]
	[ ${#lines[@]} -eq 2 ]
}

@test "the head of an empty log is 0 and zeros" {
	: >"$EV_LOG"
	zeros=0:$(printf '%064d' 0)
	run -0 ev-verify --head
	[ "$output" = "$zeros" ]
	run -0 ev-verify
	[ "$output" = "whole: $zeros" ]
}

@test "a text file is no log, and nothing is said about it being whole" {
	echo 'not a log' >"$EV_LOG"
	run -69 --separate-stderr ev-verify
	[ -z "$output" ]
	[[ $stderr == "ev-verify: "*"$EV_LOG"* ]]
}

@test "an altered payload is named, and it alone" {
	retitle 3
	after_only 'SELECT 1 WHERE 0' 'event 3: altered, its hash does not fit'
}

@test "an altered hash is named, and it alone" {
	after_only 'UPDATE event SET hash = randomblob(32) WHERE position = 3' \
		'event 3: altered, its hash does not fit'
}

@test "a hash that is none is named" {
	after "UPDATE event SET hash = x'00' WHERE position = 6" \
		'event 6: its hash is damaged'
}

@test "an event that is missing in the middle is named" {
	after 'DELETE FROM event WHERE position = 3' 'event 3: missing' \
		"event 4: version 2 of stream 'acme/app#1' where 1 was due"
}

@test "a missing tail is named" {
	after 'DELETE FROM event WHERE position > 4' 'events 5 to 6: missing'
}

@test "a missing last event is named, though all indexes agree" {
	after "DELETE FROM event WHERE position = 6;
		DELETE FROM stream_event WHERE position = 6;
		DELETE FROM event_id WHERE position = 6;
		DELETE FROM posting WHERE kind = 'type' AND position = 6;
		UPDATE posting SET more = x'01'
			WHERE kind <> 'type' AND position = 4" \
		'event 6: missing'
	[[ $output != *index* ]]
}

@test "two events that were swapped are both named" {
	after 'UPDATE event SET position = -1 WHERE position = 3;
		UPDATE event SET position = 3 WHERE position = 4;
		UPDATE event SET position = 4 WHERE position = -1' \
		'event 3: altered, its hash does not fit' \
		'event 3: says it is at position 4' \
		'event 4: altered, its hash does not fit' \
		'event 4: says it is at position 3'
}

@test "an event that was added behind the end or before the beginning is named" {
	after_only 'INSERT INTO event SELECT 7, type, hash, line FROM event
		WHERE position = 6' 'event 7: added, the log goes from 1 to 6'
	after_only 'UPDATE event SET position = 0 WHERE position = 7' \
		'event 0: added, the log goes from 1 to 6'
}

@test "a hole in the versions of a stream is named" {
	after "UPDATE event SET line = replace(line, '\"version\":2',
		'\"version\":4') WHERE position = 4" \
		'event 4: altered, its hash does not fit' \
		"event 4: version 4 of stream 'acme/app#1' where 2 was due" \
		"event 6: version 3 of stream 'acme/app#1' where 5 was due"
}

@test "a type under which an event was filed wrongly is named" {
	after_only 'UPDATE event SET type = (SELECT type FROM event
		WHERE position = 3) WHERE position = 4' \
		'event 4: is filed under type rig/CI_FAILED'
}

@test "a type that is not in the log is named" {
	after 'UPDATE event SET type = 99 WHERE position = 6' \
		'event 6: its type is not in the log'
}

@test "an altered catalog is named" {
	after_only "UPDATE definition SET json = json || ' '
		WHERE catalog = 'rig'" \
		"definition 1: catalog 'rig' is altered, its hash does not fit"
}

@test "a catalog altered together with its hash makes all its events altered" {
	after "UPDATE definition SET hash = randomblob(32)
		WHERE catalog = 'rig'" \
		"definition 1: catalog 'rig' is altered, its hash does not fit" \
		'event 1: altered, its hash does not fit' \
		'event 6: altered, its hash does not fit'
}

@test "a head that is not the last event's is named" {
	after_only 'UPDATE head SET hash = zeroblob(32)' \
		'head: its hash is not that of event 6'
}

@test "the index of streams: a wrong entry is named" {
	after "UPDATE stream SET first = 3 WHERE name = 'acme/app#1'" \
		"index stream: 'acme/app#1' begins at 1, not 3"
}

@test "the index of streams: a missing entry is named" {
	after_only "DELETE FROM stream WHERE name = 'acme/app#2'" \
		"index stream: 'acme/app#2' is missing"
}

@test "the index of streams: an extra entry is named" {
	after_only "INSERT INTO stream VALUES ('acme/app#3', 6)" \
		"index stream: 'acme/app#3' has no event"
}

@test "the index by stream: a wrong entry is named" {
	after 'UPDATE stream_event SET position = 6 WHERE position = 4' \
		'index stream_event: disagrees with the events' \
		'index stream_event: an entry for event 6 that is not its stream and version'
}

@test "the index by stream: a missing entry is named" {
	after_only 'DELETE FROM stream_event WHERE position = 4' \
		'index stream_event: disagrees with the events' \
		"index stream_event: the entry of event 4, version 2 of 'acme/app#1', is missing"
}

@test "the index by stream: an extra entry is named" {
	after_only 'INSERT INTO stream_event VALUES (1, 9, 4)' \
		'index stream_event: disagrees with the events' \
		'index stream_event: an entry for event 4 that is not its stream and version'
}

@test "the index by id: a wrong entry is named" {
	after "UPDATE event_id SET position = 5 WHERE id = 'e4'" \
		'index event_id: disagrees with the events' \
		'index event_id: an entry for event 5 that is not its id'
}

@test "the index by id: a missing entry is named" {
	after_only "DELETE FROM event_id WHERE id = 'e4'" \
		'index event_id: disagrees with the events' \
		'index event_id: the entry of event 4 is missing'
}

@test "the index by id: an extra entry is named" {
	after_only "INSERT INTO event_id VALUES ('e9', 4)" \
		'index event_id: disagrees with the events' \
		'index event_id: an entry for event 4 that is not its id'
}

@test "the postings: a wrong entry is named" {
	after "UPDATE posting SET more = x'02'
		WHERE kind = 'actor' AND position = 4" \
		'index posting: disagrees with the events' \
		"index posting: actor 'ci' lacks event 5"
}

@test "the postings: a missing entry is named" {
	after_only "DELETE FROM posting
		WHERE kind = 'type' AND value = 'rig/CI_FAILED' AND position = 3" \
		'index posting: disagrees with the events' \
		"index posting: type 'rig/CI_FAILED' lacks event 3"
}

@test "the postings: an extra entry is named" {
	after_only "INSERT INTO posting VALUES ('actor', 'me', 2, NULL)" \
		'index posting: disagrees with the events' \
		"index posting: actor 'me' names event 2, which has none"
}

@test "a table, view or trigger that we did not make is named" {
	after_only 'CREATE TRIGGER t AFTER INSERT ON event
		BEGIN DELETE FROM event; END' "schema: 't' is added"
	after_only 'DROP TRIGGER t; DROP VIEW events;
		CREATE VIEW events AS SELECT position FROM event' \
		"schema: 'events' is altered"
	after_only 'DROP VIEW events' "schema: 'events' is missing"
}

@test "a head noted earlier is found, with its position and by hash alone" {
	head=$(cat "$BATS_FILE_TMPDIR/small.head")
	[[ $head == 3:* ]]
	for since in "$head" "${head#*:}" "$(ev-verify --head)"; do
		run -0 ev-verify --since "$since"
		[ "$output" = "whole: $(ev-verify --head)" ]
	done
}

@test "a head of another log, or of another position, is not found" {
	head=$(cat "$BATS_FILE_TMPDIR/small.head")
	other=$(ev-verify -l "$BATS_FILE_TMPDIR/large.db" --head)
	for since in "$other" "${other#*:}" "4:${head#*:}"; do
		run -1 ev-verify -q --since "$since"
		[ "${lines[0]}" = 'head: what was noted is not in this log' ]
	done
}

@test "--since takes what comes before on trust and checks what comes after" {
	head=$(cat "$BATS_FILE_TMPDIR/small.head")
	retitle 2
	run -1 ev-verify -q
	run -0 ev-verify -q --since "$head"
	run -0 ev-verify -q --since "${head#*:}"
	retitle 4
	for since in "$head" "${head#*:}"; do
		run -1 ev-verify -q --since "$since"
		[ "$output" = 'event 4: altered, its hash does not fit' ]
	done
}
