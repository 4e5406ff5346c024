#ifndef EV_CMD_DEFINITIONS_H
#define EV_CMD_DEFINITIONS_H

#include "domain/catalog.h"
#include "domain/projection.h"

/*
 * Catalogs and projections as files, to find everything that is wrong with
 * them. {0} is empty.
 */
struct definitions {
	struct ev_catalog_file *catalogs;
	size_t catalog_count;
	const struct ev_projection **projections; /* those that parse */
	size_t projection_count;
	size_t projection_files; /* all that were read */
	struct ev_arena arena;
	struct ev_problems problems;
};
void definitions_release(struct definitions *d);

enum definitions_kind {
	DEFINITIONS_CATALOG,
	DEFINITIONS_EITHER /* a projection has a member `projection` */
};

/* A file that does not parse adds to the problems. EV_IO: it cannot be read. */
enum ev_status definitions_read(struct definitions *d, const char *path,
                                enum definitions_kind kind,
                                struct ev_err *err);

/* Those in force, without what an earlier folder hides. */
enum ev_status definitions_read_catalogs(struct definitions *d,
                                         struct ev_err *err);
enum ev_status definitions_read_projections(struct definitions *d,
                                            struct ev_err *err);

enum definitions_origin {
	DEFINITIONS_IN_FORCE, /* all are here */
	DEFINITIONS_NAMED     /* the others are those in force */
};

/* What only several files together tell. */
enum ev_status definitions_check(struct definitions *d,
                                 enum definitions_origin origin,
                                 struct ev_err *err);

#endif
