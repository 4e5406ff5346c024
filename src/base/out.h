#ifndef EV_BASE_OUT_H
#define EV_BASE_OUT_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Buffered writing to a descriptor. The first failure sticks and is told by
 * every flush; what comes after it is dropped. Bytes are written in pieces of
 * about 64 KiB, or when flushed.
 */
struct ev_out {
	int fd;
	int error; /* errno of the first failure, 0: none */
	struct ev_buf buf;
};

void ev_out_add(struct ev_out *out, struct ev_str bytes);

/* The same and a newline. */
void ev_out_line(struct ev_out *out, struct ev_str bytes);

/* EV_IO names `what`: "cannot write to standard output: No space …". */
enum ev_status ev_out_flush(struct ev_out *out, const char *what,
                            struct ev_err *err);
void ev_out_release(struct ev_out *out);

#endif
