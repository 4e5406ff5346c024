#include "cmd/each_queue.h"

#include "unit.h"

enum { A = 1, B = 2, C = 4097 /* in A's bucket */ };

static struct each_queue queue;

static void
add(int64_t position, uint64_t stream)
{
	struct each_item item = { .position = position, .stream = stream };

	each_queue_add(&queue, &item);
}

static void
add_replay(int64_t position, uint64_t stream)
{
	struct each_item item = { .position = position, .stream = stream,
	                          .replay = true };

	each_queue_add(&queue, &item);
}

/* The next, which must be at this position; 0: there must be none. */
static struct each_item *
start(int64_t position, int64_t now)
{
	struct each_item *item = each_queue_start(&queue, now);
	char name[64];

	snprintf(name, sizeof name, "%lld starts at %lld", (long long)position,
	         (long long)now);
	CHECK_NAMED(name, (item ? item->position : 0) == position);
	return item;
}

static void
check_order(void)
{
	struct each_item *a, *b, *c;

	each_queue_init(&queue, 10);
	add(11, A);
	add(12, A);
	add(13, B);
	add(15, C);
	each_queue_see(&queue, 20);
	a = start(11, 0);
	b = start(13, 0);
	c = start(15, 0);
	start(0, 0);
	CHECK(each_queue_checkpoint(&queue) == 10);
	each_queue_finish(&queue, b);
	each_queue_finish(&queue, c);
	CHECK(each_queue_checkpoint(&queue) == 10);
	each_queue_finish(&queue, a);
	CHECK(each_queue_checkpoint(&queue) == 11);
	each_queue_finish(&queue, start(12, 0));
	CHECK(each_queue_checkpoint(&queue) == 20);
	CHECK(each_queue_is_empty(&queue));
	each_queue_release(&queue);
}

static void
check_waiting(void)
{
	struct each_item *a, *b;

	each_queue_init(&queue, 0);
	add(1, A);
	add(2, B);
	add(3, A);
	add(4, B);
	a = start(1, 0);
	b = start(2, 0);
	each_queue_retry(&queue, a, 500);
	each_queue_retry(&queue, b, 300);
	CHECK(each_queue_due(&queue) == 300);
	/* what is behind waits too */
	start(0, 299);
	b = start(2, 300);
	each_queue_finish(&queue, b);
	b = start(4, 300);
	each_queue_finish(&queue, b);
	CHECK(each_queue_due(&queue) == 500);
	CHECK(each_queue_checkpoint(&queue) == 0);
	a = start(1, 500);
	CHECK(each_queue_due(&queue) == -1);
	each_queue_finish(&queue, a);
	CHECK(each_queue_checkpoint(&queue) == 2);
	each_queue_release(&queue);
}

static void
check_replays(void)
{
	struct each_item *item;

	/* before all of its stream, and not beside what runs */
	each_queue_init(&queue, 10);
	add(11, A);
	add(12, A);
	item = start(11, 0);
	add_replay(5, A);
	add_replay(3, A);
	add_replay(4, B);
	each_queue_finish(&queue, start(4, 0));
	start(0, 0);
	CHECK(each_queue_checkpoint(&queue) == 10);
	/* one that fails goes behind them */
	each_queue_retry(&queue, item, 0);
	each_queue_finish(&queue, start(3, 0));
	each_queue_finish(&queue, start(5, 0));
	each_queue_finish(&queue, start(11, 0));
	CHECK(!each_queue_is_empty(&queue));
	each_queue_finish(&queue, start(12, 0));
	CHECK(each_queue_is_empty(&queue));

	/* one that waits is put behind, and keeps its time */
	add(21, A);
	each_queue_retry(&queue, start(21, 0), 900);
	add_replay(7, A);
	CHECK(each_queue_due(&queue) == -1);
	item = start(7, 0);
	each_queue_finish(&queue, item);
	start(0, 899);
	each_queue_finish(&queue, start(21, 900));

	/* what is left is freed */
	add(30, A);
	add(31, A);
	add_replay(8, A);
	add_replay(9, B);
	start(8, 900);
	each_queue_release(&queue);
}

/* Any history: per stream by position, never two at once, all in the end. */
static void
check_random(unsigned seed)
{
	enum { STREAMS = 5, EVENTS = 400, SLOTS = 3 };
	struct each_item *slots[SLOTS] = { NULL };
	int64_t last[STREAMS] = { 0 }, now = 0;
	bool runs[STREAMS] = { false };
	int added = 0, finished = 0, wrong = 0;

	srand(seed);
	each_queue_init(&queue, 0);
	for (int turn = 0; finished < EVENTS && turn < 100000; turn++, now++) {
		int slot = rand() % SLOTS;

		if (added < EVENTS && rand() % 2) {
			added++;
			add(added, (uint64_t)(rand() % STREAMS));
		}
		if (!slots[slot]) {
			struct each_item *item = each_queue_start(&queue, now);

			slots[slot] = item;
			if (!item)
				continue;
			wrong += runs[item->stream] ||
			         item->position <= last[item->stream];
			runs[item->stream] = true;
		} else if (rand() % 3) {
			struct each_item *item = slots[slot];

			runs[item->stream] = false;
			slots[slot] = NULL;
			if (rand() % 3 == 0) {
				each_queue_retry(&queue, item,
				                 now + rand() % 50);
				continue;
			}
			last[item->stream] = item->position;
			finished++;
			each_queue_finish(&queue, item);
		}
	}
	CHECK(wrong == 0);
	CHECK(finished == EVENTS && each_queue_is_empty(&queue));
	CHECK(each_queue_checkpoint(&queue) == EVENTS);
	each_queue_release(&queue);
}

static void
check_full(void)
{
	each_queue_init(&queue, 0);
	for (int i = 1; i < EACH_QUEUE_MAX; i++)
		add(i, A);
	CHECK(!each_queue_is_full(&queue));
	add(EACH_QUEUE_MAX, B);
	CHECK(each_queue_is_full(&queue));
	each_queue_finish(&queue, start(1, 0));
	CHECK(!each_queue_is_full(&queue));
	each_queue_release(&queue);
}

int
main(void)
{
	check_order();
	check_waiting();
	check_replays();
	for (unsigned seed = 1; seed <= 20; seed++)
		check_random(seed);
	check_full();
	return unit_end();
}
