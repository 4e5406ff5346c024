#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "adapter/sqlite/log.h"

static enum ev_status
open_lock(struct log *log, struct ev_err *err)
{
	struct stat info;

	log->lock_fd = open(log->lock_path,
	                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (log->lock_fd < 0 && errno == ELOOP)
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot lock '%s': it is a symbolic link, "
		                  "remove it", log->lock_path);
	if (log->lock_fd < 0)
		return ev_err_set(err, errno == ENOSPC || errno == EROFS ||
		                  errno == EDQUOT ? EV_IO : EV_UNREACHABLE,
		                  "cannot open '%s': %s", log->lock_path,
		                  strerror(errno));
	if (fstat(log->lock_fd, &info) != 0 || !S_ISREG(info.st_mode)) {
		close(log->lock_fd);
		log->lock_fd = -1;
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot lock '%s': it is no plain file",
		                  log->lock_path);
	}
	return EV_OK;
}

/* "process 4711 (ev-append)", as far as the kernel tells. */
static void
name_holder(int fd, char *text, size_t size)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[64], name[64] = "";
	FILE *file;

	snprintf(text, size, "another process");
	if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK ||
	    lock.l_pid <= 0)
		return;
	snprintf(path, sizeof path, "/proc/%ld/comm", (long)lock.l_pid);
	if ((file = fopen(path, "re"))) {
		if (fgets(name, sizeof name, file))
			name[strcspn(name, "\n")] = '\0';
		fclose(file);
	}
	snprintf(text, size, "process %ld%s%s%s", (long)lock.l_pid,
	         *name ? " (" : "", name, *name ? ")" : "");
}

static void
on_alarm(int signal)
{
	(void)signal;
}

/*
 * Waits in the kernel's queue, which serves first come, first served. A timer
 * interrupts the wait again and again (once could come before it begins), so
 * that its end and a signal to stop are noticed.
 */
static bool
wait_in_queue(struct log *log, struct flock *lock)
{
	int tick_ms = log->wait_ms < 50 ? log->wait_ms : 50;
	struct itimerval tick = { { 0, tick_ms * 1000 }, { 0, tick_ms * 1000 } };
	struct itimerval old_tick;
	struct sigaction action = { .sa_handler = on_alarm }, old_action;
	int64_t end = ev_time_steady_ms() + log->wait_ms;
	bool locked = false;

	sigaction(SIGALRM, &action, &old_action);
	setitimer(ITIMER_REAL, &tick, &old_tick);
	for (;;) {
		locked = fcntl(log->lock_fd, F_SETLKW, lock) == 0;
		if (locked || (errno != EINTR && errno != EDEADLK) ||
		    ev_time_steady_ms() >= end || (log->stop && *log->stop))
			break;
	}
	setitimer(ITIMER_REAL, &old_tick, NULL);
	sigaction(SIGALRM, &old_action, NULL);
	return locked;
}

static enum ev_status
take_lock(struct log *log, struct ev_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char holder[160];

	if (fcntl(log->lock_fd, F_SETLK, &lock) == 0)
		return EV_OK;
	if (errno != EACCES && errno != EAGAIN)
		return ev_err_set(err, EV_UNREACHABLE, "cannot lock '%s': %s",
		                  log->lock_path, strerror(errno));
	if (log->wait_ms > 0 && wait_in_queue(log, &lock))
		return EV_OK;
	name_holder(log->lock_fd, holder, sizeof holder);
	if (log->stop && *log->stop)
		return ev_err_set(err, EV_BUSY,
		                  "cannot write to '%s': told to stop while "
		                  "%s held its lock", log->path, holder);
	return ev_err_set(err, EV_BUSY,
	                  "cannot write to '%s': %s holds its lock, waited "
	                  "%.1f s, try again", log->path, holder,
	                  log->wait_ms / 1000.0);
}

enum ev_status
log_lock(struct log *log, struct ev_err *err)
{
	enum ev_status status;
	struct stat info;

	for (;;) {
		if (log->lock_fd < 0 && (status = open_lock(log, err)))
			return status;
		if ((status = take_lock(log, err)))
			return status;
		/* a lock on a file that somebody removed locks nobody out */
		if (fstat(log->lock_fd, &info) == 0 && info.st_nlink > 0)
			return EV_OK;
		close(log->lock_fd);
		log->lock_fd = -1;
	}
}

void
log_unlock(struct log *log)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(log->lock_fd, F_SETLK, &lock);
}

/* Of fixed width, so that a shorter number leaves nothing of a longer one. A
   doorbell that fails to ring costs watchers a second, not an event. */
void
log_ring(struct log *log, int64_t position)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%020lld\n",
	                   (long long)position);

	if (pwrite(log->lock_fd, text, (size_t)len, 0) != len)
		return;
}

enum { NET_MS = 1000 }; /* how late a lost wake-up is noticed */

/*
 * Watches the doorbell or, as long as there is none, the nearest folder above
 * it that exists, where it or the way to it must appear.
 */
static void
watch_doorbell(struct log *log)
{
	char path[PATH_MAX];
	char *slash;

	if (log->notify_watch >= 0)
		return;
	log->notify_watch = inotify_add_watch(log->notify_fd, log->lock_path,
	                                      IN_MODIFY | IN_DELETE_SELF |
	                                      IN_MOVE_SELF);
	if (log->notify_watch >= 0)
		return;
	snprintf(path, sizeof path, "%s", log->lock_path);
	while ((slash = strrchr(path, '/'))) {
		const char *folder = slash == path ? "/" : path;

		*slash = '\0';
		if (inotify_add_watch(log->notify_fd, folder,
		                      IN_CREATE | IN_MOVED_TO) >= 0)
			break;
	}
}

/* Empties the queue; a doorbell that is gone is looked for again. */
static void
drain(struct log *log)
{
	_Alignas(struct inotify_event) char buffer[4096];
	ssize_t len;

	while ((len = read(log->notify_fd, buffer, sizeof buffer)) > 0) {
		for (char *p = buffer; p < buffer + len;) {
			struct inotify_event *event = (void *)p;

			if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF |
			                   IN_IGNORED))
				log->notify_watch = -1;
			p += sizeof *event + event->len;
		}
	}
}

static bool
is_longer(struct log *log, int64_t position)
{
	struct ev_head head;
	struct ev_err ignored;

	return log_head(&log->store, &head, &ignored) == EV_OK &&
	       head.position > position;
}

enum ev_status
log_wait(struct ev_store *store, int64_t position, int timeout_ms,
         struct pollfd *others, size_t count, struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct pollfd few[8], *fds = few;
	int net = timeout_ms < 0 || timeout_ms > NET_MS ? NET_MS : timeout_ms;
	int ready, error;
	bool rang;

	if (log->notify_fd < 0) {
		log->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		log->notify_watch = -1;
		if (log->notify_fd < 0)
			return ev_err_set(err, EV_IO,
			                  "cannot watch '%s': %s", log->path,
			                  strerror(errno));
	}
	/* first the watch, then a look: what is committed in between rings */
	if (log->notify_watch < 0) {
		watch_doorbell(log);
		if (is_longer(log, position))
			return EV_OK;
	}
	if (count >= sizeof few / sizeof *few)
		fds = ev_mem_alloc((count + 1) * sizeof *fds);
	fds[0] = (struct pollfd){ .fd = log->notify_fd, .events = POLLIN };
	if (count)
		memcpy(fds + 1, others, count * sizeof *fds);
	ready = poll(fds, count + 1, net);
	error = ready < 0 ? errno : 0;
	if ((rang = ready > 0 && fds[0].revents))
		drain(log);
	for (size_t i = 0; i < count; i++)
		others[i].revents = ready > 0 ? fds[i + 1].revents : 0;
	if (fds != few)
		free(fds);
	if (error && error != EINTR)
		return ev_err_set(err, EV_IO, "cannot wait for '%s': %s",
		                  log->path, strerror(error));
	if (rang || error)
		return EV_OK;
	return ready || net == timeout_ms ? EV_NO : EV_OK;
}
