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

/*
 * EV_BAD_INPUT names the first failing place by its path and says what was
 * expected and found: "'failedChecks[2]': expected string, found number".
 */
enum ev_status ev_schema_validate(const struct ev_schema *schema,
                                  yyjson_val *value, struct ev_err *err);

/* The same, and appends the failing place to `pointer` as a JSON pointer (RFC
   6901): "/failedChecks/2"; nothing for the value itself. */
enum ev_status ev_schema_validate_at(const struct ev_schema *schema,
                                     yyjson_val *value, struct ev_buf *pointer,
                                     struct ev_err *err);

/* Is `member` described by the top level's `properties`? */
bool ev_schema_knows(const struct ev_schema *schema, struct ev_str member);

/*
 * Walks the top-level `properties` that have a `default`: the i-th one's name
 * and value, false past the last.
 */
bool ev_schema_default(const struct ev_schema *schema, size_t i,
                       struct ev_str *name, yyjson_val **value);

/* Is `member` in the top level's `required`? */
bool ev_schema_requires(const struct ev_schema *schema, struct ev_str member);

#endif
