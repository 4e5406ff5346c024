/* The cases come from the file that is given, else from tests/fixtures. */
#include "domain/json.h"
#include "unit.h"

static void
check_text(const char *name, struct ev_str text, struct ev_str wanted)
{
	struct ev_buf out = { 0 };
	yyjson_doc *doc = NULL;
	struct ev_err err = { "" };

	if (!CHECK_NAMED(name, !ev_json_parse(&doc, text, NULL, &err))) {
		printf("# %s\n", err.text);
		return;
	}
	ev_json_write(&out, yyjson_doc_get_root(doc));
	CHECK_STR_NAMED(name, ev_buf_str(&out), wanted);
	ev_buf_release(&out);
	yyjson_doc_free(doc);
}

static void
check_round_trip(const char *text)
{
	check_text(text, ev_str(text), ev_str(text));
}

static void
check_refused(const char *name, struct ev_str text, const char *wanted)
{
	yyjson_doc *doc = NULL;
	struct ev_err err = { "" };
	enum ev_status status = ev_json_parse(&doc, text, NULL, &err);

	CHECK_NAMED(name, status == EV_BAD_INPUT && !doc);
	if (!CHECK_NAMED(name, ev_str_starts(ev_str(err.text), ev_str(wanted))))
		printf("# wanted %s\n# found %s\n", wanted, err.text);
}

static void
test_write(void)
{
	check_round_trip("{}");
	check_round_trip("[]");
	check_round_trip("null");
	check_round_trip("\"\"");
	check_round_trip("{\"a\":1,\"a\":2,\"b\":[true,false,null,{},[]]}");
	check_round_trip("[0,-0,12.10,1e400,1E+5,9007199254740993,-0.0]");
	check_round_trip("[123456789012345678901234567890.000000000000000001]");
	check_round_trip("\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"");
	check_round_trip("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check_text("white space goes", EV_STR(" { \"a\" :\t[ 1 ,\r\n 2 ] } "),
	           EV_STR("{\"a\":[1,2]}"));
	check_text("the shortest escapes",
	           EV_STR("\"\\u0041\\/\\u00e4\\ud83d\\ude00\\u000A\\u001F\""),
	           EV_STR("\"A/\xc3\xa4\xf0\x9f\x98\x80\\n\\u001f\""));
	check_text("escapes in a member's name", EV_STR("{\"a\\u0022\":1}"),
	           EV_STR("{\"a\\\"\":1}"));
}

/* The writer works in steps of eight bytes: try each place in them. */
static void
test_write_places(void)
{
	static const char specials[] = { '"', '\\', '\n', 0, 0x1f, 0x20, 0x7f,
		                         '!', '#', '[', ']' };

	for (size_t len = 0; len < 40; len++) {
		bool fine = true;

		for (size_t at = 0; at < len; at++)
			for (size_t s = 0; s < sizeof specials; s++) {
				char text[40];
				struct ev_buf out = { 0 };
				yyjson_doc *doc = NULL;
				struct ev_err err;
				struct ev_str back;

				memset(text, 'x', sizeof text);
				text[at] = specials[s];
				ev_json_write_string(
					&out, (struct ev_str){ text, len });
				fine &= !ev_json_parse(&doc, ev_buf_str(&out),
				                       NULL, &err);
				back = ev_json_text(yyjson_doc_get_root(doc));
				fine &= ev_str_equal(
					back, (struct ev_str){ text, len });
				yyjson_doc_free(doc);
				ev_buf_release(&out);
			}
		CHECK_NAMED("special bytes at every place come back", fine);
	}
}

static void
test_write_long(void)
{
	struct ev_buf text = { 0 }, out = { 0 };
	yyjson_doc *doc = NULL;
	struct ev_err err;

	for (int i = 0; i < 100000; i++)
		ev_buf_add_char(&text, i % 3 ? '\x01' : 'a');
	ev_json_write_string(&out, ev_buf_str(&text));
	CHECK(out.len == 2 + 33334 + 66666 * 6);
	CHECK(!ev_json_parse(&doc, ev_buf_str(&out), NULL, &err));
	CHECK(ev_str_equal(ev_json_text(yyjson_doc_get_root(doc)),
	                   ev_buf_str(&text)));
	yyjson_doc_free(doc);
	ev_buf_release(&text);
	ev_buf_release(&out);
}

static void
nest(struct ev_buf *text, int levels)
{
	ev_buf_reset(text);
	for (int i = 0; i < levels; i++)
		ev_buf_add_char(text, '[');
	for (int i = 0; i < levels; i++)
		ev_buf_add_char(text, ']');
}

static void
test_limits(void)
{
	struct ev_buf text = { 0 };
	yyjson_doc *doc = NULL;
	struct ev_err err;

	nest(&text, EV_JSON_DEPTH_MAX);
	check_text("as deep as it may be", ev_buf_str(&text),
	           ev_buf_str(&text));
	nest(&text, EV_JSON_DEPTH_MAX + 1);
	check_refused("too deep", ev_buf_str(&text), "column 129: ");
	ev_buf_reset(&text);
	ev_buf_add_str(&text, EV_STR("{\"[[\\\"{\":["));
	for (int i = 0; i < 300; i++)
		ev_buf_add_str(&text, EV_STR("[\"{\\\\\"],"));
	ev_buf_add_str(&text, EV_STR("0]}"));
	check_text("brackets in texts are not deep", ev_buf_str(&text),
	           ev_buf_str(&text));

	ev_buf_reset(&text);
	ev_buf_add_char(&text, '"');
	while (text.len < 2 * EV_JSON_SIZE_MAX)
		ev_buf_add_char(&text, 'x');
	ev_buf_add_char(&text, '"');
	CHECK(!ev_json_parse(&doc, ev_buf_str(&text), NULL, &err));
	yyjson_doc_free(doc);
	ev_buf_release(&text);
}

static void
test_refused(void)
{
	check_refused("nothing", EV_STR(""), "column 1: ");
	check_refused("white space only", EV_STR("   "), "column ");
	check_refused("a trailing comma", EV_STR("[1,]"), "column ");
	check_refused("a second value", EV_STR("{} {}"), "column 4: ");
	check_refused("a comment", EV_STR("[1,/* */2]"), "column 4: ");
	check_refused("a raw newline in a text", EV_STR("[\"a\nb\"]"),
	              "column 4: ");
	check_refused("a NUL", EV_STR("[1\0]"), "column 3: ");
	check_refused("a leading zero", EV_STR("[012]"), "column ");
	check_refused("a word", EV_STR("[nope]"), "column 2: ");
	check_refused("a lone surrogate", EV_STR("[\"\\ud800\"]"), "column ");
	check_refused("bad UTF-8", EV_STR("[\"ab\xff\"]"), "column 5: ");
	check_refused("a byte order mark", EV_STR("\xef\xbb\xbf{}"),
	              "column 1: ");
}

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

static void
check_equal(const char *a, const char *b, bool wanted)
{
	yyjson_doc *left = parse(a), *right = parse(b);
	yyjson_val *x = yyjson_doc_get_root(left);
	yyjson_val *y = yyjson_doc_get_root(right);
	char name[256];

	snprintf(name, sizeof name, "%.100s %s %.100s", a,
	         wanted ? "equals" : "differs from", b);
	CHECK_NAMED(name, ev_json_equal(x, y) == wanted &&
	                          ev_json_equal(y, x) == wanted);
	if (wanted)
		CHECK_NAMED(name, ev_json_hash(x) == ev_json_hash(y));
	yyjson_doc_free(left);
	yyjson_doc_free(right);
}

static void
test_equal(void)
{
	check_equal("1", "1.0", true);
	check_equal("[1,2]", "[1.0,20e-1]", true);
	check_equal("[1,2]", "[2,1]", false);
	check_equal("{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1.0}", true);
	check_equal("{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", false);
	check_equal("{\"a\":1}", "{\"a\":1,\"b\":2}", false);
	check_equal("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}", true);
	check_equal("{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", false);
	check_equal("0", "false", false);
	check_equal("null", "false", false);
	check_equal("\"1\"", "1", false);
	check_equal("[]", "{}", false);
	check_equal("[[]]", "[]", false);
	check_equal("\"a\\u0000b\"", "\"a\\u0000c\"", false);
	check_equal("9007199254740992", "9007199254740993", false);
}

/* Quadratic time would take minutes here. */
static void
test_equal_large(void)
{
	struct ev_buf a = { 0 }, b = { 0 };
	yyjson_doc *left, *right;

	for (int i = 0; i < 100000; i++) {
		ev_buf_printf(&a, "%c\"k%d\":%d", i ? ',' : '{', i, i);
		ev_buf_printf(&b, "%c\"k%d\":%d", i ? ',' : '{', 99999 - i,
		              99999 - i);
	}
	ev_buf_add(&a, "}", 2);
	ev_buf_add(&b, "}", 2);
	left = parse(a.ptr);
	right = parse(b.ptr);
	CHECK(ev_json_equal(yyjson_doc_get_root(left),
	                    yyjson_doc_get_root(right)));
	CHECK(ev_json_hash(yyjson_doc_get_root(left)) ==
	      ev_json_hash(yyjson_doc_get_root(right)));
	yyjson_doc_free(left);
	yyjson_doc_free(right);
	ev_buf_release(&a);
	ev_buf_release(&b);
}

static void
test_names(void)
{
	yyjson_doc *doc = parse("[{},[],\"\",0,true,null]");
	static const char *const names[] = { "object", "array",   "string",
		                             "number", "boolean", "null" };

	for (size_t i = 0; i < 6; i++) {
		yyjson_val *value =
			yyjson_arr_get(yyjson_doc_get_root(doc), i);

		CHECK_STR(ev_str(ev_json_type_name(value)), names[i]);
	}
	CHECK_STR(ev_json_text(yyjson_arr_get(yyjson_doc_get_root(doc), 3)),
	          "0");
	CHECK(!ev_json_text(yyjson_arr_get(yyjson_doc_get_root(doc), 4)).ptr);
	yyjson_doc_free(doc);
}

/* ---- the public cases: name, verdict, repetitions, escaped bytes */

static struct ev_str
cut(struct ev_str *line, char separator)
{
	const char *at = line->len ? memchr(line->ptr, separator, line->len)
	                           : NULL;
	struct ev_str field = *line;

	if (at)
		field.len = (size_t)(at - line->ptr);
	line->ptr += field.len + (at != NULL);
	line->len -= field.len + (at != NULL);
	return field;
}

static void
unescape(struct ev_buf *out, struct ev_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char hex[3] = { 0 };

		if (text.ptr[i] != '\\' || i + 1 == text.len) {
			ev_buf_add_char(out, text.ptr[i]);
		} else if (text.ptr[++i] != 'x') {
			ev_buf_add_char(out, text.ptr[i]);
		} else {
			memcpy(hex, text.ptr + i + 1, 2);
			ev_buf_add_char(out, (char)strtol(hex, NULL, 16));
			i += 2;
		}
	}
}

static void
run_case(struct ev_str line, size_t counts[3])
{
	struct ev_str name = cut(&line, '\t'), verdict = cut(&line, '\t');
	long times = strtol(cut(&line, '\t').ptr, NULL, 10);
	struct ev_buf text = { 0 };
	bool accept = ev_str_equal(verdict, EV_STR("accept"));
	yyjson_doc *doc = NULL;
	struct ev_err err = { "" };
	char title[256];
	enum ev_status status;

	while (times-- > 0)
		unescape(&text, line);
	status = ev_json_parse(&doc, ev_buf_str(&text), NULL, &err);
	snprintf(title, sizeof title, "%.*s: %.*s", EV_FMT(name),
	         EV_FMT(verdict));
	CHECK_NAMED(title, (status == EV_OK) == accept);
	if (status)
		CHECK_NAMED(title, !strncmp(err.text, "column ", 7));
	yyjson_doc_free(doc);
	ev_buf_release(&text);
	counts[*name.ptr == 'y' ? 0 : *name.ptr == 'n' ? 1 : 2]++;
}

static void
test_cases(const char *path)
{
	struct ev_buf file = { 0 };
	struct ev_str text, line;
	size_t counts[3] = { 0 };

	unit_read_file(&file, path);
	text = ev_buf_str(&file);
	while (text.len) {
		line = cut(&text, '\n');
		if (line.len && *line.ptr != '#')
			run_case(line, counts);
	}
	CHECK(counts[0] == 95);
	CHECK(counts[1] == 188);
	CHECK(counts[2] == 35);
	ev_buf_release(&file);
}

int
main(int argc, char **argv)
{
	test_write();
	test_write_places();
	test_write_long();
	test_limits();
	test_refused();
	test_equal();
	test_equal_large();
	test_names();
	test_cases(argc > 1 ? argv[1] : "tests/fixtures/json-cases.tsv");
	return unit_end();
}
