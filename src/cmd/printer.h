#ifndef EV_CMD_PRINTER_H
#define EV_CMD_PRINTER_H

#include "base/out.h"
#include "domain/format.h"
#include "port/store.h"

/* Prints events of a log to standard output, in the form that -f names. */
enum printer_form { FORM_CANONICAL, FORM_NATIVE, FORM_CLOUDEVENTS, FORM_TABLE };

struct printer {
	enum printer_form form;
	bool raw; /* payloads as they were stored, not upcast */
	struct ev_catalogs catalogs;
	bool upcasts; /* is there a type that may need one? */
	struct ev_table table;
	struct ev_out out;
	struct ev_buf newer;
	struct ev_buf text;
	struct ev_buf safe;
	bool terminal; /* is it one that events are printed to? */
	enum ev_status worst; /* BAD_INPUT: an event could not be printed so */
};

bool printer_parse_form(const char *text, enum printer_form *form);

/* The catalogs of the files or, should these be broken, as the log knows them,
   and those that only the log knows. They must live as long as the store. */
enum ev_status printer_catalogs(struct ev_catalogs *catalogs,
                                struct ev_store *store, struct ev_err *err);

/*
 * Appends an event in a form that is no table, for who does not print it.
 * `upcasts`, or NULL for a payload as it was stored, are the catalogs to bring
 * it up to date by. EV_BAD_INPUT: the form cannot say it; `out` is as it was.
 */
enum ev_status printer_format(struct ev_buf *out, enum printer_form form,
                              struct ev_str text, const struct ev_line *line,
                              const struct ev_catalogs *catalogs,
                              const struct ev_catalogs *upcasts,
                              struct ev_err *err);

/*
 * Gets ready: standard output, its width and colours, and the catalogs, of the
 * files or, should these be broken, as the log knows them. EV_OK, or why not.
 */
enum ev_status printer_open(struct printer *printer, struct ev_store *store,
                            struct ev_err *err);
void printer_close(struct printer *printer);

/* Are events printed as the log has them, so that nobody needs to take them
   apart first? Then printer_add takes no line. */
bool printer_is_plain(const struct printer *printer);

/* `line` is `text` taken apart. */
void printer_add(struct printer *printer, struct ev_str text,
                 const struct ev_line *line);
enum ev_status printer_flush(struct printer *printer, struct ev_err *err);

#endif
