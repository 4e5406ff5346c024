#include "cmd/project.h"

#include <stdlib.h>

#include "adapter/projection_files.h"
#include "cmd/cli.h"

struct followed {
	struct readmodel model;
	int64_t parked;         /* when it was told */
	enum ev_status status;  /* how it last ended */
	struct followed *next;
};

struct follow {
	struct project *project;
	struct followed *list;
};

static struct followed *
find_followed(const struct follow *follow, struct ev_str name)
{
	for (struct followed *f = follow->list; f; f = f->next)
		if (ev_str_equal(f->model.name, name))
			return f;
	return NULL;
}

/* Models that others have made meanwhile are followed too. */
static bool
follow_name(struct follow *follow, const char *name,
            enum readmodel_flags flags)
{
	struct followed *followed;
	struct ev_err err;
	enum ev_status status;

	if (find_followed(follow, ev_str(name)))
		return true;
	followed = ev_mem_alloc(sizeof *followed);
	status = readmodel_open(&followed->model, &follow->project->projector,
	                        name, flags, &err);
	if (!status && !follow->project->options->all)
		status = project_check_mode(&followed->model, &err);
	if (status) {
		project_fail(follow->project, status, &err);
		readmodel_release(&followed->model);
		free(followed);
		return false;
	}
	followed->next = follow->list;
	follow->list = followed;
	return true;
}

static bool
follow_kept(void *context, const char *name)
{
	/* one whose definition this ev does not know is told, and left alone */
	follow_name(context, name, READMODEL_SAY | READMODEL_KEPT);
	return true;
}

static enum ev_status
follow_file(void *context, struct ev_str name, struct ev_err *err)
{
	struct ev_arena arena = { 0 };

	(void)err;
	follow_name(context, ev_arena_dup(&arena, name).ptr, READMODEL_SAY);
	ev_arena_release(&arena);
	return EV_OK;
}

/* Which ones; the names must all be right. */
static enum ev_status
begin_follow(struct follow *follow, struct ev_err *err)
{
	const struct project_options *options = follow->project->options;

	if (options->all)
		return ev_projection_names(follow_file, follow, err);
	for (char **name = options->names; *name; name++)
		if (!follow_name(follow, *name, READMODEL_SAY))
			break;
	return EV_OK;
}

/* Somebody else's lock is worth waiting for: the next event, or the next
   second, tries again. */
static enum ev_status
update_followed(struct follow *follow, struct followed *followed,
                struct ev_err *err)
{
	struct readmodel *model = &followed->model;
	enum ev_status status = readmodel_update(model, err);

	if (!status)
		status = readmodel_refresh(model, err);
	if (!status) {
		project_tell_parked(follow->project, model, followed->parked);
		followed->parked = model->live.parked;
	} else if (status == EV_BUSY && !cli_stop) {
		if (followed->status != EV_BUSY)
			cli_fail(status, err);
	} else {
		return status;
	}
	followed->status = status;
	return EV_OK;
}

static enum ev_status
update_all_followed(struct follow *follow, struct ev_err *err)
{
	const struct project_options *options = follow->project->options;
	enum ev_status status = EV_OK;

	if (!options->all && !options->names[0])
		status = projector_names(&follow->project->projector,
		                         follow_kept, follow, err);
	for (struct followed *f = follow->list; f && !status && !cli_stop;
	     f = f->next)
		status = update_followed(follow, f, err);
	return status;
}

static bool
is_any_busy(const struct follow *follow)
{
	for (const struct followed *f = follow->list; f; f = f->next)
		if (f->status == EV_BUSY)
			return true;
	return false;
}

static enum ev_status
follow_log(struct follow *follow, struct ev_err *err)
{
	struct ev_store *store = follow->project->projector.store;
	struct ev_head head;
	int64_t seen = -1;
	enum ev_status status = EV_OK;

	while (!cli_stop) {
		if ((status = store->ops->head(store, &head, err)))
			break;
		/* a log that is not there yet has no models */
		if ((head.position > seen || is_any_busy(follow)) &&
		    head.position &&
		    (status = update_all_followed(follow, err)))
			break;
		seen = head.position;
		status = store->ops->wait(store, seen, -1, NULL, 0, err);
		if (status && status != EV_NO)
			break;
	}
	return cli_stop || status == EV_NO ? EV_OK : status;
}

enum ev_status
project_follow(struct project *project, struct ev_err *err)
{
	struct follow follow = { .project = project };
	enum ev_status status = begin_follow(&follow, err);

	if (!status && !project->worst)
		status = follow_log(&follow, err);
	while (follow.list) {
		struct followed *next = follow.list->next;

		readmodel_release(&follow.list->model);
		free(follow.list);
		follow.list = next;
	}
	return status;
}
