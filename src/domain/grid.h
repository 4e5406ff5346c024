#ifndef EV_DOMAIN_GRID_H
#define EV_DOMAIN_GRID_H

#include "base/mem.h"
#include "domain/shown.h"

/*
 * A table for people whose columns are only known once every row is: held in
 * memory until it is written. Columns that stay empty are not shown. Nothing in
 * a text can drive the terminal.
 */
struct ev_grid {
	int width;   /* columns of the terminal; 0: do not cut */
	bool colour;
	bool headless; /* rows only; set it before there are columns */
	/* private; zeroed */
	struct ev_grid_column *columns;
	size_t column_count;
	struct ev_grid_cell *cells; /* row after row, in any order within it */
	size_t cell_count;
	size_t cell_cap;
	size_t row_count;
	struct ev_arena arena;
};

enum ev_grid_align { EV_GRID_LEFT, EV_GRID_RIGHT };

/* The column of this heading, made behind the others if need be. */
size_t ev_grid_column(struct ev_grid *grid, struct ev_str heading);

void ev_grid_row(struct ev_grid *grid);

/* Into the row begun last; both texts are copied. */
void ev_grid_cell(struct ev_grid *grid, size_t column, struct ev_str text,
                  enum ev_grid_align align);

/* Appends heading and rows, each with its newline; nothing without rows. */
void ev_grid_write(const struct ev_grid *grid, struct ev_buf *out);
bool ev_grid_is_empty(const struct ev_grid *grid); /* not one cell */
void ev_grid_release(struct ev_grid *grid);

#endif
