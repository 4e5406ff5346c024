#include "cmd/project.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/cli.h"
#include "cmd/terminal.h"
#include "domain/format.h"
#include "domain/grid.h"

enum { HASH_SHOWN = 12, PARKED_SHOWN = 10 };

struct list {
	char **names; /* that are asked for, NULL-terminated; none: all */
	struct ev_store *store;
	void (*take)(void *context, struct ev_str json);
	void *context;
	struct ev_model *rows;
	size_t count;
	struct ev_arena arena;
	int64_t end; /* of the log */
	int64_t now;
	struct ev_buf text;
	bool comma;
	int64_t parked;
	bool is_parked; /* something is */
};

/* The live and the building row of a name; either may be NULL. */
struct entry {
	const struct ev_model *live, *building;
	const struct ev_model *any;
	char lag_seconds[32];
};

static bool
is_asked_for(char **names, struct ev_str name)
{
	for (char **n = names; *n; n++)
		if (ev_str_equal(name, ev_str(*n)))
			return true;
	return !*names;
}

static bool
take_row(void *context, const struct ev_model *row)
{
	struct list *list = context;
	struct ev_model *copy;

	if (!is_asked_for(list->names, row->name))
		return true;
	list->rows = ev_mem_resize(list->rows, (list->count + 1) *
	                           sizeof *list->rows);
	copy = &list->rows[list->count++];
	*copy = *row;
	copy->definition = (struct ev_str){ 0 };
	copy->name = ev_arena_dup(&list->arena, row->name);
	if (row->error.ptr)
		copy->error = ev_arena_dup(&list->arena, row->error);
	return true;
}

/* To the millisecond, without zeros that say nothing. */
static void
format_seconds(char *text, size_t size, int64_t micros)
{
	int len = snprintf(text, size, "%lld.%03d",
	                   (long long)(micros / 1000000),
	                   (int)(micros / 1000 % 1000));

	while (text[len - 1] == '0')
		text[--len] = '\0';
	if (text[len - 1] == '.')
		text[--len] = '\0';
}

/* For how long the first event that it lacks has been in the log. */
static enum ev_status
find_lag(struct list *list, struct entry *entry, struct ev_err *err)
{
	struct ev_store *store = list->store;
	int64_t position = entry->live ? entry->live->position : 0;
	int64_t recorded = list->now;
	struct ev_query query = { .from = position + 1, .to = position + 1,
	                          .from_time = EV_TIME_NONE,
	                          .to_time = EV_TIME_NONE };
	struct ev_cursor *cursor;
	enum ev_status status;
	struct ev_line line;
	struct ev_row row;

	if (position < list->end) {
		status = store->ops->query(store, &query, &cursor, err);
		if (status)
			return status;
		status = store->ops->next(cursor, &row, err);
		if (!status && ev_line_parse(row.line, &line))
			ev_time_parse(line.recorded_at, &recorded);
		store->ops->query_close(cursor);
		if (status && status != EV_NO)
			return status;
	}
	if (recorded > list->now) /* clocks differ */
		recorded = list->now;
	format_seconds(entry->lag_seconds, sizeof entry->lag_seconds,
	               list->now - recorded);
	return EV_OK;
}

static void
add_hash(struct ev_buf *out, const struct ev_model *row)
{
	for (size_t i = 0; i < sizeof row->hash; i++)
		ev_buf_printf(out, "%02x", row->hash[i]);
}

static bool
add_parked_json(void *context, const struct ev_parked *parked)
{
	struct list *list = context;

	if (list->comma)
		ev_buf_add_char(&list->text, ',');
	list->comma = true;
	ev_buf_printf(&list->text, "{\"position\":%lld,\"reason\":",
	              (long long)parked->position);
	ev_json_write_string(&list->text, parked->reason);
	ev_buf_add_char(&list->text, '}');
	return true;
}

static enum ev_status
print_json(struct list *list, const struct entry *entry, struct ev_err *err)
{
	struct ev_store *store = list->store;
	const struct ev_model *live = entry->live;
	struct ev_buf *out = &list->text;
	int64_t checkpoint = live ? live->position : 0;
	enum ev_status status = EV_OK;

	ev_buf_reset(out);
	ev_buf_add_str(out, EV_STR("{\"name\":"));
	ev_json_write_string(out, entry->any->name);
	ev_buf_printf(out, ",\"mode\":\"%s\",\"checkpoint\":%lld,"
	              "\"lagEvents\":%lld,\"lagSeconds\":%s,"
	              "\"documents\":%lld,\"parked\":%lld,\"hash\":\"",
	              ev_mode_format(entry->any->mode), (long long)checkpoint,
	              (long long)(list->end - checkpoint), entry->lag_seconds,
	              live ? (long long)live->documents : 0,
	              live ? (long long)live->parked : 0);
	add_hash(out, entry->any);
	ev_buf_add_str(out, EV_STR("\",\"updatedAt\":"));
	if (live)
		ev_buf_printf(out, "\"%.*s\"", EV_TIME_TEXT, live->updated_at);
	else
		ev_buf_add_str(out, EV_STR("null"));
	ev_buf_add_str(out, EV_STR(",\"building\":"));
	if (entry->building) {
		ev_buf_printf(out, "{\"checkpoint\":%lld,\"parked\":%lld,"
		              "\"hash\":\"",
		              (long long)entry->building->position,
		              (long long)entry->building->parked);
		add_hash(out, entry->building);
		ev_buf_add_str(out, EV_STR("\"}"));
	} else {
		ev_buf_add_str(out, EV_STR("null"));
	}
	ev_buf_add_str(out, EV_STR(",\"error\":"));
	if (entry->any->error.len)
		ev_json_write_string(out, entry->any->error);
	else
		ev_buf_add_str(out, EV_STR("null"));
	ev_buf_add_str(out, EV_STR(",\"parkedEvents\":["));
	list->comma = false;
	if (live && live->parked)
		status = store->ops->parked(store, live->id, add_parked_json,
		                            list, err);
	ev_buf_add_str(out, EV_STR("]}"));
	if (!status)
		list->take(list->context, ev_buf_str(out));
	return status;
}

static void
add_cell(struct ev_grid *grid, const char *heading, struct ev_str text,
         enum ev_grid_align align)
{
	ev_grid_cell(grid, ev_grid_column(grid, ev_str(heading)), text, align);
}

static void
add_number(struct ev_grid *grid, const char *heading, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)number);
	add_cell(grid, heading, ev_str(text), EV_GRID_RIGHT);
}

static void
add_row(struct ev_grid *grid, const struct list *list,
        const struct entry *entry)
{
	static const struct ev_model none;
	const struct ev_model *live = entry->live ? entry->live : &none;
	struct ev_buf hash = { 0 };

	add_hash(&hash, entry->any);
	ev_grid_row(grid);
	add_cell(grid, "NAME", entry->any->name, EV_GRID_LEFT);
	add_cell(grid, "MODE", ev_str(ev_mode_format(entry->any->mode)),
	         EV_GRID_LEFT);
	add_number(grid, "CHECKPOINT", live->position);
	add_number(grid, "LAG", list->end - live->position);
	add_cell(grid, "SECONDS", ev_str(entry->lag_seconds), EV_GRID_RIGHT);
	add_number(grid, "DOCUMENTS", live->documents);
	add_number(grid, "PARKED", live->parked);
	add_cell(grid, "HASH", (struct ev_str){ hash.ptr, HASH_SHOWN },
	         EV_GRID_LEFT);
	if (entry->building)
		add_number(grid, "BUILDING", entry->building->position);
	add_cell(grid, "ERROR", entry->any->error, EV_GRID_LEFT);
	ev_buf_release(&hash);
}

static bool
add_parked_text(void *context, const struct ev_parked *parked)
{
	struct list *list = context;

	if (list->parked-- == 0)
		return false;
	ev_buf_printf(&list->text, "  position %lld: ",
	              (long long)parked->position);
	ev_format_safe(&list->text, parked->reason);
	ev_buf_add_char(&list->text, '\n');
	return true;
}

/* Below the table: why. */
static enum ev_status
add_parked(struct list *list, const struct ev_model *live, struct ev_err *err)
{
	struct ev_store *store = list->store;
	enum ev_status status;

	if (!live || !live->parked)
		return EV_OK;
	ev_buf_printf(&list->text, "\nparked in %.*s:\n", EV_FMT(live->name));
	list->parked = PARKED_SHOWN;
	status = store->ops->parked(store, live->id, add_parked_text, list,
	                            err);
	if (live->parked > PARKED_SHOWN)
		ev_buf_printf(&list->text, "  and %lld more: -f ndjson\n",
		              (long long)live->parked - PARKED_SHOWN);
	return status;
}

static struct entry
next_entry(const struct list *list, size_t *next)
{
	struct entry entry = { 0 };

	entry.any = &list->rows[*next];
	for (; *next < list->count &&
	       ev_str_equal(list->rows[*next].name, entry.any->name); ++*next)
		if (list->rows[*next].live)
			entry.live = &list->rows[*next];
		else
			entry.building = &list->rows[*next];
	return entry;
}

static enum ev_status
format_list(struct list *list, bool table, struct ev_err *err)
{
	struct ev_grid grid = { .width = terminal_width(),
	                        .colour = terminal_has_colour() };
	enum ev_status status = EV_OK;

	for (size_t i = 0; i < list->count && !status;) {
		struct entry entry = next_entry(list, &i);

		status = find_lag(list, &entry, err);
		if (!status && table)
			add_row(&grid, list, &entry);
		else if (!status)
			status = print_json(list, &entry, err);
		list->is_parked |= entry.live && entry.live->parked;
	}
	ev_buf_reset(&list->text);
	ev_grid_write(&grid, &list->text);
	for (size_t i = 0; table && i < list->count && !status;)
		status = add_parked(list, next_entry(list, &i).live, err);
	ev_grid_release(&grid);
	return status;
}

/* Names that the log has no model of are told. */
static void
check_names(const struct list *list, enum ev_status *worst)
{
	for (char **name = list->names; *name; name++) {
		bool found = false;

		for (size_t i = 0; i < list->count && !found; i++)
			found = ev_str_equal(list->rows[i].name, ev_str(*name));
		if (!found) {
			cli_say(EV_NO, "no read model '%s' in the log", *name);
			*worst = EV_NO;
		}
	}
}

static enum ev_status
read_list(struct list *list, bool table, struct ev_err *err)
{
	struct ev_head head;
	enum ev_status status = list->store->ops->head(list->store, &head,
	                                               err);

	if (!status)
		status = list->store->ops->models(list->store, take_row, list,
		                                  err);
	if (status)
		return status;
	list->end = head.position;
	return format_list(list, table, err);
}

static void
release_list(struct list *list)
{
	ev_buf_release(&list->text);
	free(list->rows);
	ev_arena_release(&list->arena);
}

static void
print_line(void *context, struct ev_str json)
{
	project_print(context, json);
}

enum ev_status
project_list(struct project *project, struct ev_err *err)
{
	struct ev_store *store = project->projector.store;
	struct list list = { .names = project->options->names, .store = store,
	                     .take = print_line, .context = project,
	                     .now = ev_time_now() };
	enum project_form form = project->options->form;
	enum ev_status status = store->ops->model_begin(store, err);

	if (status)
		return status;
	if (form == PROJECT_BY_OUTPUT)
		form = isatty(STDOUT_FILENO) ? PROJECT_TABLE : PROJECT_NDJSON;
	status = read_list(&list, form == PROJECT_TABLE, err);
	store->ops->model_end(store);
	if (list.is_parked)
		project->worst = EV_BAD_INPUT;
	if (!status)
		check_names(&list, &project->worst);
	ev_out_add(&project->out, ev_buf_str(&list.text));
	release_list(&list);
	return status;
}

enum ev_status
project_list_json(struct ev_store *store,
                  void (*take)(void *context, struct ev_str json),
                  void *context, struct ev_err *err)
{
	char *all = NULL;
	struct list list = { .names = &all, .store = store, .take = take,
	                     .context = context, .now = ev_time_now() };
	enum ev_status status = read_list(&list, false, err);

	release_list(&list);
	return status;
}
