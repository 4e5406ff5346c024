#include "cmd/serve.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "adapter/crypto.h"
#include "base/opt.h"
#include "base/utf8.h"
#include "cmd/serve_access.h"
#include "cmd/serve_loop.h"
#include "domain/json.h"

enum {
	SHORT = 64 * 1024,           /* bytes of an answer that never waits */
	HELD_MAX = 256 * 1024 * 1024 /* of all that are on their way */
};

/* ---- what was asked */

struct ev_str
serve_param(const struct serve_request *request, const char *name)
{
	for (size_t i = 0; i < request->query_count; i++)
		if (ev_str_equal(request->query[i].name, ev_str(name)))
			return request->query[i].value;
	return (struct ev_str){ 0 };
}

static bool
is_among(struct ev_str name, const char *const *names)
{
	for (; *names; names++)
		if (ev_str_equal(name, ev_str(*names)))
			return true;
	return false;
}

bool
serve_params_known(struct serve_request *request, const char *const *names)
{
	struct ev_buf known = { 0 };

	for (size_t i = 0; i < request->query_count; i++) {
		struct ev_str name = request->query[i].name;

		if (is_among(name, names))
			continue;
		for (const char *const *p = names; *p; p++)
			ev_buf_printf(&known, "%s%s", p > names ? ", " : "", *p);
		ev_buf_add_char(&known, '\0');
		serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
		              "'%.*s': no such parameter; %s%s",
		              EV_FMT(name),
		              *names ? "there are " : "there is none here",
		              known.ptr);
		ev_buf_release(&known);
		return false;
	}
	return true;
}

bool
serve_param_int(struct serve_request *request, const char *name, int64_t min,
                int64_t max, int64_t *number)
{
	struct ev_str text = serve_param(request, name);

	/* the arena's copy ends in NUL; one inside ends it early */
	if (!text.ptr || (strlen(text.ptr) == text.len &&
	                  ev_opt_int(text.ptr, min, max, number)))
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "%s '%.*s': expected a number from %lld to %lld", name,
	              EV_FMT(text), (long long)min, (long long)max);
	return false;
}

bool
serve_wants_stream(const struct serve_request *request)
{
	struct ev_str accept = ev_http_header(request->http, "Accept");
	struct ev_str type = EV_STR("text/event-stream");

	for (size_t i = 0; i + type.len <= accept.len; i++)
		if (strncasecmp(accept.ptr + i, type.ptr, type.len) == 0)
			return true;
	return false;
}

/* ---- answers */

void
serve_header(struct serve_request *request, const char *name,
             struct ev_str value)
{
	struct serve_answer *answer = &request->answer;
	char *copy = (char *)ev_arena_dup(&request->arena, value).ptr;

	assert(answer->header_count < SERVE_HEADERS);
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)copy[i] < ' ' || copy[i] == 0x7f)
			copy[i] = ' ';
	answer->headers[answer->header_count++] =
		(struct ev_http_header){ name, copy };
}

struct ev_buf *
serve_json(struct serve_request *request)
{
	request->answer.status = 200;
	request->answer.type = "application/json";
	ev_buf_reset(&request->answer.body);
	return &request->answer.body;
}

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Error";
}

void
serve_problem(struct serve_request *request, int status, const char *code,
              struct ev_str members, const char *format, ...)
{
	struct ev_buf *out = &request->answer.body;
	struct ev_err detail;
	va_list arguments;

	va_start(arguments, format);
	ev_err_vset(&detail, EV_OK, format, arguments);
	va_end(arguments);
	ev_buf_reset(out);
	ev_buf_printf(out, "{\"type\":\"urn:ev:problem:%s\",\"title\":\"%s\","
	              "\"status\":%d,\"detail\":", code, reason(status),
	              status);
	ev_json_write_string(out, ev_str(detail.text));
	ev_buf_add_str(out, EV_STR(",\"error\":"));
	ev_json_write_string(out, ev_str(detail.text));
	ev_buf_printf(out, ",\"code\":\"%s\"", code);
	ev_buf_add_str(out, members);
	ev_buf_add_char(out, '}');
	request->answer.status = status;
	request->answer.type = "application/problem+json";
}

static bool
ends_in(const char *text, const char *words)
{
	size_t len = strlen(text), size = strlen(words);

	return len >= size && strcmp(text + len - size, words) == 0;
}

/* By the words that end the message, the system's or SQLite's; numbers do not
   travel. */
static bool
is_full(const struct ev_err *err)
{
	return ends_in(err->text, strerror(ENOSPC)) ||
	       ends_in(err->text, strerror(EDQUOT)) ||
	       ends_in(err->text, "disk is full");
}

void
serve_fail(struct serve_request *request, enum ev_status status,
           const struct ev_err *err)
{
	static const struct {
		enum ev_status status;
		int http;
		const char *code;
	} meanings[] = {
		{ EV_NO, 404, "not-found" },
		{ EV_USAGE, 400, "bad-request" },
		{ EV_BAD_INPUT, 400, "bad-request" },
		{ EV_CONFLICT, 409, "conflict" },
		{ EV_BUSY, 503, "busy" },
		{ EV_UNREACHABLE, 503, "unreachable" },
	};
	int http = 500;
	const char *code = "io";

	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].status == status) {
			http = meanings[i].http;
			code = meanings[i].code;
		}
	if (status == EV_IO && is_full(err)) {
		http = 503;
		code = "disk-full";
	}
	serve_problem(request, http, code, (struct ev_str){ 0 }, "%s",
	              err->text);
	if (http == 503)
		serve_header(request, "Retry-After",
		             ev_str(status == EV_BUSY ? "1" : "10"));
}

/* ---- on their way out */

size_t
serve_bucket(int64_t micros)
{
	static const int64_t limits[] = { 1000, 2500, 5000, 10000, 25000, 50000,
	                                  100000, 250000, 500000, 1000000,
	                                  2500000 };
	size_t i = 0;

	while (i < sizeof limits / sizeof *limits && micros > limits[i])
		i++;
	return i;
}

static void
count_answer(struct serve *serve, const struct serve_request *request)
{
	struct serve_counts *counts = &serve->counts;
	int status = request->answer.status;
	int64_t took = ev_time_steady() - request->begun;

	counts->requests[status / 100 % 6]++;
	counts->refused += status == 413 || status == 429 || status == 431 ||
	                   status == 503;
	counts->request_seconds[serve_bucket(took)]++;
	counts->request_micros += (uint64_t)took;
}

/* Of the body's hash, in quotes, as an entity tag. */
static const char *
make_tag(struct serve_request *request)
{
	unsigned char hash[EV_CRYPTO_HASH];
	struct ev_buf text = { 0 };
	const char *tag;

	ev_crypto_hash(hash, ev_buf_str(&request->answer.body));
	ev_buf_add_char(&text, '"');
	for (int i = 0; i < 12; i++)
		ev_buf_printf(&text, "%02x", hash[i]);
	ev_buf_add_char(&text, '"');
	tag = ev_arena_dup(&request->arena, ev_buf_str(&text)).ptr;
	ev_buf_release(&text);
	return tag;
}

static const char *
find_header(const struct serve_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->header_count; i++)
		if (strcmp(answer->headers[i].name, name) == 0)
			return answer->headers[i].value;
	return NULL;
}

/* Is the tag in the list, as If-None-Match compares (RFC 9110, 13.1.2)? */
static bool
has_tag(struct ev_str list, const char *tag)
{
	size_t len = strlen(tag);

	if (ev_str_equal(list, EV_STR("*")))
		return true;
	for (size_t i = 0; i + len <= list.len; i++)
		if (memcmp(list.ptr + i, tag, len) == 0)
			return true;
	return false;
}

/* May a client keep it, to ask whether it has changed? */
static bool
may_be_kept(const struct serve_request *request)
{
	int status = request->answer.status;

	return (status == 200 || status == 304) && request->route &&
	       strcmp(request->route->method, "GET") == 0 &&
	       !(request->route->flags & (SERVE_STREAM | SERVE_CHANGES));
}

/* What has not changed is not sent again. */
static void
tag(struct serve_request *request)
{
	struct serve_answer *answer = &request->answer;
	const char *value;

	if (!may_be_kept(request))
		return;
	value = find_header(answer, "ETag");
	if (!value) {
		value = make_tag(request);
		serve_header(request, "ETag", ev_str(value));
	}
	if (!request->if_none_match.len ||
	    !has_tag(request->if_none_match, value))
		return;
	/* the body stays: its length is told, and an answer without one would be
	   chunked */
	answer->status = 304;
}

/* What every answer says, and the handler's own. */
static size_t
all_headers(struct serve_request *request, struct ev_http_header *headers)
{
	const struct serve_answer *answer = &request->answer;
	bool cached = find_header(answer, "Cache-Control") != NULL;
	size_t count = 0;

	headers[count++] = (struct ev_http_header){ "X-Content-Type-Options",
	                                            "nosniff" };
	headers[count++] = (struct ev_http_header){ "Referrer-Policy",
	                                            "no-referrer" };
	headers[count++] = (struct ev_http_header){
		"Cross-Origin-Resource-Policy", "same-origin"
	};
	if (!cached)
		headers[count++] = (struct ev_http_header){
			"Cache-Control",
			may_be_kept(request) ? "no-cache" : "no-store"
		};
	if (answer->type && answer->status != 304)
		headers[count++] = (struct ev_http_header){ "Content-Type",
		                                            answer->type };
	for (size_t i = 0; i < answer->header_count; i++)
		headers[count++] = answer->headers[i];
	return count;
}

/* Answers that nobody takes fill memory: beyond a limit, long ones have to
   wait. */
static void
hold(struct serve_request *request)
{
	size_t *held = &request->serve->held;
	size_t len = request->answer.body.len;

	if (len > SHORT && *held + len > HELD_MAX) {
		serve_problem(request, 503, "busy", (struct ev_str){ 0 },
		              "%zu MiB of answers are on their way: try again",
		              *held >> 20);
		serve_header(request, "Retry-After", EV_STR("1"));
		len = request->answer.body.len;
	}
	request->held = len;
	*held += len;
}

void
serve_finish(struct serve_request *request)
{
	struct ev_http_header headers[SERVE_HEADERS + 6];
	struct ev_http_answer answer = { .headers = headers };

	assert(request->answer.status);
	hold(request);
	tag(request);
	answer.status = request->answer.status;
	answer.body = ev_buf_str(&request->answer.body);
	answer.header_count = all_headers(request, headers);
	answer.close = request->serve->stopping;
	count_answer(request->serve, request);
	ev_http_answer(request->http, &answer);
	ev_buf_release(&request->answer.body);
}

void
serve_stream(struct serve_request *request, struct ev_str beginning,
             const struct ev_http_source *source)
{
	struct ev_http_header headers[SERVE_HEADERS + 6];
	struct ev_http_answer answer = { .status = 200, .body = beginning,
	                                 .headers = headers };

	request->answer.status = 200;
	request->answer.type = "text/event-stream";
	answer.header_count = all_headers(request, headers);
	request->serve->counts.requests[2]++;
	request->link = &request->serve->streams;
	request->after = *request->link;
	if (request->after)
		request->after->link = &request->after;
	*request->link = request;
	ev_http_stream(request->http, &answer, source);
}

void
serve_wake(struct serve *serve)
{
	uint64_t one = 1;

	/* full means that it will wake anyway */
	if (write(serve->wake_fd, &one, sizeof one) != sizeof one)
		return;
}

void
serve_done(struct serve_request *request)
{
	struct serve *serve = request->serve;

	pthread_mutex_lock(&serve->lock);
	request->next = serve->done;
	serve->done = request;
	pthread_mutex_unlock(&serve->lock);
	serve_wake(serve);
}

/* ---- the loop */

void
serve_take_done(struct serve *serve)
{
	struct serve_request *list, *next, *ordered = NULL;

	pthread_mutex_lock(&serve->lock);
	list = serve->done;
	serve->done = NULL;
	pthread_mutex_unlock(&serve->lock);
	for (; list; list = next) { /* who was done first is first */
		next = list->next;
		list->next = ordered;
		ordered = list;
	}
	for (; ordered; ordered = next) {
		void (*then)(struct serve_request *) = ordered->then;

		next = ordered->next;
		ordered->next = NULL;
		ordered->then = NULL;
		(then ? then : serve_finish)(ordered);
	}
}

/* ---- requests as they come */

static void
count_parameter(void *context, struct ev_str name, struct ev_str value)
{
	(void)name;
	(void)value;
	++*(size_t *)context;
}

struct taking {
	struct serve_request *request;
	struct serve_parameter *list;
};

static void
take_parameter(void *context, struct ev_str name, struct ev_str value)
{
	struct taking *taking = context;
	struct serve_request *request = taking->request;

	taking->list[request->query_count++] = (struct serve_parameter){
		ev_arena_dup(&request->arena, name),
		ev_arena_dup(&request->arena, value)
	};
}

static struct serve_request *
make_request(struct serve *serve, struct ev_http_request *http)
{
	struct serve_request *request = ev_mem_alloc(sizeof *request);
	struct taking taking = { .request = request };
	size_t count = 0;

	*request = (struct serve_request){ .serve = serve, .http = http };
	request->begun = ev_time_steady();
	ev_http_each_query(http, count_parameter, &count);
	taking.list = ev_arena_alloc(&request->arena,
	                             (count + 1) * sizeof *taking.list);
	request->query = taking.list;
	ev_http_each_query(http, take_parameter, &taking);
	request->if_none_match =
		ev_arena_dup(&request->arena,
	                     ev_http_header(http, "If-None-Match"));
	ev_http_set_data(http, request);
	serve->open_requests++;
	return request;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The segment, unescaped; the adapter has seen to it that it can be. */
static struct ev_str
unescape(struct ev_arena *arena, struct ev_str segment)
{
	char *out = (char *)ev_arena_dup(arena, segment).ptr;
	size_t len = 0;

	for (size_t i = 0; i < segment.len; i++)
		if (segment.ptr[i] == '%' && i + 2 < segment.len) {
			out[len++] = (char)(hex(segment.ptr[i + 1]) * 16 +
			                    hex(segment.ptr[i + 2]));
			i += 2;
		} else {
			out[len++] = segment.ptr[i];
		}
	out[len] = '\0';
	return (struct ev_str){ out, len };
}

static bool
next_segment(struct ev_str *path, struct ev_str *segment)
{
	const char *slash;

	if (!path->len || *path->ptr != '/')
		return false;
	*segment = (struct ev_str){ path->ptr + 1, path->len - 1 };
	slash = memchr(segment->ptr, '/', segment->len);
	if (slash)
		segment->len = (size_t)(slash - segment->ptr);
	path->ptr += segment->len + 1;
	path->len -= segment->len + 1;
	return true;
}

static bool
fits(struct serve_request *request, const struct serve_route *route)
{
	struct ev_str want = ev_str(route->path), wanted, segment;
	struct ev_str path = ev_http_raw_path(request->http);
	struct ev_str params[2] = { { 0 } };
	size_t count = 0;

	while (next_segment(&want, &wanted)) {
		if (!next_segment(&path, &segment))
			return false;
		if (ev_str_equal(wanted, EV_STR("{}")) && segment.len)
			params[count++] = segment;
		else if (!ev_str_equal(wanted, segment))
			return false;
	}
	if (path.len)
		return false;
	for (size_t i = 0; i < count; i++)
		request->params[i] = unescape(&request->arena, params[i]);
	return true;
}

/* HEAD is a GET of which the adapter sends the headers only. */
static bool
is_method(const struct serve_route *route, struct ev_str method)
{
	return ev_str_equal(method, ev_str(route->method)) ||
	       (ev_str_equal(method, EV_STR("HEAD")) &&
	        strcmp(route->method, "GET") == 0 &&
	        !(route->flags & SERVE_CHANGES));
}

/* What has no other name may be a file's: that does not make it something that
   cannot be posted to. */
static bool
is_file(const struct serve_route *route)
{
	return strncmp(route->path, "/{}", 3) == 0;
}

/* Finds the route, or answers. */
static bool
find_route(struct serve_request *request)
{
	struct ev_str method = ev_http_method(request->http);
	struct ev_buf allow = { 0 };
	bool asks = ev_str_equal(method, EV_STR("OPTIONS"));
	const char *path = NULL; /* the first that fits */

	for (size_t i = 0; i < serve_route_count; i++) {
		const struct serve_route *route = &serve_routes[i];

		if (path ? strcmp(path, route->path) != 0
		         : !fits(request, route) ||
		               (is_file(route) && !is_method(route, method)))
			continue;
		path = route->path;
		if (is_method(route, method)) {
			request->route = route;
			ev_buf_release(&allow);
			return true;
		}
		ev_buf_printf(&allow, "%s%s", allow.len ? ", " : "",
		              route->method);
	}
	if (!allow.len) {
		serve_problem(request, 404, "not-found", (struct ev_str){ 0 },
		              "'%.*s': there is nothing here; "
		              "/api/openapi.yaml tells what there is",
		              EV_FMT(ev_http_path(request->http)));
	} else if (asks) {
		request->answer.status = 204;
	} else {
		serve_problem(request, 405, "method", (struct ev_str){ 0 },
		              "'%.*s' cannot be used here: only %.*s",
		              EV_FMT(method), EV_FMT(ev_buf_str(&allow)));
	}
	if (allow.len)
		serve_header(request, "Allow", ev_buf_str(&allow));
	ev_buf_release(&allow);
	return false;
}

static bool
is_utf8(struct ev_str text)
{
	uint32_t code;

	while (text.len)
		if (!ev_utf8_next(&text, &code))
			return false;
	return true;
}

/* All that is in the log is UTF-8; what is not names nothing there. */
static bool
check_text(struct serve_request *request)
{
	bool fine = is_utf8(request->params[0]) && is_utf8(request->params[1]);

	for (size_t i = 0; i < request->query_count; i++)
		fine = fine && is_utf8(request->query[i].name) &&
		       is_utf8(request->query[i].value);
	if (!fine)
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 },
		              "the path or the query is not UTF-8");
	return fine;
}

/* "application/json", "application/cloudevents+json; charset=utf-8" */
static bool
is_json(struct ev_str type)
{
	const char *end = type.len ? memchr(type.ptr, ';', type.len) : NULL;
	size_t len = end ? (size_t)(end - type.ptr) : type.len;
	struct ev_str suffix = EV_STR("json");

	while (len && type.ptr[len - 1] == ' ')
		len--;
	return len >= 16 && strncasecmp(type.ptr, "application/", 12) == 0 &&
	       strncasecmp(type.ptr + len - suffix.len, suffix.ptr,
	                   suffix.len) == 0 &&
	       (len == 16 || type.ptr[len - suffix.len - 1] == '+');
}

static bool
check_type(struct serve_request *request)
{
	struct ev_str type = ev_http_header(request->http, "Content-Type");

	if (!(request->route->flags & SERVE_JSON) || is_json(type))
		return true;
	serve_problem(request, 415, "media-type", (struct ev_str){ 0 },
	              "Content-Type '%.*s': expected application/json",
	              EV_FMT(type));
	return false;
}

size_t
serve_begin(void *context, struct ev_http_request *http)
{
	struct serve *serve = context;
	struct serve_request *request = make_request(serve, http);

	if (serve_access_rate(serve->access, request) &&
	    serve_access_host(serve->access, request) && find_route(request) &&
	    check_text(request) &&
	    serve_access_allow(serve->access, request) && check_type(request))
		return serve->settings.body_max;
	serve_finish(request);
	return 0;
}

void
serve_handle(void *context, struct ev_http_request *http)
{
	struct serve_request *request = ev_http_data(http);

	(void)context;
	request->body = ev_http_body(http);
	request->route->handle(request);
}

void
serve_too_long(void *context, struct ev_http_request *http)
{
	struct serve_request *request = ev_http_data(http);
	struct serve *serve = context;

	serve_problem(request, 413, "too-large", (struct ev_str){ 0 },
	              "the body is longer than %zu bytes: --max-body sets "
	              "the limit", serve->settings.body_max);
	serve_finish(request);
}

void
serve_refuse(void *context, struct ev_http_request *http, int status,
             const char *why)
{
	struct serve_request *request = ev_http_data(http);

	if (!request)
		request = make_request(context, http);
	serve_problem(request, status,
	              status == 431 ? "headers" : "bad-request",
	              (struct ev_str){ 0 }, "%s", why);
	serve_finish(request);
}

void
serve_end(void *context, struct ev_http_request *http)
{
	struct serve_request *request = ev_http_data(http);
	struct serve *serve = context;

	if (request->link) {
		*request->link = request->after;
		if (request->after)
			request->after->link = request->link;
	}
	if (request->ended)
		request->ended(request);
	serve->open_requests--;
	serve->held -= request->held;
	ev_buf_release(&request->answer.body);
	ev_arena_release(&request->arena);
	free(request);
}
