#ifndef EV_CMD_STRETCH_H
#define EV_CMD_STRETCH_H

#include "domain/fold.h"
#include "port/store.h"

/*
 * A stretch of the log on its way into a fold: those events only that the
 * projection may handle, older ones brought up to date.
 */
struct stretch {
	struct ev_store *store;
	const struct ev_projection *projection;
	const struct ev_catalogs *upcasts; /* NULL: no type needs any */
	struct ev_slices streams; /* of these only; none: of all */
	const struct ev_catalogs *known; /* to look for events that are newer
	                                    than these, or NULL */
	bool outdated;            /* there was one */
	int64_t position;         /* everything up to here has been folded */
	int64_t end;
	struct ev_str timestamp; /* of the last event, borrowed until the next */
	/* private; zeroed */
	struct ev_cursor *cursor;
	struct ev_arena arena;
	struct ev_str *types;
	size_t type_count;
	bool every_type;
	struct ev_buf newer;
};

/* {.projection, .position, .end}, and .store, is a valid start. Release it in
   any case. */
enum ev_status stretch_open(struct stretch *stretch, struct ev_err *err);
void stretch_release(struct stretch *stretch);

/*
 * Folds the next event. EV_BAD_INPUT: the one at `position` cannot be folded,
 * `err` says why, and the next call goes on behind it. EV_NO: the end.
 */
enum ev_status stretch_fold(struct stretch *stretch, struct ev_fold *fold,
                            struct ev_err *err);

/* Does an event change no other document than the one that has its stream's
   name for a key? Then a document can be folded from one stream. */
bool stretch_is_by_stream(const struct ev_projection *projection);

#endif
