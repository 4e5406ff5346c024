#ifndef EV_DOMAIN_FOLD_H
#define EV_DOMAIN_FOLD_H

#include "domain/line.h"
#include "domain/projection.h"

/*
 * A fold at work: a projection and its documents so far, in memory. Pure: the
 * same events in the same order make the same documents, byte by byte, whether
 * in one run or in many.
 *
 * Keys are slices, as in struct ev_line. Keys of notes begin with EV_FOLD_NOTE.
 */
struct ev_fold;

enum { EV_FOLD_NOTE = '\1' }; /* no slice begins with it */

/*
 * Where documents come from that an earlier run has stored: appends the JSON
 * that ev_fold_write made to `out`. EV_NO: there is none of this key.
 */
struct ev_fold_source {
	enum ev_status (*fetch)(void *context, struct ev_str key,
	                        struct ev_buf *out, int64_t *position,
	                        struct ev_err *err);
	void *context;
};

/* A document of a fold; lives until ev_fold_forget or ev_fold_free. */
struct ev_document {
	struct ev_str key;
	int64_t position; /* of the last event that it was folded from */
	struct ev_document *next_touched;
	bool touched;
	bool exists; /* false: looked for in the source and not there */
};

/* Borrows both for its life; `source` may be NULL. */
struct ev_fold *ev_fold_new(const struct ev_projection *projection,
                            const struct ev_fold_source *source);
void ev_fold_free(struct ev_fold *fold);

/*
 * Folds one event. EV_NO: it means nothing to this projection. EV_BAD_INPUT: it
 * cannot be folded, `err` says why, and nothing has changed; park it. Another
 * failure is the source's. `data` may have older schemaVersions brought up to
 * date before.
 */
enum ev_status ev_fold_event(struct ev_fold *fold, const struct ev_line *line,
                             struct ev_err *err);

/* The same with a document of the projection that `from` names. */
enum ev_status ev_fold_document(struct ev_fold *fold, struct ev_str key,
                                int64_t position, struct ev_str json,
                                struct ev_err *err);

/*
 * The documents and notes that events have touched since the last call, as a
 * list by next_touched in no order; they count as untouched from now on.
 */
struct ev_document *ev_fold_take_touched(struct ev_fold *fold);

/* Appends the document as JSON: its members in the projection's order. With
   `key` as the first member, and what is derived as the last, for people;
   without either for ev_fold_source. */
enum ev_fold_form { EV_FOLD_STORED, EV_FOLD_SHOWN };
void ev_fold_write(struct ev_fold *fold, const struct ev_document *document,
                   enum ev_fold_form form, struct ev_buf *out);

/* The document of a key, fetched if need be. EV_NO: there is none. */
enum ev_status ev_fold_find(struct ev_fold *fold, struct ev_str key,
                            struct ev_document **out, struct ev_err *err);

/* All documents (no notes) that are in memory, sorted by the bytes of their
   keys. The list is the fold's until the next call. */
struct ev_document **ev_fold_documents(struct ev_fold *fold, size_t *count);

/* Forgets all documents, so that they are fetched again. */
void ev_fold_forget(struct ev_fold *fold);

/* Bytes of memory that the documents hold, about. */
size_t ev_fold_size(const struct ev_fold *fold);

/*
 * Shows a stored document: JSON without key and derived members becomes the
 * form EV_FOLD_SHOWN.
 */
enum ev_status ev_fold_show(struct ev_fold *fold, struct ev_str key,
                            struct ev_str json, struct ev_buf *out,
                            struct ev_err *err);

#endif
