#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/catalog_files.h"
#include "cmd/cli.h"
#include "cmd/each.h"

enum {
	SAVE_MS = 1000,     /* how old progress without a run may be, … */
	SAVE_EVENTS = 4096, /* … and how many events, before it is saved */
	STANDBY_MS = 250    /* how often who stands by asks for the lease */
};

extern char **environ;

/* A child that ends writes here, so that no wait misses it. */
static int wake[2] = { -1, -1 };

static void
on_child(int signal)
{
	int error = errno;
	ssize_t len = write(wake[1], "", 1);

	(void)signal;
	(void)len;
	errno = error;
}

static enum ev_status
catch_children(struct ev_err *err)
{
	/* restarted: it interrupts nothing that is not a wait */
	struct sigaction action = { .sa_handler = on_child,
	                            .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	sigset_t set;

	if (pipe(wake) != 0)
		return ev_err_set(err, EV_IO, "cannot make a pipe: %s",
		                  strerror(errno));
	for (int i = 0; i < 2; i++) {
		fcntl(wake[i], F_SETFD, FD_CLOEXEC);
		fcntl(wake[i], F_SETFL, O_NONBLOCK);
	}
	sigemptyset(&action.sa_mask);
	sigaction(SIGCHLD, &action, NULL);
	/* whoever started us may have left them blocked */
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return EV_OK;
}

static struct ev_lease
lease(const struct each *each)
{
	return (struct ev_lease){ ev_str(each->options->name),
	                          each->options->lease_ms,
	                          each->guard.pid };
}

/* The guard allows for its own being late. */
static void
note_lease(struct each *each, int64_t begin)
{
	if (each_clock() >= each->lease_end)
		each_work_lapse(each);
	each->saved_at = begin;
	each->lease_end = begin + each->options->lease_ms -
	                  each->options->lease_ms / 20;
	each_guard_deadline(&each->guard, each->lease_end);
}

/* Told to stop: what runs may end; told again: it is made to. The flag is taken
   back, or the store would not wait for its lock to save what was done. */
static void
heed_signals(struct each *each)
{
	if (!cli_stop)
		return;
	cli_stop = 0;
	each->ending = true;
	if (++each->stops > 1)
		each_work_tell(each);
}

static enum ev_status
save(struct each *each, bool release, struct ev_err *err)
{
	struct ev_consumer_step step = {
		.lease = lease(each), .fence = each->fence,
		.position = each_queue_checkpoint(&each->queue),
		.deliveries = each->changes,
		.delivery_count = each->change_count, .release = release,
	};
	enum ev_status status;
	int64_t begin;

	do {
		/* a signal ends the wait for the lock, but not our work */
		heed_signals(each);
		begin = each_clock();
		status = each->store->ops->consumer_save(each->store, &step,
		                                         err);
	} while (status == EV_BUSY && cli_stop);
	if (status)
		return status;
	each->saved = step.position;
	each_work_forget_changes(each);
	note_lease(each, begin);
	return EV_OK;
}

/* When the next save is due, which also renews the lease. */
static int64_t
save_due(const struct each *each)
{
	int64_t progress = each_queue_checkpoint(&each->queue) - each->saved;
	int64_t wait = each->options->lease_ms / 3;

	if (each->save_failed) /* once more, when all have ended */
		return INT64_MAX;
	if (each->change_count || progress >= SAVE_EVENTS)
		return 0;
	return each->saved_at + (progress && wait > SAVE_MS ? SAVE_MS : wait);
}

static bool
is_over(const struct each *each)
{
	if (each->queue.running)
		return false;
	/* --follow, too, ends where --to and --until do */
	return each->ending || (each_queue_is_empty(&each->queue) &&
	                        each->queue.seen >= each->target);
}

static void
rest(struct each *each, bool more, struct pollfd *fds, struct ev_err *err,
     enum ev_status *status)
{
	int64_t until = each_work_due(each), now = each_clock();
	size_t count;
	char bytes[256];

	if (save_due(each) < until)
		until = save_due(each);
	if (more || until < now)
		until = now;
	fds[0] = (struct pollfd){ .fd = wake[0], .events = POLLIN };
	count = 1 + each_work_polls(each, fds + 1);
	*status = each->store->ops->wait(each->store, each->queue.seen,
	                                 until - now > 1000 ? 1000
	                                                    : (int)(until - now),
	                                 fds, count, err);
	if (*status == EV_NO)
		*status = EV_OK;
	while (read(wake[0], bytes, sizeof bytes) > 0)
		;
}

static void
end_with(struct each *each, enum ev_status status, const struct ev_err *err)
{
	each->ending = true;
	if (!each->failure) {
		each->failure = status;
		cli_fail(status, err);
	}
}

/* One turn: what has ended, what is to be saved, what can start. */
static enum ev_status
turn(struct each *each, struct pollfd *fds, struct ev_err *err)
{
	enum ev_status status;
	struct ev_err why;
	bool more = false;
	int64_t now;

	each_work_look(each);
	heed_signals(each);
	if (each_guard_has_ended(&each->guard))
		return ev_err_set(err, EV_CONFLICT, "the lease of '%s' is "
		                  "lost: its guard was killed",
		                  each->options->name);
	now = each_clock();
	if (now >= save_due(each) && (status = save(each, false, &why))) {
		if (status == EV_CONFLICT) {
			*err = why;
			return status;
		}
		each->save_failed = true;
		end_with(each, status, &why);
	}
	if (!each->ending) {
		status = each_feed(each, &why);
		more = !status;
		if (status <= EV_NO)
			status = each_work_start(each, &why);
		if (status)
			end_with(each, status, &why);
	}
	if (is_over(each))
		return EV_NO;
	rest(each, more && !each->ending, fds, err, &status);
	return status;
}

/* As long as the lease is ours. */
static enum ev_status
work(struct each *each, struct ev_err *err)
{
	struct pollfd *fds = ev_mem_alloc(((size_t)each->options->jobs + 2) *
	                                  sizeof *fds);
	enum ev_status status = each_feed_begin(each, err);

	while (!status)
		status = turn(each, fds, err);
	free(fds);
	if (status == EV_NO) {
		status = save(each, true, err);
		/* that has been said */
		return each->save_failed && status != EV_CONFLICT
		               ? each->failure : status;
	}
	/* nothing that runs may go on without us */
	each_work_kill(each);
	return status;
}

static enum ev_status
take_lease(struct each *each, struct ev_err *err)
{
	struct ev_lease asked = lease(each);
	int64_t position, begin = each_clock();
	enum ev_status status;

	status = each->store->ops->consumer_lease(
		each->store, &asked, each->options->from_end, &each->fence,
		&position, err);
	if (status)
		return status;
	each_queue_init(&each->queue, position);
	each->saved = position;
	note_lease(each, begin);
	return EV_OK;
}

static enum ev_status
hold_lease(struct each *each, struct ev_err *err)
{
	enum ev_status status = take_lease(each, err);

	if (status)
		return status;
	status = work(each, err);
	each_work_forget_changes(each);
	each_feed_end(each);
	each_queue_release(&each->queue);
	return status;
}

/* Until there is a log, or whoever holds the lease has gone. */
static enum ev_status
stand_by(struct each *each, enum ev_status why, struct ev_err *err)
{
	struct ev_head head;
	enum ev_status status = each->store->ops->head(each->store, &head,
	                                               err);

	if (!status)
		status = each->store->ops->wait(each->store, head.position,
		                                why == EV_NO ? -1 : STANDBY_MS,
		                                NULL, 0, err);
	return status == EV_NO ? EV_OK : status;
}

static enum ev_status
attend(struct each *each, struct ev_err *err)
{
	bool told = false;
	enum ev_status status;

	for (;;) {
		status = hold_lease(each, err);
		if (status == EV_CONFLICT && !each_guard_has_ended(&each->guard)) {
			cli_say(EV_BUSY, "%s", err->text);
			if (!each->options->follow)
				return each->failure = EV_BUSY;
			status = EV_BUSY;
			told = true;
		}
		if (status == EV_NO && !each->options->follow)
			return EV_OK;
		if (status == EV_BUSY && each->options->quiet)
			*err->text = '\0';
		if (status != EV_NO &&
		    (status != EV_BUSY || !each->options->follow))
			return status == EV_CONFLICT ? EV_BUSY : status;
		if (each->ending || each->stops || cli_stop)
			return EV_OK;
		if (status == EV_BUSY && !told && !each->options->quiet)
			cli_say(EV_OK, "standing by: %s", err->text);
		told |= status == EV_BUSY;
		/* where there was no log, every event is a next one */
		each->options->from_end &= status != EV_NO;
		if ((status = stand_by(each, status, err)))
			return status;
	}
}

static enum ev_status
open_catalogs(struct each *each, struct ev_err *err)
{
	struct ev_store *store = each->store;
	enum ev_status status = ev_catalogs_open(&each->catalogs, store, err);

	/* reading a log must not depend on somebody's half-edited file */
	if (status == EV_BAD_INPUT)
		cli_say(EV_OK, "%s; going by what the log knows", err->text);
	else if (status)
		return status;
	status = store->ops->recall(store, (struct ev_str){ 0 },
	                            &each->catalogs, err);
	return status > EV_NO ? status
	                      : filter_options_resolve(&each->options->filter,
	                                               &each->catalogs, err);
}

enum ev_status
each_run(struct each_options *options, struct ev_err *err)
{
	struct each each = { .options = options };
	struct ev_buf log = { 0 };
	enum ev_status status;

	each.children = ev_mem_alloc((size_t)options->jobs *
	                             sizeof *each.children);
	each.items = ev_mem_alloc((size_t)options->jobs * sizeof *each.items);
	cli_log_path(options->log, &log);
	each_env_init(&each.env, ev_str(options->name), ev_buf_str(&log),
	              environ);
	/* the guard first, so that it holds nothing of ours */
	status = each_guard_start(&each.guard, err);
	if (!status)
		status = catch_children(err);
	if (!status)
		status = cli_open(&each.store, options->log, EV_STORE_APPEND,
		                  err);
	if (!status) {
		status = open_catalogs(&each, err);
		if (!status)
			status = attend(&each, err);
		each.store->ops->close(each.store);
	}
	each_guard_end(&each.guard);
	if (!status && !each.failure && each.parked)
		each.failure = EV_BAD_INPUT;
	/* it was said when it happened */
	if (each.failure && (!status || status == each.failure)) {
		status = each.failure;
		*err->text = '\0';
	}
	for (int64_t i = 0; i < options->jobs; i++)
		each_child_release(&each.children[i]);
	free(each.children);
	free(each.items);
	free(each.changes);
	ev_arena_release(&each.reasons);
	each_env_release(&each.env);
	ev_buf_release(&each.newer);
	ev_buf_release(&each.scratch);
	ev_catalogs_release(&each.catalogs);
	ev_buf_release(&log);
	return status;
}
