#include "adapter/http/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

enum {
	/* of a connection's memory, besides its headers: MHD's table of them,
	   and what it writes */
	MEMORY_MORE = 12288,
	LINGER_MS = 2000,
	LINGER_TICK_MS = 50,
	BACKLOG = 511
};

/* ---- deadlines */

static void
unwatch(struct connection *connection)
{
	struct queue *queue = connection->queue;

	if (!queue)
		return;
	if (connection->earlier)
		connection->earlier->later = connection->later;
	else
		queue->first = connection->later;
	if (connection->later)
		connection->later->earlier = connection->earlier;
	else
		queue->last = connection->earlier;
	connection->queue = NULL;
	connection->earlier = connection->later = NULL;
}

void
http_watch(struct connection *connection, struct queue *queue)
{
	unwatch(connection);
	if (!queue)
		return;
	connection->queue = queue;
	connection->due = ev_time_steady_ms() + queue->ms;
	connection->earlier = queue->last;
	if (queue->last)
		queue->last->later = connection;
	else
		queue->first = connection;
	queue->last = connection;
}

/* MHD notices it and closes. */
static void
expire(struct queue *queue, int64_t now)
{
	struct connection *connection;

	while ((connection = queue->first) && connection->due <= now) {
		unwatch(connection);
		shutdown(connection->fd, SHUT_RDWR);
	}
}

static void
sooner(int64_t *wait, int64_t due, int64_t now)
{
	int64_t left = due > now ? due - now : 0;

	if (*wait < 0 || left < *wait)
		*wait = left;
}

/* ---- connections that are closed */

void
http_linger(struct ev_http *http, int fd)
{
	int copy;

	if (http->lingering_count == LINGERING ||
	    (copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return;
	http->lingering[http->lingering_count++] =
		(struct lingering){ copy, ev_time_steady_ms() + LINGER_MS };
}

static bool
is_drained(const struct lingering *lingering, int64_t now)
{
	char waste[16384];
	ssize_t len = 1;

	if (lingering->due <= now)
		return true;
	/* not for ever: others wait */
	for (int i = 0; i < 16 && len > 0; i++)
		len = recv(lingering->fd, waste, sizeof waste, MSG_DONTWAIT);
	return len == 0 ||
	       (len < 0 && errno != EAGAIN && errno != EINTR);
}

static void
drain(struct ev_http *http, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < http->lingering_count; i++) {
		if (is_drained(&http->lingering[i], now))
			close(http->lingering[i].fd);
		else
			http->lingering[kept++] = http->lingering[i];
	}
	http->lingering_count = kept;
}

/* ---- who it is */

static const struct in6_addr *
ipv6_of(const struct sockaddr *address)
{
	return &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
}

/* In the form of IPv6, so that 127.0.0.1 is one address by whatever socket. */
static bool
address_bytes(const struct sockaddr *address, unsigned char *bytes)
{
	if (address->sa_family == AF_INET6) {
		memcpy(bytes, ipv6_of(address), 16);
	} else if (address->sa_family == AF_INET) {
		memset(bytes, 0, 10);
		memset(bytes + 10, 0xff, 2);
		memcpy(bytes + 12,
		       &((const struct sockaddr_in *)(const void *)address)
		                ->sin_addr, 4);
	} else {
		return false;
	}
	return true;
}

static bool
is_mapped(const unsigned char *bytes)
{
	static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(bytes, prefix, sizeof prefix) == 0;
}

static bool
is_loopback(const unsigned char *bytes)
{
	static const unsigned char one[16] = { [15] = 1 };

	return is_mapped(bytes) ? bytes[12] == 127
	                        : memcmp(bytes, one, sizeof one) == 0;
}

static struct address **
find_address(struct ev_http *http, const unsigned char *bytes,
             unsigned char *key)
{
	struct address **at;

	memcpy(key, bytes, 16);
	if (!is_mapped(bytes))
		memset(key + 8, 0, 8);
	at = &http->addresses[ev_str_hash((struct ev_str){ (char *)key, 16 }) %
	                      ADDRESS_BUCKETS];
	while (*at && memcmp((*at)->key, key, 16) != 0)
		at = &(*at)->next;
	return at;
}

static enum MHD_Result
on_accept(void *context, const struct sockaddr *peer, socklen_t len)
{
	struct ev_http *http = context;
	unsigned char bytes[16], key[16];
	struct address *address;

	(void)len;
	if (!http->options.per_address || http->path ||
	    !address_bytes(peer, bytes) || is_loopback(bytes))
		return MHD_YES;
	address = *find_address(http, bytes, key);
	return !address || address->count < http->options.per_address
	               ? MHD_YES
	               : MHD_NO;
}

static void
count_address(struct connection *connection, const unsigned char *bytes)
{
	unsigned char key[16];
	struct address **at = find_address(connection->http, bytes, key);

	if (!*at) {
		*at = ev_mem_alloc(sizeof **at);
		(*at)->next = NULL;
		(*at)->count = 0;
		memcpy((*at)->key, key, 16);
	}
	(*at)->count++;
	connection->address = *at;
}

static void
forget_address(struct connection *connection)
{
	struct address *address = connection->address, **at;
	unsigned char key[16];

	if (!address || --address->count)
		return;
	memcpy(key, address->key, 16);
	at = &connection->http->addresses[
		ev_str_hash((struct ev_str){ (char *)key, 16 }) %
		ADDRESS_BUCKETS];
	while (*at != address)
		at = &(*at)->next;
	*at = address->next;
	free(address);
}

static void
identify(struct connection *connection, const struct sockaddr *peer)
{
	unsigned char bytes[16];

	connection->peer = EV_HTTP_SOCKET;
	snprintf(connection->name, sizeof connection->name, "unix");
	if (connection->http->path)
		return;
	connection->peer = EV_HTTP_REMOTE;
	snprintf(connection->name, sizeof connection->name, "?");
	if (!peer || !address_bytes(peer, bytes))
		return;
	if (is_loopback(bytes))
		connection->peer = EV_HTTP_LOOPBACK;
	else
		count_address(connection, bytes);
	if (is_mapped(bytes))
		inet_ntop(AF_INET, bytes + 12, connection->name,
		          sizeof connection->name);
	else
		inet_ntop(AF_INET6, bytes, connection->name,
		          sizeof connection->name);
}

/* ---- connections */

static void
open_connection(struct ev_http *http, struct MHD_Connection *mhd, void **slot)
{
	const union MHD_ConnectionInfo *info;
	struct connection *connection = ev_mem_alloc(sizeof *connection);

	*connection = (struct connection){ .http = http };
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection->fd = info->connect_fd;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	identify(connection, info ? info->client_addr : NULL);
	if (!http->path) {
		int on = 1;
		unsigned ms = (unsigned)http->options.idle_ms;

		setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on,
		           sizeof on);
#ifdef TCP_USER_TIMEOUT
		/* somebody whose cable was cut */
		setsockopt(connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
		           sizeof ms);
#else
		(void)ms;
#endif
	}
	connection->after = http->connections;
	if (connection->after)
		connection->after->before = connection;
	http->connections = connection;
	http->count++;
	*slot = connection;
	http_watch(connection, &http->headers);
}

static void
close_connection(struct ev_http *http, struct connection *connection)
{
	struct ev_http_request *request = connection->request;

	/* before 1.0 MHD forgets to tell when it fails twice */
	if (request) {
		request->mhd = NULL;
		request->method = "";
		http_end(request);
	}
	unwatch(connection);
	forget_address(connection);
	if (connection->before)
		connection->before->after = connection->after;
	else
		http->connections = connection->after;
	if (connection->after)
		connection->after->before = connection->before;
	http->count--;
	free(connection);
}

static void
on_connection(void *context, struct MHD_Connection *mhd, void **slot,
              enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		open_connection(context, mhd, slot);
	} else if (*slot) {
		close_connection(context, *slot);
		*slot = NULL;
	}
}

/* ---- opening */

static enum ev_status
listen_tcp(struct ev_http *http, int *out, struct ev_err *err)
{
	const struct ev_http_options *options = &http->options;
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
	                          .ai_socktype = SOCK_STREAM,
	                          .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV |
	                                      AI_PASSIVE };
	struct addrinfo *found;
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof name;
	char port[8];
	int fd, on = 1, error;

	snprintf(port, sizeof port, "%u", (unsigned)options->port);
	if (getaddrinfo(options->address, port, &hints, &found) != 0)
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot listen on '%s': it is no numeric "
		                  "address such as 127.0.0.1 or ::1",
		                  options->address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
	    listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
		error = errno;
		if (fd >= 0)
			close(fd);
		freeaddrinfo(found);
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot listen on '%s' port %s: %s%s",
		                  options->address, port, strerror(error),
		                  error == EADDRINUSE
		                          ? ", choose another port"
		                          : "");
	}
	freeaddrinfo(found);
	http->port = ntohs(name.ss_family == AF_INET6
	                           ? ((struct sockaddr_in6 *)&name)->sin6_port
	                           : ((struct sockaddr_in *)&name)->sin_port);
	*out = fd;
	return EV_OK;
}

/* Whoever listened there is gone: only its file is left. */
static bool
is_stale(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat info;
	bool stale;

	if (fd < 0)
		return false;
	/* EAGAIN: somebody is busy there */
	stale = lstat(name->sun_path, &info) == 0 && S_ISSOCK(info.st_mode) &&
	        connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 &&
	        errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static enum ev_status
listen_unix(struct ev_http *http, int *out, struct ev_err *err)
{
	const char *path = http->options.path;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd, failed, error;

	if (!*path || strlen(path) >= sizeof name.sun_path)
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot listen on '%s': the path of a socket "
		                  "has 1 to %zu bytes", path,
		                  sizeof name.sun_path - 1);
	memcpy(name.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* the file gets the mode of the socket on Linux, at once; elsewhere
	   nobody can connect before listen */
	failed = fd < 0 || fchmod(fd, 0600) != 0;
	if (!failed) {
		failed = bind(fd, (struct sockaddr *)&name, sizeof name) != 0;
		if (failed && errno == EADDRINUSE) {
			if (is_stale(&name))
				unlink(path);
			failed = bind(fd, (struct sockaddr *)&name,
			              sizeof name) != 0;
		}
	}
	if (failed || chmod(path, 0600) != 0 ||
	    lstat(path, &http->node) != 0 || listen(fd, BACKLOG) != 0) {
		error = errno;
		if (fd >= 0)
			close(fd);
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot listen on '%s': %s%s", path,
		                  strerror(error),
		                  error == EADDRINUSE
		                          ? ", somebody else listens there or "
		                            "it is no socket"
		                          : "");
	}
	http->path = ev_mem_alloc(strlen(path) + 1);
	memcpy(http->path, path, strlen(path) + 1);
	*out = fd;
	return EV_OK;
}

/* Unless somebody else has made another since. */
static void
remove_socket(struct ev_http *http)
{
	struct stat info;

	if (http->path && lstat(http->path, &info) == 0 &&
	    info.st_dev == http->node.st_dev &&
	    info.st_ino == http->node.st_ino)
		unlink(http->path);
}

/* MHD says everything here and nothing to standard error; only why it did not
   start is of interest. */
__attribute__((format(printf, 2, 0))) static void
on_log(void *context, const char *format, va_list arguments)
{
	struct ev_http *http = context;

	if (!http->starting || *http->trouble)
		return;
	vsnprintf(http->trouble, sizeof http->trouble, format, arguments);
	http->trouble[strcspn(http->trouble, "\n")] = '\0';
}

/* MHD reads no escapes: the target stays as it is. */
static size_t
keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
	(void)context;
	(void)mhd;
	return strlen(text);
}

static char *
copy_text(struct ev_str s)
{
	char *text = ev_mem_alloc(s.len + 1);

	if (s.len)
		memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return text;
}

static void
start_mhd(struct ev_http *http, int fd)
{
	const struct ev_http_options *options = &http->options;
	bool tls = options->certificate.len > 0;
	char *certificate = copy_text(options->certificate);
	char *key = copy_text(options->key);
	static char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
	struct MHD_OptionItem tls_items[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, versions },
		{ MHD_OPTION_END, 0, NULL }
	};
	struct MHD_OptionItem no_items[] = { { MHD_OPTION_END, 0, NULL } };

	http->starting = true;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			(tls ? MHD_USE_TLS : 0),
		0, on_accept, http, http_on_request, http,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, http,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, options->connections,
		MHD_OPTION_CONNECTION_TIMEOUT, 0U,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		options->header_max + MEMORY_MORE,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
		MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, http,
		MHD_OPTION_URI_LOG_CALLBACK, http_on_target, http,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, http,
#if MHD_VERSION >= 0x01000000
		MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#else
		MHD_OPTION_STRICT_FOR_CLIENT, 0, /* we look ourselves */
#endif
		MHD_OPTION_ARRAY, tls ? tls_items : no_items, MHD_OPTION_END);
	http->starting = false;
	explicit_bzero(key, options->key.len);
	free(key);
	free(certificate);
}

/* MHD closes the socket on some ways to fail. */
static void
close_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof on;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on)
		close(fd);
}

enum ev_status
ev_http_open(struct ev_http **out, const struct ev_http_options *options,
             struct ev_err *err)
{
	struct ev_http *http = ev_mem_alloc(sizeof *http);
	const union MHD_DaemonInfo *info;
	enum ev_status status;
	int fd = -1;

	*http = (struct ev_http){ .options = *options,
	                          .headers.ms = options->header_ms,
	                          .bodies.ms = options->body_ms,
	                          .answers.ms = options->idle_ms,
	                          .old_parser = MHD_get_version()[0] == '0' };
	status = options->path ? listen_unix(http, &fd, err)
	                       : listen_tcp(http, &fd, err);
	if (status) {
		free(http);
		return status;
	}
	start_mhd(http, fd);
	info = http->daemon ? MHD_get_daemon_info(http->daemon,
	                                          MHD_DAEMON_INFO_EPOLL_FD)
	                    : NULL;
	if (!info) {
		status = options->certificate.len ? EV_BAD_INPUT
		                                  : EV_UNREACHABLE;
		ev_err_set(err, status, "cannot start the HTTP server%s: %s",
		           status == EV_BAD_INPUT
		                   ? " with this certificate and key"
		                   : "",
		           *http->trouble ? http->trouble : "no reason given");
		remove_socket(http);
		if (http->daemon)
			MHD_stop_daemon(http->daemon);
		else
			close_listening(fd);
		free(http->path);
		free(http);
		return status;
	}
	http->epoll_fd = info->epoll_fd;
	/* what the texts point to is the caller's */
	http->options.address = http->options.path = NULL;
	http->options.certificate = http->options.key = (struct ev_str){ 0 };
	*out = http;
	return EV_OK;
}

/* ---- running */

uint16_t
ev_http_port(const struct ev_http *http)
{
	return http->port;
}

int
ev_http_descriptor(const struct ev_http *http)
{
	return http->epoll_fd;
}

int
ev_http_timeout(struct ev_http *http)
{
	const struct queue *const queues[] = { &http->headers, &http->bodies,
	                                       &http->answers, &http->leaving };
	MHD_UNSIGNED_LONG_LONG ms;
	int64_t now = ev_time_steady_ms(), wait = -1;

	if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
		wait = ms > INT32_MAX ? INT32_MAX : (int64_t)ms;
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
		if (queues[i]->first)
			sooner(&wait, queues[i]->first->due, now);
	if (http->lingering_count)
		sooner(&wait, now + LINGER_TICK_MS, now);
	return (int)wait;
}

void
ev_http_run(struct ev_http *http)
{
	int64_t now;

	/* first what came in time, if it was us who were late */
	MHD_run(http->daemon);
	now = ev_time_steady_ms();
	expire(&http->headers, now);
	expire(&http->bodies, now);
	expire(&http->answers, now);
	expire(&http->leaving, now);
	drain(http, now);
}

void
ev_http_quiesce(struct ev_http *http)
{
	int fd, unread;

	if (http->quiet)
		return;
	http->quiet = true;
	remove_socket(http);
	fd = MHD_quiesce_daemon(http->daemon);
	if (fd >= 0)
		close(fd);
	for (struct connection *connection = http->connections; connection;
	     connection = connection->after) {
		/* a request may have come that nobody has looked at */
		if (!connection->request &&
		    (ioctl(connection->fd, FIONREAD, &unread) != 0 || !unread))
			shutdown(connection->fd, SHUT_RDWR);
	}
}

unsigned
ev_http_connections(const struct ev_http *http)
{
	return http->count;
}

void
ev_http_close(struct ev_http *http)
{
	if (!http)
		return;
	/* MHD does not stop while something is suspended */
	for (struct connection *connection = http->connections; connection;
	     connection = connection->after) {
		struct ev_http_request *request = connection->request;

		assert(!request || !request->handed || request->answered);
		if (request) {
			request->cut = true;
			http_resume(request);
		}
	}
	if (!http->quiet)
		remove_socket(http);
	MHD_stop_daemon(http->daemon);
	assert(!http->connections);
	for (size_t i = 0; i < http->lingering_count; i++)
		close(http->lingering[i].fd);
	free(http->path);
	free(http);
}
