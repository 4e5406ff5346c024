#ifndef EV_ADAPTER_PROJECTION_FILES_H
#define EV_ADAPTER_PROJECTION_FILES_H

#include "base/str.h"
#include "domain/projection.h"

/*
 * The projections on the path: every *.yaml in the folders of $EV_PROJECTIONS
 * (colon-separated; an empty one stands for the default folder), in the order
 * of the path, then of their names; of two files with one name the first
 * counts. The default is the folder share/projections beside the bin/ that this
 * program runs from (a checkout), else share/ev/projections beside it. The
 * projection NAME is in the file NAME.yaml.
 */

/* Calls `take` for each file, those that an earlier one hides left out; `text`
   is borrowed. Stops at its first failure. EV_BAD_INPUT, when all others have
   been taken, for one that cannot be read. */
enum ev_status ev_projection_files(
	enum ev_status (*take)(void *context, const char *file,
	                       struct ev_str text, struct ev_err *err),
	void *context, struct ev_err *err);

/* The names of all of them, in the order of the path. */
enum ev_status ev_projection_names(
	enum ev_status (*take)(void *context, struct ev_str name,
	                       struct ev_err *err),
	void *context, struct ev_err *err);

/*
 * Finds one and parses it: by NAME on the path; an argument with a '/' or with
 * the ending .yaml or .yml is a FILE. EV_NO: there is none of this name, `err`
 * says which there are. EV_BAD_INPUT: it cannot be read, or names its first
 * problem. Free with ev_projection_free.
 */
enum ev_status ev_projection_open(const struct ev_projection **out,
                                  const char *name_or_file, struct ev_err *err);

#endif
