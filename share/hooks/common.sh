#!/bin/sh
# What the git hooks of ev and rig-hooks share; read with '.', never run.
#
# A hook tells its events with 'event' and ends with 'deliver', which gives them
# to ev-append or, when that fails for whatever reason, to a spool in the git
# directory, which the next hook sends. The spool is a directory with a file
# for each hook that ran, moved there when it is complete: several worktrees and
# a hook that is killed can neither tear nor lose one. Sending a file twice is
# harmless, since the log knows each event by its id.
#
# Text from git is only ever an argument, a here-document or a pattern's
# subject. It is bytes, not always UTF-8.
#
# The hook in the repository has set $hooks, this directory, and $ev_append.

LC_ALL=C
# The messages are read below.
EV_ERRORS=
export LC_ALL EV_ERRORS

nl='
'
told=
refused=0

# Sets $git_dir and $common_dir, which worktrees share, without asking git:
# a hook has no time for that.
locate() {
	git_dir=${GIT_DIR:-.git}
	if [ -f "$git_dir" ]; then
		IFS= read -r git_dir <"$git_dir"
		git_dir=${git_dir#gitdir: }
	fi
	[ -d "$git_dir" ] || git_dir=$(git rev-parse --git-dir) || return
	common_dir=${GIT_COMMON_DIR:-$git_dir}
	if [ -z "${GIT_COMMON_DIR-}" ] && [ -f "$git_dir/commondir" ]; then
		IFS= read -r common_dir <"$git_dir/commondir"
		case $common_dir in
		/*) ;;
		*) common_dir=$git_dir/$common_dir ;;
		esac
	fi
	name_spool
}

name_spool() {
	spool=$common_dir/ev/spool
	rejected=$common_dir/ev/rejected.ndjson
}

# Sets $branch; a detached HEAD has none.
read_branch() {
	IFS= read -r branch <"$git_dir/HEAD"
	case $branch in
	'ref: refs/heads/.invalid') # the reftable format keeps HEAD elsewhere
		branch=$(git symbolic-ref -q HEAD)
		branch=${branch#refs/heads/}
		;;
	'ref: refs/heads/'*) branch=${branch#ref: refs/heads/} ;;
	*) branch= ;;
	esac
}

# Sets $repo, $agent and $actor, and $EV_LOG where git config names the log.
# Fails in a repository without ev.repo: it only shares its hooks with others.
read_config() {
	repo='' agent='' log='' user='' author=''
	config=$(git config --get-regexp \
	    '^(ev\.(repo|agent|log)|(user|author)\.email)$')
	while IFS=' ' read -r key value; do
		case $key in
		ev.repo) repo=$value ;;
		ev.agent) agent=$value ;;
		ev.log) log=$value ;;
		user.email) user=$value ;;
		author.email) author=$value ;;
		esac
	done <<EOF
$config
EOF
	agent=${EV_AGENT:-$agent}
	actor=$agent
	if [ -z "$agent" ]; then
		agent=${GIT_AUTHOR_EMAIL:-${author:-$user}}
		if [ -z "$agent" ]; then
			agent=$(git var GIT_AUTHOR_IDENT)
			agent=${agent##*<}
			agent=${agent%%>*}
		fi
		agent=${agent:-unknown}
		actor=git:$agent
	fi
	# an actor is at most 255 bytes, also if each of them is replaced
	[ ${#actor} -le 255 ] || actor=$(printf '%.80s' "$actor")
	EV_LOG=${EV_LOG:-$log}
	export EV_LOG
	[ "$repo" ]
}

# Sets $commit, $email and $subject from HEAD's commit.
# shellcheck disable=SC2034 # the hooks use them
read_commit() {
	text=$(git rev-list -1 --encoding=UTF-8 --format='%ae%n%s' HEAD)
	{
		IFS=' ' read -r key commit
		IFS= read -r email
		IFS= read -r subject
	} <<EOF
$text
EOF
}

# Is a rebase at work? What it commits is not news.
in_rebase() {
	[ -d "$git_dir/rebase-merge" ] || [ -d "$git_dir/rebase-apply" ]
}

# Sets $issue if $1 is an issue's number of at most $2 digits.
take_number() {
	case $1 in
	'' | 0* | *[!0-9]*) return 1 ;;
	esac
	[ ${#1} -le "$2" ] && issue=$1
}

# Sets $issue to the issue that a branch's name tells, or to nothing:
# issue-42, fix/issue-42-crash, gh-42, 42, 42-crash, feature/42_crash. Dates,
# versions, pull requests and what robots call their branches tell none.
# It is what branch_issue in ev-from-github says; the same examples,
# tests/fixtures/issue-branches, are put to both.
read_issue() {
	issue=
	case $1 in
	dependabot/* | renovate/* | revert-[0-9]*) return ;;
	gh-readonly-queue* | release*) return ;;
	hotfix/[0-9]*.*)
		word=${1#hotfix/}
		case ${word%%.*} in
		*[!0-9]*) ;;
		*) return ;;
		esac
		;;
	*[1-9]*) ;;
	*) return ;;
	esac
	# word by word: a number that 'issue' or 'gh' is before
	rest=$1 before=
	while [ "$rest" ]; do
		word=${rest%%[/_.-]*}
		rest=${rest#"$word"}
		stop=${rest%"${rest#?}"}
		rest=${rest#?}
		case $before in
		[Ii][Ss][Ss][Uu][Ee][-_/] | [Ii][Ss][Ss][Uu][Ee][Ss][-_/] | \
		[Gg][Hh][-_])
			take_number "$word" 9 && return
			;;
		esac
		before=$word$stop
		case $word in
		[Ii][Ss][Ss][Uu][Ee]*) word=${word#?????} ;;
		*) continue ;;
		esac
		word=${word#[Ss]}
		take_number "${word#'#'}" 9 && return
	done
	# else a number that the last part begins with
	word=${1##*/}
	case /${1%"$word"} in
	*/[Pp][Rr]/ | */[Pp][Uu][Ll][Ll]/ | */[Pp][Uu][Ll][Ll][Ss]/) return ;;
	*/[Mm][Rr]/ | */[Vv]/ | */[Vv][Ee][Rr][Ss][Ii][Oo][Nn]/) return ;;
	esac
	case $word in
	[0-9][0-9][0-9][0-9]-[0-9][0-9]) return ;;
	[0-9][0-9][0-9][0-9]-[0-9][0-9]-*) return ;;
	esac
	take_number "${word%%[-_]*}" 7
}

# Sets $id from the parts that make an event what it is. Ids are at most 255
# bytes, and plain: other bytes could become more, or the same, on their way.
make_id() {
	id=git/$repo/$1
	case $id in
	*[!\ -~]*) ;;
	*) [ ${#id} -gt 255 ] || return 0 ;;
	esac
	id=git/$(printf %s "$id" | git hash-object --stdin)
}

# event KEY=TEXT | KEY:=NUMBER ...: adds an event to $told. A line for each
# pair and an empty one behind them: what has several lines is cut.
event() {
	lines=
	for pair; do
		lines=$lines${pair%%"$nl"*}$nl
	done
	told=$told$lines$nl
}

# heartbeat ACTIVITY ID-PARTS [KEY=TEXT]...: the agent was seen at work. With an
# issue that is part of the issue's life: what its checks said before a commit
# says nothing after it.
heartbeat() {
	activity=$1
	make_id "$activity/$2"
	shift 2
	set -- type=HEARTBEAT "id=$id" "actor=$actor" "agentId=$agent" \
	    status=working "currentRepo=$repo" "activity=$activity" "$@"
	[ -z "$issue" ] ||
	    set -- "$@" "currentIssue:=$issue" "streamId=$repo#$issue"
	event "$@"
}

# The events of $told as JSON, one a line. Bytes that are not UTF-8 become
# U+FFFD. By awk, which starts faster than jq by far.
as_json() {
	awk '
	BEGIN {
		# the well-formed sequences of RFC 3629, section 4
		tail = "[\200-\277]"
		plain = "^([ !#-[]|[]-~]|[\302-\337]" tail \
		    "|\340[\240-\277]" tail "|[\341-\354\356\357]" tail tail \
		    "|\355[\200-\237]" tail "|\360[\220-\277]" tail tail \
		    "|[\361-\363]" tail tail tail "|\364[\200-\217]" tail tail \
		    ")+"
		for (i = 1; i < 32; i++)
			escaped[sprintf("%c", i)] = sprintf("\\u%04x", i)
		escaped["\""] = "\\\""
		escaped["\\"] = "\\\\"
		escaped["\177"] = "\177"
	}
	function quoted(text, json) {
		text = substr(text, 1, 4000)
		while (text != "") {
			if (match(text, plain)) {
				json = json substr(text, 1, RLENGTH)
				text = substr(text, RLENGTH + 1)
			} else {
				c = substr(text, 1, 1)
				json = json (c in escaped ? escaped[c] \
				    : "\357\277\275")
				text = substr(text, 2)
			}
		}
		return "\"" json "\""
	}
	$0 == "" {
		print "{" line "}"
		line = ""
		next
	}
	{
		at = index($0, "=")
		key = substr($0, 1, at - 1)
		value = substr($0, at + 1)
		if (sub(/:$/, "", key) == 0)
			value = quoted(value)
		line = line (line == "" ? "" : ",") "\"" key "\":" value
	}' <<EOF
$told
EOF
}

# Puts the events of $1 that $reply, what ev-append said, refuses aside. Fails
# when something else was wrong. An id that another event has is no mistake:
# somebody else told the same before, in other words.
put_aside() {
	lines=$1
	while IFS= read -r message; do
		number=${message#ev-append: line }
		[ "$number" != "$message" ] || return
		message=${number#*: }
		number=${number%%:*}
		case $message in
		"id '"*"' is taken by another event, at position "*)
			continue
			;;
		esac
		refused=$((refused + 1))
		[ -d "$common_dir/ev" ] || mkdir -p "$common_dir/ev" || return
		printf '%s\n' "$lines" | sed -n "${number}p" >>"$rejected" ||
		    return
	done <<EOF
$reply
EOF
}

# Gives the lines of $1 to ev-append. Succeeds when each is in the log, durable,
# or was put aside; else $status and $reply say why not.
send() {
	[ -x "$ev_append" ] || ev_append=ev-append
	reply=$("$ev_append" -q 2>&1 <<EOF
$1
EOF
	)
	status=$?
	if [ "$status" -eq 65 ] && put_aside "$1"; then
		status=0
	fi
	return "$status"
}

# Writes the lines of $1 to the spool, with the time that they happened.
keep() {
	now=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
	case $now in
	*[0-9]Z) ;;
	*) now=$(date -u +%Y-%m-%dT%H:%M:%SZ) ;;
	esac
	[ -d "$spool" ] || mkdir -p "$spool" || return
	new=$common_dir/ev/new.$$
	lines=
	while IFS= read -r line; do
		lines="$lines{\"timestamp\":\"$now\",${line#?}$nl"
	done <<EOF
$1
EOF
	if ! printf %s "$lines" >"$new" || ! mv -f "$new" "$spool/$now-$$"; then
		rm -f "$new"
		return 1
	fi
}

# Sends the oldest fifty files of the spool. Succeeds when nothing is left of
# it, or nothing was there; what belongs to another user does not count.
flush() {
	status=0 more=
	set --
	for file in "$spool"/*; do
		if [ ! -f "$file" ] || [ ! -r "$file" ]; then
			continue
		elif [ $# -eq 50 ]; then
			more=yes
			break
		fi
		set -- "$@" "$file"
	done
	[ $# -gt 0 ] || return 0
	# another hook may have sent some of them in the meantime
	lines=$(cat "$@" 2>/dev/null)
	[ -z "$lines" ] || send "$lines" || return
	if ! rm -f "$@"; then
		status=74 reply="cannot remove files in '$spool'"
		return "$status"
	fi
	[ -z "$more" ]
}

# Takes the events to the log or to the spool. What is in the spool already goes
# first, and behind what stays there the new ones queue.
deliver() {
	told=${told%"$nl"}
	[ "$told" ] || return 0
	events=$(as_json)
	# whoever holds the log's lock for longer is not waited for
	EV_TIMEOUT=0.007
	export EV_TIMEOUT
	if flush && send "$events"; then
		return
	fi
	# a repository that cannot be written need not be the log's problem
	keep "$events" || send "$events"
}
