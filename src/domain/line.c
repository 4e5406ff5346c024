#include "domain/line.h"

/* A reader that walks over the text; `bad` sticks. */
struct walk {
	const char *at;
	const char *end;
	bool bad;
};

static void
skip(struct walk *w, struct ev_str literal)
{
	if ((size_t)(w->end - w->at) < literal.len ||
	    memcmp(w->at, literal.ptr, literal.len) != 0) {
		w->bad = true;
		return;
	}
	w->at += literal.len;
}

static int64_t
take_int(struct walk *w)
{
	int64_t number = 0;
	const char *begin = w->at;

	while (w->at < w->end && *w->at >= '0' && *w->at <= '9' &&
	       w->at - begin < 18)
		number = number * 10 + (*w->at++ - '0');
	if (w->at == begin || (w->at - begin > 1 && *begin == '0'))
		w->bad = true;
	return number;
}

/* Past the closing quote of a string whose opening one is behind us. */
static struct ev_str
take_text(struct walk *w)
{
	const char *begin = w->at;
	const char *quote = begin;

	for (;;) {
		const char *back;

		quote = memchr(quote, '"', (size_t)(w->end - quote));
		if (!quote) {
			w->bad = true;
			return (struct ev_str){ 0 };
		}
		/* an odd number of backslashes before it escapes it */
		for (back = quote; back > begin && back[-1] == '\\'; back--)
			;
		if ((quote - back) % 2 == 0)
			break;
		quote++;
	}
	w->at = quote + 1;
	return (struct ev_str){ begin, (size_t)(quote - begin) };
}

static struct ev_str
take_string(struct walk *w)
{
	skip(w, EV_STR("\""));
	return w->bad ? (struct ev_str){ 0 } : take_text(w);
}

static struct ev_str
take_nullable(struct walk *w)
{
	if (w->at < w->end && *w->at == 'n') {
		skip(w, EV_STR("null"));
		return (struct ev_str){ 0 };
	}
	return take_string(w);
}

/* An object up to its closing brace. */
static struct ev_str
take_object(struct walk *w)
{
	const char *begin = w->at;
	int depth = 0;

	while (!w->bad && w->at < w->end) {
		switch (*w->at++) {
		case '"':
			take_text(w);
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return (struct ev_str){
					begin, (size_t)(w->at - begin)
				};
			break;
		}
		if (depth == 0)
			break;
	}
	w->bad = true;
	return (struct ev_str){ 0 };
}

bool
ev_line_parse(struct ev_str text, struct ev_line *line)
{
	struct walk walk = { text.ptr, text.ptr + text.len, text.len == 0 };
	struct walk *w = &walk;

	if (w->bad)
		return false;
	skip(w, EV_STR("{\"position\":"));
	line->position = take_int(w);
	skip(w, EV_STR(",\"streamId\":"));
	line->stream = take_string(w);
	skip(w, EV_STR(",\"version\":"));
	line->version = take_int(w);
	skip(w, EV_STR(",\"id\":"));
	line->id = take_string(w);
	skip(w, EV_STR(",\"catalog\":"));
	line->catalog = take_string(w);
	skip(w, EV_STR(",\"type\":"));
	line->type = take_string(w);
	skip(w, EV_STR(",\"schemaVersion\":"));
	line->schema_version = (int)take_int(w);
	skip(w, EV_STR(",\"timestamp\":"));
	line->timestamp = take_string(w);
	skip(w, EV_STR(",\"recordedAt\":"));
	line->recorded_at = take_string(w);
	skip(w, EV_STR(",\"priority\":"));
	line->priority = ev_priority_parse(take_string(w));
	skip(w, EV_STR(",\"correlationId\":"));
	line->correlation = take_nullable(w);
	skip(w, EV_STR(",\"causationId\":"));
	line->causation = take_nullable(w);
	skip(w, EV_STR(",\"actor\":"));
	line->actor = take_nullable(w);
	skip(w, EV_STR(",\"data\":"));
	line->data = take_object(w);
	skip(w, EV_STR(",\"meta\":"));
	line->meta = take_object(w);
	skip(w, EV_STR("}"));
	return !w->bad && w->at == w->end &&
	       line->priority != EV_PRIORITY_NONE;
}

static void
add_literal(struct ev_buf *out, struct ev_str literal)
{
	ev_buf_add_str(out, literal);
}

static void
add_nullable(struct ev_buf *out, struct ev_str slice)
{
	if (!slice.ptr) {
		add_literal(out, EV_STR("null"));
		return;
	}
	ev_buf_add_char(out, '"');
	ev_buf_add_str(out, slice);
	ev_buf_add_char(out, '"');
}

void
ev_line_format(struct ev_buf *out, const struct ev_line *line)
{
	/* once, so that the pieces below never have to grow */
	ev_buf_reserve(out, 512 + line->stream.len + line->data.len +
	                    line->meta.len);
	add_literal(out, EV_STR("{\"position\":"));
	ev_buf_add_int(out, line->position);
	add_literal(out, EV_STR(",\"streamId\":\""));
	ev_buf_add_str(out, line->stream);
	add_literal(out, EV_STR("\",\"version\":"));
	ev_buf_add_int(out, line->version);
	add_literal(out, EV_STR(",\"id\":\""));
	ev_buf_add_str(out, line->id);
	add_literal(out, EV_STR("\",\"catalog\":\""));
	ev_buf_add_str(out, line->catalog);
	add_literal(out, EV_STR("\",\"type\":\""));
	ev_buf_add_str(out, line->type);
	add_literal(out, EV_STR("\",\"schemaVersion\":"));
	ev_buf_add_int(out, line->schema_version);
	add_literal(out, EV_STR(",\"timestamp\":\""));
	ev_buf_add_str(out, line->timestamp);
	add_literal(out, EV_STR("\",\"recordedAt\":\""));
	ev_buf_add_str(out, line->recorded_at);
	add_literal(out, EV_STR("\",\"priority\":\""));
	ev_buf_add_str(out, ev_str(ev_priority_format(line->priority)));
	add_literal(out, EV_STR("\",\"correlationId\":"));
	add_nullable(out, line->correlation);
	add_literal(out, EV_STR(",\"causationId\":"));
	add_nullable(out, line->causation);
	add_literal(out, EV_STR(",\"actor\":"));
	add_nullable(out, line->actor);
	add_literal(out, EV_STR(",\"data\":"));
	ev_buf_add_str(out, line->data);
	add_literal(out, EV_STR(",\"meta\":"));
	ev_buf_add_str(out, line->meta);
	ev_buf_add_char(out, '}');
}

static unsigned
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a' + 10);
}

void
ev_line_unescape(struct ev_buf *out, struct ev_str slice)
{
	static const char short_from[] = "bfnrt";
	static const char short_to[] = "\b\f\n\r\t";

	for (size_t i = 0; i < slice.len; i++) {
		char c = slice.ptr[i];
		const char *s;

		if (c != '\\' || i + 1 == slice.len) {
			ev_buf_add_char(out, c);
			continue;
		}
		c = slice.ptr[++i];
		if (c == 'u' && i + 4 < slice.len) {
			/* the log only ever writes \u00XX */
			ev_buf_add_char(out, (char)(hex_digit(slice.ptr[i + 3])
			                            << 4 |
			                            hex_digit(slice.ptr[i + 4])));
			i += 4;
		} else if (c && (s = strchr(short_from, c))) {
			ev_buf_add_char(out, short_to[s - short_from]);
		} else {
			ev_buf_add_char(out, c);
		}
	}
}

struct ev_str
ev_line_escape(struct ev_arena *arena, struct ev_str text)
{
	struct ev_buf json = { 0 };
	struct ev_str slice;

	ev_json_write_string(&json, text);
	slice = ev_arena_dup(arena, (struct ev_str){ json.ptr + 1,
	                                             json.len - 2 });
	ev_buf_release(&json);
	return slice;
}
