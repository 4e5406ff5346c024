# shellcheck shell=sh disable=SC2016,SC2034,SC2154 # jq's variables; names that others have
# What the reports share, beside common.sh; read with '.', never run. A report
# reads the log in parts, has one jq program make rows of them, and shows these:
#
#	report=$({ part issues ev-get issue-status
#	    part agents ev-get agent-status; } | compose 'parts as $part | ...') || exit
#	table state -m state -m count=issues
#
# Of the program's lines the first word says which table they are a row of.

# part NAME COMMAND...: what a command prints, behind a text that names it; or,
# if it fails, its status, which is the report's. The log decides that: that
# there is nothing to print is no failure.
part() {
	printf '"%s"\n' "$1"
	shift
	"$@"
	status=$?
	[ "$status" -le 1 ] || { printf '%s\n' "$status" && exit; }
}

# compose PROGRAM ARGUMENT...: jq over what is on standard input; the program
# finds parts by their names in what 'parts' gives, and in $now the time as a
# number. What jq itself may complain of is not the log's fault. jq 1.7 crashes
# where a library comes before one that includes it.
compose() {
	read_now
	program=$1
	shift
	rig_jq -rn --arg now "$now" --arg all "$all" --arg json "$json" \
	    --arg repo "$wanted_repo" "$@" 'include "report"; include "rig";
	    ($now | seconds) as $now | '"$program"
	status=$?
	case $status in
	[1-5]) status=70 ;;
	esac
	return "$status"
}

# Prints the options that choose what happened from what is said all the time:
# all types of the rig but heartbeats and usage.
step_types() {
	ev-check -c rig --list types |
		sed '/^HEARTBEAT$/d; /^TOKEN_USAGE$/d; s/^/-t /'
}

# Sets $width, that of the terminal or boundless, and $bar, of which bars are made.
read_terminal() {
	width=99999 bar='#'
	[ -t 1 ] || return 0
	case ${COLUMNS-} in
	'' | 0* | *[!0-9]* | ??????*)
		{ width=$(stty size <&9 2>/dev/null); } 9>&1
		width=${width#* }
		[ "${width:-0}" -gt 0 ] || width=80
		;;
	*) width=$COLUMNS ;;
	esac
	case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
	*[Uu][Tt][Ff]*8*) bar=█ ;;
	esac
}

# table NAME ARGUMENT...: the rows of that name by ev-table, if there are any,
# and a line between this table and what was shown before.
table() {
	rows=$(printf '%s\n' "$report" | sed -n "s/^$1 //p")
	shift
	[ "$rows" ] || return 0
	gap
	printf '%s\n' "$rows" | ev-table "$@" || exit
}

# lines NAME [gap]: the texts of that name, which can drive no terminal.
lines() {
	rows=$(printf '%s\n' "$report" | sed -n "s/^$1 //p")
	[ "$rows" ] || return 0
	[ $# -eq 1 ] || gap
	put "$rows"
	shown=yes
}

gap() {
	[ -z "$shown" ] || put
	shown=yes
}

put() {
	printf '%s\n' "$@" 2>/dev/null ||
	    fail 74 "cannot write to standard output"
}
all='' shown=''
