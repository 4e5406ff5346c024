/* Known answers: FIPS 180-4's examples and RFC 4231's test cases. */
#include "adapter/crypto.h"
#include "unit.h"

static void
check_hash(struct ev_str bytes, const char *wanted)
{
	unsigned char hash[EV_SHA256_SIZE], again[EV_SHA256_SIZE];
	char text[EV_SHA256_HEX];
	struct ev_str found = { text, sizeof text };

	ev_sha256(bytes, hash);
	ev_sha256_format(hash, text);
	CHECK_STR(found, wanted);
	CHECK(ev_sha256_parse(found, again) &&
	        ev_secret_equal(hash, again, sizeof hash));
	again[31] ^= 1;
	CHECK(!ev_secret_equal(hash, again, sizeof hash));
}

static void
check_mac(struct ev_str key, struct ev_str bytes, const char *wanted)
{
	unsigned char mac[EV_SHA256_SIZE];
	char text[EV_SHA256_HEX];
	struct ev_str found = { text, sizeof text };

	ev_hmac_sha256(key, bytes, mac);
	ev_sha256_format(mac, text);
	CHECK_STR(found, wanted);
}

int
main(void)
{
	unsigned char a[EV_SHA256_SIZE], b[EV_SHA256_SIZE];
	char key[131];

	check_hash((struct ev_str){ 0 },
	           "e3b0c44298fc1c149afbf4c8996fb924"
	           "27ae41e4649b934ca495991b7852b855");
	check_hash(EV_STR("abc"),
	           "ba7816bf8f01cfea414140de5dae2223"
	           "b00361a396177a9cb410ff61f20015ad");
	check_mac(EV_STR("Jefe"), EV_STR("what do ya want for nothing?"),
	          "5bdcc146bf60754e6a042426089575c7"
	          "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	check_mac((struct ev_str){ key, sizeof key },
	          EV_STR("Test Using Larger Than Block-Size Key - "
	                 "Hash Key First"),
	          "60e431591ee0b67f0d8a26aacbf5b77f"
	          "8e0bc6213728c5140546040f0ee37f54");
	CHECK(!ev_sha256_parse(EV_STR("00"), a));
	CHECK(!ev_sha256_parse(EV_STR("g3b0c44298fc1c149afbf4c8996fb924"
	                                "27ae41e4649b934ca495991b7852b855"),
	                         (unsigned char[EV_SHA256_SIZE]){ 0 }));
	CHECK(ev_secret_make(a, sizeof a) && ev_secret_make(b, sizeof b) &&
	        memcmp(a, b, sizeof a) != 0);
	return unit_end();
}
