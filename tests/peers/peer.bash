# shellcheck disable=SC2034 # the tests use what is set here
# For bats files: a server that plays somebody else, on a port of its own.
#
#	start_peer NAME < STATE		tests/peers/NAME.mjs; sets $peer, its URL
#	change_peer JQ [ARGUMENT...]	changes its state
#	requests [JQ]			what it was asked, as an array
#	stop_peer			in teardown

start_peer() {
	peer_state=$BATS_TEST_TMPDIR/$1.json
	peer_journal=$BATS_TEST_TMPDIR/$1.ndjson
	local port=$BATS_TEST_TMPDIR/$1.port
	cat >"$peer_state"
	: >"$peer_journal"
	rm -f "$port"
	node "$ROOT/tests/peers/$1.mjs" "$peer_state" "$peer_journal" "$port" \
		3>&- 2>"$BATS_TEST_TMPDIR/$1.err" &
	peer_pid=$!
	until [ -s "$port" ]; do
		kill -0 "$peer_pid" || { cat "$BATS_TEST_TMPDIR/$1.err"; return 1; }
		sleep 0.01
	done
	peer=http://127.0.0.1:$(cat "$port")
}

change_peer() {
	jq "$@" "$peer_state" >"$peer_state.changed"
	mv "$peer_state.changed" "$peer_state"
}

requests() {
	jq -cs "${1:-.}" "$peer_journal"
}

stop_peer() {
	[ -z "${peer_pid-}" ] || {
		kill "$peer_pid"
		wait "$peer_pid"
		peer_pid=
	} 2>/dev/null || :
}
