#include "domain/schema_look.h"

#include "domain/decimal.h"
#include "domain/schema_parts.h"

/* What one schema says of a path. */
enum answer {
	OPEN,   /* nothing: it describes no members */
	ABSENT, /* it describes others */
	FOUND,
	FOUND_HERE /* in some branches; in others it may be anything */
};

static const struct ev_look anything = { .types = EV_LOOK_ANY };

static bool
has_text(const struct ev_look *look, struct ev_str text)
{
	for (size_t i = 0; i < look->text_count; i++)
		if (ev_str_equal(look->texts[i], text))
			return true;
	return false;
}

/* Is it sure that a text is one of a list? */
static bool
is_closed(const struct ev_look *look)
{
	return look->closed || !(look->types & EV_LOOK_TEXTS);
}

void
ev_look_add(struct ev_arena *arena, struct ev_look *sum,
            const struct ev_look *look)
{
	struct ev_str *texts;

	sum->closed = is_closed(sum) && is_closed(look);
	sum->types |= look->types;
	sum->always &= look->always;
	if (!sum->closed || !look->text_count)
		return;
	texts = ev_arena_alloc(arena, (sum->text_count + look->text_count) *
	                                      sizeof *texts);
	if (sum->text_count)
		memcpy(texts, sum->texts, sum->text_count * sizeof *texts);
	sum->texts = texts;
	for (size_t i = 0; i < look->text_count; i++)
		if (!has_text(sum, look->texts[i]))
			texts[sum->text_count++] = look->texts[i];
}

/* `sum` becomes what finds both. */
static void
narrow(struct ev_arena *arena, struct ev_look *sum, const struct ev_look *look)
{
	struct ev_str *texts;
	size_t count = 0;

	sum->types &= look->types;
	sum->always |= look->always;
	if (!look->closed)
		return;
	if (!sum->closed) {
		sum->closed = true;
		sum->texts = look->texts;
		sum->text_count = look->text_count;
		return;
	}
	texts = ev_arena_alloc(arena, (sum->text_count + 1) * sizeof *texts);
	for (size_t i = 0; i < sum->text_count; i++)
		if (has_text(look, sum->texts[i]))
			texts[count++] = sum->texts[i];
	sum->texts = texts;
	sum->text_count = count;
}

/* ---- the value that a schema is of */

static unsigned
type_of(yyjson_val *value)
{
	switch (yyjson_get_type(value)) {
	case YYJSON_TYPE_NULL:
		return EV_LOOK_NULL;
	case YYJSON_TYPE_BOOL:
		return EV_LOOK_BOOLEAN;
	case YYJSON_TYPE_STR:
		return ev_decimal_valid(ev_json_text(value)) ? EV_LOOK_DECIMAL
		                                             : EV_LOOK_TEXT;
	case YYJSON_TYPE_ARR:
		return EV_LOOK_LIST;
	case YYJSON_TYPE_OBJ:
		return EV_LOOK_OBJECT;
	default:
		return EV_LOOK_NUMBER;
	}
}

static struct ev_look
look_at_value(struct ev_arena *arena, yyjson_val *value)
{
	struct ev_look look = { .types = type_of(value), .closed = true };
	struct ev_str *text;

	if (look.types & EV_LOOK_TEXTS) {
		text = ev_arena_alloc(arena, sizeof *text);
		*text = ev_json_text(value);
		look.texts = text;
		look.text_count = 1;
	}
	return look;
}

static struct ev_look
look_at_choices(struct ev_arena *arena, yyjson_val *choices)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(choices);
	struct ev_look sum = { .closed = true };
	yyjson_val *value;

	while ((value = yyjson_arr_iter_next(&iter))) {
		struct ev_look look = look_at_value(arena, value);

		ev_look_add(arena, &sum, &look);
	}
	return sum;
}

static unsigned
allowed_types(const struct ev_schema *s)
{
	static const struct {
		unsigned from, to;
	} map[] = {
		{ TYPE_NULL, EV_LOOK_NULL },
		{ TYPE_BOOLEAN, EV_LOOK_BOOLEAN },
		{ TYPE_STRING, EV_LOOK_TEXTS },
		{ TYPE_NUMBER | TYPE_INTEGER, EV_LOOK_NUMBER },
		{ TYPE_ARRAY, EV_LOOK_LIST },
		{ TYPE_OBJECT, EV_LOOK_OBJECT },
	};
	unsigned types = s->types ? 0 : EV_LOOK_ANY;

	for (size_t i = 0; i < sizeof map / sizeof *map; i++)
		if (s->types & map[i].from)
			types |= map[i].to;
	return s->decimal ? types & ~(unsigned)EV_LOOK_TEXT : types;
}

static struct ev_look look_at(struct ev_arena *arena,
                              const struct ev_schema *s);

static struct ev_look
look_at_any(struct ev_arena *arena, const struct schemas *schemas)
{
	struct ev_look sum = { .closed = true };

	for (size_t i = 0; i < schemas->count; i++) {
		struct ev_look look = look_at(arena, schemas->list[i]);

		ev_look_add(arena, &sum, &look);
	}
	return sum;
}

static struct ev_look
look_at(struct ev_arena *arena, const struct ev_schema *s)
{
	const struct schemas *unions[] = { &s->any, &s->one };
	struct ev_look sum = anything, look;

	sum.types = s->never ? 0 : allowed_types(s);
	if (s->constant) {
		look = look_at_value(arena, s->constant);
		narrow(arena, &sum, &look);
	}
	if (s->choices) {
		look = look_at_choices(arena, s->choices);
		narrow(arena, &sum, &look);
	}
	for (size_t i = 0; i < s->all.count; i++) {
		look = look_at(arena, s->all.list[i]);
		narrow(arena, &sum, &look);
	}
	for (int i = 0; i < 2; i++)
		if (unions[i]->count) {
			look = look_at_any(arena, unions[i]);
			narrow(arena, &sum, &look);
		}
	return sum;
}

/* ---- the way there */

struct view {
	enum answer answer;
	struct ev_look look; /* of FOUND */
};

static struct view follow(struct ev_arena *arena, const struct ev_schema *s,
                          const struct ev_str *names, size_t count);

/* Both hold. What one does not describe another may. */
static void
join(struct ev_arena *arena, struct view *sum, const struct view *view)
{
	if (view->answer == FOUND && sum->answer == FOUND)
		narrow(arena, &sum->look, &view->look);
	else if (view->answer == FOUND || sum->answer == OPEN ||
	         (sum->answer == ABSENT && view->answer == FOUND_HERE))
		*sum = *view;
	else if (view->answer == FOUND_HERE && sum->answer == FOUND_HERE)
		ev_look_add(arena, &sum->look, &view->look);
}

/* One of them holds. */
static struct view
choose(struct ev_arena *arena, const struct schemas *schemas,
       const struct ev_str *names, size_t count)
{
	struct view sum = { .answer = OPEN };
	size_t found = 0;

	for (size_t i = 0; i < schemas->count; i++) {
		struct view view = follow(arena, schemas->list[i], names,
		                          count);

		if (view.answer == ABSENT && sum.answer == OPEN)
			sum.answer = ABSENT;
		if (view.answer < FOUND)
			continue;
		if (sum.answer < FOUND)
			sum = view;
		else
			ev_look_add(arena, &sum.look, &view.look);
		found += view.answer == FOUND;
	}
	if (sum.answer >= FOUND && found < schemas->count) {
		sum.answer = FOUND_HERE;
		sum.look.always = false;
	}
	return sum;
}

static bool
describes_members(const struct ev_schema *s)
{
	for (size_t i = 0; i < s->property_count; i++)
		if (s->properties[i].schema)
			return true;
	return false;
}

static struct view
follow_member(struct ev_arena *arena, const struct ev_schema *s,
              const struct ev_str *names, size_t count)
{
	const struct property *p = schema_property(s, *names, 0);
	struct view view = { .answer = FOUND, .look = anything };

	if (p && p->schema) {
		view = follow(arena, p->schema, names + 1, count - 1);
		if (view.answer == OPEN)
			view = (struct view){ FOUND, anything };
	} else if (!p) {
		struct ev_look look = anything;

		if (s->additional)
			look = look_at(arena, s->additional);
		if (look.types != EV_LOOK_ANY)
			return follow(arena, s->additional, names + 1,
			              count - 1);
		view.answer = describes_members(s) ? ABSENT : OPEN;
	}
	if (view.answer >= FOUND)
		view.look.always = (count == 1 || view.look.always) &&
		                   ev_schema_requires(s, *names);
	return view;
}

static struct view
follow_element(struct ev_arena *arena, const struct ev_schema *s,
               const struct ev_str *names, size_t count)
{
	struct schemas all = { .count = s->prefix.count };
	struct view view;

	all.list = ev_arena_alloc(arena, (all.count + 1) * sizeof *all.list);
	if (all.count)
		memcpy(all.list, s->prefix.list, all.count * sizeof *all.list);
	if (s->items && !s->items->never)
		all.list[all.count++] = s->items;
	view = choose(arena, &all, names + 1, count - 1);
	view.look.always = false;
	return view;
}

/* What holds only sometimes cannot narrow, but it describes. */
static void
join_sometimes(struct ev_arena *arena, struct view *sum,
               const struct ev_schema *s, const struct ev_str *names,
               size_t count)
{
	struct view view;

	if (!s)
		return;
	view = follow(arena, s, names, count);
	view.look.always = false;
	if (view.answer == FOUND)
		view.answer = FOUND_HERE;
	if (view.answer == FOUND_HERE)
		join(arena, sum, &view);
}

static struct view
follow(struct ev_arena *arena, const struct ev_schema *s,
       const struct ev_str *names, size_t count)
{
	struct view sum, view;
	bool element;

	if (!count)
		return (struct view){ s->never ? ABSENT : FOUND,
			              look_at(arena, s) };
	element = !names->ptr;
	if (s->never ||
	    (s->types && !(s->types & (element ? TYPE_ARRAY : TYPE_OBJECT))))
		return (struct view){ .answer = ABSENT };
	sum = element ? follow_element(arena, s, names, count)
	              : follow_member(arena, s, names, count);
	for (size_t i = 0; i < s->all.count; i++) {
		view = follow(arena, s->all.list[i], names, count);
		join(arena, &sum, &view);
	}
	view = choose(arena, &s->any, names, count);
	join(arena, &sum, &view);
	view = choose(arena, &s->one, names, count);
	join(arena, &sum, &view);
	join_sometimes(arena, &sum, s->then, names, count);
	join_sometimes(arena, &sum, s->otherwise, names, count);
	for (size_t i = 0; i < s->dependent_count; i++)
		join_sometimes(arena, &sum, s->dependents[i].schema, names,
		               count);
	return sum;
}

bool
ev_schema_look(struct ev_arena *arena, const struct ev_schema *schema,
               const struct ev_str *names, size_t count, struct ev_look *out)
{
	struct view view = follow(arena, schema, names, count);

	if (view.answer == ABSENT)
		return false;
	*out = view.answer == OPEN ? anything : view.look;
	return true;
}

struct ev_str
ev_schema_member(const struct ev_schema *s, const struct ev_str *names,
                 size_t count, size_t i)
{
	for (; count && s; names++, count--) {
		const struct property *p =
			names->ptr ? schema_property(s, *names, 0) : NULL;

		s = !names->ptr ? s->items : p ? p->schema : NULL;
	}
	return s && i < s->property_count ? s->properties[i].name
	                                  : (struct ev_str){ 0 };
}
