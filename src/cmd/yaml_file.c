#include "cmd/yaml_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "domain/yaml.h"

enum { PIECE = 64 * 1024 };

enum ev_status
yaml_file_read(struct ev_buf *text, const char *path, struct ev_err *err)
{
	bool input = strcmp(path, "-") == 0;
	int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	enum ev_status status = EV_OK;
	ssize_t got = -1;

	ev_buf_reset(text);
	while (fd >= 0 && text->len <= EV_YAML_SIZE_MAX &&
	       (got = read(fd, ev_buf_reserve(text, PIECE), PIECE)) > 0)
		text->len += (size_t)got;
	if (got < 0 && input)
		status = ev_err_set(err, EV_IO, "cannot read standard input: "
		                    "%s", strerror(errno));
	else if (got < 0)
		status = ev_err_set(err, EV_IO, "cannot read '%s': %s", path,
		                    strerror(errno));
	if (fd >= 0 && !input)
		close(fd);
	return status;
}
