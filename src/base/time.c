#include "base/time.h"

#include <time.h>

static const int64_t SECOND = 1000000;

int64_t
ev_time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * SECOND + now.tv_nsec / 1000;
}

int64_t
ev_time_steady(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec / 1000;
}

int64_t
ev_time_steady_ms(void)
{
	return ev_time_steady() / 1000;
}

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar. */
static int64_t
days_from_date(int64_t year, int month, int day)
{
	int64_t era, year_of_era, day_of_year;

	/* years begin in March here, so that a leap day comes last */
	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
	       year_of_era / 100 + day_of_year - 719468;
}

static void
date_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t era, day_of_era, year_of_era, day_of_year, shifted_month;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = days - era * 146097;
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
	               day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 -
	                            year_of_era / 100);
	shifted_month = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
	*month = (int)(shifted_month < 10 ? shifted_month + 3
	                                  : shifted_month - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static char *
put_digits(char *text, int number, int count)
{
	for (int i = count - 1; i >= 0; i--, number /= 10)
		text[i] = (char)('0' + number % 10);
	return text + count;
}

void
ev_time_format(int64_t time, char *text)
{
	int64_t day_length = 86400 * SECOND;
	int64_t days = time / day_length;
	int64_t rest = time % day_length;
	int year, month, day, seconds;

	if (rest < 0) {
		rest += day_length;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	seconds = (int)(rest / SECOND);
	text = put_digits(text, year, 4);
	*text++ = '-';
	text = put_digits(text, month, 2);
	*text++ = '-';
	text = put_digits(text, day, 2);
	*text++ = 'T';
	text = put_digits(text, seconds / 3600, 2);
	*text++ = ':';
	text = put_digits(text, seconds / 60 % 60, 2);
	*text++ = ':';
	text = put_digits(text, seconds % 60, 2);
	*text++ = '.';
	text = put_digits(text, (int)(rest % SECOND), 6);
	*text = 'Z';
}

/* Takes exactly `count` digits from the front. */
static bool
take_digits(struct ev_str *text, int count, int *number)
{
	*number = 0;
	if (text->len < (size_t)count)
		return false;
	for (int i = 0; i < count; i++) {
		if (!ev_is_digit(text->ptr[i]))
			return false;
		*number = *number * 10 + (text->ptr[i] - '0');
	}
	text->ptr += count;
	text->len -= (size_t)count;
	return true;
}

static bool
take_char(struct ev_str *text, const char *any_of)
{
	if (!text->len || !*text->ptr || !strchr(any_of, *text->ptr))
		return false;
	text->ptr++;
	text->len--;
	return true;
}

static int
month_length(int year, int month)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30,
	                              31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return length[month - 1] + (month == 2 && leap);
}

/* ".123456789" after the seconds, if there is one. */
static bool
take_fraction(struct ev_str *text, int64_t *micros)
{
	int64_t unit = SECOND / 10;

	*micros = 0;
	if (!take_char(text, "."))
		return true;
	if (!text->len || !ev_is_digit(*text->ptr))
		return false;
	for (; text->len && ev_is_digit(*text->ptr); text->ptr++, text->len--) {
		*micros += (*text->ptr - '0') * unit;
		unit /= 10;
	}
	return true;
}

/* "Z" or "+02:00": seconds to subtract from the local time. */
static bool
take_offset(struct ev_str *text, int64_t *offset)
{
	int hours, minutes;
	bool west;

	*offset = 0;
	if (take_char(text, "Zz"))
		return true;
	west = text->len && *text->ptr == '-';
	if (!take_char(text, "+-") || !take_digits(text, 2, &hours) ||
	    !take_char(text, ":") || !take_digits(text, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*offset = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
	return true;
}

bool
ev_time_parse(struct ev_str text, int64_t *time)
{
	int year, month, day, hour, minute, second;
	int64_t micros, offset;

	if (!take_digits(&text, 4, &year) || !take_char(&text, "-") ||
	    !take_digits(&text, 2, &month) || !take_char(&text, "-") ||
	    !take_digits(&text, 2, &day) || !take_char(&text, "Tt ") ||
	    !take_digits(&text, 2, &hour) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &minute) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &second) || !take_fraction(&text, &micros) ||
	    !take_offset(&text, &offset) || text.len)
		return false;
	/* second 60 is a leap second: it becomes the next minute's first */
	if (month < 1 || month > 12 || day < 1 ||
	    day > month_length(year, month) || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	*time = ((days_from_date(year, month, day) * 24 + hour) * 60 + minute) *
	        60 * SECOND + (second - offset) * SECOND + micros;
	/* an offset may lead out of the years that the text form has */
	return *time >= days_from_date(0, 1, 1) * 86400 * SECOND &&
	       *time < days_from_date(10000, 1, 1) * 86400 * SECOND;
}

bool
ev_time_parse_span(struct ev_str text, int64_t *span)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 },
		{ 'd', 86400 }, { 'w', 7 * 86400 },
	};
	int64_t count = 0;
	size_t i = 0;

	for (; i < text.len && ev_is_digit(text.ptr[i]) && i < 9; i++)
		count = count * 10 + (text.ptr[i] - '0');
	if (i == 0 || i + 1 != text.len)
		return false;
	for (size_t u = 0; u < sizeof units / sizeof *units; u++)
		if (units[u].unit == text.ptr[i]) {
			*span = count * units[u].seconds * SECOND;
			return true;
		}
	return false;
}
