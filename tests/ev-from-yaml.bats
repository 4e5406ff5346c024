#!/usr/bin/env bats
# ev-from-yaml: a YAML document as one line of JSON. What the reader itself
# takes and refuses is shown in unit/test_yaml.c.

load helper
load shells

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# gives JSON [ARGUMENT...]: exactly this line, from standard input or the file.
gives() {
	diff <(printf '%s\n' "$1") <(ev-from-yaml "${@:2}")
}

@test "a document is one line of JSON, members in their order" {
	cat >rig.yaml <<'END'
# who is told what
notify:
  - { min: urgent, to: pager }
  - min: info
    to: |
      first
      second
rate: 1.50
END
	local json='{"notify":[{"min":"urgent","to":"pager"},{"min":"info","to":"first\nsecond\n"}],"rate":1.50}'
	gives "$json" rig.yaml
	gives "$json" <rig.yaml
	gives "$json" - <rig.yaml
	ev-from-yaml rig.yaml | jq -e '.rate == 1.5'
}

@test "scalars are those of YAML 1.2's core schema" {
	gives '[true,null,-1,1e3,"yes","no","on","1:30","0x","true","2026-04-21"]' <<'END'
[true, ~, -1, 1e3, yes, no, on, 1:30, 0x, "true", 2026-04-21]
END
	gives '"just text"' <<<'just text'
	gives '7' <<<'7'
	gives '[]' <<<'[]'
}

@test "JSON is YAML" {
	gives '{"a":[1,{"b":"\u0001é\"\\"}]}' <<<'{"a": [1, {"b": "\u0001é\"\\"}]}'
}

@test "aliases are written out" {
	gives '{"base":{"a":1},"same":{"a":1}}' <<<$'base: &b {a: 1}\nsame: *b'
}

@test "no document is null" {
	gives null </dev/null
	gives null <<<$'\n\n'
	gives null <<<$'# nothing set\n  # yet\r\n\t'
	gives null <<<$'\xef\xbb\xbf# nothing set'
	gives null <<<'---'
	gives null <<<'~'
	# what only looks like a comment is text
	gives '"a#b"' <<<'a#b'
	gives '{"a":1}' <<<$'\xef\xbb\xbf# set\na: 1'
}

@test "every problem is named with its place, and nothing is printed" {
	printf 'a: 1\nb:\n  c: 0x10\na: 2\n' >rig.yaml
	run -65 --separate-stderr ev-from-yaml rig.yaml
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" = 2 ]
	[[ ${stderr_lines[0]} == "ev-from-yaml: rig.yaml:3:6: '0x10' is a number that JSON cannot write"* ]]
	[ "${stderr_lines[1]}" = "ev-from-yaml: rig.yaml:4:1: 'a' is here again, first in line 1" ]
	run -65 --separate-stderr ev-from-yaml <rig.yaml
	[ "${stderr_lines[1]}" = "ev-from-yaml: -:4:1: 'a' is here again, first in line 1" ]
	EV_ERRORS=json run -65 --separate-stderr ev-from-yaml rig.yaml
	[ "$(jq -c '[.command, .status]' <<<"${stderr_lines[0]}")" = '["ev-from-yaml",65]' ]
}

@test "what is no YAML, or more than one document, is refused" {
	local text
	for text in 'a: [1' $'a: 1\n---\nb: 2' '{? [a] : 1}' 'a: !!int 5' $'a: &x 1\n<<: *y' 'a: .inf' $'a: \xff'; do
		run -65 --separate-stderr ev-from-yaml <<<"$text"
		[ -z "$output" ]
		[[ ${stderr_lines[0]} == 'ev-from-yaml: -:'[123]:* ]]
	done
}

@test "a message cannot drive the terminal" {
	run -65 --separate-stderr ev-from-yaml <<<$'"\\e[31m": 1\n"\\e[31m": 2'
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr != *$'\e'* ]]
}

@test "on a terminal the JSON cannot drive it, and keeps its value" {
	printf 'a: "\\u009b31m\\u202e"\n' >rig.yaml
	script -qec 'ev-from-yaml rig.yaml' /dev/null </dev/null | tr -d '\r' >out
	[ "$(cat out)" = '{"a":"\u009b31m\u202e"}' ]
	[ "$(ev-from-yaml rig.yaml)" = $'{"a":"\u009b31m\u202e"}' ]
}

@test "an expansion without end, and a file that is too long, are refused" {
	{
		echo 'a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]'
		for n in 1 2 3 4 5 6 7 8; do
			m=$((n - 1))
			echo "a$n: &a$n [*a$m, *a$m, *a$m, *a$m, *a$m, *a$m, *a$m, *a$m]"
		done
	} >bomb.yaml
	run -65 --separate-stderr ev-from-yaml bomb.yaml
	[[ $stderr == *'with its aliases expanded more than 4194304 bytes' ]]
	yes 'long: text' | head -c 5000000 >long.yaml
	run -65 --separate-stderr ev-from-yaml long.yaml
	[ "$stderr" = 'ev-from-yaml: long.yaml:1:1: longer than 4194304 bytes' ]
}

@test "a file that cannot be read, and a failed write, are 74" {
	run -74 --separate-stderr ev-from-yaml none.yaml
	[ -z "$output" ]
	[ "$stderr" = "ev-from-yaml: cannot read 'none.yaml': No such file or directory" ]
	run -74 --separate-stderr ev-from-yaml .
	[ "$stderr" = "ev-from-yaml: cannot read '.': Is a directory" ]
	run -74 --separate-stderr ev-from-yaml <.
	[ "$stderr" = 'ev-from-yaml: cannot read standard input: Is a directory' ]
	run -74 pipe 'echo "a: 1" | ev-from-yaml 2>&1 >/dev/full'
	[[ $output == 'ev-from-yaml: cannot write to standard output: '* ]]
}

@test "one document makes one line: a second file is refused" {
	run -64 --separate-stderr ev-from-yaml a.yaml b.yaml
	[[ $stderr == "ev-from-yaml: 'b.yaml': "* ]]
	run -64 ev-from-yaml --frob
	run -64 pipe 'script -qec ev-from-yaml /dev/null | tr -d "\r"; exit "${PIPESTATUS[0]}"'
	[[ $output == 'ev-from-yaml: no YAML: pipe it in or name a file; '* ]]
}

@test "what comes with ev can be read" {
	local file
	for file in "$ROOT"/schemas/*.yaml "$ROOT"/share/projections/*.yaml; do
		ev-from-yaml "$file" | jq -e 'type == "object"' >"$BATS_TEST_TMPDIR/out"
	done
}

@test "files are completed" {
	: >rig.yaml
	local shell
	for shell in bash fish zsh; do
		[[ "$("complete_$shell" 'ev-from-yaml ri')" == rig.yaml* ]]
	done
}
