#!/usr/bin/env bats
# ev-project: read models are what the whole log says, whatever happens to those
# who keep them.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/p"
	export EV_PROJECTIONS=$BATS_TEST_TMPDIR/p
	projection state async >"$EV_PROJECTIONS/state.yaml"
}

# projection NAME MODE [FIRST-STATE]
projection() {
	cat <<END
projection: $1
summary: Where every issue stands
catalog: rig
mode: $2
key: "{\$.streamId}"
start: { state: null, attempt: 0 }
always: { set: { lastPosition: $.position } }
on:
  ISSUE_APPROVED: { set: { state: ${3:-queued}, title: .title } }
  ISSUE_ASSIGNED: { set: { state: assigned, agent: .agentId }, count: { attempt: 1 } }
  CI_FAILED: { append: { checks: { value: .failedChecks, limit: 5 } } }
  MERGED: { set: { state: merged } }
END
}

spent() { # MODE
	cat <<END
projection: spent
summary: What every agent has spent
catalog: rig
mode: $1
key: "{.agentId|agent}"
on: { TOKEN_USAGE: { add: { cost: .costUsd }, count: { calls: 1 } } }
END
}

total() { # MODE
	cat <<END
projection: total
summary: What all agents have spent
from: spent
mode: $1
key: all
on: { document: { add: { cost: .cost }, count: { agents: 1 } } }
END
}

# One that cannot count what is a text.
faulty() {
	projection state async | sed 's/count: { attempt: 1 }/count: { title: 1 }/'
}

# events N [SEED]: events of every kind, always the same.
events() {
	awk -v n="$1" -v seed="${2:-1}" 'BEGIN {
		srand(seed)
		for (i = 1; i <= n; i++) {
			issue = int(rand() * n / 8) + 1
			kind = int(rand() * 5)
			common = ",\"repo\":\"a/b\",\"issueNumber\":" issue
			if (kind == 0)
				print "{\"type\":\"ISSUE_APPROVED\",\"title\":\"t" i "\"" common "}"
			else if (kind == 1)
				print "{\"type\":\"ISSUE_ASSIGNED\",\"agentId\":\"dev-" i % 7 "\"" common "}"
			else if (kind == 2)
				print "{\"type\":\"CI_FAILED\",\"failedChecks\":[\"c" i "\"]" common "}"
			else if (kind == 3)
				print "{\"type\":\"TOKEN_USAGE\",\"agentId\":\"dev-" i % 7 "\",\"costUsd\":\"0." i "\"}"
			else
				print "{\"type\":\"HEARTBEAT\",\"agentId\":\"dev-" i % 7 "\"}"
		}
	}'
}

# What a model has stored, notes and all, and how far it has come.
stored() { # NAME [LOG]
	sqlite3 -readonly "${2:-$EV_LOG}" "
		SELECT position, documents, parked FROM model WHERE name = '$1' AND live;
		SELECT d.key, d.position, json FROM document d JOIN model ON id = model
		WHERE name = '$1' AND live ORDER BY key;
		SELECT p.position, reason FROM parked p JOIN model ON id = model
		WHERE name = '$1' AND live ORDER BY p.position"
}

# What --list says of a model, as jq is asked.
listed() { # NAME FILTER
	ev-project --list "$1" | jq -c "$2"
}

await() { # COMMAND...: until it succeeds
	timeout 20 bash -c 'until "$@"; do sleep 0.02; done' bash "$@"
}

teardown() {
	[ -z "$follower" ] || kill "$follower" 2>/dev/null || true
}

@test "a named one is registered, and all of them are caught up" {
	events 200 | ev-append -q
	run -0 --separate-stderr ev-project state
	[ -z "$output$stderr" ]
	[ "$(listed state '[.mode,.checkpoint,.lagEvents,.lagSeconds,.parked,.building,.error]')" = \
		'["async",200,0,0,0,null,null]' ]
	events 100 2 | ev-append -q
	[ "$(listed state .lagEvents)" = 100 ]
	[ "$(listed state '.lagSeconds > 0')" = true ]
	ev-project
	[ "$(listed state .checkpoint)" = 300 ]
	[ "$(ev-get --stale state)" = "$(ev-get state --at 300)" ]
	[ "$(listed state .documents)" = "$(ev-get state | wc -l)" ]
}

@test "running it again changes nothing" {
	events 200 | ev-append -q
	ev-project state
	stored state >"$BATS_TEST_TMPDIR/once"
	ev-project
	ev-project state state
	stored state | cmp - "$BATS_TEST_TMPDIR/once"
	[ -s "$BATS_TEST_TMPDIR/once" ]
}

@test "in many steps or in one, in many runs or in one: the same" {
	events 1000 | ev-append -q
	ev-project state
	stored state >"$BATS_TEST_TMPDIR/once"
	ev-project --drop state
	EV_STEP_EVENTS=7 ev-project state
	stored state | cmp - "$BATS_TEST_TMPDIR/once"

	export EV_LOG=$BATS_TEST_TMPDIR/pieces.db
	for n in 1 100 550 351 999; do
		head -n "$n" <(events 1000 | tail -n +"$(($(ev-cat --count 2>/dev/null || true) + 1))") |
			ev-append -q
		ev-project state
	done
	stored state | cmp - "$BATS_TEST_TMPDIR/once"
}

# How long a command takes, in milliseconds.
duration() {
	local begin
	begin=$(date +%s%3N)
	"$@" >&2
	echo $(($(date +%s%3N) - begin))
}

# Runs a command and kills it within so many milliseconds, if it is there still.
killed() { # MILLISECONDS COMMAND...
	local status=0 most=$1
	shift
	timeout -s KILL "$(printf '0.%03d' $((RANDOM % (most < 999 ? most : 999) + 1)))" \
		"$@" 2>/dev/null || status=$?
	[ "$status" = 137 ] && return
	[ "$status" = 0 ]
	return 1
}

@test "killed at any moment and started again: the same" {
	local kills=0 ends=0 most
	export EV_STEP_EVENTS=2
	events 2000 | ev-append -q
	most=$(duration ev-project state)
	stored state >"$BATS_TEST_TMPDIR/clean"
	ev-project --drop state
	for _ in $(seq 40); do
		if killed "$most" ev-project state; then
			kills=$((kills + 1))
		else
			ends=$((ends + 1))
			stored state | cmp - "$BATS_TEST_TMPDIR/clean"
			ev-project --drop state
		fi
	done
	ev-project state
	stored state | cmp - "$BATS_TEST_TMPDIR/clean"
	echo "killed $kills times, ended $ends times"
	[ "$kills" -gt 5 ]
	ev-verify
}

# A model that is being built: its number.
building() {
	sqlite3 -readonly "$EV_LOG" \
		'SELECT id FROM model WHERE live = 0 AND position > 0'
}

@test "a rebuild that is killed leaves readers what they had, and is gone on with" {
	local most n begun hash gone_on=0
	export EV_STEP_EVENTS=2
	events 2000 | ev-append -q
	most=$(duration ev-project state)
	# where the kills come is left to chance: until one came in the middle
	for n in $(seq 60); do
		[ "$n" -le 6 ] || [ "$gone_on" -eq 0 ] || break
		hash=$(listed state .hash)
		stored state >"$BATS_TEST_TMPDIR/before"
		projection state async "waiting$n" >"$EV_PROJECTIONS/state.yaml"
		begun=''
		while killed "$most" ev-project --rebuild state; do
			# the kill may have come right behind the swap
			[ "$(listed state .hash)" = "$hash" ] || break
			stored state | cmp - "$BATS_TEST_TMPDIR/before"
			if [ -n "$begun" ]; then
				[ "$(building)" = "$begun" ]
				gone_on=$((gone_on + 1))
			fi
			begun=$(building)
		done
		[ -z "$(building)" ]
		[ "$(listed state .hash)" != "$hash" ]
		[ "$(ev-get state)" = "$(ev-get state --at 2000)" ]
		[ "$(ev-get state --where "state=waiting$n" | wc -l)" -gt 0 ]
	done
	echo "gone on with $gone_on times"
	[ "$gone_on" -gt 0 ]
	# nothing is left of what was interrupted
	[ "$(sqlite3 -readonly "$EV_LOG" 'SELECT count(DISTINCT model) FROM document')" = 1 ]
}

@test "--rebuild takes the file's definition, readers see the old until it is done" {
	local rebuild
	events 2000 | ev-append -q
	ev-project state
	ev-get --stale state | cksum >"$BATS_TEST_TMPDIR/seen"
	projection state inline waiting >"$EV_PROJECTIONS/state.yaml"
	EV_STEP_EVENTS=20 ev-project --rebuild state &
	rebuild=$!
	while kill -0 "$rebuild" 2>/dev/null; do
		ev-get --stale state 2>/dev/null | cksum
	done >>"$BATS_TEST_TMPDIR/seen"
	wait "$rebuild"
	ev-get --stale state | cksum >>"$BATS_TEST_TMPDIR/seen"
	# first only the old, then only the new
	[ "$(uniq "$BATS_TEST_TMPDIR/seen" | wc -l)" = 2 ]
	[ "$(listed state .mode)" = '"inline"' ]
	[ "$(ev-get state)" = "$(ev-get state --at 2000)" ]
	[ "$(ev-get state --where state=waiting | wc -l)" -gt 0 ]
}

@test "a rebuild while others append misses nothing" {
	local writers=()
	events 1000 | ev-append -q
	ev-project state
	for i in 1 2 3; do
		events 1500 "$i" | ev-append -q &
		writers+=($!)
	done
	for mode in inline async inline; do
		projection state "$mode" >"$EV_PROJECTIONS/state.yaml"
		EV_STEP_EVENTS=100 ev-project --rebuild state
		[ "$(listed state .mode)" = "\"$mode\"" ]
	done
	wait "${writers[@]}"
	# inline: ev-append has kept it, to the last event
	[ "$(listed state .lagEvents)" = 0 ]
	[ "$(ev-get --stale state)" = "$(ev-get state --at 5500)" ]
	ev-verify
}

@test "several at once are harmless" {
	events 2000 | ev-append -q
	projection other inline >"$EV_PROJECTIONS/other.yaml"
	for i in 1 2 3 4; do
		EV_STEP_EVENTS=$((i * 13)) ev-project state other &
	done
	events 500 2 | ev-append -q
	for i in 5 6; do
		EV_STEP_EVENTS=$((i * 13)) ev-project --rebuild other &
	done
	wait
	ev-project
	[ "$(ev-get --stale state)" = "$(ev-get state --at 2500)" ]
	[ "$(ev-get --stale other)" = "$(ev-get other --at 2500)" ]
	[ "$(sqlite3 -readonly "$EV_LOG" 'SELECT count(*) FROM model WHERE live NOT NULL')" = 2 ]
}

@test "--follow keeps up with what comes, and ends on SIGTERM" {
	events 100 | ev-append -q
	local writers=()
	spent async >"$EV_PROJECTIONS/spent.yaml"
	total async >"$EV_PROJECTIONS/total.yaml"
	ev-project --follow state total &
	follower=$!
	for i in 2 3 4 5; do
		events 300 "$i" | ev-append -q &
		writers+=($!)
	done
	wait "${writers[@]}"
	await bash -c '[ "$(ev-project --list | jq -s "map(.checkpoint == 1300) | all")" = true ]'
	[ "$(ev-get --stale state)" = "$(ev-get state --at 1300)" ]
	[ "$(ev-get --stale total)" = "$(ev-get total --at 1300)" ]
	kill -TERM "$follower"
	status=0
	wait "$follower" || status=$?
	[ "$status" = 143 ]
	ev-append -q MERGED repo=a/b issueNumber:=1 prNumber:=4
	[ "$(listed state .lagEvents)" = 1 ]
}

@test "--follow without names takes up what others register, and no dropped one" {
	events 10 | ev-append -q
	ev-project --follow &
	follower=$!
	ev-project state
	ev-append -q MERGED repo=a/b issueNumber:=1 prNumber:=4
	await bash -c '[ "$(ev-project --list state | jq .checkpoint)" = 11 ]'
	projection other async >"$EV_PROJECTIONS/other.yaml"
	ev-project other
	ev-project --drop state
	ev-append -q MERGED repo=a/b issueNumber:=2 prNumber:=4
	await bash -c '[ "$(ev-project --list other | jq .checkpoint)" = 12 ]'
	[ "$(ev-project --list | jq -r .name)" = other ]
}

@test "--follow waits for a log that is not there yet" {
	export EV_LOG=$BATS_TEST_TMPDIR/later/log.db
	ev-project --follow state &
	follower=$!
	mkdir "$BATS_TEST_TMPDIR/later"
	ev-append -q ISSUE_APPROVED repo=a/b issueNumber:=1 title=one
	await bash -c '[ "$(ev-project --list state 2>/dev/null | jq .checkpoint)" = 1 ]'
	kill -0 "$follower"
}

shop() { # VERSION MEMBER [UPCAST]
	mkdir -p "$BATS_TEST_TMPDIR/s"
	cat >"$BATS_TEST_TMPDIR/s/shop.yaml" <<END
catalog: shop
summary: A shop
stream: "order-{order}"
types:
  ORDERED:
    version: $1
    payload: { required: [order, $2], properties: { order: { type: integer }, $2: { type: integer } } }
END
	[ "$1" = 1 ] || echo '    upcast: { 1: [rename: { cents: amount }] }' \
		>>"$BATS_TEST_TMPDIR/s/shop.yaml"
}

@test "--follow notices a newer catalog, and reads older events by it" {
	export EV_SCHEMAS=$BATS_TEST_TMPDIR/s
	cat >"$EV_PROJECTIONS/sales.yaml" <<'END'
projection: sales
summary: Sales
catalog: shop
key: all
on: { ORDERED: { add: { amount: .amount } } }
END
	shop 1 cents
	ev-append -q ORDERED order:=1 cents:=1
	ev-project --follow sales &
	follower=$!
	await bash -c '[ "$(ev-project --list sales | jq .checkpoint)" = 1 ]'
	[ "$(ev-get --stale sales)" = '{"key":"all"}' ]
	shop 2 amount
	ev-append -q ORDERED order:=2 amount:=20
	shop 1 cents # somebody's catalog is still the old one
	ev-append -q ORDERED order:=3 cents:=300
	await bash -c '[ "$(ev-project --list sales | jq .checkpoint)" = 3 ]'
	[ "$(ev-get --stale sales)" = '{"key":"all","amount":320}' ]
}

@test "an event that cannot be folded is parked, told, and 65" {
	faulty >"$EV_PROJECTIONS/state.yaml"
	ev-append -q <<'END'
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":1,"title":"one"}
{"type":"ISSUE_ASSIGNED","repo":"a/b","issueNumber":1,"agentId":"dev-1"}
{"type":"MERGED","repo":"a/b","issueNumber":1,"prNumber":4}
END
	run -65 --separate-stderr ev-project state
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"'state': 1 event is parked"* ]]
	run -65 --separate-stderr ev-project --list
	[ "$(jq -c '[.parked,.parkedEvents[0].position]' <<<"$output")" = '[1,2]' ]
	[[ "$(jq -r '.parkedEvents[0].reason' <<<"$output")" == *title* ]]
	run -65 ev-project --list -f table
	[[ $output == *'parked in state:'*'position 2: '*title* ]]
	# the others were folded, and nothing of this one
	[ "$(ev-get state 2>/dev/null)" = '{"key":"a/b#1","state":"merged","attempt":0,"lastPosition":3,"title":"one"}' ]
	run -65 ev-project
}

@test "--retry folds anew what is parked, once that has been mended" {
	faulty >"$EV_PROJECTIONS/state.yaml"
	spent async >"$EV_PROJECTIONS/spent.yaml"
	events 100 | ev-append -q
	run -65 ev-project state spent
	id=$(sqlite3 -readonly "$EV_LOG" "SELECT id FROM model WHERE name = 'spent'")
	run -65 ev-project --retry
	run -65 ev-project --list
	projection state async >"$EV_PROJECTIONS/state.yaml"
	run -0 --separate-stderr ev-project --retry
	[ -z "$output$stderr" ]
	run -0 ev-project --list
	[ "$(ev-get --stale state)" = "$(ev-get state --at 100)" ]
	# nothing was parked there
	[ "$(sqlite3 -readonly "$EV_LOG" "SELECT id FROM model WHERE name = 'spent'")" = "$id" ]
	run -0 ev-project --retry state
}

@test "inline ones park too, and ev-append goes on" {
	faulty | sed 's/mode: async/mode: inline/' >"$EV_PROJECTIONS/state.yaml"
	ev-append -q ISSUE_APPROVED repo=a/b issueNumber:=1 title=one
	ev-project state
	run -0 ev-append -q ISSUE_ASSIGNED repo=a/b issueNumber:=1 agentId=dev-1
	run -65 ev-project --list
	[ "$(jq -c '[.checkpoint,.parked,.parkedEvents[0].position]' <<<"$output")" = '[2,1,2]' ]
}

@test "documents of documents follow their source, also when it is rebuilt" {
	spent async >"$EV_PROJECTIONS/spent.yaml"
	total async >"$EV_PROJECTIONS/total.yaml"
	ev-append -q TOKEN_USAGE agentId=dev-1 costUsd:=12.10
	ev-project total
	[ "$(ev-project --list | jq -r .name | tr '\n' ' ')" = 'spent total ' ]
	ev-append -q TOKEN_USAGE agentId=dev-2 costUsd:=0.05
	ev-project total
	[ "$(ev-get --stale total)" = '{"key":"all","cost":12.15,"agents":2}' ]
	spent async | sed 's/{.agentId|agent}/everybody/' >"$EV_PROJECTIONS/spent.yaml"
	ev-project --rebuild spent
	[ "$(ev-get --stale total)" = '{"key":"all","cost":12.15,"agents":1}' ]
	spent async >"$EV_PROJECTIONS/spent.yaml"
	ev-project --drop spent
	ev-project spent
	[ "$(ev-get --stale total)" = '{"key":"all","cost":12.15,"agents":2}' ]
}

@test "--diff: 0 and silence for the same, 1 and each document that changes" {
	ev-append -q <<'END'
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":1,"title":"one"}
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":2,"title":"two"}
{"type":"MERGED","repo":"a/b","issueNumber":2,"prNumber":4}
{"type":"HEARTBEAT","agentId":"dev-1"}
END
	ev-project state
	run -0 --separate-stderr ev-project --diff state
	[ -z "$output$stderr" ]
	{
		projection state async waiting
		echo '  HEARTBEAT: { set: { state: alive } }'
	} | sed '/MERGED/s/MERGED.*/MERGED: { key: "{.repo}", set: { state: merged } }/' \
		>"$EV_PROJECTIONS/state.yaml"
	run -1 --separate-stderr ev-project --diff state
	[ -z "$stderr" ]
	[ "$(jq -c '[.key,.before.state,.after.state]' <<<"$output")" = '["a/b",null,"merged"]
["a/b#1","queued","waiting"]
["a/b#2","merged","waiting"]
["dev-1",null,"alive"]' ]
	[ "$(jq -c 'select(.key == "dev-1").before' <<<"$output")" = null ]
	# nothing has changed by it
	[ "$(ev-get state 'a/b#1' 2>/dev/null | jq -r .state)" = queued ]
	ev-project --rebuild state
	run -0 ev-project --diff state
	ev-project --drop state
	run -1 ev-project --diff state
	[ "${#lines[@]}" = 4 ]
}

@test "a changed file is told once a run" {
	events 10 | ev-append -q
	ev-project state
	projection state async waiting >"$EV_PROJECTIONS/state.yaml"
	run -0 --separate-stderr ev-project
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"'state' is not what the log has"*--rebuild* ]]
}

@test "--drop removes it, 1 if there is none" {
	events 100 | ev-append -q
	ev-project state
	ev-project --drop state
	[ -z "$(ev-project --list)" ]
	[ "$(sqlite3 -readonly "$EV_LOG" 'SELECT count(*) FROM document')" = 0 ]
	run -1 --separate-stderr ev-project --drop state
	[ "$stderr" = "ev-project: no read model 'state' in the log" ]
	run -1 --separate-stderr ev-project --list state
	[ "$stderr" = "ev-project: no read model 'state' in the log" ]
	[ -z "$(ev-project)" ]
}

@test "--all registers every one on the path but those on demand" {
	events 100 | ev-append -q
	spent inline >"$EV_PROJECTIONS/spent.yaml"
	total demand >"$EV_PROJECTIONS/total.yaml"
	run -0 --separate-stderr ev-project --all
	[ -z "$output$stderr" ]
	[ "$(ev-project --list | jq -r .name | tr '\n' ' ')" = 'spent state ' ]
	run -64 --separate-stderr ev-project total
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *'mode demand'* ]]
}

@test "one that fails does not stop the others" {
	events 100 | ev-append -q
	echo '- broken' >"$EV_PROJECTIONS/broken.yaml"
	run -65 --separate-stderr ev-project broken state
	[ "${#stderr_lines[@]}" = 1 ]
	[ "$(listed state .checkpoint)" = 100 ]
	run -64 --separate-stderr ev-project unknown state
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"'unknown'"*broken*state* ]]
}

@test "why one could not be brought up to date is listed until it could" {
	events 100 | ev-append -q
	ev-project state
	events 10 | ev-append -q
	line=$(sqlite3 "$EV_LOG" 'SELECT line FROM event WHERE position = 105')
	sqlite3 "$EV_LOG" "UPDATE event SET line = 'x' WHERE position = 105"
	run -74 --separate-stderr ev-project
	[[ $stderr == *'position 105 is damaged'* ]]
	[[ "$(listed state .error)" == *'position 105 is damaged'* ]]
	[ "$(listed state .checkpoint)" = 100 ]
	sqlite3 "$EV_LOG" "UPDATE event SET line = '${line//\'/\'\'}' WHERE position = 105"
	ev-project
	[ "$(listed state '[.checkpoint,.error]')" = '[110,null]' ]
}

@test "a table for people" {
	events 100 | ev-append -q
	ev-project state
	run -0 ev-project --list -f table
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} == 'NAME   MODE   CHECKPOINT  LAG  SECONDS  DOCUMENTS  PARKED  HASH' ]]
	[[ ${lines[1]} == 'state  async         100    0        0         '*'       0  '???????????? ]]
}

@test "no log is 69, an empty one has nothing to list" {
	run -69 --separate-stderr ev-project state
	[ "${#stderr_lines[@]}" = 1 ]
	[ ! -e "$EV_LOG" ]
	: >"$EV_LOG"
	run -0 --separate-stderr ev-project --list
	[ -z "$output$stderr" ]
	run -0 --separate-stderr ev-project
	[ -z "$output$stderr" ]
}

@test "in an empty log a model may be made, and is kept from the first event on" {
	: >"$EV_LOG"
	projection state inline >"$EV_PROJECTIONS/state.yaml"
	ev-project state
	ev-append -q ISSUE_APPROVED repo=a/b issueNumber:=1 title=one
	[ "$(ev-get --stale state | jq -r .state)" = queued ]
}

@test "progress is shown on a terminal, and gone afterwards" {
	events 20000 | ev-append -q
	EV_STEP_EVENTS=100 script -qec 'ev-project --rebuild state' /dev/null \
		</dev/null >"$BATS_TEST_TMPDIR/out"
	grep -q 'state: [0-9]* of 20000 events, [0-9]* %' "$BATS_TEST_TMPDIR/out"
	[ "$(tail -c 4 "$BATS_TEST_TMPDIR/out")" = $'\r\e[K' ]
	run -0 --separate-stderr ev-project --rebuild state
	[ -z "$stderr" ]
}

@test "wrong usage is one line and 64" {
	events 1 | ev-append -q
	for args in '--rebuild' '--drop' '--diff' '--diff a b' '--list --follow' \
		'--all state' '--all --list' '-f table' '--list -f yaml' '-x' \
		'--retry --rebuild state'; do
		# shellcheck disable=SC2086
		run -64 --separate-stderr ev-project $args
		[ "${#stderr_lines[@]}" = 1 ]
		[ -z "$output" ]
	done
}
