# jq -cn -f agent-status.jq EVENTS: the documents of agent-status after each
# event that means something to one, written down once more, as a reference.
# Members are in no particular order.

def agent_of: if . == null then null else split("/")[0] end;
def blank: {
	status: null, currentIssue: null, currentRepo: null, lastHeartbeat: null,
	completed: 0, failed: 0, stuck: 0, instances: []
};
def seen($d): .instances |= (if index([$d.agentId]) then . else . + [$d.agentId] end);
def works_on($d): .status = "working" | .currentIssue = $d.issueNumber | .currentRepo = $d.repo;
def busy_with($held): .currentIssue == $held.issue and .currentRepo == $held.repo;
def free: .status = "idle" | .currentIssue = null | .currentRepo = null;

# {agents, issues}; `told` is the agent whose document the event is about
def about($agent; f):
	.agents[$agent] |= ((. // blank) | f) | .told = $agent;

def step($e):
	$e.data as $d | $e.timestamp as $t | $e.streamId as $stream
	| (.issues[$stream] // {}) as $held
	| ($d.agentId | agent_of) as $agent
	| .told = null
	| if $e.type == "HEARTBEAT" then
		about($agent; seen($d)
			| if .lastHeartbeat != null and $t < .lastHeartbeat then .
			  else
				.lastHeartbeat = $t
				| .status = ($d.status // ({"working": 1, "idle": 1}[.status // ""] as $fine
					| if $fine then .status else "alive" end))
				| if $d | has("currentIssue") then .currentIssue = $d.currentIssue else . end
				| if $d | has("currentRepo") then .currentRepo = $d.currentRepo else . end
			  end)
	  elif $e.type == "AGENT_STUCK" then
		about($agent; .stuck += 1
			| if .lastHeartbeat != null and .lastHeartbeat > $t then .
			  else .status = "stuck" end)
	  elif $e.type == "ISSUE_APPROVED" then
		if $held.doneAt != null and $t > $held.doneAt then del(.issues[$stream]) else . end
	  elif $e.type == "ISSUE_ASSIGNED" then
		if $held.doneAt != null and $t <= $held.doneAt then about($agent; seen($d))
		else
			about($agent; seen($d) | works_on($d))
			| .issues[$stream] = {agent: $agent, repo: $d.repo, issue: $d.issueNumber}
		end
	  elif $e.type == "WORK_STARTED" then
		(if $agent == null then .
		elif $held.doneAt != null and $t <= $held.doneAt then about($agent; seen($d))
		else about($agent; seen($d)
			| if .lastHeartbeat != null and .lastHeartbeat > $t then . else works_on($d) end)
		end)
		| if $held.agent or $held.escalated or $agent == null then .
		  else .issues[$stream] = $held + {agent: $agent, repo: $d.repo, issue: $d.issueNumber} end
	  elif $e.type == "ISSUE_UNASSIGNED" then
		if $held.agent == null then .
		else
			.issues[$stream] |= del(.agent)
			| if .agents[$held.agent] | busy_with($held) then
				about($held.agent; if .status == "stuck"
					then free | .status = "stuck" else free end)
			  else . end
		end
	  elif $e.type == "ISSUE_DONE" then
		if $held.doneAt then .
		else
			.issues[$stream] = $held + {doneAt: $t}
			| if $held.agent then about($held.agent; .completed += 1
				| if busy_with($held) then free else . end)
			  else . end
		end
	  elif $e.type == "ESCALATED" then
		(if $held.doneAt then .
		elif $held.agent then about($held.agent; .failed += 1
			| if busy_with($held) then free else . end)
		elif $agent and ($held.escalated | not) then about($agent; .failed += 1)
		else . end)
		| if $held.agent then .issues[$stream] |= (del(.agent) | .escalated = true)
		  elif $d.issueNumber then .issues[$stream] = $held + {escalated: true}
		  else . end
	  else . end;

foreach inputs as $e ({agents: {}, issues: {}};
	if $e.catalog == "rig" then step($e) else .told = null end;
	select(.told) | {key: .told} + .agents[.told])
