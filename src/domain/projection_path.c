#include "domain/projection_parts.h"

/* ---- words */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_name_byte(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       (unsigned char)c >= 0x80;
}

bool
projection_is_name(struct ev_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_name_byte(text.ptr[i]))
			return false;
	return text.len > 0;
}

bool
projection_find_slot(const struct projection_slots *slots, struct ev_str name,
                     size_t *slot)
{
	for (size_t i = 0; i < slots->count; i++)
		if (ev_str_equal(slots->list[i].name, name)) {
			*slot = i;
			return true;
		}
	return false;
}

struct ev_str
projection_slice(struct projection_compiler *c, struct ev_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if (byte < 0x20 || byte == '"' || byte == '\\')
			return ev_line_escape(c->arena, text);
	}
	return text;
}

static struct ev_str
cut(struct ev_str text, size_t from, size_t to)
{
	return (struct ev_str){ text.ptr + from, to - from };
}

/* The place of a byte at or after `from`, or the text's length. */
static size_t
find(struct ev_str text, size_t from, char byte)
{
	const char *found = from < text.len
		? memchr(text.ptr + from, byte, text.len - from) : NULL;

	return found ? (size_t)(found - text.ptr) : text.len;
}

/* ---- paths */

/* $word: how many bytes that is, 0 for anything else. */
static size_t
measure_root(struct ev_str text)
{
	size_t len = 1;

	if (!text.len || *text.ptr != '$')
		return 0;
	while (len < text.len && is_letter(text.ptr[len]))
		len++;
	return len;
}

/*
 * What is meant as a path, be it well written or not: $dco.state is one too,
 * since taken as a literal it would go unnoticed for long.
 */
bool
projection_is_path(struct ev_str text)
{
	size_t root = measure_root(text);
	struct ev_str word = { text.ptr, root };

	if (!text.len)
		return false;
	if (*text.ptr == '.')
		return text.len == 1 || is_letter(text.ptr[1]) ||
		       text.ptr[1] == '_';
	if (*text.ptr == '@')
		return text.len > 2 && text.ptr[1] == '.' &&
		       is_letter(text.ptr[2]);
	if (ev_str_equal(word, EV_STR("$doc")) ||
	    ev_str_equal(word, EV_STR("$note")))
		return root == text.len || text.ptr[root] == '.';
	if (ev_str_starts(text, EV_STR("$each")) ||
	    ev_str_starts(text, EV_STR("$.")))
		return true;
	/* $timestamp, where $.timestamp is meant, is no text to store */
	return root > 1;
}

/* Splits what follows the root: ".a.b", "" or, for the payload, ".". */
static bool
split(struct projection_compiler *c, struct ev_path *out, struct ev_str rest)
{
	struct ev_str *names;
	size_t count = 0, dot;

	for (size_t i = 0; i < rest.len; i++)
		count += rest.ptr[i] == '.';
	names = ev_arena_alloc(c->arena, (count + 1) * sizeof *names);
	out->names = names;
	out->count = 0;
	for (size_t at = 0; at < rest.len; at = dot) {
		dot = find(rest, at + 1, '.');
		names[out->count] = cut(rest, at + 1, dot);
		if (rest.ptr[at] != '.' ||
		    !projection_is_name(names[out->count++]))
			return false;
	}
	return true;
}

static bool
refuse_split(struct projection_compiler *c, yyjson_val *where,
             struct ev_str text)
{
	projection_complain(c, where,
	                    "'%.*s' is no path: names of letters, digits, '_' "
	                    "and '-' stand between dots", EV_FMT(text));
	return false;
}

/* `names` begins with a member of the envelope, which is taken off. */
static bool
resolve_event(struct projection_compiler *c, struct ev_path *out,
              yyjson_val *where)
{
	static const char *const known[] = {
		"position",      "streamId",    "version",    "id",
		"catalog",       "type",        "schemaVersion", "timestamp",
		"recordedAt",    "priority",    "correlationId", "causationId",
		"actor",         "data",        "meta",          NULL };
	struct ev_str name = out->names[0];

	out->names++;
	out->count--;
	if (c->from) {
		out->member = ev_str_equal(name, EV_STR("key"))
			? EV_MEMBER_STREAM : EV_MEMBER_NONE;
		if (out->member == EV_MEMBER_NONE) {
			projection_complain(c, where,
			                    "'%.*s': with 'from' there is "
			                    "$.key only",
			                    EV_FMT(out->text));
			return false;
		}
	} else {
		out->member = ev_member_parse(name);
		if (out->member == EV_MEMBER_NONE) {
			projection_complain(
				c, where,
				"'%.*s': an event's envelope has no '%.*s'%s",
				EV_FMT(out->text), EV_FMT(name),
				projection_hint(c, name, known));
			return false;
		}
	}
	if (out->count && out->member != EV_MEMBER_DATA &&
	    out->member != EV_MEMBER_META) {
		projection_complain(c, where,
		                    "'%.*s': '%.*s' has no members",
		                    EV_FMT(out->text), EV_FMT(name));
		return false;
	}
	return true;
}

static bool
resolve_slot(struct projection_compiler *c, struct ev_path *out,
             yyjson_val *where)
{
	bool note = out->root == EV_ROOT_NOTE;
	const struct projection_slots *slots = note ? &c->note : &c->document;

	if (projection_find_slot(slots, out->names[0], &out->slot))
		return true;
	projection_complain(c, where, "'%.*s': nothing writes a member '%.*s' "
	                              "of the %s%s",
	                    EV_FMT(out->text), EV_FMT(out->names[0]),
	                    note ? "note" : "document",
	                    projection_hint_slot(c, out->names[0], slots));
	return false;
}

/* Can a path with this root have a value here? NULL: yes; else why not. */
static const char *
refuse_root(const struct projection_compiler *c, enum ev_root root)
{
	switch (root) {
	case EV_ROOT_DOCUMENT:
		if (c->in_notes)
			return "a note knows no document: it is $note itself";
		if (c->part == PROJECTION_KEY)
			return "a key cannot come from the document that it "
			       "finds";
		if (c->part == PROJECTION_EACH)
			return "'each' goes through a list of the event: "
			       "write .list";
		if (c->part == PROJECTION_WHEN && c->each_key)
			return "which document it is depends on $each, and "
			       "'when' comes before that";
		break;
	case EV_ROOT_NOTE:
		if (!c->has_notes)
			return "there are no 'notes'";
		if (c->part == PROJECTION_KEY && c->in_notes)
			return "a key cannot come from the note that it finds";
		break;
	case EV_ROOT_ELEMENT:
		if (!c->in_each)
			return "there is no 'each' here";
		if (c->part == PROJECTION_WHEN)
			return "'when' is looked at once, before 'each'";
		if (c->part == PROJECTION_EACH)
			return "'each' itself cannot come from its elements";
		break;
	default:
		break;
	}
	return NULL;
}

static const struct {
	const char *word;
	enum ev_root root;
	bool named; /* means nothing without a name */
} roots[] = {
	{ "", EV_ROOT_DATA, false },         { "$", EV_ROOT_EVENT, true },
	{ "$doc", EV_ROOT_DOCUMENT, true },  { "$note", EV_ROOT_NOTE, true },
	{ "$each", EV_ROOT_ELEMENT, false },
};

bool
projection_path(struct projection_compiler *c, struct ev_path *out,
                yyjson_val *where, struct ev_str text)
{
	static const char *const known[] = { "$doc", "$note", "$each", NULL };
	size_t len = measure_root(text), i = 0;
	struct ev_str root = { text.ptr, len };
	struct ev_str rest = { text.ptr + len, text.len - len };
	const char *why;

	*out = (struct ev_path){ .text = text, .where = where,
	                         .member = EV_MEMBER_NONE };
	if (text.len && *text.ptr == '@') {
		size_t skip = text.len > 1 && text.ptr[1] == '.' ? 2 : 1;

		projection_complain(c, where,
		                    "'%.*s' is no path: a member of the "
		                    "document is written $doc.%.*s",
		                    EV_FMT(text), (int)(text.len - skip),
		                    text.ptr + skip);
		return false;
	}
	while (i < sizeof roots / sizeof *roots &&
	       !ev_str_equal(root, ev_str(roots[i].word)))
		i++;
	if (!rest.len && !len)
		i = sizeof roots / sizeof *roots;
	if (i == sizeof roots / sizeof *roots || (!len && *rest.ptr != '.')) {
		projection_complain(c, where,
		                    "'%.*s' is no path: one begins with '.', "
		                    "'$.', '$doc.', '$note.' or '$each'%s",
		                    EV_FMT(text),
		                    projection_hint(c, root, known));
		return false;
	}
	out->root = roots[i].root;
	if (ev_str_equal(text, EV_STR(".")))
		return true;
	if (!split(c, out, rest))
		return refuse_split(c, where, text);
	if (!out->count && roots[i].named) {
		projection_complain(c, where, "'%.*s' needs a member: %.*s.x",
		                    EV_FMT(text), EV_FMT(text));
		return false;
	}
	if ((why = refuse_root(c, out->root))) {
		projection_complain(c, where, "'%.*s': %s", EV_FMT(text), why);
		return false;
	}
	if (out->root == EV_ROOT_EVENT)
		return resolve_event(c, out, where);
	if (out->root == EV_ROOT_DOCUMENT || out->root == EV_ROOT_NOTE)
		return resolve_slot(c, out, where);
	return true;
}

void
projection_member(struct projection_compiler *c, struct ev_path *out,
                  yyjson_val *where)
{
	struct ev_str text = ev_json_text(where);
	struct ev_str dotted;
	char *copy;

	*out = (struct ev_path){ .root = EV_ROOT_DOCUMENT, .text = text,
	                         .where = where, .member = EV_MEMBER_NONE };
	if (!yyjson_is_str(where) || !text.len) {
		projection_complain(c, where,
		                    "a member's name stands here, not %s",
		                    projection_kind(where));
		return;
	}
	if (*text.ptr == '$' || *text.ptr == '.') {
		projection_complain(c, where,
		                    "'%.*s': 'derive' sees members of the "
		                    "document only, and names them without "
		                    "$doc", EV_FMT(text));
		return;
	}
	copy = ev_arena_alloc(c->arena, text.len + 1);
	*copy = '.';
	memcpy(copy + 1, text.ptr, text.len);
	dotted = (struct ev_str){ copy, text.len + 1 };
	if (!split(c, out, dotted))
		refuse_split(c, where, text);
	else
		resolve_slot(c, out, where);
}

/* ---- templates */

static const char *const filters[] = {
	[EV_FILTER_PLAIN] = "",         [EV_FILTER_AGENT] = "agent",
	[EV_FILTER_DATE] = "date",      [EV_FILTER_PART] = "part",
	[EV_FILTER_SEGMENT] = "segment", [EV_FILTER_SOME] = "some", NULL
};

static bool
find_filter(struct ev_str name, enum ev_filter_name *out)
{
	for (int i = EV_FILTER_AGENT; filters[i]; i++)
		if (ev_str_equal(name, ev_str(filters[i]))) {
			*out = (enum ev_filter_name)i;
			return true;
		}
	return false;
}

bool
projection_is_template(struct ev_str text)
{
	return find(text, 0, '{') < text.len;
}

/* What stands between two braces. */
static bool
compile_placeholder(struct projection_compiler *c, struct ev_text_part *part,
                    yyjson_val *where, struct ev_str inside)
{
	size_t bar = find(inside, 0, '|');
	struct ev_str text = cut(inside, 0, bar);
	struct ev_path *path = ev_arena_alloc(c->arena, sizeof *path);

	part->path = path;
	if (bar < inside.len) {
		struct ev_str name = cut(inside, bar + 1, inside.len);

		if (!find_filter(name, &part->filter)) {
			projection_complain(c, where,
			                    "'{%.*s}': the filters are agent, "
			                    "date, part, segment and some%s",
			                    EV_FMT(inside),
			                    projection_hint(c, name, filters));
			return false;
		}
	}
	if (projection_is_name(text)) {
		projection_complain(c, where,
		                    "'{%.*s}' holds no path: write {%s%.*s}",
		                    EV_FMT(inside),
		                    ev_member_parse(text) == EV_MEMBER_NONE
		                            ? "." : "$.",
		                    EV_FMT(inside));
		return false;
	}
	if (!text.len) {
		projection_complain(c, where, "'{%.*s}' holds no path, such as "
		                              ".x", EV_FMT(inside));
		return false;
	}
	if (ev_str_equal(text, EV_STR("."))) {
		projection_complain(c, where,
		                    "'{%.*s}': the whole payload is no text: "
		                    "name a member", EV_FMT(inside));
		return false;
	}
	return projection_path(c, path, where, text);
}

bool
projection_text(struct projection_compiler *c, struct ev_text *out,
                yyjson_val *where, struct ev_str text)
{
	size_t opened = 0, from = 0, at, close;
	struct ev_text_part *parts;

	for (size_t i = 0; i < text.len; i++)
		opened += text.ptr[i] == '{';
	parts = ev_arena_alloc(c->arena, (opened + 1) * sizeof *parts);
	*out = (struct ev_text){ parts, 0 };
	while ((at = find(text, from, '{')) < text.len) {
		struct ev_text_part *part = &parts[out->count++];

		close = find(text, at, '}');
		if (close == text.len || find(text, at + 1, '{') < close) {
			projection_complain(c, where, "'{' without '}' in "
			                              "'%.*s'", EV_FMT(text));
			return false;
		}
		if (find(text, from, '}') < at)
			break;
		part->literal = projection_slice(c, cut(text, from, at));
		if (!compile_placeholder(c, part, where,
		                         cut(text, at + 1, close)))
			return false;
		from = close + 1;
	}
	if (find(text, from, '}') < text.len) {
		projection_complain(c, where, "'}' without '{' in '%.*s'",
		                    EV_FMT(text));
		return false;
	}
	if (from < text.len || !out->count)
		parts[out->count++].literal =
			projection_slice(c, cut(text, from, text.len));
	return true;
}

/* ---- targets */

/* The next dot that stands outside of braces, or the text's length. */
static size_t
find_dot(struct ev_str text, size_t from)
{
	bool inside = false;

	for (; from < text.len; from++) {
		if (text.ptr[from] == '.' && !inside)
			break;
		if (text.ptr[from] == '{' || text.ptr[from] == '}')
			inside = text.ptr[from] == '{';
	}
	return from;
}

void
projection_target(struct projection_compiler *c, struct ev_target *out,
                  yyjson_val *where)
{
	struct ev_str text = ev_json_text(where);
	size_t dot = find_dot(text, 0), count = 0;
	struct ev_str head = cut(text, 0, dot);
	const struct projection_slots *slots =
		c->in_notes ? &c->note : &c->document;
	struct ev_text *steps;

	*out = (struct ev_target){ .text = text, .where = where };
	if (projection_is_path(text)) {
		projection_complain(c, where,
		                    "'%.*s': a member that is written stands "
		                    "without '.' or '$doc.' before it",
		                    EV_FMT(text));
		return;
	}
	if (projection_is_template(head)) {
		projection_complain(c, where,
		                    "'%.*s': a document's members have fixed "
		                    "names: put one before it, as in "
		                    "by.%.*s", EV_FMT(text), EV_FMT(text));
		return;
	}
	if (!projection_is_name(head)) {
		projection_complain(c, where,
		                    "'%.*s': a member's name is letters, "
		                    "digits, '_' and '-'", EV_FMT(text));
		return;
	}
	if (!c->in_notes && ev_str_equal(head, EV_STR("key")))
		projection_complain(c, where, "a document has its 'key' "
		                              "already: use another name");
	if (!projection_find_slot(slots, head, &out->slot))
		return;
	for (size_t i = dot; i < text.len; i = find_dot(text, i + 1))
		count++;
	steps = ev_arena_alloc(c->arena, count * sizeof *steps);
	out->steps = steps;
	while (dot < text.len) {
		size_t end = find_dot(text, dot + 1);
		struct ev_str step = cut(text, dot + 1, end);

		if (!step.len) {
			projection_complain(c, where, "'%.*s': a name is "
			                              "missing beside a dot",
			                    EV_FMT(text));
			return;
		}
		if (!projection_text(c, &steps[out->count++], where, step))
			return;
		dot = end;
	}
}

/* ---- values */

void
projection_refuse_paths(struct projection_compiler *c, yyjson_val *value,
                        const char *what)
{
	struct ev_str text = ev_json_text(value);
	yyjson_arr_iter items = yyjson_arr_iter_with(value);
	yyjson_obj_iter members = yyjson_obj_iter_with(value);
	yyjson_val *item;

	if (yyjson_is_str(value) &&
	    (projection_is_path(text) || projection_is_template(text)))
		projection_complain(c, value, "'%.*s': %s holds literals, no "
		                              "paths and no templates",
		                    EV_FMT(text), what);
	while ((item = yyjson_arr_iter_next(&items)))
		projection_refuse_paths(c, item, what);
	while ((item = yyjson_obj_iter_next(&members)))
		projection_refuse_paths(c, yyjson_obj_iter_get_val(item),
		                        what);
}

static struct ev_str
write_literal(struct projection_compiler *c, yyjson_val *value)
{
	struct ev_buf json = { 0 };
	struct ev_str literal;

	if (yyjson_is_raw(value))
		return ev_json_text(value);
	if (yyjson_is_null(value))
		return EV_STR("null");
	if (yyjson_is_bool(value))
		return yyjson_is_true(value) ? EV_STR("true") : EV_STR("false");
	ev_json_write(&json, value);
	literal = ev_arena_dup(c->arena, ev_buf_str(&json));
	ev_buf_release(&json);
	return literal;
}

/* In YAML, {.agentId} without quotes is a map of one member. */
static void
refuse_unquoted(struct projection_compiler *c, yyjson_val *name)
{
	struct ev_str text = ev_json_text(name);

	if (projection_is_path(text) &&
	    yyjson_is_null(yyjson_obj_iter_get_val(name)))
		projection_complain(c, name, "a template stands in quotes: "
		                             "write \"{%.*s}\"",
		                    EV_FMT(text));
}

/* A collection of literals is a literal. */
static void
compile_collection(struct projection_compiler *c, struct ev_source *out,
                   yyjson_val *value)
{
	bool object = yyjson_is_obj(value), literal = true;
	size_t count = object ? yyjson_obj_size(value) : yyjson_arr_size(value);
	yyjson_obj_iter members = yyjson_obj_iter_with(value);
	yyjson_arr_iter elements = yyjson_arr_iter_with(value);
	struct ev_source *items =
		ev_arena_alloc(c->arena, count * sizeof *items);
	struct ev_str *names =
		ev_arena_alloc(c->arena, object ? count * sizeof *names : 0);

	for (size_t i = 0; i < count; i++) {
		yyjson_val *item;

		if (object) {
			item = yyjson_obj_iter_next(&members);
			refuse_unquoted(c, item);
			names[i] = projection_slice(c, ev_json_text(item));
			item = yyjson_obj_iter_get_val(item);
		} else {
			item = yyjson_arr_iter_next(&elements);
		}
		projection_source(c, &items[i], item);
		literal &= items[i].kind == EV_SOURCE_LITERAL;
	}
	if (literal) {
		out->literal = write_literal(c, value);
		return;
	}
	out->kind = object ? EV_SOURCE_OBJECT : EV_SOURCE_LIST;
	out->items = items;
	out->names = object ? names : NULL;
	out->count = count;
}

void
projection_source(struct projection_compiler *c, struct ev_source *out,
                  yyjson_val *value)
{
	struct ev_str text = ev_json_text(value);

	*out = (struct ev_source){ .kind = EV_SOURCE_LITERAL, .where = value };
	if (yyjson_is_ctn(value)) {
		compile_collection(c, out, value);
	} else if (yyjson_is_str(value) && projection_is_template(text)) {
		out->kind = EV_SOURCE_TEXT;
		projection_text(c, &out->text, value, text);
	} else if (yyjson_is_str(value) && projection_is_path(text)) {
		out->kind = EV_SOURCE_PATH;
		projection_path(c, &out->path, value, text);
	} else {
		out->literal = write_literal(c, value);
	}
}
