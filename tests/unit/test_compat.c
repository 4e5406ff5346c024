#include "domain/catalog.h"
#include "unit.h"

static struct ev_catalog *
parse(struct ev_str yaml)
{
	struct ev_problems problems = { 0 };
	struct ev_catalog *catalog = NULL;

	if (ev_catalog_parse(&catalog, "f", yaml, &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		exit(2);
	}
	return catalog;
}

static void
check_catalogs(const char *from, const char *to, const char *wanted)
{
	struct ev_catalog *old = parse(ev_str(from)), *new = parse(ev_str(to));
	struct ev_buf report = { 0 };
	size_t breaking = ev_catalog_compare(old, new, &report), lines = 0;
	char name[512];

	snprintf(name, sizeof name, "%.240s -> %.240s", from, to);
	CHECK_STR_NAMED(name, ev_buf_str(&report), ev_str(wanted));
	for (const char *at = wanted; (at = strstr(at, "breaking: ")); at++)
		lines++;
	CHECK_NAMED(name, breaking == lines);
	ev_buf_release(&report);
	ev_catalog_free(old);
	ev_catalog_free(new);
}

/* Two schemas of one type; the words "breaking: T: " are written here as !,
   "compatible: T: " as +. */
static void
check_schemas(const char *from, const char *to, const char *wanted)
{
	struct ev_buf old = { 0 }, new = { 0 }, report = { 0 };
	const char *head = "catalog: c\nstream: s\ntypes: { T: { payload: ";

	ev_buf_printf(&old, "%s%s } }\n%c", head, from, 0);
	ev_buf_printf(&new, "%s%s } }\n%c", head, to, 0);
	for (; *wanted; wanted++)
		if (*wanted == '!')
			ev_buf_add_str(&report, EV_STR("breaking: T: "));
		else if (*wanted == '+')
			ev_buf_add_str(&report, EV_STR("compatible: T: "));
		else
			ev_buf_add_char(&report, *wanted);
	ev_buf_add_char(&report, '\0');
	check_catalogs(old.ptr, new.ptr, report.ptr);
	ev_buf_release(&old);
	ev_buf_release(&new);
	ev_buf_release(&report);
}

static void
check_property(const char *from, const char *to, const char *wanted)
{
	struct ev_buf old = { 0 }, new = { 0 };

	ev_buf_printf(&old, "{ properties: { a: %s } }%c", from, 0);
	ev_buf_printf(&new, "{ properties: { a: %s } }%c", to, 0);
	check_schemas(old.ptr, new.ptr, wanted);
	ev_buf_release(&old);
	ev_buf_release(&new);
}

static void
test_types(void)
{
	check_property("{type: string}", "{type: string, title: t}", "");
	check_property("{type: string}", "{type: [string, \"null\"]}",
	               "+'a' can be null now\n");
	check_property("{type: [string, \"null\"]}", "{type: string}",
	               "!'a' cannot be null any more\n");
	check_property("{type: integer}", "{type: number}",
	               "+'a' can be number now\n");
	check_property("{type: number}", "{type: integer}",
	               "!'a' cannot be number any more\n");
	check_property("true", "false", "!'a' is not allowed any more\n");
	check_property("false", "{type: string}", "");
	check_property("{type: string}", "true", "");
}

static void
test_values(void)
{
	check_property("{enum: [x, y]}", "{enum: [y, z, x]}",
	               "+'a' takes more values\n");
	check_property("{enum: [x, y]}", "{enum: [y]}",
	               "!'a' cannot be \"x\" any more\n");
	check_property("{enum: [x, 1]}", "{type: string}",
	               "!'a' cannot be 1 any more\n+'a' takes more values\n");
	check_property("{const: x}", "{enum: [x, y]}",
	               "+'a' takes more values\n");
	check_property("{enum: [x, y]}", "{const: x}",
	               "!'a' cannot be \"y\" any more\n");
	check_property("{type: string}", "{type: string, enum: [x]}",
	               "!'a' takes certain values only\n");
}

static void
test_bounds(void)
{
	check_property("{type: integer, minimum: 1}",
	               "{type: integer, minimum: 0}",
	               "+'a': 'minimum' refuses less\n");
	check_property("{type: integer, minimum: 0}",
	               "{type: integer, minimum: 1}",
	               "!'a': 'minimum' of 1 refuses more\n");
	check_property("{type: integer, maximum: 10.0}",
	               "{type: integer, maximum: 10}", "");
	check_property("{type: integer, maximum: 10}",
	               "{type: integer, maximum: 1e1000}",
	               "+'a': 'maximum' refuses less\n");
	check_property("{type: integer}", "{type: integer, maximum: 5}",
	               "!'a': 'maximum' of 5 refuses more\n");
	check_property("{type: string}", "{type: string, minimum: 5}", "");
	check_property("{maxLength: 5}", "{}",
	               "+'a': 'maxLength' refuses less\n");
	check_property("{minItems: 1}", "{minItems: 2}",
	               "!'a': 'minItems' of 2 refuses more\n");
}

static void
test_members(void)
{
	check_schemas("{properties: {a: {}}}",
	              "{properties: {a: {}}, required: [a]}",
	              "!'a' is required now\n");
	check_schemas("{properties: {a: {}}, required: [a]}",
	              "{properties: {a: {}}}",
	              "+'a' is not required any more\n");
	check_schemas("{properties: {a: {default: 1}}}",
	              "{properties: {a: {default: 1}}, required: [a]}",
	              "+'a' is required now\n");
	check_schemas("{}", "{properties: {a: {type: string}}}",
	              "+'a' is new\n");
	check_schemas("{properties: {a: {type: string}}}", "{}",
	              "+'a' is not described any more\n");
	check_schemas("{properties: {a: {}}}", "{additionalProperties: false}",
	              "!'a' is not allowed any more\n"
	              "!'*' is not allowed any more\n");
	check_schemas("{additionalProperties: false}", "{}", "");
	check_property("{default: 1}", "{default: 2}",
	               "!'a' has another default\n");
	check_property("{default: 1}", "{}", "!'a' has no default\n");
	check_property("{}", "{default: 1}", "+'a' has a default\n");
	check_property("{properties: {b: {type: string}}, required: [b]}",
	               "{properties: {b: {type: integer}}, required: [b, c]}",
	               "!'a.c' is required now\n"
	               "!'a.b' cannot be string any more\n"
	               "+'a.b' can be integer now\n");
}

static void
test_items(void)
{
	check_property("{items: {type: string}}", "{items: {type: integer}}",
	               "!'a[]' cannot be string any more\n"
	               "+'a[]' can be integer now\n");
	check_property("{prefixItems: [{type: string}], items: {type: number}}",
	               "{prefixItems: [{type: \"null\"}], items: {type: number"
	               "}}",
	               "+'a[0]' can be null now\n"
	               "!'a[0]' cannot be string any more\n");
	check_property("{}", "{uniqueItems: true}",
	               "!'a': 'uniqueItems' is different and may refuse more\n");
	check_property("{uniqueItems: true}", "{}",
	               "+'a': 'uniqueItems' is gone\n");
}

static void
test_logic(void)
{
	check_property("{allOf: [{minimum: 1}]}",
	               "{allOf: [{minimum: 1}, {maximum: 5}]}",
	               "!'a': 'allOf' asks for more\n");
	check_property("{allOf: [{minimum: 1}, {maximum: 5}]}",
	               "{allOf: [{maximum: 5}]}", "");
	check_property("{anyOf: [{minimum: 1}]}",
	               "{anyOf: [{maximum: 5}, {minimum: 1}]}", "");
	check_property("{anyOf: [{minimum: 1}, {maximum: 5}]}",
	               "{anyOf: [{minimum: 1}]}", "!'a': 'anyOf' offers less\n");
	check_property("{}", "{anyOf: [{minimum: 1}]}",
	               "!'a': 'anyOf' was not there\n");
	check_property("{not: {type: string}}", "{not: {type: number}}",
	               "!'a': 'not' is different and may refuse more\n");
	check_property("{not: {type: string}}", "{}", "+'a': 'not' is gone\n");
	check_property("{type: string}", "{type: string, format: date}", "");
	check_property("{type: string}", "{type: string, format: decimal}",
	               "!'a': a string has to be a decimal number\n");
}

static void
test_catalogs(void)
{
	check_catalogs("catalog: a\nstream: s\ntypes: { T: , U: }\n",
	               "catalog: b\nstream: s\ntypes: { T: , V: }\n",
	               "breaking: the catalog is 'b', was 'a'\n"
	               "breaking: type 'U' is gone\n"
	               "compatible: type 'V' is new\n");
	check_catalogs("catalog: a\nstream: s\ntypes: { T: { stream: s } }\n",
	               "catalog: a\nstream: s\ntypes: { T: }\n", "");
	check_catalogs("catalog: a\nstream: s\ncategory: x\ntopic: a.b\n"
	               "types: { T: }\n",
	               "catalog: a\nstream: t\ncategory: y\ntopic: a.c\n"
	               "priority: urgent\nsummary: s\n"
	               "types: { T: { summary: t } }\n",
	               "breaking: T: events go to another stream\n"
	               "breaking: T: events have another topic\n"
	               "breaking: T: the category is another\n"
	               "compatible: T: the default priority is another\n"
	               "compatible: T: the summary is another\n");
	check_catalogs("catalog: a\nstream: s\npayload: { properties: { x: {},"
	               " y: {}, z: {} } }\n"
	               "types: { T: { aliases: { p: x, q: y } } }\n",
	               "catalog: a\nstream: s\npayload: { properties: { x: {},"
	               " y: {}, z: {} } }\n"
	               "types: { T: { aliases: { q: z, r: y } } }\n",
	               "breaking: T: alias 'p' is gone or leads elsewhere\n"
	               "breaking: T: alias 'q' is gone or leads elsewhere\n"
	               "compatible: T: alias 'r' is new\n");
	/* what all types share counts for each */
	check_catalogs("catalog: a\nstream: s\npayload: { properties: { x: {} }"
	               " }\ntypes: { T: { payload: { required: [x] } } }\n",
	               "catalog: a\nstream: s\npayload: { properties: { x: {} }"
	               ", required: [x] }\ntypes: { T: }\n", "");
}

static void
test_natives(void)
{
	const char *plain = "catalog: a\nstream: s\ntypes: { T: }\n";
	const char *native = "catalog: a\nstream: s\ntypes: { T: }\n"
	                     "native: { when: [k], envelope: { k: type } }\n";
	const char *other = "catalog: a\nstream: s\ntypes: { T: }\n"
	                    "native: { when: [m], envelope: { k: type } }\n";

	check_catalogs(plain, native, "compatible: 'native' is new\n");
	check_catalogs(native, plain, "breaking: 'native' is gone\n");
	check_catalogs(native, other,
	               "breaking: 'when' of 'native' is different\n");
}

static void
test_versions(void)
{
	const char *one = "catalog: a\nstream: s\ntypes:\n"
	                  "  T: { payload: { required: [x] } }\n";
	const char *two = "catalog: a\nstream: s\ntypes:\n"
	                  "  T: { version: 2, upcast: { 1: [rename: {x: y}] }, "
	                  "payload: { required: [y] } }\n";
	const char *changed =
		"catalog: a\nstream: s\ntypes:\n"
		"  T: { version: 2, upcast: { 1: [drop: [x]] }, "
		"payload: { required: [y] } }\n";

	check_catalogs(one, two, "compatible: T: version 2 follows 1, older "
	                         "payloads are upcast\n");
	check_catalogs(two, one,
	               "breaking: T: the upcast from version 1 is different\n"
	               "breaking: T: version 1 came before 2\n");
	check_catalogs(two, changed,
	               "breaking: T: the upcast from version 1 is different\n");
}

int
main(void)
{
	test_types();
	test_values();
	test_bounds();
	test_members();
	test_items();
	test_logic();
	test_catalogs();
	test_natives();
	test_versions();
	return unit_end();
}
