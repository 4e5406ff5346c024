#include "cmd/appender.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/catalog_files.h"
#include "base/time.h"
#include "cmd/cli.h"

/* One commit: as many events as it takes to pay for its sync, few enough to
   stay in memory and to be acknowledged soon. */
enum {
	GROUP_EVENTS = 8192,
	GROUP_BYTES = 4 * 1024 * 1024,
	GROUP_MICROS = 50 * 1000
};

/* "line 7", "events.ndjson: line 7" */
static void
complain(struct appender *a, const struct pending *from, enum ev_status status,
         const char *text)
{
	if (!from->line)
		cli_say(status, "%s", text);
	else
		cli_say(status, "%s%sline %zu: %s",
		        from->file ? from->file : "", from->file ? ": " : "",
		        from->line, text);
	pthread_mutex_lock(&a->complaints);
	if (a->worst != EV_CONFLICT)
		a->worst = status;
	if (a->options.rejects) {
		struct ev_err later; /* a failure sticks until the end */

		ev_out_add(&a->rejects, from->text);
		ev_out_add(&a->rejects, (struct ev_str){
			a->options.end ? "\n" : "\0", 1 });
		ev_out_flush(&a->rejects, a->options.rejects, &later);
	}
	pthread_mutex_unlock(&a->complaints);
}

void
appender_receipt(struct ev_buf *out, const struct ev_append *append)
{
	const struct ev_line *line = &append->event->line;

	ev_buf_add_str(out, EV_STR("{\"streamId\":\""));
	ev_buf_add_str(out, line->stream);
	ev_buf_add_str(out, EV_STR("\",\"type\":\""));
	ev_buf_add_str(out, line->type);
	ev_buf_add_str(out, EV_STR("\",\"timestamp\":\""));
	ev_buf_add(out, append->timestamp, EV_TIME_TEXT);
	ev_buf_add_str(out, EV_STR("\",\"position\":"));
	ev_buf_add_int(out, append->position);
	ev_buf_add_str(out, EV_STR(",\"version\":"));
	ev_buf_add_int(out, append->version);
	ev_buf_add_str(out, EV_STR(",\"id\":\""));
	ev_buf_add_str(out, line->id);
	ev_buf_add_str(out, EV_STR("\",\"recordedAt\":\""));
	ev_buf_add(out, append->recorded_at, EV_TIME_TEXT);
	ev_buf_add_char(out, '"');
	if (append->outcome == EV_DUPLICATE)
		ev_buf_add_str(out, EV_STR(",\"duplicate\":true"));
	ev_buf_add_char(out, '}');
}

static enum ev_status
say_stale(const struct ev_append *append, struct ev_err *err)
{
	char expected[48], found[48];

	if (expectations_is_failed(append))
		snprintf(expected, sizeof expected,
		         "what the conflict before it left out");
	else if (append->expect == EV_EXPECT_VERSION)
		snprintf(expected, sizeof expected, "version %lld",
		         (long long)append->expect_version);
	else
		snprintf(expected, sizeof expected, "%s",
		         append->expect == EV_EXPECT_NONE ? "no stream"
		                                          : "a stream");
	if (append->version < 0)
		snprintf(found, sizeof found, "none");
	else
		snprintf(found, sizeof found, "version %lld",
		         (long long)append->version);
	return ev_err_set(err, EV_CONFLICT,
	                  "cannot append to '%.*s': expected %s, found %s",
	                  EV_FMT(append->event->line.stream), expected, found);
}

enum ev_status
appender_refusal(const struct ev_append *append, struct ev_err *err)
{
	if (append->outcome == EV_STALE)
		return say_stale(append, err);
	return ev_err_set(err, EV_BAD_INPUT,
	                  "id '%.*s' is taken by another event, at position "
	                  "%lld", EV_FMT(append->event->line.id),
	                  (long long)append->position);
}

static void
report(struct appender *a, const struct pending *from,
       const struct ev_append *append)
{
	enum ev_status status;
	struct ev_err err;

	if (append->outcome == EV_APPENDED ||
	    append->outcome == EV_DUPLICATE) {
		if (a->options.quiet)
			return;
		ev_buf_reset(&a->receipt);
		appender_receipt(&a->receipt, append);
		ev_out_line(&a->receipts, ev_buf_str(&a->receipt));
		return;
	}
	if (append->outcome == EV_STALE)
		expectations_fail(&a->expectations,
		                  append->event->line.stream);
	status = appender_refusal(append, &err);
	complain(a, from, status, err.text);
}

static void
empty_group(struct group *group)
{
	group->count = group->bytes = 0;
	ev_arena_reset(&group->arena);
}

/* Appends a group and acknowledges it. */
static enum ev_status
append_group(struct appender *a, struct group *group, struct ev_err *err)
{
	enum ev_append_flags flags = a->options.atomic ? EV_APPEND_ALL
	                                                  : EV_APPEND_EACH;
	enum ev_status status;

	for (size_t i = 0; i < group->count; i++)
		group->appends[i].event = &group->events[i].event;
	status = a->store->ops->append(a->store, group->appends,
	                                 group->count, flags, err);
	/* an event that was refused has stopped all: only such are told */
	if (flags == EV_APPEND_ALL &&
	    (status == EV_CONFLICT || status == EV_BAD_INPUT)) {
		for (size_t i = 0; i < group->count; i++)
			if (group->appends[i].outcome >= EV_DIFFERENT)
				report(a, &group->events[i],
				       &group->appends[i]);
		return status;
	}
	if (status)
		return status;
	for (size_t i = 0; i < group->count; i++)
		report(a, &group->events[i], &group->appends[i]);
	return ev_out_flush(&a->receipts, "standard output", err);
}

static void *
commit_groups(void *context)
{
	struct appender *a = context;
	struct committer *c = &a->committer;

	pthread_mutex_lock(&c->mutex);
	for (;;) {
		struct ev_err err;
		enum ev_status status;

		while (!c->work && !c->over)
			pthread_cond_wait(&c->changed, &c->mutex);
		if (!c->work)
			break;
		pthread_mutex_unlock(&c->mutex);
		status = append_group(a, c->work, &err);
		empty_group(c->work);
		pthread_mutex_lock(&c->mutex);
		if (status && !c->status) {
			c->status = status;
			c->err = err;
		}
		c->work = NULL;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/*
 * Signals to stop belong to the thread that reads, the store's alarm (it bounds
 * the wait for the lock) to the one that commits.
 */
static bool
start_committer(struct appender *a)
{
	sigset_t stop, alarm;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	a->committer.started =
		pthread_create(&a->committer.thread, NULL, commit_groups,
		               a) == 0;
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	if (a->committer.started)
		pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	return a->committer.started;
}

/* Its first failure is everybody's. */
enum ev_status
appender_finish(struct appender *a, struct ev_err *err)
{
	struct committer *c = &a->committer;
	enum ev_status status;

	pthread_mutex_lock(&c->mutex);
	while (c->work)
		pthread_cond_wait(&c->changed, &c->mutex);
	status = c->status;
	if (status)
		*err = c->err;
	pthread_mutex_unlock(&c->mutex);
	return status;
}

static void
stop_committer(struct appender *a)
{
	struct committer *c = &a->committer;

	if (!c->started)
		return;
	pthread_mutex_lock(&c->mutex);
	c->over = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	pthread_join(c->thread, NULL);
	c->started = false;
}

enum ev_status
appender_commit(struct appender *a, struct ev_err *err)
{
	struct committer *c = &a->committer;
	struct group *group = a->filling;
	enum ev_status status = EV_OK;

	if (!group->count || a->options.dry_run) {
		empty_group(group);
		return EV_OK;
	}
	if (!c->started &&
	    (group->count < GROUP_EVENTS || a->options.atomic ||
	     a->options.expect != EV_EXPECT_ANY || !start_committer(a))) {
		status = append_group(a, group, err);
		empty_group(group);
		return status;
	}
	if ((status = appender_finish(a, err)))
		return status;
	a->filling = group == a->groups ? a->groups + 1 : a->groups;
	pthread_mutex_lock(&c->mutex);
	c->work = group;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	return EV_OK;
}

static void
grow_group(struct group *group)
{
	group->cap = group->cap ? group->cap * 2 : 16;
	group->events = ev_mem_resize(group->events,
	                              group->cap * sizeof *group->events);
	group->appends = ev_mem_resize(group->appends,
	                               group->cap * sizeof *group->appends);
}

void
appender_take(struct appender *a, struct ev_str text, const char *file,
              size_t line)
{
	struct group *group = a->filling;
	struct pending *pending;
	struct ev_append *append;
	struct ev_err err;
	char id[EV_UUID_TEXT];

	if (group->count == group->cap)
		grow_group(group);
	pending = &group->events[group->count];
	*pending = (struct pending){ .text = text, .file = file,
	                             .line = line };
	if (ev_event_read(&pending->event, &a->reader, text, &group->arena,
	                  &err)) {
		complain(a, pending, EV_BAD_INPUT, err.text);
		return;
	}
	if (a->options.rejects)
		pending->text = ev_arena_dup(&group->arena, text);
	append = &group->appends[group->count];
	*append = (struct ev_append){ 0 };
	if (!group->count)
		group->begun = ev_time_now();
	if (!pending->event.line.id.ptr) {
		ev_uuid_make(&a->uuids, ev_time_now(), id);
		pending->event.line.id = ev_arena_dup(&group->arena,
			(struct ev_str){ id, EV_UUID_TEXT });
		append->fresh_id = true;
	}
	append->event = &pending->event;
	expectations_next(&a->expectations, append);
	group->bytes += text.len;
	group->count++;
}

void
appender_refuse(struct appender *a, const char *file, size_t line,
                const struct ev_err *why)
{
	struct pending from = { .file = file, .line = line };

	complain(a, &from, EV_BAD_INPUT, why->text);
}

bool
appender_is_full(const struct appender *a)
{
	const struct group *group = a->filling;

	if (a->options.atomic)
		return false;
	return group->count >= GROUP_EVENTS || group->bytes >= GROUP_BYTES ||
	       (group->count && group->count % 64 == 0 &&
	        ev_time_now() - group->begun >= GROUP_MICROS);
}

enum ev_status
appender_open(struct appender *a, const struct appender_options *options,
              struct ev_store *store, struct ev_err *err)
{
	*a = (struct appender){ .options = *options, .store = store };
	a->filling = a->groups;
	a->reader.catalogs = &a->catalogs;
	a->reader.overrides = options->overrides;
	a->expectations.expect = options->expect;
	a->expectations.version = options->expect_version;
	a->receipts.fd = STDOUT_FILENO;
	pthread_mutex_init(&a->complaints, NULL);
	pthread_mutex_init(&a->committer.mutex, NULL);
	pthread_cond_init(&a->committer.changed, NULL);
	if (options->rejects) {
		a->rejects.fd = open(options->rejects,
		                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		                     0666);
		if (a->rejects.fd < 0)
			return ev_err_set(err, EV_IO, "cannot write to '%s': "
			                  "%s", options->rejects,
			                  strerror(errno));
	}
	return ev_catalogs_open(&a->catalogs, store, err);
}

enum ev_status
appender_close(struct appender *a, struct ev_err *err)
{
	enum ev_status status = EV_OK;

	stop_committer(a);
	if (a->options.rejects && a->rejects.fd >= 0) {
		status = ev_out_flush(&a->rejects, a->options.rejects, err);
		close(a->rejects.fd);
	}
	ev_catalogs_release(&a->catalogs);
	ev_event_reader_release(&a->reader);
	expectations_release(&a->expectations);
	for (int i = 0; i < 2; i++) {
		ev_arena_release(&a->groups[i].arena);
		free(a->groups[i].events);
		free(a->groups[i].appends);
	}
	ev_out_release(&a->receipts);
	ev_buf_release(&a->receipt);
	ev_out_release(&a->rejects);
	return status;
}
