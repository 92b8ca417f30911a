/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fallback's parts in one place. Everything here belongs to the main thread; the others see what they are given. */
#ifndef ECSDNS_FALLBACK_H
#define ECSDNS_FALLBACK_H

#include "user/common/tables.h"
#include "user/fallback/arguments.h"
#include "user/fallback/crew.h"
#include "user/fallback/generation.h"
#include "user/fallback/give.h"
#include "user/fallback/notify.h"
#include "user/fallback/policy.h"
#include "user/fallback/take.h"

struct fallback {
	struct arguments arguments;
	struct tables tables;
	struct generations generations;
	struct policy policy;
	struct crew crew;
	struct notify notify;
	struct take take;	/* from the process before us */
	struct give give;	/* to the one behind us */
	int signals;		/* signalfd */
	int news;		/* eventfd: written to by the other threads when there is something to look at */
	int64_t retry_at;	/* when workers look next at addresses that could not be opened */
	int64_t stop_by;	/* when a stop has to be over; 0: nobody wants one */
	int has_failed;		/* we end, and not because somebody wanted it */
};

/* This process is to end: workers get their last order, clients are asked to close, systemd hears why. */
void fallback_leave(struct fallback *fallback, enum worker_order order, const char *status);

#endif
