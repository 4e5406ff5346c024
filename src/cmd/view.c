#include "cmd/view.h"

static enum ev_status
fetch(void *context, struct ev_str key, struct ev_buf *out, int64_t *position,
      struct ev_err *err)
{
	const struct view *view = context;
	struct ev_store *store = view->model->projector->store;

	return store->ops->document(store, view->stored, key, out, position,
	                            err);
}

static enum ev_status
fold_events(struct view *view, int64_t from, const struct ev_slices *streams,
            struct ev_err *err)
{
	struct projector *projector = view->model->projector;
	struct stretch stretch = { .projection = view->projection,
	                           .streams = *streams,
	                           .position = from, .end = view->position };
	enum ev_status status;

	if (from >= view->position)
		return EV_OK;
	status = projector_open_stretch(projector, &stretch, err);
	while (!status) {
		status = stretch_fold(&stretch, view->fold, err);
		if (status == EV_BAD_INPUT) {
			parked_add(&view->parked, stretch.position,
			           ev_str(err->text));
			status = EV_OK;
		}
		if (stretch.outdated && !status)
			status = projector_renew_stretch(projector, &stretch,
			                                 err);
	}
	stretch_release(&stretch);
	return status == EV_NO ? EV_OK : status;
}

struct source {
	struct view *view;
	enum ev_status status;
	struct ev_err *err;
};

static bool
fold_document(void *context, struct ev_str key, int64_t position,
              struct ev_str json)
{
	struct source *source = context;
	struct view *view = source->view;
	enum ev_status status = ev_fold_document(view->fold, key, position,
	                                         json, source->err);

	if (status == EV_BAD_INPUT) {
		ev_err_prefix(source->err, status, "document '%.*s'",
		              EV_FMT(key));
		parked_add(&view->parked, position, ev_str(source->err->text));
	} else if (status != EV_NO) {
		source->status = status;
	}
	return !source->status;
}

static enum ev_status
fold_documents(struct view *view, struct ev_err *err)
{
	struct view_options options = { .at = view->position };
	struct source context = { .view = view, .err = err };
	struct readmodel source = { 0 };
	struct view below = { 0 };
	struct ev_head head;
	enum ev_status status;

	status = readmodel_open_source(&source, view->model,
	                               view->projection->from, err);
	if (!status)
		status = source.projector->store->ops->head(
			source.projector->store, &head, err);
	if (!status && head.position == view->position)
		options.at = -1;
	if (!status)
		status = view_open(&below, &source, &options, err);
	if (!status)
		status = view_each(&below, fold_document, &context, err);
	if (!status)
		status = context.status;
	/* what the source lacks, its documents tell wrongly */
	for (size_t i = 0; i < below.parked.count; i++)
		parked_add(&view->parked, below.parked.list[i].position,
		           below.parked.list[i].reason);
	view_close(&below);
	readmodel_release(&source);
	return status;
}

/* What may be read instead of being folded, and up to where that goes. */
static int64_t
choose_stored(struct view *view, const struct view_options *options)
{
	const struct ev_model *live = &view->model->live;

	if (!live->id || options->anew || options->at >= 0)
		return 0;
	if (options->stale)
		view->position = live->position;
	/* documents of documents do not grow: all or none */
	if (view->projection->from.len && live->position != view->position)
		return 0;
	view->stored = live->id;
	return live->position;
}

enum ev_status
view_open(struct view *view, struct readmodel *model,
          const struct view_options *options, struct ev_err *err)
{
	static const struct ev_slices all = { 0 };
	struct ev_store *store = model->projector->store;
	struct ev_head head;
	enum ev_status status;
	int64_t from;

	*view = (struct view){ .model = model,
	                       .source = { fetch, view } };
	if ((status = store->ops->head(store, &head, err)) ||
	    (status = readmodel_refresh(model, err)))
		return status;
	if (options->stale && !model->live.id)
		return ev_err_set(err, EV_NO, "no documents of '%.*s' are "
		                  "stored", EV_FMT(model->name));
	view->projection = options->projection ? options->projection
	                                       : readmodel_projection(model);
	view->position = options->at >= 0 && options->at < head.position
	                         ? options->at : head.position;
	from = choose_stored(view, options);
	view->fold = ev_fold_new(view->projection,
	                         view->stored ? &view->source : NULL);
	if (view->projection->from.len)
		return view->stored ? EV_OK : fold_documents(view, err);
	return fold_events(view, from, !view->stored &&
	                               stretch_is_by_stream(view->projection)
	                                       ? &options->keys : &all, err);
}

void
view_close(struct view *view)
{
	if (view->fold)
		ev_fold_free(view->fold);
	parked_release(&view->parked);
	*view = (struct view){ 0 };
}

enum ev_status
view_find(struct view *view, struct ev_str key, struct ev_buf *out,
          struct ev_err *err)
{
	struct ev_document *document;
	enum ev_status status = ev_fold_find(view->fold, key, &document, err);

	if (!status && !document->exists)
		status = EV_NO;
	if (!status)
		ev_fold_write(view->fold, document, EV_FOLD_SHOWN, out);
	return status;
}

/* Two lists in the order of their keys, made into one. */
struct merge {
	struct view *view;
	struct ev_document **folded;
	size_t count;
	size_t next;
	struct ev_buf json;
	view_take *take;
	void *context;
	enum ev_status status;
	struct ev_err *err;
	bool over;
};

static void
take_folded(struct merge *merge)
{
	const struct ev_document *document = merge->folded[merge->next++];

	if (!document->exists)
		return;
	ev_buf_reset(&merge->json);
	ev_fold_write(merge->view->fold, document, EV_FOLD_SHOWN, &merge->json);
	merge->over = !merge->take(merge->context, document->key,
	                           document->position,
	                           ev_buf_str(&merge->json));
}

static bool
take_stored(void *context, const struct ev_model_document *document)
{
	struct merge *merge = context;
	int order = 1;

	if (document->key.len && *document->key.ptr == EV_FOLD_NOTE)
		return true;
	while (!merge->over && merge->next < merge->count) {
		order = ev_str_compare(merge->folded[merge->next]->key,
		                       document->key);
		if (order > 0)
			break;
		take_folded(merge);
		if (order == 0)
			break;
	}
	if (merge->over || order == 0)
		return !merge->over;
	ev_buf_reset(&merge->json);
	merge->status = ev_fold_show(merge->view->fold, document->key,
	                             document->json, &merge->json, merge->err);
	merge->over = merge->status ||
	              !merge->take(merge->context, document->key,
	                           document->position,
	                           ev_buf_str(&merge->json));
	return !merge->over;
}

enum ev_status
view_each(struct view *view, view_take *take, void *context,
          struct ev_err *err)
{
	struct merge merge = { .view = view, .take = take, .context = context,
	                       .err = err };
	struct ev_store *store = view->model->projector->store;
	enum ev_status status = EV_OK;

	merge.folded = ev_fold_documents(view->fold, &merge.count);
	if (view->stored)
		status = store->ops->documents(store, view->stored, take_stored,
		                               &merge, err);
	while (!status && !merge.status && !merge.over &&
	       merge.next < merge.count)
		take_folded(&merge);
	ev_buf_release(&merge.json);
	return status ? status : merge.status;
}

enum ev_status
view_find_time(struct ev_store *store, int64_t time, int64_t *position,
               struct ev_err *err)
{
	struct ev_query query = { .from = 1, .to = INT64_MAX,
	                          .from_time = EV_TIME_NONE, .to_time = time,
	                          .reverse = true };
	struct ev_cursor *cursor;
	struct ev_row row = { 0 };
	enum ev_status status = store->ops->query(store, &query, &cursor, err);

	if (status)
		return status;
	status = store->ops->next(cursor, &row, err);
	*position = status ? 0 : row.position;
	store->ops->query_close(cursor);
	return status == EV_NO ? EV_OK : status;
}
