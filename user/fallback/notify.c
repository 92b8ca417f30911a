// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/fallback/clock.h"
#include "user/fallback/fallback.h"
#include "user/fallback/notify.h"

/* Looks at the workers within the time that may pass: so many may find one that had no processor, before it is too late. */
#define LOOKS 4

static void tell_ready(struct fallback *fallback);
static void tell_status(struct fallback *fallback);
static void tell_alive(struct fallback *fallback);

void notify_init(struct notify *notify)
{
	notify->watch_every = service_alive_every(LOOKS);
	notify->watch_at = clock_ms();
}

void notify_look(struct fallback *fallback)
{
	/* On trial we may still have to give back what we serve. */
	if (!fallback->policy.is_leaving && fallback->take.peer < 0) {
		tell_status(fallback);
		tell_ready(fallback);
	}
	tell_alive(fallback);
}

/* An address that another program holds does not keep the others from being answered: the status names it. */
static void tell_ready(struct fallback *fallback)
{
	struct crew_addresses addresses = crew_addresses(&fallback->crew);

	if (fallback->notify.is_ready || !crew_has_done(&fallback->crew, WORKER_SERVE) ||
	    (addresses.wanted && !addresses.some))
		return;
	fallback->notify.is_ready = 1;
	service_ready();
}

static void tell_status(struct fallback *fallback)
{
	struct crew_addresses addresses = crew_addresses(&fallback->crew);
	const struct generation *generation = generation_hold(&fallback->generations, GENERATION_HOLDER_MAIN);
	char *last = fallback->notify.status;

	if (generation)
		service_status(last, "generation %u with %zu zones, on %u of %u addresses, by %u workers", generation->number,
			       generation->zones ? zone_set_count(generation->zones) : 0, addresses.whole, addresses.wanted,
			       fallback->crew.count);
	else
		service_status(last, "nothing has been published yet");
	generation_release(&fallback->generations, GENERATION_HOLDER_MAIN);
}

/* Workers that have nothing to do are woken, so that the next look finds whether they can. */
static void tell_alive(struct fallback *fallback)
{
	struct notify *notify = &fallback->notify;
	int64_t now = clock_ms();

	if (!notify->watch_every || now < notify->watch_at)
		return;
	notify->watch_at = now + notify->watch_every;
	if (crew_has_moved(&fallback->crew))
		service_alive();
	crew_wake(&fallback->crew);
}

void notify_reloading(const struct notify *notify)
{
	if (notify->is_ready)
		service_reloading();
}

void notify_reloaded(const struct notify *notify)
{
	if (notify->is_ready)
		service_ready();
}

void notify_stopping(struct notify *notify, const char *status)
{
	notify->is_ready = 0;
	service_stopping(status);
}
