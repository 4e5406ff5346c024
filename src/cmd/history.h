#ifndef EV_CMD_HISTORY_H
#define EV_CMD_HISTORY_H

#include "cmd/printer.h"
#include "cmd/projector.h"
#include "cmd/stretch.h"

/*
 * How one document came to be: the log is folded again, event by event, in
 * memory only. A projection that is made `from` others has one level for each;
 * the last one folds events, and every other the documents of the next.
 *
 * What the log held when it was opened counts; the definition is the log's, if
 * it has a model of that name, else the file's.
 */
enum { HISTORY_LEVELS = 8 };

struct history {
	bool silent; /* says nothing about definitions; set before it is opened */
	struct projector projector;
	struct ev_store *store;
	struct ev_str key; /* the document's, a slice */
	struct history_level {
		struct readmodel model;
		const struct ev_projection *projection;
		struct ev_fold *fold;
	} levels[HISTORY_LEVELS];
	size_t count;
	const struct ev_catalogs *upcasts;
	struct stretch stretch;
	int64_t end;
	int64_t parked; /* events that could not be folded */
	int64_t first_parked;
	struct ev_err reason; /* why the first could not */
	struct ev_arena arena;
};

/* {0} is a valid start; close it in any case. */
enum ev_status history_open(struct history *history, const char *log,
                            const char *name_or_file, const char *key,
                            struct ev_err *err);
void history_close(struct history *history);

/*
 * Folds the next event into the last level and gives the documents that it
 * changed, linked by next_touched, notes among them; NULL: none. EV_NO: the
 * end, or a signal came. history_rewind begins again, with nothing folded.
 */
enum ev_status history_next(struct history *history, int64_t *position,
                            struct ev_document **touched, struct ev_err *err);
enum ev_status history_rewind(struct history *history, struct ev_err *err);

/* Folds all documents of the next level into this one, from nothing; what
   cannot be folded is left out. `seen`, or NULL, gets what each one changed. */
void history_refold(struct history *history, size_t level,
                    void (*seen)(void *context,
                                 const struct ev_document *source,
                                 struct ev_document *touched),
                    void *context);

/* Folds one document of the next level into this one. */
struct ev_document *history_fold_document(struct history *history, size_t level,
                                          const struct ev_document *source);

/* That of this key among those linked by next_touched; NULL: it is not. */
struct ev_document *history_find(struct ev_document *touched,
                                 struct ev_str key);

/* Prints the event at a position. */
enum ev_status history_print(struct history *history, struct printer *printer,
                             int64_t position, struct ev_err *err);

/* Names what could not be folded, if anything, in one line. */
void history_say_parked(const struct history *history);

#endif
