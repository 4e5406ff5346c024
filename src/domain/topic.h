#ifndef EV_DOMAIN_TOPIC_H
#define EV_DOMAIN_TOPIC_H

#include "base/str.h"

#include <stdbool.h>

/*
 * NATS subject patterns: segments between dots; `*` is any one segment, `>` as
 * the last segment is one or more of any.
 */

/* Is it a pattern: no empty segment, `>` only at the end, wildcards alone? */
bool ev_topic_valid(struct ev_str pattern);

bool ev_topic_match(struct ev_str pattern, struct ev_str topic);

#endif
