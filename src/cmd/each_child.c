#include "cmd/each_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, GRACE_MS = 5000, LEFT_MAX = 1 << 20 };

extern char **environ;

static bool
write_all(int fd, struct ev_str bytes)
{
	while (bytes.len) {
		ssize_t len = write(fd, bytes.ptr, bytes.len);

		if (len < 0 && errno == EAGAIN) {
			struct pollfd ready = { .fd = fd, .events = POLLOUT };

			poll(&ready, 1, 1000);
		} else if (len < 0 && errno != EINTR) {
			return false;
		} else if (len > 0) {
			bytes.ptr += len;
			bytes.len -= (size_t)len;
		}
	}
	return true;
}

/* A file in memory: however long the event is and whoever reads it, nobody
   waits. */
static int
make_input(struct ev_str input)
{
	int fd = (int)syscall(SYS_memfd_create, "event", 1U /* CLOEXEC */);

	if (fd < 0)
		return -1;
	if (!write_all(fd, input) || !write_all(fd, EV_STR("\n")) ||
	    lseek(fd, 0, SEEK_SET) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The child's way to its command. What goes wrong goes into `failed`. */
static void
become_command(const struct each_guard *guard, char **command,
               char **environment, pid_t parent, int input, int errors,
               int failed)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int error;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* it may have ended before that took effect */
	if (getppid() != parent)
		_exit(127);
	if (!each_guard_add(guard, getpid())) {
		error = ECANCELED;
		goto failed;
	}
	sigemptyset(&action.sa_mask);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(input, STDIN_FILENO) >= 0 &&
	    dup2(errors, STDERR_FILENO) >= 0) {
		environ = environment;
		execvp(*command, command);
	}
	error = errno;
failed:
	write_all(failed, (struct ev_str){ (char *)&error, sizeof error });
	_exit(127);
}

static bool
make_pipe(int fds[2])
{
	return pipe(fds) == 0 && fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0;
}

static enum ev_status
fail(struct ev_err *err, const char *what)
{
	return ev_err_set(err, EV_IO, "cannot %s: %s", what, strerror(errno));
}

/* Waits until it has become its command, or cannot. */
static int
read_failure(int fd)
{
	int error = 0;
	ssize_t len;

	do
		len = read(fd, &error, sizeof error);
	while (len < 0 && errno == EINTR);
	return len == sizeof error ? error : 0;
}

static enum ev_status
what_it_means(int error)
{
	switch (error) {
	case E2BIG:
		return EV_BAD_INPUT;
	case ECANCELED:
		return EV_CONFLICT;
	case EAGAIN:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return EV_IO;
	}
	return EV_UNREACHABLE;
}

enum ev_status
each_child_start(struct each_child *child, const struct each_guard *guard,
                 char **command, char **environment, struct ev_str input,
                 struct ev_err *err)
{
	int errors[2] = { -1, -1 }, failed[2] = { -1, -1 };
	int in = make_input(input), error;
	enum ev_status status = EV_OK;
	pid_t parent = getpid(), pid;

	if (in < 0)
		return fail(err, "hold an event in memory");
	if (!make_pipe(errors) || !make_pipe(failed)) {
		status = fail(err, "make a pipe");
		goto done;
	}
	pid = fork();
	if (pid < 0) {
		status = fail(err, "start a process");
		goto done;
	}
	if (pid == 0)
		become_command(guard, command, environment, parent, in,
		               errors[1], failed[1]);
	close(failed[1]);
	failed[1] = -1;
	error = read_failure(failed[0]);
	if (error) {
		each_guard_remove(guard, pid);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		status = ev_err_set(err, what_it_means(error),
		                    "cannot run '%s': %s", *command,
		                    strerror(error));
		goto done;
	}
	fcntl(errors[0], F_SETFL, O_NONBLOCK);
	child->pid = pid;
	child->errors = errors[0];
	child->end_at = 0;
	child->told = CHILD_FREE;
	child->timed_out = child->lapsed = false;
	ev_buf_reset(&child->line);
	ev_buf_reset(&child->last);
	errors[0] = -1;
done:
	close(in);
	for (int i = 0; i < 2; i++) {
		if (errors[i] >= 0)
			close(errors[i]);
		if (failed[i] >= 0)
			close(failed[i]);
	}
	return status;
}

static bool
says_something(struct ev_str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr(" \t\r", line.ptr[i]))
			return true;
	return false;
}

static void
note_line(struct each_child *child, struct ev_str line)
{
	if (!says_something(line))
		return;
	ev_buf_reset(&child->last);
	if (line.len > EACH_REASON_MAX)
		line.len = EACH_REASON_MAX;
	ev_buf_add_str(&child->last, line);
}

/* Passes whole lines on, so that those of several commands do not mix; one that
   is very long in pieces. */
static void
pass_on(struct each_child *child, bool all)
{
	struct ev_buf *buf = &child->line;
	size_t begin = 0;
	const char *end;

	while (begin < buf->len &&
	       (end = memchr(buf->ptr + begin, '\n', buf->len - begin))) {
		note_line(child, (struct ev_str){
			buf->ptr + begin,
			(size_t)(end - buf->ptr) - begin });
		begin = (size_t)(end - buf->ptr) + 1;
	}
	if (all || buf->len - begin > LINE_MAX_BYTES) {
		note_line(child, (struct ev_str){ buf->ptr + begin,
		                                  buf->len - begin });
		if (all && buf->len > begin)
			ev_buf_add_char(buf, '\n');
		begin = buf->len;
	}
	if (!begin)
		return;
	write_all(STDERR_FILENO, (struct ev_str){ buf->ptr, begin });
	memmove(buf->ptr, buf->ptr + begin, buf->len - begin);
	buf->len -= begin;
}

static ssize_t
read_errors(struct each_child *child)
{
	char bytes[LINE_MAX_BYTES];
	ssize_t len;

	if (child->errors < 0)
		return 0;
	do
		len = read(child->errors, bytes, sizeof bytes);
	while (len < 0 && errno == EINTR);
	if (len > 0) {
		ev_buf_add(&child->line, bytes, (size_t)len);
		pass_on(child, false);
	} else if (len == 0) {
		close(child->errors);
		child->errors = -1;
	}
	return len;
}

void
each_child_relay(struct each_child *child)
{
	read_errors(child);
}

bool
each_child_has_ended(struct each_child *child, const struct each_guard *guard,
                     int *code)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)child->pid, &info,
	           WEXITED | WNOHANG | WNOWAIT) != 0 || !info.si_pid)
		return false;
	/* as long as nobody has waited for it, its number is its own */
	if (child->told != CHILD_FREE)
		kill(-child->pid, SIGKILL);
	each_guard_remove(guard, child->pid);
	return waitpid(child->pid, code, 0) == child->pid;
}

void
each_child_tell(struct each_child *child, int64_t now)
{
	if (child->told == CHILD_FREE) {
		kill(-child->pid, SIGTERM);
		child->told = CHILD_TOLD;
		child->end_at = now + GRACE_MS;
	} else {
		each_child_kill(child);
	}
}

void
each_child_kill(struct each_child *child)
{
	kill(-child->pid, SIGKILL);
	child->told = CHILD_KILLED;
	child->end_at = 0;
}

void
each_child_close(struct each_child *child)
{
	size_t left = 0;
	ssize_t len;

	/* what it has started may still write: that is not waited for */
	while (left < LEFT_MAX && (len = read_errors(child)) > 0)
		left += (size_t)len;
	pass_on(child, true);
	if (child->errors >= 0)
		close(child->errors);
	child->errors = -1;
	child->pid = 0;
}

void
each_child_release(struct each_child *child)
{
	ev_buf_release(&child->line);
	ev_buf_release(&child->last);
}
