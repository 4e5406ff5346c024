#include "domain/number.h"

#include <inttypes.h>
#include <time.h>

#include "unit.h"

/*
 * Reference arithmetic for the differential test: sign and decimal digits in a
 * field of fixed width, done as on paper.
 */
enum { WIDTH = 400, ROUNDS = 4000 };

struct paper {
	bool negative;
	size_t scale;
	unsigned char digits[WIDTH]; /* most significant first */
};

static uint64_t seed;

static uint64_t
next_random(uint64_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % limit;
}

static void
paper_shift(struct paper *n, size_t places)
{
	memmove(n->digits, n->digits + places, WIDTH - places);
	memset(n->digits + WIDTH - places, 0, places);
}

static bool
paper_is_zero(const struct paper *n)
{
	for (size_t i = 0; i < WIDTH; i++)
		if (n->digits[i])
			return false;
	return true;
}

/* a += b, without signs */
static void
digits_add(unsigned char *a, const unsigned char *b)
{
	int carry = 0;

	for (size_t i = WIDTH; i-- > 0;) {
		int digit = a[i] + b[i] + carry;

		carry = digit > 9;
		a[i] = (unsigned char)(digit - 10 * carry);
	}
}

/* a -= b, without signs, a the larger */
static void
digits_subtract(unsigned char *a, const unsigned char *b)
{
	int borrow = 0;

	for (size_t i = WIDTH; i-- > 0;) {
		int digit = a[i] - b[i] - borrow;

		borrow = digit < 0;
		a[i] = (unsigned char)(digit + 10 * borrow);
	}
}

static struct paper
paper_parse(const char *p)
{
	struct paper n = { .negative = *p == '-' };
	bool point = false;
	long exponent;

	for (p += *p == '-'; *p && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		paper_shift(&n, 1);
		n.digits[WIDTH - 1] = (unsigned char)(*p - '0');
		n.scale += point;
	}
	exponent = *p && !paper_is_zero(&n) ? strtol(p + 1, NULL, 10) : 0;
	for (; exponent < 0; exponent++)
		n.scale++;
	for (; exponent > 0; exponent--) {
		if (n.scale)
			n.scale--;
		else
			paper_shift(&n, 1);
	}
	return n;
}

static struct paper
paper_add(struct paper a, struct paper b)
{
	struct paper sum;

	if (a.scale < b.scale) {
		paper_shift(&a, b.scale - a.scale);
		a.scale = b.scale;
	} else {
		paper_shift(&b, a.scale - b.scale);
	}
	if (a.negative == b.negative) {
		sum = a;
		digits_add(sum.digits, b.digits);
	} else if (memcmp(a.digits, b.digits, WIDTH) >= 0) {
		sum = a;
		digits_subtract(sum.digits, b.digits);
	} else {
		sum = b;
		sum.scale = a.scale;
		digits_subtract(sum.digits, a.digits);
	}
	return sum;
}

static struct paper
paper_divide(struct paper a, struct paper b, size_t places)
{
	static const unsigned char one[WIDTH] = { [WIDTH - 1] = 1 };
	struct paper quotient = { a.negative != b.negative, places, { 0 } };
	struct paper rest = { 0 }, twice;
	int order;

	paper_shift(&a, places + b.scale);
	paper_shift(&b, a.scale);
	for (size_t i = 0; i < WIDTH; i++) {
		paper_shift(&rest, 1);
		rest.digits[WIDTH - 1] = a.digits[i];
		while (memcmp(rest.digits, b.digits, WIDTH) >= 0) {
			digits_subtract(rest.digits, b.digits);
			quotient.digits[i]++;
		}
	}
	twice = rest;
	digits_add(twice.digits, rest.digits);
	order = memcmp(twice.digits, b.digits, WIDTH);
	if (order > 0 || (order == 0 && quotient.digits[WIDTH - 1] % 2))
		digits_add(quotient.digits, one);
	return quotient;
}

static void
paper_format(struct ev_buf *out, const struct paper *n)
{
	size_t i = 0, point = WIDTH - n->scale;

	if (n->negative && !paper_is_zero(n))
		ev_buf_add_char(out, '-');
	while (i < point - 1 && !n->digits[i])
		i++;
	for (; i < WIDTH; i++) {
		if (i == point)
			ev_buf_add_char(out, '.');
		ev_buf_add_char(out, (char)('0' + n->digits[i]));
	}
}

static struct ev_number
number(const char *text)
{
	struct ev_number n = { 0 };

	if (!ev_number_parse(&n, ev_str(text)))
		CHECK_NAMED(text, !"parsed");
	return n;
}

static bool
same(const struct ev_number *a, const struct ev_number *b)
{
	struct ev_buf x = { 0 }, y = { 0 };
	bool equal;

	ev_number_format(&x, a);
	ev_number_format(&y, b);
	equal = a->coefficient == b->coefficient && a->scale == b->scale &&
	        !a->big == !b->big &&
	        ev_str_equal(ev_buf_str(&x), ev_buf_str(&y));
	ev_buf_release(&x);
	ev_buf_release(&y);
	return equal;
}

/* Its text is `wanted`, and that text is the same number again. */
static bool
reads(const struct ev_number *n, struct ev_str wanted)
{
	struct ev_buf out = { 0 };
	struct ev_number again = { 0 };
	bool fine;

	ev_number_format(&out, n);
	fine = ev_str_equal(ev_buf_str(&out), wanted) &&
	       ev_number_parse(&again, ev_buf_str(&out)) && same(n, &again) &&
	       (!n->big || n->coefficient == 0);
	if (!fine)
		printf("# wanted: %.*s\n# found:  %.*s\n", EV_FMT(wanted),
		       EV_FMT(ev_buf_str(&out)));
	ev_number_release(&again);
	ev_buf_release(&out);
	return fine;
}

static void
check_text(const char *text, const char *wanted, bool small)
{
	struct ev_number n = number(text);

	CHECK_NAMED(text, reads(&n, ev_str(wanted)) && !n.big == small);
	ev_number_release(&n);
}

static void
check_sum(const char *a, const char *b, const char *wanted)
{
	struct ev_number x = number(a), y = number(b), forth = number(a);
	char name[256];

	snprintf(name, sizeof name, "%.100s + %.100s", a, b);
	CHECK_NAMED(name, ev_number_add(&forth, &y) &&
	                          reads(&forth, ev_str(wanted)) &&
	                          reads(&y, ev_str(b)));
	CHECK_NAMED(name, ev_number_add(&y, &x) && same(&y, &forth));
	ev_number_release(&x);
	ev_number_release(&y);
	ev_number_release(&forth);
}

static void
check_quotient(const char *a, const char *b, int places, const char *wanted)
{
	struct ev_number x = number(a), y = number(b), out = { 0 };
	char name[256];

	snprintf(name, sizeof name, "%.100s / %.100s to %d places", a, b,
	         places);
	CHECK_NAMED(name, ev_number_divide(&out, &x, &y, places) &&
	                          reads(&out, ev_str(wanted)));
	ev_number_release(&x);
	ev_number_release(&y);
	ev_number_release(&out);
}

static void
test_texts(void)
{
	struct ev_number zero = { 0 };

	CHECK_NAMED("{0} is 0", reads(&zero, EV_STR("0")));
	check_text("0", "0", true);
	check_text("-0", "0", true);
	check_text("-0.00", "0.00", true);
	check_text("7", "7", true);
	check_text("-7", "-7", true);
	check_text("12.10", "12.10", true);
	check_text("0.05", "0.05", true);
	check_text("-0.05", "-0.05", true);
	check_text("1.50e1", "15.0", true);
	check_text("1.5e3", "1500", true);
	check_text("-2E+3", "-2000", true);
	check_text("1e-7", "0.0000001", true);
	check_text("12345e-5", "0.12345", true);
	check_text("123456e-5", "1.23456", true);
	check_text("0e99999999999", "0", true);
	check_text("-0.0e-99999999999999999999999", "0.0", true);
	check_text("1e18", "1000000000000000000", true);
	check_text("1e19", "10000000000000000000", false);
	check_text("9e18", "9000000000000000000", true);
	check_text("1e000000000000000000000000000001", "10", true);
	check_text("0.000000000000000000000000000001e30", "1", true);
	check_text("0.00000000000000000000000000001",
	           "0.00000000000000000000000000001", true);
	check_text("123456789012345678901234567890.5",
	           "123456789012345678901234567890.5", false);
	check_text("-0.123456789012345678901234567890",
	           "-0.123456789012345678901234567890", false);
	check_text("-12.34567890123456789012345e20",
	           "-1234567890123456789012.345", false);
}

static void
test_limits(void)
{
	struct ev_number n = number("-9223372036854775808");

	CHECK(!n.big && n.coefficient == INT64_MIN);
	check_text("9223372036854775807", "9223372036854775807", true);
	check_text("9223372036854775808", "9223372036854775808", false);
	check_text("-9223372036854775808", "-9223372036854775808", true);
	check_text("-9223372036854775809", "-9223372036854775809", false);
	check_text("-922337203685477580.8", "-922337203685477580.8", true);
	check_text("922337203685477580.8", "922337203685477580.8", false);
	check_text("0.9223372036854775807", "0.9223372036854775807", true);
	check_text("9999999999999999999", "9999999999999999999", false);
	check_text("18446744073709551615", "18446744073709551615", false);
	check_text("-18446744073709551616", "-18446744073709551616", false);
	check_text("-9223372036854775.808e3", "-9223372036854775808", true);
	check_text("9223372036854775.808e3", "9223372036854775808", false);
	check_text("1844674407370955162e1", "18446744073709551620", false);

	check_sum("9223372036854775807", "1", "9223372036854775808");
	check_sum("-9223372036854775808", "-1", "-9223372036854775809");
	check_sum("-9223372036854775808", "9223372036854775807", "-1");
	check_sum("-9223372036854775808", "-9223372036854775808",
	          "-18446744073709551616");
	check_sum("9223372036854775807", "0.5", "9223372036854775807.5");
	check_sum("-18446744073709551616", "9223372036854775808",
	          "-9223372036854775808");
}

static void
test_sums(void)
{
	struct ev_number sum = { 0 }, tenth = number("0.1"), step;

	check_sum("12.10", "0.05", "12.15");
	check_sum("0", "0.00", "0.00");
	check_sum("1.00", "-1", "0.00");
	check_sum("-1.5", "0.25", "-1.25");
	check_sum("-1.5", "-2", "-3.5");
	check_sum("0.1", "0.20000000000000000001", "0.30000000000000000001");
	check_sum("100000000000000000000", "-0.01", "99999999999999999999.99");
	check_sum("99999999999999999999.99", "0.01", "100000000000000000000.00");
	check_sum("100000000000000000000", "-100000000000000000000", "0");
	check_sum("100000000000000000000.5", "-100000000000000000001", "-0.5");

	for (int i = 0; i < 1000000; i++)
		if (!ev_number_add(&sum, &tenth))
			break;
	CHECK_NAMED("a million times 0.1", reads(&sum, EV_STR("100000.0")));

	CHECK_NAMED("a number added to itself",
	            ev_number_add(&tenth, &tenth) &&
	                    reads(&tenth, EV_STR("0.2")));
	step = number("9223372036854775807");
	CHECK_NAMED("a number added to itself, with a carry",
	            ev_number_add(&step, &step) && step.big &&
	                    reads(&step, EV_STR("18446744073709551614")));
	CHECK_NAMED("a big number added to itself",
	            ev_number_add(&step, &step) &&
	                    reads(&step, EV_STR("36893488147419103228")));
	ev_number_release(&step);
	CHECK_NAMED("released is 0", reads(&step, EV_STR("0")));
	ev_number_release(&step);
}

/* Over the limit of 64 bits and back, past zero, again and again. */
static void
test_back_and_forth(void)
{
	struct ev_number sum = { 0 };
	struct ev_number up = number("6000000000000000000");
	struct ev_number down = number("-6000000000000000000");
	bool fine = true;

	for (int i = 0; i < 1000; i++) {
		for (int k = 0; k < 4; k++)
			fine &= ev_number_add(&sum, &up);
		fine &= sum.big && reads(&sum, EV_STR("24000000000000000000"));
		for (int k = 0; k < 7; k++)
			fine &= ev_number_add(&sum, &down);
		fine &= sum.big && reads(&sum, EV_STR("-18000000000000000000"));
		for (int k = 0; k < 2; k++)
			fine &= ev_number_add(&sum, &up);
		fine &= !sum.big && sum.coefficient == -6000000000000000000;
		fine &= ev_number_add(&sum, &up);
		fine &= !sum.big && sum.coefficient == 0;
	}
	CHECK_NAMED("into big and back, with both signs", fine);

	sum = number("1e40");
	CHECK_NAMED("parse lets go of what was there",
	            sum.big && ev_number_parse(&sum, EV_STR("2.5")) &&
	                    !sum.big && reads(&sum, EV_STR("2.5")));
	CHECK_NAMED("and of a small number for a big one",
	            ev_number_parse(&sum, EV_STR("1e20")) && sum.big &&
	                    ev_number_parse(&sum, EV_STR("3e20")) &&
	                    reads(&sum, EV_STR("300000000000000000000")));
	ev_number_release(&sum);
}

static void
test_invalid(void)
{
	static const char *const invalid[] = {
		"",    "-",   "+1",   "01",   "-01",  ".5",  "1.",  "1.e5",
		"1e",  "1e+", "0x1",  "1 ",   " 1",   "1,5", "NaN", "1e5.5",
		"--1", "1-",  "1..5", "1.5.", "00.5", "-.5", "1.5e", "\"1\"",
		"12345678901234567890123.", "123456789012345678901234x",
		"1e7000", "1e6144", "-1e6144", "10e6143", "1e-6145",
		"1e99999999999999999999999", "1e-99999999999999999999999",
		"0.1e9223372036854775808", "1e-9223372036854775808",
	};
	struct ev_number small = number("-4.2"), big = number("1e30");

	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
		struct ev_str text = ev_str(invalid[i]);

		CHECK_NAMED(invalid[i],
		            !ev_number_parse(&small, text) &&
		                    !ev_number_parse(&big, text) &&
		                    small.coefficient == -42 &&
		                    small.scale == 1 && big.big);
	}
	CHECK(!ev_number_parse(&small, (struct ev_str){ NULL, 0 }));
	CHECK(reads(&big, EV_STR("1000000000000000000000000000000")));
	ev_number_release(&big);
}

static void
add_zeros(struct ev_buf *out, int count)
{
	for (; count > 0; count--)
		ev_buf_add_char(out, '0');
}

/* The longest numbers that there are, and one digit more. */
static void
test_length(void)
{
	struct ev_number n = { 0 }, small = number("1"), other = { 0 };
	struct ev_number quotient = { 0 };
	struct ev_buf text = { 0 };

	ev_buf_add_char(&text, '1');
	add_zeros(&text, 400);
	n = number("1e400");
	CHECK_NAMED("1e400", reads(&n, ev_buf_str(&text)));
	add_zeros(&text, EV_NUMBER_DIGITS_MAX - 401);
	CHECK_NAMED("1e6143", ev_number_parse(&n, EV_STR("1e6143")) &&
	                              reads(&n, ev_buf_str(&text)));
	ev_buf_add_char(&text, '0');
	CHECK_NAMED("6145 digits written out",
	            !ev_number_parse(&n, ev_buf_str(&text)));
	ev_buf_add_str(&text, EV_STR("e-6145"));
	CHECK_NAMED("with 6145 of them behind the point",
	            !ev_number_parse(&n, ev_buf_str(&text)));
	text.ptr[text.len - 1] = '4';
	CHECK_NAMED("with 6144 of them", ev_number_parse(&n, ev_buf_str(&text)));
	CHECK(n.scale == EV_NUMBER_DIGITS_MAX && n.big);

	ev_buf_reset(&text);
	ev_buf_add_str(&text, EV_STR("-0."));
	add_zeros(&text, 399);
	ev_buf_add_char(&text, '1');
	CHECK_NAMED("-1e-400", ev_number_parse(&n, EV_STR("-1e-400")) &&
	                               reads(&n, ev_buf_str(&text)) && !n.big);
	ev_buf_reset(&text);
	ev_buf_add_str(&text, EV_STR("0."));
	add_zeros(&text, EV_NUMBER_DIGITS_MAX);
	CHECK_NAMED("a zero with 6144 decimals",
	            ev_number_parse(&n, ev_buf_str(&text)) &&
	                    reads(&n, ev_buf_str(&text)));
	ev_buf_add_char(&text, '0');
	CHECK_NAMED("a zero with 6145",
	            !ev_number_parse(&n, ev_buf_str(&text)));
	ev_buf_add_str(&text, EV_STR("1e6146"));
	CHECK_NAMED("1, spelled strangely",
	            ev_number_parse(&n, ev_buf_str(&text)) &&
	                    reads(&n, EV_STR("1")));

	/* both sides of the point full */
	ev_buf_reset(&text);
	for (int i = 0; i < 2 * EV_NUMBER_DIGITS_MAX; i++) {
		if (i == EV_NUMBER_DIGITS_MAX)
			ev_buf_add_char(&text, '.');
		ev_buf_add_char(&text, '9');
	}
	CHECK_NAMED("9 on both sides of the point",
	            ev_number_parse(&n, ev_buf_str(&text)) &&
	                    reads(&n, ev_buf_str(&text)));
	CHECK_NAMED("a sum that is too long", !ev_number_add(&n, &small));
	CHECK_NAMED("leaves everything as it was",
	            reads(&n, ev_buf_str(&text)) && reads(&small, EV_STR("1")));
	other = number("1e-6144");
	CHECK_NAMED("a carry through all digits", !ev_number_add(&n, &other));
	CHECK_NAMED("a quotient that is too long",
	            !ev_number_divide(&quotient, &n, &other, 0) &&
	                    reads(&quotient, EV_STR("0")));
	ev_number_release(&other);
	other = number("-1e-6144");
	text.ptr[text.len - 1] = '8';
	CHECK_NAMED("and one less", ev_number_add(&n, &other) &&
	                                    reads(&n, ev_buf_str(&text)));
	CHECK_NAMED("a quotient that rounding makes too long",
	            !ev_number_divide(&quotient, &n, &small, 30) &&
	                    reads(&quotient, EV_STR("0")));
	ev_number_parse(&n, EV_STR("1e6143"));
	CHECK_NAMED("a quotient as long as can be",
	            ev_number_divide(&quotient, &n, &small, 0) &&
	                    same(&quotient, &n));
	ev_number_release(&quotient);
	ev_number_release(&other);
	ev_number_release(&n);
	ev_buf_release(&text);
}

static void
test_division(void)
{
	struct ev_number one = number("1"), zero = number("0.00");
	struct ev_number out = number("-8.25");

	CHECK(!ev_number_divide(&out, &one, &zero, 2));
	CHECK(!ev_number_divide(&out, &zero, &zero, 2));
	CHECK(reads(&out, EV_STR("-8.25")));

	check_quotient("0", "3", 2, "0.00");
	check_quotient("1", "3", 4, "0.3333");
	check_quotient("2", "3", 4, "0.6667");
	check_quotient("-2", "3", 4, "-0.6667");
	check_quotient("2", "-3", 0, "-1");
	check_quotient("-1", "-3", 30, "0.333333333333333333333333333333");
	check_quotient("12.15", "0.05", 0, "243");
	check_quotient("0.05", "12.15", 6, "0.004115");
	check_quotient("1", "1e-40", 0,
	               "10000000000000000000000000000000000000000");
	check_quotient("1e-400", "1", 3, "0.000");
	check_quotient("-1e-400", "1", 0, "0");
	check_quotient("5e400", "1e401", 0, "0");
	check_quotient("15e400", "1e401", 0, "2");
	check_quotient("9223372036854775807", "2", 0, "4611686018427387904");
	check_quotient("9223372036854775805", "2", 0, "4611686018427387902");
	check_quotient("-9223372036854775808", "-1", 0, "9223372036854775808");
	check_quotient("-9223372036854775808", "1", 0, "-9223372036854775808");
	check_quotient("1", "-9223372036854775808", 19, "-0.0000000000000000001");
	check_quotient("9223372036854775807", "9223372036854775807", 1, "1.0");
	check_quotient("4611686018427387904", "-9223372036854775808", 0, "0");
	check_quotient("4611686018427387905", "-9223372036854775808", 0, "-1");

	/* halves go to the even neighbour */
	check_quotient("5", "2", 0, "2");
	check_quotient("7", "2", 0, "4");
	check_quotient("1", "2", 0, "0");
	check_quotient("-1", "2", 0, "0");
	check_quotient("3", "-2", 0, "-2");
	check_quotient("-5", "2", 0, "-2");
	check_quotient("2.5000000001", "1", 0, "3");
	check_quotient("2.4999999999", "1", 0, "2");
	check_quotient("99.5", "1", 0, "100");
	check_quotient("0.125", "1", 2, "0.12");
	check_quotient("0.375", "1", 2, "0.38");
	ev_number_release(&out);
}

/*
 * At every number of places: half of a last digit, below it and above it, with
 * an even and an odd digit before, both signs.
 */
static void
test_half_even(void)
{
	struct ev_number one = number("1"), out = { 0 };

	for (int places = 0; places <= 30; places++) {
		static const char *const tails[] = { "49", "5", "50", "51" };
		bool fine = true;

		for (int i = 0; i < 2 * 4 * 10; i++) {
			int last = i / 8 % 10, tail = i / 2 % 4;
			int rounded = last + (tail == 3 ||
			                      (tail != 0 && last % 2));
			struct ev_buf text = { 0 }, wanted = { 0 };
			struct ev_number a = { 0 };

			/* 3.00…LAST and then the tail */
			ev_buf_add_str(&text, ev_str(i % 2 ? "-" : ""));
			ev_buf_add_char(&text, (char)('0' + (places ? 3 : last)));
			ev_buf_add_char(&text, '.');
			add_zeros(&text, places - 1);
			if (places)
				ev_buf_add_char(&text, (char)('0' + last));
			ev_buf_add_str(&text, ev_str(tails[tail]));

			if (i % 2 && (places || rounded))
				ev_buf_add_char(&wanted, '-');
			if (!places) {
				ev_buf_add_int(&wanted, rounded);
			} else if (places == 1) {
				ev_buf_printf(&wanted, "%d.%d",
				              3 + rounded / 10, rounded % 10);
			} else {
				ev_buf_add_str(&wanted, EV_STR("3."));
				add_zeros(&wanted, places - 2);
				ev_buf_printf(&wanted, "%02d", rounded);
			}
			fine &= ev_number_parse(&a, ev_buf_str(&text)) &&
			        ev_number_divide(&out, &a, &one, places) &&
			        reads(&out, ev_buf_str(&wanted));
			ev_number_release(&a);
			ev_buf_release(&text);
			ev_buf_release(&wanted);
		}
		CHECK_NAMED("halves go to the even digit", fine);
	}
	ev_number_release(&out);
}

/* Mostly short, as prices are; some long; lengths around the limits. */
static void
random_text(char *out, size_t room)
{
	static const int lengths[] = { 1, 2, 4, 9, 18, 19, 20, 40 };
	int whole = lengths[next_random(8)], decimals = 0, exponent = 0;
	char digits[2][48] = { "", "" };

	whole = 1 + (int)next_random((uint64_t)whole);
	if (next_random(4))
		decimals = (int)next_random((uint64_t)lengths[next_random(8)]);
	if (!next_random(4))
		exponent = (int)next_random(61) - 30;
	for (int i = 0; i < whole; i++)
		digits[0][i] = (char)('0' + next_random(10));
	for (int i = 0; i < decimals; i++)
		digits[1][i] = (char)('0' + next_random(10));
	if (whole > 1 && digits[0][0] == '0')
		digits[0][0] = '9';
	snprintf(out, room, "%s%s%s%s", next_random(2) ? "-" : "", digits[0],
	         decimals ? "." : "", digits[1]);
	if (exponent) {
		size_t len = strlen(out);

		snprintf(out + len, room - len, "%c%s%d",
		         next_random(2) ? 'e' : 'E',
		         exponent > 0 && next_random(2) ? "+" : "", exponent);
	}
}

static bool
matches(const struct ev_number *n, const struct paper *wanted)
{
	struct ev_buf text = { 0 };
	bool fine;

	paper_format(&text, wanted);
	fine = reads(n, ev_buf_str(&text));
	ev_buf_release(&text);
	return fine;
}

static bool
random_pair(void)
{
	char text[2][128];
	struct ev_number a = { 0 }, b = { 0 }, out = { 0 };
	struct paper m, n, wanted;
	size_t places = (size_t)next_random(31);
	bool fine;

	random_text(text[0], sizeof text[0]);
	random_text(text[1], sizeof text[1]);
	m = paper_parse(text[0]);
	n = paper_parse(text[1]);
	fine = ev_number_parse(&a, ev_str(text[0])) && matches(&a, &m) &&
	       ev_number_parse(&b, ev_str(text[1])) && matches(&b, &n);
	if (fine && paper_is_zero(&n)) {
		fine = !ev_number_divide(&out, &a, &b, (int)places);
	} else if (fine) {
		wanted = paper_divide(m, n, places);
		fine = ev_number_divide(&out, &a, &b, (int)places) &&
		       matches(&out, &wanted);
	}
	if (fine) {
		wanted = paper_add(m, n);
		fine = ev_number_add(&a, &b) && matches(&a, &wanted);
	}
	if (!fine)
		printf("# %s and %s, %zu places\n", text[0], text[1], places);
	ev_number_release(&a);
	ev_number_release(&b);
	ev_number_release(&out);
	return fine;
}

/* Long sums, where numbers of all sizes come and go. */
static bool
random_sum(void)
{
	struct ev_number sum = { 0 }, n = { 0 };
	struct paper wanted = { 0 };
	bool fine = true;

	for (int i = 0; fine && i < 200; i++) {
		char text[128];
		struct paper addend;

		random_text(text, sizeof text);
		addend = paper_parse(text);
		/* every other time back to almost zero, scale and all */
		if (i % 2) {
			struct ev_buf back = { 0 };

			addend = wanted;
			addend.negative = !wanted.negative;
			addend.digits[WIDTH - 1] ^= 1;
			paper_format(&back, &addend);
			fine = ev_number_parse(&n, ev_buf_str(&back));
			ev_buf_release(&back);
		} else {
			fine = ev_number_parse(&n, ev_str(text));
		}
		wanted = paper_add(wanted, addend);
		fine = fine && ev_number_add(&sum, &n) &&
		       matches(&sum, &wanted);
	}
	ev_number_release(&sum);
	ev_number_release(&n);
	return fine;
}

static void
test_random(void)
{
	const char *given = getenv("EV_SEED");
	bool fine = true;

	seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	/* of 0, nothing but 0 would follow */
	seed += !seed;
	printf("# EV_SEED=%" PRIu64 "\n", seed);
	for (int i = 0; fine && i < ROUNDS; i++)
		fine = random_pair();
	CHECK_NAMED("random numbers, as on paper", fine);
	for (int i = 0; fine && i < ROUNDS / 200; i++)
		fine = random_sum();
	CHECK_NAMED("random sums, as on paper", fine);
}

int
main(void)
{
	test_texts();
	test_limits();
	test_sums();
	test_back_and_forth();
	test_invalid();
	test_length();
	test_division();
	test_half_even();
	test_random();
	return unit_end();
}
