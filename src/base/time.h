#ifndef EV_BASE_TIME_H
#define EV_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Times are microseconds since 1970-01-01T00:00:00Z, as text RFC 3339 in UTC
 * with six decimals: 2026-04-21T10:22:00.000000Z.
 */
enum { EV_TIME_TEXT = 27 }; /* characters of that text, without a NUL */

#define EV_TIME_NONE INT64_MIN

/* The wall clock. */
int64_t ev_time_now(void);

/* A clock for durations, whose beginning means nothing: no adjustment of the
   wall clock moves it. In microseconds, and in milliseconds. */
int64_t ev_time_steady(void);
int64_t ev_time_steady_ms(void);

/* Years 0000 to 9999; writes EV_TIME_TEXT characters and no NUL. */
void ev_time_format(int64_t time, char *text);

/*
 * Any RFC 3339 date-time: upper or lower case T and Z, an offset, any number of
 * decimals (those past the sixth are cut). False for anything else.
 */
bool ev_time_parse(struct ev_str text, int64_t *time);

/* "45s", "30m", "2h", "7d", "1w": that many microseconds. */
bool ev_time_parse_span(struct ev_str text, int64_t *span);

#endif
