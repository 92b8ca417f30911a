/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sockets of one worker: on every server address one for UDP and one that listens for TCP, or several, if they were
 * taken over from a process with more workers. A socket is never left open with nobody reading it: the kernel hands
 * queries to each (SO_REUSEPORT).
 */
#ifndef ECSDNS_FALLBACK_ENDPOINTS_H
#define ECSDNS_FALLBACK_ENDPOINTS_H

#include <stddef.h>
#include <stdint.h>

#include "user/fallback/generation.h"
#include "user/fallback/serve.h"

struct udp;
struct tcp;

struct endpoints {
	/* the worker's, which answer */
	struct udp *udp;
	struct tcp *tcp;
	struct serve *serve;
	uint16_t port;

	int epoll;		/* readable when one of the sockets is */
	struct endpoint *list;
	uint32_t wanted, open;	/* addresses of the live generation, and how many of them have all their sockets */
};

/* The first five fields are the caller's. 0 or -errno; endpoints_free() may follow either. */
int endpoints_init(struct endpoints *endpoints);
/* Closes what is open. Whatever waits in the sockets is somebody else's, or lost. */
void endpoints_free(struct endpoints *endpoints);

/* Takes a socket that is open already: as socket_facts() has judged it. 0 and it is theirs, or -errno. */
int endpoints_adopt(struct endpoints *endpoints, int fd, const uint8_t address[16], int type);

/* Goes where the live generation (null: nowhere) is. New addresses are opened before old ones are closed. */
void endpoints_follow(struct endpoints *endpoints, const struct generation *generation);

/* Some socket is readable: answers queries, takes connections. */
void endpoints_serve(struct endpoints *endpoints);

/* Answers what waits in the sockets, takes the connections that do, and closes them. */
void endpoints_finish(struct endpoints *endpoints);

/* How many sockets there are; the first `room` of them are written to fds. */
size_t endpoints_sockets(const struct endpoints *endpoints, int *fds, size_t room);

#endif
