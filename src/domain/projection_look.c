#include "domain/projection_look.h"

#include "domain/decimal.h"

enum { FROM_MAX = 8 }; /* projections of projections of ... */

struct ev_str
projection_plain(struct ev_arena *arena, struct ev_str slice)
{
	struct ev_buf text = { 0 };
	struct ev_str plain = slice;

	if (slice.len && memchr(slice.ptr, '\\', slice.len)) {
		ev_line_unescape(&text, slice);
		plain = ev_arena_dup(arena, ev_buf_str(&text));
		ev_buf_release(&text);
	}
	return plain;
}

const struct ev_projection *
projection_other(const struct projection_others *others, struct ev_str name)
{
	for (size_t i = 0; i < others->count; i++)
		if (ev_str_equal(others->list[i]->name, name))
			return others->list[i];
	return NULL;
}

/* ---- types */

bool
projection_names_type(struct ev_str name, const struct ev_type *type)
{
	struct ev_str catalog = ev_catalog_name(type->catalog);

	if (ev_str_equal(name, type->name))
		return true;
	if (name.len != catalog.len + 1 + type->name.len ||
	    !ev_str_starts(name, catalog) || name.ptr[catalog.len] != '/')
		return false;
	name.ptr += catalog.len + 1;
	name.len -= catalog.len + 1;
	return ev_str_equal(name, type->name);
}

static bool
is_ignored(const struct ev_projection *p, const struct ev_type *type)
{
	for (size_t i = 0; i < p->ignored_count; i++)
		if (projection_names_type(p->ignored[i], type))
			return true;
	return false;
}

static const struct ev_handler *
find_handler(const struct ev_projection *p, const struct ev_type *type)
{
	for (size_t i = 0; i < p->handler_count; i++)
		if (projection_names_type(p->handlers[i].type, type))
			return &p->handlers[i];
	return is_ignored(p, type) ? NULL : p->rest;
}

static void
find_types(struct projection_sight *sight, const struct ev_projection *file)
{
	const struct ev_projection *p = sight->projection;
	size_t room = 1, n = 0;

	for (size_t i = 0; i < file->catalog_count; i++) {
		struct ev_catalog *c = ev_catalogs_get(sight->catalogs,
		                                       file->catalogs[i]);

		room += c ? ev_catalog_type_count(c) : 0;
	}
	sight->types = ev_arena_alloc(sight->arena,
	                              room * sizeof *sight->types);
	if (file->from.len) /* its one handler is `document` */
		sight->types[n++].handler = p->handlers;
	for (size_t i = 0; i < file->catalog_count; i++) {
		struct ev_catalog *c = ev_catalogs_get(sight->catalogs,
		                                       file->catalogs[i]);

		for (size_t k = 0; c && k < ev_catalog_type_count(c); k++) {
			const struct ev_type *type = ev_catalog_type(c, k);

			sight->types[n++] = (struct projection_type){
				type, find_handler(p, type),
				is_ignored(p, type)
			};
		}
	}
	sight->type_count = n;
}

const struct ev_type **
projection_caught(const struct projection_sight *sight,
                  const struct ev_handler *handler, size_t *count)
{
	const struct ev_type **list;

	list = ev_arena_alloc(sight->arena,
	                      (sight->type_count + 1) * sizeof *list);
	*count = 0;
	for (size_t i = 0; i < sight->type_count; i++)
		if (handler ? sight->types[i].handler == handler
		            : sight->types[i].handler != NULL)
			list[(*count)++] = sight->types[i].type;
	return list;
}

/* ---- paths */

static const struct ev_look anything = { .types = EV_LOOK_ANY };

/* What follows a value of which only the types are known. */
static bool
look_below(struct ev_look look, const struct ev_str *names, size_t count,
           struct ev_look *out)
{
	if (count && !(look.types & (names->ptr ? EV_LOOK_OBJECT
	                                        : EV_LOOK_LIST)))
		return false;
	*out = count ? anything : look;
	return true;
}

static bool
look_at_slot(const struct ev_look *slots, const struct ev_path *path,
             struct ev_look *out)
{
	if (!path->count) {
		*out = (struct ev_look){ .types = EV_LOOK_OBJECT };
		return true;
	}
	return look_below(slots ? slots[path->slot] : anything,
	                  path->names + 1, path->count - 1, out);
}

/* With `from`: a member of the other projection's documents. */
static bool
look_at_document(const struct projection_sight *from,
                 const struct ev_str *names, size_t count, struct ev_look *out)
{
	const struct ev_projection *p;

	if (!from || !count) {
		*out = from ? (struct ev_look){ .types = EV_LOOK_OBJECT }
		            : anything;
		return true;
	}
	p = from->projection;
	for (size_t i = 0; i < p->slot_count; i++)
		if (ev_str_equal(p->slots[i].name, *names))
			return look_below(from->slots[i], names + 1, count - 1,
			                  out);
	for (size_t i = 0; i < p->derive_count; i++)
		if (ev_str_equal(p->derives[i].name, *names))
			return look_below(
				(struct ev_look){
					.types = EV_LOOK_NUMBER | EV_LOOK_NULL
				},
				names + 1, count - 1, out);
	return false;
}

static bool
look_at_payload(const struct projection_sight *sight,
                const struct ev_type *type, const struct ev_str *names,
                size_t count, struct ev_look *out)
{
	/* names in paths need no escapes: their slices are their texts */
	return type ? ev_schema_look(sight->arena, type->payload, names, count,
	                             out)
	            : look_at_document(sight->from, names, count, out);
}

static struct ev_look
one_text(struct ev_arena *arena, struct ev_str text)
{
	struct ev_str *texts = ev_arena_alloc(arena, sizeof *texts);

	*texts = text;
	return (struct ev_look){ .types = EV_LOOK_TEXT, .always = true,
		                 .closed = true, .texts = texts,
		                 .text_count = 1 };
}

static struct ev_look
look_at_priority(struct ev_arena *arena)
{
	struct ev_look sum = { .closed = true }, look;

	for (int i = 0; i < EV_PRIORITY_NONE; i++) {
		look = one_text(arena, ev_str(ev_priority_format(
					       (enum ev_priority)i)));
		ev_look_add(arena, &sum, &look);
	}
	sum.always = true;
	return sum;
}

static bool
look_at_envelope(const struct projection_sight *sight,
                 const struct ev_type *type, const struct ev_path *path,
                 struct ev_look *out)
{
	struct ev_look look = { .types = EV_LOOK_TEXT, .always = true };

	switch (path->member) {
	case EV_MEMBER_POSITION:
	case EV_MEMBER_VERSION:
	case EV_MEMBER_SCHEMA_VERSION:
		look.types = EV_LOOK_NUMBER;
		break;
	case EV_MEMBER_CATALOG:
		if (type)
			look = one_text(sight->arena,
			                ev_catalog_name(type->catalog));
		break;
	case EV_MEMBER_TYPE:
		if (type)
			look = one_text(sight->arena, type->name);
		break;
	case EV_MEMBER_PRIORITY:
		look = look_at_priority(sight->arena);
		break;
	case EV_MEMBER_CORRELATION:
	case EV_MEMBER_CAUSATION:
	case EV_MEMBER_ACTOR:
		look = (struct ev_look){ .types = EV_LOOK_TEXTS |
			                          EV_LOOK_NULL };
		break;
	case EV_MEMBER_STREAM:
	case EV_MEMBER_ID:
		look.types = EV_LOOK_TEXTS;
		break;
	case EV_MEMBER_DATA:
		return look_at_payload(sight, type, path->names, path->count,
		                       out);
	case EV_MEMBER_META:
		look.types = EV_LOOK_OBJECT;
		break;
	case EV_MEMBER_TIMESTAMP:
	case EV_MEMBER_RECORDED_AT:
	case EV_MEMBER_NONE:
		break;
	}
	return look_below(look, path->names, path->count, out);
}

/* A path, then an element of what it finds, then more names. */
static struct ev_path
join(struct ev_arena *arena, const struct ev_path *path,
     const struct ev_str *more, size_t count)
{
	struct ev_path joined = *path;
	struct ev_str *names;

	names = ev_arena_alloc(arena,
	                       (path->count + 1 + count) * sizeof *names);
	if (path->count)
		memcpy(names, path->names, path->count * sizeof *names);
	names[path->count] = EV_LOOK_ELEMENT;
	if (count)
		memcpy(names + path->count + 1, more, count * sizeof *names);
	joined.names = names;
	joined.count = path->count + 1 + count;
	return joined;
}

bool
projection_look(const struct projection_sight *sight,
                const struct ev_type *type, const struct ev_path *each,
                const struct ev_path *path, struct ev_look *out)
{
	struct ev_path joined;

	switch (path->root) {
	case EV_ROOT_DATA:
		return look_at_payload(sight, type, path->names, path->count,
		                       out);
	case EV_ROOT_EVENT:
		return look_at_envelope(sight, type, path, out);
	case EV_ROOT_DOCUMENT:
		return look_at_slot(sight->slots, path, out);
	case EV_ROOT_NOTE:
		return look_at_slot(sight->note_slots, path, out);
	case EV_ROOT_ELEMENT:
		break;
	}
	if (!each || !each->text.len) {
		*out = anything;
		return true;
	}
	joined = join(sight->arena, each, path->names, path->count);
	return projection_look(sight, type, NULL, &joined, out);
}

bool
projection_look_element(const struct projection_sight *sight,
                        const struct ev_type *type,
                        const struct ev_path *each, const struct ev_path *path,
                        struct ev_look *out)
{
	struct ev_path joined = join(sight->arena, path, NULL, 0);

	return projection_look(sight, type, each, &joined, out);
}

/* ---- values */

struct ev_look
projection_look_literal(struct ev_arena *arena, struct ev_str json)
{
	struct ev_look look = { .types = EV_LOOK_NUMBER, .always = true };
	struct ev_str text;

	switch (json.len ? *json.ptr : 'n') {
	case '"':
		text = (struct ev_str){ json.ptr + 1, json.len - 2 };
		look = one_text(arena, projection_plain(arena, text));
		if (ev_decimal_valid(text))
			look.types = EV_LOOK_DECIMAL;
		break;
	case '{':
		look.types = EV_LOOK_OBJECT;
		break;
	case '[':
		look.types = EV_LOOK_LIST;
		break;
	case 't':
	case 'f':
		look.types = EV_LOOK_BOOLEAN;
		break;
	case 'n':
		look.types = EV_LOOK_NULL;
		break;
	default:
		break;
	}
	return look;
}

struct ev_look
projection_look_value(const struct projection_sight *sight,
                      const struct ev_type *const *types, size_t count,
                      const struct ev_path *each,
                      const struct ev_source *source)
{
	struct ev_look sum = { .closed = true, .always = true }, look;

	switch (source->kind) {
	case EV_SOURCE_LITERAL:
		return projection_look_literal(sight->arena, source->literal);
	case EV_SOURCE_TEXT:
		return (struct ev_look){ .types = EV_LOOK_TEXTS };
	case EV_SOURCE_OBJECT:
		return (struct ev_look){ .types = EV_LOOK_OBJECT };
	case EV_SOURCE_LIST:
		return (struct ev_look){ .types = EV_LOOK_LIST };
	case EV_SOURCE_PATH:
		break;
	}
	for (size_t i = 0; i < count; i++)
		if (projection_look(sight, types[i], each, &source->path,
		                    &look))
			ev_look_add(sight->arena, &sum, &look);
		else
			sum.always = false;
	return sum;
}

/* ---- members of documents */

static struct ev_look
look_at_operation(const struct projection_sight *sight,
                  const struct ev_type *const *types, size_t count,
                  const struct ev_path *each, const struct ev_operation *o)
{
	struct ev_look look;

	if (o->kind == EV_UNSET)
		return (struct ev_look){ .closed = true };
	if (o->target.count)
		return (struct ev_look){ .types = EV_LOOK_OBJECT };
	switch (o->kind) {
	case EV_COUNT:
	case EV_ADD:
		return (struct ev_look){ .types = EV_LOOK_NUMBER };
	case EV_APPEND:
	case EV_INCLUDE:
	case EV_EXCLUDE:
		return (struct ev_look){ .types = EV_LOOK_LIST };
	case EV_TALLY:
	case EV_BUCKET:
		return (struct ev_look){ .types = EV_LOOK_OBJECT };
	default:
		break;
	}
	look = projection_look_value(sight, types, count, each, &o->value);
	if (o->kind != EV_SET && look.types != EV_LOOK_ANY)
		/* other values park the event */
		look.types &= EV_LOOK_NUMBER | EV_LOOK_TEXTS;
	return look;
}

static void
add_rule(const struct projection_sight *sight, struct ev_look *slots,
         const struct ev_type *const *types, size_t count,
         const struct ev_rule *rule)
{
	for (size_t i = 0; i < rule->operation_count; i++) {
		const struct ev_operation *o = &rule->operations[i];
		struct ev_look look;

		look = look_at_operation(sight, types, count, &rule->each, o);
		ev_look_add(sight->arena, &slots[o->target.slot], &look);
	}
}

static void
add_handler(const struct projection_sight *sight, struct ev_look *slots,
            const struct ev_handler *handler)
{
	const struct ev_type **types;
	size_t count;

	types = projection_caught(sight, handler, &count);
	for (size_t i = 0; i < handler->count; i++)
		add_rule(sight, slots, types, count, &handler->rules[i]);
}

/* Everything that the rules and `start` can make of each. What comes from
   another member may be anything: that is not followed. */
static const struct ev_look *
look_at_slots(const struct projection_sight *sight)
{
	const struct ev_projection *p = sight->projection;
	const struct ev_type **types;
	struct ev_look *slots;
	size_t count;

	slots = ev_arena_alloc(sight->arena,
	                       (p->slot_count + 1) * sizeof *slots);
	for (size_t i = 0; i < p->slot_count; i++) {
		slots[i].closed = true;
		if (p->slots[i].start.len)
			slots[i] = projection_look_literal(sight->arena,
			                                   p->slots[i].start);
	}
	types = projection_caught(sight, NULL, &count);
	add_rule(sight, slots, types, count, &p->always);
	for (size_t i = 0; i < p->handler_count; i++)
		add_handler(sight, slots, &p->handlers[i]);
	if (p->rest)
		add_handler(sight, slots, p->rest);
	for (size_t i = 0; i < p->slot_count; i++) {
		slots[i].always = false;
		if (!slots[i].types) /* of no use, or complained of elsewhere */
			slots[i] = anything;
	}
	return slots;
}

static void
init(struct projection_sight *out, struct projection_sight *notes,
     struct ev_arena *arena, const struct ev_projection *projection,
     const struct ev_catalogs *catalogs,
     const struct projection_others *others, int depth)
{
	const struct ev_projection *from = NULL;
	struct projection_sight *sight;

	*out = (struct projection_sight){ .arena = arena,
		                          .catalogs = catalogs,
		                          .projection = projection };
	if (projection->from.len && depth < FROM_MAX)
		from = projection_other(others, projection->from);
	if (from) {
		sight = ev_arena_alloc(arena, sizeof *sight);
		init(sight, NULL, arena, from, catalogs, others, depth + 1);
		out->from = sight;
	}
	find_types(out, projection);
	if (projection->notes && notes) {
		*notes = *out;
		notes->projection = projection->notes;
		find_types(notes, projection);
		out->note_slots = look_at_slots(notes);
	}
	out->own = out->slots = look_at_slots(out);
	if (projection->notes && notes) {
		notes->slots = out->slots;
		notes->own = notes->note_slots = out->note_slots;
	}
}

void
projection_sight_init(struct projection_sight *out,
                      struct projection_sight *notes, struct ev_arena *arena,
                      const struct ev_projection *projection,
                      const struct ev_catalogs *catalogs,
                      const struct projection_others *others)
{
	init(out, notes, arena, projection, catalogs, others, 0);
}
