#include <assert.h>

#include "domain/decimal.h"
#include "domain/fold_parts.h"

/* ---- first half: what it would do */

static enum ev_status
fault(struct run *run, const struct ev_operation *operation, const char *why)
{
	const char *name = ev_operation_name(operation->kind);

	return ev_err_set(run->err, EV_BAD_INPUT, "cannot %s '%.*s': %s", name,
	                  EV_FMT(operation->target.text), why);
}

/* The value that is there now; NULL: none. EV_BAD_INPUT: there cannot be one,
   as it would be part of something that has no parts. */
static enum ev_status
look(struct run *run, const struct step *step, const struct ev_value **out)
{
	const struct ev_target *target = &step->operation->target;
	struct ev_value *value = &step->document->slots[target->slot];

	for (size_t i = 0; i < target->count; i++) {
		if (!ev_value_can_be(value, '{'))
			return fault(run, step->operation,
			             "what it is part of is no object");
		if (ev_value_is_empty(value)) {
			*out = NULL;
			return EV_OK;
		}
		/* only its form changes, not what it says */
		value = ev_map_get(ev_value_map(&run->fold->pool, value),
		                   step->names[i]);
		if (!value) {
			*out = NULL;
			return EV_OK;
		}
	}
	*out = value;
	return EV_OK;
}

static size_t
place_in(const struct ev_operation *operation, struct ev_str json)
{
	size_t i = 0;

	while (i < operation->order_count &&
	       !ev_str_equal(operation->order[i], ev_scan_text(json)))
		i++;
	return i;
}

/* How a value stands to the one that is there; false: it cannot be told. */
static bool
rank(const struct ev_operation *operation, struct ev_str a, struct ev_str b,
     int *order)
{
	size_t x, y;

	if (!operation->order_count)
		return fold_compare(a, b, order);
	if (!ev_scan_is_string(a) || !ev_scan_is_string(b))
		return false;
	x = place_in(operation, a);
	y = place_in(operation, b);
	*order = (x > y) - (x < y);
	return x < operation->order_count;
}

static struct ev_str
json_of(struct ev_fold *fold, const struct ev_value *value)
{
	struct ev_buf text = { 0 };
	struct ev_str kept;

	if (value->kind == EV_VALUE_JSON)
		return ev_value_json(value);
	ev_value_write(value, &text);
	kept = fold_copy(fold, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept;
}

/* Leaves the step without a value when there is nothing to do. */
static enum ev_status
prepare_extreme(struct run *run, struct step *step,
                const struct ev_value *now)
{
	int sign = step->operation->kind == EV_MIN ? 1 : -1;
	struct ev_str there;
	int order;

	if (!rank(step->operation, step->value, step->value, &order))
		return fault(run, step->operation,
		             step->operation->order_count
		             ? "the value is not in its order"
		             : "the value is neither a number nor a text");
	if (!now || now->kind == EV_VALUE_NONE)
		return EV_OK;
	there = json_of(run->fold, now);
	if (ev_scan_is_null(there))
		return EV_OK;
	if (!rank(step->operation, step->value, there, &order))
		return fault(run, step->operation,
		             "the value is not of the kind that is there");
	if (order * sign >= 0)
		step->value = (struct ev_str){ 0 };
	return EV_OK;
}

static bool
is_number(struct ev_str json)
{
	if (ev_scan_is_string(json))
		json = ev_scan_text(json);
	return json.len && ev_decimal_valid(json);
}

/* A number, or a text that is one. */
static bool
take_number(struct ev_str json, struct ev_number *number)
{
	if (ev_scan_is_string(json))
		json = ev_scan_text(json);
	return json.len && ev_number_parse(number, json);
}

static enum ev_status
prepare_bucket(struct run *run, struct step *step)
{
	const struct ev_operation *operation = step->operation;
	struct ev_str value = step->value;
	size_t i = 0;

	if (ev_scan_is_string(value))
		value = ev_scan_text(value);
	if (!value.len || !ev_decimal_valid(value))
		return fault(run, operation, "the value is no number");
	while (i < operation->order_count &&
	       ev_decimal_compare(value, operation->order[i]) >= 0)
		i++;
	step->value = operation->labels[i];
	return EV_OK;
}

static bool
are_counts(const struct ev_value *now, struct ev_str name)
{
	struct ev_str json;

	if (!now || now->kind == EV_VALUE_NONE)
		return true;
	if (now->kind == EV_VALUE_MAP) {
		now = ev_map_get(now->u.map, name);
		return !now || ev_value_can_be(now, '0');
	}
	if (!ev_value_can_be(now, '{'))
		return false;
	json = ev_scan_find(ev_value_json(now), name);
	return !json.ptr || ev_scan_is_number(json) || ev_scan_is_null(json);
}

static enum ev_status
prepare_tally(struct run *run, const struct step *step,
              const struct ev_value *now)
{
	struct ev_str value = step->value, item;
	struct ev_scan scan = ev_scan_begin(value);
	bool list = *value.ptr == '[';

	do {
		if (list && !ev_scan_element(&scan, &item))
			return EV_OK;
		item = fold_plain(run->fold, list ? item : value);
		if (item.ptr && !are_counts(now, item))
			return fault(run, step->operation,
			             "what is there is no count");
		if (!item.ptr && !list)
			return fault(run, step->operation,
			             "the value has no text");
	} while (list);
	return EV_OK;
}

static enum ev_status
check_append(struct run *run, const struct step *step)
{
	const struct ev_operation *operation = step->operation;
	struct ev_str by;
	int order;

	if (!operation->by.ptr)
		return EV_OK;
	by = ev_scan_find(step->value, operation->by);
	if (!by.ptr || !fold_compare(by, by, &order))
		return fault(run, operation,
		             "the value has no such member to be sorted by");
	return EV_OK;
}

/* A sum can grow longer than a number may be, but not by short ones. */
static enum ev_status
prepare_sum(struct run *run, const struct step *step,
            const struct ev_value *now)
{
	struct ev_number sum = { 0 };
	bool fits = true;

	if (!now || now->kind == EV_VALUE_NONE)
		return EV_OK;
	if (!ev_value_can_be(now, '0'))
		return fault(run, step->operation,
		             "what is there is no number");
	if (step->number.big ||
	    (now->kind == EV_VALUE_NUMBER && now->u.number->big) ||
	    ev_value_json(now).len > 18)
		fits = !ev_number_parse(&sum, json_of(run->fold, now)) ||
		       ev_number_add(&sum, &step->number);
	ev_number_release(&sum);
	return fits ? EV_OK : fault(run, step->operation,
	                            "the sum has too many digits");
}

/* Can it be done to what is there? Of MIN and MAX, is there anything to do? */
static enum ev_status
check_step(struct run *run, struct step *step)
{
	const struct ev_operation *operation = step->operation;
	const struct ev_value *now = NULL;
	enum ev_status status = look(run, step, &now);

	if (status)
		return status;
	switch (operation->kind) {
	case EV_SET:
	case EV_UNSET:
	case EV_OPERATIONS:
		break;
	case EV_ADD:
	case EV_COUNT:
		return prepare_sum(run, step, now);
	case EV_MIN:
	case EV_MAX:
		return prepare_extreme(run, step, now);
	case EV_APPEND:
	case EV_INCLUDE:
	case EV_EXCLUDE:
		if (now && !ev_value_can_be(now, '['))
			return fault(run, operation,
			             "what is there is no list");
		break;
	case EV_BUCKET:
		if (!are_counts(now, step->value))
			return fault(run, operation,
			             "what is there is no count");
		break;
	case EV_TALLY:
		if (now && !ev_value_can_be(now, '{'))
			return fault(run, operation,
			             "what is there is no object");
		return prepare_tally(run, step, now);
	}
	return EV_OK;
}

/* Works out the value, and whether it can be done. */
static enum ev_status
prepare_value(struct run *run, struct step *step)
{
	const struct ev_operation *operation = step->operation;
	enum ev_status status = EV_OK;

	if (operation->kind == EV_ADD &&
	    !take_number(step->value, &step->number))
		return fault(run, operation, is_number(step->value)
		                             ? "the value has too many digits"
		                             : "the value is no number");
	if (operation->kind == EV_APPEND)
		status = check_append(run, step);
	else if (operation->kind == EV_BUCKET)
		status = prepare_bucket(run, step);
	return status ? status : check_step(run, step);
}

/* The names of the target's steps. EV_NO: one cannot be filled. */
static enum ev_status
prepare_target(struct run *run, struct step *step)
{
	const struct ev_target *target = &step->operation->target;
	struct ev_buf *text = &run->fold->text;
	struct ev_str *names;

	if (!target->count)
		return EV_OK;
	names = ev_arena_alloc(&run->fold->scratch,
	                       target->count * sizeof *names);
	for (size_t i = 0; i < target->count; i++) {
		ev_buf_reset(text);
		if (fold_text(run, &target->steps[i], text))
			return EV_NO;
		names[i] = fold_copy(run->fold, ev_buf_str(text));
	}
	step->names = names;
	return EV_OK;
}

struct step *
fold_add_step(struct ev_fold *fold)
{
	struct steps *s = &fold->steps;

	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 32;
		s->list = ev_mem_resize(s->list, s->room * sizeof *s->list);
	}
	s->list[s->count] = (struct step){ 0 };
	return &s->list[s->count++];
}

enum ev_status
fold_prepare(struct run *run, struct document *document,
        const struct ev_operation *operation)
{
	struct step step = { .document = document, .operation = operation };
	enum ev_status status;

	if ((status = prepare_target(run, &step)))
		return status == EV_NO ? EV_OK : status;
	if (operation->kind == EV_COUNT) {
		step.number.coefficient = operation->amount;
	} else if (operation->kind != EV_UNSET) {
		step.value = fold_source(run, &operation->value);
		if (!step.value.ptr || (operation->kind != EV_SET &&
		                        ev_scan_is_null(step.value)))
			return EV_OK;
	}
	status = prepare_value(run, &step);
	if (status)
		ev_number_release(&step.number);
	else if (step.value.ptr || operation->kind == EV_COUNT ||
	         operation->kind == EV_UNSET)
		*fold_add_step(run->fold) = step;
	return status;
}

/* ---- second half: it is done */

static void
add_to(struct ev_fold *fold, struct ev_value *value,
       const struct ev_number *number)
{
	struct ev_number *sum = ev_value_number(&fold->pool, value);

	assert(sum);
	if (!ev_number_add(sum, number))
		assert(!"prepare_sum has tried it");
}

static void
count_in(struct ev_fold *fold, struct ev_value *value, struct ev_str name)
{
	static const struct ev_number one = { .coefficient = 1 };
	struct ev_map *map = ev_value_map(&fold->pool, value);

	add_to(fold, ev_map_put(&fold->pool, map, name), &one);
}

static void
tally(struct ev_fold *fold, struct ev_value *value, struct ev_str json)
{
	struct ev_scan scan = ev_scan_begin(json);
	struct ev_str item;

	if (*json.ptr != '[') {
		count_in(fold, value, fold_plain(fold, json));
		return;
	}
	while (ev_scan_element(&scan, &item)) {
		item = fold_plain(fold, item);
		if (item.ptr)
			count_in(fold, value, item);
	}
}

/* Behind all that are not greater, so that equals stay in their order. */
static void
append(struct ev_fold *fold, struct ev_value *value, const struct step *step)
{
	const struct ev_operation *operation = step->operation;
	struct ev_items *list = ev_value_list(&fold->pool, value);
	struct ev_value *item = ev_items_add(&fold->pool, list), moved;
	struct ev_str by, other;
	int order;

	ev_value_set(&fold->pool, item, step->value);
	if (operation->by.ptr) {
		by = ev_scan_find(step->value, operation->by);
		for (; item > list->items; item--) {
			other = ev_scan_find(json_of(fold, item - 1),
			                     operation->by);
			if (!fold_compare(other, by, &order) || order <= 0)
				break;
			moved = *item;
			*item = item[-1];
			item[-1] = moved;
		}
	}
	if (operation->limit && list->count > operation->limit)
		ev_items_drop(&fold->pool, list, 0,
		             list->count - operation->limit);
}

static void
include(struct ev_fold *fold, struct ev_value *value, struct ev_str json)
{
	struct ev_items *list = ev_value_list(&fold->pool, value);
	struct ev_scan scan = ev_scan_begin(json);
	struct ev_str item = json;

	if (*json.ptr != '[')
		ev_items_include(&fold->pool, list, item);
	else
		while (ev_scan_element(&scan, &item))
			ev_items_include(&fold->pool, list, item);
}

static void
exclude(struct ev_fold *fold, struct ev_value *value, struct ev_str json)
{
	struct ev_items *list = ev_value_list(&fold->pool, value);
	struct ev_scan scan = ev_scan_begin(json);
	struct ev_str item = json;

	if (*json.ptr != '[')
		ev_items_exclude(&fold->pool, list, item);
	else
		while (ev_scan_element(&scan, &item))
			ev_items_exclude(&fold->pool, list, item);
	ev_items_tidy(&fold->pool, list);
}

/* Objects on the way are made; NULL: nothing to unset. */
static struct ev_value *
reach(struct ev_fold *fold, const struct step *step)
{
	const struct ev_target *target = &step->operation->target;
	struct ev_value *value = &step->document->slots[target->slot];

	for (size_t i = 0; i < target->count; i++) {
		struct ev_map *map;

		if (step->operation->kind == EV_UNSET &&
		    value->kind == EV_VALUE_NONE)
			return NULL;
		map = ev_value_map(&fold->pool, value);
		if (step->operation->kind != EV_UNSET) {
			value = ev_map_put(&fold->pool, map, step->names[i]);
		} else if (i + 1 == target->count) {
			ev_map_remove(&fold->pool, map, step->names[i]);
			return NULL;
		} else if (!(value = ev_map_get(map, step->names[i]))) {
			return NULL;
		}
	}
	return value;
}

void
fold_apply(struct ev_fold *fold, struct step *step)
{
	struct ev_value *value = reach(fold, step);

	if (!value)
		return;
	switch (step->operation->kind) {
	case EV_SET:
		if (step->operation->value.kind == EV_SOURCE_LITERAL) {
			ev_value_lend(&fold->pool, value, step->value);
			break;
		}
		/* fall through */
	case EV_MIN:
	case EV_MAX:
		ev_value_set(&fold->pool, value, step->value);
		break;
	case EV_UNSET:
		ev_value_clear(&fold->pool, value);
		break;
	case EV_COUNT:
	case EV_ADD:
		add_to(fold, value, &step->number);
		break;
	case EV_APPEND:
		append(fold, value, step);
		break;
	case EV_INCLUDE:
		include(fold, value, step->value);
		break;
	case EV_EXCLUDE:
		exclude(fold, value, step->value);
		break;
	case EV_TALLY:
		tally(fold, value, step->value);
		break;
	case EV_BUCKET:
		count_in(fold, value, step->value);
		break;
	case EV_OPERATIONS:
		break;
	}
}

enum ev_status
fold_apply_checked(struct run *run, struct step *step)
{
	enum ev_status status = check_step(run, step);

	if (!status && (step->value.ptr || step->operation->kind == EV_COUNT ||
	                step->operation->kind == EV_UNSET))
		fold_apply(run->fold, step);
	return status;
}
