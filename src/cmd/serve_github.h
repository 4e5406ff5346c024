#ifndef EV_CMD_SERVE_GITHUB_H
#define EV_CMD_SERVE_GITHUB_H

#include "cmd/serve.h"

/*
 * GitHub's webhook. A delivery is believed when it is signed with the secret
 * that the file settings.github_secret has on its first line; without one there
 * is no such route. Nobody but its owner may read that file (EV_BAD_INPUT).
 * After a reload that fails, which is said, the secret is the one before.
 */
enum ev_status serve_github_open(struct serve *serve, struct ev_err *err);
void serve_github_reload(struct serve *serve);
void serve_github_close(struct serve *serve);

/* For the table of routes. */
void serve_github_webhook(struct serve_request *request);

#endif
