#ifndef EV_DOMAIN_PROJECTION_PARTS_H
#define EV_DOMAIN_PROJECTION_PARTS_H

#include "domain/projection.h"
#include "domain/yaml.h"

/*
 * What projection.c (the two forms), projection_compile.c (a whole
 * projection), projection_rule.c (what happens with a type),
 * projection_operation.c (what changes) and projection_path.c (paths,
 * templates, values) share. For these five only.
 *
 * Both forms are compiled as JSON by the same code, which checks as it goes:
 * a file's problems are collected with their places, while the stored form,
 * which has been checked, has one error at most.
 */

struct projection_problem {
	struct ev_place place;
	size_t order;
	struct ev_str message;
};

/* The members of a document or a note, in order. */
struct projection_slots {
	struct ev_slot *list;
	size_t count, room;
};

/* Which part of a projection is being compiled: what paths may see there. */
enum projection_part {
	PROJECTION_VALUE,
	PROJECTION_KEY,
	PROJECTION_WHEN,
	PROJECTION_EACH
};

struct projection_compiler {
	struct ev_arena *arena;
	yyjson_val *root;

	/* by distance from root; NULL: the stored form is being loaded */
	const struct ev_place *places;
	struct projection_problem *problems;
	size_t count, room;
	struct ev_err *err; /* when loading */

	struct projection_slots document, note;
	bool from;      /* it folds documents, not events */
	bool has_notes;
	bool in_notes;  /* `notes` is being compiled */
	bool in_each;   /* a rule with `each` is */
	bool each_key;  /* whose key depends on the element */
	enum projection_part part;
	const struct ev_rule *always; /* what every rule is preceded by */
};

/* ---- projection.c */

void projection_complain(struct projection_compiler *c, yyjson_val *where,
                         const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ": did you mean 'count'" when a name of the list, which ends with NULL, or a
   member of `slots` is nearly the text; else "". */
const char *projection_hint(struct projection_compiler *c, struct ev_str text,
                            const char *const *names);
const char *projection_hint_slot(struct projection_compiler *c,
                                 struct ev_str text,
                                 const struct projection_slots *slots);

/* ---- projection_path.c */

/* [A-Za-z0-9_-]+ and all beyond ASCII: needs no escape and no quotes. */
bool projection_is_name(struct ev_str text);

/* false: there is no such member. */
bool projection_find_slot(const struct projection_slots *slots,
                          struct ev_str name, size_t *slot);

/* The slice of a text, which is borrowed when it is the same. */
struct ev_str projection_slice(struct projection_compiler *c,
                               struct ev_str text);

/* What a value's text is. */
bool projection_is_path(struct ev_str text);
bool projection_is_template(struct ev_str text);

/* Each complains at `where`; false: it did. */
bool projection_path(struct projection_compiler *c, struct ev_path *out,
                     yyjson_val *where, struct ev_str text);
bool projection_text(struct projection_compiler *c, struct ev_text *out,
                     yyjson_val *where, struct ev_str text);
void projection_target(struct projection_compiler *c, struct ev_target *out,
                       yyjson_val *where);
void projection_source(struct projection_compiler *c, struct ev_source *out,
                       yyjson_val *value);

/* A member path without $doc, as `derive` has it. */
void projection_member(struct projection_compiler *c, struct ev_path *out,
                       yyjson_val *where);

/* Refuses what `value` has that looks like a path or a template. */
void projection_refuse_paths(struct projection_compiler *c, yyjson_val *value,
                             const char *what);

/* ---- projection_operation.c */

/* Adds the member that a target names, and all that a rule's operations do. */
void projection_add_slot(struct projection_compiler *c,
                         struct projection_slots *slots, struct ev_str name);
void projection_collect(struct projection_compiler *c,
                        struct projection_slots *slots, yyjson_val *rule);

void projection_operations(struct projection_compiler *c, struct ev_rule *out,
                           yyjson_val *rule);

/* Two operations of one event that certainly write the same member. */
void projection_refuse_overlaps(struct projection_compiler *c,
                                const struct ev_rule *rule);

/* ---- projection_rule.c */

/* The texts of `key`. */
void projection_keys(struct projection_compiler *c, yyjson_val *value,
                     const struct ev_text **keys, size_t *count);

void projection_always(struct projection_compiler *c, struct ev_rule *out,
                       yyjson_val *value);
void projection_handler(struct projection_compiler *c, struct ev_handler *out,
                        yyjson_val *key);

/* ---- projection_compile.c */

/* "a map", "an empty text": what people call a value of YAML. */
const char *projection_kind(yyjson_val *value);

/* Complains unless it `fits`; returns that. `wanted`: "a map". */
bool projection_fits(struct projection_compiler *c, yyjson_val *value,
                     const char *name, bool fits, const char *wanted);

/* `known` ends with NULL. */
void projection_refuse_unknown(struct projection_compiler *c, yyjson_val *map,
                               const char *what, const char *const *known);

void projection_compile(struct projection_compiler *c,
                        struct ev_projection *out);

#endif
