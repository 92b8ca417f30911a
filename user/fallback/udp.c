// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* recvmmsg() */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/fallback/sockets.h"
#include "user/fallback/udp.h"

/* Messages of one system call. Each has a buffer for the largest there is; memory is touched only as far as they go. */
#define BATCH 16
/* Buffers of nearly a power of two would have their first octets, which are all most of them use, in the same few cache sets. */
#define STAGGER_OCTETS 304

struct buffer {
	struct message message;
	uint8_t stagger[STAGGER_OCTETS];
};

_Static_assert(BATCH * UDP_BATCHES_WAITING > (8 << 20) / 768, "the last turns take all that waits");
_Static_assert(sizeof(struct buffer) % 4096 == 320, "five cache lines between the first octets of one and the next");

struct udp {
	struct mmsghdr received[BATCH];
	struct mmsghdr replies[BATCH];
	struct iovec received_vectors[BATCH];
	struct iovec reply_vectors[BATCH];
	struct sockaddr_storage from[BATCH];
	struct buffer buffers[BATCH];
};

static void send_replies(struct udp *udp, int fd, unsigned int count);

struct udp *udp_new(void)
{
	return calloc(1, sizeof(struct udp));
}

void udp_free(struct udp *udp)
{
	free(udp);
}

/* The kernel overwrites lengths, so that they are set anew for every batch. */
static void prepare(struct udp *udp)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		udp->received_vectors[i].iov_base = udp->buffers[i].message.octets;
		udp->received_vectors[i].iov_len = 65535;
		udp->received[i].msg_hdr = (struct msghdr){
			.msg_name = &udp->from[i], .msg_namelen = sizeof(udp->from[i]),
			.msg_iov = &udp->received_vectors[i], .msg_iovlen = 1,
		};
	}
}

int udp_receive(struct udp *udp, int fd, struct serve *serve)
{
	unsigned int replies = 0;
	int count;

	prepare(udp);
	count = recvmmsg(fd, udp->received, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		struct client client;
		uint32_t octets;

		if (socket_client(&udp->from[i], &client))
			continue;
		octets = serve_query(serve, &udp->buffers[i].message, udp->received[i].msg_len, &client);
		if (!octets)
			continue;
		udp->reply_vectors[replies].iov_base = udp->buffers[i].message.octets;
		udp->reply_vectors[replies].iov_len = octets;
		udp->replies[replies].msg_hdr = (struct msghdr){
			.msg_name = &udp->from[i], .msg_namelen = udp->received[i].msg_hdr.msg_namelen,
			.msg_iov = &udp->reply_vectors[replies], .msg_iovlen = 1,
		};
		replies++;
	}
	send_replies(udp, fd, replies);
	return count == BATCH;
}

/* One that cannot be sent (no route, a full queue) is lost, as on any network; the others go. */
static void send_replies(struct udp *udp, int fd, unsigned int count)
{
	unsigned int at = 0;

	while (at < count) {
		int sent = sendmmsg(fd, udp->replies + at, count - at, MSG_DONTWAIT);

		if (sent > 0)
			at += sent;
		else if (errno != EINTR)
			at++;
	}
}
