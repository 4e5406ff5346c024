#ifndef EV_DOMAIN_LINE_READER_H
#define EV_DOMAIN_LINE_READER_H

#include "domain/line.h"

/*
 * Reads events that somebody else has written: any JSON spelling of the
 * canonical form is taken apart as the log's own line would be, quickest when
 * it is that line. The whole text is checked.
 *
 * What may be missing, or null, and is then missing in the answer too ({0}):
 * streamId, id, and the times, of which one stands in for the other. position
 * is one more than that of the event before, version 0, schemaVersion 1,
 * priority info, meta empty, catalog the reader's.
 */
struct ev_line_reader {
	struct ev_str catalog; /* of events that name none; {0}: they have to */
	int64_t position; /* of the event before */
	struct ev_buf pool;
	struct ev_buf text;
};
void ev_line_reader_release(struct ev_line_reader *reader);

/* Slices borrow from `text` and `arena`. EV_BAD_INPUT: it is no event. */
enum ev_status ev_line_read(struct ev_line *out, struct ev_line_reader *reader,
                            struct ev_str text, struct ev_arena *arena,
                            struct ev_err *err);

/* A document as ev-get prints it: its key, a slice, and all of it in the
   log's spelling. */
enum ev_status ev_line_read_document(struct ev_str *key, struct ev_str *json,
                                     struct ev_line_reader *reader,
                                     struct ev_str text,
                                     struct ev_arena *arena,
                                     struct ev_err *err);

#endif
