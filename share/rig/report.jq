# Definitions for the reports: 'include "report";' beside that of rig.
include "rig";

# ---- what report.sh hands over

# The parts, by name. A number among them is how reading the log failed.
def parts:
  [inputs]
  | . as $all
  | (map(numbers) | first) as $failed
  | if $failed then "" | halt_error($failed)
    else
      [range(length) | select($all[.] | type == "string")] as $begins
      | [range($begins | length)
         | { key: $all[$begins[.]],
             value: $all[$begins[.] + 1:$begins[. + 1] // ($all | length)] }]
      | from_entries
    end;

# An object of what f and g make of each element. With jq 1.6 from_entries,
# map_values and += take as long as the square of their number.
def object(f; g): reduce .[] as $one ({}; setpath([$one | f]; $one | g));

# ---- words

# How long ago a time is; no time is in the future.
def since($now): values | $now - seconds | if . < 0 then 0 else . end;
# The same for people, where the first word of it will do.
def age($now):
  [since($now)]
  | if . == [] then null
    else .[0] | floor | duration | split(" ")[:2] | join(" ") end;

# A duration, of steps that take less than a second as well.
def took:
  if . > 0 and . < 1 then "\(. * 1000 | ceil) ms"
  else duration | sub(" 0 (min|h)$"; "") end;
def percent:
  . * 100 | if . < 1 then "< 1 %" else "\(round) %" end;

# A text as a part of a line: one line, not too long; null if it says nothing.
def phrase:
  first(values | tostring | .[:300] | gsub("\\s+"; " ")
    | ltrimstr(" ") | rtrimstr(" ") | select(. != "")
    | if length > 120 then .[:119] + "…" else . end) // null;

def cut($width): if length > $width then .[:$width - 1] + "…" else . end;
def words: gsub("_"; " ");
# Numbers that people compare: 384, 52 k, 1.2 M.
def amount:
  if . < 10000 then tostring
  elif . < 1e6 then "\(. / 1e3 | round) k"
  elif . < 1e9 then "\(. / 1e5 | round / 10) M"
  else "\(. / 1e8 | round / 10) G" end;

# Texts of one length, with spaces in front.
def flush_right:
  (map(length) | max // 0) as $width
  | map((" " * ($width - length) // "") + .);

# A number that says something.
def some: if . > 0 then . else null end;

# A bar, of $length out of $width, behind $offset: all as parts of 1. What is
# there at all can be seen.
def bar($char; $width; $offset; $length):
  ([$offset * $width | floor, $width - 1] | min) as $from
  | ([$length * $width | round, 1] | max | [., $width - $from] | min) as $size
  | (" " * $from // "") + $char * $size;

# The rows that are shown unless $all, and the words for those that are not, of
# so many.
def shown($all): if $all == "" then .[:20] else . end;
def more($all; $rows):
  length - ($rows | shown($all) | length)
  | select(. > 0)
  | "... and \(.) more: --all shows them";
def more($all): more($all; .);

# ---- steps

# What an event tells beyond its type, in a few words.
def told:
  .data as $data
  | { ISSUE_APPROVED: ["priority"], ISSUE_ASSIGNED: ["agentId", "attempt"],
      WORK_STARTED: ["branch"], BRANCH_CREATED: ["branch"],
      PR_CREATED: ["prNumber"], CI_FAILED: ["failedChecks"],
      REVIEW_ASSIGNED: ["agentId"], MERGED: ["prNumber"],
      DUPLICATE_PR_CLOSED: ["closedPrNumber"], AGENT_STUCK: ["agentId", "reason"],
      HUMAN_GATE_REMINDER: ["waitMinutes"], MILESTONE_COMPLETE: ["milestone"],
      E2E_FAILED: ["firstFailure"] }[.type] // ["reason"]
  | map(. as $name | $data[$name] | values
      | if $name == "attempt" then
          (numbers | select(. > 1) | "attempt \(.)")
        elif $name == "waitMinutes" then "\(.) min"
        elif $name | test("[nN]umber$") then "#\(.)"
        elif type == "array" then .[:9] | map(tostring | .[:50]) | join(", ")
        else tostring end)
  | join(", ") | phrase;

# ---- the queue

# An issue's place in the names of another of the same repository: #4.
def short($repo): if startswith("\($repo)#") then .[$repo | length:] else . end;

# Who can never begin: . is what each waits for, those that wait for nothing else
# are taken away, then those that waited for these only, and so on. Of those left
# the way on which they wait for themselves; null where a circle is only further
# on, or a long one.
def circles:
  . as $waits
  | ([keys_unsorted[] as $one | $waits[$one][] | { on: ., one: $one }]
     | group_by(.on) | object(.[0].on; map(.one))) as $waiting
  | def step:
      if .[""] == [] then .
      else
        [.[""][] | $waiting[.] // [] | .[]] as $freed
        | reduce $freed[] as $one (.; setpath([$one]; .[$one] - 1))
        | ($freed | unique) as $freed
        | [$freed[] as $one | select(.[$one] == 0) | $one] as $next
        | setpath([""]; $next)
        | step
      end;
  [keys_unsorted[] | select($waits[.] == [])] as $free
  | [keys_unsorted[] | { key: ., value: ($waits[.] | length) }]
  | object(.key; .value)
  | setpath([""]; $free)
  | step
  | [to_entries[] | select(.key != "" and .value > 0)]
  | object(.key; true) as $left
  | [$left | keys_unsorted[]]
  | object(.;
      [.] | .[0] as $one
      | until(length > 20 or (length > 1 and .[-1] == $one);
          . + [first($waits[.[-1]][] | select($left[.]))])
      | if .[-1] == $one then . else null end);

# Those that are queued: { issue, waits: [{ stream, state }], circle }, in the
# order in which they are offered, first those that wait for nothing. A state is
# null if nobody has approved that issue; circle is the way on which an issue
# waits for itself.
def queue:
  object(.key; .state) as $states
  | map(select(.state == "queued"))
  | queue_order
  | map({ issue: ., waits: [dependencies[]
      | { stream: ., state: $states[.] } | select(.state != "done")] })
  | (object(.issue.key; [.waits[] | select(.state == "queued").stream])
     | circles) as $circles
  | map(.circle = $circles[.issue.key])
  | map(select(.waits == [])) + map(select(.waits != []));

# ---- how a rig stands, of the parts that rig-status reads

# Of issues, those that do not go on by themselves, the most urgent first.
def needs($part):
  ($part.attention | object(.key; .)) as $when
  | ($part.agents | object(.key; .status)) as $status
  | def need($rank; $what; $since; $reason):
      { rank: $rank, need: { streamId: .key, what: $what, since: $since,
        agentId, reason: $reason } };
    def forgotten: "nothing has happened since";
    [.[]
     | $when[.key] as $at
     | if .state == "done" then empty
       elif .state == "escalated" then
         need(0; "escalated"; $at.escalated // .lastEventAt; .reason)
       elif $at.abandoned and $at.abandoned > .lastEventAt then
         need(1; "abandoned"; .lastEventAt; forgotten)
       elif .state == "gated" then
         need(2; "gated"; $at.gated // .lastEventAt; .reason)
       elif at_work and .agentId and $status[.agentId] == "stuck" then
         need(3; "stuck"; $at.stuck // .lastEventAt; $at.reason)
       elif $at.orphaned and $at.orphaned > .lastEventAt then
         need(4; "orphaned"; .lastEventAt; forgotten)
       else empty end]
  | sort_by(.rank, .need.since) | map(.need);

# How many issues are in each state, in the order of their way, since when the
# quietest is quiet, and how many were done within a day.
def states($now):
  ["queued", "assigned", "in_progress", "in_review", "changes_requested",
    "ci_failed", "gated", "merged", "staging", "smoke_failed", "production",
    "verified", "escalated", "done"] as $way
  | map(.state = (.state // "unknown"))
  | group_by(.state)
  | map({ state: .[0].state, issues: length, quiet: (map(.lastEventAt) | min),
      recent: (map(select(.doneAt and (.doneAt | since($now)) < 86400))
        | length) })
  # not by index: jq 1.6 loses memory with each call of it
  | ([range($way | length) | { key: $way[.], value: . }]
      | object(.key; .value)) as $place
  | sort_by($place[.state] // ($way | length));

# The agents: the stuck ones, then who has something to do, the quietest first.
def agents:
  (.queues | object(.key; .depth)) as $depth
  | .agents
  | map({ agentId: .key, status, currentRepo, currentIssue, lastHeartbeat,
      depth: ($depth[.key] // 0), completed, failed, stuck })
  | sort_by(
      (if .status == "stuck" then 0
       elif .currentIssue or .depth > 0 then 1 else 2 end),
      .lastHeartbeat);
def is_present($now):
  .currentIssue != null or .depth > 0
  or (.lastHeartbeat != null and (.lastHeartbeat | since($now)) < 7 * 86400);
