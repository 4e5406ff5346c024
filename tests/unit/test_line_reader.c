/*
 * Events in other spellings are the events that the log would have. Thousands
 * of random ones are written as the log does, then spelled otherwise, and read.
 * usage: test_line_reader [SEED]
 */
#include "domain/line_reader.h"
#include "domain/scan.h"
#include "unit.h"

enum { ROUNDS = 20000 };

static unsigned long long state;

static unsigned
below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static void
add_text(struct ev_buf *out)
{
	static const char *const pieces[] = {
		"a", "repo", " ", "/", "#42", "\\\"", "\\\\", "\\n", "\\u0007",
		"é", "😀", "{", "]", ",", ":", "null", "\x7f", "\\\\\\\""
	};

	for (unsigned i = below(5); i-- > 0;)
		ev_buf_add_str(out, ev_str(pieces[below(sizeof pieces /
		                                        sizeof *pieces)]));
}

static void
add_value(struct ev_buf *out, unsigned depth)
{
	static const char *const plain[] = {
		"null", "true", "false", "0", "-0.0", "12.10", "1e400",
		"9007199254740993", "{}", "[]", "\"\""
	};
	unsigned kind = depth ? below(4) : below(2);

	if (kind == 0) {
		ev_buf_add_str(out, ev_str(plain[below(11)]));
	} else if (kind == 1) {
		ev_buf_add_char(out, '"');
		add_text(out);
		ev_buf_add_char(out, '"');
	} else {
		ev_buf_add_char(out, kind == 2 ? '[' : '{');
		for (unsigned i = 0, n = below(4); i < n; i++) {
			if (i)
				ev_buf_add_char(out, ',');
			if (kind == 3)
				ev_buf_printf(out, "\"m%u\":", i);
			add_value(out, depth - 1);
		}
		ev_buf_add_char(out, kind == 2 ? ']' : '}');
	}
}

static struct ev_str
make_text(struct ev_arena *arena)
{
	struct ev_buf text = { 0 };
	struct ev_str kept;

	add_text(&text);
	kept = ev_arena_dup(arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept;
}

static struct ev_str
make_object(struct ev_arena *arena)
{
	struct ev_buf text = { 0 };
	struct ev_str kept;

	ev_buf_add_str(&text, EV_STR("{\"first\":"));
	add_value(&text, 3);
	ev_buf_add_char(&text, '}');
	kept = ev_arena_dup(arena, below(4) ? ev_buf_str(&text) : EV_STR("{}"));
	ev_buf_release(&text);
	return kept;
}

static void
make_line(struct ev_buf *out, struct ev_arena *arena)
{
	static const char *const times[] = { "2026-04-21T10:22:00.000000Z",
	                                     "0001-01-01T00:00:00.000001Z" };
	struct ev_line line = {
		.position = below(1000000),
		.stream = make_text(arena),
		.version = below(1000),
		.id = make_text(arena),
		.catalog = make_text(arena),
		.type = make_text(arena),
		.schema_version = 1 + (int)below(3),
		.timestamp = ev_str(times[below(2)]),
		.recorded_at = ev_str(times[below(2)]),
		.priority = (enum ev_priority)below(EV_PRIORITY_NONE),
		.data = make_object(arena),
		.meta = make_object(arena),
	};

	if (below(2))
		line.correlation = make_text(arena);
	if (below(2))
		line.causation = make_text(arena);
	if (below(2))
		line.actor = make_text(arena);
	ev_line_format(out, &line);
}

static void
add_blanks(struct ev_buf *out)
{
	while (!below(3))
		ev_buf_add_char(out, " \t\r"[below(3)]);
}

/* One JSON text with blanks between its parts and escapes in its texts. */
static void
spell(struct ev_buf *out, struct ev_str json)
{
	bool text = false;

	for (size_t i = 0; i < json.len; i++) {
		unsigned char c = (unsigned char)json.ptr[i];

		if (!text && strchr("{}[],:", c)) {
			add_blanks(out);
			ev_buf_add_char(out, (char)c);
			add_blanks(out);
		} else if (text && c == '\\') {
			size_t len = json.ptr[i + 1] == 'u' ? 6 : 2;

			ev_buf_add(out, json.ptr + i, len);
			i += len - 1;
		} else if (text && c == '/' && below(2)) {
			ev_buf_add_str(out, EV_STR("\\/"));
		} else if (text && c != '"' && c < 0x80 && !below(8)) {
			ev_buf_printf(out, below(2) ? "\\u%04x" : "\\u%04X", c);
		} else {
			text ^= c == '"';
			ev_buf_add_char(out, (char)c);
		}
	}
}

/* Its members in any order, and one that no event has. */
static void
shuffle(struct ev_buf *out, struct ev_str line)
{
	struct { struct ev_str name, value; } members[16], swap;
	struct ev_scan scan = ev_scan_begin(line);
	size_t count = 0;

	while (ev_scan_member(&scan, &members[count].name,
	                      &members[count].value))
		count++;
	members[count].name = EV_STR("more");
	members[count++].value = EV_STR("[{\"type\":1}]");
	for (size_t i = count - 1; i > 0; i--) {
		size_t other = below((unsigned)i + 1);

		swap = members[i];
		members[i] = members[other];
		members[other] = swap;
	}
	for (size_t i = 0; i < count; i++)
		ev_buf_printf(out, "%c\"%.*s\":%.*s", i ? ',' : '{',
		              EV_FMT(members[i].name),
		              EV_FMT(members[i].value));
	ev_buf_add_char(out, '}');
}

/* Is the event that is read the one that the log would have as `wanted`? */
static bool
reads_as(struct ev_line_reader *reader, struct ev_str text, struct ev_str wanted)
{
	struct ev_arena arena = { 0 };
	struct ev_buf found = { 0 };
	struct ev_line line;
	struct ev_err err = { "" };
	bool same = false;

	if (!ev_line_read(&line, reader, text, &arena, &err)) {
		ev_line_format(&found, &line);
		same = ev_str_equal(ev_buf_str(&found), wanted);
	}
	if (!same)
		printf("# %.*s\n# wanted %.*s\n# found %.*s %s\n", EV_FMT(text),
		       EV_FMT(wanted), EV_FMT(ev_buf_str(&found)), err.text);
	ev_buf_release(&found);
	ev_arena_release(&arena);
	return same;
}

static void
check_spellings(unsigned long long seed)
{
	struct ev_line_reader reader = { 0 };
	struct ev_buf line = { 0 }, other = { 0 }, both = { 0 };
	struct ev_arena arena = { 0 };
	int same[4] = { 0 };

	state = seed;
	for (int i = 0; i < ROUNDS; i++) {
		struct ev_line parsed;

		line.len = other.len = both.len = 0;
		make_line(&line, &arena);
		same[0] += ev_line_parse(ev_buf_str(&line), &parsed) &&
		           reads_as(&reader, ev_buf_str(&line),
		                    ev_buf_str(&line));
		spell(&other, ev_buf_str(&line));
		same[1] += reads_as(&reader, ev_buf_str(&other),
		                    ev_buf_str(&line));
		other.len = 0;
		shuffle(&other, ev_buf_str(&line));
		same[2] += reads_as(&reader, ev_buf_str(&other),
		                    ev_buf_str(&line));
		spell(&both, ev_buf_str(&other));
		same[3] += reads_as(&reader, ev_buf_str(&both),
		                    ev_buf_str(&line));
		ev_arena_reset(&arena);
	}
	printf("# seed %llu\n", seed);
	CHECK_NAMED("the log's own spelling", same[0] == ROUNDS);
	CHECK_NAMED("blanks and escapes", same[1] == ROUNDS);
	CHECK_NAMED("another order", same[2] == ROUNDS);
	CHECK_NAMED("all of these", same[3] == ROUNDS);
	ev_line_reader_release(&reader);
	ev_arena_release(&arena);
	ev_buf_release(&line);
	ev_buf_release(&other);
	ev_buf_release(&both);
}

/* Texts of the log's own line are not copied. */
static void
check_borrowing(void)
{
	static const char text[] =
		"{\"position\":7,\"streamId\":\"a\",\"version\":3,\"id\":\"i\","
		"\"catalog\":\"rig\",\"type\":\"T\",\"schemaVersion\":1,"
		"\"timestamp\":\"2026-04-21T10:22:00.000000Z\","
		"\"recordedAt\":\"2026-04-21T10:22:00.000000Z\","
		"\"priority\":\"info\",\"correlationId\":null,"
		"\"causationId\":null,\"actor\":\"ada\",\"data\":{\"a\":[1]},"
		"\"meta\":{}}";
	struct ev_line_reader reader = { 0 };
	struct ev_arena arena = { 0 };
	struct ev_line line = { 0 };
	struct ev_err err;

	CHECK(!ev_line_read(&line, &reader, ev_str(text), &arena, &err));
	CHECK(line.data.ptr == strstr(text, "{\"a\""));
	CHECK_STR(line.data, "{\"a\":[1]}");
	CHECK_STR(line.actor, "ada");
	CHECK(!line.causation.ptr && !arena.block && reader.position == 7);
	ev_line_reader_release(&reader);
	ev_arena_release(&arena);
}

static void
check_refused(const char *text, const char *wanted)
{
	struct ev_line_reader reader = { .catalog = EV_STR("rig"),
	                                 .position = 4 };
	struct ev_arena arena = { 0 };
	struct ev_line line = { .position = -1 };
	struct ev_err err = { "" };

	CHECK_NAMED(text, ev_line_read(&line, &reader, ev_str(text), &arena,
	                               &err) == EV_BAD_INPUT &&
	                  line.position == -1 && reader.position == 4);
	if (!CHECK_NAMED(text, strstr(err.text, wanted)))
		printf("# %s\n", err.text);
	ev_line_reader_release(&reader);
	ev_arena_release(&arena);
}

int
main(int argc, char **argv)
{
	check_spellings(argc > 1 ? strtoull(argv[1], NULL, 10) : 20260421);
	check_borrowing();
	check_refused("", "empty");
	check_refused("[]", "expected an object, found array");
	check_refused("{\"type\":\"A\"}", "no object 'data'");
	check_refused("{\"data\":{}}", "no 'type'");
	check_refused("{\"type\":null,\"data\":{}}", "no 'type'");
	check_refused("{\"type\":\"A\",\"data\":[]}", "'data': expected an obj");
	check_refused("{\"type\":\"A\",\"type\":\"A\",\"data\":{}}", "twice");
	check_refused("{\"type\":\"A\",\"data\":{},\"position\":-1}",
	              "'position': expected a whole number");
	check_refused("{\"type\":\"A\",\"data\":{},\"version\":1e3}",
	              "'version': expected a whole number");
	check_refused("{\"type\":\"A\",\"data\":{},\"schemaVersion\":3000000000}",
	              "'schemaVersion': expected a whole number");
	check_refused("{\"type\":\"A\",\"data\":{},\"priority\":\"low\"}",
	              "'priority': expected info");
	check_refused("{\"type\":\"A\",\"data\":{},\"recordedAt\":\"now\"}",
	              "'recordedAt': 'now' is no RFC 3339 time");
	check_refused("{\"type\":\"A\",\"data\":{}}x", "column 23");
	return unit_end();
}
