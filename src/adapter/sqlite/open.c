#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "adapter/sqlite/log.h"

/*
 * FULL: a commit is on the disk before it is acknowledged. NORMAL lost
 * acknowledged events in 18 of 30 power cuts; only the test that shows this
 * builds with another value.
 */
#ifndef LOG_SYNCHRONOUS
#define LOG_SYNCHRONOUS "FULL"
#endif

/*
 * Who opens a log that nobody else has open reads its whole WAL first, so what
 * we leave behind is small. While we have it open it may grow, so that a bulk
 * append does not copy the same pages again and again.
 */
enum { WAL_MOST = 64 << 20, WAL_LEFT = 256 << 10 };

static const char *const sql[SQL_COUNT] = {
	[SQL_HEAD] = "SELECT position, hash, recorded_at, models, inline"
	             " FROM head",
	[SQL_HEAD_SET] = "UPDATE head SET position = ?1, hash = ?2,"
	                 " recorded_at = ?3",
	[SQL_HEAD_MODELS] = "UPDATE head SET models = models + 1, inline ="
	                    " (SELECT count(*) FROM model"
	                    " WHERE live AND mode = 'inline')",
	[SQL_EVENT_ADD] = "INSERT INTO event VALUES (?1, ?2, ?3, ?4)",
	[SQL_EVENT_LINE] = "SELECT line FROM event WHERE position = ?1",
	[SQL_STREAM] = "SELECT first, (SELECT max(version) FROM stream_event"
	               " WHERE stream = first) FROM stream WHERE name = ?1",
	[SQL_STREAM_ADD] = "INSERT INTO stream VALUES (?1, ?2)",
	[SQL_STREAM_EVENT_ADD] = "INSERT INTO stream_event VALUES (?1, ?2, ?3)",
	[SQL_STREAM_EVENT] = "SELECT position FROM stream_event"
	                     " WHERE stream = ?1 AND version = ?2",
	[SQL_ID] = "SELECT position FROM event_id WHERE id = ?1",
	[SQL_ID_ADD] = "INSERT INTO event_id VALUES (?1, ?2)",
	[SQL_POSTING_ADD] = "INSERT INTO posting VALUES (?1, ?2, ?3, ?4)",
	[SQL_TYPE] = "SELECT id FROM type WHERE definition = ?1"
	             " AND name = ?2 AND version = ?3",
	[SQL_TYPE_ADD] = "INSERT INTO type (definition, name, version)"
	                 " VALUES (?1, ?2, ?3)",
	[SQL_DEFINITION] = "SELECT id FROM definition WHERE hash = ?1",
	[SQL_DEFINITION_ADD] = "INSERT INTO definition (hash, catalog, json)"
	                       " VALUES (?1, ?2, ?3)",
	[SQL_SOURCE] = "SELECT d.json, d.catalog, d.id, d.hash FROM source s"
	               " JOIN definition d ON d.id = s.definition"
	               " WHERE s.identity = ?1 ORDER BY s.place",
	[SQL_SOURCE_ADD] = "INSERT OR REPLACE INTO source VALUES (?1, ?2, ?3)",
	[SQL_SCAN] = "SELECT position, type, line FROM event"
	             " WHERE position BETWEEN ?1 AND ?2 ORDER BY position",
	[SQL_SCAN_BACK] = "SELECT position, type, line FROM event"
	                  " WHERE position BETWEEN ?1 AND ?2"
	                  " ORDER BY position DESC",
	[SQL_LINE_FROM] = "SELECT line FROM event WHERE position >= ?1"
	                  " ORDER BY position LIMIT 1",
	[SQL_STREAM_POSITIONS] = "SELECT position FROM stream_event"
	                         " WHERE stream = (SELECT first FROM stream"
	                         " WHERE name = ?1)",
	[SQL_POSTINGS] = "SELECT position, more FROM posting"
	                 " WHERE kind = ?1 AND value = ?2 AND position <= ?4"
	                 " AND position >= coalesce((SELECT max(position)"
	                 " FROM posting WHERE kind = ?1 AND value = ?2"
	                 " AND position <= ?3), 0) ORDER BY position",
	[SQL_TYPE_IDS] = "SELECT t.id FROM type t"
	                 " JOIN definition d ON d.id = t.definition"
	                 " WHERE d.catalog || '/' || t.name = ?1",
	[SQL_EVENT] = "SELECT type, hash, line FROM event WHERE position = ?1",
	[SQL_STREAM_FROM] = "SELECT name FROM stream WHERE name >= ?1"
	                    " ORDER BY name LIMIT 1",
	[SQL_VALUE_FROM] = "SELECT value FROM posting WHERE kind = ?2"
	                   " AND value >= ?1 ORDER BY value LIMIT 1",
	[SQL_MODEL] = "SELECT position, live, name, mode = 'inline', error"
	              " FROM model WHERE id = ?1 AND live NOT NULL",
	[SQL_MODEL_LIVE] = "SELECT position FROM model"
	                   " WHERE name = ?1 AND live = 1",
	[SQL_MODEL_INLINE] = "SELECT id, position, definition FROM model"
	                     " WHERE live AND mode = 'inline' ORDER BY name",
	[SQL_MODEL_ADD] = "INSERT INTO model VALUES ((SELECT models FROM head),"
	                  " ?1, 0, ?2, 0, 0, 0, ?3, NULL, ?4, ?5)",
	[SQL_MODEL_GO] = "UPDATE model SET live = NULL"
	                 " WHERE name = ?1 AND live = ?2",
	[SQL_MODEL_PROMOTE] = "UPDATE model SET live = 1 WHERE id = ?1",
	[SQL_MODEL_MOVE] = "UPDATE model SET position = ?2,"
	                   " documents = documents + ?3, parked = parked + ?4,"
	                   " updated_at = ?5, error = NULL WHERE id = ?1",
	[SQL_MODEL_FAIL] = "UPDATE model SET error = ?2"
	                   " WHERE id = ?1 AND live NOT NULL",
	[SQL_MODEL_GONE] = "SELECT id FROM model WHERE live IS NULL LIMIT 1",
	[SQL_MODEL_DELETE] = "DELETE FROM model WHERE id = ?1",
	[SQL_DOCUMENT] = "SELECT json, position FROM document"
	                 " WHERE model = ?1 AND key = ?2",
	[SQL_DOCUMENT_ADD] = "INSERT OR IGNORE INTO document"
	                     " VALUES (?1, ?2, ?3, ?4)",
	[SQL_DOCUMENT_SET] = "UPDATE document SET position = ?3, json = ?4"
	                     " WHERE model = ?1 AND key = ?2",
	/* up to ?2 rows; a text is less than any blob */
	[SQL_DOCUMENT_DELETE] = "DELETE FROM document WHERE model = ?1"
	                        " AND key < coalesce((SELECT key FROM document"
	                        " WHERE model = ?1 ORDER BY key"
	                        " LIMIT 1 OFFSET ?2), x'')",
	[SQL_PARKED_ADD] = "INSERT OR IGNORE INTO parked VALUES (?1, ?2, ?3)",
	[SQL_PARKED_DELETE] = "DELETE FROM parked WHERE model = ?1"
	                      " AND position < coalesce((SELECT position"
	                      " FROM parked WHERE model = ?1 ORDER BY position"
	                      " LIMIT 1 OFFSET ?2), x'')",
	[SQL_CONSUMER] = "SELECT position, fence, process, expires, owner"
	                 " FROM consumer WHERE name = ?1",
	[SQL_CONSUMER_ADD] = "INSERT INTO consumer"
	                     " VALUES (?1, ?2, 0, NULL, NULL, NULL, ?3)",
	[SQL_CONSUMER_LEASE] = "UPDATE consumer SET fence = ?2, owner = ?3,"
	                       " process = ?4, expires = ?5 WHERE name = ?1",
	/* ?4: the lease ends */
	[SQL_CONSUMER_MOVE] = "UPDATE consumer SET position = ?2,"
	                      " updated_at = iif(position = ?2, updated_at, ?3),"
	                      " owner = iif(?4, NULL, owner),"
	                      " process = iif(?4, NULL, process),"
	                      " expires = iif(?4, NULL, ?5) WHERE name = ?1",
	[SQL_CONSUMER_DELETE] = "DELETE FROM consumer WHERE name = ?1",
	[SQL_DELIVERY_SET] = "INSERT OR REPLACE INTO delivery"
	                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[SQL_DELIVERY_UPDATE] = "UPDATE delivery SET state = ?3,"
	                        " attempts = ?4, at = ?5, reason = ?6"
	                        " WHERE consumer = ?1 AND position = ?2"
	                        " AND state = 'replay'",
	[SQL_DELIVERY_DELETE] = "DELETE FROM delivery"
	                        " WHERE consumer = ?1 AND position = ?2",
	[SQL_DELIVERY_PASSED] = "DELETE FROM delivery WHERE consumer = ?1"
	                        " AND position > ?2 AND position <= ?3"
	                        " AND state = 'done'",
	/* ?2: one position, or 0 for all */
	[SQL_DELIVERY_REPLAY] = "UPDATE delivery SET state = 'replay',"
	                        " attempts = 0, at = ?3 WHERE consumer = ?1"
	                        " AND ?2 IN (0, position)"
	                        " AND state = 'parked'",
	[SQL_DELIVERY_DROP] = "DELETE FROM delivery WHERE consumer = ?1"
	                      " AND ?2 IN (0, position)"
	                      " AND state IN ('parked', 'replay')"
	                      " AND position <= (SELECT position FROM consumer"
	                      " WHERE name = ?1)",
	[SQL_DELIVERY_DROP_DONE] = "UPDATE delivery SET state = 'done',"
	                           " at = ?3, reason = NULL"
	                           " WHERE consumer = ?1"
	                           " AND ?2 IN (0, position)"
	                           " AND state IN ('parked', 'replay')",
	[SQL_DELIVERIES_DELETE] = "DELETE FROM delivery WHERE consumer = ?1",
};

bool
log_execute(struct log *log, const char *statements)
{
	return sqlite3_exec(log->db, statements, NULL, NULL, NULL) == SQLITE_OK;
}

bool
log_begin_read(struct log *log)
{
	return log->snapshot || log_execute(log, "BEGIN");
}

bool
log_end_read(struct log *log)
{
	return log->snapshot || log_execute(log, "COMMIT");
}

sqlite3_stmt *
log_statement(struct log *log, enum log_statement which)
{
	sqlite3_stmt **statement = &log->statements[which];

	if (!*statement)
		sqlite3_prepare_v3(log->db, sql[which], -1,
		                   SQLITE_PREPARE_PERSISTENT, statement, NULL);
	return *statement;
}

bool
log_reset(sqlite3_stmt *statement)
{
	return statement && sqlite3_reset(statement) == SQLITE_OK;
}

enum ev_status
log_begin_rows(struct log *log, const char *text, sqlite3_stmt **rows,
               struct ev_err *err)
{
	enum ev_status status = log_connect(log, err);

	*rows = NULL;
	if (!status && sqlite3_prepare_v2(log->db, text, -1, rows, NULL) !=
	                       SQLITE_OK)
		return log_fail(log, "read", err);
	return status;
}

enum ev_status
log_end_rows(struct log *log, sqlite3_stmt *rows, struct ev_err *err)
{
	enum ev_status status = log_reset(rows) ? EV_OK
	                                        : log_fail(log, "read", err);

	sqlite3_finalize(rows);
	return status;
}

bool
log_run(sqlite3_stmt *statement)
{
	sqlite3_step(statement);
	return log_reset(statement);
}

void
log_bind(sqlite3_stmt *statement, int column, struct ev_str text)
{
	sqlite3_bind_text(statement, column, text.ptr ? text.ptr : "",
	                  (int)text.len, SQLITE_STATIC);
}

struct ev_str
log_column(sqlite3_stmt *statement, int column)
{
	const void *bytes = sqlite3_column_blob(statement, column);

	return (struct ev_str){
		bytes, (size_t)sqlite3_column_bytes(statement, column)
	};
}

/* What SQLite's code means to us. */
static enum ev_status
translate(int code)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EV_BUSY;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_NOTADB:
	case SQLITE_READONLY:
		return EV_UNREACHABLE;
	case SQLITE_MISUSE:
		return EV_BUG;
	default:
		return EV_IO;
	}
}

static void
get_folder(const char *path, char folder[PATH_MAX])
{
	char *slash;

	snprintf(folder, PATH_MAX, "%s", path);
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
}

/* errno behind SQLite's code, 0 if there was none. */
static int
system_error(struct log *log, int code)
{
	sqlite3_file *wal = NULL;
	char folder[PATH_MAX];
	int error = sqlite3_system_errno(log->db);

	/* of a commit that failed only the WAL remembers it */
	if (!error && (code & 0xff) == SQLITE_IOERR &&
	    sqlite3_file_control(log->db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
	                         &wal) == SQLITE_OK && wal && wal->pMethods)
		wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO,
		                            &error);
	/* after a file could not be made, opening it for reading was tried */
	if (error == ENOENT && (code & 0xff) == SQLITE_CANTOPEN) {
		get_folder(log->path, folder);
		if (access(folder, W_OK) != 0)
			error = errno;
	}
	return error;
}

static bool
is_read_only(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY);
}

enum ev_status
log_fail(struct log *log, const char *what, struct ev_err *err)
{
	int code = sqlite3_extended_errcode(log->db);
	int system = system_error(log, code);
	enum ev_status status = translate(code);

	if (code == SQLITE_CORRUPT || (code & 0xff) == SQLITE_CORRUPT)
		return ev_err_set(err, EV_IO, "cannot %s '%s': the file is "
		                  "damaged, ask ev-verify", what, log->path);
	if ((code & 0xff) == SQLITE_NOTADB)
		return ev_err_set(err, status, "cannot %s '%s': it is no "
		                  "event log", what, log->path);
	/* our statements fit our tables, so these are not ours any more */
	if ((code & 0xff) == SQLITE_ERROR || (code & 0xff) == SQLITE_CONSTRAINT)
		return ev_err_set(err, EV_IO, "cannot %s '%s': the log is "
		                  "damaged (%s), ask ev-verify", what, log->path,
		                  sqlite3_errmsg(log->db));
	if ((code & 0xff) == SQLITE_CANTOPEN && is_read_only(log->path))
		return ev_err_set(err, EV_IO, "cannot %s '%s': its file system "
		                  "is read-only and '%s-shm' is not there, copy "
		                  "the log with its -wal to read it", what,
		                  log->path, log->path);
	/* a full disk shows up as many codes; the system's own is the reason */
	if (system == ENOSPC || system == EDQUOT || system == EROFS ||
	    system == EFBIG || system == EIO)
		return ev_err_set(err, EV_IO, "cannot %s '%s': %s", what,
		                  log->path, strerror(system));
	if ((code & 0xff) == SQLITE_CANTOPEN && system)
		return ev_err_set(err, status, "cannot %s '%s': %s", what,
		                  log->path, strerror(system));
	return ev_err_set(err, status, "cannot %s '%s': %s", what, log->path,
	                  sqlite3_errmsg(log->db));
}

static int
note_frames(void *context, sqlite3 *db, const char *name, int frames)
{
	(void)db;
	(void)name;
	((struct log *)context)->wal_frames = frames;
	return SQLITE_OK;
}

/*
 * What every connection gets before its first statement. It never checkpoints
 * of itself, does not trust what a file's schema says, and forgives other
 * connections their moments (recovery, checkpoint).
 */
static bool
configure(struct log *log)
{
	sqlite3 *db = log->db;
	const char *pragmas =
		log->mode == EV_STORE_APPEND
			? "PRAGMA synchronous = " LOG_SYNCHRONOUS ";"
			  "PRAGMA cache_size = -8000"
			: "PRAGMA cache_size = -2000; PRAGMA query_only = 1";

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, log->wait_ms > 0 ? log->wait_ms : 1);
	sqlite3_wal_autocheckpoint(db, 0);
	sqlite3_wal_hook(db, note_frames, log);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return sqlite3_exec(db, pragmas, NULL, NULL, NULL) == SQLITE_OK;
}

/* A number from the file's header; false: see log_fail. */
static bool
read_number(struct log *log, const char *pragma, int *number)
{
	sqlite3_stmt *statement = NULL;

	*number = 0;
	if (sqlite3_prepare_v2(log->db, pragma, -1, &statement, NULL) ==
	            SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		*number = sqlite3_column_int(statement, 0);
	return sqlite3_finalize(statement) == SQLITE_OK && statement;
}

/* Is there any table? Without our mark it may be somebody else's database. */
static bool
look_for_tables(struct log *log, bool *empty)
{
	sqlite3_stmt *statement = NULL;

	*empty = sqlite3_prepare_v2(log->db, "SELECT 1 FROM sqlite_schema", -1,
	                            &statement, NULL) == SQLITE_OK &&
	         sqlite3_step(statement) == SQLITE_DONE;
	return sqlite3_finalize(statement) == SQLITE_OK && statement;
}

static void
disconnect(struct log *log)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(log->statements[i]);
		log->statements[i] = NULL;
	}
	sqlite3_close(log->db);
	log->db = NULL;
	streams_release(&log->streams);
	log_forget_types(log);
	log_free_inline(log);
}

/* A new file's name must survive a power cut as well as what is in it. */
static bool
sync_folder(const char *path)
{
	char folder[PATH_MAX];
	int fd, result;

	get_folder(path, folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	result = fsync(fd);
	close(fd);
	return result == 0;
}

/* A reader may not tidy up after a maker that was killed; without WAL there is
   nothing in the log yet. */
static enum ev_status
fail_to_open(struct log *log, struct ev_err *err)
{
	if (log->mode != EV_STORE_APPEND &&
	    sqlite3_extended_errcode(log->db) == SQLITE_READONLY_ROLLBACK)
		return EV_NO;
	return log_fail(log, "open", err);
}

static enum ev_status
check_version(struct log *log, struct ev_err *err)
{
	int version, application;
	bool empty = false;
	enum ev_status status;

	/* the first read joins the WAL; all in one transaction, or a log that
	   is just being made would look like something else */
	if (sqlite3_exec(log->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
	    !read_number(log, "PRAGMA user_version", &version) ||
	    !read_number(log, "PRAGMA application_id", &application) ||
	    (!version && !application && !look_for_tables(log, &empty)) ||
	    sqlite3_exec(log->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		status = fail_to_open(log, err);
		if (!sqlite3_get_autocommit(log->db))
			sqlite3_exec(log->db, "ROLLBACK", NULL, NULL, NULL);
		return status;
	}
	if (version == LOG_VERSION && application == LOG_APPLICATION)
		return EV_OK;
	if (application == LOG_APPLICATION && version > LOG_VERSION)
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': it was made by a newer ev "
		                  "(layout %d), upgrade", log->path, version);
	if (!empty)
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': it is no event log "
		                  "(application %d, layout %d)", log->path,
		                  application, version);
	return EV_NO;
}

/* Makes the tables, unless somebody else was faster. */
static enum ev_status
create(struct log *log, struct ev_err *err)
{
	enum ev_status status = log_lock(log, err);

	if (status)
		return status;
	status = check_version(log, err);
	if (status == EV_NO)
		status = log_create(log, err);
	log_unlock(log);
	if (status == EV_OK && !sync_folder(log->path))
		return ev_err_set(err, EV_IO, "cannot create '%s': %s",
		                  log->path, strerror(errno));
	return status;
}

/* WAL needs shared memory, which these file systems cannot give. */
static enum ev_status
refuse_network(struct log *log, struct ev_err *err)
{
	struct statfs fs;

	if (statfs(log->path, &fs) != 0)
		return EV_OK;
	switch ((unsigned long)fs.f_type) {
	case 0x6969UL:     /* NFS */
	case 0x517bUL:     /* SMB */
	case 0xff534d42UL: /* CIFS */
	case 0xfe534d42UL: /* SMB2 */
	case 0x5346414fUL: /* AFS */
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': a log cannot live on a "
		                  "network file system", log->path);
	}
	return EV_OK;
}

static enum ev_status
check_file(struct log *log, struct ev_err *err)
{
	struct stat info;

	if (stat(log->path, &info) != 0) {
		if (errno != ENOENT)
			return ev_err_set(err, EV_UNREACHABLE,
			                  "cannot open '%s': %s", log->path,
			                  strerror(errno));
		if (log->mode == EV_STORE_READ)
			return ev_err_set(err, EV_UNREACHABLE,
			                  "no log at '%s': ev-append makes it",
			                  log->path);
		return EV_NO;
	}
	if (!S_ISREG(info.st_mode))
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': it is no plain file",
		                  log->path);
	/* another name would have another WAL and another lock */
	if (info.st_nlink > 1)
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': it has %lu names (hard "
		                  "links), remove all but one", log->path,
		                  (unsigned long)info.st_nlink);
	return refuse_network(log, err);
}

/*
 * A file without tables is an empty log: its maker was killed at once. Such a
 * log is not connected to either, except to append.
 */
static enum ev_status
connect_log(struct log *log, bool to_append, struct ev_err *err)
{
	int flags = log->mode == EV_STORE_APPEND
	                    ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
	                    : SQLITE_OPEN_READONLY;
	enum ev_status status;

	if (log->db)
		return EV_OK;
	if (log->snapshot && !to_append) /* there was none, and so it stays */
		return EV_NO;
	status = check_file(log, err);
	if (status && !(status == EV_NO && to_append))
		return status;
	if (sqlite3_open_v2(log->path, &log->db, flags | SQLITE_OPEN_NOMUTEX,
	                    NULL) != SQLITE_OK || !configure(log)) {
		status = fail_to_open(log, err);
		disconnect(log);
		return status;
	}
	status = check_version(log, err);
	if (status == EV_NO && to_append)
		status = create(log, err);
	if (status)
		disconnect(log);
	return status;
}

enum ev_status
log_connect(struct log *log, struct ev_err *err)
{
	return connect_log(log, false, err);
}

enum ev_status
log_connect_to_append(struct log *log, struct ev_err *err)
{
	return connect_log(log, true, err);
}

long
log_wal_bytes(const struct log *log)
{
	return (long)log->wal_frames * LOG_PAGE;
}

void
log_checkpoint(struct log *log, int mode)
{
	sqlite3_busy_timeout(log->db, 0);
	sqlite3_wal_checkpoint_v2(log->db, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(log->db, log->wait_ms > 0 ? log->wait_ms : 1);
}

static void
log_close(struct ev_store *store)
{
	struct log *log = (struct log *)store;
	struct ev_err ignored;

	log_model_end(store);
	/* everything is durable already: should this fail, the next does it */
	if (log->db && log_wal_bytes(log) >= log->wal_left &&
	    log_lock(log, &ignored) == EV_OK) {
		log_checkpoint(log, SQLITE_CHECKPOINT_TRUNCATE);
		log_unlock(log);
	}
	disconnect(log);
	if (log->lock_fd >= 0)
		close(log->lock_fd);
	if (log->notify_fd >= 0)
		close(log->notify_fd);
	ev_buf_release(&log->identity);
	free(log->definitions);
	free(log->path);
	free(log->lock_path);
	free(log);
}

static const struct ev_store_ops ops = {
	.append = log_append,
	.head = log_head,
	.recall = log_recall,
	.remember = log_remember,
	.query = log_query,
	.next = log_next,
	.query_close = log_query_close,
	.names = log_names,
	.models = log_models,
	.model_new = log_model_new,
	.model_save = log_model_save,
	.model_fail = log_model_fail,
	.model_drop = log_model_drop,
	.model_begin = log_model_begin,
	.model_end = log_model_end,
	.document = log_document,
	.documents = log_documents,
	.parked = log_parked,
	.consumers = log_consumers,
	.deliveries = log_deliveries,
	.consumer_lease = log_consumer_lease,
	.consumer_save = log_consumer_save,
	.consumer_mark = log_consumer_mark,
	.consumer_drop = log_consumer_drop,
	.wait = log_wait,
	.verify = log_verify,
	.close = log_close,
};

char *
log_resolve(const char *url)
{
	char *whole = realpath(url, NULL);
	const char *slash = strrchr(url, '/');
	const char *name = slash ? slash + 1 : url;
	struct ev_buf path = { 0 };
	char *folder;

	if (whole)
		return whole;
	ev_buf_add(&path, url, slash ? (size_t)(name - url) : 0);
	ev_buf_add(&path, "./", 3);
	folder = realpath(slash ? path.ptr : ".", NULL);
	ev_buf_reset(&path);
	if (folder)
		ev_buf_printf(&path, "%s/%s", strcmp(folder, "/") ? folder : "",
		              name);
	else
		ev_buf_printf(&path, "%s%s", slash ? "" : "./", url);
	ev_buf_add_char(&path, '\0');
	free(folder);
	return path.ptr;
}

enum ev_status
ev_sqlite_open(struct ev_store **out, const struct ev_open *open,
               struct ev_err *err)
{
	struct log *log = ev_mem_alloc(sizeof *log);
	struct ev_buf lock_path = { 0 };
	enum ev_status status;

	/* nobody asks how much memory SQLite uses, so it need not count under
	   a lock; refused, and harmless, when a log is open already */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	log->store.ops = &ops;
	log->mode = open->mode;
	log->wait_ms = open->wait_ms;
	log->stop = open->stop;
	log->wal_most = WAL_MOST;
	log->wal_left = WAL_LEFT;
	if (open->checkpoint_bytes > 0)
		log->wal_most = log->wal_left = open->checkpoint_bytes;
	log->lock_fd = log->notify_fd = log->notify_watch = -1;
	log->path = log_resolve(open->url);
	ev_buf_printf(&lock_path, "%s.lock", log->path);
	ev_buf_add_char(&lock_path, '\0');
	log->lock_path = lock_path.ptr;
	status = log_connect(log, err);
	if (status == EV_NO)
		status = EV_OK;
	if (status) {
		log_close(&log->store);
		return status;
	}
	*out = &log->store;
	return EV_OK;
}
