#include "domain/event.h"

#include <stdlib.h>

/* The forms an event may come in. A catalog's own form is SHAPE_NATIVE. */
enum shape { SHAPE_CANONICAL, SHAPE_CLOUDEVENT, SHAPE_NATIVE };

/* One event while it is being read. */
struct reading {
	struct ev_event_reader *reader;
	struct ev_arena *arena;
	struct ev_err *err;
	enum shape shape;
	struct ev_catalog *native; /* whose shape it has, or NULL */
	const struct ev_native *form;
	const struct ev_type *type;
	yyjson_val *envelope[EV_MEMBER_COUNT];
	unsigned nulls; /* members that are there, as null: 1 << m */
	yyjson_val *payload;  /* the object that is the payload, or NULL */
	yyjson_val *root;     /* whose other members are it, then */
	struct ev_buf meta;   /* members of meta, each with a comma before */
	struct ev_line *line;
	/* once it is refused: which member it is, if it is one */
	enum ev_refusal_kind refused;
	enum ev_member at; /* of the envelope */
	struct ev_str name; /* of the root, or of the payload's top */
	bool in_data; /* the payload: reader->text says where */
};

void
ev_catalogs_add(struct ev_catalogs *catalogs, struct ev_catalog *catalog)
{
	if (ev_catalogs_get(catalogs, ev_catalog_name(catalog))) {
		ev_catalog_free(catalog);
		return;
	}
	catalogs->list = ev_mem_resize(catalogs->list,
	                               (catalogs->count + 1) *
	                               sizeof *catalogs->list);
	catalogs->list[catalogs->count++] = catalog;
}

void
ev_catalogs_release(struct ev_catalogs *catalogs)
{
	for (size_t i = 0; i < catalogs->count; i++)
		ev_catalog_free(catalogs->list[i]);
	free(catalogs->list);
	*catalogs = (struct ev_catalogs){ 0 };
}

struct ev_catalog *
ev_catalogs_get(const struct ev_catalogs *catalogs, struct ev_str name)
{
	for (size_t i = 0; i < catalogs->count; i++)
		if (ev_str_equal(ev_catalog_name(catalogs->list[i]), name))
			return catalogs->list[i];
	return NULL;
}

void
ev_event_reader_release(struct ev_event_reader *reader)
{
	ev_buf_release(&reader->scratch);
	ev_buf_release(&reader->data);
	ev_buf_release(&reader->text);
}

static yyjson_val *
member(yyjson_val *object, struct ev_str name)
{
	return yyjson_obj_getn(object, name.ptr, name.len);
}

static struct ev_str
key_text(yyjson_val *key)
{
	return (struct ev_str){ yyjson_get_str(key), yyjson_get_len(key) };
}

static bool
has_shape(yyjson_val *root, const struct ev_native *form)
{
	for (size_t i = 0; i < form->when_count; i++)
		if (!member(root, form->when[i]))
			return false;
	for (size_t i = 0; i < form->unless_count; i++)
		if (member(root, form->unless[i]))
			return false;
	return true;
}

static enum ev_status
find_shape(struct reading *r, yyjson_val *root)
{
	const struct ev_catalogs *catalogs = r->reader->catalogs;

	if (member(root, EV_STR("specversion"))) {
		r->shape = SHAPE_CLOUDEVENT;
		return EV_OK;
	}
	if (member(root, EV_STR("type")) &&
	    yyjson_is_obj(member(root, EV_STR("data")))) {
		r->shape = SHAPE_CANONICAL;
		return EV_OK;
	}
	/* the form that asks for most wins: {event_type, payload} before
	   {event_type} */
	for (size_t i = 0; i < catalogs->count; i++) {
		const struct ev_native *form =
			ev_catalog_native(catalogs->list[i]);

		if (form && form->when_count && has_shape(root, form) &&
		    (!r->form || form->when_count > r->form->when_count)) {
			r->native = catalogs->list[i];
			r->form = form;
		}
	}
	r->shape = SHAPE_NATIVE;
	if (r->form)
		return EV_OK;
	r->refused = EV_REFUSED_SHAPE;
	return ev_err_set(r->err, EV_BAD_INPUT,
	                  "not an event: it has neither 'type' and 'data' nor "
	                  "the members of any catalog's own form");
}

/* Is this CloudEvent one that a log of ours wrote? */
static bool
is_own(yyjson_val *root)
{
	return ev_str_starts(ev_json_text(member(root, EV_STR("source"))),
	                     EV_STR("urn:ev:"));
}

/* A CloudEvents attribute's place in the envelope. Extension names have no
   capitals there, and some of ours may mean something else to others. */
static enum ev_member
cloudevent_member(yyjson_val *root, struct ev_str name)
{
	static const struct {
		const char *name;
		enum ev_member member;
		bool own;
	} names[] = {
		{ "id", EV_MEMBER_ID, false },
		{ "type", EV_MEMBER_TYPE, false },
		{ "subject", EV_MEMBER_STREAM, false },
		{ "time", EV_MEMBER_TIMESTAMP, false },
		{ "data", EV_MEMBER_DATA, false },
		{ "position", EV_MEMBER_POSITION, true },
		{ "streamversion", EV_MEMBER_VERSION, true },
		{ "schemaversion", EV_MEMBER_SCHEMA_VERSION, true },
		{ "recordedat", EV_MEMBER_RECORDED_AT, true },
		{ "priority", EV_MEMBER_PRIORITY, false },
		{ "correlationid", EV_MEMBER_CORRELATION, false },
		{ "causationid", EV_MEMBER_CAUSATION, false },
		{ "actor", EV_MEMBER_ACTOR, false },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (ev_str_equal(ev_str(names[i].name), name))
			return names[i].own && !is_own(root)
			               ? EV_MEMBER_NONE : names[i].member;
	return EV_MEMBER_NONE;
}

static enum ev_member
envelope_member(const struct reading *r, struct ev_str name)
{
	switch (r->shape) {
	case SHAPE_CANONICAL:
		return ev_member_parse(name);
	case SHAPE_CLOUDEVENT:
		return cloudevent_member(r->root, name);
	case SHAPE_NATIVE:
		return ev_catalog_native_member(r->native, name);
	}
	return EV_MEMBER_NONE;
}

static bool
is_lifted(const struct ev_native *form, struct ev_str name)
{
	for (size_t i = 0; form && i < form->lift_count; i++)
		if (ev_str_equal(form->lift[i], name))
			return true;
	return false;
}

/* Is the payload what is left of the root object? */
static bool
is_flat(const struct reading *r)
{
	return r->shape == SHAPE_NATIVE && !r->form->payload.ptr;
}

static void
keep_in_meta(struct reading *r, struct ev_str name, yyjson_val *value)
{
	if (r->meta.len)
		ev_buf_add_char(&r->meta, ',');
	ev_json_write_string(&r->meta, name);
	ev_buf_add_char(&r->meta, ':');
	ev_json_write(&r->meta, value);
}

/* Our own CloudEvents carry meta as a JSON text. */
static bool
read_meta_attribute(struct reading *r, struct ev_str text)
{
	struct ev_err ignored;
	yyjson_val *key, *value;
	yyjson_doc *doc;
	size_t i, max;
	bool is_object;

	if (!text.ptr || ev_json_parse(&doc, text, NULL, &ignored))
		return false;
	is_object = yyjson_is_obj(yyjson_doc_get_root(doc));
	yyjson_obj_foreach(yyjson_doc_get_root(doc), i, max, key, value)
		keep_in_meta(r, key_text(key), value);
	yyjson_doc_free(doc);
	return is_object;
}

/* application/json, text/json, application/problem+json; charset=utf-8 … */
static bool
is_json_type(struct ev_str type)
{
	const char *semicolon = type.len ? memchr(type.ptr, ';', type.len)
	                                 : NULL;

	if (semicolon)
		type.len = (size_t)(semicolon - type.ptr);
	while (type.len && type.ptr[type.len - 1] == ' ')
		type.len--;
	if (type.len < 6)
		return false;
	type.ptr += type.len - 5;
	return (*type.ptr == '/' || *type.ptr == '+') &&
	       (type.ptr[1] | 0x20) == 'j' && (type.ptr[2] | 0x20) == 's' &&
	       (type.ptr[3] | 0x20) == 'o' && (type.ptr[4] | 0x20) == 'n';
}

/* What CloudEvents attributes mean that are not ours. */
static enum ev_status
read_attribute(struct reading *r, struct ev_str name, yyjson_val *value)
{
	struct ev_str text = ev_json_text(value);

	if (ev_str_equal(name, EV_STR("specversion"))) {
		if (!ev_str_equal(text, EV_STR("1.0")))
			return ev_err_set(r->err, EV_BAD_INPUT,
			                  "'specversion': expected 1.0");
		return EV_OK;
	}
	/* to CloudEvents, an attribute that is null is not there */
	if (yyjson_is_null(value))
		return EV_OK;
	if (ev_str_equal(name, EV_STR("data_base64")))
		return ev_err_set(r->err, EV_BAD_INPUT,
		                  "'data_base64': only JSON data can be "
		                  "appended");
	if (ev_str_equal(name, EV_STR("datacontenttype"))) {
		if (!is_json_type(text))
			return ev_err_set(r->err, EV_BAD_INPUT,
			                  "'datacontenttype': expected "
			                  "application/json, found '%.*s'",
			                  EV_FMT(text));
		return EV_OK;
	}
	if (is_own(r->root)) {
		/* what our source says is said by other members */
		if (ev_str_equal(name, EV_STR("source")))
			return EV_OK;
		if (ev_str_equal(name, EV_STR("meta")) &&
		    read_meta_attribute(r, text))
			return EV_OK;
	}
	keep_in_meta(r, name, value);
	return EV_OK;
}

/* Sorts the root's members into the envelope, the payload and the rest. */
static enum ev_status
sort_members(struct reading *r, yyjson_val *root)
{
	size_t i, max;
	yyjson_val *key, *value;

	r->root = root;
	yyjson_obj_foreach(root, i, max, key, value) {
		struct ev_str name = key_text(key);
		enum ev_member m = envelope_member(r, name);
		enum ev_status status;

		r->name = name;
		if (m != EV_MEMBER_NONE) {
			if (r->envelope[m])
				return ev_err_set(r->err, EV_BAD_INPUT,
				                  "'%.*s': member given twice",
				                  EV_FMT(name));
			r->envelope[m] = value;
		} else if (r->shape == SHAPE_CLOUDEVENT) {
			if ((status = read_attribute(r, name, value)))
				return status;
		} else if (is_flat(r) || is_lifted(r->form, name)) {
			continue;
		} else if (r->form && ev_str_equal(r->form->payload, name)) {
			if (r->payload)
				return ev_err_set(r->err, EV_BAD_INPUT,
				                  "'%.*s': member given twice",
				                  EV_FMT(name));
			r->payload = value;
		} else {
			keep_in_meta(r, name, value);
		}
	}
	r->name = (struct ev_str){ 0 };
	for (int m = 0; m < EV_MEMBER_COUNT; m++)
		if (yyjson_is_null(r->envelope[m])) {
			r->envelope[m] = NULL;
			r->nulls |= 1U << m;
		}
	if (r->envelope[EV_MEMBER_DATA])
		r->payload = r->envelope[EV_MEMBER_DATA];
	if (!r->payload || yyjson_is_obj(r->payload))
		return EV_OK;
	if (r->envelope[EV_MEMBER_DATA])
		r->at = EV_MEMBER_DATA;
	else
		r->name = r->form->payload;
	return ev_err_set(r->err, EV_BAD_INPUT,
	                  "payload: expected an object, found %s",
	                  ev_json_type_name(r->payload));
}

/* It is this member's fault; the caller says what is wrong with it. */
static struct ev_err *
blame(struct reading *r, enum ev_member m)
{
	r->at = m;
	return r->err;
}

/* An envelope member's text; {0} when it is not there. */
static enum ev_status
take_text(struct reading *r, enum ev_member m, size_t max, struct ev_str *text)
{
	yyjson_val *value = r->envelope[m];

	*text = (struct ev_str){ 0 };
	if (!value)
		return EV_OK;
	if (!yyjson_is_str(value))
		return ev_err_set(blame(r, m), EV_BAD_INPUT,
		                  "'%s': expected a string, found %s",
		                  ev_member_name(m), ev_json_type_name(value));
	*text = ev_json_text(value);
	if (!text->len || text->len > max)
		return ev_err_set(blame(r, m), EV_BAD_INPUT,
		                  "'%s': expected 1 to %zu bytes, found %zu",
		                  ev_member_name(m), max, text->len);
	return EV_OK;
}

/* Does the event's form point to this catalog alone? */
static struct ev_catalog *
named_catalog(struct reading *r, struct ev_str *type, enum ev_status *status)
{
	const struct ev_catalogs *catalogs = r->reader->catalogs;
	struct ev_str name = r->reader->overrides.catalog;
	struct ev_catalog *catalog;

	*status = EV_OK;
	if (!name.ptr)
		*status = take_text(r, EV_MEMBER_CATALOG, EV_NAME_MAX, &name);
	/* "ev.rig.CI_FAILED" is how our CloudEvents spell a type */
	if (r->shape == SHAPE_CLOUDEVENT &&
	    ev_str_starts(*type, EV_STR("ev."))) {
		const char *begin = type->ptr + 3;
		const char *end = type->ptr + type->len;
		const char *dot = memchr(begin, '.', (size_t)(end - begin));

		if (dot) {
			if (!name.ptr)
				name = (struct ev_str){ begin,
				                        (size_t)(dot - begin) };
			*type = (struct ev_str){ dot + 1,
			                         (size_t)(end - dot - 1) };
		}
	}
	if (*status || !name.ptr)
		return NULL;
	catalog = ev_catalogs_get(catalogs, name);
	if (!catalog) {
		r->refused = EV_REFUSED_TYPE;
		*status = ev_err_set(r->err, EV_BAD_INPUT,
		                     "unknown catalog: %.*s", EV_FMT(name));
	}
	return catalog;
}

/*
 * In the catalog that is named; else in the one whose form the event has, by
 * exact name, then by loose spelling; else by exact name anywhere; else, for
 * forms that belong to no catalog, by a loose spelling that only one has.
 */
static enum ev_status
find_type(struct reading *r)
{
	const struct ev_catalogs *catalogs = r->reader->catalogs;
	const struct ev_type *other = NULL;
	struct ev_catalog *catalog;
	enum ev_status status;
	struct ev_str name;

	if ((status = take_text(r, EV_MEMBER_TYPE, EV_NAME_MAX, &name)))
		return status;
	if (!name.ptr) {
		r->refused = EV_REFUSED_SHAPE;
		return ev_err_set(r->err, EV_BAD_INPUT,
		                  "not an event: it has no type");
	}
	catalog = named_catalog(r, &name, &status);
	if (status)
		return status;
	r->refused = EV_REFUSED_TYPE;
	if (!catalog)
		catalog = r->native;
	if (catalog) {
		r->type = ev_catalog_find(catalog, name);
		if (!r->type)
			r->type = ev_catalog_find_loose(catalog, name);
	}
	if (!catalog || catalog == r->native)
		for (size_t i = 0; !r->type && i < catalogs->count; i++)
			r->type = ev_catalog_find(catalogs->list[i], name);
	for (size_t i = 0; !r->type && !catalog && i < catalogs->count; i++) {
		const struct ev_type *type =
			ev_catalog_find_loose(catalogs->list[i], name);

		if (type && other)
			return ev_err_set(r->err, EV_BAD_INPUT,
			                  "ambiguous event type: %.*s (%.*s and "
			                  "%.*s have it, name the catalog)",
			                  EV_FMT(name),
			                  EV_FMT(ev_catalog_name(other->catalog)),
			                  EV_FMT(ev_catalog_name(type->catalog)));
		if (type)
			other = type;
	}
	if (!r->type)
		r->type = other;
	if (!r->type)
		return ev_err_set(r->err, EV_BAD_INPUT,
		                  "unknown event type: %.*s", EV_FMT(name));
	r->refused = EV_REFUSED_VALUE;
	r->line->catalog = ev_catalog_name(r->type->catalog);
	r->line->type = r->type->name;
	return EV_OK;
}

/* Names of payload members that the catalog knows and that have come. Such
   lists are short: a schema names a dozen. */
struct known {
	struct ev_str names[64];
	size_t count;
};

static bool
is_known(const struct known *known, struct ev_str name)
{
	for (size_t i = 0; i < known->count; i++)
		if (ev_str_equal(known->names[i], name))
			return true;
	return false;
}

static void
add_member(struct ev_buf *data, struct ev_str name)
{
	if (data->len > 1)
		ev_buf_add_char(data, ',');
	ev_json_write_string(data, name);
	ev_buf_add_char(data, ':');
}

/* Adds one member under the catalog's name for it. */
static enum ev_status
take_member(struct reading *r, struct known *known, struct ev_str given,
            yyjson_val *value)
{
	struct ev_str name = ev_type_alias(r->type, given);
	struct ev_buf *data = &r->reader->data;

	if (ev_schema_knows(r->type->payload, name)) {
		if (is_known(known, name)) {
			r->name = name;
			return ev_err_set(r->err, EV_BAD_INPUT,
			                  "'%.*s': member given twice",
			                  EV_FMT(name));
		}
		if (known->count < sizeof known->names / sizeof *known->names)
			known->names[known->count++] = name;
	}
	add_member(data, name);
	ev_json_write(data, value);
	return EV_OK;
}

static enum ev_status
take_members(struct reading *r, struct known *known, yyjson_val *object)
{
	enum ev_status status;
	yyjson_val *key, *value;
	size_t i, max;

	yyjson_obj_foreach(object, i, max, key, value) {
		struct ev_str name = key_text(key);

		if (object == r->root) {
			enum ev_member m = envelope_member(r, name);

			if (m != EV_MEMBER_NONE &&
			    !ev_catalog_native_kept(r->native, m))
				continue;
			if (!is_flat(r) && !is_lifted(r->form, name))
				continue;
		}
		if ((status = take_member(r, known, name, value)))
			return status;
	}
	return EV_OK;
}

struct filling {
	struct reading *r;
	struct known *known;
};

/* A member that the named stream tells and the payload does not. Digits alone
   are a number: issueNumber is one. */
static void
take_from_stream(void *context, struct ev_str name, struct ev_str value)
{
	struct filling *f = context;
	struct ev_buf *data = &f->r->reader->data;
	bool digits = value.len > 0 && value.len < 16 &&
	              (value.ptr[0] != '0' || value.len == 1);

	if (is_known(f->known, name) ||
	    !ev_schema_requires(f->r->type->payload, name) ||
	    f->known->count == sizeof f->known->names / sizeof *f->known->names)
		return;
	for (size_t i = 0; i < value.len; i++)
		digits = digits && value.ptr[i] >= '0' && value.ptr[i] <= '9';
	add_member(data, name);
	if (digits)
		ev_buf_add_str(data, value);
	else
		ev_json_write_string(data, value);
	f->known->names[f->known->count++] = name;
}

static void
add_defaults(struct reading *r, const struct known *known)
{
	struct ev_str name;
	yyjson_val *value;

	for (size_t i = 0;
	     ev_schema_default(r->type->payload, i, &name, &value); i++)
		if (!is_known(known, name)) {
			add_member(&r->reader->data, name);
			ev_json_write(&r->reader->data, value);
		}
}

/* The payload's text: members renamed, completed, in the order they came. */
static enum ev_status
build_data(struct reading *r, struct ev_str stream)
{
	struct ev_buf *data = &r->reader->data;
	struct known known = { .count = 0 };
	struct filling filling = { r, &known };
	enum ev_status status;

	ev_buf_reset(data);
	ev_buf_add_char(data, '{');
	if (is_flat(r) || (r->form && r->form->lift_count))
		if ((status = take_members(r, &known, r->root)))
			return status;
	if (r->payload && (status = take_members(r, &known, r->payload)))
		return status;
	for (size_t i = 0; stream.ptr && i < r->type->stream_count; i++)
		if (ev_template_match(r->type->streams[i], stream,
		                      take_from_stream, &filling))
			break;
	add_defaults(r, &known);
	ev_buf_add_char(data, '}');
	return EV_OK;
}

enum { POOL_MAX = 1 << 20 };

/* Documents live in the reader's scratch memory, one after the other. */
static enum ev_status
parse(struct ev_event_reader *reader, struct ev_str text, yyjson_doc **doc,
      struct ev_err *err)
{
	size_t need = yyjson_read_max_memory_usage(
		text.len, YYJSON_READ_NUMBER_AS_RAW);
	yyjson_alc pool;

	/* a huge event is not worth keeping its memory */
	if (need > POOL_MAX)
		return ev_json_parse(doc, text, NULL, err);
	ev_buf_reset(&reader->scratch);
	ev_buf_reserve(&reader->scratch, need);
	yyjson_alc_pool_init(&pool, reader->scratch.ptr, reader->scratch.cap);
	return ev_json_parse(doc, text, &pool, err);
}

static enum ev_status
take_timestamp(struct reading *r)
{
	struct ev_str text = r->reader->overrides.timestamp;
	enum ev_status status;
	int64_t time;
	char *out;

	if (!text.ptr) {
		status = take_text(r, EV_MEMBER_TIMESTAMP, 64, &text);
		if (status || !text.ptr)
			return status;
	}
	if (!ev_time_parse(text, &time))
		return ev_err_set(blame(r, EV_MEMBER_TIMESTAMP), EV_BAD_INPUT,
		                  "'timestamp': expected an RFC 3339 time such "
		                  "as 2026-04-21T10:22:00Z, found '%.*s'",
		                  EV_FMT(text));
	out = ev_arena_alloc(r->arena, EV_TIME_TEXT);
	ev_time_format(time, out);
	r->line->timestamp = (struct ev_str){ out, EV_TIME_TEXT };
	return EV_OK;
}

static enum ev_status
take_priority(struct reading *r)
{
	struct ev_str text;
	enum ev_status status;

	r->line->priority = r->reader->overrides.priority;
	if (r->line->priority != EV_PRIORITY_NONE)
		return EV_OK;
	r->line->priority = r->type->priority;
	status = take_text(r, EV_MEMBER_PRIORITY, EV_NAME_MAX, &text);
	if (status || !text.ptr)
		return status;
	r->line->priority = ev_priority_parse(text);
	if (r->line->priority == EV_PRIORITY_NONE)
		return ev_err_set(blame(r, EV_MEMBER_PRIORITY), EV_BAD_INPUT,
		                  "'priority': expected info, action, urgent or "
		                  "critical, found '%.*s'", EV_FMT(text));
	return EV_OK;
}

/* A text of the envelope as its slice: the command line's, the event's, or, if
   it says nothing of it, not even null, what is said of all. */
static enum ev_status
take_name(struct reading *r, enum ev_member m, struct ev_str override,
          struct ev_str otherwise, struct ev_str *slice)
{
	struct ev_str text = override;
	enum ev_status status;

	if (!text.ptr && (status = take_text(r, m, EV_NAME_MAX, &text)))
		return status;
	if (!text.ptr && !(r->nulls & 1U << m))
		text = otherwise;
	if (text.ptr)
		*slice = ev_line_escape(r->arena, text);
	return EV_OK;
}

static enum ev_status
take_schema_version(struct reading *r, int *version)
{
	yyjson_val *value = r->envelope[EV_MEMBER_SCHEMA_VERSION];
	struct ev_str text;

	*version = r->type->version;
	if (!value)
		return EV_OK;
	text = ev_json_text(value);
	*version = 0;
	for (size_t i = 0; i < text.len && i < 9; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			*version = -1000000000;
		*version = *version * 10 + (text.ptr[i] - '0');
	}
	if (yyjson_is_str(value) || *version < 1 || text.len > 9)
		return ev_err_set(blame(r, EV_MEMBER_SCHEMA_VERSION),
		                  EV_BAD_INPUT,
		                  "'schemaVersion': expected an integer from 1");
	if (*version > r->type->version)
		return ev_err_set(blame(r, EV_MEMBER_SCHEMA_VERSION),
		                  EV_BAD_INPUT,
		                  "'schemaVersion': %d is newer than the "
		                  "catalog, which knows %.*s up to %d",
		                  *version, EV_FMT(r->type->name),
		                  r->type->version);
	return EV_OK;
}

/* Everything of the envelope but stream, data and meta. */
static enum ev_status
take_envelope(struct reading *r)
{
	const struct ev_overrides *o = &r->reader->overrides;
	struct ev_line *line = r->line;
	struct ev_str none = { 0 };
	enum ev_status status;

	(void)((status = take_name(r, EV_MEMBER_ID, o->id, none, &line->id)) ||
	       (status = take_name(r, EV_MEMBER_ACTOR, o->actor, none,
	                           &line->actor)) ||
	       (status = take_name(r, EV_MEMBER_CORRELATION, o->correlation,
	                           o->default_correlation,
	                           &line->correlation)) ||
	       (status = take_name(r, EV_MEMBER_CAUSATION, o->causation,
	                           o->default_causation,
	                           &line->causation)) ||
	       (status = take_timestamp(r)) || (status = take_priority(r)));
	return status;
}

/* meta as given, and the envelope's members that nobody knows. */
static enum ev_status
take_meta(struct reading *r)
{
	yyjson_val *given = r->envelope[EV_MEMBER_META];
	struct ev_buf text = { 0 };

	if (given && !yyjson_is_obj(given))
		return ev_err_set(blame(r, EV_MEMBER_META), EV_BAD_INPUT,
		                  "'meta': expected an object, found %s",
		                  ev_json_type_name(given));
	if (given && yyjson_obj_size(given) && r->meta.len) {
		size_t i, max;
		yyjson_val *key, *value;

		yyjson_obj_foreach(given, i, max, key, value)
			keep_in_meta(r, key_text(key), value);
	}
	if (given && !r->meta.len) {
		ev_json_write(&text, given);
	} else {
		ev_buf_add_char(&text, '{');
		ev_buf_add_str(&text, ev_buf_str(&r->meta));
		ev_buf_add_char(&text, '}');
	}
	r->line->meta = ev_arena_dup(r->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return EV_OK;
}

/* Fills the stream's template, unless somebody named the stream. */
static enum ev_status
build_stream(struct reading *r, struct ev_str named, yyjson_val *data)
{
	struct ev_buf *text = &r->reader->text;
	enum ev_status status = EV_NO;

	ev_buf_reset(text);
	if (named.ptr) {
		ev_buf_add_str(text, named);
		status = EV_OK;
	}
	/* the first template's complaint is the one that helps */
	for (size_t i = r->type->stream_count; status && i-- > 0;) {
		struct ev_err ignored;
		size_t k = r->type->stream_count - 1 - i;

		status = ev_template_fill(r->type->streams[k], data, text,
		                          k ? &ignored : r->err);
	}
	if (status)
		return ev_err_prefix(r->err, EV_BAD_INPUT,
		                     "cannot tell the stream (name it with -s "
		                     "or 'streamId')");
	if (text->len > EV_STREAM_MAX)
		return ev_err_set(blame(r, EV_MEMBER_STREAM), EV_BAD_INPUT,
		                  "'streamId': expected at most %d bytes, found "
		                  "%zu", EV_STREAM_MAX, text->len);
	r->line->stream = ev_line_escape(r->arena, ev_buf_str(text));
	return EV_OK;
}

enum ev_status
ev_event_topic(const struct ev_type *type, yyjson_val *data,
               struct ev_buf *out, struct ev_err *err)
{
	enum ev_status status = EV_NO;

	for (size_t i = 0; status == EV_NO && i < type->topic_count; i++)
		status = ev_template_fill(type->topics[i], data, out, err);
	return status;
}

/* An id that the catalog builds from the payload, where it does. */
static void
build_id(struct reading *r, yyjson_val *data)
{
	struct ev_buf *text = &r->reader->text;
	struct ev_err ignored;

	if (r->line->id.ptr || !r->form || !r->form->id)
		return;
	ev_buf_reset(text);
	if (ev_template_fill(r->form->id, data, text, &ignored) == EV_OK &&
	    text->len <= EV_NAME_MAX)
		r->line->id = ev_line_escape(r->arena, ev_buf_str(text));
}

/* What hangs on the finished payload: its check, the stream, the id. */
static enum ev_status
check_data(struct reading *r, struct ev_str named_stream, yyjson_val *data)
{
	struct ev_buf *text = &r->reader->text;
	enum ev_status status;

	ev_buf_reset(text);
	status = ev_schema_validate_at(r->type->payload, data, text, r->err);
	if (status) {
		r->in_data = true;
		return ev_err_prefix(r->err, status, "%.*s",
		                     EV_FMT(r->type->name));
	}
	status = ev_event_topic(r->type, data, text, r->err);
	if (status == EV_BAD_INPUT)
		return status;
	if ((status = build_stream(r, named_stream, data)))
		return status;
	build_id(r, data);
	return EV_OK;
}

/* Payloads of an older version become the newest before they are checked. */
static enum ev_status
upcast_data(struct reading *r, int version)
{
	struct ev_event_reader *reader = r->reader;
	struct ev_buf newer = { 0 };
	enum ev_status status;
	yyjson_doc *doc;

	if (version == r->type->version)
		return EV_OK;
	status = parse(reader, ev_buf_str(&reader->data), &doc, r->err);
	if (status)
		return status;
	status = ev_type_upcast(r->type, version, yyjson_doc_get_root(doc),
	                        &newer, r->err);
	yyjson_doc_free(doc);
	if (!status) {
		ev_buf_reset(&reader->data);
		ev_buf_add_str(&reader->data, ev_buf_str(&newer));
	}
	ev_buf_release(&newer);
	return status;
}

/*
 * The payload is written as it will be stored, and what is checked is exactly
 * those bytes.
 */
static enum ev_status
read_root(struct reading *r, yyjson_val *root)
{
	struct ev_event_reader *reader = r->reader;
	struct ev_str stream = reader->overrides.stream;
	enum ev_status status;
	int version;

	if (!yyjson_is_obj(root)) {
		r->refused = EV_REFUSED_SHAPE;
		return ev_err_set(r->err, EV_BAD_INPUT,
		                  "not an event: expected an object, found %s",
		                  ev_json_type_name(root));
	}
	if ((status = find_shape(r, root)) ||
	    (status = sort_members(r, root)) || (status = find_type(r)) ||
	    (status = take_envelope(r)) || (status = take_meta(r)) ||
	    (status = take_schema_version(r, &version)))
		return status;
	if (!stream.ptr && (status = take_text(r, EV_MEMBER_STREAM,
	                                       EV_STREAM_MAX, &stream)))
		return status;
	/* from here on the document's own memory is used again */
	if (stream.ptr)
		stream = ev_arena_dup(r->arena, stream);
	if ((status = build_data(r, stream)) ||
	    (status = upcast_data(r, version)))
		return status;
	r->line->schema_version = r->type->version;
	r->line->data = ev_arena_dup(r->arena, ev_buf_str(&reader->data));
	r->line->stream = stream;
	return EV_OK;
}

/* Is this the root's member that is the payload? */
static bool
is_payload(const struct reading *r, struct ev_str name)
{
	return envelope_member(r, name) == EV_MEMBER_DATA ||
	       (r->form && r->form->payload.ptr &&
	        ev_str_equal(r->form->payload, name));
}

/* The name that the sender used for a member that the catalog calls `name`;
   {0}: it is not there. */
static struct ev_str
find_given(const struct reading *r, yyjson_val *object, struct ev_str name)
{
	yyjson_val *key, *value;
	size_t i, max;

	yyjson_obj_foreach(object, i, max, key, value) {
		struct ev_str given = key_text(key);

		if (object == r->root && !is_flat(r) &&
		    !is_lifted(r->form, given))
			continue;
		if (ev_str_equal(ev_type_alias(r->type, given), name))
			return given;
	}
	return (struct ev_str){ 0 };
}

/* A member of the payload's top as the sender has it, or should have; {0}: the
   payload itself. */
static void
locate_in_payload(struct reading *r, struct ev_buf *path, struct ev_str name)
{
	struct ev_str given = find_given(r, r->root, name);
	struct ev_str payload = r->form ? r->form->payload : EV_STR("data");
	yyjson_val *key, *value;
	size_t i, max;

	if (!is_flat(r) && !given.ptr && !is_lifted(r->form, name)) {
		yyjson_obj_foreach(r->root, i, max, key, value)
			if (is_payload(r, key_text(key))) {
				payload = key_text(key);
				given = find_given(r, value, name);
				break;
			}
		ev_json_write_pointer(path, payload);
	}
	if (name.ptr)
		ev_json_write_pointer(path, given.ptr ? given : name);
}

/* An envelope's member by the name that this form has for it. */
static void
locate_in_envelope(struct reading *r, struct ev_buf *path)
{
	yyjson_val *key, *value;
	size_t i, max;

	yyjson_obj_foreach(r->root, i, max, key, value)
		if (envelope_member(r, key_text(key)) == r->at) {
			ev_json_write_pointer(path, key_text(key));
			return;
		}
}

/* Notes why the event was refused, and where that is in what was sent. */
static void
tell_refusal(struct reading *r, yyjson_val *root)
{
	struct ev_refusal *refusal = r->reader->refusal;

	if (!refusal)
		return;
	r->root = root;
	refusal->kind = r->refused;
	ev_buf_reset(&refusal->path);
	if (r->refused != EV_REFUSED_VALUE)
		return;
	if (r->at != EV_MEMBER_NONE)
		locate_in_envelope(r, &refusal->path);
	else if (r->name.ptr && r->type)
		locate_in_payload(r, &refusal->path, r->name);
	else if (r->name.ptr)
		ev_json_write_pointer(&refusal->path, r->name);
}

/* The same for the payload as it would have been stored; by now the document
   that was sent is gone, and `where` is a place in what was made of it. */
static void
tell_refused_data(struct reading *r, struct ev_str text, struct ev_str where)
{
	struct ev_refusal *refusal = r->reader->refusal;
	struct ev_buf name = { 0 };
	struct ev_err ignored;
	struct ev_str top;
	yyjson_doc *doc;

	if (!refusal || ev_json_parse(&doc, text, NULL, &ignored))
		return;
	tell_refusal(r, yyjson_doc_get_root(doc));
	if (r->in_data) {
		top = ev_json_read_pointer(&where, &name);
		locate_in_payload(r, &refusal->path, top);
		ev_buf_add_str(&refusal->path, where);
	}
	yyjson_doc_free(doc);
	ev_buf_release(&name);
}

enum ev_status
ev_event_read(struct ev_event *out, struct ev_event_reader *reader,
              struct ev_str text, struct ev_arena *arena, struct ev_err *err)
{
	struct ev_line line = { .priority = EV_PRIORITY_NONE };
	struct reading r = { .reader = reader, .arena = arena, .err = err,
	                     .line = &line, .refused = EV_REFUSED_VALUE,
	                     .at = EV_MEMBER_NONE };
	enum ev_status status;
	yyjson_doc *doc;

	if ((status = parse(reader, text, &doc, err))) {
		r.refused = EV_REFUSED_TEXT;
		tell_refusal(&r, NULL);
		return status;
	}
	status = read_root(&r, yyjson_doc_get_root(doc));
	if (status)
		tell_refusal(&r, yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	ev_buf_release(&r.meta);
	if (status)
		return status;
	if ((status = parse(reader, line.data, &doc, err)))
		return status;
	status = check_data(&r, line.stream, yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	if (status) {
		tell_refused_data(&r, text, ev_buf_str(&reader->text));
		return status;
	}
	out->type = r.type;
	out->line = line;
	return EV_OK;
}

/* Equal as JSON: members in any order, 12.10 and 12.1 the same number. */
static bool
same_json(struct ev_str a, struct ev_str b)
{
	yyjson_doc *x = NULL, *y = NULL;
	struct ev_err ignored;
	bool same;

	if (ev_str_equal(a, b))
		return true;
	same = ev_json_parse(&x, a, NULL, &ignored) == EV_OK &&
	       ev_json_parse(&y, b, NULL, &ignored) == EV_OK &&
	       ev_json_equal(yyjson_doc_get_root(x), yyjson_doc_get_root(y));
	yyjson_doc_free(x);
	yyjson_doc_free(y);
	return same;
}

/* Is the payload the stored one, brought to the newest version? */
static bool
same_data(const struct ev_event *event, const struct ev_line *stored)
{
	struct ev_buf newest = { 0 };
	struct ev_err ignored;
	yyjson_doc *doc;
	bool same;

	if (stored->schema_version == event->type->version)
		return same_json(event->line.data, stored->data);
	if (ev_json_parse(&doc, stored->data, NULL, &ignored))
		return false;
	same = ev_type_upcast(event->type, stored->schema_version,
	                      yyjson_doc_get_root(doc), &newest,
	                      &ignored) == EV_OK &&
	       same_json(event->line.data, ev_buf_str(&newest));
	yyjson_doc_free(doc);
	ev_buf_release(&newest);
	return same;
}

bool
ev_event_same(const struct ev_event *event, struct ev_str stored)
{
	const struct ev_line *a = &event->line;
	struct ev_line b;

	return ev_line_parse(stored, &b) &&
	       ev_str_equal(a->stream, b.stream) &&
	       ev_str_equal(a->catalog, b.catalog) &&
	       ev_str_equal(a->type, b.type) &&
	       (!a->timestamp.ptr || ev_str_equal(a->timestamp, b.timestamp)) &&
	       a->priority == b.priority &&
	       ev_str_equal(a->correlation, b.correlation) &&
	       ev_str_equal(a->causation, b.causation) &&
	       ev_str_equal(a->actor, b.actor) &&
	       same_json(a->meta, b.meta) && same_data(event, &b);
}

enum ev_status
ev_event_upcast(const struct ev_catalogs *catalogs, const struct ev_line *line,
                struct ev_buf *out, struct ev_err *err)
{
	struct ev_catalog *catalog = ev_catalogs_get(catalogs, line->catalog);
	const struct ev_type *type =
		catalog ? ev_catalog_find(catalog, line->type) : NULL;
	struct ev_line newer = *line;
	struct ev_buf data = { 0 };
	enum ev_status status;
	yyjson_doc *doc;

	if (!type || type->version <= line->schema_version)
		return EV_NO;
	if ((status = ev_json_parse(&doc, line->data, NULL, err)))
		return status;
	status = ev_type_upcast(type, line->schema_version,
	                        yyjson_doc_get_root(doc), &data, err);
	yyjson_doc_free(doc);
	if (!status) {
		newer.data = ev_buf_str(&data);
		newer.schema_version = type->version;
		ev_line_format(out, &newer);
	}
	ev_buf_release(&data);
	return status;
}
