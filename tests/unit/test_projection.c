#include "domain/projection.h"
#include "unit.h"

/* The least that a projection can be, for tests to add to. */
#define HEAD "projection: p\ncatalog: rig\nkey: k\n"
#define FROM "projection: p\nfrom: q\nkey: k\n"
#define ON "on: { A: { set: { a: 1 } } }\n"
#define DOCUMENT "on: { document: { set: { a: 1 } } }\n"
#define RULE(rule) HEAD "on:\n  A: " rule "\n"

/* ---- what was compiled, as text */

static void
show_str(struct ev_buf *out, struct ev_str s)
{
	ev_buf_add_str(out, s);
}

static void
show_path(struct ev_buf *out, const struct ev_path *path)
{
	switch (path->root) {
	case EV_ROOT_DATA:
		ev_buf_printf(out, "data");
		break;
	case EV_ROOT_EVENT:
		ev_buf_printf(out, "%s", ev_member_name(path->member));
		break;
	case EV_ROOT_DOCUMENT:
		ev_buf_printf(out, "doc%zu", path->slot);
		break;
	case EV_ROOT_NOTE:
		ev_buf_printf(out, "note%zu", path->slot);
		break;
	case EV_ROOT_ELEMENT:
		ev_buf_printf(out, "each");
		break;
	}
	for (size_t i = 0; i < path->count; i++)
		ev_buf_printf(out, ".%.*s", EV_FMT(path->names[i]));
}

static void
show_text(struct ev_buf *out, const struct ev_text *text)
{
	static const char *const filters[] = { "",      "|agent",   "|date",
		                               "|part", "|segment", "|some" };

	for (size_t i = 0; i < text->count; i++) {
		const struct ev_text_part *part = &text->parts[i];

		show_str(out, part->literal);
		if (!part->path) {
			ev_buf_add_char(out, ';');
			continue;
		}
		ev_buf_add_char(out, '<');
		show_path(out, part->path);
		ev_buf_printf(out, "%s>", filters[part->filter]);
	}
}

static void
show_source(struct ev_buf *out, const struct ev_source *source)
{
	switch (source->kind) {
	case EV_SOURCE_LITERAL:
		show_str(out, source->literal);
		return;
	case EV_SOURCE_PATH:
		show_path(out, &source->path);
		return;
	case EV_SOURCE_TEXT:
		ev_buf_printf(out, "text ");
		show_text(out, &source->text);
		return;
	default:
		break;
	}
	ev_buf_printf(out, source->names ? "object(" : "list(");
	for (size_t i = 0; i < source->count; i++) {
		if (i)
			ev_buf_printf(out, ", ");
		if (source->names) {
			show_str(out, source->names[i]);
			ev_buf_printf(out, " ");
		}
		show_source(out, &source->items[i]);
	}
	ev_buf_printf(out, ")");
}

static void
show_list(struct ev_buf *out, const char *name, const struct ev_str *list,
          size_t count)
{
	if (!count)
		return;
	ev_buf_printf(out, " %s", name);
	for (size_t i = 0; i < count; i++)
		ev_buf_printf(out, "%c%.*s", i ? ',' : ' ', EV_FMT(list[i]));
}

static void
show_operation(struct ev_buf *out, const struct ev_operation *op)
{
	ev_buf_printf(out, "  %s %zu", ev_operation_name(op->kind),
	              op->target.slot);
	for (size_t i = 0; i < op->target.count; i++) {
		ev_buf_add_char(out, '.');
		show_text(out, &op->target.steps[i]);
	}
	if (op->kind == EV_COUNT)
		ev_buf_printf(out, " %lld", (long long)op->amount);
	else if (op->kind != EV_UNSET)
		ev_buf_add_char(out, ' ');
	if (op->kind != EV_COUNT && op->kind != EV_UNSET)
		show_source(out, &op->value);
	if (op->limit)
		ev_buf_printf(out, " limit %zu", op->limit);
	show_list(out, "by", &op->by, op->by.len > 0);
	show_list(out, "order", op->order, op->order_count);
	if (op->labels)
		show_list(out, "labels", op->labels, op->order_count + 1);
	ev_buf_add_char(out, '\n');
}

static void
show_keys(struct ev_buf *out, const struct ev_text *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ev_buf_printf(out, " key ");
		show_text(out, &keys[i]);
	}
}

static void
show_rule(struct ev_buf *out, const struct ev_rule *rule)
{
	static const char *const tests[] = { "=",       "not", "exists",
		                             "missing", "<",   ">",
		                             ">=",      "<=" };

	ev_buf_printf(out, " rule");
	if (rule->each.text.ptr) {
		ev_buf_printf(out, " each ");
		show_path(out, &rule->each);
	}
	show_keys(out, rule->keys, rule->key_count);
	ev_buf_add_char(out, '\n');
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct ev_condition *c = &rule->conditions[i];

		ev_buf_printf(out, "  when ");
		show_path(out, &c->path);
		ev_buf_printf(out, " %s", tests[c->test]);
		for (size_t k = 0; k < c->count; k++) {
			ev_buf_add_char(out, ' ');
			show_source(out, &c->values[k]);
		}
		ev_buf_add_char(out, '\n');
	}
	for (size_t i = 0; i < rule->operation_count; i++)
		show_operation(out, &rule->operations[i]);
}

static void
show_handler(struct ev_buf *out, const struct ev_handler *handler)
{
	ev_buf_printf(out, "on %.*s\n", EV_FMT(handler->type));
	for (size_t i = 0; i < handler->count; i++)
		show_rule(out, &handler->rules[i]);
}

static void
show_paths(struct ev_buf *out, const struct ev_path *paths, size_t count)
{
	ev_buf_printf(out, " (");
	for (size_t i = 0; i < count; i++) {
		if (i)
			ev_buf_add_char(out, ' ');
		show_path(out, &paths[i]);
	}
	ev_buf_add_char(out, ')');
}

static void
show_projection(struct ev_buf *out, const struct ev_projection *p)
{
	static const char *const kinds[] = { "ratio", "sum", "seconds",
		                             "minutes" };

	ev_buf_printf(out, "%.*s %s", EV_FMT(p->name), ev_mode_format(p->mode));
	show_list(out, "summary", &p->summary, p->summary.len > 0);
	show_list(out, "catalogs", p->catalogs, p->catalog_count);
	show_list(out, "from", &p->from, p->from.len > 0);
	show_keys(out, p->keys, p->key_count);
	ev_buf_printf(out, "\nslots");
	for (size_t i = 0; i < p->slot_count; i++) {
		ev_buf_printf(out, " %.*s", EV_FMT(p->slots[i].name));
		if (p->slots[i].start.ptr)
			ev_buf_printf(out, "=%.*s", EV_FMT(p->slots[i].start));
	}
	ev_buf_add_char(out, '\n');
	if (p->always.operation_count) {
		ev_buf_printf(out, "always\n");
		show_rule(out, &p->always);
	}
	for (size_t i = 0; i < p->handler_count; i++)
		show_handler(out, &p->handlers[i]);
	if (p->rest)
		show_handler(out, p->rest);
	show_list(out, "ignore", p->ignored, p->ignored_count);
	if (p->ignored_count)
		ev_buf_add_char(out, '\n');
	for (size_t i = 0; i < p->derive_count; i++) {
		const struct ev_derive *d = &p->derives[i];

		ev_buf_printf(out, "derive %.*s %s", EV_FMT(d->name),
		              kinds[d->kind]);
		show_paths(out, d->left, d->left_count);
		show_paths(out, d->right, d->right_count);
		ev_buf_printf(out, " %d\n", d->places);
	}
	if (p->notes) {
		ev_buf_printf(out, "notes: ");
		show_projection(out, p->notes);
	}
}

/* ---- helpers */

static const struct ev_projection *
parse(const char *yaml)
{
	struct ev_problems problems = { 0 };
	const struct ev_projection *p = NULL;

	if (ev_projection_parse(&p, "f", ev_str(yaml), &problems)) {
		printf("Bail out! %.*s", EV_FMT(ev_buf_str(&problems.text)));
		exit(2);
	}
	CHECK(problems.count == 0 && problems.text.len == 0);
	return p;
}

/* Compares what was compiled, from YAML and from the stored form. */
static void
check_compiled(const char *yaml, const char *wanted)
{
	const struct ev_projection *parsed = parse(yaml), *loaded = NULL;
	struct ev_buf shown = { 0 };
	struct ev_err err;

	show_projection(&shown, parsed);
	CHECK_STR_NAMED(yaml, ev_buf_str(&shown), ev_str(wanted));
	CHECK_NAMED(yaml, !ev_projection_load(
				  &loaded, ev_projection_json(parsed), &err));
	ev_projection_free(parsed);
	ev_buf_reset(&shown);
	show_projection(&shown, loaded);
	CHECK_STR_NAMED(yaml, ev_buf_str(&shown), ev_str(wanted));
	ev_projection_free(loaded);
	ev_buf_release(&shown);
}

static void
check_rule(const char *rule, const char *slots, const char *wanted)
{
	struct ev_buf yaml = { 0 }, text = { 0 };

	ev_buf_printf(&yaml, HEAD "on:\n  A: %s\n", rule);
	ev_buf_add_char(&yaml, '\0');
	ev_buf_printf(&text, "p async catalogs rig key k;\nslots %s\non A\n%s",
	              slots, wanted);
	ev_buf_add_char(&text, '\0');
	check_compiled(yaml.ptr, text.ptr);
	ev_buf_release(&yaml);
	ev_buf_release(&text);
}

/* ---- every construct */

static void
test_whole(void)
{
	check_compiled(HEAD ON, "p async catalogs rig key k;\n"
	                        "slots a\n"
	                        "on A\n"
	                        " rule\n"
	                        "  set 0 1\n");
	check_compiled(
		"projection: issue-status\n"
		"summary: Where \"every\" issue stands\n"
		"catalog: [rig, session]\n"
		"mode: inline\n"
		"key: [\"{$.streamId}\", \"a \\\"{.repo|part}/{.n|some}#\"]\n"
		"start: { state: null, attempt: 0, labels: [x, {y: 1.50}] }\n"
		"notes:\n"
		"  key: \"{$.streamId}\"\n"
		"  start: { held: false }\n"
		"  always: { set: { held: true } }\n"
		"  on: { A: { set: { by: .b } }, B: { unset: [by] } }\n"
		"  ignore: [F]\n"
		"always: { set: { at: $.timestamp }, count: { events: 1 } }\n"
		"on:\n"
		"  \"*\": { set: { other: true } }\n"
		"  A: { set: { state: queued, by: $note.by } }\n"
		"  rig/B:\n"
		"    - when: { $doc.state: [merged, done] }\n"
		"      set: { late: .x }\n"
		"    - set: { state: failed }\n"
		"  C: { count: { attempt: 1 } }\n"
		"ignore: [D, session/E]\n"
		"derive:\n"
		"  rate: { ratio: [attempt, [attempt, events.x]], places: 0 }\n"
		"  half: { ratio: [attempt, events] }\n"
		"  total: { sum: [attempt, events] }\n"
		"  age: { seconds: [at, late] }\n"
		"  minutes: { minutes: [at, late], places: 1 }\n"
		"  longer: { minutes: [at, late] }\n",
		"issue-status inline summary Where \\\"every\\\" issue stands"
		" catalogs rig,session key <streamId>"
		" key a \\\"<data.repo|part>/<data.n|some>#;\n"
		"slots state=null attempt=0 labels=[\"x\",{\"y\":1.50}] at"
		" events other by late\n"
		"always\n"
		" rule\n"
		"  set 3 timestamp\n"
		"  count 4 1\n"
		"on A\n"
		" rule\n"
		"  set 0 \"queued\"\n"
		"  set 6 note1.by\n"
		"on rig/B\n"
		" rule\n"
		"  when doc0.state = \"merged\" \"done\"\n"
		"  set 7 data.x\n"
		" rule\n"
		"  set 0 \"failed\"\n"
		"on C\n"
		" rule\n"
		"  count 1 1\n"
		"on *\n"
		" rule\n"
		"  set 5 true\n"
		" ignore D,session/E\n"
		"derive rate ratio (doc1.attempt)"
		" (doc1.attempt doc4.events.x) 0\n"
		"derive half ratio (doc1.attempt) (doc4.events) 4\n"
		"derive total sum (doc1.attempt doc4.events) () 0\n"
		"derive age seconds (doc3.at) (doc7.late) 0\n"
		"derive minutes minutes (doc3.at) (doc7.late) 1\n"
		"derive longer minutes (doc3.at) (doc7.late) 6\n"
		"notes: issue-status inline catalogs rig,session"
		" key <streamId>\n"
		"slots held=false by\n"
		"always\n"
		" rule\n"
		"  set 0 true\n"
		"on A\n"
		" rule\n"
		"  set 1 data.b\n"
		"on B\n"
		" rule\n"
		"  unset 1\n"
		" ignore F\n");
	check_compiled(
		"projection: top\n"
		"from: issue-status\n"
		"mode: demand\n"
		"key: \"{.state}\"\n"
		"on:\n"
		"  document:\n"
		"    append: { items: $.key }\n"
		"    max: { last: .lastEventAt }\n",
		"top demand from issue-status key <data.state>\n"
		"slots items last\n"
		"on document\n"
		" rule\n"
		"  append 0 streamId\n"
		"  max 1 data.lastEventAt\n");
}

static void
test_values(void)
{
	check_rule("{ set: { a: ., b: ._x.y-z.0, c: $.data.x.y, d: $.meta,"
	           " e: $.actor, f: $doc.a.b, g: $doc.f } }",
	           "a b c d e f g",
	           " rule\n"
	           "  set 0 data\n"
	           "  set 1 data._x.y-z.0\n"
	           "  set 2 data.x.y\n"
	           "  set 3 meta\n"
	           "  set 4 actor\n"
	           "  set 5 doc0.a.b\n"
	           "  set 6 doc5.f\n");
	/* what only looks like a path */
	check_rule("{ set: { a: .5x, b: ..., c: $5, d: $$, e: a.b,"
	           " f: \"@here\", g: \"$ .x\", h: \"\" } }",
	           "a b c d e f g h",
	           " rule\n"
	           "  set 0 \".5x\"\n"
	           "  set 1 \"...\"\n"
	           "  set 2 \"$5\"\n"
	           "  set 3 \"$$\"\n"
	           "  set 4 \"a.b\"\n"
	           "  set 5 \"@here\"\n"
	           "  set 6 \"$ .x\"\n"
	           "  set 7 \"\"\n");
	check_rule("{ set: { a: -1.50, b: true, c: null, d: \"x \\\"\\n\","
	           " e: [], f: {}, g: [1, [a], {b: null}], h: \"1\" } }",
	           "a b c d e f g h",
	           " rule\n"
	           "  set 0 -1.50\n"
	           "  set 1 true\n"
	           "  set 2 null\n"
	           "  set 3 \"x \\\"\\n\"\n"
	           "  set 4 []\n"
	           "  set 5 {}\n"
	           "  set 6 [1,[\"a\"],{\"b\":null}]\n"
	           "  set 7 \"1\"\n");
	check_rule("{ set: { a: { x: .x, \"y \\\"\": [1, .y, { z: [2] }] },"
	           " b: \"{.x} {$.id|agent}\\n{.t|date}{.y.z|segment}!\" } }",
	           "a b",
	           " rule\n"
	           "  set 0 object(x data.x, y \\\" list(1, data.y,"
	           " {\"z\":[2]}))\n"
	           "  set 1 text <data.x> <id|agent>\\n"
	           "<data.t|date><data.y.z|segment>!;\n");
}

static void
test_operations(void)
{
	check_rule("{ unset: [a.b, c], count: { d: -3, e: 1.0e1 },"
	           " add: { f: .x, g: \"0.35\", h: -2 }, min: { i: .x },"
	           " max: { j: \"{.x}\", k: { value: .x },"
	           " l: { value: .x, order: [a, \"b\\\"\"] } } }",
	           "a c d e f g h i j k l",
	           " rule\n"
	           "  unset 0.b;\n"
	           "  unset 1\n"
	           "  count 2 -3\n"
	           "  count 3 10\n"
	           "  add 4 data.x\n"
	           "  add 5 \"0.35\"\n"
	           "  add 6 -2\n"
	           "  min 7 data.x\n"
	           "  max 8 text <data.x>\n"
	           "  max 9 data.x\n"
	           "  max 10 data.x order a,b\\\"\n");
	check_rule("{ append: { a: .x, b: { c: .x, by: d },"
	           " c: { value: { value: 1 }, limit: 20, by: value } },"
	           " include: { d: [a, .x] }, exclude: { e: b },"
	           " tally: { f: .x }, bucket: { g: { value: .x,"
	           " bounds: [-1, 0.50, 1e1] } } }",
	           "a b c d e f g",
	           " rule\n"
	           "  append 0 data.x\n"
	           "  append 1 object(c data.x, by \"d\")\n"
	           "  append 2 {\"value\":1} limit 20 by value\n"
	           "  include 3 list(\"a\", data.x)\n"
	           "  exclude 4 \"b\"\n"
	           "  tally 5 data.x\n"
	           "  bucket 6 data.x order -1,0.50,1e1"
	           " labels <-1,<0.50,<1e1,>=1e1\n");
	/* one slot for all targets that begin alike; braces may hold dots */
	check_rule("{ count: { \"by.{.m.n|segment}.calls\": 1,"
	           " \"by.x-{.a}\": 2, \"by.é \\\"\": 3, \"b.{.x}{.y}.z\": 4 } }",
	           "by b",
	           " rule\n"
	           "  count 0.<data.m.n|segment>.calls; 1\n"
	           "  count 0.x-<data.a> 2\n"
	           "  count 0.é \\\"; 3\n"
	           "  count 1.<data.x><data.y>.z; 4\n");
	/* different steps may be the same member, but nobody knows */
	check_rule("{ set: { \"a.{.x}\": 1, \"a.{.y}\": 2, a.z: 3,"
	           " \"a.{.x|agent}\": 4, \"a.{.x}{.y}\": 5 } }",
	           "a",
	           " rule\n"
	           "  set 0.<data.x> 1\n"
	           "  set 0.<data.y> 2\n"
	           "  set 0.z; 3\n"
	           "  set 0.<data.x|agent> 4\n"
	           "  set 0.<data.x><data.y> 5\n");
}

/* More members than there is room for at first. */
static void
test_many_members(void)
{
	struct ev_buf yaml = { 0 };
	const struct ev_projection *p;

	ev_buf_printf(&yaml, HEAD "on:\n  A:\n    count:\n");
	for (int i = 0; i < 100; i++)
		ev_buf_printf(&yaml, "      m%d: %d\n", i, i);
	ev_buf_add_char(&yaml, '\0');
	p = parse(yaml.ptr);
	CHECK(p->slot_count == 100);
	CHECK_STR(p->slots[0].name, "m0");
	CHECK_STR(p->slots[99].name, "m99");
	CHECK(p->handlers[0].rules[0].operations[99].target.slot == 99);
	ev_projection_free(p);
	ev_buf_release(&yaml);
}

static void
test_rules(void)
{
	check_rule("\n"
	           "  - when: { .a: x, .b: [1, true, $.actor], .c: $doc.a }\n"
	           "    set: { a: 1 }\n"
	           "  - when: { .a: { not: x }, .b: { not: [x, .y] } }\n"
	           "    set: { a: 2 }\n"
	           "  - when: { .a: { exists: true }, .b: { exists: false } }\n"
	           "    set: { a: 3 }\n"
	           "  - when: { .a: { atLeast: 1, below: 5 },\n"
	           "            .b: { above: a, atMost: $.priority } }\n"
	           "    set: { a: 4 }\n"
	           "  - set: { a: 5 }\n",
	           "a",
	           " rule\n"
	           "  when data.a = \"x\"\n"
	           "  when data.b = 1 true actor\n"
	           "  when data.c = doc0.a\n"
	           "  set 0 1\n"
	           " rule\n"
	           "  when data.a not \"x\"\n"
	           "  when data.b not \"x\" data.y\n"
	           "  set 0 2\n"
	           " rule\n"
	           "  when data.a exists\n"
	           "  when data.b missing\n"
	           "  set 0 3\n"
	           " rule\n"
	           "  when data.a >= 1\n"
	           "  when data.a < 5\n"
	           "  when data.b > \"a\"\n"
	           "  when data.b <= priority\n"
	           "  set 0 4\n"
	           " rule\n"
	           "  set 0 5\n");
	check_rule("{ each: .l.m, key: [\"{$each.x|part}/{$each.y}\", none],"
	           " when: { .l: { exists: true } }, append: { a: $each } }",
	           "a",
	           " rule each data.l.m key <each.x|part>/<each.y> key none;\n"
	           "  when data.l exists\n"
	           "  append 0 each\n");
	/* a rule may leave it to `always` to change something */
	check_compiled(HEAD "always: { set: { a: $.id } }\non: { A: {} }\n",
	               "p async catalogs rig key k;\n"
	               "slots a\n"
	               "always\n"
	               " rule\n"
	               "  set 0 id\n"
	               "on A\n"
	               " rule\n");
}

/* The places of what ev_projection_check and others complain of. */
static void
test_report(void)
{
	const struct ev_projection *p = parse(
		HEAD "on:\n"
		     "  A:\n"
		     "    set: { a: .x, b: $doc.a }\n"
		     "derive: { c: { sum: [a] } }\n"),
		*loaded = NULL;
	const struct ev_operation *op = &p->handlers[0].rules[0].operations[0];
	struct ev_problems problems = { 0 };
	struct ev_err err;

	ev_projection_report(p, op->value.path.where, &problems, "'%s' \033",
	                     "x");
	ev_projection_report(p, op[1].target.where, &problems, "t");
	ev_projection_report(p, op[1].value.where, &problems, "v");
	ev_projection_report(p, p->handlers[0].where, &problems, "h");
	ev_projection_report(p, p->handlers[0].rules[0].where, &problems, "r");
	ev_projection_report(p, p->derives[0].left[0].where, &problems, "d");
	ev_projection_report(p, NULL, &problems, "all");
	CHECK(problems.count == 7);
	CHECK_STR(ev_buf_str(&problems.text), "f:6:15: 'x' ?\n"
	                                      "f:6:19: t\n"
	                                      "f:6:22: v\n"
	                                      "f:5:3: h\n"
	                                      "f:6:5: r\n"
	                                      "f:7:22: d\n"
	                                      "f:1:1: all\n");
	CHECK(!ev_projection_load(&loaded, ev_projection_json(p), &err));
	ev_buf_reset(&problems.text);
	ev_projection_report(loaded, loaded->handlers[0].where, &problems, "h");
	CHECK_STR(ev_buf_str(&problems.text), "p: h\n");
	ev_problems_release(&problems);
	ev_projection_free(loaded);
	ev_projection_free(p);
}

static void
test_stored(void)
{
	const struct ev_projection *p = parse(HEAD "# a remark\n" ON);
	struct ev_err err;

	CHECK_STR(ev_projection_json(p),
	          "{\"projection\":\"p\",\"catalog\":\"rig\",\"key\":\"k\","
	          "\"on\":{\"A\":{\"set\":{\"a\":1}}}}");
	ev_projection_free(p);
	p = NULL;
	CHECK(ev_projection_load(&p, EV_STR("{\"projection\":\"p\""), &err) ==
	      EV_BAD_INPUT);
	CHECK(ev_projection_load(&p, EV_STR("[]"), &err) == EV_BAD_INPUT);
	CHECK_STR(ev_str(err.text),
	          "projection '': a projection is a map, not an empty list");
	CHECK(ev_projection_load(&p,
	                         EV_STR("{\"projection\":\"p\",\"key\":\"k\","
	                                "\"catalog\":\"rig\",\"on\":{\"A\":"
	                                "{\"set\":{\"a\":\"$doc.b\"},"
	                                "\"add\":1}}}"),
	                         &err) == EV_BAD_INPUT);
	CHECK_STR(ev_str(err.text), "projection 'p': '$doc.b': nothing writes "
	                            "a member 'b' of the document");
	CHECK(!p);
	ev_projection_free(NULL);
}

static void
test_names(void)
{
	CHECK_STR(ev_str(ev_mode_format(EV_MODE_INLINE)), "inline");
	CHECK_STR(ev_str(ev_mode_format(EV_MODE_ASYNC)), "async");
	CHECK_STR(ev_str(ev_mode_format(EV_MODE_DEMAND)), "demand");
	CHECK_STR(ev_str(ev_operation_name(EV_SET)), "set");
	CHECK_STR(ev_str(ev_operation_name(EV_BUCKET)), "bucket");
}

/* ---- every message */

struct bad {
	const char *yaml, *problems;
};

static void
check_bad(const struct bad *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ev_problems problems = { 0 };
		const struct ev_projection *p = NULL;
		enum ev_status status = ev_projection_parse(
			&p, "f", ev_str(list[i].yaml), &problems);
		size_t lines = 0;

		for (size_t k = 0; k < problems.text.len; k++)
			lines += problems.text.ptr[k] == '\n';
		CHECK_NAMED(list[i].yaml, status == EV_BAD_INPUT && !p);
		CHECK_NAMED(list[i].yaml, problems.count == lines);
		CHECK_STR_NAMED(list[i].yaml, ev_buf_str(&problems.text),
		                ev_str(list[i].problems));
		ev_problems_release(&problems);
	}
}

static const struct bad bad_head[] = {
	{ "[]\n",
	  "f:1:1: a projection is a map, not an empty list\n" },
	{ "summary: [\n",
	  "f:2:1: did not find expected node content, while parsing a flow "
	  "node that begins in line 2\n" },
	{ "a: 1\n",
	  "f:1:1: a projection has no member 'a'\n"
	  "f:1:1: 'projection', its name, is missing\n"
	  "f:1:1: 'catalog' is missing, or 'from' another projection\n"
	  "f:1:1: 'key' of a projection is missing\n"
	  "f:1:1: 'on' of a projection is missing: what events change\n" },
	{ "projection: P\n"
	  "catalog: rig\n"
	  "key: k\n" ON,
	  "f:1:13: 'projection' is the name of a projection: a letter of "
	  "a-z, then a-z, 0-9 and '-'\n" },
	{ HEAD ON "summary: 7\n",
	  "f:5:10: 'summary' is a text, not a number\n" },
	{ HEAD ON "summary: \"a\\nb\"\n",
	  "f:5:10: 'summary' is one line\n" },
	{ "projection: p\n"
	  "catalog: Rig\n"
	  "key: k\n" ON,
	  "f:2:10: 'catalog' is the name of a catalog, or a list of names\n" },
	{ "projection: p\n"
	  "catalog: []\n"
	  "key: k\n" ON,
	  "f:2:10: 'catalog' is the name of a catalog, or a list of names\n" },
	{ "projection: p\n"
	  "catalog: [rig, session, rig]\n"
	  "key: k\n" ON,
	  "f:2:25: catalog 'rig' is here twice\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "from: q\n"
	  "key: k\n" DOCUMENT,
	  "f:3:7: there is a 'catalog' too: a projection folds events of "
	  "catalogs, or documents 'from' another one\n" },
	{ "projection: p\n"
	  "from: Q\n"
	  "key: k\n" DOCUMENT,
	  "f:2:7: 'from' is the name of a projection: a letter of a-z, then "
	  "a-z, 0-9 and '-'\n" },
	{ "projection: p\n"
	  "from: p\n"
	  "key: k\n" DOCUMENT,
	  "f:2:7: 'p' cannot be made from itself\n" },
	{ HEAD "mode: inlnie\n" ON,
	  "f:4:7: 'mode' is inline, async or demand: did you mean 'inline'\n" },
	{ HEAD "mode: 1\n" ON,
	  "f:4:7: 'mode' is inline, async or demand\n" },
	{ FROM "mode: inline\n" DOCUMENT,
	  "f:4:7: with 'from' the mode is async or demand: an append cannot "
	  "wait for another projection\n" },
	{ HEAD "derived: {}\n" ON,
	  "f:4:1: a projection has no member 'derived': did you mean "
	  "'derive'\n" },
};

static const struct bad bad_key[] = {
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: ''\n" ON,
	  "f:3:6: 'key' is a text with placeholders in quotes, or a list of "
	  "such texts, not an empty text\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: []\n" ON,
	  "f:3:6: 'key' is an empty list\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: {$.streamId}\n" ON,
	  "f:3:6: 'key' is a text with placeholders in quotes, or a list of "
	  "such texts, not a map\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: $.streamId\n" ON,
	  "f:3:6: 'key' is a text with placeholders: write "
	  "\"{$.streamId}\"\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: \"{.a}/{.b}\"\n" ON,
	  "f:3:6: '{.a}' is followed by another part: give it |part, "
	  "|segment, |agent or |date, so that different parts never make "
	  "the same key\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: [\"{.a|some}/{.b}\", \"{.a|part}-{.b}\"]\n" ON,
	  "f:3:7: '{.a}' is followed by another part: give it |part, "
	  "|segment, |agent or |date, so that different parts never make "
	  "the same key\n"
	  "f:3:25: no '/' stands between '{.a}' and the next part: "
	  "different parts could make the same key\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: \"{$doc.a}\"\n" ON,
	  "f:3:6: '$doc.a': a key cannot come from the document that it "
	  "finds\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: \"{$note.a}\"\n" ON,
	  "f:3:6: '$note.a': there are no 'notes'\n" },
	{ "projection: p\n"
	  "catalog: rig\n"
	  "key: \"{$each}\"\n" ON,
	  "f:3:6: '$each': there is no 'each' here\n" },
};

static const struct bad bad_template[] = {
	{ RULE("{ set: { a: \"{.a\" } }"),
	  "f:5:18: '{' without '}' in '{.a'\n" },
	{ RULE("{ set: { a: \"{.a{.b}\" } }"),
	  "f:5:18: '{' without '}' in '{.a{.b}'\n" },
	{ RULE("{ set: { a: \"x}{.a}\" } }"),
	  "f:5:18: '}' without '{' in 'x}{.a}'\n" },
	{ RULE("{ set: { a: \"{.a}}\" } }"),
	  "f:5:18: '}' without '{' in '{.a}}'\n" },
	{ RULE("{ set: { a: \"{}\" } }"),
	  "f:5:18: '{}' holds no path, such as .x\n" },
	{ RULE("{ set: { a: \"{.}\" } }"),
	  "f:5:18: '{.}': the whole payload is no text: name a member\n" },
	{ RULE("{ set: { a: \"{a|agent}{streamId}\" } }"),
	  "f:5:18: '{a|agent}' holds no path: write {.a|agent}\n" },
	{ RULE("{ set: { a: \"{streamId|some}\" } }"),
	  "f:5:18: '{streamId|some}' holds no path: write "
	  "{$.streamId|some}\n" },
	{ RULE("{ set: { a: \"{.a|dote}\" } }"),
	  "f:5:18: '{.a|dote}': the filters are agent, date, part, segment "
	  "and some: did you mean 'date'\n" },
	{ RULE("{ set: { a: \"{.a|lower}\" } }"),
	  "f:5:18: '{.a|lower}': the filters are agent, date, part, segment "
	  "and some\n" },
	{ RULE("{ set: { a: {.b} } }"),
	  "f:5:19: a template stands in quotes: write \"{.b}\"\n" },
	{ RULE("{ set: { a: \"{|agent}\" } }"),
	  "f:5:18: '{|agent}' holds no path, such as .x\n" },
};

static const struct bad bad_path[] = {
	{ RULE("{ set: { a: .a..b } }"),
	  "f:5:18: '.a..b' is no path: names of letters, digits, '_' and "
	  "'-' stand between dots\n" },
	{ RULE("{ set: { a: \".a b\" } }"),
	  "f:5:18: '.a b' is no path: names of letters, digits, '_' and '-' "
	  "stand between dots\n" },
	{ RULE("{ set: { a: $. } }"),
	  "f:5:18: '$.' is no path: names of letters, digits, '_' and '-' "
	  "stand between dots\n" },
	{ RULE("{ set: { a: $.stramId } }"),
	  "f:5:18: '$.stramId': an event's envelope has no 'stramId': did "
	  "you mean 'streamId'\n" },
	{ RULE("{ set: { a: $.key } }"),
	  "f:5:18: '$.key': an event's envelope has no 'key'\n" },
	{ RULE("{ set: { a: $.id.x } }"),
	  "f:5:18: '$.id.x': 'id' has no members\n" },
	{ RULE("{ set: { a: $doc } }"),
	  "f:5:18: '$doc' needs a member: $doc.x\n" },
	{ RULE("{ set: { a: $doc.aa, abc: 2, b: $doc.abd } }"),
	  "f:5:18: '$doc.aa': nothing writes a member 'aa' of the document\n"
	  "f:5:38: '$doc.abd': nothing writes a member 'abd' of the "
	  "document: did you mean 'abc'\n" },
	{ RULE("{ set: { a: $note.x } }"),
	  "f:5:18: '$note.x': there are no 'notes'\n" },
	{ RULE("{ set: { a: $each } }"),
	  "f:5:18: '$each': there is no 'each' here\n" },
	{ RULE("{ set: { a: $eachx } }"),
	  "f:5:18: '$eachx' is no path: one begins with '.', '$.', '$doc.', "
	  "'$note.' or '$each': did you mean '$each'\n" },
	{ RULE("{ set: { a: $dco.x } }"),
	  "f:5:18: '$dco.x' is no path: one begins with '.', '$.', '$doc.', "
	  "'$note.' or '$each': did you mean '$doc'\n" },
	{ RULE("{ set: { a: \"@.state\" } }"),
	  "f:5:18: '@.state' is no path: a member of the document is "
	  "written $doc.state\n" },
	{ RULE("{ set: { a: @state } }"),
	  "f:5:18: '@' begins nothing here: a member of the document is "
	  "written $doc.state, and a text that begins with '@' is quoted\n" },
	{ RULE("{ when: { \"@state\": 1 }, set: { a: 1 } }"),
	  "f:5:16: '@state' is no path: a member of the document is written "
	  "$doc.state\n" },
	{ RULE("{ when: { state: 1 }, set: { a: 1 } }"),
	  "f:5:16: 'state' is no path: one begins with '.', '$.', '$doc.', "
	  "'$note.' or '$each'\n" },
	{ RULE("{ when: { \"\": 1 }, set: { a: 1 } }"),
	  "f:5:16: '' is no path: one begins with '.', '$.', '$doc.', "
	  "'$note.' or '$each'\n" },
	{ FROM "on: { document: { set: { a: $.timestamp } } }\n",
	  "f:4:29: '$.timestamp': with 'from' there is $.key only\n" },
};

static const struct bad bad_start[] = {
	{ HEAD "start: 1\n" ON,
	  "f:4:8: 'start' is a map, not a number\n" },
	{ HEAD "start: { a: .x }\n" ON,
	  "f:4:13: '.x': 'start' holds literals, no paths and no templates\n" },
	{ HEAD "start: { a: [1, { b: \"{.x}\" }] }\n" ON,
	  "f:4:22: '{.x}': 'start' holds literals, no paths and no "
	  "templates\n" },
	{ HEAD "start: { a.b: 1 }\n" ON,
	  "f:4:10: 'a.b': a member's name is letters, digits, '_' and '-'\n" },
	{ HEAD "start: { key: 1 }\n" ON,
	  "f:4:10: a document has its 'key' already: use another name\n" },
};

static const struct bad bad_on[] = {
	{ HEAD,
	  "f:1:1: 'on' of a projection is missing: what events change\n" },
	{ HEAD "on: {}\n",
	  "f:4:5: 'on' is a map of types and what they change, not an empty "
	  "map\n" },
	{ HEAD "on: []\n",
	  "f:4:5: 'on' is a map of types and what they change, not an empty "
	  "list\n" },
	{ HEAD "on: { A!: { set: { a: 1 } } }\n",
	  "f:4:7: 'A!' is no event type: write TYPE or CATALOG/TYPE\n" },
	{ HEAD "on: { rig/*: { set: { a: 1 } } }\n",
	  "f:4:7: 'rig/*' is no event type: write TYPE or CATALOG/TYPE, or "
	  "\"*\" in 'on' for all the others\n" },
	{ HEAD "on: { session/A: { set: { a: 1 } } }\n",
	  "f:4:7: 'session/A': 'session' is none of the projection's "
	  "catalogs\n" },
	{ HEAD "on:\n"
	  "  A: { set: { a: 1 } }\n"
	  "  rig/A: { set: { a: 1 } }\n",
	  "f:6:3: 'rig/A' is handled in line 5 already\n" },
	{ FROM ON,
	  "f:4:7: 'A': with 'from' the one entry of 'on' is 'document'\n" },
	{ RULE(),
	  "f:5:5: 'A' has a rule or a list of rules, not null: a type that "
	  "means nothing here belongs in 'ignore'\n" },
	{ RULE("[]"),
	  "f:5:6: 'A' has an empty list of rules: put it into 'ignore'\n" },
	{ RULE("[1]"),
	  "f:5:7: 'A' has a rule or a list of rules, not a number\n" },
	{ RULE("{}"),
	  "f:5:6: a rule without operations: what does 'A' change\n" },
	{ RULE("{ when: { .x: 1 } }"),
	  "f:5:6: a rule without operations: what does 'A' change\n" },
	{ RULE("{ cuont: { a: 1 }, set: { a: 1 } }"),
	  "f:5:8: a rule has no member 'cuont': did you mean 'count'\n" },
	{ RULE("[{ set: { a: 1 } }, { when: { .x: 1 }, set: { a: 1 } }]"),
	  "f:5:26: this rule is never reached: the one in line 5 has no "
	  "'when'\n" },
	{ HEAD "on:\n"
	  "  A: \n"
	  "  - { when: { .x: 1, .y: [2] }, set: { a: 1 } }\n"
	  "  - { when: { .y: [2], .x: 1.0 }, set: { a: 1 } }\n",
	  "f:7:5: this rule is never reached: the one in line 6 has the "
	  "same 'when'\n" },
	{ HEAD "catalogue: rig\n"
	  "on: { A: { wen: {}, set: { a: 1 } } }\n",
	  "f:4:1: a projection has no member 'catalogue': did you mean "
	  "'catalog'\n"
	  "f:5:12: a rule has no member 'wen': did you mean 'when'\n" },
	{ "projection: p\n"
	  "catalog: [rig, session]\n"
	  "key: k\n"
	  "on: { rig/A: { set: { a: 1 } }, session/A: { set: { a: 1 } }, A: "
	  "{ set: { a: 1 } } }\n",
	  "f:4:63: 'A' is handled in line 4 already\n" },
};

static const struct bad bad_each[] = {
	{ RULE("{ each: [.a], set: { a: 1 } }"),
	  "f:5:14: 'each' is a path, not a list\n" },
	{ RULE("{ each: a, set: { a: 1 } }"),
	  "f:5:14: 'a' is no path: one begins with '.', '$.', '$doc.', "
	  "'$note.' or '$each'\n" },
	{ RULE("{ each: $doc.a, set: { a: 1 } }"),
	  "f:5:14: '$doc.a': 'each' goes through a list of the event: write "
	  ".list\n" },
	{ RULE("{ each: $each.a, set: { a: 1 } }"),
	  "f:5:14: '$each.a': 'each' itself cannot come from its elements\n" },
	{ RULE("{ each: .l, when: { $each.x: 1 }, set: { a: 1 } }"),
	  "f:5:26: '$each.x': 'when' is looked at once, before 'each'\n" },
	{ RULE("{ each: .l, key: \"{$each}\", when: { $doc.a: 1 }, set: { "
	       "a: 1 } }"),
	  "f:5:42: '$doc.a': which document it is depends on $each, and "
	  "'when' comes before that\n" },
	{ RULE("{ each: .l, set: { a: $each }, append: { b: { value: "
	       "\"{$each.x|date}\", limit: 2 } }, key: \"{$doc.a}\" }"),
	  "f:5:96: '$doc.a': a key cannot come from the document that it "
	  "finds\n" },
};

static const struct bad bad_when[] = {
	{ RULE("{ when: [], set: { a: 1 } }"),
	  "f:5:14: 'when' is a map, not an empty list\n" },
	{ RULE("{ when: {}, set: { a: 1 } }"),
	  "f:5:14: 'when' without a condition: leave it out\n" },
	{ RULE("{ when: { .x: {} }, set: { a: 1 } }"),
	  "f:5:20: a condition that asks nothing\n" },
	{ RULE("{ when: { .x: { blow: 1 } }, set: { a: 1 } }"),
	  "f:5:22: a condition has no 'blow', but not, exists, below, "
	  "above, atLeast and atMost: did you mean 'below'\n" },
	{ RULE("{ when: { .x: { exists: 1 } }, set: { a: 1 } }"),
	  "f:5:30: 'exists' is true or false\n" },
	{ RULE("{ when: { .x: [] }, set: { a: 1 } }"),
	  "f:5:20: an empty list: no value is one of it\n" },
	{ RULE("{ when: { .x: null, .y: { not: null } }, set: { a: 1 } }"),
	  "f:5:20: null counts as missing: write {exists: false}\n"
	  "f:5:37: null counts as missing: write {exists: true}\n" },
	{ RULE("{ when: { .x: [[1]], .y: { not: { a: 1 } } }, set: { a: 1 } "
	       "}"),
	  "f:5:21: a condition compares with a text, a number, true, false "
	  "or a path, not with a list\n"
	  "f:5:38: a condition compares with a text, a number, true, false "
	  "or a path, not with a map\n" },
	{ RULE("{ when: { .x: \"{.y}\" }, set: { a: 1 } }"),
	  "f:5:20: '{.y}': a condition compares with a literal or a path, "
	  "not with a template\n" },
	{ RULE("{ when: { .x: { below: true } }, set: { a: 1 } }"),
	  "f:5:29: true and false have no order: compare with a number or a "
	  "text\n" },
	{ RULE("{ when: { .x: { above: [1] } }, set: { a: 1 } }"),
	  "f:5:29: a condition compares with a text, a number, true, false "
	  "or a path, not with a list\n" },
};

static const struct bad bad_operations[] = {
	{ RULE("{ set: [] }"),
	  "f:5:13: 'set' is a map of members, not an empty list\n" },
	{ RULE("{ set: {} }"),
	  "f:5:13: 'set' names no member\n" },
	{ RULE("{ unset: a }"),
	  "f:5:15: 'unset' is a list of members, not a text\n" },
	{ RULE("{ unset: [] }"),
	  "f:5:15: 'unset' names no member\n" },
	{ RULE("{ unset: [1] }"),
	  "f:5:16: 'unset' is a list of members, not a number\n" },
	{ RULE("{ set: { .a: 1 } }"),
	  "f:5:15: '.a': a member that is written stands without '.' or "
	  "'$doc.' before it\n" },
	{ RULE("{ set: { $doc.a: 1 } }"),
	  "f:5:15: '$doc.a': a member that is written stands without '.' or "
	  "'$doc.' before it\n" },
	{ RULE("{ set: { \"{.a}\": 1 } }"),
	  "f:5:15: '{.a}': a document's members have fixed names: put one "
	  "before it, as in by.{.a}\n" },
	{ RULE("{ set: { a b: 1 } }"),
	  "f:5:15: 'a b': a member's name is letters, digits, '_' and '-'\n" },
	{ RULE("{ set: { a..b: 1 } }"),
	  "f:5:15: 'a..b': a name is missing beside a dot\n" },
	{ RULE("{ set: { \"a.{.b|x}\": 1 } }"),
	  "f:5:15: '{.b|x}': the filters are agent, date, part, segment and "
	  "some\n" },
	{ RULE("{ set: { a.{.b}: 1 } }"),
	  "f:5:17: a name with placeholders stands in quotes: "
	  "\"byModel.{.model}.cost\"\n" },
	{ RULE("{ set: { key: 1 } }"),
	  "f:5:15: a document has its 'key' already: use another name\n" },
	{ RULE("{ count: { a: 1.5, b: .x, c: true, d: 1234567890123456789 } "
	       "}"),
	  "f:5:20: 'count' adds a whole number, such as 1\n"
	  "f:5:28: 'count' adds a whole number, such as 1: values are added "
	  "by 'add'\n"
	  "f:5:35: 'count' adds a whole number, such as 1\n"
	  "f:5:44: 'count' adds a whole number, such as 1\n" },
	{ RULE("{ add: { a: x, b: [1], c: true, d: \"\" } }"),
	  "f:5:18: 'add' adds numbers: a path or a number stands here\n"
	  "f:5:24: 'add' adds numbers: a path or a number stands here\n"
	  "f:5:32: 'add' adds numbers: a path or a number stands here\n"
	  "f:5:41: 'add' adds numbers: a path or a number stands here\n" },
	{ RULE("{ add: { a: null } }"),
	  "f:5:18: 'add' of null does nothing: null counts as missing\n" },
	{ RULE("{ min: { a: true, b: [1], c: { order: [a] }, d: { value: "
	       ".x, ordr: [a] } } }"),
	  "f:5:18: 'min' compares numbers or texts, not true\n"
	  "f:5:27: 'min' compares numbers or texts, not a list\n"
	  "f:5:35: 'min' of a map needs its 'value'\n"
	  "f:5:67: a value with its order has no member 'ordr': did you "
	  "mean 'order'\n" },
	{ RULE("{ max: { a: { value: .x, order: [] }, b: { value: .x, "
	       "order: a } } }"),
	  "f:5:38: 'order' is a list of texts, the least first, not an "
	  "empty list\n"
	  "f:5:67: 'order' is a list of texts, the least first, not a text\n" },
	{ RULE("{ max: { a: { value: .x, order: [a, 1, b, a, .c] } } }"),
	  "f:5:42: 'order' lists texts, not a number\n"
	  "f:5:48: 'a' is in the order twice\n"
	  "f:5:51: '.c': 'order' holds literals, no paths and no templates\n" },
	{ RULE("{ append: { a: { value: .x, limit: 0 }, b: { value: .x, "
	       "limit: 1.5 }, c: { limit: 3 } } }"),
	  "f:5:41: 'limit' is a whole number from 1\n"
	  "f:5:69: 'limit' is a whole number from 1\n"
	  "f:5:79: 'append' of a map needs its 'value'\n" },
	{ RULE("{ append: { a: { value: .x, by: 1, lim: 3 } } }"),
	  "f:5:38: 'by' is the name of a member of what is appended\n"
	  "f:5:41: what is appended, if it has a 'value', has no member "
	  "'lim'\n" },
	{ RULE("{ tally: { a: { b: .c } } }"),
	  "f:5:20: 'tally' counts texts, or those of a list, not a map\n" },
	{ RULE("{ bucket: { a: .x, b: { value: .x } } }"),
	  "f:5:21: 'bucket' needs {value: V, bounds: [0.5, 0.8]}\n"
	  "f:5:28: 'bucket' needs {value: V, bounds: [0.5, 0.8]}\n" },
	{ RULE("{ bucket: { a: { bounds: [1] }, b: { value: .x, bounds: [] "
	       "} } }"),
	  "f:5:21: 'bucket' of a map needs its 'value'\n"
	  "f:5:62: 'bounds' is a list of numbers, ascending, not an empty "
	  "list\n" },
	{ RULE("{ bucket: { a: { value: .x, bounds: [1, a] }, b: { value: "
	       ".x, bounds: [1, 0.9, 0.90] } } }"),
	  "f:5:46: 'bounds' lists numbers, not a text\n"
	  "f:5:80: '0.9' does not lie above '1': bounds ascend\n"
	  "f:5:85: '0.90' does not lie above '0.9': bounds ascend\n" },
};

static const struct bad bad_writers[] = {
	{ RULE("{ set: { a: 1 }, count: { a: 1 } }"),
	  "f:5:32: 'a' is written by 'set' of this rule too, in line 5: one "
	  "event writes a member once\n" },
	{ RULE("{ set: { a: {} }, count: { a.b: 1 } }"),
	  "f:5:33: 'a.b' is written by 'set' of this rule too, in line 5: "
	  "one event writes a member once\n" },
	{ RULE("{ set: { \"a.{.x}.b\": 1 }, count: { \"a.{.x}\": 1 } }"),
	  "f:5:41: 'a.{.x}' is written by 'set' of this rule too, in line "
	  "5: one event writes a member once\n" },
	{ HEAD "always: { set: { a.b: 1 } }\n" ON,
	  "f:5:19: 'a' is written by 'set' of 'always' too, in line 4: one "
	  "event writes a member once\n" },
	{ HEAD "always: { set: { b: 1 }, count: { b: 1 } }\n" ON,
	  "f:4:35: 'b' is written by 'set' of this rule too, in line 4: one "
	  "event writes a member once\n" },
	{ HEAD "always: { when: { .x: 1 }, set: { b: 1 } }\n" ON,
	  "f:4:11: 'always' has no member 'when'\n" },
	{ HEAD "always: []\n" ON,
	  "f:4:9: 'always' is a map, not an empty list\n" },
	{ RULE("{ unset: [a.b.c], set: { a.b: 1 } }"),
	  "f:5:31: 'a.b' is written by 'unset' of this rule too, in line 5: "
	  "one event writes a member once\n" },
};

static const struct bad bad_ignore[] = {
	{ HEAD ON "ignore: B\n",
	  "f:5:9: 'ignore' is a list of types, not a text\n" },
	{ HEAD ON "ignore: [1]\n",
	  "f:5:10: 'ignore' is a list of types, not a number\n" },
	{ HEAD ON "ignore: [\"*\", x/B, B, rig/B, A]\n",
	  "f:5:10: '*' is no event type: write TYPE or CATALOG/TYPE, or "
	  "\"*\" in 'on' for all the others\n"
	  "f:5:15: 'x/B': 'x' is none of the projection's catalogs\n"
	  "f:5:23: 'rig/B' is ignored twice\n"
	  "f:5:30: 'A' is handled in line 4 already\n" },
	{ FROM DOCUMENT "ignore: [A]\n",
	  "f:5:9: with 'from' there are no types to ignore\n" },
};

static const struct bad bad_notes[] = {
	{ HEAD "notes: []\n" ON,
	  "f:4:8: 'notes' is a map, not an empty list\n" },
	{ HEAD "notes: {}\n" ON,
	  "f:4:8: 'key' of 'notes' is missing\n"
	  "f:4:8: 'on' of 'notes' is missing: what events change\n" },
	{ HEAD "notes: { key: n, mode: inline, derive: {}, on: { A: { set: { x: "
	  "$doc.a } } } }\n" ON,
	  "f:4:18: 'notes' has no member 'mode'\n"
	  "f:4:32: 'notes' has no member 'derive'\n"
	  "f:4:65: '$doc.a': a note knows no document: it is $note itself\n" },
	{ HEAD "notes: { key: \"{$note.x}\", on: { A: { set: { x: $note.y } } } "
	  "}\n" ON,
	  "f:4:15: '$note.x': a key cannot come from the note that it "
	  "finds\n"
	  "f:4:49: '$note.y': nothing writes a member 'y' of the note\n" },
	{ FROM "notes: { key: n, on: { A: { set: { x: 1 } } } }\n" DOCUMENT,
	  "f:4:8: with 'from' there are no notes: the documents hold what "
	  "is known\n" },
	{ HEAD "notes: { on: { A: { set: { x: 1 } } }, key: n }\n"
	  "on: { A: { set: { a: $note.y } } }\n",
	  "f:5:22: '$note.y': nothing writes a member 'y' of the note\n" },
	{ HEAD "notes: { key: n, on: { A: { set: { x: 1, x.y: 2 } } } }\n" ON,
	  "f:4:42: 'x.y' is written by 'set' of this rule too, in line 4: "
	  "one event writes a member once\n" },
};

static const struct bad bad_derive[] = {
	{ HEAD ON "derive: []\n",
	  "f:5:9: 'derive' is a map, not an empty list\n" },
	{ HEAD ON "derive: { b: 1 }\n",
	  "f:5:14: 'derive' is a map of maps, not a number\n" },
	{ HEAD ON "derive: { b: {} }\n",
	  "f:5:11: 'b' is derived by one of ratio, sum, seconds and "
	  "minutes\n" },
	{ HEAD ON "derive: { b: { ratio: [a, a], sum: [a] } }\n",
	  "f:5:11: 'b' is derived by one of ratio, sum, seconds and "
	  "minutes\n" },
	{ HEAD ON "derive: { b: { raito: [a, a] } }\n",
	  "f:5:11: 'b' is derived by one of ratio, sum, seconds and "
	  "minutes\n"
	  "f:5:16: what is derived has no member 'raito': did you mean "
	  "'ratio'\n" },
	{ HEAD ON "derive: { b: { ratio: [a] }, c: { sum: [] }, d: { seconds: a } "
	  "}\n",
	  "f:5:23: 'ratio' takes [A, B]\n"
	  "f:5:40: 'sum' takes [A, ...]\n"
	  "f:5:60: 'seconds' takes [FROM, TO]\n" },
	{ HEAD ON "derive: { b: { minutes: [[a], a] }, c: { ratio: [[], 1] } }\n",
	  "f:5:26: 'minutes' lies between two members, not lists\n"
	  "f:5:50: an empty list of members\n"
	  "f:5:54: a member's name stands here, not a number\n" },
	{ HEAD ON "derive: { b: { sum: [$doc.a, .x, b, a..c] } }\n",
	  "f:5:22: '$doc.a': 'derive' sees members of the document only, "
	  "and names them without $doc\n"
	  "f:5:30: '.x': 'derive' sees members of the document only, and "
	  "names them without $doc\n"
	  "f:5:34: 'b': nothing writes a member 'b' of the document\n"
	  "f:5:37: 'a..c' is no path: names of letters, digits, '_' and '-' "
	  "stand between dots\n" },
	{ HEAD ON "derive: { a: { sum: [a] }, key: { sum: [a] }, b.c: { sum: [a] } "
	  "}\n",
	  "f:5:11: 'a' is a member that events write: what is derived needs "
	  "a name of its own\n"
	  "f:5:28: a document has its 'key' already: use another name\n"
	  "f:5:47: 'b.c': a member's name is letters, digits, '_' and '-'\n" },
	{ HEAD ON "derive: { b: { sum: [a], places: 2 }, c: { ratio: [a, a], "
	  "places: 31 } }\n",
	  "f:5:34: 'sum' has no 'places'\n"
	  "f:5:67: 'places' is a whole number from 0 to 30\n" },
};
#define CHECK_BAD(list) check_bad(list, sizeof list / sizeof *(list))

static void
test_problems(void)
{
	CHECK_BAD(bad_head);
	CHECK_BAD(bad_key);
	CHECK_BAD(bad_template);
	CHECK_BAD(bad_path);
	CHECK_BAD(bad_start);
	CHECK_BAD(bad_on);
	CHECK_BAD(bad_each);
	CHECK_BAD(bad_when);
	CHECK_BAD(bad_operations);
	CHECK_BAD(bad_writers);
	CHECK_BAD(bad_ignore);
	CHECK_BAD(bad_notes);
	CHECK_BAD(bad_derive);
}

/* ---- damaged input */

static const char sample[] =
	"projection: issue-status\n"
	"catalog: [rig, session]\n"
	"mode: inline\n"
	"key: [\"{$.streamId}\", \"{.repo|part}/{.n|some}\"]\n"
	"start: { state: null, labels: [x, {y: 1.50}] }\n"
	"notes:\n"
	"  key: \"{$.streamId}\"\n"
	"  on: { A: { set: { by: \"{.b|agent}\" } }, B: { unset: [by] } }\n"
	"always: { set: { at: $.timestamp } }\n"
	"on:\n"
	"  A: { set: { state: queued, by: $note.by } }\n"
	"  rig/B:\n"
	"    - when: { $doc.state: [merged, done], .n: { atLeast: 1 } }\n"
	"      count: { \"late.{.x|segment}.n\": 1 }\n"
	"    - add: { cost: .cost, sum: \"0.35\" }\n"
	"      append: { list: { value: { a: .a }, limit: 3, by: a } }\n"
	"      bucket: { score: { value: .s, bounds: [0.5, 0.8] } }\n"
	"      max: { peak: { value: $.priority, order: [info, urgent] } }\n"
	"  C: { each: .l, key: \"{$each.x}\", include: { l: $each } }\n"
	"  \"*\": { tally: { types: $.type } }\n"
	"ignore: [D, session/E]\n"
	"derive: { rate: { ratio: [cost, [cost, sum]], places: 2 } }\n";

/* Either a projection that is stored and loaded as the same, or problems, one
   line each with its place. */
static bool
is_sound(struct ev_str yaml)
{
	struct ev_buf parsed = { 0 }, reloaded = { 0 };
	struct ev_problems problems = { 0 };
	const struct ev_projection *p = NULL, *loaded = NULL;
	struct ev_err err;
	size_t lines = 0;
	bool sound;

	if (!ev_projection_parse(&p, "f", yaml, &problems)) {
		sound = !problems.count && p &&
		        !ev_projection_load(&loaded, ev_projection_json(p),
		                            &err);
		show_projection(&parsed, p);
		if (loaded)
			show_projection(&reloaded, loaded);
		sound = sound && ev_str_equal(ev_buf_str(&parsed),
		                              ev_buf_str(&reloaded));
	} else {
		for (size_t i = 0; i < problems.text.len; i++)
			lines += problems.text.ptr[i] == '\n';
		sound = !p && lines && problems.count == lines &&
		        ev_str_starts(ev_buf_str(&problems.text),
		                      EV_STR("f:"));
	}
	ev_projection_free(p);
	ev_projection_free(loaded);
	ev_problems_release(&problems);
	ev_buf_release(&parsed);
	ev_buf_release(&reloaded);
	return sound;
}

static bool
is_load_sound(struct ev_str json)
{
	const struct ev_projection *p = NULL;
	struct ev_err err = { "" };
	struct ev_buf shown = { 0 };

	if (ev_projection_load(&p, json, &err))
		return !p && *err.text;
	show_projection(&shown, p);
	ev_buf_release(&shown);
	ev_projection_free(p);
	return true;
}

static unsigned
next_random(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static size_t
count_unsound(struct ev_str text, bool (*sound)(struct ev_str))
{
	static const char signs[] = "{}[]:,.$|\"'*/- \n@#0a";
	struct ev_buf copy = { 0 };
	unsigned seed = 20260421;
	size_t unsound = 0;

	for (size_t len = 0; len < text.len; len++)
		unsound += !sound((struct ev_str){ text.ptr, len });
	for (int i = 0; i < 4000; i++) {
		unsigned flips = 1 + next_random(&seed) % 4;

		ev_buf_reset(&copy);
		ev_buf_add_str(&copy, text);
		while (flips-- > 0) {
			size_t at = next_random(&seed) % copy.len;
			unsigned what = next_random(&seed);

			copy.ptr[at] = what % 4
				? signs[what / 4 % (sizeof signs - 1)]
				: (char)(what / 4);
		}
		if (!sound(ev_buf_str(&copy))) {
			printf("# unsound: ");
			unit_print(ev_buf_str(&copy));
			putchar('\n');
			unsound++;
		}
	}
	ev_buf_release(&copy);
	return unsound;
}

static void
test_damage(void)
{
	const struct ev_projection *p = parse(sample);

	CHECK(is_sound(ev_str(sample)));
	CHECK(count_unsound(ev_str(sample), is_sound) == 0);
	CHECK(is_load_sound(ev_projection_json(p)));
	CHECK(count_unsound(ev_projection_json(p), is_load_sound) == 0);
	ev_projection_free(p);
}

int
main(void)
{
	test_names();
	test_whole();
	test_values();
	test_operations();
	test_many_members();
	test_rules();
	test_report();
	test_stored();
	test_problems();
	test_damage();
	return unit_end();
}
