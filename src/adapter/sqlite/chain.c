/* The plain SHA-256 functions: the newer interface fetches its algorithm at
   run time, which costs a one-shot append a fifth of its time. */
#define OPENSSL_API_COMPAT 10100
#include <openssl/sha.h>

#include "adapter/sqlite/log.h"

void
log_hash(unsigned char hash[LOG_HASH], const unsigned char *before,
         const unsigned char *definition, struct ev_str line)
{
	SHA256_CTX context;

	SHA256_Init(&context);
	SHA256_Update(&context, before, LOG_HASH);
	SHA256_Update(&context, definition, LOG_HASH);
	SHA256_Update(&context, line.ptr, line.len);
	SHA256_Final(hash, &context);
}

void
log_digest(unsigned char hash[LOG_HASH], struct ev_str bytes)
{
	SHA256_CTX context;

	SHA256_Init(&context);
	SHA256_Update(&context, bytes.ptr, bytes.len);
	SHA256_Final(hash, &context);
}
