#ifndef EV_CMD_EACH_GUARD_H
#define EV_CMD_EACH_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * A process beside us that kills what we run once we cannot any more: as soon
 * as we have ended, however that came about, or when the lease has run out and
 * we, stopped or starved, have not renewed it. It is this process whose end
 * frees the lease, so that who takes it over never works beside our commands.
 */
struct each_guard {
	pid_t pid;
	int fd;
	int64_t deadline;
};

/* To be called before anything is opened that it should not hold. */
enum ev_status each_guard_start(struct each_guard *guard, struct ev_err *err);

/* What is watched: a process group, which a command itself adds before it
   becomes the command, and which is removed before its number is free again.
   Not added, it must not become it: it is too late, or nobody watches. */
bool each_guard_add(const struct each_guard *guard, pid_t group);
void each_guard_remove(const struct each_guard *guard, pid_t group);

/* All are killed at this time of each_clock, unless it is moved before. */
void each_guard_deadline(struct each_guard *guard, int64_t time);

/* Somebody has killed it. */
bool each_guard_has_ended(struct each_guard *guard);

void each_guard_end(struct each_guard *guard);

/* Milliseconds, asleep or not. */
int64_t each_clock(void);

#endif
