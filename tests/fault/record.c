/*
 * Preloaded into a command: writes down in $RECORD, in order, what the command
 * does to the log $RECORD_LOG (its WAL and journal included) and what it
 * prints. A record is a line, and for a write the bytes after it:
 *
 *	OPERATION OFFSET LENGTH SUFFIX
 *
 * W write, T truncate, S sync, U unlink, D sync of the log's folder, P print;
 * SUFFIX is what the file is called beyond the log's own name.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What programs built for large files call. */
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset);
int ftruncate64(int fd, off_t length);

static const char *
suffix_of(const char *path)
{
	const char *log = getenv("RECORD_LOG");
	size_t prefix = log ? strlen(log) : 0;

	if (!prefix || strncmp(path, log, prefix) != 0)
		return NULL;
	path += prefix;
	/* shared memory does not outlive the power, nor must the lock */
	return strcmp(path, "-shm") == 0 || strcmp(path, ".lock") == 0 ? NULL
	                                                               : path;
}

static const char *
path_of(int fd)
{
	static __thread char path[4096];
	char name[64];
	ssize_t len;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	len = readlink(name, path, sizeof path - 1);
	path[len < 0 ? 0 : len] = '\0';
	return path;
}

static int
is_folder(const char *path)
{
	const char *log = getenv("RECORD_LOG");
	size_t len = strlen(path);

	return log && len && strncmp(log, path, len) == 0 && log[len] == '/' &&
	       !strchr(log + len + 1, '/');
}

/* A call that left something out of the record must not go unnoticed. */
static void
record(char operation, off_t offset, const void *bytes, size_t len,
       const char *suffix)
{
	static int fd = -1;
	char line[128];
	struct iovec parts[2] = { { line, 0 }, { (void *)(size_t)bytes, len } };

	if (fd < 0 && getenv("RECORD"))
		fd = open(getenv("RECORD"),
		          O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	parts[0].iov_len = (size_t)snprintf(line, sizeof line,
	                                    "%c %lld %zu %s\n", operation,
	                                    (long long)offset, len, suffix);
	if (syscall(SYS_writev, fd, parts, 2) !=
	    (long)(parts[0].iov_len + len))
		abort();
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	const char *suffix = suffix_of(path_of(fd));
	ssize_t written = syscall(SYS_pwrite64, fd, bytes, len, offset);

	if (suffix && written > 0)
		record('W', offset, bytes, (size_t)written, suffix);
	return written;
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	return pwrite(fd, bytes, len, offset);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	const char *suffix = suffix_of(path_of(fd));
	off_t offset = suffix ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t written = syscall(SYS_write, fd, bytes, len);

	if (suffix && written > 0)
		record('W', offset, bytes, (size_t)written, suffix);
	else if (fd == STDOUT_FILENO && written > 0)
		record('P', 0, bytes, (size_t)written, "");
	return written;
}

int
ftruncate(int fd, off_t length)
{
	const char *suffix = suffix_of(path_of(fd));
	int result = (int)syscall(SYS_ftruncate, fd, length);

	if (suffix && result == 0)
		record('T', length, NULL, 0, suffix);
	return result;
}

int
ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}

static int
record_sync(int fd, int result)
{
	const char *path = path_of(fd);
	const char *suffix = suffix_of(path);

	if (result == 0 && suffix)
		record('S', 0, NULL, 0, suffix);
	else if (result == 0 && is_folder(path))
		record('D', 0, NULL, 0, "");
	return result;
}

int
fsync(int fd)
{
	return record_sync(fd, (int)syscall(SYS_fsync, fd));
}

int
fdatasync(int fd)
{
	return record_sync(fd, (int)syscall(SYS_fdatasync, fd));
}

int
unlink(const char *path)
{
	const char *suffix = suffix_of(path);
	int result = (int)syscall(SYS_unlink, path);

	if (suffix && result == 0)
		record('U', 0, NULL, 0, suffix);
	return result;
}
