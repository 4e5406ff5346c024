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
printer_open(struct printer *printer, struct ev_store *store,
             struct ev_err *err)
{
	enum ev_status status;

	printer->out.fd = STDOUT_FILENO;
	printer->terminal = isatty(STDOUT_FILENO);
	printer->table.width = terminal_width();
	printer->table.colour = terminal_has_colour();
	status = ev_catalogs_open(&printer->catalogs, store, err);
	/* reading a log must not depend on somebody's half-edited file */
	if (status == EV_BAD_INPUT)
		cli_say(EV_OK, "%s; going by what the log knows", err->text);
	else if (status)
		return status;
	status = store->ops->recall(store, (struct ev_str){ 0 },
	                            &printer->catalogs, err);
	for (size_t i = 0; i < printer->catalogs.count; i++)
		printer->upcasts |= ev_catalog_has_upcasts(
			printer->catalogs.list[i]);
	return status == EV_NO ? EV_OK : status;
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

void
printer_add(struct printer *printer, struct ev_str text,
            const struct ev_line *line)
{
	struct ev_line newest;
	struct ev_err err;

	if (printer->upcasts && !printer->raw) {
		ev_buf_reset(&printer->newer);
		switch (ev_event_upcast(&printer->catalogs, line,
		                        &printer->newer, &err)) {
		case EV_OK:
			text = ev_buf_str(&printer->newer);
			if (ev_line_parse(text, &newest))
				line = &newest;
			break;
		case EV_NO:
			break;
		default:
			fail(printer, line, &err);
			return;
		}
	}
	if (printer->form == FORM_CANONICAL) {
		add_json(printer, text);
		return;
	}
	ev_buf_reset(&printer->text);
	switch (printer->form) {
	case FORM_NATIVE:
		if (ev_format_native(&printer->text, line, &printer->catalogs,
		                     &err)) {
			fail(printer, line, &err);
			return;
		}
		break;
	case FORM_CLOUDEVENTS:
		ev_format_cloudevent(&printer->text, line);
		break;
	default:
		ev_table_add(&printer->table, &printer->text, line);
		ev_out_add(&printer->out, ev_buf_str(&printer->text));
		return;
	}
	add_json(printer, ev_buf_str(&printer->text));
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
