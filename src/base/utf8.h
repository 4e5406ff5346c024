#ifndef EV_BASE_UTF8_H
#define EV_BASE_UTF8_H

#include <stdint.h>

#include "base/str.h"

/*
 * Takes one character off the front of `text`, which is not empty. False: no
 * character of UTF-8 begins here; one byte was taken and is the code.
 */
static inline bool
ev_utf8_next(struct ev_str *text, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text->ptr;
	size_t len = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2
	             : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
	uint32_t c = len > 1 ? *p & (0xffU >> (len + 1)) : *p;
	bool valid = len && len <= text->len;

	for (size_t i = 1; valid && i < len; i++) {
		valid = (p[i] & 0xc0) == 0x80;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* overlong forms, surrogates, past the end of Unicode */
	valid = valid && c >= least[len] && c <= 0x10ffff &&
	        (c & 0xfffff800) != 0xd800;
	if (!valid) {
		c = *p;
		len = 1;
	}
	*code = c;
	text->ptr += len;
	text->len -= len;
	return valid;
}

/*
 * Would this character do something to a terminal, or to the text around it,
 * instead of showing? Controls (C0, DEL, C1), format characters, which include
 * those that reorder text and the tags (category Cf), line and paragraph
 * separators, everything else that is by default ignored when shown but
 * variation selectors 1 to 16, and noncharacters: by Unicode 15.0.
 */
static inline bool
ev_utf8_hidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad },
		{ 0x34f, 0x34f }, { 0x600, 0x605 }, { 0x61c, 0x61c },
		{ 0x6dd, 0x6dd }, { 0x70f, 0x70f }, { 0x890, 0x891 },
		{ 0x8e2, 0x8e2 }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
		{ 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfdd0, 0xfdef },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
		{ 0x110bd, 0x110bd }, { 0x110cd, 0x110cd },
		{ 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	};
	size_t low = 0, high = sizeof ranges / sizeof *ranges;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code > ranges[middle].last)
			low = middle + 1;
		else if (code < ranges[middle].first)
			high = middle;
		else
			return true;
	}
	return (code & 0xfffe) == 0xfffe;
}

#endif
