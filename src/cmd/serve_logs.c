#include "cmd/serve_logs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "adapter/agent_logs.h"
#include "base/opt.h"
#include "cmd/serve_entries.h"

enum {
	QUEUE_REQUESTS = 512,     /* that wait for the thread, … */
	QUEUE_BYTES = 16 << 20,   /* … and bytes of their bodies */
	LIMIT = 100, LIMIT_MAX = 1000, /* entries of an answer, … */
	PAGE_BYTES = 4 << 20,     /* … and bytes of their texts, about */
	FETCH_ENTRIES = 200,      /* of one step of a stream that catches up */
	FETCH_BYTES = 64 << 10,
	BEHIND_MAX = 256 << 10,   /* bytes that a stream may be behind */
	KEPT_MAX = 16 << 10,      /* of a buffer that is empty */
	FIRST_MS = 1000,          /* for another process to let go, … */
	WAIT_MS = 20,             /* … and while requests wait */
	TIDY_MS = 60 * 1000       /* how often the age of entries is looked at */
};

/* The first of several structs that travel between the threads. */
enum job_kind {
	JOB_POST,
	JOB_GET,
	JOB_FETCH, /* more for a stream, and back with it */
	JOB_NEWS   /* to the loop: entries that were just added */
};

struct job {
	struct job *next;
	enum job_kind kind;
	struct serve_request *request; /* POST, GET */
	size_t bytes;                  /* of its body */
	struct ev_agent_query query;   /* GET, FETCH */
	/* FETCH: for which stream. The stream may have ended, so it is found
	   by its number, and its texts are copied. */
	uint64_t stream;
	struct ev_arena arena;
	struct ev_buf text;            /* as server-sent events */
	struct ev_agent_page page;
	bool failed;
	/* NEWS */
	struct news *news;
	size_t count;
};

/* An entry as every stream gets it. */
struct news {
	int64_t id;
	struct ev_str agent;
	enum ev_agent_level level;
	struct ev_str text;
};

struct list {
	struct job *first, **end;
};

struct stream {
	struct stream *next, **link;
	struct serve_request *request;
	uint64_t number;
	struct ev_str agent; /* what it is about, or {0} */
	enum ev_agent_level level;
	int64_t seen;  /* it has had all that fits up to this entry */
	bool live;     /* it gets what is new; else it catches up */
	bool fetching; /* and waits for the thread */
	bool ending;   /* after what is in the buffer */
	struct ev_buf buf;
	size_t begin;  /* of what has not been sent */
	int64_t told;  /* ms, when it last got anything */
};

struct serve_logs {
	/* the loop's */
	struct stream *streams;
	uint64_t last_number;
	int64_t beat; /* ms, when the next heartbeat is due */
	/* the thread's */
	struct ev_agent_logs *logs; /* NULL: not open */
	bool tried; /* to open it */
	struct ev_buf data;
	/* of both, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list asked;  /* to the thread */
	struct list posted; /* to the loop */
	size_t waiting, waiting_bytes;
	bool stop;
	bool watched; /* are there streams? */
	_Atomic uint64_t entries, expired;
	_Atomic int64_t bytes;
	pthread_t thread;
};

static void
add_job(struct list *list, struct job *job)
{
	if (!list->first)
		list->end = &list->first;
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
}

static void
free_job(struct job *job)
{
	ev_arena_release(&job->arena);
	ev_buf_release(&job->text);
	free(job);
}

/* ---- the file: by the thread */

static enum ev_status
open_file(struct serve *serve, struct ev_err *err)
{
	struct serve_logs *logs = serve->logs;
	struct ev_buf path = { 0 };
	enum ev_status status;

	if (logs->logs)
		return EV_OK;
	cli_log_path(serve->settings.log, &path);
	ev_buf_add_char(&path, '\0');
	status = ev_agent_logs_open(&logs->logs, path.ptr,
	                            logs->tried ? WAIT_MS : FIRST_MS, err);
	logs->tried = true;
	ev_buf_release(&path);
	if (!status)
		logs->bytes = logs->logs->ops->size(logs->logs);
	return status;
}

/* What has failed once may be another file by now. */
static void
close_file(struct serve_logs *logs, enum ev_status status)
{
	if (logs->logs && status != EV_BUSY) {
		logs->logs->ops->close(logs->logs);
		logs->logs = NULL;
	}
}

/* Some of what is too old or too much; true: there is more to do. */
static bool
tidy(struct serve *serve)
{
	const struct serve_settings *settings = &serve->settings;
	struct serve_logs *logs = serve->logs;
	struct ev_agent_keep keep = { EV_TIME_NONE, settings->logs_bytes };
	enum ev_status status;
	struct ev_err err;
	int64_t gone = 0;

	if (open_file(serve, &err))
		return false;
	if (settings->logs_age_s > 0)
		keep.received = ev_time_now() - settings->logs_age_s * 1000000;
	status = logs->logs->ops->trim(logs->logs, &keep, &gone, &err);
	logs->expired += (uint64_t)gone;
	logs->bytes = logs->logs->ops->size(logs->logs);
	if (status > EV_NO)
		close_file(logs, status);
	return status == EV_OK;
}

static void
post(struct serve *serve, struct job *job)
{
	struct serve_logs *logs = serve->logs;

	pthread_mutex_lock(&logs->lock);
	add_job(&logs->posted, job);
	pthread_mutex_unlock(&logs->lock);
	serve_wake(serve);
}

/* To those who watch. */
static void
post_news(struct serve *serve, const struct ev_agent_entry *entries,
          size_t count)
{
	struct job *job = ev_mem_alloc(sizeof *job);

	job->kind = JOB_NEWS;
	job->count = count;
	job->news = ev_arena_alloc(&job->arena, count * sizeof *job->news);
	for (size_t i = 0; i < count; i++) {
		struct news *news = &job->news[i];

		ev_buf_reset(&job->text);
		serve_entries_write_event(&job->text, &entries[i]);
		news->id = entries[i].id;
		news->agent = ev_arena_dup(&job->arena, entries[i].agent);
		news->level = entries[i].level;
		news->text = ev_arena_dup(&job->arena, ev_buf_str(&job->text));
	}
	post(serve, job);
}

/* All of the batch, in one transaction. */
static enum ev_status
store(struct serve *serve, struct ev_agent_entry *entries, size_t count,
      struct ev_err *err)
{
	struct serve_logs *logs = serve->logs;
	enum ev_status status = open_file(serve, err);
	bool watched;

	if (status || !count)
		return status;
	status = logs->logs->ops->add(logs->logs, entries, count,
	                              ev_time_now(), err);
	if (status) {
		close_file(logs, status);
		return status;
	}
	logs->entries += count;
	pthread_mutex_lock(&logs->lock);
	watched = logs->watched;
	pthread_mutex_unlock(&logs->lock);
	if (watched)
		post_news(serve, entries, count);
	return EV_OK;
}

static void
answer_post(const struct serve_entries *sent)
{
	struct ev_buf *out = serve_json(sent->request);

	ev_buf_add_str(out, EV_STR("{\"agentId\":"));
	ev_json_write_string(out, sent->agent);
	ev_buf_printf(out, ",\"accepted\":%zu,\"last\":", sent->count);
	if (sent->count)
		ev_buf_add_int(out, sent->entries[sent->count - 1].id);
	else
		ev_buf_add_str(out, EV_STR("null"));
	ev_buf_add_char(out, '}');
}

/* All of them, together. */
static void
take_posts(struct serve *serve, const struct job *list, size_t count)
{
	struct serve_entries *sent = ev_mem_alloc((count + 1) * sizeof *sent);
	struct ev_agent_entry *batch = NULL;
	size_t entry_count = 0, good = 0;
	enum ev_status status;
	struct ev_err err;

	for (; list; list = list->next) {
		struct serve_entries *one = &sent[good];

		*one = (struct serve_entries){ .request = list->request };
		if (!serve_entries_read(one, &serve->logs->data)) {
			yyjson_doc_free(one->doc);
			serve_done(one->request);
			continue;
		}
		batch = ev_mem_resize(batch, (entry_count + one->count + 1) *
		                      sizeof *batch);
		if (one->count)
			memcpy(batch + entry_count, one->entries,
			       one->count * sizeof *batch);
		entry_count += one->count;
		good++;
	}
	status = good ? store(serve, batch, entry_count, &err) : EV_OK;
	entry_count = 0;
	for (size_t i = 0; i < good; i++) {
		sent[i].entries = batch + entry_count;
		entry_count += sent[i].count;
		if (status)
			serve_fail(sent[i].request, status, &err);
		else
			answer_post(&sent[i]);
		yyjson_doc_free(sent[i].doc);
		serve_done(sent[i].request);
	}
	free(batch);
	free(sent);
}

/* ---- reading: by the thread */

struct answering {
	struct ev_buf *out;
	bool comma;
};

static void
take_json(void *context, const struct ev_agent_entry *entry)
{
	struct answering *answering = context;

	if (answering->comma)
		ev_buf_add_char(answering->out, ',');
	answering->comma = true;
	serve_entries_write(answering->out, entry);
}

static void
take_event(void *context, const struct ev_agent_entry *entry)
{
	serve_entries_write_event(context, entry);
}

static enum ev_status
query(struct serve *serve, struct job *job, ev_agent_take *take, void *context,
      struct ev_err *err)
{
	struct serve_logs *logs = serve->logs;
	enum ev_status status = open_file(serve, err);

	if (status)
		return status;
	status = logs->logs->ops->read(logs->logs, &job->query, take, context,
	                               &job->page, err);
	if (status)
		close_file(logs, status);
	return status;
}

static void
answer_get(struct serve *serve, struct job *job)
{
	struct serve_request *request = job->request;
	struct answering answering = { .out = serve_json(request) };
	enum ev_status status;
	struct ev_err err;

	ev_buf_add_str(answering.out, EV_STR("{\"entries\":["));
	status = query(serve, job, take_json, &answering, &err);
	if (status)
		serve_fail(request, status, &err);
	else
		ev_buf_printf(answering.out, "],\"next\":%lld}",
		              (long long)job->page.next);
	serve_done(request);
}

static void
fetch(struct serve *serve, struct job *job)
{
	struct ev_err err;

	if (query(serve, job, take_event, &job->text, &err)) {
		job->failed = true;
		ev_buf_reset(&job->text);
		ev_buf_add_str(&job->text,
		               EV_STR("event: failed\ndata: {\"error\":"));
		ev_json_write_string(&job->text, ev_str(err.text));
		ev_buf_add_str(&job->text, EV_STR("}\n\n"));
	}
	post(serve, job);
}

/* ---- the thread */

/* What there is to do, or NULL: the time is over. */
static struct job *
take_asked(struct serve_logs *logs, int64_t until, bool *stop)
{
	struct timespec end = { (time_t)(until / 1000),
	                        (long)(until % 1000) * 1000000 };
	struct job *list;

	pthread_mutex_lock(&logs->lock);
	while (!logs->asked.first && !logs->stop && ev_time_steady_ms() < until)
		pthread_cond_timedwait(&logs->wake, &logs->lock, &end);
	list = logs->asked.first;
	logs->asked.first = NULL;
	logs->waiting = logs->waiting_bytes = 0;
	*stop = logs->stop;
	pthread_mutex_unlock(&logs->lock);
	return list;
}

/*
 * Reads first: a stream that was told that it is open before an entry was sent
 * must not take that entry for what was there already. Returns whether anything
 * may have been added.
 */
static bool
do_all(struct serve *serve, struct job *list)
{
	struct job *posts = NULL, **end = &posts, *next;
	size_t count = 0;

	for (; list; list = next) {
		next = list->next;
		if (list->kind == JOB_FETCH) {
			fetch(serve, list);
		} else if (list->kind == JOB_GET) {
			answer_get(serve, list);
			free_job(list);
		} else {
			list->next = NULL;
			*end = list;
			end = &list->next;
			count++;
		}
	}
	if (count)
		take_posts(serve, posts, count);
	for (; posts; posts = next) {
		next = posts->next;
		free_job(posts);
	}
	return count > 0;
}

static void *
work(void *context)
{
	struct serve *serve = context;
	struct serve_logs *logs = serve->logs;
	int64_t until = ev_time_steady_ms(); /* first of all, what has become too old */
	bool stop = false;
	enum ev_status status;
	struct ev_err err;

	if ((status = open_file(serve, &err)))
		cli_fail(status, &err);
	while (!stop) {
		bool grown = do_all(serve, take_asked(logs, until, &stop));

		if (!stop && (grown || ev_time_steady_ms() >= until))
			until = ev_time_steady_ms() + (tidy(serve) ? 0 : TIDY_MS);
	}
	if (logs->logs)
		logs->logs->ops->close(logs->logs);
	return NULL;
}

enum ev_status
serve_logs_open(struct serve *serve, struct ev_err *err)
{
	struct serve_logs *logs = ev_mem_alloc(sizeof *logs);
	pthread_condattr_t attributes;
	sigset_t all, old;
	int error;

	pthread_mutex_init(&logs->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&logs->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	logs->beat = INT64_MAX;
	serve->logs = logs;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	error = pthread_create(&logs->thread, NULL, work, serve);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		return EV_OK;
	pthread_cond_destroy(&logs->wake);
	pthread_mutex_destroy(&logs->lock);
	free(logs);
	serve->logs = NULL;
	return ev_err_set(err, EV_IO, "cannot start a thread: %s",
	                  strerror(error));
}

void
serve_logs_close(struct serve *serve)
{
	struct serve_logs *logs = serve->logs;
	struct job *job, *next;

	if (!logs)
		return;
	pthread_mutex_lock(&logs->lock);
	logs->stop = true;
	pthread_cond_signal(&logs->wake);
	pthread_mutex_unlock(&logs->lock);
	pthread_join(logs->thread, NULL);
	for (job = logs->posted.first; job; job = next) {
		next = job->next;
		free_job(job);
	}
	/* streams that are still open end without us */
	for (struct stream *s = logs->streams; s; s = s->next) {
		s->request->ended = NULL;
		ev_buf_release(&s->buf);
		s->begin = 0;
		s->ending = true;
	}
	pthread_cond_destroy(&logs->wake);
	pthread_mutex_destroy(&logs->lock);
	ev_buf_release(&logs->data);
	free(logs);
	serve->logs = NULL;
}

struct serve_logs_counts
serve_logs_count(const struct serve *serve)
{
	const struct serve_logs *logs = serve->logs;

	return (struct serve_logs_counts){ logs->entries, logs->expired,
	                                   logs->bytes };
}

/* ---- streams: by the loop */

/* Has it been sent all that we have for it? */
static bool
is_idle(const struct stream *stream)
{
	return stream->buf.len == stream->begin;
}

static void
ask(struct serve_logs *logs, struct job *job)
{
	pthread_mutex_lock(&logs->lock);
	add_job(&logs->asked, job);
	pthread_cond_signal(&logs->wake);
	pthread_mutex_unlock(&logs->lock);
}

/* One step on the way to the end of what there is. */
static void
ask_for_more(struct stream *stream)
{
	struct job *job = ev_mem_alloc(sizeof *job);
	bool begins = stream->seen < 0; /* from now on: only where that is */

	job->kind = JOB_FETCH;
	job->stream = stream->number;
	job->query = (struct ev_agent_query){
		.after = begins ? INT64_MAX : stream->seen,
		.level = stream->level,
		.limit = FETCH_ENTRIES,
		.bytes = FETCH_BYTES,
	};
	if (stream->agent.ptr)
		job->query.agent = ev_arena_dup(&job->arena, stream->agent);
	stream->fetching = true;
	ask(stream->request->serve->logs, job);
}

static ptrdiff_t
read_stream(void *context, char *bytes, size_t max)
{
	struct stream *stream = context;
	struct ev_buf *buf = &stream->buf;
	size_t len = buf->len - stream->begin;

	if (len > max)
		len = max;
	if (!len) {
		if (stream->ending)
			return -1;
		if (!stream->live && !stream->fetching)
			ask_for_more(stream);
		return 0;
	}
	memcpy(bytes, buf->ptr + stream->begin, len);
	stream->begin += len;
	if (stream->begin == buf->len) {
		stream->begin = 0;
		ev_buf_reset(buf);
		if (buf->cap > KEPT_MAX)
			ev_buf_release(buf);
	}
	return (ptrdiff_t)len;
}

static void
end_stream(struct serve_request *request)
{
	struct stream *stream = request->data;
	struct serve_logs *logs = request->serve->logs;

	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	ev_buf_release(&stream->buf);
	request->serve->counts.streams_open--;
	if (!logs->streams) {
		pthread_mutex_lock(&logs->lock);
		logs->watched = false;
		pthread_mutex_unlock(&logs->lock);
	}
}

static void
open_stream(struct serve_request *request, const struct ev_agent_query *query)
{
	struct serve *serve = request->serve;
	struct serve_logs *logs = serve->logs;
	struct stream *stream = ev_arena_alloc(&request->arena, sizeof *stream);
	struct ev_http_source source = { read_stream, stream };

	stream->request = request;
	stream->number = ++logs->last_number;
	stream->agent = query->agent;
	stream->level = query->level;
	stream->seen = query->after;
	stream->told = ev_time_steady_ms();
	stream->next = logs->streams;
	stream->link = &logs->streams;
	if (stream->next)
		stream->next->link = &stream->next;
	logs->streams = stream;
	if (logs->beat > stream->told + serve->settings.heartbeat_ms)
		logs->beat = stream->told + serve->settings.heartbeat_ms;
	request->data = stream;
	request->ended = end_stream;
	serve->counts.streams_opened++;
	serve->counts.streams_open++;
	/* before it asks where the end is */
	pthread_mutex_lock(&logs->lock);
	logs->watched = true;
	pthread_mutex_unlock(&logs->lock);
	ask_for_more(stream);
	serve_stream(request, EV_STR("retry: 2000\n: agents' logs\n\n"),
	             &source);
}

static struct stream *
find_stream(const struct serve_logs *logs, uint64_t number)
{
	struct stream *stream = logs->streams;

	while (stream && stream->number != number)
		stream = stream->next;
	return stream;
}

static void
take_fetched(struct serve_logs *logs, const struct job *job)
{
	struct stream *stream = find_stream(logs, job->stream);

	if (!stream)
		return;
	stream->fetching = false;
	if (stream->ending)
		return;
	stream->ending = job->failed;
	if (!job->failed) {
		stream->seen = job->page.next;
		stream->live = job->page.end;
	}
	ev_buf_add_str(&stream->buf, ev_buf_str(&job->text));
	stream->told = ev_time_steady_ms();
	ev_http_wake(stream->request->http);
}

/* Who is too slow comes back, and catches up from the file. */
static void
cut(struct serve *serve, struct stream *stream, int64_t last)
{
	ev_buf_printf(&stream->buf, "event: lagging\n"
	              "data: {\"id\":%lld,\"last\":%lld}\n\n",
	              (long long)stream->seen, (long long)last);
	stream->ending = true;
	serve->counts.streams_cut++;
}

static void
give_news(struct serve *serve, struct stream *stream, const struct job *job)
{
	if (!stream->live || stream->ending)
		return;
	for (size_t i = 0; i < job->count && !stream->ending; i++) {
		const struct news *news = &job->news[i];

		if (news->level < stream->level || (stream->agent.ptr &&
		    !ev_str_equal(news->agent, stream->agent))) {
			stream->seen = news->id;
		} else if (stream->buf.len - stream->begin > BEHIND_MAX) {
			cut(serve, stream, job->news[job->count - 1].id);
		} else {
			ev_buf_add_str(&stream->buf, news->text);
			stream->seen = news->id;
			stream->told = ev_time_steady_ms();
			serve->counts.stream_events++;
		}
	}
	ev_http_wake(stream->request->http);
}

/* Who has had nothing for a while is told that we are still there. */
static void
beat(struct serve *serve)
{
	struct serve_logs *logs = serve->logs;
	int interval = serve->settings.heartbeat_ms;
	int64_t now = ev_time_steady_ms();

	logs->beat = INT64_MAX;
	for (struct stream *s = logs->streams; s; s = s->next) {
		int64_t due = s->told + interval;

		if (due <= now && is_idle(s) && !s->ending) {
			ev_buf_printf(&s->buf, ": heartbeat %lld\n\n",
			              (long long)(s->seen < 0 ? 0 : s->seen));
			s->told = now;
			ev_http_wake(s->request->http);
		}
		if (due <= now)
			due = now + interval;
		if (due < logs->beat)
			logs->beat = due;
	}
}

void
serve_logs_run(struct serve *serve)
{
	struct serve_logs *logs = serve->logs;
	struct job *list, *next;

	pthread_mutex_lock(&logs->lock);
	list = logs->posted.first;
	logs->posted.first = NULL;
	pthread_mutex_unlock(&logs->lock);
	for (; list; list = next) {
		next = list->next;
		if (list->kind == JOB_FETCH)
			take_fetched(logs, list);
		else
			for (struct stream *s = logs->streams; s; s = s->next)
				give_news(serve, s, list);
		free_job(list);
	}
	if (ev_time_steady_ms() >= logs->beat)
		beat(serve);
}

int
serve_logs_timeout(const struct serve *serve)
{
	int64_t left = serve->logs->beat - ev_time_steady_ms();

	if (serve->logs->beat == INT64_MAX)
		return -1;
	return left < 0 ? 0 : (int)left;
}

void
serve_logs_stop(struct serve *serve)
{
	for (struct stream *s = serve->logs->streams; s; s = s->next) {
		if (s->ending)
			continue;
		ev_buf_printf(&s->buf, "event: bye\ndata: {\"id\":%lld}\n\n",
		              (long long)(s->seen < 0 ? 0 : s->seen));
		s->ending = true;
		ev_http_wake(s->request->http);
	}
}

/* ---- requests: by the loop */

static void
hand_on(struct serve_request *request, struct job *job)
{
	struct serve_logs *logs = request->serve->logs;
	bool full;

	job->request = request;
	job->bytes = request->body.len;
	pthread_mutex_lock(&logs->lock);
	full = logs->waiting >= QUEUE_REQUESTS ||
	       logs->waiting_bytes + job->bytes > QUEUE_BYTES;
	if (!full) {
		logs->waiting++;
		logs->waiting_bytes += job->bytes;
		add_job(&logs->asked, job);
		pthread_cond_signal(&logs->wake);
	}
	pthread_mutex_unlock(&logs->lock);
	if (!full)
		return;
	free_job(job);
	serve_problem(request, 503, "busy", (struct ev_str){ 0 },
	              "too many requests for agents' logs at once: try again");
	serve_header(request, "Retry-After", EV_STR("1"));
	serve_finish(request);
}

void
serve_logs_post(struct serve_request *request)
{
	static const char *const none[] = { NULL };
	struct job *job;

	if (!serve_params_known(request, none)) {
		serve_finish(request);
		return;
	}
	job = ev_mem_alloc(sizeof *job);
	job->kind = JOB_POST;
	hand_on(request, job);
}

static bool
read_last_id(struct serve_request *request, int64_t *after)
{
	struct ev_str text = ev_http_header(request->http, "Last-Event-ID");

	if (!text.len)
		return true;
	text = ev_arena_dup(&request->arena, text);
	if (ev_opt_int(text.ptr, 0, INT64_MAX, after))
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "Last-Event-ID '%.*s': expected the number of an entry",
	              EV_FMT(text));
	return false;
}

static bool
read_query(struct serve_request *request, struct ev_agent_query *query,
           bool stream)
{
	static const char *const paging[] = { "agentId", "after", "limit",
	                                      "level", NULL };
	static const char *const streaming[] = { "agentId", "after", "level",
	                                         NULL };
	struct ev_str level = serve_param(request, "level");

	*query = (struct ev_agent_query){ .after = EV_AGENT_NEWEST,
	                                  .limit = LIMIT,
	                                  .bytes = PAGE_BYTES };
	if (!serve_params_known(request, stream ? streaming : paging) ||
	    !serve_param_int(request, "after", 0, INT64_MAX, &query->after) ||
	    !serve_param_int(request, "limit", 1, LIMIT_MAX, &query->limit) ||
	    (stream && !read_last_id(request, &query->after)))
		return false;
	query->agent = serve_param(request, "agentId");
	if (!query->agent.len)
		query->agent.ptr = NULL;
	if (!level.ptr || serve_entries_level(level, &query->level))
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "level '%.*s': expected trace, debug, info, warn or "
	              "error", EV_FMT(level));
	return false;
}

static bool
has_room(struct serve_request *request)
{
	const struct serve *serve = request->serve;

	if (serve->counts.streams_open < serve->settings.streams &&
	    !serve->stopping)
		return true;
	if (serve->stopping)
		serve_problem(request, 503, "busy", (struct ev_str){ 0 },
		              "the server is stopping");
	else
		serve_problem(request, 503, "busy", (struct ev_str){ 0 },
		              "%u streams are open already: --max-streams "
		              "allows no more", serve->counts.streams_open);
	serve_header(request, "Retry-After", EV_STR("1"));
	return false;
}

void
serve_logs_get(struct serve_request *request)
{
	bool stream = serve_wants_stream(request);
	struct ev_agent_query query;
	struct job *job;

	if (!read_query(request, &query, stream) ||
	    (stream && !has_room(request))) {
		serve_finish(request);
		return;
	}
	if (!stream) {
		job = ev_mem_alloc(sizeof *job);
		job->kind = JOB_GET;
		job->query = query;
		hand_on(request, job);
	} else if (ev_str_equal(ev_http_method(request->http),
	                        EV_STR("HEAD"))) {
		serve_json(request);
		request->answer.type = "text/event-stream";
		serve_finish(request);
	} else {
		open_stream(request, &query);
	}
}
