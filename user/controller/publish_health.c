// SPDX-License-Identifier: GPL-3.0-or-later
/* Where pushes and verdicts meet: publish.h says how they are ordered. */
#include "user/controller/publish_health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/grace.h"

/* One writer at a time, which holds the lock; the atomic stores are for who reads without it. */
static void reactions_add(uint64_t *sum, uint64_t more)
{
	__atomic_store_n(sum, *sum + more, __ATOMIC_RELAXED);
}

static void reactions_count(struct publisher_reactions *sum, const struct reaction_counts *counts)
{
	reactions_add(&sum->count, counts->indices || counts->missing);
	reactions_add(&sum->indices, counts->indices);
	reactions_add(&sum->entries, counts->entries);
	reactions_add(&sum->graces, counts->graces);
	if (counts->pools)
		__atomic_store_n(&sum->missing, counts->missing, __ATOMIC_RELAXED);
}

struct publisher_reactions publisher_reactions(const struct publisher *publisher)
{
	const struct publisher_reactions *sum = &publisher->reactions;

	return (struct publisher_reactions){
		__atomic_load_n(&sum->count, __ATOMIC_RELAXED), __atomic_load_n(&sum->indices, __ATOMIC_RELAXED),
		__atomic_load_n(&sum->entries, __ATOMIC_RELAXED), __atomic_load_n(&sum->graces, __ATOMIC_RELAXED),
		__atomic_load_n(&sum->missing, __ATOMIC_RELAXED),
	};
}

int publish_follow(struct publisher *publisher, struct reaction_counts *counts)
{
	const struct config *config = reaction_config(publisher->reaction);
	struct reaction_counts done = {0};
	uint8_t *down = NULL;
	int fault = -ENOMEM;

	if (health_source_read(&publisher->health, config, &down))
		log_error("no memory for the states of %u members: answers stay as they are", config->member_count);
	else
		fault = react(publisher->reaction, &(struct health){down, config->member_count}, &done);
	free(down);
	reactions_count(&publisher->reactions, &done);
	if (counts)
		*counts = done;
	return fault;
}

int publisher_react(struct publisher *publisher, struct reaction_counts *counts)
{
	int fault = 0;

	if (counts)
		memset(counts, 0, sizeof(*counts));
	pthread_mutex_lock(&publisher->lock);
	if (publisher->reaction)
		fault = publish_follow(publisher, counts);
	pthread_mutex_unlock(&publisher->lock);
	return fault;
}

bool publisher_pool(struct publisher *publisher, uint32_t pool, enum service_type type, struct reaction_pool *out)
{
	bool is_known;

	pthread_mutex_lock(&publisher->lock);
	is_known = publisher->reaction && pool < reaction_config(publisher->reaction)->pool_count;
	if (is_known)
		reaction_pool(publisher->reaction, pool, type, out);
	pthread_mutex_unlock(&publisher->lock);
	return is_known;
}

bool publisher_follows(struct publisher *publisher)
{
	bool follows;

	pthread_mutex_lock(&publisher->lock);
	follows = publisher->reaction;
	pthread_mutex_unlock(&publisher->lock);
	return follows;
}

/* -- resting -- */

bool publisher_should_rest(struct publisher *publisher)
{
	bool should;

	pthread_mutex_lock(&publisher->lock);
	should = publisher->reaction && reaction_should_rest(publisher->reaction);
	pthread_mutex_unlock(&publisher->lock);
	return should;
}

/* A push may put another reaction in the place of this one meanwhile; its rounds are others. */
void publisher_rest(struct publisher *publisher)
{
	struct faults faults;
	uint64_t round = 0;
	int fault;

	pthread_mutex_lock(&publisher->lock);
	if (publisher->reaction)
		round = reaction_rest(publisher->reaction);
	pthread_mutex_unlock(&publisher->lock);
	faults_init(&faults);
	fault = grace_period(&faults);
	faults_log(&faults);
	faults_free(&faults);
	pthread_mutex_lock(&publisher->lock);
	if (publisher->reaction && !fault)
		reaction_rested(publisher->reaction, round);
	pthread_mutex_unlock(&publisher->lock);
}

/* -- taking over what is live -- */

/* Tables that health does not touch, as they are and as they should be. */
static int adopt_rows(struct publisher *publisher, const struct publication *publication, uint32_t slot,
		      struct faults *faults)
{
	struct image image;
	int fault = image_build(&image, slot, publication->compiled, publisher->tables, publisher->draw_key, faults);

	if (fault)
		return fault == -E2BIG ? -EINVAL : fault;
	fault = image_equal(&image, &publisher->images[slot]) ? 0 : -EINVAL;
	image_free(&image);
	return fault;
}

/*
 * The process that wrote the slot may have left entries a moment ago that readers are still at: after a grace period and a
 * word to the fallback nobody is.
 */
int publisher_adopt(struct publisher *publisher, const struct publication *publication,
		    struct reaction_difference *difference, struct faults *faults)
{
	uint32_t slot = publication->generation % GENERATION_SLOTS;
	struct reaction *reaction, *old;
	int fault = adopt_rows(publisher, publication, slot, faults);

	if (fault)
		return fault;
	fault = grace_period(faults);
	if (fault)
		return fault;
	entries_forsake(publisher->tables);
	fault = reaction_new(publication->config, publication->compiled, publication->health, publisher->tables, slot,
			     &reaction);
	if (fault == -ENOMEM)
		return faults_memory(faults);
	if (fault)
		return -EINVAL;
	reaction_compare(reaction, difference);
	pthread_mutex_lock(&publisher->lock);
	old = publisher->reaction;
	publisher->reaction = reaction;
	pthread_mutex_unlock(&publisher->lock);
	reaction_free(old);
	return 0;
}
