#ifndef EV_ADAPTER_AGENT_LOGS_H
#define EV_ADAPTER_AGENT_LOGS_H

#include "port/agent_logs.h"

/*
 * Opens the agents' logs that belong to a log of events: the file LOG-agents
 * beside it, made if it is not there. One process has them at a time.
 * `wait_ms` is how long others are waited for. EV_BUSY: another process has
 * them. EV_UNREACHABLE: the file cannot be opened, or is something else. EV_IO:
 * it is damaged, or cannot be made; nothing but these logs is in it, so it may
 * be removed. Close it with logs->ops->close.
 */
enum ev_status ev_agent_logs_open(struct ev_agent_logs **out, const char *log,
                                  int wait_ms, struct ev_err *err);

#endif
