/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a push changes, in the job that makes it: the configuration that is or was live is compiled again from its bundle. */
#ifndef ECSDNS_CONTROLLER_CHANGES_H
#define ECSDNS_CONTROLLER_CHANGES_H

#include "user/controller/controller.h"

/*
 * diff_json() of generation `before`, 0 for none, and `made`, which has its zones; a member of both has the state that `made`
 * was compiled with. 0 with *changes a new reference; or -errno with an error in `faults`: the bundle is lost or spoilt.
 */
int changes_find(struct controller *controller, uint32_t before, const struct generation *made, size_t limit,
		 json_t **changes, struct faults *faults);

/* A line for the log. */
void changes_log(const json_t *changes);

#endif
