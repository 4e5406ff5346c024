#!/usr/bin/env bats
# Every case of the JSON parsing test suite, wrapped into a payload: what the
# standard allows is accepted and comes back equal, what it forbids is refused,
# and what it leaves open is as fixtures/json-cases.tsv writes down.

load helper

setup() {
	cases=$BATS_TEST_DIRNAME/fixtures/json-cases.tsv
	record=$BATS_TEST_TMPDIR/record
}

# wrap TIMES BYTES: the case as the last member of an event, ended by NUL.
wrap() {
	printf '{"type":"HEARTBEAT","agentId":"a","x":'
	if [ "$1" -gt 1 ]; then
		yes "$(printf '%b' "$2")" | head -n "$1" | tr -d '\n'
	else
		printf '%b' "$2"
	fi
	printf '}\0'
}

# try PREFIX: runs every case whose name begins so.
try() {
	local name verdict times bytes status want ran=0
	while IFS=$'\t' read -r name verdict times bytes; do
		[[ $name == "$1"* ]] || continue
		wrap "$times" "$bytes" >"$record"
		status=0
		ev-append -0 "$record" >"$BATS_TEST_TMPDIR/out" \
			2>"$BATS_TEST_TMPDIR/err" || status=$?
		want=0
		[ "$verdict" = accept ] || want=65
		if [ "$status" != "$want" ]; then
			echo "$name: wanted $want, got $status"
			cat "$BATS_TEST_TMPDIR/err"
			return 1
		fi
		if [ "$want" = 65 ]; then
			[ ! -s "$BATS_TEST_TMPDIR/out" ]
			grep -q 'line 1: ' "$BATS_TEST_TMPDIR/err"
		else
			tr -d '\0' <"$record" | jq -cS .x >"$BATS_TEST_TMPDIR/in"
			ev-cat -r -n 1 | jq -cS .data.x |
				cmp - "$BATS_TEST_TMPDIR/in"
		fi
		ran=$((ran + 1))
	done < <(grep -v '^#' "$cases")
	echo "$ran cases"
	[ "$ran" = "$2" ]
}

@test "the 95 cases that must be accepted are, and come back equal" {
	try y_ 95
}

@test "the 188 cases that must be refused are, each with its place" {
	try n_ 188
}

@test "the 35 undecided cases are as written down" {
	try i_ 35
}
