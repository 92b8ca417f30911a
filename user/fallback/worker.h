/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker: a thread with sockets of its own on every server address, and the connections it took from them. */
#ifndef ECSDNS_FALLBACK_WORKER_H
#define ECSDNS_FALLBACK_WORKER_H

#include <stdint.h>

#include "user/fallback/generation.h"
#include "user/fallback/policy.h"

struct worker;

/*
 * Starts the thread. It listens at once on the addresses of the live generation, and on others when it is woken. Worker
 * 0 tells about addresses. 0 with *out, or -errno.
 */
int worker_start(struct generations *generations, const struct policy *policy, unsigned int number, uint16_t port,
		 struct worker **out);

/* The generation has changed, or the end has come: look. May be called by any thread. */
void worker_wake(struct worker *worker);

/* Lets it finish what it is at, and frees it. */
void worker_stop(struct worker *worker);

#endif
