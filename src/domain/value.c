#include "domain/value.h"

#include <assert.h>

#include "domain/decimal.h"

enum {
	LEAST = 16,      /* bytes that a block has */
	INDEX_FROM = 16  /* members from which on a map has an index */
};

/* ---- memory */

static size_t
class_of(size_t size)
{
	size_t class = 4;

	while ((size_t)1 << class < size)
		class++;
	return class;
}

/* `*room` is what was really given. */
static void *
pool_take(struct ev_pool *pool, size_t size, size_t *room)
{
	size_t class = class_of(size < LEAST ? LEAST : size);
	void *block = pool->spare[class];

	*room = (size_t)1 << class;
	if (!block) {
		pool->used += *room;
		return ev_arena_alloc(&pool->arena, *room);
	}
	memcpy(&pool->spare[class], block, sizeof(void *));
	return block;
}

static void
pool_give(struct ev_pool *pool, void *block, size_t size)
{
	size_t class = class_of(size < LEAST ? LEAST : size);

	if (!block)
		return;
	memcpy(block, &pool->spare[class], sizeof(void *));
	pool->spare[class] = block;
}

void
ev_pool_release(struct ev_pool *pool)
{
	ev_arena_release(&pool->arena);
	*pool = (struct ev_pool){ 0 };
}

/* Room for one more thing of `size` bytes behind `count` of them. */
static void *
grow(struct ev_pool *pool, void *old, size_t size, uint32_t count,
     uint32_t *room)
{
	size_t bytes;
	void *new;

	if (count < *room)
		return old;
	new = pool_take(pool, (count ? (size_t)count * 2 : 2) * size, &bytes);
	if (count)
		memcpy(new, old, count * size);
	pool_give(pool, old, *room * size);
	*room = (uint32_t)(bytes / size);
	return new;
}

/* ---- maps */

static uint32_t *
find_cell(const struct ev_map *map, struct ev_str name)
{
	size_t at = ev_str_hash(name) & (map->index_size - 1);

	while (map->index[at] &&
	       !ev_str_equal(map->entries[map->index[at] - 1].name, name))
		at = (at + 1) & (map->index_size - 1);
	return &map->index[at];
}

static void
drop_index(struct ev_pool *pool, struct ev_map *map)
{
	pool_give(pool, map->index, map->index_size * sizeof *map->index);
	map->index = NULL;
	map->index_size = 0;
}

/* At least twice as many cells as members. */
static void
make_index(struct ev_pool *pool, struct ev_map *map)
{
	size_t room;

	drop_index(pool, map);
	map->index_size = 64;
	while (map->index_size < 4 * map->count)
		map->index_size *= 2;
	map->index = pool_take(pool, map->index_size * sizeof *map->index,
	                       &room);
	memset(map->index, 0, room);
	for (uint32_t i = 0; i < map->count; i++)
		*find_cell(map, map->entries[i].name) = i + 1;
}

struct ev_value *
ev_map_get(const struct ev_map *map, struct ev_str name)
{
	uint32_t cell;

	if (map->index) {
		cell = *find_cell(map, name);
		return cell ? &map->entries[cell - 1].value : NULL;
	}
	for (uint32_t i = 0; i < map->count; i++)
		if (ev_str_equal(map->entries[i].name, name))
			return &map->entries[i].value;
	return NULL;
}

struct ev_value *
ev_map_put(struct ev_pool *pool, struct ev_map *map, struct ev_str name)
{
	struct ev_value *value = ev_map_get(map, name);
	struct ev_map_entry *entry;
	size_t room;
	char *copy;

	if (value)
		return value;
	map->entries = grow(pool, map->entries, sizeof *map->entries,
	                    map->count, &map->room);
	entry = &map->entries[map->count++];
	copy = pool_take(pool, name.len, &room);
	if (name.len)
		memcpy(copy, name.ptr, name.len);
	*entry = (struct ev_map_entry){ .name = { copy, name.len } };
	if (map->index && map->count * 2 <= map->index_size)
		*find_cell(map, entry->name) = map->count;
	else if (map->count > INDEX_FROM)
		make_index(pool, map);
	return &entry->value;
}

static void
clear_entry(struct ev_pool *pool, struct ev_map_entry *entry)
{
	ev_value_clear(pool, &entry->value);
	pool_give(pool, (char *)entry->name.ptr, entry->name.len);
}

void
ev_map_remove(struct ev_pool *pool, struct ev_map *map, struct ev_str name)
{
	struct ev_value *value = ev_map_get(map, name);
	struct ev_map_entry *entry;
	size_t behind;

	if (!value)
		return;
	entry = (struct ev_map_entry *)((char *)value -
	                                offsetof(struct ev_map_entry, value));
	behind = map->count - (size_t)(entry - map->entries) - 1;
	clear_entry(pool, entry);
	memmove(entry, entry + 1, behind * sizeof *entry);
	map->count--;
	if (map->index && map->count > INDEX_FROM)
		make_index(pool, map);
	else
		drop_index(pool, map);
}

/* ---- lists */

static void
drop_items_index(struct ev_pool *pool, struct ev_items *list)
{
	pool_give(pool, list->index, list->index_size * sizeof *list->index);
	list->index = NULL;
	list->index_size = 0;
}

struct ev_value *
ev_items_add(struct ev_pool *pool, struct ev_items *list)
{
	drop_items_index(pool, list);
	list->items = grow(pool, list->items, sizeof *list->items, list->count,
	                   &list->room);
	list->items[list->count] = (struct ev_value){ 0 };
	return &list->items[list->count++];
}

void
ev_items_drop(struct ev_pool *pool, struct ev_items *list, size_t first,
             size_t count)
{
	assert(first + count <= list->count);
	drop_items_index(pool, list);
	for (size_t i = first; i < first + count; i++)
		ev_value_clear(pool, &list->items[i]);
	memmove(&list->items[first], &list->items[first + count],
	        (list->count - first - count) * sizeof *list->items);
	list->count -= (uint32_t)count;
}

bool
ev_value_same(struct ev_str a, struct ev_str b)
{
	if (ev_scan_is_number(a) && ev_scan_is_number(b))
		return ev_decimal_compare(a, b) == 0;
	return ev_str_equal(a, b);
}

static uint32_t *
find_item_cell(const struct ev_items *list, struct ev_str json)
{
	unsigned long long hash = ev_scan_is_number(json)
	                                  ? ev_decimal_hash(json)
	                                  : ev_str_hash(json);
	size_t at = (size_t)hash & (list->index_size - 1);

	while (list->index[at] &&
	       !ev_value_same(ev_value_json(&list->items[list->index[at] - 1]),
	                json))
		at = (at + 1) & (list->index_size - 1);
	return &list->index[at];
}

static void
make_items_index(struct ev_pool *pool, struct ev_items *list)
{
	size_t room;

	drop_items_index(pool, list);
	list->index_size = 64;
	while (list->index_size < 4 * list->count)
		list->index_size *= 2;
	list->index = pool_take(pool, list->index_size * sizeof *list->index,
	                        &room);
	memset(list->index, 0, room);
	for (uint32_t i = 0; i < list->count; i++)
		*find_item_cell(list, ev_value_json(&list->items[i])) = i + 1;
}

/* NULL: it is not there. */
static struct ev_value *
find_item(struct ev_pool *pool, struct ev_items *list, struct ev_str json)
{
	uint32_t cell;

	if (list->count > INDEX_FROM && !list->index)
		make_items_index(pool, list);
	if (list->index) {
		cell = *find_item_cell(list, json);
		return cell ? &list->items[cell - 1] : NULL;
	}
	for (uint32_t i = 0; i < list->count; i++)
		if (ev_value_same(ev_value_json(&list->items[i]), json))
			return &list->items[i];
	return NULL;
}

void
ev_items_include(struct ev_pool *pool, struct ev_items *list,
                 struct ev_str json)
{
	if (find_item(pool, list, json))
		return;
	list->items = grow(pool, list->items, sizeof *list->items, list->count,
	                   &list->room);
	list->items[list->count] = (struct ev_value){ 0 };
	ev_value_set(pool, &list->items[list->count++], json);
	if (list->index && list->count * 2 <= list->index_size)
		*find_item_cell(list, json) = list->count;
	else
		drop_items_index(pool, list);
}

void
ev_items_exclude(struct ev_pool *pool, struct ev_items *list,
                 struct ev_str json)
{
	struct ev_value *item = find_item(pool, list, json);

	if (item)
		ev_value_clear(pool, item);
}

void
ev_items_tidy(struct ev_pool *pool, struct ev_items *list)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i].kind != EV_VALUE_NONE)
			list->items[kept++] = list->items[i];
	if (kept < list->count)
		drop_items_index(pool, list);
	list->count = kept;
}

/* ---- values */

void
ev_value_clear(struct ev_pool *pool, struct ev_value *value)
{
	struct ev_items *list = value->u.list;
	struct ev_map *map = value->u.map;

	switch ((enum ev_value_kind)value->kind) {
	case EV_VALUE_NONE:
		break;
	case EV_VALUE_JSON:
		if (value->room)
			pool_give(pool, (char *)value->u.json,
			          (size_t)1 << value->room);
		break;
	case EV_VALUE_NUMBER:
		ev_number_release(value->u.number);
		pool_give(pool, value->u.number, sizeof *value->u.number);
		break;
	case EV_VALUE_LIST:
		ev_items_drop(pool, list, 0, list->count);
		pool_give(pool, list->items, list->room * sizeof *list->items);
		pool_give(pool, list, sizeof *list);
		break;
	case EV_VALUE_MAP:
		for (uint32_t i = 0; i < map->count; i++)
			clear_entry(pool, &map->entries[i]);
		drop_index(pool, map);
		pool_give(pool, map->entries, map->room * sizeof *map->entries);
		pool_give(pool, map, sizeof *map);
		break;
	}
	*value = (struct ev_value){ 0 };
}

void
ev_value_set(struct ev_pool *pool, struct ev_value *value, struct ev_str json)
{
	size_t room;

	if (value->kind != EV_VALUE_JSON || !value->room ||
	    (size_t)1 << value->room < json.len) {
		void *block = pool_take(pool, json.len, &room);

		ev_value_clear(pool, value);
		value->kind = EV_VALUE_JSON;
		value->room = (uint8_t)class_of(room);
		value->u.json = block;
	}
	memcpy((char *)value->u.json, json.ptr, json.len);
	value->len = (uint32_t)json.len;
}

void
ev_value_lend(struct ev_pool *pool, struct ev_value *value, struct ev_str json)
{
	ev_value_clear(pool, value);
	value->kind = EV_VALUE_JSON;
	value->len = (uint32_t)json.len;
	value->u.json = json.ptr;
}

bool
ev_value_is_empty(const struct ev_value *value)
{
	return value->kind == EV_VALUE_NONE || ev_scan_is_null(ev_value_json(value));
}

bool
ev_value_can_be(const struct ev_value *value, char kind)
{
	struct ev_str json = ev_value_json(value);

	if (ev_value_is_empty(value))
		return true;
	switch (kind) {
	case '0':
		return value->kind == EV_VALUE_NUMBER ||
		       ev_scan_is_number(json);
	case '[':
		return value->kind == EV_VALUE_LIST ||
		       (json.len && *json.ptr == '[');
	default:
		return value->kind == EV_VALUE_MAP ||
		       (json.len && *json.ptr == '{');
	}
}

struct ev_number *
ev_value_number(struct ev_pool *pool, struct ev_value *value)
{
	struct ev_number number = { 0 };
	size_t room;

	if (value->kind == EV_VALUE_NUMBER)
		return value->u.number;
	if (!ev_value_is_empty(value) && (!ev_scan_is_number(ev_value_json(value)) ||
	                         !ev_number_parse(&number, ev_value_json(value))))
		return NULL;
	ev_value_clear(pool, value);
	value->kind = EV_VALUE_NUMBER;
	value->u.number = pool_take(pool, sizeof number, &room);
	*value->u.number = number;
	return value->u.number;
}

struct ev_items *
ev_value_list(struct ev_pool *pool, struct ev_value *value)
{
	struct ev_str json = ev_value_json(value), item;
	struct ev_scan scan = ev_scan_begin(json);
	struct ev_items *list;
	size_t room;

	if (value->kind == EV_VALUE_LIST)
		return value->u.list;
	if (!ev_value_can_be(value, '['))
		return NULL;
	list = pool_take(pool, sizeof *list, &room);
	*list = (struct ev_items){ 0 };
	while (json.len && *json.ptr == '[' && ev_scan_element(&scan, &item))
		ev_value_set(pool, ev_items_add(pool, list), item);
	ev_value_clear(pool, value);
	value->kind = EV_VALUE_LIST;
	value->u.list = list;
	return list;
}

struct ev_map *
ev_value_map(struct ev_pool *pool, struct ev_value *value)
{
	struct ev_str json = ev_value_json(value), name, member;
	struct ev_scan scan = ev_scan_begin(json);
	struct ev_map *map;
	size_t room;

	if (value->kind == EV_VALUE_MAP)
		return value->u.map;
	if (!ev_value_can_be(value, '{'))
		return NULL;
	map = pool_take(pool, sizeof *map, &room);
	*map = (struct ev_map){ 0 };
	while (ev_scan_member(&scan, &name, &member))
		ev_value_set(pool, ev_map_put(pool, map, name), member);
	ev_value_clear(pool, value);
	value->kind = EV_VALUE_MAP;
	value->u.map = map;
	return map;
}

static void
write_list(const struct ev_items *list, struct ev_buf *out)
{
	ev_buf_add_char(out, '[');
	for (uint32_t i = 0; i < list->count; i++) {
		if (i)
			ev_buf_add_char(out, ',');
		ev_value_write(&list->items[i], out);
	}
	ev_buf_add_char(out, ']');
}

static void
write_map(const struct ev_map *map, struct ev_buf *out)
{
	bool first = true;

	ev_buf_add_char(out, '{');
	for (uint32_t i = 0; i < map->count; i++) {
		const struct ev_map_entry *entry = &map->entries[i];

		if (entry->value.kind == EV_VALUE_NONE)
			continue;
		if (!first)
			ev_buf_add_char(out, ',');
		first = false;
		ev_buf_add_char(out, '"');
		ev_buf_add_str(out, entry->name);
		ev_buf_add_str(out, EV_STR("\":"));
		ev_value_write(&entry->value, out);
	}
	ev_buf_add_char(out, '}');
}

void
ev_value_write(const struct ev_value *value, struct ev_buf *out)
{
	switch ((enum ev_value_kind)value->kind) {
	case EV_VALUE_NONE:
		ev_buf_add_str(out, EV_STR("null"));
		break;
	case EV_VALUE_JSON:
		ev_buf_add_str(out, ev_value_json(value));
		break;
	case EV_VALUE_NUMBER:
		ev_number_format(out, value->u.number);
		break;
	case EV_VALUE_LIST:
		write_list(value->u.list, out);
		break;
	case EV_VALUE_MAP:
		write_map(value->u.map, out);
		break;
	}
}
