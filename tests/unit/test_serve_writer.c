/*
 * The thread that appends for ev-serve: what becomes of events that share a
 * commit but not a sender. One request's events are always in one group.
 */
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cmd/serve_loop.h"
#include "cmd/serve_writer.h"
#include "unit.h"

static char folder[] = "/tmp/ev-unit-XXXXXX";
static char log_path[64], catalog_path[64];
static struct serve serve = { .wake_fd = -1 };
static int answered;

static const char shop[] =
	"catalog: shop\n"
	"native:\n"
	"  when: [type]\n"
	"  envelope: { type: type, id: id }\n"
	"stream: \"{shop}\"\n"
	"payload:\n"
	"  properties: { shop: { type: string }, n: { type: integer } }\n"
	"types:\n"
	"  SOLD: {}\n";

static void
write_catalog(const char *more)
{
	FILE *file = fopen(catalog_path, "w");

	if (!file || fprintf(file, "%s%s", shop, more) < 0 || fclose(file)) {
		printf("Bail out! cannot write '%s'\n", catalog_path);
		exit(2);
	}
}

static int
remove_one(const char *path, const struct stat *info, int flag,
           struct FTW *where)
{
	(void)info;
	(void)flag;
	(void)where;
	return remove(path);
}

static void
start(void)
{
	struct ev_err err;

	if (serve_writer_start(&serve, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(2);
	}
}

static void
count_answer(struct serve_request *request)
{
	answered += !request->then;
}

static struct serve_request *
new_request(void)
{
	struct serve_request *request = ev_mem_alloc(sizeof *request);

	*request = (struct serve_request){ .serve = &serve };
	return request;
}

static void
free_request(struct serve_request *request)
{
	ev_buf_release(&request->answer.body);
	ev_arena_release(&request->arena);
	free(request);
}

/* Until so many more have been answered. */
static void
wait_for(int count)
{
	while (answered < count) {
		struct pollfd wake = { .fd = serve.wake_fd, .events = POLLIN };
		uint64_t woken;

		if (poll(&wake, 1, 10000) != 1 ||
		    read(serve.wake_fd, &woken, sizeof woken) < 0) {
			printf("Bail out! no answer within 10 s\n");
			exit(2);
		}
		serve_take_done(&serve);
	}
	answered = 0;
}

/* Appends what `list` says, in one commit. */
static struct serve_request *
append(struct serve_append *list, size_t count)
{
	struct serve_request *request = new_request();

	serve_append(request, list, count, count_answer);
	wait_for(1);
	return request;
}

#define SOLD(shop, n) EV_STR("{\"type\":\"SOLD\",\"shop\":\"" shop "\",\"n\":" n "}")

static void
test_each_for_itself(void)
{
	struct serve_append list[] = {
		{ .text = SOLD("a", "1") },
		{ .text = EV_STR("{\"type\":") },
		{ .text = EV_STR("[]") },
		{ .text = EV_STR("{\"type\":\"NO\",\"shop\":\"a\"}") },
		{ .text = SOLD("a", "1.5") },
		{ .text = SOLD("a", "2") },
	};
	uint64_t commits = serve.counts.commits;
	struct serve_request *request = append(list, 6);

	CHECK(list[0].refusal == SERVE_APPENDED && !list[0].status);
	CHECK(list[1].refusal == SERVE_NOT_JSON);
	CHECK(list[2].refusal == SERVE_NOT_AN_EVENT);
	CHECK(list[3].refusal == SERVE_UNKNOWN_TYPE);
	CHECK_STR(ev_str(list[3].err.text), "unknown event type: NO");
	CHECK(list[4].refusal == SERVE_INVALID);
	CHECK_STR(list[4].path, "/n");
	CHECK(list[5].refusal == SERVE_APPENDED && !list[5].status);
	CHECK(list[0].version == 0 && list[5].version == 1);
	CHECK(list[5].position == list[0].position + 1);
	CHECK_STR(list[5].stream, "a");
	CHECK(ev_str_starts(list[5].receipt,
	                    EV_STR("{\"streamId\":\"a\",\"type\":\"SOLD\",")));
	CHECK(serve.counts.commits == commits + 1);
	CHECK(serve.counts.appends == 2);
	CHECK(serve.counts.rejects == 4);
	free_request(request);
}

/* Senders do not know each other: one that is late is not the others' fault. */
static void
test_expectations(void)
{
	enum { RACERS = 64 };
	struct serve_append list[] = {
		{ .text = SOLD("b", "1"), .expect = EV_EXPECT_EXISTS },
		{ .text = SOLD("b", "2"), .expect = EV_EXPECT_NONE },
		{ .text = SOLD("b", "3"), .expect = EV_EXPECT_NONE },
		{ .text = SOLD("b", "4"), .expect = EV_EXPECT_VERSION,
		  .expect_version = 7 },
		{ .text = SOLD("b", "5"), .expect = EV_EXPECT_VERSION,
		  .expect_version = 0 },
		{ .text = SOLD("b", "6"), .expect = EV_EXPECT_EXISTS },
		{ .text = SOLD("b", "7") },
	};
	struct serve_append racers[RACERS];
	uint64_t commits = serve.counts.commits;
	struct serve_request *request = append(list, 7);
	int won = 0, late = 0;

	CHECK(list[0].refusal == SERVE_STALE && list[0].version == -1);
	CHECK(list[0].status == EV_CONFLICT);
	CHECK_STR(ev_str(list[0].err.text),
	          "cannot append to 'b': expected a stream, found none");
	CHECK(list[1].refusal == SERVE_APPENDED && list[1].version == 0);
	CHECK(list[2].refusal == SERVE_STALE && list[2].version == 0);
	CHECK(list[3].refusal == SERVE_STALE && list[3].version == 0);
	CHECK(list[4].refusal == SERVE_APPENDED && list[4].version == 1);
	CHECK(list[5].refusal == SERVE_APPENDED && list[5].version == 2);
	CHECK(list[6].refusal == SERVE_APPENDED && list[6].version == 3);
	CHECK(serve.counts.commits == commits + 1);
	CHECK(serve.counts.conflicts == 3);
	free_request(request);

	for (int i = 0; i < RACERS; i++)
		racers[i] = (struct serve_append){
			.text = SOLD("b", "8"), .expect = EV_EXPECT_VERSION,
			.expect_version = 3
		};
	request = append(racers, RACERS);
	for (int i = 0; i < RACERS; i++)
		if (racers[i].refusal == SERVE_APPENDED)
			won++;
		else
			late += racers[i].refusal == SERVE_STALE &&
			        racers[i].version == 4;
	CHECK(won == 1 && late == RACERS - 1);
	free_request(request);
}

static void
test_ids(void)
{
	struct serve_append list[] = {
		{ .text = SOLD("c", "1"), .default_id = EV_STR("k\"1") },
		{ .text = SOLD("c", "1"), .default_id = EV_STR("k\"1"),
		  .expect = EV_EXPECT_NONE },
		{ .text = SOLD("c", "2"), .default_id = EV_STR("k\"1") },
		{ .text = EV_STR("{\"type\":\"SOLD\",\"shop\":\"c\","
		                 "\"id\":\"k\\\"1\",\"n\":1}"),
		  .default_id = EV_STR("k\"1") },
		{ .text = EV_STR("{\"type\":\"SOLD\",\"shop\":\"c\","
		                 "\"id\":\"k2\"}"),
		  .default_id = EV_STR("k3") },
	};
	struct serve_request *request = append(list, 5);
	struct serve_append again = { .text = SOLD("c", "1"),
	                              .default_id = EV_STR("k\"1") };

	CHECK(list[0].refusal == SERVE_APPENDED && !list[0].duplicate);
	CHECK(list[1].refusal == SERVE_APPENDED && list[1].duplicate);
	CHECK(list[1].position == list[0].position);
	CHECK(list[2].refusal == SERVE_TAKEN);
	CHECK(list[2].position == list[0].position);
	CHECK(list[3].refusal == SERVE_APPENDED && list[3].duplicate);
	CHECK(list[4].refusal == SERVE_STORE && list[4].status == EV_USAGE);
	free_request(request);
	request = append(&again, 1);
	CHECK(again.duplicate && again.position == list[0].position);
	free_request(request);
}

/* Many requests at once, each of its own; then many more than may wait. */
static void
test_many(void)
{
	enum { MANY = 500, LARGE = 80 };
	static struct serve_append list[MANY];
	struct serve_request *requests[MANY];
	struct ev_buf text = { 0 };
	uint64_t commits = serve.counts.commits;
	int64_t last = 0, appended = 0;

	for (int i = 0; i < MANY; i++) {
		requests[i] = new_request();
		list[i] = (struct serve_append){ .text = SOLD("d", "1") };
		serve_append(requests[i], &list[i], 1, count_answer);
	}
	wait_for(MANY);
	for (int i = 0; i < MANY; i++) { /* first come, first served */
		appended += list[i].refusal == SERVE_APPENDED &&
		            list[i].position > last;
		last = list[i].position;
		free_request(requests[i]);
	}
	CHECK(appended == MANY);
	CHECK(serve.counts.commits - commits < MANY / 4);

	/* more than a group's bytes are several commits */
	ev_buf_add_str(&text, EV_STR("{\"type\":\"SOLD\",\"shop\":\"e\","
	                             "\"x\":\""));
	for (int i = 0; i < 100000; i++)
		ev_buf_add_str(&text, EV_STR("0123456789"));
	ev_buf_add_str(&text, EV_STR("\"}"));
	commits = serve.counts.commits;
	for (int i = 0; i < 12; i++) {
		requests[i] = new_request();
		list[i] = (struct serve_append){ .text = ev_buf_str(&text) };
		serve_append(requests[i], &list[i], 1, count_answer);
	}
	wait_for(12);
	CHECK(serve.counts.commits - commits >= 3);
	for (int i = 0; i < 12; i++) {
		CHECK(list[i].refusal == SERVE_APPENDED);
		free_request(requests[i]);
	}
	ev_buf_release(&text);
}

static void
test_reload(void)
{
	struct serve_append list[] = {
		{ .text = EV_STR("{\"type\":\"BOUGHT\",\"shop\":\"f\"}") }
	};
	struct serve_request *request;

	write_catalog("  BOUGHT: {}\n");
	request = append(list, 1); /* nobody has said anything */
	CHECK(list[0].refusal == SERVE_UNKNOWN_TYPE);
	free_request(request);
	serve_writer_reload(&serve);
	request = append(list, 1);
	CHECK(list[0].refusal == SERVE_APPENDED);
	free_request(request);
	/* what is wrong is not taken */
	write_catalog("  BOUGHT: { nonsense: 1 }\n");
	serve_writer_reload(&serve);
	request = append(list, 1);
	CHECK(list[0].refusal == SERVE_APPENDED && list[0].version == 1);
	free_request(request);
	write_catalog("");
}

/* What waits is appended and answered before the thread ends. */
static void
test_stop(void)
{
	enum { MANY = 200 };
	static struct serve_append list[MANY];
	struct serve_request *requests[MANY];
	int appended = 0;

	for (int i = 0; i < MANY; i++) {
		requests[i] = new_request();
		list[i] = (struct serve_append){ .text = SOLD("g", "1") };
		serve_append(requests[i], &list[i], 1, count_answer);
	}
	serve_writer_stop(&serve);
	CHECK(!serve.writer);
	serve_writer_stop(&serve); /* twice is harmless */
	wait_for(MANY);
	for (int i = 0; i < MANY; i++) {
		appended += list[i].refusal == SERVE_APPENDED;
		free_request(requests[i]);
	}
	CHECK(appended == MANY);
}

int
main(void)
{
	sigset_t alarm;
	struct ev_err err;

	if (!mkdtemp(folder))
		return 2;
	snprintf(log_path, sizeof log_path, "%s/log.db", folder);
	snprintf(catalog_path, sizeof catalog_path, "%s/shop.yaml", folder);
	write_catalog("");
	setenv("EV_SCHEMAS", folder, 1);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	pthread_mutex_init(&serve.lock, NULL);
	serve.settings.log = log_path;
	serve.wake_fd = eventfd(0, EFD_CLOEXEC);
	start();
	test_each_for_itself();
	test_expectations();
	test_ids();
	test_many();
	test_reload();
	CHECK(!serve_writer_failed(&serve, &err));
	test_stop();
	close(serve.wake_fd);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return unit_end();
}
