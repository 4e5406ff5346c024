#include "domain/catalog.h"
#include "unit.h"

/* A catalog with one type T whose steps from version 1 to 2 are `steps`. */
static struct ev_catalog *
make_catalog(const char *steps)
{
	struct ev_problems problems = { 0 };
	struct ev_catalog *catalog = NULL;
	struct ev_buf yaml = { 0 };

	ev_buf_printf(&yaml, "catalog: c\nstream: s\ntypes:\n  T:\n"
	                     "    version: 2\n    upcast: { 1: %s }\n", steps);
	if (ev_catalog_parse(&catalog, "f", ev_buf_str(&yaml), &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		exit(2);
	}
	ev_buf_release(&yaml);
	return catalog;
}

static void
check_upcast(const char *steps, const char *data, enum ev_status wanted,
             const char *text)
{
	struct ev_catalog *c = make_catalog(steps);
	struct ev_buf out = { 0 };
	struct ev_err err = { "" };
	yyjson_doc *doc = NULL;
	enum ev_status status;
	char name[256];

	(void)ev_json_parse(&doc, ev_str(data), NULL, &err);
	ev_buf_add_str(&out, EV_STR("> "));
	status = ev_type_upcast(ev_catalog_type(c, 0), 1,
	                        yyjson_doc_get_root(doc), &out, &err);
	snprintf(name, sizeof name, "%.100s of %.100s", steps, data);
	CHECK_NAMED(name, status == wanted);
	if (!status) {
		CHECK_STR_NAMED(name,
		                ((struct ev_str){ out.ptr + 2, out.len - 2 }),
		                ev_str(text));
	} else {
		CHECK_STR_NAMED(name, ev_str(err.text), ev_str(text));
		CHECK(out.len == 2);
	}
	yyjson_doc_free(doc);
	ev_buf_release(&out);
	ev_catalog_free(c);
}

static void
test_rename(void)
{
	check_upcast("[rename: {a: b}]", "{\"x\":1,\"a\":12.10,\"y\":2}",
	             EV_OK, "{\"x\":1,\"b\":12.10,\"y\":2}");
	check_upcast("[rename: {a: b}]", "{\"x\":1}", EV_OK, "{\"x\":1}");
	check_upcast("[rename: {a: b}]", "{\"a\":null}", EV_OK,
	             "{\"b\":null}");
	check_upcast("[rename: {a: b, c: d}]", "{\"c\":1,\"a\":2}", EV_OK,
	             "{\"d\":1,\"b\":2}");
	check_upcast("[rename: {a: t}, rename: {b: a}, rename: {t: b}]",
	             "{\"a\":1,\"b\":2}", EV_OK, "{\"b\":1,\"a\":2}");
	check_upcast("[rename: {o.a: b}]", "{\"o\":{\"a\":1},\"a\":2}", EV_OK,
	             "{\"o\":{\"b\":1},\"a\":2}");
	check_upcast("[rename: {a: b}]", "{\"a\":1,\"a\":2}", EV_OK,
	             "{\"b\":1,\"b\":2}");
	check_upcast("[rename: {a: b}]", "{\"a\":1,\"b\":2}", EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: rename 'a': the new "
	             "name is taken");
}

static void
test_default(void)
{
	check_upcast("[default: {a: 1.50}]", "{}", EV_OK, "{\"a\":1.50}");
	check_upcast("[default: {a: {b: [x]}}]", "{\"z\":0}", EV_OK,
	             "{\"z\":0,\"a\":{\"b\":[\"x\"]}}");
	check_upcast("[default: {a: 1}]", "{\"a\":null}", EV_OK,
	             "{\"a\":null}");
	check_upcast("[default: {o.p.a: 1}]", "{\"o\":{\"q\":2}}", EV_OK,
	             "{\"o\":{\"q\":2,\"p\":{\"a\":1}}}");
	check_upcast("[default: {o.a: 1}]", "{\"o\":7}", EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: default 'o.a': a "
	             "member on the way is no object");
}

static void
test_drop(void)
{
	check_upcast("[drop: [a, b]]", "{\"a\":1,\"x\":2,\"b\":3}", EV_OK,
	             "{\"x\":2}");
	check_upcast("[drop: [a]]", "{\"a\":1}", EV_OK, "{}");
	check_upcast("[drop: [a]]", "{}", EV_OK, "{}");
	check_upcast("[drop: [o.a]]", "{\"o\":{\"a\":1},\"a\":2}", EV_OK,
	             "{\"o\":{},\"a\":2}");
	check_upcast("[drop: [o.a]]", "{\"o\":[1]}", EV_OK, "{\"o\":[1]}");
	check_upcast("[drop: [a]]", "{\"a\":1,\"b\":0,\"a\":2}", EV_OK,
	             "{\"b\":0}");
}

static void
test_move(void)
{
	check_upcast("[move: {a.b: c}]", "{\"a\":{\"b\":[1e5]}}", EV_OK,
	             "{\"a\":{},\"c\":[1e5]}");
	check_upcast("[move: {a: b.c.d}]", "{\"a\":1}", EV_OK,
	             "{\"b\":{\"c\":{\"d\":1}}}");
	check_upcast("[move: {a: a.b}]", "{\"a\":1}", EV_OK,
	             "{\"a\":{\"b\":1}}");
	check_upcast("[move: {a: b}]", "{\"x\":1}", EV_OK, "{\"x\":1}");
	check_upcast("[move: {a: b}]", "{\"a\":1,\"b\":2}", EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: move 'a': something is "
	             "already at its new place");
	check_upcast("[move: {a: b.c}]", "{\"a\":1,\"b\":2}", EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: move 'b.c': a member "
	             "on the way is no object");
}

static void
test_convert(void)
{
	check_upcast("[convert: {a: string}]", "{\"a\":12.10}", EV_OK,
	             "{\"a\":\"12.10\"}");
	check_upcast("[convert: {a: string}]", "{\"a\":true}", EV_OK,
	             "{\"a\":\"true\"}");
	check_upcast("[convert: {a: string}]", "{\"a\":\"x\\n\"}", EV_OK,
	             "{\"a\":\"x\\n\"}");
	check_upcast("[convert: {a: number}]", "{\"a\":\"12.10\"}", EV_OK,
	             "{\"a\":12.10}");
	check_upcast("[convert: {a: number}]", "{\"a\":\"1e400\"}", EV_OK,
	             "{\"a\":1e400}");
	check_upcast("[convert: {a: number}]", "{\"a\":false}", EV_OK,
	             "{\"a\":0}");
	check_upcast("[convert: {a: integer}]", "{\"a\":42.0}", EV_OK,
	             "{\"a\":42}");
	check_upcast("[convert: {a: integer}]", "{\"a\":\"4.2e1\"}", EV_OK,
	             "{\"a\":42}");
	check_upcast("[convert: {a: boolean}]", "{\"a\":\"true\"}", EV_OK,
	             "{\"a\":true}");
	check_upcast("[convert: {a: boolean}]", "{\"a\":0}", EV_OK,
	             "{\"a\":false}");
	check_upcast("[convert: {a: boolean}]", "{\"a\":false}", EV_OK,
	             "{\"a\":false}");
	check_upcast("[convert: {a: number}]", "{\"a\":null}", EV_OK,
	             "{\"a\":null}");
	check_upcast("[convert: {a: number}]", "{\"b\":1}", EV_OK,
	             "{\"b\":1}");
	check_upcast("[convert: {o.a: number}]",
	             "{\"o\":{\"a\":\"1\",\"b\":2}}", EV_OK,
	             "{\"o\":{\"a\":1,\"b\":2}}");
	check_upcast("[convert: {a: number}]", "{\"a\":\"twelve\"}",
	             EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: convert 'a': this value "
	             "has no such form");
	check_upcast("[convert: {a: integer}]", "{\"a\":1.5}", EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: convert 'a': this value "
	             "has no such form");
	check_upcast("[convert: {a: boolean}]", "{\"a\":\"yes\"}",
	             EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: convert 'a': this value "
	             "has no such form");
	check_upcast("[convert: {a: string}]", "{\"a\":[]}", EV_BAD_INPUT,
	             "cannot upcast 'T' from version 1: convert 'a': this value "
	             "has no such form");
}

static void
test_versions(void)
{
	static const char yaml[] =
		"catalog: c\nstream: s\ntypes:\n  T:\n    version: 4\n"
		"    upcast:\n"
		"      1: [rename: {a: b}]\n"
		"      2: [convert: {b: string}, default: {c: x}]\n"
		"      3: [move: {b: d.b}, drop: [old]]\n";
	static const char *const wanted[] = {
		NULL,
		"{\"c\":\"x\",\"d\":{\"b\":\"1\"}}",
		"{\"a\":1,\"c\":\"x\"}",
		"{\"a\":1}",
		"{\"a\":1,\"old\":0}",
	};
	struct ev_problems problems = { 0 };
	struct ev_catalog *c = NULL;
	yyjson_doc *doc = NULL;
	struct ev_err err = { "" };

	CHECK(!ev_catalog_parse(&c, "f", ev_str(yaml), &problems));
	CHECK(!ev_json_parse(&doc, EV_STR("{\"a\":1,\"old\":0}"), NULL, &err));
	for (int from = 0; c && from <= 5; from++) {
		struct ev_buf out = { 0 };
		enum ev_status status =
			ev_type_upcast(ev_catalog_type(c, 0), from,
		                       yyjson_doc_get_root(doc), &out, &err);

		if (from < 1 || from > 4) {
			CHECK(status == EV_BAD_INPUT);
			CHECK(strstr(err.text, "versions 1 to 4") != NULL);
		} else {
			CHECK(status == EV_OK);
			CHECK_STR(ev_buf_str(&out), wanted[from]);
		}
		ev_buf_release(&out);
	}
	yyjson_doc_free(doc);
	ev_catalog_free(c);
}

int
main(void)
{
	test_rename();
	test_default();
	test_drop();
	test_move();
	test_convert();
	test_versions();
	return unit_end();
}
