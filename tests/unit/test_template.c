#include "domain/template.h"
#include "unit.h"

static struct ev_arena arena;

static const struct ev_template *
compile(const char *text)
{
	const struct ev_template *t = NULL;
	struct ev_err err = { "" };

	if (ev_template_compile(&t, &arena, ev_str(text), &err)) {
		printf("Bail out! %s\n", err.text);
		exit(2);
	}
	return t;
}

static void
check_fill(const char *template, const char *data, enum ev_status wanted,
           const char *text)
{
	const struct ev_template *t = compile(template);
	struct ev_buf out = { 0 };
	struct ev_err err = { "" };
	yyjson_doc *doc = NULL;
	enum ev_status status;
	char name[256];

	(void)ev_json_parse(&doc, ev_str(data), NULL, &err);
	ev_buf_add_str(&out, EV_STR("before "));
	status = ev_template_fill(t, yyjson_doc_get_root(doc), &out, &err);
	snprintf(name, sizeof name, "%s of %.150s", template, data);
	CHECK_NAMED(name, status == wanted);
	if (!status) {
		CHECK_STR_NAMED(name,
		                ((struct ev_str){ out.ptr + 7, out.len - 7 }),
		                ev_str(text));
	} else {
		CHECK_NAMED(name, strstr(err.text, text) != NULL);
		CHECK_STR_NAMED(name, ev_buf_str(&out), EV_STR("before "));
	}
	yyjson_doc_free(doc);
	ev_buf_release(&out);
}

static void
test_fill(void)
{
	const char *issue = "{\"repo\":\"acme/app\",\"issueNumber\":42}";

	check_fill("{repo}#{issueNumber}", issue, EV_OK, "acme/app#42");
	check_fill("portfolio", "{}", EV_OK, "portfolio");
	check_fill("", "{}", EV_OK, "");
	check_fill("a{repo}b", issue, EV_OK, "aacme/appb");
	check_fill("{repo}#{issueNumber}", "{\"repo\":\"a/b\"}", EV_NO,
	           "'issueNumber'");
	check_fill("{repo}", "{\"repo\":null}", EV_NO, "'repo'");
	check_fill("{repo}", "{\"repo\":\"\"}", EV_NO, "'repo'");
	check_fill("{repo}", "{\"repo\":[\"a\"]}", EV_NO, "'repo'");
	check_fill("{repo}", "{\"repo\":true}", EV_NO, "'repo'");
	check_fill("{n}", "{\"n\":42.0}", EV_OK, "42");
	check_fill("{n}", "{\"n\":4.2e1}", EV_OK, "42");
	check_fill("{n}", "{\"n\":1.5}", EV_OK, "1.5");
	check_fill("{n}", "{\"n\":\"42.0\"}", EV_OK, "42.0");
	check_fill("{data.host}", "{\"data\":{\"host\":\"h\"}}", EV_OK, "h");
	check_fill("{data.host}", "{\"data\":\"h\"}", EV_NO, "'data.host'");
	check_fill("{data.host}", "{\"data.host\":\"h\"}", EV_NO,
	           "'data.host'");
}

static void
test_filters(void)
{
	check_fill("{a|agent}", "{\"a\":\"dev-e/x7k2p\"}", EV_OK, "dev-e");
	check_fill("{a|agent}", "{\"a\":\"dev-e\"}", EV_OK, "dev-e");
	check_fill("{a|agent}", "{\"a\":\"/x\"}", EV_NO, "'a'");
	check_fill("{n|some}", "{\"n\":7}", EV_OK, "7");
	check_fill("{n|some}", "{\"n\":0}", EV_NO, "'n'");
	check_fill("{n|some}", "{\"n\":-0.0e5}", EV_NO, "'n'");
	check_fill("{n|some}", "{\"n\":\"0\"}", EV_OK, "0");
	check_fill("{r|segment}", "{\"r\":\"acme/app_1.x y\"}", EV_OK,
	           "acme_2Fapp_5F1_2Ex_20y");
	check_fill("{r|segment}", "{\"r\":\"\xc3\xa4\"}", EV_OK, "_C3_A4");
	check_fill("{r|segment}", "{\"r\":\"a\\u0000*>\"}", EV_OK,
	           "a_00_2A_3E");
	check_fill("{n|segment}", "{\"n\":42.0}", EV_OK, "42");
	check_fill("{n|segment}", "{\"n\":1.5}", EV_OK, "1_2E5");
	check_fill("{n|segment}", "{\"n\":1e+99}", EV_OK, "1e_2B99");
	check_fill("{p|strict}", "{\"p\":\"My-App_1\"}", EV_OK, "My-App_1");
	check_fill("{p|strict}", "{\"p\":\"my.app\"}", EV_BAD_INPUT,
	           "'my.app'");
	check_fill("{p|strict}", "{\"p\":\"\"}", EV_NO, "'p'");
	check_fill("{p|strict}", "{\"p\":\"\xc3\xa4\"}", EV_BAD_INPUT, "'p'");
}

/* Every two texts stay apart, and a segment can be read back. */
static void
test_segments(void)
{
	struct ev_buf seen[256] = { 0 };
	bool apart = true;

	for (int i = 1; i < 128; i++) {
		struct ev_buf data = { 0 };
		char text[2] = { (char)i, 0 };
		struct ev_err err;
		yyjson_doc *doc = NULL;

		ev_buf_add_str(&data, EV_STR("{\"r\":"));
		ev_json_write_string(&data, ev_str(text));
		ev_buf_add_char(&data, '}');
		(void)ev_json_parse(&doc, ev_buf_str(&data), NULL, &err);
		(void)ev_template_fill(compile("{r|segment}"),
		                       yyjson_doc_get_root(doc), &seen[i],
		                       &err);
		apart &= seen[i].len == 1
		                 ? seen[i].ptr[0] == i && i != '_'
		                 : seen[i].len == 3 && seen[i].ptr[0] == '_';
		for (int k = 1; k < i; k++)
			apart &= !ev_str_equal(ev_buf_str(&seen[i]),
			                       ev_buf_str(&seen[k]));
		yyjson_doc_free(doc);
		ev_buf_release(&data);
	}
	CHECK_NAMED("segments of different bytes differ", apart);
	for (int i = 0; i < 256; i++)
		ev_buf_release(&seen[i]);
}

static void
check_bad(const char *text, const char *wanted)
{
	const struct ev_template *t = NULL;
	struct ev_err err = { "" };

	CHECK_NAMED(text, ev_template_compile(&t, &arena, ev_str(text),
	                                      &err) == EV_BAD_INPUT && !t);
	if (!CHECK_NAMED(text, strstr(err.text, wanted) != NULL))
		printf("# found %s\n", err.text);
}

static void
test_bad(void)
{
	check_bad("{", "without '}'");
	check_bad("a}b", "without '{'");
	check_bad("{a", "without '}'");
	check_bad("{a{b}}", "without '}'");
	check_bad("{}", "names no member");
	check_bad("{|agent}", "names no member");
	check_bad("{a.}", "names no member");
	check_bad("{.a}", "names no member");
	check_bad("{a..b}", "names no member");
	check_bad("{a|upper}", "unknown filter 'upper'");
	check_bad("{a|}", "unknown filter ''");
}

static void
take(void *context, struct ev_str member, struct ev_str value)
{
	ev_buf_printf(context, "%.*s=%.*s;", EV_FMT(member), EV_FMT(value));
}

static void
check_match(const char *template, const char *text, const char *wanted)
{
	struct ev_buf taken = { 0 };
	bool fits = ev_template_match(compile(template), ev_str(text), take,
	                              &taken);
	char name[256];

	snprintf(name, sizeof name, "%s %s %s", text,
	         wanted ? "fits" : "does not fit", template);
	CHECK_NAMED(name, fits == (wanted != NULL));
	CHECK_STR_NAMED(name, ev_buf_str(&taken),
	                ev_str(wanted ? wanted : ""));
	ev_buf_release(&taken);
}

static void
test_match(void)
{
	check_match("{repo}#{issueNumber|some}", "acme/app#42",
	            "repo=acme/app;issueNumber=42;");
	check_match("{repo}#{n}", "a#b#7", "repo=a#b;n=7;");
	check_match("{repo}#{n}", "acme/app", NULL);
	check_match("{repo}#{n}", "#7", NULL);
	check_match("{repo}#{n}", "a#", NULL);
	check_match("{repo}#{n}", "", NULL);
	check_match("temporal/{w}/{r}", "temporal/a/b/c", "w=a/b;r=c;");
	check_match("temporal/{w}/{r}", "temporal/a", NULL);
	check_match("temporal/{w}/{r}", "x/a/b", NULL);
	check_match("{a|agent}", "dev-e-1", "a=dev-e-1;");
	check_match("{a|agent}", "acme/app#42", NULL);
	check_match("portfolio", "portfolio", "");
	check_match("portfolio", "portfolios", NULL);
	check_match("x{a}y", "xoney", "a=one;");
	check_match("x{a}y", "xy", NULL);
	check_match("x{a}x", "x", NULL);
	check_match("{a}{b}", "ab", NULL);
	check_match("a.{r|segment}.{p|strict}", "a.b.c", "");
	check_match("{d.h}-{x}", "a-b", "x=b;");
}

static void
test_topics(void)
{
	CHECK(ev_template_is_topic(compile("rig.ci.{repo|segment}.failed")));
	CHECK(ev_template_is_topic(compile("a-b_c.D9")));
	CHECK(ev_template_is_topic(compile("x{a|strict}y.{b|segment}")));
	CHECK(!ev_template_is_topic(compile("rig.{repo}.failed")));
	CHECK(!ev_template_is_topic(compile("rig.{repo|agent}.failed")));
	CHECK(!ev_template_is_topic(compile("rig..failed")));
	CHECK(!ev_template_is_topic(compile(".rig")));
	CHECK(!ev_template_is_topic(compile("rig.")));
	CHECK(!ev_template_is_topic(compile("rig.{a|strict}.")));
	CHECK(!ev_template_is_topic(compile("{a|strict}..x")));
	CHECK(!ev_template_is_topic(compile("rig.a b")));
	CHECK(!ev_template_is_topic(compile("rig.*")));
	CHECK(!ev_template_is_topic(compile("")));
}

static void
test_members(void)
{
	const struct ev_template *t = compile("{a}/{b.c|agent}");

	CHECK_STR(ev_template_member(t, 0), "a");
	CHECK_STR(ev_template_member(t, 1), "b.c");
	CHECK(!ev_template_member(t, 2).ptr);
}

int
main(void)
{
	test_fill();
	test_filters();
	test_segments();
	test_bad();
	test_match();
	test_topics();
	test_members();
	ev_arena_release(&arena);
	return unit_end();
}
