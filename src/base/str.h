#ifndef EV_BASE_STR_H
#define EV_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes that somebody else owns: no terminator, NULs allowed. {0} is empty. */
struct ev_str {
	const char *ptr;
	size_t len;
};

#define EV_STR(literal) ((struct ev_str){ (literal), sizeof(literal) - 1 })

/* for printf("%.*s", EV_FMT(s)) */
#define EV_FMT(s) (int)(s).len, (s).len ? (s).ptr : ""

static inline struct ev_str
ev_str(const char *text)
{
	return (struct ev_str){ text, text ? strlen(text) : 0 };
}

static inline bool
ev_str_equal(struct ev_str a, struct ev_str b)
{
	return a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
ev_str_starts(struct ev_str s, struct ev_str prefix)
{
	return s.len >= prefix.len &&
	       (!prefix.len || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Of ASCII, whatever the locale. */
static inline bool
ev_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ev_is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool
ev_is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* Spaces, tabs and the ends of lines only? */
bool ev_str_is_blank(struct ev_str s);

/* Bytewise order, a prefix before what it begins: -1, 0 or 1. */
int ev_str_compare(struct ev_str a, struct ev_str b);

/* 64-bit FNV-1a, for hash tables in memory; not stable across releases. */
unsigned long long ev_str_hash(struct ev_str s);

#endif
