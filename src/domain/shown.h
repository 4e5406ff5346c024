#ifndef EV_DOMAIN_SHOWN_H
#define EV_DOMAIN_SHOWN_H

#include <stdint.h>

#include "base/buf.h"

/*
 * Text on its way to a terminal: counted in columns, cut at a limit, and
 * nothing in it can drive the terminal. {.out, .limit, .cut = out->len} is a
 * valid start.
 */
struct ev_shown {
	struct ev_buf *out;
	int width; /* so far, with the … if it was cut */
	int limit; /* 0: none */
	size_t cut; /* bytes of out that leave room for the … */
	int cut_width; /* of these; private */
	bool full;  /* it was cut: the rest is dropped */
};

/* Text of others: what ev_utf8_hidden names is shown escaped. */
void ev_shown_add(struct ev_shown *shown, struct ev_str text);

/* Our own text: printable ASCII. */
void ev_shown_literal(struct ev_shown *shown, const char *text);
void ev_shown_spaces(struct ev_shown *shown, int count);

#endif
