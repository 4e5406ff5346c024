#!/usr/bin/env bats
# ev-serve: GitHub's webhook. What is signed with the secret becomes the events
# that ev-from-github makes of it, each once; what is not, nothing.

load helper
load serve

setup() {
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR
	cd "$BATS_TEST_TMPDIR" || return
	fixtures=$ROOT/tests/fixtures/github
	examples=$ROOT/tests/npm/node_modules/@octokit/webhooks-examples
	secret="It's a Secret to Everybody"
	(umask 077 && echo "$secret" >secret)
}

teardown() {
	serve_stop
}

with_webhook() {
	serve_start --github-secret secret "$@"
}

# sign FILE [SECRET]: what GitHub's header says
sign() {
	printf 'sha256=%s' "$(openssl dgst -sha256 -hmac "${2-$secret}" -r <"$1" |
		cut -d ' ' -f 1)"
}

# deliver EVENT DELIVERY FILE [SIGNATURE]: sets $status_code and $answer; with an
# empty one there is none
deliver() {
	local headers=()
	[ -z "${4-x}" ] || headers=(-H "X-Hub-Signature-256: ${4-$(sign "$3")}")
	status_code=$(curl -s -o answer -w '%{http_code}' -X POST \
		-H 'Content-Type: application/json' -H "X-GitHub-Event: $1" \
		-H "X-GitHub-Delivery: $2" "${headers[@]}" \
		--data-binary "@$3" "$url/api/webhook/github")
	answer=$(cat answer)
}

# it_is STATUS JQ: the last answer is so
it_is() {
	[ "$status_code" = "$1" ] && jq -e "$2" answer >/dev/null && return
	echo "not so: $1 $2; but $status_code $answer"
	return 1
}

@test "a signed delivery becomes events, and a replay is none" {
	with_webhook
	deliver pull_request d-1 "$fixtures/pull_request.closed.merged.json"
	it_is 200 'keys_unsorted == ["appended", "duplicates", "events"]'
	it_is 200 '.appended == 1 and .duplicates == 0 and
	    (.events | map(.type)) == ["MERGED"] and .events[0].id == "github/d-1"'
	ev-from-github -q -e pull_request -H 'X-GitHub-Delivery: d-1' \
		"$fixtures/pull_request.closed.merged.json" >mapped
	[ "$(ev-cat | jq -c '[.id, .type, .data.mergeSha]')" = \
		"$(jq -c '[.id, .type, .mergeSha]' mapped)" ]
	deliver pull_request d-1 "$fixtures/pull_request.closed.merged.json"
	it_is 200 '.appended == 0 and .duplicates == 1 and .events[0].duplicate'
	# the same payload by another delivery is another event
	deliver pull_request d-2 "$fixtures/pull_request.closed.merged.json"
	it_is 200 '.appended == 1'
	[ "$(ev-cat | wc -l)" -eq 2 ]
}

@test "GitHub's own example of a signature is right" {
	printf 'Hello, World!' >body
	[ "$(sign body)" = sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17 ]
	with_webhook
	# signed, and no JSON
	deliver ping d-1 body
	it_is 400 '.code == "not-json"'
}

@test "what is not signed with the secret is refused" {
	local body=$fixtures/pull_request.closed.merged.json good signature
	with_webhook
	good=$(sign "$body")
	for signature in '' "sha256=$(printf '0%.0s' {1..64})" "${good%?}" \
		"${good}0" "${good#sha256=}" "sha1=${good#sha256=}" sha256= \
		"sha256=$(tr a-f A-F <<<"${good#sha256=}")" \
		"$(sign "$body" other)" "$(sign "$body" '')"; do
		deliver pull_request d-1 "$body" "$signature"
		it_is 401 '.code == "unauthorized"'
	done
	# one bit of the body
	sed 's/closed/Closed/' "$body" >other
	deliver pull_request d-1 other "$good"
	it_is 401 '.code == "unauthorized"'
	# two of them, of which one is right
	status_code=$(curl -s -o answer -w '%{http_code}' -X POST \
		-H 'Content-Type: application/json' -H 'X-GitHub-Event: pull_request' \
		-H 'X-GitHub-Delivery: d-1' -H "X-Hub-Signature-256: $good" \
		-H "X-Hub-Signature-256: sha256=0" --data-binary "@$body" \
		"$url/api/webhook/github")
	[ "$status_code" = 401 ]
	[ ! -e "$EV_LOG" ] || [ -z "$(ev-cat)" ]
	deliver pull_request d-1 "$body" "$good"
	it_is 200 '.appended == 1'
}

@test "without a secret there is no webhook" {
	serve_start
	deliver ping d-1 "$fixtures/pull_request.closed.merged.json"
	it_is 404 '.code == "not-found"'
}

@test "a secret that others may read, or that is none, is refused" {
	chmod 644 secret
	run -65 ev-serve -p 0 --github-secret secret
	[[ $output == *"'secret'"* ]]
	(umask 077 && : >empty)
	run -65 ev-serve -p 0 --github-secret empty
	[[ $output == *"'empty'"* ]]
	run -65 ev-serve -p 0 --github-secret missing
	[[ $output == *"'missing'"* ]]
}

@test "a new secret counts after SIGHUP, a wrong one is not taken" {
	local body=$fixtures/pull_request.closed.merged.json old
	with_webhook
	old=$(sign "$body")
	secret=another
	echo "$secret" >secret
	kill -HUP "$serve_pid"
	local left=500
	until deliver pull_request d-1 "$body" && [ "$status_code" = 200 ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ]
		sleep 0.02
	done
	deliver pull_request d-2 "$body" "$old"
	[ "$status_code" = 401 ]
	chmod 644 secret
	kill -HUP "$serve_pid"
	until grep -q 'the one before is in force' "$serve_err"; do
		left=$((left - 1))
		[ "$left" -gt 0 ]
		sleep 0.02
	done
	deliver pull_request d-2 "$body"
	it_is 200 '.appended == 1'
}

@test "what has no counterpart is no failure" {
	jq -nc '{zen: "Design for failure.", hook_id: 1, hook: {type: "Repository"}}' >ping
	jq -nc '{action: "created", gizmo: {id: 1}, repository: {full_name: "acme/app"},
	    sender: {login: "ann"}}' >gizmo
	with_webhook
	deliver ping d-1 ping
	it_is 200 '. == {appended: 0, duplicates: 0, events: []}'
	deliver gizmo d-2 gizmo
	it_is 200 '. == {appended: 0, duplicates: 0, events: []}'
	[ ! -e "$EV_LOG" ] || [ -z "$(ev-cat)" ]
}

@test "what is none of GitHub's is refused" {
	local body=$fixtures/pull_request.closed.merged.json
	printf '{"action": ' >broken
	printf '[1]' >list
	with_webhook
	deliver pull_request d-1 broken
	it_is 400 '.code == "not-json"'
	deliver pull_request d-1 list
	it_is 422 '.code == "not-an-event"'
	# the name says one thing, the shape another
	deliver issues d-1 "$body"
	it_is 422 '.code == "not-an-event"'
	deliver "" d-1 "$body"
	it_is 400 '.code == "bad-request"'
	deliver -q d-1 "$body"
	it_is 400 '.code == "bad-request"'
	deliver pull_request "" "$body"
	it_is 400 '.code == "bad-request"'
	deliver pull_request 'd 1' "$body"
	it_is 400 '.code == "bad-request"'
	[ ! -e "$EV_LOG" ] || [ -z "$(ev-cat)" ]
}

@test "it needs no token, and no other page may help itself to it" {
	ev-serve --tokens tokens --new-token boss=admin >token
	with_webhook --tokens tokens
	deliver pull_request d-1 "$fixtures/pull_request.closed.merged.json"
	it_is 200 '.appended == 1'
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/v1/head")" = 401 ]
}

@test "a delivery of several events is appended as a whole, and once" {
	jq -c '.pull_request.body = "Closes #1, closes #2, closes #3"' \
		"$fixtures/pull_request.closed.merged.json" >three
	with_webhook
	local i pids=()
	for i in {1..8}; do
		curl -s -o "got.$i" -X POST -H 'Content-Type: application/json' \
			-H 'X-GitHub-Event: pull_request' \
			-H 'X-GitHub-Delivery: d-1' \
			-H "X-Hub-Signature-256: $(sign three)" \
			--data-binary @three "$url/api/webhook/github" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(jq -s 'map(.appended) | add' got.*)" -eq 3 ]
	[ "$(jq -s 'map(.duplicates) | add' got.*)" -eq 21 ]
	[ "$(ev-cat | jq -r '"\(.id) \(.streamId)"' | sort | tr '\n' ' ')" = \
		'github/d-1 acme/app#1 github/d-1/2 acme/app#2 github/d-1/3 acme/app#3 ' ]
}

@test "every payload of a public collection is taken, as ev-from-github has it" {
	local sample=1
	[ -z "${EV_SANITIZED-}" ] || sample=4
	# files NAME.NUMBER, and all of them as deliveries
	mkdir payloads
	jq -c --argjson sample "$sample" '[.[] | .name as $event
	    | .examples[] | {event: $event, payload: .}] | to_entries[]
	    | select(.key % $sample == 0)
	    | .value + {delivery: "d-\(.key)"}' \
		"$examples/api.github.com/index.json" >deliveries
	jq -r '"\(.event).\(.delivery)", (.payload | tojson)' deliveries |
		while IFS= read -r name && IFS= read -r payload; do
			printf '%s' "$payload" >"payloads/$name"
		done
	[ "$(find payloads -type f | wc -l)" -eq "$(wc -l <deliveries)" ]
	with_webhook
	export -f deliver sign
	export url secret
	# shellcheck disable=SC2016,SC2154 # expanded where it runs
	find payloads -type f -printf '%f\0' | xargs -0 -P 4 -n 8 bash -c 'for file; do
		mkdir "work.$file" && cd "work.$file" || exit
		deliver "${file%%.*}" "${file#*.}" "../payloads/$file"
		cd .. || exit
		echo "$status_code $answer" >>"answers.$$"
	done' bash
	[ "$(cat answers.* | wc -l)" -eq "$(wc -l <deliveries)" ]
	[ "$(cut -c 1-19 answers.* | sort -u | cut -d: -f1 | sort -u)" = \
		'200 {"appended"' ]
	ev-from-github -q deliveries | jq -r '"\(.id) \(.type)"' | sort >wanted
	[ -s wanted ]
	diff <(ev-cat | jq -r '"\(.id) \(.type)"' | sort) wanted
}
