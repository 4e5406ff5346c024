/*
 * Preloaded into every command of a torture: ends a process at once that
 * writes to the log $GUARD_LOG, its WAL included, without holding the write
 * lock of $GUARD_LOG.lock. Whoever breaks this rule would lose events so seldom
 * that no test of a minute could be relied upon to see it.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What programs built for large files call. */
int fcntl64(int fd, int command, ...);
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset);
int ftruncate64(int fd, off_t length);

static volatile int held;

/* What of the log is open as `fd`: "", "-wal", ".lock" …; NULL: nothing. */
static const char *
part(int fd)
{
	static const char *log;
	static __thread char name[4096];
	char link[64];
	ssize_t len;
	size_t prefix;

	if (!log && !(log = getenv("GUARD_LOG")))
		return NULL;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof name - 1);
	if (len < 0)
		return NULL;
	name[len] = '\0';
	prefix = strlen(log);
	return strncmp(name, log, prefix) == 0 ? name + prefix : NULL;
}

static void
check(int fd, const char *call)
{
	const char *what = part(fd);
	char journal[4200];

	if (!what || held || (*what && strcmp(what, "-wal") != 0))
		return;
	/* what a killed maker of the log left behind is undone by whoever
	   comes first, under SQLite's own locks */
	snprintf(journal, sizeof journal, "%s-journal", getenv("GUARD_LOG"));
	if (access(journal, F_OK) == 0)
		return;
	fprintf(stderr, "guard: %s on '%s%s' without the lock\n", call,
	        getenv("GUARD_LOG"), what);
	abort();
}

static int
control(int fd, int command, void *argument)
{
	const struct flock *wanted = argument;
	int setting = command == F_SETLK || command == F_SETLKW;
	const char *what = setting ? part(fd) : NULL;
	int result;

	if (!what || strcmp(what, ".lock") != 0)
		return (int)syscall(SYS_fcntl, fd, command, argument);
	if (wanted->l_type == F_UNLCK)
		held = 0;
	result = (int)syscall(SYS_fcntl, fd, command, argument);
	if (result == 0 && wanted->l_type == F_WRLCK)
		held = 1;
	return result;
}

#define CONTROL(function) \
	int \
	function(int fd, int command, ...) \
	{ \
		va_list args; \
		void *argument; \
\
		va_start(args, command); \
		argument = va_arg(args, void *); \
		va_end(args); \
		return control(fd, command, argument); \
	}

CONTROL(fcntl)
CONTROL(fcntl64)

/* Closing any descriptor of a file gives up this process's locks on it. */
int
close(int fd)
{
	const char *what = part(fd);

	if (what && strcmp(what, ".lock") == 0)
		held = 0;
	return (int)syscall(SYS_close, fd);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	check(fd, "write");
	return syscall(SYS_write, fd, bytes, len);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	check(fd, "pwrite");
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	return pwrite(fd, bytes, len, offset);
}

int
ftruncate(int fd, off_t length)
{
	check(fd, "ftruncate");
	return (int)syscall(SYS_ftruncate, fd, length);
}

int
ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}
