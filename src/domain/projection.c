#include "domain/projection.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/opt.h"
#include "base/utf8.h"
#include "domain/projection_parts.h"

/* Where a struct ev_projection that we gave out lives; it stands first, so that
   a pointer to one is a pointer to the other. */
struct projection {
	struct ev_projection compiled;
	struct ev_arena arena;
	struct ev_buf json;
	struct ev_buf places; /* struct ev_place by value; of a parsed one */
	struct ev_str file;
	yyjson_doc *doc;
};

const char *
ev_mode_format(enum ev_mode mode)
{
	static const char *const names[] = { "inline", "async", "demand" };

	return names[mode];
}

const char *
ev_operation_name(enum ev_operation_kind kind)
{
	static const char *const names[] = {
		"set",     "unset",   "count", "add",   "min", "max", "append",
		"include", "exclude", "tally", "bucket",
	};

	return names[kind];
}

/* ---- problems */

static void
add_problem(struct projection_compiler *c, struct ev_place place,
            const char *message)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 16;
		c->problems = ev_mem_resize(c->problems,
		                            c->room * sizeof *c->problems);
	}
	c->problems[c->count] = (struct projection_problem){
		place, c->count, ev_arena_dup(c->arena, ev_str(message)) };
	c->count++;
}

void
projection_complain(struct projection_compiler *c, yyjson_val *where,
                    const char *format, ...)
{
	char message[512];
	struct ev_err flat;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	(void)ev_err_set(&flat, EV_BAD_INPUT, "%s", message);
	if (c->places)
		add_problem(c, c->places[where - c->root], flat.text);
	else if (!c->count++)
		*c->err = flat;
}

static int
compare_problems(const void *a, const void *b)
{
	const struct projection_problem *left = a, *right = b;

	if (left->place.line != right->place.line)
		return left->place.line < right->place.line ? -1 : 1;
	if (left->place.column != right->place.column)
		return left->place.column < right->place.column ? -1 : 1;
	return (left->order > right->order) - (left->order < right->order);
}

static void
print_problem(struct ev_problems *out, struct ev_str file,
              struct ev_place place, struct ev_str message)
{
	ev_buf_add_str(&out->text, file);
	if (place.line)
		ev_buf_printf(&out->text, ":%zu:%zu", place.line, place.column);
	ev_buf_add(&out->text, ": ", 2);
	ev_buf_add_str(&out->text, message);
	ev_buf_add_char(&out->text, '\n');
	out->count++;
}

/* In the file's order; what several readers of one place say is said once. */
static void
print_problems(struct projection_compiler *c, struct ev_str file,
               struct ev_problems *out)
{
	if (c->count)
		qsort(c->problems, c->count, sizeof *c->problems,
		      compare_problems);
	for (size_t i = 0; i < c->count; i++) {
		const struct projection_problem *p = &c->problems[i];

		if (!i || p->place.line != p[-1].place.line ||
		    p->place.column != p[-1].place.column ||
		    !ev_str_equal(p->message, p[-1].message))
			print_problem(out, file, p->place, p->message);
	}
}

void
ev_projection_report(const struct ev_projection *projection, yyjson_val *where,
                     struct ev_problems *problems, const char *format, ...)
{
	const struct projection *p =
		(const struct projection *)(const void *)projection;
	const struct ev_place *places =
		(const struct ev_place *)(const void *)p->places.ptr;
	struct ev_place place = { 0, 0 };
	char message[512];
	struct ev_err flat;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	(void)ev_err_set(&flat, EV_BAD_INPUT, "%s", message);
	if (places)
		place = places[where ? where - yyjson_doc_get_root(p->doc) : 0];
	print_problem(problems, p->file, place, ev_str(flat.text));
}

/* ---- what was meant */

/* Is `name` nearer to the text than `best` edits, and near at all? */
static bool
is_nearer(struct projection_compiler *c, struct ev_str text, struct ev_str name,
          int *best)
{
	int distance = ev_opt_distance(ev_arena_dup(c->arena, text).ptr,
	                               ev_arena_dup(c->arena, name).ptr);

	if (distance >= *best || (size_t)distance * 3 > name.len)
		return false;
	*best = distance;
	return true;
}

static const char *
format_hint(struct projection_compiler *c, struct ev_str name)
{
	struct ev_buf text = { 0 };
	struct ev_str kept;

	if (!name.len)
		return "";
	ev_buf_printf(&text, ": did you mean '%.*s'", EV_FMT(name));
	kept = ev_arena_dup(c->arena, ev_buf_str(&text));
	ev_buf_release(&text);
	return kept.ptr;
}

const char *
projection_hint(struct projection_compiler *c, struct ev_str text,
                const char *const *names)
{
	struct ev_str found = { 0 };
	int best = 3;

	for (; *names; names++)
		if (is_nearer(c, text, ev_str(*names), &best))
			found = ev_str(*names);
	return format_hint(c, found);
}

const char *
projection_hint_slot(struct projection_compiler *c, struct ev_str text,
                     const struct projection_slots *slots)
{
	struct ev_str found = { 0 };
	int best = 3;

	for (size_t i = 0; i < slots->count; i++)
		if (is_nearer(c, text, slots->list[i].name, &best))
			found = slots->list[i].name;
	return format_hint(c, found);
}

/* ---- the two forms */

void
ev_projection_free(const struct ev_projection *projection)
{
	struct projection *p = (struct projection *)(void *)projection;

	if (!p)
		return;
	yyjson_doc_free(p->doc);
	ev_buf_release(&p->json);
	ev_buf_release(&p->places);
	ev_arena_release(&p->arena);
	free(p);
}

struct ev_str
ev_projection_json(const struct ev_projection *projection)
{
	const struct projection *p =
		(const struct projection *)(const void *)projection;

	return ev_buf_str(&p->json);
}

struct yaml_reader {
	struct projection_compiler *c;
	struct ev_str text;
};

/* The text of the place's line before it, and what stands there. */
static struct ev_str
find_place(struct ev_str text, struct ev_place place, char *there)
{
	struct ev_str line;

	while (text.len && place.line > 1) {
		place.line -= *text.ptr++ == '\n';
		text.len--;
	}
	line = text;
	while (text.len && place.column-- > 1) {
		uint32_t unused;

		ev_utf8_next(&text, &unused);
	}
	line.len -= text.len;
	*there = text.len ? *text.ptr : '\0';
	return line;
}

static bool
has_open_brace(struct ev_str line)
{
	for (size_t i = 0; i + 1 < line.len; i++)
		if (line.ptr[i] == '.' && line.ptr[i + 1] == '{')
			return true;
	return false;
}

/* Two mistakes of which YAML has nothing helpful to say. */
static void
report_yaml(void *context, struct ev_place place, const char *message)
{
	const struct yaml_reader *reader = context;
	char there;
	struct ev_str line = find_place(reader->text, place, &there);

	if (there == '@')
		message = "'@' begins nothing here: a member of the document "
			  "is written $doc.state, and a text that begins with "
			  "'@' is quoted";
	else if ((there == '{' || has_open_brace(line)) &&
	         ev_str_starts(ev_str(message),
	                       EV_STR("did not find expected")))
		message = "a name with placeholders stands in quotes: "
			  "\"byModel.{.model}.cost\"";
	add_problem(reader->c, place, message);
}

enum ev_status
ev_projection_parse(const struct ev_projection **out, const char *file,
                    struct ev_str yaml, struct ev_problems *problems)
{
	struct projection *p = ev_mem_alloc(sizeof *p);
	struct projection_compiler c = { .arena = &p->arena };
	struct yaml_reader reader = { &c, yaml };
	struct ev_arena tree_arena = { 0 };
	const struct ev_yaml *tree;
	struct ev_err err;
	bool fits;

	p->file = ev_arena_dup(&p->arena, ev_str(file));
	tree = ev_yaml_parse(&tree_arena, yaml, report_yaml, &reader);
	if (tree) {
		ev_yaml_write_json(&p->json, tree, &p->places);
		if (ev_json_parse(&p->doc, ev_buf_str(&p->json), NULL, &err))
			add_problem(&c, tree->place, err.text);
	}
	if (p->doc) {
		c.root = yyjson_doc_get_root(p->doc);
		c.places = (const struct ev_place *)(void *)p->places.ptr;
		projection_compile(&c, &p->compiled);
	}
	ev_arena_release(&tree_arena);
	fits = c.count == 0;
	print_problems(&c, p->file, problems);
	free(c.problems);
	if (fits)
		*out = &p->compiled;
	else
		ev_projection_free(&p->compiled);
	return fits ? EV_OK : EV_BAD_INPUT;
}

enum ev_status
ev_projection_load(const struct ev_projection **out, struct ev_str json,
                   struct ev_err *err)
{
	struct projection *p = ev_mem_alloc(sizeof *p);
	struct projection_compiler c = { .arena = &p->arena, .err = err };
	enum ev_status status;

	ev_buf_add_str(&p->json, json);
	status = ev_json_parse(&p->doc, ev_buf_str(&p->json), NULL, err);
	if (!status) {
		c.root = yyjson_doc_get_root(p->doc);
		projection_compile(&c, &p->compiled);
		p->file = p->compiled.name;
		if (c.count)
			status = ev_err_prefix(err, EV_BAD_INPUT,
			                       "projection '%.*s'",
			                       EV_FMT(p->compiled.name));
	}
	if (status)
		ev_projection_free(&p->compiled);
	else
		*out = &p->compiled;
	return status;
}
