#include <stdlib.h>

#include "adapter/sqlite/log.h"
#include "domain/fold.h"

/* Documents that are remembered from one commit to the next. */
enum { REMEMBER_BYTES = 8 * 1024 * 1024 };

struct model {
	struct log *log;
	int64_t id;
	bool current; /* its checkpoint is the log's end */
	bool listed;
	const struct ev_projection *projection;
	struct ev_fold_source source;
	struct ev_fold *fold;
	struct ev_err lost; /* why a document could not be fetched, or "" */
	/* of this append */
	struct ev_parked *parked;
	size_t parked_count;
	struct ev_arena reasons;
};

struct inline_models {
	struct model **list;
	size_t count;
	int64_t position; /* what is in memory is right while the log ends … */
	int64_t changes;  /* … here and nobody else touches models; -1: not */
	bool dirty;       /* an append has folded, and not yet committed */
	struct ev_document **sorted;
	size_t sorted_cap;
	struct ev_buf json;
};

static enum ev_status
fetch(void *context, struct ev_str key, struct ev_buf *out, int64_t *position,
      struct ev_err *err)
{
	struct model *model = context;
	enum ev_status status = log_document(&model->log->store, model->id, key,
	                                     out, position, err);

	if (status > EV_NO)
		model->lost = *err;
	return status;
}

static void
free_model(struct model *model)
{
	if (model->fold)
		ev_fold_free(model->fold);
	if (model->projection)
		ev_projection_free(model->projection);
	ev_arena_release(&model->reasons);
	free(model->parked);
	free(model);
}

static void
forget_parked(struct model *model)
{
	model->parked_count = 0;
	ev_arena_reset(&model->reasons);
}

static void
forget_documents(struct inline_models *models)
{
	for (size_t i = 0; i < models->count; i++) {
		ev_fold_forget(models->list[i]->fold);
		forget_parked(models->list[i]);
	}
}

void
log_forget_inline(struct log *log)
{
	struct inline_models *models = log->inline_models;

	if (!models || !models->dirty)
		return;
	forget_documents(models);
	models->changes = -1;
	models->dirty = false;
}

void
log_free_inline(struct log *log)
{
	struct inline_models *models = log->inline_models;

	if (!models)
		return;
	for (size_t i = 0; i < models->count; i++)
		free_model(models->list[i]);
	free(models->list);
	free(models->sorted);
	ev_buf_release(&models->json);
	free(models);
	log->inline_models = NULL;
}

static struct model *
find_model(const struct inline_models *models, int64_t id)
{
	for (size_t i = 0; i < models->count; i++)
		if (models->list[i]->id == id)
			return models->list[i];
	return NULL;
}

/* A definition never changes under its id. */
static enum ev_status
load_model(struct log *log, int64_t id, struct ev_str definition,
           struct ev_err *err)
{
	struct inline_models *models = log->inline_models;
	struct model *model = ev_mem_alloc(sizeof *model);
	enum ev_status status;

	model->log = log;
	model->id = id;
	model->source = (struct ev_fold_source){ fetch, model };
	status = ev_projection_load(&model->projection, definition, err);
	if (status) {
		model->projection = NULL;
		free_model(model);
		return status;
	}
	model->fold = ev_fold_new(model->projection, &model->source);
	model->current = model->listed = true;
	models->list = ev_mem_resize(models->list, (models->count + 1) *
	                             sizeof *models->list);
	models->list[models->count++] = model;
	return EV_OK;
}

/* Which models there are now, and which of them have come to `position`. */
static bool
list_models(struct log *log, int64_t position)
{
	struct inline_models *models = log->inline_models;
	sqlite3_stmt *rows = log_statement(log, SQL_MODEL_INLINE);
	struct ev_err why;

	for (size_t i = 0; i < models->count; i++)
		models->list[i]->listed = false;
	while (sqlite3_step(rows) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(rows, 0);
		bool current = sqlite3_column_int64(rows, 1) == position;
		struct model *model = find_model(models, id);

		if (model) {
			model->listed = true;
			model->current = current;
		} else if (current && load_model(log, id, log_column(rows, 2),
		                                 &why)) {
			/* a newer ev's, say: it is not kept from here on */
			if (!log_note_error(log, id, ev_str(why.text)))
				return false;
		}
	}
	return log_reset(rows);
}

static void
drop_unlisted(struct inline_models *models)
{
	size_t kept = 0;

	for (size_t i = 0; i < models->count; i++) {
		if (models->list[i]->listed)
			models->list[kept++] = models->list[i];
		else
			free_model(models->list[i]);
	}
	models->count = kept;
}

enum ev_status
log_begin_inline(struct log *log, int64_t position, int64_t changes,
                 struct ev_err *err)
{
	struct inline_models *models = log->inline_models;

	if (models && models->position == position &&
	    models->changes == changes)
		return EV_OK;
	if (!models) {
		models = ev_mem_alloc(sizeof *models);
		log->inline_models = models;
	}
	models->changes = -1;
	if (!list_models(log, position))
		return log_fail(log, "append to", err);
	drop_unlisted(models);
	forget_documents(models);
	models->position = position;
	models->changes = changes;
	return EV_OK;
}

static void
park(struct model *model, int64_t position, struct ev_str reason)
{
	/* a power of two: full */
	if (!(model->parked_count & (model->parked_count - 1)))
		model->parked = ev_mem_resize(model->parked,
			(model->parked_count ? 2 * model->parked_count : 1) *
			sizeof *model->parked);
	model->parked[model->parked_count++] = (struct ev_parked){
		position, ev_arena_dup(&model->reasons, reason)
	};
}

/*
 * A fold that cannot go on must not stop the events: the model stays where it
 * was before this append, for the reader or ev-project to catch up.
 */
static enum ev_status
leave_behind(struct model *model, const char *why, struct ev_err *err)
{
	model->current = false;
	ev_fold_forget(model->fold);
	forget_parked(model);
	return log_note_error(model->log, model->id, ev_str(why))
	               ? EV_OK : log_fail(model->log, "append to", err);
}

enum ev_status
log_fold_inline(struct log *log, const struct ev_line *line,
                struct ev_err *err)
{
	struct inline_models *models = log->inline_models;
	enum ev_status status = EV_OK;

	models->dirty = true;
	for (size_t i = 0; !status && i < models->count; i++) {
		struct model *model = models->list[i];
		struct ev_err why;
		enum ev_status folded;

		if (!model->current)
			continue;
		*model->lost.text = '\0';
		folded = ev_fold_event(model->fold, line, &why);
		if (folded <= EV_NO)
			continue;
		if (folded == EV_BAD_INPUT) {
			park(model, line->position, ev_str(why.text));
		} else if (*model->lost.text) {
			/* the disk's trouble, and so the append's */
			*err = model->lost;
			status = folded;
		} else {
			status = leave_behind(model, why.text, err);
		}
	}
	return status;
}

static int
compare_documents(const void *a, const void *b)
{
	return ev_str_compare((*(struct ev_document *const *)a)->key,
	                      (*(struct ev_document *const *)b)->key);
}

/* What the append has changed, in the order of the table. */
static size_t
sort_touched(struct inline_models *models, struct model *model)
{
	struct ev_document *document = ev_fold_take_touched(model->fold);
	size_t count = 0;

	for (; document; document = document->next_touched) {
		if (count == models->sorted_cap) {
			models->sorted_cap = count ? 2 * count : 64;
			models->sorted = ev_mem_resize(
				models->sorted, models->sorted_cap *
				sizeof *models->sorted);
		}
		models->sorted[count++] = document;
	}
	if (count)
		qsort(models->sorted, count, sizeof *models->sorted,
		      compare_documents);
	return count;
}

static bool
save_model(struct log *log, struct model *model, int64_t position,
           const char *recorded_at)
{
	struct inline_models *models = log->inline_models;
	struct model_change change = { .model = model->id, .known = true };
	size_t count = sort_touched(models, model);

	for (size_t i = 0; i < count; i++) {
		const struct ev_document *document = models->sorted[i];

		ev_buf_reset(&models->json);
		ev_fold_write(model->fold, document, EV_FOLD_STORED,
		              &models->json);
		if (!log_put_document(log, &change,
		                      &(struct ev_model_document){
			document->key, ev_buf_str(&models->json),
			document->position
		}))
			return false;
	}
	for (size_t i = 0; i < model->parked_count; i++)
		if (!log_park(log, &change, &model->parked[i]))
			return false;
	forget_parked(model);
	return log_move_model(log, &change, position, recorded_at);
}

enum ev_status
log_save_inline(struct log *log, int64_t position, const char *recorded_at,
                struct ev_err *err)
{
	struct inline_models *models = log->inline_models;

	for (size_t i = 0; i < models->count; i++)
		if (models->list[i]->current &&
		    !save_model(log, models->list[i], position, recorded_at))
			return log_fail(log, "append to", err);
	return EV_OK;
}

void
log_keep_inline(struct log *log, int64_t position)
{
	struct inline_models *models = log->inline_models;
	size_t size = 0;

	models->position = position;
	models->dirty = false;
	for (size_t i = 0; i < models->count; i++)
		size += ev_fold_size(models->list[i]->fold);
	if (size > REMEMBER_BYTES)
		forget_documents(models);
}
