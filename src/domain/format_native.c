#include "domain/format.h"

/* One event on its way into the form of its catalog. */
struct writing {
	struct ev_buf *out;
	const struct ev_line *line;
	const struct ev_catalogs *catalogs;
	struct ev_err *err;
	struct ev_catalog *catalog;
	const struct ev_native *form;
	const struct ev_type *type;
	yyjson_val *data;
	struct ev_buf text;           /* scratch */
	bool said[EV_MEMBER_COUNT];   /* members that are written */
};

static struct ev_str
native_name(const struct writing *w, enum ev_member m)
{
	return ev_catalog_native_name(w->catalog, m);
}

static yyjson_val *
data_member(const struct writing *w, struct ev_str name)
{
	return yyjson_obj_getn(w->data, name.ptr, name.len);
}

static bool
is_flat(const struct writing *w)
{
	return !w->form->payload.ptr;
}

static bool
is_lifted(const struct writing *w, struct ev_str name)
{
	for (size_t i = 0; i < w->form->lift_count; i++)
		if (ev_str_equal(w->form->lift[i], name))
			return true;
	return false;
}

/* Does the reader take this envelope member from a member of the payload? */
static bool
is_kept(const struct writing *w, enum ev_member m)
{
	return ev_catalog_native_kept(w->catalog, m) &&
	       (is_flat(w) || is_lifted(w, native_name(w, m)));
}

/* Is the plain text what the slice of the line says? */
static bool
says(struct writing *w, struct ev_str slice, struct ev_str text)
{
	ev_buf_reset(&w->text);
	ev_json_write_string(&w->text, text);
	return w->text.len == slice.len + 2 &&
	       (!slice.len ||
	        memcmp(w->text.ptr + 1, slice.ptr, slice.len) == 0);
}

/* The slice of a member that is text; a null is {0}. */
static struct ev_str
text_of(const struct ev_line *line, enum ev_member m)
{
	switch (m) {
	case EV_MEMBER_STREAM:
		return line->stream;
	case EV_MEMBER_ID:
		return line->id;
	case EV_MEMBER_CATALOG:
		return line->catalog;
	case EV_MEMBER_TYPE:
		return line->type;
	case EV_MEMBER_TIMESTAMP:
		return line->timestamp;
	case EV_MEMBER_RECORDED_AT:
		return line->recorded_at;
	case EV_MEMBER_PRIORITY:
		return ev_str(ev_priority_format(line->priority));
	case EV_MEMBER_CORRELATION:
		return line->correlation;
	case EV_MEMBER_CAUSATION:
		return line->causation;
	case EV_MEMBER_ACTOR:
		return line->actor;
	default:
		return (struct ev_str){ 0 };
	}
}

/* Would the reader, filling the templates, come to this stream? */
static bool
is_template_stream(struct writing *w)
{
	struct ev_buf filled = { 0 };
	struct ev_err ignored;
	bool same = false;

	for (size_t i = 0; i < w->type->stream_count; i++)
		if (!ev_template_fill(w->type->streams[i], w->data, &filled,
		                      &ignored)) {
			same = says(w, w->line->stream, ev_buf_str(&filled));
			break;
		}
	ev_buf_release(&filled);
	return same;
}

static bool
is_template_id(struct writing *w)
{
	struct ev_buf filled = { 0 };
	struct ev_err ignored;
	bool same = w->form->id &&
	            !ev_template_fill(w->form->id, w->data, &filled,
	                              &ignored) &&
	            says(w, w->line->id, ev_buf_str(&filled));

	ev_buf_release(&filled);
	return same;
}

static bool
is_same_time(struct writing *w, struct ev_str text)
{
	char canonical[EV_TIME_TEXT];
	int64_t time;

	if (!ev_time_parse(text, &time))
		return false;
	ev_time_format(time, canonical);
	return ev_str_equal(w->line->timestamp,
	                    (struct ev_str){ canonical, EV_TIME_TEXT });
}

/* Will the reader find this member's value where the payload keeps it? */
static bool
is_in_payload(struct writing *w, enum ev_member m)
{
	yyjson_val *value = data_member(w, native_name(w, m));
	struct ev_str slice = text_of(w->line, m);

	if (!value || yyjson_is_null(value))
		return !slice.ptr || (m == EV_MEMBER_PRIORITY &&
		                      w->line->priority == w->type->priority);
	if (!yyjson_is_str(value) || !slice.ptr)
		return false;
	if (m == EV_MEMBER_TIMESTAMP)
		return is_same_time(w, ev_json_text(value));
	if (m == EV_MEMBER_PRIORITY)
		return ev_priority_parse(ev_json_text(value)) ==
		       w->line->priority;
	return says(w, slice, ev_json_text(value));
}

/* Is this what the reader takes it to be when the member is missing? */
static bool
goes_without_saying(struct writing *w, enum ev_member m)
{
	switch (m) {
	case EV_MEMBER_STREAM:
		return is_template_stream(w);
	case EV_MEMBER_ID:
		return is_template_id(w);
	case EV_MEMBER_SCHEMA_VERSION:
		return w->line->schema_version == w->type->version;
	case EV_MEMBER_TYPE:
	case EV_MEMBER_TIMESTAMP:
		return false;
	default:
		/* the event is the same one without these */
		return true;
	}
}

/* Has this member something to say where the form has a name for it? */
static bool
is_worth_saying(struct writing *w, enum ev_member m)
{
	switch (m) {
	case EV_MEMBER_POSITION:
	case EV_MEMBER_VERSION:
	case EV_MEMBER_ID:
		return true;
	case EV_MEMBER_STREAM:
	case EV_MEMBER_SCHEMA_VERSION:
		return !goes_without_saying(w, m);
	case EV_MEMBER_DATA:
		return false;
	case EV_MEMBER_META:
		return !ev_str_equal(w->line->meta, EV_STR("{}"));
	default:
		/* an envelope apart from the payload is always complete */
		return text_of(w->line, m).ptr || !is_flat(w);
	}
}

/* Decides what is written of the envelope, and whether that is enough. */
static enum ev_status
choose_members(struct writing *w)
{
	for (int i = 0; i < EV_MEMBER_COUNT; i++) {
		enum ev_member m = (enum ev_member)i;
		struct ev_str name = native_name(w, m);

		if (m == EV_MEMBER_DATA)
			continue;
		if (name.ptr && is_kept(w, m)) {
			if (!is_in_payload(w, m))
				return ev_err_set(w->err, EV_BAD_INPUT,
				                  "payload member '%.*s' does "
				                  "not say the event's %s",
				                  EV_FMT(name),
				                  ev_member_name(m));
		} else if (name.ptr) {
			w->said[m] = is_worth_saying(w, m);
		} else if (!goes_without_saying(w, m)) {
			return ev_err_set(w->err, EV_BAD_INPUT,
			                  "the form has no member for the "
			                  "event's %s", ev_member_name(m));
		}
	}
	return EV_OK;
}

/* No member that goes to the top may have a name that means another there. */
static enum ev_status
check_clashes(struct writing *w)
{
	yyjson_val *key, *value;
	size_t i, max;

	yyjson_obj_foreach(w->data, i, max, key, value) {
		struct ev_str name = ev_json_text(key);
		enum ev_member m = ev_catalog_native_member(w->catalog, name);

		if (m != EV_MEMBER_NONE && (is_flat(w) || is_lifted(w, name)) &&
		    !is_kept(w, m))
			return ev_err_set(w->err, EV_BAD_INPUT,
			                  "payload member '%.*s' would be "
			                  "taken for the event's %s",
			                  EV_FMT(name), ev_member_name(m));
	}
	return EV_OK;
}

/* Will the event's object have this member, but for what comes of meta? */
static bool
has_member(const struct writing *w, struct ev_str name)
{
	enum ev_member m = ev_catalog_native_member(w->catalog, name);

	if (ev_str_equal(name, w->form->payload))
		return true;
	if (m != EV_MEMBER_NONE && !is_kept(w, m))
		return w->said[m] && ev_str_equal(name, native_name(w, m));
	return (is_flat(w) || is_lifted(w, name)) && data_member(w, name);
}

static bool
has_shape(const struct writing *w, const struct ev_native *form)
{
	for (size_t i = 0; i < form->when_count; i++)
		if (!has_member(w, form->when[i]))
			return false;
	for (size_t i = 0; i < form->unless_count; i++)
		if (has_member(w, form->unless[i]))
			return false;
	return true;
}

static bool
is_data_object(const struct writing *w)
{
	struct ev_str name = EV_STR("data");

	if (ev_str_equal(name, w->form->payload))
		return true;
	return has_member(w, name) && yyjson_is_obj(data_member(w, name));
}

/* The reader must see the form that is meant; it chooses as event.c says. */
static enum ev_status
check_shape(struct writing *w)
{
	const struct ev_native *chosen = NULL;

	for (size_t i = 0; i < w->form->when_count; i++)
		if (!has_member(w, w->form->when[i]))
			return ev_err_set(w->err, EV_BAD_INPUT,
			                  "the form needs a member '%.*s', "
			                  "which the payload has not",
			                  EV_FMT(w->form->when[i]));
	if (has_member(w, EV_STR("specversion")) ||
	    (has_member(w, EV_STR("type")) && is_data_object(w)))
		return ev_err_set(w->err, EV_BAD_INPUT,
		                  "its payload would make it look like another "
		                  "form (%s)",
		                  has_member(w, EV_STR("specversion"))
		                          ? "specversion" : "type, data");
	for (size_t i = 0; i < w->catalogs->count; i++) {
		const struct ev_native *form =
			ev_catalog_native(w->catalogs->list[i]);

		if (has_shape(w, form) &&
		    (!chosen || form->when_count > chosen->when_count))
			chosen = form;
	}
	if (chosen != w->form)
		return ev_err_set(w->err, EV_BAD_INPUT,
		                  "its payload would make it look like an "
		                  "event of another catalog");
	return EV_OK;
}

/* Writes a member's name; what follows is its value. */
static void
begin_member(struct ev_buf *out, struct ev_str name)
{
	if (out->ptr[out->len - 1] != '{')
		ev_buf_add_char(out, ',');
	ev_json_write_string(out, name);
	ev_buf_add_char(out, ':');
}

static void
write_member(struct writing *w, enum ev_member m)
{
	struct ev_str slice = text_of(w->line, m);
	struct ev_buf *out = w->out;

	if (!w->said[m])
		return;
	begin_member(out, native_name(w, m));
	switch (m) {
	case EV_MEMBER_POSITION:
		ev_buf_add_int(out, w->line->position);
		break;
	case EV_MEMBER_VERSION:
		ev_buf_add_int(out, w->line->version);
		break;
	case EV_MEMBER_SCHEMA_VERSION:
		ev_buf_add_int(out, w->line->schema_version);
		break;
	case EV_MEMBER_META:
		ev_buf_add_str(out, w->line->meta);
		break;
	default:
		if (!slice.ptr) {
			ev_buf_add_str(out, EV_STR("null"));
			break;
		}
		ev_buf_add_char(out, '"');
		ev_buf_add_str(out, slice);
		ev_buf_add_char(out, '"');
	}
}

static void
write_data_members(struct writing *w, bool lifted)
{
	yyjson_val *key, *value;
	size_t i, max;

	yyjson_obj_foreach(w->data, i, max, key, value)
		if (is_lifted(w, ev_json_text(key)) == lifted) {
			begin_member(w->out, ev_json_text(key));
			ev_json_write(w->out, value);
		}
}

static void
write_payload(struct writing *w)
{
	struct ev_str inside = { w->line->data.ptr + 1, w->line->data.len - 2 };
	struct ev_buf *out = w->out;

	if (is_flat(w)) {
		if (inside.len && out->ptr[out->len - 1] != '{')
			ev_buf_add_char(out, ',');
		ev_buf_add_str(out, inside);
		return;
	}
	write_data_members(w, true);
	begin_member(out, w->form->payload);
	ev_buf_add_char(out, '{');
	write_data_members(w, false);
	ev_buf_add_char(out, '}');
}

/* Does a member of this name decide what form an object has? */
static bool
is_marker(const struct writing *w, struct ev_str name)
{
	if (ev_str_equal(name, EV_STR("specversion")) ||
	    ev_str_equal(name, EV_STR("type")) ||
	    ev_str_equal(name, EV_STR("data")))
		return true;
	for (size_t i = 0; i < w->catalogs->count; i++) {
		const struct ev_native *form =
			ev_catalog_native(w->catalogs->list[i]);

		for (size_t k = 0; k < form->when_count; k++)
			if (ev_str_equal(name, form->when[k]))
				return true;
		for (size_t k = 0; k < form->unless_count; k++)
			if (ev_str_equal(name, form->unless[k]))
				return true;
	}
	return false;
}

/*
 * Where the envelope stands apart from the payload, what nobody knows in it
 * became meta, so meta goes back there, but for names that mean something else.
 */
static enum ev_status
write_meta(struct writing *w)
{
	enum ev_status status;
	yyjson_val *key, *value;
	yyjson_doc *doc;
	size_t i, max;

	if (is_flat(w) || native_name(w, EV_MEMBER_META).ptr ||
	    ev_str_equal(w->line->meta, EV_STR("{}")))
		return EV_OK;
	if ((status = ev_json_parse(&doc, w->line->meta, NULL, w->err)))
		return status;
	yyjson_obj_foreach(yyjson_doc_get_root(doc), i, max, key, value) {
		struct ev_str name = ev_json_text(key);

		if (ev_catalog_native_member(w->catalog, name) !=
		            EV_MEMBER_NONE ||
		    ev_str_equal(name, w->form->payload) ||
		    is_lifted(w, name) || is_marker(w, name))
			continue;
		begin_member(w->out, name);
		ev_json_write(w->out, value);
	}
	yyjson_doc_free(doc);
	return EV_OK;
}

static enum ev_status
write_event(struct writing *w)
{
	static const enum ev_member order[] = {
		EV_MEMBER_POSITION,    EV_MEMBER_ID,
		EV_MEMBER_TYPE,        EV_MEMBER_CATALOG,
		EV_MEMBER_TIMESTAMP,   EV_MEMBER_RECORDED_AT,
		EV_MEMBER_STREAM,      EV_MEMBER_VERSION,
		EV_MEMBER_SCHEMA_VERSION, EV_MEMBER_PRIORITY,
		EV_MEMBER_CORRELATION, EV_MEMBER_CAUSATION,
		EV_MEMBER_ACTOR,
	};
	enum ev_status status;

	if ((status = choose_members(w)) || (status = check_clashes(w)) ||
	    (status = check_shape(w)))
		return status;
	ev_buf_add_char(w->out, '{');
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		write_member(w, order[i]);
	write_payload(w);
	write_member(w, EV_MEMBER_META);
	if ((status = write_meta(w)))
		return status;
	ev_buf_add_char(w->out, '}');
	return EV_OK;
}

enum ev_status
ev_format_native(struct ev_buf *out, const struct ev_line *line,
                 const struct ev_catalogs *catalogs, struct ev_err *err)
{
	struct writing w = { .out = out, .line = line, .catalogs = catalogs,
	                     .err = err };
	size_t start = out->len;
	enum ev_status status;
	yyjson_doc *doc;

	w.catalog = ev_catalogs_get(catalogs, line->catalog);
	if (w.catalog) {
		w.form = ev_catalog_native(w.catalog);
		w.type = ev_catalog_find(w.catalog, line->type);
	}
	if (!w.type)
		return ev_err_set(err, EV_BAD_INPUT,
		                  "cannot write it in its catalog's own form: "
		                  "no catalog at hand knows '%.*s' of '%.*s'",
		                  EV_FMT(line->type), EV_FMT(line->catalog));
	if (!w.form->when_count)
		return ev_err_set(err, EV_BAD_INPUT,
		                  "catalog '%.*s' has no form of its own",
		                  EV_FMT(line->catalog));
	status = ev_json_parse(&doc, line->data, NULL, err);
	if (!status) {
		w.data = yyjson_doc_get_root(doc);
		status = write_event(&w);
		yyjson_doc_free(doc);
	}
	ev_buf_release(&w.text);
	if (status) {
		out->len = start;
		return ev_err_prefix(err, EV_BAD_INPUT,
		                     "cannot write it in the form of '%.*s'",
		                     EV_FMT(line->catalog));
	}
	return EV_OK;
}
