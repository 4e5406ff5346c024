# awk -v seed=N -v streams=N -v events=N -f generate.awk: makes up the events of
# a rig, of workflows and of sessions, one a line, in a random order of streams.
# All of them can be appended, but little of what they tell makes sense: told
# twice, too late, of others' pull requests, with members left out.

function some(n) { return int(rand() * n) }
function chance(percent) { return rand() * 100 < percent }
function pick(list, words) { return words[1 + some(split(list, words, " "))] }
function text(name, value) { return ",\"" name "\":\"" value "\"" }
function plain(name, value) { return ",\"" name "\":" value }
function maybe(percent, member) { return chance(percent) ? member : "" }

function two(n) { return sprintf("%02d", n) }

# Time goes on by up to two hours an event, and now and then some weeks back.
function time(  at, day, left) {
	clock += some(chance(8) ? 7200 : 90)
	at = clock - (chance(15) ? some(4000000) : 0)
	if (at < 0)
		at = 0
	day = int(at / 86400)
	left = at % 86400
	return "2026-0" (1 + int(day / 28)) "-" two(1 + day % 28) "T" \
	    two(int(left / 3600)) ":" two(int(left / 60) % 60) ":" \
	    two(left % 60) maybe(40, "." some(1000)) "Z"
}

function agent() { return text("agentId", pick("ada ada/1 ada/2 ben ben/1 cleo")) }
function pull() { return plain("prNumber", 1 + some(3)) }

# Three decimals at most: a reference that counts in thousandths is exact.
function amount(  value) {
	value = pick("0 1 12 0.5 12.10 0.05 0.125 3.007 100.00 1e-3 2.5e1 0.1")
	return chance(30) ? "\"" value "\"" : value
}

function rig(number, type) {
	type = pick("ISSUE_APPROVED ISSUE_ASSIGNED ISSUE_ASSIGNED ISSUE_UNASSIGNED " \
	    "WORK_STARTED WORK_STARTED BRANCH_CREATED PR_CREATED PR_CREATED CI_PASSED " \
	    "CI_FAILED CI_FAILED REVIEW_ASSIGNED REVIEW_PASSED REVIEW_DISPUTED " \
	    "HUMAN_GATE_TRIGGERED MERGED DEPLOYED_STAGING SMOKE_PASSED SMOKE_FAILED " \
	    "DEPLOYED_PRODUCTION VERIFIED ISSUE_DONE DUPLICATE_PR_CLOSED HEARTBEAT " \
	    "AGENT_STUCK ESCALATED HUMAN_GATE_REMINDER ISSUE_ORPHANED " \
	    "ISSUE_NEEDS_HUMAN TOKEN_USAGE TOKEN_USAGE TOKEN_USAGE E2E_FAILED")
	return "\"type\":\"" type "\"" members(type) place(type, number)
}

# Most are in the stream of an issue; some name it only, some only the agent.
function place(type, number,  where) {
	where = "acme/" (number % 3 ? "app" : "lib")
	if (type ~ /^(HEARTBEAT|AGENT_STUCK|ESCALATED|TOKEN_USAGE)$/ && chance(30))
		return type == "ESCALATED" ? agent() : \
		    type != "TOKEN_USAGE" ? "" : \
		    chance(50) ? text("repo", where) plain("issueNumber", 0) : \
		    maybe(30, plain("issueNumber", number))
	if (type ~ /^(HEARTBEAT|AGENT_STUCK|ESCALATED)$/ && chance(50))
		return text("streamId", where "#" number) \
		    (type == "ESCALATED" ? maybe(50, agent()) : "")
	return text("repo", where) plain("issueNumber", number) \
	    (type == "HEARTBEAT" ? text("streamId", where "#" number) : "")
}

function members(type) {
	if (type == "ISSUE_APPROVED")
		return maybe(80, text("title", "T" some(100))) \
		    maybe(50, text("priority", pick("critical high normal low"))) \
		    maybe(40, plain("dependsOn", "[" some(9) ",\"acme/app#" some(9) "\"]"))  \
		    maybe(30, text("milestone", "v" some(3)))
	if (type == "ISSUE_ASSIGNED")
		return agent() maybe(40, plain("attempt", some(4)))
	if (type == "ISSUE_UNASSIGNED")
		return maybe(50, agent()) maybe(50, text("reason", "r" some(9)))
	if (type == "WORK_STARTED" || type == "BRANCH_CREATED")
		return maybe(80, agent()) maybe(80, text("branch", "b" some(9)))
	if (type == "PR_CREATED")
		return pull() maybe(60, agent()) maybe(60, text("prUrl", "u" some(9))) \
		    maybe(60, text("branch", "b" some(9)))
	if (type == "CI_PASSED")
		return maybe(80, pull())
	if (type == "CI_FAILED")
		return maybe(80, pull()) maybe(80, plain("failedChecks", "[\"c" some(9) "\"]"))
	if (type ~ /^REVIEW_/)
		return pull() maybe(50, text("reason", "r" some(9))) \
		    (type == "REVIEW_ASSIGNED" ? text("agentId", "review-e") : "")
	if (type == "HUMAN_GATE_TRIGGERED")
		return maybe(70, pull()) maybe(70, text("reason", "r" some(9)))
	if (type == "MERGED")
		return pull() maybe(80, text("mergeSha", "s" some(4)))
	if (type == "SMOKE_FAILED")
		return maybe(80, text("reason", pick("code external_dependency"))) \
		    maybe(40, plain("retryCount", some(4)))
	if (type == "ISSUE_DONE")
		return maybe(60, plain("durationMinutes", some(900) / 4))
	if (type == "DUPLICATE_PR_CLOSED")
		return plain("mergedPrNumber", 1 + some(3)) plain("closedPrNumber", 1 + some(3))
	if (type == "HEARTBEAT")
		return agent() maybe(60, text("status", pick("idle working"))) \
		    maybe(50, plain("currentIssue", pick("null 1 2 3"))) \
		    maybe(40, text("currentRepo", pick("acme/app acme/lib"))) \
		    maybe(50, text("activity", pick("commit push push")))
	if (type == "AGENT_STUCK")
		return agent() maybe(50, text("reason", "r" some(9))) \
		    maybe(40, plain("attempt", some(4)))
	if (type == "ESCALATED")
		return maybe(60, text("reason", "r" some(9)))
	if (type == "TOKEN_USAGE")
		return agent() maybe(80, text("model", pick("m-1.5 m-2 n"))) \
		    maybe(90, plain("inputTokens", some(5000))) \
		    maybe(90, plain("outputTokens", some(900))) \
		    maybe(90, plain("costUsd", amount()))
	return ""
}

function workflow(number, type, id, payload) {
	type = pick("PluginResolved AdapterDegraded TrustGatePassed " \
	    "TrustGateFailed CostIncurred CostIncurred CostIncurred " \
	    "MergeOutcome SolutionFound AttemptCompleted")
	id = chance(15) ? "null" : "\"w/" number % 50 "\""
	if (type == "PluginResolved")
		payload = text("plugin_id", "p" some(5)) \
		    maybe(70, plain("fallback_used", pick("true false")))
	else if (type == "AdapterDegraded")
		payload = text("primitive", "x")
	else if (type ~ /^Trust/)
		payload = text("gate", "g" some(3)) maybe(80, plain("score", some(101) / 100)) \
		    (type == "TrustGateFailed" ? maybe(80, plain("failing_signals", \
		    "[\"a\",\"s" some(3) "\"]")) maybe(80, plain("retry_count", some(3))) : "")
	else if (type == "CostIncurred")
		payload = text("tier", pick("direct amortized overhead")) \
		    text("source", pick("llm ci/runner ide")) plain("amount_usd", amount())
	else if (type == "MergeOutcome")
		payload = text("decision", pick("merged closed modified")) \
		    maybe(70, text("pr_url", "u" some(40)))
	else if (type == "SolutionFound")
		payload = text("problem", "p/" some(5)) \
		    text("solution", "s" some(5)) \
		    maybe(60, text("plugin_id", "p" some(5)))
	else
		payload = text("problem", "p/" some(5)) \
		    text("outcome", pick("succeeded failed abandoned"))
	return "\"event_type\":\"" type "\"" plain("workflow_id", id) \
	    ",\"payload\":{" substr(payload, 2) "}"
}

# Sessions end, and others begin.
function session(number) {
	return "\"event_type\":\"" pick("SessionSpawned SessionWorking SessionExited " \
	    "SessionKilled SessionRestored SessionCleaned StatusChanged ActivityChanged " \
	    "PrCreated PrUpdated PrMerged PrClosed CiPassing CiFailing CiFixSent " \
	    "CiFixFailed ReviewPending ReviewApproved ReviewChangesRequested " \
	    "ReviewCommentsSent MergeReady MergeConflicts MergeCompleted " \
	    "ReactionTriggered ReactionEscalated") "\"" text("session_id", "s" number % 10 "-" int(i / 1000)) \
	    text("project_id", "p") maybe(50, text("message", "m" some(9))) \
	    maybe(60, ",\"data\":{" substr(maybe(50, text("status", \
	    pick("working approved"))) maybe(50, text("to", "idle")) \
	    maybe(50, text("activity", "ready")) \
	    maybe(50, plain("draft", pick("true false"))) \
	    plain("pr_number", some(9)), 2) "}")
}

BEGIN {
	srand(seed)
	for (i = 0; i < events; i++) {
		number = 1 + some(streams)
		kind = some(10)
		body = kind < 7 ? rig(number) : kind < 9 ? workflow(number) : \
		    session(number)
		# told again, as it was, later
		if (number in last && chance(8))
			body = last[number]
		else
			body = body text("timestamp", time())
		last[number] = body
		print "{" (body ~ /"payload"/ ? "\"event_id\"" : "\"id\"") ":\"e" seed "-" i "\"," body "}"
	}
}
