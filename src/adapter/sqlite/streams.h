#ifndef EV_ADAPTER_SQLITE_STREAMS_H
#define EV_ADAPTER_SQLITE_STREAMS_H

#include "base/mem.h"

#include <stdint.h>

/* Where streams begin and end, by name, in memory. {0} is empty and valid. */
struct streams {
	struct ev_arena names;
	struct stream {
		struct ev_str name; /* {0}: a free slot */
		int64_t first;  /* position of its first event */
		int64_t last;   /* version, -1: it does not exist */
		size_t stale;   /* the append in which it went stale */
	} *slots; /* open addressing, a power of two */
	size_t cap;
	size_t count;
};

/*
 * The stream's entry, valid until the next call. One that was not there is
 * made, with last = -2 for "not known yet".
 */
enum { STREAM_UNKNOWN = -2 };
struct stream *streams_find(struct streams *streams, struct ev_str name);
void streams_release(struct streams *streams);

#endif
