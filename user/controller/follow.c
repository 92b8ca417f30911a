// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/follow.h"

#include <stdlib.h>

#include "user/common/log.h"

static void rest_on_work(uv_work_t *work)
{
	struct controller *controller = work->data;

	publisher_rest(&controller->publisher);
}

static void rest_on_done(uv_work_t *work, int status)
{
	struct controller *controller = work->data;

	(void)status;
	controller->resting = false;
	free(work);
}

/* The next verdicts shall not wait for a grace period. Without memory for it, the one that needs it does. */
static void follow_rest(struct controller *controller)
{
	uv_work_t *work;

	if (controller->resting || !publisher_should_rest(&controller->publisher))
		return;
	work = calloc(1, sizeof(*work));
	if (!work)
		return;
	work->data = controller;
	controller->resting = !uv_queue_work(&controller->loop, work, rest_on_work, rest_on_done);
	if (!controller->resting)
		free(work);
}

void follow_health(struct controller *controller, struct reaction_counts *done)
{
	struct reaction_counts counts;
	uint64_t began = uv_hrtime(), took;

	controller->health_version++;
	publisher_react(&controller->publisher, &counts);
	took = uv_hrtime() - began;
	if (counts.indices || counts.missing) {
		figures_count_reaction(&controller->figures, took);
		log_info("health: %u answers of %u services changed in %.3f ms, %u entries written, %u answers stay behind",
			 counts.indices, counts.services, took / 1e6, counts.entries, counts.missing);
	}
	if (done)
		*done = counts;
	follow_rest(controller);
}
