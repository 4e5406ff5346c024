/*
 * Shows what the log's lock is for. Processes write rows to a SQLite database
 * in WAL mode, others checkpoint it, readers come and go; a row is acknowledged
 * once its commit has returned. In SQLite 3.7.0 to 3.51.2 a checkpoint that
 * finds everything copied already, while a writer begins the WAL anew, takes
 * the old length for that of the new WAL: rows that are committed from then on
 * may never reach the database (the WAL-reset bug).
 *
 * usage: walreset default|locked FOLDER SECONDS [MICROSECONDS]
 *
 * default: as SQLite does of itself, each checkpoints when it likes. locked:
 * as ev does, whoever writes or checkpoints holds a lock beside the database.
 * MICROSECONDS is the most that a checkpoint is held up at the moment that
 * matters, as a busy machine would: 200 if it is not given.
 *
 * Each round is a new database, until one has lost rows or SECONDS are over.
 * Prints one line. Exit status: 0 nothing lost, 1 acknowledged rows lost, 2
 * something else went wrong, 3 nothing lost and the bug is fixed here.
 */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WRITERS = 3, READERS = 2, CHECKPOINTERS = 2, ROUND = 3 };

struct shared {
	volatile long acked[WRITERS]; /* each writer's last row */
	volatile bool over;
};

static struct shared *shared;
static char path[4096], lock_path[4096];
static bool locked;
static int pause_micros = 200;

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "walreset: %s: %s\n", what, why);
	_exit(2);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* By release notes: 3.51.3 and later, and two older branches. */
static bool
is_fixed(void)
{
	int n = sqlite3_libversion_number();

	return n >= 3051003 || (n >= 3050007 && n < 3051000) ||
	       (n >= 3044006 && n < 3045000);
}

static const sqlite3_io_methods *plain;
static sqlite3_io_methods slow;

/* A checkpoint calls this (without a page) between reading how long the WAL is
   and reading how much of it has been copied: the moment that matters. */
static int
unfetch_slowly(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
	if (!page && pause_micros)
		usleep((useconds_t)(rand() % pause_micros));
	return plain->xUnfetch(file, offset, page);
}

static sqlite3 *
connect_database(void)
{
	sqlite3_file *file = NULL;
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		die("cannot open", sqlite3_errmsg(db));
	sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	plain = file->pMethods;
	slow = *plain;
	slow.xUnfetch = unfetch_slowly;
	file->pMethods = &slow;
	sqlite3_busy_timeout(db, 10000);
	/* no power is cut here */
	sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	sqlite3_wal_autocheckpoint(db, locked ? 0 : 1);
	if (locked)
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
		                  NULL);
	return db;
}

static bool
run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void
set_lock(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	if (fd >= 0 && fcntl(fd, F_SETLKW, &lock) != 0)
		die("cannot lock", lock_path);
}

static void
checkpoint(sqlite3 *db)
{
	sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
	                          NULL);
}

/* All over the tree, so that a page is seldom written again soon, which would
   make up for what was lost. */
static bool
add_row(sqlite3_stmt *add, int writer, long n)
{
	uint32_t place = (uint32_t)n * 2654435761U;

	sqlite3_bind_int64(add, 1, (sqlite3_int64)place * WRITERS + writer);
	sqlite3_bind_int(add, 2, writer);
	sqlite3_bind_int64(add, 3, n);
	sqlite3_step(add);
	return sqlite3_reset(add) == SQLITE_OK;
}

static void
write_rows(int writer, int lock)
{
	sqlite3 *db = connect_database();
	sqlite3_stmt *add;

	if (sqlite3_prepare_v2(db, "INSERT INTO row VALUES (?1, ?2, ?3,"
	                       " zeroblob(100))", -1, &add, NULL) != SQLITE_OK)
		die("cannot write", sqlite3_errmsg(db));
	while (!shared->over) {
		long n = shared->acked[writer];
		/* a long WAL, and then a short one in its place */
		int rows = rand() % 8 ? 1 : 60;
		bool done;

		set_lock(lock, F_WRLCK);
		done = run(db, "BEGIN IMMEDIATE");
		for (int i = 0; done && i < rows; i++)
			done = add_row(add, writer, ++n);
		done = done && run(db, "COMMIT");
		if (done)
			shared->acked[writer] = n;
		else if (!sqlite3_get_autocommit(db))
			run(db, "ROLLBACK");
		if (done && locked)
			checkpoint(db);
		set_lock(lock, F_UNLCK);
	}
	sqlite3_finalize(add);
	sqlite3_close(db);
}

/* Nobody's commits in particular, as a monitor would. */
static void
keep_checkpointing(int lock)
{
	sqlite3 *db = connect_database();

	/* a connection that has read nothing knows of no WAL */
	run(db, "SELECT 1 FROM row LIMIT 1");
	while (!shared->over) {
		set_lock(lock, F_WRLCK);
		checkpoint(db);
		set_lock(lock, F_UNLCK);
	}
	sqlite3_close(db);
}

static void
come_and_go(void)
{
	while (!shared->over) {
		sqlite3 *db = connect_database();

		run(db, "SELECT max(key) FROM row");
		sqlite3_close(db);
		usleep(2000);
	}
}

static void
start(int number)
{
	pid_t pid = fork();
	int lock = -1;

	if (pid < 0)
		die("cannot fork", "no process left");
	if (pid)
		return;
	srand((unsigned)getpid());
	if (locked && (lock = open(lock_path, O_RDWR | O_CREAT, 0600)) < 0)
		die("cannot open", lock_path);
	if (number < WRITERS)
		write_rows(number, lock);
	else if (number < WRITERS + CHECKPOINTERS)
		keep_checkpointing(lock);
	else
		come_and_go();
	_exit(0);
}

/* How many rows are not there that had been acknowledged before. */
static long
count_lost(void)
{
	long acked[WRITERS], lost = 0;
	sqlite3 *db;
	sqlite3_stmt *count = NULL;

	for (int w = 0; w < WRITERS; w++)
		acked[w] = shared->acked[w];
	db = connect_database();
	sqlite3_prepare_v2(db, "SELECT count(DISTINCT n) FROM row"
	                   " WHERE writer = ?1 AND n <= ?2", -1, &count, NULL);
	for (int w = 0; w < WRITERS; w++) {
		sqlite3_bind_int(count, 1, w);
		sqlite3_bind_int64(count, 2, acked[w]);
		lost += acked[w];
		if (count && sqlite3_step(count) == SQLITE_ROW)
			lost -= sqlite3_column_int64(count, 0);
		sqlite3_reset(count);
	}
	sqlite3_finalize(count);
	sqlite3_close(db);
	return lost;
}

/* Has SQLite noticed? */
static bool
is_whole(void)
{
	sqlite3 *db = connect_database();
	sqlite3_stmt *check = NULL;
	bool ok = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1,
	                             &check, NULL) == SQLITE_OK &&
	          sqlite3_step(check) == SQLITE_ROW &&
	          strcmp((const char *)sqlite3_column_text(check, 0),
	                 "ok") == 0;

	sqlite3_finalize(check);
	sqlite3_close(db);
	return ok;
}

static void
remove_database(void)
{
	static const char *const more[] = { "", "-wal", "-shm", ".lock" };
	char name[4200];

	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		snprintf(name, sizeof name, "%s%s", path, more[i]);
		unlink(name);
	}
}

/* How many acknowledged rows were lost for good. */
static long
play_round(double end)
{
	sqlite3 *db;

	remove_database();
	memset(shared, 0, sizeof *shared);
	db = connect_database();
	if (!run(db, "PRAGMA journal_mode = WAL") ||
	    !run(db, "CREATE TABLE row(key INTEGER PRIMARY KEY, writer INT,"
	         " n INT, more BLOB)"))
		die("cannot create", sqlite3_errmsg(db));
	sqlite3_close(db);
	if (end > now() + ROUND)
		end = now() + ROUND;
	for (int i = 0; i < WRITERS + CHECKPOINTERS + READERS; i++)
		start(i);
	while (now() < end && count_lost() == 0)
		usleep(200 * 1000);
	shared->over = true;
	while (wait(NULL) > 0)
		;
	return count_lost();
}

int
main(int argc, char **argv)
{
	long lost = 0, acked = 0;
	int rounds = 0;
	bool whole;
	double begun = now(), end;

	if (argc < 4) {
		fprintf(stderr, "usage: walreset default|locked FOLDER SECONDS "
		        "[MICROSECONDS]\n");
		return 2;
	}
	locked = strcmp(argv[1], "locked") == 0;
	end = begun + strtod(argv[3], NULL);
	if (argc > 4)
		pause_micros = (int)strtol(argv[4], NULL, 10);
	snprintf(path, sizeof path, "%s/walreset.db", argv[2]);
	snprintf(lock_path, sizeof lock_path, "%s/walreset.db.lock", argv[2]);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("cannot share", "no memory");

	while (!lost && now() < end) {
		lost = play_round(end);
		for (int w = 0; w < WRITERS; w++)
			acked += shared->acked[w];
		rounds++;
	}
	whole = is_whole();
	remove_database();
	printf("SQLite %s, %s: %ld rows acknowledged, %ld lost, round %d, "
	       "%.1f s; integrity_check %s\n", sqlite3_libversion(),
	       locked ? "under a lock" : "its own checkpoints", acked, lost,
	       rounds, now() - begun, whole ? "ok" : "finds damage");
	if (lost || !whole)
		return 1;
	return is_fixed() ? 3 : 0;
}
