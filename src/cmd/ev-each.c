/*
 * ev-each: runs a command once for each event that is chosen, in the order of
 * the log, and remembers in the log how far it has come. A command that fails
 * is tried again, then its event is parked. Of one name at most one ev-each
 * works at a time. An event whose command was cut off runs again, with the same
 * idempotency key.
 */
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "base/opt.h"
#include "cmd/cli.h"
#include "cmd/each.h"

enum {
	NAME_MAX_BYTES = 128, /* what makes keys of it must stay an id */
	JOBS_MAX = 256,
	LEASE_MIN_MS = 100,
	LEASE_MAX_MS = 3600 * 1000
};

static const char usage[] =
"usage: ev-each [-l LOG] [options] NAME -- COMMAND [ARG...]\n"
"       ev-each [-l LOG] --lag | --parked [-f FORM] [NAME]\n"
"       ev-each [-l LOG] --replay | --drop NAME [POSITION...]\n"
"       ev-each [-l LOG] --forget NAME\n"
"Run COMMAND once for each event, on its standard input and in EV_* variables,\n"
"and keep NAME's place in the log.\n"
"\n"
"  -f, --format FORM          of --lag and --parked: ndjson or table\n"
"  -j, --jobs N               so many at once, never two of one stream (1)\n"
"  -l, --log LOG              the log (default: $EV_LOG, else\n"
"                             $XDG_STATE_HOME/ev/log.db)\n"
"  -q, --quiet                do not tell what failed or was parked\n"
"      --once                 end at the log's present end (the default)\n"
"      --follow               wait for more\n"
"      --retries N            how often a failed run is repeated (3)\n"
"      --backoff SECONDS      wait before the first time, then twice as long\n"
"                             each time (1)\n"
"      --backoff-max SECONDS  but not longer (300)\n"
"      --timeout SECONDS      a run may take so long (for ever)\n"
"      --lease SECONDS        others may take over after so long (30)\n"
"      --from-end             a new NAME begins with the next event\n"
"      --lag                  how far NAME, or every one, is behind\n"
"      --parked               events that were given up, and why\n"
"      --replay               run parked events again\n"
"      --drop                 forget parked events\n"
"      --forget               forget NAME: its place, its parked events\n"
"  -h, --help                 print this\n"
"      --version              print versions\n"
"\n"
FILTER_USAGE
"\n"
"Exit status: 0 done, 1 no such NAME or parked event, 64 usage, 65 events were\n"
"parked (the rest was done), 69 log unreachable or COMMAND cannot be run, 74\n"
"reading or writing failed, 75 another ev-each has NAME (repeat unchanged).\n";

enum { OPT_BACKOFF = 256, OPT_BACKOFF_MAX, OPT_DROP, OPT_FOLLOW, OPT_FORGET,
       OPT_FROM_END, OPT_LAG, OPT_LEASE, OPT_ONCE, OPT_PARKED, OPT_REPLAY,
       OPT_RETRIES, OPT_TIMEOUT, OPT_VERSION };

static const struct option long_options[] = {
	FILTER_LONG,
	{ "backoff", required_argument, NULL, OPT_BACKOFF },
	{ "backoff-max", required_argument, NULL, OPT_BACKOFF_MAX },
	{ "drop", no_argument, NULL, OPT_DROP },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "forget", no_argument, NULL, OPT_FORGET },
	{ "format", required_argument, NULL, 'f' },
	{ "from-end", no_argument, NULL, OPT_FROM_END },
	{ "help", no_argument, NULL, 'h' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "lag", no_argument, NULL, OPT_LAG },
	{ "lease", required_argument, NULL, OPT_LEASE },
	{ "log", required_argument, NULL, 'l' },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "parked", no_argument, NULL, OPT_PARKED },
	{ "quiet", no_argument, NULL, 'q' },
	{ "replay", no_argument, NULL, OPT_REPLAY },
	{ "retries", required_argument, NULL, OPT_RETRIES },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* What the command line said of --once, beside what it means. */
struct line {
	struct each_options *options;
	bool once;
	int jobs; /* how many of --lag, --parked, … */
};

static int
take_number(const char *name, const char *value, int64_t min, int64_t max,
            int64_t *number)
{
	if (!ev_opt_int(value, min, max, number))
		return cli_usage("%s '%s': expected a number from %lld to %lld",
		                 name, value, (long long)min, (long long)max);
	return -1;
}

static int
take_job(struct line *line, enum each_job job)
{
	line->options->job = job;
	line->jobs++;
	return -1;
}

static int
take_format(struct each_options *options, const char *value)
{
	options->table = strcmp(value, "table") == 0;
	if (!options->table && strcmp(value, "ndjson") != 0)
		return cli_usage("-f '%s': expected ndjson or table", value);
	return -1;
}

/* One option: -1 done, else the exit status. */
static int
take_option(struct line *line, int c, char **argv)
{
	struct each_options *o = line->options;
	int result;

	switch (c) {
	case 'f':
		return take_format(o, optarg);
	case 'j':
		return take_number("-j", optarg, 1, JOBS_MAX, &o->jobs);
	case 'l':
		o->log = optarg;
		return -1;
	case 'q':
		o->quiet = true;
		return -1;
	case OPT_BACKOFF:
		return cli_seconds("--backoff", optarg, &o->backoff_ms);
	case OPT_BACKOFF_MAX:
		return cli_seconds("--backoff-max", optarg,
		                    &o->backoff_max_ms);
	case OPT_DROP:
		return take_job(line, EACH_DROP);
	case OPT_FOLLOW:
		o->follow = true;
		return -1;
	case OPT_FORGET:
		return take_job(line, EACH_FORGET);
	case OPT_FROM_END:
		o->from_end = true;
		return -1;
	case OPT_LAG:
		return take_job(line, EACH_LAG);
	case OPT_LEASE:
		result = cli_seconds("--lease", optarg, &o->lease_ms);
		if (result < 0 && (o->lease_ms < LEASE_MIN_MS ||
		                   o->lease_ms > LEASE_MAX_MS))
			return cli_usage("--lease '%s': expected 0.1 to 3600 "
			                 "seconds", optarg);
		return result;
	case OPT_ONCE:
		line->once = true;
		return -1;
	case OPT_PARKED:
		return take_job(line, EACH_PARKED);
	case OPT_REPLAY:
		return take_job(line, EACH_REPLAY);
	case OPT_RETRIES:
		return take_number("--retries", optarg, 0, 1000000,
		                   &o->retries);
	case OPT_TIMEOUT:
		return cli_seconds("--timeout", optarg, &o->timeout_ms);
	case '?':
	case ':':
		return cli_bad_option(argv);
	}
	return filter_option(&o->filter, c, optarg);
}

static bool
is_name(const char *text)
{
	return *text && strlen(text) <= NAME_MAX_BYTES &&
	       !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "abcdefghijklmnopqrstuvwxyz"
	                          "0123456789._/-")];
}

/* NAME and what follows it. */
static int
take_operands(struct each_options *options, char **operands)
{
	bool shows = options->job == EACH_LAG || options->job == EACH_PARKED;
	int64_t position;

	options->name = *operands;
	if (!options->name && shows)
		return -1;
	if (!options->name)
		return cli_usage("whose place? name the consumer");
	if (!is_name(options->name))
		return cli_usage("'%s': a name has up to %d letters, digits "
		                 "and ._/-", options->name, NAME_MAX_BYTES);
	options->operands = ++operands;
	switch (options->job) {
	case EACH_RUN:
		if (!*operands)
			return cli_usage("what to run? give a command behind "
			                 "'--'");
		break;
	case EACH_REPLAY:
	case EACH_DROP:
		for (; *operands; operands++)
			if (!ev_opt_int(*operands, 1, INT64_MAX, &position))
				return cli_usage("'%s': expected a position",
				                 *operands);
		break;
	default:
		if (*operands)
			return cli_usage("'%s': one name is enough",
			                 *operands);
	}
	return -1;
}

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct each_options *options)
{
	struct line line = { .options = options };
	int c, result;

	while ((c = getopt_long(argc, argv, FILTER_SHORT "f:hj:l:q",
	                        long_options, NULL)) != -1) {
		if (c == 'h')
			return cli_help(usage);
		if (c == OPT_VERSION)
			return cli_version();
		if ((result = take_option(&line, c, argv)) >= 0)
			return result;
	}
	if (line.jobs > 1)
		return cli_usage("--lag, --parked, --replay, --drop and "
		                 "--forget: one at a time");
	if (line.once && options->follow)
		return cli_usage("--once and --follow exclude each other");
	return take_operands(options, argv + optind);
}

static enum ev_status
do_job(struct each_options *options, struct ev_err *err)
{
	switch (options->job) {
	case EACH_RUN:
		return each_run(options, err);
	case EACH_LAG:
		return each_lag(options, err);
	case EACH_PARKED:
		return each_parked(options, err);
	case EACH_REPLAY:
	case EACH_DROP:
		return each_mark(options, err);
	case EACH_FORGET:
		return each_forget(options, err);
	}
	return EV_BUG;
}

/* What is opened from now on must not be taken for one of them. */
static void
open_standard(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(EV_IO);
}

int
main(int argc, char **argv)
{
	struct each_options options = {
		.jobs = 1, .retries = 3, .backoff_ms = 1000,
		.backoff_max_ms = 300 * 1000, .lease_ms = 30 * 1000,
		.table = -1
	};
	struct ev_err err = { "" };
	enum ev_status status;
	int result;

	cli_start("ev-each");
	filter_options_init(&options.filter);
	if ((result = parse_options(argc, argv, &options)) >= 0) {
		filter_options_release(&options.filter);
		return result;
	}
	if (options.job == EACH_RUN)
		open_standard();
	cli_catch_signals();
	status = do_job(&options, &err);
	if (status && *err.text)
		cli_fail(status, &err);
	filter_options_release(&options.filter);
	return cli_end(status);
}
