/*
 * Cuts the power of a mounted ext4: what is not on the disk yet stays off it,
 * the journal included, and from now on every write fails.
 *
 * usage: powercut FOLDER FILE
 *
 * FOLDER is on that file system, FILE elsewhere. Prints how many bytes FILE had
 * before the power went: what was said afterwards was never said. Exit status:
 * 0 done, 2 not.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* EXT4_IOC_SHUTDOWN and its EXT4_GOING_FLAGS_NOLOGFLUSH, which no header of
   the C library has. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
static const uint32_t no_log_flush = 2;

int
main(int argc, char **argv)
{
	struct stat info;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: powercut FOLDER FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (fd < 0 || stat(argv[2], &info) != 0) {
		perror("powercut: cannot look");
		return 2;
	}
	if (ioctl(fd, SHUTDOWN, &no_log_flush) != 0) {
		perror("powercut: cannot cut");
		return 2;
	}
	close(fd);
	printf("%lld\n", (long long)info.st_size);
	return fflush(stdout) == 0 ? 0 : 2;
}
