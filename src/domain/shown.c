#include "domain/shown.h"

#include <stdio.h>

#include "base/utf8.h"
#include "domain/width.h"

enum { VARIATION_SELECTOR_16 = 0xfe0f };

static bool
is_in(uint32_t code, const struct ev_width_range *ranges, size_t count)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = (low + count) / 2;

		if (code > ranges[middle].last)
			low = middle + 1;
		else if (code < ranges[middle].first)
			count = middle;
		else
			return true;
	}
	return false;
}

static int
width_of(uint32_t code)
{
	if (code < 0x300)
		return 1;
	/* terminals differ in whether it widens the emoji before it: better a
	   column too many than a line that wraps */
	if (code == VARIATION_SELECTOR_16)
		return 1;
	if (is_in(code, ev_width_none,
	          sizeof ev_width_none / sizeof *ev_width_none))
		return 0;
	return 1 + is_in(code, ev_width_two,
	                 sizeof ev_width_two / sizeof *ev_width_two);
}

static void
show(struct ev_shown *s, const char *bytes, size_t len, int width)
{
	if (s->full)
		return;
	if (s->limit && s->width + width > s->limit) {
		s->out->len = s->cut;
		ev_buf_add_str(s->out, EV_STR("…"));
		s->width = s->cut_width + 1;
		s->full = true;
		return;
	}
	ev_buf_add(s->out, bytes, len);
	s->width += width;
	if (s->width < s->limit) {
		s->cut = s->out->len;
		s->cut_width = s->width;
	}
}

/* Printable ASCII: a column a byte. */
static void
show_ascii(struct ev_shown *s, struct ev_str text)
{
	size_t n = text.len;

	/* in one piece what leaves room for the …, the rest byte by byte */
	if (s->limit && s->width + 1 >= s->limit)
		n = 0;
	else if (s->limit && n > (size_t)(s->limit - 1 - s->width))
		n = (size_t)(s->limit - 1 - s->width);
	if (n)
		show(s, text.ptr, n, (int)n);
	for (; n < text.len && !s->full; n++)
		show(s, text.ptr + n, 1, 1);
}

void
ev_shown_literal(struct ev_shown *s, const char *text)
{
	show_ascii(s, ev_str(text));
}

static void
show_escaped(struct ev_shown *s, uint32_t code, bool is_character)
{
	static const char from[] = "\b\t\n\f\r", to[] = "btnfr";
	const char *named = code && code < 0x20 ? strchr(from, (int)code)
	                                        : NULL;
	char text[16] = { '\\' };

	if (named)
		text[1] = to[named - from];
	else if (!is_character)
		snprintf(text, sizeof text, "\\x%02x", (unsigned)code);
	else if (code < 0x10000)
		snprintf(text, sizeof text, "\\u%04x", (unsigned)code);
	else
		snprintf(text, sizeof text, "\\u{%x}", (unsigned)code);
	ev_shown_literal(s, text);
}

void
ev_shown_add(struct ev_shown *s, struct ev_str text)
{
	while (text.len && !s->full) {
		const char *from = text.ptr;
		uint32_t code;
		size_t n = 0;
		bool valid;

		while (n < text.len && from[n] >= ' ' && from[n] < 0x7f)
			n++;
		if (n) {
			show_ascii(s, (struct ev_str){ from, n });
			text.ptr += n;
			text.len -= n;
			continue;
		}
		valid = ev_utf8_next(&text, &code);
		if (valid && !ev_utf8_hidden(code))
			show(s, from, (size_t)(text.ptr - from),
			     width_of(code));
		else
			show_escaped(s, code, valid);
	}
}

void
ev_shown_spaces(struct ev_shown *s, int count)
{
	static const char spaces[] = "                                        ";

	for (int n; count > 0; count -= n) {
		n = count < (int)sizeof spaces - 1 ? count
		                                   : (int)sizeof spaces - 1;
		show_ascii(s, (struct ev_str){ spaces, (size_t)n });
	}
}
