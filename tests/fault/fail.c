/*
 * Preloaded into a command: makes one call go wrong. Of the calls on the files
 * of the log $FAULT_LOG (the log itself, its WAL, its journal, its lock), the
 * one with the number $FAULT_AT, from 1, fails with the error number
 * $FAULT_ERROR. With `short` in its place it does half of the work, with `stop`
 * the process stops there until it gets SIGCONT. $FAULT_CALL counts only calls
 * of that name: open, read, write, truncate or sync. When it has happened, the
 * file $FAULT_MARK says where.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What programs built for large files call. */
int open64(const char *path, int flags, ...);
ssize_t pread64(int fd, void *bytes, size_t len, off_t offset);
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset);
int ftruncate64(int fd, off_t length);

enum fault { NONE, ERROR, SHORT };

static void
mark(const char *call, const char *file)
{
	const char *path = getenv("FAULT_MARK");
	char text[300];
	int fd, len;

	if (!path)
		return;
	len = snprintf(text, sizeof text, "%s LOG%s\n", call, file);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path,
	                  O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || syscall(SYS_write, fd, text, len) != len)
		abort();
	syscall(SYS_close, fd);
}

/* Sets errno for ERROR. */
static enum fault
happen(const char *call, const char *path)
{
	static int calls;
	const char *log = getenv("FAULT_LOG"), *at = getenv("FAULT_AT");
	const char *only = getenv("FAULT_CALL"), *what = getenv("FAULT_ERROR");
	size_t prefix = log ? strlen(log) : 0;

	if (!prefix || !at || !what || strncmp(path, log, prefix) != 0 ||
	    (only && strcmp(only, call) != 0))
		return NONE;
	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) !=
	    (int)strtol(at, NULL, 10))
		return NONE;
	mark(call, path + prefix);
	if (strcmp(what, "stop") == 0) {
		raise(SIGSTOP);
		return NONE;
	}
	if (strcmp(what, "short") == 0)
		return SHORT;
	errno = (int)strtol(what, NULL, 10);
	return ERROR;
}

static enum fault
happen_to(const char *call, int fd)
{
	char name[64], path[4096];
	ssize_t len;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	len = readlink(name, path, sizeof path - 1);
	path[len < 0 ? 0 : len] = '\0';
	return happen(call, path);
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (happen("open", path) == ERROR)
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return open(path, flags, mode);
}

ssize_t
pread(int fd, void *bytes, size_t len, off_t offset)
{
	enum fault fault = happen_to("read", fd);

	if (fault == ERROR)
		return -1;
	return syscall(SYS_pread64, fd, bytes,
	               fault == SHORT ? len / 2 : len, offset);
}

ssize_t
pread64(int fd, void *bytes, size_t len, off_t offset)
{
	return pread(fd, bytes, len, offset);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	enum fault fault = happen_to("write", fd);

	if (fault == ERROR)
		return -1;
	return syscall(SYS_pwrite64, fd, bytes,
	               fault == SHORT ? len / 2 : len, offset);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	return pwrite(fd, bytes, len, offset);
}

int
ftruncate(int fd, off_t length)
{
	if (happen_to("truncate", fd) == ERROR)
		return -1;
	return (int)syscall(SYS_ftruncate, fd, length);
}

int
ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}

int
fsync(int fd)
{
	if (happen_to("sync", fd) == ERROR)
		return -1;
	return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	if (happen_to("sync", fd) == ERROR)
		return -1;
	return (int)syscall(SYS_fdatasync, fd);
}
