#ifndef EV_CMD_FEED_H
#define EV_CMD_FEED_H

#include "domain/line.h"

/*
 * Lines of standard input or of files, read, checked and taken apart by a
 * thread of its own while the caller works on those before.
 */
struct feed;

enum feed_form {
	FEED_EVENTS,
	FEED_DOCUMENTS /* {"key":…}, as ev-get prints them */
};

struct feed_options {
	enum feed_form form;
	struct ev_str catalog; /* of events that do not name one; {0}: none */
	char **files;          /* NULL-terminated, "-" is standard input; none
	                          at all: standard input */
};

/* One line. Texts are borrowed until the next call of feed_next. */
struct feed_item {
	const char *file; /* NULL: standard input */
	size_t number;    /* of the line in it, from 1 */
	enum ev_status status;
	union {
		struct ev_line line; /* of an event */
		struct {
			struct ev_str key; /* a slice */
			struct ev_str json;
		} document;
		struct ev_str why; /* EV_BAD_INPUT: what is wrong with it */
	} u;
};

/*
 * Starts to read. SIGINT and SIGTERM go to the reading thread alone until
 * feed_next has said EV_NO or EV_IO. Borrows the options.
 */
enum ev_status feed_new(struct feed **out, const struct feed_options *options,
                        struct ev_err *err);

/*
 * After feed_next has said EV_NO or EV_IO, frees everything. Before that the
 * thread may be waiting for input, which only the end of the process can end:
 * then this does no more than take the signals back.
 */
void feed_free(struct feed *feed);

/*
 * The next line; blank ones are passed over. EV_NO: no more, or a signal came.
 * EV_IO: a file cannot be read; what was read before it has been given.
 */
enum ev_status feed_next(struct feed *feed, const struct feed_item **item,
                         struct ev_err *err);

/* Would feed_next answer without waiting for input? */
bool feed_is_ready(struct feed *feed);

#endif
