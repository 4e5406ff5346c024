#!/usr/bin/env bats
# Every call on the log's files goes wrong once, or stands still; and a disk
# that is full at each moment of a log's making.

load helper

setup_file() {
	cc -O2 -D_DEFAULT_SOURCE -shared -fPIC -o "$BATS_FILE_TMPDIR/fail.so" \
		"$BATS_TEST_DIRNAME/fault/fail.c"
}

setup() {
	export FAIL=$BATS_FILE_TMPDIR/fail.so
	export FAULT_LOG=$EV_LOG FAULT_MARK=$BATS_TEST_TMPDIR/mark
	# sanitizers want to be loaded first
	export ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0
	# in memory: nothing here needs to survive, and no call takes time
	memory=$(mktemp -d -p /dev/shm)
	step=1
	[ -z "${EV_SANITIZED-}" ] || step=9
}

teardown() {
	cd / || return
	[ -z "${stopped-}" ] || kill -KILL "$stopped" 2>/dev/null || true
	! mountpoint -q "$BATS_TEST_TMPDIR/disk" ||
		umount "$BATS_TEST_TMPDIR/disk"
	rm -rf "$memory"
}

@test "whichever call fails with an I/O error, ev-append says so and loses nothing" {
	"$BATS_TEST_DIRNAME/fault/failing" "$memory" 5 '' "$step"
}

@test "whichever write finds the disk full, ev-append says so and loses nothing" {
	"$BATS_TEST_DIRNAME/fault/failing" "$memory" 28 write "$step"
}

@test "whichever write is cut short, ev-append says so and loses nothing" {
	"$BATS_TEST_DIRNAME/fault/failing" "$memory" short write "$step"
}

@test "whichever read fails, readers print a beginning and say that they failed" {
	cd "$memory"
	export EV_LOG=$memory/log.db FAULT_LOG=$memory/log.db FAULT_CALL=read
	for i in $(seq 100); do
		printf '{"type":"HEARTBEAT","agentId":"a","status":"%0900d"}\n' "$i"
	done | ev-append -q
	ev-cat >all
	for command in 'ev-cat' 'ev-cat -s a --correlation none' \
	    'ev-watch --from 1 --until-position 100'; do
		read -ra words <<<"$command"
		"${words[@]}" >whole || [ $? -eq 1 ]
		failed=0
		for ((at = 1; ; at += step)); do
			rm -f mark
			FAULT_MARK=$memory/mark FAULT_AT=$at FAULT_ERROR=5 \
				LD_PRELOAD=$FAIL "${words[@]}" >out 2>err &&
				status=0 || status=$?
			[ -e mark ] || break
			case $status in
			0 | 1) cmp out whole ;;
			74)
				failed=$((failed + 1))
				[ "$(wc -l <err)" -eq 1 ]
				cmp -n "$(stat -c %s out)" out whole
				;;
			*)
				echo "$command, call $at: exit $status"
				return 1
				;;
			esac
		done
		[ "$failed" -gt 2 ]
	done
}

@test "whichever call fails, ev-each says so, and the next run does the rest" {
	cd "$memory"
	export EV_LOG=$memory/log.db FAULT_LOG=$memory/log.db
	for i in 1 2 3 4; do
		printf '{"type":"HEARTBEAT","agentId":"a%d"}\n' $((i % 2))
	done | ev-append -q
	mkdir base
	cp log.db* base
	work='echo "$EV_POSITION" >>ran; [ "$EV_POSITION" != 3 ]'
	for error in 5 28; do
		failed=0
		for ((at = 1; ; at += step)); do
			rm -f mark ran log.db*
			cp base/log.db* .
			FAULT_MARK=$memory/mark FAULT_AT=$at FAULT_ERROR=$error \
				LD_PRELOAD=$FAIL ev-each -q --retries 1 \
				--backoff 0 one -- sh -c "$work" 2>err &&
				status=0 || status=$?
			[ -e mark ] || break
			case $status in
			0 | 65) ;;
			69 | 74)
				failed=$((failed + 1))
				[ "$(wc -l <err)" -eq 1 ]
				;;
			*)
				echo "call $at ($(cat mark)): exit $status"
				return 1
				;;
			esac
			ev-each -q --retries 1 --backoff 0 one -- sh -c "$work" ||
				[ $? -eq 65 ]
			[ "$(sort -u ran | tr '\n' ' ')" = '1 2 3 4 ' ]
			# what was not saved ran again, and no more than that
			[ "$(grep -vc 3 ran)" -le 5 ]
			[ "$(ev-each --parked one | jq -r .attempts)" = 2 ]
			[ "$(ev-each --lag one | jq .lag)" = 0 ]
			ev-verify -q
		done
		[ "$failed" -gt 5 ]
	done
}

@test "an ev-append that is stopped amid its commit: 75 for others, and it can go on" {
	ev-append -q HEARTBEAT agentId=a
	FAULT_AT=1 FAULT_CALL=sync FAULT_ERROR=stop LD_PRELOAD=$FAIL \
		ev-append HEARTBEAT agentId=b >"$BATS_TEST_TMPDIR/receipt" 3>&- &
	stopped=$!
	until [ -e "$FAULT_MARK" ] &&
	    [[ $(ps -o state= -p "$stopped") == T* ]]; do
		sleep 0.01
	done
	EV_TIMEOUT=0.3 run -75 --separate-stderr ev-append HEARTBEAT agentId=c
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"process $stopped (ev-append)"* ]]
	# readers do not wait, and do not see what is not committed
	[ "$(ev-cat --count)" = 1 ]
	ev-verify
	[ ! -s "$BATS_TEST_TMPDIR/receipt" ]

	kill -CONT "$stopped"
	wait "$stopped"
	stopped=
	[ "$(jq .position "$BATS_TEST_TMPDIR/receipt")" = 2 ]
	run -0 ev-append HEARTBEAT agentId=c
	[ "$(ev-cat --count)" = 3 ]
	ev-verify
}

@test "a stopped holder of the lock that is killed leaves nothing behind" {
	ev-append -q HEARTBEAT agentId=a
	FAULT_AT=1 FAULT_CALL=sync FAULT_ERROR=stop LD_PRELOAD=$FAIL \
		ev-append HEARTBEAT agentId=b >"$BATS_TEST_TMPDIR/receipt" 3>&- &
	stopped=$!
	until [ -e "$FAULT_MARK" ]; do
		sleep 0.01
	done
	# in the queue when the lock gets free
	ev-append HEARTBEAT agentId=c >"$BATS_TEST_TMPDIR/other" 3>&- &
	other=$!
	kill -KILL "$stopped"
	wait "$other"
	[ ! -s "$BATS_TEST_TMPDIR/receipt" ]
	# b was written, but not committed: it is either whole or not there
	ev-cat >"$BATS_TEST_TMPDIR/all"
	awk -f "$BATS_TEST_DIRNAME/fault/acked.awk" "$BATS_TEST_TMPDIR/other" \
		"$BATS_TEST_TMPDIR/all"
	ev-verify
}

@test "a disk that is full at any moment of a log's making: 74, and no harm" {
	[ "$(id -u)" -eq 0 ] || {
		echo 'this test mounts a file system: run it as root'
		return 1
	}
	mkdir "$BATS_TEST_TMPDIR/disk"
	mount -t tmpfs -o size=1m none "$BATS_TEST_TMPDIR/disk"
	cd "$BATS_TEST_TMPDIR/disk"
	export EV_LOG=$PWD/log.db
	full=0
	for ((room = 0; room < 1024; room += 4 * step)); do
		rm -f log.db*
		# the file itself and its folder's entry take room as well
		head -c $(((1024 - room) * 1024)) /dev/zero >ballast 2>/dev/null || :
		run --separate-stderr ev-append --id one HEARTBEAT agentId=a
		[ "$status" -ne 0 ] || break
		full=$((full + 1))
		[ "$status" -eq 74 ]
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == *'No space'* || $stderr == *'is full'* ]]
		rm ballast
		run -0 ev-append --id one HEARTBEAT agentId=a
		[ "$(ev-cat --count)" = 1 ]
		ev-verify
	done
	[ "$full" -gt 1 ]
	[ "$status" -eq 0 ]
	[ "$(ev-cat --count)" = 1 ]
	ev-verify
}
