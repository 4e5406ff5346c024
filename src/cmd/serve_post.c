/*
 * POST /api/events: one event, in any input form. What must hold for it to be
 * appended, and its id, may be said by headers.
 */
#include <strings.h>

#include "base/opt.h"
#include "base/utf8.h"
#include "cmd/serve_post.h"
#include "domain/json.h"

static const struct ev_str expected_name = { "expectedVersion", 15 };

/* What one place says of the version. */
struct expected {
	bool given;
	enum ev_expect expect;
	int64_t version;
};

static bool bad(struct serve_request *request, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool
bad(struct serve_request *request, const char *format, ...)
{
	struct ev_err err;
	va_list arguments;

	va_start(arguments, format);
	ev_err_vset(&err, EV_USAGE, format, arguments);
	va_end(arguments);
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 }, "%s",
	              err.text);
	return false;
}

/* ---- the body's type */

static struct ev_str
trim(struct ev_str s)
{
	while (s.len && strchr(" \t", *s.ptr)) {
		s.ptr++;
		s.len--;
	}
	while (s.len && strchr(" \t", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* Takes what stands before `end` (or all) off the front. */
static struct ev_str
take_until(struct ev_str *rest, char end)
{
	const char *at = rest->len ? memchr(rest->ptr, end, rest->len) : NULL;
	struct ev_str part = *rest;

	if (at)
		part.len = (size_t)(at - rest->ptr);
	rest->ptr += part.len + (at != NULL);
	rest->len -= part.len + (at != NULL);
	return trim(part);
}

static bool
same_word(struct ev_str s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

/* JSON is UTF-8; a parameter may say so, in quotes or not. */
static bool
is_event_type(struct ev_str type)
{
	struct ev_str name = take_until(&type, ';');

	if (!same_word(name, "application/json") &&
	    !same_word(name, "application/cloudevents+json"))
		return false;
	while (type.len) {
		struct ev_str value = take_until(&type, ';');

		if (same_word(take_until(&value, '='), "charset") &&
		    !same_word(trim(value), "utf-8") &&
		    !same_word(trim(value), "\"utf-8\""))
			return false;
	}
	return true;
}

static bool
check_type(struct serve_request *request)
{
	struct ev_str type = ev_http_header(request->http, "Content-Type");
	struct ev_str coding = ev_http_header(request->http,
	                                      "Content-Encoding");

	if (coding.len && !same_word(coding, "identity"))
		serve_problem(request, 415, "media-type", (struct ev_str){ 0 },
		              "Content-Encoding '%.*s': send the event as it "
		              "is", EV_FMT(coding));
	else if (!is_event_type(type) ||
	         ev_http_header_count(request->http, "Content-Type") != 1)
		serve_problem(request, 415, "media-type", (struct ev_str){ 0 },
		              "Content-Type '%.*s': expected application/json "
		              "or application/cloudevents+json", EV_FMT(type));
	else
		return true;
	serve_header(request, "Accept-Post",
	             EV_STR("application/json, application/cloudevents+json"));
	return false;
}

/* ---- headers */

/* The only one of its name; {0}: there is none. */
static bool
take_header(struct serve_request *request, const char *name,
            struct ev_str *value)
{
	*value = ev_http_header(request->http, name);
	if (ev_http_header_count(request->http, name) > 1)
		return bad(request, "%s: given more than once", name);
	if (value->ptr)
		*value = trim(*value);
	return true;
}

static bool
read_version(struct serve_request *request, struct ev_str text,
             int64_t *version)
{
	if (!text.len)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!ev_is_digit(text.ptr[i]))
			return false;
	return ev_opt_int(ev_arena_dup(&request->arena, text).ptr, 0,
	                  INT64_MAX - 1, version);
}

/* "7", W/"7", 7: the version that an ETag of ours was; * */
static bool
take_if_match(struct serve_request *request, struct expected *expected)
{
	struct ev_str value, text;

	if (!take_header(request, "If-Match", &value) || !value.ptr)
		return !request->answer.status;
	expected->given = true;
	expected->expect = EV_EXPECT_EXISTS;
	if (ev_str_equal(value, EV_STR("*")))
		return true;
	text = value;
	if (ev_str_starts(text, EV_STR("W/"))) {
		text.ptr += 2;
		text.len -= 2;
	}
	if (text.len > 1 && *text.ptr == '"' && text.ptr[text.len - 1] == '"') {
		text.ptr++;
		text.len -= 2;
	}
	expected->expect = EV_EXPECT_VERSION;
	return read_version(request, text, &expected->version) ||
	       bad(request, "If-Match '%.*s': expected one version, as in "
	           "\"7\", or *", EV_FMT(value));
}

static bool
take_if_none_match(struct serve_request *request, struct expected *expected)
{
	struct ev_str value;

	if (!take_header(request, "If-None-Match", &value) || !value.ptr)
		return !request->answer.status;
	if (!ev_str_equal(value, EV_STR("*")))
		return bad(request, "If-None-Match '%.*s': expected *, which "
		           "is: the stream does not exist", EV_FMT(value));
	if (expected->given)
		return bad(request, "If-Match and If-None-Match: only one of "
		           "them can hold");
	expected->given = true;
	expected->expect = EV_EXPECT_NONE;
	return true;
}

/* Text that an id can be: UTF-8 without controls. */
static bool
is_key(struct ev_str text)
{
	if (!text.len || text.len > EV_NAME_MAX)
		return false;
	while (text.len) {
		uint32_t code;

		if (!ev_utf8_next(&text, &code) || code < 0x20 ||
		    (code >= 0x7f && code < 0xa0))
			return false;
	}
	return true;
}

/* A structured field's string (RFC 9651), or plain text. */
static struct ev_str
unquote(struct ev_arena *arena, struct ev_str value)
{
	char *text = ev_arena_alloc(arena, value.len + 1);
	size_t len = 0;

	if (value.len < 2 || *value.ptr != '"' ||
	    value.ptr[value.len - 1] != '"')
		return value;
	for (size_t i = 1; i < value.len - 1; i++) {
		if (value.ptr[i] == '\\' && i + 2 < value.len)
			i++;
		text[len++] = value.ptr[i];
	}
	return (struct ev_str){ text, len };
}

static bool
take_key(struct serve_request *request, struct serve_append *append)
{
	struct ev_str value;

	if (!take_header(request, "Idempotency-Key", &value) || !value.ptr)
		return !request->answer.status;
	append->default_id = unquote(&request->arena, value);
	return is_key(append->default_id) ||
	       bad(request, "Idempotency-Key: expected 1 to %d bytes of text, "
	           "found '%.*s'", EV_NAME_MAX, EV_FMT(append->default_id));
}

/* ---- the body */

static bool
read_member(struct serve_request *request, yyjson_val *value,
            struct expected *expected)
{
	static const struct {
		const char *name;
		enum ev_expect expect;
	} names[] = {
		{ "any", EV_EXPECT_ANY },
		{ "none", EV_EXPECT_NONE },
		{ "exists", EV_EXPECT_EXISTS },
	};
	struct ev_str text = ev_json_text(value);

	if (expected->given)
		return bad(request, "'expectedVersion': member given twice");
	expected->given = true;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (yyjson_is_str(value) &&
		    ev_str_equal(text, ev_str(names[i].name))) {
			expected->expect = names[i].expect;
			return true;
		}
	expected->expect = EV_EXPECT_VERSION;
	if (yyjson_is_raw(value) &&
	    read_version(request, text, &expected->version))
		return true;
	serve_problem(request, 422, "invalid",
	              EV_STR(",\"path\":\"/expectedVersion\""),
	              "'expectedVersion': expected a version, none, any or "
	              "exists, found %s %.*s", ev_json_type_name(value),
	              EV_FMT(text));
	return false;
}

/* The event without that member, everything else as it was written. */
static struct ev_str
without_member(struct ev_arena *arena, yyjson_val *root)
{
	struct ev_buf out = { 0 };
	struct ev_str text;
	yyjson_val *key, *value;
	size_t i, max;

	ev_buf_add_char(&out, '{');
	yyjson_obj_foreach(root, i, max, key, value) {
		if (ev_str_equal(ev_json_text(key), expected_name))
			continue;
		if (out.len > 1)
			ev_buf_add_char(&out, ',');
		ev_json_write(&out, key);
		ev_buf_add_char(&out, ':');
		ev_json_write(&out, value);
	}
	ev_buf_add_char(&out, '}');
	text = ev_arena_dup(arena, ev_buf_str(&out));
	ev_buf_release(&out);
	return text;
}

static bool
read_body(struct serve_request *request, struct serve_append *append,
          struct expected *expected)
{
	yyjson_val *root, *key, *value;
	struct ev_err err;
	yyjson_doc *doc;
	bool fine = true;
	size_t i, max;

	append->text = request->body;
	if (ev_json_parse(&doc, request->body, NULL, &err)) {
		atomic_fetch_add(&request->serve->counts.rejects, 1);
		serve_problem(request, 400, "not-json", (struct ev_str){ 0 },
		              "not JSON: %s", err.text);
		return false;
	}
	root = yyjson_doc_get_root(doc);
	if (yyjson_is_obj(root)) {
		yyjson_obj_foreach(root, i, max, key, value)
			fine = fine &&
			       (!ev_str_equal(ev_json_text(key),
			                      expected_name) ||
			        read_member(request, value, expected));
		if (fine && expected->given)
			append->text = without_member(&request->arena, root);
	}
	yyjson_doc_free(doc);
	return fine;
}

/* The header and the member, if there are both, must say the same. */
static bool
take_expected(struct serve_request *request, struct serve_append *append)
{
	struct expected header = { 0 }, member = { 0 };

	if (!take_if_match(request, &header) ||
	    !take_if_none_match(request, &header) ||
	    !read_body(request, append, &member))
		return false;
	if (header.given && member.given &&
	    (header.expect != member.expect ||
	     header.version != member.version))
		return bad(request, "'expectedVersion' and the header If-Match "
		           "or If-None-Match differ");
	if (!header.given)
		header = member;
	append->expect = header.expect;
	append->expect_version = header.version;
	return true;
}

static void
answer(struct serve_request *request)
{
	serve_answer_append(request, request->data);
	serve_finish(request);
}

void
serve_post_event(struct serve_request *request)
{
	static const char *const none[] = { NULL };
	struct serve_append *append = ev_arena_alloc(&request->arena,
	                                             sizeof *append);

	request->data = append;
	if (serve_params_known(request, none) && check_type(request) &&
	    take_key(request, append) && take_expected(request, append))
		serve_append(request, append, 1, answer);
	else
		serve_finish(request);
}
