/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The entries of a slot's half of `answers`: which hold what, how many indices point to each, and which may be written.
 *
 * An entry is written only when no reader can be at it. The driver reads within an RCU read-side section, and a fallback
 * worker copies and then asks whether the control word stood still. So an entry that nothing points to any more waits for
 * a grace period, and before it is free control.recycled grows: whoever copied from it meanwhile, copies again.
 *
 *	fresh ----> used <----------------.	fresh: never used in this generation
 *	             |  ^                 |	used: something points to it
 *	    released |  | wanted again    |	left: nothing points to it, readers may still be at it
 *	             v  |                 |	resting: the grace period that it waits for has begun
 *	            left --> resting --> free
 *
 * What left, rests or is free still holds what it held, and is used as it is if that is wanted again: a member that flaps
 * writes nothing after its first time.
 */
#ifndef ECSDNS_CONTROLLER_ENTRIES_H
#define ECSDNS_CONTROLLER_ENTRIES_H

#include <stdint.h>

#include "user/common/faults.h"
#include "user/common/tables.h"

enum entry_state { ENTRY_FRESH, ENTRY_USED, ENTRY_LEFT, ENTRY_RESTING, ENTRY_FREE, ENTRY_STATES };

struct entries {
	struct tables *tables;
	uint32_t base;			/* number of the half's entry 0, which is nobody's */
	uint32_t count;			/* entries, with entry 0 */
	struct entry *list;
	uint32_t *buckets;		/* by hash of content: the first entry, or 0 */
	uint32_t bucket_mask;
	uint32_t fresh;			/* the first that has never been used; all behind it neither */
	uint32_t first[ENTRY_STATES], last[ENTRY_STATES];	/* queues of those left, resting, free; 0: empty */
	uint32_t counts[ENTRY_STATES];
	uint64_t written;		/* entries, ever */
	uint64_t round;			/* of resting: the last that began */
};

/* Nothing is used at first. 0 or -ENOMEM. */
int entries_init(struct entries *entries, struct tables *tables, uint32_t slot);
void entries_free(struct entries *entries);

/* Numbers are those of the map. One more index points to what is in the map already. -ERANGE: not in this half. */
int entries_hold(struct entries *entries, uint32_t number);

/*
 * An entry with this content, which one more holds: one that has it, or else a free one, which is written. 0; or
 * -ENOSPC if none is free.
 */
int entries_put(struct entries *entries, const struct answer *answer, uint32_t *number);

/* One fewer holds it. */
void entries_release(struct entries *entries, uint32_t number);

/*
 * Makes free what left before, in three steps so that others can go on during the second: round = entries_rest();
 * grace_period(); entries_rested(round), which returns how many have become free. If another round has begun meanwhile,
 * its grace period is the one that counts, and nothing happens.
 */
uint64_t entries_rest(struct entries *entries);
uint32_t entries_rested(struct entries *entries, uint64_t round);

/* What nothing points to, is forgotten by whoever copies in user space: control.recycled grows. */
void entries_forsake(struct tables *tables);

#endif
