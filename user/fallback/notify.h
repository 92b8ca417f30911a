/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What systemd is told (user/common/service.h): that every worker answers, in what state we are, that we stop, and as long
 * as every worker's loop moves, that we live.
 */
#ifndef ECSDNS_FALLBACK_NOTIFY_H
#define ECSDNS_FALLBACK_NOTIFY_H

#include <stdint.h>

#include "user/common/service.h"

struct fallback;

struct notify {
	int is_ready;				/* told, and not yet that we stop */
	char status[SERVICE_STATUS_OCTETS];	/* as it was told last */
	int64_t watch_every;			/* milliseconds between two looks at the workers; 0: nobody waits for them */
	int64_t watch_at;			/* the next one */
};

void notify_init(struct notify *notify);

/* Tells what there is to tell; call it whenever something may have changed, and at notify->watch_at. */
void notify_look(struct fallback *fallback);

/* Around the work of a SIGHUP; to be ready behind it is said only if we were. */
void notify_reloading(const struct notify *notify);
void notify_reloaded(const struct notify *notify);

void notify_stopping(struct notify *notify, const char *status);

#endif
