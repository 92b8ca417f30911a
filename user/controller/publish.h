/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Publishing: a compiled configuration -> the slot that nobody reads, and then the one word that makes it live.
 *
 * A failure, or the end of the process, at any step leaves the live generation as it was. What the slots hold is known
 * from an image of each; after a start or a failure they are read back, so that the next push writes what differs.
 */
#ifndef ECSDNS_CONTROLLER_PUBLISH_H
#define ECSDNS_CONTROLLER_PUBLISH_H

#include <stdbool.h>

#include "user/controller/image.h"
#include "user/controller/state.h"

struct publisher {
	struct tables *tables;
	struct state *state;
	uint64_t draw_key[2];
	bool known;			/* images are what the slots hold */
	struct image images[GENERATION_SLOTS];
	const char *phase;		/* what is being done, for a reader in another thread: publisher_phase() */
};

struct publication {
	uint32_t generation;		/* to be */
	const struct compiled *compiled;
	const struct ids *ids;		/* with which it was compiled */
	const void *bundle;		/* to be kept as generations/N.tar; null if it is there already */
	size_t length;
};

/* `tables` and `state` must live as long. 0, or -errno with an error in `faults` (the draw key). */
int publisher_init(struct publisher *publisher, struct tables *tables, struct state *state, struct faults *faults);
void publisher_free(struct publisher *publisher);

/* The live generation as the tables say; 0: none. */
uint32_t publisher_generation(const struct publisher *publisher);

/* The number the next push gets. */
int publisher_next(const struct publisher *publisher, uint32_t *generation);

/* Reads back what the slots hold. 0, or -errno with an error in `faults`. */
int publisher_read(struct publisher *publisher, struct faults *faults);

/* Would it fit? What publish() finds out before it writes anything. 0, or -errno with errors in `faults`. */
int publish_try(struct publisher *publisher, const struct publication *publication, struct faults *faults);

/* Does the live slot hold just this? */
bool publish_is_live(struct publisher *publisher, const struct compiled *compiled);

/*
 * Makes the publication live. 0; or -errno with errors in `faults`, and the live generation untouched. Warnings are things
 * that can wait: they are logged.
 */
int publish(struct publisher *publisher, const struct publication *publication, struct image_changes *changes,
	    struct faults *faults);

void publisher_set_phase(struct publisher *publisher, const char *phase);
const char *publisher_phase(const struct publisher *publisher);

#endif
