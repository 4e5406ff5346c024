# What an interactive shell would offer at the end of a command line, one a
# line: complete_bash LINE, complete_fish LINE, complete_zsh LINE. Each runs the
# shell itself, with the completions of this checkout and no user's set-up.

complete_bash() {
	# shellcheck disable=SC2016 # for the inner shell
	bash --norc --noprofile -c '
		. /usr/share/bash-completion/bash_completion
		. "$1/completions/bash/ev"
		COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
		# as readline takes a line apart: at blanks and word breaks
		mapfile -t COMP_WORDS < <(grep -oE "[:=]+|[^:= ]+" <<<"$2")
		[[ $2 != *[" :="] ]] || COMP_WORDS+=("")
		[[ $2 != *= ]] || unset "COMP_WORDS[-1]"
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		compopt() { :; }
		completion=$(complete -p "${COMP_WORDS[0]}") || exit
		completion=${completion#* -F }
		"${completion%% *}" "${COMP_WORDS[0]}" \
			"${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		[[ ${#COMPREPLY[@]} -eq 0 ]] || printf "%s\n" "${COMPREPLY[@]}"
	' bash "$ROOT" "$1"
}

complete_fish() {
	# shellcheck disable=SC2016
	HOME=${BATS_TEST_TMPDIR:-$HOME} fish --no-config -c '
		source $argv[1]/completions/fish/ev.fish
		complete -C $argv[2] | string replace -r "\t.*" "" || true
	' "$ROOT" "$1"
}

# zsh completes only at a terminal: one is made for it. What is offered goes to
# a file instead of the screen. Under the sanitizers no leaks are looked for: that
# stops the process, and if the shell lets it continue, it waits for ever.
complete_zsh() {
	# shellcheck disable=SC2016
	ZDOTDIR=/nonexistent zsh -f -c '
		zmodload zsh/zpty
		offered=$3
		: >$offered
		zpty shell env TERM=dumb PS1= \
			ASAN_OPTIONS=detect_leaks=0 zsh -f -i
		zpty -w shell "offered=${(q)offered}; fpath=(${(q)1}/completions/zsh \$fpath)"
		zpty -w shell "autoload -Uz compinit; compinit -D -u"
		zpty -w shell "compadd() {
			local -a hits
			builtin compadd -O hits \"\$@\"
			print -rl -- \$hits >>\$offered
			builtin compadd \"\$@\"
		}"
		zpty -w shell "finish() { print -r -- end >>\$offered.end; exit }
			zle -N finish
			bindkey \"^T\" finish
			bindkey \"^I\" complete-word
			setopt no_list_beep no_beep no_list_ambiguous"
		zpty -w shell "print ready"
		zpty -r shell line "*ready*ready*"
		zpty -n -w shell "$2"$'"'\t'"'
		zpty -n -w shell $'"'\x14'"'
		while [[ ! -e $offered.end ]] && zpty -t shell; do
			zpty -r -t shell line || sleep 0.01
		done
		zpty -d shell
		sed "/^\$/d" $offered | sort -u
		rm $offered $offered.end
	' zsh "$ROOT" "$1" "$BATS_TEST_TMPDIR/offered"
}
