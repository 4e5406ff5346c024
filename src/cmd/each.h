#ifndef EV_CMD_EACH_H
#define EV_CMD_EACH_H

#include "cmd/each_child.h"
#include "cmd/each_env.h"
#include "cmd/each_queue.h"
#include "cmd/filter_options.h"

/* ev-each, in parts. */

enum each_job { EACH_RUN, EACH_LAG, EACH_PARKED, EACH_REPLAY, EACH_DROP,
                EACH_FORGET };

struct each_options {
	enum each_job job;
	const char *log;
	const char *name; /* or NULL, for EACH_LAG and EACH_PARKED */
	char **operands;  /* the command, or positions; ended by NULL */
	struct filter_options filter;
	int64_t jobs;
	int64_t retries;
	int backoff_ms;
	int backoff_max_ms;
	int timeout_ms; /* 0: none */
	int lease_ms;
	bool follow;
	bool from_end;
	bool quiet;
	int table; /* -1: if the output is a terminal */
};

/* A run, and what its parts share. */
struct each {
	struct each_options *options;
	struct ev_store *store;
	struct ev_catalogs catalogs;
	struct each_guard guard;
	struct each_env env;
	struct each_queue queue;

	/* each_feed.c */
	struct each_known *known; /* what earlier runs have left, by position */
	size_t known_count, known_next;
	int64_t *replays; /* positions that are in the queue as such */
	size_t replay_count;
	int64_t replays_read_at;
	struct ev_cursor *cursor;
	int64_t cursor_to;
	int64_t target; /* the last position to be looked at */
	struct ev_buf scratch;

	/* each_work.c */
	struct each_child *children; /* options->jobs of them */
	struct each_item **items;    /* what each of them runs */
	struct ev_buf newer;
	struct ev_delivery *changes; /* that have not been saved yet */
	size_t change_count, change_room;
	struct ev_arena reasons; /* of theirs */
	bool parked; /* something was, in this run */

	/* each_run.c */
	int64_t fence;
	int64_t saved;    /* the checkpoint that the log has */
	int64_t saved_at; /* of each_clock */
	int64_t lease_end;
	int stops; /* how often we were told to stop */
	bool save_failed;
	bool ending; /* start nothing more */
	enum ev_status failure; /* why */
};

enum ev_status each_run(struct each_options *options, struct ev_err *err);
/* How long an event waits that has failed so often. */
int64_t each_backoff(const struct each_options *options, int64_t attempts);

/*
 * each_feed.c: from the log into the queue. begin reads what earlier runs have
 * left; feed adds events while there are too few that could start, and reads
 * only so many at once: EV_NO, there is nothing more for now.
 */
enum ev_status each_feed_begin(struct each *each, struct ev_err *err);
enum ev_status each_feed(struct each *each, struct ev_err *err);
void each_feed_end(struct each *each);
void each_feed_forget_replay(struct each *each, int64_t position);
/* The event at `position`, parsed; both borrowed until the cursor is closed. */
enum ev_status each_feed_get(struct each *each, int64_t position,
                             struct ev_cursor **cursor, struct ev_row *row,
                             struct ev_line *line, struct ev_err *err);

/*
 * each_work.c: runs commands for what the queue lets start, and notes what came
 * of them in each->changes.
 */
enum ev_status each_work_start(struct each *each, struct ev_err *err);
void each_work_look(struct each *each);
/* The lease ran out and is renewed: the guard may have killed what runs. */
void each_work_lapse(struct each *each);
/* Ours are told to end; or are killed at once and waited for, and it is as if
   they had not been started. */
void each_work_tell(struct each *each);
void each_work_kill(struct each *each);
void each_work_forget_changes(struct each *each);
/* What to wait for, into fds, which has room for all; and for how long, at most
   until `until`. */
size_t each_work_polls(const struct each *each, struct pollfd *fds);
int64_t each_work_due(const struct each *each);

/* each_show.c */
/* Appends what --lag prints of a consumer, as JSON without a newline, `end`
   being the log's. */
enum ev_status each_write_lag(struct ev_buf *out, struct ev_store *store,
                              const struct ev_consumer *consumer, int64_t end,
                              int64_t now, struct ev_err *err);
enum ev_status each_lag(const struct each_options *options,
                        struct ev_err *err);
enum ev_status each_parked(const struct each_options *options,
                           struct ev_err *err);
enum ev_status each_mark(const struct each_options *options,
                         struct ev_err *err);
enum ev_status each_forget(const struct each_options *options,
                           struct ev_err *err);

#endif
