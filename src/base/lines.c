#include "base/lines.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

/* Where the record that begins at `begin` ends; NULL: not here yet. */
static const char *
find_end(struct ev_lines *lines)
{
	const char *end;

	if (!lines->buf.ptr)
		return NULL;
	end = memchr(lines->buf.ptr + lines->seen, lines->end,
	             lines->buf.len - lines->seen);
	if (!end)
		lines->seen = lines->buf.len;
	return end;
}

/* Makes room, moving what is unread to the front, and reads once. */
static ssize_t
read_more(struct ev_lines *lines)
{
	struct ev_buf *buf = &lines->buf;
	ssize_t got;

	if (lines->begin) {
		memmove(buf->ptr, buf->ptr + lines->begin,
		        buf->len - lines->begin);
		buf->len -= lines->begin;
		lines->seen -= lines->begin;
		lines->begin = 0;
	}
	got = read(lines->fd, ev_buf_reserve(buf, PIECE), PIECE);
	if (got > 0)
		buf->len += (size_t)got;
	return got;
}

/* Forgets what has come of a record that is too long. */
static void
skip(struct ev_lines *lines)
{
	lines->skipping = true;
	lines->buf.len = lines->begin = lines->seen = 0;
}

static struct ev_str
take(struct ev_lines *lines, const char *end)
{
	struct ev_str record = {
		lines->buf.ptr + lines->begin,
		(size_t)(end - lines->buf.ptr) - lines->begin
	};

	lines->begin = lines->seen = (size_t)(end - lines->buf.ptr) + 1;
	lines->number++;
	return record;
}

enum ev_status
ev_lines_next(struct ev_lines *lines, struct ev_str *record,
              struct ev_err *err)
{
	for (;;) {
		const char *end = find_end(lines);
		size_t len = lines->buf.len - lines->begin;
		ssize_t got;

		if (!end && lines->at_end && (len || lines->skipping)) {
			/* the last record, without its end */
			end = lines->buf.ptr + lines->buf.len;
			*record = take(lines, end);
			lines->begin = lines->seen = lines->buf.len;
		} else if (end) {
			*record = take(lines, end);
		} else if (lines->at_end) {
			return EV_NO;
		} else if (len > lines->max) {
			skip(lines);
			continue;
		} else {
			got = read_more(lines);
			if (got < 0 && errno == EINTR)
				return EV_NO;
			if (got < 0)
				return ev_err_set(err, EV_IO, "cannot read: %s",
				                  strerror(errno));
			lines->at_end = got == 0;
			continue;
		}
		if (lines->skipping || record->len > lines->max) {
			lines->skipping = false;
			return ev_err_set(err, EV_BAD_INPUT,
			                  "longer than %zu bytes", lines->max);
		}
		return EV_OK;
	}
}

bool
ev_lines_ready(struct ev_lines *lines)
{
	struct pollfd fd = { .fd = lines->fd, .events = POLLIN };

	return lines->at_end || find_end(lines) || poll(&fd, 1, 0) != 0;
}

void
ev_lines_release(struct ev_lines *lines)
{
	ev_buf_release(&lines->buf);
}
