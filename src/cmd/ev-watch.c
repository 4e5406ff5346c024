/*
 * ev-watch: prints events as they are committed, from now on or from a place
 * in the log, and waits for more. It never skips one and never prints one
 * twice. The doorbell wakes it, and a reader that has gone away ends it.
 */
#include <getopt.h>
#include <poll.h>
#include <unistd.h>

#include "base/opt.h"
#include "cmd/cli.h"
#include "cmd/filter_options.h"
#include "cmd/printer.h"

struct options {
	const char *log;
	struct filter_options filter;
	enum printer_form form;
	int64_t limit;
	int64_t until_position;
	int idle_ms;      /* -1: wait for ever */
	int heartbeat_ms; /* -1: none */
	bool from_given;
	bool since_given;
	bool raw;
};

struct watch {
	const struct options *options;
	struct ev_store *store;
	struct printer printer;
	int64_t position; /* up to here everything has been looked at */
	int64_t printed;
	int64_t event_ms; /* when an event was printed last, or we began */
	int64_t output_ms; /* when anything was */
};

static const char usage[] =
"usage: ev-watch [-l LOG] [options]\n"
"Print events as they are committed: from now on, from --from POSITION or\n"
"--since TIME. The log need not exist yet.\n"
"\n"
"  -f, --format FORM          canonical, native, cloudevents or table\n"
"  -l, --log LOG              the log (default: $EV_LOG, else\n"
"                             $XDG_STATE_HOME/ev/log.db)\n"
"  -n, --limit COUNT          end after this many\n"
"      --heartbeat SECONDS    print an empty line when nothing else was\n"
"                             printed for so long\n"
"      --idle-exit SECONDS    end when no event was printed for so long\n"
"      --raw                  payloads as stored, not upcast\n"
"      --until-position N     end once the log is looked through up to here\n"
"  -h, --help                 print this\n"
"      --version              print versions\n"
"\n"
FILTER_USAGE
"\n"
"Exit status: 0 ended as asked, 1 ended by --idle-exit before any event was\n"
"printed, 64 usage, 65 an event cannot be printed in that form, 69 log\n"
"unreachable, 74 reading or writing failed.\n";

enum { OPT_HEARTBEAT = 256, OPT_IDLE_EXIT, OPT_RAW, OPT_UNTIL_POSITION,
       OPT_VERSION };

static const struct option long_options[] = {
	FILTER_LONG,
	{ "format", required_argument, NULL, 'f' },
	{ "heartbeat", required_argument, NULL, OPT_HEARTBEAT },
	{ "help", no_argument, NULL, 'h' },
	{ "idle-exit", required_argument, NULL, OPT_IDLE_EXIT },
	{ "limit", required_argument, NULL, 'n' },
	{ "log", required_argument, NULL, 'l' },
	{ "raw", no_argument, NULL, OPT_RAW },
	{ "until-position", required_argument, NULL, OPT_UNTIL_POSITION },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static int
take_number(const char *name, const char *value, int64_t *number)
{
	if (!ev_opt_int(value, 0, INT64_MAX, number))
		return cli_usage("%s '%s': expected a number from 0", name,
		                 value);
	return -1;
}

/* One option: -1 done, else the exit status. */
static int
take_option(struct options *options, int c, char **argv)
{
	int result;

	switch (c) {
	case 'f':
		if (!printer_parse_form(optarg, &options->form))
			return cli_usage("-f '%s': expected canonical, native, "
			                 "cloudevents or table", optarg);
		return -1;
	case 'l':
		options->log = optarg;
		return -1;
	case 'n':
		return take_number("-n", optarg, &options->limit);
	case OPT_HEARTBEAT:
		return cli_seconds("--heartbeat", optarg,
		                    &options->heartbeat_ms);
	case OPT_IDLE_EXIT:
		return cli_seconds("--idle-exit", optarg, &options->idle_ms);
	case OPT_RAW:
		options->raw = true;
		return -1;
	case OPT_UNTIL_POSITION:
		return take_number("--until-position", optarg,
		                   &options->until_position);
	case '?':
	case ':':
		return cli_bad_option(argv);
	}
	options->from_given |= c == FILTER_FROM;
	options->since_given |= c == FILTER_SINCE;
	result = filter_option(&options->filter, c, optarg);
	return result;
}

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c, result;

	while ((c = getopt_long(argc, argv, FILTER_SHORT "f:hl:n:",
	                        long_options, NULL)) != -1) {
		if (c == 'h')
			return cli_help(usage);
		if (c == OPT_VERSION)
			return cli_version();
		if ((result = take_option(options, c, argv)) >= 0)
			return result;
	}
	if (argv[optind])
		return cli_usage("'%s': ev-watch takes no operands, -s names a "
		                 "stream and -l the log", argv[optind]);
	return -1;
}

static bool
is_over(const struct watch *watch)
{
	return cli_stop || watch->printer.out.error ||
	       watch->printed >= watch->options->limit ||
	       watch->position >= watch->options->until_position ||
	       watch->position >= watch->options->filter.filter.to;
}

/* Prints what is new up to the log's present end. */
static enum ev_status
print_new(struct watch *watch, struct ev_err *err)
{
	const struct filter_options *filter = &watch->options->filter;
	struct printer *printer = &watch->printer;
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_query query;
	struct ev_head head;
	struct ev_line line;
	struct ev_row row;

	status = watch->store->ops->head(watch->store, &head, err);
	if (status || head.position <= watch->position)
		return status;
	filter_options_query(filter, &query);
	if (query.from <= watch->position)
		query.from = watch->position + 1;
	if (watch->position) /* --since has found its place */
		query.from_time = EV_TIME_NONE;
	if (query.to > head.position)
		query.to = head.position;
	if (query.to > watch->options->until_position)
		query.to = watch->options->until_position;
	status = watch->store->ops->query(watch->store, &query, &cursor, err);
	if (status)
		return status;
	while (!is_over(watch) &&
	       !(status = watch->store->ops->next(cursor, &row, err))) {
		if (!ev_line_parse(row.line, &line)) {
			status = ev_err_set(err, EV_IO, "position %lld is "
			                    "damaged, ask ev-verify",
			                    (long long)row.position);
			break;
		}
		watch->position = row.position;
		if (!ev_filter_match(&filter->filter, &line,
		                     &printer->catalogs, &printer->text))
			continue;
		printer_add(printer, row.line, &line);
		watch->event_ms = watch->output_ms = ev_time_steady_ms();
		watch->printed++;
	}
	watch->store->ops->query_close(cursor);
	if (status != EV_NO)
		return status;
	watch->position = query.to;
	return EV_OK;
}

/* How long we may sleep; -1: until something happens. */
static int
sleep_ms(const struct watch *watch)
{
	const struct options *options = watch->options;
	int64_t now = ev_time_steady_ms(), least = -1;

	if (options->idle_ms >= 0)
		least = watch->event_ms + options->idle_ms - now;
	if (options->heartbeat_ms >= 0) {
		int64_t left = watch->output_ms + options->heartbeat_ms - now;

		if (least < 0 || left < least)
			least = left;
	}
	if (options->idle_ms < 0 && options->heartbeat_ms < 0)
		return -1;
	return least > 0 ? (int)least : 0;
}

/* Is standard output a pipe or socket that nobody reads any more? */
static bool
reader_has_gone(void)
{
	struct pollfd fd = { .fd = STDOUT_FILENO };

	return poll(&fd, 1, 0) > 0 && fd.revents & (POLLERR | POLLHUP);
}

static enum ev_status
follow(struct watch *watch, struct ev_err *err)
{
	const struct options *options = watch->options;
	struct printer *printer = &watch->printer;
	/* no events: only that nobody reads it any more */
	struct pollfd reader = { .fd = STDOUT_FILENO };
	enum ev_status status;

	for (;;) {
		int64_t now;

		if ((status = print_new(watch, err)) ||
		    (status = printer_flush(printer, err)))
			return status;
		now = ev_time_steady_ms();
		if (is_over(watch) || reader_has_gone())
			return EV_OK;
		if (options->idle_ms >= 0 &&
		    now - watch->event_ms >= options->idle_ms)
			return watch->printed ? EV_OK : EV_NO;
		if (options->heartbeat_ms >= 0 &&
		    now - watch->output_ms >= options->heartbeat_ms) {
			ev_out_line(&printer->out, (struct ev_str){ 0 });
			watch->output_ms = now;
			if ((status = printer_flush(printer, err)))
				return status;
		}
		status = watch->store->ops->wait(watch->store, watch->position,
		                                 sleep_ms(watch), &reader, 1,
		                                 err);
		if (status && status != EV_NO)
			return status;
	}
}

/* Where to begin: behind the log's end, unless the options name a place. */
static enum ev_status
begin(struct watch *watch, struct ev_err *err)
{
	struct ev_head head;
	enum ev_status status;

	status = watch->store->ops->head(watch->store, &head, err);
	if (!status && !watch->options->from_given &&
	    !watch->options->since_given)
		watch->position = head.position;
	watch->event_ms = watch->output_ms = ev_time_steady_ms();
	return status;
}

static enum ev_status
run(struct watch *watch, struct options *options, struct ev_err *err)
{
	enum ev_status status;

	status = cli_open(&watch->store, options->log, EV_STORE_FOLLOW, err);
	if (status)
		return status;
	status = begin(watch, err);
	if (!status)
		status = printer_open(&watch->printer, watch->store, err);
	if (!status)
		status = filter_options_resolve(&options->filter,
		                                &watch->printer.catalogs, err);
	if (!status)
		status = follow(watch, err);
	watch->store->ops->close(watch->store);
	return status;
}

int
main(int argc, char **argv)
{
	struct options options = { .limit = INT64_MAX,
	                           .until_position = INT64_MAX,
	                           .idle_ms = -1, .heartbeat_ms = -1 };
	struct watch watch = { .options = &options };
	enum ev_status status;
	struct ev_err err;
	int result;

	cli_start("ev-watch");
	filter_options_init(&options.filter);
	if ((result = parse_options(argc, argv, &options)) >= 0) {
		filter_options_release(&options.filter);
		return result;
	}
	watch.printer.form = options.form;
	watch.printer.raw = options.raw;
	cli_catch_signals();
	status = run(&watch, &options, &err);
	if (status && status != EV_NO)
		cli_fail(status, &err);
	if (!status)
		status = watch.printer.worst;
	filter_options_release(&options.filter);
	printer_close(&watch.printer);
	return cli_end(status);
}
