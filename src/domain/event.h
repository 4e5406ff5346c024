#ifndef EV_DOMAIN_EVENT_H
#define EV_DOMAIN_EVENT_H

#include "base/time.h"
#include "domain/catalog.h"
#include "domain/line.h"

enum {
	EV_STREAM_MAX = 1024, /* bytes of a stream id */
	EV_NAME_MAX = 255     /* bytes of an id, actor, correlation, causation */
};

/* Every catalog that is in force, in order; at most one of a name. */
struct ev_catalogs {
	struct ev_catalog **list;
	size_t count;
};

/* Takes the catalog; one of the same name that is there already stays. */
void ev_catalogs_add(struct ev_catalogs *catalogs, struct ev_catalog *catalog);
void ev_catalogs_release(struct ev_catalogs *catalogs);
struct ev_catalog *ev_catalogs_get(const struct ev_catalogs *catalogs,
                                   struct ev_str name);

/* A checked event that has no place in a log yet. */
struct ev_event {
	const struct ev_type *type;
	/* position, version and recorded_at are unset; id and timestamp are
	   {0} when the sender gave none */
	struct ev_line line;
};

/* What the command line says of every event; {0} and NONE: nothing. */
struct ev_overrides {
	struct ev_str catalog;
	struct ev_str stream;
	struct ev_str id;
	struct ev_str timestamp;
	struct ev_str actor;
	struct ev_str correlation;
	struct ev_str causation;
	/* of events that do not mention theirs */
	struct ev_str default_correlation;
	struct ev_str default_causation;
	enum ev_priority priority;
};

/* Why an event was refused, for programs. */
struct ev_refusal {
	enum ev_refusal_kind {
		EV_REFUSED_TEXT,  /* it is not JSON */
		EV_REFUSED_SHAPE, /* nor an event */
		EV_REFUSED_TYPE,  /* its type, or its catalog, is unknown */
		EV_REFUSED_VALUE  /* something in it is wrong */
	} kind;
	/* where, as a JSON pointer (RFC 6901) into the text as it was given;
	   empty: that cannot be told. The owner releases it. */
	struct ev_buf path;
};

/* Memory for reading events; {0} is valid. Never shared by two threads. */
struct ev_event_reader {
	const struct ev_catalogs *catalogs;
	struct ev_overrides overrides;
	struct ev_refusal *refusal; /* to be filled, or NULL */
	struct ev_buf scratch; /* yyjson's documents */
	struct ev_buf data;
	struct ev_buf text;
};
void ev_event_reader_release(struct ev_event_reader *reader);

/*
 * Reads one event from one JSON text in any of the input forms of
 * ev-events(7): finds its type, renames aliases, adds defaults, builds its
 * stream and checks its payload. The event lives in `arena`. EV_BAD_INPUT says
 * what is wrong with it.
 */
enum ev_status ev_event_read(struct ev_event *out,
                             struct ev_event_reader *reader,
                             struct ev_str text, struct ev_arena *arena,
                             struct ev_err *err);

/*
 * Would appending `event` again change anything? Compares it with the stored
 * line that has its id, in everything that its sender decided; a payload that
 * was stored with an older schemaVersion is compared after its upcast.
 */
bool ev_event_same(const struct ev_event *event, struct ev_str stored);

/*
 * Brings a stored line to the newest schemaVersion that `catalogs` knows.
 * EV_NO: it is that already (or its type is not known), `out` is untouched.
 */
enum ev_status ev_event_upcast(const struct ev_catalogs *catalogs,
                               const struct ev_line *line, struct ev_buf *out,
                               struct ev_err *err);

/* The event's topic; EV_NO: it has none. Appends to `out`. */
enum ev_status ev_event_topic(const struct ev_type *type, yyjson_val *data,
                              struct ev_buf *out, struct ev_err *err);

#endif
