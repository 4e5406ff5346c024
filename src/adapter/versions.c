#include "adapter/versions.h"

#include <gmp.h>
#include <openssl/opensslv.h>
#include <sqlite3.h>
#include <stdio.h>
#include <yaml.h>
#include <yyjson.h>

/* The only file that sees every vendor: it asks them for their names. */
const char *
ev_versions(void)
{
	static char text[160];
	unsigned json = yyjson_version();

	snprintf(text, sizeof text,
	         "SQLite %s, yyjson %u.%u.%u, libyaml %s, OpenSSL %s, GMP %s",
	         sqlite3_libversion(), json >> 16, json >> 8 & 255, json & 255,
	         yaml_get_version_string(), OPENSSL_VERSION_STR, gmp_version);
	return text;
}
