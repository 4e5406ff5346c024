#ifndef EV_CMD_SERVE_TAIL_H
#define EV_CMD_SERVE_TAIL_H

#include "cmd/serve.h"

/*
 * A thread that waits for new events of the log, which need not exist yet, and
 * hands them to the loop. It never is ahead by more than a few MiB: then it
 * waits until the loop has taken what there is.
 */

/* A new event, taken apart once for everybody. It belongs to the loop. */
struct tail_event {
	struct tail_event *next;
	unsigned uses;
	int64_t position;
	bool damaged;         /* no line could be read at this position */
	struct ev_line line;  /* slices of `text` */
	struct ev_str text;   /* as a server-sent event, canonical, as stored */
	struct ev_str json;   /* the line in it */
	struct ev_str *forms; /* in what other forms somebody wanted it */
	char bytes[];
};

/* What the loop is given. */
struct tail_news {
	struct tail_event *events; /* in order */
	/* not NULL: there are newer catalogs; one copy is for the loop, one
	   for who reads events that are older */
	struct ev_catalogs *catalogs[2];
};

/* Begins behind `serve_live_position`. */
enum ev_status serve_tail_start(struct serve *serve, struct ev_err *err);
void serve_tail_stop(struct serve *serve);

/* By the loop: all there is, which is the caller's then. */
struct tail_news serve_tail_take(struct serve *serve);

/* Frees an event that nobody uses any more. */
void tail_event_free(struct tail_event *event);

/* Appends a server-sent event; `json` is one line. */
void tail_event_write(struct ev_buf *out, int64_t position, struct ev_str type,
                      struct ev_str json);

/* A copy for another thread, as catalogs compile their types when asked. */
struct ev_catalogs *tail_catalogs_copy(const struct ev_catalogs *catalogs);
void tail_catalogs_free(struct ev_catalogs *catalogs);

#endif
