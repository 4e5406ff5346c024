#!/usr/bin/env bats
# Who claims: rig-approve, rig-next, rig-claim, rig-assign, rig-release,
# rig-heartbeat and rig-milestone. What they do to each other at the same time is
# in rig-race.bats.
#
# shellcheck disable=SC2016 # jq has variables, too
# shellcheck disable=SC2154 # run and the peers set some

load helper
load peers/peer

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
	export EV_NOW=2026-04-21T10:00:00Z
}

teardown() {
	stop_peer
}

# is JQ [ARGUMENT...]: does it hold of the array of all events?
is() {
	ev-cat | jq -es "$@" >/dev/null || { ev-cat; false; }
}

# What the log has, without what differs from run to run.
told() { # [FILTER...]
	ev-cat "$@" | jq -c '[.streamId, .type, .actor, .data
		| if type == "object" then del(.repo, .issueNumber) else . end]'
}

# status_of ISSUE JQ: does it hold of what issue-status says?
status_of() {
	ev-get issue-status "$1" | jq -e "$2" >/dev/null ||
		{ ev-get issue-status "$1"; false; }
}

# tell STREAM TYPE [MEMBER...]
tell() {
	ev-append -q --timestamp "$EV_NOW" -s "$@"
}

# What stands before a real command on PATH: FIRST once, the first time that it
# is called with ARGUMENT.
before() { # COMMAND ARGUMENT FIRST
	mkdir -p ahead
	cat >"ahead/$1" <<-END
		#!/bin/sh
		PATH=${PATH%%:*}:$PATH
		case " \$* " in
		*' $2 '*)
			if mkdir done.\${0##*/} 2>/dev/null; then
				PATH=\${PATH#*ahead:}
				$3
			fi
			;;
		esac
		exec "$EV_BIN/$1" "\$@"
	END
	chmod +x "ahead/$1"
	PATH=$PWD/ahead:$PATH
}

# ---- rig-approve

@test "approving puts an issue into the queue, with what is said of it" {
	run -0 --separate-stderr env EV_AGENT=ada rig-approve acme/app#42 \
		'Round half to even' -p high -m v1 -d acme/lib#7 -d 41
	[ -z "$output$stderr" ]
	diff - <(told) <<-'END'
		["acme/app#42","ISSUE_APPROVED","ada",{"title":"Round half to even","priority":"high","milestone":"v1","dependsOn":["acme/app#41","acme/lib#7"]}]
	END
	is '.[0].timestamp == "2026-04-21T10:00:00.000000Z"'
	status_of acme/app#42 '.state == "queued" and .priority == "high"'
}

@test "approving twice with the same facts does nothing" {
	rig-approve acme/app#42 Title -p low -d 41 -m 5
	for again in 'acme/app#42' 'acme/app#42 Title' '-p low acme/app#42' \
		'-R acme/app 42' '-m 5 -R acme/app #42' 'acme/app#42 -d acme/app#41'; do
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr rig-approve --json $again
		[ -z "$output$stderr" ]
	done
	is 'length == 1'
	# also when another program wrote them otherwise
	tell acme/app#42 ISSUE_APPROVED priority=low dependsOn:='[41]' milestone:=5
	rig-approve acme/app#42 Title -d 41 -m 5
	is 'length == 2'
}

@test "approving with other facts changes those and keeps the others" {
	rig-approve acme/app#42 Title -p high -m v1 -d 41
	rig-approve acme/app#42 -p critical
	rig-approve acme/app#42 'Another title'
	rig-approve acme/app#42 -d none
	is 'length == 4'
	status_of acme/app#42 '.title == "Another title" and .milestone == "v1" and
		.priority == "critical" and .dependsOn == []'
	# it keeps its place
	rig-approve acme/app#42 -p low --now '2026-04-22 10:00 UTC'
	status_of acme/app#42 '.approvedAt == "2026-04-21T10:00:00.000000Z"'
}

@test "to approve again what is escalated, gated or done is a decision anew" {
	for event in ESCALATED ISSUE_DONE HUMAN_GATE_TRIGGERED; do
		rig-approve "acme/$event#1" Title
		tell "acme/$event#1" "$event"
		rig-approve "acme/$event#1" --now '2026-04-22 10:00 UTC'
		[ "$(ev-cat -s "acme/$event#1" -t ISSUE_APPROVED --count)" = 2 ]
	done
	status_of acme/ESCALATED#1 '.state == "queued" and .title == "Title"'
	status_of acme/ISSUE_DONE#1 '.state == "queued"'
}

@test "approving opens a gate also when another agent has taken the issue up" {
	rig-approve acme/app#1 Title
	rig-claim acme/app#1 ada
	tell acme/app#1 HUMAN_GATE_TRIGGERED prNumber:=3
	rig-release acme/app#1
	# it goes on waiting for a person
	status_of acme/app#1 '.state == "gated" and .agentId == null'
	run -80 rig-claim acme/app#1 ben
	# somebody gives it to another agent all the same
	tell acme/app#1 ISSUE_ASSIGNED agentId=ben
	tell acme/app#1 PR_CREATED agentId=ben prNumber:=4
	tell acme/app#1 CI_PASSED prNumber:=4
	tell acme/app#1 REVIEW_PASSED prNumber:=4
	run -1 rig-gate acme/app#1
	[[ $output == *'no  human'* ]]
	rig-approve acme/app#1
	run -0 rig-gate acme/app#1
	status_of acme/app#1 '.state == "in_review" and .agentId == "ben"'
	# once
	rig-approve acme/app#1
	[ "$(ev-cat -t ISSUE_APPROVED --count)" = 2 ]
}

@test "an issue that is worked on already can be approved; nothing is undone" {
	tell acme/app#1 WORK_STARTED agentId=ada
	rig-approve acme/app#1 Title
	rig-approve acme/app#1 Title
	is 'length == 2'
	status_of acme/app#1 '.state == "in_progress" and .title == "Title"'
}

@test "the first approval makes the log; where there can be none it says so" {
	[ ! -e log.db ]
	rig-approve acme/app#1
	is 'length == 1'
	run -69 --separate-stderr rig-approve -l /dev/null/log acme/app#1
	[ "${#stderr_lines[@]}" -eq 1 ]
	for command in 'next' 'claim acme/app#1 ada' 'assign acme/app#1 ada' \
		'release acme/app#1' 'milestone'; do
		# shellcheck disable=SC2086 # several words
		run -69 --separate-stderr rig-${command%% *} -l none.db ${command#"${command%% *}"}
		[[ $stderr == *"none.db"* ]]
	done
}

@test "42 is an issue of the repository that somebody names" {
	run -64 --separate-stderr rig-approve 42
	[[ $stderr == "rig-approve: '42': of which repository?"* ]]
	rig-approve -R acme/option 1
	EV_REPO=acme/environment rig-approve 2
	echo 'repo: acme/configuration' >rig.yaml
	rig-approve '#3'
	echo 'repo: acme/named' >other.yaml
	rig-approve --config other.yaml 4
	rm rig.yaml
	git init -q
	git config ev.repo acme/hooks
	rig-approve 5 -d 4
	is 'map(.streamId) == ["acme/option#1", "acme/environment#2",
		"acme/configuration#3", "acme/named#4", "acme/hooks#5"]'
	is '.[4].data.dependsOn == ["acme/hooks#4"]'
}

@test "what is not given GitHub may know" {
	start_peer github <<-'END'
		{"token": "t0ken", "repos": {"acme/app": {"id": 1, "pulls": {"9": {}},
		  "issues": {
		    "1": {"title": "From \"GitHub\"\n$(touch canary)", "milestone": "v2",
		      "labels": ["bug", "Priority: High", "p3"]},
		    "2": {"title": "Plain"}, "3": {"state": "closed"}}}}}
	END
	export GITHUB_API_URL=$peer GITHUB_TOKEN=t0ken
	rig-approve -g acme/app#1
	rig-approve -g acme/app#1
	rig-approve -g acme/app#2 Ours -p low
	is 'length == 2'
	is '.[0].data | .title == "From \"GitHub\"\n$(touch canary)" and
		.priority == "high" and .milestone == "v2"'
	is '.[1].data | .title == "Ours" and .priority == "low" and
		(has("milestone") | not)'
	for number in 3 9 17; do
		run -1 --separate-stderr rig-approve -g "acme/app#$number"
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
	is 'length == 2'
	[ ! -e canary ]
}

# ---- rig-next

# Issues in the order in which rig-next offers them, without their repository.
offered() {
	rig-next -n 99 "$@" | sed 's/.*#//' | tr '\n' ' '
}

@test "the most urgent issue is next, and of those the oldest" {
	EV_NOW=2026-04-21T10:05:00Z rig-approve acme/app#1 -p low
	EV_NOW=2026-04-21T10:04:00Z rig-approve acme/app#2
	EV_NOW=2026-04-21T10:06:00Z rig-approve acme/app#3 -p critical
	EV_NOW=2026-04-21T10:03:00Z rig-approve acme/app#4 -p high
	EV_NOW=2026-04-21T10:02:00Z rig-approve acme/app#5 -p critical
	EV_NOW=2026-04-21T10:02:00Z rig-approve acme/app#10
	EV_NOW=2026-04-21T10:02:00Z rig-approve acme/app#9
	[ "$(offered)" = '5 3 4 9 10 2 1 ' ]
	[ "$(rig-next)" = acme/app#5 ]
	[ "$(rig-next -n 2 | wc -l)" = 2 ]
}

@test "what depends on issues that are not done is not offered" {
	rig-approve acme/app#1 -d acme/app#2 -d 3
	rig-approve acme/app#2 -d 3 -p low
	rig-approve acme/app#3 -p low
	rig-approve acme/app#4 -d acme/unheard#1
	rig-approve acme/app#5 -d 5
	rig-approve acme/app#6 -d 7
	rig-approve acme/app#7 -d 6
	tell acme/app#8 ISSUE_APPROVED dependsOn:='[3, "#3"]'
	tell acme/app#9 ISSUE_APPROVED dependsOn:='["-h", "", "a\u0000b", "x\ny"]'
	[ "$(offered)" = '3 ' ]
	tell acme/app#3 ISSUE_DONE
	[ "$(offered)" = '8 2 ' ]
	tell acme/app#2 ISSUE_DONE
	[ "$(offered)" = '1 8 ' ]
	tell acme/unheard#1 ISSUE_DONE
	[ "$(offered)" = '1 4 8 ' ]
}

@test "first what waits for the agent itself" {
	for i in 1 2 3 4 5 6 7 8; do
		rig-approve "acme/app#$i"
		[ "$i" -eq 8 ] || rig-claim "acme/app#$i" "ada/$i"
	done
	tell acme/app#2 WORK_STARTED agentId=ada
	tell acme/app#3 CI_FAILED
	tell acme/app#4 REVIEW_DISPUTED prNumber:=1
	tell acme/app#5 SMOKE_FAILED
	tell acme/app#6 PR_CREATED prNumber:=6
	tell acme/app#7 HUMAN_GATE_TRIGGERED
	[ "$(offered ada)" = '3 4 5 1 8 ' ]
	[ "$(offered ada/x7k2p)" = '3 4 5 1 8 ' ]
	[ "$(offered ben)" = '8 ' ]
	[ "$(offered)" = '8 ' ]
	run -0 rig-next --json -n 5 ada
	[ "$(jq -r .why <<<"$output" | tr '\n' ' ')" = 'mend mend mend begin claim ' ]
	run -0 rig-next --json --resume -n 9 ada
	[ "$(jq -r '"\(.why) \(.issueNumber)"' <<<"$output" | head -n 1)" = 'resume 2' ]
	[ "$(offered --resume ada)" = '2 3 4 5 1 8 ' ]
}

@test "what is to be escalated is offered to nobody" {
	for i in 1 2 3; do
		rig-approve "acme/app#$i"
		rig-claim "acme/app#$i" ada
	done
	tell acme/app#1 SMOKE_FAILED reason=external_dependency
	tell acme/app#2 SMOKE_FAILED reason=code retryCount:=3
	tell acme/app#3 SMOKE_FAILED reason=code retryCount:=2
	[ "$(offered ada)" = '3 ' ]
	echo 'smoke: { retries: 4 }' >rig.yaml
	[ "$(offered ada)" = '2 3 ' ]
}

@test "rig-next as objects, of one repository, and when there is nothing" {
	rig-approve acme/app#1 'A "title"' -m v1
	rig-approve acme/lib#2
	run -0 rig-next -R acme/lib
	[ "$output" = acme/lib#2 ]
	run -0 rig-next --json
	[ "$output" = '{"streamId":"acme/app#1","repo":"acme/app","issueNumber":1,"title":"A \"title\"","priority":"normal","state":"queued","agentId":null,"attempt":0,"reason":null,"failedChecks":[],"why":"claim"}' ]
	run -1 --separate-stderr rig-next -R acme/none
	[ -z "$output$stderr" ]
	tell acme/app#1 ISSUE_DONE
	tell acme/lib#2 ESCALATED
	run -1 rig-next ada
	[ -z "$output" ]
}

@test "an issue that cannot be named on a line, or has another's stream, is not offered" {
	tell $'acme/a\nb#1' ISSUE_APPROVED
	ev-append -q -s elsewhere ISSUE_APPROVED repo=acme/app issueNumber:=1
	run -1 rig-next -n 9
	tell $'acme/\e]0;x\a#1' ISSUE_APPROVED
	run -0 rig-next -n 9
	[ "$output" = $'acme/\e]0;x\a#1' ]
	run -0 script -qec 'rig-next' /dev/null
	[ "${output%$'\r'}" = 'acme/\u001b]0;x\u0007#1' ]
}

# ---- rig-claim

@test "a claim is the agent's, at the version that the issue had when it was free" {
	rig-approve acme/app#1
	run -0 --separate-stderr rig-claim acme/app#1 dev-e/x7k2p
	[ -z "$output$stderr" ]
	diff - <(told -t ISSUE_ASSIGNED) <<-'END'
		["acme/app#1","ISSUE_ASSIGNED","dev-e/x7k2p",{"attempt":1,"agentId":"dev-e/x7k2p"}]
	END
	rig-release acme/app#1
	rig-claim acme/app#1 dev-f
	is '.[-1].data | .attempt == 2 and .agentId == "dev-f"'
	status_of acme/app#1 '.state == "assigned" and .agentId == "dev-f"'
}

@test "who comes too late exits 80 and is told who has it" {
	rig-approve acme/app#1
	rig-claim acme/app#1 dev-e/1
	for agent in dev-f dev-e/2 dev-e dev-e/1; do
		run -80 --separate-stderr rig-claim acme/app#1 "$agent"
		[ "$stderr" = "rig-claim: cannot claim 'acme/app#1': 'dev-e' has it (assigned)" ]
	done
	run -80 --separate-stderr env EV_ERRORS=json rig-claim acme/app#1 dev-f
	jq -e '.status == 80 and .command == "rig-claim"' <<<"$stderr"
	is 'length == 2'
}

@test "a claim in each state: only what is queued is to be had" {
	local event members
	while read -r event members; do
		rig-approve "acme/$event#1"
		# shellcheck disable=SC2086 # several words
		tell "acme/$event#1" "$event" $members
		run -80 --separate-stderr rig-claim --again "acme/$event#1" ada
		[[ $stderr == "rig-claim: cannot claim 'acme/$event#1': "* ]]
	done <<-'END'
		WORK_STARTED agentId=ben
		PR_CREATED prNumber:=1 agentId=ben
		HUMAN_GATE_TRIGGERED
		MERGED prNumber:=1
		DEPLOYED_STAGING
		SMOKE_FAILED
		DEPLOYED_PRODUCTION
		VERIFIED
		ISSUE_DONE
		ESCALATED
	END
	[ "$(ev-cat -t ISSUE_ASSIGNED --count)" = 0 ]
}

@test "an issue that is not approved, or waits for others, cannot be claimed" {
	rig-approve acme/app#2 -d 3 -d 4
	run -1 --separate-stderr rig-claim acme/app#1 ada
	[ "$stderr" = "rig-claim: cannot claim 'acme/app#1': it is not approved" ]
	tell acme/app#1 HEARTBEAT agentId=ada
	run -1 rig-claim acme/app#1 ada
	rig-approve acme/app#3
	run -1 --separate-stderr rig-claim acme/app#2 ada
	[ "$stderr" = "rig-claim: cannot claim 'acme/app#2': it waits for acme/app#3, acme/app#4" ]
	tell acme/app#3 ISSUE_DONE
	run -1 --separate-stderr rig-claim acme/app#2 ada
	[[ $stderr == *"it waits for acme/app#4" ]]
	run -0 rig-claim --force acme/app#2 ada
	rig-release acme/app#2
	rig-approve acme/app#4
	tell acme/app#4 ISSUE_DONE
	run -0 rig-claim acme/app#2 ada
}

@test "an event that comes in between is no loss, an assignment is" {
	rig-approve acme/app#1
	before ev-append ISSUE_ASSIGNED 'ev-append -q -s acme/app#1 HEARTBEAT agentId=ben'
	run -0 --separate-stderr rig-claim acme/app#1 ada
	[ -z "$stderr" ]
	[ -d done.ev-append ]
	is 'map(.type) == ["ISSUE_APPROVED", "HEARTBEAT", "ISSUE_ASSIGNED"]'
	rm -r done.ev-append ahead
	rig-approve acme/app#2
	before ev-append ISSUE_ASSIGNED 'ev-append -q -s acme/app#2 ISSUE_ASSIGNED agentId=ben'
	run -80 --separate-stderr rig-claim acme/app#2 ada
	[ "$stderr" = "rig-claim: cannot claim 'acme/app#2': 'ben' has it (assigned)" ]
	[ "$(ev-cat -s acme/app#2 --count)" = 2 ]
}

@test "where others are faster all the time, a claim ends, and says so" {
	rig-approve acme/app#1
	mkdir ahead
	printf '#!/bin/sh\nexit 80\n' >ahead/ev-append
	chmod +x ahead/ev-append
	PATH=$PWD/ahead:$PATH run -75 --separate-stderr rig-claim acme/app#1 ada
	[ "$stderr" = 'rig-claim: others are faster all the time: repeat' ]
}

@test "what somebody else gave to the agent it takes up once" {
	for agent in dev-e dev-e/2; do
		rig-approve "acme/app#${#agent}"
		ev-append -q -s "acme/app#${#agent}" ISSUE_ASSIGNED agentId="$agent"
		run -80 rig-claim "acme/app#${#agent}" dev-f
		run -0 --separate-stderr rig-claim "acme/app#${#agent}" dev-e/2
		[ -z "$output$stderr" ]
		run -80 rig-claim "acme/app#${#agent}" dev-e/2
		status_of "acme/app#${#agent}" '.state == "in_progress"'
	done
	is 'map(select(.type == "WORK_STARTED")) | length == 2 and
		all(.actor == "dev-e/2" and .data.agentId == "dev-e/2")'
	# not another pod's
	rig-approve acme/app#1
	rig-assign acme/app#1 dev-e/1
	run -80 rig-claim acme/app#1 dev-e/2
	run -80 rig-claim acme/app#1 dev-e
}

@test "taking up is decided by the version as well" {
	rig-approve acme/app#1
	rig-assign acme/app#1 ada
	before ev-append WORK_STARTED 'ev-append -q -s acme/app#1 WORK_STARTED agentId=ada'
	run -80 rig-claim acme/app#1 ada
	[ "$(ev-cat -t WORK_STARTED --count)" = 1 ]
}

@test "--again: what the agent has already is as good as claimed" {
	rig-approve acme/app#1
	rig-claim --again acme/app#1 ada
	rig-claim --again acme/app#1 ada
	tell acme/app#1 WORK_STARTED agentId=ada
	rig-claim --again acme/app#1 ada
	tell acme/app#1 CI_FAILED
	rig-claim --again acme/app#1 ada
	is 'length == 4'
	run -80 rig-claim --again acme/app#1 ada/2
	run -80 rig-claim --again acme/app#1 ben
	# work that was begun without an assignment
	tell acme/app#2 WORK_STARTED agentId=ada
	run -0 rig-claim --again acme/app#2 ada
	run -80 rig-claim --again acme/app#2 ben
}

@test "--id: the same claim again is the same claim, until it is lost" {
	rig-approve acme/app#1
	rig-claim --id a/1 acme/app#1 ada
	rig-claim --id a/1 acme/app#1 ada
	run -80 rig-claim --id a/2 acme/app#1 ada
	run -80 rig-claim --id a/1 acme/app#1 ben
	is 'length == 2 and .[1].id == "a/1"'
	tell acme/app#1 WORK_STARTED
	rig-claim --id a/1 acme/app#1 ada
	rig-assign acme/app#1 ben
	run -80 rig-claim --id a/1 acme/app#1 ada
	rig-claim --id b/1 acme/app#1 ben
	rig-claim --id b/1 acme/app#1 ben
	run -80 rig-claim --id b/2 acme/app#1 ben
	[ "$(ev-cat -t WORK_STARTED --count)" = 2 ]
}

@test "receipts are printed for those who ask; a dry run changes nothing" {
	run -0 --separate-stderr rig-approve -n acme/app#1
	[ -z "$output" ]
	[[ $stderr == 'rig-approve: would append: '*ISSUE_APPROVED* ]]
	[ ! -e log.db ]
	run -0 rig-approve --json acme/app#1
	jq -e '.version == 0 and .type == "ISSUE_APPROVED"' <<<"$output"
	run -0 --separate-stderr rig-claim -n acme/app#1 ada
	[[ $stderr == 'rig-claim: would append: '*ISSUE_ASSIGNED* ]]
	run -0 --separate-stderr rig-assign -n acme/app#1 ada
	[[ $stderr == 'rig-assign: would append: '*ISSUE_ASSIGNED* ]]
	run -0 rig-claim --json acme/app#1 ada
	jq -e '.version == 1 and .type == "ISSUE_ASSIGNED"' <<<"$output"
	run -0 --separate-stderr rig-release -n acme/app#1
	[[ $stderr == 'rig-release: would append: '*ISSUE_UNASSIGNED* ]]
	run -0 rig-assign --json acme/app#1 ben
	jq -es 'map(.type) == ["ISSUE_UNASSIGNED", "ISSUE_ASSIGNED"]' <<<"$output"
	run -0 rig-release --json acme/app#1
	jq -e '.version == 4' <<<"$output"
	run -0 rig-heartbeat --json ada
	jq -e '.streamId == "ada"' <<<"$output"
	rig-heartbeat -n ada
	is 'length == 6'
}

# ---- rig-assign

@test "an issue is assigned, and taken from who has it in the same moment" {
	rig-approve acme/app#1
	EV_AGENT=lead rig-assign acme/app#1 ada/1
	rig-assign acme/app#1 ada
	rig-assign acme/app#1 ben --reason 'it took too long'
	diff - <(told) <<-'END'
		["acme/app#1","ISSUE_APPROVED","rig-approve",{"priority":"normal"}]
		["acme/app#1","ISSUE_ASSIGNED","lead",{"agentId":"ada/1","attempt":1}]
		["acme/app#1","ISSUE_UNASSIGNED","rig-assign",{"agentId":"ada","reason":"it took too long"}]
		["acme/app#1","ISSUE_ASSIGNED","rig-assign",{"agentId":"ben","attempt":2}]
	END
	# both or none: the second's id is taken
	run -65 rig-assign acme/app#1 cleo --id "$(ev-cat -n 1 | jq -r .id | sed 's|$|/no|')/x/$(printf '%0250d' 0)"
	is 'length == 4'
}

@test "an issue that is not to be assigned is not" {
	rig-approve acme/app#2 -d 1
	run -1 rig-assign acme/app#1 ada
	run -1 --separate-stderr rig-assign acme/app#2 ada
	[ "$stderr" = "rig-assign: cannot assign 'acme/app#2': it waits for acme/app#1" ]
	rig-assign -f acme/app#2 ada
	for event in HUMAN_GATE_TRIGGERED ESCALATED 'MERGED prNumber:=1' ISSUE_DONE; do
		rig-approve "acme/${event%% *}#3"
		# shellcheck disable=SC2086 # several words
		tell "acme/${event%% *}#3" $event
		run -80 --separate-stderr rig-assign "acme/${event%% *}#3" ada
		[[ $stderr == "rig-assign: cannot assign 'acme/${event%% *}#3': it "* ]]
	done
	[ "$(ev-cat -t ISSUE_ASSIGNED --count)" = 1 ]
}

@test "--from takes it from that agent only; --id does the same once" {
	rig-approve acme/app#1
	rig-heartbeat ada
	rig-heartbeat ben
	rig-heartbeat cleo
	run -80 rig-assign acme/app#1 --from ada
	rig-claim acme/app#1 ada/1
	rig-assign acme/app#1 --from ada --except ada --id stuck/7
	is '.[-2:] | map(.id) == ["stuck/7/ISSUE_UNASSIGNED", "stuck/7/ISSUE_ASSIGNED"]'
	length=$(ev-cat --count)
	rig-assign acme/app#1 --from ada --except ada --id stuck/7
	rig-assign acme/app#1 --id stuck/7
	[ "$(ev-cat --count)" = "$length" ]
	run -80 --separate-stderr rig-assign acme/app#1 --from ada --except ada --id stuck/8
	[ "$stderr" = "rig-assign: cannot assign 'acme/app#1': 'ada' does not have it" ]
}

@test "who gets it: alive, not waiting, nothing in hand, least in the queue, longest without" {
	for i in 1 2 3 4 5 6 7 8 9; do
		rig-approve "acme/app#$i"
	done
	run -1 --separate-stderr rig-assign acme/app#9
	[[ $stderr == "rig-assign: cannot assign 'acme/app#9': no agent is free"* ]]
	EV_NOW=2026-04-21T09:30:00Z rig-heartbeat away
	rig-heartbeat -s waiting_input waiter
	rig-heartbeat stuck
	tell stuck AGENT_STUCK
	rig-assign acme/app#8 silent
	run -1 rig-assign acme/app#9
	# in hand
	rig-heartbeat busy
	rig-claim acme/app#1 busy
	chosen() {
		rig-assign acme/app#9 --json "$@" >/dev/null
		ev-get issue-status acme/app#9 | jq -r .agentId
	}
	[ "$(chosen)" = busy ]
	EV_NOW=2026-04-21T09:30:01Z rig-heartbeat ann
	[ "$(chosen --except busy/3)" = ann ]
	rig-heartbeat bob/1
	rig-heartbeat cyd
	rig-assign acme/app#3 bob --now '2026-04-21 09:50 UTC'
	tell acme/app#3 ISSUE_DONE
	rig-assign acme/app#4 cyd --now '2026-04-21 09:40 UTC'
	tell acme/app#4 ISSUE_DONE
	[ "$(chosen --except ann --except busy)" = cyd ]
	[ "$(chosen --except ann --except busy --except cyd)" = bob ]
	# in review it is out of hand
	tell acme/app#1 PR_CREATED prNumber:=1
	[ "$(chosen --except ann --except bob --except cyd)" = busy ]
}

@test "when an agent counts as alive, and which words are waiting, is configured" {
	rig-approve acme/app#1
	rig-heartbeat -s lunch ada --now '2026-04-21 09:58 UTC'
	rig-heartbeat -s paused ben --now '2026-04-21 08:00 UTC'
	cat >rig.yaml <<-'END'
		stuck: { waiting: [lunch], agents: { ben: 3h } }
	END
	rig-assign acme/app#1
	status_of acme/app#1 '.agentId == "ben"'
	for after in 3h '{ after: 3h }'; do
		echo "stuck: { after: 1m, agents: { ben: $after } }" >rig.yaml
		rig-release acme/app#1
		rig-assign acme/app#1
		status_of acme/app#1 '.agentId == "ben"'
	done
	echo "stuck: { after: 1m, agents: { ben: { after: 1m } } }" >rig.yaml
	rig-release acme/app#1
	run -1 rig-assign acme/app#1
	echo 'stuck: { after: soon }' >rig.yaml
	run -65 --separate-stderr rig-assign acme/app#1
	[[ $stderr == "rig-assign: ./rig.yaml: 'stuck.after'"* ]]
}

@test "an assignment decides again when something comes in between" {
	rig-approve acme/app#1
	rig-claim acme/app#1 ada
	before ev-append --atomic 'ev-append -q -s acme/app#1 ISSUE_DONE'
	run -80 --separate-stderr rig-assign acme/app#1 ben
	[[ $stderr == *'it is done' ]]
	is 'length == 3'
}

# ---- rig-release

@test "an issue is given back by whoever has it; then there is nothing to do" {
	rig-approve acme/app#1
	run -0 rig-release acme/app#1
	run -0 rig-release acme/app#2
	rig-claim acme/app#1 ada/1
	run -80 --separate-stderr rig-release acme/app#1 ben
	[ "$stderr" = "rig-release: cannot release 'acme/app#1': 'ada' has it" ]
	run -0 --separate-stderr rig-release acme/app#1 ada/1 --reason 'not mine' --id x
	[ -z "$output$stderr" ]
	run -0 rig-release acme/app#1 ada/1 --reason 'not mine' --id x
	run -0 rig-release acme/app#1 ben
	diff - <(told -t ISSUE_UNASSIGNED) <<-'END'
		["acme/app#1","ISSUE_UNASSIGNED","rig-release",{"agentId":"ada","reason":"not mine"}]
	END
	[ "$(offered)" = '1 ' ]
}

@test "from the merge on there is nothing to give back; before, there is" {
	local event members
	while read -r event members; do
		rig-approve "acme/$event#1"
		rig-claim "acme/$event#1" ada
		# shellcheck disable=SC2086 # several words
		tell "acme/$event#1" "$event" $members
		rig-release "acme/$event#1"
	done <<-'END'
		PR_CREATED prNumber:=1
		SMOKE_FAILED
		ESCALATED
		MERGED prNumber:=1
		DEPLOYED_STAGING
		ISSUE_DONE
	END
	[ "$(told -t ISSUE_UNASSIGNED | jq -r '.[0]' | tr '\n' ' ')" = \
		'acme/PR_CREATED#1 acme/SMOKE_FAILED#1 acme/ESCALATED#1 ' ]
}

# ---- rig-heartbeat

@test "a heartbeat says what the agent does, if it says so" {
	rig-heartbeat dev-e/x7k2p
	rig-heartbeat dev-e -s waiting_input
	rig-heartbeat dev-e -i acme/app#42
	rig-heartbeat dev-e -R acme/app --issue 42 --status idle
	diff - <(told) <<-'END'
		["dev-e","HEARTBEAT","dev-e/x7k2p",{"agentId":"dev-e/x7k2p"}]
		["dev-e","HEARTBEAT","dev-e",{"agentId":"dev-e","status":"waiting_input"}]
		["dev-e","HEARTBEAT","dev-e",{"agentId":"dev-e","status":"working","currentIssue":42,"currentRepo":"acme/app"}]
		["dev-e","HEARTBEAT","dev-e",{"agentId":"dev-e","status":"idle","currentIssue":42,"currentRepo":"acme/app"}]
	END
}

# eventually COMMAND...: it succeeds within a while
eventually() {
	local left=500
	until "$@"; do
		[ $((left -= 1)) -gt 0 ] || return 1
		sleep 0.02
	done
}

beats() { # COUNT: as many at least
	[ "$(ev-cat -t HEARTBEAT --count)" -ge "$1" ]
}

@test "beats go on while a command runs, and not longer" {
	mkfifo go
	rig-heartbeat --every 0.05 -i acme/app#1 ada -- cat go 3>&- &
	eventually beats 5
	echo text >go
	wait "$!"
	count=$(ev-cat --count)
	is 'all(.data.status == "working" and .actor == "ada")'
	sleep 0.3
	[ "$(ev-cat --count)" = "$count" ]
}

@test "a command has its input, output, arguments and exit status" {
	run -7 --separate-stderr pipe 'printf "a\nb" | rig-heartbeat ada -- sh -c '\''
		cat; printf "<%s>" "$@"; echo words >&2; exit 7'\'' sh "" "a b" -x "*"'
	[ "$output" = $'a\nb<><a b><-x><*>' ]
	[ "$stderr" = words ]
	is 'length == 1'
	run -0 rig-heartbeat ada true
	run -127 --separate-stderr rig-heartbeat ada -- no-such-command
	[ "$stderr" = "rig-heartbeat: there is no command 'no-such-command'" ]
	run -0 pipe 'rig-heartbeat ada -- sh -c "! read line" <&-'
	is 'length == 3'
}

@test "signals are the command's" {
	for signal in HUP INT TERM USR1; do
		cat >agent.sh <<-'END'
			#!/bin/bash
			trap 'exit 9' "$1"
			: >ready
			while :; do sleep 0.02; done
		END
		chmod +x agent.sh
		rm -f ready
		# setsid: nobody at a terminal; a background job would ignore INT
		setsid env --default-signal=INT rig-heartbeat ada -- ./agent.sh "$signal" \
			3>&- &
		eventually test -e ready
		kill -s "$signal" "$!"
		status=0
		wait "$!" || status=$?
		[ "$status" -eq 9 ]
	done
	# and a command that does not care ends by it
	setsid rig-heartbeat --every 0.05 ada -- sleep 60 3>&- &
	eventually beats 7
	kill "$!"
	status=0
	wait "$!" || status=$?
	[ "$status" -eq 143 ]
}

@test "beats end with the command, even when the one who beats was killed" {
	rig-heartbeat --every 0.05 ada -- sh -c 'echo $$ >pid; exec sleep 60' 3>&- &
	eventually beats 2
	kill -9 "$!"
	count=$(ev-cat --count)
	# the command lives: so does the agent
	eventually beats "$((count + 2))"
	kill "$(cat pid)"
	eventually not_alive "$(cat pid)"
	sleep 0.2
	count=$(ev-cat --count)
	sleep 0.3
	[ "$(ev-cat --count)" = "$count" ]
}

not_alive() {
	! kill -0 "$1" 2>/dev/null
}

@test "a log that is away does not stop the command, and is told of once" {
	run -0 --separate-stderr rig-heartbeat --every 0.01 -l /dev/null/log ada -- \
		sh -c 'sleep 0.3; echo done'
	[ "$output" = 'done' ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	run -69 rig-heartbeat -l /dev/null/log ada
}

# ---- rig-milestone

@test "a milestone is complete once all its issues are done, and told once" {
	rig-approve acme/app#1 -m v1
	rig-approve acme/app#2 -m v1
	rig-approve acme/app#3 -m 2
	tell acme/app#4 ISSUE_APPROVED milestone:=2
	rig-approve acme/app#5
	rig-approve acme/lib#1 -m v1
	tell acme/app#1 ISSUE_DONE
	tell acme/app#3 ISSUE_DONE
	tell acme/app#5 ISSUE_DONE
	run -0 --separate-stderr rig-milestone
	[ -z "$output$stderr" ]
	tell acme/app#2 ISSUE_DONE
	tell acme/app#4 ISSUE_DONE
	tell acme/lib#1 ISSUE_DONE
	run -0 rig-milestone -R acme/app v1 --json
	jq -e '.streamId == "milestone/acme/app/v1"' <<<"${lines[0]}"
	rig-milestone -n
	[ "$(ev-cat -t MILESTONE_COMPLETE --count)" = 1 ]
	rig-milestone -q
	rig-milestone
	ev-cat -t MILESTONE_COMPLETE | jq -c '[.streamId, .data.issueCount]' >told
	sort told | diff - <(cat <<-'END'
		["milestone/acme/app/2",2]
		["milestone/acme/app/v1",2]
		["milestone/acme/lib/v1",1]
	END
	)
}

@test "a milestone that somebody else tells of meanwhile is told once" {
	rig-approve acme/app#1 -m v1
	tell acme/app#1 ISSUE_DONE
	before ev-append none 'ev-append -q MILESTONE_COMPLETE repo=acme/app milestone=v1'
	run -0 --separate-stderr rig-milestone
	[ -z "$stderr" ]
	[ "$(ev-cat -t MILESTONE_COMPLETE --count)" = 1 ]
}

@test "one milestone that the log refuses does not hide the others" {
	rig-approve acme/app#1 -m "$(printf '%01100d' 1)"
	rig-approve acme/app#2 -m v2
	tell acme/app#1 ISSUE_DONE
	tell acme/app#2 ISSUE_DONE
	run -65 rig-milestone
	[ "$(ev-cat -t MILESTONE_COMPLETE | jq -r .data.milestone)" = v2 ]
}

# ---- texts of all kinds

hostile=(
	$'it\'s "$(touch canary)" `touch canary`; touch canary # \\n \\u0041 %s *'
	'-h'
	'--help'
	'a=b:=c'
	$'two\nlines, '
	$'\e]52;c;aGk=\a\e[2J\u202Eevil\u0085'
	'{"type":"ISSUE_DONE"}'
)

@test "hostile texts pass through every script as they are" {
	local text n=0 json
	for text in "${hostile[@]}"; do
		n=$((n + 1))
		json=$(jq -nc --arg text "$text" '$text')
		repo="acme/${text//$'\n'/}"
		rig-approve -m "$text" -- "$repo#$n" "$text"
		ev-cat -r -n 1 | jq -e --argjson text "$json" --arg repo "$repo" \
			'.data.title == $text and .data.milestone == $text and
			.data.repo == $repo'
		[ "$(rig-next)" = "$repo#$n" ]
		rig-next --json | jq -e --argjson text "$json" '.title == $text'
		rig-heartbeat -s "$text" -i "$repo#$n" -- "$text"
		ev-cat -r -n 1 | jq -e --argjson text "$json" --arg repo "$repo" \
			'.data.agentId == $text and .data.status == $text and
			.data.currentRepo == $repo'
		rig-claim -- "$repo#$n" "$text"
		ev-cat -r -n 1 | jq -e --argjson text "$json" \
			'.data.agentId == $text and .actor == $text'
		run -80 --separate-stderr rig-claim -- "$repo#$n" ben
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr != *[$'\e\a\u202E\u0085']* ]]
		rig-claim --again -- "$repo#$n" "$text"
		rig-assign --reason "$text" --from "$text" -- "$repo#$n" cleo
		ev-cat -s "$repo#$n" -t ISSUE_UNASSIGNED | jq -e --argjson text "$json" \
			'.data.agentId == $text and .data.reason == $text'
		rig-assign --id "$text" -- "$repo#$n" "$text"
		rig-claim -- "$repo#$n" "$text"
		rig-release --reason "$text" -- "$repo#$n" "$text"
		ev-cat -r -n 1 | jq -e --argjson text "$json" \
			'.type == "ISSUE_UNASSIGNED" and .data.reason == $text'
		rig-approve -d "$repo#$n" "acme/after#$n"
		run -1 --separate-stderr rig-claim "acme/after#$n" ada
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr != *[$'\e\a\u202E\u0085']* ]]
		tell "$repo#$n" ISSUE_DONE
		rig-approve -d none "acme/after#$n"
		tell "acme/after#$n" ISSUE_DONE
		run -0 --separate-stderr rig-milestone -- "$text"
		[[ $stderr != *[$'\e\a\u202E\u0085']* ]]
		ev-cat -t MILESTONE_COMPLETE -r -n 1 |
			jq -e --argjson text "$json" '.data.milestone == $text'
	done >/dev/null
	[ ! -e canary ]
	# nor any other file
	find . -type f ! -name 'log.db*' ! -name 'separate-*'
	[ -z "$(find . -type f ! -name 'log.db*' ! -name 'separate-*')" ]
}

@test "a megabyte of text is no obstacle" {
	head -c 1048576 /dev/zero | tr '\0' x >text
	jq -Rc '{type: "ISSUE_APPROVED", repo: "acme/app", issueNumber: 1, title: .,
		milestone: "v1", dependsOn: []}' text | ev-append -q
	[ "$(rig-next)" = acme/app#1 ]
	rig-approve -p high acme/app#1
	is '.[-1].data.title | length == 1048576'
	rig-claim acme/app#1 ada
	jq -Rc '{type: "REVIEW_DISPUTED", repo: "acme/app", issueNumber: 1,
		prNumber: 1, reason: .}' text | ev-append -q
	rig-claim --again acme/app#1 ada
	[ "$(rig-next ada)" = acme/app#1 ]
	rig-heartbeat ben --now now
	rig-assign acme/app#1 --now now
	rig-release acme/app#1 ben
	jq -Rc '{type: "ISSUE_APPROVED", repo: "acme/app", issueNumber: 2,
		dependsOn: [., "acme/app#1"]}' text | ev-append -q
	run -1 --separate-stderr rig-claim acme/app#2 ada
	[ "${#stderr}" -lt 300 ]
	[ "$(rig-next)" = acme/app#1 ]
	tell acme/app#1 ISSUE_DONE
	run -1 rig-next
	rig-milestone -q
	[ "$(ev-cat -t MILESTONE_COMPLETE --count)" = 1 ]
}

# ---- the commands themselves

@test "wrong usage exits 64, says one line, and changes nothing" {
	rig-approve acme/app#1
	while read -r line; do
		eval "set -- $line"
		run -64 --separate-stderr "rig-$1" "${@:2}"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done <<-'END'
		approve
		approve acme/app#1 two words
		approve acme/app
		approve acme/app#0
		approve acme/app#x
		approve acme/app#1234567890123456
		approve '#1'
		approve $'acme/a\npp#1'
		approve -p urgent acme/app#1
		approve -d x acme/app#1
		approve --nonsense acme/app#1
		approve --now never acme/app#2
		next one two
		next -n 0
		next -n x
		next -n
		next /x
		claim
		claim acme/app#1
		claim acme/app#1 ada ben
		claim acme/app#1 ''
		claim acme/app#1 /x
		assign
		assign acme/app#1 ada ben
		assign acme/app#1 --except ''
		release
		release acme/app#1 ada ben
		heartbeat
		heartbeat ''
		heartbeat --every 0 ada true
		heartbeat --every x ada true
		heartbeat --every 1.2.3 ada true
		heartbeat -i x ada
		milestone one two
	END
	is 'length == 1'
	for command in approve next claim assign release heartbeat milestone; do
		run -0 --separate-stderr "rig-$command" --help
		[[ $output == "usage: rig-$command "* ]]
		[ -z "$stderr" ]
		run -0 "rig-$command" --version
		[[ $output == ev* ]]
	done
}
