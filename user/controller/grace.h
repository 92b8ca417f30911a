/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_CONTROLLER_GRACE_H
#define ECSDNS_CONTROLLER_GRACE_H

#include "user/common/faults.h"

/*
 * Waits until every run of the driver that began before the call has ended (an RCU grace period), so that nobody
 * reads the slot that was left before. 0, or -errno with an error in `faults`.
 */
int grace_period(struct faults *faults);

#endif
