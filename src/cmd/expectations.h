#ifndef EV_CMD_EXPECTATIONS_H
#define EV_CMD_EXPECTATIONS_H

#include "base/mem.h"
#include "port/store.h"

/*
 * What -e means for the events of one run: N or none says where each stream
 * must be before the run, and the run's own events count on from there. {0}
 * but for the first two members is valid.
 */
struct expectations {
	enum ev_expect expect;
	int64_t version; /* with EV_EXPECT_VERSION */
	struct ev_arena names;
	struct expectation {
		struct ev_str stream; /* {0}: a free slot */
		int64_t version;      /* where it must be next */
		bool stale;           /* it was not there: nothing fits */
	} *slots; /* a hash table; a power of two */
	size_t cap;
	size_t count;
};

/* Sets what the store shall expect of an event for this stream. */
void expectations_next(struct expectations *expectations,
                       struct ev_append *append);

/* The stream was elsewhere: what follows in it is refused as well. */
void expectations_fail(struct expectations *expectations,
                       struct ev_str stream);

/* Is this one refused for what came before it? */
bool expectations_is_failed(const struct ev_append *append);

void expectations_release(struct expectations *expectations);

#endif
