#include <assert.h>
#include <poll.h>
#include <stdlib.h>

#include "adapter/sqlite/log.h"
#include "domain/fold.h"

/*
 * Deleting a model's documents can take long, so it is done a bit at a time,
 * each in a transaction of about this length, and writers come in between.
 */
enum {
	SWEEP_ROWS = 1024, /* deleted in the first transaction */
	SWEEP_ROWS_MAX = 1 << 20,
	SWEEP_MICROS = 5000
};

static bool
is_note(struct ev_str key)
{
	return key.len && *key.ptr == EV_FOLD_NOTE;
}

/* Runs one of the two statements that write a document. */
static bool
write_document(struct log *log, enum log_statement which, int64_t model,
               const struct ev_model_document *document)
{
	sqlite3_stmt *write = log_statement(log, which);

	sqlite3_bind_int64(write, 1, model);
	log_bind(write, 2, document->key);
	sqlite3_bind_int64(write, 3, document->position);
	log_bind(write, 4, document->json);
	return log_run(write);
}

bool
log_put_document(struct log *log, struct model_change *change,
                 const struct ev_model_document *document)
{
	bool added = !change->known;

	/* first what is likely, and if that changes nothing, the other */
	if (!write_document(log, added ? SQL_DOCUMENT_ADD : SQL_DOCUMENT_SET,
	                    change->model, document))
		return false;
	if (!sqlite3_changes(log->db)) {
		added = !added;
		if (!write_document(log, added ? SQL_DOCUMENT_ADD
		                               : SQL_DOCUMENT_SET,
		                    change->model, document))
			return false;
	}
	change->documents += added && !is_note(document->key);
	return true;
}

bool
log_park(struct log *log, struct model_change *change,
         const struct ev_parked *parked)
{
	sqlite3_stmt *add = log_statement(log, SQL_PARKED_ADD);

	sqlite3_bind_int64(add, 1, change->model);
	sqlite3_bind_int64(add, 2, parked->position);
	log_bind(add, 3, parked->reason);
	if (!log_run(add))
		return false;
	change->parked += sqlite3_changes(log->db);
	return true;
}

bool
log_move_model(struct log *log, const struct model_change *change,
               int64_t position, const char *updated_at)
{
	sqlite3_stmt *move = log_statement(log, SQL_MODEL_MOVE);

	sqlite3_bind_int64(move, 1, change->model);
	sqlite3_bind_int64(move, 2, position);
	sqlite3_bind_int64(move, 3, change->documents);
	sqlite3_bind_int64(move, 4, change->parked);
	sqlite3_bind_text(move, 5, updated_at, EV_TIME_TEXT, SQLITE_STATIC);
	return log_run(move);
}

bool
log_note_error(struct log *log, int64_t model, struct ev_str why)
{
	sqlite3_stmt *fail = log_statement(log, SQL_MODEL_FAIL);

	sqlite3_bind_int64(fail, 1, model);
	if (why.len)
		log_bind(fail, 2, why);
	else
		sqlite3_bind_null(fail, 2);
	return log_run(fail);
}

enum ev_status
log_transact(struct log *log,
             enum ev_status (*change)(struct log *log, void *context,
                                      struct ev_err *err),
             void *context, struct ev_err *err)
{
	enum ev_status status;

	assert(log->mode == EV_STORE_APPEND && !log->snapshot);
	if ((status = log_lock(log, err)))
		return status;
	if (!log_execute(log, "BEGIN IMMEDIATE")) {
		status = log_fail(log, "write to", err);
	} else {
		status = change(log, context, err);
		if (status <= EV_NO && !log_execute(log, "COMMIT"))
			status = log_fail(log, "write to", err);
		if (!sqlite3_get_autocommit(log->db))
			log_execute(log, "ROLLBACK");
	}
	if (status <= EV_NO && log_wal_bytes(log) >= log->wal_most)
		log_checkpoint(log, SQLITE_CHECKPOINT_PASSIVE);
	log_unlock(log);
	return status;
}

/* A model whose documents are to be deleted; 0: there is none. */
static int64_t
find_gone(struct log *log)
{
	sqlite3_stmt *find = log_statement(log, SQL_MODEL_GONE);
	int64_t id = 0;

	if (sqlite3_step(find) == SQLITE_ROW)
		id = sqlite3_column_int64(find, 0);
	sqlite3_reset(find);
	return id;
}

/* Deletes up to `rows` of them, the model last. */
static enum ev_status
delete_some(struct log *log, void *context, struct ev_err *err)
{
	static const enum log_statement deletes[] = {
		SQL_DOCUMENT_DELETE, SQL_PARKED_DELETE, SQL_MODEL_DELETE
	};
	int rows = *(int *)context, i = 0;
	int64_t id = find_gone(log);

	for (; id && rows > 0 && i < 3; i++) {
		sqlite3_stmt *delete = log_statement(log, deletes[i]);

		sqlite3_bind_int64(delete, 1, id);
		if (deletes[i] != SQL_MODEL_DELETE)
			sqlite3_bind_int(delete, 2, rows);
		if (!log_run(delete))
			return log_fail(log, "write to", err);
		rows -= sqlite3_changes(log->db);
	}
	return EV_OK;
}

/*
 * Deletes what models have left behind that are gone: all of it, or one bit.
 * What does not work now is for the next who comes here.
 */
static void
sweep(struct log *log, bool all)
{
	struct ev_err ignored;
	int rows = SWEEP_ROWS;

	while (find_gone(log) && !(log->stop && *log->stop)) {
		int64_t begin = ev_time_steady(), took;

		if (log_transact(log, delete_some, &rows, &ignored) || !all)
			return;
		took = ev_time_steady() - begin;
		if (took > SWEEP_MICROS && rows > 1)
			rows /= 2;
		else if (took < SWEEP_MICROS / 2 && rows < SWEEP_ROWS_MAX)
			rows *= 2;
		/* the lock goes to whoever asks first: let others ask */
		poll(NULL, 0, 1);
	}
}

/* By what id a new model goes, or caches are known to be out of date. */
static bool
note_change(struct log *log)
{
	return log_run(log_statement(log, SQL_HEAD_MODELS));
}

/* The model of that name loses it. */
static bool
let_go(struct log *log, struct ev_str name, int live)
{
	sqlite3_stmt *go = log_statement(log, SQL_MODEL_GO);

	log_bind(go, 1, name);
	sqlite3_bind_int(go, 2, live);
	return log_run(go);
}

struct new_model {
	struct ev_str name;
	enum ev_mode mode;
	struct ev_str definition;
	int64_t id;
};

static enum ev_status
add_model(struct log *log, void *context, struct ev_err *err)
{
	struct new_model *new = context;
	sqlite3_stmt *add = log_statement(log, SQL_MODEL_ADD);
	unsigned char hash[LOG_HASH];
	char now[EV_TIME_TEXT];

	ev_time_format(ev_time_now(), now);
	log_digest(hash, new->definition);
	log_bind(add, 1, new->name);
	log_bind(add, 2, ev_str(ev_mode_format(new->mode)));
	sqlite3_bind_text(add, 3, now, EV_TIME_TEXT, SQLITE_STATIC);
	sqlite3_bind_blob(add, 4, hash, LOG_HASH, SQLITE_STATIC);
	log_bind(add, 5, new->definition);
	if (!let_go(log, new->name, 0) || !note_change(log) || !log_run(add))
		return log_fail(log, "write to", err);
	new->id = sqlite3_last_insert_rowid(log->db);
	return EV_OK;
}

enum ev_status
log_model_new(struct ev_store *store, struct ev_str name, enum ev_mode mode,
              struct ev_str definition, int64_t *id, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct new_model new = { name, mode, definition, 0 };
	enum ev_status status;

	if ((status = log_connect_to_append(log, err)) ||
	    (status = log_transact(log, add_model, &new, err)))
		return status;
	sweep(log, true);
	*id = new.id;
	return EV_OK;
}

struct saving {
	const struct ev_model_step *step;
	const struct ev_model_document **sorted;
};

static int
compare_documents(const void *a, const void *b)
{
	return ev_str_compare((*(const struct ev_model_document *const *)a)->key,
	                      (*(const struct ev_model_document *const *)b)->key);
}

static bool
write_step(struct log *log, const struct saving *saving)
{
	const struct ev_model_step *step = saving->step;
	struct model_change change = { .model = step->model,
	                               .known = step->from > 0 };
	char now[EV_TIME_TEXT];

	for (size_t i = 0; i < step->document_count; i++)
		if (!log_put_document(log, &change, saving->sorted[i]))
			return false;
	for (size_t i = 0; i < step->parked_count; i++)
		if (!log_park(log, &change, &step->parked[i]))
			return false;
	ev_time_format(ev_time_now(), now);
	return log_move_model(log, &change, step->to, now);
}

static bool
promote(struct log *log, int64_t model, struct ev_str name)
{
	sqlite3_stmt *promote = log_statement(log, SQL_MODEL_PROMOTE);

	sqlite3_bind_int64(promote, 1, model);
	return let_go(log, name, 1) && log_run(promote) && note_change(log);
}

/* How far one must have come to take the live one's place: no reader goes back,
   and an append goes on only where the log ends. -1: see log_fail. */
static int64_t
far_enough(struct log *log, struct ev_str name, bool kept, int64_t end)
{
	sqlite3_stmt *find = log_statement(log, SQL_MODEL_LIVE);
	int64_t position = 0;

	if (kept)
		return end;
	log_bind(find, 1, name);
	if (sqlite3_step(find) == SQLITE_ROW)
		position = sqlite3_column_int64(find, 0);
	return log_reset(find) ? position : -1;
}

static enum ev_status
save(struct log *log, void *context, struct ev_err *err)
{
	const struct saving *saving = context;
	const struct ev_model_step *step = saving->step;
	sqlite3_stmt *find = log_statement(log, SQL_MODEL);
	struct ev_buf name = { 0 };
	struct ev_head head;
	bool there, live = false, is_inline = false, done;
	int64_t enough = 0;
	enum ev_status status;

	if ((status = log_head(&log->store, &head, err)))
		return status;
	assert(step->from <= step->to && step->to <= head.position);
	sqlite3_bind_int64(find, 1, step->model);
	there = sqlite3_step(find) == SQLITE_ROW &&
	        sqlite3_column_int64(find, 0) == step->from;
	if (there) {
		live = sqlite3_column_int(find, 1);
		ev_buf_add_str(&name, log_column(find, 2));
		is_inline = sqlite3_column_int(find, 3);
	}
	done = log_reset(find);
	if (done && !there) {
		ev_buf_release(&name);
		return ev_err_set(err, EV_CONFLICT, "cannot save documents in "
		                  "'%s': another process has, read the model "
		                  "again", log->path);
	}
	/* who appends may remember documents of a model that it keeps */
	done = done && write_step(log, saving) &&
	       (!live || !is_inline || note_change(log));
	if (done && step->promote)
		enough = far_enough(log, ev_buf_str(&name), is_inline,
		                    head.position);
	done = done && enough >= 0;
	if (step->promote && step->to < enough)
		status = EV_NO;
	else if (step->promote && !live)
		done = done && promote(log, step->model, ev_buf_str(&name));
	ev_buf_release(&name);
	return done ? status : log_fail(log, "write to", err);
}

enum ev_status
log_model_save(struct ev_store *store, const struct ev_model_step *step,
               struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct saving saving = { .step = step };
	enum ev_status status = log_connect(log, err);

	if (status == EV_NO)
		return ev_err_set(err, EV_CONFLICT, "cannot save documents in "
		                  "'%s': there is no log", log->path);
	if (status)
		return status;
	saving.sorted = ev_mem_alloc((step->document_count + 1) *
	                             sizeof *saving.sorted);
	for (size_t i = 0; i < step->document_count; i++)
		saving.sorted[i] = &step->documents[i];
	qsort(saving.sorted, step->document_count, sizeof *saving.sorted,
	      compare_documents);
	status = log_transact(log, save, &saving, err);
	free(saving.sorted);
	if (status <= EV_NO)
		sweep(log, step->promote && !status);
	return status;
}

struct failure {
	int64_t model;
	struct ev_str why;
};

/* Is it noted already? Then nothing needs to be written. */
static bool
is_noted(struct log *log, const struct failure *failure)
{
	sqlite3_stmt *find = log_statement(log, SQL_MODEL);
	bool noted;

	sqlite3_bind_int64(find, 1, failure->model);
	noted = sqlite3_step(find) != SQLITE_ROW ||
	        ev_str_equal(log_column(find, 4), failure->why);
	return log_reset(find) && noted;
}

static enum ev_status
note_failure(struct log *log, void *context, struct ev_err *err)
{
	const struct failure *failure = context;

	return log_note_error(log, failure->model, failure->why)
	               ? EV_OK : log_fail(log, "write to", err);
}

enum ev_status
log_model_fail(struct ev_store *store, int64_t model, struct ev_str why,
               struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct failure failure = { model, why };
	enum ev_status status = log_connect(log, err);

	if (status)
		return status == EV_NO ? EV_OK : status;
	return is_noted(log, &failure)
	               ? EV_OK : log_transact(log, note_failure, &failure, err);
}

static enum ev_status
drop(struct log *log, void *context, struct ev_err *err)
{
	const struct ev_str *name = context;
	int found = 0;

	for (int live = 0; live <= 1; live++) {
		if (!let_go(log, *name, live))
			return log_fail(log, "write to", err);
		found += sqlite3_changes(log->db);
	}
	if (!found)
		return EV_NO;
	return note_change(log) ? EV_OK : log_fail(log, "write to", err);
}

enum ev_status
log_model_drop(struct ev_store *store, struct ev_str name, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	enum ev_status status = log_connect(log, err);

	if (!status && !(status = log_transact(log, drop, &name, err)))
		sweep(log, true);
	return status;
}

enum ev_status
log_model_begin(struct ev_store *store, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	enum ev_status status = log_connect(log, err);
	struct ev_head head;

	assert(!log->snapshot);
	if (status > EV_NO)
		return status;
	if (!status) {
		if (!log_execute(log, "BEGIN"))
			return log_fail(log, "read", err);
		/* it is the first read that says which state is seen */
		status = log_head(store, &head, err);
		if (status) {
			log_execute(log, "ROLLBACK");
			return status;
		}
	}
	log->snapshot = true;
	return EV_OK;
}

void
log_model_end(struct ev_store *store)
{
	struct log *log = (struct log *)store;

	if (log->snapshot && log->db)
		log_execute(log, "COMMIT");
	log->snapshot = false;
}

static bool
read_model(sqlite3_stmt *row, struct ev_model *model)
{
	struct ev_str mode = log_column(row, 2);
	struct ev_str updated_at = log_column(row, 6);
	struct ev_str hash = log_column(row, 7);

	*model = (struct ev_model){
		.id = sqlite3_column_int64(row, 0),
		.live = sqlite3_column_int(row, 1),
		.mode = EV_MODE_INLINE,
		.position = sqlite3_column_int64(row, 3),
		.documents = sqlite3_column_int64(row, 4),
		.parked = sqlite3_column_int64(row, 5),
		.name = log_column(row, 8),
		.definition = log_column(row, 9),
		.error = log_column(row, 10)
	};
	while (model->mode < EV_MODE_DEMAND &&
	       !ev_str_equal(mode, ev_str(ev_mode_format(model->mode))))
		model->mode++;
	if (updated_at.len != EV_TIME_TEXT || hash.len != LOG_HASH)
		return false;
	memcpy(model->updated_at, updated_at.ptr, EV_TIME_TEXT);
	memcpy(model->hash, hash.ptr, LOG_HASH);
	return true;
}

/* The rows of `sql` for a model. */
static enum ev_status
begin_rows(struct log *log, const char *sql, int64_t model,
           sqlite3_stmt **rows, struct ev_err *err)
{
	enum ev_status status = log_begin_rows(log, sql, rows, err);

	if (!status)
		sqlite3_bind_int64(*rows, 1, model);
	return status;
}

enum ev_status
log_models(struct ev_store *store, ev_model_take *take, void *context,
           struct ev_err *err)
{
	static const char sql[] =
		"SELECT id, live, mode, position, documents, parked,"
		" updated_at, hash, name, definition, error FROM model"
		" WHERE live NOT NULL ORDER BY name, live DESC";
	struct log *log = (struct log *)store;
	sqlite3_stmt *rows;
	struct ev_model model;
	enum ev_status status = begin_rows(log, sql, 0, &rows, err);
	bool more = true;

	if (status)
		return status == EV_NO ? EV_OK : status;
	while (more && sqlite3_step(rows) == SQLITE_ROW)
		more = !read_model(rows, &model) || take(context, &model);
	return log_end_rows(log, rows, err);
}

enum ev_status
log_document(struct ev_store *store, int64_t model, struct ev_str key,
             struct ev_buf *json, int64_t *position, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	enum ev_status status = log_connect(log, err);
	sqlite3_stmt *find;
	bool found;

	if (status)
		return status;
	find = log_statement(log, SQL_DOCUMENT);
	sqlite3_bind_int64(find, 1, model);
	log_bind(find, 2, key);
	found = sqlite3_step(find) == SQLITE_ROW;
	if (found) {
		ev_buf_add_str(json, log_column(find, 0));
		*position = sqlite3_column_int64(find, 1);
	}
	if (!log_reset(find))
		return log_fail(log, "read", err);
	return found ? EV_OK : EV_NO;
}

enum ev_status
log_documents(struct ev_store *store, int64_t model, ev_document_take *take,
              void *context, struct ev_err *err)
{
	static const char sql[] =
		"SELECT key, json, position FROM document"
		" WHERE model = ?1 AND key >= ' ' ORDER BY key";
	struct log *log = (struct log *)store;
	sqlite3_stmt *rows;
	enum ev_status status = begin_rows(log, sql, model, &rows, err);
	bool more = true;

	if (status)
		return status == EV_NO ? EV_OK : status;
	while (more && sqlite3_step(rows) == SQLITE_ROW) {
		struct ev_model_document document = {
			.key = log_column(rows, 0),
			.json = log_column(rows, 1),
			.position = sqlite3_column_int64(rows, 2)
		};

		more = take(context, &document);
	}
	return log_end_rows(log, rows, err);
}

enum ev_status
log_parked(struct ev_store *store, int64_t model, ev_parked_take *take,
           void *context, struct ev_err *err)
{
	static const char sql[] = "SELECT position, reason FROM parked"
	                          " WHERE model = ?1 ORDER BY position";
	struct log *log = (struct log *)store;
	sqlite3_stmt *rows;
	enum ev_status status = begin_rows(log, sql, model, &rows, err);
	bool more = true;

	if (status)
		return status == EV_NO ? EV_OK : status;
	while (more && sqlite3_step(rows) == SQLITE_ROW) {
		struct ev_parked parked = {
			.position = sqlite3_column_int64(rows, 0),
			.reason = log_column(rows, 1)
		};

		more = take(context, &parked);
	}
	return log_end_rows(log, rows, err);
}
