/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_TOOLS_ECSCTL_DUMP_H
#define ECSDNS_TOOLS_ECSCTL_DUMP_H

#include "tools/ecsctl/local.h"

/* Compiles a bundle and prints what comes of it, a line each. Exit code. */
int dump_compiled(struct ecsctl *ecsctl, struct bundle *bundle);

#endif
