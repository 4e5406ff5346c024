#ifndef EV_DOMAIN_TEMPLATE_H
#define EV_DOMAIN_TEMPLATE_H

#include "base/err.h"
#include "base/mem.h"
#include "domain/json.h"

/*
 * Text with placeholders that are filled from a payload's strings and numbers:
 * "{repo}#{issueNumber}"; {data.host} looks into the object `data`. An integer
 * is written plainly, whatever its spelling: 42.0 and 4.2e1 give 42. A
 * placeholder may name one filter:
 *
 *   {agentId|agent}    the part before the first '/'
 *   {issueNumber|some} a number 0 counts as missing
 *   {repo|segment}     one topic segment: bytes outside [A-Za-z0-9-] become
 *                      _XX in upper-case hexadecimal, so '_' itself is _5F:
 *                      reversible, and different names stay different
 *   {project_id|strict} refused unless it is [A-Za-z0-9_-]+ already
 */
struct ev_template;

/* EV_BAD_INPUT says what is wrong with the text. Borrows `text`. */
enum ev_status ev_template_compile(const struct ev_template **out,
                                   struct ev_arena *arena, struct ev_str text,
                                   struct ev_err *err);

/*
 * Appends the filled text to `out`. EV_NO: a placeholder's member is missing,
 * null, empty or no string or number; `err` names it. EV_BAD_INPUT: a member
 * that |strict refuses. On failure `out` is as it was.
 */
enum ev_status ev_template_fill(const struct ev_template *t, yyjson_val *data,
                                struct ev_buf *out, struct ev_err *err);

/*
 * The inverse: splits `text` by the template's literal parts, the last
 * occurrence of each separator deciding ("a#b#7" is repo "a#b", issue 7).
 * Calls `take` for each placeholder of a top-level member without filter, with
 * |some or with |agent, in order; filling the template with what it took gives
 * `text` again. False, without any call, when the text does not fit.
 */
bool ev_template_match(const struct ev_template *t, struct ev_str text,
                       void (*take)(void *context, struct ev_str member,
                                    struct ev_str value),
                       void *context);

/*
 * Can it only make words of [A-Za-z0-9_-] between dots? All its placeholders
 * must be |segment or |strict.
 */
bool ev_template_is_topic(const struct ev_template *t);

/* The i-th placeholder's name (with its dots), {0} past the last. */
struct ev_str ev_template_member(const struct ev_template *t, size_t i);

#endif
