#ifndef EV_CMD_SERVE_ACCESS_H
#define EV_CMD_SERVE_ACCESS_H

#include "cmd/serve.h"

/*
 * Who may do what. Tokens say so, if the server has any; without them whoever
 * is on this machine may read and append. Whatever they may do, a browser is
 * not to do it for a page of somebody else: the name that it reached us by has
 * to be ours, and what changes something has to come from a page of ours.
 */

/* Reads the tokens and what the sandbox keeps from being read later. */
enum ev_status serve_access_open(struct serve *serve, struct ev_err *err);
void serve_access_close(struct serve *serve);

/* Reads the tokens again; if they are wrong, says so and keeps the old ones. */
void serve_access_reload(struct serve *serve);

/*
 * In this order, for each request; only `allow` needs its route. False: the
 * request has its answer, which is still to be sent.
 *
 *	rate   429: this address asks too often
 *	host   421: the name is not ours
 *	allow  401, 403: not without a token, not with this one, not from
 *	       this page; else it fills request->caller
 */
bool serve_access_rate(struct serve_access *access,
                       struct serve_request *request);
bool serve_access_host(struct serve_access *access,
                       struct serve_request *request);
bool serve_access_allow(struct serve_access *access,
                        struct serve_request *request);

/* /api/session: {"token":…} becomes a cookie that scripts cannot read. */
void serve_session_get(struct serve_request *request);
void serve_session_post(struct serve_request *request);
void serve_session_delete(struct serve_request *request);

/*
 * How often somebody may ask: `rate` times a second, and so often at once after
 * a second of silence. The table has a limit: in a place where too many meet,
 * who has asked least is forgotten.
 */
enum { SERVE_RATE_SETS = 1024, SERVE_RATE_WAYS = 4 };
struct serve_rate {
	struct serve_rate_entry {
		unsigned char address[16];
		int64_t paid; /* µs: until then what was asked is paid for */
	} entries[SERVE_RATE_SETS][SERVE_RATE_WAYS];
	unsigned char seed[16]; /* nobody is to choose whom to meet */
};

/* 0: fine; else the seconds to wait. `peer` is numeric or any word; of IPv6 the
   first half counts, which is what one customer gets. */
int serve_rate_take(struct serve_rate *table, const char *peer, unsigned rate,
                    int64_t now);

#endif
