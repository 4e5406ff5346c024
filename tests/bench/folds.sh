# shellcheck shell=sh disable=SC2034,SC2154 # the variables are run's
# The budgets of folds, read models and inline projections; a part of run. What
# a fold answers must be what jq and SQLite answer.

folds="-p tests/bench/issue-state.yaml -p tests/bench/day-cost.yaml"
"$bin/ev-cat" -l "$dir/ready.db" >"$dir/canonical.ndjson"
cat >"$dir/fold.sh" <<END
"$bin/ev-fold" $folds <"$dir/canonical.ndjson" >"$dir/fold.ours"
END
# shellcheck disable=SC2016 # jq's variables
cat >"$dir/jq.sh" <<END
jq -rn '
	reduce inputs as \$e ({};
		if \$e.type == "HEARTBEAT" then .
		elif \$e.type == "TOKEN_USAGE" then
			("cost\t" + \$e.timestamp[:10] + "/" +
			    \$e.data.agentId + "/" + \$e.data.repo) as \$key
			| .[\$key] as \$old
			| .[\$key] = [\$old[0] + \$e.data.costUsd,
			    \$old[1] + \$e.data.inputTokens, \$old[2] + 1]
		else
			("issue\t" + \$e.streamId) as \$key
			| .[\$key][2] as \$old
			| .[\$key] = [\$e.type, \$e.timestamp, \$old + 1]
		end)
	| to_entries[]
	| .key + "\t" + (.value | map(tostring) | join("\t"))' \
	"$dir/canonical.ndjson" >"$dir/fold.jq"
END
cat >"$dir/sql.sh" <<END
sqlite3 -readonly -separator '	' "$dir/ready.db" "
	SELECT 'issue', line ->> 'streamId' AS s, line ->> 'type',
		line ->> 'timestamp', count(*), max(position)
	FROM event WHERE line ->> 'type' NOT IN ('HEARTBEAT', 'TOKEN_USAGE')
	GROUP BY s;
	SELECT 'cost', substr(line ->> 'timestamp', 1, 10) || '/' ||
		(line ->> '\$.data.agentId') || '/' || (line ->> '\$.data.repo')
		AS k, sum(line ->> '\$.data.costUsd'),
		sum(line ->> '\$.data.inputTokens'), count(*)
	FROM event WHERE line ->> 'type' = 'TOKEN_USAGE'
	GROUP BY k" >"$dir/fold.sql"
END
# jq and SQLite count money in binary: to the cent's hundredth part
tell() {
	awk -F '\t' '{ if ($1 == "cost") printf "%s %s %.4f %s %s\n", $1, $2,
		$3, $4, $5; else print $1, $2, $3, $4, $5 }' | LC_ALL=C sort
}
pair 'fold of 2 projections : jq reduce' 1 0.045 "sh $dir/fold.sh" \
	"sh $dir/jq.sh"
pair 'fold of 2 projections : SQLite GROUP BY' 3 0.11 "sh $dir/fold.sh" \
	"sh $dir/sql.sh"
jq -r 'if .projection == "day-cost"
	then ["cost", .key, .cost, .input, .calls]
	else ["issue", .key, .state, .at, .events] end | @tsv' \
	"$dir/fold.ours" | tell >"$dir/told.ours"
tell <"$dir/fold.jq" >"$dir/told.jq"
tell <"$dir/fold.sql" >"$dir/told.sql"
for peer in jq sql; do
	cmp "$dir/told.ours" "$dir/told.$peer" || missed=1
done
figures=$("$dir/measure" pair 5 "sh $dir/fold.sh" true)
judge 'fold of 2 projections : 0.6 s a million' "${figures%% *} ms" \
	"$((events * 6 / 10000)) ms" "$(echo "$events ${figures%% *}" |
	awk '{ printf "%.2f", $2 / ($1 * 0.0006) }')" 1

# From nothing, read and folded and saved.
cp "$dir/ready.db" "$dir/model.db"
"$bin/ev-project" -l "$dir/model.db" issue-status
figures=$("$dir/measure" pair 3 \
	"$bin/ev-project -l $dir/model.db --rebuild issue-status" true)
rate=$(echo "$events ${figures%% *}" | awk '{ printf "%d", $1 / $2 }')
judge 'rebuild of issue-status, k events/s : 500' "$rate" 500 \
	"$(awk -v r="$rate" 'BEGIN { printf "%.2f", 500 / r }')" 1
# who asks sqlite3 is not told when the definition has changed
key=$("$bin/ev-cat" -l "$dir/model.db" -t MERGED -n 1 | jq -r .streamId)
pair 'ev-get of one document : sqlite3 select' 200 1.3 \
	"$bin/ev-get -l $dir/model.db issue-status $key" \
	"sqlite3${tab}-readonly${tab}$dir/model.db${tab}SELECT document FROM documents WHERE model = 'issue-status' AND key = '$key'"

# What inline projections cost a bulk append.
cat >"$dir/inline.sh" <<END
rm -f "$dir"/inline.db*
"$bin/ev-append" -q -l "$dir/inline.db" HEARTBEAT agentId=a
"$bin/ev-project" -l "$dir/inline.db" issue-status agent-status agent-queue
"$bin/ev-append" -q -l "$dir/inline.db" "$dir/events.ndjson"
END
pair 'bulk append, 3 inline projections : none' 3 1.6 "sh $dir/inline.sh" \
	"sh $dir/append.sh"
one="$bin/ev-append -q -l $dir/inline.db HEARTBEAT agentId=a status=working"
pair 'one-shot append, 3 inline : sqlite3 insert' 200 1.1 "$one" \
	"sqlite3$tab$dir/peer.db$tab$insert"
