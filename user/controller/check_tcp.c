// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* memmem() */
/* A connection is made; maybe a text is sent, and another awaited. */
#include "user/controller/check_kind.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

struct tcp {
	struct check check;
	bool is_connected;
	size_t sent, received;
	char reply[CONFIG_EXPECT_OCTETS_MAX];
};

static void tcp_start(struct check *check)
{
	check_connect(check, SOCK_STREAM, IPPROTO_TCP, check->target.check->port);
}

/* False: over, or not yet. */
static bool tcp_connected(struct tcp *tcp)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (tcp->is_connected)
		return true;
	getsockopt(tcp->check.file, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		check_over_errno(&tcp->check, error);
	tcp->is_connected = !error;
	return !error;
}

/* Likewise: all is sent. */
static bool tcp_sent(struct tcp *tcp)
{
	const char *text = tcp->check.target.check->send;
	size_t length = text ? strlen(text) : 0;
	ssize_t sent;

	if (tcp->sent >= length)
		return true;
	sent = send(tcp->check.file, text + tcp->sent, length - tcp->sent, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		check_over_errno(&tcp->check, errno);
	tcp->sent += sent > 0 ? sent : 0;
	return tcp->sent == length;
}

static void tcp_receive(struct tcp *tcp)
{
	const char *expect = tcp->check.target.check->expect;
	ssize_t got = recv(tcp->check.file, tcp->reply + tcp->received, sizeof(tcp->reply) - tcp->received, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		check_over_errno(&tcp->check, errno);
		return;
	}
	tcp->received += got;
	if (memmem(tcp->reply, tcp->received, expect, strlen(expect)))
		check_over(&tcp->check, CHECK_ok, "ok");
	else if (!got && !tcp->received)
		check_over(&tcp->check, CHECK_closed, "closed without a reply");
	else if (!got || tcp->received == sizeof(tcp->reply))
		check_over(&tcp->check, CHECK_content, "reply does not have what was expected");
}

/* Nothing was said and nothing is owed: a reset leaves neither end a connection in TIME_WAIT, every few seconds. */
static void tcp_reset(struct tcp *tcp)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(tcp->check.file, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void tcp_ready(struct check *check, int events)
{
	struct tcp *tcp = (struct tcp *)check;

	if (!tcp_connected(tcp) || !tcp_sent(tcp))
		return;
	if (!check->target.check->expect) {
		if (!check->target.check->send)
			tcp_reset(tcp);
		check_over(check, CHECK_ok, "ok");
		return;
	}
	check_watch_for(check, UV_READABLE);
	if (events & UV_READABLE)
		tcp_receive(tcp);
}

const struct check_kind check_tcp = {.size = sizeof(struct tcp), .start = tcp_start, .ready = tcp_ready};
