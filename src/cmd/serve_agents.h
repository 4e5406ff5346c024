#ifndef EV_CMD_SERVE_AGENTS_H
#define EV_CMD_SERVE_AGENTS_H

#include "cmd/serve_look.h"

/* The agents as of a look, from agent-status and agent-queue. {0} is none. */
struct serve_crew {
	struct serve_agent {
		struct ev_str name;   /* plain text */
		yyjson_doc *status;   /* its document of agent-status */
		struct ev_str depth;  /* of its queue, a number */
	} *list; /* sorted by name */
	size_t count, room;
	struct ev_arena arena;
	struct ev_err *err;
	enum ev_status result;
};

/* Release it in any case. */
enum ev_status serve_crew_read(struct serve_look *look,
                               struct serve_crew *crew);
void serve_crew_release(struct serve_crew *crew);

/* NULL: nobody of this name. */
const struct serve_agent *serve_crew_find(const struct serve_crew *crew,
                                          struct ev_str name);

/* Appends what report.jq looks at: ,"agents":[…],"queues":[…]. */
void serve_crew_write(const struct serve_crew *crew, struct ev_buf *out);

#endif
