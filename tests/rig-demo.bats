#!/usr/bin/env bats
# rig-demo: that everything it shows happened. Its log is held against the git
# repository and the runs of the test that it leaves, and those against what the
# same commits do when they are tested once more.
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

@test "all goes well without a word on standard error" {
	[ ! -s "$BATS_FILE_TMPDIR/err" ]
	grep -qF "All of it is in '$DEMO'" "$out"
	run -1 grep $'\e' "$out"
}

@test "each issue that was approved is assigned once and done once" {
	is 'map(select(.type == "ISSUE_APPROVED").streamId) == [range(1; 7)
		| "acme/almanac#\(.)"]'
	is 'map(select(.streamId | startswith("acme/"))) | group_by(.streamId)
		| length == 6 and all(map(.type)
			| (map(select(. == "ISSUE_ASSIGNED")) | length == 1) and
			  (map(select(. == "ISSUE_DONE")) | length == 1) and
			  .[-1] == "ISSUE_DONE")'
}

@test "all agents want the same issue first, and one gets it" {
	[ "$(grep -c 'takes #3 ' "$out")" -eq 1 ]
	[ "$(grep -c 'too late for #3,' "$out")" -eq 2 ]
	is 'map(select(.type == "ISSUE_ASSIGNED")) | .[0].streamId ==
		"acme/almanac#3" and .[0].version == 1'
}

@test "no issue is taken before those that it depends on are done" {
	is '. as $all
		| def at($type; $n): first($all[]
			| select(.type == $type and .data.issueNumber == $n)
			| .position);
		map(select(.type == "ISSUE_APPROVED").data
			| .issueNumber as $n | .dependsOn[]
			| at("ISSUE_DONE"; .) < at("ISSUE_ASSIGNED"; $n))
		| length == 3 and all'
}

@test "the events of an issue come in the order of its life" {
	local stream life
	local attempt='HEARTBEAT:commit HEARTBEAT:push TOKEN_USAGE( PR_CREATED)? '
	for stream in 1 2 3 4 5 6; do
		life=$(ev-cat -s "acme/almanac#$stream" | jq -rs 'map(.type +
			(.data.activity | if . then ":" + . else "" end))
			| join(" ")')
		echo "$stream: $life"
		[[ $life =~ ^ISSUE_APPROVED\ ISSUE_ASSIGNED\ BRANCH_CREATED\ WORK_STARTED\ ($attempt(CI_FAILED|CI_PASSED)\ )+HEARTBEAT:merge\ MERGED\ ISSUE_DONE$ ]]
	done
}

@test "CI said of each commit what its test says when it is run again" {
	local event commit status checked=0
	git clone -q "$DEMO/origin.git" "$BATS_TEST_TMPDIR/clone"
	cd "$BATS_TEST_TMPDIR/clone"
	while IFS= read -r event; do
		commit=$(jq -r .data.commit <<<"$event")
		git fetch -q origin \
			"refs/pull/$(jq .data.prNumber <<<"$event")/head"
		git checkout -q "$commit"
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
	[ "$checked" -eq 8 ]
}

@test "each attempt has its bill, by the words that it read and wrote" {
	local event commit words billed=0
	git clone -q "$DEMO/origin.git" "$BATS_TEST_TMPDIR/clone"
	cd "$BATS_TEST_TMPDIR/clone"
	is 'group_by(.streamId) | all(
		(map(select(.type == "CI_PASSED" or .type == "CI_FAILED"))
			| length) ==
		(map(select(.type == "TOKEN_USAGE")) | length))'
	is 'map(select(.type == "TOKEN_USAGE").data)
		| all((.inputTokens * 3 + .outputTokens * 15) / 1e6 - .costUsd
			| fabs < 1e-9)'
	while IFS= read -r event; do
		commit=$(ev-cat -s "$(jq -r .streamId <<<"$event")" \
			--to "$(jq .position <<<"$event")" | jq -rs \
			'map(select(.data.activity == "commit"))[-1].data.commit')
		git checkout -q "$commit"
		words=$(git show --name-only --format= "$commit" |
			grep '^lib/' | xargs cat | wc -w)
		[ "$(jq .data.outputTokens <<<"$event")" -eq "$words" ]
		billed=$((billed + 1))
	done < <(ev-cat -t TOKEN_USAGE)
	[ "$billed" -eq 8 ]
}

@test "there are as many verdicts as runs of the test, failed and passed" {
	local failed passed
	failed=$(cat "$DEMO"/ci/*.status | grep -cvx 0)
	passed=$(cat "$DEMO"/ci/*.status | grep -cx 0)
	[ "$failed" -eq 2 ]
	[ "$(ev-cat -t CI_FAILED --count)" -eq "$failed" ]
	[ "$(ev-cat -t CI_PASSED --count)" -eq "$passed" ]
}

@test "the log knows every commit, and no other" {
	git -C "$DEMO/almanac" rev-list --all | sort >"$BATS_TEST_TMPDIR/git"
	ev-cat -t HEARTBEAT | jq -r '.data |
		select(.activity == "commit" or .activity == "merge").commit' |
		sort >"$BATS_TEST_TMPDIR/log"
	[ -s "$BATS_TEST_TMPDIR/git" ]
	diff "$BATS_TEST_TMPDIR/git" "$BATS_TEST_TMPDIR/log"
}

@test "what was merged is main, in the order of the log" {
	git -C "$DEMO/origin.git" rev-list --first-parent --merges --reverse \
		main >"$BATS_TEST_TMPDIR/git"
	ev-cat -t MERGED | jq -r .data.mergeSha >"$BATS_TEST_TMPDIR/log"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/log")" -eq 6 ]
	diff "$BATS_TEST_TMPDIR/git" "$BATS_TEST_TMPDIR/log"
	[ "$(git -C "$DEMO/almanac" rev-parse main)" = \
		"$(git -C "$DEMO/origin.git" rev-parse main)" ]
}

@test "a duration is the time from assignment to merge" {
	is 'def seconds: .timestamp | (.[:19] + "Z" | fromdate) +
			("0" + .[19:-1] | tonumber);
		group_by(.streamId) | map(
			(map(select(.type == "ISSUE_ASSIGNED"))[0]) as $from
			| (map(select(.type == "MERGED"))[0]) as $to
			| select($to)
			| (map(select(.type == "ISSUE_DONE"))[0].data
				.durationMinutes * 60) - (($to | seconds) -
				($from | seconds)) | fabs < 0.0001)
		| length == 6 and all'
}

@test "positions and versions have no hole, and the log is whole" {
	is 'map(.position) == [range(1; length + 1)]'
	is 'group_by(.streamId) | all(map(.version) == [range(length)])'
	run -0 ev-verify
	[[ $output == "whole: $(ev-cat --count):"* ]]
	[ "$(shown ev-verify)" = "$output" ]
}

@test "no event waits and none was refused" {
	run -0 rig-hooks status -C "$DEMO/almanac"
	[[ $output == *"waiting         0 events"* ]]
	[[ $output != *rejected* ]]
}

@test "the read models that it shows are folds of its log" {
	diff <(shown 'ev-get agent-status') <(ev-get agent-status -f table)
	diff <(shown 'ev-get daily-cost' | awk '{ print $1, $2 }') \
		<(ev-cat -t TOKEN_USAGE | jq -rs '["key cost"] + (group_by(.data.agentId)
			| map("\(.[0].timestamp[:10])/\(.[0].data.agentId)/acme/almanac "
			+ (map(.data.costUsd * 1e6 | round) | add | tostring
			| "0." + "000000"[:6 - length] + .))) | .[]')
	[ "$(ev-get issue-status --where state=done -m state | wc -l)" -eq 6 ]
	shown 'ev-why issue-status' | grep -q CI_FAILED
	shown 'ev-get issue-status --at' | grep -q queued
}

@test "the watch saw the whole life of its issue" {
	[ "$(ev-cat -s acme/almanac#6 --count)" -eq 12 ]
	diff -b <(shown ev-watch) <(ev-cat -s acme/almanac#6 -f table)
}

@test "what is shown is what the commands print" {
	diff <(shown "ev-cat -s 'acme/almanac#3' -f table") \
		<(ev-cat -s acme/almanac#3 -f table)
	diff <(shown "ev-cat -s 'acme/almanac#3' -t CI_FAILED") \
		<(ev-cat -s acme/almanac#3 -t CI_FAILED -n 1 | jq .)
	[ "$(shown 'ev-cat -f table --category lifecycle' | sed 1d |
		wc -l)" -eq "$(ev-cat --category lifecycle --to \
		"$(ev-cat -s acme/almanac#5 -t ISSUE_DONE | jq .position)" \
		--count)" ]
	[ "$(shown ./check)" = "$("$DEMO/almanac/check")" ]
}

@test "the questions are answered as the log does" {
	[ "$(shown 'ev-cat -t ISSUE_ASSIGNED -t CI_FAILED' |
		sed -n 's/^\([a-z]*\)  issues: \([0-9]*\)  CI failures: /\1 \2 /p')" = \
		"$(ev-cat | jq -rs '
			. as $all
			| map(select(.type == "ISSUE_ASSIGNED") |
				{(.streamId): .data.agentId}) | add as $agent
			| ["ada", "ben", "cleo"][] as $name
			| [$agent[] | select(. == $name)] | length as $issues
			| select($issues > 0) | "\($name) \($issues) \(
				[$all[] | select(.type == "CI_FAILED" and
				$agent[.streamId] == $name)] | length)"')" ]
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
	[ "$(EV_LOG=$output/log.db ev-cat --count)" -eq \
		"$(EV_LOG=$DEMO/log.db ev-cat --count)" ]
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
	grep -q 'CI failures: ' printed
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

@test "an agent that cannot go on makes it fail" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/flock"
	chmod +x "$BATS_TEST_TMPDIR/bin/flock"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH \
		run -1 --separate-stderr rig-demo "$BATS_TEST_TMPDIR/demo"
	[[ $stderr == *"'flock -w 60 9': exit status 1"* ]]
	[[ $stderr == *"an agent failed; see '$BATS_TEST_TMPDIR/demo'"* ]]
	[[ $output != *'The log:'* ]]
}

@test "a test that keeps failing is not called passed" {
	# This awk gives wrong answers, as a machine may.
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho 42\n' >"$BATS_TEST_TMPDIR/bin/awk"
	chmod +x "$BATS_TEST_TMPDIR/bin/awk"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH \
		run -1 --separate-stderr rig-demo "$BATS_TEST_TMPDIR/demo"
	export EV_LOG=$BATS_TEST_TMPDIR/demo/log.db
	run -1 ev-cat -t CI_PASSED -t MERGED -t ISSUE_DONE
	[ "$(ev-cat -t CI_FAILED --count)" -ge 1 ]
}
