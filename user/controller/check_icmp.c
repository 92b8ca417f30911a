// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * One echo request. Ping sockets do, where net.ipv4.ping_group_range has our group (it rules IPv6, too), and raw ones
 * with CAP_NET_RAW. Each is connected, so that it only hears its own target.
 */
#include "user/controller/check_kind.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TOKEN_OCTETS 16

/* ICMP and ICMPv6 have the same layout here (RFC 792, RFC 4443 4.1). */
struct echo {
	uint8_t type, code;
	uint16_t checksum;
	uint16_t id, sequence;
	uint8_t token[TOKEN_OCTETS];
};
_Static_assert(sizeof(struct echo) == 8 + TOKEN_OCTETS, "no padding");

struct ping {
	struct check check;
	bool is_raw;
	bool is_sent;
	struct echo request;
};

static bool ping_is4(const struct ping *ping)
{
	return ping->check.target.address.length == 4;
}

/* A raw socket would be handed a copy of every message there is. */
static void ping_filter(struct ping *ping, int file)
{
	struct icmp_filter {
		uint32_t data;
	} filter4 = {~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter filter6;

	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	if (ping_is4(ping))
		setsockopt(file, IPPROTO_RAW, 1 /* ICMP_FILTER, see raw(7) */, &filter4, sizeof(filter4));
	else
		setsockopt(file, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6));
}

static int ping_socket(struct ping *ping)
{
	int family = ping_is4(ping) ? AF_INET : AF_INET6, protocol = ping_is4(ping) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int file = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	ping->is_raw = file < 0 && (errno == EACCES || errno == EPERM || errno == EPROTONOSUPPORT);
	if (ping->is_raw)
		file = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (ping->is_raw && file >= 0)
		ping_filter(ping, file);
	return file;
}

static void ping_start(struct check *check)
{
	struct ping *ping = (struct ping *)check;
	int file = ping_socket(ping);

	if (file >= 0)
		check_connect_file(check, file, 0);
	else if (ping->is_raw && (errno == EACCES || errno == EPERM))
		check_over(check, CHECK_unable, "no ICMP: give CAP_NET_RAW, or the group in net.ipv4.ping_group_range");
	else
		check_over(check, CHECK_unable, "%s", strerror(errno));
}

/* RFC 1071; the kernel does it for ping sockets and for IPv6. */
static uint16_t ping_checksum(const struct echo *echo)
{
	const uint8_t *octets = (const uint8_t *)echo;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*echo); i += 2)
		sum += octets[i] << 8 | octets[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)));
}

static void ping_send(struct ping *ping)
{
	struct echo *request = &ping->request;

	request->type = ping_is4(ping) ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	request->sequence = htons(1);
	if (getrandom(request->token, TOKEN_OCTETS, GRND_NONBLOCK) != TOKEN_OCTETS)
		memcpy(request->token, &ping, sizeof(ping));
	request->id = (request->token[0] << 8) | request->token[1];	/* a ping socket has one of its own */
	request->checksum = ping_checksum(request);
	ping->is_sent = true;
	check_watch_for(&ping->check, UV_READABLE);
	if (send(ping->check.file, request, sizeof(*request), MSG_NOSIGNAL) < 0)
		check_over_errno(&ping->check, errno);
}

static void ping_receive(struct ping *ping)
{
	uint8_t octets[sizeof(struct echo) + 60];
	ssize_t got = recv(ping->check.file, octets, sizeof(octets), 0);
	size_t header = ping->is_raw && ping_is4(ping) ? (octets[0] & 15) * 4 : 0;
	struct echo reply;

	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			check_over_errno(&ping->check, errno);
		return;
	}
	if ((size_t)got < header + sizeof(reply))
		return;
	memcpy(&reply, octets + header, sizeof(reply));
	if (reply.type == (ping_is4(ping) ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
	    reply.sequence == ping->request.sequence && !memcmp(reply.token, ping->request.token, TOKEN_OCTETS))
		check_over(&ping->check, CHECK_ok, "ok");
}

static void ping_ready(struct check *check, int events)
{
	struct ping *ping = (struct ping *)check;

	(void)events;
	if (!ping->is_sent)
		ping_send(ping);
	else
		ping_receive(ping);
}

const struct check_kind check_icmp = {.size = sizeof(struct ping), .start = ping_start, .ready = ping_ready};
