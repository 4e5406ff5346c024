/*
 * ev-append: reads events (standard input, files, or one from its arguments),
 * checks each against its catalog, appends them to the log, and prints a
 * receipt for each once it is durable. Every input line stands alone: a bad one
 * is named and refused, the others are appended. Lines are grouped into commits
 * as they come: when input pauses, at a size, or at an age.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/catalog_files.h"
#include "base/lines.h"
#include "base/opt.h"
#include "base/out.h"
#include "base/time.h"
#include "base/uuid.h"
#include "cmd/cli.h"
#include "domain/event.h"

/* One commit: as many events as it takes to pay for its sync, few enough to
   stay in memory and to be acknowledged soon. */
enum {
	GROUP_EVENTS = 4096,
	GROUP_BYTES = 4 * 1024 * 1024,
	GROUP_MICROS = 50 * 1000
};

struct options {
	const char *log;
	const char *rejects;
	struct ev_overrides overrides;
	enum ev_expect expect;
	int64_t expect_version;
	bool atomic;
	bool dry_run;
	bool quiet;
	char end; /* of a record */
};

/* With -e N or none: what a stream must be at next. */
struct expected {
	struct ev_str stream;
	int64_t version;
	bool stale;
};

struct pending {
	struct ev_event event;
	struct ev_str text; /* as it came, for --rejects */
	const char *file;
	size_t line;
};

/* Events that are appended in one commit. */
struct group {
	struct ev_arena arena;
	struct pending *events;
	struct ev_append *appends;
	size_t count;
	size_t cap;
	size_t bytes;
	int64_t begun; /* when the first event came */
};

/*
 * Bulk input keeps both cores busy: while one group is checked here, the one
 * before is committed by a thread. It starts with the first group that fills
 * up, so that a single event does not pay for it.
 */
struct committer {
	pthread_t thread;
	bool started;
	bool over;
	struct group *work; /* being committed; NULL: idle */
	enum ev_status status; /* the first failure */
	struct ev_err err;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
};

struct run {
	const struct options *options;
	struct ev_store *store;
	struct ev_catalogs catalogs;
	struct ev_event_reader reader;
	struct ev_uuid_source uuids;
	struct group groups[2];
	struct group *filling; /* one of them */
	struct committer committer;
	size_t events; /* read so far */
	struct ev_arena expected_names;
	struct expected *expected;
	size_t expected_count;
	struct ev_out receipts;
	struct ev_buf receipt;
	const char *file; /* being read, NULL: standard input */

	pthread_mutex_t complaints; /* guards what follows */
	struct ev_out rejects;
	enum ev_status worst; /* BAD_INPUT or CONFLICT, once there was one */
};

static const char usage[] =
"usage: ev-append [-l LOG] [options] [FILE...]\n"
"       ev-append [-l LOG] [options] TYPE [KEY=TEXT | KEY:=JSON]...\n"
"Append events to the log; print a receipt for each once it is durable.\n"
"A FILE has a '/' or '.' in its name, or is '-' (standard input, the default).\n"
"\n"
"  -0                      records end in NUL, not in newline\n"
"  -c, --catalog NAME      find types in this catalog only\n"
"  -e, --expect N|none|any|exists\n"
"                          the stream's last version must be this\n"
"  -l, --log LOG           the log (default: $EV_LOG, else\n"
"                          $XDG_STATE_HOME/ev/log.db)\n"
"  -q, --quiet             no receipts\n"
"  -s, --stream ID         append to this stream\n"
"      --id ID             the event's id (one event only)\n"
"      --timestamp TIME    when it happened (RFC 3339)\n"
"      --priority NAME     info, action, urgent or critical\n"
"      --actor NAME        who did it\n"
"      --correlation ID    what it belongs to\n"
"      --causation ID      the event that caused it\n"
"      --atomic            all events or none\n"
"      --dry-run           check only, append nothing\n"
"      --rejects FILE      write refused lines to FILE, whole\n"
"  -h, --help              print this\n"
"      --version           print versions\n"
"\n"
"Exit status: 0 done, 64 usage, 65 some input was bad (the rest is appended),\n"
"69 log unreachable, 74 disk failed, 75 busy (repeat unchanged), 80 conflict.\n";

/* "line 7", "events.ndjson: line 7" */
static void
complain(struct run *run, const struct pending *from, enum ev_status status,
         const char *text)
{
	if (!from->line)
		cli_say(status, "%s", text);
	else
		cli_say(status, "%s%sline %zu: %s",
		        from->file ? from->file : "", from->file ? ": " : "",
		        from->line, text);
	pthread_mutex_lock(&run->complaints);
	if (run->worst != EV_CONFLICT)
		run->worst = status;
	if (run->options->rejects) {
		ev_out_add(&run->rejects, from->text);
		ev_out_add(&run->rejects, (struct ev_str){
			run->options->end ? "\n" : "\0", 1 });
	}
	pthread_mutex_unlock(&run->complaints);
}

static void
print_receipt(struct run *run, const struct ev_append *append)
{
	const struct ev_line *line = &append->event->line;
	struct ev_buf *out = &run->receipt;

	ev_buf_reset(out);
	ev_buf_add_str(out, EV_STR("{\"streamId\":\""));
	ev_buf_add_str(out, line->stream);
	ev_buf_add_str(out, EV_STR("\",\"type\":\""));
	ev_buf_add_str(out, line->type);
	ev_buf_add_str(out, EV_STR("\",\"timestamp\":\""));
	ev_buf_add(out, append->timestamp, EV_TIME_TEXT);
	ev_buf_add_str(out, EV_STR("\",\"position\":"));
	ev_buf_add_int(out, append->position);
	ev_buf_add_str(out, EV_STR(",\"version\":"));
	ev_buf_add_int(out, append->version);
	ev_buf_add_str(out, EV_STR(",\"id\":\""));
	ev_buf_add_str(out, line->id);
	ev_buf_add_str(out, EV_STR("\",\"recordedAt\":\""));
	ev_buf_add(out, append->recorded_at, EV_TIME_TEXT);
	ev_buf_add_char(out, '"');
	if (append->outcome == EV_DUPLICATE)
		ev_buf_add_str(out, EV_STR(",\"duplicate\":true"));
	ev_buf_add_char(out, '}');
	ev_out_line(&run->receipts, ev_buf_str(out));
}

static struct expected *
find_expected(struct run *run, struct ev_str stream)
{
	struct expected *e;

	for (size_t i = 0; i < run->expected_count; i++)
		if (ev_str_equal(run->expected[i].stream, stream))
			return &run->expected[i];
	run->expected = ev_mem_resize(run->expected,
	                              (run->expected_count + 1) * sizeof *e);
	e = &run->expected[run->expected_count++];
	*e = (struct expected){
		.stream = ev_arena_dup(&run->expected_names, stream),
		.version = run->options->expect == EV_EXPECT_NONE
		                   ? -1 : run->options->expect_version
	};
	return e;
}

/*
 * -e says where each stream must be before this run; the run's own events then
 * count up from there.
 */
static void
expect(struct run *run, struct ev_append *append)
{
	struct expected *e;

	append->expect = run->options->expect;
	append->expect_version = run->options->expect_version;
	if (append->expect != EV_EXPECT_VERSION &&
	    append->expect != EV_EXPECT_NONE)
		return;
	e = find_expected(run, append->event->line.stream);
	append->expect = e->version < 0 ? EV_EXPECT_NONE : EV_EXPECT_VERSION;
	append->expect_version = e->version++;
	if (e->stale) {
		/* no stream is ever there: what follows a conflict is one */
		append->expect = EV_EXPECT_VERSION;
		append->expect_version = INT64_MAX;
	}
}

static void
report_stale(struct run *run, const struct pending *from,
             const struct ev_append *append)
{
	char expected[48], found[48];
	struct ev_err err;

	if (append->expect == EV_EXPECT_VERSION &&
	    append->expect_version == INT64_MAX)
		snprintf(expected, sizeof expected,
		         "what the conflict before it left out");
	else if (append->expect == EV_EXPECT_VERSION)
		snprintf(expected, sizeof expected, "version %lld",
		         (long long)append->expect_version);
	else
		snprintf(expected, sizeof expected, "%s",
		         append->expect == EV_EXPECT_NONE ? "no stream"
		                                          : "a stream");
	if (append->version < 0)
		snprintf(found, sizeof found, "none");
	else
		snprintf(found, sizeof found, "version %lld",
		         (long long)append->version);
	ev_err_set(&err, EV_CONFLICT,
	           "cannot append to '%.*s': expected %s, found %s",
	           EV_FMT(append->event->line.stream), expected, found);
	complain(run, from, EV_CONFLICT, err.text);
}

static void
report_different(struct run *run, const struct pending *from,
                 const struct ev_append *append)
{
	struct ev_err err;

	ev_err_set(&err, EV_BAD_INPUT,
	           "id '%.*s' is taken by another event, at position %lld",
	           EV_FMT(append->event->line.id),
	           (long long)append->position);
	complain(run, from, EV_BAD_INPUT, err.text);
}

static void
report(struct run *run, const struct pending *from,
       const struct ev_append *append)
{
	switch (append->outcome) {
	case EV_APPENDED:
	case EV_DUPLICATE:
		if (!run->options->quiet)
			print_receipt(run, append);
		break;
	case EV_DIFFERENT:
		report_different(run, from, append);
		break;
	case EV_STALE:
		if (run->expected_count)
			find_expected(run, append->event->line.stream)->stale =
				true;
		report_stale(run, from, append);
		break;
	}
}

static void
empty_group(struct group *group)
{
	group->count = group->bytes = 0;
	ev_arena_reset(&group->arena);
}

/* Appends a group and acknowledges it. */
static enum ev_status
append_group(struct run *run, struct group *group, struct ev_err *err)
{
	enum ev_append_flags flags = run->options->atomic ? EV_APPEND_ALL
	                                                  : EV_APPEND_EACH;
	enum ev_status status;

	for (size_t i = 0; i < group->count; i++)
		group->appends[i].event = &group->events[i].event;
	status = run->store->ops->append(run->store, group->appends,
	                                 group->count, flags, err);
	/* an event that was refused has stopped all: only such are told */
	if (flags == EV_APPEND_ALL &&
	    (status == EV_CONFLICT || status == EV_BAD_INPUT)) {
		for (size_t i = 0; i < group->count; i++)
			if (group->appends[i].outcome >= EV_DIFFERENT)
				report(run, &group->events[i],
				       &group->appends[i]);
		return status;
	}
	if (status)
		return status;
	for (size_t i = 0; i < group->count; i++)
		report(run, &group->events[i], &group->appends[i]);
	return ev_out_flush(&run->receipts, "standard output", err);
}

static void *
commit_groups(void *context)
{
	struct run *run = context;
	struct committer *c = &run->committer;

	pthread_mutex_lock(&c->mutex);
	for (;;) {
		struct ev_err err;
		enum ev_status status;

		while (!c->work && !c->over)
			pthread_cond_wait(&c->changed, &c->mutex);
		if (!c->work)
			break;
		pthread_mutex_unlock(&c->mutex);
		status = append_group(run, c->work, &err);
		empty_group(c->work);
		pthread_mutex_lock(&c->mutex);
		if (status && !c->status) {
			c->status = status;
			c->err = err;
		}
		c->work = NULL;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/*
 * Signals to stop belong to the thread that reads, the store's alarm (it bounds
 * the wait for the lock) to the one that commits.
 */
static bool
start_committer(struct run *run)
{
	sigset_t stop, alarm;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	run->committer.started =
		pthread_create(&run->committer.thread, NULL, commit_groups,
		               run) == 0;
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	if (run->committer.started)
		pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	return run->committer.started;
}

/* Until the thread is idle; its first failure is the run's. */
static enum ev_status
await_committer(struct run *run, struct ev_err *err)
{
	struct committer *c = &run->committer;
	enum ev_status status;

	pthread_mutex_lock(&c->mutex);
	while (c->work)
		pthread_cond_wait(&c->changed, &c->mutex);
	status = c->status;
	if (status)
		*err = c->err;
	pthread_mutex_unlock(&c->mutex);
	return status;
}

static void
stop_committer(struct run *run)
{
	struct committer *c = &run->committer;

	if (!c->started)
		return;
	pthread_mutex_lock(&c->mutex);
	c->over = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	pthread_join(c->thread, NULL);
	c->started = false;
}

/* Commits the group that has been filled, or has it committed. */
static enum ev_status
commit(struct run *run, struct ev_err *err)
{
	struct committer *c = &run->committer;
	struct group *group = run->filling;
	enum ev_status status = EV_OK;

	if (!group->count || run->options->dry_run) {
		empty_group(group);
		return EV_OK;
	}
	if (!c->started &&
	    (group->count < GROUP_EVENTS || run->options->atomic ||
	     run->options->expect != EV_EXPECT_ANY || !start_committer(run))) {
		status = append_group(run, group, err);
		empty_group(group);
		return status;
	}
	if ((status = await_committer(run, err)))
		return status;
	run->filling = group == run->groups ? run->groups + 1 : run->groups;
	pthread_mutex_lock(&c->mutex);
	c->work = group;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	return EV_OK;
}

static void
grow_group(struct group *group)
{
	group->cap = group->cap ? group->cap * 2 : 16;
	group->events = ev_mem_resize(group->events,
	                              group->cap * sizeof *group->events);
	group->appends = ev_mem_resize(group->appends,
	                               group->cap * sizeof *group->appends);
}

/* Checks one record and puts it into the group. */
static void
take(struct run *run, struct ev_str text, size_t line)
{
	struct group *group = run->filling;
	struct pending *pending;
	struct ev_append *append;
	struct ev_err err;
	char id[EV_UUID_TEXT];

	if (group->count == group->cap)
		grow_group(group);
	pending = &group->events[group->count];
	*pending = (struct pending){ .text = text, .file = run->file,
	                             .line = line };
	if (ev_event_read(&pending->event, &run->reader, text, &group->arena,
	                  &err)) {
		complain(run, pending, EV_BAD_INPUT, err.text);
		return;
	}
	if (run->options->rejects)
		pending->text = ev_arena_dup(&group->arena, text);
	append = &group->appends[group->count];
	*append = (struct ev_append){ 0 };
	if (!group->count)
		group->begun = ev_time_now();
	if (!pending->event.line.id.ptr) {
		ev_uuid_make(&run->uuids, ev_time_now(), id);
		pending->event.line.id = ev_arena_dup(&group->arena,
			(struct ev_str){ id, EV_UUID_TEXT });
		append->fresh_id = true;
	}
	append->event = &pending->event;
	expect(run, append);
	group->bytes += text.len;
	group->count++;
}

/* An empty line is no event and no mistake: files end in one. */
static bool
is_blank(struct ev_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(" \t\r\n", text.ptr[i]) || !text.ptr[i])
			return false;
	return true;
}

/* Is it time to commit? Not while an atomic run has more to come. */
static bool
is_due(struct run *run, struct ev_lines *lines)
{
	const struct group *group = run->filling;

	if (!group->count || run->options->atomic)
		return false;
	return group->count >= GROUP_EVENTS || group->bytes >= GROUP_BYTES ||
	       !ev_lines_ready(lines) ||
	       (group->count % 64 == 0 &&
	        ev_time_now() - group->begun >= GROUP_MICROS);
}

static enum ev_status
read_input(struct run *run, int fd, struct ev_err *err)
{
	struct ev_lines lines = { .fd = fd, .end = run->options->end,
	                          .max = EV_JSON_SIZE_MAX };
	enum ev_status status = EV_OK;
	struct ev_str text;

	while (!status && !cli_stop) {
		status = ev_lines_next(&lines, &text, err);
		if (status == EV_BAD_INPUT) {
			struct pending from = { .file = run->file,
			                        .line = lines.number };

			complain(run, &from, status, err->text);
			status = EV_OK;
		} else if (!status && !is_blank(text)) {
			if (run->options->overrides.id.ptr && run->events++)
				status = ev_err_set(err, EV_USAGE,
				                    "--id names one event, "
				                    "and there are more");
			else
				take(run, text, lines.number);
		}
		if (!status && is_due(run, &lines))
			status = commit(run, err);
	}
	ev_lines_release(&lines);
	return status == EV_NO ? EV_OK : status;
}

static enum ev_status
read_file(struct run *run, const char *path, struct ev_err *err)
{
	enum ev_status status;
	int fd;

	if (strcmp(path, "-") == 0) {
		run->file = NULL;
		return read_input(run, STDIN_FILENO, err);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ev_err_set(err, EV_IO, "cannot read '%s': %s", path,
		                  strerror(errno));
	run->file = path;
	status = read_input(run, fd, err);
	close(fd);
	return status;
}

/* One event from the arguments, as the canonical form would say it. */
static enum ev_status
read_arguments(struct run *run, char **arguments, struct ev_err *err)
{
	struct ev_buf text = { 0 };
	enum ev_status status = EV_OK;

	ev_buf_add_str(&text, EV_STR("{\"type\":"));
	ev_json_write_string(&text, ev_str(*arguments));
	ev_buf_add_str(&text, EV_STR(",\"data\":{"));
	for (char **a = arguments + 1; !status && *a; a++) {
		char *equals = strchr(*a, '=');
		bool json = equals && equals > *a && equals[-1] == ':';
		struct ev_str key = { *a, 0 };

		if (!equals || equals - json == *a) {
			status = ev_err_set(err, EV_USAGE,
			                    "'%s': expected KEY=TEXT or "
			                    "KEY:=JSON", *a);
			break;
		}
		key.len = (size_t)(equals - json - *a);
		if (a > arguments + 1)
			ev_buf_add_char(&text, ',');
		ev_json_write_string(&text, key);
		ev_buf_add_char(&text, ':');
		if (json) {
			struct ev_str value = ev_str(equals + 1);
			yyjson_doc *doc;

			/* alone, or it could close the braces around it */
			status = ev_json_parse(&doc, value, NULL, err);
			if (status) {
				ev_err_prefix(err, status, "'%.*s'",
				              EV_FMT(key));
				break;
			}
			ev_json_write(&text, yyjson_doc_get_root(doc));
			yyjson_doc_free(doc);
		} else {
			ev_json_write_string(&text, ev_str(equals + 1));
		}
	}
	ev_buf_add_str(&text, EV_STR("}}"));
	if (!status) {
		run->file = NULL;
		take(run, ev_buf_str(&text), 0);
		status = commit(run, err);
	}
	ev_buf_release(&text);
	return status;
}

/* By its spelling alone, so that a file's coming or going changes nothing. */
static bool
is_file(const char *operand)
{
	return strpbrk(operand, "/.") || strcmp(operand, "-") == 0;
}

static enum ev_status
read_everything(struct run *run, char **operands, struct ev_err *err)
{
	enum ev_status status = EV_OK;
	struct ev_err later;

	if (!*operands)
		status = read_input(run, STDIN_FILENO, err);
	else if (!is_file(*operands))
		return read_arguments(run, operands, err);
	for (; !status && *operands; operands++)
		status = read_file(run, *operands, err);
	/* a bad line keeps an atomic run from starting; otherwise what was
	   read before a failure is still to be acknowledged */
	if (run->options->atomic && (status || run->worst))
		return status;
	if (!status)
		status = commit(run, err);
	if (!status)
		return await_committer(run, err);
	await_committer(run, &later);
	return status;
}

static enum ev_status
open_run(struct run *run, const struct options *options, struct ev_err *err)
{
	enum ev_status status;

	run->options = options;
	run->filling = run->groups;
	pthread_mutex_init(&run->complaints, NULL);
	pthread_mutex_init(&run->committer.mutex, NULL);
	pthread_cond_init(&run->committer.changed, NULL);
	run->reader.catalogs = &run->catalogs;
	run->reader.overrides = options->overrides;
	run->receipts.fd = STDOUT_FILENO;
	if (options->rejects) {
		run->rejects.fd = open(options->rejects,
		                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		                       0666);
		if (run->rejects.fd < 0)
			return ev_err_set(err, EV_IO, "cannot write to '%s': "
			                  "%s", options->rejects,
			                  strerror(errno));
	}
	status = cli_open(&run->store, options->log, EV_STORE_APPEND, err);
	if (status)
		return status;
	return ev_catalogs_open(&run->catalogs, run->store, err);
}

static enum ev_status
close_run(struct run *run, struct ev_err *err)
{
	enum ev_status status = EV_OK;

	stop_committer(run);
	if (run->options->rejects) {
		status = ev_out_flush(&run->rejects, run->options->rejects,
		                      err);
		close(run->rejects.fd);
	}
	if (run->store)
		run->store->ops->close(run->store);
	ev_catalogs_release(&run->catalogs);
	ev_event_reader_release(&run->reader);
	for (int i = 0; i < 2; i++) {
		ev_arena_release(&run->groups[i].arena);
		free(run->groups[i].events);
		free(run->groups[i].appends);
	}
	ev_arena_release(&run->expected_names);
	ev_out_release(&run->receipts);
	ev_buf_release(&run->receipt);
	ev_out_release(&run->rejects);
	free(run->expected);
	return status;
}

static bool
parse_expect(struct options *options, const char *text)
{
	static const struct {
		const char *name;
		enum ev_expect expect;
	} names[] = {
		{ "any", EV_EXPECT_ANY },
		{ "none", EV_EXPECT_NONE },
		{ "exists", EV_EXPECT_EXISTS },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, text) == 0) {
			options->expect = names[i].expect;
			return true;
		}
	options->expect = EV_EXPECT_VERSION;
	return ev_opt_int(text, 0, INT64_MAX - 1, &options->expect_version);
}

enum { OPT_ACTOR = 256, OPT_ATOMIC, OPT_CAUSATION, OPT_CORRELATION,
       OPT_DRY_RUN, OPT_ID, OPT_PRIORITY, OPT_REJECTS, OPT_TIMESTAMP,
       OPT_VERSION };

static const struct option long_options[] = {
	{ "actor", required_argument, NULL, OPT_ACTOR },
	{ "atomic", no_argument, NULL, OPT_ATOMIC },
	{ "catalog", required_argument, NULL, 'c' },
	{ "causation", required_argument, NULL, OPT_CAUSATION },
	{ "correlation", required_argument, NULL, OPT_CORRELATION },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "expect", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ "id", required_argument, NULL, OPT_ID },
	{ "log", required_argument, NULL, 'l' },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "quiet", no_argument, NULL, 'q' },
	{ "rejects", required_argument, NULL, OPT_REJECTS },
	{ "stream", required_argument, NULL, 's' },
	{ "timestamp", required_argument, NULL, OPT_TIMESTAMP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
	struct ev_overrides *o = &options->overrides;
	int c;

	while ((c = getopt_long(argc, argv, "0c:e:hl:qs:", long_options,
	                        NULL)) != -1) {
		struct ev_str *name = NULL;

		switch (c) {
		case '0':
			options->end = '\0';
			break;
		case 'c':
			name = &o->catalog;
			break;
		case 'e':
			if (!parse_expect(options, optarg))
				return cli_usage("-e '%s': expected a version, "
				                 "none, any or exists", optarg);
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
			name = &o->stream;
			break;
		case OPT_ACTOR:
			name = &o->actor;
			break;
		case OPT_ATOMIC:
			options->atomic = true;
			break;
		case OPT_CAUSATION:
			name = &o->causation;
			break;
		case OPT_CORRELATION:
			name = &o->correlation;
			break;
		case OPT_DRY_RUN:
			options->dry_run = true;
			break;
		case OPT_ID:
			name = &o->id;
			break;
		case OPT_PRIORITY:
			o->priority = ev_priority_parse(ev_str(optarg));
			if (o->priority == EV_PRIORITY_NONE)
				return cli_usage("--priority '%s': expected "
				                 "info, action, urgent or "
				                 "critical", optarg);
			break;
		case OPT_REJECTS:
			options->rejects = optarg;
			break;
		case OPT_TIMESTAMP:
			name = &o->timestamp;
			break;
		case OPT_VERSION:
			return cli_version();
		default:
			return cli_bad_option(argv);
		}
		if (name) {
			*name = ev_str(optarg);
			if (!name->len || name->len > (name == &o->stream
			                                       ? EV_STREAM_MAX
			                                       : EV_NAME_MAX))
				return cli_usage("'%s': too long or empty",
				                 optarg);
		}
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct options options = { .end = '\n',
	                           .overrides.priority = EV_PRIORITY_NONE };
	struct run run = { 0 };
	struct ev_err err;
	enum ev_status status, closed;
	int exit_status;

	cli_start("ev-append");
	if ((exit_status = parse_options(argc, argv, &options)) >= 0)
		return exit_status;
	argv += optind;
	if (!*argv && isatty(STDIN_FILENO))
		return cli_usage("no events: pipe them in, name a file or give "
		                 "a TYPE");
	cli_catch_signals();
	status = open_run(&run, &options, &err);
	if (!status)
		status = read_everything(&run, argv, &err);
	if (status && !(options.atomic && status == run.worst))
		cli_fail(status, &err);
	closed = close_run(&run, &err);
	if (closed)
		cli_fail(closed, &err);
	return cli_end(status ? status : closed ? closed : run.worst);
}
