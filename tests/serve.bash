# shellcheck disable=SC2034 # the tests use what is set here
# For bats files: an ev-serve of the test's own, on a port of its own.
#
#	serve_start [OPTION...]	on the test's log; sets $url (without the last
#				slash) and $serve_pid
#	serve_stop		ends it; its exit status. In teardown, too.

serve_start() {
	serve_out=$BATS_TEST_TMPDIR/serve.out
	serve_err=$BATS_TEST_TMPDIR/serve.err
	: >"$serve_out"
	ev-serve -q -p 0 -l "$EV_LOG" "$@" >"$serve_out" 2>"$serve_err" \
		</dev/null 3>&- &
	serve_pid=$!
	# a line is whole when its newline is there
	until IFS= read -r url <"$serve_out"; do
		if ! kill -0 "$serve_pid" 2>/dev/null; then
			local status=0
			wait "$serve_pid" || status=$?
			serve_pid=
			cat "$serve_err" >&2
			return "$status"
		fi
		sleep 0.02
	done
	url=${url%/}
}

serve_stop() {
	[ -n "${serve_pid-}" ] || return 0
	local pid=$serve_pid status=0
	serve_pid=
	kill "$pid" 2>/dev/null
	wait "$pid" || status=$?
	[ "$status" -eq 0 ] || cat "$serve_err" >&2
	return "$status"
}
