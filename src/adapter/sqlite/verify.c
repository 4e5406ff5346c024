#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "adapter/sqlite/log.h"
#include "adapter/sqlite/postings.h"
#include "base/uuid.h"

/*
 * Every event is read by its position, as readers do, and its hash is made
 * again from the one before it. Each index is compared with the events by a
 * sum over all its entries, which is the same for the same entries whatever
 * their order; only where sums differ, entries are looked up one by one. The
 * sums are salted, so that nobody can prepare entries that make up for others.
 */

/* What a row of `type` stands for. */
struct type_row {
	int64_t id;
	unsigned char definition[LOG_HASH];
	struct ev_str catalog;
	struct ev_str name;
	int version;
};

struct sums {
	uint64_t ids;
	uint64_t versions;
	uint64_t postings;
};

struct check {
	struct log *log;
	ev_damage *report;
	void *context;
	size_t damage;
	uint64_t salt;
	int64_t begin; /* the last position that is taken on trust */
	int64_t end;
	int64_t latest; /* the log's end as an index is read */
	struct ev_arena arena;
	struct type_row *types;
	size_t type_count;
	struct streams streams;
	struct sums events; /* what the indexes should hold */
	struct sums indexes;
	unsigned char hash[2][LOG_HASH]; /* before the next event: stored and
	                                    made again */
	bool hash_known;
	char recorded_at[EV_TIME_TEXT]; /* of the last event read */
	int code; /* SQLite's, of what could not be read; 0: nothing */
	enum ev_status status; /* … and what it means */
	struct ev_err why;
};

static void damage(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
damage(struct check *check, const char *format, ...)
{
	struct ev_err text;
	va_list args;

	va_start(args, format);
	vsnprintf(text.text, sizeof text.text, format, args);
	va_end(args);
	check->report(check->context, text.text);
	check->damage++;
}

static uint64_t
mix(uint64_t a)
{
	a ^= a >> 30;
	a *= 0xbf58476d1ce4e5b9ULL;
	a ^= a >> 27;
	a *= 0x94d049bb133111ebULL;
	return a ^ a >> 31;
}

static uint64_t
entry_sum(const struct check *check, struct ev_str text, int64_t number,
          int64_t position)
{
	return mix(mix(mix(check->salt ^ ev_str_hash(text)) +
	               (uint64_t)number) + (uint64_t)position);
}

static uint64_t
posting_sum(const struct check *check, struct ev_str kind,
            struct ev_str value, int64_t position)
{
	return entry_sum(check, value, (int64_t)ev_str_hash(kind), position);
}

/* Runs `take` for each row; false when SQLite fails in the middle. */
static bool
each_row(struct check *check, const char *sql,
         void (*take)(struct check *check, sqlite3_stmt *row))
{
	sqlite3_stmt *rows = NULL;
	bool done = sqlite3_prepare_v2(check->log->db, sql, -1, &rows, NULL) ==
	            SQLITE_OK;
	int code;

	while (done && (code = sqlite3_step(rows)) != SQLITE_DONE) {
		if (code == SQLITE_ROW)
			take(check, rows);
		else
			done = false;
	}
	sqlite3_finalize(rows);
	return done;
}

static void
check_definition(struct check *check, sqlite3_stmt *row)
{
	unsigned char hash[LOG_HASH];
	struct ev_str stored = log_column(row, 1);

	struct ev_str catalog = log_column(row, 3);

	log_digest(hash, log_column(row, 2));
	if (stored.len != LOG_HASH || memcmp(stored.ptr, hash, LOG_HASH) != 0)
		damage(check, "definition %lld: catalog '%.*s' is altered, its "
		       "hash does not fit",
		       (long long)sqlite3_column_int64(row, 0),
		       EV_FMT(catalog));
}

static void
add_type(struct check *check, sqlite3_stmt *row)
{
	struct ev_str hash = log_column(row, 1);
	struct type_row *type;

	check->types = ev_mem_resize(check->types, (check->type_count + 1) *
	                             sizeof *check->types);
	type = &check->types[check->type_count++];
	*type = (struct type_row){
		.id = sqlite3_column_int64(row, 0),
		.catalog = ev_arena_dup(&check->arena, log_column(row, 2)),
		.name = ev_arena_dup(&check->arena, log_column(row, 3)),
		.version = sqlite3_column_int(row, 4),
	};
	if (hash.len == LOG_HASH)
		memcpy(type->definition, hash.ptr, LOG_HASH);
}

static const struct type_row *
find_type(const struct check *check, int64_t id)
{
	for (size_t i = 0; i < check->type_count; i++)
		if (check->types[i].id == id)
			return &check->types[i];
	return NULL;
}

/* The position of a stream's first event, as the index has it; 0: none. */
static int64_t
find_first(struct check *check, struct ev_str name)
{
	sqlite3_stmt *find = log_statement(check->log, SQL_STREAM);
	int64_t first = 0;

	log_bind(find, 1, name);
	if (sqlite3_step(find) == SQLITE_ROW)
		first = sqlite3_column_int64(find, 0);
	sqlite3_reset(find);
	return first;
}

static void
check_version(struct check *check, const struct ev_line *line)
{
	struct stream *stream = streams_find(&check->streams, line->stream);
	bool before = stream->last == STREAM_UNKNOWN && check->begin > 0 &&
	              line->version > 0;

	if (stream->last == STREAM_UNKNOWN) {
		/* what came before `begin` is taken on trust */
		stream->first = before ? find_first(check, line->stream)
		                       : line->position;
		stream->last = before ? line->version - 1 : -1;
	}
	if (line->version != stream->last + 1)
		damage(check, "event %lld: version %lld of stream '%.*s' where "
		       "%lld was due", (long long)line->position,
		       (long long)line->version, EV_FMT(line->stream),
		       (long long)stream->last + 1);
	stream->last = line->version;
	check->events.versions += entry_sum(check, (struct ev_str){ 0 },
	                                    stream->first * 1000003 +
	                                    line->version, line->position);
}

/* How an id stands in the index: a UUID as a BLOB, any other as TEXT, which
   are never equal, whatever their bytes. */
static struct ev_str
id_key(struct ev_str id, unsigned char uuid[EV_UUID_BYTES], int *type)
{
	*type = ev_uuid_pack(id, uuid) ? SQLITE_BLOB : SQLITE_TEXT;
	return *type == SQLITE_BLOB
	               ? (struct ev_str){ (char *)uuid, EV_UUID_BYTES } : id;
}

static void
type_name(const struct ev_line *line, struct ev_buf *out)
{
	ev_buf_reset(out);
	ev_buf_add_str(out, line->catalog);
	ev_buf_add_char(out, '/');
	ev_buf_add_str(out, line->type);
}

/* Calls `take` for every posting that an event should have. */
static void
each_posting(const struct ev_line *line, struct ev_buf *scratch,
             void (*take)(void *context, struct ev_str kind,
                          struct ev_str value),
             void *context)
{
	type_name(line, scratch);
	take(context, EV_STR("type"), ev_buf_str(scratch));
	if (line->actor.ptr)
		take(context, EV_STR("actor"), line->actor);
	if (line->causation.ptr)
		take(context, EV_STR("causation"), line->causation);
	if (line->correlation.ptr)
		take(context, EV_STR("correlation"), line->correlation);
}

struct posting_context {
	struct check *check;
	int64_t position;
};

static void
sum_posting(void *context, struct ev_str kind, struct ev_str value)
{
	struct posting_context *c = context;

	c->check->events.postings += posting_sum(c->check, kind, value,
	                                         c->position);
}

/* What an event says of itself against where it stands and what it is. */
static void
check_line(struct check *check, int64_t position, struct ev_str text,
           const struct type_row *type, struct ev_buf *scratch)
{
	struct posting_context context = { check, position };
	unsigned char uuid[EV_UUID_BYTES];
	struct ev_line line;
	struct ev_str key;
	int key_type;

	if (!ev_line_parse(text, &line)) {
		damage(check, "event %lld: no canonical line",
		       (long long)position);
		return;
	}
	if (line.position != position)
		damage(check, "event %lld: says it is at position %lld",
		       (long long)position, (long long)line.position);
	line.position = position;
	if (type && (!ev_str_equal(type->catalog, line.catalog) ||
	             !ev_str_equal(type->name, line.type) ||
	             type->version != line.schema_version))
		damage(check, "event %lld: is filed under type %.*s/%.*s",
		       (long long)position, EV_FMT(type->catalog),
		       EV_FMT(type->name));
	check_version(check, &line);
	key = id_key(line.id, uuid, &key_type);
	check->events.ids += entry_sum(check, key, key_type, position);
	if (line.recorded_at.len == EV_TIME_TEXT)
		memcpy(check->recorded_at, line.recorded_at.ptr, EV_TIME_TEXT);
	each_posting(&line, scratch, sum_posting, &context);
}

static void
check_hash(struct check *check, int64_t position, struct ev_str stored,
           const struct type_row *type, struct ev_str text)
{
	unsigned char made[2][LOG_HASH];
	bool fits = false;

	if (!type) {
		damage(check, "event %lld: its type is not in the log",
		       (long long)position);
		check->hash_known = false;
		return;
	}
	if (stored.len != LOG_HASH) {
		damage(check, "event %lld: its hash is damaged",
		       (long long)position);
		check->hash_known = false;
		return;
	}
	/* after an altered event, either its stored hash is right or the one
	   made again from what it now says */
	for (int i = 0; check->hash_known && !fits && i < 2; i++) {
		log_hash(made[0], check->hash[i], type->definition, text);
		fits = memcmp(made[0], stored.ptr, LOG_HASH) == 0;
		if (i == 0)
			memcpy(made[1], made[0], LOG_HASH);
		if (i == 0 && memcmp(check->hash[0], check->hash[1],
		                     LOG_HASH) == 0)
			break;
	}
	if (check->hash_known && !fits)
		damage(check, "event %lld: altered, its hash does not fit",
		       (long long)position);
	memcpy(check->hash[0], stored.ptr, LOG_HASH);
	memcpy(check->hash[1], check->hash_known ? made[fits ? 0 : 1]
	                                         : (const unsigned char *)
	                                                   stored.ptr,
	       LOG_HASH);
	check->hash_known = true;
}

/* Names the events that are missing from `position` on; the last of them. */
static int64_t
report_missing(struct check *check, int64_t position)
{
	sqlite3_stmt *scan = log_statement(check->log, SQL_SCAN);
	int64_t last = check->end;

	sqlite3_bind_int64(scan, 1, position);
	sqlite3_bind_int64(scan, 2, check->end);
	if (sqlite3_step(scan) == SQLITE_ROW)
		last = sqlite3_column_int64(scan, 0) - 1;
	sqlite3_reset(scan);
	if (last < position) /* a scan finds it, a search does not */
		last = position;
	if (last > position)
		damage(check, "events %lld to %lld: missing",
		       (long long)position, (long long)last);
	else
		damage(check, "event %lld: missing", (long long)position);
	if (last < check->end)
		damage(check, "event %lld: not checked, what came before it is "
		       "missing", (long long)last + 1);
	return last;
}

static bool
check_events(struct check *check)
{
	sqlite3_stmt *find = log_statement(check->log, SQL_EVENT);
	struct ev_buf scratch = { 0 };
	bool readable = true;
	int64_t p = check->begin;

	while (readable && p < check->end) {
		bool there;

		p++;
		sqlite3_bind_int64(find, 1, p);
		there = sqlite3_step(find) == SQLITE_ROW;
		if (there) {
			struct ev_str text = log_column(find, 2);
			const struct type_row *type = find_type(
				check, sqlite3_column_int64(find, 0));

			check_hash(check, p, log_column(find, 1), type, text);
			check_line(check, p, text, type, &scratch);
		}
		readable = log_reset(find);
		if (readable && !there) {
			p = report_missing(check, p);
			check->hash_known = false;
		}
	}
	ev_buf_release(&scratch);
	return readable;
}

static void
report_added(struct check *check, sqlite3_stmt *row)
{
	damage(check, "event %lld: added, the log goes from 1 to %lld",
	       (long long)sqlite3_column_int64(row, 0), (long long)check->end);
}

/*
 * Does an index entry for `position` belong to what is checked? Not if its
 * event is taken on trust, nor if it came while we were reading.
 */
static bool
is_covered(const struct check *check, int64_t position)
{
	return (!check->begin || position > check->begin) &&
	       (position <= check->end || position > check->latest);
}

static void
sum_id(struct check *check, sqlite3_stmt *row)
{
	int64_t position = sqlite3_column_int64(row, 1);

	if (is_covered(check, position))
		check->indexes.ids += entry_sum(check, log_column(row, 0),
		                                sqlite3_column_type(row, 0),
		                                position);
}

static void
sum_version(struct check *check, sqlite3_stmt *row)
{
	int64_t position = sqlite3_column_int64(row, 2);

	if (is_covered(check, position))
		check->indexes.versions += entry_sum(
			check, (struct ev_str){ 0 },
			sqlite3_column_int64(row, 0) * 1000003 +
				sqlite3_column_int64(row, 1), position);
}

/* Calls `take` for each position of a row of `posting`. */
static void
each_position(struct check *check, sqlite3_stmt *row,
              void (*take)(struct check *check, struct ev_str kind,
                           struct ev_str value, int64_t position))
{
	struct ev_str kind = log_column(row, 0), value = log_column(row, 1);
	int64_t position = sqlite3_column_int64(row, 2);
	struct ev_str more = log_column(row, 3);
	const unsigned char *at = (const unsigned char *)more.ptr;
	const unsigned char *end = at + more.len;

	take(check, kind, value, position);
	while (at < end && postings_next(&at, end, &position))
		take(check, kind, value, position);
}

static void
sum_one(struct check *check, struct ev_str kind, struct ev_str value,
        int64_t position)
{
	if (is_covered(check, position))
		check->indexes.postings += posting_sum(check, kind, value,
		                                       position);
}

static void
sum_postings(struct check *check, sqlite3_stmt *row)
{
	each_position(check, row, sum_one);
}

/* Every name leads to its first event, and there are no other names. */
static void
check_stream(struct check *check, sqlite3_stmt *row)
{
	struct ev_str name = log_column(row, 0);
	int64_t first = sqlite3_column_int64(row, 1);
	struct stream *stream;
	size_t before = check->streams.count;

	if (!is_covered(check, first))
		return;
	stream = streams_find(&check->streams, name);
	if (check->streams.count != before)
		damage(check, "index stream: '%.*s' has no event",
		       EV_FMT(name));
	else if (stream->first != first)
		damage(check, "index stream: '%.*s' begins at %lld, not %lld",
		       EV_FMT(name), (long long)stream->first,
		       (long long)first);
	else
		stream->stale = 1; /* seen in the index */
}

static void
check_streams_seen(struct check *check)
{
	for (size_t i = 0; i < check->streams.cap; i++) {
		struct stream *stream = &check->streams.slots[i];

		if (stream->name.ptr && stream->first > check->begin &&
		    stream->last != STREAM_UNKNOWN && !stream->stale)
			damage(check, "index stream: '%.*s' is missing",
			       EV_FMT(stream->name));
	}
}

static void
report_file(struct check *check, sqlite3_stmt *row)
{
	struct ev_str text = log_column(row, 0);

	/* one or more lines, the first of them a heading in asterisks */
	while (text.len) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		struct ev_str line = { text.ptr, len };

		if (len && *line.ptr != '*' && !ev_str_equal(line, EV_STR("ok")))
			damage(check, "file: %.*s", EV_FMT(line));
		len += end != NULL;
		text = (struct ev_str){ text.ptr + len, text.len - len };
	}
}

/* Keys that are out of order are found by a scan but not by a search; the
   tables with an index of SQLite's own are small. */
static bool
check_file(struct check *check)
{
	return each_row(check, "PRAGMA quick_check(20)", report_file) &&
	       each_row(check, "PRAGMA integrity_check(definition)",
	                report_file) &&
	       each_row(check, "PRAGMA integrity_check(type)", report_file) &&
	       each_row(check, "PRAGMA integrity_check(model)", report_file);
}

/* The next row of both; -1: only the file has one, 1: only we. */
static int
compare_schemas(sqlite3_stmt *file, sqlite3_stmt *ours, bool *same)
{
	bool file_row = sqlite3_step(file) == SQLITE_ROW;
	bool our_row = sqlite3_step(ours) == SQLITE_ROW;

	*same = file_row == our_row;
	for (int i = 0; *same && file_row && i < 4; i++)
		*same = ev_str_equal(log_column(file, i), log_column(ours, i));
	return our_row - file_row;
}

/* What the file says its tables and its views are, against what we make. */
static bool
check_schema(struct check *check)
{
	static const char schema_sql[] =
		"SELECT name, type, tbl_name, sql FROM sqlite_master"
		" ORDER BY rowid";
	struct log fresh = { .path = check->log->path };
	sqlite3_stmt *file = NULL, *ours = NULL;
	struct ev_err err;
	bool same = true, done;

	done = sqlite3_open(":memory:", &fresh.db) == SQLITE_OK &&
	       log_create(&fresh, &err) == EV_OK &&
	       sqlite3_prepare_v2(fresh.db, schema_sql, -1, &ours, NULL) ==
	               SQLITE_OK;
	if (!done)
		damage(check, "schema: nothing to compare it with");
	done = sqlite3_prepare_v2(check->log->db, schema_sql, -1, &file,
	                          NULL) == SQLITE_OK;
	/* after the first difference, rows need not belong together */
	while (ours && done && same) {
		int more = compare_schemas(file, ours, &same);
		struct ev_str name = log_column(more > 0 ? ours : file, 0);

		if (!same)
			damage(check, "schema: '%.*s' is %s", EV_FMT(name),
			       more > 0 ? "missing" : more < 0 ? "added" :
			       "altered");
		else if (!name.len)
			break;
	}
	sqlite3_finalize(file);
	sqlite3_finalize(ours);
	sqlite3_close(fresh.db);
	return done;
}

/* Does the event at `position` exist and have this line? Lent until reset. */
static bool
get_line(struct check *check, int64_t position, struct ev_line *line,
         sqlite3_stmt **find)
{
	*find = log_statement(check->log, SQL_EVENT_LINE);
	sqlite3_bind_int64(*find, 1, position);
	return sqlite3_step(*find) == SQLITE_ROW &&
	       ev_line_parse(log_column(*find, 0), line);
}

static void
explain_id(struct check *check, sqlite3_stmt *row)
{
	int64_t position = sqlite3_column_int64(row, 1);
	unsigned char uuid[EV_UUID_BYTES];
	struct ev_line line;
	sqlite3_stmt *find;
	int type;

	if (!is_covered(check, position))
		return;
	if (!get_line(check, position, &line, &find) ||
	    !ev_str_equal(id_key(line.id, uuid, &type), log_column(row, 0)) ||
	    type != sqlite3_column_type(row, 0))
		damage(check, "index event_id: an entry for event %lld that is "
		       "not its id", (long long)position);
	sqlite3_reset(find);
}

static void
explain_version(struct check *check, sqlite3_stmt *row)
{
	int64_t position = sqlite3_column_int64(row, 2);
	struct ev_line line;
	sqlite3_stmt *find;

	if (!is_covered(check, position))
		return;
	if (!get_line(check, position, &line, &find) ||
	    line.version != sqlite3_column_int64(row, 1) ||
	    streams_find(&check->streams, line.stream)->first !=
	            sqlite3_column_int64(row, 0))
		damage(check, "index stream_event: an entry for event %lld "
		       "that is not its stream and version",
		       (long long)position);
	sqlite3_reset(find);
}

struct looked_for {
	struct ev_str kind;
	struct ev_str value;
	bool found;
};

static void
compare_posting(void *context, struct ev_str kind, struct ev_str value)
{
	struct looked_for *l = context;

	l->found |= ev_str_equal(kind, l->kind) &&
	            ev_str_equal(value, l->value);
}

static void
explain_one(struct check *check, struct ev_str kind, struct ev_str value,
            int64_t position)
{
	struct looked_for looked_for = { kind, value, false };
	struct ev_buf scratch = { 0 };
	struct ev_line line;
	sqlite3_stmt *find;

	if (!is_covered(check, position))
		return;
	if (get_line(check, position, &line, &find))
		each_posting(&line, &scratch, compare_posting, &looked_for);
	if (!looked_for.found)
		damage(check, "index posting: %.*s '%.*s' names event %lld, "
		       "which has none", EV_FMT(kind), EV_FMT(value),
		       (long long)position);
	sqlite3_reset(find);
	ev_buf_release(&scratch);
}

static void
explain_postings(struct check *check, sqlite3_stmt *row)
{
	each_position(check, row, explain_one);
}

/* The other way round: does the index lead to the event? */
static void
find_id(struct check *check, const struct ev_line *line)
{
	sqlite3_stmt *find = log_statement(check->log, SQL_ID);
	unsigned char uuid[EV_UUID_BYTES];
	int type;
	struct ev_str key = id_key(line->id, uuid, &type);

	if (type == SQLITE_BLOB)
		sqlite3_bind_blob(find, 1, key.ptr, (int)key.len,
		                  SQLITE_STATIC);
	else
		log_bind(find, 1, key);
	if (sqlite3_step(find) != SQLITE_ROW)
		damage(check, "index event_id: the entry of event %lld is "
		       "missing", (long long)line->position);
	sqlite3_reset(find);
}

static void
find_version(struct check *check, const struct ev_line *line)
{
	sqlite3_stmt *find = log_statement(check->log, SQL_STREAM_EVENT);

	sqlite3_bind_int64(find, 1,
	                   streams_find(&check->streams, line->stream)->first);
	sqlite3_bind_int64(find, 2, line->version);
	if (sqlite3_step(find) != SQLITE_ROW)
		damage(check, "index stream_event: the entry of event %lld, "
		       "version %lld of '%.*s', is missing",
		       (long long)line->position, (long long)line->version,
		       EV_FMT(line->stream));
	sqlite3_reset(find);
}

static void
find_posting(void *context, struct ev_str kind, struct ev_str value)
{
	struct posting_context *c = context;
	sqlite3_stmt *find = log_statement(c->check->log, SQL_POSTINGS);
	bool found = false;

	log_bind(find, 1, kind);
	log_bind(find, 2, value);
	sqlite3_bind_int64(find, 3, c->position);
	sqlite3_bind_int64(find, 4, c->position);
	while (!found && sqlite3_step(find) == SQLITE_ROW) {
		int64_t position = sqlite3_column_int64(find, 0);
		struct ev_str more = log_column(find, 1);
		const unsigned char *at = (const unsigned char *)more.ptr;
		const unsigned char *end = at + more.len;

		found = position == c->position;
		while (!found && at < end && postings_next(&at, end, &position))
			found = position == c->position;
	}
	if (!found)
		damage(c->check, "index posting: %.*s '%.*s' lacks event %lld",
		       EV_FMT(kind), EV_FMT(value), (long long)c->position);
	sqlite3_reset(find);
}

static void
find_postings(struct check *check, const struct ev_line *line)
{
	struct posting_context context = { check, line->position };
	struct ev_buf scratch = { 0 };

	each_posting(line, &scratch, find_posting, &context);
	ev_buf_release(&scratch);
}

/* Looks up every event in an index that is known to be wrong. */
static bool
explain_missing(struct check *check,
                void (*look_up)(struct check *check,
                                const struct ev_line *line))
{
	sqlite3_stmt *rows = NULL;
	bool done = sqlite3_prepare_v2(check->log->db, "SELECT position, line"
	                               " FROM event WHERE position BETWEEN ?1"
	                               " AND ?2", -1, &rows, NULL) == SQLITE_OK;

	sqlite3_bind_int64(rows, 1, check->begin + 1);
	sqlite3_bind_int64(rows, 2, check->end);
	while (done && sqlite3_step(rows) == SQLITE_ROW) {
		struct ev_line line;

		if (!ev_line_parse(log_column(rows, 1), &line))
			continue;
		line.position = sqlite3_column_int64(rows, 0);
		look_up(check, &line);
	}
	return sqlite3_finalize(rows) == SQLITE_OK && done;
}

static const char ids_sql[] = "SELECT id, position FROM event_id";
static const char versions_sql[] =
	"SELECT stream, version, position FROM stream_event";
static const char postings_sql[] =
	"SELECT kind, value, position, more FROM posting";

/* Sums tell which index is wrong; then its entries are looked at one by one. */
static bool
check_indexes(struct check *check)
{
	struct sums *a = &check->events, *b = &check->indexes;
	bool done = each_row(check, "SELECT name, first FROM stream",
	                     check_stream);

	if (!done)
		return false;
	check_streams_seen(check);
	if (a->ids != b->ids) {
		damage(check, "index event_id: disagrees with the events");
		done = each_row(check, ids_sql, explain_id) &&
		       explain_missing(check, find_id);
	}
	if (done && a->versions != b->versions) {
		damage(check, "index stream_event: disagrees with the events");
		done = each_row(check, versions_sql, explain_version) &&
		       explain_missing(check, find_version);
	}
	if (done && a->postings != b->postings) {
		damage(check, "index posting: disagrees with the events");
		done = each_row(check, postings_sql, explain_postings) &&
		       explain_missing(check, find_postings);
	}
	return done;
}

static void
check_head(struct check *check, const struct ev_head *head)
{
	if (head->position > check->begin && check->hash_known &&
	    memcmp(check->hash[0], head->hash, LOG_HASH) != 0)
		damage(check, "head: its hash is not that of event %lld",
		       (long long)head->position);
}

/* No later event may be given an earlier or a made-up time. */
static void
check_recorded_at(struct check *check, sqlite3_stmt *row)
{
	struct ev_str text = log_column(row, 0);

	if (*check->recorded_at &&
	    !ev_str_equal(text, (struct ev_str){ check->recorded_at,
	                                         EV_TIME_TEXT }))
		damage(check, "head: recorded at '%.*s', the last event at "
		       "'%.*s'", EV_FMT(text), EV_TIME_TEXT,
		       check->recorded_at);
}

static void
check_consumer(struct check *check, sqlite3_stmt *row)
{
	struct ev_str name = log_column(row, 0);
	int64_t position = sqlite3_column_int64(row, 1);
	int held = sqlite3_column_int(row, 2);

	if (position < 0 || position > check->end)
		damage(check, "consumer '%.*s': is at %lld, the log ends at "
		       "%lld", EV_FMT(name), (long long)position,
		       (long long)check->end);
	if (held != 0 && held != 3)
		damage(check, "consumer '%.*s': its lease is neither held nor "
		       "free", EV_FMT(name));
}

static void
check_delivery(struct check *check, sqlite3_stmt *row)
{
	struct ev_str name = log_column(row, 0), state = log_column(row, 2);
	int64_t position = sqlite3_column_int64(row, 1);
	bool passes = ev_str_equal(state, EV_STR("parked")) ||
	              ev_str_equal(state, EV_STR("replay"));

	if (sqlite3_column_type(row, 3) == SQLITE_NULL)
		damage(check, "consumer '%.*s': is missing, event %lld is "
		       "noted for it", EV_FMT(name), (long long)position);
	else if (position < 1 || position > check->end)
		damage(check, "consumer '%.*s': event %lld is not in the log",
		       EV_FMT(name), (long long)position);
	else if (!passes && !ev_str_equal(state, EV_STR("done")) &&
	         !ev_str_equal(state, EV_STR("failed")))
		damage(check, "consumer '%.*s': event %lld is in state "
		       "'%.*s'", EV_FMT(name), (long long)position,
		       EV_FMT(state));
	else if (!passes && position <= sqlite3_column_int64(row, 3))
		damage(check, "consumer '%.*s': event %lld is '%.*s', yet "
		       "behind the checkpoint", EV_FMT(name),
		       (long long)position, EV_FMT(state));
}

/* Who has done what with the events. */
static bool
check_consumers(struct check *check)
{
	return each_row(check, "SELECT name, position, (owner NOT NULL) +"
	                " (process NOT NULL) + (expires NOT NULL)"
	                " FROM consumer", check_consumer) &&
	       each_row(check, "SELECT consumer, d.position, state, c.position"
	                " FROM delivery d LEFT JOIN consumer c"
	                " ON name = consumer", check_delivery);
}

/* Begins at a head that was noted elsewhere, if it is in the log. */
static bool
find_since(struct check *check, const struct ev_head *since)
{
	static const char by_hash[] =
		"SELECT position, hash FROM event WHERE hash = ?1";
	static const char by_both[] =
		"SELECT position, hash FROM event WHERE hash = ?1"
		" AND position = ?2";
	sqlite3_stmt *find = NULL;
	bool found = false;

	if (sqlite3_prepare_v2(check->log->db,
	                       since->position ? by_both : by_hash, -1, &find,
	                       NULL) != SQLITE_OK)
		return false;
	sqlite3_bind_blob(find, 1, since->hash, LOG_HASH, SQLITE_STATIC);
	if (since->position)
		sqlite3_bind_int64(find, 2, since->position);
	if (sqlite3_step(find) == SQLITE_ROW) {
		check->begin = sqlite3_column_int64(find, 0);
		memcpy(check->hash[0], since->hash, LOG_HASH);
		memcpy(check->hash[1], since->hash, LOG_HASH);
		found = true;
	}
	sqlite3_finalize(find);
	if (!found)
		damage(check, "head: what was noted is not in this log");
	return true;
}

static bool
is_genesis(const struct ev_head *head)
{
	static const unsigned char zero[LOG_HASH];

	return head->position == 0 && memcmp(head->hash, zero, LOG_HASH) == 0;
}

/* What cannot be read any more is damage, not an accident. */
static bool
is_damage(int code)
{
	return code == SQLITE_CONSTRAINT || code == SQLITE_CORRUPT ||
	       code == SQLITE_ERROR || code == SQLITE_NOTADB;
}

/* Notes why something could not be read; the first time counts. */
static void
note_failure(struct check *check)
{
	sqlite3 *db = check->log->db;

	if (check->code)
		return;
	check->code = sqlite3_errcode(db) & 0xff;
	check->status = log_fail(check->log, "verify", &check->why);
	if (is_damage(check->code))
		ev_err_set(&check->why, check->status, "file: %s",
		           sqlite3_errmsg(db));
}

/*
 * The indexes are summed up and the file's structure is checked on a connection
 * of its own while the events are being read: what an index holds for an event
 * never changes, so that a later snapshot will do, without what came meanwhile.
 */
struct side {
	struct check check;
	struct ev_buf damage; /* lines, to be reported in their turn */
	bool done;
};

static void
keep_damage(void *context, const char *text)
{
	ev_buf_add_str(context, ev_str(text));
	ev_buf_add_char(context, '\n');
}

static void
note_latest(struct check *check, sqlite3_stmt *row)
{
	check->latest = sqlite3_column_int64(row, 0);
}

static void *
run_side(void *context)
{
	struct side *side = context;
	struct check *check = &side->check;

	sqlite3_exec(check->log->db, "BEGIN", NULL, NULL, NULL);
	side->done = each_row(check, "SELECT position FROM head", note_latest) &&
	             each_row(check, ids_sql, sum_id) &&
	             each_row(check, versions_sql, sum_version) &&
	             each_row(check, postings_sql, sum_postings) &&
	             check_file(check);
	if (!side->done)
		note_failure(check);
	sqlite3_exec(check->log->db, "COMMIT", NULL, NULL, NULL);
	return NULL;
}

static enum ev_status
open_side(struct side *side, const struct check *check, struct ev_err *err)
{
	struct ev_open open = { .url = check->log->path, .mode = EV_STORE_READ,
	                        .wait_ms = check->log->wait_ms };
	struct ev_store *store;
	enum ev_status status = ev_sqlite_open(&store, &open, err);

	if (status)
		return status;
	side->check = (struct check){
		.log = (struct log *)store, .report = keep_damage,
		.context = &side->damage, .salt = check->salt,
		.begin = check->begin, .end = check->end
	};
	return EV_OK;
}

/* Takes over what the side has found. */
static void
close_side(struct side *side, struct check *check)
{
	struct ev_str rest = ev_buf_str(&side->damage);

	check->indexes = side->check.indexes;
	while (rest.len) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = (size_t)(end - rest.ptr);

		damage(check, "%.*s", (int)len, rest.ptr);
		rest = (struct ev_str){ end + 1, rest.len - len - 1 };
	}
	if (!side->done) {
		check->code = side->check.code;
		check->status = side->check.status;
		check->why = side->check.why;
	}
	ev_buf_release(&side->damage);
	side->check.log->store.ops->close(&side->check.log->store);
}

/* Both at once, or, where there can be no thread, one after the other. */
static bool
check_events_and_sum(struct check *check)
{
	struct side side = { .done = false };
	pthread_t thread;
	bool done;

	check->status = open_side(&side, check, &check->why);
	if (check->status) {
		check->code = SQLITE_CANTOPEN;
		return false;
	}
	if (pthread_create(&thread, NULL, run_side, &side) == 0) {
		done = check_events(check);
		pthread_join(thread, NULL);
	} else {
		done = check_events(check);
		run_side(&side);
	}
	if (!done)
		note_failure(check);
	close_side(&side, check);
	return done && side.done;
}

static bool
check_all(struct check *check, const struct ev_head *since,
          const struct ev_head *head)
{
	if (!check_schema(check) ||
	    (since && !is_genesis(since) && !find_since(check, since)))
		return false;
	if (!each_row(check, "SELECT id, hash, json, catalog FROM definition",
	              check_definition) ||
	    !each_row(check, "SELECT t.id, d.hash, d.catalog, t.name, t.version"
	              " FROM type t JOIN definition d ON d.id = t.definition",
	              add_type) ||
	    !check_events_and_sum(check))
		return false;
	check_head(check, head);
	return each_row(check, "SELECT recorded_at FROM head",
	                check_recorded_at) &&
	       each_row(check, "SELECT position FROM event WHERE position < 1"
	                " OR position > (SELECT position FROM head)",
	                report_added) &&
	       check_consumers(check) && check_indexes(check);
}

enum ev_status
log_verify(struct ev_store *store, const struct ev_head *since,
           ev_damage *report, void *context, struct ev_head *head,
           struct ev_err *err)
{
	struct check check = { .log = (struct log *)store, .report = report,
	                       .context = context, .hash_known = true };
	sqlite3 *db;
	enum ev_status status = log_connect(check.log, err);

	*head = (struct ev_head){ 0 };
	if (status)
		return status == EV_NO ? EV_OK : status;
	db = check.log->db;
	if (getrandom(&check.salt, sizeof check.salt, 0) < 0)
		check.salt = (uint64_t)ev_time_now();
	/* one snapshot for events and indexes */
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	status = log_head(store, head, err);
	check.end = check.latest = head->position;
	if (status || !check_all(&check, since, head))
		note_failure(&check);
	status = check.status;
	if (is_damage(check.code)) {
		damage(&check, "%s", check.why.text);
		status = EV_OK;
	}
	*err = check.why;
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	streams_release(&check.streams);
	ev_arena_release(&check.arena);
	free(check.types);
	return status ? status : check.damage ? EV_NO : EV_OK;
}
