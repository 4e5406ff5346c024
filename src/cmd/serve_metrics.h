#ifndef EV_CMD_SERVE_METRICS_H
#define EV_CMD_SERVE_METRICS_H

#include "cmd/serve.h"

/* GET /metrics, as OpenMetrics 1.0. */
void serve_metrics(struct serve_request *request);

#endif
