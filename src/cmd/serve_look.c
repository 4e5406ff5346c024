#include "cmd/serve_look.h"

#include <stdlib.h>

#include "base/opt.h"
#include "cmd/serve_readers.h"
#include "cmd/view.h"

enum { SECOND = 1000000 };

/* ---- as of when */

static bool
is_c_text(struct ev_str text)
{
	return !text.len || !memchr(text.ptr, '\0', text.len);
}

bool
serve_param_is_plain(struct serve_request *request, const char *name)
{
	for (size_t i = 0; i < request->query_count; i++) {
		const struct serve_parameter *p = &request->query[i];

		if (ev_str_equal(p->name, ev_str(name)) &&
		    !is_c_text(p->value)) {
			serve_problem(request, 400, "bad-request",
			              (struct ev_str){ 0 },
			              "%s: a NUL is in it", name);
			return false;
		}
	}
	return true;
}

/* A position, or a time that `time` gets. */
static bool
parse_at(struct ev_str text, int64_t *position, int64_t *time)
{
	if (!is_c_text(text))
		return false;
	return ev_opt_int(text.ptr, 0, INT64_MAX, position) ||
	       ev_opt_time(text.ptr, ev_time_now(), time);
}

/* When the event at a position was recorded; `time` stays if it is not there. */
static enum ev_status
find_recorded(struct ev_store *store, int64_t position, int64_t *time,
              struct ev_err *err)
{
	struct ev_query query = { .from = position, .to = position,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_cursor *cursor;
	struct ev_line line;
	struct ev_row row;
	enum ev_status status = store->ops->query(store, &query, &cursor, err);

	if (status)
		return status;
	status = store->ops->next(cursor, &row, err);
	if (!status && ev_line_parse(row.line, &line))
		ev_time_parse(line.recorded_at, time);
	store->ops->query_close(cursor);
	return status == EV_NO ? EV_OK : status;
}

enum ev_status
serve_look_now(struct serve_look *look, struct serve_reader *reader,
               struct serve_request *request)
{
	struct ev_head head = { 0 };
	enum ev_status status;

	*look = (struct serve_look){ .reader = reader, .request = request,
	                             .store = reader->projector.store,
	                             .arena = &request->arena };
	status = look->store->ops->head(look->store, &head, &look->err);
	look->head = look->position = head.position;
	look->now = ev_time_now();
	look->now -= look->now % SECOND;
	return status;
}

static enum ev_status
find_place(struct serve_look *look, struct serve_reader *reader,
           struct serve_request *request)
{
	struct ev_str at = serve_param(request, "at");
	int64_t position = -1, time = 0;
	enum ev_status status = serve_look_now(look, reader, request);

	if (status)
		return status;
	look->past = at.ptr != NULL;
	if (look->past) {
		parse_at(at, &position, &time);
		if (position < 0)
			status = view_find_time(look->store, time, &position,
			                        &look->err);
		if (position < look->head)
			look->position = position;
		if (!status && look->position)
			status = find_recorded(look->store, look->position,
			                       &look->now, &look->err);
		look->now -= look->now % SECOND;
	}
	return status;
}

/* ---- looking */

static bool
add_identity(void *context, const struct ev_model *row)
{
	struct ev_buf *key = context;

	ev_buf_add(key, &row->id, sizeof row->id);
	ev_buf_add(key, &row->live, sizeof row->live);
	ev_buf_add(key, row->hash, sizeof row->hash);
	return true;
}

static void
add_part(struct ev_buf *key, struct ev_str part)
{
	ev_buf_add(key, &part.len, sizeof part.len);
	ev_buf_add_str(key, part);
}

static bool
add_progress(void *context, const struct ev_model *row)
{
	struct ev_buf *key = context;

	ev_buf_add(key, &row->position, sizeof row->position);
	ev_buf_add(key, &row->parked, sizeof row->parked);
	add_part(key, row->error);
	return true;
}

static bool
add_consumer(void *context, const struct ev_consumer *consumer)
{
	struct ev_buf *key = context;

	add_part(key, consumer->name);
	add_part(key, consumer->owner);
	ev_buf_printf(key, "%lld %lld %lld %lld %lld",
	              (long long)consumer->position, (long long)consumer->fence,
	              (long long)consumer->failed, (long long)consumer->parked,
	              (long long)consumer->replays);
	ev_buf_add(key, consumer->lease_until, EV_TIME_TEXT);
	return true;
}

/* What was asked, the state of the log, its definitions, and the clock. */
static enum ev_status
make_key(struct serve_look *look, const struct serve_looking *looking,
         struct ev_buf *key)
{
	const struct serve_request *request = look->request;
	const struct ev_store_ops *ops = look->store->ops;
	int64_t second = looking->clock == SERVE_BY_SECOND ? look->now : 0;
	enum ev_status status;

	add_part(key, ev_str(request->route->path));
	for (int i = 0; i < 2; i++)
		add_part(key, request->params[i]);
	for (size_t i = 0; i < request->query_count; i++) {
		add_part(key, request->query[i].name);
		add_part(key, request->query[i].value);
	}
	ev_buf_add(key, &look->position, sizeof look->position);
	ev_buf_add(key, &look->past, sizeof look->past);
	ev_buf_add(key, &second, sizeof second);
	status = ops->models(look->store, add_identity, key, &look->err);
	if (!status && looking->machinery)
		status = ops->models(look->store, add_progress, key,
		                     &look->err);
	if (!status && looking->machinery)
		status = ops->consumers(look->store, add_consumer, key,
		                        &look->err);
	if (!status && looking->key)
		status = looking->key(look, key);
	return status;
}

/* Makes it, unless there is one. */
static enum ev_status
answer(struct serve_look *look, const struct serve_looking *looking,
       struct ev_buf *out)
{
	struct serve_cache *cache = serve_readers_cache(look->reader);
	struct ev_buf key = { 0 };
	enum ev_status status;

	if (looking->clock == SERVE_UNCACHED)
		return looking->work(look, out);
	status = make_key(look, looking, &key);
	if (!status && !serve_cache_get(cache, ev_buf_str(&key), out)) {
		status = looking->work(look, out);
		if (status || look->request->answer.status)
			serve_cache_leave(cache, ev_buf_str(&key));
		else
			serve_cache_put(cache, ev_buf_str(&key),
			                ev_buf_str(out));
	}
	ev_buf_release(&key);
	return status;
}

static void
do_look(struct serve_reader *reader, struct serve_request *request)
{
	struct ev_store *store = reader->projector.store;
	struct serve_look look;
	struct ev_buf out = { 0 };
	enum ev_status status = store->ops->model_begin(store, &look.err);

	if (!status) {
		status = find_place(&look, reader, request);
		if (!status)
			status = answer(&look, request->data, &out);
		store->ops->model_end(store);
	}
	if (status && !request->answer.status)
		serve_fail(request, status == EV_BAD_INPUT ? EV_BUG : status,
		           &look.err);
	else if (!request->answer.status)
		ev_buf_add_str(serve_json(request), ev_buf_str(&out));
	ev_buf_release(&out);
}

static bool
check(struct serve_request *request, const struct serve_looking *looking)
{
	const char *names[16] = { 0 };
	struct ev_str at = serve_param(request, "at");
	int64_t position, time;
	size_t count = 0;

	for (const char *const *name = looking->names; *name; name++)
		names[count++] = *name;
	if (!looking->present)
		names[count++] = "at";
	if (!serve_params_known(request, names))
		return false;
	if (at.ptr && !parse_at(at, &position, &time)) {
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 }, "at '%.*s': expected a "
		              "position, or 45s, 30m, 2h, 7d, a date or an "
		              "RFC 3339 time", EV_FMT(at));
		return false;
	}
	return true;
}

void
serve_look(struct serve_request *request, const struct serve_looking *looking)
{
	if (!check(request, looking)) {
		serve_finish(request);
		return;
	}
	/* it is static, and only read */
	request->data = (void *)looking;
	serve_read(request, do_look);
}

/* ---- documents */

struct taking {
	struct serve_look *look;
	serve_take *take;
	void *context;
	enum ev_status status;
};

static bool
take_document(void *context, struct ev_str key, int64_t position,
              struct ev_str json)
{
	struct taking *taking = context;
	struct serve_document document = { .key = key, .json = json };
	yyjson_doc *doc;
	bool more;

	(void)position;
	taking->status = ev_json_parse(&doc, json, NULL, &taking->look->err);
	if (taking->status)
		return false;
	document.root = yyjson_doc_get_root(doc);
	more = taking->take(taking->context, &document);
	yyjson_doc_free(doc);
	return more;
}

/* What is stored stands for the log's end only. */
static enum ev_status
open_view(struct serve_look *look, struct view *view, const char *name,
          struct ev_slices keys)
{
	struct view_options options = {
		.at = look->position < look->head ? look->position : -1,
		.keys = keys,
	};
	struct readmodel *model;
	enum ev_status status = serve_reader_model(look->reader, name, &model,
	                                           &look->err);

	*view = (struct view){ 0 };
	return status ? status : view_open(view, model, &options, &look->err);
}

enum ev_status
serve_documents(struct serve_look *look, const char *model, serve_take *take,
                void *context)
{
	struct taking taking = { look, take, context, EV_OK };
	struct view view;
	enum ev_status status = open_view(look, &view, model,
	                                  (struct ev_slices){ 0 });

	if (!status)
		status = view_each(&view, take_document, &taking, &look->err);
	view_close(&view);
	return status ? status : taking.status;
}

enum ev_status
serve_document(struct serve_look *look, const char *model, struct ev_str key,
               serve_take *take, void *context)
{
	struct taking taking = { look, take, context, EV_OK };
	struct ev_str slice = ev_line_escape(look->arena, key);
	struct ev_buf json = { 0 };
	struct view view;
	enum ev_status status = open_view(look, &view, model,
	                                  (struct ev_slices){ &slice, 1 });

	if (!status)
		status = view_find(&view, slice, &json, &look->err);
	if (!status)
		take_document(&taking, slice, 0, ev_buf_str(&json));
	ev_buf_release(&json);
	view_close(&view);
	return status ? status : taking.status;
}

/* ---- those that are chosen */

struct found {
	struct ev_str json;
	yyjson_val *by; /* what it is sorted by */
	size_t place;   /* by key */
};

struct choosing {
	const struct serve_choice *choice;
	struct ev_arena arena;
	struct found *list;
	size_t count, room;
	yyjson_doc **docs; /* of `by` */
	size_t doc_count, doc_room;
	const char *name;
	struct ev_buf *out; /* NULL: they are kept, to be sorted */
	enum ev_status status;
	struct ev_err *err;
};

static void
add_chosen(struct choosing *choosing, struct ev_str json)
{
	if (choosing->count++)
		ev_buf_add_char(choosing->out, ',');
	serve_renamed(choosing->out, json, choosing->name);
}

/* The member that it is sorted by outlives the document. */
static yyjson_val *
keep_member(struct choosing *choosing, yyjson_val *value)
{
	struct ev_buf json = { 0 };
	yyjson_doc *doc;

	if (!value)
		return NULL;
	ev_json_write(&json, value);
	choosing->status = ev_json_parse(&doc, ev_buf_str(&json), NULL,
	                                 choosing->err);
	ev_buf_release(&json);
	if (choosing->status)
		return NULL;
	if (choosing->doc_count == choosing->doc_room) {
		choosing->doc_room = choosing->doc_room ? 2 * choosing->doc_room
		                                        : 64;
		choosing->docs = ev_mem_resize(choosing->docs,
		                               choosing->doc_room *
		                               sizeof *choosing->docs);
	}
	choosing->docs[choosing->doc_count++] = doc;
	return yyjson_doc_get_root(doc);
}

static void
keep(struct choosing *choosing, const struct serve_document *document)
{
	struct ev_str sort = choosing->choice->sort;
	struct found *found;

	if (choosing->count == choosing->room) {
		choosing->room = choosing->room ? 2 * choosing->room : 64;
		choosing->list = ev_mem_resize(choosing->list, choosing->room *
		                               sizeof *choosing->list);
	}
	found = &choosing->list[choosing->count];
	*found = (struct found){
		.json = ev_arena_dup(&choosing->arena, document->json),
		.place = choosing->count++,
	};
	if (sort.len)
		found->by = keep_member(choosing,
		                        where_find(document->root, sort));
}

static bool
choose(void *context, const struct serve_document *document)
{
	struct choosing *choosing = context;
	const struct serve_choice *choice = choosing->choice;

	if (!where_holds(&choice->where, document->root) ||
	    (choice->fits && !choice->fits(choice->context, document->root)))
		return true;
	if (!choosing->out) {
		keep(choosing, document);
		return !choosing->status;
	}
	if (choice->limit >= 0 && (int64_t)choosing->count >= choice->limit)
		return false;
	add_chosen(choosing, document->json);
	return true;
}

/* As ev-get sorts: null and missing last, equal ones by key. */
static int
by_member(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = where_compare(x->by, y->by);

	return order ? order : x->place < y->place ? -1 : 1;
}

static int
by_member_reversed(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = where_compare_reversed(x->by, y->by);

	return order ? order : x->place < y->place ? -1 : 1;
}

static int
by_place_reversed(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->place > y->place ? -1 : 1;
}

static void
add_sorted(struct choosing *choosing, struct ev_buf *out)
{
	const struct serve_choice *choice = choosing->choice;
	size_t count = choosing->count;

	if (count)
		qsort(choosing->list, count, sizeof *choosing->list,
		      !choice->sort.len ? by_place_reversed
		      : choice->reverse ? by_member_reversed : by_member);
	if (choice->limit >= 0 && (int64_t)count > choice->limit)
		count = (size_t)choice->limit;
	choosing->out = out;
	choosing->count = 0;
	for (size_t i = 0; i < count; i++)
		add_chosen(choosing, choosing->list[i].json);
}

/* A misspelt member is no document's, and would pass for an empty answer. */
static enum ev_status
check_members(struct serve_look *look, const char *name,
              const struct serve_choice *choice)
{
	const struct ev_projection *projection;
	struct readmodel *model;
	enum ev_status status = serve_reader_model(look->reader, name, &model,
	                                           &look->err);

	if (status || (status = readmodel_refresh(model, &look->err)))
		return status;
	projection = readmodel_projection(model);
	status = where_check_all(&choice->where, projection, &look->err);
	if (!status && choice->sort.len)
		status = where_check(projection, choice->sort, &look->err);
	return status;
}

enum ev_status
serve_chosen(struct serve_look *look, const char *model,
             const struct serve_choice *choice, const char *name,
             struct ev_buf *out)
{
	bool sorted = choice->sort.len || choice->reverse;
	struct choosing choosing = { .choice = choice, .name = name,
	                             .out = sorted ? NULL : out,
	                             .err = &look->err };
	enum ev_status status = check_members(look, model, choice);

	ev_buf_add_char(out, '[');
	if (!status)
		status = serve_documents(look, model, choose, &choosing);
	if (!status)
		status = choosing.status;
	if (!status && sorted)
		add_sorted(&choosing, out);
	ev_buf_add_char(out, ']');
	for (size_t i = 0; i < choosing.doc_count; i++)
		yyjson_doc_free(choosing.docs[i]);
	free(choosing.docs);
	free(choosing.list);
	ev_arena_release(&choosing.arena);
	return status;
}

/* name, name=1, name=true; or 0, false. False: it is something else. */
static bool
take_flag(struct serve_request *request, const char *name, bool *flag)
{
	struct ev_str text = serve_param(request, name);

	*flag = text.ptr && (!text.len || ev_str_equal(text, EV_STR("1")) ||
	                     ev_str_equal(text, EV_STR("true")));
	if (!text.ptr || *flag || ev_str_equal(text, EV_STR("0")) ||
	    ev_str_equal(text, EV_STR("false")))
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "%s '%.*s': expected true or false", name, EV_FMT(text));
	return false;
}

bool
serve_choice_take(struct serve_request *request, struct serve_choice *choice)
{
	choice->limit = -1;
	choice->sort = serve_param(request, "sort");
	return take_flag(request, "reverse", &choice->reverse) &&
	       serve_param_int(request, "limit", 0, INT64_MAX, &choice->limit);
}

void
serve_choice_release(struct serve_choice *choice)
{
	where_release(&choice->where);
}

/* ---- parts of answers */

void
serve_renamed(struct ev_buf *out, struct ev_str json, const char *name)
{
	/* it is the first member of every document as it is shown */
	const struct ev_str first = EV_STR("{\"key\"");

	ev_buf_printf(out, "{\"%s\"", name);
	ev_buf_add(out, json.ptr + first.len, json.len - first.len);
}

void
serve_member_name(struct ev_buf *out, const char *name)
{
	if (out->ptr[out->len - 1] != '{')
		ev_buf_add_char(out, ',');
	ev_buf_printf(out, "\"%s\":", name);
}

void
serve_member(struct ev_buf *out, const char *name, yyjson_val *value)
{
	serve_member_name(out, name);
	ev_json_write(out, value);
}

void
serve_member_text(struct ev_buf *out, const char *name, struct ev_str text)
{
	serve_member_name(out, name);
	ev_json_write_string(out, text);
}

void
serve_member_seconds(struct ev_buf *out, const char *name, int64_t micros)
{
	serve_member_name(out, name);
	ev_buf_printf(out, "%lld", (long long)(micros / SECOND));
	micros %= SECOND;
	if (!micros)
		return;
	ev_buf_printf(out, ".%06d", (int)micros);
	while (out->ptr[out->len - 1] == '0')
		out->len--;
}

void
serve_member_age(struct ev_buf *out, const char *name, yyjson_val *time,
                 int64_t now)
{
	int64_t then;

	if (!ev_time_parse(ev_json_text(time), &then)) {
		serve_member(out, name, NULL);
		return;
	}
	serve_member_seconds(out, name, now > then ? now - then : 0);
}

bool
serve_param_fits(const struct serve_request *request, const char *name,
                 struct ev_str value)
{
	bool asked = false;

	for (size_t i = 0; i < request->query_count; i++) {
		if (!ev_str_equal(request->query[i].name, ev_str(name)))
			continue;
		if (ev_str_equal(request->query[i].value, value))
			return true;
		asked = true;
	}
	return !asked;
}

struct ev_str
serve_text(yyjson_val *document, const char *name)
{
	return ev_json_text(yyjson_obj_get(document, name));
}

enum ev_status
serve_nothing(struct serve_look *look, const char *what, struct ev_str which)
{
	return ev_err_set(&look->err, EV_NO, "no %s '%.*s'", what,
	                  EV_FMT(which));
}
