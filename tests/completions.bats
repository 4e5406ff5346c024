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

@test "an issue is completed, and no other stream" {
	ev-append -q -s acme/notes HEARTBEAT agentId=dev-1
	offers 'rig-claim acme/' 'acme/app#42' 'acme/lib#7'
	offers 'rig-timeline acme/a' 'acme/app#42'
	offers 'rig-approve -q --depends-on acme/l' 'acme/lib#7'
	offers 'rig-heartbeat -i acme/l' 'acme/lib#7'
	offers 'rig-gate de'
	offers 'rig-close-duplicates acme/app#42 acme/'
	ev-append -q -l other.db ISSUE_APPROVED repo=acme/tea issueNumber:=1
	offers 'rig-gate --log=other.db acme/' 'acme/tea#1'
}

@test "issues are found behind any number of other streams" {
	seq 1000 1999 | sed 's/.*/{"type":"HEARTBEAT","agentId":"a-&"}/' |
		ev-append -q
	offers 'rig-gate a' 'acme/app#42' 'acme/lib#7'
}

@test "an agent is completed, where one is meant" {
	offers 'rig-next dev'
	ev-append -q HEARTBEAT agentId=dev-2/x7
	ev-get agent-status >models
	offers 'rig-next dev' dev-1 dev-2
	offers 'rig-claim acme/app#42 dev-2' dev-2
	offers 'rig-assign --except dev-1' dev-1
	offers 'rig-assign acme/app#42 --from dev-2' dev-2
	offers 'rig-hooks install --agent dev-2' dev-2
	offers 'rig-stuck dev-1 --after 1h dev-' dev-1 dev-2
	offers 'rig-stuck --json dev-' dev-1 dev-2
	offers 'rig-next dev-1 dev-'
	offers 'ev-cat --from dev-'
}

@test "of a log, an issue or an agent is shown" {
	ev-append -q ISSUE_APPROVED repo=dev-tools/x issueNumber:=1
	ev-get agent-status >models
	offers 'rig-log dev-' dev-1 'dev-tools/x#1'
}

@test "consumers are completed, but not for a new command line" {
	offers 'ev-each --forget no'
	ev-each -q --once notes/me -- true
	ev-each -q --once notes/you -- true
	offers 'ev-each --lag no' notes/me notes/you
	offers 'ev each --drop notes/y' notes/you
	offers 'ev-each notes/me no'
}

@test "a command to run is completed as it is by itself" {
	mkdir tools
	printf '#!/bin/sh\n' >tools/stir-tea
	chmod +x tools/stir-tea
	PATH=$PWD/tools:$PATH
	ev-append -q -l other.db ISSUE_APPROVED repo=acme/tea issueNumber:=1
	offers 'rig-heartbeat dev-1 -- stir-' stir-tea
	offers 'ev-each notes -- stir-' stir-tea
	offers 'ev each -q notes -- ev-watch --until-' --until-position
	offers 'ev-each -l other.db notes -- rig-gate acme/l' 'acme/lib#7'
	offers 'ev-each notes -- rig-gate -l other.db acme/' 'acme/tea#1'
}

@test "priorities and other words of the rig are completed" {
	offers 'rig-approve -p cri' critical
	offers 'rig-approve --priority u'
	offers 'ev-append --priority hi'
	offers 'ev-each --min-priority ac' action
	offers 'rig-cost --by m' model
	offers 'ev-each --parked -f t' table
}

@test "files and directories are completed, where they are meant" {
	mkdir rig-dir
	: >rig-x.yaml
	offers 'rig-next --config rig-x' rig-x.yaml
	offers 'rig-orphans --log rig-x' rig-x.yaml
	offers 'ev-from-yaml rig-x' rig-x.yaml
	offers 'ev-table rig-x' rig-x.yaml
	offers 'rig-cost rig-x'
	[ "$(complete_bash 'rig-demo rig-')" = rig-dir ]
	[ "$(complete_fish 'rig-demo rig-')" = rig-dir/ ]
	[ "$(complete_zsh 'rig-demo rig-')" = rig-dir ]
}

@test "receivers are completed, as the configuration names them" {
	offers 'rig-notify --test t'
	cat >rig.yaml <<'END'
notify:
  receivers:
    team: { kind: desktop }
    me: { kind: desktop }
END
	offers 'rig-notify --test t' team
	offers 'rig-notify --event --to m' me
	echo 'notify: { receivers: { tess: { kind: desktop } } }' >other.yaml
	EV_RIG=other.yaml offers 'rig-notify --test t' tess
}

@test "read models and their keys are completed" {
	ev-get issue-status >models
	offers 'ev-get issue-' issue-status
	offers 'ev-why issue-' issue-status
	offers 'ev-get issue-status acme/l' 'acme/lib#7'
	offers 'ev-get issue-status acme/lib#7 acme/a' 'acme/app#42'
	offers 'ev-bisect issue-status acme/l' 'acme/lib#7'
}

@test "files, not types, follow what ev-append was given" {
	: >CI_LOG
	offers 'ev-append CI_' CI_FAILED CI_LOG CI_PASSED
	offers 'ev-append CI_LOG CI_' CI_LOG
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

@test "a hostile agent or issue cannot leave its word" {
	local bad="y;\$(touch pwned)'\"\`touch pwned\`|&\\z" line word shell
	ev-append -q HEARTBEAT agentId="x $bad"
	ev-append -q -s "x $bad#1" HEARTBEAT agentId=dev-1
	ev-get agent-status >models
	for line in 'rig-next' 'rig-timeline'; do
		word=$(complete_bash "$line x\\ y")
		eval "set -- $word"
		[ $# -eq 1 ] && [ "${1%#1}" = "x $bad" ]
		[ -z "$(complete_bash "$line 'x")" ]
		for shell in fish zsh; do
			word=$("complete_$shell" "$line x\\ y")
			[ "${word%#1}" = "x $bad" ]
		done
	done
	[ ! -e pwned ]
}

@test "a hostile receiver cannot leave its word" {
	local name="x;\$(touch pwned)" word shell
	echo "notify: { receivers: { '$name': { kind: desktop } } }" >rig.yaml
	word=$(complete_bash 'rig-notify --to x')
	eval "set -- $word"
	[ $# -eq 1 ] && [ "$1" = "$name" ]
	for shell in fish zsh; do
		word=$("complete_$shell" 'rig-notify --to x')
		[ "$word" = "$name" ]
	done
	[ ! -e pwned ]
}
