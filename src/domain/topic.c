#include "domain/topic.h"

/* Takes the first segment off; false when there is none left. */
static bool
next_segment(struct ev_str *rest, struct ev_str *segment)
{
	const char *dot;

	if (!rest->ptr)
		return false;
	dot = rest->len ? memchr(rest->ptr, '.', rest->len) : NULL;
	*segment = (struct ev_str){
		rest->ptr, dot ? (size_t)(dot - rest->ptr) : rest->len
	};
	*rest = dot ? (struct ev_str){ dot + 1, rest->len - segment->len - 1 }
	            : (struct ev_str){ 0 };
	return true;
}

bool
ev_topic_valid(struct ev_str pattern)
{
	struct ev_str segment;

	while (next_segment(&pattern, &segment)) {
		bool wild = segment.len && (memchr(segment.ptr, '*', segment.len) ||
		                            memchr(segment.ptr, '>', segment.len));

		if (!segment.len || (wild && segment.len > 1) ||
		    (*segment.ptr == '>' && pattern.ptr))
			return false;
	}
	return true;
}

bool
ev_topic_match(struct ev_str pattern, struct ev_str topic)
{
	struct ev_str want, have;

	while (next_segment(&pattern, &want)) {
		if (!next_segment(&topic, &have))
			return false;
		if (ev_str_equal(want, EV_STR(">")))
			return true;
		if (!ev_str_equal(want, EV_STR("*")) &&
		    !ev_str_equal(want, have))
			return false;
	}
	return !topic.ptr;
}
