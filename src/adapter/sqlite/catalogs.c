#include <stdio.h>
#include <stdlib.h>

#include "adapter/sqlite/log.h"

/* Rows of `type` that this run has used: a type is looked up once. */
struct type_ids {
	struct type_id **list;
	size_t count;
};

void
log_forget_types(struct log *log)
{
	for (size_t i = 0; log->type_ids && i < log->type_ids->count; i++) {
		free((char *)log->type_ids->list[i]->name.ptr);
		free(log->type_ids->list[i]);
	}
	if (log->type_ids)
		free(log->type_ids->list);
	free(log->type_ids);
	log->type_ids = NULL;
}

/* Notes whose row a catalog was loaded from. */
static void
note_definition(struct log *log, const struct ev_catalog *catalog,
                sqlite3_stmt *row)
{
	struct ev_str hash = log_column(row, 3);
	struct definition *definition;

	if (hash.len != LOG_HASH)
		return;
	log->definitions = ev_mem_resize(log->definitions,
	                                 (log->definition_count + 1) *
	                                 sizeof *log->definitions);
	definition = &log->definitions[log->definition_count++];
	definition->catalog = catalog;
	definition->id = sqlite3_column_int64(row, 2);
	memcpy(definition->hash, hash.ptr, LOG_HASH);
}

/* The definition's row, made if need be; 0: see log_fail. */
static int64_t
definition_id(struct log *log, const struct ev_catalog *catalog,
              unsigned char hash[LOG_HASH])
{
	sqlite3_stmt *find, *add;
	int64_t id = 0;

	for (size_t i = 0; i < log->definition_count; i++)
		if (log->definitions[i].catalog == catalog) {
			memcpy(hash, log->definitions[i].hash, LOG_HASH);
			return log->definitions[i].id;
		}
	find = log_statement(log, SQL_DEFINITION);
	log_digest(hash, ev_catalog_json(catalog));
	sqlite3_bind_blob(find, 1, hash, LOG_HASH, SQLITE_STATIC);
	if (sqlite3_step(find) == SQLITE_ROW)
		id = sqlite3_column_int64(find, 0);
	if (!log_reset(find) || id)
		return id;
	add = log_statement(log, SQL_DEFINITION_ADD);
	sqlite3_bind_blob(add, 1, hash, LOG_HASH, SQLITE_STATIC);
	log_bind(add, 2, ev_catalog_name(catalog));
	log_bind(add, 3, ev_catalog_json(catalog));
	return log_run(add) ? sqlite3_last_insert_rowid(log->db) : 0;
}

static int64_t
type_row(struct log *log, const struct ev_type *type, int64_t definition)
{
	sqlite3_stmt *find = log_statement(log, SQL_TYPE);
	sqlite3_stmt *add;
	int64_t id = 0;

	sqlite3_bind_int64(find, 1, definition);
	log_bind(find, 2, type->name);
	sqlite3_bind_int(find, 3, type->version);
	if (sqlite3_step(find) == SQLITE_ROW)
		id = sqlite3_column_int64(find, 0);
	if (!log_reset(find) || id)
		return id;
	add = log_statement(log, SQL_TYPE_ADD);
	sqlite3_bind_int64(add, 1, definition);
	log_bind(add, 2, type->name);
	sqlite3_bind_int(add, 3, type->version);
	return log_run(add) ? sqlite3_last_insert_rowid(log->db) : 0;
}

enum ev_status
log_type_id(struct log *log, const struct ev_type *type,
            const struct type_id **out, struct ev_err *err)
{
	struct type_ids *ids = log->type_ids;
	struct ev_buf name = { 0 };
	struct type_id *id;
	int64_t row;

	if (!ids)
		ids = log->type_ids = ev_mem_alloc(sizeof *ids);
	for (size_t i = 0; i < ids->count; i++)
		if (ids->list[i]->type == type) {
			*out = ids->list[i];
			return EV_OK;
		}
	id = ev_mem_alloc(sizeof *id);
	row = definition_id(log, type->catalog, id->definition);
	if (!row || !(id->id = type_row(log, type, row))) {
		free(id);
		return log_fail(log, "append to", err);
	}
	id->type = type;
	ev_buf_printf(&name, "%.*s/%.*s",
	              EV_FMT(ev_catalog_name(type->catalog)),
	              EV_FMT(type->name));
	id->name = ev_buf_str(&name); /* ours from now on */
	ids->list = ev_mem_resize(ids->list,
	                          (ids->count + 1) * sizeof *ids->list);
	ids->list[ids->count++] = id;
	*out = id;
	return EV_OK;
}

enum ev_status
log_recall(struct ev_store *store, struct ev_str identity,
           struct ev_catalogs *catalogs, struct ev_err *err)
{
	static const char newest[] =
		"SELECT json, catalog, max(id), hash FROM definition"
		" GROUP BY catalog";
	struct log *log = (struct log *)store;
	sqlite3_stmt *find = NULL;
	enum ev_status status;
	bool found = false;

	if ((status = log_connect(log, err)))
		return status;
	if (identity.ptr) {
		find = log_statement(log, SQL_SOURCE);
		log_bind(find, 1, identity);
	} else {
		sqlite3_prepare_v2(log->db, newest, -1, &find, NULL);
	}
	while (!status && sqlite3_step(find) == SQLITE_ROW) {
		struct ev_catalog *catalog;

		found = true;
		if (ev_catalogs_get(catalogs, log_column(find, 1)))
			continue;
		status = ev_catalog_load(&catalog, log_column(find, 0), err);
		if (!status) {
			note_definition(log, catalog, find);
			ev_catalogs_add(catalogs, catalog);
		}
	}
	if (!log_reset(find) && !status)
		status = log_fail(log, "read", err);
	if (!identity.ptr)
		sqlite3_finalize(find);
	return status ? status : found ? EV_OK : EV_NO;
}

void
log_remember(struct ev_store *store, struct ev_str identity,
             const struct ev_catalogs *catalogs)
{
	struct log *log = (struct log *)store;

	ev_buf_reset(&log->identity);
	ev_buf_add_str(&log->identity, identity);
	log->remembered = catalogs;
}

/* In the append's transaction: which definitions an identity stands for. */
enum ev_status
log_note_source(struct log *log, struct ev_err *err)
{
	sqlite3_stmt *add = log_statement(log, SQL_SOURCE_ADD);
	unsigned char hash[LOG_HASH];

	for (size_t i = 0; i < log->remembered->count; i++) {
		int64_t id = definition_id(log, log->remembered->list[i], hash);

		log_bind(add, 1, ev_buf_str(&log->identity));
		sqlite3_bind_int64(add, 2, (int64_t)i);
		sqlite3_bind_int64(add, 3, id);
		if (!id || !log_run(add))
			return log_fail(log, "append to", err);
	}
	return EV_OK;
}
