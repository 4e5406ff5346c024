#ifndef EV_CMD_VIEW_H
#define EV_CMD_VIEW_H

#include "cmd/projector.h"

/*
 * Documents of a read model as of one position of the log: those that are
 * stored, and over them what had to be folded in memory. Nothing is written.
 */
struct view_options {
	int64_t at; /* as of this position, folded anew; -1: now */
	bool stale; /* only what is stored, as it is */
	bool anew;  /* nothing that is stored */
	const struct ev_projection *projection; /* NULL: the one that counts */
	struct ev_slices keys; /* only these will be asked for; none: any */
};

struct view {
	struct readmodel *model;
	const struct ev_projection *projection;
	struct ev_fold *fold;
	int64_t stored;   /* model of the documents that are stored, 0: none */
	int64_t position; /* as of which the documents are */
	struct parked parked; /* what could not be folded in memory */
	struct ev_fold_source source; /* private */
};

/*
 * The store must stand between model_begin and model_end as long as the view is
 * used, and the view must stay where it is. EV_NO: stale, and nothing is stored. Close it in any case.
 */
enum ev_status view_open(struct view *view, struct readmodel *model,
                         const struct view_options *options,
                         struct ev_err *err);
void view_close(struct view *view);

/* Appends the document of a key (a slice) as it is shown. EV_NO: none. */
enum ev_status view_find(struct view *view, struct ev_str key,
                         struct ev_buf *out, struct ev_err *err);

/* One document as it is shown, borrowed; false: no more are wanted. */
typedef bool view_take(void *context, struct ev_str key, int64_t position,
                       struct ev_str json);

/* All of them, in the order of their keys. */
enum ev_status view_each(struct view *view, view_take *take, void *context,
                         struct ev_err *err);

/* The last position that was recorded up to a time, 0: none was. */
enum ev_status view_find_time(struct ev_store *store, int64_t time,
                              int64_t *position, struct ev_err *err);

#endif
