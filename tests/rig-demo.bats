#!/usr/bin/env bats
# rig-demo: that everything it shows happened. Its log is held against the git
# repository and the runs of the test that it leaves, and those against what the
# same commits do when they are tested once more. Who does what is different in
# each run; that everything is done is not.
#
# shellcheck disable=SC2016 # jq has variables, too

load helper

setup_file() {
	unset "${!GIT_@}" TMPDIR
	export DEMO="$BATS_FILE_TMPDIR/a demo"
	rig-demo "$DEMO" >"$BATS_FILE_TMPDIR/out" 2>"$BATS_FILE_TMPDIR/err" ||
		{ cat "$BATS_FILE_TMPDIR/out" "$BATS_FILE_TMPDIR/err" >&2; false; }
}

setup() {
	unset "${!GIT_@}"
	export HOME=$BATS_TEST_TMPDIR GIT_CONFIG_NOSYSTEM=1
	export EV_LOG=$DEMO/log.db
	out=$BATS_FILE_TMPDIR/out
}

# is JQ: does it hold of the array of all events?
is() {
	ev-cat | jq -es "$1" >/dev/null || { ev-cat; false; }
}

# What rig-demo printed below a command line that begins so.
shown() { # BEGINNING
	awk -v beginning="\$ $1" '
		index($0, beginning) == 1 { found = 1; next }
		found && (/^$/ || /^\$ /) { exit }
		found' "$out"
}

# The issue whose agent was killed at work on it, and that agent.
killed() {
	sed -n 's/^  lead    pulls the plug of \([a-z]*\), at work on #\(.\)$/\1 \2/p' \
		"$out"
}

@test "all goes well without a word on standard error" {
	[ ! -s "$BATS_FILE_TMPDIR/err" ]
	grep -qF "All of it is in '$DEMO'" "$out"
	run -1 grep $'\e' "$out"
}

@test "every issue is done once, but the one that keeps failing" {
	is 'map(select(.type == "ISSUE_APPROVED").streamId) == [range(1; 8)
		| "acme/almanac#\(.)"]'
	is 'map(select(.type == "ISSUE_DONE").data.issueNumber) | sort ==
		[range(1; 7)]'
	is 'map(select(.type == "ESCALATED")) | length == 1 and .[0].streamId ==
		"acme/almanac#7" and .[0].data.attempts == 3'
	[ "$(ev-get issue-status --where state=done -m state | wc -l)" -eq 6 ]
}

@test "each is assigned to one agent at a time" {
	is 'group_by(.streamId)[] | reduce .[] as $e ({};
		if $e.type == "ISSUE_ASSIGNED" then
			if .held then error("two have \($e.streamId)")
			else .held = true end
		elif $e.type == "ISSUE_UNASSIGNED" then .held = false
		else . end) | true'
}

@test "who was killed is found by its silence, and another goes on" {
	local agent number
	read -r agent number < <(killed)
	[ -n "$agent" ]
	is "map(select(.streamId == \"acme/almanac#$number\")) |
		(map(.type) | index(\"CI_FAILED\")) as \$failed |
		(map(.type) | index(\"AGENT_STUCK\")) as \$stuck |
		\$failed < \$stuck and
		(.[\$stuck].data | .agentId == \"$agent\" and .attempt == 1) and
		.[\$stuck].actor == \"rig-stuck\" and
		(.[\$stuck + 1:] | map(select(.type == \"ISSUE_UNASSIGNED\" or
			.type == \"ISSUE_ASSIGNED\"))
		| map(.type) == [\"ISSUE_UNASSIGNED\", \"ISSUE_ASSIGNED\"] and
		  .[1].data.agentId != \"$agent\" and
		  all(.actor == \"rig-recover\"))"
	# it did nothing any more
	is "(map(select(.type == \"AGENT_STUCK\"))[0].position) as \$from |
		map(select(.position > \$from and .actor == \"$agent\")) == []"
	[ "$(ev-get agent-status "$agent" | jq -r .status)" = stuck ]
}

@test "the stuck agent's pull request is closed as a duplicate, with a comment" {
	local number
	read -r _ number < <(killed)
	is "map(select(.type == \"DUPLICATE_PR_CLOSED\")) | length == 1 and
		.[0].data.issueNumber == $number"
	is "map(select(.streamId == \"acme/almanac#$number\")) |
		(map(select(.type == \"PR_CREATED\"))[0].data.prNumber) as \$first |
		(map(select(.type == \"MERGED\")) | length == 1 and
			.[0].data.prNumber != \$first) and
		(map(select(.type == \"DUPLICATE_PR_CLOSED\"))[0].data |
			.closedPrNumber == \$first)"
	grep -q "^acme/almanac#$number: #.* closed, a duplicate of #" "$out"
}

@test "a smoke test that fails three times escalates, each fix being merged" {
	is 'map(select(.streamId == "acme/almanac#7")) | map(.type) |
		map(select(. == "MERGED" or . == "SMOKE_FAILED" or
			. == "ESCALATED")) == ["MERGED", "SMOKE_FAILED", "MERGED",
			"SMOKE_FAILED", "MERGED", "SMOKE_FAILED", "ESCALATED"]'
	is 'map(select(.type == "ESCALATED"))[0] as $last | map(select(.id ==
		$last.causationId))[0].type == "SMOKE_FAILED"'
}

@test "no issue is taken before those that it depends on are done" {
	is '. as $all
		| def at($type; $stream): first($all[]
			| select(.type == $type and .streamId == $stream)
			| .position);
		map(select(.type == "ISSUE_APPROVED")
			| .streamId as $stream | (.data.dependsOn // [])[]
			| at("ISSUE_DONE"; .) < at("ISSUE_ASSIGNED"; $stream))
		| length == 3 and all'
}

@test "the milestone is complete once its three issues are done" {
	is 'map(select(.type == "MILESTONE_COMPLETE")) | length == 1 and
		(.[0].data | .milestone == "1.0" and .issueCount == 3)'
}

@test "nothing is merged but what CI and the reviewer passed, that commit" {
	is 'group_by(.streamId) | map(reduce .[] as $e ({};
		if $e.type == "CI_PASSED" or $e.type == "REVIEW_PASSED" then
			.[$e.type][$e.data.prNumber | tostring] = $e.data.commit
		elif $e.type == "MERGED" then
			.ok += [.CI_PASSED[$e.data.prNumber | tostring] as $commit
				| $commit != null and $commit == .REVIEW_PASSED[
					$e.data.prNumber | tostring]]
		else . end) | .ok // [] | .[]) | length == 9 and all'
}

@test "CI said of each commit what its test says when it is run again" {
	local event status checked=0
	git clone -q "$DEMO/origin.git" "$BATS_TEST_TMPDIR/clone"
	cd "$BATS_TEST_TMPDIR/clone"
	while IFS= read -r event; do
		git checkout -q "$(jq -r .data.commit <<<"$event")"
		status=0
		./check >../printed 2>&1 || status=$?
		if [ "$status" -eq 0 ]; then
			[ "$(jq -r .type <<<"$event")" = CI_PASSED ]
		else
			[ "$(jq -r .type <<<"$event")" = CI_FAILED ]
			jq -j .data.logs <<<"$event" | cmp - ../printed
			diff <(jq -r '.data.failedChecks[]' <<<"$event") \
				<(sed -n 's/^not ok //p' ../printed)
		fi
		checked=$((checked + 1))
	done < <(ev-cat -t CI_PASSED -t CI_FAILED)
	[ "$checked" -ge 11 ]
	[ "$(ev-cat -t CI_FAILED --count)" -ge 2 ]
}

@test "each attempt has its bill, by the words that it wrote" {
	local event commit words billed=0
	git clone -q "$DEMO/origin.git" "$BATS_TEST_TMPDIR/clone"
	cd "$BATS_TEST_TMPDIR/clone"
	is 'map(select(.type == "TOKEN_USAGE").data)
		| all((.inputTokens * 3 + .outputTokens * 15) / 1e6 - .costUsd
			| fabs < 1e-9)'
	while IFS= read -r event; do
		commit=$(ev-cat -s "$(jq -r .streamId <<<"$event")" \
			--to "$(jq .position <<<"$event")" | jq -rs \
			'map(select(.data.activity == "commit"))[-1].data.commit')
		git checkout -q "$commit"
		words=$(wc -w <"lib/$(git log -1 --format=%b%s "$commit" |
			sed 's/:.*//').awk")
		[ "$(jq .data.outputTokens <<<"$event")" -eq "$words" ]
		billed=$((billed + 1))
	done < <(ev-cat -t TOKEN_USAGE)
	[ "$billed" -ge 11 ]
}

@test "the log knows every commit of the agents, and no other" {
	git -C "$DEMO/origin.git" rev-list --all --no-merges --min-parents=1 |
		sort >"$BATS_TEST_TMPDIR/git"
	ev-cat -t HEARTBEAT | jq -r '.data |
		select(.activity == "commit").commit' |
		sort >"$BATS_TEST_TMPDIR/log"
	[ -s "$BATS_TEST_TMPDIR/git" ]
	diff "$BATS_TEST_TMPDIR/git" "$BATS_TEST_TMPDIR/log"
}

@test "what was merged is main, in the order of the log" {
	git -C "$DEMO/origin.git" rev-list --first-parent --merges --reverse \
		main >"$BATS_TEST_TMPDIR/git"
	ev-cat -t MERGED | jq -r .data.mergeSha >"$BATS_TEST_TMPDIR/log"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/log")" -eq 9 ]
	diff "$BATS_TEST_TMPDIR/git" "$BATS_TEST_TMPDIR/log"
}

@test "who is to be told was told: of what wants somebody to act, once" {
	diff <(jq -r .id "$DEMO/notices.ndjson" | sort) \
		<(ev-cat --min-priority action | jq -r .id | sort)
	jq -es 'map(.type) | index("AGENT_STUCK") != null and
		index("ESCALATED") != null' "$DEMO/notices.ndjson"
}

@test "positions and versions have no hole, and the log is whole" {
	is 'map(.position) == [range(1; length + 1)]'
	is 'group_by(.streamId) | all(map(.version) == [range(length)])'
	run -0 ev-verify
	[[ $output == "whole: $(ev-cat --count):"* ]]
}

@test "nothing failed on the way, nothing waits and nothing was refused" {
	run -0 rig-hooks status -C "$DEMO/almanac"
	[[ $output == *"waiting         0 events"* ]]
	[[ $output != *rejected* ]]
	run -1 ev-each --parked
	ev-each --lag | jq -es 'length >= 7 and all(.failing == 0)'
}

@test "what is shown is what the commands print" {
	local number
	read -r _ number < <(killed)
	diff <(shown "ev-why issue-status 'acme/almanac#$number' state") \
		<(ev-why issue-status "acme/almanac#$number" state -f table)
	shown 'ev-get issue-status --at' | grep -q queued
	[ "$(shown production/check)" = "$("$DEMO/production/check")" ]
	shown "ev-cat -s 'acme/almanac#7' -t SMOKE_FAILED" |
		grep -q '^SMOKE_FAILED  nth 11'
	shown rig-status | grep -q '^acme/almanac#7 *escalated'
	shown "rig-timeline 'acme/almanac#$number'" | grep -q '^done in '
	grep -q '^AGENT_STUCK .*#' "$out"
	grep -q '^ada  *0\.0' "$out"
	[ "$(shown 'cat notices.ndjson' | wc -l)" -ge 2 ]
}

@test "nobody works any more when it has ended" {
	local pid
	for pid in /proc/[0-9]*; do
		! tr '\0' '\n' <"$pid/environ" 2>/dev/null |
			grep -qxF "EV_LOG=$DEMO/log.db" || [ "${pid#/proc/}" = $$ ] ||
			[[ $(tr '\0' ' ' <"$pid/cmdline") == *bats* ]] || {
			tr '\0' ' ' <"$pid/cmdline"
			return 1
		}
	done
}

@test "the user's git, log and home make no difference, nor does a second run" {
	mkdir -p "$BATS_TEST_TMPDIR/ot her" "$BATS_TEST_TMPDIR/home"
	cat >"$BATS_TEST_TMPDIR/home/.gitconfig" <<-'EOF'
		[init]
			defaultBranch = trunk
			templateDir = /nonexistent
		[commit]
			gpgSign = true
		[core]
			hooksPath = /nonexistent
			autocrlf = true
		[merge]
			ff = only
		[push]
			default = nothing
		[user]
			useConfigOnly = true
	EOF
	git init -q "$BATS_TEST_TMPDIR/mine"
	cd "$BATS_TEST_TMPDIR/mine"
	export GIT_DIR=$PWD/.git GIT_AUTHOR_DATE=yesterday EV_AGENT=somebody
	EV_LOG=$BATS_TEST_TMPDIR/mine.db HOME=$BATS_TEST_TMPDIR/home \
		TMPDIR="$BATS_TEST_TMPDIR/ot her" \
		run -0 --separate-stderr rig-demo --quiet
	[ -z "$stderr" ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "$BATS_TEST_TMPDIR/ot her/rig-demo."* ]]
	[ "$(EV_LOG=$output/log.db ev-cat -t ISSUE_DONE --count)" -eq 6 ]
	[ ! -e "$BATS_TEST_TMPDIR/mine.db" ]
	[ -z "$(git for-each-ref)" ]
	[ "$(git config --list --local)" = "$(git -C "$BATS_TEST_TMPDIR/mine" \
		config --list --local)" ]
}

@test "it is plain on a terminal when NO_COLOR says so, without a home" {
	cd "$BATS_TEST_TMPDIR"
	env -u HOME NO_COLOR=1 TERM=xterm SHELL=/bin/sh \
		script -qec 'rig-demo ./here' printed </dev/null >/dev/null ||
		{ cat printed; false; }
	grep -q 'needs you' printed
	run -1 grep $'\e' printed
}

@test "a directory that is not empty is left alone" {
	mkdir "$BATS_TEST_TMPDIR/mine"
	echo precious >"$BATS_TEST_TMPDIR/mine/file"
	run -64 --separate-stderr rig-demo "$BATS_TEST_TMPDIR/mine"
	[[ $stderr == *"'$BATS_TEST_TMPDIR/mine' is not empty"* ]]
	[ "$(ls -A "$BATS_TEST_TMPDIR/mine")" = file ]
}

@test "a directory that cannot be made exits 74" {
	run -74 --separate-stderr rig-demo "$BATS_TEST_TMPDIR/no/such"
	[[ $stderr == "rig-demo: cannot make '$BATS_TEST_TMPDIR/no/such': "* ]]
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "wrong usage exits 64 and makes nothing" {
	cd "$BATS_TEST_TMPDIR"
	run -64 rig-demo --wrong
	run -64 rig-demo one two
	run -64 rig-demo ''
	[ -z "$(ls -A)" ]
}

@test "a forge that does not start makes it fail, in one line" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho no perl today >&2\nexit 1\n' \
		>"$BATS_TEST_TMPDIR/bin/perl"
	chmod +x "$BATS_TEST_TMPDIR/bin/perl"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH \
		run -1 --separate-stderr rig-demo "$BATS_TEST_TMPDIR/demo"
	[ "$stderr" = 'rig-demo: the forge does not start: no perl today' ]
}
