#include "cmd/each_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum { BUCKETS = 4096 };

/* What of a stream is not finished, by position; the first may be running, and
   then a replay of an earlier event comes behind it. */
struct each_stream {
	uint64_t hash;
	struct each_item *first, *last;
	struct each_stream *next; /* in its bucket */
};

static bool
is_before(const struct each_heap *heap, const struct each_item *a,
          const struct each_item *b)
{
	if (heap->by_due && a->due != b->due)
		return a->due < b->due;
	return a->position < b->position;
}

static void
place(struct each_heap *heap, size_t slot, struct each_item *item)
{
	heap->items[slot] = item;
	item->slot = slot;
}

static void
sift_up(struct each_heap *heap, size_t slot, struct each_item *item)
{
	for (; slot && is_before(heap, item, heap->items[(slot - 1) / 2]);
	     slot = (slot - 1) / 2)
		place(heap, slot, heap->items[(slot - 1) / 2]);
	place(heap, slot, item);
}

static void
sift_down(struct each_heap *heap, size_t slot, struct each_item *item)
{
	for (;;) {
		size_t child = 2 * slot + 1;

		if (child + 1 < heap->count &&
		    is_before(heap, heap->items[child + 1], heap->items[child]))
			child++;
		if (child >= heap->count ||
		    !is_before(heap, heap->items[child], item))
			break;
		place(heap, slot, heap->items[child]);
		slot = child;
	}
	place(heap, slot, item);
}

static void
heap_add(struct each_heap *heap, struct each_item *item)
{
	if (heap->count == heap->room) {
		heap->room = heap->room ? 2 * heap->room : 64;
		heap->items = ev_mem_resize(heap->items, heap->room *
		                            sizeof *heap->items);
	}
	sift_up(heap, heap->count++, item);
}

static void
heap_remove(struct each_heap *heap, struct each_item *item)
{
	size_t slot = item->slot;
	struct each_item *last = heap->items[--heap->count];

	if (last == item)
		return;
	sift_down(heap, slot, last);
	sift_up(heap, last->slot, last);
}

void
each_queue_init(struct each_queue *queue, int64_t position)
{
	*queue = (struct each_queue){ .seen = position,
	                              .waiting.by_due = true };
	queue->streams = ev_mem_alloc(BUCKETS * sizeof *queue->streams);
}

void
each_queue_release(struct each_queue *queue)
{
	for (size_t i = 0; queue->streams && i < BUCKETS; i++)
		while (queue->streams[i]) {
			struct each_stream *stream = queue->streams[i];

			/* those in the window go with it */
			while (stream->first) {
				struct each_item *item = stream->first;

				stream->first = item->next;
				if (item->replay)
					free(item);
			}
			queue->streams[i] = stream->next;
			free(stream);
		}
	for (; queue->count; queue->count--, queue->first++)
		free(queue->window[queue->first % queue->room]);
	free(queue->window);
	free(queue->ready.items);
	free(queue->waiting.items);
	free(queue->streams);
	*queue = (struct each_queue){ 0 };
}

/* Where the stream is linked, or would be. */
static struct each_stream **
find_stream(struct each_queue *queue, uint64_t hash)
{
	struct each_stream **at = &queue->streams[hash % BUCKETS];

	while (*at && (*at)->hash != hash)
		at = &(*at)->next;
	return at;
}

/* The first of its stream can start, if need be later. */
static void
let_start(struct each_queue *queue, struct each_item *item)
{
	item->state = item->due ? EACH_WAITING : EACH_READY;
	heap_add(item->due ? &queue->waiting : &queue->ready, item);
}

static void
put_behind(struct each_queue *queue, struct each_item *item)
{
	heap_remove(item->state == EACH_WAITING ? &queue->waiting
	                                        : &queue->ready, item);
	item->state = EACH_BEHIND;
}

static void
add_to_stream(struct each_queue *queue, struct each_item *item)
{
	struct each_stream **link = find_stream(queue, item->stream);
	struct each_stream *stream = *link;
	struct each_item **at;

	if (!stream) {
		stream = *link = ev_mem_alloc(sizeof *stream);
		stream->hash = item->stream;
	}
	at = &stream->first;
	if (stream->last && stream->last->position < item->position)
		at = &stream->last->next;
	else if (stream->first && stream->first->state == EACH_RUNNING)
		at = &stream->first->next;
	while (*at && (*at)->position < item->position)
		at = &(*at)->next;
	item->next = *at;
	*at = item;
	if (!item->next)
		stream->last = item;
	if (stream->first == item) {
		if (item->next)
			put_behind(queue, item->next);
		let_start(queue, item);
	}
}

void
each_queue_add(struct each_queue *queue, const struct each_item *item)
{
	struct each_item *copy = ev_mem_alloc(sizeof *copy);

	copy->position = item->position;
	copy->stream = item->stream;
	copy->attempts = item->attempts;
	copy->due = item->due;
	copy->replay = item->replay;
	if (item->replay) {
		queue->replays++;
		add_to_stream(queue, copy);
		return;
	}
	assert(item->position > queue->seen);
	queue->seen = item->position;
	if (queue->count == queue->room) {
		size_t room = queue->room ? 2 * queue->room : 64;
		struct each_item **window = ev_mem_alloc(room * sizeof *window);

		for (size_t i = 0; i < queue->count; i++)
			window[i] = queue->window[(queue->first + i) %
			                          queue->room];
		free(queue->window);
		queue->window = window;
		queue->first = 0;
		queue->room = room;
	}
	queue->window[(queue->first + queue->count++) % queue->room] = copy;
	add_to_stream(queue, copy);
}

void
each_queue_see(struct each_queue *queue, int64_t position)
{
	if (position > queue->seen)
		queue->seen = position;
}

struct each_item *
each_queue_start(struct each_queue *queue, int64_t now)
{
	struct each_item *item;

	while (queue->waiting.count && queue->waiting.items[0]->due <= now) {
		item = queue->waiting.items[0];
		heap_remove(&queue->waiting, item);
		item->due = 0;
		let_start(queue, item);
	}
	if (!queue->ready.count)
		return NULL;
	item = queue->ready.items[0];
	heap_remove(&queue->ready, item);
	item->state = EACH_RUNNING;
	queue->running++;
	return item;
}

/* Puts it where it belongs by its position: a replay may have come meanwhile. */
void
each_queue_retry(struct each_queue *queue, struct each_item *item, int64_t due)
{
	struct each_stream *stream = *find_stream(queue, item->stream);

	assert(stream && stream->first == item && item->state == EACH_RUNNING);
	queue->running--;
	item->due = due;
	if (item->next && item->next->position < item->position) {
		stream->first = item->next;
		item->state = EACH_BEHIND;
		let_start(queue, stream->first);
		add_to_stream(queue, item);
	} else {
		let_start(queue, item);
	}
}

void
each_queue_finish(struct each_queue *queue, struct each_item *item)
{
	struct each_stream **link = find_stream(queue, item->stream);
	struct each_stream *stream = *link;

	assert(stream && stream->first == item && item->state == EACH_RUNNING);
	queue->running--;
	stream->first = item->next;
	if (stream->first) {
		let_start(queue, stream->first);
	} else {
		*link = stream->next;
		free(stream);
	}
	if (item->replay) {
		queue->replays--;
		free(item);
		return;
	}
	item->state = EACH_FINISHED;
	while (queue->count && queue->window[queue->first]->state ==
	                               EACH_FINISHED) {
		free(queue->window[queue->first]);
		queue->first = (queue->first + 1) % queue->room;
		queue->count--;
	}
}

int64_t
each_queue_checkpoint(const struct each_queue *queue)
{
	return queue->count ? queue->window[queue->first]->position - 1
	                    : queue->seen;
}

int64_t
each_queue_due(const struct each_queue *queue)
{
	return queue->waiting.count ? queue->waiting.items[0]->due : -1;
}

bool
each_queue_is_empty(const struct each_queue *queue)
{
	return !queue->count && !queue->replays;
}

bool
each_queue_is_full(const struct each_queue *queue)
{
	return queue->count >= EACH_QUEUE_MAX;
}
