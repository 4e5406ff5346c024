#ifndef EV_DOMAIN_DECIMAL_H
#define EV_DOMAIN_DECIMAL_H

#include "base/buf.h"

/*
 * Numbers as JSON writes them, of any size, compared exactly and without
 * allocation in time proportional to their text. 1, 1.0 and 10e-1 are one
 * number. Except for ev_decimal_valid, the texts must be JSON numbers.
 */

/* Is the whole text one JSON number? */
bool ev_decimal_valid(struct ev_str text);

/* -1, 0 or 1 as a is less than, equal to or greater than b. */
int ev_decimal_compare(struct ev_str a, struct ev_str b);

bool ev_decimal_is_integer(struct ev_str number);
bool ev_decimal_is_zero(struct ev_str number);

/* Equal numbers have equal hashes. */
unsigned long long ev_decimal_hash(struct ev_str number);

/*
 * A number that counts something: false if it is negative or no integer;
 * what is too large for a size_t becomes SIZE_MAX.
 */
bool ev_decimal_size(struct ev_str number, size_t *out);

/*
 * Appends an integer in its plain spelling (4.20e2 is 420, -0 is 0), or the
 * text as it is when the number is no integer or has more than 64 digits.
 */
void ev_decimal_write_plain(struct ev_buf *out, struct ev_str number);

#endif
