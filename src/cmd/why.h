#ifndef EV_CMD_WHY_H
#define EV_CMD_WHY_H

#include "cmd/history.h"

/* Takes the position of an event; EV_OK: go on. */
typedef enum ev_status why_take(void *context, int64_t position,
                                struct ev_err *err);

/*
 * The events that the document of history->key was folded from, in order, or
 * those of them that changed `member` (a.b; NULL: whatever they changed).
 * EV_USAGE: documents of this model have no such member.
 */
enum ev_status why_each(struct history *history, const char *member,
                        why_take *take, void *context, struct ev_err *err);

#endif
