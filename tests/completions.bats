#!/usr/bin/env bats
# What bash, zsh and fish offer when somebody presses Tab. That they offer every
# option of every command is shown in docs.bats.

load helper
load shells

setup() {
	export HOME=$BATS_TEST_TMPDIR
	cd "$BATS_TEST_TMPDIR" || return
	ev-append -q --actor ada <<'END'
{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":42}
{"type":"ISSUE_APPROVED","repo":"acme/lib","issueNumber":7}
{"type":"HEARTBEAT","agentId":"dev-1"}
END
}

# offers LINE [WORD...]: every shell offers exactly these words.
offers() {
	local shell line=$1
	shift
	for shell in bash fish zsh; do
		diff <([ $# -eq 0 ] || printf '%s\n' "$@" | sort) \
			<("complete_$shell" "$line" | sort) || {
			echo "$shell, '$line': < is due, > is offered"
			return 1
		}
	done
}

@test "an option is completed" {
	offers 'ev-append --cor' --correlation
	offers 'ev-watch --until-' --until-position
	offers 'rig-hooks install --re' --repo
}

@test "a type is completed, with what the catalogs know" {
	offers 'ev-append CI_' CI_PASSED CI_FAILED
	offers 'ev-cat -t ISSUE_AP' ISSUE_APPROVED
	offers 'ev-watch --type PluginR' PluginResolved
}

@test "a type of a user's own catalog is completed" {
	mkdir schemas
	cat >schemas/kitchen.yaml <<'END'
catalog: kitchen
summary: Coffee
types:
  COFFEE_MADE:
    summary: There is coffee
    stream: kitchen
END
	export EV_SCHEMAS=$PWD/schemas:
	offers 'ev-append COFF' COFFEE_MADE
	offers 'ev-cat -c kit' kitchen
}

@test "a stream is completed, with what the log holds" {
	offers 'ev-cat -s acme/' 'acme/app#42' 'acme/lib#7'
	offers 'ev-watch -s dev' dev-1
	offers 'ev-append --stream acme/l' 'acme/lib#7'
}

@test "streams are those of the log that the line names" {
	ev-append -q -l other.db HEARTBEAT agentId=dev-2
	offers 'ev-cat -l other.db -s dev' dev-2
	offers 'ev-cat --log=other.db -s dev' dev-2
	offers 'ev-cat --log=none.db -s dev'
}

@test "a catalog is completed" {
	offers 'ev-cat -c r' rig
	offers 'ev-append --catalog wor' workflow
}

@test "actors, categories and fixed words are completed" {
	offers 'ev-cat --actor a' ada
	offers 'ev-cat --category escal' escalation
	offers 'ev-watch -f clo' cloudevents
	offers 'ev-append -e no' none
	offers 'ev-append --priority ur' urgent
	offers 'ev-cat --list str' streams
	offers 'ev-check --list categ' categories
}

@test "the value may stand in the option's own word" {
	[ "$(complete_bash 'ev-cat --catalog=wo')" = workflow ]
	[ "$(complete_fish 'ev-cat --catalog=wo')" = --catalog=workflow ]
	[ "$(complete_zsh 'ev-cat --catalog=wo')" = workflow ]
}

@test "ev completes commands, and then what the command does" {
	mkdir tools
	printf '#!/bin/sh\n' >tools/ev-taste
	chmod +x tools/ev-taste
	PATH=$PWD/tools:$PATH
	offers 'ev wa' watch
	offers 'ev tas' taste
	offers 'ev help ver' verify version
	offers 'ev cat -s dev' dev-1
	offers 'ev append --cor' --correlation
}

@test "subcommands of rig-hooks are completed" {
	offers 'rig-hooks un' uninstall
}

@test "at most 200 streams are offered" {
	seq 1000 1999 | sed 's/.*/{"type":"HEARTBEAT","agentId":"many-&"}/' |
		ev-append -q
	local shell
	for shell in bash fish zsh; do
		[ "$("complete_$shell" 'ev-cat -s many' | wc -l)" -eq 200 ]
	done
	offers 'ev-cat -s many-1999' many-1999
}

@test "without a log nothing is offered, and nothing is said" {
	export EV_LOG=$BATS_TEST_TMPDIR/none.db
	local shell
	for shell in bash fish zsh; do
		run -0 "complete_$shell" 'ev-cat -s '
		[ -z "$output" ] || {
			echo "$shell: $output"
			return 1
		}
	done
	[ ! -e none.db ]
}

@test "a hostile name cannot leave its word" {
	local name="x y;\$(touch pwned)'\"\`touch pwned\`|&\\z" word
	ev-append -q -s "$name" HEARTBEAT agentId=dev-1
	ev-append -q -s 'x two' HEARTBEAT agentId=dev-1

	word=$(complete_bash 'ev-cat -s x\ y')
	eval "set -- $word"
	[ $# -eq 1 ] && [ "$1" = "$name" ]
	# inside quotes only what cannot end them is offered
	[ "$(complete_bash "ev-cat -s 'x")" = 'x two' ]
	[ "$(complete_bash 'ev-cat -s "x')" = 'x two' ]

	# these two shells quote by themselves
	[ "$(complete_fish 'ev-cat -s "x y')" = "$name" ]
	run -0 complete_zsh 'ev-cat -s x\ y'
	[ "$output" = "$name" ]
	[ ! -e pwned ]
}
