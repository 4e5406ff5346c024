#!/usr/bin/env bats
# ev-check: catalogs, projections, events and changes of catalogs, before they
# do harm.

load helper

# catalog FILE: a small one from standard input, in the test's own folder.
catalog() {
	install -D /dev/stdin "$BATS_TEST_TMPDIR/$1"
}

shop() { # FILE NAME TYPE WHEN
	catalog "$1" <<-END
	catalog: $2
	stream: s
	native: { when: [$4], envelope: { $4: type } }
	types: { $3: }
	END
}

# For catalogs of which the projections that we ship know nothing.
no_projections() {
	mkdir "$BATS_TEST_TMPDIR/no-projections"
	export EV_PROJECTIONS=$BATS_TEST_TMPDIR/no-projections
}

@test "the catalogs and projections in force are right" {
	run -0 --separate-stderr ev-check </dev/null
	count=$(find "$ROOT/share/projections" -name '*.yaml' | wc -l)
	[ "$output" = "4 catalogs, 129 types, $count projections: nothing wrong" ]
	[ -z "$stderr" ]
	run -0 ev-check -q </dev/null
	[ -z "$output" ]
}

@test "files are checked when they are named" {
	run -0 ev-check "$ROOT"/schemas/rig.yaml
	[ "$output" = '1 catalog, 30 types: nothing wrong' ]
}

@test "every problem is told, with file, line and column" {
	cd "$BATS_TEST_TMPDIR"
	catalog bad.yaml <<-'END'
	catalog: Bad
	stream: "{repo}"
	types:
	  T:
	    priority: high
	    payload:
	      properties:
	        a: { type: string, pattern: "^x" }
	  U: { colour: red }
	END
	run -1 --separate-stderr ev-check bad.yaml
	[ "$output" = '5 problems in 1 catalog' ]
	[ "$stderr" = "bad.yaml:1:10: a catalog's name is a word of a-z, 0-9, '_' and '-'
bad.yaml:2:9: stream of type 'U' needs 'repo', which is none of its payload's properties
bad.yaml:5:15: priority 'high' is none of info, action, urgent and critical
bad.yaml:8:28: schema keyword 'pattern' is outside the subset of ev-catalog(5)
bad.yaml:9:8: a type has no member 'colour'" ]
}

@test "a file that is no YAML is told with its place" {
	catalog bad.yaml <<<'types: [a, b'
	run -1 --separate-stderr ev-check "$BATS_TEST_TMPDIR/bad.yaml"
	[[ $stderr == *"/bad.yaml:2:1: did not find expected"* ]]
	printf 'a: \xff\n' | catalog bad.yaml
	run -1 --separate-stderr ev-check "$BATS_TEST_TMPDIR/bad.yaml"
	[[ $stderr == *"/bad.yaml:1:4: "* ]]
}

@test "problems of several files are all told" {
	catalog a.yaml <<<'catalog: a'
	catalog b.yaml <<<'catalog: b'
	run -1 --separate-stderr ev-check "$BATS_TEST_TMPDIR"/[ab].yaml
	[ "$output" = '2 problems in 2 catalogs' ]
	[ "$(grep -c "'types' is missing" <<<"$stderr")" = 2 ]
}

@test "catalogs that contradict each other are told" {
	no_projections
	shop s/a.yaml one Placed kind
	shop s/b.yaml one Other form
	shop s/c.yaml two Placed form
	shop s/d.yaml three More kind
	EV_SCHEMAS=$BATS_TEST_TMPDIR/s run -1 --separate-stderr \
		ev-check </dev/null
	[ "$output" = '4 problems in 4 catalogs' ]
	[ "${stderr//"$BATS_TEST_TMPDIR/s/"/}" = \
"b.yaml:1:1: 'a.yaml' has this name too
c.yaml:4:10: type 'Placed' is also one of catalog 'one' (a.yaml)
c.yaml:3:11: catalog 'one' (b.yaml) knows its events by the same members: name one more that only these have
d.yaml:3:11: catalog 'one' (a.yaml) knows its events by the same members: name one more that only these have" ]
}

@test "a catalog hides its namesake in a later folder, and that is right" {
	no_projections
	shop mine/rig.yaml rig CI_FAILED type
	EV_SCHEMAS=$BATS_TEST_TMPDIR/mine:$ROOT/schemas run -0 \
		ev-check </dev/null
	[ "$output" = '4 catalogs, 100 types: nothing wrong' ]
}

@test "problems can be had as JSON" {
	catalog bad.yaml <<<'catalog: bad'
	EV_ERRORS=json run -1 --separate-stderr ev-check \
		"$BATS_TEST_TMPDIR/bad.yaml"
	[ "$(jq -r '.command,.status' <<<"$stderr" | tr '\n' ' ')" = \
		'ev-check 1 ' ]
	[[ $(jq -r .message <<<"$stderr") == *"bad.yaml:1:1: 'types' is missing" ]]
}

@test "what cannot be read is named" {
	run -74 --separate-stderr ev-check "$BATS_TEST_TMPDIR/none.yaml"
	[[ $stderr == *"cannot read '$BATS_TEST_TMPDIR/none.yaml': No such file"* ]]
	EV_SCHEMAS=$BATS_TEST_TMPDIR/none run -1 --separate-stderr \
		ev-check </dev/null
	[[ $stderr == *"cannot read the catalogs in '$BATS_TEST_TMPDIR/none'"* ]]
	EV_PROJECTIONS=$BATS_TEST_TMPDIR/none run -1 --separate-stderr \
		ev-check </dev/null
	[[ $stderr == *"cannot read the projections in '$BATS_TEST_TMPDIR/none'"* ]]
	run -74 --separate-stderr ev-check "$BATS_TEST_TMPDIR/none.ndjson"
	[[ $stderr == *"cannot read '$BATS_TEST_TMPDIR/none.ndjson'"* ]]
}

# ---- projections

# A catalog of three types, and a projection of all of them.
orders() {
	catalog s/shop.yaml <<-'END'
	catalog: shop
	stream: order/{order}
	payload: { properties: { order: { type: string } } }
	types:
	  Placed: { payload: { properties: { total: { type: number } } } }
	  Paid:
	  Closed:
	END
	catalog p/orders.yaml <<-'END'
	projection: orders
	catalog: shop
	key: "{.order}"
	on:
	  Placed: { set: { state: placed, total: .total } }
	  Paid: { set: { state: paid } }
	ignore: [Closed]
	END
	catalog p/sums.yaml <<-'END'
	projection: sums
	catalog: shop
	key: all
	on: { Placed: { add: { total: .total } } }
	ignore: [Paid, Closed]
	END
	catalog p/states.yaml <<-'END'
	projection: states
	from: orders
	key: "{.state}"
	on: { document: { count: { orders: 1 } } }
	END
	cd "$BATS_TEST_TMPDIR" || return
	export EV_SCHEMAS=$PWD/s EV_PROJECTIONS=$PWD/p
}

@test "projections are checked with the catalogs, and with each other" {
	orders
	run -0 --separate-stderr ev-check </dev/null
	[ "$output" = '1 catalog, 3 types, 3 projections: nothing wrong' ]
	[ -z "$stderr" ]
	sed -i 's/\.total/.totla/' p/sums.yaml
	sed -i 's/\.state/.stat/' p/states.yaml
	run -1 --separate-stderr ev-check </dev/null
	[ "$output" = '2 problems in 1 catalog and 3 projections' ]
	[ "$stderr" = \
"$PWD/p/states.yaml:3:6: '.stat' is no member of the documents of 'orders': did you mean 'state'
$PWD/p/sums.yaml:4:31: '.totla' is no member of the payload of Placed: did you mean 'total'" ]
}

@test "a new type of a catalog is missed in every projection that forgot it" {
	orders
	printf '  %s:\n' Returned Refunded >>s/shop.yaml
	run -1 --separate-stderr ev-check </dev/null
	[ "$stderr" = \
"$PWD/p/orders.yaml:4:1: type 'Returned' of catalog 'shop' is neither handled nor ignored
$PWD/p/orders.yaml:4:1: type 'Refunded' of catalog 'shop' is neither handled nor ignored
$PWD/p/sums.yaml:4:1: type 'Returned' of catalog 'shop' is neither handled nor ignored
$PWD/p/sums.yaml:4:1: type 'Refunded' of catalog 'shop' is neither handled nor ignored" ]
	sed -i 's/ignore: \[/&Returned, Refunded, /' p/*.yaml
	run -0 ev-check -q </dev/null
}

@test "none of our projections goes on unaware when a catalog gets a type" {
	local name file missed count=0
	cp -R "$ROOT/schemas" "$BATS_TEST_TMPDIR/s"
	cd "$BATS_TEST_TMPDIR"
	sed -i '/^types:/a\  ISSUE_FROZEN: { payload: { required: [repo] } }' s/rig.yaml
	EV_SCHEMAS=$PWD/s run -1 --separate-stderr ev-check </dev/null
	for name in $(ev-check --list projections -c rig); do
		file=projections/$name.yaml
		# those that take every type take this one
		grep -q '^  "\*":' "$ROOT/share/$file" && continue
		missed="/$file:[0-9:]*: type 'ISSUE_FROZEN' of catalog 'rig' is"
		grep "$missed neither handled nor ignored" <<<"$stderr"
		count=$((count + 1))
	done
	[ "$count" -ge 5 ]
	[ "$(wc -l <<<"$stderr")" = "$count" ]
}

@test "a projection is known by its member, and checked with what is named" {
	orders
	run -0 ev-check p/orders.yaml
	[ "$output" = '1 projection: nothing wrong' ]
	run -0 ev-check p/states.yaml
	[ "$output" = '1 projection: nothing wrong' ]
	echo '{ "catalog": shop, "projection": other, key: k, on: { Paid: { count: { n: 1 } } } }' >json.yml
	run -1 --separate-stderr ev-check json.yml
	[ "$output" = '2 problems in 1 projection' ]
	printf 'projection: [\n' >broken.yaml
	run -1 --separate-stderr ev-check broken.yaml
	[ "$output" = '1 problem in 1 projection' ]
	# the catalog that is named counts, not its namesake in force
	sed '/^  Paid:/d' s/shop.yaml >new.yaml
	run -1 --separate-stderr ev-check new.yaml p/orders.yaml
	[ "$output" = '1 problem in 1 catalog and 1 projection' ]
	[ "$stderr" = \
"p/orders.yaml:6:3: no catalog of this projection has a type 'Paid'" ]
}

@test "with a broken catalog, projections are not blamed" {
	orders
	catalog s/shop.yaml <<<'catalog: shop'
	run -1 --separate-stderr ev-check </dev/null
	[ "$stderr" = "$PWD/s/shop.yaml:1:1: 'types' is missing" ]
	run -1 --separate-stderr ev-check p/orders.yaml
	[[ $stderr == *"shop.yaml:1:1: 'types' is missing" ]]
}

@test "a projection's file has its name" {
	orders
	mv p/sums.yaml p/totals.yaml
	run -1 --separate-stderr ev-check </dev/null
	[ "$stderr" = \
"$PWD/p/totals.yaml:1:13: projection 'sums' is looked for in a file 'sums.yaml'" ]
	run -0 ev-check p/totals.yaml
}

@test "a projection hides its namesake in a later folder" {
	orders
	catalog mine/orders.yaml <<-'END'
	projection: orders
	catalog: shop
	key: k
	on: { "*": { count: { state: 1 } } }
	END
	printf 'bad: true\n' >>p/orders.yaml
	run -1 ev-check </dev/null
	EV_PROJECTIONS=$PWD/mine:$PWD/p run -0 --separate-stderr \
		ev-check </dev/null
	[ "$output" = '1 catalog, 3 types, 3 projections: nothing wrong' ]
}

@test "--list names projections, all or those of a catalog" {
	orders
	run -0 ev-check --list projections
	[ "$output" = $'orders\nstates\nsums' ]
	run -0 ev-check --list projections -c shop
	[ "$output" = $'orders\nsums' ]
	run -1 ev-check --list projections -c none
	[ -z "$output" ]
	echo 'projection: [' >p/orders.yaml
	run -0 --separate-stderr ev-check --list projections
	[ "$output" = $'states\nsums' ]
	[ -z "$stderr" ]
}

# ---- events

events() {
	cat <<-'END'
	{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":42}
	{"type":"NOPE"}

	{"type":"CI_FAILED","repo":"acme/app","issueNumber":"42"}
	{"type":"HEARTBEAT","agentId":"dev-1","x":[1,}
	{"event_type":"CostIncurred","payload":{"tier":"direct","amount_usd":"much","source":"x"}}
	{"event_type":"session_spawned","session_id":"s","project_id":"p"}
	{"type":"MERGED","data":{"repo":"acme/app","issueNumber":1}}
	END
}

@test "events that an append would refuse are named, nothing is appended" {
	run -1 --separate-stderr pipe 'cat | ev-check' < <(events)
	[ "$output" = '5 of 7 events would be refused' ]
	[ "$stderr" = "ev-check: line 2: unknown event type: NOPE
ev-check: line 4: CI_FAILED: 'issueNumber': expected integer, found string
ev-check: line 5: column 46: trailing comma is not allowed
ev-check: line 6: CostIncurred: 'amount_usd': expected a decimal number, found 'much'
ev-check: line 8: MERGED: 'prNumber': required, but missing" ] ||
		[[ $stderr == *"line 5: column "* ]]
	[ ! -e "$EV_LOG" ]
}

@test "the complaints are those of ev-append, word for word" {
	run -65 --separate-stderr ev-append -q < <(events)
	said=${stderr//ev-append:/ev-check:}
	run -1 --separate-stderr ev-check - < <(events)
	[ "$stderr" = "$said" ]
	[ "$(wc -l <<<"$said")" = 5 ]
}

@test "events come from files, from standard input, or ended by NUL" {
	events >"$BATS_TEST_TMPDIR/e.ndjson"
	cd "$BATS_TEST_TMPDIR"
	run -1 --separate-stderr ev-check e.ndjson
	[[ $stderr == "ev-check: e.ndjson: line 2: unknown event type: NOPE"* ]]
	run -1 --separate-stderr ev-check <e.ndjson
	[ "$output" = '5 of 7 events would be refused' ]
	run -1 --separate-stderr ev-check - <e.ndjson
	[ "$output" = '5 of 7 events would be refused' ]
	run -1 --separate-stderr ev-check e.ndjson e.ndjson
	[ "$output" = '10 of 14 events would be refused' ]
	grep -v NOPE e.ndjson | head -n 1 | tr '\n' '\0' >e0
	run -0 --separate-stderr ev-check -0 ./e0
	[ "$output" = '1 event: nothing wrong' ]
}

@test "right events are right" {
	run -0 --separate-stderr ev-check \
		<<<'{"type":"VERIFIED","repo":"a/b","issueNumber":1}'
	[ "$output" = '1 event: nothing wrong' ]
	[ -z "$stderr" ]
	run -0 ev-check -q <<<'{"type":"VERIFIED","repo":"a/b","issueNumber":1}'
	[ -z "$output" ]
	run -0 ev-check - </dev/null
	[ "$output" = '0 events: nothing wrong' ]
}

@test "-s and -c decide as they do for an append" {
	run -1 ev-check <<<'{"type":"VERIFIED"}'
	run -0 ev-check -s acme/app#1 <<<'{"type":"VERIFIED"}'
	run -1 ev-check -c session <<<'{"type":"VERIFIED","repo":"a/b","issueNumber":1}'
}

@test "in a shell's loop it does not eat the loop's input" {
	printf '%s\n' one two three >"$BATS_TEST_TMPDIR/list"
	run -0 bash -c 'while read -r word; do
			ev-check -q && echo "$word"
		done <"$1"' loop "$BATS_TEST_TMPDIR/list"
	[ "$output" = $'one\ntwo\nthree' ]
}

@test "a broken catalog fails the check of events" {
	catalog s/bad.yaml <<<'catalog: bad'
	EV_SCHEMAS=$BATS_TEST_TMPDIR/s run -1 --separate-stderr \
		ev-check <<<'{"type":"VERIFIED"}'
	[[ $stderr == *"bad.yaml:1:1: 'types' is missing"* ]]
}

# ---- changes

old_and_new() {
	catalog old.yaml <<-'END'
	catalog: shop
	stream: order/{order}
	payload: { properties: { order: { type: string } } }
	types:
	  Placed:
	    payload:
	      required: [order]
	      properties: { total: { type: number } }
	  Paid: { payload: { required: [order] } }
	END
	catalog new.yaml <<-'END'
	catalog: shop
	stream: order/{order}
	payload: { properties: { order: { type: string } } }
	types:
	  Placed:
	    payload:
	      required: [order, total]
	      properties: { total: { type: number }, note: { type: string } }
	  Shipped:
	END
	cd "$BATS_TEST_TMPDIR" || return
}

@test "--compat tells breaking changes from others" {
	old_and_new
	run -1 --separate-stderr ev-check --compat old.yaml new.yaml
	[ "$output" = "breaking: Placed: 'total' is required now
compatible: Placed: 'note' is new
breaking: type 'Paid' is gone
compatible: type 'Shipped' is new
2 breaking changes" ]
	run -0 ev-check -q --compat old.yaml old.yaml
	[ -z "$output" ]
	run -1 --separate-stderr ev-check --compat old.yaml /dev/null
	[[ $stderr == *"/dev/null:1:1: the file is empty"* ]]
}

@test "--compat -l names the stored events that the new catalog refuses" {
	old_and_new
	mkdir in-force
	cp old.yaml in-force
	export EV_SCHEMAS=$PWD/in-force:$ROOT/schemas
	ev-append -q -c shop <<-'END'
	{"type":"Placed","data":{"order":"1","total":5}}
	{"type":"Placed","data":{"order":"2"}}
	{"type":"Placed","data":{"order":"3","total":5,"note":7}}
	{"type":"Paid","data":{"order":"1"}}
	END
	ev-append -q HEARTBEAT agentId=a
	run -1 --separate-stderr ev-check --compat -l "$EV_LOG" old.yaml new.yaml
	[ "$(grep -v '^[bc]' <<<"$output")" = \
"refused: position 2: Placed: 'total': required, but missing
refused: position 3: Placed: 'note': expected string, found number 7
refused: position 4: Paid: there is no such type any more
2 breaking changes, 3 of 4 stored events refused" ]
	run -69 --separate-stderr ev-check --compat -l none.db old.yaml new.yaml
}

@test "--compat -l upcasts before it refuses" {
	old_and_new
	mkdir in-force
	cp old.yaml in-force
	EV_SCHEMAS=$PWD/in-force ev-append -q <<<'{"type":"Placed","data":{"order":"2"}}'
	sed '/^  Placed:/a\    version: 2\n    upcast: { 1: [default: { total: 0 }] }' \
		new.yaml >newer.yaml
	run -1 --separate-stderr ev-check --compat -l "$EV_LOG" old.yaml newer.yaml
	[[ $output == *"compatible: Placed: version 2 follows 1"* ]]
	[[ $output == *"0 of 1 stored event refused" ]]
}

@test "wrong command lines are refused" {
	run -64 --separate-stderr ev-check --compat a.yaml
	[[ $stderr == *"--compat compares two files"* ]]
	run -64 --separate-stderr ev-check -l x a.yaml
	run -64 --separate-stderr ev-check --nope
	run -64 --separate-stderr ev-check a.yaml b.ndjson
	run -0 ev-check --help
	[[ $output == usage:* ]]
	run -0 ev-check --version
	[[ $output == "ev-check "*yyjson* ]]
}

# ---- JSON Schema

@test "schemas do what the specification says, keyword for keyword" {
	build=${EV_BIN%/bin}
	[ "$build" != "$ROOT" ] || build=$ROOT/build
	[ -x "$build/unit/suite_schema" ] ||
		make -s -C "$ROOT" build/unit/suite_schema
	cd "$ROOT/tests/fixtures/json-schema"
	run -0 "$build/unit/suite_schema" ./*.json
	# that nothing is left out: how many tests each file has run, and how
	# many schemas were refused because they use what we do not have
	diff <(sed -n '/ run, /s/^# \.\///p' <<<"$output") - <<-'END'
	additionalProperties.json: 16 run, 0 refused
	allOf.json: 20 run, 0 refused
	annotations.json: 13 run, 0 refused
	anyOf.json: 17 run, 0 refused
	boolean.json: 21 run, 0 refused
	const.json: 33 run, 0 refused
	contains.json: 20 run, 0 refused
	decimal.json: 18 run, 0 refused
	dependentRequired.json: 16 run, 0 refused
	dependentSchemas.json: 8 run, 0 refused
	enum.json: 30 run, 0 refused
	exclusiveMaximum.json: 4 run, 0 refused
	exclusiveMinimum.json: 5 run, 0 refused
	if-then-else.json: 26 run, 0 refused
	items.json: 20 run, 0 refused
	maxContains.json: 11 run, 0 refused
	maxItems.json: 6 run, 0 refused
	maxLength.json: 10 run, 0 refused
	maxProperties.json: 8 run, 0 refused
	maximum.json: 12 run, 0 refused
	minContains.json: 22 run, 0 refused
	minItems.json: 7 run, 0 refused
	minLength.json: 10 run, 0 refused
	minProperties.json: 7 run, 0 refused
	minimum.json: 16 run, 0 refused
	not.json: 16 run, 0 refused
	oneOf.json: 19 run, 0 refused
	outside.json: 0 run, 40 refused
	prefixItems.json: 9 run, 0 refused
	properties.json: 25 run, 0 refused
	propertyNames.json: 14 run, 0 refused
	required.json: 16 run, 0 refused
	type.json: 57 run, 0 refused
	uniqueItems.json: 28 run, 0 refused
	END
}
