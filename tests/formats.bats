#!/usr/bin/env bats
# The forms that -f names: what goes out in one comes in again as the same
# event, and what people see on a terminal cannot drive it.

load helper

setup() {
	export EV_LOG=$BATS_TEST_TMPDIR/log.db
	other=$BATS_TEST_TMPDIR/other.db
	npm=$BATS_TEST_DIRNAME/npm
}

# One event of every type of every catalog, in its catalog's own form, with every
# payload member that the catalog names. The catalogs are asked of a log.
one_of_each() {
	ev-append -q -l "$BATS_TEST_TMPDIR/asked.db" HEARTBEAT agentId=a
	sqlite3 -readonly "$BATS_TEST_TMPDIR/asked.db" \
	    'select json from definition order by catalog' | jq -c '
		def sample($name):
			if type != "object" then {"any": [1, "two"]}
			elif has("const") then .const
			elif has("enum") then .enum[-1]
			elif $name == "eventTime" then
				"2026-04-21T10:22:00.123456789Z"
			else
				(.type | if type == "array" then .[0]
					else . // "object" end) as $type |
				if $type == "string" then "\($name)-ä"
				elif $type == "boolean" then true
				elif $type == "integer" then 42
				elif $type == "number" then 12.25
				elif $type == "array" then
					[.items // true | sample($name)]
				else .properties // {} |
					with_entries(.key as $key |
						.value |= sample($key))
				end
			end;
		. as $catalog | .native as $form |
		($form.envelope | to_entries |
			map({key: (.value.to? // .value), value: .key}) |
			from_entries) as $names |
		.types | to_entries | to_entries[] |
		.key as $i | .value.key as $type | .value.value as $source |
		(($catalog.payload.properties // {}) +
			($source.payload.properties // {}) |
			delpaths([$source.aliases // {} | keys[] | [.]]) |
			with_entries(.key as $key | .value |= sample($key)) |
			if has("host") then .host = "node-1" else . end |
			if has("data") then .data += {host: "node-1"} else . end |
			if has("project_id") then .project_id = "app" else . end |
			if has("eventId") then .eventId = "\($i)" else . end
		) as $data |
		{($names.type): $type} +
		if $names.timestamp and ($data | has($names.timestamp) | not)
		then {($names.timestamp): "2026-04-21T12:22:00+02:00"} else {} end +
		if $form.payload then
			($form.lift // []) as $lift |
			{($form.payload): ($data | with_entries(
				select(.key as $k | $lift | index($k) | not)))} +
			($data | with_entries(
				select(.key as $k | $lift | index($k))))
		else $data end'
}

# Events whose every text is hostile somewhere: one for each of many characters.
# With -s, also the names in the envelope.
hostile() {
	jq -nc --arg everywhere "${1-}" '
		[range(32), 92, 34, range(127; 160), 173, 1564, 6158,
		 range(8203; 8208), range(8232; 8239), range(8288; 8304),
		 65279, range(65529; 65534), 65534, 65535, 119155, 917505,
		 range(917536; 917552), 1114111, 128512, 28450, 769] |
		to_entries[] | ("x" + ([.value] | implode) + "[31my") as $text |
		{type: "HEARTBEAT", id: "\(.key)",
		 streamId: "s", data: {agentId: $text, ($text): {($text): [$text]}},
		 meta: {($text): $text}} +
		if $everywhere != "" then
			{id: "\(.key)\($text)", streamId: $text, actor: $text,
			 correlationId: $text, causationId: $text}
		else {} end'
}

# Everything of both logs but when it was recorded.
same_logs() {
	diff <(ev-cat | sed 's/"recordedAt":"[^"]*",//') \
	    <(ev-cat -l "$other" | sed 's/"recordedAt":"[^"]*",//')
}

# Prints the lines that hold anything but characters that just show.
unsafe_lines() {
	LC_ALL=C grep -anP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f\xad]|\xcd\x8f|\xd8\x9c|\xe1\xa0[\x8b-\x8f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xe3\x85\xa4|\xef\xb7[\x90-\xaf]|\xef\xbb\xbf|\xef\xbe\xa0|\xef\xbf[\xb0-\xbb\xbe\xbf]|\xf0\x9d\x85[\xb3-\xba]|\xf3\xa0|[\xf0-\xf4][\x8f\x9f\xaf\xbf]\xbf[\xbe\xbf]'
}

# A line that has every kind is found, or the tests below would prove nothing.
@test "the search for unsafe characters finds them" {
	for bytes in '\0' '\t' '\x1b' '\x7f' '\xc2\x80' '\xc2\x9b' '\xc2\xad' \
	    '\xd8\x9c' '\xe2\x80\x8b' '\xe2\x80\x8f' '\xe2\x80\xa8' \
	    '\xe2\x80\xae' '\xe2\x81\xa6' '\xef\xbb\xbf' '\xef\xbf\xbf' \
	    '\xf3\xa0\x81\x81' '\xf4\x8f\xbf\xbf'; do
		printf 'a%bb\n' "$bytes" >"$BATS_TEST_TMPDIR/x"
		unsafe_lines <"$BATS_TEST_TMPDIR/x" >/dev/null
	done
	run ! unsafe_lines <<<'plain \u001b ä 漢 😀 … ~'
}

@test "every type of every catalog comes back from its own form" {
	one_of_each >"$BATS_TEST_TMPDIR/events"
	types=$(sqlite3 -readonly "$BATS_TEST_TMPDIR/asked.db" \
	    'select json from definition' | jq -s 'map(.types | length) | add')
	[ "$types" -gt 80 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/events")" -eq "$types" ]
	ev-append -q "$BATS_TEST_TMPDIR/events"
	ev-cat -f native | ev-append -q -l "$other"
	[ "$(ev-cat -l "$other" --count)" -eq "$types" ]
	same_logs
	# and once more, from there, it is the same text
	diff <(ev-cat -f native) <(ev-cat -f native -l "$other")
	# appended where it came from, it is there already
	ev-cat -f native | ev-append >"$BATS_TEST_TMPDIR/receipts"
	[ "$(grep -c '"duplicate":true' "$BATS_TEST_TMPDIR/receipts")" \
	    -eq "$types" ]
}

@test "every type of every catalog comes back from CloudEvents" {
	one_of_each >"$BATS_TEST_TMPDIR/events"
	ev-append -q --actor 'an actor' --correlation 'c-1' --causation 'd-1' \
	    "$BATS_TEST_TMPDIR/events"
	ev-cat -f cloudevents | ev-append -q -l "$other"
	same_logs
	ev-cat -f cloudevents | ev-append >"$BATS_TEST_TMPDIR/receipts"
	run ! grep -v '"duplicate":true' "$BATS_TEST_TMPDIR/receipts"
	ev-cat -f cloudevents >"$BATS_TEST_TMPDIR/cloudevents"
	count=$(node "$npm/cloudevents-check.mjs" \
	    <"$BATS_TEST_TMPDIR/cloudevents")
	[ "$count" -eq "$(wc -l <"$BATS_TEST_TMPDIR/events")" ]
}

@test "numbers keep their text in every form" {
	echo '{"type":"HEARTBEAT","agentId":"a","n":[12.10,9007199254740993,1e400,-0.0,1E+2]}' |
		ev-append -q
	for form in canonical native cloudevents table; do
		ev-cat -f "$form" |
			grep -F '[12.10,9007199254740993,1e400,-0.0,1E+2]'
	done
}

@test "hostile texts come back from their own form byte for byte" {
	hostile everywhere | ev-append -q
	[ "$(ev-cat --count)" -gt 100 ]
	ev-cat -f native | ev-append -q -l "$other"
	same_logs
}

@test "hostile texts come back from CloudEvents byte for byte" {
	hostile everywhere | ev-append -q
	ev-cat -f cloudevents | ev-append -q -l "$other"
	same_logs
	ev-cat -f cloudevents |
		node "$npm/cloudevents-check.mjs" --controls
}

@test "hostile payloads and metadata are strictly valid CloudEvents" {
	hostile | ev-append -q
	ev-cat -f cloudevents >"$BATS_TEST_TMPDIR/cloudevents"
	count=$(node "$npm/cloudevents-check.mjs" \
	    <"$BATS_TEST_TMPDIR/cloudevents")
	[ "$count" -eq "$(ev-cat --count)" ]
}

@test "the CloudEvents check refuses what is not one" {
	hostile everywhere | ev-append -q
	ev-cat -f cloudevents >"$BATS_TEST_TMPDIR/cloudevents"
	run -1 node "$npm/cloudevents-check.mjs" \
	    <"$BATS_TEST_TMPDIR/cloudevents"
	[[ $output == *'forbidden character'* ]]
	run -1 node "$npm/cloudevents-check.mjs" \
	    <<<'{"specversion":"1.0","id":"1","source":"/a","Type":"x"}'
	ev-cat >"$BATS_TEST_TMPDIR/canonical"
	run -1 node "$npm/cloudevents-check.mjs" \
	    <"$BATS_TEST_TMPDIR/canonical"
}

@test "a CloudEvent of somebody else keeps what we have no place for" {
	ev-append -q <<-'EOT'
	{"specversion":"1.0","id":"1","source":"/ci","type":"HEARTBEAT","subject":"s","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json; charset=utf-8","traceparent":"00-1","position":9,"data":{"agentId":"a"}}
	EOT
	[[ $(ev-cat) == *'"meta":{"source":"/ci","traceparent":"00-1","position":9}}' ]]
	ev-cat -f cloudevents | ev-append -q -l "$other"
	same_logs
}

@test "an event that its own form cannot say is named and the rest printed" {
	ev-append -q <<-'EOT'
	{"type":"HEARTBEAT","agentId":"a"}
	{"catalog":"rig","type":"HEARTBEAT","data":{"agentId":"a","id":1}}
	{"type":"HEARTBEAT","agentId":"b"}
	EOT
	run -65 --separate-stderr ev-cat -f native
	[ "${#lines[@]}" -eq 2 ]
	[ "$stderr" = "ev-cat: position 2: cannot write it in the form of 'rig': payload member 'id' would be taken for the event's id" ]
}

@test "the table never prints what drives a terminal" {
	hostile everywhere | ev-append -q
	ev-cat -f table >"$BATS_TEST_TMPDIR/table"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/table")" -eq "$(($(ev-cat --count) + 1))" ]
	run ! unsafe_lines <"$BATS_TEST_TMPDIR/table"
	# as text it is all there
	grep -F '\u001b[31my' "$BATS_TEST_TMPDIR/table"
	grep -F '\u202e[31my' "$BATS_TEST_TMPDIR/table"
}

@test "on a terminal the table is coloured, cut and as safe" {
	hostile everywhere | ev-append -q
	unset NO_COLOR
	COLUMNS=70 TERM=xterm script -qc 'ev-cat -f table' /dev/null |
		tr -d '\r' >"$BATS_TEST_TMPDIR/table"
	grep -q $'\033\\[1mPOS' "$BATS_TEST_TMPDIR/table"
	# an accent has no width of its own
	sed $'s/\\x1b\\[[0-9;]*m//g; s/\u0301//g' "$BATS_TEST_TMPDIR/table" \
	    >"$BATS_TEST_TMPDIR/plain"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/plain")" -eq "$(($(ev-cat --count) + 1))" ]
	run ! unsafe_lines <"$BATS_TEST_TMPDIR/plain"
	run ! grep -E '^.{71}' "$BATS_TEST_TMPDIR/plain"
	grep -E '^.{69}…$' "$BATS_TEST_TMPDIR/plain"
	COLUMNS=70 NO_COLOR=1 script -qc 'ev-cat -f table' /dev/null |
		tr -d '\r' >"$BATS_TEST_TMPDIR/table"
	run ! unsafe_lines <"$BATS_TEST_TMPDIR/table"
}

@test "the table is aligned whatever the script of its text" {
	ev-append -q -s '漢字' HEARTBEAT agentId=a
	ev-append -q -s 'abcd' HEARTBEAT agentId=a
	ev-cat -f table | sed -n '2,$p' >"$BATS_TEST_TMPDIR/rows"
	# two characters are as wide as four
	[ "$(sed -n '1s/ HEARTBEAT.*//p' "$BATS_TEST_TMPDIR/rows" | wc -m)" -eq \
	    "$(($(sed -n '2s/ HEARTBEAT.*//p' "$BATS_TEST_TMPDIR/rows" |
		wc -m) - 2))" ]
}

@test "messages never print what drives a terminal" {
	hostile | jq -c '.type = .data.agentId | .data = {}' \
	    >"$BATS_TEST_TMPDIR/events"
	run -65 ev-append -q "$BATS_TEST_TMPDIR/events"
	[ "${#lines[@]}" -eq "$(wc -l <"$BATS_TEST_TMPDIR/events")" ]
	printf '%s\n' "${lines[@]}" >"$BATS_TEST_TMPDIR/messages"
	grep -F 'unknown event type: x?[31my' "$BATS_TEST_TMPDIR/messages"
	run ! unsafe_lines <"$BATS_TEST_TMPDIR/messages"
	run -74 ev-append $'./\x9b\x1b]0;\u202e'
	[[ $output != *[$'\x9b\x1b\u202e']* ]]
}
