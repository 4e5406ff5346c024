#ifndef EV_CMD_SERVE_POST_H
#define EV_CMD_SERVE_POST_H

#include "cmd/serve.h"

/* POST /api/events */
void serve_post_event(struct serve_request *request);

#endif
