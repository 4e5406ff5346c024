#include "cmd/serve_jq.h"

#include <stdlib.h>

#include "adapter/jq.h"
#include "base/mem.h"
#include "cmd/yaml_file.h"
#include "domain/json.h"
#include "domain/yaml.h"

struct serve_jq_settings {
	char *folder;         /* of the modules */
	struct ev_buf limits; /* JSON, for the input of every run */
	struct ev_buf unheard;
	struct ev_buf attention; /* a path, NUL-terminated */
};

struct serve_jq {
	struct ev_jq *jq;
	const struct serve_jq_settings *settings;
	struct ev_buf input;
};

static enum ev_status
run(struct ev_jq *jq, struct ev_buf *input, const char *function,
    struct ev_str limits, struct ev_str members, struct ev_buf *out,
    struct ev_err *err)
{
	size_t before = out->len;
	enum ev_status status;

	ev_buf_reset(input);
	ev_buf_printf(input, "{\"do\":\"%s\",\"limits\":", function);
	ev_buf_add_str(input, limits);
	if (members.len)
		ev_buf_add_char(input, ',');
	ev_buf_add_str(input, members);
	ev_buf_add_char(input, '}');
	status = ev_jq_run(jq, ev_buf_str(input), out, err);
	if (!status)
		return EV_OK;
	out->len = before;
	return ev_err_prefix(err, EV_BUG, "serve.jq, '%s'", function);
}

/* jq 1.7 dies of a module that one before it includes, and that is not included
   behind both. */
static enum ev_status
compile(struct ev_jq **jq, const char *folder, struct ev_err *err)
{
	return ev_jq_open(jq, folder,
	                  "include \"serve\"; include \"report\"; "
	                  "include \"rig\"; serve", err);
}

/* ---- rig.yaml */

struct reading {
	const char *file;
	struct ev_err *err;
	bool failed;
};

static void
report(void *context, struct ev_place place, const char *message)
{
	struct reading *reading = context;

	if (!reading->failed)
		ev_err_set(reading->err, EV_BAD_INPUT, "%s:%zu:%zu: %s",
		           reading->file, place.line, place.column, message);
	reading->failed = true;
}

static enum ev_status
read_rig(struct ev_buf *json, const char *file, struct ev_err *err)
{
	struct reading reading = { file, err, false };
	struct ev_arena arena = { 0 };
	struct ev_buf yaml = { 0 };
	const struct ev_yaml *tree;
	enum ev_status status = yaml_file_read(&yaml, file, err);

	if (!status && ev_yaml_is_empty(ev_buf_str(&yaml))) {
		ev_buf_add_str(json, EV_STR("null"));
	} else if (!status) {
		tree = ev_yaml_parse(&arena, ev_buf_str(&yaml), report,
		                     &reading);
		if (tree)
			ev_yaml_write_json(json, tree, NULL);
		else
			status = EV_BAD_INPUT;
	}
	ev_arena_release(&arena);
	ev_buf_release(&yaml);
	return status;
}

/* Takes apart what 'settings' of serve.jq made of the file. */
static enum ev_status
take(struct serve_jq_settings *settings, struct ev_str made, const char *rig,
     struct ev_err *err)
{
	yyjson_val *root, *complaint;
	yyjson_doc *doc;
	enum ev_status status = ev_json_parse(&doc, made, NULL, err);

	if (status)
		return status;
	root = yyjson_doc_get_root(doc);
	complaint = yyjson_obj_get(root, "complaint");
	if (complaint) {
		status = ev_err_set(err, EV_BAD_INPUT, "%s: %.*s", rig,
		                    EV_FMT(ev_json_text(complaint)));
	} else {
		ev_json_write(&settings->limits,
		              yyjson_obj_get(root, "limits"));
		ev_json_write(&settings->unheard,
		              yyjson_obj_get(root, "unheard"));
	}
	yyjson_doc_free(doc);
	return status;
}

enum ev_status
serve_jq_settings_open(struct serve_jq_settings **out, const char *rig,
                       struct ev_err *err)
{
	struct serve_jq_settings *settings = ev_mem_alloc(sizeof *settings);
	struct ev_buf members = { 0 }, input = { 0 }, made = { 0 };
	struct ev_jq *jq = NULL;
	enum ev_status status = EV_OK;

	settings->folder = ev_jq_folder();
	ev_buf_printf(&settings->attention, "%s/attention.yaml",
	              settings->folder);
	ev_buf_add_char(&settings->attention, '\0');
	ev_buf_add_str(&members, EV_STR("\"rig\":"));
	if (rig)
		status = read_rig(&members, rig, err);
	else
		ev_buf_add_str(&members, EV_STR("null"));
	if (!status)
		status = compile(&jq, settings->folder, err);
	if (!status)
		status = run(jq, &input, "settings", EV_STR("null"),
		             ev_buf_str(&members), &made, err);
	if (!status)
		status = take(settings, ev_buf_str(&made), rig, err);
	ev_jq_close(jq);
	ev_buf_release(&members);
	ev_buf_release(&input);
	ev_buf_release(&made);
	if (status)
		serve_jq_settings_free(settings);
	else
		*out = settings;
	return status;
}

void
serve_jq_settings_free(struct serve_jq_settings *settings)
{
	if (!settings)
		return;
	free(settings->folder);
	ev_buf_release(&settings->limits);
	ev_buf_release(&settings->unheard);
	ev_buf_release(&settings->attention);
	free(settings);
}

struct ev_str
serve_jq_unheard(const struct serve_jq_settings *settings)
{
	return ev_buf_str(&settings->unheard);
}

/* ---- of a thread */

enum ev_status
serve_jq_open(struct serve_jq **out, const struct serve_jq_settings *settings,
              struct ev_err *err)
{
	struct serve_jq *jq = ev_mem_alloc(sizeof *jq);
	enum ev_status status = compile(&jq->jq, settings->folder, err);

	jq->settings = settings;
	if (status)
		serve_jq_close(jq);
	else
		*out = jq;
	return status;
}

void
serve_jq_close(struct serve_jq *jq)
{
	if (!jq)
		return;
	ev_jq_close(jq->jq);
	ev_buf_release(&jq->input);
	free(jq);
}

enum ev_status
serve_jq_run(struct serve_jq *jq, const char *function, struct ev_str members,
             struct ev_buf *out, struct ev_err *err)
{
	return run(jq->jq, &jq->input, function,
	           ev_buf_str(&jq->settings->limits), members, out, err);
}

const struct serve_jq_settings *
serve_jq_settings(const struct serve_jq *jq)
{
	return jq->settings;
}

const char *
serve_jq_attention(const struct serve_jq *jq)
{
	return jq->settings->attention.ptr;
}
