#ifndef EV_DOMAIN_PROJECTION_LOOK_H
#define EV_DOMAIN_PROJECTION_LOOK_H

#include "domain/projection.h"
#include "domain/schema_look.h"

/*
 * What a projection's paths can find, as far as the catalogs tell: for
 * projection_check.c only.
 */

/* A type of the projection's catalogs, and what becomes of it. */
struct projection_type {
	const struct ev_type *type; /* NULL: a document, with `from` */
	const struct ev_handler *handler;
	bool ignored;
};

struct projection_sight {
	struct ev_arena *arena;
	const struct ev_catalogs *catalogs;
	const struct ev_projection *projection; /* or its notes */
	struct projection_type *types;
	size_t type_count;
	const struct ev_look *slots; /* of the document, by slot */
	const struct ev_look *note_slots;
	const struct ev_look *own; /* what the rules write: one of the two */
	const struct projection_sight *from; /* NULL: not known */
};

/* The projections that `from` may name. */
struct projection_others {
	const struct ev_projection *const *list;
	size_t count;
};
const struct ev_projection *
projection_other(const struct projection_others *others, struct ev_str name);

/* Memory is the arena's. `notes`, NULL when there are none, becomes what is
   seen from the rules of the projection's notes. */
void projection_sight_init(struct projection_sight *out,
                           struct projection_sight *notes,
                           struct ev_arena *arena,
                           const struct ev_projection *projection,
                           const struct ev_catalogs *catalogs,
                           const struct projection_others *others);

/* "CI_FAILED" or "rig/CI_FAILED": is it this type? */
bool projection_names_type(struct ev_str name, const struct ev_type *type);

/* The types that a handler is for; NULL: all that have one. */
const struct ev_type **
projection_caught(const struct projection_sight *sight,
                  const struct ev_handler *handler, size_t *count);

/* What a path finds in an event of the type; `each` is the rule's, or NULL.
   False: there is no such member. */
bool projection_look(const struct projection_sight *sight,
                     const struct ev_type *type, const struct ev_path *each,
                     const struct ev_path *path, struct ev_look *out);

/* The same for an element of the list that the path finds. */
bool projection_look_element(const struct projection_sight *sight,
                             const struct ev_type *type,
                             const struct ev_path *each,
                             const struct ev_path *path, struct ev_look *out);

/* Of a value, in an event of any of the types. */
struct ev_look projection_look_value(const struct projection_sight *sight,
                                     const struct ev_type *const *types,
                                     size_t count, const struct ev_path *each,
                                     const struct ev_source *source);

/* Of JSON. */
struct ev_look projection_look_literal(struct ev_arena *arena,
                                       struct ev_str json);

/* The plain text of a slice. */
struct ev_str projection_plain(struct ev_arena *arena, struct ev_str slice);

#endif
