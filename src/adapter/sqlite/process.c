#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/sqlite/log.h"

/*
 * A process by four words: the boot of its host, its namespace of process
 * numbers, its number, and when it began, since numbers are used again.
 * What cannot be told is "-".
 */
struct process {
	char boot[40];
	char space[24];
	long number;
	char start[24];
};

static void
read_boot(char boot[40])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || fscanf(file, "%39s", boot) != 1)
		snprintf(boot, 40, "-");
	if (file)
		fclose(file);
}

static void
read_space(char space[24])
{
	struct stat info;

	if (stat("/proc/self/ns/pid", &info) == 0)
		snprintf(space, 24, "%" PRIuMAX, (uintmax_t)info.st_ino);
	else
		snprintf(space, 24, "-");
}

/* The 22nd field; the second can hold anything, but ends in the last ')'.
   Returns the state, or 0 if nothing can be read. */
static char
read_start(long number, char start[24])
{
	char path[64], text[1024], *at;
	FILE *file;
	size_t len;
	char state = 0;

	snprintf(start, 24, "-");
	snprintf(path, sizeof path, "/proc/%ld/stat", number);
	if (!(file = fopen(path, "re")))
		return 0;
	len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[len] = '\0';
	at = strrchr(text, ')');
	if (at && at[1] == ' ' && at[2])
		state = at[2];
	for (int field = 2; at && field < 22; field++)
		if ((at = strchr(at, ' ')))
			at++;
	if (at)
		snprintf(start, 24, "%.*s", (int)strcspn(at, " \n"), at);
	return state;
}

void
process_describe(long number, char owner[LOG_OWNER], char text[LOG_PROCESS])
{
	struct process self;
	char host[100] = "this host";

	if (gethostname(host, sizeof host) != 0)
		snprintf(host, sizeof host, "this host");
	host[sizeof host - 1] = '\0';
	snprintf(owner, LOG_OWNER, "process %ld on %s", (long)getpid(), host);
	read_boot(self.boot);
	read_space(self.space);
	read_start(number, self.start);
	snprintf(text, LOG_PROCESS, "%s %s %ld %s", self.boot, self.space,
	         number, self.start);
}

static bool
parse(struct ev_str text, struct process *process)
{
	char copy[LOG_PROCESS], number[24], *end;

	if (text.len >= sizeof copy)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (sscanf(copy, "%39s %23s %23s %23s", process->boot, process->space,
	           number, process->start) != 4)
		return false;
	process->number = strtol(number, &end, 10);
	return !*end;
}

static bool
differ(const char *a, const char *b)
{
	return strcmp(a, "-") != 0 && strcmp(b, "-") != 0 &&
	       strcmp(a, b) != 0;
}

bool
process_has_ended(struct ev_str text)
{
	struct process holder, self;
	char state;

	if (!parse(text, &holder) || holder.number <= 0)
		return false;
	/* the host was started anew, or this is a copy from another one, whose
	   processes work on the original */
	read_boot(self.boot);
	if (differ(holder.boot, self.boot))
		return true;
	/* numbers of another container mean nothing here */
	read_space(self.space);
	if (strcmp(holder.space, self.space) != 0)
		return false;
	if (kill((pid_t)holder.number, 0) != 0 && errno == ESRCH)
		return true;
	state = read_start(holder.number, self.start);
	return state == 'Z' || state == 'X' || differ(holder.start, self.start);
}

bool
process_is(struct ev_str text, long number)
{
	struct process holder, self;

	if (!parse(text, &holder) || holder.number != number)
		return false;
	read_boot(self.boot);
	read_space(self.space);
	read_start(number, self.start);
	return !differ(holder.boot, self.boot) &&
	       !differ(holder.space, self.space) &&
	       !differ(holder.start, self.start);
}

int64_t
process_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
