#!/usr/bin/env bats
# A rig at work: six agents, each a process of its own, and 200 issues that
# depend on each other. Agents are killed at any moment, found by rig-stuck, and
# what they had goes to others by rig-recover; a person approves anew what was
# escalated. The clock is a file: it moves when all who live have beaten.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
	issues=200
	[ -z "${EV_SANITIZED-}" ] || issues=20
	declare -gA agents=()
	born=0
	minutes=0
	tick 0
	write_agent
}

teardown() {
	: >stop
	[ "${#agents[@]}" -eq 0 ] || kill -9 "${agents[@]}" 2>/dev/null || :
	wait
}

# tick MINUTES: what time it is from now on.
tick() {
	minutes=$((minutes + $1))
	export EV_NOW
	EV_NOW=$(date -u -d "@$((1776765600 + minutes * 60))" +%Y-%m-%dT%H:%M:%SZ)
	echo "$EV_NOW" >clock.new
	mv clock.new clock
}

# An agent asks what is next, takes one of that, and works on it. CI fails for
# every ninth issue the first time. Issues 10, 50, 90, ... are the end of who
# works on them, once, and issue 13 twice.
write_agent() {
	cat >agent <<-'END'
		name=$1
		tell() { # TYPE: if nothing came in between
			ev-append -q -e "$version" --actor "$name" --timestamp "$EV_NOW" \
				-s "$issue" "$@" 2>/dev/null
		}
		step() {
			version=$(ev-cat -s "$issue" -r -n 1) || return
			version=${version#*,\"version\":}
			version=${version%%,*}
			state=$(ev-get issue-status -m state -m agentId "$issue") || return
			[[ $state == *"\"agentId\":\"$name\"}" ]] || return
			number=${issue##*#}
			case $state in
			*'"assigned"'*) tell WORK_STARTED "agentId=$name" ;;
			*'"ci_failed"'*) tell CI_PASSED ;;
			*'"in_progress"'*)
				if [ "$number" -eq 13 ] && [ ! -e 13.2 ]; then
					mkdir 13.1 2>/dev/null || mkdir 13.2
					kill -9 $$
				elif [ $((number % 40)) -eq 10 ] && mkdir "died.$number" 2>/dev/null; then
					kill -9 $$
				elif [ $((number % 9)) -eq 0 ] && mkdir "ci.$number" 2>/dev/null; then
					tell CI_FAILED
				else
					tell ISSUE_DONE
				fi
				;;
			*) return 1 ;;
			esac
		}
		while [ ! -e stop ]; do
			read -r EV_NOW <clock
			export EV_NOW
			rig-heartbeat "$name"
			mapfile -t next < <(rig-next -n 12 "$name" | shuf)
			[ "${#next[@]}" -gt 0 ] || sleep 1
			for issue in "${next[@]}"; do
				rig-claim --again -q "$issue" "$name" 2>/dev/null || continue
				while step; do :; done
				break
			done
		done
	END
}

# Six agents, whoever was killed.
man_all() {
	while [ "${#agents[@]}" -lt 6 ]; do
		born=$((born + 1))
		bash agent "agent-$born" 3>&- 2>>agents.err &
		agents[agent-$born]=$!
	done
}

# Of those that are dead the names go.
bury() {
	local name
	for name in "${!agents[@]}"; do
		[ -d "/proc/${agents[$name]}" ] || {
			wait "${agents[$name]}" 2>/dev/null || :
			unset "agents[$name]"
		}
	done
}

# Have all who live beaten since the clock moved?
all_have_beaten() {
	local name
	bury
	for name in "${!agents[@]}"; do
		ev-get agent-status -m lastHeartbeat "$name" 2>/dev/null |
			grep -qF "\"${EV_NOW%Z}." || return
	done
}

# How many issues are done.
done_count() {
	ev-cat -t ISSUE_DONE --count || :
}

@test "agents die at work: every issue is done once, by who had it, and none is lost" {
	local i left name
	for ((i = 1; i <= issues; i++)); do
		jq -nc --argjson i "$i" '{type: "ISSUE_APPROVED", repo: "acme/app",
			issueNumber: $i, priority: ["high", "normal", "low"][$i % 3],
			dependsOn: [$i * 7 % 11, $i * 5 % 23 | $i - .
				| select(. > 0 and . < $i and $i % 2 == 0)]}'
	done | ev-append -q --timestamp "$EV_NOW"
	man_all
	kills=0
	for ((left = 200; left > 0; left--)); do
		[ "$(done_count)" -lt "$issues" ] || break
		if [ "$kills" -lt 8 ]; then
			kills=$((kills + 1))
			names=("${!agents[@]}")
			kill -9 "${agents[${names[RANDOM % ${#names[@]}]}]}" 2>/dev/null || :
		fi
		bury
		man_all
		tick 31
		until all_have_beaten; do
			man_all
			sleep 0.1
		done
		rig-stuck -q
		rig-recover -q
		ev-get issue-status --where state=escalated -m state 2>/dev/null |
			jq -r .key >escalated
		while read -r issue; do
			rig-approve "$issue"
		done <escalated
	done
	: >stop
	wait
	agents=()
	[ "$left" -gt 0 ] || { ev-get issue-status --where state!=done; false; }

	# what the log says of each issue, event by event
	ev-cat --stream-prefix 'acme/app#' >events
	jq -es --argjson issues "$issues" '
		group_by(.streamId)
		| length == $issues and all(
			(map(select(.type == "ISSUE_DONE")) | length == 1)
			and .[-1].type == "ISSUE_DONE"
			# held by one at a time; and who has it ends it
			and (reduce .[] as $e ({holder: null, good: true};
				if $e.type == "ISSUE_ASSIGNED" then
					.good = (.good and .holder == null)
					| .holder = $e.data.agentId
				elif $e.type == "ISSUE_UNASSIGNED" then
					.good = (.good and .holder == $e.data.agentId) | .holder = null
				elif $e.type == "ESCALATED" or $e.type == "ISSUE_APPROVED" then
					.holder = null
				elif $e.type == "ISSUE_DONE" then
					.good = (.good and .holder == $e.actor)
				else . end) | .good))' events
	# nothing was begun before what it depends on was done
	jq -es '
		(map(select(.type == "ISSUE_DONE") | {(.streamId): .position}) | add) as $done
		| (map(select(.type == "ISSUE_APPROVED") |
			{(.streamId): (.data.dependsOn // [])}) | .[:'"$issues"'] | add) as $needs
		| map(select(.type == "ISSUE_ASSIGNED")) | all(. as $e
			| $needs[.streamId] | all(. as $other
				| $done["acme/app#\($other)"] < $e.position))' events
	# it was as bad as it was meant to be
	ev-cat -s acme/app#13 | jq -es 'map(.type | select(IN("AGENT_STUCK",
		"ESCALATED"))) | .[:3] == ["AGENT_STUCK", "AGENT_STUCK", "ESCALATED"]' ||
		{ ev-cat -s acme/app#13 -f table; false; }
	[ "$(ev-cat -t CI_FAILED --count)" -ge $((issues / 9)) ]
	[ "$(ev-cat -t AGENT_STUCK --count)" -ge $((issues / 40 + 2)) ]
	ev-each --parked rig-recover >parked || :
	[ ! -s parked ]
	[ ! -s agents.err ]
	ev-verify
}
