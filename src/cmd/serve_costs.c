#include "cmd/serve_models.h"

#include <stdlib.h>

#include "cmd/serve_look.h"
#include "domain/decimal.h"
#include "domain/number.h"

enum { DAY_TEXT = 10 /* 2026-04-21 */, DAYS_MAX = 3660 };
#define DAY_MICROS ((int64_t)86400 * 1000000)

/* ---- usage */

static bool
is_used(void *context, yyjson_val *usage)
{
	const struct serve_request *request = context;

	return serve_param_fits(request, "issue", serve_text(usage, "issue")) &&
	       serve_param_fits(request, "agent", serve_text(usage, "agent"));
}

static enum ev_status
list_usage(struct serve_look *look, struct ev_buf *out)
{
	struct serve_choice choice = { .limit = -1, .fits = is_used,
	                               .context = look->request };

	if (!serve_param_int(look->request, "limit", 0, INT64_MAX,
	                     &choice.limit))
		return EV_OK;
	return serve_chosen(look, "token-usage", &choice, "key", out);
}

void
serve_usage(struct serve_request *request)
{
	static const char *const names[] = { "issue", "agent", "limit", NULL };
	static const struct serve_looking looking = {
		.names = names, .work = list_usage,
	};

	serve_look(request, &looking);
}

/* ---- the days that are asked for */

struct days {
	int64_t count;
	char first[EV_TIME_TEXT], last[EV_TIME_TEXT]; /* begin with the day */
};

/* So many days of UTC, with today. False: it has answered. */
static bool
take_days(struct serve_look *look, struct days *days)
{
	days->count = 30;
	if (!serve_param_int(look->request, "days", 1, DAYS_MAX, &days->count))
		return false;
	ev_time_format(look->now, days->last);
	ev_time_format(look->now - (days->count - 1) * DAY_MICROS,
	               days->first);
	return true;
}

static bool
is_within(const struct days *days, struct ev_str day)
{
	const struct ev_str first = { days->first, DAY_TEXT };
	const struct ev_str last = { days->last, DAY_TEXT };

	return ev_str_compare(day, first) >= 0 && ev_str_compare(day, last) <= 0;
}

/* ---- day by day */

struct daily {
	const struct serve_request *request;
	struct days days;
	struct ev_buf *out;
};

/* They come in the order of their keys, which begin with the day. */
static bool
add_day(void *context, const struct serve_document *document)
{
	static const char *const members[] = { "repo", "cost", "calls",
	                                       "inputTokens", "outputTokens",
	                                       "tokens" };
	struct daily *daily = context;
	struct ev_buf *out = daily->out;
	yyjson_val *root = document->root;

	if (!is_within(&daily->days, serve_text(root, "date")) ||
	    !serve_param_fits(daily->request, "agent",
	                      serve_text(root, "agent")) ||
	    !serve_param_fits(daily->request, "repo", serve_text(root, "repo")))
		return true;
	ev_buf_add_str(out, out->ptr[out->len - 1] == '[' ? EV_STR("{")
	                                                  : EV_STR(",{"));
	serve_member(out, "date", yyjson_obj_get(root, "date"));
	serve_member(out, "agentId", yyjson_obj_get(root, "agent"));
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		serve_member(out, members[i], yyjson_obj_get(root, members[i]));
	ev_buf_add_char(out, '}');
	return true;
}

static enum ev_status
list_days(struct serve_look *look, struct ev_buf *out)
{
	struct daily daily = { .request = look->request, .out = out };
	enum ev_status status;

	if (!take_days(look, &daily.days))
		return EV_OK;
	ev_buf_add_char(out, '[');
	status = serve_documents(look, "daily-cost", add_day, &daily);
	ev_buf_add_char(out, ']');
	return status;
}

void
serve_costs_daily(struct serve_request *request)
{
	static const char *const names[] = { "days", "agent", "repo", NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_BY_SECOND, .work = list_days,
	};

	serve_look(request, &looking);
}

/* ---- sums, exact */

enum { SUMS_MAX = 4 };

struct sum {
	struct ev_str name;   /* of an agent, or an issue */
	struct ev_str second; /* of the issue's agent, or {0} */
	struct ev_number numbers[SUMS_MAX]; /* the cost first */
	struct ev_str cost; /* the first as text, once all is added */
};

/* Sums by name, in the order in which they first came until they are sorted. */
struct sums {
	const char *const *members; /* of documents, that are added */
	size_t member_count;
	struct sum *list;
	size_t count, room;
	size_t *slots; /* of a hash table: 1 + where in the list, 0: free */
	size_t slot_count;
	struct ev_arena *arena;
	bool too_large;
};

static unsigned long long
hash(struct ev_str name, struct ev_str second)
{
	return ev_str_hash(name) * 31 + ev_str_hash(second);
}

static void
place(struct sums *sums, size_t i)
{
	const struct sum *sum = &sums->list[i];
	size_t at = hash(sum->name, sum->second) & (sums->slot_count - 1);

	while (sums->slots[at])
		at = (at + 1) & (sums->slot_count - 1);
	sums->slots[at] = i + 1;
}

static void
grow(struct sums *sums)
{
	sums->room = sums->room ? 2 * sums->room : 64;
	sums->list = ev_mem_resize(sums->list,
	                           sums->room * sizeof *sums->list);
	sums->slot_count = 2 * sums->room;
	free(sums->slots);
	sums->slots = ev_mem_alloc(sums->slot_count * sizeof *sums->slots);
	for (size_t i = 0; i < sums->count; i++)
		place(sums, i);
}

static struct sum *
get_sum(struct sums *sums, struct ev_str name, struct ev_str second)
{
	struct sum *sum;
	size_t at;

	if (sums->count == sums->room)
		grow(sums);
	at = hash(name, second) & (sums->slot_count - 1);
	for (; sums->slots[at]; at = (at + 1) & (sums->slot_count - 1)) {
		sum = &sums->list[sums->slots[at] - 1];
		if (ev_str_equal(sum->name, name) &&
		    ev_str_equal(sum->second, second))
			return sum;
	}
	sum = &sums->list[sums->count];
	*sum = (struct sum){ .name = ev_arena_dup(sums->arena, name),
	                     .second = ev_arena_dup(sums->arena, second) };
	sums->slots[at] = ++sums->count;
	return sum;
}

static void
add_numbers(struct sums *sums, struct sum *sum, yyjson_val *document)
{
	for (size_t i = 0; i < sums->member_count; i++) {
		struct ev_number number = { 0 };

		if (!ev_number_parse(&number,
		                     serve_text(document, sums->members[i])))
			continue;
		if (!ev_number_add(&sum->numbers[i], &number))
			sums->too_large = true;
		ev_number_release(&number);
	}
}

static int
dearest_first(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	int order = ev_decimal_compare(y->cost, x->cost);

	if (!order)
		order = ev_str_compare(x->name, y->name);
	return order ? order : ev_str_compare(x->second, y->second);
}

/* Those that have been looked up stay where they are no more. */
static void
sort_sums(struct sums *sums)
{
	struct ev_buf text = { 0 };

	for (size_t i = 0; i < sums->count; i++) {
		ev_buf_reset(&text);
		ev_number_format(&text, &sums->list[i].numbers[0]);
		sums->list[i].cost = ev_arena_dup(sums->arena,
		                                  ev_buf_str(&text));
	}
	if (sums->count)
		qsort(sums->list, sums->count, sizeof *sums->list,
		      dearest_first);
	ev_buf_release(&text);
}

static void
write_numbers(struct ev_buf *out, const struct sums *sums,
              const struct sum *sum)
{
	for (size_t i = 0; i < sums->member_count; i++) {
		serve_member_name(out, sums->members[i]);
		ev_number_format(out, &sum->numbers[i]);
	}
}

static void
release_sums(struct sums *sums)
{
	for (size_t i = 0; i < sums->count; i++)
		for (size_t m = 0; m < SUMS_MAX; m++)
			ev_number_release(&sums->list[i].numbers[m]);
	free(sums->list);
	free(sums->slots);
}

static enum ev_status
check_sums(const struct sums *sums, struct serve_look *look)
{
	return sums->too_large ? ev_err_set(&look->err, EV_BUG,
	                                    "a sum has more digits than there "
	                                    "is room for") : EV_OK;
}

/* ---- by agent, of some days */

static const char *const day_members[] = { "cost", "calls", "tokens" };

struct summary {
	struct days days;
	struct sums agents;
	struct sums total;
};

static bool
sum_day(void *context, const struct serve_document *document)
{
	struct summary *summary = context;
	yyjson_val *root = document->root;

	if (!is_within(&summary->days, serve_text(root, "date")))
		return true;
	add_numbers(&summary->agents,
	            get_sum(&summary->agents, serve_text(root, "agent"),
	                    (struct ev_str){ 0 }), root);
	add_numbers(&summary->total, summary->total.list, root);
	return true;
}

static void
write_summary(const struct summary *summary, struct ev_buf *out)
{
	const struct sums *agents = &summary->agents;

	ev_buf_printf(out, "{\"from\":\"%.*s\",\"to\":\"%.*s\",\"days\":%lld",
	              DAY_TEXT, summary->days.first, DAY_TEXT,
	              summary->days.last, (long long)summary->days.count);
	write_numbers(out, &summary->total, summary->total.list);
	serve_member_name(out, "agents");
	ev_buf_add_char(out, '[');
	for (size_t i = 0; i < agents->count; i++) {
		ev_buf_add_str(out, i ? EV_STR(",{") : EV_STR("{"));
		serve_member_text(out, "agentId", agents->list[i].name);
		write_numbers(out, agents, &agents->list[i]);
		ev_buf_add_char(out, '}');
	}
	ev_buf_add_str(out, EV_STR("]}"));
}

static enum ev_status
sum_days(struct serve_look *look, struct ev_buf *out)
{
	struct summary summary = {
		.agents = { .members = day_members, .member_count = 3,
		            .arena = look->arena },
		.total = { .members = day_members, .member_count = 3,
		           .arena = look->arena },
	};
	enum ev_status status;

	if (!take_days(look, &summary.days))
		return EV_OK;
	get_sum(&summary.total, (struct ev_str){ 0 }, (struct ev_str){ 0 });
	status = serve_documents(look, "daily-cost", sum_day, &summary);
	if (!status)
		status = check_sums(&summary.total, look);
	if (!status) {
		sort_sums(&summary.agents);
		write_summary(&summary, out);
	}
	release_sums(&summary.agents);
	release_sums(&summary.total);
	return status;
}

void
serve_costs_summary(struct serve_request *request)
{
	static const char *const names[] = { "days", NULL };
	static const struct serve_looking looking = {
		.names = names, .clock = SERVE_BY_SECOND, .work = sum_days,
	};

	serve_look(request, &looking);
}

/* ---- by issue */

static const char *const issue_members[] = { "cost", "calls", "input",
                                             "output" };

struct issues {
	struct ev_str wanted; /* {0}: all */
	struct sums issues;
	struct sums agents; /* of an issue each */
};

static bool
sum_issue(void *context, const struct serve_document *document)
{
	struct issues *issues = context;
	struct ev_str issue = serve_text(document->root, "issue");
	struct ev_str agent = serve_text(document->root, "agent");

	if (!issue.ptr || (issues->wanted.ptr &&
	                   !ev_str_equal(issue, issues->wanted)))
		return true;
	add_numbers(&issues->issues,
	            get_sum(&issues->issues, issue, (struct ev_str){ 0 }),
	            document->root);
	add_numbers(&issues->agents, get_sum(&issues->agents, issue, agent),
	            document->root);
	return true;
}

static int
by_issue(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	int order = ev_str_compare(x->name, y->name);

	return order ? order : dearest_first(a, b);
}

/* `agents` are sorted by issue. */
static void
write_issue(const struct issues *issues, const struct sum *issue,
            struct ev_buf *out)
{
	const struct sums *agents = &issues->agents;
	size_t low = 0, high = agents->count;
	bool comma = false;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ev_str_compare(agents->list[middle].name, issue->name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	ev_buf_add_char(out, '{');
	serve_member_text(out, "streamId", issue->name);
	write_numbers(out, &issues->issues, issue);
	serve_member_name(out, "agents");
	ev_buf_add_char(out, '[');
	for (; low < agents->count &&
	       ev_str_equal(agents->list[low].name, issue->name); low++) {
		ev_buf_add_str(out, comma ? EV_STR(",{") : EV_STR("{"));
		comma = true;
		serve_member_text(out, "agentId", agents->list[low].second);
		write_numbers(out, agents, &agents->list[low]);
		ev_buf_add_char(out, '}');
	}
	ev_buf_add_str(out, EV_STR("]}"));
}

static void
write_issues(struct issues *issues, struct ev_buf *out)
{
	sort_sums(&issues->issues);
	sort_sums(&issues->agents);
	if (issues->agents.count)
		qsort(issues->agents.list, issues->agents.count,
		      sizeof *issues->agents.list, by_issue);
	if (issues->wanted.ptr) {
		write_issue(issues, issues->issues.list, out);
		return;
	}
	ev_buf_add_char(out, '[');
	for (size_t i = 0; i < issues->issues.count; i++) {
		if (i)
			ev_buf_add_char(out, ',');
		write_issue(issues, &issues->issues.list[i], out);
	}
	ev_buf_add_char(out, ']');
}

static enum ev_status
sum_issues(struct serve_look *look, struct ev_buf *out)
{
	struct issues issues = {
		.wanted = serve_param(look->request, "id"),
		.issues = { .members = issue_members, .member_count = 4,
		            .arena = look->arena },
		.agents = { .members = issue_members, .member_count = 4,
		            .arena = look->arena },
	};
	enum ev_status status = serve_documents(look, "token-usage", sum_issue,
	                                        &issues);

	if (!status && issues.wanted.ptr && !issues.issues.count)
		status = serve_nothing(look, "usage of", issues.wanted);
	if (!status)
		status = check_sums(&issues.issues, look);
	if (!status)
		write_issues(&issues, out);
	release_sums(&issues.issues);
	release_sums(&issues.agents);
	return status;
}

void
serve_costs_issue(struct serve_request *request)
{
	static const char *const names[] = { "id", NULL };
	static const struct serve_looking looking = {
		.names = names, .work = sum_issues,
	};

	serve_look(request, &looking);
}
