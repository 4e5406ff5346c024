#ifndef EV_CMD_SERVE_WRITER_H
#define EV_CMD_SERVE_WRITER_H

#include "cmd/serve.h"

/*
 * The thread that appends: the only one in this process that writes to the log
 * (its lock is one per process). What waits when a commit has ended shares the
 * next one, so that many connections pay for few syncs.
 *
 * A disk that is full is everybody's refusal until it has room again. After an
 * error of the device itself nobody can know what is on it, so nothing is
 * appended any more by this process.
 */

/* Opens the log and the catalogs, and starts the thread, which alone lets in
   SIGALRM: the caller has it blocked, as all other threads have. */
enum ev_status serve_writer_start(struct serve *serve, struct ev_err *err);

/* Reads the catalogs again, before the next append. Those that are wrong are
   named, and the old ones stay. */
void serve_writer_reload(struct serve *serve);

/* Is it of no use any more? Then `err` says why. */
bool serve_writer_failed(struct serve *serve, struct ev_err *err);

/* Ends when all that waits is in the log; the answers are done by then. */
void serve_writer_stop(struct serve *serve);

#endif
