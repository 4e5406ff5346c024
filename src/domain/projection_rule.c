#include "domain/projection_parts.h"

/* ---- keys */

static bool
is_safe_filter(enum ev_filter_name filter)
{
	return filter != EV_FILTER_PLAIN && filter != EV_FILTER_SOME;
}

/* Parts that can hold no '/', each up to one: different parts, different
   keys. */
static void
check_key(struct projection_compiler *c, yyjson_val *where,
          const struct ev_text *key)
{
	size_t last = key->count;

	while (last > 0 && !key->parts[last - 1].path)
		last--;
	for (size_t i = 0; i + 1 < last; i++) {
		const struct ev_text_part *part = &key->parts[i];
		struct ev_str between = key->parts[i + 1].literal;

		if (!is_safe_filter(part->filter)) {
			projection_complain(
				c, where,
				"'{%.*s}' is followed by another part: give it "
				"|part, |segment, |agent or |date, so that "
				"different parts never make the same key",
				EV_FMT(part->path->text));
			return;
		}
		if (!between.len || !memchr(between.ptr, '/', between.len)) {
			projection_complain(
				c, where,
				"no '/' stands between '{%.*s}' and the next "
				"part: different parts could make the same key",
				EV_FMT(part->path->text));
			return;
		}
	}
}

static void
compile_key(struct projection_compiler *c, struct ev_text *out,
            yyjson_val *value)
{
	struct ev_str text = ev_json_text(value);

	if (!yyjson_is_str(value) || !text.len) {
		projection_complain(c, value,
		                    "'key' is a text with placeholders in "
		                    "quotes, or a list of such texts, not %s",
		                    projection_kind(value));
		return;
	}
	if (!projection_is_template(text) && projection_is_path(text)) {
		projection_complain(c, value, "'key' is a text with "
		                              "placeholders: write \"{%.*s}\"",
		                    EV_FMT(text));
		return;
	}
	if (projection_text(c, out, value, text))
		check_key(c, value, out);
}

void
projection_keys(struct projection_compiler *c, yyjson_val *value,
                const struct ev_text **keys, size_t *count)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	struct ev_text *list;
	yyjson_val *item;

	list = ev_arena_alloc(c->arena, (yyjson_arr_size(value) + 1) *
	                                        sizeof *list);
	*keys = list;
	*count = 0;
	c->part = PROJECTION_KEY;
	if (!yyjson_is_arr(value))
		compile_key(c, &list[(*count)++], value);
	else if (!yyjson_arr_size(value))
		projection_complain(c, value, "'key' is an empty list");
	while ((item = yyjson_arr_iter_next(&iter)))
		compile_key(c, &list[(*count)++], item);
	c->part = PROJECTION_VALUE;
}

/* ---- conditions */

static const struct {
	const char *name;
	enum ev_test test;
} tests[] = {
	{ "not", EV_TEST_NOT },           { "exists", EV_TEST_EXISTS },
	{ "below", EV_TEST_BELOW },       { "above", EV_TEST_ABOVE },
	{ "atLeast", EV_TEST_AT_LEAST },  { "atMost", EV_TEST_AT_MOST },
};

static void
compile_operand(struct projection_compiler *c, struct ev_source *out,
                yyjson_val *value, enum ev_test test)
{
	bool ordered = test != EV_TEST_EQUAL && test != EV_TEST_NOT;

	projection_source(c, out, value);
	if (yyjson_is_ctn(value))
		projection_complain(c, value, "a condition compares with a "
		                              "text, a number, true, false or "
		                              "a path, not with %s",
		                    projection_kind(value));
	else if (out->kind == EV_SOURCE_TEXT)
		projection_complain(c, value, "'%.*s': a condition compares "
		                              "with a literal or a path, not "
		                              "with a template",
		                    EV_FMT(ev_json_text(value)));
	else if (yyjson_is_null(value))
		projection_complain(c, value, "null counts as missing: write "
		                              "{exists: %s}",
		                    test == EV_TEST_NOT ? "true" : "false");
	else if (ordered && yyjson_is_bool(value))
		projection_complain(c, value, "true and false have no order: "
		                              "compare with a number or a text");
}

/* One of the tests of a path, with its value or list of values. */
static void
compile_test(struct projection_compiler *c, struct ev_condition *out,
             yyjson_val *value)
{
	bool list = yyjson_is_arr(value) && (out->test == EV_TEST_EQUAL ||
	                                     out->test == EV_TEST_NOT);
	size_t count = list ? yyjson_arr_size(value) : 1;
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	struct ev_source *values =
		ev_arena_alloc(c->arena, count * sizeof *values);

	if (out->test == EV_TEST_EXISTS) {
		if (!yyjson_is_bool(value))
			projection_complain(c, value, "'exists' is true or "
			                              "false");
		if (yyjson_is_false(value))
			out->test = EV_TEST_MISSING;
		return;
	}
	if (!count)
		projection_complain(c, value, "an empty list: no value is one "
		                              "of it");
	for (size_t i = 0; i < count; i++)
		compile_operand(c, &values[i],
		                list ? yyjson_arr_iter_next(&iter) : value,
		                out->test);
	out->values = values;
	out->count = count;
}

static void
compile_named_test(struct projection_compiler *c, struct ev_condition *out,
                   yyjson_val *name)
{
	static const char *const known[] = { "not",     "exists", "below",
		                             "above",   "atLeast",
		                             "atMost",  NULL };

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		if (yyjson_equals_str(name, tests[i].name)) {
			out->test = tests[i].test;
			compile_test(c, out, yyjson_obj_iter_get_val(name));
			return;
		}
	projection_complain(c, name, "a condition has no '%.*s', but not, "
	                             "exists, below, above, atLeast and "
	                             "atMost%s",
	                    EV_FMT(ev_json_text(name)),
	                    projection_hint(c, ev_json_text(name), known));
}

static void
compile_when(struct projection_compiler *c, struct ev_rule *out,
             yyjson_val *when)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(when), tested;
	struct ev_condition *list;
	yyjson_val *key, *name;
	size_t count = 0;

	if (!projection_fits(c, when, "when", yyjson_is_obj(when), "a map"))
		return;
	if (!yyjson_obj_size(when))
		projection_complain(c, when, "'when' without a condition: "
		                             "leave it out");
	while ((key = yyjson_obj_iter_next(&iter)))
		count += 1 + yyjson_obj_size(yyjson_obj_iter_get_val(key));
	list = ev_arena_alloc(c->arena, count * sizeof *list);
	out->conditions = list;
	count = 0;
	c->part = PROJECTION_WHEN;
	iter = yyjson_obj_iter_with(when);
	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *value = yyjson_obj_iter_get_val(key);
		struct ev_path path;

		projection_path(c, &path, key, ev_json_text(key));
		if (!yyjson_is_obj(value)) {
			list[count].path = path;
			compile_test(c, &list[count++], value);
			continue;
		}
		if (!yyjson_obj_size(value))
			projection_complain(c, value, "a condition that asks "
			                              "nothing");
		tested = yyjson_obj_iter_with(value);
		while ((name = yyjson_obj_iter_next(&tested))) {
			list[count].path = path;
			compile_named_test(c, &list[count++], name);
		}
	}
	c->part = PROJECTION_VALUE;
	out->condition_count = count;
}

/* ---- rules */

#define OPERATION_NAMES \
	"set", "unset", "count", "add", "min", "max", "append", "include", \
	"exclude", "tally", "bucket"

void
projection_always(struct projection_compiler *c, struct ev_rule *out,
                  yyjson_val *value)
{
	static const char *const known[] = { OPERATION_NAMES, NULL };

	out->where = value;
	if (!projection_fits(c, value, "always", yyjson_is_obj(value), "a map"))
		return;
	projection_refuse_unknown(c, value, "'always'", known);
	projection_operations(c, out, value);
	if (c->places)
		projection_refuse_overlaps(c, out);
}

static bool
mentions_element(const struct ev_text *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < keys[i].count; k++)
			if (keys[i].parts[k].path &&
			    keys[i].parts[k].path->root == EV_ROOT_ELEMENT)
				return true;
	return false;
}

static void
compile_each(struct projection_compiler *c, struct ev_rule *out,
             yyjson_val *each)
{
	c->part = PROJECTION_EACH;
	if (projection_fits(c, each, "each", yyjson_is_str(each), "a path"))
		projection_path(c, &out->each, each, ev_json_text(each));
	c->part = PROJECTION_VALUE;
}

static void
compile_rule(struct projection_compiler *c, struct ev_rule *out,
             yyjson_val *rule, struct ev_str type)
{
	static const char *const known[] = { "when", "key", "each",
		                             OPERATION_NAMES, NULL };
	yyjson_val *when = yyjson_obj_get(rule, "when");
	yyjson_val *key = yyjson_obj_get(rule, "key");
	yyjson_val *each = yyjson_obj_get(rule, "each");
	size_t before = c->count;

	out->where = rule;
	if (!yyjson_is_obj(rule)) {
		projection_complain(c, rule, "'%.*s' has a rule or a list of "
		                             "rules, not %s%s", EV_FMT(type),
		                    projection_kind(rule),
		                    yyjson_is_null(rule)
		                            ? ": a type that means nothing "
		                              "here belongs in 'ignore'"
		                            : "");
		return;
	}
	projection_refuse_unknown(c, rule, "a rule", known);
	c->in_each = each != NULL;
	if (each)
		compile_each(c, out, each);
	if (key)
		projection_keys(c, key, &out->keys, &out->key_count);
	c->each_key = mentions_element(out->keys, out->key_count);
	if (when)
		compile_when(c, out, when);
	projection_operations(c, out, rule);
	c->in_each = c->each_key = false;
	if (!c->places)
		return;
	if (c->count == before && !out->operation_count &&
	    (!c->always || !c->always->operation_count))
		projection_complain(c, rule, "a rule without operations: what "
		                             "does '%.*s' change",
		                    EV_FMT(type));
	projection_refuse_overlaps(c, out);
}

/* Behind rules of which one always holds when this one does. */
static void
refuse_unreachable(struct projection_compiler *c,
                   const struct ev_handler *handler)
{
	for (size_t i = 1; i < handler->count; i++) {
		yyjson_val *where = handler->rules[i].where;
		yyjson_val *when = yyjson_obj_get(where, "when");

		for (size_t k = 0; k < i; k++) {
			yyjson_val *before = handler->rules[k].where;
			yyjson_val *other = yyjson_obj_get(before, "when");
			size_t line = c->places[before - c->root].line;

			if (!yyjson_is_obj(before) ||
			    (other && !(when && ev_json_equal(when, other))))
				continue;
			projection_complain(
				c, where, "this rule is never reached: the one "
				          "in line %zu has %s 'when'", line,
				other ? "the same" : "no");
			break;
		}
	}
}

void
projection_handler(struct projection_compiler *c, struct ev_handler *out,
                   yyjson_val *key)
{
	yyjson_val *value = yyjson_obj_iter_get_val(key), *item;
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	struct ev_rule *rules;

	out->type = projection_slice(c, ev_json_text(key));
	out->where = key;
	rules = ev_arena_alloc(c->arena, (yyjson_arr_size(value) + 1) *
	                                         sizeof *rules);
	out->rules = rules;
	if (!yyjson_is_arr(value))
		compile_rule(c, &rules[out->count++], value, out->type);
	else if (!yyjson_arr_size(value))
		projection_complain(c, value, "'%.*s' has an empty list of "
		                              "rules: put it into 'ignore'",
		                    EV_FMT(out->type));
	while ((item = yyjson_arr_iter_next(&iter)))
		compile_rule(c, &rules[out->count++], item, out->type);
	if (c->places)
		refuse_unreachable(c, out);
}
