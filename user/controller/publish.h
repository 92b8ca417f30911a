/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Publishing: a compiled configuration -> the slot that nobody reads, and then the one word that makes it live.
 *
 * A failure, or the end of the process, at any step leaves the live generation as it was. What the slots hold is known
 * from an image of each; after a start or a failure they are read back, so that the next push writes what differs.
 *
 * Health moves the live generation's answers at any time, also while a push compiles and fills the other slot: the two
 * write different halves of every table. They meet where a generation becomes live. There, with the lock held, what
 * was published is brought in step with the members' states of this moment, the generation's word moves, and from then on
 * publisher_react() means the new one: no verdict is lost, however long the push took, and none is served late. A
 * rollback is a push. If the process ends within a reaction, each index has its old answer or its new one; the next
 * start takes the slot over as it is (publisher_adopt()), and the next reaction completes it.
 */
#ifndef ECSDNS_CONTROLLER_PUBLISH_H
#define ECSDNS_CONTROLLER_PUBLISH_H

#include <pthread.h>
#include <stdbool.h>

#include "user/controller/image.h"
#include "user/controller/note.h"
#include "user/controller/react.h"
#include "user/controller/state.h"

/* What reactions have come to since the start; `missing` is of the last one. For a reader in another thread as well. */
struct publisher_reactions {
	uint64_t count;		/* that changed anything */
	uint64_t indices, entries, graces;
	uint64_t missing;	/* answers that stay behind for want of a free entry */
};

struct publisher {
	struct tables *tables;
	struct state *state;
	uint64_t draw_key[2];
	bool known;			/* images are what the slots hold */
	struct image images[GENERATION_SLOTS];
	struct health_source health;	/* for the owner to set before the first push; zeroed: all members are up */
	pthread_mutex_t lock;		/* of `reaction`, all it leads to, and the live slot's arrays */
	struct reaction *reaction;	/* of the live generation; null: none, see publisher_adopt() */
	struct publisher_reactions reactions;
	const char *phase;		/* what is being done, for a reader in another thread: publisher_phase() */
};

struct publication {
	uint32_t generation;		/* to be */
	const struct config *config;	/* with `compiled`, it must live until another generation is live */
	struct compiled *compiled;	/* reactions keep its reasons in step */
	const struct health *health;	/* with which it was compiled; may be null */
	const struct ids *ids;		/* likewise */
	bool is_beside;			/* the state directory is another controller's: nothing is kept there */
	const void *bundle;		/* to be kept as generations/N.tar; null if it is there already */
	size_t length;
	const struct note *note;	/* to be kept beside it; null: there is one, or none */
};

/* `tables` and `state` must live as long. 0, or -errno with an error in `faults` (the draw key). */
int publisher_init(struct publisher *publisher, struct tables *tables, struct state *state, struct faults *faults);
void publisher_free(struct publisher *publisher);

/* The live generation as the tables say; 0: none. */
uint32_t publisher_generation(const struct publisher *publisher);

/* The number the next push gets: above all that were published, and of the slot that nobody reads. */
int publisher_next(const struct publisher *publisher, uint32_t *generation);

/* Reads back what the slots hold. 0, or -errno with an error in `faults`. */
int publisher_read(struct publisher *publisher, struct faults *faults);

/* Would it fit? What publish() finds out before it writes anything. 0, or -errno with errors in `faults`. */
int publish_try(struct publisher *publisher, const struct publication *publication, struct faults *faults);

/*
 * Makes the publication live. 0; or -errno with errors in `faults`, and the live generation untouched. Warnings are things
 * that can wait: they are logged.
 */
int publish(struct publisher *publisher, const struct publication *publication, struct image_changes *changes,
	    struct faults *faults);

/*
 * Takes the live slot over as it is, after publisher_read(), so that reactions go on from there; answers stay. Of the
 * publication the bundle is not needed. 0, with how the slot differs from it; -EINVAL if it is something else altogether,
 * and then health does not reach the answers until the next push; or -ENOMEM or -errno with an error in `faults`.
 */
int publisher_adopt(struct publisher *publisher, const struct publication *publication,
		    struct reaction_difference *difference, struct faults *faults);

/*
 * For the owner, whenever a member's state has changed: brings the live answers in step with what publisher->health says
 * now. Any thread, though whoever reads the reasons of the live generation (explain) must be in the same one. Returns what
 * react() does; 0 if nothing is live.
 */
int publisher_react(struct publisher *publisher, struct reaction_counts *counts);

struct publisher_reactions publisher_reactions(const struct publisher *publisher);

/* How a pool of the live generation stands. False if that is not known. */
bool publisher_pool(struct publisher *publisher, uint32_t pool, enum service_type type, struct reaction_pool *out);

/* Does health reach the live answers? Not if nothing is live, or if publisher_adopt() found something else there. Any thread. */
bool publisher_follows(struct publisher *publisher);

/*
 * Waits for a grace period if the next reactions would soon have to; some 10 ms, for a thread that has them. The first
 * asks whether it is worth it.
 */
bool publisher_should_rest(struct publisher *publisher);
void publisher_rest(struct publisher *publisher);

void publisher_set_phase(struct publisher *publisher, const char *phase);
const char *publisher_phase(const struct publisher *publisher);

#endif
