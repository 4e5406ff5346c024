#include "adapter/sqlite/streams.h"

#include <stdlib.h>

static struct stream *
find_slot(struct streams *streams, struct ev_str name)
{
	size_t i = ev_str_hash(name);

	for (;; i++) {
		struct stream *slot = &streams->slots[i & (streams->cap - 1)];

		if (!slot->name.ptr || ev_str_equal(slot->name, name))
			return slot;
	}
}

static void
grow(struct streams *streams)
{
	struct stream *old = streams->slots;
	size_t old_cap = streams->cap;

	streams->cap = old_cap ? old_cap * 2 : 64;
	streams->slots = ev_mem_alloc(streams->cap * sizeof *old);
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].name.ptr)
			*find_slot(streams, old[i].name) = old[i];
	free(old);
}

struct stream *
streams_find(struct streams *streams, struct ev_str name)
{
	struct stream *slot;

	if (streams->count * 2 >= streams->cap)
		grow(streams);
	slot = find_slot(streams, name);
	if (!slot->name.ptr) {
		slot->name = ev_arena_dup(&streams->names, name);
		slot->last = STREAM_UNKNOWN;
		streams->count++;
	}
	return slot;
}

void
streams_release(struct streams *streams)
{
	ev_arena_release(&streams->names);
	free(streams->slots);
	*streams = (struct streams){ 0 };
}
