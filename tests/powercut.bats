#!/usr/bin/env bats
# Power cuts: what ev-append has acknowledged is there when the power is back,
# and these tests notice it if that is not so.

load helper

fault=$ROOT/tests/fault
seed=${POWERCUT_SEED:-$((RANDOM * 32768 + RANDOM))}

setup_file() {
	local flags='-std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -O1'

	cd "$BATS_FILE_TMPDIR" || return
	# shellcheck disable=SC2086 # a list of flags
	{
		cc $flags -o powercut "$fault/powercut.c"
		cc $flags -o crashstates "$fault/crashstates.c"
		cc $flags -shared -fPIC -o record.so "$fault/record.c"
	} || return
	# an ev-append that acknowledges before the disk has it
	[ -n "$EV_SANITIZED" ] || MAKEFLAGS='' make -s -j2 -C "$ROOT" BUILD="$PWD/build" \
		BIN="$PWD/careless" "$PWD/careless/ev-append" \
		CFLAGS='-O1 -DLOG_SYNCHRONOUS="\"NORMAL\""'
}

teardown_file() {
	local writers device states

	cd "$BATS_FILE_TMPDIR" || return
	if [ -e groups ]; then
		read -ra writers < groups
		kill -9 "${writers[@]/#/-}" 2> /dev/null || true
	fi
	unmount || umount -l disk || true
	[ ! -e image ] || for device in $(losetup -n -O NAME -j image); do
		losetup -d "$device" || true
	done
	for states in states.*; do
		[ ! -L "$states" ] || rm -rf "$(readlink "$states")"
	done
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
	export EV_SCHEMAS=$ROOT/schemas
}

# Who was killed may need a moment to let go of the disk.
unmount() {
	local i

	for ((i = 0; i < 500; i++)); do
		mountpoint -q disk || return 0
		umount disk 2> /dev/null || sleep 0.01
	done
	return 1
}

# say NAME: one event
say() {
	printf '{"type":"CI_FAILED","id":"%s","repo":"acme/%s","issueNumber":%d,"prNumber":1}\n' \
		"$1" "${1%%-*}" "$((RANDOM % 9 + 1))"
}
export -f say

# One ev-append that gets its next event when it has acknowledged the last one.
# converse EV-APPEND NAME COUNT
converse() {
	local n=0 receipt

	rm -f "fifo.$2"
	mkfifo "fifo.$2"
	exec 4<> "fifo.$2"
	say "$2-0" >&4
	# with the end closed that writes, it sees when we are done
	while [ "$n" -lt "$3" ] && IFS= read -r receipt; do
		printf '%s\n' "$receipt"
		n=$((n + 1))
		if [ "$n" -lt "$3" ]; then
			say "$2-$n" >&4
		else
			exec 4>&-
		fi
	done < <(LD_PRELOAD=$RECORDER exec "$1" < "fifo.$2" 4>&-)
	wait "$!"
}
export -f converse

# repeat EV-APPEND NAME: an ev-append for each event, one after the other
repeat() {
	local n=0

	while say "$2-$n" | "$1"; do
		n=$((n + 1))
	done
}
export -f repeat

make_disk() {
	if [ "$(id -u)" != 0 ] || ! losetup -f > /dev/null 2>&1; then
		echo 'power cuts need root and loop devices: run this as root'
		return 1
	fi
	truncate -s 64M image
	mkfs.ext4 -q -F image
	mkdir -p disk
	echo "POWERCUT_SEED=$seed"
	RANDOM=$((seed % 32768))
}

# cut EV-APPEND ROUND MICROSECONDS: lets three writers append for that long and
# cuts the power. Adds to the file `receipts` what they were given before.
cut() {
	local writers=() name status=0

	: > new
	mount -o loop image disk
	export EV_LOG=$PWD/disk/log.db RECORDER=
	for name in "a$2" "b$2"; do
		setsid bash -c 'converse "$@"' - "$1" "$name" 1000000 \
			>> new 2>> complaints 3>&- &
		writers+=("$!")
	done
	setsid bash -c 'repeat "$@"' - "$1" "c$2" >> new 2>> complaints 3>&- &
	writers+=("$!")
	echo "${writers[*]}" > groups
	sleep "$(printf '0.%06d' "$3")"
	./powercut disk new > size || status=$?
	# most have seen the disk fail and are gone
	kill -9 "${writers[@]/#/-}" 2> /dev/null || true
	wait "${writers[@]}" || true
	rm groups
	unmount
	head -c "$(cat size)" new > given
	# a receipt that was cut short was not given
	sed '/}$/!d' given >> receipts
	return "$status"
}

# look: is all there, after the power came back? Prints what is not.
look() {
	local bad=0 status=0

	mount -o loop image disk
	export EV_LOG=$PWD/disk/log.db
	: > events
	if [ -e "$EV_LOG" ]; then
		ev-cat > events 2> complaints || status=$?
		# a log that was cut while it was made has no events: 1
		if [ "$status" != 0 ] && { [ "$status" != 1 ] || [ -s events ]; }; then
			cat complaints
			bad=1
		fi
		ev-verify > verdict 2>&1 || {
			cat verdict
			bad=1
		}
	fi
	awk -f "$fault/acked.awk" receipts events > verdict || {
		cat verdict
		bad=1
	}
	unmount
	return "$bad"
}

new_log() {
	mount -o loop image disk
	rm -f disk/log.db*
	unmount
	: > receipts
}

@test "power cuts on ext4: nothing acknowledged is lost" {
	local rounds=${EV_SANITIZED:+10} round least most all=0 none=0

	make_disk
	for ((round = 0; round < ${rounds:-100}; round++)); do
		# the first cut of a log may come while it is being made
		case $((round % 10)) in
		0)
			new_log
			least=4 most=40
			;;
		*) least=20 most=300 ;;
		esac
		cut ev-append "$round" \
			$(((RANDOM % (most - least) + least) * 1000))
		if [ ! -s receipts ]; then
			none=$((none + 1))
		fi
		look || {
			echo "round $round"
			return 1
		}
		if [ $((round % 10)) = 9 ]; then
			all=$((all + $(wc -l < receipts)))
		fi
	done
	echo "# $round cuts, $all acknowledged, $none before the first" >&3
	[ "$all" -gt "$((round * 5))" ]
}

@test "power cuts on ext4: without a sync for each commit they are noticed" {
	local round

	[ -z "$EV_SANITIZED" ] || return 0
	make_disk
	new_log
	for ((round = 0; round < 30; round++)); do
		cut "$PWD/careless/ev-append" "$round" \
			$(((RANDOM % 280 + 20) * 1000))
		if ! look > loss; then
			grep 'acknowledged, but not there' loss
			echo "# lost in round $((round + 1))" >&3
			return 0
		fi
	done
	echo 'nothing was lost'
	return 1
}

# record EV-APPEND: the life of a log from its making on, with a checkpoint
# whenever a command ends. Into the file `steps`.
record() {
	local session

	mkdir recorded
	rm -f steps
	export EV_LOG=$PWD/recorded/log.db RECORD=$PWD/steps
	export RECORD_LOG=$EV_LOG RECORDER=$PWD/record.so
	# sanitizers want to be loaded first
	export ASAN_OPTIONS=verify_asan_link_order=0
	for session in 1 2 3 4 5 6; do
		converse "$1" "s$session" 25 > receipts
		[ "$(wc -l < receipts)" = 25 ]
	done
	rm -r recorded
	unset ASAN_OPTIONS
}

# replay STATES: in memory, as nothing there needs to survive
replay() {
	local states

	states=$(mktemp -d -p /dev/shm)
	ln -s "$states" "states.$BATS_TEST_NUMBER"
	./crashstates steps "$states" "$1" "$seed" 2> complaints || {
		set -- "$?"
		echo "POWERCUT_SEED=$seed"
		rm -r "$states"
		return "$1"
	}
	rm -r "$states"
}

@test "whatever of the unsynced reached the disk, nothing acknowledged is lost" {
	local states=${EV_SANITIZED:+30}

	record ev-append
	replay "${states:-300}" > verdict || {
		cat verdict
		return 1
	}
	echo "# $(cat verdict)" >&3
}

@test "whatever reached the disk: without a sync for each commit it is noticed" {
	[ -z "$EV_SANITIZED" ] || return 0
	record "$PWD/careless/ev-append"
	run replay 50
	[ "$status" = 1 ]
	[[ $output = *'acknowledged events are lost'* ]]
	echo "# ${lines[-2]}" >&3
}
