#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "domain/decimal.h"
#include "domain/schema_parts.h"

/* The way from the top to a value, kept on the stack. */
struct place {
	const struct place *up;
	struct ev_str member; /* ptr NULL: an index */
	size_t index;
	struct ev_buf *pointer; /* of the top alone: who wants to know */
};

static bool validate(const struct ev_schema *s, yyjson_val *value,
                     const struct place *place, struct ev_err *err);

static void
write_path(struct ev_buf *out, const struct place *place)
{
	if (!place || place->pointer)
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

/* The same for programs. */
static void
write_pointer(const struct place *place, const struct place *top)
{
	if (place == top)
		return;
	write_pointer(place->up, top);
	if (place->member.ptr)
		ev_json_write_pointer(top->pointer, place->member);
	else
		ev_buf_printf(top->pointer, "/%zu", place->index);
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
	const struct place *top = place;
	struct ev_buf path = { 0 };
	char message[512];
	va_list args;

	if (!err)
		return false;
	while (top && !top->pointer)
		top = top->up;
	if (top)
		write_pointer(place, top);
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
	for (size_t i = 0; i < SCHEMA_TYPE_NAMES; i++)
		left += (types & schema_type_names[i].bit) != 0;
	for (size_t i = 0; i < SCHEMA_TYPE_NAMES; i++) {
		if (!(types & schema_type_names[i].bit))
			continue;
		left--;
		len += (size_t)snprintf(names + len, sizeof names - len,
		                        "%s%s", schema_type_names[i].name,
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
	struct place place = { up, { 0 }, 0, NULL };
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
	struct place place = { up, { 0 }, 0, NULL };
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
			property = schema_property(s, place.member, hint);
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

enum ev_status
ev_schema_validate_at(const struct ev_schema *schema, yyjson_val *value,
                      struct ev_buf *pointer, struct ev_err *err)
{
	const struct place top = { .pointer = pointer };

	return validate(schema, value, &top, err) ? EV_OK : EV_BAD_INPUT;
}
