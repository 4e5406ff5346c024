#include <stdarg.h>
#include <stdio.h>

#include "domain/decimal.h"
#include "domain/schema_parts.h"

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
	unsigned bit = yyjson_is_str(value) ? schema_type_bit(name) : 0;

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
		const struct keyword *found = schema_keyword(name);

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
