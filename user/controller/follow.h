/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_CONTROLLER_FOLLOW_H
#define ECSDNS_CONTROLLER_FOLLOW_H

#include "user/controller/controller.h"

/*
 * A member's state has changed: the live answers follow before this returns. In the loop's thread, between pushes or while
 * one runs; several changes at once need one call. controller->publisher.health says the states.
 */
void follow_health(struct controller *controller);

#endif
