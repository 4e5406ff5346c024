#ifndef EV_CMD_PROJECT_H
#define EV_CMD_PROJECT_H

#include "base/out.h"
#include "cmd/projector.h"

/* What ev-project is asked to do; its larger parts have files of their own. */
enum project_job { UPDATE, FOLLOW, LIST, REBUILD, RETRY, DIFF, DROP };

enum project_form { PROJECT_BY_OUTPUT, PROJECT_NDJSON, PROJECT_TABLE };

struct project_options {
	const char *log;
	enum project_job job;
	enum project_form form;
	bool all;
	char **names; /* NULL-terminated */
};

struct project {
	const struct project_options *options;
	struct projector projector;
	struct ev_out out;
	enum ev_status worst;
};

/* Says what went wrong, and remembers it for the exit status. */
void project_fail(struct project *project, enum ev_status status,
                  const struct ev_err *err);

/* Says that a model has parked events, unless that many were told `before`. */
void project_tell_parked(struct project *project,
                         const struct readmodel *model, int64_t before);

/* Is it of mode demand, so that there is nothing to keep? EV_USAGE says so. */
enum ev_status project_check_mode(const struct readmodel *model,
                                  struct ev_err *err);

/* Prints one JSON text as a line; nothing in it drives a terminal. */
void project_print(struct project *project, struct ev_str json);

/* --follow, until a signal comes. */
enum ev_status project_follow(struct project *project, struct ev_err *err);

/* --list */
enum ev_status project_list(struct project *project, struct ev_err *err);

/* Gives each model of the log as --list -f ndjson prints it. The store must
   stand between model_begin and model_end. */
enum ev_status project_list_json(struct ev_store *store,
                                 void (*take)(void *context,
                                              struct ev_str json),
                                 void *context, struct ev_err *err);

/* --diff: `worst` is EV_NO if there are differences. */
enum ev_status project_diff(struct project *project, struct readmodel *model,
                            struct ev_err *err);

#endif
