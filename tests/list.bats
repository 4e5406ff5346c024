#!/usr/bin/env bats
# --list: names that the log holds (ev-cat), and that catalogs know (ev-check).

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	ev-append -q <<'END'
{"type":"ISSUE_APPROVED","repo":"acme/lib","issueNumber":7,"actor":"ada"}
{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":42,"actor":"bob"}
{"type":"MERGED","repo":"acme/app","issueNumber":42,"prNumber":1,"actor":"ada"}
{"event_type":"CostIncurred","payload":{"tier":"direct","amount_usd":"1","source":"x"}}
END
}

@test "each name is printed once, in the order of its bytes" {
	run -0 ev-cat --list streams
	[ "$output" = $'acme/app#42\nacme/lib#7\nportfolio' ]
	run -0 ev-cat --list types
	[ "$output" = $'ISSUE_APPROVED\nMERGED\nCostIncurred' ]
	run -0 ev-cat --list actors
	[ "$output" = $'ada\nbob' ]
	run -0 ev-cat --list catalogs
	[ "$output" = $'rig\nworkflow' ]
}

@test "a prefix and a limit choose among them" {
	run -0 ev-cat --list streams --stream-prefix acme/
	[ "$output" = $'acme/app#42\nacme/lib#7' ]
	run -0 ev-cat --list streams --stream-prefix acme/lib#7
	[ "$output" = 'acme/lib#7' ]
	run -0 ev-cat --list streams -n 1
	[ "$output" = 'acme/app#42' ]
	run -1 ev-cat --list streams --stream-prefix acme/z
	[ -z "$output" ]
	run -1 ev-cat --list streams -n 0
}

@test "more names than one transaction reads are all there, in order" {
	seq 1000 1999 | sed 's/.*/{"type":"HEARTBEAT","agentId":"dev-&"}/' |
		ev-append -q
	run -0 ev-cat --list streams --stream-prefix dev-
	[ "$output" = "$(seq -f dev-%g 1000 1999)" ]
	[ "$(ev-cat --list streams | wc -l)" -eq 1003 ]
}

@test "one stream's name may begin with another's" {
	ev-append -q -s a HEARTBEAT agentId=x
	ev-append -q -s ab HEARTBEAT agentId=x
	ev-append -q -s 'a b' HEARTBEAT agentId=x
	run -0 ev-cat --list streams --stream-prefix a
	[ "$output" = $'a\na b\nab\nacme/app#42\nacme/lib#7' ]
}

@test "a name comes as -s takes it, but for control characters" {
	ev-append -q -s 'quo"te\back é' HEARTBEAT agentId=x
	ev-append -q -s $'new\nline' HEARTBEAT agentId=x
	run -0 ev-cat --list streams --stream-prefix quo
	[ "$output" = 'quo"te\back é' ]
	run -0 ev-cat -s "$output" --count
	run -0 ev-cat --list streams --stream-prefix new
	[ "$output" = 'new\nline' ]
}

@test "what is asked of events is refused" {
	run -64 ev-cat --list streams -t MERGED
	run -64 ev-cat --list streams --count
	run -64 ev-cat --list streams -r
	run -64 ev-cat --list types --stream-prefix a
	run -64 ev-cat --list streams --stream-prefix a --stream-prefix b
	run -64 ev-cat --list colours
	[[ $output == *"expected streams, types, actors or catalogs"* ]]
}

@test "no log is no empty list" {
	run -69 ev-cat -l none.db --list streams
}

@test "ev-check lists what the catalogs know" {
	run -0 ev-check --list catalogs
	[ "$output" = $'rig\nsession\ntemporal\nworkflow' ]
	run -0 ev-check --list categories -c rig
	[[ $'\n'$output$'\n' == *$'\nescalation\n'* ]]
	run -0 ev-check --list types -c workflow
	[[ $'\n'$output$'\n' == *$'\nCostIncurred\n'* ]]
	[[ $'\n'$output$'\n' != *$'\nMERGED\n'* ]]
	run -1 ev-check --list types -c none
	[ -z "$output" ]
	run -64 ev-check --list streams
	run -64 ev-check --list types operand
}

@test "ev-check lists in spite of a broken catalog" {
	mkdir schemas
	echo 'catalog: [' >schemas/a.yaml
	EV_SCHEMAS=$PWD/schemas: run -0 --separate-stderr ev-check --list catalogs
	[ "$output" = $'rig\nsession\ntemporal\nworkflow' ]
	[ -z "$stderr" ]
}
