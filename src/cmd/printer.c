#include "cmd/printer.h"

#include <unistd.h>

#include "adapter/catalog_files.h"
#include "cmd/cli.h"
#include "cmd/terminal.h"

bool
printer_parse_form(const char *text, enum printer_form *form)
{
	static const char *const names[] = {
		[FORM_CANONICAL] = "canonical",
		[FORM_NATIVE] = "native",
		[FORM_CLOUDEVENTS] = "cloudevents",
		[FORM_TABLE] = "table",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], text) == 0) {
			*form = (enum printer_form)i;
			return true;
		}
	return false;
}

enum ev_status
printer_catalogs(struct ev_catalogs *catalogs, struct ev_store *store,
                 struct ev_err *err)
{
	enum ev_status status = ev_catalogs_open(catalogs, store, err);

	/* reading a log must not depend on somebody's half-edited file */
	if (status == EV_BAD_INPUT)
		cli_say(EV_OK, "%s; going by what the log knows", err->text);
	else if (status)
		return status;
	status = store->ops->recall(store, (struct ev_str){ 0 }, catalogs, err);
	return status == EV_NO ? EV_OK : status;
}

enum ev_status
printer_open(struct printer *printer, struct ev_store *store,
             struct ev_err *err)
{
	enum ev_status status;

	printer->out.fd = STDOUT_FILENO;
	printer->terminal = isatty(STDOUT_FILENO);
	printer->table.width = terminal_width();
	printer->table.colour = terminal_has_colour();
	status = printer_catalogs(&printer->catalogs, store, err);
	for (size_t i = 0; i < printer->catalogs.count; i++)
		printer->upcasts |= ev_catalog_has_upcasts(
			printer->catalogs.list[i]);
	return status;
}

bool
printer_is_plain(const struct printer *printer)
{
	return printer->form == FORM_CANONICAL && !printer->terminal &&
	       (printer->raw || !printer->upcasts);
}

void
printer_close(struct printer *printer)
{
	ev_catalogs_release(&printer->catalogs);
	ev_table_release(&printer->table);
	ev_out_release(&printer->out);
	ev_buf_release(&printer->newer);
	ev_buf_release(&printer->text);
	ev_buf_release(&printer->safe);
}

static void
fail(struct printer *printer, const struct ev_line *line,
     const struct ev_err *err)
{
	cli_say(EV_BAD_INPUT, "position %lld: %s", (long long)line->position,
	        err->text);
	printer->worst = EV_BAD_INPUT;
}

/* JSON escapes what drives a terminal only in part; on one, all of it is. */
static void
add_json(struct printer *printer, struct ev_str json)
{
	if (printer->terminal) {
		ev_buf_reset(&printer->safe);
		ev_format_safe_json(&printer->safe, json);
		json = ev_buf_str(&printer->safe);
	}
	ev_out_line(&printer->out, json);
}

/* Where a newer text and its line are to stand. */
struct renewal {
	struct ev_buf *text;
	struct ev_line line;
};

/* Brings the event up to date, if it needs that. */
static enum ev_status
renew(struct renewal *newer, const struct ev_catalogs *catalogs,
      struct ev_str *text, const struct ev_line **line, struct ev_err *err)
{
	enum ev_status status = ev_event_upcast(catalogs, *line, newer->text,
	                                        err);

	if (status)
		return status == EV_NO ? EV_OK : status;
	*text = ev_buf_str(newer->text);
	if (ev_line_parse(*text, &newer->line))
		*line = &newer->line;
	return EV_OK;
}

/* Appends the native form or the CloudEvent. */
static enum ev_status
format(struct ev_buf *out, enum printer_form form, const struct ev_line *line,
       const struct ev_catalogs *catalogs, struct ev_err *err)
{
	if (form == FORM_NATIVE)
		return ev_format_native(out, line, catalogs, err);
	ev_format_cloudevent(out, line);
	return EV_OK;
}

enum ev_status
printer_format(struct ev_buf *out, enum printer_form form, struct ev_str text,
               const struct ev_line *line, const struct ev_catalogs *catalogs,
               const struct ev_catalogs *upcasts, struct ev_err *err)
{
	struct ev_buf newer = { 0 };
	struct renewal renewal = { .text = &newer };
	enum ev_status status = EV_OK;

	if (upcasts)
		status = renew(&renewal, upcasts, &text, &line, err);
	if (!status && form == FORM_CANONICAL)
		ev_buf_add_str(out, text);
	else if (!status)
		status = format(out, form, line, catalogs, err);
	ev_buf_release(&newer);
	return status;
}

void
printer_add(struct printer *printer, struct ev_str text,
            const struct ev_line *line)
{
	struct renewal renewal = { .text = &printer->newer };
	struct ev_err err;

	ev_buf_reset(&printer->newer);
	if (printer->upcasts && !printer->raw &&
	    renew(&renewal, &printer->catalogs, &text, &line, &err)) {
		fail(printer, line, &err);
		return;
	}
	ev_buf_reset(&printer->text);
	if (printer->form == FORM_CANONICAL) {
		add_json(printer, text);
	} else if (printer->form == FORM_TABLE) {
		ev_table_add(&printer->table, &printer->text, line);
		ev_out_add(&printer->out, ev_buf_str(&printer->text));
	} else if (format(&printer->text, printer->form, line,
	                  &printer->catalogs, &err)) {
		fail(printer, line, &err);
	} else {
		add_json(printer, ev_buf_str(&printer->text));
	}
}

enum ev_status
printer_flush(struct printer *printer, struct ev_err *err)
{
	if (printer->form == FORM_TABLE) {
		ev_buf_reset(&printer->text);
		ev_table_flush(&printer->table, &printer->text);
		ev_out_add(&printer->out, ev_buf_str(&printer->text));
	}
	return ev_out_flush(&printer->out, "standard output", err);
}
