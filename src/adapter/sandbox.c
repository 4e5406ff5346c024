#include "adapter/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The leak checker of a build with sanitizers looks at us from a process that
   it makes at the end. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- files: landlock(7), whose header may be older than the kernel */

enum {
	LANDLOCK_CREATE = 444, /* the same numbers on every machine */
	LANDLOCK_ADD = 445,
	LANDLOCK_RESTRICT = 446,
	LANDLOCK_VERSION = 1, /* flag: only ask which */
	LANDLOCK_PATH = 1     /* kind of a rule */
};

enum {
	MAY_EXECUTE = 1 << 0,
	MAY_WRITE = 1 << 1,
	MAY_READ = 1 << 2,
	MAY_LIST = 1 << 3,
	MAY_REMOVE_FILE = 1 << 5,
	MAY_MAKE_FILE = 1 << 8,
	MAY_TRUNCATE = 1 << 14,
	MAY_IOCTL = 1 << 15
};

/* What each version added: rights to files and to ports, and what is kept
   within this process. */
static const struct {
	uint64_t files, ports, within;
} versions[] = {
	{ (1 << 13) - 1, 0, 0 },
	{ 1 << 13, 0, 0 }, /* moving to another folder */
	{ MAY_TRUNCATE, 0, 0 },
	{ 0, 3, 0 }, /* binding and connecting TCP */
	{ MAY_IOCTL, 0, 0 },
	{ 0, 0, 3 }, /* abstract unix sockets, signals */
};

struct landlock_rules {
	uint64_t files, ports, within;
};

struct landlock_path {
	uint64_t rights;
	int32_t fd;
} __attribute__((packed));

struct rules {
	int fd;
	uint64_t files; /* rights that this kernel knows */
};

/* False: errno says why; ENOENT may not matter. */
static bool
allow(const struct rules *rules, const char *path, uint64_t rights)
{
	const uint64_t of_files = MAY_EXECUTE | MAY_WRITE | MAY_READ |
	                          MAY_TRUNCATE | MAY_IOCTL;
	struct landlock_path rule = { .rights = rights & rules->files };
	struct stat info;
	bool fine;

	rule.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (rule.fd < 0)
		return false;
	if (fstat(rule.fd, &info) == 0 && !S_ISDIR(info.st_mode))
		rule.rights &= of_files;
	fine = syscall(LANDLOCK_ADD, rules->fd, LANDLOCK_PATH, &rule, 0) == 0;
	close(rule.fd);
	return fine;
}

/* What libraries may still look for, the time's zone, and ourselves. */
static void
allow_system(const struct rules *rules)
{
	static const char *const paths[] = {
		"/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32",
		"/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
		"/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale",
		"/dev/urandom", "/proc/self"
	};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		(void)allow(rules, paths[i], MAY_READ | MAY_LIST);
	(void)allow(rules, "/dev/null", MAY_READ | MAY_WRITE);
}

static enum ev_status
allow_path(const struct rules *rules, const struct ev_sandbox_path *path,
           struct ev_err *err)
{
	static const uint64_t rights[] = {
		[EV_SANDBOX_READ] = MAY_READ | MAY_LIST,
		[EV_SANDBOX_WRITE] = MAY_READ | MAY_LIST | MAY_WRITE |
		                     MAY_REMOVE_FILE | MAY_MAKE_FILE |
		                     MAY_TRUNCATE,
		[EV_SANDBOX_REMOVE] = MAY_REMOVE_FILE,
	};

	if (allow(rules, path->path, rights[path->may]) ||
	    path->may != EV_SANDBOX_WRITE)
		return EV_OK;
	return ev_err_set(err, errno == ENOENT || errno == ENOTDIR ||
	                  errno == EACCES ? EV_UNREACHABLE : EV_IO,
	                  "cannot open the folder '%s': %s", path->path,
	                  strerror(errno));
}

/* EV_NO: the kernel does not have it. */
static enum ev_status
confine_files(const struct ev_sandbox_path *paths, size_t count,
              struct ev_err *err)
{
	const long known = sizeof versions / sizeof *versions;
	long version = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION);
	struct landlock_rules all = { 0 };
	enum ev_status status = EV_OK;
	struct rules rules;

	if (version < 1)
		return EV_NO;
	for (long i = 0; i < version && i < known; i++) {
		all.files |= versions[i].files;
		all.ports |= versions[i].ports;
		all.within |= versions[i].within;
	}
	rules.files = all.files;
	rules.fd = (int)syscall(LANDLOCK_CREATE, &all, sizeof all, 0);
	if (rules.fd < 0)
		return EV_NO;
	allow_system(&rules);
	for (size_t i = 0; i < count && !status; i++)
		status = allow_path(&rules, &paths[i], err);
	if (!status && syscall(LANDLOCK_RESTRICT, rules.fd, 0) != 0)
		status = ev_err_set(err, EV_IO, "cannot close the sandbox: %s",
		                    strerror(errno));
	close(rules.fd);
	return status;
}

/* ---- what is asked of the kernel: seccomp(2) */

/* Refused, whatever their arguments. Those that the library does not know are
   not there to be refused. */
static const char *const refused[] = {
	/* programs and processes */
	"execve", "execveat", "fork", "vfork", "unshare", "setns",
	"process_madvise", "pidfd_open", "pidfd_getfd", "pidfd_send_signal",
	"process_vm_readv", "process_vm_writev", "process_mrelease", "kcmp",
	/* the network, but for what is open */
	"bind", "connect", "listen",
	/* ways around the files that are allowed, or around this list */
	"open_by_handle_at", "name_to_handle_at", "io_uring_setup",
	"io_uring_enter", "io_uring_register", "userfaultfd", "memfd_secret",
	"mknod", "mknodat", "fanotify_init", "fanotify_mark",
	/* who we are */
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
	"setfsuid", "setfsgid", "setgroups", "capset", "personality",
	/* the machine */
	"acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime",
	"clock_settime", "create_module", "delete_module", "finit_module",
	"fsconfig", "fsmount", "fsopen", "fspick", "init_module", "ioperm",
	"iopl", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie",
	"migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages",
	"nfsservctl", "open_tree", "perf_event_open", "pivot_root", "quotactl",
	"quotactl_fd", "reboot", "request_key", "sethostname", "setdomainname",
	"settimeofday", "stime", "swapoff", "swapon", "sysfs", "syslog",
	"umount", "umount2", "uselib", "ustat", "vhangup", "vm86", "vm86old",
	"vmsplice"
};

static bool
refuse(scmp_filter_ctx filter, const char *name, int error)
{
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR ||
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), number,
	                        0) == 0;
}

/* If the bits of its argument that are in `mask` are `value`. */
static bool
refuse_if(scmp_filter_ctx filter, const char *name, unsigned argument,
          uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp bits = { argument, SCMP_CMP_MASKED_EQ, mask,
	                             value };
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR ||
	       seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), number, 1,
	                              &bits) == 0;
}

static bool
refuse_all(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp other = { 0, SCMP_CMP_NE, AF_UNIX, 0 };
	const uint64_t word = UINT32_MAX, both = PROT_WRITE | PROT_EXEC;
	bool fine = true;

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		fine &= refuse(filter, refused[i], EPERM);
	/* its flags lie in memory, where nobody can look at them: who uses it
	   takes clone if it is not there */
	fine &= refuse(filter, "clone3", ENOSYS);
	/* pages that can be written never become code */
	fine &= refuse_if(filter, "mmap", 2, both, both);
	fine &= refuse_if(filter, "mprotect", 2, PROT_EXEC, PROT_EXEC);
	fine &= refuse_if(filter, "pkey_mprotect", 2, PROT_EXEC, PROT_EXEC);
	/* no terminal types what we want */
	fine &= refuse_if(filter, "ioctl", 1, word, TIOCSTI);
	fine &= refuse_if(filter, "ioctl", 1, word, TIOCLINUX);
	fine &= seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM),
	                               SCMP_SYS(socket), 1, &other) == 0;
	if (!SANITIZED) {
		fine &= refuse_if(filter, "clone", 0, CLONE_THREAD, 0);
		fine &= refuse(filter, "ptrace", EPERM);
	}
	return fine;
}

/* EV_NO: the kernel does not have it. */
static enum ev_status
confine_calls(struct ev_err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	enum ev_status status = EV_OK;
	int result;

	if (!filter || !refuse_all(filter)) {
		status = ev_err_set(err, EV_BUG, "cannot write the sandbox's "
		                    "filter");
	} else if ((result = seccomp_load(filter)) != 0) {
		/* the library tells what the kernel said as ECANCELED */
		status = result == -ENOMEM
		         ? ev_err_set(err, EV_IO, "cannot close the sandbox: "
		                      "%s", strerror(ENOMEM)) : EV_NO;
	}
	if (filter)
		seccomp_release(filter);
	return status;
}

/* ---- both */

/* Only the calling thread is confined, and who is made by it. */
static bool
is_alone(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	int count = 0;

	if (!tasks)
		return true; /* nobody can tell */
	while ((entry = readdir(tasks)))
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count == 1;
}

enum ev_status
ev_sandbox_enter(const struct ev_sandbox_path *paths, size_t count,
                 unsigned *lacks, struct ev_err *err)
{
	const struct rlimit none = { 0, 0 };
	enum ev_status status;

	*lacks = 0;
	if (!is_alone())
		return ev_err_set(err, EV_BUG, "the sandbox comes before other "
		                  "threads");
	tzset();
	/* memory that holds secrets is not for others, dead or alive */
	setrlimit(RLIMIT_CORE, &none);
	if (!SANITIZED)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ev_err_set(err, EV_IO, "cannot close the sandbox: %s",
		                  strerror(errno));
	status = confine_files(paths, count, err);
	if (status == EV_NO)
		*lacks |= EV_SANDBOX_NO_FILES;
	else if (status)
		return status;
	status = confine_calls(err);
	if (status == EV_NO)
		*lacks |= EV_SANDBOX_NO_CALLS;
	else if (status)
		return status;
	return EV_OK;
}
