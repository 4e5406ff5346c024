/*
 * ev-why: prints the events that a document of a read model was folded from,
 * or those of them that changed one of its members. It folds the log again, in
 * memory, and stores nothing.
 */
#include <getopt.h>
#include <unistd.h>

#include "cmd/cli.h"
#include "cmd/why.h"

struct options {
	const char *log;
	enum printer_form form;
	const char *name;
	const char *key;
	const char *member; /* NULL: all of the document */
};

static const char usage[] =
"usage: ev-why [-l LOG] [-f FORM] NAME KEY [MEMBER]\n"
"Print the events behind a document of a read model, or behind one of its\n"
"members (a.b), in order.\n"
"\n"
"  -f, --format FORM  canonical, native, cloudevents or table\n"
"  -l, --log LOG      the log (default: $EV_LOG, else\n"
"                     $XDG_STATE_HOME/ev/log.db)\n"
"  -h, --help         print this\n"
"      --version      print versions\n"
"\n"
"Exit status: 0 done, 1 there is no such event, 64 usage, 65 a projection is\n"
"wrong, or an event cannot be printed in that form, 69 log unreachable,\n"
"74 reading or writing failed.\n";

enum { OPT_VERSION = 256 };

static const struct option long_options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "log", required_argument, NULL, 'l' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt_long(argc, argv, "f:hl:", long_options, NULL)) != -1)
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
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
	if (argc - optind < 2 || argc - optind > 3)
		return cli_usage("expected NAME KEY, and MEMBER if you like");
	options->name = argv[optind];
	options->key = argv[optind + 1];
	options->member = argv[optind + 2];
	return -1;
}

/* What the events are printed with. */
struct printing {
	struct history *history;
	struct printer *printer;
	int64_t count;
};

/* EV_NO: nobody reads it any more. */
static enum ev_status
print_event(void *context, int64_t position, struct ev_err *err)
{
	struct printing *printing = context;

	if (printing->printer->out.error)
		return EV_NO;
	printing->count++;
	return history_print(printing->history, printing->printer, position,
	                     err);
}

static enum ev_status
run(const struct options *options, struct printer *printer, int64_t *count,
    struct ev_err *err)
{
	struct history history = { 0 };
	struct printing printing = { &history, printer, 0 };
	enum ev_status status, flushed;
	struct ev_err later;

	status = history_open(&history, options->log, options->name,
	                      options->key, err);
	if (!status)
		status = printer_open(printer, history.store, err);
	if (!status)
		status = why_each(&history, options->member, print_event,
		                  &printing, err);
	*count = printing.count;
	if (status == EV_NO)
		status = EV_OK;
	flushed = printer_flush(printer, status ? &later : err);
	if (!status)
		history_say_parked(&history);
	history_close(&history);
	return status ? status : flushed;
}

int
main(int argc, char **argv)
{
	struct options options = { 0 };
	struct printer printer = { .out = { .fd = STDOUT_FILENO } };
	enum ev_status status;
	struct ev_err err;
	int64_t count = 0;
	int result;

	cli_start("ev-why");
	if ((result = parse_options(argc, argv, &options)) >= 0)
		return result;
	printer.form = options.form;
	cli_catch_signals();
	status = run(&options, &printer, &count, &err);
	if (status)
		cli_fail(status, &err);
	else
		status = printer.worst ? printer.worst
		                       : count ? EV_OK : EV_NO;
	printer_close(&printer);
	return cli_end(status);
}
