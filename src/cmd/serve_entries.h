#ifndef EV_CMD_SERVE_ENTRIES_H
#define EV_CMD_SERVE_ENTRIES_H

#include "cmd/serve.h"
#include "domain/json.h"
#include "port/agent_logs.h"

/* What agents say at work, as JSON: as they send it, and as it is given out. */

/* The entries of one request, whose texts `doc` lends; both are the sender's to
   release, doc with yyjson_doc_free. */
struct serve_entries {
	struct serve_request *request;
	yyjson_doc *doc;
	struct ev_str agent;
	struct ev_agent_entry *entries; /* of the request's arena */
	size_t count;
};

/* Reads the request's body; `scratch` is memory to work in. False: the request
   has its answer, which says what is wrong and where. */
bool serve_entries_read(struct serve_entries *sent, struct ev_buf *scratch);

/* "info" */
bool serve_entries_level(struct ev_str name, enum ev_agent_level *level);

/* {"id":…,"agentId":…,"timestamp":…,"level":…,"message":…[,"data":…]} */
void serve_entries_write(struct ev_buf *out,
                         const struct ev_agent_entry *entry);

/* The same as a server-sent event. */
void serve_entries_write_event(struct ev_buf *out,
                               const struct ev_agent_entry *entry);

#endif
