#include "cmd/serve_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "adapter/catalog_files.h"
#include "base/uuid.h"
#include "cmd/appender.h"

enum {
	/* of one commit; a request that is larger has one of its own */
	GROUP_EVENTS = 4096,
	GROUP_BYTES = 4 << 20,
	/* what may wait, and be answered while somebody still listens */
	QUEUE_EVENTS = 16384,
	QUEUE_BYTES = 64 << 20
};

/* What one request brings; in its arena, and gone once it is done. */
struct parcel {
	struct serve_request *request;
	struct serve_append *list;
	size_t count;
	size_t bytes;
	int64_t since;
	struct parcel *next;
};

struct queue {
	struct parcel *first;
	struct parcel **last;
	size_t events;
	size_t bytes;
};

struct serve_writer {
	struct serve *serve;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	struct queue queue;
	size_t held_events; /* waiting, or being appended */
	size_t held_bytes;
	bool reload;
	bool over;
	bool failed; /* for good */
	struct ev_err failure;

	/* the thread's own */
	struct ev_store *store;
	struct stat file; /* the log's, once something was appended */
	bool has_file;
	struct ev_catalogs *catalogs; /* the store keeps the address */
	struct ev_event_reader reader;
	struct ev_refusal refusal;
	struct ev_uuid_source uuids;
	struct ev_arena arena; /* of a group */
	/* the group's events, as far as they could be read */
	struct ev_event *events;
	struct ev_append *appends;
	struct entry {
		struct serve_append *append;
		struct serve_request *request;
	} *entries;
	size_t count;
	size_t cap;
};

/* ---- the queue */

static void
put(struct queue *queue, struct parcel *parcel)
{
	parcel->next = NULL;
	if (!queue->first)
		queue->last = &queue->first;
	*queue->last = parcel;
	queue->last = &parcel->next;
	queue->events += parcel->count;
	queue->bytes += parcel->bytes;
}

static struct parcel *
take(struct queue *queue)
{
	struct parcel *parcel = queue->first;

	queue->first = parcel->next;
	queue->events -= parcel->count;
	queue->bytes -= parcel->bytes;
	return parcel;
}

/* What may be committed together. */
static struct queue
take_group(struct queue *queue)
{
	struct queue group = { 0 };

	while (queue->first && (!group.first ||
	                        (group.events + queue->first->count <=
	                                 GROUP_EVENTS &&
	                         group.bytes + queue->first->bytes <=
	                                 GROUP_BYTES)))
		put(&group, take(queue));
	return group;
}

/* An empty queue takes anything: it is not longer than a body may be. */
static bool
has_room(const struct serve_writer *w, const struct parcel *parcel)
{
	return !w->held_events || (w->held_events + parcel->count <= QUEUE_EVENTS &&
	                      w->held_bytes + parcel->bytes <= QUEUE_BYTES);
}

void
serve_append(struct serve_request *request, struct serve_append *list,
             size_t count, void (*then)(struct serve_request *request))
{
	struct serve_writer *w = request->serve->writer;
	struct parcel *parcel = ev_arena_alloc(&request->arena, sizeof *parcel);
	const char *why = "the server is about to stop";
	bool taken = false;
	struct ev_err err;

	*parcel = (struct parcel){ .request = request, .list = list,
	                           .count = count,
	                           .since = ev_time_steady() };
	for (size_t i = 0; i < count; i++)
		parcel->bytes += list[i].text.len;
	request->then = then;
	if (w) {
		pthread_mutex_lock(&w->mutex);
		taken = !w->over && has_room(w, parcel);
		if (!w->over)
			why = "too many events wait to be appended";
		if (taken) {
			put(&w->queue, parcel);
			w->held_events += parcel->count;
			w->held_bytes += parcel->bytes;
			pthread_cond_signal(&w->changed);
		}
		pthread_mutex_unlock(&w->mutex);
	}
	if (taken)
		return;
	request->then = NULL;
	ev_err_set(&err, EV_BUSY, "%s, try again", why);
	serve_fail(request, EV_BUSY, &err);
	serve_finish(request);
}

/* ---- reading what was sent */

static enum serve_refusal
meaning(enum ev_refusal_kind kind)
{
	switch (kind) {
	case EV_REFUSED_TEXT:
		return SERVE_NOT_JSON;
	case EV_REFUSED_SHAPE:
		return SERVE_NOT_AN_EVENT;
	case EV_REFUSED_TYPE:
		return SERVE_UNKNOWN_TYPE;
	case EV_REFUSED_VALUE:
		break;
	}
	return SERVE_INVALID;
}

/* The id that the sender wants, or a new one. */
static enum ev_status
give_id(struct serve_writer *w, struct serve_append *asked,
        struct ev_line *line, struct ev_append *append)
{
	char text[EV_UUID_TEXT];
	struct ev_str id;

	if (asked->default_id.ptr) {
		id = ev_line_escape(&w->arena, asked->default_id);
		if (!line->id.ptr)
			line->id = id;
		if (!ev_str_equal(line->id, id))
			return ev_err_set(&asked->err, EV_USAGE,
			                  "the event's id is '%.*s', but its "
			                  "Idempotency-Key is '%.*s': leave out "
			                  "one", EV_FMT(line->id), EV_FMT(id));
	}
	if (!line->id.ptr) {
		ev_uuid_make(&w->uuids, ev_time_now(), text);
		line->id = ev_arena_dup(&w->arena,
			(struct ev_str){ text, EV_UUID_TEXT });
		append->fresh_id = true;
	}
	return EV_OK;
}

static void
read_event(struct serve_writer *w, struct serve_request *request,
           struct serve_append *asked)
{
	struct ev_event *event = &w->events[w->count];
	struct ev_append *append = &w->appends[w->count];

	asked->path = asked->stream = asked->receipt = (struct ev_str){ 0 };
	asked->status = ev_event_read(event, &w->reader, asked->text, &w->arena,
	                              &asked->err);
	if (asked->status) {
		asked->refusal = meaning(w->refusal.kind);
		if (w->refusal.path.len)
			asked->path = ev_arena_dup(&request->arena,
				ev_buf_str(&w->refusal.path));
		return;
	}
	*append = (struct ev_append){ .event = event,
	                              .expect = asked->expect,
	                              .expect_version = asked->expect_version };
	asked->stream = ev_arena_dup(&request->arena, event->line.stream);
	asked->status = give_id(w, asked, &event->line, append);
	asked->refusal = SERVE_STORE;
	if (!asked->status)
		w->entries[w->count++] = (struct entry){ asked, request };
}

static void
read_group(struct serve_writer *w, const struct queue *group)
{
	if (group->events > w->cap) {
		w->cap = group->events;
		w->events = ev_mem_resize(w->events,
		                          w->cap * sizeof *w->events);
		w->appends = ev_mem_resize(w->appends,
		                           w->cap * sizeof *w->appends);
		w->entries = ev_mem_resize(w->entries,
		                           w->cap * sizeof *w->entries);
	}
	w->count = 0;
	for (struct parcel *p = group->first; p; p = p->next)
		for (size_t i = 0; i < p->count; i++)
			read_event(w, p->request, &p->list[i]);
}

/* ---- the log */

static void
free_catalogs(struct ev_catalogs *catalogs)
{
	if (catalogs)
		ev_catalogs_release(catalogs);
	free(catalogs);
}

/*
 * Opens the log anew. The old handle is closed after that: while one is open
 * the log's shared memory stays, and with it the knowledge that a commit which
 * failed is none.
 */
static enum ev_status
open_log(struct serve_writer *w, bool read_catalogs, struct ev_err *err)
{
	struct ev_catalogs *catalogs = NULL;
	struct ev_store *store;
	enum ev_status status;

	status = cli_open(&store, w->serve->settings.log, EV_STORE_APPEND, err);
	if (status)
		return status;
	if (read_catalogs) {
		catalogs = ev_mem_alloc(sizeof *catalogs);
		status = ev_catalogs_open(catalogs, store, err);
	}
	if (status) {
		store->ops->close(store);
		free_catalogs(catalogs);
		return status;
	}
	if (w->store)
		w->store->ops->close(w->store);
	w->store = store;
	w->has_file = false;
	if (catalogs) {
		free_catalogs(w->catalogs);
		w->catalogs = catalogs;
		w->reader.catalogs = catalogs;
	}
	return EV_OK;
}

/*
 * Does the message, which ends with the system's words, speak of the device?
 * After a sync that failed, what was written may be gone although it can still
 * be read, and to sync again would say that all is well.
 */
static bool
is_final(const struct ev_err *err)
{
	const char *words = strerror(EIO);
	size_t len = strlen(err->text), size = strlen(words);

	return (len >= size && strcmp(err->text + len - size, words) == 0) ||
	       strstr(err->text, ": disk I/O error");
}

static void
fail_for_good(struct serve_writer *w, const struct ev_err *why)
{
	pthread_mutex_lock(&w->mutex);
	w->failed = true;
	ev_err_set(&w->failure, EV_IO, "nothing is appended any more: %s; see "
	           "to it, then restart ev-serve", why->text);
	pthread_mutex_unlock(&w->mutex);
	cli_say(EV_IO, "%s", w->failure.text);
}

/*
 * Is the log that is open still the one of that name? Another would be written
 * for nobody: whoever opens the log next does not find what was acknowledged.
 */
static enum ev_status
check_file(struct serve_writer *w, struct ev_err *err)
{
	struct ev_buf path = { 0 };
	struct stat file;
	bool same;

	cli_log_path(w->serve->settings.log, &path);
	ev_buf_add_char(&path, '\0');
	same = stat(path.ptr, &file) == 0;
	if (same && !w->has_file) {
		w->file = file;
		w->has_file = true;
	}
	same = same && file.st_dev == w->file.st_dev &&
	       file.st_ino == w->file.st_ino;
	if (!same)
		ev_err_set(err, EV_IO, "'%s' was removed or replaced",
		           path.ptr);
	ev_buf_release(&path);
	if (same)
		return EV_OK;
	fail_for_good(w, err);
	*err = w->failure;
	return EV_IO;
}

/* Appends what could be read; a status is for all of it. */
static enum ev_status
append_group(struct serve_writer *w, struct ev_err *err)
{
	enum ev_status status;

	if (w->failed) {
		*err = w->failure;
		return EV_IO;
	}
	if (!w->count)
		return EV_OK;
	if (!w->store && (status = open_log(w, false, err)))
		return status;
	if (w->has_file && (status = check_file(w, err)))
		return status;
	status = w->store->ops->append(w->store, w->appends, w->count,
	                               EV_APPEND_APART, err);
	if (!status)
		return check_file(w, err);
	if (status != EV_BUSY) {
		struct ev_err ignored;

		if (status == EV_IO && is_final(err))
			fail_for_good(w, err);
		else
			open_log(w, false, &ignored);
	}
	return status;
}

/* ---- answers */

static void
take_outcome(struct serve_counts *counts, const struct entry *entry,
             const struct ev_append *append)
{
	struct serve_append *asked = entry->append;
	struct ev_buf receipt = { 0 };

	asked->position = append->position;
	asked->version = append->version;
	switch (append->outcome) {
	case EV_APPENDED:
	case EV_DUPLICATE:
		asked->status = EV_OK;
		asked->refusal = SERVE_APPENDED;
		asked->duplicate = append->outcome == EV_DUPLICATE;
		appender_receipt(&receipt, append);
		asked->receipt = ev_arena_dup(&entry->request->arena,
		                              ev_buf_str(&receipt));
		ev_buf_release(&receipt);
		atomic_fetch_add(asked->duplicate ? &counts->duplicates
		                                  : &counts->appends, 1);
		return;
	case EV_DIFFERENT:
	case EV_STALE:
		asked->status = appender_refusal(append, &asked->err);
		asked->refusal = append->outcome == EV_STALE ? SERVE_STALE
		                                             : SERVE_TAKEN;
		atomic_fetch_add(&counts->conflicts, 1);
		return;
	}
}

static void
take_outcomes(struct serve_writer *w, enum ev_status status,
              const struct ev_err *err)
{
	struct serve_counts *counts = &w->serve->counts;
	bool stored = false;

	for (size_t i = 0; i < w->count; i++) {
		struct serve_append *asked = w->entries[i].append;

		if (!status) {
			take_outcome(counts, &w->entries[i], &w->appends[i]);
			stored |= w->appends[i].outcome == EV_APPENDED;
		} else {
			asked->status = status;
			asked->err = *err;
		}
	}
	if (stored)
		atomic_fetch_add(&counts->commits, 1);
}

/* What is wrong whatever the log has in it. */
static size_t
count_rejects(const struct parcel *parcel)
{
	size_t count = 0;

	for (size_t i = 0; i < parcel->count; i++)
		switch (parcel->list[i].refusal) {
		case SERVE_NOT_JSON:
		case SERVE_NOT_AN_EVENT:
		case SERVE_UNKNOWN_TYPE:
		case SERVE_INVALID:
			count++;
			break;
		case SERVE_STORE:
			count += parcel->list[i].status == EV_USAGE;
			break;
		case SERVE_APPENDED:
		case SERVE_STALE:
		case SERVE_TAKEN:
			break;
		}
	return count;
}

/* Hands them back; what is in their arenas is not ours any more then. */
static void
answer_group(struct serve_writer *w, struct queue *group)
{
	struct serve_counts *counts = &w->serve->counts;
	int64_t now = ev_time_steady();

	while (group->first) {
		struct parcel *parcel = take(group);
		int64_t took = now - parcel->since;

		atomic_fetch_add(&counts->rejects, count_rejects(parcel));
		atomic_fetch_add(&counts->append_seconds[serve_bucket(took)],
		                 1);
		atomic_fetch_add(&counts->append_micros, (uint64_t)took);
		serve_done(parcel->request);
	}
}

/* ---- the thread */

static void
reload(struct serve_writer *w)
{
	enum ev_status status;
	struct ev_err err;

	if (!w->failed && (status = open_log(w, true, &err)))
		cli_say(status, "the catalogs stay as they were: %s", err.text);
}

static void
handle_group(struct serve_writer *w, struct queue *group)
{
	enum ev_status status;
	struct ev_err err;

	read_group(w, group);
	status = append_group(w, &err);
	take_outcomes(w, status, &err);
	ev_arena_reset(&w->arena);
	answer_group(w, group);
}

static void *
write_groups(void *context)
{
	struct serve_writer *w = context;
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	pthread_mutex_lock(&w->mutex);
	for (;;) {
		struct queue group;
		size_t events, bytes;
		bool again;

		while (!w->queue.first && !w->over && !w->reload)
			pthread_cond_wait(&w->changed, &w->mutex);
		if (!w->queue.first && w->over)
			break;
		again = w->reload;
		w->reload = false;
		group = take_group(&w->queue);
		events = group.events;
		bytes = group.bytes;
		pthread_mutex_unlock(&w->mutex);
		if (again)
			reload(w);
		if (group.first)
			handle_group(w, &group);
		pthread_mutex_lock(&w->mutex);
		w->held_events -= events;
		w->held_bytes -= bytes;
	}
	pthread_mutex_unlock(&w->mutex);
	/* here, where the alarm comes: it may have to wait for the lock */
	if (w->store)
		w->store->ops->close(w->store);
	w->store = NULL;
	return NULL;
}

static void
free_writer(struct serve_writer *w)
{
	if (w->store)
		w->store->ops->close(w->store);
	free_catalogs(w->catalogs);
	ev_event_reader_release(&w->reader);
	ev_buf_release(&w->refusal.path);
	ev_arena_release(&w->arena);
	free(w->events);
	free(w->appends);
	free(w->entries);
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->changed);
	free(w);
}

enum ev_status
serve_writer_start(struct serve *serve, struct ev_err *err)
{
	struct serve_writer *w = ev_mem_alloc(sizeof *w);
	enum ev_status status;
	int error;

	w->serve = serve;
	w->reader.overrides.priority = EV_PRIORITY_NONE;
	w->reader.refusal = &w->refusal;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->changed, NULL);
	if ((status = open_log(w, true, err))) {
		free_writer(w);
		return status;
	}
	error = pthread_create(&w->thread, NULL, write_groups, w);
	if (error) {
		free_writer(w);
		return ev_err_set(err, EV_IO, "cannot start a thread: %s",
		                  strerror(error));
	}
	serve->writer = w;
	return EV_OK;
}

void
serve_writer_reload(struct serve *serve)
{
	struct serve_writer *w = serve->writer;

	pthread_mutex_lock(&w->mutex);
	w->reload = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

bool
serve_writer_failed(struct serve *serve, struct ev_err *err)
{
	struct serve_writer *w = serve->writer;
	bool failed;

	if (!w)
		return false;
	pthread_mutex_lock(&w->mutex);
	failed = w->failed;
	if (failed)
		*err = w->failure;
	pthread_mutex_unlock(&w->mutex);
	return failed;
}

void
serve_writer_stop(struct serve *serve)
{
	struct serve_writer *w = serve->writer;

	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->over = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	free_writer(w);
	serve->writer = NULL;
}

/* ---- for who asked */

static void
refuse(struct serve_request *request, const struct serve_append *append,
       int status, const char *code, const struct ev_buf *members)
{
	serve_problem(request, status, code, ev_buf_str(members), "%s%s",
	              append->refusal == SERVE_NOT_JSON ? "not JSON: " : "",
	              append->err.text);
}

static void
answer_appended(struct serve_request *request,
                const struct serve_append *append)
{
	struct ev_buf tag = { 0 };

	ev_buf_add_str(serve_json(request), append->receipt);
	ev_buf_printf(&tag, "\"%lld\"", (long long)append->version);
	serve_header(request, "ETag", ev_buf_str(&tag));
	ev_buf_release(&tag);
}

void
serve_answer_append(struct serve_request *request,
                    const struct serve_append *append)
{
	struct ev_buf members = { 0 };

	switch (append->refusal) {
	case SERVE_APPENDED:
		answer_appended(request, append);
		break;
	case SERVE_NOT_JSON:
		refuse(request, append, 400, "not-json", &members);
		break;
	case SERVE_NOT_AN_EVENT:
		refuse(request, append, 422, "not-an-event", &members);
		break;
	case SERVE_UNKNOWN_TYPE:
		refuse(request, append, 400, "unknown-type", &members);
		break;
	case SERVE_INVALID:
		if (append->path.len) {
			ev_buf_add_str(&members, EV_STR(",\"path\":"));
			ev_json_write_string(&members, append->path);
		}
		refuse(request, append, 422, "invalid", &members);
		break;
	case SERVE_STALE:
		ev_buf_printf(&members, ",\"streamId\":\"%.*s\","
		              "\"currentVersion\":", EV_FMT(append->stream));
		if (append->version < 0)
			ev_buf_add_str(&members, EV_STR("null"));
		else
			ev_buf_add_int(&members, append->version);
		refuse(request, append, 409, "stale", &members);
		break;
	case SERVE_TAKEN:
		ev_buf_printf(&members, ",\"position\":%lld",
		              (long long)append->position);
		refuse(request, append, 409, "taken", &members);
		break;
	case SERVE_STORE:
		serve_fail(request, append->status, &append->err);
		break;
	}
	ev_buf_release(&members);
}
