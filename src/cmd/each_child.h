#ifndef EV_CMD_EACH_CHILD_H
#define EV_CMD_EACH_CHILD_H

#include "base/buf.h"
#include "cmd/each_guard.h"

enum { EACH_REASON_MAX = 500 };

/* One run of a command. */
struct each_child {
	pid_t pid; /* 0: none; also its process group */
	int errors; /* its standard error, to be read */
	struct ev_buf line; /* of it, as far as it has come */
	struct ev_buf last; /* its last line that says something */
	int64_t end_at; /* when it is told to end; 0: never */
	enum { CHILD_FREE, CHILD_TOLD, CHILD_KILLED } told;
	bool timed_out;
	bool lapsed; /* the lease ran out meanwhile: it may have been killed */
};

/*
 * Starts it, with `input` as its standard input, which it can seek in, and the
 * environment. EV_UNREACHABLE: it cannot be executed; EV_BAD_INPUT: this
 * environment is too big; EV_IO: the system gives no more; EV_CONFLICT: the
 * lease has run out, or its guard has ended.
 */
enum ev_status each_child_start(struct each_child *child,
                                const struct each_guard *guard,
                                char **command, char **environment,
                                struct ev_str input, struct ev_err *err);

/* Passes its standard error on. Only when ours can be written to. */
void each_child_relay(struct each_child *child);

/* Has it ended? Then its number may be used again, and `code` is what
   waitpid says. */
bool each_child_has_ended(struct each_child *child,
                          const struct each_guard *guard, int *code);

/* Tells it to end, or, told before, kills it; it, and what it has started. */
void each_child_tell(struct each_child *child, int64_t now);
void each_child_kill(struct each_child *child);

/* Reads what is left of its standard error. */
void each_child_close(struct each_child *child);
void each_child_release(struct each_child *child);

#endif
