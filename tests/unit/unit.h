#ifndef EV_TEST_UNIT_H
#define EV_TEST_UNIT_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * Checks that print one TAP line each and go on. main ends with
 * `return unit_end();`, which is not zero after a failure.
 */
static int unit_count;
static int unit_failed;

__attribute__((unused)) static void
unit_print(struct ev_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 0x20 || c >= 0x7f || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

__attribute__((unused)) static bool
unit_check(bool fine, const char *name, const char *file, int line)
{
	printf("%sok %d - ", fine ? "" : "not ", ++unit_count);
	unit_print((struct ev_str){ name, strlen(name) });
	putchar('\n');
	if (!fine)
		printf("# at %s:%d\n", file, line);
	unit_failed += !fine;
	return fine;
}

__attribute__((unused)) static bool
unit_check_str(struct ev_str found, struct ev_str wanted, const char *name,
               const char *file, int line)
{
	bool fine = unit_check(ev_str_equal(found, wanted), name, file, line);

	if (!fine) {
		printf("# wanted: ");
		unit_print(wanted);
		printf("\n# found:  ");
		unit_print(found);
		putchar('\n');
	}
	return fine;
}

__attribute__((unused)) static int
unit_end(void)
{
	printf("1..%d\n", unit_count);
	if (fflush(stdout) || ferror(stdout))
		return 2;
	return unit_failed || !unit_count;
}

/* A whole file; ends the test when there is none. */
__attribute__((unused)) static void
unit_read_file(struct ev_buf *out, const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t got;

	if (!file) {
		printf("Bail out! cannot read '%s'\n", path);
		exit(2);
	}
	while ((got = fread(ev_buf_reserve(out, 65536), 1, 65536, file)) > 0)
		out->len += got;
	fclose(file);
}

#define CHECK(condition) \
	unit_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_NAMED(name, condition) \
	unit_check((condition), (name), __FILE__, __LINE__)
/* `found` is a struct ev_str, `wanted` a C text. */
#define CHECK_STR(found, wanted) \
	unit_check_str((found), ev_str(wanted), #found " is " #wanted, \
	               __FILE__, __LINE__)
#define CHECK_STR_NAMED(name, found, wanted) \
	unit_check_str((found), (wanted), (name), __FILE__, __LINE__)

#endif
