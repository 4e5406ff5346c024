#ifndef EV_DOMAIN_SCHEMA_H
#define EV_DOMAIN_SCHEMA_H

#include "base/err.h"
#include "base/mem.h"
#include "domain/json.h"

/*
 * Payload schemas: a subset of JSON Schema 2020-12, listed in ev-catalog(5).
 * Values are documents of ev_json_parse, numbers being exact text of any size.
 */
struct ev_schema;

/*
 * Compiles a schema (an object or a boolean) in which ev_schema_check has
 * found nothing wrong; from any other it makes some schema, unspecified which.
 * Memory is the arena's; strings are borrowed from `source`, whose document
 * must outlive the schema.
 */
const struct ev_schema *ev_schema_compile(struct ev_arena *arena,
                                          yyjson_val *source);

/*
 * The same, with the `properties` and `required` of another schema (NULL:
 * none) added to its own; of two properties of one name its own wins.
 */
const struct ev_schema *ev_schema_compile_onto(struct ev_arena *arena,
                                               yyjson_val *base,
                                               yyjson_val *source);

/*
 * Calls `report` for everything that is wrong in a schema: keywords outside
 * the subset, values that a keyword cannot have. `where` is the key or value
 * at fault, `message` dies after the call. Returns how many calls there were.
 */
size_t ev_schema_check(yyjson_val *source,
                       void (*report)(void *context, yyjson_val *where,
                                      const char *message),
                       void *context);

/* What a keyword's value must look like. */
enum ev_schema_keyword {
	EV_KEYWORD_UNKNOWN,    /* outside the subset */
	EV_KEYWORD_ANNOTATION, /* any value: title, description, default, … */
	EV_KEYWORD_FORMAT,     /* a text, an annotation but for "decimal" */
	EV_KEYWORD_TYPE,       /* a type name or a list of them */
	EV_KEYWORD_NUMBER,
	EV_KEYWORD_COUNT,      /* an integer >= 0 */
	EV_KEYWORD_FLAG,       /* true or false */
	EV_KEYWORD_ANY,        /* any JSON value (const) */
	EV_KEYWORD_VALUES,     /* a list of any values (enum) */
	EV_KEYWORD_NAMES,      /* a list of member names (required) */
	EV_KEYWORD_SCHEMA,     /* one schema */
	EV_KEYWORD_SCHEMAS,    /* a non-empty list of schemas */
	EV_KEYWORD_MEMBERS,    /* an object whose values are schemas */
	EV_KEYWORD_NAME_LISTS, /* an object whose values are NAMES */
};
enum ev_schema_keyword ev_schema_keyword(struct ev_str name);

/*
 * EV_BAD_INPUT names the first failing place by its path and says what was
 * expected and found: "'failedChecks[2]': expected string, found number".
 */
enum ev_status ev_schema_validate(const struct ev_schema *schema,
                                  yyjson_val *value, struct ev_err *err);

/* Is `member` described by the top level's `properties`? */
bool ev_schema_knows(const struct ev_schema *schema, struct ev_str member);

/* The schema that the top level's `properties` gives a member, or NULL. */
const struct ev_schema *ev_schema_property(const struct ev_schema *schema,
                                           struct ev_str member);

/*
 * Walks the top-level `properties` that have a `default`: the i-th one's name
 * and value, false past the last.
 */
bool ev_schema_default(const struct ev_schema *schema, size_t i,
                       struct ev_str *name, yyjson_val **value);

/* Is `member` in the top level's `required`? */
bool ev_schema_requires(const struct ev_schema *schema, struct ev_str member);

/*
 * May a value of the named type fit, by `type` alone? The names are JSON
 * Schema's: "string", "integer", "number", …
 */
bool ev_schema_takes(const struct ev_schema *schema, struct ev_str type);

#endif
