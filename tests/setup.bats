#!/usr/bin/env bats
# .ci/setup and what it uses. Nothing is installed here: apt-get, sudo, id
# and npm are stand-ins that note how they were called.
#
# What run sets is unknown to shellcheck; a PATH is meant to last for one
# test only, and that stand-ins and makefiles expand what is quoted here.
# shellcheck disable=SC2154,SC2030,SC2031,SC2016

bats_require_minimum_version 1.5.0
load helper

setup_file() {
	export CI_DIR=$BATS_TEST_DIRNAME/../.ci
}

setup() {
	calls=$BATS_TEST_TMPDIR/calls
	stand_ins=$BATS_TEST_TMPDIR/stand-ins
	mkdir "$stand_ins"
	: >"$calls"
	export calls stand_ins
}

# stand_in NAME < script
stand_in() {
	{
		echo '#!/bin/sh'
		echo "echo \"$1 \$*\" >>'$calls'"
		cat
	} >"$stand_ins/$1"
	chmod +x "$stand_ins/$1"
}

# Sets PATH to the stand-ins and everything on it now but these commands.
without() {
	local dir name links=$BATS_TEST_TMPDIR/links
	mkdir "$links"
	while read -r -d : dir; do
		ln -sf "$dir"/* "$links" 2>/dev/null || :
	done <<<"$PATH:"
	for name; do
		rm -f "$links/$name"
	done
	PATH=$stand_ins:$links
}

# A checkout of its own, so that its test data can be wanting.
checkout() {
	mkdir -p "$BATS_TEST_TMPDIR/co/tests/npm"
	cp -R "$CI_DIR" "$BATS_TEST_TMPDIR/co/.ci"
	CI_DIR=$BATS_TEST_TMPDIR/co/.ci
	data=$BATS_TEST_TMPDIR/co/tests/npm
	cat >"$data/package-lock.json" <<-'END'
		{"packages":{"":{"name":"x"},
		"node_modules/a":{"version":"1.0.0"},
		"node_modules/b":{"version":"2.0.0","optional":true}}}
	END
}

# installed VERSION: what npm leaves behind, on a machine that b is not for
installed() {
	mkdir -p "$data/node_modules"
	echo '{"packages":{"node_modules/a":{"version":"'"$1"'"}}}' \
	    >"$data/node_modules/.package-lock.json"
}

cut_off() {
	if unshare -n true 2>/dev/null; then
		unshare -n "$@"
	else
		"$@"
	fi
}

other_suite() {
	awk -v uri="$1" -v suite=next -v component=main -v arch=amd64 \
	    -v key=/default.gpg -f "$CI_DIR/other-suite.awk" "${@:2}"
}

@test "a ready machine is left alone, without a word and without network" {
	for name in apt-get apt-cache dpkg sudo npm; do
		stand_in $name <<<'exit 1'
	done
	PATH=$stand_ins:$PATH
	run cut_off "$CI_DIR/setup" check
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ ! -s "$calls" ]
}

@test "it works from any directory and through a relative path" {
	cd "$CI_DIR"
	run ./setup build
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "an unknown, missing or second argument is 64 and one line" {
	for arguments in chekc '' 'build check'; do
		# shellcheck disable=SC2086 # words on purpose
		run -64 --separate-stderr "$CI_DIR/setup" $arguments
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "setup: unknown argument '$arguments': usage: "* ]]
	done
}

@test "without network one line names what is missing and what was tried" {
	stand_in id <<<'echo 0'
	stand_in apt-get <<-'END'
		case " $* " in
		*' install '*)
			echo "E: Failed to fetch http://a.example/jq.deb  No route"
			echo "E: Unable to fetch some archives, maybe run update"
			exit 100 ;;
		*' update '*)
			echo 'Err:1 http://a.example stable InRelease'
			echo "W: Failed to fetch http://a.example/InRelease  No route" ;;
		esac
	END
	without jq
	run -69 --separate-stderr "$CI_DIR/setup" build
	[ "$output" = 'setup: installing jq' ]
	[ "$stderr" = "setup: cannot install 'jq': apt-get install:\
 http://a.example/jq.deb No route, apt-get update:\
 http://a.example/InRelease No route;\
 connect to the network, or install by hand, and try again" ]
	[ "$(grep -c '^apt-get .*install' "$calls")" -eq 1 ]
	[ "$(grep -c '^apt-get .*update' "$calls")" -eq 1 ]
}

@test "lists that lack a package are renewed, then it is installed" {
	stand_in id <<<'echo 0'
	stand_in apt-get <<-'END'
		case " $* " in
		*' update '*)
			echo 'Get:1 http://a.example stable InRelease'
			: >"$calls.updated" ;;
		*' install '*)
			if [ ! -e "$calls.updated" ]; then
				echo 'E: Unable to locate package jq'
				exit 100
			fi
			echo '#!/bin/sh' >"$stand_ins/jq"
			chmod +x "$stand_ins/jq" ;;
		esac
	END
	without jq
	run -0 "$CI_DIR/setup" build
	[ "$output" = 'setup: installing jq' ]
	grep -o -e ' install' -e ' update' "$calls" >"$calls.verbs"
	[ "$(tr -d '\n' <"$calls.verbs")" = ' install update install' ]
}

@test "lists that have every package are not renewed" {
	stand_in id <<<'echo 0'
	stand_in apt-get <<-'END'
		echo '#!/bin/sh' >"$stand_ins/jq"
		chmod +x "$stand_ins/jq"
	END
	without jq
	run -0 "$CI_DIR/setup" build
	run ! grep update "$calls"
	grep -- '--no-install-recommends --no-remove .* jq$' "$calls"
}

@test "a package that brings no command is told apart from no package" {
	stand_in id <<<'echo 0'
	stand_in apt-get <<<'exit 0'
	without jq
	run -69 --separate-stderr "$CI_DIR/setup" build
	[[ $stderr == "setup: missing 'jq', though apt-get installed them"* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "neither root nor sudo gets the command to run as root" {
	stand_in id <<<'echo 1000'
	stand_in apt-get <<<'exit 1'
	without jq sqlite3 sudo
	run -69 --separate-stderr "$CI_DIR/setup" build
	[ -z "$output" ]
	[ "$stderr" = "setup: missing 'sqlite3 jq', and neither root nor sudo\
 to install them: run as root: apt-get update &&\
 apt-get install -y --no-install-recommends sqlite3 jq" ]
	run ! grep apt-get "$calls"
}

@test "sudo that would ask for a password is not waited for" {
	stand_in id <<<'echo 1000'
	stand_in sudo <<<'exit 1'
	without jq
	run -69 --separate-stderr "$CI_DIR/setup" build </dev/null
	[[ $stderr == *"sudo wants a password"*"run as root: apt-get "* ]]
	[ "$(cat "$calls")" = 'id -u
sudo -n true' ]
}

@test "sudo installs, and the rest is done as the user" {
	stand_in id <<<'echo 1000'
	stand_in sudo <<-'END'
		shift
		exec "$@"
	END
	stand_in apt-get <<-'END'
		echo '#!/bin/sh' >"$stand_ins/jq"
		chmod +x "$stand_ins/jq"
	END
	without jq
	run -0 "$CI_DIR/setup" build
	grep -q "^sudo -n .*/apt-install jq$" "$calls"
}

@test "test data that is not there is fetched, and a failure is one line" {
	checkout
	stand_in npm <<-'END'
		echo 'npm error code EAI_AGAIN'
		echo 'npm error syscall getaddrinfo'
		echo 'npm error request to https://a.example/x failed'
		exit 1
	END
	PATH=$stand_ins:$PATH
	run -69 --separate-stderr "$CI_DIR/setup" check
	[[ $stderr == *"npm ci: request to https://a.example/x failed; "* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
	grep -q '^npm ci ' "$calls"
}

@test "test data is fetched anew when the lock file says another version" {
	checkout
	installed 0.9.0
	stand_in npm <<<'exit 0'
	PATH=$stand_ins:$PATH
	run -0 "$CI_DIR/setup" check
	[ "$(wc -l <"$calls")" -eq 1 ]
	: >"$calls"
	run -0 "$CI_DIR/setup" build
	[ ! -s "$calls" ]
}

@test "test data that is there needs no npm" {
	checkout
	installed 1.0.0
	stand_in apt-get <<<'exit 1'
	without npm
	run -0 "$CI_DIR/setup" check
	[ -z "$output" ]
	[ ! -s "$calls" ]
}

@test "another suite is looked for on the mirror of a one-line source" {
	cat >"$BATS_TEST_TMPDIR/a.list" <<-'END'
		# deb [signed-by=/no.gpg] http://a.example/debian old main
		deb cdrom:[Debian 12 _Bookworm_]/ bookworm main
		deb [arch=arm64] http://other.example/debian bookworm main
		  deb [ arch=amd64 signed-by=/one.gpg,/two.gpg check-valid-until=no trusted=yes ] http://a.example/debian bookworm main # mine
		deb [signed-by=/late.gpg] http://a.example/debian bookworm-updates main
	END
	run -0 other_suite http://a.example/debian/ "$BATS_TEST_TMPDIR/a.list"
	[ "$output" = 'Types: deb
URIs: http://a.example/debian
Suites: next
Components: main
Architectures: amd64
signed-by: /one.gpg,/two.gpg
check-valid-until: no' ]
}

@test "another suite is looked for on the mirror of a deb822 source" {
	cat >"$BATS_TEST_TMPDIR/a.sources" <<-'END'
		Types: deb
		URIs: http://other.example/debian
		Suites: bookworm
		Components: main
		Signed-By: /other.gpg

		# the mirrors of the cloud images
		types: deb deb-src
		URIs:
		 http://third.example/debian mirror+file:///etc/mirrors.list
		Suites: bookworm bookworm-updates
		Components: main
		# here is the key itself
		Signed-By:
		 -----BEGIN PGP PUBLIC KEY BLOCK-----
		 .
		 mDMEAA==
		 -----END PGP PUBLIC KEY BLOCK-----
		Trusted: yes
	END
	echo 'deb http://last.example/ubuntu noble main' \
	    >"$BATS_TEST_TMPDIR/z.list"
	run -0 other_suite mirror+file:/etc/mirrors.list/ \
	    "$BATS_TEST_TMPDIR/a.sources" "$BATS_TEST_TMPDIR/z.list"
	[ "$output" = 'Types: deb
URIs: mirror+file:///etc/mirrors.list
Suites: next
Components: main
Architectures: amd64
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEAA==
 -----END PGP PUBLIC KEY BLOCK-----' ]
	run -0 other_suite http://last.example/ubuntu/ \
	    "$BATS_TEST_TMPDIR/a.sources" "$BATS_TEST_TMPDIR/z.list"
	[ "${lines[1]}" = 'URIs: http://last.example/ubuntu' ]
	[ "${#lines[@]}" -eq 5 ]
}

@test "without sources another suite is trusted by the system's key" {
	run -0 other_suite http://a.example/debian/ /dev/null
	[ "${lines[1]}" = 'URIs: http://a.example/debian/' ]
	[ "${lines[5]}" = 'Signed-By: /default.gpg' ]
}

@test "run ends in the summary of make check and its status" {
	unset MAKEFLAGS MAKELEVEL
	checkout
	printf 'check:\n\t@echo first >&2; echo "check: 2 passed, 0 failed"\n' \
	    >"$BATS_TEST_TMPDIR/co/Makefile"
	run -0 "$CI_DIR/run"
	[ "$output" = "first
check: 2 passed, 0 failed" ]
	printf 'check:\n\t@echo "check: 1 passed, 1 failed $$CI"; exit 1\n' \
	    >"$BATS_TEST_TMPDIR/co/Makefile"
	run -2 --separate-stderr "$CI_DIR/run"
	[ "${lines[-1]}" = 'check: 1 passed, 1 failed true' ]
}
