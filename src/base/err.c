#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/*
 * A message is one line, and shows as what it says, whatever text was put into
 * it: what would drive a terminal, reorder the line or not show at all becomes
 * a question mark, and so does a character that was cut at the buffer's end.
 */
static void
flatten(char *text)
{
	struct ev_str rest = ev_str(text);
	char *to = text;

	while (rest.len) {
		const char *from = rest.ptr;
		uint32_t code;

		if (!ev_utf8_next(&rest, &code) || ev_utf8_hidden(code))
			*to++ = '?';
		else
			while (from < rest.ptr)
				*to++ = *from++;
	}
	*to = '\0';
}

enum ev_status
ev_err_vset(struct ev_err *err, enum ev_status status, const char *format,
            va_list arguments)
{
	vsnprintf(err->text, sizeof err->text, format, arguments);
	flatten(err->text);
	return status;
}

enum ev_status
ev_err_set(struct ev_err *err, enum ev_status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ev_err_vset(err, status, format, args);
	va_end(args);
	return status;
}

enum ev_status
ev_err_prefix(struct ev_err *err, enum ev_status status, const char *format,
              ...)
{
	char old[sizeof err->text];
	va_list args;
	size_t len;

	memcpy(old, err->text, sizeof old);
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof err->text - len, ": %s", old);
	flatten(err->text);
	return status;
}
