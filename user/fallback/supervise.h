/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_FALLBACK_SUPERVISE_H
#define ECSDNS_FALLBACK_SUPERVISE_H

#include "user/fallback/fallback.h"

/* Has the workers serve, and sees to signals, until the last worker has ended. 0, or -ETIME: one does not end. */
int supervise(struct fallback *fallback);

#endif
