/* Known answers: FIPS 180-4's examples and RFC 4231's test cases. */
#include "adapter/crypto.h"
#include "unit.h"

static void
check_bytes(const unsigned char bytes[EV_CRYPTO_HASH], const char *wanted)
{
	struct ev_buf text = { 0 };

	for (int i = 0; i < EV_CRYPTO_HASH; i++)
		ev_buf_printf(&text, "%02x", bytes[i]);
	CHECK_STR(ev_buf_str(&text), wanted);
	ev_buf_release(&text);
}

static void
check_hash(struct ev_str bytes, const char *wanted)
{
	unsigned char hash[EV_CRYPTO_HASH];

	ev_crypto_hash(hash, bytes);
	check_bytes(hash, wanted);
}

static void
check_signature(struct ev_str key, struct ev_str bytes, const char *wanted)
{
	unsigned char signature[EV_CRYPTO_HASH];

	ev_crypto_sign(signature, key, bytes);
	check_bytes(signature, wanted);
}

int
main(void)
{
	unsigned char a[EV_CRYPTO_HASH], b[EV_CRYPTO_HASH];
	char key[131];
	struct ev_err err;

	check_hash((struct ev_str){ 0 },
	           "e3b0c44298fc1c149afbf4c8996fb924"
	           "27ae41e4649b934ca495991b7852b855");
	check_hash(EV_STR("abc"),
	           "ba7816bf8f01cfea414140de5dae2223"
	           "b00361a396177a9cb410ff61f20015ad");
	check_signature(EV_STR("Jefe"),
	                EV_STR("what do ya want for nothing?"),
	                "5bdcc146bf60754e6a042426089575c7"
	                "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	check_signature((struct ev_str){ key, sizeof key },
	                EV_STR("Test Using Larger Than Block-Size Key - "
	                       "Hash Key First"),
	                "60e431591ee0b67f0d8a26aacbf5b77f"
	                "8e0bc6213728c5140546040f0ee37f54");
	CHECK(!ev_crypto_random(a, sizeof a, &err) &&
	      !ev_crypto_random(b, sizeof b, &err) &&
	      !ev_crypto_same(a, b, sizeof a));
	memcpy(b, a, sizeof a);
	CHECK(ev_crypto_same(a, b, sizeof a));
	b[31] ^= 1;
	CHECK(!ev_crypto_same(a, b, sizeof a));
	return unit_end();
}
