# shellcheck shell=sh disable=SC2034,SC2154 # shared with the scripts, common.sh
# HTTP for the rig scripts, by curl(1); read with '.', after common.sh.
#
#	http_begin		before anything else
#	http METHOD URL		asks, and succeeds if a whole answer came
#	http_header NAME	prints one of the answer's headers
#	http_wait		how long the answer says to wait
#	http_pause SECONDS	waits
#	read_secret FILE	a token, or a URL that nobody else may see
#
# URLs and headers can be secrets: curl gets them on its standard input, and no
# message has more of a URL than its host.

# Sets $http_answer, the file that answers are in, and removes it in the end.
http_begin() {
	need curl
	http_body='' http_headers='' sleeper=''
	http_seconds=${EV_HTTP_TIMEOUT:-10}
	case $http_seconds in
	*[!0-9.]* | *.*.*) http_seconds= ;;
	*[1-9]*) ;;
	*) http_seconds= ;;
	esac
	[ "$http_seconds" ] ||
	    misuse "EV_HTTP_TIMEOUT=$EV_HTTP_TIMEOUT: expected seconds, above 0"
	http_dir=$(mktemp -d "${TMPDIR:-/tmp}/$me.XXXXXX") ||
	    fail 74 "cannot make a directory in '${TMPDIR:-/tmp}'"
	http_answer=$http_dir/answer
	trap http_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

http_end() {
	[ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null
	rm -rf "$http_dir"
}

# Lines of curl's configuration: each of standard input as the value of $1.
curl_lines() {
	sed 's/[\\"]/\\&/g; s/^/'"$1"' = "/; s/$/"/'
}

# http METHOD URL: sends the file $http_body, if it names one, with the lines
# of $http_headers. The answer's body is in $http_answer then, its headers are
# beside it in .headers, and $http_status is its status. It fails when no
# answer came, or not the whole of it: $http_status is 000, and $http_error
# says why. It follows no redirections: they could lead to another host, with
# our headers.
http() {
	http_status=000 http_error='' http_host='?'
	{ : >"$http_answer" && : >"$http_answer.headers"; } 2>/dev/null ||
	    fail 74 "cannot write '$http_answer'"
	case $2 in
	*[!!-~]*) http_error='the url has characters that no url has' ;;
	http://?* | https://?*) ;;
	*) http_error='expected a url with http:// or https://' ;;
	esac
	# a header that begins with @ is the name of a file, to curl
	case $nl$http_headers in
	*"$nl@"* | *"$(printf '\r')"*) http_error='a header has no name' ;;
	esac
	[ -z "$http_error" ] || return 1
	http_host=${2#*://}
	http_host=${http_host%%[/?#]*}
	http_host=${http_host##*@}
	# what would otherwise end curl is a failed write, and small
	result=$({
		printf '%s\n' "$2" | curl_lines url
		printf '%s\nExpect:\n' "$http_headers" | sed '/^$/d' |
		    curl_lines header
	} | (
		trap '' XFSZ
		ulimit -f 32768 2>/dev/null
		exec curl -q -s -g -K - -X "$1" --proto =http,https \
		    --max-time "$http_seconds" --max-filesize 16777216 \
		    ${http_body:+--data-binary "@$http_body"} \
		    -o "$http_answer" -D "$http_answer.headers" \
		    -w '%{http_code} %{errormsg}' 2>/dev/null
	))
	case $? in
	0) http_status=${result%% *} && return ;;
	6) http_error='there is no such host' ;;
	7) http_error='nobody listens there' ;;
	18 | 52 | 55 | 56) http_error='the connection broke off' ;;
	23 | 63) http_error='the answer is larger than 16 MiB, or the disk full' ;;
	28) http_error="no answer within $http_seconds s" ;;
	*) http_error=$(printf '%s' "${result#* }" | tr -d '\000-\037\177') ;;
	esac
	: >"$http_answer"
	return 1
}

# Prints the value of the answer's header $1, given in lower case; nothing if
# there is none. The headers of a proxy come before those of the server.
http_header() {
	tr -d '\r' <"$http_answer.headers" | awk -v name="$1" '
	/^HTTP\// { value = "" }
	{
		at = index($0, ":")
		if (at && tolower(substr($0, 1, at - 1)) == name) {
			value = substr($0, at + 1)
			gsub(/^[ \t]+|[ \t]+$/, "", value)
		}
	}
	END { if (value != "") print value }'
}

# Sets $wait_seconds to the whole seconds that the answer says to wait: with
# Retry-After, with an exhausted rate limit, or as Discord, in its body. Fails
# if it says nothing. Times are compared with the server's clock, if it tells.
http_wait() {
	wait_seconds=$(http_header retry-after)
	case $wait_seconds in
	'')
		[ "$(http_header x-ratelimit-remaining)" != 0 ] ||
		    wait_seconds=@$(http_header x-ratelimit-reset)
		;;
	*[!0-9.]*) wait_seconds=@$(date -u -d "$wait_seconds" +%s 2>/dev/null) ;;
	esac
	case $wait_seconds in
	@?*)
		server_time=$(http_header date)
		server_time=$(date -u -d "${server_time:-now}" +%s 2>/dev/null ||
		    date +%s)
		wait_seconds=$(awk -v at="${wait_seconds#@}" -v now="$server_time" \
		    'BEGIN { printf "%.0f", (at > now) ? at - now : 0 }')
		;;
	'' | @)
		wait_seconds=
		[ "$http_status" != 429 ] ||
		    wait_seconds=$(jq -r '.retry_after
		        | numbers' "$http_answer" 2>/dev/null)
		;;
	esac
	wait_seconds=$(awk -v text="$wait_seconds" 'BEGIN {
		if (text !~ /^[0-9]+([.][0-9]+)?$/ || length(text) > 12)
			exit
		printf "%.0f", (int(text) + (text > int(text)))
	}')
	[ "$wait_seconds" ]
}

# A signal ends the wait, and not only afterwards.
http_pause() {
	sleep "$1" &
	sleeper=$!
	wait "$sleeper"
	sleeper=
}

# Sets $secret: the first line of a file, without blanks around it.
read_secret() {
	secret=
	if [ ! -r "$1" ] || [ -d "$1" ]; then
		fail 64 "cannot read '$1': a secret is to be in it"
	fi
	secret=$(sed -n '1{s/^[[:space:]]*//;s/[[:space:]]*$//;p;q;}' "$1")
	case $secret in
	'') fail 65 "'$1': its first line is empty" ;;
	*[!!-~]*) fail 65 "'$1': its first line is no secret: there are blanks" \
	    "or control characters in it" ;;
	esac
}
