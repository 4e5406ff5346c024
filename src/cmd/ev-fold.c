/*
 * ev-fold: reads events, folds them with one projection or several, and prints
 * the documents that come of it. It reads no log and no clock: the same events
 * give the same documents. A line that is no event, or an event that cannot be
 * folded, is named on standard error, and the others are folded.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/projection_files.h"
#include "base/out.h"
#include "cmd/cli.h"
#include "cmd/feed.h"
#include "domain/fold.h"

struct options {
	struct names {
		char **list;
		size_t count;
	} projections, keys;
	bool each;
};

static const char usage[] =
"usage: ev-fold -p NAME [-p NAME]... [-k KEY]... [--each] [FILE...]\n"
"Fold events, from files or standard input, into documents and print these,\n"
"ordered by key.\n"
"\n"
"  -k, --key KEY              print this document only (repeatable)\n"
"  -p, --projection NAME      fold with this projection, a name or a file; of\n"
"                             several, each line says whose it is\n"
"      --each                 print what each event changed, when it did\n"
"  -h, --help                 print this\n"
"      --version              print versions\n"
"\n"
"Exit status: 0 done, 1 there is no document of a KEY, 64 usage, 65 a line or\n"
"an event was bad, 74 reading or writing failed.\n";

enum { OPT_EACH = 256, OPT_VERSION };

static const struct option long_options[] = {
	{ "each", no_argument, NULL, OPT_EACH },
	{ "help", no_argument, NULL, 'h' },
	{ "key", required_argument, NULL, 'k' },
	{ "projection", required_argument, NULL, 'p' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static void
add_name(struct names *names, char *name)
{
	names->list = ev_mem_resize(names->list, (names->count + 1) *
	                            sizeof *names->list);
	names->list[names->count++] = name;
}

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt_long(argc, argv, "hk:p:", long_options, NULL)) != -1)
		switch (c) {
		case 'h':
			return cli_help(usage);
		case 'k':
			add_name(&options->keys, optarg);
			break;
		case 'p':
			add_name(&options->projections, optarg);
			break;
		case OPT_EACH:
			options->each = true;
			break;
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
	if (!options->projections.count)
		return cli_usage("which projection? name it with -p");
	if (!argv[optind] && isatty(STDIN_FILENO))
		return cli_usage("no events: pipe them in or name a file");
	return -1;
}

struct key {
	struct ev_str slice;
	bool found;
};

struct folder {
	const struct options *options;
	struct view {
		const struct ev_projection *projection;
		struct ev_fold *fold;
	} *views;
	size_t count;
	enum feed_form form; /* that all of them fold */
	struct key *keys; /* sorted, each once */
	size_t key_count;
	struct ev_arena arena;
	struct ev_out out;
	struct ev_buf text;
	enum ev_status worst;
};

static int
compare_keys(const void *a, const void *b)
{
	return ev_str_compare(((const struct key *)a)->slice,
	                      ((const struct key *)b)->slice);
}

/* The document of one key may be asked for twice, and is printed once. */
static void
take_keys(struct folder *folder, const struct names *names)
{
	struct key *keys = ev_mem_alloc(names->count * sizeof *keys);
	size_t count = 0;

	for (size_t i = 0; i < names->count; i++)
		keys[i].slice = ev_line_escape(&folder->arena,
		                               ev_str(names->list[i]));
	qsort(keys, names->count, sizeof *keys, compare_keys);
	for (size_t i = 0; i < names->count; i++)
		if (!count || compare_keys(&keys[count - 1], &keys[i]))
			keys[count++] = keys[i];
	folder->keys = keys;
	folder->key_count = count;
}

/* All of them fold events, or all of them documents. */
static enum ev_status
open_views(struct folder *folder, struct ev_err *err)
{
	const struct names *names = &folder->options->projections;
	enum ev_status status;
	enum feed_form form;

	folder->views = ev_mem_alloc(names->count * sizeof *folder->views);
	for (size_t i = 0; i < names->count; i++) {
		struct view *view = &folder->views[i];

		status = ev_projection_open(&view->projection, names->list[i],
		                            err);
		if (status == EV_NO) /* a name that nobody knows */
			status = EV_USAGE;
		if (status)
			return status;
		folder->count++;
		view->fold = ev_fold_new(view->projection, NULL);
		form = view->projection->from.ptr ? FEED_DOCUMENTS
		                                  : FEED_EVENTS;
		if (i && form != folder->form)
			return ev_err_set(err, EV_USAGE, "'%s' and '%s': one "
			                  "folds events, the other documents, "
			                  "so run them one by one",
			                  *names->list, names->list[i]);
		folder->form = form;
	}
	return EV_OK;
}

/* The catalog that events may leave out: the only one there is. */
static struct ev_str
only_catalog(const struct folder *folder)
{
	struct ev_str only = { 0 };

	for (size_t i = 0; i < folder->count; i++) {
		const struct ev_projection *p = folder->views[i].projection;

		for (size_t k = 0; k < p->catalog_count; k++)
			if (!only.ptr)
				only = p->catalogs[k];
			else if (!ev_str_equal(only, p->catalogs[k]))
				return (struct ev_str){ 0 };
	}
	return only;
}

static void
complain(struct folder *folder, const struct feed_item *item,
         const struct view *view, struct ev_str why)
{
	bool several = view && folder->count > 1;

	cli_say(EV_BAD_INPUT, "%s%sline %zu: %.*s%s%.*s",
	        item->file ? item->file : "", item->file ? ": " : "",
	        item->number,
	        EV_FMT(several ? view->projection->name : EV_STR("")),
	        several ? ": " : "", EV_FMT(why));
	folder->worst = EV_BAD_INPUT;
}

static void
print(struct folder *folder, const struct view *view,
      const struct ev_document *document)
{
	struct ev_buf *text = &folder->text;
	size_t begin;

	ev_buf_reset(text);
	if (folder->count > 1) {
		ev_buf_add_str(text, EV_STR("{\"projection\":\""));
		ev_buf_add_str(text, view->projection->name);
		ev_buf_add_str(text, EV_STR("\","));
	}
	begin = text->len;
	ev_fold_write(view->fold, document, EV_FOLD_SHOWN, text);
	if (begin) /* one brace opens the line */
		memmove(text->ptr + begin, text->ptr + begin + 1,
		        --text->len - begin);
	ev_out_line(&folder->out, ev_buf_str(text));
}

/* NULL when its key is not asked for. */
static struct key *
find_key(struct folder *folder, struct ev_str slice)
{
	struct key key = { .slice = slice };

	return bsearch(&key, folder->keys, folder->key_count,
	               sizeof *folder->keys, compare_keys);
}

static int
compare_documents(const void *a, const void *b)
{
	return ev_str_compare((*(struct ev_document *const *)a)->key,
	                      (*(struct ev_document *const *)b)->key);
}

/* What the event changed, in the order of keys, without notes. */
static void
print_touched(struct folder *folder, const struct view *view)
{
	struct ev_document *d = ev_fold_take_touched(view->fold);
	struct ev_document *few[32], **list = few;
	size_t count = 0, room = sizeof few / sizeof *few;
	struct key *key = NULL;

	for (; d; d = d->next_touched) {
		if (d->key.len && *d->key.ptr == EV_FOLD_NOTE)
			continue;
		if (folder->key_count && !(key = find_key(folder, d->key)))
			continue;
		if (key)
			key->found = true;
		if (count == room) {
			room *= 2;
			list = ev_mem_resize(list == few ? NULL : list,
			                     room * sizeof *list);
			if (count == sizeof few / sizeof *few)
				memcpy(list, few, sizeof few);
		}
		list[count++] = d;
	}
	qsort(list, count, sizeof *list, compare_documents);
	for (size_t i = 0; i < count; i++)
		print(folder, view, list[i]);
	if (list != few)
		free(list);
}

static void
fold(struct folder *folder, const struct feed_item *item)
{
	enum ev_status status;
	struct ev_err err;

	for (size_t i = 0; i < folder->count; i++) {
		const struct view *view = &folder->views[i];

		if (folder->form == FEED_DOCUMENTS)
			status = ev_fold_document(view->fold,
			                          item->u.document.key,
			                          (int64_t)item->number,
			                          item->u.document.json, &err);
		else
			status = ev_fold_event(view->fold, &item->u.line,
			                       &err);
		if (status == EV_OK && folder->options->each)
			print_touched(folder, view);
		else if (status && status != EV_NO)
			complain(folder, item, view, ev_str(err.text));
	}
}

static enum ev_status
fold_all(struct folder *folder, char **files, struct ev_err *err)
{
	const struct feed_options options = {
		.form = folder->form,
		.catalog = only_catalog(folder),
		.files = files,
	};
	const struct feed_item *item;
	enum ev_status status;
	struct feed *feed;

	if ((status = feed_new(&feed, &options, err)))
		return status;
	for (;;) {
		/* who follows along sees each event's outcome at once */
		if (!feed_is_ready(feed) &&
		    (status = ev_out_flush(&folder->out, "standard output",
		                           err)))
			break;
		if ((status = feed_next(feed, &item, err)) || cli_stop ||
		    folder->out.error)
			break;
		if (item->status)
			complain(folder, item, NULL, item->u.why);
		else
			fold(folder, item);
	}
	feed_free(feed);
	return status == EV_NO ? EV_OK : status;
}

static void
print_keys(struct folder *folder, const struct view *view)
{
	struct ev_document *document;
	struct ev_err err;

	for (size_t i = 0; i < folder->key_count; i++)
		if (ev_fold_find(view->fold, folder->keys[i].slice, &document,
		                 &err) == EV_OK) {
			folder->keys[i].found = true;
			print(folder, view, document);
		}
}

static void
print_all(struct folder *folder, const struct view *view)
{
	size_t count;
	struct ev_document **list = ev_fold_documents(view->fold, &count);

	for (size_t i = 0; i < count && !cli_stop && !folder->out.error; i++)
		print(folder, view, list[i]);
}

static enum ev_status
run(struct folder *folder, char **files, struct ev_err *err)
{
	enum ev_status status;

	take_keys(folder, &folder->options->keys);
	if ((status = open_views(folder, err)) ||
	    (status = fold_all(folder, files, err)))
		return status;
	for (size_t i = 0; i < folder->count && !folder->options->each &&
	                   !cli_stop; i++) {
		if (folder->key_count)
			print_keys(folder, &folder->views[i]);
		else
			print_all(folder, &folder->views[i]);
	}
	if ((status = ev_out_flush(&folder->out, "standard output", err)))
		return status;
	for (size_t i = 0; i < folder->key_count; i++)
		if (!folder->keys[i].found && !folder->worst)
			folder->worst = EV_NO;
	return EV_OK;
}

int
main(int argc, char **argv)
{
	/* static, as they are left to the process's end: to free a million
	   values one by one takes a tenth of the whole time */
	static struct options options;
	static struct folder folder = { .options = &options,
	                                .out = { .fd = STDOUT_FILENO } };
	enum ev_status status;
	struct ev_err err;
	int result;

	cli_start("ev-fold");
	if ((result = parse_options(argc, argv, &options)) >= 0)
		return result;
	cli_catch_signals();
	status = run(&folder, argv + optind, &err);
	if (status)
		cli_fail(status, &err);
	return cli_end(status ? status : folder.worst);
}
