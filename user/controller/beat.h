/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The controller's word, every second, in the table `health`: how old what it knows of members is, for whoever looks while
 * it is dead or behind. See struct health_state in maps/abi.h, and user/common/readiness.h.
 */
#ifndef ECSDNS_CONTROLLER_BEAT_H
#define ECSDNS_CONTROLLER_BEAT_H

#include "user/controller/controller.h"

/* It stays silent until a generation is live whose members it checks. */
void beat_start(struct controller *controller);
/* Before its time: another generation is live. */
void beat_now(struct controller *controller);
void beat_stop(struct controller *controller);

#endif
