#include "domain/json.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "domain/decimal.h"

static const uint64_t ONES = 0x0101010101010101;
static const uint64_t HIGHS = 0x8080808080808080;

/*
 * Is any of eight bytes one that a JSON string escapes: a control character,
 * a quote or a backslash? May say yes of a byte that follows such a one, never
 * no, so the caller looks again byte by byte.
 */
static inline bool
needs_escape(uint64_t word)
{
	uint64_t quote = word ^ ONES * '"';
	uint64_t backslash = word ^ ONES * '\\';

	return (((word - ONES * 0x20) & ~word) |
	        ((quote - ONES) & ~quote) |
	        ((backslash - ONES) & ~backslash)) & HIGHS;
}

static char *
escape(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	*to++ = '\\';
	switch (c) {
	case '"':
	case '\\':
		*to++ = (char)c;
		break;
	case '\b':
		*to++ = 'b';
		break;
	case '\f':
		*to++ = 'f';
		break;
	case '\n':
		*to++ = 'n';
		break;
	case '\r':
		*to++ = 'r';
		break;
	case '\t':
		*to++ = 't';
		break;
	default:
		*to++ = 'u';
		*to++ = '0';
		*to++ = '0';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	return to;
}

static inline char *
write_byte(char *to, unsigned char c)
{
	if (c < 0x20 || c == '"' || c == '\\')
		return escape(to, c);
	*to++ = (char)c;
	return to;
}

/* Fewer than eight bytes, from both ends: two loads cover each length. */
static inline char *
write_rest(char *to, const char *from, size_t len)
{
	uint32_t first, last;
	uint16_t left, right;

	if (len >= 4) {
		memcpy(&first, from, 4);
		memcpy(&last, from + len - 4, 4);
		if (!needs_escape((uint64_t)first << 32 | last)) {
			memcpy(to, &first, 4);
			memcpy(to + len - 4, &last, 4);
			return to + len;
		}
	} else if (len >= 2) {
		memcpy(&left, from, 2);
		memcpy(&right, from + len - 2, 2);
		if (!needs_escape(ONES * 'x' << 32 | (uint64_t)left << 16 |
		                  right)) {
			memcpy(to, &left, 2);
			memcpy(to + len - 2, &right, 2);
			return to + len;
		}
	}
	for (size_t i = 0; i < len; i++)
		to = write_byte(to, (unsigned char)from[i]);
	return to;
}

/*
 * Writing goes through `to`, the place of the next byte, and not through the
 * buffer's length: a pointer in a register is twice as fast. Whoever writes
 * leaves ROOM bytes behind it: more than eight escaped ones, or a literal with
 * the signs around it.
 */
enum { ROOM = 64 };

static char *
grow(struct ev_buf *out, char *to, size_t more)
{
	out->len = (size_t)(to - out->ptr);
	return ev_buf_reserve(out, more + ROOM);
}

static inline char *
need(struct ev_buf *out, char *to, size_t more)
{
	if (__builtin_expect((size_t)(out->ptr + out->cap - to) < more + ROOM,
	                     0))
		return grow(out, to, more);
	return to;
}

static inline char *
put(struct ev_buf *out, char *to, const char *text, size_t len)
{
	to = need(out, to, len);
	memcpy(to, text, len);
	return to + len;
}

static inline char *
put_string(struct ev_buf *out, char *to, const char *from, size_t len)
{
	const char *end = from + len;

	to = need(out, to, len);
	*to++ = '"';
	for (; end - from >= 8; from += 8) {
		uint64_t word;

		memcpy(&word, from, 8);
		if (!needs_escape(word)) {
			memcpy(to, &word, 8);
			to += 8;
		} else {
			for (int i = 0; i < 8; i++)
				to = write_byte(to, (unsigned char)from[i]);
			to = need(out, to, (size_t)(end - from));
		}
	}
	to = write_rest(to, from, (size_t)(end - from));
	*to++ = '"';
	return need(out, to, 0);
}

static char *
put_value(struct ev_buf *out, char *to, yyjson_val *value)
{
	const char *text = unsafe_yyjson_get_str(value);
	size_t len = unsafe_yyjson_get_len(value);
	yyjson_arr_iter items;
	yyjson_obj_iter members;
	yyjson_val *item;

	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_RAW:
		return put(out, to, text, len);
	case YYJSON_TYPE_STR:
		return put_string(out, to, text, len);
	case YYJSON_TYPE_BOOL:
		return yyjson_is_true(value) ? put(out, to, "true", 4)
		                             : put(out, to, "false", 5);
	case YYJSON_TYPE_ARR:
		items = yyjson_arr_iter_with(value);
		to = put(out, to, "[", 1);
		while ((item = yyjson_arr_iter_next(&items))) {
			to = put_value(out, to, item);
			*to++ = ',';
		}
		to -= len > 0;
		return put(out, to, "]", 1);
	case YYJSON_TYPE_OBJ:
		members = yyjson_obj_iter_with(value);
		to = put(out, to, "{", 1);
		while ((item = yyjson_obj_iter_next(&members))) {
			to = put_string(out, to, unsafe_yyjson_get_str(item),
			                unsafe_yyjson_get_len(item));
			*to++ = ':';
			to = put_value(out, to, yyjson_obj_iter_get_val(item));
			*to++ = ',';
		}
		to -= len > 0;
		return put(out, to, "}", 1);
	default:
		return put(out, to, "null", 4);
	}
}

void
ev_json_write_string(struct ev_buf *out, struct ev_str text)
{
	char *to = put_string(out, ev_buf_reserve(out, ROOM), text.ptr,
	                      text.len);

	out->len = (size_t)(to - out->ptr);
}

void
ev_json_write(struct ev_buf *out, yyjson_val *value)
{
	char *to = ev_buf_reserve(out, ROOM);

	to = value ? put_value(out, to, value) : put(out, to, "null", 4);
	out->len = (size_t)(to - out->ptr);
}

void
ev_json_write_pointer(struct ev_buf *out, struct ev_str name)
{
	ev_buf_add_char(out, '/');
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] == '~')
			ev_buf_add_str(out, EV_STR("~0"));
		else if (name.ptr[i] == '/')
			ev_buf_add_str(out, EV_STR("~1"));
		else
			ev_buf_add_char(out, name.ptr[i]);
}

struct ev_str
ev_json_read_pointer(struct ev_str *pointer, struct ev_buf *out)
{
	size_t i = 1;

	ev_buf_reset(out);
	if (!pointer->len)
		return (struct ev_str){ 0 };
	ev_buf_reserve(out, pointer->len); /* so that "" has a ptr, too */
	for (; i < pointer->len && pointer->ptr[i] != '/'; i++)
		if (pointer->ptr[i] != '~' || i + 1 == pointer->len)
			ev_buf_add_char(out, pointer->ptr[i]);
		else
			ev_buf_add_char(out, pointer->ptr[++i] == '1' ? '/'
			                                              : '~');
	pointer->ptr += i;
	pointer->len -= i;
	return ev_buf_str(out);
}

struct ev_str
ev_json_text(yyjson_val *value)
{
	if (yyjson_is_str(value) || yyjson_is_raw(value))
		return (struct ev_str){ unsafe_yyjson_get_str(value),
			                unsafe_yyjson_get_len(value) };
	return (struct ev_str){ 0 };
}

void
ev_json_write_mut(struct ev_buf *out, yyjson_mut_val *value)
{
	yyjson_mut_arr_iter items;
	yyjson_mut_obj_iter members;
	char before;

	switch (yyjson_mut_get_type(value)) {
	case YYJSON_TYPE_RAW:
		ev_buf_add(out, unsafe_yyjson_get_raw(value),
		           unsafe_yyjson_get_len(value));
		break;
	case YYJSON_TYPE_STR:
		ev_json_write_string(
			out, (struct ev_str){ unsafe_yyjson_get_str(value),
			                      unsafe_yyjson_get_len(value) });
		break;
	case YYJSON_TYPE_BOOL:
		ev_buf_add_str(out, yyjson_mut_is_true(value)
		                            ? EV_STR("true") : EV_STR("false"));
		break;
	case YYJSON_TYPE_ARR:
		items = yyjson_mut_arr_iter_with(value);
		before = '[';
		if (!yyjson_mut_arr_size(value))
			ev_buf_add_char(out, '[');
		while ((value = yyjson_mut_arr_iter_next(&items))) {
			ev_buf_add_char(out, before);
			ev_json_write_mut(out, value);
			before = ',';
		}
		ev_buf_add_char(out, ']');
		break;
	case YYJSON_TYPE_OBJ:
		members = yyjson_mut_obj_iter_with(value);
		before = '{';
		if (!yyjson_mut_obj_size(value))
			ev_buf_add_char(out, '{');
		while ((value = yyjson_mut_obj_iter_next(&members))) {
			ev_buf_add_char(out, before);
			ev_json_write_mut(out, value);
			ev_buf_add_char(out, ':');
			ev_json_write_mut(
				out, yyjson_mut_obj_iter_get_val(value));
			before = ',';
		}
		ev_buf_add_char(out, '}');
		break;
	default:
		ev_buf_add(out, "null", 4);
	}
}

yyjson_val *
ev_json_key(yyjson_val *object, const char *name)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(object);
	yyjson_val *key;

	while ((key = yyjson_obj_iter_next(&iter)))
		if (yyjson_equals_str(key, name))
			return key;
	return NULL;
}

const char *
ev_json_type_name(yyjson_val *value)
{
	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_OBJ:
		return "object";
	case YYJSON_TYPE_ARR:
		return "array";
	case YYJSON_TYPE_STR:
		return "string";
	case YYJSON_TYPE_BOOL:
		return "boolean";
	case YYJSON_TYPE_NULL:
		return "null";
	default:
		return "number";
	}
}

static int
compare_keys(const void *a, const void *b)
{
	yyjson_val *left = *(yyjson_val *const *)a;
	yyjson_val *right = *(yyjson_val *const *)b;
	int order = ev_str_compare(ev_json_text(left), ev_json_text(right));

	/* duplicates stay in their order */
	return order ? order : (left > right) - (left < right);
}

static void
sort_keys(yyjson_val *object, yyjson_val **keys)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(object);
	yyjson_val *key;
	size_t count = 0;

	while ((key = yyjson_obj_iter_next(&iter)))
		keys[count++] = key;
	qsort(keys, count, sizeof *keys, compare_keys);
}

/* Sorted, because two large objects must not take quadratic time. */
static bool
equal_objects(yyjson_val *a, yyjson_val *b)
{
	size_t count = yyjson_obj_size(a);
	yyjson_val *few[16], **keys = few;
	bool equal = true;

	if (count != yyjson_obj_size(b))
		return false;
	if (count > sizeof few / sizeof *few / 2)
		keys = ev_mem_alloc(2 * count * sizeof *keys);
	sort_keys(a, keys);
	sort_keys(b, keys + count);
	for (size_t i = 0; equal && i < count; i++)
		equal = ev_str_equal(ev_json_text(keys[i]),
		                     ev_json_text(keys[count + i])) &&
		        ev_json_equal(yyjson_obj_iter_get_val(keys[i]),
		                      yyjson_obj_iter_get_val(keys[count + i]));
	if (keys != few)
		free(keys);
	return equal;
}

bool
ev_json_equal(yyjson_val *a, yyjson_val *b)
{
	yyjson_arr_iter left, right;
	yyjson_val *item;

	if (yyjson_get_type(a) != yyjson_get_type(b))
		return false;
	switch (yyjson_get_type(a)) {
	case YYJSON_TYPE_RAW:
		return !ev_decimal_compare(ev_json_text(a), ev_json_text(b));
	case YYJSON_TYPE_STR:
		return ev_str_equal(ev_json_text(a), ev_json_text(b));
	case YYJSON_TYPE_BOOL:
		return yyjson_get_bool(a) == yyjson_get_bool(b);
	case YYJSON_TYPE_ARR:
		if (yyjson_arr_size(a) != yyjson_arr_size(b))
			return false;
		left = yyjson_arr_iter_with(a);
		right = yyjson_arr_iter_with(b);
		while ((item = yyjson_arr_iter_next(&left)))
			if (!ev_json_equal(item, yyjson_arr_iter_next(&right)))
				return false;
		return true;
	case YYJSON_TYPE_OBJ:
		return equal_objects(a, b);
	default:
		return true;
	}
}

static unsigned long long
mix(unsigned long long h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

unsigned long long
ev_json_hash(yyjson_val *value)
{
	unsigned long long h = yyjson_get_type(value);
	yyjson_arr_iter items;
	yyjson_obj_iter members;

	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_RAW:
		return mix(h + ev_decimal_hash(ev_json_text(value)));
	case YYJSON_TYPE_STR:
		return mix(h + ev_str_hash(ev_json_text(value)));
	case YYJSON_TYPE_BOOL:
		return mix(h + 16 + yyjson_get_bool(value));
	case YYJSON_TYPE_ARR:
		items = yyjson_arr_iter_with(value);
		while ((value = yyjson_arr_iter_next(&items)))
			h = mix(h + ev_json_hash(value));
		return mix(h + 1);
	case YYJSON_TYPE_OBJ:
		/* a sum, for the members' order does not matter */
		members = yyjson_obj_iter_with(value);
		while ((value = yyjson_obj_iter_next(&members)))
			h += mix(ev_json_hash(value) * 3 +
			         ev_json_hash(yyjson_obj_iter_get_val(value)));
		return mix(h + 2);
	default:
		return mix(h);
	}
}

/*
 * Goes over a document's values, which stand in one array in the order of the
 * text, with a stack of where each open container ends.
 */
static bool
is_too_deep(yyjson_doc *doc)
{
	yyjson_val *value = yyjson_doc_get_root(doc);
	yyjson_val *end = unsafe_yyjson_get_next(value);
	yyjson_val *ends[EV_JSON_DEPTH_MAX];
	size_t depth = 0;

	for (; value < end; value++) {
		while (depth && value >= ends[depth - 1])
			depth--;
		if (!unsafe_yyjson_is_ctn(value))
			continue;
		if (depth == EV_JSON_DEPTH_MAX)
			return true;
		ends[depth++] = unsafe_yyjson_get_next(value);
	}
	return false;
}

/* Where a valid text is first nested too deeply: 1-based, 0 for nowhere. */
static size_t
find_depth_excess(struct ev_str text)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '"') {
			while (text.ptr[++i] != '"')
				i += text.ptr[i] == '\\';
		} else if (c == '[' || c == '{') {
			if (++depth > EV_JSON_DEPTH_MAX)
				return i + 1;
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return 0;
}

enum ev_status
ev_json_parse(yyjson_doc **out, struct ev_str text, const yyjson_alc *alc,
              struct ev_err *err)
{
	yyjson_read_err problem;
	yyjson_doc *doc;

	if (!text.len)
		return ev_err_set(err, EV_BAD_INPUT,
		                  "column 1: empty text instead of JSON");
	/* without YYJSON_READ_INSITU it does not write there */
	doc = yyjson_read_opts((char *)text.ptr, text.len,
	                       YYJSON_READ_NUMBER_AS_RAW, alc, &problem);
	if (!doc) {
		if (problem.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
			ev_mem_exhausted();
		return ev_err_set(err, EV_BAD_INPUT, "column %zu: %s",
		                  problem.pos + 1, problem.msg);
	}
	/* nesting takes a value for each level */
	if (yyjson_doc_get_val_count(doc) > EV_JSON_DEPTH_MAX &&
	    is_too_deep(doc)) {
		yyjson_doc_free(doc);
		return ev_err_set(err, EV_BAD_INPUT,
		                  "column %zu: nested deeper than %d levels",
		                  find_depth_excess(text), EV_JSON_DEPTH_MAX);
	}
	*out = doc;
	return EV_OK;
}
