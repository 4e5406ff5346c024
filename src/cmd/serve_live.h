#ifndef EV_CMD_SERVE_LIVE_H
#define EV_CMD_SERVE_LIVE_H

#include "cmd/filter_options.h"
#include "cmd/printer.h"
#include "cmd/serve.h"

/*
 * Streams of events (server-sent events). The newest events are in memory, once
 * for everybody; who asks for older ones is given them from the log, read by a
 * thread of its own in turns, until they have caught up. Everything here is
 * called by the loop.
 *
 * $EV_LIVE_EVENTS says how many events are kept at most, $EV_LIVE_MS how long a
 * reader that has fallen behind them has to catch up; both for tests.
 */
enum ev_status serve_live_open(struct serve *serve, struct ev_err *err);
void serve_live_close(struct serve *serve);

/* Whenever the loop wakes, before HTTP's turn; and in how many milliseconds
   that has to be, -1: whenever. */
void serve_live_run(struct serve *serve);
int serve_live_timeout(struct serve *serve);

/* Every reader is told, and its stream ends. */
void serve_live_stop(struct serve *serve);

/* Up to here every event is known. */
int64_t serve_live_position(const struct serve *serve);

/* What a stream shall be. */
struct live_options {
	struct filter_options filter;
	enum printer_form form; /* not TABLE */
	bool raw;
	int64_t after; /* begins behind this position; -1: now */
};

/* Answers with a stream, or with a problem. Takes the filter. */
void serve_live_begin(struct serve_request *request,
                      struct live_options *options);

#endif
