#include "cmd/serve_sandbox.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/sandbox.h"

struct paths {
	struct ev_sandbox_path *list;
	size_t count;
	struct ev_arena arena; /* of their texts */
};

static void
add(struct paths *paths, const char *path, enum ev_sandbox_may may)
{
	if (!path || !*path)
		return;
	paths->list = ev_mem_resize(paths->list, (paths->count + 1) *
	                                                 sizeof *paths->list);
	paths->list[paths->count++] = (struct ev_sandbox_path){
		ev_arena_dup(&paths->arena, ev_str(path)).ptr, may
	};
}

/* "" if there is no slash in it. */
static void
folder_of(char folder[PATH_MAX], const char *path)
{
	char *slash;

	snprintf(folder, PATH_MAX, "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	else
		folder[0] = '\0';
}

/* A folder that holds everything, such as / or /etc, or all that a user has. */
static bool
is_wide(const char *folder)
{
	const char *home = getenv("HOME");
	size_t len = strlen(folder);
	int deep = 0;

	for (size_t i = 0; i < len; i++)
		deep += folder[i] == '/' && folder[i + 1];
	return deep < 2 || (home && strncmp(home, folder, len) == 0 &&
	                    (!home[len] || home[len] == '/'));
}

/*
 * A file that may be read again later. Whoever edits it may put another in its
 * place, so its folder counts, unless that has too much else in it.
 */
static void
add_reread(struct paths *paths, const char *path)
{
	char whole[PATH_MAX], folder[PATH_MAX];

	if (!path || !realpath(path, whole))
		return;
	folder_of(folder, whole);
	add(paths, is_wide(folder) ? whole : folder, EV_SANDBOX_READ);
}

/* Folders with colons between. */
static void
add_folders(struct paths *paths, const char *path)
{
	char folder[PATH_MAX];

	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(folder, sizeof folder, "%.*s", (int)len, path);
		add(paths, folder, EV_SANDBOX_READ);
		path += len + (path[len] == ':');
	}
}

/* What lies beside bin/, in a checkout or where it is installed. */
static void
add_own(struct paths *paths)
{
	static const char *const folders[] = { "schemas", "share/projections",
	                                       "share/rig", "share/dashboard",
	                                       "share/ev" };
	char path[2 * PATH_MAX], bin[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", bin, sizeof bin - 1);

	if (len <= 0)
		return;
	bin[len] = '\0';
	for (int i = 0; i < 2; i++)
		if (strrchr(bin, '/'))
			*strrchr(bin, '/') = '\0';
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", bin, folders[i]);
		add(paths, path, EV_SANDBOX_READ);
	}
}

/* The log's folder, and that of what it may be a link to. */
static void
add_log(struct paths *paths, const struct serve_settings *settings)
{
	char folder[PATH_MAX], whole[PATH_MAX];

	folder_of(folder, settings->log);
	if (is_wide(folder) && !settings->quiet)
		cli_say(EV_OK, "the sandbox cannot keep from ev-serve what "
		        "else is in '%s': give the log a folder of its own",
		        folder);
	/* a big sort takes a file, and there is one folder left for it */
	setenv("SQLITE_TMPDIR", folder, 1);
	add(paths, folder, EV_SANDBOX_WRITE);
	if (!realpath(settings->log, whole))
		return;
	folder_of(folder, whole);
	add(paths, folder, EV_SANDBOX_WRITE);
}

static void
add_all(struct paths *paths, const struct serve_settings *settings)
{
	char folder[PATH_MAX];

	add_log(paths, settings);
	if (settings->socket) {
		folder_of(folder, settings->socket);
		add(paths, *folder ? folder : ".", EV_SANDBOX_REMOVE);
	}
	add(paths, settings->dashboard, EV_SANDBOX_READ);
	add_reread(paths, settings->tokens);
	add_reread(paths, settings->github_secret);
	add_reread(paths, settings->rig);
	add_folders(paths, getenv("EV_SCHEMAS"));
	add_folders(paths, getenv("EV_PROJECTIONS"));
	add_own(paths);
}

static void
say_lacking(unsigned lacks)
{
	if (lacks & EV_SANDBOX_NO_FILES)
		cli_say(EV_OK, "this kernel has no landlock%s: ev-serve can "
		        "reach every file that its user can",
		        lacks & EV_SANDBOX_NO_CALLS ? " and no seccomp" : "");
	else if (lacks)
		cli_say(EV_OK, "this kernel has no seccomp: ev-serve can ask "
		        "it for what it does not need");
}

enum ev_status
serve_sandbox_enter(const struct serve *serve, struct ev_err *err)
{
	const struct serve_settings *settings = &serve->settings;
	struct paths paths = { 0 };
	enum ev_status status;
	unsigned lacks;

	if (!settings->sandbox)
		return EV_OK;
	add_all(&paths, settings);
	status = ev_sandbox_enter(paths.list, paths.count, &lacks, err);
	if (!status && !settings->quiet)
		say_lacking(lacks);
	free(paths.list);
	ev_arena_release(&paths.arena);
	return status;
}
