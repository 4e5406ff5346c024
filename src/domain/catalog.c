#include "domain/catalog.h"

#include <stdint.h>
#include <stdlib.h>

enum { LOOSE_MAX = 256 };

struct ev_alias {
	struct ev_str from, to;
};

struct envelope_member {
	struct ev_str name;
	enum ev_member member;
};

struct entry {
	struct ev_str name;
	yyjson_val *source;
	struct ev_type *type; /* NULL until somebody asks */
};

/* Places in the list of entries, plus one, by hash; open addressing. */
struct index {
	uint32_t *slots;
	size_t mask;
};

struct ev_catalog {
	struct ev_buf json;
	yyjson_doc *doc;
	struct ev_arena arena;
	struct ev_str name;
	struct ev_str type_prefix; /* as loose() makes it */
	struct ev_native native;
	struct envelope_member *envelope;
	size_t envelope_count;
	struct ev_str native_names[EV_MEMBER_COUNT];
	bool native_kept[EV_MEMBER_COUNT];
	struct entry *entries;
	size_t entry_count;
	struct index exact, loose;
};

static const char *const priorities[] = {
	"info", "action", "urgent", "critical", "none",
};

static const char *const members[] = {
	"position",      "streamId",    "version", "id",   "catalog", "type",
	"schemaVersion", "timestamp",   "recordedAt", "priority",
	"correlationId", "causationId", "actor",   "data", "meta",
};

const char *
ev_priority_format(enum ev_priority priority)
{
	return priorities[priority];
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

enum ev_priority
ev_priority_parse(struct ev_str text)
{
	for (int i = 0; i < EV_PRIORITY_NONE; i++) {
		size_t k = 0;

		while (k < text.len && lower(text.ptr[k]) == priorities[i][k] &&
		       priorities[i][k])
			k++;
		if (k == text.len && !priorities[i][k])
			return (enum ev_priority)i;
	}
	return EV_PRIORITY_NONE;
}

const char *
ev_member_name(enum ev_member member)
{
	return members[member];
}

enum ev_member
ev_member_parse(struct ev_str name)
{
	for (int i = 0; i < EV_MEMBER_COUNT; i++)
		if (ev_str_equal(name, ev_str(members[i])))
			return (enum ev_member)i;
	return EV_MEMBER_NONE;
}

/* ---- loading */

/* The texts of a list, or of a single text. */
static const struct ev_str *
load_texts(struct ev_arena *arena, yyjson_val *value, size_t *count)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(value);
	struct ev_str *list;

	*count = 0;
	list = ev_arena_alloc(arena, (yyjson_arr_size(value) + 1) *
	                                     sizeof *list);
	if (yyjson_is_str(value))
		list[(*count)++] = ev_json_text(value);
	while ((value = yyjson_arr_iter_next(&iter)))
		list[(*count)++] = ev_json_text(value);
	return list;
}

static struct ev_str
get_text(yyjson_val *object, const char *name)
{
	yyjson_val *value = yyjson_obj_get(object, name);

	return yyjson_is_str(value) ? ev_json_text(value)
	                            : (struct ev_str){ 0 };
}

static void
load_envelope(struct ev_catalog *c, yyjson_val *source)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(source);
	yyjson_val *key;

	c->envelope = ev_arena_alloc(&c->arena, yyjson_obj_size(source) *
	                                                sizeof *c->envelope);
	while ((key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *value = yyjson_obj_iter_get_val(key);
		struct ev_str name = ev_json_text(key);
		bool keep = yyjson_is_true(yyjson_obj_get(value, "keep"));
		enum ev_member member;

		if (yyjson_is_obj(value))
			value = yyjson_obj_get(value, "to");
		member = ev_member_parse(ev_json_text(value));
		if (member == EV_MEMBER_NONE)
			continue;
		c->envelope[c->envelope_count++] =
			(struct envelope_member){ name, member };
		c->native_names[member] = name;
		c->native_kept[member] = keep;
	}
}

static size_t
make_loose(struct ev_str name, char out[LOOSE_MAX])
{
	size_t len = 0;

	if (name.len > LOOSE_MAX)
		return 0;
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] != '_' && name.ptr[i] != '-')
			out[len++] = lower(name.ptr[i]);
	return len;
}

static void
load_native(struct ev_catalog *c, yyjson_val *source)
{
	struct ev_native *n = &c->native;
	struct ev_str id = get_text(source, "id");
	struct ev_err unused;
	char prefix[LOOSE_MAX];

	n->when = load_texts(&c->arena, yyjson_obj_get(source, "when"),
	                     &n->when_count);
	n->unless = load_texts(&c->arena, yyjson_obj_get(source, "unless"),
	                       &n->unless_count);
	n->payload = get_text(source, "payload");
	n->lift = load_texts(&c->arena, yyjson_obj_get(source, "lift"),
	                     &n->lift_count);
	if (id.len)
		(void)ev_template_compile(&n->id, &c->arena, id, &unused);
	load_envelope(c, yyjson_obj_get(source, "envelope"));
	c->type_prefix.ptr = prefix;
	c->type_prefix.len = make_loose(get_text(source, "typePrefix"), prefix);
	c->type_prefix = ev_arena_dup(&c->arena, c->type_prefix);
}

static void
index_add(struct index *index, struct ev_str key, size_t place)
{
	size_t at = ev_str_hash(key) & index->mask;

	while (index->slots[at])
		at = (at + 1) & index->mask;
	index->slots[at] = (uint32_t)place + 1;
}

static void
load_types(struct ev_catalog *c, yyjson_val *types)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(types);
	size_t size = 16;
	yyjson_val *key;

	c->entries = ev_arena_alloc(&c->arena, yyjson_obj_size(types) *
	                                               sizeof *c->entries);
	while (size < yyjson_obj_size(types) * 2)
		size *= 2;
	c->exact.slots = ev_arena_alloc(&c->arena,
	                                size * sizeof *c->exact.slots);
	c->exact.mask = size - 1;
	while ((key = yyjson_obj_iter_next(&iter))) {
		struct entry *entry = &c->entries[c->entry_count];

		entry->name = ev_json_text(key);
		entry->source = yyjson_obj_iter_get_val(key);
		index_add(&c->exact, entry->name, c->entry_count++);
	}
}

enum ev_status
ev_catalog_load(struct ev_catalog **out, struct ev_str json,
                struct ev_err *err)
{
	struct ev_catalog *c = ev_mem_alloc(sizeof *c);
	yyjson_val *root;
	enum ev_status status;

	ev_buf_add_str(&c->json, json);
	status = ev_json_parse(&c->doc, ev_buf_str(&c->json), NULL, err);
	if (status) {
		ev_catalog_free(c);
		return status;
	}
	root = yyjson_doc_get_root(c->doc);
	c->name = get_text(root, "catalog");
	if (!c->name.len || !yyjson_is_obj(yyjson_obj_get(root, "types"))) {
		ev_catalog_free(c);
		return ev_err_set(err, EV_BAD_INPUT,
		                  "a catalog without 'catalog' or 'types'");
	}
	load_native(c, yyjson_obj_get(root, "native"));
	load_types(c, yyjson_obj_get(root, "types"));
	*out = c;
	return EV_OK;
}

void
ev_catalog_free(struct ev_catalog *catalog)
{
	if (!catalog)
		return;
	yyjson_doc_free(catalog->doc);
	ev_buf_release(&catalog->json);
	ev_arena_release(&catalog->arena);
	free(catalog);
}

struct ev_str
ev_catalog_json(const struct ev_catalog *catalog)
{
	return ev_buf_str(&catalog->json);
}

struct ev_str
ev_catalog_name(const struct ev_catalog *catalog)
{
	return catalog->name;
}

const struct ev_native *
ev_catalog_native(const struct ev_catalog *catalog)
{
	return catalog->native.when_count ? &catalog->native : NULL;
}

enum ev_member
ev_catalog_native_member(const struct ev_catalog *catalog,
                         struct ev_str member)
{
	for (size_t i = 0; i < catalog->envelope_count; i++)
		if (ev_str_equal(catalog->envelope[i].name, member))
			return catalog->envelope[i].member;
	return EV_MEMBER_NONE;
}

struct ev_str
ev_catalog_native_name(const struct ev_catalog *catalog, enum ev_member member)
{
	return catalog->native_names[member];
}

bool
ev_catalog_native_kept(const struct ev_catalog *catalog, enum ev_member member)
{
	return catalog->native_kept[member];
}

/* ---- compiling one type */

static bool
is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* CI_FAILED and CiFailed are both ci_failed. */
static struct ev_str
snake_case(struct ev_arena *arena, struct ev_str name)
{
	char *text = ev_arena_alloc(arena, name.len * 2 + 1);
	bool camel = false;
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++)
		camel |= name.ptr[i] >= 'a' && name.ptr[i] <= 'z';
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		char before = i ? name.ptr[i - 1] : '_';
		char after = i + 1 < name.len ? name.ptr[i + 1] : '_';

		if (camel && ev_is_upper(c) &&
		    (is_lower_or_digit(before) ||
		     (ev_is_upper(before) && is_lower_or_digit(after))))
			text[len++] = '_';
		text[len++] = lower(c);
	}
	return (struct ev_str){ text, len };
}

/* Puts the type's own words into a topic. */
static struct ev_str
expand(struct ev_arena *arena, struct ev_str text, struct ev_str category,
       struct ev_str action)
{
	const struct {
		struct ev_str name, value;
	} words[] = {
		{ EV_STR("{$category}"), category },
		{ EV_STR("{$action}"), action },
	};
	struct ev_buf out = { 0 };
	struct ev_str copy;

	while (text.len) {
		size_t skip = 1;

		for (size_t i = 0; i < 2 && skip == 1; i++)
			if (ev_str_starts(text, words[i].name)) {
				ev_buf_add_str(&out, words[i].value);
				skip = words[i].name.len;
			}
		if (skip == 1)
			ev_buf_add_char(&out, *text.ptr);
		text.ptr += skip;
		text.len -= skip;
	}
	copy = ev_arena_dup(arena, ev_buf_str(&out));
	ev_buf_release(&out);
	return copy;
}

static const struct ev_template *const *
compile_templates(struct ev_type *type, struct ev_arena *arena,
                  yyjson_val *source, struct ev_str action, size_t *count)
{
	const struct ev_template **list;
	const struct ev_str *texts;
	struct ev_err unused;
	size_t text_count;

	texts = load_texts(arena, source, &text_count);
	list = ev_arena_alloc(arena, (text_count + 1) * sizeof *list);
	*count = 0;
	for (size_t i = 0; i < text_count; i++) {
		struct ev_str text = expand(arena, texts[i], type->category,
		                            action);

		if (!ev_template_compile(&list[*count], arena, text, &unused))
			++*count;
	}
	return list;
}

static void
compile_aliases(struct ev_type *type, struct ev_arena *arena,
                yyjson_val *source)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(source);
	struct ev_alias *list;
	yyjson_val *key;

	list = ev_arena_alloc(arena, yyjson_obj_size(source) * sizeof *list);
	type->aliases = list;
	while ((key = yyjson_obj_iter_next(&iter))) {
		struct ev_str to = ev_json_text(yyjson_obj_iter_get_val(key));

		list[type->alias_count++] =
			(struct ev_alias){ ev_json_text(key), to };
	}
}

static int
compile_version(yyjson_val *value)
{
	struct ev_str text = ev_json_text(value);
	int version = 0;

	for (size_t i = 0; i < text.len && version < 100000; i++)
		if (text.ptr[i] >= '0' && text.ptr[i] <= '9')
			version = version * 10 + (text.ptr[i] - '0');
	return version > 0 ? version : 1;
}

bool
ev_catalog_has_upcasts(const struct ev_catalog *catalog)
{
	for (size_t i = 0; i < catalog->entry_count; i++)
		if (compile_version(yyjson_obj_get(catalog->entries[i].source,
		                                   "version")) > 1)
			return true;
	return false;
}

static struct ev_type *
compile_type(struct ev_catalog *c, const struct entry *entry)
{
	struct ev_type *type = ev_arena_alloc(&c->arena, sizeof *type);
	yyjson_val *root = yyjson_doc_get_root(c->doc), *source = entry->source;
	struct ev_str action = get_text(source, "action");
	yyjson_val *value;

/* what a type does not say, the catalog says for all its types */
#define INHERIT(name) ((value = yyjson_obj_get(source, (name))) \
	? value : yyjson_obj_get(root, (name)))

	type->catalog = c;
	type->name = entry->name;
	type->summary = get_text(source, "summary");
	type->category = ev_json_text(INHERIT("category"));
	type->version = compile_version(yyjson_obj_get(source, "version"));
	type->priority = ev_priority_parse(ev_json_text(INHERIT("priority")));
	if (type->priority == EV_PRIORITY_NONE)
		type->priority = EV_PRIORITY_INFO;
	type->payload = ev_schema_compile_onto(
		&c->arena, yyjson_obj_get(root, "payload"),
		yyjson_obj_get(source, "payload"));
	if (!action.len)
		action = snake_case(&c->arena, type->name);
	type->streams = compile_templates(type, &c->arena, INHERIT("stream"),
	                                  action, &type->stream_count);
	type->topics = compile_templates(type, &c->arena, INHERIT("topic"),
	                                 action, &type->topic_count);
	compile_aliases(type, &c->arena, yyjson_obj_get(source, "aliases"));
	type->upcast = yyjson_obj_get(source, "upcast");
#undef INHERIT
	return type;
}

size_t
ev_catalog_type_count(const struct ev_catalog *catalog)
{
	return catalog->entry_count;
}

const struct ev_type *
ev_catalog_type(struct ev_catalog *catalog, size_t i)
{
	struct entry *entry = &catalog->entries[i];

	if (!entry->type)
		entry->type = compile_type(catalog, entry);
	return entry->type;
}

const struct ev_type *
ev_catalog_find(struct ev_catalog *catalog, struct ev_str name)
{
	const struct index *index = &catalog->exact;
	size_t at = ev_str_hash(name) & index->mask;

	for (; index->slots[at]; at = (at + 1) & index->mask) {
		size_t place = index->slots[at] - 1;

		if (ev_str_equal(catalog->entries[place].name, name))
			return ev_catalog_type(catalog, place);
	}
	return NULL;
}

static void
index_loose(struct ev_catalog *c)
{
	size_t size = c->exact.mask + 1;
	char name[LOOSE_MAX];

	c->loose.slots = ev_arena_alloc(&c->arena,
	                                size * sizeof *c->loose.slots);
	c->loose.mask = c->exact.mask;
	for (size_t i = 0; i < c->entry_count; i++)
		index_add(&c->loose,
		          (struct ev_str){
				  name, make_loose(c->entries[i].name, name) },
		          i);
}

static const struct ev_type *
find_loose(struct ev_catalog *c, struct ev_str name)
{
	size_t at = ev_str_hash(name) & c->loose.mask;
	char other[LOOSE_MAX];

	for (; c->loose.slots[at]; at = (at + 1) & c->loose.mask) {
		size_t place = c->loose.slots[at] - 1;
		size_t len = make_loose(c->entries[place].name, other);

		if (ev_str_equal((struct ev_str){ other, len }, name))
			return ev_catalog_type(c, place);
	}
	return NULL;
}

const struct ev_type *
ev_catalog_find_loose(struct ev_catalog *catalog, struct ev_str name)
{
	char text[LOOSE_MAX];
	struct ev_str loose = { text, make_loose(name, text) };
	struct ev_str prefix = catalog->type_prefix;
	const struct ev_type *found;

	if (!loose.len)
		return NULL;
	if (!catalog->loose.slots)
		index_loose(catalog);
	found = find_loose(catalog, loose);
	if (!found && prefix.len && ev_str_starts(loose, prefix)) {
		loose.ptr += prefix.len;
		loose.len -= prefix.len;
		found = find_loose(catalog, loose);
	}
	return found;
}

struct ev_str
ev_type_alias(const struct ev_type *type, struct ev_str member)
{
	for (size_t i = 0; i < type->alias_count; i++)
		if (ev_str_equal(type->aliases[i].from, member))
			return type->aliases[i].to;
	return member;
}
