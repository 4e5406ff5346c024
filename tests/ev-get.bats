#!/usr/bin/env bats
# ev-get: the documents of a read model, as the whole log has them.

load helper
load shells

setup() {
	mkdir "$BATS_TEST_TMPDIR/p"
	export EV_PROJECTIONS=$BATS_TEST_TMPDIR/p
	cat >"$EV_PROJECTIONS/state.yaml" <<'END'
projection: state
summary: Where every issue stands
catalog: rig
mode: async
key: "{$.streamId}"
start: { state: null, attempt: 0 }
on:
  ISSUE_APPROVED: { set: { state: queued, title: .title } }
  ISSUE_ASSIGNED: { set: { state: assigned, agent: .agentId }, count: { attempt: 1 } }
  CI_FAILED: { set: { state: failed, checks: .failedChecks } }
  MERGED: { set: { state: merged } }
END
	cat >"$EV_PROJECTIONS/spent.yaml" <<'END'
projection: spent
summary: What every agent has spent
catalog: rig
mode: inline
key: "{.agentId|agent}"
on:
  TOKEN_USAGE: { add: { cost: .costUsd }, count: { calls: 1 }, tally: { models: .model } }
derive: { each: { ratio: [cost, calls], places: 2 } }
END
	cat >"$EV_PROJECTIONS/total.yaml" <<'END'
projection: total
summary: What all agents have spent
from: spent
mode: demand
key: all
on: { document: { add: { cost: .cost }, count: { agents: 1 } } }
END
	ev-append -q <<'END'
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":1,"title":"one"}
{"type":"ISSUE_APPROVED","repo":"a/b","issueNumber":2,"title":"two"}
{"type":"ISSUE_ASSIGNED","repo":"a/b","issueNumber":1,"agentId":"dev-1"}
{"type":"HEARTBEAT","agentId":"dev-1"}
{"type":"TOKEN_USAGE","agentId":"dev-1/x","costUsd":12.10,"model":"m.1"}
{"type":"TOKEN_USAGE","agentId":"dev-1/y","costUsd":0.05,"model":"m.2"}
{"type":"TOKEN_USAGE","agentId":"dev-2/x","costUsd":9}
END
}

# Runs a command that may only do to files what their modes say, as root too.
bound() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --bounding-set=-dac_override,-dac_read_search "$@"
	else
		"$@"
	fi
}

@test "documents come in the order of their keys" {
	run -0 --separate-stderr ev-get state
	[ "$output" = '{"key":"a/b#1","state":"assigned","attempt":1,"title":"one","agent":"dev-1"}
{"key":"a/b#2","state":"queued","attempt":0,"title":"two"}' ]
	[ -z "$stderr" ]
}

@test "asking for one registers it, and what was folded is kept" {
	ev-get state >/dev/null
	[ "$(ev-project --list state | jq -c '[.mode,.checkpoint,.documents]')" = '["async",7,2]' ]
	ev-append -q MERGED repo=a/b issueNumber:=1 prNumber:=4
	[ "$(ev-get state 'a/b#1' | jq -r .state)" = merged ]
	[ "$(ev-project --list state | jq -c '[.checkpoint,.lagEvents]')" = '[8,0]' ]
}

@test "an inline one is kept by ev-append from then on" {
	ev-get spent >/dev/null
	ev-append -q TOKEN_USAGE agentId=dev-2 costUsd:=1.5
	[ "$(ev-get --stale spent dev-2 | jq -c '[.cost,.calls]')" = '[10.5,2]' ]
}

@test "amounts stay exact, and what is derived is shown" {
	run -0 ev-get spent dev-1
	[ "$output" = '{"key":"dev-1","cost":12.15,"calls":2,"models":{"m.1":1,"m.2":1},"each":6.08}' ]
}

@test "documents of documents, always of the newest" {
	[ "$(ev-get total)" = '{"key":"all","cost":21.15,"agents":2}' ]
	ev-append -q TOKEN_USAGE agentId=dev-3 costUsd:=1
	[ "$(ev-get total)" = '{"key":"all","cost":22.15,"agents":3}' ]
	[ -z "$(ev-project --list total 2>/dev/null)" ]
}

@test "keys are plain text, each printed once, in their order" {
	ev-append -q -s $'odd "\\ \t key' ISSUE_APPROVED repo=x issueNumber:=9
	run -0 --separate-stderr ev-get state 'a/b#2' $'odd "\\ \t key' 'a/b#1' 'a/b#2'
	[ "$(jq -r .key <<<"$output")" = $'a/b#1\na/b#2\nodd "\\ \t key' ]
	[ -z "$stderr" ]
}

@test "an unknown key is one line and 1, the others are printed" {
	run -1 --separate-stderr ev-get state none 'a/b#1'
	[ "$stderr" = "ev-get: 'state' has no document 'none'" ]
	[ "$(jq -r .key <<<"$output")" = 'a/b#1' ]
}

@test "nothing that fits is 1, and silence" {
	run -1 --separate-stderr ev-get state --where state=merged
	[ -z "$output$stderr" ]
	run -1 --separate-stderr ev-get state 'a/b#1' --where state=queued
	[ -z "$output$stderr" ]
	run -1 --separate-stderr ev-get state -n 0
	[ -z "$output$stderr" ]
}

# keys NAME OPTION...: the keys that are printed, in one line
keys() {
	ev-get "$@" | jq -r .key | tr '\n' ' '
}

@test "--where: texts, numbers by value, what is missing, several" {
	[ "$(keys state --where state=queued)" = 'a/b#2 ' ]
	[ "$(keys state --where state!=queued)" = 'a/b#1 ' ]
	[ "$(keys state --where agent=null)" = 'a/b#2 ' ]
	[ "$(keys state --where agent!=null)" = 'a/b#1 ' ]
	[ "$(keys state --where 'title>=one' --where 'title<two')" = 'a/b#1 ' ]
	[ "$(keys spent --where 'cost>9')" = 'dev-1 ' ]
	[ "$(keys spent --where 'cost>=9.0')" = 'dev-1 dev-2 ' ]
	[ "$(keys spent --where 'cost=9.00')" = 'dev-2 ' ]
	[ "$(keys spent --where 'cost<1e1')" = 'dev-2 ' ]
	[ "$(keys spent --where 'each<=9' --where 'calls=2')" = 'dev-1 ' ]
	run -1 ev-get spent --where 'cost<many'
	run -1 ev-get state --where 'agent<z' --where 'state=queued'
}

@test "--where looks into members, also those with dots in their names" {
	[ "$(keys spent --where models.m.1=1)" = 'dev-1 ' ]
	[ "$(keys spent --where models=null)" = 'dev-2 ' ]
	run -1 ev-get spent --where models.m=1
	[ "$(keys state --where key=a/b#2)" = 'a/b#2 ' ]
}

@test "--sort: numbers by value, missing ones last either way, equal ones by key" {
	ev-append -q TOKEN_USAGE agentId=dev-3 costUsd:=100
	ev-append -q TOKEN_USAGE agentId=dev-4 costUsd:=9.000
	[ "$(keys spent --sort cost)" = 'dev-2 dev-4 dev-1 dev-3 ' ]
	[ "$(keys spent --sort cost -r)" = 'dev-3 dev-1 dev-2 dev-4 ' ]
	[ "$(keys spent --sort cost -n 2)" = 'dev-2 dev-4 ' ]
	[ "$(keys state --sort agent)" = 'a/b#1 a/b#2 ' ]
	[ "$(keys state --sort agent -r)" = 'a/b#1 a/b#2 ' ]
	[ "$(keys spent --sort models.m.1)" = 'dev-1 dev-2 dev-3 dev-4 ' ]
}

@test "-m: the key and these members, in this order, parts of members too" {
	[ "$(ev-get spent dev-1 -m models.m.1 -m cost -m models.no -m cost)" = \
		'{"key":"dev-1","models.m.1":1,"cost":12.15}' ]
	[ "$(ev-get spent dev-1 -m key -m each)" = \
		'{"key":"dev-1","each":6.08}' ]
	[ "$(ev-get spent -f table --member cost --member calls)" = \
"$(printf '%s\n' 'key    cost   calls' 'dev-1  12.15      2' \
	'dev-2      9      1')" ]
	[ "$(ev-get state -m agent --sort title -r | head -n 1)" = '{"key":"a/b#2"}' ]
	[ "$(ev-get spent dev-1 -m key)" = '{"key":"dev-1"}' ]
	run -64 ev-get state -m ''
}

@test "a member that no document can have is misspelt, and told" {
	local option
	for option in '--where stat=queued' '--sort -title' '-m statue' \
	    '--where state==queued --where titel=one'; do
		# shellcheck disable=SC2086 # two words
		run -64 --separate-stderr ev-get state $option
		[[ $stderr == "ev-get: documents of 'state' have no member '"* ]]
	done
}

@test "-r and -n without --sort go by key" {
	[ "$(keys state -r)" = 'a/b#2 a/b#1 ' ]
	[ "$(keys state -n 1)" = 'a/b#1 ' ]
	[ "$(keys state -r -n 1)" = 'a/b#2 ' ]
}

@test "--at folds the past, by position or time" {
	local before
	run -1 ev-get state --at 0
	[ "$(ev-get state --at 1)" = '{"key":"a/b#1","state":"queued","attempt":0,"title":"one"}' ]
	[ "$(ev-get state --at 2 'a/b#1' | jq -r .state)" = queued ]
	[ "$(ev-get state --at 3 'a/b#1' | jq -r .state)" = assigned ]
	[ "$(ev-get state --at 99)" = "$(ev-get state)" ]
	[ "$(ev-get total --at 6)" = '{"key":"all","cost":12.15,"agents":1}' ]
	before=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
	ev-append -q MERGED repo=a/b issueNumber:=1 prNumber:=4
	[ "$(ev-get state --at "$before" 'a/b#1' | jq -r .state)" = assigned ]
	[ "$(ev-get state --at 0s 'a/b#1' | jq -r .state)" = merged ]
	run -1 ev-get state --at 7d
	[ -z "$output" ]
}

@test "--at of a key that is the stream reads that stream alone" {
	seq 3000 | sed 's/.*/{"type":"ISSUE_APPROVED","repo":"x\/y","issueNumber":&}/' |
		ev-append -q
	# a damaged event elsewhere is not even looked at
	sqlite3 "$EV_LOG" "UPDATE event SET line = 'x' WHERE position = 1000"
	[ "$(ev-get state --at 3000 'a/b#1' | jq -r .state)" = assigned ]
	run -74 --separate-stderr ev-get state --at 3000
	[[ $stderr == *'position 1000 is damaged'* ]]
}

@test "--stale prints what is stored, or says that nothing is" {
	run -1 --separate-stderr ev-get --stale state
	[ "$stderr" = "ev-get: no documents of 'state' are stored" ]
	[ -z "$output" ]
	ev-project state
	ev-append -q MERGED repo=a/b issueNumber:=1 prNumber:=4
	[ "$(ev-get --stale state 'a/b#1' | jq -r .state)" = assigned ]
	[ "$(ev-get state 'a/b#1' | jq -r .state)" = merged ]
	[ "$(ev-get --stale state 'a/b#1' | jq -r .state)" = merged ]
}

@test "who may not write gets the same documents" {
	local name
	ev-project state
	ev-append -q <<'END'
{"type":"MERGED","repo":"a/b","issueNumber":1,"prNumber":4}
{"type":"ISSUE_APPROVED","repo":"a/a","issueNumber":3,"title":"three"}
{"type":"ISSUE_APPROVED","repo":"z/z","issueNumber":4,"title":"four"}
END
	cp -r "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR/copy"
	exec 7< <(exec ev-watch --idle-exit 60) # keeps the shared memory there
	ev-watch --from 1 -n 1 >/dev/null
	chmod a-w "$EV_LOG"* "$BATS_TEST_TMPDIR"
	for name in state spent total; do
		bound ev-get "$name" >"$BATS_FILE_TMPDIR/$name"
		EV_LOG=$BATS_FILE_TMPDIR/copy/log.db ev-get "$name" |
			cmp - "$BATS_FILE_TMPDIR/$name"
	done
	run -69 --separate-stderr bound ev-project state
	[ "${#stderr_lines[@]}" = 1 ]
	chmod u+w "$EV_LOG"* "$BATS_TEST_TMPDIR"
	exec 7<&-
	[ "$(ev-project --list state | jq .checkpoint)" = 7 ]
	[ -z "$(ev-project --list spent 2>/dev/null)" ]
}

@test "older events are folded as their catalog now reads them" {
	mkdir "$BATS_TEST_TMPDIR/s"
	export EV_SCHEMAS=$BATS_TEST_TMPDIR/s
	export EV_LOG=$BATS_TEST_TMPDIR/shop.db
	cat >"$EV_SCHEMAS/shop.yaml" <<'END'
catalog: shop
summary: A shop
types:
  ORDERED:
    summary: Somebody ordered
    stream: order-{order}
    payload: { required: [order, cents], properties: { order: { type: integer }, cents: { type: integer } } }
END
	ev-append -q -c shop ORDERED order:=7 cents:=1250
	cat >"$EV_SCHEMAS/shop.yaml" <<'END'
catalog: shop
summary: A shop
types:
  ORDERED:
    summary: Somebody ordered
    version: 2
    stream: order-{order}
    payload: { required: [order, amount], properties: { order: { type: integer }, amount: { type: integer } } }
    upcast:
      1: [rename: { cents: amount }]
END
	ev-append -q -c shop ORDERED order:=7 amount:=50
	cat >"$EV_PROJECTIONS/sales.yaml" <<'END'
projection: sales
summary: Sales
catalog: shop
key: "{$.streamId}"
on: { ORDERED: { add: { amount: .amount }, count: { old: 1 } } }
END
	[ "$(ev-get sales)" = '{"key":"order-7","amount":1300,"old":2}' ]
	[ "$(ev-get sales --at 1)" = '{"key":"order-7","amount":1250,"old":1}' ]
}

@test "a changed file is told once, and the log's definition goes on" {
	ev-get state >/dev/null
	sed -i 's/state: queued/state: waiting/' "$EV_PROJECTIONS/state.yaml"
	run -0 --separate-stderr ev-get state 'a/b#2'
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"'state' is not what the log has"* ]]
	[ "$(jq -r .state <<<"$output")" = queued ]
	ev-get spent >/dev/null
	sed -i 's/mode: demand/mode: async/' "$EV_PROJECTIONS/total.yaml"
	sed -i 's/calls: 1/calls: 2/' "$EV_PROJECTIONS/spent.yaml"
	run -0 --separate-stderr ev-get total
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"'spent' is not what the log has"* ]]
	[ "$output" = '{"key":"all","cost":21.15,"agents":2}' ]
}

@test "a registered model needs no file, and minds no broken one" {
	ev-get state >/dev/null
	echo '- broken' >"$EV_PROJECTIONS/state.yaml"
	ev-append -q MERGED repo=a/b issueNumber:=1 prNumber:=4
	run -0 --separate-stderr ev-get state 'a/b#1'
	[ "$(jq -r .state <<<"$output")" = merged ]
	[ "${#stderr_lines[@]}" = 1 ]
	rm "$EV_PROJECTIONS/state.yaml"
	run -0 --separate-stderr ev-get state 'a/b#1'
	[ -z "$stderr" ]
}

@test "what is no file, or cannot be read, is in nobody's way" {
	mkdir "$EV_PROJECTIONS/folder.yaml"
	mkfifo "$EV_PROJECTIONS/pipe.yaml"
	ln -s gone "$EV_PROJECTIONS/link.yaml"
	printf '\xef\xbb\xbfprojection: mark\n%s\n' 'catalog: rig
key: k
on: { HEARTBEAT: { count: { n: 1 } } }' >"$EV_PROJECTIONS/mark.yaml"
	[ "$(ev-get mark)" = '{"key":"k","n":1}' ]
	run -1 --separate-stderr ev-check --list projections
	[ "$(sort <<<"$output" | paste -sd' ')" = 'mark spent state total' ]
	[[ $stderr == *"link.yaml': No such file"* ]]
	run -1 --separate-stderr ev-check
	[[ $stderr == *"link.yaml': No such file"* ]]
	run -65 --separate-stderr ev-get link
	[[ $stderr == *"link.yaml': No such file"* ]]
}

@test "a file is taken for a name" {
	mv "$EV_PROJECTIONS/state.yaml" "$BATS_TEST_TMPDIR/elsewhere.yaml"
	run -64 --separate-stderr ev-get state
	[ "${#stderr_lines[@]}" = 1 ]
	[ "$(keys "$BATS_TEST_TMPDIR/elsewhere.yaml")" = 'a/b#1 a/b#2 ' ]
	[ "$(keys state)" = 'a/b#1 a/b#2 ' ]
}

@test "a projection that would be made from itself is refused" {
	for name in hen:egg egg:hen; do
		cat >"$EV_PROJECTIONS/${name%:*}.yaml" <<END
projection: ${name%:*}
summary: It comes from the other
from: ${name#*:}
mode: demand
key: all
on: { document: { count: { n: 1 } } }
END
	done
	run -65 --separate-stderr ev-get hen
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"'hen' would be made from itself"* ]]
}

@test "events that cannot be folded are told, and the rest is there" {
	sed -i 's/count: { attempt: 1 }/count: { title: 1 }/' "$EV_PROJECTIONS/state.yaml"
	for n in 1 2; do
		run -0 --separate-stderr ev-get state
		[[ $stderr == *"'state' lacks an event that could not be folded"* ]]
		[ "${#stderr_lines[@]}" = 1 ]
		[ "$(jq -r .state <<<"${lines[0]}")" = queued ]
	done
}

@test "a table has a column for each member that is there" {
	run -0 ev-get state -f table
	[ "${lines[0]}" = 'key    state     attempt  title  agent' ]
	[ "${lines[1]}" = 'a/b#1  assigned        1  one    dev-1' ]
	[ "${lines[2]}" = 'a/b#2  queued          0  two' ]
	ev-append -q CI_FAILED repo=a/b issueNumber:=2 'failedChecks:=["lint","a b"]'
	run -0 ev-get state -f table --where state=failed
	[ "${lines[1]}" = 'a/b#2  failed        0  two    lint, a b' ]
	run -1 ev-get state -f table --where state=none
	[ -z "$output" ]
}

@test "wide characters keep columns aligned, control characters are escaped" {
	ev-append -q ISSUE_APPROVED repo=a/c issueNumber:=3 title=$'漢字\e[31m\u202e'
	run -0 ev-get state 'a/b#1' 'a/c#3' -f table
	[ "${lines[0]}" = 'key    state     attempt  title                 agent' ]
	[ "${lines[1]}" = 'a/b#1  assigned        1  one                   dev-1' ]
	[ "${lines[2]}" = 'a/c#3  queued          0  漢字\u001b[31m\u202e' ]
}

# terminal COLUMNS COMMAND...: what it prints to a terminal, without colours
terminal() {
	local width=$1
	shift
	NO_COLOR=1 COLUMNS=$width script -qec "$*" /dev/null </dev/null | tr -d '\r'
}

@test "a narrow terminal cuts the widest columns, no line wraps" {
	ev-append -q ISSUE_APPROVED repo=a/c issueNumber:=3 \
		title='A title that is much longer than the terminal is wide'
	terminal 40 ev-get state -f table >"$BATS_TEST_TMPDIR/out"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" = 4 ]
	[ "$(wc -L <"$BATS_TEST_TMPDIR/out")" -le 40 ]
	grep -q 'A title…\|A titl…' "$BATS_TEST_TMPDIR/out"
}

@test "nothing in a document drives the terminal" {
	ev-append -q ISSUE_APPROVED repo=a/c issueNumber:=3 title=$'\u009b31mred\u202e'
	terminal 80 "ev-get state 'a/c#3'" >"$BATS_TEST_TMPDIR/out"
	[ "$(jq -r .title "$BATS_TEST_TMPDIR/out")" = $'\u009b31mred\u202e' ]
	grep -qF '\u009b31mred\u202e' "$BATS_TEST_TMPDIR/out"
}

@test "no log is 69, an empty one has no documents" {
	run -69 --separate-stderr ev-get state -l "$BATS_TEST_TMPDIR/none.db"
	[ "${#stderr_lines[@]}" = 1 ]
	[ ! -e "$BATS_TEST_TMPDIR/none.db" ]
	: >"$BATS_TEST_TMPDIR/empty.db"
	run -1 --separate-stderr ev-get state -l "$BATS_TEST_TMPDIR/empty.db"
	[ -z "$output$stderr" ]
	run -1 --separate-stderr ev-get total -l "$BATS_TEST_TMPDIR/empty.db"
	[ -z "$output$stderr" ]
}

@test "a full standard output is 74" {
	run -74 --separate-stderr bash -c 'ev-get state >/dev/full'
	[[ $stderr == *'cannot write to standard output'* ]]
}

@test "wrong usage is one line and 64" {
	for args in '' '--where state state' '--where =x state' '--at never state' \
		'-n x state' '-f yaml state' '--stale --at 1 state' '--sort= state' \
		'unheard-of' '-x state'; do
		# shellcheck disable=SC2086
		run -64 --separate-stderr ev-get $args
		[ "${#stderr_lines[@]}" = 1 ]
		[ -z "$output" ]
	done
}

@test "every document is right while others append" {
	ev-get spent >/dev/null
	for i in 1 2 3; do
		for n in $(seq 400); do
			echo "{\"type\":\"TOKEN_USAGE\",\"agentId\":\"w\",\"costUsd\":\"0.1\"}"
			echo "{\"type\":\"ISSUE_APPROVED\",\"repo\":\"w/w\",\"issueNumber\":$i,\"title\":\"$n\"}"
		done | ev-append -q &
	done
	for i in $(seq 20); do
		ev-get total >>"$BATS_TEST_TMPDIR/totals"
		ev-get state 'a/b#1' >>"$BATS_TEST_TMPDIR/states"
	done
	wait
	# it never goes back, and ends with everything
	jq .cost "$BATS_TEST_TMPDIR/totals" | sort -cn
	[ "$(sort -u "$BATS_TEST_TMPDIR/states" | wc -l)" = 1 ]
	[ "$(ev-get total)" = '{"key":"all","cost":141.15,"agents":3}' ]
	[ "$(ev-get state --where title=400 | wc -l)" = 3 ]
	ev-verify
}

# offers LINE WORD...: every shell offers exactly these words.
offers() {
	local shell line=$1
	shift
	for shell in bash fish zsh; do
		diff <(printf '%s\n' "$@") <("complete_$shell" "$line" | sort) || {
			echo "$shell, '$line': < is due, > is offered"
			return 1
		}
	done
}

@test "shells offer read models, of the path and of the log, and stored keys" {
	export HOME=$BATS_TEST_TMPDIR
	cd "$BATS_TEST_TMPDIR"
	ev-project spent
	mv p/spent.yaml .
	mkdir elsewhere && cd elsewhere && mv ../spent.yaml .
	offers 'ev-get stat' state
	offers 'ev-get sp' spent spent.yaml
	offers 'ev-project tot' total
	offers 'ev-get spent dev-' dev-1 dev-2
	offers 'ev-get -l ../log.db --sort cost spent dev-2' dev-2
	offers 'ev-get -f t' table
	offers 'ev-project --list -f n' ndjson
}
