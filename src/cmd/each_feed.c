#include <stdlib.h>

#include "cmd/each.h"

enum {
	READ_MAX = 4096,    /* events looked at before others get their turn */
	REPLAYS_MAX = 1024, /* in the queue at once */
	REPLAYS_MS = 250    /* how often they are looked for */
};

/* What the log knows of an event above the checkpoint. */
struct each_known {
	int64_t position;
	enum ev_delivery_state state;
	int64_t attempts;
	char at[EV_TIME_TEXT];
};

static bool
take_known(void *context, const struct ev_delivery *delivery)
{
	struct each *each = context;
	struct each_known *known;

	if ((each->known_count & (each->known_count - 1)) == 0)
		each->known = ev_mem_resize(
			each->known, (each->known_count ? 2 * each->known_count
			                                : 1) *
			             sizeof *each->known);
	known = &each->known[each->known_count++];
	known->position = delivery->position;
	known->state = delivery->state;
	known->attempts = delivery->attempts;
	memcpy(known->at, delivery->at, EV_TIME_TEXT);
	return true;
}

enum ev_status
each_feed_begin(struct each *each, struct ev_err *err)
{
	struct ev_store *store = each->store;
	struct ev_head head;
	enum ev_status status = store->ops->head(store, &head, err);

	if (status)
		return status;
	each->target = each->options->filter.filter.to;
	if (!each->options->follow && each->target > head.position)
		each->target = head.position;
	return store->ops->deliveries(store, ev_str(each->options->name),
	                              each->queue.seen, ~0U, take_known, each,
	                              err);
}

void
each_feed_end(struct each *each)
{
	if (each->cursor)
		each->store->ops->query_close(each->cursor);
	each->cursor = NULL;
	free(each->known);
	free(each->replays);
	each->known = NULL;
	each->replays = NULL;
	each->known_count = each->known_next = each->replay_count = 0;
	each->replays_read_at = 0;
}

enum ev_status
each_feed_get(struct each *each, int64_t position, struct ev_cursor **cursor,
              struct ev_row *row, struct ev_line *line, struct ev_err *err)
{
	struct ev_store *store = each->store;
	struct ev_query query = { .from = position, .to = position,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	enum ev_status status = store->ops->query(store, &query, cursor, err);

	*line = (struct ev_line){ 0 };
	if (status)
		return status;
	status = store->ops->next(*cursor, row, err);
	if (status == EV_NO || (!status && !ev_line_parse(row->line, line)))
		status = ev_err_set(err, EV_IO, "position %lld is damaged, ask "
		                    "ev-verify", (long long)position);
	if (status) {
		store->ops->query_close(*cursor);
		*cursor = NULL;
	}
	return status;
}

static bool
is_replayed(const struct each *each, int64_t position)
{
	for (size_t i = 0; i < each->replay_count; i++)
		if (each->replays[i] == position)
			return true;
	return false;
}

void
each_feed_forget_replay(struct each *each, int64_t position)
{
	for (size_t i = 0; i < each->replay_count; i++)
		if (each->replays[i] == position) {
			each->replays[i] =
				each->replays[--each->replay_count];
			return;
		}
}

struct found {
	struct each *each;
	struct ev_delivery *list;
	size_t count;
};

static bool
take_replay(void *context, const struct ev_delivery *delivery)
{
	struct found *found = context;

	if (!is_replayed(found->each, delivery->position)) {
		found->list[found->count] = *delivery;
		found->list[found->count++].reason = (struct ev_str){ 0 };
	}
	return found->count + found->each->replay_count < REPLAYS_MAX;
}

/* When it is to be tried again that failed before this run. */
static int64_t
due_again(const struct each *each, const char *at, int64_t attempts)
{
	int64_t time, wait = each_backoff(each->options, attempts), over = 0;

	if (!attempts)
		return 0;
	if (ev_time_parse((struct ev_str){ at, EV_TIME_TEXT }, &time))
		over = (ev_time_now() - time) / 1000;
	/* a clock that was set back does not make it wait longer */
	return each_clock() + (over < 0 ? wait : over < wait ? wait - over : 0);
}

/* Who is parked and shall be run again may have been marked just now. */
static enum ev_status
feed_replays(struct each *each, struct ev_err *err)
{
	struct found found = { .each = each };
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_line line;
	struct ev_row row;

	if (each->replay_count >= REPLAYS_MAX)
		return EV_OK;
	if (!each->replays)
		each->replays = ev_mem_alloc(REPLAYS_MAX *
		                             sizeof *each->replays);
	found.list = ev_mem_alloc(REPLAYS_MAX * sizeof *found.list);
	status = each->store->ops->deliveries(
		each->store, ev_str(each->options->name), 0,
		1U << EV_DELIVERY_REPLAY, take_replay, &found, err);
	for (size_t i = 0; !status && i < found.count; i++) {
		const struct ev_delivery *delivery = &found.list[i];
		struct each_item item = {
			.position = delivery->position, .replay = true,
			.attempts = delivery->attempts,
			.due = due_again(each, delivery->at,
			                 delivery->attempts),
		};

		status = each_feed_get(each, item.position, &cursor, &row,
		                       &line, err);
		if (status)
			break;
		item.stream = ev_str_hash(line.stream);
		each->store->ops->query_close(cursor);
		each->replays[each->replay_count++] = item.position;
		each_queue_add(&each->queue, &item);
	}
	free(found.list);
	return status;
}

/* What the log knows of this event; positions only grow. */
static const struct each_known *
find_known(struct each *each, int64_t position)
{
	while (each->known_next < each->known_count &&
	       each->known[each->known_next].position < position)
		each->known_next++;
	if (each->known_next < each->known_count &&
	    each->known[each->known_next].position == position)
		return &each->known[each->known_next];
	return NULL;
}

/* An event that was recorded after --until is for another run. */
static bool
is_too_late(const struct each *each, const struct ev_line *line)
{
	int64_t until = each->options->filter.filter.until, time;

	return until != EV_TIME_NONE && ev_time_parse(line->recorded_at, &time) &&
	       time > until;
}

static void
add_event(struct each *each, const struct ev_line *line)
{
	const struct each_known *known = find_known(each, line->position);
	struct each_item item = { .position = line->position,
	                          .stream = ev_str_hash(line->stream) };

	/* done, parked, or in the queue as a replay */
	if (known && known->state != EV_DELIVERY_FAILED) {
		each_queue_see(&each->queue, line->position);
		return;
	}
	if (known) {
		item.attempts = known->attempts;
		item.due = due_again(each, known->at, known->attempts);
	}
	each_queue_add(&each->queue, &item);
}

/* A cursor over what is new; EV_NO: nothing is. */
static enum ev_status
open_cursor(struct each *each, struct ev_err *err)
{
	const struct filter_options *filter = &each->options->filter;
	struct ev_query query;
	struct ev_head head;
	enum ev_status status = each->store->ops->head(each->store, &head,
	                                               err);

	if (status)
		return status;
	if (head.position > each->target)
		head.position = each->target;
	if (head.position <= each->queue.seen)
		return EV_NO;
	filter_options_query(filter, &query);
	if (query.from <= each->queue.seen)
		query.from = each->queue.seen + 1;
	query.to = head.position;
	query.to_time = EV_TIME_NONE; /* see is_too_late */
	status = each->store->ops->query(each->store, &query, &each->cursor,
	                                 err);
	each->cursor_to = query.to;
	return status;
}

static bool
wants_more(const struct each *each)
{
	const struct each_queue *queue = &each->queue;

	return !each_queue_is_full(queue) &&
	       (int64_t)(queue->running + queue->ready.count) <
	               each->options->jobs;
}

static enum ev_status
read_events(struct each *each, struct ev_err *err)
{
	const struct ev_filter *filter = &each->options->filter.filter;
	enum ev_status status = EV_OK;
	struct ev_line line;
	struct ev_row row;
	/* big events take long, and the lease has to be renewed */
	int64_t end = each_clock() + each->options->lease_ms / 4;

	for (int i = 0; i < READ_MAX && wants_more(each) &&
	                each_clock() < end; i++) {
		status = each->store->ops->next(each->cursor, &row, err);
		if (status)
			break;
		if (!ev_line_parse(row.line, &line))
			return ev_err_set(err, EV_IO, "position %lld is "
			                  "damaged, ask ev-verify",
			                  (long long)row.position);
		if (is_too_late(each, &line)) {
			each->target = row.position - 1;
			each->cursor_to = each->target;
			status = EV_NO;
			break;
		}
		if (ev_filter_match(filter, &line, &each->catalogs,
		                    &each->scratch))
			add_event(each, &line);
		else
			each_queue_see(&each->queue, row.position);
	}
	if (status == EV_NO) {
		each_queue_see(&each->queue, each->cursor_to);
		each->store->ops->query_close(each->cursor);
		each->cursor = NULL;
		return EV_OK;
	}
	return status;
}

enum ev_status
each_feed(struct each *each, struct ev_err *err)
{
	enum ev_status status;
	int64_t now = each_clock();

	if (now >= each->replays_read_at + REPLAYS_MS ||
	    !each->replays_read_at) {
		each->replays_read_at = now;
		if ((status = feed_replays(each, err)))
			return status;
	}
	if (!wants_more(each))
		return EV_NO;
	if (!each->cursor && (status = open_cursor(each, err)))
		return status;
	return read_events(each, err);
}
