#!/usr/bin/env bats
# What people look at: rig-status, rig-queue, rig-cost, rig-timeline, rig-log.
# Most of it is a few days of a rig, told up to a noon in April, and what is to
# be seen then.
#
# shellcheck disable=SC2016 # hostile text is not to be expanded

load helper

setup() {
	export HOME=$BATS_TEST_TMPDIR/home EV_NOW=2026-04-21T12:00:00Z
	export XDG_CONFIG_HOME=$HOME/.config
	mkdir "$HOME"
	cd "$BATS_TEST_TMPDIR" || return
}

# at DAY-TIME TYPE ISSUE [MEMBERS]: an event of acme/app as JSON
at() {
	printf '{"timestamp":"2026-04-%s:00Z","type":"%s","repo":"acme/app",' \
		"$1" "$2"
	printf '"issueNumber":%s%s}\n' "$3" "${4:+,$4}"
}

beat() { # DAY-TIME AGENT STATUS
	printf '{"timestamp":"2026-04-%s:00Z","type":"HEARTBEAT",' "$1"
	printf '"agentId":"%s","status":"%s"}\n' "$2" "$3"
}

spent() { # DAY-TIME AGENT ISSUE MODEL USD
	printf '{"timestamp":"2026-04-%s:00Z","type":"TOKEN_USAGE",' "$1"
	printf '"agentId":"%s","repo":"acme/app","issueNumber":%s,' "$2" "$3"
	printf '"model":"%s","costUsd":%s,"inputTokens":120000,' "$4" "$5"
	printf '"outputTokens":800}\n'
}

# one issue from its approval to its end
one() {
	at 18T09:00 ISSUE_APPROVED 1 '"title":"Round half to even","priority":"high"'
	at 18T09:20 ISSUE_ASSIGNED 1 '"agentId":"dev-1/x7k2p","actor":"lead"'
	at 18T09:24 WORK_STARTED 1 '"agentId":"dev-1/x7k2p","branch":"issue-1","actor":"dev-1/x7k2p"'
	at 18T10:00 HEARTBEAT 1 '"agentId":"dev-1","status":"working","streamId":"acme/app#1"'
	at 18T10:30 PR_CREATED 1 '"agentId":"dev-1","prNumber":11,"actor":"dev-1"'
	at 18T10:42 CI_FAILED 1 '"prNumber":11,"failedChecks":["unit","lint"]'
	at 18T11:10 CI_PASSED 1 '"prNumber":11'
	at 18T11:12 MERGED 1 '"prNumber":11,"mergeSha":"0123456"'
	at 18T11:30 ISSUE_DONE 1
}

# issues that need somebody: 2 is escalated, 3 gated, 4 with an agent that is
# stuck, 5 abandoned; and 6, which goes on
trouble() {
	at 20T09:00 ISSUE_APPROVED 2 '"title":"Take cents"'
	at 20T09:10 ISSUE_ASSIGNED 2 '"agentId":"dev-2"'
	at 20T10:05 ESCALATED 2 '"reason":"the smoke test failed"'
	at 21T08:00 ISSUE_APPROVED 3
	at 21T08:00 ISSUE_ASSIGNED 3 '"agentId":"dev-3"'
	at 21T09:00 PR_CREATED 3 '"agentId":"dev-3","prNumber":14'
	at 21T09:30 HUMAN_GATE_TRIGGERED 3 '"prNumber":14,"reason":"it changes the bill"'
	at 21T08:00 ISSUE_APPROVED 4
	at 21T08:30 ISSUE_ASSIGNED 4 '"agentId":"dev-1"'
	beat 21T11:03 dev-1 working
	at 21T11:40 AGENT_STUCK 4 '"agentId":"dev-1","reason":"no sign of life"'
	at 19T10:00 ISSUE_APPROVED 5
	at 19T10:10 ISSUE_ASSIGNED 5 '"agentId":"dev-4"'
	at 21T10:11 ISSUE_NEEDS_HUMAN 5
	beat 21T11:50 dev-3 waiting_input
	at 21T11:00 ISSUE_APPROVED 6
	at 21T11:10 ISSUE_ASSIGNED 6 '"agentId":"dev-2"'
	beat 21T11:58 dev-2 working
}

# what waits: 9 and 7 can begin, 8 waits for 7 and for what nobody approved; 10
# and 11 wait for each other, and 12 for these
waiting() {
	at 21T09:00 ISSUE_APPROVED 7 '"title":"Print it","priority":"low","dependsOn":[1]'
	at 21T10:00 ISSUE_APPROVED 8 '"priority":"critical","dependsOn":[7,"acme/lib#9"]'
	at 21T11:58 ISSUE_APPROVED 9 '"title":"Sort the lines","priority":"high"'
	at 21T10:00 ISSUE_APPROVED 10 '"dependsOn":[11]'
	at 21T10:01 ISSUE_APPROVED 11 '"dependsOn":[10]'
	at 21T10:02 ISSUE_APPROVED 12 '"dependsOn":[11]'
}

usage() {
	spent 18T10:00 dev-1 1 large 12.10
	spent 18T11:00 dev-1/x7k2p 1 small '"0.05"'
	spent 20T10:00 dev-2 2 large 1.000000000000000000001
	spent 21T10:00 dev-2 0 large 0.3
}

hear_all() {
	mkdir -p "$XDG_CONFIG_HOME/ev"
	cat >"$XDG_CONFIG_HOME/ev/rig.yaml" <<-'END'
		notify:
		  receivers:
		    desk: { kind: desktop }
		  routes: { critical: [desk], urgent: [desk], action: [desk], info: [] }
	END
}

# shows COMMAND...: it succeeds, and prints just what is on standard input
shows() {
	local wanted
	wanted=$(cat)
	run -0 --separate-stderr "$@"
	diff -u <(printf '%s\n' "$wanted") <(printf '%s\n' "$output")
	[ -z "$stderr" ]
}

# on_terminal WIDTH COMMAND: what it prints there, without colours
on_terminal() {
	NO_COLOR=1 script -qec "stty cols $1 rows 24; $2" /dev/null </dev/null |
		tr -d '\r'
}

# ---- rig-status

@test "what needs somebody comes first, the most urgent first; then all else" {
	{ one; trouble; waiting; } | ev-append -q
	hear_all
	shows rig-status <<-'END'
		needs you   what       for     agent  why
		acme/app#2  escalated  25 h    dev-2  the smoke test failed
		acme/app#5  abandoned  2 d     dev-4  nothing has happened since
		acme/app#3  gated      2 h     dev-3  it changes the bill
		acme/app#4  stuck      20 min  dev-1  no sign of life

		state      issues  quiet for  of these
		queued          6  3 h        2 can begin
		assigned        3  2 d
		gated           1  2 h
		escalated       1  25 h
		done            1

		agent  status         last sign  issue       waiting  done  failed
		dev-1  stuck          57 min     acme/app#4        1     1
		dev-4  working                   acme/app#5        1
		dev-3  waiting_input  10 min     acme/app#3
		dev-2  working        2 min      acme/app#6        1             1
	END
}

@test "a rig in which all is well takes three lines for issues, three for agents" {
	{
		at 21T09:00 ISSUE_APPROVED 1
		at 21T10:00 ISSUE_ASSIGNED 1 '"agentId":"dev-1"'
		at 21T11:00 ISSUE_DONE 1
		beat 21T11:59 dev-1 idle
	} | ev-append -q
	hear_all
	shows rig-status <<-'END'
		state  issues  of these
		done        1  1 in the last 24 h

		agent  status  last sign  done
		dev-1  idle    60 s          1
	END
}

@test "an issue needs nobody any more once somebody has seen to it" {
	trouble | ev-append -q
	{
		at 21T11:50 ISSUE_APPROVED 2
		at 21T11:50 ISSUE_APPROVED 3
		at 21T11:50 MERGED 3 '"prNumber":14'
		beat 21T11:50 dev-1 working
		at 21T11:50 WORK_STARTED 5 '"agentId":"dev-4"'
	} | ev-append -q
	run -0 rig-status
	run -0 grep -c -e 'needs you' -e 'abandoned' -e 'gated' -e 'escalated' \
		-e ' stuck ' <<<"$output#" || [ "$output" = 0 ]
	[ "$(rig-status --json | jq -c .needs)" = '[]' ]
}

@test "consumers that fail or lag, and models with parked events, are shown" {
	{ one; waiting; } | ev-append -q
	hear_all
	ev-each -q well --once -- true
	run -65 ev-each broken -t MERGED --retries 0 -- false
	run -0 rig-status
	[[ $output == *$'consumer  parked\nbroken         1'* ]]
	[[ $output != *well* ]]
	# a consumer that is behind for less than a minute is no news
	ev-append -q HEARTBEAT agentId=dev-9
	run -0 rig-status --now now
	[[ $output != *well* ]]
	run -0 rig-status --now '5 minutes'
	grep -Eq '^well +[0-9]+ +5 min' <<<"$output"
}

@test "a model with a parked event is shown, with all the rest" {
	one | ev-append -q
	ev-append -q TOKEN_USAGE agentId=dev-1 repo=acme/app issueNumber:=1 \
		model=m inputTokens:=1 outputTokens:=1 costUsd:=1e9999 category=work
	run -65 ev-project token-usage
	run -0 rig-status
	[[ $output == *$'read model   parked\ntoken-usage       1'* ]]
	[ "$(rig-status --json | jq '.models[] | select(.parked > 0).parked')" = 1 ]
}

@test "priorities that nobody hears of are named" {
	one | ev-append -q
	run -0 rig-status
	[ "${lines[-1]}" = 'nobody hears of anything: see notify in rig.yaml(5)' ]
	hear_all
	sed -i 's/urgent: \[desk\]/urgent: []/' "$XDG_CONFIG_HOME/ev/rig.yaml"
	run -0 rig-status
	[ "${lines[-1]}" = 'nobody hears of what is urgent: see notify in rig.yaml(5)' ]
	[ "$(rig-status --json | jq -c .unheard)" = '["urgent"]' ]
}

@test "rig-status for programs is one object with stable names" {
	{ one; trouble; waiting; } | ev-append -q
	run -0 rig-status --json
	[ "${#lines[@]}" -eq 1 ]
	jq -e '(keys == ["agents", "consumers", "issues", "models", "needs", "queue",
			"unheard"])
		and (.needs | map([.streamId[9:], .what]) == [["2", "escalated"],
			["5", "abandoned"], ["3", "gated"], ["4", "stuck"]])
		and (.needs[2] == { streamId: "acme/app#3", what: "gated",
			since: "2026-04-21T09:30:00.000000Z", agentId: "dev-3",
			reason: "it changes the bill" })
		and .issues == { queued: 6, assigned: 3, gated: 1, escalated: 1,
			done: 1 }
		and .queue == { ready: 2, waiting: 4 }
		and (.agents[0] == { agentId: "dev-1", status: "stuck",
			currentRepo: "acme/app", currentIssue: 4,
			lastHeartbeat: "2026-04-21T11:03:00.000000Z", depth: 1,
			completed: 1, failed: 0, stuck: 1 })
		and (.models | map(.name) | index("issue-status"))' <<<"$output"
}

@test "of many rows the first twenty are shown, and that there are more" {
	for i in {1..30}; do
		at 21T09:00 ISSUE_APPROVED "$i"
		at 21T10:00 ESCALATED "$i" '"reason":"no"'
		beat 21T11:00 "dev-$i" working
	done | ev-append -q
	run -0 rig-status
	[ "$(grep -c '^acme/app#' <<<"$output")" -eq 20 ]
	[ "$(grep -c '^dev-' <<<"$output")" -eq 20 ]
	[ "$(grep -cx '... and 10 more: --all shows them' <<<"$output")" -eq 2 ]
	run -0 rig-status --all
	[ "$(grep -c '^acme/app#' <<<"$output")" -eq 30 ]
	[ "$(grep -c '^dev-' <<<"$output")" -eq 30 ]
	[[ $output != *more* ]]
}

@test "agents with nothing to do that nobody heard of for a week are left out" {
	{ one; beat 01T10:00 gone idle; beat 20T10:00 here idle; } | ev-append -q
	run -0 rig-status
	[[ $output == *$'\nhere '* ]]
	[[ $output != *$'\ngone '* ]]
	[[ $output == *$'\n... and 1 more: --all shows them\n'* ]]
	run -0 rig-status -a
	[[ $output == *$'\ngone '* ]]
}

@test "issues that nobody has approved are of no known state" {
	at 21T09:00 CI_PASSED 1 '"prNumber":7' | ev-append -q
	at 21T09:00 ISSUE_APPROVED 2 | ev-append -q
	run -0 rig-status
	grep -qx 'unknown       1  3 h' <<<"$output"
	[ "$(rig-status --json | jq -c .issues)" = '{"queued":1,"unknown":1}' ]
	run -0 rig-queue
	run -0 rig-timeline 'acme/app#1'
	[ "${lines[1]}" = 'unknown, begun 3 h ago' ]
}

@test "rig-status and rig-queue of one repository" {
	{ one; waiting; } | ev-append -q
	ev-append -q -s 'acme/lib#1' ISSUE_APPROVED
	[ "$(rig-status -R acme/lib --json | jq -c '[.issues, .queue]')" = \
		'[{"queued":1},{"ready":1,"waiting":0}]' ]
	[ "$(rig-queue -R acme/lib --json | jq -r .streamId)" = 'acme/lib#1' ]
}

# ---- rig-queue

@test "what can begin is in order, what waits says for what" {
	{ one; waiting; } | ev-append -q
	shows rig-queue <<-'END'
		#  can begin   priority  age    title
		1  acme/app#9  high      2 min  Sort the lines
		2  acme/app#7  low       3 h    Print it

		waits        for                                     priority  age
		acme/app#8   #7 (queued), acme/lib#9 (not approved)  critical  2 h
		acme/app#10  circle: #10 > #11 > #10                 normal    2 h
		acme/app#11  circle: #11 > #10 > #11                 normal    119 min
		acme/app#12  #11 (queued)                            normal    118 min
	END
}

@test "the order is the one in which rig-next offers issues" {
	for i in {1..40}; do
		at "21T0$((i * 7 % 9)):$((10 + i * 13 % 50))" ISSUE_APPROVED "$i" \
			"\"priority\":\"$(shuf -n 1 -e critical high normal low)\""
	done | ev-append -q
	diff <(rig-next -n 100) <(rig-queue --json | jq -r .streamId)
	[ "$(rig-queue --json | jq .place | paste -sd ' ')" = \
		"$(seq -s ' ' 40)" ]
}

@test "rig-queue for programs says what each issue waits for" {
	{ one; waiting; } | ev-append -q
	run -0 rig-queue --json
	[ "${#lines[@]}" -eq 6 ]
	jq -es '(map(.place) == [1, 2, null, null, null, null])
		and .[1] == { streamId: "acme/app#7", repo: "acme/app",
			issueNumber: 7, title: "Print it", priority: "low",
			approvedAt: "2026-04-21T09:00:00.000000Z", place: 2,
			ageSeconds: 10800, waitsFor: [], circle: null }
		and .[2].waitsFor == [{ streamId: "acme/app#7", state: "queued" },
			{ streamId: "acme/lib#9", state: null }]
		and .[3].circle == ["acme/app#10", "acme/app#11", "acme/app#10"]
		and .[5].circle == null' <<<"$output"
}

@test "circles of any size end the search" {
	at 21T09:00 ISSUE_APPROVED 1 '"dependsOn":[1]' | ev-append -q
	for i in {2..60}; do
		at 21T09:00 ISSUE_APPROVED "$i" "\"dependsOn\":[$((i == 60 ? 2 : i + 1))]"
	done | ev-append -q
	run -0 timeout 20 rig-queue --json
	[ "${#lines[@]}" -eq 60 ]
	[ "$(jq -c 'select(.issueNumber == 1).circle' <<<"$output")" = \
		'["acme/app#1","acme/app#1"]' ]
	jq -es 'map(select(.issueNumber > 1))
		| all(.place == null and .circle == null)' <<<"$output"
}

@test "an empty queue is an honest no" {
	one | ev-append -q
	run -1 rig-queue
	[ "$output" = 'rig-queue: nothing waits' ]
	run -1 rig-queue -q
	[ -z "$output" ]
	run -1 rig-queue --json
	[ -z "$output" ]
}

# ---- rig-cost

@test "costs are added up exactly, the most expensive first" {
	{ one; usage; } | ev-append -q
	shows rig-cost <<-'END'
		13.450000000000000000001 USD in 30 days, since 2026-03-23

		agent  USD                       share                 calls  in     out
		dev-1  12.150000000000000000000  ####################      2  240 k  1600
		dev-2   1.300000000000000000001  ##                        2  240 k  1600
	END
	shows rig-cost --by issue <<-'END'
		13.450000000000000000001 USD in 30 days, since 2026-03-23

		issue       USD                       share                 calls  in     out
		acme/app#1  12.150000000000000000000  ####################      2  240 k  1600
		acme/app#2   1.000000000000000000001  ##                        1  120 k  800
		(none)       0.300000000000000000000  #                         1  120 k  800
	END
	shows rig-cost --by day --days 2 <<-'END'
		1.300000000000000000001 USD in 2 days, since 2026-04-20

		day         USD                      share                 calls  in     out
		2026-04-21  0.300000000000000000000  ######                    1  120 k  800
		2026-04-20  1.000000000000000000001  ####################      1  120 k  800
	END
}

@test "rows for programs have the sums that the read models have" {
	usage | ev-append -q
	costs() { # OPTION...
		rig-cost --json "$@" | grep -o '"costUsd":[^,]*' | cut -d : -f 2 |
			paste -sd ' '
	}
	[ "$(costs)" = '12.15 1.300000000000000000001' ]
	[ "$(costs -b repo)" = '13.450000000000000000001' ]
	[ "$(costs -b issue)" = '0.3 12.15 1.000000000000000000001' ]
	[ "$(costs -b model)" = '13.400000000000000000001 0.05' ]
	[ "$(costs -b day)" = '12.15 1.000000000000000000001 0.3' ]
	[ "$(rig-cost --by model --json | jq -r .model | paste -sd ' ')" = \
		'large small' ]
	[ "$(costs -d 1)" = "$(ev-get daily-cost --where date=2026-04-21 |
		grep -o '"cost":[^,]*' | cut -d : -f 2)" ]
}

@test "a day begins and ends at midnight UTC" {
	spent 19T23:59 dev-1 1 m 1 | ev-append -q
	spent 20T00:00 dev-1 1 m 2 | ev-append -q
	spent 20T23:59 dev-1 1 m 4 | ev-append -q
	spent 21T00:00 dev-1 1 m 8 | ev-append -q
	# what is later than now has not happened yet
	spent 22T00:00 dev-1 1 m 16 | ev-append -q
	cost() { rig-cost --json "$@" | jq .costUsd; }
	[ "$(cost -d 1)" = 8 ]
	[ "$(cost -d 2)" = 14 ]
	[ "$(cost -d 3)" = 15 ]
	[ "$(cost -d 1 --now 2026-04-20T23:59:59Z)" = 6 ]
	[ "$(TZ=Asia/Tokyo cost -d 1)" = 8 ]
}

@test "without usage there is nothing to show, and wrong words are refused" {
	one | ev-append -q
	run -1 rig-cost
	[ "$output" = 'rig-cost: nobody has told of any usage since 2026-03-23' ]
	run -1 rig-cost --json
	run -64 rig-cost --by week
	[[ $output == "rig-cost: --by 'week': expected agent, "* ]]
	run -64 rig-cost --days 0
	run -64 rig-cost --days '1; id'
	run -64 rig-cost more
}

# ---- rig-timeline

@test "the steps of an issue, how long each took, and the states it was in" {
	one | ev-append -q
	shows rig-timeline 'acme/app#1' <<-'END'
		acme/app#1  Round half to even
		done in 2 h 30 min, 3 d ago, by dev-1

		step            took    when                 what
		ISSUE_APPROVED  20 min  ###                  high
		ISSUE_ASSIGNED  4 min     #                  dev-1/x7k2p
		WORK_STARTED    66 min     #########         issue-1
		PR_CREATED      12 min              ##       #11
		CI_FAILED       28 min               ####    unit, lint
		CI_PASSED       2 min                    #
		MERGED          18 min                   ##  #11
		ISSUE_DONE

		state        time    share
		queued       20 min  13 %
		assigned     4 min   3 %
		in progress  66 min  44 %
		in review    14 min  9 %
		ci failed    28 min  19 %
		merged       18 min  12 %
	END
}

@test "the last step of an issue that goes on lasts until now" {
	trouble | ev-append -q
	run -0 rig-timeline -R acme/app 3
	[ "${lines[1]}" = 'gated, begun 4 h ago, by dev-3' ]
	[[ $output =~ HUMAN_GATE_TRIGGERED' '+'2 h 30 min '.*'it changes the bill' ]]
	[[ $output =~ gated' '+'2 h 30 min  63 %' ]]
	run -0 rig-timeline --now 2026-04-21T13:00:00Z 'acme/app#3'
	[[ $output =~ gated' '+'3 h 30 min  70 %' ]]
}

@test "what is told late takes no time, and no time is counted twice" {
	{
		at 21T09:00 ISSUE_APPROVED 1
		at 21T10:00 ISSUE_ASSIGNED 1 '"agentId":"dev-1"'
		at 21T09:30 BRANCH_CREATED 1 '"branch":"b"'
		at 21T11:00 ISSUE_DONE 1
	} | ev-append -q
	run -0 rig-timeline --json 'acme/app#1'
	[ "$(jq -c '[.type, .state, .seconds]' <<<"$output")" = \
'["ISSUE_APPROVED","queued",3600]
["ISSUE_ASSIGNED","assigned",0]
["BRANCH_CREATED","in_progress",3600]
["ISSUE_DONE","done",null]' ]
}

@test "an issue that nobody knows, and what is no issue" {
	one | ev-append -q
	run -1 rig-timeline 'acme/app#77'
	[ "$output" = "rig-timeline: 'acme/app#77': nothing is known of such an issue" ]
	run -64 rig-timeline
	run -64 rig-timeline acme
	run -64 rig-timeline 'acme/app#1' 'acme/app#2'
}

# ---- rig-log

# numbers ARGUMENT...: the positions that rig-log shows
numbers() {
	rig-log --json "$@" | jq .position | paste -sd ' '
}

@test "the last events of the rig, of an issue, of an agent and its pods" {
	{ one; usage; trouble; } | ev-append -q
	all=$(ev-cat | jq 'select(.type | IN("HEARTBEAT", "TOKEN_USAGE") | not)
		| .position')
	[ "$(numbers)" = "$(tail -n 20 <<<"$all" | paste -sd ' ')" ]
	[ "$(numbers -n 3)" = "$(tail -n 3 <<<"$all" | paste -sd ' ')" ]
	[ "$(numbers -n 999)" = "$(paste -sd ' ' <<<"$all")" ]
	[ "$(numbers 'acme/app#1')" = '1 2 3 5 6 7 8 9' ]
	[ "$(numbers -R acme/app -n 2 1)" = '8 9' ]
	[ "$(numbers -a -n 6 -R acme/app 1)" = '6 7 8 9 10 11' ]
	[ "$(numbers dev-1)" = '3 5' ]
	[ "$(numbers dev-1/x7k2p)" = 3 ]
	[ "$(numbers -a dev-3)" = "$(ev-cat -s dev-3 | jq .position)" ]
	run -0 rig-log -n 1 'acme/app#1'
	[[ ${lines[0]} == POS* ]]
	[[ ${lines[1]} == *ISSUE_DONE* ]]
}

@test "rig-log goes on as events come, and misses none" {
	one | ev-append -q
	rig-log -f -n 2 --json 'acme/app#1' >out 3>&- &
	follower=$!
	until [ "$(wc -l <out)" -eq 2 ]; do sleep 0.02; done
	ev-append -q HEARTBEAT agentId=dev-1
	ev-append -q -s 'acme/app#1' VERIFIED
	until [ "$(wc -l <out)" -eq 3 ]; do sleep 0.02; done
	kill "$follower"
	wait "$follower" || :
	[ "$(jq -r .type out | paste -sd ' ')" = 'MERGED ISSUE_DONE VERIFIED' ]
}

@test "where nothing has happened rig-log says so" {
	one | ev-append -q
	run -1 rig-log 'acme/app#5'
	[ "$output" = 'rig-log: nothing has happened' ]
	run -1 rig-log -q nobody
	[ -z "$output" ]
	run -64 rig-log -n 0
	run -64 rig-log a b
}

# ---- all of them

reports=('rig-status' 'rig-queue' 'rig-cost' 'rig-timeline acme/app#1' 'rig-log')

@test "without a log all say where it should be, in an empty one is nothing" {
	local report words
	hear_all
	for report in "${reports[@]}"; do
		read -ra words <<<"$report"
		run -69 "${words[@]}" --log no.db
		[[ $output == ev-*": no log at '"*"no.db'"* ]]
		run -69 "${words[@]}" --log no.db --json
		: >empty.db
		run -1 --separate-stderr "${words[@]}" --log empty.db
		[ -z "$output" ]
		[[ $stderr == "${words[0]}: "* ]]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
}

@test "no line is wider than the terminal; in a pipe nothing is cut" {
	local report width
	{ one; trouble; waiting; usage; } | ev-append -q
	at 21T09:00 ISSUE_APPROVED 99 "\"title\":\"$(printf 'long %.0s' {1..40})\"" |
		ev-append -q
	hear_all
	for report in "${reports[@]}" 'rig-timeline acme/app#99'; do
		for width in 40 80; do
			on_terminal "$width" "$report" >shown
			[ -s shown ]
			[ "$(wc -L <shown)" -le "$width" ] || { echo "$report"; cat shown; false; }
		done
	done
	on_terminal 40 rig-status >shown
	grep -Eq '^acme/app#2  escalated  25 h' shown
	grep -Eq '^dev-1  stuck +57 min$' shown
	on_terminal 40 'rig-timeline acme/app#1' >shown
	grep -Eq '^CI_FAILED +28 min +unit, lint$' shown
	run -0 rig-status
	run -1 grep $'\e' <<<"$output"
}

@test "bars are drawn on a terminal that can, and of signs elsewhere" {
	one | ev-append -q
	on_terminal 80 'rig-timeline acme/app#1' | grep -q '66 min     █████████ '
	LC_ALL=C on_terminal 80 'rig-timeline acme/app#1' | grep -q '66 min     ######### '
}

@test "texts of events are shown as they are, and are never run or obeyed" {
	jq -nc --rawfile nothing /dev/null '
		("\u001b[2J$(touch pwned)`touch pwned`\";touch pwned;\n-rf\u202e\u0007'"'"'"
			) as $evil | ("x" * 1048576) as $long |
		{ type: "ISSUE_APPROVED", repo: "acme/app", issueNumber: 1, title: $long },
		{ type: "ISSUE_ASSIGNED", repo: "acme/app", issueNumber: 1, agentId: $evil },
		{ type: "HUMAN_GATE_TRIGGERED", repo: "acme/app", issueNumber: 1,
			prNumber: 1, reason: $evil },
		{ type: "CI_FAILED", repo: "acme/app", issueNumber: 1, prNumber: 1,
			failedChecks: [$evil, $long], logs: $long },
		{ type: "ISSUE_APPROVED", repo: "-rf/$(x)", issueNumber: 2, title: $evil,
			dependsOn: [$evil, $long] },
		{ type: "ISSUE_APPROVED", repo: "-rf/$(x)", issueNumber: 3, title: "-n" },
		{ type: "HEARTBEAT", agentId: $evil, status: $evil },
		{ type: "TOKEN_USAGE", agentId: $evil, repo: "-rf/$(x)", issueNumber: 2,
			model: "\"costUsd\":7,", inputTokens: 1, outputTokens: 1,
			costUsd: "0.10" }' | ev-append -q
	local report
	export EV_NOW=now
	for report in "${reports[@]}" 'rig-log -a' 'rig-cost -b model' \
		'rig-cost -b repo' "rig-timeline -- '-rf/\$(x)#2'"; do
		on_terminal 80 "$report" >shown
		[ -s shown ]
		run -1 grep -P '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80\xae' shown
		[ "$(wc -L <shown)" -le 80 ] || { echo "$report"; cat shown; false; }
	done
	run -0 rig-timeline 'acme/app#1'
	[[ $output == *'\u001b[2J$(touch pwned)`touch pwned`'* ]]
	# in a pipe a line is for people, too
	run -0 rig-queue
	[ "${#output}" -lt 2000 ]
	# for programs nothing is left out
	rig-queue --json | jq -es '.[1] | .issueNumber == 2
		and (.title | startswith("\u001b[2J$(touch pwned)`"))
		and (.waitsFor | map(.streamId | length) | max == 1048576)'
	run -0 rig-cost --by model --json
	[[ $output == *'"model":"\"costUsd\":7,","costUsd":0.10,'* ]]
	[ ! -e pwned ]
}

@test "ten thousand issues take seconds, not minutes" {
	[ -z "${EV_SANITIZED-}" ] || skip 'measured without sanitizers'
	jq -nc 'range(1; 10001) as $i
		| { type: "ISSUE_APPROVED", repo: "acme/app", issueNumber: $i,
			dependsOn: [if $i % 2 == 0 then $i - 1 else empty end] },
		(select($i % 3 == 0) | { type: "ISSUE_ASSIGNED", repo: "acme/app",
			issueNumber: $i, agentId: "dev-\($i % 300)" }),
		(select($i % 6 == 0) | { type: "ESCALATED", repo: "acme/app",
			issueNumber: $i, reason: "no" }),
		{ type: "TOKEN_USAGE", agentId: "dev-\($i % 300)", repo: "acme/app",
			issueNumber: $i, model: "m", costUsd: 0.01 }' | ev-append -q
	local report
	TIMEFORMAT=%U
	for report in rig-status rig-queue 'rig-cost -b issue' 'rig-timeline acme/app#6'; do
		# of a processor, whoever else uses it
		seconds=$({ time $report --now now >out; } 2>&1)
		[ -s out ]
		[ "${seconds%.*}" -lt 4 ] || { echo "$report: $seconds s"; return 1; }
	done
}

@test "the reports' own projections are right" {
	run -0 ev-check "$ROOT"/share/rig/*.yaml
}

@test "a disk that is full is told" {
	{ one; waiting; usage; } | ev-append -q
	local report
	for report in "${reports[@]}"; do
		run -74 --separate-stderr bash -c "$report >/dev/full"
		[ "${#stderr_lines[@]}" -eq 1 ]
		run -74 --separate-stderr bash -c "$report --json >/dev/full"
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
}
