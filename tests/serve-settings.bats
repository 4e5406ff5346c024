#!/usr/bin/env bats
# What ev-serve is told: options, the file of settings, and the files that these
# name. Nothing here listens, but for what shows that the sandbox holds.

load helper
load serve

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
}

teardown() {
	serve_stop
}

# says STATUS WORDS [OPTION...]: with --check-config, and exactly this.
says() {
	local status=$1 words=$2
	shift 2
	run "-$status" --separate-stderr ev-serve --check-config "$@"
	# shellcheck disable=SC2154 # run sets it
	diff <(printf '%s\n' "$words") <(printf '%s\n' "$stderr")
}

# finds LINE [OPTION...]: all is fine, and this line says what.
finds() {
	local line=$1
	shift
	run -0 --separate-stderr ev-serve --check-config "$@"
	[ -z "$stderr" ]
	printf '%s\n' "$output" | grep -qxF -- "$line"
}

secret() { # FILE [TEXT]
	(umask 077 && printf '%s\n' "${2-text}" >"$1")
}

# A certificate of its own, and its key.
certificate() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-keyout key.pem -out cert.pem 2>/dev/null
	chmod 600 key.pem
}

@test "-h and --version" {
	run -0 --separate-stderr ev-serve -h
	[ "${lines[0]}" = 'usage: ev-serve [-l LOG] [options]' ]
	[ -z "$stderr" ]
	run -0 ev-serve --version
	[[ $output == 'ev-serve '* ]]
	# neither looks at anything
	EV_SERVE=/nonexistent run -0 ev-serve -h
}

@test "what it needs is there without any option" {
	finds "ok log '$EV_LOG'"
	finds "ok address '127.0.0.1', port 8080"
	finds "ok log '$PWD/other.db'" -l other.db
	finds "ok socket 'serve.sock'" --socket serve.sock
}

@test "the default log's folder is made, another's has to be there" {
	unset EV_LOG
	finds "ok log '$XDG_STATE_HOME/ev/log.db'"
	[ -d "$XDG_STATE_HOME/ev" ]
	says 65 "ev-serve: the log '$PWD/none/log.db': there is no folder '$PWD/none'" -l none/log.db
	says 65 "ev-serve: the log 'postgres://host/db': expected a file" -l postgres://host/db
	[ ! -e none ]
	unset XDG_STATE_HOME HOME
	says 64 "ev-serve: which log? name it with -l or EV_LOG; 'ev-serve -h' shows how to use it"
}

@test "a wrong command line is 64 and says why" {
	local help="; 'ev-serve -h' shows how to use it"
	says 64 "ev-serve: option '--prot' is unknown, ambiguous, lacks its value or takes none$help" --prot 80
	says 64 "ev-serve: option '-x' is unknown or lacks its value$help" -x
	says 64 "ev-serve: 'log.db': ev-serve takes no operands, -l names the log$help" log.db
	says 64 "ev-serve: --port '65536': expected a number from 0 to 65535$help" -p 65536
	says 64 "ev-serve: --port '': expected a number from 0 to 65535$help" -p ''
	says 64 "ev-serve: --port '80x': expected a number from 0 to 65535$help" -p 80x
	says 64 "ev-serve: --address 'localhost': expected a numeric address such as 127.0.0.1 or ::1$help" -a localhost
	says 64 "ev-serve: --address '[::1]': expected a numeric address such as 127.0.0.1 or ::1$help" -a '[::1]'
	says 64 "ev-serve: --host 'a:80': expected the name of a host, without a port$help" --host a:80
	says 64 "ev-serve: --host 'a b': expected the name of a host, without a port$help" --host 'a b'
	says 64 "ev-serve: --origin 'null': expected a site such as https://rig.example.com, without a path$help" --origin null
	says 64 "ev-serve: --origin 'https://a/': expected a site such as https://rig.example.com, without a path$help" --origin https://a/
	says 64 "ev-serve: --max-body '1': expected a number from 1024 to 16777216$help" --max-body 1
	says 64 "ev-serve: --rate '-1': expected a number from 0 to 100000$help" --rate -1
	says 64 "ev-serve: --heartbeat '0': expected seconds, from 1 to 3600$help" --heartbeat 0
	says 64 "ev-serve: --keep-logs '7': expected a span such as 12h or 7d$help" --keep-logs 7
	says 64 "ev-serve: --tokens '': expected a file$help" --tokens ''
	says 64 "ev-serve: --config '': expected a file$help" --config ''
	says 64 "ev-serve: --tls-cert and --tls-key go together$help" --tls-cert a
	says 64 "ev-serve: --tls-cert and --tls-key go together$help" --tls-key a
	says 64 "ev-serve: --socket is instead of --address and --port$help" --socket a -p 80
	says 64 "ev-serve: --max-streams has to be less than --max-connections, for others are to get in, too$help" --max-streams 10 --max-connections 10
}

@test "a message may be JSON" {
	EV_ERRORS=json run -64 --separate-stderr ev-serve -p x
	jq -e '.command == "ev-serve" and .status == 64' <<<"$stderr"
}

@test "what others can reach needs tokens" {
	local why="without --tokens: anybody could read and append; --new-token makes one"
	says 65 "ev-serve: refusing to listen on '0.0.0.0' $why" -a 0.0.0.0
	says 65 "ev-serve: refusing to listen on '::' $why" -a ::
	says 65 "ev-serve: refusing to listen on '10.0.0.7' $why" -a 10.0.0.7
	says 65 "ev-serve: refusing to listen on '::ffff:127.0.0.1' $why" -a ::ffff:127.0.0.1
	# without --check-config it does not even begin
	run -65 --separate-stderr ev-serve -p 0 -a 0.0.0.0
	[ -z "$output" ]
	finds "ok address '127.1.2.3', port 1" -a 127.1.2.3 -p 1
	finds "ok address '::1', port 8080" -a ::1
	# who may open the file of a socket is its owner's business
	finds "ok socket 's'" --socket s
	ev-serve --tokens tokens --new-token a=read
	finds "ok address '0.0.0.0', port 8080" -q -a 0.0.0.0 --tokens tokens
	run -0 --separate-stderr ev-serve --check-config -a 0.0.0.0 --tokens tokens
	[[ $stderr == "ev-serve: '0.0.0.0' without TLS: "* ]]
}

@test "settings come from a file, by their long names" {
	mkdir etc
	ev-serve --tokens etc/tokens --new-token a=read
	secret etc/hook
	cat >etc/serve.yaml <<'END'
# all of them
address: "127.0.0.1"
port: 8081
log: ../log.db
host: [rig.example.com, "10.0.0.7"]
origin: https://rig.example.com
tokens: tokens
github-secret: hook
max-body: 2048
max-connections: 100
rate: 0
keep-logs: 2d
keep-logs-size: 1048576
heartbeat: 2.5
no-sandbox: false
quiet: true
END
	finds "ok config 'etc/serve.yaml'" --config etc/serve.yaml
	finds "ok address '127.0.0.1', port 8081" --config etc/serve.yaml
	# names of files begin where the file is
	finds "ok tokens 'etc/tokens': 1" --config etc/serve.yaml
	finds "ok GitHub's secret 'etc/hook'" --config etc/serve.yaml
	finds "ok log '$PWD/etc/../log.db'" --config etc/serve.yaml
	EV_SERVE=etc/serve.yaml finds "ok tokens 'etc/tokens': 1"
	# an option wins
	EV_SERVE=etc/serve.yaml finds "ok address '127.0.0.1', port 9" -p 9
	echo 'port: 7' >other.yaml
	EV_SERVE=etc/serve.yaml finds "ok address '127.0.0.1', port 7" --config other.yaml
	EV_SERVE='' finds "ok address '127.0.0.1', port 8080"
	# also over how it listens
	echo 'socket: s' >other.yaml
	finds "ok socket 's'" --config other.yaml
	finds "ok address '127.0.0.1', port 9" --config other.yaml -p 9
	finds "ok socket 'x'" --config etc/serve.yaml --socket x
	: >empty.yaml
	finds "ok config 'empty.yaml'" --config empty.yaml
}

@test "what is wrong in the file is told with its place" {
	cat >s.yaml <<'END'
port: "8080"
prot: 80
hosts: a
quiet: yes
origin:
  - https://a.example
  - http://b/c
tokens: [a]
heartbeat: 1h
keep-logs: 7
max-body: 1e6
address:
help: true
END
	run -65 --separate-stderr ev-serve --check-config --config s.yaml
	diff - <(printf '%s\n' "$stderr") <<'END'
ev-serve: s.yaml:1:7: 'port': expected a number
ev-serve: s.yaml:2:1: 'prot': there is no such setting; did you mean 'port'?
ev-serve: s.yaml:3:1: 'hosts': there is no such setting; did you mean 'host'?
ev-serve: s.yaml:4:8: 'quiet': expected true or false
ev-serve: s.yaml:7:5: 'origin': expected a site such as https://rig.example.com, without a path
ev-serve: s.yaml:8:9: 'tokens': expected a text
ev-serve: s.yaml:9:12: 'heartbeat': expected a number
ev-serve: s.yaml:10:12: 'keep-logs': expected a text
ev-serve: s.yaml:11:11: 'max-body': expected a number from 1024 to 16777216
ev-serve: s.yaml:12:9: 'address': expected a text
ev-serve: s.yaml:13:1: 'help': there is no such setting; ev-serve -h tells which there are
END
	[ -z "$output" ]
	# it does not begin with it, either
	run -65 ev-serve -p 0 --config s.yaml
	printf 'port: 1\nport: 2\n' >s.yaml
	run -65 --separate-stderr ev-serve --check-config --config s.yaml
	[[ $stderr == 'ev-serve: s.yaml:2:1: '* ]]
	printf -- '- port\n' >s.yaml
	says 65 'ev-serve: s.yaml:1:1: expected a map of settings' --config s.yaml
	says 65 "ev-serve: cannot read 'none.yaml': No such file or directory" --config none.yaml
	printf 'tls-cert: a\n' >s.yaml
	says 65 "ev-serve: --tls-cert and --tls-key go together ('s.yaml' may say one of them)" --config s.yaml
	printf 'socket: a\nport: 80\n' >s.yaml
	says 65 "ev-serve: --socket is instead of --address and --port ('s.yaml' may say one of them)" --config s.yaml
}

@test "--new-token adds a token and shows it once" {
	run -0 --separate-stderr ev-serve --tokens tokens --new-token ci=append,read
	[[ $output =~ ^evt_[A-Za-z0-9_-]{43}$ ]]
	[ -z "$stderr" ]
	[ "$(stat -c %a tokens)" = 600 ]
	local hash
	hash=$(printf %s "$output" | sha256sum | cut -d ' ' -f 1)
	diff tokens <(echo "ci read,append sha256:$hash")
	run ! grep -q evt_ tokens
	echo 'tokens: tokens' >s.yaml
	EV_SERVE=s.yaml run -0 ev-serve --new-token boss=admin
	[ "$(cut -d ' ' -f 1,2 tokens)" = $'ci read,append\nboss admin' ]
	finds "ok tokens 'tokens': 2" --tokens tokens
	# nothing listens, and no log is made
	[ ! -e "$EV_LOG" ]
}

@test "--new-token refuses what makes no sense, and changes nothing" {
	ev-serve --tokens tokens --new-token ci=read
	cp -p tokens before
	local help="; 'ev-serve -h' shows how to use it"
	run -1 --separate-stderr ev-serve --tokens tokens --new-token ci=admin
	[ "$stderr" = "ev-serve: 'ci': there is a token of this name in 'tokens'; take another, or remove its line first" ]
	[ -z "$output" ]
	for wrong in a.b=read =read a 'a b=read' a=; do
		run -64 --separate-stderr ev-serve --tokens tokens --new-token "$wrong"
		[[ $stderr == "ev-serve: --new-token '$wrong': "*"$help" ]]
	done
	run -64 --separate-stderr ev-serve --tokens tokens --new-token a=write
	[ "$stderr" = "ev-serve: --new-token 'a=write': scopes are read, append and admin, with commas between$help" ]
	run -64 --separate-stderr ev-serve --new-token a=read
	[ "$stderr" = "ev-serve: --new-token 'a=read': in which file? --tokens names it$help" ]
	run -65 ev-serve --tokens none/tokens --new-token a=read
	cmp tokens before
	echo nonsense >>tokens
	run -65 --separate-stderr ev-serve --tokens tokens --new-token a=read
	[ "$stderr" = 'ev-serve: tokens:2: expected NAME SCOPE[,SCOPE...] sha256:HEX' ]
}

@test "a token that cannot be shown is not added" {
	ev-serve --tokens tokens --new-token ci=read
	cp -p tokens before
	run -74 --separate-stderr pipe 'ev-serve --tokens tokens --new-token a=read >/dev/full'
	[[ $stderr == 'ev-serve: cannot write to standard output: '*'; there is no new token' ]]
	cmp tokens before
}

@test "tokens that are added at the same time are all there" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		ev-serve --tokens tokens --new-token "t$i=read" >>shown 3>&- &
	done
	wait
	[ "$(sort -u shown | wc -l)" = 8 ]
	finds "ok tokens 'tokens': 8" --tokens tokens
}

@test "tokens have to be there, one's own, and well written" {
	says 65 "ev-serve: cannot read the tokens 'tokens': No such file or directory" --tokens tokens
	secret tokens '# none'
	says 65 "ev-serve: the tokens 'tokens': there is none, so that nobody could do anything; --new-token makes one" --tokens tokens
	ev-serve --tokens tokens --new-token a=read
	chmod 640 tokens
	says 65 "ev-serve: the tokens 'tokens' can be read or changed by others: chmod 600 'tokens'" --tokens tokens
	chmod 400 tokens
	finds "ok tokens 'tokens': 1" --tokens tokens
	says 65 "ev-serve: the tokens '.' is no file" --tokens .
	mkfifo -m 600 pipe
	says 65 "ev-serve: the tokens 'pipe' is no file" --tokens pipe
}

@test "a certificate and its key are looked at" {
	certificate
	finds "ok certificate 'cert.pem', key 'key.pem'" --tls-cert cert.pem --tls-key key.pem
	says 65 "ev-serve: cannot read the certificate 'none': No such file or directory" --tls-cert none --tls-key key.pem
	says 65 "ev-serve: 'key.pem' holds no certificate: expected PEM" --tls-cert key.pem --tls-key key.pem
	cp cert.pem no-key.pem
	chmod 600 no-key.pem
	says 65 "ev-serve: 'no-key.pem' holds no private key: expected PEM" --tls-cert cert.pem --tls-key no-key.pem
	chmod 644 key.pem
	says 65 "ev-serve: the key 'key.pem' can be read or changed by others: chmod o= 'key.pem'" --tls-cert cert.pem --tls-key key.pem
	openssl rsa -aes128 -passout pass:x -in key.pem -out locked.pem 2>/dev/null
	chmod 600 locked.pem
	says 65 "ev-serve: the key 'locked.pem' is encrypted: nobody is there to be asked for its passphrase" --tls-cert cert.pem --tls-key locked.pem
}

@test "the secret, the rig and the dashboard are looked at" {
	secret hook
	finds "ok GitHub's secret 'hook'" --github-secret hook
	secret hook ''
	says 65 "ev-serve: the secret 'hook': its first line is empty" --github-secret hook
	chmod 644 hook
	says 65 "ev-serve: the secret 'hook' can be read or changed by others: chmod 600 'hook'" --github-secret hook
	echo 'repo: acme/app' >rig.yaml
	finds "ok rig 'rig.yaml'" --rig rig.yaml
	EV_RIG=rig.yaml finds "ok rig 'rig.yaml'"
	echo '- acme/app' >rig.yaml
	EV_RIG=rig.yaml says 65 'ev-serve: rig.yaml:1:1: expected a map'
	printf 'repo: a\nrepo: b\n' >rig.yaml
	run -65 --separate-stderr ev-serve --check-config --rig rig.yaml
	[[ $stderr == 'ev-serve: rig.yaml:2:1: '* ]]
	says 65 "ev-serve: cannot read 'none': No such file or directory" --rig none
	mkdir pages
	says 65 "ev-serve: the dashboard 'pages': cannot read 'pages/index.html': No such file or directory" --dashboard pages
	: >pages/index.html
	finds "ok dashboard 'pages'" --dashboard pages
}

@test "everything that is wrong is said at once" {
	run -65 --separate-stderr ev-serve --check-config --tokens none --rig none --dashboard none
	[ "${#stderr_lines[@]}" = 3 ]
	[[ $output == *'ok log '* ]]
	# what is printed has to arrive
	run -74 pipe 'ev-serve --check-config >/dev/full'
}

@test "tokens and cookies, as a client meets them" {
	local token cookie
	token=$(ev-serve --tokens tokens --new-token me=read)
	serve_start --tokens tokens
	run -0 curl -s -o /dev/null -w '%{http_code}' "$url/api/v1/head"
	[ "$output" = 401 ]
	run -0 curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" "$url/api/v1/head"
	[ "$output" = 200 ]
	run -0 curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" \
		--json '{"type":"MERGED","repo":"a/b","issueNumber":1,"prNumber":7}' "$url/api/events"
	[ "$output" = 403 ]
	cookie=$(curl -s -D - -o /dev/null --json "{\"token\":\"$token\"}" "$url/api/session" |
		sed -n 's/^Set-Cookie: \(ev_session=[^;]*\); HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200\r$/\1/p')
	[ -n "$cookie" ]
	run -0 curl -s -H "Cookie: $cookie" "$url/api/session"
	[ "$output" = '{"open":false,"name":"me","scopes":["read"]}' ]
	run -0 curl -s -o /dev/null -w '%{http_code}' -H "Cookie: $cookie" "$url/api/v1/head"
	[ "$output" = 200 ]
	run -0 curl -s -o /dev/null -w '%{http_code}' -H "Cookie: ${cookie%?}x" "$url/api/v1/head"
	[ "$output" = 401 ]
	# a cookie outlives the server, but not its token
	serve_stop
	serve_start --tokens tokens
	run -0 curl -s -o /dev/null -w '%{http_code}' -H "Cookie: $cookie" "$url/api/v1/head"
	[ "$output" = 200 ]
	ev-serve --tokens tokens --new-token other=read >other
	sed -i /^me/d tokens
	kill -HUP "$serve_pid"
	until [ "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(cat other)" "$url/api/v1/head")" = 200 ]; do :; done
	run -0 curl -s -o /dev/null -w '%{http_code}' -H "Cookie: $cookie" "$url/api/v1/head"
	[ "$output" = 401 ]
}

@test "a stream ends with its token" {
	local gone stays kept ended=()
	gone=$(ev-serve --tokens tokens --new-token gone=read)
	stays=$(ev-serve --tokens tokens --new-token stays=read)
	serve_start --tokens tokens
	listen() { # TOKEN PATH FILE
		exec curl -sN -m 30 -H 'Accept: text/event-stream' -H "Authorization: Bearer $1" "$url$2" >"$3" 3>&-
	}
	listen "$gone" /api/v1/events events &
	ended+=($!)
	listen "$gone" '/api/agent-logs?agentId=a' logs &
	ended+=($!)
	listen "$stays" /api/v1/events kept &
	kept=$!
	until [ -s events ] && [ -s logs ] && [ -s kept ]; do sleep 0.02; done
	sed -i /^gone/d tokens
	kill -HUP "$serve_pid"
	# 18: before the end of what is sent in pieces; 28: only curl gave up
	wait "${ended[0]}" || [ $? = 18 ]
	wait "${ended[1]}" || [ $? = 18 ]
	ev-append MERGED repo=a/b issueNumber:=1 prNumber:=7 -q
	until grep -q '^event: MERGED' kept; do kill -0 "$kept"; done
	run ! grep -q MERGED events
	serve_stop
	wait "$kept"
}

@test "a name that is not the server's, and pages of others, are refused" {
	serve_start --host rig.example.com --origin https://rig.example.com
	code() {
		curl -s -o /dev/null -w '%{http_code}' "$@"
	}
	[ "$(code -H 'Host: evil.example' "$url/health")" = 421 ]
	[ "$(code -H 'Host: localhost@evil.example' "$url/health")" = 421 ]
	[ "$(code -H 'Host: RIG.example.com.:443' "$url/health")" = 200 ]
	post() {
		code --json '{"type":"MERGED","repo":"a/b","issueNumber":1,"prNumber":7}' "$@" "$url/api/events"
	}
	[ "$(post -H 'Origin: http://evil.example')" = 403 ]
	[ "$(post -H 'Origin: null')" = 403 ]
	[ "$(post -H 'Sec-Fetch-Site: cross-site')" = 403 ]
	[ ! -e "$EV_LOG" ] || run -1 ev-cat
	[ "$(post -H "Origin: $url")" = 200 ]
	[ "$(post -H 'Origin: https://rig.example.com')" = 200 ]
	[ "$(code -H 'Sec-Fetch-Site: cross-site' "$url/api/assignments/next?agentId=a")" = 403 ]
}

@test "at a rate, and no faster" {
	serve_start --rate 3
	for i in 1 2 3 4 5 6; do
		curl -s -o /dev/null -w '%{http_code} %header{retry-after}\n' "$url/health"
	done >codes
	grep -qx '200 ' codes
	grep -qx '429 1' codes
}

@test "the server is in its sandbox" {
	serve_start
	grep -qx 'NoNewPrivs:	1' "/proc/$serve_pid/status"
	# what kernels have that are built with seccomp
	[ ! -e /proc/sys/kernel/seccomp ] || grep -qx 'Seccomp:	2' "/proc/$serve_pid/status"
	grep -q '^Max core file size  *0  *0 ' "/proc/$serve_pid/limits"
	serve_stop
	serve_start --no-sandbox
	grep -qx 'NoNewPrivs:	0' "/proc/$serve_pid/status"
}
