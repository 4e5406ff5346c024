#include "cmd/cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/versions.h"
#include "base/opt.h"
#include "domain/json.h"

#ifndef EV_VERSION
#define EV_VERSION "unknown"
#endif

static const char *name = "ev";

volatile sig_atomic_t cli_stop;

void
cli_start(const char *command)
{
	name = command;
	opterr = 0; /* cli_bad_option says it, in one line of our own */
	/* a limit on file sizes is an error like a full disk, no signal */
	signal(SIGXFSZ, SIG_IGN);
}

int
cli_help(const char *usage)
{
	fputs(usage, stdout);
	return fflush(stdout) == 0 ? EV_OK : EV_IO;
}

int
cli_version(void)
{
	printf("%s %s (%s)\n", name, EV_VERSION, ev_versions());
	return fflush(stdout) == 0 ? EV_OK : EV_IO;
}

static void
say(enum ev_status status, const char *text)
{
	const char *form = getenv("EV_ERRORS");
	struct ev_buf line = { 0 };
	ssize_t wrote;

	if (form && strcmp(form, "json") == 0) {
		ev_buf_add_str(&line, EV_STR("{\"command\":"));
		ev_json_write_string(&line, ev_str(name));
		ev_buf_printf(&line, ",\"status\":%d,\"message\":", status);
		ev_json_write_string(&line, ev_str(text));
		ev_buf_add_str(&line, EV_STR("}\n"));
	} else {
		ev_buf_printf(&line, "%s: %s\n", name, text);
	}
	/* in one piece, so that lines of several commands do not mix */
	wrote = write(STDERR_FILENO, line.ptr, line.len);
	(void)wrote;
	ev_buf_release(&line);
}

void
cli_say(enum ev_status status, const char *format, ...)
{
	struct ev_err err;
	char text[sizeof err.text];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* whatever came in: one line, and nothing that drives a terminal */
	ev_err_set(&err, status, "%s", text);
	say(status, err.text);
}

int
cli_fail(enum ev_status status, const struct ev_err *err)
{
	say(status, err->text);
	return status;
}

int
cli_usage(const char *format, ...)
{
	struct ev_err err;
	char text[sizeof err.text];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ev_err_set(&err, EV_USAGE, "%s; '%s -h' shows how to use it", text,
	           name);
	return cli_fail(EV_USAGE, &err);
}

int
cli_seconds(const char *option, const char *value, int *milliseconds)
{
	if (!ev_opt_seconds(value, milliseconds))
		return cli_usage("%s '%s': expected seconds", option, value);
	return -1;
}

int
cli_bad_option(char **argv)
{
	/* a short option is in optopt; of a long one getopt tells its value, or
	   0 if it knows none of that name: the word itself is behind optind */
	const char *word = argv[optind - 1];

	if (optopt && (word[0] != '-' || word[1] != '-'))
		return cli_usage("option '-%c' is unknown or lacks its value",
		                 optopt);
	return cli_usage("option '%s' is unknown, ambiguous, lacks its value "
	                 "or takes none", word);
}

/* $XDG_STATE_HOME/ev/log.db, else ~/.local/state/ev/log.db. */
static bool
default_log(char path[PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (state && *state == '/')
		snprintf(path, PATH_MAX, "%s/ev/log.db", state);
	else if (home && *home)
		snprintf(path, PATH_MAX, "%s/.local/state/ev/log.db", home);
	else
		return false;
	return true;
}

/* As `mkdir -p` would the folders above `path`; what fails, fails to open. */
static void
make_folders(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(path, 0700);
			*p = '/';
		}
}

/* Seconds that an append waits for others: $EV_TIMEOUT, else 30. */
static int
wait_ms(void)
{
	const char *text = getenv("EV_TIMEOUT");
	int milliseconds;

	if (text && ev_opt_seconds(text, &milliseconds))
		return milliseconds;
	return 30 * 1000;
}

/* How far the WAL may grow: $EV_CHECKPOINT_BYTES, for tests and big disks. */
static long
checkpoint_bytes(void)
{
	const char *text = getenv("EV_CHECKPOINT_BYTES");
	int64_t bytes;

	return text && ev_opt_int(text, 1, LONG_MAX, &bytes) ? (long)bytes : 0;
}

/* What -l, $EV_LOG or the default names; NULL: nothing does. */
static const char *
name_log(const char *log, char path[PATH_MAX])
{
	if (!log)
		log = getenv("EV_LOG");
	if (log && *log)
		return log;
	return default_log(path) ? path : NULL;
}

void
cli_log_path(const char *log, struct ev_buf *path)
{
	char text[PATH_MAX], folder[PATH_MAX];

	log = name_log(log, text);
	if (log && *log != '/' && !strstr(log, "://") &&
	    getcwd(folder, sizeof folder))
		ev_buf_printf(path, "%s/", folder);
	ev_buf_add_str(path, ev_str(log));
}

enum ev_status
cli_open(struct ev_store **store, const char *log, enum ev_store_mode mode,
         struct ev_err *err)
{
	struct ev_open open = { .mode = mode, .stop = &cli_stop,
	                        .wait_ms = wait_ms(),
	                        .checkpoint_bytes = checkpoint_bytes() };
	char path[PATH_MAX];

	open.url = name_log(log, path);
	if (!open.url)
		return ev_err_set(err, EV_USAGE,
		                  "which log? name it with -l or EV_LOG");
	if (open.url == path && mode == EV_STORE_APPEND)
		make_folders(path);
	return ev_store_open(store, &open, err);
}

static volatile sig_atomic_t caught;

static void
on_signal(int signal)
{
	caught = signal;
	cli_stop = 1;
}

void
cli_catch_signals(void)
{
	/* not restarted: what waits or reads comes back and looks */
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int
cli_end(int status)
{
	if (caught) {
		signal(caught, SIG_DFL);
		raise(caught);
	}
	return status;
}
