#include "domain/yaml.h"
#include "unit.h"

struct found {
	struct ev_buf problems;
	struct ev_buf json;
	struct ev_buf places;
};

static void
collect(void *context, struct ev_place place, const char *message)
{
	struct found *found = context;

	ev_buf_printf(&found->problems, "%zu:%zu: %s\n", place.line,
	              place.column, message);
}

static struct found
read_yaml(struct ev_str text)
{
	struct ev_arena arena = { 0 };
	struct found found = { .json = { 0 } };
	const struct ev_yaml *tree;

	tree = ev_yaml_parse(&arena, text, collect, &found);
	if (tree)
		ev_yaml_write_json(&found.json, tree, &found.places);
	ev_arena_release(&arena);
	return found;
}

static void
release(struct found *found)
{
	ev_buf_release(&found->problems);
	ev_buf_release(&found->json);
	ev_buf_release(&found->places);
}

static void
check_json(const char *yaml, const char *json)
{
	struct found found = read_yaml(ev_str(yaml));

	CHECK_STR_NAMED(yaml, ev_buf_str(&found.problems), EV_STR(""));
	CHECK_STR_NAMED(yaml, ev_buf_str(&found.json), ev_str(json));
	release(&found);
}

/* `wanted` is what the problems begin with. */
static void
check_refused(const char *yaml, const char *wanted)
{
	struct found found = read_yaml(ev_str(yaml));

	CHECK_NAMED(yaml, !found.json.len);
	if (!CHECK_NAMED(yaml, ev_str_starts(ev_buf_str(&found.problems),
	                                     ev_str(wanted))))
		printf("# wanted %s\n# found  %.*s\n", wanted,
		       EV_FMT(ev_buf_str(&found.problems)));
	release(&found);
}

static void
test_scalars(void)
{
	check_json("[true, True, TRUE, false, False, FALSE]",
	           "[true,true,true,false,false,false]");
	check_json("[null, Null, NULL, ~, ]", "[null,null,null,null]");
	check_json("{a: , b: ~}", "{\"a\":null,\"b\":null}");
	check_json("[yes, no, on, off, y, n, Yes, NO]",
	           "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\",\"Yes\","
	           "\"NO\"]");
	check_json("[0, -1, 42, 12.10, 1e400, 1E-5, -0.0]",
	           "[0,-1,42,12.10,1e400,1E-5,-0.0]");
	check_json("[9007199254740993, 123456789012345678901234567890]",
	           "[9007199254740993,123456789012345678901234567890]");
	check_json("[1.2.3, 1_000, 0o9, 0xg, 1e, e5, '-', '.', +, 12:30:45]",
	           "[\"1.2.3\",\"1_000\",\"0o9\",\"0xg\",\"1e\",\"e5\",\"-\","
	           "\".\",\"+\",\"12:30:45\"]");
	check_json("['12', \"true\", 'null', !!str 7, ! 8]",
	           "[\"12\",\"true\",\"null\",\"7\",\"8\"]");
	check_json("2026-04-21", "\"2026-04-21\"");
	check_json("{1: a, true: b, null: c, ~: d}",
	           "{\"1\":\"a\",\"true\":\"b\",\"null\":\"c\",\"~\":\"d\"}");
	check_json("a: |\n  one\n  two\nb: >-\n  three\n  four\n",
	           "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}");
	check_json("\"a\\0b\\x01\\u00e4\"", "\"a\\u0000b\\u0001\xc3\xa4\"");
	check_json("\xef\xbb\xbf{a: 1}", "{\"a\":1}");
	check_json("--- {a: 1}\n...\n", "{\"a\":1}");
}

static void
test_numbers_refused(void)
{
	static const char *const numbers[] = {
		"012", "+5", ".5", "5.", "0x1F", "0o17", "-012", ".inf",
		"-.Inf", ".nan", "+.5e3", "1.e5",
	};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char yaml[64], wanted[128];

		snprintf(yaml, sizeof yaml, "a: %s", numbers[i]);
		snprintf(wanted, sizeof wanted,
		         "1:4: '%s' is a number that JSON cannot write",
		         numbers[i]);
		check_refused(yaml, wanted);
	}
}

static void
test_structure(void)
{
	check_json("a:\n- 1\n- {b: [], c: {}}\nd: x\n",
	           "{\"a\":[1,{\"b\":[],\"c\":{}}],\"d\":\"x\"}");
	check_json("# a comment\n[a, b] # another\n", "[\"a\",\"b\"]");
	check_refused("", "1:1: the file is empty");
	check_refused("# only a comment\n", "1:1: the file is empty");
	check_refused("a: 1\n---\nb: 2\n", "2:1: a second document");
	check_refused("a: 1\nb: 2\n a: 3\n", "3:");
	check_refused("a: [1, 2\nb: 3\n", "");
	check_refused("a: \"x\n", "");
	check_refused("a:\n\t- b\n", "2:1: ");
	check_refused("a: *b\n", "1:4: there is no anchor '&b' before this");
	check_refused("[a, b]: c", "1:1: a member's name must be a plain");
	check_refused("? {a: b}\n: c", "1:3: a member's name must be a plain");
	check_refused("{? : c}", "1:4: a member without a name");
	check_refused("a: !!int 5", "1:4: tag 'tag:yaml.org,2002:int'");
	check_refused("a: !mine {}", "1:4: tag '!mine'");
	check_refused("a: !!omap []", "1:4: tag 'tag:yaml.org,2002:omap'");
}

static void
test_bytes_refused(void)
{
	struct found found = read_yaml(EV_STR("a: 1\nb: \xc3\xa4\xff\n"));

	CHECK(ev_str_starts(ev_buf_str(&found.problems), EV_STR("2:5: ")));
	release(&found);
	found = read_yaml(EV_STR("a: b\0c\n"));
	CHECK(ev_str_starts(ev_buf_str(&found.problems), EV_STR("1:5: ")));
	release(&found);
}

static void
test_duplicates(void)
{
	check_refused("a: 1\nb: 2\na: 3\n",
	              "3:1: 'a' is here again, first in line 1\n");
	check_refused("a: 1\n'a': 3\n", "2:1: 'a' is here again");
	check_refused("1: a\n\"1\": b\n", "2:1: '1' is here again");
	check_refused("x: {a: 1, b: 2, a: 3, a: 4}\n",
	              "1:17: 'a' is here again, first in line 1\n"
	              "1:23: 'a' is here again, first in line 1\n");
	check_refused("<<: {a: 1}\n", "1:1: merge keys");
	check_json("'<<': 1", "{\"<<\":1}");
	check_json("a: <<", "{\"a\":\"<<\"}");
}

static void
test_aliases(void)
{
	check_json("a: &x [1, {b: 2}]\nc: *x\nd: [*x, *x]\n",
	           "{\"a\":[1,{\"b\":2}],\"c\":[1,{\"b\":2}],"
	           "\"d\":[[1,{\"b\":2}],[1,{\"b\":2}]]}");
	check_json("a: &x one\nb: *x\nc: &x two\nd: *x\n",
	           "{\"a\":\"one\",\"b\":\"one\",\"c\":\"two\",\"d\":\"two\"}");
	check_json("- &x 12\n- *x\n- &y\n- *y\n", "[12,12,null,null]");
	check_refused("a: &x [1, *x]\n", "1:11: '*x' stands inside");
	check_refused("a: &x {b: {c: *x}}\n", "1:15: '*x' stands inside");
	check_refused("&x [*x]\n", "1:5: '*x' stands inside");
}

static void
test_bombs(void)
{
	struct ev_buf yaml = { 0 };
	struct found found;

	/* a billion laughs */
	ev_buf_add_str(&yaml, EV_STR("a0: &a0 [lol,lol,lol,lol,lol]\n"));
	for (int i = 1; i < 40; i++)
		ev_buf_printf(&yaml, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d]\n", i, i,
		              i - 1, i - 1, i - 1, i - 1);
	found = read_yaml(ev_buf_str(&yaml));
	CHECK(!found.json.len);
	CHECK(strstr(found.problems.ptr, "aliases expanded more than") != NULL);
	release(&found);

	/* the same in depth */
	ev_buf_reset(&yaml);
	ev_buf_add_str(&yaml, EV_STR("a0: &a0 []\n"));
	for (int i = 1; i < 200; i++)
		ev_buf_printf(&yaml, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	found = read_yaml(ev_buf_str(&yaml));
	CHECK(!found.json.len);
	CHECK(strstr(found.problems.ptr, "nested deeper than 100") != NULL);
	release(&found);

	ev_buf_reset(&yaml);
	for (int i = 0; i < 100000; i++)
		ev_buf_add_char(&yaml, '[');
	found = read_yaml(ev_buf_str(&yaml));
	CHECK(strstr(found.problems.ptr, "1:101: nested deeper") != NULL);
	release(&found);

	ev_buf_reset(&yaml);
	for (int i = 0; i < 1100; i++)
		ev_buf_printf(&yaml, "- &a%d x\n", i);
	found = read_yaml(ev_buf_str(&yaml));
	CHECK(strstr(found.problems.ptr, "1001:3: more than 1000 anchors") !=
	      NULL);
	release(&found);

	ev_buf_reset(&yaml);
	while (yaml.len <= EV_YAML_SIZE_MAX)
		ev_buf_add_str(&yaml, EV_STR("# comment\n"));
	found = read_yaml(ev_buf_str(&yaml));
	CHECK(strstr(found.problems.ptr, "1:1: longer than") != NULL);
	release(&found);
	ev_buf_release(&yaml);
}

static void
test_places(void)
{
	struct found found = read_yaml(EV_STR(
		"a: &x\n  - \xc3\xa4: 1\n    b: [two]\n\nc: *x\n"));
	static const struct ev_place wanted[] = {
		/* {  "a"        [         {         "ä"       1 */
		{ 1, 1 }, { 1, 1 }, { 1, 4 }, { 2, 5 }, { 2, 5 }, { 2, 8 },
		/* "b" [     two       */
		{ 3, 5 }, { 3, 8 }, { 3, 9 },
		/* "c" *x   and what it stands for, where that is */
		{ 5, 1 }, { 5, 4 }, { 2, 5 }, { 2, 5 }, { 2, 8 },
		{ 3, 5 }, { 3, 8 }, { 3, 9 },
	};
	const struct ev_place *places = (void *)found.places.ptr;

	CHECK(found.places.len == sizeof wanted);
	for (size_t i = 0; found.places.len == sizeof wanted &&
	                   i < sizeof wanted / sizeof *wanted; i++) {
		char name[64];

		snprintf(name, sizeof name, "value %zu is at %zu:%zu", i,
		         wanted[i].line, wanted[i].column);
		if (!CHECK_NAMED(name, places[i].line == wanted[i].line &&
		                        places[i].column == wanted[i].column))
			printf("# found %zu:%zu\n", places[i].line,
			       places[i].column);
	}
	release(&found);
}

int
main(void)
{
	test_scalars();
	test_numbers_refused();
	test_structure();
	test_bytes_refused();
	test_duplicates();
	test_aliases();
	test_bombs();
	test_places();
	return unit_end();
}
