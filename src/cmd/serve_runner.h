#ifndef EV_CMD_SERVE_RUNNER_H
#define EV_CMD_SERVE_RUNNER_H

#include "cmd/serve.h"

/*
 * A process beside the server that starts the few commands of this toolkit that
 * requests need (serve.h: enum serve_command), as the server's sandbox does not
 * let it. It runs four at a time, ends what takes longer than half a minute,
 * and keeps `ev-project --follow` running. It ends when the server does,
 * however that is, and nothing that it has started outlives it.
 *
 * It believes nothing that it is told: whoever took the server over can have it
 * run these commands, with an issue, an agent, a number in its place, and no
 * others.
 */

/* Before there are threads, a sandbox, or descriptors that matter to others. */
enum ev_status serve_runner_start(struct serve *serve, struct ev_err *err);

/* To be run by the loop when this descriptor can be read. */
int serve_runner_descriptor(const struct serve *serve);
void serve_runner_run(struct serve *serve);

/* False: it has ended, which it does not by itself; nothing can be run. */
bool serve_runner_alive(const struct serve *serve);

/* Ends it. Requests that wait for it go on, as if they had taken too long. */
void serve_runner_stop(struct serve *serve);

/* ---- between the two of them */

enum {
	RUNNER_AT_ONCE = 4,
	RUNNER_WAITING = 64, /* more is refused */
	RUNNER_MAX = RUNNER_AT_ONCE + RUNNER_WAITING,
	RUNNER_ARGUMENTS = 3,
	RUNNER_TEXT_MAX = 4096, /* bytes of a command's arguments */
	RUNNER_OUT_MAX = 8 * 1024 * 1024,
	RUNNER_ERR_MAX = 1000,
	RUNNER_WORDS = 16 /* of a command line, with NULL */
};

/* Before each request (arguments, each ended by a NUL, and input), and before
   each result (what was printed, and the last line of what was said). */
struct runner_frame {
	uint64_t number;
	uint32_t what; /* the command; its exit status */
	uint32_t sizes[2];
	uint32_t zero;
};

/* What the process is to know of the settings. */
struct runner_settings {
	const char *log; /* an absolute path, or a URL */
	const char *rig; /* or NULL */
	size_t input_max;
};

/*
 * Makes a command line of its arguments; what is put together is in the arena.
 * The environment is to be without what GitHub trusts, unless `github`. False:
 * these are no arguments of that command.
 */
struct runner_line {
	const char *words[RUNNER_WORDS];
	bool github;
	bool reads; /* where there is no log, it would find nothing */
};
bool runner_line_make(struct runner_line *line, uint32_t command,
                      const char *const *arguments, size_t count,
                      struct ev_arena *arena);

/* The process, until the other end of the socket is closed. */
void runner_process(int socket, const struct runner_settings *settings)
	__attribute__((noreturn));

#endif
