#include "cmd/serve_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 65536, STOP_MS = 3000 };

struct pending {
	uint64_t number;
	struct serve_request *request;
	void (*then)(struct serve_request *request);
};

struct serve_runner {
	pid_t pid;
	int socket; /* -1: it has ended */
	int epoll;  /* says when there is something to do with the socket */
	bool stopping;
	struct ev_buf in, out;
	uint64_t number; /* of the last request */
	struct pending list[RUNNER_MAX];
	size_t count;
	size_t input_max;
};

/* ---- starting */

/* It shares nothing with the server but the socket and standard error. */
static void
close_others(int socket)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		_exit(EV_IO);
#ifdef SYS_close_range
	if ((socket == 3 ||
	     syscall(SYS_close_range, 3U, (unsigned)socket - 1, 0U) == 0) &&
	    syscall(SYS_close_range, (unsigned)socket + 1, ~0U, 0U) == 0)
		return;
#endif
	for (int fd = 3; fd < sysconf(_SC_OPEN_MAX); fd++)
		if (fd != socket)
			close(fd);
}

static void
become_runner(const struct serve *serve, int socket, size_t input_max,
              pid_t server)
{
	struct runner_settings settings = { .rig = serve->settings.rig,
	                                    .input_max = input_max };
	struct ev_buf log = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (getppid() != server)
		_exit(0);
	close_others(socket);
	cli_log_path(serve->settings.log, &log);
	ev_buf_add_char(&log, '\0');
	settings.log = log.ptr;
	runner_process(socket, &settings);
}

static enum ev_status
fail(struct ev_err *err)
{
	return ev_err_set(err, EV_IO, "cannot start the process that runs "
	                  "commands: %s", strerror(errno));
}

enum ev_status
serve_runner_start(struct serve *serve, struct ev_err *err)
{
	struct serve_runner *runner = ev_mem_alloc(sizeof *runner);
	struct epoll_event event = { .events = EPOLLIN };
	pid_t server = getpid();
	int fds[2];

	*runner = (struct serve_runner){ .socket = -1, .epoll = -1 };
	runner->input_max = serve->settings.body_max;
	serve->runner = runner;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return fail(err);
	runner->socket = fds[0];
	runner->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (runner->epoll < 0 || epoll_ctl(runner->epoll, EPOLL_CTL_ADD, fds[0],
	                                   &event) != 0) {
		close(fds[1]);
		return fail(err);
	}
	runner->pid = fork();
	if (runner->pid == 0)
		become_runner(serve, fds[1], runner->input_max, server);
	close(fds[1]);
	return runner->pid < 0 ? fail(err) : EV_OK;
}

int
serve_runner_descriptor(const struct serve *serve)
{
	return serve->runner->epoll;
}

bool
serve_runner_alive(const struct serve *serve)
{
	return serve->runner && serve->runner->socket >= 0;
}

/* ---- results */

static void
finish(const struct pending *pending, int status, struct ev_str out,
       struct ev_str err)
{
	struct serve_request *request = pending->request;
	struct serve_run *run = ev_arena_alloc(&request->arena, sizeof *run);

	run->status = status;
	run->out = ev_arena_dup(&request->arena, out);
	run->err = ev_arena_dup(&request->arena, err);
	request->ran = run;
	pending->then(request);
}

const struct serve_run *
serve_ran(const struct serve_request *request)
{
	return request->ran;
}

/* Nothing comes any more. */
static void
lose(struct serve_runner *runner, int status, const char *why)
{
	struct pending pending;

	if (runner->socket >= 0)
		close(runner->socket);
	runner->socket = -1;
	while (runner->count) {
		pending = runner->list[0];
		runner->list[0] = runner->list[--runner->count];
		finish(&pending, status, (struct ev_str){ 0 }, ev_str(why));
	}
}

static bool
take(struct serve_runner *runner, const struct runner_frame *frame,
     const char *bytes)
{
	for (size_t i = 0; i < runner->count; i++)
		if (runner->list[i].number == frame->number) {
			struct pending pending = runner->list[i];

			runner->list[i] = runner->list[--runner->count];
			finish(&pending, (int)frame->what,
			       (struct ev_str){ bytes, frame->sizes[0] },
			       (struct ev_str){ bytes + frame->sizes[0],
			                        frame->sizes[1] });
			return true;
		}
	return false;
}

static bool
take_all(struct serve_runner *runner)
{
	struct ev_buf *in = &runner->in;
	struct runner_frame frame;
	size_t done = 0, size;

	while (in->len - done >= sizeof frame) {
		memcpy(&frame, in->ptr + done, sizeof frame);
		if (frame.zero || frame.what > 255 ||
		    frame.sizes[0] > RUNNER_OUT_MAX ||
		    frame.sizes[1] > RUNNER_ERR_MAX)
			return false;
		size = sizeof frame + frame.sizes[0] + frame.sizes[1];
		if (in->len - done < size)
			break;
		if (!take(runner, &frame, in->ptr + done + sizeof frame))
			return false;
		done += size;
	}
	memmove(in->ptr, in->ptr + done, in->len - done);
	in->len -= done;
	return true;
}

static bool
receive(struct serve_runner *runner)
{
	ssize_t len;
	bool open;

	do {
		len = recv(runner->socket,
		           ev_buf_reserve(&runner->in, READ_SIZE), READ_SIZE,
		           MSG_DONTWAIT);
		runner->in.len += len > 0 ? (size_t)len : 0;
	} while (len > 0);
	open = len < 0 && (errno == EAGAIN || errno == EINTR);
	return take_all(runner) && open;
}

/* What cannot be sent yet is, as soon as there is room. */
static bool
send_all(struct serve_runner *runner)
{
	struct ev_buf *out = &runner->out;
	struct epoll_event event = { .events = EPOLLIN };
	size_t done = 0;
	ssize_t len = 0;

	while (done < out->len && len >= 0) {
		len = send(runner->socket, out->ptr + done, out->len - done,
		           MSG_DONTWAIT | MSG_NOSIGNAL);
		done += len > 0 ? (size_t)len : 0;
	}
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (done) {
		memmove(out->ptr, out->ptr + done, out->len - done);
		out->len -= done;
	}
	if (out->len)
		event.events |= EPOLLOUT;
	return epoll_ctl(runner->epoll, EPOLL_CTL_MOD, runner->socket,
	                 &event) == 0;
}

void
serve_runner_run(struct serve *serve)
{
	struct serve_runner *runner = serve->runner;

	if (runner->socket < 0 || (receive(runner) && send_all(runner)))
		return;
	if (runner->socket < 0) /* one of its requests has ended the server */
		return;
	cli_say(EV_BUG, "the process that runs commands has ended: what needs "
	        "one is refused until ev-serve is started again");
	lose(runner, EV_UNREACHABLE, "ev-serve: there is nobody to run it");
}

/* ---- requests */

static bool
refuse(struct serve_request *request)
{
	const struct serve_runner *runner = request->serve->runner;

	if (!runner || runner->socket < 0 || runner->stopping)
		serve_problem(request, 503, "unreachable", (struct ev_str){ 0 },
		              "what runs commands has ended");
	else if (runner->count == RUNNER_MAX)
		serve_problem(request, 503, "busy", (struct ev_str){ 0 },
		              "too many requests that need a command: "
		              "repeat this later");
	else
		return false;
	serve_header(request, "Retry-After", EV_STR("1"));
	return true;
}

static bool
do_fit(struct serve_request *request, enum serve_command command,
       const char *const *arguments, struct ev_str input)
{
	struct runner_line line;
	size_t count = 0, size = 0;

	while (arguments[count])
		size += strlen(arguments[count++]) + 1;
	if (size <= RUNNER_TEXT_MAX &&
	    input.len <= request->serve->runner->input_max &&
	    runner_line_make(&line, command, arguments, count,
	                     &request->arena))
		return true;
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "expected %s", command == SERVE_FROM_GITHUB
	              ? "GitHub's names of event and delivery"
	              : command == SERVE_RIG_NEXT
	              ? "an agent, such as dev-e, and a repository if need be"
	              : command == SERVE_RIG_CLAIM
	              ? "an issue, such as acme/app#42, and an agent"
	              : "an issue, such as acme/app#42");
	return false;
}

void
serve_run(struct serve_request *request, enum serve_command command,
          const char *const *arguments, struct ev_str input,
          void (*then)(struct serve_request *request))
{
	struct serve_runner *runner = request->serve->runner;
	struct runner_frame frame = { .what = (uint32_t)command };
	struct ev_buf *out = &runner->out;

	if (refuse(request) || !do_fit(request, command, arguments, input)) {
		serve_finish(request);
		return;
	}
	frame.number = ++runner->number;
	for (size_t i = 0; arguments[i]; i++)
		frame.sizes[0] += (uint32_t)strlen(arguments[i]) + 1;
	frame.sizes[1] = (uint32_t)input.len;
	ev_buf_add(out, &frame, sizeof frame);
	for (size_t i = 0; arguments[i]; i++)
		ev_buf_add(out, arguments[i], strlen(arguments[i]) + 1);
	ev_buf_add_str(out, input);
	runner->list[runner->count++] = (struct pending){
		.number = frame.number, .request = request, .then = then
	};
	/* should that fail, the loop is told by the socket's end */
	send_all(runner);
}

/* ---- stopping */

static void
sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

void
serve_runner_stop(struct serve *serve)
{
	struct serve_runner *runner = serve->runner;
	int waited = 0;

	if (!runner)
		return;
	runner->stopping = true;
	lose(runner, EV_BUSY, "ev-serve: it is being stopped");
	/* the sandbox may forbid to kill it; it ends when its channel does, and
	   with this process at the latest */
	while (runner->pid > 0 && waited < STOP_MS &&
	       waitpid(runner->pid, NULL, WNOHANG) == 0) {
		sleep_ms(10);
		waited += 10;
	}
	if (runner->epoll >= 0)
		close(runner->epoll);
	ev_buf_release(&runner->in);
	ev_buf_release(&runner->out);
	free(runner);
	serve->runner = NULL;
}
