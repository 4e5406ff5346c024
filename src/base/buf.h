#ifndef EV_BASE_BUF_H
#define EV_BASE_BUF_H

#include "base/str.h"

/*
 * Bytes that we own and that grow. {0} is empty and valid. Running out of
 * memory ends the process with EV_IO and one line (see base/mem.h), so no
 * function here can fail. What ev_buf_str lends dies at the next change.
 */
struct ev_buf {
	char *ptr;
	size_t len;
	size_t cap;
};

void ev_buf_release(struct ev_buf *buf);

/* Makes room for `more` bytes after len and returns where they go. */
char *ev_buf_reserve(struct ev_buf *buf, size_t more);

static inline void
ev_buf_add(struct ev_buf *buf, const void *bytes, size_t len)
{
	if (!len)
		return;
	if (buf->cap - buf->len < len)
		ev_buf_reserve(buf, len);
	memcpy(buf->ptr + buf->len, bytes, len);
	buf->len += len;
}

static inline void
ev_buf_add_char(struct ev_buf *buf, char c)
{
	if (buf->len == buf->cap)
		ev_buf_reserve(buf, 1);
	buf->ptr[buf->len++] = c;
}

void ev_buf_add_int(struct ev_buf *buf, long long number);
void ev_buf_printf(struct ev_buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline void
ev_buf_add_str(struct ev_buf *buf, struct ev_str s)
{
	ev_buf_add(buf, s.ptr, s.len);
}

/* Empties, keeping the room. */
static inline void
ev_buf_reset(struct ev_buf *buf)
{
	buf->len = 0;
}

static inline struct ev_str
ev_buf_str(const struct ev_buf *buf)
{
	return (struct ev_str){ buf->ptr, buf->len };
}

#endif
