#ifndef EV_CMD_SERVE_LOOK_H
#define EV_CMD_SERVE_LOOK_H

#include "cmd/serve.h"
#include "cmd/where.h"

/*
 * A look at the log's models by a reading thread: everything that a request
 * sees is of one state of the log, the newest or an earlier one (`at`).
 */
struct serve_look {
	struct serve_reader *reader;
	struct serve_request *request;
	struct ev_store *store;
	int64_t head;     /* the log's last position */
	bool past;        /* `at` was given: */
	int64_t position; /* as of which we look, else the head */
	int64_t now;      /* µs, of whole seconds: the clock; or, as of a
	                     position, when its event was recorded */
	struct ev_arena *arena; /* the request's */
	struct ev_err err;
};

/* What an answer depends on besides the log. */
enum serve_clock { SERVE_TIMELESS, SERVE_BY_SECOND, SERVE_UNCACHED };

/*
 * Appends the answer. What it returns becomes a problem, as in serve_fail but
 * that EV_BAD_INPUT is the server's fault (a definition that is wrong); unless
 * the request has its answer already.
 */
typedef enum ev_status serve_look_work(struct serve_look *look,
                                       struct ev_buf *out);

/*
 * By handlers: refuses parameters that are not among `names` and "at", and a
 * wrong `at`, then has a thread look, between
 * model_begin and model_end; or finds the answer that somebody got for the
 * same.
 */
struct serve_looking {
	const char *const *names;
	enum serve_clock clock;
	bool machinery; /* it shows how far consumers and models are */
	bool present;   /* of now only: takes no `at` */
	serve_look_work *key; /* adds what else it depends on, or NULL */
	serve_look_work *work;
};
void serve_look(struct serve_request *request,
                const struct serve_looking *looking);

/* For who looks at the newest state only, and begins and ends it, as in
   model_begin. Fills the look. */
enum ev_status serve_look_now(struct serve_look *look,
                              struct serve_reader *reader,
                              struct serve_request *request);

/* Calls `take` for each issue that needs a person, as /api/status lists them,
   with when that began (serve_status.c). EV_USAGE: there is no rig. */
enum ev_status serve_needs(struct serve_look *look,
                           void (*take)(void *context, int64_t since),
                           void *context);

/* ---- documents */

struct serve_document {
	struct ev_str key;  /* a slice */
	struct ev_str json; /* as ev-get prints it */
	yyjson_val *root;
};

/* All borrowed; false: no more are wanted. */
typedef bool serve_take(void *context, const struct serve_document *document);

/*
 * Every document of a model, in the order of their keys: what is stored, and
 * over it what had to be folded. EV_USAGE: there is no such model.
 */
enum ev_status serve_documents(struct serve_look *look, const char *model,
                               serve_take *take, void *context);

/* The one of a key, which is plain text. EV_NO: there is none. */
enum ev_status serve_document(struct serve_look *look, const char *model,
                              struct ev_str key, serve_take *take,
                              void *context);

/* Those that are chosen, by conditions, sorted, and not too many. */
struct serve_choice {
	struct where where;
	struct ev_str sort; /* a member, {0}: by key */
	bool reverse;
	int64_t limit; /* -1: none */
	/* besides, may be NULL */
	bool (*fits)(void *context, yyjson_val *document);
	void *context;
};

/*
 * Appends a JSON array of them; their member "key" becomes `name`. EV_USAGE: a
 * member is none that they could have.
 */
enum ev_status serve_chosen(struct serve_look *look, const char *model,
                            const struct serve_choice *choice,
                            const char *name, struct ev_buf *out);

/* Takes limit, sort and reverse from the query. False: it has answered. */
bool serve_choice_take(struct serve_request *request,
                       struct serve_choice *choice);
void serve_choice_release(struct serve_choice *choice);

/* Appends a document whose member "key" is `name`. */
void serve_renamed(struct ev_buf *out, struct ev_str json, const char *name);

/* ---- parts of answers */

/* ,"name":value; of a member that is not there, null. The comma only if
   something precedes. */
void serve_member(struct ev_buf *out, const char *name, yyjson_val *value);
void serve_member_text(struct ev_buf *out, const char *name, struct ev_str text);
/* Its name only. */
void serve_member_name(struct ev_buf *out, const char *name);
/* ,"name":12.345, the seconds of so many microseconds */
void serve_member_seconds(struct ev_buf *out, const char *name,
                          int64_t micros);
/* The same from a time until now, null if it is none; never below 0. */
void serve_member_age(struct ev_buf *out, const char *name, yyjson_val *time,
                      int64_t now);

/* Is it among the values that the query gives this parameter, or are there
   none? */
bool serve_param_fits(const struct serve_request *request, const char *name,
                      struct ev_str value);

/* Parameters are texts that others made: one with a NUL is refused. */
bool serve_param_is_plain(struct serve_request *request, const char *name);

/* The text of a member, {0} if it is none. */
struct ev_str serve_text(yyjson_val *document, const char *name);

/* 404 with these words. */
enum ev_status serve_nothing(struct serve_look *look, const char *what,
                             struct ev_str which);

#endif
