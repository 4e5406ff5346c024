# Compares what was acknowledged with what is there:
#
#	awk -f acked.awk RECEIPTS EVENTS
#
# RECEIPTS is what ev-append printed (a last line that is cut short is no
# receipt), EVENTS what ev-cat prints. Every receipt must have its event, and
# positions and versions must be without holes. Prints what is wrong, else how
# much was compared, and exits with 1 or 0.

# The value of a member whose name comes but once before the payload.
function member(line, name,	i, rest) {
	i = index(line, "\"" name "\":")
	rest = substr(line, i + length(name) + 3)
	if (substr(rest, 1, 1) == "\"")
		return substr(rest, 2, index(substr(rest, 2), "\"") - 1)
	match(rest, /^[0-9]*/)
	return substr(rest, 1, RLENGTH)
}

function key(line) {
	return member(line, "position") " " member(line, "streamId") " " \
	    member(line, "version") " " member(line, "id") " " \
	    member(line, "type") " " member(line, "recordedAt")
}

function wrong(text) {
	if (bad++ < 10)
		print text
}

FNR == 1 { file++ }

# An empty file has no first line.
FILENAME == ARGV[1] && ARGV[1] != ARGV[2] {
	if ($0 ~ /}$/) {
		receipts++
		acked[key($0)] = $0
	}
	next
}

{
	events++
	if (member($0, "position") != events)
		wrong("position " events " has " $0)
	stream = member($0, "streamId")
	if (member($0, "version") != versions[stream] + 0)
		wrong("stream " stream " at " versions[stream] + 0 " has " $0)
	versions[stream] = member($0, "version") + 1
	if (ids[member($0, "id")]++)
		wrong("an id for the second time: " $0)
	delete acked[key($0)]
}

END {
	for (k in acked)
		wrong("acknowledged, but not there: " acked[k])
	if (bad)
		print bad " wrong among " events + 0 " events"
	else
		print events + 0 " events, among them all of " receipts + 0 \
		    " receipts"
	exit bad > 0
}
