#ifndef EV_CMD_CLI_H
#define EV_CMD_CLI_H

#include <signal.h>

#include "adapter/open.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * What every command does alike. Words go to standard error, one line each,
 * "ev-append: cannot …"; with EV_ERRORS=json as {"command","status","message"}.
 */

/* First of all: the command's name, for messages. */
void cli_start(const char *name);

/* -h: the text to standard output, and the exit status. */
int cli_help(const char *usage);

/* --version: the command's, and those of the libraries it uses. */
int cli_version(void);

/* Says something, with the status it means (EV_OK: a notice, not an error). */
void cli_say(enum ev_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Says what went wrong and returns the exit status. */
int cli_fail(enum ev_status status, const struct ev_err *err);

/* A wrong command line: says so, and where help is. Returns EV_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The value of an option that takes seconds, with a fraction if need be. -1:
   fine; else it says what is wrong, and returns EV_USAGE. */
int cli_seconds(const char *option, const char *value, int *milliseconds);

/* What getopt did not like: says which option, and returns EV_USAGE. */
int cli_bad_option(char **argv);

/*
 * Opens the log that -l (or NULL), $EV_LOG or the default names; to append, the
 * default's folder is made.
 */
enum ev_status cli_open(struct ev_store **store, const char *log,
                        enum ev_store_mode mode, struct ev_err *err);

/* Appends the log's name, a file's as an absolute path, for another command. */
void cli_log_path(const char *log, struct ev_buf *path);

/*
 * SIGINT and SIGTERM set a flag, so that a command ends at a record boundary;
 * cli_end then dies of the signal that came, as its parent expects.
 */
extern volatile sig_atomic_t cli_stop;
void cli_catch_signals(void);
int cli_end(int status);

#endif
