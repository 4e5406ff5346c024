#include "domain/format.h"

#include <stdlib.h>

#include "domain/shown.h"

enum {
	HELD_ROWS = 100, /* that the widths are found by */
	HELD_BYTES = 64 * 1024,
	GAP = 2,         /* between columns */
	DATA_WIDTH = 24 /* less, and other columns make room */
};

enum column { POSITION, TIME, STREAM, VERSION, TYPE, PRIORITY, ACTOR };

/* `most` is how far a column follows its texts; longer ones stick out. */
static const struct {
	const char *heading;
	int most;
	bool right;
} columns[EV_TABLE_COLUMNS] = {
	[POSITION] = { "POS", 20, true },
	[TIME] = { "TIME", 19, false },
	[STREAM] = { "STREAM", 40, false },
	[VERSION] = { "VER", 20, true },
	[TYPE] = { "TYPE", 40, false },
	[PRIORITY] = { "PRIORITY", 8, false },
	[ACTOR] = { "ACTOR", 24, false },
};

/* The safe text of one column, in the table's `cells`. */
struct cell {
	size_t begin;
	size_t len;
	int width;
};

void
ev_format_safe(struct ev_buf *out, struct ev_str text)
{
	struct ev_shown s = { .out = out };

	ev_shown_add(&s, text);
}

/* ---- a payload, as far as it fits */

/* Past the closing quote of a string; {0} when there is none. */
static struct ev_str
take_string(struct ev_str *json)
{
	for (size_t i = 1; i < json->len; i++)
		if (json->ptr[i] == '"') {
			struct ev_str slice = { json->ptr + 1, i - 1 };

			json->ptr += i + 1;
			json->len -= i + 1;
			return slice;
		} else if (json->ptr[i] == '\\') {
			i++;
		}
	json->len = 0;
	return (struct ev_str){ 0 };
}

/* One value, up to the comma or the end after it. */
static struct ev_str
take_value(struct ev_str *json)
{
	struct ev_str value = *json;
	int depth = 0;

	while (json->len) {
		char c = *json->ptr;

		if (c == '"') {
			take_string(json);
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		else if (c == ',' && depth == 0)
			break;
		json->ptr++;
		json->len--;
	}
	value.len -= json->len;
	return value;
}

/* The next of an object's members; false after the last. */
static bool
take_member(struct ev_str *json, struct ev_str *key, struct ev_str *value)
{
	if (json->len && *json->ptr == ',') {
		json->ptr++;
		json->len--;
	}
	if (!json->len || *json->ptr != '"')
		return false;
	*key = take_string(json);
	if (!json->len || *json->ptr != ':')
		return false;
	json->ptr++;
	json->len--;
	*value = take_value(json);
	return true;
}

/* Can it stand without its quotes? */
static bool
is_plain(struct ev_str slice)
{
	for (size_t i = 0; i < slice.len; i++)
		if (strchr(" =\"\\", slice.ptr[i]))
			return false;
	return slice.len > 0;
}

/* Does the stream's id say this already: acme/app and 42 in acme/app#42? */
static bool
is_in_stream(struct ev_str stream, struct ev_str value)
{
	static const char ends[] = "/#:@";
	const char *end = stream.ptr + stream.len;

	if (value.len >= 2 && *value.ptr == '"') {
		value.ptr++;
		value.len -= 2;
	}
	if (!value.len)
		return false;
	for (const char *p = stream.ptr; (size_t)(end - p) >= value.len; p++)
		if ((p == stream.ptr || strchr(ends, p[-1])) &&
		    memcmp(p, value.ptr, value.len) == 0 &&
		    (p + value.len == end || strchr(ends, p[value.len])))
			return true;
	return false;
}

static void
paint(struct ev_shown *s, const struct ev_table *table, const char *how)
{
	if (!table->colour || s->full)
		return;
	ev_buf_add_str(s->out, EV_STR("\033["));
	ev_buf_add_str(s->out, ev_str(how));
	ev_buf_add_char(s->out, 'm');
}

static void
show_slice(struct ev_shown *s, struct ev_str slice)
{
	bool plain = is_plain(slice);

	if (!plain)
		ev_shown_literal(s, "\"");
	ev_shown_add(s, slice);
	if (!plain)
		ev_shown_literal(s, "\"");
}

/* key=value …, what the stream's id says already at the end. */
static void
show_data(struct ev_shown *s, const struct ev_table *table,
          const struct ev_line *line)
{
	bool first = true;

	for (int last = 0; last < 2; last++) {
		struct ev_str rest = { line->data.ptr + 1, line->data.len - 2 };
		struct ev_str key, value;

		while (!s->full && take_member(&rest, &key, &value)) {
			if (is_in_stream(line->stream, value) != last)
				continue;
			if (!first)
				ev_shown_literal(s, " ");
			first = false;
			paint(s, table, "2");
			show_slice(s, key);
			ev_shown_literal(s, "=");
			paint(s, table, "0");
			if (value.len >= 2 && *value.ptr == '"')
				show_slice(s, (struct ev_str){ value.ptr + 1,
				                               value.len - 2 });
			else
				ev_shown_add(s, value);
		}
	}
}

/* ---- rows */

static void
make_cell(struct ev_buf *cells, struct cell *cell, struct ev_str text)
{
	struct ev_shown s = { .out = cells };

	cell->begin = cells->len;
	ev_shown_add(&s, text);
	cell->len = cells->len - cell->begin;
	cell->width = s.width;
}

static void
make_number(struct ev_buf *cells, struct cell *cell, int64_t number)
{
	cell->begin = cells->len;
	ev_buf_add_int(cells, number);
	cell->len = cells->len - cell->begin;
	cell->width = (int)cell->len;
}

static void
make_cells(struct ev_buf *cells, struct cell cell[EV_TABLE_COLUMNS],
           const struct ev_line *line)
{
	struct ev_str time = line->timestamp;

	ev_buf_reset(cells);
	make_number(cells, &cell[POSITION], line->position);
	/* to the second: what follows is read off the canonical form */
	if (time.len == EV_TIME_TEXT)
		time.len = sizeof "2026-04-21T10:22:00" - 1;
	make_cell(cells, &cell[TIME], time);
	if (time.len > 10 && cells->ptr[cell[TIME].begin + 10] == 'T')
		cells->ptr[cell[TIME].begin + 10] = ' ';
	make_cell(cells, &cell[STREAM], line->stream);
	make_number(cells, &cell[VERSION], line->version);
	make_cell(cells, &cell[TYPE], line->type);
	make_cell(cells, &cell[PRIORITY],
	          ev_str(ev_priority_format(line->priority)));
	make_cell(cells, &cell[ACTOR], line->actor);
}

/* How a column is painted, or NULL. */
static const char *
colour_of(const struct ev_line *line, int column)
{
	static const char *const by_priority[] = {
		[EV_PRIORITY_INFO] = NULL,
		[EV_PRIORITY_ACTION] = "33",
		[EV_PRIORITY_URGENT] = "31",
		[EV_PRIORITY_CRITICAL] = "1;31",
		[EV_PRIORITY_NONE] = NULL,
	};
	static const char *const by_type[] = { "32", "34", "35", "36" };
	const char *colour = by_priority[line->priority];

	switch (column) {
	case TIME:
		return "2";
	case TYPE:
		/* one colour for each, for the eye to follow */
		return colour ? colour
		              : by_type[ev_str_hash(line->type) >> 7 & 3];
	case PRIORITY:
		return colour;
	default:
		return NULL;
	}
}

/*
 * Shows one column of a row. `pad` is how many spaces are due before the next
 * text, so that no row ends in spaces.
 */
static void
show_column(struct ev_shown *s, const struct ev_table *table, int column,
            struct ev_str text, int width, const char *colour, int *pad)
{
	int rest = table->columns[column] - width;

	if (rest < 0)
		rest = 0;
	if (columns[column].right)
		*pad += rest;
	if (text.len) {
		ev_shown_spaces(s, *pad);
		*pad = 0;
		if (colour)
			paint(s, table, colour);
		/* safe already; this finds where to cut it */
		ev_shown_add(s, text);
		if (colour)
			paint(s, table, "0");
	}
	*pad += columns[column].right ? GAP : rest + GAP;
}

static struct ev_shown
begin_row(const struct ev_table *table, struct ev_buf *out)
{
	return (struct ev_shown){ .out = out, .limit = table->width,
	                       .cut = out->len };
}

static void
show_heading(const struct ev_table *table, struct ev_buf *out)
{
	struct ev_shown s = begin_row(table, out);
	int pad = 0;

	paint(&s, table, "1");
	for (int i = 0; i < EV_TABLE_COLUMNS; i++) {
		struct ev_str text = ev_str(columns[i].heading);

		if (table->columns[i])
			show_column(&s, table, i, text, (int)text.len, NULL,
			            &pad);
	}
	ev_shown_spaces(&s, pad);
	ev_shown_literal(&s, "DATA");
	if (table->colour)
		ev_buf_add_str(out, EV_STR("\033[0m"));
	ev_buf_add_char(out, '\n');
}

static void
show_row(const struct ev_table *table, struct ev_buf *out,
         const struct ev_line *line, const struct cell cell[EV_TABLE_COLUMNS])
{
	struct ev_shown s = begin_row(table, out);
	int pad = 0;

	for (int i = 0; i < EV_TABLE_COLUMNS; i++)
		if (table->columns[i])
			show_column(&s, table, i, (struct ev_str){
				table->cells.ptr + cell[i].begin,
				cell[i].len }, cell[i].width,
				colour_of(line, i), &pad);
	if (line->data.len > 2) {
		ev_shown_spaces(&s, pad);
		show_data(&s, table, line);
	}
	/* the cut may have taken what ended a colour */
	if (table->colour && s.full)
		ev_buf_add_str(out, EV_STR("\033[0m"));
	ev_buf_add_char(out, '\n');
}

/* Columns grow with their texts; true when one appears. */
static bool
widen(struct ev_table *table, const struct cell cell[EV_TABLE_COLUMNS])
{
	bool appears = table->columns[ACTOR] == 0 && cell[ACTOR].len;

	if (appears)
		table->columns[ACTOR] = (int)strlen(columns[ACTOR].heading);
	for (int i = 0; i < EV_TABLE_COLUMNS; i++) {
		int width = cell[i].width < columns[i].most ? cell[i].width
		                                            : columns[i].most;

		if (table->columns[i] && table->columns[i] < width)
			table->columns[i] = width;
	}
	return appears;
}

static void
add_row(struct ev_table *table, struct ev_buf *out, const struct ev_line *line)
{
	struct cell cell[EV_TABLE_COLUMNS];

	make_cells(&table->cells, cell, line);
	if (widen(table, cell))
		show_heading(table, out);
	show_row(table, out, line, cell);
}

/* Takes columns away until the payload has room. */
static void
make_room(struct ev_table *table)
{
	static const enum column order[] = { VERSION, PRIORITY };
	int used = 0;

	for (int i = 0; i < EV_TABLE_COLUMNS; i++)
		used += table->columns[i] ? table->columns[i] + GAP : 0;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if (table->width && table->width - used < DATA_WIDTH) {
			used -= table->columns[order[i]] + GAP;
			table->columns[order[i]] = 0;
		}
}

static void
begin(struct ev_table *table, struct ev_buf *out)
{
	for (int i = 0; i < EV_TABLE_COLUMNS; i++)
		if (i != ACTOR)
			table->columns[i] = (int)strlen(columns[i].heading);
	for (size_t i = 0; i < table->held_count; i++) {
		struct cell cell[EV_TABLE_COLUMNS];

		make_cells(&table->cells, cell, &table->held[i]);
		widen(table, cell);
	}
	make_room(table);
	show_heading(table, out);
	for (size_t i = 0; i < table->held_count; i++)
		add_row(table, out, &table->held[i]);
	table->begun = true;
	free(table->held);
	table->held = NULL;
	ev_arena_release(&table->arena);
}

static struct ev_str
hold_text(struct ev_table *table, struct ev_str text)
{
	table->held_bytes += text.len;
	return text.ptr ? ev_arena_dup(&table->arena, text) : text;
}

static void
hold(struct ev_table *table, const struct ev_line *line)
{
	struct ev_line *copy;

	if (!table->held)
		table->held = ev_mem_alloc(HELD_ROWS * sizeof *table->held);
	copy = &table->held[table->held_count++];
	/* only what is shown */
	*copy = (struct ev_line){
		.position = line->position,
		.stream = hold_text(table, line->stream),
		.version = line->version,
		.type = hold_text(table, line->type),
		.timestamp = hold_text(table, line->timestamp),
		.priority = line->priority,
		.actor = hold_text(table, line->actor),
		.data = hold_text(table, line->data),
	};
}

void
ev_table_add(struct ev_table *table, struct ev_buf *out,
             const struct ev_line *line)
{
	if (table->begun) {
		add_row(table, out, line);
		return;
	}
	hold(table, line);
	if (table->held_count == HELD_ROWS || table->held_bytes >= HELD_BYTES)
		begin(table, out);
}

void
ev_table_flush(struct ev_table *table, struct ev_buf *out)
{
	if (!table->begun && table->held_count)
		begin(table, out);
}

void
ev_table_release(struct ev_table *table)
{
	ev_buf_release(&table->cells);
	ev_arena_release(&table->arena);
	free(table->held);
	table->held = NULL;
}
