#include "cmd/stretch.h"

#include <stdlib.h>

static void
add_type(struct stretch *stretch, struct ev_str catalog, struct ev_str type)
{
	struct ev_buf name = { 0 };

	if (catalog.len) {
		ev_buf_add_str(&name, catalog);
		ev_buf_add_char(&name, '/');
	}
	ev_buf_add_str(&name, type);
	stretch->types = ev_mem_resize(stretch->types,
	                               (stretch->type_count + 1) *
	                               sizeof *stretch->types);
	stretch->types[stretch->type_count++] =
		ev_arena_dup(&stretch->arena, ev_buf_str(&name));
	ev_buf_release(&name);
}

/* What a projection or its notes handle, as "rig/CI_FAILED". */
static void
add_types(struct stretch *stretch, const struct ev_projection *handling)
{
	const struct ev_projection *projection = stretch->projection;

	stretch->every_type |= handling->rest != NULL;
	for (size_t i = 0; i < handling->handler_count; i++) {
		struct ev_str type = handling->handlers[i].type;

		if (memchr(type.ptr, '/', type.len)) {
			add_type(stretch, (struct ev_str){ 0 }, type);
			continue;
		}
		for (size_t c = 0; c < projection->catalog_count; c++)
			add_type(stretch, projection->catalogs[c], type);
	}
}

enum ev_status
stretch_open(struct stretch *stretch, struct ev_err *err)
{
	struct ev_query query = { .from = stretch->position + 1,
	                          .to = stretch->end,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE,
	                          .streams = stretch->streams };

	add_types(stretch, stretch->projection);
	if (stretch->projection->notes)
		add_types(stretch, stretch->projection->notes);
	if (!stretch->every_type)
		query.types = (struct ev_slices){ stretch->types,
		                                  stretch->type_count };
	return stretch->store->ops->query(stretch->store, &query,
	                                  &stretch->cursor, err);
}

void
stretch_release(struct stretch *stretch)
{
	if (stretch->cursor)
		stretch->store->ops->query_close(stretch->cursor);
	stretch->cursor = NULL;
	free(stretch->types);
	stretch->types = NULL;
	stretch->type_count = 0;
	ev_arena_release(&stretch->arena);
	ev_buf_release(&stretch->newer);
}

/* Is it this type, written "rig/CI_FAILED" or "CI_FAILED"? */
static bool
is_type(struct ev_str name, const struct ev_line *line)
{
	struct ev_str catalog = line->catalog;

	if (name.len == catalog.len + 1 + line->type.len &&
	    ev_str_starts(name, catalog) && name.ptr[catalog.len] == '/') {
		name.ptr += catalog.len + 1;
		name.len = line->type.len;
	}
	return ev_str_equal(name, line->type);
}

static bool
is_handled(const struct stretch *stretch, const struct ev_line *line)
{
	const struct ev_projection *projection = stretch->projection;
	bool handled = false;

	for (size_t i = 0; !handled && i < stretch->type_count; i++)
		handled = is_type(stretch->types[i], line);
	if (handled || !stretch->every_type)
		return handled;
	for (size_t i = 0; i < projection->ignored_count; i++)
		if (is_type(projection->ignored[i], line))
			return false;
	for (size_t i = 0; i < projection->catalog_count; i++)
		if (ev_str_equal(projection->catalogs[i], line->catalog))
			return true;
	return false;
}

/* Is the event's own version one of those that the catalogs know? */
static bool
is_known(const struct ev_catalogs *catalogs, const struct ev_line *line)
{
	struct ev_catalog *catalog = ev_catalogs_get(catalogs, line->catalog);
	const struct ev_type *type = catalog ? ev_catalog_find(catalog,
	                                                       line->type)
	                                     : NULL;

	return type && type->version >= line->schema_version;
}

/* `line` is the newest form of the event afterwards. */
static enum ev_status
upcast(struct stretch *stretch, struct ev_line *line, struct ev_err *err)
{
	enum ev_status status;

	if (!stretch->upcasts || !is_handled(stretch, line))
		return EV_OK;
	ev_buf_reset(&stretch->newer);
	status = ev_event_upcast(stretch->upcasts, line, &stretch->newer, err);
	if (status)
		return status == EV_NO ? EV_OK : status;
	if (!ev_line_parse(ev_buf_str(&stretch->newer), line))
		return ev_err_set(err, EV_BAD_INPUT,
		                  "its upcast made no event of it");
	return EV_OK;
}

enum ev_status
stretch_fold(struct stretch *stretch, struct ev_fold *fold, struct ev_err *err)
{
	struct ev_line line;
	struct ev_row row;
	enum ev_status status;

	status = stretch->store->ops->next(stretch->cursor, &row, err);
	if (status) {
		if (status == EV_NO)
			stretch->position = stretch->end;
		return status;
	}
	if (!ev_line_parse(row.line, &line))
		return ev_err_set(err, EV_IO,
		                  "position %lld is damaged, ask ev-verify",
		                  (long long)row.position);
	stretch->position = row.position;
	stretch->timestamp = line.timestamp;
	if (stretch->known && !is_known(stretch->known, &line))
		stretch->outdated = true;
	status = upcast(stretch, &line, err);
	if (!status)
		status = ev_fold_event(fold, &line, err);
	return status == EV_NO ? EV_OK : status;
}

/* Is it this one placeholder, and nothing else? */
static bool
is_stream(const struct ev_text *text)
{
	const struct ev_text_part *part = text->parts;

	if (!text->count || part->literal.len || !part->path ||
	    part->filter != EV_FILTER_PLAIN ||
	    part->path->root != EV_ROOT_EVENT ||
	    part->path->member != EV_MEMBER_STREAM || part->path->count)
		return false;
	for (size_t i = 1; i < text->count; i++)
		if (text->parts[i].path || text->parts[i].literal.len)
			return false;
	return true;
}

static bool
has_own_keys(const struct ev_handler *handler)
{
	for (size_t i = 0; handler && i < handler->count; i++)
		if (handler->rules[i].key_count)
			return true;
	return false;
}

bool
stretch_is_by_stream(const struct ev_projection *projection)
{
	if (projection->from.len || projection->key_count != 1 ||
	    !is_stream(&projection->keys[0]) || has_own_keys(projection->rest))
		return false;
	for (size_t i = 0; i < projection->handler_count; i++)
		if (has_own_keys(&projection->handlers[i]))
			return false;
	return !projection->notes || stretch_is_by_stream(projection->notes);
}
