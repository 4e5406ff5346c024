/*
 * GET /api/reviews/next: the first pull request, in the order of the queue, that
 * waits for a reviewer. Who gets it is an event, appended to the issue as it was
 * read, so that nobody else gets it.
 */
#include "base/opt.h"
#include "cmd/serve_jq.h"
#include "cmd/serve_look.h"
#include "cmd/serve_rigs.h"

enum { ROUNDS = 100 }; /* how often we look again when others are faster */

struct candidate {
	struct ev_str stream; /* a slice */
	struct ev_str json;   /* its document */
	struct candidate *next;
};

/* What the events of an issue say of its pull request. */
struct under_review {
	struct ev_str pr;     /* its number, as text */
	struct ev_str branch; /* or {0} */
	struct ev_str agent;  /* who asks, without the pod */
	struct ev_str author, head; /* or {0} */
	bool opened;
	bool mine, others, passed; /* since the last commit */
	int64_t version;
};

struct review {
	const char *agent;
	struct candidate *chosen;
	struct ev_str author;
	struct serve_append append;
	int rounds;
};

static bool
is_free(struct ev_str agent, yyjson_val *issue)
{
	yyjson_val *failed = yyjson_obj_get(issue, "failedChecks");

	return ev_str_equal(serve_text(issue, "state"), EV_STR("in_review")) &&
	       serve_text(issue, "prNumber").len &&
	       serve_text(issue, "repo").len &&
	       serve_text(issue, "issueNumber").len &&
	       (!yyjson_is_arr(failed) || !yyjson_arr_size(failed)) &&
	       !ev_str_equal(serve_text(issue, "agentId"), agent);
}

struct collecting {
	struct ev_arena *arena;
	struct ev_str agent;
	struct candidate *first, **last;
	struct ev_buf members; /* for jq: what the order depends on */
	size_t count;
};

static bool
collect(void *context, const struct serve_document *document)
{
	static const char *const members[] = { "priority", "approvedAt", "repo",
	                                       "issueNumber" };
	struct collecting *collecting = context;
	struct candidate *candidate;

	if (!is_free(collecting->agent, document->root))
		return true;
	candidate = ev_arena_alloc(collecting->arena, sizeof *candidate);
	candidate->stream = ev_arena_dup(collecting->arena, document->key);
	candidate->json = ev_arena_dup(collecting->arena, document->json);
	*collecting->last = candidate;
	collecting->last = &candidate->next;
	ev_buf_printf(&collecting->members, "%s{\"n\":%zu",
	              collecting->count ? "," : "", collecting->count);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		serve_member(&collecting->members, members[i],
		             yyjson_obj_get(document->root, members[i]));
	ev_buf_add_char(&collecting->members, '}');
	collecting->count++;
	return true;
}

/* A list of candidates in the order of the queue. */
static enum ev_status
put_in_order(struct serve_look *look, struct collecting *collecting,
             struct candidate **out)
{
	struct candidate **list, **last = out;
	struct ev_buf ordered = { 0 };
	yyjson_doc *doc = NULL;
	yyjson_arr_iter iter;
	yyjson_val *place;
	enum ev_status status;
	size_t count = 0;

	*out = NULL;
	list = ev_arena_alloc(look->arena, collecting->count * sizeof *list);
	for (struct candidate *c = collecting->first; c; c = c->next)
		list[count++] = c;
	status = serve_jq_run(look->reader->jq, "order",
	                      ev_buf_str(&collecting->members), &ordered,
	                      &look->err);
	if (!status)
		status = ev_json_parse(&doc, ev_buf_str(&ordered), NULL,
		                       &look->err);
	if (!status) {
		yyjson_arr_iter_init(yyjson_doc_get_root(doc), &iter);
		while ((place = yyjson_arr_iter_next(&iter))) {
			struct ev_str n = ev_arena_dup(look->arena,
			                               ev_json_text(place));
			int64_t at;

			if (!ev_opt_int(n.ptr, 0, (int64_t)count - 1, &at))
				continue;
			*last = list[at];
			last = &list[at]->next;
		}
		*last = NULL;
	}
	yyjson_doc_free(doc);
	ev_buf_release(&ordered);
	return status;
}

static enum ev_status
find_candidates(struct serve_look *look, struct ev_str agent,
                struct candidate **out)
{
	struct collecting collecting = { .arena = look->arena, .agent = agent };
	enum ev_status status;

	collecting.last = &collecting.first;
	*out = NULL;
	ev_buf_add_str(&collecting.members, EV_STR("\"issues\":["));
	status = serve_documents(look, "issue-status", collect, &collecting);
	ev_buf_add_char(&collecting.members, ']');
	if (!status && collecting.count)
		status = put_in_order(look, &collecting, out);
	ev_buf_release(&collecting.members);
	return status;
}

/* The same commit is told several times, and is new once. */
static void
take_commit(struct under_review *review, struct ev_arena *arena,
            struct ev_str commit, bool anyway)
{
	if (commit.len ? ev_str_equal(commit, review->head) : !anyway)
		return;
	if (commit.len)
		review->head = ev_arena_dup(arena, commit);
	review->mine = review->others = review->passed = false;
}

static bool
is_of_branch(const struct under_review *review, yyjson_val *data)
{
	struct ev_str branch = serve_text(data, "branch");

	return !branch.len || !review->branch.len ||
	       ev_str_equal(branch, review->branch);
}

static void
take_event(struct under_review *review, struct ev_arena *arena,
           struct ev_str type, yyjson_val *data)
{
	struct ev_str pr = serve_text(data, "prNumber");
	struct ev_str agent = serve_without_pod(serve_text(data, "agentId"));
	bool same = ev_str_equal(pr, review->pr);

	if (ev_str_equal(type, EV_STR("HEARTBEAT"))) {
		if (ev_str_equal(serve_text(data, "activity"),
		                 EV_STR("push")) &&
		    (!pr.len || same) && is_of_branch(review, data))
			take_commit(review, arena, serve_text(data, "commit"),
			            true);
	} else if (!same) {
		return;
	} else if (ev_str_equal(type, EV_STR("PR_CREATED"))) {
		take_commit(review, arena, serve_text(data, "commit"),
		            !review->opened);
		if (!review->opened)
			review->author = ev_arena_dup(arena, agent);
		review->opened = true;
	} else if (ev_str_equal(type, EV_STR("REVIEW_PASSED"))) {
		review->passed = true;
	} else if (ev_str_equal(type, EV_STR("REVIEW_ASSIGNED"))) {
		if (ev_str_equal(agent, review->agent))
			review->mine = true;
		else
			review->others = true;
	}
}

static bool
matters(struct ev_str type)
{
	static const char *const types[] = { "HEARTBEAT", "PR_CREATED",
	                                     "REVIEW_PASSED",
	                                     "REVIEW_ASSIGNED" };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (ev_str_equal(type, ev_str(types[i])))
			return true;
	return false;
}

static enum ev_status
read_events(struct serve_look *look, struct ev_str stream,
            struct under_review *review)
{
	struct ev_query query = {
		.from = 1, .to = look->head, .from_time = EV_TIME_NONE,
		.to_time = EV_TIME_NONE, .streams = { &stream, 1 },
	};
	struct ev_cursor *cursor;
	struct ev_line line;
	struct ev_row row;
	yyjson_doc *doc;
	enum ev_status status = look->store->ops->query(look->store, &query,
	                                                &cursor, &look->err);

	if (status)
		return status;
	while (!(status = look->store->ops->next(cursor, &row, &look->err))) {
		if (!ev_line_parse(row.line, &line) ||
		    !ev_str_equal(line.stream, stream))
			continue;
		review->version = line.version;
		if (!matters(line.type))
			continue;
		status = ev_json_parse(&doc, line.data, NULL, &look->err);
		if (status)
			break;
		take_event(review, look->arena, line.type,
		           yyjson_doc_get_root(doc));
		yyjson_doc_free(doc);
	}
	look->store->ops->query_close(cursor);
	return status == EV_NO ? EV_OK : status;
}

static void
write_review(struct ev_buf *out, yyjson_val *issue, const struct review *review,
             struct ev_str receipt)
{
	static const char *const members[] = { "repo", "issueNumber", "title",
	                                       "priority", "prNumber", "prUrl",
	                                       "branch" };

	ev_buf_add_char(out, '{');
	serve_member(out, "streamId", yyjson_obj_get(issue, "key"));
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		serve_member(out, members[i],
		             yyjson_obj_get(issue, members[i]));
	if (review->author.len)
		serve_member_text(out, "author", review->author);
	else
		serve_member(out, "author", yyjson_obj_get(issue, "agentId"));
	serve_member_text(out, "reviewer",
	                  serve_without_pod(ev_str(review->agent)));
	serve_member_name(out, "event");
	ev_buf_add_str(out, receipt.len ? receipt : EV_STR("null"));
	ev_buf_add_char(out, '}');
}

/* The event to append, or, if the reviewer has it already, the answer. */
static void
choose(struct serve_request *request, struct candidate *candidate,
       yyjson_val *issue, const struct under_review *found)
{
	static const char *const members[] = { "repo", "issueNumber",
	                                       "prNumber" };
	struct review *review = request->data;
	struct ev_buf text = { 0 };

	review->chosen = candidate;
	review->author = found->author;
	if (found->mine) {
		write_review(serve_json(request), issue, review,
		             (struct ev_str){ 0 });
		return;
	}
	ev_buf_add_str(&text, EV_STR("{\"type\":\"REVIEW_ASSIGNED\""));
	serve_member(&text, "streamId", yyjson_obj_get(issue, "key"));
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		serve_member(&text, members[i],
		             yyjson_obj_get(issue, members[i]));
	serve_member_text(&text, "agentId", ev_str(review->agent));
	serve_member_text(&text, "actor", ev_str(review->agent));
	ev_buf_add_char(&text, '}');
	review->append = (struct serve_append){
		.text = ev_arena_dup(&request->arena, ev_buf_str(&text)),
		.expect = EV_EXPECT_VERSION,
		.expect_version = found->version,
	};
	ev_buf_release(&text);
}

/* EV_NO: it is not for this reviewer. */
static enum ev_status
consider(struct serve_look *look, struct candidate *candidate)
{
	struct serve_request *request = look->request;
	const struct review *review = request->data;
	struct under_review found = { .version = -1 };
	yyjson_doc *doc;
	enum ev_status status = ev_json_parse(&doc, candidate->json, NULL,
	                                      &look->err);

	if (status)
		return status;
	found.pr = serve_text(yyjson_doc_get_root(doc), "prNumber");
	found.branch = serve_text(yyjson_doc_get_root(doc), "branch");
	found.agent = serve_without_pod(ev_str(review->agent));
	status = read_events(look, candidate->stream, &found);
	if (!status && (found.passed || (found.others && !found.mine) ||
	                ev_str_equal(found.author, found.agent)))
		status = EV_NO;
	if (!status)
		choose(request, candidate, yyjson_doc_get_root(doc), &found);
	yyjson_doc_free(doc);
	return status;
}

/* By a reading thread, from one state of the log. */
static enum ev_status
find_review(struct serve_look *look)
{
	struct review *review = look->request->data;
	struct candidate *candidate;
	enum ev_status status = find_candidates(
		look, serve_without_pod(ev_str(review->agent)), &candidate);

	if (status)
		return status;
	for (status = EV_NO; candidate && status == EV_NO;
	     candidate = candidate->next)
		status = consider(look, candidate);
	return status;
}

static void
look_for_review(struct serve_reader *reader, struct serve_request *request)
{
	struct ev_store *store = reader->projector.store;
	struct serve_look look;
	enum ev_status status = store->ops->model_begin(store, &look.err);

	if (!status) {
		status = serve_look_now(&look, reader, request);
		if (!status)
			status = find_review(&look);
		store->ops->model_end(store);
	}
	if (status == EV_NO)
		request->answer.status = 204;
	else if (status)
		serve_fail(request, status == EV_BAD_INPUT ? EV_BUG : status,
		           &look.err);
}

static void appended_review(struct serve_request *request);

static void
found_review(struct serve_request *request)
{
	struct review *review = request->data;

	if (request->answer.status)
		serve_finish(request);
	else
		serve_append(request, &review->append, 1, appended_review);
}

static void
read_reviews(struct serve_request *request)
{
	request->then = found_review;
	serve_read(request, look_for_review);
}

static void
appended_review(struct serve_request *request)
{
	struct review *review = request->data;
	struct ev_err err;
	yyjson_doc *doc;

	if (review->append.refusal == SERVE_STALE) {
		if (review->rounds++ < ROUNDS)
			read_reviews(request);
		else
			serve_finish_outrun(request);
		return;
	}
	if (review->append.refusal != SERVE_APPENDED) {
		serve_answer_append(request, &review->append);
	} else if (ev_json_parse(&doc, review->chosen->json, NULL, &err)) {
		serve_fail(request, EV_BUG, &err);
	} else {
		write_review(serve_json(request), yyjson_doc_get_root(doc),
		             review, review->append.receipt);
		yyjson_doc_free(doc);
	}
	serve_finish(request);
}

void
serve_reviews_next(struct serve_request *request)
{
	static const char *const names[] = { "agentId", NULL };
	struct review *review = ev_arena_alloc(&request->arena, sizeof *review);

	request->data = review;
	if (!serve_params_known(request, names) ||
	    !serve_take_agent(request, &review->agent))
		serve_finish(request);
	else
		read_reviews(request);
}
