#ifndef EV_CMD_SERVE_SETTINGS_H
#define EV_CMD_SERVE_SETTINGS_H

#include "cmd/serve.h"

/*
 * Fills the settings from the command line, the file that --config or $EV_SERVE
 * names, and what holds without either, and looks at all of it. -1: go on, else
 * the exit status: it was only asked for help, --check-config or --new-token,
 * or something is wrong, which has been said. Release them in any case.
 */
int serve_settings_parse(struct serve_settings *settings, int argc,
                         char **argv);
void serve_settings_release(struct serve_settings *settings);

/*
 * Reads every file that the settings name, and says of each what is wrong with
 * it, or with `tell`, on standard output, that nothing is. EV_BAD_INPUT: some
 * was.
 */
enum ev_status serve_settings_check(const struct serve_settings *settings,
                                    bool tell);

/* Replaces both by what the files hold, PEM; they stay empty if there are
   none. */
enum ev_status serve_settings_read_tls(const struct serve_settings *settings,
                                       struct ev_buf *certificate,
                                       struct ev_buf *key, struct ev_err *err);

#endif
