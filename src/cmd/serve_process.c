/* The process beside ev-serve that runs commands for it: serve_runner.h. */
#include "cmd/serve_runner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TIME_MS = 30000,
	GRACE_MS = 1000, /* from SIGTERM to SIGKILL */
	AGAIN_MS = 1000, /* before ev-project is started again: at first, */
	AGAIN_MAX_MS = 30000, /* and at most */
	STEADY_MS = 60000, /* after so long, it was no failure at the start */
	READ_SIZE = 65536,
	REPLIES_MAX = 2 * RUNNER_OUT_MAX /* that nobody has fetched */
};

struct run {
	uint64_t number;
	struct ev_arena arena;
	struct runner_line line;
	struct ev_str input;
	pid_t pid;           /* 0: it waits, or has ended */
	int out, err;        /* -1: at its end */
	struct ev_buf printed, said;
	int64_t end_at;      /* when it is ended, and then killed */
	const char *why;     /* it was ended, or NULL */
	bool started, ended;
	int status;          /* then */
};

struct process {
	int socket, signals;
	const struct runner_settings *settings;
	struct ev_buf in, out;
	struct run *runs[RUNNER_MAX]; /* as they came */
	size_t count;
	/* ev-project */
	pid_t follower;
	int64_t started_at, start_at;
	int again_ms;
};

/* ---- starting */

static void
reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&action.sa_mask);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child's way to its command; -1: this descriptor is as ours. */
static void
become(const char *const *words, int in, int out, int err, int death,
       pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, death);
	/* it may have ended before that took effect */
	if (getppid() != parent)
		_exit(EV_UNREACHABLE);
	reset_signals();
	if ((in < 0 || dup2(in, STDIN_FILENO) >= 0) &&
	    (out < 0 || dup2(out, STDOUT_FILENO) >= 0) &&
	    (err < 0 || dup2(err, STDERR_FILENO) >= 0))
		execvp(*words, (char *const *)words);
	dprintf(STDERR_FILENO, "ev-serve: cannot run '%s': %s\n", *words,
	        strerror(errno));
	_exit(EV_UNREACHABLE);
}

/* In memory: whoever reads it, nobody waits. */
static int
make_input(struct ev_str input)
{
	int fd = (int)syscall(SYS_memfd_create, "input", 1U /* CLOEXEC */);
	size_t done = 0;

	while (fd >= 0 && done < input.len) {
		ssize_t len = write(fd, input.ptr + done, input.len - done);

		if (len < 0 && errno != EINTR) {
			close(fd);
			return -1;
		}
		done += len > 0 ? (size_t)len : 0;
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
make_pipe(int fds[2])
{
	if (pipe(fds) != 0) {
		fds[0] = fds[1] = -1;
		return false;
	}
	return fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

static void
close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* It has ended before it began. */
static void
give_up(struct run *run, const char *what)
{
	run->started = run->ended = true;
	run->status = EV_IO;
	ev_buf_printf(&run->said, "ev-serve: cannot %s: %s", what,
	              strerror(errno));
}

/* Nobody has appended anything to it yet? */
static bool
is_missing(const char *log)
{
	struct stat info;

	return *log == '/' && stat(log, &info) != 0;
}

static void
start(struct run *run, const char *log)
{
	int fds[] = { -1, -1, -1, -1, make_input(run->input) };
	pid_t parent = getpid();

	run->out = run->err = -1;
	if (run->line.reads && is_missing(log)) {
		run->started = run->ended = true;
		run->status = EV_NO;
		close_all(fds, 5);
		return;
	}
	if (fds[4] < 0) {
		give_up(run, "hold a request in memory");
		return;
	}
	if (!make_pipe(fds) || !make_pipe(fds + 2)) {
		give_up(run, "make a pipe");
		close_all(fds, 5);
		return;
	}
	run->pid = fork();
	if (run->pid < 0) {
		run->pid = 0;
		give_up(run, "start a process");
		close_all(fds, 5);
		return;
	}
	if (run->pid == 0) {
		if (!run->line.github) {
			unsetenv("GITHUB_TOKEN");
			unsetenv("GH_TOKEN");
			unsetenv("GITHUB_TOKEN_FILE");
		}
		become(run->line.words, fds[4], fds[1], fds[3], SIGKILL,
		       parent);
	}
	setpgid(run->pid, run->pid);
	run->started = true;
	run->out = fds[0];
	run->err = fds[2];
	run->end_at = ev_time_steady_ms() + TIME_MS;
	fds[0] = fds[2] = -1;
	close_all(fds, 5);
}

static void
start_some(struct process *process)
{
	size_t running = 0;

	if (process->out.len > REPLIES_MAX)
		return;
	for (size_t i = 0; i < process->count; i++) {
		struct run *run = process->runs[i];

		if (running == RUNNER_AT_ONCE)
			return;
		if (!run->started)
			start(run, process->settings->log);
		running++;
	}
}

/* ---- ending */

static void
release(struct run *run)
{
	int fds[] = { run->out, run->err };

	close_all(fds, 2);
	ev_buf_release(&run->printed);
	ev_buf_release(&run->said);
	ev_arena_release(&run->arena);
	free(run);
}

/* Without the newline at its end. */
static struct ev_str
last_line(const struct ev_buf *said)
{
	struct ev_str line = ev_buf_str(said);
	size_t begin;

	while (line.len && line.ptr[line.len - 1] == '\n')
		line.len--;
	for (begin = line.len; begin && line.ptr[begin - 1] != '\n'; begin--)
		;
	line.ptr = line.ptr ? line.ptr + begin : "";
	line.len -= begin;
	if (line.len > RUNNER_ERR_MAX)
		line.len = RUNNER_ERR_MAX;
	return line;
}

static void
reply(struct process *process, const struct run *run)
{
	struct ev_str out = ev_buf_str(&run->printed);
	struct ev_str err = run->why ? ev_str(run->why) : last_line(&run->said);
	struct runner_frame frame = { .number = run->number };

	if (run->why)
		out.len = 0;
	frame.what = (uint32_t)run->status;
	frame.sizes[0] = (uint32_t)out.len;
	frame.sizes[1] = (uint32_t)err.len;
	ev_buf_add(&process->out, &frame, sizeof frame);
	ev_buf_add_str(&process->out, out);
	ev_buf_add_str(&process->out, err);
}

static void
end(struct run *run, enum ev_status status, const char *why)
{
	run->why = why;
	run->status = status;
	run->end_at = ev_time_steady_ms() + GRACE_MS;
	if (run->pid)
		kill(-run->pid, SIGTERM);
}

/* Reads what there is. Of what is said, the end matters. */
static void
drain(struct run *run, int *fd, struct ev_buf *buf)
{
	ssize_t len;

	while (*fd >= 0) {
		len = read(*fd, ev_buf_reserve(buf, READ_SIZE), READ_SIZE);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			return;
		if (len <= 0) {
			close(*fd);
			*fd = -1;
			return;
		}
		buf->len += (size_t)len;
		if (buf == &run->said && buf->len > READ_SIZE) {
			memmove(buf->ptr, buf->ptr + buf->len - 2 * RUNNER_ERR_MAX,
			        2 * RUNNER_ERR_MAX);
			buf->len = 2 * RUNNER_ERR_MAX;
		} else if (buf->len > RUNNER_OUT_MAX) {
			close(*fd);
			*fd = -1;
			end(run, EV_IO, "ev-serve: it printed more than 8 MiB");
		}
	}
}

/* What a command has left behind ends with it: its group is still there as long
   as we have not waited for it. */
static bool
has_ended(pid_t pid, int *status)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	    info.si_pid != pid)
		return false;
	kill(-pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return true;
}

static void
look_after(struct run *run, int64_t now)
{
	int status;

	if (run->pid && has_ended(run->pid, &status)) {
		run->pid = 0;
		run->ended = true;
		if (!run->why)
			run->status = WIFEXITED(status) ? WEXITSTATUS(status)
			                                : 128 + WTERMSIG(status);
	}
	drain(run, &run->out, &run->printed);
	drain(run, &run->err, &run->said);
	if (!run->pid || now < run->end_at)
		return;
	if (run->why) {
		kill(-run->pid, SIGKILL);
		run->end_at = now + GRACE_MS;
	} else {
		end(run, EV_BUSY, "ev-serve: it took longer than 30 s");
	}
}

static void
look_after_all(struct process *process)
{
	int64_t now = ev_time_steady_ms();
	size_t left = 0;

	for (size_t i = 0; i < process->count; i++) {
		struct run *run = process->runs[i];

		if (run->started && !run->ended)
			look_after(run, now);
		if (!run->ended) {
			process->runs[left++] = run;
			continue;
		}
		reply(process, run);
		release(run);
	}
	process->count = left;
}

/* ---- ev-project */

static void
follow(struct process *process)
{
	const char *words[] = {
		"ev-project", "-l", process->settings->log, "--follow",
		"issue-status", "agent-status", "agent-queue", "token-usage",
		"daily-cost", "session-status", NULL
	};
	int64_t now = ev_time_steady_ms();
	pid_t parent = getpid();
	int status;

	if (process->follower && has_ended(process->follower, &status)) {
		process->follower = 0;
		if (now - process->started_at > STEADY_MS)
			process->again_ms = AGAIN_MS;
		process->start_at = now + process->again_ms;
		process->again_ms *= 2;
		if (process->again_ms > AGAIN_MAX_MS)
			process->again_ms = AGAIN_MAX_MS;
	}
	if (process->follower || now < process->start_at)
		return;
	process->started_at = now;
	process->start_at = now + AGAIN_MS;
	if (is_missing(process->settings->log))
		return;
	process->follower = fork();
	if (process->follower == 0) {
		unsetenv("GITHUB_TOKEN");
		unsetenv("GH_TOKEN");
		unsetenv("GITHUB_TOKEN_FILE");
		become(words, -1, -1, -1, SIGTERM, parent);
	}
	if (process->follower < 0)
		process->follower = 0;
	else
		setpgid(process->follower, process->follower);
}

/* ---- requests */

/* Splits what is ended by NULs. */
static bool
split(const char *text, size_t len, const char **arguments, size_t *count)
{
	*count = 0;
	if (len && text[len - 1])
		return false;
	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		if (*count == RUNNER_ARGUMENTS)
			return false;
		arguments[(*count)++] = text + at;
	}
	return true;
}

static bool
take(struct process *process, const struct runner_frame *frame,
     const char *bytes)
{
	struct run *run = ev_mem_alloc(sizeof *run);
	const char *arguments[RUNNER_ARGUMENTS];
	struct ev_str text, input = { bytes + frame->sizes[0],
	                              frame->sizes[1] };
	size_t count;

	*run = (struct run){ .number = frame->number, .out = -1, .err = -1 };
	text = ev_arena_dup(&run->arena,
	                    (struct ev_str){ bytes, frame->sizes[0] });
	run->input = ev_arena_dup(&run->arena, input);
	if (process->count == RUNNER_MAX ||
	    !split(text.ptr, text.len, arguments, &count) ||
	    !runner_line_make(&run->line, frame->what, arguments, count,
	                      &run->arena)) {
		release(run);
		return false;
	}
	process->runs[process->count++] = run;
	return true;
}

/* False: this is nothing that the server says. */
static bool
take_all(struct process *process)
{
	struct ev_buf *in = &process->in;
	struct runner_frame frame;
	size_t done = 0, size;

	while (in->len - done >= sizeof frame) {
		memcpy(&frame, in->ptr + done, sizeof frame);
		if (frame.zero || frame.sizes[0] > RUNNER_TEXT_MAX ||
		    frame.sizes[1] > process->settings->input_max)
			return false;
		size = sizeof frame + frame.sizes[0] + frame.sizes[1];
		if (in->len - done < size)
			break;
		if (!take(process, &frame, in->ptr + done + sizeof frame))
			return false;
		done += size;
	}
	if (done) {
		memmove(in->ptr, in->ptr + done, in->len - done);
		in->len -= done;
	}
	return true;
}

/* False: the server has ended, or is not itself any more. */
static bool
receive(struct process *process)
{
	ssize_t len = recv(process->socket,
	                   ev_buf_reserve(&process->in, READ_SIZE), READ_SIZE,
	                   MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	process->in.len += (size_t)len;
	return len > 0 && take_all(process);
}

static bool
send_some(struct process *process)
{
	struct ev_buf *out = &process->out;
	ssize_t len;

	assert(out->ptr);
	len = send(process->socket, out->ptr, out->len,
	           MSG_DONTWAIT | MSG_NOSIGNAL);
	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	memmove(out->ptr, out->ptr + len, out->len - (size_t)len);
	out->len -= (size_t)len;
	return true;
}

/* ---- the process */

static int
next_ms(const struct process *process)
{
	int64_t now = ev_time_steady_ms(), at = now + AGAIN_MAX_MS;

	if (!process->follower)
		at = process->start_at;
	for (size_t i = 0; i < process->count; i++)
		if (process->runs[i]->pid && process->runs[i]->end_at < at)
			at = process->runs[i]->end_at;
	return at < now ? 0 : (int)(at - now);
}

/* Waits until there is something to do. False: it is to end. */
static bool
wait_for_something(struct process *process)
{
	struct pollfd fds[2 + 2 * RUNNER_AT_ONCE] = {
		{ .fd = process->signals, .events = POLLIN },
		{ .fd = process->socket,
		  .events = (short)(POLLIN | (process->out.len ? POLLOUT : 0)) },
	};
	struct signalfd_siginfo info;
	nfds_t count = 2;

	for (size_t i = 0; i < process->count; i++) {
		const struct run *run = process->runs[i];

		if (!run->pid)
			continue;
		assert(count + 2 <= sizeof fds / sizeof *fds);
		fds[count++] = (struct pollfd){ .fd = run->out,
		                                .events = POLLIN };
		fds[count++] = (struct pollfd){ .fd = run->err,
		                                .events = POLLIN };
	}
	if (poll(fds, count, next_ms(process)) < 0)
		return errno == EINTR;
	while (read(process->signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo != SIGCHLD)
			return false;
	if ((fds[1].revents & POLLOUT) && !send_some(process))
		return false;
	return !(fds[1].revents & (POLLIN | POLLHUP | POLLERR)) ||
	       receive(process);
}

static bool
is_any_left(struct process *process)
{
	int status;
	bool any = false;

	if (process->follower && has_ended(process->follower, &status))
		process->follower = 0;
	any = process->follower != 0;
	for (size_t i = 0; i < process->count; i++) {
		struct run *run = process->runs[i];

		if (run->pid && has_ended(run->pid, &status))
			run->pid = 0;
		any = any || run->pid;
	}
	return any;
}

static void
kill_all(const struct process *process, int signal)
{
	if (process->follower)
		kill(-process->follower, signal);
	for (size_t i = 0; i < process->count; i++)
		if (process->runs[i]->pid)
			kill(-process->runs[i]->pid, signal);
}

static void
end_all(struct process *process)
{
	int64_t until = ev_time_steady_ms() + GRACE_MS;
	struct pollfd signals = { .fd = process->signals, .events = POLLIN };
	struct signalfd_siginfo info;

	kill_all(process, SIGTERM);
	while (is_any_left(process) && ev_time_steady_ms() < until) {
		poll(&signals, 1, (int)(until - ev_time_steady_ms()));
		while (read(process->signals, &info, sizeof info) > 0)
			;
	}
	kill_all(process, SIGKILL);
}

/* Those that a service manager or a terminal sends to everybody are for the
   server: it ends in its own time, and we with it. */
static int
take_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT,
	                               SIGPIPE };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t wanted;

	sigemptyset(&ignore.sa_mask);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		sigaction(ignored[i], &ignore, NULL);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGUSR1);
	sigprocmask(SIG_SETMASK, &wanted, NULL);
	return signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Beside the server are the commands that belong to it. */
static void
set_environment(const struct runner_settings *settings)
{
	char folder[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", folder, sizeof folder - 1);
	struct ev_buf path = { 0 };
	const char *old = getenv("PATH");
	char *slash;

	folder[len > 0 ? len : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash) {
		*slash = '\0';
		ev_buf_printf(&path, "%s%s%s", folder, old ? ":" : "",
		              old ? old : "");
		ev_buf_add_char(&path, '\0');
		setenv("PATH", path.ptr, 1);
		ev_buf_release(&path);
	}
	setenv("EV_LOG", settings->log, 1);
	if (settings->rig)
		setenv("EV_RIG", settings->rig, 1);
	/* messages are read by us, and a rate limit is waited for by nobody */
	unsetenv("EV_ERRORS");
	setenv("EV_HTTP_WAIT", "10", 0);
}

void
runner_process(int socket, const struct runner_settings *settings)
{
	struct process process = { .socket = socket, .settings = settings,
	                           .again_ms = AGAIN_MS };

	setsid();
	prctl(PR_SET_NAME, "ev-serve-runner");
	set_environment(settings);
	process.signals = take_signals();
	process.start_at = ev_time_steady_ms();
	if (process.signals < 0)
		_exit(EV_IO);
	do {
		follow(&process);
		start_some(&process);
		/* what it answers wakes us, and then there is room for more */
		look_after_all(&process);
	} while (wait_for_something(&process));
	end_all(&process);
	_exit(0);
}
