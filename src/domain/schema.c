#include "domain/schema.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "domain/decimal.h"

enum type_bit {
	TYPE_NULL = 1,
	TYPE_BOOLEAN = 2,
	TYPE_STRING = 4,
	TYPE_NUMBER = 8,
	TYPE_INTEGER = 16,
	TYPE_ARRAY = 32,
	TYPE_OBJECT = 64,
};

static const struct {
	const char *name;
	enum type_bit bit;
} type_names[] = {
	{ "null", TYPE_NULL },     { "boolean", TYPE_BOOLEAN },
	{ "string", TYPE_STRING }, { "number", TYPE_NUMBER },
	{ "integer", TYPE_INTEGER }, { "array", TYPE_ARRAY },
	{ "object", TYPE_OBJECT },
};
enum { TYPE_NAMES = sizeof type_names / sizeof *type_names };

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

#define AT(member) offsetof(struct ev_schema, member)

/* The subset, and where in a compiled schema each keyword's value is. */
static const struct keyword {
	const char *name;
	enum kind kind;
	unsigned group;
	size_t offset;
} keywords[] = {
	{ "$comment", KIND_ANNOTATION, 0, 0 },
	{ "$schema", KIND_ANNOTATION, 0, 0 },
	{ "additionalProperties", KIND_SCHEMA, HAS_OBJECT,
	  AT(additional) },
	{ "allOf", KIND_SCHEMAS, HAS_LOGIC, AT(all) },
	{ "anyOf", KIND_SCHEMAS, HAS_LOGIC, AT(any) },
	{ "const", KIND_ANY, HAS_VALUES, AT(constant) },
	{ "contains", KIND_SCHEMA, HAS_ARRAY, AT(contains) },
	{ "default", KIND_ANNOTATION, 0, 0 },
	{ "dependentRequired", KIND_NAME_LISTS, HAS_OBJECT,
	  AT(dependents) },
	{ "dependentSchemas", KIND_MEMBERS, HAS_OBJECT,
	  AT(dependents) },
	{ "deprecated", KIND_ANNOTATION, 0, 0 },
	{ "description", KIND_ANNOTATION, 0, 0 },
	{ "else", KIND_SCHEMA, 0, AT(otherwise) },
	{ "enum", KIND_VALUES, HAS_VALUES, AT(choices) },
	{ "examples", KIND_ANNOTATION, 0, 0 },
	{ "exclusiveMaximum", KIND_NUMBER, HAS_NUMBER, AT(below) },
	{ "exclusiveMinimum", KIND_NUMBER, HAS_NUMBER, AT(above) },
	{ "format", KIND_FORMAT, HAS_STRING, AT(decimal) },
	{ "if", KIND_SCHEMA, HAS_LOGIC, AT(condition) },
	{ "items", KIND_SCHEMA, HAS_ARRAY, AT(items) },
	{ "maxContains", KIND_COUNT, 0, AT(contains_max) },
	{ "maxItems", KIND_COUNT, HAS_ARRAY, AT(items_max) },
	{ "maxLength", KIND_COUNT, HAS_STRING, AT(length_max) },
	{ "maxProperties", KIND_COUNT, HAS_OBJECT, AT(members_max) },
	{ "maximum", KIND_NUMBER, HAS_NUMBER, AT(maximum) },
	{ "minContains", KIND_COUNT, 0, AT(contains_min) },
	{ "minItems", KIND_COUNT, HAS_ARRAY, AT(items_min) },
	{ "minLength", KIND_COUNT, HAS_STRING, AT(length_min) },
	{ "minProperties", KIND_COUNT, HAS_OBJECT, AT(members_min) },
	{ "minimum", KIND_NUMBER, HAS_NUMBER, AT(minimum) },
	{ "not", KIND_SCHEMA, HAS_LOGIC, AT(not) },
	{ "oneOf", KIND_SCHEMAS, HAS_LOGIC, AT(one) },
	{ "prefixItems", KIND_SCHEMAS, HAS_ARRAY, AT(prefix) },
	{ "properties", KIND_MEMBERS, HAS_OBJECT, AT(properties) },
	{ "propertyNames", KIND_SCHEMA, HAS_OBJECT, AT(names) },
	{ "readOnly", KIND_ANNOTATION, 0, 0 },
	{ "required", KIND_NAMES, HAS_OBJECT, AT(required) },
	{ "then", KIND_SCHEMA, 0, AT(then) },
	{ "title", KIND_ANNOTATION, 0, 0 },
	{ "type", KIND_TYPE, 0, AT(types) },
	{ "uniqueItems", KIND_FLAG, HAS_ARRAY, AT(unique) },
	{ "writeOnly", KIND_ANNOTATION, 0, 0 },
};

enum { FEW_PROPERTIES = 8 };
static const size_t NONE = SIZE_MAX;

static const struct keyword *
find_keyword(struct ev_str name)
{
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (ev_str_equal(name, ev_str(keywords[i].name)))
			return &keywords[i];
	return NULL;
}

static unsigned
type_bit(struct ev_str name)
{
	for (size_t i = 0; i < TYPE_NAMES; i++)
		if (ev_str_equal(name, ev_str(type_names[i].name)))
			return type_names[i].bit;
	return 0;
}

/* ---- compiling */

static struct schemas
compile_list(struct ev_arena *arena, yyjson_val *list)
{
	struct schemas schemas = { 0 };
	yyjson_arr_iter iter = yyjson_arr_iter_with(list);
	yyjson_val *item;

	schemas.list = ev_arena_alloc(arena, yyjson_arr_size(list) *
	                                             sizeof *schemas.list);
	while ((item = yyjson_arr_iter_next(&iter)))
		schemas.list[schemas.count++] = ev_schema_compile(arena, item);
	return schemas;
}

static unsigned
compile_types(yyjson_val *value)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	unsigned bits = 0;

	if (yyjson_is_str(value))
		return type_bit(ev_json_text(value));
	while ((value = yyjson_arr_iter_next(&iter)))
		bits |= type_bit(ev_json_text(value));
	return bits;
}

static void
compile_dependents(struct ev_schema *s, struct ev_arena *arena,
                   yyjson_val *value, bool schemas)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(value);
	struct dependent *list;
	yyjson_val *key;

	list = ev_arena_alloc(arena, (s->dependent_count +
	                              yyjson_obj_size(value)) * sizeof *list);
	if (s->dependent_count)
		memcpy(list, s->dependents, s->dependent_count * sizeof *list);
	s->dependents = list;
	while ((key = yyjson_obj_iter_next(&iter))) {
		struct dependent *d = &list[s->dependent_count++];

		d->name = ev_json_text(key);
		value = yyjson_obj_iter_get_val(key);
		if (schemas)
			d->schema = ev_schema_compile(arena, value);
		else
			d->names = value;
	}
}

static struct property *
find_property(const struct ev_schema *s, struct ev_str name, size_t hint)
{
	size_t at;

	if (s->slots) {
		at = ev_str_hash(name) & s->slot_mask;
		for (; s->slots[at]; at = (at + 1) & s->slot_mask) {
			struct property *p = &s->properties[s->slots[at] - 1];

			if (ev_str_equal(p->name, name))
				return p;
		}
		return NULL;
	}
	/* senders tend to write members in the catalog's order */
	for (size_t i = 0; i < s->property_count; i++) {
		at = hint + i < s->property_count
		             ? hint + i : hint + i - s->property_count;
		if (ev_str_equal(s->properties[at].name, name))
			return &s->properties[at];
	}
	return NULL;
}

static void
index_properties(struct ev_schema *s, struct ev_arena *arena)
{
	size_t size = 32;

	if (s->property_count <= FEW_PROPERTIES)
		return;
	while (size < s->property_count * 2)
		size *= 2;
	s->slots = ev_arena_alloc(arena, size * sizeof *s->slots);
	s->slot_mask = size - 1;
	for (size_t i = 0; i < s->property_count; i++) {
		size_t at = ev_str_hash(s->properties[i].name) & s->slot_mask;

		while (s->slots[at])
			at = (at + 1) & s->slot_mask;
		s->slots[at] = (uint32_t)i + 1;
	}
}

static struct property *
add_property(struct ev_schema *s, struct ev_str name)
{
	struct property *p = NULL;

	for (size_t i = 0; i < s->property_count && !p; i++)
		if (ev_str_equal(s->properties[i].name, name))
			p = &s->properties[i];
	if (!p) {
		p = &s->properties[s->property_count++];
		p->name = name;
		p->required = NONE;
	}
	return p;
}

static void
add_properties(struct ev_schema *s, struct ev_arena *arena,
               yyjson_val *properties)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(properties);
	yyjson_val *key;

	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *source = yyjson_obj_iter_get_val(key);
		yyjson_val *value = yyjson_obj_get(source, "default");
		struct property *p = add_property(s, ev_json_text(key));

		if (p->schema)
			continue;
		p->schema = ev_schema_compile(arena, source);
		if (value)
			s->defaults[s->default_count++] =
				(struct default_value){ p->name, value };
	}
}

static void
add_required(struct ev_schema *s, yyjson_val *names)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(names);
	yyjson_val *name;

	while ((name = yyjson_arr_iter_next(&iter))) {
		struct property *p = add_property(s, ev_json_text(name));

		if (p->required == NONE) {
			p->required = s->required_count;
			s->required[s->required_count++] = p->name;
		}
	}
}

/* Both `properties` and `required`, a schema's own before its base's. */
static void
compile_properties(struct ev_schema *s, struct ev_arena *arena,
                   yyjson_val *own, yyjson_val *base)
{
	yyjson_val *properties = yyjson_obj_get(own, "properties");
	yyjson_val *required = yyjson_obj_get(own, "required");
	yyjson_val *more = yyjson_obj_get(base, "properties");
	yyjson_val *more_required = yyjson_obj_get(base, "required");
	size_t named = yyjson_obj_size(properties) + yyjson_obj_size(more);
	size_t needed = yyjson_arr_size(required) +
	                yyjson_arr_size(more_required);

	if (!properties && !required && !more && !more_required)
		return;
	s->has |= HAS_OBJECT;
	s->defaults = ev_arena_alloc(arena, named * sizeof *s->defaults);
	s->required = ev_arena_alloc(arena, needed * sizeof *s->required);
	s->properties = ev_arena_alloc(arena, (named + needed) *
	                                              sizeof *s->properties);
	add_properties(s, arena, properties);
	add_properties(s, arena, more);
	add_required(s, required);
	add_required(s, more_required);
	index_properties(s, arena);
}

static size_t
compile_count(yyjson_val *value)
{
	size_t count = 0;

	if (yyjson_is_raw(value))
		ev_decimal_size(ev_json_text(value), &count);
	return count;
}

static struct ev_str
compile_number(yyjson_val *value)
{
	return yyjson_is_raw(value) ? ev_json_text(value)
	                            : (struct ev_str){ 0 };
}

static void
compile_keyword(struct ev_schema *s, struct ev_arena *arena,
                const struct keyword *keyword, yyjson_val *value)
{
	void *to = (char *)s + keyword->offset;

	s->has |= keyword->group;
	switch (keyword->kind) {
	case KIND_ANNOTATION:
	case KIND_NAMES:
		break;
	case KIND_FORMAT:
		*(bool *)to = ev_str_equal(ev_json_text(value),
		                           EV_STR("decimal"));
		break;
	case KIND_TYPE:
		*(unsigned *)to = compile_types(value);
		break;
	case KIND_NUMBER:
		*(struct ev_str *)to = compile_number(value);
		break;
	case KIND_COUNT:
		*(size_t *)to = compile_count(value);
		break;
	case KIND_FLAG:
		*(bool *)to = yyjson_is_true(value);
		break;
	case KIND_ANY:
	case KIND_VALUES:
		*(yyjson_val **)to = value;
		break;
	case KIND_SCHEMA:
		*(const struct ev_schema **)to =
			ev_schema_compile(arena, value);
		break;
	case KIND_SCHEMAS:
		*(struct schemas *)to = compile_list(arena, value);
		break;
	case KIND_MEMBERS:
		/* `properties` waits for `required` and for the base */
		if (keyword->offset == AT(dependents))
			compile_dependents(s, arena, value, true);
		break;
	case KIND_NAME_LISTS:
		compile_dependents(s, arena, value, false);
		break;
	}
}

const struct ev_schema *
ev_schema_compile_onto(struct ev_arena *arena, yyjson_val *base,
                       yyjson_val *source)
{
	struct ev_schema *s = ev_arena_alloc(arena, sizeof *s);
	yyjson_obj_iter iter = yyjson_obj_iter_with(source);
	yyjson_val *key;

	s->never = yyjson_is_false(source);
	s->length_max = s->items_max = s->members_max = SIZE_MAX;
	s->contains_min = 1;
	s->contains_max = SIZE_MAX;
	while ((key = yyjson_obj_iter_next(&iter))) {
		const struct keyword *found;

		found = find_keyword(ev_json_text(key));
		if (found)
			compile_keyword(s, arena, found,
			                yyjson_obj_iter_get_val(key));
	}
	compile_properties(s, arena, source, base);
	return s;
}

const struct ev_schema *
ev_schema_compile(struct ev_arena *arena, yyjson_val *source)
{
	return ev_schema_compile_onto(arena, NULL, source);
}

/* ---- checking a schema */

struct checker {
	void (*report)(void *context, yyjson_val *where, const char *message);
	void *context;
	size_t count;
};

static void complain(struct checker *c, yyjson_val *where, const char *format,
                     ...) __attribute__((format(printf, 3, 4)));

static void
complain(struct checker *c, yyjson_val *where, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	c->report(c->context, where, message);
	c->count++;
}

static void check_schema(struct checker *c, yyjson_val *source);

static unsigned
check_type_name(struct checker *c, yyjson_val *value, unsigned seen)
{
	struct ev_str name = ev_json_text(value);
	unsigned bit = yyjson_is_str(value) ? type_bit(name) : 0;

	if (!bit)
		complain(c, value, "unknown type '%.*s': use null, boolean, "
		                   "string, number, integer, array or object",
		         EV_FMT(name));
	else if (seen & bit)
		complain(c, value, "type '%.*s' is listed twice",
		         EV_FMT(name));
	return seen | bit;
}

static void
check_type(struct checker *c, yyjson_val *value)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	yyjson_val *item;
	unsigned seen = 0;

	if (yyjson_is_str(value))
		check_type_name(c, value, 0);
	else if (!yyjson_arr_size(value))
		complain(c, value, "'type' is a type's name or a list of them");
	while ((item = yyjson_arr_iter_next(&iter)))
		seen = check_type_name(c, item, seen);
}

static void
check_names(struct checker *c, const char *keyword, yyjson_val *value)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	yyjson_val *item;

	if (!yyjson_is_arr(value))
		complain(c, value, "'%s' is a list of member names, not %s",
		         keyword, ev_json_type_name(value));
	while ((item = yyjson_arr_iter_next(&iter))) {
		yyjson_arr_iter before = yyjson_arr_iter_with(value);
		yyjson_val *other;

		if (!yyjson_is_str(item)) {
			complain(c, item, "'%s' lists member names, not %s",
			         keyword, ev_json_type_name(item));
			continue;
		}
		while ((other = yyjson_arr_iter_next(&before)) != item)
			if (ev_json_equal(other, item)) {
				complain(c, item, "'%s' lists '%.*s' twice",
				         keyword,
				         EV_FMT(ev_json_text(item)));
				break;
			}
	}
}

static void
check_list(struct checker *c, const char *keyword, yyjson_val *value)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	yyjson_val *item;

	if (!yyjson_arr_size(value))
		complain(c, value, "'%s' is a list of at least one schema",
		         keyword);
	while ((item = yyjson_arr_iter_next(&iter)))
		check_schema(c, item);
}

static void
check_members(struct checker *c, const char *keyword, yyjson_val *value,
              bool names)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(value);
	yyjson_val *key;

	if (!yyjson_is_obj(value))
		complain(c, value, "'%s' holds %s by member name, not %s",
		         keyword, names ? "lists of names" : "schemas",
		         ev_json_type_name(value));
	while ((key = yyjson_obj_iter_next(&iter)))
		if (names)
			check_names(c, keyword, yyjson_obj_iter_get_val(key));
		else
			check_schema(c, yyjson_obj_iter_get_val(key));
}

static void
check_annotation(struct checker *c, const char *keyword, yyjson_val *value)
{
	static const char dialect[] =
		"https://json-schema.org/draft/2020-12/schema";

	if (!strcmp(keyword, "$schema") &&
	    !ev_str_equal(ev_json_text(value), EV_STR(dialect)))
		complain(c, value, "schemas follow %s, no other dialect",
		         dialect);
}

static void
check_keyword(struct checker *c, const struct keyword *keyword,
              yyjson_val *value)
{
	const char *name = keyword->name;
	size_t count;

	switch (keyword->kind) {
	case KIND_ANY:
		break;
	case KIND_ANNOTATION:
		check_annotation(c, name, value);
		break;
	case KIND_FORMAT:
		if (!yyjson_is_str(value))
			complain(c, value, "'%s' is a string, not %s", name,
			         ev_json_type_name(value));
		break;
	case KIND_TYPE:
		check_type(c, value);
		break;
	case KIND_NUMBER:
		if (!yyjson_is_raw(value))
			complain(c, value, "'%s' is a number, not %s", name,
			         ev_json_type_name(value));
		break;
	case KIND_COUNT:
		if (!yyjson_is_raw(value) ||
		    !ev_decimal_size(ev_json_text(value), &count))
			complain(c, value, "'%s' is an integer from 0 on",
			         name);
		break;
	case KIND_FLAG:
		if (!yyjson_is_bool(value))
			complain(c, value, "'%s' is true or false, not %s",
			         name, ev_json_type_name(value));
		break;
	case KIND_VALUES:
		if (!yyjson_is_arr(value))
			complain(c, value, "'%s' is a list of values, not %s",
			         name, ev_json_type_name(value));
		break;
	case KIND_NAMES:
		check_names(c, name, value);
		break;
	case KIND_SCHEMA:
		check_schema(c, value);
		break;
	case KIND_SCHEMAS:
		check_list(c, name, value);
		break;
	case KIND_MEMBERS:
		check_members(c, name, value, false);
		break;
	case KIND_NAME_LISTS:
		check_members(c, name, value, true);
		break;
	}
}

static void
check_schema(struct checker *c, yyjson_val *source)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(source);
	yyjson_val *key;

	if (!yyjson_is_obj(source) && !yyjson_is_bool(source))
		complain(c, source, "a schema is an object, true or false, "
		                    "not %s", ev_json_type_name(source));
	while ((key = yyjson_obj_iter_next(&iter))) {
		struct ev_str name = ev_json_text(key);
		const struct keyword *found = find_keyword(name);

		if (found)
			check_keyword(c, found, yyjson_obj_iter_get_val(key));
		else
			complain(c, key, "schema keyword '%.*s' is outside "
			                 "the subset of ev-catalog(5)",
			         EV_FMT(name));
	}
}

size_t
ev_schema_check(yyjson_val *source,
                void (*report)(void *context, yyjson_val *where,
                               const char *message),
                void *context)
{
	struct checker c = { report, context, 0 };

	check_schema(&c, source);
	return c.count;
}

/* ---- validating a value */

/* The way from the top to a value, kept on the stack. */
struct place {
	const struct place *up;
	struct ev_str member; /* ptr NULL: an index */
	size_t index;
};

static bool validate(const struct ev_schema *s, yyjson_val *value,
                     const struct place *place, struct ev_err *err);

static void
write_path(struct ev_buf *out, const struct place *place)
{
	if (!place)
		return;
	write_path(out, place->up);
	if (!place->member.ptr) {
		ev_buf_printf(out, "[%zu]", place->index);
	} else {
		if (out->len)
			ev_buf_add_char(out, '.');
		ev_buf_add_str(out, place->member);
	}
}

/* A text for a message, cut between two characters. */
static struct ev_str
shorten(struct ev_str s, size_t max)
{
	if (s.len > max) {
		s.len = max;
		while (s.len && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
			s.len--;
	}
	return s;
}

static bool fail(const struct place *place, struct ev_err *err,
                 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Makes the message, unless nobody wants one. Always false. */
static bool
fail(const struct place *place, struct ev_err *err, const char *format, ...)
{
	struct ev_buf path = { 0 };
	char message[512];
	va_list args;

	if (!err)
		return false;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	write_path(&path, place);
	if (path.len)
		ev_err_set(err, EV_BAD_INPUT, "'%.*s': %s",
		           EV_FMT(shorten(ev_buf_str(&path), 300)), message);
	else
		ev_err_set(err, EV_BAD_INPUT, "%s", message);
	ev_buf_release(&path);
	return false;
}

/* A value, or a list of them, as JSON that fits into a message. */
static bool
fail_values(const struct place *place, struct ev_err *err,
            const char *expected, yyjson_val *wanted, yyjson_val *found)
{
	struct ev_buf want = { 0 }, got = { 0 };
	yyjson_arr_iter iter = yyjson_arr_iter_with(wanted);
	yyjson_val *item;

	if (!err)
		return false;
	if (!yyjson_is_arr(wanted))
		ev_json_write(&want, wanted);
	while (want.len < 200 && (item = yyjson_arr_iter_next(&iter))) {
		if (want.len)
			ev_buf_add(&want, ", ", 2);
		ev_json_write(&want, item);
	}
	ev_json_write(&got, found);
	fail(place, err, "expected %s%.*s, found %.*s", expected,
	     EV_FMT(shorten(ev_buf_str(&want), 240)),
	     EV_FMT(shorten(ev_buf_str(&got), 80)));
	ev_buf_release(&want);
	ev_buf_release(&got);
	return false;
}

static bool
fail_type(unsigned types, yyjson_val *value, const struct place *place,
          struct ev_err *err)
{
	char names[128] = "";
	size_t len = 0, left = 0;

	if (!err)
		return false;
	for (size_t i = 0; i < TYPE_NAMES; i++)
		left += (types & type_names[i].bit) != 0;
	for (size_t i = 0; i < TYPE_NAMES; i++) {
		if (!(types & type_names[i].bit))
			continue;
		left--;
		len += (size_t)snprintf(names + len, sizeof names - len,
		                        "%s%s", type_names[i].name,
		                        left > 1 ? ", " : left ? " or " : "");
	}
	if (yyjson_is_raw(value))
		return fail(place, err, "expected %s, found number %.*s",
		            names, EV_FMT(shorten(ev_json_text(value), 40)));
	return fail(place, err, "expected %s, found %s", names,
	            ev_json_type_name(value));
}

static unsigned
value_types(yyjson_val *value, unsigned wanted)
{
	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_OBJ:
		return TYPE_OBJECT;
	case YYJSON_TYPE_ARR:
		return TYPE_ARRAY;
	case YYJSON_TYPE_STR:
		return TYPE_STRING;
	case YYJSON_TYPE_BOOL:
		return TYPE_BOOLEAN;
	case YYJSON_TYPE_NULL:
		return TYPE_NULL;
	default:
		if (wanted & TYPE_INTEGER && !(wanted & TYPE_NUMBER) &&
		    ev_decimal_is_integer(ev_json_text(value)))
			return TYPE_NUMBER | TYPE_INTEGER;
		return TYPE_NUMBER;
	}
}

static bool
validate_values(const struct ev_schema *s, yyjson_val *value,
                const struct place *place, struct ev_err *err)
{
	yyjson_arr_iter iter;
	yyjson_val *choice;

	if (s->constant && !ev_json_equal(s->constant, value)) {
		/* a list would read as if one of its items were wanted */
		if (yyjson_is_arr(s->constant))
			return fail(place, err, "not the expected list");
		return fail_values(place, err, "", s->constant, value);
	}
	if (!s->choices)
		return true;
	iter = yyjson_arr_iter_with(s->choices);
	while ((choice = yyjson_arr_iter_next(&iter)))
		if (ev_json_equal(choice, value))
			return true;
	return fail_values(place, err, "one of ", s->choices, value);
}

static bool
validate_number(const struct ev_schema *s, struct ev_str n,
                const struct place *place, struct ev_err *err)
{
	const char *what = NULL;
	struct ev_str bound = { 0 };

	if (s->minimum.len && ev_decimal_compare(n, s->minimum) < 0) {
		what = "at least";
		bound = s->minimum;
	} else if (s->maximum.len && ev_decimal_compare(n, s->maximum) > 0) {
		what = "at most";
		bound = s->maximum;
	} else if (s->above.len && ev_decimal_compare(n, s->above) <= 0) {
		what = "more than";
		bound = s->above;
	} else if (s->below.len && ev_decimal_compare(n, s->below) >= 0) {
		what = "less than";
		bound = s->below;
	}
	return !what ||
	       fail(place, err, "expected %s %.*s, found %.*s", what,
	            EV_FMT(bound), EV_FMT(shorten(n, 40)));
}

static size_t
count_characters(struct ev_str s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.len; i++)
		count += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return count;
}

static bool
validate_string(const struct ev_schema *s, struct ev_str text,
                const struct place *place, struct ev_err *err)
{
	size_t length = text.len;

	if (s->decimal && !ev_decimal_valid(text))
		return fail(place, err, "expected a decimal number, found "
		                        "'%.*s'", EV_FMT(shorten(text, 40)));
	/* counting is for texts whose bytes alone do not decide */
	if (length < s->length_min || length > s->length_max ||
	    length / 4 < s->length_min)
		length = count_characters(text);
	if (length < s->length_min)
		return fail(place, err, "expected at least %zu characters, "
		                        "found %zu", s->length_min, length);
	if (length > s->length_max)
		return fail(place, err, "expected at most %zu characters, "
		                        "found %zu", s->length_max, length);
	return true;
}

struct hashed {
	unsigned long long hash;
	yyjson_val *value;
	size_t index;
};

static int
compare_hashed(const void *a, const void *b)
{
	const struct hashed *left = a, *right = b;

	if (left->hash != right->hash)
		return left->hash < right->hash ? -1 : 1;
	return (left->index > right->index) - (left->index < right->index);
}

static bool
validate_unique(yyjson_val *array, const struct place *place,
                struct ev_err *err)
{
	size_t count = yyjson_arr_size(array), filled = 0;
	yyjson_arr_iter iter = yyjson_arr_iter_with(array);
	struct hashed few[16], *items = few;
	yyjson_val *item;
	bool unique = true;

	if (count > sizeof few / sizeof *few)
		items = ev_mem_alloc(count * sizeof *items);
	while ((item = yyjson_arr_iter_next(&iter))) {
		items[filled] = (struct hashed){ ev_json_hash(item), item,
			                         filled };
		filled++;
	}
	qsort(items, count, sizeof *items, compare_hashed);
	for (size_t i = 0; unique && i < count; i++)
		for (size_t k = i + 1; unique && k < count &&
		                       items[k].hash == items[i].hash; k++)
			if (ev_json_equal(items[i].value, items[k].value))
				unique = fail(place, err, "items %zu and %zu "
				                          "are the same",
				              items[i].index, items[k].index);
	if (items != few)
		free(items);
	return unique;
}

static bool
validate_array(const struct ev_schema *s, yyjson_val *array,
               const struct place *up, struct ev_err *err)
{
	struct place place = { up, { 0 }, 0 };
	yyjson_arr_iter iter = yyjson_arr_iter_with(array);
	size_t size = yyjson_arr_size(array), matched = 0;
	yyjson_val *item;

	if (size < s->items_min)
		return fail(up, err, "expected at least %zu items, found %zu",
		            s->items_min, size);
	if (size > s->items_max)
		return fail(up, err, "expected at most %zu items, found %zu",
		            s->items_max, size);
	for (; (item = yyjson_arr_iter_next(&iter)); place.index++) {
		const struct ev_schema *schema = s->items;

		if (place.index < s->prefix.count)
			schema = s->prefix.list[place.index];
		if (schema && !validate(schema, item, &place, err))
			return false;
		if (s->contains)
			matched += validate(s->contains, item, NULL, NULL);
	}
	if (s->contains && matched < s->contains_min)
		return fail(up, err, "expected at least %zu items that fit "
		                     "'contains', found %zu",
		            s->contains_min, matched);
	if (s->contains && matched > s->contains_max)
		return fail(up, err, "expected at most %zu items that fit "
		                     "'contains', found %zu",
		            s->contains_max, matched);
	return !s->unique || validate_unique(array, up, err);
}

static bool
validate_dependents(const struct ev_schema *s, yyjson_val *object,
                    const struct place *place, struct ev_err *err)
{
	for (size_t i = 0; i < s->dependent_count; i++) {
		const struct dependent *d = &s->dependents[i];
		yyjson_arr_iter iter = yyjson_arr_iter_with(d->names);
		yyjson_val *name;

		if (!yyjson_obj_getn(object, d->name.ptr, d->name.len))
			continue;
		if (d->schema && !validate(d->schema, object, place, err))
			return false;
		while ((name = yyjson_arr_iter_next(&iter))) {
			struct ev_str text = ev_json_text(name);

			if (!yyjson_obj_getn(object, text.ptr, text.len))
				return fail(place, err,
				            "with '%.*s' there must be '%.*s'",
				            EV_FMT(d->name), EV_FMT(text));
		}
	}
	return true;
}

static bool
validate_member(const struct ev_schema *s, const struct property *property,
                yyjson_val *key, const struct place *place,
                struct ev_err *err)
{
	const struct ev_schema *schema =
		property && property->schema ? property->schema
	                                     : s->additional;

	if (s->names && !validate(s->names, key, NULL, NULL))
		return fail(place, err, "a member may not have this name");
	return !schema ||
	       validate(schema, yyjson_obj_iter_get_val(key), place, err);
}

static bool
validate_object(const struct ev_schema *s, yyjson_val *object,
                const struct place *up, struct ev_err *err)
{
	struct place place = { up, { 0 }, 0 };
	yyjson_obj_iter iter = yyjson_obj_iter_with(object);
	size_t size = yyjson_obj_size(object), hint = 0;
	uint64_t seen = 0;
	yyjson_val *key;

	if (size < s->members_min)
		return fail(up, err, "expected at least %zu members, found %zu",
		            s->members_min, size);
	if (size > s->members_max)
		return fail(up, err, "expected at most %zu members, found %zu",
		            s->members_max, size);
	while ((key = yyjson_obj_iter_next(&iter))) {
		const struct property *property = NULL;

		place.member = ev_json_text(key);
		if (s->property_count)
			property = find_property(s, place.member, hint);
		if (property) {
			hint = (size_t)(property - s->properties) + 1;
			if (property->required < 64)
				seen |= (uint64_t)1 << property->required;
		}
		if (!validate_member(s, property, key, &place, err))
			return false;
	}
	for (size_t i = 0; i < s->required_count; i++) {
		struct ev_str name = s->required[i];
		bool there = i < 64 ? seen >> i & 1
		                    : yyjson_obj_getn(object, name.ptr,
		                                      name.len) != NULL;

		if (!there) {
			place.member = name;
			return fail(&place, err, "required, but missing");
		}
	}
	return !s->dependent_count || validate_dependents(s, object, up, err);
}

static bool
validate_logic(const struct ev_schema *s, yyjson_val *value,
               const struct place *place, struct ev_err *err)
{
	size_t matched = 0;

	for (size_t i = 0; i < s->all.count; i++)
		if (!validate(s->all.list[i], value, place, err))
			return false;
	if (s->any.count) {
		while (matched < s->any.count &&
		       !validate(s->any.list[matched], value, NULL, NULL))
			matched++;
		/* of a single alternative the reason can be told */
		if (matched == s->any.count && matched == 1)
			return validate(s->any.list[0], value, place, err);
		if (matched == s->any.count)
			return fail(place, err, "fits none of the %zu schemas "
			                        "of 'anyOf'", s->any.count);
	}
	if (s->one.count) {
		matched = 0;
		for (size_t i = 0; i < s->one.count; i++)
			matched += validate(s->one.list[i], value, NULL, NULL);
		if (matched != 1)
			return fail(place, err, "fits %zu of the %zu schemas "
			                        "of 'oneOf', not exactly one",
			            matched, s->one.count);
	}
	if (s->not && validate(s->not, value, NULL, NULL))
		return fail(place, err, "fits the schema of 'not'");
	if (s->condition) {
		const struct ev_schema *next =
			validate(s->condition, value, NULL, NULL)
				? s->then : s->otherwise;

		return !next || validate(next, value, place, err);
	}
	return true;
}

static bool
validate(const struct ev_schema *s, yyjson_val *value,
         const struct place *place, struct ev_err *err)
{
	if (s->types && !(value_types(value, s->types) & s->types))
		return fail_type(s->types, value, place, err);
	if (!s->has)
		return !s->never || fail(place, err, "not allowed here");
	if (s->has & HAS_VALUES && !validate_values(s, value, place, err))
		return false;
	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_RAW:
		if (s->has & HAS_NUMBER &&
		    !validate_number(s, ev_json_text(value), place, err))
			return false;
		break;
	case YYJSON_TYPE_STR:
		if (s->has & HAS_STRING &&
		    !validate_string(s, ev_json_text(value), place, err))
			return false;
		break;
	case YYJSON_TYPE_ARR:
		if (s->has & HAS_ARRAY &&
		    !validate_array(s, value, place, err))
			return false;
		break;
	case YYJSON_TYPE_OBJ:
		if (s->has & HAS_OBJECT &&
		    !validate_object(s, value, place, err))
			return false;
		break;
	default:
		break;
	}
	return !(s->has & HAS_LOGIC) || validate_logic(s, value, place, err);
}

enum ev_status
ev_schema_validate(const struct ev_schema *schema, yyjson_val *value,
                   struct ev_err *err)
{
	return validate(schema, value, NULL, err) ? EV_OK : EV_BAD_INPUT;
}

/* ---- asking about the top level */

bool
ev_schema_knows(const struct ev_schema *schema, struct ev_str member)
{
	const struct property *found = find_property(schema, member, 0);

	return found && found->schema;
}

bool
ev_schema_default(const struct ev_schema *schema, size_t i,
                  struct ev_str *name, yyjson_val **value)
{
	if (i >= schema->default_count)
		return false;
	*name = schema->defaults[i].name;
	*value = schema->defaults[i].value;
	return true;
}

bool
ev_schema_requires(const struct ev_schema *schema, struct ev_str member)
{
	const struct property *found = find_property(schema, member, 0);

	return found && found->required != NONE;
}
