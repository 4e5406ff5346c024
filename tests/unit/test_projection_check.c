/*
 * What only the catalogs tell of a projection. Each case is a projection and
 * every message that it gets.
 */
#include "domain/projection.h"
#include "unit.h"

static struct ev_catalogs catalogs;

static void
add_catalog(const char *yaml)
{
	struct ev_problems problems = { 0 };
	struct ev_catalog *catalog;

	if (ev_catalog_parse(&catalog, "catalog", ev_str(yaml), &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		exit(2);
	}
	ev_catalogs_add(&catalogs, catalog);
}

static void
add_catalogs(void)
{
	add_catalog("catalog: shop\n"
	            "stream: s\n"
	            "payload: { properties: { shop: { type: string } } }\n"
	            "types:\n"
	            "  Placed:\n"
	            "    payload:\n"
	            "      required: [order]\n"
	            "      properties:\n"
	            "        order: { type: string }\n"
	            "        total: { type: number }\n"
	            "        price: { type: [number, string],"
	            " format: decimal }\n"
	            "        speed: { enum: [slow, fast] }\n"
	            "        gift: { type: boolean }\n"
	            "        tags: { type: array, items: { type: string } }\n"
	            "        lines:\n"
	            "          type: array\n"
	            "          items:\n"
	            "            type: object\n"
	            "            properties:\n"
	            "              item: { type: string }\n"
	            "              size: { type: number }\n"
	            "        extra: { type: object }\n"
	            "        either: { type: [number, string] }\n"
	            "  Paid:\n"
	            "    payload: { properties: { order: { type: string },\n"
	            "      sum: { type: number } } }\n"
	            "  Closed:\n");
	add_catalog("catalog: bank\n"
	            "stream: s\n"
	            "types: { Paid: , Opened: }\n");
}

static const struct ev_projection *
parse(const char *yaml)
{
	const struct ev_projection *projection;
	struct ev_problems problems = { 0 };

	if (ev_projection_parse(&projection, "p", ev_str(yaml), &problems)) {
		printf("Bail out! %s\n%.*s", yaml,
		       EV_FMT(ev_buf_str(&problems.text)));
		exit(2);
	}
	return projection;
}

static void
check(const char *yaml, const char *wanted)
{
	const struct ev_projection *others[] = {
		parse("projection: orders\ncatalog: shop\nkey: k\n"
		      "start: { state: null }\n"
		      "on:\n"
		      "  Placed: { set: { state: open, order: .order },\n"
		      "    add: { sum: .total }, tally: { by: .speed } }\n"
		      "ignore: [Paid, Closed]\n"
		      "derive: { mean: { ratio: [sum, by] } }\n"),
		parse("projection: one\nfrom: two\nkey: k\n"
		      "on: { document: { count: { n: 1 } } }\n"),
		parse("projection: two\nfrom: one\nkey: k\n"
		      "on: { document: { count: { n: 1 } } }\n"),
	};
	const struct ev_projection *projection = parse(yaml);
	struct ev_problems problems = { 0 };

	ev_projection_check(projection, &catalogs, others, 3, &problems);
	CHECK_STR_NAMED(yaml, ev_buf_str(&problems.text), ev_str(wanted));
	ev_problems_release(&problems);
	ev_projection_free(projection);
	for (size_t i = 0; i < 3; i++)
		ev_projection_free(others[i]);
}

/* What a rule does with Placed; it stands in line 7. */
static void
check_rule(const char *rule, const char *wanted)
{
	struct ev_buf yaml = { 0 };

	ev_buf_printf(&yaml, "projection: p\ncatalog: shop\nkey: k\n"
	                     "ignore: [Paid, Closed]\non:\n  Placed:\n"
	                     "    %s\n", rule);
	ev_buf_add_char(&yaml, '\0');
	check(yaml.ptr, wanted);
	ev_buf_release(&yaml);
}

#define HEAD "projection: p\ncatalog: shop\nkey: k\n"

static void
test_types(void)
{
	check(HEAD "on: { Placed: { count: { n: 1 } } }\n",
	      "p:4:1: type 'Paid' of catalog 'shop' is neither handled nor "
	      "ignored\n"
	      "p:4:1: type 'Closed' of catalog 'shop' is neither handled nor "
	      "ignored\n");
	check(HEAD "on: { Placed: { count: { n: 1 } } }\n"
	           "ignore: [Paid, shop/Closed]\n", "");
	check(HEAD "on: { \"*\": { count: { n: 1 } } }\n", "");
	check(HEAD "on: { Plaecd: { count: { n: 1 } },\n"
	           "  \"*\": { count: { n: 1 } } }\nignore: [Refunded]\n",
	      "p:4:7: no catalog of this projection has a type 'Plaecd': did "
	      "you mean 'Placed'\n"
	      "p:6:10: no catalog of this projection has a type 'Refunded'\n");
	check(HEAD "on: { Placed: { count: { n: 1 } },\n"
	           "  \"*\": { count: { n: 1 } } }\nignore: [Paid, Closed]\n",
	      "p:5:3: '*' is never reached: every type is handled or ignored "
	      "by name\n");
	check("projection: p\ncatalog: [shop, bank]\nkey: k\n"
	      "on: { Paid: { count: { n: 1 } }, Opened: { count: { n: 1 } } }\n"
	      "ignore: [Placed, Closed]\n",
	      "p:4:7: 'Paid' is a type of two catalogs: write shop/Paid or "
	      "bank/Paid\n");
	check("projection: p\ncatalog: [shop, bank]\nkey: k\n"
	      "on: { shop/Paid: { add: { n: .sum } },\n"
	      "  bank/Paid: { add: { n: .sum } } }\n"
	      "ignore: [Placed, Closed]\n",
	      "p:4:1: type 'Opened' of catalog 'bank' is neither handled nor "
	      "ignored\n");
	check("projection: p\ncatalog: [shpo, bank]\nkey: k\n"
	      "on: { Paid: { count: { n: 1 } } }\n",
	      "p:2:11: no catalog 'shpo': did you mean 'shop'\n");
}

static void
test_paths(void)
{
	check_rule("set: { a: .order, b: $.meta.x, c: .extra.x.y, d: .shop }",
	           "");
	check_rule("set: { a: .ordre }",
	           "p:7:15: '.ordre' is no member of the payload of Placed: did "
	           "you mean 'order'\n");
	check_rule("set: { a: $.data.order, b: $.data.nope }",
	           "p:7:32: '$.data.nope' is no member of the payload of "
	           "Placed\n");
	check_rule("set: { a: .order.x }",
	           "p:7:15: '.order.x' is no member of the payload of Placed\n");
	check_rule("set: { a: { b: [\"{.nope}\"] } }",
	           "p:7:21: '.nope' is no member of the payload of Placed\n");
	check_rule("set: { \"a.{.nope}\": 1 }",
	           "p:7:12: '.nope' is no member of the payload of Placed\n");
	check_rule("{ each: .lines, set: { \"a.{$each.item}\": $each.size } }", "");
	check_rule("{ each: .lines, set: { a: $each.price } }",
	           "p:7:31: '$each.price' is never there: what it is part of "
	           "has no such member\n");
	check_rule("{ each: .order, count: { n: 1 } }",
	           "p:7:13: 'each' wants a list, '.order' of Placed can be a "
	           "text\n");
	check_rule("{ set: { a: $doc.b.c }, add: { b: .total } }",
	           "p:7:17: '$doc.b.c' is never there: what it is part of has "
	           "no such member\n");
	/* all that "*" catches have to have it; of `always` one is enough */
	check(HEAD "on: { \"*\": { set: { a: .order, b: .shop } } }\n",
	      "p:4:24: '.order' is no member of the payload of Closed\n");
	check(HEAD "always: { set: { a: .sum, b: .nope } }\n"
	           "on: { \"*\": { count: { n: 1 } } }\n",
	      "p:4:30: '.nope' is no member of the payload of Placed, Paid and "
	      "Closed\n");
}

static void
test_keys(void)
{
	check("projection: p\ncatalog: shop\nkey: \"{.order}\"\n"
	      "on: { \"*\": { count: { n: 1 } } }\n",
	      "p:3:6: '.order' is no member of the payload of Closed\n");
	check("projection: p\ncatalog: shop\nkey: [\"{.order}\", \"{.shop}\"]\n"
	      "on: { \"*\": { count: { n: 1 } } }\n", "");
	check("projection: p\ncatalog: shop\nkey: [\"{.order}\", \"{.sum}\"]\n"
	      "on: { \"*\": { count: { n: 1 } } }\n",
	      "p:3:6: no key can be filled for Closed\n");
	/* a rule's own key takes its place */
	check("projection: p\ncatalog: shop\nkey: \"{.order}\"\n"
	      "on: { Placed: { count: { n: 1 } },\n"
	      "  \"*\": { key: \"{.shop}\", count: { n: 1 } } }\n", "");
	check("projection: p\ncatalog: shop\nkey: \"{.tags}\"\n"
	      "on: { Placed: { count: { n: 1 } } }\nignore: [Paid, Closed]\n",
	      "p:3:6: '{}' wants a text or a number, '.tags' of Placed can be "
	      "a list\n");
}

static void
test_values(void)
{
	check_rule("add: { a: .total, b: .price, c: 1 }", "");
	check_rule("add: { a: .order, b: .gift }",
	           "p:7:15: 'add' wants a number, '.order' of Placed can be a "
	           "text\n"
	           "p:7:26: 'add' wants a number, '.gift' of Placed can be true "
	           "or false\n");
	check_rule("add: { a: .either }",
	           "p:7:15: 'add' wants a number, '.either' of Placed can be a "
	           "text\n");
	check_rule("add: { a: .extra.unknown }", "");
	check_rule("max: { a: .total, b: .order, c: $.timestamp }", "");
	check_rule("max: { a: .tags }",
	           "p:7:15: 'max' wants a number or a text, '.tags' of Placed "
	           "can be a list\n");
	check_rule("min: { a: .either }",
	           "p:7:15: 'min' compares numbers with numbers or texts with "
	           "texts, '.either' can be either\n");
	check_rule("min: { a: { value: .speed, order: [slow, fast] },"
	           " b: { value: $.priority, order: [info, action, urgent,"
	           " critical] } }", "");
	check_rule("min: { a: { value: .speed, order: [slow, fsat] } }",
	           "p:7:24: '.speed' can be 'fast', which is not in the order\n"
	           "p:7:24: 'fsat' is in the order, but '.speed' is never that: "
	           "it is slow or fast\n");
	check_rule("tally: { a: .tags, b: .total, c: .gift }", "");
	check_rule("tally: { a: .extra, b: .lines }",
	           "p:7:17: 'tally' wants a text, a number or a list of them, "
	           "'.extra' of Placed can be an object\n"
	           "p:7:28: 'tally' wants texts or numbers, an element of "
	           "'.lines' of Placed can be an object\n");
	check_rule("bucket: { a: { value: .order, bounds: [1] } }",
	           "p:7:27: 'bucket' wants a number, '.order' of Placed can be "
	           "a text\n");
	check_rule("append: { a: { value: { x: .order }, by: y } }",
	           "p:7:27: what is appended has no member 'y' to be sorted "
	           "by\n");
	check_rule("append: { a: { value: { x: .order }, by: x } }", "");
	check_rule("set: { a: \"{.order|agent}{.total|part}\","
	           " b: \"{$.timestamp|date}\" }", "");
	check_rule("set: { a: \"{.total|date}\", b: \"{.total|agent}\" }",
	           "p:7:15: 'date' wants a time, '.total' of Placed can be a "
	           "number\n"
	           "p:7:35: 'agent' wants a text, '.total' of Placed can be a "
	           "number\n");
}

static void
test_members(void)
{
	check_rule("[ { when: { .gift: true }, set: { a: .order } },"
	           " { count: { a: 1 } } ]",
	           "p:7:65: 'count' cannot work on 'a', which can be a text\n");
	check_rule("[ { when: { .gift: true }, set: { a: null, b: 0, c: [] } },"
	           " { count: { a: 1 }, add: { b: .total },"
	           " append: { c: .order } } ]", "");
	check_rule("[ { when: { .gift: true }, tally: { a: .speed } },"
	           " { count: { a.slow: 1 } } ]", "");
	check_rule("[ { when: { .gift: true }, append: { a: .speed } },"
	           " { count: { a.slow: 1 } } ]",
	           "p:7:42: 'append' cannot work on 'a', which can be an "
	           "object\n"
	           "p:7:68: 'count' cannot work on 'a', which can be a list\n");
	/* where a value comes from another member nothing is known of it */
	check_rule("[ { when: { .gift: true }, set: { a: $doc.b, b: .order } },"
	           " { count: { a: 1 } } ]", "");
}

static void
test_conditions(void)
{
	check_rule("[ { when: { .speed: slow }, set: { s: .speed } },"
	           " { when: { $doc.s: [slow, fast] }, count: { n: 1 } },"
	           " { when: { .total: { above: 5 }, $doc.n: { below: .total }"
	           " }, count: { n: 1 } } ]", "");
	check_rule("{ when: { .speed: [slow, fats] }, count: { n: 1 } }",
	           "p:7:30: '.speed' is never 'fats': it is slow or fast: did "
	           "you mean 'fast'\n");
	check_rule("{ when: { .speed: quick }, count: { n: 1 } }",
	           "p:7:15: this condition never holds, so that its rule is "
	           "never reached\n"
	           "p:7:23: '.speed' is never 'quick': it is slow or fast\n");
	check_rule("{ when: { .gift: 1 }, count: { n: 1 } }",
	           "p:7:15: this condition never holds, so that its rule is "
	           "never reached\n"
	           "p:7:22: '.gift' is never a number: it is true or false\n");
	check_rule("{ when: { .speed: { not: quick } }, count: { n: 1 } }",
	           "p:7:30: '.speed' is never 'quick': it is slow or fast\n");
	check_rule("{ when: { .order: { above: 5 } }, count: { n: 1 } }",
	           "p:7:15: '.order' can be a text, which does not compare with "
	           "a number: this rule is never reached\n");
	check_rule("{ when: { .order: { exists: false } }, count: { n: 1 } }",
	           "p:7:15: '.order' is always there: this rule is never "
	           "reached\n");
	check_rule("{ when: { .total: { exists: false } }, count: { n: 1 } }",
	           "");
	check_rule("{ when: { $.type: Paid }, count: { n: 1 } }",
	           "p:7:15: this condition never holds, so that its rule is "
	           "never reached\n"
	           "p:7:23: '$.type' is never 'Paid': it is Placed\n");
	check(HEAD "on: { \"*\": [ { when: { $.type: Paid, $.catalog: shop,\n"
	           "  $.priority: info }, count: { n: 1 } } ] }\n", "");
	check_rule("[ { when: { .speed: slow }, set: { s: open } },"
	           " { when: { $doc.s: opne }, count: { n: 1 } } ]",
	           "p:7:63: this condition never holds, so that its rule is "
	           "never reached\n"
	           "p:7:71: '$doc.s' is never 'opne': it is open: did you mean "
	           "'open'\n");
}

static void
test_covered_rules(void)
{
	check_rule("[ { when: { .speed: [slow, fast] }, count: { n: 1 } },"
	           " { when: { .speed: slow, .gift: true }, count: { n: 1 } } ]",
	           "p:7:60: this rule is never reached: one before it holds "
	           "whenever it does\n");
	check_rule("[ { when: { .speed: slow, .gift: true }, count: { n: 1 } },"
	           " { when: { .speed: slow }, count: { n: 1 } } ]", "");
	check_rule("[ { when: { .speed: { not: [slow] } }, count: { n: 1 } },"
	           " { when: { .speed: { not: [slow, fast] } },"
	           " count: { n: 1 } } ]",
	           "p:7:63: this rule is never reached: one before it holds "
	           "whenever it does\n");
	check_rule("[ { when: { .total: { above: 1 } }, count: { n: 1 } },"
	           " { when: { .total: { above: 2 } }, count: { n: 1 } } ]", "");
}

static void
test_notes(void)
{
	check(HEAD "notes: { key: \"{.order}\",\n"
	           "  on: { Placed: { set: { o: .order, s: .nope },\n"
	           "    add: { t: .order } }, Piad: { count: { n: 1 } } } }\n"
	           "on: { Placed: { set: { a: $note.o }, add: { b: $note.o } } }\n"
	           "ignore: [Paid, Closed]\n",
	      "p:5:40: '.nope' is no member of the payload of Placed\n"
	      "p:6:15: 'add' wants a number, '.order' of Placed can be a text\n"
	      "p:6:27: no catalog of this projection has a type 'Piad': did you "
	      "mean 'Paid'\n"
	      "p:7:48: 'add' wants a number, '$note.o' of Placed can be a "
	      "text\n");
}

static void
test_documents(void)
{
	check("projection: p\nfrom: orders\nkey: \"{.state}\"\n"
	      "on: { document: { count: { n: 1 }, add: { s: .sum, m: .mean },\n"
	      "  set: { k: $.key, x: .by.slow } } }\n", "");
	check("projection: p\nfrom: orders\nkey: \"{.sate}\"\n"
	      "on: { document: { add: { s: .order } } }\n",
	      "p:3:6: '.sate' is no member of the documents of 'orders': did "
	      "you mean 'state'\n"
	      "p:4:29: 'add' wants a number, '.order' can be a text\n");
	check("projection: p\nfrom: ordres\nkey: k\n"
	      "on: { document: { count: { n: 1 } } }\n",
	      "p:2:7: no projection 'ordres': did you mean 'orders'\n");
	check("projection: p\nfrom: one\nkey: k\n"
	      "on: { document: { count: { n: 1 } } }\n",
	      "p:2:7: 'from' leads round to 'one' again\n");
	check("projection: one\nfrom: two\nkey: k\n"
	      "on: { document: { count: { n: 1 } } }\n",
	      "p:2:7: 'from' leads round to 'one' again\n");
}

int
main(void)
{
	add_catalogs();
	test_types();
	test_paths();
	test_keys();
	test_values();
	test_members();
	test_conditions();
	test_covered_rules();
	test_notes();
	test_documents();
	ev_catalogs_release(&catalogs);
	return unit_end();
}
