#!/usr/bin/env bats
# Text of events is text: whatever is in a title, a reason, a name of an agent or
# a repository passes through every script of the rig as it is, is not executed,
# is not taken for an option or a file, and does not drive a terminal.
#
# shellcheck disable=SC2016 # that is the point

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export EV_REPO=acme/app
	bait=$BATS_TEST_TMPDIR/bait
}

# Texts that something may take for more than text, each touching $bait if run;
# a few of them, each time others, where commands are slow.
texts() {
	if [ -n "$EV_SANITIZED" ]; then
		all_texts | shuf -z -n 6
	else
		all_texts
	fi
}

all_texts() {
	printf '%s\0' \
		"\$(touch '$bait')" "\`touch '$bait'\`" "'; touch '$bait'; '" \
		"\"; touch '$bait'; \"" "| touch '$bait'" "&& touch '$bait' #" \
		'--help' '-n' '--' '-' '--log=/dev/null' '@/etc/passwd' '*' '~' '%s%n' \
		'\(1 + 1)' '"\(env)"' '$__prog_args' '" or true or "' \
		$'line one\nline two' $'tab\there' $'cr\rback' $'\e]0;title\a' \
		$'\e[2J\e[31mred' $'\u202egnp.exe' $'\u0085\u2028' 'ünï→🎉' \
		'<script>alert(1)</script>' '@everyone <@1> *bold*' \
		'null' 'true' '[]' '{}' '1e999' 'a=b' 'a:=b' ' leading and trailing '
}

# Nothing that could drive a terminal is on standard input.
is_calm() {
	run ! grep -aqP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]'
}

nothing_ran() {
	[ ! -e "$bait" ]
	[ -z "$(find . -newer start ! -name 'log.db*' ! -name start \
		! -name . ! -name out ! -name err ! -name titles)" ] || { ls -la; false; }
}

# All that people look at, of everything that is in the log.
look_at_everything() {
	local stream=$1
	{
		rig-status --all || [ $? -eq 1 ]
		rig-queue --all || [ $? -eq 1 ]
		rig-timeline -- "$stream" || [ $? -eq 1 ]
		rig-log -- "$stream" || [ $? -eq 1 ]
		rig-cost || [ $? -eq 1 ]
		rig-gate -- "$stream" || [ $? -eq 1 ]
		rig-doctor || [ $? -eq 1 ]
	} </dev/null >out 2>err
	is_calm <out
	is_calm <err
	run ! grep -aq 'jq: error' err
}

@test "titles, reasons and milestones" {
	local text n=0
	: >start
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=999 # of none
	while IFS= read -r -d '' text; do
		n=$((n + 1))
		rig-approve -m "$text" -- "$n" "$text" </dev/null
		printf '%s\0' "$text" >>titles
		rig-claim "$n" ada
		rig-release --reason "$text" "$n" ada
		[ "$(ev-get issue-status "acme/app#$n" | jq -j .reason | od -c)" = \
			"$(printf %s "$text" | od -c)" ]
		ev-append -q -s "acme/app#$n" ISSUE_DONE
		rig-milestone -q -- "$text"
		[ "$(ev-cat -t MILESTONE_COMPLETE -r -n 1 | jq -j .data.milestone |
			od -c)" = "$(printf %s "$text" | od -c)" ]
	done < <(texts)
	ev-cat -t ISSUE_APPROVED | jq -j 'select(.data.title)
		| .data.title + "\u0000"' | cmp - titles
	look_at_everything "acme/app#$n"
	nothing_ran
}

@test "names of agents" {
	local text n=0
	: >start
	while IFS= read -r -d '' text; do
		# what is before a slash names the agent
		case $text in
		/* | '') continue ;;
		esac
		n=$((n + 1))
		rig-approve -q -- "$n" Title
		rig-next -- "$text" >/dev/null
		rig-claim -- "$n" "$text"
		[ "$(ev-cat -s "acme/app#$n" -t ISSUE_ASSIGNED | jq -j .data.agentId |
			od -c)" = "$(printf %s "$text" | od -c)" ]
		run -80 rig-claim -- "$n" somebody
		is_calm <<<"$output"
		rig-heartbeat --status "$text" -- "$text"
		rig-stuck --now '+1 hour' -q
		EV_NOW='+1 hour' rig-recover -q
		rig-status --json | jq -e . >/dev/null
	done < <(texts)
	[ "$(ev-cat -t AGENT_STUCK --count)" -eq "$n" ]
	[ "$(ev-cat -t ISSUE_UNASSIGNED --count)" -eq "$n" ]
	look_at_everything "acme/app#1"
	nothing_ran
}

@test "names of repositories" {
	local text n=0
	: >start
	while IFS= read -r -d '' text; do
		# a name of several lines is no issue's on a command line
		case $text in
		*$'\n'*) continue ;;
		esac
		n=$((n + 1))
		rig-approve -- "$text#$n" Title
		rig-claim -- "$text#$n" ada
		rig-stuck --now '+1 hour' -q
		ev-append -q -s "$text#$n" --timestamp 2026-01-01T00:00:00Z \
			HUMAN_GATE_TRIGGERED prNumber:=1
		rig-remind -q
		[ "$(ev-cat -s "$text#$n" | jq -rs 'map(.type) | join(" ")')" = \
			'ISSUE_APPROVED ISSUE_ASSIGNED AGENT_STUCK HUMAN_GATE_TRIGGERED HUMAN_GATE_REMINDER' ]
		rig-gate -q -- "$text#$n" || [ $? -eq 1 ]
		rig-orphans -q --now '+3 days'
	done < <(texts)
	rig-recover -q
	look_at_everything "\$(touch '$bait')#1"
	nothing_ran
}

@test "a title of 1 MiB" {
	local stream=acme/app#1
	: >start
	head -c 1048576 /dev/zero | tr '\0' x | jq -Rc \
		'{type: "ISSUE_APPROVED", repo: "acme/app", issueNumber: 1, title: .}' |
		ev-append -q
	rig-next >/dev/null
	rig-claim 1 ada
	rig-stuck -q --now '+1 hour'
	rig-recover -q
	ev-append -q -s "$stream" SMOKE_FAILED reason=external_dependency
	rig-recover -q
	[ "$(ev-get issue-status "$stream" | jq -r '.state, (.title | length)' |
		tr '\n' ' ')" = 'escalated 1048576 ' ]
	rig-approve 1 # its title stays what it is
	look_at_everything "$stream"
	nothing_ran
}
