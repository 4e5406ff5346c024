#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/opt.h"
#include "domain/projection_look.h"

enum { NAMED_MAX = 3, FITTING_MAX = 8 };

struct finding {
	yyjson_val *where;
	size_t order;
	struct ev_str message;
};

struct checker {
	struct ev_arena arena;
	struct finding *findings;
	size_t count, room;
	const struct projection_sight *sight;

	/* what is being checked: what a rule does with these types */
	const struct ev_type *const *types;
	size_t type_count;
	const struct ev_path *each;
	bool lenient; /* one of the types having a member is enough */
};

static void complain(struct checker *c, yyjson_val *where, const char *format,
                     ...) __attribute__((format(printf, 3, 4)));

static void
complain(struct checker *c, yyjson_val *where, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 16;
		c->findings = ev_mem_resize(c->findings,
		                            c->room * sizeof *c->findings);
	}
	c->findings[c->count] = (struct finding){
		where, c->count, ev_arena_dup(&c->arena, ev_str(message))
	};
	c->count++;
}

/* Values of a document lie in memory as they stand in the file. */
static int
compare_findings(const void *a, const void *b)
{
	const struct finding *left = a, *right = b;

	if (left->where != right->where)
		return left->where < right->where ? -1 : 1;
	return (left->order > right->order) - (left->order < right->order);
}

static void
report(struct checker *c, const struct ev_projection *projection,
       struct ev_problems *problems)
{
	if (c->count)
		qsort(c->findings, c->count, sizeof *c->findings,
		      compare_findings);
	for (size_t i = 0; i < c->count; i++) {
		const struct finding *f = &c->findings[i];

		if (!i || f->where != f[-1].where ||
		    !ev_str_equal(f->message, f[-1].message))
			ev_projection_report(projection, f->where, problems,
			                     "%.*s", EV_FMT(f->message));
	}
}

/* ---- words */

/* The word that is nearest so far. */
struct hint {
	const char *text;
	struct ev_str best;
	int distance;
};

static struct hint
hint_begin(struct checker *c, struct ev_str text)
{
	return (struct hint){ ev_arena_dup(&c->arena, text).ptr, { 0 }, 3 };
}

static void
hint_try(struct checker *c, struct hint *hint, struct ev_str word)
{
	int distance = ev_opt_distance(hint->text,
	                               ev_arena_dup(&c->arena, word).ptr);

	if (distance < hint->distance && (size_t)distance * 2 < word.len) {
		hint->distance = distance;
		hint->best = word;
	}
}

static const char *
hint_text(struct checker *c, const struct hint *hint)
{
	struct ev_buf text = { 0 };
	struct ev_str kept;

	if (!hint->best.len)
		return "";
	ev_buf_printf(&text, ": did you mean '%.*s'", EV_FMT(hint->best));
	kept = ev_arena_dup(&c->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept.ptr;
}

/* "a, b and c", of many "a, b, c and 4 more". `last` is "and" or "or". */
static const char *
enumerate(struct checker *c, const struct ev_str *words, size_t count,
          size_t most, const char *last)
{
	size_t shown = count <= most ? count : most;
	struct ev_buf text = { 0 };
	struct ev_str kept;

	for (size_t i = 0; i < shown; i++) {
		if (i && i + 1 == count)
			ev_buf_printf(&text, " %s ", last);
		else if (i)
			ev_buf_add(&text, ", ", 2);
		ev_buf_add_str(&text, words[i]);
	}
	if (shown < count)
		ev_buf_printf(&text, " %s %zu more", last, count - shown);
	kept = ev_arena_dup(&c->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept.ptr;
}

static const char *
name_types(struct checker *c, const struct ev_type *const *types, size_t count)
{
	struct ev_str *names;

	names = ev_arena_alloc(&c->arena, (count + 1) * sizeof *names);
	for (size_t i = 0; i < count; i++)
		names[i] = types[i]->name;
	return enumerate(c, names, count, NAMED_MAX, "and");
}

static const char *
describe(struct checker *c, unsigned types)
{
	static const struct {
		unsigned types;
		const char *name;
	} names[] = {
		{ EV_LOOK_NUMBER, "a number" },
		{ EV_LOOK_TEXTS, "a text" },
		{ EV_LOOK_BOOLEAN, "true or false" },
		{ EV_LOOK_LIST, "a list" },
		{ EV_LOOK_OBJECT, "an object" },
		{ EV_LOOK_NULL, "null" },
	};
	struct ev_buf text = { 0 };
	struct ev_str kept;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (types & names[i].types)
			ev_buf_printf(&text, "%s%s", text.len ? " or " : "",
			              names[i].name);
	kept = ev_arena_dup(&c->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept.ptr;
}

/* " of CI_FAILED", or of a document nothing. */
static const char *
of_type(struct checker *c, const struct ev_type *type)
{
	struct ev_buf text = { 0 };
	struct ev_str kept;

	if (!type)
		return "";
	ev_buf_printf(&text, " of %.*s", EV_FMT(type->name));
	kept = ev_arena_dup(&c->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept.ptr;
}

/* ---- paths */

static bool
look(struct checker *c, const struct ev_type *type, const struct ev_path *path,
     struct ev_look *out)
{
	return projection_look(c->sight, type, c->each, path, out);
}

static void
hint_members(struct checker *c, struct hint *hint, const struct ev_type *type,
             const struct ev_path *path)
{
	const struct projection_sight *from = c->sight->from;
	struct ev_str name;

	for (size_t i = 0; !type && from && path->count == 1 &&
	                   i < from->projection->slot_count; i++)
		hint_try(c, hint, from->projection->slots[i].name);
	for (size_t i = 0; type; i++) {
		name = ev_schema_member(type->payload, path->names,
		                        path->count - 1, i);
		if (!name.ptr)
			break;
		hint_try(c, hint, name);
	}
}

/* A path that is in none of these types. */
static void
refuse_path(struct checker *c, const struct ev_path *path,
            const struct ev_type *const *types, size_t count)
{
	struct hint hint;

	bool payload = path->root == EV_ROOT_DATA ||
	               path->member == EV_MEMBER_DATA;

	if (!payload || !path->count) {
		complain(c, path->where, "'%.*s' is never there: what it is "
		                         "part of has no such member",
		         EV_FMT(path->text));
		return;
	}
	hint = hint_begin(c, path->names[path->count - 1]);
	for (size_t i = 0; i < count; i++)
		hint_members(c, &hint, types[i], path);
	if (types[0])
		complain(c, path->where,
		         "'%.*s' is no member of the payload of %s%s",
		         EV_FMT(path->text), name_types(c, types, count),
		         hint_text(c, &hint));
	else
		complain(c, path->where,
		         "'%.*s' is no member of the documents of '%.*s'%s",
		         EV_FMT(path->text),
		         EV_FMT(c->sight->from->projection->name),
		         hint_text(c, &hint));
}

static void
check_path(struct checker *c, const struct ev_path *path)
{
	const struct ev_type **absent;
	struct ev_look unused;
	size_t count = 0;

	absent = ev_arena_alloc(&c->arena,
	                        (c->type_count + 1) * sizeof *absent);
	for (size_t i = 0; i < c->type_count; i++)
		if (!look(c, c->types[i], path, &unused))
			absent[count++] = c->types[i];
	if (count && (!c->lenient || count == c->type_count))
		refuse_path(c, path, absent, count);
}

/* Must what a path finds be one of `wanted`? `who` wants `what`. */
static void
check_types(struct checker *c, const struct ev_path *path, const char *who,
            unsigned wanted, const char *what)
{
	for (size_t i = 0; i < c->type_count; i++) {
		unsigned misfit;
		struct ev_look found;

		if (!look(c, c->types[i], path, &found) ||
		    found.types == EV_LOOK_ANY)
			continue;
		misfit = found.types & ~(wanted | EV_LOOK_NULL);
		if (!misfit && found.types & wanted)
			continue;
		complain(c, path->where, "'%s' wants %s, '%.*s'%s can be %s",
		         who, what, EV_FMT(path->text),
		         of_type(c, c->types[i]),
		         describe(c, misfit ? misfit : found.types));
		return;
	}
}

static void
check_text(struct checker *c, const struct ev_text *text)
{
	static const char *const filters[] = {
		[EV_FILTER_AGENT] = "agent",     [EV_FILTER_DATE] = "date",
		[EV_FILTER_PART] = "part",       [EV_FILTER_SEGMENT] = "segment",
		[EV_FILTER_SOME] = "some",
	};

	for (size_t i = 0; i < text->count; i++) {
		const struct ev_path *path = text->parts[i].path;
		enum ev_filter_name filter = text->parts[i].filter;

		if (!path)
			continue;
		check_path(c, path);
		if (filter == EV_FILTER_DATE)
			check_types(c, path, "date", EV_LOOK_TEXTS, "a time");
		else if (filter == EV_FILTER_AGENT)
			check_types(c, path, "agent", EV_LOOK_TEXTS, "a text");
		else
			check_types(c, path, filter == EV_FILTER_PLAIN
			                             ? "{}" : filters[filter],
			            EV_LOOK_SCALARS, "a text or a number");
	}
}

/* ---- values */

static void
check_source(struct checker *c, const struct ev_source *source)
{
	if (source->kind == EV_SOURCE_PATH)
		check_path(c, &source->path);
	else if (source->kind == EV_SOURCE_TEXT)
		check_text(c, &source->text);
	for (size_t i = 0; i < source->count; i++)
		check_source(c, &source->items[i]);
}

/* What an operation can do something with. */
static unsigned
wanted_types(enum ev_operation_kind kind, bool ordered, const char **what)
{
	switch (kind) {
	case EV_ADD:
	case EV_BUCKET:
		*what = "a number";
		return EV_LOOK_NUMBER | EV_LOOK_DECIMAL;
	case EV_MIN:
	case EV_MAX:
		*what = ordered ? "a text" : "a number or a text";
		return ordered ? EV_LOOK_TEXTS : EV_LOOK_NUMBER | EV_LOOK_TEXTS;
	case EV_TALLY:
		*what = "a text, a number or a list of them";
		return EV_LOOK_SCALARS | EV_LOOK_LIST;
	default:
		return EV_LOOK_ANY;
	}
}

static void
check_elements(struct checker *c, const struct ev_path *path, const char *who)
{
	struct ev_look found;

	for (size_t i = 0; i < c->type_count; i++) {
		if (!projection_look_element(c->sight, c->types[i], c->each,
		                             path, &found) ||
		    found.types == EV_LOOK_ANY ||
		    !(found.types & (EV_LOOK_LIST | EV_LOOK_OBJECT)))
			continue;
		complain(c, path->where,
		         "'%s' wants texts or numbers, an element of '%.*s'%s "
		         "can be %s", who, EV_FMT(path->text),
		         of_type(c, c->types[i]),
		         describe(c, found.types &
		                             (EV_LOOK_LIST | EV_LOOK_OBJECT)));
		return;
	}
}

/* Numbers and texts have no order among each other. */
static void
check_mixture(struct checker *c, const struct ev_operation *o,
              const struct ev_look *found)
{
	if (found->types != EV_LOOK_ANY && found->types & EV_LOOK_NUMBER &&
	    found->types & EV_LOOK_TEXTS)
		complain(c, o->value.where,
		         "'%s' compares numbers with numbers or texts with "
		         "texts, '%.*s' can be either",
		         ev_operation_name(o->kind), EV_FMT(o->value.path.text));
}

static bool
is_listed(struct checker *c, const struct ev_str *slices, size_t count,
          struct ev_str text)
{
	for (size_t i = 0; i < count; i++)
		if (ev_str_equal(projection_plain(&c->arena, slices[i]), text))
			return true;
	return false;
}

/* Both ways: values that the order lacks, and places that nothing has. */
static void
check_order(struct checker *c, const struct ev_operation *o,
            const struct ev_look *found)
{
	if (!found->closed || !(found->types & EV_LOOK_TEXTS))
		return;
	for (size_t i = 0; i < found->text_count; i++)
		if (!is_listed(c, o->order, o->order_count, found->texts[i]))
			complain(c, o->value.where,
			         "'%.*s' can be '%.*s', which is not in the "
			         "order", EV_FMT(o->value.path.text),
			         EV_FMT(found->texts[i]));
	for (size_t i = 0; i < o->order_count; i++) {
		struct ev_str text = projection_plain(&c->arena, o->order[i]);

		if (!is_listed(c, found->texts, found->text_count, text))
			complain(c, o->value.where,
			         "'%.*s' is in the order, but '%.*s' is never "
			         "that: it is %s", EV_FMT(text),
			         EV_FMT(o->value.path.text),
			         enumerate(c, found->texts, found->text_count,
			                   FITTING_MAX, "or"));
	}
}

static void
check_by(struct checker *c, const struct ev_operation *o)
{
	const struct ev_source *value = &o->value;
	bool found = value->kind != EV_SOURCE_OBJECT;

	for (size_t i = 0; i < value->count; i++)
		found |= value->kind == EV_SOURCE_OBJECT &&
		         ev_str_equal(value->names[i], o->by);
	if (o->by.len && !found)
		complain(c, value->where,
		         "what is appended has no member '%.*s' to be sorted "
		         "by", EV_FMT(o->by));
}

static void
check_value(struct checker *c, const struct ev_operation *o)
{
	bool extreme = o->kind == EV_MIN || o->kind == EV_MAX;
	const char *name = ev_operation_name(o->kind), *what;
	struct ev_look found;
	unsigned wanted;

	check_source(c, &o->value);
	check_by(c, o);
	wanted = wanted_types(o->kind, o->order_count != 0, &what);
	if (wanted == EV_LOOK_ANY)
		return;
	if (o->value.kind == EV_SOURCE_PATH) {
		check_types(c, &o->value.path, name, wanted, what);
		if (o->kind == EV_TALLY)
			check_elements(c, &o->value.path, name);
	}
	found = projection_look_value(c->sight, c->types, c->type_count,
	                              c->each, &o->value);
	if (extreme && o->order_count)
		check_order(c, o, &found);
	else if (extreme && o->value.kind == EV_SOURCE_PATH)
		check_mixture(c, o, &found);
}

/* ---- what a member is, and what is done to it */

static unsigned
member_types(const struct ev_operation *o)
{
	if (o->target.count)
		return EV_LOOK_OBJECT;
	switch (o->kind) {
	case EV_COUNT:
	case EV_ADD:
		return EV_LOOK_NUMBER;
	case EV_MIN:
	case EV_MAX:
		return EV_LOOK_NUMBER | EV_LOOK_TEXTS;
	case EV_APPEND:
	case EV_INCLUDE:
	case EV_EXCLUDE:
		return EV_LOOK_LIST;
	case EV_TALLY:
	case EV_BUCKET:
		return EV_LOOK_OBJECT;
	default:
		return EV_LOOK_ANY;
	}
}

static void
check_target(struct checker *c, const struct ev_operation *o)
{
	const struct ev_projection *p = c->sight->projection;
	const struct ev_look *slots = c->sight->own;
	unsigned wanted = member_types(o) | EV_LOOK_NULL, misfit;

	for (size_t i = 0; i < o->target.count; i++)
		check_text(c, &o->target.steps[i]);
	if (slots[o->target.slot].types == EV_LOOK_ANY)
		return;
	misfit = slots[o->target.slot].types & ~wanted;
	if (misfit)
		complain(c, o->target.where,
		         "'%s' cannot work on '%.*s', which can be %s",
		         ev_operation_name(o->kind),
		         EV_FMT(p->slots[o->target.slot].name),
		         describe(c, misfit));
}

/* ---- conditions */

/* Could the two be equal? */
static bool
can_be(const struct ev_look *found, const struct ev_look *value)
{
	if (!(found->types & value->types))
		return false;
	if (!found->closed || !value->closed ||
	    !(value->types & EV_LOOK_TEXTS))
		return true;
	for (size_t i = 0; i < found->text_count; i++)
		for (size_t k = 0; k < value->text_count; k++)
			if (ev_str_equal(found->texts[i], value->texts[k]))
				return true;
	return false;
}

/* Says what it can be instead. */
static void
refuse_constant(struct checker *c, const struct ev_condition *condition,
                const struct ev_source *value, const struct ev_look *found,
                const struct ev_look *constant)
{
	struct ev_str path = condition->path.text;
	struct hint hint = { 0 };

	if (found->closed && found->text_count &&
	    constant->types & EV_LOOK_TEXTS) {
		hint = hint_begin(c, constant->texts[0]);
		for (size_t i = 0; i < found->text_count; i++)
			hint_try(c, &hint, found->texts[i]);
		complain(c, value->where,
		         "'%.*s' is never '%.*s': it is %s%s", EV_FMT(path),
		         EV_FMT(constant->texts[0]),
		         enumerate(c, found->texts, found->text_count,
		                   FITTING_MAX, "or"),
		         hint_text(c, &hint));
		return;
	}
	complain(c, value->where, "'%.*s' is never %s: it is %s", EV_FMT(path),
	         describe(c, constant->types), describe(c, found->types));
}

/* How many of the values can be what the path finds? */
static size_t
check_constants(struct checker *c, const struct ev_condition *condition,
                const struct ev_look *found)
{
	size_t fitting = 0;

	for (size_t i = 0; i < condition->count; i++) {
		const struct ev_source *value = &condition->values[i];
		struct ev_look constant;

		constant = projection_look_value(c->sight, c->types,
		                                 c->type_count, c->each, value);
		if (value->kind != EV_SOURCE_LITERAL ||
		    can_be(found, &constant))
			fitting++;
		else
			refuse_constant(c, condition, value, found, &constant);
	}
	return fitting;
}

static bool
can_be_compared(const struct ev_look *a, const struct ev_look *b)
{
	return (a->types & b->types & EV_LOOK_NUMBER) ||
	       (a->types & EV_LOOK_TEXTS && b->types & EV_LOOK_TEXTS);
}

static void
check_condition(struct checker *c, const struct ev_condition *condition)
{
	struct ev_source source = { .kind = EV_SOURCE_PATH,
		                    .path = condition->path };
	struct ev_look found, other;

	check_path(c, &condition->path);
	for (size_t i = 0; i < condition->count; i++)
		check_source(c, &condition->values[i]);
	found = projection_look_value(c->sight, c->types, c->type_count,
	                              c->each, &source);
	if (!found.types || found.types == EV_LOOK_ANY)
		return;
	switch (condition->test) {
	case EV_TEST_EQUAL:
		if (!check_constants(c, condition, &found))
			complain(c, condition->path.where,
			         "this condition never holds, so that its rule "
			         "is never reached");
		break;
	case EV_TEST_NOT:
		check_constants(c, condition, &found);
		break;
	case EV_TEST_MISSING:
		if (found.always && !(found.types & EV_LOOK_NULL))
			complain(c, condition->path.where,
			         "'%.*s' is always there: this rule is never "
			         "reached", EV_FMT(condition->path.text));
		break;
	case EV_TEST_EXISTS:
		break;
	default:
		other = projection_look_value(c->sight, c->types,
		                              c->type_count, c->each,
		                              condition->values);
		if (other.types && !can_be_compared(&found, &other))
			complain(c, condition->path.where,
			         "'%.*s' can be %s, which does not compare with "
			         "%s: this rule is never reached",
			         EV_FMT(condition->path.text),
			         describe(c, found.types),
			         describe(c, other.types));
	}
}

static bool
has_value(const struct ev_condition *c, const struct ev_source *value)
{
	for (size_t i = 0; i < c->count; i++)
		if (ev_json_equal(c->values[i].where, value->where))
			return true;
	return false;
}

/* Does `one` hold whenever the other does? */
static bool
is_implied(const struct ev_condition *one, const struct ev_condition *other)
{
	const struct ev_condition *less = other, *more = one;

	if (!ev_str_equal(one->path.text, other->path.text) ||
	    one->test != other->test)
		return false;
	if (one->test == EV_TEST_NOT) {
		less = one;
		more = other;
	}
	for (size_t i = 0; i < less->count; i++)
		if (!has_value(more, &less->values[i]))
			return false;
	return true;
}

static bool
is_covered(const struct ev_rule *rule, const struct ev_rule *earlier)
{
	for (size_t i = 0; i < earlier->condition_count; i++) {
		bool implied = false;

		for (size_t k = 0; k < rule->condition_count; k++)
			implied |= is_implied(&earlier->conditions[i],
			                      &rule->conditions[k]);
		if (!implied)
			return false;
	}
	return true;
}

/* ---- rules */

/* Is there a key that every placeholder of can be filled for this type? */
static bool
can_have_key(struct checker *c, const struct ev_type *type,
             const struct ev_text *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool fits = true;
		struct ev_look unused;

		for (size_t k = 0; k < keys[i].count; k++)
			if (keys[i].parts[k].path)
				fits &= look(c, type, keys[i].parts[k].path,
				             &unused);
		if (fits)
			return true;
	}
	return false;
}

/* Of several, each type needs one, and each is there for some type. */
static void
check_keys(struct checker *c, yyjson_val *where, const struct ev_text *keys,
           size_t count)
{
	const struct ev_type **keyless;
	size_t keyless_count = 0;

	c->lenient = count > 1;
	for (size_t i = 0; i < count; i++)
		check_text(c, &keys[i]);
	c->lenient = false;
	if (count < 2)
		return;
	keyless = ev_arena_alloc(&c->arena,
	                         (c->type_count + 1) * sizeof *keyless);
	for (size_t i = 0; i < c->type_count; i++)
		if (c->types[i] && !can_have_key(c, c->types[i], keys, count))
			keyless[keyless_count++] = c->types[i];
	if (keyless_count)
		complain(c, where, "no key can be filled for %s",
		         name_types(c, keyless, keyless_count));
}

static void
check_each(struct checker *c, const struct ev_rule *rule)
{
	check_path(c, &rule->each);
	check_types(c, &rule->each, "each", EV_LOOK_LIST, "a list");
}

static void
check_rule(struct checker *c, const struct ev_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		check_condition(c, &rule->conditions[i]);
	if (rule->each.text.len)
		check_each(c, rule);
	c->each = &rule->each;
	if (rule->key_count)
		check_keys(c, rule->where, rule->keys, rule->key_count);
	for (size_t i = 0; i < rule->operation_count; i++) {
		check_target(c, &rule->operations[i]);
		if (rule->operations[i].kind != EV_UNSET &&
		    rule->operations[i].kind != EV_COUNT)
			check_value(c, &rule->operations[i]);
	}
	c->each = NULL;
}

static void
check_handler(struct checker *c, const struct ev_handler *handler)
{
	c->types = projection_caught(c->sight, handler, &c->type_count);
	if (!c->type_count) {
		/* an unknown type is complained of as such */
		if (handler == c->sight->projection->rest)
			complain(c, handler->where,
			         "'*' is never reached: every type is handled "
			         "or ignored by name");
		return;
	}
	for (size_t i = 0; i < handler->count; i++) {
		check_rule(c, &handler->rules[i]);
		for (size_t k = 0; k < i; k++)
			if (is_covered(&handler->rules[i],
			               &handler->rules[k])) {
				complain(c, handler->rules[i].where,
				         "this rule is never reached: one "
				         "before it holds whenever it does");
				break;
			}
	}
}

/* The projection's keys are for the types of rules without their own. */
static void
check_common_keys(struct checker *c)
{
	const struct projection_sight *sight = c->sight;
	const struct ev_projection *p = sight->projection;
	const struct ev_type **types;
	size_t count = 0;

	types = ev_arena_alloc(&c->arena,
	                       (sight->type_count + 1) * sizeof *types);
	for (size_t i = 0; i < sight->type_count; i++) {
		const struct ev_handler *handler = sight->types[i].handler;
		bool common = false;

		for (size_t k = 0; handler && k < handler->count; k++)
			common |= !handler->rules[k].key_count;
		if (common)
			types[count++] = sight->types[i].type;
	}
	c->types = types;
	c->type_count = count;
	if (count)
		check_keys(c, yyjson_obj_get(p->where, "key"), p->keys,
		           p->key_count);
}

static void
check_always(struct checker *c)
{
	c->types = projection_caught(c->sight, NULL, &c->type_count);
	if (!c->type_count)
		return;
	c->lenient = true;
	check_rule(c, &c->sight->projection->always);
	c->lenient = false;
}

/* ---- types */

/* Where to point: at the member's name, or, without one, at the map. */
static yyjson_val *
find_key(yyjson_val *map, const char *name)
{
	yyjson_val *key = ev_json_key(map, name);

	return key ? key : map;
}

/* A name that the projection gives a type: known, and only one's. */
static void
check_type_name(struct checker *c, yyjson_val *where, struct ev_str name)
{
	const struct projection_sight *sight = c->sight;
	const struct ev_type *found = NULL;
	struct hint hint = hint_begin(c, name);

	for (size_t i = 0; i < sight->type_count; i++) {
		const struct ev_type *type = sight->types[i].type;

		hint_try(c, &hint, type->name);
		if (!projection_names_type(name, type))
			continue;
		if (found) {
			struct ev_str one = ev_catalog_name(found->catalog);
			struct ev_str two = ev_catalog_name(type->catalog);

			complain(c, where,
			         "'%.*s' is a type of two catalogs: write "
			         "%.*s/%.*s or %.*s/%.*s", EV_FMT(name),
			         EV_FMT(one), EV_FMT(name), EV_FMT(two),
			         EV_FMT(name));
		}
		found = type;
	}
	if (!found)
		complain(c, where, "no catalog of this projection has a type "
		                   "'%.*s'%s", EV_FMT(name),
		         hint_text(c, &hint));
}

static void
check_type_names(struct checker *c)
{
	const struct ev_projection *p = c->sight->projection;
	yyjson_val *ignored = yyjson_obj_get(p->where, "ignore");

	for (size_t i = 0; i < p->handler_count; i++)
		check_type_name(c, p->handlers[i].where, p->handlers[i].type);
	for (size_t i = 0; i < p->ignored_count; i++)
		check_type_name(c, yyjson_is_arr(ignored)
		                           ? yyjson_arr_get(ignored, i)
		                           : ignored,
		                p->ignored[i]);
}

/* Every type is decided on, so that a new one is not forgotten. */
static void
check_complete(struct checker *c)
{
	const struct projection_sight *sight = c->sight;
	const struct ev_projection *p = sight->projection;
	yyjson_val *where = find_key(p->where, "on");

	for (size_t i = 0; i < sight->type_count; i++) {
		const struct ev_type *type = sight->types[i].type;
		struct ev_str catalog = ev_catalog_name(type->catalog);

		if (!sight->types[i].handler && !sight->types[i].ignored)
			complain(c, where,
			         "type '%.*s' of catalog '%.*s' is neither "
			         "handled nor ignored", EV_FMT(type->name),
			         EV_FMT(catalog));
	}
}

/* ---- all of it */

/* false: what the projection is made from is not there. */
static bool
check_catalogs(struct checker *c, const struct ev_projection *p,
               const struct ev_catalogs *catalogs)
{
	yyjson_val *where = yyjson_obj_get(p->where, "catalog");
	size_t count = c->count;

	for (size_t i = 0; i < p->catalog_count; i++) {
		struct hint hint = hint_begin(c, p->catalogs[i]);

		if (ev_catalogs_get(catalogs, p->catalogs[i]))
			continue;
		for (size_t k = 0; k < catalogs->count; k++)
			hint_try(c, &hint, ev_catalog_name(catalogs->list[k]));
		complain(c, yyjson_is_arr(where) ? yyjson_arr_get(where, i)
		                                 : where,
		         "no catalog '%.*s'%s", EV_FMT(p->catalogs[i]),
		         hint_text(c, &hint));
	}
	return c->count == count;
}

static bool
check_from(struct checker *c, const struct ev_projection *p,
           const struct projection_others *others)
{
	yyjson_val *where = yyjson_obj_get(p->where, "from");
	const struct ev_projection *other = p;
	struct hint hint;

	if (!p->from.len)
		return true;
	for (size_t i = 0; other && other->from.len; i++) {
		other = projection_other(others, other->from);
		if (other && (ev_str_equal(other->name, p->name) ||
		              i > others->count)) {
			complain(c, where, "'from' leads round to '%.*s' again",
			         EV_FMT(other->name));
			return false;
		}
	}
	if (projection_other(others, p->from))
		return true;
	hint = hint_begin(c, p->from);
	for (size_t i = 0; i < others->count; i++)
		hint_try(c, &hint, others->list[i]->name);
	complain(c, where, "no projection '%.*s'%s", EV_FMT(p->from),
	         hint_text(c, &hint));
	return false;
}

static void
check_part(struct checker *c, const struct projection_sight *sight, bool events)
{
	const struct ev_projection *p = sight->projection;

	c->sight = sight;
	if (events)
		check_type_names(c);
	check_common_keys(c);
	check_always(c);
	for (size_t i = 0; i < p->handler_count; i++)
		check_handler(c, &p->handlers[i]);
	if (p->rest)
		check_handler(c, p->rest);
}

void
ev_projection_check(const struct ev_projection *projection,
                    const struct ev_catalogs *catalogs,
                    const struct ev_projection *const *others,
                    size_t other_count, struct ev_problems *problems)
{
	const struct projection_others all = { others, other_count };
	struct projection_sight sight, notes = { 0 };
	struct checker c = { .count = 0 };
	bool events = !projection->from.len;

	if (check_catalogs(&c, projection, catalogs) &&
	    check_from(&c, projection, &all)) {
		projection_sight_init(&sight, &notes, &c.arena, projection,
		                      catalogs, &all);
		check_part(&c, &sight, events);
		if (events)
			check_complete(&c);
		if (projection->notes)
			check_part(&c, &notes, events);
	}
	report(&c, projection, problems);
	free(c.findings);
	ev_arena_release(&c.arena);
}
