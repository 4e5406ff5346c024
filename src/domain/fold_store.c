#include <stdlib.h>

#include "base/time.h"
#include "domain/fold_parts.h"

/* ---- what is handled */

/* Is this how a projection names the type: CI_FAILED, or rig/CI_FAILED? */
static bool
names(struct ev_str name, const struct ev_line *line)
{
	size_t prefix = line->catalog.len + 1;

	if (ev_str_equal(name, line->type))
		return true;
	return name.len == prefix + line->type.len &&
	       ev_str_starts(name, line->catalog) &&
	       name.ptr[prefix - 1] == '/' &&
	       memcmp(name.ptr + prefix, line->type.ptr, line->type.len) == 0;
}

static bool
is_listed(const struct ev_str *list, size_t count, struct ev_str text)
{
	for (size_t i = 0; i < count; i++)
		if (ev_str_equal(list[i], text))
			return true;
	return false;
}

static const struct ev_handler *
find_handler(const struct ev_projection *p, const struct ev_line *line)
{
	for (size_t i = 0; i < p->handler_count; i++)
		if (names(p->handlers[i].type, line))
			return &p->handlers[i];
	for (size_t i = 0; i < p->ignored_count; i++)
		if (names(p->ignored[i], line))
			return NULL;
	return p->rest;
}

/* The cell of a type, or the free one where it belongs. */
static struct handled *
find_handled(const struct ev_fold *fold, struct ev_str catalog,
             struct ev_str type)
{
	size_t mask = fold->handled_size - 1;
	size_t at = (size_t)ev_str_hash(type) & mask;

	while (fold->handled[at].type.ptr &&
	       (!ev_str_equal(fold->handled[at].type, type) ||
	        !ev_str_equal(fold->handled[at].catalog, catalog)))
		at = (at + 1) & mask;
	return &fold->handled[at];
}

static void
grow_handled(struct ev_fold *fold)
{
	struct handled *old = fold->handled;
	size_t size = fold->handled_size;

	fold->handled_size = size ? size * 2 : 64;
	fold->handled = ev_mem_alloc(fold->handled_size *
	                             sizeof *fold->handled);
	for (size_t i = 0; i < size; i++)
		if (old[i].type.ptr)
			*find_handled(fold, old[i].catalog, old[i].type) =
				old[i];
	free(old);
}

const struct handled *
ev_fold_handled(struct ev_fold *fold, const struct ev_line *line)
{
	const struct ev_projection *p = fold->projection;
	struct handled *h;

	if (fold->handled_size <= fold->handled_count * 2)
		grow_handled(fold);
	h = find_handled(fold, line->catalog, line->type);
	if (h->type.ptr)
		return h;
	/* its first event */
	fold->handled_count++;
	h->catalog = ev_arena_dup(&fold->types, line->catalog);
	h->type = ev_arena_dup(&fold->types, line->type);
	if (is_listed(p->catalogs, p->catalog_count, line->catalog)) {
		h->handler = find_handler(p, line);
		if (p->notes)
			h->noted = find_handler(p->notes, line);
	}
	return h;
}

/* ---- documents */

const struct ev_projection *
ev_fold_projection(const struct ev_fold *fold, struct ev_str key)
{
	return key.len && *key.ptr == EV_FOLD_NOTE ? fold->projection->notes
	                                           : fold->projection;
}

static struct cell *
find_cell(struct ev_fold *fold, struct ev_str key, unsigned long long hash)
{
	size_t mask = fold->cell_count - 1;
	size_t at = (size_t)hash & mask;

	while (fold->cells[at].document &&
	       (fold->cells[at].hash != hash ||
	        !ev_str_equal(fold->cells[at].document->head.key, key)))
		at = (at + 1) & mask;
	return &fold->cells[at];
}

static void
grow_cells(struct ev_fold *fold)
{
	struct cell *old = fold->cells;
	size_t count = fold->cell_count;

	fold->cell_count = count ? count * 2 : 1024;
	fold->cells = ev_mem_alloc(fold->cell_count * sizeof *fold->cells);
	for (size_t i = 0; i < count; i++)
		if (old[i].document)
			*find_cell(fold, old[i].document->head.key,
			           old[i].hash) = old[i];
	free(old);
}

/* Members by name; they mostly come in the order of the slots. */
static void
load(struct ev_fold *fold, struct document *document, struct ev_str json)
{
	const struct ev_projection *p = ev_fold_projection(fold, document->head.key);
	struct ev_scan scan = ev_scan_begin(json);
	struct ev_str name, value;
	size_t next = 0;

	while (ev_scan_member(&scan, &name, &value)) {
		for (size_t i = 0; i < p->slot_count; i++) {
			size_t slot = (next + i) % p->slot_count;

			if (!ev_str_equal(p->slots[slot].name, name))
				continue;
			ev_value_set(&fold->pool, &document->slots[slot],
			             value);
			next = slot + 1;
			break;
		}
	}
}

static void
start(struct ev_fold *fold, struct document *document)
{
	const struct ev_projection *p =
		ev_fold_projection(fold, document->head.key);

	for (size_t i = 0; i < p->slot_count; i++)
		if (p->slots[i].start.ptr)
			ev_value_lend(&fold->pool, &document->slots[i],
			              p->slots[i].start);
}

static void
clear(struct ev_fold *fold, struct document *document)
{
	const struct ev_projection *p =
		ev_fold_projection(fold, document->head.key);

	for (size_t i = 0; i < p->slot_count; i++)
		ev_value_clear(&fold->pool, &document->slots[i]);
}

void
ev_fold_restore(struct ev_fold *fold, struct document *document,
                struct ev_str json)
{
	clear(fold, document);
	load(fold, document, json);
}

static enum ev_status
fetch(struct ev_fold *fold, struct document *document, struct ev_err *err)
{
	const struct ev_fold_source *source = fold->source;
	enum ev_status status = EV_NO;

	if (source) {
		ev_buf_reset(&fold->fetched);
		status = source->fetch(source->context, document->head.key,
		                       &fold->fetched, &document->head.position,
		                       err);
	}
	if (!status) {
		document->head.exists = true;
		load(fold, document, ev_buf_str(&fold->fetched));
	} else if (status == EV_NO) {
		start(fold, document);
	}
	return status == EV_NO ? EV_OK : status;
}

/* The document of a key, in memory from now on, whether it exists or not. */
enum ev_status
ev_fold_get(struct ev_fold *fold, struct ev_str key, struct document **out,
            struct ev_err *err)
{
	const struct ev_projection *p = ev_fold_projection(fold, key);
	unsigned long long hash = ev_str_hash(key);
	struct document *document;
	enum ev_status status;
	struct cell *cell;

	if ((fold->count + 1) * 2 > fold->cell_count)
		grow_cells(fold);
	cell = find_cell(fold, key, hash);
	if (cell->document) {
		*out = cell->document;
		return EV_OK;
	}
	document = ev_arena_alloc(&fold->documents,
	                          sizeof *document +
	                          p->slot_count *
	                          sizeof *document->slots);
	document->head.key = ev_arena_dup(&fold->documents, key);
	status = fetch(fold, document, err);
	if (status) {
		clear(fold, document);
		return status;
	}
	cell->hash = hash;
	cell->document = document;
	fold->count++;
	fold->size += sizeof *document + key.len +
	              p->slot_count * sizeof *document->slots;
	*out = document;
	return EV_OK;
}

/* ---- a fold */

struct ev_fold *
ev_fold_new(const struct ev_projection *projection,
            const struct ev_fold_source *source)
{
	struct ev_fold *fold = ev_mem_alloc(sizeof *fold);

	fold->projection = projection;
	fold->source = source;
	return fold;
}

void
ev_fold_forget(struct ev_fold *fold)
{
	for (size_t i = 0; i < fold->cell_count; i++)
		if (fold->cells[i].document)
			clear(fold, fold->cells[i].document);
	free(fold->cells);
	free(fold->sorted);
	fold->cells = NULL;
	fold->sorted = NULL;
	fold->touched = NULL;
	fold->cell_count = fold->count = fold->size = 0;
	ev_arena_release(&fold->documents);
	ev_pool_release(&fold->pool);
}

void
ev_fold_free(struct ev_fold *fold)
{
	if (!fold)
		return;
	ev_fold_forget(fold);
	for (size_t i = 0; i < fold->steps.count; i++)
		ev_number_release(&fold->steps.list[i].number);
	free(fold->handled);
	ev_arena_release(&fold->types);
	free(fold->steps.list);
	free(fold->members.list);
	ev_arena_release(&fold->scratch);
	ev_buf_release(&fold->key);
	ev_buf_release(&fold->text);
	ev_buf_release(&fold->fetched);
	free(fold);
}

struct ev_document *
ev_fold_take_touched(struct ev_fold *fold)
{
	struct ev_document *first = fold->touched;

	for (struct ev_document *d = first; d; d = d->next_touched)
		d->touched = false;
	fold->touched = NULL;
	return first;
}

size_t
ev_fold_size(const struct ev_fold *fold)
{
	return fold->size + fold->pool.used +
	       fold->cell_count * sizeof *fold->cells;
}

enum ev_status
ev_fold_find(struct ev_fold *fold, struct ev_str key, struct ev_document **out,
             struct ev_err *err)
{
	struct document *document;
	enum ev_status status = ev_fold_get(fold, key, &document, err);

	if (status)
		return status;
	if (!document->head.exists)
		return EV_NO;
	*out = &document->head;
	return EV_OK;
}

static int
compare_keys(const void *a, const void *b)
{
	const struct ev_document *x = *(struct ev_document *const *)a;
	const struct ev_document *y = *(struct ev_document *const *)b;

	return ev_str_compare(x->key, y->key);
}

struct ev_document **
ev_fold_documents(struct ev_fold *fold, size_t *count)
{
	size_t n = 0;

	free(fold->sorted);
	fold->sorted = ev_mem_alloc((fold->count + 1) * sizeof *fold->sorted);
	for (size_t i = 0; i < fold->cell_count; i++) {
		struct document *document = fold->cells[i].document;

		if (document && document->head.exists &&
		    (!document->head.key.len ||
		     *document->head.key.ptr != EV_FOLD_NOTE))
			fold->sorted[n++] = &document->head;
	}
	qsort(fold->sorted, n, sizeof *fold->sorted, compare_keys);
	*count = n;
	return fold->sorted;
}

/* ---- showing */

/* null counts for nothing. */
static bool
add_json(struct ev_number *sum, struct ev_str json)
{
	struct ev_number number = { 0 };
	bool fits;

	if (ev_scan_is_null(json))
		return true;
	if (ev_scan_is_string(json))
		json = ev_scan_text(json);
	fits = json.len && ev_number_parse(&number, json) &&
	       ev_number_add(sum, &number);
	ev_number_release(&number);
	return fits;
}

/* Adds what the value counts for: an object as much as its values. False: it
   is no number, or one that is too long. */
static bool
add_value(struct ev_number *sum, const struct ev_value *value)
{
	struct ev_str json, name, member;
	struct ev_scan scan;
	bool fits = true;

	switch ((enum ev_value_kind)value->kind) {
	case EV_VALUE_NONE:
		break;
	case EV_VALUE_LIST:
		return false;
	case EV_VALUE_NUMBER:
		return ev_number_add(sum, value->u.number);
	case EV_VALUE_MAP:
		for (uint32_t i = 0; fits && i < value->u.map->count; i++)
			fits = add_value(sum, &value->u.map->entries[i].value);
		break;
	case EV_VALUE_JSON:
		json = ev_value_json(value);
		if (*json.ptr != '{')
			return add_json(sum, json);
		scan = ev_scan_begin(json);
		while (fits && ev_scan_member(&scan, &name, &member))
			fits = add_json(sum, member);
		break;
	}
	return fits;
}

/* The part of a slot that a path names, as a value of its own. */
static const struct ev_value *
find_value(struct ev_fold *fold, const struct document *document,
           const struct ev_path *path)
{
	const struct ev_value *value = &document->slots[path->slot];

	for (size_t i = 1; value && i < path->count; i++) {
		struct ev_map *map;

		if (ev_value_is_empty(value) || !ev_value_can_be(value, '{'))
			return NULL;
		/* only its form changes, not what it says */
		map = ev_value_map(&fold->pool, (struct ev_value *)value);
		value = ev_map_get(map, path->names[i]);
	}
	return value;
}

static bool
add_paths(struct ev_fold *fold, const struct document *document,
          const struct ev_path *paths, size_t count, struct ev_number *sum)
{
	for (size_t i = 0; i < count; i++) {
		const struct ev_value *value =
			find_value(fold, document, &paths[i]);

		if (value && !add_value(sum, value))
			return false;
	}
	return true;
}

static bool
find_time(struct ev_fold *fold, const struct document *document,
          const struct ev_path *path, int64_t *time)
{
	const struct ev_value *value = find_value(fold, document, path);
	struct ev_str json;

	if (!value || value->kind != EV_VALUE_JSON)
		return false;
	json = ev_value_json(value);
	return ev_scan_is_string(json) &&
	       ev_time_parse(ev_scan_text(json), time);
}

/* False: there is no such number. */
static bool
derive_ratio(struct ev_fold *fold, const struct document *document,
             const struct ev_derive *d, struct ev_number *out)
{
	struct ev_number left = { 0 }, right = { 0 };
	bool made = add_paths(fold, document, d->left, d->left_count, &left) &&
	            add_paths(fold, document, d->right, d->right_count,
	                      &right) &&
	            ev_number_divide(out, &left, &right, d->places);

	ev_number_release(&left);
	ev_number_release(&right);
	return made;
}

static bool
derive_duration(struct ev_fold *fold, const struct document *document,
                const struct ev_derive *d, struct ev_number *out)
{
	static const struct ev_number minute = { .coefficient = 60 };
	struct ev_number span = { .scale = 6 };
	int64_t from, to;

	if (!find_time(fold, document, d->left, &from) ||
	    !find_time(fold, document, d->right, &to))
		return false;
	span.coefficient = to - from;
	if (d->kind == EV_DERIVE_MINUTES)
		return ev_number_divide(out, &span, &minute, d->places);
	*out = span;
	return true;
}

static bool
derive(struct ev_fold *fold, const struct document *document,
       const struct ev_derive *d, struct ev_number *out)
{
	switch (d->kind) {
	case EV_DERIVE_RATIO:
		return derive_ratio(fold, document, d, out);
	case EV_DERIVE_SUM:
		return add_paths(fold, document, d->left, d->left_count, out);
	case EV_DERIVE_SECONDS:
	case EV_DERIVE_MINUTES:
		return derive_duration(fold, document, d, out);
	}
	return false;
}

static void
add_name(struct ev_buf *out, struct ev_str name, size_t begin)
{
	if (out->len > begin + 1)
		ev_buf_add_char(out, ',');
	ev_buf_add_char(out, '"');
	ev_buf_add_str(out, name);
	ev_buf_add_str(out, EV_STR("\":"));
}

static void
write_derived(struct ev_fold *fold, const struct document *document,
              struct ev_buf *out, size_t begin)
{
	const struct ev_projection *p = fold->projection;

	for (size_t i = 0; i < p->derive_count; i++) {
		struct ev_number number = { 0 };

		add_name(out, p->derives[i].name, begin);
		if (derive(fold, document, &p->derives[i], &number))
			ev_number_format(out, &number);
		else
			ev_buf_add_str(out, EV_STR("null"));
		ev_number_release(&number);
	}
}

void
ev_fold_write(struct ev_fold *fold, const struct ev_document *head,
              enum ev_fold_form form, struct ev_buf *out)
{
	const struct document *document = (const struct document *)head;
	const struct ev_projection *p = ev_fold_projection(fold, head->key);
	size_t begin = out->len;

	ev_buf_add_char(out, '{');
	if (form == EV_FOLD_SHOWN) {
		add_name(out, EV_STR("key"), begin);
		ev_buf_add_char(out, '"');
		ev_buf_add_str(out, head->key);
		ev_buf_add_char(out, '"');
	}
	for (size_t i = 0; i < p->slot_count; i++) {
		if (document->slots[i].kind == EV_VALUE_NONE)
			continue;
		add_name(out, p->slots[i].name, begin);
		ev_value_write(&document->slots[i], out);
	}
	if (form == EV_FOLD_SHOWN)
		write_derived(fold, document, out, begin);
	ev_buf_add_char(out, '}');
}

enum ev_status
ev_fold_show(struct ev_fold *fold, struct ev_str key, struct ev_str json,
             struct ev_buf *out, struct ev_err *err)
{
	const struct ev_projection *p = fold->projection;
	struct document *document;

	if (!json.len || *json.ptr != '{' || json.ptr[json.len - 1] != '}')
		return ev_err_set(err, EV_IO, "document '%.*s' is no object",
		                  EV_FMT(key));
	document = ev_mem_alloc(sizeof *document +
	                        p->slot_count * sizeof *document->slots);
	document->head.key = key;
	load(fold, document, json);
	ev_fold_write(fold, &document->head, EV_FOLD_SHOWN, out);
	clear(fold, document);
	free(document);
	return EV_OK;
}
