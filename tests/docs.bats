#!/usr/bin/env bats
# What the manual says is so: a command's summary, its page and its completions
# name the same options, and every example does what the page shows.
#
# How examples are written is told in examples.awk. What a page shows and what
# is printed are compared line by line. Ids, hashes and times may differ, and
# ... stands for anything.

load helper
load shells

setup() {
	man=$ROOT/share/man
	# The completions of a user who has no set-up.
	export HOME=$BATS_TEST_TMPDIR
}

# Commands that have a page and print a summary.
commands() {
	local page name
	for page in "$man"/man1/*.1; do
		name=${page##*/}
		echo "${name%.1}"
	done
}

# The options of a summary, one a line: "-c, --catalog NAME".
summary_options() { # COMMAND
	"$1" -h | sed -nE 's/^ +(-[^ ]+( [^ ]+)*)(  .*)?$/\1/p' | sort -u
}

# The options that a page describes, as a summary would write them.
page_options() { # PAGE...
	sed -nE '/^\.It Fl /{
		s/^\.It Fl //
		s/ , / , Fl /; s/Fl Fl/Fl/
		s/(^| )Fl -/\1--/g; s/^-([^-])/--\1/; s/^([^-])/-\1/
		s/ Fl ([^-])/ -\1/g
		s/ ,/,/g; s/ (Ar|Cm) / /g
		p
	}' "$@" | sort -u
}

# Pages that describe options of a command: its own, and what several share.
option_pages() { # COMMAND
	echo "$man/man1/$1.1"
	! grep -q '^\.Xr ev-filters 7' "$man/man1/$1.1" ||
		! "$1" -h | grep -q -- --stream-prefix ||
		echo "$man/man7/ev-filters.7"
}

@test "every command has a page, and every page a command" {
	local wanted
	wanted=$(
		cd "$ROOT/bin"
		printf '%s\n' ev ev-* rig-*
	)
	diff <(sort <<<"$wanted") <(commands | sort)
}

@test "pages are clean mdoc" {
	run -0 mandoc -Tlint -Wwarning "$man"/man?/*.[157]
	[ -z "$output" ]
}

@test "every page that a page names is there, or is not ours" {
	local name section
	cat "$man"/man?/* | awk '$1 == ".Xr" && $2 ~ /^(ev|rig)(-|$)/ {
		print $2, $3 }' | sort -u >"$BATS_TEST_TMPDIR/names"
	while read -r name section; do
		[ -e "$man/man$section/$name.$section" ] || {
			echo "no $name($section)"
			return 1
		}
	done <"$BATS_TEST_TMPDIR/names"
}

@test "pages of commands have the sections that readers look for" {
	local command page section
	for page in "$man"/man1/*.1; do
		set -- NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES \
			'SEE ALSO'
		command=${page##*/}
		! "${command%.1}" -h | grep -q 'EV_LOG' || set -- "$@" ENVIRONMENT
		for section; do
			grep -qx "\.Sh $section" "$page" || {
				echo "$page: no $section"
				return 1
			}
		done
	done
}

@test "the usage of a summary is the synopsis of its page" {
	local command usage synopsis
	for command in $(commands); do
		usage=$("$command" -h | awk '!/^(usage:|       )/ { exit }
			{ sub(/^usage:/, ""); print }' | tr -s ' \n' ' ')
		synopsis=$(mandoc -O width=1000 "$man/man1/$command.1" |
			sed 's/.\x08//g; 1,/^SYNOPSIS/d; /^DESCRIPTION/,$d' |
			tr -s ' \n' ' ')
		[ "${usage% }" = "${synopsis% }" ] || {
			echo "$command -h: $usage"
			echo "$command(1): $synopsis"
			return 1
		}
	done
}

@test "a summary and its page have the same options" {
	local command
	for command in $(commands); do
		mapfile -t pages < <(option_pages "$command")
		diff <(summary_options "$command") \
			<(page_options "${pages[@]}") || {
			echo "$command: < has -h, > has the page"
			return 1
		}
	done
}

@test "a page knows every exit status of its summary" {
	local command status
	for command in $(commands); do
		for status in $("$command" -h |
			sed '1,/^Exit status/{/^Exit status/!d}' |
			grep -oE '\b[0-9]+\b'); do
			grep -qx "\.It $status" "$man/man1/$command.1" || {
				echo "$command: status $status"
				return 1
			}
		done
	done
}

# Options without their values, as somebody types them.
typed_options() { # COMMAND
	summary_options "$1" | grep -oE -- '(^|[ ,])--?[a-zA-Z0-9-]+' |
		tr -d ' ,' | sort -u
}

same_options() { # SHELL
	local command
	for command in $(commands); do
		[ -n "$(typed_options "$command")" ] || continue
		diff <(typed_options "$command") \
			<({ "complete_$1" "$command -"
			    "complete_$1" "$command --"; } | sort -u) || {
			echo "$command: < has -h, > offers $1"
			return 1
		}
	done
}

@test "bash offers the options of every summary" {
	same_options bash
}

@test "fish offers the options of every summary" {
	same_options fish
}

@test "zsh offers the options of every summary" {
	same_options zsh
}

# What may differ from run to run.
same_for_all() {
	sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}([T ])[0-9:]{8}(\.[0-9]{6}Z)?/TIME\1\2/g
		s/TIME([T ])(\.[0-9]{6}Z)?/TIME/g
		s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g
		s/[0-9a-f]{64}/HASH/g'
}

# Is each line of a text what a page shows? The shown ones may have '...'.
alike() { # SHOWN PRINTED
	local line
	exec 5< <(same_for_all <"$2") 6< <(same_for_all <"$1")
	while IFS= read -r line <&6; do
		IFS= read -r printed <&5 || return 1
		line=${line//\\/\\\\}
		line=${line//\*/\\*}
		line=${line//\?/\\?}
		line=${line//\[/\\[}
		# shellcheck disable=SC2053 # it is a pattern
		[[ $printed == ${line//.../*} ]] || return 1
	done
	! IFS= read -r printed <&5
}

# Runs the examples of a page in a folder of their own, with a log of their own.
run_examples() { # PAGE
	local dir=$BATS_TEST_TMPDIR/${1##*/} n=0
	mkdir -p "$dir/home" "$dir/tmp"
	awk -v dir="$dir" -f "$BATS_TEST_DIRNAME/examples.awk" "$1" \
		>"$dir/script"
	(
		cd "$dir/home" && unset XDG_STATE_HOME &&
			HOME=$dir TMPDIR=$dir/tmp EV_LOG=$dir/log.db \
			sh "$dir/script"
	) 5>&- || {
		echo "${1##*/}: an example failed, the last of these:"
		tail -n +1 "$dir"/*.cmd "$dir"/*.out
		return 1
	}
	while [ -e "$dir/$((++n)).cmd" ]; do
		[ ! -e "$dir/$n.want" ] || alike "$dir/$n.want" "$dir/$n.out" || {
			echo "${1##*/}: $(cat "$dir/$n.cmd")"
			diff "$dir/$n.want" "$dir/$n.out"
			return 1
		}
	done
	[ "$n" -gt 1 ] || {
		echo "${1##*/}: no example"
		return 1
	}
}

@test "examples of the commands' pages" {
	local page
	for page in "$man"/man1/*.1; do
		run_examples "$page"
	done
}

@test "examples of the pages on files and formats" {
	local page
	for page in "$man"/man5/*.5 "$man"/man7/ev-*.7; do
		run_examples "$page"
	done
}

@test "the tour, step by step" {
	run_examples "$man/man7/ev.7"
}

@test "examples of README.md" {
	run_examples "$ROOT/README.md"
}
