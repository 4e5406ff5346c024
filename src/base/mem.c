#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

enum { BLOCK_SIZE = 16 * 1024 };

struct ev_arena_block {
	struct ev_arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) char bytes[];
};

void
ev_mem_exhausted(void)
{
	static const char text[] = "ev: out of memory\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);

	(void)written;
	_exit(EV_IO);
}

void *
ev_mem_alloc(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	if (!memory)
		ev_mem_exhausted();
	return memory;
}

void *
ev_mem_resize(void *old, size_t size)
{
	void *memory = realloc(old, size ? size : 1);

	if (!memory)
		ev_mem_exhausted();
	return memory;
}

void *
ev_arena_alloc(struct ev_arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct ev_arena_block *block = arena->block;
	char *memory;

	if (size > SIZE_MAX / 2)
		ev_mem_exhausted();
	size = (size + align - 1) / align * align;
	if (!block || block->size - block->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		block = ev_mem_resize(NULL, sizeof *block + room);
		block->next = arena->block;
		block->used = 0;
		block->size = room;
		arena->block = block;
	}
	memory = block->bytes + block->used;
	block->used += size;
	return memset(memory, 0, size);
}

struct ev_str
ev_arena_dup(struct ev_arena *arena, struct ev_str s)
{
	char *copy = ev_arena_alloc(arena, s.len + 1);

	if (s.len)
		memcpy(copy, s.ptr, s.len);
	return (struct ev_str){ copy, s.len };
}

static void
free_blocks(struct ev_arena_block *block)
{
	while (block) {
		struct ev_arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void
ev_arena_reset(struct ev_arena *arena)
{
	struct ev_arena_block *kept = arena->block;

	if (!kept)
		return;
	free_blocks(kept->next);
	kept->next = NULL;
	kept->used = 0;
	/* one huge record must not keep its memory for the rest of the run */
	if (kept->size > BLOCK_SIZE) {
		free(kept);
		arena->block = NULL;
	}
}

void
ev_arena_release(struct ev_arena *arena)
{
	free_blocks(arena->block);
	arena->block = NULL;
}
