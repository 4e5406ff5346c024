#include "cmd/where.h"

#include <stdlib.h>

#include "domain/decimal.h"

enum operator {
	EQUAL,
	NOT_EQUAL,
	BELOW,
	AT_MOST,
	ABOVE,
	AT_LEAST
};

struct where_term {
	struct ev_str member;
	enum operator operator;
	struct ev_str text;
	bool is_number;
};

/* Longer ones first: "<" also begins "<=". */
static const struct {
	const char *text;
	enum operator operator;
} operators[] = {
	{ "!=", NOT_EQUAL }, { "<=", AT_MOST }, { ">=", AT_LEAST },
	{ "=", EQUAL }, { "<", BELOW }, { ">", ABOVE },
};

enum ev_status
where_add(struct where *where, const char *expression, struct ev_err *err)
{
	size_t len = strcspn(expression, "=!<>");
	struct where_term term = { .member = { expression, len } };
	struct where_term *list;
	size_t i, n = sizeof operators / sizeof *operators;

	for (i = 0; i < n; i++)
		if (ev_str_starts(ev_str(expression + len),
		                  ev_str(operators[i].text)))
			break;
	if (!len || i == n)
		return ev_err_set(err, EV_USAGE, "'%s': expected MEMBER=TEXT, "
		                  "or another of != < <= > >=", expression);
	term.operator = operators[i].operator;
	term.text = ev_str(expression + len + strlen(operators[i].text));
	term.is_number = ev_decimal_valid(term.text);
	list = ev_arena_alloc(&where->arena,
	                      (where->count + 1) * sizeof *list);
	if (where->count)
		memcpy(list, where->list, where->count * sizeof *list);
	list[where->count++] = term;
	where->list = list;
	return EV_OK;
}

enum ev_status
where_check(const struct ev_projection *projection, struct ev_str member,
            struct ev_err *err)
{
	const char *dot = memchr(member.ptr, '.', member.len);
	struct ev_str name = member;

	if (dot)
		name.len = (size_t)(dot - member.ptr);
	if (ev_str_equal(name, EV_STR("key")))
		return EV_OK;
	for (size_t i = 0; i < projection->slot_count; i++)
		if (ev_str_equal(projection->slots[i].name, name))
			return EV_OK;
	for (size_t i = 0; i < projection->derive_count; i++)
		if (ev_str_equal(projection->derives[i].name, name))
			return EV_OK;
	return ev_err_set(err, EV_USAGE, "documents of '%.*s' have no member "
	                  "'%.*s'", EV_FMT(projection->name), EV_FMT(name));
}

enum ev_status
where_check_all(const struct where *where,
                const struct ev_projection *projection, struct ev_err *err)
{
	enum ev_status status = EV_OK;

	for (size_t i = 0; !status && i < where->count; i++)
		status = where_check(projection, where->list[i].member, err);
	return status;
}

void
where_release(struct where *where)
{
	ev_arena_release(&where->arena);
	*where = (struct where){ 0 };
}

yyjson_val *
where_find(yyjson_val *document, struct ev_str path)
{
	struct ev_str name = path;
	yyjson_val *value, *found = NULL;

	if (!yyjson_is_obj(document))
		return NULL;
	for (;;) {
		value = yyjson_obj_getn(document, name.ptr, name.len);
		if (value && name.len == path.len)
			return value;
		if (value)
			found = where_find(value, (struct ev_str){
				path.ptr + name.len + 1,
				path.len - name.len - 1 });
		if (found)
			return found;
		do {
			if (!name.len)
				return NULL;
		} while (name.ptr[--name.len] != '.');
	}
}

/* Places of the kinds of values in the order of where_compare. */
static int
rank(yyjson_val *value)
{
	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_RAW:
		return 0;
	case YYJSON_TYPE_STR:
		return 1;
	case YYJSON_TYPE_BOOL:
		return 2;
	case YYJSON_TYPE_ARR:
	case YYJSON_TYPE_OBJ:
		return 3;
	default: /* null, and missing */
		return 4;
	}
}

static int
compare_json(yyjson_val *a, yyjson_val *b)
{
	struct ev_buf x = { 0 }, y = { 0 };
	int order;

	ev_json_write(&x, a);
	ev_json_write(&y, b);
	order = ev_str_compare(ev_buf_str(&x), ev_buf_str(&y));
	ev_buf_release(&x);
	ev_buf_release(&y);
	return order;
}

int
where_compare(yyjson_val *a, yyjson_val *b)
{
	if (rank(a) != rank(b))
		return rank(a) < rank(b) ? -1 : 1;
	switch (rank(a)) {
	case 0:
		return ev_decimal_compare(ev_json_text(a), ev_json_text(b));
	case 1:
		return ev_str_compare(ev_json_text(a), ev_json_text(b));
	case 2:
		return yyjson_is_true(a) - yyjson_is_true(b);
	case 3:
		return compare_json(a, b);
	default:
		return 0;
	}
}

int
where_compare_reversed(yyjson_val *a, yyjson_val *b)
{
	bool last_a = !a || yyjson_is_null(a), last_b = !b || yyjson_is_null(b);

	return last_a || last_b ? last_a - last_b : where_compare(b, a);
}

/* Everything that is no text is compared as it is printed. */
static bool
is_text(yyjson_val *value, struct ev_str text)
{
	struct ev_buf json = { 0 };
	bool same;

	if (yyjson_is_str(value))
		return ev_str_equal(ev_json_text(value), text);
	ev_json_write(&json, value);
	same = ev_str_equal(ev_buf_str(&json), text);
	ev_buf_release(&json);
	return same;
}

static bool
is_equal(const struct where_term *term, yyjson_val *value)
{
	if (yyjson_is_raw(value) && term->is_number)
		return ev_decimal_compare(ev_json_text(value), term->text) == 0;
	return is_text(value, term->text);
}

/* Only numbers with numbers and texts with texts; false: neither. */
static bool
get_order(const struct where_term *term, yyjson_val *value, int *order)
{
	if (yyjson_is_raw(value) && term->is_number)
		*order = ev_decimal_compare(ev_json_text(value), term->text);
	else if (yyjson_is_str(value))
		*order = ev_str_compare(ev_json_text(value), term->text);
	else
		return false;
	return true;
}

static bool
term_holds(const struct where_term *term, yyjson_val *value)
{
	int order;

	switch (term->operator) {
	case EQUAL:
		return is_equal(term, value);
	case NOT_EQUAL:
		return !is_equal(term, value);
	default:
		break;
	}
	if (!get_order(term, value, &order))
		return false;
	switch (term->operator) {
	case BELOW:
		return order < 0;
	case AT_MOST:
		return order <= 0;
	case ABOVE:
		return order > 0;
	default:
		return order >= 0;
	}
}

bool
where_holds(const struct where *where, yyjson_val *document)
{
	for (size_t i = 0; i < where->count; i++)
		if (!term_holds(&where->list[i],
		                where_find(document, where->list[i].member)))
			return false;
	return true;
}
