/*
 *	crashstates RECORD FOLDER STATES SEED
 *
 * What the disk may hold after a crash. RECORD is what record.c wrote down. For
 * STATES points in it, drawn by SEED, the log is laid out in FOLDER as a disk
 * may have it that loses power there: all that was synced, and of each later
 * write all, nothing, or some of its sectors; a truncation or the removal of a
 * file counts only if synced, or by chance. Then the log must be whole, hold
 * every event that a receipt was printed for before that point, and take one
 * more. Prints the bad states, and exits with 1 if there were any.
 *
 * That a new file's own sync keeps its name, too, is taken for granted, as
 * file systems with a journal do it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTOR = 512, FILES = 3, SHOWN = 5 };

struct step {
	char operation;
	int file;
	size_t offset;
	size_t len;
	const char *bytes;
};

struct bytes {
	char *ptr;
	size_t len, room;
};

/* A file of the log. What is on the disk for sure, and what was done since. */
struct file {
	const char *suffix;
	struct bytes disk, state;
	size_t since; /* the first step that is not synced */
	bool exists;  /* as its user sees it */
	bool named;   /* its name is on the disk */
};

struct replay {
	const char *folder;
	struct step *steps;
	size_t count;
	struct file files[FILES];
	char **ids; /* by position: the event that was acknowledged */
	size_t acknowledged, room;
};

static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
	/* SplitMix64 */
	uint64_t z = seed += 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return (z ^ (z >> 31)) % below;
}

static void
die(const char *what, const char *subject)
{
	fprintf(stderr, "crashstates: %s '%s'\n", what, subject);
	exit(74);
}

static void *
grow(void *ptr, size_t size)
{
	ptr = realloc(ptr, size);
	if (!ptr)
		die("out of memory for", "the record");
	return ptr;
}

static void
resize(struct bytes *bytes, size_t len)
{
	if (len > bytes->room) {
		bytes->room = len * 2;
		bytes->ptr = grow(bytes->ptr, bytes->room);
	}
	if (len > bytes->len)
		memset(bytes->ptr + bytes->len, 0, len - bytes->len);
	bytes->len = len;
}

static void
put(struct bytes *bytes, size_t offset, const char *from, size_t len)
{
	if (!len)
		return;
	if (offset + len > bytes->len)
		resize(bytes, offset + len);
	memcpy(bytes->ptr + offset, from, len);
}

static void
apply(struct bytes *bytes, const struct step *step)
{
	if (step->operation == 'T')
		resize(bytes, step->offset);
	else
		put(bytes, step->offset, step->bytes, step->len);
}

/* Some of the sectors that the write touches, each for itself. */
static void
apply_torn(struct bytes *bytes, const struct step *step)
{
	size_t from = 0;

	while (from < step->len) {
		size_t len = SECTOR - (step->offset + from) % SECTOR;

		if (len > step->len - from)
			len = step->len - from;
		if (draw(2))
			put(bytes, step->offset + from, step->bytes + from,
			    len);
		from += len;
	}
}

static bool
changes(const struct replay *replay, size_t step, int file)
{
	char operation = replay->steps[step].operation;

	return (operation == 'W' || operation == 'T') &&
	       replay->steps[step].file == file;
}

/* Everything done to the file before the step `end` is on the disk. */
static void
settle(struct replay *replay, int which, size_t end)
{
	struct file *file = &replay->files[which];

	for (size_t i = file->since; i < end; i++)
		if (changes(replay, i, which))
			apply(&file->disk, &replay->steps[i]);
	file->since = end;
}

/* The value of the member, as text that ends at a quote or comma. */
static const char *
member(const char *line, const char *name, size_t *len)
{
	const char *value = strstr(line, name);

	if (!value)
		die("no receipt or event:", line);
	value += strlen(name);
	*len = strcspn(value, "\",}");
	return value;
}

static size_t
position_of(const char *line)
{
	size_t len;

	return (size_t)strtoull(member(line, "\"position\":", &len), NULL, 10);
}

static char *
id_of(const char *line)
{
	size_t len;
	const char *id = member(line, "\"id\":\"", &len);
	char *copy = grow(NULL, len + 1);

	memcpy(copy, id, len);
	copy[len] = '\0';
	return copy;
}

static void
note_receipts(struct replay *replay, const struct step *step)
{
	const char *line = step->bytes, *end = step->bytes + step->len;
	const char *newline;

	for (; line < end; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			die("half a receipt:", "printed");
		if (position_of(line) != replay->acknowledged + 1)
			die("a receipt out of turn:", id_of(line));
		if (replay->acknowledged + 1 >= replay->room) {
			replay->room = replay->room * 2 + 64;
			replay->ids = grow(replay->ids,
			                   replay->room * sizeof(char *));
		}
		replay->ids[++replay->acknowledged] = id_of(line);
	}
}

static void
take(struct replay *replay, size_t i)
{
	const struct step *step = &replay->steps[i];
	struct file *file = &replay->files[step->file];

	switch (step->operation) {
	case 'P':
		note_receipts(replay, step);
		break;
	case 'W':
	case 'T':
		/* a new file by the name of one that was removed */
		if (!file->exists) {
			file->exists = true;
			file->named = false;
			file->disk.len = 0;
			file->since = i;
		}
		break;
	case 'S':
		settle(replay, step->file, i);
		file->named = file->exists;
		break;
	case 'U':
		file->exists = false;
		break;
	case 'D':
		for (int f = 0; f < FILES; f++)
			replay->files[f].named = replay->files[f].exists;
		break;
	}
}

static void
path_to(char *path, size_t size, const struct replay *replay,
        const char *suffix)
{
	snprintf(path, size, "%s/log.db%s", replay->folder, suffix);
}

/* One of the things that the disk may hold for the file after `end` steps. */
static void
lay_out(struct replay *replay, int which, size_t end)
{
	struct file *file = &replay->files[which];
	struct bytes *state = &file->state;
	char path[4096];
	FILE *out;

	path_to(path, sizeof path, replay, file->suffix);
	remove(path);
	/* created or removed, and neither is on the disk for sure */
	if (!file->named && !(file->exists && draw(2)))
		return;
	if (file->named && !file->exists && draw(2))
		return;
	state->len = 0;
	put(state, 0, file->disk.ptr, file->disk.len);
	for (size_t i = file->since; i < end; i++)
		if (changes(replay, i, which))
			switch (draw(3)) {
			case 0:
				apply(state, &replay->steps[i]);
				break;
			case 1:
				if (replay->steps[i].operation == 'W')
					apply_torn(state, &replay->steps[i]);
				break;
			}
	out = fopen(path, "w");
	if (!out || fwrite(state->ptr, 1, state->len, out) != state->len ||
	    fclose(out) != 0)
		die("cannot write", path);
}

static bool
complain(size_t step, const char *what, size_t position)
{
	static int shown;

	if (shown++ < SHOWN)
		printf("crash after step %zu: %s (%zu)\n", step, what,
		       position);
	return false;
}

static int
run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Is every acknowledged event there? */
static bool
check_events(const struct replay *replay, size_t step)
{
	FILE *events = popen("ev-cat 2>&1", "r");
	char *line = NULL;
	size_t room = 0, seen = 0;
	bool good = true;
	int status;

	if (!events)
		die("cannot run", "ev-cat");
	while (good && getline(&line, &room, events) > 0) {
		char *id;

		if (line[0] != '{') {
			good = complain(step, line, seen);
			break;
		}
		id = id_of(line);
		seen++;
		if (position_of(line) != seen)
			good = complain(step, "a hole in the positions", seen);
		else if (seen <= replay->acknowledged &&
		         strcmp(id, replay->ids[seen]) != 0)
			good = complain(step, "another event than acknowledged",
			                seen);
		free(id);
	}
	free(line);
	status = pclose(events);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	/* 1: there are none */
	if (good && status != (seen ? 0 : 1))
		good = complain(step, "ev-cat failed", seen);
	if (good && seen < replay->acknowledged)
		good = complain(step, "acknowledged events are lost",
		                replay->acknowledged - seen);
	return good;
}

static bool
check(const struct replay *replay, size_t step)
{
	char path[4096];

	path_to(path, sizeof path, replay, "");
	/* nothing promised, nothing there */
	if (access(path, F_OK) != 0) {
		if (replay->acknowledged)
			return complain(step, "the log is gone", 0);
	} else if (!check_events(replay, step)) {
		return false;
	} else if (run("ev-verify >&2") != 0) {
		return complain(step, "ev-verify says damaged", 0);
	}
	if (run("ev-append -q CI_FAILED repo=acme/app issueNumber:=1"
	        " prNumber:=1") != 0)
		return complain(step, "it takes no more events", 0);
	if (run("ev-verify >&2") != 0)
		return complain(step, "damaged by the next append", 0);
	return true;
}

static void
read_steps(struct replay *replay, const char *path)
{
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t got;

	if (!in)
		die("cannot read", path);
	while ((got = getline(&line, &room, in)) > 0) {
		struct step step = { .operation = line[0] };
		char *bytes, *end = line + 1;

		line[got - 1] = '\0';
		step.offset = (size_t)strtoull(end, &end, 10);
		step.len = (size_t)strtoull(end, &end, 10);
		while (step.file < FILES &&
		       strcmp(replay->files[step.file].suffix, end + 1) != 0)
			step.file++;
		if (*end != ' ' || step.file == FILES)
			die("unknown record", line);
		bytes = grow(NULL, step.len + 1);
		if (fread(bytes, 1, step.len, in) != step.len)
			die("the record is cut short:", path);
		bytes[step.len] = '\0';
		step.bytes = bytes;
		if (replay->count % 1024 == 0)
			replay->steps = grow(replay->steps,
			                     (replay->count + 1024) *
			                     sizeof *replay->steps);
		replay->steps[replay->count++] = step;
	}
	free(line);
	fclose(in);
	if (!replay->count)
		die("nothing recorded in", path);
}

static int
compare_sizes(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	struct replay replay = { .files = { { .suffix = "" },
	                                    { .suffix = "-wal" },
	                                    { .suffix = "-journal" } } };
	size_t states, bad = 0, done = 0, *points;
	char path[4096];

	if (argc != 5) {
		fputs("usage: crashstates RECORD FOLDER STATES SEED\n", stderr);
		return 64;
	}
	replay.folder = argv[2];
	states = (size_t)strtoull(argv[3], NULL, 10);
	seed = strtoull(argv[4], NULL, 10);
	read_steps(&replay, argv[1]);
	path_to(path, sizeof path, &replay, "");
	setenv("EV_LOG", path, 1);

	points = grow(NULL, (states + 1) * sizeof *points);
	for (size_t i = 0; i < states; i++)
		points[i] = 1 + (size_t)draw(replay.count);
	qsort(points, states, sizeof *points, compare_sizes);
	for (size_t i = 0; i < states; i++) {
		for (; done < points[i]; done++)
			take(&replay, done);
		path_to(path, sizeof path, &replay, "-shm");
		remove(path);
		for (int f = 0; f < FILES; f++)
			lay_out(&replay, f, done);
		bad += !check(&replay, done);
	}
	free(points);
	printf("%zu states of %zu steps and %zu receipts, %zu of them bad\n",
	       states, replay.count, replay.acknowledged, bad);
	return bad > 0;
}
