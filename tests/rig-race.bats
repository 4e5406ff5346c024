#!/usr/bin/env bats
# Agents that all want the same issue at the same moment: one gets it, always,
# and all others are told so.

#
# shellcheck disable=SC2030,SC2031 # each test has its own variables

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	rounds=50
	[ -z "${EV_SANITIZED-}" ] || rounds=3
}

# race N COMMAND...: N of it at once, {} being the number; a line for each, its
# number and exit status, in statuses.
race() {
	local n=$1 i status
	shift
	: >statuses
	for ((i = 1; i <= n; i++)); do
		{
			status=0
			"${@//\{\}/$i}" 2>"err.$i" || status=$?
			echo "$i $status" >>statuses
		} 3>&- &
	done
	wait
}

# one_winner N: of N one won and all others lost; sets $winner.
one_winner() {
	local i status lost=0
	winner=
	while read -r i status; do
		case $status in
		0) winner=$winner$i ;;
		80) lost=$((lost + 1)) ;;
		esac
	done <statuses
	[ "$lost $(wc -l <statuses)" = "$(($1 - 1)) $1" ] || {
		tail -n +1 statuses err.*
		return 1
	}
}

# claims N: for so many rounds N agents want an issue, each another one.
claims() {
	local round
	for ((round = 1; round <= rounds; round++)); do
		ev-append -q -s "acme/app#$round" ISSUE_APPROVED
		race "$1" rig-claim "acme/app#$round" "agent-{}/pod"
		one_winner "$1"
		echo "acme/app#$round agent-$winner/pod" >>winners
	done
	# they are who the log says
	ev-cat -t ISSUE_ASSIGNED | jq -r '"\(.streamId) \(.data.agentId)"' |
		diff winners -
	ev-verify
}

@test "8 agents claim an issue: one winner, every time" {
	claims 8
}

@test "32 agents claim an issue: one winner, every time" {
	claims 32
}

@test "64 agents claim an issue: one winner, every time" {
	claims 64
}

@test "heartbeats in the issue's stream make nobody lose" {
	local round
	rounds=$((rounds / 10 + 1))
	for round in $(seq "$rounds"); do
		ev-append -q -s "acme/app#$round" ISSUE_APPROVED
		(
			for _ in 1 2 3 4 5 6 7 8 9 10; do
				ev-append -q -s "acme/app#$round" HEARTBEAT agentId=other
			done
		) 3>&- &
		race 8 rig-claim "acme/app#$round" "agent-{}"
		one_winner 8
	done
}

@test "what is assigned to an agent two of its processes take up: one" {
	local round
	rounds=$((rounds / 10 + 1))
	for round in $(seq "$rounds"); do
		ev-append -q -s "acme/app#$round" ISSUE_APPROVED
		ev-append -q -s "acme/app#$round" ISSUE_ASSIGNED agentId=ada
		race 8 rig-claim "acme/app#$round" "ada/{}"
		one_winner 8
		[ "$(ev-cat -s "acme/app#$round" -t WORK_STARTED --count)" = 1 ]
	done
}

@test "claims, assignments, releases at once: each assignment follows a release" {
	local i
	rounds=$((rounds / 8 + 1))
	ev-append -q -s acme/app#1 ISSUE_APPROVED
	for i in 1 2 3 4 5 6; do
		(
			for _ in $(seq "$rounds"); do
				rig-claim acme/app#1 "agent-$i" 2>>err || :
				rig-assign acme/app#1 "agent-$((i % 6 + 1))" 2>>err || :
				rig-release acme/app#1 "agent-$i" 2>>err || :
			done
		) 3>&- &
	done
	wait
	ev-cat -s acme/app#1 | jq -es '
		[.[] | select(.type | endswith("ASSIGNED")) | [.type, .data.agentId]]
		| . as $told
		| [range($told | length) as $i
		    | if $i % 2 == 0 then $told[$i][0] == "ISSUE_ASSIGNED"
		      else $told[$i] == ["ISSUE_UNASSIGNED", $told[$i - 1][1]] end]
		| length > 10 and all'
	[ "$(ev-cat -t ISSUE_ASSIGNED | jq -s 'map(.data.attempt) ==
		[range(1; length + 1)]')" = true ]
}

@test "one of many who tell that a milestone is complete tells it" {
	ev-append -q -s acme/app#1 ISSUE_APPROVED milestone=v1
	ev-append -q -s acme/app#1 ISSUE_DONE
	race 16 rig-milestone -q
	[ "$(cut -d ' ' -f 2 statuses | sort -u)" = 0 ]
	[ "$(ev-cat -t MILESTONE_COMPLETE --count)" = 1 ]
}

@test "an issue that many approve with the same facts is approved once" {
	ev-append -q HEARTBEAT agentId=ada
	race 16 rig-approve acme/app#1 Title -p high
	[ "$(cut -d ' ' -f 2 statuses | sort -u)" = 0 ]
	[ "$(ev-cat -t ISSUE_APPROVED --count)" = 1 ]
}

@test "the first event of a log, when many have it to tell" {
	[ ! -e "$EV_LOG" ]
	race 8 rig-approve acme/app#1 Title -p high
	[ "$(cut -d ' ' -f 2 statuses | sort -u)" = 0 ]
	[ "$(ev-cat -t ISSUE_APPROVED --count)" = 1 ]
}
