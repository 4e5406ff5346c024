#ifndef EV_CMD_SERVE_MODELS_H
#define EV_CMD_SERVE_MODELS_H

#include "cmd/serve.h"

/* The handlers that show read models, for the table of routes. All but the
   last three take the parameter `at`. */

/* serve_issues.c */
void serve_issues(struct serve_request *request);
void serve_issue(struct serve_request *request);

/* serve_agents.c */
void serve_agents(struct serve_request *request);
void serve_agent(struct serve_request *request);
void serve_streams_status(struct serve_request *request);
void serve_stream_queue(struct serve_request *request);

/* serve_costs.c */
void serve_usage(struct serve_request *request);
void serve_costs_daily(struct serve_request *request);
void serve_costs_summary(struct serve_request *request);
void serve_costs_issue(struct serve_request *request);

/* serve_status.c */
void serve_queue(struct serve_request *request);
void serve_status(struct serve_request *request);

/* serve_flow.c */
void serve_flow(struct serve_request *request);

/* serve_models.c */
void serve_sessions(struct serve_request *request);
void serve_ennio_session(struct serve_request *request);
void serve_model(struct serve_request *request);
void serve_model_document(struct serve_request *request);
void serve_why(struct serve_request *request);
void serve_models(struct serve_request *request);
void serve_health(struct serve_request *request);
void serve_ennio_health(struct serve_request *request);

#endif
