#ifndef EV_DOMAIN_FOLD_PARTS_H
#define EV_DOMAIN_FOLD_PARTS_H

#include "domain/fold.h"
#include "domain/value.h"

/*
 * What the parts of a fold share: fold.c goes from an event to its rules and
 * documents, fold_value.c works out the values that rules name, fold_step.c
 * what an operation does with them, fold_store.c keeps and shows documents.
 */

struct document {
	struct ev_document head;
	bool kept; /* as it was before the event at hand */
	struct ev_value slots[];
};

/* What a projection does with one type that events have; neither: nothing. */
struct handled {
	struct ev_str catalog;
	struct ev_str type;
	const struct ev_handler *handler;
	const struct ev_handler *noted; /* of its notes */
};

struct ev_fold {
	const struct ev_projection *projection;
	const struct ev_fold_source *source;

	struct handled *handled; /* by type; open addressing */
	size_t handled_size, handled_count;
	struct ev_arena types;

	struct cell { /* by key; open addressing */
		unsigned long long hash;
		struct document *document;
	} *cells;
	size_t cell_count;
	size_t count;
	struct ev_arena documents;
	struct ev_pool pool;
	size_t size; /* of the documents without what is in the pool */
	struct ev_document *touched;
	struct ev_document **sorted;

	/* the event at hand */
	struct ev_arena scratch;
	struct steps {
		struct step *list;
		size_t count, room;
	} steps;
	struct members {
		struct member {
			struct ev_str name, value;
		} *list;
		size_t count, room;
		bool walked;
	} members;
	enum ev_status failure; /* of the source */
	struct ev_buf key, text, fetched;
};

const struct handled *ev_fold_handled(struct ev_fold *fold,
                                      const struct ev_line *line);

/* The projection of a document, or of a note. */
const struct ev_projection *ev_fold_projection(const struct ev_fold *fold,
                                               struct ev_str key);

/* The document of a key, in memory from now on, whether it exists or not. */
enum ev_status ev_fold_get(struct ev_fold *fold, struct ev_str key,
                           struct document **out, struct ev_err *err);

/* Makes the document what its JSON says. */
void ev_fold_restore(struct ev_fold *fold, struct document *document,
                     struct ev_str json);

/* What is known of the event at hand. */
struct run {
	struct ev_fold *fold;
	const struct ev_line *line;
	struct document *document; /* NULL: no key yet */
	struct document *usual; /* by the projection's key, once sought */
	struct document *note;
	bool note_sought;
	struct ev_str element; /* of `each` */
	bool each;             /* there was one */
	struct ev_err *err;
};

/* ---- fold_value.c: values are JSON, until the event is done; {0}: missing */

struct ev_str fold_path(struct run *run, const struct ev_path *path);
struct ev_str fold_source(struct run *run, const struct ev_source *source);
bool fold_holds(struct run *run, const struct ev_condition *condition);

/* Appends the text. NULL: done; else the path that was missing. */
const struct ev_path *fold_text(struct run *run, const struct ev_text *text,
                                struct ev_buf *out);

/* Appends the first key that can be filled. */
enum ev_status fold_key(struct run *run, const struct ev_text *keys,
                        size_t count, struct ev_buf *out);

/* ev_fold_get; what the source cannot do sticks, or it would look like a
   missing value. */
enum ev_status fold_document(struct run *run, struct ev_str key,
                             struct document **out);

/* What a value is as a text: a slice; {0}: nothing. */
struct ev_str fold_plain(struct ev_fold *fold, struct ev_str json);

/* Of two numbers, by value, or two texts, by bytes; false: of anything else. */
bool fold_compare(struct ev_str a, struct ev_str b, int *order);

/* Lives until the event is done. */
struct ev_str fold_copy(struct ev_fold *fold, struct ev_str text);

/* ---- fold_step.c */

/* One operation on one document, worked out; none: it is touched only. */
struct step {
	struct document *document;
	const struct ev_operation *operation;
	struct ev_str value;     /* JSON, or a slice for TALLY and BUCKET */
	struct ev_number number; /* of ADD and COUNT */
	const struct ev_str *names; /* the target's steps, filled */
};

struct step *fold_add_step(struct ev_fold *fold);

/* Adds the step, if there is anything to do. EV_BAD_INPUT: it cannot be done. */
enum ev_status fold_prepare(struct run *run, struct document *document,
                            const struct ev_operation *operation);

/* Cannot fail, as nothing has changed since it was prepared; … */
void fold_apply(struct ev_fold *fold, struct step *step);

/* … or something may have, and it is checked once more. */
enum ev_status fold_apply_checked(struct run *run, struct step *step);

#endif
