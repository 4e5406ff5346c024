#include "adapter/sqlite/postings.h"

#include <stdlib.h>

#include "base/mem.h"

static void
add_gap(struct ev_buf *more, uint64_t gap)
{
	for (; gap > 127; gap >>= 7)
		ev_buf_add_char(more, (char)(gap | 128));
	ev_buf_add_char(more, (char)gap);
}

bool
postings_next(const unsigned char **more, const unsigned char *end,
              int64_t *position)
{
	uint64_t gap = 0;

	for (int shift = 0; *more < end && shift < 63; shift += 7) {
		unsigned char byte = *(*more)++;

		gap |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) {
			*position += (int64_t)gap;
			return true;
		}
	}
	return false;
}

static size_t *
find_slot(struct postings *postings, const char *kind, struct ev_str value)
{
	size_t i = (size_t)ev_str_hash(value) + (unsigned char)kind[2];

	for (;; i++) {
		size_t *slot = &postings->slots[i & (postings->slot_count - 1)];
		const struct posting *p;

		if (!*slot)
			return slot;
		p = &postings->list[*slot - 1];
		if (strcmp(p->kind, kind) == 0 &&
		    ev_str_equal(p->value, value))
			return slot;
	}
}

static void
grow(struct postings *postings)
{
	postings->cap = postings->cap ? postings->cap * 2 : 16;
	postings->list = ev_mem_resize(postings->list, postings->cap *
	                               sizeof *postings->list);
	postings->slot_count = postings->cap * 2;
	free(postings->slots);
	postings->slots = ev_mem_alloc(postings->slot_count *
	                               sizeof *postings->slots);
	for (size_t i = 0; i < postings->count; i++)
		*find_slot(postings, postings->list[i].kind,
		           postings->list[i].value) = i + 1;
}

void
postings_add(struct postings *postings, const char *kind, struct ev_str value,
             int64_t position)
{
	struct posting *posting;
	size_t *slot;

	if (!value.ptr)
		return;
	if (postings->count == postings->cap)
		grow(postings);
	slot = find_slot(postings, kind, value);
	if (!*slot) {
		postings->list[postings->count] = (struct posting){
			.kind = kind, .value = value,
			.first = position, .last = position
		};
		*slot = ++postings->count;
		return;
	}
	posting = &postings->list[*slot - 1];
	add_gap(&posting->more, (uint64_t)(position - posting->last));
	posting->last = position;
}

static int
compare(const void *a, const void *b)
{
	const struct posting *x = a, *y = b;
	int order = strcmp(x->kind, y->kind);

	return order ? order : ev_str_compare(x->value, y->value);
}

void
postings_sort(struct postings *postings)
{
	if (postings->count)
		qsort(postings->list, postings->count, sizeof *postings->list,
		      compare);
}

void
postings_release(struct postings *postings)
{
	for (size_t i = 0; i < postings->count; i++)
		ev_buf_release(&postings->list[i].more);
	free(postings->list);
	free(postings->slots);
	*postings = (struct postings){ 0 };
}
