# What ev-serve asks of the definitions that the reports have, too:
# 'include "serve"; serve', with an object as input whose `do` says what. It is
# given only the members that these look at; documents are named by their key,
# or by `n`, and put together by ev-serve.
include "report";
include "rig";

# Of rig.yaml as JSON, or null: for how long an agent counts as online without
# a heartbeat, and whose priorities nobody hears of.
def serve_settings:
  ([config_complaints] | first) as $complaint
  | if $complaint then { complaint: $complaint }
    else
      { limits: (settings.stuck | {
          after: (.after | span),
          agents: (.agents | map_values(
            if type == "object" then .after else . end
            | if type == "boolean" then null else . end
            | values | span)) }),
        unheard: [unrouted_priorities] }
    end;

# Of issues that are queued, and those that they depend on as far as they are
# known (key and state are enough of these): where each stands.
def serve_queue:
  [queue[] | { n: .issue.n, circle,
    waitsFor: [.waits[] | { streamId: .stream, state }] }];

def serve_agents($limits; $now):
  [agents[] | .agentId as $name | { key: $name,
    online: (.lastHeartbeat != null
      and ($now - (.lastHeartbeat | seconds))
        < ($limits.agents[$name] // $limits.after)) }];

# How many issues are in each state; of those that are done only their number
# is given.
def serve_states($done; $now):
  states($now)
  + if $done > 0 then [{ state: "done", issues: $done }] else [] end
  | object(.state; .issues);

def serve:
  .do as $do
  | .limits as $limits
  | ((.now // empty | seconds) // 0) as $now
  | if $do == "settings" then .rig | serve_settings
    elif $do == "dependencies" then [.issues[] | dependencies[]] | unique
    elif $do == "queue" then .issues | serve_queue
    elif $do == "order" then [.issues | queue_order[].n]
    elif $do == "agents" then serve_agents($limits; $now)
    elif $do == "status" then
      . as $part
      | (.queue | queue) as $queue
      | ($queue | map(select(.waits == [])) | length) as $ready
      | { needs: (.issues | needs($part)),
          issues: (.done as $done | .issues | serve_states($done; $now)),
          queue: { ready: $ready, waiting: ($queue | length - $ready) },
          agents: serve_agents($limits; $now) }
    # the states in the order of an issue's way
    elif $do == "way" then
      .states | map({ state: ., lastEventAt: null, doneAt: null })
      | states($now) | map(.state)
    else error("no function '\($do)'") end;
