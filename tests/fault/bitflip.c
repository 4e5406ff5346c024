/*
 * Flips bits of a log, one at a time. Each time, ev-verify says whether the log
 * is whole, and we read it with SQLite alone, in all the ways that readers do.
 * When a read differs from what the whole log gave, or fails, ev-verify must
 * have said so, or refused the file.
 *
 * usage: bitflip LOG SEED COUNT PARTS PART EV-VERIFY [ARGUMENT...]
 *
 * Does share PART, from 0, of COUNT flips in PARTS shares. LOG is one file, its
 * WAL empty; it is not touched. Prints each miss, and a line with the counts.
 * Exit status: 0 no miss, 1 misses, 2 it could not be tried.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { SECONDS_MOST = 5, KEYS_MOST = 3, ARGUMENTS_MOST = 8 };

/* `sql` is run for each row of `keys`, if there are keys. */
static const struct reading {
	const char *name;
	const char *sql;
	const char *keys;
} readings[] = {
	{ "a scan of the events",
	  "SELECT position, type, line FROM event ORDER BY position", NULL },
	{ "an event by its position",
	  "SELECT type, line FROM event WHERE position = ?1",
	  "SELECT position FROM event" },
	{ "a stream",
	  "SELECT e.line FROM stream_event s JOIN event e"
	  " ON e.position = s.position WHERE s.stream ="
	  " (SELECT first FROM stream WHERE name = ?1) ORDER BY s.version",
	  "SELECT name FROM stream" },
	{ "a version of a stream",
	  "SELECT position FROM stream_event WHERE stream = ?1"
	  " AND version = ?2", "SELECT stream, version FROM stream_event" },
	{ "the names of streams", "SELECT name, first FROM stream ORDER BY name",
	  NULL },
	{ "an event by its id", "SELECT position FROM event_id WHERE id = ?1",
	  "SELECT id FROM event_id" },
	{ "a posting",
	  "SELECT position, more FROM posting WHERE kind = ?1 AND value = ?2"
	  " ORDER BY position", "SELECT DISTINCT kind, value FROM posting" },
	{ "one commit's posting",
	  "SELECT more FROM posting WHERE kind = ?1 AND value = ?2"
	  " AND position = ?3", "SELECT kind, value, position FROM posting" },
	{ "a type by its name",
	  "SELECT t.id, t.version FROM type t JOIN definition d"
	  " ON d.id = t.definition WHERE d.catalog || '/' || t.name = ?1",
	  "SELECT d.catalog || '/' || t.name FROM type t JOIN definition d"
	  " ON d.id = t.definition" },
	{ "a type by its definition",
	  "SELECT id FROM type WHERE definition = ?1 AND name = ?2"
	  " AND version = ?3", "SELECT definition, name, version FROM type" },
	{ "the catalogs", "SELECT id, hash, catalog, json FROM definition",
	  NULL },
	{ "a catalog by its hash", "SELECT id FROM definition WHERE hash = ?1",
	  "SELECT hash FROM definition" },
	{ "the head", "SELECT position, hash FROM head", NULL },
	{ "the view", "SELECT * FROM events", NULL },
};

enum { READINGS = sizeof readings / sizeof *readings };

/* What the readings gave, as sums; `failed`: SQLite gave no answer. */
struct view {
	uint64_t sum[READINGS];
	bool failed[READINGS];
};

struct keys {
	sqlite3_value *(*rows)[KEYS_MOST];
	size_t count;
	int columns;
};

static struct keys keys[READINGS];
static unsigned char *image;
static size_t image_size;
static char copy[64];

static void
remove_copy(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal",
	                                    ".lock" };
	char name[sizeof copy + 16];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		snprintf(name, sizeof name, "%s%s", copy, ends[i]);
		unlink(name);
	}
}

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "bitflip: %s: %s\n", what, why);
	exit(2);
}

static uint64_t
mix(uint64_t a)
{
	a += 0x9e3779b97f4a7c15;
	a = (a ^ a >> 30) * 0xbf58476d1ce4e5b9;
	a = (a ^ a >> 27) * 0x94d049bb133111eb;
	return a ^ a >> 31;
}

static uint64_t
add_bytes(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ at[i]) * 0x100000001b3;
	return mix(sum + len);
}

/* Adds all rows; false: they did not come to an end. */
static bool
add_rows(uint64_t *sum, sqlite3_stmt *rows)
{
	int code;

	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(rows); i++) {
			int type = sqlite3_column_type(rows, i);
			const void *bytes = sqlite3_column_blob(rows, i);

			*sum = add_bytes(*sum + (uint64_t)type, bytes,
			                 (size_t)sqlite3_column_bytes(rows, i));
		}
		*sum = mix(*sum + 1);
	}
	*sum = mix(*sum + 2);
	sqlite3_reset(rows);
	return code == SQLITE_DONE;
}

static bool
look_up(uint64_t *sum, sqlite3_stmt *find, const struct keys *list)
{
	bool done = true;

	for (size_t i = 0; done && i < list->count; i++) {
		for (int k = 0; k < list->columns; k++)
			sqlite3_bind_value(find, k + 1, list->rows[i][k]);
		done = add_rows(sum, find);
	}
	return done;
}

static void
look(struct view *view)
{
	sqlite3 *db = NULL;

	memset(view, 0, sizeof *view);
	sqlite3_open_v2(copy, &db, SQLITE_OPEN_READONLY, NULL);
	for (int i = 0; i < READINGS; i++) {
		sqlite3_stmt *find = NULL;

		if (sqlite3_prepare_v2(db, readings[i].sql, -1, &find, NULL) !=
		    SQLITE_OK)
			view->failed[i] = true;
		else if (readings[i].keys)
			view->failed[i] = !look_up(&view->sum[i], find,
			                           &keys[i]);
		else
			view->failed[i] = !add_rows(&view->sum[i], find);
		sqlite3_finalize(find);
	}
	sqlite3_close(db);
}

static void
read_keys(void)
{
	sqlite3 *db = NULL;

	sqlite3_open_v2(copy, &db, SQLITE_OPEN_READONLY, NULL);
	for (int i = 0; i < READINGS; i++) {
		sqlite3_stmt *find = NULL;

		if (!readings[i].keys)
			continue;
		if (sqlite3_prepare_v2(db, readings[i].keys, -1, &find, NULL) !=
		    SQLITE_OK)
			die("the log", sqlite3_errmsg(db));
		keys[i].columns = sqlite3_column_count(find);
		while (sqlite3_step(find) == SQLITE_ROW) {
			size_t n = keys[i].count++;

			keys[i].rows = realloc(keys[i].rows, (n + 1) *
			                       sizeof *keys[i].rows);
			if (!keys[i].rows)
				die("the keys", "no memory");
			for (int k = 0; k < keys[i].columns; k++)
				keys[i].rows[n][k] = sqlite3_value_dup(
					sqlite3_column_value(find, k));
		}
		sqlite3_finalize(find);
		if (!keys[i].count)
			die(readings[i].name, "the log has none");
	}
	sqlite3_close(db);
}

static void
write_copy(void)
{
	int fd;

	remove_copy();
	fd = open(copy, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, image, image_size) != (ssize_t)image_size)
		die(copy, "cannot write");
	close(fd);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The exit status, 128 + a signal, or -1: it took too long. */
static int
run(char *const *command)
{
	const struct timespec nap = { 0, 100 * 1000 };
	posix_spawn_file_actions_t files;
	double end = now() + SECONDS_MOST;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, command[0], &files, NULL, command, environ) != 0)
		die(command[0], "cannot run it");
	posix_spawn_file_actions_destroy(&files);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status)
	                         : 128 + WTERMSIG(status);
}

static void
print_miss(uint64_t bit, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
print_miss(uint64_t bit, const char *format, ...)
{
	va_list args;

	printf("byte %llu bit %d: ", (unsigned long long)(bit / 8),
	       (int)(bit % 8));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

struct counts {
	long changed;
	long reported;
	long missed;
};

static void
try_flip(uint64_t bit, char *const *command, const struct view *whole,
         struct counts *counts)
{
	int status, different = -1;
	struct view view;

	image[bit / 8] ^= (unsigned char)(1 << bit % 8);
	write_copy();
	image[bit / 8] ^= (unsigned char)(1 << bit % 8);
	status = run(command);
	look(&view);
	for (int i = 0; different < 0 && i < READINGS; i++)
		if (view.failed[i] || view.sum[i] != whole->sum[i])
			different = i;
	if (different >= 0)
		counts->changed++;
	if (status == 1 || status == 69 || status == 74) {
		counts->reported++;
	} else if (status != 0) {
		counts->missed++;
		if (status < 0)
			print_miss(bit, "ev-verify took over %d s",
			           SECONDS_MOST);
		else
			print_miss(bit, "ev-verify ended with %d", status);
	} else if (different >= 0) {
		counts->missed++;
		print_miss(bit, "%s %s, and ev-verify calls the log whole",
		           readings[different].name, view.failed[different]
		           ? "fails" : "differs");
	}
}

static void
read_image(const char *log)
{
	struct stat info;
	int fd = open(log, O_RDONLY);

	if (fd < 0 || fstat(fd, &info) != 0)
		die(log, "cannot open");
	image_size = (size_t)info.st_size;
	image = malloc(image_size + 1);
	if (!image || !image_size ||
	    read(fd, image, image_size) != (ssize_t)image_size)
		die(log, "cannot read");
	close(fd);
}

int
main(int argc, char **argv)
{
	char *command[ARGUMENTS_MOST + 4];
	static char quiet[] = "-q", option[] = "-l";
	struct counts counts = { 0, 0, 0 };
	long flips = 0, parts, part, count;
	struct view whole;
	uint64_t seed;
	int n = 0;

	if (argc < 7 || argc > 6 + ARGUMENTS_MOST) {
		fprintf(stderr, "usage: bitflip LOG SEED COUNT PARTS PART "
		        "EV-VERIFY [ARGUMENT...]\n");
		return 2;
	}
	seed = strtoull(argv[2], NULL, 10);
	count = strtol(argv[3], NULL, 10);
	parts = strtol(argv[4], NULL, 10);
	part = strtol(argv[5], NULL, 10);
	if (parts < 1 || part < 0 || part >= parts)
		die(argv[5], "no such part");
	for (int i = 6; i < argc; i++)
		command[n++] = argv[i];
	command[n++] = quiet;
	command[n++] = option;
	command[n++] = copy;
	command[n] = NULL;
	snprintf(copy, sizeof copy, "%s/bitflip-%ld.db",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
	         (long)getpid());
	read_image(argv[1]);
	atexit(remove_copy);
	write_copy();
	if (run(command) != 0)
		die(argv[1], "ev-verify does not call it whole");
	read_keys();
	look(&whole);
	for (int i = 0; i < READINGS; i++)
		if (whole.failed[i])
			die(readings[i].name, "cannot be read");
	for (long i = part; i < count; i += parts, flips++)
		try_flip(mix(mix(seed) + (uint64_t)i) % (image_size * 8),
		         command, &whole, &counts);
	printf("flips %ld changed %ld reported %ld missed %ld\n", flips,
	       counts.changed, counts.reported, counts.missed);
	return counts.missed != 0;
}
