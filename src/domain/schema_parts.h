#ifndef EV_DOMAIN_SCHEMA_PARTS_H
#define EV_DOMAIN_SCHEMA_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "domain/schema.h"

/*
 * What schema.c (compiling), schema_check.c (is it a schema of our subset?),
 * schema_validate.c (does a value fit?) and schema_look.c (what can a path
 * find?) share. For these four only.
 */

enum type_bit {
	TYPE_NULL = 1,
	TYPE_BOOLEAN = 2,
	TYPE_STRING = 4,
	TYPE_NUMBER = 8,
	TYPE_INTEGER = 16,
	TYPE_ARRAY = 32,
	TYPE_OBJECT = 64,
};

struct schema_type_name {
	const char *name;
	enum type_bit bit;
};
enum { SCHEMA_TYPE_NAMES = 7 };
extern const struct schema_type_name schema_type_names[SCHEMA_TYPE_NAMES];

/* 0: no type has that name. */
unsigned schema_type_bit(struct ev_str name);

/* Which checks a schema has at all, so that a simple one costs one test. */
enum {
	HAS_VALUES = 1,
	HAS_NUMBER = 2,
	HAS_STRING = 4,
	HAS_ARRAY = 8,
	HAS_OBJECT = 16,
	HAS_LOGIC = 32,
};

/* A member that `properties` or `required` names. */
struct property {
	struct ev_str name;
	const struct ev_schema *schema; /* NULL: only required */
	size_t required; /* its place in the list, NONE */
};

struct dependent {
	struct ev_str name;
	const struct ev_schema *schema; /* NULL: names */
	yyjson_val *names;
};

struct schemas {
	const struct ev_schema **list;
	size_t count;
};

struct default_value {
	struct ev_str name;
	yyjson_val *value;
};

struct ev_schema {
	unsigned types; /* 0: any */
	unsigned has;
	bool never;
	bool decimal;
	bool unique;
	yyjson_val *constant, *choices;

	/* numbers, {0}: no bound */
	struct ev_str minimum, maximum, above, below;

	size_t length_min, length_max;

	size_t items_min, items_max, contains_min, contains_max;
	struct schemas prefix;
	const struct ev_schema *items, *contains;

	size_t members_min, members_max;
	struct property *properties;
	size_t property_count;
	uint32_t *slots; /* place + 1 by hash, when there are many */
	size_t slot_mask;
	struct ev_str *required;
	size_t required_count;
	const struct ev_schema *additional, *names;
	struct dependent *dependents;
	size_t dependent_count;

	struct schemas all, any, one;
	const struct ev_schema *not, *condition, *then, *otherwise;

	struct default_value *defaults;
	size_t default_count;
};

/* What a keyword's value must look like. */
enum kind {
	KIND_ANNOTATION, /* any value: title, description, default, … */
	KIND_FORMAT,     /* a text, an annotation but for "decimal" */
	KIND_TYPE,       /* a type name or a list of them */
	KIND_NUMBER,
	KIND_COUNT,      /* an integer >= 0 */
	KIND_FLAG,       /* true or false */
	KIND_ANY,        /* any JSON value (const) */
	KIND_VALUES,     /* a list of any values (enum) */
	KIND_NAMES,      /* a list of member names (required) */
	KIND_SCHEMA,     /* one schema */
	KIND_SCHEMAS,    /* a non-empty list of schemas */
	KIND_MEMBERS,    /* an object whose values are schemas */
	KIND_NAME_LISTS, /* an object whose values are NAMES */
};

/* A keyword of the subset, and where in a compiled schema its value is. */
struct keyword {
	const char *name;
	enum kind kind;
	unsigned group;
	size_t offset;
};

/* NULL: it is not in the subset. */
const struct keyword *schema_keyword(struct ev_str name);

/* `hint`: where it probably stands, being the member's place in its object. */
struct property *schema_property(const struct ev_schema *schema,
                                 struct ev_str name, size_t hint);

#endif
