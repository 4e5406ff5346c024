/*
 * ev-append: reads events (standard input, files, or one from its arguments),
 * checks each against its catalog, appends them to the log, and prints a
 * receipt for each once it is durable. Every input line stands alone: a bad one
 * is named and refused, the others are appended. Lines are grouped into commits
 * as they come: when input pauses, at a size, or at an age.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/opt.h"
#include "cmd/appender.h"
#include "cmd/cli.h"

struct options {
	const char *log;
	struct appender_options appender;
};

static const char usage[] =
"usage: ev-append [-l LOG] [options] [FILE...]\n"
"       ev-append [-l LOG] [options] TYPE [KEY=TEXT | KEY:=JSON]...\n"
"Append events to the log; print a receipt for each once it is durable.\n"
"A FILE has a '/' or '.' in its name, or is '-' (standard input, the default).\n"
"\n"
"  -0                      records end in NUL, not in newline\n"
"  -c, --catalog NAME      find types in this catalog only\n"
"  -e, --expect N|none|any|exists\n"
"                          the stream's last version must be this\n"
"  -l, --log LOG           the log (default: $EV_LOG, else\n"
"                          $XDG_STATE_HOME/ev/log.db)\n"
"  -q, --quiet             no receipts\n"
"  -s, --stream ID         append to this stream\n"
"      --id ID             the event's id (one event only)\n"
"      --timestamp TIME    when it happened (RFC 3339)\n"
"      --priority NAME     info, action, urgent or critical\n"
"      --actor NAME        who did it\n"
"      --correlation ID    what it belongs to\n"
"      --causation ID      the event that caused it\n"
"      --atomic            all events or none\n"
"      --dry-run           check only, append nothing\n"
"      --rejects FILE      write refused lines to FILE, whole\n"
"  -h, --help              print this\n"
"      --version           print versions\n"
"\n"
"Exit status: 0 done, 64 usage, 65 some input was bad (the rest is appended),\n"
"69 log unreachable, 74 disk failed, 75 busy (repeat unchanged), 80 conflict.\n";

static enum ev_status
read_input(struct appender *a, int fd, const char *file, struct ev_err *err)
{
	struct ev_lines lines = { .fd = fd, .end = a->options.end,
	                          .max = EV_JSON_SIZE_MAX };
	bool one = a->options.overrides.id.ptr;
	enum ev_status status = EV_OK;
	struct ev_str text;

	while (!status && !cli_stop) {
		status = ev_lines_next(&lines, &text, err);
		if (status == EV_BAD_INPUT) {
			appender_refuse(a, file, lines.number, err);
			status = EV_OK;
		} else if (!status && !ev_str_is_blank(text)) {
			if (one && a->filling->count)
				status = ev_err_set(err, EV_USAGE,
				                    "--id names one event, "
				                    "and there are more");
			else
				appender_take(a, text, file, lines.number);
		}
		/* an only event waits, so that a second one is noticed */
		if (!status && !one && !a->options.atomic &&
		    (appender_is_full(a) || !ev_lines_ready(&lines)))
			status = appender_commit(a, err);
	}
	ev_lines_release(&lines);
	/* what comes next may fail; this input is done */
	if (status == EV_NO && !one && !a->options.atomic)
		status = appender_commit(a, err);
	return status == EV_NO ? EV_OK : status;
}

static enum ev_status
read_file(struct appender *a, const char *path, struct ev_err *err)
{
	enum ev_status status;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_input(a, STDIN_FILENO, NULL, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ev_err_set(err, EV_IO, "cannot read '%s': %s", path,
		                  strerror(errno));
	status = read_input(a, fd, path, err);
	close(fd);
	return status;
}

/* "key=text" or "key:=json" as a member of an object. */
static enum ev_status
add_member(struct ev_buf *text, const char *argument, struct ev_err *err)
{
	const char *equals = strchr(argument, '=');
	bool json = equals && equals > argument && equals[-1] == ':';
	struct ev_str key = { argument, 0 };
	enum ev_status status;
	yyjson_doc *doc;

	if (!equals || equals - json == argument)
		return ev_err_set(err, EV_USAGE,
		                  "'%s': expected KEY=TEXT or KEY:=JSON",
		                  argument);
	key.len = (size_t)(equals - json - argument);
	ev_json_write_string(text, key);
	ev_buf_add_char(text, ':');
	if (!json) {
		ev_json_write_string(text, ev_str(equals + 1));
		return EV_OK;
	}
	/* parsed alone, or it could close the braces around it */
	status = ev_json_parse(&doc, ev_str(equals + 1), NULL, err);
	if (status)
		return ev_err_prefix(err, status, "'%.*s'", EV_FMT(key));
	ev_json_write(text, yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	return EV_OK;
}

/* One event from the arguments, as the canonical form would say it. */
static enum ev_status
read_arguments(struct appender *a, char **arguments, struct ev_err *err)
{
	struct ev_buf text = { 0 };
	enum ev_status status = EV_OK;

	ev_buf_add_str(&text, EV_STR("{\"type\":"));
	ev_json_write_string(&text, ev_str(*arguments));
	ev_buf_add_str(&text, EV_STR(",\"data\":{"));
	for (char **p = arguments + 1; !status && *p; p++) {
		if (p > arguments + 1)
			ev_buf_add_char(&text, ',');
		status = add_member(&text, *p, err);
	}
	ev_buf_add_str(&text, EV_STR("}}"));
	if (!status) {
		appender_take(a, ev_buf_str(&text), NULL, 0);
		status = appender_commit(a, err);
	}
	ev_buf_release(&text);
	return status;
}

/* By its spelling alone, so that a file's coming or going changes nothing. */
static bool
is_file(const char *operand)
{
	return strpbrk(operand, "/.") || strcmp(operand, "-") == 0;
}

static enum ev_status
read_everything(struct appender *a, char **operands, struct ev_err *err)
{
	enum ev_status status = EV_OK;
	struct ev_err later;

	if (!*operands)
		status = read_input(a, STDIN_FILENO, NULL, err);
	else if (!is_file(*operands))
		return read_arguments(a, operands, err);
	for (; !status && *operands; operands++)
		status = read_file(a, *operands, err);
	/* all or none: a bad line, or an input that broke off, is none */
	if (a->options.atomic && (a->worst || cli_stop))
		return status;
	if (!status)
		status = appender_commit(a, err);
	if (!status)
		return appender_finish(a, err);
	appender_finish(a, &later);
	return status;
}

static enum ev_status
run(const struct options *options, char **operands, enum ev_status *worst,
    struct ev_err *err)
{
	struct appender appender;
	struct ev_store *store;
	enum ev_status status, closed;
	struct ev_err later;

	status = cli_open(&store, options->log, EV_STORE_APPEND, err);
	if (status)
		return status;
	status = appender_open(&appender, &options->appender, store, err);
	if (!status)
		status = read_everything(&appender, operands, err);
	closed = appender_close(&appender, status ? &later : err);
	store->ops->close(store);
	*worst = appender.worst;
	return status ? status : closed;
}

static bool
parse_expect(struct appender_options *options, const char *text)
{
	static const struct {
		const char *name;
		enum ev_expect expect;
	} names[] = {
		{ "any", EV_EXPECT_ANY },
		{ "none", EV_EXPECT_NONE },
		{ "exists", EV_EXPECT_EXISTS },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, text) == 0) {
			options->expect = names[i].expect;
			return true;
		}
	options->expect = EV_EXPECT_VERSION;
	return ev_opt_int(text, 0, INT64_MAX - 1, &options->expect_version);
}

enum { OPT_ACTOR = 256, OPT_ATOMIC, OPT_CAUSATION, OPT_CORRELATION,
       OPT_DRY_RUN, OPT_ID, OPT_PRIORITY, OPT_REJECTS, OPT_TIMESTAMP,
       OPT_VERSION };

static const struct option long_options[] = {
	{ "actor", required_argument, NULL, OPT_ACTOR },
	{ "atomic", no_argument, NULL, OPT_ATOMIC },
	{ "catalog", required_argument, NULL, 'c' },
	{ "causation", required_argument, NULL, OPT_CAUSATION },
	{ "correlation", required_argument, NULL, OPT_CORRELATION },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "expect", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ "id", required_argument, NULL, OPT_ID },
	{ "log", required_argument, NULL, 'l' },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "quiet", no_argument, NULL, 'q' },
	{ "rejects", required_argument, NULL, OPT_REJECTS },
	{ "stream", required_argument, NULL, 's' },
	{ "timestamp", required_argument, NULL, OPT_TIMESTAMP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	struct appender_options *a = &options->appender;
	struct ev_overrides *o = &a->overrides;
	int c;

	while ((c = getopt_long(argc, argv, "0c:e:hl:qs:", long_options,
	                        NULL)) != -1) {
		struct ev_str *name = NULL;

		switch (c) {
		case '0':
			a->end = '\0';
			break;
		case 'c':
			name = &o->catalog;
			break;
		case 'e':
			if (!parse_expect(a, optarg))
				return cli_usage("-e '%s': expected a version, "
				                 "none, any or exists", optarg);
			break;
		case 'h':
			return cli_help(usage);
		case 'l':
			options->log = optarg;
			break;
		case 'q':
			a->quiet = true;
			break;
		case 's':
			name = &o->stream;
			break;
		case OPT_ACTOR:
			name = &o->actor;
			break;
		case OPT_ATOMIC:
			a->atomic = true;
			break;
		case OPT_CAUSATION:
			name = &o->causation;
			break;
		case OPT_CORRELATION:
			name = &o->correlation;
			break;
		case OPT_DRY_RUN:
			a->dry_run = true;
			break;
		case OPT_ID:
			name = &o->id;
			break;
		case OPT_PRIORITY:
			o->priority = ev_priority_parse(ev_str(optarg));
			if (o->priority == EV_PRIORITY_NONE)
				return cli_usage("--priority '%s': expected "
				                 "info, action, urgent or "
				                 "critical", optarg);
			break;
		case OPT_REJECTS:
			a->rejects = optarg;
			break;
		case OPT_TIMESTAMP:
			name = &o->timestamp;
			break;
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
		if (name) {
			*name = ev_str(optarg);
			if (!name->len || name->len > (name == &o->stream
			                                       ? EV_STREAM_MAX
			                                       : EV_NAME_MAX))
				return cli_usage("'%s': too long or empty",
				                 optarg);
		}
	}
	return -1;
}

/* What ev-each tells the commands that it runs; -1: go on. */
static int
take_environment(struct ev_overrides *overrides)
{
	const struct {
		const char *name;
		struct ev_str *value;
	} variables[] = {
		{ "EV_CORRELATION", &overrides->default_correlation },
		{ "EV_CAUSATION", &overrides->default_causation },
	};

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		struct ev_str value = ev_str(getenv(variables[i].name));

		if (value.len > EV_NAME_MAX)
			return cli_usage("%s: longer than %d bytes",
			                 variables[i].name, EV_NAME_MAX);
		if (value.len)
			*variables[i].value = value;
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct options options = {
		.appender = { .end = '\n',
		              .overrides.priority = EV_PRIORITY_NONE }
	};
	enum ev_status status, worst = EV_OK;
	struct ev_err err;
	int exit_status;

	cli_start("ev-append");
	if ((exit_status = parse_options(argc, argv, &options)) >= 0 ||
	    (exit_status = take_environment(&options.appender.overrides)) >= 0)
		return exit_status;
	argv += optind;
	if (!*argv && isatty(STDIN_FILENO))
		return cli_usage("no events: pipe them in, name a file or give "
		                 "a TYPE");
	cli_catch_signals();
	status = run(&options, argv, &worst, &err);
	/* what was refused has been named already */
	if (status && status != worst)
		cli_fail(status, &err);
	return cli_end(status ? status : worst);
}
