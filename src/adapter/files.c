#include "adapter/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

void
ev_files_release(struct ev_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->names[i]);
	free(files->names);
	ev_buf_release(&files->identity);
}

static bool
is_folder(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

void
ev_files_folder(const struct ev_files_path *path, char *folder)
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
	if (snprintf(folder, PATH_MAX, "%s/%s", bin, path->beside) < PATH_MAX &&
	    !is_folder(folder) &&
	    snprintf(folder, PATH_MAX, "%s/%s", bin, path->installed) >=
	            PATH_MAX)
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

/* Folders, pipes and the like are no files, whatever they are called. */
static void
add_file(struct ev_files *files, const char *folder, const char *name)
{
	struct ev_buf path = { 0 };
	struct stat info;

	ev_buf_printf(&path, "%s/%s", folder, name);
	ev_buf_add_char(&path, '\0');
	if (stat(path.ptr, &info) != 0) {
		/* who needs it will be told; others go on without it */
		info = (struct stat){ 0 };
	} else if (!S_ISREG(info.st_mode)) {
		ev_buf_release(&path);
		return;
	}
	ev_buf_printf(&files->identity,
	              "%s %llx %llx %lld %lld.%09ld %lld.%09ld\n", path.ptr,
	              (unsigned long long)info.st_dev,
	              (unsigned long long)info.st_ino, (long long)info.st_size,
	              (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
	              (long long)info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
	files->names = ev_mem_resize(files->names, (files->count + 1) *
	                             sizeof *files->names);
	files->names[files->count++] = path.ptr;
}

static enum ev_status
add_folder(struct ev_files *files, const char *folder, struct ev_err *err)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_yaml, by_name);

	if (count < 0)
		return ev_err_set(err, errno == ENOENT || errno == ENOTDIR ||
		                  errno == EACCES ? EV_BAD_INPUT : EV_IO,
		                  "cannot read the %ss in '%s': %s "
		                  "(%s says where they are)",
		                  files->path->noun, folder, strerror(errno),
		                  files->path->variable);
	for (int i = 0; i < count; i++) {
		add_file(files, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return EV_OK;
}

enum ev_status
ev_files_list(struct ev_files *files, const struct ev_files_path *from,
              struct ev_err *err)
{
	const char *path = getenv(from->variable);
	char folder[PATH_MAX];
	enum ev_status status;

	files->path = from;
	for (path = path ? path : "";; path++) {
		size_t len = strcspn(path, ":");

		if (len)
			snprintf(folder, sizeof folder, "%.*s", (int)len, path);
		else
			ev_files_folder(from, folder);
		if ((status = add_folder(files, folder, err)))
			return status;
		path += len;
		if (!*path)
			return EV_OK;
	}
}

const char *
ev_files_name(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

enum ev_status
ev_files_read(struct ev_buf *text, const char *path, const char *noun,
              struct ev_err *err)
{
	enum { PIECE = 64 * 1024, MOST = 16 * 1024 * 1024 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	ev_buf_reset(text);
	while (fd >= 0 && text->len <= MOST &&
	       (got = read(fd, ev_buf_reserve(text, PIECE), PIECE)) > 0)
		text->len += (size_t)got;
	if (got < 0)
		ev_err_set(err, EV_BAD_INPUT, "cannot read %s '%s': %s", noun,
		           path, strerror(errno));
	else if (got > 0)
		ev_err_set(err, EV_BAD_INPUT,
		           "cannot read %s '%s': it is over %d bytes", noun,
		           path, MOST);
	if (fd >= 0)
		close(fd);
	return got == 0 ? EV_OK : EV_BAD_INPUT;
}

enum ev_status
ev_files_each(const struct ev_files *files, ev_files_take *take, void *context,
              struct ev_err *err)
{
	struct ev_buf text = { 0 };
	enum ev_status status = EV_OK;

	for (size_t i = 0; !status && i < files->count; i++) {
		status = ev_files_read(&text, files->names[i],
		                       files->path->noun, err);
		if (!status)
			status = take(context, files->names[i],
			              ev_buf_str(&text), err);
	}
	ev_buf_release(&text);
	return status;
}
