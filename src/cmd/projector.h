#ifndef EV_CMD_PROJECTOR_H
#define EV_CMD_PROJECTOR_H

#include "cmd/stretch.h"

/*
 * Keeps read models: finds what a name stands for, and brings its documents in
 * the log up to date. ev-project, ev-get and everybody else who shows documents
 * share it; cmd/view.h reads them.
 *
 * Any number of processes may do so at once: a step is saved only on top of the
 * checkpoint that it was folded from, and who loses reads again.
 */
struct projector {
	struct ev_store *store; /* to read */
	const char *log;
	/* EV_BUSY after so many attempts to save a model that others outran;
	   0: as many as it takes, within reason */
	int tries;
	/* how far a rebuild has come, for people; may be NULL */
	void (*progress)(struct ev_str name, int64_t position, int64_t end);
	/* private */
	struct ev_store *writer; /* NULL as long as nothing had to be saved */
	struct ev_catalogs catalogs;
	struct ev_catalogs *older; /* that the store may still refer to */
	size_t older_count;
	bool recalled;
	bool upcasts; /* is there a type that may need one? */
	int64_t step_events;
	const char **told; /* names whose files are not what the log has */
	size_t told_count;
	struct ev_arena arena; /* for these */
};

/* Opens the log to read it; what is saved opens it to write. */
enum ev_status projector_open(struct projector *projector, const char *log,
                              enum ev_store_mode mode, struct ev_err *err);
void projector_close(struct projector *projector);

/* The log's catalogs for upcasts, NULL if none of its types needs any. */
enum ev_status projector_upcasts(struct projector *projector,
                                 const struct ev_catalogs **upcasts,
                                 struct ev_err *err);

/* Opens a stretch of the log; the store and what its upcasts need are filled
   in. */
enum ev_status projector_open_stretch(struct projector *projector,
                                      struct stretch *stretch,
                                      struct ev_err *err);

/* To be called once it is outdated: the log has got newer catalogs. */
enum ev_status projector_renew_stretch(struct projector *projector,
                                       struct stretch *stretch,
                                       struct ev_err *err);

/* Events that could not be folded, by position. */
struct parked {
	struct ev_parked *list;
	size_t count;
	struct ev_arena arena;
};

/* Reasons of one position are joined. */
void parked_add(struct parked *parked, int64_t position, struct ev_str reason);
void parked_reset(struct parked *parked);
void parked_release(struct parked *parked);

enum readmodel_flags {
	READMODEL_SAY = 1, /* when the file's definition is not the log's */
	READMODEL_FILE = 2, /* the file is needed as it is */
	READMODEL_KEPT = 4, /* never made, only kept while the log has it */
	READMODEL_SILENT = 8 /* nothing is said, not of its sources either */
};

/* One name: its file, and its models in the log. */
struct readmodel {
	struct projector *projector;
	struct ev_str name;
	const struct ev_projection *file; /* NULL: there is none */
	const struct ev_projection *kept; /* what the log's is made by, or NULL */
	struct ev_model live;     /* id 0: there is none */
	struct ev_model building; /* likewise */
	/* private */
	enum readmodel_flags flags;
	const struct readmodel *below; /* which one is made from this */
	struct ev_arena names; /* for the name */
	struct ev_arena arena; /* for the models' texts */
	struct job *job;
};

/*
 * Finds it by NAME or FILE, in the log and on the path. EV_USAGE: there is
 * none. EV_BAD_INPUT: its file is needed and wrong. Release it in any case.
 */
enum ev_status readmodel_open(struct readmodel *model,
                              struct projector *projector,
                              const char *name_or_file,
                              enum readmodel_flags flags, struct ev_err *err);
void readmodel_release(struct readmodel *model);

/* The definition that counts: the log's, else the file's. */
const struct ev_projection *readmodel_projection(const struct readmodel *model);

/* Does the file say something else than the log? */
bool readmodel_differs(const struct readmodel *model);

/* Reads again what the log has of it. */
enum ev_status readmodel_refresh(struct readmodel *model, struct ev_err *err);

/*
 * Opens what another is made `from`, as part of `above`. EV_BAD_INPUT: that
 * would be itself.
 */
enum ev_status readmodel_open_source(struct readmodel *source,
                                     const struct readmodel *above,
                                     struct ev_str name, struct ev_err *err);

/*
 * Brings it up to the end that the log has now, and saves that; a model that
 * the log does not have yet is made. Ends early, at a step's end, when
 * cli_stop is set. Nothing happens to one of mode demand. EV_BUSY: the log grew
 * all the time; other failures are the store's.
 */
enum ev_status readmodel_update(struct readmodel *model, struct ev_err *err);

/*
 * Makes it anew by the file's definition, or the log's if there is no file, and
 * puts it in the place of the live one once it is complete. One that an earlier
 * run could not finish is gone on with, unless events are parked in it.
 */
enum ev_status readmodel_rebuild(struct readmodel *model, struct ev_err *err);

/* Removes it from the log. EV_NO: the log has none of this name. */
enum ev_status projector_drop(struct projector *projector, const char *name,
                              struct ev_err *err);

/* Calls `take` for every name that the log has models of, in order. */
enum ev_status projector_names(struct projector *projector,
                               bool (*take)(void *context, const char *name),
                               void *context, struct ev_err *err);

#endif
