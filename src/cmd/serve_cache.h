#ifndef EV_CMD_SERVE_CACHE_H
#define EV_CMD_SERVE_CACHE_H

#include "base/buf.h"

/*
 * Answers, by what was asked and the state of the log that they were made of,
 * so that they are never stale. Any thread may use it. What was not used for
 * the longest time goes first.
 */
struct serve_cache;

struct serve_cache *serve_cache_new(size_t bytes);
void serve_cache_free(struct serve_cache *cache);

/*
 * True: the answer has been appended. False: it is the caller who makes it, and
 * then calls serve_cache_put, or serve_cache_leave if that failed; who asks for
 * the same meanwhile waits.
 */
bool serve_cache_get(struct serve_cache *cache, struct ev_str key,
                     struct ev_buf *out);
void serve_cache_put(struct serve_cache *cache, struct ev_str key,
                     struct ev_str body);
void serve_cache_leave(struct serve_cache *cache, struct ev_str key);

#endif
