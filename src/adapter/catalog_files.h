#ifndef EV_ADAPTER_CATALOG_FILES_H
#define EV_ADAPTER_CATALOG_FILES_H

#include "port/store.h"

/*
 * The catalogs in force: every *.yaml in the folders of $EV_SCHEMAS (colon-
 * separated; an empty one stands for the default folder), in the order of the
 * path, then of their names; of two with one name the first counts. The default
 * is the folder schemas beside the bin/ that this program runs from (a
 * checkout), else share/ev/schemas beside it.
 */

/* Calls `take` for each file; `text` is borrowed. Stops at its first failure. */
enum ev_status ev_catalog_files(
	enum ev_status (*take)(void *context, const char *file,
	                       struct ev_str text, struct ev_err *err),
	void *context, struct ev_err *err);

/*
 * Loads them all: from the log, if it knows these files in their present state,
 * which parses no YAML; otherwise from the files, and the log will remember
 * them with its next append. `store` may be NULL. EV_BAD_INPUT names the first
 * problem of a file.
 */
enum ev_status ev_catalogs_open(struct ev_catalogs *catalogs,
                                struct ev_store *store, struct ev_err *err);

#endif
