// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/fallback/endpoints.h"
#include "user/fallback/sockets.h"
#include "user/fallback/tcp.h"
#include "user/fallback/udp.h"

#define EVENTS_AT_ONCE 64
/* Batches of one UDP socket before others get their turn. */
#define BATCHES_AT_ONCE 8

struct open_socket {
	int fd;
	int type;		/* SOCK_DGRAM, or SOCK_STREAM: listens */
	struct open_socket *next;
};

/* A server address. */
struct endpoint {
	uint8_t address[16];
	struct open_socket *sockets;
	int wanted;		/* by the live generation */
	int told;		/* that it could not be opened */
	struct endpoint *next;
};

static struct endpoint *endpoint_find(struct endpoints *endpoints, const uint8_t address[16]);
static int endpoint_add(struct endpoints *endpoints, struct endpoint *endpoint, int fd, int type);
static int endpoint_open(struct endpoints *endpoints, struct endpoint *endpoint);
static void endpoint_finish(struct endpoints *endpoints, struct endpoint *endpoint);
static void endpoint_close(struct endpoints *endpoints, struct endpoint *endpoint);

int endpoints_init(struct endpoints *endpoints)
{
	endpoints->epoll = epoll_create1(EPOLL_CLOEXEC);
	return endpoints->epoll < 0 ? -errno : 0;
}

void endpoints_free(struct endpoints *endpoints)
{
	while (endpoints->list) {
		struct endpoint *endpoint = endpoints->list;

		endpoints->list = endpoint->next;
		endpoint_close(endpoints, endpoint);
		free(endpoint);
	}
	if (endpoints->epoll >= 0)
		close(endpoints->epoll);
	endpoints->epoll = -1;
}

int endpoints_adopt(struct endpoints *endpoints, int fd, const uint8_t address[16], int type)
{
	struct endpoint *endpoint = endpoint_find(endpoints, address);

	return endpoint ? endpoint_add(endpoints, endpoint, fd, type) : -ENOMEM;
}

void endpoints_follow(struct endpoints *endpoints, const struct generation *generation)
{
	uint32_t wanted = generation ? generation->address_count : 0, open = 0;
	struct endpoint *endpoint, **where;

	for (endpoint = endpoints->list; endpoint; endpoint = endpoint->next)
		endpoint->wanted = 0;
	for (uint32_t i = 0; i < wanted; i++) {
		endpoint = endpoint_find(endpoints, generation->addresses[i]);
		if (!endpoint)
			continue;
		endpoint->wanted = 1;
		open += !endpoint_open(endpoints, endpoint);
	}
	for (where = &endpoints->list; *where;) {
		endpoint = *where;
		if (endpoint->wanted) {
			where = &endpoint->next;
			continue;
		}
		*where = endpoint->next;
		endpoint_finish(endpoints, endpoint);
		free(endpoint);
	}
	__atomic_store_n(&endpoints->open, open, __ATOMIC_RELAXED);
	__atomic_store_n(&endpoints->wanted, wanted, __ATOMIC_RELAXED);
}

void endpoints_serve(struct endpoints *endpoints)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(endpoints->epoll, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < count; i++) {
		struct open_socket *socket = events[i].data.ptr;

		if (socket->type == SOCK_STREAM)
			tcp_accept(endpoints->tcp, socket->fd);
		else
			for (int left = BATCHES_AT_ONCE; left && udp_receive(endpoints->udp, socket->fd, endpoints->serve); left--)
				;
	}
}

void endpoints_finish(struct endpoints *endpoints)
{
	for (struct endpoint *endpoint = endpoints->list; endpoint; endpoint = endpoint->next)
		endpoint_finish(endpoints, endpoint);
}

size_t endpoints_sockets(const struct endpoints *endpoints, int *fds, size_t room)
{
	size_t count = 0;

	for (const struct endpoint *endpoint = endpoints->list; endpoint; endpoint = endpoint->next) {
		for (const struct open_socket *socket = endpoint->sockets; socket; socket = socket->next) {
			if (count < room)
				fds[count] = socket->fd;
			count++;
		}
	}
	return count;
}

/* -- one address -- */

static struct endpoint *endpoint_find(struct endpoints *endpoints, const uint8_t address[16])
{
	struct endpoint *endpoint;

	for (endpoint = endpoints->list; endpoint; endpoint = endpoint->next)
		if (!memcmp(endpoint->address, address, sizeof(endpoint->address)))
			return endpoint;
	endpoint = calloc(1, sizeof(*endpoint));
	if (!endpoint)
		return NULL;
	memcpy(endpoint->address, address, sizeof(endpoint->address));
	endpoint->next = endpoints->list;
	endpoints->list = endpoint;
	return endpoint;
}

static int endpoint_has(const struct endpoint *endpoint, int type)
{
	const struct open_socket *socket = endpoint->sockets;

	while (socket && socket->type != type)
		socket = socket->next;
	return socket != NULL;
}

static int endpoint_add(struct endpoints *endpoints, struct endpoint *endpoint, int fd, int type)
{
	struct open_socket *socket = malloc(sizeof(*socket));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = socket };
	int code;

	if (!socket)
		return -ENOMEM;
	*socket = (struct open_socket){ .fd = fd, .type = type, .next = endpoint->sockets };
	if (epoll_ctl(endpoints->epoll, EPOLL_CTL_ADD, fd, &event)) {
		code = -errno;
		free(socket);
		return code;
	}
	endpoint->sockets = socket;
	return 0;
}

static int endpoint_open_one(struct endpoints *endpoints, struct endpoint *endpoint, int type)
{
	int fd, code;

	if (endpoint_has(endpoint, type))
		return 0;
	fd = socket_open(endpoint->address, endpoints->port, type);
	if (fd < 0)
		return fd;
	code = endpoint_add(endpoints, endpoint, fd, type);
	if (code)
		close(fd);
	return code;
}

/* Opens what is not open. One worker speaks for all. */
static int endpoint_open(struct endpoints *endpoints, struct endpoint *endpoint)
{
	int was_open = endpoint_has(endpoint, SOCK_DGRAM) && endpoint_has(endpoint, SOCK_STREAM), code;
	char text[SOCKETS_TEXT_OCTETS];

	if (was_open)
		return 0;
	code = endpoint_open_one(endpoints, endpoint, SOCK_DGRAM);
	if (!code)
		code = endpoint_open_one(endpoints, endpoint, SOCK_STREAM);
	socket_text(endpoint->address, endpoints->port, text);
	if (!code && !endpoints->serve->worker)
		log_info("listening on %s", text);
	if (code && !endpoint->told && !endpoints->serve->worker)
		log_error("cannot listen on %s: %s%s; trying on", text, strerror(-code),
			  code == -EACCES ? "; ports below 1024 need CAP_NET_BIND_SERVICE" :
			  code == -EADDRINUSE ? "; another program is there" : "");
	endpoint->told = code != 0;
	return code;
}

/* Who asked before the end is answered: it was sent to an address of ours. What comes meanwhile is not waited for. */
static void endpoint_finish(struct endpoints *endpoints, struct endpoint *endpoint)
{
	for (struct open_socket *socket = endpoint->sockets; socket; socket = socket->next) {
		int more = 1;

		for (int i = 0; more && i < UDP_BATCHES_WAITING && socket->type == SOCK_DGRAM; i++)
			more = udp_receive(endpoints->udp, socket->fd, endpoints->serve);
		for (int i = 0; more && i < TCP_ACCEPTS_WAITING && socket->type == SOCK_STREAM; i++)
			more = tcp_accept(endpoints->tcp, socket->fd);
	}
	endpoint_close(endpoints, endpoint);
}

/* An open file stays in the set beyond its descriptor if another process holds it, too. */
static void endpoint_close(struct endpoints *endpoints, struct endpoint *endpoint)
{
	struct open_socket *socket;

	while ((socket = endpoint->sockets)) {
		endpoint->sockets = socket->next;
		epoll_ctl(endpoints->epoll, EPOLL_CTL_DEL, socket->fd, NULL);
		close(socket->fd);
		free(socket);
	}
}
