#ifndef EV_DOMAIN_SCAN_H
#define EV_DOMAIN_SCAN_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Walking over JSON as the log keeps it (domain/json.h): valid, and without
 * whitespace between its parts. Nothing is copied or decoded: a value is the
 * bytes that spell it, a name what stands between its quotes. Of other input
 * the answers may be wrong, but nothing outside it is read.
 */
struct ev_scan {
	const char *at;
	const char *end;
};

/* Of an object or an array; of anything else the walk is empty. */
struct ev_scan ev_scan_begin(struct ev_str json);

/* The next member of an object, or element of an array. False: no more. */
bool ev_scan_member(struct ev_scan *scan, struct ev_str *name,
                    struct ev_str *value);
bool ev_scan_element(struct ev_scan *scan, struct ev_str *value);

/* The object's first member of this name; {0}: none, or no object. */
struct ev_str ev_scan_find(struct ev_str json, struct ev_str name);

/* What kind of value it is, by its first byte. */
static inline bool
ev_scan_is_string(struct ev_str json)
{
	return json.len > 1 && *json.ptr == '"';
}

static inline bool
ev_scan_is_number(struct ev_str json)
{
	return json.len &&
	       (*json.ptr == '-' || (*json.ptr >= '0' && *json.ptr <= '9'));
}

static inline bool
ev_scan_is_null(struct ev_str json)
{
	return json.len && *json.ptr == 'n';
}

/* The bytes between a string's quotes. */
static inline struct ev_str
ev_scan_text(struct ev_str string)
{
	return (struct ev_str){ string.ptr + 1, string.len - 2 };
}

#endif
