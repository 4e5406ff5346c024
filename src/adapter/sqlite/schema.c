#include "adapter/sqlite/log.h"

/*
 * Every opener parses this anew, so it is short. Keys that are texts of an
 * event (stream, id, actor, …) are stored as they stand in the line, JSON
 * escapes included; a UUID in its canonical text is stored as its 16 bytes. A
 * stream's number is the position of its first event. A document's key begins
 * with no byte below ' ', except that of a note. A model's `live` is 1, or 0
 * while it is being built, or null once it is gone and its documents are going.
 * A lease expires by the clock of process.c.
 */
static const char schema[] =
	"CREATE TABLE head(one INTEGER PRIMARY KEY CHECK (one = 1),"
	" position INTEGER NOT NULL, hash BLOB NOT NULL,"
	" recorded_at TEXT NOT NULL, models INTEGER NOT NULL,"
	" inline INTEGER NOT NULL) STRICT;"
	"CREATE TABLE definition(id INTEGER PRIMARY KEY,"
	" hash BLOB NOT NULL UNIQUE, catalog TEXT NOT NULL,"
	" json TEXT NOT NULL) STRICT;"
	"CREATE TABLE source(identity TEXT, place INTEGER,"
	" definition INTEGER NOT NULL,"
	" PRIMARY KEY (identity, place)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE type(id INTEGER PRIMARY KEY,"
	" definition INTEGER NOT NULL,"
	" name TEXT NOT NULL, version INTEGER NOT NULL,"
	" UNIQUE (definition, name, version)) STRICT;"
	"CREATE TABLE event(position INTEGER PRIMARY KEY,"
	" type INTEGER NOT NULL, hash BLOB NOT NULL,"
	" line TEXT NOT NULL) STRICT;"
	"CREATE TABLE stream(name TEXT PRIMARY KEY,"
	" first INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE stream_event(stream INTEGER, version INTEGER,"
	" position INTEGER NOT NULL,"
	" PRIMARY KEY (stream, version)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE event_id(id ANY PRIMARY KEY,"
	" position INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE posting(kind TEXT, value TEXT, position INTEGER,"
	" more BLOB, PRIMARY KEY (kind, value, position))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE model(id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	" live INTEGER, mode TEXT NOT NULL, position INTEGER NOT NULL,"
	" documents INTEGER NOT NULL, parked INTEGER NOT NULL,"
	" updated_at TEXT NOT NULL, error TEXT, hash BLOB NOT NULL,"
	" definition TEXT NOT NULL, UNIQUE (name, live)) STRICT;"
	"CREATE TABLE document(model INTEGER, key TEXT,"
	" position INTEGER NOT NULL, json TEXT NOT NULL,"
	" PRIMARY KEY (model, key)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE parked(model INTEGER, position INTEGER,"
	" reason TEXT NOT NULL, PRIMARY KEY (model, position))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE consumer(name TEXT PRIMARY KEY,"
	" position INTEGER NOT NULL, fence INTEGER NOT NULL, owner TEXT,"
	" process TEXT, expires INTEGER, updated_at TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE delivery(consumer TEXT, position INTEGER,"
	" state TEXT NOT NULL, attempts INTEGER NOT NULL, at TEXT NOT NULL,"
	" reason TEXT, PRIMARY KEY (consumer, position))"
	" STRICT, WITHOUT ROWID;"
	"CREATE VIEW consumers AS SELECT name, position,"
	" (SELECT position FROM head) - position AS behind,"
	" (SELECT count(*) FROM delivery WHERE consumer = name"
	" AND state = 'parked') AS parked, updated_at, owner FROM consumer;"
	"CREATE VIEW models AS SELECT name, mode, position, documents, parked,"
	" updated_at, error FROM model WHERE live;"
	"CREATE VIEW documents AS SELECT name AS model, key, json AS document"
	" FROM model JOIN document d ON d.model = id"
	" WHERE live AND key >= ' ';"
	"CREATE VIEW events AS SELECT position,"
	" line ->> 'streamId' AS stream, line ->> 'version' AS version,"
	" line ->> 'id' AS id, line ->> 'type' AS type,"
	" line ->> 'timestamp' AS timestamp,"
	" line ->> 'recordedAt' AS recorded_at, line ->> 'actor' AS actor,"
	" line -> 'data' AS data FROM event;"
	"INSERT INTO head VALUES (1, 0, zeroblob(32), '', 0, 0);"
	"PRAGMA application_id = 0x65766c67;"
	"PRAGMA user_version = 1;";

/* Under the lock, on a database without tables. */
enum ev_status
log_create(struct log *log, struct ev_err *err)
{
	if (sqlite3_exec(log->db, "PRAGMA page_size = 4096;"
	                 "PRAGMA journal_mode = WAL", NULL, NULL,
	                 NULL) != SQLITE_OK ||
	    sqlite3_exec(log->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) !=
	            SQLITE_OK)
		return log_fail(log, "create", err);
	if (sqlite3_exec(log->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(log->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		enum ev_status status = log_fail(log, "create", err);

		sqlite3_exec(log->db, "ROLLBACK", NULL, NULL, NULL);
		return status;
	}
	return EV_OK;
}
