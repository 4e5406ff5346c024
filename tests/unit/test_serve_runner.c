/* The process that runs commands for ev-serve, spoken to by a server that was
   taken over: it runs what it may, as it may, and ends at anything else. */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/serve_runner.h"
#include "unit.h"

enum { INPUT_MAX = 1000 };

struct process {
	pid_t pid;
	int socket;
};

/* A log that is not there, so that nothing is found in it. */
static struct process
begin(void)
{
	static const struct runner_settings settings = {
		.log = "/nonexistent/log.db", .input_max = INPUT_MAX
	};
	struct process process;
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	process.pid = fork();
	if (process.pid == 0) {
		close(fds[0]);
		runner_process(fds[1], &settings);
	}
	close(fds[1]);
	process.socket = fds[0];
	return process;
}

static void
say(const struct process *process, const void *bytes, size_t len)
{
	/* it may have ended, having heard enough */
	send(process->socket, bytes, len, MSG_NOSIGNAL);
}

static void
ask(const struct process *process, struct runner_frame frame, const char *text,
    size_t len)
{
	say(process, &frame, sizeof frame);
	say(process, text, len);
}

/* Its answer, or false: it has ended without one. */
static bool
hear(const struct process *process, struct runner_frame *frame)
{
	struct pollfd ready = { .fd = process->socket, .events = POLLIN };

	return poll(&ready, 1, 20000) == 1 &&
	       recv(process->socket, frame, sizeof *frame, MSG_WAITALL) ==
	               sizeof *frame;
}

static void
end(struct process *process)
{
	int status;

	close(process->socket);
	CHECK(waitpid(process->pid, &status, 0) == process->pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* It ends at this, and answers nothing. */
static void
refuses(struct runner_frame frame, const char *text, size_t len)
{
	struct process process = begin();
	struct runner_frame answer;

	ask(&process, frame, text, len);
	CHECK(!hear(&process, &answer));
	end(&process);
}

static void
test_what_it_may(void)
{
	struct process process = begin();
	struct runner_frame answer = { 0 };

	ask(&process, (struct runner_frame){ .number = 7,
	    .what = SERVE_RIG_NEXT, .sizes = { 4, 0 } }, "ada", 4);
	CHECK(hear(&process, &answer));
	CHECK(answer.number == 7 && answer.what == EV_NO);
	CHECK(answer.sizes[0] == 0 && answer.sizes[1] == 0);
	end(&process);
}

static void
test_what_it_may_not(void)
{
	static const struct {
		uint32_t command, len;
		const char *text;
	} wrong[] = {
		{ SERVE_FROM_GITHUB + 1, 4, "a\0b" },
		{ UINT32_MAX, 4, "a\0b" },
		{ SERVE_RIG_NEXT, 0, "" },              /* no agent */
		{ SERVE_RIG_NEXT, 3, "ada" },           /* no end */
		{ SERVE_RIG_NEXT, 1, "" },              /* an empty one */
		{ SERVE_RIG_NEXT, 3, "/x" },
		{ SERVE_RIG_NEXT, 4, "a\nb" },
		{ SERVE_RIG_NEXT, 6, "a\0b\0c" },       /* too many */
		{ SERVE_RIG_NEXT, 10, "a\0b\0c\0d\0e" },
		{ SERVE_RIG_CLAIM, 6, "a/b#1" },        /* too few */
		{ SERVE_RIG_CLAIM, 10, "a/b#0\0ada" },
		{ SERVE_RIG_CLAIM, 7, "#1\0ada" },
		{ SERVE_RIG_GATE, 7, "a/b#1x" },
		{ SERVE_RIG_GATE, 9, "a/b#1\0-1" },
		{ SERVE_RIG_GATE, 20, "a/b#1\0""9999999999999" },
		{ SERVE_RIG_MERGE, 13, "a/b#1\0--help" },
		{ SERVE_RIG_TIMELINE, 7, "--help" },
		{ SERVE_RIG_TIMELINE, 8, "a/b#1\0x" },
		{ SERVE_FROM_GITHUB, 11, "issues\0d 1" },
		{ SERVE_FROM_GITHUB, 11, "issues\0d\n1" },
		{ SERVE_FROM_GITHUB, 7, "-q\0d-1" },
		{ SERVE_FROM_GITHUB, 11, "Issues\0d-1" },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		refuses((struct runner_frame){ .number = 1,
		        .what = wrong[i].command,
		        .sizes = { wrong[i].len, 0 } },
		        wrong[i].text, wrong[i].len);
}

static void
test_sizes(void)
{
	struct runner_frame frame = { .number = 1, .what = SERVE_RIG_NEXT };

	frame.sizes[0] = RUNNER_TEXT_MAX + 1;
	refuses(frame, "ada", 4);
	frame.sizes[0] = UINT32_MAX;
	refuses(frame, "ada", 4);
	frame.sizes[0] = 4;
	frame.sizes[1] = INPUT_MAX + 1;
	refuses(frame, "ada", 4);
	frame.sizes[1] = UINT32_MAX;
	refuses(frame, "ada", 4);
	frame.sizes[1] = 0;
	frame.zero = 1;
	refuses(frame, "ada", 4);
}

/* Half a request, and then nothing. */
static void
test_half(void)
{
	struct runner_frame frame = { .number = 1, .what = SERVE_RIG_NEXT,
	                              .sizes = { 4, 0 } };
	struct process process = begin();

	say(&process, &frame, sizeof frame / 2);
	end(&process);
	process = begin();
	ask(&process, frame, "ad", 2);
	end(&process);
}

/* A line of words: what is no argument is not in it. */
static void
test_lines(void)
{
	static const char *const arguments[] = { "--help", "-R" };
	struct ev_arena arena = { 0 };
	struct runner_line line;

	CHECK(runner_line_make(&line, SERVE_RIG_NEXT, arguments, 1, &arena));
	CHECK(strcmp(line.words[3], "--") == 0);
	CHECK(strcmp(line.words[4], "--help") == 0 && !line.words[5]);
	CHECK(!line.github);
	CHECK(runner_line_make(&line, SERVE_RIG_NEXT, arguments, 2, &arena));
	CHECK(strcmp(line.words[3], "-R") == 0);
	CHECK(strcmp(line.words[4], "-R") == 0);
	CHECK(strcmp(line.words[5], "--") == 0);
	CHECK(strcmp(line.words[6], "--help") == 0 && !line.words[7]);
	ev_arena_release(&arena);
}

int
main(void)
{
	test_what_it_may();
	test_what_it_may_not();
	test_sizes();
	test_half();
	test_lines();
	return unit_end();
}
