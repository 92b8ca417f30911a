// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A steady stream of queries, of which every single one must be answered.
 *
 *   stream ADDRESS NAME RATE SECONDS
 *
 * Asks for NAME's AAAA records, RATE times a second, for SECONDS or until SIGTERM. An answer counts if id and question
 * come back, the rcode is 0 and there is a record. Last line: "sent N answered N". Exit 0 if the two are equal, 1 if
 * not, 2 for wrong usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER_OCTETS 12
#define IDS 65536		/* an id is used again only after so many queries; by then its answer is in or lost */
#define LAST_WAIT_NS 1000000000LL
/*
 * Sent at once when the sender could not run for a while, as on an emulated processor that verifies a program. Longer
 * bursts would overflow the 256 places of veth's ring, and the loss would be this program's own.
 */
#define BURST_MAX 32

struct stream {
	int fd;
	uint8_t query[512];
	size_t length;
	bool waiting[IDS];
	unsigned long sent, failed, answered;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Header, question of type AAAA and class IN, and an empty OPT record. */
static int stream_build(struct stream *stream, const char *name)
{
	static const uint8_t header[HEADER_OCTETS] = { [2] = 1, [5] = 1, [11] = 1 };
	static const uint8_t rest[] = { 0, 0, 28, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0 };
	uint8_t *at = stream->query + HEADER_OCTETS;

	memcpy(stream->query, header, sizeof(header));
	while (*name) {
		size_t label = strcspn(name, ".");

		if (!label || label > 63 || at + label + 1 + sizeof(rest) > stream->query + 255)
			return -EINVAL;
		*at++ = label;
		memcpy(at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	memcpy(at, rest, sizeof(rest));
	stream->length = at + sizeof(rest) - stream->query;
	return 0;
}

static int stream_connect(struct stream *stream, const char *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(53) };
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		return -EINVAL;
	stream->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (stream->fd < 0)
		return -errno;
	if (connect(stream->fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)))
		return -errno;
	return 0;
}

/* What cannot be sent counts as sent: its answer will be missing. The first error is shown. */
static void stream_send(struct stream *stream)
{
	uint16_t id = stream->sent++ % IDS;

	stream->query[0] = id >> 8;
	stream->query[1] = id;
	stream->waiting[id] = true;
	if (send(stream->fd, stream->query, stream->length, 0) < 0 && !stream->failed++)
		perror("stream: send");
}

static void stream_receive(struct stream *stream)
{
	size_t question = stream->length - HEADER_OCTETS - 11;
	uint8_t reply[4096];
	ssize_t length;
	uint16_t id;

	length = recv(stream->fd, reply, sizeof(reply), MSG_DONTWAIT);
	if (length < (ssize_t)(HEADER_OCTETS + question))
		return;
	id = reply[0] << 8 | reply[1];
	if (!stream->waiting[id] || !(reply[2] & 0x80) || reply[3] & 0x0f || !(reply[6] | reply[7]) ||
	    memcmp(reply + HEADER_OCTETS, stream->query + HEADER_OCTETS, question))
		return;
	stream->waiting[id] = false;
	stream->answered++;
}

static void stream_run(struct stream *stream, long rate, double seconds)
{
	int64_t start = now_ns(), end = start + seconds * 1e9, now = start, step = 1000000000LL / rate;
	struct pollfd poll_fd = { .fd = stream->fd, .events = POLLIN };

	for (; !stopped && now < end; now = now_ns()) {
		for (int i = 0; i < BURST_MAX && start + (int64_t)stream->sent * step <= now; i++)
			stream_send(stream);
		for (int wait = 1; poll(&poll_fd, 1, wait) > 0; wait = 0)
			stream_receive(stream);
	}
	for (end = now_ns() + LAST_WAIT_NS; stream->answered < stream->sent && now_ns() < end; )
		if (poll(&poll_fd, 1, 10) > 0)
			stream_receive(stream);
}

int main(int argc, char **argv)
{
	static struct stream stream;
	long rate = argc == 5 ? atol(argv[3]) : 0;
	double seconds = argc == 5 ? atof(argv[4]) : 0;
	int code;

	if (rate < 1 || rate > 100000 || seconds <= 0 || stream_build(&stream, argv[2])) {
		fprintf(stderr, "usage: stream ADDRESS NAME RATE SECONDS\n");
		return 2;
	}
	signal(SIGTERM, stop);
	code = stream_connect(&stream, argv[1]);
	if (code) {
		fprintf(stderr, "stream: %s: %s\n", argv[1], strerror(-code));
		return 2;
	}
	stream_run(&stream, rate, seconds);
	close(stream.fd);
	printf("sent %lu answered %lu\n", stream.sent, stream.answered);
	return stream.sent == stream.answered ? 0 : 1;
}
