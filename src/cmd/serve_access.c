#include "cmd/serve_access.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#include "base/time.h"
#include "cmd/serve_host.h"
#include "cmd/serve_tokens.h"
#include "domain/json.h"

enum { SESSION_SECONDS = 12 * 60 * 60 };

#define COOKIE "ev_session"

struct serve_access {
	bool open; /* no tokens: this machine may read and append */
	bool tls;
	bool any_address; /* it listens on all that the machine has */
	struct serve_tokens tokens;
	struct serve_host *hosts;
	size_t host_count;
	struct serve_origin *origins;
	size_t origin_count;
	unsigned rate;
	bool rate_local;
	struct serve_rate rates;
};

/* ---- beginning and end */

static void
add_host(struct serve_access *access, struct ev_str name)
{
	if (serve_host_parse(&access->hosts[access->host_count], name))
		access->host_count++;
}

static void
add_names(struct serve_access *access, const struct serve_settings *settings)
{
	const struct ev_list *hosts = &settings->hosts;
	const struct ev_list *origins = &settings->origins;

	access->hosts = ev_mem_alloc((hosts->count + 4) *
	                             sizeof *access->hosts);
	add_host(access, EV_STR("localhost"));
	add_host(access, EV_STR("127.0.0.1"));
	add_host(access, EV_STR("[::1]"));
	if (settings->address &&
	    serve_host_of_address(&access->hosts[access->host_count],
	                          settings->address))
		access->host_count++;
	for (size_t i = 0; i < hosts->count; i++)
		add_host(access, hosts->list[i]);
	access->origins = ev_mem_alloc((origins->count + 1) *
	                               sizeof *access->origins);
	for (size_t i = 0; i < origins->count; i++)
		if (serve_origin_parse(&access->origins[access->origin_count],
		                       origins->list[i]))
			access->origin_count++;
}

enum ev_status
serve_access_open(struct serve *serve, struct ev_err *err)
{
	const struct serve_settings *settings = &serve->settings;
	struct serve_access *access = ev_mem_alloc(sizeof *access);
	enum ev_status status;

	memset(access, 0, sizeof *access);
	serve->access = access;
	ev_crypto_start();
	access->open = !settings->tokens;
	access->tls = settings->certificate != NULL;
	access->any_address = settings->address &&
	                      (strcmp(settings->address, "0.0.0.0") == 0 ||
	                       strcmp(settings->address, "::") == 0);
	access->rate = settings->rate;
	access->rate_local = settings->rate_local;
	add_names(access, settings);
	status = ev_crypto_random(access->rates.seed,
	                          sizeof access->rates.seed, err);
	if (!status && settings->tokens)
		status = serve_tokens_read(&access->tokens, settings->tokens,
		                           err);
	return status;
}

void
serve_access_close(struct serve *serve)
{
	struct serve_access *access = serve->access;

	if (!access)
		return;
	serve_tokens_release(&access->tokens);
	free(access->hosts);
	free(access->origins);
	free(access);
	serve->access = NULL;
}

static bool
may_still(const struct serve_tokens *tokens,
          const struct serve_request *request)
{
	for (size_t i = 0; i < tokens->count; i++) {
		struct ev_str hash = { (const char *)tokens->list[i].hash,
		                       sizeof tokens->list[i].hash };

		if (ev_str_equal(hash, request->caller.hash))
			return (tokens->list[i].scopes &
			        request->route->scope) != 0;
	}
	return false;
}

/* A stream was let in once, and would go on for ever. */
static void
cut_streams(struct serve *serve)
{
	struct serve_request *stream = serve->streams, *after;

	for (; stream; stream = after) {
		after = stream->after;
		if (!may_still(&serve->access->tokens, stream))
			ev_http_cut(stream->http);
	}
}

void
serve_access_reload(struct serve *serve)
{
	struct serve_access *access = serve->access;
	struct ev_err err;

	if (access->open)
		return;
	if (serve_tokens_read(&access->tokens, serve->settings.tokens, &err)) {
		cli_say(EV_BAD_INPUT, "%s; the tokens stay as they were, until "
		        "a restart or the next SIGHUP", err.text);
		return;
	}
	cut_streams(serve);
	if (!serve->settings.quiet)
		cli_say(EV_OK, "'%s': read again, %zu tokens",
		        serve->settings.tokens, access->tokens.count);
}

/* ---- how often */

/* IPv4 as it is within IPv6; of IPv6 the network; of other words a hash. */
static void
key_of(unsigned char key[16], const char *peer)
{
	char plain[INET6_ADDRSTRLEN];
	struct in6_addr six;
	struct in_addr four;
	size_t len = strcspn(peer, "%");
	unsigned long long hash;

	memset(key, 0, 16);
	if (len < sizeof plain) {
		memcpy(plain, peer, len);
		plain[len] = '\0';
		if (inet_pton(AF_INET, plain, &four) == 1) {
			key[10] = key[11] = 0xff;
			memcpy(key + 12, &four, 4);
			return;
		}
		if (inet_pton(AF_INET6, plain, &six) == 1) {
			memcpy(key, &six,
			       IN6_IS_ADDR_V4MAPPED(&six) ? 16 : 8);
			return;
		}
	}
	hash = ev_str_hash(ev_str(peer));
	key[8] = 1; /* as no address above */
	memcpy(key, &hash, sizeof hash);
}

static size_t
set_of(const struct serve_rate *table, const unsigned char key[16])
{
	char bytes[32];
	unsigned long long hash;

	memcpy(bytes, table->seed, 16);
	memcpy(bytes + 16, key, 16);
	hash = ev_str_hash((struct ev_str){ bytes, sizeof bytes });
	return (size_t)(hash >> 20) % SERVE_RATE_SETS;
}

int
serve_rate_take(struct serve_rate *table, const char *peer, unsigned rate,
                int64_t now)
{
	const int64_t second = 1000000;
	struct serve_rate_entry *set, *entry;
	unsigned char key[16];
	int64_t paid;

	key_of(key, peer);
	set = table->entries[set_of(table, key)];
	entry = set;
	for (size_t i = 0; i < SERVE_RATE_WAYS; i++) {
		if (memcmp(set[i].address, key, sizeof key) == 0) {
			entry = &set[i];
			break;
		}
		if (set[i].paid < entry->paid)
			entry = &set[i];
	}
	if (memcmp(entry->address, key, sizeof key) != 0) {
		memcpy(entry->address, key, sizeof key);
		entry->paid = 0;
	}
	paid = (entry->paid > now ? entry->paid : now) + second / rate;
	if (paid - now > second)
		return (int)((paid - now - second + second - 1) / second);
	entry->paid = paid;
	return 0;
}

bool
serve_access_rate(struct serve_access *access, struct serve_request *request)
{
	const char *peer = ev_http_peer_name(request->http);
	char text[16];
	int wait;

	if (!access->rate || (!access->rate_local &&
	                      ev_http_peer(request->http) != EV_HTTP_REMOTE))
		return true;
	wait = serve_rate_take(&access->rates, peer, access->rate,
	                       request->begun);
	if (!wait)
		return true;
	serve_problem(request, 429, "rate", (struct ev_str){ 0 },
	              "'%s' has asked more than %u times a second: wait, then "
	              "repeat it", peer, access->rate);
	snprintf(text, sizeof text, "%d", wait);
	serve_header(request, "Retry-After", ev_str(text));
	return false;
}

/* ---- where from */

static bool
is_ours(const struct serve_access *access, const struct serve_host *host)
{
	for (size_t i = 0; i < access->host_count; i++)
		if (serve_host_same(host, &access->hosts[i]))
			return true;
	/* nobody's name server leads there, and it is one of ours */
	return access->any_address && serve_host_is_address(host);
}

bool
serve_access_host(struct serve_access *access, struct serve_request *request)
{
	struct ev_str text = ev_http_header(request->http, "Host");
	struct serve_host host;

	if (ev_http_peer(request->http) == EV_HTTP_SOCKET)
		return true;
	if (ev_http_header_count(request->http, "Host") == 1 &&
	    serve_host_parse(&host, text) && is_ours(access, &host))
		return true;
	serve_problem(request, 421, "host", (struct ev_str){ 0 },
	              "'%.*s' is not a name of this server: --host makes it "
	              "one", EV_FMT(text));
	return false;
}

enum origin { ORIGIN_NONE, ORIGIN_OURS, ORIGIN_LISTED, ORIGIN_FOREIGN };

/* Which page's browser is this? */
static enum origin
origin_of(const struct serve_access *access,
          const struct serve_request *request)
{
	struct ev_str host_text = ev_http_header(request->http, "Host");
	struct serve_origin origin, own;
	struct serve_host host;

	switch (ev_http_header_count(request->http, "Origin")) {
	case 0:
		return ORIGIN_NONE;
	case 1:
		break;
	default:
		return ORIGIN_FOREIGN;
	}
	if (!serve_origin_parse(&origin,
	                        ev_http_header(request->http, "Origin")))
		return ORIGIN_FOREIGN;
	for (size_t i = 0; i < access->origin_count; i++)
		if (serve_origin_same(&origin, &access->origins[i]))
			return ORIGIN_LISTED;
	if (!serve_host_parse(&host, host_text))
		return ORIGIN_FOREIGN;
	serve_origin_of_host(&own, &host, access->tls);
	return serve_origin_same(&origin, &own) ? ORIGIN_OURS : ORIGIN_FOREIGN;
}

/* Does the browser say that it is one of our pages that asks, or its user?
   Others than browsers say nothing. */
static bool
is_fetched_here(const struct serve_request *request)
{
	struct ev_str site = ev_http_header(request->http, "Sec-Fetch-Site");

	return !ev_http_header_count(request->http, "Sec-Fetch-Site") ||
	       (ev_http_header_count(request->http, "Sec-Fetch-Site") == 1 &&
	        (ev_str_equal(site, EV_STR("same-origin")) ||
	         ev_str_equal(site, EV_STR("none"))));
}

static bool
is_from_here(const struct serve_access *access,
             const struct serve_request *request)
{
	switch (origin_of(access, request)) {
	case ORIGIN_LISTED:
		return true;
	case ORIGIN_FOREIGN:
		return false;
	case ORIGIN_NONE:
	case ORIGIN_OURS:
		break;
	}
	return is_fetched_here(request);
}

static bool
refuse_origin(struct serve_request *request)
{
	struct ev_str origin = ev_http_header(request->http, "Origin");

	if (!ev_http_header_count(request->http, "Origin"))
		origin = EV_STR("another site");
	serve_problem(request, 403, "origin", (struct ev_str){ 0 },
	              "a page of '%.*s' may not do this: --origin lets it",
	              EV_FMT(origin));
	return false;
}

/* ---- who */

enum who { WHO_KNOWN, WHO_NOBODY, WHO_UNKNOWN, WHO_FOREIGN };

static void
set_caller(struct serve_request *request, const struct serve_token *token)
{
	/* a copy: the tokens may be read again before the request ends */
	request->caller.name = ev_arena_dup(&request->arena, token->name);
	request->caller.hash = ev_arena_dup(&request->arena, (struct ev_str){
		(const char *)token->hash, sizeof token->hash });
	request->caller.scopes = token->scopes;
}

/* What is behind "Bearer ", {0}: something else. */
static struct ev_str
bearer(struct ev_str text)
{
	const struct ev_str scheme = EV_STR("Bearer ");

	if (text.len <= scheme.len ||
	    strncasecmp(text.ptr, scheme.ptr, scheme.len) != 0)
		return (struct ev_str){ 0 };
	text.ptr += scheme.len;
	text.len -= scheme.len;
	while (text.len && *text.ptr == ' ')
		text.ptr++, text.len--;
	while (text.len && text.ptr[text.len - 1] == ' ')
		text.len--;
	return text;
}

/* The value of our cookie, {0} if there is none. */
static struct ev_str
session_of(const struct serve_request *request)
{
	struct ev_str rest = ev_http_header(request->http, "Cookie");
	const struct ev_str name = EV_STR(COOKIE "=");

	while (rest.len) {
		const char *end = memchr(rest.ptr, ';', rest.len);
		size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
		struct ev_str pair = { rest.ptr, len };

		while (pair.len && *pair.ptr == ' ')
			pair.ptr++, pair.len--;
		while (pair.len && pair.ptr[pair.len - 1] == ' ')
			pair.len--;
		if (ev_str_starts(pair, name))
			return (struct ev_str){ pair.ptr + name.len,
			                        pair.len - name.len };
		rest.ptr += len + (end != NULL);
		rest.len -= len + (end != NULL);
	}
	return (struct ev_str){ 0 };
}

static enum who
identify(const struct serve_access *access, struct serve_request *request)
{
	const struct serve_token *token;
	struct ev_str session;

	if (access->open) {
		if (ev_http_peer(request->http) == EV_HTTP_REMOTE)
			return WHO_NOBODY;
		request->caller.scopes = SERVE_READ | SERVE_APPEND;
		return WHO_KNOWN;
	}
	switch (ev_http_header_count(request->http, "Authorization")) {
	case 0:
		break;
	case 1:
		token = serve_tokens_find(
			&access->tokens,
			bearer(ev_http_header(request->http, "Authorization")));
		if (!token)
			return WHO_UNKNOWN;
		set_caller(request, token);
		return WHO_KNOWN;
	default:
		return WHO_UNKNOWN;
	}
	session = session_of(request);
	if (!session.len)
		return WHO_NOBODY;
	if (!is_from_here(access, request))
		return WHO_FOREIGN;
	token = serve_session_find(&access->tokens, session,
	                           ev_time_now() / 1000000);
	if (!token)
		return WHO_NOBODY;
	set_caller(request, token);
	return WHO_KNOWN;
}

static const char *
scope_name(enum serve_scope scope)
{
	return scope == SERVE_ADMIN ? "admin"
	       : scope == SERVE_APPEND ? "append" : "read";
}

static bool
refuse_scope(struct serve_request *request)
{
	const char *scope = scope_name(request->route->scope);
	struct ev_str name = request->caller.name;
	char text[80];

	serve_problem(request, 403, "scope", (struct ev_str){ 0 },
	              "%s%.*s%s not have the scope '%s' that this needs",
	              name.len ? "the token '" : "who has no token",
	              EV_FMT(name), name.len ? "' does" : " does", scope);
	snprintf(text, sizeof text,
	         "Bearer error=\"insufficient_scope\", scope=\"%s\"", scope);
	serve_header(request, "WWW-Authenticate", ev_str(text));
	return false;
}

static bool
refuse_unknown(struct serve_request *request, bool shown)
{
	serve_problem(request, 401, "unauthorized", (struct ev_str){ 0 },
	              shown ? "this token is none of this server's"
	                    : "this needs a token: Authorization: Bearer, or "
	                      "POST it to /api/session");
	serve_header(request, "WWW-Authenticate",
	             shown ? EV_STR("Bearer realm=\"ev\", "
	                            "error=\"invalid_token\"")
	                   : EV_STR("Bearer realm=\"ev\""));
	return false;
}

bool
serve_access_allow(struct serve_access *access, struct serve_request *request)
{
	const struct serve_route *route = request->route;
	enum who who;

	if (route->flags & SERVE_CHANGES && !is_from_here(access, request))
		return refuse_origin(request);
	who = identify(access, request);
	if (route->scope == SERVE_PUBLIC)
		return true;
	switch (who) {
	case WHO_KNOWN:
		break;
	case WHO_FOREIGN:
		return refuse_origin(request);
	case WHO_NOBODY:
	case WHO_UNKNOWN:
		return refuse_unknown(request, who == WHO_UNKNOWN);
	}
	if (!(request->caller.scopes & route->scope))
		return refuse_scope(request);
	return true;
}

/* ---- /api/session */

static const char *const no_parameters[] = { NULL };

static void
write_caller(struct ev_buf *out, struct ev_str name, unsigned scopes)
{
	static const enum serve_scope all[] = { SERVE_READ, SERVE_APPEND,
	                                        SERVE_ADMIN };
	const char *comma = "";

	ev_buf_add_str(out, EV_STR("\"name\":"));
	if (name.len)
		ev_json_write_string(out, name);
	else
		ev_buf_add_str(out, EV_STR("null"));
	ev_buf_add_str(out, EV_STR(",\"scopes\":["));
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (scopes & all[i]) {
			ev_buf_printf(out, "%s\"%s\"", comma,
			              scope_name(all[i]));
			comma = ",";
		}
	ev_buf_add_char(out, ']');
}

void
serve_session_get(struct serve_request *request)
{
	const struct serve_access *access = request->serve->access;
	struct ev_buf *out;

	if (!serve_params_known(request, no_parameters)) {
		serve_finish(request);
		return;
	}
	out = serve_json(request);
	ev_buf_printf(out, "{\"open\":%s,", access->open ? "true" : "false");
	write_caller(out, request->caller.name, request->caller.scopes);
	ev_buf_add_char(out, '}');
	serve_finish(request);
}

/* Over TLS only, if that is how the page came, by us or by who stands before
   us. */
static void
set_cookie(const struct serve_access *access, struct serve_request *request,
           struct ev_str value, int seconds)
{
	struct ev_str text = ev_http_header(request->http, "Origin");
	struct ev_buf cookie = { 0 };
	struct serve_origin origin;
	bool tls = access->tls ||
	           (serve_origin_parse(&origin, text) && origin.tls);

	ev_buf_printf(&cookie, COOKIE "=%.*s; HttpOnly; SameSite=Strict; "
	              "Path=/; Max-Age=%d%s", EV_FMT(value), seconds,
	              tls ? "; Secure" : "");
	serve_header(request, "Set-Cookie", ev_buf_str(&cookie));
	ev_buf_release(&cookie);
}

/* The one member `token`; false: the request has its answer. */
static bool
read_token(struct serve_request *request, struct ev_str *token)
{
	yyjson_val *root, *value;
	struct ev_err err;
	yyjson_doc *doc;

	if (ev_json_parse(&doc, request->body, NULL, &err)) {
		serve_problem(request, 400, "not-json", (struct ev_str){ 0 },
		              "%s", err.text);
		return false;
	}
	root = yyjson_doc_get_root(doc);
	value = yyjson_obj_get(root, "token");
	if (!yyjson_is_str(value) || yyjson_obj_size(root) != 1) {
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 },
		              "expected {\"token\":\"evt_...\"}");
		yyjson_doc_free(doc);
		return false;
	}
	*token = ev_arena_dup(&request->arena, ev_json_text(value));
	yyjson_doc_free(doc);
	return true;
}

void
serve_session_post(struct serve_request *request)
{
	const struct serve_access *access = request->serve->access;
	const struct serve_token *token;
	struct ev_buf session = { 0 };
	struct ev_str shown;
	struct ev_buf *out;

	if (!serve_params_known(request, no_parameters)) {
		serve_finish(request);
		return;
	}
	if (access->open) {
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 },
		              "this server has no tokens, and needs none");
	} else if (read_token(request, &shown)) {
		token = serve_tokens_find(&access->tokens, shown);
		if (!token) {
			refuse_unknown(request, true);
			serve_finish(request);
			return;
		}
		serve_session_write(&session, token,
		                    ev_time_now() / 1000000 + SESSION_SECONDS);
		out = serve_json(request);
		ev_buf_add_char(out, '{');
		write_caller(out, token->name, token->scopes);
		ev_buf_add_char(out, '}');
		set_cookie(access, request, ev_buf_str(&session),
		           SESSION_SECONDS);
		ev_buf_release(&session);
	}
	serve_finish(request);
}

void
serve_session_delete(struct serve_request *request)
{
	if (serve_params_known(request, no_parameters)) {
		request->answer.status = 204;
		set_cookie(request->serve->access, request,
		           (struct ev_str){ 0 }, 0);
	}
	serve_finish(request);
}
