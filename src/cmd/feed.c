#include "cmd/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cli.h"
#include "domain/line_reader.h"

enum {
	BATCHES = 4,
	BATCH_SIZE = 256 * 1024, /* all of them stay in a core's cache */
	/* an event as it was appended, and its envelope; documents grow */
	EVENT_BYTES = EV_JSON_SIZE_MAX + 64 * 1024,
	DOCUMENT_BYTES = 256 * 1024 * 1024
};

struct batch {
	struct ev_buf bytes;
	struct ev_arena arena; /* what had to be written anew */
	struct feed_item *items;
	size_t count, room;
	enum ev_status end; /* EV_OK: more batches follow */
	struct ev_err err;
};

struct feed {
	const struct feed_options *options;
	pthread_t thread;
	sigset_t mask; /* of the caller, before */
	bool ended;

	pthread_mutex_t lock;
	pthread_cond_t moved;
	size_t filled; /* batches, since the beginning */
	size_t taken;
	struct batch batches[BATCHES];

	/* the reader's own */
	struct batch *batch;
	const char *file;
	size_t number;
	bool skipping; /* the rest of a line that was too long */
	struct ev_buf rest; /* of a batch, the beginning of a line */
	struct ev_line_reader reader;

	/* the caller's own */
	struct batch *at; /* NULL: none at hand */
	size_t next;
};

static struct feed_item *
add_item(struct feed *feed)
{
	struct batch *batch = feed->batch;

	if (batch->count == batch->room) {
		batch->room = batch->room ? 2 * batch->room : 256;
		batch->items = ev_mem_resize(batch->items,
		                             batch->room *
		                             sizeof *batch->items);
	}
	batch->items[batch->count].file = feed->file;
	batch->items[batch->count].number = feed->number;
	return &batch->items[batch->count++];
}

static void
add_bad(struct feed *feed, struct feed_item *item, const struct ev_err *err)
{
	item->status = EV_BAD_INPUT;
	item->u.why = ev_arena_dup(&feed->batch->arena, ev_str(err->text));
}

static void
take_line(struct feed *feed, struct ev_str text)
{
	struct ev_arena *arena = &feed->batch->arena;
	struct feed_item *item;
	struct ev_err err;

	feed->number++;
	if (feed->skipping) {
		feed->skipping = false;
		return;
	}
	if (ev_str_is_blank(text))
		return;
	item = add_item(feed);
	if (feed->options->form == FEED_EVENTS)
		item->status = ev_line_read(&item->u.line, &feed->reader, text,
		                            arena, &err);
	else
		item->status = ev_line_read_document(&item->u.document.key,
		                                     &item->u.document.json,
		                                     &feed->reader, text,
		                                     arena, &err);
	if (item->status)
		add_bad(feed, item, &err);
}

/* ---- the reading thread */

/* Waits for a batch that the caller does not use. */
static void
begin_batch(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	while (feed->filled - feed->taken == BATCHES)
		pthread_cond_wait(&feed->moved, &feed->lock);
	pthread_mutex_unlock(&feed->lock);
	feed->batch = &feed->batches[feed->filled % BATCHES];
	feed->batch->count = 0;
	ev_arena_reset(&feed->batch->arena);
	ev_buf_reset(&feed->batch->bytes);
	ev_buf_add_str(&feed->batch->bytes, ev_buf_str(&feed->rest));
	ev_buf_reset(&feed->rest);
}

static void
hand_over(struct feed *feed, enum ev_status end)
{
	feed->batch->end = end;
	pthread_mutex_lock(&feed->lock);
	feed->filled++;
	pthread_cond_signal(&feed->moved);
	pthread_mutex_unlock(&feed->lock);
}

static const char *
last_newline(const struct ev_buf *bytes)
{
	const char *at = bytes->ptr + bytes->len;

	while (at > bytes->ptr)
		if (*--at == '\n')
			return at;
	return NULL;
}

static size_t
longest_line(const struct feed *feed)
{
	return feed->options->form == FEED_EVENTS ? EVENT_BYTES
	                                          : DOCUMENT_BYTES;
}

/* A line that has no end within reason is named once and passed over. */
static void
give_up_line(struct feed *feed)
{
	struct ev_err err;

	if (!feed->skipping) {
		struct feed_item *item = add_item(feed);

		item->number++;
		ev_err_set(&err, EV_BAD_INPUT, "longer than %zu bytes",
		           longest_line(feed));
		add_bad(feed, item, &err);
	}
	feed->skipping = true;
	ev_buf_reset(&feed->batch->bytes);
}

/*
 * Reads until the batch is full, holding at least the end of a line, or until
 * there would be a wait for more. EV_NO: the input is at its end.
 */
static enum ev_status
fill(struct feed *feed, int fd, struct ev_err *err)
{
	struct ev_buf *bytes = &feed->batch->bytes;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	bool line = false;

	for (;;) {
		size_t room = bytes->len < BATCH_SIZE ? BATCH_SIZE - bytes->len
		                                      : BATCH_SIZE;
		char *to = ev_buf_reserve(bytes, room);
		ssize_t got;

		if (cli_stop)
			return EV_NO;
		got = read(fd, to, room);
		if (got < 0 && errno == EAGAIN) /* somebody made it so */
			poll(&ready, 1, -1);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return ev_err_set(err, EV_IO, "cannot read '%s': %s",
			                  feed->file ? feed->file
			                             : "standard input",
			                  strerror(errno));
		if (!got)
			return EV_NO;
		bytes->len += (size_t)got;
		line |= memchr(to, '\n', (size_t)got) != NULL;
		if (!line && bytes->len > longest_line(feed))
			give_up_line(feed);
		else if (line && (bytes->len >= BATCH_SIZE ||
		                  poll(&ready, 1, 0) == 0))
			return EV_OK;
	}
}

/* Takes the batch's lines apart; an unfinished one is kept for the next. */
static void
take_lines(struct feed *feed, bool at_end)
{
	struct ev_buf *bytes = &feed->batch->bytes;
	const char *at = bytes->ptr, *end = bytes->ptr + bytes->len;
	const char *last = bytes->len ? last_newline(bytes) : NULL;

	while (last && at <= last) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		take_line(feed, (struct ev_str){ at,
		                                 (size_t)(newline - at) });
		at = newline + 1;
	}
	if (at < end && at_end)
		take_line(feed, (struct ev_str){ at, (size_t)(end - at) });
	else if (at < end)
		ev_buf_add(&feed->rest, at, (size_t)(end - at));
}

/* EV_NO: a signal came. */
static enum ev_status
read_input(struct feed *feed, int fd, const char *file, struct ev_err *err)
{
	enum ev_status status = EV_OK;

	feed->file = file;
	feed->number = 0;
	feed->skipping = false;
	while (!status) {
		begin_batch(feed);
		status = fill(feed, fd, err);
		/* what a signal cut off is no line */
		take_lines(feed, status == EV_NO && !cli_stop);
		hand_over(feed, EV_OK);
	}
	ev_buf_reset(&feed->rest);
	return status == EV_NO && !cli_stop ? EV_OK : status;
}

static enum ev_status
read_file(struct feed *feed, const char *path, struct ev_err *err)
{
	enum ev_status status;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_input(feed, STDIN_FILENO, NULL, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ev_err_set(err, EV_IO, "cannot read '%s': %s", path,
		                  strerror(errno));
	status = read_input(feed, fd, path, err);
	close(fd);
	return status;
}

static void *
read_all(void *context)
{
	struct feed *feed = context;
	char **file = feed->options->files;
	enum ev_status status = EV_OK;
	struct ev_err err;

	if (!file || !*file)
		status = read_input(feed, STDIN_FILENO, NULL, &err);
	for (; file && *file && !status; file++)
		status = read_file(feed, *file, &err);
	begin_batch(feed);
	if (status && status != EV_NO)
		feed->batch->err = err;
	hand_over(feed, status ? status : EV_NO);
	return NULL;
}

/* ---- the caller */

enum ev_status
feed_new(struct feed **out, const struct feed_options *options,
         struct ev_err *err)
{
	struct feed *feed = ev_mem_alloc(sizeof *feed);
	sigset_t ends;
	int problem;

	feed->options = options;
	feed->reader.catalog = options->catalog;
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->moved, NULL);
	problem = pthread_create(&feed->thread, NULL, read_all, feed);
	if (problem) {
		free(feed);
		return ev_err_set(err, EV_IO, "cannot start a thread: %s",
		                  strerror(problem));
	}
	/* who waits for input has to be woken by them */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, &feed->mask);
	*out = feed;
	return EV_OK;
}

/* Waits until there is a batch. */
static struct batch *
await(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	while (feed->filled == feed->taken)
		pthread_cond_wait(&feed->moved, &feed->lock);
	pthread_mutex_unlock(&feed->lock);
	return &feed->batches[feed->taken % BATCHES];
}

static void
give_back(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	feed->taken++;
	pthread_cond_signal(&feed->moved);
	pthread_mutex_unlock(&feed->lock);
	feed->at = NULL;
	feed->next = 0;
}

static void
end(struct feed *feed)
{
	if (feed->ended)
		return;
	feed->ended = true;
	pthread_join(feed->thread, NULL);
	pthread_sigmask(SIG_SETMASK, &feed->mask, NULL);
}

enum ev_status
feed_next(struct feed *feed, const struct feed_item **item, struct ev_err *err)
{
	for (;;) {
		struct batch *batch = feed->at;

		if (!batch)
			batch = feed->at = await(feed);
		if (feed->next < batch->count) {
			*item = &batch->items[feed->next++];
			return EV_OK;
		}
		if (batch->end) {
			if (batch->end != EV_NO)
				*err = batch->err;
			end(feed);
			return batch->end;
		}
		give_back(feed);
	}
}

bool
feed_is_ready(struct feed *feed)
{
	const struct batch *batch = feed->at;
	size_t count;

	if (batch && (feed->next < batch->count || batch->end))
		return true;
	pthread_mutex_lock(&feed->lock);
	count = feed->filled - feed->taken;
	pthread_mutex_unlock(&feed->lock);
	return count > (batch != NULL);
}

void
feed_free(struct feed *feed)
{
	if (!feed->ended) {
		pthread_sigmask(SIG_SETMASK, &feed->mask, NULL);
		return;
	}
	for (size_t i = 0; i < BATCHES; i++) {
		ev_buf_release(&feed->batches[i].bytes);
		ev_arena_release(&feed->batches[i].arena);
		free(feed->batches[i].items);
	}
	ev_buf_release(&feed->rest);
	ev_line_reader_release(&feed->reader);
	pthread_cond_destroy(&feed->moved);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}
