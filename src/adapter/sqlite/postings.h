#ifndef EV_ADAPTER_SQLITE_POSTINGS_H
#define EV_ADAPTER_SQLITE_POSTINGS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * An index of positions by type, actor, causation and correlation. A row is one
 * commit's positions of one value: the first, and in `more` the distances from
 * each to the next, seven bits a byte, low ones first, the high bit meaning
 * "and more". It costs a one-shot append what any index costs, and a bulk
 * append nothing.
 */
struct postings {
	struct posting {
		const char *kind; /* "type", … */
		struct ev_str value;
		int64_t first;
		int64_t last;
		struct ev_buf more;
	} *list;
	size_t count;
	size_t cap;
	size_t *slots; /* of a hash table: 1 + where in the list, 0: free */
	size_t slot_count;
};

/* Positions must grow; a value of {0} is none. The value is borrowed. */
void postings_add(struct postings *postings, const char *kind,
                  struct ev_str value, int64_t position);

/* Into the order of the table. Nothing can be added after that. */
void postings_sort(struct postings *postings);
void postings_release(struct postings *postings);

/* Advances `position` and `more`; false at the end, or where it is damaged. */
bool postings_next(const unsigned char **more, const unsigned char *end,
                   int64_t *position);

#endif
