#include "adapter/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/mem.h"

void
ev_crypto_start(void)
{
	unsigned char bytes[EV_CRYPTO_HASH];
	struct ev_err err;

	ev_crypto_sign(bytes, EV_STR("key"), EV_STR("text"));
	(void)ev_crypto_random(bytes, sizeof bytes, &err);
}

void
ev_crypto_hash(unsigned char hash[EV_CRYPTO_HASH], struct ev_str bytes)
{
	SHA256((const unsigned char *)bytes.ptr, bytes.len, hash);
}

void
ev_crypto_sign(unsigned char signature[EV_CRYPTO_HASH], struct ev_str key,
               struct ev_str bytes)
{
	unsigned len = EV_CRYPTO_HASH;

	/* it fails only for want of memory; an unset signature is not given out
	   in any case */
	if (key.len > INT_MAX ||
	    !HMAC(EVP_sha256(), key.len ? key.ptr : "", (int)key.len,
	          (const unsigned char *)(bytes.len ? bytes.ptr : ""),
	          bytes.len, signature, &len))
		ev_mem_exhausted();
}

bool
ev_crypto_same(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

enum ev_status
ev_crypto_random(void *bytes, size_t len, struct ev_err *err)
{
	if (len > INT_MAX || RAND_bytes(bytes, (int)len) != 1)
		return ev_err_set(err, EV_IO, "the system gives no random "
		                  "bytes");
	return EV_OK;
}
