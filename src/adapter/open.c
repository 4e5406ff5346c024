#include "adapter/open.h"

enum ev_status
ev_store_open(struct ev_store **out, const struct ev_open *open,
              struct ev_err *err)
{
	struct ev_str url = ev_str(open->url);

	if (ev_str_starts(url, EV_STR("file:")))
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': give the plain path",
		                  open->url);
	if (memchr(url.ptr, ':', url.len) && strstr(open->url, "://"))
		return ev_err_set(err, EV_UNREACHABLE,
		                  "cannot open '%s': this ev knows only logs "
		                  "in files", open->url);
	return ev_sqlite_open(out, open, err);
}
