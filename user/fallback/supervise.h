/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_FALLBACK_SUPERVISE_H
#define ECSDNS_FALLBACK_SUPERVISE_H

#include "user/fallback/fallback.h"

/*
 * Has the workers serve, and sees to signals and take-overs, until the last worker has ended. 0; -ETIME: one does not end;
 * -ECANCELED: others go on in our place.
 */
int supervise(struct fallback *fallback);

#endif
