#include "domain/number.h"

#include <assert.h>
#include <gmp.h>
#include <stdlib.h>

#include "base/mem.h"
#include "domain/decimal.h"

/*
 * A coefficient beyond 64 bits. Every function leaves a number without one when
 * its coefficient fits into 64 bits, so that both forms never mean the same.
 * GMP keeps its own malloc, as its hooks for another are global; what it asks
 * for is a few kilobytes at most, by EV_NUMBER_DIGITS_MAX.
 */
struct ev_big {
	mpz_t value;
};

enum {
	SMALL_DIGITS = 19, /* so many fit into 64 bits without a sign */
	PLACES_MAX = 30
};

/* Far beyond any count of digits in memory, far from overflowing. */
static const long long EXPONENT_LIMIT = 400000000000000000;

static const int64_t POWERS[] = {
	1,
	10,
	100,
	1000,
	10000,
	100000,
	1000000,
	10000000,
	100000000,
	1000000000,
	10000000000,
	100000000000,
	1000000000000,
	10000000000000,
	100000000000000,
	1000000000000000,
	10000000000000000,
	100000000000000000,
	1000000000000000000,
};
static const int32_t POWER_MAX = sizeof POWERS / sizeof *POWERS - 1;

static uint64_t
magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static bool
join(int64_t *out, bool negative, uint64_t size)
{
	if (size > (uint64_t)INT64_MAX + negative)
		return false;
	/* not -(int64_t)size, which -2^63 would overflow */
	*out = negative ? -(int64_t)(size / 2) - (int64_t)(size - size / 2)
	                : (int64_t)size;
	return true;
}

static bool
shift_small(int64_t *value, int32_t places)
{
	return !*value ||
	       (places <= POWER_MAX &&
	        !__builtin_mul_overflow(*value, POWERS[places], value));
}

static void
shift_big(mpz_t value, int32_t places)
{
	mpz_t power;

	if (!places || !mpz_sgn(value))
		return;
	mpz_init(power);
	mpz_ui_pow_ui(power, 10, (unsigned long)places);
	mpz_mul(value, value, power);
	mpz_clear(power);
}

/* GMP's own conversions take a long, which may have 32 bits only. */
static void
set_small(mpz_t out, int64_t value)
{
	uint64_t size = magnitude(value);

	mpz_import(out, 1, 1, sizeof size, 0, 0, &size);
	if (value < 0)
		mpz_neg(out, out);
}

static void
init_from(mpz_t out, const struct ev_number *number)
{
	if (number->big) {
		mpz_init_set(out, number->big->value);
	} else {
		mpz_init(out);
		set_small(out, number->coefficient);
	}
}

static bool
too_long(const mpz_t value, int32_t scale)
{
	size_t limit = (size_t)EV_NUMBER_DIGITS_MAX + (size_t)scale;
	mpz_t power;
	bool more;

	/* which may be one too many */
	if (mpz_sizeinbase(value, 10) <= limit)
		return false;
	mpz_init(power);
	mpz_ui_pow_ui(power, 10, limit);
	more = mpz_cmpabs(value, power) >= 0;
	mpz_clear(power);
	return more;
}

/* Takes value; out->big becomes NULL if it fits without. */
static void
store(struct ev_number *out, mpz_t value, int32_t scale)
{
	uint64_t size = 0;
	int64_t small = 0;

	if (mpz_sizeinbase(value, 2) <= 64)
		mpz_export(&size, NULL, 1, sizeof size, 0, 0, value);
	else
		size = UINT64_MAX;
	if (join(&small, mpz_sgn(value) < 0, size)) {
		ev_number_release(out);
		mpz_clear(value);
	} else {
		if (!out->big) {
			out->big = ev_mem_alloc(sizeof *out->big);
			mpz_init(out->big->value);
		}
		mpz_swap(out->big->value, value);
		mpz_clear(value);
	}
	out->coefficient = small;
	out->scale = scale;
}

void
ev_number_release(struct ev_number *number)
{
	if (number->big) {
		mpz_clear(number->big->value);
		free(number->big);
	}
	*number = (struct ev_number){ 0 };
}

static bool
store_small(struct ev_number *out, bool negative, uint64_t size, int32_t scale)
{
	int64_t value;

	if (!join(&value, negative, size))
		return false;
	if (out->big)
		ev_number_release(out);
	out->coefficient = value;
	out->scale = scale;
	return true;
}

/* Of a valid number, the text behind the e; saturates. */
static long long
parse_exponent(const char *p, const char *end)
{
	bool negative = *p == '-';
	long long value = 0;

	for (p += *p == '-' || *p == '+'; p < end; p++) {
		value = value * 10 + (*p - '0');
		if (value > EXPONENT_LIMIT)
			value = EXPONENT_LIMIT;
	}
	return negative ? -value : value;
}

/* `digits` of them begin at p, the point perhaps among them. */
static uint64_t
parse_small(const char *p, long long digits)
{
	uint64_t size = 0;

	for (; digits > 0; p++)
		if (*p != '.') {
			size = size * 10 + (uint64_t)(*p - '0');
			digits--;
		}
	return size;
}

static void
parse_big(mpz_t out, const char *p, long long digits)
{
	char *copy = ev_mem_alloc((size_t)digits + 1);
	char *q = copy;

	for (; digits > 0; p++)
		if (*p != '.') {
			*q++ = *p;
			digits--;
		}
	*q = '\0';
	mpz_init_set_str(out, copy, 10);
	free(copy);
}

/* Any number: with an exponent, with many digits, or none at all. */
static bool
parse_any(struct ev_number *out, struct ev_str text)
{
	const char *p = text.ptr, *first = NULL, *end;
	long long digits = 0, decimals = 0, scale;
	bool negative, point = false;
	mpz_t value;

	if (!text.len || !ev_decimal_valid(text))
		return false;
	end = p + text.len;
	negative = *p == '-';
	for (p += negative; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (!first && *p != '0')
			first = p;
		digits += first != NULL;
		decimals += point;
	}
	/* zero remains what it is with any exponent */
	scale = decimals;
	if (first && p < end)
		scale -= parse_exponent(p + 1, end);
	if (scale > EV_NUMBER_DIGITS_MAX ||
	    digits - scale > EV_NUMBER_DIGITS_MAX)
		return false;
	if (digits <= SMALL_DIGITS && scale >= -POWER_MAX) {
		uint64_t size = parse_small(first, digits);
		int64_t power = scale < 0 ? POWERS[-scale] : 1;

		if (!__builtin_mul_overflow(size, (uint64_t)power, &size) &&
		    store_small(out, negative, size,
		                scale < 0 ? 0 : (int32_t)scale))
			return true;
	}
	parse_big(value, first, digits);
	if (scale < 0) {
		shift_big(value, (int32_t)-scale);
		scale = 0;
	}
	if (negative)
		mpz_neg(value, value);
	store(out, value, (int32_t)scale);
	return true;
}

bool
ev_number_parse(struct ev_number *out, struct ev_str text)
{
	const char *p = text.ptr, *first, *end;
	uint64_t size = 0;
	int32_t scale = 0;
	bool negative;

	/* digits, a sign and a point: nearly every number there is */
	if (!text.len || text.len > SMALL_DIGITS)
		return parse_any(out, text);
	end = p + text.len;
	negative = *p == '-';
	first = p += negative;
	for (; p < end && ev_is_digit(*p); p++)
		size = size * 10 + (uint64_t)(*p - '0');
	if (p == first || (*first == '0' && p - first > 1))
		return false;
	if (p < end && *p == '.') {
		const char *point = p;

		for (p++; p < end && ev_is_digit(*p); p++)
			size = size * 10 + (uint64_t)(*p - '0');
		scale = (int32_t)(p - point) - 1;
		if (!scale)
			return false;
	}
	return (p == end && store_small(out, negative, size, scale)) ||
	       parse_any(out, text);
}

static bool
add_small(struct ev_number *sum, const struct ev_number *number)
{
	int64_t a = sum->coefficient, b = number->coefficient;
	int32_t scale = sum->scale;

	if (scale < number->scale) {
		if (!shift_small(&a, number->scale - scale))
			return false;
		scale = number->scale;
	} else if (scale > number->scale &&
	           !shift_small(&b, scale - number->scale)) {
		return false;
	}
	if (__builtin_add_overflow(a, b, &a))
		return false;
	sum->coefficient = a;
	sum->scale = scale;
	return true;
}

bool
ev_number_add(struct ev_number *sum, const struct ev_number *number)
{
	int32_t scale = sum->scale > number->scale ? sum->scale : number->scale;
	mpz_t a, b;

	if (!sum->big && !number->big && add_small(sum, number))
		return true;
	init_from(a, sum);
	shift_big(a, scale - sum->scale);
	init_from(b, number);
	shift_big(b, scale - number->scale);
	mpz_add(a, a, b);
	mpz_clear(b);
	if (too_long(a, scale)) {
		mpz_clear(a);
		return false;
	}
	store(sum, a, scale);
	return true;
}

static bool
divide_small(struct ev_number *out, int64_t a, int64_t b, int32_t shift,
             int places)
{
	bool negative = (a < 0) != (b < 0);
	uint64_t quotient, rest, divisor;

	if (!shift_small(shift < 0 ? &b : &a, shift < 0 ? -shift : shift))
		return false;
	divisor = magnitude(b);
	quotient = magnitude(a) / divisor;
	rest = magnitude(a) % divisor;
	/* the rest and what it lacks: their sum could overflow */
	if (rest > divisor - rest || (rest == divisor - rest && quotient % 2))
		quotient++;
	return store_small(out, negative, quotient, places);
}

/* value = value / divisor, which may be changed. */
static void
divide_big(mpz_t value, mpz_t divisor)
{
	bool negative = mpz_sgn(value) * mpz_sgn(divisor) < 0;
	mpz_t rest;
	int order;

	mpz_init(rest);
	mpz_tdiv_qr(value, rest, value, divisor);
	mpz_mul_2exp(rest, rest, 1);
	order = mpz_cmpabs(rest, divisor);
	mpz_clear(rest);
	if (order < 0 || (order == 0 && mpz_even_p(value)))
		return;
	if (negative)
		mpz_sub_ui(value, value, 1);
	else
		mpz_add_ui(value, value, 1);
}

bool
ev_number_divide(struct ev_number *out, const struct ev_number *a,
                 const struct ev_number *b, int places)
{
	int32_t shift = places + b->scale - a->scale;
	mpz_t value, divisor;
	bool fits;

	assert(places >= 0 && places <= PLACES_MAX);
	if (!b->big && !b->coefficient)
		return false;
	if (!a->big && !b->big &&
	    divide_small(out, a->coefficient, b->coefficient, shift, places))
		return true;
	init_from(value, a);
	init_from(divisor, b);
	if (shift < 0)
		shift_big(divisor, -shift);
	else
		shift_big(value, shift);
	divide_big(value, divisor);
	mpz_clear(divisor);
	fits = !too_long(value, places);
	if (fits)
		store(out, value, places);
	else
		mpz_clear(value);
	return fits;
}

/* Puts sign and point to the digits of a coefficient. */
static void
write_digits(struct ev_buf *out, bool negative, const char *digits,
             size_t count, size_t scale)
{
	/* sign, the zero before the point, the point */
	char *start = ev_buf_reserve(out, 3 + count + scale), *p = start;
	size_t whole = count > scale ? count - scale : 0;
	size_t zeros = scale > count ? scale - count : 0;

	if (negative)
		*p++ = '-';
	if (!whole)
		*p++ = '0';
	memcpy(p, digits, whole);
	p += whole;
	if (scale) {
		*p++ = '.';
		memset(p, '0', zeros);
		p += zeros;
		memcpy(p, digits + whole, count - whole);
		p += count - whole;
	}
	out->len += (size_t)(p - start);
}

void
ev_number_format(struct ev_buf *out, const struct ev_number *number)
{
	char room[SMALL_DIGITS + 1], *digits = room + sizeof room;
	uint64_t size = magnitude(number->coefficient);
	bool negative = number->coefficient < 0;
	char *text = NULL;
	size_t count;

	if (number->big) {
		const mpz_t *value = &number->big->value;

		/* and its sign and NUL */
		text = ev_mem_alloc(mpz_sizeinbase(*value, 10) + 2);
		mpz_get_str(text, 10, *value);
		negative = *text == '-';
		digits = text + negative;
		count = strlen(digits);
	} else {
		do
			*--digits = (char)('0' + size % 10);
		while (size /= 10);
		count = (size_t)(room + sizeof room - digits);
	}
	write_digits(out, negative, digits, count, (size_t)number->scale);
	free(text);
}
