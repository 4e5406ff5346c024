#include "base/str.h"

bool
ev_str_is_blank(struct ev_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.ptr[i] || !strchr(" \t\r\n", s.ptr[i]))
			return false;
	return true;
}

int
ev_str_compare(struct ev_str a, struct ev_str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

	if (order)
		return order < 0 ? -1 : 1;
	return (a.len > b.len) - (a.len < b.len);
}

unsigned long long
ev_str_hash(struct ev_str s)
{
	unsigned long long h = 14695981039346656037ULL;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * 1099511628211ULL;
	return h;
}
