#ifndef EV_CMD_SERVE_HOST_H
#define EV_CMD_SERVE_HOST_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Names of hosts in the one form in which they can be compared: lower case,
 * without the dot that may end them, IPv6 addresses as short as they get and in
 * brackets. Only what a browser may send is one: nobody's password, no spaces.
 */
struct serve_host {
	char name[256];
	int port; /* -1: none was given */
};

/* "Name", "name:8080", "[::1]:8080": what Host may hold. */
bool serve_host_parse(struct serve_host *host, struct ev_str text);

/* The same name, whatever the port? */
bool serve_host_same(const struct serve_host *a, const struct serve_host *b);

/* An address, so that no name server has a say in where it leads. */
bool serve_host_is_address(const struct serve_host *host);

/* An address without brackets, as options and sockets have it. */
bool serve_host_of_address(struct serve_host *host, const char *address);

struct serve_origin {
	bool tls;
	struct serve_host host; /* with its port */
};

/* "https://name[:port]", nothing behind it: what Origin may hold but "null". */
bool serve_origin_parse(struct serve_origin *origin, struct ev_str text);

/* Of the pages that come from this host. */
void serve_origin_of_host(struct serve_origin *origin,
                          const struct serve_host *host, bool tls);

bool serve_origin_same(const struct serve_origin *a,
                       const struct serve_origin *b);

#endif
