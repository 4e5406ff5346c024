#ifndef EV_CMD_APPENDER_H
#define EV_CMD_APPENDER_H

#include <pthread.h>

#include "base/out.h"
#include "base/uuid.h"
#include "cmd/expectations.h"
#include "domain/event.h"
#include "port/store.h"

/*
 * Takes records, checks them, commits them in groups, and prints a receipt for
 * each event once it is durable. A record that is refused is named on standard
 * error and, if asked for, written to a file whole; the others go on.
 */
struct appender_options {
	struct ev_overrides overrides;
	enum ev_expect expect;
	int64_t expect_version;
	const char *rejects; /* a file, or NULL */
	bool atomic;         /* all events or none */
	bool dry_run;        /* check only */
	bool quiet;          /* no receipts */
	char end;            /* of a record */
};

/* A record that is waiting to be committed. */
struct pending {
	struct ev_event event;
	struct ev_str text; /* as it came, for --rejects */
	const char *file;
	size_t line;
};

/* Events that are appended in one commit. */
struct group {
	struct ev_arena arena;
	struct pending *events;
	struct ev_append *appends;
	size_t count;
	size_t cap;
	size_t bytes;
	int64_t begun; /* when the first event came */
};

/*
 * Bulk input keeps both cores busy: while one group is checked here, the one
 * before is committed by a thread. It starts with the first group that fills
 * up, so that a single event does not pay for it.
 */
struct committer {
	pthread_t thread;
	bool started;
	bool over;
	struct group *work; /* being committed; NULL: idle */
	enum ev_status status; /* the first failure */
	struct ev_err err;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
};

struct appender {
	struct appender_options options;
	struct ev_store *store;
	struct ev_catalogs catalogs;
	struct ev_event_reader reader;
	struct ev_uuid_source uuids;
	struct expectations expectations;
	struct group groups[2];
	struct group *filling; /* one of them */
	struct committer committer;
	struct ev_out receipts;
	struct ev_buf receipt;

	pthread_mutex_t complaints; /* guards what follows */
	struct ev_out rejects;
	enum ev_status worst; /* BAD_INPUT or CONFLICT, once there was one */
};

/* What is said of an append: the receipt of one that is in the log, as JSON, or
   why it was refused (its status: EV_CONFLICT or EV_BAD_INPUT). */
void appender_receipt(struct ev_buf *out, const struct ev_append *append);
enum ev_status appender_refusal(const struct ev_append *append,
                                struct ev_err *err);

/* Borrows the store, which the caller closes after the appender. */
enum ev_status appender_open(struct appender *appender,
                             const struct appender_options *options,
                             struct ev_store *store, struct ev_err *err);

/* One record; `file` (NULL: standard input) and `line` (0: none) say where it
   came from. Both texts are borrowed; the file's until appender_close. */
void appender_take(struct appender *appender, struct ev_str text,
                   const char *file, size_t line);

/* A record that could not even be read. */
void appender_refuse(struct appender *appender, const char *file, size_t line,
                     const struct ev_err *why);

/* Is the group large or old enough to be committed? Not if all or none. */
bool appender_is_full(const struct appender *appender);

/* Commits what was taken; a bulk goes on while it is being committed. */
enum ev_status appender_commit(struct appender *appender, struct ev_err *err);

/* Until everything that was committed is durable and acknowledged. */
enum ev_status appender_finish(struct appender *appender, struct ev_err *err);

enum ev_status appender_close(struct appender *appender, struct ev_err *err);

#endif
