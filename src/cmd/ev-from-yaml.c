/*
 * ev-from-yaml: prints a YAML document as JSON, in one line. Every problem is
 * named with its place in the file, and then nothing is printed.
 */
#include <getopt.h>
#include <unistd.h>

#include "base/out.h"
#include "cmd/cli.h"
#include "cmd/yaml_file.h"
#include "domain/format.h"
#include "domain/yaml.h"

static const char usage[] =
"usage: ev-from-yaml [FILE]\n"
"Print the YAML document in a file, or on standard input, as one line of JSON.\n"
"\n"
"  -h, --help     print this\n"
"      --version  print versions\n"
"\n"
"Exit status: 0 done, 64 usage, 65 the YAML is wrong, 74 reading or writing\n"
"failed.\n";

enum { OPT_VERSION = 256 };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* Finds the file, if one is named; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, const char **file)
{
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		switch (c) {
		case 'h':
			return cli_help(usage);
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
	if (argc - optind > 1)
		return cli_usage("'%s': only one file, as it makes one line",
		                 argv[optind + 1]);
	if (!argv[optind] && isatty(STDIN_FILENO))
		return cli_usage("no YAML: pipe it in or name a file");
	if (argv[optind])
		*file = argv[optind];
	return -1;
}

static void
report(void *context, struct ev_place place, const char *message)
{
	const char *const *file = context;

	cli_say(EV_BAD_INPUT, "%s:%zu:%zu: %s", *file, place.line, place.column,
	        message);
}

/* EV_BAD_INPUT: every problem has been said. */
static enum ev_status
convert(struct ev_buf *json, const char *file, struct ev_str yaml)
{
	struct ev_arena arena = { 0 };
	const struct ev_yaml *tree;

	if (ev_yaml_is_empty(yaml)) {
		ev_buf_add_str(json, EV_STR("null"));
		return EV_OK;
	}
	tree = ev_yaml_parse(&arena, yaml, report, &file);
	if (tree)
		ev_yaml_write_json(json, tree, NULL);
	ev_arena_release(&arena);
	return tree ? EV_OK : EV_BAD_INPUT;
}

static enum ev_status
print(struct ev_str json, struct ev_err *err)
{
	struct ev_out out = { .fd = STDOUT_FILENO };
	struct ev_buf safe = { 0 };
	enum ev_status status;

	if (isatty(STDOUT_FILENO)) {
		ev_format_safe_json(&safe, json);
		json = ev_buf_str(&safe);
	}
	ev_out_line(&out, json);
	status = ev_out_flush(&out, "standard output", err);
	ev_out_release(&out);
	ev_buf_release(&safe);
	return status;
}

static enum ev_status
run(const char *file, struct ev_err *err)
{
	struct ev_buf yaml = { 0 }, json = { 0 };
	enum ev_status status = yaml_file_read(&yaml, file, err);

	if (!status)
		status = convert(&json, file, ev_buf_str(&yaml));
	if (!status)
		status = print(ev_buf_str(&json), err);
	ev_buf_release(&yaml);
	ev_buf_release(&json);
	return status;
}

int
main(int argc, char **argv)
{
	const char *file = "-";
	enum ev_status status;
	struct ev_err err;
	int result;

	cli_start("ev-from-yaml");
	if ((result = parse_options(argc, argv, &file)) >= 0)
		return result;
	status = run(file, &err);
	if (status && status != EV_BAD_INPUT)
		cli_fail(status, &err);
	return status;
}
