#include "domain/catalog.h"
#include "unit.h"

/* The least that a catalog can be, for tests to add to. */
#define HEAD "catalog: shop\nstream: s\n"
#define TYPES "types:\n  T: {}\n"

static struct ev_catalog *
parse(const char *yaml)
{
	struct ev_problems problems = { 0 };
	struct ev_catalog *catalog = NULL;

	if (ev_catalog_parse(&catalog, "f", ev_str(yaml), &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		exit(2);
	}
	CHECK(problems.count == 0 && problems.text.len == 0);
	return catalog;
}

static void
check_problems(const char *yaml, size_t count, const char *wanted)
{
	struct ev_problems problems = { 0 };
	struct ev_catalog *catalog = NULL;
	enum ev_status status;

	status = ev_catalog_parse(&catalog, "f", ev_str(yaml), &problems);
	CHECK_NAMED(yaml, status == EV_BAD_INPUT && !catalog);
	CHECK_NAMED(yaml, problems.count == count);
	CHECK_STR_NAMED(yaml, ev_buf_str(&problems.text), ev_str(wanted));
	ev_problems_release(&problems);
}

static const char shop[] =
	"catalog: shop\n"
	"summary: A shop\n"
	"native:\n"
	"  when: [kind]\n"
	"  unless: [type]\n"
	"  typePrefix: SHOP_\n"
	"  envelope:\n"
	"    kind: type\n"
	"    at: { to: timestamp, keep: true }\n"
	"    by: actor\n"
	"  payload: body\n"
	"  lift: [order]\n"
	"  id: \"{order}/{number}\"\n"
	"define:\n"
	"  text: &text { type: string }\n"
	"category: sale\n"
	"priority: action\n"
	"stream: order/{order}\n"
	"topic: shop.{$category}.{order|segment}.{$action}\n"
	"payload:\n"
	"  required: [order]\n"
	"  properties: { order: *text, note: *text }\n"
	"types:\n"
	"  OrderPlaced:\n"
	"    summary: An order came in\n"
	"    version: 2\n"
	"    aliases: { sum: total }\n"
	"    payload:\n"
	"      required: [total]\n"
	"      properties:\n"
	"        total: { type: number }\n"
	"        currency: { type: string, default: EUR }\n"
	"    upcast:\n"
	"      1:\n"
	"        - rename: { amount: total }\n"
	"  ORDER_PAID: { action: paid, priority: info }\n"
	"  StockLow:\n"
	"    category: stock\n"
	"    stream: [\"stock/{item}\", stock]\n"
	"    topic: []\n"
	"    payload: { properties: { item: *text } }\n"
	"  Silent:\n";

static void
test_types(void)
{
	struct ev_catalog *c = parse(shop);
	const struct ev_type *t = ev_catalog_find(c, EV_STR("OrderPlaced"));

	CHECK_STR(ev_catalog_name(c), "shop");
	CHECK(ev_catalog_type_count(c) == 4);
	CHECK(ev_catalog_type(c, 0) == t);
	CHECK(t->catalog == c);
	CHECK_STR(t->name, "OrderPlaced");
	CHECK_STR(t->summary, "An order came in");
	CHECK_STR(t->category, "sale");
	CHECK(t->version == 2);
	CHECK(t->priority == EV_PRIORITY_ACTION);
	CHECK(t->stream_count == 1 && t->topic_count == 1);
	CHECK_STR(ev_template_member(t->streams[0], 0), "order");
	CHECK(ev_schema_knows(t->payload, EV_STR("note")));
	CHECK(ev_schema_requires(t->payload, EV_STR("order")));
	CHECK(ev_schema_requires(t->payload, EV_STR("total")));
	CHECK_STR(ev_type_alias(t, EV_STR("sum")), "total");
	CHECK_STR(ev_type_alias(t, EV_STR("total")), "total");
	CHECK_STR(ev_type_alias(t, EV_STR("other")), "other");

	t = ev_catalog_find(c, EV_STR("ORDER_PAID"));
	CHECK(t->priority == EV_PRIORITY_INFO && t->version == 1);
	CHECK(!ev_schema_requires(t->payload, EV_STR("total")));
	CHECK_STR(ev_type_alias(t, EV_STR("sum")), "sum");
	t = ev_catalog_find(c, EV_STR("StockLow"));
	CHECK_STR(t->category, "stock");
	CHECK(t->stream_count == 2 && t->topic_count == 0);
	t = ev_catalog_find(c, EV_STR("Silent"));
	CHECK(t && t->priority == EV_PRIORITY_ACTION);
	CHECK(!ev_catalog_find(c, EV_STR("orderplaced")));
	CHECK(!ev_catalog_find(c, EV_STR("")));
	CHECK(!ev_catalog_find(c, EV_STR("types")));
	ev_catalog_free(c);
}

static void
check_topic(struct ev_catalog *c, const char *type, const char *wanted)
{
	const struct ev_type *t = ev_catalog_find(c, ev_str(type));
	struct ev_buf out = { 0 };
	yyjson_doc *doc = NULL;
	struct ev_err err;

	(void)ev_json_parse(&doc, EV_STR("{\"order\":\"a/1\"}"), NULL, &err);
	CHECK(!ev_template_fill(t->topics[0], yyjson_doc_get_root(doc), &out,
	                        &err));
	CHECK_STR(ev_buf_str(&out), wanted);
	yyjson_doc_free(doc);
	ev_buf_release(&out);
}

static void
test_topics(void)
{
	struct ev_catalog *c = parse(
		"catalog: shop\n"
		"category: x\n"
		"stream: s\n"
		"topic: shop.{$category}.{order|segment}.{$action}\n"
		"payload: { properties: { order: {} } }\n"
		"types: { OrderPlaced: , ORDER_PAID: , HTTPServerUp2Date: ,\n"
		"  E2E_PASSED: , already_snake: , X: { action: why-not } }\n");

	check_topic(c, "OrderPlaced", "shop.x.a_2F1.order_placed");
	check_topic(c, "ORDER_PAID", "shop.x.a_2F1.order_paid");
	check_topic(c, "HTTPServerUp2Date", "shop.x.a_2F1.http_server_up2_date");
	check_topic(c, "E2E_PASSED", "shop.x.a_2F1.e2e_passed");
	check_topic(c, "already_snake", "shop.x.a_2F1.already_snake");
	check_topic(c, "X", "shop.x.a_2F1.why-not");
	ev_catalog_free(c);
}

static void
check_loose(struct ev_catalog *c, const char *name, const char *wanted)
{
	const struct ev_type *t = ev_catalog_find_loose(c, ev_str(name));

	CHECK_STR_NAMED(name, t ? t->name : EV_STR("nothing"), ev_str(wanted));
}

static void
test_loose(void)
{
	struct ev_catalog *c = parse(shop);
	char longer[400];

	check_loose(c, "OrderPlaced", "OrderPlaced");
	check_loose(c, "order_placed", "OrderPlaced");
	check_loose(c, "order-placed", "OrderPlaced");
	check_loose(c, "ORDERPLACED", "OrderPlaced");
	check_loose(c, "OrderPaid", "ORDER_PAID");
	check_loose(c, "SHOP_ORDER_PLACED", "OrderPlaced");
	check_loose(c, "shop-orderPaid", "ORDER_PAID");
	check_loose(c, "SHOP_", "nothing");
	check_loose(c, "SHOP_SHOP_ORDER_PLACED", "nothing");
	check_loose(c, "OrderPlace", "nothing");
	check_loose(c, "Order Placed", "nothing");
	check_loose(c, "", "nothing");
	check_loose(c, "_-_", "nothing");
	memset(longer, 'x', sizeof longer);
	CHECK(!ev_catalog_find_loose(
		c, (struct ev_str){ longer, sizeof longer }));
	ev_catalog_free(c);
}

static void
test_native(void)
{
	struct ev_catalog *c = parse(shop);
	const struct ev_native *n = ev_catalog_native(c);

	CHECK(n->when_count == 1 && n->unless_count == 1);
	CHECK_STR(n->when[0], "kind");
	CHECK_STR(n->unless[0], "type");
	CHECK_STR(n->payload, "body");
	CHECK(n->lift_count == 1);
	CHECK_STR(n->lift[0], "order");
	CHECK_STR(ev_template_member(n->id, 1), "number");
	CHECK(ev_catalog_native_member(c, EV_STR("kind")) == EV_MEMBER_TYPE);
	CHECK(ev_catalog_native_member(c, EV_STR("at")) ==
	      EV_MEMBER_TIMESTAMP);
	CHECK(ev_catalog_native_member(c, EV_STR("type")) == EV_MEMBER_NONE);
	CHECK_STR(ev_catalog_native_name(c, EV_MEMBER_ACTOR), "by");
	CHECK(!ev_catalog_native_name(c, EV_MEMBER_ID).ptr);
	CHECK(ev_catalog_native_kept(c, EV_MEMBER_TIMESTAMP));
	CHECK(!ev_catalog_native_kept(c, EV_MEMBER_TYPE));
	ev_catalog_free(c);

	c = parse(HEAD TYPES);
	CHECK(ev_catalog_native(c) == NULL);
	ev_catalog_free(c);
}

/* What is stored loads again, without YAML, and is the same. */
static void
test_stored(void)
{
	struct ev_catalog *c = parse(shop), *again = NULL;
	struct ev_err err = { "" };

	CHECK(!memchr(ev_catalog_json(c).ptr, '\n', ev_catalog_json(c).len));
	CHECK(ev_catalog_load(&again, ev_catalog_json(c), &err) == EV_OK);
	CHECK(ev_str_equal(ev_catalog_json(c), ev_catalog_json(again)));
	ev_catalog_free(c);
	CHECK(ev_catalog_type_count(again) == 4);
	CHECK(ev_catalog_find(again, EV_STR("Silent")) != NULL);
	check_topic(again, "ORDER_PAID", "shop.sale.a_2F1.paid");
	ev_catalog_free(again);
}

/* A log may be forged: whatever JSON is in it must do no harm. */
static void
test_forged(void)
{
	static const char *const refused[] = {
		"", "{", "[]", "null", "{}", "{\"catalog\":\"x\"}",
		"{\"catalog\":1,\"types\":{}}",
		"{\"catalog\":\"x\",\"types\":[]}",
	};
	static const char *const odd[] = {
		"{\"catalog\":\"x\",\"types\":{}}",
		"{\"catalog\":\"x\",\"types\":{\"\":7,\"T\":[],\"U\":{}}}",
		"{\"catalog\":\"x\",\"native\":[],\"types\":{\"T\":null}}",
		"{\"catalog\":\"x\",\"native\":{\"when\":[1,{}],\"envelope\":"
		"{\"a\":1,\"b\":{\"to\":[]}},\"id\":\"{\"},\"stream\":{},"
		"\"topic\":[1,\"{a\",null],\"payload\":{\"required\":[1,2],"
		"\"properties\":{\"a\":7,\"b\":null}},\"types\":{\"T\":{"
		"\"version\":\"abc\",\"priority\":7,\"category\":{},"
		"\"aliases\":{\"a\":1},\"upcast\":[],\"payload\":{\"type\":7,"
		"\"enum\":3,\"required\":\"x\",\"minimum\":\"\xc3\xa4"
		"-e\",\"maxLength\":-1,\"items\":[],\"allOf\":{},"
		"\"properties\":[1],\"dependentRequired\":[],\"uniqueItems\":"
		"3,\"oneOf\":7,\"prefixItems\":1}}}}",
	};

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct ev_catalog *c = NULL;
		struct ev_err err = { "" };

		CHECK_NAMED(refused[i],
		            ev_catalog_load(&c, ev_str(refused[i]), &err) ==
		                            EV_BAD_INPUT &&
		                    !c && err.text[0]);
	}
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct ev_catalog *c = NULL;
		struct ev_err err = { "" };

		CHECK_NAMED(odd[i],
		            !ev_catalog_load(&c, ev_str(odd[i]), &err));
		for (size_t k = 0; c && k < ev_catalog_type_count(c); k++) {
			const struct ev_type *t = ev_catalog_type(c, k);

			(void)ev_schema_validate(
				t->payload, yyjson_doc_get_root(NULL), &err);
			(void)ev_type_alias(t, EV_STR("a"));
			(void)ev_catalog_find_loose(c, t->name);
		}
		ev_catalog_free(c);
	}
}

static void
test_problems(void)
{
	check_problems("[]", 1, "f:1:1: a catalog is a map, not array\n");
	check_problems("a: 1\n", 3,
	               "f:1:1: a catalog has no member 'a'\n"
	               "f:1:1: 'catalog', its name, is missing\n"
	               "f:1:1: 'types' is missing\n");
	check_problems("catalog: Shop\n" TYPES, 2,
	               "f:1:10: a catalog's name is a word of a-z, 0-9, '_' "
	               "and '-'\n"
	               "f:3:3: type 'T' has no stream, neither here nor for "
	               "all types\n");
	check_problems(HEAD "types: {}\n", 1,
	               "f:3:8: a catalog has at least one type\n");
	check_problems(HEAD "types: [T]\n", 1,
	               "f:3:8: 'types' is a map, not array\n");
	check_problems(HEAD "types: { T: 5, \"a b\": , 9x: }\n", 3,
	               "f:3:13: type 'T' is a map, not number\n"
	               "f:3:16: a type's name is a letter and then letters, "
	               "digits, '_' and '-', not 'a b'\n"
	               "f:3:25: a type's name is a letter and then letters, "
	               "digits, '_' and '-', not '9x'\n");
	check_problems(HEAD "types: { OrderPaid: , ORDER_PAID: }\n", 1,
	               "f:3:23: type 'ORDER_PAID' differs from 'OrderPaid' in "
	               "case, '_' and '-' only\n");
	check_problems(HEAD "category: A B\npriority: high\nsummary: \"a\\nb\""
	               "\ntypes: { T: { priority: Info, action: a.b, "
	               "summary: 7, colour: red } }\n", 7,
	               "f:3:11: category 'A B' is not a word of a-z, 0-9, '_' "
	               "and '-'\n"
	               "f:4:11: priority 'high' is none of info, action, "
	               "urgent and critical\n"
	               "f:5:10: 'summary' is one line\n"
	               "f:6:25: priority 'Info' is none of info, action, "
	               "urgent and critical\n"
	               "f:6:39: 'action' is one word of a topic: letters, "
	               "digits, '_' and '-'\n"
	               "f:6:53: 'summary' is a text, not number\n"
	               "f:6:56: a type has no member 'colour'\n");
	check_problems("catalog: a\ncatalog: b\n", 1,
	               "f:2:1: 'catalog' is here again, first in line 1\n");
}

static void
test_payload_problems(void)
{
	check_problems(HEAD "types:\n  T:\n    payload:\n      properties:\n"
	               "        a: { type: string, pattern: x }\n"
	               "        b: { minLength: -1, default: 7 }\n", 2,
	               "f:7:28: schema keyword 'pattern' is outside the subset "
	               "of ev-catalog(5)\n"
	               "f:8:25: 'minLength' is an integer from 0 on\n");
	check_problems(HEAD "types:\n  T:\n    payload:\n      properties:\n"
	               "        n: { type: integer, default: x }\n", 1,
	               "f:7:38: the default does not fit its own schema: "
	               "expected integer, found string\n");
	check_problems(HEAD "payload: { type: object }\n" TYPES, 1,
	               "f:3:12: the payload of all types has no member "
	               "'type'\n");
	check_problems(HEAD "types: { T: { payload: [] } }\n", 1,
	               "f:3:24: 'payload' is a schema, not array\n");
	check_problems(HEAD "types: { T: { aliases: { a: b, c: 7 }, payload: { "
	               "properties: { a: {} } } } }\n", 3,
	               "f:3:26: alias 'a' is itself one of the payload's "
	               "properties\n"
	               "f:3:29: alias 'a' leads to 'b', which is none of the "
	               "payload's properties\n"
	               "f:3:35: alias 'c' names a member, not number\n");
}

static void
test_template_problems(void)
{
	check_problems("catalog: shop\nstream: \"{a\"\n" TYPES, 1,
	               "f:2:9: '{' without '}' in '{a'\n");
	check_problems("catalog: shop\nstream: [\"{a}\", 7]\n" TYPES, 2,
	               "f:2:10: stream of type 'T' needs 'a', which is none of "
	               "its payload's properties\n"
	               "f:2:17: 'stream' is a text or a list of texts\n");
	check_problems("catalog: shop\nstream: s\ntopic: shop.{a}\npayload: { "
	               "properties: { a: {} } }\n" TYPES, 1,
	               "f:3:8: a topic is words of letters, digits, '_' and "
	               "'-' between dots; a placeholder in it needs |segment "
	               "or |strict\n");
	check_problems("catalog: shop\nstream: s\ntopic: shop.{$category}\n"
	               TYPES, 1, "f:3:8: type 'T' has no category for it\n");
	check_problems("catalog: shop\nstream: s\ntopic: shop.{$colour}\n"
	               TYPES, 2,
	               "f:3:8: a topic is words of letters, digits, '_' and "
	               "'-' between dots; a placeholder in it needs |segment "
	               "or |strict\n"
	               "f:3:8: topic of type 'T' needs '$colour', which is "
	               "none of its payload's properties\n");
}

static void
test_upcast_problems(void)
{
	check_problems(HEAD "types: { T: { version: 0 } }\n", 1,
	               "f:3:24: 'version' is a whole number from 1 to 9999\n");
	check_problems(HEAD "types: { T: { version: \"2\" } }\n", 1,
	               "f:3:24: 'version' is a whole number from 1 to 9999\n");
	check_problems(HEAD "types: { T: { version: 3, upcast: { 1: [] } } }\n",
	               1, "f:3:27: the upcast from version 2 to 3 is "
	                  "missing\n");
	check_problems(HEAD "types: { T: { version: 2 } }\n", 1,
	               "f:3:15: the upcast from version 1 to 2 is missing\n");
	check_problems(HEAD "types: { T: { upcast: { 1: [] } } }\n", 1,
	               "f:3:25: there is no step from version '1' on: "
	               "'version' is 1\n");
	check_problems(HEAD "types:\n  T:\n    version: 2\n    upcast:\n"
	               "      1:\n        - rename: { a: b.c }\n"
	               "        - drop: a\n        - drop: [a..b]\n"
	               "        - move: { a: . }\n"
	               "        - convert: { a: date }\n"
	               "        - shuffle: {}\n"
	               "        - { drop: [a], rename: {} }\n"
	               "        - default: []\n", 8,
	               "f:8:24: 'rename' gives a new name in the same place; "
	               "'move' takes a member elsewhere\n"
	               "f:9:17: 'drop' is a list, not string\n"
	               "f:10:18: a step names members such as total or "
	               "cost.total\n"
	               "f:11:22: a step names members such as total or "
	               "cost.total\n"
	               "f:12:25: 'convert' makes a string, number, integer or "
	               "boolean\n"
	               "f:13:11: an upcast has no member 'shuffle'\n"
	               "f:14:11: a step is one of rename, default, drop, move "
	               "and convert\n"
	               "f:15:20: 'default' is a map, not array\n");
}

static void
test_native_problems(void)
{
	check_problems(HEAD "native: {}\n" TYPES, 2,
	               "f:3:9: 'native' needs 'when': the members by which "
	               "events of this form are known\n"
	               "f:3:9: 'native' needs an 'envelope' that says which "
	               "member is the type\n");
	check_problems(HEAD "native:\n  when: []\n  unless: type\n"
	               "  lift: [a, 7]\n  envelope:\n    a: type\n"
	               "    b: type\n    c: position\n    d: { to: id, of: 1 }"
	               "\n    e: { keep: yes }\n  id: \"{\"\n  colour: red\n"
	               TYPES, 11,
	               "f:4:9: 'native' needs 'when': the members by which "
	               "events of this form are known\n"
	               "f:5:11: 'unless' is a list, not string\n"
	               "f:6:3: 'lift' goes with 'payload': without it every "
	               "member is of the payload\n"
	               "f:6:13: 'lift' lists names, not number\n"
	               "f:9:5: two members lead to 'type'\n"
	               "f:10:8: 'c' leads to none of type, id, streamId, "
	               "timestamp, priority, correlationId, causationId, actor "
	               "and meta\n"
	               "f:11:18: an envelope member has no member 'of'\n"
	               "f:12:5: 'e' leads to none of type, id, streamId, "
	               "timestamp, priority, correlationId, causationId, actor "
	               "and meta\n"
	               "f:12:16: 'keep' is true or false\n"
	               "f:13:7: '{' without '}' in '{'\n"
	               "f:14:3: 'native' has no member 'colour'\n");
}

static void
test_words(void)
{
	CHECK(ev_priority_parse(EV_STR("info")) == EV_PRIORITY_INFO);
	CHECK(ev_priority_parse(EV_STR("Urgent")) == EV_PRIORITY_URGENT);
	CHECK(ev_priority_parse(EV_STR("CRITICAL")) == EV_PRIORITY_CRITICAL);
	CHECK(ev_priority_parse(EV_STR("none")) == EV_PRIORITY_NONE);
	CHECK(ev_priority_parse(EV_STR("urgen")) == EV_PRIORITY_NONE);
	CHECK(ev_priority_parse(EV_STR("urgentl")) == EV_PRIORITY_NONE);
	CHECK(ev_priority_parse(EV_STR("")) == EV_PRIORITY_NONE);
	CHECK_STR(ev_str(ev_priority_format(EV_PRIORITY_ACTION)), "action");
	for (int i = 0; i < EV_MEMBER_COUNT; i++)
		CHECK((int)ev_member_parse(ev_str(ev_member_name(
			      (enum ev_member)i))) == i);
	CHECK(ev_member_parse(EV_STR("StreamId")) == EV_MEMBER_NONE);
}

/* The catalogs that are shipped. */
static void
check_shipped(const char *path, const char *name, size_t types)
{
	struct ev_problems problems = { 0 };
	struct ev_catalog *c = NULL;
	struct ev_buf yaml = { 0 };

	unit_read_file(&yaml, path);
	CHECK_NAMED(path, !ev_catalog_parse(&c, path, ev_buf_str(&yaml),
	                                    &problems));
	if (!CHECK_NAMED(path, problems.count == 0))
		printf("# %.*s", EV_FMT(ev_buf_str(&problems.text)));
	if (c) {
		CHECK_STR(ev_catalog_name(c), name);
		CHECK_NAMED(path, ev_catalog_type_count(c) == types);
		CHECK_NAMED(path, ev_catalog_native(c) != NULL);
	}
	for (size_t i = 0; c && i < types; i++) {
		const struct ev_type *t = ev_catalog_type(c, i);
		char says[512];

		snprintf(says, sizeof says, "%.*s has category, stream, topic",
		         EV_FMT(t->name));
		CHECK_NAMED(says, t->category.len && t->stream_count &&
		                          t->topic_count);
	}
	ev_catalog_free(c);
	ev_buf_release(&yaml);
	ev_problems_release(&problems);
}

int
main(void)
{
	test_types();
	test_topics();
	test_loose();
	test_native();
	test_stored();
	test_forged();
	test_problems();
	test_payload_problems();
	test_template_problems();
	test_upcast_problems();
	test_native_problems();
	test_words();
	check_shipped("schemas/rig.yaml", "rig", 30);
	check_shipped("schemas/workflow.yaml", "workflow", 8);
	check_shipped("schemas/session.yaml", "session", 30);
	check_shipped("schemas/temporal.yaml", "temporal", 61);
	return unit_end();
}
