#ifndef EV_CMD_FILTER_OPTIONS_H
#define EV_CMD_FILTER_OPTIONS_H

#include "domain/filter.h"
#include "port/store.h"

/*
 * The options by which every command that reads the log chooses events,
 * documented once in ev-filters(7).
 */
struct filter_options {
	struct ev_filter filter;
	struct ev_list types; /* as given, to be found in the catalogs */
	struct ev_list wanted; /* "rig/CI_FAILED", for an index */
	struct ev_arena arena;
};

/* For getopt_long: put into the command's own strings and tables. */
#define FILTER_SHORT "c:s:t:"
enum {
	FILTER_ACTOR = 512, FILTER_CATEGORY, FILTER_CAUSATION,
	FILTER_CORRELATION, FILTER_FROM, FILTER_FROM_VERSION,
	FILTER_MIN_PRIORITY, FILTER_SINCE, FILTER_STREAM_PREFIX, FILTER_TO,
	FILTER_TO_VERSION, FILTER_TOPIC, FILTER_UNTIL
};
#define FILTER_LONG \
	{ "actor", required_argument, NULL, FILTER_ACTOR }, \
	{ "catalog", required_argument, NULL, 'c' }, \
	{ "category", required_argument, NULL, FILTER_CATEGORY }, \
	{ "causation", required_argument, NULL, FILTER_CAUSATION }, \
	{ "correlation", required_argument, NULL, FILTER_CORRELATION }, \
	{ "from", required_argument, NULL, FILTER_FROM }, \
	{ "from-version", required_argument, NULL, FILTER_FROM_VERSION }, \
	{ "min-priority", required_argument, NULL, FILTER_MIN_PRIORITY }, \
	{ "since", required_argument, NULL, FILTER_SINCE }, \
	{ "stream", required_argument, NULL, 's' }, \
	{ "stream-prefix", required_argument, NULL, FILTER_STREAM_PREFIX }, \
	{ "to", required_argument, NULL, FILTER_TO }, \
	{ "to-version", required_argument, NULL, FILTER_TO_VERSION }, \
	{ "topic", required_argument, NULL, FILTER_TOPIC }, \
	{ "type", required_argument, NULL, 't' }, \
	{ "until", required_argument, NULL, FILTER_UNTIL }

#define FILTER_USAGE \
"Choose events (repeated options are alternatives):\n" \
"  -c, --catalog NAME         of this catalog\n" \
"  -s, --stream ID            of this stream\n" \
"  -t, --type NAME            of this type\n" \
"      --stream-prefix TEXT   of streams that begin so\n" \
"      --category NAME        of types of this category\n" \
"      --topic PATTERN        whose topic matches (NATS: * and >)\n" \
"      --actor NAME           by this actor\n" \
"      --correlation ID       with this correlation id\n" \
"      --causation ID         caused by this event\n" \
"      --min-priority NAME    info, action, urgent or critical, and above\n" \
"      --since TIME           recorded since (2h, 2026-04-21, RFC 3339)\n" \
"      --until TIME           recorded until\n" \
"      --from POSITION        from here on\n" \
"      --to POSITION          up to here\n" \
"      --from-version N       from this version of its stream on\n" \
"      --to-version N         up to this version of its stream\n"

void filter_options_init(struct filter_options *options);
void filter_options_release(struct filter_options *options);

/*
 * Takes an option, by what stands for it in FILTER_SHORT and FILTER_LONG. The
 * value is copied. EV_NO: it is not one of these; EV_USAGE: it is wrong.
 */
enum ev_status filter_option_take(struct filter_options *options, int c,
                                  const char *value, struct ev_err *err);

/* The same for one that getopt gave: -1 done, -2 not one of these, else it was
   wrong, has been told, and this is the exit status. */
int filter_option(struct filter_options *options, int c, const char *value);

/* What stands for a long name ("stream"), for filter_option_take; -1: no option
   is called so. */
int filter_option_find(struct ev_str name);

/* Does choosing need catalogs? */
bool filter_options_need_catalogs(const struct filter_options *options);

/* Finds types, categories and catalogs by name: EV_USAGE for an unknown one.
   Borrows nothing from the catalogs. */
enum ev_status filter_options_resolve(struct filter_options *options,
                                      const struct ev_catalogs *catalogs,
                                      struct ev_err *err);

/* What the store may narrow. Borrows from the options. */
void filter_options_query(const struct filter_options *options,
                          struct ev_query *query);

#endif
