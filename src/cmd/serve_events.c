#include "cmd/serve_events.h"

#include <stdlib.h>

#include "base/opt.h"
#include "cmd/filter_options.h"
#include "cmd/printer.h"
#include "cmd/serve_live.h"

enum {
	LIMIT = 100,
	LIMIT_MAX = 1000,
	STREAM_LIMIT = 1000,
	STREAM_LIMIT_MAX = 10000,
	BODY_MAX = 8 << 20, /* bytes of events before an answer is cut */
	TURN_MS = 250,
	WINDOW_MIN = 1024,
	WINDOW_MAX = 1 << 20,
	LOOK_EVERY = 256 /* events between two looks at the clock */
};

/* ---- searching */

static struct ev_slices
slices(const struct ev_list *list)
{
	return (struct ev_slices){ list->list, list->count };
}

/* The next positions to look at; a query of its own for each window, as an
   index is read as a whole before its first event comes. */
static enum ev_status
open_window(struct serve_search *search, struct ev_err *err)
{
	const struct ev_filter *filter = search->filter;
	struct ev_query query = {
		.from = search->from,
		.to = search->to,
		.from_time = filter->since,
		.to_time = filter->until,
		.reverse = search->reverse,
		.streams = slices(&filter->streams),
		.types = slices(&search->types),
		.actors = slices(&filter->actors),
		.correlations = slices(&filter->correlations),
		.causations = slices(&filter->causations),
	};
	int64_t most = search->to - search->from;

	if (most >= search->window)
		most = search->window - 1;
	if (search->reverse)
		query.from = search->edge = query.to - most;
	else
		query.to = search->edge = query.from + most;
	search->rows = search->found = 0;
	return search->store->ops->query(search->store, &query, &search->cursor,
	                                 err);
}

static void
close_window(struct serve_search *search)
{
	if (search->cursor)
		search->store->ops->query_close(search->cursor);
	search->cursor = NULL;
}

/* Is through with it: where nothing was found, more is looked at at once. */
static void
end_window(struct serve_search *search)
{
	close_window(search);
	if (search->reverse)
		search->to = search->edge - 1;
	else
		search->from = search->edge + 1;
	if (!search->found && search->window < WINDOW_MAX)
		search->window *= 4;
	else if (search->found > LOOK_EVERY && search->window > WINDOW_MIN)
		search->window /= 4;
}

static enum ev_status
take_row(struct serve_search *search, const struct ev_row *row,
         struct ev_line *line, struct ev_err *err)
{
	if (!ev_line_parse(row->line, line))
		return ev_err_set(err, EV_IO, "position %lld is damaged, ask "
		                  "ev-verify", (long long)row->position);
	if (search->reverse)
		search->to = row->position - 1;
	else
		search->from = row->position + 1;
	search->rows++;
	return ev_filter_match(search->filter, line, search->catalogs,
	                       &search->scratch) ? EV_OK : EV_NO;
}

static void
begin_turn(struct serve_search *search)
{
	const struct ev_filter *filter = search->filter;

	search->until = ev_time_steady_ms() + search->turn_ms;
	if (search->window < WINDOW_MIN)
		search->window = WINDOW_MIN;
	if (search->from < filter->from)
		search->from = filter->from;
	if (search->to > filter->to)
		search->to = filter->to;
	if (search->from < 1)
		search->from = 1;
	ev_filter_types(filter, search->catalogs, &search->arena,
	                &search->types);
}

enum ev_status
serve_search_next(struct serve_search *search, struct ev_str *text,
                  struct ev_line *line, struct ev_err *err)
{
	enum ev_status status;
	struct ev_row row;

	if (!search->until)
		begin_turn(search);
	for (;;) {
		if (!search->cursor) {
			if (search->from > search->to)
				return EV_NO;
			if (ev_time_steady_ms() >= search->until)
				return EV_BUSY;
			status = open_window(search, err);
		} else if (search->rows % LOOK_EVERY == LOOK_EVERY - 1 &&
		           ev_time_steady_ms() >= search->until) {
			return EV_BUSY;
		} else {
			status = EV_OK;
		}
		if (!status)
			status = search->store->ops->next(search->cursor, &row,
			                                  err);
		if (status == EV_NO) {
			end_window(search);
			continue;
		}
		if (!status)
			status = take_row(search, &row, line, err);
		if (status == EV_NO)
			continue;
		if (status)
			return status;
		search->found++;
		*text = row.line;
		return EV_OK;
	}
}

void
serve_search_close(struct serve_search *search)
{
	close_window(search);
	free(search->types.list);
	search->types = (struct ev_list){ 0 };
	ev_arena_release(&search->arena);
	ev_buf_release(&search->scratch);
}

/* ---- what is asked for */

struct asked {
	struct live_options options;
	int64_t limit;
	bool limited; /* `limit` was given … */
	bool placed;  /* … or `from`, or `since` */
	bool reverse;
};

static bool
refuse(struct serve_request *request, const char *name, const char *text)
{
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "%s%s%s", name, *name ? " " : "", text);
	return false;
}

/* As options of ev-cat without a value: given, and not taken back. */
static bool
take_flag(struct serve_request *request, const struct serve_parameter *given,
          bool *flag)
{
	static const char *const yes[] = { "", "1", "true" };
	static const char *const no[] = { "0", "false" };

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (ev_str_equal(given->value, ev_str(yes[i]))) {
			*flag = true;
			return true;
		}
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (ev_str_equal(given->value, ev_str(no[i]))) {
			*flag = false;
			return true;
		}
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "%.*s '%.*s': expected true or false",
	              EV_FMT(given->name), EV_FMT(given->value));
	return false;
}

static bool
take_form(struct serve_request *request, const char *value,
          enum printer_form *form)
{
	if (printer_parse_form(value, form) && *form != FORM_TABLE)
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "format '%s': expected canonical, native or cloudevents",
	              value);
	return false;
}

/* One that ev-cat has as a long option. Messages name parameters without the
   hyphens. */
static bool
take_filter(struct serve_request *request, const struct serve_parameter *given,
            struct filter_options *filter)
{
	enum ev_status status;
	const char *text;
	struct ev_err err;

	status = filter_option_take(filter, filter_option_find(given->name),
	                            given->value.ptr, &err);
	if (!status)
		return true;
	text = err.text;
	if (strncmp(text, "--", 2) == 0)
		return refuse(request, "", text + 2);
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "%.*s: %s", EV_FMT(given->name), text);
	return false;
}

/* The arena's copies end in NUL; one inside would end them early. */
static bool
has_no_nul(struct serve_request *request, const struct serve_parameter *given)
{
	if (strlen(given->value.ptr) == given->value.len)
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "%.*s: a NUL is in it", EV_FMT(given->name));
	return false;
}

static bool
take_parameter(struct serve_request *request,
               const struct serve_parameter *given, struct asked *asked)
{
	struct ev_str name = given->name;

	if (!has_no_nul(request, given))
		return false;
	if (ev_str_equal(name, EV_STR("after")))
		return serve_param_int(request, "after", 0, INT64_MAX - 1,
		                       &asked->options.after);
	if (ev_str_equal(name, EV_STR("format")))
		return take_form(request, given->value.ptr,
		                 &asked->options.form);
	if (ev_str_equal(name, EV_STR("limit"))) {
		asked->limited = true;
		return serve_param_int(request, "limit", 1, LIMIT_MAX,
		                       &asked->limit);
	}
	if (ev_str_equal(name, EV_STR("raw")))
		return take_flag(request, given, &asked->options.raw);
	if (ev_str_equal(name, EV_STR("reverse")))
		return take_flag(request, given, &asked->reverse);
	asked->placed |= ev_str_equal(name, EV_STR("from")) ||
	                 ev_str_equal(name, EV_STR("since"));
	return take_filter(request, given, &asked->options.filter);
}

/* False: the request has its answer. Release the filter in any case. */
static bool
take_parameters(struct serve_request *request, struct asked *asked)
{
	static const char *const names[] = {
		"actor", "after", "catalog", "category", "causation",
		"correlation", "format", "from", "from-version", "limit",
		"min-priority", "raw", "reverse", "since", "stream",
		"stream-prefix", "to", "to-version", "topic", "type", "until",
		NULL
	};

	*asked = (struct asked){ .limit = LIMIT, .options.after = -1 };
	filter_options_init(&asked->options.filter);
	if (!serve_params_known(request, names))
		return false;
	for (size_t i = 0; i < request->query_count; i++)
		if (!take_parameter(request, &request->query[i], asked))
			return false;
	return true;
}

/* ---- pages */

struct page {
	struct serve_reader *reader;
	struct asked asked;
	struct ev_buf *out;
	size_t begins; /* of the first event in it */
	int64_t count;
	int64_t last; /* position of the last event in it */
	struct ev_buf unprintable;
};

static void
add_unprintable(struct page *page, int64_t position, const struct ev_err *why)
{
	struct ev_buf *out = &page->unprintable;

	ev_buf_printf(out, "%s{\"position\":%lld,\"detail\":",
	              out->len ? "," : "", (long long)position);
	ev_json_write_string(out, ev_str(why->text));
	ev_buf_add_char(out, '}');
}

static void
add_event(struct page *page, struct ev_str text, const struct ev_line *line)
{
	const struct live_options *options = &page->asked.options;
	const struct ev_catalogs *catalogs = &page->reader->catalogs;
	size_t before = page->out->len;
	struct ev_err err;

	page->count++;
	page->last = line->position;
	if (before > page->begins)
		ev_buf_add_char(page->out, ',');
	if (printer_format(page->out, options->form, text, line, catalogs,
	                   options->raw ? NULL : catalogs, &err)) {
		page->out->len = before;
		add_unprintable(page, line->position, &err);
	}
}

static bool
is_full(const struct page *page)
{
	return page->count >= page->asked.limit ||
	       page->out->len - page->begins >= BODY_MAX;
}

/*
 * Where to go on, -1 if there is nothing more: `after` or, in reverse, `to`.
 * It may lead to a page that is empty and leads on, when what is asked for is
 * rare.
 */
static enum ev_status
fill_page(struct page *page, struct serve_search *search, int64_t *next,
          struct ev_err *err)
{
	enum ev_status status;
	struct ev_line line;
	struct ev_str text;

	*next = -1;
	while (!(status = serve_search_next(search, &text, &line, err))) {
		if (is_full(page)) {
			*next = search->reverse ? line.position
			                        : line.position - 1;
			return EV_OK;
		}
		add_event(page, text, &line);
	}
	if (status == EV_BUSY)
		*next = search->reverse ? search->to : search->from - 1;
	return status == EV_BUSY || status == EV_NO ? EV_OK : status;
}

static enum ev_status
answer_page(struct serve_request *request, struct page *page,
            struct ev_err *err)
{
	const struct live_options *options = &page->asked.options;
	struct ev_store *store = page->reader->projector.store;
	struct serve_search search = {
		.store = store,
		.catalogs = &page->reader->catalogs,
		.filter = &options->filter.filter,
		.from = options->after + 1,
		.reverse = page->asked.reverse,
		.turn_ms = TURN_MS,
	};
	enum ev_status status;
	struct ev_head head;
	int64_t next;

	if ((status = store->ops->head(store, &head, err)))
		return status;
	search.to = head.position;
	page->out = serve_json(request);
	ev_buf_add_str(page->out, EV_STR("{\"events\":["));
	page->begins = page->out->len;
	status = fill_page(page, &search, &next, err);
	serve_search_close(&search);
	if (status)
		return status;
	ev_buf_add_str(page->out, EV_STR("],\"next\":"));
	if (next < 0)
		ev_buf_add_str(page->out, EV_STR("null"));
	else
		ev_buf_add_int(page->out, next);
	ev_buf_printf(page->out, ",\"head\":%lld", (long long)head.position);
	if (page->unprintable.len)
		ev_buf_printf(page->out, ",\"unprintable\":[%.*s]",
		              EV_FMT(ev_buf_str(&page->unprintable)));
	ev_buf_add_char(page->out, '}');
	return EV_OK;
}

static void
read_page(struct serve_reader *reader, struct serve_request *request)
{
	struct page page = { .reader = reader };
	struct filter_options *filter = &page.asked.options.filter;
	enum ev_status status;
	struct ev_err err;

	if (take_parameters(request, &page.asked)) {
		status = filter_options_resolve(filter, &reader->catalogs,
		                                &err);
		if (!status)
			status = answer_page(request, &page, &err);
		if (status)
			serve_fail(request, status, &err);
	}
	filter_options_release(filter);
	ev_buf_release(&page.unprintable);
}

/* ---- streams */

/* Last-Event-ID counts for more than the address, which is that of the first
   connection. */
static bool
take_last_id(struct serve_request *request, struct asked *asked)
{
	struct ev_str text = ev_http_header(request->http, "Last-Event-ID");
	struct ev_str copy = ev_arena_dup(&request->arena, text);

	if (!text.len)
		return true;
	if (ev_opt_int(copy.ptr, 0, INT64_MAX - 1, &asked->options.after))
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "Last-Event-ID '%.*s': expected a position",
	              EV_FMT(text));
	return false;
}

void
serve_events(struct serve_request *request)
{
	struct asked asked;

	if (!serve_wants_stream(request)) {
		serve_read(request, read_page);
		return;
	}
	if (take_parameters(request, &asked) &&
	    (asked.limited || asked.reverse))
		refuse(request, asked.limited ? "limit" : "reverse",
		       "is not for a stream");
	else if (!request->answer.status && take_last_id(request, &asked)) {
		/* as with ev-watch: a place that was named, else from now on */
		if (asked.placed && asked.options.after < 0)
			asked.options.after = 0;
		serve_live_begin(request, &asked.options);
		return;
	}
	filter_options_release(&asked.options.filter);
	serve_finish(request);
}

/* ---- one event */

/* The first event that a query gives; EV_NO: none. */
static enum ev_status
find_row(struct serve_reader *reader, const struct ev_query *query,
         struct ev_buf *text, struct ev_line *line, struct ev_err *err)
{
	struct ev_store *store = reader->projector.store;
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_row row;

	if ((status = store->ops->query(store, query, &cursor, err)))
		return status;
	if (!(status = store->ops->next(cursor, &row, err))) {
		ev_buf_add_str(text, row.line);
		if (!ev_line_parse(ev_buf_str(text), line))
			status = ev_err_set(err, EV_IO, "position %lld is "
			                    "damaged, ask ev-verify",
			                    (long long)row.position);
	}
	store->ops->query_close(cursor);
	return status;
}

static void
read_event(struct serve_reader *reader, struct serve_request *request)
{
	static const char *const names[] = { "format", "raw", NULL };
	struct ev_query query = { .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	const struct ev_catalogs *catalogs = &reader->catalogs;
	enum printer_form form = FORM_CANONICAL;
	struct ev_buf text = { 0 };
	enum ev_status status;
	struct ev_line line;
	struct ev_err err;
	bool raw = false;

	if (!serve_params_known(request, names))
		return;
	for (size_t i = 0; i < request->query_count; i++) {
		const struct serve_parameter *given = &request->query[i];

		if (!has_no_nul(request, given) ||
		    !(ev_str_equal(given->name, EV_STR("raw"))
		              ? take_flag(request, given, &raw)
		              : take_form(request, given->value.ptr, &form)))
			return;
	}
	if (!ev_opt_int(request->params[0].ptr, 0, INT64_MAX, &query.from)) {
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 },
		              "'%.*s': expected a position",
		              EV_FMT(request->params[0]));
		return;
	}
	query.to = query.from;
	status = find_row(reader, &query, &text, &line, &err);
	if (!status)
		status = printer_format(serve_json(request), form,
		                        ev_buf_str(&text), &line, catalogs,
		                        raw ? NULL : catalogs, &err);
	if (status == EV_NO)
		ev_err_set(&err, status, "position %lld: the log has no event "
		           "there", (long long)query.from);
	if (status == EV_BAD_INPUT)
		serve_problem(request, 422, "unprintable",
		              (struct ev_str){ 0 }, "%s", err.text);
	else if (status)
		serve_fail(request, status, &err);
	ev_buf_release(&text);
}

void
serve_event(struct serve_request *request)
{
	serve_read(request, read_event);
}

/* ---- the end of the log, now or then */

static void
read_head(struct serve_reader *reader, struct serve_request *request)
{
	static const char *const names[] = { "time", NULL };
	struct ev_query query = { .from = 1, .to = INT64_MAX, .reverse = true,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_str time = serve_param(request, "time");
	struct ev_buf text = { 0 };
	enum ev_status status;
	struct ev_line line;
	struct ev_buf *out;
	struct ev_err err;

	if (!serve_params_known(request, names))
		return;
	if (time.ptr && (strlen(time.ptr) != time.len ||
	                 !ev_opt_time(time.ptr, ev_time_now(),
	                              &query.to_time))) {
		serve_problem(request, 400, "bad-request",
		              (struct ev_str){ 0 },
		              "time '%.*s': expected 45s, 30m, 2h, 7d, a date "
		              "or an RFC 3339 time", EV_FMT(time));
		return;
	}
	status = find_row(reader, &query, &text, &line, &err);
	if (status && status != EV_NO) {
		serve_fail(request, status, &err);
	} else {
		out = serve_json(request);
		if (status)
			ev_buf_add_str(out, EV_STR("{\"position\":0,"
			                           "\"recordedAt\":null}"));
		else
			ev_buf_printf(out, "{\"position\":%lld,"
			              "\"recordedAt\":\"%.*s\"}",
			              (long long)line.position,
			              EV_FMT(line.recorded_at));
	}
	ev_buf_release(&text);
}

void
serve_head(struct serve_request *request)
{
	serve_read(request, read_head);
}

/* ---- all of one stream */

static bool
is_plain(char c)
{
	return ev_is_digit(c) || ev_is_lower(c) || ev_is_upper(c) ||
	       (c && strchr("-._~/", c));
}

static void
link_next(struct serve_request *request, struct ev_str id, int64_t version,
          int64_t limit)
{
	struct ev_buf link = { 0 };

	ev_buf_add_str(&link, EV_STR("</api/events/stream?id="));
	for (size_t i = 0; i < id.len; i++)
		if (is_plain(id.ptr[i]))
			ev_buf_add_char(&link, id.ptr[i]);
		else
			ev_buf_printf(&link, "%%%02X",
			              (unsigned char)id.ptr[i]);
	ev_buf_printf(&link, "&from-version=%lld&limit=%lld>; rel=\"next\"",
	              (long long)version, (long long)limit);
	serve_header(request, "Link", ev_buf_str(&link));
	ev_buf_release(&link);
}

/* EV_NO: there is no such stream. */
static enum ev_status
list_stream(struct page *page, const struct ev_query *query,
            struct serve_request *request, int64_t version,
            struct ev_err *err)
{
	struct ev_store *store = page->reader->projector.store;
	struct ev_cursor *cursor;
	struct ev_buf tag = { 0 };
	enum ev_status status;
	struct ev_line line;
	struct ev_row row;
	int64_t last = -1;
	bool cut = false;

	if ((status = store->ops->query(store, query, &cursor, err)))
		return status;
	while (!cut && !(status = store->ops->next(cursor, &row, err))) {
		if (!ev_line_parse(row.line, &line)) {
			status = ev_err_set(err, EV_IO, "position %lld is "
			                    "damaged, ask ev-verify",
			                    (long long)row.position);
			break;
		}
		/* the index is a help only */
		if (!ev_str_equal(line.stream, *query->streams.list))
			continue;
		last = line.version;
		if (last < version)
			continue;
		cut = is_full(page);
		if (!cut)
			add_event(page, row.line, &line);
	}
	store->ops->query_close(cursor);
	if (status && status != EV_NO)
		return status;
	if (last < 0)
		return EV_NO;
	if (cut) {
		link_next(request, serve_param(request, "id"), last,
		          page->asked.limit);
		return EV_OK;
	}
	/* what If-Match of an append may be */
	ev_buf_printf(&tag, "\"%lld\"", (long long)last);
	serve_header(request, "ETag", ev_buf_str(&tag));
	ev_buf_release(&tag);
	return EV_OK;
}

static void
read_stream(struct serve_reader *reader, struct serve_request *request)
{
	static const char *const names[] = { "from-version", "id", "limit",
	                                     NULL };
	struct page page = { .reader = reader,
	                     .asked.limit = STREAM_LIMIT };
	struct ev_query query = { .from = 1, .to = INT64_MAX,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_str id = serve_param(request, "id"), stream;
	enum ev_status status;
	int64_t version = 0;
	struct ev_err err;

	if (!serve_params_known(request, names) ||
	    !serve_param_int(request, "limit", 1, STREAM_LIMIT_MAX,
	                     &page.asked.limit) ||
	    !serve_param_int(request, "from-version", 0, INT64_MAX, &version))
		return;
	if (!id.len) {
		refuse(request, "id", "is missing: which stream?");
		return;
	}
	stream = ev_line_escape(&request->arena, id);
	query.streams = (struct ev_slices){ &stream, 1 };
	page.out = serve_json(request);
	ev_buf_add_char(page.out, '[');
	page.begins = page.out->len;
	status = list_stream(&page, &query, request, version, &err);
	if (status == EV_NO)
		ev_err_set(&err, status, "'%.*s': there is no such stream",
		           EV_FMT(id));
	if (status)
		serve_fail(request, status, &err);
	else if (page.unprintable.len)
		serve_problem(request, 422, "unprintable",
		              (struct ev_str){ 0 }, "%.*s",
		              EV_FMT(ev_buf_str(&page.unprintable)));
	else
		ev_buf_add_char(page.out, ']');
	ev_buf_release(&page.unprintable);
}

void
serve_event_stream(struct serve_request *request)
{
	serve_read(request, read_stream);
}
