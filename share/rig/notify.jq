# What people are told of an event, in the forms of those who carry it:
# 'include "notify";'.

include "rig";

# ---- what is said

def emojis: {
  ISSUE_APPROVED: "📋", ISSUE_ASSIGNED: "🙋", ISSUE_UNASSIGNED: "↩️",
  WORK_STARTED: "🔨", BRANCH_CREATED: "🌱", PR_CREATED: "🔀",
  CI_PASSED: "✅", CI_FAILED: "❌", REVIEW_ASSIGNED: "👀",
  REVIEW_PASSED: "👍", REVIEW_DISPUTED: "💬", HUMAN_GATE_TRIGGERED: "✋",
  HUMAN_GATE_REMINDER: "⏰", MERGED: "🟣", DEPLOYED_STAGING: "📦",
  SMOKE_PASSED: "✅", SMOKE_FAILED: "💨", DEPLOYED_PRODUCTION: "🚀",
  VERIFIED: "🔎", ISSUE_DONE: "🏁", DUPLICATE_PR_CLOSED: "👯",
  HEARTBEAT: "💓", AGENT_STUCK: "🧊", ESCALATED: "🆘",
  MILESTONE_COMPLETE: "🎉", ISSUE_ORPHANED: "👻", ISSUE_NEEDS_HUMAN: "🧑",
  E2E_PASSED: "✅", E2E_FAILED: "❌", TOKEN_USAGE: "🪙", NOTICE_TEST: "🔔"
};
def emoji:
  emojis[.type] // {critical: "🆘", urgent: "🚨", action: "🔔"}[.priority]
    // "🔹";

# One line, in which nothing drives a terminal or turns text around. What is
# longer than anybody shows is cut before that is looked at.
def one_line: .[:5000] | visible;
def lines: .[:5000] | split("\n") | map(visible) | join("\n");

def title: "\(emoji) \(.type) — \(.streamId)" | one_line;

# Where the title leads to.
def link:
  first(.data | .prUrl, .pr_url, .runUrl
    | strings
    | select(length <= 2000 and test("\\Ahttps?://[!-~]+\\z")
        and (test("[<>|\"\\\\`]") | not)))
  // null;

# A number as text. One that jq may have rounded is not shown as if exact.
def number_text:
  tostring | if length > 16 then "about " + . else . end;

# A member's value for people; null if there is nothing to show.
def value_text:
  if type == "string" then lines | if test("\\A\\s*\\z") then null else . end
  elif type == "number" then number_text
  elif type == "boolean" then if . then "yes" else "no" end
  elif type == "array" and . != [] then
    .[:20] | map(value_text | values) | join(", ")
    | if . == "" then null else . end
  else null end;

# failedChecks and failing_signals: "failed checks", "failing signals"
def label_text:
  gsub("(?<a>[a-z0-9])(?<b>[A-Z])"; "\(.a) \(.b | ascii_downcase)")
  | gsub("_"; " ") | one_line;

# What an event says, [LABEL, TEXT] each: first what people ask for, under a
# label or, where that speaks for itself, without one. What the title has is
# left out, and so are members that are themselves objects, and $but.
def facts($but):
  ["title", "message", "summary"] as $bare
  | ["reason", "failedChecks", "firstFailure", "agentId", "prNumber",
      "prUrl"] as $asked
  | ["repo", "issueNumber", "logs"] as $known
  | .data
  | . as $data
  | ($bare + $asked + (keys_unsorted - $bare - $asked - $known))[:25]
  | map(. as $name
      | $data[$name] | select(. != $but) | value_text | values
      | [if [$name] - $bare == [] then "" else $name | label_text end, .]);

# ---- sizes

# As the strictest count: in units of UTF-16.
def units: length + ([explode[] | select(. > 65535)] | length);

# A text of at most so many units, after f has escaped each of its characters;
# it cuts no escape apart.
def fitted($limit; f):
  (.[:$limit + 1] / "" | map(f)) as $parts
  | reduce $parts[] as $part ({size: 0, kept: ""};
      .size += ($part | units)
      | if .size < $limit then .kept += $part else . end)
  | if .size <= $limit then $parts | add // "" else .kept + "…" end;

# Of lines, those that together are not larger.
def packed($limit):
  reduce .[] as $line ({size: -1, kept: []};
    ($line | units + 1) as $size
    | if .size + $size < $limit then .size += $size | .kept += [$line]
      else . end)
  | .kept | join("\n");

# ---- who carries it

# Neither emphasis nor a link nor a mention comes from the text of an event.
def markdown: if test("[\\\\*_~`|<>\\[\\]()#@]") then "\\" + . else . end;
# A title has to stay as it is: CI_FAILED, acme/app#42.
def markdown_title: if test("[\\\\*~`|<>\\[\\]]") then "\\" + . else . end;
def discord:
  link as $link
  | { embeds: [
        { title: (title | fitted(256; markdown_title)),
          description: (facts($link)
            | map(map(fitted(1500; markdown))
              | if .[0] == "" then .[1] else "**\(.[0])**: \(.[1])" end)
            | packed(4096)),
          url: $link,
          color: ({critical: 12000284, urgent: 15026970, action: 16498733}
            [.priority] // 6323595),
          timestamp }
        | with_entries(select(.value != null and .value != "")) ],
      allowed_mentions: { parse: [] } };

def labelled: if .[0] == "" then .[1] else "\(.[0]): \(.[1])" end;

# With 'verbatim' Slack makes no mention out of '@channel'.
def entities: {"&": "&amp;", "<": "&lt;", ">": "&gt;"}[.] // .;
def section:
  { type: "section", text: { type: "mrkdwn", verbatim: true, text: . } };
def slack:
  link as $link
  | (title | fitted(900; entities)) as $title
  | { text: $title,
      blocks: [
        ("*\(if $link then "<\($link | gsub("&"; "&amp;"))|\($title)>"
          else $title end)*" | section),
        (facts($link) | map(labelled | fitted(1500; entities)) | packed(3000)
          | select(. != "") | section),
        { type: "context", elements: [
            { type: "plain_text", text: "\(.priority), \(.timestamp)" } ] } ]
    };

# Title, body and urgency. Servers read markup in the body, and notify-send
# makes newlines out of \n.
def desktop:
  (title | fitted(200; .)),
  (facts(null) | map(labelled | fitted(500; entities)) | packed(1000)
    | gsub("\\\\"; "\\\\") | gsub("\n"; "\\n")),
  ({critical: "critical", urgent: "critical", action: "normal"}[.priority]
    // "low");

# ---- to whom

# Of the settings, the receivers that any priority goes to, and the lowest.
def routed:
  .notify.routes // {}
  | [("info", "action", "urgent", "critical") as $priority
     | {name: (.[$priority] // [])[], $priority}]
  | unique_by(.name)[];

# Of the settings, the receivers of a priority: all, or the one of that name.
def receivers($priority; $to):
  .notify as {$receivers, $routes}
  | ($routes[$priority] // []) | unique[]
  | select($to == "" or . == $to)
  | {name: .} + $receivers[.];

# The one of that name, or all that there are.
def receivers_named($to):
  .notify.receivers // {} | to_entries[]
  | select($to == "" or .key == $to) | .value + {name: .key};

def is_event:
  type == "object" and (.data | type == "object")
  and ([.type, .streamId, .priority, .timestamp] | map(type == "string") | all);

# What it takes to tell a receiver of an event, a line each: who it is; URL,
# file of the URL, file of the token; the event's id; three lines of what to
# send. To a webhook goes the event itself.
def delivery($event):
  .name, .kind,
  (.url, .["url-file"], .["token-file"] | . // "" | gsub("\n"; " ")),
  ($event.id // "" | tostring
    | if test("\\A[!-~]*\\z") then . else @uri end),
  (.kind as $kind | $event
    | if $kind == "desktop" then desktop
      elif $kind == "webhook" then "", "", ""
      else (if $kind == "slack" then slack else discord end | tojson), "", ""
      end);
