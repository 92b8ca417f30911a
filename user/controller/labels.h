/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables that give the ids of services and regions their names, for whoever reads counters. */
#ifndef ECSDNS_CONTROLLER_LABELS_H
#define ECSDNS_CONTROLLER_LABELS_H

#include "user/common/tables.h"
#include "user/controller/compile.h"

/* Names the ids of a configuration. An id that had another name begins to count anew. 0 or -errno with an error. */
int labels_write(const struct tables *tables, const struct compiled *compiled, struct faults *faults);

/* Drops the names of ids that are no longer given to anything. 0 or -errno. */
int labels_drop(const struct tables *tables, const struct ids *ids);

#endif
