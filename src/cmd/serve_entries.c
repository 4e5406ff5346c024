#include "cmd/serve_entries.h"

#include <stdio.h>

#include "domain/event.h"

enum {
	ENTRIES_MAX = 1000, /* of a request */
	TEXT_MAX = 64 << 10 /* bytes of a message, or of data */
};

static const char *const levels[] = {
	[EV_AGENT_TRACE] = "trace", [EV_AGENT_DEBUG] = "debug",
	[EV_AGENT_INFO] = "info",   [EV_AGENT_WARN] = "warn",
	[EV_AGENT_ERROR] = "error"
};
enum { LEVELS = sizeof levels / sizeof *levels };

void
serve_entries_write(struct ev_buf *out, const struct ev_agent_entry *entry)
{
	char time[EV_TIME_TEXT];

	ev_time_format(entry->time, time);
	ev_buf_printf(out, "{\"id\":%lld,\"agentId\":", (long long)entry->id);
	ev_json_write_string(out, entry->agent);
	ev_buf_printf(out, ",\"timestamp\":\"%.*s\",\"level\":\"%s\""
	              ",\"message\":", EV_TIME_TEXT, time,
	              levels[entry->level]);
	ev_json_write_string(out, entry->message);
	if (entry->data.ptr) {
		ev_buf_add_str(out, EV_STR(",\"data\":"));
		ev_buf_add_str(out, entry->data);
	}
	ev_buf_add_char(out, '}');
}

/* JSON has no newlines. */
void
serve_entries_write_event(struct ev_buf *out,
                          const struct ev_agent_entry *entry)
{
	ev_buf_printf(out, "id: %lld\ndata: ", (long long)entry->id);
	serve_entries_write(out, entry);
	ev_buf_add_str(out, EV_STR("\n\n"));
}

/* ---- what agents send */

static void
refuse(struct serve_request *request, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void
refuse(struct serve_request *request, const char *path, const char *format, ...)
{
	struct ev_buf members = { 0 };
	struct ev_err err;
	va_list arguments;

	va_start(arguments, format);
	ev_err_vset(&err, EV_OK, format, arguments);
	va_end(arguments);
	ev_buf_add_str(&members, EV_STR(",\"path\":"));
	ev_json_write_string(&members, ev_str(path));
	serve_problem(request, 422, "invalid", ev_buf_str(&members), "%s%s%s",
	              path, *path ? ": " : "", err.text);
	ev_buf_release(&members);
}

bool
serve_entries_level(struct ev_str name, enum ev_agent_level *level)
{
	for (int i = 0; i < LEVELS; i++)
		if (ev_str_equal(name, ev_str(levels[i]))) {
			*level = (enum ev_agent_level)i;
			return true;
		}
	return false;
}

struct reading {
	struct serve_request *request;
	struct ev_buf *data; /* scratch */
	size_t number; /* of the entry */
	int64_t now;
};

static bool
refuse_member(const struct reading *reading, const char *member,
              const char *what)
{
	char path[64];

	snprintf(path, sizeof path, "/entries/%zu%s%s", reading->number,
	         *member ? "/" : "", member);
	refuse(reading->request, path, "%s", what);
	return false;
}

static bool
read_message(const struct reading *reading, yyjson_val *value,
             const char *member, struct ev_agent_entry *entry)
{
	if (!yyjson_is_str(value))
		return refuse_member(reading, member, *member
			? "expected a text"
			: "expected a text, or an object with a message");
	entry->message = ev_json_text(value);
	return entry->message.len <= TEXT_MAX ||
	       refuse_member(reading, member, "a message may have 64 KiB");
}

static bool
read_timestamp(const struct reading *reading, yyjson_val *value,
               struct ev_agent_entry *entry)
{
	return !value || yyjson_is_null(value) ||
	       (yyjson_is_str(value) &&
	        ev_time_parse(ev_json_text(value), &entry->time)) ||
	       refuse_member(reading, "timestamp", "expected a time such as "
	                     "2026-04-21T10:22:00Z");
}

static bool
read_level(const struct reading *reading, yyjson_val *value,
           struct ev_agent_entry *entry)
{
	return !value || yyjson_is_null(value) ||
	       (yyjson_is_str(value) &&
	        serve_entries_level(ev_json_text(value), &entry->level)) ||
	       refuse_member(reading, "level", "expected trace, debug, info, "
	                     "warn or error");
}

static bool
is_known(yyjson_val *key)
{
	return yyjson_equals_str(key, "timestamp") ||
	       yyjson_equals_str(key, "level") ||
	       yyjson_equals_str(key, "message");
}

/* The members that have no meaning here, as an object; the member data alone
   is what it stands for. */
static bool
read_data(const struct reading *reading, yyjson_val *object,
          struct ev_agent_entry *entry)
{
	struct ev_buf *out = reading->data;
	yyjson_val *key, *only = NULL;
	yyjson_obj_iter members;
	size_t count = 0;

	ev_buf_reset(out);
	yyjson_obj_iter_init(object, &members);
	while ((key = yyjson_obj_iter_next(&members))) {
		if (is_known(key))
			continue;
		ev_buf_add_char(out, count++ ? ',' : '{');
		ev_json_write(out, key);
		ev_buf_add_char(out, ':');
		ev_json_write(out, yyjson_obj_iter_get_val(key));
		only = key;
	}
	if (!count)
		return true;
	ev_buf_add_char(out, '}');
	if (count == 1 && yyjson_equals_str(only, "data")) {
		only = yyjson_obj_iter_get_val(only);
		if (yyjson_is_null(only))
			return true;
		ev_buf_reset(out);
		ev_json_write(out, only);
	}
	if (out->len > TEXT_MAX)
		return refuse_member(reading, "",
		                     "its data may have 64 KiB");
	entry->data = ev_arena_dup(&reading->request->arena, ev_buf_str(out));
	return true;
}

static bool
read_entry(const struct reading *reading, yyjson_val *value,
           struct ev_agent_entry *entry)
{
	yyjson_val *message;

	entry->time = reading->now;
	entry->level = EV_AGENT_INFO;
	if (!yyjson_is_obj(value))
		return read_message(reading, value, "", entry);
	message = yyjson_obj_get(value, "message");
	return (message ? read_message(reading, message, "message", entry)
	                : refuse_member(reading, "message", "is missing")) &&
	       read_timestamp(reading, yyjson_obj_get(value, "timestamp"),
	                      entry) &&
	       read_level(reading, yyjson_obj_get(value, "level"), entry) &&
	       read_data(reading, value, entry);
}

static bool
read_agent(struct serve_request *request, yyjson_val *root,
           struct ev_str *agent)
{
	yyjson_val *value = yyjson_obj_get(root, "agentId");

	*agent = ev_json_text(value);
	if (yyjson_is_str(value) && agent->len && agent->len <= EV_NAME_MAX)
		return true;
	refuse(request, "/agentId", value ? "expected a text of 1 to %d bytes"
	                                  : "is missing (1 to %d bytes)",
	       EV_NAME_MAX);
	return false;
}

static bool
read_entries(struct serve_entries *sent, struct ev_buf *scratch)
{
	struct serve_request *request = sent->request;
	struct reading reading = { request, scratch, 0, ev_time_now() };
	yyjson_val *root = yyjson_doc_get_root(sent->doc), *list, *value;
	yyjson_arr_iter values;

	if (!yyjson_is_obj(root)) {
		refuse(request, "", "expected an object, found %s",
		       ev_json_type_name(root));
		return false;
	}
	if (!read_agent(request, root, &sent->agent))
		return false;
	list = yyjson_obj_get(root, "entries");
	if (!yyjson_is_arr(list) || yyjson_arr_size(list) > ENTRIES_MAX) {
		refuse(request, "/entries", list
		       ? "expected a list of up to %d entries"
		       : "is missing (a list of up to %d entries)",
		       ENTRIES_MAX);
		return false;
	}
	sent->count = yyjson_arr_size(list);
	sent->entries = ev_arena_alloc(&request->arena,
	                               (sent->count + 1) *
	                               sizeof *sent->entries);
	yyjson_arr_iter_init(list, &values);
	for (; (value = yyjson_arr_iter_next(&values)); reading.number++) {
		struct ev_agent_entry *entry = &sent->entries[reading.number];

		entry->agent = sent->agent;
		if (!read_entry(&reading, value, entry))
			return false;
	}
	return true;
}

bool
serve_entries_read(struct serve_entries *sent, struct ev_buf *scratch)
{
	struct ev_err err;

	if (ev_json_parse(&sent->doc, sent->request->body, NULL, &err)) {
		serve_problem(sent->request, 400, "not-json",
		              (struct ev_str){ 0 }, "%s", err.text);
		return false;
	}
	return read_entries(sent, scratch);
}
