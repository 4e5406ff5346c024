# shellcheck shell=sh disable=SC2034,SC2154 # shared with the scripts, common.sh
# GitHub's REST API for the rig scripts; read with '.', after http.sh.
#
#	github_begin		before anything else
#	github METHOD PATH	asks, and succeeds if GitHub did as told
#	github_all PATH		asks for every page
#	github_issue REPO NUMBER
#				prints an issue as GitHub has it
#	github_links REPO FILE	which issues do pull requests close?
#
# Rate limits are waited for and failures repeated here. Whoever gets no answer
# in the end, is refused the token, or would wait for too long, has ended.

# Sets $github_api and $github_token, and $github_known if anybody configured
# any of it.
github_begin() {
	http_begin
	read_config
	github_file=
	github_api=
	if [ "$config" != '{}' ]; then
		{
			IFS= read -r github_api
			IFS= read -r github_file
		} <<-END
			$(printf '%s' "$config" |
			    jq -r '.github | .api // "", .["token-file"] // ""')
		END
	fi
	[ -z "$github_file" ] || github_file=$(config_path "$github_file")
	github_api=${GITHUB_API_URL:-$github_api}
	github_file=${GITHUB_TOKEN_FILE:-$github_file}
	github_token=${GITHUB_TOKEN:-${GH_TOKEN-}}
	if [ -z "$github_token" ] && [ "$github_file" ]; then
		read_secret "$github_file"
		github_token=$secret
	fi
	case $github_token in
	*[!!-~]*) fail 65 'the token for GitHub has blanks or control' \
	    'characters in it' ;;
	esac
	github_known=$github_api$github_token
	github_api=${github_api:-https://api.github.com}
	github_api=${github_api%/}
	github_host=${github_api#*://}
	github_origin=${github_api%%://*}://${github_host%%/*}
	# anybody on the way could read a token
	[ -z "$github_token" ] || case $github_origin in
	*@* | http://127.*[!0-9.:]*) false ;;
	https://* | http://127.* | http://localhost | http://localhost:*) ;;
	*) false ;;
	esac || fail 64 "'$github_api': a token is sent by https only"
	patience=${EV_HTTP_WAIT:-120}
	case $patience in
	*[!0-9]*) misuse "EV_HTTP_WAIT=$patience: expected whole seconds" ;;
	esac
}

need_github() {
	[ "$github_token" ] || fail 69 'there is no token for GitHub: set' \
	    'GITHUB_TOKEN, or github.token-file in rig.yaml'
}

# Is this the name of a repository? It becomes part of a path.
is_repo() {
	case $1 in
	*/*/* | *[!A-Za-z0-9._/-]* | ./* | ../* | */. | */..) return 1 ;;
	?*/?*) return 0 ;;
	esac
	return 1
}

# What GitHub says is wrong, for a message.
github_says() {
	jq -rn 'include "rig"; "GitHub says: \(input.message
	    | if type == "string" then . else error("no message") end
	    | .[:200] | visible)"' -L "$rig_share" \
	    "$http_answer" 2>/dev/null || echo "GitHub says $http_status"
}

# wait_for_limit: as long as the answer says, if that is not too long.
wait_for_limit() {
	[ "$wait_seconds" -le "$patience" ] ||
	    fail 75 "GitHub's rate limit: repeat this in $wait_seconds s"
	[ "$wait_seconds" -gt 0 ] || wait_seconds=1
	patience=$((patience - wait_seconds))
	say "GitHub's rate limit: waiting $wait_seconds s"
	http_pause "$wait_seconds"
}

# Does the answer say that we asked too often? Sets $wait_seconds.
is_limit() {
	case $http_status in
	403 | 429) ;;
	*) return 1 ;;
	esac
	http_wait && return
	# a limit of which GitHub tells no end lasts a minute at least
	wait_seconds=60
	[ "$http_status" = 429 ] ||
	    jq -e '.message | test("rate limit"; "i")' "$http_answer" \
	        >/dev/null 2>&1
}

# Is it one JSON text? Between us and GitHub there may be others who answer.
is_answer() {
	jq -es 'length == 1 and (.[0] | type | IN("object", "array"))' \
	    "$http_answer" >/dev/null 2>&1
}

# Sets $github_url to where the answer sends us, if that is the same server.
github_redirect() {
	github_url=$(http_header location)
	case $github_url in
	/*) github_url=$github_origin$github_url ;;
	"$github_origin"/*) ;;
	*) return 1 ;;
	esac
}

# github METHOD PATH: sends the file $http_body, if it names one. The answer is
# in $http_answer. It fails when GitHub refuses, with $http_status telling why;
# and a POST also when nobody knows what became of it, which only looking can
# tell.
github() {
	github_url=$github_api$2 tries=3 pause=${EV_HTTP_BACKOFF:-1} hops=3
	case $2 in
	"$github_origin"/*) github_url=$2 ;;
	esac
	http_headers="Accept: application/vnd.github+json
X-GitHub-Api-Version: 2022-11-28
User-Agent: ev-rig"
	[ -z "$github_token" ] || http_headers="$http_headers
Authorization: Bearer $github_token"
	[ -z "$http_body" ] || http_headers="$http_headers
Content-Type: application/json"
	while :; do
		http "$1" "$github_url"
		if is_limit; then
			wait_for_limit
			continue
		fi
		case $1$http_status in
		GET2??)
			is_answer || fail 69 "$http_host: this is no answer of" \
			    "GitHub: see GITHUB_API_URL and github.api"
			return
			;;
		*2??) return ;;
		*401) fail 69 "$http_host refuses the token: $(github_says)" ;;
		GET30[1278] | *30[78])
			hops=$((hops - 1))
			[ "$hops" -ge 0 ] && github_redirect || return
			continue
			;;
		POST000 | POST5??) return 1 ;;
		*000 | *5??) ;;
		*) return 1 ;;
		esac
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail 69 "cannot reach $http_host:" \
		    "${http_error:-it answers $http_status}; repeat this later"
		http_pause "$pause"
		pause=$(awk -v pause="$pause" 'BEGIN { print pause * 2 }')
	done
}

# github_post PATH COMMAND...: as github POST, but repeated as long as nobody
# knows what became of it and COMMAND does not find it done.
github_post() {
	post=$1 posts=3
	shift
	while ! github POST "$post"; do
		case $http_status in
		000 | 5??) ;;
		*) return 1 ;;
		esac
		posts=$((posts - 1))
		[ "$posts" -gt 0 ] || fail 69 "cannot reach $http_host:" \
		    "${http_error:-it answers $http_status}; repeat this later"
		http_pause "${EV_HTTP_BACKOFF:-1}"
		kept=$http_body http_body=
		"$@" && return
		http_body=$kept
	done
}

# github_all PATH: leaves the pages, arrays one after another, in the file
# $github_pages.
github_all() {
	github_pages=$http_dir/pages page=$1 pages=1000
	: >"$github_pages"
	while [ "$page" ] && [ "$pages" -gt 0 ]; do
		pages=$((pages - 1))
		github GET "$page" || return
		{
			cat "$http_answer"
			echo
		} >>"$github_pages" || fail 74 "cannot write '$github_pages'"
		page=$(http_header link | tr , '\n' | sed -n \
		    's/^ *<\([^>]*\)>.*; *rel="\{0,1\}next"\{0,1\}.*/\1/p' |
		    head -n 1)
		case $page in
		'' | "$github_origin"/*) ;;
		*) fail 69 "$http_host: its next page is on another server" ;;
		esac
	done
}

# github_issue REPO NUMBER: prints it, as JSON. Fails if there is none.
github_issue() {
	is_repo "$1" || fail 64 "'$1': no repository of GitHub"
	github GET "/repos/$1/issues/$2" ||
	    fail 1 "cannot read $1#$2: $(github_says)"
	cat "$http_answer"
}

# github_links REPO FILE: of the pull requests in FILE leaves, in $github_linked,
# {"prNumber", "streamId"} for each issue that the text of one closes. What does
# that, ev-from-github knows; a branch's name, which tells it something as well,
# is kept from it.
github_links() {
	github_linked=$http_dir/linked
	if ! jq -c --arg repo "$1" '(.html_url // "" | tostring) as $url
	    | {action: "opened", number, pull_request: {number, body, html_url: $url,
	        created_at, user: {login: "nobody"}, head: {ref: ""}},
	       repository: {full_name: $repo,
	        html_url: ($url | split("/")[:5] | join("/"))}}' \
	    "$2" >"$http_dir/payloads" || ! ev-from-github -q -e pull_request \
	    "$http_dir/payloads" >"$http_dir/links" || ! jq -c \
	    '{prNumber, streamId: "\(.repo)#\(.issueNumber)"}' \
	    "$http_dir/links" >"$github_linked"; then
		fail 74 "cannot tell which issues the pull requests of $1 close"
	fi
}
