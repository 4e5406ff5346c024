/*
 * ev-bisect: prints the first event after which something held of a document
 * of a read model. It folds the log again, in memory, and stores nothing. What
 * held once need not hold for ever, so it does look at every event in order.
 */
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cli.h"
#include "cmd/history.h"
#include "cmd/where.h"

struct options {
	const char *log;
	enum printer_form form;
};

static const char usage[] =
"usage: ev-bisect [-l LOG] [-f FORM] NAME KEY EXPR...\n"
"Print the first event after which every EXPR held of a document of a read\n"
"model: MEMBER=TEXT, or with !=, <, <=, > or >= (state=queued, attempt>=3).\n"
"\n"
"  -f, --format FORM  canonical, native, cloudevents or table\n"
"  -l, --log LOG      the log (default: $EV_LOG, else\n"
"                     $XDG_STATE_HOME/ev/log.db)\n"
"  -h, --help         print this\n"
"      --version      print versions\n"
"\n"
"Exit status: 0 done, 1 it never held, 64 usage, 65 a projection is wrong, or\n"
"the event cannot be printed in that form, 69 log unreachable, 74 reading or\n"
"writing failed.\n";

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
	if (argc - optind < 3)
		return cli_usage("expected NAME, KEY and EXPR");
	return -1;
}

/* What a search needs besides the history. */
struct search {
	struct history *history;
	struct where where;
	struct ev_buf text;
	/* with `from`: documents of the next level that have ever had a part
	   in ours; of these alone ours is folded again */
	struct ev_str *sources; /* sorted */
	size_t count, room;
};

static bool
holds(struct search *search, const struct ev_document *document)
{
	struct ev_fold *fold = search->history->levels->fold;
	struct ev_err err;
	yyjson_doc *doc;
	bool yes;

	if (!document)
		return false;
	ev_buf_reset(&search->text);
	ev_fold_write(fold, document, EV_FOLD_SHOWN, &search->text);
	if (ev_json_parse(&doc, ev_buf_str(&search->text), NULL, &err))
		return false;
	yes = where_holds(&search->where, yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	return yes;
}

/* ---- documents made from documents */

static bool
is_of_document(const struct ev_condition *condition)
{
	bool is = condition->path.root == EV_ROOT_DOCUMENT;

	for (size_t i = 0; i < condition->count; i++)
		is |= condition->values[i].kind == EV_SOURCE_PATH &&
		      condition->values[i].path.root == EV_ROOT_DOCUMENT;
	return is;
}

/* Can the document as it is so far decide what is done to it? Then folding one
   source alone does not tell whether it has a part in it. */
static bool
looks_at_itself(const struct ev_projection *p)
{
	for (size_t i = 0; i < p->handler_count; i++)
		for (size_t k = 0; k < p->handlers[i].count; k++) {
			const struct ev_rule *rule = &p->handlers[i].rules[k];

			for (size_t c = 0; c < rule->condition_count; c++)
				if (is_of_document(&rule->conditions[c]))
					return true;
		}
	return false;
}

static int
compare_keys(const void *a, const void *b)
{
	return ev_str_compare(*(const struct ev_str *)a,
	                      *(const struct ev_str *)b);
}

/* Adds a source in its place; false: it was there. */
static bool
add_source(struct search *search, struct ev_str key)
{
	size_t at = search->count;

	if (search->count &&
	    bsearch(&key, search->sources, search->count,
	            sizeof *search->sources, compare_keys))
		return false;
	if (search->count == search->room) {
		search->room = search->room ? 2 * search->room : 16;
		search->sources = ev_mem_resize(search->sources,
		                                search->room *
		                                sizeof *search->sources);
	}
	for (; at > 0 && ev_str_compare(search->sources[at - 1], key) > 0; at--)
		search->sources[at] = search->sources[at - 1];
	search->sources[at] = ev_arena_dup(&search->history->arena, key);
	search->count++;
	return true;
}

/* Has one of the sources that have changed a part in our document? */
static bool
concerns(struct search *search, struct ev_document *changed)
{
	struct history *history = search->history;
	bool some = false;

	for (; changed; changed = changed->next_touched) {
		if (changed->key.len && *changed->key.ptr == EV_FOLD_NOTE)
			continue;
		ev_fold_forget(history->levels->fold);
		if (history_find(history_fold_document(history, 0, changed),
		                 history->key))
			add_source(search, changed->key);
		some |= search->count &&
		        bsearch(&changed->key, search->sources, search->count,
		                sizeof *search->sources, compare_keys);
	}
	return some;
}

static void
fold_sources(struct search *search)
{
	struct history *history = search->history;
	struct ev_document *source;
	struct ev_err err;

	ev_fold_forget(history->levels->fold);
	for (size_t i = 0; i < search->count; i++)
		if (!ev_fold_find(history->levels[1].fold, search->sources[i],
		                  &source, &err))
			history_fold_document(history, 0, source);
}

/* Our document after an event that changed documents of the last level. */
static struct ev_document *
fold_again(struct search *search, struct ev_document *changed)
{
	struct history *history = search->history;
	struct ev_document *document;
	struct ev_err err;

	if (history->count == 2 &&
	    !looks_at_itself(history->levels->projection)) {
		if (!concerns(search, changed))
			return NULL;
		fold_sources(search);
	} else {
		for (size_t i = history->count - 1; i-- > 0;)
			history_refold(history, i, NULL, NULL);
	}
	return ev_fold_find(history->levels->fold, history->key, &document,
	                    &err) ? NULL : document;
}

/* EV_NO: it never held. */
static enum ev_status
find(struct search *search, int64_t *position, struct ev_err *err)
{
	struct history *history = search->history;
	struct ev_document *changed;
	enum ev_status status;

	while (!(status = history_next(history, position, &changed, err))) {
		if (!changed)
			continue;
		if (history->count > 1)
			changed = fold_again(search, changed);
		else
			changed = history_find(changed, history->key);
		if (holds(search, changed))
			break;
	}
	return status;
}

static enum ev_status
add_expressions(struct search *search, char **expressions, struct ev_err *err)
{
	enum ev_status status;

	for (; *expressions; expressions++) {
		struct ev_str member = { *expressions,
		                         strcspn(*expressions, "=!<>") };

		if ((status = where_add(&search->where, *expressions, err)) ||
		    (status = where_check(search->history->levels->projection,
		                          member, err)))
			return status;
	}
	return EV_OK;
}

static enum ev_status
run(const struct options *options, char **operands, struct printer *printer,
    struct ev_err *err)
{
	struct history history = { 0 };
	struct search search = { .history = &history };
	enum ev_status status, flushed;
	struct ev_err later;
	int64_t position;

	status = history_open(&history, options->log, operands[0],
	                      operands[1], err);
	if (!status)
		status = add_expressions(&search, operands + 2, err);
	if (!status)
		status = printer_open(printer, history.store, err);
	if (!status)
		status = find(&search, &position, err);
	if (!status)
		status = history_print(&history, printer, position, err);
	flushed = printer_flush(printer, status ? &later : err);
	if (!status || status == EV_NO)
		history_say_parked(&history);
	history_close(&history);
	where_release(&search.where);
	ev_buf_release(&search.text);
	free(search.sources);
	return status ? status : flushed;
}

int
main(int argc, char **argv)
{
	struct options options = { 0 };
	struct printer printer = { .out = { .fd = STDOUT_FILENO } };
	enum ev_status status;
	struct ev_err err;
	int result;

	cli_start("ev-bisect");
	if ((result = parse_options(argc, argv, &options)) >= 0)
		return result;
	printer.form = options.form;
	cli_catch_signals();
	status = run(&options, argv + optind, &printer, &err);
	if (status && status != EV_NO)
		cli_fail(status, &err);
	else if (!status && printer.worst)
		status = printer.worst;
	printer_close(&printer);
	return cli_end(status);
}
