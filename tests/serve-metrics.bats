#!/usr/bin/env bats
load helper
load serve

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	serve_stop
}

check() { # the strict reader
	node "$ROOT/tests/peers/openmetrics.mjs"
}

# Reads them, strictly, into samples.
scrape() {
	curl -sS -D headers -o exposition "$url/metrics" &&
		check <exposition >samples
}

# The value of one sample.
value() { # NAME [LABEL VALUE]
	jq -r --arg name "$1" --arg key "${2-}" --arg value "${3-}" \
		'select(.name == $name and
			($key == "" or .labels[$key] == $value)) | .value' samples
}

post() { # JSON [CURL-ARGUMENT...]
	curl -sS -o body -H 'Content-Type: application/json' -d "$1" \
		"${@:2}" "$url/api/events"
}

@test "on an empty log the metrics are what OpenMetrics wants" {
	serve_start
	scrape
	[ "$(tr -d '\r' <headers | sed -n 's/^content-type: //Ip')" = \
		'application/openmetrics-text; version=1.0.0; charset=utf-8' ]
	[ "$(tr -d '\r' <headers | sed -n 's/^cache-control: //Ip')" = no-store ]
	[ "$(tail -n 1 exposition)" = '# EOF' ]
	[ "$(value ev_log_position)" = 0 ]
	[ "$(value ev_appends_total)" = 0 ]
	[ "$(value ev_alerts)" = 0 ]
	[ "$(value ev_alert_age_seconds)" = 0 ]
	[ "$(jq -r 'select(.name == "ev_build_info") | .labels.version' samples)" = \
		"$(ev-serve --version | awk 'NR == 1 {print $2}')" ]
	jq -se 'map(.family) | unique | length > 20' samples
	# each family says what it is
	[ "$(grep -c '^# TYPE ' exposition)" = "$(grep -c '^# HELP ' exposition)" ]
	grep '^# TYPE ' exposition | cut -d ' ' -f 3 >families
	cmp families <(jq -r .family samples | uniq)
}

@test "appends are counted by what became of them" {
	serve_start
	post '{"type":"HEARTBEAT","agentId":"a","id":"one"}'
	post '{"type":"HEARTBEAT","agentId":"a","id":"one"}'
	post '{"type":"HEARTBEAT","agentId":"b","id":"one"}'
	post '{"type":"HEARTBEAT","agentId":"a"}' -H 'If-Match: "7"'
	post '{"type":"HEARTBEAT","agentId":7}'
	post '{"type":"NO_SUCH_TYPE"}'
	post '{"type":"HEARTBEAT","agentId":"a"}'
	wal=$(stat -c %s "$EV_LOG-wal")
	scrape
	[ "$(value ev_appends_total)" = 2 ]
	[ "$(value ev_append_duplicates_total)" = 1 ]
	[ "$(value ev_append_conflicts_total)" = 2 ]
	[ "$(value ev_append_rejects_total)" = 2 ]
	[ "$(value ev_log_position)" = 2 ]
	[ "$(value ev_commits_total)" -ge 2 ]
	[ "$(value ev_append_duration_seconds_count)" -ge 2 ]
	[ "$(value ev_http_requests_total code 2xx)" -ge 3 ]
	[ "$(value ev_http_requests_total code 4xx)" = 4 ]
	[ "$(value ev_http_request_duration_seconds_count)" -ge 7 ]
	[ "$(value ev_log_size_bytes file log)" = "$(stat -c %s "$EV_LOG")" ]
	# models are kept meanwhile
	[ "$(value ev_log_size_bytes file wal)" -ge "$wal" ]
	[ "$(value ev_log_size_bytes file wal)" -le "$(stat -c %s "$EV_LOG-wal")" ]
	# nothing of it falls from one time to the next
	mv samples before
	scrape
	jq -se --slurpfile before before '
		def key: "\(.name) \(.labels)";
		($before | map({ key: key, value }) | from_entries) as $was
		| map(select(.type == "counter" or .type == "histogram"))
		| length > 20 and all(.value >= $was[key])' samples
}

@test "the lag of models and consumers is what the commands say" {
	for n in $(seq 5); do
		ev-append -q HEARTBEAT agentId="a$n"
	done
	ev-project agent-status daily-cost
	ev-each notify -- true
	printf '#!/bin/sh\nexit 65\n' >refuse
	chmod +x refuse
	ev-append -q HEARTBEAT agentId=late
	ev-each -q refusing -- ./refuse || :
	ev-each -q park/every.one -- ./refuse || :
	serve_start
	scrape
	ev-each --lag | jq -c . >lag
	[ -s lag ]
	while read -r line; do
		name=$(jq -r .name <<<"$line")
		for pair in position:position lag_events:lag parked_events:parked \
			failing_events:failing; do
			[ "$(value "ev_consumer_${pair%:*}" consumer "$name")" = \
				"$(jq -r ".${pair#*:}" <<<"$line")" ] ||
				{ echo "$name $pair"; cat samples; return 1; }
		done
	done <lag
	[ "$(value ev_consumer_lag_events consumer notify)" = 1 ]
	jq -es 'map(select(.name == "ev_consumer_lag_seconds" and
		.labels.consumer == "notify")) | length == 1 and .[0].value > 0' samples
	ev-project --list -f ndjson >models
	[ -s models ]
	while read -r line; do
		name=$(jq -r .name <<<"$line")
		[ "$(value ev_model_position model "$name")" = \
			"$(jq -r .checkpoint <<<"$line")" ]
		[ "$(value ev_model_lag_events model "$name")" = \
			"$(jq -r .lagEvents <<<"$line")" ]
		[ "$(value ev_model_parked_events model "$name")" = \
			"$(jq -r .parked <<<"$line")" ]
		[ "$(value ev_model_failed model "$name")" = 0 ]
	done <models
}

@test "the oldest alert is as old as what a person has not seen to" {
	serve_start
	old=$(date -u -d '2 hours ago' +%FT%TZ)
	new=$(date -u -d '1 hour ago' +%FT%TZ)
	post '{"type":"ISSUE_APPROVED","repo":"acme/app","issueNumber":1,"priority":"normal"}'
	scrape
	[ "$(value ev_alerts)" = 0 ]
	ev-append -q HUMAN_GATE_TRIGGERED repo=acme/app issueNumber:=2 \
		reason=look --timestamp "$old"
	ev-append -q HUMAN_GATE_TRIGGERED repo=acme/app issueNumber:=3 \
		reason=look --timestamp "$new"
	ev-get issue-status -f ndjson | jq -r .state | sort | uniq -c
	scrape
	[ "$(value ev_alerts)" = 2 ]
	[ "$(curl -s "$url/api/status" | jq '.needs | length')" = 2 ]
	jq -se 'map(select(.name == "ev_alert_age_seconds"))[0].value
		| . >= 7200 and . < 7900' samples
}

@test "streams and connections are counted while they are open" {
	serve_start --heartbeat 1
	curl -sSN -H 'Accept: text/event-stream' "$url/api/agent-logs" \
		>events 3>&- &
	reader=$!
	until grep -q '^: agents' events; do sleep 0.02; done
	scrape
	[ "$(value ev_sse_clients)" = 1 ]
	[ "$(value ev_sse_opened_total)" = 1 ]
	[ "$(value ev_http_connections)" -ge 2 ]
	curl -sS -o body -H 'Content-Type: application/json' \
		-d '{"agentId":"a","entries":["one","two"]}' "$url/api/agent-logs"
	until grep -q '^id: 2' events; do sleep 0.02; done
	scrape
	[ "$(value ev_agent_log_entries_total)" = 2 ]
	[ "$(value ev_sse_events_total)" = 2 ]
	[ "$(value ev_agent_log_size_bytes)" -gt 0 ]
	kill "$reader"
	wait "$reader" || :
	until scrape && [ "$(value ev_sse_clients)" = 0 ]; do sleep 0.02; done
	[ "$(value ev_sse_opened_total)" = 1 ]
}

@test "parameters are misspelt here" {
	serve_start
	[ "$(curl -sS -o body -w '%{http_code}' "$url/metrics?name=x")" = 400 ]
}

@test "the checker accepts what OpenMetrics allows" {
	printf '%s\n' '# EOF' | check
	run -0 check <<-'END'
		# TYPE a counter
		# HELP a with \"quotes\", \\ and \n
		a_total{l="q\"\\\n ☺",m=""} 1.5e3 1776767000.5 # {id="7"} 1
		a_created{l="q\"\\\n ☺",m=""} 1776767000
		# TYPE h_seconds histogram
		# UNIT h_seconds seconds
		h_seconds_bucket{le="0.5"} 1
		h_seconds_bucket{le="+Inf"} 2
		h_seconds_count 2
		h_seconds_sum 3.5
		# TYPE b info
		b_info{v="1"} 1
		# TYPE g gauge
		g{x="1"} -Inf
		g{x="2"} NaN
		plain 1
		# EOF
	END
	[ "${#lines[@]}" -eq 10 ]
}

@test "the checker refuses what OpenMetrics does not allow" {
	refused() { # EXPOSITION, as printf takes it
		printf "$1" >wrong
		run -1 --separate-stderr check <wrong || return
		[ -z "$output" ]
	}
	while IFS= read -r wrong; do
		refused "$wrong" || { echo "accepted: $wrong"; return 1; }
	done <<-'END'
		a 1\n
		# EOF
		a 1\n# EOF\na 2\n
		a 1\n\n# EOF\n
		a 1\r\n# EOF\n
		\357\273\277a 1\n# EOF\n
		a{l="\377"} 1\n# EOF\n
		 a 1\n# EOF\n
		a  1\n# EOF\n
		a 1 \n# EOF\n
		a\n# EOF\n
		a one\n# EOF\n
		a 0x10\n# EOF\n
		a 1 2 3\n# EOF\n
		9a 1\n# EOF\n
		a{l=1} 1\n# EOF\n
		a{l="1",} 1\n# EOF\n
		a{l="1" ,m="2"} 1\n# EOF\n
		a{l="1"m="2"} 1\n# EOF\n
		a{l:x="1"} 1\n# EOF\n
		a{l="1",l="2"} 1\n# EOF\n
		a{l="\\x"} 1\n# EOF\n
		a{l="1} 1\n# EOF\n
		a 1\na 1\n# EOF\n
		a{l="1"} 1\na{l="1"} 2\n# EOF\n
		a 1\nb 1\na{l="1"} 1\n# EOF\n
		#TYPE a gauge\na 1\n# EOF\n
		# TYPE a thing\na 1\n# EOF\n
		# TYPE a gauge\n# TYPE a gauge\na 1\n# EOF\n
		# COMMENT a b\na 1\n# EOF\n
		a 1\n# TYPE a gauge\n# EOF\n
		# HELP a "quoted"\na 1\n# EOF\n
		# HELP a back\\slash\na 1\n# EOF\n
		# TYPE a counter\na 1\n# EOF\n
		# TYPE a counter\na_total -1\n# EOF\n
		# TYPE a counter\na_total NaN\n# EOF\n
		# TYPE a counter\na_created 1\n# EOF\n
		# TYPE a_total counter\na_total_total 1\n# EOF\n
		# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n
		# TYPE a info\na_info 2\n# EOF\n
		# TYPE a gauge\na 1 # {x="1"} 1\n# EOF\n
		# TYPE a histogram\na_bucket{le="1.0"} 1\na_count 1\na_sum 1\n# EOF\n
		# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n
		# TYPE a histogram\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n
		# TYPE a histogram\na_bucket{le="2.0"} 1\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n
		# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 2\na_sum 1\n# EOF\n
		# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 1\n# EOF\n
		# TYPE a histogram\na_bucket{le="+Inf"} 1.5\na_count 1.5\na_sum 1\n# EOF\n
		# TYPE a gauge\na{l="1"} 1\na_sum 1\n# EOF\n
	END
}
