#include "base/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char hex[] = "0123456789abcdef";

/* where the hyphens of the text form stand */
static bool
is_hyphen(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static void
take_random(struct ev_uuid_source *source, unsigned char *bytes, size_t len)
{
	if (source->left < len) {
		ssize_t got;

		do
			got = getrandom(source->pool, 256, 0);
		while (got < 0 && errno == EINTR);
		/* up to 256 bytes come whole, or the kernel has none at all */
		if (got != 256)
			abort();
		source->left = 256;
	}
	source->left -= len;
	memcpy(bytes, source->pool + source->left, len);
}

void
ev_uuid_make(struct ev_uuid_source *source, int64_t micros, char *text)
{
	unsigned char b[EV_UUID_BYTES];
	uint64_t millis = (uint64_t)(micros / 1000);
	unsigned fraction = (unsigned)(micros % 1000) * 4096 / 1000;

	take_random(source, b + 8, 8);
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(millis >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | fraction >> 8);
	b[7] = (unsigned char)fraction;
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	for (size_t i = 0, n = 0; i < EV_UUID_TEXT; i++) {
		if (is_hyphen(i)) {
			text[i] = '-';
			continue;
		}
		text[i] = hex[n % 2 ? b[n / 2] & 15 : b[n / 2] >> 4];
		n++;
	}
}

bool
ev_uuid_pack(struct ev_str text, unsigned char bytes[EV_UUID_BYTES])
{
	size_t n = 0;

	if (text.len != EV_UUID_TEXT)
		return false;
	for (size_t i = 0; i < EV_UUID_TEXT; i++) {
		char c = text.ptr[i];
		unsigned digit;

		if (is_hyphen(i)) {
			if (c != '-')
				return false;
			continue;
		}
		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a' + 10);
		else
			return false;
		bytes[n / 2] = (unsigned char)(n % 2 ? bytes[n / 2] | digit
		                                     : digit << 4);
		n++;
	}
	return true;
}
