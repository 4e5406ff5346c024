#ifndef EV_BASE_UUID_H
#define EV_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { EV_UUID_TEXT = 36, EV_UUID_BYTES = 16 };

/* Random bytes fetched ahead; {0} is valid. */
struct ev_uuid_source {
	unsigned char pool[256];
	size_t left;
};

/*
 * A UUID version 7 (RFC 9562, 5.7): the millisecond, then 12 bits of the rest
 * of it, then randomness. Writes EV_UUID_TEXT lower-case characters, no NUL.
 */
void ev_uuid_make(struct ev_uuid_source *source, int64_t micros, char *text);

/*
 * Packs the canonical lower-case text; false for any other text, so that what
 * was packed always unpacks to the text it came from.
 */
bool ev_uuid_pack(struct ev_str text, unsigned char bytes[EV_UUID_BYTES]);

#endif
