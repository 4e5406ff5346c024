#ifndef EV_BASE_MEM_H
#define EV_BASE_MEM_H

#include <stddef.h>

#include "base/str.h"

/* Allocation that ends the process with one line and EV_IO when it fails. */
void *ev_mem_alloc(size_t size);
void *ev_mem_resize(void *old, size_t size);
void ev_mem_exhausted(void) __attribute__((noreturn));

/*
 * An arena: memory that is freed all at once. {0} is empty and valid. Reset
 * forgets everything and keeps one block, so that a loop that resets its arena
 * for each record allocates nothing.
 */
struct ev_arena {
	struct ev_arena_block *block;
};

/* `size` zeroed bytes, aligned for any type, until reset or release. */
void *ev_arena_alloc(struct ev_arena *arena, size_t size);

/* A copy of s that is also NUL-terminated (the NUL is not in its len). */
struct ev_str ev_arena_dup(struct ev_arena *arena, struct ev_str s);

void ev_arena_reset(struct ev_arena *arena);
void ev_arena_release(struct ev_arena *arena);

#endif
