#!/bin/sh
# shellcheck disable=SC2034,SC2154 # shared with the scripts, and with rig-demo
# What the processes of the demonstration share; read with '.'. rig-demo has
# set $demo, where everything is, and the environment: EV_LOG, EV_RIG, EV_REPO,
# GITHUB_API_URL and GITHUB_TOKEN.

usage="usage: ${0##*/}, as rig-demo runs it"
here=$(dirname -- "$(readlink -f -- "$0")")
# shellcheck source=share/rig/common.sh
. "$here/../rig/common.sh"
# shellcheck source=share/rig/http.sh
. "$here/../rig/http.sh"
# shellcheck source=share/rig/github.sh
. "$here/../rig/github.sh"
# shellcheck source=share/demo/almanac.sh
. "$here/almanac.sh"

# A command that has to succeed.
must() {
	"$@" && return
	fail 1 "'$*': exit status $?"
}

# One line for who looks on.
announce() {
	printf '  %-8s%s\n' "$who" "$*"
}

# tell TYPE MEMBER...: an event of the issue $stream. Run again for the same
# event, it is the same event.
tell() {
	type=$1
	shift
	must ev-append -q --actor "$who" ${EV_IDEMPOTENCY_KEY:+--id \
	    "$EV_IDEMPOTENCY_KEY/$type"} "$type" "repo=${stream%#*}" \
	    "issueNumber:=${stream##*#}" "$@"
}

# Sets $state, $title, $branch and $pull of the issue $stream, and $name, which
# is what stands before the colon of its title.
read_state() {
	text=$(ev-get issue-status -- "$stream" |
	    must jq -r '.state, .title, .branch // "", .prNumber // ""') || exit
	{
		read -r state
		IFS= read -r title
		read -r branch
		read -r pull
	} <<EOF
$text
EOF
	name=${title%%:*}
}

# unpack COMMIT DIR: what is in it, for a test, in a directory of its own.
unpack() {
	rm -rf -- "$2"
	must mkdir -p -- "$2"
	must git -C "$demo/origin.git" archive -o "$2.tar" "$1"
	must tar -x -f "$2.tar" -C "$2"
	rm -f -- "$2.tar"
}
