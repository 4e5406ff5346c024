#ifndef EV_CMD_EACH_ENV_H
#define EV_CMD_EACH_ENV_H

#include "domain/line.h"

/*
 * The environment of a command that is run for an event: our own, and the event
 * in variables whose names are fixed or begin with EV_DATA_. ev-each(1) lists
 * them. Nothing that an event says can set another one.
 */
struct each_env {
	char **inherited; /* without what an outer event has left */
	size_t inherited_count;
	struct ev_str consumer;
	struct ev_str log;
	/* private */
	struct ev_buf text;   /* NAME=VALUE, each with a NUL */
	struct ev_buf omitted;
	bool omitted_all; /* … and more, which it does not name */
	struct ev_buf names;
	struct ev_buf key;
	char **list;
	size_t room;
};

enum {
	EACH_VALUE_MAX = 64 << 10, /* bytes of a value, … */
	EACH_VALUES_MAX = 256 << 10 /* … and of all that are the event's own */
};

/* Borrows everything; `environment` as environ(7) has it. */
void each_env_init(struct each_env *env, struct ev_str consumer,
                   struct ev_str log, char **environment);
void each_env_release(struct each_env *env);

/* What execve takes; borrowed until the next call. */
char **each_env_make(struct each_env *env, const struct ev_line *line,
                     int64_t attempt, int64_t fence);

/* Without the event's own members, for a system that takes no more. */
char **each_env_make_small(struct each_env *env, const struct ev_line *line,
                           int64_t attempt, int64_t fence);

/* "prNumber": appends "EV_DATA_PR_NUMBER". False: it has no variable. */
bool each_env_name(struct ev_buf *out, struct ev_str member);

#endif
