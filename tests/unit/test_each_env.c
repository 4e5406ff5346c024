#include "cmd/each_env.h"

#include "unit.h"

static void
check_name(const char *member, const char *wanted)
{
	struct ev_buf out = { 0 };
	bool named = each_env_name(&out, ev_str(member));

	CHECK_NAMED(member, named == (wanted != NULL));
	CHECK_STR_NAMED(member, ev_buf_str(&out),
	                wanted ? ev_str(wanted) : (struct ev_str){ 0 });
	ev_buf_release(&out);
}

static void
check_names(void)
{
	char long_name[300];

	check_name("prNumber", "EV_DATA_PR_NUMBER");
	check_name("costUsd", "EV_DATA_COST_USD");
	check_name("costUSD", "EV_DATA_COST_USD");
	check_name("agentId", "EV_DATA_AGENT_ID");
	check_name("HTTPServer", "EV_DATA_HTTP_SERVER");
	check_name("snake_case", "EV_DATA_SNAKE_CASE");
	check_name("Already_Upper", "EV_DATA_ALREADY_UPPER");
	check_name("v2Beta", "EV_DATA_V2_BETA");
	check_name("_", "EV_DATA__");
	check_name("x", "EV_DATA_X");
	check_name("", NULL);
	check_name("2nd", NULL);
	check_name("a-b", NULL);
	check_name("a=b", NULL);
	check_name("a b", NULL);
	check_name("a\nb", NULL);
	check_name("\xc3\xa4", NULL);
	memset(long_name, 'a', sizeof long_name);
	long_name[256] = '\0';
	check_name(long_name, NULL);
}

static const char *
find(char **list, const char *name)
{
	size_t len = strlen(name);

	for (; *list; list++)
		if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
			return *list + len + 1;
	return NULL;
}

/* Does it have this value (NULL: none)? */
static void
check_is(char **list, const char *name, const char *value)
{
	const char *found = find(list, name);

	CHECK_STR_NAMED(name, ev_str(found), ev_str(value));
}

static void
check_environment(void)
{
	static char inherited[][32] = { "PATH=/bin", "EV_DATA_OLD=1",
		"EV_ACTOR=outer", "EV_ACTORS=kept", "EV_LOG=outer",
		"EV_OMITTED=outer", "odd" };
	char *environment[8] = { 0 };
	struct ev_line line = {
		.position = 7, .stream = EV_STR("s\\\"1"), .version = 3,
		.id = EV_STR("i"), .catalog = EV_STR("rig"),
		.type = EV_STR("T"), .schema_version = 2,
		.timestamp = EV_STR("t"), .recorded_at = EV_STR("r"),
		.priority = EV_PRIORITY_URGENT,
		.data = EV_STR("{\"text\":\"a\\nb\",\"number\":1.50,"
		               "\"nul\":\"\\u0000\",\"list\":[\"\\n\"],"
		               "\"none\":null,\"aB\":1,\"a_b\":2,\"no\":false,"
		               "\"EV_LOG\":\"evil\",\"\":\"evil\"}")
	};
	struct each_env env;
	char **list;
	int logs = 0;

	for (int i = 0; i < 7; i++)
		environment[i] = inherited[i];
	each_env_init(&env, EV_STR("me"), EV_STR("/log"), environment);
	list = each_env_make(&env, &line, 2, 9);
	check_is(list, "PATH", "/bin");
	check_is(list, "EV_ACTORS", "kept");
	check_is(list, "EV_DATA_OLD", NULL);
	check_is(list, "EV_ACTOR", NULL);
	check_is(list, "EV_LOG", "/log");
	check_is(list, "EV_STREAM_ID", "s\"1");
	check_is(list, "EV_PRIORITY", "urgent");
	check_is(list, "EV_CORRELATION", "i");
	check_is(list, "EV_CAUSATION", "i");
	check_is(list, "EV_ATTEMPT", "2");
	check_is(list, "EV_FENCE", "9");
	check_is(list, "EV_IDEMPOTENCY_KEY", "me:i");
	check_is(list, "EV_DATA_TEXT", "a\nb");
	check_is(list, "EV_DATA_NUMBER", "1.50");
	check_is(list, "EV_DATA_LIST", "[\"\\n\"]");
	check_is(list, "EV_DATA_NO", "false");
	check_is(list, "EV_DATA_NONE", NULL);
	check_is(list, "EV_DATA_NUL", NULL);
	check_is(list, "EV_DATA_A_B", NULL);
	check_is(list, "EV_DATA_EV_LOG", "evil");
	check_is(list, "EV_OMITTED", "EV_DATA_NUL EV_DATA_A_B EV_DATA_A_B");
	for (char **p = list; *p; p++)
		logs += strncmp(*p, "EV_LOG=", 7) == 0;
	CHECK(logs == 1);

	/* the next event has nothing of this one */
	line.data = EV_STR("{}");
	line.actor = EV_STR("ann");
	list = each_env_make(&env, &line, 1, 9);
	check_is(list, "EV_DATA_TEXT", NULL);
	check_is(list, "EV_OMITTED", NULL);
	check_is(list, "EV_ACTOR", "ann");
	list = each_env_make_small(&env, &line, 1, 9);
	check_is(list, "EV_OMITTED", "EV_DATA_*");
	each_env_release(&env);
}

/* An event with so many members that their names alone are too many. */
static void
check_many(void)
{
	char *environment[] = { NULL };
	struct ev_line line = { .data = { 0 }, .id = EV_STR("i") };
	struct ev_buf data = { 0 };
	struct each_env env;
	size_t bytes = 0;
	char **list;

	ev_buf_add_char(&data, '{');
	for (int i = 0; i < 50000; i++)
		ev_buf_printf(&data, "%s\"member%d\":%d", i ? "," : "", i, i);
	ev_buf_add_char(&data, '}');
	line.data = ev_buf_str(&data);
	each_env_init(&env, EV_STR("me"), EV_STR("/log"), environment);
	list = each_env_make(&env, &line, 1, 1);
	for (char **p = list; *p; p++)
		bytes += strlen(*p) + 1;
	CHECK(bytes > EACH_VALUES_MAX - 64 && bytes < EACH_VALUES_MAX + 32768);
	CHECK(strlen(find(list, "EV_OMITTED")) < 17000);
	CHECK(strstr(find(list, "EV_OMITTED"), " ...") != NULL);
	each_env_release(&env);
	ev_buf_release(&data);
}

int
main(void)
{
	check_names();
	check_environment();
	check_many();
	return unit_end();
}
