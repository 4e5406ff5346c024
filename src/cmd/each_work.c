#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cmd/cli.h"
#include "cmd/each.h"

static struct ev_delivery *
add_change(struct each *each, const struct each_item *item,
           enum ev_delivery_state state, int64_t attempts)
{
	struct ev_delivery *change;

	if (each->change_count == each->change_room) {
		each->change_room = each->change_room ? 2 * each->change_room
		                                      : 64;
		each->changes = ev_mem_resize(each->changes, each->change_room *
		                              sizeof *each->changes);
	}
	change = &each->changes[each->change_count++];
	*change = (struct ev_delivery){ .position = item->position,
	                                .state = state,
	                                .replayed = item->replay,
	                                .attempts = attempts };
	return change;
}

void
each_work_forget_changes(struct each *each)
{
	each->change_count = 0;
	ev_arena_reset(&each->reasons);
}

static void
finish(struct each *each, struct each_item *item)
{
	if (item->replay)
		each_feed_forget_replay(each, item->position);
	each_queue_finish(&each->queue, item);
}

static void
park(struct each *each, struct each_item *item, int64_t attempts,
     struct ev_str reason)
{
	add_change(each, item, EV_DELIVERY_PARKED, attempts)->reason =
		ev_arena_dup(&each->reasons, reason);
	each->parked = true;
	if (!each->options->quiet)
		cli_say(EV_BAD_INPUT, "parked event %lld: %.*s",
		        (long long)item->position, EV_FMT(reason));
	finish(each, item);
}

/* How it ended, in words; then the last that it said, as far as there is room,
   as UTF-8 and without what drives a terminal. */
static void
add_said(struct ev_buf *out, struct ev_str said)
{
	if (said.len)
		ev_buf_add_str(out, EV_STR(": "));
	while (said.len) {
		struct ev_str at = said;
		uint32_t code;
		bool valid = ev_utf8_next(&said, &code);
		size_t len = at.len - said.len;

		if (out->len + len > EACH_REASON_MAX)
			break;
		/* a character that was cut at the end is not worth showing */
		if (!valid && !said.len)
			break;
		if (!valid || ev_utf8_hidden(code))
			ev_buf_add_char(out, '?');
		else
			ev_buf_add(out, at.ptr, len);
	}
}

static void
describe(struct ev_buf *out, const struct each *each,
         const struct each_child *child, int code)
{
	if (child->timed_out)
		ev_buf_printf(out, "ran longer than %g s",
		              each->options->timeout_ms / 1000.0);
	else if (WIFSIGNALED(code))
		ev_buf_printf(out, "killed by signal %d", WTERMSIG(code));
	else
		ev_buf_printf(out, "exit status %d", WEXITSTATUS(code));
}

int64_t
each_backoff(const struct each_options *options, int64_t attempts)
{
	int64_t wait = options->backoff_ms;

	while (--attempts > 0 && wait < options->backoff_max_ms)
		wait *= 2;
	return wait < options->backoff_max_ms ? wait : options->backoff_max_ms;
}

/* A run that did not do it: once more, or never again? */
static void
fail(struct each *each, struct each_child *child, struct each_item *item,
     int code)
{
	/* what is no input, or bad input, stays so */
	bool hopeless = !child->timed_out && WIFEXITED(code) &&
	                (WEXITSTATUS(code) == EV_USAGE ||
	                 WEXITSTATUS(code) == EV_BAD_INPUT);
	int64_t attempts = item->attempts + 1;
	int64_t wait = each_backoff(each->options, attempts);
	struct ev_buf reason = { 0 };

	describe(&reason, each, child, code);
	if (hopeless || attempts > each->options->retries) {
		ev_buf_printf(&reason, " after %lld attempt%s",
		              (long long)attempts, attempts == 1 ? "" : "s");
		add_said(&reason, ev_buf_str(&child->last));
		park(each, item, attempts, ev_buf_str(&reason));
	} else {
		add_said(&reason, ev_buf_str(&child->last));
		if (!each->options->quiet)
			cli_say(EV_OK, "event %lld failed, again in %g s: %.*s",
			        (long long)item->position, (double)wait / 1000,
			        EV_FMT(ev_buf_str(&reason)));
		add_change(each, item, item->replay ? EV_DELIVERY_REPLAY
		                                    : EV_DELIVERY_FAILED,
		           attempts)->reason =
			ev_arena_dup(&each->reasons, ev_buf_str(&reason));
		item->attempts = attempts;
		each_queue_retry(&each->queue, item, each_clock() + wait);
	}
	ev_buf_release(&reason);
}

/* A command has ended, of itself or not. */
static void
conclude(struct each *each, size_t i, int code)
{
	struct each_child *child = &each->children[i];
	struct each_item *item = each->items[i];

	each_child_close(child);
	each->items[i] = NULL;
	/* one that succeeds although we want to end, has succeeded */
	if (!child->timed_out && WIFEXITED(code) && WEXITSTATUS(code) == 0) {
		add_change(each, item, EV_DELIVERY_DONE, 0);
		finish(each, item);
	} else if (!child->timed_out &&
	           (child->told != CHILD_FREE ||
	            (WIFSIGNALED(code) && WTERMSIG(code) == SIGKILL &&
	             (child->lapsed || each_clock() >= each->lease_end)))) {
		/* we ended it, or the guard, not what it did: no attempt */
		each_queue_retry(&each->queue, item, 0);
	} else {
		fail(each, child, item, code);
	}
}

void
each_work_look(struct each *each)
{
	struct pollfd errors = { .fd = STDERR_FILENO, .events = POLLOUT };
	/* while nobody reads ours, theirs fill up: better than that we stand */
	bool writable = poll(&errors, 1, 0) != 0;
	int64_t now = each_clock();

	for (int64_t i = 0; i < each->options->jobs; i++) {
		struct each_child *child = &each->children[i];
		int code;

		if (!child->pid)
			continue;
		if (writable)
			each_child_relay(child);
		if (each_child_has_ended(child, &each->guard, &code)) {
			conclude(each, (size_t)i, code);
		} else if (child->end_at && now >= child->end_at) {
			child->timed_out |= child->told == CHILD_FREE;
			each_child_tell(child, now);
		}
	}
}

/* Brings an event to the newest version of its schema, as ev-cat does. */
static enum ev_status
upcast(struct each *each, struct ev_str *text, struct ev_line *line,
       struct ev_err *err)
{
	enum ev_status status;

	ev_buf_reset(&each->newer);
	status = ev_event_upcast(&each->catalogs, line, &each->newer, err);
	if (status)
		return status == EV_NO ? EV_OK : status;
	*text = ev_buf_str(&each->newer);
	return ev_line_parse(*text, line)
	               ? EV_OK : ev_err_set(err, EV_BAD_INPUT, "its upcast is "
	                                    "no event");
}

static enum ev_status
start_one(struct each *each, size_t slot, struct each_item *item,
          struct ev_err *err)
{
	struct each_child *child = &each->children[slot];
	char **command = each->options->operands;
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_line line;
	struct ev_str text;
	struct ev_row row;

	status = each_feed_get(each, item->position, &cursor, &row, &line,
	                       err);
	if (status) {
		each_queue_retry(&each->queue, item, 0);
		return status;
	}
	text = row.line;
	if (upcast(each, &text, &line, err)) {
		park(each, item, item->attempts + 1, ev_str(err->text));
		each->store->ops->query_close(cursor);
		return EV_OK;
	}
	status = each_child_start(child, &each->guard, command,
	                          each_env_make(&each->env, &line,
	                                        item->attempts + 1,
	                                        each->fence),
	                          text, err);
	if (status == EV_BAD_INPUT)
		status = each_child_start(child, &each->guard, command,
		                          each_env_make_small(
		                                  &each->env, &line,
		                                  item->attempts + 1,
		                                  each->fence),
		                          text, err);
	each->store->ops->query_close(cursor);
	if (status) {
		each_queue_retry(&each->queue, item, 0);
		/* the next turn renews the lease, or finds that it is lost */
		if (status == EV_CONFLICT)
			return EV_OK;
		return status == EV_BAD_INPUT ? EV_UNREACHABLE : status;
	}
	each->items[slot] = item;
	if (each->options->timeout_ms)
		child->end_at = each_clock() + each->options->timeout_ms;
	return EV_OK;
}

enum ev_status
each_work_start(struct each *each, struct ev_err *err)
{
	enum ev_status status = EV_OK;

	for (int64_t i = 0; i < each->options->jobs && !status &&
	                    each_clock() < each->lease_end; i++) {
		struct each_item *item;

		if (each->children[i].pid)
			continue;
		item = each_queue_start(&each->queue, each_clock());
		if (!item)
			break;
		status = start_one(each, (size_t)i, item, err);
	}
	return status;
}

void
each_work_lapse(struct each *each)
{
	for (int64_t i = 0; i < each->options->jobs; i++)
		each->children[i].lapsed = true;
}

void
each_work_tell(struct each *each)
{
	for (int64_t i = 0; i < each->options->jobs; i++)
		if (each->children[i].pid)
			each_child_tell(&each->children[i], each_clock());
}

void
each_work_kill(struct each *each)
{
	for (int64_t i = 0; i < each->options->jobs; i++)
		if (each->children[i].pid)
			each_child_kill(&each->children[i]);
	for (int64_t i = 0; i < each->options->jobs; i++) {
		struct each_child *child = &each->children[i];
		struct pollfd none = { .fd = -1 };
		int code;

		if (!child->pid)
			continue;
		while (!each_child_has_ended(child, &each->guard, &code))
			poll(&none, 1, 1);
		each_child_close(child);
		each_queue_retry(&each->queue, each->items[i], 0);
		each->items[i] = NULL;
	}
}

size_t
each_work_polls(const struct each *each, struct pollfd *fds)
{
	struct pollfd errors = { .fd = STDERR_FILENO, .events = POLLOUT };
	bool writable = poll(&errors, 1, 0) != 0;
	size_t count = 0;
	bool any = false;

	for (int64_t i = 0; i < each->options->jobs; i++) {
		const struct each_child *child = &each->children[i];

		if (!child->pid || child->errors < 0)
			continue;
		any = true;
		if (writable)
			fds[count++] = (struct pollfd){ .fd = child->errors,
			                                .events = POLLIN };
	}
	if (any && !writable)
		fds[count++] = errors;
	return count;
}

int64_t
each_work_due(const struct each *each)
{
	int64_t least = INT64_MAX;
	bool free = false;

	for (int64_t i = 0; i < each->options->jobs; i++) {
		const struct each_child *child = &each->children[i];

		free |= !child->pid;
		if (child->pid && child->end_at && child->end_at < least)
			least = child->end_at;
	}
	if (free && !each->ending && each_queue_due(&each->queue) >= 0 &&
	    each_queue_due(&each->queue) < least)
		least = each_queue_due(&each->queue);
	return least;
}
