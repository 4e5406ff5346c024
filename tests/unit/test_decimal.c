#include <stdint.h>

#include "domain/decimal.h"
#include "unit.h"

static void
check_order(const char *a, const char *b, int wanted)
{
	char name[256];
	int forth = ev_decimal_compare(ev_str(a), ev_str(b));
	int back = ev_decimal_compare(ev_str(b), ev_str(a));

	snprintf(name, sizeof name, "%.60s %c %.60s", a,
	         wanted < 0 ? '<' : wanted > 0 ? '>' : '=', b);
	CHECK_NAMED(name, forth == wanted && back == -wanted);
	if (!wanted)
		CHECK_NAMED(name, ev_decimal_hash(ev_str(a)) ==
		                          ev_decimal_hash(ev_str(b)));
}

static void
check_plain(const char *number, const char *wanted)
{
	struct ev_buf out = { 0 };

	ev_decimal_write_plain(&out, ev_str(number));
	CHECK_STR_NAMED(number, ev_buf_str(&out), ev_str(wanted));
	ev_buf_release(&out);
}

static void
test_order(void)
{
	check_order("1", "1.0", 0);
	check_order("1", "0.1e1", 0);
	check_order("1", "10e-1", 0);
	check_order("100", "1E+2", 0);
	check_order("0", "-0", 0);
	check_order("0", "0.000e99999999999999999999", 0);
	check_order("-0.0", "0e-1", 0);
	check_order("12.10", "12.1", 0);
	check_order("1.0", "1.00000000000000000000000000000000000001", -1);
	check_order("2", "10", -1);
	check_order("-2", "-10", 1);
	check_order("-1", "1", -1);
	check_order("0", "1e-999999999999999999999999", -1);
	check_order("0", "-1e-999999999999999999999999", 1);
	check_order("9007199254740992", "9007199254740993", -1);
	check_order("1e400", "1e401", -1);
	check_order("-1e400", "-1e401", 1);
	check_order("9e400", "1e401", -1);
	check_order("10e400", "1e401", 0);
	check_order("0.001e403", "1e400", 0);
	check_order("123456789012345678", "123456789012345679", -1);
	check_order("1234567890123456789", "1234567890123456788.9", 1);
	check_order("99999999999999999999", "1e20", -1);
	check_order("123.456", "123.4560000", 0);
	check_order("123.456", "1234.56e-1", 0);
	check_order("0.5", "0.05", 1);
}

/* Exponents that no integer type holds. */
static void
test_huge_exponents(void)
{
	check_order("1e99999999999999999999", "1e99999999999999999998", 1);
	check_order("1e-99999999999999999999", "1e-99999999999999999998", -1);
	check_order("10e99999999999999999999", "1e100000000000000000000", 0);
	check_order("0.1e100000000000000000000", "1e99999999999999999999", 0);
	check_order("1e100000000000000000000", "9e99999999999999999999", 1);
	check_order("1e-100000000000000000000", "0.1e-99999999999999999999",
	            0);
	check_order("1e99999999999999999999", "1e-99999999999999999999", 1);
	check_order("1e000000000000000000000000000001", "10", 0);
	check_order("1e999999999999999999", "1e1000000000000000000", -1);
	check_order("-1e999999999999999999999", "-1", -1);
	/* both sides of the limit within which exponents are exact */
	check_order("10e399999999999999999", "1e400000000000000000", 0);
	check_order("10e400000000000000000", "1e400000000000000001", 0);
	check_order("1e400000000000000000", "1e400000000000000001", -1);
}

static void
test_integers(void)
{
	static const char *const integers[] = {
		"0",    "-0",   "1",      "-17",     "1.0",      "100e-2",
		"1.5e1", "0.0", "0e-999", "12.500e3", "1e999999999999999999999",
		"0.0000000001e10", "123456789012345678901234567890",
	};
	static const char *const others[] = {
		"0.5", "-1.1", "1e-1", "15e-1", "1e-999999999999999999999",
		"1.00000000000000000000000000001", "12.505e2",
	};

	for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
		CHECK_NAMED(integers[i],
		            ev_decimal_is_integer(ev_str(integers[i])));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK_NAMED(others[i],
		            !ev_decimal_is_integer(ev_str(others[i])));
	CHECK(ev_decimal_is_zero(EV_STR("0.000e5")));
	CHECK(ev_decimal_is_zero(EV_STR("-0")));
	CHECK(!ev_decimal_is_zero(EV_STR("0.0001")));
	CHECK(!ev_decimal_is_zero(EV_STR("1e-999999999999999999")));
}

static void
test_valid(void)
{
	static const char *const valid[] = {
		"0", "-0", "10", "1.5", "1e5", "1E+05", "1e-5", "-0.0e0",
	};
	static const char *const invalid[] = {
		"",   "-",   "+1",  "01",  "-01", ".5",  "1.",   "1.e5", "1e",
		"1e+", "0x1", "1 ", " 1", "1,5", "NaN", "1e5.5", "--1", "1-",
	};

	for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
		CHECK_NAMED(valid[i], ev_decimal_valid(ev_str(valid[i])));
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
		CHECK_NAMED(invalid[i], !ev_decimal_valid(ev_str(invalid[i])));
}

static void
test_size(void)
{
	size_t size = 7;

	CHECK(ev_decimal_size(EV_STR("0"), &size) && size == 0);
	CHECK(ev_decimal_size(EV_STR("-0.0"), &size) && size == 0);
	CHECK(ev_decimal_size(EV_STR("42"), &size) && size == 42);
	CHECK(ev_decimal_size(EV_STR("2.0"), &size) && size == 2);
	CHECK(ev_decimal_size(EV_STR("1.5e3"), &size) && size == 1500);
	CHECK(ev_decimal_size(EV_STR("0.02e2"), &size) && size == 2);
	CHECK(ev_decimal_size(EV_STR("18446744073709551614"), &size) &&
	      size == SIZE_MAX - 1);
	CHECK(ev_decimal_size(EV_STR("18446744073709551616"), &size) &&
	      size == SIZE_MAX);
	CHECK(ev_decimal_size(EV_STR("1e99999999999999999999"), &size) &&
	      size == SIZE_MAX);
	CHECK(!ev_decimal_size(EV_STR("-1"), &size));
	CHECK(!ev_decimal_size(EV_STR("1.5"), &size));
}

static void
test_plain(void)
{
	check_plain("42", "42");
	check_plain("42.0", "42");
	check_plain("4.20e1", "42");
	check_plain("420e-1", "42");
	check_plain("-4.2E+1", "-42");
	check_plain("-0", "0");
	check_plain("0.0e5", "0");
	check_plain("1e3", "1000");
	check_plain("1.5", "1.5");
	check_plain("12.10", "12.10");
	check_plain("9007199254740993", "9007199254740993");
	check_plain("1e63", "1000000000000000000000000000000000000000000000000"
	                    "000000000000000");
	check_plain("1e64", "1e64");
	check_plain("1e999999999999999999999", "1e999999999999999999999");
}

/* Time proportional to the length: a megabyte of digits is nothing. */
static void
test_long(void)
{
	struct ev_buf a = { 0 }, b = { 0 };

	for (int i = 0; i < 1000000; i++) {
		ev_buf_add_char(&a, '7');
		ev_buf_add_char(&b, '7');
	}
	ev_buf_add_str(&b, EV_STR(".0"));
	CHECK(ev_decimal_compare(ev_buf_str(&a), ev_buf_str(&b)) == 0);
	CHECK(ev_decimal_is_integer(ev_buf_str(&b)));
	b.ptr[b.len - 1] = '1';
	CHECK(ev_decimal_compare(ev_buf_str(&a), ev_buf_str(&b)) == -1);
	CHECK(!ev_decimal_is_integer(ev_buf_str(&b)));
	ev_buf_release(&a);
	ev_buf_release(&b);
}

int
main(void)
{
	test_order();
	test_huge_exponents();
	test_integers();
	test_valid();
	test_size();
	test_plain();
	test_long();
	return unit_end();
}
