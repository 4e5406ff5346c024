/* The other forms of an event, and what of it may reach a terminal. */
#include "base/utf8.h"
#include "domain/format.h"
#include "unit.h"

static const char shop[] =
	"{\"catalog\":\"shop\",\"native\":{\"when\":[\"type\"],"
	"\"unless\":[\"specversion\"],\"envelope\":{\"type\":\"type\","
	"\"id\":\"id\",\"timestamp\":\"timestamp\",\"streamId\":\"streamId\","
	"\"correlationId\":\"correlationId\",\"causationId\":\"causationId\","
	"\"actor\":\"actor\",\"meta\":\"meta\"}},"
	"\"stream\":[\"{shop}#{order|some}\",\"{clerk|agent}\"],\"types\":{"
	"\"SOLD\":{\"priority\":\"action\",\"aliases\":"
	"{\"buyer\":\"customer\"},\"payload\":{\"properties\":"
	"{\"shop\":{\"type\":\"string\"},\"customer\":{\"type\":\"string\"},"
	"\"a/b\":{\"type\":\"string\"},\"lines\":{\"items\":{\"required\":"
	"[\"n\"],\"properties\":{\"a/b~c\":{\"type\":\"integer\"}}}}}}},"
	"\"PAID\":{\"payload\":{\"required\":[\"sum\"],"
	"\"dependentRequired\":{\"a\":[\"c\"]}}},"
	"\"OLD\":{\"version\":2,\"upcast\":{\"1\":[{\"rename\":"
	"{\"a\":\"b\"}}]},\"payload\":{}}}}";

/* An envelope beside its payload, one member of which stands outside. */
static const char flow[] =
	"{\"catalog\":\"flow\",\"native\":{\"when\":[\"event_type\","
	"\"payload\"],\"envelope\":{\"event_type\":\"type\",\"event_id\":"
	"\"id\",\"timestamp\":\"timestamp\",\"correlation_id\":"
	"\"correlationId\"},\"payload\":\"payload\",\"lift\":[\"flow_id\"]},"
	"\"stream\":[\"flow/{flow_id}\",\"portfolio\"],"
	"\"types\":{\"Begun\":{\"payload\":{\"properties\":{\"n\":"
	"{\"type\":\"integer\"},\"flow_id\":{\"type\":[\"string\",\"null\"]}}}}}}";

/* A time that stays in the payload, and an id made of it. */
static const char history[] =
	"{\"catalog\":\"history\",\"native\":{\"when\":[\"kind\",\"number\"],"
	"\"envelope\":{\"kind\":\"type\",\"at\":{\"to\":\"timestamp\","
	"\"keep\":true}},\"id\":\"{run}/{number}\"},"
	"\"stream\":\"history/{run}\",\"types\":{\"Begun\":{\"payload\":{}},"
	"\"Done\":{\"payload\":{}}}}";

static struct ev_catalogs catalogs;
static struct ev_event_reader reader = {
	.catalogs = &catalogs, .overrides.priority = EV_PRIORITY_NONE,
};
static struct ev_arena arena;

static void
add_catalog(const char *json)
{
	struct ev_catalog *catalog;
	struct ev_err err;

	if (CHECK(ev_catalog_load(&catalog, ev_str(json), &err) == EV_OK))
		ev_catalogs_add(&catalogs, catalog);
}

/* The line that an event of this text becomes; what it leaves open is filled
   with fixed values. */
static struct ev_line
line_of(struct ev_str text)
{
	struct ev_event event = { 0 };
	struct ev_err err = { "" };
	struct ev_line line, parsed;
	struct ev_buf stored = { 0 };

	if (!CHECK_NAMED("the event is accepted",
	                 ev_event_read(&event, &reader, text, &arena, &err) ==
	                         EV_OK))
		printf("# %s\n", err.text);
	line = event.line;
	line.position = 7;
	line.version = 3;
	if (!line.id.ptr)
		line.id = EV_STR("id-1");
	if (!line.timestamp.ptr)
		line.timestamp = EV_STR("2026-04-21T10:22:00.000000Z");
	line.recorded_at = EV_STR("2026-04-21T10:22:01.000000Z");
	ev_line_format(&stored, &line);
	CHECK_NAMED("the line can be stored",
	            ev_line_parse(ev_arena_dup(&arena, ev_buf_str(&stored)),
	                          &parsed));
	ev_buf_release(&stored);
	return parsed;
}

static struct ev_str
native(struct ev_str text)
{
	struct ev_line line = line_of(text);
	struct ev_buf out = { 0 };
	struct ev_err err = { "" };
	struct ev_str copy;

	ev_buf_add_char(&out, '>');
	if (ev_format_native(&out, &line, &catalogs, &err)) {
		CHECK_NAMED("a refused form leaves nothing behind",
		            out.len == 1);
		copy = ev_arena_dup(&arena, ev_str(err.text));
	} else {
		copy = ev_arena_dup(&arena, (struct ev_str){ out.ptr + 1,
		                                             out.len - 1 });
	}
	ev_buf_release(&out);
	return copy;
}

static struct ev_str
cloudevent(struct ev_str text)
{
	struct ev_line line = line_of(text);
	struct ev_buf out = { 0 };
	struct ev_str copy;

	ev_format_cloudevent(&out, &line);
	copy = ev_arena_dup(&arena, ev_buf_str(&out));
	ev_buf_release(&out);
	return copy;
}

static void
check_same(struct ev_str before, struct ev_str after, bool whole)
{
	struct ev_line a = line_of(before), b = line_of(after);

	CHECK(ev_str_equal(a.stream, b.stream));
	CHECK(ev_str_equal(a.id, b.id));
	CHECK(ev_str_equal(a.catalog, b.catalog));
	CHECK(ev_str_equal(a.type, b.type));
	CHECK(ev_str_equal(a.timestamp, b.timestamp));
	CHECK(ev_str_equal(a.data, b.data));
	if (!whole)
		return;
	CHECK(a.priority == b.priority);
	CHECK(ev_str_equal(a.correlation, b.correlation));
	CHECK(ev_str_equal(a.causation, b.causation));
	CHECK(ev_str_equal(a.actor, b.actor));
	CHECK(ev_str_equal(a.meta, b.meta));
}

static void
check_native(const char *text, const char *wanted)
{
	struct ev_str found = native(ev_str(text));

	CHECK_STR(found, wanted);
	check_same(ev_str(text), found, false);
}

static void
check_no_native(const char *text, const char *why)
{
	CHECK_STR(native(ev_str(text)), why);
}

static void
test_native_flat(void)
{
	check_native("{\"type\":\"SOLD\",\"shop\":\"a/b\",\"order\":42,"
	             "\"price\":12.10}",
	             "{\"id\":\"id-1\",\"type\":\"SOLD\",\"timestamp\":"
	             "\"2026-04-21T10:22:00.000000Z\",\"shop\":\"a/b\","
	             "\"order\":42,\"price\":12.10}");
	/* nothing in the payload, so the stream must be said */
	check_native("{\"type\":\"SOLD\",\"streamId\":\"x\\n\\\"\",\"data\":"
	             "{}}",
	             "{\"id\":\"id-1\",\"type\":\"SOLD\",\"timestamp\":"
	             "\"2026-04-21T10:22:00.000000Z\",\"streamId\":"
	             "\"x\\n\\\"\"}");
	/* the first template that fills counts, not any that would fit */
	check_native("{\"type\":\"SOLD\",\"streamId\":\"ann\",\"shop\":\"a\","
	             "\"order\":1,\"clerk\":\"ann/7\"}",
	             "{\"id\":\"id-1\",\"type\":\"SOLD\",\"timestamp\":"
	             "\"2026-04-21T10:22:00.000000Z\",\"streamId\":\"ann\","
	             "\"shop\":\"a\",\"order\":1,\"clerk\":\"ann/7\"}");
	check_native("{\"type\":\"SOLD\",\"shop\":\"a\",\"order\":0,\"clerk\":"
	             "\"ann/7\",\"actor\":\"\\u001b\",\"correlationId\":\"c\","
	             "\"causationId\":\"d\",\"meta\":{\"a\":[1e400]},"
	             "\"id\":\"n\",\"timestamp\":\"2026-01-01T00:00:00Z\"}",
	             "{\"id\":\"n\",\"type\":\"SOLD\",\"timestamp\":"
	             "\"2026-01-01T00:00:00.000000Z\",\"correlationId\":\"c\","
	             "\"causationId\":\"d\",\"actor\":\"\\u001b\",\"shop\":"
	             "\"a\",\"order\":0,\"clerk\":\"ann/7\",\"meta\":{\"a\":"
	             "[1e400]}}");
}

static void
test_native_refused(void)
{
	struct ev_line line;
	struct ev_buf out = { 0 };
	struct ev_err err = { "" };

	check_no_native("{\"type\":\"SOLD\",\"streamId\":\"s\",\"data\":"
	                "{\"id\":5}}",
	                "cannot write it in the form of 'shop': payload member "
	                "'id' would be taken for the event's id");
	check_no_native("{\"type\":\"SOLD\",\"streamId\":\"s\",\"data\":"
	                "{\"data\":{}}}",
	                "cannot write it in the form of 'shop': its payload "
	                "would make it look like another form (type, data)");
	check_no_native("{\"type\":\"SOLD\",\"streamId\":\"s\",\"data\":"
	                "{\"specversion\":1}}",
	                "cannot write it in the form of 'shop': its payload "
	                "would make it look like another form (specversion)");
	check_no_native("{\"type\":\"SOLD\",\"streamId\":\"s\",\"data\":"
	                "{\"event_type\":1,\"payload\":2}}",
	                "cannot write it in the form of 'shop': its payload "
	                "would make it look like an event of another catalog");
	check_no_native("{\"catalog\":\"flow\",\"type\":\"Begun\",\"streamId\":"
	                "\"elsewhere\",\"data\":{\"flow_id\":\"f\"}}",
	                "cannot write it in the form of 'flow': the form has "
	                "no member for the event's streamId");
	check_no_native("{\"catalog\":\"history\",\"type\":\"Begun\",\"data\":"
	                "{\"run\":\"r\",\"at\":\"2026-04-21T10:22:00Z\"},"
	                "\"timestamp\":\"2026-04-21T10:22:00Z\"}",
	                "cannot write it in the form of 'history': the form "
	                "has no member for the event's id");
	check_no_native("{\"catalog\":\"history\",\"type\":\"Begun\",\"data\":"
	                "{\"run\":\"r\",\"at\":\"2026-04-21T10:22:00Z\"},"
	                "\"timestamp\":\"2026-04-21T10:22:01Z\"}",
	                "cannot write it in the form of 'history': the form "
	                "has no member for the event's id");
	check_no_native("{\"catalog\":\"history\",\"type\":\"Begun\",\"data\":"
	                "{\"run\":\"r\",\"number\":1,\"at\":"
	                "\"2026-04-21T10:22:00Z\"},\"id\":\"r/1\","
	                "\"timestamp\":\"2026-04-21T10:22:01Z\"}",
	                "cannot write it in the form of 'history': payload "
	                "member 'at' does not say the event's timestamp");
	/* as --raw reads it */
	line = line_of(EV_STR("{\"type\":\"OLD\",\"streamId\":\"s\",\"data\":"
	                      "{\"b\":1}}"));
	line.schema_version = 1;
	CHECK(ev_format_native(&out, &line, &catalogs, &err) == EV_BAD_INPUT);
	CHECK_STR(ev_str(err.text),
	          "cannot write it in the form of 'shop': the form has no "
	          "member for the event's schemaVersion");
	line.catalog = EV_STR("gone");
	CHECK(ev_format_native(&out, &line, &catalogs, &err) == EV_BAD_INPUT);
	CHECK_STR(ev_str(err.text),
	          "cannot write it in its catalog's own form: no catalog at "
	          "hand knows 'OLD' of 'gone'");
	CHECK(out.len == 0);
	ev_buf_release(&out);
}

static void
test_native_apart(void)
{
	/* what nobody knew went into meta and comes back from there */
	check_native("{\"event_id\":\"e\",\"event_type\":\"begun\","
	             "\"timestamp\":\"2026-04-21T12:22:00.5+02:00\","
	             "\"correlation_id\":null,\"flow_id\":\"f\",\"payload\":"
	             "{\"type\":\"x\",\"data\":{},\"event_id\":1},\"trace\":"
	             "{\"a\":1.0}}",
	             "{\"event_id\":\"e\",\"event_type\":\"Begun\","
	             "\"timestamp\":\"2026-04-21T10:22:00.500000Z\","
	             "\"correlation_id\":null,\"flow_id\":\"f\",\"payload\":"
	             "{\"type\":\"x\",\"data\":{},\"event_id\":1},\"trace\":"
	             "{\"a\":1.0}}");
	/* but not what would change the event there */
	check_native("{\"catalog\":\"flow\",\"type\":\"Begun\",\"id\":\"e\","
	             "\"correlationId\":\"c\",\"data\":{\"flow_id\":null},"
	             "\"meta\":{\"specversion\":1,\"type\":2,\"flow_id\":\"f\","
	             "\"payload\":{},\"event_id\":\"x\",\"kind\":1,\"k\":2}}",
	             "{\"event_id\":\"e\",\"event_type\":\"Begun\","
	             "\"timestamp\":\"2026-04-21T10:22:00.000000Z\","
	             "\"correlation_id\":\"c\",\"flow_id\":null,\"payload\":{},"
	             "\"k\":2}");
}

static void
test_native_kept(void)
{
	/* the time stays where it was, as it was; the id is made of the rest */
	check_native("{\"kind\":\"Begun\",\"number\":\"5\",\"run\":\"r\","
	             "\"at\":\"2026-04-21T10:22:00.123456789Z\"}",
	             "{\"kind\":\"Begun\",\"number\":\"5\",\"run\":\"r\","
	             "\"at\":\"2026-04-21T10:22:00.123456789Z\"}");
}

static void
test_cloudevent(void)
{
	static const char full[] =
		"{\"catalog\":\"shop\",\"type\":\"SOLD\",\"id\":\"n\","
		"\"streamId\":\"a \\\"#1\",\"timestamp\":"
		"\"2026-04-21T10:22:00Z\",\"priority\":\"critical\","
		"\"correlationId\":\"c\",\"causationId\":\"\\\\\",\"actor\":"
		"\"an\\u0001n\",\"data\":{\"n\":12.10,\"big\":"
		"9007199254740993},\"meta\":{\"q\":\"\\\"\\\\\\n\\u0000\","
		"\"id\":1,\"n\":1e400,\"\":null}}";
	struct ev_str found = cloudevent(ev_str(full));

	CHECK_STR(found,
	          "{\"specversion\":\"1.0\",\"id\":\"n\",\"source\":"
	          "\"urn:ev:shop\",\"type\":\"ev.shop.SOLD\",\"subject\":"
	          "\"a \\\"#1\",\"time\":\"2026-04-21T10:22:00.000000Z\","
	          "\"datacontenttype\":\"application/json\",\"position\":\"7\","
	          "\"streamversion\":\"3\",\"schemaversion\":1,\"recordedat\":"
	          "\"2026-04-21T10:22:01.000000Z\",\"priority\":\"critical\","
	          "\"correlationid\":\"c\",\"causationid\":\"\\\\\",\"actor\":"
	          "\"an\\u0001n\",\"meta\":\"{\\\"q\\\":\\\"\\\\\\\"\\\\\\\\"
	          "\\\\n\\\\u0000\\\",\\\"id\\\":1,\\\"n\\\":1e400,\\\"\\\":"
	          "null}\",\"data\":{\"n\":12.10,\"big\":9007199254740993}}");
	check_same(ev_str(full), found, true);
	found = cloudevent(EV_STR("{\"type\":\"SOLD\",\"shop\":\"a\","
	                          "\"order\":1}"));
	CHECK_STR(found,
	          "{\"specversion\":\"1.0\",\"id\":\"id-1\",\"source\":"
	          "\"urn:ev:shop\",\"type\":\"ev.shop.SOLD\",\"subject\":"
	          "\"a#1\",\"time\":\"2026-04-21T10:22:00.000000Z\","
	          "\"datacontenttype\":\"application/json\",\"position\":\"7\","
	          "\"streamversion\":\"3\",\"schemaversion\":1,\"recordedat\":"
	          "\"2026-04-21T10:22:01.000000Z\",\"priority\":\"action\","
	          "\"data\":{\"shop\":\"a\",\"order\":1}}");
}

/* An attribute holds neither controls nor noncharacters. */
static void
test_cloudevent_meta(void)
{
	static const char text[] =
		"{\"type\":\"SOLD\",\"streamId\":\"s\",\"data\":{},\"meta\":"
		"{\"\x7f\":\"\xc2\x9b \xef\xb7\x90\xef\xbf\xbf "
		"\xf0\x9f\xbf\xbe \xc3\xa4 \xf0\x9f\x98\x80\"}}";
	static const char wanted[] =
		"\"meta\":\"{\\\"\\\\u007f\\\":\\\"\\\\u009b \\\\ufdd0\\\\uffff "
		"\\\\ud83f\\\\udffe \xc3\xa4 \xf0\x9f\x98\x80\\\"}\"";
	struct ev_str found = cloudevent(ev_str(text));

	CHECK(strstr(found.ptr, wanted) != NULL);
	check_same(ev_str(text), found, true);
}

static void
test_cloudevent_of_others(void)
{
	struct ev_line line;

	line = line_of(EV_STR(
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\","
		"\"type\":\"SOLD\",\"datacontenttype\":"
		"\"Application/Problem+JSON ; charset=utf-8\",\"subject\":\"s\","
		"\"position\":4,\"schemaversion\":\"2.1\",\"meta\":"
		"\"{\\\"a\\\":1}\",\"dataschema\":null,\"data\":{\"x\":1}}"));
	CHECK_STR(line.meta,
	          "{\"source\":\"/shop\",\"position\":4,\"schemaversion\":"
	          "\"2.1\",\"meta\":\"{\\\"a\\\":1}\"}");
	CHECK_STR(line.data, "{\"x\":1}");
	CHECK(line.schema_version == 1);
	/* ours, with somebody's own meta */
	line = line_of(EV_STR(
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":"
		"\"urn:ev:shop\",\"type\":\"ev.shop.SOLD\",\"subject\":\"s\","
		"\"meta\":\"no JSON\",\"traceparent\":\"00\",\"data\":{}}"));
	CHECK_STR(line.meta, "{\"meta\":\"no JSON\",\"traceparent\":\"00\"}");
	line = line_of(EV_STR(
		"{\"specversion\":\"1.0\",\"traceparent\":\"00\",\"meta\":"
		"\"{\\\"a\\\":1}\",\"id\":\"1\",\"type\":\"ev.shop.SOLD\","
		"\"subject\":\"s\",\"data\":{},\"source\":\"urn:ev:shop\"}"));
	CHECK_STR(line.meta, "{\"traceparent\":\"00\",\"a\":1}");
}

static void
check_other_refused(const char *text, const char *why)
{
	struct ev_event event;
	struct ev_err err = { "" };

	CHECK(ev_event_read(&event, &reader, ev_str(text), &arena, &err) ==
	      EV_BAD_INPUT);
	CHECK_STR(ev_str(err.text), why);
}

static void
test_cloudevent_refused(void)
{
	check_other_refused("{\"specversion\":\"0.3\",\"type\":\"SOLD\"}",
	                    "'specversion': expected 1.0");
	check_other_refused("{\"specversion\":null,\"type\":\"SOLD\"}",
	                    "'specversion': expected 1.0");
	check_other_refused("{\"specversion\":\"1.0\",\"type\":\"SOLD\","
	                    "\"data_base64\":\"e30=\"}",
	                    "'data_base64': only JSON data can be appended");
	check_other_refused("{\"specversion\":\"1.0\",\"type\":\"SOLD\","
	                    "\"datacontenttype\":\"text/notjson\"}",
	                    "'datacontenttype': expected application/json, "
	                    "found 'text/notjson'");
	check_other_refused("{\"specversion\":\"1.0\",\"type\":"
	                    "\"ev.nowhere.SOLD\"}",
	                    "unknown catalog: nowhere");
}

/* ---- why, and where in what was sent */

static void
check_refusal(const char *text, enum ev_refusal_kind kind, const char *path)
{
	struct ev_event event;
	struct ev_err err = { "" };
	struct ev_refusal refusal = { 0 };

	ev_buf_add_str(&refusal.path, EV_STR("of another event"));
	reader.refusal = &refusal;
	CHECK_NAMED(text, ev_event_read(&event, &reader, ev_str(text), &arena,
	                                &err) == EV_BAD_INPUT);
	reader.refusal = NULL;
	CHECK_NAMED(text, refusal.kind == kind);
	CHECK_STR_NAMED(text, ev_buf_str(&refusal.path), ev_str(path));
	ev_buf_release(&refusal.path);
}

static void
test_refusals(void)
{
	check_refusal("{\"type\":", EV_REFUSED_TEXT, "");
	check_refusal("", EV_REFUSED_TEXT, "");
	check_refusal("[]", EV_REFUSED_SHAPE, "");
	check_refusal("{\"a\":1}", EV_REFUSED_SHAPE, "");
	check_refusal("{\"specversion\":\"1.0\"}", EV_REFUSED_SHAPE, "");
	check_refusal("{\"type\":\"X\"}", EV_REFUSED_TYPE, "");
	check_refusal("{\"type\":\"SOLD\",\"catalog\":\"no\",\"data\":{}}",
	              EV_REFUSED_TYPE, "");
	/* in the payload, wherever that is */
	check_refusal("{\"type\":\"SOLD\",\"shop\":5,\"order\":1}",
	              EV_REFUSED_VALUE, "/shop");
	check_refusal("{\"type\":\"SOLD\",\"data\":{\"shop\":5}}",
	              EV_REFUSED_VALUE, "/data/shop");
	check_refusal("{\"specversion\":\"1.0\",\"type\":\"SOLD\","
	              "\"data\":{\"shop\":5}}",
	              EV_REFUSED_VALUE, "/data/shop");
	check_refusal("{\"type\":\"SOLD\",\"data\":{\"lines\":[{\"n\":1},"
	              "{\"n\":1,\"a/b~c\":\"x\"}]}}",
	              EV_REFUSED_VALUE, "/data/lines/1/a~1b~0c");
	check_refusal("{\"type\":\"SOLD\",\"lines\":[{}]}",
	              EV_REFUSED_VALUE, "/lines/0/n");
	check_refusal("{\"type\":\"SOLD\",\"a/b\":1}",
	              EV_REFUSED_VALUE, "/a~1b");
	check_refusal("{\"event_type\":\"Begun\",\"payload\":{\"n\":\"x\"}}",
	              EV_REFUSED_VALUE, "/payload/n");
	check_refusal("{\"event_type\":\"Begun\",\"payload\":{},"
	              "\"flow_id\":1}", EV_REFUSED_VALUE, "/flow_id");
	/* as the sender spelt it */
	check_refusal("{\"type\":\"SOLD\",\"buyer\":5}",
	              EV_REFUSED_VALUE, "/buyer");
	check_refusal("{\"type\":\"SOLD\",\"data\":{\"buyer\":5}}",
	              EV_REFUSED_VALUE, "/data/buyer");
	check_refusal("{\"type\":\"SOLD\",\"data\":{\"customer\":5}}",
	              EV_REFUSED_VALUE, "/data/customer");
	check_refusal("{\"type\":\"SOLD\",\"data\":{\"shop\":\"s\","
	              "\"shop\":\"t\"}}", EV_REFUSED_VALUE, "/data/shop");
	/* what is missing, and the payload as a whole */
	check_refusal("{\"type\":\"PAID\",\"data\":{}}", EV_REFUSED_VALUE,
	              "/data/sum");
	check_refusal("{\"type\":\"PAID\"}", EV_REFUSED_VALUE, "/sum");
	check_refusal("{\"type\":\"PAID\",\"data\":{\"sum\":1,\"a\":1,"
	              "\"b\":1}}", EV_REFUSED_VALUE, "/data");
	check_refusal("{\"type\":\"PAID\",\"sum\":1,\"a\":1,\"b\":1}",
	              EV_REFUSED_VALUE, "");
	check_refusal("{\"specversion\":\"1.0\",\"type\":\"SOLD\","
	              "\"data\":[]}", EV_REFUSED_VALUE, "/data");
	check_refusal("{\"event_type\":\"Begun\",\"payload\":7}",
	              EV_REFUSED_VALUE, "/payload");
	/* in the envelope, by the names of each form */
	check_refusal("{\"type\":\"SOLD\",\"timestamp\":\"now\","
	              "\"data\":{}}", EV_REFUSED_VALUE, "/timestamp");
	check_refusal("{\"specversion\":\"1.0\",\"type\":\"SOLD\","
	              "\"time\":\"now\"}", EV_REFUSED_VALUE, "/time");
	check_refusal("{\"kind\":\"Begun\",\"number\":1,\"at\":\"now\"}",
	              EV_REFUSED_VALUE, "/at");
	check_refusal("{\"event_type\":7,\"payload\":{}}", EV_REFUSED_VALUE,
	              "/event_type");
	check_refusal("{\"type\":\"SOLD\",\"meta\":1,\"data\":{}}",
	              EV_REFUSED_VALUE, "/meta");
	check_refusal("{\"type\":\"SOLD\",\"schemaVersion\":9,\"data\":{}}",
	              EV_REFUSED_VALUE, "/schemaVersion");
	check_refusal("{\"type\":\"SOLD\",\"priority\":\"low\","
	              "\"data\":{}}", EV_REFUSED_VALUE, "/priority");
	check_refusal("{\"type\":\"SOLD\",\"id\":\"\",\"data\":{}}",
	              EV_REFUSED_VALUE, "/id");
	check_refusal("{\"type\":\"SOLD\",\"id\":\"1\",\"id\":\"1\","
	              "\"data\":{}}", EV_REFUSED_VALUE, "/id");
	check_refusal("{\"specversion\":\"1.0\",\"type\":\"SOLD\","
	              "\"data_base64\":\"\"}", EV_REFUSED_VALUE,
	              "/data_base64");
	/* that there is no stream is no one member's fault */
	check_refusal("{\"type\":\"SOLD\",\"data\":{}}", EV_REFUSED_VALUE, "");
	/* an event that is too large for the reader's own memory */
	{
		struct ev_buf text = { 0 };

		ev_buf_add_str(&text, EV_STR("{\"type\":\"SOLD\",\"pad\":\""));
		for (int i = 0; i < 200000; i++)
			ev_buf_add_str(&text, EV_STR("0123456789"));
		ev_buf_add_str(&text, EV_STR("\",\"buyer\":5}"));
		ev_buf_add_char(&text, '\0');
		check_refusal(text.ptr, EV_REFUSED_VALUE, "/buyer");
		ev_buf_release(&text);
	}
}

/* ---- what may reach a terminal */

static size_t
encode(char *to, uint32_t code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static bool
is_safe(struct ev_str text)
{
	uint32_t code;

	while (text.len)
		if (!ev_utf8_next(&text, &code) || ev_utf8_hidden(code))
			return false;
	return true;
}

static void
check_safe(const char *text, const char *wanted)
{
	struct ev_buf out = { 0 };

	ev_format_safe(&out, ev_str(text));
	CHECK_STR(ev_buf_str(&out), wanted);
	ev_buf_release(&out);
}

static void
test_safe(void)
{
	check_safe("plain \\ text ~", "plain \\ text ~");
	check_safe("a\b\t\n\f\r\v\x1b[31m\x7f",
	           "a\\b\\t\\n\\f\\r\\u000b\\u001b[31m\\u007f");
	check_safe("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0",
	           "\\u0080\\u009b\\u009f\xc2\xa0");
	check_safe("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c",
	           "\\u202e\\u2066\\u200f\\u061c");
	check_safe("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\x8b\xef\xbb\xbf\xc2\xad",
	           "\\u2028\\u2029\\u200b\\ufeff\\u00ad");
	check_safe("\xf3\xa0\x81\x81\xef\xbf\xbf\xf4\x8f\xbf\xbf",
	           "\\u{e0041}\\uffff\\u{10ffff}");
	/* no UTF-8: bare, cut short, too long, a surrogate, past the end */
	check_safe("\x9b" "1 \xe2\x82", "\\x9b1 \\xe2\\x82");
	check_safe("\xc0\x9b\xe0\x82\x9b\xf0\x80\x82\x9b",
	           "\\xc0\\x9b\\xe0\\x82\\x9b\\xf0\\x80\\x82\\x9b");
	check_safe("\xed\xa0\x80\xf4\x90\x80\x80\xff",
	           "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xff");
	check_safe("\xe6\xbc\xa2 e\xcc\x81 \xe2\x9d\xa4\xef\xb8\x8f "
	           "\xf0\x9f\x98\x80",
	           "\xe6\xbc\xa2 e\xcc\x81 \xe2\x9d\xa4\xef\xb8\x8f "
	           "\xf0\x9f\x98\x80");
}

static void
test_safe_json(void)
{
	static const char text[] =
		"{\"\x7f\xc2\x9b\":[\"\\u001b\xe2\x80\xae\xc3\xa4\","
		"\"\xf3\xa0\x81\x81\xf0\x9f\x98\x80\",1e400]}";
	struct ev_buf out = { 0 };
	yyjson_doc *before, *after;
	struct ev_err err;

	ev_format_safe_json(&out, ev_str(text));
	CHECK_STR(ev_buf_str(&out),
	          "{\"\\u007f\\u009b\":[\"\\u001b\\u202e\xc3\xa4\","
	          "\"\\udb40\\udc41\xf0\x9f\x98\x80\",1e400]}");
	if (CHECK(!ev_json_parse(&before, ev_str(text), NULL, &err)) &&
	    CHECK(!ev_json_parse(&after, ev_buf_str(&out), NULL, &err))) {
		CHECK(ev_json_equal(yyjson_doc_get_root(before),
		                    yyjson_doc_get_root(after)));
		yyjson_doc_free(before);
		yyjson_doc_free(after);
	}
	ev_buf_reset(&out);
	ev_format_safe_json(&out, EV_STR("[\"\\n~\"]"));
	CHECK_STR(ev_buf_str(&out), "[\"\\n~\"]");
	ev_buf_release(&out);
}

/* Each character by itself: told apart from what it is shown as, or itself. */
static void
test_safe_everywhere(void)
{
	size_t wrong = 0, hidden = 0, unsafe = 0;
	struct ev_buf out = { 0 };
	char text[4];

	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		size_t len = encode(text, code);
		struct ev_str given = { text, len };
		bool same;

		ev_buf_reset(&out);
		ev_format_safe(&out, given);
		same = ev_str_equal(given, ev_buf_str(&out));
		unsafe += !is_safe(ev_buf_str(&out));
		if ((code & 0xf800) == 0xd800 && code < 0x10000) {
			wrong += same;
			continue;
		}
		hidden += !same;
		wrong += same == ev_utf8_hidden(code);
	}
	CHECK(wrong == 0);
	CHECK(unsafe == 0);
	/* as many as Unicode 15.0 has of these categories and properties */
	CHECK(hidden == 4323);
	ev_buf_release(&out);
}

/* A sequence that never repeats soon, the same in each run. */
static uint32_t
next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

static void
test_safe_bytes(void)
{
	struct ev_buf out = { 0 };
	uint64_t state = 1;
	size_t unsafe = 0;
	char text[24];

	for (int i = 0; i < 200000; i++) {
		ev_buf_reset(&out);
		for (size_t k = 0; k < sizeof text; k++)
			text[k] = (char)(next_random(&state) >> 5);
		ev_format_safe(&out, (struct ev_str){ text, sizeof text });
		unsafe += !is_safe(ev_buf_str(&out));
	}
	CHECK(unsafe == 0);
	ev_buf_release(&out);
}

static void
test_messages(void)
{
	char text[1100];
	struct ev_err err;

	ev_err_set(&err, EV_NO, "%s", "a\nb\x1b\xc2\x9b\x9b\xe2\x80\xae\xe2\x80"
	           "\x8b\xef\xbb\xbf\xf3\xa0\x81\x81\x7f \xc3\xa4\xe6\xbc\xa2");
	CHECK_STR(ev_str(err.text), "a?b???????? \xc3\xa4\xe6\xbc\xa2");
	/* a character that the end of the message cuts in two */
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	memcpy(text + sizeof err.text - 2, "\xc3\xa4", 2);
	ev_err_set(&err, EV_NO, "%s", text);
	CHECK(strlen(err.text) == sizeof err.text - 1);
	CHECK(err.text[sizeof err.text - 2] == '?');
	ev_err_set(&err, EV_NO, "inner");
	ev_err_prefix(&err, EV_NO, "outer\r");
	CHECK_STR(ev_str(err.text), "outer?: inner");
}

/* ---- the table */

static struct ev_line
row(int64_t position, const char *stream, const char *type,
    enum ev_priority priority, const char *actor, const char *data)
{
	return (struct ev_line){
		.position = position, .stream = ev_str(stream),
		.version = position - 1, .id = EV_STR("i"),
		.catalog = EV_STR("shop"), .type = ev_str(type),
		.schema_version = 1,
		.timestamp = EV_STR("2026-04-21T10:22:00.123456Z"),
		.recorded_at = EV_STR("2026-04-21T10:22:00.123456Z"),
		.priority = priority, .actor = ev_str(actor),
		.data = ev_str(data), .meta = EV_STR("{}"),
	};
}

static void
check_table(struct ev_table *table, const struct ev_line *lines, size_t count,
            const char *wanted)
{
	struct ev_buf out = { 0 };

	for (size_t i = 0; i < count; i++)
		ev_table_add(table, &out, &lines[i]);
	ev_table_flush(table, &out);
	CHECK_STR(ev_buf_str(&out), wanted);
	ev_table_release(table);
	ev_buf_release(&out);
}

static void
test_table(void)
{
	const struct ev_line lines[] = {
		row(9, "a/b#42", "SOLD", EV_PRIORITY_INFO, NULL,
		    "{\"shop\":\"a/b\",\"order\":42,\"price\":12.10,\"why\":"
		    "\"two words\",\"l\":[\"a,b\",{\"c\":\"}\"}],\"n\":null}"),
		row(10, "x", "X", EV_PRIORITY_CRITICAL, "ann", "{}"),
	};
	struct ev_table table = { 0 };

	check_table(&table, lines, 2,
	            "POS  TIME                 STREAM  VER  TYPE  PRIORITY  "
	            "ACTOR  DATA\n"
	            "  9  2026-04-21 10:22:00  a/b#42    8  SOLD  info"
	            "             price=12.10 why=\"two words\" "
	            "l=[\"a,b\",{\"c\":\"}\"}] n=null shop=a/b order=42\n"
	            " 10  2026-04-21 10:22:00  x         9  X     critical  "
	            "ann\n");
	table = (struct ev_table){ 0 };
	check_table(&table, lines, 0, "");
}

static void
test_table_text(void)
{
	const struct ev_line lines[] = {
		row(1, "\xe6\xbc\xa2\xe5\xad\x97", "e\xcc\x81", EV_PRIORITY_INFO,
		    NULL, "{\"\":\"\",\"a b\":\"x=y\",\"q\":\"\\\"\\\\\"}"),
		row(2, "\\u001b]0;", "T", EV_PRIORITY_INFO, NULL,
		    "{\"\xe2\x80\xae\":\"\\u0007\xc2\x9b\"}"),
	};
	struct ev_table table = { 0 };

	check_table(&table, lines, 2,
	            "POS  TIME                 STREAM     VER  TYPE  PRIORITY  "
	            "DATA\n"
	            "  1  2026-04-21 10:22:00  \xe6\xbc\xa2\xe5\xad\x97"
	            "         0  e\xcc\x81     info      "
	            "\"\"=\"\" \"a b\"=\"x=y\" q=\"\\\"\\\\\"\n"
	            "  2  2026-04-21 10:22:00  \\u001b]0;    1  T     info"
	            "      \\u202e=\"\\u0007\\u009b\"\n");
}

/* Columns found by the first rows grow, and one may come later. */
static void
test_table_growth(void)
{
	const struct ev_line lines[] = {
		row(1, "s", "T", EV_PRIORITY_INFO, NULL, "{\"a\":1}"),
		row(2, "longer-than-that", "T", EV_PRIORITY_INFO, NULL,
		    "{\"a\":2}"),
		row(3, "s", "T", EV_PRIORITY_INFO, "ann", "{\"a\":3}"),
		row(4, "0123456789012345678901234567890123456789sticks-out",
		    "T", EV_PRIORITY_INFO, NULL, "{\"a\":4}"),
		row(5, "s", "T", EV_PRIORITY_INFO, NULL, "{\"a\":5}"),
	};
	struct ev_table table = { 0 };
	struct ev_buf out = { 0 };

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		ev_table_add(&table, &out, &lines[i]);
		ev_table_flush(&table, &out);
	}
	CHECK_STR(ev_buf_str(&out),
		"POS  TIME                 STREAM  VER  TYPE  PRIORITY  DATA\n"
		"  1  2026-04-21 10:22:00  s         0  T     info      a=1\n"
		"  2  2026-04-21 10:22:00  longer-than-that    1  T     info"
		"      a=2\n"
		"POS  TIME                 STREAM            VER  TYPE  "
		"PRIORITY  ACTOR  DATA\n"
		"  3  2026-04-21 10:22:00  s                   2  T     info"
		"      ann    a=3\n"
		"  4  2026-04-21 10:22:00  "
		"0123456789012345678901234567890123456789sticks-out    3  T"
		"     info             a=4\n"
		"  5  2026-04-21 10:22:00  s                                 "
		"          4  T     info             a=5\n");
	ev_buf_release(&out);
	ev_table_release(&table);
}

static void
test_table_width(void)
{
	const struct ev_line lines[] = {
		row(1, "s", "T", EV_PRIORITY_INFO, NULL,
		    "{\"a\":\"0123456789abcdefg\"}"),
		row(2, "s", "T", EV_PRIORITY_INFO, NULL,
		    "{\"a\":\"0123456789abcdefgh\"}"),
		row(3, "s", "T", EV_PRIORITY_INFO, NULL,
		    "{\"a\":\"0123456789abcdef\xe6\xbc\xa2\"}"),
		row(4, "s", "T", EV_PRIORITY_INFO, NULL,
		    "{\"a\":\"0123456789abcde\\u001b\",\"b\":1}"),
		/* a heart that may be one or two columns wide */
		row(5, "s", "T", EV_PRIORITY_INFO, NULL,
		    "{\"a\":\"0123456789abcdef\xe2\x9d\xa4\xef\xb8\x8f\"}"),
	};
	struct ev_table table = { .width = 59 };

	/* 40 columns before the payload without version and priority */
	check_table(&table, lines, 5,
	            "POS  TIME                 STREAM  TYPE  DATA\n"
	            "  1  2026-04-21 10:22:00  s       T     "
	            "a=0123456789abcdefg\n"
	            "  2  2026-04-21 10:22:00  s       T     "
	            "a=0123456789abcdef\xe2\x80\xa6\n"
	            "  3  2026-04-21 10:22:00  s       T     "
	            "a=0123456789abcdef\xe2\x80\xa6\n"
	            "  4  2026-04-21 10:22:00  s       T     "
	            "a=\"0123456789abcde\xe2\x80\xa6\n"
	            "  5  2026-04-21 10:22:00  s       T     "
	            "a=0123456789abcdef\xe2\x80\xa6\n");
	table = (struct ev_table){ .width = 12 };
	check_table(&table, lines, 1,
	            "POS  TIME  \xe2\x80\xa6\n"
	            "  1  2026-0\xe2\x80\xa6\n");
}

/* Does a line end while a colour is on? */
static bool
leaves_colour(struct ev_str text)
{
	bool on = false;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\033')
			on = text.ptr[i + 2] != '0';
		if (text.ptr[i] == '\n' && on)
			return true;
	}
	return false;
}

static void
test_table_colour(void)
{
	size_t open = 0;
	const struct ev_line lines[] = {
		row(1, "s", "T", EV_PRIORITY_URGENT, NULL, "{\"a\":1}"),
		row(2, "s", "T", EV_PRIORITY_URGENT, NULL,
		    "{\"a\":\"\\u001b[2J\xc2\x9b\"}"),
	};
	struct ev_table table = { .colour = true };

	check_table(&table, lines, 2,
	            "\033[1mPOS  TIME                 STREAM  VER  TYPE  "
	            "PRIORITY  DATA\033[0m\n"
	            "  1  \033[2m2026-04-21 10:22:00\033[0m  s         0  "
	            "\033[31mT\033[0m     \033[31murgent\033[0m    "
	            "\033[2ma=\033[0m1\n"
	            "  2  \033[2m2026-04-21 10:22:00\033[0m  s         1  "
	            "\033[31mT\033[0m     \033[31murgent\033[0m    "
	            "\033[2ma=\033[0m\"\\u001b[2J\\u009b\"\n");
	/* wherever it is cut */
	for (int width = 1; width < 80; width++) {
		struct ev_buf out = { 0 };

		table = (struct ev_table){ .colour = true, .width = width };
		ev_table_add(&table, &out, &lines[1]);
		ev_table_flush(&table, &out);
		open += leaves_colour(ev_buf_str(&out));
		ev_buf_release(&out);
		ev_table_release(&table);
	}
	CHECK(open == 0);
}

/* Whatever is stored, a row is one line of characters that only show. */
static void
test_table_safe(void)
{
	size_t unsafe = 0, rows = 0;
	uint64_t state = 2;

	for (int i = 0; i < 20000; i++) {
		struct ev_table table = { .width = i % 90 };
		struct ev_buf json = { 0 }, out = { 0 };
		struct ev_line line;
		char text[64];
		size_t len = 0;

		while (len + 4 < sizeof text) {
			uint32_t code = next_random(&state);

			code &= code & 1 << 30 ? 0x7f
			        : code & 1 << 29 ? 0x3fff : 0x1fffff;
			if (code <= 0x10ffff && (code & 0x1ff800) != 0xd800)
				len += encode(text + len, code);
		}
		line = row(i, "s", "T", EV_PRIORITY_INFO, NULL, "{}");
		ev_buf_add_char(&json, '{');
		ev_json_write_string(&json, (struct ev_str){ text, len });
		ev_buf_add_char(&json, ':');
		ev_json_write_string(&json, (struct ev_str){ text, len });
		ev_buf_add_char(&json, '}');
		line.data = ev_buf_str(&json);
		line.stream = (struct ev_str){ json.ptr + 2,
		                               (json.len - 5) / 2 - 1 };
		line.actor = line.stream;
		ev_table_add(&table, &out, &line);
		ev_table_flush(&table, &out);
		for (size_t k = 0; k < out.len; k++)
			if (out.ptr[k] == '\n') {
				out.ptr[k] = ' ';
				rows++;
			}
		unsafe += !is_safe(ev_buf_str(&out));
		ev_table_release(&table);
		ev_buf_release(&json);
		ev_buf_release(&out);
	}
	CHECK(unsafe == 0);
	CHECK(rows == 2 * 20000);
}

/* A damaged payload cannot lead the table out of its bounds. */
static void
test_table_damage(void)
{
	static const char *const damaged[] = {
		"{\"a}", "{\"a\"}", "{\"a\":}", "{\"a\":\"}", "{\"a\":\"\\}",
		"{,}", "{\"a\":[[[}", "{\"a\":1,}", "{\"a\":1,\"}", "{]]]}",
	};

	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		/* in memory of its own, so that a sanitizer sees a step out */
		size_t len = strlen(damaged[i]);
		char *copy = memcpy(malloc(len), damaged[i], len);
		struct ev_line line = row(1, "s", "T", EV_PRIORITY_INFO, NULL,
		                          "{}");
		struct ev_table table = { 0 };
		struct ev_buf out = { 0 };

		line.data = (struct ev_str){ copy, len };
		table.begun = true;
		ev_table_add(&table, &out, &line);
		CHECK(out.len && out.ptr[out.len - 1] == '\n');
		ev_table_release(&table);
		ev_buf_release(&out);
		free(copy);
	}
}

int
main(void)
{
	add_catalog(shop);
	add_catalog(flow);
	add_catalog(history);
	test_native_flat();
	test_native_refused();
	test_native_apart();
	test_native_kept();
	test_cloudevent();
	test_cloudevent_meta();
	test_cloudevent_of_others();
	test_cloudevent_refused();
	test_refusals();
	test_safe();
	test_safe_json();
	test_safe_everywhere();
	test_safe_bytes();
	test_messages();
	test_table();
	test_table_text();
	test_table_growth();
	test_table_width();
	test_table_colour();
	test_table_safe();
	test_table_damage();
	ev_catalogs_release(&catalogs);
	ev_event_reader_release(&reader);
	ev_arena_release(&arena);
	return unit_end();
}
