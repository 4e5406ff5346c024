#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "domain/catalog.h"
#include "domain/decimal.h"

enum effect { COMPATIBLE, BREAKING };

struct comparison {
	struct ev_buf *report;
	size_t breaking;
	struct ev_arena arena;
	struct ev_str type;
	yyjson_val *from, *to; /* the catalogs */
};

static void note(struct comparison *c, enum effect effect, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));

static void
note(struct comparison *c, enum effect effect, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ev_buf_printf(c->report, "%s: ",
	              effect == BREAKING ? "breaking" : "compatible");
	if (c->type.len)
		ev_buf_printf(c->report, "%.*s: ", EV_FMT(c->type));
	ev_buf_printf(c->report, "%s\n", text);
	c->breaking += effect == BREAKING;
}

static yyjson_val *
get(yyjson_val *object, const char *name)
{
	return yyjson_obj_get(object, name);
}

static yyjson_val *
get_member(yyjson_val *object, struct ev_str name)
{
	return yyjson_obj_getn(object, name.ptr, name.len);
}

/* Both missing, or both there and equal. */
static bool
same(yyjson_val *a, yyjson_val *b)
{
	return a && b ? ev_json_equal(a, b) : !a && !b;
}

static bool
lists(yyjson_val *list, yyjson_val *value)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(list);
	yyjson_val *item;

	while ((item = yyjson_arr_iter_next(&iter)))
		if (ev_json_equal(item, value))
			return true;
	return false;
}

/* ---- schemas: does the new one take whatever the old one took? */

static const char *const type_names[] = {
	"null", "boolean", "string", "integer", "number", "array", "object",
};
enum {
	TYPE_COUNT = sizeof type_names / sizeof *type_names,
	ALL_TYPES = (1 << TYPE_COUNT) - 1,
	INTEGER = 1 << 3,
	NUMBER = 1 << 4,
};

static unsigned
type_bit(yyjson_val *name)
{
	for (int i = 0; i < TYPE_COUNT; i++)
		if (yyjson_equals_str(name, type_names[i]))
			return 1U << i;
	return 0;
}

/* Which types fit by `type` alone; all numbers are integers and others. */
static unsigned
type_set(yyjson_val *schema)
{
	yyjson_val *type = get(schema, "type"), *item;
	yyjson_arr_iter iter = yyjson_arr_iter_with(type);
	unsigned set = type_bit(type);

	if (!type)
		return yyjson_is_false(schema) ? 0 : ALL_TYPES;
	while ((item = yyjson_arr_iter_next(&iter)))
		set |= type_bit(item);
	return set & NUMBER ? set | INTEGER : set;
}

static void compare_schemas(struct comparison *c, yyjson_val *from,
                            yyjson_val *to, struct ev_str path);

static struct ev_str
join_path(struct comparison *c, struct ev_str path, const char *separator,
          struct ev_str name)
{
	struct ev_buf text = { 0 };
	struct ev_str joined;

	ev_buf_add_str(&text, path);
	if (path.len)
		ev_buf_add_str(&text, ev_str(separator));
	ev_buf_add_str(&text, name);
	joined = ev_arena_dup(&c->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return joined;
}

static void
compare_types(struct comparison *c, unsigned from, unsigned to,
              struct ev_str path)
{
	for (int i = 0; i < TYPE_COUNT; i++) {
		unsigned bit = 1U << i;

		if (from & bit && !(to & bit))
			note(c, BREAKING, "'%.*s' cannot be %s any more",
			     EV_FMT(path), type_names[i]);
		else if (to & bit && !(from & bit))
			note(c, COMPATIBLE, "'%.*s' can be %s now",
			     EV_FMT(path), type_names[i]);
	}
}

static void
try_value(struct comparison *c, yyjson_val *value,
          const struct ev_schema *schema, struct ev_str path)
{
	struct ev_buf text = { 0 };
	struct ev_err err;

	if (!ev_schema_validate(schema, value, &err))
		return;
	ev_json_write(&text, value);
	note(c, BREAKING, "'%.*s' cannot be %.*s any more", EV_FMT(path),
	     EV_FMT(ev_buf_str(&text)));
	ev_buf_release(&text);
}

/* Of a finite list each value can be tried: that answers everything. */
static bool
compare_values(struct comparison *c, yyjson_val *from, yyjson_val *to,
               struct ev_str path)
{
	yyjson_val *only = get(from, "const"), *list = get(from, "enum");
	yyjson_val *wanted = get(to, "enum"), *value;
	yyjson_arr_iter iter = yyjson_arr_iter_with(list);
	const struct ev_schema *schema;

	if (!only && !list) {
		if (get(to, "const") || wanted)
			note(c, BREAKING, "'%.*s' takes certain values only",
			     EV_FMT(path));
		return false;
	}
	schema = ev_schema_compile(&c->arena, to);
	if (only)
		try_value(c, only, schema, path);
	while (!only && (value = yyjson_arr_iter_next(&iter)))
		try_value(c, value, schema, path);
	if (!wanted && !get(to, "const"))
		note(c, COMPATIBLE, "'%.*s' takes more values", EV_FMT(path));
	iter = yyjson_arr_iter_with(wanted);
	while ((value = yyjson_arr_iter_next(&iter)))
		if (!lists(list, value) && !same(only, value)) {
			note(c, COMPATIBLE, "'%.*s' takes more values",
			     EV_FMT(path));
			break;
		}
	return true;
}

static void
compare_bound(struct comparison *c, yyjson_val *from, yyjson_val *to,
              const char *name, bool upper, struct ev_str path)
{
	yyjson_val *old = get(from, name), *new = get(to, name);
	int order;

	if (!old && !new)
		return;
	order = old && new ? ev_decimal_compare(ev_json_text(new),
	                                        ev_json_text(old))
	                   : 0;
	if (!old || (new && (upper ? order < 0 : order > 0)))
		note(c, BREAKING, "'%.*s': '%s' of %.*s refuses more",
		     EV_FMT(path), name, EV_FMT(ev_json_text(new)));
	else if (!new || order)
		note(c, COMPATIBLE, "'%.*s': '%s' refuses less", EV_FMT(path),
		     name);
}

static void
compare_bounds(struct comparison *c, yyjson_val *from, yyjson_val *to,
               struct ev_str path)
{
	static const struct {
		const char *name, *type;
		bool upper;
	} bounds[] = {
		{ "minimum", "integer", false },
		{ "maximum", "integer", true },
		{ "exclusiveMinimum", "integer", false },
		{ "exclusiveMaximum", "integer", true },
		{ "minLength", "string", false },
		{ "maxLength", "string", true },
		{ "minItems", "array", false },
		{ "maxItems", "array", true },
		{ "minProperties", "object", false },
		{ "maxProperties", "object", true },
	};
	unsigned types = type_set(from);

	for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
		for (int t = 0; t < TYPE_COUNT; t++)
			if (types & 1U << t &&
			    !strcmp(type_names[t], bounds[i].type))
				compare_bound(c, from, to, bounds[i].name,
				              bounds[i].upper, path);
}

/* Keywords that are not taken apart: the same, gone, or unclear. */
static void
compare_whole(struct comparison *c, yyjson_val *from, yyjson_val *to,
              struct ev_str path)
{
	static const char *const names[] = {
		"contains", "dependentRequired", "dependentSchemas",
		"else", "if", "maxContains", "minContains", "not", "oneOf",
		"propertyNames", "then", "uniqueItems",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		yyjson_val *old = get(from, names[i]);
		yyjson_val *new = get(to, names[i]);

		/* without minContains there must still be one */
		bool less = !new && strcmp(names[i], "minContains") != 0;

		if (!same(old, new))
			note(c, less ? COMPATIBLE : BREAKING,
			     "'%.*s': '%s' is %s", EV_FMT(path), names[i],
			     less ? "gone" : "different and may refuse more");
	}
	if (yyjson_equals_str(get(to, "format"), "decimal") &&
	    !same(get(from, "format"), get(to, "format")))
		note(c, BREAKING, "'%.*s': a string has to be a decimal number",
		     EV_FMT(path));
}

static void
compare_lists(struct comparison *c, yyjson_val *from, yyjson_val *to,
              struct ev_str path)
{
	yyjson_arr_iter all = yyjson_arr_iter_with(get(to, "allOf"));
	yyjson_arr_iter any = yyjson_arr_iter_with(get(from, "anyOf"));
	yyjson_val *item;

	while ((item = yyjson_arr_iter_next(&all)))
		if (!lists(get(from, "allOf"), item))
			note(c, BREAKING, "'%.*s': 'allOf' asks for more",
			     EV_FMT(path));
	if (!get(to, "anyOf"))
		return;
	if (!get(from, "anyOf"))
		note(c, BREAKING, "'%.*s': 'anyOf' was not there",
		     EV_FMT(path));
	while ((item = yyjson_arr_iter_next(&any)))
		if (!lists(get(to, "anyOf"), item))
			note(c, BREAKING, "'%.*s': 'anyOf' offers less",
			     EV_FMT(path));
}

static yyjson_val *
get_item(yyjson_val *schema, size_t i)
{
	yyjson_val *item = yyjson_arr_get(get(schema, "prefixItems"), i);

	return item ? item : get(schema, "items");
}

static void
compare_items(struct comparison *c, yyjson_val *from, yyjson_val *to,
              struct ev_str path)
{
	size_t old = yyjson_arr_size(get(from, "prefixItems"));
	size_t new = yyjson_arr_size(get(to, "prefixItems"));
	size_t count = old > new ? old : new;

	for (size_t i = 0; i < count; i++) {
		char index[32];

		snprintf(index, sizeof index, "[%zu]", i);
		compare_schemas(c, get_item(from, i), get_item(to, i),
		                join_path(c, path, "", ev_str(index)));
	}
	compare_schemas(c, get(from, "items"), get(to, "items"),
	                join_path(c, path, "", EV_STR("[]")));
}

/* Only the payload's own members get their default when they are missing. */
static void
compare_defaults(struct comparison *c, yyjson_val *from, yyjson_val *to,
                 struct ev_str path)
{
	yyjson_val *old = get(from, "default"), *new = get(to, "default");

	if (!same(old, new))
		note(c, old ? BREAKING : COMPATIBLE,
		     "'%.*s' has %s default", EV_FMT(path),
		     !old ? "a" : new ? "another" : "no");
}

static void
compare_required(struct comparison *c, yyjson_val *from, yyjson_val *to,
                 struct ev_str path)
{
	yyjson_val *old = get(from, "required"), *new = get(to, "required");
	yyjson_arr_iter lost = yyjson_arr_iter_with(old);
	yyjson_arr_iter added = yyjson_arr_iter_with(new);
	yyjson_val *name;

	while ((name = yyjson_arr_iter_next(&added))) {
		struct ev_str text = ev_json_text(name);
		yyjson_val *property = get_member(get(to, "properties"), text);
		bool filled = !path.len && get(property, "default");

		if (!lists(old, name))
			note(c, filled ? COMPATIBLE : BREAKING,
			     "'%.*s' is required now",
			     EV_FMT(join_path(c, path, ".", text)));
	}
	while ((name = yyjson_arr_iter_next(&lost)))
		if (!lists(new, name))
			note(c, COMPATIBLE, "'%.*s' is not required any more",
			     EV_FMT(join_path(c, path, ".",
			                      ev_json_text(name))));
}

static void
compare_properties(struct comparison *c, yyjson_val *from, yyjson_val *to,
                   struct ev_str path)
{
	yyjson_val *old = get(from, "properties"), *new = get(to, "properties");
	yyjson_val *others = get(to, "additionalProperties"), *key;
	yyjson_obj_iter iter = yyjson_obj_iter_with(old);

	while ((key = yyjson_obj_iter_next(&iter))) {
		struct ev_str name = ev_json_text(key);
		struct ev_str place = join_path(c, path, ".", name);
		yyjson_val *before = yyjson_obj_iter_get_val(key);
		yyjson_val *after = get_member(new, name);

		if (after && !path.len)
			compare_defaults(c, before, after, place);
		if (after || others)
			compare_schemas(c, before, after ? after : others,
			                place);
		else
			note(c, COMPATIBLE, "'%.*s' is not described any more",
			     EV_FMT(place));
	}
	iter = yyjson_obj_iter_with(new);
	while ((key = yyjson_obj_iter_next(&iter)))
		/* an event that had it all the same must fit now; whether one
		   does only the stored events can tell */
		if (!get_member(old, ev_json_text(key)))
			note(c, COMPATIBLE, "'%.*s' is new",
			     EV_FMT(join_path(c, path, ".",
			                      ev_json_text(key))));
	compare_schemas(c, get(from, "additionalProperties"), others,
	                join_path(c, path, ".", EV_STR("*")));
}

/* Missing schemas take everything. */
static void
compare_schemas(struct comparison *c, yyjson_val *from, yyjson_val *to,
                struct ev_str path)
{
	if (!to || same(from, to) || yyjson_is_true(to) ||
	    yyjson_is_false(from))
		return;
	if (yyjson_is_false(to)) {
		note(c, BREAKING, "'%.*s' is not allowed any more",
		     EV_FMT(path));
		return;
	}
	if (compare_values(c, from, to, path))
		return;
	compare_types(c, type_set(from), type_set(to), path);
	compare_bounds(c, from, to, path);
	compare_lists(c, from, to, path);
	compare_whole(c, from, to, path);
	if (get(from, "prefixItems") || get(to, "prefixItems") ||
	    get(from, "items") || get(to, "items"))
		compare_items(c, from, to, path);
	compare_required(c, from, to, path);
	compare_properties(c, from, to, path);
}

/* ---- catalogs */

/* A type's own word, or the catalog's for all its types. */
static yyjson_val *
get_inherited(yyjson_val *catalog, yyjson_val *type, const char *name)
{
	yyjson_val *value = get(type, name);

	return value ? value : get(catalog, name);
}

static void
write_merged(struct ev_buf *out, yyjson_val *own, yyjson_val *base)
{
	const char *separator = "";
	yyjson_val *key;

	for (int pass = 0; pass < 2; pass++) {
		yyjson_obj_iter iter = yyjson_obj_iter_with(pass ? own : base);

		while ((key = yyjson_obj_iter_next(&iter))) {
			if (!pass && get_member(own, ev_json_text(key)))
				continue;
			ev_buf_add_str(out, ev_str(separator));
			ev_json_write(out, key);
			ev_buf_add_char(out, ':');
			ev_json_write(out, yyjson_obj_iter_get_val(key));
			separator = ",";
		}
	}
}

/* The payload's schema as one, with what all types share. */
static yyjson_doc *
merge_payload(yyjson_val *own, yyjson_val *base)
{
	yyjson_val *names[] = { get(base, "required"), get(own, "required") };
	yyjson_obj_iter iter = yyjson_obj_iter_with(own);
	const char *separator = "";
	struct ev_buf text = { 0 };
	yyjson_doc *doc = NULL;
	struct ev_err err;
	yyjson_val *key;

	ev_buf_add_str(&text, EV_STR("{\"properties\":{"));
	write_merged(&text, get(own, "properties"), get(base, "properties"));
	ev_buf_add_str(&text, EV_STR("},\"required\":["));
	for (int i = 0; i < 2; i++) {
		yyjson_arr_iter items = yyjson_arr_iter_with(names[i]);

		while ((key = yyjson_arr_iter_next(&items))) {
			ev_buf_add_str(&text, ev_str(separator));
			ev_json_write(&text, key);
			separator = ",";
		}
	}
	ev_buf_add_char(&text, ']');
	while ((key = yyjson_obj_iter_next(&iter))) {
		if (yyjson_equals_str(key, "properties") ||
		    yyjson_equals_str(key, "required"))
			continue;
		ev_buf_add_char(&text, ',');
		ev_json_write(&text, key);
		ev_buf_add_char(&text, ':');
		ev_json_write(&text, yyjson_obj_iter_get_val(key));
	}
	ev_buf_add_char(&text, '}');
	(void)ev_json_parse(&doc, ev_buf_str(&text), NULL, &err);
	ev_buf_release(&text);
	return doc;
}

static void
compare_payloads(struct comparison *c, yyjson_val *from, yyjson_val *to)
{
	yyjson_doc *old = merge_payload(get(from, "payload"),
	                                get(c->from, "payload"));
	yyjson_doc *new = merge_payload(get(to, "payload"),
	                                get(c->to, "payload"));

	if (old && new)
		compare_schemas(c, yyjson_doc_get_root(old),
		                yyjson_doc_get_root(new), (struct ev_str){ 0 });
	yyjson_doc_free(old);
	yyjson_doc_free(new);
}

static void
compare_aliases(struct comparison *c, yyjson_val *from, yyjson_val *to)
{
	yyjson_val *old = get(from, "aliases"), *new = get(to, "aliases"), *key;
	yyjson_obj_iter iter = yyjson_obj_iter_with(old);

	while ((key = yyjson_obj_iter_next(&iter)))
		if (!same(yyjson_obj_iter_get_val(key),
		          get_member(new, ev_json_text(key))))
			note(c, BREAKING, "alias '%.*s' is gone or leads "
			                  "elsewhere",
			     EV_FMT(ev_json_text(key)));
	iter = yyjson_obj_iter_with(new);
	while ((key = yyjson_obj_iter_next(&iter)))
		if (!get_member(old, ev_json_text(key)))
			note(c, COMPATIBLE, "alias '%.*s' is new",
			     EV_FMT(ev_json_text(key)));
}

static void
compare_upcasts(struct comparison *c, yyjson_val *from, yyjson_val *to)
{
	yyjson_val *old = get(from, "upcast"), *new = get(to, "upcast"), *key;
	yyjson_obj_iter iter = yyjson_obj_iter_with(old);

	while ((key = yyjson_obj_iter_next(&iter)))
		if (!same(yyjson_obj_iter_get_val(key),
		          get_member(new, ev_json_text(key))))
			note(c, BREAKING, "the upcast from version %.*s is "
			                  "different",
			     EV_FMT(ev_json_text(key)));
}

static void
compare_words(struct comparison *c, yyjson_val *from, yyjson_val *to)
{
	static const struct {
		const char *name, *text;
		enum effect effect;
	} words[] = {
		{ "stream", "events go to another stream", BREAKING },
		{ "topic", "events have another topic", BREAKING },
		{ "category", "the category is another", BREAKING },
		{ "action", "the topic's {$action} is another", BREAKING },
		{ "priority", "the default priority is another", COMPATIBLE },
		{ "summary", "the summary is another", COMPATIBLE },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *name = words[i].name;
		bool own = !strcmp(name, "action") || !strcmp(name, "summary");
		yyjson_val *old = own ? get(from, name)
		                      : get_inherited(c->from, from, name);
		yyjson_val *new = own ? get(to, name)
		                      : get_inherited(c->to, to, name);

		if (!same(old, new))
			note(c, words[i].effect, "%s", words[i].text);
	}
}

static void
compare_type(struct comparison *c, const struct ev_type *from,
             const struct ev_type *to)
{
	yyjson_val *old = get_member(get(c->from, "types"), from->name);
	yyjson_val *new = get_member(get(c->to, "types"), to->name);

	c->type = from->name;
	compare_words(c, old, new);
	compare_aliases(c, old, new);
	compare_upcasts(c, old, new);
	if (to->version > from->version)
		note(c, COMPATIBLE, "version %d follows %d, older payloads "
		                    "are upcast",
		     to->version, from->version);
	else if (to->version < from->version)
		note(c, BREAKING, "version %d came before %d", to->version,
		     from->version);
	else
		compare_payloads(c, old, new);
	c->type = (struct ev_str){ 0 };
}

static void
compare_natives(struct comparison *c)
{
	static const char *const names[] = { "when",     "unless", "envelope",
		                             "payload",  "lift",   "id",
		                             "typePrefix" };
	yyjson_val *old = get(c->from, "native"), *new = get(c->to, "native");

	if (!old && new)
		note(c, COMPATIBLE, "'native' is new");
	else if (old && !new)
		note(c, BREAKING, "'native' is gone");
	for (size_t i = 0; old && new && i < sizeof names / sizeof *names; i++)
		if (!same(get(old, names[i]), get(new, names[i])))
			note(c, BREAKING, "'%s' of 'native' is different",
			     names[i]);
}

static void
compare_catalogs(struct comparison *c, struct ev_catalog *from,
                 struct ev_catalog *to)
{
	struct ev_str old = ev_catalog_name(from), new = ev_catalog_name(to);

	if (!ev_str_equal(old, new))
		note(c, BREAKING, "the catalog is '%.*s', was '%.*s'",
		     EV_FMT(new), EV_FMT(old));
	compare_natives(c);
	for (size_t i = 0; i < ev_catalog_type_count(from); i++) {
		const struct ev_type *type = ev_catalog_type(from, i);
		const struct ev_type *other = ev_catalog_find(to, type->name);

		if (other)
			compare_type(c, type, other);
		else
			note(c, BREAKING, "type '%.*s' is gone",
			     EV_FMT(type->name));
	}
	for (size_t i = 0; i < ev_catalog_type_count(to); i++) {
		const struct ev_type *type = ev_catalog_type(to, i);

		if (!ev_catalog_find(from, type->name))
			note(c, COMPATIBLE, "type '%.*s' is new",
			     EV_FMT(type->name));
	}
}

size_t
ev_catalog_compare(struct ev_catalog *from, struct ev_catalog *to,
                   struct ev_buf *report)
{
	struct comparison c = { .report = report };
	yyjson_doc *old = NULL, *new = NULL;
	struct ev_err err;

	/* catalogs that loaded once load again */
	if (ev_json_parse(&old, ev_catalog_json(from), NULL, &err) == EV_OK &&
	    ev_json_parse(&new, ev_catalog_json(to), NULL, &err) == EV_OK) {
		c.from = yyjson_doc_get_root(old);
		c.to = yyjson_doc_get_root(new);
		compare_catalogs(&c, from, to);
	}
	yyjson_doc_free(old);
	yyjson_doc_free(new);
	ev_arena_release(&c.arena);
	return c.breaking;
}
