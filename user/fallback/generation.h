/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a generation is to the fallback beside the tables: its zones and the addresses to answer on. A thread watches
 * the generation in the control table, loads what belongs to it, and puts it in the place of the old one.
 *
 * Workers hold a generation while they answer one message. Nobody waits: a worker announces what it uses in a place of
 * its own, and what is announced is not freed, however long the worker sleeps.
 */
#ifndef ECSDNS_FALLBACK_GENERATION_H
#define ECSDNS_FALLBACK_GENERATION_H

#include <pthread.h>
#include <stdint.h>

#include "user/common/tables.h"
#include "user/common/zone.h"

struct shared_zones;

/* Who may hold a generation: the workers by their numbers, and the main thread. */
#define GENERATION_HOLDER_MAIN FALLBACK_WORKERS_MAX
#define GENERATION_HOLDERS (FALLBACK_WORKERS_MAX + 1)

struct generation {
	uint32_t number;
	uint32_t zones_number;		/* generation the zones are of: an older one if this one's did not load */
	const struct zone_set *zones;	/* null: none have ever loaded */
	uint8_t (*addresses)[16];	/* IPv4 as ::ffff:a.b.c.d; ascending */
	size_t address_count;

	/* generation.c's own */
	struct shared_zones *shared;
	struct generation *retired;	/* next in the list of those that may still be held */
};

struct generations {
	const struct tables *tables;
	const char *state;		/* directory; the caller's */
	struct generation *live;	/* null until the first is loaded */
	struct generation *held[GENERATION_HOLDERS];
	void (*changed)(void *context);	/* called by the watching thread after `live` moved; may be null */
	void *context;

	/* generation.c's own */
	struct generation *retired;
	uint32_t settled;		/* the generation looked at last: loaded, or found wanting */
	int wake;			/* eventfd: look now */
	uint32_t failed;		/* the generation whose zones could not be loaded, told already */
	unsigned int looks;		/* since then */
	pthread_t thread;
	int running, stop;
};

/* Loads what is published now, if anything is, and starts watching. 0 or -errno. A failure to load is logged only. */
int generations_start(struct generations *generations);

/* Stops watching; what is live stays. Then, when no worker holds anything, frees it. */
void generations_stop_watching(struct generations *generations);
void generations_free(struct generations *generations);

/* The live generation, not freed before the same holder releases it; null if nothing is loaded. One at a time. */
const struct generation *generation_hold(struct generations *generations, unsigned int holder);
void generation_release(struct generations *generations, unsigned int holder);

/*
 * For a worker that holds nothing and cannot answer without the zones of this generation: has them looked at now, and
 * waits until that is done, whether they load or not; at most a moment.
 */
void generations_await(struct generations *generations, uint32_t number);

/* One look at the control table, for the watching thread and for tests. Returns 1 if `live` moved. */
int generations_look(struct generations *generations);

#endif
