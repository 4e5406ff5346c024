/* What ev-serve may run, and with which arguments. */
#include "cmd/serve_runner.h"

#include <stdio.h>
#include <string.h>

/* Nothing that ends a line or drives a terminal: these are names. */
static bool
is_name(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return len > 0 && len <= 1024;
}

static bool
is_number(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= 12 && *text != '0' &&
	       strspn(text, "0123456789") == len;
}

static bool
is_issue(const char *text)
{
	const char *number = strrchr(text, '#');

	return is_name(text) && number && number > text &&
	       is_number(number + 1);
}

static bool
is_agent(const char *text)
{
	return is_name(text) && *text != '/';
}

/* Names of GitHub's events, such as pull_request. */
static bool
is_event(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= 64 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool
is_delivery(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= 200;
}

/* What may stand for the % of a command line, one argument after the other. A
   word that begins with ? is there only if the argument behind it is. */
static const struct {
	const char *words[8];
	bool (*checks[RUNNER_ARGUMENTS])(const char *text);
	size_t needed;
	size_t order[RUNNER_ARGUMENTS]; /* in which they stand */
	bool github, reads;
} commands[] = {
	[SERVE_RIG_NEXT] = {
		{ "rig-next", "--json", "-n8", "?-R", "%", "--", "%" },
		{ is_agent, is_name }, 1, { 1, 0 }, false, true
	},
	[SERVE_RIG_CLAIM] = {
		{ "rig-claim", "--json", "--again", "--", "%", "%" },
		{ is_issue, is_agent }, 2, { 0, 1 }, false, true
	},
	[SERVE_RIG_GATE] = {
		{ "rig-gate", "--json", "?--pr", "%", "--", "%" },
		{ is_issue, is_number }, 1, { 1, 0 }, true, true
	},
	[SERVE_RIG_MERGE] = {
		{ "rig-merge", "--json", "?--pr", "%", "--", "%" },
		{ is_issue, is_number }, 1, { 1, 0 }, true, false
	},
	[SERVE_RIG_TIMELINE] = {
		{ "rig-timeline", "--json", "--", "%" },
		{ is_issue }, 1, { 0 }, false, true
	},
	[SERVE_FROM_GITHUB] = {
		{ "ev-from-github", "-q", "-e", "%", "-H", "%" },
		{ is_event, is_delivery }, 2, { 0, 1 }, false, false
	},
};

bool
runner_line_make(struct runner_line *line, uint32_t command,
                 const char *const *arguments, size_t count,
                 struct ev_arena *arena)
{
	struct ev_buf header = { 0 };
	size_t words = 0, next = 0;

	if (command >= sizeof commands / sizeof *commands ||
	    count < commands[command].needed || count > RUNNER_ARGUMENTS)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!commands[command].checks[i] ||
		    !commands[command].checks[i](arguments[i]))
			return false;
	for (const char *const *word = commands[command].words; *word; word++) {
		size_t at = commands[command].order[next];

		if (**word == '?' && at < count) {
			line->words[words++] = *word + 1;
		} else if (**word == '?') {
			word++; /* and its argument */
			next++;
		} else if (**word == '%') {
			line->words[words++] = arguments[at];
			next++;
		} else {
			line->words[words++] = *word;
		}
	}
	if (command == SERVE_FROM_GITHUB) {
		ev_buf_printf(&header, "X-GitHub-Delivery: %s", arguments[1]);
		line->words[words - 1] =
			ev_arena_dup(arena, ev_buf_str(&header)).ptr;
		ev_buf_release(&header);
	}
	line->words[words] = NULL;
	line->github = commands[command].github;
	line->reads = commands[command].reads;
	return true;
}
