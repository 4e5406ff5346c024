#include "cmd/serve_readers.h"

#include <signal.h>
#include <stdlib.h>

#include "cmd/printer.h"
#include "cmd/serve_flow.h"
#include "cmd/serve_jq.h"

enum { CACHE_BYTES = 8 << 20 };

/* What has been asked of the pool. */
struct task {
	struct serve_request *request;
	void (*work)(struct serve_reader *reader,
	             struct serve_request *request);
};

struct worker {
	struct serve_reader reader; /* must be the first */
	struct serve_readers *pool;
	struct readmodel **models; /* that it has open */
	char **names;              /* by which they were asked for */
	size_t model_count;
	bool failed; /* the log is to be opened again */
	bool renew;  /* likewise; the pool's lock is for it */
};

struct serve_readers {
	struct serve *serve;
	pthread_mutex_t lock;
	pthread_cond_t waiting; /* a task is, or it is over */
	pthread_cond_t started; /* a thread has */
	struct task *tasks;     /* a ring of SERVE_READS_MAX */
	size_t first, count;
	bool over;
	struct worker *workers;
	int worker_count; /* threads that there are */
	int start_count;  /* of them have started, or failed to */
	enum ev_status status; /* of those that failed the first */
	struct ev_err err;
	struct serve_cache *cache;
	struct serve_flow *flow;
	struct serve_jq_settings *settings;
};

struct serve_cache *
serve_readers_cache(const struct serve_reader *reader)
{
	return reader->serve->readers->cache;
}

struct serve_flow *
serve_readers_flow(const struct serve_reader *reader)
{
	return reader->serve->readers->flow;
}

/* ---- models */

static void
drop_model(struct worker *worker, size_t i)
{
	size_t last = --worker->model_count;

	readmodel_release(worker->models[i]);
	free(worker->models[i]);
	free(worker->names[i]);
	worker->models[i] = worker->models[last];
	worker->names[i] = worker->names[last];
}

enum ev_status
serve_reader_model(struct serve_reader *reader, const char *name,
                   struct readmodel **model, struct ev_err *err)
{
	struct worker *worker = (struct worker *)reader;
	struct readmodel *opened;
	enum ev_status status;
	size_t size = strlen(name) + 1, i = 0;

	while (i < worker->model_count &&
	       strcmp(worker->names[i], name) != 0)
		i++;
	if (i < worker->model_count) {
		*model = worker->models[i];
		if ((*model)->kept)
			return EV_OK;
		/* it is as its file says, which may say something else now */
		drop_model(worker, i);
	}
	opened = ev_mem_alloc(sizeof *opened);
	status = readmodel_open(opened, &reader->projector, name,
	                        READMODEL_SILENT, err);
	if (status) {
		readmodel_release(opened);
		free(opened);
		return status;
	}
	worker->models = ev_mem_resize(worker->models,
	                               (worker->model_count + 1) *
	                               sizeof *worker->models);
	worker->names = ev_mem_resize(worker->names,
	                              (worker->model_count + 1) *
	                              sizeof *worker->names);
	worker->names[worker->model_count] = ev_mem_alloc(size);
	memcpy(worker->names[worker->model_count], name, size);
	worker->models[worker->model_count++] = *model = opened;
	return EV_OK;
}

/* ---- the log */

static void
close_log(struct worker *worker)
{
	while (worker->model_count)
		drop_model(worker, worker->model_count - 1);
	free(worker->models);
	free(worker->names);
	worker->models = NULL;
	worker->names = NULL;
	projector_close(&worker->reader.projector);
	/* the store has borrowed them */
	ev_catalogs_release(&worker->reader.catalogs);
	worker->reader.catalogs = (struct ev_catalogs){ 0 };
}

static enum ev_status
open_log(struct worker *worker, struct ev_err *err)
{
	struct serve_reader *reader = &worker->reader;
	enum ev_status status;

	status = projector_open(&reader->projector, reader->serve->settings.log,
	                        EV_STORE_FOLLOW, err);
	if (!status)
		status = printer_catalogs(&reader->catalogs,
		                          reader->projector.store, err);
	if (status)
		close_log(worker);
	worker->failed = status != EV_OK;
	return status;
}

/* ---- a thread */

static enum ev_status
begin(struct worker *worker, struct ev_err *err)
{
	enum ev_status status = open_log(worker, err);

	if (!status)
		status = serve_jq_open(&worker->reader.jq,
		                       worker->pool->settings, err);
	return status;
}

static void
end(struct worker *worker)
{
	close_log(worker);
	serve_jq_close(worker->reader.jq);
}

static bool
take(struct worker *worker, struct task *task)
{
	struct serve_readers *pool = worker->pool;
	bool taken = false;

	pthread_mutex_lock(&pool->lock);
	while (!pool->count && !pool->over)
		pthread_cond_wait(&pool->waiting, &pool->lock);
	if (!pool->over) {
		*task = pool->tasks[pool->first];
		pool->first = (pool->first + 1) % SERVE_READS_MAX;
		pool->count--;
		worker->failed |= worker->renew;
		worker->renew = false;
		taken = true;
	}
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

static void
do_task(struct worker *worker, const struct task *task)
{
	struct serve_request *request = task->request;
	enum ev_status status = EV_OK;
	struct ev_err err;

	if (worker->failed) {
		close_log(worker);
		serve_flow_forget(worker->pool->flow);
		status = open_log(worker, &err);
	}
	if (status)
		serve_fail(request, status, &err);
	else
		task->work(&worker->reader, request);
	worker->failed |= request->answer.status == 500 ||
	                  request->answer.status == 503;
	serve_done(request);
}

static void *
run(void *context)
{
	struct worker *worker = context;
	struct serve_readers *pool = worker->pool;
	enum ev_status status;
	struct ev_err err;
	struct task task;

	/* jq's parts are set up by the first who uses them: one at a time */
	pthread_mutex_lock(&pool->lock);
	status = begin(worker, &err);
	if (status && !pool->status) {
		pool->status = status;
		pool->err = err;
	}
	pool->start_count++;
	pthread_cond_signal(&pool->started);
	pthread_mutex_unlock(&pool->lock);
	while (!status && take(worker, &task))
		do_task(worker, &task);
	end(worker);
	return NULL;
}

/* ---- the pool */

static void
start_threads(struct serve_readers *pool)
{
	int count = pool->serve->settings.readers;
	sigset_t all, before;

	/* what signals say is for the loop; they are in none of these */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < count; i++) {
		struct worker *worker = &pool->workers[i];
		int error;

		worker->pool = pool;
		worker->reader.serve = pool->serve;
		error = pthread_create(&worker->reader.thread, NULL, run,
		                       worker);
		if (error) {
			pthread_mutex_lock(&pool->lock);
			pool->status = ev_err_set(&pool->err, EV_IO,
			                          "cannot start a thread: %s",
			                          strerror(error));
			pthread_mutex_unlock(&pool->lock);
			break;
		}
		pool->worker_count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum ev_status
serve_readers_start(struct serve *serve, struct ev_err *err)
{
	struct serve_readers *pool = ev_mem_alloc(sizeof *pool);
	enum ev_status status;

	serve->readers = pool;
	pool->serve = serve;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->waiting, NULL);
	pthread_cond_init(&pool->started, NULL);
	pool->tasks = ev_mem_alloc(SERVE_READS_MAX * sizeof *pool->tasks);
	pool->workers = ev_mem_alloc((size_t)serve->settings.readers *
	                             sizeof *pool->workers);
	pool->cache = serve_cache_new(CACHE_BYTES);
	pool->flow = serve_flow_new();
	status = serve_jq_settings_open(&pool->settings, serve->settings.rig,
	                                err);
	if (!status) {
		start_threads(pool);
		pthread_mutex_lock(&pool->lock);
		while (pool->start_count < pool->worker_count)
			pthread_cond_wait(&pool->started, &pool->lock);
		status = pool->status;
		if (status)
			*err = pool->err;
		pthread_mutex_unlock(&pool->lock);
	}
	if (status)
		serve_readers_stop(serve);
	return status;
}

static void
refuse(struct serve_request *request, const char *why)
{
	serve_problem(request, 503, "busy", (struct ev_str){ 0 }, "%s", why);
	serve_header(request, "Retry-After", EV_STR("1"));
	serve_done(request);
}

void
serve_readers_stop(struct serve *serve)
{
	struct serve_readers *pool = serve->readers;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->over = true;
	pthread_cond_broadcast(&pool->waiting);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->worker_count; i++)
		pthread_join(pool->workers[i].reader.thread, NULL);
	for (; pool->count; pool->count--) {
		refuse(pool->tasks[pool->first].request,
		       "the server is about to stop");
		pool->first = (pool->first + 1) % SERVE_READS_MAX;
	}
	serve_jq_settings_free(pool->settings);
	serve_flow_free(pool->flow);
	serve_cache_free(pool->cache);
	free(pool->workers);
	free(pool->tasks);
	pthread_cond_destroy(&pool->started);
	pthread_cond_destroy(&pool->waiting);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
	serve->readers = NULL;
}

void
serve_readers_reload(struct serve *serve)
{
	struct serve_readers *pool = serve->readers;

	pthread_mutex_lock(&pool->lock);
	for (int i = 0; i < pool->worker_count; i++)
		pool->workers[i].renew = true;
	pthread_mutex_unlock(&pool->lock);
}

void
serve_read(struct serve_request *request,
           void (*work)(struct serve_reader *reader,
                        struct serve_request *request))
{
	struct serve_readers *pool = request->serve->readers;
	bool full;

	pthread_mutex_lock(&pool->lock);
	full = pool->count == SERVE_READS_MAX || pool->over;
	if (!full) {
		size_t at = (pool->first + pool->count++) % SERVE_READS_MAX;

		pool->tasks[at] = (struct task){ request, work };
		pthread_cond_signal(&pool->waiting);
	}
	pthread_mutex_unlock(&pool->lock);
	if (full)
		refuse(request, "too many requests wait to be read: repeat");
}
