#ifndef EV_CMD_SERVE_FLOW_H
#define EV_CMD_SERVE_FLOW_H

/*
 * How long issues were in each state: issue-status is folded step by step, in
 * memory, and goes on from where the last request left it. One for all threads.
 *
 * Every visit of a state is kept exactly, with its end and its length, so that
 * medians are those of any stretch of days: 24 bytes each, about 8 MB for a log
 * of a million events, besides the documents.
 */
struct serve_flow;

struct serve_flow *serve_flow_new(void);
void serve_flow_free(struct serve_flow *flow);

/* The log was opened again, and may be another one. */
void serve_flow_forget(struct serve_flow *flow);

#endif
