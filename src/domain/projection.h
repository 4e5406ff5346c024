#ifndef EV_DOMAIN_PROJECTION_H
#define EV_DOMAIN_PROJECTION_H

#include "domain/event.h"

/*
 * A projection: one YAML file that says how events become documents. The file
 * format is ev-projection(5). Like a catalog it lives in two forms: the YAML
 * that people write, checked with line and column; and compact JSON of the same
 * content, which the log stores and which loads without YAML.
 *
 * This header is the compiled form. Texts that are compared with an event's
 * (names, literals) are slices as in struct ev_line: what stands between the
 * quotes. Literal values are JSON. Everything borrows from the projection.
 */

enum ev_mode {
	EV_MODE_INLINE, /* kept in the append's own transaction */
	EV_MODE_ASYNC,  /* kept by ev-project, and by who reads */
	EV_MODE_DEMAND  /* never kept: folded when asked for */
};
const char *ev_mode_format(enum ev_mode mode);

/* What a path begins with. */
enum ev_root {
	EV_ROOT_DATA,     /* .repo        the payload, or with `from` the document
	                                  that is folded */
	EV_ROOT_EVENT,    /* $.timestamp  the envelope; with `from` $.key */
	EV_ROOT_DOCUMENT, /* $doc.state   the document, before the event */
	EV_ROOT_NOTE,     /* $note.agent  the note, before the event */
	EV_ROOT_ELEMENT   /* $each, $each.name */
};

struct ev_path {
	enum ev_root root;
	enum ev_member member; /* of EV_ROOT_EVENT; with `from` STREAM is the
	                          key */
	size_t slot;           /* of EV_ROOT_DOCUMENT and NOTE: which names[0]
	                          is */
	const struct ev_str *names; /* ROOT.a.b: "a", "b"; of EV_ROOT_EVENT what
	                               follows the member (data.x) */
	size_t count;               /* 0: the root itself */
	struct ev_str text;         /* as it was written */
	yyjson_val *where;          /* for ev_projection_report */
};

/* {.agentId|agent}: how a placeholder changes what it found. */
enum ev_filter_name {
	EV_FILTER_PLAIN,
	EV_FILTER_AGENT,   /* up to the first '/' */
	EV_FILTER_DATE,    /* of a time: 2026-04-21, UTC */
	EV_FILTER_PART,    /* '/' is %2F and '%' is %25: a part of a key */
	EV_FILTER_SEGMENT, /* as in catalogs: [A-Za-z0-9-], else _XX */
	EV_FILTER_SOME     /* a number 0 counts as missing */
};

/* A text with placeholders. It cannot be filled when a placeholder's value is
   missing, null, empty or no string, number or boolean. */
struct ev_text {
	const struct ev_text_part {
		struct ev_str literal;      /* before the placeholder */
		const struct ev_path *path; /* NULL: the end */
		enum ev_filter_name filter;
	} *parts;
	size_t count;
};

enum ev_source_kind {
	EV_SOURCE_LITERAL, /* JSON */
	EV_SOURCE_PATH,
	EV_SOURCE_TEXT,
	EV_SOURCE_OBJECT,  /* of sources; those that are missing are left out */
	EV_SOURCE_LIST
};

/* Where a value comes from. */
struct ev_source {
	enum ev_source_kind kind;
	struct ev_str literal;
	struct ev_path path;
	struct ev_text text;
	const struct ev_source *items;  /* of OBJECT and LIST */
	const struct ev_str *names;     /* of OBJECT, one for each item */
	size_t count;
	yyjson_val *where;
};

enum ev_operation_kind {
	EV_SET,
	EV_UNSET,
	EV_COUNT,
	EV_ADD,
	EV_MIN,
	EV_MAX,
	EV_APPEND,
	EV_INCLUDE,
	EV_EXCLUDE,
	EV_TALLY,
	EV_BUCKET,
	EV_OPERATIONS
};
const char *ev_operation_name(enum ev_operation_kind kind);

/* The member that an operation changes: byModel.{.model}.cost is the slot of
   byModel and two steps. */
struct ev_target {
	size_t slot;
	const struct ev_text *steps; /* of one literal part when fixed */
	size_t count;
	struct ev_str text;
	yyjson_val *where;
};

struct ev_operation {
	enum ev_operation_kind kind;
	struct ev_target target;
	struct ev_source value;     /* of all but UNSET and COUNT */
	int64_t amount;             /* of COUNT */
	size_t limit;               /* of APPEND: the last so many; 0: all */
	struct ev_str by;           /* of APPEND: stays sorted by this member of
	                               its objects; {0}: as they come */
	const struct ev_str *order; /* of MIN and MAX: texts, least first; or of
	                               BUCKET: bounds, JSON numbers, ascending */
	size_t order_count;
	const struct ev_str *labels; /* of BUCKET: order_count + 1 of them */
};

enum ev_test {
	EV_TEST_EQUAL,   /* one of the values */
	EV_TEST_NOT,     /* none of the values, or missing */
	EV_TEST_EXISTS,  /* there and not null */
	EV_TEST_MISSING,
	EV_TEST_BELOW,
	EV_TEST_ABOVE,
	EV_TEST_AT_LEAST,
	EV_TEST_AT_MOST
};

struct ev_condition {
	struct ev_path path;
	enum ev_test test;
	const struct ev_source *values; /* literals and paths */
	size_t count;
};

struct ev_rule {
	const struct ev_condition *conditions; /* all must hold */
	size_t condition_count;
	const struct ev_text *keys; /* the first that can be filled */
	size_t key_count;           /* 0: the projection's */
	struct ev_path each;        /* text {0}: no; else a list: the operations
	                               run once for each of its elements */
	const struct ev_operation *operations;
	size_t operation_count;
	yyjson_val *where;
};

/* What happens with one type. The first rule whose conditions hold is applied,
   after `always`; of none, nothing happens. */
struct ev_handler {
	struct ev_str type;    /* "CI_FAILED", "*", with `from` "document" */
	const struct ev_rule *rules;
	size_t count;
	yyjson_val *where;
};

enum ev_derive_kind {
	EV_DERIVE_RATIO,
	EV_DERIVE_SUM,
	EV_DERIVE_SECONDS,
	EV_DERIVE_MINUTES
};

/* A member that is computed when the document is written. */
struct ev_derive {
	struct ev_str name;
	enum ev_derive_kind kind;
	const struct ev_path *left; /* of the document; summed */
	size_t left_count;
	const struct ev_path *right; /* of RATIO summed; of a duration its end */
	size_t right_count;
	int places; /* decimals */
	yyjson_val *where;
};

struct ev_slot {
	struct ev_str name;
	struct ev_str start; /* JSON, {0}: not there until it is set */
};

struct ev_projection {
	struct ev_str name;
	struct ev_str summary;
	enum ev_mode mode;
	const struct ev_str *catalogs;
	size_t catalog_count;
	struct ev_str from; /* another projection, {0}: events */

	const struct ev_text *keys;
	size_t key_count;
	const struct ev_slot *slots; /* the document's members, in order */
	size_t slot_count;
	struct ev_rule always;       /* its operations precede every rule's */
	const struct ev_handler *handlers;
	size_t handler_count;
	const struct ev_handler *rest; /* for types without one ("*"), or NULL */
	const struct ev_str *ignored;
	size_t ignored_count;
	const struct ev_derive *derives;
	size_t derive_count;

	/* Documents of their own that nobody sees, to remember things that
	   later events do not say. Changed after the rule; NULL: none. */
	const struct ev_projection *notes;
	yyjson_val *where; /* the whole file; of notes, what they are */
};

/*
 * Parses and checks YAML by itself, without catalogs. Every problem goes to
 * `problems`; with any, EV_BAD_INPUT and no projection. `file` is for messages
 * only, here and in ev_projection_check, and is copied. Free with
 * ev_projection_free.
 */
enum ev_status ev_projection_parse(const struct ev_projection **out,
                                   const char *file, struct ev_str yaml,
                                   struct ev_problems *problems);

/*
 * What only the catalogs can tell: types neither handled nor ignored (each is
 * named), types and members that do not exist, values of a type that does not
 * fit the operation, rules that can never apply, two writers of one member. The
 * projection must come from ev_projection_parse. `others` are the projections
 * that `from` may name.
 */
void ev_projection_check(const struct ev_projection *projection,
                         const struct ev_catalogs *catalogs,
                         const struct ev_projection *const *others,
                         size_t other_count, struct ev_problems *problems);

/* Adds "FILE:LINE:COLUMN: message" for a value of a parsed projection. */
void ev_projection_report(const struct ev_projection *projection,
                          yyjson_val *where, struct ev_problems *problems,
                          const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The stored form: its compact JSON, borrowed; and loading it again. */
struct ev_str ev_projection_json(const struct ev_projection *projection);
enum ev_status ev_projection_load(const struct ev_projection **out,
                                  struct ev_str json, struct ev_err *err);
void ev_projection_free(const struct ev_projection *projection);

#endif
