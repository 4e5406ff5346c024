#include "cmd/table.h"

#include "cmd/terminal.h"

void
table_init(struct table *table)
{
	*table = (struct table){ .grid = { .width = terminal_width(),
		                           .colour = terminal_has_colour() } };
}

void
table_release(struct table *table)
{
	ev_grid_release(&table->grid);
	ev_buf_release(&table->text);
}

static bool
is_list_of_texts(yyjson_val *value)
{
	yyjson_arr_iter items = yyjson_arr_iter_with(value);
	yyjson_val *item;

	while ((item = yyjson_arr_iter_next(&items)))
		if (!yyjson_is_str(item))
			return false;
	return yyjson_is_arr(value);
}

static void
write_texts(struct ev_buf *out, yyjson_val *list)
{
	yyjson_arr_iter items = yyjson_arr_iter_with(list);
	yyjson_val *item;

	while ((item = yyjson_arr_iter_next(&items))) {
		ev_buf_add_str(out, ev_json_text(item));
		if (yyjson_arr_iter_has_next(&items))
			ev_buf_add_str(out, EV_STR(", "));
	}
}

void
table_add_value(struct table *table, size_t column, yyjson_val *value)
{
	struct ev_buf *text = &table->text;

	if (!value || yyjson_is_null(value))
		return;
	ev_buf_reset(text);
	if (yyjson_is_str(value))
		ev_buf_add_str(text, ev_json_text(value));
	else if (is_list_of_texts(value))
		write_texts(text, value);
	else
		ev_json_write(text, value);
	ev_grid_cell(&table->grid, column, ev_buf_str(text),
	             yyjson_is_raw(value) ? EV_GRID_RIGHT : EV_GRID_LEFT);
}

void
table_add(struct table *table, yyjson_val *object)
{
	yyjson_obj_iter members = yyjson_obj_iter_with(object);
	yyjson_val *name;

	ev_grid_row(&table->grid);
	while ((name = yyjson_obj_iter_next(&members)))
		table_add_value(table,
		                ev_grid_column(&table->grid,
		                               ev_json_text(name)),
		                yyjson_obj_iter_get_val(name));
}

void
table_print(struct table *table, struct ev_out *out)
{
	ev_buf_reset(&table->text);
	ev_grid_write(&table->grid, &table->text);
	ev_out_add(out, ev_buf_str(&table->text));
}
