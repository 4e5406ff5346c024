#ifndef EV_CMD_SERVE_LOGS_H
#define EV_CMD_SERVE_LOGS_H

#include "cmd/serve.h"

/*
 * What agents say while they work: taken, kept for a while apart from the log
 * of events (port/agent_logs.h), and handed on as it comes. One thread has the
 * file. Where that cannot be opened the rest of the server works, and it is
 * tried again with each request.
 */
enum ev_status serve_logs_open(struct serve *serve, struct ev_err *err);

/* By the loop whenever it wakes: what is new goes to the streams. And after so
   many milliseconds, -1: whenever. */
void serve_logs_run(struct serve *serve);
int serve_logs_timeout(const struct serve *serve);

/* Tells the streams that it is over. */
void serve_logs_stop(struct serve *serve);

/* Ends the thread, once it has done what it was asked for. */
void serve_logs_close(struct serve *serve);

/* POST and GET of /api/agent-logs; SERVE_STREAM. */
void serve_logs_post(struct serve_request *request);
void serve_logs_get(struct serve_request *request);

/* For metrics; by the loop. */
struct serve_logs_counts {
	uint64_t entries; /* that were taken */
	uint64_t expired; /* that went for their age, or to make room */
	int64_t bytes;    /* of the file */
};
struct serve_logs_counts serve_logs_count(const struct serve *serve);

#endif
