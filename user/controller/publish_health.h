/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between publish.c and publish_health.c. */
#ifndef ECSDNS_CONTROLLER_PUBLISH_HEALTH_H
#define ECSDNS_CONTROLLER_PUBLISH_HEALTH_H

#include "user/controller/publish.h"

/* Brings the reaction's slot in step with the states of now. The lock is held. As react(). */
int publish_follow(struct publisher *publisher, struct reaction_counts *counts);

#endif
