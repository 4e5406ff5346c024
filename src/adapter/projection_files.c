#include "adapter/projection_files.h"

#include "adapter/files.h"
#include "base/opt.h"

enum { LISTED_MAX = 700, NAME_MAX_BYTES = 255 };

static const struct ev_files_path folders = {
	.variable = "EV_PROJECTIONS",
	.beside = "share/projections",
	.installed = "share/ev/projections",
	.noun = "projection",
};

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len >= tail && strcmp(text + len - tail, end) == 0;
}

/* NAME of NAME.yaml */
static struct ev_str
name_of(const char *file)
{
	struct ev_str name = ev_str(ev_files_name(file));

	name.len -= strlen(".yaml");
	return name;
}

/* The first file of a name hides those in later folders. */
static bool
is_hidden(const struct ev_files *files, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(ev_files_name(files->names[k]),
		           ev_files_name(files->names[i])) == 0)
			return true;
	return false;
}

enum ev_status
ev_projection_files(ev_files_take *take, void *context, struct ev_err *err)
{
	struct ev_files files = { 0 };
	struct ev_buf text = { 0 };
	enum ev_status status = ev_files_list(&files, &folders, err);
	enum ev_status unread = EV_OK;
	struct ev_err why;

	for (size_t i = 0; !status && i < files.count; i++) {
		if (is_hidden(&files, i))
			continue;
		if (ev_files_read(&text, files.names[i], folders.noun, &why))
			unread = ev_err_set(err, EV_BAD_INPUT, "%s", why.text);
		else
			status = take(context, files.names[i],
			              ev_buf_str(&text), err);
	}
	if (!status)
		status = unread;
	ev_buf_release(&text);
	ev_files_release(&files);
	return status;
}

enum ev_status
ev_projection_names(enum ev_status (*take)(void *context, struct ev_str name,
                                           struct ev_err *err),
                    void *context, struct ev_err *err)
{
	struct ev_files files = { 0 };
	enum ev_status status = ev_files_list(&files, &folders, err);

	for (size_t i = 0; !status && i < files.count; i++)
		if (!is_hidden(&files, i))
			status = take(context, name_of(files.names[i]), err);
	ev_files_release(&files);
	return status;
}

static enum ev_status
parse(const struct ev_projection **out, const char *file, struct ev_err *err)
{
	struct ev_problems problems = { 0 };
	struct ev_buf text = { 0 };
	enum ev_status status = ev_files_read(&text, file, folders.noun, err);

	if (!status) {
		status = ev_projection_parse(out, file, ev_buf_str(&text),
		                             &problems);
		if (status)
			ev_err_set(err, status, "%.*s%s",
			           (int)strcspn(problems.text.ptr, "\n"),
			           problems.text.ptr,
			           problems.count > 1
			                   ? " (ev-check lists all problems)"
			                   : "");
	}
	ev_problems_release(&problems);
	ev_buf_release(&text);
	return status;
}

/* Says which names there are, and which one may be meant. */
static enum ev_status
refuse(const struct ev_files *files, const char *name, struct ev_err *err)
{
	struct ev_buf list = { 0 };
	struct ev_str near = { 0 };
	int least = 3;

	for (size_t i = 0; i < files->count; i++) {
		struct ev_str other = name_of(files->names[i]);
		char text[NAME_MAX_BYTES + 1];
		int distance;

		if (is_hidden(files, i) || other.len > NAME_MAX_BYTES)
			continue;
		memcpy(text, other.ptr, other.len);
		text[other.len] = '\0';
		distance = ev_opt_distance(name, text);
		if (distance < least) {
			least = distance;
			near = other;
		}
		if (list.len < LISTED_MAX)
			ev_buf_printf(&list, "%s%s", list.len ? ", " : "",
			              text);
		else if (list.ptr[list.len - 1] != '.')
			ev_buf_add_str(&list, EV_STR(", ..."));
	}
	ev_err_set(err, EV_NO, "no projection '%s'%s%.*s%s; there %s%.*s "
	                       "(EV_PROJECTIONS says where they are)",
	           name, near.len ? ", did you mean '" : "", EV_FMT(near),
	           near.len ? "'?" : "", list.len ? "are: " : "are none",
	           EV_FMT(list));
	ev_buf_release(&list);
	return EV_NO;
}

static enum ev_status
open_named(const struct ev_projection **out, const char *name,
           struct ev_err *err)
{
	const struct ev_projection *projection;
	struct ev_files files = { 0 };
	enum ev_status status = ev_files_list(&files, &folders, err);
	size_t i = 0;

	if (status)
		goto out;
	while (i < files.count &&
	       !ev_str_equal(name_of(files.names[i]), ev_str(name)))
		i++;
	if (i == files.count) {
		status = refuse(&files, name, err);
		goto out;
	}
	if ((status = parse(&projection, files.names[i], err)))
		goto out;
	if (ev_str_equal(projection->name, ev_str(name))) {
		*out = projection;
	} else {
		status = ev_err_set(err, EV_BAD_INPUT,
		                    "'%s' holds the projection '%.*s': name "
		                    "the file after it",
		                    files.names[i], EV_FMT(projection->name));
		ev_projection_free(projection);
	}
out:
	ev_files_release(&files);
	return status;
}

enum ev_status
ev_projection_open(const struct ev_projection **out, const char *name_or_file,
                   struct ev_err *err)
{
	if (strchr(name_or_file, '/') || ends_with(name_or_file, ".yaml") ||
	    ends_with(name_or_file, ".yml"))
		return parse(out, name_or_file, err);
	return open_named(out, name_or_file, err);
}
