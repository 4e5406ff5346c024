#ifndef EV_BASE_OPT_H
#define EV_BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>

/* Values of options. False: the text is not exactly one such value. */

/* A decimal integer within [min, max]. */
bool ev_opt_int(const char *text, int64_t min, int64_t max, int64_t *number);

/* Seconds with an optional fraction, up to 2,000,000, as milliseconds. */
bool ev_opt_seconds(const char *text, int *milliseconds);

/* An RFC 3339 time or date, or a span before `now` such as 2h: see base/time.h. */
bool ev_opt_time(const char *text, int64_t now, int64_t *time);

/*
 * How many single-character edits lead from one word to the other (inserting,
 * deleting, replacing, swapping neighbours), for "did you mean".
 */
int ev_opt_distance(const char *a, const char *b);

#endif
