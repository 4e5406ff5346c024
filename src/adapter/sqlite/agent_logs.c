#include "adapter/agent_logs.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "adapter/sqlite/log.h"

enum {
	VERSION = 1,
	APPLICATION = 0x65766167, /* "evag" */
	STEP_ENTRIES = 100, /* that a trim deletes */
	STEP_PAGES = 512,   /* that it gives back */
	WAL_KEPT = 1 << 20
};

/*
 * `received` is when an entry came, `bytes` how long its texts are. Ids are not
 * used again thanks to AUTOINCREMENT, which keeps the highest in
 * sqlite_sequence.
 */
static const char schema[] =
	"CREATE TABLE entry(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" agentId TEXT NOT NULL, timestamp INTEGER NOT NULL,"
	" level INTEGER NOT NULL, message TEXT NOT NULL, data TEXT,"
	" received INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;"
	"CREATE INDEX entry_agent ON entry(agentId);"
	"CREATE INDEX entry_received ON entry(received);"
	"PRAGMA application_id = 0x65766167;"
	"PRAGMA user_version = 1;";

enum statement {
	SQL_ADD,
	SQL_LAST,
	SQL_READ,
	SQL_READ_AGENT,
	SQL_NEWEST,
	SQL_NEWEST_AGENT,
	SQL_OLDEST,
	SQL_DELETE,
	SQL_DELETE_OLD,
	SQL_USED,
	SQL_COUNT_OF_ALL
};

#define COLUMNS "id, agentId, timestamp, level, message, data, bytes"

static const char *const sql[SQL_COUNT_OF_ALL] = {
	[SQL_ADD] = "INSERT INTO entry (agentId, timestamp, level, message,"
	            " data, received, bytes)"
	            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_LAST] = "SELECT seq FROM sqlite_sequence WHERE name = 'entry'",
	[SQL_READ] = "SELECT " COLUMNS " FROM entry"
	             " WHERE id > ?1 AND level >= ?2 ORDER BY id",
	[SQL_READ_AGENT] = "SELECT " COLUMNS " FROM entry"
	                   " WHERE id > ?1 AND level >= ?2 AND agentId = ?3"
	                   " ORDER BY id",
	[SQL_NEWEST] = "SELECT id, bytes FROM entry WHERE level >= ?2"
	               " AND id > ?1 ORDER BY id DESC",
	[SQL_NEWEST_AGENT] = "SELECT id, bytes FROM entry WHERE level >= ?2"
	                     " AND id > ?1 AND agentId = ?3"
	                     " ORDER BY id DESC",
	[SQL_OLDEST] = "SELECT id, bytes FROM entry ORDER BY id LIMIT ?1",
	[SQL_DELETE] = "DELETE FROM entry WHERE id <= ?1",
	[SQL_DELETE_OLD] = "DELETE FROM entry WHERE id IN (SELECT id FROM entry"
	                   " WHERE received < ?1 ORDER BY received LIMIT ?2)",
	[SQL_USED] = "SELECT (page_count - freelist_count) * page_size,"
	             " freelist_count FROM pragma_page_count,"
	             " pragma_freelist_count, pragma_page_size",
};

struct agent_logs {
	struct ev_agent_logs logs;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT_OF_ALL];
};

/* ---- errors */

static enum ev_status
fail(struct agent_logs *a, const char *what, struct ev_err *err)
{
	int code = sqlite3_extended_errcode(a->db);
	int system = sqlite3_system_errno(a->db);
	enum ev_status status = EV_IO;
	const char *why = sqlite3_errmsg(a->db);

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ev_err_set(err, EV_BUSY, "cannot %s '%s': another "
		                  "process has it", what, a->path);
	case SQLITE_FULL:
		why = strerror(ENOSPC);
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
		status = EV_UNREACHABLE;
		if (system)
			why = strerror(system);
		break;
	case SQLITE_IOERR:
		if (system)
			why = strerror(system);
		break;
	case SQLITE_NOTADB:
		return ev_err_set(err, EV_UNREACHABLE, "cannot %s '%s': it is "
		                  "no file of agents' logs", what, a->path);
	case SQLITE_CORRUPT:
	case SQLITE_ERROR: /* our statements fit our tables */
	case SQLITE_CONSTRAINT:
		return ev_err_set(err, EV_IO, "cannot %s '%s': it is damaged "
		                  "(%s), remove it", what, a->path, why);
	}
	return ev_err_set(err, status, "cannot %s '%s': %s", what, a->path,
	                  why);
}

static bool
execute(struct agent_logs *a, const char *statements)
{
	return sqlite3_exec(a->db, statements, NULL, NULL, NULL) == SQLITE_OK;
}

/* Leaves a transaction that failed; `fail` must have been asked before. */
static void
roll_back(struct agent_logs *a)
{
	if (!sqlite3_get_autocommit(a->db))
		execute(a, "ROLLBACK");
}

static sqlite3_stmt *
get(struct agent_logs *a, enum statement which)
{
	sqlite3_stmt **statement = &a->statements[which];

	if (!*statement)
		sqlite3_prepare_v3(a->db, sql[which], -1,
		                   SQLITE_PREPARE_PERSISTENT, statement, NULL);
	return *statement;
}

static bool
reset(sqlite3_stmt *statement)
{
	return statement && sqlite3_reset(statement) == SQLITE_OK;
}

static void
bind(sqlite3_stmt *statement, int place, struct ev_str text)
{
	sqlite3_bind_text64(statement, place, text.ptr ? text.ptr : "",
	                    text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static struct ev_str
column(sqlite3_stmt *statement, int place)
{
	const char *bytes = sqlite3_column_blob(statement, place);

	return (struct ev_str){
		bytes ? bytes : "",
		(size_t)sqlite3_column_bytes(statement, place)
	};
}

/* ---- adding */

static int64_t
bytes_of(const struct ev_agent_entry *entry)
{
	return (int64_t)(entry->agent.len + entry->message.len +
	                 entry->data.len);
}

static bool
add_one(struct agent_logs *a, struct ev_agent_entry *entry, int64_t received)
{
	sqlite3_stmt *statement = get(a, SQL_ADD);

	if (!statement)
		return false;
	bind(statement, 1, entry->agent);
	sqlite3_bind_int64(statement, 2, entry->time);
	sqlite3_bind_int(statement, 3, (int)entry->level);
	bind(statement, 4, entry->message);
	if (entry->data.ptr)
		bind(statement, 5, entry->data);
	else
		sqlite3_bind_null(statement, 5);
	sqlite3_bind_int64(statement, 6, received);
	sqlite3_bind_int64(statement, 7, bytes_of(entry));
	sqlite3_step(statement);
	entry->id = sqlite3_last_insert_rowid(a->db);
	return reset(statement);
}

static enum ev_status
logs_add(struct ev_agent_logs *logs, struct ev_agent_entry *entries,
         size_t count, int64_t received, struct ev_err *err)
{
	struct agent_logs *a = (struct agent_logs *)logs;
	bool fine = execute(a, "BEGIN IMMEDIATE");
	enum ev_status status = EV_OK;

	for (size_t i = 0; fine && i < count; i++)
		fine = add_one(a, &entries[i], received);
	if (!fine || !execute(a, "COMMIT")) {
		status = fail(a, "write", err);
		roll_back(a);
	}
	return status;
}

/* ---- reading */

static bool
read_last(struct agent_logs *a, int64_t *last)
{
	sqlite3_stmt *statement = get(a, SQL_LAST);

	*last = 0;
	if (statement && sqlite3_step(statement) == SQLITE_ROW)
		*last = sqlite3_column_int64(statement, 0);
	return reset(statement);
}

static sqlite3_stmt *
begin_rows(struct agent_logs *a, const struct ev_agent_query *query,
           int64_t after, enum statement any, enum statement of_agent)
{
	sqlite3_stmt *rows = get(a, query->agent.ptr ? of_agent : any);

	if (!rows)
		return NULL;
	sqlite3_bind_int64(rows, 1, after);
	sqlite3_bind_int(rows, 2, (int)query->level);
	if (query->agent.ptr)
		bind(rows, 3, query->agent);
	return rows;
}

/* After which entry the last ones begin, as many as there may be. */
static bool
find_newest(struct agent_logs *a, const struct ev_agent_query *query,
            int64_t last, int64_t *after)
{
	sqlite3_stmt *rows = begin_rows(a, query, 0, SQL_NEWEST,
	                                SQL_NEWEST_AGENT);
	int64_t count = 0, bytes = 0;

	*after = last;
	while (rows && count < query->limit &&
	       sqlite3_step(rows) == SQLITE_ROW) {
		bytes += sqlite3_column_int64(rows, 1);
		if (count++ && bytes > query->bytes)
			break;
		*after = sqlite3_column_int64(rows, 0) - 1;
	}
	return reset(rows);
}

static struct ev_agent_entry
read_entry(sqlite3_stmt *rows)
{
	struct ev_agent_entry entry = {
		.id = sqlite3_column_int64(rows, 0),
		.agent = column(rows, 1),
		.time = sqlite3_column_int64(rows, 2),
		.level = (enum ev_agent_level)sqlite3_column_int(rows, 3),
		.message = column(rows, 4),
	};

	/* the file is not ours alone to write */
	if (entry.level < EV_AGENT_TRACE || entry.level > EV_AGENT_ERROR)
		entry.level = EV_AGENT_INFO;
	if (sqlite3_column_type(rows, 5) != SQLITE_NULL)
		entry.data = column(rows, 5);
	return entry;
}

static bool
read_rows(struct agent_logs *a, const struct ev_agent_query *query,
          int64_t after, ev_agent_take *take, void *context,
          struct ev_agent_page *page)
{
	sqlite3_stmt *rows = begin_rows(a, query, after, SQL_READ,
	                                SQL_READ_AGENT);
	int64_t count = 0, bytes = 0;

	page->next = after;
	page->end = true;
	while (rows && sqlite3_step(rows) == SQLITE_ROW) {
		struct ev_agent_entry entry;

		bytes += sqlite3_column_int64(rows, 6);
		if (count >= query->limit || (count && bytes > query->bytes)) {
			page->end = false;
			break;
		}
		entry = read_entry(rows);
		take(context, &entry);
		page->next = entry.id;
		count++;
	}
	if (page->end)
		page->next = page->last;
	return reset(rows);
}

static enum ev_status
logs_read(struct ev_agent_logs *logs, const struct ev_agent_query *query,
          ev_agent_take *take, void *context, struct ev_agent_page *page,
          struct ev_err *err)
{
	struct agent_logs *a = (struct agent_logs *)logs;
	struct ev_agent_page found = { 0 };
	int64_t after = query->after;
	bool fine = execute(a, "BEGIN") && read_last(a, &found.last);

	if (after > found.last)
		after = found.last;
	if (fine && after < 0)
		fine = find_newest(a, query, found.last, &after);
	if (!fine || !read_rows(a, query, after, take, context, &found) ||
	    !execute(a, "COMMIT")) {
		enum ev_status status = fail(a, "read", err);

		roll_back(a);
		return status;
	}
	*page = found;
	return EV_OK;
}

/* ---- keeping it small */

static bool
measure(struct agent_logs *a, int64_t *used, int64_t *free_pages)
{
	sqlite3_stmt *statement = get(a, SQL_USED);

	*used = *free_pages = 0;
	if (statement && sqlite3_step(statement) == SQLITE_ROW) {
		*used = sqlite3_column_int64(statement, 0);
		*free_pages = sqlite3_column_int64(statement, 1);
	}
	return reset(statement);
}

static bool
delete_old(struct agent_logs *a, int64_t received, int64_t *gone)
{
	sqlite3_stmt *statement = get(a, SQL_DELETE_OLD);

	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, received);
	sqlite3_bind_int(statement, 2, STEP_ENTRIES);
	sqlite3_step(statement);
	*gone += sqlite3_changes(a->db);
	return reset(statement);
}

/* The oldest, about `bytes` of them. */
static bool
delete_oldest(struct agent_logs *a, int64_t bytes, int64_t *gone)
{
	sqlite3_stmt *statement = get(a, SQL_OLDEST);
	int64_t last = 0;

	if (!statement)
		return false;
	sqlite3_bind_int(statement, 1, STEP_ENTRIES);
	while (bytes > 0 && sqlite3_step(statement) == SQLITE_ROW) {
		last = sqlite3_column_int64(statement, 0);
		bytes -= sqlite3_column_int64(statement, 1);
	}
	if (!reset(statement) || !(statement = get(a, SQL_DELETE)))
		return false;
	sqlite3_bind_int64(statement, 1, last);
	sqlite3_step(statement);
	*gone += sqlite3_changes(a->db);
	return reset(statement);
}

/*
 * Once there is too much, an eighth more than that goes, so that the next entry
 * is not the next reason. Entries take more than their texts: what is deleted
 * is measured again by the next step.
 */
static enum ev_status
logs_trim(struct ev_agent_logs *logs, const struct ev_agent_keep *keep,
          int64_t *gone, struct ev_err *err)
{
	struct agent_logs *a = (struct agent_logs *)logs;
	int64_t used = 0, free_pages = 0, deleted = 0;
	char vacuum[64];
	bool fine = execute(a, "BEGIN IMMEDIATE") &&
	            measure(a, &used, &free_pages) &&
	            delete_old(a, keep->received, &deleted);

	if (fine && !deleted && keep->bytes > 0 && used > keep->bytes)
		fine = delete_oldest(a, used - keep->bytes + keep->bytes / 8,
		                     &deleted);
	if (!fine || !execute(a, "COMMIT")) {
		enum ev_status status = fail(a, "tidy up", err);

		roll_back(a);
		return status;
	}
	*gone = deleted;
	if (!measure(a, &used, &free_pages))
		return fail(a, "tidy up", err);
	snprintf(vacuum, sizeof vacuum, "PRAGMA incremental_vacuum(%d)",
	         (int)STEP_PAGES);
	if (free_pages && !execute(a, vacuum))
		return fail(a, "tidy up", err);
	return deleted || free_pages > STEP_PAGES ? EV_OK : EV_NO;
}

static int64_t
file_size(const char *path, const char *end)
{
	struct ev_buf name = { 0 };
	struct stat info;
	int64_t size = 0;

	ev_buf_printf(&name, "%s%s", path, end);
	ev_buf_add_char(&name, '\0');
	if (stat(name.ptr, &info) == 0)
		size = info.st_size;
	ev_buf_release(&name);
	return size;
}

static int64_t
logs_size(struct ev_agent_logs *logs)
{
	const struct agent_logs *a = (struct agent_logs *)logs;

	return file_size(a->path, "") + file_size(a->path, "-wal");
}

static void
logs_close(struct ev_agent_logs *logs)
{
	struct agent_logs *a = (struct agent_logs *)logs;

	for (int i = 0; i < SQL_COUNT_OF_ALL; i++)
		sqlite3_finalize(a->statements[i]);
	sqlite3_close(a->db);
	free(a->path);
	free(a);
}

static const struct ev_agent_logs_ops ops = {
	.add = logs_add,
	.read = logs_read,
	.trim = logs_trim,
	.size = logs_size,
	.close = logs_close,
};

/* ---- opening */

/*
 * One process has the file, which needs no shared memory then, and in which no
 * second connection can checkpoint while we write (SQLite's WAL-reset bug).
 */
static bool
configure(struct agent_logs *a, int wait_ms)
{
	char pragmas[200];

	sqlite3_extended_result_codes(a->db, 1);
	sqlite3_busy_timeout(a->db, wait_ms > 0 ? wait_ms : 1);
	sqlite3_db_config(a->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(a->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	snprintf(pragmas, sizeof pragmas,
	         "PRAGMA locking_mode = EXCLUSIVE;"
	         "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
	         "PRAGMA cache_size = -2000; PRAGMA journal_size_limit = %d",
	         (int)WAL_KEPT);
	return execute(a, pragmas);
}

static bool
ask(struct agent_logs *a, const char *question, int *number)
{
	sqlite3_stmt *statement = NULL;

	*number = 0;
	if (sqlite3_prepare_v2(a->db, question, -1, &statement, NULL) ==
	            SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		*number = sqlite3_column_int(statement, 0);
	return sqlite3_finalize(statement) == SQLITE_OK && statement;
}

/* Makes the tables in an empty file, and takes the lock. false: see fail. */
static bool
make_tables(struct agent_logs *a, int *application, int *version)
{
	int tables = 0;

	/* what is set before the first table is part of the file */
	if (!ask(a, "SELECT count(*) FROM sqlite_schema", &tables) ||
	    (!tables && (!execute(a, "PRAGMA auto_vacuum = INCREMENTAL") ||
	                 !execute(a, "PRAGMA journal_mode = WAL"))))
		return false;
	return execute(a, "BEGIN IMMEDIATE") &&
	       ask(a, "SELECT count(*) FROM sqlite_schema", &tables) &&
	       (tables || execute(a, schema)) &&
	       ask(a, "PRAGMA application_id", application) &&
	       ask(a, "PRAGMA user_version", version) && execute(a, "COMMIT");
}

static enum ev_status
prepare(struct agent_logs *a, struct ev_err *err)
{
	int application = 0, version = 0;

	if (!make_tables(a, &application, &version))
		return fail(a, "open", err);
	if (application != APPLICATION)
		return ev_err_set(err, EV_UNREACHABLE, "cannot open '%s': it is "
		                  "no file of agents' logs", a->path);
	if (version != VERSION)
		return ev_err_set(err, EV_UNREACHABLE, "cannot open '%s': it was "
		                  "made by a newer ev (layout %d), upgrade",
		                  a->path, version);
	return EV_OK;
}

/* Nobody may make us write somewhere else. */
static enum ev_status
check_file(const struct agent_logs *a, struct ev_err *err)
{
	struct stat info;

	if (lstat(a->path, &info) != 0)
		return errno == ENOENT ? EV_OK
			: ev_err_set(err, EV_UNREACHABLE, "cannot open '%s': %s",
			             a->path, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': it is no plain file",
		                  a->path);
	if (info.st_nlink > 1)
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': it has %lu names (hard "
		                  "links), remove all but one", a->path,
		                  (unsigned long)info.st_nlink);
	return EV_OK;
}

enum ev_status
ev_agent_logs_open(struct ev_agent_logs **out, const char *log, int wait_ms,
                   struct ev_err *err)
{
	struct agent_logs *a = ev_mem_alloc(sizeof *a);
	char *resolved = log_resolve(log);
	struct ev_buf path = { 0 };
	enum ev_status status;

	ev_buf_printf(&path, "%s-agents", resolved);
	ev_buf_add_char(&path, '\0');
	free(resolved);
	a->logs.ops = &ops;
	a->path = path.ptr;
	status = check_file(a, err);
	if (!status &&
	    (sqlite3_open_v2(a->path, &a->db, SQLITE_OPEN_READWRITE |
	                     SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
	                     SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK ||
	     !configure(a, wait_ms)))
		status = fail(a, "open", err);
	if (!status)
		status = prepare(a, err);
	if (status) {
		logs_close(&a->logs);
		return status;
	}
	*out = &a->logs;
	return EV_OK;
}
