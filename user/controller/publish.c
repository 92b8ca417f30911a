// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/grace.h"
#include "user/controller/labels.h"
#include "user/controller/publish.h"
#include "user/controller/publish_health.h"

static int publish_prepare(struct publisher *publisher, const struct publication *publication, struct image *image,
			   struct faults *faults);
static int publish_fill(struct publisher *publisher, struct image *image, struct image_changes *changes,
			struct faults *faults);
static int publish_reaction(struct publisher *publisher, const struct publication *publication, struct reaction **reaction,
			    struct faults *faults);
static int publish_keep(struct publisher *publisher, const struct publication *publication, struct faults *faults);
static void publish_flip(struct publisher *publisher, const struct publication *publication, struct reaction *reaction);
static void publish_tidy(struct publisher *publisher, const struct publication *publication);

int publish(struct publisher *publisher, const struct publication *publication, struct image_changes *changes,
	    struct faults *faults)
{
	struct reaction *reaction = NULL;
	struct image image;
	int fault;

	publisher_set_phase(publisher, "making the tables' image");
	fault = publish_prepare(publisher, publication, &image, faults);
	if (fault)
		return fault;

	publisher_set_phase(publisher, "waiting for readers");
	fault = grace_period(faults);

	publisher_set_phase(publisher, "writing tables");
	if (!fault)
		fault = publish_fill(publisher, &image, changes, faults);
	if (!fault)
		fault = labels_write(publisher->tables, publication->compiled, faults);
	if (!fault)
		fault = publish_reaction(publisher, publication, &reaction, faults);

	publisher_set_phase(publisher, "keeping the bundle");
	if (!fault && !publication->is_beside)
		fault = publish_keep(publisher, publication, faults);

	if (!fault) {
		publish_flip(publisher, publication, reaction);
		publisher_set_phase(publisher, "tidying up");
		publish_tidy(publisher, publication);
	} else {
		reaction_free(reaction);
	}
	image_free(&image);
	return fault;
}

/* -- the steps -- */

/* Everything that can be known to fail before anything is written. */
static int publish_prepare(struct publisher *publisher, const struct publication *publication, struct image *image,
			   struct faults *faults)
{
	uint32_t slot = publication->generation % GENERATION_SLOTS;
	int fault;

	if (publisher_generation(publisher) && slot == publisher_generation(publisher) % GENERATION_SLOTS) {
		faults_error(faults, NULL, "generation %u cannot follow %u: both live in slot %u", publication->generation,
			     publisher_generation(publisher), slot);
		return -EINVAL;
	}
	if (!publisher->known) {
		fault = publisher_read(publisher, faults);
		if (fault)
			return fault;
	}
	fault = image_build(image, slot, publication->compiled, publisher->tables, publisher->draw_key, faults);
	if (fault)
		return fault;
	fault = image_fits(image, &publisher->images[!slot], publisher->tables, faults);
	if (fault)
		image_free(image);
	return fault;
}

/* After success the slot's image is the new one; after a failure nobody knows, until it is read back. */
static int publish_fill(struct publisher *publisher, struct image *image, struct image_changes *changes,
			struct faults *faults)
{
	struct image *held = &publisher->images[image->slot];
	int fault;

	publisher->known = false;
	fault = image_write(image, held, publisher->tables, changes, faults);
	if (fault)
		return fault;
	image_free(held);
	*held = *image;
	held->answers = NULL;
	free(held->indices);
	held->indices = NULL;
	image_init(image, held->slot);
	publisher->known = true;
	return 0;
}

/* What the slot holds was verified just now, so that memory is all that can be missing. */
static int publish_reaction(struct publisher *publisher, const struct publication *publication, struct reaction **reaction,
			    struct faults *faults)
{
	int fault = reaction_new(publication->config, publication->compiled, publication->health, publisher->tables,
				 publication->generation % GENERATION_SLOTS, reaction);

	return fault ? faults_memory(faults) : 0;
}

static int publish_kept(const char *what, int fault, struct faults *faults)
{
	faults_error(faults, NULL, "keeping %s in the state directory: %s%s; nothing was published", what, strerror(-fault),
		     fault == -ENOENT ? " (the directory was removed: restart ecsdns-controller, which makes a new one)" :
		     fault == -ENOSPC || fault == -EDQUOT ? " (make room on its disk, and push again; what is live goes on)" : "");
	return fault;
}

/*
 * On the disk before it is live: the bundle, whose zones the fallback loads when the word moves, the ids, and which
 * generation a reboot brings back. If the process ends before the flip, the next start takes the link back.
 */
static int publish_keep(struct publisher *publisher, const struct publication *publication, struct faults *faults)
{
	struct state *state = publisher->state;
	char *ids = ids_format(publication->ids);
	int fault;

	if (!ids)
		return faults_memory(faults);
	fault = state_write(state, "ids.json", ids, strlen(ids), 0640);
	free(ids);
	if (fault)
		return publish_kept("ids.json", fault, faults);
	fault = publication->note ? note_write(state, publication->generation, publication->note) : 0;
	if (fault)
		return publish_kept("the note of a generation", fault, faults);
	if (publication->bundle) {
		fault = state_bundle_write(state, publication->generation, publication->bundle, publication->length);
		if (fault)
			return publish_kept("the bundle", fault, faults);
	}
	fault = state_set_live(state, publication->generation);
	if (!fault)
		return 0;
	if (publication->bundle)
		state_bundle_remove(state, publication->generation);
	return publish_kept("the link to the live generation", fault, faults);
}

/* How far health has filled the slot that is left: the push that fills it next clears what it does not need. */
static void publish_leave(struct image *image, const struct reaction *reaction)
{
	size_t used = reaction_entries(reaction)->fresh - 1;

	if (image->answer_count < used)
		image->answer_count = used;
}

/*
 * Whoever reads the word sees all that was written before it. Verdicts since the compilation come first: the generation
 * before may serve them already.
 */
static void publish_flip(struct publisher *publisher, const struct publication *publication, struct reaction *reaction)
{
	uint32_t slot = publication->generation % GENERATION_SLOTS;
	struct reaction *old;

	pthread_mutex_lock(&publisher->lock);
	old = publisher->reaction;
	publisher->reaction = reaction;
	publish_follow(publisher, NULL);
	__atomic_store_n(&publisher->tables->control->generation, publication->generation, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&publisher->lock);
	if (old)
		publish_leave(&publisher->images[!slot], old);
	reaction_free(old);
}

static void publish_tidy(struct publisher *publisher, const struct publication *publication)
{
	int fault = labels_drop(publisher->tables, publication->ids);

	if (fault)
		log_warning("dropping names that are no longer in use: %s", strerror(-fault));
	if (publication->is_beside)
		return;
	fault = state_prune(publisher->state, publication->generation, STATE_BUNDLES_KEPT);
	if (fault)
		log_warning("removing old bundles: %s", strerror(-fault));
}

/* -- the rest -- */

int publish_try(struct publisher *publisher, const struct publication *publication, struct faults *faults)
{
	struct image image;
	int fault = publish_prepare(publisher, publication, &image, faults);

	if (!fault)
		image_free(&image);
	return fault;
}

int publisher_read(struct publisher *publisher, struct faults *faults)
{
	int fault = image_read(publisher->images, publisher->tables);

	publisher->known = !fault;
	if (fault)
		faults_error(faults, NULL, "reading the tables back: %s", strerror(-fault));
	return fault;
}

int publisher_init(struct publisher *publisher, struct tables *tables, struct state *state, struct faults *faults)
{
	uint8_t key[STATE_KEY_OCTETS];
	int fault = state_draw_key(state, key);

	*publisher = (struct publisher){.tables = tables, .state = state, .phase = ""};
	pthread_mutex_init(&publisher->lock, NULL);
	for (uint32_t slot = 0; slot < GENERATION_SLOTS; slot++)
		image_init(&publisher->images[slot], slot);
	if (fault) {
		faults_error(faults, NULL, "draw.key in the state directory: %s",
			     fault == -EINVAL ? "not 16 octets; remove it, and a new one is made" : strerror(-fault));
		return fault;
	}
	memcpy(publisher->draw_key, key, sizeof(publisher->draw_key));
	return 0;
}

void publisher_free(struct publisher *publisher)
{
	for (uint32_t slot = 0; slot < GENERATION_SLOTS; slot++)
		image_free(&publisher->images[slot]);
	reaction_free(publisher->reaction);
	publisher->reaction = NULL;
	publisher->known = false;
}

uint32_t publisher_generation(const struct publisher *publisher)
{
	return tables_generation(tables_control(publisher->tables));
}

/* Tables that were left by an upgrade may be several generations behind. */
static uint32_t publisher_next_of(uint32_t held, uint32_t live)
{
	uint32_t next = (int32_t)(live - held) > 0 ? live + 1 : held + 1;

	return next % GENERATION_SLOTS == held % GENERATION_SLOTS ? next + 1 : next;
}

int publisher_next(const struct publisher *publisher, uint32_t *generation)
{
	uint32_t held = publisher_generation(publisher), live = held;
	struct state_bundle *bundles;
	size_t count;
	int fault;

	if (held) {
		state_live(publisher->state, &live);	/* what cannot be read, does not count */
		*generation = publisher_next_of(held, live);
		return 0;
	}
	*generation = 1;
	fault = state_bundles(publisher->state, &bundles, &count);	/* empty tables: go on from what was kept */
	if (!fault && count)
		*generation = bundles[count - 1].generation + 1;
	free(bundles);
	return fault;
}

void publisher_set_phase(struct publisher *publisher, const char *phase)
{
	__atomic_store_n(&publisher->phase, phase, __ATOMIC_RELEASE);
}

const char *publisher_phase(const struct publisher *publisher)
{
	return __atomic_load_n(&publisher->phase, __ATOMIC_ACQUIRE);
}
