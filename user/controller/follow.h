/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_CONTROLLER_FOLLOW_H
#define ECSDNS_CONTROLLER_FOLLOW_H

#include "user/controller/controller.h"

/*
 * A member's state has changed: the live answers follow before this returns. In the loop's thread, between pushes or while
 * one runs; several changes at once need one call. controller->publisher.health says the states. What was done is in *counts,
 * which may be null.
 */
void follow_health(struct controller *controller, struct reaction_counts *counts);

#endif
