# jq -cn -f session-status.jq EVENTS: the documents of session-status after each
# event of a session, written down once more, as a reference. Members are in no
# particular order.

def fixed: {
	CiPassing: "ci_passing", CiFailing: "ci_failed", CiFixSent: "ci_fix_sent",
	CiFixFailed: "ci_fix_failed", ReviewPending: "review_pending",
	ReviewApproved: "approved", ReviewChangesRequested: "changes_requested",
	MergeReady: "approved", MergeConflicts: "merge_conflicts",
	PrClosed: "working"
};
def over: . == "merged" or . == "done" or . == "killed";
def at_rest: over or . == "exited";
def turn($status; $activity):
	(if $status then .status = $status else . end)
	| if $activity then .activity = $activity else . end;

def step($e):
	$e.data as $d | ($d.data // {}) as $more | .status as $now
	| .project = $d.project_id | .lastEvent = $e.type | .lastEventAt = $e.timestamp
	| .lastMessage = ($d.message // .lastMessage)
	| .pr.number = ($more.pr_number // .pr.number)
	| .pr.url = ($more.pr_url // .pr.url)
	| .priorityPeak = ([.priorityPeak, $e.priority]
		| max_by({"info": 1, "action": 2, "urgent": 3, "critical": 4}[. // ""] // 0))
	| if $e.type == "SessionSpawned" then
		if [fixed[], "pr_open", "pr_draft", "merged", "done", "killed"] | index([$now])
		then . else turn("spawning"; "active") end
	  elif $e.type == "SessionWorking" or $e.type == "SessionRestored" then
		if $now | over then . else turn("working"; "active") end
	  elif $e.type == "SessionExited" then
		turn(if $now | over then null else "exited" end; "exited")
	  elif $e.type == "SessionKilled" then
		turn(if $now == "merged" or $now == "done" then null else "killed" end; "exited")
	  elif $e.type == "SessionCleaned" then
		if $now | at_rest then . else turn("done"; "exited") end
	  elif $e.type == "StatusChanged" then
		if $now | over then . else turn($more.status // $more.to; null) end
	  elif $e.type == "ActivityChanged" then
		if $now | at_rest then . else turn(null; $more.activity // $more.to) end
	  elif $e.type == "PrCreated" then
		if $now | at_rest then .
		else turn(if $more.draft then "pr_draft" else "pr_open" end; null) end
	  elif $e.type == "PrMerged" then
		if $now == "done" then . else turn("merged"; null) end
	  elif $e.type == "MergeCompleted" then turn("done"; null)
	  elif fixed[$e.type] and ($now | at_rest | not) then
		turn(fixed[$e.type]; if $e.type == "CiFixSent" then "active" else null end)
	  else . end;

foreach (inputs | select(.catalog == "session" and .data.session_id != null)) as $e ({};
	.[$e.data.session_id] |= ((. // {
		status: null, activity: null, project: null,
		pr: {number: null, url: null}, lastMessage: null, lastEvent: null,
		lastEventAt: null, priorityPeak: null
	}) | step($e));
	{key: $e.data.session_id} + .[$e.data.session_id])
