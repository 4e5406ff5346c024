# jq -r -f models.jq DOCUMENTS: documents of several models, which say whose
# they are, as models.sql prints them.

def thousandths: . // 0 | tonumber * 1000 | round;
def counts: .input // 0, .output // 0, (.cost | thousandths), .calls;

[.projection, .key] as $name
| if .projection == "agent-queue" then
	$name + ((.items | keys[] | ["items", .]),
		["depth", .depth],
		["lastAssigned", .lastAssigned.streamId, .lastAssigned.assignedAt])
  elif .projection == "token-usage" then
	$name + (["total", counts],
		(.byModel | to_entries[] | [.key, (.value | counts)]))
  elif .projection == "daily-cost" then
	$name + [(.cost | thousandths), .tokens, .calls, .date, .agent, .repo // ""]
  elif .projection == "cost-ledger" then
	["cost-ledger", .workflow_id // "", .tier, .source,
		(.amount_usd | thousandths), .entries]
  elif .projection == "workflow-outcome" then
	$name + [(.cost | thousandths), .fallbacks, .merged, .closed, .modified]
  else empty end
| map(tostring) | join("\t")
