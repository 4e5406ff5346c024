#ifndef EV_CMD_SERVE_RIGS_H
#define EV_CMD_SERVE_RIGS_H

#include "cmd/serve.h"

/* The handlers of routes for which the rig's scripts decide, for the table of
   routes. */
void serve_assignments_next(struct serve_request *request);
void serve_reviews_next(struct serve_request *request);
void serve_merge(struct serve_request *request);
void serve_issue_timeline(struct serve_request *request);
void serve_issue_gate(struct serve_request *request);

/* ---- what they share */

/* Who asks, by the parameter agentId. False: it has its answer. */
bool serve_take_agent(struct serve_request *request, const char **agent);

/* "dev-e" of "dev-e/x7k2p" */
struct ev_str serve_without_pod(struct ev_str agent);

/* 503: others were faster each time. */
void serve_finish_outrun(struct serve_request *request);

/* Makes the problem that a command's end means, if it is no answer. */
void serve_ran_badly(struct serve_request *request);

#endif
