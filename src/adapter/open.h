#ifndef EV_ADAPTER_OPEN_H
#define EV_ADAPTER_OPEN_H

#include <signal.h>

#include "port/store.h"

/*
 * Opens a log. `url` is a file's path. The only list of backends is here.
 * EV_UNREACHABLE: it cannot be opened, or (READ) is not there. Close it with
 * store->ops->close, which acknowledges nothing and cannot fail.
 */
struct ev_open {
	const char *url;
	enum ev_store_mode mode;
	int wait_ms; /* for other writers, before EV_BUSY */
	long checkpoint_bytes; /* how far the WAL may grow; 0: the default */
	const volatile sig_atomic_t *stop; /* NULL, or set by a signal handler:
	                                      waiting ends */
};
enum ev_status ev_store_open(struct ev_store **out, const struct ev_open *open,
                             struct ev_err *err);

/* The SQLite adapter's own opener. */
enum ev_status ev_sqlite_open(struct ev_store **out,
                              const struct ev_open *open, struct ev_err *err);

#endif
