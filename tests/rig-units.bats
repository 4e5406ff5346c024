#!/usr/bin/env bats
# What runs a rig without anybody: the units for systemd and the crontab. That
# they are well formed, and that each command line in them does its work where
# nothing is set up but what they set up themselves.

load helper

setup() {
	place=$BATS_TEST_TMPDIR/place
	export HOME=$BATS_TEST_TMPDIR/home XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
	mkdir -p "$place/bin" "$place/share" "$HOME/.config/ev" "$XDG_RUNTIME_DIR"
	# an installation, with the paths that 'make install' writes
	cp "$ROOT"/bin/rig-* "$place/bin"
	local command
	for command in "$EV_BIN"/ev "$EV_BIN"/ev-*; do
		ln -s "$command" "$place/bin"
	done
	cp -R "$ROOT/share/rig" "$ROOT/share/systemd" "$ROOT/share/cron" \
		"$place/share"
	sed -i "s|/usr/local/bin/|$place/bin/|g" "$place"/share/systemd/* \
		"$place"/share/cron/*
	cd "$place/share/systemd" || return
}

# alone COMMAND...: in the environment that cron gives, with a log
alone() {
	env -i HOME="$HOME" LOGNAME=ada PATH=/usr/bin:/bin SHELL=/bin/sh \
		EV_LOG="$EV_LOG" ${EV_SCHEMAS:+EV_SCHEMAS="$EV_SCHEMAS"} \
		${EV_PROJECTIONS:+EV_PROJECTIONS="$EV_PROJECTIONS"} "$@"
}

# One thing of each kind that is overdue.
trouble() {
	local ago
	ago=$(date -u -d '25 hours ago' +%Y-%m-%dT%H:%M:%SZ)
	ev-append -q --timestamp "$ago" -s acme/app#1 ISSUE_APPROVED
	ev-append -q --timestamp "$ago" -s acme/app#1 ISSUE_ASSIGNED agentId=ada
	ev-append -q --timestamp "$ago" -s acme/app#2 ISSUE_APPROVED
	ev-append -q --timestamp "$ago" -s acme/app#3 \
		HUMAN_GATE_TRIGGERED prNumber:=1
	ev-append -q --timestamp "$ago" -s acme/app#4 SMOKE_FAILED \
		reason=external_dependency
}

# What a unit starts.
command_of() { # UNIT
	sed -n 's/^ExecStart=//p' "$1"
}

# The lines of the crontab, those that are only proposed as well.
cron_lines() {
	sed -nE 's/^#?([*0-9].*)/\1/p' ../cron/rig
}

# actors: who appended since
actors() {
	ev-cat | jq -r '.actor // empty' | sort -u | tr '\n' ' '
}

@test "systemd takes every unit" {
	run -0 systemd-analyze verify --user --man=no ./*.service ./*.timer
	[ -z "$output" ]
	# it would have said so
	sed -i 's|^ExecStart=.*/|&none/|; s/^Restart=/Restarts=/' rig-recover.service
	run -1 systemd-analyze verify --user --man=no ./rig-recover.service
	[[ $output == *Restarts* && $output == *none/rig-recover* ]]
}

@test "every timer starts its service, and every service can be enabled or has a timer" {
	local unit
	for unit in *.timer; do
		[ -e "${unit%.timer}.service" ]
		grep -qx 'WantedBy=timers.target' "$unit"
		grep -qx 'Type=oneshot' "${unit%.timer}.service"
	done
	for unit in *.service; do
		[ -e "${unit%.service}.timer" ] ||
			grep -qx 'WantedBy=default.target' "$unit"
		# the page that is named is of the command that is run
		[ "$(sed -n 's/^Documentation=//p' "$unit")" = "man:${unit%.service}(1)" ]
		[[ $(command_of "$unit") == "$place/bin/${unit%.service}"* ]]
		[ -e "$ROOT/share/man/man1/${unit%.service}.1" ]
	done
}

@test "times of timers are those of the crontab" {
	local unit minutes cron
	for unit in *.timer; do
		run -0 systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' "$unit")"
		case $output in
		*'Normalized form: *-*-* *:00/10:00'*) cron='*/10 * * * *' ;;
		*'Normalized form: *-*-* *:00/5:00'*) cron='*/5 * * * *' ;;
		*'Normalized form: *-*-* *:00:00'*) cron='[0-9]* * * * *' ;;
		*) false ;;
		esac
		minutes=$(cron_lines | grep -F "/${unit%.timer} ")
		# shellcheck disable=SC2053 # a pattern, its stars are to be quoted
		[[ $minutes == ${cron//\*/\\*}" $place"* ||
			$minutes =~ ^[0-9]+' * * * * '"$place" ]]
	done
}

@test "cron takes every line" {
	local line name
	[ -z "$(tail -c 1 ../cron/rig)" ]
	# comments, assignments and lines with five times, nothing else
	run -0 grep -vE '^(#.*)?$' ../cron/rig
	while read -r line; do
		[[ $line =~ ^((\*(/[1-9][0-9]?)?|[1-5]?[0-9])' ')('* '){4}(/[^ ]+)( -q)?( --once)?$ ]]
		# a line ends at the first of these
		[[ $line != *%* ]]
		name=${BASH_REMATCH[5]}
		[ -x "$name" ]
	done < <(cron_lines)
	diff <(cron_lines | grep -o 'rig-[a-z-]*' | sort) \
		<(basename -s .service -- rig-*.service | sort)
}

@test "each line of the crontab does its work" {
	trouble
	local line
	while read -r line; do
		set -o noglob
		# shellcheck disable=SC2086 # into its fields
		set -- $line
		set +o noglob
		shift 5
		case $1 in
		*/rig-notify | */rig-close-duplicates) continue ;;
		esac
		run -0 alone /bin/sh -c "$*"
		# there is nothing to mail
		[ -z "$output" ]
	done < <(cron_lines)
	[ "$(actors)" = 'rig-orphans rig-recover rig-remind rig-stuck ' ]
	before=$(ev-cat --count)
	while read -r line; do
		alone /bin/sh -c "$place${line#*"$place"}"
	done < <(sed -n '/^[*0-9]/p' ../cron/rig)
	[ "$(ev-cat --count)" = "$before" ]
}

@test "each timer's command does its work" {
	trouble
	local unit
	for unit in *.timer; do
		run -0 alone "$(command_of "${unit%.timer}.service")"
		[ -n "$output" ]
	done
	[ "$(actors)" = 'rig-orphans rig-remind rig-stuck ' ]
}

@test "each service does its work, and ends when it is told" {
	trouble
	printf '%s\n' 'notify:' '  receivers:' '    ops:' \
		'      { kind: webhook, url: "http://127.0.0.1:9/" }' \
		'  routes: { critical: [ops] }' >"$HOME/.config/ev/rig.yaml"
	local unit name running
	for unit in rig-recover rig-notify rig-close-duplicates; do
		read -ra words < <(command_of "$unit.service")
		[ "${words[*]:1}" = --follow ]
		alone "${words[@]}" 2>"$BATS_TEST_TMPDIR/words" 3>&- &
		running=$!
		name=$unit
		[ "$unit" != rig-notify ] || name=rig-notify/ops
		# until it holds its lease
		for ((i = 0; i < 200; i++)); do
			! ev-each --lag "$name" 2>/dev/null |
				jq -e .owner >/dev/null || break
			kill -0 "$running"
			read -rt 0.05 <> <(:) || :
		done
		[ "$i" -lt 200 ]
		[ "$unit" != rig-recover ] ||
			ev-watch --from 1 -t ESCALATED -n 1 --idle-exit 10
		kill -TERM "$running"
		wait "$running" || [ "$?" -eq 143 ]
		! ev-each --lag "$name" | jq -e .owner
	done
	[ "$(actors)" = 'rig-recover ' ]
}

@test "the log is served, with the settings of a file" {
	trouble
	printf 'port: 0\n' >"$HOME/serve.yaml"
	mkfifo url
	exec 8<>url
	read -ra words < <(command_of ev-serve.service)
	# no function, so that it is the process that is ended
	EV_SERVE=$HOME/serve.yaml "${words[@]}" >&8 8>&- 3>&- &
	read -r url <&8
	run -0 curl -sf "${url}api/issues?state=gated"
	[ "$(jq -r .[].streamId <<<"$output")" = acme/app#3 ]
	kill "$!"
	wait "$!"
}

@test "what 'make install' puts somewhere works from there, and goes again" {
	local to=$BATS_TEST_TMPDIR/to
	make -s -C "$ROOT" install PREFIX="$to" >/dev/null
	unset EV_SCHEMAS EV_PROJECTIONS
	cd "$HOME"
	alone "$to/bin/rig-approve" acme/app#1 Title
	[ "$(alone "$to/bin/rig-next")" = acme/app#1 ]
	alone "$to/bin/rig-recover" -q
	# each script finds its library, and the units this installation
	local script
	for script in "$to"/bin/rig-*; do
		alone "$script" -h >/dev/null
	done
	run -1 grep -rn /usr/local/bin "$to/share/ev/systemd" "$to/share/ev/cron"
	make -s -C "$ROOT" uninstall PREFIX="$to"
	[ -z "$(find "$to" ! -type d)" ]
}
