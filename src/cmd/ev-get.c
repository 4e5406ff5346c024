/*
 * ev-get: prints the documents of a read model, ordered by key, one a line. It
 * brings the model up to date first and saves that if it may write; if not, it
 * folds the rest in memory. So what it prints is what the whole log says, or,
 * with --at, what the log said once.
 */
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "cmd/cli.h"
#include "cmd/table.h"
#include "cmd/view.h"
#include "cmd/where.h"
#include "domain/filter.h"
#include "domain/format.h"

enum { TRIES = 2 }; /* to save, while others append */

struct options {
	const char *log;
	const char *name;
	struct ev_list keys; /* slices */
	struct ev_arena arena;
	struct where where;
	struct ev_str sort;  /* {0}: by key */
	struct ev_list members; /* besides the key, */
	bool picked;            /* … if not all are shown */
	const char *at;
	int64_t limit;
	bool reverse;
	bool stale;
	bool table;
};

/* A document that was chosen. */
struct found {
	struct ev_str key;
	struct ev_str json;
	yyjson_val *by; /* what it is sorted by */
	size_t place;   /* by key */
};

struct get {
	const struct options *options;
	struct projector projector;
	struct readmodel model;
	struct view view;
	struct found *list;
	size_t count;
	yyjson_doc **docs; /* of `by` */
	size_t doc_count;
	struct ev_arena arena;
	struct ev_out out;
	bool unknown; /* a key was */
	enum ev_status status;
	struct ev_err *err;
};

static const char usage[] =
"usage: ev-get [-l LOG] [options] NAME [KEY...]\n"
"Print the documents of a read model, or those of the keys, up to date.\n"
"\n"
"  -f, --format FORM          ndjson or table\n"
"  -l, --log LOG              the log (default: $EV_LOG, else\n"
"                             $XDG_STATE_HOME/ev/log.db)\n"
"  -m, --member MEMBER        only key and this member; may be repeated\n"
"  -n, --limit COUNT          this many at most\n"
"  -r, --reverse              in the opposite order\n"
"      --at WHEN              as of this position or time (2h, 2026-04-21,\n"
"                             RFC 3339)\n"
"      --sort MEMBER          ordered by this member, not by key\n"
"      --stale                what is stored, as it is\n"
"      --where EXPR           those only for which EXPR holds: MEMBER=TEXT, or\n"
"                             another of != < <= > >=; may be repeated\n"
"  -h, --help                 print this\n"
"      --version              print versions\n"
"\n"
"Exit status: 0 done, 1 no document or an unknown key, 64 usage, 65 the\n"
"projection's file is wrong, 69 log unreachable, 74 reading or writing failed.\n";

enum { OPT_AT = 256, OPT_SORT, OPT_STALE, OPT_VERSION, OPT_WHERE };

static const struct option long_options[] = {
	{ "at", required_argument, NULL, OPT_AT },
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "limit", required_argument, NULL, 'n' },
	{ "log", required_argument, NULL, 'l' },
	{ "member", required_argument, NULL, 'm' },
	{ "reverse", no_argument, NULL, 'r' },
	{ "sort", required_argument, NULL, OPT_SORT },
	{ "stale", no_argument, NULL, OPT_STALE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "where", required_argument, NULL, OPT_WHERE },
	{ NULL, 0, NULL, 0 }
};

/* Each once; the key is there anyway. */
static void
add_member(struct ev_list *members, struct ev_str member)
{
	for (size_t i = 0; i < members->count; i++)
		if (ev_str_equal(members->list[i], member))
			return;
	if (!ev_str_equal(member, EV_STR("key")))
		ev_list_add(members, member);
}

/* One option: -1 done, else the exit status. */
static int
take_option(struct options *options, int c, char **argv)
{
	struct ev_err err;
	int64_t time;

	switch (c) {
	case 'f':
		options->table = strcmp(optarg, "table") == 0;
		if (!options->table && strcmp(optarg, "ndjson") != 0)
			return cli_usage("-f '%s': expected ndjson or table",
			                 optarg);
		return -1;
	case 'l':
		options->log = optarg;
		return -1;
	case 'm':
		if (!*optarg)
			return cli_usage("-m: which member?");
		options->picked = true;
		add_member(&options->members, ev_str(optarg));
		return -1;
	case 'n':
		if (!ev_opt_int(optarg, 0, INT64_MAX, &options->limit))
			return cli_usage("-n '%s': expected a number from 0",
			                 optarg);
		return -1;
	case 'r':
		options->reverse = true;
		return -1;
	case OPT_AT:
		options->at = optarg;
		if (!ev_opt_int(optarg, 0, INT64_MAX, &time) &&
		    !ev_opt_time(optarg, ev_time_now(), &time))
			return cli_usage("--at '%s': expected a position, or "
			                 "45s, 30m, 2h, 7d, a date or an "
			                 "RFC 3339 time", optarg);
		return -1;
	case OPT_SORT:
		options->sort = ev_str(optarg);
		if (!*optarg)
			return cli_usage("--sort: which member?");
		return -1;
	case OPT_STALE:
		options->stale = true;
		return -1;
	case OPT_WHERE:
		if (where_add(&options->where, optarg, &err))
			return cli_usage("--where %s", err.text);
		return -1;
	default:
		return cli_bad_option(argv);
	}
}

static int
compare_keys(const void *a, const void *b)
{
	return ev_str_compare(*(const struct ev_str *)a,
	                      *(const struct ev_str *)b);
}

/* Keys are plain text, and wanted as slices, each once, in their order. */
static void
take_keys(struct options *options, char **keys)
{
	struct ev_list *list = &options->keys;
	size_t kept = 0;

	for (; *keys; keys++)
		ev_list_add(list, ev_line_escape(&options->arena,
		                                 ev_str(*keys)));
	if (!list->count)
		return;
	qsort(list->list, list->count, sizeof *list->list, compare_keys);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || !ev_str_equal(list->list[kept - 1], list->list[i]))
			list->list[kept++] = list->list[i];
	list->count = kept;
}

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c, result;

	while ((c = getopt_long(argc, argv, "f:hl:m:n:r", long_options,
	                        NULL)) != -1) {
		if (c == 'h')
			return cli_help(usage);
		if (c == OPT_VERSION)
			return cli_version();
		if ((result = take_option(options, c, argv)) >= 0)
			return result;
	}
	if (!argv[optind])
		return cli_usage("which read model? 'ev-project --list' names "
		                 "those of the log");
	if (options->stale && options->at)
		return cli_usage("--stale and --at exclude each other");
	options->name = argv[optind];
	take_keys(options, argv + optind + 1);
	return -1;
}

static void
release_options(struct options *options)
{
	free(options->keys.list);
	free(options->members.list);
	where_release(&options->where);
	ev_arena_release(&options->arena);
}

/* ---- choosing */

static bool
keep(struct get *get, struct ev_str key, struct ev_str json, yyjson_doc *doc)
{
	const struct options *options = get->options;
	struct found *found;

	get->list = (get->count & (get->count - 1)) ? get->list
		: ev_mem_resize(get->list, (get->count ? 2 * get->count : 1) *
		                sizeof *get->list);
	found = &get->list[get->count];
	*found = (struct found){
		.key = ev_arena_dup(&get->arena, key),
		.json = ev_arena_dup(&get->arena, json),
		.place = get->count++,
	};
	if (!options->sort.len)
		return options->reverse || (int64_t)get->count < options->limit;
	found->by = where_find(yyjson_doc_get_root(doc), options->sort);
	if (!found->by)
		return true;
	get->docs = ev_mem_resize(get->docs, (get->doc_count + 1) *
	                          sizeof *get->docs);
	get->docs[get->doc_count++] = doc;
	return true;
}

/* Chooses a document; what it is sorted by stays parsed. */
static bool
choose(void *context, struct ev_str key, int64_t position, struct ev_str json)
{
	struct get *get = context;
	const struct options *options = get->options;
	size_t kept = get->doc_count;
	yyjson_doc *doc = NULL;
	bool more = true;

	(void)position;
	if (options->where.count || options->sort.len) {
		get->status = ev_json_parse(&doc, json, NULL, get->err);
		if (get->status)
			return false;
	}
	if (!doc || where_holds(&options->where, yyjson_doc_get_root(doc)))
		more = keep(get, key, json, doc);
	if (get->doc_count == kept)
		yyjson_doc_free(doc);
	return more && !cli_stop;
}

static enum ev_status
choose_keys(struct get *get, struct ev_err *err)
{
	const struct ev_list *keys = &get->options->keys;
	struct ev_buf json = { 0 }, plain = { 0 };
	enum ev_status status = EV_OK;
	bool more = true;

	for (size_t i = 0; i < keys->count && !status && more; i++) {
		ev_buf_reset(&json);
		status = view_find(&get->view, keys->list[i], &json, err);
		if (!status) {
			more = choose(get, keys->list[i], 0,
			              ev_buf_str(&json));
		} else if (status == EV_NO) {
			ev_buf_reset(&plain);
			ev_line_unescape(&plain, keys->list[i]);
			cli_say(EV_NO, "'%s' has no document '%.*s'",
			        get->options->name,
			        EV_FMT(ev_buf_str(&plain)));
			get->unknown = true;
			status = EV_OK;
		}
	}
	ev_buf_release(&json);
	ev_buf_release(&plain);
	return status ? status : get->status;
}

/* Numbers by value, null and missing last; equal ones by key. */
static int
by_member(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = where_compare(x->by, y->by);

	return order ? order : x->place < y->place ? -1 : 1;
}

static int
by_member_reversed(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = where_compare_reversed(x->by, y->by);

	return order ? order : x->place < y->place ? -1 : 1;
}

static void
put_in_order(struct get *get)
{
	const struct options *options = get->options;

	if (!get->count)
		return;
	if (options->sort.len)
		qsort(get->list, get->count, sizeof *get->list,
		      options->reverse ? by_member_reversed : by_member);
	else if (options->reverse)
		for (size_t i = 0, j = get->count - 1; i < j; i++, j--) {
			struct found swap = get->list[i];

			get->list[i] = get->list[j];
			get->list[j] = swap;
		}
	if ((int64_t)get->count > options->limit)
		get->count = (size_t)options->limit;
}

static enum ev_status
find_at(const struct options *options, struct ev_store *store,
        int64_t *position, struct ev_err *err)
{
	int64_t time;

	*position = -1;
	if (!options->at || ev_opt_int(options->at, 0, INT64_MAX, position))
		return EV_OK;
	ev_opt_time(options->at, ev_time_now(), &time);
	return view_find_time(store, time, position, err);
}

static void
tell_parked(const struct get *get)
{
	const struct view *view = &get->view;
	int64_t count = (int64_t)view->parked.count;

	if (view->stored)
		count += get->model.live.parked;
	if (count == 1)
		cli_say(EV_OK, "'%.*s' lacks an event that could not be "
		        "folded, 'ev-project --list' says which",
		        EV_FMT(get->model.name));
	else if (count)
		cli_say(EV_OK, "'%.*s' lacks %lld events that could not be "
		        "folded, 'ev-project --list' says which",
		        EV_FMT(get->model.name), (long long)count);
}

/* A misspelt member is no document's, and would pass for an empty answer. */
static enum ev_status
check_members(const struct get *get, struct ev_err *err)
{
	const struct options *options = get->options;
	const struct ev_projection *p = get->view.projection;
	enum ev_status status = where_check_all(&options->where, p, err);

	if (!status && options->sort.len)
		status = where_check(p, options->sort, err);
	for (size_t i = 0; !status && i < options->members.count; i++)
		status = where_check(p, options->members.list[i], err);
	return status;
}

/* All from one state of the log, and in memory before anything is printed, so
   that a slow reader holds nobody up. */
static enum ev_status
choose_all(struct get *get, struct ev_err *err)
{
	const struct options *options = get->options;
	struct ev_store *store = get->projector.store;
	struct view_options as = {
		.stale = options->stale,
		.keys = { options->keys.list, options->keys.count },
	};
	enum ev_status status = store->ops->model_begin(store, err);

	if (status)
		return status;
	get->err = err;
	status = find_at(options, store, &as.at, err);
	if (!status)
		status = view_open(&get->view, &get->model, &as, err);
	if (!status)
		status = check_members(get, err);
	if (!status && options->keys.count)
		status = choose_keys(get, err);
	else if (!status && options->limit)
		status = view_each(&get->view, choose, get, err);
	if (!status)
		status = get->status;
	if (!status)
		tell_parked(get);
	store->ops->model_end(store);
	return status;
}

/* ---- printing */

/* The document of the key and the members that were asked for. */
static enum ev_status
pick(const struct get *get, struct found *found, struct ev_arena *arena,
     struct ev_err *err)
{
	const struct ev_list *members = &get->options->members;
	struct ev_buf json = { 0 };
	yyjson_val *value;
	yyjson_doc *doc;
	enum ev_status status = ev_json_parse(&doc, found->json, NULL, err);

	if (status)
		return status;
	ev_buf_printf(&json, "{\"key\":\"%.*s\"", EV_FMT(found->key));
	for (size_t i = 0; i < members->count; i++) {
		value = where_find(yyjson_doc_get_root(doc), members->list[i]);
		if (!value)
			continue;
		ev_buf_add_char(&json, ',');
		ev_json_write_string(&json, members->list[i]);
		ev_buf_add_char(&json, ':');
		ev_json_write(&json, value);
	}
	ev_buf_add_char(&json, '}');
	found->json = ev_arena_dup(arena, ev_buf_str(&json));
	ev_buf_release(&json);
	yyjson_doc_free(doc);
	return EV_OK;
}

static void
print_lines(struct get *get)
{
	struct ev_buf safe = { 0 };
	bool terminal = isatty(STDOUT_FILENO);

	for (size_t i = 0; i < get->count && !get->out.error; i++) {
		ev_buf_reset(&safe);
		if (terminal)
			ev_format_safe_json(&safe, get->list[i].json);
		ev_out_line(&get->out, terminal ? ev_buf_str(&safe)
		                                : get->list[i].json);
	}
	ev_buf_release(&safe);
}

/* Columns stand as they were asked for, or as the projection mentions its
   members. */
static void
add_columns(struct ev_grid *grid, const struct ev_projection *projection,
            const struct options *options)
{
	ev_grid_column(grid, EV_STR("key"));
	for (size_t i = 0; i < options->members.count; i++)
		ev_grid_column(grid, options->members.list[i]);
	if (options->picked)
		return;
	for (size_t i = 0; i < projection->slot_count; i++)
		ev_grid_column(grid, projection->slots[i].name);
	for (size_t i = 0; i < projection->derive_count; i++)
		ev_grid_column(grid, projection->derives[i].name);
}

static enum ev_status
print_table(struct get *get, struct ev_err *err)
{
	enum ev_status status = EV_OK;
	struct table table;

	table_init(&table);
	add_columns(&table.grid, get->view.projection, get->options);
	for (size_t i = 0; i < get->count && !status; i++) {
		yyjson_doc *doc;

		status = ev_json_parse(&doc, get->list[i].json, NULL, err);
		if (!status) {
			table_add(&table, yyjson_doc_get_root(doc));
			yyjson_doc_free(doc);
		}
	}
	table_print(&table, &get->out);
	table_release(&table);
	return status;
}

static enum ev_status
print(struct get *get, struct ev_err *err)
{
	enum ev_status status = EV_OK, flushed;
	struct ev_err later;

	put_in_order(get);
	for (size_t i = 0; get->options->picked && !status && i < get->count;
	     i++)
		status = pick(get, &get->list[i], &get->arena, err);
	get->out.fd = STDOUT_FILENO;
	if (!status && get->options->table)
		status = print_table(get, err);
	else if (!status)
		print_lines(get);
	flushed = ev_out_flush(&get->out, "standard output",
	                       status ? &later : err);
	return status ? status : flushed;
}

static enum ev_status
run(struct get *get, struct ev_err *err)
{
	const struct options *options = get->options;
	struct ev_err ignored;
	enum ev_status status;

	status = projector_open(&get->projector, options->log, EV_STORE_READ,
	                        err);
	if (!status)
		status = readmodel_open(&get->model, &get->projector,
		                        options->name, READMODEL_SAY, err);
	/* may we not write, or not now, the rest is folded in memory */
	get->projector.tries = TRIES;
	if (!status && !options->stale && !options->at)
		readmodel_update(&get->model, &ignored);
	if (!status)
		status = choose_all(get, err);
	if (!status && !cli_stop)
		status = print(get, err);
	return status;
}

static void
release(struct get *get)
{
	view_close(&get->view);
	readmodel_release(&get->model);
	projector_close(&get->projector);
	for (size_t i = 0; i < get->doc_count; i++)
		yyjson_doc_free(get->docs[i]);
	free(get->docs);
	free(get->list);
	ev_arena_release(&get->arena);
	ev_out_release(&get->out);
}

int
main(int argc, char **argv)
{
	struct options options = { .limit = INT64_MAX };
	struct get get = { .options = &options };
	enum ev_status status;
	struct ev_err err;
	int result;

	cli_start("ev-get");
	if ((result = parse_options(argc, argv, &options)) >= 0) {
		release_options(&options);
		return result;
	}
	cli_catch_signals();
	status = run(&get, &err);
	if (status)
		cli_fail(status, &err);
	else if (get.unknown || !get.count)
		status = EV_NO;
	release(&get);
	release_options(&options);
	return cli_end(status);
}
