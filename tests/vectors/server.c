// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The vectors to a live server, over UDP and TCP, from the addresses and ports they name: the draw of selection and
 * the answer to queries without a client subnet depend on them. The addresses must stand on an interface of this host.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vectors/print.h"
#include "tests/vectors/run.h"

#define DNS_PORT 53
#define PATIENCE 3000		/* milliseconds for a reply that must come */
#define SILENCE 200		/* for one that must not */
#define PIPELINED 40		/* queries on one connection at once */
#define MESSAGE_ROOM 65536

static uint8_t received[2 + MESSAGE_ROOM];

static int run_udp(const struct vector *vector);
static int run_tcp(const struct vector *vector, unsigned int split);
static void run_pipelined(const struct vectors *vectors, struct tally *tally);

int run_server(const struct vectors *vectors, struct tally *tally)
{
	size_t i;

	for (i = 0; i < vectors->count; i++) {
		const struct vector *vector = &vectors->list[i];
		int failed = 0;

		if (!vector->query.data || !vector->reply.data)
			continue;
		if (vector->via & VECTOR_UDP)
			failed |= run_udp(vector);
		if (vector->via & VECTOR_TCP)
			failed |= run_tcp(vector, i % 4);
		tally_count(tally, vector, "server", failed);
	}
	run_pipelined(vectors, tally);
	return 0;
}

static int complain(const struct vector *vector, const char *transport, const char *what)
{
	printf("not ok - %s:%u: %s (%s, IPv%u): %s\n", vector->file, vector->line, vector->name, transport, vector->version,
	       what);
	return 1;
}

static socklen_t socket_address(struct sockaddr_storage *storage, unsigned int version, const uint8_t *address, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (version == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, address, sizeof(in->sin_addr));
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

/*
 * A socket from the vector's client to its server; connected, so that a reply from elsewhere is none (requirement 21).
 * TCP is ended by a reset: the same ports are used again at once.
 */
static int socket_connect(const struct vector *vector, int type)
{
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage address;
	struct timeval patience = { .tv_sec = PATIENCE / 1000 };
	socklen_t length;
	int one = 1, fd;

	fd = socket(vector->version == 4 ? AF_INET : AF_INET6, type, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (type == SOCK_STREAM) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	length = socket_address(&address, vector->version, vector->client, vector->port);
	if (bind(fd, (struct sockaddr *)&address, length))
		goto failed;
	length = socket_address(&address, vector->version, vector->server, DNS_PORT);
	if (connect(fd, (struct sockaddr *)&address, length))
		goto failed;
	return fd;
failed:
	one = -errno;
	close(fd);
	return one;
}

static int readable(int fd, int milliseconds)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, milliseconds) == 1;
}

static int compare(const struct vector *vector, const char *transport, const uint8_t *got, size_t length)
{
	if (length == vector->reply.length && !memcmp(got, vector->reply.data, length))
		return 0;
	complain(vector, transport, vector->reply.length ? "another reply" : "a reply where none must come");
	print_messages(vector->reply.data, vector->reply.length, got, length);
	return 1;
}

static int run_udp(const struct vector *vector)
{
	int fd = socket_connect(vector, SOCK_DGRAM), failed = 0;
	ssize_t length;

	if (fd < 0)
		return complain(vector, "udp", strerror(-fd));
	if (send(fd, vector->query.data, vector->query.length, 0) < 0) {
		failed = complain(vector, "udp", strerror(errno));
	} else if (readable(fd, vector->reply.length ? PATIENCE : SILENCE)) {
		length = recv(fd, received, MESSAGE_ROOM, 0);
		failed = length < 0 ? complain(vector, "udp", strerror(errno)) : compare(vector, "udp", received, length);
	} else if (vector->reply.length) {
		failed = complain(vector, "udp", "no reply");
		print_messages(vector->reply.data, vector->reply.length, NULL, 0);
	}
	close(fd);
	return failed;
}

/* One message off a connection into `received`. Its length, 0 when the peer ended, -1 when nothing came in time. */
static ssize_t receive_tcp(int fd, int milliseconds)
{
	size_t have = 0, want = 2;
	ssize_t length;

	while (have < want) {
		if (!readable(fd, milliseconds))
			return -1;
		length = recv(fd, received + have, want - have, 0);
		if (length <= 0)
			return 0;
		have += length;
		if (have == 2)
			want = 2 + (received[0] << 8 | received[1]);
	}
	return want - 2;
}

/* In one piece, behind its first octet, behind its length, or in the middle (requirement 23). */
static int send_tcp(int fd, const struct octets *query, unsigned int split)
{
	static uint8_t octets[2 + MESSAGE_ROOM];
	size_t length = 2 + query->length, first = split == 3 ? length / 2 : split ? split : length;

	octets[0] = query->length >> 8;
	octets[1] = query->length & 0xff;
	memcpy(octets + 2, query->data, query->length);
	if (send(fd, octets, first, MSG_NOSIGNAL) < 0)
		return -errno;
	if (first == length)
		return 0;
	usleep(2000);
	return send(fd, octets + first, length - first, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int run_tcp(const struct vector *vector, unsigned int split)
{
	int fd = socket_connect(vector, SOCK_STREAM), failed = 0, code;
	ssize_t length;

	if (fd < 0)
		return complain(vector, "tcp", strerror(-fd));
	code = send_tcp(fd, &vector->query, split);
	length = code ? -1 : receive_tcp(fd, vector->reply.length ? PATIENCE : SILENCE);
	if (code)
		failed = complain(vector, "tcp", strerror(-code));
	else if (length > 0)
		failed = compare(vector, "tcp", received + 2, length);
	else if (vector->reply.length)
		failed = complain(vector, "tcp", length ? "no reply" : "connection closed without a reply");
	close(fd);
	return failed;
}

/* -- many queries on one connection, answered in any order (requirement 23) -- */

static const struct vector *find_reply(const struct vector **waiting, size_t count, size_t length, size_t *at)
{
	for (*at = 0; *at < count; ++*at)
		if (waiting[*at] && waiting[*at]->reply.length == length &&
		    !memcmp(waiting[*at]->reply.data, received + 2, length))
			return waiting[*at];
	return NULL;
}

/* Each reply must be that of a query still waiting; those that came are taken out of waiting[]. */
static int receive_batch(int fd, const struct vector *first, const struct vector **waiting, size_t count)
{
	size_t left, at;
	ssize_t length;

	for (left = count; left; left--) {
		length = receive_tcp(fd, PATIENCE);
		if (length <= 0)
			return complain(first, "pipelined from here", "fewer replies than queries");
		if (!find_reply(waiting, count, length, &at)) {
			complain(first, "pipelined from here", "a reply that no query of this connection has");
			print_messages(NULL, 0, received + 2, length);
			return 1;
		}
		waiting[at] = NULL;
	}
	return 0;
}

static void run_batch(const struct vector **waiting, size_t count, struct tally *tally)
{
	const struct vector *first = waiting[0];
	int fd = socket_connect(first, SOCK_STREAM), failed = 0;
	size_t i;

	if (fd < 0)
		failed = complain(first, "pipelined from here", strerror(-fd));
	for (i = 0; i < count && !failed; i++)
		if (send_tcp(fd, &waiting[i]->query, 0))
			failed = complain(waiting[i], "pipelined", strerror(errno));
	if (!failed)
		failed = receive_batch(fd, first, waiting, count);
	if (fd >= 0)
		close(fd);
	tally_count(tally, first, "pipelined from here", failed);
}

static void run_pipelined(const struct vectors *vectors, struct tally *tally)
{
	const struct vector *waiting[PIPELINED];
	size_t count = 0, i;

	for (i = 0; i <= vectors->count; i++) {
		const struct vector *vector = i < vectors->count ? &vectors->list[i] : NULL;

		if (vector && (!vector->query.data || !vector->reply.length || !(vector->via & VECTOR_TCP)))
			continue;
		if (count && (!vector || count == PIPELINED || vector->port != waiting[0]->port ||
			      memcmp(vector->client, waiting[0]->client, sizeof(vector->client)))) {
			if (count > 1)
				run_batch(waiting, count, tally);
			count = 0;
		}
		if (vector)
			waiting[count++] = vector;
	}
}
