#ifndef EV_DOMAIN_LINE_H
#define EV_DOMAIN_LINE_H

#include <stdint.h>

#include "base/buf.h"
#include "domain/catalog.h"

/*
 * The canonical line: one event as JSON, all members always there, in one
 * order, without whitespace (ev-events(7)). The log stores it ready made, so
 * that reading an event is copying bytes.
 *
 * Slices of a line. Texts are what stands between the quotes, JSON escapes
 * included; since the log always escapes the same way, equal slices are equal
 * texts. A null is {0}. data and meta are whole objects. All borrowed.
 */
struct ev_line {
	int64_t position;
	struct ev_str stream;
	int64_t version;
	struct ev_str id;
	struct ev_str catalog;
	struct ev_str type;
	int schema_version;
	struct ev_str timestamp;
	struct ev_str recorded_at;
	enum ev_priority priority;
	struct ev_str correlation;
	struct ev_str causation;
	struct ev_str actor;
	struct ev_str data;
	struct ev_str meta;
};

/* False when the text is not a line that ev_line_format could have made. */
bool ev_line_parse(struct ev_str text, struct ev_line *line);

/* Appends the line, without a newline. */
void ev_line_format(struct ev_buf *out, const struct ev_line *line);

/* Appends a slice's plain text. */
void ev_line_unescape(struct ev_buf *out, struct ev_str slice);

/* The slice that a plain text has in a line; its memory is the arena's. */
struct ev_str ev_line_escape(struct ev_arena *arena, struct ev_str text);

#endif
