// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/beat.h"

#include <time.h>

#include "user/common/readiness.h"
#include "user/controller/cookies.h"

#define INTERVAL 1000		/* milliseconds */

static void beat_write(struct controller *controller, const struct checks_figures *figures)
{
	struct health_state *health = controller->tables.health;
	uint64_t now = readiness_now();

	__atomic_store_n(&health->generation, controller->live->number, __ATOMIC_RELAXED);
	__atomic_store_n(&health->checked, figures->checked, __ATOMIC_RELAXED);
	__atomic_store_n(&health->down, figures->down, __ATOMIC_RELAXED);
	__atomic_store_n(&health->holding, figures->is_holding, __ATOMIC_RELAXED);
	__atomic_store_n(&health->written_date, time(NULL), __ATOMIC_RELAXED);
	__atomic_store_n(&health->written, now, __ATOMIC_RELAXED);
	__atomic_store_n(&health->current, now - figures->late * 1000000, __ATOMIC_RELAXED);
}

void beat_now(struct controller *controller)
{
	if (controller->live && checks_config(controller->states.checks) == controller->live->config)
		beat_write(controller, checks_figures(controller->states.checks));
}

static void beat_on_timer(uv_timer_t *timer)
{
	struct controller *controller = timer->data;

	cookies_follow_clock(controller->tables.cookies);
	beat_now(controller);
}

void beat_start(struct controller *controller)
{
	uv_timer_init(&controller->loop, &controller->beating);
	controller->beating.data = controller;
	uv_timer_start(&controller->beating, beat_on_timer, 0, INTERVAL);
}

void beat_stop(struct controller *controller)
{
	uv_close((uv_handle_t *)&controller->beating, NULL);
}
