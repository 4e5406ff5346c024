#include "domain/decimal.h"
#include "domain/schema_parts.h"

const struct schema_type_name schema_type_names[SCHEMA_TYPE_NAMES] = {
	{ "null", TYPE_NULL },     { "boolean", TYPE_BOOLEAN },
	{ "string", TYPE_STRING }, { "number", TYPE_NUMBER },
	{ "integer", TYPE_INTEGER }, { "array", TYPE_ARRAY },
	{ "object", TYPE_OBJECT },
};

#define AT(member) offsetof(struct ev_schema, member)

/* The subset. */
static const struct keyword keywords[] = {
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

const struct keyword *
schema_keyword(struct ev_str name)
{
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (ev_str_equal(name, ev_str(keywords[i].name)))
			return &keywords[i];
	return NULL;
}

unsigned
schema_type_bit(struct ev_str name)
{
	for (size_t i = 0; i < SCHEMA_TYPE_NAMES; i++)
		if (ev_str_equal(name, ev_str(schema_type_names[i].name)))
			return schema_type_names[i].bit;
	return 0;
}

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
		return schema_type_bit(ev_json_text(value));
	while ((value = yyjson_arr_iter_next(&iter)))
		bits |= schema_type_bit(ev_json_text(value));
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

struct property *
schema_property(const struct ev_schema *s, struct ev_str name, size_t hint)
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

		found = schema_keyword(ev_json_text(key));
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

bool
ev_schema_knows(const struct ev_schema *schema, struct ev_str member)
{
	const struct property *found = schema_property(schema, member, 0);

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
	const struct property *found = schema_property(schema, member, 0);

	return found && found->required != NONE;
}
