#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "domain/catalog.h"
#include "domain/decimal.h"
#include "domain/yaml.h"

enum { VERSION_MAX = 9999, NAME_MAX_BYTES = 255 };

struct problem {
	struct ev_place place;
	size_t order;
	struct ev_str message;
};

/*
 * The YAML is checked as the JSON that it becomes: the values of a yyjson
 * document lie one after another in the order of writing, so that a value's
 * distance from the root finds its place in the file.
 */
struct checker {
	struct ev_arena arena;
	struct problem *problems;
	size_t count, room;
	yyjson_val *root;
	const struct ev_place *places;

	/* the type being looked at */
	struct ev_str type;
	yyjson_val *source;
	const struct ev_schema *payload; /* NULL: not to be compiled */
	bool base_fits; /* the payload that all types share can be compiled */
};

static void
add_problem(struct checker *c, struct ev_place place, const char *message)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 16;
		c->problems = ev_mem_resize(c->problems,
		                            c->room * sizeof *c->problems);
	}
	c->problems[c->count] = (struct problem){
		place, c->count, ev_arena_dup(&c->arena, ev_str(message)) };
	c->count++;
}

static void
report_yaml(void *context, struct ev_place place, const char *message)
{
	add_problem(context, place, message);
}

static void
report_value(void *context, yyjson_val *where, const char *message)
{
	struct checker *c = context;

	add_problem(c, c->places[where - c->root], message);
}

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
	report_value(c, where, message);
}

/* ---- small shapes */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* [A-Za-z][A-Za-z0-9_-]*, which is also one word of a topic. */
static bool
is_name(struct ev_str s)
{
	if (!s.len || s.len > NAME_MAX_BYTES || !is_letter(s.ptr[0]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_letter(s.ptr[i]) && !ev_is_digit(s.ptr[i]) &&
		    s.ptr[i] != '_' && s.ptr[i] != '-')
			return false;
	return true;
}

static bool
is_lower_name(struct ev_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
			return false;
	return is_name(s);
}

static bool
check_kind(struct checker *c, yyjson_val *value, const char *name,
           bool fits, const char *wanted)
{
	if (!fits)
		complain(c, value, "'%s' is %s, not %s", name, wanted,
		         ev_json_type_name(value));
	return fits;
}

static bool
check_map(struct checker *c, yyjson_val *value, const char *name)
{
	return check_kind(c, value, name, yyjson_is_obj(value), "a map");
}

static bool
check_text(struct checker *c, yyjson_val *value, const char *name)
{
	return check_kind(c, value, name, yyjson_is_str(value), "a text");
}

/* `known` is a list that ends with NULL. */
static void
refuse_unknown(struct checker *c, yyjson_val *map, const char *what,
               const char *const *known)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(map);
	yyjson_val *key;

	while ((key = yyjson_obj_iter_next(&iter))) {
		const char *const *name = known;

		while (*name && !yyjson_equals_str(key, *name))
			name++;
		if (!*name)
			complain(c, key, "%s has no member '%.*s'", what,
			         EV_FMT(ev_json_text(key)));
	}
}

static void
check_texts(struct checker *c, yyjson_val *list, const char *name)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(list);
	yyjson_val *item;

	if (!check_kind(c, list, name, yyjson_is_arr(list), "a list"))
		return;
	while ((item = yyjson_arr_iter_next(&iter)))
		if (!yyjson_is_str(item) || !yyjson_get_len(item))
			complain(c, item, "'%s' lists names, not %s", name,
			         ev_json_type_name(item));
}

/* ---- what a type and the catalog for all its types can say */

static void
check_summary(struct checker *c, yyjson_val *value)
{
	struct ev_str text = ev_json_text(value);

	if (check_text(c, value, "summary") && text.len &&
	    memchr(text.ptr, '\n', text.len))
		complain(c, value, "'summary' is one line");
}

static void
check_category(struct checker *c, yyjson_val *value)
{
	if (check_text(c, value, "category") &&
	    !is_lower_name(ev_json_text(value)))
		complain(c, value, "category '%.*s' is not a word of a-z, "
		                   "0-9, '_' and '-'",
		         EV_FMT(ev_json_text(value)));
}

static void
check_priority(struct checker *c, yyjson_val *value)
{
	struct ev_str text = ev_json_text(value);
	enum ev_priority priority = ev_priority_parse(text);

	if (!check_text(c, value, "priority"))
		return;
	if (priority == EV_PRIORITY_NONE ||
	    !ev_str_equal(text, ev_str(ev_priority_format(priority))))
		complain(c, value, "priority '%.*s' is none of info, action, "
		                   "urgent and critical", EV_FMT(text));
}

static void
check_members_known(struct checker *c, yyjson_val *where, const char *name,
                    const struct ev_template *t)
{
	struct ev_str member;

	for (size_t i = 0; (member = ev_template_member(t, i)).len; i++) {
		const char *dot = memchr(member.ptr, '.', member.len);
		struct ev_str top = member;

		if (dot)
			top.len = (size_t)(dot - member.ptr);
		if (!ev_schema_knows(c->payload, top))
			complain(c, where, "%s of type '%.*s' needs '%.*s', "
			                   "which is none of its payload's "
			                   "properties",
			         name, EV_FMT(c->type), EV_FMT(top));
	}
}

/* The catalog's own words {$category} and {$action} are no placeholders. */
static struct ev_str
without_words(struct checker *c, struct ev_str text)
{
	static const char *const words[] = { "{$category}", "{$action}" };
	char *copy = ev_arena_alloc(&c->arena, text.len + 1);
	size_t len = 0;

	while (text.len) {
		size_t skip = 1;

		for (size_t i = 0; i < 2; i++)
			if (ev_str_starts(text, ev_str(words[i])))
				skip = strlen(words[i]);
		if (skip == 1)
			copy[len++] = *text.ptr;
		else
			copy[len++] = 'x';
		text.ptr += skip;
		text.len -= skip;
	}
	return (struct ev_str){ copy, len };
}

static yyjson_val *
get_inherited(struct checker *c, const char *name)
{
	yyjson_val *value = yyjson_obj_get(c->source, name);

	return value ? value : yyjson_obj_get(c->root, name);
}

static void
check_template(struct checker *c, yyjson_val *value, const char *name)
{
	const struct ev_template *t;
	struct ev_err err;
	struct ev_str text = ev_json_text(value);

	if (!yyjson_is_str(value) || !text.len) {
		complain(c, value, "'%s' is a text or a list of texts", name);
		return;
	}
	if (ev_template_compile(&t, &c->arena, without_words(c, text), &err)) {
		complain(c, value, "%s", err.text);
		return;
	}
	if (!strcmp(name, "topic") && !ev_template_is_topic(t))
		complain(c, value, "a topic is words of letters, digits, '_' "
		                   "and '-' between dots; a placeholder in it "
		                   "needs |segment or |strict");
	if (strstr(text.ptr, "{$category}") && !get_inherited(c, "category"))
		complain(c, value, "type '%.*s' has no category for it",
		         EV_FMT(c->type));
	if (c->payload)
		check_members_known(c, value, name, t);
}

static void
check_templates(struct checker *c, yyjson_val *value, const char *name)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	yyjson_val *item;

	if (!yyjson_is_arr(value))
		check_template(c, value, name);
	while ((item = yyjson_arr_iter_next(&iter)))
		check_template(c, item, name);
}

/* ---- payload */

static void
check_defaults(struct checker *c, yyjson_val *properties)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(properties);
	yyjson_val *key;

	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *source = yyjson_obj_iter_get_val(key);
		yyjson_val *value = yyjson_obj_get(source, "default");
		const struct ev_schema *schema;
		struct ev_err err;

		if (!value)
			continue;
		schema = ev_schema_compile(&c->arena, source);
		if (ev_schema_validate(schema, value, &err))
			complain(c, value, "the default does not fit its own "
			                   "schema: %s", err.text);
	}
}

/* Returns whether it is a schema that can be compiled. */
static bool
check_payload(struct checker *c, yyjson_val *value)
{
	if (!value)
		return true;
	if (!yyjson_is_obj(value)) {
		complain(c, value, "'payload' is a schema, not %s",
		         ev_json_type_name(value));
		return false;
	}
	if (ev_schema_check(value, report_value, c))
		return false;
	check_defaults(c, yyjson_obj_get(value, "properties"));
	return true;
}

static void
check_aliases(struct checker *c, yyjson_val *aliases)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(aliases);
	yyjson_val *own = yyjson_obj_get(
		yyjson_obj_get(c->source, "payload"), "properties");
	yyjson_val *key;

	if (!check_map(c, aliases, "aliases"))
		return;
	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *value = yyjson_obj_iter_get_val(key);
		struct ev_str from = ev_json_text(key);
		struct ev_str to = ev_json_text(value);

		if (!yyjson_is_str(value)) {
			complain(c, value, "alias '%.*s' names a member, not "
			                   "%s", EV_FMT(from),
			         ev_json_type_name(value));
			continue;
		}
		if (c->payload && !ev_schema_knows(c->payload, to))
			complain(c, value, "alias '%.*s' leads to '%.*s', "
			                   "which is none of the payload's "
			                   "properties",
			         EV_FMT(from), EV_FMT(to));
		if (yyjson_obj_getn(own, from.ptr, from.len))
			complain(c, key, "alias '%.*s' is itself one of the "
			                 "payload's properties",
			         EV_FMT(from));
	}
}

/* ---- versions and upcasts */

/* A whole number from 1 on; 0 for anything else. */
static size_t
get_version(struct ev_str text)
{
	size_t version = 0;

	if (!text.len || text.len > 4 || text.ptr[0] == '0')
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (!ev_is_digit(text.ptr[i]))
			return 0;
		version = version * 10 + (size_t)(text.ptr[i] - '0');
	}
	return version;
}

static bool
is_path(struct ev_str path)
{
	if (!path.len || path.ptr[0] == '.' || path.ptr[path.len - 1] == '.')
		return false;
	for (size_t i = 1; i < path.len; i++)
		if (path.ptr[i] == '.' && path.ptr[i - 1] == '.')
			return false;
	return true;
}

static void
check_path(struct checker *c, yyjson_val *value)
{
	if (!yyjson_is_str(value) || !is_path(ev_json_text(value)))
		complain(c, value, "a step names members such as total or "
		                   "cost.total");
}

static void
check_step_member(struct checker *c, const char *step, yyjson_val *key,
                  yyjson_val *value)
{
	static const char *const types[] = { "string", "number", "integer",
		                             "boolean", NULL };
	const char *const *type = types;
	struct ev_str to = ev_json_text(value);

	check_path(c, key);
	if (!strcmp(step, "move")) {
		check_path(c, value);
	} else if (!strcmp(step, "rename")) {
		if (!yyjson_is_str(value) || !to.len ||
		    memchr(to.ptr, '.', to.len))
			complain(c, value, "'rename' gives a new name in the "
			                   "same place; 'move' takes a member "
			                   "elsewhere");
	} else if (!strcmp(step, "convert")) {
		while (*type && !ev_str_equal(to, ev_str(*type)))
			type++;
		if (!*type)
			complain(c, value, "'convert' makes a string, number, "
			                   "integer or boolean");
	}
}

static void
check_step(struct checker *c, yyjson_val *step)
{
	static const char *const steps[] = { "rename", "default", "drop",
		                             "move", "convert", NULL };
	yyjson_obj_iter iter = yyjson_obj_iter_with(step);
	yyjson_val *key = yyjson_obj_iter_next(&iter), *value;
	const char *name;

	if (!yyjson_is_obj(step) || yyjson_obj_size(step) != 1) {
		complain(c, step, "a step is one of rename, default, drop, "
		                  "move and convert");
		return;
	}
	refuse_unknown(c, step, "an upcast", steps);
	name = yyjson_get_str(key);
	value = yyjson_obj_iter_get_val(key);
	if (!strcmp(name, "drop")) {
		yyjson_arr_iter items = yyjson_arr_iter_with(value);

		check_kind(c, value, name, yyjson_is_arr(value), "a list");
		while ((value = yyjson_arr_iter_next(&items)))
			check_path(c, value);
	} else if (check_map(c, value, name)) {
		iter = yyjson_obj_iter_with(value);
		while ((key = yyjson_obj_iter_next(&iter)))
			check_step_member(c, name, key,
			                  yyjson_obj_iter_get_val(key));
	}
}

static void
check_upcast(struct checker *c, yyjson_val *upcast, size_t version)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(upcast);
	yyjson_val *key;
	bool *there;

	if (upcast && !check_map(c, upcast, "upcast"))
		return;
	there = ev_arena_alloc(&c->arena, version + 1);
	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *steps = yyjson_obj_iter_get_val(key);
		yyjson_arr_iter items = yyjson_arr_iter_with(steps);
		size_t from = get_version(ev_json_text(key));
		yyjson_val *step;

		if (!from || from >= version)
			complain(c, key, "there is no step from version '%.*s' "
			                 "on: 'version' is %zu",
			         EV_FMT(ev_json_text(key)), version);
		else
			there[from] = true;
		check_kind(c, steps, "upcast", yyjson_is_arr(steps),
		           "a list of steps for each version");
		while ((step = yyjson_arr_iter_next(&items)))
			check_step(c, step);
	}
	for (size_t from = 1; from < version; from++)
		if (!there[from])
			complain(c, upcast ? ev_json_key(c->source, "upcast")
			                   : ev_json_key(c->source, "version"),
			         "the upcast from version %zu to %zu is "
			         "missing", from, from + 1);
}

/* ---- types */

static void
check_version(struct checker *c, yyjson_val *value)
{
	yyjson_val *upcast = yyjson_obj_get(c->source, "upcast");
	size_t version = value ? get_version(ev_json_text(value)) : 1;

	if (value && (!yyjson_is_raw(value) || !version))
		complain(c, value, "'version' is a whole number from 1 to %d",
		         VERSION_MAX);
	else
		check_upcast(c, upcast, version);
}

static void
check_type(struct checker *c, yyjson_val *key)
{
	static const char *const known[] = {
		"summary", "category", "priority", "version", "action",
		"aliases", "stream",   "topic",    "payload", "upcast", NULL,
	};
	yyjson_val *source = yyjson_obj_iter_get_val(key), *value;
	yyjson_val *base = yyjson_obj_get(c->root, "payload");

	c->type = ev_json_text(key);
	c->source = source;
	if (!is_name(c->type))
		complain(c, key, "a type's name is a letter and then letters, "
		                 "digits, '_' and '-', not '%.*s'",
		         EV_FMT(c->type));
	if (!yyjson_is_obj(source) && !yyjson_is_null(source)) {
		complain(c, source, "type '%.*s' is a map, not %s",
		         EV_FMT(c->type), ev_json_type_name(source));
		return;
	}
	refuse_unknown(c, source, "a type", known);
	if ((value = yyjson_obj_get(source, "summary")))
		check_summary(c, value);
	if ((value = yyjson_obj_get(source, "category")))
		check_category(c, value);
	if ((value = yyjson_obj_get(source, "priority")))
		check_priority(c, value);
	if ((value = yyjson_obj_get(source, "action")) &&
	    (!yyjson_is_str(value) || !is_name(ev_json_text(value))))
		complain(c, value, "'action' is one word of a topic: letters, "
		                   "digits, '_' and '-'");

	c->payload = NULL;
	if (check_payload(c, yyjson_obj_get(source, "payload")) && c->base_fits)
		c->payload = ev_schema_compile_onto(
			&c->arena, base, yyjson_obj_get(source, "payload"));
	if ((value = yyjson_obj_get(source, "aliases")))
		check_aliases(c, value);
	if (!(value = get_inherited(c, "stream")))
		complain(c, key, "type '%.*s' has no stream, neither here nor "
		                 "for all types", EV_FMT(c->type));
	else
		check_templates(c, value, "stream");
	if ((value = get_inherited(c, "topic")))
		check_templates(c, value, "topic");
	check_version(c, yyjson_obj_get(source, "version"));
}

static void
check_types(struct checker *c, yyjson_val *types)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(types);
	yyjson_val *key;

	if (!check_map(c, types, "types"))
		return;
	if (!yyjson_obj_size(types))
		complain(c, types, "a catalog has at least one type");
	while ((key = yyjson_obj_iter_next(&iter)))
		check_type(c, key);
}

/* ---- the native form */

static void
check_envelope_member(struct checker *c, yyjson_val *key, bool *taken)
{
	static const char *const known[] = { "to", "keep", NULL };
	yyjson_val *value = yyjson_obj_iter_get_val(key), *keep = NULL;
	enum ev_member member;

	if (yyjson_is_obj(value)) {
		refuse_unknown(c, value, "an envelope member", known);
		keep = yyjson_obj_get(value, "keep");
		value = yyjson_obj_get(value, "to");
	}
	if (keep && !yyjson_is_bool(keep))
		complain(c, keep, "'keep' is true or false");
	member = ev_member_parse(ev_json_text(value));
	switch (member) {
	case EV_MEMBER_TYPE:
	case EV_MEMBER_ID:
	case EV_MEMBER_STREAM:
	case EV_MEMBER_TIMESTAMP:
	case EV_MEMBER_PRIORITY:
	case EV_MEMBER_CORRELATION:
	case EV_MEMBER_CAUSATION:
	case EV_MEMBER_ACTOR:
	case EV_MEMBER_META:
		break;
	default:
		complain(c, value ? value : key,
		         "'%.*s' leads to none of type, id, streamId, "
		         "timestamp, priority, correlationId, causationId, "
		         "actor and meta", EV_FMT(ev_json_text(key)));
		return;
	}
	if (taken[member])
		complain(c, key, "two members lead to '%s'",
		         ev_member_name(member));
	taken[member] = true;
}

static void
check_envelope(struct checker *c, yyjson_val *native)
{
	yyjson_val *envelope = yyjson_obj_get(native, "envelope"), *key;
	yyjson_obj_iter iter = yyjson_obj_iter_with(envelope);
	bool taken[EV_MEMBER_COUNT] = { false };

	if (envelope && !check_map(c, envelope, "envelope"))
		return;
	while ((key = yyjson_obj_iter_next(&iter)))
		check_envelope_member(c, key, taken);
	if (!taken[EV_MEMBER_TYPE])
		complain(c, native, "'native' needs an 'envelope' that says "
		                    "which member is the type");
}

static void
check_native(struct checker *c, yyjson_val *native)
{
	static const char *const known[] = { "when",    "unless", "typePrefix",
		                             "envelope", "payload", "lift",
		                             "id",      NULL };
	yyjson_val *value;

	if (!check_map(c, native, "native"))
		return;
	refuse_unknown(c, native, "'native'", known);
	value = yyjson_obj_get(native, "when");
	if (!value || (yyjson_is_arr(value) && !yyjson_arr_size(value)))
		complain(c, value ? value : native,
		         "'native' needs 'when': the members by which events "
		         "of this form are known");
	else
		check_texts(c, value, "when");
	if ((value = yyjson_obj_get(native, "unless")))
		check_texts(c, value, "unless");
	if ((value = yyjson_obj_get(native, "typePrefix")))
		check_text(c, value, "typePrefix");
	if ((value = yyjson_obj_get(native, "payload")))
		check_text(c, value, "payload");
	if ((value = yyjson_obj_get(native, "lift"))) {
		check_texts(c, value, "lift");
		if (!yyjson_obj_get(native, "payload"))
			complain(c, ev_json_key(native, "lift"),
			         "'lift' goes with 'payload': without it every "
			         "member is of the payload");
	}
	c->payload = NULL;
	if ((value = yyjson_obj_get(native, "id")))
		check_template(c, value, "id");
	check_envelope(c, native);
}

/* ---- the whole */

static void
check_base(struct checker *c, yyjson_val *payload)
{
	static const char *const known[] = { "properties", "required", NULL };

	c->base_fits = check_payload(c, payload);
	if (yyjson_is_obj(payload))
		refuse_unknown(c, payload, "the payload of all types", known);
}

static void
check_catalog(struct checker *c)
{
	static const char *const known[] = {
		"catalog", "summary", "native",  "define",   "category",
		"priority", "stream", "topic", "payload", "types", NULL,
	};
	yyjson_val *root = c->root, *value;

	if (!yyjson_is_obj(root)) {
		complain(c, root, "a catalog is a map, not %s",
		         ev_json_type_name(root));
		return;
	}
	refuse_unknown(c, root, "a catalog", known);
	if (!(value = yyjson_obj_get(root, "catalog")))
		complain(c, root, "'catalog', its name, is missing");
	else if (!yyjson_is_str(value) || !is_lower_name(ev_json_text(value)))
		complain(c, value, "a catalog's name is a word of a-z, 0-9, "
		                   "'_' and '-'");
	if ((value = yyjson_obj_get(root, "summary")))
		check_summary(c, value);
	if ((value = yyjson_obj_get(root, "category")))
		check_category(c, value);
	if ((value = yyjson_obj_get(root, "priority")))
		check_priority(c, value);
	if ((value = yyjson_obj_get(root, "native")))
		check_native(c, value);
	check_base(c, yyjson_obj_get(root, "payload"));
	if (!(value = yyjson_obj_get(root, "types")))
		complain(c, root, "'types' is missing");
	else
		check_types(c, value);
}

/* Two types that differ in spelling only cannot both be found. */
static void
check_spellings(struct checker *c, struct ev_catalog *catalog)
{
	yyjson_obj_iter iter =
		yyjson_obj_iter_with(yyjson_obj_get(c->root, "types"));
	yyjson_val *key;

	while ((key = yyjson_obj_iter_next(&iter))) {
		struct ev_str name = ev_json_text(key);
		const struct ev_type *type =
			ev_catalog_find_loose(catalog, name);

		if (type && !ev_str_equal(type->name, name))
			complain(c, key, "type '%.*s' differs from '%.*s' in "
			                 "case, '_' and '-' only",
			         EV_FMT(name), EV_FMT(type->name));
	}
}

static int
compare_problems(const void *a, const void *b)
{
	const struct problem *left = a, *right = b;

	if (left->place.line != right->place.line)
		return left->place.line < right->place.line ? -1 : 1;
	if (left->place.column != right->place.column)
		return left->place.column < right->place.column ? -1 : 1;
	return (left->order > right->order) - (left->order < right->order);
}

/* In the file's order; what every type says of one place is said once. */
static void
print_problems(struct checker *c, const char *file, struct ev_problems *out)
{
	if (c->count)
		qsort(c->problems, c->count, sizeof *c->problems,
		      compare_problems);
	for (size_t i = 0; i < c->count; i++) {
		const struct problem *p = &c->problems[i];

		if (i && p->place.line == p[-1].place.line &&
		    p->place.column == p[-1].place.column &&
		    ev_str_equal(p->message, p[-1].message))
			continue;
		ev_buf_printf(&out->text, "%s:%zu:%zu: ", file, p->place.line,
		              p->place.column);
		for (size_t k = 0; k < p->message.len; k++) {
			unsigned char byte = (unsigned char)p->message.ptr[k];

			ev_buf_add_char(&out->text, byte < 0x20 || byte == 0x7f
			                                    ? '?' : (char)byte);
		}
		ev_buf_add_char(&out->text, '\n');
		out->count++;
	}
}

/* The stored form: what has a meaning, so without `define`. */
static void
write_stored(struct ev_buf *out, yyjson_val *root)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(root);
	yyjson_val *key;

	ev_buf_add_char(out, '{');
	while ((key = yyjson_obj_iter_next(&iter))) {
		if (yyjson_equals_str(key, "define"))
			continue;
		if (out->len > 1)
			ev_buf_add_char(out, ',');
		ev_json_write_string(out, ev_json_text(key));
		ev_buf_add_char(out, ':');
		ev_json_write(out, yyjson_obj_iter_get_val(key));
	}
	ev_buf_add_char(out, '}');
}

static void
check_tree(struct checker *c, const struct ev_yaml *tree,
           struct ev_catalog **out)
{
	struct ev_buf json = { 0 }, places = { 0 }, stored = { 0 };
	struct ev_catalog *catalog = NULL;
	yyjson_doc *doc = NULL;
	struct ev_err err;

	ev_yaml_write_json(&json, tree, &places);
	if (ev_json_parse(&doc, ev_buf_str(&json), NULL, &err)) {
		add_problem(c, tree->place, err.text);
		goto out;
	}
	c->root = yyjson_doc_get_root(doc);
	c->places = (const struct ev_place *)(void *)places.ptr;
	check_catalog(c);
	if (c->count)
		goto out;
	write_stored(&stored, c->root);
	if (ev_catalog_load(&catalog, ev_buf_str(&stored), &err)) {
		add_problem(c, tree->place, err.text);
		goto out;
	}
	check_spellings(c, catalog);
	if (c->count)
		ev_catalog_free(catalog);
	else
		*out = catalog;
out:
	yyjson_doc_free(doc);
	ev_buf_release(&json);
	ev_buf_release(&places);
	ev_buf_release(&stored);
}

enum ev_status
ev_catalog_parse(struct ev_catalog **out, const char *file, struct ev_str yaml,
                 struct ev_problems *problems)
{
	struct checker c = { .problems = NULL };
	const struct ev_yaml *tree;
	bool fits;

	tree = ev_yaml_parse(&c.arena, yaml, report_yaml, &c);
	if (tree)
		check_tree(&c, tree, out);
	fits = c.count == 0;
	print_problems(&c, file, problems);
	free(c.problems);
	ev_arena_release(&c.arena);
	return fits ? EV_OK : EV_BAD_INPUT;
}

/* ---- several catalogs */

/* Where a path of names leads in a file; as far as it does. */
static struct ev_place
find_place(struct checker *c, struct ev_str yaml, const struct ev_str *names,
           size_t count)
{
	const struct ev_yaml *node =
		ev_yaml_parse(&c->arena, yaml, report_yaml, c);
	struct ev_place place = { 1, 1 };

	for (size_t i = 0; node && i < count; i++) {
		for (node = node->first;
		     node && !ev_str_equal(node->key->text, names[i]);)
			node = node->next;
		if (node)
			place = node->key->place;
	}
	return place;
}

static void complain_of(struct checker *c, const struct ev_catalog_file *file,
                        const struct ev_str *names, size_t count,
                        struct ev_problems *out, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

static void
complain_of(struct checker *c, const struct ev_catalog_file *file,
            const struct ev_str *names, size_t count, struct ev_problems *out,
            const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	add_problem(c, find_place(c, file->yaml, names, count), message);
	print_problems(c, file->path, out);
	c->count = 0;
}

static void
compare_types(struct checker *c, const struct ev_catalog_file *file,
              const struct ev_catalog_file *other, struct ev_problems *out)
{
	for (size_t i = 0; i < ev_catalog_type_count(file->catalog); i++) {
		const struct ev_type *type = ev_catalog_type(file->catalog, i);
		struct ev_str path[] = { EV_STR("types"), type->name };

		if (ev_catalog_find(other->catalog, type->name))
			complain_of(c, file, path, 2, out,
			            "type '%.*s' is also one of catalog "
			            "'%.*s' (%s)", EV_FMT(type->name),
			            EV_FMT(ev_catalog_name(other->catalog)),
			            other->path);
	}
}

static bool
contains(const struct ev_str *list, size_t count, struct ev_str text)
{
	for (size_t i = 0; i < count; i++)
		if (ev_str_equal(list[i], text))
			return true;
	return false;
}

/* Of two forms the one that asks for more members wins, so only two that ask
   for the same cannot be told apart. */
static bool
ask_the_same(const struct ev_native *a, const struct ev_native *b)
{
	for (size_t i = 0; i < a->when_count; i++)
		if (!contains(b->when, b->when_count, a->when[i]))
			return false;
	for (size_t i = 0; i < b->when_count; i++)
		if (!contains(a->when, a->when_count, b->when[i]))
			return false;
	return true;
}

static void
compare_natives(struct checker *c, const struct ev_catalog_file *file,
                const struct ev_catalog_file *other, struct ev_problems *out)
{
	const struct ev_native *a = ev_catalog_native(file->catalog);
	const struct ev_native *b = ev_catalog_native(other->catalog);
	struct ev_str path[] = { EV_STR("native"), EV_STR("when") };

	if (a && b && ask_the_same(a, b))
		complain_of(c, file, path, 2, out,
		            "catalog '%.*s' (%s) knows its events by the same "
		            "members: name one more that only these have",
		            EV_FMT(ev_catalog_name(other->catalog)),
		            other->path);
}

void
ev_catalogs_check(const struct ev_catalog_file *files, size_t count,
                  struct ev_problems *problems)
{
	struct checker c = { .problems = NULL };

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct ev_catalog_file *file = &files[i];
			const struct ev_catalog_file *other = &files[k];
			struct ev_str name = EV_STR("catalog");

			if (!file->catalog || !other->catalog)
				continue;
			if (ev_str_equal(ev_catalog_name(file->catalog),
			                 ev_catalog_name(other->catalog))) {
				complain_of(&c, file, &name, 1, problems,
				            "'%s' has this name too",
				            other->path);
				continue;
			}
			compare_types(&c, file, other, problems);
			compare_natives(&c, file, other, problems);
		}
	free(c.problems);
	ev_arena_release(&c.arena);
}

void
ev_problems_release(struct ev_problems *problems)
{
	ev_buf_release(&problems->text);
	problems->count = 0;
}
