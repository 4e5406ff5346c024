#include "cmd/each_env.h"

#include <stdlib.h>

#include "base/mem.h"
#include "domain/scan.h"

enum {
	NAME_MAX_BYTES = 255,
	OMITTED_MAX = 16 << 10,
	KEY_MAX = 200 /* so that something can be added to an id */
};

/* A member on its way to its variable. */
struct member {
	size_t name; /* where in names, and how long */
	size_t len;
	struct ev_str value;
	bool clash; /* another one would have the same variable */
};

static bool
is_ours(const char *variable)
{
	static const char *const ours[] = {
		"ACTOR", "ATTEMPT", "CATALOG", "CAUSATION", "CONSUMER",
		"CORRELATION", "FENCE", "ID", "IDEMPOTENCY_KEY", "LOG",
		"OMITTED", "POSITION", "PRIORITY", "RECORDED_AT",
		"SCHEMA_VERSION", "STREAM_ID", "TIMESTAMP", "TYPE", "VERSION"
	};
	size_t len = strcspn(variable, "=");

	if (strncmp(variable, "EV_", 3) != 0)
		return false;
	if (strncmp(variable, "EV_DATA_", 8) == 0)
		return true;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (len == strlen(ours[i]) + 3 &&
		    strncmp(variable + 3, ours[i], len - 3) == 0)
			return true;
	return false;
}

void
each_env_init(struct each_env *env, struct ev_str consumer, struct ev_str log,
              char **environment)
{
	size_t count = 0;

	*env = (struct each_env){ .consumer = consumer, .log = log };
	while (environment[count])
		count++;
	env->inherited = ev_mem_alloc((count + 1) * sizeof *env->inherited);
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environment[i]))
			env->inherited[env->inherited_count++] = environment[i];
}

void
each_env_release(struct each_env *env)
{
	free(env->inherited);
	ev_buf_release(&env->text);
	ev_buf_release(&env->omitted);
	ev_buf_release(&env->names);
	ev_buf_release(&env->key);
	free(env->list);
}

/* Does a word begin at `i`: prNumber, HTTPServer? */
static bool
begins_word(struct ev_str name, size_t i)
{
	if (!i || !ev_is_upper(name.ptr[i]))
		return false;
	return ev_is_lower(name.ptr[i - 1]) || ev_is_digit(name.ptr[i - 1]) ||
	       (ev_is_upper(name.ptr[i - 1]) && i + 1 < name.len &&
	        ev_is_lower(name.ptr[i + 1]));
}

bool
each_env_name(struct ev_buf *out, struct ev_str member)
{
	if (!member.len || member.len > NAME_MAX_BYTES ||
	    ev_is_digit(*member.ptr))
		return false;
	for (size_t i = 0; i < member.len; i++)
		if (!ev_is_upper(member.ptr[i]) && !ev_is_lower(member.ptr[i]) &&
		    !ev_is_digit(member.ptr[i]) && member.ptr[i] != '_')
			return false;
	ev_buf_add_str(out, EV_STR("EV_DATA_"));
	for (size_t i = 0; i < member.len; i++) {
		char c = member.ptr[i];

		if (begins_word(member, i))
			ev_buf_add_char(out, '_');
		ev_buf_add_char(out, ev_is_lower(c) ? (char)(c - 'a' + 'A') : c);
	}
	return true;
}

/* Adds to EV_OMITTED, as long as that itself is of a fair size. */
static void
omit(struct each_env *env, struct ev_str name)
{
	if (env->omitted_all)
		return;
	env->omitted_all = env->omitted.len + name.len > OMITTED_MAX;
	if (env->omitted.len)
		ev_buf_add_char(&env->omitted, ' ');
	ev_buf_add_str(&env->omitted, env->omitted_all ? EV_STR("...") : name);
}

static void
set(struct each_env *env, const char *name, struct ev_str value)
{
	ev_buf_add_str(&env->text, ev_str(name));
	ev_buf_add_char(&env->text, '=');
	ev_buf_add_str(&env->text, value);
	ev_buf_add_char(&env->text, '\0');
}

static void
set_number(struct each_env *env, const char *name, int64_t number)
{
	ev_buf_printf(&env->text, "%s=%lld", name, (long long)number);
	ev_buf_add_char(&env->text, '\0');
}

/* NAME=VALUE; false, and nothing is added, if no variable can hold it. */
static bool
set_slice(struct each_env *env, struct ev_str name, struct ev_str slice)
{
	size_t before = env->text.len, begin;

	ev_buf_add_str(&env->text, name);
	ev_buf_add_char(&env->text, '=');
	begin = env->text.len;
	ev_line_unescape(&env->text, slice);
	if (env->text.len - begin > EACH_VALUE_MAX ||
	    (env->text.len > begin &&
	     memchr(env->text.ptr + begin, '\0', env->text.len - begin))) {
		env->text.len = before;
		return false;
	}
	ev_buf_add_char(&env->text, '\0');
	return true;
}

static void
set_text(struct each_env *env, const char *name, struct ev_str slice)
{
	if (slice.ptr && !set_slice(env, ev_str(name), slice))
		omit(env, ev_str(name));
}

/*
 * Whatever stands before the first character that a consumer's name cannot have
 * is the name, and that character tells which form this is: so no two events,
 * of whatever consumers, have one key.
 */
static void
set_key(struct each_env *env, const struct ev_line *line)
{
	struct ev_buf *key = &env->key;

	ev_buf_reset(key);
	ev_buf_add_str(key, env->consumer);
	ev_buf_add_char(key, ':');
	ev_line_unescape(key, line->id);
	if (key->len > KEY_MAX || memchr(key->ptr, '\0', key->len)) {
		ev_buf_reset(key);
		ev_buf_add_str(key, env->consumer);
		ev_buf_printf(key, "@%lld", (long long)line->position);
	}
	set(env, "EV_IDEMPOTENCY_KEY", ev_buf_str(key));
}

static void
set_envelope(struct each_env *env, const struct ev_line *line)
{
	set_number(env, "EV_POSITION", line->position);
	set_text(env, "EV_STREAM_ID", line->stream);
	set_number(env, "EV_VERSION", line->version);
	set_text(env, "EV_ID", line->id);
	set_text(env, "EV_CATALOG", line->catalog);
	set_text(env, "EV_TYPE", line->type);
	set_number(env, "EV_SCHEMA_VERSION", line->schema_version);
	set_text(env, "EV_TIMESTAMP", line->timestamp);
	set_text(env, "EV_RECORDED_AT", line->recorded_at);
	set(env, "EV_PRIORITY", ev_str(ev_priority_format(line->priority)));
	set_text(env, "EV_ACTOR", line->actor);
	set_text(env, "EV_CORRELATION", line->correlation.ptr
	                                        ? line->correlation : line->id);
	set_text(env, "EV_CAUSATION", line->id);
}

static struct ev_str
member_name(const struct each_env *env, const struct member *member)
{
	return (struct ev_str){ env->names.ptr + member->name, member->len };
}

/* qsort knows no context. */
struct sorted {
	struct ev_str name;
	struct member *member;
};

static int
compare_names(const void *a, const void *b)
{
	return ev_str_compare(((const struct sorted *)a)->name,
	                      ((const struct sorted *)b)->name);
}

/* Of two members with one variable neither has it: an event must not be able
   to hide the member that its schema checks behind another. */
static void
find_clashes(const struct each_env *env, struct member *members, size_t count)
{
	struct sorted *sorted = ev_mem_alloc((count + 1) * sizeof *sorted);

	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct sorted){ member_name(env, &members[i]),
		                             &members[i] };
	qsort(sorted, count, sizeof *sorted, compare_names);
	for (size_t i = 1; i < count; i++)
		if (ev_str_equal(sorted[i - 1].name, sorted[i].name))
			sorted[i - 1].member->clash =
				sorted[i].member->clash = true;
	free(sorted);
}

static void
set_data(struct each_env *env, struct ev_str data)
{
	struct ev_scan scan = ev_scan_begin(data);
	struct member *members = NULL;
	size_t count = 0, room = 0, begin = env->text.len;
	struct ev_str name, value;

	ev_buf_reset(&env->names);
	while (ev_scan_member(&scan, &name, &value)) {
		size_t before = env->names.len;

		if (!each_env_name(&env->names, name))
			continue;
		if (count == room) {
			room = room ? 2 * room : 32;
			members = ev_mem_resize(members,
			                        room * sizeof *members);
		}
		members[count++] = (struct member){
			before, env->names.len - before, value, false
		};
	}
	find_clashes(env, members, count);
	for (size_t i = 0; i < count; i++) {
		size_t before = env->text.len;

		name = member_name(env, &members[i]);
		value = members[i].value;
		if (members[i].clash) {
			omit(env, name);
			continue;
		}
		if (ev_scan_is_null(value))
			continue;
		/* what is no string has no escapes outside of strings, and
		   those stay as JSON has them */
		if (ev_scan_is_string(value)) {
			if (!set_slice(env, name, ev_scan_text(value)))
				omit(env, name);
		} else if (value.len > EACH_VALUE_MAX) {
			omit(env, name);
		} else {
			ev_buf_add_str(&env->text, name);
			ev_buf_add_char(&env->text, '=');
			ev_buf_add_str(&env->text, value);
			ev_buf_add_char(&env->text, '\0');
		}
		if (env->text.len - begin > EACH_VALUES_MAX) {
			env->text.len = before;
			omit(env, name);
		}
	}
	free(members);
}

static char **
finish(struct each_env *env)
{
	size_t count = env->inherited_count;
	char *at, *end;

	if (env->omitted.len)
		set(env, "EV_OMITTED", ev_buf_str(&env->omitted));
	end = env->text.ptr + env->text.len;
	for (at = env->text.ptr; at < end; at += strlen(at) + 1)
		count++;
	if (count + 1 > env->room) {
		env->room = count + 64;
		env->list = ev_mem_resize(env->list, env->room *
		                          sizeof *env->list);
	}
	count = env->inherited_count;
	if (count)
		memcpy(env->list, env->inherited, count * sizeof *env->list);
	for (at = env->text.ptr; at < end; at += strlen(at) + 1)
		env->list[count++] = at;
	env->list[count] = NULL;
	return env->list;
}

static void
begin(struct each_env *env, const struct ev_line *line, int64_t attempt,
      int64_t fence)
{
	ev_buf_reset(&env->text);
	ev_buf_reset(&env->omitted);
	env->omitted_all = false;
	set_envelope(env, line);
	set(env, "EV_LOG", env->log);
	set(env, "EV_CONSUMER", env->consumer);
	set_number(env, "EV_ATTEMPT", attempt);
	set_number(env, "EV_FENCE", fence);
	set_key(env, line);
}

char **
each_env_make(struct each_env *env, const struct ev_line *line,
              int64_t attempt, int64_t fence)
{
	begin(env, line, attempt, fence);
	set_data(env, line->data);
	return finish(env);
}

char **
each_env_make_small(struct each_env *env, const struct ev_line *line,
                    int64_t attempt, int64_t fence)
{
	begin(env, line, attempt, fence);
	omit(env, EV_STR("EV_DATA_*"));
	return finish(env);
}
