#include <stdlib.h>

#include "cmd/each.h"
#include "cmd/project.h"
#include "cmd/serve_agents.h"
#include "cmd/serve_jq.h"
#include "cmd/serve_models.h"

/* ---- issues, as far as the queue's definitions look at them */

struct issue {
	struct ev_str key; /* plain text */
	struct ev_str state;
	yyjson_doc *doc; /* if it is queued */
};

struct issues {
	struct serve_look *look;
	struct issue *list; /* sorted by key */
	size_t count, room;
	bool all; /* those that are not done are wanted, too: */
	struct ev_buf open; /* ,{…},{…} */
	int64_t done;
	enum ev_status status;
};

static void
write_members(struct ev_buf *out, yyjson_val *root, const char *const *members)
{
	for (; *members; members++)
		serve_member(out, *members, yyjson_obj_get(root, *members));
}

static bool
add_issue(void *context, const struct serve_document *document)
{
	static const char *const open_members[] = {
		"key", "state", "agentId", "reason", "lastEventAt", NULL
	};
	struct issues *issues = context;
	struct ev_arena *arena = issues->look->arena;
	struct issue *issue;

	if (issues->count == issues->room) {
		issues->room = issues->room ? 2 * issues->room : 256;
		issues->list = ev_mem_resize(issues->list, issues->room *
		                             sizeof *issues->list);
	}
	issue = &issues->list[issues->count++];
	*issue = (struct issue){
		.key = ev_arena_dup(arena, serve_text(document->root, "key")),
		.state = ev_arena_dup(arena,
		                      serve_text(document->root, "state")),
	};
	if (ev_str_equal(issue->state, EV_STR("done"))) {
		issues->done++;
	} else if (issues->all) {
		ev_buf_add_str(&issues->open, EV_STR(",{"));
		write_members(&issues->open, document->root, open_members);
		ev_buf_add_char(&issues->open, '}');
	}
	if (ev_str_equal(issue->state, EV_STR("queued")))
		issues->status = ev_json_parse(&issue->doc, document->json,
		                               NULL, &issues->look->err);
	return !issues->status;
}

static int
by_key(const void *a, const void *b)
{
	const struct issue *x = a, *y = b;

	return ev_str_compare(x->key, y->key);
}

static enum ev_status
read_issues(struct issues *issues)
{
	enum ev_status status = serve_documents(issues->look, "issue-status",
	                                        add_issue, issues);

	/* keys are sorted as slices, which may differ */
	if (issues->count)
		qsort(issues->list, issues->count, sizeof *issues->list,
		      by_key);
	return status ? status : issues->status;
}

static void
release_issues(struct issues *issues)
{
	for (size_t i = 0; i < issues->count; i++)
		yyjson_doc_free(issues->list[i].doc);
	free(issues->list);
	ev_buf_release(&issues->open);
}

/* Those that are queued: {…},{…}. */
static void
write_queued(const struct issues *issues, struct ev_buf *out)
{
	static const char *const members[] = {
		"key", "state", "repo", "issueNumber", "priority", "dependsOn",
		"approvedAt", NULL
	};
	bool comma = false;

	for (size_t i = 0; i < issues->count; i++) {
		if (!issues->list[i].doc)
			continue;
		ev_buf_printf(out, "%s{\"n\":%zu", comma ? "," : "", i);
		comma = true;
		write_members(out, yyjson_doc_get_root(issues->list[i].doc),
		              members);
		ev_buf_add_char(out, '}');
	}
}

/* Behind these, the states of what they depend on and that is not queued
   itself. jq says what that is: an issue's number alone is of its repository. */
static enum ev_status
write_dependencies(const struct issues *issues, struct ev_buf *queued)
{
	struct ev_buf members = { 0 }, names = { 0 };
	struct ev_err *err = &issues->look->err;
	yyjson_doc *doc = NULL;
	yyjson_arr_iter iter;
	yyjson_val *name;
	enum ev_status status;

	ev_buf_printf(&members, "\"issues\":[%.*s]", EV_FMT(*queued));
	status = serve_jq_run(issues->look->reader->jq, "dependencies",
	                      ev_buf_str(&members), &names, err);
	if (!status)
		status = ev_json_parse(&doc, ev_buf_str(&names), NULL, err);
	if (!status) {
		yyjson_arr_iter_init(yyjson_doc_get_root(doc), &iter);
		while ((name = yyjson_arr_iter_next(&iter))) {
			struct issue key = { .key = ev_json_text(name) };
			struct issue *issue = issues->count
				? bsearch(&key, issues->list, issues->count,
				          sizeof *issues->list, by_key)
				: NULL;

			if (!issue || issue->doc)
				continue;
			ev_buf_add_str(queued, EV_STR(",{"));
			serve_member_text(queued, "key", issue->key);
			serve_member_name(queued, "state");
			if (issue->state.ptr && issue->state.len)
				ev_json_write_string(queued, issue->state);
			else
				ev_buf_add_str(queued, EV_STR("null"));
			ev_buf_add_char(queued, '}');
		}
		yyjson_doc_free(doc);
	}
	ev_buf_release(&members);
	ev_buf_release(&names);
	return status;
}

static enum ev_status
write_queue_input(const struct issues *issues, struct ev_buf *queued)
{
	write_queued(issues, queued);
	return queued->len ? write_dependencies(issues, queued) : EV_OK;
}

/* ---- the queue */

static void
write_place(struct ev_buf *out, yyjson_val *row, yyjson_val *root,
            size_t place, int64_t now)
{
	static const char *const members[] = { "repo", "issueNumber", "title",
	                                       "priority", "approvedAt", NULL };
	yyjson_val *waits = yyjson_obj_get(row, "waitsFor");

	ev_buf_add_str(out, place ? EV_STR(",{") : EV_STR("{"));
	serve_member(out, "streamId", yyjson_obj_get(root, "key"));
	write_members(out, root, members);
	serve_member_name(out, "place");
	if (yyjson_arr_size(waits))
		ev_buf_add_str(out, EV_STR("null"));
	else
		ev_buf_printf(out, "%zu", place + 1);
	serve_member_age(out, "ageSeconds", yyjson_obj_get(root, "approvedAt"),
	                 now);
	serve_member(out, "waitsFor", waits);
	serve_member(out, "circle", yyjson_obj_get(row, "circle"));
	ev_buf_add_char(out, '}');
}

static enum ev_status
write_queue(const struct issues *issues, struct ev_str ordered,
            struct ev_buf *out)
{
	yyjson_arr_iter iter;
	yyjson_val *row;
	yyjson_doc *doc;
	enum ev_status status = ev_json_parse(&doc, ordered, NULL,
	                                      &issues->look->err);
	size_t place = 0;

	if (status)
		return status;
	yyjson_arr_iter_init(yyjson_doc_get_root(doc), &iter);
	while ((row = yyjson_arr_iter_next(&iter))) {
		size_t n = strtoul(serve_text(row, "n").ptr, NULL, 10);

		write_place(out, row, yyjson_doc_get_root(issues->list[n].doc),
		            place++, issues->look->now);
	}
	yyjson_doc_free(doc);
	return EV_OK;
}

static enum ev_status
show_queue(struct serve_look *look, struct ev_buf *out)
{
	struct issues issues = { .look = look };
	struct ev_buf queued = { 0 }, members = { 0 }, ordered = { 0 };
	enum ev_status status = read_issues(&issues);

	ev_buf_add_char(out, '[');
	if (!status)
		status = write_queue_input(&issues, &queued);
	if (!status && queued.len) {
		ev_buf_printf(&members, "\"issues\":[%.*s]", EV_FMT(queued));
		status = serve_jq_run(look->reader->jq, "queue",
		                      ev_buf_str(&members), &ordered,
		                      &look->err);
		if (!status)
			status = write_queue(&issues, ev_buf_str(&ordered),
			                     out);
	}
	ev_buf_add_char(out, ']');
	release_issues(&issues);
	ev_buf_release(&queued);
	ev_buf_release(&members);
	ev_buf_release(&ordered);
	return status;
}

void
serve_queue(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_BY_SECOND, .work = show_queue,
	};

	serve_look(request, &looking);
}

/* ---- how the rig stands */

static bool
add_document(void *context, const struct serve_document *document)
{
	struct ev_buf *out = context;

	if (out->ptr[out->len - 1] != '[')
		ev_buf_add_char(out, ',');
	ev_buf_add_str(out, document->json);
	return true;
}

/* Everything that jq is to look at. */
static enum ev_status
write_input(struct serve_look *look, const struct issues *issues,
            const struct serve_crew *crew, struct ev_buf *out)
{
	struct ev_buf queued = { 0 };
	enum ev_status status;
	char now[EV_TIME_TEXT];

	ev_time_format(look->now, now);
	ev_buf_printf(out, "\"now\":\"%.*s\",\"done\":%lld,\"issues\":[",
	              EV_TIME_TEXT, now, (long long)issues->done);
	if (issues->open.len)
		ev_buf_add(out, issues->open.ptr + 1, issues->open.len - 1);
	ev_buf_add_str(out, EV_STR("],\"attention\":["));
	status = serve_documents(look, serve_jq_attention(look->reader->jq),
	                         add_document, out);
	ev_buf_add_str(out, EV_STR("],\"queue\":["));
	if (!status)
		status = write_queue_input(issues, &queued);
	ev_buf_add_str(out, ev_buf_str(&queued));
	ev_buf_add_char(out, ']');
	serve_crew_write(crew, out);
	ev_buf_release(&queued);
	return status;
}

static void
write_crew(const struct serve_crew *crew, yyjson_val *rows, struct ev_buf *out)
{
	static const char *const before[] = {
		"status", "currentRepo", "currentIssue", "lastHeartbeat", NULL
	};
	static const char *const after[] = { "completed", "failed", "stuck",
	                                     NULL };
	yyjson_arr_iter iter;
	yyjson_val *row;
	bool comma = false;

	yyjson_arr_iter_init(rows, &iter);
	while ((row = yyjson_arr_iter_next(&iter))) {
		const struct serve_agent *agent = serve_crew_find(
			crew, serve_text(row, "key"));
		yyjson_val *root;

		if (!agent)
			continue;
		root = yyjson_doc_get_root(agent->status);
		ev_buf_add_str(out, comma ? EV_STR(",{") : EV_STR("{"));
		comma = true;
		serve_member_text(out, "agentId", agent->name);
		write_members(out, root, before);
		serve_member_name(out, "depth");
		ev_buf_add_str(out, agent->depth);
		write_members(out, root, after);
		ev_buf_add_char(out, '}');
	}
}

struct consumers {
	struct serve_look *look;
	struct ev_buf *out;
	bool comma;
	enum ev_status status;
};

static bool
add_consumer(void *context, const struct ev_consumer *consumer)
{
	struct consumers *consumers = context;
	struct serve_look *look = consumers->look;

	if (consumers->comma)
		ev_buf_add_char(consumers->out, ',');
	consumers->comma = true;
	consumers->status = each_write_lag(consumers->out, look->store,
	                                   consumer, look->head, ev_time_now(),
	                                   &look->err);
	return !consumers->status;
}

static void
add_model(void *context, struct ev_str json)
{
	static const char *const members[] = { "name", "lagEvents", "parked",
	                                       "error", NULL };
	struct ev_buf *out = context;
	yyjson_doc *doc;
	struct ev_err err;

	if (ev_json_parse(&doc, json, NULL, &err))
		return;
	ev_buf_add_str(out, out->ptr[out->len - 1] == '[' ? EV_STR("{")
	                                                  : EV_STR(",{"));
	write_members(out, yyjson_doc_get_root(doc), members);
	ev_buf_add_char(out, '}');
	yyjson_doc_free(doc);
}

/* How far they are is known of now only. */
static enum ev_status
write_machinery(struct serve_look *look, struct ev_buf *out)
{
	struct consumers consumers = { .look = look, .out = out };
	enum ev_status status;

	if (look->past) {
		ev_buf_add_str(out, EV_STR(",\"consumers\":null,"
		                           "\"models\":null"));
		return EV_OK;
	}
	ev_buf_add_str(out, EV_STR(",\"consumers\":["));
	status = look->store->ops->consumers(look->store, add_consumer,
	                                     &consumers, &look->err);
	if (!status)
		status = consumers.status;
	ev_buf_add_str(out, EV_STR("],\"models\":["));
	if (!status)
		status = project_list_json(look->store, add_model, out,
		                           &look->err);
	ev_buf_add_char(out, ']');
	return status;
}

static enum ev_status
write_status(struct serve_look *look, const struct serve_crew *crew,
             struct ev_str found, struct ev_buf *out)
{
	static const char *const members[] = { "needs", "issues", "queue",
	                                       NULL };
	yyjson_doc *doc;
	yyjson_val *root;
	enum ev_status status = ev_json_parse(&doc, found, NULL, &look->err);

	if (status)
		return status;
	root = yyjson_doc_get_root(doc);
	ev_buf_add_char(out, '{');
	write_members(out, root, members);
	serve_member_name(out, "agents");
	ev_buf_add_char(out, '[');
	write_crew(crew, yyjson_obj_get(root, "agents"), out);
	ev_buf_add_char(out, ']');
	yyjson_doc_free(doc);
	status = write_machinery(look, out);
	serve_member_name(out, "unheard");
	ev_buf_add_str(out, serve_jq_unheard(
		serve_jq_settings(look->reader->jq)));
	ev_buf_add_char(out, '}');
	return status;
}

/* What jq says of it all. */
static enum ev_status
find_status(struct serve_look *look, struct serve_crew *crew,
            struct ev_buf *found)
{
	struct issues issues = { .look = look, .all = true };
	struct ev_buf input = { 0 };
	enum ev_status status = read_issues(&issues);

	if (!status)
		status = serve_crew_read(look, crew);
	if (!status)
		status = write_input(look, &issues, crew, &input);
	if (!status)
		status = serve_jq_run(look->reader->jq, "status",
		                      ev_buf_str(&input), found, &look->err);
	release_issues(&issues);
	ev_buf_release(&input);
	return status;
}

enum ev_status
serve_needs(struct serve_look *look, void (*take)(void *context, int64_t since),
            void *context)
{
	struct serve_crew crew = { 0 };
	struct ev_buf found = { 0 };
	enum ev_status status = find_status(look, &crew, &found);
	yyjson_doc *doc = NULL;
	yyjson_val *need;
	yyjson_arr_iter iter;

	if (!status)
		status = ev_json_parse(&doc, ev_buf_str(&found), NULL,
		                       &look->err);
	yyjson_arr_iter_init(yyjson_obj_get(yyjson_doc_get_root(doc), "needs"),
	                     &iter);
	while ((need = yyjson_arr_iter_next(&iter))) {
		int64_t since = look->now;

		ev_time_parse(serve_text(need, "since"), &since);
		take(context, since);
	}
	yyjson_doc_free(doc);
	serve_crew_release(&crew);
	ev_buf_release(&found);
	return status;
}

static enum ev_status
show_status(struct serve_look *look, struct ev_buf *out)
{
	struct serve_crew crew = { 0 };
	struct ev_buf found = { 0 };
	enum ev_status status = find_status(look, &crew, &found);

	if (!status)
		status = write_status(look, &crew, ev_buf_str(&found), out);
	serve_crew_release(&crew);
	ev_buf_release(&found);
	return status;
}

void
serve_status(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_BY_SECOND, .machinery = true,
		.work = show_status,
	};

	serve_look(request, &looking);
}
