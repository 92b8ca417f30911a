/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker: a thread with sockets of its own on every server address, and the connections it took from them. */
#ifndef ECSDNS_FALLBACK_WORKER_H
#define ECSDNS_FALLBACK_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "user/fallback/generation.h"
#include "user/fallback/policy.h"

/* What a worker is to do; it begins with the first. */
enum worker_order {
	WORKER_WAIT,	/* look at no socket yet */
	WORKER_SERVE,	/* the addresses of the live generation */
	WORKER_HOLD,	/* serve, but open and close nothing: another process has the sockets, too */
	WORKER_LEAVE,	/* the sockets are somebody else's now: serve the connections until they end, and end */
	WORKER_STOP,	/* answer what waits, finish what was read from connections, and end */
	WORKER_ENDED,	/* nobody orders this */
};

struct worker;

/*
 * Starts the thread, number `number`. `news`, an eventfd, is written to whenever it has done as ordered or its
 * addresses have changed. 0 or -errno.
 */
int worker_start(struct generations *generations, const struct policy *policy, unsigned int number, uint16_t port, int news,
		 struct worker **out);

/* One thread gives orders and asks for them. */
void worker_order(struct worker *worker, enum worker_order order);
/* Has it carried out the last order, which was this one? One that has ended has done whatever it was asked for. */
int worker_has_done(const struct worker *worker, enum worker_order order);

/* What follows may be called by any thread. */
uint32_t worker_rounds(const struct worker *worker);		/* moves whenever its loop does */
/* Server addresses there are, and on how many of them it has all its sockets. */
void worker_addresses(const struct worker *worker, uint32_t *wanted, uint32_t *open);

/* The generation has changed, or its loop shall move: look. */
void worker_wake(struct worker *worker);

/* Before the first order: gives it a socket, as endpoints_adopt(). */
int worker_adopt(struct worker *worker, int fd, const uint8_t address[16], int type);

/* While it holds: its sockets, as endpoints_sockets(). */
size_t worker_sockets(const struct worker *worker, int *fds, size_t room);

/* Waits for the end of the thread, which must have been ordered, and frees it. */
void worker_end(struct worker *worker);

#endif
