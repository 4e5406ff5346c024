# shellcheck shell=sh disable=SC2034,SC2154 # the variables are run's
# The budgets of ev-serve; a part of run. The ceiling is nginx on the same
# machine, serving a file as long as the answer that is asked for.

serve_log=$dir/serve.db
head -n 100000 "$dir/events.ndjson" |
	"$bin/ev-append" -q -l "$serve_log"
"$bin/ev-project" -l "$serve_log" issue-status agent-status agent-queue \
	daily-cost token-usage

mkfifo "$dir/serve.url"
"$bin/ev-serve" -q -p 0 -l "$serve_log" >"$dir/serve.url" &
serve=$!
read -r url <"$dir/serve.url"

mkdir "$dir/nginx"
curl -sf "${url}health" >"$dir/nginx/health"
# as root it would read the file as another user
user=
[ "$(id -u)" -ne 0 ] || user='user root;'
cat >"$dir/nginx.conf" <<END
$user
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path $dir/nginx/1;
	proxy_temp_path $dir/nginx/2;
	fastcgi_temp_path $dir/nginx/3;
	uwsgi_temp_path $dir/nginx/4;
	scgi_temp_path $dir/nginx/5;
	server { listen 127.0.0.1:@PORT@; root $dir/nginx; }
}
END
# the first port that is free from here on
nginx=
for port in $(seq 18080 18180); do
	sed "s/@PORT@/$port/" "$dir/nginx.conf" >"$dir/nginx.now"
	PATH=$PATH:/usr/sbin nginx -c "$dir/nginx.now" 2>/dev/null &
	nginx=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		curl -sf "http://127.0.0.1:$port/health" >/dev/null && break 2
		kill -0 "$nginx" 2>/dev/null || break
		sleep 0.1
	done
done
trap 'kill $serve $nginx 2>/dev/null; rm -rf "$dir"' EXIT INT TERM

# load SECONDS URL [SCRIPT]: requests a second, and the p99 in ms
load() {
	wrk -t 1 -c 64 -d "$1" --latency ${3:+-s "$3"} "$2" >"$dir/wrk"
	! grep -q 'Non-2xx\|Socket errors' "$dir/wrk" || {
		cat "$dir/wrk" >&2
		missed=1
	}
	awk '/Requests\/sec/ { rate = $2 }
		$1 == "99%" { p99 = $2; unit = $2; gsub(/[0-9.]/, "", unit)
			sub(/[a-z]+/, "", p99)
			p99 *= unit == "us" ? 0.001 : unit == "s" ? 1000 : 1 }
		END { printf "%.0f %.2f\n", rate, p99 }' "$dir/wrk"
}

ours=$(load 5 "${url}health")
peer=$(load 5 "http://127.0.0.1:$port/health")
row 'GET, 64 connections: /s (nginx, a file)' "${ours% *}" "${peer% *}" \
	"$(echo "${ours% *} ${peer% *}" | awk '{ printf "%.2f", $1 / $2 }')" ''

for path in api/queue 'api/issues?state=open' api/agents api/costs/summary; do
	ours=$(load 3 "$url$path")
	row "GET $path: /s, p99" "${ours% *}" "${ours#* } ms" '' ''
done

# Every POST is durable when it is answered: one at a time each pays a sync, of
# 64 all that wait share one.
cat >"$dir/post.lua" <<'END'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"type":"HEARTBEAT","agentId":"dev-1","status":"working"}'
END
ours=$(wrk -t 1 -c 1 -d 5 -s "$dir/post.lua" "${url}api/events" |
	awk '/Requests\/sec/ { print $2 }')
crowd=$(load 5 "${url}api/events" "$dir/post.lua")
judge 'POST, 1 : 64 connections, /s' "$ours" "${crowd% *}" \
	"$(echo "$ours ${crowd% *}" | awk '{ printf "%.2f", $1 / $2 }')" 0.25

# 2,000 readers of 100 events a second.
port=${url##*:}
figures=$("$dir/sse" "${port%/}" "$serve" 2000 100 10)
# shellcheck disable=SC2086 # p50, p99 and the longest in ms, KiB a reader
set -- $figures
judge '2000 readers, 100/s: p99 : 250 ms' "$2 ms" '250 ms' \
	"$(echo "$2" | awk '{ printf "%.2f", $1 / 250 }')" 1
judge '2000 readers: memory of one : 64 KiB' "$4 KiB" '64 KiB' \
	"$(echo "$4" | awk '{ printf "%.2f", $1 / 64 }')" 1
kill "$serve" "$nginx" 2>/dev/null
wait "$serve" || missed=1
