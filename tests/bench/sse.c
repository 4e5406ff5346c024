/*
 * sse PORT PID READERS RATE SECONDS: opens READERS streams of events at the
 * ev-serve that listens on that port of this machine, posts RATE events a
 * second to it, and prints in one line the delivery latency, from before the
 * POST to the read, at the median, the 99th percentile and the worst (ms), and
 * by how much the memory of process PID grew for each reader (KiB). Exits 1 if
 * a reader has not got every event, in order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	STEP_MICROS = 100, /* of the histogram */
	STEPS = 100000,
	CONNECTING = 64,  /* at once, as many as a listener's queue holds */
	LINE_MAX_BYTES = 2048,
	PATIENCE = 20 /* s, for the last events */
};

/* A connection; number -1 is the one that posts. */
struct peer {
	int fd;
	long number;
	bool begun; /* the answer's headers have come */
	long seen;  /* events */
	size_t len; /* of a line that is not complete */
	char line[LINE_MAX_BYTES];
};

static int epoll_fd;
static struct sockaddr_in server;
static uint32_t steps[STEPS];
static uint64_t counted;
static int64_t worst;
static long disorder;

static void
die(const char *what)
{
	fprintf(stderr, "sse: %s: %s\n", what, strerror(errno));
	exit(74);
}

static int64_t
micros(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static long
resident_kib(const char *pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%s/status", pid);
	if (!(file = fopen(path, "r")))
		die(path);
	while (fgets(line, sizeof line, file))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	fclose(file);
	return kib;
}

static void
join(struct peer *peer, const char *request)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
	size_t len = strlen(request);
	int one = 1;

	peer->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (peer->fd < 0 ||
	    connect(peer->fd, (struct sockaddr *)&server, sizeof server) != 0)
		die("connect");
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (len && write(peer->fd, request, len) != (ssize_t)len)
		die("write");
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) != 0)
		die("epoll");
}

static void
count(int64_t took)
{
	int64_t step = took / STEP_MICROS;

	steps[step < STEPS ? step : STEPS - 1]++;
	counted++;
	if (took > worst)
		worst = took;
}

/* A payload says when it was sent, and as which. */
static void
take_line(struct peer *peer, const char *line, int64_t now)
{
	static const char mark[] = "\"sent\":\"";
	const char *at;
	char *end;
	int64_t sent;

	if (strncmp(line, "data:", 5) != 0 || !(at = strstr(line, mark)))
		return;
	sent = strtoll(at + sizeof mark - 1, &end, 10);
	if (strtol(end + 1, NULL, 10) != peer->seen++)
		disorder++;
	count(now - sent);
}

static void
take_bytes(struct peer *peer, const char *bytes, size_t len, int64_t now)
{
	const char *end;

	while ((end = memchr(bytes, '\n', len))) {
		size_t part = (size_t)(end - bytes);

		if (peer->len + part < sizeof peer->line) {
			memcpy(peer->line + peer->len, bytes, part);
			peer->line[peer->len + part] = '\0';
			take_line(peer, peer->line, now);
		}
		if (!peer->begun && peer->len == 0 && part <= 1)
			peer->begun = true; /* the empty line */
		peer->len = 0;
		bytes = end + 1;
		len -= part + 1;
	}
	if (peer->len + len < sizeof peer->line)
		memcpy(peer->line + peer->len, bytes, len);
	peer->len += len;
}

/* What comes within so many µs; returns how many answers to POSTs began. */
static long
receive(int64_t wait)
{
	static char bytes[65536 + 1];
	struct epoll_event events[256];
	long answers = 0;
	int count_ready = epoll_wait(epoll_fd, events, 256,
	                             (int)(wait > 0 ? (wait + 999) / 1000 : 0));

	for (int i = 0; i < count_ready; i++) {
		struct peer *peer = events[i].data.ptr;
		ssize_t len = read(peer->fd, bytes, sizeof bytes - 1);

		if (len < 0 && errno == EAGAIN)
			continue;
		if (len <= 0)
			die(peer->number < 0 ? "the POSTs' connection"
			                     : "a stream has ended");
		if (peer->number >= 0) {
			take_bytes(peer, bytes, (size_t)len, micros());
			continue;
		}
		bytes[len] = '\0';
		if (!strstr(bytes, " 200 ")) {
			fprintf(stderr, "sse: not accepted: %s\n", bytes);
			exit(1);
		}
		answers++;
	}
	return answers;
}

static void
post(const struct peer *peer, long number)
{
	char request[512], body[256];
	int len;

	len = snprintf(body, sizeof body, "{\"type\":\"HEARTBEAT\","
	               "\"agentId\":\"bench\",\"sent\":\"%lld %ld\"}",
	               (long long)micros(), number);
	len = snprintf(request, sizeof request, "POST /api/events HTTP/1.1\r\n"
	               "Host: localhost\r\nContent-Type: application/json\r\n"
	               "Content-Length: %d\r\n\r\n%s", len, body);
	if (write(peer->fd, request, (size_t)len) != len)
		die("POST");
}

static double
percentile(double part)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < STEPS; i++)
		if ((double)(sum += steps[i]) >= part * (double)counted)
			return (double)(i + 1) * STEP_MICROS / 1000;
	return (double)worst / 1000;
}

static long
number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value <= 0) {
		fprintf(stderr, "sse: '%s': expected a number\n", text);
		exit(64);
	}
	return value;
}

int
main(int argc, char **argv)
{
	struct rlimit limit;
	struct peer *peers, poster = { .number = -1 };
	long readers, rate, total, posted = 0, answered = 0, begun = 0;
	long before, lost = 0;
	int64_t start, end;

	if (argc != 6) {
		fputs("usage: sse PORT PID READERS RATE SECONDS\n", stderr);
		return 64;
	}
	readers = number(argv[3]);
	rate = number(argv[4]);
	total = rate * number(argv[5]);
	server = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)number(argv[1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	epoll_fd = epoll_create1(0);
	peers = calloc((size_t)readers, sizeof *peers);
	if (epoll_fd < 0 || !peers)
		die("out of memory");
	before = resident_kib(argv[2]);

	for (long i = 0; i < readers; i++) {
		peers[i].number = i;
		join(&peers[i], "GET /api/v1/events HTTP/1.1\r\n"
		     "Host: localhost\r\nAccept: text/event-stream\r\n\r\n");
		if (i % CONNECTING == CONNECTING - 1)
			while (!peers[i].begun)
				receive(100000);
	}
	while (begun < readers) {
		receive(100000);
		for (begun = 0; begun < readers && peers[begun].begun;)
			begun++;
	}
	join(&poster, "");
	start = micros();
	/* an answer may have to be waited for, its event is late then */
	while (posted < total || answered < posted) {
		int64_t due = start + posted * 1000000 / rate;

		if (posted < total && posted == answered && micros() >= due)
			post(&poster, posted++);
		answered += receive(posted == answered ? due - micros()
		                                       : 100000);
	}
	end = micros() + PATIENCE * INT64_C(1000000);
	while (counted < (uint64_t)(readers * total) && micros() < end)
		receive(100000);
	for (long i = 0; i < readers; i++)
		lost += total - peers[i].seen;
	printf("%.1f %.1f %.1f %.1f\n", percentile(0.5), percentile(0.99),
	       (double)worst / 1000,
	       (double)(resident_kib(argv[2]) - before) / (double)readers);
	if (lost || disorder)
		fprintf(stderr, "sse: %ld events lost, %ld out of order\n",
		        lost, disorder);
	free(peers);
	return lost || disorder ? 1 : 0;
}
