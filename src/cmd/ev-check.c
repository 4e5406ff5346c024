/*
 * ev-check: finds what is wrong before it is in the log. Reads catalogs and
 * projections (files, or every one on the paths) and names all their problems;
 * or events, and names those that ev-append would refuse; or two versions of a
 * catalog, and says which changes break what is there. Changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/catalog_files.h"
#include "base/lines.h"
#include "base/out.h"
#include "cmd/cli.h"
#include "cmd/definitions.h"
#include "domain/event.h"
#include "domain/filter.h"

struct options {
	const char *log;
	struct ev_overrides overrides;
	const char *list; /* NULL, or which names */
	bool compat;
	bool quiet;
	char end; /* of a record */
};

/* What was looked at, and what was found. */
struct run {
	const struct options *options;
	struct definitions definitions;
	struct ev_out out;
};

static const char usage[] =
"usage: ev-check [-q] [FILE.yaml...]\n"
"       ev-check [-0q] [-c CATALOG] [-s STREAM] EVENTS... | < EVENTS\n"
"       ev-check [-q] [-l LOG] --compat OLD.yaml NEW.yaml\n"
"       ev-check [-c CATALOG] --list types|catalogs|categories|projections\n"
"Name everything that is wrong with catalogs and projections (those in force,\n"
"if none is named), or with events that were to be appended; change nothing. A\n"
"file whose name ends in .yaml or .yml is a projection if it has a member\n"
"'projection', else a catalog; any other holds events. '-' is standard input,\n"
"which is read unasked if it is a file or a pipe.\n"
"\n"
"  -0                  records end in NUL, not in newline\n"
"  -c, --catalog NAME  find events' types in this catalog only\n"
"  -l, --log LOG       with --compat: check the events of this log too\n"
"  -q, --quiet         no summary\n"
"  -s, --stream ID     the events would be appended to this stream\n"
"      --compat        compare two versions of a catalog\n"
"      --list WHAT     print names that the catalogs in force know\n"
"  -h, --help          print this\n"
"      --version       print versions\n"
"\n"
"Exit status: 0 nothing is wrong, 1 something is, 64 usage, 69 log\n"
"unreachable, 74 reading failed.\n";

enum { OPT_COMPAT = 256, OPT_LIST, OPT_VERSION };

static const struct option long_options[] = {
	{ "catalog", required_argument, NULL, 'c' },
	{ "compat", no_argument, NULL, OPT_COMPAT },
	{ "help", no_argument, NULL, 'h' },
	{ "list", required_argument, NULL, OPT_LIST },
	{ "log", required_argument, NULL, 'l' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "stream", required_argument, NULL, 's' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt_long(argc, argv, "0c:hl:qs:", long_options,
	                        NULL)) != -1)
		switch (c) {
		case '0':
			options->end = '\0';
			break;
		case 'c':
			options->overrides.catalog = ev_str(optarg);
			break;
		case 'h':
			return cli_help(usage);
		case 'l':
			options->log = optarg;
			break;
		case 'q':
			options->quiet = true;
			break;
		case 's':
			options->overrides.stream = ev_str(optarg);
			break;
		case OPT_COMPAT:
			options->compat = true;
			break;
		case OPT_LIST:
			if (strcmp(optarg, "types") != 0 &&
			    strcmp(optarg, "catalogs") != 0 &&
			    strcmp(optarg, "categories") != 0 &&
			    strcmp(optarg, "projections") != 0)
				return cli_usage("--list '%s': expected types, "
				                 "catalogs, categories or "
				                 "projections",
				                 optarg);
			options->list = optarg;
			break;
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
	if (options->compat && argc - optind != 2)
		return cli_usage("--compat compares two files, the older one "
		                 "first");
	if (options->log && !options->compat)
		return cli_usage("-l goes with --compat");
	if (options->list && (options->compat || argv[optind]))
		return cli_usage("--list takes no operands");
	return -1;
}

/* ---- catalogs and projections */

/* file:line:column: message, as editors and CI like it. */
static void
print_problems(const struct ev_problems *problems)
{
	const char *form = getenv("EV_ERRORS");
	struct ev_str text = ev_buf_str(&problems->text);

	if (!text.len)
		return;
	if (!form || strcmp(form, "json") != 0) {
		fwrite(text.ptr, 1, text.len, stderr);
		return;
	}
	while (text.len) {
		size_t len = (size_t)((char *)memchr(text.ptr, '\n', text.len) -
		                      text.ptr);

		cli_say(EV_NO, "%.*s", (int)len, text.ptr);
		text.ptr += len + 1;
		text.len -= len + 1;
	}
}

static void
summarize(struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
summarize(struct run *run, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!run->options->quiet)
		ev_out_line(&run->out, ev_str(text));
}

static const char *
plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* "4 catalogs and 12 projections"; types after the catalogs, if wanted. */
static struct ev_str
describe(const struct definitions *d, struct ev_buf *out, bool with_types)
{
	size_t types = 0;

	for (size_t i = 0; i < d->catalog_count; i++)
		if (d->catalogs[i].catalog)
			types += ev_catalog_type_count(d->catalogs[i].catalog);
	if (d->catalog_count)
		ev_buf_printf(out, "%zu catalog%s", d->catalog_count,
		              plural(d->catalog_count));
	if (d->catalog_count && with_types)
		ev_buf_printf(out, ", %zu type%s", types, plural(types));
	if (d->projection_files)
		ev_buf_printf(out, "%s%zu projection%s",
		              !d->catalog_count  ? ""
		              : with_types ? ", "
		                           : " and ",
		              d->projection_files,
		              plural(d->projection_files));
	return ev_buf_str(out);
}

/* Those files, or every one in force. */
static enum ev_status
check_files(struct run *run, char **paths, struct ev_err *err)
{
	struct definitions *d = &run->definitions;
	bool named = *paths != NULL;
	struct ev_buf what = { 0 };
	enum ev_status status = EV_OK;

	if (!named) {
		status = definitions_read_catalogs(d, err);
		if (!status)
			status = definitions_read_projections(d, err);
	}
	for (; !status && *paths; paths++)
		status = definitions_read(d, *paths, DEFINITIONS_EITHER, err);
	if (status)
		return status;
	status = definitions_check(d, named ? DEFINITIONS_NAMED
	                                    : DEFINITIONS_IN_FORCE, err);
	print_problems(&d->problems);
	if (status)
		return status;
	describe(d, &what, !d->problems.count);
	if (d->problems.count)
		summarize(run, "%zu problem%s in %.*s", d->problems.count,
		          plural(d->problems.count),
		          EV_FMT(ev_buf_str(&what)));
	else
		summarize(run, "%.*s: nothing wrong",
		          EV_FMT(ev_buf_str(&what)));
	ev_buf_release(&what);
	return d->problems.count ? EV_NO : EV_OK;
}

/* ---- events */

struct counts {
	size_t events;
	size_t refused;
};

static enum ev_status
check_lines(struct run *run, struct ev_event_reader *reader, int fd,
            const char *path, struct counts *counts, struct ev_err *err)
{
	struct ev_lines lines = { .fd = fd, .end = run->options->end,
	                          .max = EV_JSON_SIZE_MAX };
	struct ev_arena arena = { 0 };
	enum ev_status status = EV_OK;
	struct ev_event event;
	struct ev_str text;

	while (!cli_stop) {
		status = ev_lines_next(&lines, &text, err);
		if (status && status != EV_BAD_INPUT)
			break;
		if (!status && ev_str_is_blank(text))
			continue;
		if (!status)
			status = ev_event_read(&event, reader, text, &arena,
			                       err);
		if (status)
			cli_say(EV_NO, "%s%sline %zu: %s", path ? path : "",
			        path ? ": " : "", lines.number, err->text);
		counts->events++;
		counts->refused += status != EV_OK;
		ev_arena_reset(&arena);
	}
	ev_arena_release(&arena);
	ev_lines_release(&lines);
	return status == EV_IO ? EV_IO : EV_OK;
}

static enum ev_status
check_file(struct run *run, struct ev_event_reader *reader, const char *path,
           struct counts *counts, struct ev_err *err)
{
	enum ev_status status;
	int fd;

	if (!strcmp(path, "-"))
		return check_lines(run, reader, STDIN_FILENO, NULL, counts,
		                   err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ev_err_set(err, EV_IO, "cannot read '%s': %s", path,
		                  strerror(errno));
	status = check_lines(run, reader, fd, path, counts, err);
	close(fd);
	return status;
}

static enum ev_status
check_events(struct run *run, char **paths, struct ev_err *err)
{
	struct ev_event_reader reader = {
		.overrides = run->options->overrides
	};
	struct ev_catalogs catalogs = { 0 };
	struct counts counts = { 0 };
	enum ev_status status;

	/* with broken catalogs an append would refuse everything */
	if ((status = ev_catalogs_open(&catalogs, NULL, err)) == EV_OK) {
		reader.catalogs = &catalogs;
		for (; !status && *paths; paths++)
			status = check_file(run, &reader, *paths, &counts, err);
	}
	if (!status && counts.refused)
		summarize(run, "%zu of %zu event%s would be refused",
		          counts.refused, counts.events, plural(counts.events));
	else if (!status)
		summarize(run, "%zu event%s: nothing wrong", counts.events,
		          plural(counts.events));
	ev_event_reader_release(&reader);
	ev_catalogs_release(&catalogs);
	return !status && counts.refused ? EV_NO : status;
}

/* ---- two versions of a catalog */

/* Would the new catalog take a stored event, after its upcasts? */
static enum ev_status
try_event(struct ev_catalog *catalog, const struct ev_line *line,
          struct ev_buf *newest, struct ev_err *err)
{
	const struct ev_type *type = ev_catalog_find(catalog, line->type);
	yyjson_doc *doc = NULL, *upcast = NULL;
	enum ev_status status;

	if (!type)
		return ev_err_set(err, EV_NO, "there is no such type any more");
	if ((status = ev_json_parse(&doc, line->data, NULL, err)))
		return status;
	ev_buf_reset(newest);
	status = ev_type_upcast(type, line->schema_version,
	                        yyjson_doc_get_root(doc), newest, err);
	if (!status)
		status = ev_json_parse(&upcast, ev_buf_str(newest), NULL, err);
	if (!status)
		status = ev_schema_validate(
			type->payload, yyjson_doc_get_root(upcast), err);
	yyjson_doc_free(upcast);
	yyjson_doc_free(doc);
	return status;
}

static enum ev_status
try_events(struct run *run, struct ev_store *store, struct counts *counts,
           struct ev_err *err)
{
	const struct ev_query query = { .from = 1, .to = INT64_MAX,
	                                .from_time = EV_TIME_NONE,
	                                .to_time = EV_TIME_NONE };
	struct ev_str name = ev_catalog_name(run->definitions.catalogs[0].catalog);
	struct ev_buf newest = { 0 }, text = { 0 };
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_line line;
	struct ev_row row;
	struct ev_err why;

	if ((status = store->ops->query(store, &query, &cursor, err)))
		return status;
	while (!cli_stop && !(status = store->ops->next(cursor, &row, err))) {
		if (!ev_line_parse(row.line, &line) ||
		    !ev_str_equal(line.catalog, name))
			continue;
		counts->events++;
		if (!try_event(run->definitions.catalogs[1].catalog, &line, &newest, &why))
			continue;
		counts->refused++;
		ev_buf_reset(&text);
		ev_buf_printf(&text, "refused: position %lld: %.*s: %s",
		              (long long)row.position, EV_FMT(line.type),
		              why.text);
		ev_out_line(&run->out, ev_buf_str(&text));
	}
	store->ops->query_close(cursor);
	ev_buf_release(&newest);
	ev_buf_release(&text);
	return status == EV_NO ? EV_OK : status;
}

static enum ev_status
compare(struct run *run, char **paths, struct ev_err *err)
{
	struct definitions *d = &run->definitions;
	struct ev_buf report = { 0 };
	struct ev_store *store = NULL;
	struct counts counts = { 0 };
	enum ev_status status;
	size_t breaking;

	for (int i = 0; i < 2; i++)
		if ((status = definitions_read(d, paths[i], DEFINITIONS_CATALOG,
		                               err)))
			return status;
	print_problems(&d->problems);
	if (d->problems.count)
		return EV_NO;
	breaking = ev_catalog_compare(d->catalogs[0].catalog,
	                              d->catalogs[1].catalog, &report);
	ev_out_add(&run->out, ev_buf_str(&report));
	ev_buf_release(&report);
	if (run->options->log) {
		status = cli_open(&store, run->options->log, EV_STORE_READ,
		                  err);
		if (!status) {
			status = try_events(run, store, &counts, err);
			store->ops->close(store);
		}
	}
	if (status)
		return status;
	if (run->options->log)
		summarize(run, "%zu breaking change%s, %zu of %zu stored "
		               "event%s refused", breaking, plural(breaking),
		          counts.refused, counts.events,
		          plural(counts.events));
	else
		summarize(run, "%zu breaking change%s", breaking,
		          plural(breaking));
	return breaking || counts.refused ? EV_NO : EV_OK;
}

/* ---- names */

static void
add_name(struct run *run, struct ev_list *seen, struct ev_str name)
{
	for (size_t i = 0; i < seen->count; i++)
		if (ev_str_equal(seen->list[i], name))
			return;
	ev_list_add(seen, name);
	ev_out_line(&run->out, name);
}

static bool
is_of_catalog(const struct ev_projection *projection, struct ev_str name)
{
	for (size_t i = 0; i < projection->catalog_count; i++)
		if (ev_str_equal(projection->catalogs[i], name))
			return true;
	return !name.ptr;
}

/* Broken ones are passed over; one that cannot be read is told. */
static enum ev_status
list_projections(struct run *run, struct ev_err *err)
{
	struct ev_str only = run->options->overrides.catalog;
	struct definitions *d = &run->definitions;
	enum ev_status status = definitions_read_projections(d, err);
	size_t listed = 0;

	for (size_t i = 0; i < d->projection_count; i++)
		if (is_of_catalog(d->projections[i], only)) {
			ev_out_line(&run->out, d->projections[i]->name);
			listed++;
		}
	if (status)
		return status;
	return listed ? EV_OK : EV_NO;
}

/* Each once, in the catalogs' order; broken catalogs are passed over. */
static enum ev_status
list_names(struct run *run, struct ev_err *err)
{
	bool types = strcmp(run->options->list, "types") == 0;
	bool categories = strcmp(run->options->list, "categories") == 0;
	struct ev_str only = run->options->overrides.catalog;
	struct definitions *d = &run->definitions;
	enum ev_status status = definitions_read_catalogs(d, err);
	struct ev_list seen = { 0 };

	for (size_t i = 0; !status && i < d->catalog_count; i++) {
		struct ev_catalog *catalog = d->catalogs[i].catalog;

		if (!catalog ||
		    (only.ptr && !ev_str_equal(ev_catalog_name(catalog), only)))
			continue;
		if (!types && !categories) {
			add_name(run, &seen, ev_catalog_name(catalog));
			continue;
		}
		for (size_t t = 0; t < ev_catalog_type_count(catalog); t++) {
			const struct ev_type *type =
				ev_catalog_type(catalog, t);

			add_name(run, &seen,
			         types ? type->name : type->category);
		}
	}
	if (!status && !seen.count)
		status = EV_NO;
	free(seen.list);
	return status;
}

/* ---- what is to be done */

static bool
is_yaml(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

/*
 * Without operands: are there events on standard input? A pipe says so, and a
 * file from its beginning; one that a shell's loop has begun to read is the
 * loop's.
 */
static bool
is_input_given(void)
{
	struct stat info;

	if (fstat(STDIN_FILENO, &info))
		return false;
	if (S_ISREG(info.st_mode))
		return lseek(STDIN_FILENO, 0, SEEK_CUR) == 0;
	return S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode);
}

/* Whoever waits for a check of the catalogs should learn what it waits for. */
static void
tell_what_is_awaited(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&input, 1, 2000) == 0)
		cli_say(EV_OK, "waiting for events on standard input; to check "
		               "the catalogs and projections in force give it "
		               "'</dev/null'");
}

static enum ev_status
check(struct run *run, char **paths, struct ev_err *err)
{
	char dash[] = "-", *input[] = { dash, NULL };
	bool definitions = true, events = true;

	if (run->options->list && !strcmp(run->options->list, "projections"))
		return list_projections(run, err);
	if (run->options->list)
		return list_names(run, err);
	if (run->options->compat)
		return compare(run, paths, err);
	if (!*paths && is_input_given()) {
		tell_what_is_awaited();
		return check_events(run, input, err);
	}
	for (char **path = paths; *path; path++) {
		definitions &= is_yaml(*path);
		events &= !is_yaml(*path);
	}
	if (!definitions && !events)
		return ev_err_set(err, EV_USAGE, "catalogs and events cannot "
		                                 "be checked in one run");
	return definitions ? check_files(run, paths, err)
	                   : check_events(run, paths, err);
}

int
main(int argc, char **argv)
{
	struct options options = { .end = '\n',
	                           .overrides.priority = EV_PRIORITY_NONE };
	struct run run = { .options = &options, .out.fd = STDOUT_FILENO };
	enum ev_status status, flushed;
	struct ev_err err;
	int result;

	cli_start("ev-check");
	if ((result = parse_options(argc, argv, &options)) >= 0)
		return result;
	cli_catch_signals();
	status = check(&run, argv + optind, &err);
	if (status && status != EV_NO)
		cli_fail(status, &err);
	/* a catalog that cannot be loaded has failed its check */
	if (status == EV_BAD_INPUT)
		status = EV_NO;
	flushed = ev_out_flush(&run.out, "standard output", &err);
	if (flushed)
		cli_fail(flushed, &err);
	definitions_release(&run.definitions);
	ev_out_release(&run.out);
	return cli_end(flushed ? flushed : status);
}
