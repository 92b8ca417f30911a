/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_CONTROLLER_EXPLAIN_POOLS_H
#define ECSDNS_CONTROLLER_EXPLAIN_POOLS_H

#include "user/controller/controller.h"

/*
 * Why a region's pools do not answer for a type, those that it prefers to the one that does: a list of {pool, why}, empty
 * if the first one does. `index` is that of the compiled service and counts from 0. A new reference, or null.
 */
json_t *explain_passed_over(struct controller *controller, uint32_t index);

/*
 * The settings that decide about members of these pools, of that of when_all_down, or of those that they depend on: a list of
 * texts. A new reference, or null.
 */
json_t *explain_settings(struct controller *controller, uint32_t index);

#endif
