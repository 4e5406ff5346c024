#ifndef EV_CMD_SERVE_EVENTS_H
#define EV_CMD_SERVE_EVENTS_H

#include "cmd/serve.h"

struct serve_request;

/* Of the routes. */
void serve_event_stream(struct serve_request *request);
void serve_events(struct serve_request *request);
void serve_event(struct serve_request *request);
void serve_head(struct serve_request *request);

/*
 * A search of the log for events that pass a filter, which lasts for a turn and
 * says where the next one has to begin: nobody holds up the others by asking
 * for what is rare. Set what is public, zero the rest.
 */
struct serve_search {
	struct ev_store *store;
	const struct ev_catalogs *catalogs;
	const struct ev_filter *filter;
	int64_t from, to; /* inclusive; what is left */
	bool reverse;
	int turn_ms;
	/* how many positions are looked at with one query; it adapts, and may
	   be kept for the next turn. 0: not known yet */
	int64_t window;
	/* private */
	int64_t until; /* when the turn is over, 0: not begun */
	struct ev_cursor *cursor;
	int64_t edge; /* the last position of the query */
	size_t rows, found; /* of it */
	struct ev_arena arena;
	struct ev_list types;
	struct ev_buf scratch;
};

/*
 * The next event; both texts are borrowed until the next call. EV_NO: there are
 * no more. EV_BUSY: the turn is over. Other failures are the store's. Close it
 * in any case.
 */
enum ev_status serve_search_next(struct serve_search *search,
                                 struct ev_str *text, struct ev_line *line,
                                 struct ev_err *err);
void serve_search_close(struct serve_search *search);

#endif
