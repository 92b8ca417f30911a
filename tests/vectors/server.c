// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The vectors to a live server, over UDP and TCP, from the addresses and ports they name: the draw of selection and
 * the answer to queries without a client subnet depend on them. The addresses must stand on an interface of this host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vectors/connect.h"
#include "tests/vectors/print.h"
#include "tests/vectors/run.h"

#define PATIENCE 3000		/* milliseconds for a reply that must come */
#define SILENCE 200		/* for one that must not */
#define PIPELINED 40		/* queries on one connection at once */

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
	struct ends ends = vector_ends(vector);
	int fd = ends_connect(&ends, SOCK_DGRAM), failed = 0;
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

static int run_tcp(const struct vector *vector, unsigned int split)
{
	struct ends ends = vector_ends(vector);
	int fd = ends_connect(&ends, SOCK_STREAM), failed = 0, code;
	ssize_t length;

	if (fd < 0)
		return complain(vector, "tcp", strerror(-fd));
	code = tcp_send(fd, vector->query.data, vector->query.length, split);
	length = code ? -1 : tcp_receive(fd, vector->reply.length ? PATIENCE : SILENCE, received);
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
		length = tcp_receive(fd, PATIENCE, received);
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
	struct ends ends = vector_ends(first);
	int fd = ends_connect(&ends, SOCK_STREAM), failed = 0;
	size_t i;

	if (fd < 0)
		failed = complain(first, "pipelined from here", strerror(-fd));
	for (i = 0; i < count && !failed; i++)
		if (tcp_send(fd, waiting[i]->query.data, waiting[i]->query.length, 0))
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
