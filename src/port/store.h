#ifndef EV_PORT_STORE_H
#define EV_PORT_STORE_H

#include <poll.h>
#include <stdint.h>

#include "base/err.h"
#include "domain/event.h"
#include "domain/projection.h"

/*
 * A log, whatever keeps it. Every adapter is one constant table of these
 * operations, each taking the handle first; adapter/open.h opens a store.
 *
 * Promises of every adapter: what append has acknowledged survives a crash and
 * a power cut. Positions are 1, 2, 3, … without holes, in commit order, never
 * reused; versions are 0, 1, 2, … within a stream. A reader sees a prefix of
 * the log, never a hole that is filled later. recordedAt never runs backwards.
 */

struct ev_store; /* an open log, of one adapter, for one thread */

enum ev_store_mode {
	EV_STORE_READ,   /* the log must exist: EV_UNREACHABLE if it does not */
	EV_STORE_FOLLOW, /* it may come into being while we wait for it */
	EV_STORE_APPEND  /* created by the first append */
};

/* What a stream must look like for an event to be appended to it. */
enum ev_expect {
	EV_EXPECT_ANY,
	EV_EXPECT_NONE,   /* it does not exist */
	EV_EXPECT_EXISTS, /* it does */
	EV_EXPECT_VERSION /* its last event has this version */
};

enum ev_outcome {
	EV_APPENDED,
	EV_DUPLICATE, /* its id is there with the same content: not stored */
	EV_DIFFERENT, /* its id is there with other content: refused */
	EV_STALE      /* the expected version does not hold: refused */
};

struct ev_append {
	const struct ev_event *event; /* borrowed; line.id must be there */
	bool fresh_id; /* the id was made just now: not looked up */
	enum ev_expect expect;
	int64_t expect_version;

	/* answers */
	enum ev_outcome outcome;
	int64_t position; /* of the stored event, also for DUPLICATE; for
	                     DIFFERENT of the one that has the id */
	int64_t version;  /* of the stored event; for STALE the stream's last,
	                     -1 for a stream that does not exist */
	char timestamp[EV_TIME_TEXT];
	char recorded_at[EV_TIME_TEXT];
};

enum ev_append_flags {
	EV_APPEND_EACH = 0, /* refused events do not stop the others */
	EV_APPEND_ALL = 1,  /* one refused event: nothing is stored */
	EV_APPEND_APART = 2 /* nor do they say anything about the others: they
	                       come from callers who do not know each other */
};

struct ev_head {
	int64_t position; /* of the last event, 0: the log is empty */
	unsigned char hash[32];
};

/*
 * What may be narrowed by an index. A cursor returns every event that fits; it
 * keeps to positions and times exactly, to the rest as far as that saves
 * reading: the caller's filter decides. Texts are slices as in
 * struct ev_line; lists are alternatives; an empty list is no condition.
 */
struct ev_query {
	int64_t from; /* positions, inclusive */
	int64_t to;
	int64_t from_time; /* recordedAt, inclusive; EV_TIME_NONE: no limit */
	int64_t to_time;
	bool reverse;
	struct ev_slices {
		const struct ev_str *list;
		size_t count;
	} streams, types /* "rig/CI_FAILED" */, actors, correlations,
		causations;
};

struct ev_cursor;

struct ev_row {
	int64_t position;
	struct ev_str line; /* borrowed until the cursor's next call */
};

/* What the log has an index of. */
enum ev_names {
	EV_NAMES_STREAMS,
	EV_NAMES_TYPES, /* "rig/CI_FAILED" */
	EV_NAMES_ACTORS
};

/* One name, borrowed; false: no more are wanted. */
typedef bool ev_name(void *context, struct ev_str name);

/*
 * A read model: the documents of one projection, and how far they have come.
 * Both change in one transaction. There is one live model of a name, which
 * readers see, and at most one that is being built aside to take its place.
 */
struct ev_model {
	int64_t id;
	bool live;
	enum ev_mode mode;
	int64_t position;  /* checkpoint: folded up to this event */
	int64_t documents; /* without notes */
	int64_t parked;    /* events that could not be folded */
	char updated_at[EV_TIME_TEXT]; /* when the checkpoint last moved */
	unsigned char hash[32]; /* SHA-256 of the definition */
	struct ev_str name;
	struct ev_str definition; /* as ev_projection_json gives it */
	struct ev_str error; /* why it was last not brought up to date, or {0} */
};

/* Texts of the model are borrowed until it returns. false: no more. */
typedef bool ev_model_take(void *context, const struct ev_model *model);

/* A document as it is stored; key as in domain/fold.h. All borrowed. */
struct ev_model_document {
	struct ev_str key;
	struct ev_str json;
	int64_t position;
};
typedef bool ev_document_take(void *context,
                              const struct ev_model_document *document);

struct ev_parked {
	int64_t position;
	struct ev_str reason;
};
typedef bool ev_parked_take(void *context, const struct ev_parked *parked);

/* A step of a model, saved as a whole or not at all. */
struct ev_model_step {
	int64_t model;
	int64_t from; /* the checkpoint that the model must have */
	int64_t to;   /* that it gets */
	const struct ev_model_document *documents; /* new or changed */
	size_t document_count;
	const struct ev_parked *parked;
	size_t parked_count;
	/* it takes the place of the live one of its name (if there is one), if
	   `to` is not behind that one, and, in mode inline, is the log's end;
	   if not, EV_NO, and the step is saved */
	bool promote;
};

/*
 * A consumer: somebody who does something for each event, once each, and has a
 * checkpoint in the log. Who holds its lease works for it. The fence is a
 * number that grows with every holder: what comes with an older one is refused.
 */
struct ev_consumer {
	struct ev_str name;
	int64_t position; /* checkpoint: up to here every event is done with */
	int64_t fence;    /* of its last holder */
	int64_t failed, parked, replays; /* deliveries in these states */
	struct ev_str owner; /* who holds the lease, in words, or {0} */
	char lease_until[EV_TIME_TEXT]; /* if there is an owner */
	char updated_at[EV_TIME_TEXT];
};
typedef bool ev_consumer_take(void *context,
                              const struct ev_consumer *consumer);

enum ev_delivery_state {
	EV_DELIVERY_DONE,   /* kept only above the checkpoint */
	EV_DELIVERY_FAILED, /* and will be tried again */
	EV_DELIVERY_PARKED, /* given up, until somebody decides */
	EV_DELIVERY_REPLAY  /* was parked, and somebody has decided */
};

/* How far one event has come, where that is more than the checkpoint tells. */
struct ev_delivery {
	int64_t position;
	enum ev_delivery_state state;
	/* of a change: the event was being replayed. Should somebody have
	   dropped it meanwhile, that stays so. */
	bool replayed;
	int64_t attempts; /* that failed */
	struct ev_str reason; /* of the last failure, or {0} */
	char at[EV_TIME_TEXT]; /* when this was stored; set by the adapter */
};
typedef bool ev_delivery_take(void *context,
                              const struct ev_delivery *delivery);

struct ev_lease {
	struct ev_str name;
	int length_ms;
	long process; /* on this host: once it has ended, the lease is free */
};

/* What a holder has come to, saved as a whole or not at all. */
struct ev_consumer_step {
	struct ev_lease lease;
	int64_t fence;
	int64_t position; /* the checkpoint from now on */
	const struct ev_delivery *deliveries;
	size_t delivery_count;
	bool release; /* the lease ends with it, else it begins anew */
};

/* One thing that is wrong with a log, as one line of text. */
typedef void ev_damage(void *context, const char *text);

struct ev_store_ops {
	/*
	 * Appends n events in their order, in one durable commit. Once an event
	 * is STALE, later ones of its stream in the list that expect something
	 * are too, but not with EV_APPEND_APART. Returns
	 * EV_OK when every event got an outcome and those that are APPENDED are
	 * durable; with EV_APPEND_ALL, EV_CONFLICT or EV_BAD_INPUT when one was
	 * refused and nothing is stored. Otherwise nothing is acknowledged:
	 * EV_BUSY (nothing stored, who holds the log is named), EV_IO,
	 * EV_UNREACHABLE.
	 */
	enum ev_status (*append)(struct ev_store *store, struct ev_append *list,
	                         size_t n, enum ev_append_flags flags,
	                         struct ev_err *err);

	enum ev_status (*head)(struct ev_store *store, struct ev_head *head,
	                       struct ev_err *err);

	/*
	 * Catalogs as the log knows them. recall adds those that were
	 * remembered under `identity` (a text that names the files they came
	 * from and their state): EV_NO when there are none. With a {0} identity
	 * it adds the newest of every name that the log has ever used. remember
	 * notes them for the next append's commit. Both kinds must live as long
	 * as the store is used.
	 */
	enum ev_status (*recall)(struct ev_store *store, struct ev_str identity,
	                         struct ev_catalogs *catalogs,
	                         struct ev_err *err);
	void (*remember)(struct ev_store *store, struct ev_str identity,
	                 const struct ev_catalogs *catalogs);

	/*
	 * A cursor reads in short transactions, so that a slow reader holds
	 * nobody up, in constant memory. next: EV_NO at the end.
	 */
	enum ev_status (*query)(struct ev_store *store,
	                        const struct ev_query *query,
	                        struct ev_cursor **cursor, struct ev_err *err);
	enum ev_status (*next)(struct ev_cursor *cursor, struct ev_row *row,
	                       struct ev_err *err);
	void (*query_close)(struct ev_cursor *cursor);

	/*
	 * Every name of a kind that begins with `prefix`, once, in the order
	 * of their bytes. Texts are slices as in struct ev_line. Like a
	 * cursor, it reads in short transactions. It costs as much as there
	 * are such names, however long the log.
	 */
	enum ev_status (*names)(struct ev_store *store, enum ev_names kind,
	                        struct ev_str prefix, ev_name *take,
	                        void *context, struct ev_err *err);

	/* Every model, by name, the live one first. */
	enum ev_status (*models)(struct ev_store *store, ev_model_take *take,
	                         void *context, struct ev_err *err);

	/*
	 * The operations from here to model_drop write: they need a store
	 * opened with EV_STORE_APPEND, and must not be called between
	 * model_begin and model_end or by a function that takes rows. (Where
	 * the file may not be written they give EV_UNREACHABLE.)
	 *
	 * Makes a model that nobody sees yet, with no documents and checkpoint
	 * 0; one of the same name that was being built goes. `hash` and the
	 * position are the adapter's.
	 */
	enum ev_status (*model_new)(struct ev_store *store, struct ev_str name,
	                            enum ev_mode mode,
	                            struct ev_str definition, int64_t *id,
	                            struct ev_err *err);

	/*
	 * Saves a step. EV_CONFLICT: another process has moved the checkpoint,
	 * or the model is gone; nothing is saved, read it again. Otherwise as
	 * append. Who is inline is kept by append from its promotion on, as
	 * long as its checkpoint is the log's end; else it is for the reader or
	 * ev-project to catch up.
	 */
	enum ev_status (*model_save)(struct ev_store *store,
	                             const struct ev_model_step *step,
	                             struct ev_err *err);

	/* Notes why a model could not be brought up to date; {0}: it was. A
	   step that is saved clears it too. */
	enum ev_status (*model_fail)(struct ev_store *store, int64_t model,
	                             struct ev_str why, struct ev_err *err);

	/* Removes the models of a name, live or not. EV_NO: there is none. */
	enum ev_status (*model_drop)(struct ev_store *store, struct ev_str name,
	                             struct ev_err *err);

	/*
	 * Between model_begin and model_end the store shows one state of the
	 * log and its models: every read, cursors too, sees that. Not for wait
	 * and verify, nor for longer than need be: what is written meanwhile
	 * cannot be tidied up.
	 */
	enum ev_status (*model_begin)(struct ev_store *store,
	                              struct ev_err *err);
	void (*model_end)(struct ev_store *store);

	/* One document or note (EV_NO: none), appended to `json`; all
	   documents, without notes, in the order of their keys; and a model's
	   parked events, by position. */
	enum ev_status (*document)(struct ev_store *store, int64_t model,
	                           struct ev_str key, struct ev_buf *json,
	                           int64_t *position, struct ev_err *err);
	enum ev_status (*documents)(struct ev_store *store, int64_t model,
	                            ev_document_take *take, void *context,
	                            struct ev_err *err);
	enum ev_status (*parked)(struct ev_store *store, int64_t model,
	                         ev_parked_take *take, void *context,
	                         struct ev_err *err);

	/*
	 * Every consumer, by name; and the deliveries of one (none if nobody
	 * knows it) behind `after`, by position, of the states whose bits
	 * (1 << state) are set.
	 */
	enum ev_status (*consumers)(struct ev_store *store,
	                            ev_consumer_take *take, void *context,
	                            struct ev_err *err);
	enum ev_status (*deliveries)(struct ev_store *store,
	                             struct ev_str name, int64_t after,
	                             unsigned states, ev_delivery_take *take,
	                             void *context, struct ev_err *err);

	/*
	 * The next four write, as model_new does.
	 *
	 * Takes the lease if nobody has it, if its time is over, or if the
	 * process that it was taken for has ended. A name that nobody knows
	 * becomes a consumer, at the log's end or its start. EV_OK: it is ours,
	 * fence and position are set. EV_BUSY: somebody else's, `err` names
	 * the holder. EV_NO: there is no log yet.
	 */
	enum ev_status (*consumer_lease)(struct ev_store *store,
	                                 const struct ev_lease *lease,
	                                 bool from_end, int64_t *fence,
	                                 int64_t *position,
	                                 struct ev_err *err);

	/*
	 * Saves a step. EV_CONFLICT: the lease has passed to somebody else, or
	 * the consumer is gone; nothing is saved. Otherwise as append.
	 */
	enum ev_status (*consumer_save)(struct ev_store *store,
	                                const struct ev_consumer_step *step,
	                                struct ev_err *err);

	/*
	 * What is parked is to be replayed (EV_DELIVERY_REPLAY, attempts from
	 * 0), or given up for good (EV_DELIVERY_DONE; also what is yet to be
	 * replayed): at `position`, or, if it is 0, everywhere. Whether or not
	 * somebody holds the lease, who is woken. `count` is how many there
	 * were.
	 */
	enum ev_status (*consumer_mark)(struct ev_store *store,
	                                struct ev_str name, int64_t position,
	                                enum ev_delivery_state state,
	                                int64_t *count, struct ev_err *err);

	/* Removes a consumer and its deliveries. EV_NO: there is none; EV_BUSY:
	   somebody holds its lease. */
	enum ev_status (*consumer_drop)(struct ev_store *store,
	                                struct ev_str name,
	                                struct ev_err *err);

	/*
	 * Sleeps until the log is longer than `position`, or somebody rings,
	 * at most `timeout_ms` (-1: for ever), or until one of `others` is
	 * ready, as poll(2) would say. EV_OK: look again; EV_NO: the time is
	 * over or one of the others is ready. May return early.
	 */
	enum ev_status (*wait)(struct ev_store *store, int64_t position,
	                       int timeout_ms, struct pollfd *others,
	                       size_t count, struct ev_err *err);

	/*
	 * Reads the whole log and reports everything that is not as it was
	 * appended. `since` (or NULL) is a head noted elsewhere: its event must
	 * be there, and only what follows it is read. EV_NO with damage.
	 */
	enum ev_status (*verify)(struct ev_store *store,
	                         const struct ev_head *since,
	                         ev_damage *report, void *context,
	                         struct ev_head *head, struct ev_err *err);

	void (*close)(struct ev_store *store);
};

struct ev_store {
	const struct ev_store_ops *ops;
};

struct ev_cursor {
	const struct ev_store_ops *ops;
};

#endif
