#!/usr/bin/env bats
# rig-notify: notices to Discord, Slack, somebody's webhook and the desktop. The
# first three are played by peers/webhooks.mjs, as strict as the real ones; the
# desktop is a real notify-send on a real session bus.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
	# what is killed leaves its scratch behind
	export TMPDIR=$BATS_TEST_TMPDIR
	unset DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR DISPLAY
	peer='' follower=''
}

teardown() {
	[ -z "$follower" ] || kill -9 "$follower" 2>/dev/null || true
	[ -z "$peer" ] || kill "$peer" 2>/dev/null || true
}

# eventually COMMAND...: it succeeds within a while
eventually() {
	local left=500
	until "$@"; do
		[ $((left -= 1)) -gt 0 ] || return 1
		sleep 0.02
	done
}

discord_path=/api/webhooks/1264711/tok-en_1
slack_path=/services/T01/B02/s3cret

# The peer, and a configuration in which each of its parts is a receiver.
# $1: more of the peer's state, as members of a JSON object
start_peer() {
	printf '%s\n' "{\"discord\": {\"1264711\": \"tok-en_1\"},
		\"slack\": [\"T01/B02/s3cret\"], \"bearer\": \"be4rer\"${1:+, $1}}" \
		>state.json
	: >journal
	node "$ROOT/tests/peers/webhooks.mjs" state.json journal port \
		3>&- 2>peer.err &
	peer=$!
	eventually test -s port
	base=http://127.0.0.1:$(cat port)
	printf '%s\n' "$base$discord_path" >ops.url
	printf '%s\n' "$base$slack_path" >team.url
	printf 'be4rer\n' >hook.token
	cat >rig.yaml <<-END
		notify:
		  receivers:
		    ops: { kind: discord, url-file: ops.url }
		    team: { kind: slack, url-file: team.url }
		    hook: { kind: webhook, url: "$base/own", token-file: hook.token }
		  routes:
		    critical: [ops, team, hook]
		    urgent: [ops, team]
		    action: [ops]
		    info: [hook]
	END
}

# The configuration with one receiver, for everything. $1: YAML
only() {
	cat >rig.yaml <<-END
		notify:
		  receivers: { one: $1 }
		  routes: { critical: [one], urgent: [one], action: [one], info: [one] }
	END
}

escalated() {
	ev-append -q ESCALATED repo=acme/app issueNumber:=42 attempts:=3 "$@"
}

# last [FILTER]: the body of the last request
last() {
	tail -n 1 journal | jq -r ".body | fromjson | ${1:-.}"
}

# requests [PATTERN]: how many there were
requests() {
	grep -c -- "${1:-}" journal || true
}

@test "Discord is told: emoji, type and stream, what happened, colour and time" {
	start_peer
	ev-append -q CI_FAILED repo=acme/app issueNumber:=42 prNumber:=7 \
		'failedChecks:=["unit tests","lint"]' agentId=dev-e/x7 \
		logs='a wall of text' --timestamp 2026-04-21T10:22:00.25Z
	ev-cat | rig-notify --event
	[ "$(requests)" -eq 1 ]
	diff - <(last) <<'END'
{
  "embeds": [
    {
      "title": "❌ CI_FAILED — acme/app#42",
      "description": "**failed checks**: unit tests, lint\n**agent id**: dev-e/x7\n**pr number**: 7",
      "color": 16498733,
      "timestamp": "2026-04-21T10:22:00.250000Z"
    }
  ],
  "allowed_mentions": {
    "parse": []
  }
}
END
	run -0 jq -r '.method, .url, .status, .headers["content-type"]' journal
	[ "$output" = "POST
$discord_path?wait=true
200
application/json" ]
}

@test "the title leads to the pull request" {
	start_peer
	ev-append -q HUMAN_GATE_TRIGGERED repo=acme/app issueNumber:=42 \
		prNumber:=7 reason='touches the_schema' \
		prUrl='https://github.com/acme/app/pull/7?a=1&b=2'
	ev-cat | rig-notify --event
	[ "$(requests '"status":200')" -eq 2 ]
	run -0 jq -r '.body | fromjson | .embeds[0] // empty | .url, .description' \
		journal
	[ "$output" = 'https://github.com/acme/app/pull/7?a=1&b=2
**reason**: touches the\_schema
**pr number**: 7' ]
	run -0 jq -r '.body | fromjson | .blocks[0].text.text // empty' journal
	[ "$output" = '*<https://github.com/acme/app/pull/7?a=1&amp;b=2|✋ HUMAN_GATE_TRIGGERED — acme/app#42>*' ]
}

@test "a URL that is none leads nowhere" {
	start_peer
	for url in 'javascript:alert(1)' 'https://a b' 'https://a|b' 'https://a>b' \
		$'https://a\nb'; do
		ev-append -q ESCALATED repo=acme/app issueNumber:=42 prUrl="$url"
	done
	ev-cat >events
	while read -r event; do
		rig-notify --event <<<"$event"
	done <events
	[ "$(requests '"status":200')" -eq 10 ]
	run -0 jq -r '.body | fromjson | .embeds[0].url // empty,
		(.blocks[0].text.text // empty | select(test("<http")))' journal
	[ -z "$output" ]
}

@test "each priority has its colour" {
	start_peer
	only "{ kind: discord, url: $base$discord_path }"
	for priority in info action urgent critical; do
		ev-append -q --priority "$priority" HEARTBEAT agentId=dev
	done
	ev-cat >events
	while read -r event; do
		rig-notify --event <<<"$event"
	done <events
	run -0 jq -r '.body | fromjson | .embeds[0].color' journal
	[ "$output" = '6323595
16498733
15026970
12000284' ]
}

@test "Slack is told, with &, < and > as entities" {
	start_peer
	escalated reason='<!channel> a & b > c' --timestamp 2026-04-21T10:22:00Z
	ev-cat | rig-notify --event --to team
	diff - <(last) <<'END'
{
  "text": "🆘 ESCALATED — acme/app#42",
  "blocks": [
    {
      "type": "section",
      "text": {
        "type": "mrkdwn",
        "verbatim": true,
        "text": "*🆘 ESCALATED — acme/app#42*"
      }
    },
    {
      "type": "section",
      "text": {
        "type": "mrkdwn",
        "verbatim": true,
        "text": "reason: &lt;!channel&gt; a &amp; b &gt; c\nattempts: 3"
      }
    },
    {
      "type": "context",
      "elements": [
        {
          "type": "plain_text",
          "text": "critical, 2026-04-21T10:22:00.000000Z"
        }
      ]
    }
  ]
}
END
	[ "$(requests '"status":200')" -eq 1 ]
}

@test "a webhook gets the event as ev-cat prints it, its id, and our token" {
	start_peer
	escalated reason=$'\e[31m "quoted" $(id) 9007199254740993' \
		amount:=12345678901234567890.10 --id 'git/a b/é'
	ev-cat | rig-notify --event --to hook
	[ "$(tail -n 1 journal | jq -j .body)" = "$(ev-cat)" ]
	run -0 jq -r '.status, .headers["idempotency-key"], .headers.authorization,
		.headers["content-type"]' journal
	[ "$output" = '202
git%2Fa%20b%2F%C3%A9
Bearer be4rer
application/json' ]
}

@test "what any event of any catalog makes, Discord and Slack take" {
	start_peer
	ev-append -q - < <(cut -f 4 "$ROOT/tests/fixtures/catalog-events.tsv" |
		grep '^{')
	ev-cat | jq -r -L "$ROOT/share/rig" --arg base "$base" \
		--arg discord "$discord_path" --arg slack "$slack_path" '
		include "notify";
		(discord | [$discord, tojson]), (slack | [$slack, tojson])
		| "url = \"\($base)\(.[0])\"", "user-agent = \"test\"",
		    "header = \"Content-Type: application/json\"",
		    "data-binary = \(.[1] | @json)", "next"' | sed '$d' >requests
	curl -s -K requests >answers
	[ "$(requests '"status":20[04]')" -eq "$(ev-cat | jq 1,1 | wc -l)" ]
	[ "$(requests)" -gt 250 ] && [ "$(requests '"status":4')" -eq 0 ]
}

# post PATH: what the peer answers to what is on standard input
post() {
	curl -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' \
		--data-binary @- "$base$1"
	printf ' '
	jq -r '.message' answer 2>/dev/null || cat answer
	echo
}

# The peer would notice: all of these the real ones refuse.
@test "the peer is as strict as Discord and Slack" {
	start_peer
	local n=0 body
	while read -r body; do
		jq -cn "$body" >sent
		[ "$(post "$discord_path" <sent)" = '400 Invalid Form Body' ]
		n=$((n + 1))
	done <<-'END'
		{embeds: [{title: ("x" * 257)}]}
		{embeds: [{description: ("😀" * 2049)}]}
		{embeds: [range(2) | {description: ("x" * 3001)}]}
		{embeds: [range(11) | {title: "x"}]}
		{embeds: [{title: "x", color: 16777216}]}
		{embeds: [{title: "x", color: "red"}]}
		{embeds: [{title: "x", timestamp: "yesterday"}]}
		{embeds: [{title: "x", url: "javascript:1"}]}
		{embeds: [{title: "x", colour: 1}]}
		{embeds: "x"}
		{content: ("x" * 2001)}
		{content: "x", allowed_mentions: {parse: ["all"]}}
		["x"]
	END
	[ "$n" -eq 13 ]
	[ "$(post "$discord_path" <<<'{}')" = '400 Cannot send an empty message' ]
	[ "$(post "$discord_path" <<<'{')" = \
		'400 The request body contains invalid JSON.' ]
	[[ $(post "$discord_path" <<<'{"content":"x"}') = '204 '* ]]
	[[ $(post "$discord_path?wait=true" <<<'{"content":"x"}') = '200 '* ]]
	while read -r body; do
		jq -cn "$body" >sent
		[ "$(post "$slack_path" <sent)" = '400 invalid_blocks' ]
	done <<-'END'
		{text: "x", blocks: [{type: "section", text: {type: "mrkdwn", text: "<!here"}}]}
		{text: "x", blocks: [{type: "section", text: {type: "mrkdwn", text: "a & b"}}]}
		{text: "x", blocks: [{type: "section", text: {type: "mrkdwn", text: ("x" * 3001)}}]}
		{text: "x", blocks: [{type: "section", text: {type: "mrkdwn", text: ""}}]}
		{text: "x", blocks: [{type: "banner"}]}
	END
	[ "$(post "$slack_path" <<<'{}')" = '400 no_text' ]
	[ "$(post "$slack_path" <<<'x')" = '400 invalid_payload' ]
	[ "$(post /services/T9/B9/x <<<'{"text":"x"}')" = '404 no_service' ]
	[ "$(post "$slack_path" <<<'{"text":"x"}')" = '200 ok' ]
}

# ---- sizes and hostile text

@test "1 MiB of text is cut where it is read, and whole for a webhook" {
	start_peer
	head -c 700000 /dev/zero | tr '\0' '<' >text
	printf '🚒%.0s' $(seq 90000) >>text
	jq -cnR --rawfile text text '{type: "ESCALATED", repo: "acme/app",
		issueNumber: 42, attempts: 3, title: $text, reason: $text,
		more: [range(40) | $text[:2000]], streamId: $text[-250:]
	}' >event
	ev-append -q - <event
	ev-cat | rig-notify --event
	[ "$(requests '"status":20[02]')" -eq 3 ]
	run -0 jq -r '.body | fromjson | .embeds[0] // empty
		| .title[:20], .title[-1:],
		    (.description | length > 2000, test("…\n"), .[-15:])' journal
	[ "$output" = '🆘 ESCALATED — 🚒🚒🚒🚒🚒🚒
…
true
true
**attempts**: 3' ]
	[ "$(jq -j '.body | select(startswith("{\"position\""))' journal |
		sha256sum)" = "$(ev-cat | sha256sum)" ]
	run -0 jq -r '.body | fromjson | .blocks[1].text.text // empty
		| length > 1500, (test("&(?!lt;)") | not)' journal
	[ "$output" = $'true\ntrue' ]
}

@test "text of events is never run, and drives neither terminal nor Discord" {
	start_peer
	local text=$'`touch pwned` $(touch pwned) \'"; touch pwned #\n-- --help -n\n'
	text+=$'@everyone <@1> <!here> *b* [x](http://evil) ||s|| \e]52;c;eA==\a\u202e'
	escalated reason="$text" title="$text" -s "$text" "x-y z=$text"
	run -0 --separate-stderr rig-notify --event < <(ev-cat)
	[ ! -e pwned ]
	[ -z "$output$stderr" ]
	[ "$(requests '"status":20[02]')" -eq 3 ]
	run -0 jq -r '.body | fromjson | select(.embeds)
		| .allowed_mentions.parse, (.embeds[0] | .title, .description
		    | gsub("\\*\\*[a-z -]+\\*\\*: "; "")
		    | test("[\u0000-\u0009\u000b-\u001f\u202e]"),
		      test("(^|[^\\\\])[*\\[\\]<>|`]")),
		    (.embeds[0].description | test("[^\\\\]@"))' journal
	[ "$(tr '\n' ' ' <<<"$output")" = '[] false false false false false ' ]
	run -0 --separate-stderr rig-notify -n --event < <(ev-cat)
	[[ $output$stderr != *[$'\e\a']* ]]
}

@test "a receiver that answers with escapes does not drive the terminal" {
	start_peer '"trouble": [{"when": "POST", "times": 9, "status": 400,
		"body": {"message": "\u001b[31m\u009b1mno\nmore"}}]'
	escalated
	run -65 rig-notify --event --to ops < <(ev-cat)
	[ "${#lines[@]}" -eq 1 ]
	[[ $output != *[$'\e']* ]]
	[[ $output = *"400 \\u001b[31m\\u009b1mno" ]]
}

@test "a number that jq would round is not shown as exact" {
	start_peer
	escalated amount:=12345678901234567890 count:=0.1
	ev-cat | rig-notify --event --to ops
	[[ $(last '.embeds[0].description') = *'**amount**: about 1234567890123456'* ]]
	[[ $(last '.embeds[0].description') = *'**count**: 0.1'* ]]
}

# ---- secrets

@test "no URL and no token is an argument of anybody, or in a message" {
	start_peer '"trouble": [{"when": "discord|webhooks", "times": 9,
		"status": 401, "body": {"message": "Invalid Webhook Token", "code": 50027}}]'
	mkdir spies
	for name in curl jq sed awk; do
		printf '%s\n' '#!/bin/sh' \
			"printf '%s\\n' \"\$0 \$*\" >>'$PWD/arguments'" \
			"exec $(command -v "$name") \"\$@\"" >"spies/$name"
	done
	chmod +x spies/*
	escalated
	export PATH=$PWD/spies:$PATH
	run -65 rig-notify --event < <(ev-cat)
	said=$output
	grep -q '/curl ' arguments
	run ! grep -E 's3cret|tok-en_1|be4rer' arguments
	[[ $said != *tok-en_1* ]]
	[[ $said = *"'ops': '127.0.0.1:"*"' refused: 401 Invalid Webhook Token" ]]
}

@test "a secret that is not there, or empty, is named" {
	start_peer
	escalated
	rm ops.url
	run -64 rig-notify --event --to ops < <(ev-cat)
	[[ $output = *"cannot read './ops.url'"* ]]
	: >ops.url
	run -65 rig-notify --event --to ops < <(ev-cat)
	[[ $output = *"'./ops.url': its first line is empty" ]]
	[ "$(requests)" -eq 0 ]
}

# ---- receivers in trouble

@test "what cannot be mended by repeating is 65" {
	start_peer
	escalated
	printf '%s\n' "$base/api/webhooks/1264711/wrong" >ops.url
	run -65 rig-notify --event --to ops < <(ev-cat)
	[[ $output = *'refused: 401 Invalid Webhook Token' ]]
	printf '%s\n' "$base/api/webhooks/99/x" >ops.url
	run -65 rig-notify --event --to ops < <(ev-cat)
	[[ $output = *'refused: 404 Unknown Webhook' ]]
	printf '%s\n' "$base/services/T01/B02/gone" >team.url
	run -65 rig-notify --event --to team < <(ev-cat)
	[[ $output = *'refused: 404 no_service' ]]
	echo wrong >hook.token
	run -65 rig-notify --event --to hook < <(ev-cat)
	[[ $output = *'refused: 401 who are you?' ]]
	[ "$(requests)" -eq 4 ]
}

@test "a page that is no Discord and no Slack took nothing" {
	start_peer '"trouble": [{"when": "POST", "times": 9, "status": 200,
		"body": "<html>Welcome! Sign in</html>"}]'
	escalated
	run -65 rig-notify --event --to ops < <(ev-cat)
	[[ $output = *'is no Discord'* ]]
	run -65 rig-notify --event --to team < <(ev-cat)
	[[ $output = *'is no Slack'* ]]
}

@test "a redirection is not followed, and no success" {
	start_peer "\"trouble\": [{\"when\": \"/own\", \"times\": 9, \"status\": 307,
		\"headers\": {\"Location\": \"/own/other\"}, \"body\": \"\"}]"
	escalated
	run -65 rig-notify --event --to hook < <(ev-cat)
	[ "$(requests)" -eq 1 ]
}

@test "what may work later is 69: 500, no answer, half of one, nobody there" {
	start_peer '"trouble": [
		{"when": "POST /api", "status": 500, "body": "oops"},
		{"when": "POST /api", "status": 503, "body": "oops again"},
		{"when": "POST /services", "hang": true},
		{"when": "POST /own", "drop": true},
		{"when": "POST /own", "half": true, "status": 202, "body": "0123456789"}]'
	escalated
	ev-cat >event
	run -69 rig-notify --event --to ops <event
	[[ $output = *"' is in trouble: 500 oops" ]]
	run -69 rig-notify --event --to ops <event
	[[ $output = *"' is in trouble: 503 oops again" ]]
	EV_HTTP_TIMEOUT=0.3 run -69 rig-notify --event --to team <event
	[[ $output = *': no answer within 0.3 s' ]]
	run -69 rig-notify --event --to hook <event
	run -69 rig-notify --event --to hook <event
	[[ $output = *': the connection broke off' ]]
	kill "$peer"
	wait "$peer" || true
	peer=
	run -69 rig-notify --event --to ops <event
	[[ $output = *': nobody listens there' ]]
}

@test "one that is away hides the alert from no other" {
	start_peer '"trouble": [{"when": "POST /api", "times": 9, "status": 500},
		{"when": "POST /own", "times": 9, "status": 400, "body": "no"}]'
	escalated
	run -69 rig-notify --event < <(ev-cat)
	[[ $output = *"'ops'"*"'hook'"* || $output = *"'hook'"*"'ops'"* ]]
	[ "$(requests '"status":200')" -eq 1 ]
	[[ $(jq -r 'select(.status == 200).url' journal) = "$slack_path" ]]
}

@test "429 waits as long as Retry-After says, in seconds" {
	start_peer '"trouble": [{"when": "POST /services", "status": 429,
		"headers": {"Retry-After": "1"}, "body": "rate_limited"}]'
	escalated
	started=$(date +%s%N)
	rig-notify --event --to team < <(ev-cat)
	[ $(($(date +%s%N) - started)) -ge 1000000000 ]
	run -0 jq -c .status journal
	[ "$output" = $'429\n200' ]
}

@test "429 waits as long as Discord says, in its JSON" {
	start_peer '"trouble": [{"when": "POST /api", "times": 2, "status": 429,
		"headers": {"X-RateLimit-Scope": "shared"},
		"body": {"message": "You are being rate limited.",
		    "retry_after": 0.35, "global": false}}]'
	escalated
	rig-notify --event --to ops < <(ev-cat)
	run -0 jq -c .status journal
	[ "$output" = $'429\n429\n200' ]
}

@test "429 for longer than a minute is 75, at once" {
	start_peer '"trouble": [{"when": "POST /api", "status": 429,
		"headers": {"Retry-After": "3600"}, "body": ""}]'
	escalated
	SECONDS=0
	run -75 rig-notify --event --to ops < <(ev-cat)
	[ "$SECONDS" -lt 20 ]
	[[ $output = *'takes no more for 3600 s: repeat later' ]]
}

# ---- who is told

@test "a priority goes to those that its route names" {
	start_peer
	ev-append -q AGENT_STUCK repo=acme/app issueNumber:=42 agentId=dev
	ev-cat | rig-notify --event
	[ "$(jq -r .url journal | sort)" = "$discord_path?wait=true
$slack_path" ]
	ev-cat | rig-notify --event --to hook
	[ "$(requests)" -eq 2 ]
}

@test "an event that nobody is told of says so" {
	start_peer
	cat >rig.yaml <<-END
		notify: { receivers: { desk: { kind: desktop } } }
	END
	escalated
	run -0 --separate-stderr rig-notify -q --event < <(ev-cat)
	[ "$stderr" = "rig-notify: priority critical: nobody is told:\
 notify.routes.critical of ./rig.yaml names no receiver" ]
	rm rig.yaml
	run -0 --separate-stderr rig-notify --event < <(ev-cat)
	[ "$stderr" = "rig-notify: priority critical: nobody is told:\
 notify.routes.critical of rig.yaml names no receiver" ]
}

@test "--test tells one, or all of them, and says who took it" {
	start_peer
	run -0 rig-notify --test ops
	[ "$output" = 'rig-notify: told ops' ]
	[[ $(last '.embeds[0].title') = '🔔 NOTICE_TEST — rig-notify' ]]
	[ "$(requests)" -eq 1 ]
	echo wrong >hook.token
	run -65 --separate-stderr rig-notify --test
	[ "$(requests)" -eq 4 ]
	[[ $stderr = *"'hook':"*'told ops team' ]]
	run -64 rig-notify --test nobody
	[ "$output" = "rig-notify: there is no receiver 'nobody' in ./rig.yaml" ]
	rm rig.yaml
	run -1 rig-notify --test
	[ "$output" = 'rig-notify: there is nobody to tell: rig.yaml has no receivers' ]
}

@test "-n sends nothing" {
	start_peer
	escalated
	run -0 --separate-stderr rig-notify -n --event < <(ev-cat)
	[ "$(requests)" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
	ev-cat >event
	run -0 rig-notify -q -n --event --to hook <event
	[ "$output" = "$(<event)" ]
}

@test "what is no event, or more than one, is 65" {
	start_peer
	for text in '' '{' '{}' '[]' '"x"' '{"type":"X"}'; do
		run -65 rig-notify --event <<<"$text"
		[[ $output = 'rig-notify: standard input: expected '* ]]
		[ "${#lines[@]}" -eq 1 ]
	done
	escalated
	run -65 rig-notify --event < <(ev-cat && ev-cat)
	[ "$(requests)" -eq 0 ]
}

@test "a wrong command line is 64, a wrong configuration 65" {
	for words in '' '--once --follow' '--event x' '--test a b' '--once --to x' \
		'--follow -n' '--nope' '--test ops ben'; do
		# shellcheck disable=SC2086
		run -64 rig-notify $words
		[ "${#lines[@]}" -eq 1 ]
	done
	echo 'notify: {routes: {urgent: [ops]}}' >rig.yaml
	run -65 rig-notify --once
	[[ $output = *"'notify.routes.urgent': there is no receiver 'ops'" ]]
	echo 'notify: {receivers: {"a/b": {kind: desktop}}}' >rig.yaml
	run -65 rig-notify --once
	rm rig.yaml
	run -1 --separate-stderr rig-notify --once
	[[ ${stderr_lines[0]} = *'priority critical: nobody is told:'* ]]
	[ "${#stderr_lines[@]}" -eq 5 ]
	run -64 rig-notify --config none.yaml --once
}

# ---- the desktop

@test "a real desktop shows it as it is written" {
	only '{ kind: desktop }'
	escalated reason=$'-x <b>it</b> & $(id) \\n "q"\n\e[31mred'
	ev-append -q HEARTBEAT agentId=--help
	cat >session <<'END'
/usr/bin/python3 -m dbusmock --template notification_daemon -l shown >mock 2>&1 &
mock=$!
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
    org.freedesktop.DBus.NameHasOwner \
    string:org.freedesktop.Notifications | grep -q 'boolean true'
do
	kill -0 "$mock" || exit
done
ev-cat --to 1 | rig-notify --event && ev-cat --from 2 | rig-notify --event
status=$?
kill "$mock"
exit "$status"
END
	dbus-run-session -- sh session
	[ "$(grep -c ' Notify "rig"' shown)" -eq 2 ]
	run -0 cat shown
	[[ $output = *'"🆘 ESCALATED — acme/app#42" "reason: -x &lt;b&gt;it&lt;/b&gt; &amp; $(id) \n "q"
\u001b[31mred
attempts: 3" '*'"urgency": 2'*'"💓 HEARTBEAT — --help" "agent id: --help" '*'"urgency": 0'* ]]
}

@test "no desktop is 69" {
	only '{ kind: desktop }'
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/none
	run -69 rig-notify --test
	[[ $output = "rig-notify: 'one': no desktop took it: "* ]]
	[ "${#lines[@]}" -eq 1 ]
}

# ---- the log

# A log that every receiver knows from its beginning.
new_log() {
	ev-append -q HEARTBEAT agentId=nobody
	rig-notify --once
}

# Is each of what follows one that Discord got? TITLE...
discord_got() {
	[ "$(jq -r 'select(.status == 200) | .body | fromjson
		| .embeds[0].title | values' journal)" = "$(printf '%s\n' "$@")" ]
}

@test "--once tells of what came since the last time, once" {
	start_peer
	only "{ kind: discord, url: $base$discord_path }"
	escalated
	rig-notify --once
	[ "$(requests)" -eq 0 ]
	rig-notify --once
	[ "$(requests)" -eq 0 ]
	escalated
	ev-append -q CI_FAILED repo=acme/app issueNumber:=43
	run -0 --separate-stderr rig-notify --once
	[ -z "$output" ]
	rig-notify --once
	discord_got '🆘 ESCALATED — acme/app#42' '❌ CI_FAILED — acme/app#43'
}

@test "a receiver sees no event below the lowest priority that goes to it" {
	start_peer
	new_log
	ev-append -q HEARTBEAT agentId=dev
	ev-append -q CI_FAILED repo=acme/app issueNumber:=42
	ev-append -q AGENT_STUCK repo=acme/app issueNumber:=42 agentId=dev
	rig-notify --once
	run -0 jq -r '.url' journal
	[ "$(sort <<<"$output")" = "$discord_path?wait=true
$discord_path?wait=true
/own
$slack_path" ]
	run -1 ev-each --parked
}

@test "a dead receiver holds up no other, and is told when it is back" {
	start_peer '"trouble": [{"when": "POST /api", "times": 2, "status": 500}]'
	new_log
	escalated
	run -65 rig-notify --once --retries 1 --backoff 0.01
	run -0 jq -r 'select(.status < 300).url' journal
	[ "$(sort <<<"$output")" = "/own
$slack_path" ]
	[ "$(ev-each --parked | jq -r '"\(.name) \(.reason)"')" = \
		"rig-notify/ops exit status 69 after 2 attempts: rig-notify:\
 'ops': '127.0.0.1:$(cat port)' is in trouble: 500 " ] || {
		ev-each --parked
		return 1
	}
	ev-each --replay rig-notify/ops
	rig-notify --once
	discord_got '🆘 ESCALATED — acme/app#42'
	[ "$(requests '"status":20[02]')" -eq 3 ]
}

@test "what a receiver refuses is parked at once, and what follows is told" {
	start_peer '"trouble": [{"when": "POST /api", "status": 400,
		"body": {"message": "Invalid Form Body", "code": 50035}}]'
	only "{ kind: discord, url: $base$discord_path }"
	new_log
	escalated
	ev-append -q CI_FAILED repo=acme/app issueNumber:=43
	run -65 rig-notify --once
	[ "$(ev-each --parked | jq -r '.attempts, (.reason
		| test("refused: 400 Invalid Form Body"))')" = $'1\ntrue' ]
	discord_got '❌ CI_FAILED — acme/app#43'
}

@test "a configuration that is just being edited parks nothing" {
	start_peer
	only "{ kind: discord, url: $base$discord_path }"
	new_log
	escalated
	cp rig.yaml good.yaml
	# it is wrong from the moment that the consumer runs until its third try
	mkdir editors
	cat >editors/ev-each <<-END
		#!/bin/sh
		echo 'notify: { receiv' >rig.yaml
		exec $(command -v ev-each) "\$@"
	END
	cat >editors/ev-from-yaml <<-END
		#!/bin/sh
		[ "\${EV_ATTEMPT-0}" -lt 3 ] || cp good.yaml rig.yaml
		exec $(command -v ev-from-yaml) "\$@"
	END
	chmod +x editors/*
	PATH=$PWD/editors:$PATH run -0 rig-notify --once --backoff 0.01
	[[ $output = *'failed, again in'*'failed, again in'* ]]
	run -1 ev-each --parked
	discord_got '🆘 ESCALATED — acme/app#42'
}

@test "killed after the receiver took it: told again, under the same key" {
	start_peer
	only "{ kind: webhook, url: $base/own, token-file: hook.token }"
	new_log
	escalated
	# curl is the one whose end nobody learns of
	mkdir killers
	cat >killers/curl <<-END
		#!/bin/sh
		$(command -v curl) "\$@"
		kill -9 \$(cat '$PWD/each.pid')
	END
	cat >killers/ev-each <<-END
		#!/bin/sh
		echo \$\$ >'$PWD/each.pid'
		exec $(command -v ev-each) "\$@"
	END
	chmod +x killers/*
	PATH=$PWD/killers:$PATH run -69 rig-notify --once
	[ "$(requests)" -eq 1 ]
	# until its commands have ended, it is held
	until rig-notify --once; do
		[ $? -eq 75 ]
	done
	run -0 jq -r '.headers["idempotency-key"], .status' journal
	[ "${#lines[@]}" -eq 4 ]
	[ "${lines[0]}" = "${lines[2]}" ]
	rig-notify --once
	[ "$(requests)" -eq 2 ]
}

@test "--follow tells at once, and ends when it is told to" {
	start_peer
	escalated
	rig-notify --follow 3>&- 2>follow.err &
	follower=$!
	names() { [ "$(ev-each --lag 2>/dev/null | jq -r .owner | grep -vc null)" -eq 3 ]; }
	eventually names
	ev-append -q AGENT_STUCK repo=acme/app issueNumber:=42 agentId=dev
	two() { [ "$(requests '"status":200')" -eq 2 ]; }
	eventually two
	kill "$follower"
	wait "$follower"
	follower=
	[ ! -s follow.err ]
	[ "$(requests)" -eq 2 ]
	# nobody is left behind
	run -0 jq -s 'map(.owner) | unique' < <(ev-each --lag)
	[ "$(jq -c . <<<"$output")" = '[null]' ]
}

@test "when one of its consumers dies, --follow ends, and says that it failed" {
	start_peer
	escalated
	rig-notify --follow 3>&- 2>follow.err &
	follower=$!
	names() { [ "$(ev-each --lag 2>/dev/null | jq -r .owner | grep -vc null)" -eq 3 ]; }
	eventually names
	victim=$(pgrep -P "$follower" -f rig-notify/team)
	kill -9 "$victim"
	wait "$follower" && status=0 || status=$?
	follower=
	[ "$status" -eq 69 ]
	[ "$(tail -n 1 follow.err)" = 'rig-notify: a consumer ended by itself, and so do all: start this again' ]
	run -0 ev-each --lag
	jq -es 'map(select(.owner).name) - ["rig-notify/team"] == []' <<<"$output"
}

@test "--once and --follow say which priorities nobody is told of" {
	start_peer
	sed -i '/action:/d' rig.yaml
	run -0 rig-notify --once
	[ "$output" = "rig-notify: priority action: nobody is told:\
 notify.routes.action of ./rig.yaml names no receiver" ]
	run -0 rig-notify -q --once
	[ -z "$output" ]
	sed -i '/info:/d' rig.yaml
	run -0 rig-notify --once
	[ "${#lines[@]}" -eq 2 ]
	echo '    info: []' >>rig.yaml
	run -0 rig-notify --once
	[ "${#lines[@]}" -eq 1 ]
}
