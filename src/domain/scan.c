#include "domain/scan.h"

/* Behind the quote that ends a string whose first one is behind us. */
static const char *
skip_string(const char *at, const char *end)
{
	for (;;) {
		const char *quote = memchr(at, '"', (size_t)(end - at));
		const char *back;

		if (!quote)
			return end;
		/* an odd number of backslashes before it escapes it */
		for (back = quote; back > at && back[-1] == '\\'; back--)
			;
		at = quote + 1;
		if ((quote - back) % 2 == 0)
			return at;
	}
}

static const char *
skip_nested(const char *at, const char *end)
{
	int depth = 0;

	while (at < end) {
		switch (*at++) {
		case '"':
			at = skip_string(at, end);
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth <= 0)
				return at;
			break;
		}
	}
	return end;
}

static const char *
skip_value(const char *at, const char *end)
{
	if (at == end)
		return end;
	switch (*at) {
	case '"':
		return skip_string(at + 1, end);
	case '{':
	case '[':
		return skip_nested(at, end);
	}
	while (at < end && *at != ',' && *at != '}' && *at != ']')
		at++;
	return at;
}

struct ev_scan
ev_scan_begin(struct ev_str json)
{
	struct ev_scan scan = { json.ptr, json.ptr };

	if (json.len >= 2 && (*json.ptr == '{' || *json.ptr == '[')) {
		scan.at = json.ptr + 1;
		scan.end = json.ptr + json.len - 1;
	}
	return scan;
}

bool
ev_scan_element(struct ev_scan *scan, struct ev_str *value)
{
	const char *begin = scan->at;

	if (begin == scan->end)
		return false;
	scan->at = skip_value(begin, scan->end);
	*value = (struct ev_str){ begin, (size_t)(scan->at - begin) };
	if (scan->at < scan->end)
		scan->at++;
	return true;
}

bool
ev_scan_member(struct ev_scan *scan, struct ev_str *name, struct ev_str *value)
{
	const char *begin = scan->at;
	const char *colon;

	if (begin == scan->end)
		return false;
	colon = skip_string(begin + 1, scan->end);
	*name = (struct ev_str){ begin + 1, 0 };
	if (colon - begin >= 2)
		name->len = (size_t)(colon - begin) - 2;
	scan->at = colon < scan->end ? colon + 1 : scan->end;
	if (!ev_scan_element(scan, value))
		*value = (struct ev_str){ scan->end, 0 };
	return true;
}

struct ev_str
ev_scan_find(struct ev_str json, struct ev_str name)
{
	struct ev_scan scan = ev_scan_begin(json);
	struct ev_str found, value;

	if (!json.len || *json.ptr != '{')
		return (struct ev_str){ 0 };
	while (ev_scan_member(&scan, &found, &value))
		if (ev_str_equal(found, name))
			return value;
	return (struct ev_str){ 0 };
}
