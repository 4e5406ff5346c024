#ifndef EV_CMD_SERVE_READERS_H
#define EV_CMD_SERVE_READERS_H

#include "cmd/serve.h"
#include "cmd/serve_cache.h"

/*
 * The pool of threads that read, of serve_read. Whoever finds more than
 * SERVE_READS_MAX requests waiting is told that the server is busy. A thread
 * whose log failed (an answer of 500 or 503 tells) opens it again before its
 * next request.
 */
enum { SERVE_READS_MAX = 1024 };

/*
 * Starts them; EV_OK when every one has its log, its catalogs and jq. To be
 * called after the signals are blocked that they are not to get. Stopping waits
 * for what they are at; requests that still wait are answered with 503.
 */
enum ev_status serve_readers_start(struct serve *serve, struct ev_err *err);
void serve_readers_stop(struct serve *serve);

/* By the loop: each reads the catalogs again before its next request. */
void serve_readers_reload(struct serve *serve);

/* What they share. */
struct serve_cache *serve_readers_cache(const struct serve_reader *reader);
struct serve_flow *serve_readers_flow(const struct serve_reader *reader);

/*
 * A model, by its name or a file, as readmodel_open finds it; it is the
 * reader's, and stays until it is asked for again. EV_USAGE: there is none of
 * this name.
 */
enum ev_status serve_reader_model(struct serve_reader *reader,
                                  const char *name, struct readmodel **model,
                                  struct ev_err *err);

#endif
