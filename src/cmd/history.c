#include "cmd/history.h"

#include "cmd/cli.h"

static enum ev_status
open_levels(struct history *history, const char *name_or_file,
            struct ev_err *err)
{
	struct history_level *level = history->levels;
	enum ev_status status;

	status = readmodel_open(&level->model, &history->projector,
	                        name_or_file, history->silent
	                                              ? READMODEL_SILENT
	                                              : READMODEL_SAY, err);
	for (;;) {
		history->count++;
		if (status)
			return status;
		level->projection = readmodel_projection(&level->model);
		level->fold = ev_fold_new(level->projection, NULL);
		if (!level->projection->from.ptr)
			return EV_OK;
		if (history->count == HISTORY_LEVELS)
			return ev_err_set(err, EV_BAD_INPUT, "projection "
			                  "'%s': more than %d levels of 'from'",
			                  name_or_file, HISTORY_LEVELS);
		level++;
		status = readmodel_open_source(&level->model, &level[-1].model,
		                               level[-1].projection->from, err);
	}
}

enum ev_status
history_open(struct history *history, const char *log,
             const char *name_or_file, const char *key, struct ev_err *err)
{
	struct ev_head head;
	enum ev_status status;

	status = projector_open(&history->projector, log, EV_STORE_READ, err);
	if (status)
		return status;
	history->store = history->projector.store;
	history->key = ev_line_escape(&history->arena, ev_str(key));
	if ((status = open_levels(history, name_or_file, err)) ||
	    (status = projector_upcasts(&history->projector, &history->upcasts,
	                                err)) ||
	    (status = history->store->ops->head(history->store, &head, err)))
		return status;
	history->end = head.position;
	return history_rewind(history, err);
}

void
history_close(struct history *history)
{
	stretch_release(&history->stretch);
	for (size_t i = history->count; i-- > 0;) {
		ev_fold_free(history->levels[i].fold);
		readmodel_release(&history->levels[i].model);
	}
	if (history->store)
		projector_close(&history->projector);
	ev_arena_release(&history->arena);
}

enum ev_status
history_rewind(struct history *history, struct ev_err *err)
{
	struct history_level *last = &history->levels[history->count - 1];

	ev_fold_forget(last->fold);
	history->parked = 0;
	stretch_release(&history->stretch);
	history->stretch = (struct stretch){
		.store = history->store,
		.projection = last->projection,
		.upcasts = history->upcasts,
		.end = history->end,
	};
	if (history->count == 1 && stretch_is_by_stream(last->projection))
		history->stretch.streams =
			(struct ev_slices){ &history->key, 1 };
	return stretch_open(&history->stretch, err);
}

enum ev_status
history_next(struct history *history, int64_t *position,
             struct ev_document **touched, struct ev_err *err)
{
	struct ev_fold *fold = history->levels[history->count - 1].fold;
	enum ev_status status;

	if (cli_stop)
		return EV_NO;
	status = stretch_fold(&history->stretch, fold, err);
	*position = history->stretch.position;
	*touched = NULL;
	if (status == EV_BAD_INPUT) {
		if (!history->parked++) {
			history->first_parked = *position;
			history->reason = *err;
		}
		return EV_OK;
	}
	if (!status)
		*touched = ev_fold_take_touched(fold);
	return status;
}

struct ev_document *
history_fold_document(struct history *history, size_t level,
                      const struct ev_document *source)
{
	struct ev_fold *fold = history->levels[level].fold;
	struct ev_buf json = { 0 };
	enum ev_status status;
	struct ev_err err;

	ev_fold_write(history->levels[level + 1].fold, source, EV_FOLD_SHOWN,
	              &json);
	status = ev_fold_document(fold, source->key, source->position,
	                          ev_buf_str(&json), &err);
	ev_buf_release(&json);
	return status ? NULL : ev_fold_take_touched(fold);
}

void
history_refold(struct history *history, size_t level,
               void (*seen)(void *context, const struct ev_document *source,
                            struct ev_document *touched),
               void *context)
{
	struct ev_document **sources;
	size_t count;

	ev_fold_forget(history->levels[level].fold);
	sources = ev_fold_documents(history->levels[level + 1].fold, &count);
	for (size_t i = 0; i < count && !cli_stop; i++) {
		struct ev_document *touched =
			history_fold_document(history, level, sources[i]);

		if (seen)
			seen(context, sources[i], touched);
	}
}

struct ev_document *
history_find(struct ev_document *touched, struct ev_str key)
{
	while (touched && !ev_str_equal(touched->key, key))
		touched = touched->next_touched;
	return touched;
}

enum ev_status
history_print(struct history *history, struct printer *printer,
              int64_t position, struct ev_err *err)
{
	const struct ev_query query = { .from = position, .to = position,
	                                .from_time = EV_TIME_NONE,
	                                .to_time = EV_TIME_NONE };
	struct ev_store *store = history->store;
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_line line;
	struct ev_row row;

	if ((status = store->ops->query(store, &query, &cursor, err)))
		return status;
	status = store->ops->next(cursor, &row, err);
	if (!status && !ev_line_parse(row.line, &line))
		status = ev_err_set(err, EV_IO, "position %lld is damaged, ask "
		                    "ev-verify", (long long)position);
	if (!status)
		printer_add(printer, row.line, &line);
	store->ops->query_close(cursor);
	return status;
}

void
history_say_parked(const struct history *history)
{
	if (history->parked)
		cli_say(EV_OK, "%lld of the events could not be folded and "
		        "changed nothing, the first at position %lld: %s",
		        (long long)history->parked,
		        (long long)history->first_parked,
		        history->reason.text);
}
