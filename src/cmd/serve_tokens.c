#include "cmd/serve_tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/serve.h"

enum {
	SECRET_MAX = 1024 * 1024, /* bytes of a file */
	NAME_MAX_LEN = 64,
	TOKEN_BYTES = 32,
	HEX = 2 * EV_CRYPTO_HASH
};

static const char digits[] = "0123456789abcdef";

void
serve_tokens_release(struct serve_tokens *tokens)
{
	free(tokens->list);
	ev_arena_release(&tokens->arena);
	*tokens = (struct serve_tokens){ 0 };
}

/* ---- the file */

static enum ev_status
read_all(struct ev_buf *text, int fd, const char *file, const char *noun,
         struct ev_err *err)
{
	ssize_t got;

	ev_buf_reset(text);
	do {
		got = read(fd, ev_buf_reserve(text, 4096), 4096);
		if (got > 0)
			text->len += (size_t)got;
	} while ((got > 0 && text->len <= SECRET_MAX) ||
	         (got < 0 && errno == EINTR));
	if (got < 0)
		return ev_err_set(err, EV_IO, "cannot read the %s '%s': %s",
		                  noun, file, strerror(errno));
	if (text->len > SECRET_MAX)
		return ev_err_set(err, EV_BAD_INPUT, "the %s '%s' is longer "
		                  "than %d bytes", noun, file, SECRET_MAX);
	return EV_OK;
}

static enum ev_status
check_mode(int fd, const char *file, const char *noun, unsigned others,
           struct ev_err *err)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return ev_err_set(err, EV_IO, "cannot look at the %s '%s': %s",
		                  noun, file, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return ev_err_set(err, EV_BAD_INPUT, "the %s '%s' is no file",
		                  noun, file);
	if (info.st_mode & others)
		return ev_err_set(err, EV_BAD_INPUT, "the %s '%s' can be read "
		                  "or changed by others: chmod %s '%s'", noun,
		                  file, others & S_IRGRP ? "600" : "o=", file);
	return EV_OK;
}

enum ev_status
serve_secret_read(struct ev_buf *text, const char *file, const char *noun,
                  unsigned others, struct ev_err *err)
{
	/* a pipe in its place must not stop us */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum ev_status status;

	if (fd < 0)
		return ev_err_set(err, EV_BAD_INPUT, "cannot read the %s '%s': "
		                  "%s", noun, file, strerror(errno));
	status = check_mode(fd, file, noun, others, err);
	if (!status)
		status = read_all(text, fd, file, noun, err);
	close(fd);
	return status;
}

bool
serve_tokens_is_name(struct ev_str name)
{
	if (!name.len || name.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!ev_is_lower(c) && !ev_is_upper(c) && !ev_is_digit(c) &&
		    c != '-' && c != '_')
			return false;
	}
	return true;
}

static struct ev_str
take_until(struct ev_str *text, const char *ends)
{
	struct ev_str word = { text->ptr, 0 };

	while (word.len < text->len && !strchr(ends, text->ptr[word.len]))
		word.len++;
	text->ptr += word.len;
	text->len -= word.len;
	return word;
}

static struct ev_str
take_word(struct ev_str *line)
{
	while (line->len && strchr(" \t\r", *line->ptr)) {
		line->ptr++;
		line->len--;
	}
	return take_until(line, " \t\r");
}

bool
serve_scopes_parse(unsigned *scopes, struct ev_str text)
{
	unsigned found = 0;

	do {
		struct ev_str word = take_until(&text, ",");

		if (ev_str_equal(word, EV_STR("read")))
			found |= SERVE_READ;
		else if (ev_str_equal(word, EV_STR("append")))
			found |= SERVE_APPEND;
		else if (ev_str_equal(word, EV_STR("admin")))
			found |= SERVE_READ | SERVE_APPEND | SERVE_ADMIN;
		else
			return false;
		if (!text.len) {
			*scopes = found;
			return true;
		}
		text.ptr++;
		text.len--;
	} while (1);
}

static int
hex_value(char c)
{
	if (ev_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
parse_hash(unsigned char hash[EV_CRYPTO_HASH], struct ev_str text)
{
	const struct ev_str kind = EV_STR("sha256:");

	if (text.len != kind.len + HEX || !ev_str_starts(text, kind))
		return false;
	text.ptr += kind.len;
	for (size_t i = 0; i < EV_CRYPTO_HASH; i++) {
		int high = hex_value(text.ptr[2 * i]);
		int low = hex_value(text.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (unsigned char)(high * 16 + low);
	}
	return true;
}

static const struct serve_token *
named(const struct serve_tokens *tokens, struct ev_str name)
{
	for (size_t i = 0; i < tokens->count; i++)
		if (ev_str_equal(tokens->list[i].name, name))
			return &tokens->list[i];
	return NULL;
}

/* NULL, or what is wrong with the line. */
static const char *
parse_line(struct serve_tokens *tokens, struct ev_str line)
{
	struct serve_token token = { .scopes = 0 };
	struct ev_str name = take_word(&line), scopes = take_word(&line);
	struct ev_str hash = take_word(&line);

	if (!name.len || *name.ptr == '#')
		return NULL;
	if (take_word(&line).len || !hash.len)
		return "expected NAME SCOPE[,SCOPE...] sha256:HEX";
	if (!serve_tokens_is_name(name))
		return "a name has up to 64 letters, digits, - and _";
	if (!serve_scopes_parse(&token.scopes, scopes))
		return "scopes are read, append and admin, with commas between";
	if (!parse_hash(token.hash, hash))
		return "expected sha256: and 64 hexadecimal digits";
	if (named(tokens, name))
		return "a second token of this name";
	for (size_t i = 0; i < tokens->count; i++)
		if (memcmp(tokens->list[i].hash, token.hash,
		           sizeof token.hash) == 0)
			return "the same token as another's";
	token.name = ev_arena_dup(&tokens->arena, name);
	tokens->list = ev_mem_resize(tokens->list, (tokens->count + 1) *
	                                                   sizeof *tokens->list);
	tokens->list[tokens->count++] = token;
	return NULL;
}

enum ev_status
serve_tokens_parse(struct serve_tokens *tokens, struct ev_str text,
                   const char *file, struct ev_err *err)
{
	struct serve_tokens found = { 0 };

	for (size_t number = 1; text.len; number++) {
		const char *why = NULL;
		struct ev_str line = take_until(&text, "\n");

		if (memchr(line.ptr, '\0', line.len))
			why = "there is a NUL in it";
		else
			why = parse_line(&found, line);
		if (why) {
			serve_tokens_release(&found);
			return ev_err_set(err, EV_BAD_INPUT, "%s:%zu: %s",
			                  file, number, why);
		}
		if (text.len) {
			text.ptr++;
			text.len--;
		}
	}
	serve_tokens_release(tokens);
	*tokens = found;
	return EV_OK;
}

enum ev_status
serve_tokens_read(struct serve_tokens *tokens, const char *file,
                  struct ev_err *err)
{
	struct ev_buf text = { 0 };
	enum ev_status status = serve_secret_read(&text, file, "tokens",
	                                          S_IRWXG | S_IRWXO, err);

	if (!status)
		status = serve_tokens_parse(tokens, ev_buf_str(&text), file,
		                            err);
	ev_buf_release(&text);
	return status;
}

/* ---- a new one */

/* "evt_" and base64url of that many random bytes. */
static enum ev_status
make_token(struct ev_buf *token, struct ev_err *err)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
	                              "nopqrstuvwxyz0123456789-_";
	unsigned char bytes[TOKEN_BYTES + 1] = { 0 };
	enum ev_status status = ev_crypto_random(bytes, TOKEN_BYTES, err);

	if (status)
		return status;
	ev_buf_add_str(token, EV_STR("evt_"));
	for (size_t bit = 0; bit < 8 * TOKEN_BYTES; bit += 6) {
		unsigned two = (unsigned)bytes[bit / 8] << 8 |
		               bytes[bit / 8 + 1];

		ev_buf_add_char(token, letters[two >> (10 - bit % 8) & 63]);
	}
	return EV_OK;
}

static void
write_hex(struct ev_buf *out, const unsigned char hash[EV_CRYPTO_HASH])
{
	for (size_t i = 0; i < EV_CRYPTO_HASH; i++) {
		ev_buf_add_char(out, digits[hash[i] >> 4]);
		ev_buf_add_char(out, digits[hash[i] & 15]);
	}
}

static void
write_line(struct ev_buf *line, struct ev_str name, unsigned scopes,
           struct ev_str token)
{
	unsigned char hash[EV_CRYPTO_HASH];

	ev_crypto_hash(hash, token);
	ev_buf_add_str(line, name);
	ev_buf_add_char(line, ' ');
	if (scopes & SERVE_ADMIN)
		ev_buf_add_str(line, EV_STR("admin"));
	else
		ev_buf_printf(line, "%s%s%s", scopes & SERVE_READ ? "read" : "",
		              scopes & SERVE_READ && scopes & SERVE_APPEND
		                      ? "," : "",
		              scopes & SERVE_APPEND ? "append" : "");
	ev_buf_add_str(line, EV_STR(" sha256:"));
	write_hex(line, hash);
	ev_buf_add_char(line, '\n');
}

/* Who adds a token at the same time waits. */
static enum ev_status
open_locked(int *out, const char *file, struct ev_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return ev_err_set(err, EV_BAD_INPUT, "cannot write the tokens "
		                  "'%s': %s", file, strerror(errno));
	while (fcntl(fd, F_SETLKW, &lock) != 0)
		if (errno != EINTR) {
			close(fd);
			return ev_err_set(err, EV_IO, "cannot lock the tokens "
			                  "'%s': %s", file, strerror(errno));
		}
	*out = fd;
	return EV_OK;
}

/* The file may be new: then its folder's entry has to last, too. */
static void
sync_folder(const char *file)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;

	snprintf(folder, sizeof folder, "%s", file);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static enum ev_status
write_durably(struct serve_tokens_added *added, struct ev_str line,
              const char *file, struct ev_err *err)
{
	struct ev_err later;
	int error;

	errno = 0;
	if (write(added->fd, line.ptr, line.len) == (ssize_t)line.len &&
	    fsync(added->fd) == 0) {
		sync_folder(file);
		return EV_OK;
	}
	error = errno ? errno : ENOSPC;
	(void)serve_tokens_drop(added, &later);
	return ev_err_set(err, EV_IO, "cannot write the tokens '%s': %s", file,
	                  strerror(error));
}

enum ev_status
serve_tokens_add(struct serve_tokens_added *added, const char *file,
                 struct ev_str name, unsigned scopes, struct ev_buf *token,
                 struct ev_err *err)
{
	struct ev_buf text = { 0 }, line = { 0 };
	struct serve_tokens tokens = { 0 };
	size_t begin = token->len;
	enum ev_status status = open_locked(&added->fd, file, err);

	if (status)
		return status;
	status = check_mode(added->fd, file, "tokens", S_IRWXG | S_IRWXO, err);
	if (!status)
		status = read_all(&text, added->fd, file, "tokens", err);
	if (!status)
		status = serve_tokens_parse(&tokens, ev_buf_str(&text), file,
		                            err);
	if (!status && named(&tokens, name))
		status = ev_err_set(err, EV_NO, "'%.*s': there is a token of "
		                    "this name in '%s'; take another, or "
		                    "remove its line first", EV_FMT(name),
		                    file);
	if (!status)
		status = make_token(token, err);
	if (!status) {
		added->size = (long long)text.len;
		if (text.len && text.ptr[text.len - 1] != '\n')
			ev_buf_add_char(&line, '\n');
		write_line(&line, name, scopes,
		           (struct ev_str){ token->ptr + begin,
		                            token->len - begin });
		status = write_durably(added, ev_buf_str(&line), file, err);
	} else {
		close(added->fd);
	}
	if (status)
		token->len = begin;
	serve_tokens_release(&tokens);
	ev_buf_release(&text);
	ev_buf_release(&line);
	return status;
}

enum ev_status
serve_tokens_drop(struct serve_tokens_added *added, struct ev_err *err)
{
	enum ev_status status = EV_OK;

	if (ftruncate(added->fd, (off_t)added->size) != 0 ||
	    fsync(added->fd) != 0)
		status = ev_err_set(err, EV_IO, "cannot take the new token "
		                    "back: %s", strerror(errno));
	close(added->fd);
	return status;
}

void
serve_tokens_keep(struct serve_tokens_added *added)
{
	close(added->fd);
}

/* ---- who shows one */

const struct serve_token *
serve_tokens_find(const struct serve_tokens *tokens, struct ev_str token)
{
	const struct serve_token *found = NULL;
	unsigned char hash[EV_CRYPTO_HASH];

	ev_crypto_hash(hash, token);
	/* all of them, so that time does not tell which one is nearly right */
	for (size_t i = 0; i < tokens->count; i++)
		if (ev_crypto_same(tokens->list[i].hash, hash, sizeof hash))
			found = &tokens->list[i];
	return found;
}

static void
sign(struct ev_buf *out, const struct serve_token *token, struct ev_str text)
{
	struct ev_str key = { (const char *)token->hash, sizeof token->hash };
	unsigned char signature[EV_CRYPTO_HASH];
	struct ev_buf whole = { 0 };

	/* the first word says what is signed, should something else ever be */
	ev_buf_add_str(&whole, EV_STR("ev_session "));
	ev_buf_add_str(&whole, text);
	ev_crypto_sign(signature, key, ev_buf_str(&whole));
	write_hex(out, signature);
	ev_buf_release(&whole);
}

void
serve_session_write(struct ev_buf *out, const struct serve_token *token,
                    long long expiry)
{
	struct ev_buf text = { 0 };

	ev_buf_printf(&text, "%.*s.%lld", EV_FMT(token->name), expiry);
	ev_buf_add_str(out, ev_buf_str(&text));
	ev_buf_add_char(out, '.');
	sign(out, token, ev_buf_str(&text));
	ev_buf_release(&text);
}

/* -1: it is no such number. */
static long long
parse_expiry(struct ev_str text)
{
	long long number = 0;

	if (!text.len || text.len > 18)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (!ev_is_digit(text.ptr[i]))
			return -1;
		number = number * 10 + (text.ptr[i] - '0');
	}
	return number;
}

const struct serve_token *
serve_session_find(const struct serve_tokens *tokens, struct ev_str session,
                   long long now)
{
	struct ev_str rest = session, name, expiry, signed_text;
	const struct serve_token *token;
	struct ev_buf signature = { 0 };
	bool fine;

	if (!session.len || session.len > NAME_MAX_LEN + 20 + HEX)
		return NULL;
	name = take_until(&rest, ".");
	if (!rest.len)
		return NULL;
	rest.ptr++, rest.len--;
	expiry = take_until(&rest, ".");
	if (rest.len != HEX + 1)
		return NULL;
	signed_text = (struct ev_str){ session.ptr, session.len - rest.len };
	rest.ptr++, rest.len--;
	token = named(tokens, name);
	if (!token || parse_expiry(expiry) <= now)
		return NULL;
	sign(&signature, token, signed_text);
	fine = ev_crypto_same(signature.ptr, rest.ptr, HEX);
	ev_buf_release(&signature);
	return fine ? token : NULL;
}
