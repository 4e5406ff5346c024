/* What paths find in schemas. */
#include "domain/schema_look.h"
#include "unit.h"

static struct ev_arena arena;

static yyjson_doc *
parse(const char *text)
{
	yyjson_doc *doc = NULL;
	struct ev_err err;

	if (ev_json_parse(&doc, ev_str(text), NULL, &err)) {
		printf("Bail out! %s: %s\n", text, err.text);
		exit(2);
	}
	return doc;
}

/* "a.b[]": [] is an element. */
static size_t
split(const char *path, struct ev_str *names)
{
	size_t count = 0;

	while (*path) {
		size_t len = strcspn(path, ".[");

		if (len)
			names[count++] = (struct ev_str){ path, len };
		path += len;
		if (*path == '[') {
			names[count++] = EV_LOOK_ELEMENT;
			path += 2;
		}
		path += *path == '.';
	}
	return count;
}

/* "number decimal text:a,b !" and so on; ! is always; "" is not there. */
static void
format(struct ev_buf *out, const struct ev_look *look)
{
	static const char *const names[] = { "null", "boolean", "number",
		                             "decimal", "text", "list",
		                             "object" };

	if (look->types == EV_LOOK_ANY)
		ev_buf_add_str(out, EV_STR("any "));
	for (unsigned i = 0; look->types != EV_LOOK_ANY && i < 7; i++)
		if (look->types & 1U << i)
			ev_buf_printf(out, "%s ", names[i]);
	for (size_t i = 0; look->closed && i < look->text_count; i++)
		ev_buf_printf(out, "%s%.*s", i ? "," : ":",
		              EV_FMT(look->texts[i]));
	if (look->always)
		ev_buf_add_char(out, '!');
	while (out->len && out->ptr[out->len - 1] == ' ')
		out->len--;
}

static void
check(const char *schema, const char *path, const char *wanted)
{
	yyjson_doc *doc = parse(schema);
	const struct ev_schema *s =
		ev_schema_compile(&arena, yyjson_doc_get_root(doc));
	struct ev_str names[16];
	size_t count = split(path, names);
	struct ev_buf found = { 0 };
	struct ev_look look = { .types = 0 };

	if (ev_schema_look(&arena, s, names, count, &look))
		format(&found, &look);
	CHECK_STR_NAMED(schema, ev_buf_str(&found), ev_str(wanted));
	ev_buf_release(&found);
	yyjson_doc_free(doc);
}

static void
test_members(void)
{
	static const char schema[] =
		"{\"required\":[\"n\",\"only\"],\"properties\":{"
		"\"n\":{\"type\":\"integer\"},"
		"\"s\":{\"type\":[\"string\",\"null\"]},"
		"\"d\":{\"type\":[\"number\",\"string\"],"
		"\"format\":\"decimal\"},"
		"\"open\":true,\"shut\":false,"
		"\"o\":{\"type\":\"object\",\"required\":[\"x\"],"
		"\"properties\":{\"x\":{\"type\":\"boolean\"}}},"
		"\"map\":{\"additionalProperties\":{\"type\":\"number\"}},"
		"\"l\":{\"items\":{\"properties\":{"
		"\"y\":{\"type\":\"string\"}}}}}}";

	check(schema, "n", "number !");
	check(schema, "s", "null decimal text");
	check(schema, "d", "number decimal");
	check(schema, "none", "");
	check(schema, "only", "any !");
	check(schema, "open", "any");
	check(schema, "open.below", "any");
	check(schema, "shut", "");
	check(schema, "o.x", "boolean");
	check(schema, "o.z", "");
	check(schema, "n.z", "");
	check(schema, "map.any", "number");
	check(schema, "map.any.z", "");
	check(schema, "l[].y", "decimal text");
	check(schema, "l[].z", "");
	check(schema, "n[]", "");
	check("true", "a.b", "any");
	check("{\"type\":\"object\"}", "a.b", "any");
	check("{\"type\":\"array\"}", "a", "");
	check("{\"properties\":{\"a\":true},\"additionalProperties\":true}",
	      "b", "");
}

static void
test_values(void)
{
	check("{\"enum\":[\"a\",\"b\",null]}", "", "null text :a,b");
	check("{\"const\":\"a\"}", "", "text :a");
	check("{\"enum\":[\"1\",2]}", "", "number decimal :1");
	check("{\"anyOf\":[{\"enum\":[\"a\"]},{\"enum\":[\"b\",\"a\"]}]}", "",
	      "text :a,b");
	check("{\"anyOf\":[{\"enum\":[\"a\"]},{\"type\":\"null\"}]}", "",
	      "null text :a");
	check("{\"anyOf\":[{\"enum\":[\"a\"]},{\"type\":\"string\"}]}", "",
	      "decimal text");
	check("{\"allOf\":[{\"enum\":[\"a\",\"b\"]},{\"enum\":[\"b\",\"c\"]}]}",
	      "", "text :b");
	check("{\"type\":\"string\",\"enum\":[\"a\",1]}", "", "text :a");
	check("{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"string\"}]}", "",
	      "number decimal text");
}

static void
test_branches(void)
{
	/* each describes it: one of them */
	check("{\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"number\"}}},"
	      "{\"properties\":{\"a\":{\"type\":\"null\"}}}]}", "a",
	      "null number");
	/* only some do */
	check("{\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"number\"}}},"
	      "{\"required\":[\"b\"]}]}", "a", "number");
	check("{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}],"
	      "\"properties\":{\"c\":{\"type\":\"number\"}}}", "c", "number");
	check("{\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"null\"}}},true],"
	      "\"properties\":{\"a\":{\"type\":\"number\"}}}", "a", "number");
	check("{\"allOf\":[{\"properties\":{\"a\":{\"type\":\"number\"}}},"
	      "{\"required\":[\"a\"]}]}", "a", "number !");
	check("{\"if\":{\"required\":[\"a\"]},\"then\":{\"properties\":{"
	      "\"b\":{\"type\":\"number\"}}},\"properties\":{\"a\":true}}",
	      "b", "number");
	check("{\"dependentSchemas\":{\"a\":{\"properties\":{\"b\":{"
	      "\"type\":\"null\"}}}},\"properties\":{\"a\":true}}", "b",
	      "null");
	check("{\"dependentSchemas\":{\"a\":{\"properties\":{\"b\":{"
	      "\"type\":\"null\"}}}},\"properties\":{\"a\":true}}", "c", "");
	/* elements of a list that begins differently */
	check("{\"prefixItems\":[{\"type\":\"number\"}],"
	      "\"items\":{\"type\":\"boolean\"}}", "[]", "boolean number");
	check("{\"prefixItems\":[{\"type\":\"number\"}],\"items\":false}", "[]",
	      "number");
}

static void
test_names(void)
{
	yyjson_doc *doc = parse("{\"properties\":{\"a\":{\"properties\":{"
	                        "\"b\":true,\"c\":true}}}}");
	const struct ev_schema *s =
		ev_schema_compile(&arena, yyjson_doc_get_root(doc));
	struct ev_str names[] = { EV_STR("a"), EV_STR("x") };

	CHECK_STR(ev_schema_member(s, names, 0, 0), "a");
	CHECK(!ev_schema_member(s, names, 0, 1).ptr);
	CHECK_STR(ev_schema_member(s, names, 1, 1), "c");
	CHECK(!ev_schema_member(s, names, 1, 2).ptr);
	CHECK(!ev_schema_member(s, names, 2, 0).ptr);
	yyjson_doc_free(doc);
}

int
main(void)
{
	test_members();
	test_values();
	test_branches();
	test_names();
	ev_arena_release(&arena);
	return unit_end();
}
