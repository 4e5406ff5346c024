#ifndef EV_ADAPTER_HTTP_SERVER_H
#define EV_ADAPTER_HTTP_SERVER_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "adapter/http.h"

/*
 * server.c    sockets, connections and their deadlines
 * request.c   what a request says, and whether anybody honest would say it
 * exchange.c  from its first byte to the end of its answer
 */

/* Connections in the order in which they are due, since each gets as much time
   as the others here. */
struct queue {
	int ms;
	struct connection *first, *last;
};

struct connection {
	struct ev_http *http;
	int fd;
	enum ev_http_peer peer;
	char name[INET6_ADDRSTRLEN];
	struct address *address; /* its count, or NULL */
	struct ev_http_request *request; /* as soon as its line is there */
	struct queue *queue; /* or NULL: it may wait for ever */
	struct connection *earlier, *later; /* in that queue */
	int64_t due;
	struct connection *before, *after; /* in the list of all */
};

enum { ADDRESS_BUCKETS = 1024, LINGERING = 64 };

/* How many connections somebody has: an IPv4 address, or an IPv6 network of 64
   bits, which is what one host is given. */
struct address {
	struct address *next;
	unsigned char key[16];
	unsigned count;
};

struct ev_http {
	struct ev_http_options options;
	struct MHD_Daemon *daemon;
	int epoll_fd; /* MHD's */
	uint16_t port;
	char *path; /* of a unix socket, or NULL */
	struct stat node; /* that file when we made it */
	bool old_parser;
	bool quiet; /* no more connections */
	bool starting;
	char trouble[256]; /* what MHD said when it could not start */
	struct connection *connections;
	unsigned count;
	struct queue headers, bodies, answers;
	struct queue leaving; /* no more than what MHD has read already */
	struct address *addresses[ADDRESS_BUCKETS];
	struct lingering {
		int fd;
		int64_t due;
	} lingering[LINGERING];
	size_t lingering_count;
};

struct ev_http_request {
	struct connection *connection;
	struct MHD_Connection *mhd; /* NULL: its memory is gone */
	const char *method; /* NULL: only the request line is there */
	char *target; /* as it came */
	size_t target_len;
	struct ev_str raw_path, path, query; /* path: of `unescaped` */
	char *unescaped;
	bool has_body, chunked;
	uint64_t length; /* Content-Length */
	struct ev_buf body;
	size_t body_max;
	bool overflow;  /* the body is too long, and thrown away */
	bool seen;      /* by the callbacks, which get `end` */
	bool handed;    /* nothing more comes before the answer */
	bool close;     /* the connection afterwards */
	bool early;     /* answered before all was read */
	bool suspended;
	bool answered;
	int status;
	struct MHD_Response *response; /* not yet given to MHD */
	bool is_stream, cut, woken;
	struct ev_http_source source;
	struct ev_buf beginning;
	size_t begun; /* bytes of it that were sent */
	void *data;
};

/* Gives the connection that queue's time from now; NULL: any time. */
void http_watch(struct connection *connection, struct queue *queue);

/* Reads what still comes on it, so that the peer can read our answer, too: a
   socket that is closed with bytes unread resets the connection. */
void http_linger(struct ev_http *http, int fd);

/* Fills in the request from what MHD has read. NULL, or why it is refused and
   with which status. */
const char *http_check(struct ev_http_request *request, const char *version,
                       int *status);

/* The callbacks of MHD. */
void *http_on_target(void *context, const char *target,
                     struct MHD_Connection *mhd);
enum MHD_Result http_on_request(void *context, struct MHD_Connection *mhd,
                                const char *url, const char *method,
                                const char *version, const char *bytes,
                                size_t *len, void **slot);
void http_on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                       enum MHD_RequestTerminationCode why);

/* Tells who saw it, and frees it. */
void http_end(struct ev_http_request *request);

/* Lets MHD go on with a request that waits. */
void http_resume(struct ev_http_request *request);

#endif
