#!/usr/bin/env bats
# ev-append: what is accepted, what is refused, what is acknowledged when.

load helper

issue='{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":42,"title":"t"}'

# member NAME: of the JSON lines on standard input.
member() {
	jq -r ".$1"
}

@test "a receipt is a superset of streamId, type and timestamp" {
	run -0 --separate-stderr ev-append <<<"$issue"
	[ "$(jq -r '[.streamId,.type,.position,.version]|@tsv' <<<"$output")" = \
		$'acme/app#42\tISSUE_APPROVED\t1\t0' ]
	[[ $(member timestamp <<<"$output") =~ ^20[0-9-]+T[0-9:]+\.[0-9]{6}Z$ ]]
	[[ $(member id <<<"$output") =~ ^[0-9a-f]{8}-[0-9a-f]{4}-7 ]]
	[ -z "$stderr" ]
}

@test "what is appended comes back, all members there" {
	ev-append -q --actor me --correlation c --causation d <<<"$issue"
	run -0 ev-cat
	keys='["position","streamId","version","id","catalog","type",
		"schemaVersion","timestamp","recordedAt","priority",
		"correlationId","causationId","actor","data","meta"]'
	[ "$(jq -c keys_unsorted <<<"$output")" = "$(jq -c . <<<"$keys")" ]
	[ "$(jq -c '[.actor,.correlationId,.causationId]' <<<"$output")" = \
		'["me","c","d"]' ]
}

@test "canonical, native forms and CloudEvents come mixed in one stream" {
	run -0 ev-append <<'EOF'
{"type":"CI_FAILED","streamId":"acme/app#1","data":{"repo":"acme/app","issueNumber":1,"prNumber":7}}
{"type":"CI_PASSED","repo":"acme/app","issueNumber":1,"prNumber":7}
{"event_id":"w1","event_type":"CostIncurred","workflow_id":"wf","timestamp":"2026-01-02T03:04:05Z","payload":{"kind":"cost_incurred","tier":"direct","amount_usd":12.10,"source":"llm"},"correlation_id":null}
{"id":"s1","event_type":"SessionSpawned","priority":"urgent","session_id":"s","project_id":"p","timestamp":"2026-01-02T03:04:05Z","message":"hello","data":{"x":1}}
{"eventId":"1","eventTime":"2026-01-02T03:04:05.123456789Z","eventType":"EVENT_TYPE_WORKFLOW_EXECUTION_STARTED","workflowId":"w","runId":"r","workflowExecutionStartedEventAttributes":{}}
{"specversion":"1.0","id":"ce","source":"urn:ev:rig","type":"ev.rig.MERGED","subject":"acme/app#1","data":{"repo":"acme/app","issueNumber":1,"prNumber":7}}
EOF
	[ "$(member streamId <<<"$output" | sort | uniq -c | tr -s ' ')" = \
		' 3 acme/app#1
 1 session/s
 1 temporal/w/r
 1 workflow/wf' ]
	run -0 ev-cat
	[ "$(jq -r .catalog <<<"$output" | tr '\n' ' ')" = \
		'rig rig workflow session temporal rig ' ]
	[ "$(sed -n 3p <<<"$output" | grep -c '"amount_usd":12.10,')" = 1 ]
	[ "$(sed -n 4p <<<"$output" | jq -c '[.priority,.data.data.x]')" = \
		'["urgent",1]' ]
	[ "$(sed -n 5p <<<"$output" | jq -c '[.type,.id,.timestamp]')" = \
		'["WorkflowExecutionStarted","w/r/1","2026-01-02T03:04:05.123456Z"]' ]
}

@test "a type is found by its shape, whatever its spelling" {
	run -0 ev-append <<'EOF'
{"type":"issue_approved","repo":"a/b","issueNumber":1,"title":"t"}
{"type":"IssueApproved","repo":"a/b","issueNumber":2,"title":"t"}
{"event_type":"plugin_resolved","payload":{"plugin_id":"p","extends_chain":[],"matched_scope":"s","fallback_used":false}}
{"event_type":"session_spawned","session_id":"s","project_id":"p"}
{"type":"pr_created","repo":"a/b","issueNumber":1,"prNumber":3}
{"event_type":"pr_created","session_id":"s","project_id":"p"}
{"type":"PrCreated","repo":"a/b","issueNumber":1,"prNumber":3}
EOF
	[ "$(member type <<<"$output" | tr '\n' ' ')" = 'ISSUE_APPROVED ISSUE_APPROVED PluginResolved SessionSpawned PR_CREATED PrCreated PR_CREATED ' ]
}

@test "-c overrules the shape" {
	run -0 ev-append -c session -s s \
		<<<'{"type":"pr_created","session_id":"s","project_id":"p"}'
	[ "$(member type <<<"$output")" = PrCreated ]
	run -64 --separate-stderr ev-cat -c nothing
	[[ $stderr == 'ev-cat: unknown catalog: nothing'* ]]
}

@test "an unknown type is refused by its name" {
	run -65 --separate-stderr ev-append <<<'{"type":"NOPE","data":{}}'
	[ "$stderr" = 'ev-append: line 1: unknown event type: NOPE' ]
	[ -z "$output" ]
}

@test "an ambiguous spelling names both catalogs" {
	run -65 --separate-stderr ev-append -s s <<<'{"type":"pr_created","data":{}}'
	[[ $stderr == *ambiguous*rig*session* ]]
}

@test "aliases become the catalog's names, defaults are added" {
	ev-append -q <<'EOF'
{"type":"REVIEW_DISPUTED","repo":"a/b","issueNumber":1,"prNumber":2,"attempt":3,"reason":"no"}
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":1,"title":"t"}
EOF
	run -0 ev-cat
	[ "$(sed -n 1p <<<"$output" | jq -c .data)" = \
		'{"repo":"a/b","issueNumber":1,"prNumber":2,"iteration":3,"reason":"no"}' ]
	[ "$(sed -n 2p <<<"$output" | jq -r .data.priority)" = normal ]
}

@test "a heartbeat goes to its agent, or where the caller says" {
	run -0 ev-append <<'EOF'
{"type":"HEARTBEAT","agentId":"dev-e-node/x7k2p"}
{"type":"HEARTBEAT","agentId":"dev-e-node","streamId":"a/b#1"}
EOF
	[ "$(member streamId <<<"$output" | tr '\n' ' ')" = 'dev-e-node a/b#1 ' ]
}

@test "a stream that is named completes the payload" {
	ev-append -q -s acme/app#42 CI_PASSED prNumber:=7
	run -0 ev-cat
	[ "$(jq -c .data <<<"$output")" = \
		'{"prNumber":7,"repo":"acme/app","issueNumber":42}' ]
}

@test "an event that says no stream is refused, and says how to name one" {
	run -65 --separate-stderr ev-append <<<'{"type":"MERGED","prNumber":1,"issueNumber":3}'
	[[ $stderr == *"'repo'"* ]]
}

@test "one event from arguments: texts and JSON" {
	run -0 ev-append ISSUE_APPROVED repo=acme/app issueNumber:=7 \
		'title=it'\''s "quoted" $(id) `id` \ ; -x
line two 🚀' 'dependsOn:=["acme/app#3", 4]'
	run -0 ev-cat
	[ "$(jq -r .data.title <<<"$output")" = 'it'\''s "quoted" $(id) `id` \ ; -x
line two 🚀' ]
	[ "$(jq -c .data.dependsOn <<<"$output")" = '["acme/app#3",4]' ]
}

@test "an argument's JSON cannot reach beyond its value" {
	run -65 --separate-stderr ev-append -s s HEARTBEAT 'agentId:="a"},"type":"MERGED"'
	[[ $stderr == *"'agentId'"* ]]
	run -64 --separate-stderr ev-append HEARTBEAT agentId
	[[ $stderr == *KEY=TEXT* ]]
	run -69 ev-cat
}

@test "files are named by their spelling: a dot or a slash" {
	echo "$issue" >"$BATS_TEST_TMPDIR/HEARTBEAT"
	cd "$BATS_TEST_TMPDIR"
	run -65 ev-append HEARTBEAT
	run -0 ev-append ./HEARTBEAT - <<<"$issue"
	[ "${#lines[@]}" = 2 ]
	run -74 --separate-stderr ev-append ./nothing
	[[ $stderr == *"'./nothing'"* ]]
}

@test "a bad line is named and refused, the rest is appended" {
	run -65 --separate-stderr ev-append --rejects "$BATS_TEST_TMPDIR/bad" <<EOF
$issue
{"type":"CI_FAILED",}
$issue

[1]
"text"
$issue
EOF
	[ "${#lines[@]}" = 3 ]
	[[ ${stderr_lines[0]} == 'ev-append: line 2: column '* ]]
	[[ ${stderr_lines[1]} == 'ev-append: line 5: not an event: expected an object, found array' ]]
	[ "$(cat "$BATS_TEST_TMPDIR/bad")" = '{"type":"CI_FAILED",}
[1]
"text"' ]
}

@test "UTF-8, depth and size problems are named with their column" {
	printf '{"type":"HEARTBEAT","agentId":"a\xff"}\n' >"$BATS_TEST_TMPDIR/x"
	run -65 --separate-stderr ev-append "$BATS_TEST_TMPDIR/x"
	[[ $stderr == *'line 1: column '* ]]
	deep=$(printf '[%.0s' $(seq 200))
	run -65 --separate-stderr ev-append <<<"{\"type\":\"HEARTBEAT\",\"agentId\":\"a\",\"x\":$deep"
	[[ $stderr == *'column '* ]]
	closed=$(printf ']%.0s' $(seq 200))
	run -65 --separate-stderr ev-append <<<"{\"type\":\"HEARTBEAT\",\"agentId\":\"a\",\"x\":$deep$closed}"
	[[ $stderr == *'column '*128* ]]
	{
		printf '{"type":"HEARTBEAT","agentId":"a","x":"'
		head -c 17000000 /dev/zero | tr '\0' x
		printf '"}\n%s\n' "$issue"
	} >"$BATS_TEST_TMPDIR/big"
	run -65 --separate-stderr ev-append "$BATS_TEST_TMPDIR/big"
	[[ $stderr == *'line 1: longer than 16777216 bytes'* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "a payload that does not fit its schema is refused by its path" {
	run -65 --separate-stderr ev-append <<<'{"type":"CI_FAILED","repo":"a/b","issueNumber":"x","prNumber":1}'
	[[ $stderr == *"CI_FAILED: 'issueNumber': expected integer, found string"* ]]
}

@test "numbers keep their text, strings their content" {
	ev-append -q <<<'{"type":"HEARTBEAT","agentId":"a","n":[12.10,9007199254740993,1e400,-0,1E+2,0.10e-7],"s":"\u0041\u0000\ud83d\ude80\/é\u2028"}'
	run -0 ev-cat
	[[ $output == *'"n":[12.10,9007199254740993,1e400,-0,1E+2,0.10e-7]'* ]]
	[ "$(jq -c .data.s <<<"$output")" = "$(jq -c . <<<'"A\u0000🚀/é\u2028"')" ]
}

@test "duplicates: of known members refused, of others kept" {
	run -65 --separate-stderr ev-append <<'EOF'
{"type":"HEARTBEAT","agentId":"a","agentId":"b"}
{"type":"HEARTBEAT","type":"MERGED","agentId":"b"}
{"type":"REVIEW_DISPUTED","repo":"a/b","issueNumber":1,"prNumber":1,"attempt":1,"iteration":2}
{"type":"HEARTBEAT","agentId":"b","x":1,"x":2,"y":{"agentId":1,"agentId":2}}
EOF
	[ "${#stderr_lines[@]}" = 3 ]
	[[ ${stderr_lines[0]} == *"'agentId': member given twice" ]]
	[[ ${stderr_lines[1]} == *"'type': member given twice" ]]
	[[ ${stderr_lines[2]} == *"'iteration': member given twice" ]]
	run -0 ev-cat
	[[ $output == *'"x":1,"x":2,"y":{"agentId":1,"agentId":2}'* ]]
}

@test "members that nobody knows are kept" {
	ev-append -q <<'EOF'
{"type":"CI_PASSED","streamId":"s","data":{"repo":"a/b","issueNumber":1,"prNumber":1},"traceparent":"00-1","meta":{"a":1}}
{"event_type":"PluginResolved","payload":{"plugin_id":"p","extends_chain":[],"matched_scope":"s","fallback_used":false},"extra":true}
EOF
	run -0 ev-cat
	[ "$(jq -c .meta <<<"$output" | tr '\n' ' ')" = \
		'{"traceparent":"00-1","a":1} {"extra":true} ' ]
}

@test "the same id again: the same content is a duplicate, other content refused" {
	ev-append -q --id once HEARTBEAT agentId=a status=working
	run -0 ev-append --id once HEARTBEAT agentId=a status=working
	[ "$(jq -c '[.duplicate,.position,.version]' <<<"$output")" = '[true,1,0]' ]
	run -65 --separate-stderr ev-append --id once HEARTBEAT agentId=a status=idle
	[ "$stderr" = "ev-append: id 'once' is taken by another event, at position 1" ]
	run -65 ev-append --id once -s other HEARTBEAT agentId=a status=working
	run -65 ev-append --id once --actor x HEARTBEAT agentId=a status=working
	[ "$(ev-cat --count)" = 1 ]
}

@test "duplicates alone leave the log as it was" {
	ev-append -q --id once HEARTBEAT agentId=a
	head=$(ev-verify --head)
	run -0 ev-append --id once HEARTBEAT agentId=a
	[ "$(ev-verify --head)" = "$head" ]
	ev-verify
}

@test "the same id twice in one group is stored once" {
	a='{"type":"HEARTBEAT","agentId":"a","id":"x"}'
	b='{"type":"HEARTBEAT","agentId":"b","id":"x"}'
	run -65 --separate-stderr ev-append <<<"$a"$'\n'"$a"$'\n'"$b"$'\n'"$a"
	[ "$(jq -c '[.position,.duplicate]' <<<"$output" | tr '\n' ' ')" = \
		'[1,null] [1,true] [1,true] ' ]
	[ "$(ev-cat --count)" = 1 ]
	ev-verify
}

@test "a group with known ids in the middle leaves no holes" {
	for i in 1 2 3 4 5 6; do
		echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"a\",\"id\":\"i$i\"}"
	done >"$BATS_TEST_TMPDIR/all"
	sed -n '2p;5p' "$BATS_TEST_TMPDIR/all" | ev-append -q
	run -0 ev-append "$BATS_TEST_TMPDIR/all"
	[ "$(jq -c '[.id,.position,.duplicate]' <<<"$output" | tr '\n' ' ')" = \
		'["i1",3,null] ["i2",1,true] ["i3",4,null] ["i4",5,null] ["i5",2,true] ["i6",6,null] ' ]
	ev-verify
}

@test "what ev-cat prints can be appended again: all duplicates" {
	ev-append -q <<<"$issue"
	ev-append -q --actor x --priority critical HEARTBEAT agentId=a
	ev-cat >"$BATS_TEST_TMPDIR/all"
	run -0 ev-append "$BATS_TEST_TMPDIR/all"
	[ "$(jq -c .duplicate <<<"$output" | tr '\n' ' ')" = 'true true ' ]
	EV_LOG=$BATS_TEST_TMPDIR/other.db ev-append -q "$BATS_TEST_TMPDIR/all"
	EV_LOG=$BATS_TEST_TMPDIR/other.db ev-cat |
		jq -c 'del(.recordedAt)' >"$BATS_TEST_TMPDIR/copy"
	jq -c 'del(.recordedAt)' "$BATS_TEST_TMPDIR/all" |
		cmp - "$BATS_TEST_TMPDIR/copy"
}

@test "stale version exits 80 and writes nothing" {
	ev-append -q <<<"$issue"
	run -80 --separate-stderr ev-append -e 4 -s acme/app#42 CI_PASSED prNumber:=1
	[ "$stderr" = "ev-append: cannot append to 'acme/app#42': expected version 4, found version 0" ]
	run -80 --separate-stderr ev-append -e none -s acme/app#42 CI_PASSED prNumber:=1
	[[ $stderr == *'expected no stream, found version 0' ]]
	run -80 --separate-stderr ev-append -e exists -s acme/app#43 CI_PASSED prNumber:=1
	[[ $stderr == *'expected a stream, found none' ]]
	[ "$(ev-cat --count)" = 1 ]
	ev-append -q -e 0 -s acme/app#42 CI_PASSED prNumber:=1
	ev-append -q -e exists -s acme/app#42 CI_PASSED prNumber:=1
	ev-append -q -e any -s acme/app#42 CI_PASSED prNumber:=1
	ev-append -q -e none -s acme/app#43 CI_PASSED prNumber:=1
	run -64 ev-append -e -1 -s x CI_PASSED
	run -64 ev-append -e abc -s x CI_PASSED
}

@test "a retry with its id succeeds although the version has moved on" {
	ev-append -q -e none --id first -s acme/app#1 CI_PASSED prNumber:=1
	run -0 ev-append -e none --id first -s acme/app#1 CI_PASSED prNumber:=1
	[ "$(member duplicate <<<"$output")" = true ]
}

@test "-e counts on over the events of one run" {
	ev-append -q <<<"$issue"
	run -0 ev-append -e 0 <<<"$issue"$'\n'"$issue"$'\n'"$issue"
	[ "$(member version <<<"$output" | tr '\n' ' ')" = '1 2 3 ' ]
	# after a conflict nothing of that stream goes in by accident
	run -80 --separate-stderr ev-append -e 1 <<EOF
$issue
$issue
$issue
$issue
{"type":"HEARTBEAT","agentId":"a","streamId":"other"}
EOF
	[ "$(ev-cat -s acme/app#42 --count)" = 4 ]
}

@test "--atomic: one refused event, and nothing is stored" {
	ev-append -q --id taken HEARTBEAT agentId=a
	good='{"type":"HEARTBEAT","agentId":"g"}'
	for bad in '{"type":"NOPE"}' '{"type":"HEARTBEAT","agentId":"b","id":"taken"}'; do
		run -65 --separate-stderr ev-append --atomic <<<"$good"$'\n'"$bad"$'\n'"$good"
		[ -z "$output" ]
		[ -n "$stderr" ]
	done
	run -80 --separate-stderr ev-append --atomic -e none \
		<<<"$good"$'\n''{"type":"HEARTBEAT","agentId":"a"}'
	[ -z "$output" ]
	[ "$(ev-cat --count)" = 1 ]
	run -0 ev-append --atomic <<<"$good"$'\n'"$good"
	[ "${#lines[@]}" = 2 ]
	ev-verify
}

@test "a slow pipe is acknowledged at once" {
	mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
	ev-append <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" &
	exec 7>"$BATS_TEST_TMPDIR/in" 8<"$BATS_TEST_TMPDIR/out"
	for i in 1 2 3; do
		echo "$issue" >&7
		read -r -t 10 receipt <&8
		[ "$(member position <<<"$receipt")" = $i ]
		# and it is there for others
		[ "$(ev-cat --count)" = $i ]
	done
	exec 7>&-
	wait $!
	exec 8<&-
}

@test "-0: records end in NUL and may hold newlines" {
	printf '{"type":"HEARTBEAT",\n "agentId":"a"}\0{"type":"HEARTBEAT","agentId":"b"}\0' >"$BATS_TEST_TMPDIR/x"
	run -0 ev-append -0 "$BATS_TEST_TMPDIR/x"
	[ "${#lines[@]}" = 2 ]
	[ "$(ev-cat -n 1 | wc -l)" = 1 ]
}

@test "the last line needs no newline, and \\r\\n is a line's end" {
	printf '%s\r\n%s' "$issue" "$issue" >"$BATS_TEST_TMPDIR/x"
	run -0 ev-append "$BATS_TEST_TMPDIR/x"
	[ "${#lines[@]}" = 2 ]
}

@test "--dry-run checks and appends nothing" {
	run -65 ev-append --dry-run <<<"$issue"$'\n''{"type":"NOPE"}'
	run -0 ev-append --dry-run <<<"$issue"
	[ ! -e "$EV_LOG" ]
}

@test "bad input alone makes no log, and no input is no error" {
	run -65 ev-append <<<x
	[ ! -e "$EV_LOG" ]
	run -0 ev-append </dev/null
	[ ! -e "$EV_LOG" ]
}

@test "the default log is made in the state folder" {
	unset EV_LOG
	XDG_STATE_HOME=$BATS_TEST_TMPDIR/state run -0 ev-append <<<"$issue"
	[ -f "$BATS_TEST_TMPDIR/state/ev/log.db" ]
}

@test "a log that cannot be made is one line and 69" {
	run -69 --separate-stderr ev-append -l "$BATS_TEST_TMPDIR/no/such/log" <<<"$issue"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"$BATS_TEST_TMPDIR/no/such/log"* ]]
	run -69 --separate-stderr ev-append -l postgresql://h/d <<<"$issue"
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "wrong usage is one line and 64" {
	for args in '--nope' '-x' '-e' '--priority loud HEARTBEAT agentId=a' '--id= HEARTBEAT'; do
		# shellcheck disable=SC2086
		run -64 --separate-stderr ev-append $args </dev/null
		[ "${#stderr_lines[@]}" = 1 ]
	done
	run -64 --separate-stderr ev-append --id x <<<"$issue"$'\n'"$issue"
	[[ $stderr == *'--id names one event'* ]]
}

@test "errors as JSON on request" {
	EV_ERRORS=json run -65 --separate-stderr ev-append <<<'{"type":"NO\"PE","data":{}}'
	[ "$(jq -r '[.command,.status,.message]|@tsv' <<<"$stderr")" = \
		$'ev-append\t65\tline 1: unknown event type: NO"PE' ]
}

@test "event text on stderr cannot drive the terminal" {
	run -65 --separate-stderr ev-append <<<'{"type":"\u001b]52;c;x\u0007\u009b2J\u202e\n","data":{}}'
	err=$stderr
	run ! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$err"
	run ! grep -q $'\xc2\x9b' <<<"$err"
	run ! grep -q $'\u202e' <<<"$err"
}

@test "recordedAt never runs backwards, timestamp is the sender's" {
	ev-append -q --timestamp 2020-02-29T12:00:00+02:00 HEARTBEAT agentId=a
	ev-append -q --timestamp 2019-01-01T00:00:00Z HEARTBEAT agentId=a
	run -0 ev-cat
	[ "$(jq -r .timestamp <<<"$output" | head -1)" = 2020-02-29T10:00:00.000000Z ]
	[ "$(jq -r .recordedAt <<<"$output")" = "$(jq -r .recordedAt <<<"$output" | sort)" ]
	run -65 ev-append --timestamp 2019-02-29T00:00:00Z HEARTBEAT agentId=a
	run -65 ev-append --timestamp yesterday HEARTBEAT agentId=a
}

@test "a catalog is added by dropping a file; what it said is kept" {
	mkdir "$BATS_TEST_TMPDIR/schemas"
	cat >"$BATS_TEST_TMPDIR/schemas/shop.yaml" <<'EOF'
catalog: shop
stream: "order-{order}"
types:
  ORDERED:
    payload:
      required: [order]
      properties:
        order: {type: integer}
        cents: {type: integer}
EOF
	export EV_SCHEMAS="$BATS_TEST_TMPDIR/schemas:"
	run -0 ev-append ORDERED order:=7 cents:=1250
	[ "$(member streamId <<<"$output")" = order-7 ]
	ev-append -q <<<"$issue" # the empty part of the path: our own catalogs
	cat >"$BATS_TEST_TMPDIR/schemas/shop.yaml" <<'EOF'
catalog: shop
stream: "order-{order}"
types:
  ORDERED:
    version: 2
    payload:
      required: [order, amount]
      properties:
        order: {type: integer}
        amount: {type: integer}
        currency: {type: string}
    upcast:
      1:
        - rename: {cents: amount}
        - default: {currency: EUR}
EOF
	run -65 ev-append ORDERED order:=7 cents:=1250
	run -0 ev-append ORDERED order:=7 amount:=3
	run -0 ev-cat -s order-7
	[ "$(jq -c '[.schemaVersion,.data]' <<<"$output" | tr '\n' ' ')" = \
		'[2,{"order":7,"amount":1250,"currency":"EUR"}] [2,{"order":7,"amount":3}] ' ]
	run -0 ev-cat --raw -s order-7
	[ "$(jq -c '[.schemaVersion,.data]' <<<"${lines[0]}")" = \
		'[1,{"order":7,"cents":1250}]' ]
	[ "$(sqlite3 -readonly "$EV_LOG" "SELECT count(*) FROM definition WHERE catalog = 'shop'")" = 2 ]
	ev-verify
	# the file is broken: reading goes on, appending says where
	echo 'catalog: [' >"$BATS_TEST_TMPDIR/schemas/shop.yaml"
	run -0 --separate-stderr ev-cat -s order-7
	[ "${#lines[@]}" = 2 ]
	run -65 --separate-stderr ev-append ORDERED order:=7 amount:=3
	[[ $stderr == *'shop.yaml:'* ]]
}
