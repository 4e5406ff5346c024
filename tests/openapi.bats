#!/usr/bin/env bats
# schemas/http/openapi.yaml says what ev-serve does: it is a description that
# tools can read, it has every route, and a server answers as it says whatever
# it is asked. The requests are made from the description, by openapi.mjs.
# shellcheck disable=SC2154 # serve_start sets $url

load helper
load serve

setup_file() {
	export API=$BATS_FILE_TMPDIR/api.json SEEN=$BATS_FILE_TMPDIR/seen
	ev-from-yaml "$ROOT/schemas/http/openapi.yaml" >"$API"
	mkdir "$SEEN"
	EV_LOG=$BATS_FILE_TMPDIR/lively.db
	lively
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR
	unset http_proxy HTTP_PROXY
}

teardown() {
	serve_stop
}

# issue NUMBER, of events that are made of its number and $pr:
#	TYPE MEMBER=VALUE...
issue() {
	jq -cnR --argjson number "$1" '
		inputs | select(. != "") | [splits(" +")] | map(select(. != ""))
		| { type: .[0], repo: "acme/almanac", issueNumber: $number }
		  + (.[1:] | map(split("=") | { key: .[0],
		      value: (.[1] as $v | $v | try fromjson catch $v) })
		    | from_entries)'
}

# A log with something of everything.
lively() {
	{
		issue 1 <<-'END'
		ISSUE_APPROVED title=leap priority=normal milestone=first actor=lead
		ISSUE_ASSIGNED agentId=ada attempt=1
		BRANCH_CREATED agentId=ada branch=issue-1
		WORK_STARTED agentId=ada branch=issue-1
		TOKEN_USAGE agentId=ada model=large inputTokens=28 outputTokens=52 costUsd=0.000864
		PR_CREATED agentId=ada prNumber=12 branch=issue-1 prUrl=https://github.com/acme/almanac/pull/12
		CI_PASSED prNumber=12
		REVIEW_ASSIGNED agentId=rev prNumber=12
		REVIEW_PASSED agentId=rev prNumber=12
		MERGED prNumber=12 mergeSha=6c6832e0c0f8098a7d158b73cf6d60ba9bd2a3df
		DEPLOYED_STAGING
		SMOKE_PASSED
		DEPLOYED_PRODUCTION
		VERIFIED
		ISSUE_DONE
		END
		issue 2 <<-'END'
		ISSUE_APPROVED title=weekday priority=high
		ISSUE_ASSIGNED agentId=ben attempt=1
		PR_CREATED agentId=ben prNumber=13 branch=issue-2
		CI_FAILED prNumber=13 failedChecks=["unit","lint"]
		END
		issue 3 <<-'END'
		ISSUE_APPROVED title=roman priority=critical
		ISSUE_ASSIGNED agentId=cleo attempt=1
		PR_CREATED agentId=cleo prNumber=14 branch=issue-3
		END
		issue 4 <<-'END'
		ISSUE_APPROVED title=moon priority=low dependsOn=[5,"acme/almanac#9"]
		END
		issue 5 <<-'END'
		ISSUE_APPROVED title=tide priority=normal
		END
		issue 6 <<-'END'
		ISSUE_APPROVED title=star priority=normal
		ISSUE_ASSIGNED agentId=cleo attempt=1
		AGENT_STUCK agentId=cleo reason=silent
		END
		issue 7 <<-'END'
		ISSUE_APPROVED title=nth priority=normal
		ESCALATED agentId=ada reason=tests
		END
		issue 8 <<-'END'
		ISSUE_APPROVED title=gate priority=normal
		HUMAN_GATE_TRIGGERED reason=money
		END
		echo '{"type":"HEARTBEAT","agentId":"ada/x7k2p","status":"working"}'
		echo '{"type":"SessionSpawned","session_id":"s-1","project_id":"almanac"}'
		echo '{"type":"SessionWorking","session_id":"s-1","project_id":"almanac"}'
	} | ev-append -q -
	ev-project issue-status agent-status agent-queue token-usage daily-cost \
		session-status
}

# ask AS LOG [MEMBER...]: everything that the description has, of $url
ask() {
	local as=$1 log=$2
	shift 2
	node "$ROOT/tests/openapi.mjs" ask "$API" "$url" "$(jq -cn \
		--arg who "$as" --arg log "$log" --arg seen "$SEEN/$as-$log$#" \
		"{ as: \$who, log: \$log, seen: \$seen } + ({ ${*-} })")"
}

# start LOG [OPTION...]: on a copy of it
start() {
	local log=$1
	shift
	cp "$BATS_FILE_TMPDIR/$log" "$EV_LOG"
	serve_start "$@"
}

tokens() {
	local name
	for name in read append admin; do
		ev-serve --tokens tokens --new-token "$name=$name" >"$name"
	done
	jq -cn '{ tokens: $ARGS.named }' --arg read "$(cat read)" \
		--arg append "$(cat append)" --arg admin "$(cat admin)" >list
}

@test "the description is one of OpenAPI 3.1, and its examples are of its schemas" {
	node "$ROOT/tests/openapi.mjs" document "$API"
}

@test "it has the routes that there are" {
	node "$ROOT/tests/openapi.mjs" routes "$API" "$ROOT/src/cmd/serve_routes.c"
}

@test "ev-serve gives it as it is, and as JSON" {
	serve_start
	curl -s "$url/api/openapi.yaml" >given.yaml
	cmp given.yaml "$ROOT/schemas/http/openapi.yaml"
	curl -s "$url/api/openapi.json" | jq -S . >given
	jq -S . "$API" >wanted
	cmp given wanted
	# another reader of YAML understands the same
	node --input-type=module -e '
		import { createRequire } from "node:module";
		import { readFileSync } from "node:fs";
		const yaml = createRequire(process.argv[1])("yaml");
		console.log(JSON.stringify(yaml.parse(
			readFileSync(process.argv[2], "utf8"))));
	' "$ROOT/tests/npm/package.json" given.yaml | jq -S . >theirs
	cmp theirs wanted
}

@test "without tokens, on a lively log, it is as described" {
	echo almanac >secret
	chmod 600 secret
	start lively.db --github-secret secret
	ask open lively 'deep: true, secret: "almanac"'
}

@test "without tokens, on a log that is not there yet, it is as described" {
	serve_start
	ask open empty
}

@test "with tokens, it is as described for each of them" {
	tokens
	start lively.db --tokens tokens
	for as in none read append admin; do
		ask "$as" lively "$(jq -r 'tojson[1:-1]' list)"
	done
}

@test "who asks too often is told so, everywhere" {
	serve_start --rate 1
	ask open empty 'rate: true'
}

@test "everything that is described has been answered by now" {
	node "$ROOT/tests/openapi.mjs" seen "$API" "$SEEN"/*
}
