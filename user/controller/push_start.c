// SPDX-License-Identifier: GPL-3.0-or-later
/* What a start does, in the worker's thread: adopts what is live, or publishes what was. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "user/common/log.h"
#include "user/controller/home.h"
#include "user/controller/push_job.h"

static time_t push_written(const struct push *push, uint32_t generation)
{
	struct state_bundle *bundles;
	time_t written = 0;
	size_t count;

	if (!state_bundles(&push->controller->state, &bundles, &count))
		for (size_t i = 0; i < count; i++)
			if (bundles[i].generation == generation)
				written = bundles[i].written;
	free(bundles);
	return written;
}

/*
 * The controller before may have ended between saving a state and moving the answers, or between the answers and saving a
 * verdict: what is saved, holds. Without any the answers know better.
 */
static void push_settle(struct push *push, uint32_t by_health)
{
	struct controller *controller = push->controller;
	struct reaction_counts counts;

	if (!states_are_known(&controller->states, push->made->config)) {
		controller->states.is_behind = true;
		log_notice("%" PRIu32 " answers are of states of health that nobody has saved; they stay until every check has "
			   "told once, or the next push", by_health);
		return;
	}
	publisher_react(&controller->publisher, &counts);
	log_notice("%" PRIu32 " answers were of other states of health than those that were saved, and follow these now",
		   counts.indices);
}

/* What health has moved since, and what nothing explains, is told: no answer changes because of a start. */
static int push_take_over(struct push *push)
{
	const struct health health = push_health(push);
	const struct publication publication = push_publication(push, push->made->number, &health);
	struct reaction_difference difference;
	int fault = publisher_adopt(&push->controller->publisher, &publication, &difference, &push->faults);

	if (fault == -EINVAL)
		faults_warning(&push->faults, NULL, "the tables hold something else than generation %" PRIu32 " compiles to "
			       "now; they stay as they are until the next push, and health does not change them",
			       push->made->number);
	else if (!fault && difference.otherwise)
		faults_warning(&push->faults, NULL, "the tables hold something else than generation %" PRIu32 " compiles to "
			       "now: %" PRIu32 " answers stay as they are until the next push or a change of their pools' health",
			       push->made->number, difference.otherwise);
	else if (!fault && difference.by_health)
		push_settle(push, difference.by_health);
	return fault == -EINVAL ? 0 : fault;
}

/* The live generation stays as it is; its bundle is compiled only to know what it is. */
static int push_adopt(struct push *push, uint32_t generation)
{
	struct publisher *publisher = &push->controller->publisher;
	struct bundle *bundle = NULL;
	uint32_t linked;
	int fault;

	if (state_live(&push->controller->state, &linked) || linked != generation)
		state_set_live(&push->controller->state, generation);
	state_prune(&push->controller->state, generation, STATE_BUNDLES_KEPT);
	fault = publisher_read(publisher, &push->faults);
	if (!fault)
		fault = push_read_kept(push, generation);
	if (!fault)
		fault = push_compile(push, &bundle);
	bundle_free(bundle);
	push->done = "adopted";
	if (fault)
		return fault;
	push->made->number = generation;
	push->made->published = push_written(push, generation);
	return push_take_over(push);
}

/* After a reboot the tables are empty: the same generation again, so that no answer changes. */
static int push_again(struct push *push, uint32_t generation)
{
	struct bundle *bundle = NULL;
	time_t written = push_written(push, generation);
	int fault = push_read_kept(push, generation);

	if (!fault)
		fault = push_compile(push, &bundle);
	if (!fault)
		fault = push_publish(push, generation, NULL);
	bundle_free(bundle);
	if (push->made && !fault)
		push->made->published = written;
	push->done = "published again";
	return fault;
}

/* The generation that was live, or else the newest older one that is still good. */
static int push_again_newest(struct push *push)
{
	struct state_bundle *bundles;
	uint32_t live = UINT32_MAX;
	size_t count;
	int fault = state_bundles(&push->controller->state, &bundles, &count);

	state_live(&push->controller->state, &live);
	if (!fault)
		fault = -ENOENT;
	for (size_t i = count; i-- && fault; ) {
		if (bundles[i].generation > live)
			continue;
		generation_free(push->made);
		push->made = NULL;
		fault = push_again(push, bundles[i].generation);
	}
	free(bundles);
	return fault;
}

/* Are the answers there already, but for what health has changed since? */
static bool push_is_there(struct push *push, uint32_t held)
{
	const struct health health = push_health(push);
	const struct publication publication = push_publication(push, held, &health);
	struct publisher *publisher = &push->controller->publisher;
	struct reaction_difference difference;

	if (publisher_adopt(publisher, &publication, &difference, &push->faults) || difference.otherwise)
		return false;
	if (difference.by_health)
		push_settle(push, difference.by_health);
	push->made->number = held;
	push->made->published = push_written(push, held);
	push->done = "found in these tables";
	return true;
}

/* The driver may answer from these tables: a number whose slot it reads is passed over. */
static int push_bring(struct push *push, uint32_t held, uint32_t live, const struct bundle *bundle)
{
	bool is_next = (int32_t)(live - held) > 0 && live % GENERATION_SLOTS != held % GENERATION_SLOTS;
	uint32_t number = live;
	int fault = is_next ? 0 : publisher_next(&push->controller->publisher, &number);

	push->done = "brought into these tables";
	if (!fault && !is_next && push->kind == PUSH_FILL)
		return faults_error(&push->faults, &(struct place){.file = push->controller->pins}, "holds generation %" PRIu32
				    " of before, beside which %" PRIu32 " does not fit; ecsdns-controller without --fill brings it up to date",
				    held, live);
	if (!fault)
		fault = push_publish(push, number, is_next ? NULL : bundle);
	if (!fault && is_next)
		push->made->published = push_written(push, number);
	return fault;
}

/* Tables that are not those of the controller before: what they hold may be old, and the state directory is right. */
static int push_refill(struct push *push, uint32_t held)
{
	struct bundle *bundle = NULL;
	uint32_t live;
	int fault;

	if (state_live(&push->controller->state, &live))
		return push_adopt(push, held);
	fault = publisher_read(&push->controller->publisher, &push->faults);
	if (!fault)
		fault = push_read_kept(push, live);
	if (!fault)
		fault = push_compile(push, &bundle);
	if (!fault && !(held == live && push_is_there(push, held)))
		fault = push_bring(push, held, live, bundle);
	bundle_free(bundle);
	return fault;
}

int push_begin(struct push *push)
{
	uint32_t generation = publisher_generation(&push->controller->publisher);
	int fault;

	if (generation && (push->kind == PUSH_FILL || home_is_elsewhere(&push->controller->state, &push->controller->tables))) {
		return push_refill(push, generation);
	} else if (generation) {
		fault = push_adopt(push, generation);
		if (fault != -ENOENT)
			return fault;		/* good or bad, its answers stay */
	} else {
		fault = publisher_read(&push->controller->publisher, &push->faults);
		if (!fault)
			fault = push_again_newest(push);
	}
	return fault;
}
