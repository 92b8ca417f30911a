// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/fallback/clock.h"
#include "user/fallback/sockets.h"
#include "user/fallback/tcp.h"

/* A message and its length (RFC 1035 4.2.2). */
#define FRAME_OCTETS_MAX (2 + 65535)
/* Replies waiting for a slow reader; beyond this its queries are left where they are. */
#define PENDING_OCTETS (64 * 1024)
/* Most messages are small: a connection begins with this much room for either direction. */
#define INPUT_OCTETS_FIRST 2048
#define OUTPUT_OCTETS_FIRST 2048
/* Reads made before others get their turn; in the last turn everything that has arrived counts, within reason. */
#define READS_AT_ONCE 8
#define READS_LAST 64
/* What is read and thrown away at once of a client that talks on. */
#define DISCARD_OCTETS 16384

struct connection {
	int fd;				/* -1: closed, to be reaped */
	uint32_t events;		/* epoll's */
	int at_end;			/* the client has said all it will */
	int is_last;			/* it may say more, which nobody will read */
	int is_shut;			/* we have said all we will; left is to wait until the client knows */
	struct client client;
	uint8_t *input;
	uint32_t input_length, input_room;
	uint8_t *output;		/* allocated when there is something to say */
	uint32_t output_at, output_length, output_room;	/* written so far; octets in all */
	int64_t active;			/* when a query or a reply last went through, in milliseconds */
	struct connection *before, *after;	/* in the order of `active` */
};

struct tcp {
	const struct policy *policy;
	int epoll;
	struct connection *oldest, *newest;
	struct connection *closed;	/* linked by `after` */
	int is_finishing;
	struct message message;
};

static void connection_new(struct tcp *tcp, int fd, const struct client *client);
static void connection_close(struct tcp *tcp, struct connection *connection);
static void connection_touch(struct tcp *tcp, struct connection *connection);
static int connection_read(struct connection *connection);
static int connection_proceed(struct tcp *tcp, struct connection *connection, struct serve *serve);
static int connection_write(struct tcp *tcp, struct connection *connection);
static int connection_wait(struct tcp *tcp, struct connection *connection);
static void connection_discard(struct tcp *tcp, struct connection *connection);

struct tcp *tcp_new(int epoll, const struct policy *policy)
{
	struct tcp *tcp = calloc(1, sizeof(*tcp));

	if (!tcp)
		return NULL;
	tcp->epoll = epoll;
	tcp->policy = policy;
	return tcp;
}

void tcp_free(struct tcp *tcp)
{
	if (!tcp)
		return;
	while (tcp->oldest)
		connection_close(tcp, tcp->oldest);
	tcp_reap(tcp);
	free(tcp);
}

/* The connection that has been idle longest, of this client's network if `client` is given; null if there is none. */
static struct connection *connection_idlest(const struct tcp *tcp, const struct client *client)
{
	struct connection *connection = tcp->oldest;

	while (connection && client && !census_same_network(&connection->client, client))
		connection = connection->after;
	return connection;
}

/* A place for the client, which another connection may have to give up. 0, or -errno: none is to be had from this worker. */
static int make_place(struct tcp *tcp, const struct client *client)
{
	int code = census_enter(tcp->policy->census, client);
	struct connection *idlest = code ? connection_idlest(tcp, code == -EDQUOT ? client : NULL) : NULL;

	if (!idlest)
		return code;
	connection_close(tcp, idlest);
	return census_enter(tcp->policy->census, client);
}

int tcp_accept(struct tcp *tcp, int listener)
{
	struct client client;

	for (unsigned int i = 0; i < TCP_ACCEPTS_AT_ONCE; i++) {
		int fd = socket_accept(listener, &client);

		if ((fd == -EMFILE || fd == -ENFILE) && tcp->oldest)
			connection_close(tcp, tcp->oldest);
		else if (fd < 0 && fd != -EINTR && fd != -ECONNABORTED)
			return 0;
		if (fd < 0)
			continue;
		client.tcp = 1;
		if (make_place(tcp, &client))
			close(fd);
		else
			connection_new(tcp, fd, &client);
	}
	return 1;
}

/*
 * Reading stops while replies wait to be taken, so that a client that never reads holds no more than one buffer of
 * ours; the kernel then slows it down.
 */
static void connection_turn(struct tcp *tcp, struct connection *connection, struct serve *serve, int reads)
{
	int code = 0, more = 1;

	for (int i = 0; !code && more && i < reads; i++) {
		more = connection_read(connection);
		code = more < 0 ? more : connection_proceed(tcp, connection, serve);
		if (connection->output_length)
			more = 0;
	}
	if (!code)
		code = connection_wait(tcp, connection);
	if (code)
		connection_close(tcp, connection);
}

void tcp_event(struct tcp *tcp, struct connection *connection, uint32_t events, struct serve *serve)
{
	if (connection->fd < 0)
		return;
	if (connection->is_shut)
		connection_discard(tcp, connection);
	else if (events & EPOLLERR)
		connection_close(tcp, connection);
	else
		connection_turn(tcp, connection, serve, READS_AT_ONCE);
}

void tcp_finish(struct tcp *tcp, struct serve *serve)
{
	struct connection *connection = tcp->oldest, *newest = tcp->newest, *next;

	tcp->is_finishing = 1;
	for (; connection; connection = next) {
		next = connection == newest ? NULL : connection->after;	/* an answer moves it behind the newest */
		connection_turn(tcp, connection, serve, READS_LAST);
		connection->is_last = 1;
	}
}

int tcp_is_empty(const struct tcp *tcp)
{
	return !tcp->oldest;
}

void tcp_expire(struct tcp *tcp)
{
	int64_t limit = clock_ms() - tcp->policy->tcp_idle_ms;

	while (tcp->oldest && tcp->oldest->active < limit)
		connection_close(tcp, tcp->oldest);
}

void tcp_reap(struct tcp *tcp)
{
	struct connection *connection, *after;

	for (connection = tcp->closed; connection; connection = after) {
		after = connection->after;
		free(connection);
	}
	tcp->closed = NULL;
}

/* -- connections -- */

static void connection_link(struct tcp *tcp, struct connection *connection)
{
	connection->active = clock_ms();
	connection->after = NULL;
	connection->before = tcp->newest;
	if (tcp->newest)
		tcp->newest->after = connection;
	else
		tcp->oldest = connection;
	tcp->newest = connection;
}

static void connection_unlink(struct tcp *tcp, struct connection *connection)
{
	if (connection->before)
		connection->before->after = connection->after;
	else
		tcp->oldest = connection->after;
	if (connection->after)
		connection->after->before = connection->before;
	else
		tcp->newest = connection->before;
}

static void connection_touch(struct tcp *tcp, struct connection *connection)
{
	connection_unlink(tcp, connection);
	connection_link(tcp, connection);
}

static void connection_new(struct tcp *tcp, int fd, const struct client *client)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

	if (!connection || epoll_ctl(tcp->epoll, EPOLL_CTL_ADD, fd, &event)) {
		free(connection);
		close(fd);
		census_leave(tcp->policy->census, client);
		return;
	}
	connection->fd = fd;
	connection->events = event.events;
	connection->client = *client;
	connection_link(tcp, connection);
}

static void connection_close(struct tcp *tcp, struct connection *connection)
{
	connection_unlink(tcp, connection);
	close(connection->fd);
	free(connection->input);
	free(connection->output);
	connection->fd = -1;
	connection->input = connection->output = NULL;
	connection->after = tcp->closed;
	tcp->closed = connection;
	census_leave(tcp->policy->census, &connection->client);
}

/* Octets that the message at the front needs to be whole. */
static uint32_t frame_octets(const struct connection *connection)
{
	return connection->input_length < 2 ? 2 : 2u + (connection->input[0] << 8 | connection->input[1]);
}

static int input_make_room(struct connection *connection)
{
	uint32_t room = frame_octets(connection) > INPUT_OCTETS_FIRST ? FRAME_OCTETS_MAX : INPUT_OCTETS_FIRST;
	uint8_t *input;

	if (connection->input_room >= room)
		return 0;
	input = realloc(connection->input, room);
	if (!input)
		return -ENOMEM;
	connection->input = input;
	connection->input_room = room;
	return 0;
}

/* Returns 1 if there may be more to read, 0 if not now, -errno if the connection is of no more use. */
static int connection_read(struct connection *connection)
{
	uint32_t room;
	ssize_t got;

	if (connection->at_end || connection->is_last || connection->output_length >= PENDING_OCTETS)
		return 0;
	if (input_make_room(connection))
		return -ENOMEM;
	room = connection->input_room - connection->input_length;
	if (!room)
		return 1;
	got = recv(connection->fd, connection->input + connection->input_length, room, 0);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!got)
		connection->at_end = 1;
	connection->input_length += got;
	return got == (ssize_t)room;
}

static int output_append(struct connection *connection, const uint8_t *octets, uint32_t length)
{
	uint32_t need = connection->output_length + 2 + length, room = connection->output_room;
	uint8_t *to;

	if (need > room) {
		for (room = room ? room : OUTPUT_OCTETS_FIRST; room < need; room *= 2)
			;
		to = realloc(connection->output, room);
		if (!to)
			return -ENOMEM;
		connection->output = to;
		connection->output_room = room;
	}
	to = connection->output + connection->output_length;
	to[0] = length >> 8;
	to[1] = length & 0xff;
	memcpy(to + 2, octets, length);
	connection->output_length += 2 + length;
	return 0;
}

/* Answers the whole messages that were read, as far as there is room for replies. */
static int connection_answer(struct tcp *tcp, struct connection *connection, struct serve *serve)
{
	uint32_t at = 0, length, octets;
	int code = 0;

	while (!code && connection->input_length - at >= 2 && connection->output_length < PENDING_OCTETS) {
		length = connection->input[at] << 8 | connection->input[at + 1];
		if (connection->input_length - at - 2 < length)
			break;
		memcpy(tcp->message.octets, connection->input + at + 2, length);
		at += 2 + length;
		octets = serve_query(serve, &tcp->message, length, &connection->client);
		if (octets) {
			code = output_append(connection, tcp->message.octets, octets);
		} else {
			/* A response or less than a header: no client says so. What was asked before is still answered. */
			connection->is_last = 1;
			at = connection->input_length;
		}
	}
	if (at) {
		connection->input_length -= at;
		memmove(connection->input, connection->input + at, connection->input_length);
		connection_touch(tcp, connection);
	}
	return code;
}

/* What was read in one piece can take several rounds of replies. */
static int connection_proceed(struct tcp *tcp, struct connection *connection, struct serve *serve)
{
	int code;

	do {
		code = connection_answer(tcp, connection, serve);
		if (!code)
			code = connection_write(tcp, connection);
	} while (!code && !connection->output_length && connection->input_length >= frame_octets(connection));
	return code;
}

/* All replies in one piece, as long as the client takes them. */
static int connection_write(struct tcp *tcp, struct connection *connection)
{
	ssize_t sent;

	while (connection->output_at < connection->output_length) {
		sent = send(connection->fd, connection->output + connection->output_at,
			    connection->output_length - connection->output_at, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		connection->output_at += sent;
		connection_touch(tcp, connection);
	}
	connection->output_at = connection->output_length = connection->output_room = 0;
	free(connection->output);
	connection->output = NULL;
	return 0;
}

/*
 * What to wait for next. -EPIPE when there is nothing left to do for a client that has closed its side. When all is to
 * end, or the client has sent what is no message, ours is closed first: the client sees the end behind its replies. Closing
 * with octets unread would reset the connection and could take the replies along.
 */
static int connection_wait(struct tcp *tcp, struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

	if (connection->output_length)
		event.events = EPOLLOUT;
	else if (connection->at_end)
		return -EPIPE;
	else if ((tcp->is_finishing || connection->is_last) && shutdown(connection->fd, SHUT_WR))
		return -errno;
	connection->is_shut = (tcp->is_finishing || connection->is_last) && !connection->output_length;
	if (event.events == connection->events)
		return 0;
	if (epoll_ctl(tcp->epoll, EPOLL_CTL_MOD, connection->fd, &event))
		return -errno;
	connection->events = event.events;
	return 0;
}

static void connection_discard(struct tcp *tcp, struct connection *connection)
{
	uint8_t octets[DISCARD_OCTETS];
	ssize_t got = recv(connection->fd, octets, sizeof(octets), 0);

	if (!got || (got < 0 && errno != EAGAIN && errno != EINTR))
		connection_close(tcp, connection);
}
