#include "domain/grid.h"

#include <stdlib.h>

enum {
	GAP = 2,   /* between columns */
	LEAST = 8  /* a narrow terminal shrinks no column below that */
};

struct ev_grid_column {
	struct ev_str heading; /* safe, as the cells' texts */
	int heading_width;
	int width; /* of its widest text, 0: all are empty */
};

struct ev_grid_cell {
	size_t row;
	size_t column;
	struct ev_str text;
	int width;
	enum ev_grid_align align;
};

/* A copy that may be shown, and its width. */
static struct ev_str
make_safe(struct ev_grid *grid, struct ev_str text, int *width)
{
	struct ev_buf safe = { 0 };
	struct ev_shown shown = { .out = &safe };
	struct ev_str copy;

	ev_shown_add(&shown, text);
	copy = ev_arena_dup(&grid->arena, ev_buf_str(&safe));
	*width = shown.width;
	ev_buf_release(&safe);
	return copy;
}

size_t
ev_grid_column(struct ev_grid *grid, struct ev_str heading)
{
	struct ev_grid_column column = { 0 };

	column.heading = make_safe(grid, heading, &column.heading_width);
	for (size_t i = 0; i < grid->column_count; i++)
		if (ev_str_equal(grid->columns[i].heading, column.heading))
			return i;
	grid->columns = ev_mem_resize(grid->columns, (grid->column_count + 1) *
	                              sizeof *grid->columns);
	if (grid->headless)
		column.heading_width = 0;
	grid->columns[grid->column_count] = column;
	return grid->column_count++;
}

void
ev_grid_row(struct ev_grid *grid)
{
	grid->row_count++;
}

void
ev_grid_cell(struct ev_grid *grid, size_t column, struct ev_str text,
             enum ev_grid_align align)
{
	struct ev_grid_cell *cell;

	if (!text.len)
		return;
	if (grid->cell_count == grid->cell_cap) {
		grid->cell_cap = grid->cell_cap ? 2 * grid->cell_cap : 64;
		grid->cells = ev_mem_resize(grid->cells, grid->cell_cap *
		                            sizeof *grid->cells);
	}
	cell = &grid->cells[grid->cell_count++];
	*cell = (struct ev_grid_cell){ .row = grid->row_count - 1,
	                               .column = column, .align = align };
	cell->text = make_safe(grid, text, &cell->width);
	if (grid->columns[column].width < cell->width)
		grid->columns[column].width = cell->width;
}

static int
wanted_width(const struct ev_grid_column *column)
{
	if (!column->width)
		return 0;
	return column->width > column->heading_width ? column->width
	                                             : column->heading_width;
}

static int
total_width(const struct ev_grid *grid, int most)
{
	int total = -GAP;

	for (size_t i = 0; i < grid->column_count; i++) {
		int width = wanted_width(&grid->columns[i]);

		if (width)
			total += (width < most ? width : most) + GAP;
	}
	return total;
}

/* How wide the widest column may be so that all fit, if they can. */
static int
find_most(const struct ev_grid *grid)
{
	int most = LEAST;

	for (size_t i = 0; i < grid->column_count; i++)
		if (most < wanted_width(&grid->columns[i]))
			most = wanted_width(&grid->columns[i]);
	while (grid->width && most > LEAST &&
	       total_width(grid, most) > grid->width)
		most--;
	return most;
}

/*
 * One text in its column. `pad` is how many spaces are due before the next, so
 * that no row ends in spaces.
 */
static void
write_text(struct ev_shown *row, struct ev_str text, int text_width, int width,
           enum ev_grid_align align, int *pad)
{
	struct ev_buf cut = { 0 };
	struct ev_shown shown = { .out = &cut, .limit = width };

	if (text_width > width) {
		ev_shown_add(&shown, text);
		text = ev_buf_str(&cut);
		text_width = shown.width;
	}
	if (align == EV_GRID_RIGHT)
		*pad += width - text_width;
	if (text.len) {
		ev_shown_spaces(row, *pad);
		ev_shown_add(row, text);
		*pad = 0;
	}
	*pad += align == EV_GRID_RIGHT ? GAP : width - text_width + GAP;
	ev_buf_release(&cut);
}

static void
write_row(const struct ev_grid *grid, const struct ev_grid_cell *const *row,
          int most, struct ev_buf *out)
{
	struct ev_shown shown = { .out = out, .limit = grid->width,
	                          .cut = out->len };
	int pad = 0;

	for (size_t i = 0; i < grid->column_count; i++) {
		const struct ev_grid_column *column = &grid->columns[i];
		int width = wanted_width(column);

		if (width > most)
			width = most;
		if (!width)
			continue;
		if (!row)
			write_text(&shown, column->heading,
			           column->heading_width, width, EV_GRID_LEFT,
			           &pad);
		else if (row[i])
			write_text(&shown, row[i]->text, row[i]->width, width,
			           row[i]->align, &pad);
		else
			pad += width + GAP;
	}
}

static void
write_heading(const struct ev_grid *grid, int most, struct ev_buf *out)
{
	if (grid->colour)
		ev_buf_add_str(out, EV_STR("\033[1m"));
	write_row(grid, NULL, most, out);
	if (grid->colour)
		ev_buf_add_str(out, EV_STR("\033[0m"));
	ev_buf_add_char(out, '\n');
}

void
ev_grid_write(const struct ev_grid *grid, struct ev_buf *out)
{
	const struct ev_grid_cell **row;
	int most = find_most(grid);
	size_t next = 0;

	if (!grid->row_count)
		return;
	if (!grid->headless)
		write_heading(grid, most, out);
	row = ev_mem_alloc((grid->column_count + 1) * sizeof *row);
	for (size_t i = 0; i < grid->row_count; i++) {
		memset(row, 0, grid->column_count * sizeof *row);
		for (; next < grid->cell_count && grid->cells[next].row == i;
		     next++)
			row[grid->cells[next].column] = &grid->cells[next];
		write_row(grid, row, most, out);
		ev_buf_add_char(out, '\n');
	}
	free(row);
}

bool
ev_grid_is_empty(const struct ev_grid *grid)
{
	return !grid->cell_count;
}

void
ev_grid_release(struct ev_grid *grid)
{
	free(grid->columns);
	free(grid->cells);
	ev_arena_release(&grid->arena);
	*grid = (struct ev_grid){ 0 };
}
