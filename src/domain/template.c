#include "domain/template.h"

#include "domain/decimal.h"

enum filter { PLAIN, AGENT, SOME, SEGMENT, STRICT };

/* A placeholder and the literal text before it. */
struct part {
	struct ev_str before;
	struct ev_str name;
	struct ev_str *path; /* the name, split at its dots */
	size_t path_len;
	enum filter filter;
};

struct ev_template {
	const struct part *parts;
	size_t count;
	struct ev_str after; /* literal text at the end */
};

static const struct {
	const char *name;
	enum filter filter;
} filters[] = {
	{ "agent", AGENT },
	{ "some", SOME },
	{ "segment", SEGMENT },
	{ "strict", STRICT },
};

static bool
find_filter(struct ev_str name, enum filter *out)
{
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		if (ev_str_equal(name, ev_str(filters[i].name))) {
			*out = filters[i].filter;
			return true;
		}
	return false;
}

static struct ev_str
slice(const char *from, const char *to)
{
	return (struct ev_str){ from, (size_t)(to - from) };
}

static const char *
find_char(struct ev_str s, char c)
{
	return s.len ? memchr(s.ptr, c, s.len) : NULL;
}

static bool
split_path(struct part *part, struct ev_arena *arena)
{
	const char *from = part->name.ptr, *end = from + part->name.len;
	size_t dots = 0;

	for (const char *p = from; p < end; p++)
		dots += *p == '.';
	part->path = ev_arena_alloc(arena, (dots + 1) * sizeof *part->path);
	while (from <= end) {
		const char *dot = find_char(slice(from, end), '.');
		const char *to = dot ? dot : end;

		if (to == from)
			return false;
		part->path[part->path_len++] = slice(from, to);
		from = to + 1;
	}
	return true;
}

static enum ev_status
compile_part(struct part *part, struct ev_arena *arena, struct ev_str inside,
             struct ev_err *err)
{
	const char *bar = find_char(inside, '|');

	part->name = inside;
	if (bar) {
		struct ev_str filter = slice(bar + 1, inside.ptr + inside.len);

		part->name = slice(inside.ptr, bar);
		if (!find_filter(filter, &part->filter))
			return ev_err_set(err, EV_BAD_INPUT,
			                  "unknown filter '%.*s': use agent, "
			                  "some, segment or strict",
			                  EV_FMT(filter));
	}
	if (!split_path(part, arena))
		return ev_err_set(err, EV_BAD_INPUT,
		                  "placeholder '{%.*s}' names no member",
		                  EV_FMT(inside));
	return EV_OK;
}

enum ev_status
ev_template_compile(const struct ev_template **out, struct ev_arena *arena,
                    struct ev_str text, struct ev_err *err)
{
	struct ev_template *t = ev_arena_alloc(arena, sizeof *t);
	const char *from = text.ptr, *end = from + text.len, *p;
	struct part *parts;
	size_t opened = 0;

	for (size_t i = 0; i < text.len; i++)
		opened += text.ptr[i] == '{';
	parts = ev_arena_alloc(arena, (opened + 1) * sizeof *parts);
	t->parts = parts;
	for (p = from; p < end; p++) {
		struct part *part = &parts[t->count];
		const char *close;

		if (*p == '}')
			return ev_err_set(err, EV_BAD_INPUT,
			                  "'}' without '{' in '%.*s'",
			                  EV_FMT(text));
		if (*p != '{')
			continue;
		close = find_char(slice(p, end), '}');
		if (!close || find_char(slice(p + 1, close), '{'))
			return ev_err_set(err, EV_BAD_INPUT,
			                  "'{' without '}' in '%.*s'",
			                  EV_FMT(text));
		part->before = slice(from, p);
		if (compile_part(part, arena, slice(p + 1, close), err))
			return EV_BAD_INPUT;
		t->count++;
		p = close;
		from = close + 1;
	}
	t->after = slice(from, end);
	*out = t;
	return EV_OK;
}

static bool
is_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-';
}

static void
add_segment(struct ev_buf *out, struct ev_str value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if (is_word(c)) {
			ev_buf_add_char(out, (char)c);
		} else {
			char code[] = { '_', hex[c >> 4], hex[c & 15] };

			ev_buf_add(out, code, sizeof code);
		}
	}
}

static bool
is_strict(struct ev_str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_word((unsigned char)value.ptr[i]) &&
		    value.ptr[i] != '_')
			return false;
	return true;
}

static void
add_number(struct ev_buf *out, struct ev_str number, enum filter filter)
{
	size_t start = out->len;

	ev_decimal_write_plain(out, number);
	/* only what was no integer has a byte that a segment may not have, and
	   such a number was written as it is */
	if (filter == SEGMENT &&
	    !is_strict(slice(out->ptr + start, out->ptr + out->len))) {
		out->len = start;
		add_segment(out, number);
	}
}

static enum ev_status
fill_part(const struct part *part, yyjson_val *data, struct ev_buf *out,
          struct ev_err *err)
{
	yyjson_val *found = data;
	struct ev_str value;
	const char *slash;

	for (size_t i = 0; i < part->path_len; i++)
		found = yyjson_obj_getn(found, part->path[i].ptr,
		                        part->path[i].len);
	value = ev_json_text(found);
	if (part->filter == AGENT && (slash = find_char(value, '/')))
		value.len = (size_t)(slash - value.ptr);
	if (!value.len ||
	    (part->filter == SOME && yyjson_is_raw(found) &&
	     ev_decimal_is_zero(value)))
		return ev_err_set(err, EV_NO, "'%.*s' is missing or empty",
		                  EV_FMT(part->name));
	if (part->filter == STRICT && !is_strict(value))
		return ev_err_set(err, EV_BAD_INPUT,
		                  "'%.*s': only letters, digits, '_' and '-' "
		                  "fit here, not '%.*s'",
		                  EV_FMT(part->name), EV_FMT(value));
	if (yyjson_is_raw(found))
		add_number(out, value, part->filter);
	else if (part->filter == SEGMENT)
		add_segment(out, value);
	else
		ev_buf_add_str(out, value);
	return EV_OK;
}

enum ev_status
ev_template_fill(const struct ev_template *t, yyjson_val *data,
                 struct ev_buf *out, struct ev_err *err)
{
	size_t start = out->len;

	for (size_t i = 0; i < t->count; i++) {
		enum ev_status status;

		ev_buf_add_str(out, t->parts[i].before);
		status = fill_part(&t->parts[i], data, out, err);
		if (status) {
			out->len = start;
			return status;
		}
	}
	ev_buf_add_str(out, t->after);
	return EV_OK;
}

static const char *
find_last(struct ev_str s, struct ev_str what)
{
	for (size_t i = s.len; what.len && i >= what.len; i--)
		if (!memcmp(s.ptr + i - what.len, what.ptr, what.len))
			return s.ptr + i - what.len;
	return NULL;
}

/*
 * The i-th placeholder's value, given where it ends; *end moves before the
 * literal text that precedes it.
 */
static bool
match_part(const struct ev_template *t, size_t i, const char *start,
           const char **end, struct ev_str *value)
{
	const struct part *part = &t->parts[i];
	struct ev_str text = slice(start, *end);
	const char *at = start;

	if (i > 0)
		at = find_last(text, part->before);
	else if (!ev_str_starts(text, part->before))
		at = NULL;
	if (!at)
		return false;
	*value = slice(at + part->before.len, *end);
	*end = at;
	return value->len > 0 &&
	       !(part->filter == AGENT && find_char(*value, '/'));
}

bool
ev_template_match(const struct ev_template *t, struct ev_str text,
                  void (*take)(void *context, struct ev_str member,
                               struct ev_str value),
                  void *context)
{
	const char *end = text.ptr + text.len, *from;
	struct ev_str value;

	if (text.len < t->after.len ||
	    (t->after.len && memcmp(end - t->after.len, t->after.ptr,
	                            t->after.len) != 0))
		return false;
	end -= t->after.len;
	if (!t->count)
		return end == text.ptr;
	from = end;
	for (size_t i = t->count; i-- > 0;)
		if (!match_part(t, i, text.ptr, &end, &value))
			return false;
	/* a second walk, forward, because the callers want that order */
	for (size_t i = 0; i < t->count; i++) {
		const struct part *part = &t->parts[i];

		end = from;
		for (size_t k = t->count; k-- > i;)
			match_part(t, k, text.ptr, &end, &value);
		if (part->path_len == 1 && part->filter != SEGMENT &&
		    part->filter != STRICT)
			take(context, part->name, value);
	}
	return true;
}

/* Goes through literal text; *open: the word at its end has no byte yet. */
static bool
check_words(struct ev_str text, bool *open)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '.' && *open)
			return false;
		*open = text.ptr[i] == '.';
		if (!*open && !is_strict(slice(text.ptr + i, text.ptr + i + 1)))
			return false;
	}
	return true;
}

bool
ev_template_is_topic(const struct ev_template *t)
{
	bool open = true;

	for (size_t i = 0; i < t->count; i++) {
		if (!check_words(t->parts[i].before, &open) ||
		    (t->parts[i].filter != SEGMENT &&
		     t->parts[i].filter != STRICT))
			return false;
		open = false;
	}
	return check_words(t->after, &open) && !open;
}

struct ev_str
ev_template_member(const struct ev_template *t, size_t i)
{
	return i < t->count ? t->parts[i].name : (struct ev_str){ 0 };
}
