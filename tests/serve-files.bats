#!/usr/bin/env bats
load helper
load serve

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p pages/js/deep pages/.git
	echo '<!doctype html><title>front</title>' >pages/index.html
	echo 'export const one = 1' >pages/js/app.mjs
	printf '\0\1\2\377' >pages/icon.png
	echo classified >secret.txt
	echo classified >pages/.secret.txt
	echo classified >pages/.git/config.txt
	echo classified >pages/js/deep/deep.txt
	echo classified >pages/notes.orig
}

teardown() {
	serve_stop
}

# The status goes to $code, the headers to headers, the body to body.
call() { # CURL-ARGUMENT...
	: >body
	code=$(curl -sS --path-as-is -D headers -o body -w '%{http_code}' "$@")
}

header() { # NAME
	tr -d '\r' <headers | sed -n "s/^$1: //Ip"
}

@test "the files of the dashboard are served, each as what it is" {
	for name in a.css b.js c.svg d.json e.webmanifest f.ico g.txt h.map; do
		echo "$name" >"pages/$name"
	done
	serve_start --dashboard pages
	while read -r path type; do
		call "$url/$path"
		[ "$code" = 200 ]
		[ "$(header content-type)" = "$type" ] ||
			{ echo "$path: $(header content-type)"; return 1; }
		cmp body "pages/${path:-index.html}"
		[ "$(header x-content-type-options)" = nosniff ]
		[ "$(header referrer-policy)" = no-referrer ]
		[ "$(header cross-origin-resource-policy)" = same-origin ]
		[ "$(header cache-control)" = no-cache ]
		[ "$(header content-security-policy)" = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; manifest-src 'self'" ]
	done <<-'END'
		index.html text/html; charset=utf-8
		js/app.mjs text/javascript; charset=utf-8
		icon.png image/png
		a.css text/css; charset=utf-8
		b.js text/javascript; charset=utf-8
		c.svg image/svg+xml
		d.json application/json
		e.webmanifest application/manifest+json
		f.ico image/x-icon
		g.txt text/plain; charset=utf-8
		h.map application/json
	END
	call "$url/"
	[ "$code" = 200 ]
	cmp body pages/index.html
	call "$url/?from=somewhere"
	cmp body pages/index.html
}

@test "what has not changed is not sent again" {
	serve_start --dashboard pages
	call "$url/"
	tag=$(header etag)
	[[ $tag == '"'*'"' ]]
	call -H "If-None-Match: $tag" "$url/index.html"
	[ "$code" = 304 ]
	[ ! -s body ]
	[ "$(header etag)" = "$tag" ]
	call -H 'If-None-Match: "other"' "$url/"
	[ "$code" = 200 ]
	call -I "$url/"
	[ "$code" = 200 ]
	[ "$(header etag)" = "$tag" ]
	[ "$(header content-length)" = "$(stat -c %s pages/index.html)" ]
	serve_stop
	echo more >>pages/index.html
	serve_start --dashboard pages
	call -H "If-None-Match: $tag" "$url/"
	[ "$code" = 200 ]
	[ "$(header etag)" != "$tag" ]
}

@test "no path leads out of the folder, or to what is not for the web" {
	serve_start --dashboard pages
	while read -r path; do
		call "$url$path"
		[ "$code" = 404 ] || [ "$code" = 400 ] ||
			{ echo "$path: $code"; return 1; }
		run ! grep -q classified body
	done <<-'END'
		/../secret.txt
		/%2e%2e/secret.txt
		/..%2fsecret.txt
		/js/../../secret.txt
		/js/..%2f..%2fsecret.txt
		/js%2f..%2f..%2fsecret.txt
		//secret.txt
		/./secret.txt
		/.secret.txt
		/.git/config.txt
		/js/deep/deep.txt
		/notes.orig
		/INDEX.HTML
		/index.html/
		/index.html%00
		/index.html%00.txt
		/js
		/js/
		/js/deep
		/etc/passwd
		//etc/passwd
		/%2fetc%2fpasswd
	END
	call "$url/js/none.mjs"
	[ "$code" = 404 ]
	[ "$(header content-type)" = application/problem+json ]
	jq -e '.code == "not-found"' body
	call -X POST "$url/index.html"
	[ "$code" = 404 ]
}

@test "a folder that cannot be served is told before anything listens" {
	run -65 --separate-stderr serve_start --dashboard nowhere
	[[ $stderr == *"'nowhere"*': No such file'* ]]
	ln -s nothing pages/dangling.txt
	run -65 --separate-stderr serve_start --dashboard pages
	[[ $stderr == *"dangling.txt': No such file"* ]]
	rm pages/dangling.txt
	head -c 4194304 /dev/zero >pages/big.txt
	run -65 --separate-stderr serve_start --dashboard pages
	[[ $stderr == *'files are over 4194304 bytes'* ]]
}

@test "without a folder it is the dashboard that comes with the program" {
	serve_start
	call "$url/"
	[ "$code" = 200 ]
	cmp body "$ROOT/share/dashboard/index.html"
	for file in "$ROOT"/share/dashboard/*.*; do
		call "$url/${file##*/}"
		[ "$code" = 200 ] || { echo "$file"; return 1; }
		cmp body "$file"
	done
}

@test "the description of the API is served as YAML and as JSON" {
	serve_start
	call "$url/api/openapi.yaml"
	[ "$code" = 200 ]
	[ "$(header content-type)" = application/yaml ]
	cmp body "$ROOT/schemas/http/openapi.yaml"
	call "$url/api/openapi.json"
	[ "$code" = 200 ]
	[ "$(header content-type)" = application/json ]
	ev-from-yaml "$ROOT/schemas/http/openapi.yaml" | tr -d '\n' | cmp - body
	jq -e '.openapi | startswith("3.1")' body
	call -H "If-None-Match: $(header etag)" "$url/api/openapi.json"
	[ "$code" = 304 ]
	call "$url/api/openapi.json?pretty=1"
	[ "$code" = 400 ]
}

# ev-serve, and what it needs, as installed under $1.
install_to() {
	mkdir -p "$1/bin" "$1/share/ev/schemas/http"
	cp "$(command -v ev-serve)" "$(command -v ev-project)" "$1/bin"
	cp "$ROOT"/schemas/*.yaml "$1/share/ev/schemas"
	cp -R "$ROOT/share/rig" "$ROOT/share/projections" "$1/share/ev"
	unset EV_SCHEMAS
	PATH=$BATS_TEST_TMPDIR/$1/bin:$PATH
	hash -r
}

@test "it finds its files where they are installed, and does without them" {
	install_to there
	serve_start
	call "$url/"
	[ "$code" = 404 ]
	call "$url/api/openapi.json"
	[ "$code" = 404 ]
	call "$url/metrics"
	[ "$code" = 200 ]
	serve_stop
	cp -R pages there/share/ev/dashboard
	printf '%s\n' 'openapi: 3.1.0' 'n: 1.50' 'list: [yes, "é"]' \
		>there/share/ev/schemas/http/openapi.yaml
	serve_start
	call "$url/js/app.mjs"
	[ "$code" = 200 ]
	call "$url/api/openapi.json"
	[ "$(cat body)" = '{"openapi":"3.1.0","n":1.50,"list":["yes","é"]}' ]
	call "$url/api/openapi.yaml"
	cmp body there/share/ev/schemas/http/openapi.yaml
}

@test "a description of the API that is wrong is told with its place" {
	install_to there
	printf 'a: 1\na: 2\n' >there/share/ev/schemas/http/openapi.yaml
	run -65 --separate-stderr serve_start
	[[ $stderr == *'/share/ev/schemas/http/openapi.yaml:2:1: '* ]]
}
