#include "cmd/serve_models.h"

#include <stdlib.h>

#include "cmd/project.h"
#include "cmd/serve_look.h"
#include "cmd/serve_readers.h"
#include "cmd/serve_runner.h"
#include "cmd/serve_writer.h"
#include "cmd/why.h"

/* ---- sessions */

static bool
is_session(void *context, yyjson_val *session)
{
	const struct serve_request *request = context;

	return serve_param_fits(request, "status",
	                        serve_text(session, "status")) &&
	       serve_param_fits(request, "project",
	                        serve_text(session, "project"));
}

static enum ev_status
list_sessions(struct serve_look *look, struct ev_buf *out)
{
	struct serve_choice choice = { .limit = -1, .fits = is_session,
	                               .context = look->request };

	if (!serve_param_int(look->request, "limit", 0, INT64_MAX,
	                     &choice.limit))
		return EV_OK;
	return serve_chosen(look, "session-status", &choice, "sessionId", out);
}

void
serve_sessions(struct serve_request *request)
{
	static const char *const names[] = { "status", "project", "limit",
	                                     NULL };
	static const struct serve_looking looking = {
		.names = names, .work = list_sessions,
	};

	serve_look(request, &looking);
}

static bool
add_session(void *context, const struct serve_document *document)
{
	serve_renamed(context, document->json, "sessionId");
	return true;
}

static enum ev_status
show_session(struct serve_look *look, struct ev_buf *out)
{
	struct ev_str key = look->request->params[0];
	enum ev_status status = serve_document(look, "session-status", key,
	                                       add_session, out);

	return status == EV_NO ? serve_nothing(look, "session", key) : status;
}

void
serve_ennio_session(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .work = show_session,
	};

	serve_look(request, &looking);
}

/* ---- any model */

/* A name that came in is never one of a file. EV_NO: there is no such model. */
static enum ev_status
open_model(struct serve_look *look, struct ev_str name,
           struct readmodel **model)
{
	enum ev_status status;

	if (!name.len || memchr(name.ptr, '/', name.len) ||
	    memchr(name.ptr, '.', name.len) || memchr(name.ptr, '\0', name.len))
		return serve_nothing(look, "read model", name);
	status = serve_reader_model(look->reader,
	                            ev_arena_dup(look->arena, name).ptr, model,
	                            &look->err);
	/* it says which there are */
	return status == EV_USAGE ? EV_NO : status;
}

/* Both ways to name one; {0} if it is missing, which the work refuses. */
static struct ev_str
model_name(const struct serve_request *request)
{
	return request->params[0].ptr ? request->params[0]
	                              : serve_param(request, "model");
}

/* A model that the log does not keep is as its file says. */
static enum ev_status
add_definition(struct serve_look *look, struct ev_buf *key)
{
	struct ev_str name = model_name(look->request);
	struct readmodel *model = NULL;
	enum ev_status status;

	if (!name.ptr)
		return EV_OK;
	status = open_model(look, name, &model);
	if (!status)
		ev_buf_add_str(key, ev_projection_json(
			readmodel_projection(model)));
	return status;
}

static enum ev_status
find_model(struct serve_look *look, const char **name)
{
	struct ev_str asked = model_name(look->request);
	struct readmodel *model;

	*name = ev_arena_dup(look->arena, asked).ptr;
	return open_model(look, asked, &model);
}

static enum ev_status
add_conditions(struct serve_look *look, struct where *where)
{
	const struct serve_request *request = look->request;
	enum ev_status status = EV_OK;

	for (size_t i = 0; !status && i < request->query_count; i++)
		if (ev_str_equal(request->query[i].name, EV_STR("where")))
			status = where_add(where, request->query[i].value.ptr,
			                   &look->err);
	return status ? ev_err_prefix(&look->err, status, "where") : EV_OK;
}

static enum ev_status
list_documents(struct serve_look *look, struct ev_buf *out)
{
	struct serve_choice choice = { 0 };
	const char *model = NULL;
	enum ev_status status;

	if (!serve_choice_take(look->request, &choice) ||
	    !serve_param_is_plain(look->request, "where"))
		return EV_OK;
	status = find_model(look, &model);
	if (!status)
		status = add_conditions(look, &choice.where);
	if (!status)
		status = serve_chosen(look, model, &choice, "key", out);
	serve_choice_release(&choice);
	return status;
}

void
serve_model(struct serve_request *request)
{
	static const char *const names[] = { "limit", "where", "sort",
	                                     "reverse", NULL };
	static const struct serve_looking looking = {
		.names = names, .key = add_definition,
		.work = list_documents,
	};

	serve_look(request, &looking);
}

static bool
add_as_it_is(void *context, const struct serve_document *document)
{
	ev_buf_add_str(context, document->json);
	return true;
}

static enum ev_status
show_document(struct serve_look *look, struct ev_buf *out)
{
	struct ev_str key = look->request->params[1];
	const char *model = NULL;
	enum ev_status status = find_model(look, &model);

	if (status)
		return status;
	status = serve_document(look, model, key, add_as_it_is, out);
	return status == EV_NO ? serve_nothing(look, "document", key) : status;
}

void
serve_model_document(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .key = add_definition,
		.work = show_document,
	};

	serve_look(request, &looking);
}

/* ---- why */

struct explaining {
	struct history history;
	struct ev_buf *out;
};

static enum ev_status
add_event(void *context, int64_t position, struct ev_err *err)
{
	struct explaining *explaining = context;
	struct ev_store *store = explaining->history.store;
	const struct ev_query query = { .from = position, .to = position,
	                                .from_time = EV_TIME_NONE,
	                                .to_time = EV_TIME_NONE };
	struct ev_buf *out = explaining->out;
	struct ev_cursor *cursor;
	struct ev_row row;
	enum ev_status status = store->ops->query(store, &query, &cursor, err);

	if (status)
		return status;
	status = store->ops->next(cursor, &row, err);
	if (!status) {
		if (out->ptr[out->len - 1] != '[')
			ev_buf_add_char(out, ',');
		ev_buf_add_str(out, row.line);
	}
	store->ops->query_close(cursor);
	return status;
}

static enum ev_status
explain(struct serve_look *look, const char *model, struct ev_buf *out)
{
	struct explaining explaining = { .history = { .silent = true },
	                                 .out = out };
	struct history *history = &explaining.history;
	struct ev_str key = serve_param(look->request, "key");
	struct ev_str member = serve_param(look->request, "member");
	enum ev_status status;

	/* it has a log of its own, whose end is ours */
	status = history_open(history, look->reader->projector.log, model,
	                      key.ptr, &look->err);
	history->end = look->position;
	if (!status)
		status = history_rewind(history, &look->err);
	if (!status)
		status = why_each(history, member.len ? member.ptr : NULL,
		                  add_event, &explaining, &look->err);
	history_close(history);
	return status;
}

static enum ev_status
list_reasons(struct serve_look *look, struct ev_buf *out)
{
	struct serve_request *request = look->request;
	const char *model = NULL;
	enum ev_status status;

	if (!serve_param(request, "model").ptr || !serve_param(request, "key").ptr) {
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 }, "which document? name it "
		              "by model= and key=");
		return EV_OK;
	}
	if (!serve_param_is_plain(request, "key") ||
	    !serve_param_is_plain(request, "member"))
		return EV_OK;
	status = find_model(look, &model);
	ev_buf_add_char(out, '[');
	if (!status && look->position)
		status = explain(look, model, out);
	ev_buf_add_char(out, ']');
	return status;
}

void
serve_why(struct serve_request *request)
{
	static const char *const names[] = { "model", "key", "member", NULL };
	static const struct serve_looking looking = {
		.names = names, .key = add_definition,
		.work = list_reasons,
	};

	serve_look(request, &looking);
}

/* ---- now */

static void
add_line(void *context, struct ev_str json)
{
	struct ev_buf *out = context;

	if (out->ptr[out->len - 1] != '[')
		ev_buf_add_char(out, ',');
	ev_buf_add_str(out, json);
}

static enum ev_status
list_models(struct serve_look *look, struct ev_buf *out)
{
	enum ev_status status;

	ev_buf_add_char(out, '[');
	status = project_list_json(look->store, add_line, out, &look->err);
	ev_buf_add_char(out, ']');
	return status;
}

void
serve_models(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_UNCACHED, .present = true,
		.work = list_models,
	};

	serve_look(request, &looking);
}

/* ---- health */

static void
write_health(struct serve_look *look, struct ev_buf *out)
{
	int64_t up = ev_time_now() - look->request->serve->started;

	ev_buf_printf(out, "{\"status\":\"ok\",\"version\":\"%s\","
	              "\"position\":%lld", EV_VERSION,
	              (long long)look->position);
	serve_member_seconds(out, "uptimeSeconds",
	                     up > 0 ? up - up % 1000000 : 0);
}

static enum ev_status
show_health(struct serve_look *look, struct ev_buf *out)
{
	write_health(look, out);
	ev_buf_add_char(out, '}');
	return EV_OK;
}

/* What it takes to work is there, as far as the loop knows; else says so. */
static bool
is_well(struct serve_request *request)
{
	struct serve *serve = request->serve;
	struct ev_err err;

	if (serve_writer_failed(serve, &err))
		serve_problem(request, 503, "io", (struct ev_str){ 0 }, "%s",
		              err.text);
	else if (!serve_runner_alive(serve))
		serve_problem(request, 503, "unreachable",
		              (struct ev_str){ 0 },
		              "the process that runs commands has ended: "
		              "restart ev-serve");
	else
		return true;
	serve_finish(request);
	return false;
}

void
serve_health(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_UNCACHED, .present = true,
		.work = show_health,
	};

	if (is_well(request))
		serve_look(request, &looking);
}

static bool
count_session(void *context, const struct serve_document *document)
{
	int64_t *count = context;

	(void)document;
	++*count;
	return true;
}

/* The model knows how many documents it has, if all of them are stored. */
static enum ev_status
count_sessions(struct serve_look *look, int64_t *count)
{
	struct readmodel *model;
	enum ev_status status = serve_reader_model(look->reader,
	                                           "session-status", &model,
	                                           &look->err);

	if (!status)
		status = readmodel_refresh(model, &look->err);
	if (status)
		return status;
	*count = 0;
	if (model->live.id && model->live.position == look->position) {
		*count = model->live.documents;
		return EV_OK;
	}
	return serve_documents(look, "session-status", count_session, count);
}

static enum ev_status
show_ennio_health(struct serve_look *look, struct ev_buf *out)
{
	int64_t count;
	enum ev_status status = count_sessions(look, &count);

	if (status)
		return status;
	write_health(look, out);
	ev_buf_printf(out, ",\"sessions\":%lld}", (long long)count);
	return EV_OK;
}

void
serve_ennio_health(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_UNCACHED, .present = true,
		.work = show_ennio_health,
	};

	if (is_well(request))
		serve_look(request, &looking);
}
