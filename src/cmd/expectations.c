#include "cmd/expectations.h"

#include <stdlib.h>

/* No stream is ever there. */
#define NEVER INT64_MAX

static struct expectation *
find_slot(struct expectations *all, struct ev_str stream)
{
	size_t i = (size_t)ev_str_hash(stream);

	for (;; i++) {
		struct expectation *e = &all->slots[i & (all->cap - 1)];

		if (!e->stream.ptr || ev_str_equal(e->stream, stream))
			return e;
	}
}

static void
grow(struct expectations *all)
{
	struct expectation *old = all->slots;
	size_t old_cap = all->cap;

	all->cap = old_cap ? old_cap * 2 : 16;
	all->slots = ev_mem_alloc(all->cap * sizeof *old);
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].stream.ptr)
			*find_slot(all, old[i].stream) = old[i];
	free(old);
}

static struct expectation *
find(struct expectations *all, struct ev_str stream)
{
	struct expectation *e;

	if (all->count * 2 >= all->cap)
		grow(all);
	e = find_slot(all, stream);
	if (!e->stream.ptr) {
		e->stream = ev_arena_dup(&all->names, stream);
		e->version = all->expect == EV_EXPECT_NONE ? -1 : all->version;
		all->count++;
	}
	return e;
}

void
expectations_next(struct expectations *all, struct ev_append *append)
{
	struct expectation *e;

	append->expect = all->expect;
	append->expect_version = all->version;
	if (all->expect != EV_EXPECT_VERSION && all->expect != EV_EXPECT_NONE)
		return;
	e = find(all, append->event->line.stream);
	append->expect = e->version < 0 ? EV_EXPECT_NONE : EV_EXPECT_VERSION;
	append->expect_version = e->version++;
	if (e->stale) {
		append->expect = EV_EXPECT_VERSION;
		append->expect_version = NEVER;
	}
}

void
expectations_fail(struct expectations *all, struct ev_str stream)
{
	if (all->expect == EV_EXPECT_VERSION || all->expect == EV_EXPECT_NONE)
		find(all, stream)->stale = true;
}

bool
expectations_is_failed(const struct ev_append *append)
{
	return append->expect == EV_EXPECT_VERSION &&
	       append->expect_version == NEVER;
}

void
expectations_release(struct expectations *all)
{
	ev_arena_release(&all->names);
	free(all->slots);
}
