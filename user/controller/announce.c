// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/controller.h"

/* Signs of life within the time that may pass without one. */
#define SIGNS 4

static void announce_alive(uv_timer_t *timer)
{
	(void)timer;
	service_alive();
}

void announce_start(struct controller *controller)
{
	uv_timer_t *timer = &controller->announcements.alive;
	int64_t every = service_alive_every(SIGNS);

	uv_timer_init(&controller->loop, timer);
	if (every)
		uv_timer_start(timer, announce_alive, 0, every);
}

void announce_state(struct controller *controller)
{
	struct announcements *announcements = &controller->announcements;
	const struct generation *live = controller->live;

	if (controller->stopping)
		return;
	if (live)
		service_status(announcements->status, "generation %u: %zu services, %zu zones, %zu topologies", live->number,
			       live->config->service_count, live->config->zone_count, live->config->topology_count);
	else
		service_status(announcements->status, "no generation that is known: waiting for `ecsctl push FILE`");
	if (announcements->is_ready)
		return;
	announcements->is_ready = true;
	service_ready();
}

void announce_stop(void)
{
	service_stopping("stopping; the driver goes on");
}

void announce_end(struct controller *controller)
{
	uv_close((uv_handle_t *)&controller->announcements.alive, NULL);
}
