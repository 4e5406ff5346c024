/*
 * What the rig's scripts decide: which issue is next for an agent, whether
 * something may be merged, how an issue went. The runner runs them.
 */
#include "cmd/serve_rigs.h"

#include "base/opt.h"
#include "cmd/serve_look.h"

enum { ROUNDS = 8 }; /* how often we try again when others are faster */

/* ---- what commands say */

static struct ev_str
trim(struct ev_str text)
{
	while (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	return text;
}

/* Takes the first line off the front; false: there is none. */
static bool
take_line(struct ev_str *text, struct ev_str *line)
{
	const char *end = text->len ? memchr(text->ptr, '\n', text->len) : NULL;

	*line = *text;
	if (end)
		line->len = (size_t)(end - text->ptr);
	text->ptr += line->len + (end != NULL);
	text->len -= line->len + (end != NULL);
	return line->len > 0;
}

/* Without the command's name, which is nothing to a client. */
static struct ev_str
words_of(const struct serve_run *run)
{
	struct ev_str words = run->err;

	for (size_t i = 0; i + 1 < words.len && words.ptr[i] != ' '; i++)
		if (words.ptr[i] == ':' && words.ptr[i + 1] == ' ') {
			words.ptr += i + 2;
			words.len -= i + 2;
			break;
		}
	return words.len ? words : EV_STR("it failed and did not say why");
}

void
serve_ran_badly(struct serve_request *request)
{
	const struct serve_run *run = serve_ran(request);
	struct ev_str words = words_of(run);
	enum ev_status status = EV_BUG;
	struct ev_err err;

	switch (run->status) {
	case EV_USAGE:
	case EV_UNREACHABLE:
	case EV_IO:
	case EV_BUSY:
		status = (enum ev_status)run->status;
		break;
	case EV_CONFLICT:
		status = EV_BUSY;
		break;
	}
	serve_fail(request, ev_err_set(&err, status, "%.*s", EV_FMT(words)),
	           &err);
}

static void
finish_badly(struct serve_request *request)
{
	serve_ran_badly(request);
	serve_finish(request);
}

/* Commands get texts that end with a NUL, and so have none in them. */
static bool
is_plain(struct ev_str text)
{
	return text.ptr && !memchr(text.ptr, '\0', text.len);
}

bool
serve_take_agent(struct serve_request *request, const char **agent)
{
	struct ev_str name = serve_param(request, "agentId");
	bool good = is_plain(name) && name.len && name.len <= EV_NAME_MAX &&
	            *name.ptr != '/';

	for (size_t i = 0; good && i < name.len; i++)
		good = (unsigned char)name.ptr[i] >= ' ' &&
		       name.ptr[i] != 0x7f;
	*agent = name.ptr;
	if (!good)
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 },
		              "agentId '%.*s': expected an agent, such as "
		              "dev-e or dev-e/x7k2p", EV_FMT(name));
	return good;
}

struct ev_str
serve_without_pod(struct ev_str agent)
{
	const char *slash = agent.len ? memchr(agent.ptr, '/', agent.len)
	                              : NULL;

	if (slash)
		agent.len = (size_t)(slash - agent.ptr);
	return agent;
}

static void
finish_empty(struct serve_request *request)
{
	request->answer.status = 204;
	serve_finish(request);
}

void
serve_finish_outrun(struct serve_request *request)
{
	struct ev_err err;

	ev_err_set(&err, EV_BUSY, "others are faster all the time: repeat");
	serve_fail(request, EV_BUSY, &err);
	serve_finish(request);
}

/* ---- an issue to work on */

struct assignment {
	const char *next[3];  /* arguments of rig-next */
	const char *claim[3]; /* of rig-claim */
	struct ev_str rest;   /* candidates that were not tried yet */
	struct ev_str issue;  /* the one that is */
	int rounds;
};

/* One more than it was, as ISSUE_ASSIGNED counts. */
static void
write_attempt(struct ev_buf *out, yyjson_val *attempt, bool assigned)
{
	struct ev_str text = ev_json_text(attempt);
	int64_t number;
	char digits[20];

	if (assigned && text.len < sizeof digits) {
		memcpy(digits, text.len ? text.ptr : "0", text.len);
		digits[text.len] = '\0';
		if (ev_opt_int(digits, 0, INT64_MAX - 1, &number)) {
			serve_member_name(out, "attempt");
			ev_buf_add_int(out, number + 1);
			return;
		}
	}
	serve_member(out, "attempt", attempt);
}

/* What rig-next says of the issue, as it is since it was claimed. */
static void
write_assignment(struct ev_buf *out, yyjson_val *issue, struct ev_str agent,
                 struct ev_str receipt)
{
	static const char *const before[] = { "streamId", "repo", "issueNumber",
	                                      "title", "priority" };
	static const char *const after[] = { "reason", "failedChecks", "why" };
	yyjson_doc *doc = NULL;
	struct ev_str type;
	struct ev_err ignored;
	bool assigned, begun;

	if (receipt.len)
		ev_json_parse(&doc, receipt, NULL, &ignored);
	type = doc ? serve_text(yyjson_doc_get_root(doc), "type")
	           : (struct ev_str){ 0 };
	assigned = ev_str_equal(type, EV_STR("ISSUE_ASSIGNED"));
	begun = ev_str_equal(type, EV_STR("WORK_STARTED"));
	ev_buf_add_char(out, '{');
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		serve_member(out, before[i], yyjson_obj_get(issue, before[i]));
	if (assigned || begun)
		serve_member_text(out, "state", assigned
		                  ? EV_STR("assigned") : EV_STR("in_progress"));
	else
		serve_member(out, "state", yyjson_obj_get(issue, "state"));
	serve_member_text(out, "agentId", serve_without_pod(agent));
	write_attempt(out, yyjson_obj_get(issue, "attempt"), assigned);
	for (size_t i = 0; i < sizeof after / sizeof *after; i++)
		serve_member(out, after[i], yyjson_obj_get(issue, after[i]));
	serve_member_name(out, "event");
	ev_buf_add_str(out, doc ? receipt : EV_STR("null"));
	ev_buf_add_char(out, '}');
	yyjson_doc_free(doc);
}

static void
finish_assignment(struct serve_request *request, struct ev_str receipt)
{
	const struct assignment *assignment = request->data;
	struct ev_err err;
	yyjson_doc *doc;

	if (ev_json_parse(&doc, assignment->issue, NULL, &err)) {
		serve_fail(request, EV_BUG, &err);
	} else {
		write_assignment(serve_json(request), yyjson_doc_get_root(doc),
		                 ev_str(assignment->next[0]), receipt);
		yyjson_doc_free(doc);
	}
	serve_finish(request);
}

static void claimed(struct serve_request *request);
static void found_next(struct serve_request *request);

/* Does the agent have it, and only has to go on? */
static bool
is_at_work(yyjson_val *issue)
{
	struct ev_str why = serve_text(issue, "why");

	return ev_str_equal(why, EV_STR("mend")) ||
	       ev_str_equal(why, EV_STR("resume"));
}

static void
try_next(struct serve_request *request)
{
	struct assignment *assignment = request->data;
	struct ev_str stream;
	struct ev_err err;
	yyjson_doc *doc;
	bool at_work;

	if (!take_line(&assignment->rest, &assignment->issue)) {
		if (assignment->rounds++ < ROUNDS)
			serve_run(request, SERVE_RIG_NEXT, assignment->next,
			          (struct ev_str){ 0 }, found_next);
		else
			serve_finish_outrun(request);
		return;
	}
	if (ev_json_parse(&doc, assignment->issue, NULL, &err)) {
		serve_fail(request, EV_BUG, &err);
		serve_finish(request);
		return;
	}
	at_work = is_at_work(yyjson_doc_get_root(doc));
	stream = ev_arena_dup(&request->arena,
	                      serve_text(yyjson_doc_get_root(doc),
	                                 "streamId"));
	yyjson_doc_free(doc);
	if (at_work) {
		finish_assignment(request, (struct ev_str){ 0 });
		return;
	}
	assignment->claim[0] = stream.ptr;
	assignment->claim[1] = assignment->next[0];
	serve_run(request, SERVE_RIG_CLAIM, assignment->claim,
	          (struct ev_str){ 0 }, claimed);
}

static void
claimed(struct serve_request *request)
{
	const struct serve_run *run = serve_ran(request);

	switch (run->status) {
	case EV_OK:
		finish_assignment(request, trim(run->out));
		return;
	case EV_NO: /* it waits for something since, or was taken back */
	case EV_CONFLICT:
		try_next(request);
		return;
	}
	finish_badly(request);
}

static void
found_next(struct serve_request *request)
{
	struct assignment *assignment = request->data;
	const struct serve_run *run = serve_ran(request);

	assignment->rest = run->out;
	if (run->status == EV_NO)
		finish_empty(request);
	else if (run->status != EV_OK || !run->out.len)
		finish_badly(request);
	else
		try_next(request);
}

void
serve_assignments_next(struct serve_request *request)
{
	static const char *const names[] = { "agentId", "repo", NULL };
	struct assignment *assignment = ev_arena_alloc(&request->arena,
	                                               sizeof *assignment);
	struct ev_str repo = serve_param(request, "repo");

	request->data = assignment;
	if (!serve_params_known(request, names) ||
	    !serve_param_is_plain(request, "repo") ||
	    !serve_take_agent(request, &assignment->next[0])) {
		serve_finish(request);
		return;
	}
	assignment->next[1] = repo.len ? repo.ptr : NULL;
	serve_run(request, SERVE_RIG_NEXT, assignment->next,
	          (struct ev_str){ 0 }, found_next);
}

/* ---- the gate, and merging */

/* All members of the object that a command printed but its last bracket. */
static struct ev_str
members_of(struct ev_str object)
{
	object = trim(object);
	if (object.len < 3 || *object.ptr != '{' ||
	    object.ptr[object.len - 1] != '}')
		return (struct ev_str){ 0 };
	return (struct ev_str){ object.ptr + 1, object.len - 2 };
}

static void
finish_with_object(struct serve_request *request)
{
	ev_buf_add_str(serve_json(request), trim(serve_ran(request)->out));
	serve_finish(request);
}

static void
merged(struct serve_request *request)
{
	const struct serve_run *run = serve_ran(request);
	struct ev_str words = words_of(run), gate = members_of(run->out);
	struct ev_buf members = { 0 };

	if (run->status == EV_OK && gate.len) {
		finish_with_object(request);
		return;
	}
	if (run->status == EV_NO && gate.len) {
		ev_buf_add_char(&members, ',');
		ev_buf_add_str(&members, gate);
		serve_problem(request, 409, "gate", ev_buf_str(&members),
		              "%.*s", EV_FMT(words));
		ev_buf_release(&members);
	} else if (run->status == EV_NO || run->status == EV_UNREACHABLE) {
		serve_problem(request, 502, "github", (struct ev_str){ 0 },
		              "%.*s", EV_FMT(words));
	} else {
		serve_ran_badly(request);
	}
	serve_finish(request);
}

/* What POST /api/merge is told. */
struct merge {
	struct ev_str stream, repo, number, pr;
};

static bool
invalid(struct serve_request *request, struct ev_str member,
        const char *expected)
{
	struct ev_buf path = { 0 }, members = { 0 };

	ev_json_write_pointer(&path, member);
	ev_buf_add_str(&members, EV_STR(",\"path\":"));
	ev_json_write_string(&members, ev_buf_str(&path));
	serve_problem(request, 422, "invalid", ev_buf_str(&members),
	              "'%.*s': %s", EV_FMT(member), expected);
	ev_buf_release(&path);
	ev_buf_release(&members);
	return false;
}

static bool
take_text(struct serve_request *request, struct ev_str name, yyjson_val *value,
          struct ev_str *text)
{
	*text = ev_arena_dup(&request->arena, ev_json_text(value));
	return (yyjson_is_str(value) && text->len && is_plain(*text)) ||
	       invalid(request, name, "expected a text");
}

static bool
take_number(struct serve_request *request, struct ev_str name,
            yyjson_val *value, struct ev_str *number)
{
	int64_t ignored;

	*number = ev_arena_dup(&request->arena, ev_json_text(value));
	return (!yyjson_is_str(value) && is_plain(*number) &&
	        ev_opt_int(number->ptr, 1, 999999999999, &ignored)) ||
	       invalid(request, name, "expected a number from 1");
}

static bool
take_member(struct serve_request *request, struct merge *merge,
            struct ev_str name, yyjson_val *value)
{
	if (ev_str_equal(name, EV_STR("streamId")))
		return take_text(request, name, value, &merge->stream);
	if (ev_str_equal(name, EV_STR("repo")))
		return take_text(request, name, value, &merge->repo);
	if (ev_str_equal(name, EV_STR("issueNumber")))
		return take_number(request, name, value, &merge->number);
	if (ev_str_equal(name, EV_STR("prNumber")))
		return take_number(request, name, value, &merge->pr);
	return invalid(request, name, "no such member; there are streamId, "
	               "repo, issueNumber and prNumber");
}

static bool
take_merge(struct serve_request *request, yyjson_val *body,
           struct merge *merge)
{
	struct ev_buf stream = { 0 };
	yyjson_obj_iter iter;
	yyjson_val *name;

	if (!yyjson_is_obj(body)) {
		serve_problem(request, 422, "invalid",
		              EV_STR(",\"path\":\"\""), "expected an object");
		return false;
	}
	yyjson_obj_iter_init(body, &iter);
	while ((name = yyjson_obj_iter_next(&iter)))
		if (!take_member(request, merge, ev_json_text(name),
		                 yyjson_obj_iter_get_val(name)))
			return false;
	if (merge->repo.ptr && merge->number.ptr && !merge->stream.ptr) {
		ev_buf_printf(&stream, "%.*s#%.*s", EV_FMT(merge->repo),
		              EV_FMT(merge->number));
		merge->stream = ev_arena_dup(&request->arena,
		                             ev_buf_str(&stream));
		ev_buf_release(&stream);
	} else if (!merge->stream.ptr || merge->repo.ptr ||
	           merge->number.ptr) {
		return invalid(request, EV_STR("streamId"), "expected it, or "
		               "repo and issueNumber, to name the issue");
	}
	return true;
}

void
serve_merge(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	struct merge merge = { .pr = { 0 } };
	const char *arguments[3] = { NULL };
	yyjson_doc *doc = NULL;
	struct ev_err err;
	bool good = serve_params_known(request, names);

	if (good && ev_json_parse(&doc, request->body, NULL, &err)) {
		serve_problem(request, 400, "not-json", (struct ev_str){ 0 },
		              "%s", err.text);
		good = false;
	}
	good = good && take_merge(request, yyjson_doc_get_root(doc), &merge);
	yyjson_doc_free(doc);
	if (!good) {
		serve_finish(request);
		return;
	}
	arguments[0] = merge.stream.ptr;
	arguments[1] = merge.pr.ptr;
	serve_run(request, SERVE_RIG_MERGE, arguments, (struct ev_str){ 0 },
	          merged);
}

/* ---- of one issue */

/* False: it has its answer. */
static bool
take_issue(struct serve_request *request, const char **issue)
{
	*issue = request->params[0].ptr;
	if (is_plain(request->params[0]))
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "expected an issue, such as acme/app#42");
	return false;
}

static void
find_nothing(struct serve_request *request)
{
	serve_problem(request, 404, "not-found", (struct ev_str){ 0 },
	              "'%.*s': there is no such issue",
	              EV_FMT(request->params[0]));
}

static void
gated(struct serve_request *request)
{
	const struct serve_run *run = serve_ran(request);

	if ((run->status == EV_OK || run->status == EV_NO) && run->out.len) {
		finish_with_object(request);
		return;
	}
	if (run->status == EV_NO)
		find_nothing(request);
	else
		serve_ran_badly(request);
	serve_finish(request);
}

void
serve_issue_gate(struct serve_request *request)
{
	static const char *const names[] = { "pr", NULL };
	const char *arguments[3] = { NULL };
	struct ev_buf number = { 0 };
	int64_t pr = 0;

	if (!serve_params_known(request, names) ||
	    !serve_param_int(request, "pr", 1, 999999999999, &pr) ||
	    !take_issue(request, &arguments[0])) {
		serve_finish(request);
		return;
	}
	if (pr) {
		/* as a number is written, whatever zeros it came with */
		ev_buf_add_int(&number, pr);
		arguments[1] = ev_arena_dup(&request->arena,
		                            ev_buf_str(&number)).ptr;
		ev_buf_release(&number);
	}
	serve_run(request, SERVE_RIG_GATE, arguments, (struct ev_str){ 0 },
	          gated);
}

static void
told_timeline(struct serve_request *request)
{
	const struct serve_run *run = serve_ran(request);
	struct ev_str rest = run->out, line;
	struct ev_buf *out;
	bool comma = false;

	if (run->status == EV_NO) {
		find_nothing(request);
	} else if (run->status != EV_OK) {
		serve_ran_badly(request);
	} else {
		out = serve_json(request);
		ev_buf_add_char(out, '[');
		for (; take_line(&rest, &line); comma = true) {
			if (comma)
				ev_buf_add_char(out, ',');
			ev_buf_add_str(out, line);
		}
		ev_buf_add_char(out, ']');
	}
	serve_finish(request);
}

void
serve_issue_timeline(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	const char *arguments[2] = { NULL };

	if (!serve_params_known(request, names) ||
	    !take_issue(request, &arguments[0]))
		serve_finish(request);
	else
		serve_run(request, SERVE_RIG_TIMELINE, arguments,
		          (struct ev_str){ 0 }, told_timeline);
}
