/*
 * ev-cat: prints the events of a log, or those that its options choose, in
 * order of position. It reads in short transactions and prints what the log
 * held when it began: nothing is missed, nothing comes twice, nobody waits.
 * With --list it prints names that the log has an index of instead.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/opt.h"
#include "cmd/cli.h"
#include "cmd/filter_options.h"
#include "cmd/printer.h"

struct kind {
	const char *name;
	enum ev_names names;
	bool after_slash; /* of "rig/CI_FAILED" what is behind the slash … */
	bool up_to_slash; /* … or before it */
};

struct options {
	const char *log;
	struct filter_options filter;
	enum printer_form form;
	int64_t limit;
	const struct kind *list; /* NULL: events */
	bool events_only; /* an option that is meaningless with --list */
	bool count;
	bool raw;
	bool reverse;
};

static const char usage[] =
"usage: ev-cat [-l LOG] [options]\n"
"Print events of the log, one a line.\n"
"\n"
"  -f, --format FORM          canonical, native, cloudevents or table\n"
"  -l, --log LOG              the log (default: $EV_LOG, else\n"
"                             $XDG_STATE_HOME/ev/log.db)\n"
"  -n, --limit COUNT          this many at most\n"
"  -r, --reverse              newest first\n"
"      --count                print how many there are, not the events\n"
"      --list WHAT            print the log's streams, types, actors or\n"
"                             catalogs, not the events\n"
"      --raw                  payloads as stored, not upcast\n"
"  -h, --help                 print this\n"
"      --version              print versions\n"
"\n"
FILTER_USAGE
"\n"
"Exit status: 0 done, 1 no event was chosen, 64 usage, 65 an event cannot be\n"
"printed in that form, 69 log unreachable, 74 reading or writing failed.\n";

enum { OPT_COUNT = 256, OPT_LIST, OPT_RAW, OPT_VERSION };

static const struct option long_options[] = {
	FILTER_LONG,
	{ "count", no_argument, NULL, OPT_COUNT },
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "limit", required_argument, NULL, 'n' },
	{ "list", required_argument, NULL, OPT_LIST },
	{ "log", required_argument, NULL, 'l' },
	{ "raw", no_argument, NULL, OPT_RAW },
	{ "reverse", no_argument, NULL, 'r' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static const struct kind *
find_kind(const char *name)
{
	static const struct kind kinds[] = {
		{ "actors", EV_NAMES_ACTORS, false, false },
		{ "catalogs", EV_NAMES_TYPES, false, true },
		{ "streams", EV_NAMES_STREAMS, false, false },
		{ "types", EV_NAMES_TYPES, true, false },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

/* What --list prints cannot be chosen as events are. */
static int
check_list(const struct options *options)
{
	size_t prefixes = options->filter.filter.prefixes.count;

	if (!options->list)
		return -1;
	if (options->events_only || prefixes > 1 ||
	    (prefixes && options->list->names != EV_NAMES_STREAMS))
		return cli_usage("--list goes with -l, -n and, for streams, "
		                 "one --stream-prefix only");
	return -1;
}

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c, result;

	while ((c = getopt_long(argc, argv, FILTER_SHORT "f:hl:n:r",
	                        long_options, NULL)) != -1) {
		options->events_only |= c != 'l' && c != 'n' &&
		                        c != OPT_LIST &&
		                        c != FILTER_STREAM_PREFIX;
		switch (c) {
		case 'f':
			if (!printer_parse_form(optarg, &options->form))
				return cli_usage("-f '%s': expected canonical, "
				                 "native, cloudevents or table",
				                 optarg);
			break;
		case 'h':
			return cli_help(usage);
		case 'l':
			options->log = optarg;
			break;
		case 'n':
			if (!ev_opt_int(optarg, 0, INT64_MAX, &options->limit))
				return cli_usage("-n '%s': expected a number "
				                 "from 0", optarg);
			break;
		case 'r':
			options->reverse = true;
			break;
		case OPT_COUNT:
			options->count = true;
			break;
		case OPT_LIST:
			options->list = find_kind(optarg);
			if (!options->list)
				return cli_usage("--list '%s': expected "
				                 "streams, types, actors or "
				                 "catalogs", optarg);
			break;
		case OPT_RAW:
			options->raw = true;
			break;
		case OPT_VERSION:
			return cli_version();
		case '?':
		case ':':
			return cli_bad_option(argv);
		default:
			result = filter_option(&options->filter, c, optarg);
			if (result >= 0)
				return result;
		}
	}
	if (argv[optind])
		return cli_usage("'%s': ev-cat takes no operands, -s names a "
		                 "stream and -l the log", argv[optind]);
	return check_list(options);
}

struct listing {
	const struct options *options;
	struct printer *printer;
	int64_t *count;
	struct ev_list seen; /* of two catalogs, types may have one name */
	struct ev_arena arena;
};

static bool
is_seen(const struct listing *listing, struct ev_str name)
{
	for (size_t i = 0; i < listing->seen.count; i++)
		if (ev_str_equal(listing->seen.list[i], name))
			return true;
	return false;
}

/* A name as -s, -t and so on take it, one a line. */
static void
print_plain(struct printer *printer, struct ev_str name)
{
	struct ev_buf *text = &printer->text;
	bool safe = !isatty(STDOUT_FILENO);

	ev_buf_reset(text);
	ev_line_unescape(text, name);
	for (size_t i = 0; safe && i < text->len; i++)
		safe = (unsigned char)text->ptr[i] >= ' ';
	if (safe) {
		ev_out_line(&printer->out, ev_buf_str(text));
		return;
	}
	ev_buf_reset(&printer->newer);
	ev_format_safe(&printer->newer, ev_buf_str(text));
	ev_out_line(&printer->out, ev_buf_str(&printer->newer));
}

static bool
print_name(void *context, struct ev_str name)
{
	struct listing *listing = context;
	const struct kind *kind = listing->options->list;
	const char *slash = memchr(name.ptr, '/', name.len);

	if (cli_stop || listing->printer->out.error ||
	    *listing->count >= listing->options->limit)
		return false;
	if (slash && kind->up_to_slash)
		name.len = (size_t)(slash - name.ptr);
	if (slash && kind->after_slash)
		name = (struct ev_str){
			slash + 1,
			(size_t)(name.ptr + name.len - slash - 1)
		};
	if (kind->names == EV_NAMES_TYPES) {
		if (is_seen(listing, name))
			return true;
		ev_list_add(&listing->seen,
		            ev_arena_dup(&listing->arena, name));
	}
	print_plain(listing->printer, name);
	++*listing->count;
	return true;
}

static enum ev_status
print_names(const struct options *options, struct ev_store *store,
            struct printer *printer, int64_t *count, struct ev_err *err)
{
	struct listing listing = { .options = options, .printer = printer,
	                           .count = count };
	const struct ev_list *prefixes = &options->filter.filter.prefixes;
	struct ev_str prefix = prefixes->count ? *prefixes->list
	                                       : (struct ev_str){ 0 };
	enum ev_status status;

	printer->out.fd = STDOUT_FILENO;
	status = store->ops->names(store, options->list->names, prefix,
	                           print_name, &listing, err);
	free(listing.seen.list);
	ev_arena_release(&listing.arena);
	return status;
}

static enum ev_status
print_events(const struct options *options, struct ev_store *store,
             struct printer *printer, int64_t *count, struct ev_err *err)
{
	struct ev_query query;
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_row row;
	struct ev_line line;
	bool plain = ev_filter_is_open(&options->filter.filter) &&
	             printer_is_plain(printer);

	filter_options_query(&options->filter, &query);
	query.reverse = options->reverse;
	if ((status = store->ops->query(store, &query, &cursor, err)))
		return status;
	while (*count < options->limit && !cli_stop && !printer->out.error &&
	       !(status = store->ops->next(cursor, &row, err))) {
		if (plain) {
			++*count;
			if (!options->count)
				printer_add(printer, row.line, NULL);
			continue;
		}
		if (!ev_line_parse(row.line, &line)) {
			status = ev_err_set(err, EV_IO, "position %lld is "
			                    "damaged, ask ev-verify",
			                    (long long)row.position);
			break;
		}
		if (!ev_filter_match(&options->filter.filter, &line,
		                     &printer->catalogs, &printer->text))
			continue;
		++*count;
		if (!options->count)
			printer_add(printer, row.line, &line);
	}
	store->ops->query_close(cursor);
	return status == EV_NO ? EV_OK : status;
}

static enum ev_status
run(struct options *options, struct printer *printer, int64_t *count,
    struct ev_err *err)
{
	struct ev_store *store;
	enum ev_status status, flushed;
	struct ev_err later;

	status = cli_open(&store, options->log, EV_STORE_READ, err);
	if (status)
		return status;
	if (options->list) {
		status = print_names(options, store, printer, count, err);
	} else {
		status = printer_open(printer, store, err);
		if (!status)
			status = filter_options_resolve(&options->filter,
			                                &printer->catalogs,
			                                err);
		if (!status)
			status = print_events(options, store, printer, count,
			                      err);
	}
	store->ops->close(store);
	flushed = printer_flush(printer, status ? &later : err);
	return status ? status : flushed;
}

int
main(int argc, char **argv)
{
	struct options options = { .limit = INT64_MAX };
	struct printer printer = { 0 };
	enum ev_status status;
	struct ev_err err;
	int64_t count = 0;
	int result;

	cli_start("ev-cat");
	filter_options_init(&options.filter);
	if ((result = parse_options(argc, argv, &options)) >= 0) {
		filter_options_release(&options.filter);
		return result;
	}
	printer.form = options.form;
	printer.raw = options.raw;
	cli_catch_signals();
	status = run(&options, &printer, &count, &err);
	if (status)
		cli_fail(status, &err);
	else if (options.count)
		status = printf("%lld\n", (long long)count) < 0 ||
		         fflush(stdout) ? EV_IO : EV_OK;
	if (!status)
		status = printer.worst ? printer.worst
		                       : count ? EV_OK : EV_NO;
	filter_options_release(&options.filter);
	printer_close(&printer);
	return cli_end(status);
}
