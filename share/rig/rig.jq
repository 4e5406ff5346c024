# Definitions for the jq programs of the rig scripts: 'include "rig";'.

# ---- time

# Seconds since 1970 of an event's time: RFC 3339, UTC.
def seconds:
  (.[:19] + "Z" | fromdate) + ("0" + (.[19:] | rtrimstr("Z")) | tonumber);

# How long, for people: "37 min".
def duration:
  if . < 0 then "-" + (-. | duration)
  elif . < 10 then "\(. * 10 | round / 10) s"
  elif . < 120 then "\(round) s"
  elif . < 7200 then "\(. / 60 | floor) min"
  elif . < 172800 then
    "\(. / 3600 | floor) h \(. % 3600 / 60 | floor) min"
  else "\(. / 86400 | floor) d \(. % 86400 / 3600 | floor) h"
  end;

# Seconds of a span in the configuration: 30m, 24h, 45s, 2d, or a number of
# seconds. What is none, or not above 0, is an error.
def span:
  . as $text
  | (if type == "number" then .
     elif type == "string" and test("^[0-9]+(\\.[0-9]+)?[smhd]$") then
       (.[:-1] | tonumber) * {s: 1, m: 60, h: 3600, d: 86400}[.[-1:]]
     else null end)
  | if . == null or . <= 0 then
      error("'\($text)': expected a span above 0, such as 30m")
    else . end;

# ---- text

# Nothing in it can drive a terminal or turn text around: controls, and the
# marks of Unicode that change direction, are shown as \u....
def visible:
  explode
  | map(
      if . < 32 or (. >= 127 and . < 160) or . == 1564
        or (. >= 8206 and . <= 8207) or (. >= 8232 and . <= 8238)
        or (. >= 8294 and . <= 8297) or . == 65279 then
        ("\\u" + (. as $c | [3, 2, 1, 0]
          | map($c / pow(16; .) | floor % 16 | "0123456789abcdef"[.:.+1])
          | join(""))) | explode[]
      else . end)
  | implode;

# As much of it as a line of a message can do with.
def brief: if length > 300 then .[:300] + "..." else . end | visible;

# ---- issues, as issue-status has them

# Of streams and numbers, the streams: a number is of the same repository.
def dependencies:
  .repo as $repo
  | [(.dependsOn // [])[] | tostring
     | if test("^#?[0-9]+$") then "\($repo)#\(ltrimstr("#"))" else . end]
  | unique;

def rank: {critical: 0, high: 1, normal: 2, low: 3}[.priority // "normal"] // 2;

# The order in which issues are offered.
def queue_order: sort_by(rank, .approvedAt, .repo, .issueNumber);

# In which an agent has to act, and those in which it has done its part.
def at_work:
  .state | IN("assigned", "in_progress", "changes_requested", "ci_failed",
    "smoke_failed");
def is_open: .state | IN(null, "done") | not;

# The agent, without the pod it runs in.
def agent: split("/")[0];

# Since when an agent is silent: . is the issue that it holds, $status what
# agent-status has of it, $events those of the issue's stream. heard: its last
# sign of life. since: the same, or when the issue came back to it after that;
# before, it had nothing to do.
def silence($status; $events):
  .agentId as $name
  | reduce $events[] as $e ({heard: .assignedAt, back: null, anew: true};
      if $e.type | IN("HEARTBEAT", "WORK_STARTED", "BRANCH_CREATED",
        "PR_CREATED") then
        if ($e.data.agentId // "" | agent) == $name then
          {heard: ([.heard, $e.timestamp] | max), back: null, anew: true}
        else . end
      elif $e.type | IN("CI_FAILED", "REVIEW_DISPUTED", "SMOKE_FAILED") then
        if .anew then .back = $e.timestamp | .anew = false else . end
      elif $e.type | IN("CI_PASSED", "REVIEW_ASSIGNED", "REVIEW_PASSED",
        "DEPLOYED_STAGING", "SMOKE_PASSED") then .anew = true
      else . end)
  | .heard = ([.heard, $status.lastHeartbeat] | max)
  | .since = ([.heard, .back] | max);

# Of the URL of a pull request, the repository that it is in; that of its issue
# can be another.
def pull_repo:
  strings | capture("^https?://[^/]+/(?<r>[^/]+/[^/]+)/pull/[0-9]+").r;

# ---- configuration: rig.yaml(5)

def config_defaults: {
  repo: null,
  stuck: {
    enabled: true, after: "30m", attempts: 2, agents: {},
    waiting: ["waiting_input", "waiting", "blocked", "paused"]
  },
  orphans: { enabled: true, after: "24h", human: "48h" },
  remind: { enabled: true, every: "30m" },
  smoke: { retries: 3 },
  gate: { labels: ["do-not-merge", "do not merge", "blocked", "wip", "hold"] },
  github: { api: null, "token-file": null },
  notify: { receivers: {}, routes: {} }
};

# The configuration with everything that it leaves out. A member without a value,
# such as one of which all lines are comments, is left out, too.
def settings:
  def given:
    if type == "object" then with_entries(select(.value != null) | .value |= given)
    else . end;
  config_defaults * (given // {});

# Priorities whose events nobody is told of. That this is meant can be said of
# the lowest: 'info: []'.
def unrouted_priorities:
  (settings.notify.routes // {}) as $routes
  | ("critical", "urgent", "action", "info")
  | select(($routes[.] // []) == []
      and (. != "info" or ($routes | has("info") | not)));

# What is wrong with a configuration, a line each: first members that there are
# not, then values.
def config_complaints:
  def known_members($what; $known):
    if type != "object" then
      (if $what == "" then "" else "'\($what)': " end)
      + "expected members (\($known | join(", ")))"
    else
      keys_unsorted[]
      | select(IN($known[]) | not)
      | "'\(if $what == "" then "" else $what + "." end)\(.)': there is no " +
        "such member; there are \($known | join(", "))"
    end;
  def members($what; f):
    if type != "object" then "'\($what)': expected members"
    else to_entries[] | "'\($what).\(.key)': " as $name
      | .value | f | $name + . end;
  def a_text: if type == "string" then empty else "expected a text" end;
  def a_flag: if type == "boolean" then empty else "expected true or false" end;
  def a_count:
    if type == "number" and . >= 1 and . == floor then empty
    else "expected a number from 1" end;
  def a_span: try (span | empty) catch .;
  def texts:
    if type == "array" and (map(type == "string") | all) then empty
    else "expected a list of texts" end;
  def kinds: ["discord", "slack", "webhook", "desktop"];
  # the complaint of f about a member that is there, with its name
  def of($path; f):
    getpath($path) | select(. != null) | f
    | "'\($path | map(tostring) | join("."))': \(.)";
  def shape:
    known_members(""; config_defaults | keys_unsorted),
    (("stuck", "orphans", "remind", "smoke", "gate", "github", "notify") as $part
     | if type == "object" then .[$part] else null end
     | select(. != null)
     | known_members($part; config_defaults[$part] | keys_unsorted));
  def of_agent:
    if type == "object" then
      (keys_unsorted[] | select(IN("after", "enabled") | not)
        | "there is no member '\(.)'; there are after, enabled"),
      (.after | select(. != null) | a_span),
      (.enabled | select(. != null) | a_flag)
    elif type == "boolean" then empty
    else a_span end;
  def of_receiver:
    if type != "object" then "expected members (kind, url-file, ...)"
    elif .kind | IN(kinds[]) | not then
      "its kind is one of \(kinds | join(", "))"
    elif keys - ["kind", "url", "url-file", "token-file"] != [] then
      "there is no member '\(keys - ["kind", "url", "url-file", "token-file"]
        | first)'"
    elif [.url, .["url-file"], .["token-file"] | values | a_text] != [] then
      "its members are texts"
    elif .kind != "desktop" and .url == null and .["url-file"] == null then
      "it needs a url-file, or a url that is no secret"
    elif .url != null and (.url | test("\\Ahttps?://[!-~]+\\z") | not) then
      "its url is to begin with https://"
    else empty end;
  def routes:
    (.notify.receivers // {} | keys) as $receivers
    | .notify.routes // {}
    | to_entries[]
    | "notify.routes.\(.key)" as $name
    | if .key | IN("critical", "urgent", "action", "info") | not then
        "'\($name)': no priority; there are critical, urgent, action, info"
      elif .value | [texts] != [] then
        "'\($name)': expected a list of receivers"
      else
        (.value - $receivers)[] | "'\($name)': there is no receiver '\(.)'"
      end;
  def values_of:
    of(["repo"]; a_text),
    of(["stuck", "enabled"]; a_flag), of(["stuck", "after"]; a_span),
    of(["stuck", "attempts"]; a_count), of(["stuck", "waiting"]; texts),
    (.stuck.agents | select(. != null)
      | members("stuck.agents"; of_agent)),
    of(["orphans", "enabled"]; a_flag), of(["orphans", "after"]; a_span),
    of(["orphans", "human"]; a_span),
    of(["remind", "enabled"]; a_flag), of(["remind", "every"]; a_span),
    of(["smoke", "retries"]; a_count), of(["gate", "labels"]; texts),
    of(["github", "api"]; a_text), of(["github", "token-file"]; a_text),
    (.notify.receivers | select(. != null)
      | members("notify.receivers"; of_receiver)),
    (.notify.receivers // {} | keys_unsorted[]
      | select(test("\\A[A-Za-z0-9._-]{1,64}\\z") | not)
      | "'notify.receivers.\(.)': a receiver's name is of letters, digits, " +
        "'.', '_' and '-'"),
    routes;
  if . == null then empty
  else [shape] as $shape | if $shape != [] then $shape[] else values_of end
  end;
