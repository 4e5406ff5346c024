#include "cmd/projector.h"

#include <limits.h>
#include <stdlib.h>

#include "adapter/projection_files.h"
#include "base/opt.h"
#include "cmd/cli.h"
#include "cmd/view.h"

enum {
	STEP_EVENTS = 262144,    /* that are folded before they are saved */
	STEP_BYTES = 64 << 20,   /* of documents in memory, likewise */
	PROGRESS_EVENTS = 8192,
	SOURCE_TRIES = 16
};

/*
 * A model on its way forward. What has been folded stays in memory from one
 * catching up to the next, as long as nobody else has moved the checkpoint.
 */
struct job {
	struct ev_store *store;
	int64_t model;
	int64_t position; /* as of which the documents are */
	struct ev_fold *fold;
	struct ev_fold_source source;
	bool whole; /* every document of it is in memory */
	struct parked parked;
	struct ev_buf json;
	struct ev_model_document *documents;
	size_t document_count;
	size_t document_cap;
};

/* How many events a step has: $EV_STEP_EVENTS, for tests. */
static int64_t
step_events(void)
{
	const char *text = getenv("EV_STEP_EVENTS");
	int64_t count;

	return text && ev_opt_int(text, 1, INT_MAX, &count) ? count
	                                                    : STEP_EVENTS;
}

enum ev_status
projector_open(struct projector *projector, const char *log,
               enum ev_store_mode mode, struct ev_err *err)
{
	*projector = (struct projector){ .log = log,
	                                 .step_events = step_events() };
	return cli_open(&projector->store, log, mode, err);
}

void
projector_close(struct projector *projector)
{
	if (projector->writer)
		projector->writer->ops->close(projector->writer);
	if (projector->store)
		projector->store->ops->close(projector->store);
	ev_catalogs_release(&projector->catalogs);
	for (size_t i = 0; i < projector->older_count; i++)
		ev_catalogs_release(&projector->older[i]);
	free(projector->older);
	free(projector->told);
	ev_arena_release(&projector->arena);
	*projector = (struct projector){ 0 };
}

static enum ev_status
open_writer(struct projector *projector, struct ev_err *err)
{
	if (projector->writer)
		return EV_OK;
	return cli_open(&projector->writer, projector->log, EV_STORE_APPEND,
	                err);
}

enum ev_status
projector_upcasts(struct projector *projector,
                  const struct ev_catalogs **upcasts, struct ev_err *err)
{
	struct ev_catalogs *catalogs = &projector->catalogs;
	enum ev_status status;

	if (!projector->recalled) {
		status = projector->store->ops->recall(projector->store,
		                                       (struct ev_str){ 0 },
		                                       catalogs, err);
		if (status && status != EV_NO)
			return status;
		projector->recalled = true;
		for (size_t i = 0; i < catalogs->count; i++)
			projector->upcasts |=
				ev_catalog_has_upcasts(catalogs->list[i]);
	}
	*upcasts = projector->upcasts ? catalogs : NULL;
	return EV_OK;
}

enum ev_status
projector_open_stretch(struct projector *projector, struct stretch *stretch,
                       struct ev_err *err)
{
	enum ev_status status;

	stretch->store = projector->store;
	/* catalogs that were recalled before may be older than the events */
	stretch->known = projector->recalled ? &projector->catalogs : NULL;
	status = projector_upcasts(projector, &stretch->upcasts, err);
	return status ? status : stretch_open(stretch, err);
}

enum ev_status
projector_renew_stretch(struct projector *projector, struct stretch *stretch,
                        struct ev_err *err)
{
	projector->older = ev_mem_resize(projector->older,
	                                 (projector->older_count + 1) *
	                                 sizeof *projector->older);
	projector->older[projector->older_count++] = projector->catalogs;
	projector->catalogs = (struct ev_catalogs){ 0 };
	projector->recalled = projector->upcasts = false;
	stretch->known = NULL;
	stretch->outdated = false;
	return projector_upcasts(projector, &stretch->upcasts, err);
}

void
parked_add(struct parked *parked, int64_t position, struct ev_str reason)
{
	struct ev_parked *last = parked->count
	                                 ? &parked->list[parked->count - 1]
	                                 : NULL;
	struct ev_buf both = { 0 };

	if (last && last->position == position) {
		ev_buf_printf(&both, "%.*s; %.*s", EV_FMT(last->reason),
		              EV_FMT(reason));
		last->reason = ev_arena_dup(&parked->arena, ev_buf_str(&both));
		ev_buf_release(&both);
		return;
	}
	parked->list = ev_mem_resize(parked->list, (parked->count + 1) *
	                             sizeof *parked->list);
	parked->list[parked->count++] = (struct ev_parked){
		position, ev_arena_dup(&parked->arena, reason)
	};
}

void
parked_reset(struct parked *parked)
{
	parked->count = 0;
	ev_arena_reset(&parked->arena);
}

void
parked_release(struct parked *parked)
{
	free(parked->list);
	ev_arena_release(&parked->arena);
	*parked = (struct parked){ 0 };
}

/* ---- steps */

static enum ev_status
fetch(void *context, struct ev_str key, struct ev_buf *out, int64_t *position,
      struct ev_err *err)
{
	const struct job *job = context;

	if (job->whole)
		return EV_NO;
	return job->store->ops->document(job->store, job->model, key, out,
	                                 position, err);
}

static void
end_job(struct readmodel *model)
{
	struct job *job = model->job;

	if (!job)
		return;
	ev_fold_free(job->fold);
	parked_release(&job->parked);
	ev_buf_release(&job->json);
	free(job->documents);
	free(job);
	model->job = NULL;
}

/* Goes on with what is in memory, if that is still what is stored. */
static struct job *
begin_job(struct readmodel *model, const struct ev_model *row,
          const struct ev_projection *projection)
{
	struct job *job = model->job;

	if (job && job->model == row->id && job->position == row->position)
		return job;
	end_job(model);
	job = model->job = ev_mem_alloc(sizeof *job);
	job->store = model->projector->store;
	job->model = row->id;
	job->position = row->position;
	job->whole = row->position == 0;
	job->source = (struct ev_fold_source){ fetch, job };
	job->fold = ev_fold_new(projection, &job->source);
	return job;
}

static int
by_key(const void *a, const void *b)
{
	const struct ev_model_document *x = a, *y = b;

	return ev_str_compare(x->key, y->key);
}

/* The documents of a step, with their JSON, in the order of their keys. */
static void
list_documents(struct job *job)
{
	struct ev_document *document = ev_fold_take_touched(job->fold);
	size_t at = 0;

	job->document_count = 0;
	ev_buf_reset(&job->json);
	for (; document; document = document->next_touched) {
		size_t before = job->json.len;

		if (job->document_count == job->document_cap) {
			job->document_cap = job->document_cap
			                            ? 2 * job->document_cap
			                            : 64;
			job->documents = ev_mem_resize(job->documents,
			                               job->document_cap *
			                               sizeof *job->documents);
		}
		ev_fold_write(job->fold, document, EV_FOLD_STORED, &job->json);
		job->documents[job->document_count++] =
			(struct ev_model_document){
				document->key, { NULL, job->json.len - before },
				document->position
			};
	}
	for (size_t i = 0; i < job->document_count; i++) {
		job->documents[i].json.ptr = job->json.ptr + at;
		at += job->documents[i].json.len;
	}
	if (job->document_count)
		qsort(job->documents, job->document_count,
		      sizeof *job->documents, by_key);
}

/* Saves what has been folded since the last step. EV_NO: not promoted. */
static enum ev_status
save(struct readmodel *model, int64_t to, bool promote, struct ev_err *err)
{
	struct job *job = model->job;
	struct ev_model_step step = { .model = job->model,
	                              .from = job->position, .to = to,
	                              .promote = promote };
	enum ev_status status = open_writer(model->projector, err);

	if (!status) {
		list_documents(job);
		step.documents = job->documents;
		step.document_count = job->document_count;
		step.parked = job->parked.list;
		step.parked_count = job->parked.count;
		status = model->projector->writer->ops->model_save(
			model->projector->writer, &step, err);
	}
	if (status && status != EV_NO) {
		end_job(model);
		return status;
	}
	job->position = to;
	parked_reset(&job->parked);
	if (ev_fold_size(job->fold) >= STEP_BYTES) {
		ev_fold_forget(job->fold);
		job->whole = false;
	}
	return status;
}

/* Folds one step. EV_NO: that was the stretch's last. */
static enum ev_status
fold_step(struct readmodel *model, struct stretch *stretch, struct ev_err *err)
{
	struct projector *projector = model->projector;
	struct job *job = model->job;
	enum ev_status status;

	for (int64_t n = 1; n <= projector->step_events && !cli_stop; n++) {
		status = stretch_fold(stretch, job->fold, err);
		if (status == EV_BAD_INPUT)
			parked_add(&job->parked, stretch->position,
			           ev_str(err->text));
		else if (status)
			return status;
		if (projector->progress && n % PROGRESS_EVENTS == 0)
			projector->progress(model->name, stretch->position,
			                    stretch->end);
		if (stretch->outdated ||
		    (n % 64 == 0 && ev_fold_size(job->fold) >= STEP_BYTES))
			break;
	}
	return EV_OK;
}

/* Folds and saves up to `end`. EV_NO: promotion was not possible any more. */
static enum ev_status
fold_up_to(struct readmodel *model, const struct ev_projection *projection,
           int64_t end, bool promote, struct ev_err *err)
{
	struct projector *projector = model->projector;
	struct stretch stretch = { .projection = projection,
	                           .position = model->job->position,
	                           .end = end };
	enum ev_status status, saved;

	status = projector_open_stretch(projector, &stretch, err);
	while (!status) {
		status = fold_step(model, &stretch, err);
		if (status && status != EV_NO) {
			end_job(model); /* a part of a step is in its memory */
			break;
		}
		saved = save(model, stretch.position,
		             promote && status == EV_NO, err);
		if (projector->progress)
			projector->progress(model->name, stretch.position, end);
		if (status == EV_NO || saved) {
			status = saved;
			break;
		}
		if (cli_stop)
			break;
		if (stretch.outdated)
			status = projector_renew_stretch(projector, &stretch,
			                                 err);
	}
	stretch_release(&stretch);
	return status;
}

static enum ev_status
fail_busy(const struct readmodel *model, struct ev_err *err)
{
	return ev_err_set(err, EV_BUSY, "cannot save '%.*s': the log or the "
	                  "model moved on each time, try again",
	                  EV_FMT(model->name));
}

/* Brings one model of the log up to its end or, if it is to be promoted, on
   until that could be done. */
static enum ev_status
catch_up(struct readmodel *model, const struct ev_model *row,
         const struct ev_projection *projection, bool promote,
         struct ev_err *err)
{
	struct ev_store *store = model->projector->store;
	struct ev_head head;
	enum ev_status status;

	begin_job(model, row, projection);
	for (int n = 1; !cli_stop; n++) {
		status = store->ops->head(store, &head, err);
		if (status || (!promote &&
		               model->job->position >= head.position))
			return status;
		status = fold_up_to(model, projection, head.position, promote,
		                    err);
		if (status != EV_NO)
			return status;
		if (n == model->projector->tries)
			return fail_busy(model, err);
	}
	return EV_OK;
}

/* ---- what a name stands for */


static void
copy_row(struct ev_model *to, const struct ev_model *from,
         struct ev_arena *arena)
{
	*to = *from;
	to->name = ev_arena_dup(arena, from->name);
	to->definition = ev_arena_dup(arena, from->definition);
	if (from->error.ptr)
		to->error = ev_arena_dup(arena, from->error);
}

static bool
take_row(void *context, const struct ev_model *row)
{
	struct readmodel *model = context;

	if (ev_str_equal(row->name, model->name))
		copy_row(row->live ? &model->live : &model->building, row,
		         &model->arena);
	return true;
}

static bool
is_definition(const struct ev_projection *projection, struct ev_str json)
{
	return projection &&
	       ev_str_equal(ev_projection_json(projection), json);
}

/* Loads the log's definition, if it is another than before. */
static enum ev_status
load_kept(struct readmodel *model, struct ev_err *err)
{
	struct ev_str json = { 0 };
	enum ev_status status;

	if (model->live.id)
		json = model->live.definition;
	else if (model->building.id && !model->file)
		json = model->building.definition;
	if (json.len && is_definition(model->kept, json))
		return EV_OK;
	if (model->kept) {
		end_job(model);
		ev_projection_free(model->kept);
		model->kept = NULL;
	}
	if (!json.len)
		return EV_OK;
	status = ev_projection_load(&model->kept, json, err);
	if (status)
		ev_err_prefix(err, status, "the log's definition of '%.*s'",
		              EV_FMT(model->name));
	return status;
}

enum ev_status
readmodel_refresh(struct readmodel *model, struct ev_err *err)
{
	struct ev_store *store = model->projector->store;
	enum ev_status status;

	ev_arena_reset(&model->arena);
	model->live = model->building = (struct ev_model){ 0 };
	status = store->ops->models(store, take_row, model, err);
	return status ? status : load_kept(model, err);
}

const struct ev_projection *
readmodel_projection(const struct readmodel *model)
{
	return model->kept ? model->kept : model->file;
}

bool
readmodel_differs(const struct readmodel *model)
{
	return model->kept && model->file &&
	       !is_definition(model->file, ev_projection_json(model->kept));
}

/* As ev_projection_open decides it. */
static bool
is_file(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') ||
	       (len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
	       (len > 4 && strcmp(name + len - 4, ".yml") == 0);
}

/* Once a run is enough. */
static bool
is_told(struct projector *projector, struct ev_str name)
{
	for (size_t i = 0; i < projector->told_count; i++)
		if (ev_str_equal(ev_str(projector->told[i]), name))
			return true;
	projector->told = ev_mem_resize(projector->told,
	                                (projector->told_count + 1) *
	                                sizeof *projector->told);
	projector->told[projector->told_count++] =
		ev_arena_dup(&projector->arena, name).ptr;
	return false;
}

/* What follows from the file as it was found, or not. */
static enum ev_status
settle(struct readmodel *model, enum ev_status found,
       const struct ev_err *file_err, struct ev_err *err)
{
	bool broken = found == EV_BAD_INPUT;

	if ((!model->kept && !model->file) ||
	    (broken && model->flags & READMODEL_FILE)) {
		*err = *file_err;
		return found == EV_NO ? EV_USAGE : found;
	}
	if (!(model->flags & READMODEL_SAY) ||
	    !(broken || readmodel_differs(model)) ||
	    is_told(model->projector, model->name))
		return EV_OK;
	if (broken)
		cli_say(EV_OK, "%s; going on with the log's definition",
		        file_err->text);
	else
		cli_say(EV_OK, "the file of '%.*s' is not what the log has: "
		        "going on with the log's definition, 'ev-project "
		        "--rebuild' takes the file's", EV_FMT(model->name));
	return EV_OK;
}

enum ev_status
readmodel_open(struct readmodel *model, struct projector *projector,
               const char *name_or_file, enum readmodel_flags flags,
               struct ev_err *err)
{
	struct ev_err file_err;
	enum ev_status status, found;

	*model = (struct readmodel){ .projector = projector, .flags = flags };
	found = ev_projection_open(&model->file, name_or_file, &file_err);
	if (found && (is_file(name_or_file) ||
	              (found != EV_NO && found != EV_BAD_INPUT))) {
		*err = file_err;
		return found == EV_NO ? EV_USAGE : found;
	}
	model->name = found ? ev_arena_dup(&model->names, ev_str(name_or_file))
	                    : model->file->name;
	if ((status = readmodel_refresh(model, err)))
		return status;
	return settle(model, found, &file_err, err);
}

void
readmodel_release(struct readmodel *model)
{
	end_job(model);
	if (model->file)
		ev_projection_free(model->file);
	if (model->kept)
		ev_projection_free(model->kept);
	ev_arena_release(&model->names);
	ev_arena_release(&model->arena);
	*model = (struct readmodel){ 0 };
}

enum ev_status
readmodel_open_source(struct readmodel *source, const struct readmodel *above,
                      struct ev_str name, struct ev_err *err)
{
	struct ev_arena arena = { 0 };
	enum readmodel_flags flags = above->flags & READMODEL_SILENT
	                                     ? READMODEL_SILENT
	                                     : READMODEL_SAY;
	enum ev_status status;

	for (const struct readmodel *m = above; m; m = m->below)
		if (ev_str_equal(m->name, name)) {
			ev_err_set(err, EV_BAD_INPUT, "projection '%.*s' would "
			           "be made from itself: by way of '%.*s'",
			           EV_FMT(name), EV_FMT(above->name));
			return EV_BAD_INPUT;
		}
	status = readmodel_open(source, above->projector,
	                        ev_arena_dup(&arena, name).ptr, flags, err);
	ev_arena_release(&arena);
	source->below = above;
	if (status)
		ev_err_prefix(err, status, "projection '%.*s'",
		              EV_FMT(above->name));
	return status == EV_USAGE ? EV_BAD_INPUT : status;
}

struct names {
	struct ev_arena arena;
	const char **list;
	size_t count;
};

static bool
take_name(void *context, const struct ev_model *row)
{
	struct names *names = context;

	if (names->count && ev_str_equal(ev_str(names->list[names->count - 1]),
	                                 row->name))
		return true;
	names->list = ev_mem_resize(names->list, (names->count + 1) *
	                            sizeof *names->list);
	names->list[names->count++] = ev_arena_dup(&names->arena,
	                                           row->name).ptr;
	return true;
}

enum ev_status
projector_names(struct projector *projector,
                bool (*take)(void *context, const char *name), void *context,
                struct ev_err *err)
{
	struct ev_store *store = projector->store;
	struct names names = { 0 };
	enum ev_status status;

	/* first all of them: who takes one may read and write models */
	status = store->ops->models(store, take_name, &names, err);
	for (size_t i = 0; !status && i < names.count; i++)
		if (!take(context, names.list[i]))
			break;
	free(names.list);
	ev_arena_release(&names.arena);
	return status;
}

/* ---- making models, and keeping them */

static enum ev_status rebuild_dependents(struct readmodel *model,
                                         struct ev_err *err);

static enum ev_status
make(struct readmodel *model, const struct ev_projection *projection,
     struct ev_model *row, struct ev_err *err)
{
	enum ev_status status = open_writer(model->projector, err);

	*row = (struct ev_model){ 0 };
	if (status)
		return status;
	return model->projector->writer->ops->model_new(
		model->projector->writer, projection->name, projection->mode,
		ev_projection_json(projection), &row->id, err);
}

/* Aside; one of the same definition that was begun is gone on with. */
static enum ev_status
build(struct readmodel *model, const struct ev_projection *projection,
      bool afresh, struct ev_err *err)
{
	struct ev_model row = model->building;
	enum ev_status status = EV_OK;

	if (afresh || !row.id || !is_definition(projection, row.definition))
		status = make(model, projection, &row, err);
	return status ? status : catch_up(model, &row, projection, true, err);
}

/* Everything that a view has folded becomes a model, in one step. */
static enum ev_status
save_view(struct readmodel *model, struct view *view, struct ev_err *err)
{
	struct ev_model row;
	struct job *job;
	enum ev_status status = make(model, view->projection, &row, err);

	if (status)
		return status;
	job = begin_job(model, &row, view->projection);
	ev_fold_free(job->fold);
	job->fold = view->fold;
	view->fold = NULL;
	for (size_t i = 0; i < view->parked.count; i++)
		parked_add(&job->parked, view->parked.list[i].position,
		           view->parked.list[i].reason);
	status = save(model, view->position, true, err);
	end_job(model); /* it will be folded anew */
	return status;
}

static enum ev_status
update_source(struct readmodel *model, const struct ev_projection *projection,
              struct ev_err *err)
{
	struct readmodel source = { 0 };
	enum ev_status status;

	status = readmodel_open_source(&source, model, projection->from, err);
	if (!status)
		status = readmodel_update(&source, err);
	readmodel_release(&source);
	return status;
}

/* EV_NO: the log moved on meanwhile. */
static enum ev_status
save_from(struct readmodel *model, const struct ev_projection *projection,
          struct ev_err *err)
{
	struct view_options options = { .at = -1, .anew = true,
	                                .projection = projection };
	struct ev_store *store = model->projector->store;
	struct view view = { 0 };
	enum ev_status status = store->ops->model_begin(store, err);

	if (status)
		return status;
	status = view_open(&view, model, &options, err);
	store->ops->model_end(store);
	if (!status)
		status = save_view(model, &view, err);
	view_close(&view);
	return status;
}

/* Documents of documents do not grow: each time all of them are made. */
static enum ev_status
update_from(struct readmodel *model, const struct ev_projection *projection,
            bool anew, struct ev_err *err)
{
	struct ev_store *store = model->projector->store;
	int tries = model->projector->tries ? model->projector->tries
	                                    : SOURCE_TRIES;
	struct ev_head head;
	enum ev_status status;

	for (int n = 0; n < tries && !cli_stop; n++) {
		if ((status = update_source(model, projection, err)) ||
		    (status = store->ops->head(store, &head, err)))
			return status;
		if (!anew && model->live.id &&
		    model->live.position == head.position)
			return EV_OK;
		status = save_from(model, projection, err);
		if (status != EV_NO)
			return status;
	}
	return fail_busy(model, err);
}

/* A failure is noted in the log for those who list its models. */
static enum ev_status
note_failure(struct readmodel *model, enum ev_status status,
             const struct ev_err *err)
{
	struct projector *projector = model->projector;
	struct ev_err ignored;

	if ((status == EV_IO || status == EV_BAD_INPUT) && model->live.id &&
	    open_writer(projector, &ignored) == EV_OK)
		projector->writer->ops->model_fail(projector->writer,
		                                   model->live.id,
		                                   ev_str(err->text), &ignored);
	return status;
}

enum ev_status
readmodel_update(struct readmodel *model, struct ev_err *err)
{
	const struct ev_projection *projection;
	enum ev_status status;
	int lost = 0;

	do {
		if ((status = readmodel_refresh(model, err)))
			return status;
		projection = readmodel_projection(model);
		if (!projection || projection->mode == EV_MODE_DEMAND ||
		    (model->flags & READMODEL_KEPT && !model->live.id &&
		     !model->building.id))
			return EV_OK;
		if (projection->from.len)
			status = update_from(model, projection, false, err);
		else if (model->live.id)
			status = catch_up(model, &model->live, projection,
			                  false, err);
		else if (!(status = build(model, projection, false, err)))
			status = rebuild_dependents(model, err);
		/* somebody else does it, and is faster: that may go on */
		if (status == EV_CONFLICT && ++lost == model->projector->tries)
			return fail_busy(model, err);
	} while (status == EV_CONFLICT && !cli_stop);
	return note_failure(model, status, err);
}

enum ev_status
projector_drop(struct projector *projector, const char *name,
               struct ev_err *err)
{
	enum ev_status status = open_writer(projector, err);

	if (status)
		return status;
	status = projector->writer->ops->model_drop(projector->writer,
	                                            ev_str(name), err);
	return status == EV_NO ? ev_err_set(err, EV_NO, "no read model '%s' "
	                                    "in the log", name) : status;
}

struct dependents {
	struct readmodel *source;
	enum ev_status status;
	struct ev_err *err;
};

/* What is made from documents that have changed all at once changes too. */
static bool
rebuild_dependent(void *context, const char *name)
{
	struct dependents *dependents = context;
	struct readmodel model = { 0 };
	enum ev_status status;

	status = readmodel_open(&model, dependents->source->projector, name, 0,
	                        dependents->err);
	if (!status && model.live.id &&
	    ev_str_equal(model.kept->from, dependents->source->name)) {
		do {
			status = update_from(&model, model.kept, true,
			                     dependents->err);
		} while (status == EV_CONFLICT && !cli_stop &&
		         !readmodel_refresh(&model, dependents->err) &&
		         model.live.id);
		if (!status)
			status = rebuild_dependents(&model, dependents->err);
	}
	readmodel_release(&model);
	dependents->status = status;
	return !status;
}

static enum ev_status
rebuild_dependents(struct readmodel *model, struct ev_err *err)
{
	struct dependents dependents = { .source = model, .err = err };
	enum ev_status status;

	status = projector_names(model->projector, rebuild_dependent,
	                         &dependents, err);
	return status ? status : dependents.status;
}

enum ev_status
readmodel_rebuild(struct readmodel *model, struct ev_err *err)
{
	const struct ev_projection *projection = model->file ? model->file
	                                                     : model->kept;
	int64_t before = model->live.id;
	bool afresh = model->building.parked > 0;
	enum ev_status status;

	if (projection->mode == EV_MODE_DEMAND)
		return ev_err_set(err, EV_USAGE, "'%.*s' is folded when it is "
		                  "asked for (mode demand): there is nothing to "
		                  "keep", EV_FMT(model->name));
	do {
		if (projection->from.len)
			status = update_from(model, projection, true, err);
		else
			status = build(model, projection, afresh, err);
		afresh = false;
		if (status != EV_CONFLICT || readmodel_refresh(model, err))
			break;
		/* somebody else had the same in mind, and was faster */
		if (model->live.id != before &&
		    is_definition(projection, model->live.definition))
			status = EV_OK;
	} while (status == EV_CONFLICT && !cli_stop);
	if (!status && !cli_stop)
		status = rebuild_dependents(model, err);
	return status;
}
