#include <assert.h>
#include <sys/socket.h>

#include "adapter/http/server.h"
#include "base/mem.h"

enum {
	BLOCK = 16384,       /* of a long answer: progress is each of them */
	STREAM_BLOCK = 4096, /* of a stream to a client of HTTP/1.0 */
};

static void
suspend(struct ev_http_request *request)
{
	assert(!request->suspended);
	request->suspended = true;
	http_watch(request->connection, NULL);
	MHD_suspend_connection(request->mhd);
}

void
http_resume(struct ev_http_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->mhd);
}

/*
 * We have a copy of it. MHD would keep every parameter like a header, and where
 * its memory ends before they do, it would neither answer nor close. The text
 * is its own buffer, which it changes, too.
 */
static void
hide_query(const char *target)
{
	char *mark = (char *)strchr(target, '?');

	if (mark)
		mark[1] = '\0';
}

void *
http_on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *connection = info ? info->socket_context : NULL;
	struct ev_http_request *request;

	(void)context;
	if (!connection)
		return NULL;
	assert(!connection->request);
	request = ev_mem_alloc(sizeof *request);
	*request = (struct ev_http_request){ .connection = connection,
	                                     .mhd = mhd };
	/* MHD is about to take it to pieces */
	request->target_len = strlen(target);
	request->target = ev_mem_alloc(request->target_len + 1);
	memcpy(request->target, target, request->target_len + 1);
	hide_query(target);
	connection->request = request;
	return request;
}

static enum MHD_Result
send_answer(struct ev_http_request *request)
{
	struct MHD_Response *response = request->response;
	enum MHD_Result result;

	request->response = NULL;
	http_watch(request->connection, &request->connection->http->answers);
	result = MHD_queue_response(request->mhd, (unsigned)request->status,
	                            response);
	MHD_destroy_response(response);
	return result;
}

/* The answer may be there already, or comes later. */
static enum MHD_Result
settle(struct ev_http_request *request)
{
	request->handed = true;
	if (request->response)
		return send_answer(request);
	suspend(request);
	return MHD_YES;
}

static enum MHD_Result
start(struct ev_http_request *request, const char *method, const char *version)
{
	struct ev_http *http = request->connection->http;
	const struct ev_http_options *options = &http->options;
	int status;
	const char *why;

	request->method = method;
	request->seen = true;
	why = http_check(request, version, &status);
	if (why) {
		request->close = request->early = true;
		options->refuse(options->context, request, status, why);
		return settle(request);
	}
	request->body_max = options->begin(options->context, request);
	if (!request->has_body) {
		/* MHD closes the connection after an answer that it gets
		   now: it gets it when it says that there is no body */
		http_watch(request->connection, NULL);
		return MHD_YES;
	}
	request->early = true;
	if (!request->answered && request->length > request->body_max) {
		request->close = true;
		options->too_long(options->context, request);
		return settle(request);
	}
	if (request->answered)
		return settle(request);
	http_watch(request->connection, &http->bodies);
	return MHD_YES;
}

static void
take_body(struct ev_http_request *request, const char *bytes, size_t len)
{
	/* MHD takes no answer in the middle of a body: the rest of one that is
	   too long is read for as long as it may take, and kept nowhere */
	if (request->overflow || len > request->body_max - request->body.len) {
		request->overflow = true;
		ev_buf_release(&request->body);
		return;
	}
	ev_buf_add(&request->body, bytes, len);
}

static enum MHD_Result
finish(struct ev_http_request *request)
{
	const struct ev_http_options *options =
		&request->connection->http->options;

	request->early = false;
	http_watch(request->connection, NULL);
	if (!request->answered && request->overflow) {
		request->close = true;
		request->handed = true;
		options->too_long(options->context, request);
	} else if (!request->answered && !request->handed) {
		request->handed = true;
		options->handle(options->context, request);
	}
	return settle(request);
}

enum MHD_Result
http_on_request(void *context, struct MHD_Connection *mhd, const char *url,
                const char *method, const char *version, const char *bytes,
                size_t *len, void **slot)
{
	struct ev_http_request *request = *slot;

	(void)context;
	(void)mhd;
	(void)url;
	if (!request)
		return MHD_NO;
	if (!request->method)
		return start(request, method, version);
	if (request->handed)
		return settle(request);
	if (*len) {
		take_body(request, bytes, *len);
		*len = 0;
		return MHD_YES;
	}
	return finish(request);
}

/* MHD overlooks the end of what a peer says if it comes with the request. */
static bool
has_left(const struct connection *connection)
{
	char c;

	return recv(connection->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void
http_end(struct ev_http_request *request)
{
	struct connection *connection = request->connection;
	const struct ev_http_options *options = &connection->http->options;

	/* whoever owes an answer still has the request */
	assert(!request->handed || request->answered);
	if (request->seen)
		options->end(options->context, request);
	if (request->response)
		MHD_destroy_response(request->response);
	ev_buf_release(&request->body);
	ev_buf_release(&request->beginning);
	free(request->unescaped);
	free(request->target);
	free(request);
	connection->request = NULL;
}

void
http_on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                  enum MHD_RequestTerminationCode why)
{
	struct ev_http_request *request = *slot;
	struct connection *connection;
	bool stays;

	(void)context;
	(void)mhd;
	if (!request)
		return;
	connection = request->connection;
	stays = !request->close;
	if (request->early && request->answered &&
	    why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		http_linger(connection->http, connection->fd);
	http_end(request);
	*slot = NULL;
	if (stays && (connection->http->quiet || has_left(connection)))
		http_watch(connection, &connection->http->leaving);
	else
		http_watch(connection, &connection->http->headers);
}

/* A long answer, sent in blocks. */
struct text {
	struct connection *connection;
	size_t len;
	char bytes[];
};

static ssize_t
read_text(void *context, uint64_t position, char *bytes, size_t max)
{
	struct text *text = context;
	size_t left = text->len - (size_t)position;

	/* that we are asked means that the last block is gone */
	http_watch(text->connection, &text->connection->http->answers);
	if (max > left)
		max = left;
	memcpy(bytes, text->bytes + position, max);
	return (ssize_t)max;
}

/* Of an answer that has a length and no body; nobody asks for it. */
static ssize_t
read_nothing(void *context, uint64_t position, char *bytes, size_t max)
{
	(void)context;
	(void)position;
	(void)bytes;
	(void)max;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *
make_response(struct ev_http_request *request, int status, struct ev_str body)
{
	struct MHD_Response *response;
	struct text *text;

	if (status == 204)
		body.len = 0;
	if (body.len && (status == 304 ||
	                 strcmp(request->method, "HEAD") == 0)) {
		response = MHD_create_response_from_callback(
			body.len, STREAM_BLOCK, read_nothing, NULL, NULL);
	} else if (body.len <= BLOCK) {
		/* for MHD a body has an address, even one of no bytes */
		response = MHD_create_response_from_buffer(
			body.len, (void *)(body.len ? body.ptr : ""),
			MHD_RESPMEM_MUST_COPY);
	} else {
		text = ev_mem_alloc(sizeof *text + body.len);
		text->connection = request->connection;
		text->len = body.len;
		memcpy(text->bytes, body.ptr, body.len);
		response = MHD_create_response_from_callback(
			body.len, BLOCK, read_text, text, free);
	}
	return response;
}

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	assert(!strpbrk(value, "\r\n"));
	/* MHD knows no empty ones, and they say nothing */
	if (*value && !MHD_add_response_header(response, name, value))
		ev_mem_exhausted();
}

static void
answer_with(struct ev_http_request *request, struct MHD_Response *response,
            const struct ev_http_answer *answer)
{
	assert(!request->answered);
	if (!response)
		ev_mem_exhausted();
	for (size_t i = 0; i < answer->header_count; i++)
		add_header(response, answer->headers[i].name,
		           answer->headers[i].value);
	request->close |= answer->close || request->connection->http->quiet;
	if (request->close)
		add_header(response, "Connection", "close");
	request->answered = true;
	request->status = answer->status;
	request->response = response;
	http_resume(request);
}

void
ev_http_answer(struct ev_http_request *request,
               const struct ev_http_answer *answer)
{
	answer_with(request,
	            make_response(request, answer->status, answer->body),
	            answer);
}

static ssize_t
read_stream(void *context, uint64_t position, char *bytes, size_t max)
{
	struct ev_http_request *request = context;
	size_t left = request->beginning.len - request->begun;
	ptrdiff_t len = 0;

	(void)position;
	if (request->cut)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	http_watch(request->connection, &request->connection->http->answers);
	if (left) {
		if (max > left)
			max = left;
		memcpy(bytes, request->beginning.ptr + request->begun, max);
		request->begun += max;
		if (max == left) {
			ev_buf_release(&request->beginning);
			request->begun = 0;
		}
		return (ssize_t)max;
	}
	do {
		request->woken = false;
		len = request->source.read(request->source.context, bytes,
		                           max);
	} while (!len && request->woken && !request->cut);
	if (request->cut)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (len < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!len)
		suspend(request);
	return len;
}

void
ev_http_stream(struct ev_http_request *request,
               const struct ev_http_answer *answer,
               const struct ev_http_source *source)
{
	request->is_stream = true;
	request->source = *source;
	ev_buf_add_str(&request->beginning, answer->body);
	answer_with(request,
	            MHD_create_response_from_callback(
			    MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream,
			    request, NULL),
	            answer);
}

void
ev_http_wake(struct ev_http_request *request)
{
	assert(request->is_stream);
	request->woken = true;
	http_resume(request);
}

void
ev_http_cut(struct ev_http_request *request)
{
	assert(request->is_stream);
	if (request->cut)
		return;
	request->cut = true;
	if (request->suspended)
		http_resume(request);
	else
		shutdown(request->connection->fd, SHUT_RDWR);
}
