#include "adapter/sqlite/log.h"

static const char *const states[] = {
	[EV_DELIVERY_DONE] = "done",
	[EV_DELIVERY_FAILED] = "failed",
	[EV_DELIVERY_PARKED] = "parked",
	[EV_DELIVERY_REPLAY] = "replay",
};

/* A consumer's row. */
struct row {
	bool found;
	int64_t position;
	int64_t fence;
	bool held;
	char owner[LOG_OWNER];
	char process[LOG_PROCESS];
};

/*
 * Does somebody hold the lease, other than `self`? Its time is that of the
 * host's own clock, which nobody sets; a holder of another boot has ended.
 */
static bool
is_held(struct ev_str process, int64_t expires, struct ev_str self)
{
	return process.len && expires > process_clock() &&
	       !ev_str_equal(process, self) && !process_has_ended(process);
}

static bool
find_consumer(struct log *log, struct ev_str name, struct ev_str self,
              struct row *row)
{
	sqlite3_stmt *find = log_statement(log, SQL_CONSUMER);
	struct ev_str owner;

	*row = (struct row){ 0 };
	log_bind(find, 1, name);
	if (sqlite3_step(find) == SQLITE_ROW) {
		row->found = true;
		row->position = sqlite3_column_int64(find, 0);
		row->fence = sqlite3_column_int64(find, 1);
		row->held = is_held(log_column(find, 2),
		                    sqlite3_column_int64(find, 3), self);
		owner = log_column(find, 4);
		snprintf(row->owner, sizeof row->owner, "%.*s", EV_FMT(owner));
		owner = log_column(find, 2);
		snprintf(row->process, sizeof row->process, "%.*s",
		         EV_FMT(owner));
	}
	return log_reset(find);
}

static enum ev_status
refuse_held(struct ev_str name, const struct row *row, struct ev_err *err)
{
	return ev_err_set(err, EV_BUSY, "'%.*s' is held by %s, which works for "
	                  "it", EV_FMT(name), row->owner);
}

struct leasing {
	const struct ev_lease *lease;
	bool from_end;
	char owner[LOG_OWNER];
	char process[LOG_PROCESS];
	struct row row;
};

static bool
add_consumer(struct log *log, struct leasing *leasing, int64_t head)
{
	sqlite3_stmt *add = log_statement(log, SQL_CONSUMER_ADD);
	char now[EV_TIME_TEXT];

	leasing->row.position = leasing->from_end ? head : 0;
	ev_time_format(ev_time_now(), now);
	log_bind(add, 1, leasing->lease->name);
	sqlite3_bind_int64(add, 2, leasing->row.position);
	sqlite3_bind_text(add, 3, now, EV_TIME_TEXT, SQLITE_STATIC);
	return log_run(add);
}

static enum ev_status
take_lease(struct log *log, void *context, struct ev_err *err)
{
	struct leasing *leasing = context;
	struct row *row = &leasing->row;
	const struct ev_lease *lease = leasing->lease;
	sqlite3_stmt *take = log_statement(log, SQL_CONSUMER_LEASE);
	struct ev_head head;
	enum ev_status status;

	if ((status = log_head(&log->store, &head, err)))
		return status;
	if (!find_consumer(log, lease->name, ev_str(leasing->process), row))
		return log_fail(log, "read", err);
	if (row->held)
		return refuse_held(lease->name, row, err);
	if (!row->found && !add_consumer(log, leasing, head.position))
		return log_fail(log, "write to", err);
	row->fence++;
	log_bind(take, 1, lease->name);
	sqlite3_bind_int64(take, 2, row->fence);
	log_bind(take, 3, ev_str(leasing->owner));
	log_bind(take, 4, ev_str(leasing->process));
	sqlite3_bind_int64(take, 5, process_clock() + lease->length_ms);
	return log_run(take) ? EV_OK : log_fail(log, "write to", err);
}

enum ev_status
log_consumer_lease(struct ev_store *store, const struct ev_lease *lease,
                   bool from_end, int64_t *fence, int64_t *position,
                   struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct leasing leasing = { .lease = lease, .from_end = from_end };
	enum ev_status status = log_connect(log, err);

	if (status)
		return status;
	process_describe(lease->process, leasing.owner, leasing.process);
	/* who stands by asks often, and should not disturb those who write */
	if (!find_consumer(log, lease->name, ev_str(leasing.process),
	                   &leasing.row))
		return log_fail(log, "read", err);
	if (leasing.row.held)
		return refuse_held(lease->name, &leasing.row, err);
	status = log_transact(log, take_lease, &leasing, err);
	if (status)
		return status;
	*fence = leasing.row.fence;
	*position = leasing.row.position;
	return EV_OK;
}

/* Stores how far one event has come. */
static bool
put_delivery(struct log *log, const struct ev_consumer_step *step,
             const struct ev_delivery *delivery, const char *now)
{
	bool gone = delivery->state == EV_DELIVERY_DONE &&
	            delivery->position <= step->position;
	sqlite3_stmt *put = log_statement(log, gone ? SQL_DELIVERY_DELETE
	                                  : delivery->replayed
	                                          ? SQL_DELIVERY_UPDATE
	                                          : SQL_DELIVERY_SET);

	log_bind(put, 1, step->lease.name);
	sqlite3_bind_int64(put, 2, delivery->position);
	if (gone)
		return log_run(put);
	log_bind(put, 3, ev_str(states[delivery->state]));
	sqlite3_bind_int64(put, 4, delivery->attempts);
	sqlite3_bind_text(put, 5, now, EV_TIME_TEXT, SQLITE_STATIC);
	if (delivery->reason.len)
		log_bind(put, 6, delivery->reason);
	else
		sqlite3_bind_null(put, 6);
	return log_run(put);
}

static bool
move_checkpoint(struct log *log, const struct ev_consumer_step *step,
                int64_t before, const char *now)
{
	sqlite3_stmt *move = log_statement(log, SQL_CONSUMER_MOVE);
	sqlite3_stmt *passed = log_statement(log, SQL_DELIVERY_PASSED);

	log_bind(move, 1, step->lease.name);
	sqlite3_bind_int64(move, 2, step->position);
	sqlite3_bind_text(move, 3, now, EV_TIME_TEXT, SQLITE_STATIC);
	sqlite3_bind_int(move, 4, step->release);
	sqlite3_bind_int64(move, 5, process_clock() + step->lease.length_ms);
	if (!log_run(move))
		return false;
	log_bind(passed, 1, step->lease.name);
	sqlite3_bind_int64(passed, 2, before);
	sqlite3_bind_int64(passed, 3, step->position);
	return step->position == before || log_run(passed);
}

static enum ev_status
save_step(struct log *log, void *context, struct ev_err *err)
{
	const struct ev_consumer_step *step = context;
	struct row row;
	char now[EV_TIME_TEXT];
	bool done = true;

	if (!find_consumer(log, step->lease.name, (struct ev_str){ 0 }, &row))
		return log_fail(log, "read", err);
	/* a name that was forgotten and is new has the same fences again */
	if (!row.found || row.fence != step->fence ||
	    !process_is(ev_str(row.process), step->lease.process))
		return ev_err_set(err, EV_CONFLICT, "the lease of '%.*s' is "
		                  "lost%s%s", EV_FMT(step->lease.name),
		                  row.found && *row.owner ? " to " : "",
		                  row.found ? row.owner : "");
	ev_time_format(ev_time_now(), now);
	for (size_t i = 0; done && i < step->delivery_count; i++)
		done = put_delivery(log, step, &step->deliveries[i], now);
	done = done && move_checkpoint(log, step, row.position, now);
	return done ? EV_OK : log_fail(log, "write to", err);
}

enum ev_status
log_consumer_save(struct ev_store *store, const struct ev_consumer_step *step,
                  struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct ev_consumer_step copy = *step;
	enum ev_status status = log_connect(log, err);

	if (status == EV_NO)
		return ev_err_set(err, EV_CONFLICT, "the lease of '%.*s' is "
		                  "lost: there is no log",
		                  EV_FMT(step->lease.name));
	return status ? status : log_transact(log, save_step, &copy, err);
}

struct marking {
	struct ev_str name;
	int64_t position;
	enum ev_delivery_state state;
	int64_t count;
};

static enum ev_status
mark(struct log *log, void *context, struct ev_err *err)
{
	static const enum log_statement replay[] = { SQL_DELIVERY_REPLAY };
	/* above the checkpoint it must be remembered that it is done with */
	static const enum log_statement drop[] = { SQL_DELIVERY_DROP,
	                                           SQL_DELIVERY_DROP_DONE };
	struct marking *marking = context;
	bool drops = marking->state == EV_DELIVERY_DONE;
	char now[EV_TIME_TEXT];

	ev_time_format(ev_time_now(), now);
	for (int i = 0; i < (drops ? 2 : 1); i++) {
		sqlite3_stmt *run = log_statement(log, drops ? drop[i]
		                                             : replay[i]);

		log_bind(run, 1, marking->name);
		sqlite3_bind_int64(run, 2, marking->position);
		sqlite3_bind_text(run, 3, now, EV_TIME_TEXT, SQLITE_STATIC);
		if (!log_run(run))
			return log_fail(log, "write to", err);
		marking->count += sqlite3_changes(log->db);
	}
	return EV_OK;
}

enum ev_status
log_consumer_mark(struct ev_store *store, struct ev_str name, int64_t position,
                  enum ev_delivery_state state, int64_t *count,
                  struct ev_err *err)
{
	struct log *log = (struct log *)store;
	struct marking marking = { name, position, state, 0 };
	enum ev_status status = log_connect(log, err);
	struct ev_head head;

	if (!status)
		status = log_transact(log, mark, &marking, err);
	if (status > EV_NO)
		return status;
	*count = marking.count;
	/* wakes who follows; under the lock, so that no append comes between */
	if (marking.count && log_lock(log, err) == EV_OK) {
		if (log_head(store, &head, err) == EV_OK)
			log_ring(log, head.position);
		log_unlock(log);
	}
	return EV_OK;
}

static enum ev_status
drop(struct log *log, void *context, struct ev_err *err)
{
	static const enum log_statement deletes[] = { SQL_DELIVERIES_DELETE,
	                                              SQL_CONSUMER_DELETE };
	const struct ev_str *name = context;
	struct row row;

	if (!find_consumer(log, *name, (struct ev_str){ 0 }, &row))
		return log_fail(log, "read", err);
	if (row.held)
		return refuse_held(*name, &row, err);
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *delete = log_statement(log, deletes[i]);

		log_bind(delete, 1, *name);
		if (!log_run(delete))
			return log_fail(log, "write to", err);
	}
	return row.found ? EV_OK : EV_NO;
}

enum ev_status
log_consumer_drop(struct ev_store *store, struct ev_str name,
                  struct ev_err *err)
{
	struct log *log = (struct log *)store;
	enum ev_status status = log_connect(log, err);

	return status ? status : log_transact(log, drop, &name, err);
}

static bool
copy_time(char to[EV_TIME_TEXT], struct ev_str text)
{
	if (text.len != EV_TIME_TEXT)
		return false;
	memcpy(to, text.ptr, EV_TIME_TEXT);
	return true;
}

static void
read_consumer(sqlite3_stmt *row, struct ev_consumer *consumer)
{
	int64_t expires = sqlite3_column_int64(row, 3);

	*consumer = (struct ev_consumer){
		.name = log_column(row, 0),
		.position = sqlite3_column_int64(row, 1),
		.fence = sqlite3_column_int64(row, 2),
		.failed = sqlite3_column_int64(row, 7),
		.parked = sqlite3_column_int64(row, 8),
		.replays = sqlite3_column_int64(row, 9),
	};
	if (!copy_time(consumer->updated_at, log_column(row, 6)))
		ev_time_format(0, consumer->updated_at);
	if (!is_held(log_column(row, 4), expires, (struct ev_str){ 0 }))
		return;
	consumer->owner = log_column(row, 5);
	ev_time_format(ev_time_now() + (expires - process_clock()) * 1000,
	               consumer->lease_until);
}

enum ev_status
log_consumers(struct ev_store *store, ev_consumer_take *take, void *context,
              struct ev_err *err)
{
	static const char sql[] =
		"SELECT name, c.position, fence, expires, process, owner,"
		" updated_at, coalesce(sum(state = 'failed'), 0),"
		" coalesce(sum(state = 'parked'), 0),"
		" coalesce(sum(state = 'replay'), 0) FROM consumer c"
		" LEFT JOIN delivery d ON d.consumer = name"
		" GROUP BY name ORDER BY name";
	struct log *log = (struct log *)store;
	struct ev_consumer consumer;
	sqlite3_stmt *rows;
	enum ev_status status = log_begin_rows(log, sql, &rows, err);
	bool more = true;

	if (status)
		return status == EV_NO ? EV_OK : status;
	while (more && sqlite3_step(rows) == SQLITE_ROW) {
		read_consumer(rows, &consumer);
		more = take(context, &consumer);
	}
	return log_end_rows(log, rows, err);
}

static bool
read_delivery(sqlite3_stmt *row, struct ev_delivery *delivery)
{
	struct ev_str state = log_column(row, 1);

	*delivery = (struct ev_delivery){
		.position = sqlite3_column_int64(row, 0),
		.state = EV_DELIVERY_DONE,
		.attempts = sqlite3_column_int64(row, 2),
		.reason = log_column(row, 4),
	};
	while (delivery->state < EV_DELIVERY_REPLAY &&
	       !ev_str_equal(state, ev_str(states[delivery->state])))
		delivery->state++;
	return copy_time(delivery->at, log_column(row, 3));
}

enum ev_status
log_deliveries(struct ev_store *store, struct ev_str name, int64_t after,
               unsigned wanted, ev_delivery_take *take, void *context,
               struct ev_err *err)
{
	static const char sql[] =
		"SELECT position, state, attempts, at, reason FROM delivery"
		" WHERE consumer = ?1 AND position > ?2 ORDER BY position";
	struct log *log = (struct log *)store;
	struct ev_delivery delivery;
	sqlite3_stmt *rows;
	enum ev_status status = log_begin_rows(log, sql, &rows, err);
	bool more = true;

	if (status)
		return status == EV_NO ? EV_OK : status;
	log_bind(rows, 1, name);
	sqlite3_bind_int64(rows, 2, after);
	while (more && sqlite3_step(rows) == SQLITE_ROW)
		if (read_delivery(rows, &delivery) &&
		    (wanted & 1u << delivery.state))
			more = take(context, &delivery);
	return log_end_rows(log, rows, err);
}
