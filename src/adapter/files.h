#ifndef EV_ADAPTER_FILES_H
#define EV_ADAPTER_FILES_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The *.yaml files of a path of folders: colon-separated, an empty one stands
 * for the default. They come in the order of the path, then of their names.
 */
struct ev_files_path {
	const char *variable; /* of the environment: "EV_SCHEMAS" */
	const char *beside;   /* the default folder, beside bin/ */
	const char *installed; /* where `beside` is no folder */
	const char *noun;     /* "catalog" */
};

struct ev_files {
	const struct ev_files_path *path;
	char **names; /* whole paths */
	size_t count;
	struct ev_buf identity; /* changes when one of the files does */
};

typedef enum ev_status ev_files_take(void *context, const char *file,
                                     struct ev_str text, struct ev_err *err);

/* EV_BAD_INPUT: a folder or file is not there or not ours to read. */
enum ev_status ev_files_list(struct ev_files *files,
                             const struct ev_files_path *path,
                             struct ev_err *err);
void ev_files_release(struct ev_files *files);

/* The default folder, which may not be there; "" when this program cannot be
   found. There must be room for PATH_MAX bytes. */
void ev_files_folder(const struct ev_files_path *path, char *folder);

/* Without its folder; borrowed. */
const char *ev_files_name(const char *file);

/* Replaces `text` by what is in a file. */
enum ev_status ev_files_read(struct ev_buf *text, const char *file,
                             const char *noun, struct ev_err *err);

/* Calls `take` for each; `text` is borrowed. Stops at its first failure. */
enum ev_status ev_files_each(const struct ev_files *files, ev_files_take *take,
                             void *context, struct ev_err *err);

#endif
