#include <stdio.h>

#include "domain/catalog.h"
#include "domain/decimal.h"

/* One step on its way: what it works on, and where it is for messages. */
struct upcast {
	yyjson_mut_doc *doc;
	yyjson_mut_val *root;
	const struct ev_type *type;
	int from;
	const char *step;
	struct ev_err *err;
};

static enum ev_status
refuse(const struct upcast *u, struct ev_str path, const char *reason)
{
	return ev_err_set(u->err, EV_BAD_INPUT,
	                  "cannot upcast '%.*s' from version %d: %s '%.*s': %s",
	                  EV_FMT(u->type->name), u->from, u->step,
	                  EV_FMT(path), reason);
}

static void *
made(void *memory)
{
	if (!memory)
		ev_mem_exhausted();
	return memory;
}

static bool
key_is(yyjson_mut_val *key, struct ev_str name)
{
	return ev_str_equal((struct ev_str){ yyjson_mut_get_str(key),
	                                     yyjson_mut_get_len(key) }, name);
}

static yyjson_mut_val *
get(yyjson_mut_val *object, struct ev_str name)
{
	return yyjson_mut_obj_getn(object, name.ptr, name.len);
}

/* Cuts the first name off a path. */
static struct ev_str
next_name(struct ev_str *path)
{
	const char *dot = memchr(path->ptr, '.', path->len);
	struct ev_str name = *path;

	if (dot)
		name.len = (size_t)(dot - name.ptr);
	path->ptr += name.len + (dot != NULL);
	path->len -= name.len + (dot != NULL);
	return name;
}

/* The object that holds what a path leads to, and its name there. */
static yyjson_mut_val *
find_parent(yyjson_mut_val *object, struct ev_str path, struct ev_str *name)
{
	for (*name = next_name(&path); object && path.len;
	     *name = next_name(&path))
		object = get(object, *name);
	return yyjson_mut_is_obj(object) ? object : NULL;
}

/* The same, with the objects on the way made; NULL: something else is there. */
static yyjson_mut_val *
make_parent(struct upcast *u, struct ev_str path, struct ev_str *name)
{
	yyjson_mut_val *object = u->root;

	for (*name = next_name(&path); path.len; *name = next_name(&path)) {
		yyjson_mut_val *next = get(object, *name);

		if (!next) {
			next = made(yyjson_mut_obj(u->doc));
			yyjson_mut_obj_add(object,
			                   made(yyjson_mut_strn(u->doc,
			                                        name->ptr,
			                                        name->len)),
			                   next);
		}
		if (!yyjson_mut_is_obj(next))
			return NULL;
		object = next;
	}
	return object;
}

static enum ev_status
add(struct upcast *u, struct ev_str path, yyjson_mut_val *value)
{
	struct ev_str name;
	yyjson_mut_val *parent = make_parent(u, path, &name);

	if (!parent)
		return refuse(u, path, "a member on the way is no object");
	yyjson_mut_obj_add(parent, made(yyjson_mut_strn(u->doc, name.ptr,
	                                                name.len)), value);
	return EV_OK;
}

static bool
is_there(struct upcast *u, struct ev_str path)
{
	struct ev_str name;
	yyjson_mut_val *parent = find_parent(u->root, path, &name);

	return parent && get(parent, name);
}

static enum ev_status
rename_member(struct upcast *u, struct ev_str path, yyjson_val *to)
{
	struct ev_str name, new_name = ev_json_text(to);
	yyjson_mut_val *parent = find_parent(u->root, path, &name), *key;
	yyjson_mut_obj_iter iter;

	if (!parent || !get(parent, name))
		return EV_OK;
	if (get(parent, new_name))
		return refuse(u, path, "the new name is taken");
	iter = yyjson_mut_obj_iter_with(parent);
	while ((key = yyjson_mut_obj_iter_next(&iter)))
		if (key_is(key, name))
			yyjson_mut_set_strn(key, new_name.ptr, new_name.len);
	return EV_OK;
}

static enum ev_status
add_default(struct upcast *u, struct ev_str path, yyjson_val *value)
{
	if (is_there(u, path))
		return EV_OK;
	return add(u, path, made(yyjson_val_mut_copy(u->doc, value)));
}

static void
drop_member(struct upcast *u, struct ev_str path)
{
	struct ev_str name;
	yyjson_mut_val *parent = find_parent(u->root, path, &name);

	if (parent)
		yyjson_mut_obj_remove_keyn(parent, name.ptr, name.len);
}

static enum ev_status
move_member(struct upcast *u, struct ev_str path, yyjson_val *to)
{
	struct ev_str name;
	yyjson_mut_val *parent = find_parent(u->root, path, &name), *value;

	value = parent ? get(parent, name) : NULL;
	if (!value)
		return EV_OK;
	if (is_there(u, ev_json_text(to)))
		return refuse(u, path, "something is already at its new place");
	value = made(yyjson_mut_val_mut_copy(u->doc, value));
	yyjson_mut_obj_remove_keyn(parent, name.ptr, name.len);
	return add(u, ev_json_text(to), value);
}

/* ---- conversions; each makes a new value, or NULL for no answer */

static struct ev_str
mut_text(yyjson_mut_val *value)
{
	if (!yyjson_mut_is_str(value) && !yyjson_mut_is_raw(value))
		return (struct ev_str){ 0 };
	return (struct ev_str){ unsafe_yyjson_get_str(value),
		                unsafe_yyjson_get_len(value) };
}

static yyjson_mut_val *
make_string(yyjson_mut_doc *doc, yyjson_mut_val *value)
{
	struct ev_str text = mut_text(value);

	if (yyjson_mut_is_bool(value))
		text = yyjson_mut_get_bool(value) ? EV_STR("true")
		                                  : EV_STR("false");
	return text.ptr ? made(yyjson_mut_strn(doc, text.ptr, text.len)) : NULL;
}

static yyjson_mut_val *
make_number(yyjson_mut_doc *doc, yyjson_mut_val *value)
{
	struct ev_str text = mut_text(value);

	if (yyjson_mut_is_bool(value))
		text = yyjson_mut_get_bool(value) ? EV_STR("1") : EV_STR("0");
	return ev_decimal_valid(text)
	               ? made(yyjson_mut_rawn(doc, text.ptr, text.len)) : NULL;
}

static yyjson_mut_val *
make_integer(yyjson_mut_doc *doc, yyjson_mut_val *value)
{
	yyjson_mut_val *number = make_number(doc, value);
	struct ev_buf plain = { 0 };

	if (!number || !ev_decimal_is_integer(mut_text(number)))
		return NULL;
	ev_decimal_write_plain(&plain, mut_text(number));
	number = made(yyjson_mut_rawncpy(doc, plain.ptr, plain.len));
	ev_buf_release(&plain);
	return number;
}

static yyjson_mut_val *
make_boolean(yyjson_mut_doc *doc, yyjson_mut_val *value)
{
	static const struct {
		const char *text;
		bool value;
	} answers[] = {
		{ "true", true }, { "false", false },
		{ "1", true },    { "0", false },
	};
	struct ev_str text = mut_text(value);

	if (yyjson_mut_is_bool(value))
		return value;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		if (ev_str_equal(text, ev_str(answers[i].text)))
			return made(yyjson_mut_bool(doc, answers[i].value));
	return NULL;
}

static enum ev_status
convert_member(struct upcast *u, struct ev_str path, yyjson_val *to)
{
	static const struct {
		const char *type;
		yyjson_mut_val *(*make)(yyjson_mut_doc *doc,
		                        yyjson_mut_val *value);
	} conversions[] = {
		{ "string", make_string },
		{ "number", make_number },
		{ "integer", make_integer },
		{ "boolean", make_boolean },
	};
	struct ev_str name;
	yyjson_mut_val *parent = find_parent(u->root, path, &name);
	yyjson_mut_val *value = parent ? get(parent, name) : NULL, *result;

	/* what is not there, and what is null, stays so */
	if (!value || yyjson_mut_is_null(value))
		return EV_OK;
	for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
		if (!yyjson_equals_str(to, conversions[i].type))
			continue;
		result = conversions[i].make(u->doc, value);
		if (!result)
			break;
		value->tag = result->tag;
		value->uni = result->uni;
		return EV_OK;
	}
	return refuse(u, path, "this value has no such form");
}

static enum ev_status
run_member(struct upcast *u, yyjson_val *key, yyjson_val *value)
{
	struct ev_str path = ev_json_text(key);

	if (!path.len)
		return EV_OK;
	if (!strcmp(u->step, "rename"))
		return rename_member(u, path, value);
	if (!strcmp(u->step, "default"))
		return add_default(u, path, value);
	if (!strcmp(u->step, "move"))
		return move_member(u, path, value);
	return convert_member(u, path, value);
}

static enum ev_status
run_step(struct upcast *u, yyjson_val *step)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(step);
	yyjson_val *key = yyjson_obj_iter_next(&iter), *value;
	yyjson_arr_iter items;
	enum ev_status status = EV_OK;

	if (!key)
		return EV_OK;
	u->step = yyjson_get_str(key);
	value = yyjson_obj_iter_get_val(key);
	items = yyjson_arr_iter_with(value);
	iter = yyjson_obj_iter_with(value);
	while ((key = yyjson_arr_iter_next(&items)))
		if (yyjson_get_len(key))
			drop_member(u, ev_json_text(key));
	while (!status && (key = yyjson_obj_iter_next(&iter)))
		status = run_member(u, key, yyjson_obj_iter_get_val(key));
	return status;
}

enum ev_status
ev_type_upcast(const struct ev_type *type, int from, yyjson_val *data,
               struct ev_buf *out, struct ev_err *err)
{
	struct upcast u = { .type = type, .err = err };
	enum ev_status status = EV_OK;

	if (from < 1 || from > type->version)
		return ev_err_set(err, EV_BAD_INPUT,
		                  "cannot upcast '%.*s': the catalog knows "
		                  "versions 1 to %d, not %d",
		                  EV_FMT(type->name), type->version, from);
	if (from == type->version) {
		ev_json_write(out, data);
		return EV_OK;
	}
	u.doc = made(yyjson_mut_doc_new(NULL));
	u.root = made(yyjson_val_mut_copy(u.doc, data));
	for (u.from = from; !status && u.from < type->version; u.from++) {
		char version[16];
		yyjson_arr_iter steps;
		yyjson_val *step;

		snprintf(version, sizeof version, "%d", u.from);
		steps = yyjson_arr_iter_with(yyjson_obj_get(type->upcast,
		                                            version));
		while (!status && (step = yyjson_arr_iter_next(&steps)))
			status = run_step(&u, step);
	}
	if (!status)
		ev_json_write_mut(out, u.root);
	yyjson_mut_doc_free(u.doc);
	return status;
}
