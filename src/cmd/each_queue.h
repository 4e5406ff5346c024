#ifndef EV_CMD_EACH_QUEUE_H
#define EV_CMD_EACH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which event may start next. Of each stream one event is at work, the earliest;
 * the others stand behind it, also while it waits to be tried again. The queue
 * knows positions and streams, not events, so that it can look far ahead of a
 * stream that is stuck. Pure: whoever calls tells it the time.
 */
enum { EACH_QUEUE_MAX = 65536 }; /* events from the checkpoint on */

enum each_state {
	EACH_BEHIND,  /* another event of its stream */
	EACH_READY,
	EACH_WAITING, /* until it is due */
	EACH_RUNNING,
	EACH_FINISHED
};

struct each_item {
	int64_t position;
	uint64_t stream; /* a hash: two that are equal are kept in order, too */
	int64_t attempts; /* that failed */
	int64_t due;     /* when it may start, in milliseconds; 0: at once */
	bool replay;     /* it lies behind the checkpoint, or was passed over */
	/* private */
	enum each_state state;
	size_t slot;     /* where it is in its heap */
	struct each_item *next; /* of its stream */
};

struct each_heap {
	struct each_item **items;
	size_t count, room;
	bool by_due; /* else by position */
};

struct each_queue {
	struct each_item **window; /* a ring, by position */
	size_t first, count, room;
	size_t replays;
	size_t running;
	int64_t seen; /* everything up to here was looked at */
	struct each_heap ready, waiting;
	struct each_stream **streams; /* by hash */
};

void each_queue_init(struct each_queue *queue, int64_t position);
void each_queue_release(struct each_queue *queue);

/* Adds an event. One that is no replay comes after all that were seen. */
void each_queue_add(struct each_queue *queue, const struct each_item *item);

/* Everything up to here was looked at. */
void each_queue_see(struct each_queue *queue, int64_t position);

/* The next that may start, running from now on; NULL: none. */
struct each_item *each_queue_start(struct each_queue *queue, int64_t now);

/* A running one is to be tried again, at `due`. */
void each_queue_retry(struct each_queue *queue, struct each_item *item,
                      int64_t due);

/* A running one is done with; its memory goes. */
void each_queue_finish(struct each_queue *queue, struct each_item *item);

/* Everything up to here is finished. */
int64_t each_queue_checkpoint(const struct each_queue *queue);

/* When the first that waits is due; -1: none waits. */
int64_t each_queue_due(const struct each_queue *queue);

bool each_queue_is_empty(const struct each_queue *queue);
bool each_queue_is_full(const struct each_queue *queue);

#endif
