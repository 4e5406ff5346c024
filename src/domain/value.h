#ifndef EV_DOMAIN_VALUE_H
#define EV_DOMAIN_VALUE_H

#include "base/mem.h"
#include "domain/number.h"
#include "domain/scan.h"

/*
 * Values of documents, which change all the time: JSON as it came, or, once an
 * operation needs more, a number, a list or a map. What a value becomes does
 * not show: ev_value_write gives the same JSON for the same history, wherever
 * it was stored and read again in between.
 */

/* Memory in sizes of powers of two; what is given back is used again. {0} is
   empty and valid. */
struct ev_pool {
	struct ev_arena arena;
	void *spare[40];
	size_t used; /* bytes */
};
void ev_pool_release(struct ev_pool *pool);

enum ev_value_kind {
	EV_VALUE_NONE, /* not there */
	EV_VALUE_JSON,
	EV_VALUE_NUMBER,
	EV_VALUE_LIST,
	EV_VALUE_MAP
};

/* Small, as a document has many. */
struct ev_value {
	uint8_t kind;
	uint8_t room; /* of JSON: its block has 2^room bytes; 0: lent */
	uint32_t len; /* of JSON */
	union {
		const char *json;
		struct ev_number *number;
		struct ev_items *list;
		struct ev_map *map;
	} u;
};

/* {0} for a value of another kind. */
static inline struct ev_str
ev_value_json(const struct ev_value *value)
{
	if (value->kind != EV_VALUE_JSON)
		return (struct ev_str){ 0 };
	return (struct ev_str){ value->u.json, value->len };
}

struct ev_items {
	uint32_t count, room;
	struct ev_value *items;
	uint32_t *index; /* for include and exclude, once there are many */
	uint32_t index_size;
};

/* Members in the order in which they were made. */
struct ev_map {
	uint32_t count, room;
	struct ev_map_entry {
		struct ev_str name; /* a slice */
		struct ev_value value;
	} *entries;
	uint32_t *index; /* by hash, once there are many */
	uint32_t index_size;
};

/* Not there any more. */
void ev_value_clear(struct ev_pool *pool, struct ev_value *value);

/* A copy; or bytes that outlive the value, which are not copied. */
void ev_value_set(struct ev_pool *pool, struct ev_value *value,
                  struct ev_str json);
void ev_value_lend(struct ev_pool *pool, struct ev_value *value,
                   struct ev_str json);

/*
 * The value as a number, list or map; one that is not there or null becomes 0
 * or empty. NULL: it is something else, and stays.
 */
struct ev_number *ev_value_number(struct ev_pool *pool,
                                  struct ev_value *value);
struct ev_items *ev_value_list(struct ev_pool *pool, struct ev_value *value);
struct ev_map *ev_value_map(struct ev_pool *pool, struct ev_value *value);

/* Not there, or null. */
bool ev_value_is_empty(const struct ev_value *value);

/* Would that succeed? '0', '[' or '{'. */
bool ev_value_can_be(const struct ev_value *value, char kind);

void ev_value_write(const struct ev_value *value, struct ev_buf *out);

/* A new last item. */
struct ev_value *ev_items_add(struct ev_pool *pool, struct ev_items *list);
void ev_items_drop(struct ev_pool *pool, struct ev_items *list, size_t first,
                   size_t count);

/* Numbers are the same by value, all else by its bytes. */
bool ev_value_same(struct ev_str a, struct ev_str b);

/*
 * A list without repetition. What is excluded leaves a gap until ev_items_tidy, which has to follow.
 */
void ev_items_include(struct ev_pool *pool, struct ev_items *list,
                      struct ev_str json);
void ev_items_exclude(struct ev_pool *pool, struct ev_items *list,
                      struct ev_str json);
void ev_items_tidy(struct ev_pool *pool, struct ev_items *list);

/* NULL: there is none. */
struct ev_value *ev_map_get(const struct ev_map *map, struct ev_str name);
/* The one that is there, or a new one. */
struct ev_value *ev_map_put(struct ev_pool *pool, struct ev_map *map,
                            struct ev_str name);
void ev_map_remove(struct ev_pool *pool, struct ev_map *map,
                   struct ev_str name);

#endif
