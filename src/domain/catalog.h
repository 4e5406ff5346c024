#ifndef EV_DOMAIN_CATALOG_H
#define EV_DOMAIN_CATALOG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "domain/json.h"
#include "domain/schema.h"
#include "domain/template.h"

/*
 * A catalog: one YAML file that names a system's event types, their payload,
 * and how that system's own ("native") JSON maps to our envelope. The file
 * format is ev-catalog(5). A catalog lives in two forms: the YAML that people
 * write, checked with line and column; and compact JSON of the same content,
 * which the log stores and which loads without YAML.
 */
struct ev_catalog;

enum ev_priority {
	EV_PRIORITY_INFO,
	EV_PRIORITY_ACTION,
	EV_PRIORITY_URGENT,
	EV_PRIORITY_CRITICAL,
	EV_PRIORITY_NONE /* not said */
};

const char *ev_priority_format(enum ev_priority priority);

/* Any case ("Urgent"); EV_PRIORITY_NONE for other text. */
enum ev_priority ev_priority_parse(struct ev_str text);

/* The envelope's members, in the order of the canonical line. */
enum ev_member {
	EV_MEMBER_POSITION,
	EV_MEMBER_STREAM,
	EV_MEMBER_VERSION,
	EV_MEMBER_ID,
	EV_MEMBER_CATALOG,
	EV_MEMBER_TYPE,
	EV_MEMBER_SCHEMA_VERSION,
	EV_MEMBER_TIMESTAMP,
	EV_MEMBER_RECORDED_AT,
	EV_MEMBER_PRIORITY,
	EV_MEMBER_CORRELATION,
	EV_MEMBER_CAUSATION,
	EV_MEMBER_ACTOR,
	EV_MEMBER_DATA,
	EV_MEMBER_META,
	EV_MEMBER_COUNT,
	EV_MEMBER_NONE = EV_MEMBER_COUNT
};

/* "streamId" and so on; EV_MEMBER_NONE for a name that is not one of them. */
const char *ev_member_name(enum ev_member member);
enum ev_member ev_member_parse(struct ev_str name);

/* One type of a catalog. All strings borrow from the catalog. */
struct ev_type {
	const struct ev_catalog *catalog;
	struct ev_str name;
	struct ev_str summary;
	struct ev_str category;
	int version; /* newest schemaVersion, from 1 */
	enum ev_priority priority;
	const struct ev_schema *payload;
	const struct ev_template *const *streams; /* the first that fills wins */
	size_t stream_count;
	const struct ev_template *const *topics; /* likewise; none: no topic */
	size_t topic_count;

	/* for ev_type_alias and ev_type_upcast only */
	const struct ev_alias *aliases;
	size_t alias_count;
	yyjson_val *upcast;
};

/* How the native JSON of a catalog looks. */
struct ev_native {
	const struct ev_str *when; /* members that an event of this shape has */
	size_t when_count;
	const struct ev_str *unless; /* members that it never has */
	size_t unless_count;
	struct ev_str payload;  /* the member that is the payload, {0}: all
	                           members that are not of the envelope */
	const struct ev_str *lift; /* further members that join the payload */
	size_t lift_count;
	const struct ev_template *id; /* NULL, or how an id is built from the
	                                 payload when none is given */
};

/* A list of one-line messages "file:line:column: what is wrong". */
struct ev_problems {
	struct ev_buf text; /* each line ends in a newline */
	size_t count;
};
void ev_problems_release(struct ev_problems *problems);

/*
 * Parses and checks YAML. Every problem goes to `problems`, not just the
 * first; with any, EV_BAD_INPUT and no catalog. `file` is only for messages.
 * Nothing is borrowed. Free with ev_catalog_free.
 */
enum ev_status ev_catalog_parse(struct ev_catalog **out, const char *file,
                                struct ev_str yaml,
                                struct ev_problems *problems);

/* A file that has been parsed. */
struct ev_catalog_file {
	const char *path;
	struct ev_str yaml;
	struct ev_catalog *catalog; /* NULL: it had problems of its own */
};

/*
 * What only catalogs together get wrong: two of one name, a type that two of
 * them have, two native forms that ask for the same members.
 */
void ev_catalogs_check(const struct ev_catalog_file *files, size_t count,
                       struct ev_problems *problems);

/* The stored form: its compact JSON, borrowed; and loading it again. */
struct ev_str ev_catalog_json(const struct ev_catalog *catalog);
enum ev_status ev_catalog_load(struct ev_catalog **out, struct ev_str json,
                               struct ev_err *err);
void ev_catalog_free(struct ev_catalog *catalog);

struct ev_str ev_catalog_name(const struct ev_catalog *catalog);

/* NULL: it has no form of its own. */
const struct ev_native *ev_catalog_native(const struct ev_catalog *catalog);

/* Which envelope member a native member is, EV_MEMBER_NONE: it is payload. */
enum ev_member ev_catalog_native_member(const struct ev_catalog *catalog,
                                        struct ev_str member);
/* The inverse: the native name of an envelope member, {0} if it has none. */
struct ev_str ev_catalog_native_name(const struct ev_catalog *catalog,
                                     enum ev_member member);
/* Does the envelope member's native member also stay in the payload? */
bool ev_catalog_native_kept(const struct ev_catalog *catalog,
                            enum ev_member member);

/* Has any type a version above 1? Otherwise no event needs an upcast. */
bool ev_catalog_has_upcasts(const struct ev_catalog *catalog);

/* Compiled when first asked for, so that one event costs one type. */
size_t ev_catalog_type_count(const struct ev_catalog *catalog);
const struct ev_type *ev_catalog_type(struct ev_catalog *catalog, size_t i);

/* By exact name; or ignoring case, '_' and '-', and a catalog's type prefix. */
const struct ev_type *ev_catalog_find(struct ev_catalog *catalog,
                                      struct ev_str name);
const struct ev_type *ev_catalog_find_loose(struct ev_catalog *catalog,
                                            struct ev_str name);

/* The domain's name for a request's member; the same name if no alias. */
struct ev_str ev_type_alias(const struct ev_type *type, struct ev_str member);

/*
 * Brings a payload (a JSON object) of schemaVersion `from` to the newest
 * version, step by step, into `out`. EV_BAD_INPUT when a step cannot be done
 * (a conversion without an answer); `err` names the step.
 */
enum ev_status ev_type_upcast(const struct ev_type *type, int from,
                              yyjson_val *data, struct ev_buf *out,
                              struct ev_err *err);

/*
 * Compares two versions of a catalog: one line per change, breaking ones
 * begin with "breaking: ", others with "compatible: ". Returns how many are
 * breaking. Breaking is what makes an event that the old one accepts refused
 * by the new one, read differently, or stored in another stream, without a
 * new version that upcasts.
 */
size_t ev_catalog_compare(struct ev_catalog *from, struct ev_catalog *to,
                          struct ev_buf *report);

#endif
