#ifndef EV_PORT_AGENT_LOGS_H
#define EV_PORT_AGENT_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/*
 * What agents say while they work, kept apart from the log of events, whatever
 * keeps it. adapter/agent_logs.h opens it. One thread uses a handle.
 *
 * These are no events: nothing is computed from them, and they go when they are
 * old or too many. So an entry that add has acknowledged survives the end of
 * the process, but the last ones may be lost in a power cut, from the end
 * backwards and never out of the middle. What is kept is in the order of its
 * ids, which is that in which it came, not that of its timestamps.
 *
 * Ids are 1, 2, 3, …: never given twice, even when all entries are gone, except
 * those of entries that a power cut took back.
 */
struct ev_agent_logs;

enum ev_agent_level {
	EV_AGENT_TRACE,
	EV_AGENT_DEBUG,
	EV_AGENT_INFO,
	EV_AGENT_WARN,
	EV_AGENT_ERROR
};

/* Texts are UTF-8 and may hold any character, NULs as well. */
struct ev_agent_entry {
	int64_t id; /* set by add */
	struct ev_str agent;
	int64_t time; /* µs since 1970, as the agent says */
	enum ev_agent_level level;
	struct ev_str message;
	struct ev_str data; /* JSON, kept as it is; {0}: none */
};

struct ev_agent_query {
	int64_t after; /* ids above this; EV_AGENT_NEWEST */
	struct ev_str agent; /* {0}: of any */
	enum ev_agent_level level; /* this one and graver ones */
	/* of entries at most; of the bytes of their texts as well, but one
	   entry is given however long it is */
	int64_t limit, bytes;
};

/* Instead of a number: the last entries up to the limit. */
#define EV_AGENT_NEWEST (-1)

/* How far a query came. */
struct ev_agent_page {
	int64_t next; /* what to go on after */
	int64_t last; /* the highest id there was, 0: none yet */
	bool end;     /* all that fits has been given */
};

/* Of an entry all texts are borrowed until it returns. */
typedef void ev_agent_take(void *context, const struct ev_agent_entry *entry);

struct ev_agent_keep {
	int64_t received; /* entries that came before this time go; µs */
	int64_t bytes;    /* that the entries may take on the disk, about;
	                     0: any number */
};

struct ev_agent_logs_ops {
	/*
	 * Adds entries that came at the time `received`, all or none, and sets
	 * their ids. EV_BUSY: another process is writing; EV_IO: a full disk,
	 * say. Nothing is stored then, and later calls may succeed.
	 */
	enum ev_status (*add)(struct ev_agent_logs *logs,
	                      struct ev_agent_entry *entries, size_t count,
	                      int64_t received, struct ev_err *err);

	/*
	 * Entries of one moment, in the order of their ids. An `after` that is
	 * higher than any id is taken for the last id: who has seen what a
	 * power cut took back goes on with what is new.
	 */
	enum ev_status (*read)(struct ev_agent_logs *logs,
	                       const struct ev_agent_query *query,
	                       ev_agent_take *take, void *context,
	                       struct ev_agent_page *page, struct ev_err *err);

	/*
	 * Deletes some of what need not be kept, the oldest first, and gives
	 * room back to the system: a short step, so that who adds need not
	 * wait. `gone` is how many entries went. EV_NO: there is no more to do.
	 */
	enum ev_status (*trim)(struct ev_agent_logs *logs,
	                       const struct ev_agent_keep *keep, int64_t *gone,
	                       struct ev_err *err);

	/* Bytes on the disk, 0 if that cannot be told. */
	int64_t (*size)(struct ev_agent_logs *logs);

	void (*close)(struct ev_agent_logs *logs);
};

struct ev_agent_logs {
	const struct ev_agent_logs_ops *ops;
};

#endif
