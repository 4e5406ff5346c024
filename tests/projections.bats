#!/usr/bin/env bats
# The read models that come with ev: exact documents of small stories, what an
# event of every type changes, and what changes when a catalog grows.

load helper

fixtures=$BATS_TEST_DIRNAME/fixtures/projections

# fold_story NAME: appends the events of a fixture and prints the documents
# that they make, once folded from the events and once as ev-get has them.
fold_story() {
	local base
	ev-append -q "$fixtures/$1.events"
	ev-cat >"$BATS_TEST_TMPDIR/events"
	case $1 in
	roi | plugin-telemetry) base=workflow-outcome ;;
	learning) base=lesson ;;
	*)
		ev-fold -p "$1" "$BATS_TEST_TMPDIR/events"
		return
		;;
	esac
	ev-fold -p "$base" "$BATS_TEST_TMPDIR/events" | ev-fold -p "$1"
}

tell_story() {
	fold_story "$1" >"$BATS_TEST_TMPDIR/folded"
	diff "$fixtures/$1.documents" "$BATS_TEST_TMPDIR/folded"
	ev-get "$1" >"$BATS_TEST_TMPDIR/got"
	diff "$fixtures/$1.documents" "$BATS_TEST_TMPDIR/got"
}

@test "every projection handles or ignores every type of its catalogs" {
	run -0 ev-check "$ROOT"/share/projections/*.yaml
}

@test "every projection has a story" {
	local file name
	for file in "$ROOT"/share/projections/*.yaml; do
		name=${file##*/}
		name=${name%.yaml}
		[ "$(sed -n 's/^projection: //p' "$file")" = "$name" ]
		[ -s "$fixtures/$name.events" ]
		[ -s "$fixtures/$name.documents" ]
	done
}

@test "issue-status: after each of the fourteen events of a life" {
	local i
	ev-append -q "$fixtures/life.events"
	ev-cat >"$BATS_TEST_TMPDIR/events"
	[ "$(grep -c . "$fixtures/life.documents")" = 14 ]
	for ((i = 1; i <= 14; i++)); do
		diff <(sed -n "${i}p" "$fixtures/life.documents") \
			<(head -n "$i" "$BATS_TEST_TMPDIR/events" |
				ev-fold -p issue-status)
		diff <(sed -n "${i}p" "$fixtures/life.documents") \
			<(ev-get issue-status --at "$i")
	done
	diff "$fixtures/life.documents" \
		<(ev-fold -p issue-status --each "$BATS_TEST_TMPDIR/events")
}

@test "the agents of that life" {
	ev-append -q "$fixtures/life.events"
	diff - <(ev-get agent-status) <<-'END'
	{"key":"dev-e-node","status":"idle","currentIssue":null,"currentRepo":null,"lastHeartbeat":"2026-04-21T09:20:00.000000Z","completed":1,"failed":0,"stuck":1,"instances":["dev-e-node/k4x2m","dev-e-node/p9s7q"]}
	END
	diff - <(ev-get agent-queue) <<-'END'
	{"key":"dev-e-node","lastAssigned":{"streamId":"dashecorp/rig-agent-runtime#88","repo":"dashecorp/rig-agent-runtime","issueNumber":88,"assignedAt":"2026-04-21T09:50:00.000000Z"},"items":{},"depth":0}
	END
}

@test "issue-status: told twice, told late, gated, escalated, begun anew" {
	tell_story issue-status
}

@test "agent-status: pods, lost and late signs of life, who gets the credit" {
	tell_story agent-status
}

@test "agent-queue: the depth is right whatever is told twice" {
	tell_story agent-queue
}

@test "token-usage: exact sums of numbers and texts, by model" {
	tell_story token-usage
}

@test "daily-cost: days are UTC, a repository may be missing" {
	tell_story daily-cost
}

@test "cost-ledger: a row for each workflow, tier and source" {
	tell_story cost-ledger
}

@test "workflow-outcome: a pull request has one outcome" {
	tell_story workflow-outcome
}

@test "roi: money for each merged pull request" {
	tell_story roi
}

@test "plugin-telemetry: a workflow counts for each of its plugins" {
	tell_story plugin-telemetry
}

@test "lesson: what events speak of" {
	tell_story lesson
}

@test "learning: nodes and edges with their counts" {
	tell_story learning
}

@test "audit: four sources in the order of time" {
	tell_story audit
}

@test "trust-gate: signals, retries and scores" {
	tell_story trust-gate
}

@test "session-status: an end is an end, but for a merge" {
	tell_story session-status
}

@test "what an event of every type changes" {
	local -; set -o pipefail
	mkdir "$BATS_TEST_TMPDIR/work"
	"$BATS_TEST_DIRNAME/reference/effects" "$fixtures/types" \
		"$BATS_TEST_TMPDIR/work" >"$BATS_TEST_TMPDIR/is"
	# the same without the events; what changes is a set
	awk '
	function finish() {
		close("sort")
		if (open)
			print ""
		open = 0
	}
	/^#/ || /^{/ { next }
	/^$/ { finish(); next }
	/^=/ { print | "sort"; next }
	{ open = 1; print; fflush() }
	END { finish() }' "$fixtures/types" >"$BATS_TEST_TMPDIR/wanted"
	diff "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/is"
}

@test "there is a case of every type, but for those of Temporal" {
	diff <(grep -E '^[A-Z]' "$fixtures/types" | sort -u) \
		<(for catalog in rig session workflow; do
			ev-check -c "$catalog" --list types
		done | awk '{ print $1 }' | sort -u)
}

# The key is written down once more here, for all events of all types.
@test "audit has an entry of every event of every type" {
	grep -v '^#' "$BATS_TEST_DIRNAME/fixtures/catalog-events.tsv" |
		cut -f 4 | ev-append -q
	ev-cat >"$BATS_TEST_TMPDIR/events"
	ev-fold -p audit "$BATS_TEST_TMPDIR/events" | jq -S . \
		>"$BATS_TEST_TMPDIR/is"
	jq -Ss 'map(.key = (.correlationId // .streamId)) | group_by(.key)[]
		| {key: .[0].key, entries: sort_by(.timestamp, .position) | map({
			timestamp, position, catalog, type, streamId, priority,
			actor, data
		})}' "$BATS_TEST_TMPDIR/events" >"$BATS_TEST_TMPDIR/wanted"
	[ "$(jq -s 'map(.entries | length) | add' \
		"$BATS_TEST_TMPDIR/is")" -ge 128 ]
	diff "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/is"
}

@test "Temporal's events change nothing but audit" {
	grep -v '^#' "$BATS_TEST_DIRNAME/fixtures/catalog-events.tsv" |
		grep '^temporal/' | cut -f 4 | ev-append -q
	run -0 ev-cat --count
	[ "$output" -ge 60 ]
	run -0 --separate-stderr pipe 'ev-cat | ev-fold -p issue-status \
		-p agent-status -p agent-queue -p token-usage -p daily-cost \
		-p cost-ledger -p workflow-outcome -p lesson -p trust-gate \
		-p session-status'
	[ -z "$output$stderr" ]
}

@test "a type that a catalog gets is missed in every projection of it" {
	local file
	cp -R "$ROOT/schemas" "$BATS_TEST_TMPDIR"
	cat >>"$BATS_TEST_TMPDIR/schemas/rig.yaml" <<-'END'
	  ISSUE_SPLIT:
	    summary: The issue became several
	    payload: { required: *issue }
	END
	run -1 env EV_SCHEMAS="$BATS_TEST_TMPDIR/schemas" \
		ev-check "$ROOT"/share/projections/*.yaml
	for file in "$ROOT"/share/projections/*.yaml; do
		case $(sed -n 's/^catalog: //p' "$file") in
		rig) grep "^$file:.*ISSUE_SPLIT" <<<"$output" ;;
		*) [[ $output != *"$file:"* ]] ;;
		esac
	done
}
