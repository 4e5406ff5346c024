/*
 * Runs files in the form of the JSON Schema test suite, given as arguments: a
 * list of groups, each with a schema and tests of values that are valid or not.
 * A group whose schema ev_schema_check refuses is counted, not run. After each
 * file a line says `# FILE: N run, M refused`, M counting groups.
 */
#include "domain/schema.h"
#include "unit.h"

static void
refuse(void *context, yyjson_val *where, const char *message)
{
	(void)where;
	if (!*(size_t *)context)
		printf("# refused: %s\n", message);
	++*(size_t *)context;
}

static size_t
run_group(yyjson_val *group)
{
	yyjson_val *tests = yyjson_obj_get(group, "tests"), *test;
	yyjson_val *source = yyjson_obj_get(group, "schema");
	yyjson_arr_iter iter = yyjson_arr_iter_with(tests);
	struct ev_arena arena = { 0 };
	const struct ev_schema *schema = ev_schema_compile(&arena, source);
	size_t count = 0;

	while ((test = yyjson_arr_iter_next(&iter))) {
		bool wanted = yyjson_get_bool(yyjson_obj_get(test, "valid"));
		struct ev_err err = { "" };
		enum ev_status status;
		char name[512];

		status = ev_schema_validate(
			schema, yyjson_obj_get(test, "data"), &err);
		snprintf(name, sizeof name, "%s: %s",
		         yyjson_get_str(yyjson_obj_get(group, "description")),
		         yyjson_get_str(yyjson_obj_get(test, "description")));
		if (!CHECK_NAMED(name, (status == EV_OK) == wanted) ||
		    (status && !CHECK_NAMED("it is told why", err.text[0])))
			printf("# %s\n", err.text);
		count++;
	}
	ev_arena_release(&arena);
	return count;
}

static void
run_file(const char *path)
{
	struct ev_buf text = { 0 };
	size_t run = 0, refused = 0;
	yyjson_arr_iter groups;
	yyjson_val *group;
	yyjson_doc *doc;
	struct ev_err err;

	unit_read_file(&text, path);
	if (ev_json_parse(&doc, ev_buf_str(&text), NULL, &err)) {
		printf("Bail out! %s: %s\n", path, err.text);
		exit(2);
	}
	groups = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
	while ((group = yyjson_arr_iter_next(&groups))) {
		size_t problems = 0;

		if (ev_schema_check(yyjson_obj_get(group, "schema"), refuse,
		                    &problems))
			refused++;
		else
			run += run_group(group);
	}
	printf("# %s: %zu run, %zu refused\n", path, run, refused);
	yyjson_doc_free(doc);
	ev_buf_release(&text);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	return unit_end();
}
