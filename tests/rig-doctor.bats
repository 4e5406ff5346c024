#!/usr/bin/env bats
# rig-doctor: a line for each part of a rig. systemd and cron are played by
# scripts, GitHub by peers/github.mjs; all else is real.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
	unset GITHUB_API_URL GITHUB_TOKEN GH_TOKEN GITHUB_TOKEN_FILE
	unset DBUS_SESSION_BUS_ADDRESS
	peer=''
	mkdir stubs
	stub systemctl 'exit 1'
	stub crontab 'exit 1'
	export PATH=$PWD/stubs:$PATH
}

teardown() {
	[ -z "$peer" ] || kill "$peer" 2>/dev/null || true
}

stub() { # NAME SCRIPT
	printf '#!/bin/sh\n%s\n' "$2" >"stubs/$1"
	chmod +x "stubs/$1"
}

start_peer() { # STATE
	printf '%s\n' "$1" >state.json
	: >journal
	node "$ROOT/tests/peers/github.mjs" state.json journal port \
		3>&- 2>peer.err &
	peer=$!
	local left=500
	until [ -s port ]; do
		[ $((left -= 1)) -gt 0 ] || return 1
		sleep 0.02
	done
	GITHUB_API_URL=http://127.0.0.1:$(cat port)
	export GITHUB_API_URL
}

# says STATUS CHECK PATTERN: a line of the doctor, whatever the others are
says() {
	run rig-doctor
	[ "$status" -le 1 ]
	grep -Eq -- "^$1 +$2 +$3" <<<"$output" || {
		echo "no $1 $2 '$3' in:"
		echo "$output"
		return 1
	}
}

# Everybody is told on the desktop.
route() {
	cat >rig.yaml <<-'END'
		notify:
		  receivers: { desk: { kind: desktop } }
		  routes: { critical: [desk], urgent: [desk], action: [], info: [] }
	END
}

# Nothing of this check but what is ok.
content() { # CHECK
	run rig-doctor
	if grep -E "^(warn|FAIL) +$1 " <<<"$output"; then
		return 1
	fi
	run rig-doctor
	grep -E "^ok +$1 " <<<"$output"
}

secret() { # NAME TEXT
	printf '%s\n' "$2" >"$1"
	chmod 600 "$1"
}

@test "a rig in which all is well" {
	start_peer '{"token": "t0ken", "repos": {}}'
	secret token t0ken
	secret ops.url https://discord.com/api/webhooks/12/abc
	secret team.url https://hooks.slack.com/services/T0/B0/x
	stub systemctl 'case "$*" in *is-active*rig-*) ;; *) exit 1 ;; esac'
	cat >rig.yaml <<-END
		github: { token-file: token }
		notify:
		  receivers:
		    ops: { kind: discord, url-file: ops.url }
		    team: { kind: slack, url-file: team.url }
		  routes: { critical: [ops], urgent: [ops], action: [team], info: [] }
	END
	ev-append -q HEARTBEAT agentId=dev status=working
	ev-project issue-status agent-status agent-queue
	for name in rig-recover rig-notify/ops rig-notify/team; do
		ev-each --from-end "$name" -- false
	done
	git init -q app
	cd app
	rig-hooks install -q --repo acme/app
	before=$(ev-cat; ev-project --list; ev-each --lag)
	run -0 rig-doctor --config ../rig.yaml
	echo "$output"
	[ "$(grep -cv '^ok  ' <<<"$output")" -eq 0 ]
	for check in commands config log models consumer agents github receiver \
		priorities timers hooks; do
		grep -q "^ok    $check " <<<"$output"
	done
	grep -qx "ok    github      $GITHUB_API_URL answers, .* of .*" <<<"$output"
	[ "$(ev-cat; ev-project --list; ev-each --lag)" = "$before" ]
	run -0 rig-doctor --config ../rig.yaml -q
	[ -z "$output" ]
	[ "$(jq -r .url ../journal | sort -u)" = /rate_limit ]
}

@test "before there is anything, nothing is FAIL, and nothing is made" {
	mkdir tmp
	TMPDIR=$PWD/tmp run -0 rig-doctor
	[ "${lines[0]%% *}" = ok ]
	[[ $output = *"warn  log         there is no '$EV_LOG' yet: the first event"* ]]
	[[ $output = *'warn  config      there is no rig.yaml: '* ]]
	[ ! -e "$EV_LOG" ]
	rmdir tmp
}

@test "--json: an object for each" {
	ev-append -q ESCALATED repo=acme/app issueNumber:=42 attempts:=3
	run -1 ev-each --lag
	ev-each -q --retries 0 nobody -- sh -c 'echo why >&2; exit 7' || true
	run -1 rig-doctor --json
	jq -es 'all(.[]; keys == ["check", "message", "status"])
		and (map(.status) | unique) == ["fail", "ok", "warn"]' <<<"$output"
	run -1 rig-doctor -q --json
	[ "$(jq -r .status <<<"$output" | sort -u)" = $'fail\nwarn' ]
}

@test "a command that is missing" {
	mkdir bare
	for name in awk bash cat chmod cut date df dirname find getopt git grep head \
		id jq mktemp node readlink rm sed sh tee timeout tr ev ev-append \
		ev-cat ev-each ev-from-yaml ev-get ev-project ev-table; do
		ln -s "$(command -v "$name")" "bare/$name"
	done
	cp -R "$ROOT/share" .
	mkdir bin
	cp "$ROOT/bin/rig-doctor" bin
	PATH=$PWD/bare run -0 bin/rig-doctor
	[[ $output = *'warn  commands    no curl: neither GitHub nor a receiver'* ]]
	rm bare/ev-each
	PATH=$PWD/bare run -1 bin/rig-doctor
	[[ $output = *'FAIL  commands    missing: ev-each: build and install ev again'* ]]
	rm bare/jq
	PATH=$PWD/bare run -1 bin/rig-doctor
	[ "$output" = 'FAIL  commands    no jq: install it' ]
}

@test "a configuration that is wrong hides nothing else" {
	ev-append -q HEARTBEAT agentId=dev
	echo 'stuck: {after: soon}' >rig.yaml
	says FAIL config "./rig.yaml: 'stuck.after': '?soon'?: expected a span"
	says ok log "'.*': 1 event, the last "
	echo '{' >rig.yaml
	says FAIL config '.*rig.yaml'
	export EV_RIG=none.yaml
	says FAIL config "cannot read 'none.yaml'"
}

@test "a log that is none, or that cannot be" {
	echo 'this is no log' >"$EV_LOG"
	says FAIL log '.*log.db'
	export EV_LOG=/dev/null/log.db
	says FAIL log "cannot write '/dev/null', where '/dev/null/log.db' is to be"
}

@test "a log in a folder that is not there: nobody would make it" {
	export EV_LOG=$PWD/typo/log.db
	run -69 ev-append -q HEARTBEAT agentId=ada
	says FAIL log "there is no '.*/typo', where '.*/typo/log.db' is to be"
	# the one that is so by default is made with its folder
	unset EV_LOG
	export XDG_STATE_HOME=$PWD/new
	says warn log "there is no '.*/new/ev/log.db' yet"
	ev-append -q HEARTBEAT agentId=ada
	says ok log "'.*': 1 event"
}

@test "a log ahead of the clock, and an agent" {
	ev-append -q HEARTBEAT agentId=dev
	ev-project agent-status
	export EV_NOW='1 hour ago'
	says warn clock 'the last event is (59|60) min ahead'
	says warn clock 'dev: its clock is (59|60) min ahead'
}

@test "read models: not kept, events that they could not fold" {
	ev-append -q HEARTBEAT agentId=dev
	ev-project issue-status agent-status
	says warn models "agent-queue: not kept.*'ev-project agent-queue' keeps them"
	stub ev-project "echo '{\"name\":\"issue-status\",\"parked\":2,\"error\":null}'
		echo '{\"name\":\"mine\",\"parked\":0,\"error\":\"cannot read it\"}'
		exit 65"
	says FAIL models "issue-status: 2 events could not be folded: 'ev-project"
	says FAIL models 'mine: cannot read it'
	stub ev-project 'echo "ev-project: cannot open it: why" >&2; exit 74'
	says FAIL models 'cannot open it: why'
}

@test "a consumer that gave up events" {
	ev-append -q ESCALATED repo=acme/app issueNumber:=42 attempts:=3
	run -65 ev-each -q rig-recover -- sh -c 'exit 65'
	says FAIL consumer "rig-recover: 1 event gave up: 'ev-each --parked rig-recover'"
	ev-each --drop rig-recover
	content consumer
}

@test "a consumer that nobody runs, one that runs, one that never did" {
	says warn timers 'nothing runs'
	ev-append -q HEARTBEAT agentId=dev
	says warn consumer 'rig-recover: has never run: rig-recover --follow'
	ev-each rig-recover -- true
	content consumer
	ev-append -q HEARTBEAT agentId=dev
	content consumer
	export EV_NOW='1 hour'
	says FAIL consumer 'rig-recover: 1 event behind, the oldest for (59|60) min: nobody runs it'
}

@test "a consumer at work is running, one that does not get on is too slow" {
	ev-append -q HEARTBEAT agentId=dev
	mkfifo held
	ev-each rig-recover --follow -- sh -c 'cat held' 3>&- &
	each=$!
	exec 4>held # opens when the command is there
	content consumer
	[[ $output = *'rig-recover: 1 event behind, running'* ]]
	ev-each --lag | jq -c '.leaseUntil |= "2099-01-01T00:00:00.000000Z"' >lag
	stub ev-each "cat '$PWD/lag'"
	EV_NOW='1 hour' says warn consumer 'rig-recover: 1 event behind.*: it is too slow'
	exec 4>&-
	kill "$each"
	wait "$each" || true
}

@test "a receiver that nothing is routed to any more" {
	ev-append -q HEARTBEAT agentId=dev
	ev-each rig-notify/old -- true
	says warn consumer "rig-notify/old: nothing is routed to it any more: 'ev-each --forget rig-notify/old'"
}

@test "an agent that is silent with work, by its own limit, and not when it waits" {
	cat >rig.yaml <<-'END'
		stuck: { after: 20m, agents: { slow: 90m, off: false } }
	END
	for agent in dev slow idle; do
		ev-append -q HEARTBEAT agentId=$agent status=working \
			currentIssue:=42 currentRepo=acme/app
	done
	ev-append -q HEARTBEAT agentId=idle status=idle currentIssue:=null
	ev-append -q HEARTBEAT agentId=asks status=waiting_input currentIssue:=43
	ev-project agent-status
	content agents
	[[ $output = *'agents      4 of 4 heard of lately'* ]]
	EV_NOW='1 hour' run rig-doctor
	[ "$(grep -E '^[a-zA-Z]+ +agents' <<<"$output" | sed 's/59 min/60 min/')" = \
		"ok    agents      1 of 4 heard of lately
warn  agents      dev: silent for 60 min, with acme/app#42: rig-stuck finds it, rig-recover takes it over" ]
}

@test "GitHub: refuses the token, is slow, is away, is nearly used up" {
	says warn github 'not set up, so that rig-gate asks only the log'
	start_peer '{"token": "t0ken", "repos": {}}'
	says warn github 'there is no token'
	GITHUB_TOKEN=wrong says FAIL github '127.0.0.1.* refuses the token: '
	run ! grep wrong <<<"$output"
	export GITHUB_TOKEN=t0ken
	content github
	start_peer '{"token": "t0ken", "repos": {}, "trouble": [{"when": "rate_limit",
		"status": 200, "body": {"resources": {"core":
		{"limit": 5000, "remaining": 12, "reset": 1}}}},
		{"when": "rate_limit", "status": 404, "body": {"message": "no limits"}},
		{"when": "rate_limit", "hang": true, "times": 99}]}'
	says warn github 'http://127.0.0.1:[0-9]+ answers, 12 of 5000 requests are left'
	says ok github 'http://127.0.0.1:[0-9]+ answers, and has no limit'
	EV_HTTP_TIMEOUT=0.2 says FAIL github 'cannot reach 127.0.0.1.*no answer within'
	export GITHUB_API_URL=http://127.0.0.1:9
	says FAIL github 'cannot reach 127.0.0.1:9: nobody listens there'
}

@test "receivers: what is wrong with each, and nothing is sent" {
	secret good https://discord.com/api/webhooks/12/abc
	secret page https://discord.com/channels/1/2
	secret plain http://chat.example.com/in
	secret empty ''
	secret local http://127.0.0.1:9/x
	secret open https://hooks.slack.com/services/T/B/x
	chmod 644 open
	cat >rig.yaml <<-'END'
		notify:
		  receivers:
		    good: { kind: discord, url-file: good }
		    page: { kind: discord, url-file: page }
		    plain: { kind: webhook, url-file: plain }
		    empty: { kind: slack, url-file: empty }
		    gone: { kind: slack, url-file: gone }
		    open: { kind: slack, url-file: open }
		    token: { kind: webhook, url-file: local, token-file: gone }
		    desk: { kind: desktop }
		    spare: { kind: webhook, url-file: local }
		  routes:
		    critical: [good, page, plain, empty, gone, open, token, desk]
	END
	stub notify-send 'exit 1'
	stub curl 'touch sent; exit 7'
	export XDG_RUNTIME_DIR=$PWD/none
	says ok receiver "good \(discord\): set up; 'rig-notify --test good' tries it"
	says FAIL receiver 'page: its url is no webhook of Discord'
	says warn receiver 'plain: its url is not https'
	says FAIL receiver "empty: './empty': its first line is empty"
	says FAIL receiver "gone: cannot read './gone'"
	says warn receiver "open: others may read './open': chmod 600 it"
	says FAIL receiver "token: cannot read './gone'"
	says warn receiver 'spare: no priority goes to it'
	says warn receiver 'desk: there is no desktop session here'
	run ! grep -E 'abc|channels' <<<"$output"
	[ ! -e sent ]
}

@test "priorities that nobody is told of" {
	says warn priorities 'nobody is told of critical events: name a receiver in notify.routes.critical of rig.yaml'
	route
	run rig-doctor
	[ "$(grep -c priorities <<<"$output")" -eq 1 ]
	[[ $output = *'nobody is told of action events: '*' of ./rig.yaml'* ]]
	sed -i 's/action: \[\]/action: [desk]/' rig.yaml
	content priorities
}

@test "what runs by itself: systemd, cron, or nobody; and what failed" {
	says warn timers 'nothing runs rig-stuck rig-orphans rig-remind rig-recover here: '
	route
	says warn timers 'nothing runs .* rig-recover rig-notify here: see .*/systemd and cron'
	stub crontab "printf '%s\n' '*/10 * * * * /usr/bin/rig-stuck -q' \
		'# 17 * * * * rig-orphans' '@hourly env A=b rig-remind' \
		'* * * * * not-rig-notify'"
	says warn timers 'nothing runs rig-orphans rig-recover rig-notify here'
	says ok timers 'by cron: rig-stuck rig-remind$'
	stub systemctl 'case $* in
		"--user is-active -q rig-recover.service") ;;
		"--user is-failed -q rig-notify.service") ;;
		*) exit 1 ;;
	esac'
	says ok timers 'by systemd: rig-recover$'
	says FAIL timers "rig-notify failed: 'journalctl --user -u rig-notify'"
}

@test "the cron lines that come with ev are found" {
	route
	sed 's/^#\*/*/' "$ROOT/share/cron/rig" >lines
	stub crontab "cat '$PWD/lines'"
	content timers
	[[ $output = *'by cron: rig-stuck rig-orphans rig-remind rig-recover rig-notify'* ]]
}

@test "hooks of the repository around us" {
	git init -q app
	cd app
	says warn hooks "not all is well in '.*/app'"
	rig-hooks install -q --repo acme/app
	content hooks
}

@test "names from events and files do not drive the terminal" {
	ev-append -q HEARTBEAT agentId=$'\e]52;c;eA==\a$(touch pwned)' status=working \
		currentIssue:=1 currentRepo=$'a\tb\nc'
	ev-project agent-status
	EV_NOW='1 hour' run rig-doctor
	[[ $output != *[$'\e\a\t']* ]]
	[[ $output = *'\u001b]52;c;eA==\u0007$(touch pwned): silent'*'with a\u0009b\u000ac#1'* ]]
	[ ! -e pwned ]
	EV_NOW='1 hour' run rig-doctor --json
	jq -es 'any(.[]; .check == "agents")' <<<"$output"
}

@test "a wrong command line is 64" {
	for words in x --nope '--now never'; do
		# shellcheck disable=SC2086
		run -64 rig-doctor $words
		[ "${#lines[@]}" -eq 1 ]
	done
}
