#include <inttypes.h>
#include <strings.h>

#include "adapter/http/server.h"
#include "base/mem.h"

static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "DELETE",
                                       "OPTIONS", "PATCH" };

static int
hex(char c)
{
	if (ev_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Escapes are right: http_check has looked. */
static size_t
unescape(char *out, struct ev_str s, bool plus)
{
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '%') {
			c = (char)(hex(s.ptr[i + 1]) * 16 + hex(s.ptr[i + 2]));
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[len++] = c;
	}
	return len;
}

static const char *
check_target(struct ev_http_request *request)
{
	const char *target = request->target;
	size_t len = request->target_len, path_len;
	const char *mark = memchr(target, '?', len);

	if (!len || target[0] != '/')
		return "the request target must begin with '/'";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)target[i];

		if (c <= ' ' || c == 0x7f)
			return "the request target has a space or control";
		/* a NUL ends it, and is no digit */
		if (c == '%' && (hex(target[i + 1]) < 0 ||
		                 hex(target[i + 2]) < 0))
			return "the request target has a bad escape: '%' needs "
			       "two hexadecimal digits";
	}
	path_len = mark ? (size_t)(mark - target) : len;
	request->raw_path = (struct ev_str){ target, path_len };
	if (mark)
		request->query = (struct ev_str){ mark + 1,
		                                  len - path_len - 1 };
	request->unescaped = ev_mem_alloc(path_len + 1);
	request->path.len = unescape(request->unescaped, request->raw_path,
	                             false);
	request->path.ptr = request->unescaped;
	if (memchr(request->path.ptr, '\0', request->path.len))
		return "the path has a NUL";
	return NULL;
}

static bool
is_known(const char *method)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcmp(method, methods[i]) == 0)
			return true;
	return false;
}

static bool
is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!ev_is_digit(c) && !ev_is_lower(c) && !ev_is_upper(c) &&
		    (!c || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return len > 0;
}

static bool
is_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* The lines of a request as they came, each ended by CR LF, and an empty one:
   MHD has put NULs for ':', CR and LF. */
static bool
lines_are_plain(const char *at, const char *end)
{
	while (at < end && *at) {
		size_t len = strnlen(at, (size_t)(end - at));

		if (!is_token(at, len))
			return false;
		at += len;
		if (at == end)
			return false;
		at++;
		len = strnlen(at, (size_t)(end - at));
		at += len;
		if (end - at < 2 || at[0] || at[1])
			return false;
		at += 2;
	}
	return end - at == 2 && !at[0] && !at[1];
}

/*
 * MHD before 1.0 takes a NUL for the end of a line, LF alone too, mixes up a
 * header that is continued on the next line with its name, and skips spaces
 * before the target: what somebody else between the client and us may read
 * differently, which is how requests are smuggled. What it has read still
 * stands in one piece behind the method.
 */
static bool
is_plain(const struct ev_http_request *request, const char *version,
         size_t size)
{
	const char *method = request->method, *end = method + size;
	size_t len = strlen(method);

	return size > len + request->target_len + 12 &&
	       version == method + len + 1 + request->target_len + 1 &&
	       strlen(version) == 8 && !version[8] && !version[9] &&
	       lines_are_plain(version + 10, end);
}

struct seen {
	bool bad;
	unsigned hosts, lengths, codings;
	struct ev_str length, coding;
};

static enum MHD_Result
see_header(void *context, enum MHD_ValueKind kind, const char *name,
           size_t name_len, const char *value, size_t value_len)
{
	struct seen *seen = context;

	(void)kind;
	if (!is_token(name, name_len) || !is_value(value, value_len))
		seen->bad = true;
	else if (strcasecmp(name, "Host") == 0)
		seen->hosts++;
	else if (strcasecmp(name, "Content-Length") == 0 && ++seen->lengths)
		seen->length = (struct ev_str){ value, value_len };
	else if (strcasecmp(name, "Transfer-Encoding") == 0 &&
	         ++seen->codings)
		seen->coding = (struct ev_str){ value, value_len };
	return MHD_YES;
}

/* What does not fit is too long in any case. */
static bool
parse_length(struct ev_str text, uint64_t *length)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (!ev_is_digit(text.ptr[i]))
			return false;
		n = n > (UINT64_MAX - 9) / 10
		            ? UINT64_MAX
		            : n * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*length = n;
	return text.len > 0;
}

static bool
is_chunked(struct ev_str coding)
{
	return coding.len == 7 && strncasecmp(coding.ptr, "chunked", 7) == 0;
}

static const char *
check_body(struct ev_http_request *request, const struct seen *seen,
           const char *version, int *status)
{
	if (seen->codings && seen->lengths)
		return "Transfer-Encoding and Content-Length exclude each other";
	if (seen->lengths > 1)
		return "there is more than one Content-Length";
	if (seen->codings && strcmp(version, "HTTP/1.0") == 0)
		return "HTTP/1.0 has no Transfer-Encoding";
	if (seen->lengths && !parse_length(seen->length, &request->length))
		return "Content-Length is no number";
	request->chunked = seen->codings > 0;
	request->has_body = request->chunked || request->length > 0;
	/* where a chunked body ends is a matter of opinion: MHD is lenient
	   about trailers and the ends of lines */
	if (request->chunked)
		request->close = true;
	if (seen->codings > 1 ||
	    (seen->codings && !is_chunked(seen->coding))) {
		*status = 501;
		return "the only Transfer-Encoding known here is chunked";
	}
	return NULL;
}

const char *
http_check(struct ev_http_request *request, const char *version, int *status)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	const struct ev_http *http = request->connection->http;
	size_t size = info ? info->header_size : 0;
	struct seen seen = { 0 };
	const char *why = check_target(request);

	*status = 400;
	MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, see_header,
	                            &seen);
	if (seen.bad || (http->old_parser && !is_plain(request, version, size)))
		return "the request line or a header is malformed";
	if (size > http->options.header_max) {
		*status = 431;
		return "the headers are too long";
	}
	if (!is_known(request->method)) {
		*status = 501;
		return "the method is not known here";
	}
	if (why)
		return why;
	if (seen.hosts > 1)
		return "there is more than one Host";
	if (!seen.hosts && strcmp(version, "HTTP/1.0") != 0)
		return "there is no Host";
	return check_body(request, &seen, version, status);
}

struct ev_str
ev_http_method(const struct ev_http_request *request)
{
	return ev_str(request->method);
}

struct ev_str
ev_http_path(const struct ev_http_request *request)
{
	return request->path;
}

struct ev_str
ev_http_raw_path(const struct ev_http_request *request)
{
	return request->raw_path;
}

struct ev_str
ev_http_header(const struct ev_http_request *request, const char *name)
{
	const char *value = NULL;
	size_t len = 0;

	if (!request->mhd ||
	    MHD_lookup_connection_value_n(request->mhd, MHD_HEADER_KIND, name,
	                                  strlen(name), &value, &len) ==
	            MHD_NO)
		return (struct ev_str){ 0 };
	/* blanks before it MHD has passed over */
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return (struct ev_str){ value ? value : "", len };
}

struct count {
	const char *name;
	size_t number;
};

static enum MHD_Result
count_header(void *context, enum MHD_ValueKind kind, const char *name,
             const char *value)
{
	struct count *count = context;

	(void)kind;
	(void)value;
	if (strcasecmp(name, count->name) == 0)
		count->number++;
	return MHD_YES;
}

size_t
ev_http_header_count(const struct ev_http_request *request, const char *name)
{
	struct count count = { name, 0 };

	if (request->mhd)
		MHD_get_connection_values(request->mhd, MHD_HEADER_KIND,
		                          count_header, &count);
	return count.number;
}

void
ev_http_each_query(const struct ev_http_request *request,
                   void (*take)(void *context, struct ev_str name,
                                struct ev_str value),
                   void *context)
{
	struct ev_str query = request->query;
	char *text;

	if (!query.len)
		return;
	text = ev_mem_alloc(query.len);
	for (size_t at = 0, end; at < query.len; at = end + 1) {
		const char *piece = query.ptr + at;
		const char *mark = memchr(piece, '&', query.len - at);
		struct ev_str name, value = { "", 0 };

		end = mark ? (size_t)(mark - query.ptr) : query.len;
		if (end == at)
			continue;
		mark = memchr(piece, '=', end - at);
		name.ptr = text;
		name.len = unescape(text, (struct ev_str){ piece,
		                    mark ? (size_t)(mark - piece) : end - at },
		                    true);
		if (mark) {
			value.ptr = text + name.len;
			value.len = unescape(text + name.len, (struct ev_str){
				mark + 1,
				(size_t)(query.ptr + end - mark - 1) }, true);
		}
		take(context, name, value);
	}
	free(text);
}

struct ev_str
ev_http_body(const struct ev_http_request *request)
{
	return ev_buf_str(&request->body);
}

enum ev_http_peer
ev_http_peer(const struct ev_http_request *request)
{
	return request->connection->peer;
}

const char *
ev_http_peer_name(const struct ev_http_request *request)
{
	return request->connection->name;
}

void
ev_http_set_data(struct ev_http_request *request, void *data)
{
	request->data = data;
}

void *
ev_http_data(const struct ev_http_request *request)
{
	return request->data;
}
