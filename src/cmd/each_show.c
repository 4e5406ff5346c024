#include <stdlib.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "cmd/cli.h"
#include "cmd/each.h"
#include "cmd/terminal.h"
#include "domain/grid.h"
#include "domain/json.h"

/* What --lag and --parked print. */
struct show {
	const struct each_options *options;
	struct ev_store *store;
	struct ev_buf text;
	struct ev_grid grid;
	bool table;
	int64_t found;
	int64_t end; /* of the log */
	int64_t now;
	struct ev_str consumer; /* whose deliveries are shown */
	struct ev_arena arena;
	struct ev_str *names;
	size_t name_count;
	enum ev_status status;
	struct ev_err *err;
};

static void
add_cell(struct show *show, const char *heading, struct ev_str text,
         enum ev_grid_align align)
{
	ev_grid_cell(&show->grid, ev_grid_column(&show->grid, ev_str(heading)),
	             text, align);
}

static void
add_number(struct show *show, const char *heading, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)number);
	add_cell(show, heading, ev_str(text), EV_GRID_RIGHT);
}

static void
add_string(struct ev_buf *out, const char *name, struct ev_str value)
{
	ev_buf_printf(out, ",\"%s\":", name);
	if (value.ptr)
		ev_json_write_string(out, value);
	else
		ev_buf_add_str(out, EV_STR("null"));
}

/* The event at `position`, if it is there; texts are copied. */
static enum ev_status
get_event(struct show *show, int64_t position, struct ev_line *line)
{
	struct ev_store *store = show->store;
	struct ev_query query = { .from = position, .to = position,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_cursor *cursor;
	struct ev_row row;
	enum ev_status status = store->ops->query(store, &query, &cursor,
	                                          show->err);

	*line = (struct ev_line){ 0 };
	if (status)
		return status;
	status = store->ops->next(cursor, &row, show->err);
	if (!status && !ev_line_parse(ev_arena_dup(&show->arena, row.line),
	                              line))
		*line = (struct ev_line){ 0 };
	store->ops->query_close(cursor);
	return status == EV_NO ? EV_OK : status;
}

/* The first event that a consumer has not done with, and since when it is in
   the log. */
struct lag {
	struct ev_line oldest;
	char seconds[32];
};

static bool
measure_lag(struct show *show, const struct ev_consumer *consumer,
            struct lag *lag)
{
	int64_t recorded, micros = 0;

	*lag = (struct lag){ 0 };
	ev_arena_reset(&show->arena);
	if (consumer->position < show->end &&
	    (show->status = get_event(show, consumer->position + 1,
	                              &lag->oldest)))
		return false;
	if (ev_time_parse(lag->oldest.recorded_at, &recorded) &&
	    recorded < show->now)
		micros = show->now - recorded;
	snprintf(lag->seconds, sizeof lag->seconds, "%lld.%03d",
	         (long long)(micros / 1000000), (int)(micros / 1000 % 1000));
	return true;
}

static void
write_lag(struct ev_buf *out, const struct ev_consumer *consumer, int64_t end,
          const struct lag *lag)
{
	struct ev_str until = { 0 };

	if (consumer->owner.len)
		until = (struct ev_str){ consumer->lease_until, EV_TIME_TEXT };
	ev_buf_add_str(out, EV_STR("{\"name\":"));
	ev_json_write_string(out, consumer->name);
	ev_buf_printf(out, ",\"position\":%lld,\"head\":%lld,\"lag\":%lld",
	              (long long)consumer->position, (long long)end,
	              (long long)(end - consumer->position));
	add_string(out, "oldest", lag->oldest.recorded_at);
	ev_buf_printf(out, ",\"lagSeconds\":%s,\"parked\":%lld,"
	              "\"failing\":%lld,\"replay\":%lld", lag->seconds,
	              (long long)consumer->parked,
	              (long long)consumer->failed,
	              (long long)consumer->replays);
	add_string(out, "owner", consumer->owner);
	add_string(out, "leaseUntil", until);
	ev_buf_printf(out, ",\"fence\":%lld}", (long long)consumer->fence);
}

enum ev_status
each_write_lag(struct ev_buf *out, struct ev_store *store,
               const struct ev_consumer *consumer, int64_t end, int64_t now,
               struct ev_err *err)
{
	struct show show = { .store = store, .end = end, .now = now,
	                     .err = err };
	struct lag lag;

	if (measure_lag(&show, consumer, &lag))
		write_lag(out, consumer, end, &lag);
	ev_arena_release(&show.arena);
	return show.status;
}

static bool
show_lag(void *context, const struct ev_consumer *consumer)
{
	struct show *show = context;
	const char *name = show->options->name;
	struct lag lag;

	if (name && !ev_str_equal(consumer->name, ev_str(name)))
		return true;
	show->found++;
	if (!measure_lag(show, consumer, &lag))
		return false;
	if (show->table) {
		ev_grid_row(&show->grid);
		add_cell(show, "NAME", consumer->name, EV_GRID_LEFT);
		add_number(show, "POSITION", consumer->position);
		add_number(show, "LAG", show->end - consumer->position);
		add_cell(show, "SECONDS", ev_str(lag.seconds), EV_GRID_RIGHT);
		add_number(show, "FAILING", consumer->failed);
		add_number(show, "PARKED", consumer->parked);
		add_number(show, "REPLAY", consumer->replays);
		add_cell(show, "OWNER", consumer->owner, EV_GRID_LEFT);
		return true;
	}
	write_lag(&show->text, consumer, show->end, &lag);
	ev_buf_add_char(&show->text, '\n');
	return true;
}

static bool
show_parked(void *context, const struct ev_delivery *delivery)
{
	struct show *show = context;
	struct ev_buf *out = &show->text, plain = { 0 };
	struct ev_str at = { delivery->at, EV_TIME_TEXT };
	struct ev_line line;

	show->found++;
	ev_arena_reset(&show->arena);
	if ((show->status = get_event(show, delivery->position, &line)))
		return false;
	ev_line_unescape(&plain, line.stream);
	if (show->table) {
		ev_grid_row(&show->grid);
		add_cell(show, "NAME", show->consumer, EV_GRID_LEFT);
		add_number(show, "POSITION", delivery->position);
		add_cell(show, "STREAM", ev_buf_str(&plain), EV_GRID_LEFT);
		add_cell(show, "TYPE", line.type, EV_GRID_LEFT);
		add_number(show, "ATTEMPTS", delivery->attempts);
		add_cell(show, "REASON", delivery->reason, EV_GRID_LEFT);
	} else {
		ev_buf_add_str(out, EV_STR("{\"name\":"));
		ev_json_write_string(out, show->consumer);
		ev_buf_printf(out, ",\"position\":%lld",
		              (long long)delivery->position);
		add_string(out, "streamId", line.stream.ptr
		                                    ? ev_buf_str(&plain)
		                                    : (struct ev_str){ 0 });
		add_string(out, "type", line.type);
		ev_buf_printf(out, ",\"attempts\":%lld",
		              (long long)delivery->attempts);
		add_string(out, "reason", delivery->reason);
		add_string(out, "at", at);
		ev_buf_add_str(out, EV_STR("}\n"));
	}
	ev_buf_release(&plain);
	return true;
}

static bool
note_name(void *context, const struct ev_consumer *consumer)
{
	struct show *show = context;
	const char *name = show->options->name;

	if (name && !ev_str_equal(consumer->name, ev_str(name)))
		return true;
	show->names = ev_mem_resize(show->names, (show->name_count + 1) *
	                            sizeof *show->names);
	show->names[show->name_count].ptr = ev_mem_alloc(consumer->name.len);
	memcpy((char *)show->names[show->name_count].ptr, consumer->name.ptr,
	       consumer->name.len);
	show->names[show->name_count++].len = consumer->name.len;
	return true;
}

static enum ev_status
list_parked(struct show *show)
{
	struct ev_store *store = show->store;
	enum ev_status status = store->ops->consumers(store, note_name, show,
	                                              show->err);

	for (size_t i = 0; !status && i < show->name_count; i++) {
		show->consumer = show->names[i];
		status = store->ops->deliveries(store, show->names[i], 0,
		                                1U << EV_DELIVERY_PARKED,
		                                show_parked, show, show->err);
		if (!status)
			status = show->status;
	}
	for (size_t i = 0; i < show->name_count; i++)
		free((char *)show->names[i].ptr);
	free(show->names);
	return status;
}

static enum ev_status
list_lag(struct show *show)
{
	struct ev_store *store = show->store;
	struct ev_head head;
	enum ev_status status = store->ops->head(store, &head, show->err);

	show->end = head.position;
	if (!status)
		status = store->ops->consumers(store, show_lag, show,
		                               show->err);
	return status ? status : show->status;
}

/* Opens, lists, prints; EV_NO when there is nothing of the kind. */
static enum ev_status
show_all(const struct each_options *options,
         enum ev_status (*list)(struct show *show), struct ev_err *err)
{
	struct show show = { .options = options, .now = ev_time_now(),
	                     .err = err, .table = options->table };
	struct ev_out out = { .fd = STDOUT_FILENO };
	enum ev_status status = cli_open(&show.store, options->log,
	                                 EV_STORE_READ, err);

	if (status)
		return status;
	if (options->table < 0)
		show.table = isatty(STDOUT_FILENO);
	show.grid.width = terminal_width();
	show.grid.colour = terminal_has_colour();
	/* one state of the log: what is parked may be given up meanwhile */
	status = show.store->ops->model_begin(show.store, err);
	if (!status) {
		status = list(&show);
		show.store->ops->model_end(show.store);
	}
	show.store->ops->close(show.store);
	ev_grid_write(&show.grid, &show.text);
	if (!status) {
		ev_out_add(&out, ev_buf_str(&show.text));
		status = ev_out_flush(&out, "standard output", err);
	}
	ev_out_release(&out);
	ev_grid_release(&show.grid);
	ev_buf_release(&show.text);
	ev_arena_release(&show.arena);
	if (!status && !show.found) {
		status = EV_NO;
		*err->text = '\0';
	}
	return status;
}

enum ev_status
each_lag(const struct each_options *options, struct ev_err *err)
{
	enum ev_status status = show_all(options, list_lag, err);

	if (status == EV_NO && options->name)
		return ev_err_set(err, EV_NO, "no consumer '%s' in the log",
		                  options->name);
	return status;
}

enum ev_status
each_parked(const struct each_options *options, struct ev_err *err)
{
	return show_all(options, list_parked, err);
}

enum ev_status
each_mark(const struct each_options *options, struct ev_err *err)
{
	bool replay = options->job == EACH_REPLAY;
	enum ev_delivery_state state = replay ? EV_DELIVERY_REPLAY
	                                      : EV_DELIVERY_DONE;
	static char zero[] = "0";
	static char *const all[] = { zero, NULL };
	char *const *p = *options->operands ? options->operands : all;
	enum ev_status status, worst = EV_OK;
	int64_t count, total = 0, position = 0;
	struct ev_store *store;

	status = cli_open(&store, options->log, EV_STORE_APPEND, err);
	if (status)
		return status;
	for (; !status && *p; p++) {
		count = 0;
		ev_opt_int(*p, 0, INT64_MAX, &position);
		status = store->ops->consumer_mark(store,
		                                   ev_str(options->name),
		                                   position, state, &count,
		                                   err);
		total += count;
		if (status || count)
			continue;
		worst = EV_NO;
		if (position)
			cli_say(EV_NO, "'%s' has no parked event %lld",
			        options->name, (long long)position);
		else
			cli_say(EV_NO, "'%s' has no parked events",
			        options->name);
	}
	store->ops->close(store);
	if (!status && total && !options->quiet)
		cli_say(EV_OK, "%lld event%s %s", (long long)total,
		        total == 1 ? "" : "s",
		        replay ? "to be run again" : "given up");
	if (!status && worst)
		*err->text = '\0';
	return status ? status : worst;
}

enum ev_status
each_forget(const struct each_options *options, struct ev_err *err)
{
	struct ev_store *store;
	enum ev_status status = cli_open(&store, options->log,
	                                 EV_STORE_APPEND, err);

	if (status)
		return status;
	status = store->ops->consumer_drop(store, ev_str(options->name), err);
	store->ops->close(store);
	if (status == EV_NO)
		ev_err_set(err, EV_NO, "no consumer '%s' in the log",
		           options->name);
	return status;
}
