#include "cmd/filter_options.h"

#include <getopt.h>
#include <stdlib.h>

#include "base/opt.h"
#include "cmd/cli.h"
#include "domain/topic.h"

void
filter_options_init(struct filter_options *options)
{
	*options = (struct filter_options){ 0 };
	ev_filter_init(&options->filter);
}

void
filter_options_release(struct filter_options *options)
{
	ev_filter_release(&options->filter);
	free(options->types.list);
	free(options->wanted.list);
	ev_arena_release(&options->arena);
}

/* Lines hold texts escaped, so that is how they are compared. */
static enum ev_status
add_text(struct filter_options *options, struct ev_list *list,
         const char *value, struct ev_err *err)
{
	if (!*value)
		return ev_err_set(err, EV_USAGE,
		                  "an empty text chooses nothing");
	ev_list_add(list, ev_line_escape(&options->arena, ev_str(value)));
	return EV_OK;
}

static enum ev_status
take_number(const char *name, const char *value, int64_t min, int64_t *number,
            struct ev_err *err)
{
	if (!ev_opt_int(value, min, INT64_MAX, number))
		return ev_err_set(err, EV_USAGE,
		                  "%s '%s': expected a number from %lld", name,
		                  value, (long long)min);
	return EV_OK;
}

static enum ev_status
take_time(const char *name, const char *value, int64_t *time,
          struct ev_err *err)
{
	if (!ev_opt_time(value, ev_time_now(), time))
		return ev_err_set(err, EV_USAGE,
		                  "%s '%s': expected 45s, 30m, 2h, 7d, a date "
		                  "or an RFC 3339 time", name, value);
	return EV_OK;
}

static enum ev_status
add_topic(struct filter_options *options, const char *value,
          struct ev_err *err)
{
	if (!ev_topic_valid(ev_str(value)))
		return ev_err_set(err, EV_USAGE,
		                  "--topic '%s': expected segments between "
		                  "dots, '*' for one, '>' for the rest", value);
	ev_list_add(&options->filter.topics,
	            ev_arena_dup(&options->arena, ev_str(value)));
	return EV_OK;
}

enum ev_status
filter_option_take(struct filter_options *options, int c, const char *value,
                   struct ev_err *err)
{
	struct ev_filter *filter = &options->filter;
	enum ev_priority priority;

	switch (c) {
	case 'c':
		return add_text(options, &filter->catalogs, value, err);
	case 's':
		return add_text(options, &filter->streams, value, err);
	case 't':
		return add_text(options, &options->types, value, err);
	case FILTER_ACTOR:
		return add_text(options, &filter->actors, value, err);
	case FILTER_CATEGORY:
		return add_text(options, &filter->categories, value, err);
	case FILTER_CAUSATION:
		return add_text(options, &filter->causations, value, err);
	case FILTER_CORRELATION:
		return add_text(options, &filter->correlations, value, err);
	case FILTER_FROM:
		return take_number("--from", value, 0, &filter->from, err);
	case FILTER_FROM_VERSION:
		return take_number("--from-version", value, 0,
		                   &filter->from_version, err);
	case FILTER_MIN_PRIORITY:
		priority = ev_priority_parse(ev_str(value));
		if (priority == EV_PRIORITY_NONE)
			return ev_err_set(err, EV_USAGE,
			                  "--min-priority '%s': expected info, "
			                  "action, urgent or critical", value);
		filter->min_priority = priority;
		return EV_OK;
	case FILTER_SINCE:
		return take_time("--since", value, &filter->since, err);
	case FILTER_STREAM_PREFIX:
		return add_text(options, &filter->prefixes, value, err);
	case FILTER_TO:
		return take_number("--to", value, 0, &filter->to, err);
	case FILTER_TO_VERSION:
		return take_number("--to-version", value, 0,
		                   &filter->to_version, err);
	case FILTER_TOPIC:
		return add_topic(options, value, err);
	case FILTER_UNTIL:
		return take_time("--until", value, &filter->until, err);
	default:
		return EV_NO;
	}
}

int
filter_option(struct filter_options *options, int c, const char *value)
{
	struct ev_err err;

	switch (filter_option_take(options, c, value, &err)) {
	case EV_OK:
		return -1;
	case EV_NO:
		return -2;
	default:
		return cli_usage("%s", err.text);
	}
}

int
filter_option_find(struct ev_str name)
{
	static const struct option names[] = { FILTER_LONG };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (ev_str_equal(ev_str(names[i].name), name))
			return names[i].val;
	return -1;
}

bool
filter_options_need_catalogs(const struct filter_options *options)
{
	return options->types.count ||
	       ev_filter_needs_catalogs(&options->filter);
}

/* A name as given stands for every type that is spelled so, exactly or else
   loosely. */
static enum ev_status
resolve_type(struct filter_options *options,
             const struct ev_catalogs *catalogs, struct ev_str name,
             struct ev_err *err)
{
	size_t before = options->filter.types.count;

	for (size_t i = 0; i < catalogs->count; i++)
		if (ev_catalog_find(catalogs->list[i], name)) {
			ev_list_add(&options->filter.types, name);
			return EV_OK;
		}
	for (size_t i = 0; i < catalogs->count; i++) {
		const struct ev_type *type =
			ev_catalog_find_loose(catalogs->list[i], name);

		if (type)
			ev_list_add(&options->filter.types,
			            ev_arena_dup(&options->arena, type->name));
	}
	if (options->filter.types.count == before)
		return ev_err_set(err, EV_USAGE, "unknown event type: %.*s",
		                  EV_FMT(name));
	return EV_OK;
}

static bool
has_category(const struct ev_catalogs *catalogs, struct ev_str name)
{
	for (size_t i = 0; i < catalogs->count; i++) {
		struct ev_catalog *catalog = catalogs->list[i];

		for (size_t t = 0; t < ev_catalog_type_count(catalog); t++)
			if (ev_str_equal(ev_catalog_type(catalog, t)->category,
			                 name))
				return true;
	}
	return false;
}

enum ev_status
filter_options_resolve(struct filter_options *options,
                       const struct ev_catalogs *catalogs, struct ev_err *err)
{
	struct ev_filter *filter = &options->filter;
	enum ev_status status;

	for (size_t i = 0; i < filter->catalogs.count; i++)
		if (!ev_catalogs_get(catalogs, filter->catalogs.list[i]))
			return ev_err_set(err, EV_USAGE, "unknown catalog: %.*s",
			                  EV_FMT(filter->catalogs.list[i]));
	for (size_t i = 0; i < filter->categories.count; i++)
		if (!has_category(catalogs, filter->categories.list[i]))
			return ev_err_set(err, EV_USAGE,
			                  "unknown category: %.*s",
			                  EV_FMT(filter->categories.list[i]));
	for (size_t i = 0; i < options->types.count; i++)
		if ((status = resolve_type(options, catalogs,
		                           options->types.list[i], err)))
			return status;
	ev_filter_types(filter, catalogs, &options->arena, &options->wanted);
	return EV_OK;
}

static struct ev_slices
slices(const struct ev_list *list)
{
	return (struct ev_slices){ list->list, list->count };
}

void
filter_options_query(const struct filter_options *options,
                     struct ev_query *query)
{
	const struct ev_filter *filter = &options->filter;

	*query = (struct ev_query){
		.from = filter->from,
		.to = filter->to,
		.from_time = filter->since,
		.to_time = filter->until,
		.streams = slices(&filter->streams),
		.types = slices(&options->wanted),
		.actors = slices(&filter->actors),
		.correlations = slices(&filter->correlations),
		.causations = slices(&filter->causations),
	};
}
