#include "cmd/serve_host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

/* ":8080", ":" or nothing. */
static bool
parse_port(int *port, struct ev_str text)
{
	int number = 0;

	*port = -1;
	if (!text.len)
		return true;
	if (text.ptr[0] != ':' || text.len > sizeof ":65535" - 1)
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (!ev_is_digit(text.ptr[i]))
			return false;
		number = number * 10 + (text.ptr[i] - '0');
	}
	if (number > 65535)
		return false;
	if (text.len > 1)
		*port = number;
	return true;
}

/* "::1" becomes "[::1]", and so does every other way to write it. */
static bool
set_six(struct serve_host *host, struct ev_str text)
{
	char plain[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (text.len >= sizeof plain || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(plain, text.ptr, text.len);
	plain[text.len] = '\0';
	if (inet_pton(AF_INET6, plain, &address) != 1 ||
	    !inet_ntop(AF_INET6, &address, plain, sizeof plain))
		return false;
	snprintf(host->name, sizeof host->name, "[%s]", plain);
	return true;
}

static bool
set_name(struct serve_host *host, struct ev_str text)
{
	size_t label = 0;

	if (text.len && text.ptr[text.len - 1] == '.')
		text.len--;
	if (!text.len || text.len > 253)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (ev_is_upper(c))
			c = (char)(c - 'A' + 'a');
		if (!ev_is_lower(c) && !ev_is_digit(c) && c != '-' &&
		    c != '_' && c != '.')
			return false;
		if (c == '.' && !label)
			return false;
		label = c == '.' ? 0 : label + 1;
		host->name[i] = c;
	}
	host->name[text.len] = '\0';
	return label != 0;
}

bool
serve_host_parse(struct serve_host *host, struct ev_str text)
{
	const char *end;
	size_t len;

	if (!text.len)
		return false;
	if (text.ptr[0] == '[') {
		end = memchr(text.ptr, ']', text.len);
		if (!end)
			return false;
		len = (size_t)(end - text.ptr) + 1;
		if (!set_six(host, (struct ev_str){ text.ptr + 1, len - 2 }))
			return false;
	} else {
		end = memchr(text.ptr, ':', text.len);
		len = end ? (size_t)(end - text.ptr) : text.len;
		if (!set_name(host, (struct ev_str){ text.ptr, len }))
			return false;
	}
	return parse_port(&host->port, (struct ev_str){ text.ptr + len,
	                                                text.len - len });
}

bool
serve_host_same(const struct serve_host *a, const struct serve_host *b)
{
	return strcmp(a->name, b->name) == 0;
}

bool
serve_host_is_address(const struct serve_host *host)
{
	struct in_addr address;

	return host->name[0] == '[' ||
	       inet_pton(AF_INET, host->name, &address) == 1;
}

bool
serve_host_of_address(struct serve_host *host, const char *address)
{
	host->port = -1;
	if (strchr(address, ':'))
		return set_six(host, ev_str(address));
	return set_name(host, ev_str(address)) && serve_host_is_address(host);
}

static void
fill_port(struct serve_origin *origin)
{
	if (origin->host.port < 0)
		origin->host.port = origin->tls ? 443 : 80;
}

bool
serve_origin_parse(struct serve_origin *origin, struct ev_str text)
{
	const struct ev_str plain = EV_STR("http://"), tls = EV_STR("https://");
	struct ev_str host = text;

	if (text.len > tls.len &&
	    strncasecmp(text.ptr, tls.ptr, tls.len) == 0) {
		origin->tls = true;
		host.ptr += tls.len;
		host.len -= tls.len;
	} else if (text.len > plain.len &&
	           strncasecmp(text.ptr, plain.ptr, plain.len) == 0) {
		origin->tls = false;
		host.ptr += plain.len;
		host.len -= plain.len;
	} else {
		return false;
	}
	if (!serve_host_parse(&origin->host, host))
		return false;
	fill_port(origin);
	return true;
}

void
serve_origin_of_host(struct serve_origin *origin, const struct serve_host *host,
                     bool tls)
{
	origin->tls = tls;
	origin->host = *host;
	fill_port(origin);
}

bool
serve_origin_same(const struct serve_origin *a, const struct serve_origin *b)
{
	return a->tls == b->tls && a->host.port == b->host.port &&
	       serve_host_same(&a->host, &b->host);
}
