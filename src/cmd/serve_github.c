/* GitHub's webhook: what it says becomes events as ev-from-github makes them,
   each once, however often it is delivered. */
#include "cmd/serve_github.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "adapter/crypto.h"
#include "cmd/serve_rigs.h"
#include "cmd/serve_tokens.h"
#include "domain/json.h"

struct serve_github {
	struct ev_buf secret; /* empty: there is none */
};

/* ---- the secret */

static enum ev_status
read_secret(struct ev_buf *secret, const char *file, struct ev_err *err)
{
	enum ev_status status = serve_secret_read(secret, file,
	                                          "secret of GitHub's webhook",
	                                          S_IRWXG | S_IRWXO, err);
	size_t len = 0;

	if (status)
		return status;
	while (len < secret->len && secret->ptr[len] != '\n' &&
	       secret->ptr[len] != '\r')
		len++;
	secret->len = len;
	if (!len)
		return ev_err_set(err, EV_BAD_INPUT, "the secret of GitHub's "
		                  "webhook '%s': its first line is empty",
		                  file);
	return EV_OK;
}

enum ev_status
serve_github_open(struct serve *serve, struct ev_err *err)
{
	serve->github = ev_mem_alloc(sizeof *serve->github);
	*serve->github = (struct serve_github){ { 0 } };
	if (!serve->settings.github_secret)
		return EV_OK;
	return read_secret(&serve->github->secret,
	                   serve->settings.github_secret, err);
}

static void
release_secret(struct ev_buf *secret)
{
	if (secret->ptr)
		memset(secret->ptr, 0, secret->cap);
	ev_buf_release(secret);
}

void
serve_github_reload(struct serve *serve)
{
	struct ev_buf secret = { 0 };
	struct ev_err err;
	enum ev_status status;

	if (!serve->settings.github_secret)
		return;
	status = read_secret(&secret, serve->settings.github_secret, &err);
	if (status) {
		cli_say(status, "%s; the one before is in force", err.text);
		release_secret(&secret);
		return;
	}
	release_secret(&serve->github->secret);
	serve->github->secret = secret;
}

void
serve_github_close(struct serve *serve)
{
	if (!serve->github)
		return;
	release_secret(&serve->github->secret);
	free(serve->github);
	serve->github = NULL;
}

/* ---- whose it is */

static bool
parse_hex(struct ev_str text, unsigned char hash[EV_CRYPTO_HASH])
{
	if (text.len != (size_t)2 * EV_CRYPTO_HASH)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int digit = ev_is_digit(c) ? c - '0'
		            : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		hash[i / 2] = (unsigned char)(i % 2 ? hash[i / 2] << 4 | digit
		                                    : digit);
	}
	return true;
}

static bool
is_signed(struct serve_request *request)
{
	static const char name[] = "X-Hub-Signature-256";
	struct ev_str prefix = EV_STR("sha256=");
	struct ev_str given = ev_http_header(request->http, name);
	unsigned char theirs[EV_CRYPTO_HASH], ours[EV_CRYPTO_HASH];

	if (ev_http_header_count(request->http, name) != 1 ||
	    !ev_str_starts(given, prefix))
		return false;
	given.ptr += prefix.len;
	given.len -= prefix.len;
	if (!parse_hex(given, theirs))
		return false;
	ev_crypto_sign(ours, ev_buf_str(&request->serve->github->secret),
	               request->body);
	return ev_crypto_same(ours, theirs, sizeof ours);
}

/* ---- what it says */

struct delivery {
	const char *arguments[3];
	struct serve_append *list;
	size_t count;
};

static bool
take_header(struct serve_request *request, const char *name,
            const char **value)
{
	struct ev_str text = ev_http_header(request->http, name);

	if (ev_http_header_count(request->http, name) == 1 && text.len &&
	    !memchr(text.ptr, '\0', text.len)) {
		*value = ev_arena_dup(&request->arena, text).ptr;
		return true;
	}
	serve_problem(request, 400, "bad-request", (struct ev_str){ 0 },
	              "expected one header %s, as GitHub sends it", name);
	return false;
}

/* Is it what GitHub would send? */
static bool
take_delivery(struct serve_request *request, struct delivery *delivery)
{
	static const char *const none[] = { NULL };
	yyjson_doc *doc;
	struct ev_err err;

	if (!request->serve->github->secret.len) {
		serve_problem(request, 404, "not-found", (struct ev_str){ 0 },
		              "no webhook is configured: --github-secret "
		              "names the file of its secret");
		return false;
	}
	if (!is_signed(request)) {
		serve_problem(request, 401, "unauthorized",
		              (struct ev_str){ 0 }, "X-Hub-Signature-256: "
		              "this is not signed with the secret");
		serve_header(request, "WWW-Authenticate",
		             EV_STR("X-Hub-Signature-256"));
		return false;
	}
	if (!serve_params_known(request, none) ||
	    !take_header(request, "X-GitHub-Event", &delivery->arguments[0]) ||
	    !take_header(request, "X-GitHub-Delivery",
	                 &delivery->arguments[1]))
		return false;
	if (ev_json_parse(&doc, request->body, NULL, &err)) {
		serve_problem(request, 400, "not-json", (struct ev_str){ 0 },
		              "%s", err.text);
		return false;
	}
	yyjson_doc_free(doc);
	return true;
}

/* ---- what becomes of it */

/* What has the id of this delivery is what it was the first time: it is there,
   even if the event would be made otherwise by now. */
static bool
is_known(const struct serve_append *append)
{
	return append->refusal == SERVE_TAKEN ||
	       (append->refusal == SERVE_APPENDED && append->duplicate);
}

static void
answer(struct serve_request *request)
{
	const struct delivery *delivery = request->data;
	size_t known = 0, receipts = 0;
	struct ev_buf *out;

	for (size_t i = 0; i < delivery->count; i++) {
		const struct serve_append *append = &delivery->list[i];

		if (is_known(append)) {
			known++;
		} else if (append->refusal != SERVE_APPENDED) {
			serve_answer_append(request, append);
			serve_finish(request);
			return;
		}
	}
	out = serve_json(request);
	ev_buf_printf(out, "{\"appended\":%zu,\"duplicates\":%zu,\"events\":[",
	              delivery->count - known, known);
	for (size_t i = 0; i < delivery->count; i++) {
		if (!delivery->list[i].receipt.len)
			continue;
		if (receipts++)
			ev_buf_add_char(out, ',');
		ev_buf_add_str(out, delivery->list[i].receipt);
	}
	ev_buf_add_str(out, EV_STR("]}"));
	serve_finish(request);
}

static size_t
count_lines(struct ev_str text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count + 1;
}

static void
take_lines(struct serve_request *request, struct ev_str text)
{
	struct delivery *delivery = request->data;
	size_t begin = 0;

	delivery->list = ev_arena_alloc(&request->arena,
	                                count_lines(text) *
	                                sizeof *delivery->list);
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.ptr[i] != '\n')
			continue;
		if (i > begin)
			delivery->list[delivery->count++].text =
				(struct ev_str){ text.ptr + begin, i - begin };
		begin = i + 1;
	}
}

static void
mapped(struct serve_request *request)
{
	const struct serve_run *run = serve_ran(request);
	struct delivery *delivery = request->data;
	struct ev_str words = run->err;

	if (run->status == EV_BAD_INPUT) {
		serve_problem(request, 422, "not-an-event",
		              (struct ev_str){ 0 }, "%.*s", EV_FMT(words));
	} else if (run->status != EV_OK) {
		serve_ran_badly(request);
	} else {
		take_lines(request, run->out);
		if (delivery->count)
			serve_append(request, delivery->list, delivery->count,
			             answer);
		else
			answer(request);
		return;
	}
	serve_finish(request);
}

void
serve_github_webhook(struct serve_request *request)
{
	struct delivery *delivery = ev_arena_alloc(&request->arena,
	                                           sizeof *delivery);

	request->data = delivery;
	if (take_delivery(request, delivery))
		serve_run(request, SERVE_FROM_GITHUB, delivery->arguments,
		          request->body, mapped);
	else
		serve_finish(request);
}
