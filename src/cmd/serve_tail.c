#include "cmd/serve_tail.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cmd/cli.h"
#include "cmd/printer.h"
#include "cmd/serve_live.h"

enum {
	BATCH_BYTES = 256 * 1024, /* handed over at once */
	AHEAD_BYTES = 4 << 20,    /* that the loop has not taken yet */
	RETRY_MS = 1000,
	RENEW_MS = 1000, /* between two looks for catalogs, at first … */
	RENEW_MOST_MS = 3600 * 1000 /* … and if that never helps */
};

struct serve_tail {
	struct serve *serve;
	struct ev_store *store;
	int64_t position; /* of the last event handed over or in the batch */
	int stop_fd;
	pthread_t thread;
	bool started;
	bool told; /* that the log cannot be read */

	/* in force, and older ones, which the store may refer to */
	struct ev_catalogs catalogs;
	struct ev_catalogs *older;
	size_t older_count;
	int64_t renewed_at; /* ms */
	int64_t renew_ms;   /* how long to wait with the next look */

	/* not handed over yet */
	struct tail_event *batch, **batch_end;
	size_t batch_bytes;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t taken;
	bool stop;
	struct tail_event *first, **end;
	size_t bytes;
	struct ev_catalogs *copies[2];
};

/* ---- events */

void
tail_event_write(struct ev_buf *out, int64_t position, struct ev_str type,
                 struct ev_str json)
{
	ev_buf_add_str(out, EV_STR("id: "));
	ev_buf_add_int(out, position);
	ev_buf_add_str(out, EV_STR("\nevent: "));
	ev_buf_add_str(out, type);
	ev_buf_add_str(out, EV_STR("\ndata: "));
	ev_buf_add_str(out, json);
	ev_buf_add_str(out, EV_STR("\n\n"));
}

static struct tail_event *
make_event(int64_t position, struct ev_str json)
{
	struct tail_event *event;
	struct ev_buf text = { 0 };
	struct ev_line line;

	/* its type is known once it is taken apart, and where it stands in
	   memory once the text is written */
	if (!ev_line_parse(json, &line)) {
		event = ev_mem_alloc(sizeof *event);
		event->position = position;
		event->damaged = true;
		return event;
	}
	tail_event_write(&text, position, line.type, json);
	event = ev_mem_alloc(sizeof *event + text.len);
	event->position = position;
	memcpy(event->bytes, text.ptr, text.len);
	event->text = (struct ev_str){ event->bytes, text.len };
	event->json = (struct ev_str){ event->bytes + text.len - 2 - json.len,
	                               json.len };
	ev_buf_release(&text);
	ev_line_parse(event->json, &event->line);
	return event;
}

void
tail_event_free(struct tail_event *event)
{
	free(event->forms);
	free(event);
}

static void
free_events(struct tail_event *event)
{
	struct tail_event *next;

	for (; event; event = next) {
		next = event->next;
		tail_event_free(event);
	}
}

/* ---- catalogs */

struct ev_catalogs *
tail_catalogs_copy(const struct ev_catalogs *catalogs)
{
	struct ev_catalogs *copy = ev_mem_alloc(sizeof *copy);
	struct ev_catalog *catalog;
	struct ev_err ignored;

	/* what one catalog gave as JSON, another is made of */
	for (size_t i = 0; i < catalogs->count; i++)
		if (!ev_catalog_load(&catalog,
		                     ev_catalog_json(catalogs->list[i]),
		                     &ignored))
			ev_catalogs_add(copy, catalog);
	return copy;
}

void
tail_catalogs_free(struct ev_catalogs *catalogs)
{
	if (!catalogs)
		return;
	ev_catalogs_release(catalogs);
	free(catalogs);
}

static bool
is_known(const struct ev_catalogs *catalogs, const struct ev_line *line)
{
	struct ev_catalog *catalog = ev_catalogs_get(catalogs, line->catalog);
	const struct ev_type *type =
		catalog ? ev_catalog_find(catalog, line->type) : NULL;

	return type && type->version >= line->schema_version;
}

/*
 * An event that the catalogs do not know was appended by newer ones, which are
 * looked for; but its type may also be gone from them, so not every time.
 */
static void
renew_catalogs(struct serve_tail *tail, const struct ev_line *line)
{
	struct ev_catalogs *copies[2];
	int64_t now = ev_time_steady_ms();
	struct ev_err ignored;

	if (is_known(&tail->catalogs, line) ||
	    (tail->renewed_at && now - tail->renewed_at < tail->renew_ms))
		return;
	tail->renewed_at = now;
	tail->older = ev_mem_resize(tail->older, (tail->older_count + 1) *
	                            sizeof *tail->older);
	tail->older[tail->older_count++] = tail->catalogs;
	tail->catalogs = (struct ev_catalogs){ 0 };
	if (printer_catalogs(&tail->catalogs, tail->store, &ignored)) {
		ev_catalogs_release(&tail->catalogs);
		tail->catalogs = tail->older[--tail->older_count];
		return;
	}
	if (is_known(&tail->catalogs, line))
		tail->renew_ms = RENEW_MS;
	else if (tail->renew_ms < RENEW_MOST_MS)
		tail->renew_ms *= 2;
	for (size_t i = 0; i < 2; i++)
		copies[i] = tail_catalogs_copy(&tail->catalogs);
	pthread_mutex_lock(&tail->lock);
	for (size_t i = 0; i < 2; i++) {
		tail_catalogs_free(tail->copies[i]);
		tail->copies[i] = copies[i];
	}
	pthread_mutex_unlock(&tail->lock);
}

/* ---- the thread */

/* Hands the batch over, once there is room. False: stop. */
static bool
hand_over(struct serve_tail *tail)
{
	bool stop;

	if (!tail->batch)
		return true;
	pthread_mutex_lock(&tail->lock);
	while (!tail->stop && tail->first && tail->bytes >= AHEAD_BYTES)
		pthread_cond_wait(&tail->taken, &tail->lock);
	stop = tail->stop;
	*tail->end = tail->batch;
	tail->end = tail->batch_end;
	tail->bytes += tail->batch_bytes;
	pthread_mutex_unlock(&tail->lock);
	tail->batch = NULL;
	tail->batch_end = &tail->batch;
	tail->batch_bytes = 0;
	serve_wake(tail->serve);
	return !stop;
}

/* Reads what is new. EV_NO: stop. */
static enum ev_status
read_new(struct serve_tail *tail, struct ev_err *err)
{
	struct ev_query query = { .from = tail->position + 1,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_head head;
	struct ev_row row;
	bool go_on = true;

	status = tail->store->ops->head(tail->store, &head, err);
	if (status || head.position <= tail->position)
		return status;
	query.to = head.position;
	status = tail->store->ops->query(tail->store, &query, &cursor, err);
	if (status)
		return status;
	while (go_on && !(status = tail->store->ops->next(cursor, &row, err))) {
		struct tail_event *event = make_event(row.position, row.line);

		if (!event->damaged)
			renew_catalogs(tail, &event->line);
		tail->position = row.position;
		*tail->batch_end = event;
		tail->batch_end = &event->next;
		tail->batch_bytes += sizeof *event + event->text.len;
		if (tail->batch_bytes >= BATCH_BYTES)
			go_on = hand_over(tail);
	}
	tail->store->ops->query_close(cursor);
	if (!hand_over(tail) || !go_on)
		return EV_NO;
	return status == EV_NO ? EV_OK : status;
}

static bool
is_stopped(struct serve_tail *tail)
{
	bool stop;

	pthread_mutex_lock(&tail->lock);
	stop = tail->stop;
	pthread_mutex_unlock(&tail->lock);
	return stop;
}

static void *
follow(void *context)
{
	struct serve_tail *tail = context;
	struct pollfd stop = { .fd = tail->stop_fd, .events = POLLIN };
	enum ev_status status;
	struct ev_err err;

	while (!is_stopped(tail)) {
		status = read_new(tail, &err);
		if (!status)
			status = tail->store->ops->wait(tail->store,
			                                tail->position, -1,
			                                &stop, 1, &err);
		if (!status || status == EV_NO) {
			tail->told = false;
			continue;
		}
		if (!tail->told)
			cli_say(status, "%s; streams wait until that is over",
			        err.text);
		tail->told = true;
		poll(&stop, 1, RETRY_MS);
	}
	return NULL;
}

enum ev_status
serve_tail_start(struct serve *serve, struct ev_err *err)
{
	struct serve_tail *tail = ev_mem_alloc(sizeof *tail);
	enum ev_status status;
	int error;

	serve->tail = tail;
	tail->serve = serve;
	tail->position = serve_live_position(serve);
	tail->batch_end = &tail->batch;
	tail->end = &tail->first;
	tail->renew_ms = RENEW_MS;
	pthread_mutex_init(&tail->lock, NULL);
	pthread_cond_init(&tail->taken, NULL);
	tail->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (tail->stop_fd < 0)
		return ev_err_set(err, EV_IO, "cannot make an eventfd: %s",
		                  strerror(errno));
	status = cli_open(&tail->store, serve->settings.log, EV_STORE_FOLLOW,
	                  err);
	if (!status)
		status = printer_catalogs(&tail->catalogs, tail->store, err);
	if (status)
		return status;
	error = pthread_create(&tail->thread, NULL, follow, tail);
	if (error)
		return ev_err_set(err, EV_IO, "cannot start a thread: %s",
		                  strerror(error));
	tail->started = true;
	return EV_OK;
}

static void
stop_thread(struct serve_tail *tail)
{
	uint64_t one = 1;

	pthread_mutex_lock(&tail->lock);
	tail->stop = true;
	pthread_cond_signal(&tail->taken);
	pthread_mutex_unlock(&tail->lock);
	while (write(tail->stop_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	pthread_join(tail->thread, NULL);
}

void
serve_tail_stop(struct serve *serve)
{
	struct serve_tail *tail = serve->tail;

	if (!tail)
		return;
	if (tail->started)
		stop_thread(tail);
	if (tail->store)
		tail->store->ops->close(tail->store);
	if (tail->stop_fd >= 0)
		close(tail->stop_fd);
	free_events(tail->first);
	free_events(tail->batch);
	for (size_t i = 0; i < 2; i++)
		tail_catalogs_free(tail->copies[i]);
	ev_catalogs_release(&tail->catalogs);
	for (size_t i = 0; i < tail->older_count; i++)
		ev_catalogs_release(&tail->older[i]);
	free(tail->older);
	pthread_cond_destroy(&tail->taken);
	pthread_mutex_destroy(&tail->lock);
	free(tail);
	serve->tail = NULL;
}

struct tail_news
serve_tail_take(struct serve *serve)
{
	struct serve_tail *tail = serve->tail;
	struct tail_news news = { 0 };

	if (!tail)
		return news;
	pthread_mutex_lock(&tail->lock);
	news.events = tail->first;
	for (size_t i = 0; i < 2; i++) {
		news.catalogs[i] = tail->copies[i];
		tail->copies[i] = NULL;
	}
	tail->first = NULL;
	tail->end = &tail->first;
	tail->bytes = 0;
	pthread_cond_signal(&tail->taken);
	pthread_mutex_unlock(&tail->lock);
	return news;
}
