#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapter/http.h"
#include "unit.h"

/*
 * The server runs step by step in this process, between what its clients do:
 * plain sockets that read into `got`.
 */
enum { PATIENCE_MS = 5000, MANY = 500 };

static struct ev_http *http;
static struct ev_buf got;
static char *socket_path;

/* What the handlers saw. */
static struct {
	unsigned begun, handled, too_long, refused, ended;
	int status; /* of the last refusal */
	struct ev_buf body;
	struct ev_http_request *later, *stream;
	unsigned streams;
	size_t flood; /* bytes that a stream has to give */
	size_t given;
	bool end; /* of the stream */
	enum ev_http_peer peer;
} seen;

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
answer(struct ev_http_request *request, int status, struct ev_str body)
{
	struct ev_http_header header = { "X-Test", "yes" };

	ev_http_answer(request, &(struct ev_http_answer){
		.status = status, .body = body, .headers = &header,
		.header_count = 1 });
}

static bool
path_is(struct ev_http_request *request, const char *path)
{
	return ev_str_equal(ev_http_path(request), ev_str(path));
}

static size_t
on_begin(void *context, struct ev_http_request *request)
{
	(void)context;
	seen.begun++;
	seen.peer = ev_http_peer(request);
	if (path_is(request, "/forbidden"))
		answer(request, 403, EV_STR("no"));
	return 1000;
}

static ptrdiff_t
flow(void *context, char *bytes, size_t max)
{
	(void)context;
	if (!seen.flood)
		return seen.end ? -1 : 0;
	if (max > seen.flood)
		max = seen.flood;
	memset(bytes, 'x', max);
	seen.flood -= max;
	seen.given += max;
	return (ptrdiff_t)max;
}

static void
show_query(void *context, struct ev_str name, struct ev_str value)
{
	ev_buf_printf(context, "[%.*s=%.*s]", EV_FMT(name), EV_FMT(value));
}

static void
echo(struct ev_http_request *request)
{
	struct ev_buf text = { 0 };

	ev_buf_add_str(&text, ev_http_method(request));
	ev_buf_add_char(&text, ' ');
	ev_buf_add_str(&text, ev_http_path(request));
	ev_buf_add_char(&text, ' ');
	ev_buf_add_str(&text, ev_http_raw_path(request));
	ev_buf_add_char(&text, ' ');
	ev_http_each_query(request, show_query, &text);
	ev_buf_printf(&text, " %.*s %zu <",
	              EV_FMT(ev_http_header(request, "x-one")),
	              ev_http_header_count(request, "X-ONE"));
	ev_buf_add_str(&text, ev_http_body(request));
	ev_buf_add(&text, ">", 1);
	answer(request, 200, ev_buf_str(&text));
	ev_buf_release(&text);
}

static void
on_handle(void *context, struct ev_http_request *request)
{
	(void)context;
	seen.handled++;
	ev_buf_reset(&seen.body);
	ev_buf_add_str(&seen.body, ev_http_body(request));
	if (path_is(request, "/later")) {
		seen.later = request;
	} else if (ev_str_starts(ev_http_path(request), EV_STR("/stream"))) {
		seen.stream = request;
		seen.streams++;
		ev_http_stream(request, &(struct ev_http_answer){
			.status = 200, .body = EV_STR("begin.") },
			&(struct ev_http_source){ .read = flow });
		if (path_is(request, "/stream/cut"))
			ev_http_cut(request);
	} else if (path_is(request, "/big")) {
		char *big = calloc(1, 8 << 20);

		answer(request, 200, (struct ev_str){ big, 8 << 20 });
		free(big);
	} else if (path_is(request, "/nothing")) {
		answer(request, 204, EV_STR("left out"));
	} else if (path_is(request, "/same")) {
		answer(request, 304, EV_STR("left out"));
	} else if (path_is(request, "/same/anyway")) {
		answer(request, 304, (struct ev_str){ 0 });
	} else {
		echo(request);
	}
}

static void
on_too_long(void *context, struct ev_http_request *request)
{
	(void)context;
	seen.too_long++;
	answer(request, 413, EV_STR("too long"));
}

static void
on_refuse(void *context, struct ev_http_request *request, int status,
          const char *why)
{
	(void)context;
	seen.refused++;
	seen.status = status;
	answer(request, status, ev_str(why));
}

static void
on_end(void *context, struct ev_http_request *request)
{
	(void)context;
	seen.ended++;
	if (request == seen.stream)
		seen.stream = NULL;
	if (request == seen.later)
		seen.later = NULL;
}

/* Ends the test when the server cannot be started. */
static void
begin(struct ev_http_options more)
{
	struct ev_err err = { "" };

	more.address = "127.0.0.1";
	if (!more.connections)
		more.connections = 1000;
	if (!more.header_max)
		more.header_max = 8192;
	if (!more.header_ms)
		more.header_ms = 60000;
	if (!more.body_ms)
		more.body_ms = 60000;
	if (!more.idle_ms)
		more.idle_ms = 60000;
	more.begin = on_begin;
	more.handle = on_handle;
	more.too_long = on_too_long;
	more.refuse = on_refuse;
	more.end = on_end;
	ev_buf_release(&seen.body);
	memset(&seen, 0, sizeof seen);
	if (ev_http_open(&http, &more, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(2);
	}
}

static void
end(void)
{
	ev_http_close(http);
	http = NULL;
	CHECK_NAMED("every request that was seen has ended, once",
	            seen.ended == seen.begun + seen.refused);
}

static void
step(int wait)
{
	struct pollfd fd = { .fd = ev_http_descriptor(http),
	                     .events = POLLIN };
	int timeout = ev_http_timeout(http);

	if (timeout < 0 || timeout > wait)
		timeout = wait;
	poll(&fd, 1, timeout);
	ev_http_run(http);
}

static int
dial(void)
{
	int fd;

	if (socket_path) {
		struct sockaddr_un name = { .sun_family = AF_UNIX };

		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		snprintf(name.sun_path, sizeof name.sun_path, "%s",
		         socket_path);
		if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
			return fd;
	} else {
		struct sockaddr_in name = { .sin_family = AF_INET };

		name.sin_port = htons(ev_http_port(http));
		name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
			return fd;
	}
	printf("Bail out! cannot connect: %s\n", strerror(errno));
	exit(2);
}

static void
put(int fd, struct ev_str text)
{
	while (text.len) {
		ssize_t len = send(fd, text.ptr, text.len,
		                   MSG_NOSIGNAL | MSG_DONTWAIT);

		if (len < 0 && errno != EAGAIN)
			return;
		if (len < 0) {
			step(10);
			continue;
		}
		text.ptr += len;
		text.len -= (size_t)len;
	}
}

static void
say(int fd, const char *text)
{
	put(fd, ev_str(text));
}

static bool
has(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i + len <= got.len; i++)
		if (memcmp(got.ptr + i, text, len) == 0)
			return true;
	return false;
}

/* Reads until `text` is there, or with NULL until the end: false, it did not
   come. */
static bool
hears(int fd, const char *text)
{
	int64_t late = now_ms() + PATIENCE_MS;

	while (now_ms() < late) {
		char bytes[65536];
		ssize_t len;

		if (text && has(text))
			return true;
		step(5);
		len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (len > 0)
			ev_buf_add(&got, bytes, (size_t)len);
		else if (len == 0 || errno != EAGAIN)
			return text ? has(text) : true;
	}
	return false;
}

/* Runs until the condition holds. */
#define COMES(condition) \
	do { \
		int64_t patience = now_ms() + PATIENCE_MS; \
		while (!(condition) && now_ms() < patience) \
			step(5); \
		CHECK(condition); \
	} while (0)

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static int
status_of(struct ev_str text)
{
	return ev_str_starts(text, EV_STR("HTTP/1.1 ")) && text.len > 12
	               ? (text.ptr[9] - '0') * 100 + (text.ptr[10] - '0') * 10 +
	                         text.ptr[11] - '0'
	               : 0;
}

/* libmicrohttpd 1.0 refuses some of it before we do, with 400 or nothing. */
static void
check_refusal(const char *name, int status, struct ev_str text)
{
	unsigned handled = seen.handled, refused = seen.refused;
	int fd = dial(), found;

	ev_buf_reset(&got);
	put(fd, text);
	say(fd, GET("/smuggled"));
	CHECK_NAMED(name, hears(fd, NULL));
	found = status_of(ev_buf_str(&got));
	CHECK_NAMED("with the right status",
	            found == status || (seen.refused == refused &&
	                                (found == 400 || !got.len)));
	CHECK_NAMED("and nothing behind it is read",
	            seen.handled == handled && !has("smuggled"));
	close(fd);
}

#define REFUSED(name, status, text) \
	check_refusal((name), (status), EV_STR(text))
#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"

static void
test_refusals(void)
{
	struct ev_buf text = { 0 };
	unsigned before;

	begin((struct ev_http_options){ 0 });
	REFUSED("no Host", 400, LINE "\r\n");
	REFUSED("two Hosts", 400, LINE HOST HOST "\r\n");
	REFUSED("Transfer-Encoding and Content-Length", 400,
	        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
	        "Content-Length: 5\r\n\r\n0\r\n\r\n");
	REFUSED("two Content-Lengths", 400,
	        "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n"
	        "Content-Length: 0\r\n\r\n");
	REFUSED("a Content-Length that is none", 400,
	        "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n");
	REFUSED("two numbers in Content-Length", 400,
	        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n");
	REFUSED("an unknown Transfer-Encoding", 501,
	        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n");
	REFUSED("two Transfer-Encodings", 501,
	        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
	        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	REFUSED("Transfer-Encoding in HTTP/1.0", 400,
	        "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	        "0\r\n\r\n");
	REFUSED("an escaped NUL in the path", 400,
	        "GET /a%00b HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("a bad escape", 400, "GET /a%2 HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("a bad escape in the query", 400,
	        "GET /a?b=%zz HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("a path without a slash", 400,
	        "GET a HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("an absolute target", 400,
	        "GET http://h/ HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("an unknown method", 501, "BREW / HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("a method in lower case", 501, "get / HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("CONNECT", 501, "CONNECT / HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("a blank before the colon", 400, LINE "Host : h\r\n\r\n");
	REFUSED("a NUL in a header", 400,
	        LINE HOST "X-One: a\0b\r\n\r\n");
	REFUSED("a NUL at the end of a header", 400,
	        LINE HOST "X-One: a\0\r\n\r\n");
	REFUSED("a NUL at the begin of a line", 400,
	        LINE HOST "\0X-One: a\r\n\r\n");
	REFUSED("a NUL in the request line", 400,
	        "GET /\0a HTTP/1.1\r\n" HOST "\r\n");
	REFUSED("a control in a header", 400,
	        LINE HOST "X-One: a\001b\r\n\r\n");
	REFUSED("a carriage return alone", 400,
	        LINE HOST "X-One: a\rX-Two: b\r\n\r\n");
	REFUSED("a header that goes on in the next line", 400,
	        LINE HOST "X-One: a\r\n b\r\n\r\n");
	REFUSED("a Content-Length that goes on in the next line", 400,
	        "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n 0\r\n\r\n");
	before = seen.ended;
	CHECK_NAMED("they are told to `refuse`", seen.refused >= 10);
	CHECK_NAMED("and have ended", before == seen.refused);

	ev_buf_add_str(&text, EV_STR(LINE HOST "X-One: "));
	memset(ev_buf_reserve(&text, 9000), 'a', 9000);
	text.len += 9000;
	ev_buf_add_str(&text, EV_STR("\r\n\r\n"));
	check_refusal("headers of more than header_max", 431,
	              ev_buf_str(&text));
	CHECK_NAMED("by us, in our words", seen.status == 431);
	ev_buf_reset(&text);
	ev_buf_add_str(&text, EV_STR(LINE HOST "X-One: "));
	memset(ev_buf_reserve(&text, 50000), 'a', 50000);
	text.len += 50000;
	ev_buf_add_str(&text, EV_STR("\r\n\r\n"));
	check_refusal("headers of more than the memory", 431,
	              ev_buf_str(&text));
	ev_buf_release(&text);
	end();
}

static void
test_requests(void)
{
	const char *text = "POST /a%2Fb?x=1+2&&y=%26&z HTTP/1.1\r\nHost: h\r\n"
	                   "X-One:  first \r\nCookie: a=b; c=d\r\nx-ONE: 2\r\n"
	                   "Content-Length: 5\r\n\r\nhello";
	int fd;

	begin((struct ev_http_options){ 0 });
	fd = dial();
	ev_buf_reset(&got);
	for (size_t i = 0; text[i]; i++) {
		put(fd, (struct ev_str){ text + i, 1 });
		step(0);
		step(0);
	}
	CHECK_NAMED("a request comes byte by byte", hears(fd, "hello>"));
	CHECK(has("POST /a/b /a%2Fb [x=1 2][y=&][z=] first 2 <hello>"));
	CHECK(has("X-Test: yes\r\n"));
	CHECK(seen.peer == EV_HTTP_LOOPBACK);

	ev_buf_reset(&got);
	say(fd, GET("/one") GET("/two") "HEAD /three HTTP/1.1\r\nHost: h\r\n"
	    "\r\n" GET("/nothing") GET("/same") GET("/same/anyway")
	    "PUT /four HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab" GET("/five"));
	CHECK_NAMED("requests come in one piece on one connection",
	            hears(fd, "GET /five") && has("GET /one /one") &&
	            has("GET /two") && has("PUT /four /four   0 <ab>"));
	CHECK_NAMED("HEAD has the length and no body",
	            has("Content-Length: 25\r\n") && !has("HEAD /three"));
	CHECK_NAMED("204 and 304 have no body",
	            has("HTTP/1.1 204 ") && has("HTTP/1.1 304 ") &&
	            !has("left out"));
	CHECK_NAMED("304 tells the length that there would be",
	            has("Content-Length: 8\r\n") &&
	            has("Content-Length: 0\r\n"));
	CHECK_NAMED("and leaves nothing on the connection",
	            !has("chunked"));
	close(fd);
	COMES(ev_http_connections(http) == 0);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "GET /old HTTP/1.0\r\n\r\n");
	CHECK_NAMED("HTTP/1.0 needs no Host and closes",
	            hears(fd, NULL) && has("GET /old"));
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/half") GET("/way"));
	shutdown(fd, SHUT_WR);
	CHECK_NAMED("who has nothing more to say is answered",
	            hears(fd, NULL) && has("GET /half") && has("GET /way"));
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "POST /forbidden HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"
	    "Expect: 100-continue\r\n\r\n");
	CHECK_NAMED("begin refuses a body before it comes",
	            hears(fd, NULL) && has("HTTP/1.1 403 ") &&
	            !has("100 Continue"));
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/forbidden") GET("/after"));
	CHECK_NAMED("an early answer without a body keeps the connection",
	            hears(fd, "GET /after"));
	close(fd);

	fd = dial();
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
	COMES(seen.begun == 16);
	close(fd);
	COMES(seen.ended == 16);

	fd = dial();
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
	COMES(seen.begun == 17);
	end();
	CHECK_NAMED("closing ends a request that is on its way",
	            seen.ended == 17 && seen.handled == 13);
	close(fd);
}

/* MHD's memory for them grows meanwhile. */
static void
test_long_headers(void)
{
	struct ev_buf text = { 0 };
	int fd;

	begin((struct ev_http_options){ .header_max = 32768 });
	ev_buf_add_str(&text, EV_STR("GET /long?n=v+%41&&a="));
	while (text.len < 9000)
		ev_buf_add_char(&text, 'a');
	ev_buf_add_str(&text, EV_STR(" HTTP/1.1\r\n" HOST));
	for (int i = 0; i < 22; i++) {
		ev_buf_add_str(&text, EV_STR("X-One: "));
		memset(ev_buf_reserve(&text, 1000), 'a', 1000);
		text.len += 1000;
		ev_buf_add_str(&text, EV_STR("\r\n"));
	}
	ev_buf_add_str(&text, EV_STR("\r\n" GET("/next")));
	fd = dial();
	ev_buf_reset(&got);
	for (size_t at = 0; at < text.len; at += 997) {
		put(fd, (struct ev_str){ text.ptr + at, text.len - at < 997
		                                                ? text.len - at
		                                                : 997 });
		step(0);
	}
	CHECK_NAMED("long headers come in pieces",
	            hears(fd, "GET /next") && has("GET /long /long [n=v A]") &&
	            seen.refused == 0);
	close(fd);

	/* MHD is not to keep a table of them, which has no end */
	ev_buf_reset(&text);
	ev_buf_add_str(&text, EV_STR("GET /many?"));
	while (text.len < 9000)
		ev_buf_add_str(&text, EV_STR("&a"));
	ev_buf_add_str(&text, EV_STR(" HTTP/1.1\r\n" HOST "X-One: 1\r\n\r\n"));
	fd = dial();
	ev_buf_reset(&got);
	put(fd, ev_buf_str(&text));
	ev_buf_reset(&text);
	ev_buf_add_str(&text, EV_STR(GET("/next")));
	put(fd, ev_buf_str(&text));
	CHECK_NAMED("so are many parameters",
	            hears(fd, "GET /next") && has("GET /many /many [a=]") &&
	            seen.refused == 0 && seen.handled == 4);
	close(fd);
	ev_buf_release(&text);
	end();
}

static void
test_bodies(void)
{
	struct ev_buf text = { 0 };
	int fd;

	begin((struct ev_http_options){ 0 });
	fd = dial();
	ev_buf_reset(&got);
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	    "Content-Length: 3\r\n\r\n");
	CHECK_NAMED("a body that may come is asked for",
	            hears(fd, "HTTP/1.1 100 Continue\r\n\r\n"));
	say(fd, "abc");
	CHECK(hears(fd, "<abc>"));
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	    "Content-Length: 1001\r\n\r\n");
	CHECK_NAMED("one that is too long is not",
	            hears(fd, NULL) && has("HTTP/1.1 413 ") &&
	            !has("Continue"));
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 18446744073709551615\r\n\r\n");
	CHECK(hears(fd, NULL) && has("HTTP/1.1 413 "));
	close(fd);

	/* what is sent without asking is read, so that 413 arrives */
	fd = dial();
	ev_buf_reset(&got);
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
	memset(ev_buf_reserve(&text, 1000000), 'b', 1000000);
	text.len = 1000000;
	put(fd, ev_buf_str(&text));
	ev_buf_release(&text);
	CHECK_NAMED("413 reaches who sends all the same",
	            hears(fd, NULL) && has("HTTP/1.1 413 "));
	close(fd);
	CHECK(seen.handled == 1 && seen.too_long >= 2);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
	    "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	CHECK_NAMED("chunks are put together", hears(fd, "<abcde>"));
	CHECK_NAMED("and the connection is closed", hears(fd, NULL));
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
	    "\r\n");
	for (int i = 0; i < 11; i++)
		say(fd, "64\r\n0123456789012345678901234567890123456789"
		    "01234567890123456789012345678901234567890123456789"
		    "0123456789\r\n");
	say(fd, "0\r\n\r\n");
	CHECK_NAMED("chunks are counted",
	            hears(fd, NULL) && has("HTTP/1.1 413 "));
	close(fd);
	CHECK(seen.handled == 2 && seen.too_long >= 3);
	end();
}

static void
test_later(void)
{
	int fd;

	begin((struct ev_http_options){ .header_ms = 200, .body_ms = 200,
	                                .idle_ms = 200 });
	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/later"));
	COMES(seen.later);
	for (int64_t late = now_ms() + 500; now_ms() < late;)
		step(50);
	CHECK_NAMED("who waits for us is not late", seen.later && !seen.ended);
	answer(seen.later, 200, EV_STR("at last"));
	CHECK_NAMED("an answer comes later", hears(fd, "at last"));
	COMES(seen.ended == 1);
	say(fd, GET("/later"));
	COMES(seen.later);
	close(fd);
	for (int i = 0; i < 10; i++)
		step(1);
	CHECK_NAMED("a peer that left is still owed its answer",
	            seen.later && seen.ended == 1);
	answer(seen.later, 200, EV_STR("for nobody"));
	COMES(seen.ended == 2);
	COMES(ev_http_connections(http) == 0);
	end();
}

static void
test_deadlines(void)
{
	const char *slow = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99"
	                   "\r\n\r\nabcdefghijklmnopqrstuvwxyz";
	int64_t begun;
	size_t read = 0;
	int fd, quick, size = 4096;

	begin((struct ev_http_options){ .header_ms = 300, .body_ms = 300,
	                                .idle_ms = 400 });
	begun = now_ms();
	fd = dial();
	CHECK_NAMED("a connection that says nothing is closed",
	            hears(fd, NULL) && now_ms() - begun >= 290 &&
	            now_ms() - begun < 2000);
	close(fd);

	/* a byte every 20 ms: 300 ms are over within the headers */
	begun = now_ms();
	fd = dial();
	for (size_t i = 0; slow[i] && ev_http_connections(http) < 2; i++) {
		put(fd, (struct ev_str){ slow + i, 1 });
		for (int64_t next = now_ms() + 20; now_ms() < next;)
			step(5);
		if (i > 2 && !ev_http_connections(http))
			break;
	}
	CHECK_NAMED("a byte now and then does not help the headers",
	            now_ms() - begun < 2000 && !seen.begun &&
	            !ev_http_connections(http));
	close(fd);

	begun = now_ms();
	fd = dial();
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n");
	COMES(seen.begun == 1);
	while (ev_http_connections(http) && now_ms() - begun < PATIENCE_MS) {
		say(fd, "x");
		for (int64_t next = now_ms() + 20; now_ms() < next;)
			step(5);
	}
	CHECK_NAMED("nor the body", now_ms() - begun < 2000 &&
	            seen.ended == 1 && !seen.handled);
	close(fd);

	/* the time of a next request begins at the end of the last */
	quick = dial();
	for (int i = 0; i < 5; i++) {
		ev_buf_reset(&got);
		say(quick, GET("/again"));
		CHECK(hears(quick, "<>"));
		for (int64_t next = now_ms() + 100; now_ms() < next;)
			step(5);
	}
	CHECK_NAMED("an idle connection is closed", hears(quick, NULL));
	close(quick);

	fd = dial();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	begun = now_ms();
	say(fd, GET("/big"));
	COMES(seen.handled == 6);
	COMES(seen.ended == 7);
	CHECK_NAMED("who does not read an answer is cut",
	            now_ms() - begun >= 390);
	close(fd);

	/* 8 MiB in about 40 pieces */
	fd = dial();
	begun = now_ms();
	say(fd, GET("/big"));
	for (ssize_t len = 1; len; ) {
		static char bytes[200000];

		for (int64_t next = now_ms() + 20; now_ms() < next;)
			step(5);
		len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (len < 0 && errno != EAGAIN)
			break;
		if (len > 0)
			read += (size_t)len;
	}
	CHECK_NAMED("who reads it slowly is not", read > 8 << 20 &&
	            now_ms() - begun > 400);
	close(fd);

	fd = dial();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	ev_buf_reset(&got);
	seen.flood = 64 << 20;
	say(fd, GET("/stream"));
	COMES(seen.streams == 1 && !seen.stream);
	CHECK_NAMED("who does not read a stream is cut",
	            seen.given > 0 && seen.flood > 0);
	seen.flood = 0;
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/stream"));
	CHECK(hears(fd, "begin."));
	for (int64_t late = now_ms() + 900; now_ms() < late;)
		step(50);
	CHECK_NAMED("a stream that has nothing to say lives on", seen.stream);
	close(fd);
	end();
}

static void
test_streams(void)
{
	unsigned steps = 0;
	int fd;

	begin((struct ev_http_options){ 0 });
	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/stream"));
	CHECK_NAMED("a stream begins", hears(fd, "6\r\nbegin.\r\n") &&
	            has("Transfer-Encoding: chunked"));
	for (int i = 0; i < 10; i++)
		step(0);
	for (int64_t late = now_ms() + 100; now_ms() < late; steps++)
		step(100);
	CHECK_NAMED("one that waits costs no time", steps < 5);
	seen.flood = 3;
	ev_http_wake(seen.stream);
	ev_http_wake(seen.stream);
	CHECK_NAMED("goes on when it is woken", hears(fd, "3\r\nxxx\r\n"));
	ev_http_wake(seen.stream);
	ev_buf_reset(&got);
	seen.flood = 1000000;
	ev_http_wake(seen.stream);
	COMES(hears(fd, "x\r\n") && !seen.flood);
	seen.end = true;
	ev_http_wake(seen.stream);
	CHECK_NAMED("ends", hears(fd, "0\r\n\r\n"));
	CHECK(!seen.stream && seen.ended == 1);
	ev_buf_reset(&got);
	say(fd, GET("/after"));
	CHECK_NAMED("and the connection stays", hears(fd, "GET /after"));
	close(fd);

	seen.end = false;
	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/stream"));
	CHECK(hears(fd, "begin."));
	ev_http_cut(seen.stream);
	ev_http_cut(seen.stream);
	CHECK_NAMED("one that is cut has no end",
	            hears(fd, NULL) && !has("0\r\n\r\n") && !seen.stream);
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/stream/cut"));
	CHECK_NAMED("even before it began", hears(fd, NULL) && !seen.stream);
	close(fd);

	fd = dial();
	seen.flood = 64 << 20;
	say(fd, GET("/stream"));
	COMES(seen.given > 1100000);
	ev_http_cut(seen.stream);
	COMES(!seen.stream);
	CHECK_NAMED("in the middle of writing, too", seen.flood > 0);
	seen.flood = 0;
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "GET /stream HTTP/1.0\r\n\r\n");
	CHECK(hears(fd, "begin."));
	seen.flood = 3;
	seen.end = true;
	ev_http_wake(seen.stream);
	CHECK_NAMED("for HTTP/1.0 it is the connection that ends",
	            hears(fd, NULL) && has("begin.xxx") && !has("chunked"));
	close(fd);

	fd = dial();
	ev_buf_reset(&got);
	say(fd, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n" GET("/after"));
	CHECK_NAMED("HEAD of a stream has no body",
	            hears(fd, "GET /after") && !has("begin."));
	close(fd);

	seen.end = false;
	fd = dial();
	say(fd, GET("/stream"));
	COMES(seen.stream);
	close(fd);
	for (int i = 0; i < 5 && seen.stream; i++) {
		seen.flood = 3;
		ev_http_wake(seen.stream);
		step(10);
	}
	CHECK_NAMED("that the peer has left is noticed by writing",
	            !seen.stream);
	end();
}

static void
test_many(void)
{
	static int fds[MANY];
	unsigned fine = 0;
	int64_t late;

	begin((struct ev_http_options){ .connections = MANY - 100 });
	for (int i = 0; i < MANY; i++) {
		fds[i] = dial();
		say(fds[i], i % 2 ? GET("/stream") : GET("/one"));
		step(0);
	}
	late = now_ms() + PATIENCE_MS;
	while (seen.handled < MANY - 100 && now_ms() < late)
		step(10);
	CHECK_NAMED("as many as may are served",
	            seen.handled == MANY - 100 &&
	            ev_http_connections(http) == MANY - 100);
	for (int i = 0; i < MANY; i += 2) {
		ev_buf_reset(&got);
		if (i < 200)
			fine += hears(fds[i], "GET /one");
		close(fds[i]);
	}
	CHECK(fine == 100);
	COMES(seen.handled == MANY);
	CHECK_NAMED("the others when there is room", seen.streams == MANY / 2);
	for (int i = 1; i < MANY; i += 2) {
		ev_buf_reset(&got);
		fine += hears(fds[i], "begin.");
	}
	CHECK(fine == 100 + MANY / 2);
	end();
	CHECK_NAMED("closing ends streams",
	            recv(fds[1], fds, 1, MSG_DONTWAIT) == 0);
	for (int i = 1; i < MANY; i += 2)
		close(fds[i]);
}

static void
test_quiesce(void)
{
	int idle, busy, stream, refused;
	struct sockaddr_in name = { .sin_family = AF_INET };

	begin((struct ev_http_options){ 0 });
	idle = dial();
	busy = dial();
	stream = dial();
	ev_buf_reset(&got);
	say(idle, GET("/one"));
	CHECK(hears(idle, "GET /one"));
	say(busy, GET("/later"));
	say(stream, GET("/stream"));
	COMES(seen.later && seen.stream);
	name.sin_port = htons(ev_http_port(http));
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ev_http_quiesce(http);
	CHECK_NAMED("idle connections are closed", hears(idle, NULL));
	refused = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_NAMED("there are no new ones",
	            connect(refused, (struct sockaddr *)&name, sizeof name) &&
	            errno == ECONNREFUSED);
	CHECK(ev_http_connections(http) == 2);
	ev_buf_reset(&got);
	answer(seen.later, 200, EV_STR("answered"));
	CHECK_NAMED("what has begun is answered", hears(busy, NULL) &&
	            has("answered") && has("Connection: close"));
	seen.end = true;
	ev_http_wake(seen.stream);
	CHECK_NAMED("a stream goes on to its end",
	            hears(stream, NULL) && has("0\r\n\r\n"));
	CHECK(ev_http_connections(http) == 0);
	close(idle);
	close(busy);
	close(stream);
	close(refused);
	end();
}

static void
test_unix(void)
{
	char folder[] = "/tmp/test_http.XXXXXX", path[64];
	struct ev_http_options options;
	struct ev_err err = { "" };
	struct ev_http *other;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct stat info;
	int fd;

	if (!mkdtemp(folder)) {
		printf("Bail out! no folder\n");
		exit(2);
	}
	snprintf(path, sizeof path, "%s/s", folder);
	snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
	close(fd);
	begin((struct ev_http_options){ .path = path });
	CHECK_NAMED("a stale socket is replaced", ev_http_port(http) == 0);
	CHECK(stat(path, &info) == 0 && (info.st_mode & 07777) == 0600);
	socket_path = path;
	fd = dial();
	ev_buf_reset(&got);
	say(fd, GET("/one"));
	CHECK(hears(fd, "GET /one") && seen.peer == EV_HTTP_SOCKET);
	close(fd);
	options = (struct ev_http_options){ .path = path, .connections = 1,
	                                    .header_max = 4096 };
	CHECK_NAMED("one that somebody listens on is not",
	            ev_http_open(&other, &options, &err) == EV_UNREACHABLE &&
	            strstr(err.text, path));
	end();
	CHECK_NAMED("it is gone afterwards", stat(path, &info) != 0);
	socket_path = NULL;
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	close(fd);
	CHECK_NAMED("a file is no socket",
	            ev_http_open(&other, &options, &err) == EV_UNREACHABLE &&
	            stat(path, &info) == 0);
	unlink(path);
	options.path = "/tmp/a-path-of-more-than-a-hundred-and-eight-bytes-is-"
	               "longer-than-the-name-of-a-socket-may-be-which-is-why-it-"
	               "is-refused";
	CHECK(ev_http_open(&other, &options, &err) == EV_UNREACHABLE);
	rmdir(folder);
}

static void
test_addresses(void)
{
	struct ev_http_options options = { .address = "localhost",
	                                   .connections = 1,
	                                   .header_max = 4096 };
	struct ev_err err = { "" };
	struct ev_http *other;
	int fds[3];

	CHECK_NAMED("a name is no address",
	            ev_http_open(&other, &options, &err) == EV_UNREACHABLE);
	begin((struct ev_http_options){ .per_address = 2 });
	options.address = "127.0.0.1";
	options.port = ev_http_port(http);
	CHECK_NAMED("a port is taken once",
	            ev_http_open(&other, &options, &err) == EV_UNREACHABLE &&
	            strstr(err.text, "choose another"));
	for (int i = 0; i < 3; i++)
		fds[i] = dial();
	COMES(ev_http_connections(http) == 3);
	CHECK_NAMED("this machine may have more than its share", true);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	end();
}

/* ---- TLS */

static void
make_certificate(gnutls_datum_t *certificate, gnutls_datum_t *key)
{
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t secret;

	gnutls_x509_privkey_init(&secret);
	gnutls_x509_privkey_generate(secret, GNUTLS_PK_ECDSA,
	                             GNUTLS_CURVE_TO_BITS(
					     GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL);
	gnutls_x509_crt_set_key(crt, secret);
	gnutls_x509_crt_sign2(crt, crt, secret, GNUTLS_DIG_SHA256, 0);
	gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, certificate);
	gnutls_x509_privkey_export2(secret, GNUTLS_X509_FMT_PEM, key);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(secret);
}

static bool
talk_tls(int fd)
{
	const struct ev_str text = EV_STR(GET("/secret"));
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int64_t late = now_ms() + PATIENCE_MS;
	char bytes[4096];
	bool fine = false;
	ssize_t len;
	int result;

	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(session, fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((result = gnutls_handshake(session)) == GNUTLS_E_AGAIN &&
	       now_ms() < late)
		step(5);
	if (result == 0)
		gnutls_record_send(session, text.ptr, text.len);
	while (result == 0 && now_ms() < late && !fine) {
		step(5);
		len = gnutls_record_recv(session, bytes, sizeof bytes);
		if (len > 0)
			ev_buf_add(&got, bytes, (size_t)len);
		fine = has("GET /secret");
	}
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	return fine;
}

static void
test_tls(void)
{
	gnutls_datum_t certificate, key;
	struct ev_http_options options = { .address = "127.0.0.1",
	                                   .certificate = EV_STR("no PEM"),
	                                   .key = EV_STR("neither"),
	                                   .connections = 1,
	                                   .header_max = 4096 };
	struct ev_err err = { "" };
	struct ev_http *other;
	int fd, last;

	fd = dup(0);
	close(fd);
	CHECK_NAMED("a certificate that is none is bad input",
	            ev_http_open(&other, &options, &err) == EV_BAD_INPUT);
	printf("# %s\n", err.text);
	last = dup(0);
	close(last);
	CHECK_NAMED("and leaves nothing open", fd == last);
	make_certificate(&certificate, &key);
	begin((struct ev_http_options){
		.header_ms = 300,
		.certificate = { (char *)certificate.data, certificate.size },
		.key = { (char *)key.data, key.size } });
	fd = dial();
	ev_buf_reset(&got);
	CHECK_NAMED("a request comes by TLS", talk_tls(fd));
	close(fd);
	fd = dial();
	CHECK_NAMED("a handshake that does not begin is cut", hears(fd, NULL));
	close(fd);
	fd = dial();
	say(fd, GET("/plain"));
	CHECK_NAMED("plain text is no handshake",
	            hears(fd, NULL) && seen.begun == 1);
	close(fd);
	end();
	gnutls_free(certificate.data);
	gnutls_free(key.data);
}

int
main(void)
{
	test_refusals();
	test_requests();
	test_long_headers();
	test_bodies();
	test_later();
	test_deadlines();
	test_streams();
	test_many();
	test_quiesce();
	test_unix();
	test_addresses();
	test_tls();
	ev_buf_release(&got);
	ev_buf_release(&seen.body);
	return unit_end();
}
