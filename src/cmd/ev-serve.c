/*
 * ev-serve: the log over HTTP. Appends and reads events, shows read models and
 * the rig that they describe, hands on events as they come, and serves the
 * dashboard. What it appends is durable when it is answered, as with ev-append;
 * what it shows is folded by the same code as in ev-get. serve.h says which
 * parts there are.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd/serve_access.h"
#include "cmd/serve_files.h"
#include "cmd/serve_github.h"
#include "cmd/serve_live.h"
#include "cmd/serve_logs.h"
#include "cmd/serve_loop.h"
#include "cmd/serve_readers.h"
#include "cmd/serve_runner.h"
#include "cmd/serve_sandbox.h"
#include "cmd/serve_settings.h"
#include "cmd/serve_tail.h"
#include "cmd/serve_writer.h"

enum {
	OTHER_DESCRIPTORS = 128, /* besides connections: files, pipes, the log */
	TURN_MS = 50 /* how often what is still open is looked at, at the end */
};

/* ---- beginning */

/*
 * Signals are read from a descriptor, by the loop alone. The store's alarm
 * bounds its wait for the lock: only the thread that appends lets it in.
 */
static enum ev_status
hold_signals(int *fd, struct ev_err *err)
{
	sigset_t mine, held;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mine);
	sigaddset(&mine, SIGHUP);
	sigaddset(&mine, SIGINT);
	sigaddset(&mine, SIGTERM);
	held = mine;
	sigaddset(&held, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &held, NULL);
	*fd = signalfd(-1, &mine, SFD_NONBLOCK | SFD_CLOEXEC);
	if (*fd < 0)
		return ev_err_set(err, EV_IO, "cannot wait for signals: %s",
		                  strerror(errno));
	return EV_OK;
}

/* Each connection is a descriptor. Fewer than asked for is said, not fatal. */
static void
make_room(struct serve_settings *settings)
{
	rlim_t wanted = settings->connections + OTHER_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max
		                                         : wanted;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= wanted || limit.rlim_cur <= OTHER_DESCRIPTORS)
		return;
	settings->connections = (unsigned)(limit.rlim_cur - OTHER_DESCRIPTORS);
	cli_say(EV_OK, "at most %u connections at once: 'ulimit -Hn' allows "
	        "no more", settings->connections);
}

static enum ev_status
listen_to(struct serve *serve, struct ev_err *err)
{
	const struct serve_settings *settings = &serve->settings;
	struct ev_buf certificate = { 0 }, key = { 0 };
	struct ev_http_options options = {
		.address = settings->address,
		.port = settings->port,
		.path = settings->socket,
		.connections = settings->connections,
		.per_address = settings->per_address,
		.header_max = SERVE_HEADER_MAX,
		.header_ms = settings->header_ms,
		.body_ms = settings->body_ms,
		.idle_ms = settings->idle_ms,
		.context = serve,
		.begin = serve_begin,
		.handle = serve_handle,
		.too_long = serve_too_long,
		.refuse = serve_refuse,
		.end = serve_end,
	};
	enum ev_status status = serve_settings_read_tls(settings, &certificate,
	                                                &key, err);

	options.certificate = ev_buf_str(&certificate);
	options.key = ev_buf_str(&key);
	if (!status)
		status = ev_http_open(&serve->http, &options, err);
	ev_buf_release(&certificate);
	ev_buf_release(&key);
	return status;
}

/* What has to be done before the sandbox closes, and then the threads. */
static enum ev_status
open_parts(struct serve *serve, struct ev_err *err)
{
	enum ev_status status;

	if ((status = serve_access_open(serve, err)) ||
	    (status = serve_github_open(serve, err)) ||
	    (status = serve_files_open(serve, err)) ||
	    (status = serve_runner_start(serve, err)) ||
	    (status = listen_to(serve, err)) ||
	    (status = serve_sandbox_enter(serve, err)) ||
	    (status = serve_writer_start(serve, err)) ||
	    (status = serve_readers_start(serve, err)) ||
	    (status = serve_logs_open(serve, err)) ||
	    (status = serve_live_open(serve, err)))
		return status;
	return serve_tail_start(serve, err);
}

/* One line, for people and for who has started this. */
static enum ev_status
announce(const struct serve *serve, struct ev_err *err)
{
	const struct serve_settings *settings = &serve->settings;
	bool six = strchr(settings->address, ':') != NULL;

	if (settings->socket)
		printf("unix:%s\n", settings->socket);
	else
		printf("%s://%s%s%s:%u/\n",
		       settings->certificate ? "https" : "http",
		       six ? "[" : "", settings->address, six ? "]" : "",
		       (unsigned)ev_http_port(serve->http));
	if (fflush(stdout) != 0)
		return ev_err_set(err, EV_IO, "cannot write to standard "
		                  "output: %s", strerror(errno));
	return EV_OK;
}

/* ---- at work */

static void
reload(struct serve *serve)
{
	serve_access_reload(serve);
	serve_github_reload(serve);
	serve_writer_reload(serve);
	serve_readers_reload(serve);
}

static void
take_signals(struct serve *serve, int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == sizeof info)
		if (info.ssi_signo == SIGHUP)
			reload(serve);
		else
			serve->stopping = true;
}

static int
sooner(int a, int b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

/* Waits until there is something to do, at most so long, and does it. */
static void
turn(struct serve *serve, int signal_fd, int timeout)
{
	struct pollfd fds[] = {
		{ .fd = ev_http_descriptor(serve->http), .events = POLLIN },
		{ .fd = serve->wake_fd, .events = POLLIN },
		{ .fd = serve_runner_descriptor(serve), .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	uint64_t woken;

	timeout = sooner(timeout, ev_http_timeout(serve->http));
	timeout = sooner(timeout, serve_live_timeout(serve));
	timeout = sooner(timeout, serve_logs_timeout(serve));
	if (poll(fds, sizeof fds / sizeof *fds, timeout) > 0) {
		if (fds[1].revents &&
		    read(serve->wake_fd, &woken, sizeof woken) < 0)
			woken = 0; /* somebody else's wake-up: look anyway */
		if (fds[2].revents)
			serve_runner_run(serve);
		if (fds[3].revents)
			take_signals(serve, signal_fd);
	}
	serve_take_done(serve);
	serve_logs_run(serve);
	serve_live_run(serve);
	ev_http_run(serve->http);
}

/*
 * Nobody new is let in, streams are told, and whoever has begun is answered, as
 * long as that does not take for ever.
 */
static void
wind_up(struct serve *serve, int signal_fd)
{
	int64_t end = ev_time_steady_ms() + serve->settings.stop_ms;

	ev_http_quiesce(serve->http);
	serve_live_stop(serve);
	serve_logs_stop(serve);
	while (ev_http_connections(serve->http) && ev_time_steady_ms() < end)
		turn(serve, signal_fd, TURN_MS);
}

/* Threads first: none of them owes an answer any more when HTTP ends. */
static void
close_parts(struct serve *serve)
{
	serve_tail_stop(serve);
	serve_readers_stop(serve);
	serve_writer_stop(serve);
	serve_runner_stop(serve);
	serve_logs_close(serve);
	if (serve->http) {
		serve_take_done(serve);
		ev_http_run(serve->http);
		ev_http_close(serve->http);
	}
	serve_live_close(serve);
	serve_files_close(serve);
	serve_github_close(serve);
	serve_access_close(serve);
}

static enum ev_status
run(struct serve *serve, struct ev_err *err)
{
	enum ev_status status;
	int signal_fd = -1;

	if ((status = hold_signals(&signal_fd, err)))
		return status;
	serve->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (serve->wake_fd < 0)
		status = ev_err_set(err, EV_IO, "cannot make an eventfd: %s",
		                    strerror(errno));
	if (!status)
		status = open_parts(serve, err);
	if (!status)
		status = announce(serve, err);
	while (!status && !serve->stopping)
		turn(serve, signal_fd, -1);
	if (!status)
		wind_up(serve, signal_fd);
	close_parts(serve);
	if (serve->wake_fd >= 0)
		close(serve->wake_fd);
	close(signal_fd);
	return status;
}

int
main(int argc, char **argv)
{
	struct serve serve = { .wake_fd = -1 };
	enum ev_status status;
	struct ev_err err;
	int result;

	cli_start("ev-serve");
	result = serve_settings_parse(&serve.settings, argc, argv);
	if (result < 0) {
		make_room(&serve.settings);
		pthread_mutex_init(&serve.lock, NULL);
		serve.started = ev_time_now();
		status = run(&serve, &err);
		result = status ? cli_fail(status, &err) : 0;
		pthread_mutex_destroy(&serve.lock);
	}
	serve_settings_release(&serve.settings);
	return result;
}
