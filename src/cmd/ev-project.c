/*
 * ev-project: keeps read models in the log. It folds the events that a model
 * lacks into its documents and saves both, with how far it has come, in one
 * transaction a step: killed at any moment and started again, it makes what one
 * undisturbed run would have made. It also lists, rebuilds, compares and drops
 * models.
 */
#include <getopt.h>
#include <unistd.h>

#include "adapter/projection_files.h"
#include "cmd/cli.h"
#include "cmd/project.h"

static const char usage[] =
"usage: ev-project [-l LOG] [options] [NAME|FILE...]\n"
"Bring read models up to date with the log: those named, which are made if the\n"
"log does not have them, or all that the log has.\n"
"\n"
"  -f, --format FORM          of --list: ndjson or table\n"
"  -l, --log LOG              the log (default: $EV_LOG, else\n"
"                             $XDG_STATE_HOME/ev/log.db)\n"
"      --all                  every projection on the path\n"
"      --diff                 print what the file's definition would change\n"
"      --drop                 remove them from the log\n"
"      --follow               go on as events come\n"
"      --list                 print the log's models, and what is wrong\n"
"      --rebuild              fold the whole log anew, by the file's\n"
"                             definition, and then swap the result in\n"
"      --retry                the same, if events are parked\n"
"  -h, --help                 print this\n"
"      --version              print versions\n"
"\n"
"Exit status: 0 done, 1 --diff found a difference or a model is not there, 64\n"
"usage, 65 events are parked or a file is wrong, 69 log unreachable, 74 reading\n"
"or writing failed, 75 busy.\n";

enum { OPT_ALL = 256, OPT_DIFF, OPT_DROP, OPT_FOLLOW, OPT_LIST, OPT_REBUILD,
       OPT_RETRY, OPT_VERSION };

static const struct option long_options[] = {
	{ "all", no_argument, NULL, OPT_ALL },
	{ "diff", no_argument, NULL, OPT_DIFF },
	{ "drop", no_argument, NULL, OPT_DROP },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "log", required_argument, NULL, 'l' },
	{ "rebuild", no_argument, NULL, OPT_REBUILD },
	{ "retry", no_argument, NULL, OPT_RETRY },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static int
take_job(struct project_options *options, enum project_job job)
{
	if (options->job != UPDATE && options->job != job)
		return cli_usage("--diff, --drop, --follow, --list, --rebuild "
		                 "and --retry exclude each other");
	options->job = job;
	return -1;
}

/* One option: -1 done, else the exit status. */
static int
take_option(struct project_options *options, int c, char **argv)
{
	switch (c) {
	case 'f':
		options->form = strcmp(optarg, "table") == 0 ? PROJECT_TABLE
		                                             : PROJECT_NDJSON;
		if (options->form != PROJECT_TABLE &&
		    strcmp(optarg, "ndjson") != 0)
			return cli_usage("-f '%s': expected ndjson or table",
			                 optarg);
		return -1;
	case 'l':
		options->log = optarg;
		return -1;
	case OPT_ALL:
		options->all = true;
		return -1;
	case OPT_DIFF:
		return take_job(options, DIFF);
	case OPT_DROP:
		return take_job(options, DROP);
	case OPT_FOLLOW:
		return take_job(options, FOLLOW);
	case OPT_LIST:
		return take_job(options, LIST);
	case OPT_REBUILD:
		return take_job(options, REBUILD);
	case OPT_RETRY:
		return take_job(options, RETRY);
	default:
		return cli_bad_option(argv);
	}
}

static int
check_options(const struct project_options *options)
{
	bool named = options->names[0] != NULL;

	if (options->all && (named || options->job == LIST ||
	                     options->job == DIFF || options->job == DROP))
		return cli_usage("--all goes with --follow, --rebuild, --retry "
		                 "or nothing, and without names");
	if (options->job == DIFF && (!named || options->names[1]))
		return cli_usage("--diff takes one name");
	if ((options->job == DROP || options->job == REBUILD) && !named &&
	    !options->all)
		return cli_usage("which read model? --list names those of the "
		                 "log");
	if (options->form != PROJECT_BY_OUTPUT && options->job != LIST)
		return cli_usage("-f goes with --list");
	return -1;
}

/* Fills the options; -1: go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct project_options *options)
{
	int c, result;

	while ((c = getopt_long(argc, argv, "f:hl:", long_options, NULL)) !=
	       -1) {
		if (c == 'h')
			return cli_help(usage);
		if (c == OPT_VERSION)
			return cli_version();
		if ((result = take_option(options, c, argv)) >= 0)
			return result;
	}
	options->names = argv + optind;
	return check_options(options);
}

/* ---- which ones */

typedef enum ev_status worker(struct project *project, struct readmodel *model,
                              struct ev_err *err);

struct visit {
	struct project *project;
	enum readmodel_flags flags;
	worker *work;
};

/* One that fails does not stop the others. */
static bool
visit_one(void *context, const char *name)
{
	struct visit *visit = context;
	struct readmodel model = { 0 };
	struct ev_err err;
	enum ev_status status;

	status = readmodel_open(&model, &visit->project->projector, name,
	                        visit->flags, &err);
	if (!status)
		status = visit->work(visit->project, &model, &err);
	project_fail(visit->project, status, &err);
	readmodel_release(&model);
	return !cli_stop;
}

static enum ev_status
visit_file(void *context, struct ev_str name, struct ev_err *err)
{
	struct ev_arena arena = { 0 };

	(void)err;
	if (!cli_stop)
		visit_one(context, ev_arena_dup(&arena, name).ptr);
	ev_arena_release(&arena);
	return EV_OK;
}

static enum ev_status
visit(struct project *project, enum readmodel_flags flags, worker *work,
      struct ev_err *err)
{
	const struct project_options *options = project->options;
	struct visit visit = { project, flags, work };

	if (options->all)
		return ev_projection_names(visit_file, &visit, err);
	if (!options->names[0]) {
		visit.flags |= READMODEL_KEPT;
		return projector_names(&project->projector, visit_one, &visit,
		                       err);
	}
	for (char **name = options->names; *name && visit_one(&visit, *name);)
		name++;
	return EV_OK;
}

static enum ev_status
update(struct project *project, struct readmodel *model, struct ev_err *err)
{
	enum ev_status status;

	status = project_check_mode(model, err);
	if (status)
		return project->options->all ? EV_OK : status;
	status = readmodel_update(model, err);
	if (!status)
		status = readmodel_refresh(model, err);
	if (!status)
		project_tell_parked(project, model, 0);
	return status;
}

static enum ev_status
rebuild(struct project *project, struct readmodel *model, struct ev_err *err)
{
	enum ev_status status;

	if (project->options->all && project_check_mode(model, err))
		return EV_OK;
	if (project->options->job == RETRY && !model->live.parked &&
	    !model->building.parked)
		return EV_OK;
	status = readmodel_rebuild(model, err);
	if (!status)
		status = readmodel_refresh(model, err);
	if (!status)
		project_tell_parked(project, model, 0);
	return status;
}

/* Ten times a second at most. A new line takes its place on the terminal. */
static void
show_progress(struct ev_str name, int64_t position, int64_t end)
{
	static int64_t shown_ms;
	struct ev_buf text = { 0 };
	int64_t now = ev_time_steady_ms();
	ssize_t wrote;

	if (now - shown_ms < 100 && position < end)
		return;
	shown_ms = now;
	ev_buf_add_str(&text, EV_STR("\r\033[K"));
	if (position < end)
		ev_buf_printf(&text, "%.*s: %lld of %lld events, %d %%",
		              EV_FMT(name), (long long)position,
		              (long long)end,
		              (int)((double)position * 100 / (double)end));
	wrote = write(STDERR_FILENO, text.ptr, text.len);
	(void)wrote;
	ev_buf_release(&text);
}

static enum ev_status
drop(struct project *project)
{
	struct ev_err err;

	for (char **name = project->options->names; *name; name++)
		project_fail(project, projector_drop(&project->projector, *name,
		                                     &err), &err);
	return EV_OK;
}

static enum ev_status
run(struct project *project, struct ev_err *err)
{
	const struct project_options *options = project->options;
	enum ev_status status;

	status = projector_open(&project->projector, options->log,
	                        options->job == FOLLOW ? EV_STORE_FOLLOW
	                                               : EV_STORE_READ, err);
	if (status)
		return status;
	if (isatty(STDERR_FILENO))
		project->projector.progress = show_progress;
	switch (options->job) {
	case UPDATE:
		return visit(project, READMODEL_SAY, update, err);
	case FOLLOW:
		return project_follow(project, err);
	case LIST:
		return project_list(project, err);
	case REBUILD:
	case RETRY:
		return visit(project, READMODEL_FILE, rebuild, err);
	case DIFF:
		return visit(project, READMODEL_FILE, project_diff, err);
	default:
		return drop(project);
	}
}

int
main(int argc, char **argv)
{
	struct project_options options = { 0 };
	struct project project = { .options = &options,
	                           .out = { .fd = STDOUT_FILENO } };
	enum ev_status status, flushed;
	struct ev_err err, later;
	int result;

	cli_start("ev-project");
	if ((result = parse_options(argc, argv, &options)) >= 0)
		return result;
	cli_catch_signals();
	status = run(&project, &err);
	flushed = ev_out_flush(&project.out, "standard output",
	                       status ? &later : &err);
	if (!status)
		status = flushed;
	if (status && !cli_stop)
		cli_fail(status, &err);
	projector_close(&project.projector);
	ev_out_release(&project.out);
	return cli_end(status ? status : project.worst);
}
