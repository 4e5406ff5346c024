#include "domain/decimal.h"
#include "domain/projection_parts.h"

/* ---- members, before anything is compiled */

static bool
parse_operation(yyjson_val *name, enum ev_operation_kind *out)
{
	for (int i = 0; i < EV_OPERATIONS; i++) {
		*out = (enum ev_operation_kind)i;
		if (yyjson_equals_str(name, ev_operation_name(*out)))
			return true;
	}
	return false;
}

void
projection_add_slot(struct projection_compiler *c,
                    struct projection_slots *slots, struct ev_str name)
{
	const char *dot = name.len ? memchr(name.ptr, '.', name.len) : NULL;
	struct ev_slot *list;
	size_t unused;

	if (dot)
		name.len = (size_t)(dot - name.ptr);
	/* what is no name is complained of where it is compiled */
	if (!projection_is_name(name) ||
	    projection_find_slot(slots, name, &unused))
		return;
	if (slots->count == slots->room) {
		slots->room = slots->room ? slots->room * 2 : 32;
		list = ev_arena_alloc(c->arena, slots->room * sizeof *list);
		if (slots->count)
			memcpy(list, slots->list, slots->count * sizeof *list);
		slots->list = list;
	}
	slots->list[slots->count++].name = name;
}

void
projection_collect(struct projection_compiler *c,
                   struct projection_slots *slots, yyjson_val *rule)
{
	yyjson_obj_iter members = yyjson_obj_iter_with(rule);
	yyjson_val *name, *target;

	while ((name = yyjson_obj_iter_next(&members))) {
		yyjson_val *value = yyjson_obj_iter_get_val(name);
		yyjson_obj_iter targets = yyjson_obj_iter_with(value);
		yyjson_arr_iter texts = yyjson_arr_iter_with(value);
		enum ev_operation_kind kind;

		if (!parse_operation(name, &kind))
			continue;
		while ((target = yyjson_obj_iter_next(&targets)))
			projection_add_slot(c, slots, ev_json_text(target));
		while ((target = yyjson_arr_iter_next(&texts)))
			projection_add_slot(c, slots, ev_json_text(target));
	}
}

/* ---- operations */

static void
compile_amount(struct projection_compiler *c, struct ev_operation *out,
               yyjson_val *value)
{
	struct ev_str number = ev_json_text(value);
	struct ev_buf plain = { 0 };
	bool negative;

	if (yyjson_is_raw(value) && ev_decimal_is_integer(number))
		ev_decimal_write_plain(&plain, number);
	if (!plain.len || plain.len > 18) {
		projection_complain(c, value, "'count' adds a whole number, "
		                              "such as 1%s",
		                    yyjson_is_str(value)
		                            ? ": values are added by 'add'"
		                            : "");
		ev_buf_release(&plain);
		return;
	}
	negative = *plain.ptr == '-';
	for (size_t i = negative; i < plain.len; i++)
		out->amount = out->amount * 10 + (plain.ptr[i] - '0');
	if (negative)
		out->amount = -out->amount;
	ev_buf_release(&plain);
}

static bool
is_number_text(struct ev_str literal)
{
	if (literal.len > 2 && *literal.ptr == '"')
		literal = (struct ev_str){ literal.ptr + 1, literal.len - 2 };
	return ev_decimal_valid(literal);
}

/* Values of which one can tell already that the operation cannot use them. */
static void
check_value(struct projection_compiler *c, const struct ev_operation *op)
{
	const struct ev_source *value = &op->value;
	yyjson_val *where = value->where;
	const char *name = ev_operation_name(op->kind);
	bool scalar = !yyjson_is_ctn(where);

	if (op->kind != EV_SET && yyjson_is_null(where)) {
		projection_complain(c, where, "'%s' of null does nothing: "
		                              "null counts as missing", name);
		return;
	}
	switch (op->kind) {
	case EV_ADD:
		if (!scalar || (value->kind == EV_SOURCE_LITERAL &&
		                !is_number_text(value->literal)))
			projection_complain(c, where, "'add' adds numbers: a "
			                              "path or a number "
			                              "stands here");
		break;
	case EV_MIN:
	case EV_MAX:
	case EV_BUCKET:
		if (!scalar || yyjson_is_bool(where))
			projection_complain(c, where, "'%s' compares numbers%s"
			                              ", not %s", name,
			                    op->kind == EV_BUCKET
			                            ? "" : " or texts",
			                    projection_kind(where));
		break;
	case EV_TALLY:
		if (yyjson_is_obj(where))
			projection_complain(c, where, "'tally' counts texts, "
			                              "or those of a list, "
			                              "not a map");
		break;
	default:
		break;
	}
}

static void
compile_order(struct projection_compiler *c, struct ev_operation *out,
              yyjson_val *list)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(list);
	struct ev_str *order;
	yyjson_val *item;

	if (!projection_fits(c, list, "order", yyjson_is_arr(list) &&
	                                               yyjson_arr_size(list),
	                     "a list of texts, the least first"))
		return;
	order = ev_arena_alloc(c->arena, yyjson_arr_size(list) *
	                                         sizeof *order);
	out->order = order;
	while ((item = yyjson_arr_iter_next(&iter))) {
		struct ev_str text = projection_slice(c, ev_json_text(item));

		if (!yyjson_is_str(item))
			projection_complain(c, item, "'order' lists texts, "
			                             "not %s",
			                    projection_kind(item));
		for (size_t i = 0; i < out->order_count; i++)
			if (ev_str_equal(order[i], text))
				projection_complain(c, item,
				                    "'%.*s' is in the order "
				                    "twice", EV_FMT(text));
		order[out->order_count++] = text;
	}
	projection_refuse_paths(c, list, "'order'");
}

static struct ev_str
make_label(struct projection_compiler *c, const char *sign, struct ev_str bound)
{
	struct ev_buf text = { 0 };
	struct ev_str label;

	ev_buf_printf(&text, "%s%.*s", sign, EV_FMT(bound));
	label = ev_arena_dup(c->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return label;
}

static void
compile_bounds(struct projection_compiler *c, struct ev_operation *out,
               yyjson_val *list)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(list);
	size_t count = yyjson_arr_size(list), i = 0;
	struct ev_str *bounds, *labels;
	yyjson_val *item;

	if (!projection_fits(c, list, "bounds", count > 0,
	                     "a list of numbers, ascending"))
		return;
	bounds = ev_arena_alloc(c->arena, count * sizeof *bounds);
	labels = ev_arena_alloc(c->arena, (count + 1) * sizeof *labels);
	for (; (item = yyjson_arr_iter_next(&iter)); i++) {
		if (!yyjson_is_raw(item)) {
			projection_complain(c, item, "'bounds' lists numbers, "
			                             "not %s",
			                    projection_kind(item));
			return;
		}
		bounds[i] = ev_json_text(item);
		labels[i] = make_label(c, "<", bounds[i]);
		if (i && ev_decimal_compare(bounds[i - 1], bounds[i]) >= 0)
			projection_complain(c, item,
			                    "'%.*s' does not lie above '%.*s': "
			                    "bounds ascend", EV_FMT(bounds[i]),
			                    EV_FMT(bounds[i - 1]));
	}
	labels[count] = make_label(c, ">=", bounds[count - 1]);
	out->order = bounds;
	out->order_count = count;
	out->labels = labels;
}

/* The value of an operation that is written {value: V, …}. */
static void
compile_named_value(struct projection_compiler *c, struct ev_operation *out,
                    yyjson_val *map)
{
	yyjson_val *value = yyjson_obj_get(map, "value");

	if (value)
		projection_source(c, &out->value, value);
	else
		projection_complain(c, map, "'%s' of a map needs its 'value'",
		                    ev_operation_name(out->kind));
}

static void
compile_extreme(struct projection_compiler *c, struct ev_operation *out,
                yyjson_val *value)
{
	static const char *const known[] = { "value", "order", NULL };
	yyjson_val *order = yyjson_obj_get(value, "order");

	if (!yyjson_is_obj(value)) {
		projection_source(c, &out->value, value);
		return;
	}
	projection_refuse_unknown(c, value, "a value with its order", known);
	compile_named_value(c, out, value);
	if (order)
		compile_order(c, out, order);
}

static void
compile_append(struct projection_compiler *c, struct ev_operation *out,
               yyjson_val *value)
{
	static const char *const known[] = { "value", "limit", "by", NULL };
	yyjson_val *limit = yyjson_obj_get(value, "limit");
	yyjson_val *by = yyjson_obj_get(value, "by");

	/* an object that has no 'value' is what is appended itself */
	if (!yyjson_obj_get(value, "value") && !yyjson_is_raw(limit)) {
		projection_source(c, &out->value, value);
		return;
	}
	projection_refuse_unknown(c, value,
	                          "what is appended, if it has a 'value',",
	                          known);
	compile_named_value(c, out, value);
	if (limit && (!yyjson_is_raw(limit) ||
	              !ev_decimal_size(ev_json_text(limit), &out->limit) ||
	              !out->limit))
		projection_complain(c, limit, "'limit' is a whole number from "
		                              "1");
	if (!by)
		return;
	if (!yyjson_is_str(by) || !projection_is_name(ev_json_text(by)))
		projection_complain(c, by, "'by' is the name of a member of "
		                           "what is appended");
	else
		out->by = projection_slice(c, ev_json_text(by));
}

static void
compile_bucket(struct projection_compiler *c, struct ev_operation *out,
               yyjson_val *value)
{
	static const char *const known[] = { "value", "bounds", NULL };
	yyjson_val *bounds = yyjson_obj_get(value, "bounds");

	if (!yyjson_is_obj(value) || !bounds) {
		projection_complain(c, value, "'bucket' needs {value: V, "
		                              "bounds: [0.5, 0.8]}");
		return;
	}
	projection_refuse_unknown(c, value, "a bucket", known);
	compile_named_value(c, out, value);
	compile_bounds(c, out, bounds);
}

static void
compile_operation(struct projection_compiler *c, struct ev_operation *out,
                  enum ev_operation_kind kind, yyjson_val *target,
                  yyjson_val *value)
{
	out->kind = kind;
	projection_target(c, &out->target, target);
	switch (kind) {
	case EV_UNSET:
		return;
	case EV_COUNT:
		compile_amount(c, out, value);
		return;
	case EV_MIN:
	case EV_MAX:
		compile_extreme(c, out, value);
		break;
	case EV_APPEND:
		compile_append(c, out, value);
		break;
	case EV_BUCKET:
		compile_bucket(c, out, value);
		break;
	default:
		projection_source(c, &out->value, value);
	}
	if (out->value.where)
		check_value(c, out);
}

static bool
check_operation_shape(struct projection_compiler *c, yyjson_val *name,
                      enum ev_operation_kind kind)
{
	yyjson_val *value = yyjson_obj_iter_get_val(name);
	const char *text = ev_operation_name(kind);

	if (kind == EV_UNSET
	            ? !projection_fits(c, value, text, yyjson_is_arr(value),
	                               "a list of members")
	            : !projection_fits(c, value, text, yyjson_is_obj(value),
	                               "a map of members"))
		return false;
	if (!unsafe_yyjson_get_len(value))
		projection_complain(c, value, "'%s' names no member", text);
	return true;
}

void
projection_operations(struct projection_compiler *c, struct ev_rule *out,
                      yyjson_val *rule)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(rule);
	enum ev_operation_kind kind;
	struct ev_operation *list;
	yyjson_val *name, *target;
	size_t count = 0;

	while ((name = yyjson_obj_iter_next(&iter)))
		if (yyjson_is_ctn(yyjson_obj_iter_get_val(name)))
			count += unsafe_yyjson_get_len(
				yyjson_obj_iter_get_val(name));
	list = ev_arena_alloc(c->arena, count * sizeof *list);
	out->operations = list;
	iter = yyjson_obj_iter_with(rule);
	while ((name = yyjson_obj_iter_next(&iter))) {
		yyjson_val *value = yyjson_obj_iter_get_val(name);
		yyjson_obj_iter targets = yyjson_obj_iter_with(value);
		yyjson_arr_iter texts = yyjson_arr_iter_with(value);

		if (!parse_operation(name, &kind) ||
		    !check_operation_shape(c, name, kind))
			continue;
		while ((target = yyjson_obj_iter_next(&targets)))
			compile_operation(c, &list[out->operation_count++],
			                  kind, target,
			                  yyjson_obj_iter_get_val(target));
		while ((target = yyjson_arr_iter_next(&texts))) {
			if (!projection_fits(c, target, "unset",
			                     yyjson_is_str(target),
			                     "a list of members"))
				continue;
			compile_operation(c, &list[out->operation_count++],
			                  kind, target, NULL);
		}
	}
}

/* ---- two writers of one member */

static bool
is_same_text(const struct ev_text *a, const struct ev_text *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct ev_text_part *p = &a->parts[i], *q = &b->parts[i];

		if (!ev_str_equal(p->literal, q->literal) ||
		    !p->path != !q->path || p->filter != q->filter ||
		    (p->path && !ev_str_equal(p->path->text, q->path->text)))
			return false;
	}
	return true;
}

/* Is one certainly the other or a part of it? */
static bool
do_overlap(const struct ev_target *a, const struct ev_target *b)
{
	if (a->slot != b->slot)
		return false;
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (!is_same_text(&a->steps[i], &b->steps[i]))
			return false;
	return true;
}

static void
refuse_overlap(struct projection_compiler *c, const struct ev_operation *op,
               const struct ev_operation *other, const char *whose)
{
	size_t line = c->places ? c->places[other->target.where - c->root].line
	                        : 0;

	if (!do_overlap(&op->target, &other->target))
		return;
	projection_complain(c, op->target.where,
	                    "'%.*s' is written by '%s' of %s too, in line %zu: "
	                    "one event writes a member once",
	                    EV_FMT(op->target.text),
	                    ev_operation_name(other->kind), whose, line);
}

void
projection_refuse_overlaps(struct projection_compiler *c,
                           const struct ev_rule *rule)
{
	for (size_t i = 0; i < rule->operation_count; i++) {
		const struct ev_operation *op = &rule->operations[i];

		for (size_t k = 0; c->always && k < c->always->operation_count;
		     k++)
			refuse_overlap(c, op, &c->always->operations[k],
			               "'always'");
		for (size_t k = 0; k < i; k++)
			refuse_overlap(c, op, &rule->operations[k],
			               "this rule");
	}
}
