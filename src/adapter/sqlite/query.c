#include <stdlib.h>

#include "adapter/sqlite/log.h"
#include "adapter/sqlite/postings.h"

enum {
	CHUNK_MIN = 16 * 1024, /* bytes read in one transaction, at first */
	CHUNK_MAX = 256 * 1024,
	LIST_MAX = 256 * 1024, /* positions that a cursor takes from an index */
	SCAN_MAX = 1024, /* events that are sooner read than looked up */
	NAMES_CHUNK = 256 /* names read in one transaction */
};

/*
 * Rows are copied in chunks, each in a transaction of its own that ends before
 * the first is handed out: a reader that stops reading pins nothing.
 */
struct cursor {
	struct ev_cursor cursor;
	struct log *log;
	int64_t from; /* what is left to read */
	int64_t to;
	bool reverse;
	int64_t *list; /* positions from an index, or NULL: scan */
	size_t list_count;
	size_t list_next;
	bool *types; /* by row of `type`, or NULL: all */
	size_t type_count;
	size_t chunk_size;
	struct ev_buf chunk; /* chunk_row, its bytes, chunk_row, … */
	size_t chunk_next;
};

struct chunk_row {
	int64_t position;
	size_t len;
};

enum ev_status
log_head(struct ev_store *store, struct ev_head *head, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	enum ev_status status = log_connect(log, err);
	sqlite3_stmt *find;

	*head = (struct ev_head){ 0 };
	/* no log yet, or a file that its maker had no time to fill */
	if (status == EV_NO)
		return EV_OK;
	if (status)
		return status;
	find = log_statement(log, SQL_HEAD);
	if (sqlite3_step(find) == SQLITE_ROW) {
		head->position = sqlite3_column_int64(find, 0);
		if (log_column(find, 1).len == LOG_HASH)
			memcpy(head->hash, log_column(find, 1).ptr, LOG_HASH);
	}
	return log_reset(find) ? EV_OK
	                                        : log_fail(log, "read", err);
}

static void
note(struct cursor *cursor, int64_t position)
{
	if (position >= cursor->from && position <= cursor->to &&
	    cursor->list_count < LIST_MAX)
		cursor->list[cursor->list_count++] = position;
}

static bool
note_stream(struct cursor *cursor, struct ev_str name)
{
	sqlite3_stmt *find = log_statement(cursor->log, SQL_STREAM_POSITIONS);

	log_bind(find, 1, name);
	while (cursor->list_count < LIST_MAX &&
	       sqlite3_step(find) == SQLITE_ROW)
		note(cursor, sqlite3_column_int64(find, 0));
	return log_reset(find);
}

static bool
note_postings(struct cursor *cursor, const char *kind, struct ev_str value)
{
	sqlite3_stmt *find = log_statement(cursor->log, SQL_POSTINGS);

	sqlite3_bind_text(find, 1, kind, -1, SQLITE_STATIC);
	log_bind(find, 2, value);
	sqlite3_bind_int64(find, 3, cursor->from);
	sqlite3_bind_int64(find, 4, cursor->to);
	while (cursor->list_count < LIST_MAX &&
	       sqlite3_step(find) == SQLITE_ROW) {
		int64_t position = sqlite3_column_int64(find, 0);
		struct ev_str more = log_column(find, 1);
		const unsigned char *at = (const unsigned char *)more.ptr;
		const unsigned char *end = at + more.len;

		note(cursor, position);
		while (at < end && postings_next(&at, end, &position))
			note(cursor, position);
	}
	return log_reset(find);
}

static int
compare_positions(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* In order, each once. */
static void
sort_list(struct cursor *cursor)
{
	size_t kept = 0;

	qsort(cursor->list, cursor->list_count, sizeof *cursor->list,
	      compare_positions);
	for (size_t i = 0; i < cursor->list_count; i++)
		if (!kept || cursor->list[kept - 1] != cursor->list[i])
			cursor->list[kept++] = cursor->list[i];
	cursor->list_count = kept;
}

/*
 * Takes positions from the first index that the query has a condition for and
 * that narrows it enough; a list that is long is no better than a scan.
 */
static bool
use_index(struct cursor *cursor, const struct ev_query *query)
{
	const struct {
		const char *kind; /* NULL: by stream */
		struct ev_slices slices;
	} indexes[] = {
		{ NULL, query->streams },
		{ "correlation", query->correlations },
		{ "causation", query->causations },
		{ "actor", query->actors },
		{ "type", query->types },
	};
	size_t most = (size_t)(cursor->to - cursor->from) / 4 + 1024;

	if (cursor->to - cursor->from < SCAN_MAX)
		return true;
	if (most >= LIST_MAX)
		most = LIST_MAX - 1;
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
		const struct ev_slices *values = &indexes[i].slices;
		bool done = true;

		if (!values->count)
			continue;
		if (!cursor->list)
			cursor->list = ev_mem_resize(NULL, LIST_MAX *
			                             sizeof *cursor->list);
		cursor->list_count = 0;
		for (size_t v = 0; done && v < values->count; v++)
			done = indexes[i].kind
			               ? note_postings(cursor, indexes[i].kind,
			                               values->list[v])
			               : note_stream(cursor, values->list[v]);
		if (!done)
			return false;
		if (cursor->list_count <= most) {
			sort_list(cursor);
			return true;
		}
	}
	free(cursor->list);
	cursor->list = NULL;
	return true;
}

/* For a scan: which rows of `type` are asked for. */
static bool
want_types(struct cursor *cursor, const struct ev_query *query)
{
	sqlite3_stmt *find = log_statement(cursor->log, SQL_TYPE_IDS);

	if (!query->types.count)
		return true;
	cursor->types = ev_mem_alloc(1);
	for (size_t i = 0; i < query->types.count; i++) {
		log_bind(find, 1, query->types.list[i]);
		while (sqlite3_step(find) == SQLITE_ROW) {
			size_t id = (size_t)sqlite3_column_int64(find, 0);

			if (id >= cursor->type_count) {
				cursor->types = ev_mem_resize(cursor->types,
				                              id + 1);
				memset(cursor->types + cursor->type_count, 0,
				       id + 1 - cursor->type_count);
				cursor->type_count = id + 1;
			}
			cursor->types[id] = true;
		}
		if (!log_reset(find))
			return false;
	}
	return true;
}

/* Was the first event at or after `position` recorded at or after `time`? */
static bool
is_recorded_since(struct log *log, int64_t position, const char *time,
                  bool *failed)
{
	sqlite3_stmt *find = log_statement(log, SQL_LINE_FROM);
	struct ev_line line;
	bool since = true;

	sqlite3_bind_int64(find, 1, position);
	if (sqlite3_step(find) == SQLITE_ROW &&
	    ev_line_parse(log_column(find, 0), &line) &&
	    line.recorded_at.len == EV_TIME_TEXT)
		since = memcmp(line.recorded_at.ptr, time, EV_TIME_TEXT) >= 0;
	if (!log_reset(find))
		*failed = true;
	return since;
}

/* recordedAt never runs backwards: the first position recorded since `time`,
   one past the end if there is none. */
static int64_t
find_time(struct cursor *cursor, int64_t time, bool *failed)
{
	int64_t low = cursor->from, high = cursor->to + 1;
	char text[EV_TIME_TEXT];

	ev_time_format(time, text);
	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		if (is_recorded_since(cursor->log, middle, text, failed))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool
narrow(struct cursor *cursor, const struct ev_query *query)
{
	bool failed = false;

	if (query->from_time != EV_TIME_NONE)
		cursor->from = find_time(cursor, query->from_time, &failed);
	if (query->to_time != EV_TIME_NONE)
		cursor->to = find_time(cursor, query->to_time + 1, &failed) - 1;
	return !failed && (cursor->from > cursor->to ||
	                   (use_index(cursor, query) &&
	                    (cursor->list || want_types(cursor, query))));
}

enum ev_status
log_query(struct ev_store *store, const struct ev_query *query,
          struct ev_cursor **out, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct cursor *cursor;
	struct ev_head head;
	enum ev_status status = log_head(store, &head, err);

	if (status)
		return status;
	cursor = ev_mem_alloc(sizeof *cursor);
	cursor->cursor.ops = store->ops;
	cursor->log = log;
	cursor->from = query->from > 1 ? query->from : 1;
	cursor->to = query->to < head.position ? query->to : head.position;
	cursor->reverse = query->reverse;
	cursor->chunk_size = CHUNK_MIN;
	if (cursor->from <= cursor->to && !narrow(cursor, query)) {
		log_query_close(&cursor->cursor);
		return log_fail(log, "read", err);
	}
	*out = &cursor->cursor;
	return EV_OK;
}

static void
keep(struct cursor *cursor, int64_t position, struct ev_str line)
{
	struct chunk_row row = { position, line.len };

	ev_buf_add(&cursor->chunk, &row, sizeof row);
	ev_buf_add_str(&cursor->chunk, line);
	/* the next header must stand where its type may */
	while (cursor->chunk.len % _Alignof(struct chunk_row))
		ev_buf_add_char(&cursor->chunk, 0);
}

static bool
fill_from_scan(struct cursor *cursor)
{
	sqlite3_stmt *scan = log_statement(cursor->log, cursor->reverse
	                                                        ? SQL_SCAN_BACK
	                                                        : SQL_SCAN);
	int code = SQLITE_ROW;

	sqlite3_bind_int64(scan, 1, cursor->from);
	sqlite3_bind_int64(scan, 2, cursor->to);
	while (cursor->chunk.len < cursor->chunk_size &&
	       (code = sqlite3_step(scan)) == SQLITE_ROW) {
		int64_t position = sqlite3_column_int64(scan, 0);
		size_t type = (size_t)sqlite3_column_int64(scan, 1);

		if (cursor->reverse)
			cursor->to = position - 1;
		else
			cursor->from = position + 1;
		if (!cursor->types ||
		    (type < cursor->type_count && cursor->types[type]))
			keep(cursor, position, log_column(scan, 2));
	}
	if (code == SQLITE_DONE)
		cursor->from = cursor->to + 1;
	return log_reset(scan);
}

static bool
fill_from_list(struct cursor *cursor)
{
	sqlite3_stmt *find = log_statement(cursor->log, SQL_EVENT_LINE);
	bool done = log_begin_read(cursor->log);

	while (done && cursor->list_next < cursor->list_count &&
	       cursor->chunk.len < cursor->chunk_size) {
		size_t next = cursor->list_next++;
		int64_t position = cursor->list[
			cursor->reverse ? cursor->list_count - 1 - next : next];

		sqlite3_bind_int64(find, 1, position);
		if (sqlite3_step(find) == SQLITE_ROW)
			keep(cursor, position, log_column(find, 0));
		done = log_reset(find);
	}
	if (cursor->list_next == cursor->list_count)
		cursor->from = cursor->to + 1;
	return done && log_end_read(cursor->log);
}

enum ev_status
log_next(struct ev_cursor *c, struct ev_row *row, struct ev_err *err)
{
	struct cursor *cursor = (struct cursor *)c;
	const struct chunk_row *head;

	while (cursor->chunk_next >= cursor->chunk.len) {
		if (cursor->from > cursor->to)
			return EV_NO;
		ev_buf_reset(&cursor->chunk);
		cursor->chunk_next = 0;
		if (!(cursor->list ? fill_from_list(cursor)
		                   : fill_from_scan(cursor)))
			return log_fail(cursor->log, "read", err);
		if (cursor->chunk_size < CHUNK_MAX)
			cursor->chunk_size *= 2;
	}
	head = (const void *)(cursor->chunk.ptr + cursor->chunk_next);
	row->position = head->position;
	row->line = (struct ev_str){ (const char *)(head + 1), head->len };
	cursor->chunk_next += sizeof *head + head->len;
	while (cursor->chunk_next % _Alignof(struct chunk_row))
		cursor->chunk_next++;
	return EV_OK;
}

void
log_query_close(struct ev_cursor *c)
{
	struct cursor *cursor = (struct cursor *)c;

	ev_buf_release(&cursor->chunk);
	free(cursor->list);
	free(cursor->types);
	free(cursor);
}

/*
 * Up to NAMES_CHUNK names from `next` on, each with a newline, which no name
 * has; `next` becomes where to go on, empty: there are no more. One by one,
 * because a name can have any number of rows.
 */
static bool
fill_names(struct log *log, sqlite3_stmt *find, struct ev_str prefix,
           struct ev_buf *next, struct ev_buf *chunk)
{
	bool done = log_begin_read(log);

	for (int i = 0; done && i < NAMES_CHUNK && next->len; i++) {
		struct ev_str name = { 0 };

		log_bind(find, 1, ev_buf_str(next));
		if (sqlite3_step(find) == SQLITE_ROW)
			name = log_column(find, 0);
		/* in a damaged file the order could be anything */
		if (ev_str_compare(name, ev_buf_str(next)) < 0 ||
		    !ev_str_starts(name, prefix))
			name.len = 0;
		ev_buf_reset(next);
		if (name.len) {
			ev_buf_add_str(chunk, name);
			ev_buf_add_char(chunk, '\n');
			/* before every longer name: controls are escaped */
			ev_buf_add_str(next, name);
			ev_buf_add_char(next, '\1');
		}
		done = log_reset(find);
	}
	return done && log_end_read(log);
}

enum ev_status
log_names(struct ev_store *store, enum ev_names kind, struct ev_str prefix,
          ev_name *take, void *context, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct ev_buf next = { 0 }, chunk = { 0 };
	enum ev_status status = log_connect(log, err);
	sqlite3_stmt *find;
	bool more = true;

	if (status)
		return status == EV_NO ? EV_OK : status;
	find = log_statement(log, kind == EV_NAMES_STREAMS ? SQL_STREAM_FROM
	                                                   : SQL_VALUE_FROM);
	if (kind != EV_NAMES_STREAMS)
		log_bind(find, 2, ev_str(kind == EV_NAMES_TYPES ? "type"
		                                                : "actor"));
	if (prefix.len)
		ev_buf_add_str(&next, prefix);
	else
		ev_buf_add_char(&next, '\1');
	while (!status && more && next.len) {
		ev_buf_reset(&chunk);
		if (!fill_names(log, find, prefix, &next, &chunk))
			status = log_fail(log, "read", err);
		for (size_t at = 0; !status && more && at < chunk.len;) {
			const char *name = chunk.ptr + at;
			const char *end = memchr(name, '\n', chunk.len - at);

			more = take(context, (struct ev_str){
				name, (size_t)(end - name) });
			at += (size_t)(end - name) + 1;
		}
	}
	ev_buf_release(&next);
	ev_buf_release(&chunk);
	return status;
}
