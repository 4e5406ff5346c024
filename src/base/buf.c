#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void
ev_buf_release(struct ev_buf *buf)
{
	free(buf->ptr);
	*buf = (struct ev_buf){ 0 };
}

char *
ev_buf_reserve(struct ev_buf *buf, size_t more)
{
	size_t need = buf->len + more;
	size_t cap = buf->cap ? buf->cap : 128;

	if (need < more || need > SIZE_MAX / 2)
		ev_mem_exhausted();
	if (need > buf->cap || !buf->ptr) {
		while (cap < need)
			cap *= 2;
		buf->ptr = ev_mem_resize(buf->ptr, cap);
		buf->cap = cap;
	}
	return buf->ptr + buf->len;
}

void
ev_buf_add_int(struct ev_buf *buf, long long number)
{
	char digits[24];
	char *p = digits + sizeof digits;
	unsigned long long n = number < 0 ? 0ULL - (unsigned long long)number
	                                  : (unsigned long long)number;

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	if (number < 0)
		*--p = '-';
	ev_buf_add(buf, p, (size_t)(digits + sizeof digits - p));
}

void
ev_buf_printf(struct ev_buf *buf, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return;
	ev_buf_reserve(buf, (size_t)len + 1);
	va_start(args, format);
	vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}
