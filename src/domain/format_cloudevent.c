#include "domain/format.h"

#include "base/utf8.h"

static void
add_attribute(struct ev_buf *out, struct ev_str opening, struct ev_str slice)
{
	if (!slice.ptr)
		return;
	ev_buf_add_str(out, opening);
	ev_buf_add_str(out, slice);
	ev_buf_add_char(out, '"');
}

static void
add_escape(struct ev_buf *out, uint32_t code)
{
	if (code < 0x10000)
		ev_buf_printf(out, "\\u%04x", (unsigned)code);
	else
		ev_buf_printf(out, "\\u%04x\\u%04x",
		              (unsigned)(0xd7c0 + (code >> 10)),
		              (unsigned)(0xdc00 | (code & 0x3ff)));
}

static bool
is_ascii(struct ev_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] >= 0x7f)
			return false;
	return true;
}

void
ev_format_safe_json(struct ev_buf *out, struct ev_str json)
{
	/* controls below that are escaped in any JSON */
	if (is_ascii(json)) {
		ev_buf_add_str(out, json);
		return;
	}
	while (json.len) {
		const char *from = json.ptr;
		uint32_t code;

		if (!ev_utf8_next(&json, &code))
			add_escape(out, 0xfffd);
		else if (ev_utf8_hidden(code))
			add_escape(out, code);
		else
			ev_buf_add(out, from, (size_t)(json.ptr - from));
	}
}

/*
 * meta, as its JSON text in a string, since attributes are no objects. They may
 * not hold controls and noncharacters either, so these are escaped twice.
 */
static void
add_meta(struct ev_buf *out, struct ev_str meta)
{
	struct ev_buf text = { 0 };

	if (ev_str_equal(meta, EV_STR("{}")))
		return;
	ev_format_safe_json(&text, meta);
	ev_buf_add_str(out, EV_STR(",\"meta\":"));
	ev_json_write_string(out, ev_buf_str(&text));
	ev_buf_release(&text);
}

void
ev_format_cloudevent(struct ev_buf *out, const struct ev_line *line)
{
	/* once, so that the pieces below seldom have to grow */
	ev_buf_reserve(out, 640 + line->stream.len + line->data.len +
	                    2 * line->meta.len);
	ev_buf_add_str(out, EV_STR("{\"specversion\":\"1.0\",\"id\":\""));
	ev_buf_add_str(out, line->id);
	ev_buf_add_str(out, EV_STR("\",\"source\":\"urn:ev:"));
	ev_buf_add_str(out, line->catalog);
	ev_buf_add_str(out, EV_STR("\",\"type\":\"ev."));
	ev_buf_add_str(out, line->catalog);
	ev_buf_add_char(out, '.');
	ev_buf_add_str(out, line->type);
	ev_buf_add_str(out, EV_STR("\",\"subject\":\""));
	ev_buf_add_str(out, line->stream);
	ev_buf_add_str(out, EV_STR("\",\"time\":\""));
	ev_buf_add_str(out, line->timestamp);
	ev_buf_add_str(out, EV_STR("\",\"datacontenttype\":\"application/json\""
	                           ",\"position\":\""));
	ev_buf_add_int(out, line->position);
	ev_buf_add_str(out, EV_STR("\",\"streamversion\":\""));
	ev_buf_add_int(out, line->version);
	ev_buf_add_str(out, EV_STR("\",\"schemaversion\":"));
	ev_buf_add_int(out, line->schema_version);
	ev_buf_add_str(out, EV_STR(",\"recordedat\":\""));
	ev_buf_add_str(out, line->recorded_at);
	ev_buf_add_str(out, EV_STR("\",\"priority\":\""));
	ev_buf_add_str(out, ev_str(ev_priority_format(line->priority)));
	ev_buf_add_char(out, '"');
	add_attribute(out, EV_STR(",\"correlationid\":\""), line->correlation);
	add_attribute(out, EV_STR(",\"causationid\":\""), line->causation);
	add_attribute(out, EV_STR(",\"actor\":\""), line->actor);
	add_meta(out, line->meta);
	ev_buf_add_str(out, EV_STR(",\"data\":"));
	ev_buf_add_str(out, line->data);
	ev_buf_add_char(out, '}');
}
