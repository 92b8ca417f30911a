// SPDX-License-Identifier: GPL-3.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vectors/connect.h"

#define PATIENCE_SECONDS 3

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

int ends_connect(const struct ends *ends, int type)
{
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage address;
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	socklen_t length;
	int one = 1, fd;

	fd = socket(ends->version == 4 ? AF_INET : AF_INET6, type, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (type == SOCK_STREAM) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	length = socket_address(&address, ends->version, ends->client, ends->port);
	if (bind(fd, (struct sockaddr *)&address, length))
		goto failed;
	length = socket_address(&address, ends->version, ends->server, DNS_PORT);
	if (connect(fd, (struct sockaddr *)&address, length))
		goto failed;
	return fd;
failed:
	one = -errno;
	close(fd);
	return one;
}

int readable(int fd, int milliseconds)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, milliseconds) == 1;
}

/* Behind its first octet, behind its length, or in the middle (requirement 23). */
int tcp_send(int fd, const uint8_t *message, size_t length, unsigned int split)
{
	static uint8_t octets[2 + MESSAGE_ROOM];
	size_t whole = 2 + length, first = split == 3 ? whole / 2 : split ? split : whole;

	octets[0] = length >> 8;
	octets[1] = length & 0xff;
	memcpy(octets + 2, message, length);
	if (send(fd, octets, first, MSG_NOSIGNAL) < 0)
		return -errno;
	if (first == whole)
		return 0;
	usleep(2000);
	return send(fd, octets + first, whole - first, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t tcp_receive(int fd, int milliseconds, uint8_t *received)
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
