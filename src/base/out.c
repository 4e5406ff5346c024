#include "base/out.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

static void
drain(struct ev_out *out)
{
	const char *at = out->buf.ptr;
	size_t left = out->buf.len;

	while (left && !out->error) {
		ssize_t wrote = write(out->fd, at, left);

		if (wrote > 0) {
			at += wrote;
			left -= (size_t)wrote;
		} else if (wrote < 0 && errno == EAGAIN) {
			/* somebody made our end non-blocking: wait for room */
			struct pollfd fd = { .fd = out->fd, .events = POLLOUT };

			poll(&fd, 1, -1);
		} else if (wrote < 0 && errno != EINTR) {
			out->error = errno;
		}
	}
	ev_buf_reset(&out->buf);
}

void
ev_out_add(struct ev_out *out, struct ev_str bytes)
{
	if (out->error)
		return;
	ev_buf_add_str(&out->buf, bytes);
	if (out->buf.len >= PIECE)
		drain(out);
}

void
ev_out_line(struct ev_out *out, struct ev_str bytes)
{
	if (out->error)
		return;
	ev_buf_add_str(&out->buf, bytes);
	ev_buf_add_char(&out->buf, '\n');
	if (out->buf.len >= PIECE)
		drain(out);
}

enum ev_status
ev_out_flush(struct ev_out *out, const char *what, struct ev_err *err)
{
	drain(out);
	if (out->error)
		return ev_err_set(err, EV_IO, "cannot write to %s: %s", what,
		                  strerror(out->error));
	return EV_OK;
}

void
ev_out_release(struct ev_out *out)
{
	ev_buf_release(&out->buf);
}
