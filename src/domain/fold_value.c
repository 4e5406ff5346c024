#include "base/time.h"
#include "domain/decimal.h"
#include "domain/fold_parts.h"

/* ---- values that an event has */

struct ev_str
fold_copy(struct ev_fold *fold, struct ev_str text)
{
	return ev_arena_dup(&fold->scratch, text);
}

static struct ev_str
quote(struct ev_fold *fold, struct ev_str slice)
{
	char *text;

	if (!slice.ptr)
		return EV_STR("null");
	text = ev_arena_alloc(&fold->scratch, slice.len + 2);
	text[0] = text[slice.len + 1] = '"';
	memcpy(text + 1, slice.ptr, slice.len);
	return (struct ev_str){ text, slice.len + 2 };
}

static struct ev_str
quote_int(struct ev_fold *fold, int64_t number)
{
	struct ev_buf text = { 0 };
	struct ev_str kept;

	ev_buf_add_int(&text, number);
	kept = fold_copy(fold, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept;
}

static struct ev_str
envelope_value(struct run *run, enum ev_member member)
{
	const struct ev_line *line = run->line;
	struct ev_fold *fold = run->fold;

	switch (member) {
	case EV_MEMBER_POSITION:
		return quote_int(fold, line->position);
	case EV_MEMBER_STREAM:
		return quote(fold, line->stream);
	case EV_MEMBER_VERSION:
		return quote_int(fold, line->version);
	case EV_MEMBER_ID:
		return quote(fold, line->id);
	case EV_MEMBER_CATALOG:
		return quote(fold, line->catalog);
	case EV_MEMBER_TYPE:
		return quote(fold, line->type);
	case EV_MEMBER_SCHEMA_VERSION:
		return quote_int(fold, line->schema_version);
	case EV_MEMBER_TIMESTAMP:
		return quote(fold, line->timestamp);
	case EV_MEMBER_RECORDED_AT:
		return quote(fold, line->recorded_at);
	case EV_MEMBER_PRIORITY:
		return quote(fold, ev_str(ev_priority_format(line->priority)));
	case EV_MEMBER_CORRELATION:
		return quote(fold, line->correlation);
	case EV_MEMBER_CAUSATION:
		return quote(fold, line->causation);
	case EV_MEMBER_ACTOR:
		return quote(fold, line->actor);
	case EV_MEMBER_DATA:
		return line->data;
	case EV_MEMBER_META:
		return line->meta;
	case EV_MEMBER_NONE:
		break;
	}
	return (struct ev_str){ 0 };
}

/* A top-level member of the payload, which is walked once for all of them. */
static struct ev_str
data_member(struct run *run, struct ev_str name)
{
	struct ev_fold *fold = run->fold;
	struct members *m = &fold->members;

	if (!m->walked) {
		struct ev_scan scan = ev_scan_begin(run->line->data);

		m->walked = true;
		m->count = 0;
		for (;;) {
			if (m->count == m->room) {
				m->room = m->room ? m->room * 2 : 16;
				m->list = ev_mem_resize(m->list, m->room *
				                        sizeof *m->list);
			}
			if (!ev_scan_member(&scan, &m->list[m->count].name,
			                    &m->list[m->count].value))
				break;
			m->count++;
		}
	}
	for (size_t i = 0; i < m->count; i++)
		if (ev_str_equal(m->list[i].name, name))
			return m->list[i].value;
	return (struct ev_str){ 0 };
}

/* A copy, as the document is going to change. */
static struct ev_str
document_value(struct ev_fold *fold, const struct document *document,
               const struct ev_path *path)
{
	const struct ev_value *value;
	struct ev_buf text = { 0 };
	struct ev_str kept;

	if (!document || !path->count)
		return (struct ev_str){ 0 };
	value = &document->slots[path->slot];
	if (value->kind == EV_VALUE_NONE)
		return (struct ev_str){ 0 };
	if (value->kind == EV_VALUE_JSON)
		return fold_copy(fold, ev_value_json(value));
	ev_value_write(value, &text);
	kept = fold_copy(fold, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept;
}

/* What the source cannot do sticks, or it would look like a missing value. */
enum ev_status
fold_document(struct run *run, struct ev_str key, struct document **out)
{
	if (!run->fold->failure)
		run->fold->failure = ev_fold_get(run->fold, key, out, run->err);
	return run->fold->failure;
}

/* The note that there was before the event; NULL: none. */
static struct document *
note(struct run *run)
{
	const struct ev_projection *notes = run->fold->projection->notes;
	struct ev_buf key = { 0 };

	if (run->note_sought || !notes)
		return run->note;
	run->note_sought = true;
	ev_buf_add_char(&key, EV_FOLD_NOTE);
	if (fold_key(run, notes->keys, notes->key_count, &key) == EV_OK)
		fold_document(run, ev_buf_str(&key), &run->note);
	ev_buf_release(&key);
	return run->note;
}

/* JSON, until the event is done; {0}: missing. */
struct ev_str
fold_path(struct run *run, const struct ev_path *path)
{
	struct ev_str value = { 0 };
	size_t next = 0;

	switch (path->root) {
	case EV_ROOT_DATA:
		if (!path->count)
			return run->line->data;
		value = data_member(run, path->names[next++]);
		break;
	case EV_ROOT_EVENT:
		value = envelope_value(run, path->member);
		break;
	case EV_ROOT_DOCUMENT:
		value = document_value(run->fold, run->document, path);
		next++;
		break;
	case EV_ROOT_NOTE:
		value = document_value(run->fold, note(run), path);
		next++;
		break;
	case EV_ROOT_ELEMENT:
		value = run->element;
		break;
	}
	while (value.ptr && next < path->count)
		value = ev_scan_find(value, path->names[next++]);
	return value;
}

/* ---- templates */

static bool
is_part_byte(char c)
{
	return c != '/' && c != '%';
}

static bool
is_segment_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '-';
}

static void
add_encoded(struct ev_buf *out, struct ev_str text, bool (*fits)(char),
            char mark)
{
	for (size_t i = 0; i < text.len; i++) {
		if (fits(text.ptr[i]))
			ev_buf_add_char(out, text.ptr[i]);
		else
			ev_buf_printf(out, "%c%02X", mark,
			              (unsigned char)text.ptr[i]);
	}
}

/* The log's own times are UTC already. */
static bool
add_date(struct ev_buf *out, struct ev_str text)
{
	char utc[EV_TIME_TEXT];
	int64_t time;

	if (text.len != EV_TIME_TEXT || text.ptr[EV_TIME_TEXT - 1] != 'Z') {
		if (!ev_time_parse(text, &time))
			return false;
		ev_time_format(time, utc);
		text.ptr = utc;
	}
	ev_buf_add(out, text.ptr, 10);
	return true;
}

/* 0.50 and 5e-1 are one number, so they are one text: 0.5. */
static void
add_fraction(struct ev_buf *out, struct ev_str json)
{
	struct ev_number number = { 0 };
	size_t begin = out->len;

	if (!ev_number_parse(&number, json)) {
		ev_buf_add_str(out, json);
		return;
	}
	ev_number_format(out, &number);
	ev_number_release(&number);
	while (out->len > begin + 1 && out->ptr[out->len - 1] == '0')
		out->len--;
}

/* What a placeholder shows of a value: the slice; {0}: nothing. */
struct ev_str
fold_plain(struct ev_fold *fold, struct ev_str json)
{
	struct ev_buf text = { 0 };
	struct ev_str plain = { 0 };

	if (!json.len || *json.ptr == '{' || *json.ptr == '[' ||
	    ev_scan_is_null(json))
		return plain;
	if (ev_scan_is_string(json)) {
		plain = ev_scan_text(json);
		return plain.len ? plain : (struct ev_str){ 0 };
	}
	if (!ev_scan_is_number(json))
		return json;
	if (ev_decimal_is_integer(json))
		ev_decimal_write_plain(&text, json);
	else
		add_fraction(&text, json);
	plain = fold_copy(fold, ev_buf_str(&text));
	ev_buf_release(&text);
	return plain;
}

static bool
add_filtered(struct ev_buf *out, struct ev_str text,
             enum ev_filter_name filter)
{
	const char *slash;

	switch (filter) {
	case EV_FILTER_AGENT:
		slash = memchr(text.ptr, '/', text.len);
		if (slash)
			text.len = (size_t)(slash - text.ptr);
		break;
	case EV_FILTER_DATE:
		return add_date(out, text);
	case EV_FILTER_PART:
		add_encoded(out, text, is_part_byte, '%');
		return true;
	case EV_FILTER_SEGMENT:
		add_encoded(out, text, is_segment_byte, '_');
		return true;
	case EV_FILTER_SOME:
		if (ev_str_equal(text, EV_STR("0")))
			return false;
		break;
	case EV_FILTER_PLAIN:
		break;
	}
	if (!text.len)
		return false;
	ev_buf_add_str(out, text);
	return true;
}

/* NULL when it could be filled, else the path that was missing. */
const struct ev_path *
fold_text(struct run *run, const struct ev_text *text, struct ev_buf *out)
{
	size_t begin = out->len;

	for (size_t i = 0; i < text->count; i++) {
		const struct ev_text_part *part = &text->parts[i];
		struct ev_str plain;

		ev_buf_add_str(out, part->literal);
		if (!part->path)
			continue;
		/* the usual key needs no quotes to be taken off again */
		if (part->path->root == EV_ROOT_EVENT &&
		    part->path->member == EV_MEMBER_STREAM &&
		    !part->path->count)
			plain = run->line->stream;
		else
			plain = fold_plain(run->fold,
			                   fold_path(run, part->path));
		if (!plain.ptr || !add_filtered(out, plain, part->filter)) {
			out->len = begin;
			return part->path;
		}
	}
	return NULL;
}

/* The first that can be filled. */
enum ev_status
fold_key(struct run *run, const struct ev_text *keys, size_t count,
         struct ev_buf *out)
{
	const struct ev_path *missing = NULL;

	for (size_t i = 0; i < count; i++) {
		missing = fold_text(run, &keys[i], out);
		if (!missing)
			return EV_OK;
	}
	return ev_err_set(run->err, EV_BAD_INPUT,
	                  "no key: '%.*s' is missing or of no use",
	                  EV_FMT(missing ? missing->text : EV_STR("key")));
}

/* ---- sources */

static struct ev_str
evaluate_many(struct run *run, const struct ev_source *source)
{
	bool object = source->kind == EV_SOURCE_OBJECT;
	struct ev_buf text = { 0 };
	struct ev_str kept;

	ev_buf_add_char(&text, object ? '{' : '[');
	for (size_t i = 0; i < source->count; i++) {
		struct ev_str item = fold_source(run, &source->items[i]);

		if (!item.ptr)
			continue;
		if (text.len > 1)
			ev_buf_add_char(&text, ',');
		if (object)
			ev_buf_printf(&text, "\"%.*s\":",
			              EV_FMT(source->names[i]));
		ev_buf_add_str(&text, item);
	}
	ev_buf_add_char(&text, object ? '}' : ']');
	kept = fold_copy(run->fold, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept;
}

/* JSON, until the event is done; {0}: missing. */
struct ev_str
fold_source(struct run *run, const struct ev_source *source)
{
	struct ev_buf *text = &run->fold->text;

	switch (source->kind) {
	case EV_SOURCE_LITERAL:
		return source->literal;
	case EV_SOURCE_PATH:
		return fold_path(run, &source->path);
	case EV_SOURCE_TEXT:
		ev_buf_reset(text);
		if (fold_text(run, &source->text, text))
			return (struct ev_str){ 0 };
		return quote(run->fold, ev_buf_str(text));
	case EV_SOURCE_OBJECT:
	case EV_SOURCE_LIST:
		return evaluate_many(run, source);
	}
	return (struct ev_str){ 0 };
}

/* ---- conditions */

/* Of two numbers or two texts; false: they cannot be compared. */
bool
fold_compare(struct ev_str a, struct ev_str b, int *order)
{
	if (ev_scan_is_number(a) && ev_scan_is_number(b))
		*order = ev_decimal_compare(a, b);
	else if (ev_scan_is_string(a) && ev_scan_is_string(b))
		*order = ev_str_compare(ev_scan_text(a), ev_scan_text(b));
	else
		return false;
	return true;
}

static bool
is_one_of(struct run *run, const struct ev_condition *c, struct ev_str value)
{
	for (size_t i = 0; value.ptr && i < c->count; i++) {
		struct ev_str other = fold_source(run, &c->values[i]);

		if (other.ptr && ev_value_same(value, other))
			return true;
	}
	return false;
}

bool
fold_holds(struct run *run, const struct ev_condition *c)
{
	struct ev_str value = fold_path(run, &c->path);
	struct ev_str other = { 0 };
	int order;

	switch (c->test) {
	case EV_TEST_EQUAL:
		return is_one_of(run, c, value);
	case EV_TEST_NOT:
		return !is_one_of(run, c, value);
	case EV_TEST_EXISTS:
		return value.ptr && !ev_scan_is_null(value);
	case EV_TEST_MISSING:
		return !value.ptr || ev_scan_is_null(value);
	case EV_TEST_BELOW:
	case EV_TEST_ABOVE:
	case EV_TEST_AT_LEAST:
	case EV_TEST_AT_MOST:
		break;
	}
	if (value.ptr)
		other = fold_source(run, c->values);
	if (!other.ptr || !fold_compare(value, other, &order))
		return false;
	return c->test == EV_TEST_BELOW      ? order < 0
	       : c->test == EV_TEST_ABOVE    ? order > 0
	       : c->test == EV_TEST_AT_LEAST ? order >= 0
	                                     : order <= 0;
}
