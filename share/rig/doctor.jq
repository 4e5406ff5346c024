# What rig-doctor finds in documents: 'include "doctor";'. Each definition makes
# lines of "ok", "warn" or "FAIL", what was looked at, and what is to be said.

include "rig";
include "notify";

def line($result; $check; words): [$result, $check, words | visible] | join("\t");
def count($one): "\(.) \($one)\(if . == 1 then "" else "s" end)";

# Of the last event, or none, which log is $log.
def last_event($log; $now):
  if . == [] then line("ok"; "log"; "'\($log)' is there, and empty")
  else
    .[0] as $last
    | ($last.recordedAt | seconds - $now) as $ahead
    | line("ok"; "log"; "'\($log)': " + ($last.position | count("event"))
        + ", the last \([-$ahead, 0] | max | duration) ago"),
      (select($ahead > 120)
        | line("warn"; "clock"; "the last event is \($ahead | duration) ahead "
            + "of this machine's clock: set the clock"))
  end;

# Of what ev-project --list prints, an array.
def models:
  map(.name) as $names
  | (["issue-status", "agent-status", "agent-queue"] - $names) as $missing
  | (select($missing != [])
      | line("warn"; "models"; "\($missing | join(", ")): not kept, so that "
          + "every look reads the whole log: 'ev-project "
          + "\($missing | join(" "))' keeps them")),
    (.[] | select(.parked > 0)
      | line("FAIL"; "models"; "\(.name): \(.parked | count("event")) could "
          + "not be folded: 'ev-project --list \(.name)' says why")),
    (.[] | select(.error)
      | line("FAIL"; "models"; "\(.name): \(.error)")),
    (select($missing == [] and all(.[]; .parked == 0 and (.error | not)))
      | line("ok"; "models"; length | count("read model")));

# What ev-each is to run, by the settings.
def wanted_consumers: "rig-recover", (routed | "rig-notify/\(.name)");

# Of what ev-each --lag prints, an array.
def consumers($settings; $now):
  [$settings | wanted_consumers] as $wanted
  | map(.name) as $names
  | (.[]
    | .name as $name
    | (.lag | count("event") + " behind") as $behind
    | ((.leaseUntil // "" | . != "" and seconds > $now) and .owner != null)
        as $runs
    | (if .oldest then $now - (.oldest | seconds) else 0 end) as $late
    | if .parked > 0 then
        line("FAIL"; "consumer"; "\($name): \(.parked | count("event")) gave "
          + "up: 'ev-each --parked \($name)' says why, then --replay or --drop")
      elif .failing > 0 then
        line("warn"; "consumer"; "\($name): \(.failing | count("event")) "
          + "failed and will be tried again, \($behind)")
      elif $late > 900 then
        line(if $runs then "warn" else "FAIL" end; "consumer";
          "\($name): \($behind), the oldest for \($late | duration): "
          + if $runs then "it is too slow, or its command hangs"
            else "nobody runs it: see timers" end)
      else
        line("ok"; "consumer"; "\($name): \($behind)"
          + if $runs then ", running" else "" end)
      end,
      (select(($name | startswith("rig-notify/")) and ([$name] - $wanted != []))
        | line("warn"; "consumer"; "\($name): nothing is routed to it any "
            + "more: 'ev-each --forget \($name)' if that is to stay so"))),
    (($wanted - $names)[]
      | line("warn"; "consumer"; "\(.): has never run: "
          + "\(split("/")[0]) --follow, or see timers"));

# Of agent-status, an array.
def agents($settings; $now):
  def limit:
    .key as $key
    | $settings.stuck.agents[$key] as $own
    | $own | (objects | .after), strings, numbers | values;
  map(.limit = (first(limit, $settings.stuck.after) | span)
    | .silent = (if .lastHeartbeat then $now - (.lastHeartbeat | seconds)
        else null end)
    | .late = (.silent != null and .silent >= .limit))
  | (map(select(.silent != null and (.late | not))) | length) as $heard
  | line("ok"; "agents"; "\($heard) of \(length) heard of lately"),
    (.[] | select(.late and .currentIssue != null)
      | select(.status | IN($settings.stuck.waiting[]) | not)
      | line("warn"; "agents"; "\(.key): silent for \(.silent | duration), with "
          + "\(.currentRepo // "")#\(.currentIssue): rig-stuck finds it, "
          + "rig-recover takes it over")),
    (.[] | select(.silent != null and .silent < -120)
      | line("warn"; "clock"; "\(.key): its clock is \(-.silent | duration) "
          + "ahead: set the clocks"));

# Of the settings.
def priorities($file):
  [unrouted_priorities] as $unrouted
  | if $unrouted == [] then
      line("ok"; "priorities"; "somebody is told of each")
    else
      $unrouted[]
      | line("warn"; "priorities"; "nobody is told of \(.) events: name a "
          + "receiver in notify.routes.\(.) of \($file)")
    end;

# Of the settings, what the script needs of each receiver, a line each.
def receiver_lines:
  [routed.name] as $routed
  | receivers_named("")
  | .name, .kind, (.url, .["url-file"], .["token-file"]
      | . // "" | gsub("\n"; " ")),
    ([.name] - $routed | length);

# Of GitHub's answer to /rate_limit.
def rate($origin):
  (.resources.core // .rate // {}) as $core
  | if $core.limit == null then
      line("ok"; "github"; "\($origin) answers, and has no limit")
    else
      line(if $core.remaining * 10 < $core.limit then "warn" else "ok" end;
        "github"; "\($origin) answers, \($core.remaining) of \($core.limit) "
          + "requests are left")
    end;
