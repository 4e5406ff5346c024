#!/usr/bin/env bats
# Many processes, one log: who wins is decided once, and nothing is lost.

load helper

# race N COMMAND...: N of it at once, {} being the number; exit statuses in
# $BATS_TEST_TMPDIR/status.N.
race() {
	local n=$1 i
	shift
	for i in $(seq "$n"); do
		{
			"${@//\{\}/$i}" >"$BATS_TEST_TMPDIR/out.$i" \
				2>"$BATS_TEST_TMPDIR/err.$i" && status=0 || status=$?
			echo "$status" >"$BATS_TEST_TMPDIR/status.$i"
		} &
	done
	wait
}

# Exactly one of N won, all others were told so.
one_winner() { # N
	[ "$(cat "$BATS_TEST_TMPDIR"/status.* | sort -n | uniq -c | tr -s ' ')" = \
		" 1 0
 $(($1 - 1)) 80" ]
}

@test "8 racers with -e on one stream, 100 rounds: one winner each" {
	ev-append -q -s acme/app#1 ISSUE_APPROVED title=t
	for round in $(seq 0 99); do
		race 8 ev-append -e "$round" -s acme/app#1 ISSUE_ASSIGNED agentId=dev-{}
		one_winner 8
		# the winner is who the log says
		winner=$(ev-cat -s acme/app#1 -r -n 1 | jq -r .data.agentId)
		[ "$(cat "$BATS_TEST_TMPDIR/status.${winner#dev-}")" = 0 ]
	done
	[ "$(ev-cat -s acme/app#1 --count)" = 101 ]
	ev-verify
}

@test "32 racers for a stream that does not exist yet, nor the log" {
	for round in 1 2 3 4 5; do
		race 32 ev-append -e none -l "$BATS_TEST_TMPDIR/log$round.db" \
			-s s HEARTBEAT agentId=a{}
		one_winner 32
		[ "$(ev-cat -l "$BATS_TEST_TMPDIR/log$round.db" --count)" = 1 ]
	done
}

@test "who looks while a log is being made sees none, or one that is whole" {
	for round in $(seq 60); do
		export EV_LOG=$BATS_TEST_TMPDIR/log$round.db
		race 9 sh -c 'case $1 in
			[12]) ev-append -q HEARTBEAT agentId=a ;;
			[345]) ev-verify -q ;;
			*) ev-cat --count ;;
		esac' sh {}
		run ! grep -v 'no log at' "$BATS_TEST_TMPDIR"/err.*
		# 1: no event yet
		run ! grep -vx -e 0 -e 1 -e 69 "$BATS_TEST_TMPDIR"/status.[3-9]
		[ "$(cat "$BATS_TEST_TMPDIR"/status.[12] | sort -u)" = 0 ]
		[ "$(ev-cat --count)" = 2 ]
	done
}

@test "one id from 16 senders is stored once, and all are told it is there" {
	race 16 ev-append --id same HEARTBEAT agentId=a
	[ "$(cat "$BATS_TEST_TMPDIR"/status.* | sort -u)" = 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR"/out.* | jq -c .duplicate | grep -c true)" = 15 ]
	[ "$(ev-cat --count)" = 1 ]
}

@test "64 processes x 20 one-shot appends: no failure, no loss, no hole" {
	cat >"$BATS_TEST_TMPDIR/twenty" <<'EOF'
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	ev-append HEARTBEAT agentId="w$1" n:="$n" || exit
done
EOF
	race 64 sh "$BATS_TEST_TMPDIR/twenty" {}
	[ "$(cat "$BATS_TEST_TMPDIR"/status.* | sort -u)" = 0 ]
	cat "$BATS_TEST_TMPDIR"/out.* | jq -r .id | sort >"$BATS_TEST_TMPDIR/told"
	ev-cat | jq -r .id | sort | cmp - "$BATS_TEST_TMPDIR/told"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/told")" = 1280 ]
	# each process's events in its order
	for w in 1 33 64; do
		[ "$(ev-cat -s "w$w" | jq -r .data.n | tr '\n' ' ')" = \
			"$(seq -s ' ' 20) " ]
	done
	ev-verify
}

@test "many bulk appends at once are each acknowledged whole" {
	for w in 1 2 3 4; do
		for n in $(seq 600); do
			echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"w$w\",\"n\":$n}"
		done >"$BATS_TEST_TMPDIR/in.$w"
	done
	race 4 ev-append "$BATS_TEST_TMPDIR/in.{}"
	[ "$(cat "$BATS_TEST_TMPDIR"/status.* | sort -u)" = 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR"/out.* | wc -l)" = 2400 ]
	for w in 1 2 3 4; do
		ev-cat -s "w$w" | jq -r '"\(.version) \(.data.n)"' |
			awk '$1 != NR - 1 || $2 != NR { exit 1 }'
	done
	ev-verify
}

@test "ev-verify is content while others append" {
	ev-append -q HEARTBEAT agentId=a
	for n in $(seq 150); do
		ev-append -q --correlation "c$n" HEARTBEAT agentId=a
	done &
	for _ in $(seq 40); do
		ev-verify -q
	done
	wait
	ev-verify
}
