#include "cmd/definitions.h"

#include <stdlib.h>

#include "adapter/catalog_files.h"
#include "adapter/projection_files.h"
#include "cmd/yaml_file.h"
#include "domain/event.h"
#include "domain/yaml.h"

void
definitions_release(struct definitions *d)
{
	for (size_t i = 0; i < d->catalog_count; i++)
		ev_catalog_free(d->catalogs[i].catalog);
	free(d->catalogs);
	for (size_t i = 0; i < d->projection_count; i++)
		ev_projection_free(d->projections[i]);
	free(d->projections);
	ev_arena_release(&d->arena);
	ev_problems_release(&d->problems);
}

/* ---- one file */

/* Parses a catalog and keeps it, or its problems. */
static enum ev_status
add_catalog(void *context, const char *path, struct ev_str yaml,
            struct ev_err *err)
{
	struct definitions *d = context;
	struct ev_catalog_file *file;

	(void)err;
	d->catalogs = ev_mem_resize(d->catalogs, (d->catalog_count + 1) *
	                                                 sizeof *d->catalogs);
	file = &d->catalogs[d->catalog_count++];
	*file = (struct ev_catalog_file){
		.path = ev_arena_dup(&d->arena, ev_str(path)).ptr,
		.yaml = ev_arena_dup(&d->arena, yaml),
	};
	(void)ev_catalog_parse(&file->catalog, file->path, file->yaml,
	                       &d->problems);
	return EV_OK;
}

static void
keep_projection(struct definitions *d, const struct ev_projection *projection)
{
	d->projections = ev_mem_resize(d->projections,
	                               (d->projection_count + 1) *
	                                       sizeof *d->projections);
	d->projections[d->projection_count++] = projection;
}

static enum ev_status
add_projection(void *context, const char *path, struct ev_str yaml,
               struct ev_err *err)
{
	const struct ev_projection *projection;
	struct definitions *d = context;

	(void)err;
	d->projection_files++;
	if (ev_projection_parse(&projection, path, yaml, &d->problems))
		return EV_OK;
	keep_projection(d, projection);
	return EV_OK;
}

/* One on the path is found by its file's name. */
static enum ev_status
add_projection_of_path(void *context, const char *path, struct ev_str yaml,
                       struct ev_err *err)
{
	const struct ev_projection *projection;
	struct definitions *d = context;
	size_t count = d->projection_count;
	const char *slash = strrchr(path, '/');
	struct ev_str name = ev_str(slash ? slash + 1 : path);

	(void)add_projection(context, path, yaml, err);
	if (d->projection_count == count)
		return EV_OK;
	projection = d->projections[count];
	name.len -= strlen(".yaml");
	if (!ev_str_equal(name, projection->name))
		ev_projection_report(projection,
		                     yyjson_obj_get(projection->where,
		                                    "projection"),
		                     &d->problems,
		                     "projection '%.*s' is looked for in a "
		                     "file '%.*s.yaml'",
		                     EV_FMT(projection->name),
		                     EV_FMT(projection->name));
	return EV_OK;
}

static void
ignore_problem(void *context, struct ev_place place, const char *message)
{
	(void)context;
	(void)place;
	(void)message;
}

/* Also one that is no YAML: then a line says so. */
static bool
is_projection(struct ev_str yaml)
{
	struct ev_str word = EV_STR("projection:");
	struct ev_arena arena = { 0 };
	const struct ev_yaml *tree, *node;
	bool found = false;

	tree = ev_yaml_parse(&arena, yaml, ignore_problem, NULL);
	if (tree && tree->kind == EV_YAML_MAP)
		for (node = tree->first; node && !found; node = node->next)
			found = ev_str_equal(node->key->text,
			                     EV_STR("projection"));
	while (!tree && !found && yaml.len) {
		const char *end = memchr(yaml.ptr, '\n', yaml.len);
		size_t len = end ? (size_t)(end + 1 - yaml.ptr) : yaml.len;

		found = ev_str_starts(yaml, word);
		yaml.ptr += len;
		yaml.len -= len;
	}
	ev_arena_release(&arena);
	return found;
}

enum ev_status
definitions_read(struct definitions *d, const char *path,
                 enum definitions_kind kind, struct ev_err *err)
{
	struct ev_buf text = { 0 };
	enum ev_status status = yaml_file_read(&text, path, err);

	if (!status && kind == DEFINITIONS_EITHER &&
	    is_projection(ev_buf_str(&text)))
		status = add_projection(d, path, ev_buf_str(&text), err);
	else if (!status)
		status = add_catalog(d, path, ev_buf_str(&text), err);
	ev_buf_release(&text);
	return status;
}

static size_t
folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* On the path of folders a catalog hides those of its name in later ones. */
static void
drop_hidden(struct definitions *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->catalog_count; i++) {
		struct ev_catalog_file *file = &d->catalogs[i];
		bool hidden = false;

		for (size_t k = 0; k < kept && file->catalog; k++) {
			const struct ev_catalog_file *other = &d->catalogs[k];
			size_t len = folder_len(other->path);

			hidden |= other->catalog &&
			          ev_str_equal(ev_catalog_name(file->catalog),
			                       ev_catalog_name(other->catalog)) &&
			          (len != folder_len(file->path) ||
			           memcmp(file->path, other->path, len) != 0);
		}
		if (hidden)
			ev_catalog_free(file->catalog);
		else
			d->catalogs[kept++] = *file;
	}
	d->catalog_count = kept;
}

enum ev_status
definitions_read_catalogs(struct definitions *d, struct ev_err *err)
{
	enum ev_status status = ev_catalog_files(add_catalog, d, err);

	drop_hidden(d);
	return status;
}

enum ev_status
definitions_read_projections(struct definitions *d, struct ev_err *err)
{
	return ev_projection_files(add_projection_of_path, d, err);
}

/* ---- what is wrong with several */

/* Our catalogs, before those in force that have other names. */
static void
join_catalogs(struct ev_catalogs *out, const struct definitions *d,
              const struct ev_catalogs *in_force)
{
	out->list = ev_mem_alloc((d->catalog_count + in_force->count + 1) *
	                         sizeof *out->list);
	for (size_t i = 0; i < d->catalog_count; i++)
		if (d->catalogs[i].catalog)
			out->list[out->count++] = d->catalogs[i].catalog;
	for (size_t i = 0; i < in_force->count; i++)
		if (!ev_catalogs_get(out, ev_catalog_name(in_force->list[i])))
			out->list[out->count++] = in_force->list[i];
}

/* The first `count` of them; those behind are there for `from`. */
static void
check_projections(struct definitions *d, size_t count,
                  const struct ev_catalogs *in_force)
{
	struct ev_catalogs catalogs = { 0 };

	join_catalogs(&catalogs, d, in_force);
	for (size_t i = 0; i < count; i++)
		ev_projection_check(d->projections[i], &catalogs,
		                    d->projections, d->projection_count,
		                    &d->problems);
	free(catalogs.list);
}

/* Adds the projections on the path, if a named one needs another. */
static enum ev_status
add_others(struct definitions *d, struct ev_err *err)
{
	struct definitions path = { .catalogs = NULL };
	enum ev_status status;
	bool from = false;

	for (size_t i = 0; i < d->projection_count; i++)
		from |= d->projections[i]->from.len != 0;
	if (!from)
		return EV_OK;
	status = ev_projection_files(add_projection, &path, err);
	for (size_t i = 0; i < path.projection_count; i++)
		keep_projection(d, path.projections[i]);
	path.projection_count = 0;
	definitions_release(&path);
	return status;
}

static enum ev_status
check_named_projections(struct definitions *d, struct ev_err *err)
{
	size_t count = d->projection_count;
	struct ev_catalogs in_force = { 0 };
	enum ev_status status = ev_catalogs_open(&in_force, NULL, err);

	if (!status)
		status = add_others(d, err);
	if (!status)
		check_projections(d, count, &in_force);
	ev_catalogs_release(&in_force);
	return status;
}

enum ev_status
definitions_check(struct definitions *d, enum definitions_origin origin,
                  struct ev_err *err)
{
	const struct ev_catalogs none = { 0 };

	ev_catalogs_check(d->catalogs, d->catalog_count, &d->problems);
	/* what is wrong with a catalog would be said of them once more */
	for (size_t i = 0; i < d->catalog_count; i++)
		if (!d->catalogs[i].catalog)
			return EV_OK;
	if (d->projection_count && origin == DEFINITIONS_NAMED)
		return check_named_projections(d, err);
	check_projections(d, d->projection_count, &none);
	return EV_OK;
}
