#ifndef EV_ADAPTER_SQLITE_LOG_H
#define EV_ADAPTER_SQLITE_LOG_H

#include <signal.h>
#include <sqlite3.h>

#include "adapter/open.h"
#include "adapter/sqlite/streams.h"
#include "base/mem.h"
#include "port/store.h"

/*
 * The SQLite log: one file in WAL mode. ev-log(5) documents its tables.
 *
 * Beside LOG stands LOG.lock. Who holds its write lock may write and
 * checkpoint; nobody else does, because two connections that checkpoint or
 * write at the same moment can lose committed rows (SQLite's WAL-reset bug,
 * 3.7.0 to 3.51.2). Its content is the doorbell: the last position, written
 * after each commit, which wakes the watchers.
 */

enum {
	LOG_VERSION = 1, /* user_version: what schema.c creates */
	LOG_APPLICATION = 0x65766c67, /* application_id: "evlg" */
	LOG_PAGE = 4096  /* bytes, set when we create */
};

enum log_statement {
	SQL_HEAD,
	SQL_HEAD_SET,
	SQL_HEAD_MODELS,
	SQL_EVENT_ADD,
	SQL_EVENT_LINE,
	SQL_STREAM,
	SQL_STREAM_ADD,
	SQL_STREAM_EVENT,
	SQL_STREAM_EVENT_ADD,
	SQL_ID,
	SQL_ID_ADD,
	SQL_POSTING_ADD,
	SQL_TYPE,
	SQL_TYPE_ADD,
	SQL_DEFINITION,
	SQL_DEFINITION_ADD,
	SQL_SOURCE,
	SQL_SOURCE_ADD,
	SQL_SCAN,
	SQL_SCAN_BACK,
	SQL_LINE_FROM,
	SQL_STREAM_POSITIONS,
	SQL_POSTINGS,
	SQL_TYPE_IDS,
	SQL_EVENT,
	SQL_STREAM_FROM,
	SQL_VALUE_FROM,
	SQL_MODEL,
	SQL_MODEL_LIVE,
	SQL_MODEL_INLINE,
	SQL_MODEL_ADD,
	SQL_MODEL_GO,
	SQL_MODEL_PROMOTE,
	SQL_MODEL_MOVE,
	SQL_MODEL_FAIL,
	SQL_MODEL_GONE,
	SQL_MODEL_DELETE,
	SQL_DOCUMENT,
	SQL_DOCUMENT_ADD,
	SQL_DOCUMENT_SET,
	SQL_DOCUMENT_DELETE,
	SQL_PARKED_ADD,
	SQL_PARKED_DELETE,
	SQL_CONSUMER,
	SQL_CONSUMER_ADD,
	SQL_CONSUMER_LEASE,
	SQL_CONSUMER_MOVE,
	SQL_CONSUMER_DELETE,
	SQL_DELIVERY_SET,
	SQL_DELIVERY_UPDATE,
	SQL_DELIVERY_DELETE,
	SQL_DELIVERY_PASSED,
	SQL_DELIVERY_REPLAY,
	SQL_DELIVERY_DROP,
	SQL_DELIVERY_DROP_DONE,
	SQL_DELIVERIES_DELETE,
	SQL_COUNT
};

struct log {
	struct ev_store store;
	enum ev_store_mode mode;
	int wait_ms;
	const volatile sig_atomic_t *stop;

	char *path; /* resolved, so that all names of a log share its lock */
	char *lock_path;
	int lock_fd;
	int notify_fd; /* inotify */
	int notify_watch;

	sqlite3 *db; /* NULL: not open yet */
	sqlite3_stmt *statements[SQL_COUNT];
	int wal_frames; /* in the WAL after our last commit */
	long wal_most; /* bytes from which on the WAL is checkpointed */
	long wal_left; /* bytes of it that may be left when we close */
	bool snapshot; /* between model_begin and model_end */

	size_t serial;            /* of the append, for its streams */
	struct streams streams;   /* the ends that appends have seen, … */
	int64_t streams_position; /* … right while the log ends here */
	struct type_ids *type_ids;
	struct definition { /* whose row a catalog came from */
		const struct ev_catalog *catalog;
		int64_t id;
		unsigned char hash[32];
	} *definitions;
	size_t definition_count;
	struct ev_buf identity;   /* to remember, see catalogs.c */
	const struct ev_catalogs *remembered;
	struct inline_models *inline_models; /* NULL: none are loaded */
};

/*
 * A log's path, to be freed. Two names of one log must not have two locks:
 * links in the way are followed first. What does not exist yet is taken as it
 * is.
 */
char *log_resolve(const char *url);

/* open.c */
/* Connects, if that has not happened yet. EV_NO: there is no log, or an empty
   file; only the second makes one then. */
enum ev_status log_connect(struct log *log, struct ev_err *err);
enum ev_status log_connect_to_append(struct log *log, struct ev_err *err);
enum ev_status log_fail(struct log *log, const char *what,
                        struct ev_err *err);
sqlite3_stmt *log_statement(struct log *log, enum log_statement which);
/* False when its last run failed, or when it could not be prepared. */
bool log_reset(sqlite3_stmt *statement);
bool log_execute(struct log *log, const char *statements);
/* Around several reads that must see one state; false: see log_fail. */
bool log_begin_read(struct log *log);
bool log_end_read(struct log *log);
/* A statement of its own, so that who takes a row may ask for others; EV_NO:
   there is no log. Its end says whether all of it could be read. */
enum ev_status log_begin_rows(struct log *log, const char *text,
                              sqlite3_stmt **rows, struct ev_err *err);
enum ev_status log_end_rows(struct log *log, sqlite3_stmt *rows,
                            struct ev_err *err);
/* Steps a statement that returns no row, and resets it. */
bool log_run(sqlite3_stmt *statement);
void log_bind(sqlite3_stmt *statement, int column, struct ev_str text);
struct ev_str log_column(sqlite3_stmt *statement, int column);

/*
 * Copies the WAL into the file; with TRUNCATE also empties it. Only under the
 * lock. What readers still need stays, and nobody waits for them.
 */
void log_checkpoint(struct log *log, int mode);
long log_wal_bytes(const struct log *log);

/* lock.c */
enum ev_status log_lock(struct log *log, struct ev_err *err);
void log_unlock(struct log *log);
void log_ring(struct log *log, int64_t position);
enum ev_status log_wait(struct ev_store *store, int64_t position,
                        int timeout_ms, struct pollfd *others, size_t count,
                        struct ev_err *err);

/* schema.c */
enum ev_status log_create(struct log *log, struct ev_err *err);

/* chain.c: hash = SHA-256(hash before, SHA-256 of the definition, line) */
enum { LOG_HASH = 32 };
void log_hash(unsigned char hash[LOG_HASH], const unsigned char *before,
              const unsigned char *definition, struct ev_str line);
void log_digest(unsigned char hash[LOG_HASH], struct ev_str bytes);

/* append.c */
enum ev_status log_append(struct ev_store *store, struct ev_append *list,
                          size_t n, enum ev_append_flags flags,
                          struct ev_err *err);

/* catalogs.c */
enum ev_status log_recall(struct ev_store *store, struct ev_str identity,
                          struct ev_catalogs *catalogs, struct ev_err *err);
void log_remember(struct ev_store *store, struct ev_str identity,
                  const struct ev_catalogs *catalogs);
enum ev_status log_note_source(struct log *log, struct ev_err *err);
/* The row of `type`, made if need be; lent until log_forget_types. */
struct type_id {
	const struct ev_type *type;
	int64_t id;
	unsigned char definition[LOG_HASH];
	struct ev_str name; /* "rig/CI_FAILED" */
};
enum ev_status log_type_id(struct log *log, const struct ev_type *type,
                           const struct type_id **out, struct ev_err *err);
void log_forget_types(struct log *log);

/* query.c */
enum ev_status log_head(struct ev_store *store, struct ev_head *head,
                        struct ev_err *err);
enum ev_status log_query(struct ev_store *store, const struct ev_query *query,
                         struct ev_cursor **cursor, struct ev_err *err);
enum ev_status log_next(struct ev_cursor *cursor, struct ev_row *row,
                        struct ev_err *err);
void log_query_close(struct ev_cursor *cursor);
enum ev_status log_names(struct ev_store *store, enum ev_names kind,
                         struct ev_str prefix, ev_name *take, void *context,
                         struct ev_err *err);

/* models.c */
enum ev_status log_models(struct ev_store *store, ev_model_take *take,
                          void *context, struct ev_err *err);
enum ev_status log_model_new(struct ev_store *store, struct ev_str name,
                             enum ev_mode mode, struct ev_str definition,
                             int64_t *id, struct ev_err *err);
enum ev_status log_model_save(struct ev_store *store,
                              const struct ev_model_step *step,
                              struct ev_err *err);
enum ev_status log_model_fail(struct ev_store *store, int64_t model,
                              struct ev_str why, struct ev_err *err);
enum ev_status log_model_drop(struct ev_store *store, struct ev_str name,
                              struct ev_err *err);
enum ev_status log_model_begin(struct ev_store *store, struct ev_err *err);
void log_model_end(struct ev_store *store);
enum ev_status log_document(struct ev_store *store, int64_t model,
                            struct ev_str key, struct ev_buf *json,
                            int64_t *position, struct ev_err *err);
enum ev_status log_documents(struct ev_store *store, int64_t model,
                             ev_document_take *take, void *context,
                             struct ev_err *err);
enum ev_status log_parked(struct ev_store *store, int64_t model,
                          ev_parked_take *take, void *context,
                          struct ev_err *err);
/*
 * Runs `change` under the lock in a transaction, which is committed when it
 * returns EV_OK or EV_NO.
 */
enum ev_status log_transact(struct log *log,
                            enum ev_status (*change)(struct log *log,
                                                     void *context,
                                                     struct ev_err *err),
                            void *context, struct ev_err *err);
/* What a transaction does to a model; false: see log_fail. Documents come in
   the order of their keys. */
struct model_change {
	int64_t model;
	bool known; /* most of its documents are there already */
	int64_t documents; /* added, without notes */
	int64_t parked;
};
bool log_put_document(struct log *log, struct model_change *change,
                      const struct ev_model_document *document);
bool log_park(struct log *log, struct model_change *change,
              const struct ev_parked *parked);
bool log_move_model(struct log *log, const struct model_change *change,
                    int64_t position, const char *updated_at);
/* In a transaction: {0} clears it. */
bool log_note_error(struct log *log, int64_t model, struct ev_str why);

/*
 * inline.c: the models that append keeps. begin, fold and save are steps of the
 * append's transaction. `position` is where the log ended before it; `changes`
 * counts what others have done to the models. Models whose checkpoint is not
 * `position` are left alone.
 */
enum ev_status log_begin_inline(struct log *log, int64_t position,
                                int64_t changes, struct ev_err *err);
enum ev_status log_fold_inline(struct log *log, const struct ev_line *line,
                               struct ev_err *err);
enum ev_status log_save_inline(struct log *log, int64_t position,
                               const char *recorded_at, struct ev_err *err);
/* After a commit: what is in memory stays right until others write. */
void log_keep_inline(struct log *log, int64_t position);
/* After a rollback. */
void log_forget_inline(struct log *log);
void log_free_inline(struct log *log);

/* consumers.c */
enum ev_status log_consumers(struct ev_store *store, ev_consumer_take *take,
                             void *context, struct ev_err *err);
enum ev_status log_deliveries(struct ev_store *store, struct ev_str name,
                              int64_t after, unsigned states,
                              ev_delivery_take *take, void *context,
                              struct ev_err *err);
enum ev_status log_consumer_lease(struct ev_store *store,
                                  const struct ev_lease *lease, bool from_end,
                                  int64_t *fence, int64_t *position,
                                  struct ev_err *err);
enum ev_status log_consumer_save(struct ev_store *store,
                                 const struct ev_consumer_step *step,
                                 struct ev_err *err);
enum ev_status log_consumer_mark(struct ev_store *store, struct ev_str name,
                                 int64_t position,
                                 enum ev_delivery_state state, int64_t *count,
                                 struct ev_err *err);
enum ev_status log_consumer_drop(struct ev_store *store, struct ev_str name,
                                 struct ev_err *err);

/* process.c: who holds a lease, and whether that process still lives */
enum { LOG_OWNER = 160, LOG_PROCESS = 160 };
/* "process 4711 on HOST", for people, and what process_lives understands. */
void process_describe(long process, char owner[LOG_OWNER],
                      char text[LOG_PROCESS]);
bool process_has_ended(struct ev_str text);
/* Is it the one that has this number here? */
bool process_is(struct ev_str text, long process);
/* Milliseconds since this host's start, which no setting of its clock moves,
   asleep or not. */
int64_t process_clock(void);

/* verify.c */
enum ev_status log_verify(struct ev_store *store, const struct ev_head *since,
                          ev_damage *report, void *context,
                          struct ev_head *head, struct ev_err *err);

#endif
