#include "cmd/project.h"

#include <unistd.h>

#include "cmd/cli.h"
#include "domain/format.h"

void
project_fail(struct project *project, enum ev_status status,
             const struct ev_err *err)
{
	if (!status || cli_stop)
		return;
	cli_fail(status, err);
	if (!project->worst || project->worst == EV_BAD_INPUT)
		project->worst = status;
}

/* Events that are parked are told each time, but once as long as we follow. */
void
project_tell_parked(struct project *project, const struct readmodel *model,
                    int64_t before)
{
	int64_t parked = model->live.parked;

	if (!parked)
		return;
	if (!project->worst)
		project->worst = EV_BAD_INPUT;
	if (parked != before)
		cli_say(EV_BAD_INPUT, "'%.*s': %lld %s parked, --list shows "
		        "why, --retry folds them again", EV_FMT(model->name),
		        (long long)parked, parked == 1 ? "event is"
		                                       : "events are");
}

enum ev_status
project_check_mode(const struct readmodel *model, struct ev_err *err)
{
	const struct ev_projection *projection = readmodel_projection(model);

	if (!projection || projection->mode != EV_MODE_DEMAND)
		return EV_OK;
	return ev_err_set(err, EV_USAGE, "'%.*s' is folded when it is asked "
	                  "for (mode demand): there is nothing to keep",
	                  EV_FMT(model->name));
}

void
project_print(struct project *project, struct ev_str json)
{
	struct ev_buf safe = { 0 };

	if (!isatty(STDOUT_FILENO)) {
		ev_out_line(&project->out, json);
		return;
	}
	ev_format_safe_json(&safe, json);
	ev_out_line(&project->out, ev_buf_str(&safe));
	ev_buf_release(&safe);
}
