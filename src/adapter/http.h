#ifndef EV_ADAPTER_HTTP_H
#define EV_ADAPTER_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * An HTTP/1.1 server (RFC 9112) in the thread that runs it: everything here is
 * called by that thread, and calls back only from within ev_http_run. What
 * takes time is done elsewhere while the request waits: between its handler's
 * return and ev_http_answer its connection costs nothing but memory.
 *
 * What no honest client sends is refused before anybody sees it: no Host or
 * two, Transfer-Encoding together with Content-Length, two lengths, a NUL or a
 * bad escape in the path, a target that does not begin with '/' (400); headers
 * that are too long (431), methods and codings that nobody has (501). After such
 * a refusal the connection is closed; after a chunked body, too. What the parser
 * below cannot read at all it refuses itself, in its own words.
 */
struct ev_http;
struct ev_http_request;

enum ev_http_peer {
	EV_HTTP_SOCKET,   /* by the unix socket: who may open its file */
	EV_HTTP_LOOPBACK, /* of this machine */
	EV_HTTP_REMOTE
};

struct ev_http_answer {
	int status; /* 200, … */
	struct ev_str body; /* is copied; for HEAD and with 304 only its length
	                       is told */
	const struct ev_http_header {
		const char *name;
		const char *value; /* must have no CR or LF: asserted; an
		                      empty one is left out */
	} *headers;
	size_t header_count;
	bool close; /* the connection, too */
};

/* A body that has no end yet. */
struct ev_http_source {
	/* Fills up to `max` bytes and returns how many. 0: there is nothing
	   now; it is asked again after ev_http_wake. -1: it is at its end. */
	ptrdiff_t (*read)(void *context, char *bytes, size_t max);
	void *context;
};

struct ev_http_options {
	const char *address; /* numeric: 127.0.0.1, ::1, 0.0.0.0 … */
	uint16_t port;       /* 0: a free one */
	const char *path;    /* not NULL: of a unix socket, instead of these */
	struct ev_str certificate, key; /* PEM; {0}: no TLS */
	unsigned connections; /* at once; more have to wait to be accepted */
	unsigned per_address; /* of one remote address or, of IPv6, network
	                         of 64 bits; 0: no limit */
	size_t header_max;    /* bytes of request line and headers */
	int header_ms; /* from the connection, or the end of the last request,
	                  to the end of the headers, however they drip */
	int body_ms;   /* from there to the end of the body */
	int idle_ms;   /* in which a peer must take the next piece, 16 KiB at
	                  most, of an answer or of what a stream has to say */

	void *context;
	/*
	 * The headers are there. To refuse the body, or because there is no
	 * need to wait for it, answer here; else return the bytes that the body
	 * may have: a longer one gets `handle` never and `too_long` instead (at
	 * once if it says how long it is; a chunked one is read to its end).
	 */
	size_t (*begin)(void *context, struct ev_http_request *request);
	/* The body is there. Answer now or later, exactly once. */
	void (*handle)(void *context, struct ev_http_request *request);
	/* To be answered with 413. */
	void (*too_long)(void *context, struct ev_http_request *request);
	/* Refused here: answer with this status and these words. */
	void (*refuse)(void *context, struct ev_http_request *request,
	               int status, const char *why);
	/* It is over, answered or not; the request is gone after it. It comes
	   for every request that begin or refuse was called for, once, and not
	   before the answer that somebody still owes. */
	void (*end)(void *context, struct ev_http_request *request);
};

/* EV_UNREACHABLE: cannot listen there; EV_BAD_INPUT: the certificate or key is
   none. The options' texts are copied, a stale unix socket is replaced. */
enum ev_status ev_http_open(struct ev_http **out,
                            const struct ev_http_options *options,
                            struct ev_err *err);

/* The port that it listens on; 0: a unix socket. */
uint16_t ev_http_port(const struct ev_http *http);

/* To be run when this descriptor can be read, or so many milliseconds later
   (-1: whenever). */
int ev_http_descriptor(const struct ev_http *http);
int ev_http_timeout(struct ev_http *http);
void ev_http_run(struct ev_http *http);

/* No more connections, and those that are idle are closed; requests that have
   begun go on. How many connections there are (waiting streams, too). */
void ev_http_quiesce(struct ev_http *http);
unsigned ev_http_connections(const struct ev_http *http);

/* Ends everything. No answer may be owed any more; streams are cut. NULL is
   fine. */
void ev_http_close(struct ev_http *http);

/* Of a request, borrowed until its end. */
struct ev_str ev_http_method(const struct ev_http_request *request);
/* Unescaped, without the query, beginning with '/'. */
struct ev_str ev_http_path(const struct ev_http_request *request);
/* The same as it came: a '/' that is part of a name is still %2F there. */
struct ev_str ev_http_raw_path(const struct ev_http_request *request);
/* Whatever the case of its letters; {0}: there is none; the first of several. */
struct ev_str ev_http_header(const struct ev_http_request *request,
                             const char *name);
size_t ev_http_header_count(const struct ev_http_request *request,
                            const char *name);
/* Every parameter of the query, in order, unescaped; may hold NULs. */
void ev_http_each_query(const struct ev_http_request *request,
                        void (*take)(void *context, struct ev_str name,
                                     struct ev_str value),
                        void *context);
struct ev_str ev_http_body(const struct ev_http_request *request);
enum ev_http_peer ev_http_peer(const struct ev_http_request *request);
/* The peer's numeric address, without its port; "unix" for a socket's. */
const char *ev_http_peer_name(const struct ev_http_request *request);

/* A pointer of the caller's own, NULL at first. */
void ev_http_set_data(struct ev_http_request *request, void *data);
void *ev_http_data(const struct ev_http_request *request);

void ev_http_answer(struct ev_http_request *request,
                    const struct ev_http_answer *answer);

/*
 * Answers with a body that comes bit by bit; `answer.body` is its beginning.
 * Chunked, or until the connection's end for HTTP/1.0. ev_http_wake says that
 * there may be more to read; ev_http_cut ends it at once, as if the peer had
 * left. Both may be called for any stream until its request's end.
 */
void ev_http_stream(struct ev_http_request *request,
                    const struct ev_http_answer *answer,
                    const struct ev_http_source *source);
void ev_http_wake(struct ev_http_request *request);
void ev_http_cut(struct ev_http_request *request);

#endif
