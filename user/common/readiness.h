/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Should this host attract traffic? It should when a configuration is live, the program is attached, and the health data are
 * not too old. All of that is in the tables, so that it can be told while no controller runs: a restart of it is no
 * reason to withdraw a route. The controller says it in GET status; `ecsctl status --ready` looks for itself.
 */
#ifndef ECSDNS_READINESS_H
#define ECSDNS_READINESS_H

#include <jansson.h>

#include "user/common/tables.h"

#define READINESS_AGE_MAX 30	/* seconds; what --max-age says otherwise */

/* For who finds that the tables it opened are pinned no more. */
#define READINESS_TABLES_GONE "the tables that this controller opened at its start are not pinned there any more " \
	"(`ecsdns-loader unload`?): restart ecsdns-controller, which publishes the last generation again, and " \
	"ecsdns-fallback, which still answers from the old ones"

/* CLOCK_BOOTTIME in nanoseconds. */
uint64_t readiness_now(void);

/* {"age": seconds, or null before the first word of a controller, "checked": ..., "down": ..., "holding": ...} */
json_t *readiness_health(const struct tables *tables);

/* [{"interface": "eth0", "ifindex": 2, "mode": "native"}], and how many of them carry a program. */
json_t *readiness_interfaces(const struct tables *tables, size_t *attached);

/* What stands in the way, as texts that say what to do; empty: ready. */
json_t *readiness_missing(const struct tables *tables, const char *pins, size_t attached, uint32_t age_max);

#endif
