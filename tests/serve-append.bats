#!/usr/bin/env bats
# POST /api/events: what is answered, that it is in the log by then, and that
# many at once, a full disk, a lock that others hold and kills change nothing.

load helper
load serve

teardown() {
	release
	serve_stop || true
	[ -z "$mounted" ] || umount "$mounted"
}

# post BODY [CURL-OPTION...]: of type $type (default: application/json). Sets
# $code, $body (the file $answer) and $head.
post() {
	local data=$1
	shift
	answer=$BATS_TEST_TMPDIR/answer
	code=$(printf %s "$data" | curl -sS -o "$answer" \
		-D "$BATS_TEST_TMPDIR/head" -w '%{http_code}' \
		-H "Content-Type:${type- application/json}" --data-binary @- \
		"$@" "$url/api/events")
	body=$(cat "$answer")
	head=$(tr -d '\r' <"$BATS_TEST_TMPDIR/head")
}

# What jq says of the answer.
told() {
	jq -r "$1" "$answer"
}

# problem STATUS CODE: the answer is this one, in every respect.
problem() {
	[ "$code" = "$1" ] || { echo "$code, not $1: $body"; return 1; }
	grep -qix 'content-type: application/problem+json' <<<"$head"
	jq -e --arg code "$2" --argjson status "$1" '
		.type == "urn:ev:problem:" + $code and .code == $code and
		.status == $status and .detail == .error and
		(.title | length > 0) and (.detail | length > 0)' "$answer" \
		>"$BATS_TEST_TMPDIR/verdict" || { echo "$body"; return 1; }
}

beat() { # AGENT [MEMBERS]
	echo "{\"type\":\"HEARTBEAT\",\"agentId\":\"$1\"${2:+,$2}}"
}

# A number that /metrics tells.
metric() {
	curl -sS "$url/metrics" | awk -v name="$1" '$1 == name { print $2 }'
}

# Waits until something is so; the world outside gives no better sign.
until_so() { # COMMAND...
	local i
	for ((i = 0; i < 400; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	echo "never came true: $*"
	return 1
}

# hold: somebody else has the log's lock, until release.
hold() {
	mkfifo "$BATS_TEST_TMPDIR/held"
	perl -e '
		use Fcntl;
		my $lock = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0);
		open(my $f, "+<", $ARGV[0]) or die;
		fcntl($f, F_SETLKW, $lock) or die;
		open(my $g, ">", $ARGV[1]) or die;
		print $g "x\n";
		close $g;
		sleep 600;
	' "$EV_LOG.lock" "$BATS_TEST_TMPDIR/held" 3>&- &
	holder=$!
	read -r -t 20 _ <>"$BATS_TEST_TMPDIR/held"
	rm "$BATS_TEST_TMPDIR/held"
}

release() {
	[ -z "$holder" ] || kill -KILL "$holder" || true
	holder=
}

# many COUNT COMMAND...: so many at once, $n being 1 … COUNT; each prints a line
# into the file $out.
many() {
	out=$BATS_TEST_TMPDIR/many
	seq "$1" | xargs -P "$1" -I N sh -c "$2" sh N "$url" >"$out"
}

# What storms: posts heartbeats on one connection, and writes the id of each
# that was acknowledged into FILE, until there is no server.
storm() { # NAME FILE
	perl -e '
		use IO::Socket::INET;
		my ($port, $name, $file) = @ARGV;
		my $s = IO::Socket::INET->new("127.0.0.1:$port") or die;
		open(my $out, ">", $file) or die;
		$out->autoflush(1);
		local $SIG{PIPE} = "IGNORE";
		for (my $i = 1;; $i++) {
			my $body = qq({"type":"HEARTBEAT","agentId":"$name",) .
				qq("id":"$name-$i"});
			my ($len, $text) = (0, "");
			$s->syswrite("POST /api/events HTTP/1.1\r\n" .
				"Host: localhost\r\n" .
				"Content-Type: application/json\r\n" .
				"Content-Length: " . length($body) .
				"\r\n\r\n$body") or exit;
			my $status = <$s> // exit;
			while (defined(my $line = <$s>)) {
				$len = $1 if $line =~ /^content-length: (\d+)/i;
				last if $line eq "\r\n";
			}
			read($s, $text, $len) == $len or exit;
			print $out "$name-$i\n" if $status =~ / 200 /;
		}' "$port" "$1" "$2" 3>&-
}

# storms COUNT: begins so many, and waits until each has been answered.
storms() {
	local i
	storming=()
	port=${url##*:}
	for ((i = 1; i <= $1; i++)); do
		storm "s$i" "$BATS_TEST_TMPDIR/storm.$i" &
		storming+=("$!")
	done
	for ((i = 1; i <= $1; i++)); do
		until_so test -s "$BATS_TEST_TMPDIR/storm.$i"
	done
}

# The ids that were acknowledged, sorted; and those of the log.
acknowledged() {
	wait "${storming[@]}" || true
	sort "$BATS_TEST_TMPDIR"/storm.* >"$BATS_TEST_TMPDIR/acknowledged"
	ev-cat -t HEARTBEAT | jq -r .id | sort >"$BATS_TEST_TMPDIR/stored"
	[ -s "$BATS_TEST_TMPDIR/acknowledged" ]
}

@test "the examples of the rig's own documentation work to the letter" {
	serve_start --host conductor-e-api
	conductor() {
		curl -sS --connect-to "conductor-e-api:8080:127.0.0.1:${url##*:}" \
			"$@"
	}
	run -0 conductor -X POST http://conductor-e-api:8080/api/events \
		-H "Content-Type: application/json" \
		-d '{
    "type": "ISSUE_APPROVED",
    "repo": "Stig-Johnny/star-rewards",
    "issueNumber": 547,
    "title": "feat: Add Firestore rules CI check",
    "priority": "normal",
    "dependsOn": []
  }'
	jq -e '.streamId == "Stig-Johnny/star-rewards#547" and
		.type == "ISSUE_APPROVED" and
		(.timestamp | test("^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z$"))' \
		<<<"$output"
	run -0 conductor \
		"http://conductor-e-api:8080/api/events/stream?id=Stig-Johnny/star-rewards%23547"
	jq -e 'length == 1 and .[0].data.title ==
		"feat: Add Firestore rules CI check"' <<<"$output"
}

@test "the receipt is ev-append's, the ETag is the version, the event is there" {
	serve_start
	post "$(beat a/pod1 '"status":"idle"')"
	[ "$code" = 200 ]
	grep -qix 'content-type: application/json' <<<"$head"
	grep -qix 'etag: "0"' <<<"$head"
	[ "$(told 'keys_unsorted | join(" ")')" = \
		'streamId type timestamp position version id recordedAt' ]
	[ "$(told .streamId)" = a ]
	[ "$(ev-cat | jq -c '{streamId,type,timestamp,position,version,id,recordedAt}')" = "$body" ]
	post "$(beat a)"
	grep -qix 'etag: "1"' <<<"$head"
}

@test "every input form is taken" {
	serve_start
	post '{"type":"HEARTBEAT","data":{"agentId":"a"},"id":"canonical"}'
	[ "$code" = 200 ]
	type=' application/cloudevents+json; charset=UTF-8' post \
		'{"specversion":"1.0","id":"ce","source":"/x","type":"HEARTBEAT","data":{"agentId":"a"}}'
	[ "$code" = 200 ]
	post '{"event_id":"w1","event_type":"SolutionFound","workflow_id":null,"timestamp":"2026-04-21T10:22:00Z","payload":{"problem":"p","solution":"s","plugin_id":"x","confidence":0.5,"evidence":[]},"correlation_id":null}'
	[ "$code" = 200 ]
	post '{"id":"e1","event_type":"SessionSpawned","priority":"info","session_id":"s","project_id":"p","timestamp":"2026-04-21T10:22:00Z","message":"m","data":{}}'
	[ "$code" = 200 ]
	[ "$(ev-cat | jq -r .id | tr '\n' ' ')" = 'canonical ce w1 e1 ' ]
	ev-verify
}

@test "a body in chunks, or announced with Expect, is a body" {
	serve_start
	post "$(beat a)" -H 'Transfer-Encoding: chunked'
	[ "$code" = 200 ]
	post "$(beat a)" -H 'Expect: 100-continue'
	[ "$code" = 200 ]
}

@test "what is no JSON: 400, with its place" {
	serve_start
	for text in '' ' ' '{' '{"type":}' 'null null' $'{"a":"\x01"}' \
		'{"a":01}' "{'a':1}" $'{"a":"\xff"}'; do
		post "$text"
		problem 400 not-json
	done
	[ "$(told .error)" = "not JSON: $(ev-append - <<<$'{"a":"\xff"}' 2>&1 |
		sed 's/.*line 1: //')" ]
	[ ! -e "$EV_LOG" ]
}

@test "every case of the JSON test suite is answered as ev-append does" {
	serve_start
	local name verdict times bytes want ran=0
	while IFS=$'\t' read -r name verdict times bytes; do
		{
			printf '{"type":"HEARTBEAT","agentId":"a","x":'
			if [ "$times" -gt 1 ]; then
				yes "$(printf %b "$bytes")" | head -n "$times" |
					tr -d '\n'
			else
				printf %b "$bytes"
			fi
			printf '}'
		} >"$BATS_TEST_TMPDIR/case"
		want=400
		[ "$verdict" = refuse ] || want=200
		printf 'next\nurl = "%s/api/events"\nheader = "Content-Type: application/json"\ndata-binary = "@%s.%s"\nwrite-out = "%s %s %%{http_code}\\n"\noutput = "/dev/null"\n' \
			"$url" "$BATS_TEST_TMPDIR/case" "$ran" "$name" "$want"
		mv "$BATS_TEST_TMPDIR/case" "$BATS_TEST_TMPDIR/case.$ran"
		ran=$((ran + 1))
	done < <(grep -v '^#' "$BATS_TEST_DIRNAME/fixtures/json-cases.tsv") \
		>"$BATS_TEST_TMPDIR/config"
	sed -i 1d "$BATS_TEST_TMPDIR/config" # before the first there is no next
	run -0 curl -sS -K "$BATS_TEST_TMPDIR/config"
	[ "${#lines[@]}" = 318 ]
	[ -z "$(awk '$2 != $3' <<<"$output" | tee /dev/stderr)" ]
	[ "$(ev-cat --count)" = "$(grep -c ' 200$' <<<"$output")" ]
	ev-verify
}

@test "JSON that is no event: 422; an unknown type: 400, in these words" {
	serve_start
	for text in '[]' '"a"' '7' '[{"type":"HEARTBEAT","agentId":"a"}]' '{}' \
		'{"a":1}' '{"specversion":"1.0"}'; do
		post "$text"
		problem 422 not-an-event
	done
	post '{"type":"ISSUE_APROVED","repo":"a/b","issueNumber":1}'
	problem 400 unknown-type
	[ "$(told .error)" = 'unknown event type: ISSUE_APROVED' ]
	post '{"type":"HEARTBEAT","catalog":"no","data":{"agentId":"a"}}'
	problem 400 unknown-type
}

@test "what is wrong in an event is named by a JSON pointer into what was sent: 422" {
	serve_start
	local text path
	while read -r path text; do
		post "$text"
		problem 422 invalid
		[ "$(told .path)" = "$path" ] || { echo "$path: $body"; return 1; }
	done <<-'END'
		/repo {"type":"MERGED","repo":5,"issueNumber":1,"prNumber":1}
		/prNumber {"type":"MERGED","repo":"a/b","issueNumber":1}
		/data/prNumber {"type":"MERGED","data":{"repo":"a/b","issueNumber":1}}
		/data/failedChecks/1 {"type":"CI_FAILED","data":{"repo":"a/b","issueNumber":1,"prNumber":1,"failedChecks":["x",7]}}
		/failedChecks/1 {"type":"CI_FAILED","repo":"a/b","issueNumber":1,"prNumber":1,"failedChecks":["x",7]}
		/attempt {"type":"SMOKE_FAILED","repo":"a/b","issueNumber":1,"attempt":-1}
		/timestamp {"type":"HEARTBEAT","agentId":"a","timestamp":"yesterday"}
		/time {"specversion":"1.0","id":"1","source":"/","type":"HEARTBEAT","time":"yesterday","data":{"agentId":"a"}}
		/priority {"type":"HEARTBEAT","priority":"huge","data":{"agentId":"a"}}
		/payload/confidence {"event_id":"1","event_type":"SolutionFound","payload":{"problem":"p","solution":"s","plugin_id":"x","confidence":"no","evidence":[]}}
	END
	post '{"type":"MERGED","repo":5,"issueNumber":1,"prNumber":1}'
	[ "$(told .error)" = "MERGED: 'repo': expected string, found number 5" ]
	# nothing to point at
	post '{"type":"HEARTBEAT","data":{}}'
	[ "$code" = 422 ]
	[ ! -e "$EV_LOG" ]
}

@test "a body that is too long: 413, one that just fits is taken" {
	serve_start --max-body 1024
	text=$(beat a "\"pad\":\"$(printf '%0900d' 0)\"")
	text="${text%\}}$(printf '%*s' $((1023 - ${#text})) '')}"
	[ "${#text}" = 1023 ]
	post "$text "
	[ "$code" = 200 ]
	post "$text  "
	problem 413 too-large
	post "$text  " -H 'Transfer-Encoding: chunked'
	problem 413 too-large
	[ "$(ev-cat --count)" = 1 ]
}

@test "another type of content: 415, and what would be taken" {
	serve_start
	local type
	for type in text/plain application/x-www-form-urlencoded \
		multipart/form-data 'text/plain; charset=application/json' \
		application/jsonp application/json-seq \
		application/cloudevents-batch+json application/problem+json \
		'application/json; charset=utf-16'; do
		post "$(beat a)"
		problem 415 media-type
	done
	type='' post "$(beat a)"
	problem 415 media-type
	type=' application/json' post "$(beat a)" -H 'Content-Type: text/plain'
	problem 415 media-type
	unset type
	post "$(beat a)" -H 'Content-Encoding: gzip'
	problem 415 media-type
	grep -qi '^accept-post: application/json' <<<"$head"
	for type in APPLICATION/JSON 'application/json;charset="UTF-8"' \
		'application/json ; profile=x'; do
		post "$(beat a)"
		[ "$code" = 200 ]
	done
}

@test "other methods: 405 and Allow; parameters: 400" {
	serve_start
	run -0 curl -sS -i -X PUT -d '{}' "$url/api/events"
	[[ $output == HTTP/1.1\ 405* ]]
	grep -qi '^allow: .*POST' <<<"$output"
	run -0 curl -sS -H 'Content-Type: application/json' -d "$(beat a)" \
		"$url/api/events?dry=1"
	[ "$(jq -r .code <<<"$output")" = bad-request ]
	[ ! -e "$EV_LOG" ]
}

@test "If-Match: the version, or any; If-None-Match: none" {
	serve_start
	post "$(beat a)" -H 'If-Match: *'
	problem 409 stale
	[ "$(told .currentVersion)" = null ]
	[ "$(told .streamId)" = a ]
	post "$(beat a)" -H 'If-None-Match: *'
	[ "$code" = 200 ]
	post "$(beat a)" -H 'If-None-Match: *'
	problem 409 stale
	[ "$(told .currentVersion)" = 0 ]
	[ "$(told .error)" = \
		"cannot append to 'a': expected no stream, found version 0" ]
	for tag in '"0"' 'W/"1"' 2; do
		post "$(beat a)" -H "If-Match: $tag"
		[ "$code" = 200 ]
	done
	post "$(beat a)" -H 'If-Match: *'
	[ "$code" = 200 ]
	post "$(beat a)" -H 'If-Match: "3"'
	problem 409 stale
	[ "$(told .currentVersion)" = 4 ]
	# the ETag of a stream is what If-Match takes
	tag=$(curl -sS -o /dev/null -D - "$url/api/events/stream?id=a" |
		tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
	post "$(beat a)" -H "If-Match: $tag"
	[ "$code" = 200 ]
	for tag in '""' 'x' '"1", "2"' '"-1"' '"1.0"' '99999999999999999999' '"'; do
		post "$(beat a)" -H "If-Match: $tag"
		problem 400 bad-request
	done
	post "$(beat a)" -H 'If-None-Match: "1"'
	problem 400 bad-request
	post "$(beat a)" -H 'If-None-Match: *' -H 'If-Match: *'
	problem 400 bad-request
	post "$(beat a)" -H 'If-Match: "1"' -H 'If-Match: "2"'
	problem 400 bad-request
	[ "$(ev-cat --count)" = 6 ]
}

@test "expectedVersion in the body says the same, and is not stored" {
	serve_start
	post "$(beat a '"expectedVersion":"exists"')"
	problem 409 stale
	post "$(beat a '"expectedVersion":"none"')"
	[ "$code" = 200 ]
	post "$(beat a '"expectedVersion":7')"
	problem 409 stale
	[ "$(told .currentVersion)" = 0 ]
	post '{"expectedVersion":0,"type":"HEARTBEAT","data":{"agentId":"a"}}'
	[ "$code" = 200 ]
	post "$(beat a '"expected\u0056ersion":"any"')"
	[ "$code" = 200 ]
	post "$(beat a '"expectedVersion":2')" -H 'If-Match: "2"'
	[ "$code" = 200 ]
	post "$(beat a '"expectedVersion":3')" -H 'If-Match: "2"'
	problem 400 bad-request
	post "$(beat a '"expectedVersion":"any"')" -H 'If-Match: *'
	problem 400 bad-request
	for value in -1 1.0 1e0 null '"7"' '"NONE"' '{}' '[]' true \
		99999999999999999999; do
		post "$(beat a "\"expectedVersion\":$value")"
		problem 422 invalid
		[ "$(told .path)" = /expectedVersion ]
	done
	post "$(beat a '"expectedVersion":3,"expectedVersion":3')"
	problem 400 bad-request
	# one in the payload of an enveloped event is the payload's
	post '{"type":"HEARTBEAT","data":{"agentId":"b","expectedVersion":7}}'
	[ "$code" = 200 ]
	[ "$(ev-cat -s b | jq -c .data)" = '{"agentId":"b","expectedVersion":7}' ]
	run -1 pipe 'ev-cat -s a | grep expectedVersion'
	[ "$(ev-cat -s a --count)" = 4 ]
}

@test "what stands beside expectedVersion keeps its text" {
	serve_start
	post '{ "type":"HEARTBEAT", "agentId":"a", "expectedVersion" : "any", "n":[1.50, 1e400, -0, 12345678901234567890.10], "t":"\ud83d\ude00\u0000\/<\u2028" }'
	[ "$code" = 200 ]
	ev-cat | grep -F '"n":[1.50,1e400,-0,12345678901234567890.10],"t":"😀\u0000/<'$'\u2028''"'
}

@test "Idempotency-Key is the id of an event that has none" {
	serve_start
	post "$(beat a)" -H 'Idempotency-Key: "key 1"'
	[ "$code" = 200 ]
	[ "$(told .id)" = 'key 1' ]
	first=$body
	post "$(beat a)" -H 'Idempotency-Key: key 1'
	[ "$code" = 200 ]
	[ "$body" = "${first%\}},\"duplicate\":true}" ]
	grep -qix 'etag: "0"' <<<"$head"
	# a retry is harmless though the stream has moved
	post "$(beat a)" -H 'Idempotency-Key: key 1' -H 'If-None-Match: *'
	[ "$code" = 200 ]
	post "$(beat a '"status":"idle"')" -H 'Idempotency-Key: key 1'
	problem 409 taken
	[ "$(told .position)" = 1 ]
	[ "$(told .error)" = \
		"id 'key 1' is taken by another event, at position 1" ]
	post "$(beat a '"id":"x"')" -H 'Idempotency-Key: x'
	[ "$code" = 200 ]
	post "$(beat a '"id":"x"')" -H 'Idempotency-Key: y'
	problem 400 bad-request
	post "$(beat a)" -H 'Idempotency-Key: "a\"b\\c"'
	[ "$(told .id)" = 'a"b\c' ]
	post "$(beat a)" -H "Idempotency-Key: $(printf '%0255d' 0)"
	[ "$code" = 200 ]
	for key in "$(printf '%0256d' 0)" '""' $'a\xffb'; do
		post "$(beat a)" -H "Idempotency-Key: $key"
		problem 400 bad-request
	done
	post "$(beat a)" -H 'Idempotency-Key: 1' -H 'Idempotency-Key: 1'
	problem 400 bad-request
	[ "$(ev-cat --count)" = 4 ]
}

@test "64 retries of one key at once are one event, and all are told of it" {
	serve_start
	many 64 'curl -sS -w "\n" -H "Content-Type: application/json" \
		-H "Idempotency-Key: k" -d "{\"type\":\"HEARTBEAT\",\"agentId\":\"a\"}" \
		"$2/api/events"'
	[ "$(jq -s 'map(select(.position == 1 and .id == "k")) | length' "$out")" = 64 ]
	[ "$(jq -s 'map(select(.duplicate)) | length' "$out")" = 63 ]
	[ "$(ev-cat --count)" = 1 ]
	[ "$(metric ev_append_duplicates_total)" = 63 ]
}

@test "of 64 who expect the same version one wins, the others learn it" {
	serve_start
	ev-append -q HEARTBEAT agentId=a
	many 64 'curl -sS -w "\n" -H "Content-Type: application/json" \
		-H "If-Match: \"0\"" -d "{\"type\":\"HEARTBEAT\",\"agentId\":\"a\",\"n\":$1}" \
		"$2/api/events"'
	[ "$(jq -s 'map(select(.version == 1)) | length' "$out")" = 1 ]
	[ "$(jq -s 'map(select(.code == "stale" and .currentVersion == 1)) | length' \
		"$out")" = 63 ]
	[ "$(ev-cat --count)" = 2 ]
	[ "$(metric ev_append_conflicts_total)" = 63 ]
}

@test "those who wait share a commit" {
	serve_start
	ev-append -q HEARTBEAT agentId=z
	hold
	many 64 'curl -sS -w "\n" -H "Content-Type: application/json" \
		-d "{\"type\":\"HEARTBEAT\",\"agentId\":\"a$1\"}" "$2/api/events"' &
	arrived() {
		[ "$(metric ev_http_connections)" -ge 65 ]
	}
	until_so arrived
	release
	wait "$!"
	[ "$(jq -s 'map(.position) | sort == [range(2; 66)]' "$BATS_TEST_TMPDIR/many")" = true ]
	[ "$(metric ev_appends_total)" = 64 ]
	# the first by itself, and who was last to be read
	[ "$(metric ev_commits_total)" -le 4 ]
	ev-verify
}

@test "a lock that somebody holds for too long: 503, who it is, and on it goes" {
	export EV_TIMEOUT=0.2
	serve_start
	ev-append -q HEARTBEAT agentId=a
	hold
	post "$(beat b)"
	problem 503 busy
	grep -qi '^retry-after: [1-9]' <<<"$head"
	[[ $(told .error) == *"process $holder"* ]]
	[ "$(ev-cat --count)" = 1 ]
	release
	post "$(beat b)"
	[ "$code" = 200 ]
}

@test "more than may wait: 503 at once, and what waited is appended" {
	export EV_TIMEOUT=60
	serve_start
	ev-append -q HEARTBEAT agentId=a
	hold
	beat b "\"pad\":\"$(head -c 1000000 /dev/zero | tr '\0' x)\"" \
		>"$BATS_TEST_TMPDIR/large"
	export LARGE=$BATS_TEST_TMPDIR/large
	many 80 'curl -sS -o /dev/null -w "%{http_code}\n" \
		-H "Content-Type: application/json" --data-binary "@$LARGE" \
		"$2/api/events"' &
	posting=$!
	until_so grep -qx 503 "$BATS_TEST_TMPDIR/many"
	release
	wait "$posting"
	# 64 MiB are 67 of these
	[ "$(grep -cx 503 "$BATS_TEST_TMPDIR/many")" -ge 1 ]
	stored=$(grep -cx 200 "$BATS_TEST_TMPDIR/many")
	[ "$stored" -ge 60 ]
	[ "$(sort -u "$BATS_TEST_TMPDIR/many" | tr '\n' ' ')" = '200 503 ' ]
	[ "$(ev-cat --count)" = $((stored + 1)) ]
	ev-verify
}

# small_disk KIB: a file system of that size as $mounted; needs to be root.
small_disk() {
	[ "$(id -u)" = 0 ] || { echo 'this test mounts: run it as root'; return 1; }
	mkdir "$BATS_TEST_TMPDIR/disk"
	mount -t tmpfs -o "size=$1k" none "$BATS_TEST_TMPDIR/disk"
	mounted=$BATS_TEST_TMPDIR/disk
	export EV_LOG=$mounted/log.db
}

@test "disk full: 503, what was acknowledged is there, with room it goes on" {
	small_disk 4096
	serve_start
	pad=$(printf '%0100000d' 0)
	acked=0
	for ((i = 0; i < 100; i++)); do
		post "$(beat a "\"pad\":\"$pad\"")"
		[ "$code" = 200 ] || break
		acked=$((acked + 1))
	done
	problem 503 disk-full
	grep -qi '^retry-after: [1-9]' <<<"$head"
	[ "$acked" -ge 3 ]
	post "$(beat a "\"pad\":\"$pad\"")"
	problem 503 disk-full
	[ "$(ev-cat --count)" = "$acked" ]
	mount -o remount,size=65536k "$mounted"
	post "$(beat a "\"pad\":\"$pad\"")"
	[ "$code" = 200 ]
	[ "$(told .position)" = $((acked + 1)) ]
	[ "$(ev-cat --count)" = $((acked + 1)) ]
	ev-verify
	serve_stop
}

@test "after a sync that failed nothing is acknowledged any more" {
	${CC:-cc} -shared -fPIC -o "$BATS_TEST_TMPDIR/fail.so" \
		"$BATS_TEST_DIRNAME/fault/fail.c"
	ev-append -q HEARTBEAT agentId=z
	export FAULT_LOG=$EV_LOG FAULT_CALL=sync FAULT_AT=20 FAULT_ERROR=5
	export FAULT_MARK=$BATS_TEST_TMPDIR/mark
	export LD_PRELOAD=$BATS_TEST_TMPDIR/fail.so
	ASAN_OPTIONS=verify_asan_link_order=0 serve_start
	unset LD_PRELOAD
	acked=0
	for ((i = 0; i < 60; i++)); do
		post "$(beat a)"
		[ "$code" = 200 ] || break
		acked=$((acked + 1))
	done
	problem 500 io
	[ -s "$FAULT_MARK" ]
	[ "$acked" -ge 1 ]
	for i in 1 2 3; do
		post "$(beat a)"
		problem 500 io
		[[ $(told .error) == *'nothing is appended any more'*'restart ev-serve'* ]]
	done
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/health")" = 503 ]
	# readers still read, and another server appends
	[ "$(curl -sS "$url/api/events/stream?id=a" | jq length)" -ge "$acked" ]
	serve_stop
	unset FAULT_LOG
	[ "$(ev-cat -s a --count)" -ge "$acked" ]
	ev-verify
	serve_start
	post "$(beat a)"
	[ "$code" = 200 ]
	ev-verify
}

@test "kill -9 in a storm: every acknowledged event is in the log" {
	ev-append -q HEARTBEAT agentId=z
	for _ in 1 2 3; do
		serve_start
		storms 8
		kill -KILL "$serve_pid"
		run serve_stop
		acknowledged
		[ -z "$(comm -23 "$BATS_TEST_TMPDIR/acknowledged" \
			"$BATS_TEST_TMPDIR/stored")" ]
		ev-verify
		rm "$BATS_TEST_TMPDIR"/storm.* "$EV_LOG"*
	done
}

@test "SIGTERM in a storm: what is stored is acknowledged, and the reverse" {
	serve_start
	storms 8
	serve_stop
	acknowledged
	cmp "$BATS_TEST_TMPDIR/acknowledged" "$BATS_TEST_TMPDIR/stored"
	ev-verify
}

@test "hostile text is stored as it is, and answered as JSON" {
	serve_start
	local n=0 text
	while IFS= read -r text; do
		json=$(jq -Rc . <<<"$text")
		post "{\"type\":\"HEARTBEAT\",\"data\":{\"agentId\":$json,\"status\":$json},\"actor\":$json}"
		[ "$code" = 200 ] || { echo "$text: $body"; return 1; }
		[ "$(told .streamId)" = "${text%%/*}" ]
		n=$((n + 1))
		[ "$(ev-cat -n 1 --reverse | jq -r .data.status)" = "$text" ]
		# in messages it is one line that shows what it says
		post "{\"type\":$json,\"agentId\":\"a\"}"
		problem 400 unknown-type
	done <<-'END'
		<script>alert(1)</script>
		"><img src=x onerror=alert(1)>
		'; DROP TABLE event; --
		$(touch pwned) `touch pwned`
		-rf
		%s%s%n%00
		{{7*7}}${7*7}
		data: x
		ünïcödé ﷽ 😀 ‮x⁦
		# ; & | > < * ? [ ] ~ !
		\u0000\n\r
	END
	[ "$n" = 11 ]
	[ ! -e pwned ]
	post '{"type":"HEARTBEAT","data":{"agentId":"a\r\nSet-Cookie: x=1\u0000\u001b]0;x\u0007"}}'
	[ "$code" = 200 ]
	[[ ${head,,} != *set-cookie:* ]]
	post '{"type":"X\r\nSet-Cookie: x=1","agentId":"a"}'
	problem 400 unknown-type
	[[ ${head,,} != *set-cookie:* ]]
	ev-verify
}

@test "what went into a log that is gone is not acknowledged" {
	local event='{"type":"HEARTBEAT","agentId":"a"}'
	serve_start
	post "$event"
	[ "$code" = 200 ]
	ev-append -q -l "$BATS_TEST_TMPDIR/other" HEARTBEAT agentId=b
	for file in '' -wal -shm; do
		mv "$BATS_TEST_TMPDIR/other$file" "$EV_LOG$file"
	done
	for _ in 1 2; do
		post "$event"
		problem 500 io
		[[ $(told .detail) == *"'$EV_LOG' was removed or replaced"*restart* ]]
	done
	run -0 curl -s -o /dev/null -w '%{http_code}' "$url/health"
	[ "$output" = 503 ]
	serve_stop
	[ "$(ev-cat --count)" = 1 ]
	serve_start
	post "$event"
	[ "$code" = 200 ]
	# nor if it is removed before the first event
	serve_stop
	rm "$EV_LOG"*
	serve_start
	post "$event"
	[ "$code" = 200 ]
	rm "$EV_LOG"*
	post "$event"
	problem 500 io
}

@test "catalogs are read again on SIGHUP, and only then" {
	mkdir "$BATS_TEST_TMPDIR/schemas"
	cp "$ROOT"/schemas/*.yaml "$BATS_TEST_TMPDIR/schemas"
	export EV_SCHEMAS=$BATS_TEST_TMPDIR/schemas
	serve_start
	printf '%s\n' 'catalog: shop' 'stream: "{shop}"' 'types:' '  SOLD:' \
		'    payload: { properties: { shop: { type: string } } }' \
		>"$EV_SCHEMAS/shop.yaml"
	sold='{"type":"SOLD","data":{"shop":"a"}}'
	post "$sold"
	problem 400 unknown-type
	kill -HUP "$serve_pid"
	is_known() {
		post "$sold"
		[ "$code" = 200 ]
	}
	until_so is_known
	# what is wrong is said, and changes nothing
	echo 'nonsense: 1' >>"$EV_SCHEMAS/shop.yaml"
	kill -HUP "$serve_pid"
	post "$sold"
	[ "$code" = 200 ]
	[ "$(ev-cat -t SOLD --count)" = 2 ]
}
