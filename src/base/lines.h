#ifndef EV_BASE_LINES_H
#define EV_BASE_LINES_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Records of a descriptor, ended by a newline or by `end`. {.fd, .end, .max}
 * is a valid start. Memory is that of the longest record, at most `max`.
 */
struct ev_lines {
	int fd;
	char end;   /* '\n' or '\0' */
	size_t max; /* bytes of a record */
	size_t number; /* of the record that next gave last, from 1 */
	struct ev_buf buf;
	size_t begin; /* of what has not been given yet */
	size_t seen;  /* how far we have looked for an end */
	bool at_end;
	bool skipping; /* the rest of a record that was too long */
};

/*
 * The next record, borrowed until the next call, without its end; the last one
 * needs none. EV_NO: no more, or a signal came (look at your flag).
 * EV_BAD_INPUT: this record is longer than `max` and was passed over; the next
 * call goes on behind it. EV_IO: reading failed.
 */
enum ev_status ev_lines_next(struct ev_lines *lines, struct ev_str *record,
                             struct ev_err *err);

/* Would next answer without waiting? */
bool ev_lines_ready(struct ev_lines *lines);

void ev_lines_release(struct ev_lines *lines);

#endif
