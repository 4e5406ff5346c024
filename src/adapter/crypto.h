#ifndef EV_ADAPTER_CRYPTO_H
#define EV_ADAPTER_CRYPTO_H

#include "base/err.h"
#include "base/str.h"

/*
 * What secrets need. The library behind it reads files when it is used first:
 * who means to lock those out calls ev_crypto_start before.
 */
enum { EV_CRYPTO_HASH = 32 };

void ev_crypto_start(void);

/* SHA-256. */
void ev_crypto_hash(unsigned char hash[EV_CRYPTO_HASH], struct ev_str bytes);

/* HMAC-SHA-256. */
void ev_crypto_sign(unsigned char signature[EV_CRYPTO_HASH], struct ev_str key,
                    struct ev_str bytes);

/* Takes as long whatever they hold. */
bool ev_crypto_same(const void *a, const void *b, size_t len);

/* Bytes that nobody can guess. */
enum ev_status ev_crypto_random(void *bytes, size_t len, struct ev_err *err);

#endif
