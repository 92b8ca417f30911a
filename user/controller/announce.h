/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What systemd is told of the controller (user/common/service.h): READY=1 when what the tables hold has been adopted or
 * published again, or there is nothing, or it is no good and a push is waited for; which generation is live; that it
 * stops; and as long as the loop turns, that it lives. The work of a push is done beside the loop, however long it takes.
 */
#ifndef ECSDNS_CONTROLLER_ANNOUNCE_H
#define ECSDNS_CONTROLLER_ANNOUNCE_H

#include <stdbool.h>
#include <uv.h>

#include "user/common/service.h"

struct controller;

struct announcements {
	uv_timer_t alive;
	bool is_ready;
	char status[SERVICE_STATUS_OCTETS];	/* as it was told last */
};

void announce_start(struct controller *controller);
void announce_state(struct controller *controller);	/* the start's work is done; later, what is live may have changed */
void announce_stop(void);
void announce_end(struct controller *controller);	/* before the loop ends */

#endif
