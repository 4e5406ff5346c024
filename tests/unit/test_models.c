#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter/open.h"
#include "domain/event.h"
#include "domain/projection.h"
#include "unit.h"

/*
 * Read models as the SQLite log keeps them: their operations, alone and in
 * races of processes, and what append does with those that are inline.
 */

static const char shop_yaml[] =
	"catalog: shop\n"
	"stream: \"{order}\"\n"
	"payload:\n"
	"  required: [order]\n"
	"  properties: { order: { type: string }, n: { type: integer } }\n"
	"types:\n"
	"  Sold: {}\n"
	"  Odd: {}\n"
	"  Silent: {}\n";

/* Odd appends to what Sold has made a number, which cannot be. */
static const char sales_yaml[] =
	"projection: sales\n"
	"summary: What was sold\n"
	"catalog: shop\n"
	"mode: inline\n"
	"key: \"{$.streamId}\"\n"
	"notes:\n"
	"  key: \"{$.streamId}\"\n"
	"  on: { Sold: { set: { last: .n } } }\n"
	"on:\n"
	"  Sold: { count: { times: 1 }, add: { sum: .n } }\n"
	"  Odd: { append: { times: .n } }\n"
	"ignore: [Silent]\n";

static char folder[] = "/tmp/ev-models.XXXXXX";
static char path[64];
static struct ev_catalogs catalogs;
static struct ev_err err;
static volatile sig_atomic_t stop;

static void
need(enum ev_status status)
{
	if (status > EV_NO) {
		printf("Bail out! %d: %s\n", status, err.text);
		exit(2);
	}
}

static struct ev_store *
open_log(enum ev_store_mode mode)
{
	struct ev_open open = { .url = path, .mode = mode, .wait_ms = 20000,
	                        .stop = &stop };
	struct ev_store *store;

	need(ev_store_open(&store, &open, &err));
	return store;
}

static void
remove_log(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", ".lock" };

	for (int i = 0; i < 4; i++) {
		char name[80];

		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		unlink(name);
	}
}

/* Each test has a log of its own. */
static struct ev_store *
new_log(void)
{
	static int number;

	remove_log();
	snprintf(path, sizeof path, "%s/%d.db", folder, ++number);
	return open_log(EV_STORE_APPEND);
}

/* Rows or a number that only the tables tell; -1: it cannot be asked. */
static int64_t
ask(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement = NULL;
	int64_t answer = -1;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) ==
	            SQLITE_OK &&
	    sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		answer = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return answer;
}

/* What no command does; nobody may have the log open. */
static void
change(const char *sql)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		printf("Bail out! %s\n", sqlite3_errmsg(db));
		exit(2);
	}
	sqlite3_close(db);
}

/* Appends events of a type to an order, n being 1, 2, … `first` is what the
   first of them expects of its stream's version; -1: nothing. */
static enum ev_status
append(struct ev_store *store, const char *type, const char *order, int count,
       int first)
{
	struct ev_event_reader reader = { .catalogs = &catalogs };
	struct ev_arena arena = { 0 };
	struct ev_event *events = ev_mem_alloc((size_t)count * sizeof *events);
	struct ev_append *list = ev_mem_alloc((size_t)count * sizeof *list);
	static unsigned id;
	enum ev_status status;

	for (int i = 0; i < count; i++) {
		char text[256];
		int len = snprintf(text, sizeof text,
		                   "{\"type\":\"%s\",\"id\":\"%ld-%u\","
		                   "\"data\":{\"order\":\"%s\",\"n\":%d}}",
		                   type, (long)getpid(), ++id, order, i + 1);

		need(ev_event_read(&events[i], &reader, ev_arena_dup(
			&arena, (struct ev_str){ text, (size_t)len }),
			&arena, &err));
		list[i].event = &events[i];
	}
	if (first >= 0) {
		list[count - 1].expect = EV_EXPECT_VERSION;
		list[count - 1].expect_version = first;
	}
	status = store->ops->append(store, list, (size_t)count, EV_APPEND_ALL,
	                            &err);
	ev_event_reader_release(&reader);
	ev_arena_release(&arena);
	free(events);
	free(list);
	return status;
}

static int64_t
end_of(struct ev_store *store)
{
	struct ev_head head;

	need(store->ops->head(store, &head, &err));
	return head.position;
}

static int64_t
make(struct ev_store *store, const char *name, enum ev_mode mode,
     struct ev_str definition)
{
	int64_t id = 0;

	need(store->ops->model_new(store, ev_str(name), mode, definition, &id,
	                           &err));
	return id;
}

static int64_t
make_async(struct ev_store *store, const char *name)
{
	return make(store, name, EV_MODE_ASYNC, EV_STR("{}"));
}

/* A step with one document. */
static enum ev_status
save(struct ev_store *store, int64_t model, int64_t from, int64_t to,
     const char *key, const char *json, bool promote)
{
	const struct ev_model_document document = { ev_str(key), ev_str(json),
	                                            to };
	const struct ev_model_step step = {
		.model = model, .from = from, .to = to, .documents = &document,
		.document_count = key != NULL, .promote = promote
	};

	return store->ops->model_save(store, &step, &err);
}

struct found {
	int64_t id; /* in: the model that is looked for */
	struct ev_model model;
	char name[32], mode[16], definition[2048], error[256];
	int count;
};

static void
copy(char *to, size_t size, struct ev_str from)
{
	snprintf(to, size, "%.*s", EV_FMT(from));
}

static bool
note_model(void *context, const struct ev_model *model)
{
	struct found *found = context;

	found->count++;
	if (model->id != found->id)
		return true;
	found->model = *model;
	copy(found->name, sizeof found->name, model->name);
	copy(found->mode, sizeof found->mode,
	     ev_str(ev_mode_format(model->mode)));
	copy(found->definition, sizeof found->definition, model->definition);
	copy(found->error, sizeof found->error, model->error);
	return true;
}

static struct found
find(struct ev_store *store, int64_t id)
{
	struct found found = { .id = id };

	need(store->ops->models(store, note_model, &found, &err));
	return found;
}

/* "a={…} b={…} " */
static bool
print_document(void *context, const struct ev_model_document *document)
{
	ev_buf_printf(context, "%.*s=%.*s ", EV_FMT(document->key),
	              EV_FMT(document->json));
	return true;
}

static struct ev_str
documents(struct ev_store *store, int64_t model)
{
	static struct ev_buf text;

	ev_buf_reset(&text);
	need(store->ops->documents(store, model, print_document, &text, &err));
	return ev_buf_str(&text);
}

static bool
print_parked(void *context, const struct ev_parked *parked)
{
	ev_buf_printf(context, "%d:%.*s ", (int)parked->position,
	              EV_FMT(parked->reason));
	return true;
}

static struct ev_str
parked(struct ev_store *store, int64_t model)
{
	static struct ev_buf text;

	ev_buf_reset(&text);
	need(store->ops->parked(store, model, print_parked, &text, &err));
	return ev_buf_str(&text);
}

static struct ev_str
document(struct ev_store *store, int64_t model, const char *key)
{
	static struct ev_buf text;
	int64_t position;

	ev_buf_reset(&text);
	if (store->ops->document(store, model, ev_str(key), &text, &position,
	                         &err) == EV_NO)
		ev_buf_add_str(&text, EV_STR("none"));
	return ev_buf_str(&text);
}

static void
report_damage(void *context, const char *text)
{
	(void)context;
	printf("# %s\n", text);
}

static bool
is_whole(struct ev_store *store)
{
	struct ev_head head;

	return store->ops->verify(store, NULL, report_damage, NULL, &head,
	                          &err) == EV_OK;
}

static void
test_nothing_there(void)
{
	struct ev_store *store = new_log();

	CHECK(find(store, 1).count == 0);
	CHECK(documents(store, 1).len == 0 && parked(store, 1).len == 0);
	CHECK_STR(document(store, 1, "a"), "none");
	CHECK(store->ops->model_drop(store, EV_STR("m"), &err) == EV_NO);
	CHECK(store->ops->model_fail(store, 1, EV_STR("why"), &err) == EV_OK);
	CHECK(save(store, 1, 0, 0, NULL, NULL, false) == EV_CONFLICT);
	CHECK(store->ops->model_begin(store, &err) == EV_OK);
	CHECK(end_of(store) == 0);
	store->ops->model_end(store);
	store->ops->close(store);

	/* what is made while one looks is not seen until one is done */
	store = open_log(EV_STORE_FOLLOW);
	CHECK(store->ops->model_begin(store, &err) == EV_OK);
	{
		struct ev_store *other = open_log(EV_STORE_APPEND);

		need(append(other, "Sold", "a", 1, -1));
		make_async(other, "m");
		other->ops->close(other);
	}
	CHECK(end_of(store) == 0 && find(store, 1).count == 0);
	store->ops->model_end(store);
	CHECK(end_of(store) == 1 && find(store, 1).count == 1);
	store->ops->close(store);
}

static void
test_documents(void)
{
	const struct ev_model_document first[] = {
		{ EV_STR("c"), EV_STR("{\"n\":1}"), 1 },
		{ EV_STR("\1a"), EV_STR("{\"note\":1}"), 2 },
		{ EV_STR("a"), EV_STR("{\"n\":2}"), 2 },
	};
	const struct ev_model_document second[] = {
		{ EV_STR("b"), EV_STR("{\"n\":3}"), 3 },
		{ EV_STR("c"), EV_STR("{\"n\":4}"), 3 },
	};
	const struct ev_parked reasons[] = { { 2, EV_STR("why not") } };
	struct ev_store *store = new_log(), *reader;
	struct ev_model_step step;
	struct found found;
	int64_t id;

	need(append(store, "Sold", "o", 4, -1));
	id = make(store, "m", EV_MODE_INLINE, EV_STR("{\"x\":1}"));
	found = find(store, id);
	CHECK(found.count == 1 && !found.model.live &&
	      found.model.position == 0);
	CHECK_STR(ev_str(found.name), "m");
	CHECK_STR(ev_str(found.mode), "inline");
	CHECK_STR(ev_str(found.definition), "{\"x\":1}");
	/* as sha256sum says */
	CHECK(found.model.hash[0] == 0x50 && found.model.hash[31] == 0x22);

	step = (struct ev_model_step){ .model = id, .to = 2,
	                               .documents = first, .document_count = 3,
	                               .parked = reasons, .parked_count = 1 };
	CHECK(store->ops->model_save(store, &step, &err) == EV_OK);
	CHECK_STR(documents(store, id), "a={\"n\":2} c={\"n\":1} ");
	CHECK_STR(document(store, id, "\1a"), "{\"note\":1}");
	CHECK_STR(document(store, id, "b"), "none");
	CHECK_STR(parked(store, id), "2:why not ");
	found = find(store, id);
	CHECK(found.model.documents == 2 && found.model.parked == 1 &&
	      found.model.position == 2);

	/* not from there any more */
	CHECK(store->ops->model_save(store, &step, &err) == EV_CONFLICT);
	step.model = id + 100;
	CHECK(store->ops->model_save(store, &step, &err) == EV_CONFLICT);

	step = (struct ev_model_step){ .model = id, .from = 2, .to = 3,
	                               .documents = second,
	                               .document_count = 2, .promote = true };
	CHECK(store->ops->model_save(store, &step, &err) == EV_NO);
	found = find(store, id);
	CHECK(!found.model.live && found.model.documents == 3 &&
	      found.model.position == 3);
	CHECK(ask("SELECT count(*) FROM documents") == 0);
	CHECK(save(store, id, 3, 4, NULL, NULL, true) == EV_OK);
	found = find(store, id);
	CHECK(found.model.live && found.model.position == 4);

	reader = open_log(EV_STORE_READ);
	CHECK_STR(documents(reader, id),
	          "a={\"n\":2} b={\"n\":3} c={\"n\":4} ");
	CHECK_STR(document(reader, id, "c"), "{\"n\":4}");
	reader->ops->close(reader);
	CHECK(ask("SELECT count(*) FROM documents WHERE model = 'm'") == 3);
	CHECK(ask("SELECT sum(document ->> 'n') FROM documents") == 9);
	CHECK(ask("SELECT documents FROM models WHERE parked = 1") == 3);
	CHECK(is_whole(store));
	store->ops->close(store);
}

static void
test_names(void)
{
	struct ev_store *store = new_log();
	int64_t live, building, other;

	need(append(store, "Sold", "o", 2, -1));
	live = make_async(store, "m");
	need(save(store, live, 0, 2, "a", "{\"n\":1}", true));
	building = make_async(store, "m");
	need(save(store, building, 0, 1, "b", "{}", false));
	CHECK(find(store, live).model.live && find(store, live).count == 2);

	/* a second builder: the first is told */
	other = make_async(store, "m");
	CHECK(other > building && find(store, building).count == 2);
	CHECK(save(store, building, 1, 2, "b", "{}", true) == EV_CONFLICT);
	CHECK(ask("SELECT count(*) FROM document WHERE key = 'b'") == 0);

	CHECK(store->ops->model_fail(store, live, EV_STR("no disk"), &err) ==
	      EV_OK);
	CHECK_STR(ev_str(find(store, live).error), "no disk");
	CHECK(store->ops->model_fail(store, live, (struct ev_str){ 0 },
	                             &err) == EV_OK);
	CHECK_STR(ev_str(find(store, live).error), "");
	need(store->ops->model_fail(store, other, EV_STR("again"), &err));

	/* the new one takes the place, the old one's documents go */
	CHECK(save(store, other, 0, 2, "c", "{}", true) == EV_OK);
	CHECK_STR(ev_str(find(store, other).error), "");
	CHECK(find(store, other).count == 1 && find(store, other).model.live);
	CHECK(ask("SELECT count(*) FROM document") == 1);
	CHECK(ask("SELECT count(*) FROM model") == 1);
	CHECK(save(store, live, 2, 2, NULL, NULL, false) == EV_CONFLICT);

	make_async(store, "m");
	CHECK(store->ops->model_drop(store, EV_STR("m"), &err) == EV_OK);
	CHECK(find(store, other).count == 0);
	CHECK(ask("SELECT count(*) FROM model") == 0);
	CHECK(ask("SELECT count(*) FROM document") == 0);
	CHECK(store->ops->model_drop(store, EV_STR("m"), &err) == EV_NO);
	CHECK(make_async(store, "m") > other + 1);
	store->ops->close(store);
}

static bool
count_name(void *context, struct ev_str name)
{
	(void)name;
	++*(int *)context;
	return true;
}

static void
test_snapshot(void)
{
	struct ev_query query = { .from = 1, .to = INT64_MAX,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_store *store = new_log();
	struct ev_store *reader;
	struct ev_cursor *cursor;
	struct ev_row row;
	int64_t old, new;
	int rows = 0;

	need(append(store, "Sold", "p", 5, -1));
	need(append(store, "Sold", "o", 1995, -1));
	old = make_async(store, "m");
	need(save(store, old, 0, 2000, "a", "{\"n\":1}", true));
	reader = open_log(EV_STORE_READ);
	CHECK(reader->ops->model_begin(reader, &err) == EV_OK);
	need(append(store, "Sold", "p", 5, -1));
	new = make_async(store, "m");
	need(save(store, new, 0, 2005, "a", "{\"n\":2}", true));

	CHECK(end_of(reader) == 2000);
	CHECK(find(reader, old).model.live && find(reader, new).count == 1);
	CHECK_STR(documents(reader, old), "a={\"n\":1} ");
	CHECK_STR(document(reader, old, "a"), "{\"n\":1}");
	/* few enough that they are looked up one by one */
	query.streams.list = &EV_STR("p");
	query.streams.count = 1;
	need(reader->ops->query(reader, &query, &cursor, &err));
	while (reader->ops->next(cursor, &row, &err) == EV_OK)
		rows++;
	reader->ops->query_close(cursor);
	CHECK(rows == 5 && row.position == 5);
	rows = 0;
	need(reader->ops->names(reader, EV_NAMES_STREAMS, (struct ev_str){ 0 },
	                        count_name, &rows, &err));
	CHECK(rows == 2 && end_of(reader) == 2000);
	reader->ops->model_end(reader);
	CHECK(end_of(reader) == 2005 && documents(reader, old).len == 0);
	CHECK_STR(documents(reader, new), "a={\"n\":2} ");
	reader->ops->close(reader);
	store->ops->close(store);
}

/* One that is not inline need not be at the log's end, but no reader may go
   back. */
static void
test_promote_async(void)
{
	struct ev_store *store = new_log();
	int64_t first, second;

	need(append(store, "Sold", "o", 4, -1));
	first = make(store, "m", EV_MODE_ASYNC, EV_STR("{}"));
	CHECK(save(store, first, 0, 3, "a", "{}", true) == EV_OK);
	CHECK(find(store, first).model.live);
	second = make(store, "m", EV_MODE_ASYNC, EV_STR("{}"));
	CHECK(save(store, second, 0, 2, "b", "{}", true) == EV_NO);
	CHECK(find(store, first).model.live);
	CHECK(!find(store, second).model.live);
	CHECK(save(store, second, 2, 3, NULL, NULL, true) == EV_OK);
	CHECK(!find(store, first).model.live);
	CHECK(find(store, second).model.live);
	store->ops->close(store);
}

/* What was not swept, because somebody was in a hurry, the next sweeps. */
static void
test_sweep(void)
{
	enum { MANY = 20000 };
	struct ev_model_document *many = ev_mem_alloc(MANY * sizeof *many);
	char (*keys)[16] = ev_mem_alloc(MANY * sizeof *keys);
	struct ev_store *store = new_log();
	struct ev_model_step step = { .documents = many, .to = 1,
	                              .document_count = MANY,
	                              .promote = true };

	for (int i = 0; i < MANY; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", MANY - i);
		many[i] = (struct ev_model_document){
			ev_str(keys[i]), EV_STR("{}"), 1
		};
	}
	need(append(store, "Sold", "o", 1, -1));
	for (int round = 0; round < 2; round++) {
		step.model = make_async(store, "m");
		CHECK(store->ops->model_save(store, &step, &err) == EV_OK);
		CHECK(find(store, step.model).model.documents == MANY);
		CHECK(ask("SELECT count(*) FROM document") == MANY);
		stop = 1;
		CHECK(store->ops->model_drop(store, EV_STR("m"), &err) ==
		      EV_OK);
		CHECK(find(store, step.model).count == 0);
		CHECK(ask("SELECT count(*) FROM document") == MANY);
		stop = 0;
	}
	/* a step in between sweeps a part, so that it does not take long */
	step.model = make_async(store, "o");
	CHECK(ask("SELECT count(*) FROM document") == 0);
	step.promote = false;
	CHECK(store->ops->model_save(store, &step, &err) == EV_OK);
	stop = 1;
	need(store->ops->model_drop(store, EV_STR("o"), &err));
	stop = 0;
	step.model = make(store, "n", EV_MODE_ASYNC, EV_STR("{}"));
	CHECK(ask("SELECT count(*) FROM document") == 0);
	CHECK(is_whole(store));
	store->ops->close(store);
	free(many);
	free(keys);
}

static int
finish(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Of two who save the same step, one wins and the other is told. */
static void
test_race_to_save(void)
{
	enum { STEPS = 100, RACERS = 3 };
	struct ev_store *store = new_log();
	int64_t id;
	pid_t racers[RACERS];
	int won = 0;

	need(append(store, "Sold", "o", STEPS, -1));
	id = make_async(store, "m");
	store->ops->close(store);
	fflush(stdout);
	for (int i = 0; i < RACERS; i++) {
		if ((racers[i] = fork()))
			continue;
		store = open_log(EV_STORE_APPEND);
		for (int64_t at; (at = find(store, id).model.position) < STEPS;) {
			char key[16];
			enum ev_status status;

			snprintf(key, sizeof key, "%d", (int)at);
			status = save(store, id, at, at + 1, key, "{}",
			              false);
			won += status == EV_OK;
			if (status && status != EV_CONFLICT)
				_exit(255);
		}
		store->ops->close(store);
		_exit(won);
	}
	for (int i = 0; i < RACERS; i++)
		won += finish(racers[i]);
	store = open_log(EV_STORE_APPEND);
	CHECK_NAMED("each step is saved by one of the racers", won == STEPS);
	CHECK(find(store, id).model.documents == STEPS);
	CHECK(is_whole(store));
	store->ops->close(store);
}

/* Killed at any moment, documents and checkpoint are of one step. */
static void
test_kill(void)
{
	enum { ROUNDS = 25, KEYS = 40, END = 100000 };
	struct ev_store *store = new_log();
	bool together = true;
	int64_t id, last = 0;

	need(append(store, "Sold", "o", 1, -1));
	while (end_of(store) < 3000)
		need(append(store, "Sold", "o", 1000, -1));
	id = make_async(store, "m");
	store->ops->close(store);
	fflush(stdout);
	for (int round = 0; round < ROUNDS; round++) {
		struct timespec pause = { 0, 1000000 * (3 + round % 7 * 5) };
		pid_t child = fork();
		char sql[200];

		if (!child) {
			store = open_log(EV_STORE_APPEND);
			for (int64_t at = find(store, id).model.position;;
			     at++) {
				struct ev_model_document all[KEYS];
				char keys[KEYS][16], json[32];
				struct ev_model_step step = {
					.model = id, .from = at, .to = at + 1,
					.documents = all,
					.document_count = KEYS
				};

				snprintf(json, sizeof json, "{\"n\":%d}",
				         (int)at + 1);
				for (int i = 0; i < KEYS; i++) {
					snprintf(keys[i], sizeof keys[i], "%d",
					         i);
					all[i].key = ev_str(keys[i]);
					all[i].json = ev_str(json);
					all[i].position = at + 1;
				}
				if (store->ops->model_save(store, &step, &err))
					_exit(1);
			}
		}
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		store = open_log(EV_STORE_APPEND);
		last = find(store, id).model.position;
		store->ops->close(store);
		snprintf(sql, sizeof sql, "SELECT count(*) FROM document WHERE"
		         " position = %d AND json ->> 'n' = %d", (int)last,
		         (int)last);
		together &= ask(sql) == (last ? KEYS : 0);
	}
	CHECK_NAMED("documents and checkpoint survive together", together);
	CHECK_NAMED("something was saved", last > 0);
	store = open_log(EV_STORE_APPEND);
	CHECK(find(store, id).model.documents == KEYS);
	CHECK(is_whole(store));
	store->ops->close(store);
}

/* ---- inline */

static const struct ev_projection *sales;

static int64_t
make_sales(struct ev_store *store)
{
	return make(store, "sales", EV_MODE_INLINE, ev_projection_json(sales));
}

static void
test_inline(void)
{
	struct ev_store *store = new_log(), *other;
	struct found found;
	int64_t id = make_sales(store);

	need(append(store, "Sold", "a", 2, -1));
	CHECK_NAMED("what is being built is not kept",
	            documents(store, id).len == 0);
	need(save(store, id, 0, 2, "a", "{\"times\":2,\"sum\":3}", true));
	need(append(store, "Sold", "b", 3, -1));
	CHECK_STR(documents(store, id), "a={\"times\":2,\"sum\":3} "
	          "b={\"times\":3,\"sum\":6} ");
	CHECK_STR(document(store, id, "\1b"), "{\"last\":3}");
	found = find(store, id);
	CHECK(found.model.position == 5 && found.model.documents == 2);

	/* what means nothing moves the checkpoint all the same */
	need(append(store, "Silent", "a", 1, -1));
	CHECK(find(store, id).model.position == 6);

	/* somebody else in between */
	other = open_log(EV_STORE_APPEND);
	need(append(other, "Sold", "a", 1, -1));
	need(append(store, "Sold", "a", 1, -1));
	need(append(other, "Sold", "a", 1, -1));
	need(append(store, "Sold", "a", 1, -1));
	CHECK_STR(document(store, id, "a"), "{\"times\":6,\"sum\":7}");

	/* refused after some were folded: as if nothing had been */
	CHECK(append(store, "Sold", "a", 4, 99) == EV_CONFLICT);
	CHECK_STR(document(other, id, "a"), "{\"times\":6,\"sum\":7}");
	CHECK(find(store, id).model.position == 10);
	need(append(store, "Sold", "a", 1, -1));
	CHECK_STR(document(other, id, "a"), "{\"times\":7,\"sum\":8}");

	/* parked, and the events are there */
	need(append(store, "Odd", "b", 2, -1));
	need(append(store, "Sold", "b", 1, -1));
	found = find(store, id);
	CHECK(found.model.position == 14 && found.model.parked == 2);
	CHECK(ev_str_starts(parked(store, id), EV_STR("12:")));
	CHECK_STR(document(store, id, "b"), "{\"times\":4,\"sum\":7}");
	CHECK(ask("SELECT count(*) FROM parked") == 2);

	/* none of it is asked for any more */
	CHECK(other->ops->model_drop(other, EV_STR("sales"), &err) == EV_OK);
	need(append(store, "Sold", "b", 1, -1));
	CHECK(ask("SELECT count(*) FROM document") == 0);
	CHECK(ask("SELECT inline FROM head") == 0);
	CHECK(is_whole(store));
	other->ops->close(other);
	store->ops->close(store);
}

/* Others change models while a process remembers their documents. */
static void
test_inline_changes(void)
{
	struct ev_store *store = new_log(), *other;
	int64_t id, new;

	need(append(store, "Sold", "a", 1, -1));
	other = open_log(EV_STORE_APPEND);
	id = make_sales(other);
	need(save(other, id, 0, 1, "a", "{\"times\":1,\"sum\":1}", true));
	need(append(store, "Sold", "a", 1, -1));
	CHECK_STR(document(store, id, "a"), "{\"times\":2,\"sum\":2}");

	/* without an event in between: only the change tells */
	need(save(other, id, 2, 2, "a", "{\"times\":50,\"sum\":2}", false));
	need(append(store, "Sold", "a", 1, -1));
	CHECK_STR(document(store, id, "a"), "{\"times\":51,\"sum\":3}");

	/* a rebuild aside; meanwhile the live one is kept */
	new = make_sales(other);
	need(save(other, new, 0, 2, "a", "{\"times\":200}", false));
	need(append(store, "Sold", "a", 1, -1));
	CHECK_STR(document(store, id, "a"), "{\"times\":52,\"sum\":4}");
	CHECK_STR(document(store, new, "a"), "{\"times\":200}");
	CHECK(save(other, new, 2, 3, "a", "{\"times\":300}", true) == EV_NO);
	CHECK(save(other, new, 3, 4, "a", "{\"times\":400}", true) == EV_OK);
	need(append(store, "Sold", "a", 1, -1));
	CHECK_STR(document(store, new, "a"), "{\"times\":401,\"sum\":1}");
	CHECK(find(store, new).model.position == 5);
	CHECK(save(other, new, 3, 5, "a", "{}", false) == EV_CONFLICT);
	other->ops->close(other);
	store->ops->close(store);
}

/* No trouble with a model is a reason to refuse an event. */
static void
test_inline_trouble(void)
{
	struct ev_store *store = new_log();
	struct found found;
	int64_t bad, good;

	need(append(store, "Sold", "a", 1, -1));
	bad = make(store, "bad", EV_MODE_INLINE, EV_STR("{\"never\":1}"));
	need(save(store, bad, 0, 1, NULL, NULL, true));
	good = make_sales(store);
	need(save(store, good, 0, 1, "a", "{\"times\":1,\"sum\":1}", true));
	CHECK(append(store, "Sold", "a", 1, -1) == EV_OK);
	found = find(store, bad);
	CHECK(found.model.position == 1 && *found.error);
	CHECK(append(store, "Sold", "a", 1, -1) == EV_OK);
	CHECK(find(store, good).model.position == 3);
	CHECK_STR(document(store, good, "a"), "{\"times\":3,\"sum\":3}");
	store->ops->close(store);

	/* one that is behind is left there until somebody catches up */
	change("UPDATE model SET position = 2 WHERE name = 'sales'");
	store = open_log(EV_STORE_APPEND);
	need(append(store, "Sold", "a", 1, -1));
	CHECK(find(store, good).model.position == 2);
	CHECK_STR(document(store, good, "a"), "{\"times\":3,\"sum\":3}");
	need(save(store, good, 2, 4, "a", "{\"times\":4,\"sum\":4}", false));
	need(append(store, "Sold", "a", 1, -1));
	CHECK_STR(document(store, good, "a"), "{\"times\":5,\"sum\":5}");
	store->ops->close(store);

	/* one more document than can be counted */
	change("UPDATE model SET documents = 0x7fffffffffffffff");
	store = open_log(EV_STORE_APPEND);
	CHECK(append(store, "Sold", "b", 2, -1) == EV_OK);
	CHECK(append(store, "Sold", "b", 2, -1) == EV_OK);
	CHECK(end_of(store) == 9);
	CHECK(find(store, good).model.position == 5);
	CHECK_STR(document(store, good, "b"), "none");
	CHECK(is_whole(store));
	store->ops->close(store);

	change("UPDATE model SET position = 9");
	change("DROP TABLE document");
	store = open_log(EV_STORE_APPEND);
	CHECK(append(store, "Sold", "a", 2, -1) == EV_OK);
	CHECK(append(store, "Sold", "b", 2, 99) == EV_CONFLICT);
	CHECK(append(store, "Sold", "c", 2, 0) == EV_OK);
	CHECK(end_of(store) == 13);
	CHECK(find(store, good).model.position == 9);
	store->ops->close(store);
}

/*
 * Two processes append while a third rebuilds again and again, folding by hand
 * what append folds: in the end every event is in the document once.
 */
static void
test_race_to_promote(void)
{
	enum { EVENTS = 120, APPENDERS = 2 };
	struct ev_store *store = new_log();
	pid_t appenders[APPENDERS];
	int promoted = 0;
	char wanted[64];
	int64_t id = 0;

	need(append(store, "Sold", "o", 1, -1));
	fflush(stdout);
	for (int i = 0; i < APPENDERS; i++) {
		if ((appenders[i] = fork()))
			continue;
		store = open_log(EV_STORE_APPEND);
		for (int n = 0; n < EVENTS; n++)
			need(append(store, "Sold", "o", 1, -1));
		store->ops->close(store);
		_exit(0);
	}
	while (end_of(store) < 1 + APPENDERS * EVENTS || !promoted) {
		enum ev_status status = EV_NO;
		int64_t at = 0;

		id = make_sales(store);
		while (status == EV_NO) {
			int64_t end = end_of(store);
			char json[64];

			snprintf(json, sizeof json,
			         "{\"times\":%d,\"sum\":%d}", (int)end,
			         (int)end);
			status = save(store, id, at, end, "o", json, true);
			need(status);
			at = end;
		}
		promoted++;
	}
	for (int i = 0; i < APPENDERS; i++)
		CHECK(finish(appenders[i]) == 0);
	snprintf(wanted, sizeof wanted, "{\"times\":%d,\"sum\":%d}",
	         1 + APPENDERS * EVENTS, 1 + APPENDERS * EVENTS);
	CHECK_STR_NAMED("every event is in the document once",
	                document(store, id, "o"), ev_str(wanted));
	CHECK(find(store, id).model.position == 1 + APPENDERS * EVENTS);
	CHECK(ask("SELECT count(*) FROM document WHERE key = 'o'") == 1);
	CHECK(is_whole(store));
	store->ops->close(store);
}

/* An appender that is killed leaves event and document, or neither. */
static void
test_kill_appender(void)
{
	enum { ROUNDS = 20 };
	struct ev_store *store = new_log();
	int64_t id = make_sales(store);
	bool together = true;
	int64_t end = 0;

	need(append(store, "Sold", "o", 1, -1));
	need(save(store, id, 0, 1, "o", "{\"times\":1,\"sum\":1}", true));
	store->ops->close(store);
	fflush(stdout);
	for (int round = 0; round < ROUNDS; round++) {
		struct timespec pause = { 0, 1000000 * (4 + round % 5 * 4) };
		pid_t child = fork();
		char wanted[40];
		struct ev_str found;

		if (!child) {
			store = open_log(EV_STORE_APPEND);
			for (;;)
				if (append(store, "Sold", "o", 1, -1))
					_exit(1);
		}
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		store = open_log(EV_STORE_APPEND);
		end = end_of(store);
		snprintf(wanted, sizeof wanted, "{\"times\":%d,\"sum\":%d}",
		         (int)end, (int)end);
		found = document(store, id, "o");
		together &= ev_str_equal(found, ev_str(wanted)) &&
		            find(store, id).model.position == end;
		store->ops->close(store);
	}
	CHECK_NAMED("events and documents survive together", together);
	CHECK_NAMED("something was appended", end > 1);
}

int
main(void)
{
	struct ev_problems problems = { 0 };
	struct ev_catalog *catalog;

	if (!mkdtemp(folder) ||
	    ev_catalog_parse(&catalog, "shop.yaml", ev_str(shop_yaml),
	                     &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		return 2;
	}
	ev_catalogs_add(&catalogs, catalog);
	if (ev_projection_parse(&sales, "sales.yaml", ev_str(sales_yaml),
	                        &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		return 2;
	}
	test_nothing_there();
	test_documents();
	test_names();
	test_snapshot();
	test_promote_async();
	test_sweep();
	test_race_to_save();
	test_kill();
	test_inline();
	test_inline_changes();
	test_inline_trouble();
	test_race_to_promote();
	test_kill_appender();
	remove_log();
	rmdir(folder);
	ev_projection_free(sales);
	ev_catalogs_release(&catalogs);
	return unit_end();
}
