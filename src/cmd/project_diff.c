#include "cmd/project.h"

#include <assert.h>
#include <stdlib.h>

#include "cmd/cli.h"
#include "cmd/view.h"

/* Documents of a view, in the order of their keys. */
struct shown {
	struct shown_document {
		struct ev_str key;
		struct ev_str json;
	} *list;
	size_t count;
	struct ev_arena arena;
};

static bool
keep_document(void *context, struct ev_str key, int64_t position,
              struct ev_str json)
{
	struct shown *shown = context;

	(void)position;
	if ((shown->count & (shown->count - 1)) == 0)
		shown->list = ev_mem_resize(shown->list,
		                            (shown->count ? 2 * shown->count
		                                          : 1) *
		                            sizeof *shown->list);
	shown->list[shown->count++] = (struct shown_document){
		ev_arena_dup(&shown->arena, key),
		ev_arena_dup(&shown->arena, json)
	};
	return !cli_stop;
}

/* NULL: there is none. */
static void
add_document(struct ev_buf *line, const char *member,
             const struct shown_document *document)
{
	ev_buf_add_str(line, ev_str(member));
	ev_buf_add_str(line, document ? document->json : EV_STR("null"));
}

static void
print_difference(struct project *project, const struct shown_document *before,
                 const struct shown_document *after)
{
	struct ev_buf line = { 0 };

	assert(before || after);
	ev_buf_add_str(&line, EV_STR("{\"key\":\""));
	/* a slice is escaped already */
	ev_buf_add_str(&line, before ? before->key : after->key);
	add_document(&line, "\",\"before\":", before);
	add_document(&line, ",\"after\":", after);
	ev_buf_add_char(&line, '}');
	project_print(project, ev_buf_str(&line));
	ev_buf_release(&line);
}

static bool
print_differences(struct project *project, const struct shown *before,
                  const struct shown *after)
{
	const struct shown_document *old = before->list, *new = after->list;
	size_t olds = before->count, news = after->count;
	bool differs = false;

	while ((olds || news) && !project->out.error) {
		int order = !olds ? 1 : !news ? -1
		                              : ev_str_compare(old->key,
		                                               new->key);

		if (order || !ev_str_equal(old->json, new->json)) {
			differs = true;
			print_difference(project, order <= 0 ? old : NULL,
			                 order >= 0 ? new : NULL);
		}
		if (order <= 0) {
			old++;
			olds--;
		}
		if (order >= 0) {
			new++;
			news--;
		}
	}
	return differs;
}

static enum ev_status
show_view(struct readmodel *model, const struct view_options *options,
          struct shown *shown, struct ev_err *err)
{
	struct view view = { 0 };
	enum ev_status status = view_open(&view, model, options, err);

	if (!status)
		status = view_each(&view, keep_document, shown, err);
	for (size_t i = 0; !status && options->anew && i < view.parked.count;
	     i++)
		cli_say(EV_OK, "by the file's definition, position %lld cannot "
		        "be folded: %.*s",
		        (long long)view.parked.list[i].position,
		        EV_FMT(view.parked.list[i].reason));
	view_close(&view);
	return status;
}

/* Both from one state of the log. */
enum ev_status
project_diff(struct project *project, struct readmodel *model,
             struct ev_err *err)
{
	struct ev_store *store = project->projector.store;
	struct view_options now = { .at = -1 };
	struct view_options then = { .at = -1, .anew = true,
	                             .projection = model->file };
	struct shown before = { 0 }, after = { 0 };
	enum ev_status status;

	if (!model->file)
		return ev_err_set(err, EV_USAGE, "no file on the path defines "
		                  "'%.*s': there is nothing to compare with",
		                  EV_FMT(model->name));
	if ((status = store->ops->model_begin(store, err)))
		return status;
	if (model->live.id)
		status = show_view(model, &now, &before, err);
	if (!status)
		status = show_view(model, &then, &after, err);
	store->ops->model_end(store);
	if (!status && print_differences(project, &before, &after))
		project->worst = EV_NO;
	free(before.list);
	free(after.list);
	ev_arena_release(&before.arena);
	ev_arena_release(&after.arena);
	return status;
}
