#include "cmd/serve_live.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/opt.h"
#include "cmd/cli.h"
#include "cmd/serve_events.h"
#include "cmd/serve_tail.h"

enum {
	RING_EVENTS = 16384,
	RING_BYTES = 8 << 20,
	CHUNK_BYTES = 16 * 1024, /* of older events, for one reader at a time */
	TURN_MS = 20,            /* of reading them */
	LATE_MS = 10000, /* to catch up, once fallen behind what is in memory */
	STUCK_MS = 60000, /* without taking anything of what is there */
	/* Waking a reader costs so much: with many, several events at once. */
	WAKE_MICROS = 25,
	WAKE_MOST_MICROS = 100000,
	WAKE_AT_ONCE = 64, /* so that others get their turn in between */
	BEAT_MS = 50       /* heartbeats are not worth waking more often */
};

/* The forms of an event that readers share; the first is how it comes. */
enum { FORM_COUNT = 2 * (FORM_CLOUDEVENTS + 1) };

/* Reading older events, for one reader. The thread has it while it is out. */
struct catch_up {
	struct client *next;
	bool out;
	int64_t from, to;
	int64_t window;
	int64_t position; /* up to here, everything is in the chunk */
	struct ev_str chunk;
	uint64_t events;
	enum ev_status status;
	struct ev_err err;
};

struct client {
	struct client *next, *before; /* in a circle */
	struct serve_live *live;
	struct serve_request *request; /* NULL: it has left */
	struct live_options options;
	bool open_filter;
	int64_t position; /* up to here, all was sent, or did not pass */
	bool catching_up; /* else it is given what is in memory */
	int64_t late;  /* ms: fallen behind since, 0: it has not */
	int64_t in_time; /* ms: when it last had not */
	int64_t taken; /* ms: when it last took something */
	bool asleep;   /* it has all there is, and has to be woken */
	bool beat;     /* a heartbeat is due */
	bool over;     /* after what is in `text` */
	/* what is being sent, and who has it: the event, or `own` */
	struct ev_str text;
	struct tail_event *event;
	char *own;
	struct catch_up older;
};

struct serve_live {
	struct serve *serve;
	bool stopping;
	bool upcasts; /* do the catalogs have any? */
	bool news;    /* since the last round of waking began */
	bool started; /* the thread */
	int late_ms;

	struct tail_event **ring; /* by position % ring_size */
	size_t ring_size, ring_bytes;
	int64_t first, last; /* positions in it; last + 1, last: empty */
	struct ev_catalogs *catalogs;
	struct ev_buf scratch, text;

	struct client *clients; /* in a circle */
	size_t client_count;
	struct client *waking; /* who is next in a round; NULL: there is none */
	size_t waking_left;
	int64_t round; /* µs, when the last one began */
	struct client *beating; /* who is next for a heartbeat */
	int64_t beaten; /* µs, when the last one was */

	/* the thread that reads older events */
	pthread_t thread;
	struct ev_store *store;
	struct ev_catalogs opened; /* that the store may refer to */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool stop;
	struct client *asked, **asked_end;
	struct client *read; /* are done */
	struct ev_catalogs *newer; /* for the thread */
};

static bool
have_upcasts(const struct ev_catalogs *catalogs)
{
	for (size_t i = 0; i < catalogs->count; i++)
		if (ev_catalog_has_upcasts(catalogs->list[i]))
			return true;
	return false;
}

/* ---- events in memory */

static struct tail_event **
slot(struct serve_live *live, int64_t position)
{
	return &live->ring[(size_t)position % live->ring_size];
}

static void
release_event(struct tail_event *event)
{
	if (--event->uses)
		return;
	for (size_t i = 0; event->forms && i < FORM_COUNT; i++)
		if (event->forms[i].ptr != event->text.ptr)
			free((char *)event->forms[i].ptr);
	tail_event_free(event);
}

static size_t
weigh(const struct tail_event *event)
{
	size_t bytes = sizeof *event + event->text.len;

	for (size_t i = 0; event->forms && i < FORM_COUNT; i++)
		if (event->forms[i].ptr != event->text.ptr)
			bytes += event->forms[i].len;
	return bytes;
}

static void
drop_oldest(struct serve_live *live)
{
	struct tail_event *event = *slot(live, live->first);

	*slot(live, live->first++) = NULL;
	live->ring_bytes -= weigh(event);
	release_event(event);
}

/* The newest one is kept whatever its size. */
static void
shrink(struct serve_live *live)
{
	while (live->first < live->last && live->ring_bytes > RING_BYTES)
		drop_oldest(live);
}

static void
add_event(struct serve_live *live, struct tail_event *event)
{
	/* positions have no holes, unless the log is damaged */
	while (live->first <= live->last &&
	       (event->position != live->last + 1 ||
	        (size_t)(live->last - live->first) + 1 >= live->ring_size))
		drop_oldest(live);
	if (live->first > live->last)
		live->first = event->position;
	live->last = event->position;
	event->uses = 1;
	*slot(live, event->position) = event;
	live->ring_bytes += weigh(event);
	shrink(live);
	live->news = true;
}

static void
take_news(struct serve_live *live)
{
	struct tail_news news = serve_tail_take(live->serve);
	struct tail_event *next;

	if (news.catalogs[0]) {
		tail_catalogs_free(live->catalogs);
		live->catalogs = news.catalogs[0];
		live->upcasts = have_upcasts(live->catalogs);
		pthread_mutex_lock(&live->lock);
		tail_catalogs_free(live->newer);
		live->newer = news.catalogs[1];
		pthread_mutex_unlock(&live->lock);
	}
	for (; news.events; news.events = next) {
		next = news.events->next;
		add_event(live, news.events);
	}
}

/* Appends the event as a reader wants it; one that its form cannot say is told
   of instead. */
static void
write_event(struct ev_buf *out, struct ev_buf *scratch,
            const struct live_options *options, struct ev_str json,
            const struct ev_line *line, const struct ev_catalogs *catalogs)
{
	struct ev_err err;

	ev_buf_reset(scratch);
	if (!printer_format(scratch, options->form, json, line, catalogs,
	                    options->raw ? NULL : catalogs, &err)) {
		tail_event_write(out, line->position, line->type,
		                 ev_buf_str(scratch));
		return;
	}
	ev_buf_reset(scratch);
	ev_buf_printf(scratch, "{\"position\":%lld,\"detail\":",
	              (long long)line->position);
	ev_json_write_string(scratch, ev_str(err.text));
	ev_buf_add_char(scratch, '}');
	tail_event_write(out, line->position, EV_STR("unprintable"),
	                 ev_buf_str(scratch));
}

/* The event's text in a form, made when it is first wanted. */
static struct ev_str
form_event(struct serve_live *live, struct tail_event *event,
           const struct live_options *options)
{
	bool as_is = options->raw || !live->upcasts;
	struct ev_str *form;

	if (options->form == FORM_CANONICAL && as_is)
		return event->text;
	if (!event->forms)
		event->forms = ev_mem_alloc(FORM_COUNT * sizeof *event->forms);
	form = &event->forms[2 * options->form + options->raw];
	if (form->ptr)
		return *form;
	ev_buf_reset(&live->text);
	write_event(&live->text, &live->scratch, options, event->json,
	            &event->line, live->catalogs);
	if (ev_str_equal(ev_buf_str(&live->text), event->text))
		return *form = event->text;
	form->ptr = memcpy(ev_mem_alloc(live->text.len), live->text.ptr,
	                   live->text.len);
	form->len = live->text.len;
	/* what has left the ring is not counted any more */
	if (event->position >= live->first)
		live->ring_bytes += form->len;
	return *form;
}

/* ---- older events */

/* A reader's chunk: as many events as fit, or what a turn comes to. */
static void
read_older(struct serve_live *live, struct client *client,
           const struct ev_catalogs *catalogs, struct ev_buf *text,
           struct ev_buf *scratch)
{
	struct catch_up *older = &client->older;
	struct serve_search search = {
		.store = live->store,
		.catalogs = catalogs,
		.filter = &client->options.filter.filter,
		.from = older->from,
		.to = older->to,
		.turn_ms = TURN_MS,
		.window = older->window,
	};
	enum ev_status status = EV_OK;
	struct ev_line line;
	struct ev_str json;

	ev_buf_reset(text);
	older->events = 0;
	while (text->len < CHUNK_BYTES &&
	       !(status = serve_search_next(&search, &json, &line,
	                                    &older->err))) {
		write_event(text, scratch, &client->options, json, &line,
		            catalogs);
		older->events++;
	}
	older->position = status == EV_NO ? older->to : search.from - 1;
	older->window = search.window;
	older->status = status == EV_NO || status == EV_BUSY ? EV_OK : status;
	serve_search_close(&search);
	older->chunk = (struct ev_str){ 0 };
	if (text->len)
		older->chunk = (struct ev_str){
			memcpy(ev_mem_alloc(text->len), text->ptr, text->len),
			text->len
		};
	/* one huge event must not keep its memory */
	if (text->cap > 4 * CHUNK_BYTES)
		ev_buf_release(text);
	if (scratch->cap > 4 * CHUNK_BYTES)
		ev_buf_release(scratch);
}

/* First come, first served, one chunk each. */
static void *
catch_up(void *context)
{
	struct serve_live *live = context;
	struct ev_catalogs *catalogs = tail_catalogs_copy(&live->opened);
	struct ev_buf text = { 0 }, scratch = { 0 };

	pthread_mutex_lock(&live->lock);
	while (!live->stop) {
		struct client *client = live->asked;

		if (live->newer) {
			tail_catalogs_free(catalogs);
			catalogs = live->newer;
			live->newer = NULL;
		}
		if (!client) {
			pthread_cond_wait(&live->changed, &live->lock);
			continue;
		}
		live->asked = client->older.next;
		if (!live->asked)
			live->asked_end = &live->asked;
		pthread_mutex_unlock(&live->lock);
		read_older(live, client, catalogs, &text, &scratch);
		pthread_mutex_lock(&live->lock);
		client->older.next = live->read;
		live->read = client;
		serve_wake(live->serve);
	}
	pthread_mutex_unlock(&live->lock);
	tail_catalogs_free(catalogs);
	ev_buf_release(&text);
	ev_buf_release(&scratch);
	return NULL;
}

static void
ask_for_older(struct client *client)
{
	struct serve_live *live = client->live;
	struct catch_up *older = &client->older;

	if (older->out)
		return;
	older->out = true;
	older->from = client->position + 1;
	older->to = live->last;
	if (older->to > client->options.filter.filter.to)
		older->to = client->options.filter.filter.to;
	older->next = NULL;
	pthread_mutex_lock(&live->lock);
	*live->asked_end = client;
	live->asked_end = &older->next;
	pthread_cond_signal(&live->changed);
	pthread_mutex_unlock(&live->lock);
}

/* ---- what a reader is sent */

static void
release_text(struct client *client)
{
	if (client->event)
		release_event(client->event);
	client->event = NULL;
	free(client->own);
	client->own = NULL;
	client->text = (struct ev_str){ 0 };
}

static void __attribute__((format(printf, 2, 3)))
say(struct client *client, const char *format, ...)
{
	va_list arguments;
	char text[1536];
	int len;

	va_start(arguments, format);
	len = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	client->own = ev_mem_alloc((size_t)len + 1);
	memcpy(client->own, text, (size_t)len);
	client->text = (struct ev_str){ client->own, (size_t)len };
}

/* The last thing that it is sent. */
static void
say_and_end(struct client *client, const char *event)
{
	say(client, "event: %s\ndata: {\"position\":%lld,\"head\":%lld}\n\n",
	    event, (long long)client->position, (long long)client->live->last);
	client->over = true;
}

static void
say_failed(struct client *client)
{
	struct ev_buf detail = { 0 };

	ev_json_write_string(&detail, ev_str(client->older.err.text));
	say(client, "event: failed\ndata: {\"position\":%lld,\"head\":%lld,"
	    "\"detail\":%.*s}\n\n", (long long)client->position,
	    (long long)client->live->last,
	    detail.len < 1200 ? (int)detail.len : 4,
	    detail.len < 1200 ? detail.ptr : "null");
	ev_buf_release(&detail);
	client->over = true;
}

static bool
passes(struct client *client, const struct tail_event *event)
{
	struct serve_live *live = client->live;

	return event->damaged ||
	       (client->open_filter &&
	        event->position <= client->options.filter.filter.to) ||
	       ev_filter_match(&client->options.filter.filter, &event->line,
	                       live->catalogs, &live->scratch);
}

/* Has it all that it asked for? */
static bool
is_at_end(const struct client *client)
{
	return client->position >= client->options.filter.filter.to;
}

/* Has it fallen out of what is in memory? */
static bool
is_behind(const struct client *client)
{
	return client->position + 1 < client->live->first;
}

/* The next event in memory for it; NULL: there is none. */
static struct tail_event *
find_event(struct client *client)
{
	struct serve_live *live = client->live;

	for (; client->position < live->last; client->position++) {
		struct tail_event *event = *slot(live, client->position + 1);

		if (passes(client, event))
			return event;
	}
	return NULL;
}

static bool
send_event(struct client *client)
{
	struct tail_event *event = find_event(client);

	if (!event)
		return false;
	if (event->damaged) {
		ev_err_set(&client->older.err, EV_IO, "position %lld is "
		           "damaged, ask ev-verify",
		           (long long)event->position);
		say_failed(client);
		return true;
	}
	client->position = event->position;
	client->text = form_event(client->live, event, &client->options);
	client->event = event;
	event->uses++;
	client->live->serve->counts.stream_events++;
	return true;
}

/* From what was read for it, or by having it read. */
static bool
send_older(struct client *client)
{
	struct catch_up *older = &client->older;

	if (older->out)
		return false;
	if (older->status) {
		say_failed(client);
		return true;
	}
	if (older->chunk.len) {
		client->text = older->chunk;
		client->own = (char *)older->chunk.ptr;
		client->position = older->position;
		client->live->serve->counts.stream_events += older->events;
		older->chunk = (struct ev_str){ 0 };
		return true;
	}
	ask_for_older(client);
	return false;
}

/*
 * Falling behind happens to everybody when much comes at once; who is quick is
 * back soon. Who is not is told, and may come again.
 */
static bool
is_too_late(struct client *client, int64_t now)
{
	struct serve_live *live = client->live;

	if (!is_behind(client)) {
		if (!client->older.out && !client->older.chunk.len) {
			client->catching_up = false;
			client->late = 0;
		}
		if (!client->catching_up)
			client->in_time = now;
		return false;
	}
	if (!client->catching_up) {
		client->catching_up = true;
		client->late = client->in_time;
	}
	return client->late && now - client->late >= live->late_ms;
}

/* Finds what it is sent next, if there is anything. */
static bool
refill(struct client *client, int64_t now)
{
	struct serve_live *live = client->live;

	if (live->stopping) {
		say_and_end(client, "bye");
		return true;
	}
	if (is_too_late(client, now)) {
		live->serve->counts.streams_cut++;
		say_and_end(client, "lagging");
		return true;
	}
	if (client->beat) {
		client->beat = false;
		say(client, ": heartbeat %lld\n\n",
		    (long long)client->position);
		return true;
	}
	if (is_at_end(client)) {
		say_and_end(client, "end");
		return true;
	}
	return client->catching_up ? send_older(client) : send_event(client);
}

static ptrdiff_t
read_stream(void *context, char *bytes, size_t max)
{
	struct client *client = context;
	int64_t now = ev_time_steady_ms();
	size_t len = 0;

	client->taken = now;
	for (;;) {
		size_t part = client->text.len < max - len ? client->text.len
		                                           : max - len;

		if (part)
			memcpy(bytes + len, client->text.ptr, part);
		client->text.ptr += part;
		client->text.len -= part;
		len += part;
		if (len == max)
			return (ptrdiff_t)len;
		release_text(client);
		if (client->over)
			return len ? (ptrdiff_t)len : -1;
		if (!refill(client, now))
			break;
	}
	client->asleep = len == 0;
	return (ptrdiff_t)len;
}

/* ---- readers come and go */

static void
free_client(struct client *client)
{
	release_text(client);
	free((char *)client->older.chunk.ptr);
	filter_options_release(&client->options.filter);
	free(client);
}

static struct client *
step(const struct serve_live *live, struct client *client)
{
	return live->client_count ? client->next : NULL;
}

static void
leave(struct serve_request *request)
{
	struct client *client = request->data;
	struct serve_live *live = client->live;

	live->serve->counts.streams_open--;
	live->client_count--;
	if (live->waking == client)
		live->waking = step(live, client);
	if (live->beating == client)
		live->beating = step(live, client);
	if (live->clients == client)
		live->clients = step(live, client);
	client->next->before = client->before;
	client->before->next = client->next;
	client->request = NULL;
	/* else the thread has it, and it is freed when it comes back */
	if (!client->older.out)
		free_client(client);
}

/* Behind the one that had its heartbeat last: its own comes a round later. */
static void
enter(struct serve_live *live, struct client *client)
{
	if (!live->clients) {
		client->next = client->before = client;
		live->clients = live->beating = client;
		live->beaten = ev_time_steady();
	} else {
		client->next = live->beating;
		client->before = live->beating->before;
		client->before->next = client->next->before = client;
	}
	live->client_count++;
}

void
serve_live_begin(struct serve_request *request, struct live_options *options)
{
	struct serve *serve = request->serve;
	struct serve_live *live = serve->live;
	struct ev_http_source source = { .read = read_stream };
	struct ev_buf beginning = { 0 };
	struct client *client;
	enum ev_status status;
	struct ev_err err;

	status = filter_options_resolve(&options->filter, live->catalogs, &err);
	if (!status && serve->counts.streams_open >= serve->settings.streams)
		status = ev_err_set(&err, EV_BUSY, "there are %u streams "
		                    "already: --max-streams sets the limit",
		                    serve->counts.streams_open);
	if (status) {
		filter_options_release(&options->filter);
		serve_fail(request, status, &err);
		serve_finish(request);
		return;
	}
	if (options->after < 0)
		options->after = live->last;
	client = ev_mem_alloc(sizeof *client);
	*client = (struct client){ .live = live, .request = request,
	                           .options = *options,
	                           .position = options->after };
	client->open_filter = ev_filter_is_open(&options->filter.filter) &&
	                      options->filter.filter.since == EV_TIME_NONE &&
	                      options->filter.filter.until == EV_TIME_NONE &&
	                      options->filter.filter.from <=
	                              client->position + 1;
	client->taken = client->in_time = ev_time_steady_ms();
	client->catching_up = is_behind(client);
	enter(live, client);
	serve->counts.streams_opened++;
	serve->counts.streams_open++;
	request->data = source.context = client;
	request->ended = leave;
	ev_buf_printf(&beginning, "retry: 2000\n: after position %lld\n\n",
	              (long long)client->position);
	serve_stream(request, ev_buf_str(&beginning), &source);
	ev_buf_release(&beginning);
}

/* ---- the loop's turn */

static void
wake(struct client *client)
{
	if (!client->asleep)
		return;
	client->asleep = false;
	client->in_time = ev_time_steady_ms(); /* it had everything until now */
	ev_http_wake(client->request->http);
}

/* Those whose older events have been read. */
static void
take_older(struct serve_live *live)
{
	struct client *client, *next;

	pthread_mutex_lock(&live->lock);
	client = live->read;
	live->read = NULL;
	pthread_mutex_unlock(&live->lock);
	for (; client; client = next) {
		next = client->older.next;
		client->older.out = false;
		if (!client->request) {
			free_client(client);
			continue;
		}
		/* nothing passed there: that far it is, too */
		if (!client->older.status && !client->older.chunk.len)
			client->position = client->older.position;
		wake(client);
	}
}

static int64_t
round_micros(const struct serve_live *live)
{
	int64_t micros = (int64_t)live->client_count * WAKE_MICROS;

	return micros < WAKE_MOST_MICROS ? micros : WAKE_MOST_MICROS;
}

static void
wake_some(struct serve_live *live, int64_t now)
{
	if (!live->waking && live->news &&
	    now >= live->round + round_micros(live)) {
		live->news = false;
		live->round = now;
		live->waking = live->clients;
		live->waking_left = live->client_count;
	}
	for (size_t woken = 0; live->waking && woken < WAKE_AT_ONCE;) {
		struct client *client = live->waking;

		if (client->asleep && !client->catching_up &&
		    (is_behind(client) || find_event(client) ||
		     is_at_end(client))) {
			wake(client);
			woken++;
		}
		live->waking = client->next;
		if (--live->waking_left == 0)
			live->waking = NULL;
	}
}

/* Between two heartbeats, of whichever readers, µs. */
static int64_t
beat_micros(const struct serve_live *live)
{
	int64_t beat = (int64_t)live->serve->settings.heartbeat_ms * 1000;

	return beat / (int64_t)live->client_count;
}

/* They also show who has gone, and who takes nothing any more. */
static void
beat_some(struct serve_live *live, int64_t now)
{
	size_t left = live->client_count;
	int64_t wait;

	if (!left || live->serve->settings.heartbeat_ms <= 0)
		return;
	wait = beat_micros(live);
	for (; left && now - live->beaten >= wait; left--) {
		struct client *client = live->beating;

		live->beaten += wait;
		live->beating = client->next;
		client->beat = true;
		if (client->asleep) {
			wake(client);
		} else if (now / 1000 - client->taken >= STUCK_MS) {
			live->serve->counts.streams_cut++;
			client->taken = now / 1000; /* it ends only once */
			ev_http_cut(client->request->http);
		}
	}
	if (now - live->beaten >= wait)
		live->beaten = now;
}

void
serve_live_run(struct serve *serve)
{
	struct serve_live *live = serve->live;
	int64_t now = ev_time_steady();

	if (!live)
		return;
	take_news(live);
	take_older(live);
	wake_some(live, now);
	if (!live->stopping)
		beat_some(live, now);
}

int
serve_live_timeout(struct serve *serve)
{
	const struct serve_live *live = serve->live;
	int64_t now = ev_time_steady(), next = INT64_MAX;

	if (!live || !live->client_count)
		return -1;
	if (live->waking)
		return 0;
	if (live->news)
		next = live->round + round_micros(live);
	if (serve->settings.heartbeat_ms > 0) {
		int64_t wait = beat_micros(live);
		int64_t least = (int64_t)serve->settings.heartbeat_ms * 250;

		if (least > BEAT_MS * 1000)
			least = BEAT_MS * 1000;
		if (wait < least)
			wait = least;
		if (live->beaten + wait < next)
			next = live->beaten + wait;
	}
	if (next == INT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

void
serve_live_stop(struct serve *serve)
{
	struct serve_live *live = serve->live;
	struct client *client = live ? live->clients : NULL;

	if (!live)
		return;
	live->stopping = true;
	for (size_t i = live->client_count; i; i--, client = client->next)
		wake(client);
}

int64_t
serve_live_position(const struct serve *serve)
{
	return serve->live->last;
}

/* ---- beginning and end */

static int64_t
from_environment(const char *name, int64_t least, int64_t usual)
{
	const char *text = getenv(name);
	int64_t number;

	return text && ev_opt_int(text, least, INT_MAX, &number) ? number
	                                                         : usual;
}

enum ev_status
serve_live_open(struct serve *serve, struct ev_err *err)
{
	struct serve_live *live = ev_mem_alloc(sizeof *live);
	enum ev_status status;
	struct ev_head head;
	int error;

	serve->live = live;
	live->serve = serve;
	live->asked_end = &live->asked;
	pthread_mutex_init(&live->lock, NULL);
	pthread_cond_init(&live->changed, NULL);
	live->ring_size = (size_t)from_environment("EV_LIVE_EVENTS", 1,
	                                           RING_EVENTS);
	live->late_ms = (int)from_environment("EV_LIVE_MS", 0, LATE_MS);
	live->ring = ev_mem_alloc(live->ring_size * sizeof *live->ring);
	if ((status = cli_open(&live->store, serve->settings.log,
	                       EV_STORE_FOLLOW, err)) ||
	    (status = printer_catalogs(&live->opened, live->store, err)) ||
	    (status = live->store->ops->head(live->store, &head, err)))
		return status;
	live->catalogs = tail_catalogs_copy(&live->opened);
	live->upcasts = have_upcasts(live->catalogs);
	live->last = head.position;
	live->first = head.position + 1;
	error = pthread_create(&live->thread, NULL, catch_up, live);
	if (error)
		return ev_err_set(err, EV_IO, "cannot start a thread: %s",
		                  strerror(error));
	live->started = true;
	return EV_OK;
}

static void
free_left(struct client *client)
{
	struct client *next;

	for (; client; client = next) {
		next = client->older.next;
		free_client(client);
	}
}

void
serve_live_close(struct serve *serve)
{
	struct serve_live *live = serve->live;

	if (!live)
		return;
	if (live->started) {
		pthread_mutex_lock(&live->lock);
		live->stop = true;
		pthread_cond_signal(&live->changed);
		pthread_mutex_unlock(&live->lock);
		pthread_join(live->thread, NULL);
	}
	/* HTTP has ended, and with it every reader: these were out */
	free_left(live->asked);
	free_left(live->read);
	while (live->first <= live->last)
		drop_oldest(live);
	free(live->ring);
	if (live->store)
		live->store->ops->close(live->store);
	ev_catalogs_release(&live->opened);
	tail_catalogs_free(live->catalogs);
	tail_catalogs_free(live->newer);
	ev_buf_release(&live->scratch);
	ev_buf_release(&live->text);
	pthread_cond_destroy(&live->changed);
	pthread_mutex_destroy(&live->lock);
	free(live);
	serve->live = NULL;
}
