#!/usr/bin/env bats
# ev-table: JSON objects as a table for people.

load helper
load shells

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# shows EXPECTED [ARGUMENT...]: what ev-table prints of standard input.
shows() {
	diff <(printf '%s\n' "$1") <(ev-table "${@:2}")
}

# terminal COLUMNS COMMAND: what it prints to a terminal.
terminal() {
	COLUMNS=$1 TERM=xterm script -qec "$2" /dev/null </dev/null | tr -d '\r'
}

@test "a column for each member, in the order in which they appear" {
	shows 'b   a   c
x    1
yy  22  new' <<'END'
{"b":"x","a":1}
{"a":22,"c":"new","b":"yy"}
END
}

@test "numbers stand at the right, in the digits that they came in" {
	shows 'n
                          7
                       1.50
123456789012345678901234567
                     1E+400' <<'END'
{"n":7}
{"n":1.50}
{"n":123456789012345678901234567}
{"n":1E+400}
END
}

@test "texts stand as they are, lists of them with commas, the rest as JSON" {
	shows 'v
a "b"
lint, a b
[1,"a"]
{"x":[true]}
false
[["a"]]' <<'END'
{"v":"a \"b\""}
{"v":["lint","a b"]}
{"v":[1,"a"]}
{"v":{ "x": [true] }}
{"v":false}
{"v":[["a"]]}
END
}

@test "null, an empty list and an empty text are blank, and so is what is missing" {
	shows 'a  b
1
2
3
4
5  x' <<'END'
{"a":1,"b":null,"c":null}
{"a":2,"b":[]}
{"a":3,"b":""}
{"a":4}
{"a":5,"b":"x"}
END
}

@test "-m chooses columns, their order and their headings" {
	local rows='{"a":1,"b":"x","c":{"d":5,"e.f":6}}'
	shows $'b  a\nx  1' -m b -m a <<<"$rows"
	shows $'B  c.d  deep\nx    5     6' --member b=B -m c.d -m c.e.f=deep <<<"$rows"
	# the heading is all behind the first equals sign, and may be empty
	shows $'a=b\n  1' -m a=a=b <<<"$rows"
	shows $'   c.d\nx    5' -m b= -m c.d <<<"$rows"
}

@test "a member that is asked for twice has one column" {
	shows $'a\n1' -m a -m a -m a=a <<<'{"a":1}'
}

@test "one heading for two members is refused" {
	run -64 --separate-stderr ev-table -m a=x -m b=x <<<'{"a":1,"b":2}'
	[ "$stderr" = "ev-table: -m 'b=x': 'a' has this heading; 'ev-table -h' shows how to use it" ]
	[ -z "$output" ]
	run -64 --separate-stderr ev-table -m =x <<<'{"a":1}'
	[[ $stderr == "ev-table: -m '=x': which member?"* ]]
	run -64 ev-table -m '' <<<'{"a":1}'
}

@test "a row without any of the members is there, and blank" {
	shows $'a\n1\n\n3' -m a <<<$'{"a":1}\n{"b":2}\n{"a":3}'
}

@test "--no-heading prints rows only, as wide as they are" {
	shows $'1  x\n2  y' --no-heading <<<$'{"a":1,"long heading":"x"}\n{"a":2,"long heading":"y"}'
}

@test "a line that is no object is named, the rest is shown" {
	printf '%s\n' '{"a":1}' '' '[1]' 'oops' '{"a":2} {"a":3}' ' ' '{"a":4}' >rows
	run -65 --separate-stderr ev-table rows
	[ "$output" = $'a\n1\n4' ]
	[ "${#stderr_lines[@]}" = 3 ]
	[ "${stderr_lines[0]}" = 'ev-table: rows: line 3: expected an object, found array' ]
	[[ ${stderr_lines[1]} == 'ev-table: rows: line 4: column 1: '* ]]
	[[ ${stderr_lines[2]} == 'ev-table: rows: line 5: column 9: '* ]]
	run -65 --separate-stderr ev-table <rows
	[ "${stderr_lines[0]}" = 'ev-table: line 3: expected an object, found array' ]
	EV_ERRORS=json run -65 --separate-stderr ev-table <<<'3'
	[ -z "$output" ]
	[ "$(jq -c '[.command, .status]' <<<"$stderr")" = '["ev-table",65]' ]
}

@test "a line that is too long is named, the rest is shown" {
	{
		echo '{"a":1}'
		printf '{"a":"%*s"}\n' $((32 * 1024 * 1024)) ''
		echo '{"a":3}'
	} >rows
	run -65 --separate-stderr ev-table rows
	[ "$output" = $'a\n1\n3' ]
	[ "$stderr" = 'ev-table: rows: line 2: longer than 33554432 bytes' ]
}

@test "nothing to show is 1" {
	run -1 ev-table </dev/null
	[ -z "$output" ]
	run -1 ev-table <<<$'\n\n'
	[ -z "$output" ]
	run -1 ev-table <<<'{}'
	[ -z "$output" ]
	run -1 --separate-stderr ev-table -m staet <<<'{"state":"queued"}'
	[ -z "$output" ]
	[ "$stderr" = 'ev-table: no object has anything in the members that -m names' ]
}

@test "files are read one after another, - is standard input" {
	echo '{"a":1}' >one
	printf '{"a":3}' >three
	shows $'a\n1\n2\n3' one - three <<<'{"a":2}'
}

@test "a file that cannot be read is 74, and nothing is shown" {
	echo '{"a":1}' >one
	run -74 --separate-stderr ev-table one none
	[ -z "$output" ]
	[ "$stderr" = "ev-table: cannot read 'none': No such file or directory" ]
	run -74 --separate-stderr ev-table .
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "a failed write is 74" {
	run -74 pipe 'echo "{\"a\":1}" | ev-table 2>&1 >/dev/full'
	[[ $output == 'ev-table: cannot write to standard output: '* ]]
}

@test "nothing in an object drives the terminal, not even its names" {
	shows '\u001b[31m  b
x           \u202ey\nz\u009b' <<'END'
{"\u001b[31m":"x","b":"\u202ey\nz\u009b"}
END
}

@test "wide characters keep columns aligned" {
	shows 'a     b
漢字  1
é     2' <<'END'
{"a":"漢字","b":1}
{"a":"é","b":2}
END
}

@test "a narrow terminal cuts the widest column, no line wraps" {
	printf '{"key":"a/b#%d","title":"%*s!","n":%d}\n' 1 60 x 1 2 5 y 2 >rows
	terminal 40 'NO_COLOR=1 ev-table rows' >out
	[ "$(wc -l <out)" = 3 ]
	[ "$(wc -L <out)" = 40 ]
	grep -q '^a/b#1 .*…  1$' out
	# elsewhere it is as wide as it has to be
	[ "$(COLUMNS=40 ev-table rows | wc -L)" -gt 60 ]
	# what was cut stays aligned, with wide characters too
	printf '{"a":"%s","b":1}\n' 0123456789012345678 漢字漢字漢字漢字漢字 x漢字漢字漢字漢字漢字 é >rows
	diff - <(terminal 20 'NO_COLOR=1 ev-table rows') <<'END'
a                  b
0123456789012345…  1
漢字漢字漢字漢字…  1
x漢字漢字漢字漢…   1
é                  1
END
}

@test "only a terminal gets colour, and not with NO_COLOR" {
	local bold=$'\e[1m'
	echo '{"a":1}' >rows
	[ "$(terminal 80 'ev-table rows')" = "${bold}a"$'\e[0m\n1' ]
	[ "$(terminal 80 'ev-table --no-heading rows')" = 1 ]
	[ "$(terminal 80 'NO_COLOR=1 ev-table rows')" = $'a\n1' ]
	shows $'a\n1' rows
}

@test "what ev-get shows as a table, ev-table shows too" {
	ev-append -q ISSUE_APPROVED repo=acme/app issueNumber:=42 title='a	b'
	ev-append -q -s 'acme/app#42' CI_FAILED prNumber:=7 'failedChecks:=["lint","a b"]'
	ev-get issue-status -f table -m state -m failedChecks -m title >want
	grep -q 'lint, a b' want
	ev-get issue-status | ev-table -m key -m state -m failedChecks -m title |
		diff want -
}

@test "somebody at a terminal is told, and no row is waited for" {
	run -64 pipe 'script -qec ev-table /dev/null | tr -d "\r"; exit "${PIPESTATUS[0]}"'
	[[ $output == 'ev-table: no objects: pipe them in or name a file; '* ]]
}

@test "a signal ends it, with nothing shown" {
	mkfifo feed
	ev-table feed >out 2>&1 3>&- &
	local id=$!
	exec 4>feed
	echo '{"a":1}' >&4
	kill -TERM "$id"
	exec 4>&-
	local ended=0
	wait "$id" || ended=$?
	[ "$ended" = 143 ]
	[ ! -s out ]
}

@test "a reader that went away is no message" {
	run -141 pipe 'seq 50000 | sed "s/.*/{\"n\":&}/" | ev-table | :'
	[ -z "$output" ]
}

@test "options and files are completed" {
	echo '{}' >rows.ndjson
	local shell
	for shell in bash fish zsh; do
		[ "$("complete_$shell" 'ev-table --mem')" = --member ]
		[[ "$("complete_$shell" 'ev-table row')" == rows.ndjson* ]]
	done
}
