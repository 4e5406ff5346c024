#ifndef EV_CMD_YAML_FILE_H
#define EV_CMD_YAML_FILE_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Replaces `text` by what a file has for ev_yaml_parse; "-" is standard input.
 * Of a longer one than that takes, it gets enough to say so. EV_IO: it cannot
 * be read.
 */
enum ev_status yaml_file_read(struct ev_buf *text, const char *path,
                              struct ev_err *err);

#endif
