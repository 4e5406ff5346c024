#ifndef EV_DOMAIN_FORMAT_H
#define EV_DOMAIN_FORMAT_H

#include "domain/event.h"

/*
 * Other forms of a canonical line. Each appends one event's text to `out`,
 * without a newline; on failure `out` is as it was.
 */

/*
 * The form of the event's own catalog. What ev-append makes of it is the same
 * event: id, stream, type, timestamp, payload, and whatever else that form has
 * a name for. Members without a name there, such as position, are left out; the
 * stream is left out where the catalog's template gives it. EV_BAD_INPUT: the
 * form cannot say this event (a payload member has the name of an envelope
 * member, the stream is not the template's and has no name, …).
 */
enum ev_status ev_format_native(struct ev_buf *out, const struct ev_line *line,
                                const struct ev_catalogs *catalogs,
                                struct ev_err *err);

/*
 * CloudEvents 1.0, JSON format; ev-append reads it back to the same event.
 * Positions and versions are strings, since that format's integers have 32
 * bits. It forbids control characters in attributes: a stream, id, actor,
 * correlation or causation that has some goes out with them all the same.
 */
void ev_format_cloudevent(struct ev_buf *out, const struct ev_line *line);

/*
 * A table for people: one line per event, columns aligned by the first rows
 * and growing when they must. Nothing in an event can drive the terminal:
 * control, format and bidirectional characters are shown escaped. A narrow
 * terminal gets no columns of version and priority, and a column of actors
 * begins with the first event that has one.
 */
enum { EV_TABLE_COLUMNS = 7 };

struct ev_table {
	int width;   /* columns of the terminal; 0: do not cut */
	bool colour;
	/* private; zeroed */
	bool begun;
	int columns[EV_TABLE_COLUMNS]; /* their widths, 0: not shown */
	struct ev_buf cells;
	struct ev_arena arena;         /* of the first rows, held */
	struct ev_line *held;
	size_t held_count;
	size_t held_bytes;
};

/*
 * The heading and rows are appended to `out`, each with its newline. The first
 * rows are held back until there are enough of them to find the widths by, or
 * until they are flushed: at the end, and before waiting for more.
 */
void ev_table_add(struct ev_table *table, struct ev_buf *out,
                  const struct ev_line *line);
void ev_table_flush(struct ev_table *table, struct ev_buf *out);
void ev_table_release(struct ev_table *table);

/*
 * Appends text as it may be shown on a terminal: what ev_utf8_hidden names as
 * \n, \u202e or \u{e0001}, bytes that are not UTF-8 as \x9b. All else, also a
 * backslash, stays.
 */
void ev_format_safe(struct ev_buf *out, struct ev_str text);

/*
 * The same for a JSON text without whitespace, which stays JSON and keeps its
 * value: in its strings, \u escapes stand for those characters.
 */
void ev_format_safe_json(struct ev_buf *out, struct ev_str json);

#endif
