#include "domain/decimal.h"

#include <stdint.h>

enum { PLAIN_DIGITS_MAX = 64 };

/*
 * A text taken apart: 0.DIGITS × 10^(point + exponent). The digits begin and
 * end with one that is not zero and may have the point in between. Digits and
 * exponent stay text, for either may be longer than any integer type.
 */
struct parts {
	int sign; /* 0: the number is zero and nothing else is set */
	const char *digits;
	size_t span;  /* bytes of digits, the point among them */
	size_t count; /* digits */
	long long point;
	bool exponent_negative;
	const char *exponent; /* without leading zeros */
	size_t exponent_len;
};

/* Far beyond any count of digits in memory, far from overflowing. */
static const long long EXPONENT_LIMIT = 400000000000000000;

bool
ev_decimal_valid(struct ev_str text)
{
	const char *p = text.ptr, *end = p + text.len;

	if (p < end && *p == '-')
		p++;
	if (p == end || !ev_is_digit(*p))
		return false;
	if (*p++ != '0')
		while (p < end && ev_is_digit(*p))
			p++;
	if (p < end && *p == '.') {
		if (++p == end || !ev_is_digit(*p))
			return false;
		while (p < end && ev_is_digit(*p))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !ev_is_digit(*p))
			return false;
		while (p < end && ev_is_digit(*p))
			p++;
	}
	return p == end;
}

static struct parts
take_apart(struct ev_str text)
{
	struct parts n = { 0 };
	const char *p = text.ptr, *end = p + text.len;
	const char *first = NULL, *last = NULL, *dot = NULL;
	bool negative = p < end && *p == '-';

	for (p += negative; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			dot = p;
		} else if (*p != '0') {
			if (!first)
				first = p;
			last = p;
		}
	}
	if (!first)
		return n;
	if (!dot)
		dot = p;
	n.sign = negative ? -1 : 1;
	n.digits = first;
	n.span = (size_t)(last - first) + 1;
	n.count = n.span - (first < dot && dot < last);
	n.point = first < dot ? dot - first : -(first - dot - 1);
	if (p < end) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			n.exponent_negative = *p++ == '-';
		while (p < end && *p == '0')
			p++;
		n.exponent = p;
		n.exponent_len = (size_t)(end - p);
	}
	return n;
}

/* The exponent, exact within ±EXPONENT_LIMIT and that limit beyond. */
static long long
exponent_value(const struct parts *n)
{
	long long value = 0;

	for (size_t i = 0; i < n->exponent_len && value < EXPONENT_LIMIT; i++)
		value = value * 10 + (n->exponent[i] - '0');
	if (value > EXPONENT_LIMIT)
		value = EXPONENT_LIMIT;
	return n->exponent_negative ? -value : value;
}

/* a's exponent less b's, exact within the limit, of the right sign beyond. */
static long long
exponent_difference(const struct parts *a, const struct parts *b)
{
	size_t len = a->exponent_len > b->exponent_len ? a->exponent_len
	                                               : b->exponent_len;
	long long difference = 0;

	if (a->exponent_negative != b->exponent_negative)
		return exponent_value(a) - exponent_value(b);
	for (size_t left = len; left > 0; left--) {
		if (left <= a->exponent_len)
			difference += a->exponent[a->exponent_len - left] - '0';
		if (left <= b->exponent_len)
			difference -= b->exponent[b->exponent_len - left] - '0';
		/* from two on, no digit that follows brings it back to zero */
		if (difference > EXPONENT_LIMIT || difference < -EXPONENT_LIMIT)
			break;
		if (left > 1)
			difference *= 10;
	}
	return a->exponent_negative ? -difference : difference;
}

static int
digits_compare(const struct parts *a, const struct parts *b)
{
	const char *p = a->digits, *p_end = p + a->span;
	const char *q = b->digits, *q_end = q + b->span;

	for (;; p++, q++) {
		if (p < p_end && *p == '.')
			p++;
		if (q < q_end && *q == '.')
			q++;
		if (p == p_end || q == q_end)
			return (p < p_end) - (q < q_end);
		if (*p != *q)
			return *p < *q ? -1 : 1;
	}
}

/* Both short and without point or exponent, as nearly all numbers are. */
static bool
small_integer(struct ev_str text, long long *out)
{
	bool negative = text.len > 0 && text.ptr[0] == '-';
	long long value = 0;

	if (text.len > 18)
		return false;
	for (size_t i = negative; i < text.len; i++) {
		if (!ev_is_digit(text.ptr[i]))
			return false;
		value = value * 10 + (text.ptr[i] - '0');
	}
	*out = negative ? -value : value;
	return true;
}

int
ev_decimal_compare(struct ev_str a, struct ev_str b)
{
	struct parts m, n;
	long long scale, i, k;
	int order;

	if (small_integer(a, &i) && small_integer(b, &k))
		return (i > k) - (i < k);
	m = take_apart(a);
	n = take_apart(b);
	if (m.sign != n.sign)
		return m.sign < n.sign ? -1 : 1;
	if (!m.sign)
		return 0;
	scale = exponent_difference(&m, &n) + (m.point - n.point);
	order = scale ? (scale < 0 ? -1 : 1) : digits_compare(&m, &n);
	return order * m.sign;
}

bool
ev_decimal_is_integer(struct ev_str number)
{
	struct parts n;
	long long value;

	if (small_integer(number, &value))
		return true;
	n = take_apart(number);
	return !n.sign || n.point + exponent_value(&n) >= (long long)n.count;
}

bool
ev_decimal_is_zero(struct ev_str number)
{
	return take_apart(number).sign == 0;
}

unsigned long long
ev_decimal_hash(struct ev_str number)
{
	struct parts n = take_apart(number);
	unsigned long long h = 1469598103934665603ULL + (unsigned)(n.sign + 1);
	long long scale;

	if (!n.sign)
		return h;
	/* the same number may have an exponent on either side of the limit */
	scale = n.point + exponent_value(&n);
	if (scale > EXPONENT_LIMIT / 2)
		scale = EXPONENT_LIMIT / 2;
	if (scale < -EXPONENT_LIMIT / 2)
		scale = -EXPONENT_LIMIT / 2;
	h = (h ^ (unsigned long long)scale) * 1099511628211ULL;
	for (size_t i = 0; i < n.span; i++)
		if (n.digits[i] != '.')
			h = (h ^ (unsigned char)n.digits[i]) *
			    1099511628211ULL;
	return h;
}

bool
ev_decimal_size(struct ev_str number, size_t *out)
{
	struct parts n = take_apart(number);
	long long scale;
	size_t value = 0, seen = 0;

	if (n.sign < 0 || !ev_decimal_is_integer(number))
		return false;
	scale = n.sign ? n.point + exponent_value(&n) : 0;
	if (scale > 20) {
		*out = SIZE_MAX;
		return true;
	}
	for (long long place = 0; place < scale; place++) {
		size_t digit = 0;

		if (seen < n.span && n.digits[seen] == '.')
			seen++;
		if (seen < n.span)
			digit = (size_t)(n.digits[seen++] - '0');
		if (value > (SIZE_MAX - digit) / 10) {
			value = SIZE_MAX;
			break;
		}
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

void
ev_decimal_write_plain(struct ev_buf *out, struct ev_str number)
{
	struct parts n = take_apart(number);
	long long scale, place = 0;

	if (!n.sign) {
		ev_buf_add_char(out, '0');
		return;
	}
	scale = n.point + exponent_value(&n);
	if (scale < (long long)n.count || scale > PLAIN_DIGITS_MAX) {
		ev_buf_add_str(out, number);
		return;
	}
	if (n.sign < 0)
		ev_buf_add_char(out, '-');
	for (size_t i = 0; i < n.span; i++)
		if (n.digits[i] != '.') {
			ev_buf_add_char(out, n.digits[i]);
			place++;
		}
	for (; place < scale; place++)
		ev_buf_add_char(out, '0');
}
