# shellcheck shell=sh
# shellcheck disable=SC2016 # jq has variables, too
# shellcheck disable=SC2034 # the scripts use what is set here
# What the rig scripts share; read with '.', never run. A script sets $usage,
# goes through its options with common_option, and then is a few of these:
#
#	take_issue	what a person calls an issue: $stream, $repo, $number
#	append		an event, told by this script, at the time it is
#	settle		decide again, while somebody else is faster
#	rig_jq		jq with the definitions of rig.jq
#
# Text of events is only ever an argument, a variable or a line on a pipe. It is
# never part of a program, of a file's name or of an option.

set -u
unset CDPATH
me=${0##*/}
nl='
'
quiet='' dry='' json='' receipts='' wanted_repo='' config='' config_file=''
actor=${EV_AGENT:-$me}
# shellcheck disable=SC2154 # the script sets it
: "$usage"

# Where the library is: in a checkout, installed, or beside the demonstration.
rig_bin=$(dirname -- "$(readlink -f -- "$0")")
for rig_share in "$rig_bin/../share/rig" "$rig_bin/../share/ev/rig" \
    "$rig_bin/../rig"; do
	[ ! -f "$rig_share/rig.jq" ] || break
done
# The commands of this installation, wherever cron or systemd starts us; those
# that the caller's PATH names first stay first.
PATH=$PATH:$rig_bin

# Sets $shown: words that may hold text of events, as one line for a terminal.
show() {
	case $* in
	*[!\ -~]*) shown=$(printf '%s' "$*" | visible) ;;
	*) shown=$* ;;
	esac
}

say() {
	[ "$quiet" ] || {
		show "$@"
		printf '%s: %s\n' "$me" "$shown" >&2
	}
}

# fail STATUS WORDS...: one line, or an object where errors are to be JSON
fail() {
	status=$1
	shift
	if [ "${EV_ERRORS-}" = json ]; then
		jq -cn --arg command "$me" --arg status "$status" \
		    --arg message "$*" '{command: $command,
		        status: ($status | tonumber), message: $message}' >&2
	else
		show "$@"
		printf '%s: %s\n' "$me" "$shown" >&2
	fi
	exit "$status"
}

misuse() {
	fail 64 "$*; '$me -h' shows how to use it"
}

# ---- options

# options SHORT LONG ARGUMENTS...: sets $words for eval "set -- $words", by
# getopt(1): they may stand behind operands. -h, -l, -q and their like are to be
# named where they are taken.
options() {
	short=$1 long=$2
	shift 2
	words=$(getopt -n "$me" -o "$short" -l "$long" -- "$@" 2>&1) ||
	    misuse "$(printf '%s' "${words#"$me: "}" | head -n 1)"
}

# One option that several scripts have; sets $taken, how many words it was.
common_option() {
	taken=2
	case $1 in
	-l | --log) EV_LOG=$2 && export EV_LOG ;;
	-R | --repo) wanted_repo=$2 ;;
	--actor) actor=$2 ;;
	--config) EV_RIG=$2 && export EV_RIG ;;
	--now) EV_NOW=$2 && export EV_NOW ;;
	*)
		taken=1
		case $1 in
		-h | --help) printf '%s\n' "$usage" && exit || exit 74 ;;
		--version) exec ev version ;;
		-n | --dry-run) dry=yes ;;
		-q | --quiet) quiet=yes ;;
		--json) json=yes ;;
		esac
		;;
	esac
}

# ---- time

# Sets $now. It is what --now or EV_NOW say, in any words that date(1) knows, so
# that a day can be tried out in a second.
read_now() {
	if [ -z "${EV_NOW-}" ]; then
		now=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
		return
	fi
	now=$(date -u -d "$EV_NOW" +%Y-%m-%dT%H:%M:%S.%6NZ 2>/dev/null) ||
	    misuse "'$EV_NOW': no time that date(1) knows"
}

# ---- what a person calls an issue

# Sets $repo where somebody says it: -R, EV_REPO, the configuration, or the
# hooks of the git repository around us.
find_repo() {
	repo=${wanted_repo:-${EV_REPO-}}
	[ "$repo" ] || {
		read_config
		repo=$(printf '%s' "$config" | jq -r '.repo // empty')
	}
	[ "$repo" ] || repo=$(git config ev.repo 2>/dev/null)
	[ "$repo" ]
}

# take_issue TEXT: acme/app#42, or 42 or #42 of the repository. Sets $stream,
# $repo and $number.
take_issue() {
	case $1 in
	'' | *"$nl"*) misuse "'$1': expected an issue, such as acme/app#42" ;;
	?*'#'*) repo=${1%#*} ;;
	*)
		find_repo || misuse "'$1': of which repository? name it" \
		    "with -R, or in full: OWNER/NAME#$1"
		;;
	esac
	number=${1##*#}
	case $number in
	'' | 0* | *[!0-9]*)
		misuse "'$1': expected an issue, such as acme/app#42"
		;;
	esac
	[ ${#number} -le 15 ] || misuse "'$1': no issue has such a number"
	stream=$repo#$number
}

# take_agent TEXT: an agent, dev-e, or a pod of it, dev-e/x7k2p. Sets $agent and
# $agent_name, which is without the pod.
take_agent() {
	case $1 in
	'' | /*) misuse "'$1': expected an agent, such as dev-e or dev-e/x7k2p" ;;
	esac
	agent=$1 agent_name=${1%%/*}
}

# ---- the log

# append [OPTIONS] TYPE [MEMBER...]: as ev-append, by $actor and at the time
# that --now says; prints receipts if $receipts says so. With --dry-run it only
# says what it would do. A conflict is left to the script to tell: it may well
# decide again.
append() {
	set -- --actor "$actor" "$@"
	[ -z "${EV_NOW-}" ] || {
		read_now
		set -- --timestamp "$now" "$@"
	}
	[ "$receipts" ] || set -- -q "$@"
	if [ "$dry" ]; then
		ev-append --dry-run "$@" && say "would append: $*"
		return
	fi
	{
		words=$(ev-append "$@" 2>&1 >&9)
		status=$?
	} 9>&1
	[ "$status" -eq 80 ] || [ -z "$words" ] || printf '%s\n' "$words" >&2
	return "$status"
}

# append_lines LINES [OPTIONS]: the same of events as JSON
append_lines() {
	lines=$1
	shift
	if [ "$dry" ]; then
		printf '%s\n' "$lines" | ev-append -q --dry-run "$@" &&
		    say "would append: $(printf '%s\n' "$lines" | head -c 2000)"
		return
	fi
	printf '%s\n' "$lines" | append "$@"
}

# Prints what ev-get prints of a read model; that there is nothing is no failure.
# To be used as: documents=$(documents NAME ...) || exit
documents() {
	ev-get "$@" 2>/dev/null
	status=$?
	case $status in
	0 | 1) return 0 ;;
	esac
	# once more, for its words
	ev-get "$@" >/dev/null
	return "$status"
}

# Sets $document, empty if there is none, of an issue. Fails with the log.
read_issue() {
	document=$(documents issue-status -- "$1") || exit
}

# Of issues on standard input, as issue-status has them: prints where those stand
# that they depend on and that are not among them, {"key":...,"state":...}. Those
# that nobody has heard of are left out.
read_dependencies() {
	rig_jq -nj 'include "rig";
	    [inputs] | INDEX(.key) as $here
	    | [.[] | dependencies[]] | unique[]
	    | select($here[.] | not)
	    | select(utf8bytelength <= 1024) | . + "\u0000"' |
	    xargs -0 -r sh -c 'ev-get issue-status -m state -- "$@" 2>/dev/null
	        [ "$?" -le 1 ]' sh ||
	    fail 69 "cannot read what issues depend on"
}

# Sets $version of a stream: of its last event, or none.
read_version() {
	version=$(ev-cat -s "$1" -r -n 1)
	status=$?
	[ "$status" -le 1 ] || exit "$status"
	# the line is canonical: version follows the stream's id
	case $version in
	'') version=none ;;
	*)
		version=${version#*,\"version\":}
		version=${version%%,*}
		;;
	esac
}

# Sets $blockers: what an issue waits for before it may begin, in a few words,
# empty if it waits for nothing. The issue is $document.
read_blockers() {
	found=$(printf '%s\n' "$document" | read_dependencies) || exit
	blockers=$(printf '%s\n' "$document" "$found" | rig_jq -nr '
	    include "rig";
	    input as $issue
	    | [inputs | select(.state == "done").key] as $done
	    | [$issue | dependencies[] | select(IN($done[]) | not) | .[:80]]
	    | if length > 5 then .[:5] + ["\(length - 5) more"] else . end
	    | join(", ")') || exit 70
}

# settle COMMAND...: runs a function that reads, decides and appends with -e
# what it read, again as long as that ends in a conflict.
settle() {
	left=100
	while "$@"
		status=$?
		[ "$status" -eq 80 ]
	do
		left=$((left - 1))
		[ "$left" -gt 0 ] ||
		    fail 75 "others are faster all the time: repeat"
	done
	return "$status"
}

# for_streams COMMAND: settles it for each of the streams on standard input, a
# JSON text on each line. One that fails keeps no other from its turn.
for_streams() {
	worst=0
	while IFS= read -r line; do
		[ "$line" ] || continue
		(settle "$1" "$(printf '%s' "$line" | jq -r .)") || worst=$?
	done
	return "$worst"
}

# take_found: of $found, $line, its first, and $event, the rest. Not by patterns
# of the shell, which take for ever on long text.
take_found() {
	line=$(printf '%s\n' "$found" | head -n 1)
	event=$(printf '%s\n' "$found" | tail -n +2)
}

# report EVENT LINE: what was appended, for programs or for people
report() {
	[ ! "$quiet" ] || return 0
	[ ! "$json" ] || set -- "$1" "$1"
	printf '%s\n' "$2" || exit 74
}

# ---- configuration

# Sets $config, the configuration as JSON, {} if there is none, and
# $config_file. rig.yaml(5) describes it.
read_config() {
	[ -z "$config" ] || return 0
	config='{}'
	if [ "${EV_RIG-}" ]; then
		config_file=$EV_RIG
		[ -e "$config_file" ] ||
		    fail 64 "cannot read '$config_file': there is no such file"
	else
		for config_file in ./rig.yaml \
		    "${XDG_CONFIG_HOME:-${HOME-}/.config}/ev/rig.yaml" ''; do
			[ ! -e "$config_file" ] || break
		done
		[ "$config_file" ] || return 0
	fi
	config=$(ev-from-yaml -- "$config_file") || exit 65
	complaint=$(printf '%s' "$config" | rig_jq -r '
	    include "rig"; [config_complaints][0] // empty') || exit 70
	[ -z "$complaint" ] || fail 65 "$config_file: $complaint"
}

# A path of the configuration: ~/ is the home directory, another relative one
# begins where the configuration is. Prints it.
config_path() {
	case $1 in
	/*) printf '%s\n' "$1" ;;
	\~/*) printf '%s/%s\n' "${HOME-}" "${1#??}" ;;
	*) printf '%s/%s\n' "$(dirname -- "$config_file")" "$1" ;;
	esac
}

# ---- other programs

# jq, with 'include "rig";' for those who say so
rig_jq() {
	jq -L "$rig_share" "$@"
}

# need COMMAND...: those that a script cannot do without
need() {
	for command; do
		command -v -- "$command" >/dev/null ||
		    fail 69 "there is no '$command': install it"
	done
}

# Text of events for a terminal: what could drive it is shown escaped.
visible() {
	rig_jq -Rrsj 'include "rig"; rtrimstr("\n") | visible'
}
