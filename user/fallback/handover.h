/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a new process takes over from an old one without losing a query: it gets the very sockets (SCM_RIGHTS), with what is
 * queued in them. Messages over the control socket:
 *
 *	new process (take.c)			old process (give.c)
 *	HELLO			->
 *						workers hold: no socket is opened or closed
 *			<-		OFFER, SOCKETS, SOCKETS ...
 *	workers are ready, none reads yet
 *	READY			->
 *			<-		RELEASED
 *	workers serve and hold, for a moment on trial; both processes answer
 *	SETTLED			->
 *						workers finish their connections and end
 *
 * If either ends at any point, the other finds the end of the connection and goes on with the sockets, which both have
 * until SETTLED. At no time does nobody read them: a new process that hangs while on trial takes along only what it has read.
 * One that is told to stop then closes the connection when its workers have answered that.
 */
#ifndef ECSDNS_FALLBACK_HANDOVER_H
#define ECSDNS_FALLBACK_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#define HANDOVER_MAGIC 0x46534345	/* "ECSF" */
#define HANDOVER_VERSION 1
/* The kernel passes 253 at most. */
#define HANDOVER_SOCKETS_AT_ONCE 128

enum handover_kind {
	HANDOVER_HELLO = 1,
	HANDOVER_OFFER,		/* with the listening control socket; count: sockets that follow */
	HANDOVER_SOCKETS,	/* with `count` of them */
	HANDOVER_READY,
	HANDOVER_RELEASED,
	HANDOVER_SETTLED,
	HANDOVER_REFUSED,	/* the old one goes on, and why */
};

/* In every version the first two fields are these. */
struct handover_message {
	uint32_t magic;
	uint32_t version;
	uint32_t kind;
	uint32_t process;
	uint32_t count;
	char why[236];		/* text */
};

/*
 * Both fill in or judge magic and version; the first fills in the process. Descriptors in `fds` stay the sender's. 0 or
 * -errno.
 */
int handover_send(int fd, const struct handover_message *message, const int *fds, size_t count);
/* Says REFUSED, if it gets there. */
void handover_refuse(int fd, const char *why);

/*
 * One message, with at most `room` descriptors, close-on-exec, which are the caller's; *count says how many. 0 or -errno:
 * -EPIPE the other end has closed, -EAGAIN, -EPROTONOSUPPORT another version, told in `message`, -EPROTO no such message or
 * more descriptors than there is room for, -EMFILE more than the process may have open.
 */
int handover_receive(int fd, struct handover_message *message, int *fds, size_t room, size_t *count);

#endif
