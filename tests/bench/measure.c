/*
 * Times whole commands. Each figure is a median over runs that alternate
 * between a command and its peer, so that a machine whose speed drifts slows
 * both; the ratio is the median of the ratios of neighbours.
 *
 *	measure pair ROUNDS A B      whole runs, in milliseconds
 *	measure memory A             peak memory of one run, in KiB
 *	measure crowd N TIMES A      N processes at once, each runs A TIMES times
 *	measure latency N APPEND WATCH
 *	                             from a receipt to the watcher's line
 *
 * A command's words are split at tabs, if it has any, else at spaces; no shell
 * reads it. Standard output goes to /dev/null.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
run(const char *command)
{
	char *words[256], *copy = strdup(command), *word, *rest = copy;
	int count = 0;

	while (count < 255 &&
	       (word = strsep(&rest, strchr(command, '\t') ? "\t" : " ")))
		if (*word)
			words[count++] = word;
	words[count] = NULL;
	execvp(words[0], words);
	_exit(127);
}

static pid_t
start(const char *command, int in, int out)
{
	pid_t child = vfork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(in < 0 ? null : in, 0);
		dup2(out < 0 ? null : out, 1);
		run(command);
	}
	return child;
}

/* Waits; a command that fails would make its figure a lie. */
static void
finish(pid_t child, const char *command, struct rusage *usage)
{
	struct rusage ignored;
	int status;

	if (wait4(child, &status, 0, usage ? usage : &ignored) != child)
		die("wait");
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "measure: failed with %d: %s\n",
		        WIFEXITED(status) ? WEXITSTATUS(status) : -1, command);
		exit(1);
	}
}

static double
time_run(const char *command)
{
	double begin = now_us();

	finish(start(command, -1, -1), command, NULL);
	return now_us() - begin;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
quantile(double *list, int count, double part)
{
	qsort(list, (size_t)count, sizeof *list, compare);
	return list[(int)((count - 1) * part)];
}

static int
pair(int rounds, const char *a, const char *b)
{
	double *times = calloc((size_t)rounds * 3, sizeof *times);

	time_run(a);
	time_run(b);
	for (int i = 0; i < rounds; i++) {
		times[i] = time_run(a);
		times[rounds + i] = time_run(b);
		times[2 * rounds + i] = times[i] / times[rounds + i];
	}
	printf("%.3f %.3f %.3f\n", quantile(times, rounds, 0.5) / 1e3,
	       quantile(times + rounds, rounds, 0.5) / 1e3,
	       quantile(times + 2 * rounds, rounds, 0.5));
	return 0;
}

static int
memory(const char *command)
{
	struct rusage usage;

	finish(start(command, -1, -1), command, &usage);
	printf("%ld\n", usage.ru_maxrss);
	return 0;
}

static int
crowd(int processes, int times, const char *command)
{
	double begin = now_us(), worst = 0, one;
	int fds[2];

	if (pipe(fds))
		die("pipe");
	for (int p = 0; p < processes; p++) {
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (child == 0) {
			double mine = 0;

			for (int i = 0; i < times; i++) {
				one = time_run(command);
				if (one > mine)
					mine = one;
			}
			_exit(write(fds[1], &mine, sizeof mine) !=
			      sizeof mine);
		}
	}
	close(fds[1]);
	for (int p = 0; p < processes; p++) {
		if (read(fds[0], &one, sizeof one) != sizeof one) {
			fprintf(stderr, "measure: a process of the crowd "
			        "failed\n");
			return 1;
		}
		if (one > worst)
			worst = one;
	}
	printf("%.3f %.3f\n", (now_us() - begin) / 1e3, worst / 1e3);
	while (wait(NULL) > 0)
		;
	return 0;
}

/* When a whole line has come. */
static double
read_line(int fd)
{
	char buffer[65536];
	ssize_t got;

	do {
		got = read(fd, buffer, sizeof buffer);
		if (got <= 0)
			die("read");
	} while (buffer[got - 1] != '\n');
	return now_us();
}

static int
latency(int count, const char *append, const char *watch)
{
	static const char event[] =
		"{\"type\":\"HEARTBEAT\",\"agentId\":\"a\"}\n";
	double *times = calloc((size_t)count, sizeof *times);
	int in[2], receipts[2], lines[2];
	pid_t appender, watcher;

	if (pipe(in) || pipe(receipts) || pipe(lines))
		die("pipe");
	fcntl(in[1], F_SETFD, FD_CLOEXEC);
	fcntl(receipts[0], F_SETFD, FD_CLOEXEC);
	fcntl(lines[0], F_SETFD, FD_CLOEXEC);
	watcher = start(watch, -1, lines[1]);
	appender = start(append, in[0], receipts[1]);
	usleep(300000);
	for (int i = 0; i < count; i++) {
		struct pollfd fds[2] = {
			{ .fd = receipts[0], .events = POLLIN },
			{ .fd = lines[0], .events = POLLIN },
		};
		double at[2] = { 0, 0 };

		if (write(in[1], event, sizeof event - 1) < 0)
			die("write");
		while (!at[0] || !at[1]) {
			poll(fds, 2, -1);
			for (int k = 0; k < 2; k++)
				if (fds[k].revents) {
					at[k] = read_line(fds[k].fd);
					fds[k].fd = -1;
				}
		}
		times[i] = at[1] > at[0] ? at[1] - at[0] : 0;
	}
	printf("%.4f %.4f\n", quantile(times, count, 0.5) / 1e3,
	       quantile(times, count, 0.99) / 1e3);
	kill(watcher, 15);
	kill(appender, 15);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "pair") == 0)
		return pair((int)strtol(argv[2], NULL, 10), argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return memory(argv[2]);
	if (argc == 5 && strcmp(argv[1], "crowd") == 0)
		return crowd((int)strtol(argv[2], NULL, 10),
		             (int)strtol(argv[3], NULL, 10), argv[4]);
	if (argc == 5 && strcmp(argv[1], "latency") == 0)
		return latency((int)strtol(argv[2], NULL, 10), argv[3], argv[4]);
	fprintf(stderr, "usage: measure pair|memory|crowd|latency …\n");
	return 64;
}
