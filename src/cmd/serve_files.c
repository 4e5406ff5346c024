#include "cmd/serve_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "adapter/files.h"
#include "domain/yaml.h"

enum {
	BYTES_MAX = 4 << 20 /* of all files together */
};

/* Nothing that is not in these files runs, loads or is asked for; nobody may
   put the pages into a frame. */
static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; "
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
	"form-action 'self'; frame-ancestors 'none'; manifest-src 'self'";

static const struct ev_files_path dashboard = {
	.beside = "share/dashboard",
	.installed = "share/ev/dashboard",
	.noun = "dashboard file",
};

static const struct ev_files_path http = {
	.beside = "schemas/http",
	.installed = "share/ev/schemas/http",
	.noun = "description of the API",
};

struct file {
	const char *name; /* "js/app.mjs" */
	const char *type;
	struct ev_buf bytes;
};

struct serve_files {
	struct file *list; /* by name */
	size_t count;
	struct file yaml, json; /* of the API; type NULL: there is none */
	size_t bytes;
	struct ev_arena arena;
};

/* ---- one file */

/* NULL: what the web has no use for. */
static const char *
find_type(const char *name)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
		{ ".json", "application/json" },
		{ ".map", "application/json" },
		{ ".webmanifest", "application/manifest+json" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".txt", "text/plain; charset=utf-8" },
	};
	const char *suffix = strrchr(name, '.');

	for (size_t i = 0; suffix && i < sizeof types / sizeof *types; i++)
		if (strcmp(suffix, types[i].suffix) == 0)
			return types[i].type;
	return NULL;
}

static void
answer(struct serve_request *request, const struct file *file)
{
	struct ev_buf *body = serve_json(request);

	request->answer.type = file->type;
	ev_buf_add_str(body, ev_buf_str(&file->bytes));
	serve_header(request, "Content-Security-Policy", ev_str(policy));
	serve_finish(request);
}

static void
refuse(struct serve_request *request)
{
	serve_problem(request, 404, "not-found", (struct ev_str){ 0 },
	              "'%.*s': there is nothing here; /api/openapi.yaml tells "
	              "what there is", EV_FMT(ev_http_path(request->http)));
	serve_finish(request);
}

/* ---- reading them */

static enum ev_status
add_file(struct serve_files *files, const char *path, const char *name,
         struct ev_err *err)
{
	struct file file = { .type = find_type(name) };
	enum ev_status status;

	if (!file.type)
		return EV_OK;
	status = ev_files_read(&file.bytes, path, dashboard.noun, err);
	files->bytes += file.bytes.len;
	if (!status && files->bytes > BYTES_MAX)
		status = ev_err_set(err, EV_BAD_INPUT, "cannot serve '%s': the "
		                    "dashboard's files are over %d bytes",
		                    path, BYTES_MAX);
	if (status) {
		ev_buf_release(&file.bytes);
		return status;
	}
	file.name = ev_arena_dup(&files->arena, ev_str(name)).ptr;
	files->list = ev_mem_resize(files->list, (files->count + 1) *
	                            sizeof *files->list);
	files->list[files->count++] = file;
	return EV_OK;
}

static enum ev_status add_folder(struct serve_files *files, const char *path,
                                 const char *prefix, struct ev_err *err);

/* `prefix` is NULL for what is in the folder itself, "js/" in one of it. */
static enum ev_status
add_entry(struct serve_files *files, const char *folder, const char *prefix,
          const char *entry, struct ev_err *err)
{
	struct ev_buf path = { 0 }, name = { 0 };
	enum ev_status status = EV_OK;
	struct stat info;

	ev_buf_printf(&path, "%s/%s", folder, entry);
	ev_buf_add_char(&path, '\0');
	ev_buf_printf(&name, "%s%s", prefix ? prefix : "", entry);
	if (stat(path.ptr, &info) != 0) {
		status = ev_err_set(err, EV_BAD_INPUT, "cannot read %s '%s': "
		                    "%s", dashboard.noun, path.ptr,
		                    strerror(errno));
	} else if (S_ISREG(info.st_mode)) {
		ev_buf_add_char(&name, '\0');
		status = add_file(files, path.ptr, name.ptr, err);
	} else if (S_ISDIR(info.st_mode) && !prefix) {
		ev_buf_add(&name, "/", 2);
		status = add_folder(files, path.ptr, name.ptr, err);
	}
	ev_buf_release(&path);
	ev_buf_release(&name);
	return status;
}

static enum ev_status
add_folder(struct serve_files *files, const char *path, const char *prefix,
           struct ev_err *err)
{
	DIR *dir = opendir(path);
	enum ev_status status = EV_OK;
	struct dirent *entry;

	if (!dir)
		return ev_err_set(err, EV_BAD_INPUT, "cannot read the "
		                  "dashboard in '%s': %s", path,
		                  strerror(errno));
	while (!status && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			status = add_entry(files, path, prefix, entry->d_name,
			                   err);
	closedir(dir);
	return status;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name,
	              ((const struct file *)b)->name);
}

static enum ev_status
read_dashboard(struct serve *serve, struct ev_err *err)
{
	struct serve_files *files = serve->files;
	const char *named = serve->settings.dashboard;
	char path[PATH_MAX];
	struct stat info;
	enum ev_status status;

	if (!named) {
		ev_files_folder(&dashboard, path);
		if (stat(path, &info) != 0)
			return EV_OK;
	}
	status = add_folder(files, named ? named : path, NULL, err);
	if (!status && files->count)
		qsort(files->list, files->count, sizeof *files->list, by_name);
	return status;
}

/* ---- the description of the API */

/* The first problem of the file. */
struct problem {
	const char *path;
	struct ev_err *err;
	bool found;
};

static void
note(void *context, struct ev_place place, const char *message)
{
	struct problem *problem = context;

	if (!problem->found)
		ev_err_set(problem->err, EV_BAD_INPUT, "%s:%zu:%zu: %s",
		           problem->path, place.line, place.column, message);
	problem->found = true;
}

static enum ev_status
read_description(struct serve_files *files, struct ev_err *err)
{
	char folder[PATH_MAX], path[PATH_MAX + 16];
	struct problem problem = { path, err, false };
	struct ev_arena arena = { 0 };
	const struct ev_yaml *tree;
	struct stat info;

	ev_files_folder(&http, folder);
	snprintf(path, sizeof path, "%s/openapi.yaml", folder);
	if (stat(path, &info) != 0)
		return EV_OK;
	if (ev_files_read(&files->yaml.bytes, path, http.noun, err))
		return EV_BAD_INPUT;
	tree = ev_yaml_parse(&arena, ev_buf_str(&files->yaml.bytes), note,
	                     &problem);
	if (tree)
		ev_yaml_write_json(&files->json.bytes, tree, NULL);
	ev_arena_release(&arena);
	if (!tree)
		return EV_BAD_INPUT;
	files->yaml.type = "application/yaml";
	files->json.type = "application/json";
	return EV_OK;
}

enum ev_status
serve_files_open(struct serve *serve, struct ev_err *err)
{
	enum ev_status status;

	serve->files = ev_mem_alloc(sizeof *serve->files);
	status = read_dashboard(serve, err);
	return status ? status : read_description(serve->files, err);
}

void
serve_files_close(struct serve *serve)
{
	struct serve_files *files = serve->files;

	if (!files)
		return;
	for (size_t i = 0; i < files->count; i++)
		ev_buf_release(&files->list[i].bytes);
	free(files->list);
	ev_buf_release(&files->yaml.bytes);
	ev_buf_release(&files->json.bytes);
	ev_arena_release(&files->arena);
	free(files);
	serve->files = NULL;
}

/* ---- answers */

void
serve_files_get(struct serve_request *request)
{
	const struct serve_files *files = request->serve->files;
	struct ev_str path = ev_http_path(request->http);
	struct file key = { .name = "index.html" };
	const struct file *file = NULL;

	/* a name with a NUL in it is nobody's; see adapter/http.h */
	if (path.len > 1)
		key.name = ev_arena_dup(&request->arena, (struct ev_str){
			path.ptr + 1, path.len - 1 }).ptr;
	if (files->count)
		file = bsearch(&key, files->list, files->count,
		               sizeof *files->list, by_name);
	if (file)
		answer(request, file);
	else
		refuse(request);
}

static void
describe(struct serve_request *request, const struct file *file)
{
	static const char *const none[] = { NULL };

	if (!serve_params_known(request, none))
		serve_finish(request);
	else if (file->type)
		answer(request, file);
	else
		refuse(request);
}

void
serve_files_openapi_yaml(struct serve_request *request)
{
	describe(request, &request->serve->files->yaml);
}

void
serve_files_openapi_json(struct serve_request *request)
{
	describe(request, &request->serve->files->json);
}
