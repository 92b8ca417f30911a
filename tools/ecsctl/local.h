/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What verbs do with configuration files on this machine, without the controller. */
#ifndef ECSDNS_TOOLS_ECSCTL_LOCAL_H
#define ECSDNS_TOOLS_ECSCTL_LOCAL_H

#include "tools/ecsctl/ecsctl.h"
#include "user/controller/generation.h"

/* Reads a configuration and every file it names, and makes the bundle's archive; the caller frees it. Exit code. */
int local_bundle(const struct ecsctl *ecsctl, const char *path, void **archive, size_t *length);

/* Prints the faults of a local failure as the controller's would be. Returns REFUSED. */
int local_refused(const struct ecsctl *ecsctl, const struct faults *faults);

#endif
