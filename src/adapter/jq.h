#ifndef EV_ADAPTER_JQ_H
#define EV_ADAPTER_JQ_H

#include "base/buf.h"
#include "base/err.h"

/*
 * A jq program, compiled once and run as often as need be, by one thread.
 * Numbers become doubles on their way through it.
 */
struct ev_jq;

/*
 * What a run may be given. A program that takes time in proportion to its input
 * ends within seconds then; jq itself has no limits of time or memory.
 */
enum { EV_JQ_INPUT_MAX = 8 << 20 };

/*
 * Modules that it includes are looked for in `folder`, an absolute path.
 * EV_BAD_INPUT: it does not compile, `err` says why. Must not run in two
 * threads at once.
 */
enum ev_status ev_jq_open(struct ev_jq **out, const char *folder,
                          const char *program, struct ev_err *err);
void ev_jq_close(struct ev_jq *jq);

/*
 * Appends the first result of an input, both JSON texts, without whitespace.
 * EV_NO: it has none. EV_BAD_INPUT: it ended in an error, which `err` has, or
 * the input is no JSON or too long.
 */
enum ev_status ev_jq_run(struct ev_jq *jq, struct ev_str input,
                         struct ev_buf *out, struct ev_err *err);

/* The folder of the rig's own modules: share/rig beside the bin/ that this
   program runs from, else share/ev/rig beside it. To be freed. */
char *ev_jq_folder(void);

#endif
