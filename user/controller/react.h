/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The reaction to health: a verdict about a member -> the words of `indices` that it changes, and no others. What a slot
 * serves after it is what compile() would make of the same health, entry by entry; where its entries lie may differ.
 *
 * An answer is one entry, and each index one aligned word that points to one: fresh entries are written whole
 * where no reader can be (entries.h), and then the words flip, each by itself. So every reply is that of one verdict or of
 * the next, never a mixture. Scopes, types and names are not health's: no other table is touched.
 *
 * A reaction belongs to one generation and its slot, whether live already or about to be. It is not locked here:
 * publish.h says who calls it when.
 */
#ifndef ECSDNS_CONTROLLER_REACT_H
#define ECSDNS_CONTROLLER_REACT_H

#include <stdbool.h>

#include "user/controller/compile.h"
#include "user/controller/entries.h"

struct reaction;

/* What one call did. */
struct reaction_counts {
	uint32_t pools;		/* whose members or state changed */
	uint32_t services;	/* that may answer from these */
	uint32_t indices;	/* flipped */
	uint32_t entries;	/* written */
	uint32_t missing;	/* indices left as they were: no entry is free for what they should point to */
	uint32_t graces;	/* grace periods waited for, some 10 ms each */
};

/*
 * Takes the slot's half of `indices` and `answers` as it stands, with all that points there known from then on. Whatever
 * nothing points to must be out of every reader's sight: of a slot filled just now it is; see publisher_adopt() for
 * another. The slot should hold what `compiled` says, or what health made of it since; reaction_compare() tells.
 *
 * `health` is what `compiled` was compiled with; null: all were up. Configuration, compiled and tables must live as long;
 * compiled->reasons are kept in step. 0; -ERANGE if an index points outside the slot or is absent where the compiled one is
 * not; or -ENOMEM.
 */
int reaction_new(const struct config *config, struct compiled *compiled, const struct health *health, struct tables *tables,
		 uint32_t slot, struct reaction **out);
void reaction_free(struct reaction *reaction);		/* null is fine */

/* How the slot differs from `compiled`, in indices. */
struct reaction_difference {
	uint32_t by_health;	/* that health can account for: their records are of pools that they may be served from */
	uint32_t otherwise;
};

/*
 * Compares. If the differences are health's alone, the next react() brings them in step, whatever changes then; else they
 * stay until their own pool changes.
 */
void reaction_compare(struct reaction *reaction, struct reaction_difference *difference);

/*
 * Brings the slot in step with the states of members. Never a wrong answer: an index for whose answer no entry is free keeps
 * its last one, said once in the log, until a later call finds one. 0; -ENOSPC if any is missing; or -ENOMEM,
 * and then a later call goes on. `counts` may be null.
 */
int react(struct reaction *reaction, const struct health *health, struct reaction_counts *counts);

/* For looking at: its slot's entries by state. */
const struct entries *reaction_entries(const struct reaction *reaction);

/* How a pool stands for a type, as the answers have it. */
struct reaction_pool {
	uint32_t members, up;	/* that fit the type; of these */
	uint32_t depends_on;	/* the first pool it depends on that is down; CONFIG_NONE: none */
	bool is_up;
};
void reaction_pool(const struct reaction *reaction, uint32_t pool, enum service_type type, struct reaction_pool *out);

/* The configuration whose members the states are of. */
const struct config *reaction_config(const struct reaction *reaction);

/*
 * A call that finds no free entry waits for a grace period. To have some ready, the owner may do so beforehand, in any
 * thread: if reaction_should_rest(), round = reaction_rest(); then grace_period(); then reaction_rested(round). Reactions
 * may come between.
 */
bool reaction_should_rest(const struct reaction *reaction);
uint64_t reaction_rest(struct reaction *reaction);
void reaction_rested(struct reaction *reaction, uint64_t round);

#endif
