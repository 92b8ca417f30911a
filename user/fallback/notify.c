// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

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
	uint64_t microseconds;

	if (sd_watchdog_enabled(0, &microseconds) <= 0)
		return;
	notify->watch_every = microseconds / 1000 / LOOKS;
	if (!notify->watch_every)
		notify->watch_every = 1;
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
	sd_notifyf(0, "READY=1\nMAINPID=%d", getpid());	/* of a unit that the process before us belongs to */
}

static void tell_status(struct fallback *fallback)
{
	struct crew_addresses addresses = crew_addresses(&fallback->crew);
	const struct generation *generation = generation_hold(&fallback->generations, GENERATION_HOLDER_MAIN);
	char status[NOTIFY_STATUS_OCTETS];

	if (generation)
		snprintf(status, sizeof(status), "generation %u with %zu zones, on %u of %u addresses, by %u workers",
			 generation->number, generation->zones ? zone_set_count(generation->zones) : 0, addresses.whole,
			 addresses.wanted, fallback->crew.count);
	else
		snprintf(status, sizeof(status), "nothing has been published yet");
	generation_release(&fallback->generations, GENERATION_HOLDER_MAIN);
	if (!strcmp(status, fallback->notify.status))
		return;
	memcpy(fallback->notify.status, status, sizeof(status));
	sd_notifyf(0, "STATUS=%s", status);
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
		sd_notify(0, "WATCHDOG=1");
	crew_wake(&fallback->crew);
}

void notify_reloading(const struct notify *notify)
{
	struct timespec now;

	if (!notify->is_ready)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_reloaded(const struct notify *notify)
{
	if (notify->is_ready)
		sd_notify(0, "READY=1");
}

void notify_stopping(struct notify *notify, const char *status)
{
	notify->is_ready = 0;
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}
