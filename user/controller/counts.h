/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The counters in the pinned tables, summed over CPUs and over the fallback's workers. Any thread. */
#ifndef ECSDNS_CONTROLLER_COUNTS_H
#define ECSDNS_CONTROLLER_COUNTS_H

#include "user/common/tables.h"

/* Each reason's name, what the driver does then (TX, PASS, DROP), and help. [REASON_GO] is empty. */
struct counts_reason {
	const char *name, *outcome, *help;
};
extern const struct counts_reason counts_reasons[REASON_COUNT];

/* How often each reason occurred, by its number. 0 or -errno. */
int counts_driver(const struct tables *tables, uint64_t sums[REASON_COUNT]);
void counts_fallback(const struct tables *tables, uint64_t sums[REASON_COUNT]);

/* What captures have copied, and what not. 0 or -errno. */
int counts_capture(const struct tables *tables, struct capture_counts *sums);

/*
 * Packets by id, of service_hits or region_hits: sums[id] for all ids below `count`, those beyond the table are 0. Some
 * hundred system calls for the largest tables. 0 or -errno.
 */
int counts_hits(const struct tables *tables, enum table table, uint64_t *sums, uint32_t count);

#endif
