/*
 * ev-verify: reads the whole log and names everything that is not as it was
 * appended: altered, missing, reordered or added events, holes in positions or
 * versions, indexes that disagree. The log's end is named by its head, a
 * position and a hash that covers everything before; one noted elsewhere shows
 * later that nothing up to it has been changed since.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/opt.h"
#include "base/out.h"
#include "cmd/cli.h"

struct options {
	const char *log;
	const char *since;
	bool head;
	bool quiet;
};

static const char usage[] =
"usage: ev-verify [-l LOG] [--since HEAD] [-q]\n"
"       ev-verify [-l LOG] --head\n"
"Check that the log is whole: every event as it was appended, none missing,\n"
"none added, every index right. Damage is printed, one line each.\n"
"\n"
"  -l, --log LOG      the log (default: $EV_LOG, else\n"
"                     $XDG_STATE_HOME/ev/log.db)\n"
"  -q, --quiet        no summary\n"
"      --head         print the log's head (POSITION:HASH), check nothing\n"
"      --since HEAD   check that this head, noted earlier, is in the log, and\n"
"                     everything after it; HASH alone will do\n"
"  -h, --help         print this\n"
"      --version      print versions\n"
"\n"
"Exit status: 0 whole, 1 damaged, 64 usage, 69 log unreachable, 74 reading\n"
"failed.\n";

enum { OPT_HEAD = 256, OPT_SINCE, OPT_VERSION };

static const struct option long_options[] = {
	{ "head", no_argument, NULL, OPT_HEAD },
	{ "help", no_argument, NULL, 'h' },
	{ "log", required_argument, NULL, 'l' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt_long(argc, argv, "hl:q", long_options, NULL)) != -1)
		switch (c) {
		case 'h':
			return cli_help(usage);
		case 'l':
			options->log = optarg;
			break;
		case 'q':
			options->quiet = true;
			break;
		case OPT_HEAD:
			options->head = true;
			break;
		case OPT_SINCE:
			options->since = optarg;
			break;
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
	if (argv[optind])
		return cli_usage("'%s': ev-verify takes no operands",
		                 argv[optind]);
	return -1;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* "POSITION:HASH" or "HASH". */
static bool
parse_head(const char *text, struct ev_head *head)
{
	const char *colon = strchr(text, ':');
	const char *hex = colon ? colon + 1 : text;
	char digits[24];

	*head = (struct ev_head){ 0 };
	if (colon) {
		if ((size_t)(colon - text) >= sizeof digits)
			return false;
		snprintf(digits, sizeof digits, "%.*s", (int)(colon - text),
		         text);
		if (!ev_opt_int(digits, 0, INT64_MAX, &head->position))
			return false;
	}
	if (strlen(hex) != 2 * sizeof head->hash)
		return false;
	for (size_t i = 0; i < sizeof head->hash; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		head->hash[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static void
format_head(struct ev_buf *out, const struct ev_head *head)
{
	ev_buf_printf(out, "%lld:", (long long)head->position);
	for (size_t i = 0; i < sizeof head->hash; i++)
		ev_buf_printf(out, "%02x", head->hash[i]);
}

static void
print_damage(void *context, const char *text)
{
	ev_out_line(context, ev_str(text));
}

static enum ev_status
run(const struct options *options, const struct ev_head *since,
    struct ev_out *out, struct ev_err *err)
{
	struct ev_buf text = { 0 };
	struct ev_store *store;
	struct ev_head head;
	enum ev_status status;

	status = cli_open(&store, options->log, EV_STORE_READ, err);
	if (status)
		return status;
	if (options->head)
		status = store->ops->head(store, &head, err);
	else
		status = store->ops->verify(store, since, print_damage, out,
		                            &head, err);
	store->ops->close(store);
	if (status && status != EV_NO)
		return status;
	if (!options->head) {
		if (status == EV_OK)
			ev_buf_add_str(&text, EV_STR("whole: "));
		else
			ev_buf_add_str(&text, EV_STR("damaged: "));
	}
	format_head(&text, &head);
	if (options->head || !options->quiet)
		ev_out_line(out, ev_buf_str(&text));
	ev_buf_release(&text);
	return status;
}

int
main(int argc, char **argv)
{
	struct options options = { 0 };
	struct ev_out out = { .fd = 1 };
	enum ev_status status, flushed;
	struct ev_head since;
	struct ev_err err;
	int result;

	cli_start("ev-verify");
	if ((result = parse_options(argc, argv, &options)) >= 0)
		return result;
	if (options.since && !parse_head(options.since, &since))
		return cli_usage("--since '%s': expected a head as --head "
		                 "prints it", options.since);
	status = run(&options, options.since ? &since : NULL, &out, &err);
	if (status && status != EV_NO)
		cli_fail(status, &err);
	flushed = ev_out_flush(&out, "standard output", &err);
	if (flushed)
		cli_fail(flushed, &err);
	ev_out_release(&out);
	return flushed ? flushed : status;
}
