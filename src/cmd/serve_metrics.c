#include "cmd/serve_metrics.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/serve_logs.h"
#include "cmd/serve_look.h"
#include "cmd/serve_readers.h"
#include "domain/json.h"

enum { BUCKETS = 12 };

/* Where the buckets of serve.h end, as OpenMetrics writes numbers. */
static const char *const bounds[BUCKETS] = {
	"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
	"0.5", "1.0", "2.5", "+Inf"
};

struct histogram {
	uint64_t buckets[BUCKETS];
	uint64_t micros;
};

/* What the loop knows. */
struct counted {
	uint64_t appends, duplicates, conflicts, rejects, commits;
	uint64_t requests[6], refused;
	uint64_t streams_opened, streams_cut, stream_events;
	unsigned streams, connections;
	struct histogram request_seconds, append_seconds;
	struct serve_logs_counts logs;
};

/* A model or a consumer. */
struct lagging {
	struct ev_str name;
	int64_t position, parked, failing;
	bool error;
	double seconds;
};

struct lags {
	struct lagging *list;
	size_t count;
	struct ev_arena *arena;
};

/* What the log knows. */
struct known {
	int64_t position;
	struct lags models, consumers;
	int64_t alerts;
	double alert_seconds; /* of the oldest one */
	int64_t log_bytes, wal_bytes;
	int64_t now;
};

/* ---- the text */

/* `unit` is "" or the end of the name. */
static void
begin(struct ev_buf *out, const char *name, const char *type, const char *unit,
      const char *help)
{
	ev_buf_printf(out, "# TYPE %s %s\n", name, type);
	if (*unit)
		ev_buf_printf(out, "# UNIT %s %s\n", name, unit);
	ev_buf_printf(out, "# HELP %s %s\n", name, help);
}

/* {name="value"}; the value may be any text. */
static void
add_label(struct ev_buf *out, const char *name, struct ev_str value)
{
	ev_buf_printf(out, "{%s=\"", name);
	for (size_t i = 0; i < value.len; i++)
		switch (value.ptr[i]) {
		case '\n':
			ev_buf_add_str(out, EV_STR("\\n"));
			break;
		case '"':
		case '\\':
			ev_buf_add_char(out, '\\');
			/* fall through */
		default:
			ev_buf_add_char(out, value.ptr[i]);
		}
	ev_buf_add_str(out, EV_STR("\"}"));
}

static void
add_gauge(struct ev_buf *out, const char *name, const char *unit, int64_t value,
          const char *help)
{
	begin(out, name, "gauge", unit, help);
	ev_buf_printf(out, "%s %lld\n", name, (long long)value);
}

static void
add_counter(struct ev_buf *out, const char *name, const char *unit,
            uint64_t value, const char *help)
{
	begin(out, name, "counter", unit, help);
	ev_buf_printf(out, "%s_total %llu\n", name, (unsigned long long)value);
}

static void
add_histogram(struct ev_buf *out, const char *name,
              const struct histogram *histogram, const char *help)
{
	unsigned long long sum = 0;

	begin(out, name, "histogram", "seconds", help);
	for (int i = 0; i < BUCKETS; i++) {
		sum += histogram->buckets[i];
		ev_buf_printf(out, "%s_bucket{le=\"%s\"} %llu\n", name,
		              bounds[i], sum);
	}
	ev_buf_printf(out, "%s_count %llu\n%s_sum %llu.%06u\n", name, sum, name,
	              (unsigned long long)(histogram->micros / 1000000),
	              (unsigned)(histogram->micros % 1000000));
}

static void
write_counted(struct ev_buf *out, const struct counted *counted)
{
	static const char *const codes[] = { NULL, "1xx", "2xx", "3xx", "4xx",
	                                     "5xx" };

	add_counter(out, "ev_appends", "", counted->appends,
	            "Events that this server appended.");
	add_counter(out, "ev_append_duplicates", "", counted->duplicates,
	            "Events that were in the log already.");
	add_counter(out, "ev_append_conflicts", "", counted->conflicts,
	            "Events whose stream was not as expected, or whose id "
	            "another event has.");
	add_counter(out, "ev_append_rejects", "", counted->rejects,
	            "Events that were not valid.");
	add_counter(out, "ev_commits", "", counted->commits,
	            "Commits of this server, each of one or more events.");
	add_histogram(out, "ev_append_duration_seconds",
	              &counted->append_seconds,
	              "How long events waited to be durable.");
	begin(out, "ev_http_requests", "counter", "",
	      "Requests that were answered, by the kind of answer.");
	for (int i = 1; i < 6; i++) {
		ev_buf_add_str(out, EV_STR("ev_http_requests_total"));
		add_label(out, "code", ev_str(codes[i]));
		ev_buf_printf(out, " %llu\n",
		              (unsigned long long)counted->requests[i]);
	}
	add_counter(out, "ev_http_refused", "", counted->refused,
	            "Requests that were refused by a limit.");
	add_histogram(out, "ev_http_request_duration_seconds",
	              &counted->request_seconds,
	              "How long requests took, streams left out.");
	add_gauge(out, "ev_http_connections", "", counted->connections,
	          "Connections that are open.");
	add_gauge(out, "ev_sse_clients", "", counted->streams,
	          "Streams that are open.");
	add_counter(out, "ev_sse_opened", "", counted->streams_opened,
	            "Streams that were opened.");
	add_counter(out, "ev_sse_cut", "", counted->streams_cut,
	            "Streams that were ended because their reader was too "
	            "slow.");
	add_counter(out, "ev_sse_events", "", counted->stream_events,
	            "Events that were given to streams.");
	add_counter(out, "ev_agent_log_entries", "", counted->logs.entries,
	            "Entries of agents' logs that were taken.");
	add_counter(out, "ev_agent_log_expired", "", counted->logs.expired,
	            "Entries of agents' logs that were deleted, for their age "
	            "or to make room.");
	add_gauge(out, "ev_agent_log_size_bytes", "bytes", counted->logs.bytes,
	          "How large the file of agents' logs is.");
}

/* What is told of each model, or consumer. */
struct measure {
	enum { POSITION, LAG, SECONDS, PARKED, FAILING, FAILED } what;
	const char *name, *unit, *help;
};

static const struct measure of_models[] = {
	{ POSITION, "ev_model_position", "",
	  "The last event that a read model has folded." },
	{ LAG, "ev_model_lag_events", "events",
	  "Events that a read model has not folded yet." },
	{ SECONDS, "ev_model_lag_seconds", "seconds",
	  "For how long the first of them has been in the log." },
	{ PARKED, "ev_model_parked_events", "events",
	  "Events that a read model could not fold." },
	{ FAILED, "ev_model_failed", "",
	  "1 for a read model that could not be brought up to date the last "
	  "time." },
};

static const struct measure of_consumers[] = {
	{ POSITION, "ev_consumer_position", "",
	  "Up to here a consumer is done with every event." },
	{ LAG, "ev_consumer_lag_events", "events",
	  "Events that are behind a consumer's position." },
	{ SECONDS, "ev_consumer_lag_seconds", "seconds",
	  "For how long the first of them has been in the log." },
	{ PARKED, "ev_consumer_parked_events", "events",
	  "Events that a consumer has given up until somebody decides." },
	{ FAILING, "ev_consumer_failing_events", "events",
	  "Events that failed and that a consumer will try again." },
};

static void
write_value(struct ev_buf *out, const struct measure *measure,
            const struct lagging *one, int64_t end)
{
	switch (measure->what) {
	case POSITION:
		ev_buf_add_int(out, one->position);
		break;
	case LAG:
		ev_buf_add_int(out, end - one->position);
		break;
	case SECONDS:
		ev_buf_printf(out, "%.6f", one->seconds);
		break;
	case PARKED:
		ev_buf_add_int(out, one->parked);
		break;
	case FAILING:
		ev_buf_add_int(out, one->failing);
		break;
	case FAILED:
		ev_buf_add_int(out, one->error);
		break;
	}
	ev_buf_add_char(out, '\n');
}

static void
write_lags(struct ev_buf *out, const struct lags *lags, int64_t end,
           const char *label, const struct measure *measures, size_t count)
{
	for (size_t i = 0; lags->count && i < count; i++) {
		const struct measure *measure = &measures[i];

		begin(out, measure->name, "gauge", measure->unit,
		      measure->help);
		for (size_t k = 0; k < lags->count; k++) {
			ev_buf_add_str(out, ev_str(measure->name));
			add_label(out, label, lags->list[k].name);
			ev_buf_add_char(out, ' ');
			write_value(out, measure, &lags->list[k], end);
		}
	}
}

static void
write_known(struct ev_buf *out, const struct known *known)
{
	add_gauge(out, "ev_log_position", "", known->position,
	          "The position of the log's last event.");
	begin(out, "ev_log_size_bytes", "gauge", "bytes",
	      "How large the log's files are.");
	ev_buf_printf(out, "ev_log_size_bytes{file=\"log\"} %lld\n"
	              "ev_log_size_bytes{file=\"wal\"} %lld\n",
	              (long long)known->log_bytes,
	              (long long)known->wal_bytes);
	write_lags(out, &known->models, known->position, "model", of_models,
	           sizeof of_models / sizeof *of_models);
	write_lags(out, &known->consumers, known->position, "consumer",
	           of_consumers, sizeof of_consumers / sizeof *of_consumers);
	add_gauge(out, "ev_alerts", "", known->alerts,
	          "Issues that wait for a person.");
	begin(out, "ev_alert_age_seconds", "gauge", "seconds",
	      "For how long the oldest of them has waited, 0 if there is "
	      "none.");
	ev_buf_printf(out, "ev_alert_age_seconds %.6f\n", known->alert_seconds);
}

static void
write_server(struct ev_buf *out, int64_t started, int64_t now)
{
	int64_t up = now > started ? now - started : 0;

	begin(out, "ev_build", "info", "", "Which ev-serve this is.");
	ev_buf_add_str(out, EV_STR("ev_build_info"));
	add_label(out, "version", ev_str(EV_VERSION));
	ev_buf_add_str(out, EV_STR(" 1\n"));
	begin(out, "ev_start_time_seconds", "gauge", "seconds",
	      "When this server began, since 1970.");
	ev_buf_printf(out, "ev_start_time_seconds %lld.%06d\n",
	              (long long)(started / 1000000),
	              (int)(started % 1000000));
	begin(out, "ev_uptime_seconds", "gauge", "seconds",
	      "How long ago that was.");
	ev_buf_printf(out, "ev_uptime_seconds %lld.%06d\n",
	              (long long)(up / 1000000), (int)(up % 1000000));
}

/* ---- reading */

/* For how long the event after `position` has been in the log. */
static enum ev_status
find_seconds(struct ev_store *store, const struct known *known,
             int64_t position, double *seconds, struct ev_err *err)
{
	struct ev_query query = { .from = position + 1, .to = position + 1,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_line line;
	struct ev_row row;
	int64_t recorded;

	*seconds = 0;
	if (position >= known->position)
		return EV_OK;
	if ((status = store->ops->query(store, &query, &cursor, err)))
		return status;
	status = store->ops->next(cursor, &row, err);
	/* clocks differ */
	if (!status && ev_line_parse(row.line, &line) &&
	    ev_time_parse(line.recorded_at, &recorded) && recorded < known->now)
		*seconds = (double)(known->now - recorded) / 1e6;
	store->ops->query_close(cursor);
	return status == EV_NO ? EV_OK : status;
}

static struct lagging *
add_lagging(struct lags *lags, struct ev_str name)
{
	struct lagging *one;

	lags->list = ev_mem_resize(lags->list, (lags->count + 1) *
	                           sizeof *lags->list);
	one = &lags->list[lags->count++];
	*one = (struct lagging){ .name = ev_arena_dup(lags->arena, name) };
	return one;
}

/* One that is only being built for the first time lacks everything yet. */
static bool
take_model(void *context, const struct ev_model *model)
{
	struct lags *lags = context;
	struct lagging *one;

	if (lags->count && ev_str_equal(lags->list[lags->count - 1].name,
	                                model->name))
		return true;
	one = add_lagging(lags, model->name);
	one->position = model->live ? model->position : 0;
	one->parked = model->parked;
	one->error = model->error.len > 0;
	return true;
}

static bool
take_consumer(void *context, const struct ev_consumer *consumer)
{
	struct lagging *one = add_lagging(context, consumer->name);

	one->position = consumer->position;
	one->parked = consumer->parked;
	one->failing = consumer->failed;
	return true;
}

static enum ev_status
find_lags(struct ev_store *store, const struct known *known, struct lags *lags,
          struct ev_err *err)
{
	enum ev_status status = EV_OK;

	for (size_t i = 0; !status && i < lags->count; i++)
		status = find_seconds(store, known, lags->list[i].position,
		                      &lags->list[i].seconds, err);
	return status;
}

static void
take_need(void *context, int64_t since)
{
	struct known *known = context;
	double seconds = (double)(known->now - since) / 1e6;

	known->alerts++;
	if (seconds > known->alert_seconds)
		known->alert_seconds = seconds;
}

/* What waits for a person, as /api/status has it. */
static enum ev_status
find_alerts(struct serve_reader *reader, struct serve_request *request,
            struct known *known, struct ev_err *err)
{
	struct serve_look look;
	enum ev_status status = serve_look_now(&look, reader, request);

	if (!status)
		status = serve_needs(&look, take_need, known);
	if (status)
		*err = look.err;
	/* here is no rig */
	return status == EV_USAGE ? EV_OK : status;
}

static int64_t
file_size(const struct serve *serve, const char *end)
{
	struct ev_buf path = { 0 };
	struct stat info;
	int64_t size = 0;

	cli_log_path(serve->settings.log, &path);
	ev_buf_printf(&path, "%s", end);
	ev_buf_add_char(&path, '\0');
	if (stat(path.ptr, &info) == 0)
		size = info.st_size;
	ev_buf_release(&path);
	return size;
}

/* All of one state of the log. */
static enum ev_status
find_all(struct serve_reader *reader, struct serve_request *request,
         struct known *known, struct ev_err *err)
{
	struct ev_store *store = reader->projector.store;
	struct ev_head head;
	enum ev_status status = store->ops->model_begin(store, err);

	if (status)
		return status;
	status = store->ops->head(store, &head, err);
	if (!status) {
		known->position = head.position;
		status = store->ops->models(store, take_model, &known->models,
		                            err);
	}
	if (!status)
		status = store->ops->consumers(store, take_consumer,
		                               &known->consumers, err);
	if (!status)
		status = find_lags(store, known, &known->models, err);
	if (!status)
		status = find_lags(store, known, &known->consumers, err);
	if (!status)
		status = find_alerts(reader, request, known, err);
	store->ops->model_end(store);
	return status;
}

static void
write_all(struct serve_reader *reader, struct serve_request *request)
{
	struct serve *serve = reader->serve;
	struct known known = { .models = { .arena = &request->arena },
	                       .consumers = { .arena = &request->arena },
	                       .now = ev_time_now() };
	struct ev_err err;
	enum ev_status status = find_all(reader, request, &known, &err);

	if (status) {
		serve_fail(request, status, &err);
	} else {
		struct ev_buf *out = serve_json(request);

		known.log_bytes = file_size(serve, "");
		known.wal_bytes = file_size(serve, "-wal");
		request->answer.type = "application/openmetrics-text; "
		                       "version=1.0.0; charset=utf-8";
		write_server(out, serve->started, known.now);
		write_known(out, &known);
		write_counted(out, request->data);
		ev_buf_add_str(out, EV_STR("# EOF\n"));
	}
	free(known.models.list);
	free(known.consumers.list);
}

/* ---- counting, by the loop */

static void
take_counts(struct serve *serve, struct counted *counted)
{
	struct serve_counts *counts = &serve->counts;

	counted->appends = counts->appends;
	counted->duplicates = counts->duplicates;
	counted->conflicts = counts->conflicts;
	counted->rejects = counts->rejects;
	counted->commits = counts->commits;
	memcpy(counted->requests, counts->requests, sizeof counts->requests);
	counted->refused = counts->refused;
	counted->streams_opened = counts->streams_opened;
	counted->streams_cut = counts->streams_cut;
	counted->stream_events = counts->stream_events;
	counted->streams = counts->streams_open;
	counted->connections = ev_http_connections(serve->http);
	for (int i = 0; i < BUCKETS; i++) {
		counted->request_seconds.buckets[i] =
			counts->request_seconds[i];
		counted->append_seconds.buckets[i] = counts->append_seconds[i];
	}
	counted->request_seconds.micros = counts->request_micros;
	counted->append_seconds.micros = counts->append_micros;
	counted->logs = serve_logs_count(serve);
}

void
serve_metrics(struct serve_request *request)
{
	static const char *const none[] = { NULL };
	struct counted *counted;

	if (!serve_params_known(request, none)) {
		serve_finish(request);
		return;
	}
	counted = ev_arena_alloc(&request->arena, sizeof *counted);
	take_counts(request->serve, counted);
	request->data = counted;
	serve_header(request, "Cache-Control", EV_STR("no-store"));
	serve_read(request, write_all);
}
