/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * home.json in the state directory: the tables that the last controller brought in step with it. On these a start finds
 * what it left. Others, made beside them for an upgrade or left by one, may hold an older configuration: there the state
 * directory is right. After a reboot the number may be another table's, but then all tables are empty.
 */
#ifndef ECSDNS_CONTROLLER_HOME_H
#define ECSDNS_CONTROLLER_HOME_H

#include <stdbool.h>

#include "user/common/tables.h"
#include "user/controller/state.h"

/* Are these other tables than those of before? Not if that is not known. */
bool home_is_elsewhere(const struct state *state, const struct tables *tables);

/* Unless it is there already. 0 or -errno. `pins` is for the reader. It waits for the disk: not for the loop's thread. */
int home_write(const struct state *state, const struct tables *tables, const char *pins);

#endif
