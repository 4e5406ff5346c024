# shellcheck shell=sh
# shellcheck disable=SC2154 # the scripts and http.sh set what is used here
# One notice to one receiver, for rig-notify; read with '.', after http.sh.
#
# $name and $kind are the receiver, $url or $url_file and $token_file where and
# how it is reached, $id, $text, $body and $urgency what it is sent, as
# 'delivery' in notify.jq has them, and $event is the file of the event.
#
# All of this runs in a subshell: 'fail' gives up this receiver, no other.

# Seconds that a receiver may make us wait for one notice, altogether.
patience=${EV_HTTP_WAIT:-60}
case $patience in
*[!0-9]* | ????????*) misuse "EV_HTTP_WAIT=$patience: expected whole seconds" ;;
esac

tell() {
	if [ "$dry" ]; then
		say "'$name' ($kind) would get:"
		case $kind in
		desktop) printf '%s\n' "$text" "$body" ;;
		webhook) cat -- "$event" ;;
		*) printf '%s\n' "$text" ;;
		esac
		exit
	fi
	case $kind in
	desktop) to_desktop ;;
	webhook)
		read_address
		http_headers="$http_headers${nl}Idempotency-Key: $id"
		http_body=$event
		post
		;;
	*)
		read_address
		http_body=$http_dir/notice
		printf '%s' "$text" >"$http_body" ||
		    fail 74 "cannot write '$http_body'"
		"to_$kind"
		;;
	esac
}

# Sets $url and $http_headers.
read_address() {
	[ -z "$url_file" ] || {
		read_secret "$(config_path "$url_file")"
		url=$secret
	}
	http_headers="Content-Type: application/json${nl}User-Agent: ev (rig-notify)"
	[ -z "$token_file" ] || {
		read_secret "$(config_path "$token_file")"
		http_headers="$http_headers${nl}Authorization: Bearer $secret"
	}
}

# Sends $http_body. Where a rate is limited it waits as long as it is told.
post() {
	waited=0
	while http POST "$url" && [ "$http_status" = 429 ]; do
		http_wait || wait_seconds=5
		waited=$((waited + wait_seconds))
		[ "$wait_seconds" -gt 0 ] || waited=$((waited + 1))
		[ "$waited" -le "$patience" ] ||
		    fail 75 "'$name': '$http_host' takes no more for" \
		        "$wait_seconds s: repeat later"
		http_pause "$wait_seconds"
	done
	case $http_status in
	2??) ;;
	000) fail 69 "'$name': cannot reach '$http_host': $http_error" ;;
	408 | 5??) fail 69 "'$name': '$http_host' is in trouble: $(answer)" ;;
	*) fail 65 "'$name': '$http_host' refused: $(answer)" ;;
	esac
}

# What was answered, for people: its status and its beginning.
answer() {
	words=$(jq -r '.message | strings' "$http_answer" 2>/dev/null)
	[ "$words" ] || words=$(head -c 300 "$http_answer" | tr -d '\000')
	printf '%s %.300s' "$http_status" "${words%%"$nl"*}"
}

to_discord() {
	# else it does not say whether there is a message now
	case $url in
	*\?*) url="$url&wait=true" ;;
	*) url="$url?wait=true" ;;
	esac
	post
	jq -e '.id | strings' "$http_answer" >/dev/null 2>&1 ||
	    fail 65 "'$name': '$http_host' is no Discord: it answered with no" \
	        "message"
}

to_slack() {
	post
	[ "$(head -c 100 "$http_answer" | tr -d '\000')" = ok ] ||
	    fail 65 "'$name': '$http_host' is no Slack: it did not answer 'ok'"
}

to_desktop() {
	need notify-send
	# cron does not say where the session is
	session=/run/user/$(id -u)/bus
	if [ -z "${DBUS_SESSION_BUS_ADDRESS-}" ] && [ -S "$session" ]; then
		export DBUS_SESSION_BUS_ADDRESS="unix:path=$session"
	fi
	complaint=$(timeout -k 1 "$http_seconds" notify-send -a rig \
	    -u "$urgency" -- "$text" "$body" 2>&1) || {
		[ "$complaint" ] || complaint="no answer in $http_seconds s"
		fail 69 "'$name': no desktop took it: ${complaint%%"$nl"*}"
	}
}
