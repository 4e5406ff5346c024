#include "domain/fold.h"
#include "unit.h"

/*
 * Each case is folded twice: in one go, and so that every document is written,
 * forgotten and read again after each event. Both must give the same bytes.
 */

/* What has been written, by key; few, so a list will do. */
struct shelf {
	struct item {
		struct ev_buf key, json;
		int64_t position;
	} items[64];
	size_t count;
};

static enum ev_status
fetch(void *context, struct ev_str key, struct ev_buf *out, int64_t *position,
      struct ev_err *err)
{
	struct shelf *shelf = context;

	(void)err;
	for (size_t i = 0; i < shelf->count; i++) {
		struct item *item = &shelf->items[i];

		if (!ev_str_equal(ev_buf_str(&item->key), key))
			continue;
		ev_buf_add_str(out, ev_buf_str(&item->json));
		*position = item->position;
		return EV_OK;
	}
	return EV_NO;
}

static void
put(struct shelf *shelf, struct ev_fold *fold, struct ev_document *document)
{
	size_t i = 0;

	while (i < shelf->count &&
	       !ev_str_equal(ev_buf_str(&shelf->items[i].key), document->key))
		i++;
	if (i == shelf->count)
		ev_buf_add_str(&shelf->items[shelf->count++].key,
		               document->key);
	shelf->items[i].position = document->position;
	ev_buf_reset(&shelf->items[i].json);
	ev_fold_write(fold, document, EV_FOLD_STORED, &shelf->items[i].json);
}

static void
shelf_release(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->count; i++) {
		ev_buf_release(&shelf->items[i].key);
		ev_buf_release(&shelf->items[i].json);
	}
}

static const struct ev_projection *
make_projection(const char *body)
{
	struct ev_problems problems = { 0 };
	const struct ev_projection *projection;
	struct ev_buf yaml = { 0 };

	ev_buf_printf(&yaml, "projection: p\n%s\n", body);
	if (ev_projection_parse(&projection, "p.yaml", ev_buf_str(&yaml),
	                        &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		exit(2);
	}
	ev_buf_release(&yaml);
	return projection;
}

/* "TYPE STREAM DATA" at position i, an hour and i seconds after midnight. */
static enum ev_status
fold_one(struct ev_fold *fold, const char *event, int64_t i,
         struct ev_err *err)
{
	struct ev_line line = { .position = i, .id = EV_STR("id"),
	                        .catalog = EV_STR("c"), .schema_version = 1,
	                        .priority = EV_PRIORITY_ACTION,
	                        .meta = EV_STR("{}") };
	const char *stream = strchr(event, ' ') + 1;
	const char *data = strchr(stream, ' ') + 1;
	char time[64];

	snprintf(time, sizeof time, "2026-04-21T01:00:%02d.000000Z", (int)i);
	line.type = (struct ev_str){ event, (size_t)(stream - event) - 1 };
	line.stream = (struct ev_str){ stream, (size_t)(data - stream) - 1 };
	line.data = ev_str(data);
	line.timestamp = line.recorded_at = (struct ev_str){ time,
	                                                     EV_TIME_TEXT };
	return ev_fold_event(fold, &line, err);
}

static void
write_all(struct ev_fold *fold, struct ev_buf *out)
{
	size_t count;
	struct ev_document **list = ev_fold_documents(fold, &count);

	for (size_t i = 0; i < count; i++) {
		ev_fold_write(fold, list[i], EV_FOLD_SHOWN, out);
		ev_buf_add_char(out, '\n');
	}
}

/*
 * `events` and `wanted` end with NULL; what is wanted of a fault is "! reason",
 * in the order of the events, before the documents.
 */
static void
check(const char *name, const char *body, const char *const *events,
      const char *const *wanted)
{
	const struct ev_projection *projection = make_projection(body);
	struct shelf shelf = { 0 };
	const struct ev_fold_source source = { fetch, &shelf };
	struct ev_fold *whole = ev_fold_new(projection, NULL);
	struct ev_fold *parts = ev_fold_new(projection, &source);
	struct ev_buf found = { 0 }, again = { 0 }, text = { 0 };
	struct ev_err err;

	for (int i = 0; events[i]; i++) {
		enum ev_status status = fold_one(whole, events[i], i, &err);

		if (status == EV_BAD_INPUT)
			ev_buf_printf(&found, "! %s\n", err.text);
		CHECK_NAMED(name, fold_one(parts, events[i], i, &err) ==
		                  status);
		if (status == EV_BAD_INPUT)
			ev_buf_printf(&again, "! %s\n", err.text);
		for (struct ev_document *d = ev_fold_take_touched(parts); d;
		     d = d->next_touched)
			put(&shelf, parts, d);
		ev_fold_forget(parts);
	}
	write_all(whole, &found);
	for (size_t i = 0; i < shelf.count; i++) {
		struct ev_document *document;

		CHECK_NAMED(name, ev_fold_find(parts, ev_buf_str(
			&shelf.items[i].key), &document, &err) == EV_OK);
	}
	write_all(parts, &again);
	for (int i = 0; wanted[i]; i++)
		ev_buf_printf(&text, "%s\n", wanted[i]);
	CHECK_STR_NAMED(name, ev_buf_str(&found), ev_buf_str(&text));
	CHECK_STR_NAMED(name, ev_buf_str(&again), ev_buf_str(&text));

	ev_buf_release(&found);
	ev_buf_release(&again);
	ev_buf_release(&text);
	ev_fold_free(whole);
	ev_fold_free(parts);
	shelf_release(&shelf);
	ev_projection_free(projection);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
test_operations(void)
{
	check("set and unset",
	      "catalog: c\nkey: \"{$.streamId}\"\non:\n"
	      "  A: { set: { a: .x, b: lit, c: $.timestamp, d: [.x, 1],"
	      " e: { f: .x, g: .no }, t: \"<{.x}>\", n: null } }\n"
	      "  B: { unset: [a, e.f], set: { h.i.j: .y } }\n",
	      LIST("A s {\"x\":12.10}", "B s {\"y\":\"q\\\"\"}", "A r {}"),
	      LIST("{\"key\":\"r\",\"b\":\"lit\",\"c\":"
	           "\"2026-04-21T01:00:02.000000Z\",\"d\":[1],\"e\":{},"
	           "\"n\":null}",
	           "{\"key\":\"s\",\"b\":\"lit\",\"c\":"
	           "\"2026-04-21T01:00:00.000000Z\",\"d\":[12.10,1],\"e\":{},"
	           "\"t\":\"<12.1>\",\"n\":null,\"h\":{\"i\":{\"j\":\"q\\\"\""
	           "}}}"));
	check("count and add are exact",
	      "catalog: c\nkey: \"{$.streamId}\"\nstart: { n: 0 }\non:\n"
	      "  A: { count: { n: 2, \"by.{.m}.n\": -1 },"
	      " add: { sum: .x, \"by.{.m}.sum\": .x } }\n",
	      LIST("A s {\"x\":12.10,\"m\":\"p.q\"}",
	           "A s {\"x\":\"0.05\",\"m\":\"r\"}",
	           "A s {\"x\":1e30,\"m\":\"r\"}", "A s {}",
	           "A s {\"x\":null}"),
	      LIST("{\"key\":\"s\",\"n\":10,\"by\":{\"p.q\":{\"n\":-1,\"sum\":"
	           "12.10},\"r\":{\"n\":-2,\"sum\":"
	           "1000000000000000000000000000000.05}},\"sum\":"
	           "1000000000000000000000000000012.15}"));
	check("min and max",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { min: { lo: .x, first: $.timestamp }, max: { hi: .x,"
	      " peak: { value: .p, order: [low, mid, high] } } }\n",
	      LIST("A s {\"x\":10,\"p\":\"mid\"}", "A s {\"x\":9,\"p\":\"low\"}",
	           "A s {\"x\":1e1,\"p\":\"high\"}", "A s {\"p\":\"odd\"}",
	           "A s {\"x\":\"t\"}", "A s {\"x\":null}"),
	      LIST("! cannot max 'peak': the value is not in its order",
	           "! cannot min 'lo': the value is not of the kind that is "
	           "there",
	           "{\"key\":\"k\",\"lo\":9,\"first\":"
	           "\"2026-04-21T01:00:00.000000Z\",\"hi\":10,\"peak\":"
	           "\"high\"}"));
	check("lists",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { append: { last: { value: .x, limit: 2 }, by: { value:"
	      " { t: .x, n: .n }, by: t } }, include: { seen: .x } }\n"
	      "  B: { exclude: { seen: .x } }\n",
	      LIST("A s {\"x\":3,\"n\":1}", "A s {\"x\":1,\"n\":2}",
	           "A s {\"x\":3.0,\"n\":3}", "A s {\"x\":2,\"n\":4}",
	           "B s {\"x\":[1,7]}", "A s {\"n\":5}"),
	      LIST("! cannot append 'by': the value has no such member to be "
	           "sorted by",
	           "{\"key\":\"k\",\"last\":[3.0,2],\"by\":[{\"t\":1,\"n\":2},"
	           "{\"t\":2,\"n\":4},{\"t\":3,\"n\":1},{\"t\":3.0,\"n\":3}],"
	           "\"seen\":[3,2]}"));
	check("one number is one text, however it is written",
	      "catalog: c\nkey: \"{.x}\"\non:\n"
	      "  A: { count: { n: 1 }, tally: { t: .x } }\n",
	      LIST("A s {\"x\":0.5}", "A s {\"x\":0.50}",
	           "A s {\"x\":5e-1}", "A s {\"x\":1.0}",
	           "A s {\"x\":-10.10}"),
	      LIST("{\"key\":\"-10.1\",\"n\":1,\"t\":{\"-10.1\":1}}",
	           "{\"key\":\"0.5\",\"n\":3,\"t\":{\"0.5\":3}}",
	           "{\"key\":\"1\",\"n\":1,\"t\":{\"1\":1}}"));
	check("histograms",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { tally: { by: .x }, bucket: { of: { value: .n, bounds:"
	      " [0.5, 2] } } }\n",
	      LIST("A s {\"x\":\"a\",\"n\":0.5}", "A s {\"x\":[\"a\",1,true,null]}",
	           "A s {\"x\":1.0,\"n\":\"7\"}", "A s {\"n\":0.4999}",
	           "A s {\"x\":{}}", "A s {\"n\":[]}"),
	      LIST("! cannot tally 'by': the value has no text",
	           "! cannot bucket 'of': the value is no number",
	           "{\"key\":\"k\",\"by\":{\"a\":2,\"1\":2,\"true\":1},\"of\":"
	           "{\"<2\":1,\">=2\":1,\"<0.5\":1}}"));
}

static void
test_rules(void)
{
	check("the first rule that holds is applied, after always",
	      "catalog: c\nkey: \"{$.streamId}\"\nstart: { state: new }\n"
	      "always: { count: { events: 1 } }\non:\n  A:\n"
	      "  - { when: { $doc.state: { not: [new, b] }, .x: { atLeast: 2 }"
	      " }, set: { state: a } }\n"
	      "  - { when: { .x: { exists: true } }, set: { state: b } }\n"
	      "  \"*\": { set: { state: other } }\nignore: [I]\n",
	      LIST("A s {\"x\":5}", "A s {}", "A s {\"x\":2}", "I s {}",
	           "Z r {}", "A r {\"x\":2.0}", "A r {\"x\":null}"),
	      LIST("{\"key\":\"r\",\"state\":\"a\",\"events\":2}",
	           "{\"key\":\"s\",\"state\":\"b\",\"events\":2}"));
	check("what a rule reads is what was there before",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { set: { a: $doc.b, b: $doc.a, c: .x }, count: { n: 1 } }\n"
	      "  S: { set: { a: 1, b: 2 } }\n",
	      LIST("S s {}", "A s {}", "A s {\"x\":1}", "A s {}"),
	      LIST("{\"key\":\"k\",\"a\":2,\"b\":1,\"c\":1,\"n\":3}"));
	check("a key: the first that can be filled, and filters",
	      "catalog: c\nkey: [\"{.a|agent}\", \"{$.timestamp|date}/{.b|part}/"
	      "{.c}\"]\non:\n  A: { count: { n: 1 } }\n  B: { key: \"{.z|some}\","
	      " count: { n: 1 } }\n",
	      LIST("A s {\"a\":\"x/7\"}", "A s {\"b\":\"p/q%\",\"c\":\"r/s\"}",
	           "A s {\"b\":1}", "B s {\"z\":0}", "B s {\"z\":7.0}"),
	      LIST("! no key: '.c' is missing or of no use",
	           "! no key: '.z' is missing or of no use",
	           "{\"key\":\"2026-04-21/p%2Fq%25/r/s\",\"n\":1}",
	           "{\"key\":\"7\",\"n\":1}", "{\"key\":\"x\",\"n\":1}"));
	check("each element has its document",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { each: .list, key: \"{$each.name}\", count: { n: 1 }, add: { sum: $each.x } }\n",
	      LIST("A s {\"list\":[{\"name\":\"a\",\"x\":1.5},{\"name\":\"b\"},"
	           "{\"name\":\"a\",\"x\":1}]}", "A s {\"list\":[]}", "A s {}",
	           "A s {\"list\":[{\"name\":\"c\"},{}]}", "A s {\"list\":1}"),
	      LIST("! no key: '$each.name' is missing or of no use",
	           "! '.list' is no list, so there is no 'each'",
	           "{\"key\":\"a\",\"n\":2,\"sum\":2.5}",
	           "{\"key\":\"b\",\"n\":1}"));
	check("notes remember what later events do not say",
	      "catalog: c\nkey: \"{.agent}\"\nnotes:\n  key: \"{$.streamId}\"\n"
	      "  on:\n    A: { set: { agent: .agent } }\n"
	      "    U: { unset: [agent] }\non:\n"
	      "  A: { count: { held: 1 } }\n"
	      "  D: { when: { $note.agent: { exists: true } },"
	      " key: \"{$note.agent}\", count: { done: 1 } }\n"
	      "  U: { key: \"{$note.agent}\", count: { held: -1 } }\n",
	      LIST("A s {\"agent\":\"x\"}", "D s {}", "U s {}", "D s {}",
	           "U s {}", "A r {\"agent\":\"y\"}"),
	      LIST("! no key: '$note.agent' is missing or of no use",
	           "{\"key\":\"x\",\"held\":0,\"done\":1}",
	           "{\"key\":\"y\",\"held\":1}"));
}

static void
test_faults(void)
{
	check("an event that cannot be folded changes nothing at all",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { set: { a: .x }, count: { n: 1 }, append: { l: .x },"
	      " add: { sum: .x } }\n  S: { set: { n: .n, l: .l, sum: .sum } }\n",
	      LIST("A s {\"x\":1}", "A s {\"x\":\"one\"}", "A s {\"x\":1e9999}",
	           "S s {\"n\":\"t\"}", "A s {\"x\":2}",
	           "S s {\"n\":7,\"l\":{},\"sum\":1.0}", "A s {\"x\":3}",
	           "S s {\"l\":[0]}", "A s {\"x\":4}"),
	      LIST("! cannot add 'sum': the value is no number",
	           "! cannot add 'sum': the value has too many digits",
	           "! cannot count 'n': what is there is no number",
	           "! cannot append 'l': what is there is no list",
	           "{\"key\":\"k\",\"a\":4,\"n\":8,\"l\":[0,4],\"sum\":5.0}"));
	/* under the sanitizers: nothing of it is left over, either */
	check("a sum whose last number is beyond 64 bits",
	      "catalog: c\nkey: k\non: { A: { add: { sum: .x } } }\n",
	      LIST("A s {\"x\":12.10}", "A s {\"x\":1.000000000000000000001}"),
	      LIST("{\"key\":\"k\",\"sum\":13.100000000000000000001}"));
	check("not even objects on the way to what could not be done",
	      "catalog: c\nkey: k\nstart: { n: null }\non:\n"
	      "  A: { when: { $doc.s: { exists: true } }, count: { seen: 1 } }\n"
	      "  B: { set: { a.b.c: .v, n.x: 1 }, add: { \"s.{.k}\": .v } }\n",
	      LIST("B s {\"k\":\"k\",\"v\":\"w\"}", "A s {}",
	           "B s {\"k\":\"k\",\"v\":1}", "A s {}"),
	      LIST("! cannot add 's.{.k}': the value is no number",
	           "{\"key\":\"k\",\"n\":{\"x\":1},\"seen\":1,\"a\":{"
	           "\"b\":{\"c\":1}},\"s\":{\"k\":1}}"));
	check("two operations that meet at one member by what the event says",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { set: { \"m.{.a}\": .v }, count: { \"m.{.b}\": 1, n: 1 } }\n",
	      LIST("A s {\"a\":\"x\",\"b\":\"x\",\"v\":\"t\"}",
	           "A s {\"a\":\"x\",\"b\":\"x\",\"v\":5}",
	           "A s {\"a\":\"y\",\"b\":\"x\",\"v\":\"t\"}",
	           "A s {\"a\":\"x\",\"b\":\"y\",\"v\":0}"),
	      LIST("! cannot count 'm.{.b}': what is there is no number",
	           "! cannot count 'm.{.b}': what is there is no number",
	           "{\"key\":\"k\",\"m\":{\"x\":7,\"y\":\"t\"},\"n\":2}"));
	check("elements follow one another, all or none",
	      "catalog: c\nkey: k\non:\n"
	      "  A: { each: .l, max: { hi: $each }, min: { lo: $each },"
	      " count: { n: 1 } }\n",
	      LIST("A s {\"l\":[2,5,3]}", "A s {\"l\":[9,\"t\"]}",
	           "A s {\"l\":[4,1]}"),
	      LIST("! cannot max 'hi': the value is not of the kind that is "
	           "there", "{\"key\":\"k\",\"hi\":5,\"lo\":1,\"n\":5}"));
	check("nor does one whose target is part of a text",
	      "catalog: c\nkey: k\non:\n  A: { set: { a: .x } }\n"
	      "  B: { set: { a.b: .x, c: 1 } }\n  U: { unset: [a.b.c] }\n",
	      LIST("U s {}", "A s {\"x\":\"t\"}", "B s {\"x\":1}",
	           "A s {\"x\":{\"y\":0}}", "B s {\"x\":1}", "U s {}"),
	      LIST("! cannot set 'a.b': what it is part of is no object",
	           "! cannot unset 'a.b.c': what it is part of is no object",
	           "{\"key\":\"k\",\"a\":{\"y\":0,\"b\":1},\"c\":1}"));
}

static void
test_derive(void)
{
	check("derived members",
	      "catalog: c\nkey: k\nstart: { from: null }\non:\n"
	      "  A: { add: { a: .a, \"b.{.k}\": .b }, set: { from: .from,"
	      " to: .to, h: .h } }\nderive:\n"
	      "  rate: { ratio: [a, [a, b]], places: 4 }\n"
	      "  all: { sum: [a, b, b.x] }\n"
	      "  none: { ratio: [a, b.zero] }\n"
	      "  took: { minutes: [from, to], places: 1 }\n"
	      "  late: { seconds: [to, from] }\n"
	      "  odd: { sum: [a, to] }\n  huge: { sum: [a, h] }\n",
	      LIST("A s {\"a\":1.50,\"b\":2,\"k\":\"x\"}",
	           "A s {\"b\":\"1\",\"k\":\"y\",\"from\":"
	           "\"2026-04-21T01:00:00Z\",\"to\":"
	           "\"2026-04-21T02:00:30+01:00\"}", "A s {\"h\":1e9999}"),
	      LIST("{\"key\":\"k\",\"from\":\"2026-04-21T01:00:00Z\",\"a\":1.50,"
	           "\"b\":{\"x\":2,\"y\":1},\"to\":\"2026-04-21T02:00:30+01:00\""
	           ",\"h\":1e9999,\"rate\":0.3333,\"all\":6.50,\"none\":null,\"took\":0.5,"
	           "\"late\":-30.000000,\"odd\":null,\"huge\":null}"));
}

static void
test_documents(void)
{
	const struct ev_projection *p = make_projection(
		"from: other\nkey: all\non: { document: { add: { sum: .n },"
		" count: { n: 1 }, append: { keys: $.key } } }\n");
	struct ev_fold *fold = ev_fold_new(p, NULL);
	struct ev_buf out = { 0 };
	struct ev_err err;

	CHECK(!ev_fold_document(fold, EV_STR("a"), 1, EV_STR("{\"n\":1.5}"),
	                        &err));
	CHECK(!ev_fold_document(fold, EV_STR("b"), 1, EV_STR("{\"n\":2}"),
	                        &err));
	write_all(fold, &out);
	CHECK_STR(ev_buf_str(&out),
	          "{\"key\":\"all\",\"sum\":3.5,\"n\":2,"
	          "\"keys\":[\"a\",\"b\"]}\n");
	ev_buf_reset(&out);
	CHECK(!ev_fold_show(fold, EV_STR("k"), EV_STR("{\"sum\":1,\"n\":2}"),
	                    &out, &err));
	CHECK_STR(ev_buf_str(&out),
	          "{\"key\":\"k\",\"sum\":1,\"n\":2}");
	CHECK(ev_fold_show(fold, EV_STR("k"), EV_STR("[]"), &out, &err) ==
	      EV_IO);
	ev_buf_release(&out);
	ev_fold_free(fold);
	ev_projection_free(p);
}

/* A map that grows, shrinks and keeps its order. */
static void
test_maps(void)
{
	const struct ev_projection *p = make_projection(
		"catalog: c\nkey: k\non: { A: { count: { \"m.{.x}\": 1 } },"
		" B: { unset: [ \"m.{.x}\" ] } }\n");
	struct ev_fold *fold = ev_fold_new(p, NULL);
	struct ev_buf out = { 0 }, wanted = { 0 };
	char event[64];
	struct ev_err err;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(event, sizeof event, "A s {\"x\":%d}", i);
			fold_one(fold, event, 0, &err);
		}
		for (int i = 0; i < 2000; i++) {
			if (round == 2 && i % 100 == 7)
				continue;
			snprintf(event, sizeof event, "B s {\"x\":%d}", i);
			fold_one(fold, event, 0, &err);
		}
	}
	write_all(fold, &out);
	ev_buf_add_str(&wanted, EV_STR("{\"key\":\"k\",\"m\":{\"7\":1"));
	for (int i = 107; i < 2000; i += 100)
		ev_buf_printf(&wanted, ",\"%d\":1", i);
	ev_buf_add_str(&wanted, EV_STR("}}\n"));
	CHECK(ev_str_equal(ev_buf_str(&out), ev_buf_str(&wanted)));
	CHECK(ev_fold_size(fold) < 1 << 20);
	ev_buf_release(&out);
	ev_buf_release(&wanted);
	ev_fold_free(fold);
	ev_projection_free(p);
}

/* A set that grows, shrinks and keeps its order: not by looking at all of it
   for each element. */
static void
test_sets(void)
{
	enum { MANY = 200000 };
	const struct ev_projection *p = make_projection(
		"catalog: c\nkey: k\non: { A: { include: { s: .x } },"
		" B: { exclude: { s: .x } } }\n");
	struct ev_fold *fold = ev_fold_new(p, NULL);
	struct ev_buf add = { 0 }, drop = { 0 }, out = { 0 }, wanted = { 0 };
	struct ev_err err;

	ev_buf_add_str(&add, EV_STR("A s {\"x\":["));
	ev_buf_add_str(&drop, EV_STR("B s {\"x\":["));
	ev_buf_add_str(&wanted, EV_STR("{\"key\":\"k\",\"s\":["));
	for (int i = 0; i < MANY; i++) {
		ev_buf_printf(&add, "%s%d", i ? "," : "", i);
		if (i % 1000)
			ev_buf_printf(&drop, "%s%d.0", i > 1 ? "," : "", i);
		else
			ev_buf_printf(&wanted, "%s%d", i ? "," : "", i);
	}
	ev_buf_add(&add, "]}", 3);
	ev_buf_add(&drop, "]}", 3);
	ev_buf_add_str(&wanted, EV_STR(",1,\"1\"]}\n"));
	CHECK(fold_one(fold, add.ptr, 0, &err) == EV_OK);
	CHECK(fold_one(fold, add.ptr, 1, &err) == EV_OK);
	CHECK(fold_one(fold, drop.ptr, 2, &err) == EV_OK);
	CHECK(fold_one(fold, "A s {\"x\":[1,\"1\",1.0,1000]}", 3, &err) ==
	      EV_OK);
	write_all(fold, &out);
	CHECK(ev_str_equal(ev_buf_str(&out), ev_buf_str(&wanted)));
	ev_buf_release(&add);
	ev_buf_release(&drop);
	ev_buf_release(&out);
	ev_buf_release(&wanted);
	ev_fold_free(fold);
	ev_projection_free(p);
}

int
main(void)
{
	test_operations();
	test_rules();
	test_faults();
	test_derive();
	test_documents();
	test_maps();
	test_sets();
	return unit_end();
}
