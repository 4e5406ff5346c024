#ifndef EV_CMD_TABLE_H
#define EV_CMD_TABLE_H

#include "base/out.h"
#include "domain/grid.h"
#include "domain/json.h"

/*
 * JSON objects as a table for people on standard output, as wide as the
 * terminal is. Of a member's values a text stands as it is, a list of texts
 * with commas between them, null as nothing, all else as JSON; numbers stand at
 * the right. All is held in memory until it is printed.
 */
struct table {
	struct ev_grid grid; /* its columns may be made by the caller */
	struct ev_buf text;  /* private */
};
void table_init(struct table *table);
void table_release(struct table *table);

/* A row of all the object's members, with columns for those that are new. */
void table_add(struct table *table, yyjson_val *object);

/* A value in the row that ev_grid_row began; NULL: there is none. */
void table_add_value(struct table *table, size_t column, yyjson_val *value);

void table_print(struct table *table, struct ev_out *out);

#endif
