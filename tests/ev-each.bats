#!/usr/bin/env bats
# ev-each: a command once for each event, in order, remembered in the log.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	background=()
}

teardown() {
	local pid
	for pid in "${background[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
	done
}

beat() { # AGENT [KEY=TEXT]...
	ev-append -q HEARTBEAT agentId="${1:-a}" "${@:2}"
}

# beats COUNT STREAMS: one append, streams in turn.
beats() {
	local n
	for n in $(seq "$1"); do
		echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"a$((n % $2))\",\"n\":$n}"
	done | ev-append -q
}

# start FILE ARGUMENT...: an ev-each in the background, as $started.
start() {
	ev-each "${@:2}" >"$1" 2>"$1.err" 3>&- &
	started=$!
	background+=("$started")
}

# until_true COMMAND...: waits for it, at most 20 s.
until_true() {
	local end=$((SECONDS + 20))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || { echo "never: $*"; return 1; }
		sleep 0.01
	done
}

lines_are() { # FILE COUNT
	[ "$(wc -l <"$1")" -ge "$2" ]
}

member() { # NAME JQ
	ev-each --lag "$1" | jq -r ".$2"
}

is_member() { # NAME JQ VALUE
	[ "$(member "$1" "$2")" = "$3" ]
}

# dead PID: it has ended, whether or not somebody has noticed.
dead() {
	[ -z "$1" ] || ! kill -0 "$1" || [[ $(ps -o state= -p "$1") == Z* ]]
}

# A command: fails to be alone, loudly.
alone() {
	cat >alone <<-'END'
		#!/bin/sh
		mkdir busy || { echo overlap >>overlaps; exit 9; }
		echo "$EV_POSITION $EV_IDEMPOTENCY_KEY $EV_FENCE" >>runs
		sleep "${1:-0.02}"
		rmdir busy
	END
	chmod +x alone
}

@test "each event once, in order; the next run goes on where this one ended" {
	beat a; beat b; beat a
	run -0 --separate-stderr ev-each one -- sh -c 'echo "$EV_POSITION $EV_STREAM_ID $EV_VERSION"'
	[ "$output" = $'1 a 0\n2 b 0\n3 a 1' ]
	[ -z "$stderr" ]
	run -0 ev-each one -- sh -c 'echo "$EV_POSITION"'
	[ -z "$output" ]
	beat c
	run -0 ev-each one -- sh -c 'echo "$EV_POSITION"'
	[ "$output" = 4 ]
	# another name has its own place
	run -0 ev-each two -- sh -c 'echo "$EV_POSITION"'
	[ "${#lines[@]}" = 4 ]
	ev-verify
}

@test "standard input is the line that ev-cat prints, and can be read again" {
	ev-append -q -s acme/app#42 CI_FAILED prNumber:=7 note='zwei
Zeilen "quoted" \back'
	ev-each one -- sh -c 'cat; cat /proc/self/fd/0' >out
	ev-cat >all
	cat all all | cmp - out
}

@test "a payload of an older version comes upcast, as ev-cat prints it" {
	mkdir schemas
	cat >schemas/old.yaml <<-'END'
		catalog: old
		types:
		  SPENT:
		    summary: money went
		    category: cost
		    priority: info
		    stream: "{who}"
		    payload:
		      type: object
		      required: [who]
		      properties: { who: { type: string }, cost: { type: number } }
	END
	export EV_SCHEMAS=$PWD/schemas
	ev-append -q SPENT who=me cost:=1.50
	cat >schemas/old.yaml <<-'END'
		catalog: old
		types:
		  SPENT:
		    summary: money went
		    category: cost
		    priority: info
		    stream: "{who}"
		    version: 2
		    payload:
		      type: object
		      required: [who]
		      properties: { who: { type: string }, costUsd: { type: number } }
		    upcast: { 1: [rename: { cost: costUsd }] }
	END
	run -0 ev-each one -- sh -c 'echo "$EV_SCHEMA_VERSION $EV_DATA_COST_USD ${EV_DATA_COST-unset}"; cat'
	[ "${lines[0]}" = '2 1.50 unset' ]
	[ "${lines[1]}" = "$(ev-cat)" ]
}

@test "the event is in EV_ variables; what an outer one left is not" {
	ev-append -q -s acme/app#42 --id e1 --actor 'Ann "A"' --correlation c1 \
		--timestamp 2026-04-21T10:22:00Z CI_FAILED prNumber:=7 \
		costUsd:=12.10 flaky:=true list:='[1, "x"]' none:=null \
		text=$'two\nlines' snake_case=s HTTPStatus:=502 '9lives=no' 'a-b=no'
	export EV_DATA_STALE=1 EV_ACTOR=outer EV_OMITTED=outer EV_OTHER=kept
	ev-each a.b/c-d -- env -0 | tr '\n\0' '|\n' | grep -a '^EV_' |
		grep -Ev '^EV_(BIN|SANITIZED|SCHEMAS|LOG|RECORDED_AT)=' | sort >found
	cat >wanted <<-'END'
		EV_ACTOR=Ann "A"
		EV_ATTEMPT=1
		EV_CATALOG=rig
		EV_CAUSATION=e1
		EV_CONSUMER=a.b/c-d
		EV_CORRELATION=c1
		EV_DATA_COST_USD=12.10
		EV_DATA_FLAKY=true
		EV_DATA_HTTP_STATUS=502
		EV_DATA_ISSUE_NUMBER=42
		EV_DATA_LIST=[1,"x"]
		EV_DATA_PR_NUMBER=7
		EV_DATA_REPO=acme/app
		EV_DATA_SNAKE_CASE=s
		EV_DATA_TEXT=two|lines
		EV_FENCE=1
		EV_ID=e1
		EV_IDEMPOTENCY_KEY=a.b/c-d:e1
		EV_OTHER=kept
		EV_POSITION=1
		EV_PRIORITY=action
		EV_SCHEMA_VERSION=1
		EV_STREAM_ID=acme/app#42
		EV_TIMESTAMP=2026-04-21T10:22:00.000000Z
		EV_TYPE=CI_FAILED
		EV_VERSION=0
	END
	diff wanted found
	run -0 ev-each log -l ./log.db -- sh -c 'echo "$EV_LOG"'
	[ "$output" = "$PWD/./log.db" ]
	# without an actor there is no variable, and the correlation is the event
	ev-append -q --id e2 HEARTBEAT agentId=a
	run -0 ev-each two --from 2 -- sh -c 'echo "${EV_ACTOR-unset} $EV_CORRELATION"'
	[ "$output" = 'unset e2' ]
}

@test "what fits no variable is left out and named, the event goes on" {
	{
		printf '{"type":"HEARTBEAT","agentId":"a","nul":"a\\u0000b",'
		printf '"long":"%065537d",' 0
		for n in 1 2 3 4 5; do printf '"part%d":"%060000d",' "$n" 0; done
		printf '"prNumber":1,"pr_number":2,"dup":1,"ok":"yes"}\n'
	} | ev-append -q
	ev-each one -- sh -c '
		echo "$EV_OMITTED"
		echo "${EV_DATA_NUL-unset} ${EV_DATA_PR_NUMBER-unset} $EV_DATA_OK"
		echo "${#EV_DATA_PART1} ${#EV_DATA_PART4}"
		wc -c' >out
	[ "$(sed -n 1p out)" = 'EV_DATA_NUL EV_DATA_LONG EV_DATA_PART5 EV_DATA_PR_NUMBER EV_DATA_PR_NUMBER' ]
	[ "$(sed -n 2p out)" = 'unset unset yes' ]
	[ "$(sed -n 3p out)" = '60000 60000' ]
	[ "$(sed -n 4p out)" = "$(ev-cat | wc -c)" ]
}

@test "what an event says is never run, and names no other variable" {
	evil='$(touch ran) `touch ran`; touch ran | --help
-x'
	jq -nc --arg e "$evil" '{type: "HEARTBEAT", agentId: $e, id: $e,
		actor: $e, PATH: "/evil", LD_PRELOAD: "/evil.so", IFS: "x",
		"EV_LOG": "/evil", "x=y": "/evil", "": "/evil", text: $e,
		correlationId: $e}' | ev-append -q
	ev-each one -- sh -c 'printf "%s\n" "$EV_DATA_TEXT" "$EV_ID" "$EV_ACTOR" \
		"$EV_STREAM_ID" "$EV_CORRELATION" >said
		printf "%s\n" "$EV_DATA_PATH $EV_DATA_LD_PRELOAD ${LD_PRELOAD-} $EV_LOG"' >out
	for _ in 1 2 3 4 5; do printf '%s\n' "$evil"; done | cmp - said
	[ "$(cat out)" = "/evil /evil.so ${LD_PRELOAD-} $EV_LOG" ]
	[ ! -e ran ]
	run -0 ev-each two -- printf '[%s]' '$EV_ID' "$evil"
	[ "$output" = "[\$EV_ID][$evil]" ]
}

@test "a big event, to a command that reads it, or not, or closes it" {
	{
		printf '{"type":"HEARTBEAT","agentId":"a","text":"'
		head -c 1048576 /dev/zero | tr '\0' x
		printf '"}\n'
	} >in
	ev-append -q ./in
	run -0 timeout 20 ev-each a -- wc -c
	[ "$output" = "$(ev-cat | wc -c)" ]
	run -0 timeout 20 ev-each b -- true
	run -0 timeout 20 ev-each c -- sh -c 'exec <&-; exit 0'
	run -0 timeout 20 ev-each d -- head -c 1
	[ "$output" = '{' ]
}

@test "a failed run is repeated, then parked; its stream goes on" {
	beat a; beat b; beat a
	run -65 --separate-stderr ev-each one --retries 2 --backoff 0.01 -- \
		sh -c 'echo "$EV_POSITION.$EV_ATTEMPT"
			[ "$EV_POSITION" != 1 ] || { echo "first"; echo "bad luck"; echo " "; } >&2
			[ "$EV_POSITION" != 1 ] || exit 7'
	[ "$(grep '^1' <<<"$output" | tr '\n' ' ')" = '1.1 1.2 1.3 ' ]
	# the other stream did not wait, its own did
	[ "$(grep -n '^2' <<<"$output")" = 2:2.1 ]
	[ "${lines[4]}" = 3.1 ]
	[ "$(grep -c '^bad luck$' <<<"$stderr")" = 3 ]
	[[ $stderr == *'ev-each: parked event 1: exit status 7 after 3 attempts: bad luck'* ]]
	run -0 ev-each --parked one
	[ "$(jq -c 'del(.at)' <<<"$output")" = '{"name":"one","position":1,"streamId":"a","type":"HEARTBEAT","attempts":3,"reason":"exit status 7 after 3 attempts: bad luck"}' ]
	is_member one position 3
	is_member one parked 1
	run -0 ev-each one -- echo again
	[ -z "$output" ]
	ev-verify
}

@test "status 64 and 65 are parked at once" {
	beat a; beat a
	run -65 ev-each one -q --backoff 60 -- sh -c 'exit $((63 + EV_POSITION))'
	[ "$(ev-each --parked | jq -r .reason)" = $'exit status 64 after 1 attempt\nexit status 65 after 1 attempt' ]
}

@test "a signal is a failure; --retries 0 parks at once" {
	beat a
	run -65 ev-each one -q --retries 0 -- sh -c 'kill -SEGV $$'
	[ "$(ev-each --parked | jq -r .reason)" = 'killed by signal 11 after 1 attempt' ]
}

@test "the reason is cut, is UTF-8, and drives no terminal" {
	beat a
	run -65 ev-each one -q --retries 0 -- sh -c 'printf "\033[31mred\377 " >&2
		for n in $(seq 200); do printf "äöü" >&2; done; exit 1'
	reason=$(ev-each --parked | jq -r .reason)
	[ "$(printf %s "$reason" | wc -c)" -le 500 ]
	[ "$(printf %s "$reason" | wc -c)" -ge 490 ]
	printf %s "$reason" | iconv -f UTF-8 -t UTF-8 >/dev/null
	[[ $reason == 'exit status 1 after 1 attempt: ?[31mred? ä'* ]]
}

@test "--replay runs parked events again, with the same key; --drop gives them up" {
	beat a; beat b; beat c
	ev-each one -q --retries 0 -- sh -c 'echo "$EV_IDEMPOTENCY_KEY" >>keys; exit 3' || [ $? = 65 ]
	run -0 --separate-stderr ev-each --replay one 1 3
	[ "$stderr" = 'ev-each: 2 events to be run again' ]
	is_member one replay 2
	run -0 ev-each one -- sh -c 'echo "$EV_POSITION $EV_ATTEMPT"; echo "$EV_IDEMPOTENCY_KEY" >>keys'
	[ "$output" = $'1 1\n3 1' ]
	[ "$(sort keys | uniq -c | awk '{ print $1 }' | sort | tr -d '\n')" = 122 ]
	run -0 ev-each --parked
	[ "$(jq .position <<<"$output")" = 2 ]
	run -1 ev-each --drop one 3
	[[ $output == *"has no parked event 3"* ]]
	run -0 ev-each -q --drop one
	[ -z "$output" ]
	run -1 ev-each --parked one
	[ -z "$output" ]
	run -1 ev-each --replay one
	is_member one position 3
	ev-verify
}

@test "a replay that fails again is retried and parked again" {
	beat a
	ev-each one -q --retries 0 -- false || [ $? = 65 ]
	ev-each -q --replay one
	run -65 ev-each one -q --retries 1 --backoff 0.01 -- sh -c 'echo "$EV_ATTEMPT"; exit 4'
	[ "$output" = $'1\n2' ]
	[ "$(ev-each --parked | jq -r .attempts)" = 2 ]
	ev-each -q --replay one
	run -0 ev-each one -- true
	run -1 ev-each --parked
}

@test "attempts survive a restart, and the checkpoint waits for them" {
	beat a; beat b
	start out one --backoff 60 -- sh -c 'echo "$EV_POSITION.$EV_ATTEMPT"; [ "$EV_POSITION" != 1 ]'
	until_true lines_are out 2
	until_true is_member one failing 1
	[ "$(member one position)" = 0 ]
	kill -TERM "$started"
	wait "$started" || [ $? = 143 ]
	is_member one owner null
	ev-verify
	# 2 is done with, although the checkpoint is before it
	run -0 timeout 10 ev-each one --backoff 0 -- sh -c 'echo "$EV_POSITION.$EV_ATTEMPT"'
	[ "$output" = 1.2 ]
	is_member one position 2
	[ "$(sqlite3 -readonly "$EV_LOG" 'SELECT count(*) FROM delivery')" = 0 ]
}

@test "-j keeps the order of every stream and runs streams at once" {
	beats 120 6
	ev-each one -j 8 -- sh -c 'echo "s $EV_STREAM_ID $EV_VERSION"
		sleep "0.0$(($(od -An -N1 -tu1 /dev/urandom) % 4))"
		echo "e $EV_STREAM_ID $EV_VERSION"' >out
	awk '
		$1 == "s" && (running[$2] || $3 != next_[$2]++) { exit 1 }
		$1 == "s" { running[$2] = 1; if (++n > most) most = n }
		$1 == "e" { running[$2] = 0; n-- }
		END { if (NR != 240 || most < 4 || most > 6) exit 1 }' out
	is_member one position 120
	[ "$(sqlite3 -readonly "$EV_LOG" 'SELECT count(*) FROM delivery')" = 0 ]
}

@test "a stream that is stuck does not keep others from far behind it" {
	{
		for n in $(seq 5000); do echo '{"type":"HEARTBEAT","agentId":"stuck"}'; done
		echo '{"type":"HEARTBEAT","agentId":"free"}'
	} | ev-append -q
	start out one --backoff 60 -- sh -c 'echo "$EV_STREAM_ID" && [ "$EV_STREAM_ID" = free ]'
	until_true grep -q free out
	[ "$(grep -c stuck out)" = 1 ]
	kill -TERM "$started"
	wait "$started" || [ $? = 143 ]
	run -0 ev-each one --to 1 --backoff 0 -- sh -c 'echo "$EV_POSITION"'
	[ "$output" = 1 ]
}

@test "two of one name never run at once, and do every event" {
	alone
	beats 60 7
	for i in 1 2 3; do
		start "out$i" one --follow --to 60 -- ./alone 0.01
	done
	wait
	[ ! -e overlaps ]
	[ "$(awk '{ print $1 }' runs | sort -nu | wc -l)" = 60 ]
	[ "$(wc -l <runs)" = 60 ]
}

@test "a name that another has is 75, which names it" {
	beat
	start out one -- sleep 60
	until_true is_member one fence 1
	run -75 --separate-stderr ev-each one -- true
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "ev-each: 'one' is held by process $started on "* ]]
	run -75 ev-each -q one -- true
	[ -z "$output" ]
	[[ $(member one owner) == "process $started on "* ]]
	[[ $(member one leaseUntil) > $(date -u +%Y-%m-%dT%H:%M:%S) ]]
	run -75 ev-each --forget one
}

@test "killed while its command runs: another takes over at once, the same key, stored once" {
	beat a
	# the command is one of two processes; neither may live on
	cat >work <<-'END'
		#!/bin/sh
		mkdir busy || { echo overlap >>overlaps; exit 9; }
		echo "$EV_IDEMPOTENCY_KEY $EV_FENCE" >>runs
		ev-append -q -s effects --id "$EV_IDEMPOTENCY_KEY/done" HEARTBEAT agentId=effects || exit
		[ -e second ] || { (echo $$ >pid; exec sleep 100); exit; }
		rmdir busy
	END
	chmod +x work
	start out one -s a --lease 3600 -- ./work
	first=$started
	until_true test -s pid
	start out2 one -s a --follow -- ./work
	touch second
	until_true grep -q 'standing by' out2.err
	sleeper=$(pgrep -P "$(cat pid)")
	kill -KILL "$first"
	rmdir busy # what the killed one held
	until_true lines_are runs 2
	dead "$sleeper"
	until_true is_member one position 2
	[ "$(awk '{ print $1 }' runs | uniq | wc -l)" = 1 ]
	[ "$(awk '{ print $2 }' runs | tr '\n' ' ')" = '1 2 ' ]
	[ "$(ev-cat -s effects --count)" = 1 ]
	[ "$(ev-cat -s effects | jq -r .causationId)" = "$(ev-cat -s a | jq -r .id)" ]
	[ ! -e overlaps ]
	ev-verify
}

@test "killed again and again: never two at once, in order, each effect once" {
	beats 300 5
	# the lock is held by all of a command's processes, and goes with them
	cat >work <<-'END'
		#!/bin/sh
		exec 9>"busy.$EV_STREAM_ID"
		flock -n 9 || { echo overlap >>overlaps; exit 9; }
		echo "$EV_STREAM_ID $EV_VERSION" >>runs
		ev-append -q -s effects --id "$EV_IDEMPOTENCY_KEY/done" HEARTBEAT agentId=effects
	END
	chmod +x work
	for i in 1 2; do
		start "out$i" one --follow --to 300 --stream-prefix a -j 4 --retries 0 -- ./work
	done
	until_true ev-each --lag one
	killed=0
	while [ "$killed" -lt 10 ]; do
		owner=$(member one owner)
		pid=${owner#process }
		pid=${pid%% *}
		runs=$( (wc -l <runs) 2>/dev/null || echo 0)
		[ "$pid" = null ] || [ "$runs" -lt $((killed * 12 + 12)) ] || {
			# its guard may hold the lease for a moment longer
			kill -KILL "$pid" 2>/dev/null || continue
			killed=$((killed + 1))
			start "out.$killed" one --follow --to 300 --stream-prefix a -j 4 --retries 0 -- ./work
		}
		[ "$(member one position)" -lt 300 ] || break
	done
	[ "$killed" -ge 5 ]
	until_true is_member one position 300
	[ ! -e overlaps ]
	run -1 ev-each --parked one
	[ "$(ev-cat -s effects --count)" = 300 ]
	# what ran again, ran again at its place
	awk '$2 < last[$1] || $2 > last[$1] + 1 { exit 1 } { last[$1] = $2 }' runs
	ev-verify
}

@test "stopped for longer than its lease: its command is killed, another takes over, what it saves is refused" {
	beat a
	cat >work <<-'END'
		#!/bin/sh
		mkdir busy || { echo overlap >>overlaps; exit 9; }
		trap 'rmdir busy' EXIT
		echo "$EV_FENCE" >>runs
		[ "$EV_FENCE" != 1 ] || { echo $$ >pid; sleep 100 & wait; }
	END
	chmod +x work
	start out one --lease 0.5 -- ./work
	first=$started
	until_true test -s pid
	kill -STOP "$first"
	pid=$(cat pid)
	until_true dead "$pid"
	rmdir busy # it was killed and could not
	run -0 timeout 10 ev-each one --follow --to 1 -- ./work
	[ "$(tr '\n' ' ' <runs)" = '1 2 ' ]
	kill -CONT "$first"
	status=0
	wait "$first" || status=$?
	[ "$status" = 75 ]
	[[ $(cat out.err) == *"the lease of 'one' is lost"* ]]
	[ ! -e overlaps ]
	is_member one position 1
}

@test "killed since its lease could not be renewed in time: that is no attempt" {
	beat a
	mkfifo held free
	start out one --lease 2 --retries 0 -- sh -c '
		echo "$EV_ATTEMPT $EV_FENCE" >>runs
		[ ! -e pid ] || exit 0
		echo $$ >pid.new && mv pid.new pid
		exec sleep 100'
	until_true test -s pid
	perl -e 'use Fcntl; open(my $f, "+<", "$ENV{EV_LOG}.lock") or die;
		my $lock = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0);
		fcntl($f, F_SETLKW, $lock) or die;
		open(my $g, ">", "held"); close $g; open($g, "<", "free")' 3>&- &
	background+=("$!")
	read -r _ <held || true
	until_true dead "$(cat pid)"
	: >free
	status=0
	wait "$started" || status=$?
	[ "$status" = 0 ]
	[ ! -s out.err ]
	[ "$(tr '\n' ';' <runs)" = '1 1;1 1;' ]
}

@test "stopped just before it starts a command: without a lease it does not" {
	cat >stop.c <<-'END'
		#include <dlfcn.h>
		#include <signal.h>
		#include <unistd.h>

		/* the first is the guard, the second a command */
		pid_t
		fork(void)
		{
			static int count;
			pid_t (*next)(void) = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork");
			pid_t pid;

			if (++count != 2)
				return next();
			raise(SIGSTOP);
			pid = next();
			if (pid)
				usleep(300000);
			return pid;
		}
	END
	cc -D_GNU_SOURCE -shared -fPIC -o stop.so stop.c -ldl
	beat a
	# sanitizers want to be loaded first
	ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0 \
		LD_PRELOAD=$PWD/stop.so start out one --lease 0.5 -- \
		sh -c 'echo "$EV_FENCE" >>runs'
	first=$started
	until_true is_member one fence 1
	until_true is_member one owner null
	start out2 one --follow --to 1 -- sh -c 'echo "$EV_FENCE" >>runs
		until [ -e go ]; do sleep 0.01; done'
	until_true lines_are runs 1
	kill -CONT "$first"
	status=0
	wait "$first" || status=$?
	: >go
	[ "$status" = 75 ]
	wait "$started"
	[ "$(cat runs)" = 2 ]
}

@test "forgotten while it was stopped: a new holder of the name is another one" {
	beat a
	beat b
	start out one --lease 0.5 -- sh -c 'echo $$ >pid; echo "a$EV_POSITION" >>runs; sleep 3'
	first=$started
	until_true lines_are runs 1
	kill -STOP "$first"
	until_true is_member one owner null
	ev-each --forget one
	start out2 one -- sh -c 'echo "b$EV_POSITION" >>runs
		until [ -e go ]; do sleep 0.01; done'
	until_true lines_are runs 2
	kill -CONT "$first"
	status=0
	wait "$first" || status=$?
	: >go
	[ "$status" = 75 ]
	[[ $(cat out.err) == *"the lease of 'one' is lost to process $started on "* ]]
	wait "$started"
	[ "$(tr '\n' ' ' <runs)" = 'a1 b1 b2 ' ]
}

@test "a guard that is killed ends it, and its command with it" {
	beat a
	start out one -- sh -c 'echo $$ >pid; exec sleep 100'
	until_true test -s pid
	guard=$(pgrep -P "$started" -f 'ev-each one' | head -n 1)
	kill -KILL "$guard"
	status=0
	wait "$started" || status=$?
	[ "$status" = 75 ]
	dead "$(cat pid)"
	run -0 ev-each one -- true
}

@test "--timeout ends a run and what it started; that is a failed attempt" {
	beat a
	run -65 ev-each one -q --retries 0 --timeout 0.2 -- \
		sh -c 'trap "exit 0" TERM; (echo "$$" >pid; exec sleep 100) & wait'
	[ "$(ev-each --parked | jq -r .reason)" = 'ran longer than 0.2 s after 1 attempt' ]
	until_true dead "$(pgrep -g "$(cat pid)" sleep)"
}

@test "told to stop: what runs may end, and is remembered; told again: it is made to" {
	beat a; beat b
	mkfifo go
	start out one -- sh -c 'echo began; read -r _ <go; echo "ended $EV_POSITION"'
	until_true grep -q began out
	kill -TERM "$started"
	until_true sh -c "ps -o args= -p $started"
	echo >go
	status=0
	wait "$started" || status=$?
	[ "$status" = 143 ]
	[ "$(tail -n 1 out)" = 'ended 1' ]
	is_member one position 1
	start out one -- sh -c 'echo began; sleep 100'
	until_true grep -q began out
	kill -INT "$started" || true
	kill -TERM "$started"
	until_true sh -c "kill -TERM $started; ! kill -0 $started"
	wait "$started" || true
	# it was not the event's fault
	run -0 ev-each one -- sh -c 'echo "$EV_POSITION $EV_ATTEMPT"'
	[ "$output" = '2 1' ]
}

@test "a command that cannot be run: 69, one line, and nothing is passed over" {
	beat a; beat b
	run -69 --separate-stderr ev-each one -- ./no-such-command
	[ "$stderr" = "ev-each: cannot run './no-such-command': No such file or directory" ]
	echo text >text
	run -69 ev-each one -- ./text
	is_member one position 0
	run -1 ev-each --parked one
	run -0 ev-each one -- sh -c 'echo "$EV_POSITION $EV_ATTEMPT"'
	[ "$output" = $'1 1\n2 1' ]
}

@test "a process that a command leaves behind holds nothing up" {
	beat a; beat b
	run -0 timeout 10 ev-each one -- sh -c 'sleep 100 >/dev/null & echo $! >>left; echo warn >&2'
	[ "$(grep -c warn <<<"$output")" = 2 ]
	xargs kill <left
}

@test "what commands write to standard error comes in whole lines" {
	beats 16 16
	ev-each one -j 16 -- sh -c 'for i in 1 2 3 4 5 6 7 8 9; do
		printf "%s" "$EV_POSITION:" >&2; printf "%s\n" "$EV_POSITION" >&2; done
		printf "end" >&2' 2>err
	[ "$(grep -c '^end$' err)" = 16 ]
	[ "$(grep -Evc '^([0-9]+):\1$|^end$' err)" = 0 ]
	[ "$(wc -l <err)" = 160 ]
}

@test "--follow: from no log at all, through new events and replays, to --to" {
	start out one --follow --to 3 --retries 0 -- sh -c 'echo "$EV_POSITION"; [ "$EV_POSITION" != 2 ] || [ -e now ]'
	beat a
	until_true lines_are out 1
	beat a
	until_true is_member one parked 1
	touch now
	ev-each -q --replay one
	until_true is_member one parked 0
	until_true lines_are out 3
	status=0
	beat a
	wait "$started" || status=$?
	[ "$status" = 65 ] # one was parked, if not for ever
	[ "$(tr '\n' ' ' <out)" = '1 2 2 3 ' ]
}

@test "without a log there is nothing to do" {
	run -0 ev-each one -- echo x
	[ -z "$output" ]
	[ ! -e "$EV_LOG" ]
	run -69 ev-each --lag
}

@test "filters choose; what they pass over is behind the checkpoint" {
	beats 3000 3
	ev-append -q -s acme/app#1 MERGED prNumber:=1
	beats 10 3
	run -0 ev-each one -t MERGED -- sh -c 'echo "$EV_TYPE"'
	[ "$output" = MERGED ]
	is_member one position 3011
	is_member one lag 0
	run -64 ev-each one -t NONSENSE -- true
}

@test "--to and --until end a run there, and the next goes on behind" {
	beat a; beat b
	until=$(ev-cat | tail -n 1 | jq -r .recordedAt)
	beat c; beat d
	run -0 ev-each one --to 1 -- sh -c 'echo "$EV_POSITION"'
	[ "$output" = 1 ]
	run -0 ev-each one --until "$until" -- sh -c 'echo "$EV_POSITION"'
	[ "$output" = 2 ]
	run -0 ev-each one -- sh -c 'echo "$EV_POSITION"'
	[ "$output" = $'3\n4' ]
}

@test "--from-end: a new name begins with the next event, a known one goes on" {
	beat a; beat b
	run -0 ev-each one --from-end -- sh -c 'echo "$EV_POSITION"'
	[ -z "$output" ]
	beat c
	run -0 ev-each one --from-end -- sh -c 'echo "$EV_POSITION"'
	[ "$output" = 3 ]
}

@test "--from-end --follow before there is a log: its first event is the next one" {
	start out one --follow --from-end --to 2 -- sh -c 'echo "$EV_POSITION"'
	# it has looked for a log, and waits for one
	until_true sh -c 'grep -qs ^inotify /proc/"$1"/fdinfo/*' sh "$started"
	beat a; beat b
	wait "$started"
	[ "$(tr '\n' ' ' <out)" = '1 2 ' ]
}

@test "events that commands append are for the next run" {
	beat a
	run -0 timeout 20 ev-each one -- ev-append HEARTBEAT agentId=b
	[ "${#lines[@]}" = 1 ]
	is_member one lag 1
}

@test "--lag says how far and how long behind" {
	beat a
	ev-each one -- true
	beat b; beat c
	ev-each two --to 1 -q --retries 0 -- false || [ $? = 65 ]
	run -0 ev-each --lag one
	[ "$(jq -c 'del(.lagSeconds)' <<<"$output")" = "{\"name\":\"one\",\"position\":1,\"head\":3,\"lag\":2,\"oldest\":$(ev-cat --from 2 --to 2 | jq .recordedAt),\"parked\":0,\"failing\":0,\"replay\":0,\"owner\":null,\"leaseUntil\":null,\"fence\":1}" ]
	[ "$(jq '.lagSeconds > 0 and .lagSeconds < 100' <<<"$output")" = true ]
	run -0 ev-each --lag
	[ "$(jq -r '"\(.name) \(.parked)"' <<<"$output")" = $'one 0\ntwo 1' ]
	run -0 ev-each --lag -f table
	[[ ${lines[0]} == NAME*LAG*PARKED* ]]
	run -0 ev-each --parked -f table
	[[ ${lines[1]} == two*'exit status 1 after 1 attempt'* ]]
	run -1 --separate-stderr ev-each --lag three
	[ "$stderr" = "ev-each: no consumer 'three' in the log" ]
	[ "$(sqlite3 -readonly "$EV_LOG" 'SELECT name, behind, parked FROM consumers' | tr '\n' ' ')" = 'one|2|0 two|2|1 ' ]
}

@test "--forget: as if the name had never been" {
	beat a
	ev-each one -q --retries 0 -- false || [ $? = 65 ]
	run -0 ev-each --forget one
	run -1 ev-each --lag one
	run -1 ev-each --parked one
	run -1 ev-each --forget one
	run -0 ev-each one -- sh -c 'echo "$EV_POSITION"'
	[ "$output" = 1 ]
}

@test "ev-verify tells what cannot be in the tables of consumers" {
	beats 3 3
	ev-each one -q --retries 0 -- sh -c '[ "$EV_POSITION" != 2 ]' || [ $? = 65 ]
	ev-verify
	for change in "UPDATE consumer SET position = 4|consumer 'one': is at 4, the log ends at 3" \
	    "UPDATE consumer SET owner = 'me'|consumer 'one': its lease is neither held nor free" \
	    "UPDATE delivery SET position = 9|consumer 'one': event 9 is not in the log" \
	    "UPDATE delivery SET state = 'lost'|consumer 'one': event 2 is in state 'lost'" \
	    "UPDATE delivery SET state = 'done'|consumer 'one': event 2 is 'done', yet behind the checkpoint" \
	    "UPDATE delivery SET consumer = 'two'|consumer 'two': is missing, event 2 is noted for it"; do
		rm -f copy.db*
		sqlite3 -readonly "$EV_LOG" '.backup copy.db'
		sqlite3 copy.db "${change%|*}"
		run -1 ev-verify -l copy.db
		[ "${lines[0]}" = "${change#*|}" ] || { echo "$change: $output"; return 1; }
	done
}

@test "keys of different consumers and events differ, and stay ids" {
	long=$(printf '%0250d' 1)
	ev-append -q --id b:c HEARTBEAT agentId=a
	ev-append -q --id c HEARTBEAT agentId=a
	ev-append -q --id "$long" HEARTBEAT agentId=a
	ev-append -q --id 'nul '"$(printf '\001')" HEARTBEAT agentId=a
	for name in a a/b a-b; do
		ev-each "$name" -- sh -c 'printf "%s\0" "$EV_IDEMPOTENCY_KEY"' >>keys
	done
	[ "$(tr -cd '\0' <keys | wc -c)" = 12 ]
	[ "$(sort -zu keys | tr -cd '\0' | wc -c)" = 12 ]
	grep -zq "^a@3$" keys
	run -0 ev-each deep -- sh -c 'ev-append -q --id "$EV_IDEMPOTENCY_KEY/what" -s x HEARTBEAT agentId=x'
	[ "$(ev-cat -s x --count)" = 4 ]
}

@test "what a command appends belongs to the event, unless it says otherwise" {
	ev-append -q --id e1 --correlation c1 HEARTBEAT agentId=a
	ev-each one -- sh -c '
		ev-append -q --id p -s x HEARTBEAT agentId=x
		ev-append -q --id q -s x --causation other HEARTBEAT agentId=x
		echo "{\"id\":\"r\",\"type\":\"HEARTBEAT\",\"agentId\":\"x\",\"correlationId\":null,\"causationId\":\"own\"}" | ev-append -q'
	[ "$(ev-cat -s x | jq -r '"\(.id) \(.correlationId) \(.causationId)"')" = \
		$'p c1 e1\nq c1 other\nr null own' ]
	run -64 env EV_CAUSATION="$(printf '%0256d' 1)" ev-append HEARTBEAT agentId=a
}

@test "a write lock that is busy at the end does not lose what was done" {
	beat a
	mkfifo held
	ev-each one -- sh -c '
		perl -e "use Fcntl; open(my \$f, q(+<), q($EV_LOG.lock)) or die;
			my \$lock = pack(q(s s l! l! i), F_WRLCK, 0, 0, 0, 0);
			fcntl(\$f, F_SETLK, \$lock) or die;
			open(my \$g, q(>), q(held)); close \$g; select(undef, undef, undef, 0.5)" 2>/dev/null &
		read -r _ <held || true'
	is_member one position 1
}

@test "a command has the descriptors that we were given, no others, and all signals" {
	beat a
	show='ls /proc/self/fd | wc -l; grep -E "^Sig(Blk|Ign)" /proc/self/status'
	run -0 sh -c "$show"
	given=("${lines[@]}")
	run -0 ev-each one -- sh -c "$show"
	[ "${lines[0]}" = "${given[0]}" ]
	[[ ${lines[1]} == *0000000000000000 ]]
	# ignored is at most what it was for us
	((0x${lines[2]##*[[:space:]]} & ~0x${given[2]##*[[:space:]]})) && false
	((!(0x${lines[2]##*[[:space:]]} & 1 << 12))) # SIGPIPE
}

@test "closed standard streams are no trouble" {
	beat a
	run -0 bash -c 'ev-each one -- sh -c "cat >out; echo x >&2" <&- >&- 2>&-'
	[ "$(jq .position out)" = 1 ]
}

@test "wrong usage is one line and 64" {
	for args in '' 'one' 'a*b -- true' 'one -j 0 -- true' 'one -j 257 -- true' \
	    'one --retries x -- true' 'one --once --follow -- true' '--lag --parked' \
	    '--lag a b' '--replay' '--replay one x' '--drop one 0' '--forget' \
	    'one --lease 0 -- true' '-f yaml --lag' '--nonsense' \
	    "$(printf '%0129d' 1) -- true"; do
		# shellcheck disable=SC2086
		run -64 --separate-stderr ev-each $args
		[ "${#stderr_lines[@]}" = 1 ]
	done
}
