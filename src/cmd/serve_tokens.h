#ifndef EV_CMD_SERVE_TOKENS_H
#define EV_CMD_SERVE_TOKENS_H

#include "adapter/crypto.h"
#include "base/buf.h"
#include "base/mem.h"

/*
 * The file of tokens: a line each, "NAME SCOPE[,SCOPE…] sha256:HEX"; blank
 * lines and those that begin with # say nothing. It holds no token, only what
 * tells one that is shown, and nobody but its owner may read it all the same.
 */
struct serve_token {
	struct ev_str name; /* letters, digits, - and _ */
	unsigned scopes;    /* SERVE_READ | … */
	unsigned char hash[EV_CRYPTO_HASH];
};

struct serve_tokens {
	struct serve_token *list;
	size_t count;
	struct ev_arena arena;
};

void serve_tokens_release(struct serve_tokens *tokens);

/* Reads it, or what it says. EV_BAD_INPUT names the file and, of a line that
   makes no sense, its number; the tokens are as before. */
enum ev_status serve_tokens_read(struct serve_tokens *tokens, const char *file,
                                 struct ev_err *err);
enum ev_status serve_tokens_parse(struct serve_tokens *tokens,
                                  struct ev_str text, const char *file,
                                  struct ev_err *err);

/*
 * Adds a line for a new token, which is durable then, and appends the token:
 * nobody will ever see it again. A file that is not there is made. EV_NO: there
 * is one of this name. `drop` takes the line back if it cannot be shown.
 */
struct serve_tokens_added {
	int fd;
	long long size; /* before */
};
enum ev_status serve_tokens_add(struct serve_tokens_added *added,
                                const char *file, struct ev_str name,
                                unsigned scopes, struct ev_buf *token,
                                struct ev_err *err);
enum ev_status serve_tokens_drop(struct serve_tokens_added *added,
                                 struct ev_err *err);
void serve_tokens_keep(struct serve_tokens_added *added);

bool serve_tokens_is_name(struct ev_str name);

/* "read,append" as SERVE_READ | SERVE_APPEND; admin is all of them. */
bool serve_scopes_parse(unsigned *scopes, struct ev_str text);

/* Whose it is, or NULL. Takes as long whichever it is. */
const struct serve_token *serve_tokens_find(const struct serve_tokens *tokens,
                                            struct ev_str token);

/*
 * What a browser keeps in the place of a token: NAME.EXPIRY.SIGNATURE, the
 * expiry in seconds since 1970. It ends with the token that signed it.
 */
void serve_session_write(struct ev_buf *out, const struct serve_token *token,
                         long long expiry);
/* Whose it is, or NULL: it is none, or none any more. */
const struct serve_token *
serve_session_find(const struct serve_tokens *tokens, struct ev_str session,
                   long long now);

/*
 * Replaces `text` by a small file that is a secret; `noun` is what it is
 * called. EV_BAD_INPUT: it cannot be read, or somebody may who should not: one
 * of `others`, bits of its mode.
 */
enum ev_status serve_secret_read(struct ev_buf *text, const char *file,
                                 const char *noun, unsigned others,
                                 struct ev_err *err);

#endif
