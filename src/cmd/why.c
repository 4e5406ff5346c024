#include "cmd/why.h"

#include <stdlib.h>

#include "cmd/where.h"

/* The documents of one level whose changes we look for. */
struct watch {
	struct ev_fold *fold;
	struct ev_str *keys; /* sorted */
	size_t count, room;
	const char *member; /* NULL: whatever changes */
	struct ev_buf value; /* of the member, before */
	struct ev_buf text;
	struct watch *next; /* what comes of the next level is watched there */
	struct ev_arena *arena;
};

static int
compare_keys(const void *a, const void *b)
{
	return ev_str_compare(*(const struct ev_str *)a,
	                      *(const struct ev_str *)b);
}

/* Sources come in the order of their keys, so it stays sorted. */
static void
add_key(struct watch *watch, struct ev_str key)
{
	if (watch->count == watch->room) {
		watch->room = watch->room ? 2 * watch->room : 16;
		watch->keys = ev_mem_resize(watch->keys, watch->room *
		                            sizeof *watch->keys);
	}
	watch->keys[watch->count++] = ev_arena_dup(watch->arena, key);
}

/* The watched member of a document that is shown as `json`; {0}: none or
   null. */
static struct ev_buf
member_of(const struct watch *watch, struct ev_str json)
{
	struct ev_buf value = { 0 };
	yyjson_val *found;
	yyjson_doc *doc;
	struct ev_err err;

	if (ev_json_parse(&doc, json, NULL, &err))
		return value;
	found = where_find(yyjson_doc_get_root(doc), ev_str(watch->member));
	if (found && !yyjson_is_null(found))
		ev_json_write(&value, found);
	yyjson_doc_free(doc);
	return value;
}

/* What the member is before the first event. */
static void
watch_start(struct watch *watch, const struct ev_projection *p)
{
	struct ev_buf start = { 0 };
	struct ev_err err;

	for (size_t i = 0; i < p->slot_count; i++)
		if (p->slots[i].start.ptr) {
			ev_buf_add_char(&start, start.len ? ',' : '{');
			ev_buf_printf(&start, "\"%.*s\":",
			              EV_FMT(p->slots[i].name));
			ev_buf_add_str(&start, p->slots[i].start);
		}
	ev_buf_add_str(&start, start.len ? EV_STR("}") : EV_STR("{}"));
	ev_buf_reset(&watch->text);
	if (!ev_fold_show(watch->fold, *watch->keys, ev_buf_str(&start),
	                  &watch->text, &err))
		watch->value = member_of(watch, ev_buf_str(&watch->text));
	ev_buf_release(&start);
}

static bool
has_changed(struct watch *watch, const struct ev_document *document)
{
	struct ev_buf value;
	bool same;

	ev_buf_reset(&watch->text);
	ev_fold_write(watch->fold, document, EV_FOLD_SHOWN, &watch->text);
	value = member_of(watch, ev_buf_str(&watch->text));
	same = ev_str_equal(ev_buf_str(&value), ev_buf_str(&watch->value));
	ev_buf_release(&watch->value);
	watch->value = value;
	return !same;
}

/* Is one of the documents among those that we look for? */
static bool
saw(struct watch *watch, struct ev_document *touched)
{
	for (; touched; touched = touched->next_touched)
		if (bsearch(&touched->key, watch->keys, watch->count,
		            sizeof *watch->keys, compare_keys) &&
		    (!watch->member || has_changed(watch, touched)))
			return true;
	return false;
}

static void
see_source(void *context, const struct ev_document *source,
           struct ev_document *touched)
{
	struct watch *watch = context;

	if (saw(watch, touched))
		add_key(watch->next, source->key);
}

/*
 * With `from`: every level is folded to its end, and then, from the document
 * down, each level tells which documents below it are behind it.
 */
static enum ev_status
descend(struct history *history, struct watch *watches, struct ev_err *err)
{
	size_t last = history->count - 1;
	struct ev_document *touched;
	enum ev_status status;
	int64_t position;

	if (!last)
		return EV_OK;
	while (!(status = history_next(history, &position, &touched, err)))
		;
	if (status != EV_NO)
		return status;
	for (size_t i = last; i-- > 1;)
		history_refold(history, i, NULL, NULL);
	for (size_t i = 0; i < last; i++)
		history_refold(history, i, see_source, &watches[i]);
	return history_rewind(history, err);
}

static enum ev_status
take_events(struct history *history, struct watch *watch, why_take *take,
            void *context, struct ev_err *err)
{
	struct ev_document *touched;
	enum ev_status status;
	int64_t position;

	if (!watch->count)
		return EV_OK;
	while (!(status = history_next(history, &position, &touched, err)))
		if (saw(watch, touched) &&
		    (status = take(context, position, err)))
			return status;
	return status == EV_NO ? EV_OK : status;
}

enum ev_status
why_each(struct history *history, const char *member, why_take *take,
         void *context, struct ev_err *err)
{
	struct watch watches[HISTORY_LEVELS] = { 0 };
	size_t last = history->count - 1;
	enum ev_status status = EV_OK;

	if (member)
		status = where_check(history->levels->projection,
		                     ev_str(member), err);
	if (status)
		return status;
	for (size_t i = 0; i <= last; i++) {
		watches[i].fold = history->levels[i].fold;
		watches[i].arena = &history->arena;
		watches[i].next = &watches[i + 1 <= last ? i + 1 : i];
	}
	add_key(watches, history->key);
	watches->member = member;
	if (member)
		watch_start(watches, history->levels->projection);
	status = descend(history, watches, err);
	if (!status)
		status = take_events(history, &watches[last], take, context,
		                     err);
	for (size_t i = 0; i <= last; i++) {
		free(watches[i].keys);
		ev_buf_release(&watches[i].value);
		ev_buf_release(&watches[i].text);
	}
	return status;
}
