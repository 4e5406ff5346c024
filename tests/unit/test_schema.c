/*
 * What suite_schema.c cannot see: messages, what is asked about the top level,
 * and that nothing takes quadratic time.
 */
#include "domain/schema.h"
#include "unit.h"

static struct ev_arena arena;

static yyjson_doc *
parse(struct ev_str text)
{
	yyjson_doc *doc = NULL;
	struct ev_err err;

	if (ev_json_parse(&doc, text, NULL, &err)) {
		printf("Bail out! %.*s: %s\n", EV_FMT(text), err.text);
		exit(2);
	}
	return doc;
}

static void
check_message(const char *schema, const char *value, const char *wanted)
{
	yyjson_doc *source = parse(ev_str(schema)), *doc = parse(ev_str(value));
	const struct ev_schema *s =
		ev_schema_compile(&arena, yyjson_doc_get_root(source));
	struct ev_err err = { "" };
	enum ev_status status;

	status = ev_schema_validate(s, yyjson_doc_get_root(doc), &err);
	CHECK_NAMED(value, status == (*wanted ? EV_BAD_INPUT : EV_OK));
	CHECK_STR_NAMED(value, ev_str(err.text), ev_str(wanted));
	yyjson_doc_free(source);
	yyjson_doc_free(doc);
}

static void
test_messages(void)
{
	check_message("{\"type\":\"object\"}", "[]",
	              "expected object, found array");
	check_message("{\"properties\":{\"a\":{\"type\":\"integer\"}}}",
	              "{\"a\":1.5}",
	              "'a': expected integer, found number 1.5");
	check_message("{\"properties\":{\"a\":{\"type\":[\"string\",\"null\","
	              "\"integer\"]}}}", "{\"a\":{}}",
	              "'a': expected null, string or integer, found object");
	check_message("{\"required\":[\"a\",\"b\"]}", "{\"a\":1}",
	              "'b': required, but missing");
	check_message("{\"properties\":{\"f\":{\"items\":{\"type\":\"string\"}"
	              "}}}", "{\"f\":[\"a\",\"b\",7]}",
	              "'f[2]': expected string, found number 7");
	check_message("{\"properties\":{\"a\":{\"properties\":{\"b\":{"
	              "\"items\":{\"required\":[\"c\"]}}}}}}",
	              "{\"a\":{\"b\":[{\"c\":1},{}]}}",
	              "'a.b[1].c': required, but missing");
	check_message("{\"properties\":{\"p\":{\"enum\":[\"low\",\"high\",1]}}"
	              "}", "{\"p\":\"hihg\"}",
	              "'p': expected one of \"low\", \"high\", 1, found "
	              "\"hihg\"");
	check_message("{\"const\":{\"a\":1}}", "2",
	              "expected {\"a\":1}, found 2");
	check_message("{\"additionalProperties\":false}", "{\"x\":1}",
	              "'x': not allowed here");
	check_message("{\"minimum\":1}", "0.5",
	              "expected at least 1, found 0.5");
	check_message("{\"maximum\":1}", "2", "expected at most 1, found 2");
	check_message("{\"exclusiveMinimum\":1}", "1",
	              "expected more than 1, found 1");
	check_message("{\"exclusiveMaximum\":1}", "1",
	              "expected less than 1, found 1");
	check_message("{\"minLength\":2}", "\"\xc3\xa4\"",
	              "expected at least 2 characters, found 1");
	check_message("{\"maxItems\":1}", "[1,2]",
	              "expected at most 1 items, found 2");
	check_message("{\"uniqueItems\":true}", "[1,2,1.0]",
	              "items 0 and 2 are the same");
	check_message("{\"format\":\"decimal\"}", "\"much\"",
	              "expected a decimal number, found 'much'");
	check_message("{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
	              "with 'a' there must be 'b'");
	check_message("{\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"null\"},"
	              "{\"type\":\"string\"}]}}}", "{\"a\":1}",
	              "'a': fits none of the 2 schemas of 'anyOf'");
	check_message("{\"anyOf\":[{\"required\":[\"a\"]}]}", "{}",
	              "'a': required, but missing");
	check_message("{\"oneOf\":[true,true,false]}", "1",
	              "fits 2 of the 3 schemas of 'oneOf', not exactly one");
	check_message("{\"not\":{}}", "1", "fits the schema of 'not'");
	check_message("{\"properties\":{\"a\":true}}", "{\"a\":1}", "");
}

/* A message never holds the whole of a huge value. */
static void
test_long_messages(void)
{
	struct ev_buf value = { 0 };
	yyjson_doc *source = parse(EV_STR("{\"enum\":[\"a\"]}")), *doc;
	const struct ev_schema *s =
		ev_schema_compile(&arena, yyjson_doc_get_root(source));
	struct ev_err err = { "" };

	ev_buf_add_char(&value, '"');
	for (int i = 0; i < 100000; i++)
		ev_buf_add_str(&value, EV_STR("\xc3\xa4"));
	ev_buf_add_char(&value, '"');
	doc = parse(ev_buf_str(&value));
	CHECK(ev_schema_validate(s, yyjson_doc_get_root(doc), &err));
	CHECK(strlen(err.text) < 200);
	CHECK((unsigned char)err.text[strlen(err.text) - 1] == 0xa4);
	yyjson_doc_free(doc);
	yyjson_doc_free(source);
	ev_buf_release(&value);
}

static void
check_pointer(const char *schema, const char *value, const char *wanted)
{
	yyjson_doc *source = parse(ev_str(schema)), *doc = parse(ev_str(value));
	const struct ev_schema *s =
		ev_schema_compile(&arena, yyjson_doc_get_root(source));
	struct ev_err with = { "" }, without = { "" };
	struct ev_buf pointer = { 0 };
	enum ev_status status;

	status = ev_schema_validate_at(s, yyjson_doc_get_root(doc), &pointer,
	                               &with);
	CHECK_NAMED(value, status ==
	            ev_schema_validate(s, yyjson_doc_get_root(doc), &without));
	CHECK_STR_NAMED(value, ev_str(with.text), ev_str(without.text));
	CHECK_STR_NAMED(value, ev_buf_str(&pointer), ev_str(wanted));
	ev_buf_release(&pointer);
	yyjson_doc_free(source);
	yyjson_doc_free(doc);
}

static void
test_pointers(void)
{
	check_pointer("{\"type\":\"object\"}", "{}", "");
	check_pointer("{\"type\":\"object\"}", "[]", "");
	check_pointer("{\"required\":[\"a\"]}", "{}", "/a");
	check_pointer("{\"items\":{\"type\":\"string\"}}", "[\"a\",7]", "/1");
	check_pointer("{\"properties\":{\"a/b\":{\"properties\":{\"~\":{"
	              "\"items\":{\"required\":[\"\"]}}}}}}",
	              "{\"a/b\":{\"~\":[{\"\":1},{}]}}", "/a~1b/~0/1/");
	/* what is tried and does not fit is no failure yet */
	check_pointer("{\"anyOf\":[{\"required\":[\"a\"]},"
	              "{\"required\":[\"b\"]}]}", "{\"b\":1}", "");
	check_pointer("{\"properties\":{\"x\":{\"anyOf\":[{\"required\":"
	              "[\"a\"]}]}}}", "{\"x\":{}}", "/x/a");
}

static void
test_pointer_names(void)
{
	struct ev_str pointer = EV_STR("/a~1b//~0~01x");
	struct ev_buf name = { 0 };

	CHECK_STR(ev_json_read_pointer(&pointer, &name), "a/b");
	CHECK_STR(ev_json_read_pointer(&pointer, &name), "");
	CHECK_STR(pointer, "/~0~01x");
	CHECK_STR(ev_json_read_pointer(&pointer, &name), "~~1x");
	CHECK(!pointer.len);
	CHECK(!ev_json_read_pointer(&pointer, &name).ptr);
	ev_buf_release(&name);
}

static bool
validates(const struct ev_schema *schema, const char *value)
{
	yyjson_doc *doc = parse(ev_str(value));
	struct ev_err err;
	bool fits = !ev_schema_validate(schema, yyjson_doc_get_root(doc), &err);

	yyjson_doc_free(doc);
	return fits;
}

static void
test_top_level(void)
{
	yyjson_doc *source = parse(EV_STR(
		"{\"properties\":{\"title\":{\"type\":\"string\"},"
		"\"priority\":{\"default\":\"normal\"},\"n\":{\"type\":"
		"[\"integer\",\"null\"],\"default\":3},\"any\":true},"
		"\"required\":[\"title\",\"repo\"]}"));
	yyjson_doc *more = parse(EV_STR(
		"{\"properties\":{\"repo\":{\"type\":\"string\"},"
		"\"title\":{\"type\":\"null\"}},\"required\":[\"id\"]}"));
	const struct ev_schema *s = ev_schema_compile_onto(
		&arena, yyjson_doc_get_root(more), yyjson_doc_get_root(source));
	struct ev_str name;
	yyjson_val *value;

	CHECK(ev_schema_knows(s, EV_STR("title")));
	CHECK(ev_schema_knows(s, EV_STR("any")));
	CHECK(ev_schema_knows(s, EV_STR("repo")));
	CHECK(!ev_schema_knows(s, EV_STR("id")));
	CHECK(!ev_schema_knows(s, EV_STR("titl")));
	CHECK(ev_schema_requires(s, EV_STR("title")));
	CHECK(ev_schema_requires(s, EV_STR("repo")));
	CHECK(ev_schema_requires(s, EV_STR("id")));
	CHECK(!ev_schema_requires(s, EV_STR("priority")));
	CHECK(!ev_schema_requires(s, EV_STR("nothing")));
	CHECK(ev_schema_default(s, 0, &name, &value));
	CHECK_STR(name, "priority");
	CHECK_STR(ev_json_text(value), "normal");
	CHECK(ev_schema_default(s, 1, &name, &value));
	CHECK_STR(name, "n");
	CHECK(!ev_schema_default(s, 2, &name, &value));

	/* of two descriptions of one member the type's own counts */
	CHECK(!validates(s, "{\"title\":null,\"repo\":\"r\",\"id\":1}"));
	CHECK(validates(s, "{\"title\":\"t\",\"repo\":\"r\",\"id\":1}"));
	CHECK(!validates(s, "{\"title\":\"t\",\"repo\":7,\"id\":1}"));
	CHECK(!validates(s, "{\"title\":\"t\",\"repo\":\"r\"}"));
	s = ev_schema_compile(&arena, yyjson_doc_get_root(source));
	CHECK(!ev_schema_knows(s, EV_STR("repo")));
	CHECK(!validates(s, "{\"title\":\"t\"}"));
	CHECK(validates(s, "{\"title\":\"t\",\"repo\":7}"));
	yyjson_doc_free(source);
	yyjson_doc_free(more);
}

/* More required members than fit into one word, more properties than are
   searched one by one. */
static void
test_many_members(void)
{
	struct ev_buf schema = { 0 }, value = { 0 };
	yyjson_doc *source, *doc;
	const struct ev_schema *s;
	struct ev_err err = { "" };

	ev_buf_add_str(&schema, EV_STR("{\"required\":["));
	for (int i = 0; i < 200; i++)
		ev_buf_printf(&schema, "%s\"m%d\"", i ? "," : "", i);
	ev_buf_add_str(&schema, EV_STR("]}"));
	source = parse(ev_buf_str(&schema));
	s = ev_schema_compile(&arena, yyjson_doc_get_root(source));
	for (int lost = -1; lost < 200; lost += 67) {
		char wanted[64] = "";

		ev_buf_reset(&value);
		for (int i = 199; i >= 0; i--)
			if (i != lost)
				ev_buf_printf(&value, "%s\"m%d\":%d",
				              value.len ? "," : "{", i, i);
		ev_buf_add_char(&value, '}');
		doc = parse(ev_buf_str(&value));
		err.text[0] = '\0';
		(void)ev_schema_validate(s, yyjson_doc_get_root(doc), &err);
		if (lost >= 0)
			snprintf(wanted, sizeof wanted,
			         "'m%d': required, but missing", lost);
		CHECK_STR(ev_str(err.text), wanted);
		yyjson_doc_free(doc);
	}
	yyjson_doc_free(source);
	ev_buf_release(&schema);
	ev_buf_release(&value);
}

/* A million items: quadratic time would take hours. */
static void
test_large_arrays(void)
{
	yyjson_doc *source = parse(EV_STR("{\"uniqueItems\":true}")), *doc;
	const struct ev_schema *s =
		ev_schema_compile(&arena, yyjson_doc_get_root(source));
	struct ev_buf value = { 0 };
	struct ev_err err;

	for (int i = 0; i < 300000; i++)
		ev_buf_printf(&value, "%c%d", i ? ',' : '[', i);
	ev_buf_add_char(&value, ']');
	doc = parse(ev_buf_str(&value));
	CHECK(!ev_schema_validate(s, yyjson_doc_get_root(doc), &err));
	yyjson_doc_free(doc);
	value.len--;
	ev_buf_add_str(&value, EV_STR(",5.0]"));
	doc = parse(ev_buf_str(&value));
	CHECK(ev_schema_validate(s, yyjson_doc_get_root(doc), &err));
	CHECK_STR(ev_str(err.text), "items 5 and 300000 are the same");
	yyjson_doc_free(doc);
	yyjson_doc_free(source);
	ev_buf_release(&value);
}

struct reports {
	struct ev_buf text;
	yyjson_val *root;
};

static void
collect(void *context, yyjson_val *where, const char *message)
{
	struct reports *r = context;

	ev_buf_printf(&r->text, "%td: %s\n", where - r->root, message);
}

static void
test_check(void)
{
	yyjson_doc *doc = parse(EV_STR(
		"{\"type\":\"strin\",\"properties\":{\"a\":{\"pattern\":\"x\","
		"\"minLength\":-1}},\"required\":[\"a\",\"a\"]}"));
	struct reports r = { .root = yyjson_doc_get_root(doc) };
	size_t count = ev_schema_check(r.root, collect, &r);

	CHECK(count == 4);
	CHECK_STR(ev_buf_str(&r.text),
	          "2: unknown type 'strin': use null, boolean, string, number, "
	          "integer, array or object\n"
	          "7: schema keyword 'pattern' is outside the subset of "
	          "ev-catalog(5)\n"
	          "10: 'minLength' is an integer from 0 on\n"
	          "14: 'required' lists 'a' twice\n");
	ev_buf_release(&r.text);
	yyjson_doc_free(doc);
}

int
main(void)
{
	test_messages();
	test_pointers();
	test_pointer_names();
	test_long_messages();
	test_top_level();
	test_many_members();
	test_large_arrays();
	test_check();
	ev_arena_release(&arena);
	return unit_end();
}
