#include "adapter/jq.h"

#include <jq.h>
#include <limits.h>
#include <stdlib.h>

#include "adapter/files.h"
#include "base/mem.h"

struct ev_jq {
	jq_state *state;
	struct ev_err problem; /* the first that it told of */
	bool told;
};

/* jq tells of several where one leads to others: the first says it. */
static void
note_problem(void *context, jv message)
{
	struct ev_jq *jq = context;
	jv text = jq_format_error(message);

	if (!jq->told)
		ev_err_set(&jq->problem, EV_BAD_INPUT, "%s",
		           jv_string_value(text));
	jq->told = true;
	jv_free(text);
}

enum ev_status
ev_jq_open(struct ev_jq **out, const char *folder, const char *program,
           struct ev_err *err)
{
	struct ev_jq *jq = ev_mem_alloc(sizeof *jq);

	jq->state = jq_init();
	if (!jq->state)
		ev_mem_exhausted();
	jq_set_error_cb(jq->state, note_problem, jq);
	/* the last two are asked for wherever a module is looked for */
	jq_set_attr(jq->state, jv_string("JQ_LIBRARY_PATH"),
	            JV_ARRAY(jv_string(folder)));
	jq_set_attr(jq->state, jv_string("JQ_ORIGIN"), jv_string(folder));
	jq_set_attr(jq->state, jv_string("PROGRAM_ORIGIN"), jv_string(folder));
	if (jq_compile(jq->state, program)) {
		*out = jq;
		return EV_OK;
	}
	ev_err_set(err, EV_BAD_INPUT, "%s", jq->told ? jq->problem.text
	                                             : "it does not compile");
	ev_err_prefix(err, EV_BAD_INPUT, "the jq modules in '%s'", folder);
	ev_jq_close(jq);
	return EV_BAD_INPUT;
}

void
ev_jq_close(struct ev_jq *jq)
{
	if (!jq)
		return;
	jq_teardown(&jq->state);
	free(jq);
}

/* Why there is no result: the value of its error, or none. Takes it. */
static enum ev_status
fail(jv result, struct ev_err *err)
{
	jv message = jv_invalid_get_msg(result);
	enum ev_status status = EV_BAD_INPUT;

	if (jv_get_kind(message) == JV_KIND_NULL) {
		status = ev_err_set(err, EV_NO, "jq has no result");
	} else if (jv_get_kind(message) == JV_KIND_STRING) {
		ev_err_set(err, status, "jq: %s", jv_string_value(message));
	} else {
		message = jv_dump_string(message, 0);
		ev_err_set(err, status, "jq: %s", jv_string_value(message));
	}
	jv_free(message);
	return status;
}

enum ev_status
ev_jq_run(struct ev_jq *jq, struct ev_str input, struct ev_buf *out,
          struct ev_err *err)
{
	jv value, text;

	if (input.len > EV_JQ_INPUT_MAX)
		return ev_err_set(err, EV_BAD_INPUT, "%zu bytes are more than "
		                  "jq is given, %d", input.len,
		                  EV_JQ_INPUT_MAX);
	value = jv_parse_sized(input.ptr, (int)input.len);
	if (!jv_is_valid(value))
		return fail(value, err);
	jq_start(jq->state, value, 0);
	value = jq_next(jq->state);
	if (!jv_is_valid(value))
		return fail(value, err);
	text = jv_dump_string(value, 0);
	ev_buf_add(out, jv_string_value(text),
	           (size_t)jv_string_length_bytes(jv_copy(text)));
	jv_free(text);
	return EV_OK;
}

char *
ev_jq_folder(void)
{
	static const struct ev_files_path modules = {
		.beside = "share/rig",
		.installed = "share/ev/rig",
	};
	char *folder = ev_mem_alloc(PATH_MAX);

	ev_files_folder(&modules, folder);
	return folder;
}
