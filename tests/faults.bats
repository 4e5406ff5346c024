#!/usr/bin/env bats
# What happens when the disk, the rights, the file or a neighbour is wrong: one
# clear line, the right status, and nothing acknowledged is lost.

load helper

teardown() {
	[ -z "$mounted" ] || umount "$mounted"
	[ -z "$stopped" ] || kill -KILL "$stopped" 2>/dev/null || true
}

beats() { # COUNT
	local n
	for n in $(seq "$1"); do
		echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"a\",\"id\":\"b$n\",\"pad\":\"$(printf '%0300d' "$n")\"}"
	done
}

# small_disk KIB: a file system of that size as $mounted; needs to be root.
small_disk() {
	[ "$(id -u)" = 0 ] || { echo 'this test mounts: run it as root'; return 1; }
	mkdir "$BATS_TEST_TMPDIR/disk"
	mount -t tmpfs -o "size=$1k" none "$BATS_TEST_TMPDIR/disk"
	mounted=$BATS_TEST_TMPDIR/disk
	export EV_LOG=$mounted/log.db
}

# One line, of this status.
one_line() { # STATUS
	[ "$status" = "$1" ]
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "disk full: 74, what was acknowledged is there, with room it goes on" {
	small_disk 2048
	beats 20000 >"$BATS_TEST_TMPDIR/in"
	# a slow pipe has many commits, the last of which fails
	run --separate-stderr pipe 'for i in 1 2 3 4 5 6 7 8 9 10; do
		head -n $((i * 2000)) "$1" | tail -n 2000; done |
		ev-append' "$BATS_TEST_TMPDIR/in"
	one_line 74
	[[ $stderr == *'disk is full'* || $stderr == *'No space'* ]]
	acked=$(jq -r .id <<<"$output" | wc -l)
	[ "$(ev-cat --count || true)" -ge "$acked" ]
	ev-verify
	mount -o remount,size=65536k "$mounted"
	run -0 ev-append "$BATS_TEST_TMPDIR/in"
	[ "${#lines[@]}" = 20000 ]
	[ "$(ev-cat --count)" = 20000 ]
	ev-verify
}

@test "a disk that is full from the start: 74, and no half log" {
	small_disk 64
	head -c 70000 /dev/zero >"$mounted/ballast" 2>/dev/null || true
	run --separate-stderr ev-append HEARTBEAT agentId=a
	one_line 74
	rm "$mounted/ballast"
	mount -o remount,size=4096k "$mounted"
	ev-append -q HEARTBEAT agentId=a
	[ "$(ev-cat --count)" = 1 ]
}

@test "a read-only file system: 74 to append, readable still" {
	small_disk 4096
	ev-append -q HEARTBEAT agentId=a
	# a reader that is there keeps the shared memory file
	mount -o remount,ro "$mounted"
	run --separate-stderr ev-append HEARTBEAT agentId=a
	one_line 74
	mount -o remount,rw "$mounted"
	ev-append -q HEARTBEAT agentId=a
	[ "$(ev-cat --count)" = 2 ]
}

@test "a limit on file sizes is a full disk, not a signal" {
	run --separate-stderr bash -c 'ulimit -f 200; ev-append -q "$0"' \
		<(beats 5000)
	one_line 74
	beats 5000 | ev-append -q
	[ "$(ev-cat --count)" = 5000 ]
	ev-verify
}

@test "a full or closed standard output claims nothing" {
	run -74 --separate-stderr bash -c 'ev-append HEARTBEAT agentId=a >/dev/full'
	one_line 74
	run -74 --separate-stderr bash -c 'ev-append HEARTBEAT agentId=a >&-'
	one_line 74
}

@test "a stopped process that holds the lock is named, after EV_TIMEOUT" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	ev-append -q HEARTBEAT agentId=a
	# sqlite3 holds no lock of ours; flock(1) locks otherwise: so one of us,
	# stopped by a debugger's means while it waits for room in a pipe
	(
		exec 9<>"$EV_LOG.lock"
		exec perl -e '
			use Fcntl;
			my $lock = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0);
			open(my $f, "+<", $ARGV[0]) or die;
			fcntl($f, F_SETLK, $lock) or die;
			open(my $g, ">", $ARGV[1]) or die;
			print $g "x\n";
			close $g;
			kill "STOP", $$;
		' "$EV_LOG.lock" "$BATS_TEST_TMPDIR/go"
	) &
	stopped=$!
	read -r _ <"$BATS_TEST_TMPDIR/go"
	EV_TIMEOUT=0.2 run -75 --separate-stderr ev-append HEARTBEAT agentId=b
	one_line 75
	[[ $stderr == *"process $stopped (perl)"* ]]
	[ "$(ev-cat --count)" = 1 ] # readers do not care
	kill -KILL "$stopped"
	stopped=
	ev-append -q HEARTBEAT agentId=b
	[ "$(ev-cat --count)" = 2 ]
}

@test "a log by another name has the same lock; a second hard link is refused" {
	ev-append -q HEARTBEAT agentId=a
	ln -s "$EV_LOG" "$BATS_TEST_TMPDIR/other.db"
	ev-append -q -l "$BATS_TEST_TMPDIR/other.db" HEARTBEAT agentId=a
	[ ! -e "$BATS_TEST_TMPDIR/other.db.lock" ]
	[ "$(ev-cat --count)" = 2 ]
	ln "$EV_LOG" "$BATS_TEST_TMPDIR/hard.db"
	run --separate-stderr ev-append HEARTBEAT agentId=a
	one_line 69
	[[ $stderr == *'hard'* ]]
}

@test "a lock file that is a symbolic link is not followed" {
	ln -s "$BATS_TEST_TMPDIR/victim" "$EV_LOG.lock"
	run --separate-stderr ev-append HEARTBEAT agentId=a
	one_line 69
	[ ! -e "$BATS_TEST_TMPDIR/victim" ]
}

@test "what is no log is refused and left as it is" {
	echo 'just text, longer than the header of a database is, and then some' \
		>"$BATS_TEST_TMPDIR/text"
	sqlite3 "$BATS_TEST_TMPDIR/foreign.db" 'CREATE TABLE t(x)'
	ev-append -q -l "$BATS_TEST_TMPDIR/newer.db" HEARTBEAT agentId=a
	sqlite3 "$BATS_TEST_TMPDIR/newer.db" 'PRAGMA user_version = 99' >/dev/null
	mkdir "$BATS_TEST_TMPDIR/folder"
	for file in text foreign.db newer.db; do
		before=$(cksum <"$BATS_TEST_TMPDIR/$file")
		for command in 'ev-append HEARTBEAT agentId=a' ev-cat ev-verify; do
			# shellcheck disable=SC2086
			set -- $command
			run --separate-stderr "$1" -l "$BATS_TEST_TMPDIR/$file" "${@:2}"
			one_line 69
			[[ $stderr == *"$file"* ]]
		done
		[ "$before" = "$(cksum <"$BATS_TEST_TMPDIR/$file")" ]
	done
	run --separate-stderr ev-append -l "$BATS_TEST_TMPDIR/folder" HEARTBEAT agentId=a
	one_line 69
}

@test "no descriptors left: one line, not a crash" {
	ev-append -q HEARTBEAT agentId=a
	for limit in 6 7; do # with fewer, the program itself cannot be loaded
		run --separate-stderr bash -c "ulimit -n $limit; exec ev-append -l $BATS_TEST_TMPDIR/new.db HEARTBEAT agentId=a"
		[ "$status" = 69 ] || [ "$status" = 74 ]
		one_line "$status"
		[[ $stderr == *'Too many open files'* ]]
	done
	ev-verify
}
