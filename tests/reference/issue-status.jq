# jq -cn -f issue-status.jq EVENTS: the documents of issue-status after each
# event that means something to one, written down once more, as a reference: by what an
# event means, not by rules that are tried one after the other. Streams follow
# each other, and members are in no particular order.

def one_of(f; $list): f as $x | any($list[]; . == $x);
# the rank of a state on the way from the merge on
def stage: {"merged": 1, "staging": 2, "smoke_failed": 2, "production": 3,
	"verified": 4, "done": 5}[.] // 0;
def shipped: .state as $s | ($s // "" | stage) > 0 and $s != "smoke_failed";
# what is told and not left out
def learn($data; $names):
	reduce $names[] as $n (.; if $data[$n] != null then .[$n] = $data[$n] else . end);
def forget($names): reduce $names[] as $n (.; .[$n] = null);
def agent_of: if . == null then null else split("/")[0] end;
def other_pull($d): .prNumber != null and $d.prNumber != null and .prNumber != $d.prNumber;

def blank: {
	state: null, repo: null, issueNumber: null, title: null, priority: null,
	dependsOn: [], agentId: null, attempt: 0, branch: null, prNumber: null,
	prUrl: null, failedChecks: [], mergeSha: null, stuckCount: 0,
	smokeRetries: 0, reason: null, milestone: null, approvedAt: null,
	assignedAt: null, doneAt: null, lastEventAt: null, durationMinutes: null
};
# it means nothing to the issue
def unheard: .unheard = true;

# whoever looks at the work next
def again:
	.state = (if .prNumber then "in_review" else "in_progress" end);

def approved($d; $t):
	if .state == "done" and $t > .doneAt then
		(. as $old | blank + ($old | {
			repo, issueNumber, title, priority, dependsOn, milestone,
			lastEventAt, assignee, releasedAt, gatedAt, refusedAt
		})) | .state = "queued"
	elif .state == "escalated" then
		.state = "queued" | forget(["agentId", "reason"])
		| .stuckCount = 0 | .smokeRetries = 0
	elif .state == null then .state = "queued"
	elif .state == "gated" and $t > .gatedAt then
		(if .agentId then again else .state = "queued" end)
		| .reason = null
	else . end
	| learn($d; ["title", "priority", "dependsOn", "milestone"])
	| .approvedAt = ([.approvedAt // $t, $t] | min);

def assigned($d; $t):
	(if .assignee == $d.agentId and ($d.attempt == null or $d.attempt <= .attempt)
	then .
	else
		.state = "assigned" | .agentId = ($d.agentId | agent_of) | .reason = null
		| .assignedAt = $t | .attempt = ($d.attempt // .attempt + 1)
	end) | .assignee = $d.agentId | .releasedAt = null;

def unassigned($d; $t):
	(if shipped then .
	else
		forget(["agentId", "assignedAt"])
		| if one_of(.state; ["gated", "escalated"]) then .
		  else .state = "queued" | learn($d; ["reason"]) end
	end) | .assignee = null | .releasedAt = $t;

def stale($t): .state == "queued" and .releasedAt != null and $t < .releasedAt;

def worked($d; $t):
	if stale($t) then learn($d; ["branch"])
	elif one_of(.state; [null, "queued", "assigned", "smoke_failed", "escalated"]) then
		.state = "in_progress" | learn($d; ["branch"])
		| .agentId = (.agentId // ($d.agentId | agent_of))
	else .branch = (.branch // $d.branch) end;

def opened($d; $t):
	if .prNumber == $d.prNumber then learn($d; ["prUrl", "branch"])
	elif shipped then .
	else
		(stale($t)) as $stale
		| learn($d; ["prNumber", "prUrl", "branch"])
		| if $stale then .
		  else
			.state = "in_review" | .failedChecks = []
			| .agentId = (.agentId // ($d.agentId | agent_of))
		  end
	end;

def checked($type; $d):
	if other_pull($d) then .
	elif $type == "CI_PASSED" then
		.failedChecks = []
		| if .state == "ci_failed" then again else . end
	elif (.state // "" | stage) > 0 then .
	else
		learn($d; ["failedChecks"])
		| if one_of(.state; ["queued", "gated", "escalated"]) then .
		  else .state = "ci_failed" end
	end;

def reviewed($type; $d):
	if other_pull($d) then .
	else
		.prNumber = $d.prNumber
		| if (.state // "" | stage) > 0 or one_of(.state; ["queued", "gated", "escalated"]) then .
		  elif $type == "REVIEW_DISPUTED" then
			.state = "changes_requested" | learn($d; ["reason"])
		  elif .state == "ci_failed" then .
		  else .state = "in_review" end
	end;

def merged($d):
	(.state // "" | stage) as $stage
	| if $stage > 1 and .mergeSha == null then learn($d; ["prNumber", "mergeSha"])
	  elif $d.mergeSha != null and $d.mergeSha == .mergeSha then .
	  elif $stage > 1 and .state != "smoke_failed" then .
	  else
		(if other_pull($d) then .prUrl = null else . end)
		| .state = "merged" | .failedChecks = [] | .reason = null
		| learn($d; ["prNumber", "mergeSha"])
	  end;

def reached($state):
	(.state // "" | stage) as $stage
	| if $stage > ($state | stage) then . else .state = $state | .reason = null end;

def smoke_failed($d):
	(.state // "" | stage) as $stage
	| if $stage > 2 then .
	  else
		.smokeRetries = (if $d.retryCount == null then .smokeRetries + 1
			else [.smokeRetries, $d.retryCount] | max end)
		| if .state == "escalated" then .
		  else .state = "smoke_failed" | learn($d; ["reason"]) end
	  end;

def done($d; $t):
	if .state == "done" then .durationMinutes = (.durationMinutes // $d.durationMinutes)
	else
		.state = "done" | .reason = null | .doneAt = $t
		| learn($d; ["durationMinutes"])
	end;

def stuck($d):
	if .state == null and $d.issueNumber == null then unheard
	elif shipped then .
	elif .state == null or $d.attempt == null then
		.stuckCount += 1 | learn($d; ["reason"])
	elif $d.attempt > .stuckCount then
		.stuckCount = $d.attempt | learn($d; ["reason"])
	else . end;

def escalated($d):
	if .state == null and $d.issueNumber == null then unheard
	elif .state == "done" then .
	else .state = "escalated" | learn($d; ["reason"]) end;

def step($e):
	$e.data as $d | $e.timestamp as $t | $e.type as $type
	| if $type == "CI_FAILED" or $type == "REVIEW_DISPUTED" then
		.refusedAt = ([.refusedAt // $t, $t] | max)
	  elif $type == "HUMAN_GATE_TRIGGERED" then
		.gatedAt = ([.gatedAt // $t, $t] | max)
	  else . end
	| if $type == "ISSUE_APPROVED" then approved($d; $t)
	  elif $type == "ISSUE_ASSIGNED" then assigned($d; $t)
	  elif $type == "ISSUE_UNASSIGNED" then unassigned($d; $t)
	  elif $type == "WORK_STARTED" or $type == "BRANCH_CREATED" then worked($d; $t)
	  elif $type == "PR_CREATED" then opened($d; $t)
	  elif $type == "CI_PASSED" or $type == "CI_FAILED" then checked($type; $d)
	  elif $type | startswith("REVIEW_") then reviewed($type; $d)
	  elif $type == "HUMAN_GATE_TRIGGERED" then
		if (.state // "" | stage) > 0 or .state == "escalated" then .
		else .state = "gated" | learn($d; ["reason"]) end
	  elif $type == "MERGED" then merged($d)
	  elif $type == "DEPLOYED_STAGING" then reached("staging")
	  elif $type == "SMOKE_PASSED" then
		if .state == "smoke_failed" then reached("staging") else . end
	  elif $type == "SMOKE_FAILED" then smoke_failed($d)
	  elif $type == "DEPLOYED_PRODUCTION" then reached("production")
	  elif $type == "VERIFIED" then reached("verified")
	  elif $type == "ISSUE_DONE" then done($d; $t)
	  elif $type == "DUPLICATE_PR_CLOSED" then
		if .prNumber == $d.closedPrNumber
		then .prNumber = $d.mergedPrNumber | .prUrl = null else . end
	  elif $type == "AGENT_STUCK" then stuck($d)
	  elif $type == "ESCALATED" then escalated($d)
	  elif $type == "HEARTBEAT" then
		if .state == null then unheard
		elif $d.activity == "push" and $t > .refusedAt
			and one_of(.state; ["ci_failed", "changes_requested"]) then again
		else . end
	  else unheard end
	| if .unheard then .
	  else
		learn($d; ["repo", "issueNumber"])
		| .lastEventAt = ([.lastEventAt // $t, $t] | max)
	  end;

[inputs | select(.catalog == "rig")] | group_by(.streamId)[]
| {key: .[0].streamId} as $key
| foreach sort_by(.position)[] as $e (blank;
	del(.unheard) | step($e);
	select(.unheard | not) | $key +
		del(.assignee, .releasedAt, .gatedAt, .refusedAt))
