#include "domain/line_reader.h"

#include "base/time.h"
#include "domain/event.h"
#include "domain/json.h"

enum { POOL_MAX = 1 << 20 };

/*
 * How many bytes the canonical spelling of a value has, provided that none of
 * its texts has an escape.
 */
static size_t
measure(yyjson_val *value)
{
	yyjson_val *end = unsafe_yyjson_get_next(value);
	size_t size = 0;

	for (; value < end; value++) {
		size_t len = unsafe_yyjson_get_len(value);

		switch (unsafe_yyjson_get_type(value)) {
		case YYJSON_TYPE_STR:
			size += len + 2;
			break;
		case YYJSON_TYPE_RAW:
			size += len;
			break;
		case YYJSON_TYPE_ARR: /* [1,2] */
			size += len ? len + 1 : 2;
			break;
		case YYJSON_TYPE_OBJ: /* {"a":1,"b":2} */
			size += len ? 2 * len + 1 : 2;
			break;
		case YYJSON_TYPE_BOOL:
			size += unsafe_yyjson_is_true(value) ? 4 : 5;
			break;
		default:
			size += 4;
		}
	}
	return size;
}

static bool
take_int(yyjson_val *value, int64_t *number)
{
	const char *text = unsafe_yyjson_get_raw(value);
	size_t len = unsafe_yyjson_get_len(value);
	int64_t sum = 0;

	if (!yyjson_is_raw(value) || len > 18 || (len > 1 && *text == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		sum = sum * 10 + (text[i] - '0');
	}
	*number = sum;
	return true;
}

/* As the log writes times. Where they have wrong digits, so will the answer. */
static bool
is_time(struct ev_str text)
{
	return text.len == EV_TIME_TEXT && text.ptr[4] == '-' &&
	       text.ptr[7] == '-' && text.ptr[10] == 'T' &&
	       text.ptr[13] == ':' && text.ptr[16] == ':' &&
	       text.ptr[19] == '.' && text.ptr[26] == 'Z';
}

/* What the members of the envelope are, and where they go. */
enum shape { TEXT, TEXT_OR_NULL, NUMBER, PRIORITY, OBJECT };

struct shaped {
	struct ev_str name;
	enum shape shape;
	size_t offset;
};

#define MEMBER(text, shape, member) \
	{ { (text), sizeof(text) - 1 }, shape, offsetof(struct ev_line, member) }

static const struct shaped shapes[EV_MEMBER_COUNT] = {
	[EV_MEMBER_POSITION] = MEMBER("position", NUMBER, position),
	[EV_MEMBER_STREAM] = MEMBER("streamId", TEXT, stream),
	[EV_MEMBER_VERSION] = MEMBER("version", NUMBER, version),
	[EV_MEMBER_ID] = MEMBER("id", TEXT, id),
	[EV_MEMBER_CATALOG] = MEMBER("catalog", TEXT, catalog),
	[EV_MEMBER_TYPE] = MEMBER("type", TEXT, type),
	[EV_MEMBER_SCHEMA_VERSION] =
		MEMBER("schemaVersion", NUMBER, schema_version),
	[EV_MEMBER_TIMESTAMP] = MEMBER("timestamp", TEXT, timestamp),
	[EV_MEMBER_RECORDED_AT] = MEMBER("recordedAt", TEXT, recorded_at),
	[EV_MEMBER_PRIORITY] = MEMBER("priority", PRIORITY, priority),
	[EV_MEMBER_CORRELATION] =
		MEMBER("correlationId", TEXT_OR_NULL, correlation),
	[EV_MEMBER_CAUSATION] =
		MEMBER("causationId", TEXT_OR_NULL, causation),
	[EV_MEMBER_ACTOR] = MEMBER("actor", TEXT_OR_NULL, actor),
	[EV_MEMBER_DATA] = MEMBER("data", OBJECT, data),
	[EV_MEMBER_META] = MEMBER("meta", OBJECT, meta),
};

static struct ev_str *
slice_of(struct ev_line *line, const struct shaped *shaped)
{
	return (struct ev_str *)((char *)line + shaped->offset);
}

static bool
take_number(struct ev_line *line, const struct shaped *shaped,
            yyjson_val *value)
{
	int64_t number;

	if (!take_int(value, &number))
		return false;
	if (shaped->offset != offsetof(struct ev_line, schema_version))
		*(int64_t *)((char *)line + shaped->offset) = number;
	else if (number <= INT32_MAX)
		line->schema_version = (int)number;
	else
		return false;
	return true;
}

static inline bool
same_eight(const char *a, const char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x == y;
}

static inline bool
same_four(const char *a, const char *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x == y;
}

/* Fifteen calls of memcmp would take longer than the rest of a line. */
static inline bool
is_named(yyjson_val *key, struct ev_str name)
{
	const char *text = unsafe_yyjson_get_str(key);
	size_t len = name.len;

	if (unsafe_yyjson_get_len(key) != len)
		return false;
	if (len >= 8)
		return same_eight(text, name.ptr) &&
		       same_eight(text + len - 8, name.ptr + len - 8);
	if (len >= 4)
		return same_four(text, name.ptr) &&
		       same_four(text + len - 4, name.ptr + len - 4);
	return memcmp(text, name.ptr, len) == 0;
}

/*
 * The slices of a canonical line, without looking at its bytes: where each
 * member stands follows from the sizes of those before. False: it is spelled
 * some other way, or has escapes, so that sizes do not tell.
 */
static bool
take_canonical(struct ev_line *line, struct ev_str text, yyjson_val *root)
{
	const struct shaped *shaped = shapes;
	yyjson_obj_iter members = yyjson_obj_iter_with(root);
	const char *at = text.ptr + 1;
	yyjson_val *key, *value;
	size_t size;

	if (yyjson_obj_size(root) != EV_MEMBER_COUNT ||
	    memchr(text.ptr, '\\', text.len))
		return false;
	for (; (key = yyjson_obj_iter_next(&members)); shaped++) {
		if (!is_named(key, shaped->name))
			return false;
		value = yyjson_obj_iter_get_val(key);
		at += shaped->name.len + 3;
		size = unsafe_yyjson_get_len(value);
		switch (shaped->shape) {
		case OBJECT:
			if (!unsafe_yyjson_is_obj(value))
				return false;
			size = measure(value);
			*slice_of(line, shaped) = (struct ev_str){ at, size };
			break;
		case TEXT_OR_NULL:
			if (unsafe_yyjson_is_null(value)) {
				*slice_of(line, shaped) = (struct ev_str){ 0 };
				size = 4;
				break;
			}
			/* fall through */
		case TEXT:
			if (!unsafe_yyjson_is_str(value))
				return false;
			*slice_of(line, shaped) = (struct ev_str){ at + 1,
			                                           size };
			size += 2;
			break;
		case NUMBER:
			if (!take_number(line, shaped, value))
				return false;
			break;
		case PRIORITY:
			line->priority = ev_priority_parse(ev_json_text(value));
			size += 2;
			break;
		}
		at += size + 1;
	}
	return at == text.ptr + text.len &&
	       line->priority != EV_PRIORITY_NONE &&
	       is_time(line->timestamp) && is_time(line->recorded_at);
}

/* A value's canonical spelling, in the arena. */
static struct ev_str
spell(struct ev_line_reader *reader, struct ev_arena *arena, yyjson_val *value)
{
	ev_buf_reset(&reader->text);
	ev_json_write(&reader->text, value);
	return ev_arena_dup(arena, ev_buf_str(&reader->text));
}

static struct ev_str
spell_text(struct ev_line_reader *reader, struct ev_arena *arena,
           yyjson_val *value)
{
	struct ev_str quoted = spell(reader, arena, value);

	return (struct ev_str){ quoted.ptr + 1, quoted.len - 2 };
}

static enum ev_status
spell_time(struct ev_str *slice, const char *name, struct ev_arena *arena,
           struct ev_err *err)
{
	char text[EV_TIME_TEXT];
	int64_t time;

	if (!slice->ptr)
		return EV_OK;
	if (!ev_time_parse(*slice, &time))
		return ev_err_set(err, EV_BAD_INPUT, "'%s': '%.*s' is no RFC "
		                  "3339 time", name, EV_FMT(*slice));
	ev_time_format(time, text);
	*slice = ev_arena_dup(arena,
	                      (struct ev_str){ text, sizeof text });
	return EV_OK;
}

/* One member, however it is spelled; null is as good as missing. */
static enum ev_status
take_member(struct ev_line_reader *reader, struct ev_line *line,
            const struct shaped *shaped, yyjson_val *value,
            struct ev_arena *arena, struct ev_err *err)
{
	const char *wanted = "a text";

	if (yyjson_is_null(value))
		return EV_OK;
	switch (shaped->shape) {
	case TEXT:
	case TEXT_OR_NULL:
		if (!yyjson_is_str(value))
			break;
		*slice_of(line, shaped) = spell_text(reader, arena, value);
		return EV_OK;
	case OBJECT:
		wanted = "an object";
		if (!yyjson_is_obj(value))
			break;
		*slice_of(line, shaped) = spell(reader, arena, value);
		return EV_OK;
	case NUMBER:
		wanted = "a whole number";
		if (take_number(line, shaped, value))
			return EV_OK;
		break;
	case PRIORITY:
		wanted = "info, action, urgent or critical";
		line->priority = ev_priority_parse(ev_json_text(value));
		if (line->priority != EV_PRIORITY_NONE)
			return EV_OK;
		break;
	}
	return ev_err_set(err, EV_BAD_INPUT, "'%s': expected %s",
	                  shaped->name.ptr, wanted);
}

/* What may be missing, and what may not. */
static enum ev_status
complete(struct ev_line_reader *reader, struct ev_line *line,
         struct ev_arena *arena, struct ev_err *err)
{
	enum ev_status status;

	if (!line->data.ptr)
		return ev_err_set(err, EV_BAD_INPUT, "no object 'data': "
		                  "events are read as ev-cat prints them");
	if (!line->type.ptr)
		return ev_err_set(err, EV_BAD_INPUT, "no 'type'");
	if (!line->catalog.ptr)
		line->catalog = reader->catalog;
	if (!line->catalog.ptr)
		return ev_err_set(err, EV_BAD_INPUT, "no 'catalog', and the "
		                  "projections have more than one");
	if ((status = spell_time(&line->timestamp, "timestamp", arena, err)) ||
	    (status = spell_time(&line->recorded_at, "recordedAt", arena,
	                         err)))
		return status;
	if (!line->timestamp.ptr)
		line->timestamp = line->recorded_at;
	if (!line->recorded_at.ptr)
		line->recorded_at = line->timestamp;
	if (!line->meta.ptr)
		line->meta = EV_STR("{}");
	return EV_OK;
}

/* An event in any spelling. Members that no event has are passed over. */
static enum ev_status
take_any(struct ev_line_reader *reader, struct ev_line *line, yyjson_val *root,
         struct ev_arena *arena, struct ev_err *err)
{
	yyjson_obj_iter members = yyjson_obj_iter_with(root);
	enum ev_status status;
	unsigned seen = 0;
	yyjson_val *key;

	*line = (struct ev_line){ .position = reader->position + 1,
	                          .schema_version = 1 };
	while ((key = yyjson_obj_iter_next(&members))) {
		enum ev_member member = ev_member_parse(ev_json_text(key));

		if (member == EV_MEMBER_NONE)
			continue;
		if (seen & 1u << member)
			return ev_err_set(err, EV_BAD_INPUT,
			                  "'%s': member given twice",
			                  ev_member_name(member));
		seen |= 1u << member;
		status = take_member(reader, line, &shapes[member],
		                     yyjson_obj_iter_get_val(key), arena, err);
		if (status)
			return status;
	}
	return complete(reader, line, arena, err);
}

static enum ev_status
parse(struct ev_line_reader *reader, struct ev_str text, yyjson_doc **doc,
      struct ev_err *err)
{
	size_t need = yyjson_read_max_memory_usage(
		text.len, YYJSON_READ_NUMBER_AS_RAW);
	yyjson_alc pool;

	/* a huge line is not worth keeping its memory */
	if (need > POOL_MAX)
		return ev_json_parse(doc, text, NULL, err);
	ev_buf_reserve(&reader->pool, POOL_MAX);
	yyjson_alc_pool_init(&pool, reader->pool.ptr, need);
	return ev_json_parse(doc, text, &pool, err);
}


void
ev_line_reader_release(struct ev_line_reader *reader)
{
	ev_buf_release(&reader->pool);
	ev_buf_release(&reader->text);
}

enum ev_status
ev_line_read(struct ev_line *out, struct ev_line_reader *reader,
             struct ev_str text, struct ev_arena *arena, struct ev_err *err)
{
	enum ev_status status;
	struct ev_line line;
	yyjson_val *root;
	yyjson_doc *doc;

	if ((status = parse(reader, text, &doc, err)))
		return status;
	root = yyjson_doc_get_root(doc);
	if (!yyjson_is_obj(root))
		status = ev_err_set(err, EV_BAD_INPUT, "expected an object, "
		                    "found %s", ev_json_type_name(root));
	else if (!take_canonical(&line, text, root))
		status = take_any(reader, &line, root, arena, err);
	yyjson_doc_free(doc);
	if (status)
		return status;
	reader->position = line.position;
	*out = line;
	return EV_OK;
}

enum ev_status
ev_line_read_document(struct ev_str *key, struct ev_str *json,
                      struct ev_line_reader *reader, struct ev_str text,
                      struct ev_arena *arena, struct ev_err *err)
{
	enum ev_status status;
	yyjson_val *root, *name;
	yyjson_doc *doc;

	if ((status = parse(reader, text, &doc, err)))
		return status;
	root = yyjson_doc_get_root(doc);
	name = yyjson_obj_get(root, "key");
	if (yyjson_is_str(name)) {
		*key = spell_text(reader, arena, name);
		*json = spell(reader, arena, root);
	} else {
		status = ev_err_set(err, EV_BAD_INPUT, "no text 'key': "
		                    "documents are read as ev-get prints them");
	}
	yyjson_doc_free(doc);
	return status;
}
