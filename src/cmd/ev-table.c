/*
 * ev-table: shows JSON objects, one a line, as a table for people. It reads all
 * of them before it prints, since only then it knows which columns there are
 * and how wide they have to be. A line that is no object is named on standard
 * error, and the others are shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/lines.h"
#include "cmd/cli.h"
#include "cmd/table.h"
#include "cmd/where.h"

/* An event may come in with EV_JSON_SIZE_MAX bytes, and gets an envelope. */
enum { LONGEST = 2 * EV_JSON_SIZE_MAX };

struct options {
	struct column {
		struct ev_str member;
		struct ev_str heading;
		size_t place; /* in the table */
	} *columns; /* none: all members */
	size_t count;
	bool headless;
};

struct run {
	const struct options *options;
	struct table table;
	size_t rows;
	enum ev_status worst; /* of the lines */
};

static const char usage[] =
"usage: ev-table [-m MEMBER[=HEADING]]... [--no-heading] [FILE...]\n"
"Show JSON objects, one a line, from files or standard input, as a table with a\n"
"column for each member.\n"
"\n"
"  -m, --member MEMBER[=HEADING]\n"
"                       a column of this member only; may be repeated\n"
"      --no-heading     rows only\n"
"  -h, --help           print this\n"
"      --version        print versions\n"
"\n"
"Exit status: 0 done, 1 there is nothing to show, 64 usage, 65 a line is no\n"
"JSON object (the rest is shown), 74 reading or writing failed.\n";

enum { OPT_NO_HEADING = 256, OPT_VERSION };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "member", required_argument, NULL, 'm' },
	{ "no-heading", no_argument, NULL, OPT_NO_HEADING },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* -1: added, or there already; else the exit status. */
static int
add_column(struct options *options, const char *text)
{
	const char *equals = strchr(text, '=');
	struct column column = { .member = ev_str(text) };

	if (equals)
		column.member.len = (size_t)(equals - text);
	column.heading = equals ? ev_str(equals + 1) : column.member;
	if (!column.member.len)
		return cli_usage("-m '%s': which member?", text);
	for (size_t i = 0; i < options->count; i++) {
		const struct column *other = &options->columns[i];

		if (!ev_str_equal(column.heading, other->heading))
			continue;
		if (ev_str_equal(column.member, other->member))
			return -1;
		return cli_usage("-m '%s': '%.*s' has this heading", text,
		                 EV_FMT(other->member));
	}
	options->columns = ev_mem_resize(options->columns,
	                                 (options->count + 1) * sizeof column);
	options->columns[options->count++] = column;
	return -1;
}

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c, result;

	while ((c = getopt_long(argc, argv, "hm:", long_options, NULL)) != -1)
		switch (c) {
		case 'h':
			return cli_help(usage);
		case 'm':
			if ((result = add_column(options, optarg)) >= 0)
				return result;
			break;
		case OPT_NO_HEADING:
			options->headless = true;
			break;
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
	if (!argv[optind] && isatty(STDIN_FILENO))
		return cli_usage("no objects: pipe them in or name a file");
	return -1;
}

static void
begin_table(struct table *table, struct options *options)
{
	table_init(table);
	table->grid.headless = options->headless;
	for (size_t i = 0; i < options->count; i++)
		options->columns[i].place = ev_grid_column(
			&table->grid, options->columns[i].heading);
}

static void
add_row(struct run *run, yyjson_val *object)
{
	const struct options *options = run->options;

	run->rows++;
	if (!options->count) {
		table_add(&run->table, object);
		return;
	}
	ev_grid_row(&run->table.grid);
	for (size_t i = 0; i < options->count; i++) {
		const struct column *column = &options->columns[i];

		table_add_value(&run->table, column->place,
		                where_find(object, column->member));
	}
}

static enum ev_status
take_line(struct run *run, struct ev_str text, struct ev_err *err)
{
	enum ev_status status;
	yyjson_val *root;
	yyjson_doc *doc;

	if ((status = ev_json_parse(&doc, text, NULL, err)))
		return status;
	root = yyjson_doc_get_root(doc);
	if (yyjson_is_obj(root))
		add_row(run, root);
	else
		status = ev_err_set(err, EV_BAD_INPUT, "expected an object, "
		                    "found %s", ev_json_type_name(root));
	yyjson_doc_free(doc);
	return status;
}

/* `file` is NULL for standard input. */
static enum ev_status
read_lines(struct run *run, int fd, const char *file, struct ev_err *err)
{
	struct ev_lines lines = { .fd = fd, .end = '\n', .max = LONGEST };
	enum ev_status status = EV_OK;
	struct ev_str text;

	while (!cli_stop) {
		status = ev_lines_next(&lines, &text, err);
		if (status && status != EV_BAD_INPUT)
			break;
		if (!status && !ev_str_is_blank(text))
			status = take_line(run, text, err);
		if (!status)
			continue;
		cli_say(status, "%s%sline %zu: %s", file ? file : "",
		        file ? ": " : "", lines.number, err->text);
		run->worst = status;
	}
	ev_lines_release(&lines);
	return status == EV_IO ? EV_IO : EV_OK;
}

static enum ev_status
read_file(struct run *run, const char *path, struct ev_err *err)
{
	enum ev_status status;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_lines(run, STDIN_FILENO, NULL, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ev_err_set(err, EV_IO, "cannot read '%s': %s", path,
		                  strerror(errno));
	status = read_lines(run, fd, path, err);
	close(fd);
	return status;
}

static enum ev_status
read_all(struct run *run, char **files, struct ev_err *err)
{
	enum ev_status status = EV_OK;

	if (!*files)
		return read_lines(run, STDIN_FILENO, NULL, err);
	for (; *files && !status; files++)
		status = read_file(run, *files, err);
	return status;
}

/* EV_NO: every row is blank, or there is none; nothing is printed. */
static enum ev_status
print(struct run *run, struct ev_err *err)
{
	struct ev_out out = { .fd = STDOUT_FILENO };
	enum ev_status status;

	if (ev_grid_is_empty(&run->table.grid)) {
		if (run->rows && run->options->count)
			cli_say(EV_NO, "no object has anything in the members "
			               "that -m names");
		return EV_NO;
	}
	table_print(&run->table, &out);
	status = ev_out_flush(&out, "standard output", err);
	ev_out_release(&out);
	return status;
}

int
main(int argc, char **argv)
{
	struct options options = { 0 };
	struct run run = { .options = &options };
	enum ev_status status;
	struct ev_err err;
	int result;

	cli_start("ev-table");
	if ((result = parse_options(argc, argv, &options)) >= 0) {
		free(options.columns);
		return result;
	}
	cli_catch_signals();
	begin_table(&run.table, &options);
	status = read_all(&run, argv + optind, &err);
	if (!status && !cli_stop)
		status = print(&run, &err);
	if (status && status != EV_NO)
		cli_fail(status, &err);
	if (run.worst && (!status || status == EV_NO))
		status = run.worst;
	table_release(&run.table);
	free(options.columns);
	return cli_end(status);
}
