#ifndef EV_CMD_SERVE_H
#define EV_CMD_SERVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "adapter/http.h"
#include "cmd/cli.h"
#include "cmd/projector.h"
#include "domain/filter.h"

/*
 * The parts of ev-serve. One thread, the loop, talks HTTP; it never waits for
 * anything. Everything else has a thread of its own, and a request is handed to
 * it and comes back:
 *
 *	serve_writer   appends; all that wait share one commit
 *	serve_readers  a few threads that read the log and its models
 *	serve_tail     hands new events to the loop, for streams
 *	serve_runner   a process outside the sandbox that runs the few other
 *	               commands of this toolkit that a request may need
 *
 * A request belongs to one of them at a time. Handlers are called by the loop,
 * and end with serve_finish, or hand the request on.
 */
struct serve;
struct serve_request;

/* ---- what somebody may do */

enum serve_scope {
	SERVE_PUBLIC = 0,
	SERVE_READ = 1,
	SERVE_APPEND = 2,
	SERVE_ADMIN = 4
};

struct serve_caller {
	unsigned scopes;   /* SERVE_READ | … */
	struct ev_str name; /* of the token; {0}: none was needed */
	struct ev_str hash; /* the token's, or {0} */
};

/* ---- settings: flags, and the file that --config names */

struct serve_settings {
	const char *log;
	const char *address; /* as in ev_http_options */
	uint16_t port;
	const char *socket;
	const char *certificate, *key; /* files */
	struct ev_list hosts;   /* besides this machine's own names */
	struct ev_list origins; /* of other sites that may call */
	const char *tokens;        /* a file, or NULL */
	const char *github_secret; /* a file, or NULL */
	const char *rig;           /* rig.yaml, or NULL */
	const char *dashboard; /* the folder of its files */
	size_t body_max;
	unsigned connections, per_address, streams;
	unsigned rate; /* requests a second of one remote address; 0: any */
	bool rate_local; /* of this machine's own callers, too */
	int readers;   /* threads */
	int heartbeat_ms, idle_ms, header_ms, body_ms, stop_ms;
	int64_t logs_age_s, logs_bytes; /* of agents' logs, how much is kept */
	bool sandbox;
	bool quiet; /* say only what is wrong */
	struct ev_arena arena; /* of texts from the file */
};

/* ---- requests */

/* One parameter of the query. */
struct serve_parameter {
	struct ev_str name, value; /* plain text */
};

enum {
	SERVE_HEADERS = 8,            /* of a handler's own, in an answer */
	SERVE_HEADER_MAX = 16 * 1024  /* bytes of a request's headers */
};

struct serve_answer {
	int status;       /* 0: none yet */
	const char *type; /* Content-Type */
	struct ev_buf body;
	struct ev_http_header headers[SERVE_HEADERS]; /* texts of the arena */
	size_t header_count;
};

struct serve_request {
	struct serve *serve;
	struct ev_http_request *http; /* the loop's alone */
	const struct serve_route *route;
	struct serve_caller caller;
	struct ev_arena arena; /* what lives as long as the request */
	struct ev_str params[2]; /* what stands for {} in the route's path */
	const struct serve_parameter *query;
	size_t query_count;
	struct ev_str body;
	struct ev_str if_none_match; /* or {0} */
	int64_t begun; /* µs, monotonic */
	struct serve_answer answer;
	void *data; /* of the handler, in the arena */
	/* of who has it at the moment */
	struct serve_request *next;
	void (*then)(struct serve_request *request);
	const struct serve_run *ran; /* see serve_ran */
	/* or NULL: of a stream, called by the loop when it is over */
	void (*ended)(struct serve_request *request);
	size_t held; /* of its answer, bytes that are on their way */
	/* in the list of all streams */
	struct serve_request *after, **link; /* link: NULL if it is none */
};

struct serve_route {
	const char *method; /* GET is HEAD, too */
	const char *path;   /* "/api/issues/{}": a segment, unescaped; a '/' in
	                       it comes escaped */
	enum serve_scope scope;
	unsigned flags;
	void (*handle)(struct serve_request *request);
};
enum {
	SERVE_CHANGES = 1, /* refused to pages of other sites */
	SERVE_JSON = 2,    /* the body is application/json */
	SERVE_STREAM = 4   /* may become a stream: no ETag, not timed */
};
extern const struct serve_route serve_routes[];
extern const size_t serve_route_count;

/* The parameter, {0} if there is none (an empty one has a ptr). */
struct ev_str serve_param(const struct serve_request *request,
                          const char *name);

/*
 * Parameters that are not among `names` (NULL-terminated) are misspelt, and a
 * number is one: false, and the request has its answer (400).
 */
bool serve_params_known(struct serve_request *request,
                        const char *const *names);
bool serve_param_int(struct serve_request *request, const char *name,
                     int64_t min, int64_t max, int64_t *number);

/* By the loop: does Accept ask for server-sent events? */
bool serve_wants_stream(const struct serve_request *request);

/* ---- answers; each may be written by whoever has the request */

/* `value` is copied, controls in it become spaces. */
void serve_header(struct serve_request *request, const char *name,
                  struct ev_str value);

/* 200 and JSON: append to what is returned. */
struct ev_buf *serve_json(struct serve_request *request);

/*
 * A problem (RFC 9457): `code` is a word for programs and ends up in `type`
 * ("urn:ev:problem:unknown-type") and `code`; `detail` is one line for people,
 * and `error` the same. `members`, or {0}, are more members, ",\"path\":…".
 */
void serve_problem(struct serve_request *request, int status, const char *code,
                   struct ev_str members, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* What a status of the store means to a client: EV_NO 404, EV_USAGE and
   EV_BAD_INPUT 400, EV_CONFLICT 409, EV_BUSY 503 with Retry-After, EV_IO 503
   if the disk is full, else 500, EV_UNREACHABLE 503. */
void serve_fail(struct serve_request *request, enum ev_status status,
                const struct ev_err *err);

/* Which of the counts' buckets a duration belongs to. */
size_t serve_bucket(int64_t micros);

/* By the loop: sends it, with an ETag if it is a GET's 200. By any other
   thread: serve_done, and the loop does so, or calls `then` if it is set
   (which is reset before). */
void serve_finish(struct serve_request *request);
void serve_done(struct serve_request *request);

/* By the loop: answers with server-sent events that come from `source`. */
void serve_stream(struct serve_request *request, struct ev_str beginning,
                  const struct ev_http_source *source);

/* ---- the writer */

struct serve_append {
	/* one event, as JSON in any input form; borrowed till the end */
	struct ev_str text;
	struct ev_str default_id; /* if the event has none, or {0} */
	enum ev_expect expect;
	int64_t expect_version;
	/* what became of it */
	enum ev_status status; /* EV_OK: it is in the log, durable */
	bool duplicate;
	enum serve_refusal {
		SERVE_APPENDED,
		SERVE_NOT_JSON,      /* 400, as is */
		SERVE_NOT_AN_EVENT,  /* 422 */
		SERVE_UNKNOWN_TYPE,  /* 400 */
		SERVE_INVALID,       /* 422: `path` is a JSON pointer, or {0} */
		SERVE_STALE,         /* 409 */
		SERVE_TAKEN,         /* 409: the id, by another event */
		SERVE_STORE          /* as `status` says: busy, disk, … */
	} refusal;
	struct ev_str path;
	struct ev_str stream; /* the event's, if it is one: as in a line */
	int64_t version, position; /* for STALE the stream's last version, -1:
	                              none; for TAKEN whose position it is */
	struct ev_str receipt;     /* JSON, if it is in the log */
	struct ev_err err;
};

/*
 * Appends all of the list, which is in the request's arena, together with what
 * others append at the time, in one commit; each stands for itself. Then
 * `then` is called by the loop. The queue has a limit: beyond it the request
 * is answered with 503 at once.
 */
void serve_append(struct serve_request *request, struct serve_append *list,
                  size_t count, void (*then)(struct serve_request *request));

/* Makes the answer of one append: its receipt, or its problem. */
void serve_answer_append(struct serve_request *request,
                         const struct serve_append *append);

/* ---- the readers */

struct serve_jq; /* serve_jq.h */

/* What a reading thread has. */
struct serve_reader {
	struct serve *serve;
	struct projector projector; /* .store: opened with EV_STORE_FOLLOW */
	struct ev_catalogs catalogs; /* in force, for filters and topics */
	struct serve_jq *jq;
	pthread_t thread;
};

/* Calls `work` in one of these threads, which has to make the answer; then the
   loop finishes the request (or calls request->then if that is set). */
void serve_read(struct serve_request *request,
                void (*work)(struct serve_reader *reader,
                             struct serve_request *request));

/* ---- the runner */

enum serve_command {
	SERVE_RIG_NEXT,     /* rig-next --json AGENT */
	SERVE_RIG_CLAIM,    /* rig-claim --json --again ISSUE AGENT */
	SERVE_RIG_GATE,     /* rig-gate --json ISSUE [--pr N] */
	SERVE_RIG_MERGE,    /* rig-merge --json ISSUE [--pr N] */
	SERVE_RIG_TIMELINE, /* rig-timeline --json ISSUE */
	SERVE_FROM_GITHUB   /* ev-from-github -q -e EVENT -H 'X-GitHub-Delivery: …' */
};

struct serve_run {
	int status; /* its exit status, 75 if it took too long */
	struct ev_str out; /* what it printed, of the request's arena */
	struct ev_str err; /* the last line of its standard error */
};

/* Runs one; request->data is not touched, the result is `serve_ran(request)`
   when the loop calls `then`. `arguments` are NULL-terminated. */
void serve_run(struct serve_request *request, enum serve_command command,
               const char *const *arguments, struct ev_str input,
               void (*then)(struct serve_request *request));
const struct serve_run *serve_ran(const struct serve_request *request);

/* ---- what the server is */

/* Counted by the loop unless they say otherwise. */
struct serve_counts {
	_Atomic uint64_t appends, duplicates, conflicts, rejects; /* writer */
	_Atomic uint64_t commits;                                 /* writer */
	uint64_t requests[6]; /* by the first digit of their status */
	uint64_t refused;     /* by limits: 413, 429, 431, 503 */
	uint64_t streams_opened, streams_cut; /* cut: too slow */
	unsigned streams_open; /* now, of events and of agents' logs */
	uint64_t stream_events;
	/* seconds: ≤ 1 ms, 2.5, 5, 10, 25, 50, 100, 250, 500, 1 s, 2.5, more */
	uint64_t request_seconds[12];
	uint64_t request_micros;
	_Atomic uint64_t append_seconds[12], append_micros;
};

struct serve {
	struct serve_settings settings;
	struct ev_http *http;
	struct serve_counts counts;
	int64_t started; /* µs since 1970 */
	bool stopping;
	size_t open_requests; /* streams, too */
	size_t held; /* bytes of answers on their way */
	struct serve_request *streams;
	/* each part's own */
	struct serve_access *access;
	struct serve_writer *writer;
	struct serve_readers *readers;
	struct serve_tail *tail;
	struct serve_runner *runner;
	struct serve_github *github;
	struct serve_files *files;
	struct serve_live *live;
	struct serve_logs *logs;
	/* requests that are done, for the loop */
	pthread_mutex_t lock;
	struct serve_request *done;
	int wake_fd; /* eventfd */
};

/* Wakes the loop, from any thread. */
void serve_wake(struct serve *serve);

#endif
