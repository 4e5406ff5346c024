#ifndef EV_ADAPTER_SANDBOX_H
#define EV_ADAPTER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Takes from this process, for good, what a server never needs: to run
 * programs, make processes, listen, connect or look at others, signal who is
 * outside, change what it is or the machine. Of all files only those named stay
 * in its sight, with what the system's libraries may look for. What it has
 * open, it keeps.
 */
struct ev_sandbox_path {
	const char *path; /* what is in a folder, too, however deep */
	enum ev_sandbox_may {
		EV_SANDBOX_READ,  /* need not be there */
		EV_SANDBOX_WRITE, /* a folder: and make and remove files */
		EV_SANDBOX_REMOVE /* a folder: remove files, no more */
	} may;
};

/* What the kernel does not have. */
enum ev_sandbox_lack {
	EV_SANDBOX_NO_FILES = 1, /* landlock: files are as before */
	EV_SANDBOX_NO_CALLS = 2  /* seccomp: programs and so on */
};

/*
 * To be called by the only thread: those that it makes later are in it, others
 * would not be (EV_BUG). EV_UNREACHABLE, EV_IO: a folder that is to be written
 * cannot be opened.
 */
enum ev_status ev_sandbox_enter(const struct ev_sandbox_path *paths,
                                size_t count, unsigned *lacks,
                                struct ev_err *err);

#endif
