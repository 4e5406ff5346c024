#include "domain/decimal.h"
#include "domain/projection_parts.h"

enum { PLACES_MAX = 30, RATIO_PLACES = 4, MINUTES_PLACES = 6 };

/* ---- shapes */

const char *
projection_kind(yyjson_val *value)
{
	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_OBJ:
		return yyjson_obj_size(value) ? "a map" : "an empty map";
	case YYJSON_TYPE_ARR:
		return yyjson_arr_size(value) ? "a list" : "an empty list";
	case YYJSON_TYPE_STR:
		return yyjson_get_len(value) ? "a text" : "an empty text";
	case YYJSON_TYPE_BOOL:
		return yyjson_is_true(value) ? "true" : "false";
	case YYJSON_TYPE_NULL:
		return "null";
	default:
		return "a number";
	}
}

bool
projection_fits(struct projection_compiler *c, yyjson_val *value,
                const char *name, bool fits, const char *wanted)
{
	if (!fits)
		projection_complain(c, value, "'%s' is %s, not %s", name,
		                    wanted, projection_kind(value));
	return fits;
}

void
projection_refuse_unknown(struct projection_compiler *c, yyjson_val *map,
                          const char *what, const char *const *known)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(map);
	yyjson_val *key;

	while ((key = yyjson_obj_iter_next(&iter))) {
		struct ev_str name = ev_json_text(key);
		const char *const *same = known;

		while (*same && !ev_str_equal(name, ev_str(*same)))
			same++;
		if (!*same)
			projection_complain(c, key, "%s has no member '%.*s'%s",
			                    what, EV_FMT(name),
			                    projection_hint(c, name, known));
	}
}

/* [a-z][a-z0-9-]*, which is also a file's name. */
static bool
is_projection_name(struct ev_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ev_is_lower(s.ptr[i]) &&
		    (!i || (!ev_is_digit(s.ptr[i]) && s.ptr[i] != '-')))
			return false;
	return s.len > 0 && s.len <= EV_NAME_MAX;
}

/* [a-z][a-z0-9_-]*, as ev-catalog(5) has it. */
static bool
is_catalog_name(struct ev_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ev_is_lower(s.ptr[i]) &&
		    (!i || (!ev_is_digit(s.ptr[i]) && s.ptr[i] != '-' &&
		            s.ptr[i] != '_')))
			return false;
	return s.len > 0;
}

static bool
is_type_name(struct ev_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ev_is_lower(s.ptr[i]) && !ev_is_upper(s.ptr[i]) &&
		    (!i || (!ev_is_digit(s.ptr[i]) && s.ptr[i] != '-' &&
		            s.ptr[i] != '_')))
			return false;
	return s.len > 0;
}

/* ---- what it is called, and what it is of */

static struct ev_str
compile_name(struct projection_compiler *c, yyjson_val *value,
             const char *member)
{
	if (!yyjson_is_str(value) || !is_projection_name(ev_json_text(value))) {
		projection_complain(c, value, "'%s' is the name of a "
		                              "projection: a letter of a-z, "
		                              "then a-z, 0-9 and '-'", member);
		return (struct ev_str){ 0 };
	}
	return ev_json_text(value);
}

static void
compile_summary(struct projection_compiler *c, struct ev_projection *out,
                yyjson_val *value)
{
	struct ev_str text = ev_json_text(value);

	if (!projection_fits(c, value, "summary", yyjson_is_str(value),
	                     "a text"))
		return;
	if (text.len && memchr(text.ptr, '\n', text.len))
		projection_complain(c, value, "'summary' is one line");
	out->summary = projection_slice(c, text);
}

static void
compile_catalog(struct projection_compiler *c, struct ev_projection *out,
                struct ev_str *list, yyjson_val *value)
{
	struct ev_str name = ev_json_text(value);

	if (!yyjson_is_str(value) || !is_catalog_name(name)) {
		projection_complain(c, value, "'catalog' is the name of a "
		                              "catalog, or a list of names");
		return;
	}
	for (size_t i = 0; i < out->catalog_count; i++)
		if (ev_str_equal(list[i], name))
			projection_complain(c, value, "catalog '%.*s' is here "
			                              "twice", EV_FMT(name));
	list[out->catalog_count++] = name;
}

static void
compile_catalogs(struct projection_compiler *c, struct ev_projection *out,
                 yyjson_val *value)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	struct ev_str *list;
	yyjson_val *item;

	list = ev_arena_alloc(c->arena, (yyjson_arr_size(value) + 1) *
	                                        sizeof *list);
	out->catalogs = list;
	if (!yyjson_is_arr(value) || !yyjson_arr_size(value))
		compile_catalog(c, out, list, value);
	while ((item = yyjson_arr_iter_next(&iter)))
		compile_catalog(c, out, list, item);
}

static void
compile_mode(struct projection_compiler *c, struct ev_projection *out,
             yyjson_val *value)
{
	static const char *const known[] = { "inline", "async", "demand",
		                             NULL };
	struct ev_str text = ev_json_text(value);

	for (int i = EV_MODE_INLINE; i <= EV_MODE_DEMAND; i++)
		if (ev_str_equal(text, ev_str(known[i]))) {
			out->mode = (enum ev_mode)i;
			if (c->from && out->mode == EV_MODE_INLINE)
				projection_complain(
					c, value, "with 'from' the mode is "
					          "async or demand: an append "
					          "cannot wait for another "
					          "projection");
			return;
		}
	projection_complain(c, value, "'mode' is inline, async or demand%s",
	                    projection_hint(c, text, known));
}

static void
compile_head(struct projection_compiler *c, struct ev_projection *out)
{
	yyjson_val *root = c->root, *value;
	yyjson_val *from = yyjson_obj_get(root, "from");

	c->from = from != NULL;
	out->mode = EV_MODE_ASYNC;
	if ((value = yyjson_obj_get(root, "projection")))
		out->name = compile_name(c, value, "projection");
	else
		projection_complain(c, root, "'projection', its name, is "
		                             "missing");
	if ((value = yyjson_obj_get(root, "summary")))
		compile_summary(c, out, value);
	if ((value = yyjson_obj_get(root, "catalog")))
		compile_catalogs(c, out, value);
	if (from) {
		out->from = compile_name(c, from, "from");
		if (out->from.len && ev_str_equal(out->from, out->name))
			projection_complain(c, from, "'%.*s' cannot be made "
			                             "from itself",
			                    EV_FMT(out->from));
	}
	if (from && value)
		projection_complain(c, from, "there is a 'catalog' too: a "
		                             "projection folds events of "
		                             "catalogs, or documents 'from' "
		                             "another one");
	else if (!from && !value)
		projection_complain(c, root, "'catalog' is missing, or 'from' "
		                             "another projection");
	if ((value = yyjson_obj_get(root, "mode")))
		compile_mode(c, out, value);
}

/* ---- members and what they begin with */

static void
collect_slots(struct projection_compiler *c, struct projection_slots *slots,
              yyjson_val *source)
{
	yyjson_obj_iter iter =
		yyjson_obj_iter_with(yyjson_obj_get(source, "start"));
	yyjson_val *key;

	while ((key = yyjson_obj_iter_next(&iter)))
		projection_add_slot(c, slots, ev_json_text(key));
	projection_collect(c, slots, yyjson_obj_get(source, "always"));
	iter = yyjson_obj_iter_with(yyjson_obj_get(source, "on"));
	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *rule = yyjson_obj_iter_get_val(key);
		yyjson_arr_iter rules = yyjson_arr_iter_with(rule);

		projection_collect(c, slots, rule);
		while ((rule = yyjson_arr_iter_next(&rules)))
			projection_collect(c, slots, rule);
	}
}

static void
compile_start(struct projection_compiler *c, struct projection_slots *slots,
              yyjson_val *start)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(start);
	yyjson_val *key;

	if (!projection_fits(c, start, "start", yyjson_is_obj(start), "a map"))
		return;
	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *value = yyjson_obj_iter_get_val(key);
		struct ev_str name = ev_json_text(key);
		struct ev_source source;
		size_t slot, before;

		if (!projection_is_name(name)) {
			projection_complain(c, key,
			                    "'%.*s': a member's name is "
			                    "letters, digits, '_' and '-'",
			                    EV_FMT(name));
			continue;
		}
		if (!c->in_notes && ev_str_equal(name, EV_STR("key")))
			projection_complain(c, key, "a document has its 'key' "
			                            "already: use another "
			                            "name");
		before = c->count;
		projection_refuse_paths(c, value, "'start'");
		if (c->count != before)
			continue;
		projection_source(c, &source, value);
		if (projection_find_slot(slots, name, &slot))
			slots->list[slot].start = source.literal;
	}
}

/* ---- types */

/* Without its catalog, if that is one of ours or there is none. */
static bool
parse_type(struct projection_compiler *c, const struct ev_projection *p,
           yyjson_val *where, struct ev_str *type)
{
	struct ev_str text = ev_json_text(where), catalog = { text.ptr, 0 };
	const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
	size_t i = 0;

	*type = text;
	if (slash) {
		catalog.len = (size_t)(slash - text.ptr);
		type->ptr = slash + 1;
		type->len = text.len - catalog.len - 1;
	}
	if (!is_type_name(*type) || (slash && !is_catalog_name(catalog))) {
		projection_complain(c, where, "'%.*s' is no event type: write "
		                              "TYPE or CATALOG/TYPE%s",
		                    EV_FMT(text),
		                    ev_str_equal(*type, EV_STR("*"))
		                            ? ", or \"*\" in 'on' for all the "
		                              "others"
		                            : "");
		return false;
	}
	while (slash && i < p->catalog_count &&
	       !ev_str_equal(p->catalogs[i], catalog))
		i++;
	if (slash && i == p->catalog_count) {
		projection_complain(c, where, "'%.*s': '%.*s' is none of the "
		                              "projection's catalogs",
		                    EV_FMT(text), EV_FMT(catalog));
		return false;
	}
	return true;
}

/* "rig/X" and "session/X" are two; X is the same as either, since it may be
   written only where one catalog has it. */
static bool
is_same_type(struct ev_str a, struct ev_str b)
{
	const char *x = a.len ? memchr(a.ptr, '/', a.len) : NULL;
	const char *y = b.len ? memchr(b.ptr, '/', b.len) : NULL;

	if (x && !y) {
		a.len -= (size_t)(x + 1 - a.ptr);
		a.ptr = x + 1;
	} else if (y && !x) {
		b.len -= (size_t)(y + 1 - b.ptr);
		b.ptr = y + 1;
	}
	return ev_str_equal(a, b);
}

static void
refuse_handled(struct projection_compiler *c, const struct ev_projection *p,
               yyjson_val *where, struct ev_str type, const char *what)
{
	for (size_t i = 0; i < p->handler_count; i++) {
		yyjson_val *other = p->handlers[i].where;

		if (!is_same_type(type, p->handlers[i].type))
			continue;
		projection_complain(c, where, "'%.*s' is %s in line %zu "
		                              "already", EV_FMT(type), what,
		                    c->places[other - c->root].line);
	}
}

static void
compile_ignore(struct projection_compiler *c, struct ev_projection *out,
               yyjson_val *list)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(list);
	struct ev_str *ignored, unused;
	yyjson_val *item;

	if (!projection_fits(c, list, "ignore", yyjson_is_arr(list),
	                     "a list of types"))
		return;
	if (c->from)
		projection_complain(c, list, "with 'from' there are no types "
		                             "to ignore");
	ignored = ev_arena_alloc(c->arena, yyjson_arr_size(list) *
	                                           sizeof *ignored);
	out->ignored = ignored;
	while ((item = yyjson_arr_iter_next(&iter))) {
		struct ev_str type = ev_json_text(item);

		if (!projection_fits(c, item, "ignore", yyjson_is_str(item),
		                     "a list of types") ||
		    !parse_type(c, out, item, &unused))
			continue;
		for (size_t i = 0; c->places && i < out->ignored_count; i++)
			if (is_same_type(type, ignored[i]))
				projection_complain(c, item,
				                    "'%.*s' is ignored twice",
				                    EV_FMT(type));
		if (c->places)
			refuse_handled(c, out, item, type, "handled");
		ignored[out->ignored_count++] = type;
	}
}

static bool
check_handled_type(struct projection_compiler *c,
                   const struct ev_projection *p, yyjson_val *key)
{
	struct ev_str unused;

	if (!c->from)
		return yyjson_equals_str(key, "*") ||
		       parse_type(c, p, key, &unused);
	if (yyjson_equals_str(key, "document"))
		return true;
	projection_complain(c, key, "'%.*s': with 'from' the one entry of 'on' "
	                            "is 'document'", EV_FMT(ev_json_text(key)));
	return false;
}

static void
compile_handlers(struct projection_compiler *c, struct ev_projection *out,
                 yyjson_val *on)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(on);
	struct ev_handler *list, *rest;
	yyjson_val *key;

	if (!projection_fits(c, on, "on", yyjson_is_obj(on) &&
	                                          yyjson_obj_size(on),
	                     "a map of types and what they change"))
		return;
	list = ev_arena_alloc(c->arena, yyjson_obj_size(on) * sizeof *list);
	out->handlers = list;
	while ((key = yyjson_obj_iter_next(&iter))) {
		struct ev_handler *handler = &list[out->handler_count];

		if (!check_handled_type(c, out, key))
			continue;
		if (c->places && !c->from)
			refuse_handled(c, out, key, ev_json_text(key),
			               "handled");
		if (yyjson_equals_str(key, "*")) {
			rest = ev_arena_alloc(c->arena, sizeof *rest);
			projection_handler(c, rest, key);
			out->rest = rest;
		} else {
			projection_handler(c, handler, key);
			out->handler_count++;
		}
	}
}

/* What documents and notes both have. `out` has its catalogs. */
static void
compile_body(struct projection_compiler *c, struct ev_projection *out,
             yyjson_val *source, const char *what)
{
	struct projection_slots *slots = c->in_notes ? &c->note : &c->document;
	yyjson_val *value;

	out->where = source;
	c->always = NULL;
	if ((value = yyjson_obj_get(source, "key")))
		projection_keys(c, value, &out->keys, &out->key_count);
	else
		projection_complain(c, source, "'key' of %s is missing", what);
	if ((value = yyjson_obj_get(source, "start")))
		compile_start(c, slots, value);
	if ((value = yyjson_obj_get(source, "always"))) {
		projection_always(c, &out->always, value);
		c->always = &out->always;
	}
	if ((value = yyjson_obj_get(source, "on")))
		compile_handlers(c, out, value);
	else
		projection_complain(c, source, "'on' of %s is missing: what "
		                               "events change", what);
	if ((value = yyjson_obj_get(source, "ignore")))
		compile_ignore(c, out, value);
	out->slots = slots->list;
	out->slot_count = slots->count;
}

/* ---- notes */

static void
compile_notes(struct projection_compiler *c, struct ev_projection *out,
              yyjson_val *source)
{
	static const char *const known[] = { "key", "start", "always", "on",
		                             "ignore", NULL };
	struct ev_projection *notes = ev_arena_alloc(c->arena, sizeof *notes);

	out->notes = notes;
	notes->name = out->name;
	notes->mode = out->mode;
	notes->catalogs = out->catalogs;
	notes->catalog_count = out->catalog_count;
	if (!projection_fits(c, source, "notes", yyjson_is_obj(source),
	                     "a map"))
		return;
	if (c->from) {
		projection_complain(c, source, "with 'from' there are no "
		                               "notes: the documents hold what "
		                               "is known");
		return;
	}
	projection_refuse_unknown(c, source, "'notes'", known);
	c->in_notes = true;
	compile_body(c, notes, source, "'notes'");
	c->in_notes = false;
}

/* ---- derived members */

static const struct ev_path *
compile_members(struct projection_compiler *c, yyjson_val *value,
                size_t *count)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	struct ev_path *paths;
	yyjson_val *item;

	paths = ev_arena_alloc(c->arena, (yyjson_arr_size(value) + 1) *
	                                         sizeof *paths);
	*count = 0;
	if (yyjson_is_arr(value) && !yyjson_arr_size(value))
		projection_complain(c, value, "an empty list of members");
	if (!yyjson_is_arr(value))
		projection_member(c, &paths[(*count)++], value);
	while ((item = yyjson_arr_iter_next(&iter)))
		projection_member(c, &paths[(*count)++], item);
	return paths;
}

static const struct {
	const char *name;
	int places; /* unless said; -1: it has none */
	const char *shape;
} derivations[] = {
	[EV_DERIVE_RATIO] = { "ratio", RATIO_PLACES, "[A, B]" },
	[EV_DERIVE_SUM] = { "sum", -1, "[A, ...]" },
	[EV_DERIVE_SECONDS] = { "seconds", -1, "[FROM, TO]" },
	[EV_DERIVE_MINUTES] = { "minutes", MINUTES_PLACES, "[FROM, TO]" },
};

static void
compile_derivation(struct projection_compiler *c, struct ev_derive *out,
                   yyjson_val *value)
{
	bool sum = out->kind == EV_DERIVE_SUM;
	bool summed = sum || out->kind == EV_DERIVE_RATIO;
	size_t size = yyjson_arr_size(value);

	if (!yyjson_is_arr(value) || (sum ? !size : size != 2)) {
		projection_complain(c, value, "'%s' takes %s",
		                    derivations[out->kind].name,
		                    derivations[out->kind].shape);
		return;
	}
	if (sum) {
		out->left = compile_members(c, value, &out->left_count);
		return;
	}
	for (size_t i = 0; i < 2; i++)
		if (!summed && yyjson_is_arr(yyjson_arr_get(value, i))) {
			projection_complain(c, yyjson_arr_get(value, i),
			                    "'%s' lies between two members, "
			                    "not lists",
			                    derivations[out->kind].name);
			return;
		}
	out->left = compile_members(c, yyjson_arr_get(value, 0),
	                            &out->left_count);
	out->right = compile_members(c, yyjson_arr_get(value, 1),
	                             &out->right_count);
}

static void
compile_places(struct projection_compiler *c, struct ev_derive *out,
               yyjson_val *value)
{
	size_t places;

	if (derivations[out->kind].places < 0) {
		projection_complain(c, value, "'%s' has no 'places'",
		                    derivations[out->kind].name);
		return;
	}
	if (!yyjson_is_raw(value) ||
	    !ev_decimal_size(ev_json_text(value), &places) ||
	    places > PLACES_MAX)
		projection_complain(c, value, "'places' is a whole number from "
		                              "0 to %d", PLACES_MAX);
	else
		out->places = (int)places;
}

static void
compile_derived(struct projection_compiler *c, struct ev_derive *out,
                yyjson_val *key)
{
	static const char *const known[] = { "ratio", "sum", "seconds",
		                             "minutes", "places", NULL };
	yyjson_val *value = yyjson_obj_iter_get_val(key), *found = NULL;
	struct ev_str name = ev_json_text(key);
	size_t slot, count = 0;

	out->name = projection_slice(c, name);
	out->where = key;
	if (!projection_is_name(name))
		projection_complain(c, key, "'%.*s': a member's name is "
		                            "letters, digits, '_' and '-'",
		                    EV_FMT(name));
	else if (ev_str_equal(name, EV_STR("key")))
		projection_complain(c, key, "a document has its 'key' already: "
		                            "use another name");
	else if (projection_find_slot(&c->document, name, &slot))
		projection_complain(c, key, "'%.*s' is a member that events "
		                            "write: what is derived needs a "
		                            "name of its own", EV_FMT(name));
	if (!projection_fits(c, value, "derive", yyjson_is_obj(value),
	                     "a map of maps"))
		return;
	projection_refuse_unknown(c, value, "what is derived", known);
	for (int i = EV_DERIVE_RATIO; i <= EV_DERIVE_MINUTES; i++) {
		yyjson_val *kind =
			yyjson_obj_get(value, derivations[i].name);

		if (!kind)
			continue;
		found = kind;
		out->kind = (enum ev_derive_kind)i;
		count++;
	}
	if (count != 1) {
		projection_complain(c, key, "'%.*s' is derived by one of "
		                            "ratio, sum, seconds and minutes",
		                    EV_FMT(name));
		return;
	}
	if (derivations[out->kind].places > 0)
		out->places = derivations[out->kind].places;
	compile_derivation(c, out, found);
	if ((found = yyjson_obj_get(value, "places")))
		compile_places(c, out, found);
}

static void
compile_derives(struct projection_compiler *c, struct ev_projection *out,
                yyjson_val *value)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(value);
	struct ev_derive *list;
	yyjson_val *key;

	if (!projection_fits(c, value, "derive", yyjson_is_obj(value),
	                     "a map"))
		return;
	list = ev_arena_alloc(c->arena, yyjson_obj_size(value) *
	                                        sizeof *list);
	out->derives = list;
	while ((key = yyjson_obj_iter_next(&iter)))
		compile_derived(c, &list[out->derive_count++], key);
}

/* ---- the whole */

void
projection_compile(struct projection_compiler *c, struct ev_projection *out)
{
	static const char *const known[] = {
		"projection", "summary", "catalog", "from",   "mode",   "key",
		"start",      "notes",   "always",  "on",     "ignore", "derive",
		NULL,
	};
	yyjson_val *notes, *value;

	if (!yyjson_is_obj(c->root)) {
		projection_complain(c, c->root, "a projection is a map, not %s",
		                    projection_kind(c->root));
		return;
	}
	projection_refuse_unknown(c, c->root, "a projection", known);
	compile_head(c, out);
	notes = yyjson_obj_get(c->root, "notes");
	c->has_notes = notes != NULL;
	collect_slots(c, &c->document, c->root);
	collect_slots(c, &c->note, notes);
	if (notes)
		compile_notes(c, out, notes);
	compile_body(c, out, c->root, "a projection");
	if ((value = yyjson_obj_get(c->root, "derive")))
		compile_derives(c, out, value);
}
