/* Who may do what with ev-serve. What is HTTP about it is played here: a request
   is its headers, its answer a status, a code and more headers. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/serve_access.h"
#include "cmd/serve_host.h"
#include "cmd/serve_tokens.h"
#include "unit.h"

/* ---- a request as the server would have it */

struct ev_http_request {
	struct {
		const char *name, *value;
	} headers[8];
	enum ev_http_peer peer;
	const char *peer_name;
};

static struct ev_http_request *cut[4];
static size_t cut_count;

void
ev_http_cut(struct ev_http_request *request)
{
	if (CHECK(cut_count < 4))
		cut[cut_count++] = request;
}

struct ev_str
ev_http_header(const struct ev_http_request *request, const char *name)
{
	for (size_t i = 0; i < 8 && request->headers[i].name; i++)
		if (strcmp(request->headers[i].name, name) == 0)
			return ev_str(request->headers[i].value);
	return (struct ev_str){ 0 };
}

size_t
ev_http_header_count(const struct ev_http_request *request, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < 8 && request->headers[i].name; i++)
		count += strcmp(request->headers[i].name, name) == 0;
	return count;
}

enum ev_http_peer
ev_http_peer(const struct ev_http_request *request)
{
	return request->peer;
}

const char *
ev_http_peer_name(const struct ev_http_request *request)
{
	return request->peer_name ? request->peer_name : "127.0.0.1";
}

static char code[32];
static struct ev_buf said;
static unsigned finished;

void
serve_problem(struct serve_request *request, int status, const char *word,
              struct ev_str members, const char *format, ...)
{
	(void)members;
	(void)format;
	request->answer.status = status;
	snprintf(code, sizeof code, "%s", word);
}

bool
serve_params_known(struct serve_request *asked, const char *const *names)
{
	(void)asked;
	(void)names;
	return true;
}

void
serve_header(struct serve_request *request, const char *name,
             struct ev_str value)
{
	(void)request;
	ev_buf_printf(&said, "%s: %.*s\n", name, EV_FMT(value));
}

struct ev_buf *
serve_json(struct serve_request *request)
{
	request->answer.status = 200;
	return &request->answer.body;
}

void
serve_finish(struct serve_request *request)
{
	(void)request;
	finished++;
}

/* ---- names */

/* What the name becomes, or NULL if it is none. */
static void
check_host(const char *text, const char *name, int port)
{
	struct serve_host host;
	bool parsed = serve_host_parse(&host, ev_str(text));

	CHECK_NAMED(text, parsed == (name != NULL));
	if (!parsed || !name)
		return;
	CHECK_STR_NAMED(text, ev_str(host.name), ev_str(name));
	CHECK_NAMED(text, host.port == port);
}

static void
check_hosts(void)
{
	struct serve_host host;
	char longest[300];

	check_host("localhost", "localhost", -1);
	check_host("localhost:8080", "localhost", 8080);
	check_host("localhost:", "localhost", -1);
	check_host("LocalHost.", "localhost", -1);
	check_host("EV.example.COM.:443", "ev.example.com", 443);
	check_host("127.0.0.1:0", "127.0.0.1", 0);
	check_host("127.0.0.1:65535", "127.0.0.1", 65535);
	check_host("[::1]", "[::1]", -1);
	check_host("[::1]:8080", "[::1]", 8080);
	check_host("[0:0:0:0:0:0:0:1]:80", "[::1]", 80);
	check_host("[2001:DB8::A]", "[2001:db8::a]", -1);
	check_host("my_host-1", "my_host-1", -1);

	check_host("", NULL, 0);
	check_host(".", NULL, 0);
	check_host("localhost..", NULL, 0);
	check_host(".localhost", NULL, 0);
	check_host("a..b", NULL, 0);
	check_host(":8080", NULL, 0);
	check_host("localhost:65536", NULL, 0);
	check_host("localhost:080800", NULL, 0);
	check_host("localhost:80a", NULL, 0);
	check_host("localhost:-1", NULL, 0);
	check_host("localhost:80:80", NULL, 0);
	check_host("localhost@evil.example", NULL, 0);
	check_host("evil.example@localhost", NULL, 0);
	check_host("user:pass@localhost", NULL, 0);
	check_host("localhost:80@evil.example", NULL, 0);
	check_host("local host", NULL, 0);
	check_host(" localhost", NULL, 0);
	check_host("localhost\t", NULL, 0);
	check_host("localhost/", NULL, 0);
	check_host("localhost#evil.example", NULL, 0);
	check_host("localhost?", NULL, 0);
	check_host("localhost\\evil.example", NULL, 0);
	check_host("localhost,evil.example", NULL, 0);
	check_host("local%68ost", NULL, 0);
	check_host("\xc3\xa9.example", NULL, 0);
	check_host("::1", NULL, 0);
	check_host("[::1", NULL, 0);
	check_host("[]", NULL, 0);
	check_host("[::1]evil.example", NULL, 0);
	check_host("[::1]]", NULL, 0);
	check_host("[127.0.0.1]", NULL, 0);
	check_host("[fe80::1%25eth0]", NULL, 0);
	check_host("[::1].evil.example", NULL, 0);

	memset(longest, 'a', sizeof longest);
	CHECK(serve_host_parse(&host, (struct ev_str){ longest, 253 }));
	CHECK(!serve_host_parse(&host, (struct ev_str){ longest, 254 }));
	CHECK(!serve_host_parse(&host, (struct ev_str){ "a\0b", 3 }));
	CHECK(!serve_host_parse(&host, (struct ev_str){ "[::1\0]", 6 }));

	CHECK(serve_host_of_address(&host, "::1") &&
	      strcmp(host.name, "[::1]") == 0);
	CHECK(serve_host_of_address(&host, "10.0.0.7"));
	CHECK(!serve_host_of_address(&host, "localhost"));
	CHECK(serve_host_parse(&host, EV_STR("10.0.0.7")) &&
	      serve_host_is_address(&host));
	/* what browsers read as addresses, we read as names, and know none */
	CHECK(serve_host_parse(&host, EV_STR("127.1")) &&
	      !serve_host_is_address(&host));
	CHECK(serve_host_parse(&host, EV_STR("0x7f000001")) &&
	      !serve_host_is_address(&host));
}

static bool
same_origin(const char *a, const char *b)
{
	struct serve_origin one, other;

	return serve_origin_parse(&one, ev_str(a)) &&
	       serve_origin_parse(&other, ev_str(b)) &&
	       serve_origin_same(&one, &other);
}

static void
check_origins(void)
{
	static const char *const none[] = {
		"", "null", "http://", "https://", "http:///", "localhost",
		"//localhost", "http://localhost/", "http://localhost/path",
		"http://localhost:80/", "http://localhost?", "http://a b",
		"http://user@localhost", "http://localhost@evil.example",
		"ftp://localhost", "file://", "javascript://localhost",
		"http://localhost http://evil.example", "http:localhost",
		"http://[::1", "http://localhost:99999"
	};
	struct serve_origin origin;

	CHECK(same_origin("http://localhost", "http://LOCALHOST:80"));
	CHECK(same_origin("https://a.example", "HTTPS://a.example.:443"));
	CHECK(same_origin("http://[::1]:8080", "http://[0::1]:8080"));
	CHECK(!same_origin("http://localhost", "https://localhost"));
	CHECK(!same_origin("http://localhost:443", "https://localhost:443"));
	CHECK(!same_origin("http://localhost:8080", "http://localhost:8081"));
	CHECK(!same_origin("http://localhost", "http://localhost.evil.com"));
	CHECK(!same_origin("http://a.example", "http://b.a.example"));
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		CHECK_NAMED(none[i],
		            !serve_origin_parse(&origin, ev_str(none[i])));
}

/* ---- tokens */

static const char text_of_a[] = "evt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static void
write_token(struct ev_buf *file, const char *name, const char *scopes,
            const char *token)
{
	unsigned char hash[EV_CRYPTO_HASH];

	ev_crypto_hash(hash, ev_str(token));
	ev_buf_printf(file, "%s %s sha256:", name, scopes);
	for (size_t i = 0; i < sizeof hash; i++)
		ev_buf_printf(file, "%02x", hash[i]);
	ev_buf_add_char(file, '\n');
}

static void
check_wrong(const char *text, const char *message)
{
	struct serve_tokens tokens = { 0 };
	struct ev_err err = { "" };
	char whole[200];

	snprintf(whole, sizeof whole, "tokens:%s", message);
	CHECK_NAMED(text, serve_tokens_parse(&tokens, ev_str(text), "tokens",
	                                     &err) == EV_BAD_INPUT);
	CHECK_STR_NAMED(text, ev_str(err.text), ev_str(whole));
	CHECK_NAMED(text, !tokens.count);
	serve_tokens_release(&tokens);
}

#define ZERO8 "00000000"
#define ZERO ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8

static void
check_token_file(void)
{
	struct serve_tokens tokens = { 0 };
	struct ev_buf file = { 0 };
	struct ev_err err;
	unsigned scopes = 77;

	ev_buf_add_str(&file, EV_STR("# who\n\n \t\n"));
	write_token(&file, "a", "read", text_of_a);
	write_token(&file, "\tB_2-c", "append,read", "evt_b");
	write_token(&file, "root", "admin", "evt_root");
	file.len--; /* the last line needs no end */
	CHECK(!serve_tokens_parse(&tokens, ev_buf_str(&file), "tokens", &err));
	CHECK(tokens.count == 3);
	CHECK_STR(tokens.list[1].name, "B_2-c");
	CHECK(tokens.list[0].scopes == SERVE_READ);
	CHECK(tokens.list[1].scopes == (SERVE_READ | SERVE_APPEND));
	CHECK(tokens.list[2].scopes ==
	      (SERVE_READ | SERVE_APPEND | SERVE_ADMIN));
	CHECK(serve_tokens_find(&tokens, ev_str(text_of_a)) ==
	      &tokens.list[0]);
	CHECK(serve_tokens_find(&tokens, EV_STR("evt_root")) ==
	      &tokens.list[2]);
	CHECK(!serve_tokens_find(&tokens, (struct ev_str){ 0 }));
	CHECK(!serve_tokens_find(&tokens, EV_STR("evt_roo")));
	CHECK(!serve_tokens_find(&tokens, EV_STR("evt_root ")));
	CHECK(!serve_tokens_find(&tokens, EV_STR("a")));

	/* what is wrong leaves what was there */
	CHECK(serve_tokens_parse(&tokens, EV_STR("a read\n"), "tokens", &err) ==
	      EV_BAD_INPUT);
	CHECK(tokens.count == 3);
	/* the hash is no token */
	CHECK(!serve_tokens_find(&tokens,
	                         (struct ev_str){
	                                 (const char *)tokens.list[0].hash,
	                                 EV_CRYPTO_HASH }));
	serve_tokens_release(&tokens);
	ev_buf_release(&file);

	check_wrong("a read", "1: expected NAME SCOPE[,SCOPE...] sha256:HEX");
	check_wrong("\n\na read sha256:" ZERO " x\n",
	            "3: expected NAME SCOPE[,SCOPE...] sha256:HEX");
	check_wrong("a.b read sha256:" ZERO,
	            "1: a name has up to 64 letters, digits, - and _");
	check_wrong("a write sha256:" ZERO,
	            "1: scopes are read, append and admin, with commas "
	            "between");
	check_wrong("a read, sha256:" ZERO,
	            "1: scopes are read, append and admin, with commas "
	            "between");
	check_wrong("a read sha256:0" ZERO,
	            "1: expected sha256: and 64 hexadecimal digits");
	check_wrong("a read sha1:" ZERO,
	            "1: expected sha256: and 64 hexadecimal digits");
	check_wrong("a read sha256:" ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8
	            "0000000G",
	            "1: expected sha256: and 64 hexadecimal digits");
	check_wrong("a read sha256:" ZERO "\nb read sha256:" ZERO,
	            "2: the same token as another's");
	check_wrong("a read sha256:" ZERO "\na read sha256:1" ZERO8 ZERO8 ZERO8
	            ZERO8 ZERO8 ZERO8 ZERO8 "0000000\n",
	            "2: a second token of this name");
	CHECK(!serve_scopes_parse(&scopes, (struct ev_str){ 0 }));
	CHECK(!serve_scopes_parse(&scopes, EV_STR("read,,append")));
	CHECK(!serve_scopes_parse(&scopes, EV_STR("Read")));
	CHECK(scopes == 77);
}

static void
check_same(void)
{
	static const char a[] = "0123456789abcdef", b[] = "0123456789abcdeF",
	                  c[] = "X123456789abcdef";

	CHECK(ev_crypto_same(a, a, 16));
	CHECK(!ev_crypto_same(a, b, 16));
	CHECK(!ev_crypto_same(a, c, 16));
	CHECK(ev_crypto_same(a, b, 15));
	CHECK(ev_crypto_same(a, c, 0));
}

/* The published test vectors of SHA-256 and HMAC (RFC 4231, case 2). */
static void
check_vectors(void)
{
	static const unsigned char abc[] = { 0xba, 0x78, 0x16, 0xbf },
	                           jefe[] = { 0x5b, 0xdc, 0xc1, 0x46 };
	unsigned char out[EV_CRYPTO_HASH];

	ev_crypto_hash(out, EV_STR("abc"));
	CHECK(memcmp(out, abc, sizeof abc) == 0);
	ev_crypto_sign(out, EV_STR("Jefe"),
	               EV_STR("what do ya want for nothing?"));
	CHECK(memcmp(out, jefe, sizeof jefe) == 0);
}

static void
check_adding(void)
{
	char folder[] = "/tmp/ev-unit-XXXXXX", path[64];
	struct serve_tokens tokens = { 0 };
	struct ev_buf first = { 0 }, second = { 0 }, whole = { 0 };
	struct serve_tokens_added added;
	struct stat info;
	struct ev_err err;
	int fd;

	if (!CHECK(mkdtemp(folder) != NULL))
		return;
	snprintf(path, sizeof path, "%s/tokens", folder);
	umask(0);
	CHECK(!serve_tokens_add(&added, path, EV_STR("ci"), SERVE_APPEND,
	                        &first, &err));
	serve_tokens_keep(&added);
	CHECK(stat(path, &info) == 0 && (info.st_mode & 07777) == 0600);
	CHECK(first.len == 47 && memcmp(first.ptr, "evt_", 4) == 0);
	CHECK(strspn(first.ptr + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
	                            "qrstuvwxyz0123456789-_") >= 43);
	/* a last line without its end does not swallow the next */
	fd = open(path, O_WRONLY | O_APPEND);
	CHECK(fd >= 0 && write(fd, "# end", 5) == 5 && close(fd) == 0);
	CHECK(!serve_tokens_add(&added, path, EV_STR("me"),
	                        SERVE_READ | SERVE_APPEND | SERVE_ADMIN,
	                        &second, &err));
	serve_tokens_keep(&added);
	CHECK(!serve_tokens_read(&tokens, path, &err) && tokens.count == 2);
	CHECK(serve_tokens_find(&tokens, ev_buf_str(&first)) ==
	      &tokens.list[0]);
	CHECK(serve_tokens_find(&tokens, ev_buf_str(&second)) ==
	      &tokens.list[1]);
	CHECK(tokens.list[0].scopes == SERVE_APPEND);
	CHECK(!ev_str_equal(ev_buf_str(&first), ev_buf_str(&second)));
	unit_read_file(&whole, path);
	ev_buf_add_char(&whole, '\0');
	CHECK(!strstr(whole.ptr, "evt_"));
	/* one of the name, and one that could not be shown */
	CHECK(serve_tokens_add(&added, path, EV_STR("ci"), SERVE_READ, &first,
	                       &err) == EV_NO);
	CHECK(first.len == 47);
	CHECK(!serve_tokens_add(&added, path, EV_STR("lost"), SERVE_READ,
	                        &first, &err));
	CHECK(!serve_tokens_drop(&added, &err));
	CHECK(stat(path, &info) == 0 && (size_t)info.st_size == whole.len - 1);
	/* others may not even read it */
	CHECK(chmod(path, 0640) == 0);
	CHECK(serve_tokens_read(&tokens, path, &err) == EV_BAD_INPUT);
	CHECK(serve_tokens_add(&added, path, EV_STR("x"), SERVE_READ, &first,
	                       &err) == EV_BAD_INPUT);
	CHECK(chmod(path, 0602) == 0);
	CHECK(serve_tokens_read(&tokens, path, &err) == EV_BAD_INPUT);
	CHECK(tokens.count == 2);
	CHECK(serve_tokens_read(&tokens, folder, &err) == EV_BAD_INPUT);
	unlink(path);
	CHECK(serve_tokens_read(&tokens, path, &err) == EV_BAD_INPUT);
	rmdir(folder);
	serve_tokens_release(&tokens);
	ev_buf_release(&first);
	ev_buf_release(&second);
	ev_buf_release(&whole);
}

/* ---- sessions */

static void
check_sessions(void)
{
	struct serve_tokens tokens = { 0 };
	struct ev_buf file = { 0 }, session = { 0 }, forged = { 0 };
	struct ev_str whole, none = { 0 };
	const char *dot;
	struct ev_err err;

	write_token(&file, "a", "read", text_of_a);
	write_token(&file, "root", "admin", "evt_root");
	CHECK(!serve_tokens_parse(&tokens, ev_buf_str(&file), "tokens", &err));
	serve_session_write(&session, &tokens.list[0], 2000);
	whole = ev_buf_str(&session);
	CHECK(ev_str_starts(whole, EV_STR("a.2000.")) && whole.len == 7 + 64);
	CHECK(serve_session_find(&tokens, whole, 1999) == &tokens.list[0]);
	CHECK(!serve_session_find(&tokens, whole, 2000));
	CHECK(!serve_session_find(&tokens, none, 0));

	/* every other byte, anywhere, and it is nobody's */
	for (size_t i = 0; i < whole.len; i++) {
		ev_buf_reset(&forged);
		ev_buf_add_str(&forged, whole);
		forged.ptr[i] ^= 1;
		if (serve_session_find(&tokens, ev_buf_str(&forged), 1000))
			CHECK_NAMED("a session with a wrong byte", false);
	}
	for (size_t len = 0; len < whole.len; len++)
		if (serve_session_find(&tokens,
		                       (struct ev_str){ whole.ptr, len }, 1000))
			CHECK_NAMED("a session cut short", false);
	dot = strchr(whole.ptr + 2, '.');
	ev_buf_reset(&forged);
	ev_buf_printf(&forged, "root.2000%.*s", 65, dot);
	CHECK(!serve_session_find(&tokens, ev_buf_str(&forged), 1000));
	ev_buf_reset(&forged);
	ev_buf_printf(&forged, "a.9000%.*s", 65, dot);
	CHECK(!serve_session_find(&tokens, ev_buf_str(&forged), 1000));
	ev_buf_reset(&forged);
	ev_buf_printf(&forged, "a.02000%.*s", 65, dot);
	CHECK(!serve_session_find(&tokens, ev_buf_str(&forged), 1000));
	ev_buf_reset(&forged);
	ev_buf_printf(&forged, "%.*sx", EV_FMT(whole));
	CHECK(!serve_session_find(&tokens, ev_buf_str(&forged), 1000));
	CHECK(!serve_session_find(&tokens, EV_STR("a.-1."), 0));
	CHECK(!serve_session_find(&tokens, EV_STR("..."), 0));

	/* it survives a restart, and ends with its token */
	CHECK(!serve_tokens_parse(&tokens, ev_buf_str(&file), "tokens", &err));
	CHECK(serve_session_find(&tokens, whole, 1999) == &tokens.list[0]);
	ev_buf_reset(&file);
	write_token(&file, "a", "read", "evt_another");
	CHECK(!serve_tokens_parse(&tokens, ev_buf_str(&file), "tokens", &err));
	CHECK(!serve_session_find(&tokens, whole, 1999));
	ev_buf_reset(&file);
	write_token(&file, "b", "read", text_of_a);
	CHECK(!serve_tokens_parse(&tokens, ev_buf_str(&file), "tokens", &err));
	CHECK(!serve_session_find(&tokens, whole, 1999));

	serve_tokens_release(&tokens);
	ev_buf_release(&file);
	ev_buf_release(&session);
	ev_buf_release(&forged);
}

/* ---- requests */

static const struct serve_route look = { "GET", "/look", SERVE_READ, 0, NULL },
	change = { "POST", "/change", SERVE_APPEND, SERVE_CHANGES, NULL },
	merge = { "POST", "/merge", SERVE_ADMIN, SERVE_CHANGES, NULL },
	open_look = { "GET", "/health", SERVE_PUBLIC, 0, NULL },
	login = { "POST", "/api/session", SERVE_PUBLIC, SERVE_CHANGES, NULL };

static struct serve_request request;

static void
forget(void)
{
	ev_arena_release(&request.arena);
	ev_buf_release(&request.answer.body);
	ev_buf_reset(&said);
	code[0] = '\0';
}

/* 0: let in; else the answer's status, with its code in `code`. */
static int
ask(struct serve *serve, const struct serve_route *route,
    struct ev_http_request *http)
{
	forget();
	request = (struct serve_request){ .serve = serve, .http = http,
	                                  .route = route };
	return serve_access_host(serve->access, &request) &&
	       serve_access_allow(serve->access, &request)
	       ? 0 : request.answer.status;
}

#define HEADERS(...) (&(struct ev_http_request){ { __VA_ARGS__ }, \
                                                 EV_HTTP_LOOPBACK, NULL })
#define OWN { "Host", "localhost:8080" }

static bool
has_said(const char *text)
{
	ev_buf_add_char(&said, '\0');
	said.len--;
	return strstr(said.ptr, text) != NULL;
}

static void
check_open_server(void)
{
	struct ev_str hosts[] = { EV_STR("Rig.Example.com") };
	struct ev_str origins[] = { EV_STR("https://other.example") };
	struct serve serve = { .settings = {
		.address = "127.0.0.1",
		.hosts = { hosts, 1 },
		.origins = { origins, 1 },
	} };
	struct ev_http_request remote = { { OWN }, EV_HTTP_REMOTE, "10.0.0.1" };
	struct ev_http_request local = { { { "Host", "anything at all" } },
	                                 EV_HTTP_SOCKET, "unix" };
	struct ev_err err;

	CHECK(!serve_access_open(&serve, &err));
	CHECK(ask(&serve, &look, HEADERS(OWN)) == 0);
	CHECK(request.caller.scopes == (SERVE_READ | SERVE_APPEND));
	CHECK(!request.caller.name.len);
	CHECK(ask(&serve, &change, HEADERS(OWN)) == 0);
	CHECK(ask(&serve, &merge, HEADERS(OWN)) == 403);
	CHECK_STR(ev_str(code), "scope");
	CHECK(ask(&serve, &look, &remote) == 401);
	CHECK(ask(&serve, &open_look, &remote) == 0);
	CHECK(ask(&serve, &change, &local) == 0);

	/* the name */
	CHECK(ask(&serve, &look, HEADERS({ "Host", "rig.example.com." })) == 0);
	CHECK(ask(&serve, &look, HEADERS({ "Host", "[::1]:9" })) == 0);
	CHECK(ask(&serve, &look, HEADERS({ "Host", "127.0.0.1" })) == 0);
	CHECK(ask(&serve, &look, HEADERS({ "Host", "evil.example" })) == 421);
	CHECK_STR(ev_str(code), "host");
	CHECK(ask(&serve, &open_look, HEADERS({ "Host", "evil.example" })) ==
	      421);
	CHECK(ask(&serve, &look, HEADERS({ "Host", "localhost.evil.com" })) ==
	      421);
	CHECK(ask(&serve, &look, HEADERS({ "Host", "127.0.0.2" })) == 421);
	CHECK(ask(&serve, &look, HEADERS({ "Host", "" })) == 421);
	CHECK(ask(&serve, &look, HEADERS({ "X", "" })) == 421);
	CHECK(ask(&serve, &look, HEADERS(OWN, OWN)) == 421);

	/* the page */
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Origin", "http://localhost:8080" })) == 0);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Origin", "http://localhost:8081" })) == 403);
	CHECK_STR(ev_str(code), "origin");
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Origin", "https://localhost:8080" })) == 403);
	CHECK(ask(&serve, &change, HEADERS(OWN, { "Origin", "null" })) == 403);
	CHECK(ask(&serve, &change, HEADERS(OWN, { "Origin", "" })) == 403);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Origin", "http://localhost:8080" },
	                  { "Origin", "http://localhost:8080" })) == 403);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Origin", "https://other.example:443" },
	                  { "Sec-Fetch-Site", "cross-site" })) == 0);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Sec-Fetch-Site", "same-origin" })) == 0);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Sec-Fetch-Site", "none" })) == 0);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Sec-Fetch-Site", "same-site" })) == 403);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Sec-Fetch-Site", "cross-site" })) == 403);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Origin", "http://localhost:8080" },
	                  { "Sec-Fetch-Site", "cross-site" })) == 403);
	CHECK(ask(&serve, &login,
	          HEADERS(OWN, { "Origin", "http://evil.example" })) == 403);
	/* looking changes nothing, and its answer no other page can read */
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Origin", "http://evil.example" })) == 0);

	CHECK(ask(&serve, &open_look, HEADERS(OWN)) == 0);
	serve_session_get(&request);
	CHECK_STR(ev_buf_str(&request.answer.body),
	          "{\"open\":true,\"name\":null,\"scopes\":[\"read\","
	          "\"append\"]}");
	CHECK(ask(&serve, &login, HEADERS(OWN)) == 0);
	request.body = EV_STR("{\"token\":\"evt_a\"}");
	serve_session_post(&request);
	CHECK(request.answer.status == 400);
	serve_access_close(&serve);
	serve_access_close(&serve);
}

static void
check_any_address(void)
{
	struct serve serve = { .settings = { .address = "0.0.0.0",
	                                     .tokens = "/dev/null/none" } };
	struct ev_err err;

	/* the file is wrong, the names are known all the same */
	CHECK(serve_access_open(&serve, &err) == EV_BAD_INPUT);
	CHECK(ask(&serve, &open_look, HEADERS({ "Host", "10.1.2.3:80" })) == 0);
	CHECK(ask(&serve, &open_look, HEADERS({ "Host", "[fd00::7]" })) == 0);
	CHECK(ask(&serve, &open_look, HEADERS({ "Host", "evil.example" })) ==
	      421);
	serve_access_close(&serve);
}

/* The cookie that was set, as a browser sends it; the next call overwrites
   it. */
static const char *
cookie_set(void)
{
	static char cookie[300];
	const char *begin;

	if (!has_said("Set-Cookie: "))
		return "";
	begin = strstr(said.ptr, "Set-Cookie: ") + strlen("Set-Cookie: ");
	snprintf(cookie, sizeof cookie, "theme=dark; %.*s ;x=y",
	         (int)strcspn(begin, ";"), begin);
	return cookie;
}

static void
check_login(struct serve *serve, const char *token)
{
	struct ev_buf body = { 0 };
	const char *cookie;
	char other[300];

	CHECK(ask(serve, &login,
	          HEADERS(OWN, { "Origin", "http://localhost:8080" })) == 0);
	ev_buf_printf(&body, "{\"token\":\"%s\"}", token);
	request.body = ev_buf_str(&body);
	finished = 0;
	serve_session_post(&request);
	ev_buf_release(&body);
	CHECK(finished == 1 && request.answer.status == 200);
	CHECK_STR(ev_buf_str(&request.answer.body),
	          "{\"name\":\"a\",\"scopes\":[\"read\"]}");
	CHECK(has_said("; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200\n"));
	cookie = cookie_set();
	CHECK(ask(serve, &look, HEADERS(OWN, { "Cookie", cookie })) == 0);
	CHECK_STR(request.caller.name, "a");
	CHECK(ask(serve, &look,
	          HEADERS(OWN, { "Cookie", cookie },
	                  { "Sec-Fetch-Site", "same-origin" })) == 0);
	CHECK(ask(serve, &look,
	          HEADERS(OWN, { "Cookie", cookie },
	                  { "Sec-Fetch-Site", "same-site" })) == 403);
	CHECK_STR(ev_str(code), "origin");
	CHECK(ask(serve, &look,
	          HEADERS(OWN, { "Cookie", cookie },
	                  { "Origin", "http://localhost:3000" })) == 403);
	CHECK(ask(serve, &change, HEADERS(OWN, { "Cookie", cookie })) == 403);
	CHECK_STR(ev_str(code), "scope");
	/* a token that is wrong is not made good by a cookie */
	CHECK(ask(serve, &look,
	          HEADERS(OWN, { "Cookie", cookie },
	                  { "Authorization", "Bearer evt_x" })) == 401);
	CHECK(ask(serve, &open_look, HEADERS(OWN, { "Cookie", cookie })) == 0);
	serve_session_get(&request);
	CHECK_STR(ev_buf_str(&request.answer.body),
	          "{\"open\":false,\"name\":\"a\",\"scopes\":[\"read\"]}");
	/* another cookie whose name ends like ours */
	snprintf(other, sizeof other, "x%s", strstr(cookie, "ev_session"));
	CHECK(ask(serve, &look, HEADERS(OWN, { "Cookie", other })) == 401);

	CHECK(ask(serve, &login, HEADERS(OWN)) == 0);
	serve_session_delete(&request);
	CHECK(request.answer.status == 204);
	CHECK(has_said("Set-Cookie: ev_session=; HttpOnly; SameSite=Strict; "
	               "Path=/; Max-Age=0\n"));
}

static void
check_bad_logins(struct serve *serve)
{
	static const struct {
		const char *body;
		int status;
	} cases[] = {
		{ "", 400 }, { "token", 400 }, { "[]", 400 }, { "{}", 400 },
		{ "{\"token\":1}", 400 }, { "{\"token\":null}", 400 },
		{ "{\"token\":\"evt_a\",\"x\":1}", 400 },
		{ "\"evt_a\"", 400 }, { "{\"token\":\"\"}", 401 },
		{ "{\"token\":\"evt_a\\u0000\"}", 401 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK(ask(serve, &login, HEADERS(OWN)) == 0);
		request.body = ev_str(cases[i].body);
		finished = 0;
		serve_session_post(&request);
		CHECK_NAMED(cases[i].body, finished == 1 &&
		            request.answer.status == cases[i].status &&
		            !has_said("Set-Cookie"));
	}
}

/* Streams, and whose. */
static struct {
	const char *token;
	struct ev_http_request http;
	unsigned char hash[EV_CRYPTO_HASH];
	struct serve_request request;
} streams[] = {
	{ .token = "gone" }, { .token = "evt_less" }, { .token = "evt_same" }
};

static void
open_streams(struct serve *serve)
{
	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
		struct serve_request *stream = &streams[i].request;

		ev_crypto_hash(streams[i].hash, ev_str(streams[i].token));
		stream->route = &look;
		stream->http = &streams[i].http;
		stream->caller.hash = (struct ev_str){
			(const char *)streams[i].hash, EV_CRYPTO_HASH };
		stream->after = serve->streams;
		serve->streams = stream;
	}
}

static bool
was_cut(size_t stream)
{
	for (size_t i = 0; i < cut_count; i++)
		if (cut[i] == &streams[stream].http)
			return true;
	return false;
}

static void
check_token_server(void)
{
	char path[] = "/tmp/ev-unit-XXXXXX", bearer[100];
	struct serve serve = { .settings = { .address = "127.0.0.1",
	                                     .tokens = path, .quiet = true } };
	struct ev_http_request https = {
		{ OWN, { "Origin", "https://localhost:8080" } },
		EV_HTTP_LOOPBACK, NULL
	};
	struct ev_buf file = { 0 };
	struct ev_err err;
	int fd = mkstemp(path);

	if (!CHECK(fd >= 0))
		return;
	write_token(&file, "a", "read", text_of_a);
	write_token(&file, "b", "append", "evt_b");
	write_token(&file, "root", "admin", "evt_root");
	CHECK(write(fd, file.ptr, file.len) == (ssize_t)file.len);
	CHECK(!serve_access_open(&serve, &err));

	CHECK(ask(&serve, &look, HEADERS(OWN)) == 401);
	CHECK_STR(ev_str(code), "unauthorized");
	CHECK(has_said("WWW-Authenticate: Bearer realm=\"ev\"\n"));
	CHECK(ask(&serve, &open_look, HEADERS(OWN)) == 0);
	snprintf(bearer, sizeof bearer, "bearer  %s ", text_of_a);
	CHECK(ask(&serve, &look, HEADERS(OWN, { "Authorization", bearer })) ==
	      0);
	CHECK_STR(request.caller.name, "a");
	CHECK(ask(&serve, &change, HEADERS(OWN, { "Authorization", bearer })) ==
	      403);
	CHECK_STR(ev_str(code), "scope");
	CHECK(has_said("scope=\"append\""));
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer evt_b" })) == 403);
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Authorization", "Bearer evt_b" })) == 0);
	CHECK(ask(&serve, &merge,
	          HEADERS(OWN, { "Authorization", "Bearer evt_root" })) == 0);
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer evt_root" })) == 0);
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer evt_roo" })) == 401);
	CHECK(has_said("error=\"invalid_token\""));
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer " })) == 401);
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Basic evt_root" })) == 401);
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer evt_root" },
	                  { "Authorization", "Bearer evt_root" })) == 401);
	/* a token does not let a page of others change something */
	CHECK(ask(&serve, &change,
	          HEADERS(OWN, { "Authorization", "Bearer evt_b" },
	                  { "Origin", "http://evil.example" })) == 403);
	CHECK_STR(ev_str(code), "origin");
	check_login(&serve, text_of_a);
	check_bad_logins(&serve);
	CHECK(ask(&serve, &change, &https) == 403);

	/* read again: what is wrong changes nothing */
	CHECK(write(fd, "nonsense\n", 9) == 9);
	open_streams(&serve);
	serve_access_reload(&serve);
	CHECK(!cut_count);
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer evt_root" })) == 0);
	ev_buf_reset(&file);
	write_token(&file, "new", "read", "evt_new");
	/* its name and its scopes do not matter, but what they allow */
	write_token(&file, "a", "read", "evt_newer");
	write_token(&file, "b", "append", "evt_less");
	write_token(&file, "same", "read,append", "evt_same");
	CHECK(ftruncate(fd, 0) == 0 &&
	      pwrite(fd, file.ptr, file.len, 0) == (ssize_t)file.len);
	serve_access_reload(&serve);
	CHECK(was_cut(0) && was_cut(1) && !was_cut(2) && cut_count == 2);
	serve.streams = NULL;
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer evt_root" })) == 401);
	CHECK(ask(&serve, &look,
	          HEADERS(OWN, { "Authorization", "Bearer evt_new" })) == 0);
	serve_access_close(&serve);

	/* over TLS, the cookie is for TLS only */
	serve.settings.certificate = "there is one";
	CHECK(!serve_access_open(&serve, &err));
	CHECK(ask(&serve, &change, &https) == 401);
	CHECK(ask(&serve, &login, &https) == 0);
	request.body = EV_STR("{\"token\":\"evt_new\"}");
	serve_session_post(&request);
	CHECK(has_said("; Secure\n"));
	serve_access_close(&serve);
	close(fd);
	unlink(path);
	ev_buf_release(&file);
}

/* ---- how often */

static struct serve_rate rates;

static int
take(const char *peer, int count, int64_t now)
{
	int wait = 0;

	while (count-- && !wait)
		wait = serve_rate_take(&rates, peer, 10, now);
	return wait;
}

static void
check_rates(void)
{
	const int64_t second = 1000000;
	int64_t now = 1000 * second;
	char peer[40];

	CHECK(take("10.0.0.1", 10, now) == 0);
	CHECK(take("10.0.0.1", 1, now) == 1);
	CHECK(take("10.0.0.2", 10, now) == 0);
	CHECK(take("10.0.0.1", 1, now + second / 10) == 0);
	CHECK(take("10.0.0.1", 1, now + second / 10) == 1);
	/* who is refused pays nothing */
	for (int i = 0; i < 1000; i++)
		take("10.0.0.1", 1, now + second / 10);
	CHECK(take("10.0.0.1", 5, now + second * 6 / 10) == 0);
	/* no more than a second's worth is saved */
	CHECK(take("10.0.0.1", 10, now + 100 * second) == 0);
	CHECK(take("10.0.0.1", 1, now + 100 * second) == 1);
	/* a network of IPv6 is one, however many addresses it has */
	CHECK(take("2001:db8::1", 5, now) == 0);
	CHECK(take("2001:db8::2", 5, now) == 0);
	CHECK(take("2001:db8::3", 1, now) == 1);
	CHECK(take("2001:db8:0:1::3", 1, now) == 0);
	CHECK(take("::ffff:10.0.9.1", 10, now) == 0);
	CHECK(take("::ffff:10.0.9.2", 1, now) == 0);
	CHECK(take("10.0.9.1", 1, now) == 1);
	CHECK(take("unix", 10, now) == 0);
	CHECK(take("unix", 1, now) == 1);
	/* many at once: each has its own share as long as there is room */
	now += 1000 * second;
	for (int i = 0; i < 100000; i++) {
		snprintf(peer, sizeof peer, "10.%d.%d.%d", 1 + i / 65536,
		         i / 256 % 256, i % 256);
		if (take(peer, 1, now)) {
			CHECK_NAMED("the first request of an address", false);
			break;
		}
	}
	CHECK(sizeof rates < 128 * 1024);
}

static void
check_rate_of_requests(void)
{
	struct serve serve = { .settings = { .address = "127.0.0.1",
	                                     .rate = 2 } };
	struct ev_http_request remote = { { OWN }, EV_HTTP_REMOTE, "10.0.0.1" },
	                       local = { { OWN }, EV_HTTP_LOOPBACK, NULL };
	int allowed = 0;
	struct ev_err err;

	CHECK(!serve_access_open(&serve, &err));
	forget();
	request = (struct serve_request){ .http = &remote, .begun = 5000000 };
	for (int i = 0; i < 5; i++)
		allowed += serve_access_rate(serve.access, &request);
	CHECK(allowed == 2 && request.answer.status == 429);
	CHECK(has_said("Retry-After: 1\n"));
	request.http = &local;
	for (int i = allowed = 0; i < 5; i++)
		allowed += serve_access_rate(serve.access, &request);
	CHECK(allowed == 5);
	serve_access_close(&serve);
	serve.settings.rate_local = true;
	CHECK(!serve_access_open(&serve, &err));
	for (int i = allowed = 0; i < 5; i++)
		allowed += serve_access_rate(serve.access, &request);
	CHECK(allowed == 2);
	serve_access_close(&serve);
}

int
main(void)
{
	cli_start("test");
	check_hosts();
	check_origins();
	check_token_file();
	check_same();
	check_vectors();
	check_adding();
	check_sessions();
	check_open_server();
	check_any_address();
	check_token_server();
	check_rates();
	check_rate_of_requests();
	forget();
	ev_buf_release(&said);
	return unit_end();
}
