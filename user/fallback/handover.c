// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/fallback/handover.h"

_Static_assert(sizeof(struct handover_message) == 256, "a message is as long in every compiler");

union rights {
	struct cmsghdr header;
	char octets[CMSG_SPACE(HANDOVER_SOCKETS_AT_ONCE * sizeof(int))];
};

int handover_send(int fd, const struct handover_message *message, const int *fds, size_t count)
{
	struct handover_message copy = *message;
	struct iovec vector = { .iov_base = &copy, .iov_len = sizeof(copy) };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
	union rights rights;

	copy.magic = HANDOVER_MAGIC;
	copy.version = HANDOVER_VERSION;
	copy.process = getpid();
	if (count) {
		memset(&rights, 0, sizeof(rights));
		rights.header.cmsg_level = SOL_SOCKET;
		rights.header.cmsg_type = SCM_RIGHTS;
		rights.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&rights.header), fds, count * sizeof(int));
		header.msg_control = &rights;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(fd, &header, MSG_NOSIGNAL) == sizeof(copy) ? 0 : -errno;
}

void handover_refuse(int fd, const char *why)
{
	struct handover_message refusal = { .kind = HANDOVER_REFUSED };

	snprintf(refusal.why, sizeof(refusal.why), "%s", why);
	handover_send(fd, &refusal, NULL, 0);
}

/* How many came; those that there is no room for are closed. */
static size_t take_rights(struct msghdr *header, int *fds, size_t room)
{
	struct cmsghdr *each;
	size_t count = 0;

	for (each = CMSG_FIRSTHDR(header); each; each = CMSG_NXTHDR(header, each)) {
		if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= each->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, (char *)each + at, sizeof(fd));
			if (count++ < room)
				fds[count - 1] = fd;
			else
				close(fd);
		}
	}
	return count;
}

static int judge(const struct msghdr *header, ssize_t octets, struct handover_message *message)
{
	if (octets < (ssize_t)(2 * sizeof(uint32_t)) || message->magic != HANDOVER_MAGIC)
		return -EPROTO;
	if (message->version != HANDOVER_VERSION)
		return -EPROTONOSUPPORT;
	if (octets != sizeof(*message) || header->msg_flags & MSG_TRUNC)
		return -EPROTO;
	if (header->msg_flags & MSG_CTRUNC)
		return -EMFILE;
	message->why[sizeof(message->why) - 1] = 0;
	return 0;
}

int handover_receive(int fd, struct handover_message *message, int *fds, size_t room, size_t *count)
{
	struct iovec vector = { .iov_base = message, .iov_len = sizeof(*message) };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
	union rights rights;
	ssize_t octets;
	int code, tries = 0;
	size_t came;

	if (room) {
		header.msg_control = &rights;
		header.msg_controllen = sizeof(rights);
	}
	*count = 0;
	/* A reset is told before what was sent before it. */
	do {
		octets = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (octets < 0 && errno == ECONNRESET && !tries++);
	if (octets < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	came = take_rights(&header, fds, room);
	*count = came < room ? came : room;
	code = octets ? judge(&header, octets, message) : -EPIPE;
	if (!code && came > room)
		code = -EPROTO;
	while (code && *count)
		close(fds[--*count]);
	return code;
}
