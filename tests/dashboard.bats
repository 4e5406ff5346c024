# The dashboard of ev-serve in a real browser: tests/browser/dashboard.mjs does
# it all in one go, once, and each test here is one of its lines.

setup_file() {
	load helper
	cd "$BATS_FILE_TMPDIR" || return
	a_rig >rig.out
	export EV_LOG_BIG=$BATS_FILE_TMPDIR/big.db
	a_long_log
	node "$BATS_TEST_DIRNAME/browser/dashboard.mjs" >tap 2>err || :
}

setup() {
	load helper
}

# A rig with something in each panel, made as people make it; what comes from
# elsewhere (GitHub, hooks) is appended.
a_rig() {
	rig-approve -q acme/app#42 'cache the tide tables' -p high
	rig-approve -q acme/app#43 'name the islands' -m 1.0
	rig-approve -q acme/app#44 'draw the chart' -d acme/app#43
	rig-approve -q acme/app#45 'measure the depth'
	rig-approve -q acme/app#46 'light the lamp' -p low
	rig-heartbeat -q ada
	rig-heartbeat -q ben
	rig-claim -q acme/app#42 ada
	rig-claim -q acme/app#45 ben
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	ev-append - <<-END
		{"type":"BRANCH_CREATED","repo":"acme/app","issueNumber":42,"agentId":"ada","branch":"tides","actor":"ada"}
		{"type":"WORK_STARTED","repo":"acme/app","issueNumber":42,"agentId":"ada","branch":"tides","actor":"ada"}
		{"type":"TOKEN_USAGE","repo":"acme/app","issueNumber":42,"agentId":"ada","model":"m","inputTokens":900,"outputTokens":100,"costUsd":12.10,"category":"work","timestamp":"$now","actor":"ada"}
		{"type":"PR_CREATED","repo":"acme/app","issueNumber":42,"agentId":"ada","prNumber":7,"prUrl":"https://github.com/acme/app/pull/7","branch":"tides","id":"pr","actor":"ada"}
		{"type":"CI_FAILED","repo":"acme/app","issueNumber":42,"prNumber":7,"failedChecks":["unit"],"causationId":"pr","actor":"ci"}
		{"type":"CI_PASSED","repo":"acme/app","issueNumber":42,"prNumber":7,"causationId":"pr","actor":"ci"}
		{"type":"HEARTBEAT","agentId":"ben","status":"working","causationId":"pr","actor":"caused elsewhere"}
		{"type":"WORK_STARTED","repo":"acme/app","issueNumber":45,"agentId":"ben","branch":"depth"}
		{"type":"ESCALATED","repo":"acme/app","issueNumber":45,"reason":"the smoke test failed 3 times","attempts":3}
		{"type":"HEARTBEAT","agentId":"cleo","status":"working","timestamp":"2026-01-01T00:00:00Z"}
	END
	for number in $(seq 100 120); do
		printf '{"type":"ISSUE_ASSIGNED","repo":"acme/dock","issueNumber":%s,"agentId":"cleo"}\n' \
			"$number"
	done | ev-append -
}

# 100,000 events: 2,000 issues, most of them done, and the heartbeats of forty
# agents.
a_long_log() {
	awk 'BEGIN {
		for (i = 1; i <= 2000; i++) {
			issue = "\"repo\":\"acme/app\",\"issueNumber\":" i "}"
			print "{\"type\":\"ISSUE_APPROVED\",\"title\":\"issue " i "\"," issue
			print "{\"type\":\"ISSUE_ASSIGNED\",\"agentId\":\"a" i % 40 "\"," issue
			print "{\"type\":\"WORK_STARTED\",\"branch\":\"b\",\"agentId\":\"a" i % 40 "\"," issue
			if (i % 50)
				print "{\"type\":\"ISSUE_DONE\"," issue
			for (k = 0; k < 46 + !(i % 50); k++)
				print "{\"type\":\"HEARTBEAT\",\"status\":\"working\",\"agentId\":\"a" (i + k) % 40 "\"}"
		}
	}' | EV_LOG=$EV_LOG_BIG ev-append - >big.out
}

# The line of the test that is named like this one.
looked() {
	local line
	line=$(grep -F -- "- $BATS_TEST_DESCRIPTION" "$BATS_FILE_TMPDIR/tap") || {
		cat "$BATS_FILE_TMPDIR/tap" "$BATS_FILE_TMPDIR/err"
		return 1
	}
	[[ $line == ok\ * ]] || {
		sed -n "/^not ok.*- $BATS_TEST_DESCRIPTION/,/^\(not \)*ok/p" \
			"$BATS_FILE_TMPDIR/tap"
		return 1
	}
}

@test "every panel shows what the API says" {
	looked
}

@test "what is appended is seen at once, and nothing else is touched" {
	looked
}

@test "ages tick, and nothing else is done while nothing happens" {
	looked
}

@test "a flood of events makes no flood of requests" {
	looked
}

@test "the page survives that the server is started again" {
	looked
}

@test "loaded again and again, the page is there each time" {
	looked
}

@test "hostile text is text" {
	looked
}

@test "there is nothing that an accessibility audit finds" {
	looked
}

@test "a phone shows all without sideways scrolling" {
	looked
}

@test "the keyboard is enough" {
	looked
}

@test "going back in time, and back to now" {
	looked
}

@test "an issue's page tells its life, its events, why, the gate, the cost" {
	looked
}

@test "an agent's page tells its issues, queue, costs and events" {
	looked
}

@test "who has no token is asked for one" {
	looked
}

@test "100,000 events behind it, the page loads in a second" {
	looked
}

@test "all but the charts is 60 to 100 KiB, and asks nobody else for anything" {
	looked
}

@test "no test of the browser is left out here" {
	run -0 grep -c "^@test" "$BATS_TEST_FILENAME"
	[ "$(sed -n "s/^1\.\.//p" "$BATS_FILE_TMPDIR/tap")" -eq $((output - 1)) ]
}
