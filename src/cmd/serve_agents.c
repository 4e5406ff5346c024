#include "cmd/serve_agents.h"

#include <stdlib.h>

#include "cmd/serve_jq.h"
#include "cmd/serve_models.h"

enum { DEEP = 20 }; /* a queue that is over that is too long */

/* ---- who there is */

static int
by_name(const void *a, const void *b)
{
	const struct serve_agent *x = a, *y = b;

	return ev_str_compare(x->name, y->name);
}

static bool
add_agent(void *context, const struct serve_document *document)
{
	struct serve_crew *crew = context;
	struct serve_agent *agent;

	if (crew->count == crew->room) {
		crew->room = crew->room ? 2 * crew->room : 64;
		crew->list = ev_mem_resize(crew->list,
		                           crew->room * sizeof *crew->list);
	}
	agent = &crew->list[crew->count];
	*agent = (struct serve_agent){ .depth = EV_STR("0") };
	crew->result = ev_json_parse(&agent->status, document->json, NULL,
	                             crew->err);
	if (crew->result)
		return false;
	agent->name = serve_text(yyjson_doc_get_root(agent->status), "key");
	crew->count++;
	return true;
}

/* A log may have a definition of its own, without it. */
static struct ev_str
depth_of(yyjson_val *queue)
{
	yyjson_val *depth = yyjson_obj_get(queue, "depth");

	return yyjson_is_raw(depth) ? ev_json_text(depth) : EV_STR("0");
}

static bool
add_depth(void *context, const struct serve_document *document)
{
	struct serve_crew *crew = context;
	struct serve_agent *agent = (struct serve_agent *)serve_crew_find(
		crew, serve_text(document->root, "key"));

	if (agent)
		agent->depth = ev_arena_dup(&crew->arena,
		                            depth_of(document->root));
	return true;
}

enum ev_status
serve_crew_read(struct serve_look *look, struct serve_crew *crew)
{
	enum ev_status status;

	crew->err = &look->err;
	status = serve_documents(look, "agent-status", add_agent, crew);
	if (!status)
		status = crew->result;
	if (crew->count)
		qsort(crew->list, crew->count, sizeof *crew->list, by_name);
	if (!status)
		status = serve_documents(look, "agent-queue", add_depth, crew);
	return status;
}

void
serve_crew_release(struct serve_crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		yyjson_doc_free(crew->list[i].status);
	free(crew->list);
	ev_arena_release(&crew->arena);
}

const struct serve_agent *
serve_crew_find(const struct serve_crew *crew, struct ev_str name)
{
	const struct serve_agent key = { .name = name };

	return crew->count ? bsearch(&key, crew->list, crew->count,
	                             sizeof *crew->list, by_name)
	                   : NULL;
}

void
serve_crew_write(const struct serve_crew *crew, struct ev_buf *out)
{
	static const char *const members[] = { "key", "status", "currentIssue",
	                                       "lastHeartbeat" };

	ev_buf_add_str(out, EV_STR(",\"agents\":["));
	for (size_t i = 0; i < crew->count; i++) {
		yyjson_val *root = yyjson_doc_get_root(crew->list[i].status);

		ev_buf_add_str(out, i ? EV_STR(",{") : EV_STR("{"));
		for (size_t m = 0; m < sizeof members / sizeof *members; m++)
			serve_member(out, members[m],
			             yyjson_obj_get(root, members[m]));
		ev_buf_add_char(out, '}');
	}
	ev_buf_add_str(out, EV_STR("],\"queues\":["));
	for (size_t i = 0; i < crew->count; i++) {
		ev_buf_add_str(out, i ? EV_STR(",{") : EV_STR("{"));
		serve_member_text(out, "key", crew->list[i].name);
		serve_member_name(out, "depth");
		ev_buf_add_str(out, crew->list[i].depth);
		ev_buf_add_char(out, '}');
	}
	ev_buf_add_char(out, ']');
}

/* ---- agents */

static void
write_agent(struct ev_buf *out, const struct serve_agent *agent,
            yyjson_val *online, int64_t now)
{
	static const char *const before[] = { "currentIssue", "currentRepo",
	                                      "lastHeartbeat" };
	static const char *const after[] = { "completed", "failed", "stuck",
	                                     "instances" };
	yyjson_val *root = yyjson_doc_get_root(agent->status);

	ev_buf_add_char(out, '{');
	serve_member_text(out, "agentId", agent->name);
	serve_member(out, "status", yyjson_obj_get(root, "status"));
	serve_member(out, "online", online);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		serve_member(out, before[i], yyjson_obj_get(root, before[i]));
	serve_member_age(out, "heartbeatAgeSeconds",
	                 yyjson_obj_get(root, "lastHeartbeat"), now);
	serve_member_name(out, "depth");
	ev_buf_add_str(out, agent->depth);
	for (size_t i = 0; i < sizeof after / sizeof *after; i++)
		serve_member(out, after[i], yyjson_obj_get(root, after[i]));
	ev_buf_add_char(out, '}');
}

/* In the order of the report; only that of `name`, if it is not {0}. */
static enum ev_status
write_agents(struct serve_look *look, const struct serve_crew *crew,
             struct ev_str name, struct ev_buf *out)
{
	struct ev_buf members = { 0 }, ordered = { 0 };
	yyjson_doc *doc = NULL;
	yyjson_arr_iter iter;
	yyjson_val *row;
	enum ev_status status;
	char now[EV_TIME_TEXT];
	bool comma = false;

	ev_time_format(look->now, now);
	ev_buf_printf(&members, "\"now\":\"%.*s\"", EV_TIME_TEXT, now);
	serve_crew_write(crew, &members);
	status = serve_jq_run(look->reader->jq, "agents",
	                      ev_buf_str(&members), &ordered, &look->err);
	if (!status)
		status = ev_json_parse(&doc, ev_buf_str(&ordered), NULL,
		                       &look->err);
	if (!status) {
		yyjson_arr_iter_init(yyjson_doc_get_root(doc), &iter);
		while ((row = yyjson_arr_iter_next(&iter))) {
			const struct serve_agent *agent = serve_crew_find(
				crew, serve_text(row, "key"));

			if (!agent || (name.ptr &&
			               !ev_str_equal(agent->name, name)))
				continue;
			if (comma)
				ev_buf_add_char(out, ',');
			comma = true;
			write_agent(out, agent, yyjson_obj_get(row, "online"),
			            look->now);
		}
		yyjson_doc_free(doc);
	}
	ev_buf_release(&members);
	ev_buf_release(&ordered);
	return status;
}

static enum ev_status
list_agents(struct serve_look *look, struct ev_buf *out)
{
	struct serve_crew crew = { 0 };
	enum ev_status status = serve_crew_read(look, &crew);

	ev_buf_add_char(out, '[');
	if (!status)
		status = write_agents(look, &crew, (struct ev_str){ 0 }, out);
	ev_buf_add_char(out, ']');
	serve_crew_release(&crew);
	return status;
}

void
serve_agents(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_BY_SECOND, .work = list_agents,
	};

	serve_look(request, &looking);
}

/* A pod's name stands for its agent. */
static struct ev_str
agent_of(struct ev_str name)
{
	const char *slash = name.len ? memchr(name.ptr, '/', name.len) : NULL;

	if (slash)
		name.len = (size_t)(slash - name.ptr);
	return name;
}

static enum ev_status
show_agent(struct serve_look *look, struct ev_buf *out)
{
	struct ev_str name = agent_of(look->request->params[0]);
	struct serve_crew crew = { 0 };
	enum ev_status status = serve_crew_read(look, &crew);

	if (!status && !serve_crew_find(&crew, name))
		status = serve_nothing(look, "agent", name);
	if (!status)
		status = write_agents(look, &crew, name, out);
	serve_crew_release(&crew);
	return status;
}

void
serve_agent(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_BY_SECOND, .work = show_agent,
	};

	serve_look(request, &looking);
}

/* ---- what waits for them */

static bool
add_stream(void *context, const struct serve_document *document)
{
	struct ev_buf *out = context;
	struct ev_str depth = depth_of(document->root);
	long long count = strtoll(depth.ptr, NULL, 10);

	if (out->ptr[out->len - 1] != '[')
		ev_buf_add_char(out, ',');
	ev_buf_add_char(out, '{');
	serve_member(out, "agentId", yyjson_obj_get(document->root, "key"));
	serve_member_name(out, "depth");
	ev_buf_add_str(out, depth);
	serve_member(out, "lastAssigned",
	             yyjson_obj_get(document->root, "lastAssigned"));
	serve_member_name(out, "over");
	ev_buf_add_str(out, count > DEEP ? EV_STR("true") : EV_STR("false"));
	ev_buf_add_char(out, '}');
	return true;
}

static enum ev_status
list_streams(struct serve_look *look, struct ev_buf *out)
{
	enum ev_status status;

	ev_buf_add_char(out, '[');
	status = serve_documents(look, "agent-queue", add_stream, out);
	ev_buf_add_char(out, ']');
	return status;
}

void
serve_streams_status(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .work = list_streams,
	};

	serve_look(request, &looking);
}

/* Issues that wait for an agent. */
struct waiting {
	struct serve_look *look;
	struct ev_str depth;
	struct item {
		struct ev_str stream, assigned, json;
	} *list;
	size_t count;
};

static bool
note_items(void *context, const struct serve_document *document)
{
	struct waiting *waiting = context;
	yyjson_val *items = yyjson_obj_get(document->root, "items");
	struct ev_arena *arena = waiting->look->arena;
	yyjson_obj_iter iter;
	yyjson_val *name;

	waiting->depth = ev_arena_dup(arena, depth_of(document->root));
	waiting->list = ev_arena_alloc(arena, (yyjson_obj_size(items) + 1) *
	                               sizeof *waiting->list);
	yyjson_obj_iter_init(items, &iter);
	while ((name = yyjson_obj_iter_next(&iter)))
		waiting->list[waiting->count++].stream =
			ev_arena_dup(arena, ev_json_text(name));
	return true;
}

static int
by_stream(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return ev_str_compare(x->stream, y->stream);
}

static int
newest_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = ev_str_compare(y->assigned, x->assigned);

	return order ? order : by_stream(a, b);
}

/* The issue of a stream, if it is one of those that wait. */
static bool
note_issue(void *context, const struct serve_document *document)
{
	struct waiting *waiting = context;
	const struct item key = { .stream = serve_text(document->root, "key") };
	yyjson_val *repo = yyjson_obj_get(document->root, "repo");
	yyjson_val *number = yyjson_obj_get(document->root, "issueNumber");
	yyjson_val *assigned = yyjson_obj_get(document->root, "assignedAt");
	struct item *item = bsearch(&key, waiting->list, waiting->count,
	                            sizeof *waiting->list, by_stream);
	struct ev_buf json = { 0 }, url = { 0 };

	if (!item)
		return true;
	ev_buf_add_char(&json, '{');
	serve_member_text(&json, "streamId", item->stream);
	serve_member(&json, "repo", repo);
	serve_member(&json, "issueNumber", number);
	serve_member(&json, "assignedAt", assigned);
	ev_buf_printf(&url, "https://github.com/%.*s/issues/%.*s",
	              EV_FMT(ev_json_text(repo)), EV_FMT(ev_json_text(number)));
	serve_member_text(&json, "url", ev_buf_str(&url));
	ev_buf_add_char(&json, '}');
	item->json = ev_arena_dup(waiting->look->arena, ev_buf_str(&json));
	item->assigned = ev_arena_dup(waiting->look->arena,
	                              ev_json_text(assigned));
	ev_buf_release(&json);
	ev_buf_release(&url);
	return true;
}

static bool
note_nothing(void *context, const struct serve_document *document)
{
	(void)context;
	(void)document;
	return false;
}

static void
write_items(struct waiting *waiting, int64_t limit, struct ev_buf *out)
{
	bool comma = false;

	if (waiting->count)
		qsort(waiting->list, waiting->count, sizeof *waiting->list,
		      newest_first);
	for (size_t i = 0; i < waiting->count && (int64_t)i < limit; i++) {
		if (!waiting->list[i].json.len)
			continue;
		if (comma)
			ev_buf_add_char(out, ',');
		comma = true;
		ev_buf_add_str(out, waiting->list[i].json);
	}
}

static enum ev_status
show_stream(struct serve_look *look, struct ev_buf *out)
{
	struct waiting waiting = { .look = look, .depth = EV_STR("0") };
	struct ev_str name = agent_of(look->request->params[0]);
	int64_t limit = 10;
	enum ev_status status;

	if (!serve_param_int(look->request, "limit", 0, INT64_MAX, &limit))
		return EV_OK;
	status = serve_document(look, "agent-queue", name, note_items,
	                        &waiting);
	/* nothing waits for an agent that was never assigned anything */
	if (status == EV_NO)
		status = serve_document(look, "agent-status", name,
		                        note_nothing, NULL);
	if (status == EV_NO)
		return serve_nothing(look, "agent", name);
	if (waiting.count)
		qsort(waiting.list, waiting.count, sizeof *waiting.list,
		      by_stream);
	for (size_t i = 0; !status && i < waiting.count; i++) {
		status = serve_document(look, "issue-status",
		                        waiting.list[i].stream, note_issue,
		                        &waiting);
		if (status == EV_NO)
			status = EV_OK;
	}
	ev_buf_add_char(out, '{');
	serve_member_text(out, "agentId", name);
	serve_member_name(out, "depth");
	ev_buf_add_str(out, waiting.depth);
	serve_member_name(out, "items");
	ev_buf_add_char(out, '[');
	write_items(&waiting, limit, out);
	ev_buf_add_str(out, EV_STR("]}"));
	return status;
}

void
serve_stream_queue(struct serve_request *request)
{
	static const char *const names[] = { "limit", NULL };
	static const struct serve_looking looking = {
		.names = names, .work = show_stream,
	};

	serve_look(request, &looking);
}
