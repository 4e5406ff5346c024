#ifndef EV_CMD_SERVE_JQ_H
#define EV_CMD_SERVE_JQ_H

#include "base/buf.h"
#include "base/err.h"

/*
 * What the rig's scripts define in jq (share/rig/rig.jq and report.jq), for
 * those who show the same: the order of the queue, what needs a person, the
 * order of the agents. share/rig/serve.jq says what goes in and comes out.
 *
 * Only what these definitions look at is given to jq, and what comes back names
 * documents, whose members are then copied as they are: numbers would not
 * survive it.
 */
struct serve_jq;
struct serve_jq_settings;

/*
 * rig.yaml(5), or, with NULL, what it would say by default; read once, for all
 * threads. EV_BAD_INPUT: it is wrong; EV_IO: it cannot be read.
 */
enum ev_status serve_jq_settings_open(struct serve_jq_settings **out,
                                      const char *rig, struct ev_err *err);
void serve_jq_settings_free(struct serve_jq_settings *settings);

/* One for each thread; compiled one after the other. Borrows the settings. */
enum ev_status serve_jq_open(struct serve_jq **out,
                             const struct serve_jq_settings *settings,
                             struct ev_err *err);
void serve_jq_close(struct serve_jq *jq);

/*
 * Appends the result of one of the functions: `members` are those of its input
 * besides "do" and "settings", "\"now\":…,\"issues\":…". EV_BUG: jq failed,
 * `err` says how.
 */
enum ev_status serve_jq_run(struct serve_jq *jq, const char *function,
                            struct ev_str members, struct ev_buf *out,
                            struct ev_err *err);

/* Priorities whose events nobody is told of, a JSON array. */
struct ev_str serve_jq_unheard(const struct serve_jq_settings *settings);
const struct serve_jq_settings *serve_jq_settings(const struct serve_jq *jq);

/* The file beside the modules that says since when an issue needs somebody. */
const char *serve_jq_attention(const struct serve_jq *jq);

#endif
