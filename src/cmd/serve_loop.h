#ifndef EV_CMD_SERVE_LOOP_H
#define EV_CMD_SERVE_LOOP_H

#include "cmd/serve.h"

/* What the loop of ev-serve.c and serve.c share. The first five are what the
   HTTP server calls, as adapter/http.h says. */
size_t serve_begin(void *context, struct ev_http_request *http);
void serve_handle(void *context, struct ev_http_request *http);
void serve_too_long(void *context, struct ev_http_request *http);
void serve_refuse(void *context, struct ev_http_request *http, int status,
                  const char *why);
void serve_end(void *context, struct ev_http_request *http);

/* Sends the answers of requests that are done, in the order in which they
   were. */
void serve_take_done(struct serve *serve);

#endif
