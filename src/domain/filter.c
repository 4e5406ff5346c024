#include "domain/filter.h"

#include <stdlib.h>

#include "domain/topic.h"

void
ev_filter_init(struct ev_filter *filter)
{
	*filter = (struct ev_filter){
		.from = 1, .to = INT64_MAX, .since = EV_TIME_NONE,
		.until = EV_TIME_NONE, .to_version = INT64_MAX,
	};
}

void
ev_filter_release(struct ev_filter *filter)
{
	struct ev_list *lists[] = {
		&filter->streams, &filter->prefixes, &filter->types,
		&filter->catalogs, &filter->categories, &filter->topics,
		&filter->correlations, &filter->causations, &filter->actors,
	};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		free(lists[i]->list);
	*filter = (struct ev_filter){ 0 };
}

void
ev_list_add(struct ev_list *list, struct ev_str text)
{
	list->list = ev_mem_resize(list->list,
	                           (list->count + 1) * sizeof *list->list);
	list->list[list->count++] = text;
}

bool
ev_filter_needs_catalogs(const struct ev_filter *filter)
{
	return filter->types.count || filter->categories.count ||
	       filter->catalogs.count || filter->topics.count;
}

bool
ev_filter_is_open(const struct ev_filter *filter)
{
	return !filter->streams.count && !filter->prefixes.count &&
	       !filter->types.count && !filter->catalogs.count &&
	       !filter->categories.count && !filter->topics.count &&
	       !filter->correlations.count && !filter->causations.count &&
	       !filter->actors.count &&
	       filter->min_priority == EV_PRIORITY_INFO &&
	       filter->from_version <= 0 && filter->to_version == INT64_MAX;
}

static bool
holds(const struct ev_list *list, struct ev_str text)
{
	if (!list->count)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (text.ptr && ev_str_equal(list->list[i], text))
			return true;
	return false;
}

static bool
begins(const struct ev_list *list, struct ev_str text)
{
	if (!list->count)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (ev_str_starts(text, list->list[i]))
			return true;
	return false;
}

static bool
is_recorded_within(const struct ev_filter *filter, const struct ev_line *line)
{
	int64_t time;

	if (filter->since == EV_TIME_NONE && filter->until == EV_TIME_NONE)
		return true;
	if (!ev_time_parse(line->recorded_at, &time))
		return false;
	return (filter->since == EV_TIME_NONE || time >= filter->since) &&
	       (filter->until == EV_TIME_NONE || time <= filter->until);
}

static bool
has_topic(const struct ev_filter *filter, const struct ev_type *type,
          const struct ev_line *line, struct ev_buf *scratch)
{
	enum ev_status status;
	struct ev_err ignored;
	yyjson_doc *doc;

	if (ev_json_parse(&doc, line->data, NULL, &ignored))
		return false;
	ev_buf_reset(scratch);
	status = ev_event_topic(type, yyjson_doc_get_root(doc), scratch,
	                        &ignored);
	yyjson_doc_free(doc);
	for (size_t i = 0; !status && i < filter->topics.count; i++)
		if (ev_topic_match(filter->topics.list[i], ev_buf_str(scratch)))
			return true;
	return false;
}

static bool
has_category(const struct ev_filter *filter, const struct ev_line *line,
             const struct ev_catalogs *catalogs, struct ev_buf *scratch)
{
	struct ev_catalog *catalog;
	const struct ev_type *type;

	if (!filter->categories.count && !filter->topics.count)
		return true;
	catalog = ev_catalogs_get(catalogs, line->catalog);
	type = catalog ? ev_catalog_find(catalog, line->type) : NULL;
	if (!type)
		return false;
	return holds(&filter->categories, type->category) &&
	       (!filter->topics.count ||
	        has_topic(filter, type, line, scratch));
}

bool
ev_filter_match(const struct ev_filter *filter, const struct ev_line *line,
                const struct ev_catalogs *catalogs, struct ev_buf *scratch)
{
	return line->position >= filter->from && line->position <= filter->to &&
	       line->version >= filter->from_version &&
	       line->version <= filter->to_version &&
	       line->priority >= filter->min_priority &&
	       holds(&filter->streams, line->stream) &&
	       begins(&filter->prefixes, line->stream) &&
	       holds(&filter->types, line->type) &&
	       holds(&filter->catalogs, line->catalog) &&
	       holds(&filter->correlations, line->correlation) &&
	       holds(&filter->causations, line->causation) &&
	       holds(&filter->actors, line->actor) &&
	       is_recorded_within(filter, line) &&
	       has_category(filter, line, catalogs, scratch);
}

bool
ev_filter_types(const struct ev_filter *filter,
                const struct ev_catalogs *catalogs, struct ev_arena *arena,
                struct ev_list *types)
{
	if (!filter->types.count && !filter->categories.count &&
	    !filter->catalogs.count)
		return false;
	for (size_t i = 0; i < catalogs->count; i++) {
		struct ev_catalog *catalog = catalogs->list[i];
		struct ev_str name = ev_catalog_name(catalog);

		if (!holds(&filter->catalogs, name))
			continue;
		for (size_t t = 0; t < ev_catalog_type_count(catalog); t++) {
			const struct ev_type *type =
				ev_catalog_type(catalog, t);
			struct ev_buf text = { 0 };

			if (!holds(&filter->types, type->name) ||
			    !holds(&filter->categories, type->category))
				continue;
			ev_buf_printf(&text, "%.*s/%.*s", EV_FMT(name),
			              EV_FMT(type->name));
			ev_list_add(types, ev_arena_dup(arena,
			                                ev_buf_str(&text)));
			ev_buf_release(&text);
		}
	}
	return true;
}
