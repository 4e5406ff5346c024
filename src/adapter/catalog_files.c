#include "adapter/catalog_files.h"

#include "adapter/files.h"

static const struct ev_files_path folders = {
	.variable = "EV_SCHEMAS",
	.beside = "schemas",
	.installed = "share/ev/schemas",
	.noun = "catalog",
};

enum ev_status
ev_catalog_files(ev_files_take *take, void *context, struct ev_err *err)
{
	struct ev_files files = { 0 };
	enum ev_status status = ev_files_list(&files, &folders, err);

	if (!status)
		status = ev_files_each(&files, take, context, err);
	ev_files_release(&files);
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
	struct ev_files files = { 0 };
	enum ev_status status = ev_files_list(&files, &folders, err);

	if (!status) {
		struct ev_str identity = ev_buf_str(&files.identity);

		status = EV_NO;
		if (store && identity.ptr)
			status = store->ops->recall(store, identity, catalogs,
			                            err);
		if (status == EV_NO) {
			status = ev_files_each(&files, add_catalog, catalogs,
			                       err);
			if (!status && store)
				store->ops->remember(store, identity, catalogs);
		}
	}
	ev_files_release(&files);
	return status;
}
