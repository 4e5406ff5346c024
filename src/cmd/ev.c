/*
 * ev: one name for all commands. `ev append …` runs ev-append, wherever it is:
 * beside this program, or on PATH, so that anybody can add a command.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/opt.h"
#include "cmd/cli.h"

static const char usage[] =
"usage: ev COMMAND [ARGUMENT...]\n"
"       ev help [COMMAND]\n"
"       ev version\n"
"Run ev-COMMAND. An event store for the shell: newline-delimited JSON in,\n"
"newline-delimited JSON out, a log in between.\n"
"\n"
"  append     append events to the log\n"
"  cat        print events\n"
"  watch      print events as they are committed\n"
"  serve      the log over HTTP, and a dashboard\n"
"  each       run a command for every event, once\n"
"  get        print the documents of a read model\n"
"  project    keep read models up to date\n"
"  fold       fold events into documents\n"
"  why        print the events behind a document\n"
"  bisect     find the event after which something was so\n"
"  check      check catalogs, projections, and events before an append\n"
"  verify     check that the log is whole\n"
"  table      show JSON objects as a table\n"
"  from-yaml  print YAML as JSON\n"
"\n"
"Any ev-COMMAND on PATH is a command. 'ev help' lists them; 'man ev' is the\n"
"tour.\n";

struct names {
	char **list;
	size_t count;
};

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add_name(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i], name) == 0)
			return;
	names->list = ev_mem_resize(names->list, (names->count + 1) *
	                            sizeof *names->list);
	names->list[names->count] = strdup(name);
	if (!names->list[names->count++])
		ev_mem_exhausted();
}

static void
add_folder(struct names *names, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[PATH_MAX];

		if (strncmp(entry->d_name, "ev-", 3) != 0)
			continue;
		if (snprintf(path, sizeof path, "%s/%s", folder,
		             entry->d_name) < PATH_MAX &&
		    access(path, X_OK) == 0)
			add_name(names, entry->d_name + 3);
	}
	if (dir)
		closedir(dir);
}

/* The folder of this program; "" if it cannot be found. */
static void
own_folder(char folder[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", folder, PATH_MAX - 1);
	char *slash;

	folder[len > 0 ? len : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
}

static void
find_commands(struct names *names)
{
	char folder[PATH_MAX];
	const char *path = getenv("PATH");

	own_folder(folder);
	add_folder(names, folder);
	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(folder, sizeof folder, "%.*s", (int)len, path);
		add_folder(names, folder);
		path += len + (path[len] == ':');
	}
	if (names->list)
		qsort(names->list, names->count, sizeof *names->list,
		      compare_names);
}

static void
release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static const char *
nearest(const struct names *names, const char *wanted)
{
	const char *best = NULL;
	int least = 3;

	for (size_t i = 0; i < names->count; i++) {
		int distance = ev_opt_distance(names->list[i], wanted);

		if (distance < least) {
			least = distance;
			best = names->list[i];
		}
	}
	return best;
}

/* Does not return when there is such a command. */
static void
run(const char *command, char **argv)
{
	char path[PATH_MAX], folder[PATH_MAX], name[NAME_MAX];

	if (snprintf(name, sizeof name, "ev-%s", command) >= NAME_MAX)
		return;
	own_folder(folder);
	argv[0] = name;
	if (snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_MAX)
		execv(path, argv);
	execvp(name, argv);
}

static int
unknown(const char *command)
{
	struct names names = { 0 };
	const char *hint;
	int status;

	find_commands(&names);
	hint = nearest(&names, command);
	if (hint)
		status = cli_usage("no command '%s', did you mean '%s'?",
		                   command, hint);
	else
		status = cli_usage("no command '%s'", command);
	release(&names);
	return status;
}

static int
help(char **argv)
{
	static char flag[] = "-h";
	struct names names = { 0 };
	int status;

	if (argv[0] && *argv[0] != '-') {
		char *command[] = { argv[0], flag, NULL };

		run(argv[0], command);
		return unknown(argv[0]);
	}
	if ((status = cli_help(usage)))
		return status;
	find_commands(&names);
	printf("\nFound:");
	for (size_t i = 0; i < names.count; i++)
		printf(" %s", names.list[i]);
	putchar('\n');
	release(&names);
	return fflush(stdout) ? EV_IO : EV_OK;
}

int
main(int argc, char **argv)
{
	const char *command = argv[1];

	cli_start("ev");
	if (argc < 2)
		return cli_usage("which command?");
	if (strcmp(command, "help") == 0 || strcmp(command, "-h") == 0 ||
	    strcmp(command, "--help") == 0)
		return help(argv + 2);
	if (strcmp(command, "version") == 0 ||
	    strcmp(command, "--version") == 0)
		return cli_version();
	if (*command == '-')
		return cli_usage("'%s': expected a command", command);
	run(command, argv + 1);
	return unknown(command);
}
