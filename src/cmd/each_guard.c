#include "cmd/each_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { END_MS = 500 }; /* what is killed may take so long to end */

/* Small enough that a pipe takes it in one piece, whoever writes. */
enum { ADD, REMOVE, DEADLINE };
struct message {
	int what;
	pid_t group;
	int64_t time;
};

struct groups {
	pid_t *list;
	size_t count, room;
	int64_t deadline;
	bool expired; /* and all were killed */
};

int64_t
each_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
take_message(struct groups *groups, const struct message *message)
{
	size_t i = 0;

	if (message->what == DEADLINE) {
		groups->deadline = message->time;
		groups->expired = false;
		return;
	}
	while (i < groups->count && groups->list[i] != message->group)
		i++;
	if (message->what == REMOVE && i < groups->count) {
		groups->list[i] = groups->list[--groups->count];
	} else if (message->what == ADD && i == groups->count) {
		if (groups->count == groups->room) {
			groups->room = groups->room ? 2 * groups->room : 16;
			groups->list = ev_mem_resize(groups->list,
				groups->room * sizeof *groups->list);
		}
		groups->list[groups->count++] = message->group;
		/* it looked at the clock just before */
		if (groups->expired)
			kill(-message->group, SIGKILL);
	}
}

static void
kill_all(const struct groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		kill(-groups->list[i], SIGKILL);
}

/* Ends when nobody can write to us any more. */
/*
 * Whoever takes over must not begin while what was killed still ends. Who does
 * not end, or is reaped by nobody, is not waited for longer than this.
 */
static void
wait_for_all(const struct groups *groups)
{
	const struct timespec nap = { .tv_nsec = 1000 * 1000 };
	int64_t end = each_clock() + END_MS;

	for (size_t i = 0; i < groups->count; i++)
		while (kill(-groups->list[i], 0) == 0 && each_clock() < end)
			nanosleep(&nap, NULL);
}

static void
watch(int fd)
{
	struct groups groups = { .deadline = INT64_MAX };

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int64_t left = groups.expired ? INT64_MAX
		                              : groups.deadline - each_clock();
		struct message message;
		ssize_t len = 0;
		/* a clock that ran while we slept is looked at again */
		int got = poll(&ready, 1, left > 1000 ? 1000
		                          : left > 0 ? (int)left : 0);

		if (got > 0)
			len = read(fd, &message, sizeof message);
		if (got > 0 && len == sizeof message)
			take_message(&groups, &message);
		else if (got > 0 && !(len < 0 && errno == EINTR))
			break;
		if (got == 0 && !groups.expired &&
		    each_clock() >= groups.deadline) {
			kill_all(&groups);
			groups.expired = true;
		}
	}
	kill_all(&groups);
	wait_for_all(&groups);
}

/* Holds nothing of ours, and hears no signal that is meant for us. */
static void
become_guard(int fd)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
	                               SIGTSTP, SIGALRM, SIGUSR1, SIGUSR2,
	                               SIGPIPE };
	int null = open("/dev/null", O_RDWR);

	setsid();
	prctl(PR_SET_NAME, "ev-each guard");
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	/* nobody waits for the end of our output */
	for (int i = 0; null >= 0 && i < 3; i++)
		dup2(null, i);
	watch(fd);
	_exit(0);
}

enum ev_status
each_guard_start(struct each_guard *guard, struct ev_err *err)
{
	int fds[2];

	if (pipe(fds) != 0 || fcntl(fds[1], F_SETFD, FD_CLOEXEC) != 0)
		return ev_err_set(err, EV_IO, "cannot make a pipe: %s",
		                  strerror(errno));
	guard->pid = fork();
	if (guard->pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return ev_err_set(err, EV_IO, "cannot start a process: %s",
		                  strerror(errno));
	}
	if (guard->pid == 0) {
		close(fds[1]);
		become_guard(fds[0]);
	}
	close(fds[0]);
	guard->fd = fds[1];
	guard->deadline = INT64_MAX;
	return EV_OK;
}

static bool
tell(const struct each_guard *guard, int what, pid_t group, int64_t time)
{
	struct message message;
	ssize_t len;

	memset(&message, 0, sizeof message);
	message.what = what;
	message.group = group;
	message.time = time;
	do
		len = write(guard->fd, &message, sizeof message);
	while (len < 0 && errno == EINTR);
	return len == sizeof message;
}

bool
each_guard_add(const struct each_guard *guard, pid_t group)
{
	/* first told, then the clock: at the deadline it is known, or it is too
	   late */
	return tell(guard, ADD, group, 0) && each_clock() < guard->deadline;
}

void
each_guard_remove(const struct each_guard *guard, pid_t group)
{
	/* should it be gone, each_guard_has_ended tells */
	tell(guard, REMOVE, group, 0);
}

void
each_guard_deadline(struct each_guard *guard, int64_t time)
{
	guard->deadline = time;
	tell(guard, DEADLINE, 0, time);
}

bool
each_guard_has_ended(struct each_guard *guard)
{
	if (guard->pid > 0 && waitpid(guard->pid, NULL, WNOHANG) == guard->pid)
		guard->pid = 0;
	return guard->pid == 0;
}

void
each_guard_end(struct each_guard *guard)
{
	if (guard->fd > 0)
		close(guard->fd);
	while (guard->pid > 0 && waitpid(guard->pid, NULL, 0) < 0 &&
	       errno == EINTR)
		;
	*guard = (struct each_guard){ 0 };
}
