#ifndef EV_DOMAIN_JSON_H
#define EV_DOMAIN_JSON_H

#include <yyjson.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * JSON as the log keeps it (RFC 8259): no whitespace, the shortest escapes,
 * duplicate members kept in their order, numbers as the text they came in.
 */

enum {
	EV_JSON_DEPTH_MAX = 128,           /* nested arrays and objects */
	/* bytes of one event that comes in: for who reads lines. What we keep
	   and show may be longer, by its envelope, or as it grew. */
	EV_JSON_SIZE_MAX = 16 * 1024 * 1024
};

/* Writes one value (NULL: null), or one string, in that form. */
void ev_json_write(struct ev_buf *out, yyjson_val *value);
void ev_json_write_mut(struct ev_buf *out, yyjson_mut_val *value);
void ev_json_write_string(struct ev_buf *out, struct ev_str text);

/* Adds a member's name to a JSON pointer (RFC 6901): "/a~1b" for "a/b". */
void ev_json_write_pointer(struct ev_buf *out, struct ev_str name);

/* Takes the first name off a JSON pointer; its text is in `out`. {0}: there is
   none. */
struct ev_str ev_json_read_pointer(struct ev_str *pointer, struct ev_buf *out);

/* The text of a string or of a number; {0} for other types. Borrowed. */
struct ev_str ev_json_text(yyjson_val *value);

/* The name of an object's member, which lies before its value: for who tells
   where something stands. NULL: there is none. */
yyjson_val *ev_json_key(yyjson_val *object, const char *name);

/* "object", "array", "string", "number", "boolean" or "null". */
const char *ev_json_type_name(yyjson_val *value);

/*
 * Are two values the same by JSON Schema's measure: numbers by value, objects
 * whatever the order of their members? Equal values have equal hashes.
 */
bool ev_json_equal(yyjson_val *a, yyjson_val *b);
unsigned long long ev_json_hash(yyjson_val *value);

/*
 * Parses one complete JSON text; numbers stay text (YYJSON_TYPE_RAW). Memory
 * comes from `alc`, NULL for malloc. EV_BAD_INPUT names the 1-based column (in
 * bytes) of what RFC 8259 or the depth forbids. The document lends
 * its strings; the caller frees it with yyjson_doc_free.
 */
enum ev_status ev_json_parse(yyjson_doc **out, struct ev_str text,
                             const yyjson_alc *alc, struct ev_err *err);

#endif
