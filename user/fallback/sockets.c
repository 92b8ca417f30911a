// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* accept4() */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/fallback/sockets.h"

/* Pending connections; the kernel cuts it to net.core.somaxconn. */
#define LISTEN_BACKLOG 1024
/* A burst of a few thousand queries waits here while a worker is busy; the kernel cuts it to net.core.rmem_max. */
#define UDP_BUFFER_OCTETS (4 << 20)

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static int is_mapped(const uint8_t address[16])
{
	return !memcmp(address, mapped_prefix, sizeof(mapped_prefix));
}

static socklen_t socket_address(const uint8_t address[16], uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (is_mapped(address)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, address, 16);
	return sizeof(*v6);
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/*
 * FREEBIND: an address may come later, or move here with VRRP. Path MTU is not learned for UDP: replies are small, and
 * forged ICMP cannot shrink them (RFC 8900, draft-ietf-dnsop-avoid-fragmentation).
 */
static int socket_options(int fd, int family, int type)
{
	int code = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);

	if (!code && type == SOCK_STREAM)
		code = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!code && family == AF_INET)
		code = set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (!code && family == AF_INET6)
		code = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!code && family == AF_INET6)
		code = set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	if (code || type != SOCK_DGRAM)
		return code;
	set(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_OCTETS);
	if (family == AF_INET)
		return set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	return set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
}

int socket_open(const uint8_t address[16], uint16_t port, int type)
{
	int family = is_mapped(address) ? AF_INET : AF_INET6, code;
	struct sockaddr_storage at;
	socklen_t length = socket_address(address, port, &at);
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	code = socket_options(fd, family, type);
	if (!code && bind(fd, (const struct sockaddr *)&at, length))
		code = -errno;
	if (!code && type == SOCK_STREAM && listen(fd, LISTEN_BACKLOG))
		code = -errno;
	if (!code)
		return fd;
	close(fd);
	return code;
}

static int get(int fd, int level, int option, int *value)
{
	socklen_t length = sizeof(*value);

	return getsockopt(fd, level, option, value, &length) ? -errno : 0;
}

int socket_facts(int fd, uint8_t address[16], uint16_t *port, int *type)
{
	struct sockaddr_storage at = { 0 };
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&at;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at;
	socklen_t length = sizeof(at);
	int listens = 0, code = get(fd, SOL_SOCKET, SO_TYPE, type);

	if (!code)
		code = get(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens);
	if (!code && getsockname(fd, (struct sockaddr *)&at, &length))
		code = -errno;
	if (code)
		return code;
	if (*type != SOCK_DGRAM && (*type != SOCK_STREAM || !listens))
		return -EPROTOTYPE;
	if (at.ss_family == AF_INET) {
		memcpy(address, mapped_prefix, sizeof(mapped_prefix));
		memcpy(address + sizeof(mapped_prefix), &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
	} else if (at.ss_family == AF_INET6) {
		memcpy(address, &v6->sin6_addr, 16);
		*port = ntohs(v6->sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	return 0;
}

int socket_accept(int listener, struct client *client)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	int fd = accept4(listener, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC), code;

	if (fd < 0)
		return -errno;
	code = socket_client(&from, client);
	if (!code)
		code = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!code)
		return fd;
	close(fd);
	return code == -EINVAL ? -ECONNABORTED : code;
}

int socket_client(const struct sockaddr_storage *from, struct client *client)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	memset(client, 0, sizeof(*client));
	switch (from->ss_family) {
	case AF_INET:
		client->family = ECS_FAMILY_IPV4;
		client->port = ntohs(v4->sin_port);
		memcpy(client->address, &v4->sin_addr, 4);
		break;
	case AF_INET6:
		client->family = ECS_FAMILY_IPV6;
		client->port = ntohs(v6->sin6_port);
		memcpy(client->address, &v6->sin6_addr, 16);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	return client->port ? 0 : -EINVAL;
}

const char *socket_text(const uint8_t address[16], uint16_t port, char text[SOCKETS_TEXT_OCTETS])
{
	char host[INET6_ADDRSTRLEN];

	if (is_mapped(address))
		snprintf(text, SOCKETS_TEXT_OCTETS, "%s:%u", inet_ntop(AF_INET, address + 12, host, sizeof(host)), port);
	else
		snprintf(text, SOCKETS_TEXT_OCTETS, "[%s]:%u", inet_ntop(AF_INET6, address, host, sizeof(host)), port);
	return text;
}
