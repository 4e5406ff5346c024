/* What ev-serve cannot do any more once its sandbox is closed, and what it can:
   each look is a process of its own. What this kernel does not have is not
   expected, but then it has to have been said. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter/sandbox.h"
#include "cmd/appender.h"
#include "cmd/serve_sandbox.h"
#include "unit.h"

/* The leak checker makes a process and traces, so that these are let be. */
#if defined(__SANITIZE_ADDRESS__)
#define UNLESS_SANITIZED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNLESS_SANITIZED 0
#endif
#endif
#ifndef UNLESS_SANITIZED
#define UNLESS_SANITIZED EV_SANDBOX_NO_CALLS
#endif

static char folder[] = "/tmp/ev-unit-XXXXXX";
static char log_path[PATH_MAX], outside[64], tokens[64];
static unsigned lacks;

static bool
may_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- what is tried; true: it worked */

static bool
read_password(void)
{
	return may_open("/etc/passwd", O_RDONLY);
}

static bool
read_shadow(void)
{
	return may_open("/etc/shadow", O_RDONLY);
}

static bool
read_outside(void)
{
	return may_open(outside, O_RDONLY);
}

static bool
list_root(void)
{
	return may_open("/", O_RDONLY | O_DIRECTORY);
}

static bool
write_outside(void)
{
	return may_open("/tmp/ev-unit-sandbox", O_WRONLY | O_CREAT);
}

static bool
change_outside(void)
{
	return truncate(outside, 0) == 0 || unlink(outside) == 0 ||
	       rename(outside, log_path) == 0;
}

static bool
leave_folder(void)
{
	return rename(log_path, "/tmp/ev-unit-sandbox") == 0 ||
	       symlink("/etc", "link") == 0 || mkdir("folder", 0700) == 0;
}

static bool
run_program(void)
{
	char *const none[] = { NULL };

	execve("/bin/true", none, none);
	return false; /* else its status is that of success */
}

static bool
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool
trace_parent(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ||
	       ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool
signal_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool
use_network(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ||
	       socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ||
	       socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

static bool
connect_socket(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof name.sun_path, "%s/none", folder);
	return fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) == 0 ||
	       errno != EPERM;
}

static bool
make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ||
	       mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ||
	       mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
	            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
call_others(void)
{
	return syscall(SYS_unshare, 0) == 0 || syscall(SYS_setuid, 0) == 0 ||
	       syscall(SYS_bpf, 0, NULL, 0) == 0 || errno != EPERM;
}

/* What the log needs: its file, its companions, a lock, a watch; and threads. */
static void *
do_nothing(void *context)
{
	return context;
}

static bool
append(void)
{
	const struct appender_options options = { .quiet = true };
	struct appender appender;
	struct ev_store *store;
	struct ev_head head;
	pthread_t thread;
	struct ev_err err;
	bool fine = false;

	if (cli_open(&store, log_path, EV_STORE_APPEND, &err))
		return false;
	if (!appender_open(&appender, &options, store, &err)) {
		appender_take(&appender,
		              EV_STR("{\"type\":\"MERGED\",\"repo\":\"a/b\","
		                     "\"issueNumber\":1,\"prNumber\":7}"),
		              NULL, 0);
		fine = !appender_commit(&appender, &err) &&
		       !appender_finish(&appender, &err);
	}
	fine &= !appender_close(&appender, &err) &&
	        !store->ops->head(store, &head, &err) && head.position == 1;
	store->ops->close(store);
	return fine && may_open(log_path, O_RDWR) &&
	       pthread_create(&thread, NULL, do_nothing, NULL) == 0 &&
	       pthread_join(thread, NULL) == 0;
}

static bool
use_folder(void)
{
	char a[80], b[80];
	int fd, watch = inotify_init1(IN_CLOEXEC);
	void *page;
	bool fine;

	snprintf(a, sizeof a, "%s/a", folder);
	snprintf(b, sizeof b, "%s/b", folder);
	fd = open(a, O_RDWR | O_CREAT, 0600);
	fine = fd >= 0 && write(fd, "text", 4) == 4 &&
	       ftruncate(fd, 4096) == 0 && fsync(fd) == 0;
	page = fine ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	                   0) : MAP_FAILED;
	return fine && page != MAP_FAILED && rename(a, b) == 0 &&
	       unlink(b) == 0 && watch >= 0 &&
	       inotify_add_watch(watch, folder, IN_MODIFY) >= 0;
}

static bool
read_settings(void)
{
	return may_open(tokens, O_RDONLY) && may_open("/proc/self/statm", O_RDONLY) &&
	       may_open("/dev/urandom", O_RDONLY) && may_open("/dev/null", O_WRONLY);
}

static bool
write_settings(void)
{
	return may_open(tokens, O_WRONLY);
}

/* ---- each in a sandbox of its own */

enum { WORKED = 0, FAILED = 1, NO_SANDBOX = 2 };

/* How it ended; what was said goes to `said`. */
static int
try(bool (*attempt)(void), bool sandbox, char *said, size_t room)
{
	struct serve serve = { .settings = { .log = log_path, .tokens = tokens,
	                                     .sandbox = sandbox } };
	struct ev_err err;
	int pipes[2], status;
	ssize_t got;
	pid_t pid;

	fflush(stdout);
	if (pipe(pipes) != 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		if (chdir(folder) != 0 || serve_sandbox_enter(&serve, &err))
			_exit(NO_SANDBOX);
		_exit(attempt() ? WORKED : FAILED);
	}
	close(pipes[1]);
	got = read(pipes[0], said, room - 1);
	said[got > 0 ? got : 0] = '\0';
	close(pipes[0]);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
check_all(void)
{
	static const struct {
		const char *name;
		bool (*attempt)(void);
		unsigned by; /* what refuses it; 0: it has to work */
	} all[] = {
		{ "reading /etc/passwd", read_password, EV_SANDBOX_NO_FILES },
		{ "reading /etc/shadow", read_shadow, EV_SANDBOX_NO_FILES },
		{ "reading another file", read_outside, EV_SANDBOX_NO_FILES },
		{ "listing /", list_root, EV_SANDBOX_NO_FILES },
		{ "writing to /tmp", write_outside, EV_SANDBOX_NO_FILES },
		{ "changing another file", change_outside,
		  EV_SANDBOX_NO_FILES },
		{ "leaving the folder", leave_folder, EV_SANDBOX_NO_FILES },
		{ "writing the tokens", write_settings, EV_SANDBOX_NO_FILES },
		{ "running a program", run_program, EV_SANDBOX_NO_CALLS },
		{ "making a process", make_process, UNLESS_SANITIZED },
		{ "tracing", trace_parent, UNLESS_SANITIZED },
		{ "using the network", use_network, EV_SANDBOX_NO_CALLS },
		{ "connecting", connect_socket, EV_SANDBOX_NO_CALLS },
		{ "making code", make_code, EV_SANDBOX_NO_CALLS },
		{ "becoming root", call_others, EV_SANDBOX_NO_CALLS },
		{ "opening the log", append, 0 },
		{ "using its folder", use_folder, 0 },
		{ "reading the settings", read_settings, 0 },
	};
	char said[1200];

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		int wanted = all[i].by && !(lacks & all[i].by) ? FAILED
		                                               : WORKED;
		int status = try(all[i].attempt, true, said, sizeof said);

		CHECK_NAMED(all[i].name, status == wanted ||
		            (all[i].by & lacks && status == FAILED));
	}
}

/* What is refused above would else be done, but for what needs root. */
static void
check_without(void)
{
	static const struct {
		const char *name;
		bool (*attempt)(void);
	} all[] = {
		{ "reading /etc/passwd, without", read_password },
		{ "reading another file, without", read_outside },
		{ "listing /, without", list_root },
		{ "writing the tokens, without", write_settings },
		{ "running a program, without", run_program },
		{ "making a process, without", make_process },
		{ "signalling, without", signal_parent },
		{ "making code, without", make_code },
	};
	char said[1200];

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		CHECK_NAMED(all[i].name,
		            try(all[i].attempt, false, said, sizeof said) ==
		                    WORKED && !*said);
}

static bool
do_it(void)
{
	return true;
}

/* Which parts there are is asked as the sandbox itself does not: by looking
   what the kernel lists. */
static void
find_lacks(void)
{
	char said[1200], wanted[100] = "";
	int status = try(do_it, true, said, sizeof said);

	if (syscall(444, NULL, 0, 1) < 1)
		lacks |= EV_SANDBOX_NO_FILES;
	if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) != 0)
		lacks |= EV_SANDBOX_NO_CALLS;
	if (lacks)
		snprintf(wanted, sizeof wanted, "this kernel has no %s",
		         lacks & EV_SANDBOX_NO_FILES ? "landlock" : "seccomp");
	CHECK(status == WORKED);
	CHECK(lacks ? strstr(said, wanted) != NULL : !*said);
}

/* Signals are kept within since version 6 of landlock. */
static void
check_signals(void)
{
	char said[1200];

	CHECK(try(signal_parent, true, said, sizeof said) ==
	      (syscall(444, NULL, 0, 1) >= 6 ? FAILED : WORKED));
}

/* A sandbox that would hold one thread only is none. */
static void *
wait_for(void *context)
{
	char byte;
	ssize_t got = read(*(int *)context, &byte, 1);

	return got < 0 ? context : NULL;
}

static void
check_threads(void)
{
	struct serve serve = { .settings = { .log = log_path,
	                                     .sandbox = true } };
	struct ev_err err;
	pthread_t thread;
	int pipes[2];

	if (!CHECK(pipe(pipes) == 0 &&
	           pthread_create(&thread, NULL, wait_for, &pipes[0]) == 0))
		return;
	CHECK(serve_sandbox_enter(&serve, &err) == EV_BUG);
	close(pipes[1]);
	pthread_join(thread, NULL);
	close(pipes[0]);
}

static void
remove_folder(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", ".lock" };
	char path[80];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		snprintf(path, sizeof path, "%s/log.db%s", folder, ends[i]);
		unlink(path);
	}
	CHECK(rmdir(folder) == 0);
}

int
main(void)
{
	char said[1200];

	cli_start("test");
	if (realpath("schemas", log_path))
		setenv("EV_SCHEMAS", log_path, 0);
	if (!CHECK(mkdtemp(folder) != NULL))
		return unit_end();
	snprintf(log_path, sizeof log_path, "%s/log.db", folder);
	snprintf(outside, sizeof outside, "%s.outside", folder);
	snprintf(tokens, sizeof tokens, "%s.tokens", folder);
	CHECK(may_open(outside, O_WRONLY | O_CREAT));
	CHECK(may_open(tokens, O_WRONLY | O_CREAT));
	find_lacks();
	check_all();
	check_without();
	check_signals();
	check_threads();
	CHECK(access("/tmp/ev-unit-sandbox", F_OK) != 0);
	snprintf(log_path, sizeof log_path, "%s/none/log.db", folder);
	CHECK(lacks & EV_SANDBOX_NO_FILES ||
	      try(do_it, true, said, sizeof said) == NO_SANDBOX);
	unlink(outside);
	unlink(tokens);
	remove_folder();
	return unit_end();
}
