#ifndef EV_CMD_WHERE_H
#define EV_CMD_WHERE_H

#include "domain/projection.h"

/*
 * Conditions on a document as it is shown: MEMBER=TEXT, and likewise with !=,
 * <, <=, > and >=; ev-get(1) documents them. {0} is a list of none.
 */
struct where {
	const struct where_term *list;
	size_t count;
	struct ev_arena arena;
};

/* EV_USAGE says what is wrong with it. */
enum ev_status where_add(struct where *where, const char *expression,
                         struct ev_err *err);

/* Can a document have this member? EV_USAGE: none ever. */
enum ev_status where_check(const struct ev_projection *projection,
                           struct ev_str member, struct ev_err *err);
/* The same of all members that are mentioned. */
enum ev_status where_check_all(const struct where *where,
                               const struct ev_projection *projection,
                               struct ev_err *err);

/* Do all hold? */
bool where_holds(const struct where *where, yyjson_val *document);
void where_release(struct where *where);

/*
 * The member that a dotted path names, NULL if there is none. Members may have
 * dots in their own names: the longest name that is there is taken first.
 */
yyjson_val *where_find(yyjson_val *document, struct ev_str path);

/*
 * Order of values: numbers by value, then texts by bytes, then booleans, then
 * lists and objects by their JSON; null and missing (NULL) are last.
 */
int where_compare(yyjson_val *a, yyjson_val *b);
/* The greatest first; null and missing are last all the same. */
int where_compare_reversed(yyjson_val *a, yyjson_val *b);

#endif
