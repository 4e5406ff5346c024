#!/usr/bin/env bats

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cat >spent.yaml <<'END'
projection: spent
catalog: rig
key: "{.agentId}"
on:
  TOKEN_USAGE: { count: { calls: 1 }, add: { usd: .costUsd } }
END
	cat >last.yaml <<'END'
projection: last
catalog: rig
key: "{$.streamId}"
on:
  "*":
    set: { position: $.position, version: $.version, id: $.id,
           at: $.timestamp, recorded: $.recordedAt, data: . }
END
}

# usage AGENT COST: one event, as somebody would make it up.
usage() {
	printf '{"type":"TOKEN_USAGE","data":{"agentId":"%s","costUsd":%s}}\n' \
		"$@"
}

@test "documents come one a line, ordered by the bytes of their keys" {
	{ usage é 1; usage b 1; usage a/2 1; usage a 1; usage Z 1; } >events
	run -0 ev-fold -p ./spent.yaml events
	[ "$output" = '{"key":"Z","calls":1,"usd":1}
{"key":"a","calls":1,"usd":1}
{"key":"a/2","calls":1,"usd":1}
{"key":"b","calls":1,"usd":1}
{"key":"é","calls":1,"usd":1}' ]
}

@test "a million amounts of 0.1 are 100000.0, and 12.10 and 0.05 are 12.15" {
	{
		usage a 12.10
		usage a '"0.05"'
		yes "$(usage b 0.1)" | head -n 1000000
	} >events
	run -0 ev-fold -p ./spent.yaml events
	[ "$output" = '{"key":"a","calls":2,"usd":12.15}
{"key":"b","calls":1000000,"usd":100000.0}' ]
}

@test "no events, no documents" {
	run -0 --separate-stderr ev-fold -p ./spent.yaml </dev/null
	[ -z "$output$stderr" ]
}

@test "of several projections each line says whose it is" {
	usage a 1 | sed 's/{/{"streamId":"a",/' >events
	run -0 ev-fold -p ./last.yaml -p ./spent.yaml events
	[ "$output" = '{"projection":"last","key":"a","position":1,"version":0,"id":null,"at":null,"recorded":null,"data":{"agentId":"a","costUsd":1}}
{"projection":"spent","key":"a","calls":1,"usd":1}' ]
}

@test "-k prints the documents of these keys only, each once, in order" {
	{ usage a 1; usage b 1; usage 'q\"' 1; } >events
	run -0 ev-fold -p ./spent.yaml -k 'q"' -k a -k a events
	[ "$output" = '{"key":"a","calls":1,"usd":1}
{"key":"q\"","calls":1,"usd":1}' ]
}

@test "a key without a document is status 1, what there is is printed" {
	usage a 1 >events
	run -1 --separate-stderr ev-fold -p ./spent.yaml -k a -k x events
	[ "$output" = '{"key":"a","calls":1,"usd":1}' ]
	[ -z "$stderr" ]
	run -1 ev-fold -p ./spent.yaml --each -k x events
	[ -z "$output" ]
	run -1 ev-fold -p ./spent.yaml -k '' events
	[ -z "$output" ]
}

@test "--each prints what every event touched, by key" {
	cat >parts.yaml <<'END'
projection: parts
catalog: rig
key: "{.repo}"
notes:
  key: "{.repo}"
  on: { CI_FAILED: { count: { n: 1 } } }
on:
  CI_FAILED: { each: .failedChecks, key: "{$each}", count: { n: 1 } }
END
	cat >events <<'END'
{"type":"CI_FAILED","data":{"repo":"r","failedChecks":["unit","lint"]}}
{"type":"CI_PASSED","data":{"repo":"r"}}
{"type":"CI_FAILED","data":{"repo":"r","failedChecks":["unit"]}}
END
	run -0 ev-fold -p ./parts.yaml --each events
	[ "$output" = '{"key":"lint","n":1}
{"key":"unit","n":1}
{"key":"unit","n":2}' ]
	run -0 ev-fold -p ./parts.yaml --each -k unit events
	[ "$output" = '{"key":"unit","n":1}
{"key":"unit","n":2}' ]
}

@test "--each answers an event before the next one comes" {
	mkfifo in out
	ev-fold -p ./spent.yaml --each <in >out &
	exec 7>in 8<out
	usage a 1 >&7
	read -r -t 10 line <&8
	[ "$line" = '{"key":"a","calls":1,"usd":1}' ]
	usage a 1 >&7
	read -r -t 10 line <&8
	[ "$line" = '{"key":"a","calls":2,"usd":2}' ]
	exec 7>&-
	wait $!
	exec 8<&-
}

@test "a signal ends it between two lines" {
	mkfifo in out
	ev-fold -p ./spent.yaml --each <in >out &
	exec 7>in 8<out
	usage a 1 >&7
	read -r -t 10 line <&8
	kill -TERM $!
	local ended=0
	wait $! || ended=$?
	[ "$ended" -eq 143 ]
	run -1 read -r -t 10 line <&8
	exec 7>&- 8<&-
}

# What a log printed, and the same events in other spellings.
@test "every spelling of an event is the same event" {
	ev-append -q <<'END'
{"type":"CI_FAILED","timestamp":"2026-04-21T10:22:00Z","repo":"acme/app","issueNumber":42,"failedChecks":["a b","\"q\"","é","\ud83d\ude00","\u0007"],"x":{"n":[12.10,1e400,-0.0,true,null,{}]}}
{"type":"HEARTBEAT","timestamp":"2026-04-21T12:22:00+02:00","agentId":"dev-1","actor":"a\\b"}
END
	ev-cat >canonical
	ev-fold -p ./last.yaml <canonical >want
	[ "$(wc -l <want)" -eq 2 ]
	# other escapes
	sed 's|acme/app|acme\\/app|g; s|é|\\u00e9|; s|\\u0007|\\u0007|
		s|CI_FAILED|\\u0043I_FAILED|; s|😀|\\uD83D\\uDE00|' \
		canonical >spelled
	run -1 cmp -s canonical spelled
	ev-fold -p ./last.yaml <spelled | cmp - want
	# blanks
	sed 's/\([{,:]\)"/\1 \t "/g; s/":\([0-9]\)/" : \1/g; s/$/ \r/' \
		canonical >spelled
	ev-fold -p ./last.yaml <spelled | cmp - want
	# one blank, in the last place
	sed 's/}$/ }/' canonical | ev-fold -p ./last.yaml | cmp - want
	# members in another order, and more of them
	sed -E 's/^\{("position":[0-9]+),(.*)\}$/{\2,"more":[{}],\1}/' \
		canonical | ev-fold -p ./last.yaml | cmp - want
	# times as others write them
	sed 's/:00\.000000Z"/:00Z"/' canonical | ev-fold -p ./last.yaml |
		cmp - want
}

@test "what an event lacks is filled in, or missing" {
	cat >events <<'END'
{"streamId":"a","type":"HEARTBEAT","data":{}}
{"streamId":"b","type":"HEARTBEAT","data":{},"position":7,"version":2,"timestamp":"2026-04-21T10:22:00Z","id":"x","meta":null}
{"streamId":"c","type":"HEARTBEAT","data":{},"recordedAt":"2026-04-21T10:22:01Z"}
END
	run -0 ev-fold -p ./last.yaml events
	[ "${lines[0]}" = '{"key":"a","position":1,"version":0,"id":null,"at":null,"recorded":null,"data":{}}' ]
	[ "${lines[1]}" = '{"key":"b","position":7,"version":2,"id":"x","at":"2026-04-21T10:22:00.000000Z","recorded":"2026-04-21T10:22:00.000000Z","data":{}}' ]
	[ "${lines[2]}" = '{"key":"c","position":8,"version":0,"id":null,"at":"2026-04-21T10:22:01.000000Z","recorded":"2026-04-21T10:22:01.000000Z","data":{}}' ]
}

@test "an event of another catalog, or without one where there are two, is not folded" {
	sed 's/^catalog:.*/catalog: [rig, session]/' last.yaml >two.yaml
	echo '{"catalog":"workflow","streamId":"a","type":"HEARTBEAT","data":{}}' |
		ev-fold -p ./last.yaml >out
	[ ! -s out ]
	run -65 --separate-stderr ev-fold -p ./two.yaml \
		<<<'{"streamId":"a","type":"HEARTBEAT","data":{}}'
	[[ $stderr == "ev-fold: line 1: no 'catalog', "* ]]
}

@test "bad lines are named, and the others folded" {
	{
		usage a 1
		printf 'nonsense\n\n \t\r\n[]\n{"type":"X"}\n{"data":{}}\n'
		printf '{"type":7,"data":{}}\n{"type":"X","data":[]}\n'
		printf '{"type":"X","type":"Y","data":{}}\n'
		printf '{"type":"X","data":{},"timestamp":"today"}\n'
		printf '{"type":"X","data":{},"position":1.5}\n'
		printf '{"type":"X","data":{"a":"\xff"}}\n'
		printf '{"type":"X","data":{}} {}\n'
		printf '{"type":"X","data":{},"priority":"high"}\n'
		usage a 2
	} >events
	run -65 --separate-stderr ev-fold -p ./spent.yaml events
	[ "$output" = '{"key":"a","calls":2,"usd":3}' ]
	# shellcheck disable=SC2001 # once a line
	[ "$(sed 's/^\(ev-fold: events: line [0-9]*: \).*/\1/' <<<"$stderr")" = \
		"$(printf 'ev-fold: events: line %d: \n' 2 5 6 7 8 9 10 11 12 13 14 15)" ]
	[[ $stderr == *"line 11: 'timestamp': 'today' is no RFC 3339 time"* ]]
}

@test "an event that cannot be folded is named, and changes nothing" {
	{ usage a 1; usage a '"x"'; usage '' 1; usage a 2; } >events
	run -65 --separate-stderr ev-fold -p ./spent.yaml <events
	[ "$output" = '{"key":"a","calls":2,"usd":3}' ]
	[ "${#stderr_lines[@]}" -eq 2 ]
	[[ ${stderr_lines[0]} == "ev-fold: line 2: cannot add 'usd': "* ]]
	[[ ${stderr_lines[1]} == "ev-fold: line 3: no key: "* ]]
	run -65 --separate-stderr ev-fold -p ./spent.yaml -p ./last.yaml events
	[[ ${stderr_lines[0]} == "ev-fold: events: line 1: last: no key: "* ]]
}

@test "a line longer than any event is named and passed over" {
	{
		usage a 1
		printf '{"type":"X","data":{"a":"'
		head -c 20000000 /dev/zero | tr '\0' x
		printf '"}}\n'
		usage a 1
	} >events
	run -65 --separate-stderr ev-fold -p ./spent.yaml events
	[ "$output" = '{"key":"a","calls":2,"usd":2}' ]
	[ "$stderr" = 'ev-fold: events: line 2: longer than 16842752 bytes' ]
}

@test "the longest event that can be appended can be folded" {
	export EV_LOG=$BATS_TEST_TMPDIR/log.db
	{
		printf '{"type":"TOKEN_USAGE","agentId":"a","costUsd":1,"x":"'
		head -c $((16 * 1024 * 1024 - 60)) /dev/zero | tr '\0' x
		printf '"}\n'
	} >events
	[ "$(wc -c <events)" -le 16777217 ]
	ev-append -q ./events
	ev-cat >canonical
	[ "$(wc -c <canonical)" -gt 16777216 ]
	[ "$(ev-fold -p ./spent.yaml canonical)" = '{"key":"a","calls":1,"usd":1}' ]
	ev-get ./spent.yaml --where key=a
}

@test "a long line is read, wherever blocks of it end" {
	{
		usage a 1
		printf '{"type":"TOKEN_USAGE","data":{"agentId":"b","x":"'
		head -c 3000000 /dev/zero | tr '\0' x
		printf '","costUsd":5}}\n'
		usage a 1
	} >events
	run -0 ev-fold -p ./spent.yaml <events
	[ "$output" = '{"key":"a","calls":2,"usd":2}
{"key":"b","calls":1,"usd":5}' ]
	run -0 pipe 'dd if=events bs=4093 status=none | ev-fold -p ./spent.yaml'
	[ "${lines[1]}" = '{"key":"b","calls":1,"usd":5}' ]
}

@test "however input is cut, the answer is the same" {
	seq 20000 | awk '{ printf "{\"type\":\"TOKEN_USAGE\",\"data\":" \
		"{\"agentId\":\"a%d\",\"costUsd\":%d.25}}\n", $1 % 97, $1 }' >events
	ev-fold -p ./spent.yaml events >want
	[ "$(wc -l <want)" -eq 97 ]
	dd if=events bs=1000 status=none | ev-fold -p ./spent.yaml | cmp - want
	dd if=events bs=77777 status=none | ev-fold -p ./spent.yaml | cmp - want
	head -n 7000 events >one
	tail -n +7001 events | head -c -1 >two # its last line has no end
	ev-fold -p ./spent.yaml one two | cmp - want
	ev-fold -p ./spent.yaml one - <two | cmp - want
}

@test "line numbers begin anew with each file" {
	usage a 1 >one
	{ usage a 1; echo x; } >two
	run -65 --separate-stderr ev-fold -p ./spent.yaml one two - < <(cat two)
	[ "$output" = '{"key":"a","calls":3,"usd":3}' ]
	[[ ${stderr_lines[0]} == 'ev-fold: two: line 2: '* ]]
	[[ ${stderr_lines[1]} == 'ev-fold: line 2: '* ]]
}

@test "documents are folded from documents" {
	cat >all.yaml <<'END'
projection: all
from: spent
key: all
on:
  document:
    count: { agents: 1 }
    add: { usd: .usd }
    append: { keys: $.key }
END
	{ usage b 0.10; usage 'a\n' 0.25; usage b 1; } >events
	ev-fold -p ./spent.yaml events >documents
	run -0 ev-fold -p ./all.yaml documents
	[ "$output" = '{"key":"all","agents":2,"usd":1.35,"keys":["a\n","b"]}' ]
	sed 's/,/ , /g' documents | ev-fold -p ./all.yaml >out
	[ "$(cat out)" = "$output" ]
	run -65 --separate-stderr ev-fold -p ./all.yaml events
	[[ ${stderr_lines[0]} == "ev-fold: events: line 1: no text 'key': "* ]]
	run -64 ev-fold -p ./all.yaml -p ./spent.yaml events
}

@test "a wrong command line says what is wrong" {
	run -64 --separate-stderr ev-fold
	[[ $stderr == 'ev-fold: which projection? '* ]]
	run -64 --separate-stderr ev-fold -p no-such-one </dev/null
	[[ $stderr == "ev-fold: no projection 'no-such-one'"* ]]
	echo 'projection: 7' >bad.yaml
	run -65 --separate-stderr ev-fold -p ./bad.yaml </dev/null
	[[ $stderr == 'ev-fold: ./bad.yaml:1:'* ]]
}

@test "standard input that is a terminal is not waited for" {
	run -0 script -qec "ev-fold -p ./spent.yaml; echo status \$?" /dev/null
	[[ $output == *'no events: pipe them in or name a file'* ]]
	[[ $output == *'status 64'* ]]
}

@test "an input that cannot be read is status 74, and nothing is printed" {
	usage a 1 >one
	run -74 --separate-stderr ev-fold -p ./spent.yaml one none
	[ -z "$output" ]
	[[ $stderr == "ev-fold: cannot read 'none': "* ]]
	run -74 --separate-stderr ev-fold -p ./spent.yaml one .
	[[ $stderr == "ev-fold: cannot read '.': "* ]]
}

@test "a full disk is status 74, a reader that left is none" {
	usage a 1 >one
	run -74 --separate-stderr pipe 'ev-fold -p ./spent.yaml one >/dev/full'
	[[ $stderr == 'ev-fold: cannot write to standard output: '* ]]
	seq 100000 | sed 's/.*/{"type":"TOKEN_USAGE","data":{"agentId":"&"}}/' \
		>many
	run -141 --separate-stderr pipe 'ev-fold -p ./spent.yaml many | head -n 1'
	[ -z "$stderr" ]
}
