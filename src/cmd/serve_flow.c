#include "cmd/serve_flow.h"

#include <stdlib.h>

#include "cmd/serve_jq.h"
#include "cmd/serve_look.h"
#include "cmd/serve_models.h"
#include "cmd/serve_readers.h"

#define DAY_MICROS ((int64_t)86400 * 1000000)
enum { DAYS_MAX = 3660 };

/* An issue, on its way. */
struct issue {
	struct ev_str key;
	size_t state;   /* 1 + its place among the states, 0: none yet */
	int64_t begun;  /* when it came into it */
};

/* That an issue was in a state, and left it. */
struct visit {
	int64_t end;    /* µs since 1970 */
	int64_t length; /* µs */
	size_t issue;
};

struct state {
	struct ev_str name;
	struct visit *visits;
	size_t count, room;
	int64_t now; /* issues that are in it */
};

/* All that has been folded, up to a position. */
struct way {
	const struct ev_projection *projection; /* our own */
	struct ev_fold *fold;
	int64_t position;
	struct issue *issues;
	size_t issue_count, issue_room;
	size_t *slots; /* of a hash table: 1 + an issue's place, 0: free */
	size_t slot_count;
	struct state *states;
	size_t state_count;
	struct ev_arena arena; /* for names */
	struct ev_buf json;
};

struct serve_flow {
	pthread_mutex_t lock;
	struct way way;
};

struct serve_flow *
serve_flow_new(void)
{
	struct serve_flow *flow = ev_mem_alloc(sizeof *flow);

	pthread_mutex_init(&flow->lock, NULL);
	return flow;
}

static void
release_way(struct way *way)
{
	if (way->fold)
		ev_fold_free(way->fold);
	if (way->projection)
		ev_projection_free(way->projection);
	for (size_t i = 0; i < way->state_count; i++)
		free(way->states[i].visits);
	free(way->states);
	free(way->issues);
	free(way->slots);
	ev_arena_release(&way->arena);
	ev_buf_release(&way->json);
	*way = (struct way){ 0 };
}

void
serve_flow_free(struct serve_flow *flow)
{
	if (!flow)
		return;
	release_way(&flow->way);
	pthread_mutex_destroy(&flow->lock);
	free(flow);
}

void
serve_flow_forget(struct serve_flow *flow)
{
	pthread_mutex_lock(&flow->lock);
	release_way(&flow->way);
	pthread_mutex_unlock(&flow->lock);
}

/* ---- what is known by name */

static void
place_issue(struct way *way, size_t i)
{
	size_t at = ev_str_hash(way->issues[i].key) & (way->slot_count - 1);

	while (way->slots[at])
		at = (at + 1) & (way->slot_count - 1);
	way->slots[at] = i + 1;
}

static size_t
get_issue(struct way *way, struct ev_str key)
{
	size_t at;

	if (way->issue_count == way->issue_room) {
		way->issue_room = way->issue_room ? 2 * way->issue_room : 256;
		way->issues = ev_mem_resize(way->issues, way->issue_room *
		                            sizeof *way->issues);
		way->slot_count = 2 * way->issue_room;
		free(way->slots);
		way->slots = ev_mem_alloc(way->slot_count *
		                          sizeof *way->slots);
		for (size_t i = 0; i < way->issue_count; i++)
			place_issue(way, i);
	}
	at = ev_str_hash(key) & (way->slot_count - 1);
	for (; way->slots[at]; at = (at + 1) & (way->slot_count - 1))
		if (ev_str_equal(way->issues[way->slots[at] - 1].key, key))
			return way->slots[at] - 1;
	way->issues[way->issue_count] = (struct issue){
		.key = ev_arena_dup(&way->arena, key),
		.begun = EV_TIME_NONE,
	};
	way->slots[at] = way->issue_count + 1;
	return way->issue_count++;
}

/* 1 + its place; there are few. */
static size_t
get_state(struct way *way, struct ev_str name)
{
	for (size_t i = 0; i < way->state_count; i++)
		if (ev_str_equal(way->states[i].name, name))
			return i + 1;
	way->states = ev_mem_resize(way->states, (way->state_count + 1) *
	                            sizeof *way->states);
	way->states[way->state_count] = (struct state){
		.name = ev_arena_dup(&way->arena, name),
	};
	return ++way->state_count;
}

/* ---- folding */

static void
add_visit(struct state *state, struct visit visit)
{
	if (state->count == state->room) {
		state->room = state->room ? 2 * state->room : 256;
		state->visits = ev_mem_resize(state->visits, state->room *
		                              sizeof *state->visits);
	}
	state->visits[state->count++] = visit;
}

/* The state that a document says, as a slice; {0}: none. */
static struct ev_str
read_state(struct way *way, const struct ev_document *document)
{
	const struct ev_str name = EV_STR("\"state\":");
	struct ev_str json, state = { 0 };
	const char *end;

	ev_buf_reset(&way->json);
	ev_fold_write(way->fold, document, EV_FOLD_STORED, &way->json);
	json = ev_buf_str(&way->json);
	/* it is the first member of issue-status as it comes with ev */
	if (json.len > name.len + 2 &&
	    memcmp(json.ptr + 1, name.ptr, name.len) == 0 &&
	    json.ptr[name.len + 1] == '"') {
		state.ptr = json.ptr + name.len + 2;
		end = memchr(state.ptr, '"', json.len - name.len - 2);
		if (end && !memchr(state.ptr, '\\', (size_t)(end - state.ptr)))
			state.len = (size_t)(end - state.ptr);
	}
	return state;
}

/* The same where it is not the first, or a text of its own kind. */
static struct ev_str
find_state(struct way *way)
{
	struct ev_str state = { 0 };
	struct ev_buf text = { 0 };
	yyjson_doc *doc;
	struct ev_err err;

	if (ev_json_parse(&doc, ev_buf_str(&way->json), NULL, &err))
		return state;
	ev_buf_add_str(&text, serve_text(yyjson_doc_get_root(doc), "state"));
	yyjson_doc_free(doc);
	ev_buf_reset(&way->json);
	ev_buf_add_str(&way->json, ev_buf_str(&text));
	ev_buf_release(&text);
	return ev_buf_str(&way->json);
}

/* What is told late came no earlier than what was told before it: no visit is
   shorter than nothing. */
static void
move(struct way *way, const struct ev_document *document, int64_t time)
{
	struct ev_str name = read_state(way, document);
	struct issue *issue;
	size_t i, state = 0;

	if (!name.len)
		name = find_state(way);
	if (name.len)
		state = get_state(way, name);
	i = get_issue(way, document->key);
	issue = &way->issues[i];
	if (issue->state == state)
		return;
	if (time < issue->begun)
		time = issue->begun;
	if (issue->state) {
		struct state *left = &way->states[issue->state - 1];

		left->now--;
		add_visit(left, (struct visit){ time, time - issue->begun, i });
	}
	if (state)
		way->states[state - 1].now++;
	issue->state = state;
	issue->begun = time;
}

static void
note_touched(struct way *way, struct ev_str timestamp)
{
	struct ev_document *document = ev_fold_take_touched(way->fold);
	int64_t time;

	if (!document || !ev_time_parse(timestamp, &time))
		return;
	for (; document; document = document->next_touched)
		if (*document->key.ptr != EV_FOLD_NOTE)
			move(way, document, time);
}

/* Folds on to a position; what cannot be folded changes nothing. */
static enum ev_status
fold_on(struct serve_look *look, struct way *way, int64_t to)
{
	struct projector *projector = &look->reader->projector;
	struct stretch stretch = { .projection = way->projection,
	                           .position = way->position, .end = to };
	enum ev_status status;

	if (way->position >= to)
		return EV_OK;
	status = projector_open_stretch(projector, &stretch, &look->err);
	while (!status) {
		status = stretch_fold(&stretch, way->fold, &look->err);
		if (!status)
			note_touched(way, stretch.timestamp);
		else if (status == EV_BAD_INPUT)
			status = EV_OK;
		/* where it fails later, the next request goes on from here */
		way->position = stretch.position;
		if (stretch.outdated && !status)
			status = projector_renew_stretch(projector, &stretch,
			                                 &look->err);
	}
	stretch_release(&stretch);
	return status == EV_NO ? EV_OK : status;
}

/* Begins anew where the definition is another than before. */
static enum ev_status
prepare(struct serve_look *look, struct way *way)
{
	const struct ev_projection *projection;
	struct readmodel *model;
	struct ev_str json;
	enum ev_status status = serve_reader_model(look->reader, "issue-status",
	                                           &model, &look->err);

	if (status || (status = readmodel_refresh(model, &look->err)))
		return status;
	json = ev_projection_json(readmodel_projection(model));
	/* another thread may have folded events that came after we began to
	   look; that is no reason to begin again */
	if (way->projection &&
	    ev_str_equal(ev_projection_json(way->projection), json))
		return EV_OK;
	release_way(way);
	/* the reader may open its log anew, and let go of its own */
	status = ev_projection_load(&projection, json, &look->err);
	if (status)
		return status;
	way->projection = projection;
	way->fold = ev_fold_new(projection, NULL);
	return EV_OK;
}

/* ---- what it says of some days */

struct figures {
	size_t visits;
	size_t issues;
	int64_t total, median, p90; /* µs */
};

static int
by_length(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Visits that ended within (from, to]. */
static struct figures
measure(const struct way *way, const struct state *state, int64_t from,
        int64_t to)
{
	int64_t *lengths = ev_mem_alloc(state->count * sizeof *lengths);
	bool *seen = ev_mem_alloc(way->issue_count * sizeof *seen);
	struct figures figures = { 0 };

	for (size_t i = 0; i < state->count; i++) {
		const struct visit *visit = &state->visits[i];

		if (visit->end <= from || visit->end > to)
			continue;
		lengths[figures.visits++] = visit->length;
		figures.total += visit->length;
		figures.issues += !seen[visit->issue];
		seen[visit->issue] = true;
	}
	if (figures.visits) {
		size_t n = figures.visits;

		qsort(lengths, n, sizeof *lengths, by_length);
		figures.median = n % 2 ? lengths[n / 2]
			: lengths[n / 2 - 1] +
			  (lengths[n / 2] - lengths[n / 2 - 1]) / 2;
		figures.p90 = lengths[(9 * n + 9) / 10 - 1];
	}
	free(lengths);
	free(seen);
	return figures;
}

static void
write_state(const struct way *way, const struct state *state, int64_t from,
            int64_t to, struct ev_buf *out)
{
	struct figures figures = measure(way, state, from, to);

	ev_buf_add_str(out, out->ptr[out->len - 1] == '[' ? EV_STR("{")
	                                                  : EV_STR(",{"));
	serve_member_text(out, "state", state->name);
	ev_buf_printf(out, ",\"issues\":%zu,\"visits\":%zu", figures.issues,
	              figures.visits);
	serve_member_seconds(out, "totalSeconds", figures.total);
	if (figures.visits) {
		serve_member_seconds(out, "medianSeconds", figures.median);
		serve_member_seconds(out, "p90Seconds", figures.p90);
	} else {
		ev_buf_add_str(out, EV_STR(",\"medianSeconds\":null,"
		                           "\"p90Seconds\":null"));
	}
	ev_buf_printf(out, ",\"now\":%lld}", (long long)state->now);
}

/* In the order of an issue's way, as the reports have it. */
static enum ev_status
write_states(struct serve_look *look, struct way *way, int64_t from,
             int64_t to, struct ev_buf *out)
{
	struct ev_buf names = { 0 }, ordered = { 0 };
	yyjson_doc *doc;
	yyjson_arr_iter iter;
	yyjson_val *name;
	enum ev_status status;

	ev_buf_add_str(&names, EV_STR("\"now\":\"1970-01-01T00:00:00Z\","
	                              "\"states\":["));
	for (size_t i = 0; i < way->state_count; i++) {
		if (i)
			ev_buf_add_char(&names, ',');
		ev_json_write_string(&names, way->states[i].name);
	}
	ev_buf_add_char(&names, ']');
	status = serve_jq_run(look->reader->jq, "way", ev_buf_str(&names),
	                      &ordered, &look->err);
	if (!status)
		status = ev_json_parse(&doc, ev_buf_str(&ordered), NULL,
		                       &look->err);
	if (!status) {
		yyjson_arr_iter_init(yyjson_doc_get_root(doc), &iter);
		while ((name = yyjson_arr_iter_next(&iter))) {
			size_t i = get_state(way, ev_json_text(name));

			write_state(way, &way->states[i - 1], from, to, out);
		}
		yyjson_doc_free(doc);
	}
	ev_buf_release(&names);
	ev_buf_release(&ordered);
	return status;
}

static enum ev_status
write_flow(struct serve_look *look, struct way *way, int64_t days,
           struct ev_buf *out)
{
	int64_t from = look->now - days * DAY_MICROS;
	char begin[EV_TIME_TEXT], end[EV_TIME_TEXT];
	enum ev_status status;

	ev_time_format(from, begin);
	ev_time_format(look->now, end);
	ev_buf_printf(out, "{\"from\":\"%.*s\",\"to\":\"%.*s\",\"states\":[",
	              EV_TIME_TEXT, begin, EV_TIME_TEXT, end);
	/* of the second that has begun, all */
	status = write_states(look, way, from, look->now + 999999, out);
	ev_buf_add_str(out, EV_STR("]}"));
	return status;
}

static enum ev_status
show_flow(struct serve_look *look, struct ev_buf *out)
{
	struct serve_flow *flow = serve_readers_flow(look->reader);
	bool past = look->position < look->head;
	struct way alone = { 0 };
	struct way *way = past ? &alone : &flow->way;
	enum ev_status status;
	int64_t days = 30;

	if (!serve_param_int(look->request, "days", 1, DAYS_MAX, &days))
		return EV_OK;
	if (!past)
		pthread_mutex_lock(&flow->lock);
	status = prepare(look, way);
	if (!status)
		status = fold_on(look, way, look->position);
	if (!status)
		status = write_flow(look, way, days, out);
	if (!past)
		pthread_mutex_unlock(&flow->lock);
	release_way(&alone);
	return status;
}

void
serve_flow(struct serve_request *request)
{
	static const char *const names[] = { "days", NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_BY_SECOND, .work = show_flow,
	};

	serve_look(request, &looking);
}
