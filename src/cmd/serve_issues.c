#include "cmd/serve_models.h"

#include <locale.h>
#include <wctype.h>

#include "base/utf8.h"
#include "cmd/serve_look.h"

/* ---- search */

static locale_t unicode;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
load_unicode(void)
{
	/* without it, only the letters of ASCII are alike in both cases */
	unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t
lower(uint32_t code)
{
	if (unicode)
		return (uint32_t)towlower_l((wint_t)code, unicode);
	return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
}

/* Does `text` begin with `wanted`, whatever the case? */
static bool
begins(struct ev_str text, struct ev_str wanted)
{
	uint32_t a, b;

	while (wanted.len) {
		if (!text.len)
			return false;
		ev_utf8_next(&text, &a);
		ev_utf8_next(&wanted, &b);
		if (a != b && lower(a) != lower(b))
			return false;
	}
	return true;
}

static bool
has_text(struct ev_str text, struct ev_str wanted)
{
	uint32_t code;

	while (!begins(text, wanted)) {
		if (!text.len)
			return false;
		ev_utf8_next(&text, &code);
	}
	return true;
}

static bool
is_found(struct ev_str wanted, yyjson_val *issue)
{
	return has_text(serve_text(issue, "key"), wanted) ||
	       has_text(serve_text(issue, "title"), wanted) ||
	       has_text(serve_text(issue, "branch"), wanted) ||
	       has_text(serve_text(issue, "agentId"), wanted);
}

/* ---- issues */

/* 'open' is all but those that are done. */
static bool
is_in_state(const struct serve_request *request, struct ev_str state)
{
	bool asked = false;

	for (size_t i = 0; i < request->query_count; i++) {
		const struct serve_parameter *p = &request->query[i];

		if (!ev_str_equal(p->name, EV_STR("state")))
			continue;
		if (ev_str_equal(p->value, EV_STR("open"))
		            ? !ev_str_equal(state, EV_STR("done"))
		            : ev_str_equal(p->value, state))
			return true;
		asked = true;
	}
	return !asked;
}

static bool
fits(void *context, yyjson_val *issue)
{
	const struct serve_request *request = context;

	return is_in_state(request, serve_text(issue, "state")) &&
	       serve_param_fits(request, "repo", serve_text(issue, "repo")) &&
	       serve_param_fits(request, "agent",
	                        serve_text(issue, "agentId")) &&
	       is_found(serve_param(request, "search"), issue);
}

static enum ev_status
list_issues(struct serve_look *look, struct ev_buf *out)
{
	struct serve_choice choice = { .fits = fits,
	                               .context = look->request };
	enum ev_status status;

	if (!serve_choice_take(look->request, &choice))
		return EV_OK;
	pthread_once(&once, load_unicode);
	/* its key has another name here */
	if (ev_str_equal(choice.sort, EV_STR("streamId")))
		choice.sort = EV_STR("key");
	status = serve_chosen(look, "issue-status", &choice, "streamId", out);
	serve_choice_release(&choice);
	return status;
}

void
serve_issues(struct serve_request *request)
{
	static const char *const names[] = { "state", "repo", "agent", "search",
	                                     "limit", "sort", "reverse", NULL };
	static const struct serve_looking looking = {
		.names = names, .work = list_issues,
	};

	serve_look(request, &looking);
}

static bool
add_issue(void *context, const struct serve_document *document)
{
	serve_renamed(context, document->json, "streamId");
	return true;
}

static enum ev_status
show_issue(struct serve_look *look, struct ev_buf *out)
{
	struct ev_str key = look->request->params[0];
	enum ev_status status = serve_document(look, "issue-status", key,
	                                       add_issue, out);

	return status == EV_NO ? serve_nothing(look, "issue", key) : status;
}

void
serve_issue(struct serve_request *request)
{
	static const char *const names[] = { NULL };
	static const struct serve_looking looking = {
		.names = names, .work = show_issue,
	};

	serve_look(request, &looking);
}
