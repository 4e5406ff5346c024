/*
 * Prints N rig events, one a line, always the same for a seed: issues that are
 * approved, worked on, tested, reviewed, merged and deployed by a few dozen
 * agents, with heartbeats and costs in between. About 330 bytes an event.
 * usage: generate N [SEED]
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ISSUES = 4000, AGENTS = 48, REPOS = 20 };

static uint64_t state;

static uint64_t
next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static unsigned
below(unsigned n)
{
	return (unsigned)(next() >> 33) % n;
}

/* A version 7 UUID whose time moves on, as a sender would make it. */
static void
print_id(uint64_t millis)
{
	printf("%08" PRIx64 "-%04" PRIx64 "-7%03x-%04x-%012" PRIx64, millis >> 16,
	       millis & 0xffff, below(4096), 0x8000 | below(0x4000),
	       next() & 0xffffffffffff);
}

static void
print_issue(const char *type, unsigned issue)
{
	printf("{\"type\":\"%s\",\"repo\":\"acme/service-%02u\","
	       "\"issueNumber\":%u", type, issue % REPOS, issue + 1);
}

int
main(int argc, char **argv)
{
	static const char *const checks[] = {
		"unit", "lint", "integration", "build", "e2e"
	};
	static const char *const models[] = {
		"claude-opus-4", "gpt-5-codex", "claude-haiku-4"
	};
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	uint64_t millis = 1776000000000;
	static unsigned step[ISSUES * 64];
	unsigned base = 0;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 42;
	for (long i = 0; i < n; i++) {
		/* a window of open issues that moves on */
		unsigned issue, agent;

		if (i % 14 == 13 && base < ISSUES * 63)
			base++;
		issue = base + below(400);
		agent = below(AGENTS);
		millis += below(40);
		switch (below(10)) {
		case 0:
		case 1:
			printf("{\"type\":\"HEARTBEAT\",\"agentId\":\"dev-%02u\","
			       "\"status\":\"working\",\"currentIssue\":%u,"
			       "\"currentRepo\":\"acme/service-%02u\","
			       "\"uptimeSeconds\":%u,\"memoryMB\":%u,"
			       "\"degraded\":false", agent, issue + 1,
			       issue % REPOS, below(100000), 200 + below(900));
			break;
		case 2:
		case 3:
			print_issue("TOKEN_USAGE", issue);
			printf(",\"agentId\":\"dev-%02u\",\"model\":\"%s\","
			       "\"inputTokens\":%u,\"outputTokens\":%u,"
			       "\"costUsd\":%u.%04u,\"category\":\"work\"",
			       agent, models[below(3)], below(200000),
			       below(9000), below(3), below(10000));
			break;
		default:
			switch (step[issue]++ % 10) {
			case 0:
				print_issue("ISSUE_APPROVED", issue);
				printf(",\"title\":\"feat: make part %u of the "
				       "service faster and cover it with "
				       "tests\",\"priority\":\"%s\","
				       "\"dependsOn\":[]", issue,
				       below(4) ? "normal" : "high");
				break;
			case 1:
				print_issue("ISSUE_ASSIGNED", issue);
				printf(",\"agentId\":\"dev-%02u\",\"attempt\":1",
				       agent);
				break;
			case 2:
				print_issue("BRANCH_CREATED", issue);
				printf(",\"agentId\":\"dev-%02u\","
				       "\"branch\":\"feature/%u-faster\"", agent,
				       issue + 1);
				break;
			case 3:
				print_issue("PR_CREATED", issue);
				printf(",\"agentId\":\"dev-%02u\","
				       "\"prNumber\":%u,\"prUrl\":"
				       "\"https://example.com/acme/service-%02u/"
				       "pull/%u\",\"branch\":\"feature/%u-faster"
				       "\"", agent, issue + 9000, issue % REPOS,
				       issue + 9000, issue + 1);
				break;
			case 4:
				print_issue("CI_FAILED", issue);
				printf(",\"prNumber\":%u,\"failedChecks\":"
				       "[\"%s\",\"%s\"],\"logs\":\"expected 200 "
				       "but got 500 in test_%u, see the run for "
				       "the whole output\"", issue + 9000,
				       checks[below(5)], checks[below(5)],
				       below(1000));
				break;
			case 5:
				print_issue("CI_PASSED", issue);
				printf(",\"prNumber\":%u", issue + 9000);
				break;
			case 6:
				print_issue("REVIEW_PASSED", issue);
				printf(",\"prNumber\":%u", issue + 9000);
				break;
			case 7:
				print_issue("MERGED", issue);
				printf(",\"prNumber\":%u,\"mergeSha\":"
				       "\"%016" PRIx64 "%016" PRIx64 "\"",
				       issue + 9000, next(), next());
				break;
			case 8:
				print_issue("DEPLOYED_STAGING", issue);
				printf(",\"environment\":\"staging\"");
				break;
			default:
				print_issue("ISSUE_DONE", issue);
				printf(",\"durationMinutes\":%u", below(600));
			}
		}
		printf(",\"correlationId\":null,\"actor\":\"dev-%02u\","
		       "\"runner\":\"runner-%02u.eu-north-1.example.com\","
		       "\"traceparent\":\"00-%016" PRIx64 "%016" PRIx64
		       "-%016" PRIx64 "-01\",\"id\":\"", agent, below(60),
		       next(), next(), next());
		print_id(millis);
		printf("\"}\n");
	}
	return fflush(stdout) ? 1 : 0;
}
