#!/usr/bin/env bats
# Properties of the read models, over thousands of streams that are made up:
# they are what an independent reference says, and the same however they came
# about. PROPERTY_SEED repeats a run.

load helper

reference=$BATS_TEST_DIRNAME/reference
count=24000
[ -z "${EV_SANITIZED-}" ] || count=6000

# Two worlds: one of many streams, and one of few in which much happens to each.
setup_file() {
	export PROPERTY_SEED=${PROPERTY_SEED:-$((RANDOM * 32768 + RANDOM))}
	echo "# PROPERTY_SEED=$PROPERTY_SEED" >&3
	export shared=$BATS_FILE_TMPDIR/wide dense=$BATS_FILE_TMPDIR/dense
	make_up "$shared" 3000 "$count"
	make_up "$dense" 12 6000
}

setup() {
	RANDOM=$PROPERTY_SEED
}

# make_up DIR STREAMS EVENTS: native events, and the same as a log has them.
make_up() {
	mkdir "$1"
	awk -v seed="$PROPERTY_SEED" -v streams="$2" -v events="$3" \
		-f "$reference/generate.awk" >"$1/native"
	EV_LOG=$1/log.db ev-append -q "$1/native"
	EV_LOG=$1/log.db ev-cat >"$1/events"
	[ "$(grep -c . "$1/events")" = "$3" ]
}

# Models of events, and how each of the others is made.
models='issue-status agent-status agent-queue token-usage daily-cost
	cost-ledger workflow-outcome lesson trust-gate session-status audit'

# fold_all FILE: the documents of all models, from the events.
fold_all() {
	local model
	set -- "$1" "$BATS_TEST_TMPDIR/documents"
	for model in $models; do
		ev-fold -p "$model" "$1" >"$2" || return
		said_of "$model" "$2"
	done
	ev-fold -p workflow-outcome "$1" >"$2" || return
	ev-fold -p roi "$2" | said_of roi
	ev-fold -p plugin-telemetry "$2" | said_of plugin-telemetry
	ev-fold -p lesson "$1" | ev-fold -p learning | said_of learning
}

said_of() {
	sed "s/^/$1 /" "${@:2}"
}

# The same, from the log.
get_all() {
	local model
	for model in $models roi plugin-telemetry learning; do
		ev-get "$model" >"$BATS_TEST_TMPDIR/documents" || return
		said_of "$model" "$BATS_TEST_TMPDIR/documents"
	done
}

# Numbers from 1 up, at random, whose sum is $1.
random_sizes() {
	local left=$1 size
	while [ "$left" -gt 0 ]; do
		size=$((1 + RANDOM % (RANDOM % 600 + 1)))
		[ "$size" -le "$left" ] || size=$left
		echo "$size"
		left=$((left - size))
	done
}

# How many milliseconds a command takes.
measure() {
	local before
	before=$(date +%s%N)
	"$@" >/dev/null
	echo $((($(date +%s%N) - before) / 1000000 + 1))
}

# cut_off LIMIT COMMAND...: runs a command and kills it after a random time of
# up to LIMIT milliseconds; fails when it was done before.
cut_off() {
	local pid status=0 after=$((RANDOM % $1))
	"${@:2}" >/dev/null 2>&1 3>&- &
	pid=$!
	sleep "$((after / 1000)).$(printf %03d $((after % 1000)))"
	kill -9 "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || status=$?
	[ "$status" -eq 137 ]
}

# refer_to NAME LEAST: after every event the documents of a model are what the
# reference says, and at least so many.
refer_to() {
	local world
	for world in "$shared" "$dense"; do
		jq -cn -f "$reference/$1.jq" "$world/events" |
			jq -cS . | sort >"$BATS_TEST_TMPDIR/wanted"
		ev-fold --each -p "$1" "$world/events" \
			>"$BATS_TEST_TMPDIR/documents"
		jq -cS . "$BATS_TEST_TMPDIR/documents" | sort \
			>"$BATS_TEST_TMPDIR/is"
		[ "$(grep -c . "$BATS_TEST_TMPDIR/is")" -ge "$2" ]
		diff "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/is"
	done
}

@test "issue-status is what its reference says, after every event" {
	refer_to issue-status 2000
}

@test "agent-status is what its reference says, after every event" {
	refer_to agent-status 500
}

@test "session-status is what its reference says, after every event" {
	refer_to session-status 300
}

@test "queues, usage, costs, ledger and outcomes are what SQL says" {
	local world
	for world in "$shared" "$dense"; do
		sqlite3 :memory: 'create table event(line)' '.mode ascii' \
			'.separator "\001" "\n"' ".import $world/events event" \
			".read $reference/models.sql" |
			sort >"$BATS_TEST_TMPDIR/wanted"
		ev-fold -p agent-queue -p token-usage -p daily-cost \
			-p cost-ledger -p workflow-outcome "$world/events" \
			>"$BATS_TEST_TMPDIR/documents"
		jq -r -f "$reference/models.jq" "$BATS_TEST_TMPDIR/documents" |
			sort >"$BATS_TEST_TMPDIR/is"
		[ "$(grep -c . "$BATS_TEST_TMPDIR/is")" -gt 200 ]
		diff "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/is"
	done
}

@test "inline, async, in memory, at once or bit by bit: the same documents" {
	local size from=1 log at=$BATS_TEST_TMPDIR part=6000
	head -n "$part" "$shared/native" >"$at/native"
	mkdir "$at/async"
	for file in "$ROOT"/share/projections/*.yaml; do
		sed 's/^mode: inline$/mode: async/' "$file" \
			>"$at/async/${file##*/}"
	done
	run -1 grep '^mode: inline' "$at"/async/*

	# kept by each append, and by ev-project whenever it comes to it
	for size in $(random_sizes "$part"); do
		sed -n "$from,$((from + size - 1))p" "$at/native" >"$at/batch"
		from=$((from + size))
		for log in inline async; do
			EV_LOG=$at/$log.db ev-append -q "$at/batch"
		done
		[ -e "$at/begun" ] || EV_LOG=$at/inline.db ev-project --all
		: >"$at/begun"
		case $((RANDOM % 6)) in
		0) EV_LOG=$at/inline.db ev-project ;;
		1) EV_LOG=$at/async.db EV_PROJECTIONS=$at/async \
			ev-project --all ;;
		2) EV_LOG=$at/async.db EV_PROJECTIONS=$at/async \
			ev-get -n 1 issue-status >/dev/null ;;
		3) EV_LOG=$at/inline.db ev-get -n 1 token-usage >/dev/null ;;
		esac
	done
	EV_LOG=$at/once.db ev-append -q "$at/native"
	cp "$at/once.db" "$at/memory.db"
	EV_LOG=$at/once.db ev-project --all

	head -n "$part" "$shared/events" >"$at/events"
	fold_all "$at/events" >"$at/wanted"
	for log in inline once memory; do
		EV_LOG=$at/$log.db get_all >"$at/is"
		diff "$at/wanted" "$at/is"
	done
	EV_LOG=$at/async.db EV_PROJECTIONS=$at/async get_all >"$at/is"
	diff "$at/wanted" "$at/is"
	# inline means that there was nothing left to do
	[ "$(EV_LOG=$at/inline.db ev-project --list | jq -r \
		'select(.mode == "inline") | .checkpoint' | sort -u)" = "$part" ]
}

# Whatever is stored is what the events up to its checkpoint make.
check_stored() {
	local name checkpoint
	ev-project --list | jq -r '"\(.name) \(.checkpoint)"' >"$1/stored"
	while read -r name checkpoint; do
		case $name in
		plugin-telemetry | learning) continue ;;
		esac
		[ "$checkpoint" -gt 0 ] || continue
		head -n "$checkpoint" "$shared/events" | ev-fold -p "$name" \
			>"$1/wanted"
		ev-get --stale "$name" >"$1/is" || [ ! -s "$1/wanted" ]
		diff "$1/wanted" "$1/is"
	done < <(shuf -n 2 --random-source="$shared/native" "$1/stored")
}

@test "ev-project killed at any moment: as if it had not been" {
	local from=1 at=$BATS_TEST_TMPDIR killed=0 round=0 limit
	cp "$shared/log.db" "$at/other.db"
	limit=$(EV_LOG=$at/other.db measure ev-project --all)
	# while the log grows
	while [ "$from" -lt "$count" ]; do
		sed -n "$from,$((from + 2999))p" "$shared/native" |
			ev-append -q
		from=$((from + 3000))
		cut_off $((limit / 4)) ev-project --all || :
		check_stored "$at"
	done
	# and when everything is built anew
	ev-project --all
	while [ "$killed" -lt 6 ]; do
		round=$((round + 1))
		[ "$round" -le 60 ]
		cut_off "$limit" ev-project --all --rebuild || continue
		killed=$((killed + 1))
		check_stored "$at"
	done
	fold_all "$shared/events" >"$at/wanted"
	get_all >"$at/is"
	diff "$at/wanted" "$at/is"
	ev-project --all
	get_all >"$at/is"
	diff "$at/wanted" "$at/is"
}

# With pauses, at which ev-append commits.
paced() {
	awk '{ print } NR % 800 == 0 { fflush(); system("sleep 0.002") }' "$1"
}

@test "ev-append killed at any moment: events and inline models agree" {
	local model at=$BATS_TEST_TMPDIR killed=0 round=0 limit found
	local inline='issue-status agent-status agent-queue session-status'
	head -n 100 "$shared/native" | EV_LOG=$at/begun.db ev-append -q
	# shellcheck disable=SC2086 # a list
	EV_LOG=$at/begun.db ev-project $inline
	cp "$at/begun.db" "$at/other.db"
	limit=$(EV_LOG=$at/other.db measure ev-append -q \
		<(paced "$shared/native"))
	while [ "$killed" -lt 8 ]; do
		round=$((round + 1))
		[ "$round" -le 80 ]
		rm -f "$EV_LOG"*
		cp "$at/begun.db" "$EV_LOG"
		cut_off "$limit" ev-append -q <(paced "$shared/native") ||
			continue
		found=$(ev-cat --count)
		# before it began or when it was done is no test
		[ "$found" -gt 100 ] && [ "$found" -lt "$count" ] || continue
		killed=$((killed + 1))
		ev-cat >"$at/events"
		for model in $inline; do
			ev-fold -p "$model" "$at/events" >"$at/wanted"
			ev-get --stale "$model" >"$at/is"
			diff "$at/wanted" "$at/is"
		done
	done
	ev-append -q "$shared/native"
	[ "$(ev-cat --count)" = "$count" ]
	fold_all "$shared/events" >"$at/wanted"
	get_all >"$at/is"
	diff "$at/wanted" "$at/is"
}

@test "rebuilt or kept: the same documents, and nothing to change" {
	local at=$BATS_TEST_TMPDIR name
	cp "$shared/log.db" "$EV_LOG"
	ev-project --all
	get_all >"$at/kept"
	ev-project --list | jq -r .name >"$at/names"
	[ "$(grep -c . "$at/names")" = 12 ]
	while read -r name; do
		run -0 --separate-stderr ev-project --diff "$name"
		[ -z "$output" ]
	done <"$at/names"
	xargs ev-project --rebuild <"$at/names"
	get_all >"$at/rebuilt"
	diff "$at/kept" "$at/rebuilt"
}

@test "folding again, or what is there already: nothing changes" {
	local at=$BATS_TEST_TMPDIR
	cp "$shared/log.db" "$EV_LOG"
	ev-project --all
	get_all >"$at/first"
	ev-append -q "$shared/native"
	ev-project
	get_all >"$at/second"
	diff "$at/first" "$at/second"
}
