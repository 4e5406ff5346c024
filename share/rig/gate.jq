# What rig-gate decides: 0 or 1 on the first line, and then what there is to say.
# It reads the events of the issue; $issue is its document, and of what GitHub
# knows $pull is the pull request, $forge the issue and $linked what the text of
# the pull request closes: arrays, which are empty if GitHub was not asked.
include "rig";

def yes($need; $reason; $event): {$need, ok: true, $reason, $event};
def no($need; $reason; $event): {$need, ok: false, $reason, $event};
def short: .[:10];

# What of an event counts here. A commit is one, also in short.
def relevant:
  {position, type, timestamp, data: (.data | {
    prNumber, activity, failedChecks, closedPrNumber,
    branch: (.branch | if type == "string" then . else null end),
    check: (.check | if type == "string" or . == null then . else tojson end),
    commits: (.commit != null),
    commit: (.commit
      | if type == "string" and test("^[0-9A-Fa-f]{7,64}$")
        then ascii_downcase else null end)})};
def same($one; $two): ($one | startswith($two)) or ($two | startswith($one));

# Of all events those that tell of a commit to the pull request: that it was
# opened, and signs of life in the issue's stream that have one. Others may
# work on the issue too, on branches of their own.
def commits_of($pr):
  ([.[] | select(.type == "PR_CREATED" and .data.prNumber == $pr).data.branch
    | values] | last) as $branch
  | .[]
  | select(
      if .type == "PR_CREATED" then .data.prNumber == $pr
      else
        .type == "HEARTBEAT" and .data.commits
        and (.data.activity | IN("commit", "push", "rebase", "merge"))
        and (.data.prNumber | IN(null, $pr))
        and ($branch == null or (.data.branch | IN(null, $branch)))
      end);

# {head, since}: the last commit, if it is told, and the event that it is new
# with. It is told several times, when it is made, when it is pushed, and by the
# forge, and is new only once.
def last_commit($pr):
  reduce commits_of($pr) as $e ({head: null, since: null, opened: false};
    if $e.type == "PR_CREATED" and $e.data.commit == null then
      if .opened then . else .since = $e end
    elif $e.data.commit != null and $e.data.commit == .head then .
    else .head = $e.data.commit | .since = $e end
    | .opened = .opened or $e.type == "PR_CREATED");

# The results of CI that count: of the pull request, or of none but of its last
# commit. One that names its commit is about that one, whenever it comes; one
# that does not is about the commit before it.
def results($pr; $head; $from):
  .[]
  | select(.type == "CI_PASSED" or .type == "CI_FAILED")
  | (.data.commit != null and $head != null) as $named
  | select(.data.prNumber == $pr or (.data.prNumber == null and $named))
  | select(if $named then same(.data.commit; $head)
      else .position > $from end);

# Checks may be told one by one: what failed stays so until it passes itself, or
# all of them do.
def ci($pr; $head; $since):
  reduce results($pr; $head; $since.position // 0) as $e ({failed: []};
    if $e.type == "CI_FAILED" then
      .failed += [{$e, names: (($e.data.failedChecks // [])
        | if . == [] then [$e.data.check | values] else unique end)}]
    elif $e.data.check == null then .passed = $e | .failed = []
    else
      .passed = $e
      | .failed |= map(
          select(.names == [] or .names != [$e.data.check])
          | .names -= [$e.data.check])
    end)
  | if .failed != [] then
      no("ci"; "failed" + ([.failed[].names[]] | unique | join(", ")
        | if . == "" then . else ": " + . end); .failed | last.e)
    elif .passed then
      yes("ci"; "passed" + (.passed.data.commit
        | if . then " for " + short else "" end); .passed)
    else
      no("ci"; "nothing has passed since the last commit"
        + ($head | if . then ", " + short else "" end); $since)
    end;

def linked($pr):
  ([.[] | select(.type == "PR_CREATED" and .data.prNumber == $pr)] | last)
    as $opened
  | ([.[] | select(.type == "DUPLICATE_PR_CLOSED"
      and .data.closedPrNumber == $pr)] | last) as $duplicate
  | if $duplicate then no("linked"; "#\($pr) is a duplicate"; $duplicate)
    elif $opened then yes("linked"; "#\($pr) is for this issue"; $opened)
    elif $pr then
      no("linked"; "the log knows no #\($pr) for this issue"; null)
    else no("linked"; "the issue has no pull request"; null) end;

# After a failed smoke test another pull request is to be merged.
def wanted($pr; $state):
  def of($type): [.[] | select(.type == $type)] | last;
  ([.[] | select(.type == "MERGED" and .data.prNumber == $pr)] | last)
    as $merged
  | if $merged then no("wanted"; "#\($pr) is merged already"; $merged)
    elif $state == "escalated" then
      no("wanted"; "the issue is escalated"; of("ESCALATED"))
    elif $state == "done" then
      no("wanted"; "the issue is done"; of("ISSUE_DONE"))
    elif $state | IN("merged", "staging", "production", "verified") then
      no("wanted"; "another pull request was merged"; of("MERGED"))
    else yes("wanted"; "the issue is not done"; null) end;

def review($pr; $since):
  ([.[] | select((.type | IN("REVIEW_PASSED", "REVIEW_DISPUTED"))
    and .data.prNumber == $pr)] | last) as $review
  | if $review == null then no("review"; "nobody has passed it"; $since)
    elif $review.type == "REVIEW_DISPUTED" then
      no("review"; "the reviewer disputes it"; $review)
    elif $review.position < ($since.position // 0) then
      no("review"; "older than the last commit"; $since)
    else yes("review"; "passed"; $review) end;

def human:
  def of($type): [.[] | select(.type == $type)] | last;
  of("HUMAN_GATE_TRIGGERED") as $gate
  | of("ISSUE_APPROVED") as $approved
  | if $gate == null then yes("human"; "no approval is asked for"; null)
    elif $gate.position > ($approved.position // 0) then
      no("human"; "a person has to approve it"; $gate)
    else yes("human"; "a person has approved it"; $approved) end;

# What GitHub knows, if it was asked.
def forge($pr; $told; $since):
  def open:
    if .state != "open" then no("open"; "#\($pr) is closed"; null)
    elif .draft then no("open"; "#\($pr) is a draft"; null)
    elif .mergeable == false then
      no("open"; "#\($pr) is in conflict with its base"; null)
    else yes("open"; "#\($pr) is open"; null) end;
  def commit:
    .head.sha as $head
    | if $told and (same($told; $head) | not) then
        no("commit"; "the last one at GitHub is \($head | short), and in the " +
          "log \($told | short)"; $since)
      else yes("commit"; "the last one is \($head | short)"; $since) end;
  def text:
    if any($linked[].streamId; ascii_downcase == ($stream | ascii_downcase))
    then yes("text"; "it says that it closes the issue"; null)
    else no("text"; "it does not say that it closes the issue"; null) end;
  def labels:
    [$config | settings.gate.labels[] | ascii_downcase] as $blocking
    | [., $forge[0] | .labels[]? | .name? // . | strings
      | select(ascii_downcase | IN($blocking[]))]
    | unique
    | if . == [] then yes("labels"; "none of them blocks"; null)
      else no("labels"; "blocked by " + (map("'\(.)'") | join(", ")); null) end;
  if . == null then
    {need: "github", ok: null, reason: (if $pr then
      "not asked: there is neither a token nor a URL" else
      "not asked: there is no number" end)}
  elif .number != $pr then
    no("open"; "GitHub has no pull request #\($pr)"; null)
  else open, commit, text, labels end;

def line:
  (if .ok then "ok  " elif .ok == null then "--  " else "no  " end)
  + (.need + "        ")[:8] + .reason
  + (if .event then
      " (\(.event | "\(.position) \(.type) \(.timestamp[:19])Z"))"
    else "" end);

[inputs | relevant] as $events
| ($pr | if . == "" then null else tonumber end) as $pr
| $pull[0] as $pull
| ($events | last_commit($pr)) as $last
| ($pull.head.sha // $last.head) as $head
| [$events
  | linked($pr), wanted($pr; $issue[0].state), ci($pr; $head; $last.since),
    review($pr; $last.since), human]
  + [$pull | forge($pr; $last.head; $last.since)]
| all(.ok != false) as $may
| (if $may then 0 else 1 end),
  if $json != "" then
    {streamId: $stream, prNumber: $pr, mayMerge: $may, commit: $head,
     needs: map({need, ok, reason}
       + (.event // {} | {position, type, timestamp}))}
    | tojson
  else
    "\($stream): " + if $pr == null then "there is nothing to merge"
      else "#\($pr) " + if $may then "may" else "may not" end + " be merged"
      end,
    (.[] | line)
    | visible
  end
