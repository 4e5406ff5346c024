#include "cmd/serve_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SLOTS = 1024 };

struct entry {
	struct entry *next; /* of the slot */
	struct entry *older, *newer;
	unsigned long long hash;
	struct ev_buf key;
	struct ev_buf body;
	bool made;
};

struct serve_cache {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* an entry was made, or left */
	struct entry *slots[SLOTS];
	struct entry *oldest, *newest; /* of those that are made */
	size_t used, most; /* bytes */
};

struct serve_cache *
serve_cache_new(size_t bytes)
{
	struct serve_cache *cache = ev_mem_alloc(sizeof *cache);

	pthread_mutex_init(&cache->lock, NULL);
	pthread_cond_init(&cache->changed, NULL);
	cache->most = bytes;
	return cache;
}

static void
free_entry(struct entry *entry)
{
	ev_buf_release(&entry->key);
	ev_buf_release(&entry->body);
	free(entry);
}

void
serve_cache_free(struct serve_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		while (cache->slots[i]) {
			struct entry *entry = cache->slots[i];

			cache->slots[i] = entry->next;
			free_entry(entry);
		}
	pthread_cond_destroy(&cache->changed);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* Where the entry of a key is, or would be. */
static struct entry **
find(struct serve_cache *cache, struct ev_str key)
{
	unsigned long long hash = ev_str_hash(key);
	struct entry **at = &cache->slots[hash % SLOTS];

	while (*at && ((*at)->hash != hash ||
	               !ev_str_equal(ev_buf_str(&(*at)->key), key)))
		at = &(*at)->next;
	return at;
}

/* ---- in the order of their use */

static void
leave_order(struct serve_cache *cache, struct entry *entry)
{
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
}

static void
make_newest(struct serve_cache *cache, struct entry *entry)
{
	entry->older = cache->newest;
	entry->newer = NULL;
	if (cache->newest)
		cache->newest->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
}

static size_t
size_of(const struct entry *entry)
{
	return sizeof *entry + entry->key.cap + entry->body.cap;
}

/* The newest stays, so that who made it finds it. */
static void
make_room(struct serve_cache *cache)
{
	while (cache->used > cache->most && cache->oldest != cache->newest) {
		struct entry *entry = cache->oldest;
		struct entry **at = find(cache, ev_buf_str(&entry->key));

		assert(*at == entry);
		*at = entry->next;
		cache->oldest = entry->newer;
		cache->oldest->older = NULL;
		cache->used -= size_of(entry);
		free_entry(entry);
	}
}

bool
serve_cache_get(struct serve_cache *cache, struct ev_str key,
                struct ev_buf *out)
{
	struct entry **at, *entry;

	pthread_mutex_lock(&cache->lock);
	while (*(at = find(cache, key)) && !(*at)->made)
		pthread_cond_wait(&cache->changed, &cache->lock);
	entry = *at;
	if (entry) {
		ev_buf_add_str(out, ev_buf_str(&entry->body));
		leave_order(cache, entry);
		make_newest(cache, entry);
	} else {
		*at = ev_mem_alloc(sizeof **at);
		(*at)->hash = ev_str_hash(key);
		ev_buf_add_str(&(*at)->key, key);
	}
	pthread_mutex_unlock(&cache->lock);
	return entry != NULL;
}

void
serve_cache_put(struct serve_cache *cache, struct ev_str key,
                struct ev_str body)
{
	struct entry *entry;

	/* one huge answer must not push out all others */
	if (body.len > cache->most / 2) {
		serve_cache_leave(cache, key);
		return;
	}
	pthread_mutex_lock(&cache->lock);
	entry = *find(cache, key);
	assert(entry && !entry->made);
	ev_buf_add_str(&entry->body, body);
	entry->made = true;
	make_newest(cache, entry);
	cache->used += size_of(entry);
	make_room(cache);
	pthread_cond_broadcast(&cache->changed);
	pthread_mutex_unlock(&cache->lock);
}

void
serve_cache_leave(struct serve_cache *cache, struct ev_str key)
{
	struct entry **at, *entry;

	pthread_mutex_lock(&cache->lock);
	at = find(cache, key);
	entry = *at;
	assert(entry && !entry->made);
	*at = entry->next;
	free_entry(entry);
	pthread_cond_broadcast(&cache->changed);
	pthread_mutex_unlock(&cache->lock);
}
