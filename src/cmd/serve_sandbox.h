#ifndef EV_CMD_SERVE_SANDBOX_H
#define EV_CMD_SERVE_SANDBOX_H

#include "cmd/serve.h"

/*
 * Closes the sandbox (adapter/sandbox.h) around the server, unless --no-sandbox
 * said not to: of all files it sees the log's folder, which it may write, its
 * own definitions and the files that its settings name. What the kernel does
 * not have is said once. To be called by the only thread, after everything that
 * is elsewhere has been opened and every process been started.
 */
enum ev_status serve_sandbox_enter(const struct serve *serve,
                                   struct ev_err *err);

#endif
