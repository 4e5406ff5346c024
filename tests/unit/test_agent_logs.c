#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/agent_logs.h"
#include "base/mem.h"
#include "base/time.h"
#include "unit.h"

/* Agents' logs as SQLite keeps them, apart from the log of events. */

static char folder[] = "/tmp/ev-agents.XXXXXX";
static char log_path[64];
static char path[80];
static struct ev_err err;

static struct ev_agent_logs *
open_logs(void)
{
	struct ev_agent_logs *logs = NULL;

	if (ev_agent_logs_open(&logs, log_path, 100, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(2);
	}
	return logs;
}

static void
close_logs(struct ev_agent_logs *logs)
{
	logs->ops->close(logs);
}

static void
remove_file(const char *end)
{
	char name[100];

	snprintf(name, sizeof name, "%s%s", path, end);
	unlink(name);
}

/* Each test has a file of its own. */
static struct ev_agent_logs *
new_logs(void)
{
	static int number;

	remove_file("");
	remove_file("-wal");
	snprintf(log_path, sizeof log_path, "%s/%d.db", folder, ++number);
	snprintf(path, sizeof path, "%s-agents", log_path);
	return open_logs();
}

static int64_t
add(struct ev_agent_logs *logs, const char *agent, enum ev_agent_level level,
    struct ev_str message, int64_t received)
{
	struct ev_agent_entry entry = { .agent = ev_str(agent), .time = 5,
	                                .level = level, .message = message };

	CHECK(logs->ops->add(logs, &entry, 1, received, &err) == EV_OK);
	return entry.id;
}

/* Entries as "id agent level message|" texts. */
struct found {
	struct ev_buf text;
	struct ev_agent_entry last; /* without its texts */
	int count;
};

static void
note(void *context, const struct ev_agent_entry *entry)
{
	struct found *found = context;

	found->last = *entry;
	found->count++;
	ev_buf_printf(&found->text, "%lld ", (long long)entry->id);
	ev_buf_add_str(&found->text, entry->agent);
	ev_buf_printf(&found->text, " %d ", (int)entry->level);
	ev_buf_add_str(&found->text, entry->message);
	if (entry->data.ptr) {
		ev_buf_add_char(&found->text, ' ');
		ev_buf_add_str(&found->text, entry->data);
	}
	ev_buf_add_char(&found->text, '|');
}

static struct ev_str
read_logs(struct ev_agent_logs *logs, const struct ev_agent_query *query,
          struct ev_agent_page *page)
{
	static struct found found;

	ev_buf_reset(&found.text);
	found.count = 0;
	CHECK(logs->ops->read(logs, query, note, &found, page, &err) == EV_OK);
	return ev_buf_str(&found.text);
}

static const struct ev_agent_query all = { .limit = 1000, .bytes = 1 << 20 };

static void
test_paging(void)
{
	struct ev_agent_logs *logs = new_logs();
	struct ev_agent_query query = all;
	struct ev_agent_page page = { 7, 7, false };

	CHECK_STR_NAMED("nothing is there at first",
	                read_logs(logs, &query, &page), EV_STR(""));
	CHECK(page.next == 0 && page.last == 0 && page.end);
	add(logs, "a", EV_AGENT_INFO, EV_STR("one"), 0);
	add(logs, "b", EV_AGENT_WARN, EV_STR("two"), 0);
	add(logs, "a", EV_AGENT_ERROR, EV_STR("three"), 0);
	add(logs, "a", EV_AGENT_TRACE, EV_STR("four"), 0);
	CHECK_STR(read_logs(logs, &query, &page),
	          "1 a 2 one|2 b 3 two|3 a 4 three|4 a 0 four|");
	CHECK(page.next == 4 && page.last == 4 && page.end);

	query.limit = 2;
	CHECK_STR(read_logs(logs, &query, &page), "1 a 2 one|2 b 3 two|");
	CHECK(page.next == 2 && page.last == 4 && !page.end);
	query.after = page.next;
	CHECK_STR(read_logs(logs, &query, &page), "3 a 4 three|4 a 0 four|");
	CHECK(page.next == 4 && page.end);

	query.after = EV_AGENT_NEWEST;
	CHECK_STR_NAMED("the newest come in their order",
	                read_logs(logs, &query, &page),
	                EV_STR("3 a 4 three|4 a 0 four|"));
	query = all;
	query.agent = EV_STR("a");
	CHECK_STR(read_logs(logs, &query, &page),
	          "1 a 2 one|3 a 4 three|4 a 0 four|");
	query.level = EV_AGENT_WARN;
	CHECK_STR(read_logs(logs, &query, &page), "3 a 4 three|");
	CHECK_NAMED("what does not fit is passed over", page.next == 4);
	query.after = EV_AGENT_NEWEST;
	query.limit = 1;
	CHECK_STR(read_logs(logs, &query, &page), "3 a 4 three|");
	query = all;
	query.agent = EV_STR("nobody");
	CHECK_STR(read_logs(logs, &query, &page), "");
	CHECK(page.next == 4 && page.end);

	query = all;
	query.bytes = 1;
	CHECK_STR_NAMED("one is given however long it is",
	                read_logs(logs, &query, &page), EV_STR("1 a 2 one|"));
	CHECK(page.next == 1 && !page.end);
	query.after = EV_AGENT_NEWEST;
	CHECK_STR_NAMED("the last one, if there is room for one",
	                read_logs(logs, &query, &page), EV_STR("4 a 0 four|"));
	query = all;
	query.after = 99;
	CHECK_STR(read_logs(logs, &query, &page), "");
	CHECK_NAMED("behind the end is at the end", page.next == 4);
	close_logs(logs);
}

static void
test_batch(void)
{
	struct ev_agent_logs *logs = new_logs();
	struct ev_agent_entry entries[] = {
		{ .agent = EV_STR("a"), .time = -1, .message = EV_STR("x") },
		{ .agent = EV_STR("b"), .time = INT64_MAX,
		  .level = EV_AGENT_ERROR, .message = EV_STR(""),
		  .data = EV_STR("{\"n\":1.50}") },
	};
	struct ev_agent_page page;

	CHECK(logs->ops->add(logs, entries, 2, 0, &err) == EV_OK);
	CHECK(entries[0].id == 1 && entries[1].id == 2);
	CHECK_STR(read_logs(logs, &all, &page), "1 a 0 x|2 b 4  {\"n\":1.50}|");
	CHECK(logs->ops->add(logs, NULL, 0, 0, &err) == EV_OK);
	close_logs(logs);
}

static void
test_hostile_texts(void)
{
	static const struct ev_str texts[] = {
		EV_STR("a\0b"), EV_STR("\0"), EV_STR("'; DROP TABLE entry; --"),
		EV_STR("%s%n\n\r\t\x1b]52;c;x\a"), EV_STR("\xe2\x80\xae\xf0\x9f"
		"\x98\x80"), EV_STR("\"\\{}?1@"),
	};
	enum { COUNT = sizeof texts / sizeof *texts };
	struct ev_agent_logs *logs = new_logs();
	struct ev_agent_query query = all;
	struct ev_buf wanted = { 0 };
	struct ev_agent_page page;

	for (int i = 0; i < COUNT; i++) {
		struct ev_agent_entry entry = { .agent = texts[i],
		                                .message = texts[i] };

		CHECK(logs->ops->add(logs, &entry, 1, 0, &err) == EV_OK);
	}
	close_logs(logs);
	logs = open_logs();
	for (int i = 0; i < COUNT; i++) {
		ev_buf_reset(&wanted);
		ev_buf_printf(&wanted, "%d ", i + 1);
		ev_buf_add_str(&wanted, texts[i]);
		ev_buf_add_str(&wanted, EV_STR(" 0 "));
		ev_buf_add_str(&wanted, texts[i]);
		ev_buf_add_char(&wanted, '|');
		query.agent = texts[i];
		CHECK_STR_NAMED("a text comes back as it went, byte by byte",
		                read_logs(logs, &query, &page),
		                ev_buf_str(&wanted));
	}
	ev_buf_release(&wanted);
	close_logs(logs);
}

static void
test_reopening(void)
{
	struct ev_agent_logs *logs = new_logs(), *second = NULL;
	struct ev_agent_keep keep = { .received = 100 };
	struct ev_agent_page page;
	int64_t gone = 0;

	add(logs, "a", EV_AGENT_INFO, EV_STR("one"), 10);
	add(logs, "a", EV_AGENT_INFO, EV_STR("two"), 20);
	CHECK_NAMED("one process has them at a time",
	            ev_agent_logs_open(&second, log_path, 10, &err) == EV_BUSY
	            && !second);
	close_logs(logs);
	CHECK_NAMED("nothing is left beside the file",
	            (remove_file("-shm"), access(path, F_OK)) == 0);
	logs = open_logs();
	CHECK_STR(read_logs(logs, &all, &page), "1 a 2 one|2 a 2 two|");
	CHECK(logs->ops->trim(logs, &keep, &gone, &err) == EV_OK && gone == 2);
	CHECK_STR(read_logs(logs, &all, &page), "");
	CHECK_NAMED("the last id is known when all are gone",
	            page.last == 2 && page.next == 2);
	close_logs(logs);
	logs = open_logs();
	CHECK_NAMED("an id is not given twice",
	            add(logs, "a", EV_AGENT_INFO, EV_STR("three"), 30) == 3);
	close_logs(logs);
}

/* Until there is nothing to do; returns how many went. */
static int64_t
trim(struct ev_agent_logs *logs, int64_t received, int64_t bytes)
{
	struct ev_agent_keep keep = { received, bytes };
	enum ev_status status = EV_OK;
	int64_t all_gone = 0, gone;
	int steps;

	for (steps = 0; status == EV_OK && steps < 10000; steps++) {
		gone = 0;
		status = logs->ops->trim(logs, &keep, &gone, &err);
		all_gone += gone;
		if (gone > 100)
			CHECK_NAMED("a step is short", gone <= 100);
	}
	CHECK_NAMED("trimming comes to an end", status == EV_NO);
	return all_gone;
}

static void
test_age(void)
{
	struct ev_agent_logs *logs = new_logs();
	struct ev_agent_page page;

	add(logs, "a", EV_AGENT_INFO, EV_STR("old"), 100);
	/* the clock was wrong for a while */
	add(logs, "a", EV_AGENT_INFO, EV_STR("future"), 100000);
	for (int i = 0; i < 250; i++)
		add(logs, "a", EV_AGENT_INFO, EV_STR("old too"), 200);
	add(logs, "a", EV_AGENT_INFO, EV_STR("new"), 300);
	CHECK(trim(logs, EV_TIME_NONE, 0) == 0);
	CHECK(trim(logs, 300, 0) == 251);
	CHECK_STR(read_logs(logs, &all, &page), "2 a 2 future|253 a 2 new|");
	close_logs(logs);
}

static void
add_much(struct ev_agent_logs *logs, int count, size_t size)
{
	struct ev_agent_entry *entries = ev_mem_alloc((size_t)count *
	                                              sizeof *entries);
	char *text = ev_mem_alloc(size);

	memset(text, 'x', size);
	for (int i = 0; i < count; i++) {
		entries[i].agent = EV_STR("busy");
		entries[i].message = (struct ev_str){ text, size };
	}
	CHECK(logs->ops->add(logs, entries, (size_t)count, 1000, &err) ==
	      EV_OK);
	free(entries);
	free(text);
}

static int64_t
file_size(void)
{
	struct stat info;

	return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

static void
test_size(void)
{
	enum { MOST = 1 << 20 };
	struct ev_agent_logs *logs = new_logs();
	struct ev_agent_query newest = { .after = EV_AGENT_NEWEST, .limit = 1,
	                                 .bytes = 1 << 20 };
	struct ev_agent_page page;
	int64_t gone;

	for (int round = 0; round < 5; round++) {
		add_much(logs, 2000, 1000);
		gone = trim(logs, EV_TIME_NONE, MOST);
		CHECK_NAMED("what is too much goes", gone > 1000);
	}
	CHECK(logs->ops->size(logs) > 0);
	read_logs(logs, &newest, &page);
	CHECK_NAMED("the newest stay", page.last == 10000);
	close_logs(logs);
	CHECK_NAMED("the file is no larger than that", file_size() <= MOST);
	CHECK_NAMED("and most of it is in use", file_size() > MOST / 2);

	logs = new_logs();
	add_much(logs, 40, 64 << 10);
	gone = trim(logs, EV_TIME_NONE, MOST);
	CHECK_NAMED("of few large ones a few stay", gone > 20 && gone < 39);
	CHECK_NAMED("then there is nothing more to do",
	            trim(logs, EV_TIME_NONE, MOST) == 0);
	CHECK_NAMED("where nothing fits nothing is kept",
	            trim(logs, EV_TIME_NONE, 1) == 40 - gone);
	close_logs(logs);
	CHECK(file_size() < 100000);
}

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "wb");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
		printf("Bail out! cannot write '%s'\n", name);
		exit(2);
	}
}

static void
change(const char *sql)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		printf("Bail out! %s\n", sqlite3_errmsg(db));
		exit(2);
	}
	sqlite3_close(db);
}

static bool
is_refused(enum ev_status wanted, const char *why)
{
	struct ev_agent_logs *logs = NULL;
	enum ev_status status = ev_agent_logs_open(&logs, log_path, 10, &err);

	if (logs)
		close_logs(logs);
	if (status != wanted || !strstr(err.text, why))
		printf("# %d: %s\n", status, status ? err.text : "");
	return status == wanted && strstr(err.text, why);
}

static void
test_other_files(void)
{
	char other[100];

	close_logs(new_logs());
	remove_file("");
	write_file(path, "");
	CHECK_NAMED("an empty file becomes one", is_refused(EV_OK, ""));
	change("PRAGMA user_version = 2");
	CHECK(is_refused(EV_UNREACHABLE, "newer ev"));
	remove_file("");
	change("CREATE TABLE cats(name)");
	CHECK(is_refused(EV_UNREACHABLE, "no file of agents' logs"));
	remove_file("");
	write_file(path, "These are the days of our lives, and so on and on "
	           "and on: longer than any header of any database is, you "
	           "see.\n");
	CHECK(is_refused(EV_UNREACHABLE, "no file of agents' logs"));
	remove_file("");

	snprintf(other, sizeof other, "%s/other", folder);
	write_file(other, "");
	if (symlink(other, path) != 0 )
		printf("Bail out! no symlink\n");
	CHECK_NAMED("a link is not followed",
	            is_refused(EV_UNREACHABLE, "no plain file"));
	remove_file("");
	if (link(other, path) != 0)
		printf("Bail out! no link\n");
	CHECK(is_refused(EV_UNREACHABLE, "2 names"));
	remove_file("");
	if (mkdir(path, 0700) != 0)
		printf("Bail out! no folder\n");
	CHECK(is_refused(EV_UNREACHABLE, "no plain file"));
	rmdir(path);
	unlink(other);
}

static void
test_damage(void)
{
	struct ev_agent_logs *logs = new_logs();
	struct found found = { 0 };
	struct ev_agent_page page = { 0 };

	add(logs, "a", EV_AGENT_INFO, EV_STR("one"), 10);
	close_logs(logs);
	change("DROP TABLE entry");
	logs = open_logs();
	CHECK(logs->ops->read(logs, &all, note, &found, &page, &err) == EV_IO);
	CHECK(strstr(err.text, "remove it"));
	close_logs(logs);
	/* what somebody else wrote is shown as far as it makes sense */
	logs = new_logs();
	close_logs(logs);
	change("INSERT INTO entry VALUES (9, 'a', 0, 77, 'odd', NULL, 0, 0)");
	logs = open_logs();
	CHECK_STR(read_logs(logs, &all, &page), "9 a 2 odd|");
	close_logs(logs);
	ev_buf_release(&found.text);
}

int
main(void)
{
	if (!mkdtemp(folder)) {
		printf("Bail out! no folder\n");
		return 2;
	}
	test_paging();
	test_batch();
	test_hostile_texts();
	test_reopening();
	test_age();
	test_size();
	test_other_files();
	test_damage();
	remove_file("");
	remove_file("-wal");
	rmdir(folder);
	return unit_end();
}
