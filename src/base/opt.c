#include "base/opt.h"

#include <errno.h>
#include <stdlib.h>

#include "base/time.h"

bool
ev_opt_int(const char *text, int64_t min, int64_t max, int64_t *number)
{
	const char *digits = text + (*text == '-');
	char *end;
	long long value;

	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end || errno || value < min || value > max)
		return false;
	*number = value;
	return true;
}

bool
ev_opt_seconds(const char *text, int *milliseconds)
{
	enum { MOST = 2000000 }; /* as milliseconds it still is an int */
	int whole = 0, fraction = 0;
	int unit = 100;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if ((whole = whole * 10 + (*text - '0')) > MOST)
			return false;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			fraction += (*text - '0') * unit;
	if (*text)
		return false;
	*milliseconds = whole * 1000 + fraction;
	return true;
}

bool
ev_opt_time(const char *text, int64_t now, int64_t *time)
{
	struct ev_str value = ev_str(text);
	char day[] = "0000-00-00T00:00:00Z";
	int64_t span;

	if (ev_time_parse_span(value, &span)) {
		*time = now - span;
		return true;
	}
	if (value.len == 10) {
		memcpy(day, text, 10);
		value = ev_str(day);
	}
	return ev_time_parse(value, time);
}

int
ev_opt_distance(const char *a, const char *b)
{
	enum { LONGEST = 31 };
	int cost[LONGEST + 1][LONGEST + 1];
	int m = (int)strlen(a), n = (int)strlen(b);

	if (m > LONGEST || n > LONGEST)
		return LONGEST;
	for (int i = 0; i <= m; i++)
		for (int j = 0; j <= n; j++) {
			int best;

			if (!i || !j) {
				cost[i][j] = i + j;
				continue;
			}
			best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (cost[i - 1][j] + 1 < best)
				best = cost[i - 1][j] + 1;
			if (cost[i][j - 1] + 1 < best)
				best = cost[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] &&
			    cost[i - 2][j - 2] + 1 < best)
				best = cost[i - 2][j - 2] + 1;
			cost[i][j] = best;
		}
	return cost[m][n];
}
