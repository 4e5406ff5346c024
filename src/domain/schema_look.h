#ifndef EV_DOMAIN_SCHEMA_LOOK_H
#define EV_DOMAIN_SCHEMA_LOOK_H

#include "domain/schema.h"

/*
 * What a path can find in the values that fit a schema, for those who check
 * paths before there are values. It tells more rather than less: what comes of
 * `not`, of `if` and of bounds is not looked into.
 */

enum ev_look_type {
	EV_LOOK_NULL = 1,
	EV_LOOK_BOOLEAN = 2,
	EV_LOOK_NUMBER = 4,
	EV_LOOK_DECIMAL = 8, /* a text that is a JSON number */
	EV_LOOK_TEXT = 16,   /* any other */
	EV_LOOK_LIST = 32,
	EV_LOOK_OBJECT = 64,

	EV_LOOK_TEXTS = EV_LOOK_DECIMAL | EV_LOOK_TEXT,
	EV_LOOK_SCALARS = EV_LOOK_BOOLEAN | EV_LOOK_NUMBER | EV_LOOK_TEXTS,
	EV_LOOK_ANY = 127 /* nothing is known of it */
};

struct ev_look {
	unsigned types; /* 0: no value fits */
	bool always;    /* it is in every value, though it may be null */
	bool closed;    /* a text is one of these */
	const struct ev_str *texts;
	size_t text_count;
};

/* A name that stands for any element of a list. */
#define EV_LOOK_ELEMENT ((struct ev_str){ NULL, 0 })

/*
 * False: the schema describes the members (or elements) of what the path goes
 * through, and this is none of them. An object that has members beside those it
 * describes describes only these; one that describes none may have any.
 */
bool ev_schema_look(struct ev_arena *arena, const struct ev_schema *schema,
                    const struct ev_str *names, size_t count,
                    struct ev_look *out);

/* Walks the names of the members that the value at a path is described with,
   for "did you mean"; {0}: that was all. */
struct ev_str ev_schema_member(const struct ev_schema *schema,
                               const struct ev_str *names, size_t count,
                               size_t i);

/* `sum` becomes what finds the one or the other. */
void ev_look_add(struct ev_arena *arena, struct ev_look *sum,
                 const struct ev_look *look);

#endif
