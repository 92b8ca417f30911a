/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All workers together. */
#ifndef ECSDNS_FALLBACK_CREW_H
#define ECSDNS_FALLBACK_CREW_H

#include "user/fallback/worker.h"

struct crew {
	struct worker *workers[FALLBACK_WORKERS_MAX];
	unsigned int count;
	uint32_t rounds[FALLBACK_WORKERS_MAX];	/* of each, when crew_has_moved() last said yes */
};

/* Starts so many workers, who wait for an order. 0, or -errno after a line in the log; crew_end() may follow either. */
int crew_start(struct crew *crew, struct generations *generations, const struct policy *policy, unsigned int count,
	       uint16_t port, int news);

/* Every loop shall move. May be called by any thread. */
void crew_wake(struct crew *crew);

void crew_order(struct crew *crew, enum worker_order order);
int crew_has_done(const struct crew *crew, enum worker_order order);	/* as worker_has_done() */

/* Has the loop of every worker that has not ended moved since this last said yes? */
int crew_has_moved(struct crew *crew);

/* Server addresses there are, and on how many of them every worker, or one at least, has its sockets. */
struct crew_addresses {
	uint32_t wanted, whole, some;
};
struct crew_addresses crew_addresses(const struct crew *crew);

/* While all hold: the sockets of all, one worker's after the other's, as worker_sockets(). */
size_t crew_sockets(const struct crew *crew, int *fds, size_t room);

/* Waits for all, who must have been ordered to end. */
void crew_end(struct crew *crew);

#endif
