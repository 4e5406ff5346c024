#include "adapter/catalog_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The files on the path, and a text that changes when one of them does. */
struct files {
	char **paths;
	size_t count;
	struct ev_buf identity;
};

static void
release(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->paths[i]);
	free(files->paths);
	ev_buf_release(&files->identity);
}

static bool
is_folder(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* "" when this program cannot be found. */
static void
default_folder(char folder[PATH_MAX])
{
	char bin[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", bin, sizeof bin - 1);
	int i;

	folder[0] = '\0';
	if (len < 0)
		return;
	bin[len] = '\0';
	for (i = 0; i < 2; i++)
		if (strrchr(bin, '/'))
			*strrchr(bin, '/') = '\0';
	if (snprintf(folder, PATH_MAX, "%s/schemas", bin) < PATH_MAX &&
	    !is_folder(folder) &&
	    snprintf(folder, PATH_MAX, "%s/share/ev/schemas", bin) >= PATH_MAX)
		folder[0] = '\0';
}

static int
is_yaml(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + len - 5, ".yaml") == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum ev_status
add_file(struct files *files, const char *folder, const char *name,
         struct ev_err *err)
{
	struct ev_buf path = { 0 };
	struct stat info;

	ev_buf_printf(&path, "%s/%s", folder, name);
	ev_buf_add_char(&path, '\0');
	if (stat(path.ptr, &info) != 0) {
		ev_err_set(err, EV_BAD_INPUT, "cannot read catalog '%s': %s",
		           path.ptr, strerror(errno));
		ev_buf_release(&path);
		return EV_BAD_INPUT;
	}
	ev_buf_printf(&files->identity,
	              "%s %llx %llx %lld %lld.%09ld %lld.%09ld\n", path.ptr,
	              (unsigned long long)info.st_dev,
	              (unsigned long long)info.st_ino, (long long)info.st_size,
	              (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
	              (long long)info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
	files->paths = ev_mem_resize(files->paths, (files->count + 1) *
	                             sizeof *files->paths);
	files->paths[files->count++] = path.ptr;
	return EV_OK;
}

static enum ev_status
add_folder(struct files *files, const char *folder, struct ev_err *err)
{
	struct dirent **entries;
	enum ev_status status = EV_OK;
	int count = scandir(folder, &entries, is_yaml, by_name);

	if (count < 0)
		return ev_err_set(err, errno == ENOENT || errno == ENOTDIR ||
		                  errno == EACCES ? EV_BAD_INPUT : EV_IO,
		                  "cannot read the catalogs in '%s': %s "
		                  "(EV_SCHEMAS says where they are)", folder,
		                  strerror(errno));
	for (int i = 0; i < count; i++) {
		if (!status)
			status = add_file(files, folder, entries[i]->d_name,
			                  err);
		free(entries[i]);
	}
	free(entries);
	return status;
}

static enum ev_status
list_files(struct files *files, struct ev_err *err)
{
	const char *path = getenv("EV_SCHEMAS");
	char folder[PATH_MAX];
	enum ev_status status;

	for (path = path ? path : "";; path++) {
		size_t len = strcspn(path, ":");

		if (len)
			snprintf(folder, sizeof folder, "%.*s", (int)len, path);
		else
			default_folder(folder);
		if ((status = add_folder(files, folder, err)))
			return status;
		path += len;
		if (!*path)
			return EV_OK;
	}
}

static enum ev_status
read_file(struct ev_buf *text, const char *path, struct ev_err *err)
{
	enum { PIECE = 64 * 1024, MOST = 16 * 1024 * 1024 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	ev_buf_reset(text);
	while (fd >= 0 && text->len <= MOST &&
	       (got = read(fd, ev_buf_reserve(text, PIECE), PIECE)) > 0)
		text->len += (size_t)got;
	if (got < 0)
		ev_err_set(err, EV_BAD_INPUT, "cannot read catalog '%s': %s",
		           path, strerror(errno));
	else if (got > 0)
		ev_err_set(err, EV_BAD_INPUT,
		           "cannot read catalog '%s': it is over %d bytes",
		           path, MOST);
	if (fd >= 0)
		close(fd);
	return got == 0 ? EV_OK : EV_BAD_INPUT;
}

typedef enum ev_status taker(void *context, const char *file,
                             struct ev_str text, struct ev_err *err);

static enum ev_status
read_files(const struct files *files, taker *take, void *context,
           struct ev_err *err)
{
	struct ev_buf text = { 0 };
	enum ev_status status = EV_OK;

	for (size_t i = 0; !status && i < files->count; i++) {
		status = read_file(&text, files->paths[i], err);
		if (!status)
			status = take(context, files->paths[i],
			              ev_buf_str(&text), err);
	}
	ev_buf_release(&text);
	return status;
}

enum ev_status
ev_catalog_files(taker *take, void *context, struct ev_err *err)
{
	struct files files = { 0 };
	enum ev_status status = list_files(&files, err);

	if (!status)
		status = read_files(&files, take, context, err);
	release(&files);
	return status;
}

static enum ev_status
add_catalog(void *context, const char *file, struct ev_str text,
            struct ev_err *err)
{
	struct ev_catalogs *catalogs = context;
	struct ev_problems problems = { 0 };
	struct ev_catalog *catalog;
	enum ev_status status;

	status = ev_catalog_parse(&catalog, file, text, &problems);
	if (!status)
		ev_catalogs_add(catalogs, catalog);
	else
		ev_err_set(err, status, "%.*s%s",
		           (int)strcspn(problems.text.ptr, "\n"),
		           problems.text.ptr,
		           problems.count > 1 ? " (ev-check lists all problems)"
		                              : "");
	ev_problems_release(&problems);
	return status;
}

enum ev_status
ev_catalogs_open(struct ev_catalogs *catalogs, struct ev_store *store,
                 struct ev_err *err)
{
	struct files files = { 0 };
	enum ev_status status = list_files(&files, err);

	if (!status) {
		struct ev_str identity = ev_buf_str(&files.identity);

		status = EV_NO;
		if (store && identity.ptr)
			status = store->ops->recall(store, identity, catalogs,
			                            err);
		if (status == EV_NO) {
			status = read_files(&files, add_catalog, catalogs, err);
			if (!status && store)
				store->ops->remember(store, identity, catalogs);
		}
	}
	release(&files);
	return status;
}
