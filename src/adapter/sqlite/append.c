#include <assert.h>
#include <stdlib.h>

#include "adapter/sqlite/log.h"
#include "adapter/sqlite/postings.h"
#include "base/uuid.h"

enum { STREAMS_MAX = 16384 }; /* streams remembered between commits */

/* One event of the list on its way into the tables. */
struct entry {
	struct ev_append *append;
	unsigned char uuid[EV_UUID_BYTES];
	struct ev_str key;     /* uuid, or the id's text */
	struct entry *earlier; /* one of this list with the same id */
	int64_t stream;
	bool placed;
};

/* One append. */
struct batch {
	struct log *log;
	struct entry *entries; /* in the list's order */
	struct entry **sorted;
	size_t count;
	struct postings postings;
	struct ev_buf line;
	bool careful;
	size_t serial;
	int64_t before; /* the log's last position when we began */
	int64_t position; /* the last one given */
	unsigned char hash[LOG_HASH];
	char recorded_at[EV_TIME_TEXT];
	int64_t changes; /* to models, by others than append */
	bool models;     /* there are some to keep */
	bool no_models;  /* they do not work: leave them behind */
	bool apart;      /* a stale event is its own affair */
	bool refused;
};

/* The stream's end, from memory or from the log; NULL: see log_fail. */
static struct stream *
find_stream(struct log *log, struct ev_str name)
{
	struct stream *stream = streams_find(&log->streams, name);
	sqlite3_stmt *find;

	if (stream->last != STREAM_UNKNOWN)
		return stream;
	find = log_statement(log, SQL_STREAM);
	log_bind(find, 1, name);
	if (sqlite3_step(find) == SQLITE_ROW) {
		stream->first = sqlite3_column_int64(find, 0);
		stream->last = sqlite3_column_int64(find, 1);
	} else {
		stream->last = -1;
	}
	return log_reset(find) ? stream : NULL;
}

/* Reads where the log ends, and forgets streams if others have moved it. */
static bool
read_end(struct batch *batch)
{
	struct log *log = batch->log;
	sqlite3_stmt *head = log_statement(log, SQL_HEAD);
	char now[EV_TIME_TEXT];
	struct ev_str recorded_at;

	if (sqlite3_step(head) != SQLITE_ROW) {
		sqlite3_reset(head);
		return false;
	}
	batch->before = batch->position = sqlite3_column_int64(head, 0);
	if (log_column(head, 1).len == LOG_HASH)
		memcpy(batch->hash, log_column(head, 1).ptr, LOG_HASH);
	/* the clock may run backwards, recordedAt does not */
	recorded_at = log_column(head, 2);
	ev_time_format(ev_time_now(), now);
	memcpy(batch->recorded_at, now, EV_TIME_TEXT);
	if (recorded_at.len == EV_TIME_TEXT &&
	    memcmp(recorded_at.ptr, now, EV_TIME_TEXT) > 0)
		memcpy(batch->recorded_at, recorded_at.ptr, EV_TIME_TEXT);
	batch->changes = sqlite3_column_int64(head, 3);
	batch->models = sqlite3_column_int64(head, 4) && !batch->no_models;
	if (!log_reset(head))
		return false;

	if (log->streams_position != batch->position ||
	    log->streams.count > STREAMS_MAX)
		streams_release(&log->streams);
	return true;
}

static int
compare_keys(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;
	int order = ev_str_compare(x->key, y->key);

	return order ? order : (x > y) - (x < y);
}

/*
 * Sorted by id, so that the index is read and written in its own order: for
 * random ids that is the difference between one page per event and one page
 * for many.
 */
static void
sort_by_id(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = &batch->entries[i];
		struct ev_str id = entry->append->event->line.id;

		entry->key = ev_uuid_pack(id, entry->uuid)
		                     ? (struct ev_str){ (char *)entry->uuid,
		                                        EV_UUID_BYTES }
		                     : id;
		batch->sorted[i] = entry;
	}
	qsort(batch->sorted, batch->count, sizeof *batch->sorted, compare_keys);
	for (size_t i = 1; i < batch->count; i++) {
		struct entry *before = batch->sorted[i - 1];
		struct entry *entry = batch->sorted[i];

		if (ev_str_equal(before->key, entry->key))
			entry->earlier = before->earlier ? before->earlier
			                                 : before;
	}
}

static void
bind_key(sqlite3_stmt *statement, const struct entry *entry)
{
	if (entry->key.ptr == (const char *)entry->uuid)
		sqlite3_bind_blob(statement, 1, entry->uuid, EV_UUID_BYTES,
		                  SQLITE_STATIC);
	else
		log_bind(statement, 1, entry->key);
}

/* Notes the position of each id that the log has already. */
static bool
find_ids(struct batch *batch)
{
	sqlite3_stmt *find = log_statement(batch->log, SQL_ID);

	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = batch->sorted[i];

		entry->append->position = 0;
		if (entry->append->fresh_id || entry->earlier)
			continue;
		bind_key(find, entry);
		if (sqlite3_step(find) == SQLITE_ROW)
			entry->append->position = sqlite3_column_int64(find, 0);
		if (!log_reset(find))
			return false;
	}
	return true;
}

/* The id is there already, stored as `line`: the same event, or another? */
static void
answer_known(struct ev_append *append, struct ev_str text)
{
	struct ev_line line;

	append->outcome = EV_DIFFERENT;
	if (!ev_line_parse(text, &line))
		return;
	append->position = line.position;
	append->version = line.version;
	memcpy(append->timestamp, line.timestamp.ptr, EV_TIME_TEXT);
	memcpy(append->recorded_at, line.recorded_at.ptr, EV_TIME_TEXT);
	if (ev_event_same(append->event, text))
		append->outcome = EV_DUPLICATE;
}

static bool
answer_stored(struct log *log, struct ev_append *append)
{
	sqlite3_stmt *find = log_statement(log, SQL_EVENT_LINE);

	sqlite3_bind_int64(find, 1, append->position);
	if (sqlite3_step(find) == SQLITE_ROW)
		answer_known(append, log_column(find, 0));
	else
		append->outcome = EV_DIFFERENT;
	return log_reset(find);
}

static bool
expectation_holds(const struct ev_append *append, const struct stream *stream)
{
	switch (append->expect) {
	case EV_EXPECT_ANY:
		return true;
	case EV_EXPECT_NONE:
		return stream->last < 0;
	case EV_EXPECT_EXISTS:
		return stream->last >= 0;
	case EV_EXPECT_VERSION:
		return stream->last == append->expect_version;
	}
	return false;
}

/* Gives the event its place and its line, and writes its row. */
static enum ev_status
place(struct batch *batch, struct entry *entry, struct stream *stream,
      struct ev_err *err)
{
	struct log *log = batch->log;
	struct ev_append *append = entry->append;
	struct ev_line line = append->event->line;
	const struct type_id *type;
	sqlite3_stmt *add;
	enum ev_status status;

	status = log_type_id(log, append->event->type, &type, err);
	if (status)
		return status;
	line.position = append->position = ++batch->position;
	line.version = append->version = ++stream->last;
	if (line.version == 0)
		stream->first = line.position;
	entry->stream = stream->first;
	line.recorded_at = (struct ev_str){ batch->recorded_at, EV_TIME_TEXT };
	if (!line.timestamp.ptr)
		line.timestamp = line.recorded_at;
	memcpy(append->timestamp, line.timestamp.ptr, EV_TIME_TEXT);
	memcpy(append->recorded_at, line.recorded_at.ptr, EV_TIME_TEXT);
	append->outcome = EV_APPENDED;
	entry->placed = true;

	ev_buf_reset(&batch->line);
	ev_line_format(&batch->line, &line);
	log_hash(batch->hash, batch->hash, type->definition,
	         ev_buf_str(&batch->line));
	add = log_statement(log, SQL_EVENT_ADD);
	sqlite3_bind_int64(add, 1, line.position);
	sqlite3_bind_int64(add, 2, type->id);
	sqlite3_bind_blob(add, 3, batch->hash, LOG_HASH, SQLITE_STATIC);
	log_bind(add, 4, ev_buf_str(&batch->line));
	if (!log_run(add))
		return log_fail(log, "append to", err);

	postings_add(&batch->postings, "type", type->name, line.position);
	postings_add(&batch->postings, "actor", line.actor, line.position);
	postings_add(&batch->postings, "causation", line.causation,
	             line.position);
	postings_add(&batch->postings, "correlation", line.correlation,
	             line.position);
	return batch->models ? log_fold_inline(log, &line, err) : EV_OK;
}

/* Decides what becomes of one event. */
static enum ev_status
decide(struct batch *batch, struct entry *entry, struct ev_err *err)
{
	struct ev_append *append = entry->append;
	struct stream *stream;

	if (entry->earlier) /* what became of it is known by now */
		append->position = entry->earlier->append->position;
	if (append->position && batch->careful) {
		if (!answer_stored(batch->log, append))
			return log_fail(batch->log, "append to", err);
		return EV_OK;
	}
	stream = find_stream(batch->log, append->event->line.stream);
	if (!stream)
		return log_fail(batch->log, "append to", err);
	if ((append->expect != EV_EXPECT_ANY && !batch->apart &&
	     stream->stale == batch->serial) ||
	    !expectation_holds(append, stream)) {
		stream->stale = batch->serial;
		append->outcome = EV_STALE;
		append->version = stream->last;
		append->position = 0;
		return EV_OK;
	}
	return place(batch, entry, stream, err);
}

/*
 * Files each id under the position that its event has, or, before that is
 * known, will have if nothing is refused.
 */
static bool
add_ids(struct batch *batch)
{
	sqlite3_stmt *add = log_statement(batch->log, SQL_ID_ADD);

	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = batch->sorted[i];

		if (batch->careful && !entry->placed)
			continue;
		bind_key(add, entry);
		sqlite3_bind_int64(add, 2, batch->careful
			? entry->append->position
			: batch->position + 1 + (entry - batch->entries));
		if (!log_run(add))
			return false;
	}
	return true;
}

static int
compare_streams(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return (x > y) - (x < y);
}

/* A stream's events in the order of its number, new streams by name. */
static bool
add_stream_events(struct batch *batch)
{
	sqlite3_stmt *add = log_statement(batch->log, SQL_STREAM_EVENT_ADD);
	sqlite3_stmt *add_stream = log_statement(batch->log, SQL_STREAM_ADD);

	qsort(batch->sorted, batch->count, sizeof *batch->sorted,
	      compare_streams);
	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = batch->sorted[i];
		struct ev_append *append = entry->append;

		if (!entry->placed)
			continue;
		if (append->version == 0) {
			log_bind(add_stream, 1, append->event->line.stream);
			sqlite3_bind_int64(add_stream, 2, append->position);
			if (!log_run(add_stream))
				return false;
		}
		sqlite3_bind_int64(add, 1, entry->stream);
		sqlite3_bind_int64(add, 2, append->version);
		sqlite3_bind_int64(add, 3, append->position);
		if (!log_run(add))
			return false;
	}
	return true;
}

/* One row for each value: its first position and the distances from there. */
static bool
add_postings(struct batch *batch)
{
	sqlite3_stmt *add = log_statement(batch->log, SQL_POSTING_ADD);

	postings_sort(&batch->postings);
	for (size_t i = 0; i < batch->postings.count; i++) {
		const struct posting *p = &batch->postings.list[i];

		sqlite3_bind_text(add, 1, p->kind, -1, SQLITE_STATIC);
		log_bind(add, 2, p->value);
		sqlite3_bind_int64(add, 3, p->first);
		if (p->more.len)
			sqlite3_bind_blob(add, 4, p->more.ptr,
			                  (int)p->more.len, SQLITE_STATIC);
		else
			sqlite3_bind_null(add, 4);
		if (!log_run(add))
			return false;
	}
	return true;
}

/* The head says what the last event says; without a new one it stays. */
static bool
set_head(struct batch *batch)
{
	sqlite3_stmt *set = log_statement(batch->log, SQL_HEAD_SET);

	if (batch->position == batch->before)
		return true;
	sqlite3_bind_int64(set, 1, batch->position);
	sqlite3_bind_blob(set, 2, batch->hash, LOG_HASH, SQLITE_STATIC);
	sqlite3_bind_text(set, 3, batch->recorded_at, EV_TIME_TEXT,
	                  SQLITE_STATIC);
	return log_run(set);
}

/* Are there conditions, or one id twice? Then nothing can be presumed. */
static bool
must_be_careful(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->entries[i].earlier ||
		    batch->entries[i].append->expect != EV_EXPECT_ANY)
			return true;
	return false;
}

/*
 * Everything between BEGIN and COMMIT. At first it is presumed that all ids are
 * new, which saves looking each one up: the index itself refuses one that is
 * not. EV_NO: it did, so nothing is presumed the second time.
 */
static enum ev_status
fill(struct batch *batch, enum ev_append_flags flags, struct ev_err *err)
{
	struct log *log = batch->log;
	enum ev_status status;

	if (!read_end(batch))
		return log_fail(log, "append to", err);
	if (log->remembered && (status = log_note_source(log, err)))
		return status;
	if (batch->models &&
	    (status = log_begin_inline(log, batch->before, batch->changes,
	                               err)))
		return status;
	if (batch->careful ? !find_ids(batch) : !add_ids(batch)) {
		if (sqlite3_extended_errcode(log->db) ==
		    SQLITE_CONSTRAINT_PRIMARYKEY)
			return EV_NO;
		return log_fail(log, "append to", err);
	}
	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = &batch->entries[i];

		if ((status = decide(batch, entry, err)))
			return status;
		if ((flags & EV_APPEND_ALL) &&
		    entry->append->outcome >= EV_DIFFERENT)
			batch->refused = true;
	}
	if (batch->refused)
		return EV_OK;
	if ((batch->careful && !add_ids(batch)) || !add_stream_events(batch) ||
	    !add_postings(batch) || !set_head(batch))
		return log_fail(log, "append to", err);
	if (batch->models && batch->position > batch->before)
		return log_save_inline(log, batch->position,
		                       batch->recorded_at, err);
	return EV_OK;
}

static void
roll_back(struct log *log)
{
	if (!sqlite3_get_autocommit(log->db))
		log_execute(log, "ROLLBACK");
	streams_release(&log->streams);
	log_forget_types(log);
	log_forget_inline(log);
}

/*
 * Models can be made again, so what is wrong with them is no reason to refuse
 * events. Whether it was they shows when it is tried without them.
 */
static bool
try_without_models(struct batch *batch)
{
	int code = sqlite3_errcode(batch->log->db) & 0xff;

	if (!batch->models || (code != SQLITE_CORRUPT && code != SQLITE_ERROR &&
	                       code != SQLITE_CONSTRAINT &&
	                       code != SQLITE_TOOBIG))
		return false;
	batch->no_models = true;
	batch->refused = false;
	postings_release(&batch->postings);
	for (size_t i = 0; i < batch->count; i++)
		batch->entries[i].placed = false;
	return true;
}

static enum ev_status
transact(struct batch *batch, enum ev_append_flags flags, struct ev_err *err)
{
	struct log *log = batch->log;
	enum ev_status status;
	bool again;

	sort_by_id(batch);
	batch->careful = must_be_careful(batch);
	for (;;) {
		if (!log_execute(log, "BEGIN IMMEDIATE"))
			return log_fail(log, "append to", err);
		status = fill(batch, flags, err);
		if (!status && !batch->refused)
			break;
		again = status > EV_NO && try_without_models(batch);
		roll_back(log);
		if (again)
			continue;
		if (status != EV_NO)
			return status;
		batch->careful = true;
	}
	if (!log_execute(log, "COMMIT")) {
		status = log_fail(log, "append to", err);
		roll_back(log);
		return status;
	}
	log->streams_position = batch->position;
	if (batch->models)
		log_keep_inline(log, batch->position);
	log->remembered = NULL;
	log_ring(log, batch->position);
	if (log_wal_bytes(log) >= log->wal_most)
		log_checkpoint(log, SQLITE_CHECKPOINT_PASSIVE);
	return EV_OK;
}

/* With ALL: which event it was that refused the rest. */
static enum ev_status
refusal(const struct ev_append *list, size_t n, struct ev_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].outcome >= EV_DIFFERENT)
			return ev_err_set(err, list[i].outcome == EV_STALE
			                               ? EV_CONFLICT
			                               : EV_BAD_INPUT,
			                  "event %zu was refused, so none was "
			                  "appended", i + 1);
	return EV_BUG;
}

enum ev_status
log_append(struct ev_store *store, struct ev_append *list, size_t n,
           enum ev_append_flags flags, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct batch batch = { .log = log, .count = n,
	                       .apart = flags & EV_APPEND_APART };
	enum ev_status status;

	if (!n)
		return EV_OK;
	assert(!log->snapshot);
	if ((status = log_connect_to_append(log, err)) ||
	    (status = log_lock(log, err)))
		return status;
	batch.serial = ++log->serial;
	batch.entries = ev_mem_alloc(n * sizeof *batch.entries);
	batch.sorted = ev_mem_alloc(n * sizeof *batch.sorted);
	for (size_t i = 0; i < n; i++)
		batch.entries[i].append = &list[i];
	status = transact(&batch, flags, err);
	log_unlock(log);
	if (!status && batch.refused)
		status = refusal(list, n, err);
	free(batch.entries);
	free(batch.sorted);
	postings_release(&batch.postings);
	ev_buf_release(&batch.line);
	return status;
}
