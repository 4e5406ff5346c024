#ifndef EV_BASE_ERR_H
#define EV_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/*
 * How an operation ended. The values are the exit statuses that every command
 * uses, chosen apart from the low numbers of jq and grep so that
 * `set -o pipefail` can tell them apart.
 */
enum ev_status {
	EV_OK = 0,
	EV_NO = 1,           /* an honest no: nothing matched, a check failed */
	EV_USAGE = 64,       /* the command line is wrong */
	EV_BAD_INPUT = 65,   /* some input was bad; the good rest was done */
	EV_UNREACHABLE = 69, /* the store or server cannot be reached */
	EV_BUG = 70,         /* ours */
	EV_IO = 74,          /* read, write, disk or memory failed */
	EV_BUSY = 75,        /* timed out: repeat unchanged */
	EV_CONFLICT = 80,    /* the stream moved on: re-read, decide again */
};

/*
 * One complete message: lower case, the subject quoted, no full stop, never a
 * newline. A caller makes it; who fails fills it once; the innermost wins.
 */
struct ev_err {
	char text[1024];
};

/* Formats the message (cut at the buffer's end) and returns `status`. */
enum ev_status ev_err_set(struct ev_err *err, enum ev_status status,
                          const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum ev_status ev_err_vset(struct ev_err *err, enum ev_status status,
                           const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/* Puts "…: " before a message that is already there. Returns `status`. */
enum ev_status ev_err_prefix(struct ev_err *err, enum ev_status status,
                             const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
