#ifndef EV_DOMAIN_NUMBER_H
#define EV_DOMAIN_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Exact decimal numbers: coefficient / 10^scale. Sums keep the larger scale, so
 * that 12.10 + 0.05 is 12.15 and 0.1 a million times is 100000.0. What fits
 * into 64 bits costs no memory; what does not is GMP's.
 */
struct ev_number {
	int64_t coefficient; /* while big is NULL, else 0 */
	int32_t scale;       /* decimals, 0 and up */
	struct ev_big *big;  /* owned, or NULL: it fits into 64 bits */
};

enum {
	EV_NUMBER_DIGITS_MAX = 6144 /* written out, before the point and
	                               again as many behind it */
};

/* {0} is 0. Leaves {0}. */
void ev_number_release(struct ev_number *number);

/*
 * Takes the text of a JSON number (1.50, -3, 2e3). What `out` held is released.
 * False, and `out` is as it was: no JSON number, or more digits than
 * EV_NUMBER_DIGITS_MAX on a side of the point when written without an exponent.
 * The decimals are those of that spelling: 1.50 has two, 1.50e1 one, 2e3 none,
 * 1e-7 seven; but the exponent of a zero says nothing: 0e9 is 0, 0.0e9 is 0.0.
 */
bool ev_number_parse(struct ev_number *out, struct ev_str text);

/*
 * sum += number; both may be the same. False, and `sum` is as it was: it would
 * have more than EV_NUMBER_DIGITS_MAX digits before the point, so that nobody
 * could parse it. Only numbers nearly as long can do that.
 */
bool ev_number_add(struct ev_number *sum, const struct ev_number *number);

/*
 * out = a / b with `places` decimals (0 to 30), rounded half to even. False, and
 * `out` is as it was: b is 0, or the quotient has more than
 * EV_NUMBER_DIGITS_MAX digits before the point. `out` is neither a nor b.
 */
bool ev_number_divide(struct ev_number *out, const struct ev_number *a,
                      const struct ev_number *b, int places);

/* Appends it as a JSON number without exponent, with all its decimals; parsed,
   that is the same coefficient and scale. Zero has no sign. */
void ev_number_format(struct ev_buf *out, const struct ev_number *number);

#endif
