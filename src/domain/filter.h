#ifndef EV_DOMAIN_FILTER_H
#define EV_DOMAIN_FILTER_H

#include "domain/event.h"
#include "domain/line.h"

/*
 * Which events somebody wants. Each list holds alternatives, an empty one is
 * no condition, and all conditions must hold. Texts are slices as in struct
 * ev_line. Positions and times are for the store to narrow; they are checked
 * here again.
 */
struct ev_filter {
	struct ev_list {
		struct ev_str *list;
		size_t count;
	} streams, prefixes, types, catalogs, categories, topics,
		correlations, causations, actors;
	enum ev_priority min_priority; /* INFO: any */
	int64_t from, to;              /* positions, inclusive */
	int64_t since, until; /* recordedAt, inclusive; EV_TIME_NONE: open */
	int64_t from_version, to_version; /* inclusive */
};

/* A filter that everything passes. */
void ev_filter_init(struct ev_filter *filter);
void ev_filter_release(struct ev_filter *filter);

/* Adds to one of its lists; the text must live as long as the filter. */
void ev_list_add(struct ev_list *list, struct ev_str text);

/* Can a line alone tell, or are catalogs needed (category, topic)? */
bool ev_filter_needs_catalogs(const struct ev_filter *filter);

/* Does everything pass that lies within its positions and times? */
bool ev_filter_is_open(const struct ev_filter *filter);

/*
 * Does the event pass? Events whose type no catalog knows have neither
 * category nor topic. `scratch` is memory to work in.
 */
bool ev_filter_match(const struct ev_filter *filter,
                     const struct ev_line *line,
                     const struct ev_catalogs *catalogs,
                     struct ev_buf *scratch);

/*
 * The types that can pass, as "rig/CI_FAILED", for an index: those named with
 * their catalogs, or those of the categories and catalogs asked for. Their
 * memory is the arena's. False: no condition on the type, `types` untouched.
 */
bool ev_filter_types(const struct ev_filter *filter,
                     const struct ev_catalogs *catalogs,
                     struct ev_arena *arena, struct ev_list *types);

#endif
