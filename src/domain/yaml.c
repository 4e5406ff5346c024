#include "domain/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "domain/decimal.h"
#include "domain/json.h"

struct anchor {
	struct ev_str name;
	const struct ev_yaml *node; /* NULL while its node is being read */
};

struct reader {
	yaml_parser_t parser;
	struct ev_arena *arena;
	ev_yaml_report *report;
	void *context;
	size_t problems;
	bool stopped; /* no sense can be made of the rest */
	size_t depth;
	struct anchor *anchors;
	size_t anchor_count;
};

static void complain(struct reader *r, struct ev_place place,
                     const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
complain(struct reader *r, struct ev_place place, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	r->report(r->context, place, message);
	r->problems++;
}

static struct ev_place
place_of(yaml_mark_t mark)
{
	return (struct ev_place){ mark.line + 1, mark.column + 1 };
}

/* libyaml tells the place of bad encoding in bytes only. */
static struct ev_place
place_of_byte(struct ev_str text, size_t offset)
{
	struct ev_place place = { 1, 1 };

	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.ptr[i] == '\n')
			place = (struct ev_place){ place.line + 1, 1 };
		else if (((unsigned char)text.ptr[i] & 0xc0) != 0x80)
			place.column++;
	}
	return place;
}

/* ---- scalars */

static bool
is_one_of(struct ev_str text, const char *const *words)
{
	for (; *words; words++)
		if (ev_str_equal(text, ev_str(*words)))
			return true;
	return false;
}

static bool
all_of(const char *p, const char *end, const char *set)
{
	if (p == end)
		return false;
	while (p < end && *p && strchr(set, *p))
		p++;
	return p == end;
}

/*
 * Is it a number by the core schema: [-+]?[0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+,
 * [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?, infinity or NaN?
 */
static bool
looks_like_number(struct ev_str text)
{
	static const char *const special[] = {
		".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL,
	};
	static const char digits[] = "0123456789";
	const char *p = text.ptr, *end = p + text.len, *start;
	size_t before, after = 0;

	if (text.len > 2 && p[0] == '0' && p[1] == 'o')
		return all_of(p + 2, end, "01234567");
	if (text.len > 2 && p[0] == '0' && p[1] == 'x')
		return all_of(p + 2, end, "0123456789abcdefABCDEF");
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (is_one_of((struct ev_str){ p, (size_t)(end - p) }, special))
		return true;
	for (start = p; p < end && *p && strchr(digits, *p);)
		p++;
	before = (size_t)(p - start);
	if (p < end && *p == '.') {
		for (start = ++p; p < end && *p && strchr(digits, *p);)
			p++;
		after = (size_t)(p - start);
	}
	if (!before && !after)
		return false;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		return all_of(p, end, digits);
	}
	return p == end;
}

static void
resolve_plain(struct reader *r, struct ev_yaml *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL",
		                             NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE",
		                              NULL };

	if (is_one_of(node->text, nulls)) {
		node->kind = EV_YAML_NULL;
		node->text = EV_STR("null");
	} else if (is_one_of(node->text, trues)) {
		node->kind = EV_YAML_BOOLEAN;
		node->text = EV_STR("true");
	} else if (is_one_of(node->text, falses)) {
		node->kind = EV_YAML_BOOLEAN;
		node->text = EV_STR("false");
	} else if (looks_like_number(node->text)) {
		node->kind = EV_YAML_NUMBER;
		if (!ev_decimal_valid(node->text))
			complain(r, node->place,
			         "'%.*s' is a number that JSON cannot write: "
			         "spell it as JSON does, or quote it",
			         EV_FMT(node->text));
	}
}

static struct ev_yaml *
read_scalar(struct reader *r, const yaml_event_t *event, bool is_key)
{
	struct ev_yaml *node = ev_arena_alloc(r->arena, sizeof *node);
	const char *tag = (const char *)event->data.scalar.tag;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	node->kind = EV_YAML_STRING;
	node->place = place_of(event->start_mark);
	node->text = ev_arena_dup(
		r->arena,
		(struct ev_str){ (const char *)event->data.scalar.value,
			         event->data.scalar.length });
	node->weight = node->text.len + 4;
	if (tag && strcmp(tag, YAML_STR_TAG) != 0 &&
	    strcmp(tag, "!") != 0)
		complain(r, node->place,
		         "tag '%s' is not understood: only !!str is", tag);
	if (is_key && plain && !node->text.len)
		complain(r, node->place, "a member without a name");
	else if (is_key && plain && ev_str_equal(node->text, EV_STR("<<")))
		complain(r, node->place, "merge keys are not understood: "
		                         "write the members");
	else if (!is_key && plain && !tag)
		resolve_plain(r, node);
	return node;
}

/* ---- anchors and aliases */

static struct anchor *
find_anchor(struct reader *r, struct ev_str name)
{
	for (size_t i = 0; i < r->anchor_count; i++)
		if (ev_str_equal(r->anchors[i].name, name))
			return &r->anchors[i];
	return NULL;
}

/* Announces an anchor: its place in the list, or anchor_count for none. */
static size_t
open_anchor(struct reader *r, const yaml_char_t *text, struct ev_place place)
{
	struct ev_str name = ev_str((const char *)text);
	struct anchor *found = text ? find_anchor(r, name) : NULL;

	if (!text)
		return EV_YAML_ANCHORS_MAX;
	if (!found && r->anchor_count == EV_YAML_ANCHORS_MAX) {
		complain(r, place, "more than %d anchors",
		         EV_YAML_ANCHORS_MAX);
		r->stopped = true;
		return EV_YAML_ANCHORS_MAX;
	}
	if (!found) {
		found = &r->anchors[r->anchor_count++];
		found->name = ev_arena_dup(r->arena, name);
	}
	found->node = NULL;
	return (size_t)(found - r->anchors);
}

static struct ev_yaml *
read_alias(struct reader *r, const yaml_event_t *event)
{
	struct ev_yaml *node = ev_arena_alloc(r->arena, sizeof *node);
	const char *name = (const char *)event->data.alias.anchor;
	struct ev_place place = place_of(event->start_mark);
	struct anchor *anchor = find_anchor(r, ev_str(name));

	if (!anchor)
		complain(r, place, "there is no anchor '&%s' before this",
		         name);
	else if (!anchor->node)
		complain(r, place, "'*%s' stands inside of what it names",
		         name);
	else
		*node = *anchor->node;
	node->place = place;
	node->key = node->next = NULL;
	return node;
}

/* ---- lists and maps */

static struct ev_yaml *read_node(struct reader *r, yaml_event_t *event);

static int
compare_keys(const void *a, const void *b)
{
	const struct ev_yaml *left = *(const struct ev_yaml *const *)a;
	const struct ev_yaml *right = *(const struct ev_yaml *const *)b;
	int order = ev_str_compare(left->text, right->text);

	if (order)
		return order;
	if (left->place.line != right->place.line)
		return left->place.line < right->place.line ? -1 : 1;
	return (left->place.column > right->place.column) -
	       (left->place.column < right->place.column);
}

static void
refuse_duplicates(struct reader *r, const struct ev_yaml *map, size_t count)
{
	const struct ev_yaml **keys = ev_mem_alloc(count * sizeof *keys);
	size_t i = 0, first = 0;

	for (const struct ev_yaml *n = map->first; n; n = n->next)
		keys[i++] = n->key;
	qsort(keys, count, sizeof *keys, compare_keys);
	for (i = 1; i < count; i++) {
		if (!ev_str_equal(keys[i]->text, keys[first]->text))
			first = i;
		else
			complain(r, keys[i]->place,
			         "'%.*s' is here again, first in line %zu",
			         EV_FMT(keys[i]->text),
			         keys[first]->place.line);
	}
	free(keys);
}

/* Puts the next event in the place of the one before; false: stop. */
static bool
next_event(struct reader *r, yaml_event_t *event)
{
	yaml_parser_t *p = &r->parser;

	yaml_event_delete(event);
	if (r->stopped)
		return false;
	if (yaml_parser_parse(p, event))
		return true;
	r->stopped = true;
	if (p->error == YAML_MEMORY_ERROR)
		ev_mem_exhausted();
	if (p->error == YAML_READER_ERROR)
		complain(r, place_of_byte(
				    (struct ev_str){
					    (const char *)p->input.string.start,
					    (size_t)(p->input.string.end -
				                     p->input.string.start) },
				    p->problem_offset),
		         "%s", p->problem);
	else if (p->context)
		complain(r, place_of(p->problem_mark),
		         "%s, %s that begins in line %zu", p->problem,
		         p->context, p->context_mark.line + 1);
	else
		complain(r, place_of(p->problem_mark), "%s", p->problem);
	return false;
}

static void
add_weight(struct reader *r, struct ev_yaml *node, const struct ev_yaml *child)
{
	node->weight += child->weight;
	if (node->depth < child->depth + 1)
		node->depth = child->depth + 1;
	if (r->stopped)
		return;
	if (node->weight > EV_YAML_SIZE_MAX) {
		complain(r, child->place,
		         "with its aliases expanded more than %d bytes",
		         EV_YAML_SIZE_MAX);
		r->stopped = true;
	} else if (node->depth > EV_YAML_DEPTH_MAX) {
		complain(r, child->place, "nested deeper than %d levels",
		         EV_YAML_DEPTH_MAX);
		r->stopped = true;
	}
}

/* Reads one member's key and leaves `event` at its value. */
static const struct ev_yaml *
read_key(struct reader *r, yaml_event_t *event)
{
	const struct ev_yaml *key;

	if (event->type != YAML_SCALAR_EVENT) {
		complain(r, place_of(event->start_mark),
		         "a member's name must be a plain text");
		r->stopped = true;
		return NULL;
	}
	key = read_scalar(r, event, true);
	return next_event(r, event) ? key : NULL;
}

static struct ev_yaml *
read_collection(struct reader *r, yaml_event_t *event, bool map)
{
	struct ev_yaml *node = ev_arena_alloc(r->arena, sizeof *node);
	const struct ev_yaml **end = &node->first;
	const char *tag = (const char *)(map ? event->data.mapping_start.tag
	                                     : event->data.sequence_start.tag);
	size_t count = 0;

	node->kind = map ? EV_YAML_MAP : EV_YAML_LIST;
	node->place = place_of(event->start_mark);
	node->weight = 4;
	node->depth = 1;
	if (tag && strcmp(tag, "!") != 0)
		complain(r, node->place,
		         "tag '%s' is not understood: only !!str is", tag);
	if (++r->depth > EV_YAML_DEPTH_MAX) {
		complain(r, node->place, "nested deeper than %d levels",
		         EV_YAML_DEPTH_MAX);
		r->stopped = true;
	}
	while (next_event(r, event)) {
		const struct ev_yaml *key = NULL;
		struct ev_yaml *child;

		if (event->type == YAML_SEQUENCE_END_EVENT ||
		    event->type == YAML_MAPPING_END_EVENT)
			break;
		if (map && !(key = read_key(r, event)))
			break;
		child = read_node(r, event);
		child->key = key;
		if (key)
			node->weight += key->weight;
		add_weight(r, node, child);
		*end = child;
		end = &child->next;
		count++;
	}
	r->depth--;
	if (map && count)
		refuse_duplicates(r, node, count);
	return node;
}

/* The node that begins with `event`, which is its last one afterwards. */
static struct ev_yaml *
read_node(struct reader *r, yaml_event_t *event)
{
	struct ev_place place = place_of(event->start_mark);
	struct ev_yaml *node;
	size_t anchor;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return read_alias(r, event);
	case YAML_SCALAR_EVENT:
		anchor = open_anchor(r, event->data.scalar.anchor, place);
		node = read_scalar(r, event, false);
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = open_anchor(r, event->data.sequence_start.anchor,
		                     place);
		node = read_collection(r, event, false);
		break;
	default:
		anchor = open_anchor(r, event->data.mapping_start.anchor,
		                     place);
		node = read_collection(r, event, true);
	}
	if (anchor < r->anchor_count)
		r->anchors[anchor].node = node;
	return node;
}

static const struct ev_yaml *
read_document(struct reader *r)
{
	const struct ev_yaml *root = NULL;
	yaml_event_t event = { 0 };
	struct ev_place place;

	/* the stream's beginning, then that of a document or the end */
	for (int i = 0; i < 2; i++)
		if (!next_event(r, &event))
			goto out;
	if (event.type == YAML_STREAM_END_EVENT) {
		complain(r, (struct ev_place){ 1, 1 }, "the file is empty");
		goto out;
	}
	if (!next_event(r, &event))
		goto out;
	root = read_node(r, &event);
	/* the document's end, then another one or the stream's end */
	for (int i = 0; i < 2; i++)
		if (!next_event(r, &event))
			goto out;
	place = place_of(event.start_mark);
	if (event.type != YAML_STREAM_END_EVENT)
		complain(r, place, "a second document begins here: give it a "
		                   "file of its own");
out:
	yaml_event_delete(&event);
	return r->problems ? NULL : root;
}

/* A byte order mark may begin a file; libyaml, told what it reads, takes it for
   content. */
static struct ev_str
skip_mark(struct ev_str text)
{
	struct ev_str mark = EV_STR("\xef\xbb\xbf");

	if (!ev_str_starts(text, mark))
		return text;
	return (struct ev_str){ text.ptr + mark.len, text.len - mark.len };
}

bool
ev_yaml_is_empty(struct ev_str text)
{
	bool comment = false;

	text = skip_mark(text);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\n' || c == '\r')
			comment = false;
		else if (c == '#')
			comment = true;
		else if (!comment && c != ' ' && c != '\t')
			return false;
	}
	return true;
}

const struct ev_yaml *
ev_yaml_parse(struct ev_arena *arena, struct ev_str text,
              ev_yaml_report *report, void *context)
{
	struct reader r = { .arena = arena, .report = report,
		            .context = context };
	const struct ev_yaml *root;

	if (text.len > EV_YAML_SIZE_MAX) {
		complain(&r, (struct ev_place){ 1, 1 },
		         "longer than %d bytes", EV_YAML_SIZE_MAX);
		return NULL;
	}
	text = skip_mark(text);
	if (!yaml_parser_initialize(&r.parser))
		ev_mem_exhausted();
	r.anchors = ev_arena_alloc(arena, EV_YAML_ANCHORS_MAX *
	                                          sizeof *r.anchors);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser,
	                             (const unsigned char *)text.ptr,
	                             text.len);
	root = read_document(&r);
	yaml_parser_delete(&r.parser);
	return root;
}

void
ev_yaml_write_json(struct ev_buf *out, const struct ev_yaml *tree,
                   struct ev_buf *places)
{
	bool map = tree->kind == EV_YAML_MAP;

	if (places)
		ev_buf_add(places, &tree->place, sizeof tree->place);
	if (tree->kind == EV_YAML_STRING) {
		ev_json_write_string(out, tree->text);
		return;
	}
	if (tree->kind < EV_YAML_STRING) {
		ev_buf_add_str(out, tree->text);
		return;
	}
	ev_buf_add_char(out, map ? '{' : '[');
	for (const struct ev_yaml *n = tree->first; n; n = n->next) {
		if (n != tree->first)
			ev_buf_add_char(out, ',');
		if (map) {
			ev_json_write_string(out, n->key->text);
			ev_buf_add_char(out, ':');
		}
		if (map && places)
			ev_buf_add(places, &n->key->place,
			           sizeof n->key->place);
		ev_yaml_write_json(out, n, places);
	}
	ev_buf_add_char(out, map ? '}' : ']');
}
