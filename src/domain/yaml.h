#ifndef EV_DOMAIN_YAML_H
#define EV_DOMAIN_YAML_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum {
	EV_YAML_SIZE_MAX = 4 * 1024 * 1024, /* of a file; aliases expanded too */
	EV_YAML_DEPTH_MAX = 100,
	EV_YAML_ANCHORS_MAX = 1000,
};

/*
 * One YAML document as a tree with places, for the files that people write.
 * Plain scalars follow the core schema of YAML 1.2: true, false, null and
 * numbers are what they look like; yes, no, on and off are texts. Refused:
 * duplicate keys, keys that are no scalars, merge keys, several documents,
 * tags but !!str, nesting and expansion beyond sense.
 */
enum ev_yaml_kind {
	EV_YAML_NULL,
	EV_YAML_BOOLEAN,
	EV_YAML_NUMBER, /* text is a JSON number */
	EV_YAML_STRING,
	EV_YAML_LIST,
	EV_YAML_MAP,
};

/* Places count from 1; columns count characters. */
struct ev_place {
	size_t line;
	size_t column;
};

/* An alias is a node of its own that shares text, items and size. */
struct ev_yaml {
	enum ev_yaml_kind kind;
	struct ev_place place;
	struct ev_str text;          /* of a scalar */
	const struct ev_yaml *key;   /* in a map: the member's name */
	const struct ev_yaml *first; /* of a list or a map */
	const struct ev_yaml *next;  /* in a list or a map */
	size_t weight;               /* about the bytes of its JSON */
	size_t depth;                /* levels of lists and maps */
};

/* Called for each problem; `message` dies after the call. */
typedef void ev_yaml_report(void *context, struct ev_place place,
                            const char *message);

/*
 * Parses a document; the tree lives in `arena` and borrows nothing. NULL after
 * problems, each of which went to `report`. What is wrong in the syntax ends
 * the parsing; other problems are collected.
 */
const struct ev_yaml *ev_yaml_parse(struct ev_arena *arena, struct ev_str text,
                                    ev_yaml_report *report, void *context);

/* Blank lines and comments only, so that there is no document? */
bool ev_yaml_is_empty(struct ev_str text);

/*
 * Appends the tree as JSON without whitespace. With `places`, one struct
 * ev_place is appended there for each JSON value written, keys included, in
 * order of writing: the order of the values in a yyjson_doc of that JSON.
 */
void ev_yaml_write_json(struct ev_buf *out, const struct ev_yaml *tree,
                        struct ev_buf *places);

#endif
